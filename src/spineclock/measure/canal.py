"""What is measured of the spinal canal at the height of each disc and body."""

from __future__ import annotations

import numpy as np

from spineclock.measure.frame import FULL_SHARE, LAYER_MM, Piece
from spineclock.measure.measurements import Measurement
from spineclock.measure.section import Floats, Section

NAN = float("nan")
HALF_MM = 5.0
"""Half the length along the canal that its depth and area are averaged over."""
WINDOW_MM = 15.0
"""Half the height over which the canal's direction is found."""
FAR_MM = 45.0
"""A canal further than this from a disc's middle does not belong to it."""


def canal(
    level: str,
    beside: Section | None,
    piece: Piece | None,
    volume_shape: tuple[int, int, int],
) -> list[Measurement]:
    """Front-to-back depth and cross-section of the canal behind a disc or body.

    ``piece`` is the canal, its mid-sagittal layer where that of the disc or body lies. Depth is that of this layer's
    slices, less those that show under 60% of it, across the canal's own direction, averaged over 10 mm along it. The
    area is flagged incomplete where the canal meets a side of the slab there: it is then the area within the slab.
    """
    depth, area, at_side, cut = NAN, NAN, False, False
    if piece is not None and beside is not None:
        where = _place(piece, beside)
        if where is not None:
            depth, area, at_side, cut = _across(piece, where, volume_shape)
    return [
        Measurement("canal", level, "depth_mm", depth, "mm", not cut),
        Measurement("canal", level, "area_mm2", area, "mm2", not (cut or at_side)),
    ]


def _place(piece: Piece, beside: Section) -> tuple[float, float, float] | None:
    """Where the canal's middle line meets the structure's own plane: (front, up) in mm, and the line's slope.

    A straight line, front = a + b · up, through the canal's middle at each height of a window.
    """
    _, dy, dz = piece.spacing_mm
    z = (piece.first[2] + np.arange(piece.inside.shape[2])) * dz
    y = (piece.first[1] + np.arange(piece.inside.shape[1])) * dy
    share = np.tensordot(piece.weights(LAYER_MM), piece.inside, axes=1)
    total = share.sum(axis=0)
    tangent = np.tan(beside.angle_rad)
    at = beside.centre_mm[1]
    for _ in range(3):  # the plane meets the canal lower or higher than the structure's middle where it is tilted
        near = (np.abs(z - at) <= WINDOW_MM) & (total > 0)
        if near.sum() < 3:
            return None
        middle = (share[:, near] * y[:, None]).sum(axis=0) / total[near]
        slope, offset = np.polyfit(z[near] - at, middle, 1, w=np.sqrt(total[near]))
        # Meet z = centre_z + tangent · (y − centre_y) with y = offset + slope · (z − at).
        rise = beside.centre_mm[1] - at + tangent * (offset - beside.centre_mm[0])
        at = at + float(rise / max(1.0 - tangent * slope, 0.2))
    front = float(offset)
    if np.hypot(front - beside.centre_mm[0], at - beside.centre_mm[1]) > FAR_MM:
        return None
    return front, at, float(slope)


def _across(
    piece: Piece,
    where: tuple[float, float, float],
    volume_shape: tuple[int, int, int],
) -> tuple[float, float, bool, bool]:
    """Depth in mm, area in mm², whether the canal meets a side of the scan there, and whether the scan ends there."""
    front, at, slope = where
    _, dy, dz = piece.spacing_mm
    tilt = float(np.arctan(slope))
    reach = int(np.ceil((HALF_MM + 20.0 * abs(np.sin(tilt))) / dz)) + 2
    middle = round(at / dz) - piece.first[2]
    low, high = max(0, middle - reach), max(0, middle + reach + 1)
    part = piece.inside[:, :, low:high]
    if part.size == 0 or not part.any():
        return NAN, NAN, False, True
    y = (piece.first[1] + np.arange(part.shape[1]))[:, None] * dy - front
    z = (piece.first[2] + low + np.arange(part.shape[2]))[None, :] * dz - at
    along = z * np.cos(tilt) + y * np.sin(tilt)
    band = _soft_band(along, step=dz * np.cos(tilt) + dy * abs(np.sin(tilt)))
    weights = piece.weights(LAYER_MM)
    per_slice = (part * band[None]).sum(axis=(1, 2)) * dy * dz / (2 * HALF_MM)
    weights = np.where(per_slice >= FULL_SHARE * per_slice[weights > 0].max(initial=0.0), weights, 0.0)
    depth = float((weights * per_slice).sum() / weights.sum()) if weights.sum() > 0 else NAN
    area = float(per_slice.sum() * piece.spacing_mm[0])
    touched = np.asarray((part & (band > 0.5)[None]).any(axis=(1, 2)))
    at_side = bool(
        (touched[0] and piece.first[0] == 0) or (touched[-1] and piece.first[0] + len(touched) == volume_shape[0])
    )
    ends = piece.first[2] + low == 0 or piece.first[2] + high > volume_shape[2]
    inner_depth = depth if depth > 0 else NAN
    return inner_depth, area if area > 0 else NAN, at_side, bool(ends)


def _soft_band(along: Floats, *, step: float) -> Floats:
    return np.asarray(np.clip((HALF_MM - np.abs(along)) / step + 0.5, 0.0, 1.0), dtype=np.float64)
