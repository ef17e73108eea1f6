"""What a trained network says of scans, corrected and with intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from spineclock.core.errors import TableError
from spineclock.stats.calibration import Calibration

if TYPE_CHECKING:
    from spineclock.learn.fit import Judged

COLUMNS = ("scan_id", "person_id", "age_years", "sex", "site", "scanner", "film", "split", "set",
           "normal", "predicted_age_years", "predicted_sd_years", "corrected_age_years", "interval_low_years",
           "interval_high_years", "gap_years", "model")  # fmt: skip
"""Of predictions.csv, as far as the cohort tells them; ``spineclock study`` reads it."""


class Answers(NamedTuple):
    """A row a scan with :data:`COLUMNS`, and why corrections and intervals are missing, if they are."""

    table: pd.DataFrame
    caution: str


def answers(
    table: pd.DataFrame,
    judged: Judged,
    pairs: Callable[[str], Sequence[Sequence[float]]],
    *,
    coverage: float,
    model: str,
) -> Answers:
    """The table with predicted and corrected ages, interval and gap, all by people the network has not learned from.

    A network that learned nothing, or was judged by too few people, has no correction and no interval: these stay
    empty, and ``caution`` says why.

    Parameters
    ----------
    table : DataFrame
        A row a scan; ``film`` tells its kind, where it is a film.
    judged : Judged
        What the network says of each row.
    pairs : function
        From a kind of film ("" for scans) to predicted and chronological ages of the people to correct by, and the SDs
        of answers that are distributions.
    """
    found = table.assign(predicted_age_years=judged.ages_years, corrected_age_years=np.nan, interval_low_years=np.nan,
                         interval_high_years=np.nan, gap_years=np.nan, model=model)  # fmt: skip
    if judged.sd_years is not None:
        found["predicted_sd_years"] = judged.sd_years
    cautions = []
    kinds = table["film"] if "film" in table else pd.Series("", index=table.index)
    for kind in kinds.unique():
        rows = kinds == kind
        said = found.loc[rows, "predicted_age_years"].to_numpy()
        spread = None if judged.sd_years is None else judged.sd_years[rows.to_numpy()]
        try:
            calibration = Calibration.fit(pairs(str(kind)), coverage=coverage)
        except TableError as error:
            cautions.append(str(error))
            continue
        corrected, interval = calibration.cole.corrected(said), calibration.around(said, spread)
        found.loc[rows, "corrected_age_years"] = corrected
        found.loc[rows, "interval_low_years"] = interval.low_years
        found.loc[rows, "interval_high_years"] = interval.high_years
        found.loc[rows, "gap_years"] = corrected - found.loc[rows, "age_years"]
    return Answers(found[[c for c in COLUMNS if c in found]], "; ".join(dict.fromkeys(cautions)))


def corrected_by(judged: Judged, ages_years: pd.Series[float]) -> list[list[float]]:
    """Predicted and chronological age of each row, with the SD of an answer that is a distribution."""
    columns = [judged.ages_years, ages_years.to_numpy(dtype=float)]
    if judged.sd_years is not None:
        columns.append(judged.sd_years)
    found: list[list[float]] = np.column_stack(columns).round(4).tolist()
    return found
