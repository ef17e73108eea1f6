"""The body of each vertebra, without the roots of its pedicles."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spineclock.core.volume import Array
from spineclock.segment.canal import Canal

MIDLINE_MM = 7.0
"""Within this of the canal's middle no pedicle hides a body's posterior wall."""
WALL_MM = 1.5
"""How far behind its wall near the midline a body may reach to the sides."""


def body_part(
    labels: Array, numbers: Array, canal: Canal, spacing_mm: tuple[float, float, float]
) -> npt.NDArray[np.bool_]:
    """Whether each voxel belongs to a vertebral body, shape (I, J, K), for the vertebrae of the given numbers.

    A voxel does if it lies in front of the canal's front and no more than 1.5 mm behind the vertebra's posterior wall,
    which is taken at its height as the median over the slices within 7 mm of the midline. Of each vertebra only
    pieces ≥ 20% of the largest are kept, in-plane holes are filled.
    """
    out = np.zeros(labels.shape, bool)
    front = canal.in_front(labels.shape, spacing_mm)
    x = np.arange(labels.shape[0])[:, None] * spacing_mm[0]
    away = x - canal.centre_mm[:, 0]  # (I, K)
    y = np.arange(labels.shape[1]) * spacing_mm[1]
    boxes = ndimage.find_objects(np.asarray(labels, dtype=np.int32))
    for number in numbers:
        box = boxes[number - 1] if number <= len(boxes) else None
        if box is None:
            continue
        body = (labels[box] == number) & front[box]
        wall = _wall(body, away[box[0], box[2]], canal.slope[box[2]], y[box[1]], spacing_mm)
        body &= y[None, box[1], None] >= wall[:, None, :] - WALL_MM
        pieces, n = ndimage.label(body)
        if n > 1:
            sizes = np.bincount(pieces.ravel())
            sizes[0] = 0
            body = np.isin(pieces, np.flatnonzero(sizes >= 0.2 * sizes.max()))
        out[box] |= body
    return out


def _wall(body: Array, away: Array, slope: Array, y: Array, spacing_mm: tuple[float, float, float]) -> Array:
    """Anterior coordinate of the posterior wall at each slice and height, shape (I, K); −∞ where it cannot be seen."""
    has = body.any(axis=1)
    edge = y[np.argmax(body, axis=1)]
    near = has & (np.abs(away) <= max(MIDLINE_MM, 0.6 * spacing_mm[0]))
    level = np.where(near, edge - slope * away, np.nan)
    known = near.any(axis=0)
    if not known.any():
        return np.full(away.shape, -np.inf)
    middle = np.full(level.shape[1], np.nan)
    middle[known] = np.nanmedian(level[:, known], axis=0)
    index = np.arange(len(middle))
    middle = np.interp(index, index[known], middle[known])
    size = max(3, 2 * round(3.0 / spacing_mm[2]) + 1)
    middle = ndimage.median_filter(middle, size=size, mode="nearest")
    return np.asarray(middle + slope * away)
