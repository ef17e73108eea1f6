"""The phantom's CT scanner: from what is known of a person to axial slices in HU with their true label map."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from spineclock.core.volume import Array, Mask, Volume
from spineclock.phantom.anatomy.body import anatomy_of
from spineclock.phantom.anatomy.forms import Anatomy
from spineclock.phantom.anatomy.traits import Traits
from spineclock.phantom.ct.acquire import Exposure, reconstructed, tilted, upright
from spineclock.phantom.ct.flesh import ROWS
from spineclock.phantom.ct.paint import Trunk, painted, trunk_of
from spineclock.phantom.ct.style import (
    GRID_WIDE_MM,
    KERNEL_NAMES,
    KERNELS,
    MODELS,
    UPPERMOST,
    Kernel,
    Machine,
    Phase,
    Request,
    machine_of,
    ranges,
    response,
)
from spineclock.phantom.ct.tissue import tissues
from spineclock.phantom.mri.paint import Grid
from spineclock.phantom.series import Series

__all__ = ["Request", "acquire"]
MATRIX = 512


def acquire(person: Traits, request: Request, *, seed: int) -> tuple[Series, ...]:
    """One person's CT as one series; a pure function.

    Image (HU, int16) and label map are canonical (RAS+) but for the lean of a tilted gantry. Anatomy, mineral and
    muscle are the person's, at all scans the same but for ageing and findings; position, phase, kernel, noise and what
    bowel holds are the scan's; tube voltage, dose, sharpness and calibration the scanner's.

    Examples
    --------
    >>> from spineclock.phantom.people import people
    >>> from spineclock.phantom.anatomy.traits import traits_of
    >>> scan, = acquire(traits_of(people(1, seed=1))[0], Request(grid_shape=(24, 32, 56)), seed=1)
    >>> scan.volume.shape, str(scan.volume.array.dtype), scan.facts["Modality"], scan.weighting
    ((56, 32, 24), 'int16', 'CT', 'ct')
    """
    spine = anatomy_of(person, seed=seed, world=request.world)
    machine, told = machine_of(person.scanner, person.maker, request.world), ranges(request.world)
    draw = person.stream(seed, "ct protocol").random(2)
    phase: Phase = request.phase or ("portal_venous" if draw[0] < told.venous_share else "native")
    kernel: Kernel = request.kernel or ("bone" if draw[1] < told.bone_kernel_share else "soft")
    tissue = tissues(person, spine, told.bone, phase=phase, machine=machine, seed=seed)
    made = trunk_of(person, spine, tissue, seed=seed)
    grid = _field(spine, made, request, machine, person.stream(seed, "position ct"))
    source = upright(grid, request.tilt_deg) if request.tilt_deg else grid
    hu, labels = painted(person, spine, tissue, made, source, seed=seed)
    if request.tilt_deg:
        hu, labels = tilted(hu, labels, source, grid, request.tilt_deg)
    exposure = _exposure(made, spine, grid, kernel, machine, request)
    samples = reconstructed(hu, grid, exposure, person.stream(seed, "noise ct"))
    affine = _affine(grid, request.tilt_deg)
    facts = _facts(person, request, grid, machine, exposure, kernel, phase)
    facts["SimulatedTrabecularHU"] = {
        name: round(value, 1) for name, value in tissue.trabecular_hu.items() if name[0] in "TL"
    }
    return (Series("ct", "", Volume(samples, affine), Mask(labels, affine), facts),)


def _field(spine: Anatomy, made: Trunk, request: Request, machine: Machine, rng: np.random.Generator) -> Grid:
    """The field of view: from S1 to the highest vertebra asked for, and across."""
    at = {name: body for name, body in zip(spine.names, spine.bodies, strict=True)}
    aside, ahead, up, wide = rng.normal(0, 4), rng.normal(0, 4), rng.uniform(0, 10), rng.random()
    top = at[UPPERMOST[request.coverage]]
    high = float(top["centre"][2] + top["height"] / 2) + 9 + 0.4 * float(up)
    low = float(at["S1"]["centre"][2] - at["S1"]["height"] / 2) - 4 - 0.4 * float(up) - request.below_mm
    z = spine.course_from_mm + np.arange(len(spine.course))
    seen = spine.course[(z >= low) & (z <= high)]
    x = made.middle_mm + float(aside)
    spinal = (float(seen["fascia"].min()) + float(seen["front"].max()) + 8) / 2 + 0.5 * float(ahead)
    if request.grid_shape is not None:
        slices, rows, columns = request.grid_shape
        step = (GRID_WIDE_MM / columns, GRID_WIDE_MM / columns, (high - low) / slices)
        return _centred((columns, rows, slices), step, (x, spinal, (low + high) / 2))
    slice_mm = request.slice_mm or machine.slice_mm
    rows_ = made.rows[:, (z >= low) & (z <= high)]
    back, front = rows_[ROWS.index("skin")], rows_[ROWS.index("front")] + rows_[ROWS.index("deep")]
    if request.coverage == "abdomen":
        size = max(2 * float(rows_[-1].max()), float((front - back).max())) + 15 + 45 * float(wide)
        y = (float(np.median(back)) + float(np.median(front))) / 2 + float(ahead)
    else:
        size, y = 220 + 40 * float(wide), spinal + 15
    pixel = request.pixel_mm or max(0.4, size / MATRIX)
    count = max(16, round(size / pixel))
    slices = max(8, math.ceil((high - low) / slice_mm))
    return _centred((count, count, slices), (pixel, pixel, slice_mm), (x, y, (low + high) / 2))


def _centred(shape: tuple[int, int, int], step: tuple[float, float, float], middle: tuple[float, float, float]) -> Grid:
    x, y, z = (m - s * (n - 1) / 2 for m, s, n in zip(middle, step, shape, strict=True))
    return Grid(shape, step, (x, y, z))


def _exposure(
    made: Trunk, spine: Anatomy, grid: Grid, kernel: Kernel, machine: Machine, request: Request
) -> Exposure:  # fmt: skip
    z = spine.course_from_mm + np.arange(made.rows.shape[1])
    seen = made.rows[:, np.abs(z - spine.lumbar_mm) < 60]
    back, front = seen[ROWS.index("skin")].mean(), (seen[ROWS.index("front")] + seen[ROWS.index("deep")]).mean()
    girth = 2 * math.sqrt(float(seen[-1].mean()) * float(front - back) / 2)
    middle = made.middle_mm, float(back + front) / 2
    return Exposure(machine, response(kernel, machine), grid.step_mm[2], girth, middle, request.beam_hardening)


def _affine(grid: Grid, tilt_deg: float) -> Array:
    """Voxel index to mm; rows of a tilted gantry's slices rise to the front, and slices lie above one another."""
    affine = np.diag([*grid.step_mm, 1.0])
    tilt = math.radians(tilt_deg)
    affine[1:3, 1] = grid.step_mm[1] * math.cos(tilt), grid.step_mm[1] * math.sin(tilt)
    affine[:3, 3] = grid.origin_mm
    return affine


def _facts(
    person: Traits, request: Request, grid: Grid, machine: Machine, exposure: Exposure, kernel: Kernel, phase: Phase
) -> dict[str, Any]:
    names = KERNEL_NAMES.get(machine.maker, KERNELS)
    venous = phase == "portal_venous"
    return {
        "Modality": "CT",
        "Manufacturer": machine.maker,
        "ManufacturersModelName": MODELS.get(machine.maker, "simulated"),
        "StationName": f"{person.scanner}-ct",
        "InstitutionName": person.site,
        "SeriesDescription": f"{request.coverage} {phase.replace('_', ' ')} {grid.step_mm[2]:.3g} mm (simulated)",
        "BodyPartExamined": "ABDOMEN" if request.coverage == "abdomen" else "SPINE",
        "KVP": machine.kilovolts,
        "XRayTubeCurrent": round(180 * (12.0 / machine.noise_hu) ** 2),
        "ConvolutionKernel": names[KERNELS.index(kernel)],
        "SimulatedKernel": kernel,
        "SimulatedNoiseHU": round(exposure.noise_hu, 2),
        "ContrastBolusAgent": "iodine" if venous else "",
        "ContrastPhase": phase,
        "SliceThickness": round(grid.step_mm[2], 3),
        "SpacingBetweenSlices": round(grid.step_mm[2], 3),
        "ReconstructionDiameter": round(max(grid.shape[0] * grid.step_mm[0], grid.shape[1] * grid.step_mm[1]), 1),
        "GantryDetectorTilt": float(request.tilt_deg),
        "PatientPosition": "HFS",
        "SimulatedArtefacts": ["beam hardening"] if request.beam_hardening else [],
    }
