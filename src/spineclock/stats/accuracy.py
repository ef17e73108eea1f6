"""Figures of merit of an age model as tables: with and without correction (Table 3), by bracket and sex (Figure 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.brackets import BRACKETS, bracket
from spineclock.stats.ages import Floats, paired
from spineclock.stats.result import interval_text, number, results
from spineclock.stats.rows import complete, has_columns, of_split
from spineclock.stats.sums import Estimates, bootstrap_sums

MEASURES = {
    "MAE": ("mean absolute error", "years"),
    "WMAE": ("mean absolute error with each ten-year bracket counting the same", "years"),
    "R²": ("R² (1 − SSE/SST)", ""),
    "RMSE": ("root mean squared error", "years"),
    "r": ("correlation of predicted and chronological age", ""),
    "mean gap": ("mean gap", "years"),
    "slope of gap on age": ("change of the gap a year of age", "years a year"),
}
"""Each measure of :func:`figures`, in words and in its unit."""

_BY_BRACKET = 10
"""The first term that is of one bracket."""


def terms(predicted: npt.ArrayLike, age: npt.ArrayLike, *, gap: npt.ArrayLike | None = None) -> Floats:
    """What each scan adds to the sums that :func:`figures` is a function of, shape (n, 22).

    ``gap`` where it is something else than predicted − chronological age. Ages are taken from their mean, so that
    squares of large numbers do not eat the digits.
    """
    p, y = paired(predicted, age, at_least=2)
    g = p - y if gap is None else paired(gap, age)[0]
    e, name = p - y, bracket(y)
    held = name[:, None] == np.array(BRACKETS)
    p, y = p - y.mean(), y - y.mean()
    all_scans = np.column_stack([np.ones_like(y), np.abs(e), e * e, p, y, p * p, y * y, p * y, g, g * y])
    return np.column_stack([all_scans, held * np.abs(e)[:, None], held])


def figures(sums: Floats) -> Floats:
    """The :data:`MEASURES`, shape (…, 7), of summed :func:`terms`; NaN where not defined.

    >>> figures(terms([31, 44, 68], [30, 42, 65]).sum(axis=0)).round(3).tolist()[:3]
    [2.0, 2.0, 0.978]
    """
    n, absolute, squared, p, y, pp, yy, py, g, gy = (sums[..., i] for i in range(_BY_BRACKET))
    by_bracket, held = np.split(sums[..., _BY_BRACKET:], 2, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        # counts that leaving a person out brings to 0 may be left at 1e-16 by rounding
        means = np.where(held > 0.5, by_bracket / held, np.nan)
        there = np.isfinite(means)
        wmae = np.where(there, means, 0).sum(axis=-1) / there.sum(axis=-1)
        around_y, around_p, both = yy - y * y / n, pp - p * p / n, py - p * y / n
        r2, r = 1 - squared / around_y, both / np.sqrt(around_p * around_y)
        slope = (gy - g * y / n) / around_y
        return np.stack([absolute / n, wmae, r2, np.sqrt(squared / n), r, g / n, slope], axis=-1)


@dataclass(frozen=True)
class AgeAccuracy:
    """MAE, WMAE, R², RMSE, r, mean gap and the gap's slope on age, as predicted and corrected: Table 3's rows.

    Intervals are BCa bootstrap ones of resampled people (with all their scans). Those of corrected ages hold the
    correction fixed: they say how the draw of the test people matters, not that of the validation people.

    Parameters
    ----------
    split, rows : str, str or None
        The column and value of the rows to evaluate; None for all rows.
    by : str, optional
        A column, such as the model or the region, each of whose values is evaluated for itself.
    resamples, seed : int
        Of the bootstrap; with 0 resamples there are no intervals.

    Examples
    --------
    >>> table = pd.DataFrame({"person_id": list("abcd"), "age_years": [30, 42, 55, 65], "split": "test",
    ...                       "predicted_age_years": [31, 44, 53, 68]})
    >>> AgeAccuracy(resamples=0)(table).loc[0, "sentence"]
    'As predicted, the mean absolute error is 2.00 years (4 scans of 4 people).'
    """

    predicted: str = "predicted_age_years"
    corrected: str = "corrected_age_years"
    age: str = "age_years"
    person: str = "person_id"
    split: str = "split"
    rows: str | None = "test"
    by: str | None = None
    resamples: int = 2000
    seed: int = 0

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """One row a measure, for predicted ages and, where the table has them, for corrected ones.

        Further columns: ``measure``, ``ages`` ("as predicted" or "corrected"), ``unit``, ``people``, ``left_out``
        (rows without an age or a prediction) and ``group`` (the value of ``by``).

        Raises
        ------
        TableError
            If a column is missing, or fewer than three people are left.
        """
        if self.rows is not None:
            table = of_split(table, self.split, self.rows)
        if self.by is None:
            return results(self._rows(table, ""))
        has_columns(table, [self.by])
        parts = table.groupby(self.by, sort=False, observed=True)
        return results(row for name, part in parts for row in self._rows(part, str(name)))

    def _rows(self, table: pd.DataFrame, group: str) -> list[dict[str, Any]]:
        kinds = {"as predicted": self.predicted, "corrected": self.corrected}
        rows = []
        for ages, column in kinds.items():
            if column == self.corrected and column not in table.columns:
                continue
            used, left_out = complete(table, numbers=[column, self.age], names=[self.person], at_least=3)
            found = bootstrap_sums(
                figures,
                terms(used[column], used[self.age]),
                people=used[self.person],
                rng=np.random.default_rng(self.seed),
                resamples=self.resamples,
            )
            opening = f"{ages.capitalize()}, the"
            rows += measure_rows(found, n=len(used), opening=opening, ages=ages, group=group, left_out=left_out)
        return rows


def measure_rows(
    found: Estimates, *, n: int, opening: str, gap_unit: str = "years", **more: Any
) -> list[dict[str, Any]]:
    """A row of a result frame for each of the :data:`MEASURES`; ``more`` are further columns of each."""
    rows = []
    for i, (measure, (words, unit)) in enumerate(MEASURES.items()):
        unit = unit.replace("years", gap_unit, 1) if "gap" in measure else unit
        value, low, high = (float(ends[i]) for ends in (found.values, found.low, found.high))
        digits = 3 if "slope" in measure else 2
        text = interval_text(value, low, high, unit=unit, digits=digits)
        if not np.isfinite(low):
            text = f"{number(value, digits)} {unit}".rstrip()
        rows.append({
            "term": f"{measure}, {more['ages']}" + (f" ({more['group']})" if more.get("group") else ""),
            "estimate": value, "low": low, "high": high, "p": np.nan, "n": n,
            "sentence": f"{opening} {words} is {text} ({n:,} scans of {found.people:,} people).",
            "measure": measure, "unit": unit, "people": found.people, **more,
        })  # fmt: skip
    return rows


@dataclass(frozen=True)
class ErrorByGroup:
    """Size of the error by ten-year bracket and sex: what the boxes of Figure 4 show.

    The estimate is the mean absolute error with its BCa bootstrap interval; further columns hold the median and the
    quartiles of the absolute error. A group of fewer than three people has no interval, an empty one no row.

    Examples
    --------
    >>> table = pd.DataFrame({"person_id": list("abcde"), "sex": list("FFFFM"), "age_years": [50, 51, 52, 53, 60],
    ...                       "corrected_age_years": [51, 53, 55, 57, 50], "split": "test"})
    >>> ErrorByGroup(resamples=0)(table)[["bracket", "sex", "estimate", "quartile_1", "median", "quartile_3", "n"]]
       bracket sex  estimate  quartile_1  median  quartile_3  n
    0       50   F       2.5        1.75     2.5        3.25  4
    1       60   M      10.0       10.00    10.0       10.00  1
    """

    predicted: str = "corrected_age_years"
    age: str = "age_years"
    sex: str = "sex"
    person: str = "person_id"
    split: str = "split"
    rows: str | None = "test"
    resamples: int = 2000
    seed: int = 0

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """One row a bracket and sex; people outside 25–84 are in none.

        Further columns, in years: ``bracket``, ``sex``, ``median``, ``quartile_1``, ``quartile_3``, ``mean_gap``.

        Raises
        ------
        TableError
            If a column is missing or no row is complete.
        """
        if self.rows is not None:
            table = of_split(table, self.split, self.rows)
        used, _ = complete(table, numbers=[self.predicted, self.age], names=[self.sex, self.person])
        used = used.assign(_bracket=bracket(used[self.age]), _gap=used[self.predicted] - used[self.age])
        groups = used[used["_bracket"] > 0].groupby(["_bracket", self.sex], observed=True)
        rng = np.random.default_rng(self.seed)
        return results(self._row(int(str(ten)), str(sex), part, rng) for (ten, sex), part in groups)

    def _row(self, ten: int, sex: str, part: pd.DataFrame, rng: np.random.Generator) -> dict[str, Any]:
        error = part["_gap"].abs().to_numpy()
        first, median, third = (float(q) for q in np.quantile(error, [0.25, 0.5, 0.75]))
        mean, low, high = float(error.mean()), np.nan, np.nan
        if part[self.person].nunique() >= 3:
            summed = np.column_stack([error, np.ones_like(error)])
            found = bootstrap_sums(
                lambda s: s[..., :1] / s[..., 1:], summed, people=part[self.person], rng=rng, resamples=self.resamples
            )
            low, high = float(found.low[0]), float(found.high[0])
        who = {"F": "women", "M": "men"}.get(sex, sex)
        said = interval_text(mean, low, high, unit="years") if np.isfinite(low) else f"{number(mean)} years"
        return {
            "term": f"{ten}, {sex}", "estimate": mean, "low": low, "high": high, "p": np.nan, "n": len(part),
            "sentence": f"In the {len(part):,} scans of {who} of {ten - 5}–{ten + 4} years the mean absolute error is "
            f"{said}; half of them are off by less than {number(median)} years.",
            "bracket": ten, "sex": sex, "median": median, "quartile_1": first, "quartile_3": third,
            "mean_gap": float(part["_gap"].mean()),
        }  # fmt: skip
