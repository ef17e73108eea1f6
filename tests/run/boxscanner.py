"""A scanner that draws boxes in place of spines, quickly: what is tested is what becomes of its series."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import numpy as np

from spineclock.core.anatomy import ARCH, BODY, DISC, LEVEL_NUMBERS, Structure
from spineclock.core.volume import Mask, Volume
from spineclock.phantom.anatomy.traits import Traits
from spineclock.phantom.series import Series

FACTS = {
    "Manufacturer": "Simulated", "ManufacturersModelName": "One", "StationName": "MR1", "MRAcquisitionType": "2D",
    "MagneticFieldStrength": 1.5, "SliceThickness": 3.6, "SpacingBetweenSlices": 4.0, "FlipAngle": 150,
    "EchoTrainLength": 16, "BodyPartExamined": "SPINE", "SimulatedArtefacts": ["ghosts"],
}  # fmt: skip
TIMES = {"T2w": (3.5, 0.1), "T1w": (0.6, 0.01)}


@dataclass(frozen=True)
class Request:
    coverage: str
    weightings: tuple[str, ...]
    slices: str
    grid_shape: tuple[int, int, int] | None
    world: str = "default"


def acquire(person: Traits, request: Request, *, seed: int) -> tuple[Series, ...]:
    time.sleep(float(os.environ.get("BOX_SECONDS", "0")))
    if person.scan_id in os.environ.get("BOX_FAILS", "").split(","):
        raise ValueError("no spine in the coil")
    stations = ("cervical", "thoracic", "lumbar") if request.coverage == "stations" else ("",)
    return tuple(
        _series(person, weighting, station, k, request, seed)
        for weighting in request.weightings
        for k, station in enumerate(stations)
    )


def _series(person, weighting, station, k, request, seed) -> Series:
    rng = person.stream(seed, f"noise {weighting} {station}")
    count, rows, columns = request.grid_shape or (5, 40, 20)
    shape = (count, columns, rows)
    labels = np.zeros(shape, np.uint16)
    labels[1:4, 2:6], labels[1:4, 8], labels[1:4, 9:11] = BODY + LEVEL_NUMBERS["L4"], Structure.CORD, Structure.CSF
    labels[1:4, 2:6, : rows // 2], labels[1:4, 14:16] = BODY + LEVEL_NUMBERS["L5"], ARCH + LEVEL_NUMBERS["L4"]
    labels[1:4, 2:6, rows // 2] = DISC + LEVEL_NUMBERS["L4"]
    image = (labels.astype(float) + 40 + rng.normal(0, 10, shape)).clip(0).astype(np.int16)
    affine = np.diag([4.0, 1.1, 0.9, 1.0])
    affine[:3, 3] = (-8.25, -11.5, -40.125 - 30 * k)
    repetition, echo = TIMES[weighting]
    facts = FACTS | {"RepetitionTime": repetition, "EchoTime": echo, "SeriesDescription": f"{weighting} sag {station}"}
    return Series(weighting, station, Volume(image, affine), Mask(labels, affine), facts)
