"""Pictures of one sagittal slice of a scan (PNG, JPEG, TIFF): head up, front at the left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from spineclock.core.errors import InputError, RefusedError
from spineclock.core.geometry import picture_volume
from spineclock.core.records import Scan
from spineclock.core.volume import Array
from spineclock.ingest import checks
from spineclock.ingest.film import picture
from spineclock.ingest.find import Input
from spineclock.ingest.names import stem
from spineclock.ingest.refs import SeriesRef
from spineclock.ingest.sidecar import facts, sidecar

MOST_BYTES = 2 * 10**8
"""Pictures of more than 50 million pixels are no slices."""
FEWEST = 64
"""Rows and columns; fewer show no spine."""
NOMINAL_MM = 290.0
"""What a picture of no stated spacing is taken to show from top to bottom, as most lumbar ones do."""
SLICE_MM = 4.0
SIDES = "a picture does not tell its sides: taken to be head up, front at the left"


def reference(found: Input) -> SeriesRef:
    """What a picture's header, name and JSON sidecar tell; no sample is read.

    The sidecar's ``PixelSpacing`` (rows, columns, in mm) or ``PixelAspectRatio`` (height, width of a pixel) counts, and
    its ``EchoTime`` and ``RepetitionTime`` (s) tell the weighting where the name does not.

    Raises
    ------
    InputError
        If it is damaged, holds several pictures, or is too small; or the sidecar's spacing cannot be.
    """
    rows, columns = picture.size(found.path)
    checks.require_room((rows, columns), max_bytes=2**62)
    if min(rows, columns) < FEWEST:
        raise InputError(f"a picture of {columns} × {rows} pixels", wanted=f"at least {FEWEST} rows and columns",
                         remedy="export the slice in full size")  # fmt: skip
    beside = sidecar(found.path)
    (row_mm, column_mm), note = _spacing(beside, rows)
    told = facts(found.path.name, beside)
    told = replace(told, modality=told.modality or "MR")
    affine = np.diag([SLICE_MM, column_mm, row_mm, 1.0])
    return SeriesRef(
        stem(found.shown.name), "picture", ((found.path, 0),), found.shown, (1, columns, rows), affine,
        (SLICE_MM, column_mm, row_mm), "sagittal", told, named=found.named, notes=(SIDES, *([note] if note else [])),
    )  # fmt: skip


def load(ref: SeriesRef, *, max_bytes: int) -> Scan:
    """The picture as a scan of one slice, shape (1, columns, rows).

    Raises
    ------
    InputError
        If it is damaged, too large, or of one grey value.
    RefusedError
        If it has colours.
    """
    try:
        values, notes = picture.grey(ref.frames[0][0], max_bytes=min(max_bytes, MOST_BYTES))
    except RefusedError as error:
        raise RefusedError(
            "a colour picture",
            wanted="the slice in grey values",
            remedy="export the slice itself, not a photograph or a page of a report",
        ) from error
    volume = picture_volume(values, (ref.spacing_mm[2], ref.spacing_mm[1]), slice_mm=SLICE_MM)
    volume = volume.with_array(np.ascontiguousarray(checks.checked(volume.array)))
    told = ref.facts
    return Scan(
        ref.scan_id, volume, ref.source, told.modality, told.sequence, told.description, told.echo_time_ms,
        told.repetition_time_ms, told.scanner, told.person_id, told.age_years, told.sex,
        notes=(*told.notes, *ref.notes, *notes),
    )  # fmt: skip


def _spacing(beside: dict[str, Any], rows: int) -> tuple[tuple[float, float], str]:
    """Distance of rows and of columns in mm, and what is to be said of it."""
    for name in ("PixelSpacing", "PixelAspectRatio"):
        if name not in beside:
            continue
        pair = _pair(beside[name])
        if name == "PixelSpacing":
            checks.require_spacing((float(pair[0]), float(pair[1])))
            return (float(pair[0]), float(pair[1])), ""
        row_mm = NOMINAL_MM / rows
        return (row_mm, row_mm * float(pair[1]) / float(pair[0])), _nominal("only the pixels' ratio is stated")
    return (NOMINAL_MM / rows, NOMINAL_MM / rows), _nominal("the pixel spacing is not stated")


def _nominal(what: str) -> str:
    return f"{what}: taken to show {NOMINAL_MM:g} mm from top to bottom"


def _pair(told: object) -> Array:
    try:
        pair = np.array(told, dtype=np.float64)
    except (TypeError, ValueError):
        pair = np.empty(0)
    if pair.shape != (2,) or not (np.isfinite(pair) & (pair > 0)).all():
        raise InputError(f"a sidecar with the pixel spacing or ratio {told!r}", wanted="two numbers above 0",
                         remedy="mend the JSON file beside the picture, or take the line out")  # fmt: skip
    return pair
