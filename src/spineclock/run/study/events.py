"""Which outcomes a study's people were followed for, and what Cox models adjust for."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from spineclock.stats.survival import TimeTo

EVENTS = {
    "any_fracture": "any fracture",
    "vertebral_fracture": "vertebral fracture",
    "non_vertebral_fracture": "non-vertebral fracture",
    "death": "death",
}
"""Columns that are looked for, and what they are called on the page."""
CLINICAL = (
    "prevalent_fracture", "bmi", "prior_fracture", "parental_hip_fracture", "current_smoker", "glucocorticoids",
    "rheumatoid_arthritis", "alcohol_3_units",
)  # fmt: skip
"""What M2 adjusts for beside age and sex, as far as the table has it."""


def followed(scans: pd.DataFrame) -> dict[str, TimeTo]:
    """The events a table tells of, death competing with the others where it is known.

    >>> found = followed(pd.DataFrame(columns=["any_fracture", "any_fracture_years", "death", "death_years"]))
    >>> list(found), found["any_fracture"].competing, found["death"].competing
    (['any_fracture', 'death'], 'death', None)
    """
    known = [event for event in EVENTS if {event, f"{event}_years"} <= set(scans)]
    fatal = "death" in known
    return {
        event: TimeTo(event, competing="death", competing_time="death_years")
        if fatal and event != "death"
        else TimeTo(event)
        for event in known
    }


def adjustments(scans: pd.DataFrame) -> Mapping[str, tuple[str, ...]]:
    """Covariates of M1 (age and sex), M2 (and clinical factors) and M3 (and osteoporosis).

    >>> adjustments(pd.DataFrame({"age_years": [50, 60], "sex": ["F", "M"], "bmi": [22.0, 30]}))
    {'M1': ('age_years', 'sex'), 'M2': ('age_years', 'sex', 'bmi')}
    """
    base = tuple(c for c in ("age_years", "sex") if c in scans)
    clinical = (*base, *(c for c in CLINICAL if c in scans and scans[c].nunique() > 1))
    models = {"M1": base}
    if clinical != base:
        models["M2"] = clinical
    if "osteoporosis" in scans and scans["osteoporosis"].nunique() > 1:
        models["M3"] = (*clinical, "osteoporosis")
    return models
