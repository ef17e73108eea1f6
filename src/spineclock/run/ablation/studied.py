"""The study of people of a world the proposed network has not seen, by its ages: agreement of repeat scans, effects.

What a study of simulated people should find is known; so this says what the network's error does to its figures.
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from spineclock.report.paper import published
from spineclock.run.normals import normals
from spineclock.run.settings import NormalsSettings, StudySettings
from spineclock.run.study.command import study
from spineclock.run.study.words import interval
from spineclock.run.tables import markdown
from spineclock.stats.repeat_scans import RepeatScans

MEASURES = ("ICC(A,1)", "within-person SD", "repeatability coefficient")
FEWEST_WITH = 20
"""Effects of terms that fewer scans have are not counted."""


def studied(cohort: Path, predictions: Path, out: Path, *, workers: int) -> Path:
    """The study's folder, made where it is not there; who is typical is found from the cohort's own reports."""
    typical = out / "normals" / "normals.csv"
    if not typical.is_file():
        normals(cohort / "findings.csv", NormalsSettings(workers=workers), cohort=cohort, out=typical.parent)
    if not (out / "study.html").is_file():
        # the network has seen nobody of them, so that all but those who set the bias correction are tested
        study(predictions, StudySettings(normals=typical, train_share=0), cohort=cohort, out=out)
    return out


def section(folder: Path, said: pd.DataFrame, spine_age: pd.Series) -> str:
    """What the study found beside the truth, as Markdown.

    Parameters
    ----------
    folder
        Of the study.
    said
        What the network says of each scan of the cohort: ``predictions.csv`` of its evaluation.
    spine_age
        The true spine age of each row of ``said``.
    """
    told = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return "\n".join([
        "## A study by the proposed network", "",
        "Of the people of the default world above, whom the network has not seen: `spineclock normals` of their "
        f"reports, then `spineclock study` of its ages. Of {told['scans']:,} scans {told['full_test']:,} are tested; a "
        "tenth of those typical for their age set the bias correction, and their people's other scans are left out.",
        "",
        *_repeats(said, spine_age), *_effects(folder), *_outcomes(folder),
    ])  # fmt: skip


def _repeats(said: pd.DataFrame, spine_age: pd.Series) -> list[str]:
    gaps = said.assign(gap_years=said["corrected_age_years"] - said["age_years"])
    true = said.assign(gap_years=spine_age - said["age_years"])
    rows = {}
    for whose, table in (("the network's", gaps), ("true", true)):
        found = RepeatScans()(table)
        found = found[(found["value"] == "gap_years") & (found["group"] == "all")].set_index("measure")
        first = next(found.itertuples())
        told = {name: interval(found.loc[name]) for name in MEASURES}
        rows[whose] = {"gap": whose, "people": first.n, "years apart": first.years_apart, **told}
    paper = next(row for row in published("table4").itertuples() if row.subgroup == "all")
    rows["paper"] = {"gap": "the paper's", "people": paper.n, "years apart": paper.years_apart,
                     "ICC(A,1)": f"{paper.icc:.2f} ({paper.low:.2f} to {paper.high:.2f})"}  # fmt: skip
    return [
        "All people with two scans, whatever their set (corrected gaps, years; which ICC the paper's is, it does not "
        "say):", "", markdown(pd.DataFrame([*rows.values()]).fillna("")), "",
        "An ICC says that two scans of a person are told alike, not that they are told right: what the network gets "
        "wrong of a person's anatomy it gets wrong twice.", "",
    ]  # fmt: skip


def _effects(folder: Path) -> list[str]:
    tables = [pd.read_csv(folder / "tables" / f"{name}.csv") for name in ("table5", "appendix")]
    every = pd.concat(tables, ignore_index=True)
    known = every[(every["n_with"] >= FEWEST_WITH) & every[["low", "truth"]].notna().all(axis=1)]
    rows = []
    for adjusted, words in ((False, "none"), (True, "age, sex, site")):
        part = known[known["adjusted_for"].notna() == adjusted]
        held = part["low"].le(part["truth"]) & part["truth"].le(part["high"])
        weight = part["se"] ** -2
        slope = (weight * part["truth"] * part["estimate"]).sum() / (weight * part["truth"] ** 2).sum()
        error = (weight * part["truth"] ** 2).sum() ** -0.5
        rows.append({"covariates": words, "effects": len(part), "95% intervals that hold the truth": int(held.sum()),
                     "effect on truth": f"{slope:.2f} ± {1.96 * error:.2f}"})  # fmt: skip
    return [
        f"Effects on the gap (Table 5 and Appendix, terms that {FEWEST_WITH} scans or more have) beside the truth as "
        "projected from a million people; below, their line on the truth through 0, weighted by their precision "
        "(1: neither diluted nor exaggerated; effects of one model are not independent):", "",
        markdown(pd.DataFrame(rows)), "",
    ]  # fmt: skip


def _outcomes(folder: Path) -> list[str]:
    found = pd.read_csv(folder / "tables" / "outcomes.csv")
    found = found[(found["model"] == "M1") & (found["per"] == "SD")]
    rows = []
    for event, part in found.groupby("event", sort=False):
        by = {row.gap: row for row in part.itertuples() if row.gap == "measured" or row.reliability_of == "true gaps"}
        true = by.get("true")
        rows.append({
            "event": str(event).replace("_", " "), "events": by["measured"].events,
            "per SD of the network's gap": interval(by["measured"]),
            "per SD of the true gap, by calibration": "" if true is None else interval(true),
            "truth": float("nan") if true is None else true.truth,
        })  # fmt: skip
    return [
        "Hazard ratios, age and sex alike; calibrated by these people's true gaps, which makes up for an error that "
        "tells nothing of the outcome. Where the network's error tells of it, as it does if it takes fractures that it "
        "sees for age, the calibrated ratio is larger than the truth.", "", markdown(pd.DataFrame(rows), digits=2), "",
    ]  # fmt: skip
