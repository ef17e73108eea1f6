"""The phantom's MRI scanner: from what is known of a person to series with their true label maps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spineclock.core.volume import Mask, Volume
from spineclock.phantom.anatomy.body import anatomy_of
from spineclock.phantom.anatomy.forms import Anatomy
from spineclock.phantom.anatomy.traits import Traits
from spineclock.phantom.mri.acquire import Artefacts, drawn_artefacts, stored
from spineclock.phantom.mri.paint import Flow, Grid, painted
from spineclock.phantom.mri.style import FIELD_MM, MODELS, STATIONS, Request, Scanner, echo_of, ranges, scanner_of
from spineclock.phantom.mri.tissue import SpinEcho, signals
from spineclock.phantom.series import Series, Station, Weighting

__all__ = ["Request", "acquire"]
LUMBAR_FIELD_MM = (32.0, 240.0, 288.0)
"""The same of a training grid of the lumbar spine: a slab of small voxels is no thicker."""
_CORD_LEVELS = (*(f"C{n}" for n in range(3, 8)), *(f"T{n}" for n in range(1, 12)))


@dataclass(frozen=True)
class _Piece:
    """One field of view."""

    station: Station
    grid: Grid
    gain: float
    slice_mm: float
    """Thickness, which may be less than the distance of slices."""


def acquire(person: Traits, request: Request, *, seed: int) -> tuple[Series, ...]:
    """One person's scan: a series for each weighting and station; a pure function.

    Image and label map are canonical (RAS+). Anatomy is the person's, at all scans the same but for ageing and
    findings; position, noise and artefacts are the scan's; contrast, coil and field the scanner's.

    Examples
    --------
    >>> from spineclock.phantom.people import people
    >>> from spineclock.phantom.anatomy.traits import traits_of
    >>> series, = acquire(traits_of(people(1, seed=1))[0], Request(grid_shape=(16, 128, 64)), seed=1)
    >>> series.volume.shape, series.volume.spacing_mm, str(series.labels.array.dtype)
    ((16, 64, 128), (8.0, 4.0, 5.0), 'uint16')
    """
    spine = anatomy_of(person, seed=seed, world=request.world)
    machine, told = scanner_of(person.scanner, request.world), ranges(request.world)
    rng = person.stream(seed, "position")
    pieces = _pieces(spine, request, rng)
    chance = person.stream(seed, "artefacts")  # the same however the person is scanned
    artefacts = drawn_artefacts(spine, told, chance)
    fading = float(chance.random())
    fading = 0.35 + 0.4 * fading if request.slices == "space" else 0.25 * fading
    return tuple(
        _series(person, spine, piece, weighting, request, machine, artefacts, fading, seed)
        for weighting in request.weightings
        for piece in pieces
    )


def _series(
    person: Traits, spine: Anatomy, piece: _Piece, weighting: Weighting, request: Request, machine: Scanner,
    artefacts: Artefacts, fading: float, seed: int,
) -> Series:  # fmt: skip
    echo = echo_of(weighting, request.slices, machine)
    if weighting == "T1w":  # fluid is dark already
        artefacts, fading = replace(artefacts, flow=0.0), 0.0
    flow = Flow(_flow(spine, fading), artefacts.flow)
    signal, labels = painted(
        spine,
        signals(spine, echo, shift_mm=machine.shift_mm),
        piece.grid,
        flow=flow,
        cord_lesion_mm=_cord_lesion(person, spine, seed),
        blur=machine.blur,
        rng=person.stream(seed, "texture", of_person=True),
    )
    samples = stored(
        signal, spine, piece.grid, machine, artefacts, gain=piece.gain,
        sample_mm3=piece.slice_mm * piece.grid.step_mm[1] * piece.grid.step_mm[2],
        rng=person.stream(seed, f"noise {weighting} {piece.station}"),
    )  # fmt: skip
    affine = np.diag([*piece.grid.step_mm, 1.0])
    affine[:3, 3] = piece.grid.origin_mm
    return Series(weighting, piece.station, Volume(samples, affine), Mask(labels, affine),
                  _facts(person, request, weighting, piece, machine, echo, artefacts))  # fmt: skip


def _pieces(spine: Anatomy, request: Request, rng: np.random.Generator) -> list[_Piece]:
    aside, ahead, up = rng.normal(0, 1.5), rng.uniform(-12, 12), rng.uniform(-8, 8)
    z = spine.course_from_mm + np.arange(len(spine.course))
    span = (z > spine.bottom_mm) & (z < spine.top_mm)
    if request.coverage == "lumbar":
        span = np.abs(z - spine.lumbar_mm) < 90
    middle_x = float(np.median(spine.course["x"][span])) + float(aside)
    course_y = (float(spine.course["y"][span].min()) + float(spine.course["y"][span].max())) / 2
    if request.coverage == "lumbar":
        return [_lumbar(spine, request, middle_x, course_y + float(ahead), float(up), rng)]
    tall = max(FIELD_MM[2], spine.top_mm - spine.bottom_mm + 24.0)  # a tall person gets a larger field of view
    wide, deep = FIELD_MM[:2]
    middle_z = (spine.top_mm + spine.bottom_mm) / 2 + 6 + 0.4 * float(up)
    middle_y = course_y + 6 + 0.5 * float(ahead)
    if request.grid_shape is not None:
        n, rows, columns = request.grid_shape
        shape, step = (n, columns, rows), (request.slab_mm / n, deep / columns, tall / rows)
        return [_Piece("", _centred(shape, step, (middle_x, middle_y, middle_z)), 1.0, step[0])]
    slice_mm = 1.0 if request.slices == "space" else float(rng.choice([3.0, 3.5, 4.0, 4.0, 5.0]))
    pitch = slice_mm if request.slices == "space" else slice_mm * float(rng.choice([1.0, 1.1]))
    n = round(wide / pitch) if request.slices == "thick" else 64
    pixel = tall / 640 if request.coverage == "whole" else 0.75
    if request.coverage == "whole":
        if request.slices == "thick":
            n, pitch = (32, 4.0) if abs(slice_mm - 4.0) < 0.6 else (n, pitch)
        shape = (n, round(deep / pixel), round(tall / pixel))
        return [_Piece("", _centred(shape, (pitch, pixel, pixel), (middle_x, middle_y, middle_z)), 1.0, slice_mm)]
    overlap = float(rng.uniform(35, 60))
    part = (tall + 2 * overlap) / 3
    pieces = []
    for k, station in enumerate(STATIONS):
        z0 = spine.bottom_mm - 10 + (2 - k) * (part - overlap)
        here = (z > z0) & (z < z0 + part)
        at_y = float(np.median(spine.course["y"][here])) + 14 + float(rng.uniform(-6, 6))
        grid = _centred((n, round(230 / pixel), round(part / pixel)), (pitch, pixel, pixel),
                        (middle_x + float(rng.uniform(-1, 1)), at_y, z0 + part / 2))  # fmt: skip
        pieces.append(_Piece(station, grid, float(np.exp(0.12 * rng.standard_normal())), slice_mm))
    return pieces


def _lumbar(spine: Anatomy, request: Request, x: float, y: float, up: float, rng: np.random.Generator) -> _Piece:
    if request.slices == "space":
        n, pitch, thick, pixel, shape = int(rng.integers(14, 30)), 1.0, 1.0, float(rng.uniform(0.43, 0.56)), (512, 640)
    else:
        thick = float(rng.choice([3.0, 3.5, 4.0, 4.0, 5.0]))
        pitch = thick * float(rng.choice([1.0, 1.1, 1.1]))
        n, pixel = int(rng.integers(13, 18)), float(rng.choice([0.55, 0.68, 0.875]))
        shape = (round(280 / pixel), round(290 / pixel))
    middle = (x, y + 28, spine.lumbar_mm + 8 + 1.3 * up)
    if request.grid_shape is not None:
        slices, rows, columns = request.grid_shape
        wide, deep, tall = min(LUMBAR_FIELD_MM[0], request.slab_mm), *LUMBAR_FIELD_MM[1:]
        step = (wide / slices, deep / columns, tall / rows)
        held = min(slices, max(1, round(n * pitch / step[0])))  # as thick as the scanner's slab, or all there is
        return _Piece("", _centred((held, columns, rows), step, middle), 1.0, step[0])
    return _Piece("", _centred((n, *shape), (pitch, pixel, pixel), middle), 1.0, thick)


def _centred(shape: tuple[int, int, int], step: tuple[float, float, float], middle: tuple[float, float, float]) -> Grid:
    origin = tuple(m - s * (n - 1) / 2 for m, s, n in zip(middle, step, shape, strict=True))
    return Grid(shape, step, origin)  # type: ignore[arg-type]


def _flow(spine: Anatomy, fading: float) -> Any:
    """Pulsation darkens CSF from the upper lumbar spine up."""
    z = spine.course_from_mm + np.arange(len(spine.course))
    loin = spine.lumbar_mm + 30
    return (1 - fading * np.clip((z - loin) / 95, 0, 1)).astype(np.float32)


def _cord_lesion(person: Traits, spine: Anatomy, seed: int) -> float:
    """The height of a cord lesion, at a level from C3 to T11 that chance chose; far off where there is none."""
    if "cord_abnormality" not in person.whole:
        return 1e9
    levels = [k for k, name in enumerate(spine.names) if name in _CORD_LEVELS]
    at = int(person.stream(seed, "cord lesion", of_person=True).integers(len(levels)))
    return float(spine.bodies[levels[at]]["centre"][2])


def _facts(
    person: Traits, request: Request, weighting: Weighting, piece: _Piece, machine: Scanner, echo: SpinEcho,
    artefacts: Artefacts,
) -> dict[str, Any]:  # fmt: skip
    space = request.slices == "space"
    part = piece.station or ("lumbar" if request.coverage == "lumbar" else "whole")
    name = "SPACE" if space else "TSE"
    return {
        "Modality": "MR",
        "Manufacturer": person.maker,
        "ManufacturersModelName": MODELS.get((person.maker, machine.field_tesla), "simulated"),
        "StationName": person.scanner,
        "InstitutionName": person.site,
        "MagneticFieldStrength": machine.field_tesla,
        "SeriesDescription": f"{weighting[:2]} {name} sag {part} spine (simulated)",
        "BodyPartExamined": {"cervical": "CSPINE", "thoracic": "TSPINE", "lumbar": "LSPINE", "whole": "SPINE"}[part],
        "MRAcquisitionType": "3D" if space else "2D",
        "ScanningSequence": "SE",
        "RepetitionTime": round(echo.repetition_ms / 1000, 4),
        "EchoTime": round(echo.echo_ms / 1000, 5),
        "FlipAngle": 120 if space else 150,
        "EchoTrainLength": 60 if space else (3 if weighting == "T1w" else 17),
        "SliceThickness": round(piece.slice_mm, 3),
        "SpacingBetweenSlices": round(piece.grid.step_mm[0], 3),
        "SimulatedArtefacts": artefacts.words,
    }
