"""Training, validation and test people: each person in one of them, with the ages and sexes of all in each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from spineclock.core.brackets import bracket
from spineclock.core.errors import TableError, UsageError

SPLITS = ("train", "validation", "test")
GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Split:
    """How people are split: shares of the people of each age bracket and sex.

    The defaults are the spine-age paper's 8,491 : 1,051 : 1,069 series, rounded. Split by person is our choice.
    """

    train: float = 0.8
    validation: float = 0.1
    by: tuple[str, ...] = ()
    """Further columns whose values are to have their shares in each split, such as who has a disease, be they few."""

    def __post_init__(self) -> None:
        if min(self.train, self.validation) < 0 or self.train + self.validation >= 1:
            raise UsageError(
                f"shares of {self.train:g} and {self.validation:g}", wanted="shares from 0 on that leave some for test"
            )

    def __call__(self, table: pd.DataFrame, *, rng: np.random.Generator) -> pd.Series:
        """The split of each row of a table of scans, by its index: all scans of a person are in one split.

        Parameters
        ----------
        table : DataFrame
            person_id, age_years, sex (may be missing); a person counts at the age of the first row.
        rng : numpy.random.Generator
            Who goes where.

        Examples
        --------
        >>> table = pd.DataFrame({"person_id": np.arange(1000) // 2, "age_years": 50.0, "sex": "F"})
        >>> split = Split()(table, rng=np.random.default_rng(0))
        >>> sorted(split.value_counts().items()), int(split.groupby(table["person_id"]).nunique().max())
        ([('test', 100), ('train', 800), ('validation', 100)], 1)

        Raises
        ------
        TableError
            If a column is missing or a row is of nobody.
        """
        if missing := {"person_id", "age_years"} - set(table):
            raise TableError(f"a table without {', '.join(sorted(missing))}", wanted="person_id and age_years")
        if table["person_id"].isna().any():
            raise TableError(
                f"{int(table['person_id'].isna().sum())} scans of nobody", wanted="a person_id in each row"
            )
        people = table.drop_duplicates("person_id")
        sex = people["sex"].astype("string").fillna("") if "sex" in people else pd.Series("", index=people.index)
        strata = bracket(people["age_years"]).astype(str) + sex.to_numpy(dtype=object)
        for name in self.by[::-1]:  # first of all by these, which are to come out as evenly as can be
            strata = people[name].astype(str).to_numpy(dtype=object) + strata
        drawn = pd.Series(_dealt(strata, self, rng), index=people["person_id"].to_numpy())
        return table["person_id"].map(drawn).rename("split")


def _dealt(strata: np.ndarray, how: Split, rng: np.random.Generator) -> np.ndarray:
    """A split for each person, stratum after stratum: in the shares asked for in every hundred people, or, where
    strata are by more than age and sex, as nearly in any number of neighbours (turns a golden section apart)."""
    mixed = rng.permutation(len(strata))
    order = mixed[np.argsort(strata[mixed], kind="stable")]
    if how.by:
        turn = (rng.random() + GOLDEN * np.arange(len(order))) % 1
    else:
        turn = rng.permutation(100)[np.arange(len(order)) % 100] / 100
    names = np.where(turn < how.train, SPLITS[0], np.where(turn < how.train + how.validation, SPLITS[1], SPLITS[2]))
    found = np.empty(len(strata), dtype=object)
    found[order] = names
    return found
