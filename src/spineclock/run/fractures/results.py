"""Recipe four on simulated people, from CT to risks: ``python -m spineclock.run.fractures.results --help``.

What can be known → people and scans of two worlds → HU measures and stores → trainings by inputs and tasks → risks of
people, sites and a world the networks have not seen → comparisons → docs/results/fractures.md (fractures_idle.md of
muscle_idle alone). Each stage is kept.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from spineclock.core.errors import SpineclockError, TableError, UsageError
from spineclock.run.fractures.compared import (
    FIRST,
    HU,
    Tested,
    by_seed,
    calibrated,
    detected,
    explained,
    of_world,
    predicted,
    tested,
    thirds,
)
from spineclock.run.fractures.oracle import TRUTH, counted, equal_networks, kept, oracles
from spineclock.run.fractures.outlined import NETWORK, answers, beside_true, outlined
from spineclock.run.fractures.package import package
from spineclock.run.fractures.page import TITLES, Found, Plan, page
from spineclock.run.fractures.people import EPOCHS, IDLE, Places
from spineclock.run.fractures.pictures import curves_png, inputs_png
from spineclock.run.fractures.scans import dropped, made, measured, prepared, seconds
from spineclock.run.fractures.trained import evaluated, finished, said, trained
from spineclock.run.outputs import write_text
from spineclock.run.stages import plainly


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a run is asked for.

    Parameters
    ----------
    batch_size
        Scans a step; the recipe's where not told.
    draws
        Of other people, to tell what can be known; with fewer the counts are as sure, their spread is less.
    resamples
        Of the bootstrap by person.
    lean
        Whether scans are removed once they are measured and prepared: a megabyte each.
    measured
        Whether HU measures of the tested people are made, and held beside the networks.
    plan
        For what share of the full number of people it is told what can be known.
    """

    epochs: int = EPOCHS
    batch_size: int | None = None
    workers: int = 2
    draws: int = 5
    resamples: int = 1000
    lean: bool = False
    measured: bool = True
    plan: float = 1.0


def scanned(places: Places, asked: Asked) -> None:
    """Every set's scans, measures and stores, as far as they are not there."""
    for people in (*places.learned, *places.tested):
        made(places, people, workers=asked.workers)
        if asked.measured or people in places.learned:
            measured(places, people, workers=asked.workers)
        prepared(places, people, workers=asked.workers)
        if asked.lean:
            dropped(places, people)


def learned(places: Places, asked: Asked) -> None:
    """Every training, and what its network says of the tested people of its world, as far as they are not there.

    And what the first one says of people whose scans have no label maps.

    A training with too few people of a kind is left out, and said to be: a trial has few with a fracture.
    """
    for world in dict.fromkeys(people.world for people in places.learned):
        for variant in of_world(world):
            try:
                trained(places, variant, epochs=asked.epochs, batch_size=asked.batch_size)
            except TableError as error:
                print(f"{variant.name} is left out: {error}", file=sys.stderr)
                continue
            for people in places.tested:
                if people.learned == world:
                    evaluated(places, variant, people)
    if NETWORK in finished(places):
        outlined(places, workers=asked.workers, lean=asked.lean)


def compared(places: Places, *, resamples: int) -> tuple[dict[str, Found], dict[str, pd.DataFrame]]:
    """The comparisons on each tested set, and its curves by thirds of the risk of the network, or of HU without one."""
    found, curves = {}, {}
    by_world = {people.world: people for people in places.learned}
    for people in places.tested:
        train, answered = by_world[people.learned], said(places, people)
        if not (answered or all(places.measures(one).is_file() for one in (train, people))):
            continue
        told = tested(places, train, people, answered)
        title, model = _shown(told)
        asked = {
            "predicted": partial(predicted, told, resamples=resamples),
            "by_seed": partial(by_seed, told, resamples=resamples),
            "detected": partial(detected, told, resamples=resamples),
            "calibrated": partial(calibrated, told), "explained": partial(explained, told),
            "curves": partial(thirds, told, model),
        }  # fmt: skip
        frames, refused = {}, [*told.refused]
        for name, make in asked.items():
            try:
                frames[name] = make()
            except SpineclockError as error:  # of too few people or events
                frames[name] = pd.DataFrame()
                refused.append(f"{name}: {error}")
            frames[name].to_csv(places.out / f"{people.name}-{name}.csv", index=False, float_format="%.6g")
        if len(shown := frames.pop("curves")):
            curves[f"{TITLES[people.name]}: {title}"] = shown
        found[people.name] = Found(**frames, refused=tuple(refused))
    return found, curves


def _shown(told: Tested) -> tuple[str, str]:
    """What is shown by thirds: the network of most, or HU measures, or the truth where neither is there."""
    named = ((FIRST, "network"), (HU, "HU measures"), (TRUTH, "the true risk"))
    return next((words, model) for model, words in named if model in told.risks)


def planned(places: Places, asked: Asked) -> Plan:
    """What is known before any scan is made, of the full size whatever the run's; kept once it is made."""
    full = Places(places.out, asked.plan, places.only)
    makers = {
        "counts": lambda: counted((*full.learned, *full.tested)),
        "oracle": lambda: oracles(full.learned, full.tested, draws=asked.draws),
        "equal": lambda: equal_networks(full.learned, full.tested),
    }
    places.out.mkdir(parents=True, exist_ok=True)
    of = f"plan-{places.only}" if places.only else "plan"
    return Plan(**{name: kept(places.out / f"{of}-{name}.csv", make) for name, make in makers.items()})


def written(places: Places, asked: Asked, *, page_at: Path, pictures: Path, command: str) -> None:
    """The page and its pictures, of whatever is there."""
    found, curves = compared(places, resamples=asked.resamples)
    own: pd.DataFrame | str | None = None
    if NETWORK in finished(places) and answers(places).is_file():
        try:
            own = beside_true(places, resamples=asked.resamples)
        except SpineclockError as error:  # of too few people or events
            own = str(error)
    text = page(places, planned(places, asked), seconds(places), found, own, command=command, name=page_at.stem)
    pictures.mkdir(parents=True, exist_ok=True)
    (pictures / "fractures_inputs.png").write_bytes(inputs_png())
    if curves:
        (pictures / f"{page_at.stem}_thirds.png").write_bytes(curves_png(curves))
    write_text(page_at, text)
    print(f"See {page_at}")


def main() -> int:
    """Makes what is not there, and writes the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m spineclock.run.fractures.results --scale 0.03 --epochs 2 --out build/small",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("build/fractures"), help="where everything goes")
    parser.add_argument("--scale", type=float, default=1.0, help="people, as a share of the full number")
    parser.add_argument("--only", choices=("muscle_matters", "muscle_idle"), default="", help="one world of the two")
    parser.add_argument("--page", type=Path, help="docs/results/fractures.md, or fractures_idle.md of that world alone")
    parser.add_argument("--pictures", type=Path, default=Path("docs/images"))
    parser.add_argument("--epochs", type=int, default=Asked.epochs)
    parser.add_argument("--workers", type=int, default=Asked.workers)
    parser.add_argument("--resamples", type=int, default=Asked.resamples)
    parser.add_argument("--lean", action="store_true", help="remove scans that are measured and prepared")
    parser.add_argument("--unmeasured", action="store_true", help="no HU measures of the tested people: a third faster")
    parser.add_argument("--until", choices=("scans", "trained", "page"), default="page")
    parser.add_argument("--package", type=Path, help="also copy both networks of both tasks there, with a card")
    parser.add_argument("--only-page", action="store_true", help="write the page of what is there, and make no more")
    told = parser.parse_args()
    return plainly(lambda: _all(told))


def _all(told: argparse.Namespace) -> None:
    places = Places(told.out, told.scale, told.only)
    if told.package is not None and (told.scale != 1 or told.until != "page" or told.only == IDLE):
        raise UsageError("only networks of the full size ship, with their errors", remedy="leave --package out")
    asked = Asked(epochs=told.epochs, workers=told.workers, resamples=told.resamples, lean=told.lean,
                  measured=not told.unmeasured)  # fmt: skip
    if not told.only_page:
        scanned(places, asked)
        if told.until == "scans":
            return
        learned(places, asked)
        if told.until == "trained":
            return
    variables = {
        "SCALE": "" if told.scale == 1 else f"{told.scale:g}", "ONLY": told.only,
        "EPOCHS": "" if told.epochs == Asked.epochs else told.epochs, "UNMEASURED": "1" if told.unmeasured else "",
    }  # fmt: skip
    command = " ".join(["make fractures", *(f"{name}={value}" for name, value in variables.items() if value)])
    page_at = told.page or Path("docs/results", "fractures_idle.md" if told.only == IDLE else "fractures.md")
    written(places, asked, page_at=page_at, pictures=told.pictures, command=command)
    if told.package is not None:
        package(places, told.package, command=command)


if __name__ == "__main__":
    sys.exit(main())
