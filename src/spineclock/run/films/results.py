"""Recipe two on simulated people, from films to hazard ratios: ``python -m spineclock.run.films.results --help``.

People → radiographs and VFA images → stores → training → recalibration for VFA → evaluation on people and a world the
network has not seen → a study of outcomes → docs/results/films.md. Each stage is kept.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

import pandas as pd

from spineclock.core.errors import SpineclockError
from spineclock.run.config import configure
from spineclock.run.defaults import prepare_defaults, train_defaults
from spineclock.run.films.package import package
from spineclock.run.films.page import page, pictured
from spineclock.run.films.people import CALIBRATION, CANVAS, LEARNED, PIXEL_MM, RECIPE, TESTED, People, Places
from spineclock.run.outputs import write_text
from spineclock.run.phantom_settings import PhantomRadiographSettings
from spineclock.run.settings import PrepareSettings, StudySettings
from spineclock.run.stages import plainly
from spineclock.run.training.evaluation import evaluate
from spineclock.run.training.settings import EvaluateSettings, TrainSettings


def films(places: Places, people: People, *, workers: int) -> None:
    """The people's films and their store, as far as they are not there."""
    from spineclock.run.phantom_radiograph import make_films
    from spineclock.run.prepare import prepare_cohort

    cohort, store = places.cohort(people), places.store(people)
    if not _finished(cohort, people):
        settings = PhantomRadiographSettings(
            seed=people.seed, modality=people.modality, world=people.world, pixel_mm=PIXEL_MM,
            from_years=people.least_age,
            workers=workers, resume=(cohort / "phantom.json").exists(),
        )  # fmt: skip
        _demand(make_films(people.count, settings, out=cohort), cohort, "made")
    if not (store / "done").exists():
        told = configure(PrepareSettings, defaults=prepare_defaults(RECIPE),
                         flags={"canvas": CANVAS, "workers": workers, "resume": True}).settings  # fmt: skip
        _demand(prepare_cohort(cohort, told, out=store, recipe=RECIPE), cohort, "prepared")
        (store / "done").touch()


def _finished(cohort: Path, people: People) -> bool:
    """Whether these very people's films are all there."""
    path = cohort / "phantom.json"
    if not path.is_file():
        return False
    told = json.loads(path.read_text(encoding="utf-8"))
    asked = {"people": people.count, "seed": people.seed, "world": people.world, "from_years": people.least_age}
    if other := [name for name, value in asked.items() if told.get(name) != value]:
        raise SpineclockError(f"{cohort} was made with another {', '.join(other)}", remedy="another --out")
    return bool(told.get("finished"))


def _demand(status: int, what: Path, done: str) -> None:
    if status:
        raise SpineclockError(f"some films of {what} could not be {done}", remedy="see failures.csv, and call again")


def trained(places: Places, *, epochs: int) -> None:
    """The network, as far as it has not learned."""
    from spineclock.run.training.command import train

    told = configure(
        TrainSettings,
        defaults=train_defaults(RECIPE),
        flags={
            "store": places.store(LEARNED), "max_epochs": epochs, "learning_rate": 1e-3, "plateau_patience": 5,
            "plateau_factor": 0.4, "stop_patience": 16, "resume": True,
        },
    ).settings  # fmt: skip
    train(RECIPE, places.cohort(LEARNED), told, out=places.run)


def evaluated(places: Places) -> None:
    """Every tested set, the VFA ones before the network was recalibrated and after."""
    from spineclock.run.training.recalibration import recalibrate

    for people in (p for p in TESTED if p.modality == "vfa"):
        before = places.evaluation(people, before=True)
        if not (before / "evaluation.md").is_file() and (places.run / "recalibration.json").is_file():
            raise SpineclockError(f"{places.run} is recalibrated already", remedy="remove its recalibration.json")
        _evaluate(places, people, before)
    if not (places.run / "recalibration.json").is_file():
        recalibrate(places.run, places.cohort(CALIBRATION), EvaluateSettings(store=places.store(CALIBRATION)))
    for people in TESTED:
        _evaluate(places, people, places.evaluation(people))


def _evaluate(places: Places, people: People, out: Path) -> None:
    if not (out / "evaluation.md").is_file():
        settings = EvaluateSettings(store=places.store(people), resamples=0)
        evaluate(places.run, places.cohort(people), settings, out=out)


def studied(places: Places) -> dict[str, Path]:
    """A study of outcomes of the radiographs and of the VFA images; its folder by name."""
    from spineclock.run.study.command import study

    found = {}
    for people in TESTED[:2]:
        out = places.out / f"{people.name}-study-{places.network}"
        if not (out / "study.html").is_file():
            shutil.rmtree(out, ignore_errors=True)
            predictions = places.evaluation(people) / "predictions.csv"
            share = 0.2 if people.modality == "vfa" else 0.1  # few are old enough, and of few ages, to correct by
            settings = StudySettings(
                resamples=0, train_share=0, validation_share=share, normals=_everyone(places, people)
            )
            study(predictions, settings, cohort=places.cohort(people), out=out)
        found[people.name] = out
    return found


def _everyone(places: Places, people: People) -> Path:
    """Who is typical, as the publication has it: nobody is left out for what a report says."""
    path = places.evaluation(people) / "everyone.csv"
    said = pd.read_csv(places.evaluation(people) / "predictions.csv", usecols=["scan_id"], dtype=str)
    said.assign(normal=True).to_csv(path, index=False)
    return path


def main() -> int:
    """Makes what is not there, and writes the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m spineclock.run.films.results --out build/films",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("build/films"), help="where everything goes: about 4 GB")
    parser.add_argument("--page", type=Path, default=Path("docs/results/films.md"))
    parser.add_argument("--picture", type=Path, default=Path("docs/images/films.png"))
    parser.add_argument("--epochs", type=int, default=70)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--package", type=Path, metavar="DIR", help="also put the network among packaged weights")
    parser.add_argument("--until", choices=("films", "trained", "page"), default="page")
    told = parser.parse_args()
    return plainly(lambda: _all(told))


def _all(told: argparse.Namespace) -> None:
    places = Places(told.out)
    for people in (LEARNED, CALIBRATION, *TESTED):
        films(places, people, workers=told.workers)
    if told.until == "films":
        return
    trained(places, epochs=told.epochs)
    if told.until == "trained":
        return
    evaluated(places)
    text = page(places, studied(places), command="make films")
    told.picture.parent.mkdir(parents=True, exist_ok=True)
    told.picture.write_bytes(pictured(places))
    write_text(told.page, text)
    if told.package is not None:
        package(
            places.run, (places.evaluation(TESTED[0]), places.evaluation(TESTED[1])), told.package, seed=LEARNED.seed
        )
    print(f"See {told.page}")


if __name__ == "__main__":
    sys.exit(main())
