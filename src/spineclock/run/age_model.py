"""The interpretable age model from outlined, measured people: features, fit, and an honest error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from spineclock import measure
from spineclock.core.volume import Mask
from spineclock.ingest.datasets.spider import SpiderPerson
from spineclock.recipes.mri_age import FEATURES, NETWORK_FEATURES, NetworkFeatures
from spineclock.segment.instances import bodies, find
from spineclock.stats.measured_age import MeasuredAge
from spineclock.stats.readout import Groups, fitted


def measured_people(
    people: Sequence[SpiderPerson], masks: Sequence[Mask], features: NetworkFeatures | None = None
) -> pd.DataFrame:
    """One row a person: person_id, age_years, sex.male and every measurement by its full name, the network's if given.

    ``masks`` hold classes (1 disc, 2 vertebra, 3 canal) and must come from a network that never saw the person.
    """
    rows = []
    for person, mask in zip(people, masks, strict=True):
        found = find(mask)
        measured = measure.spine(person.volume, found.labels, bodies(found)).wide()
        by_network = features(person.volume, found.labels) if features else {}
        rows.append(
            {
                "person_id": person.person_id,
                "age_years": person.age_years,
                "sex.male": float(person.sex == "M"),
                "confidence": found.confidence,
                **measured,
                **by_network,
            }
        )
    return pd.DataFrame(rows)


def groups_of(table: pd.DataFrame) -> Groups:
    """What the packaged age reads of a table of :func:`measured_people`: the measurements, and the network's features.

    Which of several ways of reading is best was asked once, by nested leave one out: ``docs/results/readout.md``.
    """
    return (FEATURES, NETWORK_FEATURES) if set(NETWORK_FEATURES) <= set(table) else (FEATURES,)


def age_model(table: pd.DataFrame, *, about: dict[str, Any]) -> MeasuredAge:
    """The model of the people in a table of :func:`measured_people`, all of known age."""
    groups = groups_of(table)
    columns = ["age_years", *(name for group in groups for name in group)]
    return fitted(table.reindex(columns=columns), groups, about=about)
