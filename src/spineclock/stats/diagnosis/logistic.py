"""A small logistic regression, for judging probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spineclock.core.errors import TableError
from spineclock.stats.ages import Floats


@dataclass(frozen=True, eq=False)
class LogisticFit:
    """Coefficients of a logistic regression with the covariance clustered by person (sandwich, G/(G − 1))."""

    coefficients: Floats
    covariance: Floats

    @property
    def standard_errors(self) -> Floats:
        """(k,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))


def logistic(design: Floats, positive: Floats, *, offset: Floats | float = 0.0, people: npt.ArrayLike) -> LogisticFit:
    """The maximum-likelihood fit, by Newton's steps.

    Parameters
    ----------
    design : array, shape (n, k)
        With the constant.
    positive : array of 0 and 1, shape (n,)
    offset : array, shape (n,), or float
        Added to the linear predictor with coefficient 1.
    people : array-like, shape (n,)
        Who each row is of.

    Raises
    ------
    TableError
        If the columns separate the two groups, which leaves no finite fit.

    Examples
    --------
    >>> x = np.column_stack([np.ones(8), [0, 0, 0, 0, 1, 1, 1, 1]])
    >>> fit = logistic(x, np.array([0.0, 0, 0, 1, 0, 1, 1, 1]), people=range(8))
    >>> fit.coefficients.round(4).tolist()  # log 1/3, log 9
    [-1.0986, 2.1972]
    """
    b = np.zeros(design.shape[1])
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(design @ b + offset, -500, 500)))
        information = design.T @ (design * (p * (1 - p))[:, None])
        try:
            step = np.linalg.solve(information, design.T @ (positive - p))
        except np.linalg.LinAlgError:
            break
        longest = float(np.abs(step).max())
        b = b + step * min(1.0, 5 / longest if longest > 0 else 1.0)
        if longest < 1e-10 * (1 + float(np.abs(b).max())):
            score = design * (positive - p)[:, None]
            who = np.unique(np.asarray(people), return_inverse=True)[1].ravel()
            count = int(who.max()) + 1
            each = np.column_stack([np.bincount(who, weights=s, minlength=count) for s in score.T])
            bread = np.linalg.inv(information)
            return LogisticFit(b, count / (count - 1) * bread @ (each.T @ each) @ bread)
    raise TableError(
        "a probability that separates those with the disease from those without completely",
        wanted="some overlap for a calibration slope",
    )


class Firm(NamedTuple):
    """A fit that there always is, and how it was made."""

    fit: LogisticFit
    method: str


def firm(design: Floats, positive: npt.NDArray[np.bool_], *, people: npt.ArrayLike) -> Firm:
    """The maximum-likelihood fit; where the columns separate the two groups, that of Platt's targets.

    These are of one more row in each group, told half wrongly (Lin, Lin and Weng, Machine Learning 2007).

    >>> x = np.column_stack([np.ones(4), [-2.0, -1.0, 1.0, 2.0]])
    >>> found = firm(x, np.array([False, False, True, True]), people=range(4))
    >>> found.method, (found.fit.coefficients.round(2) + 0.0).tolist()
    ("Platt's targets", [0.0, 0.67])
    """
    try:
        return Firm(logistic(design, positive.astype(np.float64), people=people), "maximum likelihood")
    except TableError:
        ill, well = int(positive.sum()), int((~positive).sum())
        targets = np.where(positive, (ill + 1) / (ill + 2), 1 / (well + 2))
        return Firm(logistic(design, targets, people=people), "Platt's targets")
