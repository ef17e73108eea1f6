"""Figures of a diagnosis beside pROC's, sandwich's and base R's numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.proportion import proportion_confint

from spineclock.stats.diagnosis import (
    AtPrevalence,
    Auroc,
    AurocDifference,
    Baselines,
    FittedOn,
    LogisticRecalibration,
    NetBenefit,
    OperatingDifference,
    OperatingPoint,
    PatientProbability,
    ProbabilityCalibration,
    Threshold,
    delong,
    mcnemar,
)
from spineclock.stats.diagnosis.operating import proportion
from spineclock.stats.diagnosis.resampled import average_precision

Row = tuple[str, str, float, float]


def compare(folder: Path) -> list[Row]:
    """(statistic, counterpart, ours, theirs) of each number."""
    table = pd.read_csv(folder / "data.csv")
    theirs = json.loads((folder / "r.json").read_text(encoding="utf-8"))
    whole = table.dropna()
    return [
        *areas(whole, theirs),
        *operating(whole, theirs),
        *calibration(whole, theirs),
        *net_benefit(whole, theirs["net_benefit"]),
        *predictive(whole, theirs["predictive"]),
        *calls(whole, theirs["mcnemar"]),
        *recalibrated(whole, theirs["recalibrated"]),
        *baseline(whole, theirs["baseline"]),
        *pooling(whole, theirs["pooled"]),
        *second_opinions(whole),
    ]


def pairs(name: str, counterpart: str, ours: Iterable[float], theirs: Iterable[float]) -> list[Row]:
    return [(name, counterpart, float(a), float(b)) for a, b in zip(ours, theirs, strict=True)]


def areas(table: pd.DataFrame, theirs: dict[str, Any]) -> list[Row]:
    rows: list[Row] = []
    names = ["spine_age", "age", "risk"]
    found = Auroc("ill", names, person=None)(table).set_index("term")
    for name, r in theirs["area"].items():
        ours = found.loc[name, ["estimate", "low", "high", "se"]]
        rows += pairs(
            "AUROC, DeLong interval and error", "R pROC::ci.auc", ours, [r[k] for k in ("value", "low", "high", "se")]
        )
    apart = AurocDifference("ill", "spine_age", ["age", "risk"], person=None)(table).set_index("term")
    for name, r in theirs["difference"].items():
        ours = apart.loc[f"spine_age − {name}", ["estimate", "low", "high", "p"]]
        rows += pairs(
            "paired AUROC difference", "R pROC::roc.test", ours, [r[k] for k in ("value", "low", "high", "p")]
        )
    scores = table[["spine_age", "age"]].to_numpy().T
    covariance = delong(scores, table["ill"], people=table["person_id"]).covariance
    return rows + pairs(
        "AUROC covariance clustered by person",
        "Obuchowski 1997 pair by pair in R",
        covariance.ravel(),
        theirs["clustered"]["cov"],
    )


def operating(table: pd.DataFrame, theirs: dict[str, Any]) -> list[Row]:
    validation = table[table["split"] == "validation"]
    best, r = Threshold.youden(validation["risk"], validation["ill"]), theirs["youden"]
    ours = (best.value, best.sensitivity, best.specificity)
    rows = pairs(
        "Youden's threshold", "R pROC::coords", ours, [r[k] for k in ("threshold", "sensitivity", "specificity")]
    )
    for interval, counterpart in (("exact", "R binom.test"), ("wilson", "R prop.test")):
        found = OperatingPoint("ill", "risk", interval=interval, person=None)(table)
        for i, values in enumerate(theirs["yield"][interval]):
            ours = found.loc[i, ["estimate", "low", "high"]]
            rows += pairs(f"{found.loc[i, 'term']}, {interval}", counterpart, ours, values)
    return rows


def calibration(table: pd.DataFrame, theirs: dict[str, Any]) -> list[Row]:
    found = ProbabilityCalibration("ill", "risk")(table).set_index("term")
    own, at = theirs["calibration"], found.loc
    robust = "R glm, sandwich::vcovCL"
    return [
        *pairs("calibration slope and intercept", "R glm", at[["intercept", "slope"], "estimate"], own["slope"]),
        *pairs("their clustered errors", robust, at[["intercept", "slope"], "se"], own["slope_se"]),
        *pairs(
            "calibration in the large",
            robust,
            at["calibration in the large", ["estimate", "se"]],
            [own["large"], own["large_se"]],
        ),
        *pairs(
            "Brier score and clustered error",
            "R lm, sandwich::vcovCL",
            at["Brier score", ["estimate", "se"]],
            theirs["brier"],
        ),
        *pairs("scaled Brier score", "R", [at["scaled Brier score", "estimate"]], [theirs["scaled"]]),
        *pairs(
            "observed − expected",
            "R lm, sandwich::vcovCL",
            at["observed − expected", ["estimate", "se"]],
            theirs["difference_of_shares"],
        ),
    ]


def net_benefit(table: pd.DataFrame, theirs: list[dict[str, list[float]]]) -> list[Row]:
    found = NetBenefit("ill", ["risk"], thresholds=[0.1, 0.3])(table)
    error = (found["high"] - found["low"]) / (2 * 1.959963984540054)
    rows: list[Row] = []
    for i, r in enumerate(theirs):
        for j, name in enumerate(("model", "all", "gain")):
            ours = (found.loc[3 * i + j, "estimate"], error[3 * i + j])
            rows += pairs("net benefit and clustered error", "R lm, sandwich::vcovCL", ours, r[name])
    return rows


def predictive(table: pd.DataFrame, theirs: list[list[list[float]]]) -> list[Row]:
    found = AtPrevalence(OperatingPoint("ill", "risk", person=None), {"a": 0.05, "b": 0.3})(table)
    rows: list[Row] = []
    for source, both in zip("ab", theirs, strict=True):
        ours = found.loc[found["source"] == source, ["estimate", "low", "high"]].to_numpy()
        rows += pairs(
            "predictive values at a prevalence", "R glm, delta method by numbers", ours.ravel(), np.ravel(both)
        )
    return rows


def calls(table: pd.DataFrame, theirs: list[dict[str, Any]]) -> list[Row]:
    rows: list[Row] = []
    alone = OperatingDifference("ill", "risk", ["age"], person=None)(table)
    clustered = OperatingDifference("ill", "risk", ["age"])(table)
    for i, r in enumerate(theirs):
        one, many = alone.loc[i], clustered.loc[i]
        rows += pairs("McNemar, exact", "R binom.test", [one["exact_p"]], [r["exact"]])
        rows += pairs("McNemar, mid-p", "R dbinom", [one["p"]], [r["mid"]])
        rows += pairs("paired shares, Bonett–Price", "R, by its formula", one[["low", "high"]], r["interval"])
        rows += pairs(
            "paired shares, clustered",
            "R lm, sandwich::vcovCL",
            many[["estimate", "low", "high", "p"]],
            r["clustered"],
        )
    return rows


def recalibrated(table: pd.DataFrame, theirs: dict[str, list[float]]) -> list[Row]:
    validation, test = (table[table["split"] == s] for s in ("validation", "test"))
    fit = LogisticRecalibration.fit(validation["risk"], validation["ill"])
    return [
        *pairs("recalibration: intercept, slope", "R glm", [fit.intercept, fit.slope], theirs["line"]),
        *pairs("recalibrated probability", "R predict.glm", fit(test["risk"])[:20], theirs["p"]),
        *pairs("the same at another prevalence", "R", fit.at_prevalence(0.2)(test["risk"])[:20], theirs["moved"]),
    ]


def baseline(table: pd.DataFrame, theirs: dict[str, Any]) -> list[Row]:
    columns, test = ["age", "spine_age"], table["split"] == "test"
    p = FittedOn("ill", columns)(table)[test]
    compared = Baselines("ill", "risk", {"both": columns}, fit_on=("validation",), person=None)
    row = compared(table, rng=np.random.default_rng(0)).iloc[0]
    ours = row[["auroc_other", "estimate", "low", "high", "p"]]
    return [
        *pairs("baseline: probability", "R predict.glm", p[:20], theirs["p"]),
        *pairs(
            "baseline: AUROC and paired difference",
            "R glm, pROC::roc.test",
            ours,
            [theirs[k] for k in ("auc", "value", "low", "high", "p_value")],
        ),
    ]


def pooling(table: pd.DataFrame, theirs: dict[str, list[float]]) -> list[Row]:
    rows: list[Row] = []
    for rule in ("mean", "max", "noisy-or"):
        ours = PatientProbability(["risk"], rule=rule)(table).sort_values("person_id")["risk"]
        rows += pairs(f"pooled by person: {rule}", "R", ours, theirs[rule.replace("-", "_")])
    return rows


def second_opinions(table: pd.DataFrame) -> list[Row]:
    y, p = table["ill"].to_numpy(), table["risk"].to_numpy()
    hits = np.repeat([True, False], [47, 13])
    brier = ProbabilityCalibration("ill", "risk")(table).set_index("term").loc["Brier score", "estimate"]
    return [
        *pairs(
            "McNemar, exact",
            "statsmodels mcnemar",
            [mcnemar(*k).exact for k in ((3, 11), (40, 22))],
            [statsmodels_mcnemar([[9, b], [c, 9]], exact=True).pvalue for b, c in ((3, 11), (40, 22))],
        ),
        *pairs(
            "average precision",
            "scikit-learn average_precision_score",
            [average_precision(table["spine_age"].to_numpy(), y == 1)],
            [average_precision_score(y, table["spine_age"])],
        ),
        *pairs("AUROC", "scikit-learn roc_auc_score", delong(p, y).values, [roc_auc_score(y, p)]),
        *pairs("Brier score", "scikit-learn brier_score_loss", [brier], [brier_score_loss(y, p)]),
        *pairs(
            "Clopper–Pearson interval",
            "statsmodels proportion_confint",
            proportion(hits)[1:3],
            proportion_confint(47, 60, method="beta"),
        ),
    ]
