"""The diagnosis card: how well a probability tells who has a disease, by age and sex and site."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.errors import TableError
from spineclock.run.tables import markdown
from spineclock.run.training.errors import groups, without_sites
from spineclock.run.training.sets import LABEL
from spineclock.stats.diagnosis.calibration import recalibration
from spineclock.stats.diagnosis.operating import Proportion, proportion
from spineclock.stats.diagnosis.roc import delong

COLUMNS = ("group", "scans", "people", "with", "without", "auroc", "auroc_low", "auroc_high", "sensitivity",
           "sensitivity_low", "sensitivity_high", "specificity", "specificity_low", "specificity_high", "brier",
           "mean_probability", "calibration_slope")  # fmt: skip
NAN = float("nan")


def diagnosis_card(table: pd.DataFrame) -> pd.DataFrame:
    """One row a group: everyone, ten years, sex and site, and age by sex by site.

    ``table`` has person_id, age_years, sex, label (0, 1), probability and called; ``site`` where the cohort tells it.
    Intervals are 95%: DeLong's of the area, exact of shares, both by people. A figure is empty where a group has too
    few people with or without the disease for it.

    Examples
    --------
    >>> table = pd.DataFrame({"person_id": list("abcd"), "age_years": [61.0, 62.0, 63.0, 64.0], "sex": "F",
    ...     "label": [0, 0, 1, 1], "probability": [0.1, 0.6, 0.5, 0.9], "called": [False, True, True, True]})
    >>> diagnosis_card(table)[["auroc", "sensitivity", "specificity", "brier"]].iloc[0].tolist()
    [0.75, 1.0, 0.5, 0.1575]
    """
    return pd.DataFrame([_row(name, part) for name, part in groups(table)], columns=list(COLUMNS))


def _row(name: str, part: pd.DataFrame) -> tuple[object, ...]:
    ill, p = part[LABEL].to_numpy(dtype=float) > 0.5, part["probability"].to_numpy(dtype=float)
    called, who = part["called"].to_numpy(dtype=bool), part["person_id"].to_numpy()
    areas = (NAN, NAN, NAN)
    try:
        found = delong(p, ill, people=who).area()
        areas = (found.value, found.low, found.high)
    except TableError:  # fewer than two people with, or without
        pass
    return (name, len(part), len(set(who)), int(ill.sum()), int((~ill).sum()), *areas,
            *_share(called[ill], who[ill]), *_share(~called[~ill], who[~ill]),
            float(np.square(p - ill).mean()), float(p.mean()), _slope(p, ill, who))  # fmt: skip


def _share(hits: npt.NDArray[np.bool_], people: npt.NDArray[Any]) -> tuple[float, float, float]:
    found: Proportion = proportion(hits, people=people)
    return found.value, found.low, found.high


def _slope(p: npt.NDArray[np.float64], ill: npt.NDArray[np.bool_], people: npt.NDArray[Any]) -> float:
    try:
        return float(recalibration(p, ill, people=people).slope.coefficients[1])
    except (TableError, np.linalg.LinAlgError):  # separated, or of one value
        return NAN


def shown(card: pd.DataFrame) -> str:
    """The card as a Markdown table, without groups by site, which ``diagnosis.csv`` holds."""
    rows = [
        {
            "people": row["group"], "scans": row["scans"], "with": row["with"], "without": row["without"],
            **{
                title: _interval(row, name)
                for title, name in (("AUROC", "auroc"), ("sensitivity", "sensitivity"), ("specificity", "specificity"))
            },
            "Brier": row["brier"], "mean probability": row["mean_probability"], "slope": row["calibration_slope"],
        }
        for _, row in without_sites(card).iterrows()
    ]  # fmt: skip
    return markdown(pd.DataFrame(rows))


def sentence(row: pd.Series) -> str:
    """A group's row in words.

    >>> sentence(pd.Series({"scans": 4, "with": 2, "auroc": 0.75, "auroc_low": 0.5, "auroc_high": 1.0,
    ...     "sensitivity": 1.0, "specificity": 0.5, "brier": 0.1575, "calibration_slope": float("nan")}, dtype=object))
    '4 scans, 2 with it: AUROC 0.75 (0.50 to 1.00), sensitivity 1.00, specificity 0.50, Brier score 0.158'
    """
    slope = "" if np.isnan(row["calibration_slope"]) else f", calibration slope {row['calibration_slope']:.2f}"
    shares = ", ".join(f"{n} {'—' if np.isnan(row[n]) else f'{row[n]:.2f}'}" for n in ("sensitivity", "specificity"))
    counts = f"{row['scans']:,} scans, {row['with']:,} with it"
    return f"{counts}: AUROC {_interval(row, 'auroc')}, {shares}, Brier score {row['brier']:.3f}{slope}"


def _interval(row: pd.Series, name: str) -> str:
    if np.isnan(row[name]):
        return "—"
    if np.isnan(row[f"{name}_low"]):
        return f"{row[name]:.2f}"
    return f"{row[name]:.2f} ({row[f'{name}_low']:.2f} to {row[f'{name}_high']:.2f})"
