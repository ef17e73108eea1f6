"""Correction by each year of age: the gap as a z-score among people of that age."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from spineclock.core.errors import TableError
from spineclock.stats.ages import Floats, paired
from spineclock.stats.bias.correction import USES_AGE, Correction, needed


@dataclass(frozen=True, eq=False)
class AgeLevel(Correction):
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
    caution: ClassVar[str] = USES_AGE
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
        p, y = paired(predicted, needed(age, "The age-level"))
        return p - self._at(self.mean_years, y)

    def gap(self, predicted: npt.ArrayLike, age: npt.ArrayLike) -> Floats:
        """(ŷ − y − μₖ)/σₖ, in standard deviations of people of that age; NaN outside the fitted ages."""
        p, y = paired(predicted, age)
        return (p - y - self._at(self.mean_years, y)) / self._at(self.sd_years, y)

    def _at(self, values: Floats, age: Floats) -> Floats:
        k = np.floor(age).astype(np.int64) - self.first_year
        return np.where((k >= 0) & (k < len(values)), values[k.clip(0, len(values) - 1)], np.nan)
