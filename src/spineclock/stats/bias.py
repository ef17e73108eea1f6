"""Taking out what regression to the mean puts in: the young are read too old, the old too young.

Each correction is fitted on a validation set that neither trained the model nor is being evaluated. Written with
y the chronological and ŷ the predicted age. Only Cole's needs no test age: only it may stand behind a headline figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats, paired

_USES_AGE = (
    "This correction uses the chronological age of the very people it is judged on, so R², r and MAE after it are "
    "inflated (Butler et al. 2021): they are no measure of the model."
)


class Correction(Protocol):
    """What every fitted correction offers."""

    uses_test_age: ClassVar[bool]
    """Whether the person's own chronological age goes into the corrected one."""
    caution: ClassVar[str]
    """What must be said beside figures of merit after this correction; empty where nothing."""
    unit: ClassVar[str]
    """Of the gap: "years" or "SD"."""

    def corrected(self, predicted: npt.ArrayLike, age: npt.ArrayLike | None = None) -> Floats:
        """Corrected predicted ages, in years."""
        ...

    def gap(self, predicted: npt.ArrayLike, age: npt.ArrayLike) -> Floats:
        """The spine age gap, in :attr:`unit`."""
        ...


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
class Cole:
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
    unit: ClassVar[str] = "years"

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

    def gap(self, predicted: npt.ArrayLike, age: npt.ArrayLike) -> Floats:
        """Corrected − chronological age, in years."""
        p, y = paired(predicted, age)
        return self.corrected(p) - y


@dataclass(frozen=True)
class Beheshti:
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
    caution: ClassVar[str] = _USES_AGE
    unit: ClassVar[str] = "years"

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
        p, y = paired(predicted, _needed(age, "Beheshti's"))
        return p - (self.slope * y + self.intercept)

    def gap(self, predicted: npt.ArrayLike, age: npt.ArrayLike) -> Floats:
        """Corrected − chronological age, in years."""
        return self.corrected(predicted, age) - np.asarray(age, dtype=np.float64)


@dataclass(frozen=True)
class DeLange:
    """De Lange's correction: ŷ = α·y + β, corrected = ŷ + (y − (α·y + β)). Algebraically Beheshti's; uses the test age.

    Source: de Lange et al., PNAS 2019. What :class:`Beheshti` says of inflated figures holds here too.
    """

    slope: float
    """α."""
    intercept: float
    """β, in years."""

    uses_test_age: ClassVar[bool] = True
    caution: ClassVar[str] = _USES_AGE
    unit: ClassVar[str] = "years"

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
        p, y = paired(predicted, _needed(age, "de Lange's"))
        return p + (y - (self.slope * y + self.intercept))

    def gap(self, predicted: npt.ArrayLike, age: npt.ArrayLike) -> Floats:
        """Corrected − chronological age, in years."""
        return self.corrected(predicted, age) - np.asarray(age, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class AgeLevel:
    """Age-level correction: for each whole year of age k, (ŷ − y − μₖ)/σₖ. The gap is in SD, not in years.

    Takes out a bias of any shape, and its changing spread, where the others take out a straight line. Uses the test
    age. Source: Zhang et al., NeuroImage Clin 2023. The window that widens where people are few is our choice.
    """

    first_year: int
    mean_years: Floats
    """μₖ for the years of age from ``first_year`` on."""
    sd_years: Floats
    """σₖ, with n − 1."""
    people: npt.NDArray[np.int64]
    """How many stand behind each year of age."""

    uses_test_age: ClassVar[bool] = True
    caution: ClassVar[str] = _USES_AGE
    unit: ClassVar[str] = "SD"

    @classmethod
    def fit(cls, predicted: npt.ArrayLike, age: npt.ArrayLike, *, min_people: int = 20) -> Self:
        """Mean and spread of the gap for each whole year from the youngest to the oldest.

        Where a year has fewer than ``min_people``, years to both sides are taken in until it has them.

        >>> rng = np.random.default_rng(0)
        >>> age = np.repeat([50.5, 51.5], 100)
        >>> AgeLevel.fit(age + rng.normal(4, 2, 200), age).mean_years.round(0).tolist()
        [4.0, 4.0]

        Raises
        ------
        TableError
            If there are fewer than 3 people, or all around one age have the same gap.
        """
        p, y = paired(predicted, age, at_least=3)
        gap, year = p - y, np.floor(y).astype(np.int64)
        years = np.arange(year.min(), year.max() + 1)
        enough = min(max(min_people, 3), len(y))
        # the enough-th nearest person decides how wide each window has to be
        away = np.abs(year[None, :] - years[:, None])
        taken = away <= np.partition(away, enough - 1, axis=1)[:, [enough - 1]]
        means = np.array([gap[t].mean() for t in taken])
        sds = np.array([gap[t].std(ddof=1) for t in taken])
        if (sds < 1e-9).any():
            raise TableError(
                f"no spread of the gap round age {years[sds.argmin()]}", wanted="people with different gaps"
            )
        return cls(int(years[0]), means, sds, taken.sum(axis=1))

    def corrected(self, predicted: npt.ArrayLike, age: npt.ArrayLike | None = None) -> Floats:
        """ŷ − μₖ: years with the bias of that age taken out, the spread left; NaN outside the fitted ages.

        Raises
        ------
        UsageError
            If no ages are given.
        """
        p, y = paired(predicted, _needed(age, "The age-level"))
        return p - self._at(self.mean_years, y)

    def gap(self, predicted: npt.ArrayLike, age: npt.ArrayLike) -> Floats:
        """(ŷ − y − μₖ)/σₖ, in standard deviations of people of that age; NaN outside the fitted ages."""
        p, y = paired(predicted, age)
        return (p - y - self._at(self.mean_years, y)) / self._at(self.sd_years, y)

    def _at(self, values: Floats, age: Floats) -> Floats:
        k = np.floor(age).astype(np.int64) - self.first_year
        return np.where((k >= 0) & (k < len(values)), values[k.clip(0, len(values) - 1)], np.nan)


def _needed(age: npt.ArrayLike | None, whose: str) -> npt.ArrayLike:
    if age is None:
        raise UsageError(
            f"{whose} correction without ages",
            wanted="the chronological age of each person",
            remedy="give the ages, or use Cole's correction, which needs none",
        )
    return age
