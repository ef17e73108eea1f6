"""Which rows of a table a statistic can use, and how many it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from spineclock.core.errors import TableError


class Rows(NamedTuple):
    """The complete rows, and how many were left out because a value was missing."""

    table: pd.DataFrame
    left_out: int


def has_columns(table: pd.DataFrame, columns: Sequence[str]) -> None:
    """Nothing, where the table has the columns.

    Raises
    ------
    TableError
        Naming those it has not.
    """
    missing = [c for c in columns if c not in table.columns]
    if missing:
        raise TableError(
            f"no column {', '.join(missing)} in a table of {', '.join(map(str, table.columns))}",
            wanted=", ".join(columns),
            remedy="add the column, or name another one in the statistic's parameters",
        )


def complete(table: pd.DataFrame, *, numbers: Sequence[str] = (), names: Sequence[str] = (), at_least: int = 1) -> Rows:
    """The rows with a value in each of the columns; ``numbers`` come back as float64.

    >>> complete(pd.DataFrame({"age": [50, None], "sex": ["F", "M"]}), numbers=["age"], names=["sex"])
    Rows(table=    age sex
    0  50.0   F, left_out=1)

    Raises
    ------
    TableError
        If a column is missing, holds what is no number, or fewer than ``at_least`` rows are left.
    """
    has_columns(table, [*numbers, *names])
    table = table.copy(deep=False)
    for column in numbers:
        values = pd.to_numeric(table[column], errors="coerce")
        wrong = table.index[values.isna() & table[column].notna()]
        if len(wrong):
            raise TableError(
                f"{table.loc[wrong[0], column]!r} in column {column}, row {wrong[0]} ({len(wrong)} such)",
                wanted="numbers",
            )
        table[column] = values.astype(float)
    kept = table.dropna(subset=[*numbers, *names])
    if len(kept) < at_least:
        raise TableError(f"{len(kept)} rows with {', '.join([*numbers, *names])}", wanted=f"at least {at_least}")
    return Rows(kept, len(table) - len(kept))


def of_split(table: pd.DataFrame, column: str, value: str) -> pd.DataFrame:
    """The rows of one split, such as the validation people.

    Raises
    ------
    TableError
        If the column is missing or none is of that split.
    """
    has_columns(table, [column])
    rows = table[table[column] == value]
    if rows.empty:
        found = ", ".join(sorted(map(str, table[column].dropna().unique()))) or "nothing"
        raise TableError(f"no row with {column} {value}, only {found}", wanted=f"rows of the {value} people")
    return rows
