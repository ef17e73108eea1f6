"""Networks beside the oracle, what is simpler, and the truth, on the same tested people; what bad splits flatter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spineclock.core.recipe import LARGEST_BYTES
from spineclock.core.volume import Array
from spineclock.ingest.names import of_weighting
from spineclock.ingest.nifti import with_label_map
from spineclock.measure.body_frames import body_frames
from spineclock.prep.cropping import Cropping
from spineclock.prep.crops import crops
from spineclock.run.osteoporosis.known import LATENTS, SHOWN
from spineclock.run.osteoporosis.people import DISEASE, SEQUENCES, People, Places
from spineclock.run.osteoporosis.trained import TEXT, said, together, vertebrae
from spineclock.run.training import folder
from spineclock.run.training.diagnosis_card import diagnosis_card
from spineclock.run.training.sets import LABEL
from spineclock.stats.diagnosis import Auroc, AurocDifference, FittedOn, delong, flattery
from spineclock.stats.diagnosis.operating import Proportion, proportion
from spineclock.stats.diagnosis.paired import paired_shares
from spineclock.stats.diagnosis.prevalence import Yield, predictive_values
from spineclock.stats.result import interval_text, p_text

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


def scored(places: Places, learned: People, tested: People) -> pd.DataFrame:
    """A row of each one learned from and tested, by ``split``, with what networks, oracle, baselines and truth say.

    The networks' columns are empty in those learned from.
    """
    both = pd.concat([cohort(places, learned).assign(split="train"), cohort(places, tested).assign(split="test")],
                     ignore_index=True)  # fmt: skip
    told = together(places, tested).set_index("person_id")
    scores = {name: FittedOn(DISEASE, columns, fit_on=("train",))(both) for name, columns in FITTED.items()}
    who = both["person_id"]
    scores |= {
        SEQUENCES[0]: who.map(told["probability_first"]), SEQUENCES[1]: who.map(told["probability_second"]),
        BOTH: who.map(told["probability"]), TRUE: -both["lumbar_spine_t_score_true"],
    }  # fmt: skip
    return both.assign(**scores)


def areas(table: pd.DataFrame) -> pd.DataFrame:
    """AUROC by person of networks, oracle, baselines and the true density, all on the same tested rows."""
    return Auroc(DISEASE, scores=[*SEQUENCES, BOTH, *FITTED, TRUE], rows="test")(table)


def differences(table: pd.DataFrame) -> pd.DataFrame:
    """Paired differences of AUROC: one weighting and the other; both together and each, and what is simpler."""
    first, second = SEQUENCES
    others = (first, second, "oracle", "signal ratios, T2w", "VBQ", "age, sex and BMI")
    return pd.concat([
        AurocDifference(DISEASE, first, [second], rows="test")(table),
        AurocDifference(DISEASE, BOTH, others, rows="test")(table),
    ], ignore_index=True)  # fmt: skip


def thresholds(places: Places, tested: People, prevalences: tuple[float, ...] = (0.1, 0.3)) -> pd.DataFrame:
    """Sensitivity and specificity above each threshold that was chosen on validation people, and predictive values."""
    rows = []
    for sequence in SEQUENCES:
        network = json.loads((places.run(sequence) / "network.json").read_text(encoding="utf-8"))
        told = _said(places, tested, sequence)
        ill = told[LABEL].to_numpy() > 0
        for rule, value in network["calibration"]["thresholds"].items():
            above = told["probability"].to_numpy() > value
            hit, spared = proportion(above[ill]), proportion(~above[~ill])
            row = {"scan": sequence, "rule": rule.replace("_", " "), "threshold": value,
                   "sensitivity": _share(hit), "specificity": _share(spared)}  # fmt: skip
            for share in prevalences:
                yields = (Yield(p.value, p.effective_n) for p in (hit, spared))
                positive, negative = predictive_values(*yields, prevalence=share)
                row |= {f"PPV at {share:.0%}": positive.value, f"NPV at {share:.0%}": negative.value}
            rows.append(row)
    return pd.DataFrame(rows)


def _share(found: Proportion) -> str:
    return interval_text(found.value, found.low, found.high)


def mcnemars(places: Places, tested: People) -> pd.DataFrame:
    """Whether the two weightings' calls are right equally often in the same people, with and without the disease."""
    one, other = (_said(places, tested, s).set_index("person_id") for s in SEQUENCES)
    both = one.join(other[["called"]], how="inner", rsuffix="_other")
    rows = []
    for what, ill in (("sensitivity", True), ("specificity", False)):
        some = both[(both[LABEL] > 0) == ill]
        first, second = (some[name].astype(bool).to_numpy() == ill for name in ("called", "called_other"))
        found = paired_shares(first, second)
        rows.append({
            "measure": what, "people": len(some), f"right by {SEQUENCES[0]} alone": int((first & ~second).sum()),
            f"by {SEQUENCES[1]} alone": int((second & ~first).sum()),
            "difference": interval_text(found.value, found.low, found.high), "McNemar's mid-p": p_text(found.p),
        })  # fmt: skip
    return pd.DataFrame(rows)


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
            row |= {"vertebrae": f"{len(each):,}", "by vertebra": area.value, "low": area.low, "high": area.high}
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


def leakage(places: Places, learned: People, *, most: int = 500) -> pd.DataFrame:
    """How much a split by vertebra flatters nearest neighbours on T1w crops, made coarse, of some people.

    With grey values as the scanner gave them, whose scale is the same in all vertebrae of a person, and in standard
    deviations of the crop, as networks are shown them.
    """
    table = cohort(places, learned).head(most)
    told = {"as scanned": Cropping(intensity="raw"), "of each crop": Cropping(intensity="zscore")}
    coarse: dict[str, list[Array]] = {name: [] for name in told}
    ill, who = [], []
    for one in table.itertuples():
        path = of_weighting(places.cohort(learned) / str(one.path), "T1w")
        scan, labels = with_label_map(path, max_bytes=LARGEST_BYTES)
        frames = body_frames(labels)
        for name, how in told.items():
            found = crops(scan, labels, frames, how).crops
            coarse[name] += [_coarse(crop.array) for crop in found]
        ill += [bool(getattr(one, DISEASE))] * len(found)
        who += [one.person_id] * len(found)
    parts = {
        name: flattery(np.stack(rows), np.array(ill), np.array(who), rng=np.random.default_rng(0))
        for name, rows in coarse.items()
    }
    return pd.concat(parts, names=["grey values", None]).reset_index(level=0)


def _coarse(crop: Array, pixels: int = 16) -> Array:
    """So many pixels square, each the mean of those it covers."""
    height, width = crop.shape[-2:]
    means: Array = crop.reshape(pixels, height // pixels, pixels, width // pixels).astype(np.float32).mean(axis=(1, 3))
    return means


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
