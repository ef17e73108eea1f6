"""What the painters of structures share: the grid being painted on, blending by coverage, and smooth chance."""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float32]
SIDE = 64
"""Cells along each side of a table of smooth chance, a power of two; it repeats."""


class Canvas(NamedTuple):
    """Signal and labels, (right, front, up), being painted; plain arrays, so that compiled painters take them."""

    signal: Floats
    labels: npt.NDArray[np.uint16]
    origin: npt.NDArray[np.float64]
    """Millimetres of the first sample."""
    step: npt.NDArray[np.float64]
    """Millimetres between samples."""
    soft: float
    """Width over which an edge goes from nothing to all, in mm: a sample's own size."""


@cache
def _table(smooth_cells: float) -> Floats:
    """A repeating table of smooth noise, (64, 64, 64), mean 0 and standard deviation 1, the same for everybody."""
    table = np.random.default_rng(round(1000 * smooth_cells)).standard_normal((SIDE, SIDE, SIDE))
    low = np.exp(-2 * (np.pi * np.fft.fftfreq(SIDE) * smooth_cells) ** 2)
    table = np.fft.ifftn(np.fft.fftn(table) * low[:, None, None] * low[None, :, None] * low[None, None, :]).real
    table -= table.mean()
    return np.ascontiguousarray(table / table.std(), dtype=np.float32)


def chance(rng: np.random.Generator, smooth_cells: float) -> Floats:
    """The table of that smoothness, shifted and mirrored by chance, so that no two people have the same."""
    flips = tuple(slice(None, None, -1 if way else 1) for way in rng.random(3) < 0.5)
    shift = tuple(rng.integers(0, SIDE, 3).tolist())
    return np.ascontiguousarray(np.roll(_table(smooth_cells), shift, axis=(0, 1, 2))[flips])


@njit(cache=True, inline="always")
def span(middle: float, reach: float, origin: float, step: float, count: int) -> tuple[int, int]:
    """First sample, and one beyond the last, within ``reach`` of a point."""
    low = max(0, math.ceil((middle - reach - origin) / step))
    high = min(count, math.floor((middle + reach - origin) / step) + 1)
    return low, high


@njit(cache=True, inline="always")
def in_frame(
    axes: npt.NDArray[np.float64], centre: npt.NDArray[np.float64], x: float, y: float, z: float
) -> tuple[float, float, float]:
    """A point in a frame, given by its middle and its axes as rows: to the right, front and top of the middle."""
    x, y, z = x - centre[0], y - centre[1], z - centre[2]
    return (
        x * axes[0, 0] + y * axes[0, 1] + z * axes[0, 2],
        x * axes[1, 0] + y * axes[1, 1] + z * axes[1, 2],
        x * axes[2, 0] + y * axes[2, 1] + z * axes[2, 2],
    )


@njit(cache=True, inline="always")
def cover(distance: float, soft: float) -> float:
    """How much of a sample lies inside an edge at this distance; below 0 is inside."""
    share = 0.5 - distance / soft
    if share <= 0.0:
        return 0.0
    if share >= 1.0:
        return 1.0
    return share


@njit(cache=True, inline="always")
def nearest(table: Floats, x: float, y: float, z: float) -> float:
    """A table of chance at a point given in cells."""
    mask = SIDE - 1
    return table[math.floor(x) & mask, math.floor(y) & mask, math.floor(z) & mask]


@njit(cache=True, inline="always")
def smooth(table: Floats, x: float, y: float, z: float) -> float:
    """A table of chance at a point given in cells, interpolated."""
    mask = SIDE - 1
    i, j, k = math.floor(x), math.floor(y), math.floor(z)
    a, b, c = x - i, y - j, z - k
    i0, j0, k0 = int(i) & mask, int(j) & mask, int(k) & mask
    i1, j1, k1 = (i0 + 1) & mask, (j0 + 1) & mask, (k0 + 1) & mask
    front = (table[i0, j0, k0] * (1 - c) + table[i0, j0, k1] * c) * (1 - b) + (
        table[i0, j1, k0] * (1 - c) + table[i0, j1, k1] * c
    ) * b
    back = (table[i1, j0, k0] * (1 - c) + table[i1, j0, k1] * c) * (1 - b) + (
        table[i1, j1, k0] * (1 - c) + table[i1, j1, k1] * c
    ) * b
    return front * (1 - a) + back * a


@njit(cache=True)
def column(table: Floats, x: float, y: float, columns: npt.NDArray[np.float64], n: int) -> None:
    """Fills row ``n`` (64 cells upwards) with a table of chance at x and y given in cells, interpolated across."""
    mask = SIDE - 1
    i, j = math.floor(x), math.floor(y)
    a, b = x - i, y - j
    i0, j0 = int(i) & mask, int(j) & mask
    i1, j1 = (i0 + 1) & mask, (j0 + 1) & mask
    for k in range(SIDE):
        front = table[i0, j0, k] * (1 - b) + table[i0, j1, k] * b
        columns[n, k] = front * (1 - a) + (table[i1, j0, k] * (1 - b) + table[i1, j1, k] * b) * a


@njit(cache=True, inline="always")
def along(columns: npt.NDArray[np.float64], n: int, z: float) -> float:
    """Row ``n`` at a height given in cells, interpolated: :func:`smooth` at its x and y, but for rounding."""
    mask = SIDE - 1
    k = math.floor(z)
    c = z - k
    k0 = int(k) & mask
    return columns[n, k0] * (1 - c) + columns[n, (k0 + 1) & mask] * c
