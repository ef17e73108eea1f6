"""Columns of a table as columns of a design: numbers as they are, yes/no as 1/0, categories against a reference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.errors import TableError
from spineclock.stats.ages import Floats

REFERENCES: Mapping[str, str] = {"work": "light", "exercise": "none", "sex": "F"}
"""What the other values of a category are compared with; for a column not named here, its most frequent value
(a pandas Categorical's first)."""


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a design."""

    key: str
    """The table's column, and its value where the column is a category: ``work=heavy``."""
    source: str
    """The table's column."""
    kind: Literal["yes/no", "number", "category"]
    values: Floats
    """(n,), NaN where missing."""
    reference: str = ""
    """The value a category is compared with."""

    @property
    def level(self) -> str:
        """The value of a category; empty for other columns."""
        return self.key.partition("=")[2]


@dataclass(frozen=True, eq=False)
class Expanded:
    """The design columns of some of a table's columns."""

    columns: tuple[Column, ...]
    """None of a category with one value."""
    rows: int
    missing: Mapping[str, int] = field(default_factory=dict)
    """Rows without a value, by the table's column."""

    @property
    def matrix(self) -> Floats:
        """(n, k)."""
        return np.column_stack([np.empty((self.rows, 0)), *(c.values for c in self.columns)])

    @property
    def complete(self) -> npt.NDArray[np.bool_]:
        """(n,) whether a row has a value in each."""
        return np.asarray(np.isfinite(self.matrix).all(axis=1))


def expand(table: pd.DataFrame, names: Iterable[str], *, reference: Mapping[str, str] = REFERENCES) -> Expanded:
    """The design columns of some of a table's columns, in that order.

    A column of true/false, or of numbers that are all 0 or 1, is yes/no; one of words a category, with a column for
    each value but its reference.

    Raises
    ------
    TableError
        If the table lacks a column, a number is infinite, or a category has not the value it is to be compared with.

    Examples
    --------
    >>> table = pd.DataFrame({"age_years": [50, 60, 70], "work": ["light", "heavy", None]})
    >>> found = expand(table, ["age_years", "work"])
    >>> [c.key for c in found.columns], found.columns[1].values.tolist(), found.missing["work"]
    (['age_years', 'work=heavy'], [0.0, 1.0, nan], 1)
    """
    require(table, names)
    columns: list[Column] = []
    missing: dict[str, int] = {}
    for name in names:
        cells = table[name]
        missing[name] = int(cells.isna().sum())
        if isinstance(cells.dtype, pd.CategoricalDtype) or not _numeric(cells):
            columns += _category(cells, name, reference.get(name))
            continue
        values = np.asarray(cells.astype("Float64").to_numpy(na_value=np.nan), dtype=np.float64)
        if np.isinf(values).any():
            raise TableError(f"an infinite value in the column {name}", wanted="numbers")
        yes_no = bool(np.isin(values[~np.isnan(values)], (0, 1)).all())
        columns.append(Column(name, name, "yes/no" if yes_no else "number", values))
    return Expanded(tuple(columns), len(table), missing)


def require(table: pd.DataFrame, names: Iterable[str]) -> None:
    """A TableError that names the columns a table lacks, if it lacks any."""
    absent = [name for name in names if name not in table.columns]
    if absent:
        held = ", ".join(map(str, table.columns[:12])) + (", …" if len(table.columns) > 12 else "")
        raise TableError(
            f"a table without the column(s) {', '.join(absent)} (it has {held})",
            wanted="each column that the statistic is asked to use",
            remedy="add them, or leave them out of the call",
        )


def people_of(table: pd.DataFrame, person: str | None) -> npt.NDArray[np.int64]:
    """(n,) a number for whom each row is of; where there is no such column to go by, each row is another person.

    Raises
    ------
    TableError
        If the column is not there, or some row does not say.
    """
    if person is None:
        return np.arange(len(table))
    require(table, [person])
    if table[person].isna().any():
        raise TableError(f"{int(table[person].isna().sum())} row(s) without a {person}", wanted="one in each row")
    return np.unique(table[person].astype(str).to_numpy(dtype=object), return_inverse=True)[1].ravel()


def _numeric(cells: pd.Series[Any]) -> bool:
    """Whether a column holds numbers or true/false, in an object column too."""
    if pd.api.types.is_numeric_dtype(cells.dtype):  # of booleans too
        return True
    return cells.dtype == object and all(isinstance(v, (bool, int, float, np.number, np.bool_)) for v in cells.dropna())


def _category(cells: pd.Series[Any], name: str, reference: str | None) -> list[Column]:
    counts = cells.astype(object).dropna().astype(str).value_counts()
    if reference is None:
        ordered = [str(v) for v in cells.cat.categories] if isinstance(cells.dtype, pd.CategoricalDtype) else []
        held = [v for v in ordered if v in counts.index] or list(counts.index)
        if not held:
            raise TableError(f"no value at all in the column {name}", wanted="at least one")
        reference = held[0]
    elif reference not in counts.index:
        raise TableError(
            f"the column {name} with the values {', '.join(counts.index[:8])}",
            wanted=f"{reference} among them, as the others are compared with it",
            remedy="name another reference",
        )
    if isinstance(cells.dtype, pd.CategoricalDtype):
        levels = [str(v) for v in cells.cat.categories if str(v) in counts.index]
    else:
        levels = sorted(counts.index)
    text = cells.astype(object).map(str, na_action="ignore")
    return [
        Column(
            f"{name}={level}",
            name,
            "category",
            np.where(cells.isna(), np.nan, (text == level).to_numpy(dtype=np.float64)),
            reference,
        )
        for level in levels
        if level != reference
    ]
