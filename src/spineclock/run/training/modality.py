"""The lines that make films of other kinds comparable to radiographs, kept in a run's folder."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from spineclock.core.errors import InputError, TableError
from spineclock.run.outputs import write_json
from spineclock.stats.bias import ModalityCorrection

FILE = "modality_correction.json"
REFERENCE = "radiograph"
"""What networks of films learn from: its predictions stay as they are."""


def kinds(table: pd.DataFrame) -> pd.Series[str]:
    """Each film's modality; one of no told kind counts as a radiograph."""
    return table["film"].where(table["film"] != "", REFERENCE)


def fitted(table: pd.DataFrame) -> ModalityCorrection:
    """The lines of calibration people, with person_id, film, age_years, predicted_age_years; TableError if few."""
    return ModalityCorrection.fit(table.assign(modality=kinds(table)), reference=REFERENCE)


def read(run: Path) -> ModalityCorrection | None:
    """What an earlier call left; None where there is nothing.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    path = run / FILE
    if not path.is_file():
        return None
    try:
        return ModalityCorrection.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TableError) as error:
        raise InputError(f"{path} cannot be used ({error})", wanted="what `spineclock recalibrate` wrote",
                         remedy="remove it, or recalibrate again") from error  # fmt: skip


def write(run: Path, correction: ModalityCorrection, *, earlier: ModalityCorrection | None) -> None:
    """Keeps the lines, beside those of other kinds from before."""
    if earlier is not None:
        correction = ModalityCorrection({**earlier.lines, **correction.lines}, earlier.fitted_on | correction.fitted_on)
    write_json(run / FILE, correction.as_dict())


def applied(run: Path, said: pd.DataFrame) -> pd.DataFrame:
    """Predictions of films with ``modality_corrected_age_years``, where the run has such lines for all their kinds."""
    correction = read(run) if "film" in said else None
    if correction is None or not set(kinds(said)) <= set(correction.lines):
        return said
    return correction.applied(said.assign(modality=kinds(said))).drop(columns="modality")
