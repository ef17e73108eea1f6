"""The odds ratio of a fourfold table: exact where its counts are small, by its logarithm where they are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from spineclock.core.errors import UsageError
from spineclock.stats.ages import Floats

_FARTHEST = 60.0
"""Logarithm of the largest odds ratio looked for."""


@dataclass(frozen=True)
class Fourfold:
    """Counts with and without a condition in two groups."""

    with_first: int
    without_first: int
    with_second: int
    without_second: int

    def __post_init__(self) -> None:
        if min(self.cells) < 0:
            raise UsageError(f"the counts {self.cells}", wanted="0 or more")

    @property
    def cells(self) -> tuple[int, int, int, int]:
        """With and without in the first group, with and without in the second."""
        return self.with_first, self.without_first, self.with_second, self.without_second


@dataclass(frozen=True)
class OddsRatio:
    """The odds of a condition in the first group over those in the second, with 95% interval and p of no difference."""

    ratio: float
    low: float
    high: float
    p: float
    method: str


def wald_odds_ratio(table: Fourfold, *, coverage: float = 0.95) -> OddsRatio:
    """The sample odds ratio, its interval and p from the normal distribution of its logarithm (Woolf).

    >>> found = wald_odds_ratio(Fourfold(20, 80, 10, 90))
    >>> found.ratio, round(found.low, 3), round(found.high, 3), round(found.p, 4)
    (2.25, 0.994, 5.092, 0.0516)

    Raises
    ------
    UsageError
        If a count is 0, which leaves no such ratio.
    """
    if min(table.cells) == 0:
        raise UsageError(f"the counts {table.cells}", wanted="none of 0", remedy="use the exact odds ratio")
    a, b, c, d = table.cells
    log, error = float(np.log(a * d / (b * c))), float(np.sqrt(1 / a + 1 / b + 1 / c + 1 / d))
    half = float(stats.norm.ppf(0.5 + coverage / 2)) * error
    p = float(2 * stats.norm.sf(abs(log) / error))
    return OddsRatio(float(np.exp(log)), float(np.exp(log - half)), float(np.exp(log + half)), p, "logarithm (Wald)")


def exact_odds_ratio(
    table: Fourfold, *, interval: Literal["exact", "mid-p"] = "exact", coverage: float = 0.95
) -> OddsRatio:
    """The conditional maximum-likelihood odds ratio with Fisher's p, and an interval that needs no large counts.

    Given both margins the first count has Fisher's noncentral hypergeometric distribution. "exact" is what R's
    fisher.test gives: an interval of at least the coverage (Cornfield's, by inverted one-sided tests) and the sum of
    the probabilities no larger than the observed one. "mid-p" counts half of the observed one, in p (twice the
    smaller side) too: nearer to its coverage, not below it by much (Berry and Armitage 1995).

    >>> found = exact_odds_ratio(Fourfold(3, 1, 1, 3))  # Fisher's tea taster
    >>> round(found.ratio, 4), round(found.low, 4), round(found.high, 2), round(found.p, 4)
    (6.4083, 0.2117, 626.24, 0.4857)
    """
    a, b, c, d = table.cells
    low, high = max(0, a - d), min(a + b, a + c)
    if low == high:  # a margin of 0: the table cannot tell
        return OddsRatio(np.nan, 0.0, np.inf, 1.0, "no information")
    counts = np.arange(low, high + 1)
    logs = _log_choose(a + b, counts) + _log_choose(c + d, a + c - counts)
    own, alpha, half = a - low, (1 - coverage) / 2, interval == "mid-p"

    def chances(log_ratio: float) -> Floats:
        weighed = logs + counts * log_ratio
        return np.asarray(np.exp(weighed - special.logsumexp(weighed)))

    def upper(log_ratio: float) -> float:
        p = chances(log_ratio)
        return float(p[own:].sum() - (p[own] / 2 if half else 0))

    def lower(log_ratio: float) -> float:
        p = chances(log_ratio)
        return float(p[: own + 1].sum() - (p[own] / 2 if half else 0))

    middle = _root(lambda x: float(chances(x) @ counts) - a) if low < a < high else (-np.inf if a == low else np.inf)
    least = -np.inf if a == low else _root(lambda x: upper(x) - alpha)
    most = np.inf if a == high else _root(lambda x: alpha - lower(x))
    even = chances(0.0)
    if half:
        p = min(1.0, 2 * min(upper(0.0), lower(0.0)))
    else:
        p = min(1.0, float(even[even <= even[own] * (1 + 1e-7)].sum()))  # R's tolerance for ties
    name = "mid-p" if half else "exact (Fisher)"
    return OddsRatio(float(np.exp(middle)), float(np.exp(least)), float(np.exp(most)), p, name)


def _log_choose(n: int, k: npt.NDArray[np.int64]) -> Floats:
    return np.asarray(special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1))


def _root(rising: Callable[[float], float]) -> float:
    return float(optimize.brentq(rising, -_FARTHEST, _FARTHEST, xtol=1e-13, rtol=1e-14, maxiter=500))
