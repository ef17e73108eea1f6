"""The phantom's radiography: from what is known of a person to a lateral film with its true label map."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from spineclock.core.anatomy import LEVEL_NUMBERS
from spineclock.core.volume import Mask, Volume
from spineclock.phantom.anatomy.body import anatomy_of
from spineclock.phantom.anatomy.forms import Anatomy
from spineclock.phantom.anatomy.traits import Traits
from spineclock.phantom.mri.ground import chance
from spineclock.phantom.radiograph import beside
from spineclock.phantom.radiograph.beam import Beam, Floats
from spineclock.phantom.radiograph.bones import Labels, label_discs, project_blocks, project_bodies
from spineclock.phantom.radiograph.film import developed, drawn_layout, stored
from spineclock.phantom.radiograph.flesh import (
    diaphragm,
    gas_pockets,
    on_rows,
    project_flesh,
    project_gas,
    trunk,
    vacuum_pockets,
)
from spineclock.phantom.radiograph.style import (
    FILM_PIXEL_MM,
    VFA_PIXEL_MM,
    Detector,
    Ranges,
    Request,
    bone,
    detector_of,
    ranges,
)
from spineclock.phantom.radiograph.tissue import (
    MINERAL_EXCESS,
    arch_densities,
    densities,
    shell_factor,
    trabecular_mg_cm3,
)
from spineclock.phantom.series import Series

__all__ = ["Request", "acquire"]
_SACRUM = LEVEL_NUMBERS["S1"]


@dataclass(frozen=True)
class _Field:
    """What one film shows: its size on the detector and the place of the body in its middle, in mm."""

    part: str
    wide_mm: float
    tall_mm: float
    middle_y: float
    middle_z: float


def acquire(person: Traits, request: Request, *, seed: int) -> tuple[Series, ...]:
    """One person's lateral film as a volume of depth 1; a pure function.

    Image and label map are canonical (RAS+), whichever way the person faces on the film as it is looked at
    (``PatientOrientation``); the affine is in mm at the detector (a densitometer's: at the spine). Anatomy is the
    person's, at all scans the same but for ageing and findings; position, gas, field and noise are the scan's.

    Examples
    --------
    >>> from spineclock.phantom.people import people
    >>> from spineclock.phantom.anatomy.traits import traits_of
    >>> film, = acquire(traits_of(people(1, seed=1))[0], Request(grid_shape=(128, 64)), seed=1)
    >>> film.volume.shape, str(film.volume.array.dtype), film.facts["FilmKind"], film.weighting
    ((1, 64, 128), 'int16', 'radiograph', 'xray')
    """
    spine = anatomy_of(person, seed=seed, world=request.world)
    machine = detector_of(person.scanner, person.maker, request.world, request.modality)
    told = ranges(request.world, request.modality)
    rng = person.stream(seed, f"position {request.modality}")
    beam, field = _exposure(person, spine, request, machine, told, rng)
    depth, thickness, labels = optical_depth(person, spine, beam, request, seed=seed, contrast=machine.contrast)
    pixel = beam.pixel_mm
    shown = developed(depth, thickness, (labels > 200) & (labels < 300), pixel, machine,
                      person.stream(seed, f"noise {request.modality}"))  # fmt: skip
    flipped = bool(rng.random() < 0.6)
    side = "L" if beam.focus_mm[0] > beam.detector_mm else "R"
    layout = drawn_layout(told, (beam.shape[0] * pixel, beam.shape[1] * pixel), side, rng)
    samples, seen = stored(shown, layout, machine, pixel, flipped=flipped)
    labels[~seen] = 0
    facts = _facts(person, request, beam, field, machine)
    facts |= {"PatientOrientation": ["P", "F"] if flipped else ["A", "F"],
              "BurnedInAnnotation": "YES" if layout.marker else "NO",
              "SimulatedCollimation": any(layout.edges_mm)}  # fmt: skip
    return (_series(samples, labels, beam, request, facts),)


def optical_depth(
    person: Traits, spine: Anatomy, beam: Beam, request: Request, *, seed: int, contrast: float = 1.0
) -> tuple[Floats, Floats, Labels]:
    """Line integrals of attenuation, the trunk's thickness in mm on each ray, and labels; all of ``beam.shape``.

    Bone's excess attenuation is multiplied by ``contrast``.
    """
    rays, told = beam.rays(), bone(request.world)
    depth, near = np.zeros(beam.shape, np.float32), np.full(beam.shape, 99.0, np.float32)
    labels = np.zeros(beam.shape, np.uint16)
    visit = person.stream(seed, f"inside {request.modality}")
    grain = chance(person.stream(seed, "grain", of_person=True), 0.6)
    mineral = MINERAL_EXCESS * trabecular_mg_cm3(person, told, seed=seed)
    thick = shell_factor(person, told)
    project_bodies(rays, spine.bodies, densities(person, spine, told, seed=seed), grain, depth, near, labels)
    label_discs(rays, spine.discs, spine.bodies, labels)
    project_blocks(rays, spine.blocks, spine.bodies, arch_densities(person, spine, told, seed=seed), 0.3 + 0.5 * thick,
                   depth, labels, _SACRUM)  # fmt: skip
    rows = trunk(person, spine)
    half, flat = beside.RIB_MM
    for rib in beside.ribs(spine, rows):
        beside.project_curve(rays, rib, half, flat, 0.75 * thick, 0.8 * mineral, 1.9, depth)
    for plaque in beside.aortic_plaques(person, spine, seed):
        beside.project_curve(rays, plaque, 1.1, 3.2, 9.0, 0.0, 1.0, depth)
    wing = spine.bodies[spine.names.index("L5")]["centre"]
    for side in (-1, 1):
        beside.project_iliac_wing(rays, float(wing[0]) + side * 82.0, float(wing[1]) + 12.0, float(wing[2]) - 66.0,
                                  88.0, 76.0, 0.8 * mineral, depth)  # fmt: skip
    depth *= np.float32(contrast)
    thickness = np.zeros(beam.shape, np.float32)
    clouds = chance(visit, 1.3)
    shoulder = float(spine.bodies[spine.names.index("T1")]["centre"][2]) - 6.0
    at_rows = on_rows(rays, rows, spine.course_from_mm)
    project_flesh(rays, at_rows, diaphragm(spine, visit), shoulder, clouds, depth, thickness)
    project_gas(rays, gas_pockets(spine, visit), clouds, depth)
    project_gas(rays, vacuum_pockets(person, spine, seed), clouds, depth)
    depth[thickness == 0] = 0.0
    return depth, thickness, labels


def _exposure(
    person: Traits, spine: Anatomy, request: Request, machine: Detector, told: Ranges, rng: np.random.Generator
) -> tuple[Beam, _Field]:
    """The beam of one film, and what it is aimed at."""
    x = float(np.median(spine.course["x"][np.abs(_heights(spine) - spine.lumbar_mm) < 200]))
    rows = trunk(person, spine)
    to_detector = float(np.median(rows[-1])) + float(rng.uniform(35, 75))
    way = -1.0 if rng.random() < told.right_share else 1.0
    turn, lean = rng.normal(0, 0.035), rng.normal(0, 0.018)
    drawn = float(rng.uniform(*(VFA_PIXEL_MM if request.modality == "vfa" else FILM_PIXEL_MM)))
    if request.modality == "vfa":  # its maps are calibrated to the plane of the spine
        focus, detector = x + way * (machine.focus_mm - to_detector), x
    else:
        focus, detector = x + way * (machine.focus_mm - to_detector), x - way * to_detector
    scale = abs(focus - detector) / abs(focus - x)
    field = _field(spine, request, told, scale, rng)
    pixel = request.pixel_mm or drawn
    if request.grid_shape is not None:
        rows_, columns = request.grid_shape
        pixel = max(field.tall_mm / rows_, field.wide_mm / columns)
    shape = (max(16, math.floor(field.wide_mm / pixel + 1e-6)), max(16, math.floor(field.tall_mm / pixel + 1e-6)))
    aim_y, aim_z = field.middle_y + rng.uniform(-20, 20), field.middle_z + rng.uniform(-15, 15)
    fan = request.modality == "vfa"
    centre_y = aim_y + (field.middle_y - aim_y) * scale
    centre_z = field.middle_z if fan else aim_z + (field.middle_z - aim_z) * scale
    origin = (centre_y - pixel * (shape[0] - 1) / 2, centre_z - pixel * (shape[1] - 1) / 2)
    beam = Beam(shape, pixel, origin, (focus, float(aim_y), float(aim_z)), detector, x, fan=fan, turn=float(turn),
                lean=float(lean))  # fmt: skip
    return beam, field


def _heights(spine: Anatomy) -> Any:
    return spine.course_from_mm + np.arange(len(spine.course))


def _field(
    spine: Anatomy, request: Request, told: Ranges, scale: float, rng: np.random.Generator
) -> _Field:  # fmt: skip
    """Sizes come from what films are made in, whoever is on them; only their place follows the spine."""
    kind, form = rng.random(2)
    a, b, ahead, up = rng.random(4)
    z = _heights(spine)
    if request.modality == "vfa":
        tall, wide = 365 + 50 * a, 125 + 45 * b
        at = float(spine.bodies[spine.names.index("L5")]["centre"][2]) - 14 + 22 * up + tall / 2
        part = "vfa"
    elif kind < told.thoracolumbar_share:
        tall = 470 + 65 * a
        wide = tall * (0.46 + 0.12 * b)
        at, part = -64 + 26 * up + tall / (2 * scale), "thoracolumbar"
    elif form < told.landscape_share:
        tall, wide, part = 300 + 54 * a, 354 + 76 * b, "lumbar"
        at = spine.lumbar_mm + 30 * (up - 0.3)
    else:
        tall, part = 330 + 100 * a, "lumbar"
        wide = tall * (0.46 + 0.3 * b)
        at = spine.lumbar_mm + 40 * (up - 0.2)
    seen = np.abs(z - at) < 0.45 * tall / scale
    y = spine.course["front"][seen]
    middle = (float(y.min()) + float(y.max())) / 2 + (-12 if part == "vfa" else -2) + 24 * (ahead - 0.5)
    return _Field(part, wide, tall, middle, at)


def _series(samples: Any, labels: Labels, beam: Beam, request: Request, facts: dict[str, Any]) -> Series:
    """The film with its affine, fitted into a grid where one is asked for."""
    origin = np.array(beam.origin_mm)
    if request.grid_shape is not None:
        rows, columns = request.grid_shape
        before = np.array([columns - samples.shape[0], rows - samples.shape[1]]) // 2
        space = [(int(b), int(n - s - b)) for b, n, s in zip(before, (columns, rows), samples.shape, strict=True)]
        samples, labels = np.pad(samples, space), np.pad(labels, space)
        origin = origin - before * beam.pixel_mm
    affine = np.diag([1.0, beam.pixel_mm, beam.pixel_mm, 1.0])
    affine[:3, 3] = (beam.middle_mm, *origin)
    return Series("xray", "", Volume(samples[None], affine), Mask(labels[None], affine), facts)


def _facts(person: Traits, request: Request, beam: Beam, field: _Field, machine: Detector) -> dict[str, Any]:
    vfa = request.modality == "vfa"
    part = {"vfa": "DXA VFA lateral", "lumbar": "lumbar spine lateral", "thoracolumbar": "thoracolumbar spine lateral"}
    to_spine = abs(beam.focus_mm[0] - beam.middle_mm)
    return {
        "Modality": "OT" if vfa else "DX",
        "FilmKind": request.modality,
        "Manufacturer": machine.maker,
        "ManufacturersModelName": machine.model,
        "StationName": person.scanner,
        "InstitutionName": person.site,
        "SeriesDescription": part[field.part] if vfa else f"{part[field.part]} (simulated)",
        "BodyPartExamined": "LSPINE" if field.part == "lumbar" else "SPINE",
        "ViewPosition": "LL" if beam.focus_mm[0] > beam.detector_mm else "RL",
        "ImagerPixelSpacing": [round(beam.pixel_mm, 4)] * 2,
        "EstimatedRadiographicMagnificationFactor": round(beam.magnification(beam.middle_mm), 4),
        "DistanceSourceToDetector": round(machine.focus_mm, 1),
        "DistanceSourceToPatient": round(to_spine, 1),
        "StoredInDicomAs": "MONOCHROME1" if machine.inverted else "MONOCHROME2",
        "SimulatedArtefacts": [],
    }
