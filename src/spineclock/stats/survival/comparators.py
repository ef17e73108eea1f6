"""Risks from a few columns of a table, learned from training people: what images have to beat.

Sources: Uno, Cai, Tian and Wei, JASA 2007, and Blanche et al., Statistics in Medicine 2023 (logistic regression of an
event by a horizon, weighted by the inverse probability of being followed); for Cox see
:mod:`spineclock.stats.survival.competing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import pandas as pd

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.association.design import REFERENCES, expand
from spineclock.stats.rows import of_split
from spineclock.stats.survival.competing import cause_specific
from spineclock.stats.survival.follow_up import FollowUp, TimeTo, follow_up, within
from spineclock.stats.survival.timed import HORIZONS_WHY, Weights, horizons_known

Kind = Literal["cox", "logistic"]


@dataclass(frozen=True)
class FittedRisk:
    """Risks by each horizon from chosen columns, fitted on the training people alone.

    "cox": hazard ratios that hold over the years; where the outcome has a competing event a model of either, put
    together to the cumulative incidence. "logistic": a regression for each horizon, people lost before it being made up
    for by those like them in time; a competing event counts as not having the event. Both take columns as linear.

    Parameters
    ----------
    outcome
        Columns of the event's time and kind.
    columns
        Numbers, yes/no or categories, such as age, sex and trabecular HU.
    name
        Of the model; its columns are called ``{name}_risk_{horizon}_years``.
    kind
        "cox" or "logistic".
    horizons
        In years.
    fit_on
        The split it is fitted on.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"person_id": range(400), "age_years": rng.uniform(50, 90, 400)})
    >>> years = rng.exponential(20 * np.exp(-0.05 * (table["age_years"] - 70)))
    >>> table = table.assign(fracture_years=np.minimum(years, 8), fracture=years < 8, split=["train", "test"] * 200)
    >>> model = FittedRisk(TimeTo("fracture"), ["age_years"], "clinical", horizons=[5])
    >>> risk = model(table)[model.told[5]]
    >>> bool(np.corrcoef(risk, table["age_years"])[0, 1] > 0.95), bool(abs(risk.mean() - (years < 5).mean()) < 0.03)
    (True, True)
    """

    outcome: TimeTo
    columns: Sequence[str]
    name: str = "clinical"
    kind: Kind = "cox"
    horizons: Sequence[float] = (2.0, 3.0, 5.0)
    fit_on: str = "train"
    person: str | None = "person_id"
    split: str = "split"
    reference: Mapping[str, str] = field(default_factory=lambda: REFERENCES)

    @property
    def told(self) -> dict[float, str]:
        """The column of each horizon's risk, as comparisons and calibrations ask for it."""
        return {float(h): f"{self.name}_risk_{h:g}_years" for h in self.horizons}

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with the risks of everybody who has a value in each of the columns; of others they are missing.

        Raises
        ------
        TableError
            If a column is missing or wrong, a category of one is unknown among the training people, or they have too
            few events.
        UsageError
            If there is no column, or a horizon lies beyond the training people's follow-up.
        """
        if not self.columns or not self.horizons or self.kind not in get_args(Kind):
            raise UsageError(f"{len(self.columns)} columns, {len(self.horizons)} horizons, kind {self.kind!r}",
                             wanted=f"some of each, {' or '.join(get_args(Kind))}")  # fmt: skip
        found = expand(table, self.columns, reference=self.reference)
        x, known = found.matrix, found.complete
        place = pd.Series(np.arange(len(table)), index=table.index)
        own = of_split(table.assign(_row=place), self.split, self.fit_on)
        kept = follow_up(own[known[own["_row"]]], self.outcome, numbers=["_row"], person=self.person, at_least=2)
        learned = x[kept.table["_row"].to_numpy(dtype=np.int64)]
        for column, values, everybody in zip(found.columns, learned.T, x[known].T, strict=True):
            if not np.ptp(values) > 0:
                alone = "" if np.ptp(everybody) > 0 else ", as everywhere"
                raise TableError(
                    f"{column.key} is the same in all {len(values)} rows of the {self.fit_on} people{alone}",
                    wanted="a column that differs among those a model is fitted on",
                    remedy="leave it out, or join the category with another",
                )
        middle, spread = learned.mean(axis=0), learned.std(axis=0)
        risks = np.full((len(table), len(self.horizons)), np.nan)
        risks[known] = self._risks(kept, (learned - middle) / spread, (x[known] - middle) / spread)
        return table.assign(**dict(zip(self.told.values(), risks.T, strict=True)))

    def _risks(self, kept: FollowUp, learned: Floats, asked: Floats) -> Floats:
        """(m, horizons) of the rows asked for, from a fit to those learned from."""
        if self.kind == "cox":
            fit = cause_specific(learned, kept.time, kept.cause, people=kept.people)
            return fit.risks(asked, self.horizons)
        horizons = within(self.horizons, horizons_known(kept.time, kept.event), why=HORIZONS_WHY)
        ends = [np.column_stack([np.ones(len(x)), x]) for x in (learned, asked)]
        out = []
        for horizon in horizons:
            weights = Weights.at(kept.time, kept.cause, float(horizon))
            b = weighted_logistic(ends[0], weights.case > 0, weights.case + weights.free + weights.ruled_out)
            out.append(1 / (1 + np.exp(-ends[1] @ b)))
        return np.column_stack(out)


def weighted_logistic(design: Floats, positive: np.ndarray, weights: Floats) -> Floats:
    """(k,) the coefficients of a logistic regression whose rows count by their weights, by Newton's steps.

    Raises
    ------
    TableError
        If the columns separate the two groups.

    Examples
    --------
    >>> x = np.column_stack([np.ones(4), [0, 0, 1, 1]])
    >>> weighted_logistic(x, np.array([0, 1, 0, 1]), np.array([3.0, 1, 1, 3])).round(4).tolist()  # log 1/3, log 9
    [-1.0986, 2.1972]
    """
    y, b = np.asarray(positive, dtype=np.float64), np.zeros(design.shape[1])
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(design @ b, -500, 500)))
        information = design.T @ (design * (weights * p * (1 - p))[:, None])
        try:
            step = np.linalg.solve(information, design.T @ (weights * (y - p)))
        except np.linalg.LinAlgError:
            break
        longest = float(np.abs(step).max())
        b = b + step * min(1.0, 5 / longest if longest > 0 else 1.0)
        if longest < 1e-10 * (1 + float(np.abs(b).max())):
            return b
    raise TableError("columns that separate those with the event from those without completely",
                     wanted="some overlap", remedy="fewer columns, or more people")  # fmt: skip
