"""The trainings of recipe four on simulated people, and what their networks say of the tested ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from spineclock.core.errors import SpineclockError
from spineclock.run.fractures.compared import of_world
from spineclock.run.fractures.people import RECIPE, TRAINED_SHARE, VALIDATION_SHARE, People, Places, Variant
from spineclock.run.training import folder

SHARES = {"train_share": TRAINED_SHARE, "validation_share": VALIDATION_SHARE}


def learned_by(places: Places, variant: Variant) -> People:
    """Those that a training learns from."""
    return next(people for people in places.learned if people.world == variant.world)


def trained(places: Places, variant: Variant, *, epochs: int, batch_size: int | None = None) -> Path:
    """A training's folder, as far as it is not done; stopped, it goes on.

    Raises
    ------
    SpineclockError
        If the training ends with another status than done.
    """
    from spineclock.run.config import configure
    from spineclock.run.defaults import train_defaults
    from spineclock.run.training.command import train
    from spineclock.run.training.settings import TrainSettings

    out, people = places.run(variant), learned_by(places, variant)
    told = configure(TrainSettings, defaults=train_defaults(RECIPE), flags={
        "store": places.store(people), "inputs": variant.inputs, "tasks": variant.tasks, "max_epochs": epochs,
        "seed": variant.seed, "resume": True, "detect": "vertebrae", **SHARES,
        **({} if batch_size is None else {"batch_size": batch_size}),
    }).settings  # fmt: skip
    if train(RECIPE, places.cohort(people), told, out=out):
        raise SpineclockError(f"{out} was not trained", remedy="call it again")
    return out


def evaluated(places: Places, variant: Variant, people: People) -> Path:
    """The folder of what a network says of some people, as far as it is not there."""
    from spineclock.run.training.evaluation import PAGE, evaluate
    from spineclock.run.training.settings import EvaluateSettings

    out = places.evaluation(people, variant)
    if not (out / PAGE).is_file():
        evaluate(places.run(variant), places.cohort(people),
                 EvaluateSettings(store=places.store(people), resamples=0), out=out)  # fmt: skip
    return out


def finished(places: Places) -> Iterator[Variant]:
    """The trainings that are done."""
    for world in dict.fromkeys(people.world for people in places.learned):
        for variant in of_world(world):
            if (places.run(variant) / folder.DONE).is_file():
                yield variant


def said(places: Places, people: People) -> dict[Variant, pd.DataFrame]:
    """What each finished network of the people's world has been found to say of them.

    Columns: scan_id, ``risk_2_years`` and on, ``fracture`` (the probability that one is there), as far as it tells.
    """
    from spineclock.run.training.evaluation import PAGE

    found = {}
    for variant in finished(places):
        folder_ = places.evaluation(people, variant)
        if variant.world == people.learned and (folder_ / PAGE).is_file():
            rows = pd.read_csv(folder_ / "predictions.csv", dtype={"scan_id": str})
            rows = rows.rename(columns={"probability": "fracture"})
            kept = [name for name in rows if name in ("scan_id", "fracture") or str(name).startswith("risk_")]
            found[variant] = rows[kept]
    return found
