"""Whether spine age tells who has a vertebral fracture or osteoporosis better than chronological age does."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from spineclock.core.errors import TableError
from spineclock.report.study_page import Picture, Section
from spineclock.report.study_risk import decision_curves
from spineclock.report.tables import Table, records
from spineclock.run.study.data import StudyData
from spineclock.run.study.words import interval
from spineclock.stats.diagnosis import Auroc, AurocDifference, CrossFitted, NetBenefit
from spineclock.stats.diagnosis.net_benefit import EVERYONE, NOBODY
from spineclock.stats.result import number, p_text

DISEASES = {"prevalent_fracture": "prevalent vertebral fracture", "osteoporosis": "osteoporosis"}
SPINE, CHRONOLOGICAL = "corrected_age_years", "age_years"
TITLE = "Diagnosis: spine age against chronological age"
STRATEGIES = {
    "spine age and sex": (SPINE, "sex"),
    "chronological age and sex": (CHRONOLOGICAL, "sex"),
    "both ages and sex": (CHRONOLOGICAL, "gap_years", "sex"),
}
"""What the probabilities of the decision curves are regressed on."""
DEFINED_FROM_YEARS = 50
"""Osteoporosis by T-score is defined from this age on (WHO 1994; ISCD)."""


def diagnosis(data: StudyData, *, seed: int) -> Section | None:
    """AUROCs on the same people, paired (DeLong), by sex, and decision curves; None where no disease is known."""
    scans = data.first_scans
    known = [d for d in DISEASES if d in scans and scans[d].nunique() == 2]
    if not known:
        return None
    found, refused = [], []
    for disease in known:
        for name, part in _groups(scans):
            try:
                found.append(_areas(part, disease).assign(disease=disease, group=name))
            except TableError as reason:
                refused.append(f"{DISEASES[disease]}, {name}: {reason}")
    curves = {}
    for disease in known:
        try:
            curves[disease] = _curve(scans, disease, seed=seed)
        except TableError as reason:
            refused.append(f"Decision curve of {DISEASES[disease]}: {reason}")
    if not found:
        return Section("diagnosis", TITLE, (), tuple(refused))
    return _section(pd.concat(found, ignore_index=True), curves, refused)


def _groups(scans: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    yield "everyone", scans
    for sex, word in (("F", "women"), ("M", "men")):
        if "sex" in scans and (own := scans[scans["sex"] == sex]).shape[0]:
            yield word, own
    older = scans[scans[CHRONOLOGICAL] >= DEFINED_FROM_YEARS]
    if 0 < len(older) < len(scans):
        yield f"{DEFINED_FROM_YEARS} years and older", older


def _areas(scans: pd.DataFrame, disease: str) -> pd.DataFrame:
    """The AUROC of each age, then the difference, on the people who tell of both."""
    own = Auroc(disease, [SPINE, CHRONOLOGICAL])(scans)
    difference = AurocDifference(disease, SPINE, [CHRONOLOGICAL])(scans)
    return pd.concat([own, difference], ignore_index=True)


def _curve(scans: pd.DataFrame, disease: str, *, seed: int) -> pd.DataFrame:
    """Net benefit at thresholds up to five times the prevalence, of cross-fitted probabilities."""
    columns = [CHRONOLOGICAL, SPINE, "gap_years", *(["sex"] if "sex" in scans else [])]
    kept = scans.dropna(subset=[disease, *columns])
    told = {
        name: CrossFitted(disease, [c for c in made_of if c in kept])(kept, rng=np.random.default_rng(seed))
        for name, made_of in STRATEGIES.items()
    }
    share = float(kept[disease].astype(float).mean())
    top = min(0.5, 5 * share)
    thresholds = np.round(np.linspace(top / 20, top, 20), 4)
    return NetBenefit(disease, list(STRATEGIES), [float(t) for t in thresholds])(kept.assign(**told)).assign(
        disease=disease, prevalence=share
    )


def _section(found: pd.DataFrame, curves: dict[str, pd.DataFrame], refused: list[str]) -> Section:
    pictures: tuple[Picture, ...] = ()
    if curves:
        against = {DISEASES[d].capitalize(): c[c["against"] == NOBODY] for d, c in curves.items()}
        pictures = (
            Picture(
                "decision_curves",
                decision_curves(against, strategies=list(STRATEGIES), everyone=EVERYONE),
                "Decision curves: net benefit of acting on people above each threshold probability, beside acting on "
                "everyone and on nobody. Probabilities are logistic, each person's from nine tenths of the other "
                "people (ten-fold cross-fitting).",
            ),
        )
    frames = {"diagnosis": found}
    if curves:
        frames["net_benefit"] = pd.concat(curves.values(), ignore_index=True)
    return Section(
        "diagnosis",
        TITLE,
        (
            "How well age alone tells who has the disease, on the first scan of each person in the full test set. "
            "Spine age is the corrected predicted age, that is chronological age plus gap; Cole's correction being a "
            "straight line, the raw prediction ranks people alike and has the same AUROC. Differences are paired on "
            "the same people (DeLong).",
            *_compared(found),
            *(_benefit_sentence(c) for c in curves.values()),
        ),
        tuple([*refused, *_few(found)]),
        (_table(found),),
        pictures,
        frames,
    )


def _compared(found: pd.DataFrame) -> list[str]:
    rows = found[(found["group"] == "everyone") & found["term"].str.contains("−")]
    return [
        f"{DISEASES[r.disease].capitalize()}: the AUROC of spine age ({number(r.auroc)}) less that of chronological "
        f"age ({number(r.auroc_other)}) is {interval(r, digits=3)}; {p_text(r.p)}."
        for r in records(rows)
    ]


def _few(found: pd.DataFrame) -> list[str]:
    rows = found[(found["term"] == SPINE) & (found["warning"] != "")]
    return [f"{DISEASES[r.disease].capitalize()}, {r.group}: {r.warning}." for r in records(rows)]


def _benefit_sentence(curve: pd.DataFrame) -> str:
    """Spine age against chronological age at the threshold next to the prevalence."""
    first, second, *_ = STRATEGIES
    rows = curve[(curve["strategy"] == first) & (curve["against"] == second)]
    r = rows.iloc[int((rows["threshold"] - rows["prevalence"]).abs().to_numpy().argmin())]
    low, high = 1000 * r["low"], 1000 * r["high"]
    return (
        f"Net benefit for {DISEASES[r['disease']]} at a threshold of {number(100 * r['threshold'], 1)}%, near its "
        f"prevalence of {number(100 * r['prevalence'], 1)}%: {first} less {second}, {number(r['per_1000'], 1)} net "
        f"true positives in 1,000 people (95% CI {number(low, 1)} to {number(high, 1)}; {p_text(r['p'])})."
    )


def _table(found: pd.DataFrame) -> Table:
    body: list[tuple[str, ...]] = []
    for disease, rows in found.groupby("disease", sort=False):
        body.append((DISEASES[str(disease)],))
        for name, part in rows.groupby("group", sort=False):
            spine, age, less = (part.iloc[k] for k in range(3))
            body.append(
                (
                    str(name),
                    f"{spine['positives']:,}",
                    f"{spine['negatives']:,}",
                    interval(spine),
                    interval(age),
                    interval(less, digits=3),
                    p_text(float(less["p"])),
                )
            )
    head = ("people", "with", "without", "AUROC of spine age (95% CI)", "of chronological age", "difference", "p")
    return Table("AUROC for a disease at the scan", head, tuple(body))
