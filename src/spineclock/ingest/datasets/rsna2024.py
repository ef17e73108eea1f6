"""Severities in the style of the RSNA 2024 Lumbar Spine Degenerative Classification challenge as findings.

One row a study (``study_id``); a column for each condition and disc, such as ``spinal_canal_stenosis_l4_l5`` or
``left_neural_foraminal_narrowing_l5_s1``, with Normal/Mild, Moderate or Severe, or nothing where it was not graded.

A canal stenosis that is Moderate or Severe is read as a spinal stenosis at the vertebra above the disc. Normal/Mild is
not, as it does not tell the two apart. Foraminal and subarticular narrowing have no place among the 19 conditions;
they are counted. So the result says of a study only whether its canal is narrowed.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from spineclock.core.errors import TableError
from spineclock.core.findings_tables import findings_from_long
from spineclock.ingest.cohort import read_table
from spineclock.ingest.findings import Imported, text_of_ids

COLUMN = re.compile(
    r"(?P<what>spinal_canal_stenosis|(?:left|right)_neural_foraminal_narrowing|(?:left|right)_subarticular_stenosis)"
    r"_(?P<above>l[1-5])_(?P<below>l[2-5]|s1)",
    re.IGNORECASE,
)
GRADES = {"normal/mild": 0, "normal": 0, "mild": 0, "moderate": 1, "severe": 2, "": 0}
NOTES = (
    "a canal stenosis graded Moderate or Severe is a spinal stenosis of its disc's level; Normal/Mild is none",
    "foraminal and subarticular narrowing are none of the 19 conditions",
    "only the canal was asked about: no other condition is known to be absent",
)


def read(path: Path) -> Imported:
    """The findings of a table such as the challenge's ``train.csv``.

    Raises
    ------
    TableError
        If there is no such column, a grade cannot be, or a study stands there twice; with its row.
    """
    return findings_of_severities(read_table(path), path.name)


def fits(table: pd.DataFrame) -> bool:
    """Whether a table has columns of that kind."""
    return any(COLUMN.fullmatch(str(c).strip()) for c in table)


def findings_of_severities(table: pd.DataFrame, name: str = "the table") -> Imported:
    """The findings of a table of severities.

    >>> table = pd.DataFrame({"study_id": [1, 2], "spinal_canal_stenosis_l4_l5": ["Severe", "Normal/Mild"],
    ...                       "left_subarticular_stenosis_l4_l5": ["Moderate", None]})
    >>> read = findings_of_severities(table)
    >>> read.findings.long().to_numpy().tolist()
    [['1', 'spinal_stenosis', 'L4', ''], ['2', 'none', '', '']]
    >>> read.without_place.to_numpy().tolist()
    [['left subarticular stenosis', 1]]
    """
    study = next((c for c in ("study_id", "scan_id") if c in table), "")
    columns = {c: match for c in table if (match := COLUMN.fullmatch(str(c).strip()))}
    if not study or not columns:
        raise TableError(f"{name} has the columns {', '.join(map(str, table.columns[:8]))}",
                         wanted="study_id and columns such as spinal_canal_stenosis_l4_l5")  # fmt: skip
    ids = text_of_ids(table[study]).reset_index(drop=True)
    if (bad := ids.eq("") | ids.duplicated()).any():
        row = int(np.flatnonzero(bad)[0])
        raise TableError(f"{name}, row {row + 1}: study {ids[row]!r} again, or none", wanted="one row a study")
    found: list[tuple[str, str, str]] = []
    lost = dict.fromkeys((m["what"].lower().replace("_", " ") for m in columns.values()), 0)
    for column, match in columns.items():
        there = _grades(table[column], str(column), name) > 0
        if match["what"].lower() == "spinal_canal_stenosis":
            found += [(study, "spinal_stenosis", match["above"].upper()) for study in ids[there]]
        else:
            lost[match["what"].lower().replace("_", " ")] += int(there.sum())
    long = pd.DataFrame(found, columns=["scan_id", "condition", "level"], dtype=object)
    return Imported(
        findings_from_long(long, scan_ids=ids),
        pd.DataFrame([(what, n) for what, n in lost.items() if n], columns=["what", "rows"]),
        NOTES,
    )


def _grades(cells: pd.Series, column: str, name: str) -> np.ndarray:
    text = cells.astype("string").fillna("").str.strip().str.lower()
    if not (known := text.isin(GRADES)).all():
        row = int(np.flatnonzero(~known)[0])
        raise TableError(f"{name}, row {row + 1}: {column} is {cells.iloc[row]!r}",
                         wanted="Normal/Mild, Moderate, Severe, or nothing")  # fmt: skip
    return text.map(GRADES).to_numpy(dtype=int)
