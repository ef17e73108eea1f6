"""Two probabilities of the same person's disease, such as of a T1 and of a T2 model, joined into one."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from spineclock.stats.ages import Floats
from spineclock.stats.diagnosis.logistic import logistic

_SUREST = 1e-9


@dataclass(frozen=True)
class LateFusion:
    """A logistic model of the disease on the log-odds of both, fitted on people neither model has learned from.

    Either alone is enough: where one is missing (NaN) the other stands as it is.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> ill = rng.random(400) < 0.4
    >>> first, second = (1 / (1 + np.exp(-(2 * ill - 1 + rng.normal(0, 1.2, 400)))) for _ in range(2))
    >>> fused = LateFusion.fit(first, second, ill, people=range(400))
    >>> fused.first > 0.5, fused.second > 0.5, fused([0.7, 0.7], [0.8, np.nan]).round(2).tolist()
    (True, True, [0.95, 0.7])
    """

    intercept: float
    first: float
    second: float

    @classmethod
    def fit(
        cls, first: npt.ArrayLike, second: npt.ArrayLike, positive: npt.ArrayLike, *, people: npt.ArrayLike
    ) -> LateFusion:
        """The fit by people who have both.

        Raises
        ------
        TableError
            If the two together separate the groups completely.
        """
        x = np.column_stack([_log_odds(first), _log_odds(second)])
        ill, who = np.asarray(positive, dtype=np.float64), np.asarray(people)
        both = np.isfinite(x).all(axis=1)
        fitted = logistic(np.column_stack([np.ones(both.sum()), x[both]]), ill[both], people=who[both])
        return cls(*map(float, fitted.coefficients))

    def __call__(self, first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
        """The joined probability of each person."""
        a, b = _log_odds(first), _log_odds(second)
        joined = self.intercept + self.first * a + self.second * b
        alone = np.where(np.isfinite(a), a, b)
        return np.asarray(expit(np.where(np.isfinite(a) & np.isfinite(b), joined, alone)))

    def as_dict(self) -> dict[str, float]:
        """As plain data."""
        return asdict(self)


def _log_odds(probability: npt.ArrayLike) -> Floats:
    return np.asarray(logit(np.clip(np.asarray(probability, dtype=np.float64), _SUREST, 1 - _SUREST)))
