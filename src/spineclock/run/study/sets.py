"""Which scans are normal, and which of them train, validate and test: as told, or found and drawn here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from spineclock.core.errors import TableError
from spineclock.ingest.cohort import read_table
from spineclock.ingest.study_table import StudyTable
from spineclock.report.study_page import Section
from spineclock.run.config import StudySettings


@dataclass(frozen=True, eq=False)
class Cohort:
    """The study's table with ``normal`` and ``set``, and what is to be said of how they came about."""

    table: pd.DataFrame
    """``set``: train, validation, test (normal scans), abnormal, withheld (abnormal, of a person in training or
    validation), unused (normal, but in no split)."""
    section: Section | None


def cohort_sets(given: StudyTable, settings: StudySettings) -> Cohort:
    """Who is normal and in which set.

    Normal: as the table tells, else ``settings.normals``, else clustered here from the findings, else everyone. Split:
    as the table tells, else drawn by person among the normal ones.

    Raises
    ------
    TableError
        If a table of normals lacks the scans, or nobody is normal.
    """
    from spineclock.learn.split import split_by_person

    table, section = _with_normal(given, settings)
    if not table["normal"].fillna(False).any():
        raise TableError("nobody is normal", wanted="some scans with normal true")
    if "split" not in table:
        scans = table.drop_duplicates("scan_id")
        split = split_by_person(scans[scans["normal"].fillna(False)], settings)
        table = table.assign(split=table["scan_id"].map(split))
    return Cohort(table.assign(set=_sets(table)), section)


def _sets(table: pd.DataFrame) -> np.ndarray:
    normal = table["normal"].fillna(False).to_numpy(dtype=bool)
    split = table["split"].astype(object).where(table["split"].notna(), "").to_numpy()
    learnt = set(table["person_id"][normal & np.isin(split, ["train", "validation"])])
    known = table["person_id"].isin(learnt).to_numpy()
    named = np.where(split == "", "unused", split)
    sets: np.ndarray = np.where(normal, named, np.where(known, "withheld", "abnormal"))
    return np.where(table["normal"].isna(), "unused", sets)


def _with_normal(given: StudyTable, settings: StudySettings) -> tuple[pd.DataFrame, Section | None]:
    table = given.table
    if settings.normals is not None:
        told = read_table(settings.normals)
        if missing := {"scan_id", "normal"} - set(told):
            raise TableError(
                f"{settings.normals.name} without {', '.join(sorted(missing))}",
                wanted="what `spineclock normals` writes",
            )
        normal = told.set_index(told["scan_id"].astype(str))["normal"]
        return table.assign(normal=table["scan_id"].map(normal).astype("boolean")), None
    if "normal" in table:
        return table, None
    if given.findings is not None:
        from spineclock.run.normals import normals_section

        return normals_section(table, given.findings, seed=settings.seed)
    return table.assign(normal=pd.array([True] * len(table), dtype="boolean")), Section(
        "normals",
        "Normal cohort",
        (),
        ("No findings are given: every scan counts as typical for its age, and Table 5 is left out.",),
    )
