"""Discs that have grown together in a label map, parted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from spineclock.core.volume import Array
from spineclock.segment.coarse import Coarse, Points

THICK_MM = 5.5
"""Standard deviation across a disc's thin side above which it must be several discs grown together."""
APART_MM = 4.0
"""A line along the spine that leaves a piece and enters it again this much higher has met two discs."""
TWICE = 0.25
"""Share of such lines that meet two discs from which a piece is several."""
TALL = 1.7
"""Lines this many times longer within a piece than usual run along a bridge between discs."""
TILTS_DEG = (-50, -25, 0, 25, 50)
"""How far such lines lean forwards: discs of the lower neck and the lowest lumbar one lie half upright."""
DEEPEST = 5
"""Times a clump is parted, and its parts again."""


def parted(piece: Array, grid: Coarse, least_mm3: float) -> list[Array]:
    """A connected piece as it is, or as its parts, each a boolean array of the same shape.

    Bridges are taken out where lines along the spine run much farther than usual within the piece, or by ever wider
    opening within sagittal slices, until several parts remain that are no smaller than ``least_mm3``; each voxel goes
    to the nearest part.
    """
    return _parted(piece, grid, least_mm3, DEEPEST)


def _parted(piece: Array, grid: Coarse, least_mm3: float, depth: int) -> list[Array]:
    voxel_mm3 = float(np.prod(grid.spacing_mm))
    if depth == 0 or np.count_nonzero(piece) * voxel_mm3 <= least_mm3:
        return [piece]
    along = [_Lines.through(piece, grid, degrees) for degrees in TILTS_DEG]
    clearest = max(along, key=lambda lines: lines.twice)
    if clearest.twice < TWICE and not _thick(piece, grid):
        return [piece]
    for core in (clearest.without_bridges(piece), *(_opened(piece, width) for width in (1, 2, 3))):
        labels, n = ndimage.label(core)
        sizes = np.bincount(labels.ravel(), minlength=n + 1)[1:] * voxel_mm3
        keep = np.flatnonzero(sizes >= least_mm3) + 1
        if len(keep) > 1:
            seeds = np.where(np.isin(labels, keep), labels, 0)
            nearest = ndimage.distance_transform_edt(
                seeds == 0, sampling=grid.spacing_mm, return_distances=False, return_indices=True
            )
            whose = np.where(piece, seeds[tuple(nearest)], 0)
            return [p for m in keep for p in _parted(whose == m, grid, least_mm3, depth - 1)]
    return [piece]


def _thick(piece: Array, grid: Coarse) -> bool:
    points = grid.points(piece)[:, 1:]
    thin = np.linalg.eigvalsh(np.cov(points.T))[0] if len(points) > 2 else 0.0
    return bool(np.sqrt(max(thin, 0.0)) > THICK_MM)


@dataclass(frozen=True, eq=False)
class _Lines:
    """A piece seen along straight lines within sagittal slices, about a voxel apart.

    ``twice`` is the share of lines that leave it and enter it again at least 4 mm on; ``lengths`` is, for each of its
    voxels in the order of ``argwhere``, how far the line runs within it there.
    """

    twice: float
    lengths: Points

    @classmethod
    def through(cls, piece: Array, grid: Coarse, degrees: float) -> _Lines:
        points = grid.points(piece)
        step = max(grid.spacing_mm[1:])
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        across, on = points[:, 1] * c - points[:, 2] * s, points[:, 1] * s + points[:, 2] * c
        line = np.unique(np.stack([points[:, 0], np.rint(across / step)], 1), axis=0, return_inverse=True)[1].ravel()
        order = np.lexsort((on, line))
        same = np.diff(line[order]) == 0
        apart = np.diff(on[order])
        run = np.cumsum(np.r_[0, ~same | (apart > 1.6 * step)])
        first, last = np.full(run[-1] + 1, np.inf), np.full(run[-1] + 1, -np.inf)
        np.minimum.at(first, run, on[order])
        np.maximum.at(last, run, on[order])
        lengths = np.empty(len(points))
        lengths[order] = (last - first + step)[run]
        again = np.unique(line[order][1:][same & (apart > APART_MM)])
        return cls(len(again) / (int(line.max()) + 1), lengths)

    def without_bridges(self, piece: Array) -> Array:
        """The piece without the parts of lines that are much longer than usual."""
        out = piece.copy()
        out[piece] = self.lengths <= TALL * np.median(self.lengths)
        return out


def _opened(piece: Array, width: int) -> Array:
    cross = ndimage.generate_binary_structure(3, 1)
    cross[0], cross[2] = False, False
    return np.asarray(
        ndimage.binary_opening(np.pad(piece, width), cross, iterations=width)[(slice(width, -width),) * 3]
    )
