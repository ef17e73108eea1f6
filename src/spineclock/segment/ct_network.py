"""Class probabilities of a whole CT from the 3-D network, and the likeliest class at each voxel of the scan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spineclock.core.anatomy import CT_CLASSES
from spineclock.core.geometry import canonical, resample, resample_like
from spineclock.core.volume import Array, Mask, Volume
from spineclock.segment.ct_grid import AIR_HU, MULTIPLE, NUMBER, VOXEL_MM, Floats, windows

CtScorer = Callable[[Floats], Floats]
"""Class probabilities (N, C, I, J, K) from blocks (N, 2, I, J, K); multiples of 16 along each axis."""

TALL, OVERLAP = 192, 48
"""Slices of 2 mm looked at in one go, and of these how many are looked at twice: taller scans come in parts."""
BODY_HU = -500
"""Anything denser belongs to a person, or a table."""
SPINE = tuple(NUMBER[name] for name in ("disc", "body", "canal", "sacrum", "arch"))
MARGIN = 4
STRAY = 0.1
"""Pieces of a muscle, of one side, smaller than this share of the largest are left out."""


@dataclass(frozen=True, eq=False)
class Scored:
    """Probabilities (C, I, J, K) on a grid of 2 mm voxels, cropped to what is not background."""

    probabilities: Floats
    affine: Array

    @property
    def found(self) -> bool:
        """Whether there is anything of a spine."""
        return self.probabilities.shape[1] > 0


def scored(volume: Volume, scorer: CtScorer) -> Scored:
    """Probabilities of each class in a canonical CT; what is no part of the one spine and its muscles is background.

    Parameters
    ----------
    volume : Volume
        In Hounsfield units, axes right, anterior, superior.
    """
    samples = volume.with_array(volume.array.astype(np.float32))
    grid = resample(samples, (VOXEL_MM, VOXEL_MM, VOXEL_MM))
    within = _box(grid.array > BODY_HU, 0)
    array = grid.array[within]
    if not array.size:
        return Scored(np.zeros((len(CT_CLASSES), 0, 0, 0), np.float32), grid.affine)
    total = np.zeros((len(CT_CLASSES), *array.shape), np.float32)
    weight = np.zeros(array.shape[2], np.float32)
    for start, stop in _parts(array.shape[2]):
        total[..., start:stop] += _block(array[:, :, start:stop], scorer)
        weight[start:stop] += 1
    total /= np.maximum(weight, 1)
    total = _tidied(total)
    kept = _box(total[0] < 0.5, MARGIN)
    affine = np.array(grid.affine)
    affine[:3, 3] += affine[:3, :3] @ [a.start + b.start for a, b in zip(within, kept, strict=True)]
    return Scored(total[:, kept[0], kept[1], kept[2]], affine)


def likeliest(found: Scored, target: Volume) -> tuple[Mask, Floats]:
    """The likeliest class at each voxel of ``target`` and its probability, interpolated between voxels of 2 mm."""
    best = np.zeros(target.shape, np.uint8)
    highest = np.ones(target.shape, np.float32)
    if not found.found:
        return Mask(best, target.affine), highest
    box, affine = _covered(found, target)
    shape = tuple(s.stop - s.start for s in box)
    most, which = np.full(shape, -1.0, np.float32), np.zeros(shape, np.uint8)
    for number, p in enumerate(found.probabilities):
        here = resample_like(Volume(p, found.affine), shape, affine).array  # beyond the grid's box all are 0
        which[here > most] = number
        np.maximum(most, here, out=most)
    best[box], highest[box] = which, most
    return Mask(best, target.affine), highest


def _covered(found: Scored, target: Volume) -> tuple[tuple[slice, ...], Array]:
    """The box of the target's voxels that the grid covers, and its affine."""
    ends = np.array(np.meshgrid(*[(0, n - 1) for n in found.probabilities.shape[1:]], indexing="ij")).reshape(3, -1)
    at = np.linalg.inv(target.affine) @ found.affine @ np.vstack([ends, np.ones(ends.shape[1])])
    low = np.maximum(np.floor(at[:3].min(axis=1)).astype(int), 0)
    high = np.minimum(np.ceil(at[:3].max(axis=1)).astype(int) + 1, target.shape)
    affine = np.array(target.affine)
    affine[:3, 3] += affine[:3, :3] @ low
    return tuple(slice(int(a), int(max(a, b))) for a, b in zip(low, high, strict=True)), affine


def _block(array: Array, scorer: CtScorer) -> Floats:
    """Probabilities of one part, padded with air to the network's multiples: the mean of what it and its mirror say."""
    pad = [(0, -n % MULTIPLE) for n in array.shape]
    block = windows(np.pad(array, pad, constant_values=AIR_HU))[None]
    seen = scorer(block) + scorer(np.ascontiguousarray(block[:, :, ::-1]))[:, :, ::-1]
    i, j, k = array.shape
    return seen[0, :, :i, :j, :k] / np.float32(2)


def _parts(slices: int) -> list[tuple[int, int]]:
    """From where to where each part goes.

    >>> _parts(100), _parts(400)
    ([(0, 100)], [(0, 192), (144, 336), (208, 400)])
    """
    if slices <= TALL:
        return [(0, slices)]
    starts = list(range(0, slices - TALL, TALL - OVERLAP))
    return [(a, a + TALL) for a in (*starts, slices - TALL)]


def _tidied(p: Floats) -> Floats:
    """The probabilities with all made background but the largest connected spine and the muscles beside it."""
    best = p.argmax(axis=0)
    spine = _largest(np.isin(best, SPINE))
    stray = np.isin(best, SPINE) & ~spine
    if spine.any():
        heights = np.flatnonzero(spine.any(axis=(0, 1)))
        k = np.arange(spine.shape[2])
        x = np.arange(spine.shape[0])[:, None, None]
        middle = np.interp(k, heights, [float(np.median(np.nonzero(spine[:, :, h])[0])) for h in heights])
        for muscle in (NUMBER["psoas"], NUMBER["erector"]):
            for side in (x <= middle, x > middle):
                stray |= _small((best == muscle) & side)
    else:
        stray |= best > 0
    p[:, stray] = 0
    p[0, stray] = 1
    return p


def _largest(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    pieces, n = ndimage.label(ndimage.binary_dilation(mask))
    if n < 2:
        return mask
    sizes = np.bincount(pieces[mask], minlength=n + 1)
    return np.asarray(mask & (pieces == sizes.argmax()))


def _small(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """What belongs to pieces much smaller than the largest."""
    pieces, n = ndimage.label(mask)
    if n < 2:
        return np.zeros_like(mask)
    sizes = np.bincount(pieces.ravel(), minlength=n + 1)
    sizes[0] = 0
    return np.asarray(mask & (sizes < STRAY * sizes.max())[pieces])


def _box(mask: npt.NDArray[np.bool_], margin: int) -> tuple[slice, slice, slice]:
    found = ndimage.find_objects(mask.astype(np.uint8))
    if not found:
        return slice(0, 0), slice(0, 0), slice(0, 0)
    i, j, k = (
        slice(max(0, s.start - margin), min(n, s.stop + margin)) for s, n in zip(found[0], mask.shape, strict=True)
    )
    return i, j, k


def label_map(volume: Volume, scorer: CtScorer) -> tuple[Mask, Floats]:
    """The likeliest class of each voxel of a CT, on its canonical grid, and its probability."""
    whole = canonical(volume)
    return likeliest(scored(whole, scorer), whole)
