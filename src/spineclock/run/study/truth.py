"""The truth of each effect, where people are simulated and their world's truths are on record."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd


@dataclass(frozen=True, eq=False)
class Truth:
    """What a study of simulated people should find, as projected from a million of them; empty for real people."""

    table: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"statistic": []}))
    """As :class:`spineclock.phantom.truths.Truths`."""
    gaps: pd.Series[float] = field(default_factory=lambda: pd.Series(dtype=float))
    """True gap in years by ``scan_id``, where the phantom's folder tells it."""
    as_projected: bool = True
    """Whether the ages studied are those of the phantom's stated noise model, as the projected ones are. Of a network's
    ages, whose error is another, what stands on the measured gap alone (bands of it, its ratios) has no truth."""

    def effects(self, adjusted_for: str = "") -> dict[str, float]:
        """Years of gap by term, of the models with these covariates, such as "age_years, sex, site"."""
        return self._of("linear", "estimate", adjusted_for=adjusted_for)

    def odds(self) -> dict[str, float]:
        """Odds ratios of Figure 6 by condition."""
        return self._of("odds", "odds_ratio") if self.as_projected else {}

    def hazard_ratio(self, event: str, model: str, *, gap: str = "gap_years", per_years: float | None = None) -> float:
        """Hazard ratio of an event in a Cox model; NaN where it is not known.

        Parameters
        ----------
        gap : "gap_years" or "true_gap_years"
            The measured gap, or the true one.
        per_years : float, optional
            Of how many years of that gap, such as a study's own SD; the SD of everybody where not given. Of the true
            gap they are true years, not those of a network that shrinks gaps or stretches them.
        """
        if gap == "gap_years" and not self.as_projected:
            return math.nan
        where = {"outcome": event, "model": model, "least_age_years": 0.0}
        if per_years is None:
            return self._of("cox", "hazard_ratio", **where).get(gap, math.nan)
        log_ratio, sd = (self._of("cox", value, **where).get(gap, math.nan) for value in ("estimate", "sd_years"))
        return math.exp(log_ratio / sd * per_years)

    def _of(self, statistic: str, value: str, **where: object) -> dict[str, float]:
        rows = self.table[self.table["statistic"] == statistic]
        for name, wanted in where.items():
            rows = rows[rows[name] == wanted] if name in rows else rows.head(0)
        known = len(rows) > 0 and value in rows
        return dict(zip(rows["of"], rows[value].astype(float), strict=True)) if known else {}


def truth_of(cohort: Path, scans: pd.DataFrame | None = None) -> Truth:
    """The truths of a phantom's folder; empty for real people, without effects for worlds that were not projected.

    Parameters
    ----------
    cohort : path
        The people's table or folder.
    scans : DataFrame, optional
        ``scan_id`` and ``predicted_age_years``, to tell a network's ages from those of the phantom's noise model.
    """
    from spineclock.core.errors import UsageError
    from spineclock.phantom.parameters import load
    from spineclock.phantom.truths import stored_truths

    try:
        told = json.loads((cohort / "phantom.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return Truth()
    gaps = _column(cohort / "truth.csv", "true_gap_years")
    stated = scans is None or _are(scans, _column(cohort / "predictions.csv", "predicted_age_years"))
    try:
        return Truth(stored_truths(load(str(told.get("world", "default")))).table, gaps, stated)
    except UsageError:  # of other parameters than the projected ones
        return Truth(gaps=gaps, as_projected=stated)


def _column(path: Path, name: str) -> pd.Series[float]:
    """A column by ``scan_id``; empty where there is no such file."""
    if not path.is_file():
        return pd.Series(dtype=float)
    return pd.read_csv(path, usecols=["scan_id", name], dtype={"scan_id": str}).set_index("scan_id")[name]


def _are(scans: pd.DataFrame, stated: pd.Series[float]) -> bool:
    return bool(np.allclose(scans["predicted_age_years"], scans["scan_id"].map(stated), atol=1e-3))
