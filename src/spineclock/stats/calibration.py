"""From a model's raw age to what is reported of it: bias-corrected age, interval and gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spineclock.core.errors import UsageError
from spineclock.core.records import AgePrediction, Contribution
from spineclock.stats.bias import Cole
from spineclock.stats.intervals import Intervals, SplitConformal
from spineclock.stats.predicted_spread import NormalisedConformal


@dataclass(frozen=True)
class Calibration:
    """Bias correction and interval of one model, fitted on people it has not seen."""

    cole: Cole
    conformal: SplitConformal | NormalisedConformal
    """Of constant width, or of a width that goes with the SD of the distribution that the network answers with."""

    @classmethod
    def fit(cls, validation: Sequence[Sequence[float]], *, coverage: float) -> Calibration:
        """From predicted and chronological age in years, one pair a person; with the predicted SD where there is one.

        Raises
        ------
        TableError
            If there are too few people for a correction, or for an interval of this coverage.
        """
        past, ages, *spread = np.array(validation, dtype=float).T
        cole = Cole.fit(past, ages)
        if spread:
            return cls(cole, NormalisedConformal.fit(past, spread[0], ages, coverage=coverage))
        return cls(cole, SplitConformal.fit(past - ages, coverage=coverage))

    def around(self, predicted: npt.ArrayLike, sd_years: npt.ArrayLike | None = None) -> Intervals:
        """The intervals round raw predicted ages; ``sd_years`` where those it was fitted on came with theirs."""
        if isinstance(self.conformal, SplitConformal):
            return self.conformal.around(predicted)
        if sd_years is None:
            raise UsageError("an interval by predicted SDs, and no SD", wanted="the SD of each answer")
        return self.conformal.around(predicted, sd_years)

    def prediction(
        self,
        predicted: float,
        *,
        age_years: float | None,
        components: Mapping[str, float],
        contributions: tuple[Contribution, ...] = (),
        sd_years: float | None = None,
    ) -> AgePrediction:
        """All that is reported of a raw predicted age; the interval lies round the raw one.

        >>> c = Calibration.fit([(45, 40), (50, 50), (55, 60), (60, 70)], coverage=0.8)
        >>> p = c.prediction(52.5, age_years=50, components={"measurements": 52.5})
        >>> round(p.corrected_age_years, 6), round(p.gap_years or 0, 6), p.interval.high_years
        (55.0, 5.0, 62.5)
        """
        corrected = float(self.cole.corrected([predicted])[0])
        return AgePrediction(
            predicted_age_years=predicted,
            corrected_age_years=corrected,
            interval=self.around([predicted], None if sd_years is None else [sd_years])[0],
            gap_years=None if age_years is None else corrected - age_years,
            components=dict(components),
            contributions=contributions,
            predicted_sd_years=sd_years,
        )
