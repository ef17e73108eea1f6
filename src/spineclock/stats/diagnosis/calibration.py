"""Whether a probability of disease is the share of people who have it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from spineclock.core.errors import UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.diagnosis.labels import Bools, in_words, labelled, probabilities
from spineclock.stats.diagnosis.logistic import LogisticFit, logistic
from spineclock.stats.diagnosis.operating import proportion
from spineclock.stats.result import interval_text, number, p_text, results

_SUREST = 1e-9
"""Probabilities nearer to 0 or 1 are taken as this near where their logarithm is asked for."""


class Mean(NamedTuple):
    """A mean over rows with its standard error clustered by person."""

    value: float
    standard_error: float

    @property
    def interval(self) -> tuple[float, float]:
        """95%, from the normal distribution."""
        half = float(stats.norm.ppf(0.975)) * self.standard_error
        return self.value - half, self.value + half


def clustered_mean(values: npt.ArrayLike, people: npt.ArrayLike | None = None) -> Mean:
    """The mean over rows, with the standard error of a draw of people.

    >>> clustered_mean([1.0, 3, 5, 7])
    Mean(value=4.0, standard_error=1.2909944487358056)
    """
    x = np.asarray(values, dtype=np.float64)
    who = np.arange(x.size) if people is None else np.unique(np.asarray(people), return_inverse=True)[1].ravel()
    count, mean = int(who.max()) + 1, float(x.mean())
    if count < 2:
        return Mean(mean, np.nan)
    each = np.bincount(who, weights=x - mean)
    return Mean(mean, float(np.sqrt(count / (count - 1) * np.square(each).sum()) / x.size))


@dataclass(frozen=True, eq=False)
class Recalibration:
    """Logistic models of the disease on the logit of its probability."""

    slope: LogisticFit
    """Intercept and slope; 0 and 1 where the probabilities are right, a slope below 1 where they are too extreme."""
    in_the_large: LogisticFit
    """Intercept with the slope held at 1; 0 where the mean is right (on the logit scale)."""


def recalibration(probability: Floats, positive: Bools, *, people: npt.ArrayLike | None = None) -> Recalibration:
    """Cox's (1958) calibration slope and intercept, and calibration in the large.

    >>> p = np.repeat([0.2, 0.8], 5)
    >>> fit = recalibration(p, np.array([1, 0, 0, 0, 0, 1, 1, 1, 1, 0], dtype=bool))  # just right
    >>> bool(np.allclose(fit.slope.coefficients, [0, 1]))
    True
    """
    who = np.arange(len(positive)) if people is None else people
    held = np.clip(probability, _SUREST, 1 - _SUREST)
    logit, one = np.log(held / (1 - held)), np.ones(len(positive))
    y = positive.astype(np.float64)
    return Recalibration(
        logistic(np.column_stack([one, logit]), y, people=who),
        logistic(one[:, None], y, offset=logit, people=who),
    )


class Bins(NamedTuple):
    """Rows sorted by probability and cut into groups of about equal size; equal probabilities stay together."""

    of: npt.NDArray[np.int64]
    """(n,) the group of each row, 0 upwards."""
    groups: int


def equal_bins(probability: Floats, bins: int) -> Bins:
    """The groups of :class:`Bins`: at most ``bins``, fewer where many probabilities are equal.

    >>> equal_bins(np.array([0.1, 0.1, 0.1, 0.5, 0.9, 0.7]), 3).of.tolist()
    [0, 0, 0, 1, 2, 2]
    """
    if bins < 1:
        raise UsageError(f"{bins} groups", wanted="at least 1")
    rank = stats.rankdata(probability, method="average")
    own = np.ceil(rank * bins / len(probability) - 1e-9).astype(np.int64) - 1
    found, of = np.unique(own, return_inverse=True)
    return Bins(of.ravel(), len(found))


def expected_calibration_error(probability: Floats, positive: Bools, *, bins: int = 10) -> float:
    """The mean over rows of |observed share − mean probability| of their group of :func:`equal_bins`.

    It is above 0 by chance alone, the more so the fewer rows a group has.

    >>> ill = np.array([1, 0, 0, 0, 0, 1, 1, 1, 0, 0], dtype=bool)
    >>> expected_calibration_error(np.repeat([0.2, 0.8], 5), ill, bins=2)
    0.1
    """
    grouped = equal_bins(probability, bins)
    return float(np.abs(np.bincount(grouped.of, weights=positive - probability)).sum().round(15) / len(positive))


@dataclass(frozen=True)
class ProbabilityCalibration:
    """Calibration in the large, slope and intercept, observed over expected, Brier score and calibration error.

    Rows: ``observed − expected`` (difference of shares), ``calibration in the large``, ``intercept`` and ``slope`` of
    the logistic recalibration, ``Brier score``, ``scaled Brier score`` (1 − Brier over that of the prevalence),
    ``expected calibration error``. Intervals are clustered by person; p is of perfect calibration. Extra columns:
    ``positives``, ``negatives``, ``people``, ``left_out``, ``se``, ``warning``.

    Examples
    --------
    >>> table = pd.DataFrame({"person_id": range(10), "ill": [1, 0, 0, 0, 0, 1, 1, 1, 1, 0]})
    >>> table["p"] = [0.2] * 5 + [0.8] * 5
    >>> found = ProbabilityCalibration("ill", "p")(table).set_index("term")
    >>> found.loc[["slope", "Brier score"], "estimate"].round(6).tolist()
    [1.0, 0.16]
    """

    event: str
    probability: str
    bins: int = 10
    person: str | None = "person_id"
    split: str = "split"
    rows: str | None = None

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """One row a measure.

        Raises
        ------
        TableError
            If a column is missing, a probability is none, or all are the same, or they separate the groups completely.
        """
        kept = labelled(table, self.event, [self.probability], person=self.person, split=self.split, rows=self.rows)
        probabilities(kept.scores, [self.probability])
        p, y, who = kept.scores[0], kept.positive, kept.people
        fit = recalibration(p, y, people=who)
        extreme = int(((p < _SUREST) | (p > 1 - _SUREST)).sum())
        warning = "; ".join(
            [*([kept.warning] if kept.warning else []), *([f"{extreme} probabilities of 0 or 1"] if extreme else [])]
        )
        what, ill = in_words(self.probability), in_words(self.event)
        away = clustered_mean(y - p, who)
        slope_b, slope_se = fit.slope.coefficients, fit.slope.standard_errors
        large_b, large_se = fit.in_the_large.coefficients, fit.in_the_large.standard_errors
        rows = [
            _row("observed − expected", away.value, away.standard_error, 0.0)
            | {
                "sentence": f"{ill.capitalize()} is found in {y.mean():.1%} where {what} says {p.mean():.1%} on average"
            },
            _row("calibration in the large", large_b[0], large_se[0], 0.0)
            | {"sentence": f"The odds are {np.exp(large_b[0]):.2f} times what {what} says"},
            _row("intercept", slope_b[0], slope_se[0], 0.0)
            | {"sentence": f"The logistic recalibration of {what} has the intercept {number(slope_b[0])}"},
            _row("slope", slope_b[1], slope_se[1], 1.0)
            | {"sentence": f"The calibration slope of {what} is {number(slope_b[1])}: {_extreme(slope_b[1])}"},
            *self._brier(p, y, who),
            {
                "term": "expected calibration error",
                "estimate": expected_calibration_error(p, y, bins=self.bins),
                "sentence": f"Over {equal_bins(p, self.bins).groups} groups of equal size {what} is off by this share "
                "on average; some of it is chance, and no interval is given",
            },
        ]
        for row in rows:
            row |= {**kept.counts, "warning": warning}
            row["sentence"] = _finished(row)
        return results(rows)

    def _brier(self, p: Floats, y: Bools, who: npt.NDArray[np.int64]) -> list[dict[str, Any]]:
        error = np.square(y - p)
        found = clustered_mean(error, who)
        share = float(y.mean())
        base = share * (1 - share)
        # 1 − B/B₀ with B₀ the prevalence's own: its derivative by each row
        ratio = found.value / base
        moved = (error - found.value - ratio * (1 - 2 * share) * (y - share)) / base
        scaled = clustered_mean(moved, who).standard_error
        return [
            _row("Brier score", found.value, found.standard_error, np.nan)
            | {"sentence": f"The mean squared error of {in_words(self.probability)} (Brier score; 0 is perfect)"},
            _row("scaled Brier score", 1 - ratio, scaled, np.nan)
            | {"sentence": "That is this share better than giving everyone the prevalence"},
        ]


@dataclass(frozen=True)
class CalibrationCurve:
    """The observed share of disease in groups of rising probability, with exact 95% intervals.

    Extra columns: ``expected`` (the group's mean probability), ``lowest`` and ``highest`` of its probabilities,
    ``positives``, ``people``, ``left_out``.

    >>> table = pd.DataFrame({"person_id": range(10), "ill": [1, 0, 0, 0, 0, 1, 1, 1, 1, 0]})
    >>> table["p"] = [0.2] * 5 + [0.8] * 5
    >>> CalibrationCurve("ill", "p", bins=2)(table)[["expected", "estimate"]].round(6).to_numpy().tolist()
    [[0.2, 0.2], [0.8, 0.8]]
    """

    event: str
    probability: str
    bins: int = 10
    person: str | None = "person_id"
    split: str = "split"
    rows: str | None = None

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """One row a group.

        Raises
        ------
        TableError
            If a column is missing, a probability is none, or too few rows have, or have not, the disease.
        """
        kept = labelled(
            table, self.event, [self.probability], person=self.person, split=self.split, rows=self.rows, varied=False
        )
        probabilities(kept.scores, [self.probability])
        p, grouped = kept.scores[0], equal_bins(kept.scores[0], self.bins)
        rows = []
        for group in range(grouped.groups):
            own = grouped.of == group
            found = proportion(kept.positive[own], people=kept.people[own])
            expected = float(p[own].mean())
            rows.append(
                {
                    "term": f"{in_words(self.event)}, group {group + 1} of {grouped.groups}",
                    "estimate": found.value,
                    "low": found.low,
                    "high": found.high,
                    "n": found.n,
                    "expected": expected,
                    "lowest": float(p[own].min()),
                    "highest": float(p[own].max()),
                    "positives": int(kept.positive[own].sum()),
                    "people": len(np.unique(kept.people[own])),
                    "left_out": kept.left_out,
                    "sentence": f"Where {in_words(self.probability)} is {expected:.1%} on average, {found.value:.1%} "
                    f"have {in_words(self.event)} (95% CI {found.low:.1%} to {found.high:.1%}; {found.n:,} rows).",
                }
            )
        return results(rows)


def _row(term: str, value: float, error: float, null: float) -> dict[str, Any]:
    half = float(stats.norm.ppf(0.975)) * error
    p = float(2 * stats.norm.sf(abs(value - null) / error)) if error > 0 else np.nan
    value = float(value)
    return {"term": term, "estimate": value, "low": value - half, "high": value + half, "p": p, "se": float(error)}


def _extreme(slope: float) -> str:
    if abs(slope - 1) < 0.05:
        return "as spread out as it should be"
    return "too extreme, as of a model fitted too closely" if slope < 1 else "not extreme enough"


def _finished(row: dict[str, Any]) -> str:
    if "low" not in row:
        return f"{row['sentence']}: {number(row['estimate'], 3)}."
    p = f"; {p_text(row['p'])} of perfect calibration" if np.isfinite(row["p"]) else ""
    text = f"{row['sentence']}: {interval_text(row['estimate'], row['low'], row['high'], digits=3)}{p}."
    return text + (f" Caution: {row['warning']}." if row["warning"] else "")
