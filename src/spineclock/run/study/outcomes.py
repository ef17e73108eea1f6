"""What the gap foretells: hazard ratios of fractures and death, before and after clinical factors."""

from __future__ import annotations

import pandas as pd

from spineclock.core.errors import TableError
from spineclock.report.forest import forest
from spineclock.report.study_page import Picture, Section
from spineclock.report.tables import Table, records
from spineclock.run.study.data import StudyData
from spineclock.run.study.truth import Truth
from spineclock.run.study.words import interval
from spineclock.stats.result import number, p_text
from spineclock.stats.survival import HazardRatios, TimeTo

EVENTS = {
    "vertebral_fracture": "vertebral fracture",
    "any_fracture": "any fracture",
    "non_vertebral_fracture": "non-vertebral fracture",
    "death": "death",
}
CLINICAL = (
    "prevalent_fracture", "bmi", "prior_fracture", "parental_hip_fracture", "current_smoker", "glucocorticoids",
    "rheumatoid_arthritis", "alcohol_3_units",
)  # fmt: skip
"""Of M2, as far as the table has them."""


def outcomes(data: StudyData, truth: Truth) -> Section | None:
    """Cox models M1 (age, sex), M2 (and clinical factors), M3 (and osteoporosis); None where no outcome is known."""
    scans = data.full_test.sort_values(["person_id", "age_years"]).drop_duplicates("person_id")
    if "prevalent_vertebral_fractures" in scans:
        scans = scans.assign(prevalent_fracture=scans["prevalent_vertebral_fractures"] > 0)
    known = [event for event in EVENTS if {event, f"{event}_years"} <= set(scans)]
    if not known:
        return None
    base = tuple(c for c in ("age_years", "sex") if c in scans)
    clinical = (*base, *(c for c in CLINICAL if c in scans and scans[c].nunique() > 1))
    models = {"M1": base}
    if clinical != base:
        models["M2"] = clinical
    if "osteoporosis" in scans:
        models["M3"] = (*clinical, "osteoporosis")
    found, refused = [], []
    for event in known:
        competing = "death" if event != "death" and "death" in known else None
        asked = TimeTo(event, competing=competing, competing_time="death_years" if competing else None)
        try:
            rows = HazardRatios(asked, models=models, per_sd=["gap_years"])(scans)
        except TableError as reason:
            refused.append(f"{EVENTS[event]}: {reason}")
            continue
        rows = rows.assign(event=event, truth=[truth.hazard_ratio(event, m) for m in rows["model"]])
        found.append(rows)
    title = "Outcomes: what the gap foretells"
    if not found:
        return Section("outcomes", title, (), tuple(refused))
    return _section(pd.concat(found, ignore_index=True), models, title, refused)


def _section(found: pd.DataFrame, models: dict[str, tuple[str, ...]], title: str, refused: list[str]) -> Section:
    body: list[tuple[str, ...]] = []
    for event, rows in found.groupby("event", sort=False):
        body.append((EVENTS[str(event)],))
        body += [
            (r.model, f"{r.events:,}", interval(r), p_text(r.p), p_text(r.ph_p), _known(r.truth)) for r in records(rows)
        ]
    drawn = found.assign(label=[f"{EVENTS[e]}, {m}" for e, m in zip(found["event"], found["model"], strict=True)],
                         n=found["events"])  # fmt: skip
    adjusted = "; ".join(f"{name}: {', '.join(c.replace('_', ' ') for c in names)}" for name, names in models.items())
    return Section(
        "outcomes",
        title,
        (
            "Cox models on the first scan of each person in the full test set; who dies is followed until then. Hazard "
            f"ratios are per standard deviation of the gap ({number(float(found['sd'].iloc[0]))} years). Adjusted for: "
            f"{adjusted}.",
        ),
        (
            *refused,
            "The gap is measured with error, so that these ratios are nearer to 1 than those of the true gap.",
            *(f"{EVENTS[r.event]}, {r.model}: {r.warning}." for r in records(found) if r.warning),
        ),
        (
            Table(
                "Hazard ratio per SD of the gap",
                ("model", "events", "hazard ratio (95% CI)", "p", "proportional hazards", "truth"),
                tuple(body),
                "Truth: the same model on a million simulated people." if found["truth"].notna().any() else "",
            ),
        ),
        (
            Picture(
                "outcomes",
                forest(drawn, title="Hazard ratios per SD of the gap", unit="hazard ratio", neutral=1),
                "Hazard ratio of each outcome per standard deviation of the gap, with 95% intervals; in brackets the "
                "events.",
            ),
        ),
        {"outcomes": found},
    )


def _known(value: float) -> str:
    return number(value) if value == value else ""
