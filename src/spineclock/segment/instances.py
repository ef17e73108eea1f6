"""Each vertebra and each disc of a label map its own number and level, with a confidence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spineclock.core.anatomy import ARCH, BODY, DISC, LEVEL_NAMES, LEVEL_NUMBERS, Structure, disc_name
from spineclock.core.errors import GeometryError
from spineclock.core.volume import Array, Mask
from spineclock.segment.bodies import body_part
from spineclock.segment.canal import course
from spineclock.segment.coarse import Coarse, coarse, refine
from spineclock.segment.column import Column, split
from spineclock.segment.discs import Disc, expected_gaps_mm, find_discs, gaps_mm
from spineclock.segment.ends import DENS, sacrum_points
from spineclock.segment.levels import Count, counted, named

DISC_CLASS, VERTEBRA_CLASS, CANAL_CLASS, SACRUM_CLASS = 1, 2, 3, 4
DOUBT = 0.7
"""What one doubt about the count takes off the confidence, as a factor."""


@dataclass(frozen=True)
class Instance:
    """One vertebra or disc.

    Parameters
    ----------
    level : str
        "L4" for a vertebra, "L4/L5" for a disc.
    number : int
        Its number in the label map: the level's, + 100 for the disc below it.
    complete : bool
        Whether it (of a vertebra, its body) keeps clear of the upper and lower border of the field of view and, for
        the topmost vertebra and one below the lowest disc, has at least 60% of its neighbour's bone.
    centroid_mm : tuple of float
        Its middle in the patient (right, anterior, superior).
    voxels : int
        Voxels it has on the mask's grid.
    confidence : float
        0 … 1, see :func:`find`.
    """

    level: str
    number: int
    complete: bool
    centroid_mm: tuple[float, float, float]
    voxels: int
    confidence: float


@dataclass(frozen=True, eq=False)
class Instances:
    """A label map in the spineclock numbering, and each vertebra and disc in it from the lowest up.

    ``labels`` holds vertebrae as their level's number, discs as 100 + the vertebra above, the canal as 61, the sacrum
    as 26. ``sacrum`` says whether levels were counted from it. ``presacral`` is how many vertebrae, C1 included, the
    person has above it, where C2 is in view too, else 0.
    """

    labels: Mask
    vertebrae: tuple[Instance, ...]
    discs: tuple[Instance, ...]
    confidence: float
    notes: tuple[str, ...] = ()
    sacrum: bool = False
    presacral: int = 0

    @property
    def supernumerary(self) -> bool:
        """Whether the person was counted to have one vertebra more or less than the usual 24, or a transitional one."""
        return self.presacral not in (0, 24)


def find(mask: Mask, *, certainty: Array | None = None, lowest_vertebra: str | None = None) -> Instances:
    """The vertebrae and discs of a canonical label map of classes (1 disc, 2 vertebra, 3 canal, 4 sacrum), by level.

    Discs are the disc class's connected pieces, from the lowest up (:func:`~spineclock.segment.discs.find_discs`).
    Of what lies in front of the canal, a vertebra's body is what lies between the planes of two neighbouring discs;
    its arch is what is nearest to that body along the bone, and bone no body reaches goes by its height behind the
    canal. Where discs lie more than 1.6 × the neighbouring distances apart, a disc is taken to be missing (fused
    vertebrae) and the bone is parted at its narrowest place between them, or evenly where it does not narrow.

    Where a sacrum is marked the vertebra above it is L5 and discs within it are none; where none is, the lowest disc is
    taken for L5/S1. Where the topmost vertebra is C2, known by its dens, names are counted down from there as well
    (:func:`~spineclock.segment.levels.counted`). C1, which has no disc below it, stays with C2.

    The confidence of the whole is a product: the mean certainty of the disc and vertebra voxels (1 where not given)
    × the share of those voxels that found a place × the least regularity of the discs' spacing (1 up to 25% off what
    the neighbours lead to expect, 0 from 100% off) × 0.7 for each doubt about the count named in the notes. That of
    one vertebra or disc is its own mean certainty × the regularity of the spacings beside it. It is a measure of
    plausibility, not a calibrated probability.

    Parameters
    ----------
    mask : Mask
        Axes right, anterior, superior; any spacing.
    certainty : ndarray, optional
        The probability of the likeliest class, on the same grid.
    lowest_vertebra : str, optional
        The level of the lowest vertebra found, where the reader knows better than "the lowest disc is L5/S1".

    Raises
    ------
    GeometryError
        If the certainty lies on another grid.
    UsageError
        If ``lowest_vertebra`` is no level.
    """
    if certainty is not None and certainty.shape != mask.shape:
        raise GeometryError(f"a certainty of shape {certainty.shape} for a mask of {mask.shape}", wanted="one grid")
    named(0, lowest_vertebra=lowest_vertebra)
    grid = coarse(mask)
    bone = None if grid is None else np.isin(grid.array, (VERTEBRA_CLASS, SACRUM_CLASS))
    discs = () if grid is None else find_discs(grid.array == DISC_CLASS, grid, bone=bone)
    if grid is None or not discs:
        return Instances(_canal_only(mask), (), (), 0.0, ("no disc was found, so no level can be told",))
    canal = course(grid.array == CANAL_CLASS, [d.voxels for d in discs], grid.spacing_mm)
    notes = () if canal.marked else ("no canal was found: bodies and arches were parted behind the discs instead",)
    sacrum_mm = sacrum_points(grid.array == SACRUM_CLASS, grid)
    column = split(grid.array == VERTEBRA_CLASS, discs, canal, grid, sacrum_mm=sacrum_mm)
    count, numbers, dropped = _numbers(column, lowest_vertebra)
    column = replace(column, doubts=column.doubts + count.doubts + ((count.unusual,) if count.unusual else ()))
    labels = _labels(mask, grid, column, numbers)
    found = _described(mask, labels, grid, column, numbers, certainty, notes + column.doubts + dropped)
    return replace(found, sacrum=column.sacrum, presacral=count.presacral)


def bodies(instances: Instances) -> Mask:
    """The body of each vertebra, numbered 200 + the vertebra: what lies in front of the canal and its pedicles' roots.

    The cut follows the canal's front and, to the sides, the body's own posterior wall as seen near the midline.
    """
    array = instances.labels.array
    vertebrae = np.array([v.number for v in instances.vertebrae], int)
    out = np.zeros(array.shape, np.uint8)
    boxes = ndimage.find_objects((array > 0).astype(np.uint8))
    if not boxes or not len(vertebrae):
        return Mask(out, instances.labels.affine)
    crop = array[boxes[0]]
    discs = [np.argwhere(crop == d.number) for d in instances.discs]
    canal = course(crop == Structure.CANAL, discs, instances.labels.spacing_mm)
    body = body_part(crop, vertebrae, canal, instances.labels.spacing_mm)
    out[boxes[0]] = np.where(body, crop + np.uint8(BODY), 0)
    return Mask(out, instances.labels.affine)


def semantic(labels: Mask) -> Mask:
    """The classes (1 disc, 2 vertebra, 3 canal, 4 sacrum) of a label map in the spineclock numbering.

    Bodies and arches count as vertebra; cord and CSF as canal; S1 with its parts and the disc below it as sacrum; ribs
    and muscles as background.

    >>> semantic(Mask(np.array([[[0, 24, 124, 61, 224, 26, 419]]]), np.eye(4))).array.tolist()
    [[[0, 2, 1, 3, 2, 4, 0]]]
    """
    vertebrae = np.array([n for name, n in LEVEL_NUMBERS.items() if name != "S1"])
    table = np.zeros(max(512, int(labels.array.max(initial=0)) + 1), np.uint8)
    table[np.r_[vertebrae, vertebrae + BODY, vertebrae + ARCH]] = VERTEBRA_CLASS
    table[vertebrae + DISC] = DISC_CLASS
    table[[Structure.CANAL, Structure.CORD, Structure.CSF]] = CANAL_CLASS
    table[LEVEL_NUMBERS["S1"] + np.array([0, DISC, BODY, ARCH])] = SACRUM_CLASS
    return labels.with_array(table[labels.array])


def _canal_only(mask: Mask) -> Mask:
    return mask.with_array(np.where(mask.array == CANAL_CLASS, Structure.CANAL, 0).astype(np.uint8))


def _numbers(column: Column, lowest: str | None) -> tuple[Count, npt.NDArray[np.uint8], tuple[str, ...]]:
    """The count, the level number for each value of ``column.vertebrae``, 0 where the neck ends; a note if it did."""
    below = bool((column.vertebrae == 1).any())
    first = 1 if below else 2
    wanted = len(column.discs) + 2 - first
    c2 = DENS[0] <= column.dens < DENS[1]  # above that a disc was missed, and the count with it
    count = counted(wanted, lowest_vertebra=lowest, below=below, sacrum=column.sacrum, c2=c2)
    names = count.names
    numbers = np.zeros(len(column.discs) + 2, np.uint8)
    numbers[first : first + len(names)] = [LEVEL_NUMBERS[n] for n in names]
    over = wanted - len(names)
    return count, numbers, ((f"{over} vertebrae would lie above C1 and were left out",) if over else ())


def _labels(mask: Mask, grid: Coarse, column: Column, numbers: npt.NDArray[np.uint8]) -> Mask:
    """The label map on the full grid."""
    out = np.zeros(mask.shape, np.uint8)
    box = mask.array[grid.box()]
    discs = np.zeros(grid.array.shape, np.uint8)
    for m, disc in enumerate(column.discs):
        if disc.seen and numbers[m + 2]:
            discs[tuple(disc.voxels.T)] = numbers[m + 2] + DISC
    inside = refine(numbers[column.vertebrae], box == VERTEBRA_CLASS, grid)
    inside |= refine(discs, box == DISC_CLASS, grid)
    inside[box == CANAL_CLASS] = Structure.CANAL
    if column.sacrum:
        inside[box == SACRUM_CLASS] = LEVEL_NUMBERS["S1"]
    out[grid.box()] = inside
    return mask.with_array(out)


def _described(mask: Mask, labels: Mask, grid: Coarse, column: Column, numbers: npt.NDArray[np.uint8],
               certainty: Array | None, notes: tuple[str, ...]) -> Instances:  # fmt: skip
    """The label map with its list of instances, from the sums over its voxels."""
    counts, centres, sure = _sums(labels.array, certainty)
    regular = np.r_[1.0, _regularity(column.discs), 1.0]
    cut = _cut(mask, labels, grid, numbers[column.bodies])

    def instance(number: int, level: str, whole: bool, steady: float) -> Instance:
        x, y, z = (float(c) for c in labels.affine[:3, :3] @ centres[number] + labels.affine[:3, 3])
        confidence = float(sure[number] * steady)
        return Instance(level, number, whole and number not in cut, (x, y, z), int(counts[number]), confidence)

    whole, discs_named = _whole(column), _disc_names(numbers)
    vertebrae = tuple(
        instance(int(v), LEVEL_NAMES[int(v)], bool(whole[m]), float(regular[max(m - 1, 0)]))
        for m, v in enumerate(numbers)
        if v and counts[v]
    )
    discs = tuple(
        instance(int(v) + DISC, discs_named[int(v)], True, float(regular[m - 2 : m].min()))
        for m, v in enumerate(numbers)
        if v and m >= 2 and counts[int(v) + DISC]
    )
    tissue = (mask.array == DISC_CLASS) | (mask.array == VERTEBRA_CLASS)
    placed = float(np.count_nonzero(tissue & (labels.array > 0)) / np.count_nonzero(tissue))
    mean = 1.0 if certainty is None else float(certainty[tissue].mean())
    overall = mean * placed * float(regular.min()) * DOUBT ** len(column.doubts)
    return Instances(labels, vertebrae, discs, overall, notes)


def _cut(mask: Mask, labels: Mask, grid: Coarse, bodies: Array) -> set[int]:
    """Numbers of the discs, and of the vertebrae whose bodies, touch the upper or lower border of the field of view."""
    touching = {int(n) for n in np.unique(labels.array[:, :, [0, -1]]) if n > DISC}
    if grid.start[2] == 0:
        touching |= {int(n) for n in np.unique(bodies[:, :, 0])}
    if grid.stop[2] == mask.shape[2]:
        touching |= {int(n) for n in np.unique(bodies[:, :, -1])}
    return touching


def _whole(column: Column) -> npt.NDArray[np.bool_]:
    """For each value of ``column.vertebrae`` whether, at either end, it has at least 60% of its neighbour's bone."""
    sizes = np.bincount(column.vertebrae.ravel(), minlength=len(column.discs) + 2)
    whole = np.ones(len(sizes), bool)
    whole[-1] = sizes[-1] >= 0.6 * sizes[-2]
    lowest = 1 if sizes[1] else 2
    if lowest + 1 < len(sizes) - 1:
        whole[lowest] &= sizes[lowest] >= 0.6 * sizes[lowest + 1] or lowest == 2
    return whole


def _disc_names(numbers: npt.NDArray[np.uint8]) -> dict[int, str]:
    """The name of the disc below each vertebra, by the vertebra that was counted below it where there is one."""
    levels = [LEVEL_NAMES[int(n)] for n in numbers if n]
    names = {LEVEL_NUMBERS[levels[0]]: disc_name(levels[0])} if levels else {}
    return names | {LEVEL_NUMBERS[above]: f"{above}/{below}" for below, above in pairwise(levels)}


def _sums(labels: Array, certainty: Array | None) -> tuple[Array, Array, Array]:
    """Voxels, middles (voxel index) and mean certainty of each number 0 … 255."""
    where = np.nonzero(labels)
    values = labels[where]
    counts = np.bincount(values, minlength=256)
    n = np.maximum(counts, 1)
    middles = np.stack([np.bincount(values, weights=w, minlength=256) / n for w in where], axis=1)
    sure = np.ones(256) if certainty is None else np.bincount(values, weights=certainty[where], minlength=256) / n
    return counts, middles, sure


def _regularity(discs: tuple[Disc, ...]) -> npt.NDArray[np.float64]:
    """For each gap between neighbouring discs 1 up to 25% off the expected, falling to 0 at 100% off."""
    gaps = gaps_mm(discs)
    off = np.abs(gaps / expected_gaps_mm(gaps) - 1)
    return np.asarray(np.clip((1 - off) / 0.75, 0, 1))
