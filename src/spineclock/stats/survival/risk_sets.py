"""The sums over those at risk that Cox's likelihood and its derivatives are made of, for all events at once.

Each event is a term of its own: of d events at a time the l-th (from 0) takes l/d of those events out of the risk set
(Efron), or nothing (Breslow).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats

Ints = npt.NDArray[np.int64]


class AtEvents(NamedTuple):
    """At each of m events, with some coefficients."""

    weight: Floats
    """(n,) each row's hazard over the baseline, in the order of the sets, times a constant."""
    total: Floats
    """(m,) summed over those at risk."""
    mean: Floats
    """(m, k) the columns' mean over those at risk, by hazard."""
    shift: float
    """Logarithm of that constant, with the minus sign."""


@dataclass(frozen=True, eq=False)
class RiskSets:
    """Rows ordered by stratum and time, and where each event's risk set lies."""

    design: Floats
    """(n, k) about the columns' means, ordered, as are the next three."""
    time: Floats
    event: npt.NDArray[np.bool_]
    stratum: Ints
    order: Ints
    """(n,) the place each had in the table."""
    first: Ints
    """(m,) of each event the first row at risk, and"""
    end: Ints
    """(m,) the row after the last."""
    tie: Ints
    """(m,) a number for the time (and stratum) of each event."""
    share: Floats
    """(m,) of the tied events that is taken out."""
    upto: tuple[Ints, Ints]
    """(n,) each row is at risk at the events from one place to another."""

    @classmethod
    def of(
        cls,
        design: npt.ArrayLike,
        time: npt.ArrayLike,
        event: npt.ArrayLike,
        *,
        strata: npt.ArrayLike | None = None,
        efron: bool = True,
    ) -> RiskSets:
        """The sets of some rows; shapes (n, k), (n,), (n,), (n,)."""
        x, t, e = np.asarray(design, dtype=np.float64), np.asarray(time, dtype=np.float64), np.asarray(event) == 1
        if x.ndim != 2 or not x.shape[0] == len(t) == len(e) or not x.size:
            raise UsageError(f"a design of shape {x.shape}, times of {t.shape}, events of {e.shape}", wanted="n rows")
        if not (np.isfinite(x).all() and np.isfinite(t).all() and (t >= 0).all()):
            raise TableError("a missing or infinite value, or a negative time", wanted="numbers, and times from 0")
        s = np.zeros(len(t), dtype=np.int64)
        if strata is not None:
            s = np.unique(np.asarray(strata), return_inverse=True)[1].ravel()
        order = np.lexsort((~e, t, s))
        x, t, e, s = x[order] - x.mean(axis=0), t[order], e[order], s[order]
        new = np.concatenate([[True], (np.diff(t) != 0) | (np.diff(s) != 0)])
        start = np.flatnonzero(new)[np.cumsum(new) - 1]  # of each row's time
        ends = np.searchsorted(s, s, side="right")
        at = np.flatnonzero(e)
        tie = np.unique(start[at], return_inverse=True)[1].ravel()
        counts = np.bincount(tie)
        place = np.arange(len(at)) - np.concatenate([[0], np.cumsum(counts)[:-1]])[tie] if len(at) else tie
        share = place / counts[tie] if efron else np.zeros(len(at))
        before = np.concatenate([[0], np.cumsum(e)])
        stop = np.append(np.flatnonzero(new)[1:], len(t))[np.cumsum(new) - 1]
        span = (before[np.searchsorted(s, s, side="left")], before[stop])
        return cls(x, t, e, s, order, start[at], ends[at], tie, share, span)

    @property
    def events(self) -> int:
        """How many."""
        return len(self.first)

    @property
    def event_times(self) -> Floats:
        """(m,)."""
        return self.time[self.event]

    def at_events(self, b: Floats) -> AtEvents:
        """The sums over each event's risk set."""
        logs = self.design @ b
        shift = float(logs.max())
        w = np.exp(logs - shift)
        summed = self._at_risk(np.column_stack([w, w[:, None] * self.design]))
        return AtEvents(w, summed[:, 0], summed[:, 1:] / summed[:, :1], shift)

    def log_likelihood(self, b: Floats) -> float:
        """Cox's partial one."""
        logs = self.design @ b
        shift = float(logs.max())
        total = self._at_risk(np.exp(logs - shift)[:, None])
        return float(logs[self.event].sum() - np.log(total).sum() - self.events * shift)

    def _at_risk(self, columns: Floats) -> Floats:
        """(m, c) columns summed over each event's risk set, less its share of the tied events."""
        summed = np.vstack([columns[::-1].cumsum(axis=0)[::-1], np.zeros(columns.shape[1])])
        found = summed[self.first] - summed[self.end]
        if self.share.any():
            tied = np.column_stack([np.bincount(self.tie, weights=c) for c in columns[self.event].T])
            found -= self.share[:, None] * tied[self.tie]
        return np.asarray(found)

    def gradient(self, b: Floats, *, times: Floats | None = None) -> Floats:
        """(k,) derivatives of the log-likelihood; with a number for each event, its columns times that number."""
        away = self.design[self.event] - self.at_events(b).mean
        return np.asarray((away if times is None else away * times[:, None]).sum(axis=0))

    def information(self, b: Floats, *, times: Floats | None = None) -> Floats:
        """(k, k) the summed covariances of the columns in each risk set, each times a number where given."""
        at = self.at_events(b)
        number = np.ones(self.events) if times is None else times
        hazard = self._spread(at, number)
        return np.asarray(
            self.design.T @ (self.design * (at.weight * hazard)[:, None]) - at.mean.T @ (at.mean * number[:, None])
        )

    def score_residuals(self, b: Floats) -> Floats:
        """(n, k) what each row adds to the gradient, in the table's order."""
        at = self.at_events(b)
        hazard = self._spread(at, np.ones(self.events))
        means = np.column_stack([self._spread(at, column) for column in at.mean.T])
        out = at.weight[:, None] * (means - self.design * hazard[:, None])
        counts = np.bincount(self.tie)
        tied = np.column_stack([np.bincount(self.tie, weights=c) for c in at.mean.T]) / counts[:, None]
        out[self.event] += self.design[self.event] - tied[self.tie]
        back = np.empty_like(out)
        back[self.order] = out
        return back

    def baseline(self, b: Floats) -> tuple[Floats, Floats]:
        """Event times and the cumulative hazard at them of a row at the columns' means (one stratum)."""
        at = self.at_events(b)
        times, of = np.unique(self.event_times, return_inverse=True)
        return times, np.cumsum(np.bincount(of, weights=1 / at.total)) * np.exp(-at.shift)

    def _spread(self, at: AtEvents, number: Floats) -> Floats:
        """(n,) the sum over the events at which each row is at risk of a number over the risk set's total."""
        summed = np.concatenate([[0.0], np.cumsum(number / at.total)])
        out = summed[self.upto[1]] - summed[self.upto[0]]
        own = np.bincount(self.tie, weights=number * self.share / at.total)
        out[self.event] -= own[self.tie]
        return np.asarray(out)
