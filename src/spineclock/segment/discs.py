"""Which voxels of the disc class are which disc, from the lowest up, and the plane each lies in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spineclock.core.volume import Array
from spineclock.segment.coarse import Coarse, Points

MIN_MM3 = 150.0
"""Less than this is never a disc, in a mask at least 8 mm wide; in proportion less in a narrower one."""
MIN_SHARE = 0.1
"""Nor is what has less than this share of the median disc's volume."""
THICK_MM = 5.5
"""Standard deviation across a disc's thin side above which it must be several discs grown together."""


@dataclass(frozen=True, eq=False)
class Disc:
    """One disc's middle and its plane, in millimetres along the grid's axes.

    ``normal`` points up. A disc that was not seen but must be there, between fused or unmarked
    vertebrae, has ``seen`` False and no voxels.
    """

    centre_mm: Points
    normal: Points
    voxels: Array
    seen: bool = True

    def above(self, points_mm: Points) -> Points:
        """Signed distance of points, shape (…, 3), above the disc's plane."""
        return np.asarray((points_mm - self.centre_mm) @ self.normal)


def find_discs(disc_class: Array, grid: Coarse) -> tuple[Disc, ...]:
    """The discs of a thinned label map, from the lowest up.

    Pieces that lie in one plane are one disc; clumps too thick for a disc are opened within the sagittal plane and
    parted; islands are left out. The order is that of the shortest path through the centres, which holds where
    height alone would not (steep sacrum, scoliosis).
    """
    pieces = _pieces(disc_class, grid)
    volumes = np.array([len(p) for p in pieces], float) * float(np.prod(grid.spacing_mm))
    least = _least_mm3(grid)
    large = volumes[volumes >= least]
    if large.size == 0:
        return ()
    least = max(least, MIN_SHARE * float(np.median(large)))
    discs = [_disc(p, grid) for p, v in zip(pieces, volumes, strict=True) if v >= least]
    discs = _without_islands(_joined(_ordered(discs), grid))
    small = [p for p, v in zip(pieces, volumes, strict=True) if v < least]
    return tuple(_with_scraps(discs, small, grid))


def gaps_mm(discs: tuple[Disc, ...]) -> Points:
    """Distances between the centres of neighbouring discs."""
    return np.array([np.linalg.norm(b.centre_mm - a.centre_mm) for a, b in pairwise(discs)], float)


def expected_gaps_mm(gaps: Points) -> Points:
    """What each distance would be by its neighbours: the median of up to two on either side, or itself if alone."""
    near = [np.r_[gaps[max(0, i - 2) : i], gaps[i + 1 : i + 3]] for i in range(len(gaps))]
    return np.array([float(np.median(n)) if len(n) else g for n, g in zip(near, gaps, strict=True)])


def _least_mm3(grid: Coarse) -> float:
    """The volume below which nothing is a disc in a mask of this width."""
    return float(MIN_MM3 * min(1.0, grid.array.shape[0] * grid.spacing_mm[0] / 8.0))


def _pieces(disc_class: Array, grid: Coarse) -> list[Array]:
    """Connected pieces as voxel indices, shape (N, 3); clumps of several discs parted."""
    labels, _ = ndimage.label(disc_class)
    pieces: list[Array] = []
    for index, box in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[box] == index
        corner = np.array([s.start for s in box])
        if np.count_nonzero(inside) * np.prod(grid.spacing_mm) > _least_mm3(grid) and _too_thick(inside, grid):
            inside_labels = _parted(inside, grid)
        else:
            inside_labels = inside.astype(np.int32)
        pieces += [np.argwhere(inside_labels == m) + corner for m in range(1, int(inside_labels.max()) + 1)]
    return pieces


def _too_thick(piece: Array, grid: Coarse) -> bool:
    points = grid.points(piece)[:, 1:]
    thin = np.linalg.eigvalsh(np.cov(points.T))[0] if len(points) > 2 else 0.0
    return bool(np.sqrt(max(thin, 0.0)) > THICK_MM)


def _parted(clump: Array, grid: Coarse) -> Array:
    """Labels of a clump's parts, by ever wider opening within sagittal slices until every part is thin enough."""
    disc = ndimage.generate_binary_structure(3, 1)
    disc[0], disc[2] = False, False
    for width in (1, 2, 3):
        opened = ndimage.binary_opening(np.pad(clump, width), disc, iterations=width)[(slice(width, -width),) * 3]
        labels, n = ndimage.label(opened)
        sizes = np.bincount(labels.ravel(), minlength=n + 1)[1:] * float(np.prod(grid.spacing_mm))
        keep = np.flatnonzero(sizes >= _least_mm3(grid)) + 1
        if len(keep) > 1:
            seeds = np.zeros(labels.shape, np.int32)
            for new, old in enumerate(keep, start=1):
                seeds[labels == old] = new
            nearest = ndimage.distance_transform_edt(
                seeds == 0, sampling=grid.spacing_mm, return_distances=False, return_indices=True
            )
            return np.asarray(np.where(clump, seeds[tuple(nearest)], 0))
    return clump.astype(np.int32)


def _disc(voxels: Array, grid: Coarse) -> Disc:
    """A disc's plane: its long axis within the sagittal plane, and its tilt to the side by regression.

    The regression is damped by 3 mm, so that a disc seen in one slice only has no tilt.
    """
    points = voxels * np.asarray(grid.spacing_mm)
    centre = points.mean(0)
    away = points - centre
    long_axis = np.linalg.eigh(np.cov(away[:, 1:].T) + 1e-6 * np.eye(2))[1][:, 1]
    across = np.array([-long_axis[1], long_axis[0]])
    across = across if across[1] >= 0 else -across
    height = away[:, 1:] @ across
    tilt = float(np.clip((height * away[:, 0]).mean() / ((away[:, 0] ** 2).mean() + 9.0), -1.0, 1.0))
    normal = np.array([-tilt, *across])
    return Disc(centre, normal / np.linalg.norm(normal), voxels)


def _ordered(discs: list[Disc]) -> list[Disc]:
    """Discs by height, then with neighbours swapped as long as that shortens the path through them."""
    discs = sorted(discs, key=lambda d: float(d.centre_mm[2]))

    def length(path: list[Disc]) -> float:
        return float(gaps_mm(tuple(path)).sum())

    changed = True
    while changed:
        changed = False
        for i in range(len(discs) - 1):
            swapped = [*discs[:i], discs[i + 1], discs[i], *discs[i + 2 :]]
            if length(swapped) < length(discs) - 1e-6:
                discs, changed = swapped, True
    return discs


def _joined(discs: list[Disc], grid: Coarse) -> list[Disc]:
    """Discs with neighbours that lie in one plane made one."""
    i = 0
    while i < len(discs) - 1:
        a, b = discs[i], discs[i + 1]
        apart = max(abs(float(a.above(b.centre_mm))), abs(float(b.above(a.centre_mm))))
        if apart < 6.0:
            discs = [*discs[:i], _disc(np.concatenate([a.voxels, b.voxels]), grid), *discs[i + 2 :]]
        else:
            i += 1
    return discs


def _without_islands(discs: list[Disc]) -> list[Disc]:
    """Discs without those both small and too near a neighbour: under 40% of the median volume, half the median gap."""
    while len(discs) > 3:
        gaps, sizes = gaps_mm(tuple(discs)), np.array([len(d.voxels) for d in discs], float)
        near = np.minimum(np.r_[np.inf, gaps], np.r_[gaps, np.inf]) < 0.5 * np.median(gaps)
        islands = np.flatnonzero(near & (sizes < 0.4 * np.median(sizes)))
        if islands.size == 0:
            break
        worst = int(islands[np.argmin(sizes[islands])])
        discs = discs[:worst] + discs[worst + 1 :]
    return discs


def _with_scraps(discs: list[Disc], scraps: list[npt.NDArray[np.intp]], grid: Coarse) -> list[Disc]:
    """Discs with the small pieces that lie within 4 mm of their plane and 30 mm of their middle."""
    for piece in scraps:
        middle = piece.mean(0) * np.asarray(grid.spacing_mm)
        for n, disc in enumerate(discs):
            near = float(np.linalg.norm(middle - disc.centre_mm)) < 30.0
            if near and abs(float(disc.above(middle))) < 4.0:
                discs[n] = replace(disc, voxels=np.concatenate([disc.voxels, piece]))
                break
    return discs
