"""Class probabilities of a whole scan from the slice network, and the label map they make."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

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
"""Scores (N, 4, H, W) from pictures (N, 3, H, W); H and W multiples of 32."""

VIEWS_MM = ((1.0, False), (3.0, True))
"""Averaged looks at each slice: distance of the neighbours in millimetres, and whether left and right are swapped."""


def class_probabilities(
    volume: Volume, scorer: Scorer, *, views_mm: tuple[tuple[float, bool], ...] = VIEWS_MM, batch: int = 4
) -> tuple[Floats, Volume]:
    """Probabilities of each class, shape (4, I, J, K), and the working-grid volume they lie on.

    ``volume`` is canonical. Views that come to the same slices are computed once.
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
    for offset, mirrored in sorted(looks):
        stacks = with_neighbours(pictures, offset, mirrored=mirrored)
        for start in range(0, n, batch):
            total[start : start + batch] += _softmax(scorer(np.ascontiguousarray(stacks[start : start + batch])))
    total = total[:, :, :rows, :columns] / len(looks)
    return np.stack([from_pictures(total[:, c]) for c in range(len(CLASSES))]), grid


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


def _softmax(scores: Floats) -> Floats:
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True), dtype=np.float32)
