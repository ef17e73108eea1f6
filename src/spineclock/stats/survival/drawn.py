"""Figures of predictions for many draws of the same rows at once.

A draw needs no copy of the rows, only how often each counts, so that every figure of a thousand draws is a few products
of matrices. They give what :mod:`~spineclock.stats.survival.concordance` and :mod:`~spineclock.stats.survival.timed`
give for the rows repeated, with the censoring weights estimated again in each draw.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from spineclock.core.errors import TableError
from spineclock.stats.ages import Floats
from spineclock.stats.survival.timed import RuledOut

Ints = npt.NDArray[np.int64]
_CELLS = 2_000_000
"""Values a matrix may hold at once."""


def person_draws(people: Ints, *, rng: np.random.Generator, resamples: int) -> Iterator[Floats]:
    """How often each row counts in each draw of people with all their rows, (b, n), in batches that sum to resamples.

    >>> found = np.concatenate([*person_draws(np.array([0, 0, 1, 2]), rng=np.random.default_rng(0), resamples=5)])
    >>> found.shape, bool((found[:, 0] == found[:, 1]).all()), np.unique(found[:, 1:].sum(axis=1)).tolist()
    ((5, 4), True, [3.0])

    Raises
    ------
    TableError
        If there are fewer than three people.
    """
    who = np.unique(people, return_inverse=True)[1].ravel()
    count = int(who.max(initial=-1)) + 1
    if count < 3:
        raise TableError(f"{count} people to resample", wanted="at least 3")
    size = max(1, _CELLS // max(1, len(who)))
    for start in range(0, resamples, size):
        b = min(size, resamples - start)
        drawn = rng.integers(count, size=(b, count)) + count * np.arange(b)[:, None]
        often = np.bincount(drawn.ravel(), minlength=b * count).reshape(b, count)
        yield often[:, who].astype(np.float64)


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of follow-up, with what about them is the same in every draw."""

    time: Floats
    """(n,)."""
    cause: Ints
    """(n,) 0 censored, 1 event, 2 competing."""

    @cached_property
    def order(self) -> Ints:
        """By time, censorings after the other endings of their time."""
        return np.lexsort((self.cause == 0, self.time))

    @cached_property
    def lost(self) -> tuple[Floats, Ints, Ints]:
        """Times at which some were censored, and the first and one after the last of these places in the order."""
        t, out = self.time[self.order], self.cause[self.order] == 0
        at = np.flatnonzero(out)
        times, first, counts = np.unique(t[at], return_index=True, return_counts=True)
        return times, at[first], at[first] + counts


@dataclass(frozen=True, eq=False)
class Drawn:
    """Rows with how often each counts in each of b draws."""

    rows: Rows
    often: Floats
    """(b, n)."""

    @cached_property
    def _censoring(self) -> Floats:
        """(b, m + 1) the censoring survival from before the first censoring on, after each of its times."""
        _, first, end = self.rows.lost
        summed = np.cumsum(self.often[:, self.rows.order], axis=1)
        summed = np.concatenate([np.zeros((len(summed), 1)), summed], axis=1)
        risk = summed[:, -1:] - summed[:, first]
        stays = 1 - (summed[:, end] - summed[:, first]) / np.where(risk > 0, risk, 1)
        return np.concatenate([np.ones((len(summed), 1)), np.cumprod(stays, axis=1)], axis=1)

    @cached_property
    def before(self) -> Floats:
        """(b, n) G just before each row's time; 1 where the row is not drawn and nobody is left."""
        found = self._censoring[:, np.searchsorted(self.rows.lost[0], self.rows.time, side="left")]
        return np.where(found > 0, found, 1)

    def after(self, horizon: float) -> Floats:
        """(b,) G at a horizon."""
        return np.asarray(self._censoring[:, np.searchsorted(self.rows.lost[0], horizon, side="right")])

    def at(self, horizon: float) -> Weighted:
        """The weights at a horizon, as :class:`~spineclock.stats.survival.timed.Weights` has them for the rows."""
        by = self.rows.time <= horizon
        g = self.after(horizon)[:, None]
        known = np.where(by, self.often / self.before, 0)
        free = np.where(by, 0, self.often / np.where(g > 0, g, 1))
        return Weighted(known * (self.rows.cause == 1), free, known * (self.rows.cause == 2), self.often)

    def concordances(
        self, scores: Floats, *, kinds: tuple[str, ...] = ("harrell", "uno"), horizon: float | None = None
    ) -> Floats:
        """(b, kinds, scores) the c of each score, (k, n); NaN in draws without a comparable pair."""
        t, how = self.rows.time, self.rows.cause
        event = np.flatnonzero((how == 1) & (t < (np.inf if horizon is None else horizon)))
        gone, everyone = np.flatnonzero(how == 2), np.arange(t.size)
        found = np.zeros((len(kinds), 1 + len(scores), len(self.often)))  # pairs in all, then those in the right order
        size = max(1, _CELLS // max(1, t.size))
        for start in range(0, len(event), size):
            some = event[start : start + size]
            later = (t > t[some, None]) | ((t == t[some, None]) & ~np.isin(everyone, event))
            ruled_out = t[gone] < t[some, None]
            for i in range(1 + len(scores)):
                right: Floats | float = 1.0 if not i else _above(scores[i - 1], some)
                out: Floats | float = 1.0 if not i else _above(scores[i - 1], some, gone)
                for j, kind in enumerate(kinds):
                    found[j, i] += self._paired(kind, some, (later * right, everyone), (ruled_out * out, gone))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((found[:, 1:] / found[:, :1]).transpose(2, 0, 1))

    def _paired(self, kind: str, some: Ints, later: tuple[Any, Ints], ruled_out: tuple[Any, Ints]) -> Floats:
        """(b,) pairs of some with the event and those followed for longer, or ruled out before, weighted and summed."""
        uno = kind == "uno"
        own = 1 / self.before[:, some] if uno else 1.0
        total = np.zeros(len(self.often))
        for (pairs, others), power in ((later, 2), (ruled_out, 1)):
            if not len(others):
                continue
            weight = self.often[:, others]
            if uno and power == 1:  # 1/G of either; of those followed for longer 1/G² of the one with the event
                weight = weight / self.before[:, others]
            met = weight.astype(np.float32) @ np.asarray(pairs, dtype=np.float32).T  # b events
            total += (self.often[:, some] * own**power * met).sum(axis=1)
        return total


@dataclass(frozen=True, eq=False)
class Weighted:
    """Rows whose state at a horizon is known, weighted for those lost before it; (b, n) each."""

    case: Floats
    free: Floats
    ruled_out: Floats
    often: Floats

    @property
    def incidence(self) -> Floats:
        """(b,) of the event by the horizon, Aalen and Johansen's."""
        return np.asarray(self.case.sum(axis=1) / self.often.sum(axis=1))

    def auroc(self, score: Floats, *, ruled_out: RuledOut = "controls") -> Floats:
        """(b,) the cumulative/dynamic AUROC; NaN in draws without cases or controls."""
        control = self.free + self.ruled_out if ruled_out == "controls" else self.free
        order = np.argsort(score, kind="stable")
        x = score[order]
        below = np.concatenate([np.zeros((len(control), 1)), np.cumsum(control[:, order], axis=1)], axis=1)
        cases = np.flatnonzero(self.case.any(axis=0))
        first, end = (np.searchsorted(x, score[cases], side=side) for side in ("left", "right"))
        right = (self.case[:, cases] * (below[:, first] + below[:, end])).sum(axis=1) / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(right / (self.case.sum(axis=1) * below[:, -1]))

    def brier(self, risk: Floats) -> Floats:
        """(b,) the Brier score of predicted risks."""
        wrong = self.case @ np.square(1 - risk) + (self.free + self.ruled_out) @ np.square(risk)
        return np.asarray(wrong / self.often.sum(axis=1))

    def scaled_brier(self, risk: Floats) -> Floats:
        """(b,) 1 − the Brier score over that of giving everyone the incidence; NaN where that is 0 or 1."""
        f = self.incidence
        base = f * (1 - f)
        return np.where(base > 1e-12, 1 - self.brier(risk) / np.where(base > 1e-12, base, 1), np.nan)

    def observed_over_expected(self, risk: Floats) -> Floats:
        """(b,) the incidence over the mean predicted risk."""
        return np.asarray(self.incidence * self.often.sum(axis=1) / (self.often @ risk))


def _above(score: Floats, some: Ints, others: Ints | None = None) -> Floats:
    """(some, others) 1 where one scores higher than the other, ½ where equal."""
    own = score[some, None]
    other = score if others is None else score[others]
    return np.asarray((own > other) + 0.5 * (own == other), dtype=np.float32)
