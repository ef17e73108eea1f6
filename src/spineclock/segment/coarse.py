"""A label map cropped to what it shows and thinned to about 1 mm, and the way back to the full grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spineclock.core.volume import Array, Mask

Ints = npt.NDArray[np.intp]
Points = npt.NDArray[np.float64]

WORK_MM = 1.0
"""Levels are told apart at about this spacing; finer voxels are skipped over."""


@dataclass(frozen=True, eq=False)
class Coarse:
    """Every ``step``-th voxel of the box ``start``:``stop`` of a mask, and their spacing in millimetres.

    Millimetre coordinates here are voxel index × spacing along the mask's own axes (right, anterior,
    superior), counted from the box's corner; they differ from patient coordinates by a rigid motion.
    """

    array: Array
    start: tuple[int, int, int]
    stop: tuple[int, int, int]
    step: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]

    def points(self, where: Array) -> Points:
        """Millimetre coordinates, shape (N, 3), of the voxels where ``where`` holds."""
        return np.asarray(np.argwhere(where) * np.asarray(self.spacing_mm), dtype=np.float64)

    def box(self) -> tuple[slice, slice, slice]:
        """The box on the full grid."""
        i, j, k = (slice(a, b) for a, b in zip(self.start, self.stop, strict=True))
        return i, j, k


def coarse(mask: Mask, *, margin_mm: float = 4.0) -> Coarse | None:
    """The thinned box round all labels of a canonical mask; None for an empty mask."""
    occupied = [np.flatnonzero(mask.array.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    if occupied[0].size == 0:
        return None
    margin = [int(np.ceil(margin_mm / mm)) for mm in mask.spacing_mm]
    start = [max(0, int(o[0]) - m) for o, m in zip(occupied, margin, strict=True)]
    stop = [min(n, int(o[-1]) + 1 + m) for o, m, n in zip(occupied, margin, mask.shape, strict=True)]
    step = [max(1, round(WORK_MM / mm)) for mm in mask.spacing_mm]
    array = mask.array[tuple(slice(a, b, s) for a, b, s in zip(start, stop, step, strict=True))]
    i, j, k = (n * mm for n, mm in zip(step, mask.spacing_mm, strict=True))
    return Coarse(np.ascontiguousarray(array), _three(start), _three(stop), _three(step), (i, j, k))


def refine(labels: Array, where: Array, grid: Coarse, *, reach_mm: float = 3.0) -> Array:
    """Labels of the full box's voxels: each voxel of ``where`` takes the nearest coarse label within reach.

    ``labels`` is coarse; ``where`` a boolean array of the full box. Voxels out of reach, such as small
    islands nobody claimed, get 0.
    """
    empty = labels == 0
    if empty.all():
        return np.zeros(where.shape, labels.dtype)
    distance, nearest = ndimage.distance_transform_edt(empty, sampling=grid.spacing_mm, return_indices=True)
    filled = np.where(distance <= reach_mm, labels[tuple(nearest)], 0).astype(labels.dtype)
    i, j, k = (
        np.minimum((np.arange(n) + s // 2) // s, m - 1)
        for n, s, m in zip(where.shape, grid.step, labels.shape, strict=True)
    )
    return np.asarray(np.where(where, filled[np.ix_(i, j, k)], 0), dtype=labels.dtype)


def _three(values: list[int]) -> tuple[int, int, int]:
    i, j, k = values
    return i, j, k
