"""A drawn lumbar spine on an arc, with the truth known for every voxel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from spineclock.core.volume import Array, Mask

RADIUS_MM, PITCH_MM, DISC_MM = 200.0, 36.0, 9.0
LEVELS, NUMBERS = 5, (24, 23, 22, 21, 20)


@dataclass(frozen=True, eq=False)
class Drawn:
    classes: Mask
    truth: Mask
    body: Array
    along_mm: Array
    """Arc length above the lowest disc's lower face."""


def draw(*, slice_mm: float = 2.0, slices: int = 16, lean: float = 0.0) -> Drawn:
    """Bodies 32 mm deep and 27 mm high, discs of 9 mm, a canal of 14 mm, arches joined at their facets.

    ``lean`` shifts each slice upwards by that many millimetres per millimetre to the right, as in scoliosis.
    """
    shape = (slices, 145, 230)
    x = ((np.arange(slices) - (slices - 1) / 2) * slice_mm)[:, None, None]
    y = (np.arange(shape[1]) - 85.0)[None, :, None] + RADIUS_MM
    z = (np.arange(shape[2]) - 95.0)[None, None, :] - lean * x
    r = np.hypot(y + 0 * x, z) - RADIUS_MM
    s = np.arctan2(z, y + 0 * x) * RADIUS_MM + 0.4 * PITCH_MM * LEVELS
    truth = np.zeros(r.shape, np.uint8)
    body = np.zeros(truth.shape, bool)
    side, wide = np.abs(x), (np.abs(x) >= 9) & (np.abs(x) <= 14)
    truth[(r > -16) & (r < -2) & (side < 8)] = 61
    for n in range(LEVELS):
        t = s - n * PITCH_MM
        truth[(r > 0) & (r < 32) & (t > 0) & (t < DISC_MM)] = 100 + NUMBERS[n]
        body_here = (r > 0) & (r < 32) & (t > DISC_MM) & (t < PITCH_MM)
        pedicle = wide & (r > -19) & (r <= 0) & (t > 22) & (t < 34)
        lamina = (side <= 14) & (r > -23) & (r < -17) & (t > 5) & (t < 34)
        spinous = (side < 3) & (r > -45) & (r < -20) & (t > 5) & (t < 20)
        facet = wide & (r > -23) & (r < -20) & (t > -2) & (t <= 5)
        truth[(body_here | pedicle | lamina | spinous | facet) & (truth == 0)] = NUMBERS[n]
        body |= body_here
    classes = np.select([truth == 61, truth > 100, truth > 0], [3, 1, 2], 0).astype(np.uint8)
    affine = np.diag([slice_mm, 1.0, 1.0, 1.0])
    return Drawn(Mask(classes, affine), Mask(truth, affine), body, s)


@pytest.fixture(scope="session")
def spine() -> Drawn:
    return draw()


@pytest.fixture(scope="session")
def drawn() -> Callable[..., Drawn]:
    return draw
