"""Harrell's and Uno's c: how often the one who has the event first was given the higher risk.

Sources: Harrell, Lee and Mark 1996; Uno, Cai, Pencina, D'Agostino and Wei, Statistics in Medicine 2011. Variances by
the infinitesimal jackknife, with the estimation of the censoring weights in it, clustered by person.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.survival.censoring import Censoring
from spineclock.stats.survival.counting import Ints, sums_below


@dataclass(frozen=True, eq=False)
class Concordance:
    """The share of comparable pairs in the right order, equal scores counting half."""

    value: float
    concordant: float
    """Sum over pairs (weighted for Uno's c)."""
    discordant: float
    tied: float
    """With equal scores."""
    influence: Floats
    """(n,) what each row does to the value."""

    @property
    def pairs(self) -> float:
        """All comparable pairs."""
        return self.concordant + self.discordant + self.tied

    def standard_error(self, people: npt.NDArray[np.int64] | None = None) -> float:
        """Of the value, each row another person's or clustered."""
        return _standard_error(self.influence, people)


def concordance(
    score: npt.ArrayLike,
    time: npt.ArrayLike,
    cause: npt.ArrayLike,
    *,
    weights: str = "harrell",
    horizon: float | None = None,
) -> Concordance:
    """The concordance of a score, whose higher values should mean earlier events, with follow-up.

    A pair is comparable where the one with the event (cause 1) has it before the other's time, or at the other's
    censoring. Those who end with a competing event (cause 2) never have it: they stay in the comparison for ever
    (Wolbers 2014), and are comparable with all who have the event.

    Parameters
    ----------
    score, time, cause : array-like, shape (n,)
        Causes: 0 censored, 1 event, 2 competing.
    weights : "harrell" or "uno"
        All pairs alike, which depends on who was lost when; or by 1/G(T−)², which does not.
    horizon : float, optional
        Only events before it count.

    Raises
    ------
    TableError
        If there is no comparable pair.

    Examples
    --------
    >>> found = concordance([5, 4, 3, 2, 1], [1, 2, 3, 4, 5], [1, 1, 0, 1, 0])
    >>> found.value, found.pairs
    (1.0, 8.0)
    """
    x, t, how = np.asarray(score, dtype=np.float64), np.asarray(time, dtype=np.float64), np.asarray(cause)
    if not x.shape == t.shape == how.shape or x.ndim != 1:
        raise UsageError(f"scores, times and endings of shapes {x.shape}, {t.shape}, {how.shape}", wanted="one length")
    if weights not in ("harrell", "uno"):
        raise UsageError(f"the weights {weights!r}", wanted="harrell or uno")
    event = (how == 1) & (t < (np.inf if horizon is None else horizon))
    censoring = Censoring.fit(t, how)
    g = censoring.before(t) if weights == "uno" else np.ones(t.size)
    later, gone = _pairs(x, t, event, np.where(event, 1 / g, 0.0), np.where(how == 2, 1 / g, 0.0))
    total = later.total + gone.total
    if total <= 0:
        raise TableError(
            f"{int(event.sum())} events in {t.size} rows, no pair of whom one had the event first",
            wanted="some",
            remedy="follow more people, or for longer",
        )
    value = float((later.own_half + gone.own_half).sum() / total)
    owns, others = zip(later.excess(value), gone.excess(value), strict=True)
    effect = (owns[0] + owns[1] + others[0] + others[1]) / total
    if weights == "uno":  # 1/G² in the one kind of pair, 1/G of each of the two rows in the other
        slopes = 2 * owns[0] + owns[1] + others[1]
        effect = effect + censoring.influence(t, slopes / total)
    right, wrong = (float(a + b) for a, b in zip(later.ordered, gone.ordered, strict=True))
    return Concordance(value, right, wrong, float(total) - right - wrong, effect)


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Weighted pairs of one kind, by row: as the one with the event (own), and as the one compared with it (other)."""

    own_half: Floats
    """Right ones and half of those with equal scores."""
    own_all: Floats
    other_half: Floats
    other_all: Floats
    ordered: tuple[float, float]
    """All in the right order, and in the wrong one."""

    @property
    def total(self) -> float:
        return float(self.own_all.sum())

    def excess(self, value: float) -> tuple[Floats, Floats]:
        """How far each row's pairs are above ``value`` in all, as own and as other."""
        return self.own_half - value * self.own_all, self.other_half - value * self.other_all


def _pairs(
    score: Floats,
    time: Floats,
    event: npt.NDArray[np.bool_],
    of_event: Floats,
    of_ruled_out: Floats,
) -> tuple[_Pairs, _Pairs]:
    """Pairs with a row followed for longer than the one with the event, and with one that cannot have it any more."""
    rank = np.unique(score, return_inverse=True)[1].ravel()
    order = np.lexsort((~event, time))  # events before other endings of that time
    back = np.argsort(order)
    t, happened, r = time[order], event[order], rank[order]
    new = np.concatenate([[True], np.diff(t) != 0])
    starts = np.flatnonzero(new)[np.cumsum(new) - 1]
    stops = np.append(np.flatnonzero(new)[1:], len(t))[np.cumsum(new) - 1]
    counted = np.concatenate([[0], np.cumsum(happened)])
    after = starts + counted[stops] - counted[starts]  # the first place after the events of this time
    none, last = np.zeros(len(t), dtype=np.int64), np.full(len(t), len(t))
    w, v = of_event[order], of_ruled_out[order]
    later = _sides(r, (w**2, np.ones(len(t))), (after, last), (none, np.where(happened, starts, after)), back)
    gone = _sides(r, (w, v), (none, starts), (stops, last), back)
    return later, gone


def _sides(
    rank: Ints, weights: tuple[Floats, Floats], others: tuple[Ints, Ints], events: tuple[Ints, Ints], back: Ints
) -> _Pairs:
    """The pairs of each row with the ``others`` at places (from, to) as event, and with the ``events`` as other."""
    own, other = weights

    def among(weight: Floats, places: tuple[Ints, Ints]) -> tuple[Floats, Floats, Floats]:
        summed = np.concatenate([[0.0], np.cumsum(weight)])
        below, not_above = (sums_below(rank, weight, *places, at) for at in (rank, rank + 1))
        return below, not_above - below, summed[places[1]] - summed[places[0]]

    lower, tied, every = among(other, others)
    under, same, before = among(own, events)
    right, wrong = float(own @ lower), float(own @ (every - lower - tied))
    higher = before - under - same / 2
    return _Pairs(
        (own * (lower + tied / 2))[back],
        (own * every)[back],
        (other * higher)[back],
        (other * before)[back],
        (right, wrong),
    )


@dataclass(frozen=True)
class Compared:
    """A figure with its 95% interval and p."""

    value: float
    low: float
    high: float
    p: float
    standard_error: float


def of_influence(
    value: float, effect: Floats, people: npt.NDArray[np.int64], *, null: float, limits: tuple[float, float] = (0, 1)
) -> Compared:
    """A figure with the interval from what each row does to it, and p of its being ``null``; NaN without spread.

    >>> found = of_influence(0.7, np.array([0.05, -0.05]), np.array([0, 1]), null=0.5)
    >>> round(found.low, 3), round(found.p, 4)
    (0.561, 0.0047)
    """
    error = _standard_error(effect, people)
    if error < 1e-12:
        return Compared(value, np.nan, np.nan, np.nan, error)
    half = float(stats.norm.ppf(0.975)) * error
    low, high = max(limits[0], value - half), min(limits[1], value + half)
    return Compared(value, low, high, float(2 * stats.norm.sf(abs(value - null) / error)), error)


def _standard_error(effect: Floats, people: npt.NDArray[np.int64] | None) -> float:
    each = effect if people is None else np.bincount(people, weights=effect)
    return float(np.sqrt(np.square(each).sum()))
