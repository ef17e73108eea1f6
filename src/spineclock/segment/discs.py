"""Which voxels of the disc class are which disc, from the lowest up, and the plane each lies in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spineclock.core.volume import Array
from spineclock.segment import clumps
from spineclock.segment.coarse import Coarse, Points

MIN_MM3 = 150.0
"""Less than this is never a disc, in a mask at least 8 mm wide; in proportion less in a narrower one."""
MIN_SHARE = 0.1
"""Nor is what has less than this share of the median disc's volume."""
TOUCH_MM, TOUCHING = 3.0, 0.08
"""A disc has at least this share of its voxels within so many millimetres of bone in its own slice."""
NEAR_MM = 120.0
"""Discs are compared in size with those within this distance: cervical ones have a tenth of a lumbar one's volume."""
STEEPEST = 0.6
"""Cosine of the angle between a disc's normal and the way to its neighbours below which the shape is not trusted."""


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


def find_discs(disc_class: Array, grid: Coarse, *, bone: Array | None = None) -> tuple[Disc, ...]:
    """The discs of a thinned label map, from the lowest up.

    Pieces that lie in one plane are one disc; discs grown together are parted; islands are left out, and so are, where
    ``bone`` is given, pieces that touch none while most do. The order is that of the shortest path through the centres,
    which holds where height alone would not (steep sacrum, scoliosis).
    """
    pieces = _touching(_pieces(disc_class, grid), bone, grid)
    volumes = np.array([len(p) for p in pieces], float) * float(np.prod(grid.spacing_mm))
    least = _least_mm3(grid)
    large = volumes[volumes >= least]
    if large.size == 0:
        return ()
    heights = np.array([p[:, 2].mean() for p in pieces]) * grid.spacing_mm[2]
    near = (np.abs(heights - h) < NEAR_MM for h in heights)
    enough = [
        v >= max(least, MIN_SHARE * _median(volumes[n & (volumes >= least)]))
        for v, n in zip(volumes, near, strict=True)
    ]
    discs = [_disc(p, grid) for p, e in zip(pieces, enough, strict=True) if e]
    discs = _without_islands(_joined(_ordered(discs), grid))
    small = [p for p, e in zip(pieces, enough, strict=True) if not e]
    return tuple(_steadied(_with_scraps(discs, small, grid)))


def gaps_mm(discs: tuple[Disc, ...]) -> Points:
    """Distances between the centres of neighbouring discs."""
    return np.array([np.linalg.norm(b.centre_mm - a.centre_mm) for a, b in pairwise(discs)], float)


def expected_gaps_mm(gaps: Points) -> Points:
    """What each distance would be by its neighbours: the median of up to two on either side, or itself if alone."""
    near = [np.r_[gaps[max(0, i - 2) : i], gaps[i + 1 : i + 3]] for i in range(len(gaps))]
    return np.array([float(np.median(n)) if len(n) else g for n, g in zip(near, gaps, strict=True)])


def _touching(pieces: list[Array], bone: Array | None, grid: Coarse) -> list[Array]:
    """The pieces a fair part of whose surface lies within 3 mm of bone; all of them where few do, as in a bare mask."""
    if bone is None or not bone.any():
        return pieces
    near = ndimage.distance_transform_edt(~bone, sampling=(1e3, *grid.spacing_mm[1:])) <= TOUCH_MM
    shares = np.array([near[tuple(p.T)].mean() for p in pieces])
    sizes = np.array([len(p) for p in pieces])
    if sizes[shares >= TOUCHING].sum() < 0.7 * sizes.sum():
        return pieces
    return [p for p, share in zip(pieces, shares, strict=True) if share >= TOUCHING]


def _median(values: Points) -> float:
    return float(np.median(values)) if len(values) else 0.0


def _least_mm3(grid: Coarse) -> float:
    """The volume below which nothing is a disc in a mask of this width."""
    return float(MIN_MM3 * min(1.0, grid.array.shape[0] * grid.spacing_mm[0] / 8.0))


def _pieces(disc_class: Array, grid: Coarse) -> list[Array]:
    """Connected pieces as voxel indices, shape (N, 3); clumps of several discs parted."""
    labels, _ = ndimage.label(disc_class)
    pieces: list[Array] = []
    for index, box in enumerate(ndimage.find_objects(labels), start=1):
        corner = np.array([s.start for s in box])
        pieces += [np.argwhere(part) + corner for part in clumps.parted(labels[box] == index, grid, _least_mm3(grid))]
    return pieces


def _disc(voxels: Array, grid: Coarse) -> Disc:
    """A disc's plane: its long axis within the sagittal plane, and its tilt to the side by regression.

    The regression is damped by 3 mm, so that a disc seen in one slice only has no tilt.
    """
    points = voxels * np.asarray(grid.spacing_mm)
    centre = points.mean(0)
    away = points - centre
    long_axis = np.linalg.eigh(np.cov(away[:, 1:].T, ddof=0) + 1e-6 * np.eye(2))[1][:, 1]
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
    """Discs without those both small and too near a neighbour, beside others within 120 mm.

    Small is under 40% of their median volume, too near under half of what the gaps beside it lead to expect.
    """
    while len(discs) > 3:
        gaps, sizes = gaps_mm(tuple(discs)), np.array([len(d.voxels) for d in discs], float)
        heights = np.array([d.centre_mm[2] for d in discs])
        usual = np.array([_median(sizes[np.abs(heights - h) < NEAR_MM]) for h in heights])
        close = gaps < 0.5 * np.array([np.median(gaps[max(0, i - 3) : i + 4]) for i in range(len(gaps))])
        islands = np.flatnonzero((np.r_[False, close] | np.r_[close, False]) & (sizes < 0.4 * usual))
        if islands.size == 0:
            break
        worst = int(islands[np.argmin(sizes[islands] / usual[islands])])
        discs = discs[:worst] + discs[worst + 1 :]
    return discs


def _steadied(discs: list[Disc]) -> list[Disc]:
    """Discs whose plane, told from few voxels, leans far from the way to their neighbours, with that way as normal."""
    if len(discs) < 3:
        return discs
    out = []
    for i, disc in enumerate(discs):
        way = discs[min(i + 1, len(discs) - 1)].centre_mm - discs[max(i - 1, 0)].centre_mm
        way = way / np.linalg.norm(way)
        out.append(disc if float(disc.normal @ way) > STEEPEST else replace(disc, normal=way))
    return out


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
