"""By how much the grey values of neighbouring stations differ, from what both show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from spineclock.core.errors import GeometryError
from spineclock.core.volume import Array

BLOCK_MM = 4.0
"""Side of the squares whose means are compared, so that noise and a pixel's shift count for little."""
LEAST_OVERLAP_MM = 8.0
"""A smaller overlap tells no gain: what lies to either side of its middle is compared instead."""
BAND_MM = 3.0
LEAST_BLOCKS = 30
LEAST_AGREEMENT = 0.5
"""Least correlation of what two stations show where they overlap; below it they are not of one place."""

Box = tuple[tuple[int, int, int], Array, Array]
"""A station on the common grid: first index, samples, and whether each is its own (three axes alike)."""


def gains(
    stations: Sequence[Box], overlaps_mm: Sequence[float], spacing_mm: tuple[float, float, float], *,
    names: Sequence[str],
) -> list[float]:  # fmt: skip
    """By what each station, from the lowest up, is multiplied to have the middle one's grey values.

    Neighbours are compared in squares of 4 mm within each slice: the weighted median of the ratios of their means, by
    logarithms so that neither is the yardstick, over squares that are bright in both (foreground, above what noise
    alone would give). Where they hardly overlap, straight lines through the last 6 mm of each are compared
    where the two meet. The ratios are chained from the middle station (of two, the lower one), whose gain is 1.

    Parameters
    ----------
    stations : sequence of (index, ndarray, ndarray of bool)
        Each station's first index on the common grid, its samples there, and which of them it covers.
    overlaps_mm : sequence of float
        What each covers in common with the next one above.
    spacing_mm : tuple of float
        Of the common grid.
    names : sequence of str
        For errors.

    Raises
    ------
    GeometryError
        If there is too little signal to compare, or what is seen where two overlap does not agree.
    """
    steps = [
        _ratio(below, above, shared, spacing_mm, names=f"{names[n + 1]} and {names[n]}")
        for n, (below, above, shared) in enumerate(zip(stations[:-1], stations[1:], overlaps_mm, strict=True))
    ]
    middle = (len(stations) - 1) // 2
    found = [1.0] * len(stations)
    for n in range(middle + 1, len(stations)):
        found[n] = found[n - 1] * steps[n - 1]
    for n in range(middle - 1, -1, -1):
        found[n] = found[n + 1] / steps[n]
    return found


def _ratio(below: Box, above: Box, overlap_mm: float, spacing_mm: tuple[float, float, float], *, names: str) -> float:
    """What the upper station's samples are multiplied by to match the lower one's."""
    overlapping = overlap_mm >= LEAST_OVERLAP_MM
    a, b = _overlap(below, above, spacing_mm) if overlapping else _edges(below, above, spacing_mm)
    if a.size and overlapping:
        agreement = _correlation(a, b)
        if a.size >= LEAST_BLOCKS and agreement < LEAST_AGREEMENT:
            raise GeometryError(
                f"{names} do not show the same where they overlap (correlation {agreement:.2f})",
                wanted=f"images that agree, with a correlation of {LEAST_AGREEMENT} or more",
                remedy="read each by itself: the patient moved, or positions in the headers are wrong",
            )
    bright = (a > _floor(a)) & (b > _floor(b)) if a.size else np.zeros(0, bool)
    if np.count_nonzero(bright) < LEAST_BLOCKS:
        raise GeometryError(
            f"too little is seen where {names} meet for their grey values to be compared",
            wanted=f"{LEAST_BLOCKS} squares of {BLOCK_MM:g} mm with signal in both",
            remedy="read each by itself",
        )
    a, b = a[bright], b[bright]
    return float(np.exp(_weighted_median(np.log(a) - np.log(b), np.sqrt(a * b))))


def _overlap(below: Box, above: Box, spacing_mm: tuple[float, float, float]) -> tuple[Array, Array]:
    """Means of the squares that both stations cover whole."""
    low = np.maximum(below[0], above[0])
    high = np.minimum(*(np.add(start, array.shape) for start, array, _ in (below, above)))
    if (high <= low).any():
        return np.zeros(0), np.zeros(0)
    sides = (1, *(max(1, round(BLOCK_MM / s)) for s in spacing_mm[1:]))
    (a, own_a), (b, own_b) = (_squares(_cut(box, low, high), sides) for box in (below, above))
    both = own_a & own_b
    return a[both], b[both]


def _edges(below: Box, above: Box, spacing_mm: tuple[float, float, float]) -> tuple[Array, Array]:
    """What each station would show where the two meet, by a straight line through two bands next to there."""
    deep = max(1, round(BAND_MM / spacing_mm[2]))
    top, bottom = below[0][2] + below[1].shape[2], above[0][2]
    low = np.maximum(below[0], above[0])[:2]
    high = np.minimum(*(np.add(start, array.shape) for start, array, _ in (below, above)))[:2]
    sides = (1, max(1, round(BLOCK_MM / spacing_mm[1])), deep)
    found, own = [], []
    for box, first, near in (
        (below, min(top, (top + bottom) // 2) - 2 * deep, 1),
        (above, max(bottom, (top + bottom + 1) // 2), 0),
    ):
        start, stop = np.append(low, first), np.append(high, first + 2 * deep)
        if first < box[0][2] or stop[2] > box[0][2] + box[1].shape[2] or (stop <= start).any():
            return np.zeros(0), np.zeros(0)
        means, whole = _squares(_cut(box, start, stop), sides)
        further = 0.5 + max(bottom - top, 0) / (2 * deep)  # bands from the nearer one's middle to where the two meet
        found.append(means[:, :, near] + further * (means[:, :, near] - means[:, :, 1 - near]))
        own.append(whole.all(axis=2))
    both = own[0] & own[1]
    return found[0][both], found[1][both]


def _cut(box: Box, low: Array, high: Array) -> tuple[Array, Array]:
    i, j, k = (slice(int(a - s), int(b - s)) for s, a, b in zip(box[0], low, high, strict=True))
    return box[1][i, j, k], box[2][i, j, k]


def _squares(pair: tuple[Array, Array], sides: tuple[int, ...]) -> tuple[Array, Array]:
    """Mean of each block of samples, and whether the whole of it is covered."""
    array, own = pair
    whole = [n // side for n, side in zip(array.shape, sides, strict=True)]
    i, j, k = (slice(0, n * side) for n, side in zip(whole, sides, strict=True))
    split = [n for pair_ in zip(whole, sides, strict=True) for n in pair_]
    mean = array[i, j, k].reshape(split).mean(axis=(1, 3, 5), dtype=np.float64)
    return mean, np.asarray(own[i, j, k].reshape(split).all(axis=(1, 3, 5)))


def _floor(means: Array) -> float:
    """Below this a square may be air and noise: a fifth of bright tissue, or what lies well above the darkest."""
    dark, bright = np.percentile(means, (5, 95))
    return float(max(0.2 * bright, min(1.5 * dark, 0.5 * bright), 1e-12))


def _correlation(a: Array, b: Array) -> float:
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def _weighted_median(values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> float:
    """The value at which half of the weight lies on either side, between neighbours by a straight line."""
    order = np.argsort(values, kind="stable")
    upto = np.cumsum(weights[order]) - weights[order] / 2
    return float(np.interp(weights.sum() / 2, upto, values[order]))
