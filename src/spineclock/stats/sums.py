"""Bootstrap of statistics that are functions of sums over scans.

Mean errors, R² and correlations are such: a resample needs no data, only how often each person was drawn (with all
their scans), and is one row of a matrix product. It gives the intervals of :mod:`spineclock.stats.bootstrap`, for many
statistics of the same resamples, some hundred times sooner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats

_CELLS = 4_000_000


@dataclass(frozen=True, eq=False)
class Estimates:
    """Statistics with the ends of their bootstrap intervals, one each; NaN ends where no resample was drawn."""

    values: Floats
    low: Floats
    high: Floats
    people: int
    resamples: int


def bootstrap_sums(
    statistics: Callable[[Floats], Floats],
    terms: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    people: npt.ArrayLike | None = None,
    method: Literal["bca", "percentile"] = "bca",
    coverage: float = 0.95,
    resamples: int = 2000,
) -> Estimates:
    """Statistics of summed terms, with intervals from resampled people.

    Parameters
    ----------
    statistics : callable
        Sums of shape (…, k) → statistics of shape (…, m).
    terms : array-like, shape (n, k)
        What each scan adds to the sums.
    rng : numpy.random.Generator
        Source of randomness.
    people : array-like, shape (n,), optional
        Who each scan is of. Without it each is of another person.
    method : "bca" or "percentile"
        BCa (Efron 1987), its acceleration from leaving out each person in turn.
    coverage : float
        Confidence level.
    resamples : int
        Number of resamples; with 0 there are no intervals.

    Raises
    ------
    UsageError
        If ``people`` and ``terms`` differ in length.
    TableError
        If there are fewer than three people.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(5, 2, 400)
    >>> mean = bootstrap_sums(lambda s: s[..., :1] / s[..., 1:], np.c_[x, np.ones(400)], rng=np.random.default_rng(0))
    >>> ((mean.high - mean.low) / 2).round(1)  # 1.96 · 2/√400
    array([0.2])
    """
    each = _of_people(np.asarray(terms, dtype=np.float64), people)
    count, total = len(each), each.sum(axis=0)
    values = statistics(total)
    if resamples == 0:
        nothing = np.full(values.shape, np.nan)
        return Estimates(values, nothing, nothing, count, 0)
    drawn = np.concatenate([statistics(w @ each) for w in _weights(count, resamples, rng)])
    tails = np.array([(1 - coverage) / 2, (1 + coverage) / 2])
    levels = np.tile(tails, (len(values), 1))
    if method == "bca":
        levels = _bca_levels(drawn, values, statistics(total - each), tails)
    ends = np.array([np.quantile(d, at) for d, at in zip(drawn.T, levels, strict=True)])
    return Estimates(values, ends[:, 0], ends[:, 1], count, resamples)


def _of_people(terms: Floats, people: npt.ArrayLike | None) -> Floats:
    """Terms summed over the scans of each person."""
    if people is None:
        each = terms
    else:
        who = np.unique(np.asarray(people), return_inverse=True)[1].ravel()
        if len(who) != len(terms):
            raise UsageError(f"{len(who)} persons for {len(terms)} scans", wanted="one person a scan")
        each = np.zeros((int(who.max(initial=-1)) + 1, terms.shape[1]))
        np.add.at(each, who, terms)
    if len(each) < 3:
        raise TableError(f"{len(each)} people to resample", wanted="at least 3")
    return each


def _weights(count: int, resamples: int, rng: np.random.Generator) -> Iterator[Floats]:
    """How often each person is drawn in each resample, in batches that fit in memory."""
    size = max(1, _CELLS // count)
    for start in range(0, resamples, size):
        rows = min(size, resamples - start)
        drawn = rng.integers(count, size=(rows, count)) + count * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)


def _bca_levels(drawn: Floats, values: Floats, left_out: Floats, tails: Floats) -> Floats:
    """Which quantiles of the resamples are the ends, shape (m, 2) (Efron 1987)."""
    bias = ndtri(((drawn < values).mean(axis=0) + (drawn <= values).mean(axis=0)) / 2)[:, None]
    away = left_out.mean(axis=0) - left_out
    spread = np.square(away).sum(axis=0) ** 1.5
    skew = (np.power(away, 3).sum(axis=0) / np.where(spread > 0, 6 * spread, 1))[:, None]
    moved = bias + ndtri(tails)
    levels = ndtr(bias + moved / (1 - skew * moved))
    # a statistic that no resample reaches, or that does not vary, has no correction
    return np.asarray(np.where(np.isfinite(levels), levels, tails))
