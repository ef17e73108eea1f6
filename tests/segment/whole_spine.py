"""Label maps of whole spines made of slices along a curve, by formula: the truth is how they are drawn."""

from __future__ import annotations

import numpy as np

from spineclock.core.anatomy import LEVEL_NUMBERS
from spineclock.core.volume import Mask

PITCH_MM = {"C": 16.0, "T": 23.0, "L": 35.0}
DISC_MM = {"C": 4.5, "T": 4.5, "L": 9.0}
DEPTH_MM = {"C": 16.0, "T": 27.0, "L": 34.0}
USUAL = tuple(n for n in LEVEL_NUMBERS if n not in ("C1", "T13", "L6", "L7", "S1"))


def drawn_spine(
    levels: tuple[str, ...] = USUAL,
    *,
    sacrum: bool = True,
    slice_mm: float = 4.0,
    bend: float = 25.0,
    lean: float = 0.0,
) -> tuple[Mask, Mask]:
    """Classes and true numbers of bodies, discs, canal and sacrum; C2 has its dens if it is among the levels.

    The column's middle swings ``bend`` millimetres to front and back, as lordosis and kyphosis do, and by 40 × ``lean``
    millimetres to the side.
    """
    tall = [PITCH_MM[n[0]] + 0.6 * (k if n[0] == "T" else 0) for k, n in enumerate(levels)]
    height = 90 + sum(tall) + 60
    slices = round(60 / slice_mm)
    shape = (slices, 200, round(height))
    x, y, z = np.meshgrid(*(np.arange(n, dtype=float) for n in shape), indexing="ij")
    x = (x - (slices - 1) / 2) * slice_mm
    phase = (z - 90) / sum(tall) * 2 * np.pi
    middle = 110 + bend * np.sin(phase) - 0.15 * np.maximum(90 - z, 0)
    slope = bend * np.cos(phase) * 2 * np.pi / sum(tall)
    ahead, aside = y - middle, x - lean * 40 * np.sin(phase / 2)
    along = z + slope * ahead  # discs stand square to the curve
    truth = np.zeros(shape, np.uint16)
    truth[(np.abs(ahead + 30) < 7) & (np.abs(aside) < 9) & (z > 30)] = 61
    truth[(np.abs(ahead) < 17) & (np.abs(aside) < 20) & (along < 90) & (along > 20)] = 26 if sacrum else 0
    bottom = 90.0
    for name, pitch in zip(reversed(levels), reversed(tall), strict=True):
        number, deep, disc = LEVEL_NUMBERS[name], DEPTH_MM[name[0]], DISC_MM[name[0]]
        inside = (ahead > -18) & (ahead < -18 + deep) & (np.abs(aside) < 0.6 * deep)
        truth[inside & (along >= bottom) & (along < bottom + disc)] = 100 + number
        top = bottom + pitch + (20 if name == "C2" else 0)
        truth[inside & (along >= bottom + disc) & (along < top)] = number
        spinous = (ahead > -62) & (ahead < -39) & (np.abs(aside) < 3)
        truth[spinous & (along > bottom) & (along < bottom + 0.6 * pitch)] = number
        bottom += pitch
    classes = np.select([truth == 61, truth == 26, truth > 100, truth > 0], [3, 4, 1, 2], 0).astype(np.uint8)
    affine = np.diag([slice_mm, 1.0, 1.0, 1.0])
    return Mask(classes, affine), Mask(truth, affine)
