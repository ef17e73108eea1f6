"""Scores and who has the disease, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.association.design import people_of
from spineclock.stats.rows import complete, of_split

Bools = npt.NDArray[np.bool_]
FEW = 10
"""With fewer rows than this with, or without, the disease a result carries a warning."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """The rows that have every score and say whether the disease is there."""

    scores: Floats
    """(k, n), one row a score."""
    positive: Bools
    """(n,)."""
    people: npt.NDArray[np.int64]
    """(n,) a number for whom each row is of."""
    left_out: int
    """Rows without a score or without the diagnosis."""

    @property
    def counts(self) -> dict[str, int]:
        """Numbers that go with each result."""
        return {
            "n": self.positive.size,
            "positives": int(self.positive.sum()),
            "negatives": int((~self.positive).sum()),
            "people": int(self.people.max()) + 1,
            "left_out": self.left_out,
        }

    @property
    def warning(self) -> str:
        """That few have, or few have not, the disease."""
        found = []
        for count, words in ((self.counts["positives"], "with"), (self.counts["negatives"], "without")):
            if count < FEW:
                found.append(f"only {count} rows {words} the disease")
        return "; ".join(found)


def labelled(
    table: pd.DataFrame,
    event: str,
    scores: Sequence[str],
    *,
    person: str | None = "person_id",
    split: str = "split",
    rows: str | None = None,
    varied: bool = True,
) -> Labelled:
    """The rows with a diagnosis and all scores, of one split or of all.

    >>> table = pd.DataFrame({"person_id": list("abcde"), "ill": [1, 0, 1, 0, None], "score": [3, 1, 2, 2, 5]})
    >>> found = labelled(table, "ill", ["score"])
    >>> found.positive.tolist(), found.left_out
    ([True, False, True, False], 1)

    Raises
    ------
    TableError
        If a column is missing or holds something else than numbers, the diagnosis anything but yes and no, a score one
        value only (unless ``varied`` is False), or fewer than two rows have, or have not, the disease.
    UsageError
        If no score is named.
    """
    if not scores:
        raise UsageError("no score", wanted="at least one column")
    if rows is not None:
        table = of_split(table, split, rows)
    kept = complete(table, numbers=[*dict.fromkeys([*scores, event])])
    positive = yes_no(kept.table[event], event)
    counted = np.bincount(positive, minlength=2)
    for count, word in ((counted[1], "with"), (counted[0], "without")):
        if count < 2:
            raise TableError(f"{count} of {len(positive)} rows {word} {event}", wanted="at least 2 with and 2 without")
    values = np.asarray(kept.table[[*scores]].to_numpy(dtype=np.float64).T)
    for name, value in zip(scores, values, strict=True):
        if not np.isfinite(value).all():
            raise TableError(f"an infinite value in the column {name}", wanted="numbers")
        if varied and np.ptp(value) == 0:
            raise TableError(f"{name} is {value[0]:g} in all {len(value)} rows", wanted="a score that differs")
    return Labelled(values, positive, people_of(kept.table, person), kept.left_out)


def yes_no(cells: pd.Series[Any], name: str) -> Bools:
    """A column of true/false or 1/0 as booleans; a TableError if it holds anything else."""
    values = cells.to_numpy(dtype=np.float64)
    wrong = values[~np.isin(values, (0, 1))]
    if len(wrong):
        raise TableError(f"{wrong[0]:g} in the column {name} ({len(wrong)} such)", wanted="true or false, 1 or 0")
    return np.asarray(values == 1)


def probabilities(values: Floats, names: Sequence[str]) -> None:
    """A TableError where a column holds what cannot be a probability."""
    for name, value in zip(names, values, strict=True):
        wrong = value[(value < 0) | (value > 1)]
        if len(wrong):
            raise TableError(
                f"{wrong[0]:g} in the column {name} ({len(wrong)} such)",
                wanted="probabilities from 0 to 1",
                remedy="turn the score into a probability on other people's data first",
            )


def in_words(column: str) -> str:
    """A column's name without underscores: ``vertebral_fracture`` is "vertebral fracture"."""
    return column.replace("_", " ")
