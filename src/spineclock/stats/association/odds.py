"""How much likelier conditions are where the spine looks older than the person than where it looks younger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.association.design import Column, expand, people_of, require
from spineclock.stats.association.linear import false_discovery
from spineclock.stats.association.two_by_two import Fourfold, OddsRatio, exact_odds_ratio, wald_odds_ratio
from spineclock.stats.result import number, p_text, results


@dataclass(frozen=True)
class OddsByGapBand:
    """The odds of each condition where the gap is above +5 years against where it is below −5.

    Figure 6 of the spine-age paper.

    Called with a table of one row a scan it returns a row a condition: the odds ratio, 95% interval, p of no
    difference. Extra columns: ``key``, ``with_above``, ``without_above``, ``with_below``, ``without_below``,
    ``method``, ``q`` (Benjamini–Hochberg over the conditions), ``missing`` (scans in a band that do not tell).

    A person with several scans counts once, by the first (the youngest age, then the table's order), whichever band
    that is in: with ``repeats="cluster"`` all scans count and the interval is widened for people with two (a sandwich
    on the logarithm). A table with a count below ``small`` is exact, by first scans under either choice.

    These are odds as counted: age, sex and site are not held alike.

    Examples
    --------
    >>> table = pd.DataFrame({"gap_years": [6.0] * 4 + [-6.0] * 4, "fracture": [1, 1, 1, 0, 1, 0, 0, 0],
    ...                       "person_id": range(8), "age_years": 50})
    >>> found = OddsByGapBand(("fracture",))(table).iloc[0]
    >>> round(float(found.estimate), 4), round(float(found.p), 4), found.method
    (6.4083, 0.4857, 'exact (Fisher)')
    """

    conditions: Sequence[str]
    """Columns of yes/no."""
    above: float = 5.0
    below: float = -5.0
    gap: str = "gap_years"
    age: str = "age_years"
    """Tells which of a person's scans is the first."""
    person: str | None = "person_id"
    repeats: Literal["first", "cluster"] = "first"
    small: int = 5
    """Tables with a count below it are exact."""
    interval: Literal["exact", "mid-p"] = "exact"
    """Of the exact ones."""
    names: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """The odds ratios.

        Raises
        ------
        TableError
            If a column is not there or not of yes/no, or one of the bands is empty.
        """
        if self.above < self.below:
            raise UsageError(f"above {self.above:g} and below {self.below:g} years", wanted="bands apart")
        require(table, [self.gap, *self.conditions, *([self.age] if self.person else [])])
        gap = pd.to_numeric(table[self.gap]).to_numpy(dtype=np.float64, na_value=np.nan)
        band = np.where(gap > self.above, 1, np.where(gap < self.below, 0, -1))
        for side, words in ((1, f"above {self.above:g}"), (0, f"below {self.below:g}")):
            if not (band == side).any():
                raise TableError(
                    f"no scan with a gap {words} years", wanted="some in either band", remedy="choose other bands"
                )
        people = people_of(table, self.person)
        first = _first(people, table[self.age].to_numpy(dtype=np.float64)) if self.person else np.ones(len(gap), bool)
        rows = [self._row(column, band, people, first) for column in expand(table, self.conditions).columns]
        for row, q in zip(rows, false_discovery([row["p"] for row in rows]), strict=True):
            row["q"] = q
        return results(rows)

    def _row(
        self, column: Column, band: npt.NDArray[np.int64], people: npt.NDArray[np.int64], first: npt.NDArray[np.bool_]
    ) -> dict[str, Any]:
        if column.kind != "yes/no":
            raise TableError(f"the column {column.source} with other values than 0 and 1", wanted="yes/no")
        told = np.isfinite(column.values)
        counted = first & (band >= 0) & told
        counts = self._counts(column.values[counted], band[counted])
        found, n = self._ratio(counts), int(counted.sum())
        if self.repeats == "cluster" and min(counts.cells) >= self.small:
            every = (band >= 0) & told
            counts = self._counts(column.values[every], band[every])
            found, n = clustered_odds_ratio(column.values[every], band[every], people[every]), int(every.sum())
        name = self.names.get(column.key, column.key)
        return {
            "term": name,
            "estimate": found.ratio,
            "low": found.low,
            "high": found.high,
            "p": found.p,
            "n": n,
            "sentence": self._sentence(name, found, counts),
            "key": column.key,
            "with_above": counts.with_first,
            "without_above": counts.without_first,
            "with_below": counts.with_second,
            "without_below": counts.without_second,
            "method": found.method,
            "missing": int((first & (band >= 0) & ~told).sum()),
        }

    @staticmethod
    def _counts(values: Floats, band: npt.NDArray[np.int64]) -> Fourfold:
        has = values > 0
        return Fourfold(*(int(((band == side) & (has == yes)).sum()) for side in (1, 0) for yes in (True, False)))

    def _ratio(self, counts: Fourfold) -> OddsRatio:
        if min(counts.cells) < self.small:
            return exact_odds_ratio(counts, interval=self.interval)
        return wald_odds_ratio(counts)

    def _sentence(self, name: str, found: OddsRatio, counts: Fourfold) -> str:
        a, b, c, d = counts.cells
        shares = (
            f"{a:,} of {a + b:,} scans with a gap above {number(self.above, 0)} years have {name}, "
            f"{c:,} of {c + d:,} with one below {number(self.below, 0)}"
        )
        if np.isnan(found.ratio):
            return f"{shares}: the odds cannot be compared."
        ends = f"{number(found.low)} to {number(found.high)}"
        return f"{shares}: odds {number(found.ratio)} times as high (95% CI {ends}; {p_text(found.p)}; {found.method})."


def clustered_odds_ratio(
    has: npt.ArrayLike, first_group: npt.ArrayLike, people: npt.ArrayLike, *, coverage: float = 0.95
) -> OddsRatio:
    """The odds ratio of all scans, with an interval that knows which are of one person.

    A logistic model of the condition on the group with a sandwich covariance and G/(G − 1) (R: glm and
    sandwich::vcovCL), in closed form: each scan moves its group's log odds by (y − p)/(n p (1 − p)).

    >>> has = [1] * 20 + [0] * 80 + [1] * 10 + [0] * 90
    >>> round(clustered_odds_ratio(has, [1] * 100 + [0] * 100, range(200)).low, 3)
    0.992

    Raises
    ------
    TableError
        If in one of the groups all or none have the condition.
    """
    y, group = np.asarray(has, dtype=np.float64), np.asarray(first_group).astype(bool)
    influence = np.zeros(len(y))
    logs = []
    for mask, sign in ((group, 1), (~group, -1)):
        p = float(y[mask].mean()) if mask.any() else 0.0
        if not 0 < p < 1:
            raise TableError("a group of which all or none have the condition", wanted="some with and some without it")
        influence[mask] = sign * (y[mask] - p) / (mask.sum() * p * (1 - p))
        logs.append(np.log(p / (1 - p)))
    who = np.unique(np.asarray(people), return_inverse=True)[1].ravel()
    own = np.bincount(who, influence)
    error = float(np.sqrt(np.square(own).sum() * len(own) / (len(own) - 1)))
    log = float(logs[0] - logs[1])
    half = float(stats.norm.ppf(0.5 + coverage / 2)) * error
    p_value = float(2 * stats.norm.sf(abs(log) / error))
    ratio, low, high = (float(np.exp(v)) for v in (log, log - half, log + half))
    return OddsRatio(ratio, low, high, p_value, "logarithm, clustered by person")


def _first(people: npt.NDArray[np.int64], age: Floats) -> npt.NDArray[np.bool_]:
    """Which rows are the first of their person: of the youngest age, then the first in order."""
    order = np.lexsort((np.arange(len(people)), age, people))
    first = np.zeros(len(people), dtype=bool)
    first[order[np.flatnonzero(np.diff(people[order], prepend=-1))]] = True
    return first
