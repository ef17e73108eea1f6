"""The error card of an age model: how far off it is, by age, sex and site."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from spineclock.core.brackets import bracket
from spineclock.run.tables import markdown
from spineclock.run.training.sets import is_typical
from spineclock.stats import metrics

WORDS = {
    "group": "people", "scans": "scans", "people": "persons", "mae_years": "MAE", "mean_error_years": "mean error",
    "corrected_mae_years": "corrected MAE", "r2": "R²", "interval_covers": "interval covers",
}  # fmt: skip
TYPICAL = "age-typical"
SEXES = {"F": "women", "M": "men"}
COLUMNS = ("group", "scans", "people", "mae_years", "mean_error_years", "corrected_mae_years",
           "corrected_mean_error_years", "r2", "interval_covers")  # fmt: skip


def error_card(table: pd.DataFrame) -> pd.DataFrame:
    """One row a group: everyone, the age-typical, each kind of film, ten years, sex and site, and age by sex by site.

    ``table`` has person_id, age_years, sex, predicted_age_years, corrected_age_years, and the interval's ends; ``site``
    where the cohort tells it. Groups without scans have no row. Errors are predicted minus chronological age, in years;
    R² (1 − SSE/SST) needs five scans.

    Examples
    --------
    >>> table = pd.DataFrame({"person_id": ["a", "b"], "age_years": [31.0, 62.0], "sex": ["F", "M"],
    ...     "predicted_age_years": [40.0, 59.0], "corrected_age_years": [35.0, 60.0],
    ...     "interval_low_years": [30.0, 50.0], "interval_high_years": [50.0, 70.0]})
    >>> error_card(table)[["group", "scans", "mae_years", "interval_covers"]]
                   group  scans  mae_years  interval_covers
    0           everyone      2        6.0              1.0
    1     25 to 34 years      1        9.0              1.0
    2     55 to 64 years      1        3.0              1.0
    3                men      1        3.0              1.0
    4              women      1        9.0              1.0
    5  25 to 34 years, women      1        9.0              1.0
    6    55 to 64 years, men      1        3.0              1.0
    """
    return pd.DataFrame([_row(name, part) for name, part in groups(table)], columns=list(COLUMNS))


def shown(card: pd.DataFrame) -> str:
    """The card as a table, without groups by site."""
    return markdown(without_sites(card).rename(columns=WORDS)[list(WORDS.values())])


def without_sites(card: pd.DataFrame) -> pd.DataFrame:
    """The card's rows for a page: those by site, of which there may be hundreds, stand in ``errors.csv``."""
    return card[~card["group"].str.contains("site ")]


def groups(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Everyone and each group of people by name: the age-typical, kinds of film, ten years of age, sex and site."""
    yield "everyone", table
    if is_typical(table).any():
        yield TYPICAL, table[is_typical(table)]
    keys = _keys(table)
    for by in [["film"], ["age"], ["sex"], ["site"], ["age", "sex"], ["age", "sex", "site"]]:
        if not set(by) <= set(keys):
            continue
        names = keys[by[0]]
        for more in by[1:]:
            names = names + ", " + keys[more]
        for name, part in table.groupby(names.to_numpy(), sort=True):
            yield str(name), part


def _keys(table: pd.DataFrame) -> dict[str, pd.Series]:
    """By what people are put in groups, as far as the table tells it, each in words."""
    ten = pd.Series(bracket(table["age_years"]), index=table.index)
    age = ten.map(lambda b: f"{b - 5} to {b + 4} years" if b > 0 else "beyond 25 to 84 years")
    age = age.where(table["age_years"].notna(), "age not known")
    sex = table["sex"].map(SEXES).fillna("sex not known")
    keys = {"age": age, "sex": sex}
    if "film" in table and table["film"].nunique() > 1:
        keys["film"] = "films of the kind " + table["film"].astype(str)
    if "site" in table and table["site"].nunique() > 1:
        keys["site"] = "site " + table["site"].astype(str)
    return keys


def _row(name: str, part: pd.DataFrame) -> tuple[object, ...]:
    age = part["age_years"].to_numpy(dtype=np.float64)
    off, corrected_off = (part[f"{c}_age_years"].to_numpy(dtype=np.float64) - age for c in ("predicted", "corrected"))
    r2 = float(metrics.r2(age + off, age)) if len(part) >= 5 else float("nan")
    known = part["interval_low_years"].notna().all()
    covered = ((part["interval_low_years"] <= age) & (age <= part["interval_high_years"])).mean() if known else np.nan
    return (name, len(part), part["person_id"].nunique(), float(np.abs(off).mean()), float(off.mean()),
            float(np.abs(corrected_off).mean()), float(corrected_off.mean()), r2, float(covered))  # fmt: skip
