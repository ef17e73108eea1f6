"""docs/results/films.md: how far off the ages of films are, what they foretell, and how long a film takes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spineclock.run.ablation.table import true_ages
from spineclock.run.films.package import ends
from spineclock.run.films.people import CALIBRATION, CANVAS, LEARNED, TESTED, Places
from spineclock.run.study.words import interval
from spineclock.run.tables import markdown
from spineclock.run.training import folder
from spineclock.stats import metrics

TITLES = {"radiographs": "Radiographs", "vfa": "VFA images"}
PAPER = {"radiographs": (2063, 0.72, 17.0), "VFA": (3508, 1.00, -0.6)}
"""Scans, slope and intercept of the two scatter plots of the publication, read off them."""


def ages(places: Places) -> pd.DataFrame:
    """Errors of each tested set: as predicted, by Cole's correction, and by Beheshti's, which uses the test age."""
    rows = []
    for people in TESTED:
        truth = true_ages(places.cohort(people))
        assert truth is not None
        for before in (True, False) if people.modality == "vfa" else (False,):
            said = pd.read_csv(places.evaluation(people, before=before) / "predictions.csv", dtype={"scan_id": str})
            words = people.name.replace("_", " ") + (", before recalibration" if before else "")
            rows.append(_errors(words, said, said["scan_id"].map(truth)))
    return pd.DataFrame(rows)


def _errors(name: str, said: pd.DataFrame, spine_age: pd.Series) -> dict[str, Any]:
    age, predicted, corrected = (said[f"{c}age_years"].to_numpy() for c in ("", "predicted_", "corrected_"))
    slope, intercept = np.polyfit(age, predicted, 1)
    by_age = said.get("modality_corrected_age_years", pd.Series(np.nan, index=said.index)).to_numpy()
    true_slope = np.polyfit(spine_age, predicted, 1)
    covered = (said["interval_low_years"] <= said["age_years"]) & (said["age_years"] <= said["interval_high_years"])
    return {
        "films": name, "n": f"{len(said):,}",
        "MAE": metrics.mae(predicted, age), "r": metrics.pearson_r(predicted, age),
        "R²": metrics.r2(predicted, age), "oracle's R²": metrics.r2(spine_age, age),
        "mean error": float((predicted - age).mean()), "slope": float(slope), "intercept": float(intercept),
        "r with true spine age": metrics.pearson_r(predicted, spine_age),
        "slope on true spine age": float(true_slope[0]),
        "r of corrected with true gap": metrics.pearson_r(corrected - age, spine_age - age),
        "corrected mean error": float((corrected - age).mean()), "Beheshti: MAE": float(np.abs(by_age - age).mean()),
        "Beheshti: mean error": float((by_age - age).mean()), "90% interval covers": float(covered.mean()),
    }  # fmt: skip


def pictured(places: Places) -> bytes:
    """The two scatter plots of the publication, of simulated people: radiographs as predicted, VFA before and after."""
    from spineclock.report import ink
    from spineclock.report.training_figures import predicted

    radiographs, vfa = TESTED[0], TESTED[1]
    before = pd.read_csv(places.evaluation(vfa, before=True) / "predictions.csv")
    after = pd.read_csv(places.evaluation(vfa) / "predictions.csv")
    corrected = after["modality_corrected_age_years"]
    return ink.png(predicted({
        "radiographs": pd.read_csv(places.evaluation(radiographs) / "predictions.csv"),
        "VFA": before,
        "VFA, corrected (Beheshti)": after.assign(predicted_age_years=corrected),
    }))  # fmt: skip


def speed(places: Places, *, films: int = 12) -> pd.DataFrame:
    """Seconds a film of 3000 × 1500 pixels, 16 bit, takes: prepared, and aged with its map of attention."""
    from spineclock.core.recipe import Options
    from spineclock.core.records import Scan
    from spineclock.core.volume import Volume
    from spineclock.prep.film import FilmPreparation, prepare_film
    from spineclock.recipes.xray_age import load

    rng = np.random.default_rng(0)
    grey = (rng.random((1, 1500, 3000)) * 60000).astype(np.uint16)
    volume = Volume(grey, np.diag([1.0, 0.15, 0.15, 1.0]))
    reader = load(str(places.run), Options())
    scan = Scan("film", volume, Path("film.dcm"), "DX", age_years=60.0, film="radiograph")
    told = {
        "prepared for 1024 × 512": _seconds(lambda: prepare_film(volume, FilmPreparation(), vfa=False), films),
        "prepared for 256 × 128": _seconds(lambda: prepare_film(volume, FilmPreparation((256, 128)), vfa=False), films),
        "prepared, aged and looked into": _seconds(lambda: reader.read(scan), films),
    }
    return pd.DataFrame([{"what": what, "seconds a film": value} for what, value in told.items()])


def _seconds(call: Callable[[], object], times: int) -> float:
    call()
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return float(np.median(taken))


def _ratios(study: Path) -> pd.DataFrame:
    """The study's hazard ratios per SD: a row a model, measured and true gap side by side."""
    found = pd.read_csv(study / "tables" / "outcomes.csv")
    found = found[found["per"] == "SD"]
    found = found.assign(told=_interval(found), by=found["reliability_of"].fillna("measured gap"))
    key = ["event", "model"]
    wide = found.pivot(index=key, columns="by", values="told")
    events = found.drop_duplicates(key).set_index(key)["events"].map("{:,}".format)
    by_truth = found[found["by"] == "true gaps"].set_index(key)
    table = pd.DataFrame({"events": events, "measured gap": wide["measured gap"]})
    for source in ("repeat scans", "true gaps"):
        if source in wide:
            table[f"true gap, by {source}"] = wide[source]
    table["reliability, by true gaps"], table["truth of the true gap"] = by_truth["reliability"], by_truth["truth"]
    order = found.drop_duplicates(key).set_index(key).index
    table = table.loc[order].reset_index()
    return table.assign(event=table["event"].str.replace("_", " "))


def _areas(study: Path) -> pd.DataFrame:
    """AUROC of everyone, of either age and their difference, with intervals."""
    found = pd.read_csv(study / "tables" / "diagnosis.csv")
    found = found[found["group"] == "everyone"]
    return pd.DataFrame({
        "disease": found["disease"].str.replace("_", " "), "of": found["term"].str.replace("_", " "),
        "with": found["positives"], "without": found["negatives"], "AUROC (95% CI)": _interval(found, digits=3),
    })  # fmt: skip


def _published() -> pd.DataFrame:
    from spineclock.report.paper import published

    found = published("radiograph_hazards").copy()
    found["hazard ratio (95% CI)"] = _interval(found.rename(columns={"hazard_ratio": "estimate"}))
    wide = found.pivot(index=["images", "event"], columns="model", values="hazard ratio (95% CI)").reset_index()
    return wide.assign(event=wide["event"].str.replace("_", " "))


def _interval(found: pd.DataFrame, *, digits: int = 2) -> pd.Series[str]:
    return pd.Series([interval(row, digits=digits) for row in found.itertuples()], index=found.index)


def page(places: Places, studies: dict[str, Path], *, command: str) -> str:
    """docs/results/films.md."""
    told = json.loads((places.run / folder.DONE).read_text(encoding="utf-8"))
    found = ages(places)
    later = ("corrected", "Beheshti", "90%", "slope on", "r with", "r of")
    first = [c for c in found.columns.astype(str) if not c.startswith(later)]
    paper = pd.DataFrame(
        [{"publication": k, "n": f"{n:,}", "slope": s, "intercept": i} for k, (n, s, i) in PAPER.items()]
    )
    sets = (LEARNED, CALIBRATION, *TESTED)
    who = "; ".join(
        f"{p.name} {p.count:,} (seed {p.seed}, {p.modality}, {p.world}, from {p.least_age:g} years)" for p in sets
    )
    lines = [
        "# Spine age from films", "",
        "**All people, films, findings and outcomes here are simulated: no real person is described.** Networks of "
        "simulated films are for research on methods; what they say of a real film is not known to mean anything.", "",
        f"- Command: `{command}`", f"- People drawn: {who}. Nobody is in two sets.",
        f"- Network: {told['settings']['network']}, {CANVAS.replace(',', ' × ')} pixels, {told['epochs']} epochs, "
        f"{told['training_minutes']:.0f} minutes, ended {told['ended'][:16]}, seed {told['settings']['seed']}, "
        f"{told['scans']['train']:,} films to learn from.", "",
        "## Ages", "", markdown(found.loc[~found["films"].str.contains("before"), first]), "",
        "R² is 1 − SSE/SST; the oracle answers with each true spine age. `ageing_off`: films do not depend on age, and "
        "whatever R² above 0 there were would be a leak.", "",
        markdown(found[["films", *(c for c in found if c not in first)]], digits=3), "",
        "Corrected: Cole's line of the radiographs' validation people, of VFA images after recalibration that of the "
        "calibration people, nobody of whom is tested. Beheshti's line uses the test person's age: look at its mean "
        "error, for its MAE flatters.", "", markdown(paper),
        "", "The publication's lines are read off its scatter plots; that of VFA images is after correction.", "",
        f"{ends(places.evaluation(TESTED[0]))} The picture shows it.", "",
        "![Predicted against chronological age](../images/films.png)", "",
        "## Outcomes", "",
    ]  # fmt: skip
    for name, where in studies.items():
        lines += [f"### {TITLES[name]}", "", markdown(_ratios(where)), "",
                  markdown(_areas(where)), ""]  # fmt: skip
    lines += [
        "Hazard ratios per SD of the gap, of M1 (age, sex), M2 (and clinical factors), M3 (and osteoporosis), death "
        "ending the follow-up of fractures. True gap: the ratio of the measured one set right by its reliability given "
        "the model's covariates, from people scanned twice (what a study of real people can do; whatever is wrong with "
        "both films of a person counts as true) or from the true gaps themselves. Truth: the same model with the true "
        "gap of a million simulated people, per SD of it. Setting right assumes that the error has nothing to do with "
        "the outcome; a film shows how dense bone is, and bone density makes fractures likely beside the gap. AUROC: "
        "corrected spine age and chronological age, and their difference (DeLong).",
        "", "The publication's hazard ratios, of other people, with its own network:", "", markdown(_published()), "",
    ]  # fmt: skip
    lines += ["## Speed", "", markdown(speed(places), digits=3), "", "A film of 3000 × 1500 pixels of 16 bit, on this "
              "machine's processor, after the program has started.", ""]  # fmt: skip
    return "\n".join(lines)
