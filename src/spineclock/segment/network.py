"""Class probabilities of a whole scan from the slice network, and the label map they make."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from spineclock.core.anatomy import CLASSES
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
"""Class probabilities (N, 4, H, W) from pictures (N, 3, H, W); H and W multiples of 32."""

VIEWS_MM = ((1.0, False), (3.0, True))
"""Averaged looks at each slice: distance of the neighbours in millimetres, and whether left and right are swapped."""


PROBES = 5
"""Slices, spread over the scan, in which the spine is looked for first."""
MARGIN = 32
"""Pixels kept round what the probes found: 15 mm."""


def class_probabilities(
    volume: Volume, scorer: Scorer, *, views_mm: tuple[tuple[float, bool], ...] = VIEWS_MM, batch: int = 4
) -> tuple[Floats, Volume]:
    """Probabilities of each class, shape (4, I, J, K), and the working-grid volume they lie on.

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
    total = np.zeros((n, len(CLASSES), *pictures.shape[1:]), np.float32)
    total[:, 0] = 1.0
    window = _spine_window(pictures, scorer)
    if window is not None:
        found = np.zeros((n, len(CLASSES), *pictures[0][window].shape), np.float32)
        for offset, mirrored in sorted(looks):
            stacks = with_neighbours(pictures[(slice(None), *window)], offset, mirrored=mirrored)
            for start in range(0, n, batch):
                found[start : start + batch] += scorer(np.ascontiguousarray(stacks[start : start + batch]))
        total[(slice(None), slice(None), *window)] = found / len(looks)
    total = total[:, :, :rows, :columns]
    return np.stack([from_pictures(total[:, c]) for c in range(len(CLASSES))]), grid


def _spine_window(pictures: Floats, scorer: Scorer) -> tuple[slice, slice] | None:
    """Rows and columns that hold the spine with a margin, in the network's multiples; None where there is no spine."""
    index = np.unique(np.linspace(0, len(pictures) - 1, PROBES).round().astype(int))
    probes = scorer(np.ascontiguousarray(with_neighbours(pictures, 1, of=index)))
    spine = (probes.argmax(axis=1) > 0).any(axis=0)
    if not spine.any():
        return None
    rows, columns = (_span(np.flatnonzero(spine.any(axis)), spine.shape[1 - axis]) for axis in (1, 0))
    return rows, columns


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
    for c in range(len(CLASSES)):
        p = probabilities[c]
        if not same:
            p = resample_like(Volume(p, grid.affine), target.shape, target.affine).array
        best[p > highest] = c
        np.maximum(highest, p, out=highest)
    return Mask(best, target.affine), highest
