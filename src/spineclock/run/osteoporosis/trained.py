"""Recipe three's trainings on simulated people, what they say of the tested ones, and T1 and T2 together."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from spineclock.core.errors import SpineclockError
from spineclock.run.osteoporosis.people import RECIPE, SEQUENCES, People, Places
from spineclock.run.training.sets import LABEL

SHARES = {"train_share": 0.8, "validation_share": 0.19}
"""Those learned from are tested elsewhere; a run asks that somebody be left for its own test."""
BACKBONES = ("crop_small", "crop_efficientnet_b4", "crop_resnet50", "crop_inception_resnet_v2")
"""The publication's three beside the one that ships; the last needs the extra ``timm``."""
BACKBONE_SCANS, BACKBONE_EPOCHS = 600, 6
"""What each of them learns from at the most, and how often: equal and small."""
TEXT = {"person_id": str, "scan_id": str}


def comparable() -> tuple[str, ...]:
    """The networks to compare: those whose packages are installed."""
    return tuple(name for name in BACKBONES if name != "crop_inception_resnet_v2" or find_spec("timm"))


def trained(places: Places, people: People, sequence: str, *, epochs: int, threads: int | None = None) -> Path:
    """The run of a weighting; the second one's people are split as the first one's.

    Raises
    ------
    SpineclockError
        If the training ends with another status than done.
    """
    first = places.run(SEQUENCES[0])
    split = {} if sequence == SEQUENCES[0] else {"split": first / "split.csv"}
    return _train(places, people, places.run(sequence), sequence, threads, {"max_epochs": epochs, **SHARES, **split})


def compared(places: Places, people: People, network: str, *, scans: int, epochs: int,
             threads: int | None = None) -> Path:  # fmt: skip
    """A short training of a network on T1w, each on the same scans, as often as the others."""
    asked = {
        "network": network, "split": places.run(SEQUENCES[0]) / "split.csv", "train_scans": scans, "max_epochs": epochs,
        "stop_patience": epochs,
    }  # fmt: skip
    return _train(places, people, places.backbone(network), SEQUENCES[0], threads, asked)


def _train(
    places: Places, people: People, out: Path, sequence: str, threads: int | None, flags: dict[str, object]
) -> Path:
    from spineclock.run.config import configure
    from spineclock.run.defaults import train_defaults
    from spineclock.run.training.command import train
    from spineclock.run.training.settings import TrainSettings

    told = configure(TrainSettings, defaults=train_defaults(RECIPE), flags={
        "store": places.store(people, sequence), "sequence": sequence, "resume": True, **flags,
        **({} if threads is None else {"threads": threads}),
    }).settings  # fmt: skip
    if train(RECIPE, places.cohort(people), told, out=out):
        raise SpineclockError(f"{out} was not trained", remedy="call it again")
    return out


def said(places: Places, run: Path, people: People, sequence: str, out: Path) -> pd.DataFrame:
    """What a run says of some people's scans: the rows of its evaluation, which is made where it is not there."""
    from spineclock.run.training.evaluation import PAGE, evaluate
    from spineclock.run.training.settings import EvaluateSettings

    if not (out / PAGE).is_file():
        settings = EvaluateSettings(store=places.store(people, sequence), resamples=0)
        evaluate(run, places.cohort(people), settings, out=out)
    return pd.read_csv(out / "predictions.csv", dtype=TEXT)


def together(places: Places, people: People) -> pd.DataFrame:
    """Probabilities and calls of some tested people by T1w and T2w together, joined as validation people say."""
    from spineclock.run.training.fusion import fused

    tables = []
    for sequence in SEQUENCES:
        own = pd.read_csv(places.run(sequence) / "predictions.csv", dtype=TEXT)
        tested = said(places, places.run(sequence), people, sequence, places.evaluation(people, sequence))
        tables.append(pd.concat([own[own["set"] == "validation"], tested.assign(set="test")], ignore_index=True))
    found = fused(*tables).table
    kept = found[found["set"] == "test"].dropna(subset=["probability_first", "probability_second"])
    return kept.assign(**{LABEL: kept[LABEL].astype(int)}).reset_index(drop=True)


def vertebrae(places: Places, people: People, sequence: str) -> pd.DataFrame:
    """What was said of each vertebra of some tested people."""
    return pd.read_csv(places.evaluation(people, sequence) / "vertebrae.csv", dtype=TEXT)
