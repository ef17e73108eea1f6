"""What a trained network says of scans, corrected and with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from spineclock.core.errors import TableError
from spineclock.stats.calibration import Calibration

COLUMNS = ("scan_id", "person_id", "age_years", "sex", "site", "scanner", "split", "set", "normal",
           "predicted_age_years", "corrected_age_years", "interval_low_years", "interval_high_years", "gap_years",
           "model")  # fmt: skip
"""Of predictions.csv, as far as the cohort tells them; ``spineclock study`` reads it."""


class Answers(NamedTuple):
    """A row a scan with :data:`COLUMNS`, and why corrections and intervals are missing, if they are."""

    table: pd.DataFrame
    caution: str


def answers(
    table: pd.DataFrame,
    predicted: np.ndarray,
    validation: Sequence[Sequence[float]],
    *,
    coverage: float,
    model: str,
) -> Answers:
    """The table with predicted and corrected ages, interval and gap, all by the validation people alone.

    A network that learned nothing, or was judged by too few people, has no correction and no interval: these stay
    empty, and ``caution`` says why.

    Parameters
    ----------
    table : DataFrame
        A row a scan.
    predicted : ndarray
        Predicted age of each row, in years.
    validation : pairs
        Predicted and chronological age of each validation scan.
    """
    corrected = low = high = np.full(len(table), np.nan)
    caution = ""
    try:
        calibration = Calibration.fit(validation, coverage=coverage)
    except TableError as error:
        caution = str(error)
    else:
        corrected = calibration.cole.corrected(predicted)
        interval = calibration.conformal.around(predicted)
        low, high = interval.low_years, interval.high_years
    found = table.assign(
        predicted_age_years=predicted,
        corrected_age_years=corrected,
        interval_low_years=low,
        interval_high_years=high,
        gap_years=corrected - table["age_years"].to_numpy(),
        model=model,
    )
    return Answers(found[[c for c in COLUMNS if c in found]], caution)
