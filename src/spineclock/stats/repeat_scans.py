"""How well the spine age gap repeats itself in people scanned twice (Table 4 of the spine-age paper)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from spineclock.core.errors import TableError
from spineclock.stats.agreement import Between, icc, limits_of_agreement, repeatability
from spineclock.stats.result import interval_text, number, p_text, results
from spineclock.stats.rows import complete, has_columns

_WORDS = {"F": "women", "M": "men"}
_AT_ONCE = 0.1
"""Scans nearer to each other than this, in years, hold no true change worth a word."""


def repeat_pairs(
    table: pd.DataFrame,
    *,
    values: Sequence[str],
    person: str = "person_id",
    scan: str = "scan_id",
    order: str = "age_years",
    also: Sequence[str] = (),
) -> pd.DataFrame:
    """The first two scans of each person who has two, one row a person.

    Columns: ``person_id``, ``scans`` (how many the person has), ``years_apart``, ``first_…`` and ``second_…`` of each
    value, and those in ``also`` as at the first scan. Scans without a value are left out first. ``order`` is an age in
    years or a date; scans of the same age stand in the order of their ``scan_id``.

    >>> long = pd.DataFrame({"person_id": ["a", "a", "b"], "scan_id": ["a2", "a1", "b1"],
    ...                      "age_years": [52.0, 50, 60], "gap_years": [4.0, 1, 2]})
    >>> repeat_pairs(long, values=["gap_years"])
      person_id  scans  years_apart  first_gap_years  second_gap_years
    0         a      2          2.0              1.0               4.0

    Raises
    ------
    TableError
        If a column is missing, or a scan is there twice.
    """
    has_columns(table, [person, scan, order, *values, *also])
    used = complete(table, numbers=values, names=[person, scan, order]).table
    twice = used[scan][used[scan].duplicated()]
    if len(twice):
        raise TableError(
            f"scan {twice.iloc[0]} in more than one row ({len(twice)} such)", wanted="one row a scan",
            remedy="drop the doubled rows; a scan compared with itself would look perfectly repeatable",
        )  # fmt: skip
    used = used.sort_values([person, order, scan], kind="stable")
    used = used.assign(_count=used.groupby(person)[scan].transform("size"), _at=used.groupby(person).cumcount())
    first, second = (used[(used["_count"] > 1) & (used["_at"] == at)].reset_index(drop=True) for at in (0, 1))
    apart = second[order] - first[order]
    years = apart.dt.total_seconds() / (365.25 * 86400) if pd.api.types.is_timedelta64_dtype(apart) else apart
    pairs = pd.DataFrame({"person_id": first[person], "scans": first["_count"], "years_apart": years.astype(float)})
    for value in values:
        pairs[f"first_{value}"], pairs[f"second_{value}"] = first[value], second[value]
    return pairs.assign(**{name: first[name] for name in also})


@dataclass(frozen=True)
class RepeatScans:
    """ICCs, within-person SD, repeatability coefficient, bias and limits of agreement of each person's first two scans.

    On the gap, where people differ little, and on the raw predicted age, whose ICC is flattered by the spread of ages
    and says little. All together and by sex. Scans that lie years apart hold true change as well as error, so that the
    repeatability coefficient is an upper bound of what two scans of one day would give.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> true = np.repeat(rng.normal(0, 4, 150), 2)
    >>> table = pd.DataFrame({"person_id": np.repeat(np.arange(150), 2), "scan_id": np.arange(300), "sex": "F",
    ...     "age_years": np.tile([50, 51.6], 150), "gap_years": true + rng.normal(0, 2, 300)})
    >>> RepeatScans(values=("gap_years",))(table).loc[0, "sentence"]
    'ICC(A,1) of the gap in 150 people scanned twice: 0.77 (95% CI 0.69 to 0.83).'
    """

    values: tuple[str, ...] = ("gap_years", "predicted_age_years")
    person: str = "person_id"
    scan: str = "scan_id"
    order: str = "age_years"
    sex: str | None = "sex"
    band_years: float = 5.0
    """Half width of the band in which a gap is called ordinary, to compare the smallest detectable change with."""

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """One row a measure for each value, of all people and of each sex.

        Further columns: ``measure``, ``value``, ``group``, ``unit``, ``years_apart`` (mean), ``third_scans`` (people
        with further scans, which are not used), ``method`` of the interval.

        Raises
        ------
        TableError
            If a column is missing, a scan is there twice, or fewer than three people have two scans.
        """
        also = [] if self.sex is None else [self.sex]
        pairs = repeat_pairs(
            table, values=self.values, person=self.person, scan=self.scan, order=self.order, also=also
        )  # fmt: skip
        if len(pairs) < 3:
            raise TableError(
                f"{len(pairs)} people with two scans", wanted="at least 3",
                remedy="give all scans of each person, one row a scan, under one person_id",
            )  # fmt: skip
        groups = {"all": pairs}
        if self.sex is not None:
            groups |= {str(name): part for name, part in pairs.groupby(self.sex, observed=True)}
        return results(
            row for value in self.values for name, part in groups.items() for row in self._rows(value, name, part)
        )

    def _rows(self, value: str, group: str, pairs: pd.DataFrame) -> list[dict[str, Any]]:
        apart, n = float(pairs["years_apart"].mean()), len(pairs)
        more = {
            "value": value, "group": group, "years_apart": apart, "third_scans": int((pairs["scans"] > 2).sum()), "n": n
        }  # fmt: skip
        said = f"the {_what(value)} in {n:,} {_WORDS.get(group, 'people')} scanned twice"
        suffix = f", {_what(value)}" + ("" if group == "all" else f", {_WORDS.get(group, group)}")
        if n < 3:
            return [{"term": f"ICC(A,1){suffix}", "sentence": f"Too few for any figure of {said}.", **more}]
        readings = pairs[[f"first_{value}", f"second_{value}"]].to_numpy(float)
        rows = [
            *_iccs(readings, said),
            *self._spread(readings, said, apart, is_gap="gap" in value),
            *_limits(readings, said),
        ]
        return [{**row, **more, "term": f"{row['measure']}{suffix}"} for row in rows]

    def _spread(self, readings: Any, said: str, apart: float, *, is_gap: bool) -> list[dict[str, Any]]:
        found = repeatability(readings)
        sd = Between(found.within_sd, found.low, found.high)
        change = Between(found.coefficient, found.coefficient_low, found.coefficient_high)
        bound = (
            f" The scans lie {number(apart, 1)} years apart on average: it holds true change too and is an upper bound."
            if apart > _AT_ONCE
            else ""
        )
        wide = (
            f" That is more than the ±{self.band_years:g}-year band: a single gap of that size may be chance."
            if is_gap and change.value > self.band_years
            else ""
        )
        return [
            _row("within-person SD", sd, f"Within-person SD of {said}: {{}}.{bound}", "years", "χ²"),
            _row(
                "repeatability coefficient",
                change,
                f"Repeatability coefficient (smallest detectable change) of {said}: {{}}: two scans of one person "
                f"differ by less in 95 of 100 cases.{bound}{wide}",
                "years",
                "χ²",
            ),
        ]


def _what(value: str) -> str:
    return {"gap_years": "gap", "predicted_age_years": "predicted age", "corrected_age_years": "corrected age"}.get(
        value, value
    )


def _row(measure: str, at: Between, sentence: str, unit: str, method: str, p: float = np.nan) -> dict[str, Any]:
    return {
        "estimate": at.value, "low": at.low, "high": at.high, "p": p, "sentence": sentence.format(
            interval_text(*at, unit=unit)), "measure": measure, "unit": unit, "method": method,
    }  # fmt: skip


def _iccs(readings: Any, said: str) -> list[dict[str, Any]]:
    found = icc(readings)
    kinds = {"ICC(A,1)": found.agreement, "ICC(1)": found.one, "ICC(C,1)": found.consistency}
    return [
        _row(name, Between(x.value, x.low, x.high), f"{name} of {said}: {{}}.", "", "F (McGraw and Wong 1996)", x.p)
        for name, x in kinds.items()
    ]


def _limits(readings: Any, said: str) -> list[dict[str, Any]]:
    found = limits_of_agreement(*readings.T)
    drift = f"Mean change from first to second scan of {said}: {{}}, {p_text(found.p)}."
    ends = "{} limit of agreement of {}: {{}}; 19 of 20 changes lie between the limits."
    exact = "exact, non-central t (Carkeet 2015)"
    return [
        _row("bias", found.bias, drift, "years", "t", found.p),
        _row("lower limit", found.lower, ends.format("Lower", said), "years", exact),
        _row("upper limit", found.upper, ends.format("Upper", said), "years", exact),
    ]
