"""Findings from tables people have: one row a finding, or one row a scan; every error is named by its row."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.anatomy import disc_name
from spineclock.core.errors import TableError
from spineclock.core.findings import (
    COLUMNS,
    CONDITIONS,
    LEVELS,
    NO_FINDING,
    SEVERITIES,
    STRUCTURAL,
    Findings,
    columns_of,
    empty_codes,
)

_AT = {column: k for k, column in enumerate(COLUMNS)}
_BEYOND = {"T12/T13": "T12", "L5/L6": "L5", "L6/L7": "L6"}
"""Discs that only people with an additional vertebra have."""
_DISCS = {disc_name(level): level for level in LEVELS} | _BEYOND
_NAMES = {level: level for level in LEVELS} | {
    name: above
    for disc, above in _DISCS.items()
    for upper, lower in [disc.split("/")]
    for name in (
        f"{upper}/{lower}",
        f"{upper}-{lower}",
        f"{upper}/{lower[1:]}",
        f"{upper}-{lower[1:]}",
        f"{upper}{lower}",
    )
}
"""Each way to write a level: L4, L4/L5, L4-L5, L4/5, L4-5, L4L5."""
_NOTHING = ("", "0", "-0", "0.0", "False", "false", NO_FINDING, "absent")
_THERE = {"True": "", "true": "", "TRUE": "", "present": ""}
_SHOWN = 5
"""How many wrong rows an error names."""


def findings_from_long(table: pd.DataFrame, *, scan_ids: Iterable[str] | None = None) -> Findings:
    """Findings from a table of one row a finding.

    Parameters
    ----------
    table : DataFrame
        ``scan_id``, ``condition`` (a name of :data:`CONDITIONS`, or none), ``level`` (such as L4, or a disc such as
        L4/L5 for the vertebra above it; empty where there is none), ``severity`` (of :data:`SEVERITIES`; empty where
        ungraded, and read as mild where a graded condition has none).
    scan_ids : iterable of str, optional
        The scans that were reported on, where some have no row; else those of the table.

    Raises
    ------
    TableError
        Naming the first rows with an unknown level, condition or severity, a condition at a level where it cannot
        be, two severities of one finding, ``none`` beside findings, or no scan.

    Examples
    --------
    >>> table = pd.DataFrame({"scan_id": ["a", "b"], "condition": ["disc_bulge", "none"],
    ...                       "level": ["L4/L5", ""], "severity": ["mild", ""]})
    >>> found = findings_from_long(table)
    >>> int(found.column("disc_bulge", "L4")[0]), found.codes.sum(axis=1).tolist()
    (1, [1, 0])
    """
    return _findings(_cleaned(table, np.arange(len(table))), scan_ids)


def _findings(rows: pd.DataFrame, scan_ids: Iterable[str] | None) -> Findings:
    ids = pd.Index(rows["scan_id"].unique() if scan_ids is None else list(scan_ids), dtype=object, name="scan_id")
    if ids.has_duplicates:
        raise TableError(f"the scan {ids[ids.duplicated()][0]} twice", wanted="each scan's findings once")
    scan = ids.get_indexer(pd.Index(rows["scan_id"]))
    at, code, wrong = _placed(rows)
    wrong |= {int(row): "a scan that is not among those reported on" for row in np.flatnonzero(scan < 0)}
    wrong |= {int(row): "no scan_id" for row in np.flatnonzero((rows["scan_id"] == "").to_numpy())}
    wrong = wrong or _contradictions(scan, at, code)
    if wrong:
        shown = "; ".join(
            f"row {rows['row'].iloc[k] + 1} ({_told(rows, k)}): {wrong[k]}" for k in sorted(wrong)[:_SHOWN]
        )
        raise TableError(
            f"{len(wrong)} row(s) that cannot be: {shown}",
            wanted=f"conditions {', '.join(CONDITIONS)} or {NO_FINDING}; levels {LEVELS[0]} to {LEVELS[-1]}; "
            f"severities {', '.join(SEVERITIES)}",
        )
    codes = empty_codes(len(ids))
    told = at >= 0
    codes[scan[told], at[told]] = code[told]
    for name in STRUCTURAL:
        own = columns_of(name)
        codes[:, own[0]] |= (codes[:, own[1:]] > 0).any(axis=1)
    return Findings(ids, codes)


def findings_from_wide(table: pd.DataFrame) -> Findings:
    """Findings from a table of one row a scan: ``scan_id`` and columns such as ``disc_bulge:L4`` or ``fracture``.

    Cells hold 0 or nothing, a code 1 … 4 (1 where ungraded), or a severity in words.
    Errors as in :func:`findings_from_long`.

    >>> table = pd.DataFrame({"scan_id": ["a", "b"], "disc_bulge:L4": [2, 0], "fracture": [0, 1]})
    >>> findings_from_wide(table).long()["severity"].to_list()
    ['moderate', '']
    """
    if "scan_id" not in table:
        raise TableError(f"a table with the columns {', '.join(map(str, table))}", wanted="scan_id among them")
    ids = pd.Series(_stripped(table["scan_id"]))
    if (ids == "").any():
        raise TableError(f"row {np.flatnonzero(ids == '')[0] + 1} has no scan_id", wanted="one row a scan")
    if ids.duplicated().any():
        raise TableError(f"the scan {ids[ids.duplicated()].iloc[0]} in more than one row", wanted="one row a scan")
    unknown = [str(name) for name in table.columns if name != "scan_id" and tuple(_split(str(name))) not in _AT]
    if unknown:
        raise TableError(f"{len(unknown)} unknown column(s): {', '.join(unknown[:5])}",
                         wanted="scan_id and columns such as disc_bulge:L4 or fracture")  # fmt: skip
    cells = [cell for name in table.columns if name != "scan_id" for cell in _cells(table[name], str(name))]
    long = pd.DataFrame(cells, columns=["row", "condition", "level", "severity"], dtype=object)
    long = long.sort_values("row", kind="stable", ignore_index=True)
    row = long["row"].to_numpy(dtype=int)
    return _findings(_cleaned(long.assign(scan_id=ids.to_numpy()[row]), row), ids)


def _cells(cells: pd.Series, name: str) -> list[tuple[int, str, str, str]]:
    """Row, condition, level and severity of the cells of a wide table's column that hold something."""
    if pd.api.types.is_numeric_dtype(cells):  # most cells of most tables are 0
        row = np.flatnonzero((cells.notna() & (cells != 0)).to_numpy())
        text = np.array([f"{value:g}" for value in cells.iloc[row].astype(float)], dtype=object)
    else:
        text = cells.map(_text).to_numpy(dtype=object)
        row = np.flatnonzero(~np.isin(text, _NOTHING))
        text = text[row]
    condition, level = _split(name)
    words = {str(k + 1): word for k, word in enumerate(SEVERITIES)} | _THERE
    if CONDITIONS[condition].grades == 0:
        words["1"] = ""
    return [(int(k), condition, level, words.get(value, value)) for k, value in zip(row, text, strict=True)]


def _stripped(names: pd.Series) -> npt.NDArray[np.object_]:
    return names.astype("string").fillna("").str.strip().to_numpy(dtype=object)


def _text(value: object) -> str:
    if pd.isna(value):  # type: ignore[call-overload]
        return ""
    text = str(value).strip()
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


def _cleaned(table: pd.DataFrame, row: npt.NDArray[np.int64]) -> pd.DataFrame:
    """The long table's columns as text, and each row's number in the table it came from."""
    if missing := {"scan_id", "condition"} - set(table):
        raise TableError(
            f"a table with the columns {', '.join(map(str, table))}", wanted=f"{', '.join(sorted(missing))} among them"
        )
    rows = pd.DataFrame({"scan_id": _stripped(table["scan_id"])})
    for name in ("condition", "level", "severity"):
        values = table[name].astype("string").fillna("") if name in table else pd.Series("", index=table.index)
        rows[name] = values.str.strip().to_numpy(dtype=object)
    rows["row"] = row
    rows["condition"] = rows["condition"].str.lower().str.replace("[ -]", "_", regex=True)
    rows["severity"] = rows["severity"].str.lower().str.replace("(?<=[a-z])[_-](?=[a-z])", " ", regex=True)
    level = rows["level"].str.upper().str.replace("[–—]", "-", regex=True).str.replace(" ", "")
    rows["level"] = level.map(_NAMES).fillna(rows["level"])
    return rows


def _placed(rows: pd.DataFrame) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int8], dict[int, str]]:
    """Column (−1 for ``none``) and code of each row, and what is wrong with which; distinct findings are read once."""
    distinct = rows.groupby(["condition", "level", "severity"], sort=False).ngroup().to_numpy()
    _, first = np.unique(distinct, return_index=True)
    at, code, problem = np.full(len(first), -1), np.zeros(len(first), np.int8), [""] * len(first)
    for k, row in enumerate(rows.iloc[first].itertuples()):
        at[k], code[k], problem[k] = _finding(str(row.condition), str(row.level), str(row.severity))
    problem_at = {k: problem[d] for k, d in enumerate(distinct) if problem[d]} if any(problem) else {}
    return at[distinct], code[distinct], problem_at


def _finding(condition: str, level: str, severity: str) -> tuple[int, int, str]:
    """Column, code and problem ("" if none) of one finding."""
    if condition == NO_FINDING:
        return -1, 0, "" if not level and not severity else "a level or severity of nothing"
    if condition not in CONDITIONS:
        return -1, 0, f"no condition is called {condition!r}"
    about = CONDITIONS[condition]
    if level and level not in LEVELS:
        return -1, 0, f"no level is called {level!r}"
    if about.kind == "degenerative" and not level:
        return -1, 0, f"{about.words} without a level"
    if (condition, level) not in _AT or (level and int(_AT[condition, level]) not in _possible(condition)):
        return -1, 0, f"{about.words} cannot be at {level}"
    graded = SEVERITIES[: about.grades]
    if severity and severity not in graded:
        return -1, 0, f"{about.words} is {'graded ' + ', '.join(graded) if graded else 'not graded'}, not {severity!r}"
    return _AT[condition, level], 1 + (graded.index(severity) if severity else 0), ""


def _possible(condition: str) -> set[int]:
    return {int(k) for where in CONDITIONS[condition].regions for k in columns_of(condition, where)}


def _contradictions(
    scan: npt.NDArray[np.int64], at: npt.NDArray[np.int64], code: npt.NDArray[np.int8]
) -> dict[int, str]:
    """Rows that say of a scan both ``none`` and something, or two severities of one finding."""
    wrong: dict[int, str] = {}
    nothing = np.isin(scan, scan[at >= 0]) & (at < 0)
    wrong |= {int(k): "none beside findings of the same scan" for k in np.flatnonzero(nothing)}
    key = scan * (len(COLUMNS) + 1) + at + 1
    _, first, group = np.unique(key, return_index=True, return_inverse=True)
    other = (code != code[first[group]]) & (at >= 0)
    return wrong | {int(k): "another severity than an earlier row of the same finding" for k in np.flatnonzero(other)}


def _told(rows: pd.DataFrame, k: int) -> str:
    words = [str(rows[name].iloc[k]) for name in ("scan_id", "severity", "condition", "level")]
    return " ".join(filter(None, words))


def _split(name: str) -> tuple[str, str]:
    condition, _, level = name.partition(":")
    return condition, level
