"""Agreement of repeated scans beside R's psych, lme4 and t quantiles, and pingouin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pingouin

from spineclock.stats.agreement import Icc, icc, repeatability
from spineclock.stats.repeat_scans import RepeatScans

Row = tuple[str, str, float, float]


def compare(folder: Path) -> list[Row]:
    """(statistic, counterpart, ours, theirs) of each number."""
    wide = pd.read_csv(folder / "data.csv")
    theirs = json.loads((folder / "r.json").read_text(encoding="utf-8"))
    found = RepeatScans(values=("gap_years",))(scans(wide))
    rows = [row for group in ("all", "F", "M") for row in statistic(found[found["group"] == group], theirs[group])]
    three = wide[["gap_1", "gap_2", "gap_3"]].to_numpy()
    ours = icc(three)
    kinds = {"ICC(1)": ours.one, "ICC(A,1)": ours.agreement, "ICC(C,1)": ours.consistency}
    for i, (name, x) in enumerate(kinds.items()):
        rows += [
            (name, "R psych::ICC", getattr(x, part), theirs["three"]["icc"][part][i]) for part in Icc.__annotations__
        ]
    rows.append(
        ("within-person SD", "R lme4::lmer", repeatability(three).within_sd, theirs["three"]["within"]["lmer_sd"])
    )
    return [*rows, *against_pingouin(wide, kinds)]


def scans(wide: pd.DataFrame) -> pd.DataFrame:
    """One row a scan, the second scans first, as nobody's table is in order."""
    parts = [
        wide[["person_id", "sex"]].assign(
            scan_id=wide["person_id"].astype(str) + f"-{i}", age_years=wide[f"age_{i}"], gap_years=wide[f"gap_{i}"]
        )
        for i in (2, 1)
    ]
    return pd.concat(parts, ignore_index=True)


def statistic(found: pd.DataFrame, theirs: dict[str, Any]) -> list[Row]:
    """The frame of RepeatScans in one group."""
    at = found.set_index("measure")
    rows: list[Row] = []
    for i, name in enumerate(("ICC(1)", "ICC(A,1)", "ICC(C,1)")):
        told = {"estimate": "value", "low": "low", "high": "high", "p": "p"}
        rows += [(name, "R psych::ICC", at.loc[name, ours], theirs["icc"][r][i]) for ours, r in told.items()]
    rows.append(("ICC(1)", "R lme4::lmer", at.loc["ICC(1)", "estimate"], theirs["within"]["lmer_icc"]))
    sd, change = at.loc["within-person SD"], at.loc["repeatability coefficient"]
    for ours, r in {"estimate": "sd", "low": "low", "high": "high"}.items():
        rows.append(("within-person SD", "R anova, qchisq", sd[ours], theirs["within"][r]))
        rows.append(("repeatability coefficient", "R anova, qchisq", change[ours], theirs["within"][f"change_{r}"]))
    t = theirs["limits"]
    bias = at.loc["bias"]
    rows += [("bias", "R t.test", bias[ours], t[r]) for ours, r in
             {"estimate": "bias", "low": "low", "high": "high", "p": "p"}.items()]  # fmt: skip
    for end in ("lower", "upper"):
        limit = at.loc[f"{end} limit"]
        rows += [("limits of agreement", "R qt with ncp (Carkeet)", limit[ours], t[f"{end}{r}"]) for ours, r in
                 {"estimate": "", "low": "_low", "high": "_high"}.items()]  # fmt: skip
    return rows


def against_pingouin(wide: pd.DataFrame, ours: dict[str, Icc]) -> list[Row]:
    """Three readings a person."""
    long = wide.melt(id_vars="person_id", value_vars=["gap_1", "gap_2", "gap_3"], var_name="reading", value_name="gap")
    rounding = pingouin.options["round.column.CI95"]
    pingouin.options["round.column.CI95"] = None
    try:
        theirs = pingouin.intraclass_corr(long, targets="person_id", raters="reading", ratings="gap").set_index("Type")
    finally:
        pingouin.options["round.column.CI95"] = rounding
    rows: list[Row] = []
    for name, kind in {"ICC(1)": "ICC(1,1)", "ICC(A,1)": "ICC(A,1)", "ICC(C,1)": "ICC(C,1)"}.items():
        low, high = theirs.loc[kind, "CI95"]
        told = {"value": theirs.loc[kind, "ICC"], "f": theirs.loc[kind, "F"], "low": low, "high": high}
        rows += [(name, "pingouin.intraclass_corr", getattr(ours[name], part), x) for part, x in told.items()]
    return rows
