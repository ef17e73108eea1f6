"""The two ends of the presacral spine: where the sacrum begins, and whether the topmost vertebra is C2."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from spineclock.core.volume import Array
from spineclock.segment.coarse import Coarse, Points
from spineclock.segment.discs import Disc, gaps_mm

LEAST_SACRUM_MM3 = 1500.0
"""Less than this is no sacrum, in a mask at least 8 mm wide; in proportion less in a narrower one."""
SLAB_MM = 12.0
"""How far above and below a disc's plane is looked at what it lies between."""
REACH_MM = 60.0
"""Nothing farther from a disc's middle than a vertebra with its disc can lie next to it."""
MIDDLE_MM = 14.0
"""Half the width, to the sides and to front and back, of the column round a disc that is looked at."""
DENS = (1.6, 2.75, 3.9)
"""Height of C2 with its dens over the distance of the discs below it; from the second to the third a disc was missed.
Among the phantom's people it is 2.1 to 2.5, of any other topmost vertebra under 1."""
CERVICAL_MM = 23.0
"""Cervical discs lie nearer to each other than this."""
CERVICAL_SHARE = 0.72
"""And, where the lumbar spine is in view, nearer than this share of the lowest two distances."""


def sacrum_points(sacrum_class: Array, grid: Coarse) -> Points | None:
    """Points of the sacrum in millimetres: the largest piece and those ≥ 10% of it; None where too little is marked."""
    labels, n = ndimage.label(sacrum_class)
    if n == 0:
        return None
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    wide_mm = grid.array.shape[0] * grid.spacing_mm[0]
    if sizes.max() * np.prod(grid.spacing_mm) < LEAST_SACRUM_MM3 * min(1.0, wide_mm / 8.0):
        return None
    return grid.points(np.isin(labels, np.flatnonzero(sizes >= 0.1 * sizes.max())))


def presacral(discs: tuple[Disc, ...], sacrum_mm: Points, front_mm: Points) -> tuple[Disc, ...]:
    """The discs without remnants between the sacrum's parts: those with more sacrum than vertebra right above them."""
    for n, disc in enumerate(discs):
        if _beside(disc, sacrum_mm, above=True) <= _beside(disc, front_mm, above=True):
            return discs[n:]
    return ()


def rests_on(disc: Disc, sacrum_mm: Points, front_mm: Points) -> bool:
    """Whether the sacrum, and not a vertebra, lies right below a disc."""
    found = _beside(disc, sacrum_mm, above=False)
    return found > 0 and found > _beside(disc, front_mm, above=False)


def lies_below(disc: Disc, sacrum_mm: Points) -> bool:
    """Whether the sacrum begins no farther below a disc than one vertebra with its disc is high."""
    near = sacrum_mm[np.linalg.norm(sacrum_mm - disc.centre_mm, axis=1) < REACH_MM]
    return bool(len(near) and float(np.median(disc.above(near))) < 0)


def _beside(disc: Disc, points_mm: Points, *, above: bool) -> int:
    """How many of the points lie within 12 mm above (or below) the middle of a disc."""
    height = disc.above(points_mm)
    aside = points_mm - disc.centre_mm - height[:, None] * disc.normal
    near = (np.abs(aside[:, 0]) < MIDDLE_MM) & (np.abs(aside[:, 1]) < MIDDLE_MM)
    return int(np.count_nonzero(near & ((height if above else -height) > 0) & (np.abs(height) < SLAB_MM)))


def dens_share(top_mm: Points, discs: tuple[Disc, ...]) -> float:
    """Height of the bone above the topmost disc over the distance of discs below it; 0 where these are not cervical.

    C2 with its dens is about twice as high as the distance of cervical discs, every other vertebra lower than it.

    Parameters
    ----------
    top_mm : ndarray, shape (N, 3)
        The bone in front of the canal above the topmost disc.
    discs : tuple of Disc
        From the lowest up.
    """
    gaps = gaps_mm(discs)
    if len(gaps) < 3 or len(top_mm) == 0:
        return 0.0
    pitch = float(np.median(gaps[-3:]))
    lumbar = float(np.mean(gaps[:2]))
    if pitch > CERVICAL_MM or (len(gaps) >= 15 and pitch > CERVICAL_SHARE * lumbar):
        return 0.0
    axis = discs[-1].centre_mm - discs[-2].centre_mm
    axis = discs[-1].normal + axis / np.linalg.norm(axis)
    height = (top_mm - discs[-1].centre_mm) @ (axis / np.linalg.norm(axis))
    return float(np.percentile(height, 99)) / pitch
