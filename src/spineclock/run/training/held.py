"""The scans of a set as a network is shown them: joined to the store, in memory where they fit."""

from __future__ import annotations

import numpy as np
import pandas as pd

from spineclock.core.errors import TableError
from spineclock.learn.feed import Examples
from spineclock.prep.masking import Part
from spineclock.prep.store import PreparedStore


def in_view(table: pd.DataFrame, store: PreparedStore, part: Part) -> pd.Series:
    """Whether each scan of the table is in the store with this part in view."""
    there = {scan_id for scan_id, i in store.positions.items() if part in store.parts(i)}
    return table["scan_id"].isin(there)


def examples(table: pd.DataFrame, store: PreparedStore, *, memory_gb: float) -> Examples:
    """The table's scans, in its order, each of which is in the store.

    Raises
    ------
    TableError
        If there are none.
    InputError
        If one is damaged.
    """
    if table.empty:
        raise TableError("no scan", wanted="scans of the cohort in the store")
    rows = [store.positions[scan_id] for scan_id in table["scan_id"]]
    ages = table["age_years"].to_numpy(dtype=np.float64)
    if store.bytes_needed(rows) > memory_gb * 1e9:
        return Examples(store, rows, ages)
    return Examples(store.in_memory(rows), range(len(rows)), ages)
