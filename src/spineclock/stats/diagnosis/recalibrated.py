"""From a network's score to a probability that holds: logistic recalibration, fitted on people it has not seen.

Class weights, oversampling and plain overfitting leave scores that rank people well and say nothing of how many have
the disease. Sources: Cox, Biometrika 1958; Platt 1999, with its targets by Lin, Lin and Weng, Machine Learning 2007;
Elkan, IJCAI 2001, and Saerens, Latinne and Decaestecker, Neural Computation 2002 (another prevalence).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from spineclock.core.errors import InputError, TableError, UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.diagnosis.labels import Bools, probabilities
from spineclock.stats.diagnosis.logistic import firm

SCHEMA = "spineclock.recalibration/1"
Scale = Literal["probability", "score"]
EVERYONE = "everyone the prevalence"
"""The method where a score says nothing."""
_SUREST = 1e-9
"""Probabilities nearer to 0 or 1 count as this near."""


@dataclass(frozen=True)
class LogisticRecalibration:
    """A fitted line from a score to the log odds of the disease.

    Attributes
    ----------
    intercept, slope : float
        log odds = intercept + slope × logit(probability), or × score. The slope is never below 0, so that people keep
        their ranks and the AUROC stays what it is.
    scale : "probability" or "score"
        What it is fitted on, and asked of: a probability, or any number, such as a network's last one.
    prevalence : float
        The share of rows with the disease that its probabilities hold for.
    people, positives, negatives : int
        Whom it was fitted on: people, and rows with and without the disease.
    method : str
        "maximum likelihood"; "Platt's targets" where the score separates the groups completely; "everyone the
        prevalence" where it falls as the disease gets likelier.
    """

    intercept: float
    slope: float
    scale: Scale
    prevalence: float
    people: int
    positives: int
    negatives: int
    method: str = "maximum likelihood"

    @classmethod
    def fit(
        cls,
        score: npt.ArrayLike,
        positive: npt.ArrayLike,
        *,
        people: npt.ArrayLike | None = None,
        scale: Scale = "probability",
    ) -> LogisticRecalibration:
        """The line from rows that the score was not trained on: validation people, never those it is judged on.

        Parameters
        ----------
        score, positive : array-like, shape (n,)
            Each row's score and whether the disease is there.
        people : array-like, shape (n,), optional
            Who each row is of, to count them. Without it each row is another person.

        Raises
        ------
        TableError
            If a value is missing or no probability, or not both groups are there.

        Examples
        --------
        >>> told = [0.5, 0.5, 0.5, 0.5, 0.8, 0.8, 0.8, 0.8]
        >>> fit = LogisticRecalibration.fit(told, [0, 0, 0, 1, 0, 0, 1, 1])  # a quarter and a half of them are ill
        >>> fit([0.5, 0.8]).round(6).tolist(), fit.prevalence
        ([0.25, 0.5], 0.375)
        """
        if scale not in get_args(Scale):
            raise UsageError(f"the scale {scale!r}", wanted="probability or score")
        y = np.asarray(positive, dtype=bool)
        x = _line(score, scale)
        if x.shape != y.shape or y.ndim != 1:
            raise UsageError(f"scores of shape {x.shape}, diagnoses of {y.shape}", wanted="(n,) and (n,)")
        m, n = int(y.sum()), int((~y).sum())
        if not m or not n:
            raise TableError(f"{m} rows with and {n} without the disease", wanted="some of each to recalibrate on")
        intercept, slope, method = _fitted(x, y)
        count = len(y) if people is None else len(np.unique(np.asarray(people)))
        return cls(intercept, slope, scale, m / (m + n), count, m, n, method)

    def __call__(self, score: npt.ArrayLike) -> Floats:
        """(n,) probabilities of the disease; NaN where the score is."""
        values = np.asarray(score, dtype=np.float64)
        known = np.isfinite(values)
        found = np.full(values.shape, np.nan)
        found[known] = expit(self.intercept + self.slope * _line(values[known], self.scale))
        return found

    def at_prevalence(self, prevalence: float) -> LogisticRecalibration:
        """The same where the disease is more or less common, and those with and without it score as they do here.

        The odds are multiplied by the new prevalence's over the old one's. Where the disease is also milder, or other
        people are scanned, that is not enough: recalibrate there.

        >>> here = LogisticRecalibration(0.0, 1.0, "probability", 0.5, 100, 50, 50)
        >>> there = here.at_prevalence(0.2)
        >>> there([0.5, 0.8]).round(6).tolist(), there.prevalence
        ([0.2, 0.5], 0.2)

        Raises
        ------
        UsageError
            If the prevalence is not between 0 and 1.
        """
        if not 0 < prevalence < 1:
            raise UsageError(f"a prevalence of {prevalence:g}", wanted="a share between 0 and 1, such as 0.1")
        shift = float(logit(prevalence) - logit(self.prevalence))
        return replace(self, intercept=self.intercept + shift, prevalence=prevalence)

    def as_dict(self) -> dict[str, Any]:
        """The line as plain data, for a file."""
        return {"schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LogisticRecalibration:
        """The line from plain data.

        Raises
        ------
        InputError
            If the data are of another schema, or no line.
        """
        if data.get("schema") != SCHEMA:
            raise InputError(f"a recalibration of schema {data.get('schema')!r}", wanted=SCHEMA)
        try:
            found = cls(**{k: v for k, v in data.items() if k != "schema"})
            usable = np.isfinite([found.intercept, found.slope]).all() and found.slope >= 0 and 0 < found.prevalence < 1
        except TypeError as error:
            raise InputError(
                f"a recalibration with {', '.join(data)}", wanted=", ".join(cls.__annotations__)
            ) from error
        if not usable or found.scale not in get_args(Scale):
            raise InputError(
                f"a recalibration of intercept {found.intercept}, slope {found.slope}, prevalence {found.prevalence} "
                f"and scale {found.scale!r}",
                wanted="finite numbers, a slope of 0 or more, a prevalence between 0 and 1, probability or score",
            )
        return found


def _line(score: npt.ArrayLike, scale: Scale) -> Floats:
    """What the log odds are linear in."""
    x = np.asarray(score, dtype=np.float64)
    if missing := int((~np.isfinite(x)).sum()):
        raise TableError(f"{missing} of {x.size} scores not finite", wanted="a number in each row")
    if scale == "score":
        return x
    probabilities(np.atleast_2d(x), ["probability"])
    return np.asarray(logit(np.clip(x, _SUREST, 1 - _SUREST)))


def _fitted(x: Floats, y: Bools) -> tuple[float, float, str]:
    """Intercept, slope and how they were found."""
    m, n = int(y.sum()), int((~y).sum())
    middle, spread = float(x.mean()), float(x.std())
    nothing = (float(np.log(m / n)), 0.0, EVERYONE)
    if spread < 1e-12 * (1 + abs(middle)):
        return nothing
    found = firm(np.column_stack([np.ones(len(x)), (x - middle) / spread]), y, people=np.arange(len(x)))
    b = found.fit.coefficients
    if b[1] <= 0:
        return nothing
    return float(b[0] - b[1] * middle / spread), float(b[1] / spread), found.method
