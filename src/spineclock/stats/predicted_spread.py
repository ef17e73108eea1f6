"""A network's own uncertainty brought to scale: the SD of its distribution over ages, on people it has not seen.

A network that answers with a distribution says of each scan how sure it is. The differences between scans may be worth
something; the size is not, as the loss decides it (the variance term of the mean–variance loss makes it small). One
factor, fitted on validation people, mends the size.

Source: Lei et al., Distribution-free predictive inference for regression, JASA 2018, section 5.2 (locally weighted
split-conformal intervals).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats, paired
from spineclock.stats.intervals import Intervals, SplitConformal

FLOOR_YEARS = 0.5
"""The least SD that counts: half a class of one year. Below it a distribution says which class, and no more."""


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
        predicted, sd, age : array-like, shape (n,)
            Predicted mean and SD, and chronological age, in years; one row a person.
        coverage : float
            Of the intervals.
        floor_years : float
            The least SD that counts.

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


def _floored(sd: Floats, floor_years: float) -> Floats:
    bad = int((~np.isfinite(sd) | (sd < 0)).sum())
    if bad:
        raise TableError(f"{bad} of {sd.size} predicted SDs missing or negative", wanted="years, 0 and up")
    if not floor_years >= 0:
        raise UsageError(f"a least SD of {floor_years}", wanted="years, 0 and up")
    return np.maximum(sd, floor_years)


def _scores(predicted: npt.ArrayLike, sd: npt.ArrayLike, age: npt.ArrayLike, floor_years: float) -> Floats:
    """(ŷ − y)/sd, checked."""
    p, y = paired(predicted, age, at_least=3)
    width = _floored(np.asarray(sd, dtype=np.float64), floor_years)
    if width.shape != p.shape:
        raise UsageError(f"SDs of shape {width.shape} for {p.shape} predicted ages", wanted="one SD a prediction")
    if (width == 0).any():
        raise TableError("a predicted SD of 0", wanted="a least SD above 0", remedy="raise floor_years")
    return (p - y) / width
