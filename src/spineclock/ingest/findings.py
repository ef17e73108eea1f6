"""Findings from a file: a long table (one row a finding) or a wide one (one row a scan), told apart by its columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from spineclock.core.errors import TableError
from spineclock.core.findings import CONDITIONS, Findings
from spineclock.core.findings_tables import findings_from_long, findings_from_wide
from spineclock.ingest.cohort import read_table

ALIASES = {
    "scan_id": ("scan", "scanid", "study_id", "studyid", "exam_id", "examination_id", "accession",
                "accession_number", "accessionnumber", "series_id", "report_id"),
    "condition": ("finding", "pathology"),
    "level": ("levels", "disc_level"),
    "severity": ("grade", "degree"),
}  # fmt: skip
"""Our columns, and what others call them; case and spaces do not count. Our own name wins where both are there."""
BESIDE = ("person_id", "participant_id")
"""Columns that may stand in a table of findings and are not read."""


@dataclass(frozen=True, eq=False)
class Imported:
    """Findings of another scheme, and what of it could not be kept."""

    findings: Findings
    without_place: pd.DataFrame
    """what, rows: how many entries say something that none of the 19 conditions holds, or that cannot be placed."""
    notes: tuple[str, ...]
    """How the scheme was read, in sentences."""


def read_findings(path: Path, *, scan_ids: Iterable[str] | None = None) -> Findings:
    """Findings from a CSV, TSV or Parquet file, or a folder with ``findings.csv``.

    Parameters
    ----------
    path : path
        Long (``scan_id``, ``condition``, ``level``, ``severity``) or wide (``scan_id`` and columns such as
        ``disc_bulge:L4``); see :mod:`spineclock.core.findings_tables`. A scan's column may also be called
        ``study_id``, ``accession_number`` and the like (:data:`ALIASES`).
    scan_ids : iterable of str, optional
        The scans that were reported on, where those without findings have no row.

    Raises
    ------
    TableError
        Naming file and rows of what is no finding, and scans that ``scan_ids`` lacks or a wide table lacks.
    """
    if path.is_dir():
        path = path / "findings.csv"
    return findings_of(read_ids_as_text(path), path.name, scan_ids=scan_ids)


def read_ids_as_text(path: Path) -> pd.DataFrame:
    """The table in a file, its columns with our names, the scans' identifiers as they are written: 007 stays 007."""
    table = read_table(path)
    own = renamed(table)
    if "scan_id" in own and not pd.api.types.is_string_dtype(own["scan_id"]):
        at = own.columns.get_loc("scan_id")
        if path.suffix.lower() in (".parquet", ".pq"):
            own["scan_id"] = text_of_ids(own["scan_id"])
        else:
            separator = "\t" if path.suffix.lower() == ".tsv" else ","
            text = pd.read_csv(path, sep=separator, dtype=str, usecols=[at], keep_default_na=False)
            own["scan_id"] = text.iloc[:, 0].str.strip().to_numpy()
    return own


def findings_of(table: pd.DataFrame, name: str, *, scan_ids: Iterable[str] | None = None) -> Findings:
    """Findings from a table, long or wide; ``name`` is what errors call it."""
    table = renamed(table)
    kind = kind_of(table)
    try:
        if kind == "long":
            return findings_from_long(table, scan_ids=scan_ids)
        if kind == "wide":
            found = findings_from_wide(table.drop(columns=[c for c in BESIDE if c in table]))
            return found if scan_ids is None else found.take(list(scan_ids))
    except TableError as error:
        raise TableError(f"{name}: {error.found}", wanted=error.wanted, remedy=error.remedy) from error
    raise TableError(
        f"{name} has the columns {', '.join(map(str, table.columns[:12]))}",
        wanted="scan_id and condition (one row a finding), or scan_id and columns such as disc_bulge:L4",
        remedy="save it with commas between the columns" if any(";" in str(c) for c in table) else "",
    )


def kind_of(table: pd.DataFrame) -> str:
    """``long``, ``wide`` or "" of a table whose columns have our names.

    >>> kind_of(pd.DataFrame({"scan_id": ["a"], "scoliosis": [1]}))
    'wide'
    """
    if "scan_id" not in table:
        return ""
    if "condition" in table:
        return "long"
    return "wide" if any(str(name).partition(":")[0] in CONDITIONS for name in table) else ""


def renamed(table: pd.DataFrame) -> pd.DataFrame:
    """The table with our names for what :data:`ALIASES` knows.

    >>> list(renamed(pd.DataFrame(columns=["Accession Number", "Finding", "age"])))
    ['scan_id', 'condition', 'age']
    """
    plain = {str(c).strip().lower().replace(" ", "_").replace("-", "_"): c for c in reversed(table.columns.tolist())}
    names: dict[object, str] = {}
    for ours, others in ALIASES.items():
        if ours not in table and (given := next((plain[n] for n in (ours, *others) if n in plain), None)) is not None:
            names[given] = ours
    return table.rename(columns=names)


def text_of_ids(ids: pd.Series) -> pd.Series:
    """Identifiers as text: whole numbers without a decimal point, whatever a spreadsheet made of them."""
    if pd.api.types.is_float_dtype(ids) and (ids.dropna() % 1 == 0).all():
        ids = ids.astype("Int64")
    return ids.astype("string").fillna("").str.strip()
