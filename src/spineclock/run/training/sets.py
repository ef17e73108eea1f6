"""Who trains, validates and tests: people, never scans, and which of their scans count."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from spineclock.core.errors import TableError
from spineclock.ingest.cohort import read_cohort, read_table, require_scans, with_person
from spineclock.ingest.study_table import yes_or_no
from spineclock.learn.split import SPLITS, Split
from spineclock.run.training.settings import TrainSettings, classes_of

if TYPE_CHECKING:
    from spineclock.nets.age_head import AgeHead

log = logging.getLogger(__name__)
KEPT = ("person_id", "scan_id", "age_years", "sex", "site", "scanner")
"""Columns of a cohort that a run goes by."""
LABEL = "label"
"""Whether the person has the disease, or finding, that is learned, 0 or 1; a column of tables where one is."""
YEARS, ENDING = "followed_years", "ending"
"""Of tables of follow-up: for how long, and how it ended (0 lost, 1 the event, 2 another that rules it out)."""


@dataclass(frozen=True, eq=False)
class Sets:
    """A row a scan.

    ``split``: of the person. ``set``: train and validation, what the network learns from and is judged by; test, every
    scan of the test people, but for ages beyond the classes; unused, scans of training and validation people that do
    not count (not age-typical, of an age beyond the classes, beyond the number asked for, the part not in view).
    """

    table: pd.DataFrame

    def of(self, name: str) -> pd.DataFrame:
        """The scans of a set."""
        return self.table[self.table["set"] == name]

    @property
    def sequence(self) -> str:
        """The weighting of all scans, where it is of account."""
        return str(self.table["sequence"].iloc[0]) if "sequence" in self.table else ""

    @property
    def sha256(self) -> str:
        """Of who is in which set, with the ages that are learned: another one means other people or another order.

        Scans that are not used do not count: a store may have been added to.
        """
        labels = [c for c in self.table if c in (LABEL, YEARS, ENDING) or str(c).startswith(f"{LABEL}_")]
        used = self.table[self.table["set"] != "unused"]
        told = used[["scan_id", "person_id", "age_years", *labels, "set"]].to_csv(index=False)
        return hashlib.sha256(told.encode()).hexdigest()


def is_typical(table: pd.DataFrame) -> pd.Series:
    """Whether each scan is told to be age-typical; False of all where nothing tells."""
    if "normal" not in table:
        return pd.Series(False, index=table.index)
    return table["normal"].astype("boolean").fillna(False).astype(bool)


Labelled = Callable[[pd.DataFrame], "pd.Series | pd.DataFrame"]
"""From a cohort's table to who has the disease, or to several columns that are learned; missing where not known."""


def people_of(
    cohort: Path, *, normals: Path | None = None, split: Path | None = None, labelled: Labelled | None = None
) -> pd.DataFrame:
    """The cohort's scans with age, a row each; ``normal`` (boolean, may be missing) and ``split`` where anything tells.

    With ``labelled`` the scans of people of whom it is known whether they have a disease, in ``label``; or of whom one
    at least of several columns is known.

    Scans of which the table does not tell whose they are count as a person each, which is said.

    Raises
    ------
    TableError
        If the table has no scan_id, two rows of one scan, or nobody's age, or label.
    """
    table = read_cohort(cohort).table
    require_scans(table, cohort)
    nameless = table["scan_id"][table.get("person_id", pd.Series("", index=table.index)) == ""]
    table = with_person(table)
    if normals is not None:
        told = read_table(normals)
        if missing := {"scan_id", "normal"} - set(told):
            raise TableError(f"{normals.name} without {', '.join(sorted(missing))}",
                             wanted="the normals.csv of `spineclock normals`")  # fmt: skip
        table["normal"] = table["scan_id"].map(_once(told, "scan_id", normals)["normal"])
        if table["normal"].isna().all():
            raise TableError(f"no scan of {cohort} is in {normals.name}", wanted="the same scan_id in both")
    if split is not None:
        table["split"] = table["person_id"].map(_told_split(split)).fillna("")
    known, what = ["age_years"], "with an age"
    if labelled is not None:
        labels = labelled(table)
        told = labels.to_frame(LABEL) if isinstance(labels, pd.Series) else labels
        table = table.assign(**{str(c): told[c].astype("Float64").astype(float) for c in told})
        known, what = [str(c) for c in told], "whose label is known"
    kept = [c for c in (*KEPT, *(known if labelled else ()), "normal", "split") if c in table]
    table = table.loc[table[known].notna().any(axis=1), kept].reset_index(drop=True)
    if table.empty:
        wanted = "a column that tells who has the disease" if labelled else "a column age_years"
        raise TableError(f"{cohort} has no scan {what}", wanted=f"{wanted} with values")
    if "normal" in table:
        table["normal"] = yes_or_no(table["normal"], cohort.name)
    _say_nameless(int(table["scan_id"].isin(nameless).sum()), len(table), cohort)
    return table


def _say_nameless(nameless: int, all_scans: int, cohort: Path) -> None:
    if nameless:
        said = f"{nameless:,} of {all_scans:,} scans of {cohort} have no person_id: each counts as a person of its own"
        log.info(said)
        print(said)


def _told_split(path: Path) -> pd.Series:
    """The split of each person, by person_id."""
    told = read_table(path)
    if missing := {"person_id", "split"} - set(told):
        raise TableError(f"{path.name} without {', '.join(sorted(missing))}", wanted="person_id and split")
    return _once(told[["person_id", "split"]].drop_duplicates(), "person_id", path)["split"]


def _once(told: pd.DataFrame, key: str, path: Path) -> pd.DataFrame:
    """The table by a key of which no value stands twice."""
    keys = told[key].astype(str)
    if (twice := keys[keys.duplicated()]).any():
        raise TableError(f"{path.name} says two things of {len(twice)} {key}, such as {twice.iloc[0]}",
                         wanted="one row each")  # fmt: skip
    return told.set_axis(keys)


def sets(table: pd.DataFrame, settings: TrainSettings) -> Sets:
    """The cohort's table with ``split`` and ``set``.

    Raises
    ------
    TableError
        If a person is in two splits, a split is none of train, validation and test, or one has no scan left.
    """
    table = table.assign(split=split_of(table, settings))
    counts = _counts(table, settings)
    tested = (table["split"] == "test") & within(table["age_years"], classes_of(settings))
    named = np.where(tested, "test", "unused").astype(object)
    for name, most in (("train", settings.train_scans), ("validation", settings.validation_scans)):
        named[table.index.isin(_drawn(table[counts & (table["split"] == name)], most, settings.split_seed))] = name
    found = Sets(table.assign(set=named))
    for name, least in (("train", 2), ("validation", 3)):  # 3 for correction and interval
        if len(found.of(name)) < least:
            raise TableError(f"{len(found.of(name))} scans for {name}", wanted=f"at least {least}",
                             remedy="more people, or another train_share and validation_share")  # fmt: skip
    return found


def within(ages_years: pd.Series[float], classes: tuple[int, int] | None) -> pd.Series[bool]:
    """Whether each age, rounded, is one of the classes; all where there are none."""
    if classes is None:
        return pd.Series(True, index=ages_years.index)
    return ages_years.round().between(*classes)


def answerable(ages_years: pd.Series[float], head: AgeHead) -> pd.Series[bool]:
    """Whether a network could answer each age: one that answers with whole years knows none beyond its last."""
    return within(ages_years, (head.youngest, head.oldest) if head.binned else None)


def split_of(table: pd.DataFrame, settings: TrainSettings) -> pd.Series:
    """The split of each scan's person, as the table tells it or drawn among everybody in the table."""
    if "split" not in table:
        how = Split(settings.train_share, settings.validation_share, by=tuple(c for c in (LABEL, ENDING) if c in table))
        return how(table, rng=np.random.default_rng(settings.split_seed))
    split = table["split"].astype("string").fillna("").astype(object)
    if unknown := sorted(set(split) - {*SPLITS, ""}):
        raise TableError(f"{unknown[0]!r} in column split", wanted=f"{', '.join(SPLITS)}, or nothing")
    several = split.groupby(table["person_id"]).nunique()
    if (several > 1).any():
        raise TableError(f"{int((several > 1).sum())} people in two splits, such as {several.idxmax()}",
                         wanted="all scans of a person in one split")  # fmt: skip
    return split


def _counts(table: pd.DataFrame, settings: TrainSettings) -> pd.Series:
    """Whether a scan may be learned from: of an age the classes hold, and age-typical where that is asked for."""
    held = within(table["age_years"], classes_of(settings))
    told = "normal" in table and bool(table["normal"].notna().any())
    if settings.train_on == "normal" and not told:
        raise TableError("nothing tells which scans are age-typical", wanted="a column normal, or --normals",
                         remedy="`spineclock normals` finds them from report findings")  # fmt: skip
    if settings.train_on == "all" or not told:
        return held
    return held & is_typical(table)


def _drawn(table: pd.DataFrame, most: int | None, seed: int) -> pd.Index:
    """The rows of the first people in a random order, person after person, until there are as many scans as asked for.

    A person's place in the order hangs on nobody else: fewer scans are the first of more, whoever else there is.
    """
    order = {one: hashlib.sha256(f"{seed} {one}".encode()).hexdigest() for one in table["person_id"].unique()}
    by_person = table.assign(_order=table["person_id"].map(order)).sort_values(["_order", "scan_id"])
    return by_person.index[: most if most is not None else len(by_person)]
