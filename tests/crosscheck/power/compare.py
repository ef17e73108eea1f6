"""Power beside R's power.t.test and integrate, and statsmodels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from statsmodels.stats.power import TTestIndPower

from spineclock.stats.power import group_power, regression_power

Row = tuple[str, str, float, float]


def compare(folder: Path) -> list[Row]:
    """(statistic, counterpart, ours, theirs) of each number."""
    theirs = json.loads((folder / "r.json").read_text(encoding="utf-8"))
    rows: list[Row] = []
    for case in theirs["groups"]:
        ours = group_power(2 * case["n"], effect_sd=case["d"], reliability=case["rho"])
        rows.append(("power, two groups", "R power.t.test", ours, case["power"]))
    for share in (0.25, 0.5):
        ours = group_power(120, effect_sd=0.6, reliability=0.73, share=share)
        first = round(120 * share)
        other = TTestIndPower().power(0.6 * np.sqrt(0.73), first, 0.05, ratio=(120 - first) / first)
        rows.append(("power, two groups", "statsmodels TTestIndPower", ours, float(other)))
    for case in theirs["slopes"]:
        ours = regression_power(case["n"], correlation=case["r"], reliability=case["rho"], covariates=case["k"])
        rows.append(("power, regression", "R pt, integrate", ours, case["power"]))
    return rows
