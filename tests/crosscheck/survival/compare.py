"""Survival figures beside R's survival and cmprsk, scikit-survival's and lifelines' numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from lifelines import AalenJohansenFitter, CoxPHFitter
from sksurv.metrics import brier_score, concordance_index_ipcw, cumulative_dynamic_auc, integrated_brier_score
from sksurv.util import Surv

from spineclock.stats.survival import (
    BrierScore,
    CIndex,
    CumulativeIncidence,
    FittedRisk,
    HazardRatios,
    TimedAuroc,
    TimeTo,
    cause_specific,
    cox,
    proportional_hazards,
)

Row = tuple[str, str, float, float]
AT = (1.0, 2.0, 5.0)
HORIZONS = (2.0, 3.0, 5.0)
FRACTURE = TimeTo("fracture")
DEATH_COMPETES = TimeTo("fracture", competing="death")
EXACT = TimeTo("fracture", time="exact_years")


def compare(folder: Path) -> list[Row]:
    """(statistic, counterpart, ours, theirs) of each number."""
    table = pd.read_csv(folder / "data.csv")
    theirs = json.loads((folder / "r.json").read_text(encoding="utf-8"))
    return [
        *incidence(table, theirs),
        *hazards(table, theirs),
        *risks(table, theirs),
        *concordances(table, theirs["c"]),
        *by_horizon(table),
        *lifelines(table),
    ]


def pairs(name: str, counterpart: str, ours: Iterable[float], theirs: Iterable[float]) -> list[Row]:
    return [(name, counterpart, float(a), float(b)) for a, b in zip(ours, theirs, strict=True)]


def incidence(table: pd.DataFrame, theirs: dict[str, Any]) -> list[Row]:
    km, clustered = (CumulativeIncidence(FRACTURE, AT, person=p)(table) for p in (None, "person_id"))
    aj, aj_clustered = (CumulativeIncidence(DEATH_COMPETES, AT, person=p)(table) for p in (None, "person_id"))
    r, survfit = theirs["km"], "R survival::survfit"
    return [
        *pairs("Kaplan–Meier", survfit, km["estimate"], r["incidence"]),
        *pairs("Kaplan–Meier: error (Greenwood)", survfit, km["se"], r["se"]),
        *pairs("Kaplan–Meier: log(−log) interval", survfit, [*km["low"], *km["high"]], [*r["low"], *r["high"]]),
        *pairs("Kaplan–Meier: error clustered by person", survfit, clustered["se"], theirs["km_clustered"]["se"]),
        *pairs("Aalen–Johansen", f"{survfit}, several states", aj["estimate"], theirs["aj"]["incidence"]),
        *pairs(
            "Aalen–Johansen: neither event", f"{survfit}, several states", aj["event_free"], theirs["aj"]["event_free"]
        ),
        *pairs("Aalen–Johansen: error", f"{survfit}, several states", aj["se"], theirs["aj"]["se"]),
        *pairs(
            "Aalen–Johansen: error clustered by person",
            "R residuals.survfit, summed by person",
            aj_clustered["se"],
            theirs["aj_clustered"]["se"],
        ),
        *pairs("Aalen–Johansen", "R cmprsk::cuminc", aj["estimate"], theirs["cuminc"]["incidence"]),
    ]


def hazards(table: pd.DataFrame, theirs: dict[str, Any]) -> list[Row]:
    rows: list[Row] = []
    time, event, people = table["fracture_years"], table["fracture"], table["person_id"]
    male = (table["sex"] == "M").astype(float)
    designs: dict[str, tuple[Any, dict[str, Any]]] = {
        "adjusted": (np.column_stack([table["age_years"], male, table["gap_years"], table["prevalent"]]), {}),
        "strata": (table[["age_years", "gap_years"]].to_numpy(), {"strata": table["site"]}),
        "breslow": (table[["age_years", "gap_years"]].to_numpy(), {"ties": "breslow"}),
    }
    for name, (design, how) in designs.items():
        fit, r, what = cox(design, time, event, people=people, **how), theirs["cox"][name], f"Cox, {name}"
        rows += pairs(f"{what}: coefficients", "R survival::coxph", fit.coefficients, r["coef"])
        rows += pairs(f"{what}: clustered errors", "R survival::coxph", fit.standard_errors, r["se"])
        rows += pairs(
            f"{what}: model's errors", "R survival::coxph", np.sqrt(np.diag(fit.model_covariance)), r["naive"]
        )
        rows += pairs(
            f"{what}: log-likelihood", "R survival::coxph", [fit.null_log_likelihood, fit.log_likelihood], r["loglik"]
        )
        influence = fit.influence[:5].T.ravel()
        rows += pairs(f"{what}: dfbeta", "R residuals.coxph", influence, r["dfbeta"])
        for scale, z in r["zph"].items():
            tests = proportional_hazards(fit, scale=scale).values()
            rows += pairs(
                f"{what}: proportional hazards, {scale}",
                "R survival::cox.zph",
                [t.statistic for t in tests],
                z["chisq"],
            )
            rows += pairs(f"{what}: its p, {scale}", "R survival::cox.zph", [t.p for t in tests], z["p"])
    statistic = HazardRatios(FRACTURE, ("gap_years", "prevalent"), {"M": ("age_years", "sex")})(table)
    r = theirs["cox"]["adjusted"]
    for column, key in (("low", "low"), ("high", "high"), ("p", "p")):
        rows += pairs(f"hazard ratio: {column}", "R survival::coxph", statistic[column], r[key][2:])
    rows += pairs("hazard ratio", "R survival::coxph", statistic["estimate"], np.exp(r["coef"][2:]))
    plain = cox(designs["breslow"][0], time, event)
    return rows + pairs(
        "Cox: risk by a horizon", "R survival::survfit.coxph", plain.risk([[55, -3], [80, 6]], 4), theirs["risk"]
    )


def risks(table: pd.DataFrame, theirs: dict[str, Any]) -> list[Row]:
    """Death competing, without ties, as R's models of several states take them by Breslow's rule."""
    new = [[55.0, -3.0], [80.0, 6.0]]
    r, name = theirs["cause_specific"], "R survival::survfit.coxphms"
    cause = np.where(table["fracture"] == 1, 1, np.where(table["death"] == 1, 2, 0))
    fit = cause_specific(table[["age_years", "gap_years"]], table["exact_years"], cause, ties="breslow")
    assert fit.other is not None
    rows = pairs(
        "cause-specific Cox: coefficients",
        "R survival::coxph, several states",
        [*fit.event.coefficients, *fit.other.coefficients],
        r["coef"],
    )
    for which, state in ((1, "fracture"), (2, "death")):
        rows += pairs(
            f"cause-specific Cox: risk of {state}", name, fit.risks(new, HORIZONS, cause=which).ravel(), r[state]
        )
    whole = pd.concat([table, pd.DataFrame(new, columns=["age_years", "gap_years"])], ignore_index=True)
    whole["split"] = np.where(np.arange(len(whole)) < len(table), "train", "new")
    model = FittedRisk(
        TimeTo("fracture", "exact_years", "death"), ["age_years", "gap_years"], kind="logistic", person=None
    )
    found = model(whole).loc[len(table) :, [*model.told.values()]].to_numpy()
    return rows + pairs("logistic risk weighted by IPCW", "R glm", found.ravel(), np.ravel(theirs["logistic"]))


def concordances(table: pd.DataFrame, r: dict[str, Any]) -> list[Row]:
    own = CIndex(FRACTURE, ["score", "other"], kinds=["harrell"], person=None)(table)
    clustered = CIndex(FRACTURE, ["score", "other"], kinds=["harrell"])(table)
    uno = CIndex(FRACTURE, ["score"], kinds=["uno"])(table)
    until = CIndex(FRACTURE, ["score"], kinds=["uno"], horizon=4.0000001)(table)
    name = "R survival::concordance"
    return [
        *pairs("Harrell's c", name, own.loc[:0, "estimate"], [r["value"]]),
        *pairs("Harrell's c: comparable pairs", name, own.loc[:0, "pairs"], [sum(r["counts"])]),
        *pairs("Harrell's c: error", name, own.loc[:0, "se"], [r["se"]]),
        *pairs("Harrell's c: error clustered by person", name, clustered.loc[:0, "se"], [r["se_clustered"]]),
        *pairs(
            "Harrell's c: paired difference",
            name,
            clustered.loc[2, ["estimate", "se"]],
            [r["difference"], r["difference_se"]],
        ),
        *pairs("Uno's c", f"{name}, n/G2", uno["estimate"], [r["uno"]]),
        *pairs("Uno's c until four years", f"{name}, n/G2", until["estimate"], [r["uno_until"]]),
    ]


def by_horizon(table: pd.DataFrame) -> list[Row]:
    """With times that differ between rows, as scikit-survival takes G after and not before a time."""
    y = Surv.from_arrays(table["fracture"] == 1, table["exact_years"])
    horizons = np.array(HORIZONS)
    areas, _ = cumulative_dynamic_auc(y, y, table["other"].to_numpy(), horizons)
    columns = {h: f"risk_{h:g}" for h in HORIZONS}
    survival = 1 - table[[*columns.values()]].to_numpy()
    found = BrierScore(EXACT, {"m": columns})(table)
    of = found.groupby("measure")["estimate"]
    uno = CIndex(EXACT, ["score"], kinds=["uno"], horizon=6.0)(table)["estimate"]
    return [
        *pairs(
            "AUROC by a horizon",
            "scikit-survival cumulative_dynamic_auc",
            TimedAuroc(EXACT, ["other"], HORIZONS)(table)["estimate"],
            areas,
        ),
        *pairs(
            "Brier score by a horizon",
            "scikit-survival brier_score",
            of.get_group("Brier score"),
            brier_score(y, y, survival, horizons)[1],
        ),
        *pairs(
            "integrated Brier score",
            "scikit-survival integrated_brier_score",
            of.get_group("integrated Brier score"),
            [integrated_brier_score(y, y, survival, horizons)],
        ),
        *pairs(
            "Uno's c until six years",
            "scikit-survival concordance_index_ipcw",
            uno,
            [concordance_index_ipcw(y, y, table["score"].to_numpy(), tau=6.0)[0]],
        ),
    ]


def lifelines(table: pd.DataFrame) -> list[Row]:
    columns = ["exact_years", "fracture", "gap_years", "age_years"]
    theirs = CoxPHFitter().fit(table[columns], "exact_years", "fracture", fit_options={"precision": 1e-10})
    ours = cox(table[columns[2:]], table["exact_years"], table["fracture"])
    cause = np.where(table["fracture"] == 1, 1, np.where(table["death"] == 1, 2, 0))
    johansen = AalenJohansenFitter(calculate_variance=False).fit(table["exact_years"], cause, event_of_interest=1)
    curve = CumulativeIncidence(TimeTo("fracture", time="exact_years", competing="death"), AT)(table)
    return [
        *pairs("Cox: coefficients", "lifelines CoxPHFitter", ours.coefficients, theirs.params_),
        *pairs("Aalen–Johansen", "lifelines AalenJohansenFitter", curve["estimate"], johansen.predict(AT)),
    ]
