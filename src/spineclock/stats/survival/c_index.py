"""Harrell's and Uno's c of each risk score, and of one score against another on the same people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.diagnosis.labels import in_words
from spineclock.stats.resample import Percentiles, person_percentiles
from spineclock.stats.result import interval_text, p_text, results
from spineclock.stats.survival.concordance import Concordance, concordance, of_influence
from spineclock.stats.survival.follow_up import FollowUp, Range, TimeTo, follow_up, within

Kind = Literal["harrell", "uno"]
_NAMES = {"harrell": "Harrell's c", "uno": "Uno's c"}


@dataclass(frozen=True)
class CIndex:
    """Harrell's and Uno's c of risk scores, and the first score's c minus each other's, paired.

    All scores are judged on the same rows. Intervals come from each row's influence, clustered by person; they hold
    what the estimation of Uno's censoring weights adds. Extra columns: ``kind``, ``score``, ``against`` (empty, or the
    score it is compared with), ``horizon_years``, ``pairs`` (comparable ones), ``events``, ``competing``, ``people``,
    ``left_out``, ``se``, ``method``, ``warning``.

    Parameters
    ----------
    outcome
        Columns of the event's time and kind. People who end with a competing event never have the event.
    scores
        Columns whose higher values mean an earlier event.
    kinds
        "harrell", "uno" or both.
    horizon
        Only events before it count; by default all. Uno's c with heavy censoring needs one.
    resamples, seed
        Of the bootstrap by person; with 0 the intervals are by influence.

    Examples
    --------
    >>> table = pd.DataFrame({"person_id": range(5), "fracture_years": [1, 2, 3, 4, 5], "fracture": [1, 1, 0, 1, 0],
    ...                       "frax": [5, 3, 4, 2, 1]})
    >>> CIndex(TimeTo("fracture"), ["frax"])(table)["estimate"].round(4).tolist()
    [0.875, 0.8919]
    """

    outcome: TimeTo
    scores: Sequence[str]
    kinds: Sequence[Kind] = ("harrell", "uno")
    horizon: float | None = None
    resamples: int = 0
    seed: int = 0
    person: str | None = "person_id"
    split: str = "split"
    rows: str | None = None

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """One row a kind and score, then one a kind and comparison; p is of 0.5, or of no difference.

        Raises
        ------
        TableError
            If a column is missing, wrong or constant, a time is negative, or there is no comparable pair.
        UsageError
            If the horizon lies outside follow-up, naming the allowed range.
        """
        if not self.scores:
            raise UsageError("no score", wanted="at least one column")
        kept = follow_up(
            table,
            self.outcome,
            numbers=self.scores,
            person=self.person,
            split=self.split,
            rows=self.rows,
            at_least=2,
        )
        for name in self.scores:
            if kept.table[name].nunique() < 2:
                raise TableError(f"{name} is the same in all {kept.time.size} rows", wanted="a score that differs")
        if self.horizon is not None:
            first = float(kept.time[kept.event].min())
            within(
                [self.horizon], Range(first, float(kept.time.max())), why="from the first event to the last follow-up"
            )
        told = [(kind, name, "") for kind in self.kinds for name in self.scores]
        told += [(kind, self.scores[0], other) for kind in self.kinds for other in self.scores[1:]]
        everyone = np.arange(kept.time.size)
        found = {kind: {name: self._of(kept, name, kind, everyone) for name in self.scores} for kind in self.kinds}
        ends = self._resampled(kept, told)
        rows = []
        for i, (kind, name, other) in enumerate(told):
            drawn = None if ends is None else (float(ends.low[i]), float(ends.high[i]))
            rows.append(self._row(kept, (kind, name, other), found[kind], drawn))
        return results(rows)

    def _of(self, kept: FollowUp, name: str, kind: Kind, rows: npt.NDArray[np.int64]) -> Concordance:
        score = kept.table[name].to_numpy(dtype=np.float64)[rows]
        return concordance(score, kept.time[rows], kept.cause[rows], weights=kind, horizon=self.horizon)

    def _resampled(self, kept: FollowUp, told: Sequence[tuple[Kind, str, str]]) -> Percentiles | None:
        if not self.resamples:
            return None

        def figures(rows: npt.NDArray[np.int64]) -> Floats:
            try:
                value = {(kind, s): self._of(kept, s, kind, rows).value for kind in self.kinds for s in self.scores}
            except TableError:  # no comparable pair among those drawn
                return np.full(len(told), np.nan)
            return np.array([value[kind, s] - (value[kind, other] if other else 0) for kind, s, other in told])

        rng = np.random.default_rng(self.seed)
        return person_percentiles(figures, kept.people, rng=rng, resamples=self.resamples)

    def _row(
        self,
        kept: FollowUp,
        which: tuple[Kind, str, str],
        found: dict[str, Concordance],
        drawn: tuple[float, float] | None,
    ) -> dict[str, Any]:
        kind, name, other = which
        own = found[name]
        value, effect = own.value, own.influence
        if other:
            value, effect = value - found[other].value, effect - found[other].influence
        limits = (-1.0, 1.0) if other else (0.0, 1.0)
        told = of_influence(value, effect, kept.people, null=0.0 if other else 0.5, limits=limits)
        low, high = drawn or (told.low, told.high)
        until = f" before {self.horizon:g} years" if self.horizon is not None else ""
        figure = interval_text(value, low, high, digits=3)
        if other:
            sentence = (
                f"{_NAMES[kind]} of {in_words(name)} ({own.value:.3f}) minus that of {in_words(other)} "
                f"({found[other].value:.3f}) for {self.outcome.words}{until} is {figure}; {p_text(told.p)}."
            )
        else:
            sentence = (
                f"{_NAMES[kind]} of {in_words(name)} for {self.outcome.words}{until} is {figure}: of two people, one "
                f"with the event first, how often that one had the higher score "
                f"({kept.counts['events']:,} events in {kept.counts['n']:,} rows; {p_text(told.p)} against chance)."
            )
        return {
            "term": f"{_NAMES[kind]}, {name}" + (f" − {other}" if other else ""),
            "estimate": value,
            "low": low,
            "high": high,
            "p": told.p,
            **kept.counts,
            "kind": kind,
            "score": name,
            "against": other,
            "horizon_years": np.nan if self.horizon is None else self.horizon,
            "pairs": own.pairs if kind == "harrell" else np.nan,
            "se": told.standard_error,
            "method": f"{self.resamples} resamples of people" if drawn else "influence",
            "warning": kept.warning,
            "sentence": sentence + (f" Caution: {kept.warning}." if kept.warning else ""),
        }
