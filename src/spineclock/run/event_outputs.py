"""What a prediction of an event leaves: its fields of prediction.json, its row of predictions.csv, its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from spineclock.core.anatomy import LEVEL_NAMES, LEVEL_NUMBERS
from spineclock.core.outcomes import EventPrediction, GradedVertebra, TimeToEvent
from spineclock.core.records import Reading, SeenCrop

NAN = float("nan")
WINDOW_HU = (-250.0, 800.0)
"""In which the sagittal slice is shown."""
LOOKED = "where it\nlooked"


def fields(told: EventPrediction) -> dict[str, Any]:
    """Fields of prediction.json; NaN where something is not known."""
    found: dict[str, Any] = {
        "event": told.words,
        "finding": told.finding,
        "fractures": [asdict(v) for v in told.fractures],
        "vertebrae": [asdict(v) for v in told.vertebrae],
        "vertebrae_shown": list(told.shown),
        "measures": dict(told.measures),
        "detection": None,
        "risk": None,
        "risk_lacking": told.lacking,
    }
    if told.called is not None:
        found["detection"] = {
            "probability": told.probability, "called": told.called, "threshold": told.threshold,
            "threshold_rule": told.rule,
        }  # fmt: skip
    if told.curve:
        found["risk"] = {
            "by_years": {f"{h:g}": told.risk_by(h) for h in told.horizons_years},
            "interval": None if told.interval is None else list(told.interval),
            "interval_coverage": told.coverage,
            "interval_meaning": "of how many people with this risk have the event by the last year, as the network's "
            "validation people tell it",
            "observed": told.observed,
            "competing": told.competing,
            "curve": [list(point) for point in told.curve],
        }
    return found


def event_of(document: Mapping[str, Any]) -> EventPrediction | None:
    """The prediction that a prediction.json holds; None where it holds none."""
    if "risk_lacking" not in document:
        return None
    detection, risk = document["detection"] or {}, document["risk"] or {}
    return EventPrediction(
        document["event"], document["finding"],
        tuple(GradedVertebra(**{**v, **{k: _number(v[k]) for k in ("loss", "trabecular_hu", "probability")}})
              for v in document["vertebrae"]),
        tuple(document["vertebrae_shown"]), _number(detection.get("probability")), _number(detection.get("threshold")),
        detection.get("threshold_rule", ""), tuple((float(y), float(p)) for y, p in risk.get("curve", ())),
        tuple(float(h) for h in risk.get("by_years", ())),
        None if risk.get("interval") is None else (risk["interval"][0], risk["interval"][1]),
        _number(risk.get("interval_coverage")), _number(risk.get("observed")), risk.get("competing", ""),
        document["risk_lacking"], {name: _number(value) for name, value in document["measures"].items()},
    )  # fmt: skip


def _number(value: float | None) -> float:
    return NAN if value is None else float(value)


def row(document: Mapping[str, Any], outcome: TimeToEvent) -> dict[str, Any]:
    """The columns of predictions.csv that are an event's own."""
    detection, risk = document.get("detection") or {}, document.get("risk") or {}
    low, high = risk.get("interval") or (None, None)
    vertebrae, measures = document.get("vertebrae", ()), document.get("measures", {})
    grades = [v["grade"] for v in vertebrae if v["grade"] is not None]
    return {
        "fractures": " ".join(f"{v['level']}:{v['grade']}{v['form'] and '-' + v['form']}"
                              for v in document.get("fractures", ())),
        "worst_genant_grade": max(grades, default=None),
        "levels": " ".join(v["level"] for v in vertebrae),
        "probability": detection.get("probability"), "called": detection.get("called"),
        "threshold": detection.get("threshold"),
        **{f"risk_{h:g}_years": risk.get("by_years", {}).get(f"{h:g}") for h in outcome.horizons_years},
        "interval_low": low, "interval_high": high,
        **{name: measures.get(name) for name in ("l1_hu", "mean_hu", "psoas_area_mm2", "psoas_hu", "erector_area_mm2",
                                                 "erector_hu", "erector_fat_share")},
    }  # fmt: skip


def line(document: Mapping[str, Any], told: EventPrediction) -> str:
    """What a person at the terminal wants to know of one scan."""
    graded = ", ".join(f"{v.level} grade {v.grade} {v.form}" for v in told.fractures) or "none"
    parts = [f"fractures measured: {graded}"]
    if told.called is not None:
        parts.append(f"probability of {told.finding} {told.probability:.2f} ({'' if told.called else 'not '}called)")
    if told.risk is not None:
        interval = "" if told.interval is None else f" ({told.interval[0]:.1%} to {told.interval[1]:.1%})"
        parts.append(f"{told.curve[-1][0]:g}-year risk {told.risk:.1%}{interval}")
    hu = told.measures.get("l1_hu", NAN)
    parts += [f"L1 {hu:.0f} HU"] if hu == hu else []
    return f"{document['input']['scan_id']}: {'; '.join(parts)} [{document['quality']['verdict']}]"


def pictures(reading: Reading) -> dict[str, bytes]:
    """The sagittal slice with names and grades, the risk by year, and what the network has seen."""
    from spineclock.report import ink
    from spineclock.report.contact_sheet import sheet_png
    from spineclock.report.overlay import overlay
    from spineclock.report.risk_figures import risk_curve

    told, scan = reading.event, reading.scan
    found: dict[str, bytes] = {}
    if told is None or scan.mask is None:
        return found
    grades = {v.level: f"{v.level}  grade {v.grade} {v.form}" if v.grade else v.level for v in told.vertebrae}
    names = {n: grades.get(level, f"{level} cut off") for n, level in LEVEL_NAMES.items() if level != "S1"}
    spine = np.where(np.isin(scan.mask.array, list(LEVEL_NUMBERS.values())), scan.mask.array, 0)
    across = np.flatnonzero(spine.any(axis=(1, 2)))
    index = int(np.median(np.nonzero(spine)[0])) if len(across) else None
    shown = scan.volume.with_array(np.clip(scan.volume.array, *WINDOW_HU))
    found["overlay"] = ink.png(overlay(shown, scan.mask.with_array(spine), names=names, index=index))
    if told.curve:
        found["risk"] = ink.png(risk_curve(told))
    if reading.crops:
        found["crops"] = sheet_png(_sheet(reading.crops))
    return found


def _sheet(crops: tuple[SeenCrop, ...]) -> Any:
    """The nine pictures, a row a stack and a column a vertebra, and below them where the network looked."""
    from spineclock.report.contact_sheet import contact_sheet

    stacks = list(dict.fromkeys(crop.stack for crop in crops))
    seen = {f"{name} third": [c for c in crops if c.stack == name] for name in stacks}
    looked = {f"{name} third,\n{LOOKED}": [c for c in crops if c.stack == name] for name in stacks}
    heat = {(row_, c.level): c.heat for row_, own in looked.items() for c in own}
    return contact_sheet({**seen, **looked}, heat=heat,
                         note="Each vertebra from above, front at the top. Grad-CAM, each picture by its own scale: "
                         "coarse, and no proof of a cause.")  # fmt: skip
