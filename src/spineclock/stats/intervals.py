"""Intervals round a predicted age, with a coverage that holds without assuming any distribution.

They cover the *chronological* age of people like those of the calibration set, typical for their age. They say nothing
about a "true" spine age, which nobody has measured.

Sources: Vovk et al. 2005, Lei et al. 2018 (split); Barber, Candès, Ramdas and Tibshirani, Predictive inference with the
jackknife+, Annals of Statistics 2021 (jackknife+ and CV+).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spineclock.core.errors import TableError, UsageError
from spineclock.core.records import Interval
from spineclock.stats.ages import Floats


@dataclass(frozen=True, eq=False)
class Intervals:
    """Lower and upper ends in years, one pair a scan, and the coverage asked for."""

    low_years: Floats
    high_years: Floats
    coverage: float

    def covers(self, age: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether each chronological age lies within its interval, ends included."""
        y = np.asarray(age, dtype=np.float64)
        return (self.low_years <= y) & (y <= self.high_years)

    def __getitem__(self, scan: int) -> Interval:
        """One scan's interval."""
        return Interval(float(self.low_years[scan]), float(self.high_years[scan]), self.coverage)


@dataclass(frozen=True)
class SplitConformal:
    """The same number of years to both sides of every prediction.

    With residuals of people the model has not seen, the next such person's age is covered with at least the stated
    probability, whatever the distribution. With out-of-fold residuals and a model fitted on everyone (the usual way
    with few people) that is an approximation without a guarantee; :class:`CrossConformal` has one.
    """

    half_width_years: float
    coverage: float
    people: int

    @classmethod
    def fit(cls, residuals: npt.ArrayLike, *, coverage: float = 0.9) -> SplitConformal:
        """The half width from residuals (predicted − chronological age, either sign), one a person.

        It is the ⌈(n + 1) · coverage⌉-th smallest absolute residual: the + 1 is what makes it hold for small n.

        >>> SplitConformal.fit(range(1, 10)).half_width_years  # ⌈10 · 0.9⌉ = the 9th of 9
        9.0

        Raises
        ------
        TableError
            If there are too few residuals for the coverage.
        """
        sizes = np.sort(np.abs(_finite(residuals)))
        return cls(float(sizes[_rank(len(sizes), coverage) - 1]), coverage, len(sizes))

    def around(self, predicted: npt.ArrayLike) -> Intervals:
        """The intervals round predicted ages.

        >>> SplitConformal(5.0, 0.9, 50).around([40, 60])[1]
        Interval(low_years=55.0, high_years=65.0, coverage=0.9)
        """
        p = np.atleast_1d(np.asarray(predicted, dtype=np.float64))
        return Intervals(p - self.half_width_years, p + self.half_width_years, self.coverage)


@dataclass(frozen=True, eq=False)
class CrossConformal:
    """Cross-conformal intervals (CV+; jackknife+ where each fold is one person).

    The coverage is at least 2 · coverage − 1 whatever the distribution (for CV+ a little less, by at most
    √(2/n): Theorem 4) and in practice close to ``coverage``. The interval need not be symmetric about the final
    model's prediction.
    """

    residuals: Floats
    """Absolute out-of-fold residuals, shape (n,)."""
    fold: npt.NDArray[np.int64]
    """Which fold's model left each person out, shape (n,)."""
    coverage: float

    @classmethod
    def fit(
        cls, residuals: npt.ArrayLike, fold: npt.ArrayLike | None = None, *, coverage: float = 0.9
    ) -> CrossConformal:
        """From out-of-fold residuals (either sign), one a person, and the number 0 … K − 1 of each person's fold.

        Without ``fold`` each person was left out alone (jackknife+).

        Raises
        ------
        TableError
            If there are too few residuals for the coverage.
        UsageError
            If the folds do not fit the residuals.
        """
        sizes = np.abs(_finite(residuals))
        folds = np.arange(len(sizes)) if fold is None else np.asarray(fold)
        if folds.shape != sizes.shape or not np.issubdtype(folds.dtype, np.integer) or folds.min() < 0:
            raise UsageError(
                f"folds of shape {folds.shape} and type {folds.dtype} for {len(sizes)} residuals",
                wanted="one whole number from 0 a residual",
            )
        _rank(len(sizes), coverage)
        return cls(sizes, folds.astype(np.int64), coverage)

    def around(self, predicted_by_fold: npt.ArrayLike) -> Intervals:
        """The intervals of new scans from what each fold's model predicts for them, shape (scans, K).

        >>> c = CrossConformal.fit([1.0, -2.0, 3.0], coverage=0.5)
        >>> c.around([[50.0, 51.0, 52.0]])[0]
        Interval(low_years=49.0, high_years=53.0, coverage=0.5)

        Raises
        ------
        UsageError
            If there is not one prediction a fold.
        """
        p = np.asarray(predicted_by_fold, dtype=np.float64)
        folds = int(self.fold.max()) + 1
        if p.ndim != 2 or p.shape[1] != folds:
            raise UsageError(f"predictions of shape {p.shape}", wanted=f"(scans, {folds}), one column a fold's model")
        p = p[:, self.fold]
        rank = _rank(len(self.residuals), self.coverage)
        high = np.sort(p + self.residuals, axis=1)[:, rank - 1]
        low = np.sort(p - self.residuals, axis=1)[:, len(self.residuals) - rank]
        return Intervals(low, high, self.coverage)


def _rank(n: int, coverage: float) -> int:
    """⌈(n + 1) · coverage⌉, which must not exceed n."""
    if not 0 < coverage < 1:
        raise UsageError(f"a coverage of {coverage}", wanted="a number between 0 and 1, such as 0.9")
    rank = int(np.ceil((n + 1) * coverage - 1e-9))
    if rank > n:
        enough = int(np.ceil(coverage / (1 - coverage) - 1e-9))
        raise TableError(
            f"{n} residual(s), too few for an interval of {coverage:.0%}",
            wanted=f"at least {enough}",
            remedy="ask for less coverage, or calibrate on more people",
        )
    return rank


def _finite(residuals: npt.ArrayLike) -> Floats:
    values = np.asarray(residuals, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise TableError(
            f"residuals of shape {values.shape}, {int((~np.isfinite(values)).sum())} not finite",
            wanted="one finite number a person",
        )
    return values
