"""A network's own uncertainty brought to scale: the SD of its distribution over ages, on people it has not seen.

A network that answers with a distribution says of each scan how sure it is. The differences between scans may be worth
something; the size is not, as the loss decides it (the variance term of the mean–variance loss makes it small). One
factor, fitted on validation people, mends the size.

Sources: Laves et al., Well-calibrated regression uncertainty in medical imaging, MIDL 2020 (one factor by maximum
likelihood); Lei et al., Distribution-free predictive inference for regression, JASA 2018, section 5.2 (locally weighted
split-conformal intervals).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats, paired
from spineclock.stats.intervals import Intervals, SplitConformal

FLOOR_YEARS = 0.5
"""The least SD that counts: half a class of one year. Below it a distribution says which class, and no more."""


@dataclass(frozen=True)
class SpreadScale:
    """The factor between the predicted and the true SD, as large as makes the validation people's ages most likely.

    Under the model that an age is normally distributed round the predicted one with SD ``factor · sd``. Intervals by
    it promise nothing where errors are not normal or the predictions are biased: correct the bias first, or use
    :class:`NormalisedConformal`.

    Attributes
    ----------
    factor : float
        Above 1 where the network is too sure of itself.
    people : int
        How many it was fitted on.
    floor_years : float
        The least SD that counts, before the factor.
    """

    factor: float
    people: int
    floor_years: float = FLOOR_YEARS

    @classmethod
    def fit(
        cls, predicted: npt.ArrayLike, sd: npt.ArrayLike, age: npt.ArrayLike, *, floor_years: float = FLOOR_YEARS
    ) -> SpreadScale:
        """√ of the mean of ((ŷ − y)/sd)², over people the network has not seen.

        Parameters
        ----------
        predicted, sd, age : array-like, shape (n,)
            Predicted mean and SD, and chronological age, in years; one row a person.
        floor_years : float
            The least SD that counts.

        Raises
        ------
        TableError
            If there are fewer than 3 people, a value is missing, an SD is negative, or every prediction is exact.

        Examples
        --------
        >>> SpreadScale.fit([52, 57, 66], [1, 1.5, 3], [50, 60, 60]).factor
        2.0
        """
        z = _scores(predicted, sd, age, floor_years)
        factor = float(np.sqrt(np.square(z).mean()))
        if factor == 0:
            raise TableError(f"{len(z)} predictions without any error", wanted="people the network has not seen")
        return cls(factor, len(z), floor_years)

    def sd_years(self, sd: npt.ArrayLike) -> Floats:
        """Scaled SDs, in years.

        >>> SpreadScale(2.0, 100).sd_years([0.1, 3.0]).tolist()
        [1.0, 6.0]
        """
        return self.factor * _floored(np.asarray(sd, dtype=np.float64), self.floor_years)

    def around(self, predicted: npt.ArrayLike, sd: npt.ArrayLike, *, coverage: float = 0.9) -> Intervals:
        """Normal intervals round predicted ages; their coverage is right only where the model is.

        >>> interval = SpreadScale(1.0, 100).around([60], [4], coverage=0.95)[0]
        >>> round(interval.low_years, 2), round(interval.high_years, 2)
        (52.16, 67.84)
        """
        if not 0 < coverage < 1:
            raise UsageError(f"a coverage of {coverage}", wanted="a number between 0 and 1, such as 0.9")
        middle, away = paired(predicted, float(norm.ppf((1 + coverage) / 2)) * self.sd_years(sd))
        return Intervals(middle - away, middle + away, coverage)


@dataclass(frozen=True)
class NormalisedConformal:
    """Intervals of half width ``q · sd``: wide where the network is unsure, narrow where it is sure.

    Guarantee: of people who could as well have been among the validation people (exchangeable, one scan each, the
    network fixed before), the interval covers the chronological age with a probability of at least ``coverage``, and
    of at most ``coverage + 1/(n + 1)`` where errors have a density, whatever their distribution and however bad the SD.
    It is a promise over all such people together, not for each kind of them: it comes near that so far as the SD
    follows the errors, which constant widths (:class:`spineclock.stats.intervals.SplitConformal`) cannot.

    Attributes
    ----------
    factor : float
        q.
    coverage : float
        Asked for.
    people : int
        How many it was fitted on.
    floor_years : float
        The least SD that counts.
    """

    factor: float
    coverage: float
    people: int
    floor_years: float = FLOOR_YEARS

    @classmethod
    def fit(
        cls,
        predicted: npt.ArrayLike,
        sd: npt.ArrayLike,
        age: npt.ArrayLike,
        *,
        coverage: float = 0.9,
        floor_years: float = FLOOR_YEARS,
    ) -> NormalisedConformal:
        """q as the ⌈(n + 1) · coverage⌉-th smallest |ŷ − y|/sd, over people the network has not seen.

        Parameters
        ----------
        predicted, sd, age, floor_years
            As in :meth:`SpreadScale.fit`.
        coverage : float
            Of the intervals.

        Raises
        ------
        TableError
            If there are fewer than 3 people or too few for the coverage, a value is missing or an SD is negative.

        Examples
        --------
        >>> NormalisedConformal.fit([51, 54, 57, 68], [1, 2, 3, 4], [50, 50, 60, 60], coverage=0.8).factor
        2.0
        """
        z = SplitConformal.fit(_scores(predicted, sd, age, floor_years), coverage=coverage)
        return cls(z.half_width_years, coverage, z.people, floor_years)

    def around(self, predicted: npt.ArrayLike, sd: npt.ArrayLike) -> Intervals:
        """The intervals round predicted ages.

        >>> NormalisedConformal(2.0, 0.9, 50).around([60, 70], [1, 4])[1]
        Interval(low_years=62.0, high_years=78.0, coverage=0.9)
        """
        middle, away = paired(predicted, self.factor * _floored(np.asarray(sd, dtype=np.float64), self.floor_years))
        return Intervals(middle - away, middle + away, self.coverage)


class SpreadByGroup(NamedTuple):
    """Whether predicted SDs tell who is hard to read: one row a group of people of like SD, from sure to unsure."""

    sd_years: Floats
    """Root mean square of the (scaled) SDs in the group."""
    error_years: Floats
    """Root mean square error in the group; equal to the former where the SDs are calibrated."""
    people: npt.NDArray[np.int64]


def spread_by_group(
    predicted: npt.ArrayLike, sd: npt.ArrayLike, age: npt.ArrayLike, *, groups: int = 5
) -> SpreadByGroup:
    """Predicted SD against error in groups of equal size: the calibration curve of a predicted spread.

    Raises
    ------
    TableError
        If there are fewer than two people a group, a value is missing or an SD is negative.

    Examples
    --------
    >>> spread_by_group([51, 49, 56, 64], [1, 1, 4, 4], [50, 50, 60, 60], groups=2).error_years.tolist()
    [1.0, 4.0]

    Source: Levi et al., Evaluating and calibrating uncertainty prediction in regression tasks, Sensors 2022.
    """
    error = _scores(predicted, sd, age, 0.0, at_least=2 * groups, divided=False)
    width = np.asarray(sd, dtype=np.float64)
    parts = np.array_split(np.argsort(width, kind="stable"), groups)
    squares = [[float(np.sqrt(np.square(x[part]).mean())) for part in parts] for x in (width, error)]
    return SpreadByGroup(np.array(squares[0]), np.array(squares[1]), np.array([len(part) for part in parts]))


def _floored(sd: Floats, floor_years: float) -> Floats:
    bad = int((~np.isfinite(sd) | (sd < 0)).sum())
    if bad:
        raise TableError(f"{bad} of {sd.size} predicted SDs missing or negative", wanted="years, 0 and up")
    if not floor_years >= 0:
        raise UsageError(f"a least SD of {floor_years}", wanted="years, 0 and up")
    return np.maximum(sd, floor_years)


def _scores(
    predicted: npt.ArrayLike,
    sd: npt.ArrayLike,
    age: npt.ArrayLike,
    floor_years: float,
    *,
    at_least: int = 3,
    divided: bool = True,
) -> Floats:
    """(ŷ − y)/sd, checked; or the errors alone."""
    p, y = paired(predicted, age, at_least=at_least)
    width = _floored(np.asarray(sd, dtype=np.float64), floor_years)
    if width.shape != p.shape:
        raise UsageError(f"SDs of shape {width.shape} for {p.shape} predicted ages", wanted="one SD a prediction")
    if not divided:
        return p - y
    if (width == 0).any():
        raise TableError("a predicted SD of 0", wanted="a least SD above 0", remedy="raise floor_years")
    return (p - y) / width
