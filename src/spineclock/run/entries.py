"""A scan's section of the report, from what its folder holds: so that a resumed run reports on all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from spineclock.core.records import AgePrediction, Contribution, Interval, ModelInfo
from spineclock.report.html import ReportEntry
from spineclock.run.event_outputs import event_of
from spineclock.run.outputs import diagnosis_of, quality_of


def entry(document: dict[str, Any], out: Path) -> ReportEntry:
    """The report's entry of one prediction.json and the files beside it."""
    told, model = document["input"], document["model"]
    folder = out / told["scan_id"]
    measurements = folder / "measurements.csv"
    return ReportEntry(
        scan_id=told["scan_id"], source_name=told["source"], quality=quality_of(document),
        model=ModelInfo(model["name"], model["weights_sha256"], document["statement"]),
        prediction=_prediction(document),
        measurements=pd.read_csv(measurements, keep_default_na=False, na_values={"value": [""]})
        if measurements.is_file() else None,
        overlay=_bytes(folder / "overlay.png"), attention=_bytes(folder / "attention.png"),
        contributions=_bytes(folder / "contributions.png"),
        diagnosis=diagnosis_of(document), crops=_bytes(folder / "crops.png"),
        event=event_of(document), risk=_bytes(folder / "risk.png"),
        interval=_bytes(folder / "interval.png"), age_years=told["age_years"], sex=told["sex"] or "",
        description=told.get("description", ""), folder=told["scan_id"],
    )  # fmt: skip


def _prediction(document: dict[str, Any]) -> AgePrediction | None:
    if "predicted_age_years" not in document:
        return None
    nan = float("nan")
    low, high = document["interval_years"]
    return AgePrediction(
        document["predicted_age_years"], document["corrected_age_years"],
        Interval(low, high, document["interval_coverage"]), document["gap_years"],
        document["components"],
        tuple(Contribution(c["name"], nan if c["value"] is None else c["value"], c["years"])
              for c in document["contributions"]),
    )  # fmt: skip


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
