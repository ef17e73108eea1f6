"""ComBat beside neuroCombat, and the scanner's share of the gap beside R's lme4 and anova."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from spineclock.stats.harmonise import ComBat
from spineclock.stats.scanner import ScannerShare, VarianceShare, variance_share

Row = tuple[str, str, float, float]
FEATURES = ("height", "signal", "area", "angle", "width", "depth")
CASES = {
    "kept age and sex": ComBat(FEATURES, keep=("sex", "age_years"), age_may_enter=True),
    "kept sex": ComBat(FEATURES, keep=("sex",)),
    "nothing kept": ComBat(FEATURES),
    "no shrinking": ComBat(FEATURES, keep=("sex", "age_years"), age_may_enter=True, shrink=False),
    "location only, no shrinking": ComBat(FEATURES, keep=("sex", "age_years"), scale=False, shrink=False),
    "test people, nothing kept": ComBat(FEATURES),
}


def compare(folder: Path) -> list[Row]:
    """(statistic, counterpart, ours, theirs) of each number."""
    table = pd.read_csv(folder / "data.csv")
    return [*combat(table, folder), *scanners(table, folder)]


def combat(table: pd.DataFrame, folder: Path) -> list[Row]:
    """Every harmonised value."""
    theirs = json.loads((folder / "neurocombat.json").read_text(encoding="utf-8"))
    rows: list[Row] = []
    for name, settings in CASES.items():
        people = table[table["split"] == ("test" if name.startswith("test") else "train")]
        ours = settings.fit(table)(people)[list(FEATURES)].to_numpy().ravel()
        told = [value for person in theirs[name] for value in person]
        rows += [(f"ComBat, {name}", "neuroCombat 0.2.12", a, b) for a, b in zip(ours, told, strict=True)]
    return rows


def scanners(table: pd.DataFrame, folder: Path) -> list[Row]:
    """Shares, F tests and each scanner's mean."""
    theirs = json.loads((folder / "r.json").read_text(encoding="utf-8"))
    plain = variance_share(table["gap_years"], table["scanner"])
    rows: list[Row] = []
    for part in VarianceShare.__annotations__:
        if part in theirs["plain"]:
            counterpart = "R anova of two lm" if part in ("f", "df1", "df2", "p") else "R lme4::lmer"
            rows.append((f"scanner's {part}", counterpart, getattr(plain, part), theirs["plain"][part]))
    frame = ScannerShare()(table)
    share = frame.iloc[0]
    for ours, r in {"estimate": "share", "between_sd": "between_sd", "within_sd": "within_sd"}.items():
        rows.append(("scanner's share, age and sex adjusted", "R lme4::lmer", share[ours], theirs["adjusted"][r]))
    for part in ("f", "df1", "df2", "p"):
        rows.append(
            ("scanner's F test, age and sex adjusted", "R anova of two lm", share[part], theirs["adjusted"][part])
        )
    for (_, ours), r in zip(frame.iloc[1:].iterrows(), theirs["scanners"], strict=True):
        assert ours["scanner"] == r["name"]
        told = {"estimate": "mean", "low": "low", "high": "high", "p": "p"}
        rows += [("each scanner's mean", "R lm, contrasts", ours[a], r[b]) for a, b in told.items()]
    even = table.groupby("scanner").head(12)
    found = variance_share(even["gap_years"], even["scanner"])
    for part, value in theirs["balanced"].items():
        rows.append(("share and interval, equal groups", "R anova, qf (closed form)", getattr(found, part), value))
    return rows
