"""``spineclock selftest``: does this installation give the answers recorded with it?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from spineclock import recipes
from spineclock.core.recipe import Options
from spineclock.core.records import Reading, Scan
from spineclock.nets.weights import packaged
from spineclock.phantom.lumbar import lumbar_scan
from spineclock.segment.instances import semantic

GOLDEN = "selftest.json"
PERSON: dict[str, Any] = {"age_years": 60.0, "sex": "F", "seed": 7}
TOLERANCE_YEARS = 0.5
"""Between machines: libraries round differently, and an outline's voxel or two may fall to the other side."""
TOLERANCE_MM = 0.1
TOLERANCE_DICE = 0.005


def reading() -> Reading:
    """What the packaged weights make of the artificial person."""
    phantom = lumbar_scan(**PERSON)
    scan = Scan("phantom", phantom.volume, Path("phantom"), modality="MR", sequence="T2w", sex=PERSON["sex"])
    return recipes.get("mri-age").load("default", Options()).read(scan)


def outcome(read: Reading) -> dict[str, Any]:
    """The figures that are held against the recorded ones."""
    assert read.prediction is not None
    assert read.measurements is not None
    assert read.scan.mask is not None
    discs = read.measurements.query("structure == 'disc' and name == 'height_mm' and complete")
    return {
        "weights_sha256": read.model.weights_sha256,
        "vertebrae": read.found["vertebrae"],
        "dice": _dice(read),
        "disc_heights_mm": dict(zip(discs["level"], discs["value"].round(3).tolist(), strict=True)),
        "predicted_age_years": round(read.prediction.predicted_age_years, 3),
    }


def selftest() -> int:
    """Checks outlines, heights and age of an artificial (simulated) person; prints each check; 0 if all hold."""
    golden = json.loads(packaged(GOLDEN).read_text(encoding="utf-8"))
    read = reading()
    if read.prediction is None:
        print(f"FAILED the artificial scan was refused: {'; '.join(read.quality.reasons)}")
        return 1
    found = outcome(read)
    heights, wanted = found["disc_heights_mm"], golden["disc_heights_mm"]
    checks = {
        "weights are those recorded": found["weights_sha256"] == golden["weights_sha256"],
        f"vertebrae {', '.join(golden['vertebrae'])}": found["vertebrae"] == golden["vertebrae"],
        f"outlines agree with the phantom as recorded (± {TOLERANCE_DICE})": all(
            abs(found["dice"][name] - golden["dice"][name]) <= TOLERANCE_DICE for name in golden["dice"]
        ),
        f"disc heights (± {TOLERANCE_MM} mm)": heights.keys() == wanted.keys()
        and all(abs(heights[level] - wanted[level]) <= TOLERANCE_MM for level in wanted),
        f"age {golden['predicted_age_years']:.1f} (± {TOLERANCE_YEARS} years)": abs(
            found["predicted_age_years"] - golden["predicted_age_years"]
        )
        <= TOLERANCE_YEARS,
    }
    for check, holds in checks.items():
        print(f"{'ok    ' if holds else 'FAILED'} {check}")
    return 0 if all(checks.values()) else 1


def _dice(read: Reading) -> dict[str, float]:
    """Overlap of the outlines with the phantom's truth."""
    truth = semantic(lumbar_scan(**PERSON).labels).array
    mask = read.scan.mask
    assert mask is not None
    found = semantic(mask).array
    return {
        name: round(float(2 * np.sum((found == c) & (truth == c)) / np.sum((found == c).astype(int) + (truth == c))), 4)
        for c, name in ((1, "disc"), (2, "vertebra"), (3, "canal"))
    }
