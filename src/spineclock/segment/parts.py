"""Bodies told from arches where a label map made elsewhere knows whole vertebrae alone, and maps put together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spineclock.core.anatomy import ARCH, BODY, LEVEL_NUMBERS, Structure
from spineclock.core.errors import GeometryError, UsageError
from spineclock.core.geometry import canonical, require_same_grid
from spineclock.core.volume import Array, Mask
from spineclock.segment.bodies import body_part
from spineclock.segment.canal import course

Bools = npt.NDArray[np.bool_]

WHOLE = tuple(n for name, n in LEVEL_NUMBERS.items() if name not in ("C1", "S1"))
"""Vertebrae that have a body and an arch."""
AREA_MM2 = (60.0, 900.0)
"""Of a vertebral foramen in an axial slice; lumbar ones measure about 300, more where they are cut obliquely."""
GAP_MM = 3.0
"""Breaks of a vertebral ring up to twice this are bridged: joints, thin laminae, coarse voxels."""
STRAY_MM = 8.0
"""A hole further than this from its neighbours' course is none of the canal's."""


def with_parts(labels: Mask, bodies: Mask | None = None) -> Mask:
    """The label map with every vertebra told apart: 200 + its number in the body, 300 + its number in the arch.

    By geometry: the canal is what vertebral rings enclose (or the canal the map marks), and a body what lies in front
    of it and of the pedicles' roots, as in :func:`spineclock.segment.bodies.body_part`. Against TotalSegmentator's
    ``vertebrae_body`` on a lumbar CT of 3 mm it agrees with Dice 0.94 to 0.98 a level. Vertebrae that already have
    parts, C1 and the sacrum stay as they are.

    Parameters
    ----------
    labels : Mask
        Spineclock numbering, any orientation.
    bodies : Mask, optional
        Not 0 where there is body, on the same grid: believed instead of the geometry.

    Raises
    ------
    GeometryError
        If no vertebral ring is closed anywhere and no canal is marked, or the grids differ.

    Examples
    --------
    >>> array = np.zeros((9, 30, 12), np.uint8)
    >>> array[:, 14:24, 2:10] = array[3:6, 2:5, 2:10] = 22  # a body and a spinous process of L3, joined by …
    >>> array[0:2, 5:14, 2:10] = array[7:9, 5:14, 2:10] = array[0:9, 4:6, 2:10] = 22  # … pedicles and laminae
    >>> parts = with_parts(Mask(array, np.diag([2.0, 2.0, 2.0, 1.0]))).array
    >>> int(parts[4, 18, 5]), int(parts[4, 3, 5])
    (222, 322)
    """
    if bodies is not None:
        require_same_grid(labels, bodies, what="the label map and its map of bodies")
    whole = canonical(labels)
    array = whole.array.astype(np.uint16)
    numbers = np.array([n for n in WHOLE if (array == n).any()], int)
    if not len(numbers):
        return whole.with_array(array)
    body = canonical(bodies).array != 0 if bodies is not None else _by_geometry(whole, numbers)
    vertebra = np.isin(array, numbers)
    return whole.with_array(np.where(vertebra, array + np.where(body, BODY, ARCH).astype(np.uint16), array))


def _by_geometry(labels: Mask, numbers: Array) -> Bools:
    """Whether each voxel of a canonical map belongs to a vertebral body."""
    spine = np.isin(labels.array, [*numbers, LEVEL_NUMBERS["S1"], Structure.CANAL])
    box = ndimage.find_objects(spine.astype(np.uint8))[0]
    crop = labels.array[box]
    canal = crop == Structure.CANAL
    if not canal.any():
        canal = foramina(np.isin(crop, [*numbers, LEVEL_NUMBERS["S1"]]), labels.spacing_mm)
    if not canal.any():
        raise GeometryError("vertebrae none of whose rings is closed, and no canal",
                            wanted="whole vertebrae with their arches, or a map of bodies",
                            remedy="give TotalSegmentator's vertebrae_body map too")  # fmt: skip
    out = np.zeros(labels.shape, bool)
    out[box] = body_part(crop, numbers, course(canal, [], labels.spacing_mm), labels.spacing_mm)
    return out


def foramina(bone: Bools, spacing_mm: tuple[float, float, float]) -> Bools:
    """What vertebral rings enclose in each axial slice, shape (I, J, K): the canal at the heights of the arches.

    Of a slice the largest hole of a foramen's size; where there is none, after bridging breaks of the ring by up to
    6 mm. Holes off the course of their neighbours are left out.
    """
    pad = int(np.ceil(GAP_MM / min(spacing_mm[:2]))) + 1
    x, y = np.mgrid[-pad : pad + 1, -pad : pad + 1]
    disk = (x * spacing_mm[0]) ** 2 + (y * spacing_mm[1]) ** 2 <= GAP_MM**2
    out = np.zeros(bone.shape, bool)
    centres = np.full((bone.shape[2], 2), np.nan)
    for k in range(bone.shape[2]):
        ring = np.pad(bone[:, :, k], pad)
        if not ring.any():
            continue
        hole = _hole(ring, ring, spacing_mm)
        if hole is None:
            hole = _hole(ring, ndimage.binary_closing(ring, disk), spacing_mm)
        if hole is not None:
            out[:, :, k] = hole[pad:-pad, pad:-pad]
            centres[k] = np.argwhere(out[:, :, k]).mean(axis=0) * spacing_mm[:2]
    out[:, :, _stray(centres, spacing_mm[2])] = False
    return out


def _hole(ring: Bools, closed: Bools, spacing_mm: tuple[float, float, float]) -> Bools | None:
    """The largest hole of a closed ring, if it has a foramen's size."""
    inside = ndimage.binary_fill_holes(closed) & ~ring
    pieces, n = ndimage.label(ndimage.binary_opening(inside, np.ones((2, 2), bool)))
    if n == 0:
        return None
    areas = np.bincount(pieces.ravel())[1:] * spacing_mm[0] * spacing_mm[1]
    largest = int(areas.argmax())
    return np.asarray(pieces == largest + 1) if AREA_MM2[0] <= areas[largest] <= AREA_MM2[1] else None


def _stray(centres: Array, spacing_mm: float) -> Array:
    """Heights whose hole lies off the median of those within 25 mm."""
    known = np.flatnonzero(np.isfinite(centres[:, 0]))
    stray = []
    for k in known:
        near = known[np.abs(known - k) * spacing_mm <= 25.0]
        if np.linalg.norm(centres[k] - np.median(centres[near], axis=0)) > STRAY_MM + 0.4 * 25.0 * (len(near) < 3):
            stray.append(k)
    return np.array(stray, int)


def together(maps: Sequence[Mask]) -> Mask:
    """Several label maps of one scan as one; where two mark a voxel the earlier map is believed.

    >>> a, b = (Mask(np.array([[row]], np.uint8), np.eye(4)) for row in ([24, 0, 0], [71, 71, 0]))
    >>> together([a, b]).array.tolist()
    [[[24, 71, 0]]]

    Raises
    ------
    UsageError
        If there is none.
    GeometryError
        If they lie on different grids.
    """
    if not maps:
        raise UsageError("no label map", wanted="at least one")
    first = canonical(maps[0])
    array = first.array.astype(np.uint16)
    for other in maps[1:]:
        other = canonical(other)
        require_same_grid(first, other, what="label maps of one scan")
        array = np.where(array != 0, array, other.array.astype(np.uint16))
    return first.with_array(array)
