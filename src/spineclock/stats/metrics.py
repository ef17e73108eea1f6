"""How close predicted ages are to chronological ones.

Each function takes scans along the last axis and gives one number for each leading index, so that a bootstrap can
hand it thousands of resamples at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spineclock.core.brackets import BRACKETS, bracket
from spineclock.stats.ages import paired

Result = Any
"""float for one set of scans, an array of floats for many."""


def mae(predicted: npt.ArrayLike, age: npt.ArrayLike) -> Result:
    """Mean absolute error, in years.

    >>> float(mae([52, 61], [50, 65]))
    3.0
    """
    p, y = paired(predicted, age)
    return np.abs(p - y).mean(axis=-1)


def rmse(predicted: npt.ArrayLike, age: npt.ArrayLike) -> Result:
    """Root of the mean squared error, in years.

    >>> float(rmse([51, 57], [50, 50]))
    5.0
    """
    p, y = paired(predicted, age)
    return np.sqrt(np.square(p - y).mean(axis=-1))


def r2(predicted: npt.ArrayLike, age: npt.ArrayLike) -> Result:
    """Coefficient of determination, 1 − SSE/SST: negative where the mean age would have been a better guess.

    It is not the square of :func:`pearson_r`. NaN where everyone has the same age.

    >>> float(r2([50, 60, 70], [50, 60, 70])), float(r2([70, 60, 50], [50, 60, 70]))
    (1.0, -3.0)
    """
    p, y = paired(predicted, age, at_least=2)
    around = np.square(y - y.mean(axis=-1, keepdims=True)).sum(axis=-1)
    return 1 - _ratio(np.square(p - y).sum(axis=-1), around)


def pearson_r(predicted: npt.ArrayLike, age: npt.ArrayLike) -> Result:
    """Pearson's correlation of predicted and chronological age; NaN where either does not vary.

    >>> round(float(pearson_r([55, 60, 65], [50, 60, 70])), 12)
    1.0
    """
    p, y = paired(predicted, age, at_least=2)
    p, y = p - p.mean(axis=-1, keepdims=True), y - y.mean(axis=-1, keepdims=True)
    return _ratio((p * y).sum(axis=-1), np.sqrt(np.square(p).sum(axis=-1) * np.square(y).sum(axis=-1)))


def wmae(predicted: npt.ArrayLike, age: npt.ArrayLike) -> Result:
    """Mean over the six ten-year brackets of the bracket's mean absolute error, in years.

    So that the few old and young count as much as the many between. A bracket without anyone is left out of the
    mean (see :attr:`Accuracy.brackets` for who was there), people outside 25–84 count in none; NaN where none is left.

    >>> float(wmae([30, 31, 60], [30, 30, 70]))  # (0 + 1) / 2 in bracket 30, 10 in bracket 70
    5.25
    """
    p, y = paired(predicted, age)
    error, name = np.abs(p - y), bracket(y)
    means = np.stack([_ratio(np.where(name == b, error, 0).sum(axis=-1), (name == b).sum(axis=-1)) for b in BRACKETS])
    held = np.isfinite(means)
    return _ratio(np.where(held, means, 0).sum(axis=0), held.sum(axis=0))


@dataclass(frozen=True)
class Bracket:
    """One ten-year bracket: its name, scans in it and their mean absolute error in years (NaN where none)."""

    name: int
    n: int
    mae_years: float


@dataclass(frozen=True)
class Accuracy:
    """The figures of merit of an age model on one set of scans."""

    n: int
    mae_years: float
    rmse_years: float
    wmae_years: float
    r2: float
    """1 − SSE/SST; can be negative."""
    r: float
    """Pearson's correlation."""
    mean_gap_years: float
    """Predicted minus chronological age, on average."""
    brackets: tuple[Bracket, ...]


def accuracy(predicted: npt.ArrayLike, age: npt.ArrayLike) -> Accuracy:
    """All figures of merit of one set of scans, bracket by bracket too.

    >>> a = accuracy([31, 44, 68], [30, 42, 65])
    >>> a.mae_years, a.wmae_years, [b.n for b in a.brackets]
    (2.0, 2.0, [1, 1, 0, 0, 1, 0])
    """
    p, y = paired(predicted, age, at_least=2)
    error, name = np.abs(p - y), bracket(y)
    each = tuple(
        Bracket(b, int((name == b).sum()), float(_ratio(error[name == b].sum(), (name == b).sum()))) for b in BRACKETS
    )
    return Accuracy(
        len(y),
        float(mae(p, y)),
        float(rmse(p, y)),
        float(wmae(p, y)),
        float(r2(p, y)),
        float(pearson_r(p, y)),
        float((p - y).mean()),
        each,
    )


def _ratio(above: Result, below: Result) -> Result:
    """Quotient, NaN where the divisor is 0."""
    below = np.asarray(below, dtype=np.float64)
    return np.where(below > 0, above / np.where(below > 0, below, 1), np.nan)[()]
