"""What a file's name and the JSON sidecar beside it (BIDS) tell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from spineclock.ingest.names import bids_person, stem, weighting_from_name
from spineclock.ingest.refs import Facts, Sex
from spineclock.ingest.weighting import weighting


def sidecar(path: Path) -> dict[str, Any]:
    """The sidecar's content; empty where there is none, with ``unreadable`` saying why where it is damaged."""
    beside = path.with_name(stem(path.name) + ".json")
    if not beside.is_file() or beside.stat().st_size > 10**7:
        return {}
    try:
        content = json.loads(beside.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        return {"unreadable": str(error)}
    return content if isinstance(content, dict) else {}


def facts(name: str, told: Mapping[str, Any]) -> Facts:
    """What a name and a sidecar's content (times in seconds) tell."""
    modality, sequence = weighting_from_name(name)
    maker = [str(told.get(k, "")) for k in ("Manufacturer", "ManufacturersModelName")]
    field = told.get("MagneticFieldStrength", "")
    sex = str(told.get("PatientSex", told.get("Sex", "")))[:1].upper()
    echo, repetition, inversion = (_milliseconds(told, f"{k}Time") for k in ("Echo", "Repetition", "Inversion"))
    description = str(told.get("SeriesDescription", ""))
    if not sequence and echo is not None and modality in ("", "MR"):
        sequence = weighting(description, echo_ms=echo, repetition_ms=repetition, inversion_ms=inversion).sequence
        modality = "MR"
    return Facts(
        modality=str(told.get("Modality", modality)).upper(),
        sequence=sequence,
        description=description,
        body_part=str(told.get("BodyPartExamined", "")),
        echo_time_ms=echo,
        repetition_time_ms=repetition,
        inversion_time_ms=inversion,
        scanner=" ".join(p for p in (*maker, f"{field} T" if field else "") if p),
        person_id=bids_person(name),
        sex=cast(Sex, sex) if sex in ("F", "M") else "",
        notes=() if told.get("unreadable") is None else (f"the JSON sidecar is damaged: {told['unreadable']}",),
    )


def _milliseconds(told: Mapping[str, Any], key: str) -> float | None:
    value = told.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value) or value <= 0:
        return None
    return float(value) * 1000.0
