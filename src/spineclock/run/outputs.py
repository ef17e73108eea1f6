"""What a prediction leaves on disk: one folder a scan, and what is said of the run as a whole."""

from __future__ import annotations

import json
import math
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spineclock.core.errors import UsageError
from spineclock.core.outcomes import Age, Diagnosis, DiagnosisPrediction, LevelProbability, Outcome, TimeToEvent
from spineclock.core.records import AgePrediction, Failure, Quality, Reading
from spineclock.core.volume import Mask
from spineclock.ingest.names import short_hash
from spineclock.run import event_outputs

SCHEMA = "spineclock.prediction/1"
AGE = Age()
FILES = (
    "prediction.json", "measurements.csv", "overlay.png", "contributions.png", "interval.png", "attention.png",
    "crops.png", "risk.png",
)  # fmt: skip
"""All that a scan's folder may hold of ours; what else lies there is the user's."""
LISTED = ("spineclock", "numpy", "SimpleITK", "openvino", "torch")


def prediction_document(
    reading: Reading, *, recipe: str, seconds: float, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """prediction.json as plain data: input, recipe, quality and model, then what the recipe answers; NaN is null."""
    scan = reading.scan
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "statement": reading.model.statement,
        "input": {
            "scan_id": scan.scan_id, "source": scan.source.name,
            "source_id": source_id(scan.source), "person_id": scan.person_id,
            "modality": scan.modality, "sequence": scan.sequence, "description": scan.description,
            "scanner": scan.scanner, "shape": list(scan.volume.shape),
            "spacing_mm": [round(s, 4) for s in scan.volume.spacing_mm],
            "age_years": scan.age_years, "sex": scan.sex or None,
        },
        "recipe": recipe,
        "quality": {"verdict": reading.quality.verdict, "reasons": list(reading.quality.reasons)},
        "model": {"name": reading.model.name, "weights_sha256": reading.model.weights_sha256, "versions": versions()},
        "settings": dict(settings),
        "seconds": round(seconds, 2),
        "segmentation": reading.found,
    }  # fmt: skip
    document |= _age_told(reading.prediction) if reading.prediction is not None else {}
    document |= _diagnosis_told(reading.diagnosis) if reading.diagnosis is not None else {}
    document |= event_outputs.fields(reading.event) if reading.event is not None else {}
    rounded: dict[str, Any] = plain(document)
    return rounded


def _age_told(prediction: AgePrediction) -> dict[str, Any]:
    """An age's fields of prediction.json."""
    return {
        "predicted_age_years": prediction.predicted_age_years,
        "corrected_age_years": prediction.corrected_age_years,
        "interval_years": [prediction.interval.low_years, prediction.interval.high_years],
        "interval_coverage": prediction.interval.coverage,
        "interval_meaning": "covers the chronological age of people typical for their age, not a true spine age",
        "gap_years": prediction.gap_years,
        "components": prediction.components,
        "predicted_sd_years": prediction.predicted_sd_years,
        "contributions": [asdict(c) for c in prediction.contributions],
    }


def _diagnosis_told(told: DiagnosisPrediction) -> dict[str, Any]:
    """A diagnosis' fields of prediction.json."""
    return {
        "disease": told.name,
        "probability": told.probability,
        "probability_meaning": "of having it at the time of the scan, among people of whom the share `prevalence` has",
        "prevalence": told.prevalence,
        "called": told.called,
        "threshold": told.threshold,
        "threshold_rule": told.rule,
        "thresholds": dict(told.thresholds),
        "pooling": told.pooling,
        "vertebrae": [asdict(level) for level in told.levels],
        "vertebrae_missing": dict(told.missing),
        "bone_quality": dict(told.scores),
    }


def diagnosis_of(document: Mapping[str, Any]) -> DiagnosisPrediction | None:
    """The diagnosis that a prediction.json holds; None where it holds none."""
    if "disease" not in document:
        return None
    nan = float("nan")
    return DiagnosisPrediction(
        document["disease"], document["probability"], document["threshold"], document["threshold_rule"],
        tuple(LevelProbability(v["level"], v["probability"]) for v in document["vertebrae"]),
        document["vertebrae_missing"], document["pooling"], document["input"]["sequence"], document["thresholds"],
        nan if document["prevalence"] is None else document["prevalence"],
        {name: nan if value is None else value for name, value in document["bone_quality"].items()},
        document.get("components", {}),
    )  # fmt: skip


def source_id(source: Path) -> str:
    """A short hash of where a scan lies: tells namesakes apart without giving folders' names away."""
    return short_hash(source.resolve().as_posix(), 12)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages whose arithmetic the result rests on."""
    return {"python": platform.python_version(), **{name: version(name) for name in LISTED}}


def write_reading(reading: Reading, folder: Path, *, document: Mapping[str, Any]) -> None:
    """Writes a scan's folder; prediction.json last, as the mark that all is there."""
    from spineclock.report import ink

    folder.mkdir(parents=True, exist_ok=True)
    withdraw(folder)
    for name, picture in _pictures(reading).items():
        (folder / f"{name}.png").write_bytes(picture)
    if reading.diagnosis is not None and reading.crops:
        (folder / "crops.png").write_bytes(_sheet(reading))
    if reading.heat is not None:
        (folder / "attention.png").write_bytes(ink.png(_attention(reading)))
    if reading.measurements is not None:
        reading.measurements.to_csv(folder / "measurements.csv", index=False, float_format="%.6g")
    write_json(folder / "prediction.json", document)


def withdraw(folder: Path) -> None:
    """Removes what an earlier run left in a scan's folder, the prediction.json first; nothing else is touched."""
    for name in FILES:
        (folder / name).unlink(missing_ok=True)


def read_document(folder: Path) -> dict[str, Any] | None:
    """The prediction.json of a finished scan, or None where there is none that can be read."""
    try:
        document = json.loads((folder / "prediction.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) and document.get("schema") == SCHEMA else None


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes plain data as JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_run(
    out: Path,
    *,
    failures: Sequence[Failure],
    documents: Sequence[Mapping[str, Any]],
    not_taken: Sequence[tuple[str, str, str]],
    settings: Mapping[str, Any],
    begun: datetime,
    outcome: Outcome = AGE,
) -> None:
    """Writes run.json, failures.csv and predictions.csv (a row a scan) of a whole run.

    ``not_taken`` holds input, series and reason of what lay beside the scans.
    """
    rows = [_row(d, outcome) for d in documents]
    pd.DataFrame(rows, columns=list(_row({}, outcome))).to_csv(
        out / "predictions.csv", index=False, float_format="%.4f"
    )
    pd.DataFrame([asdict(f) for f in failures], columns=["input", "stage", "reason"]).to_csv(
        out / "failures.csv", index=False
    )
    run = {
        "schema": "spineclock.run/1", "command": command(), "begun": begun.isoformat(timespec="seconds"),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"), "versions": versions(), "settings": dict(settings),
        "scans": sum("scan_ids" not in d["input"] for d in documents), "failures": len(failures),
        "weights_sha256": documents[0]["model"]["weights_sha256"] if documents else {},
        "not_taken": [{"input": i, "series": series, "reason": why} for i, series, why in not_taken],
    }  # fmt: skip
    write_json(out / "run.json", plain(run))


def require_room(out: Path, *, mark: str, what: str, overwrite: bool) -> None:
    """Refuses a folder for results that is a file, or that holds earlier ones (the file ``mark``) not to be replaced.

    Raises
    ------
    UsageError
        If so.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file", wanted="a folder for the results")
    if (out / mark).exists() and not overwrite:
        raise UsageError(f"{out} holds {what}", wanted="an empty folder", remedy="--overwrite, or another --out")


def command() -> str:
    """The command line as it was called, the program by its name alone."""
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])


def _row(document: Mapping[str, Any], outcome: Outcome) -> dict[str, Any]:
    told, quality = document.get("input", {}), document.get("quality", {})
    first = {name: told.get(name) for name in ("scan_id", "person_id", "source", "age_years", "sex")}
    last = {
        "verdict": quality.get("verdict"), "reasons": " | ".join(quality.get("reasons", ())),
        "model": document.get("model", {}).get("name"),
    }  # fmt: skip
    match outcome:
        case Age():
            low, high = document.get("interval_years", (None, None))
            return first | {
                "predicted_age_years": document.get("predicted_age_years"),
                "corrected_age_years": document.get("corrected_age_years"), "interval_low_years": low,
                "interval_high_years": high, "gap_years": document.get("gap_years"),
            } | last  # fmt: skip
        case Diagnosis():
            own = ("disease", "probability", "called", "threshold")
            said = {v["level"]: v["probability"] for v in document.get("vertebrae", ())}
            vertebrae = " ".join(f"{level} {p:.3f}" for level, p in said.items())
            return first | {"sequence": told.get("sequence")} | {name: document.get(name) for name in own} | {
                "vertebrae": vertebrae, "vbq": document.get("bone_quality", {}).get("vbq"),
            } | last  # fmt: skip
        case TimeToEvent():
            return first | event_outputs.row(document, outcome) | last


def _pictures(reading: Reading) -> dict[str, bytes]:
    from spineclock.report import figures, ink
    from spineclock.report.overlay import film, overlay

    if reading.event is not None:
        return event_outputs.pictures(reading)
    pictures = {}
    if reading.scan.mask is not None:
        pictures["overlay"] = ink.png(overlay(reading.scan.volume, reading.scan.mask))
    elif reading.scan.volume.shape[0] == 1 and reading.scan.volume.array.any():  # nothing of what was not read
        pictures["overlay"] = ink.png(film(reading.scan.volume))
    if reading.prediction is not None:
        if reading.prediction.contributions:
            pictures["contributions"] = ink.png(figures.contributions(reading.prediction))
        pictures["interval"] = ink.png(figures.interval(reading.prediction, age_years=reading.scan.age_years))
    return pictures


def _sheet(reading: Reading) -> bytes:
    """The vertebrae as the network saw them, and where it looked."""
    from spineclock.report.contact_sheet import contact_sheet, sheet_png

    told = reading.diagnosis
    said = {} if told is None else {level.level: f"{level.probability:.2f}" for level in told.levels}
    missing = {} if told is None else dict(told.missing)
    seen, looked = "as read", "where it\nlooked"
    figure = contact_sheet(
        {seen: reading.crops, looked: reading.crops},
        heat={(looked, crop.level): crop.heat for crop in reading.crops},
        captions={(seen, level): f"probability {p}" for level, p in said.items()},
        missing={(row, level): why for row in (seen, looked) for level, why in missing.items()},
        note="Grad-CAM: what speaks for the disease, clear where nothing does; coarse, and no proof of a cause.",
    )
    return sheet_png(figure)


def _attention(reading: Reading) -> Any:
    from spineclock.report import figures
    from spineclock.report.overlay import slice_picture

    assert reading.heat is not None
    volume = reading.scan.volume
    mask = reading.scan.mask or Mask(np.zeros(volume.shape, np.uint8), volume.affine)
    scan = slice_picture(volume, mask)
    heat = slice_picture(reading.heat, mask, index=scan.index)
    title = "Where the network looked (Grad-CAM)"
    return figures.heat(scan.samples, heat.samples, spacing_mm=scan.spacing_mm, title=title)


def plain(value: Any) -> Any:
    """Data that JSON can hold: numbers rounded to what they are good for, NaN as None."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value


def quality_of(document: Mapping[str, Any]) -> Quality:
    """The verdict a prediction.json holds."""
    return Quality(document["quality"]["verdict"], tuple(document["quality"]["reasons"]))
