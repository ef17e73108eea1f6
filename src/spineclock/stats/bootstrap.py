"""Confidence intervals of any statistic by resampling people.

The resampling, the percentiles and BCa are SciPy's; what is added is that *people* are drawn, with all their scans,
because two scans of a person are not two observations.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from spineclock.core.errors import TableError, UsageError
from spineclock.stats import metrics

Method = Literal["percentile", "bca"]
Statistic = Callable[..., Any]
"""Columns with scans along the last axis → one number for each leading index, as in :mod:`spineclock.stats.metrics`."""

_CELLS = 4_000_000
"""Values held at once by a batch of resamples: 32 MB a column."""


@dataclass(frozen=True)
class Estimate:
    """A statistic with its bootstrap confidence interval."""

    value: float
    low: float
    high: float
    coverage: float
    method: Method
    people: int
    resamples: int


def bootstrap(
    statistic: Statistic,
    *columns: npt.ArrayLike,
    rng: np.random.Generator,
    people: npt.ArrayLike | None = None,
    method: Method = "bca",
    coverage: float = 0.95,
    resamples: int = 2000,
) -> Estimate:
    """A statistic of some columns with a confidence interval from resampled people.

    Parameters
    ----------
    statistic : callable
        Takes the columns, scans along the last axis; see :mod:`spineclock.stats.metrics`. A function that only takes
        one set of scans will do where some people have several scans.
    *columns : array-like, shape (n,)
        For example predicted and chronological ages; their rows are drawn together.
    rng : numpy.random.Generator
        Source of randomness.
    people : array-like, shape (n,), optional
        Who each row is of. Without it each row is another person.
    method : "bca" or "percentile"
        BCa corrects for bias and skewness (Efron 1987). The percentile interval is the choice where the statistic
        is not smooth in the data, such as a median.
    coverage : float
        Confidence level.
    resamples : int
        Number of resamples.

    Raises
    ------
    UsageError
        If the columns differ in length.
    TableError
        If there are fewer than three people.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> age = rng.uniform(25, 85, 200)
    >>> e = bootstrap(metrics.mae, age + rng.normal(0, 5, 200), age, rng=rng)
    >>> e.low < e.value < e.high, e.people
    (True, 200)
    """
    rows = [np.asarray(c) for c in columns]
    who = np.arange(len(rows[0])) if people is None else np.unique(np.asarray(people), return_inverse=True)[1].ravel()
    if any(r.shape != who.shape for r in rows):
        raise UsageError(
            f"columns of shapes {[r.shape for r in rows]} for {len(who)} rows", wanted="columns of one length"
        )
    count = int(who.max()) + 1 if len(who) else 0
    if count < 3:
        raise TableError(f"{count} people to resample", wanted="at least 3")
    value = float(statistic(*rows))
    order = np.argsort(who, kind="stable")
    one_each = len(who) == count
    starts = np.searchsorted(who[order], np.arange(count + 1))
    scans_of = [order[a:b] for a, b in itertools.pairwise(starts)]

    def of_people(drawn: npt.NDArray[np.int64], axis: int = -1) -> Any:
        if one_each:
            return statistic(*(r[order][drawn] for r in rows))
        picked = np.concatenate([scans_of[i] for i in drawn])
        return statistic(*(r[picked] for r in rows))

    found = stats.bootstrap(
        (np.arange(count),),
        of_people,
        vectorized=one_each,
        n_resamples=resamples,
        rng=rng,
        confidence_level=coverage,
        batch=max(1, _CELLS // count),
        method="BCa" if method == "bca" else "percentile",
    )
    low, high = found.confidence_interval
    return Estimate(value, float(low), float(high), coverage, method, count, resamples)


def paired_difference(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    age: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    statistic: Statistic = metrics.mae,
    people: npt.ArrayLike | None = None,
    method: Method = "bca",
    resamples: int = 2000,
) -> Estimate:
    """How much larger a statistic is for predictor ``a`` than for ``b`` on the same people, with 95% interval.

    Each resample scores both predictors on the same people, so that what makes some people hard for both cancels.
    For errors a negative difference speaks for ``a``.

    >>> rng = np.random.default_rng(0)
    >>> age = rng.uniform(25, 85, 300)
    >>> sharp, blunt = age + rng.normal(0, 3, 300), age + rng.normal(0, 9, 300)
    >>> paired_difference(sharp, blunt, age, rng=rng).high < 0
    True
    """

    def difference(a: Any, b: Any, age: Any) -> Any:
        return statistic(a, age) - statistic(b, age)

    return bootstrap(difference, a, b, age, rng=rng, people=people, method=method, resamples=resamples)
