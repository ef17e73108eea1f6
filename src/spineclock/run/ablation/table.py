"""The ablations' results side by side: errors with intervals, paired tests, and, of simulated people, the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spineclock.ingest.cohort import read_table
from spineclock.run.ablation.rows import ABLATIONS
from spineclock.run.training.sets import is_typical
from spineclock.stats import metrics
from spineclock.stats.accuracy import AgeAccuracy
from spineclock.stats.sums import bootstrap_sums

MEASURES = ("MAE", "WMAE", "R²")
GROUPS = {"normal": "age-typical test people", "everyone": "unselected test people"}


@dataclass(frozen=True, eq=False)
class Row:
    """A finished training.

    Attributes
    ----------
    said : pd.DataFrame
        Of each scan of test people: person_id, scan_id, age_years, predicted and corrected ages, ``normal``.
    about : mapping
        What its folder's run.json says of it.
    """

    said: pd.DataFrame
    about: Mapping[str, Any]


@dataclass(frozen=True)
class Drawn:
    """How intervals are drawn."""

    resamples: int = 2000
    seed: int = 0


def true_ages(cohort: Path) -> pd.Series | None:
    """The true spine age of each scan of a phantom, by scan_id; None for real people."""
    path = (cohort if cohort.is_dir() else cohort.parent) / "truth.csv"
    if not path.is_file():
        return None
    truth = read_table(path)
    ages: pd.Series = truth.set_index("scan_id")["spine_age_years"].astype(float)
    return ages


def tabled(found: Mapping[str, Row], *, truth: pd.Series | None, drawn: Drawn | None = None) -> pd.DataFrame:
    """:func:`rows` of these trainings, each against the one its ablation names, with how each was trained.

    Columns beside: ``train_scans``, ``epochs``, ``minutes``.
    """
    against = {row.name: row.against for row in ABLATIONS}
    table = rows({name: row.said for name, row in found.items()}, against=against, truth=truth, drawn=drawn or Drawn())
    told = {name: row.about for name, row in found.items()}
    table.insert(1, "train_scans", table["name"].map({name: about["scans"]["train"] for name, about in told.items()}))
    table["epochs"] = table["name"].map({name: about["epochs"] for name, about in told.items()})
    table["minutes"] = table["name"].map({name: about["training_minutes"] for name, about in told.items()})
    return table


def rows(
    runs: Mapping[str, pd.DataFrame], *, against: Mapping[str, str], truth: pd.Series | None, drawn: Drawn
) -> pd.DataFrame:
    """One row a training and group of test people (:data:`GROUPS`).

    Columns: ``name``, ``group``, ``scans``, ``people``; for predicted and corrected ages ``mae``, ``wmae`` and ``r2``
    with ``_low`` and ``_high`` (95% BCa, people resampled); ``mae_difference`` to the training ``against``, where it is
    there and another, over the scans both have, with interval, ``p`` (Wilcoxon's signed ranks over people) and
    ``p_holm``, which is ``p`` adjusted after Holm for the trainings held against the same one on the same group; and of
    simulated people ``gap_r``, the correlation of corrected and true gap, ``oracle_r2`` and ``oracle_mae``,
    what answering with each true spine age gives on the same scans, and ``oracle_line_r2``, what the least-squares line
    of age on it gives.

    Parameters
    ----------
    runs : mapping
        Each training's test predictions, as in :class:`Row`.
    against : mapping
        Which training each is held against.
    """
    found = []
    for name, said in runs.items():
        for group, part in _groups(said).items():
            whose = against.get(name, name)
            paired = {} if whose == name or whose not in runs else _paired(part, runs[whose], drawn)
            held = {"against": whose, **paired} if paired else {}
            found.append({"name": name, "group": group, "scans": len(part), "people": part["person_id"].nunique(),
                          **_accuracy(part, drawn), **held, **_true(part, truth)})  # fmt: skip
    return _adjusted(pd.DataFrame(found))


def _groups(said: pd.DataFrame) -> dict[str, pd.DataFrame]:
    if "normal" not in said or said["normal"].isna().all():
        return {"everyone": said}
    return {"normal": said[is_typical(said)], "everyone": said}


def _accuracy(part: pd.DataFrame, drawn: Drawn) -> dict[str, Any]:
    if part["corrected_age_years"].isna().all():  # a network that learned nothing has no correction
        part = part.drop(columns="corrected_age_years")
    found = AgeAccuracy(rows=None, resamples=drawn.resamples, seed=drawn.seed)(part)
    cells: dict[str, Any] = {}
    for row in found[found["measure"].isin(MEASURES)].itertuples():
        name = f"{'corrected_' if row.ages == 'corrected' else ''}{str(row.measure).lower().replace('²', '2')}"
        cells |= {name: row.estimate, f"{name}_low": row.low, f"{name}_high": row.high}
    return cells


def _paired(part: pd.DataFrame, other: pd.DataFrame, drawn: Drawn) -> dict[str, Any]:
    """How much larger the error is than another training's, over the scans both have."""
    from scipy.stats import wilcoxon

    both = part.merge(other[["scan_id", "predicted_age_years"]], on="scan_id", suffixes=("", "_other"))
    if both["person_id"].nunique() < 3:
        return {}
    off, off_other = ((both[c] - both["age_years"]).abs() for c in ("predicted_age_years", "predicted_age_years_other"))
    more = (off - off_other).to_numpy(dtype=np.float64)
    terms, rng = np.column_stack([more, np.ones_like(more)]), np.random.default_rng(drawn.seed)
    mean = bootstrap_sums(lambda s: s[..., :1] / s[..., 1:], terms, rng=rng, people=both["person_id"],
                          resamples=drawn.resamples)  # fmt: skip
    by_person = pd.Series(more).groupby(both["person_id"].to_numpy()).mean()
    p = float(wilcoxon(by_person).pvalue) if (by_person != 0).any() else 1.0
    return {"mae_difference": float(mean.values[0]), "mae_difference_low": float(mean.low[0]),
            "mae_difference_high": float(mean.high[0]), "p": p}  # fmt: skip


def _adjusted(found: pd.DataFrame) -> pd.DataFrame:
    """The table with ``p_holm`` after ``p``, where there is one."""
    if "p" not in found:
        return found
    from statsmodels.stats.multitest import multipletests

    compared = found["p"].dropna()
    holm = compared.groupby([found["group"], found["against"]]).transform(lambda p: multipletests(p, method="holm")[1])
    found.insert(list(found).index("p") + 1, "p_holm", holm)
    return found


def _true(part: pd.DataFrame, truth: pd.Series | None) -> dict[str, float]:
    if truth is None:
        return {}
    spine_age = part["scan_id"].map(truth).to_numpy(dtype=np.float64)
    age = part["age_years"].to_numpy(dtype=np.float64)
    gap = part["corrected_age_years"].to_numpy(dtype=np.float64) - age
    known = np.isfinite(gap).all()
    return {"gap_r": float(metrics.pearson_r(gap, spine_age - age)) if known else float("nan"),
            "oracle_r2": float(metrics.r2(spine_age, age)),
        "oracle_line_r2": float(metrics.pearson_r(spine_age, age) ** 2),
            "oracle_mae": float(metrics.mae(spine_age, age))}  # fmt: skip
