"""The band of :mod:`spineclock.nets.band` without PyTorch, for networks that OpenVINO computes."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from spineclock.core.volume import Array

SMOOTHED = 25 / 640
"""The front is the mean over so large a share of all rows on either side, 50 mm in all of the 640 mm that a whole spine
is prepared in, two levels or so: these keep their forms, curves go."""
AHEAD = 1 / 16
"""Of the columns, those before the mean front: what juts out of it."""


def smoothed_rows(rows: int) -> int:
    """Over how many rows on either side the front is averaged.

    >>> [smoothed_rows(rows) for rows in (640, 320, 128)]
    [25, 12, 5]
    """
    return int(rows * SMOOTHED)


def narrowed(prepared: Array, columns: int) -> Array:
    """The band of one prepared volume: (D, H, W) → (D, H, columns).

    >>> x = np.zeros((1, 80, 64))
    >>> x[:, :, 30:50] = 1
    >>> narrowed(x, 32)[0, 40].nonzero()[0].tolist() == list(range(2, 22))
    True
    """
    inside = (prepared != 0).any(axis=0)  # H W
    some, front = inside.any(axis=1).astype(np.float32), inside.argmax(axis=1).astype(np.float32)
    ones = np.ones(2 * smoothed_rows(len(some)) + 1, np.float32)
    summed, rows = (ndimage.correlate1d(of, ones, mode="constant") for of in (front * some, some))
    begin = np.floor(summed / np.maximum(rows, 1e-6) + 0.501).astype(np.int64) - round(columns * AHEAD)
    at = begin.clip(0, prepared.shape[2] - columns)[:, None] + np.arange(columns)
    return np.take_along_axis(prepared, at[None], axis=2)
