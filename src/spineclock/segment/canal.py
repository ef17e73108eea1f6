"""The canal's course, and the sheet along its front that parts vertebral bodies from arches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spineclock.core.errors import GeometryError
from spineclock.core.volume import Array

Floats = npt.NDArray[np.float64]

MAX_ROTATION = 0.6
"""Largest slope of the sheet in an axial plane: vertebrae turned by up to 31°."""
BEHIND_DISC_MM = 1.0
"""Where no canal is marked, its front is taken to lie this far behind the discs."""


@dataclass(frozen=True, eq=False)
class Canal:
    """Where the canal runs at each height of a grid, in millimetres along the grid's axes.

    Parameters
    ----------
    centre_mm : ndarray, shape (K, 2)
        Right and anterior coordinate of its centre.
    front_mm, slope : ndarray, shape (K,)
        Anterior coordinate of its front at the centre, and how much that grows per millimetre to the right.
    marked : bool
        Whether the canal itself was seen over at least 20 mm.
    """

    centre_mm: Floats
    front_mm: Floats
    slope: Floats
    marked: bool = True

    def in_front(self, shape: tuple[int, ...], spacing_mm: tuple[float, float, float]) -> npt.NDArray[np.bool_]:
        """Whether each voxel of the grid lies in front of the canal, shape (I, J, K)."""
        x = np.arange(shape[0])[:, None] * spacing_mm[0]
        sheet = self.front_mm + self.slope * (x - self.centre_mm[:, 0])  # (I, K)
        y = np.arange(shape[1]) * spacing_mm[1]
        return np.asarray(y[None, :, None] > sheet[:, None, :])


def course(canal: Array, discs: Sequence[Array], spacing_mm: tuple[float, float, float]) -> Canal:
    """The canal's course from its voxels on a canonical grid and, where it is not marked, from the discs.

    At each height the front is the median of the canal's anterior edges over its broad part, its slope a straight
    line through them. More than 8 mm from any marked height (a stenosis, or a mask without canal) the discs' posterior
    edges stand in. All is smoothed along the spine and continued straight beyond the ends.

    Parameters
    ----------
    canal : ndarray of bool, shape (I, J, K)
        Where the canal is.
    discs : sequence of ndarray, shape (N, 3)
        Voxel indices of each disc.

    Raises
    ------
    GeometryError
        If there is neither canal nor disc.
    """
    x_mm = np.arange(canal.shape[0])[:, None] * spacing_mm[0]
    thickness = canal.sum(axis=1) * spacing_mm[1]  # (I, K)
    broad = thickness > np.maximum(0.6 * thickness.max(axis=0), 2.0)
    heights = broad.any(axis=0)
    edge = (canal.shape[1] - 1 - np.argmax(canal[:, ::-1], axis=1)) * spacing_mm[1]
    weight = np.where(broad, thickness, 0.0)
    course_mm = np.full((3, canal.shape[2]), np.nan)  # centre right, centre anterior, front anterior
    if heights.any():
        area = canal.sum(axis=(0, 1))[heights]
        y_mm = np.arange(canal.shape[1]) * spacing_mm[1]
        course_mm[0, heights] = ((weight * x_mm).sum(0) / np.maximum(weight.sum(0), 1e-9))[heights]
        course_mm[1, heights] = (y_mm @ canal.sum(axis=0)[:, heights]) / area
        course_mm[2, heights] = np.nanmedian(np.where(broad, edge, np.nan)[:, heights], axis=0)
    _stand_in(course_mm, discs, spacing_mm)
    if not np.isfinite(course_mm[2]).any():
        raise GeometryError("a mask with neither canal nor disc", wanted="at least one of them")
    centre_x, centre_y, front = (_continued(v, spacing_mm[2]) for v in course_mm)
    slope = _slope(np.where(heights, weight, 0.0), x_mm - centre_x, edge - front, spacing_mm[2])
    marked = bool(heights.sum() * spacing_mm[2] >= 20)
    return Canal(np.stack([centre_x, centre_y], axis=1), front, slope, marked)


def _stand_in(course_mm: Floats, discs: Sequence[Array], spacing_mm: tuple[float, float, float]) -> None:
    """Fill in, at the heights of discs that no canal is near, a course just behind their posterior edges."""
    known = np.flatnonzero(np.isfinite(course_mm[2]))
    for voxels in discs:
        points = voxels * np.asarray(spacing_mm)
        back = float(np.percentile(points[:, 1], 2))
        k = round(float(points[points[:, 1] <= back + 4.0, 2].mean()) / spacing_mm[2])
        if known.size == 0 or np.abs(known - k).min() * spacing_mm[2] > 8.0:
            course_mm[:, k] = points[:, 0].mean(), back - 10.0, back - BEHIND_DISC_MM


def _slope(weight: Floats, away: Floats, ahead: Floats, spacing_mm: float) -> Floats:
    """Regression of the front on the position to the right, over ±15 mm of height, damped where the canal is narrow."""
    sums = [(weight * v).sum(0) for v in (away * ahead, away**2 + 9.0)]
    sxy, sxx = (ndimage.gaussian_filter1d(s, 15.0 / spacing_mm, mode="constant") for s in sums)
    known = np.flatnonzero(weight.any(axis=0))
    if known.size == 0:
        return np.zeros(weight.shape[1])
    slope = np.clip(sxy / np.maximum(sxx, 1e-9), -MAX_ROTATION, MAX_ROTATION)
    return np.asarray(np.interp(np.arange(len(slope)), known, slope[known]))


def _continued(values: Floats, spacing_mm: float, *, smooth_mm: float = 4.0, tail_mm: float = 25.0) -> Floats:
    """Values smoothed along the spine, gaps bridged, both ends continued along the line of their last 25 mm."""
    known = np.flatnonzero(np.isfinite(values))
    index = np.arange(len(values))
    filled = np.interp(index, known, ndimage.median_filter(values[known], size=5, mode="nearest"))
    seen = slice(known[0], known[-1] + 1)
    filled[seen] = ndimage.gaussian_filter1d(filled[seen], smooth_mm / spacing_mm, mode="nearest")
    n = max(2, int(tail_mm / spacing_mm))
    inner = index[seen]
    for end, tail in ((index < known[0], inner[:n]), (index > known[-1], inner[-n:])):
        if end.any() and len(tail) > 1:
            rise = np.clip(np.polyfit(tail, filled[tail], 1)[0] / spacing_mm, -1.0, 1.0) * spacing_mm
            last = tail[0] if end[0] else tail[-1]
            filled[end] = filled[last] + rise * (index[end] - last)
    return np.asarray(filled, dtype=np.float64)
