"""The interpretable age model from outlined, measured people: features, fit, and an honest error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from spineclock import measure
from spineclock.core.volume import Mask
from spineclock.ingest.datasets.spider import SpiderPerson
from spineclock.recipes.mri_age import FEATURES
from spineclock.segment.instances import bodies, find
from spineclock.stats.measured_age import MeasuredAge, fit_with_out_of_fold


def measured_people(people: Sequence[SpiderPerson], masks: Sequence[Mask]) -> pd.DataFrame:
    """One row a person: person_id, age_years, sex.male and every measurement by its full name.

    ``masks`` hold classes (1 disc, 2 vertebra, 3 canal) and must come from a network that never saw the person.
    """
    rows = []
    for person, mask in zip(people, masks, strict=True):
        found = find(mask)
        measured = measure.spine(person.volume, found.labels, bodies(found)).wide()
        rows.append({"person_id": person.person_id, "age_years": person.age_years,
                     "sex.male": float(person.sex == "M"), "confidence": found.confidence, **measured})  # fmt: skip
    return pd.DataFrame(rows)


def age_model(table: pd.DataFrame, *, about: dict[str, Any]) -> MeasuredAge:
    """The model of the people in a table of :func:`measured_people`, all of known age."""
    measured = table.reindex(columns=list(FEATURES)).to_numpy(dtype=float)
    return fit_with_out_of_fold(measured, table["age_years"].to_numpy(dtype=float), features=FEATURES, about=about)
