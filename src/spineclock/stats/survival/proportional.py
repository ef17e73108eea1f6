"""Whether hazard ratios stay the same over the years: the test of proportional hazards.

Source: Grambsch and Therneau, Biometrika 1994, in the exact form of R's cox.zph since survival 3.0: the score test of
adding each column times a function of time, with the information of the fit at hand and not its average.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.survival.cox import CoxFit
from spineclock.stats.survival.incidence import incidence, step

Scale = Literal["km", "identity", "rank", "log"]
"""The function of time: 1 − Kaplan–Meier just before it (R's default, which no late outlier pulls), time itself, its
rank among all times, or its logarithm."""


@dataclass(frozen=True)
class ScoreTest:
    """A χ² with its degrees of freedom and p; a small p speaks against proportional hazards."""

    statistic: float
    df: int
    p: float


def proportional_hazards(
    fit: CoxFit, *, terms: Mapping[str, Sequence[int]] | None = None, scale: Scale = "km"
) -> dict[str, ScoreTest]:
    """The test for each term, and for all together (``"all"``).

    Parameters
    ----------
    fit : CoxFit
    terms : mapping of name to columns, optional
        By default each column for itself, named "0", "1", …
    scale : "km", "identity", "rank" or "log"

    Raises
    ------
    TableError
        If all events happen at one time, or at time 0 on the scale "log".

    Examples
    --------
    >>> from spineclock.stats.survival.cox import cox
    >>> fit = cox([[0], [1], [1], [0], [0], [1]], [1, 2, 3, 4, 5, 6], [1, 1, 1, 1, 1, 0])
    >>> round(proportional_hazards(fit)["all"].p, 3)
    0.628
    """
    g = _of_time(fit, scale)
    g = g - g.mean()
    if not np.ptp(g) > 0:
        raise TableError("all events at one time", wanted="events at several times")
    b = fit.coefficients
    u = fit.sets.gradient(b, times=g)
    own, cross, square = (fit.sets.information(b, times=power) for power in (np.ones_like(g), g, g * g))
    # what the columns times g(t) know, once the columns themselves have been fitted
    left = square - cross @ np.linalg.solve(own, cross)
    groups = dict(terms) if terms is not None else {str(i): [i] for i in range(len(b))}
    if "all" in groups:
        raise UsageError("a term called all", wanted="another name")
    return {name: _test(u, square, cross, own, list(at)) for name, at in groups.items()} | {"all": _score(u, left)}


def _test(u: Floats, square: Floats, cross: Floats, own: Floats, at: list[int]) -> ScoreTest:
    part = square[np.ix_(at, at)] - cross[at] @ np.linalg.solve(own, cross[at].T)
    return _score(u[at], part)


def _score(u: Floats, information: Floats) -> ScoreTest:
    value = float(u @ np.linalg.solve(information, u))
    return ScoreTest(value, len(u), float(stats.chi2.sf(value, len(u))))


def _of_time(fit: CoxFit, scale: Scale) -> Floats:
    t = fit.sets.event_times
    if scale == "identity":
        return t
    if scale == "rank":
        return np.asarray(stats.rankdata(fit.sets.time)[fit.sets.event])
    if scale == "log":
        if (t <= 0).any():
            raise TableError("an event at time 0", wanted="times above 0 for their logarithm", remedy="use km")
        return np.log(t)
    if scale != "km":
        raise UsageError(f"the scale {scale!r}", wanted="km, identity, rank or log")
    curve = incidence(fit.sets.time, fit.sets.event)
    return step(curve.times, curve.incidence, t, before=True)
