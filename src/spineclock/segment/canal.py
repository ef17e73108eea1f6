"""The canal's course, and the sheet along its front that parts vertebral bodies from arches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spineclock.core.volume import Array

Floats = npt.NDArray[np.float64]

MAX_ROTATION = 0.6
"""Largest slope of the sheet in an axial plane: vertebrae turned by up to 31°."""


@dataclass(frozen=True, eq=False)
class Canal:
    """Where the canal runs at each height of a grid, in millimetres along the grid's axes.

    Parameters
    ----------
    centre_mm : ndarray, shape (K, 2)
        Right and anterior coordinate of its centre.
    front_mm, slope : ndarray, shape (K,)
        Anterior coordinate of its front at the centre, and how much that grows per millimetre to the right.
    """

    centre_mm: Floats
    front_mm: Floats
    slope: Floats

    def in_front(self, shape: tuple[int, ...], spacing_mm: tuple[float, float, float]) -> npt.NDArray[np.bool_]:
        """Whether each voxel of the grid lies in front of the canal, shape (I, J, K)."""
        x = np.arange(shape[0])[:, None] * spacing_mm[0]
        sheet = self.front_mm + self.slope * (x - self.centre_mm[:, 0])  # (I, K)
        y = np.arange(shape[1]) * spacing_mm[1]
        return np.asarray(y[None, :, None] > sheet[:, None, :])


def course(canal: Array, spacing_mm: tuple[float, float, float]) -> Canal | None:
    """The canal's course from its voxels on a canonical grid; None where there are too few heights to tell (< 20 mm).

    At each height the front is the median of the canal's anterior edges over its broad part, its slope a
    straight line through them; both are smoothed along the spine and continued straight beyond the canal's ends.
    """
    thickness = canal.sum(axis=1) * spacing_mm[1]  # (I, K)
    broad = thickness > np.maximum(0.6 * thickness.max(axis=0), 2.0)
    heights = broad.any(axis=0)
    if heights.sum() * spacing_mm[2] < 20:
        return None
    edge = (canal.shape[1] - 1 - np.argmax(canal[:, ::-1], axis=1)) * spacing_mm[1]
    x = np.arange(canal.shape[0])[:, None] * spacing_mm[0]
    weight = np.where(broad, thickness, 0.0)
    total = np.maximum(weight.sum(0), 1e-9)
    centre_x = (weight * x).sum(0) / total
    area = np.maximum(canal.sum(axis=(0, 1)), 1)
    centre_y = (canal * (np.arange(canal.shape[1]) * spacing_mm[1])[None, :, None]).sum(axis=(0, 1)) / area
    front = np.full(canal.shape[2], np.nan)
    front[heights] = np.nanmedian(np.where(broad, edge, np.nan)[:, heights], axis=0)
    centre_x, centre_y, front = (
        _continued(np.where(heights, v, np.nan), spacing_mm[2]) for v in (centre_x, centre_y, front)
    )
    away = x - centre_x
    sums = [np.where(heights, (weight * v).sum(0), 0.0) for v in (away * (edge - front), away**2 + 9.0)]
    sxy, sxx = (ndimage.gaussian_filter1d(s, 15.0 / spacing_mm[2], mode="constant") for s in sums)
    slope = np.clip(sxy / np.maximum(sxx, 1e-9), -MAX_ROTATION, MAX_ROTATION)
    slope = np.interp(np.arange(len(slope)), np.flatnonzero(heights), slope[heights])
    return Canal(np.stack([centre_x, centre_y], axis=1), front, slope)


def _continued(values: Floats, spacing_mm: float, *, smooth_mm: float = 4.0, tail_mm: float = 25.0) -> Floats:
    """Values smoothed along the spine, gaps bridged, both ends continued along the line of their last 25 mm."""
    known = np.flatnonzero(np.isfinite(values))
    index = np.arange(len(values))
    filled = np.interp(index, known, ndimage.median_filter(values[known], size=5, mode="nearest"))
    sigma = smooth_mm / spacing_mm
    filled[known[0] : known[-1] + 1] = ndimage.gaussian_filter1d(filled[known[0] : known[-1] + 1], sigma, mode="nearest")
    n = max(2, int(tail_mm / spacing_mm))
    for end, tail in ((index < known[0], known[:n]), (index > known[-1], known[-n:])):
        if end.any() and len(tail) > 1:
            line = np.polyfit(tail, filled[tail], 1)
            start = filled[tail[0] if end[0] else tail[-1]] - np.polyval(line, tail[0] if end[0] else tail[-1])
            filled[end] = np.polyval(line, index[end]) + start
    return np.asarray(filled, dtype=np.float64)


def course_from_discs(discs: list[Array], shape: tuple[int, ...], spacing_mm: tuple[float, float, float]) -> Canal:
    """A stand-in for the course of a canal that was not marked: a line 3 mm behind the discs' posterior edges.

    Parameters
    ----------
    discs : list of ndarray, shape (N, 3)
        Voxel indices of each disc, at least one.
    """
    ends = []
    for voxels in discs:
        points = voxels * np.asarray(spacing_mm)
        back = np.percentile(points[:, 1], 2)
        ends.append((points[points[:, 1] <= back + 4.0, 2].mean(), points[:, 0].mean(), back))
    z, x, back = np.array(sorted(ends)).T
    heights = np.full((2, shape[2]), np.nan)
    index = np.clip(np.rint(z / spacing_mm[2]).astype(int), 0, shape[2] - 1)
    heights[:, index] = x, back - 3.0
    known = np.arange(index[0], index[-1] + 1)
    line = np.stack([np.interp(np.arange(shape[2]), index, h[index]) for h in heights])
    masked = np.where(np.isin(np.arange(shape[2]), known), line, np.nan)
    centre_x, front = (_continued(m, spacing_mm[2]) for m in masked)
    return Canal(np.stack([centre_x, front - 8.0], axis=1), front, np.zeros(shape[2]))
