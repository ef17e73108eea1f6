"""Osteoporosis of each scan's person, from T-scores of densitometry (DXA) by the rule of the WHO.

Osteoporosis is a T-score of −2.5 or less at the lumbar spine, the total hip or the femoral neck (WHO 1994; ISCD 2019),
in women past menopause and men of 50 or more. T-scores are taken as they are told, not rounded first. Osteophytes raise
the spine's, as densitometry sees them as bone: where that matters, count the hip's sites alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.errors import TableError, UsageError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
SITES = ("lumbar_spine", "total_hip", "femoral_neck")
OSTEOPOROSIS_T_SCORE = -2.5
FARTHEST_T_SCORE = 10.0
DEFINED_FROM_YEARS = 50
"""Age from which T-scores define osteoporosis; in younger people Z-scores and the cause are asked for (ISCD)."""
LABEL = "osteoporosis"
_YES_NO = {"true": True, "1": True, "1.0": True, "yes": True, "false": False, "0": False, "0.0": False, "no": False}
_ROWS_NAMED = 5


@dataclass(frozen=True)
class DxaRule:
    """When a person has osteoporosis, and which densitometry tells of a scan.

    Parameters
    ----------
    sites : tuple of str
        Which of ``lumbar_spine``, ``total_hip``, ``femoral_neck`` count.
    measured : "any" or "all"
        At a T-score of −2.5 or less at one site a person has osteoporosis. Nobody is without it before each site that
        was measured ("any"), or each that counts ("all", the strict rule), lies above.
    within_days : float, optional
        Densitometry further than this from the scan, before or after it, tells nothing of it; None for no limit.
    undated : "kept" or "refused"
        What becomes of a label whose distance from the scan is not told.
    """

    sites: tuple[str, ...] = SITES
    measured: Literal["any", "all"] = "any"
    within_days: float | None = 365.0
    undated: Literal["kept", "refused"] = "kept"

    def __post_init__(self) -> None:
        if not self.sites or len(set(self.sites)) < len(self.sites) or not set(self.sites) <= set(SITES):
            raise UsageError(f"the sites {', '.join(self.sites) or 'none'}", wanted=f"some of {', '.join(SITES)}")
        if self.measured not in ("any", "all"):
            raise UsageError(f"measured: {self.measured!r}", wanted="any or all")
        if self.undated not in ("kept", "refused"):
            raise UsageError(f"undated: {self.undated!r}", wanted="kept or refused")
        if self.within_days is not None and not self.within_days >= 0:
            raise UsageError(f"within {self.within_days} days of the scan", wanted="0 or more, or no limit")


@dataclass(frozen=True)
class SiteCounts:
    """Rows whose T-score of a site is told, and those of them at −2.5 or less."""

    measured: int
    at_or_below: int


@dataclass(frozen=True)
class DxaCounts:
    """What became of each row: ``osteoporosis`` + ``without`` + ``unknown`` = ``rows``."""

    rows: int
    osteoporosis: int
    without: int
    unknown: int
    not_measured: int
    """Unknown: no site that counts was measured, and no label told."""
    site_lacking: int
    """Unknown: under the strict rule, as a site is lacking and the others lie above."""
    too_far: int
    """Unknown: densitometry too long before or after the scan."""
    undated: int
    """Rows with T-scores or a label whose distance from the scan is not told."""
    told: int
    """Labels that came with the table."""
    younger: int
    """Labels of people for whom T-scores do not define osteoporosis."""
    sites: Mapping[str, SiteCounts]

    def as_dict(self) -> dict[str, Any]:
        """The counts as plain data, for a file."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class DxaLabels:
    """The table with its labels, by which rule, how many, and what a reader of them must know."""

    table: pd.DataFrame
    """As it came, with ``osteoporosis`` (boolean; missing where not known)."""
    rule: DxaRule
    counts: DxaCounts

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the report."""
        c, rule = self.counts, self.rule
        sites = ", ".join(s.replace("_", " ") for s in rule.sites)
        strict = "each site must have been measured" if rule.measured == "all" else "of those measured"
        undated = "taken as they are" if rule.undated == "kept" else "left unknown"
        said = [
            (
                c.rows,
                f"Osteoporosis: a T-score of −2.5 or less at any of {sites} ({strict}). Of {c.rows:,} rows "
                f"{c.osteoporosis:,} have it, {c.without:,} have not, {c.unknown:,} are unknown.",
            ),
            (c.told, f"{c.told:,} labels came with the table."),
            (c.too_far, f"{c.too_far:,} left unknown: densitometry over {rule.within_days:g} days from the scan."),
            (c.undated, f"{c.undated:,} whose densitometry has no date beside the scan's were {undated}."),
            (c.site_lacking, f"{c.site_lacking:,} left unknown: a site is lacking and the others lie above −2.5."),
            (
                c.younger,
                f"{c.younger:,} labels are of people under {DEFINED_FROM_YEARS} years or before menopause, for whom "
                "T-scores alone do not define osteoporosis.",
            ),
        ]
        return tuple(sentence for count, sentence in said if count)


def dxa_labels(table: pd.DataFrame, rule: DxaRule = DxaRule()) -> DxaLabels:
    """The table with ``osteoporosis`` by T-scores; a label that the table brings is kept, if no T-score gainsays it.

    Parameters
    ----------
    table : DataFrame
        ``lumbar_spine_t_score``, ``total_hip_t_score``, ``femoral_neck_t_score``, as far as the rule asks;
        ``dxa_days_from_scan``, or ``dxa_date`` and ``scan_date`` (ISO 8601); ``age_years``, ``sex`` and
        ``postmenopausal``. The dates hold for a told label too. A woman whose ``postmenopausal`` is empty is judged by
        her age.
    rule : DxaRule
        Which sites count, and how near densitometry must be.

    Raises
    ------
    TableError
        If no column tells of osteoporosis, a cell is no number, date or yes/no, a T-score cannot be, days and dates
        disagree, or a told label does not go with the T-scores; with the rows named.

    Examples
    --------
    >>> people = pd.DataFrame({"person_id": list("abcd"), "lumbar_spine_t_score": [-1.0, -2.5, None, -3.0],
    ...                        "total_hip_t_score": [-2.6, -1.0, -2.0, -3.0], "dxa_days_from_scan": [30, -90, 0, 500]})
    >>> labels = dxa_labels(people, DxaRule(sites=("lumbar_spine", "total_hip"), measured="all"))
    >>> labels.table["osteoporosis"].tolist(), labels.counts.too_far, labels.counts.site_lacking
    ([True, True, <NA>, <NA>], 1, 1)
    """
    scores, told = _t_scores(table, rule), _told(table)
    below: Bools = np.asarray((scores <= OSTEOPOROSIS_T_SCORE).any(axis=1))
    measured, every = (np.asarray(of(np.isfinite(scores), axis=1)) for of in (np.any, np.all))
    _agree(table, told, below, every)
    told_so = told.notna().to_numpy()
    tells = measured | told_so
    settled = told_so | below | (every if rule.measured == "all" else measured)
    days = _days(table)
    undated = tells & np.isnan(days)
    limited = rule.within_days is not None
    too_far = tells & (np.abs(days) > (rule.within_days or 0)) & limited
    refused = too_far | (undated & limited if rule.undated == "refused" else False)
    known = settled & ~refused
    has = np.where(told_so, told.fillna(False).to_numpy(dtype=bool), below)
    label = pd.Series(pd.array(has, dtype="boolean"), index=table.index).mask(~known)
    counts = DxaCounts(
        rows=len(table),
        osteoporosis=int((known & has).sum()),
        without=int((known & ~has).sum()),
        unknown=int((~known).sum()),
        not_measured=int((~tells).sum()),
        site_lacking=int((tells & ~settled & ~refused).sum()),
        too_far=int(too_far.sum()),
        undated=int(undated.sum()) if limited else 0,
        told=int((known & told_so).sum()),
        younger=int((known & _younger(table)).sum()),
        sites={
            site: SiteCounts(int(np.isfinite(own).sum()), int((own <= OSTEOPOROSIS_T_SCORE).sum()))
            for site, own in zip(rule.sites, scores.T, strict=True)
        },
    )
    return DxaLabels(table.assign(**{LABEL: label}), rule, counts)


def _t_scores(table: pd.DataFrame, rule: DxaRule) -> Floats:
    """(n, sites), NaN where not measured."""
    names = [f"{site}_t_score" for site in rule.sites]
    absent = [name for name in names if name not in table]
    if absent and (rule.measured == "all" or (len(absent) == len(names) and LABEL not in table)):
        raise TableError(
            f"no column {', '.join(absent)} in a table of {', '.join(map(str, table.columns))}",
            wanted=f"T-scores of {', '.join(rule.sites)}" + (f", or {LABEL}" if rule.measured == "any" else ""),
            remedy="name the sites that were measured in the rule",
        )
    columns = []
    for name in names:
        values = _numbers(table, name)
        _refuse(table, ~np.isnan(values) & ~(np.abs(values) <= FARTHEST_T_SCORE), name,
                wanted=f"T-scores from −{FARTHEST_T_SCORE:g} to {FARTHEST_T_SCORE:g}, or nothing")  # fmt: skip
        columns.append(values)
    return np.column_stack(columns)


def _told(table: pd.DataFrame) -> pd.Series:
    """The labels that the table brings (boolean, missing where empty)."""
    return _yes_no(table, LABEL) if LABEL in table else pd.Series(pd.NA, index=table.index, dtype="boolean")


def _yes_no(table: pd.DataFrame, name: str) -> pd.Series:
    text = table[name].astype("string").str.strip().str.lower().fillna("")
    _refuse(table, ~text.isin([*_YES_NO, ""]).to_numpy(dtype=bool), name, wanted="true or false, or nothing")
    return text.map(_YES_NO).astype("boolean")


def _agree(table: pd.DataFrame, told: pd.Series, below: Bools, every: Bools) -> None:
    """Refuses told labels that the T-scores gainsay; a site not measured may be the one that a told label is by."""
    has, has_not = told.fillna(False).to_numpy(dtype=bool), (~told).fillna(False).to_numpy(dtype=bool)
    wrong = (has_not & below) | (has & ~below & every)
    if wrong.any():
        raise TableError(
            f"{LABEL} does not go with the T-scores in {_rows(table, wrong)}",
            wanted="true where a T-score is −2.5 or less, false where each lies above",
            remedy=f"mend these rows, name the sites that the label is by, or rename the column {LABEL} if it is by "
            "other signs, such as a fracture",
        )


def _days(table: pd.DataFrame) -> Floats:
    """(n,) from the scan to densitometry, negative where that was before; NaN where not told."""
    days = _numbers(table, "dxa_days_from_scan")
    if not {"dxa_date", "scan_date"} <= set(table):
        return days
    apart = _dates(table, "dxa_date") - _dates(table, "scan_date")
    dated = (apart.dt.total_seconds() / 86_400).to_numpy(dtype=np.float64)
    wrong = np.abs(days - dated) > 1
    _refuse(table, wrong, "dxa_days_from_scan", wanted="the days from scan_date to dxa_date, or nothing")
    return np.where(np.isnan(days), dated, days)


def _dates(table: pd.DataFrame, name: str) -> pd.Series:
    text = table[name].astype("string").str.strip()
    cells = text.mask(text == "")
    dates = pd.to_datetime(cells, errors="coerce", format="ISO8601", utc=True)
    _refuse(table, (dates.isna() & cells.notna()).to_numpy(), name, wanted="dates such as 2024-05-31, or nothing")
    return dates


def _numbers(table: pd.DataFrame, name: str) -> Floats:
    """(n,) a column's numbers, NaN where empty or where there is no such column."""
    if name not in table:
        return np.full(len(table), np.nan)
    cells = table[name].mask(table[name].astype("string").str.strip().fillna("") == "")
    values = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    _refuse(table, np.isnan(values) & cells.notna().to_numpy(), name, wanted="numbers, or nothing")
    return values


def _younger(table: pd.DataFrame) -> Bools:
    """Men under 50, and women before menopause: by their age where the table does not tell."""
    young = _numbers(table, "age_years") < DEFINED_FROM_YEARS
    if "postmenopausal" not in table:
        return young
    told = _yes_no(table, "postmenopausal")
    men = (
        (table["sex"].astype("string").str.upper() == "M").fillna(False).to_numpy(dtype=bool)
        if "sex" in table
        else False
    )
    return np.where(told.isna().to_numpy() | men, young, ~told.fillna(True).to_numpy(dtype=bool))


def _refuse(table: pd.DataFrame, wrong: Bools, name: str, *, wanted: str) -> None:
    if wrong.any():
        worst = table[name].to_numpy(dtype=object)[wrong][0]
        raise TableError(f"{name} is {worst!r} in {_rows(table, wrong)}", wanted=wanted)


def _rows(table: pd.DataFrame, wrong: Bools) -> str:
    """Rows by place and name: "data row 3 (scan b)"."""
    key = next((k for k in ("scan_id", "person_id") if k in table), None)
    places = np.flatnonzero(wrong)
    named = [f"{p + 1}" + (f" ({table[key].iloc[p]})" if key else "") for p in places[:_ROWS_NAMED]]
    more = f" and {len(places) - _ROWS_NAMED:,} more" if len(places) > _ROWS_NAMED else ""
    return f"data row{'s' if len(places) > 1 else ''} {', '.join(named)}{more}"
