"""Two probabilities of the same person's disease, such as of a T1 and of a T2 model, joined into one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit, xlogy

from spineclock.core.errors import InputError, TableError
from spineclock.stats.ages import Floats
from spineclock.stats.diagnosis.labels import FEW, Bools
from spineclock.stats.diagnosis.logistic import firm
from spineclock.stats.diagnosis.recalibrated import EVERYONE

_SUREST = 1e-9


@dataclass(frozen=True)
class LateFusion:
    """A logistic model of the disease on the log-odds of both, fitted on people neither model has learned from.

    Either alone is enough: where one is missing (NaN) the other stands as it is. Neither weight is below 0, so that
    the joined probability never falls as one of the two rises; one that adds nothing has weight 0.

    Attributes
    ----------
    intercept, first, second : float
        log odds = intercept + first × log odds of the first + second × those of the second.
    positives, negatives : int
        Rows with and without the disease that it was fitted on; its probabilities hold for their share.
    method : str
        "maximum likelihood"; "Platt's targets" where the two together separate the groups completely; "everyone the
        prevalence" where neither rises with the disease.

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
    positives: int
    negatives: int
    method: str = "maximum likelihood"

    @classmethod
    def fit(
        cls, first: npt.ArrayLike, second: npt.ArrayLike, positive: npt.ArrayLike, *, people: npt.ArrayLike
    ) -> LateFusion:
        """The fit by people who have both.

        Raises
        ------
        TableError
            If none of these has the disease, or all have it.
        """
        x = np.column_stack([_log_odds(first), _log_odds(second)])
        both = np.isfinite(x).all(axis=1)
        x, ill, who = x[both], np.asarray(positive, dtype=bool)[both], np.asarray(people)[both]
        m, n = int(ill.sum()), int((~ill).sum())
        if not m or not n:
            raise TableError(f"{m} rows with and {n} without the disease have both", wanted="some of each to join by")
        (intercept, one, other), method = _weights(x, ill, who)
        return cls(float(intercept), float(one), float(other), m, n, method)

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> LateFusion:
        """From what :meth:`as_dict` gives, and more.

        Raises
        ------
        InputError
            If it is not that.
        """
        try:
            found = cls(**{name: told[name] for name in cls.__dataclass_fields__})
            finite = bool(np.isfinite([found.intercept, found.first, found.second]).all())
            usable = finite and min(found.first, found.second) >= 0 and min(found.positives, found.negatives) > 0
        except (KeyError, TypeError) as error:
            raise InputError(f"a joint model that cannot be used ({error})", remedy="join the runs again") from error
        if not usable:
            raise InputError(f"a joint model of {asdict(found)}", wanted="finite numbers, weights of 0 or more",
                             remedy="join the runs again")  # fmt: skip
        return found

    @property
    def prevalence(self) -> float:
        """The share with the disease that its probabilities hold for."""
        return self.positives / (self.positives + self.negatives)

    @property
    def caution(self) -> str:
        """What a reader of its probabilities must know; empty where nothing."""
        said = []
        if min(self.positives, self.negatives) < FEW:
            said.append(f"joined by few: {self.positives} with and {self.negatives} without the disease")
        if self.method == EVERYONE:
            said.append("neither rises with the disease in those joined by: all are told the prevalence, and nobody is "
                        "called")  # fmt: skip
        elif self.method != "maximum likelihood":
            said.append(f"both together separate those joined by, so that {self.method} were used")
        return "; ".join(said)

    def __call__(self, first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
        """The joined probability of each person."""
        a, b = _log_odds(first), _log_odds(second)
        joined = self.intercept + self.first * a + self.second * b
        alone = np.where(np.isfinite(a), a, b)
        return np.asarray(expit(np.where(np.isfinite(a) & np.isfinite(b), joined, alone)))

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def _log_odds(probability: npt.ArrayLike) -> Floats:
    return np.asarray(logit(np.clip(np.asarray(probability, dtype=np.float64), _SUREST, 1 - _SUREST)))


def _weights(x: Floats, ill: Bools, people: npt.NDArray[Any]) -> tuple[Floats, str]:
    """Intercept and the two weights of the likeliest model without one below 0, and how it was found.

    With two columns it is the model of both, or, where that has a weight below 0, the better one of a single column.
    """
    spread = x.std(axis=0)
    varied = [k for k in (0, 1) if spread[k] > 1e-12 * (1 + np.abs(x[:, k]).max())]
    found = [_fitted(x, ill, people, varied)] if len(varied) == 2 else []
    if not found or (found[0][0][1:] < 0).any():
        found = [one for k in varied if (one := _fitted(x, ill, people, [k]))[0][1 + k] > 0]
    if not found:
        return np.array([logit(ill.mean()), 0.0, 0.0]), EVERYONE
    return max(found, key=lambda one: _log_likelihood(one[0], x, ill))


def _fitted(x: Floats, ill: Bools, people: npt.NDArray[Any], columns: list[int]) -> tuple[Floats, str]:
    middle, spread = x[:, columns].mean(axis=0), x[:, columns].std(axis=0)
    found = firm(np.column_stack([np.ones(len(x)), (x[:, columns] - middle) / spread]), ill, people=people)
    weights = np.zeros(3)
    weights[[1 + k for k in columns]] = found.fit.coefficients[1:] / spread
    weights[0] = found.fit.coefficients[0] - (found.fit.coefficients[1:] * middle / spread).sum()
    return weights, found.method


def _log_likelihood(weights: Floats, x: Floats, ill: Bools) -> float:
    p = expit(weights[0] + x @ weights[1:])
    return float((xlogy(ill, p) + xlogy(~ill, 1 - p)).sum())
