"""The vertebrae of a thinned label map: bodies between neighbouring discs, arches along the bone from the bodies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spineclock.core.volume import Array
from spineclock.segment.arches import by_place, grow
from spineclock.segment.canal import Canal
from spineclock.segment.coarse import Coarse, Points
from spineclock.segment.discs import Disc, expected_gaps_mm, gaps_mm
from spineclock.segment.ends import DENS, dens_share, lies_below, presacral, rests_on

FUSED = 1.6
"""Discs this many times the expected distance apart have one missing between them."""
WAIST = 0.8
"""Bone narrows where its cross-section falls below this share of its median between the discs."""
LEAST_BELOW, LEAST_ABOVE = 0.3, 0.01
"""Share of the median body's volume from which bone below the lowest or above the highest disc is a vertebra."""
SACRAL, DOUBTFUL = 0.15, 0.5
"""With less bone than this above it the lowest disc is one within the sacrum, or may be."""


@dataclass(frozen=True, eq=False)
class Column:
    """Discs from the lowest up, unseen ones included, and which vertebra each coarse voxel belongs to.

    ``bodies`` holds their bodies alone. In both m + 2 stands for the vertebra above disc m (counted from 0) and 1
    for one below the lowest disc. ``doubts`` say why the count may be wrong. ``sacrum`` says whether the lowest
    vertebra is known to stand on the sacrum; ``dens`` is the height of the topmost one over the distance of the discs
    below it (see :func:`spineclock.segment.ends.dens_share`).
    """

    discs: tuple[Disc, ...]
    vertebrae: npt.NDArray[np.int32]
    bodies: npt.NDArray[np.int32]
    doubts: tuple[str, ...]
    sacrum: bool = False
    dens: float = 0.0


def split(
    bone: Array, discs: tuple[Disc, ...], canal: Canal, grid: Coarse, *, sacrum_mm: Points | None = None
) -> Column:
    """The column's vertebrae from the vertebra class and the discs seen, and from where the sacrum is, if it was."""
    front = bone & canal.in_front(bone.shape, grid.spacing_mm)
    points = grid.points(front)
    sacral: tuple[str, ...] = ()
    above = presacral(discs, sacrum_mm, points) if sacrum_mm is not None else ()
    sacrum = sacrum_mm is not None and bool(above) and lies_below(above[0], sacrum_mm)
    if sacrum:
        discs = above
    else:
        discs, sacral = _without_sacral(front, discs, grid)
    discs, doubts = _with_unseen(front, discs, grid)
    doubts = sacral + doubts
    seeds = _bodies(front, discs, grid)
    dens = dens_share(grid.points(seeds == len(discs) + 1), discs)
    if DENS[1] <= dens < DENS[2]:
        discs += (_one_more(discs),)
        doubts += ("the bone above the highest disc is higher than C2: one more disc was put within it",)
        seeds = _bodies(front, discs, grid)
        dens = dens_share(grid.points(seeds == len(discs) + 1), discs)
    grown = grow(seeds, bone, grid)
    loose = bone & (grown == 0)
    near = ndimage.distance_transform_edt(seeds == 0, sampling=grid.spacing_mm) < 5.0
    scraps = front & loose & near
    grown[scraps] = _between(grid.points(scraps), discs)
    placed = by_place(loose & ~front, discs, canal, grid, top=len(discs))
    grown = np.where(placed > 0, placed + 1, grown).astype(np.int32)
    volumes = np.bincount(seeds.ravel(), minlength=len(discs) + 2)[1:].astype(float)
    inner = volumes[1:-1] if len(discs) > 1 else volumes
    usual = float(np.median(inner[inner > 0])) if (inner > 0).any() else 0.0
    stands = sacrum and sacrum_mm is not None and rests_on(discs[0], sacrum_mm, points)
    if stands or volumes[0] < LEAST_BELOW * usual or volumes[0] == 0:
        grown[grown == 1] = 0
    elif sacrum:
        doubts += ("no disc is seen between the lowest vertebra and the sacrum",)
    else:
        doubts += ("a vertebra lies below the lowest disc, so that disc may not be L5/S1",)
    if volumes[-1] < LEAST_ABOVE * usual:
        grown[grown == len(discs) + 1] = 0
    return Column(discs, grown, seeds, doubts, sacrum, dens)


def _between(points_mm: Points, discs: tuple[Disc, ...]) -> npt.NDArray[np.int32]:
    """For each point one more than the number of discs whose plane it lies above."""
    return np.asarray(1 + sum((d.above(points_mm) > 0).astype(np.int32) for d in discs), dtype=np.int32)


def _one_more(discs: tuple[Disc, ...]) -> Disc:
    """An unseen disc as far above the highest as that lies above the next."""
    high, low = discs[-1], discs[-2]
    return replace(high, centre_mm=2 * high.centre_mm - low.centre_mm, voxels=_NONE, seen=False)


def _without_sacral(front: Array, discs: tuple[Disc, ...], grid: Coarse) -> tuple[tuple[Disc, ...], tuple[str, ...]]:
    """The discs without remnants between the sacrum's parts, known by the little bone marked above them; and doubts."""
    doubts: tuple[str, ...] = ()
    while len(discs) > 2:
        volumes = np.bincount(_between(grid.points(front), discs), minlength=len(discs) + 2)[2:-1]
        share = volumes[0] / max(float(np.median(volumes[1:])), 1.0)
        if share >= DOUBTFUL:
            break
        if share >= SACRAL:
            doubts = (f"the lowest vertebra has {share:.0%} of the usual volume: the lowest disc may be a sacral one",)
            break
        discs = discs[1:]
    return discs, doubts


def _bodies(front: Array, discs: tuple[Disc, ...], grid: Coarse) -> npt.NDArray[np.int32]:
    """Bone in front of the canal by the discs it lies between; of each only the pieces ≥ 30% of its largest."""
    regions = np.zeros(front.shape, np.int32)
    regions[front] = _between(grid.points(front), discs)
    seeds = np.zeros_like(regions)
    for m, box in enumerate(ndimage.find_objects(regions), start=1):
        if box is None:
            continue
        labels, _ = ndimage.label(regions[box] == m)
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        large = np.flatnonzero(sizes >= max(0.3 * sizes.max(), 1))
        seeds[box][np.isin(labels, large)] = m
    return seeds


def _with_unseen(front: Array, discs: tuple[Disc, ...], grid: Coarse) -> tuple[tuple[Disc, ...], tuple[str, ...]]:
    """The discs with those put in that must be missing, and what is doubtful about it."""
    gaps = gaps_mm(discs)
    expected = expected_gaps_mm(gaps)
    points = grid.points(front)
    out: list[Disc] = [discs[0]]
    doubts: list[str] = []
    for (low, high), gap, usual in zip(pairwise(discs), gaps, expected, strict=True):
        if len(gaps) > 1 and gap > FUSED * usual:
            between = points[(low.above(points) > 0) & (high.above(points) < 0)]
            found, narrows = _waists(between, low, high, round(float(gap / usual)))
            out += found
            where = "the bone narrows" if narrows else "even spacing puts it, for the bone narrows nowhere between"
            doubts.append(f"discs {gap:.0f} mm apart where {usual:.0f} mm are usual: one more was put where {where}")
        out.append(high)
    return tuple(out), tuple(doubts)


def _waists(bone_mm: Points, low: Disc, high: Disc, parts: int) -> tuple[list[Disc], bool]:
    """Unseen discs that part the bone between two seen ones, and whether all lie where it narrows.

    Each is put at the narrowest place near where even spacing has it, or there if the bone does not narrow.
    """
    axis = high.centre_mm - low.centre_mm
    gap = float(np.linalg.norm(axis))
    share = (bone_mm - low.centre_mm) @ axis / gap**2
    bins = max(8, int(gap / 2.0))
    area = ndimage.uniform_filter1d(np.histogram(share, bins=bins, range=(0, 1))[0].astype(float), 3)
    middle = (np.arange(bins) + 0.5) / bins
    found, narrows = [], True
    for p in range(1, parts):
        window = np.flatnonzero(np.abs(middle - p / parts) < 0.4 / parts)
        at = window[np.argmin(area[window])]
        waist = bool((area > 0).any() and area[at] < WAIST * np.median(area[area > 0]))
        place = float(middle[at]) if waist else p / parts
        normal = (1 - place) * low.normal + place * high.normal
        normal = normal / np.linalg.norm(normal)
        found.append(replace(low, centre_mm=low.centre_mm + place * axis, normal=normal, voxels=_NONE, seen=False))
        narrows &= waist
    return found, narrows


_NONE: npt.NDArray[np.intp] = np.zeros((0, 3), np.intp)
