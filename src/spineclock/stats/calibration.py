"""From a model's raw age to what is reported of it: bias-corrected age, interval and gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spineclock.core.records import AgePrediction, Contribution
from spineclock.stats.bias import Cole
from spineclock.stats.intervals import SplitConformal


@dataclass(frozen=True)
class Calibration:
    """Bias correction and interval of one model, fitted on people it has not seen."""

    cole: Cole
    conformal: SplitConformal

    @classmethod
    def fit(cls, validation: Sequence[Sequence[float]], *, coverage: float) -> Calibration:
        """From pairs of predicted and chronological age in years, one a person.

        Raises
        ------
        TableError
            If there are too few people for a correction, or for an interval of this coverage.
        """
        past, ages = np.array(validation, dtype=float).T
        return cls(Cole.fit(past, ages), SplitConformal.fit(past - ages, coverage=coverage))

    def prediction(
        self,
        predicted: float,
        *,
        age_years: float | None,
        components: Mapping[str, float],
        contributions: tuple[Contribution, ...] = (),
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
            interval=self.conformal.around(predicted)[0],
            gap_years=None if age_years is None else corrected - age_years,
            components=dict(components),
            contributions=contributions,
        )
