"""Percentile intervals of several figures at once, from the same resampled people."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spineclock.core.errors import TableError
from spineclock.stats.ages import Floats


class Percentiles(NamedTuple):
    """Ends of the 95% intervals, (k,), and how many resamples had each figure, (k,)."""

    low: Floats
    high: Floats
    resamples: npt.NDArray[np.int64]


def person_percentiles(
    figures: Callable[[npt.NDArray[np.int64]], Floats],
    people: npt.NDArray[np.int64],
    *,
    rng: np.random.Generator,
    resamples: int = 1000,
    coverage: float = 0.95,
) -> Percentiles:
    """The intervals of what ``figures`` gives (k,) for the places of some rows, people being drawn with all their rows.

    A figure may be NaN where a resample has no event by a horizon; that resample is left out of its interval.

    >>> x = np.arange(100.0)
    >>> mean = lambda rows: x[rows].mean(keepdims=True)
    >>> found = person_percentiles(mean, np.arange(100), rng=np.random.default_rng(0))
    >>> bool(abs(found.high[0] - found.low[0] - 2 * 1.96 * 2.89) < 1)
    True
    """
    order = np.argsort(people, kind="stable")
    starts = np.flatnonzero(np.diff(people[order], prepend=-1))
    count = len(starts)
    if count < 3:
        raise TableError(f"{count} people to resample", wanted="at least 3")
    rows_of = [order[a:b] for a, b in itertools.pairwise([*starts, len(order)])]
    one_each = count == len(order)
    drawn = []
    for _ in range(resamples):
        who = rng.integers(count, size=count)
        drawn.append(figures(order[who] if one_each else np.concatenate([rows_of[i] for i in who])))
    found = np.array(drawn)
    told = np.isfinite(found).sum(axis=0)
    tails = [(1 - coverage) / 2, (1 + coverage) / 2]
    ends = np.full((2, found.shape[1]), np.nan)
    some = told > 0
    ends[:, some] = np.nanquantile(found[:, some], tails, axis=0)
    return Percentiles(ends[0], ends[1], told)


class Spread(NamedTuple):
    """Percentile intervals of 95% and 90% of a figure, its standard error, and how many draws had it."""

    low: float
    high: float
    low_90: float
    high_90: float
    error: float
    draws: int


def spread_of(drawn: Floats) -> Spread:
    """The spread of the draws that have the figure; NaN ends where fewer than two have.

    >>> spread_of(np.append(np.arange(101.0), np.nan))[:4]
    (2.5, 97.5, 5.0, 95.0)
    """
    own = drawn[np.isfinite(drawn)]
    if own.size < 2:
        return Spread(np.nan, np.nan, np.nan, np.nan, np.nan, own.size)
    low, high, low_90, high_90 = (float(q) for q in np.quantile(own, [0.025, 0.975, 0.05, 0.95]))
    return Spread(low, high, low_90, high_90, float(own.std(ddof=1)), own.size)


def two_sided(gains: Floats) -> float:
    """p of no difference: twice the share of draws on the rarer side of 0, never below what their number can tell.

    >>> two_sided(np.array([0.1, 0.2, -0.1, 0.3, 0.2, 0.1, 0.4, 0.2, 0.1]))
    0.4
    """
    own = gains[np.isfinite(gains)]
    fewer = min(int((own <= 0).sum()), int((own >= 0).sum()))
    return min(1.0, 2 * (fewer + 1) / (own.size + 1)) if own.size else np.nan


def one_sided(gains: Floats, margin: float) -> float:
    """p of two one-sided tests of equivalence: the larger share of draws at or beyond either end of the margin.

    >>> one_sided(np.array([0.001, 0.002, -0.001, 0.02]), 0.01)
    0.4
    """
    own = gains[np.isfinite(gains)]
    beyond = max(int((own <= -margin).sum()), int((own >= margin).sum()))
    return (beyond + 1) / (own.size + 1) if own.size else np.nan
