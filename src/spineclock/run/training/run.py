"""What a training run was, and what came of it, whatever it learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from spineclock.core.outcomes import Outcome
from spineclock.ingest.study_table import simulated
from spineclock.prep.cropping import Cropping
from spineclock.prep.ct_cropping import CtCropping
from spineclock.prep.film import FilmPreparation
from spineclock.prep.masking import Part
from spineclock.prep.store import PreparedStore
from spineclock.run.training.held import part_read
from spineclock.run.training.sets import Sets
from spineclock.run.training.settings import TrainSettings


@dataclass(frozen=True, eq=False)
class Run:
    """What a run was, beside its network."""

    recipe: str
    outcome: Outcome
    cohort: Path
    settings: TrainSettings
    sets: Sets
    store: PreparedStore
    begun: datetime
    device: str
    asked: dict[str, Any]

    @property
    def name(self) -> str:
        """Of the model, such as ``mri-age-table2-whole-85`` or ``mri-osteoporosis-crop_small-T1w-300``."""
        learned = self.sets.of("train")
        what = self.sets.sequence or self.settings.part
        if isinstance(self.store.how, CtCropping):
            what = f"{self.settings.inputs}-{self.settings.tasks}"
        return f"{self.recipe}-{self.settings.network}-{what}-{len(learned)}"

    @property
    def statement(self) -> str:
        """What must be said beside each of its answers."""
        learned = self.sets.of("train")
        youngest, oldest = learned["age_years"].min(), learned["age_years"].max()
        whose = "simulated scans, of no real person" if simulated(self.cohort) else "scans"
        people = learned["person_id"].nunique()
        ages = "" if pd.isna(youngest) else f", ages {youngest:.0f} to {oldest:.0f}"
        return (f"Research model: trained on {len(learned):,} {whose} ({people:,} people{ages}). "
                "Not a medical device; not for decisions about a patient.")  # fmt: skip

    @property
    def part(self) -> Part:
        """Which part of the prepared scans the network reads."""
        return part_read(self.store, self.settings)

    @property
    def preparation(self) -> dict[str, Any]:
        """How the network's input is prepared; of whole scans, for its part of the spine."""
        how = self.store.how
        if isinstance(how, CtCropping) and self.part == "bone":
            how = replace(how, parts="bone")
        if isinstance(how, FilmPreparation | Cropping | CtCropping):
            return how.as_dict()
        return {**asdict(how), "part": self.settings.part}


@dataclass(frozen=True)
class Made:
    """A network's weights: the hash of their file, and a sentence on what they began from."""

    sha256: str
    start: str


@dataclass(frozen=True, eq=False)
class Results:
    """What a run's folder holds of what was learned.

    Attributes
    ----------
    about : mapping
        ``network.json``: what a reader of the weights needs to know.
    tables : mapping of name to DataFrame
        The ``.csv`` files.
    pictures : mapping of name to PNG
    card : str
        ``MODEL_CARD.md``.
    caution : str
        What could not be fitted, and why; empty where all could.
    lines : tuple of str
        What is said at the terminal.
    """

    about: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame]
    pictures: Mapping[str, bytes]
    card: str
    caution: str = ""
    lines: tuple[str, ...] = field(default=())
