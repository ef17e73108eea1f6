"""Corrections that follow a bias which bends with age: LOWESS, and age (and its square) as a covariate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats, paired
from spineclock.stats.bias.correction import USES_AGE, Correction, needed


@dataclass(frozen=True, eq=False)
class Lowess(Correction):
    """LOWESS correction: a smooth curve s of the bias ŷ − y over age is taken off, corrected = ŷ − s(y).

    Locally weighted straight lines with weights that turn from outlying people (Cleveland, J Am Stat Assoc 1979), read
    between the fitted ages by straight lines, and unknown (NaN) outside them. Uses the test age.
    """

    age_years: Floats
    """The fitted ages, rising."""
    bias_years: Floats
    """The smooth bias at each."""

    uses_test_age: ClassVar[bool] = True
    caution: ClassVar[str] = USES_AGE

    @classmethod
    def fit(cls, predicted: npt.ArrayLike, age: npt.ArrayLike, *, share: float = 2 / 3, rounds: int = 3) -> Self:
        """The curve from validation people.

        Parameters
        ----------
        predicted, age : array-like, shape (n,)
            In years.
        share : float
            Of the people, nearest in age, that each local line is fitted to.
        rounds : int
            Of reweighting that turn from outliers.

        Raises
        ------
        TableError
            If the people nearest to some age are all of that age, so that no line can be laid through them.
        UsageError
            If ``share`` is not above 0 and up to 1.

        Examples
        --------
        >>> age = np.linspace(30, 80, 201)
        >>> bent = Lowess.fit(age + (age - 55) ** 2 / 100, age, share=0.2)
        >>> bent.gap([75.0], [71.0]).round(1).tolist()  # the bias at 71 is (71 − 55)²/100 = 2.6 years
        [1.4]
        """
        # statsmodels' regression machinery takes half a second to import; a prediction needs none of it
        from statsmodels.nonparametric.smoothers_lowess import lowess

        p, y = paired(predicted, age, at_least=3)
        if not 0 < share <= 1:
            raise UsageError(f"a share of {share:g} of the people", wanted="above 0 and up to 1, such as 0.67")
        ages = np.unique(y)
        with np.errstate(invalid="ignore", divide="ignore"):  # where it cannot be fitted it is NaN, and refused below
            curve = np.asarray(lowess(p - y, y, frac=share, it=rounds, xvals=ages), dtype=np.float64)
        if len(ages) < 3 or not np.isfinite(curve).all():
            raise TableError(
                f"{len(y)} people of {len(ages)} ages, too few for a curve through {share:.0%} of them at a time",
                wanted="people of many ages",
                remedy="raise share, or use Cole's correction",
            )
        return cls(ages, curve)

    def corrected(self, predicted: npt.ArrayLike, age: npt.ArrayLike | None = None) -> Floats:
        """ŷ − s(y), in years; NaN outside the fitted ages; a UsageError if no ages are given."""
        p, y = paired(predicted, needed(age, "The LOWESS"))
        return p - np.interp(y, self.age_years, self.bias_years, left=np.nan, right=np.nan)


@dataclass(frozen=True)
class AgeCovariate(Correction):
    """Age as a covariate: the gap's regression on age and its square is taken off, the residual is the gap.

    With degree 1 it is Beheshti's. It is *not* the same as entering age in a later model of the gap, which takes age
    out of the other variables as well (Frisch and Waugh 1933): where a later model is fitted, enter age there too.
    Uses the test age.

    Source: Le et al., Front Aging Neurosci 2018; with the square, δ₂q of Smith et al., NeuroImage 2019.
    """

    centre_years: float
    """Mean age of the fitting set; powers are of age minus this."""
    coefficients: tuple[float, ...]
    """Constant first, in years a yearᵏ."""

    uses_test_age: ClassVar[bool] = True
    caution: ClassVar[str] = USES_AGE

    @classmethod
    def fit(cls, predicted: npt.ArrayLike, age: npt.ArrayLike, *, degree: int = 2) -> Self:
        """The regression from validation people, in years.

        >>> AgeCovariate.fit([44, 51, 60, 71], [40, 50, 60, 70]).gap([56], [55]).round(6).tolist()
        [0.75]

        Raises
        ------
        TableError
            If there are not more ages than coefficients.
        UsageError
            If ``degree`` is not 1, 2 or 3.
        """
        if degree not in (1, 2, 3):
            raise UsageError(f"age to the power of {degree}", wanted="degree 1, 2 or 3")
        p, y = paired(predicted, age, at_least=degree + 2)
        if len(np.unique(y)) < degree + 1:
            raise TableError(
                f"{len(y)} people of {len(np.unique(y))} ages", wanted=f"at least {degree + 1} to fit age^{degree}"
            )
        centre = float(y.mean())
        fitted = np.polynomial.polynomial.polyfit(y - centre, p - y, degree)
        return cls(centre, tuple(float(c) for c in fitted))

    def corrected(self, predicted: npt.ArrayLike, age: npt.ArrayLike | None = None) -> Floats:
        """ŷ less the bias expected at this age, in years; a UsageError if no ages are given."""
        p, y = paired(predicted, needed(age, "The age-covariate"))
        expected = np.polynomial.polynomial.polyval(y - self.centre_years, np.array(self.coefficients))
        return p - np.asarray(expected, dtype=np.float64)
