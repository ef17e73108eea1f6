"""Networks beside the oracle, what is simpler, and the truth, on the same tested people; what bad splits flatter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spineclock.run.osteoporosis.known import LATENTS, SHOWN
from spineclock.run.osteoporosis.people import DISEASE, SEQUENCES, People, Places
from spineclock.run.osteoporosis.trained import TEXT, said, together, vertebrae
from spineclock.run.training import folder
from spineclock.run.training.diagnosis_card import diagnosis_card
from spineclock.run.training.sets import LABEL
from spineclock.stats.diagnosis import Auroc, FittedOn, delong, flattery

CLINICAL = ("age_years", "sex", "bmi")
FITTED = {
    "oracle": LATENTS,
    "oracle, with age, sex and BMI": (*LATENTS, *CLINICAL),
    "oracle of what is seen for itself": SHOWN,
    "VBQ": ("T1w vbq",),
    "signal ratios, T1w": ("T1w to_csf", "T1w to_fat", "T1w to_muscle"),
    "signal ratios, T2w": ("T2w to_csf", "T2w to_fat", "T2w to_muscle"),
    "marrow's SD over mean, T1w": ("T1w marrow_variation",),
    "age, sex and BMI": CLINICAL,
}
"""Logistic models fitted on those learned from: their columns."""
BOTH, TRUE = " + ".join(SEQUENCES), "true lumbar T-score"
WORN = 0.4
"""What wear adds to the T-score of those whose spine counts as worn."""


def cohort(places: Places, people: People) -> pd.DataFrame:
    """A row a scan: who, T-scores and osteoporosis as measured and as they are, latents and measured signals."""
    table = pd.read_csv(places.cohort(people) / "participants.tsv", sep="\t", dtype=TEXT)
    truth = pd.read_csv(places.cohort(people) / "truth.csv", dtype=TEXT)
    kept = ["scan_id", *(c for c in map(str, truth) if c.endswith("_true")), "dxa_added_t_score"]
    known = pd.read_csv(places.known(people), dtype=TEXT)
    return table.merge(truth[kept], on="scan_id").merge(known, on="scan_id", validate="one_to_one")


def areas(places: Places, learned: People, tested: People) -> pd.DataFrame:
    """AUROC by person of networks, oracle, baselines and the true density, all on the same rows."""
    both = pd.concat([cohort(places, learned).assign(split="train"), cohort(places, tested).assign(split="test")],
                     ignore_index=True)  # fmt: skip
    told = together(places, tested).set_index("person_id")
    scores = {name: FittedOn(DISEASE, columns, fit_on=("train",))(both) for name, columns in FITTED.items()}
    who = both["person_id"]
    scores |= {
        SEQUENCES[0]: who.map(told["probability_first"]), SEQUENCES[1]: who.map(told["probability_second"]),
        BOTH: who.map(told["probability"]), TRUE: -both["lumbar_spine_t_score_true"],
    }  # fmt: skip
    order = [*SEQUENCES, BOTH, *FITTED, TRUE]
    # the networks' columns are empty in those learned from, of whom Auroc asks nothing
    return Auroc(DISEASE, scores=order, rows="test")(both.assign(**scores))


def calls(places: Places, tested: People) -> pd.DataFrame:
    """By person: AUROC, sensitivity and specificity of each weighting and of both; by vertebra: AUROC."""
    rows = []
    for sequence in (*SEQUENCES, BOTH):
        alone = sequence != BOTH
        found = _said(places, tested, sequence) if alone else together(places, tested)
        card = diagnosis_card(found).iloc[0]
        row = {"scan": sequence, **{name: card[name] for name in ("people", "with", "auroc", "auroc_low", "auroc_high",
               "sensitivity", "specificity", "brier", "calibration_slope")}}  # fmt: skip
        if alone:
            each = vertebrae(places, tested, sequence)
            area = delong(each["log_odds"], each[LABEL] > 0, people=each["person_id"]).area()
            row |= {"vertebrae": len(each), "by vertebra": area.value, "low": area.low, "high": area.high}
        rows.append(row)
    return pd.DataFrame(rows)


def _said(places: Places, people: People, sequence: str) -> pd.DataFrame:
    return said(places, places.run(sequence), people, sequence, places.evaluation(people, sequence))


def spurs(places: Places, tested: People) -> pd.DataFrame:
    """Whom DXA misses or calls falsely by worn spines and its own error, and how many of them the networks call."""
    table = cohort(places, tested).merge(together(places, tested)[["person_id", "called"]], on="person_id")
    true, measured = (table[name].astype(bool) for name in ("osteoporosis_true", DISEASE))
    worn = table["dxa_added_t_score"] > WORN
    groups = {
        "osteoporosis, and DXA says so": true & measured, "osteoporosis, and DXA does not say so": true & ~measured,
        "of these, spine worn": true & ~measured & worn, "no osteoporosis, but DXA says so": ~true & measured,
        "no osteoporosis, nor does DXA say so": ~true & ~measured,
    }  # fmt: skip
    return pd.DataFrame(
        {"people": name, "n": int(of.sum()), "called by T1w + T2w": table.loc[of, "called"].astype(float).mean()}
        for name, of in groups.items()
    )


def leakage(places: Places, learned: People, *, most: int = 500, pixels: int = 16) -> pd.DataFrame:
    """How much a split by vertebra flatters nearest neighbours on T1w crops, made coarse, of some people."""
    from spineclock.prep.store import PreparedStore

    store = PreparedStore.open(places.store(learned, SEQUENCES[0]))
    table = cohort(places, learned).head(most)
    at = store.positions
    crops, ill, who = [], [], []
    for scan, sick, person in zip(table["scan_id"], table[DISEASE], table["person_id"], strict=True):
        rows = store.input(at[scan]).astype(np.float32)
        n, height, width = rows.shape
        small = rows.reshape(n, pixels, height // pixels, pixels, width // pixels).mean(axis=(2, 4))
        there = rows.any(axis=(1, 2))
        crops += list(small[there])
        ill += [bool(sick)] * int(there.sum())
        who += [person] * int(there.sum())
    return flattery(np.stack(crops), np.array(ill), np.array(who), rng=np.random.default_rng(0))


def backbones(places: Places, tested: People, networks: tuple[str, ...]) -> pd.DataFrame:
    """What each network came to that learned as long as the others."""
    rows: list[dict[str, Any]] = []
    for network in networks:
        run = places.backbone(network)
        found = said(places, run, tested, SEQUENCES[0], run / f"evaluation-{tested.name}")
        card, told = diagnosis_card(found).iloc[0], _told(run)
        rows.append({
            "network": network, "scans": told["scans"]["train"], "epochs": told["epochs"],
            "minutes": told["training_minutes"], "AUROC": card["auroc"], "low": card["auroc_low"],
            "high": card["auroc_high"],
        })  # fmt: skip
    return pd.DataFrame(rows)


def _told(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / folder.DONE).read_text(encoding="utf-8"))
    return found
