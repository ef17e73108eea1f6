"""The associations beside R's, SciPy's and statsmodels' numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy.stats import fisher_exact
from scipy.stats.contingency import odds_ratio

from spineclock.stats.association.exposure import reliability
from spineclock.stats.association.interaction import AgeInteraction
from spineclock.stats.association.linear import LinearEffects, false_discovery
from spineclock.stats.association.odds import OddsByGapBand
from spineclock.stats.association.pooling import pool
from spineclock.stats.association.smooth import GapByAge
from spineclock.stats.association.two_by_two import Fourfold, exact_odds_ratio

Row = tuple[str, str, float, float]
TERMS = ("bulge", "fracture", "scoliosis", "packs_per_day", "work")
KEYS = ["bulge", "fracture", "scoliosis", "packs_per_day", "work=moderate", "work=heavy"]


def compare(folder: Path) -> list[Row]:
    """(statistic, counterpart, ours, theirs) of each number."""
    table = pd.read_csv(folder / "data.csv", keep_default_na=False, na_values=[""])
    theirs = json.loads((folder / "r.json").read_text(encoding="utf-8"))
    return [
        *linear(table, theirs),
        *against_statsmodels(table),
        *fourfold(theirs["fisher"]),
        *odds(table, theirs["odds"]),
        *smooth(table, theirs["smooth"]),
        *rubin(theirs["rubin"]),
        *repeats(table, theirs["reliability"]),
    ]


def pairs(name: str, counterpart: str, ours: Iterable[float], theirs: Iterable[float]) -> list[Row]:
    return [(name, counterpart, float(a), float(b)) for a, b in zip(ours, theirs, strict=True)]


def linear(table: pd.DataFrame, theirs: dict[str, Any]) -> list[Row]:
    rows: list[Row] = []
    for name, words in (("plain", ""), ("adjusted", "age_years, sex, site")):
        r = theirs[name]
        found = {}
        for errors in ("CR1", "CR2", "classical"):
            every = LinearEffects(TERMS, standard_errors=errors)(table)
            found[errors] = every[every["adjusted_for"] == words].set_index("key").loc[KEYS]
        one, what = found["CR1"], f"linear effects, {name}"
        rows += pairs(f"{what}: estimate", "R lm", one["estimate"], r["estimate"])
        for column in ("low", "high", "p"):
            rows += pairs(f"{what}: {column} (CR1)", "R sandwich::vcovCL HC1, pt", one[column], r[column])
        rows += pairs(f"{what}: standard error CR1", "R sandwich::vcovCL HC1", one["se"], r["se_cr1"])
        rows += pairs(f"{what}: standard error CR2", "R sandwich::vcovCL HC2", found["CR2"]["se"], r["se_cr2"])
        rows += pairs(f"{what}: degrees of freedom CR2", "R, by its matrices", found["CR2"]["df"], r["df_cr2"])
        rows += pairs(f"{what}: standard error, classical", "R lm", found["classical"]["se"], r["se_classical"])
        rows += pairs(f"{what}: q", "R p.adjust BH", one["q"], r["q"])
        rows += pairs(f"{what}: variance inflation", "R lm", one["vif"], r["vif"])
        rows += pairs(f"{what}: scans, people", "R", [one["n"].iloc[0], one["people"].iloc[0]], [r["n"], r["people"]])
    return rows


def against_statsmodels(table: pd.DataFrame) -> list[Row]:
    held = table.dropna(subset=["gap_years"])
    fit = sm.OLS(held["gap_years"], sm.add_constant(held[["bulge", "fracture"]])).fit(
        cov_type="cluster", cov_kwds={"groups": held["person_id"]}, use_t=True
    )
    ours = LinearEffects(("bulge", "fracture"), covariates=(), standard_errors="CR1")(held)
    rows = pairs("linear effects: standard error CR1", "statsmodels OLS cluster", ours["se"], fit.bse[1:])
    rows += pairs("linear effects: p (CR1)", "statsmodels OLS cluster", ours["p"], fit.pvalues[1:])
    p = [0.001, 0.04, 0.03, 0.5, 0.2]
    _, q, _, _ = sm.stats.multipletests(p, method="fdr_bh")
    return rows + pairs("false discovery", "statsmodels multipletests", false_discovery(p), q)


def fourfold(theirs: list[dict[str, Any]]) -> list[Row]:
    rows: list[Row] = []
    for r in theirs:
        exact = exact_odds_ratio(Fourfold(*r["cells"]))
        middle = exact_odds_ratio(Fourfold(*r["cells"]), interval="mid-p")
        square = np.reshape(r["cells"], (2, 2))
        other = odds_ratio(square, kind="conditional")
        ends = other.confidence_interval(0.95)
        ours = [finite(v) for v in (exact.ratio, exact.low, exact.high)]
        rows += pairs("exact odds ratio: p", "R fisher.test", [exact.p], [r["p"]])
        rows += pairs("exact odds ratio: p", "SciPy fisher_exact", [exact.p], [fisher_exact(square).pvalue])
        rows += pairs("exact odds ratio and interval", "R dhyper, uniroot", ours, [r["estimate"], r["low"], r["high"]])
        scipy = [finite(v) for v in (other.statistic, ends.low, ends.high)]
        rows += pairs("exact odds ratio and interval", "SciPy contingency.odds_ratio", ours, scipy)
        rows += pairs(
            "mid-p interval and p",
            "R dhyper, uniroot",
            [finite(v) for v in (middle.low, middle.high, middle.p)],
            [r["midp_low"], r["midp_high"], r["midp_p"]],
        )
    return rows


def finite(value: float) -> float:
    """JSON has no infinity: 1e300 stands for it."""
    return min(float(value), 1e300)


def odds(table: pd.DataFrame, r: dict[str, Any]) -> list[Row]:
    first = OddsByGapBand(("bulge",), above=3, below=-3)(table).iloc[0]
    every = OddsByGapBand(("bulge",), above=3, below=-3, repeats="cluster")(table).iloc[0]
    se = [np.log(row["high"] / row["low"]) / (2 * 1.959963984540054) for row in (first, every)]
    one = r["first"]
    return [
        *pairs(
            "odds by band, first scans: ratio, error, p, scans",
            "R glm",
            [first["estimate"], se[0], first["p"], first["n"]],
            [one["estimate"], one["se"], one["p"], one["n"]],
        ),
        *pairs(
            "odds by band, clustered: ratio, error, scans",
            "R glm, sandwich::vcovCL HC0",
            [every["estimate"], se[1], every["n"]],
            [r["estimate"], r["se"], r["n"]],
        ),
    ]


def smooth(table: pd.DataFrame, r: dict[str, Any]) -> list[Row]:
    curve = GapByAge("work", value="heavy")(table).set_index(["group", "age_years"])
    at = [(g, a) for g in ("no work=heavy", "work=heavy") for a in (30.0, 50.0, 70.0)]
    rows: list[Row] = []
    for ours, name in (("estimate", "mean"), ("low", "low"), ("high", "high")):
        rows += pairs(f"gap by age: {name}", "R lm on splines::ns, vcovCL", curve.loc[at, ours], r[name])
    tests = AgeInteraction("work", value="heavy")(table).set_index("term")
    differences = tests.loc[[f"difference at {a} years" for a in (30, 50, 70)]]
    rows += pairs("difference at an age", "R lm on splines::ns", differences["estimate"], r["difference"])
    rows += pairs("difference at an age: half interval", "R lm on splines::ns, vcovCL",
                  differences["high"] - differences["estimate"], r["difference_half"])  # fmt: skip
    shape = tests.loc["difference in shape"]
    rows += pairs(
        "difference in shape: F, p", "R lmtest::waldtest, pf", [shape["statistic"], shape["p"]], [r["f"], r["p"]]
    )
    slope = tests.loc["change of difference per decade"]
    rows += pairs("group × age: slope, √F", "R lm, vcovCL", [slope["estimate"], np.sqrt(slope["statistic"])],
                  [r["slope"], abs(r["slope"] / r["slope_se"])])  # fmt: skip
    fieller = tests.loc["crossing age"]
    rows += pairs("crossing age, Fieller", "R lm, uniroot", fieller[["estimate", "low", "high"]],
                  [r["cross"], r["fieller_low"], r["fieller_high"]])  # fmt: skip
    delta = AgeInteraction("work", value="heavy", crossing="delta")(table).set_index("term").loc["crossing age"]
    half = (delta["high"] - delta["low"]) / 2
    return rows + pairs("crossing age, delta: half interval", "R lm, by its formula", [half], [r["delta_half"]])


def rubin(theirs: dict[str, Any]) -> list[Row]:
    estimates, variances = [1.21, 0.98, 1.37, 1.10, 1.02], [0.040, 0.043, 0.039, 0.041, 0.044]
    rows: list[Row] = []
    for name, df in (("big", 334), ("small", 10)):
        ours, r = pool(estimates, variances, complete_df=df), theirs[name]
        found = [ours.estimate, ours.standard_error**2, ours.df, ours.missing_information]
        rows += pairs("Rubin's rules: estimate, variance, df, fmi", "R mice::pool.scalar", found,
                      [r["estimate"], r["variance"], r["df"], r["fmi"]])  # fmt: skip
    return rows


def repeats(table: pd.DataFrame, r: dict[str, Any]) -> list[Row]:
    told = table.dropna(subset=["gap_years"]).sort_values("scan_id").groupby("person_id")["gap_years"]
    two = told.agg(["first", "last", "count"]).query("count == 2")
    ours = reliability(two["first"], two["last"])
    return pairs("reliability: pairs, one-way ICC, error variance", "R anova",
                 [ours.pairs, ours.value, ours.error_variance], [r["pairs"], r["icc"], r["error"]])  # fmt: skip
