"""Recipe two on simulated people, from films to hazard ratios: ``python -m spineclock.run.film_results --help``.

People → radiographs and VFA images on a training grid → stores → training → recalibration for VFA → evaluation on
people and a world the network has not seen → a study of outcomes → docs/results/films.md. Each stage is kept.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spineclock.core.errors import SpineclockError
from spineclock.run.ablation.table import true_ages
from spineclock.run.config import configure
from spineclock.run.defaults import prepare_defaults, train_defaults
from spineclock.run.film_package import ends, package
from spineclock.run.outputs import write_text
from spineclock.run.settings import PhantomRadiographSettings, PrepareSettings, StudySettings
from spineclock.run.tables import markdown
from spineclock.run.training import folder
from spineclock.run.training.evaluation import evaluate
from spineclock.run.training.settings import EvaluateSettings, TrainSettings
from spineclock.stats import metrics

RECIPE, CANVAS, PIXEL_MM = "xray-age", "256,128", 1.3
"""Pixels are a little finer than the canvas, so that every film is shrunk onto it, as one of full size would be."""
LEAST_AGE, LEAST_AGE_VFA = 40.0, 65.0
"""Of VERTE-X-Aging's derivation people, and of those with VFA images."""
TITLES = {"radiographs": "Radiographs", "vfa": "VFA images"}
PAPER = {"radiographs": (2063, 0.72, 17.0), "VFA": (3508, 1.00, -0.6)}
"""Scans, slope and intercept of the two scatter plots of the publication, read off them."""


@dataclass(frozen=True)
class People:
    """Some simulated people and what is taken of them; every set has a seed of its own, so that nobody is in two."""

    name: str
    count: int
    seed: int
    modality: str = "radiograph"
    world: str = "default"
    least_age: float = LEAST_AGE


LEARNED = People("learned", 5000, 40)
CALIBRATION = People("vfa_calibration", 3000, 41, modality="vfa", least_age=LEAST_AGE_VFA)
TESTED = (
    People("radiographs", 4000, 42),
    People("vfa", 9000, 43, modality="vfa", least_age=LEAST_AGE_VFA),
    People("radiographs_shifted", 800, 44, world="shifted"),
    People("vfa_shifted", 3000, 45, modality="vfa", world="shifted", least_age=LEAST_AGE_VFA),
    People("radiographs_ageing_off", 500, 46, world="ageing_off"),
)


@dataclass(frozen=True)
class Places:
    """Where each stage leaves what it makes."""

    out: Path

    def cohort(self, people: People) -> Path:
        """The simulated people and their films."""
        return self.out / people.name

    def store(self, people: People) -> Path:
        """Their prepared films."""
        return self.out / f"{people.name}-store"

    def evaluation(self, people: People, *, before: bool = False) -> Path:
        """What the network says of them, before it was recalibrated or after; another network has another folder."""
        return self.out / f"{people.name}-{'before' if before else 'evaluation'}-{self.network}"

    @property
    def run(self) -> Path:
        """The training."""
        return self.out / "run"

    @property
    def network(self) -> str:
        """The first digits of its weights' hash."""
        return str(json.loads((self.run / folder.DONE).read_text(encoding="utf-8"))["weights_sha256"])[:8]


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
        _of_age(cohort, people.least_age)
    if not (store / "done").exists():
        told = configure(PrepareSettings, defaults=prepare_defaults(RECIPE),
                         flags={"canvas": CANVAS, "workers": workers, "resume": True}).settings  # fmt: skip
        _demand(prepare_cohort(cohort / "of_age.csv", told, out=store, recipe=RECIPE), cohort, "prepared")
        (store / "done").touch()


def _of_age(cohort: Path, least_age: float) -> None:
    """A table of the people who are old enough, beside that of everybody."""
    table = pd.read_csv(cohort / "participants.tsv", sep="\t", dtype={"participant_id": str, "scan_id": str})
    table[table["age_years"] >= least_age].to_csv(cohort / "of_age.csv", index=False)


def _finished(cohort: Path, people: People) -> bool:
    """Whether these very people's films are all there."""
    path = cohort / "phantom.json"
    if not path.is_file():
        return False
    told = json.loads(path.read_text(encoding="utf-8"))
    asked = {"people": people.count, "seed": people.seed, "world": people.world, "from_years": people.least_age}
    if other := [name for name, value in asked.items() if told.get(name) != value]:
        raise SpineclockError(f"{cohort} was made with another {', '.join(other)}", remedy="another --out")
    return bool(told.get("finished")) and (cohort / "of_age.csv").is_file()


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
            "store": places.store(LEARNED), "max_epochs": epochs, "learning_rate": 5e-4, "plateau_patience": 6,
            "plateau_factor": 0.4, "stop_patience": 16, "resume": True,
        },
    ).settings  # fmt: skip
    train(RECIPE, places.cohort(LEARNED) / "of_age.csv", told, out=places.run)


def evaluated(places: Places) -> None:
    """Every tested set, the VFA ones before the network was recalibrated and after."""
    from spineclock.run.training.recalibration import recalibrate

    for people in (p for p in TESTED if p.modality == "vfa"):
        before = places.evaluation(people, before=True)
        if not (before / "evaluation.md").is_file() and (places.run / "recalibration.json").is_file():
            raise SpineclockError(f"{places.run} is recalibrated already", remedy="remove its recalibration.json")
        _evaluate(places, people, before)
    if not (places.run / "recalibration.json").is_file():
        recalibrate(
            places.run, places.cohort(CALIBRATION) / "of_age.csv", EvaluateSettings(store=places.store(CALIBRATION))
        )
    for people in TESTED:
        _evaluate(places, people, places.evaluation(people))


def _evaluate(places: Places, people: People, out: Path) -> None:
    if not (out / "evaluation.md").is_file():
        settings = EvaluateSettings(store=places.store(people), resamples=0)
        evaluate(places.run, places.cohort(people) / "of_age.csv", settings, out=out)


def ages(places: Places) -> pd.DataFrame:
    """Errors of each tested set: as predicted, by Cole's correction, and by Beheshti's, which uses the test age."""
    rows = []
    for people in TESTED:
        truth = true_ages(places.cohort(people))
        assert truth is not None
        for before in (True, False) if people.modality == "vfa" else (False,):
            said = pd.read_csv(places.evaluation(people, before=before) / "predictions.csv", dtype={"scan_id": str})
            words = people.name.replace("_", " ") + (", before recalibration" if before else "")
            rows.append(_errors(words, said, said["scan_id"].map(truth)))
    return pd.DataFrame(rows)


def _errors(name: str, said: pd.DataFrame, spine_age: pd.Series) -> dict[str, Any]:
    age, predicted, corrected = (said[f"{c}age_years"].to_numpy() for c in ("", "predicted_", "corrected_"))
    slope, intercept = np.polyfit(age, predicted, 1)
    by_age = said.get("modality_corrected_age_years", pd.Series(np.nan, index=said.index)).to_numpy()
    true_slope = np.polyfit(spine_age, predicted, 1)
    covered = (said["interval_low_years"] <= said["age_years"]) & (said["age_years"] <= said["interval_high_years"])
    return {
        "films": name, "n": f"{len(said):,}",
        "MAE": metrics.mae(predicted, age), "r": metrics.pearson_r(predicted, age),
        "R²": metrics.r2(predicted, age), "oracle's R²": metrics.r2(spine_age, age),
        "mean error": float((predicted - age).mean()), "slope": float(slope), "intercept": float(intercept),
        "r with true spine age": metrics.pearson_r(predicted, spine_age),
        "slope on true spine age": float(true_slope[0]),
        "r of corrected with true gap": metrics.pearson_r(corrected - age, spine_age - age),
        "corrected mean error": float((corrected - age).mean()), "Beheshti: MAE": float(np.abs(by_age - age).mean()),
        "Beheshti: mean error": float((by_age - age).mean()), "90% interval covers": float(covered.mean()),
    }  # fmt: skip


def pictured(places: Places) -> bytes:
    """The two scatter plots of the publication, of simulated people: radiographs as predicted, VFA before and after."""
    from spineclock.report import ink
    from spineclock.report.training_figures import predicted

    radiographs, vfa = TESTED[0], TESTED[1]
    before = pd.read_csv(places.evaluation(vfa, before=True) / "predictions.csv")
    after = pd.read_csv(places.evaluation(vfa) / "predictions.csv")
    corrected = after["modality_corrected_age_years"]
    return ink.png(predicted({
        "radiographs": pd.read_csv(places.evaluation(radiographs) / "predictions.csv"),
        "VFA": before,
        "VFA, corrected (Beheshti)": after.assign(predicted_age_years=corrected),
    }))  # fmt: skip


def studied(places: Places) -> dict[str, Path]:
    """A study of outcomes of the radiographs and of the VFA images; its folder by name."""
    from spineclock.run.study.command import study

    found = {}
    for people in TESTED[:2]:
        out = places.out / f"{people.name}-study-{places.network}"
        if not (out / "study.html").is_file():
            shutil.rmtree(out, ignore_errors=True)
            predictions = places.evaluation(people) / "predictions.csv"
            share = 0.3 if people.modality == "vfa" else 0.1  # few are old enough, and of few ages, to correct by
            settings = StudySettings(resamples=0, train_share=0, validation_share=share)
            study(predictions, settings, cohort=places.cohort(people), out=out)
        found[people.name] = out
    return found


def speed(places: Places, *, films: int = 12) -> pd.DataFrame:
    """Seconds a film of 3000 × 1500 pixels, 16 bit, takes: prepared, and aged with its map of attention."""
    from spineclock.core.recipe import Options
    from spineclock.core.records import Scan
    from spineclock.core.volume import Volume
    from spineclock.prep.film import FilmPreparation, prepare_film
    from spineclock.recipes.xray_age import load

    rng = np.random.default_rng(0)
    grey = (rng.random((1, 1500, 3000)) * 60000).astype(np.uint16)
    volume = Volume(grey, np.diag([1.0, 0.15, 0.15, 1.0]))
    reader = load(str(places.run), Options())
    scan = Scan("film", volume, Path("film.dcm"), "DX", age_years=60.0, film="radiograph")
    told = {
        "prepared for 1024 × 512": _seconds(lambda: prepare_film(volume, FilmPreparation(), vfa=False), films),
        "prepared for 256 × 128": _seconds(lambda: prepare_film(volume, FilmPreparation((256, 128)), vfa=False), films),
        "prepared, aged and looked into": _seconds(lambda: reader.read(scan), films),
    }
    return pd.DataFrame([{"what": what, "seconds a film": value} for what, value in told.items()])


def _seconds(call: Callable[[], object], times: int) -> float:
    call()
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return float(np.median(taken))


def _ratios(study: Path) -> pd.DataFrame:
    """The study's hazard ratios per SD: a row a model, measured and true gap side by side."""
    found = pd.read_csv(study / "tables" / "outcomes.csv")
    found = found[found["per"] == "SD"]
    found = found.assign(told=_interval(found), by=found["reliability_of"].fillna("measured gap"))
    key = ["event", "model"]
    wide = found.pivot(index=key, columns="by", values="told")
    events = found.drop_duplicates(key).set_index(key)["events"].map("{:,}".format)
    by_truth = found[found["by"] == "true gaps"].set_index(key)
    table = pd.DataFrame({"events": events, "measured gap": wide["measured gap"]})
    for source in ("repeat scans", "true gaps"):
        if source in wide:
            table[f"true gap, by {source}"] = wide[source]
    table["reliability, by true gaps"], table["truth of the true gap"] = by_truth["reliability"], by_truth["truth"]
    order = found.drop_duplicates(key).set_index(key).index
    table = table.loc[order].reset_index()
    return table.assign(event=table["event"].str.replace("_", " "))


def _areas(study: Path) -> pd.DataFrame:
    """AUROC of everyone, of either age and their difference, with intervals."""
    found = pd.read_csv(study / "tables" / "diagnosis.csv")
    found = found[found["group"] == "everyone"]
    return pd.DataFrame({
        "disease": found["disease"].str.replace("_", " "), "of": found["term"].str.replace("_", " "),
        "with": found["positives"], "without": found["negatives"], "AUROC (95% CI)": _interval(found, digits=3),
    })  # fmt: skip


def _published() -> pd.DataFrame:
    from spineclock.report.paper import published

    found = published("radiograph_hazards").copy()
    found["hazard ratio (95% CI)"] = _interval(found.rename(columns={"hazard_ratio": "estimate"}))
    wide = found.pivot(index=["images", "event"], columns="model", values="hazard ratio (95% CI)").reset_index()
    return wide.assign(event=wide["event"].str.replace("_", " "))


def _interval(found: pd.DataFrame, *, digits: int = 2) -> pd.Series[str]:
    told = [f"{r.estimate:.{digits}f} ({r.low:.{digits}f} to {r.high:.{digits}f})" for r in found.itertuples()]
    return pd.Series(told, index=found.index)


def page(places: Places, studies: dict[str, Path], *, command: str) -> str:
    """docs/results/films.md."""
    told = json.loads((places.run / folder.DONE).read_text(encoding="utf-8"))
    found = ages(places)
    later = ("corrected", "Beheshti", "90%", "slope on", "r with", "r of")
    first = [c for c in found.columns.astype(str) if not c.startswith(later)]
    paper = pd.DataFrame(
        [{"publication": k, "n": f"{n:,}", "slope": s, "intercept": i} for k, (n, s, i) in PAPER.items()]
    )
    sets = (LEARNED, CALIBRATION, *TESTED)
    who = "; ".join(
        f"{p.name} {p.count:,} (seed {p.seed}, {p.modality}, {p.world}, from {p.least_age:g} years)" for p in sets
    )
    lines = [
        "# Spine age from films", "",
        "**All people, films, findings and outcomes here are simulated: no real person is described.** Networks of "
        "simulated films are for research on methods; what they say of a real film is not known to mean anything.", "",
        f"- Command: `{command}`", f"- People drawn: {who}. Nobody is in two sets.",
        f"- Network: {told['settings']['network']}, {CANVAS.replace(',', ' × ')} pixels, {told['epochs']} epochs, "
        f"{told['training_minutes']:.0f} minutes, ended {told['ended'][:16]}, seed {told['settings']['seed']}, "
        f"{told['scans']['train']:,} films to learn from.", "",
        "## Ages", "", markdown(found.loc[~found["films"].str.contains("before"), first]), "",
        "R² is 1 − SSE/SST; the oracle answers with each true spine age. `ageing_off`: films do not depend on age, and "
        "whatever R² above 0 there were would be a leak.", "",
        markdown(found[["films", *(c for c in found if c not in first)]], digits=3), "",
        "Corrected: Cole's line of the radiographs' validation people, of VFA images after recalibration that of the "
        "calibration people, nobody of whom is tested. Beheshti's line uses the test person's age: look at its mean "
        "error, for its MAE flatters.", "", markdown(paper),
        "", "The publication's lines are read off its scatter plots; that of VFA images is after correction.", "",
        f"{ends(places.evaluation(TESTED[0]))} The picture shows it.", "",
        "![Predicted against chronological age](../images/films.png)", "",
        "## Outcomes", "",
    ]  # fmt: skip
    for name, where in studies.items():
        lines += [f"### {TITLES[name]}", "", markdown(_ratios(where)), "",
                  markdown(_areas(where)), ""]  # fmt: skip
    lines += [
        "Hazard ratios per SD of the gap, of M1 (age, sex), M2 (and clinical factors), M3 (and osteoporosis), death "
        "ending the follow-up of fractures. True gap: the ratio of the measured one set right by its reliability given "
        "the model's covariates, from people scanned twice (what a study of real people can do; whatever is wrong with "
        "both films of a person counts as true) or from the true gaps themselves. Truth: the same model with the true "
        "gap of a million simulated people, per SD of it. Setting right assumes that the error has nothing to do with "
        "the outcome; a film shows how dense bone is, and bone density makes fractures likely beside the gap. AUROC: "
        "corrected spine age and chronological age, and their difference (DeLong).",
        "", "The publication's hazard ratios, of other people, with its own network:", "", markdown(_published()), "",
    ]  # fmt: skip
    lines += ["## Speed", "", markdown(speed(places), digits=3), "", "A film of 3000 × 1500 pixels of 16 bit, on this "
              "machine's processor, after the program has started.", ""]  # fmt: skip
    return "\n".join(lines)


def main() -> int:
    """Makes what is not there, and writes the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m spineclock.run.film_results --out build/films",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("build/films"), help="where everything goes: about 4 GB")
    parser.add_argument("--page", type=Path, default=Path("docs/results/films.md"))
    parser.add_argument("--picture", type=Path, default=Path("docs/images/films.png"))
    parser.add_argument("--epochs", type=int, default=90)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--package", type=Path, metavar="DIR", help="also put the network among packaged weights")
    parser.add_argument("--until", choices=("films", "trained", "page"), default="page")
    told = parser.parse_args()
    places = Places(told.out)
    try:
        for people in (LEARNED, CALIBRATION, *TESTED):
            films(places, people, workers=told.workers)
        if told.until == "films":
            return 0
        trained(places, epochs=told.epochs)
        if told.until == "trained":
            return 0
        evaluated(places)
        text = page(places, studied(places), command="make films")
    except SpineclockError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; call it again to go on", file=sys.stderr)
        return 130
    told.picture.parent.mkdir(parents=True, exist_ok=True)
    told.picture.write_bytes(pictured(places))
    write_text(told.page, text)
    if told.package is not None:
        package(
            places.run, (places.evaluation(TESTED[0]), places.evaluation(TESTED[1])), told.package, seed=LEARNED.seed
        )
    print(f"See {told.page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
