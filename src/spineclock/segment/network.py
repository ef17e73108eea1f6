"""Class probabilities of a whole scan from the slice network, and the label map they make."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from spineclock.core.geometry import resample_like
from spineclock.core.volume import Mask, Volume
from spineclock.segment.slices import (
    MULTIPLE,
    Floats,
    from_pictures,
    standardised,
    to_pictures,
    windowed,
    with_neighbours,
    working_grid,
)

Scorer = Callable[[Floats], Floats]
"""Class probabilities (N, C, H, W) from pictures (N, 3, H, W); H and W multiples of 32, C as many as it tells apart."""

VIEWS_MM = ((1.0, False), (3.0, True))
"""Averaged looks at each slice: distance of the neighbours in millimetres, and whether left and right are swapped."""


PROBES = 5
"""Slices, spread over the scan, in which the spine is looked for first."""
MARGIN = 32
"""Pixels kept round what the probes found: 15 mm."""


def class_probabilities(
    volume: Volume, scorer: Scorer, *, views_mm: tuple[tuple[float, bool], ...] = VIEWS_MM, batch: int = 4
) -> tuple[Floats, Volume]:
    """Probabilities of each class, shape (C, I, J, K), and the working-grid volume they lie on.

    ``volume`` is canonical. A few slices are looked at whole; the rest only round the spine found in these, the
    remainder being background. Views that come to the same slices are computed once.
    """
    grid = working_grid(volume)
    pictures = standardised(windowed(to_pictures(grid.array)))
    n, rows, columns = pictures.shape
    pad = [(0, 0), (0, -rows % MULTIPLE), (0, -columns % MULTIPLE)]
    pictures = np.pad(pictures, pad, mode="constant", constant_values=float(pictures.min()))
    looks = {
        (min(max(1, round(mm / grid.spacing_mm[0])), max(n - 1, 1)), mirrored if n > 1 else False)
        for mm, mirrored in views_mm
    }
    classes, window = _spine_window(pictures, scorer)
    total = np.zeros((n, classes, *pictures.shape[1:]), np.float32)
    total[:, 0] = 1.0
    if window is not None:
        found = np.zeros((n, classes, *pictures[0][window].shape), np.float32)
        for offset, mirrored in sorted(looks):
            stacks = with_neighbours(pictures[(slice(None), *window)], offset, mirrored=mirrored)
            for start in range(0, n, batch):
                found[start : start + batch] += scorer(np.ascontiguousarray(stacks[start : start + batch]))
        total[(slice(None), slice(None), *window)] = found / len(looks)
    total = total[:, :, :rows, :columns]
    return np.stack([from_pictures(total[:, c]) for c in range(classes)]), grid


def _spine_window(pictures: Floats, scorer: Scorer) -> tuple[int, tuple[slice, slice] | None]:
    """The number of classes, and the rows and columns that hold the spine with a margin, in the network's multiples.

    The latter is None where there is no spine.
    """
    index = np.unique(np.linspace(0, len(pictures) - 1, PROBES).round().astype(int))
    probes = scorer(np.ascontiguousarray(with_neighbours(pictures, 1, of=index)))
    spine = (probes.argmax(axis=1) > 0).any(axis=0)
    if not spine.any():
        return probes.shape[1], None
    rows, columns = (_span(np.flatnonzero(spine.any(axis)), spine.shape[1 - axis]) for axis in (1, 0))
    return probes.shape[1], (rows, columns)


def _span(found: npt.NDArray[np.intp], length: int) -> slice:
    low = max(0, int(found[0]) - MARGIN) // MULTIPLE * MULTIPLE
    high = -(-min(length, int(found[-1]) + 1 + MARGIN) // MULTIPLE) * MULTIPLE
    return slice(low, high)


def label_map(probabilities: Floats, grid: Volume, target: Volume) -> Mask:
    """The likeliest class at each voxel of ``target``, from probabilities on the working grid."""
    return certain_label_map(probabilities, grid, target)[0]


def certain_label_map(probabilities: Floats, grid: Volume, target: Volume) -> tuple[Mask, Floats]:
    """The likeliest class at each voxel of ``target`` and its probability, from probabilities on the working grid."""
    best = np.zeros(target.shape, np.uint8)
    highest = np.full(target.shape, -1.0, np.float32)
    same = target.shape == grid.shape and np.allclose(target.affine, grid.affine)
    for c in range(len(probabilities)):
        p = probabilities[c]
        if not same:
            p = resample_like(Volume(p, grid.affine), target.shape, target.affine).array
        best[p > highest] = c
        np.maximum(highest, p, out=highest)
    return Mask(best, target.affine), highest
