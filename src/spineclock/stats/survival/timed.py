"""Discrimination and accuracy of predictions by a horizon, by the inverse probability of being followed (IPCW).

Sources: Uno, Cai, Tian and Wei 2007 and Hung and Chiang 2010 (cumulative/dynamic AUROC); Blanche, Dartigues and
Jacqmin-Gadda, Statistics in Medicine 2013 (competing events); Graf, Schmoor, Sauerbrei and Schumacher 1999 and Schoop
2011 (Brier score). What each row does to a figure, the estimation of the weights in it, gives its variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.survival.censoring import Censoring
from spineclock.stats.survival.follow_up import Range
from spineclock.stats.survival.incidence import incidence, influence

RuledOut = Literal["controls", "left out"]
"""What those are who had a competing event by the horizon: controls, as they never have the event, or neither."""


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure and what each row does to it, (n,)."""

    value: float
    influence: Floats


@dataclass(frozen=True, eq=False)
class Weights:
    """Rows whose state at a horizon is known, weighted for those lost before it."""

    horizon: float
    case: Floats
    """(n,) 1/G(T−) where the event came by the horizon, else 0."""
    free: Floats
    """(n,) 1/G(horizon) where the row was followed beyond the horizon, else 0."""
    ruled_out: Floats
    """(n,) 1/G(T−) where a competing event came by the horizon, else 0."""
    time: Floats
    censoring: Censoring

    @classmethod
    def at(cls, time: npt.ArrayLike, cause: npt.ArrayLike, horizon: float) -> Weights:
        """The weights at a horizon; they sum to n.

        >>> float(sum(w.sum() for w in (lambda w: (w.case, w.free))(Weights.at([1, 2, 3, 4], [0, 1, 0, 1], 2.5))))
        4.0
        """
        t, how = np.asarray(time, dtype=np.float64), np.asarray(cause)
        g = Censoring.fit(t, how)
        before, by = g.before(t), t <= horizon
        alive = t > horizon
        # beyond the last censoring nothing is left to weigh where nobody is followed for longer
        later = float(g.after([horizon])[0]) if alive.any() else 1.0
        return cls(horizon, (by & (how == 1)) / before, alive / later, (by & (how == 2)) / before, t, g)

    def by_weights(self, slopes: Floats) -> Floats:
        """(n,) what each row does by way of the weights, for the derivatives by each row's own log weight."""
        gone = self.time <= self.horizon
        moved = self.censoring.influence(self.time[gone], slopes[gone])
        return moved + self.censoring.influence([self.horizon], [float(slopes[~gone].sum())], inclusive=True)


def horizons_known(time: Floats, event: npt.NDArray[np.bool_]) -> Range:
    """The horizons by which somebody had the event and after which somebody was followed."""
    return Range(float(time[event].min()), float(np.nextafter(time.max(), 0)))


HORIZONS_WHY = "from the first event on, with somebody followed for longer"


def timed_auroc(score: npt.ArrayLike, weights: Weights, *, ruled_out: RuledOut = "controls") -> Figure:
    """The cumulative/dynamic AUROC: how often one with the event by the horizon scores higher than one without.

    Raises
    ------
    TableError
        If nobody, or everybody, had the event by the horizon.

    Examples
    --------
    >>> timed_auroc([4, 1, 3, 2], Weights.at([1, 2, 3, 4], [1, 1, 0, 0], 2.5)).value
    0.5
    """
    x = np.asarray(score, dtype=np.float64)
    if ruled_out not in ("controls", "left out"):
        raise UsageError(f"ruled out: {ruled_out!r}", wanted="controls or left out")
    w = weights.case
    v = weights.free + (weights.ruled_out if ruled_out == "controls" else 0)
    cases, controls = float(w.sum()), float(v.sum())
    if not cases or not controls:
        raise TableError(
            f"{int((w > 0).sum())} with and {int((v > 0).sum())} without the event by {weights.horizon:g} years",
            wanted="some of each",
        )
    rank = np.unique(x, return_inverse=True)[1].ravel()
    v_at, w_at = (np.bincount(rank, weights=values) for values in (v, w))
    lower = np.cumsum(v_at) - v_at / 2
    higher = cases - (np.cumsum(w_at) - w_at / 2)
    value = float(w @ lower[rank]) / (cases * controls)
    slopes = w * (lower[rank] / controls - value) / cases + v * (higher[rank] / cases - value) / controls
    return Figure(value, slopes + weights.by_weights(slopes))


def brier(risk: npt.ArrayLike, weights: Weights) -> Figure:
    """The mean squared difference between the predicted risk by the horizon and what happened.

    >>> brier([0.5, 0.5, 0.5, 0.5], Weights.at([1, 2, 3, 4], [1, 1, 0, 0], 2.5)).value
    0.25
    """
    p = np.asarray(risk, dtype=np.float64)
    parts = (weights.case * np.square(1 - p) + (weights.free + weights.ruled_out) * np.square(p)) / p.size
    value = float(parts.sum())
    return Figure(value, parts - value / p.size + weights.by_weights(parts))


def scaled_brier(risk: npt.ArrayLike, time: Floats, cause: npt.NDArray[np.int64], horizon: float) -> Figure:
    """1 − the Brier score over that of giving everyone the incidence by the horizon (index of prediction accuracy).

    NaN where the incidence is 0 or 1.
    """
    own = brier(risk, Weights.at(time, cause, horizon))
    f = float(incidence(time, cause).at([horizon])[0])
    base = f * (1 - f)  # the weights' share of events is the Aalen–Johansen incidence
    if base < 1e-12:
        return Figure(np.nan, np.full(time.size, np.nan))
    ratio = own.value / base
    moved = (1 - 2 * f) * influence(time, cause, horizon)
    return Figure(1 - ratio, -(own.influence - ratio * moved) / base)


def over_horizons(horizons: Floats, figures: list[Figure]) -> Figure:
    """The mean of a figure between the first and last horizon, by the trapezoidal rule.

    >>> mean = over_horizons(np.array([1.0, 2, 4]), [Figure(v, np.zeros(2)) for v in (1.0, 3.0, 3.0)])
    >>> round(mean.value, 6)  # (2 + 6)/3
    2.666667
    """
    width = np.diff(horizons)
    share = np.concatenate([width, [0]]) / 2 + np.concatenate([[0], width]) / 2
    share = share / share.sum()
    values = share @ np.array([f.value for f in figures])
    return Figure(float(values), np.asarray(share @ np.array([f.influence for f in figures])))


def observed_over_expected(risk: npt.ArrayLike, time: Floats, cause: npt.NDArray[np.int64], horizon: float) -> Figure:
    """The logarithm of the incidence by the horizon over the mean predicted risk; NaN where nobody had the event."""
    p = np.asarray(risk, dtype=np.float64)
    f, mean = float(incidence(time, cause).at([horizon])[0]), float(p.mean())
    if not f or not mean:
        return Figure(np.nan, np.full(p.size, np.nan))
    return Figure(float(np.log(f / mean)), influence(time, cause, horizon) / f - (p - mean) / (mean * p.size))
