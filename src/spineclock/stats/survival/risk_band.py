"""How sure a predicted risk is: how often those with such a risk had the event, among people not learned from.

A line through their follow-up, log odds of the event by the horizon on those of the risk (Cox, Biometrika 1958),
weighted for those lost before it (Uno, Cai, Tian and Wei, JASA 2007); its interval from resampled people, their weights
made anew each time. So it holds what a finite number of validation people leaves open about this risk's being right;
that another training would have given another network it does not hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from spineclock.core.errors import InputError, TableError
from spineclock.stats.ages import Floats
from spineclock.stats.resample import person_percentiles
from spineclock.stats.survival.comparators import weighted_logistic
from spineclock.stats.survival.timed import Weights

POINTS = 41
"""Risks at which the band is kept, from the lowest to the highest seen; it is straight between two."""
FEWEST = 10
"""Events by the horizon, with fewer than which a line says nothing."""


@dataclass(frozen=True)
class RiskBand:
    """Observed risk and its interval as a function of the predicted one; NaN beyond the risks it was fitted on.

    Attributes
    ----------
    horizon_years, coverage : float
    people, events : int
        Whom it was fitted on, and how many of them had the event by the horizon.
    risk, observed, low, high : tuple of float
        Predicted risks, rising, and what was observed of people with them.
    """

    horizon_years: float
    coverage: float
    people: int
    events: int
    risk: tuple[float, ...]
    observed: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    @classmethod
    def fit(
        cls,
        risk: npt.ArrayLike,
        time: npt.ArrayLike,
        cause: npt.ArrayLike,
        people: npt.ArrayLike,
        *,
        horizon: float,
        rng: np.random.Generator,
        resamples: int = 500,
        coverage: float = 0.9,
    ) -> RiskBand:
        """The band from rows that the risk was not learned from.

        Parameters
        ----------
        risk, time, cause, people : array, shape (n,)
            Predicted risk by the horizon, years and ending of follow-up (0 lost, 1 the event, 2 a competing one), and
            whom each row is of.

        Raises
        ------
        TableError
            If fewer than ten had the event by the horizon, nobody was followed for longer, or all risks are alike.

        Examples
        --------
        >>> rng = np.random.default_rng(0)
        >>> risk = rng.uniform(0.05, 0.5, 600)
        >>> time = rng.exponential(5 / -np.log1p(-risk))  # right: those with a risk have the event as often
        >>> end = rng.uniform(2, 12, 600)
        >>> band = RiskBand.fit(risk, np.minimum(time, end), time < end, range(600), horizon=5, rng=rng, resamples=100)
        >>> low, observed, high = band([0.3])[:, 0]
        >>> bool(low < 0.3 < high), bool(abs(observed - 0.3) < 0.05)
        (True, True)
        """
        p, t, how = np.asarray(risk, np.float64), np.asarray(time, np.float64), np.asarray(cause).astype(np.int64)
        who = np.unique(np.asarray(people), return_inverse=True)[1].ravel()
        events = int(((how == 1) & (t <= horizon)).sum())
        if events < FEWEST or not (t > horizon).any() or not np.ptp(p) > 0:
            raise TableError(f"{events} events by {horizon:g} years among {len(p)} rows not learned from",
                             wanted=f"{FEWEST}, somebody followed for longer, and risks that differ")  # fmt: skip
        points = _line(np.linspace(p.min(), p.max(), POINTS))

        def observed(rows: npt.NDArray[np.int64]) -> Floats:
            try:
                return _observed(p[rows], t[rows], how[rows], horizon, points)
            except TableError:  # no event among those drawn, or all of them at one end
                return np.full(POINTS, np.nan)

        ends = person_percentiles(observed, who, rng=rng, resamples=resamples, coverage=coverage)
        middle = _observed(p, t, how, horizon, points)
        grid = (np.linspace(p.min(), p.max(), POINTS), middle, ends.low, ends.high)
        told = [tuple(np.round(values, 6).tolist()) for values in grid]
        return cls(float(horizon), coverage, int(who.max()) + 1, events, *told)

    def __call__(self, risk: npt.ArrayLike) -> Floats:
        """(3, n) lower end, observed risk and upper end for each predicted risk."""
        p = np.asarray(risk, dtype=np.float64)
        columns = (self.low, self.observed, self.high)
        return np.array([np.interp(p, self.risk, values, left=np.nan, right=np.nan) for values in columns])

    def as_dict(self) -> dict[str, Any]:
        """As plain data, for a file."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> RiskBand:
        """From what :meth:`as_dict` gives; an InputError where it is not that."""
        try:
            values: dict[str, Any] = {k: tuple(map(float, v)) if isinstance(v, list) else v for k, v in told.items()}
            found = cls(**values)
            alike = {len(v) for v in (found.risk, found.observed, found.low, found.high)} == {POINTS}
        except (TypeError, ValueError) as error:
            raise InputError(f"a band of risks that cannot be used ({error})", remedy="train again") from error
        if not alike:
            raise InputError("a band of risks whose columns differ in length", remedy="train the network again")
        return found


def _line(risk: Floats) -> Floats:
    """What the log odds are linear in."""
    return np.asarray(logit(np.clip(risk, 1e-6, 1 - 1e-6)))


def _observed(risk: Floats, time: Floats, cause: npt.NDArray[np.int64], horizon: float, points: Floats) -> Floats:
    """The share with the event by the horizon at each point, by the line through these rows."""
    weights, x = Weights.at(time, cause, horizon), _line(risk)
    middle, spread = float(x.mean()), float(x.std())
    if not spread > 0:
        raise TableError("risks that are all alike", wanted="some that differ")
    design = np.column_stack([np.ones(len(x)), (x - middle) / spread])
    b = weighted_logistic(design, weights.case > 0, weights.case + weights.free + weights.ruled_out)
    return np.asarray(expit(b[0] + b[1] * (points - middle) / spread))
