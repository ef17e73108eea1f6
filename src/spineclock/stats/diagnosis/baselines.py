"""What a network must beat: logistic models of the bone quality score, of signal ratios, of age, sex and body mass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.association.design import expand
from spineclock.stats.diagnosis.auroc import AurocDifference
from spineclock.stats.diagnosis.cross_fit import CrossFitted
from spineclock.stats.diagnosis.labels import in_words, labelled
from spineclock.stats.diagnosis.logistic import logistic
from spineclock.stats.result import results
from spineclock.stats.rows import has_columns

OSTEOPOROSIS: Mapping[str, Sequence[str]] = {
    "VBQ": ("vbq",),
    "signal ratios": ("to_csf", "to_fat", "to_muscle"),
    "age, sex and BMI": ("age_years", "sex", "bmi"),
}
"""Baselines every reader of a network for osteoporosis asks for, by columns of :class:`BoneQuality` and the cohort."""


@dataclass(frozen=True)
class FittedOn:
    """Logistic probabilities of a disease from a few columns, fitted on some splits and told of all rows.

    The rows it is fitted on are told too, and look better there than they should: judge on others.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> age = rng.uniform(40, 90, 600)
    >>> table = pd.DataFrame({"person_id": range(600), "age_years": age, "ill": rng.random(600) < age / 100 - 0.3,
    ...                       "split": ["validation", "test", "test"] * 200})
    >>> test = table.assign(p=FittedOn("ill", ["age_years"])(table)).query("split == 'test'")
    >>> bool(abs(test["p"].mean() - test["ill"].mean()) < 0.03)
    True
    """

    event: str
    columns: Sequence[str]
    fit_on: Sequence[str] = ("validation",)
    person: str | None = "person_id"
    split: str = "split"

    def __call__(self, table: pd.DataFrame) -> pd.Series[float]:
        """(rows,) by the table's index; missing where a column is.

        Raises
        ------
        TableError
            If a column is missing, too few rows have, or have not, the disease, a person is in these splits and in
            others, or a column separates the groups.
        UsageError
            If there is no column, or no split.
        """
        if not self.columns or not self.fit_on:
            raise UsageError(f"columns {list(self.columns)}, splits {list(self.fit_on)}", wanted="at least one of each")
        has_columns(table, [self.event, self.split, *([self.person] if self.person else [])])
        own = table[self.split].isin(self.fit_on).to_numpy()
        if self.person:
            both = set(table.loc[own, self.person]) & set(table.loc[~own, self.person])
            if both:
                raise TableError(
                    f"{len(both)} people in {', '.join(self.fit_on)} and in another {self.split}, such as "
                    f"{min(map(str, both))}",
                    wanted="each person in one",
                )
        found = expand(table, self.columns)
        known = found.complete
        rows = own & known & table[self.event].notna().to_numpy()
        if not rows.any():
            raise TableError(
                f"no row of {', '.join(self.fit_on)} with {', '.join([*self.columns, self.event])}",
                wanted="some to fit",
            )
        kept = labelled(table[rows].assign(_row=np.arange(int(rows.sum()))), self.event, ["_row"], person=self.person)
        x = found.matrix
        middle, spread = x[rows].mean(axis=0), x[rows].std(axis=0)
        design = np.column_stack([np.ones(len(x)), (x - middle) / np.where(spread > 0, spread, 1)])
        design = design[:, [True, *(spread > 0)]]
        fit = logistic(design[rows], kept.positive.astype(np.float64), people=kept.people)
        p = np.full(len(table), np.nan)
        p[known] = 1 / (1 + np.exp(-design[known] @ fit.coefficients))
        return pd.Series(p, index=table.index, dtype=float)


@dataclass(frozen=True)
class Baselines:
    """A network's AUROC against those of simple models, each compared on the rows that both tell of (DeLong, paired).

    Parameters
    ----------
    event, network
        The disease, and the network's column; higher values speak for the disease.
    models
        The columns of each baseline, by its name; the network's own may be among them, to ask what it adds.
    fit_on
        Splits that the baselines are fitted on; empty for ``folds``-fold cross-fitting by person within ``rows``, with
        which a baseline may see the people the network is judged on, though never the person it tells of.
    rows
        The split they are judged on; None for all rows, where they are cross-fitted.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> own = rng.normal(size=400)
    >>> table = pd.DataFrame({"person_id": range(400), "ill": own + rng.normal(0, 1, 400) > 0.5,
    ...                       "vbq": 3 + own + rng.normal(0, 2, 400), "network": own + rng.normal(0, 0.5, 400)})
    >>> compared = Baselines("ill", "network", {"VBQ": ["vbq"]}, fit_on=(), rows=None)
    >>> found = compared(table, rng=rng)
    >>> found.loc[0, ["term", "baseline"]].tolist(), bool(found.loc[0, "low"] > 0)
    (['network − VBQ', 'VBQ'], True)
    """

    event: str
    network: str
    models: Mapping[str, Sequence[str]] = field(default_factory=lambda: dict(OSTEOPOROSIS))
    fit_on: Sequence[str] = ("train", "validation")
    rows: str | None = "test"
    folds: int = 10
    person: str | None = "person_id"
    split: str = "split"

    def __post_init__(self) -> None:
        if not self.models or self.network in self.models:
            raise UsageError(f"the baselines {', '.join(self.models) or 'none'}", wanted="some, none of the same name")
        if self.fit_on and (self.rows is None or self.rows in self.fit_on):
            raise UsageError(
                f"baselines fitted on {', '.join(self.fit_on)} and judged on {self.rows or 'all rows'}",
                wanted="other people to judge on",
                remedy="name another split, or leave fit_on empty for cross-fitting",
            )

    def probabilities(self, table: pd.DataFrame, *, rng: np.random.Generator) -> pd.DataFrame:
        """(rows, baselines) each baseline's probability, by the table's index; missing where it tells nothing.

        Where cross-fitted, rows outside ``rows`` are missing. A baseline that cannot be fitted is refused.

        Raises
        ------
        TableError
            As :class:`FittedOn` and :class:`CrossFitted`.
        """
        return pd.DataFrame({name: self._told(table, name, rng) for name in self.models}, index=table.index)

    def __call__(self, table: pd.DataFrame, *, rng: np.random.Generator) -> pd.DataFrame:
        """One row a baseline: the network's AUROC minus its own; ``auroc``, ``auroc_other`` and the counts beside it.

        A baseline that cannot be fitted or judged has a row without numbers, and the reason as ``warning``.

        Raises
        ------
        TableError
            If the table lacks the disease or the network's column.
        """
        has_columns(table, [self.event, self.network])
        return results(self._row(table, name, rng) for name in self.models)

    def _told(self, table: pd.DataFrame, name: str, rng: np.random.Generator) -> pd.Series[float]:
        columns = list(self.models[name])
        has_columns(table, columns)
        if self.fit_on:
            return FittedOn(self.event, columns, self.fit_on, self.person, self.split)(table)
        own = np.ones(len(table), dtype=bool) if self.rows is None else (table[self.split] == self.rows).to_numpy()
        p = np.full(len(table), np.nan)
        p[own] = CrossFitted(self.event, columns, self.folds, self.person)(table[own], rng=rng)
        return pd.Series(p, index=table.index, dtype=float)

    def _row(self, table: pd.DataFrame, name: str, rng: np.random.Generator) -> dict[str, Any]:
        compared = AurocDifference(
            self.event, self.network, [name], person=self.person, split=self.split, rows=self.rows
        )
        how = f"fitted on {', '.join(self.fit_on)}" if self.fit_on else f"{self.folds}-fold by person"
        shared = {"baseline": name, "columns": ", ".join(self.models[name]), "fitted": how}
        try:
            row = compared(table.assign(**{name: self._told(table, name, rng)})).iloc[0]
        except TableError as reason:
            return {
                "term": f"{self.network} − {name}",
                **shared,
                "warning": str(reason),
                "sentence": f"{in_words(self.network).capitalize()} is not compared with {name}: {reason}",
            }
        return {**{str(k): v for k, v in row.items()}, **shared}
