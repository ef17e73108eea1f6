"""The truth of each effect, where people are simulated and their world's truths are on record."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd


@dataclass(frozen=True, eq=False)
class Truth:
    """What a study of simulated people should find, as projected from a million of them; empty for real people."""

    table: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"statistic": []}))
    """As :class:`spineclock.phantom.truths.Truths`."""

    def effects(self) -> dict[str, float]:
        """Years of gap by term, of the models without covariates."""
        return self._of("linear", "estimate", adjusted_for="")

    def odds(self) -> dict[str, float]:
        """Odds ratios of Figure 6 by condition."""
        return self._of("odds", "odds_ratio")

    def hazard_ratio(self, event: str, model: str) -> float:
        """Hazard ratio per SD of the measured gap; NaN where it is not known."""
        found = self._of("cox", "hazard_ratio", outcome=event, model=model, least_age_years=0.0)
        return found.get("gap_years", math.nan)

    def _of(self, statistic: str, value: str, **where: object) -> dict[str, float]:
        rows = self.table[self.table["statistic"] == statistic]
        for name, wanted in where.items():
            rows = rows[rows[name] == wanted] if name in rows else rows.head(0)
        return dict(zip(rows["of"], rows[value].astype(float), strict=True)) if len(rows) else {}


def truth_of(cohort: Path) -> Truth:
    """The truths of a phantom's folder; empty for real people, and for worlds whose truths were not projected."""
    from spineclock.core.errors import UsageError
    from spineclock.phantom.parameters import load
    from spineclock.phantom.truths import stored_truths

    try:
        told = json.loads((cohort / "phantom.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return Truth()
    try:
        return Truth(stored_truths(load(str(told.get("world", "default")))).table)
    except UsageError:  # of other parameters than the projected ones
        return Truth()
