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
