"""Which scans are normal, and which of them train, validate and test: as told, or found and drawn here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from spineclock.core.errors import TableError
from spineclock.ingest.cohort import read_table
from spineclock.ingest.study_table import StudyTable, yes_or_no
from spineclock.learn.split import Split
from spineclock.report.study_page import Section
from spineclock.run.normals import aged, find
from spineclock.run.normals_page import section
from spineclock.run.settings import NormalsSettings, StudySettings


@dataclass(frozen=True, eq=False)
class Cohort:
    """The study's table with ``normal`` and ``set``, and what is to be said of how they came about."""

    table: pd.DataFrame
    """``set``: train, validation, test (normal scans), abnormal, withheld (abnormal, of a person in training or
    validation), unused (normal, but in no split)."""
    section: Section | None


def cohort_sets(given: StudyTable, settings: StudySettings) -> Cohort:
    """Who is normal and in which set.

    Normal: as ``settings.normals`` tells, else the table, else clustered here from the findings, else everyone. Split:
    as the table tells, else drawn by person among the normal ones.

    Raises
    ------
    TableError
        If a table of normals lacks the scans, or nobody is normal.
    """
    table, section = _with_normal(given, settings)
    if not table["normal"].fillna(False).any():
        raise TableError("nobody is normal", wanted="some scans with normal true")
    if "split" not in table:
        normal = table[table["normal"].fillna(False)].drop_duplicates("scan_id")
        how = Split(settings.train_share, settings.validation_share)
        drawn = how(normal, rng=np.random.default_rng(settings.seed))
        table = table.assign(split=table["scan_id"].map(dict(zip(normal["scan_id"], drawn, strict=True))))
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
        return table.assign(normal=table["scan_id"].map(_told(settings.normals))), None
    if "normal" in table:
        return table, None
    if given.findings is None:
        caution = "No findings are given: every scan counts as typical, and Table 5's conditions are left out."
        everyone = pd.array([True] * len(table), dtype="boolean")
        return table.assign(normal=everyone), Section("normals", "Normal cohort", (), (caution,))
    clustering = NormalsSettings(seed=settings.seed)
    scans, _ = aged(table.drop_duplicates("scan_id"), given.findings)
    found = find(given.findings, scans, clustering, progress=True)
    normal = found.labels.set_index("scan_id")["normal"]
    return table.assign(normal=table["scan_id"].map(normal).astype("boolean")), section(found, clustering)


def _told(path: Path) -> pd.Series:
    """Whether each scan is normal (boolean, missing where not known), by scan_id, as `spineclock normals` wrote it."""
    told = read_table(path)
    if missing := {"scan_id", "normal"} - set(told):
        raise TableError(
            f"{path.name} without {', '.join(sorted(missing))}", wanted="the normals.csv of `spineclock normals`"
        )
    return yes_or_no(told.set_index("scan_id")["normal"], path.name)
