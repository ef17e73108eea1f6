"""How many have had the event by when: Kaplan–Meier, and Aalen–Johansen where another event can come first.

Kaplan–Meier is the case without a competing event: its survival is 1 − incidence. Sources: Kaplan and Meier 1958;
Aalen and Johansen 1978; variances by the infinitesimal jackknife (Greenwood's, and Aalen's, where each row is another
person; Efron 1981), which clusters by person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from spineclock.core.errors import UsageError
from spineclock.stats.ages import Floats


@dataclass(frozen=True, eq=False)
class Incidence:
    """The share that has had the event by each time at which some follow-up ended."""

    times: Floats
    """(m,) rising."""
    at_risk: Floats
    """(m,) rows under observation just before."""
    events: Floats
    """(m,) with the event at that time."""
    others: Floats
    """(m,) with a competing event at that time."""
    incidence: Floats
    """(m,) of the event, by and including that time."""
    event_free: Floats
    """(m,) share without any event, competing ones too: Kaplan–Meier's survival where there are none."""
    standard_error: Floats
    """(m,) of the incidence, each row taken as another person."""

    def at(self, horizons: npt.ArrayLike) -> Floats:
        """The incidence by each horizon; the range is the caller's to check."""
        return step(self.times, self.incidence, horizons)

    def interval(self, coverage: float = 0.95) -> tuple[Floats, Floats]:
        """Lower and upper ends at each time, log(−log(1 − incidence)) being taken as normal."""
        return log_log_interval(self.incidence, self.standard_error, coverage=coverage)


def incidence(time: npt.ArrayLike, cause: npt.ArrayLike) -> Incidence:
    """The cumulative incidence of cause 1 with cause 2 competing and 0 censored; for yes/no causes Kaplan–Meier.

    Censored rows count as at risk at their last time. Shapes (n,).

    >>> found = incidence([1, 2, 2, 3, 4], [1, 0, 1, 2, 1])
    >>> found.incidence.round(4).tolist(), found.event_free.round(4).tolist()
    ([0.2, 0.4, 0.4, 0.7], [0.8, 0.6, 0.3, 0.0])
    """
    t, how = np.asarray(time, dtype=np.float64), np.asarray(cause).astype(np.int64)
    if t.ndim != 1 or t.shape != how.shape or not t.size:
        raise UsageError(f"times of shape {t.shape} and endings of shape {how.shape}", wanted="two columns alike")
    times, of = np.unique(t, return_inverse=True)
    own, other = (np.bincount(of[how == c], minlength=len(times)).astype(np.float64) for c in (1, 2))
    risk = t.size - np.concatenate([[0.0], np.cumsum(np.bincount(of, minlength=len(times)))[:-1]])
    free = np.cumprod(1 - (own + other) / risk)
    before = np.concatenate([[1.0], free[:-1]])
    found = np.minimum(np.cumsum(before * own / risk), 1.0)
    return Incidence(times, risk, own, other, found, free, _standard_error(risk, own, own + other, before, found))


def _standard_error(risk: Floats, own: Floats, every: Floats, before: Floats, found: Floats) -> Floats:
    """The root of the summed squares of :func:`influence`'s values at each time, in closed form.

    What a row adds at time u is a·(δ₁ − d₁/Y) − (F(t) − F(u))·(δ − d/Y)/(Y − d), with a = S(u−)/Y, and the additions
    of different times are uncorrelated.
    """
    a = before / risk
    left = risk - every
    single = np.cumsum(a**2 * own * (risk - own) / risk)
    cross = a * own / risk
    double = np.where(left > 0, every / (risk * np.where(left > 0, left, 1)), 0)
    both = found * np.cumsum(cross) - np.cumsum(cross * found)
    square = found**2 * np.cumsum(double) - 2 * found * np.cumsum(double * found) + np.cumsum(double * found**2)
    return np.asarray(np.sqrt(np.maximum(single - 2 * both + square, 0)))


def influence(time: npt.ArrayLike, cause: npt.ArrayLike, horizon: float) -> Floats:
    """(n,) what each row does to the incidence of cause 1 by a horizon: its derivative by the row's weight.

    Summed by person and squared they give the variance (infinitesimal jackknife). They sum to 0.

    >>> effect = influence([1, 2, 3, 4], [1, 0, 1, 1], 3)
    >>> bool(np.isclose(np.sqrt(np.square(effect).sum()), incidence([1, 2, 3, 4], [1, 0, 1, 1]).standard_error[2]))
    True
    """
    t, how = np.asarray(time, dtype=np.float64), np.asarray(cause).astype(np.int64)
    curve = incidence(t, how)
    by = np.searchsorted(curve.times, horizon, side="right")
    if not by:
        return np.zeros(t.size)
    risk, own = curve.at_risk[:by], curve.events[:by]
    every, left = own + curve.others[:by], curve.at_risk[:by] - own - curve.others[:by]
    a = np.concatenate([[1.0], curve.event_free[: by - 1]]) / risk
    b = np.where(left > 0, (curve.incidence[by - 1] - curve.incidence[:by]) / np.where(left > 0, left, 1), 0)
    # up to the row's own end, or the horizon, it is at risk at each time; at its own end it may have the event
    upto = np.minimum(np.searchsorted(curve.times, t), by - 1)
    ended = t <= curve.times[by - 1]
    gone = -np.cumsum(a * own / risk - b * every / risk)
    return np.asarray(gone[upto] + ended * ((how == 1) * a[upto] - (how > 0) * b[upto]))


class Summed(NamedTuple):
    """A variance clustered by person."""

    standard_error: float
    people: int


def clustered(effects: Floats, people: npt.NDArray[np.int64]) -> Summed:
    """The standard error from what each row does to a figure, rows of a person added up first.

    >>> clustered(np.array([0.3, 0.4]), np.array([0, 1])).standard_error
    0.5
    """
    each = np.bincount(people, weights=effects)
    return Summed(float(np.sqrt(np.square(each).sum())), len(np.unique(people)))


def step(times: Floats, values: Floats, at: npt.ArrayLike, *, before: bool = False, start: float = 0.0) -> Floats:
    """A right-continuous step function's values; just before each time where ``before``.

    >>> step(np.array([1.0, 2.0]), np.array([0.1, 0.3]), [0.5, 1, 2], before=True).tolist()
    [0.0, 0.0, 0.1]
    """
    padded = np.concatenate([[start], values])
    return np.asarray(padded[np.searchsorted(times, np.asarray(at), side="left" if before else "right")])


def log_log_interval(share: Floats, error: Floats, *, coverage: float = 0.95) -> tuple[Floats, Floats]:
    """The ends of an incidence's interval, log(−log(1 − incidence)) being taken as normal; NaN at 0 and 1."""
    f = np.asarray(share, dtype=np.float64)
    inside = (f > 0) & (f < 1)
    s = np.where(inside, 1 - f, 0.5)
    middle = np.log(-np.log(s))
    half = stats.norm.ppf(0.5 + coverage / 2) * error / (s * -np.log(s))
    low, high = (np.where(inside, -np.expm1(-np.exp(middle + side * half)), np.nan) for side in (-1, 1))
    return np.asarray(low), np.asarray(high)
