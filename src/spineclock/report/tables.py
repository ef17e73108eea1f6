"""Measurements as tables a reader takes in at a glance: one a structure, levels as rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from spineclock.report.waterfall import UNITS, figure_text, readable

LONG = {"structure", "level", "name", "value"}
"""Columns by which a table with one row a measurement is known; ``unit`` and ``complete`` may go with them."""
TITLES = {"disc": "Discs", "vertebra": "Vertebrae", "canal": "Canal", "spine": "Whole spine"}
PARTIAL = "* Not all of it was in view."


@dataclass(frozen=True)
class Table:
    """Text ready to be set: a title, a heading for each column, rows whose first cell names them, and a note."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def records(frame: pd.DataFrame) -> Iterable[Any]:
    """The rows, each with its cells as attributes.

    >>> [row.n for row in records(pd.DataFrame({"n": [1, 2]}))]
    [1, 2]
    """
    return frame.itertuples()


def tables(frame: pd.DataFrame | None) -> tuple[Table, ...]:
    """A table for each structure, levels in the order they come; nothing for no measurements.

    ``frame`` has one row a measurement (structure, level, name, value, and unit and complete where known). Any other
    frame is shown column by column as one table.

    Examples
    --------
    >>> long = pd.DataFrame([("disc", "L4/L5", "height_mm", 8.04), ("disc", "L5/S1", "height_mm", 6.0)],
    ...                     columns=["structure", "level", "name", "value"])
    >>> tables(long)[0].head, tables(long)[0].rows
    (('level', 'height, mm'), (('L4/L5', '8.04'), ('L5/S1', '6.00')))
    """
    if frame is None or frame.empty:
        return ()
    if not set(frame.columns) >= LONG:
        return (_as_it_is(frame),)
    return tuple(_of_structure(str(structure), rows) for structure, rows in frame.groupby("structure", sort=False))


def _of_structure(structure: str, rows: pd.DataFrame) -> Table:
    cells: dict[str, dict[str, str]] = {}
    partial = False
    for row in rows.to_dict("records"):
        whole = bool(row.get("complete", True))
        partial |= not whole
        cells.setdefault(str(row["level"]), {})[str(row["name"])] = _cell(row["value"]) + ("" if whole else "*")
    names = list(dict.fromkeys(str(n) for n in rows["name"]))
    title, note = TITLES.get(structure, structure), PARTIAL if partial else ""
    if set(cells) == {""}:
        return Table(title, ("measurement", "value"), tuple((heading(n), cells[""][n]) for n in names), note)
    body = tuple((level or "all", *(found.get(n, "") for n in names)) for level, found in cells.items())
    return Table(title, ("level", *(heading(n) for n in names)), body, note)


def _as_it_is(frame: pd.DataFrame) -> Table:
    wide = frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index()
    wide = wide.dropna(axis="columns", how="all")
    rows = tuple(tuple(_cell(v) for v in row) for row in wide.itertuples(index=False, name=None))
    return Table("Measurements", tuple(heading(str(c)) for c in wide.columns), rows)


def heading(column: str) -> str:
    """A column's words, its unit behind a comma.

    >>> heading("volume_mm3"), heading("height_to_width"), heading("x<y")
    ('volume, mm³', 'height to width', 'x<y')
    """
    if not UNITS.keys() & set(column.lower().replace(".", "_").split("_")[1:]):
        return column.replace("_", " ")
    words, unit = readable(column)
    return f"{words}, {unit}"


def _cell(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return str(value)
    if isinstance(value, float | np.floating):
        return figure_text(float(value))
    return "—" if value is None or value is pd.NA else str(value)
