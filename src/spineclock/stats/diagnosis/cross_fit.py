"""Probabilities of a disease from a few columns, each person's from a model that has not seen that person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.association.design import expand
from spineclock.stats.diagnosis.labels import Bools, labelled
from spineclock.stats.diagnosis.logistic import logistic


@dataclass(frozen=True)
class CrossFitted:
    """Logistic probabilities by cross-fitting, so that a score in years can enter a decision curve honestly.

    People are dealt into ``folds`` parts, those with and those without the disease evenly; each part's probabilities
    come from a logistic regression on the others. No person is on both sides. (A model judged on the rows it was
    fitted to looks too good.)

    Parameters
    ----------
    event
        The disease (true/false).
    columns
        Numbers, yes/no or categories that the regression stands on, all linear.
    folds
        Two or more.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> age = rng.uniform(40, 90, 500)
    >>> table = pd.DataFrame({"person_id": range(500), "age_years": age, "ill": rng.random(500) < age / 100 - 0.3})
    >>> p = CrossFitted("ill", ["age_years"])(table, rng=rng)
    >>> bool(p.between(0, 1).all()), bool(abs(p.mean() - table["ill"].mean()) < 0.01)
    (True, True)
    """

    event: str
    columns: Sequence[str]
    folds: int = 10
    person: str | None = "person_id"

    def __call__(self, table: pd.DataFrame, *, rng: np.random.Generator) -> pd.Series[float]:
        """(rows,) by the table's index; missing where the disease or a column is.

        Raises
        ------
        TableError
            If a column is missing, too few people have, or have not, the disease, or a column separates them.
        UsageError
            If there are fewer than two folds, or no column.
        """
        if self.folds < 2 or not self.columns:
            raise UsageError(f"{self.folds} folds, {len(self.columns)} columns", wanted="2 folds or more, and a column")
        found = expand(table, self.columns)
        known = found.complete & table[self.event].notna().to_numpy()
        if not known.any():
            raise TableError(f"no row with {', '.join([*self.columns, self.event])}", wanted="some to fit")
        own = table[known].reset_index(drop=True).assign(_row=np.arange(int(known.sum())))
        kept = labelled(own, self.event, ["_row"], person=self.person)
        parts = folds_of(kept.people, kept.positive, folds=self.folds, rng=rng)
        x = found.matrix[known]
        spread = x.std(axis=0)
        design = np.column_stack([np.ones(len(x)), (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1)])
        p = np.full(len(table), np.nan)
        p[known] = _probabilities(design, kept.positive, kept.people, parts)
        return pd.Series(p, index=table.index, dtype=float)


def folds_of(
    people: npt.NDArray[np.int64], positive: Bools, *, folds: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """(n,) the fold each row is in: whole people, those with the disease spread evenly.

    >>> folds_of(np.array([0, 0, 1, 2, 3]), np.array([True, False, True, False, False]), folds=2,
    ...          rng=np.random.default_rng(0)).tolist()
    [0, 0, 1, 0, 1]

    Raises
    ------
    TableError
        If fewer people than folds have, or have not, the disease.
    """
    count = int(people.max()) + 1
    ill = np.bincount(people, weights=positive, minlength=count) > 0
    fold = np.empty(count, dtype=np.int64)
    for label, word in ((True, "with"), (False, "without")):
        who = rng.permutation(np.flatnonzero(ill == label))
        if len(who) < folds:
            raise TableError(f"{len(who)} people {word} the disease for {folds} folds", wanted=f"at least {folds}")
        fold[who] = np.arange(len(who)) % folds
    return np.asarray(fold[people])


def _probabilities(
    design: Floats, positive: Bools, people: npt.NDArray[np.int64], parts: npt.NDArray[np.int64]
) -> Floats:
    p = np.empty(len(design))
    for part in np.unique(parts):
        out = parts == part
        fit = logistic(design[~out], positive[~out].astype(np.float64), people=people[~out])
        p[out] = 1 / (1 + np.exp(-design[out] @ fit.coefficients))
    return p
