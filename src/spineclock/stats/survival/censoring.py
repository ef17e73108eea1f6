"""How likely a row is still to be followed: the weights that make up for those lost (IPCW).

The censoring survival G is Kaplan–Meier's with censoring as the event. Events at a time come before the censorings
of that time, so that those with an event are no longer at risk of being censored then, and a row with an event at T
is weighted by 1/G(T−).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spineclock.stats.ages import Floats
from spineclock.stats.survival.incidence import step


@dataclass(frozen=True, eq=False)
class Censoring:
    """The censoring survival of some rows, and how each row moves it."""

    time: Floats
    """(n,)."""
    censored: npt.NDArray[np.bool_]
    """(n,)."""
    times: Floats
    """(m,) rising, those at which some row was censored."""
    lost: Floats
    """(m,) rows censored then."""
    at_risk: Floats
    """(m,) rows that could be, without those with an event at that time."""
    survival: Floats
    """(m,) G at and after each time."""

    @classmethod
    def fit(cls, time: npt.ArrayLike, cause: npt.ArrayLike) -> Censoring:
        """From times and endings (0 censored).

        >>> Censoring.fit([1, 2, 2, 3], [0, 0, 1, 1]).survival.tolist()
        [0.75, 0.375]
        """
        t, out = np.asarray(time, dtype=np.float64), np.asarray(cause) == 0
        times, lost = np.unique(t[out], return_counts=True)
        ordered, ended = np.sort(t), np.sort(t[~out])
        risk = t.size - np.searchsorted(ordered, times, side="left") - _equal(ended, times)
        return cls(
            t, out, times, lost.astype(np.float64), risk, np.asarray(np.cumprod(1 - lost / risk), dtype=np.float64)
        )

    def before(self, at: npt.ArrayLike) -> Floats:
        """G just before each time."""
        return step(self.times, self.survival, at, before=True, start=1.0)

    def after(self, at: npt.ArrayLike) -> Floats:
        """G at each time."""
        return step(self.times, self.survival, at, start=1.0)

    def influence(self, at: npt.ArrayLike, slopes: npt.ArrayLike, *, inclusive: bool = False) -> Floats:
        """(n,) what each row does, by way of G, to a figure whose derivatives by log 1/G(at−) are ``slopes``.

        With ``inclusive`` those by log 1/G(at). Without it a weight's variance is that of known weights, which is
        wrong, mostly too large.
        """
        u, slope = np.asarray(at, dtype=np.float64).ravel(), np.asarray(slopes, dtype=np.float64).ravel()
        if not self.times.size:
            return np.zeros(self.time.size)
        # slopes of all places at which log 1/G includes the step of each censoring time
        first = np.searchsorted(self.times, u, side="right" if inclusive else "left")
        total = np.bincount(first, weights=slope, minlength=self.times.size + 1)
        reach = total[::-1].cumsum()[::-1][1:]
        left = self.at_risk - self.lost
        unit = np.where(left > 0, reach / np.where(left > 0, left, 1), 0)
        gone = np.concatenate([[0.0], np.cumsum(unit * self.lost / self.at_risk)])
        # a row with an event at t is not at risk of the censorings of that time; a censored one is
        seen = np.where(
            self.censored,
            np.searchsorted(self.times, self.time, side="right"),
            np.searchsorted(self.times, self.time, side="left"),
        )
        own = np.where(self.censored, unit[np.minimum(seen, self.times.size) - 1], 0)
        return np.asarray(own - gone[seen])


def _equal(ordered: Floats, values: Floats) -> Floats:
    """How many of some ordered numbers are equal to each value."""
    found = np.searchsorted(ordered, values, side="right") - np.searchsorted(ordered, values, side="left")
    return found.astype(np.float64)
