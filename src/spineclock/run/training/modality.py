"""The lines that make films of other kinds comparable to radiographs, from the people a run was recalibrated by."""

from __future__ import annotations

import numpy as np
import pandas as pd

from spineclock.nets.run_folder import TrainedNetwork
from spineclock.stats.bias import ModalityCorrection, ModalityLine

REFERENCE = "radiograph"
"""What networks of films learn from: its predictions are what the others are made comparable to."""
COLUMN = "modality_corrected_age_years"


def correction_of(trained: TrainedNetwork) -> ModalityCorrection | None:
    """Beheshti's line of each kind but radiographs that the network was recalibrated for; None where there is none."""
    lines = {}
    for kind, found in trained.recalibrated.items():
        if kind in ("", REFERENCE):
            continue
        predicted, age = np.array(found.pairs, dtype=float)[:, :2].T
        lines[kind] = ModalityLine.fit(predicted, age, people=int(found.about["people"]))
    people = frozenset[str]().union(*(found.people for found in trained.recalibrated.values()))
    return ModalityCorrection(lines, people) if lines else None


def applied(trained: TrainedNetwork, said: pd.DataFrame) -> pd.DataFrame:
    """Predictions of films with :data:`COLUMN` where a film is of such a kind; of radiographs it stays empty.

    Raises
    ------
    TableError
        If one of the people is among those the lines are fitted on.
    """
    correction = correction_of(trained) if "film" in said else None
    if correction is None:
        return said
    rows = said["film"].isin(list(correction.lines))
    if not rows.any():
        return said
    corrected = correction.applied(said[rows].assign(modality=said.loc[rows, "film"]))
    return said.assign(**{COLUMN: corrected[COLUMN].reindex(said.index)})
