"""AUROC of risk scores by a horizon, such as two, three and five years, and of one score against another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.diagnosis.labels import in_words
from spineclock.stats.resample import Percentiles, person_percentiles
from spineclock.stats.result import interval_text, p_text, results
from spineclock.stats.survival.concordance import of_influence
from spineclock.stats.survival.follow_up import FEW, FollowUp, TimeTo, follow_up, within
from spineclock.stats.survival.timed import HORIZONS_WHY, Figure, RuledOut, Weights, horizons_known, timed_auroc


@dataclass(frozen=True)
class TimedAuroc:
    """Cumulative/dynamic AUROC of scores by each horizon, and the first score's minus each other's, paired.

    Those with the event by the horizon against those without, weighted for people lost before it. Intervals come from
    each row's influence, clustered by person, or with ``resamples`` from resampled people. Extra columns:
    ``horizon_years``, ``score``, ``against`` (empty, or the score it is compared with), ``cases`` and ``controls``
    (rows known to have, and not to have, the event by then), ``events``, ``competing``, ``people``, ``left_out``,
    ``se``, ``method``, ``warning``.

    Parameters
    ----------
    outcome
        Columns of the event's time and kind.
    scores
        Columns whose higher values mean a higher risk.
    horizons
        In years.
    ruled_out
        Whether those with a competing event by the horizon are controls or left out.
    resamples, seed
        Of the bootstrap by person; with 0 the intervals are by influence.

    Examples
    --------
    >>> table = pd.DataFrame({"person_id": range(5), "fracture_years": [1, 2, 3, 4, 5], "fracture": [1, 1, 0, 1, 0],
    ...                       "frax": [5, 3, 4, 2, 1]})
    >>> TimedAuroc(TimeTo("fracture"), ["frax"], [2.5])(table)["estimate"].round(4).tolist()
    [0.8333]
    """

    outcome: TimeTo
    scores: Sequence[str]
    horizons: Sequence[float] = (2.0, 3.0, 5.0)
    ruled_out: RuledOut = "controls"
    resamples: int = 0
    seed: int = 0
    person: str | None = "person_id"
    split: str = "split"
    rows: str | None = None

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """One row a horizon and score, then a comparison; p is of 0.5, or of no difference.

        Raises
        ------
        TableError
            If a column is missing, wrong or constant, or a time is negative.
        UsageError
            If a horizon lies outside follow-up, naming the allowed range.
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
        scores = kept.table[[*self.scores]].to_numpy(dtype=np.float64).T
        for name, values in zip(self.scores, scores, strict=True):
            if not np.ptp(values) > 0:
                raise TableError(f"{name} is the same in all {values.size} rows", wanted="a score that differs")
        horizons = within(self.horizons, horizons_known(kept.time, kept.event), why=HORIZONS_WHY)
        pairs = [(i, None) for i in range(len(scores))] + [(0, i) for i in range(1, len(scores))]
        ends = self._resampled(kept, scores, horizons, pairs)
        rows = []
        for h, horizon in enumerate(horizons):
            weights = Weights.at(kept.time, kept.cause, float(horizon))
            found = [timed_auroc(score, weights, ruled_out=self.ruled_out) for score in scores]
            for place, (one, other) in enumerate(pairs, start=h * len(pairs)):
                drawn = None if ends is None else (float(ends.low[place]), float(ends.high[place]))
                rows.append(self._row(kept, weights, found, (one, other), drawn))
        return results(rows)

    def _resampled(
        self, kept: FollowUp, scores: Floats, horizons: Floats, pairs: Sequence[tuple[int, int | None]]
    ) -> Percentiles | None:
        if not self.resamples:
            return None

        def figures(rows: npt.NDArray[np.int64]) -> Floats:
            out = []
            for horizon in horizons:
                try:
                    weights = Weights.at(kept.time[rows], kept.cause[rows], float(horizon))
                    values = [timed_auroc(s, weights, ruled_out=self.ruled_out).value for s in scores[:, rows]]
                except TableError:  # nobody with the event by then among those drawn
                    values = [np.nan] * len(scores)
                out += [values[one] - (0 if other is None else values[other]) for one, other in pairs]
            return np.array(out)

        rng = np.random.default_rng(self.seed)
        return person_percentiles(figures, kept.people, rng=rng, resamples=self.resamples)

    def _row(
        self,
        kept: FollowUp,
        weights: Weights,
        found: list[Figure],
        pair: tuple[int, int | None],
        drawn: tuple[float, float] | None,
    ) -> dict[str, Any]:
        one, other = pair
        name, than = self.scores[one], "" if other is None else self.scores[other]
        value, effect = found[one].value, found[one].influence
        if other is not None:
            value, effect = value - found[other].value, effect - found[other].influence
        limits = (0.0, 1.0) if other is None else (-1.0, 1.0)
        told = of_influence(value, effect, kept.people, null=0.5 if other is None else 0.0, limits=limits)
        low, high = drawn or (told.low, told.high)
        controls = weights.free + (weights.ruled_out if self.ruled_out == "controls" else 0)
        cases = int((weights.case > 0).sum())
        warning = f"only {cases} with the event by then" if cases < FEW else ""
        figure = interval_text(value, low, high, digits=3)
        by = f"{self.outcome.words} by {weights.horizon:g} years"
        if other is None:
            sentence = f"The AUROC of {in_words(name)} for {by} is {figure}; {p_text(told.p)} against chance"
        else:
            sentence = (
                f"For {by} the AUROC of {in_words(name)} ({found[one].value:.3f}) minus that of {in_words(than)} "
                f"({found[other].value:.3f}) is {figure}; {p_text(told.p)}"
            )
        sentence += f" ({cases:,} with it by then, {int((controls > 0).sum()):,} known to be without)."
        return {
            "term": name + ("" if other is None else f" − {than}") + f" at {weights.horizon:g} years",
            "estimate": value,
            "low": low,
            "high": high,
            "p": told.p,
            **kept.counts,
            "horizon_years": weights.horizon,
            "score": name,
            "against": than,
            "cases": cases,
            "controls": int((controls > 0).sum()),
            "se": told.standard_error,
            "method": f"{self.resamples} resamples of people" if drawn else "influence",
            "warning": warning,
            "sentence": sentence + (f" Caution: {warning}." if warning else ""),
        }
