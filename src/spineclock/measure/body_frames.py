"""The box of each vertebral body, upright in itself: where end plates are horizontal and what the edges are."""

from __future__ import annotations

import numpy as np

from spineclock.core.anatomy import ARCH, BODY, LEVEL_NAMES, LEVEL_NUMBERS, Structure
from spineclock.core.bone import BodyFrame, Point
from spineclock.core.geometry import canonical, require_same_grid
from spineclock.core.volume import Array, Mask, Volume
from spineclock.measure.frame import Piece, Pieces, pieces
from spineclock.measure.section import Section, sample
from spineclock.measure.sections import Sections, sections

STEP_MM = 0.2
"""Sampling in which the box's edges are looked for."""
LEAST_MM = 3.0
"""An edge lies where at least so much of the body is met: the tip of a thin osteophyte is no edge."""


def body_frames(labels: Mask, bodies: Mask | None = None) -> dict[str, BodyFrame]:
    """The boxes of all vertebral bodies by level, from the top down.

    The end plates' direction is that of the straight lines through both over the middle 80% of the width
    (:func:`spineclock.measure.section.section`), in the layer within 5 mm of the canal's middle. A body whose shape
    cannot be told is left out. The answer does not depend on the order the map's axes are stored in.

    Parameters
    ----------
    labels : Mask
        Spineclock numbering, any orientation.
    bodies : Mask, optional
        200 + the vertebra's number where it is body rather than arch, on the same grid; ``labels`` itself where it
        tells bodies and arches apart.

    Raises
    ------
    GeometryError
        If the two lie on different grids.

    Examples
    --------
    >>> array = np.zeros((5, 60, 60), np.uint8)
    >>> array[:, 10:44, 20:46] = 222  # the body of L3, 34 by 26 mm
    >>> frame = body_frames(Mask(array, np.eye(4)))["L3"]
    >>> round(frame.depth_mm, 1), round(frame.height_mm, 1), [round(mm, 6) for mm in frame.middle_mm[1:]]
    (34.0, 26.0, [26.5, 32.5])
    """
    found = body_pieces(Volume(labels.array, labels.affine), labels, bodies)
    return frames_of(found, sections(found), canonical(labels).affine)


def frames_of(found: Pieces, seen: Sections, affine: Array) -> dict[str, BodyFrame]:
    """The same of bodies that are cut out and seen in their own frames already; ``affine`` is the canonical map's."""
    return {
        LEVEL_NAMES[n]: _frame(LEVEL_NAMES[n], piece, seen.bodies[n], affine)
        for n in LEVEL_NUMBERS.values()
        if (piece := found.bodies.get(n)) and seen.bodies[n] is not None
    }


def body_pieces(volume: Volume, labels: Mask, bodies: Mask | None = None) -> Pieces:
    """The structures of a scan in any orientation, from a map that may tell bodies, arches, cord and CSF apart.

    Raises
    ------
    GeometryError
        If the three lie on different grids.
    """
    bodies = labels if bodies is None else bodies
    require_same_grid(volume, labels, what="the scan and its label map")
    require_same_grid(volume, bodies, what="the scan and its map of bodies")
    volume, labels, bodies = canonical(volume), canonical(labels), canonical(bodies)
    front = (bodies.array > BODY) & (bodies.array < ARCH)
    return pieces(volume, labels.with_array(_joined(labels.array)), bodies.with_array(front.astype(np.uint8)))


def _joined(array: Array) -> Array:
    """Bodies and arches as their vertebra, cord and CSF as the canal."""
    table = np.arange(max(512, int(array.max(initial=0)) + 1)).astype(array.dtype)
    for n in LEVEL_NUMBERS.values():
        table[[BODY + n, ARCH + n]] = n
    table[[Structure.CORD, Structure.CSF]] = Structure.CANAL
    return np.asarray(table[array])


def _frame(level: str, piece: Piece, seen: Section | None, affine: Array) -> BodyFrame:
    """The box of a body in the patient; ``seen`` is in grid millimetres (index × spacing)."""
    picture = piece.picture()
    assert seen is not None
    assert picture is not None, "a body with a section has a picture"
    axes = [_finer(at, seen.share.sum(axis=a)) for a, at in ((1, seen.u_mm), (0, seen.v_mm))]
    inside = sample(picture, seen.centre_mm, seen.angle_rad, *axes).share >= 0.5
    (back, front), (low, high) = (_edges(inside.sum(axis=a), at) for a, at in zip((1, 0), axes, strict=True))
    cos, sin = np.cos(seen.angle_rad), np.sin(seen.angle_rad)
    u, v = (back + front) / 2, (low + high) / 2
    grid_mm = np.array([piece.middle_mm, seen.centre_mm[0] + u * cos - v * sin, seen.centre_mm[1] + u * sin + v * cos])
    unit = affine[:3, :3] / np.asarray(piece.spacing_mm)
    return BodyFrame(
        level,
        _point(unit @ grid_mm + affine[:3, 3]),
        _point(unit[:, 1] * cos + unit[:, 2] * sin),
        _point(unit[:, 2] * cos - unit[:, 1] * sin),
        front - back,
        high - low,
        cut=piece.cut_in_plane,
    )


def _finer(axis: Array, met: Array) -> Array:
    """Finer positions along an axis, as far as anything is met there."""
    first, last = axis[met > 0][[0, -1]] + np.array([-1.0, 1.0])
    return np.asarray((np.arange(np.floor(first / STEP_MM), np.ceil(last / STEP_MM)) + 0.5) * STEP_MM)


def _edges(counts: Array, axis: Array) -> tuple[float, float]:
    """The outermost positions where at least 3 mm are met; those of the whole where nowhere so much is."""
    met = np.flatnonzero(counts * STEP_MM >= min(LEAST_MM, float(counts.max()) * STEP_MM))
    return float(axis[met[0]] - STEP_MM / 2), float(axis[met[-1]] + STEP_MM / 2)


def _point(values: Array) -> Point:
    x, y, z = (float(v) for v in values)
    return x, y, z
