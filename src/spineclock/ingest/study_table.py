"""What a study stands on: predicted ages, people and findings, joined by scan and checked once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa

from spineclock.core.errors import TableError
from spineclock.core.findings import Findings
from spineclock.ingest.cohort import read_cohort, read_table, require_scans, with_person
from spineclock.ingest.findings import read_findings

NEVER_NEGATIVE = ("packs_per_day", "alcohol_days_per_week", "sedentary_hours", "bmi")
CHOICES = {
    "split": ("train", "validation", "test", ""),
    "work": ("light", "moderate", "heavy", ""),
    "exercise": ("none", "moderate", "vigorous", ""),
    "sex": ("F", "M", ""),
}
"""Columns of words; empty where not known."""
ONCE = ("age_years", "sex", "split", "normal", "site", "scanner", "person_id")
"""What the people's table may tell; what predictions say of these counts where it is silent."""


@dataclass(frozen=True, eq=False)
class StudyTable:
    """One row a scan, with predicted and chronological age; what could not be used stands in ``left_out``."""

    table: pd.DataFrame
    """scan_id, person_id, model, predicted_age_years, age_years, sex, and what else the people's table holds."""
    findings: Findings | None
    """Of the scans that have any on record; None where no findings are given."""
    left_out: pd.DataFrame
    """scan_id and reason."""
    simulated: str
    """What must be said of made-up people; empty for real ones."""


def read_study(predictions: Path, *, cohort: Path, findings: Path | None = None) -> StudyTable:
    """Predictions, people and findings as one table.

    Parameters
    ----------
    predictions : path
        predictions.csv, or the folder ``spineclock predict`` wrote: ``scan_id``, ``predicted_age_years``, and ``model``
        where several models read the same scans.
    cohort : path
        The people's table, or a folder with ``participants.tsv`` (docs/cohort.md).
    findings : path, optional
        Findings, long or wide (docs/findings.md); ``findings.csv`` of the cohort's folder where not given.

    Raises
    ------
    TableError
        If a file is no table, a column is missing or holds what cannot be, or no scan is in both tables.
    """
    predicted = _predictions(predictions / "predictions.csv" if predictions.is_dir() else predictions)
    people = read_cohort(cohort).table
    require_scans(people, cohort, wanted="one row a scan, by the scan_id that predictions.csv has")
    people = people.drop(columns=[c for c in ("path", "predicted_age_years") if c in people])
    joined = predicted.merge(people, on="scan_id", how="outer", suffixes=("_told", ""), indicator=True)
    left_out = _without(joined)
    table = joined[~joined["scan_id"].isin(left_out["scan_id"])].drop(columns="_merge").reset_index(drop=True)
    table = _one_of_each(table)
    if table.empty:
        first = "; ".join(left_out["reason"].value_counts().index[:3])
        raise TableError("no scan has both a predicted age and a row with an age", wanted="the same scan_id in both",
                         remedy=f"compare the names ({first})")  # fmt: skip
    table = with_person(table)
    if findings is None and (cohort / "findings.csv").is_file():
        findings = cohort / "findings.csv"
    return StudyTable(
        _checked(table, cohort.name),
        None if findings is None else read_findings(findings),
        left_out,
        simulated(cohort),
    )


def _predictions(path: Path) -> pd.DataFrame:
    table = read_table(path)
    if missing := {"scan_id", "predicted_age_years"} - set(table):
        raise TableError(
            f"{path.name} has the columns {', '.join(map(str, table))}",
            wanted=f"{', '.join(sorted(missing))} among them",
        )
    table["scan_id"] = table["scan_id"].astype("string").fillna("").astype(object)
    table["model"] = table["model"].astype("string").fillna("").astype(object) if "model" in table else ""
    if table.duplicated(["scan_id", "model"]).any():
        twice = table["scan_id"][table.duplicated(["scan_id", "model"])].iloc[0]
        raise TableError(f"{path.name} has two predictions of {twice} by one model", wanted="one")
    ages = pd.to_numeric(table["predicted_age_years"], errors="coerce")
    if (bad := ages.isna() & table["predicted_age_years"].notna()).any():
        worst = table.loc[bad, "predicted_age_years"].iloc[0]
        raise TableError(f"{path.name}: predicted age {worst!r}", wanted="years, or nothing where a scan was refused")
    kept = [c for c in ("scan_id", "model", "verdict", *ONCE) if c in table]
    return table[kept].assign(predicted_age_years=ages)


def _without(joined: pd.DataFrame) -> pd.DataFrame:
    """Scans that cannot take part, each with the first reason."""
    age = _filled(joined, "age_years")
    verdict = joined["verdict"].fillna("") if "verdict" in joined else pd.Series("", index=joined.index)
    reason = np.select(
        [
            (joined["_merge"] == "right_only").to_numpy(),
            (verdict == "refused").to_numpy(),
            joined["predicted_age_years"].isna().to_numpy(),
            (joined["_merge"] == "left_only").to_numpy() & age.isna().to_numpy(),
            age.isna().to_numpy(),
        ],
        [
            "no prediction",
            "the scan was refused",
            "no predicted age",
            "no row in the people's table",
            "no chronological age",
        ],
        "",
    )
    return joined.assign(reason=reason).loc[reason != "", ["scan_id", "reason"]].drop_duplicates("scan_id")


def _filled(table: pd.DataFrame, name: str) -> pd.Series:
    """A column of the people's table, with what the predictions say where it is silent."""
    told = table.get(f"{name}_told")
    own = table.get(name, pd.Series(np.nan, index=table.index))
    own = own.mask(own.astype("string").fillna("") == "")
    return own if told is None else own.fillna(told)


def _one_of_each(table: pd.DataFrame) -> pd.DataFrame:
    told = [name for name in ONCE if f"{name}_told" in table]
    return table.assign(**{name: _filled(table, name) for name in told}).drop(columns=[f"{name}_told" for name in told])


def _checked(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """The table with its columns of known meaning as numbers, words and yes or no."""
    table = table.copy()
    for column, words in CHOICES.items():
        if column in table:
            table[column] = table[column].astype("string").fillna("").str.strip()
            if column != "sex":
                table[column] = table[column].str.lower()
            if not (fits := table[column].isin(words)).all():
                worst = table.loc[~fits].iloc[0]
                raise TableError(f"{name}: {column} {worst[column]!r} of scan {worst['scan_id']}",
                                 wanted=f"one of {', '.join(filter(None, words))}, or nothing")  # fmt: skip
            words_told = table[column].astype(object)
            table[column] = words_told.where(words_told != "", None)
    if "normal" in table:
        table["normal"] = yes_or_no(table["normal"], name)
    numbers = pa.DataFrameSchema(
        {
            "age_years": pa.Column(float, pa.Check.in_range(0, 120), coerce=True),
            **{c: pa.Column(float, pa.Check.ge(0), coerce=True, nullable=True, required=False) for c in NEVER_NEGATIVE},
        }
    )
    try:
        return numbers.validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        worst = error.failure_cases.iloc[0]
        raise TableError(
            f"{name}: {worst['failure_case']!r} in column {worst['column']} ({len(error.failure_cases)} such)",
            wanted="ages from 0 to 120 years; numbers, none below 0, or nothing",
        ) from error


def yes_or_no(normal: pd.Series, name: str) -> pd.Series:
    """The column ``normal`` of the table of this name as True, False or missing (boolean).

    Raises
    ------
    TableError
        If it holds another word.
    """
    text = normal.astype("string").str.strip().str.lower().fillna("")
    words = {"true": True, "1": True, "1.0": True, "yes": True, "false": False, "0": False, "0.0": False, "no": False}
    if not (fits := text.isin([*words, ""])).all():
        raise TableError(f"{name}: normal is {text[~fits].iloc[0]!r}", wanted="true or false, or nothing")
    return text.map(words).astype("boolean")


def simulated(cohort: Path) -> str:
    """The sentence that a phantom's folder says of itself; empty for a cohort of real people."""
    folder = cohort if cohort.is_dir() else cohort.parent
    try:
        told = json.loads((folder / "phantom.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""
    return str(told.get("statement") or "These people are simulated: a phantom with known truth, not patients.")
