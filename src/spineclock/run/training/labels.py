"""Who has the disease that a recipe learns, or what befell them, from a cohort's table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from spineclock import recipes
from spineclock.core.errors import TableError
from spineclock.core.outcomes import Age, Diagnosis, TimeToEvent
from spineclock.ingest.study_table import yes_or_no
from spineclock.run.training.risk_targets import told_of
from spineclock.run.training.sets import Labelled
from spineclock.run.training.settings import TrainSettings


def labels_of(recipe: str, settings: TrainSettings, cohort: Path | None = None) -> Labelled | None:
    """From a cohort's table to its labels, as the recipe tells them, or as its column does; None of a recipe of ages.

    What is to be known of the labels, such as how many densitometries were too old, is said as they are read.
    ``cohort``: where a list of fractured vertebrae may lie beside the table.
    """
    found = recipes.get(recipe)
    match found.outcome:
        case Age():
            return None
        case Diagnosis(column=column):

            def labelled(table: pd.DataFrame) -> pd.Series:
                if found.learning.labels is not None:
                    table, notes = found.learning.labels(table, settings)
                    for note in notes:
                        print(note)
                if column not in table:
                    raise TableError(f"the cohort has no column {column}", wanted="1 or true of those who have it")
                return yes_or_no(table[column], "the cohort")

            return labelled
        case TimeToEvent() as outcome:
            return lambda table: told_of(table, outcome, settings, cohort)
