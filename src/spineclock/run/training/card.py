"""How far off a network of ages is, as model cards and pages show it."""

from __future__ import annotations

import pandas as pd

from spineclock.run.tables import markdown
from spineclock.run.training.errors import without_sites

WORDS = {
    "group": "people", "scans": "scans", "people": "persons", "mae_years": "MAE", "mean_error_years": "mean error",
    "corrected_mae_years": "corrected MAE", "r2": "R²", "interval_covers": "interval covers",
}  # fmt: skip


def figures(errors: pd.DataFrame) -> str:
    """The table of errors without groups by site, which ``errors.csv`` holds."""
    return markdown(without_sites(errors).rename(columns=WORDS)[list(WORDS.values())])
