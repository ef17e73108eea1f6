"""The scans of a set as a network is shown them: joined to the store, in memory where they fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from spineclock import recipes
from spineclock.core.errors import TableError, UsageError
from spineclock.core.records import film_kind
from spineclock.learn.feed import Examples
from spineclock.prep.cropping import Cropping
from spineclock.prep.ct_cropping import CtCropping
from spineclock.prep.film import FilmPreparation
from spineclock.prep.kinds import AnyPreparation, for_every_part
from spineclock.prep.masking import Part
from spineclock.prep.store import PreparedStore
from spineclock.run.training.risk_targets import targets_of
from spineclock.run.training.sets import LABEL, YEARS
from spineclock.run.training.settings import TrainSettings


def prepared_store(
    cohort: Path, store: Path | None, *, recipe: str, out: Path, how: AnyPreparation | None = None,
    workers: int | None = None, sequence: str = "",
) -> Path:  # fmt: skip
    """The store that is given, or else one in ``out/prepared``, in which the cohort's scans are prepared here.

    Scans that cannot be prepared take no part; how many, and where the reasons are, is said.
    ``how``: as a network needs them; the recipe's default preparation where not given. ``sequence``: the weighting that
    is prepared where there are several.
    """
    if store is not None:
        return store
    from spineclock.run.config import configure
    from spineclock.run.prepare import prepare_cohort
    from spineclock.run.settings import PrepareSettings

    asked = {} if how is None else for_every_part(how)
    told = configure(
        PrepareSettings,
        defaults=recipes.get(recipe).learning.prepare,
        flags={
            **{name: value for name, value in asked.items() if name in PrepareSettings.model_fields},
            "workers": workers,
            "sequence": sequence,
            "resume": True,
        },
    ).settings
    if how is not None and (other := recipes.get(recipe).learning.preparation(told)) != how:
        raise UsageError(f"a network whose scans were prepared in a way that no setting tells ({how}, not {other})",
                         wanted="a store prepared as it needs", remedy="--store")  # fmt: skip
    made = out / "prepared"
    if prepare_cohort(cohort, told, out=made, recipe=recipe):
        failed = len(pd.read_csv(made / "failures.csv"))
        print(f"{failed:,} scans of {cohort} could not be prepared and take no part: see {made / 'failures.csv'}")
    return made


def part_read(store: PreparedStore, settings: TrainSettings) -> Part:
    """Which part of the prepared scans a network is to read.

    Raises
    ------
    UsageError
        If muscles are to be seen that the store does not hold.
    """
    if not isinstance(store.how, CtCropping):
        return settings.part
    if settings.inputs == "bone":
        return "bone"
    if store.how.parts == "bone":
        raise UsageError(f"the store {store.path} holds bone alone", wanted="muscles too",
                         remedy="--set inputs=bone, or prepare with --set parts=bone+muscle")  # fmt: skip
    return "whole"


def in_view(table: pd.DataFrame, store: PreparedStore, part: Part) -> pd.Series:
    """Whether each scan of the table is in the store with this part in view."""
    there = {scan_id for scan_id, i in store.positions.items() if part in store.parts(i)}
    return table["scan_id"].isin(there)


def with_films(table: pd.DataFrame, store: PreparedStore) -> pd.DataFrame:
    """The table with ``film``, the kind of each film, where the store holds films; every scan is in it."""
    if not isinstance(store.how, FilmPreparation):
        return table
    kinds = [film_kind(store.entries[store.positions[scan_id]].film) for scan_id in table["scan_id"]]
    return table.assign(film=kinds)


def with_sequence(table: pd.DataFrame, store: PreparedStore, sequence: str) -> pd.DataFrame:
    """The table's scans of one weighting, told in ``sequence``, where the store holds crops; each is in the store.

    Parameters
    ----------
    sequence : str
        Which; where it is empty, that of all scans.

    Raises
    ------
    TableError
        If they are of several weightings and none is named, or none is of the one that is.
    """
    if not isinstance(store.how, Cropping):
        return table
    told = pd.Series(
        [store.entries[store.positions[scan_id]].sequence for scan_id in table["scan_id"]], table.index, dtype=object
    )
    there = sorted(set(told))
    if not sequence and len(there) > 1:
        raise TableError(f"scans weighted {' and '.join(t or 'unknown' for t in there)} in {store.path}",
                         wanted="one weighting a network", remedy="--set sequence=T1w, or T2w")  # fmt: skip
    kept = table.assign(sequence=told)[told == sequence] if sequence else table.assign(sequence=told)
    if kept.empty:
        raise TableError(f"no scan weighted {sequence or 'in any way'} in {store.path}",
                         wanted="scans of one weighting",
                         remedy="prepare them with --set sequence=T1w or T2w")  # fmt: skip
    return kept.reset_index(drop=True)


def examples(*tables: pd.DataFrame, store: PreparedStore, memory_gb: float) -> list[Examples]:
    """Each table's scans, in its order, each of which is in the store, with their labels, or else ages.

    All tables together hold no more than ``memory_gb`` in memory, the first ones first; others are read as needed.

    Raises
    ------
    TableError
        If a table has none.
    InputError
        If one is damaged.
    """
    found, left = [], memory_gb * 1e9
    for table in tables:
        if table.empty:
            raise TableError("no scan", wanted="scans of the cohort in the store")
        rows = [store.positions[scan_id] for scan_id in table["scan_id"]]
        if YEARS in table:
            targets = targets_of(table)
        else:
            targets = table[LABEL if LABEL in table else "age_years"].to_numpy(dtype=np.float64)
        if (needed := store.bytes_needed(rows)) > left:
            found.append(Examples(store, rows, targets))
            continue
        left -= needed
        found.append(Examples(store.in_memory(rows), range(len(rows)), targets))
    return found
