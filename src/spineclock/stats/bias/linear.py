"""Corrections by a straight line: Cole's, Beheshti's and de Lange's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from spineclock.core.errors import TableError
from spineclock.stats.ages import Floats, paired
from spineclock.stats.bias.correction import USES_AGE, Correction, needed


@dataclass(frozen=True)
class Line:
    """A least-squares line."""

    slope: float
    intercept: float


def line(x: npt.ArrayLike, y: npt.ArrayLike) -> Line:
    """The least-squares line of y on x.

    >>> line([20, 40, 60], [30, 40, 50])
    Line(slope=0.5, intercept=20.0)

    Raises
    ------
    TableError
        If there are fewer than 3 people, a value is missing, or x does not vary.
    """
    b, a = paired(y, x, at_least=3)
    a_mean, b_mean = a.mean(), b.mean()
    spread = float(np.square(a - a_mean).sum())
    if spread < 1e-9:
        raise TableError(
            f"{len(a)} people all of age {a_mean:g}", wanted="people of different ages to fit a correction"
        )
    slope = float(((a - a_mean) * (b - b_mean)).sum()) / spread
    return Line(slope, float(b_mean - slope * a_mean))


@dataclass(frozen=True)
class Cole(Correction):
    """Cole's correction: ŷ = α·y + β on the validation set, corrected = (ŷ − β)/α. Needs no test age.

    On the fitting set its R² is 2 − 1/r² (below r², and below 0 where r < 0.71): the price of an unbiased gap.

    Source: Cole et al., NeuroImage 2017 and Mol Psychiatry 2018.
    """

    slope: float
    """α."""
    intercept: float
    """β, in years."""

    uses_test_age: ClassVar[bool] = False
    caution: ClassVar[str] = ""

    @classmethod
    def fit(cls, predicted: npt.ArrayLike, age: npt.ArrayLike, *, min_slope: float = 0.05) -> Self:
        """The correction from validation people.

        Parameters
        ----------
        predicted, age : array-like, shape (n,)
            In years.
        min_slope : float
            The smallest α that may be divided by: at 0.05 an error of one year becomes one of twenty.

        Raises
        ------
        TableError
            If there are fewer than 3 people, they have one age, or the predictions hardly rise with age.

        Examples
        --------
        >>> cole = Cole.fit([40, 50, 60], [30, 50, 70])
        >>> cole.slope, cole.corrected([40, 55]).tolist()
        (0.5, [30.0, 60.0])
        """
        fitted = line(age, predicted)
        if fitted.slope < min_slope:
            raise TableError(
                f"predictions that rise by {fitted.slope:.3f} years a year of age",
                wanted=f"at least {min_slope:g}, as Cole's correction divides by it",
                remedy="use a model that tells ages apart, or report uncorrected ages",
            )
        return cls(fitted.slope, fitted.intercept)

    def corrected(self, predicted: npt.ArrayLike, age: npt.ArrayLike | None = None) -> Floats:
        """(ŷ − β)/α, in years; ``age`` is not looked at."""
        return (np.asarray(predicted, dtype=np.float64) - self.intercept) / self.slope


@dataclass(frozen=True)
class Beheshti(Correction):
    """Beheshti's correction: D(y) = a·y + b fitted on ŷ − y, corrected = ŷ − D(y). Uses the test age.

    The chronological age of the people it is judged on goes into the corrected age, so R², r and MAE after it are
    inflated (Butler et al., Hum Brain Mapp 2021) and even a model that knows nothing looks good: never the headline
    number; :attr:`caution` says it for the output. Its gap is α times Cole's, so correlations, p-values and
    agreement are the same and only years differ.

    Source: Beheshti et al., NeuroImage Clin 2019.
    """

    slope: float
    """a = α − 1."""
    intercept: float
    """b = β, in years."""

    uses_test_age: ClassVar[bool] = True
    caution: ClassVar[str] = USES_AGE

    @classmethod
    def fit(cls, predicted: npt.ArrayLike, age: npt.ArrayLike) -> Self:
        """The correction from validation people, in years.

        >>> Beheshti.fit([40, 50, 60], [30, 50, 70])
        Beheshti(slope=-0.5, intercept=25.0)

        Raises
        ------
        TableError
            If there are fewer than 3 people, or they have one age.
        """
        p, y = paired(predicted, age, at_least=3)
        fitted = line(y, p - y)
        return cls(fitted.slope, fitted.intercept)

    def corrected(self, predicted: npt.ArrayLike, age: npt.ArrayLike | None = None) -> Floats:
        """ŷ − (a·y + b), in years.

        Raises
        ------
        UsageError
            If no ages are given.
        """
        p, y = paired(predicted, needed(age, "Beheshti's"))
        return p - (self.slope * y + self.intercept)


@dataclass(frozen=True)
class DeLange(Correction):
    """De Lange's correction: ŷ = α·y + β, corrected = ŷ + (y − (α·y + β)). Algebraically Beheshti's; uses the test age.

    Source: de Lange et al., PNAS 2019. What :class:`Beheshti` says of inflated figures holds here too.
    """

    slope: float
    """α."""
    intercept: float
    """β, in years."""

    uses_test_age: ClassVar[bool] = True
    caution: ClassVar[str] = USES_AGE

    @classmethod
    def fit(cls, predicted: npt.ArrayLike, age: npt.ArrayLike) -> Self:
        """The correction from validation people; errors as in :meth:`Beheshti.fit`.

        >>> DeLange.fit([40, 50, 60], [30, 50, 70])
        DeLange(slope=0.5, intercept=25.0)
        """
        fitted = line(age, predicted)
        return cls(fitted.slope, fitted.intercept)

    def corrected(self, predicted: npt.ArrayLike, age: npt.ArrayLike | None = None) -> Floats:
        """ŷ + (y − (α·y + β)), in years; a UsageError if no ages are given."""
        p, y = paired(predicted, needed(age, "de Lange's"))
        return p + (y - (self.slope * y + self.intercept))
