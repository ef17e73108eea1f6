"""The classes that the network of CT tells apart as a label map in the spineclock numbering, with levels and sides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spineclock.core.anatomy import ARCH, BODY, LEVEL_NAMES, Structure
from spineclock.core.volume import Array, Mask
from spineclock.segment.ct_grid import NUMBER
from spineclock.segment.instances import VERTEBRA_CLASS, Instances, find

_SIDES = {
    "psoas": (Structure.PSOAS_LEFT, Structure.PSOAS_RIGHT),
    "erector": (Structure.ERECTOR_LEFT, Structure.ERECTOR_RIGHT),
}


def found_in(classes: Mask, *, certainty: Array | None = None, lowest_vertebra: str | None = None) -> Instances:
    """The instances of a canonical map of ``core.anatomy.CT_CLASSES``, bodies (200 +) and arches (300 +) apart.

    Vertebrae and discs are told from each other, named and doubted as in MRI
    (:func:`spineclock.segment.instances.find`); which part of a vertebra is its body the classes say. A muscle's voxel
    is left or right of the middle of canal and bodies at its height.

    Raises
    ------
    UsageError
        If ``lowest_vertebra`` is no level.
    """
    array = classes.array
    body, arch = array == NUMBER["body"], array == NUMBER["arch"]
    spine = np.where(arch, VERTEBRA_CLASS, np.where(array <= NUMBER["sacrum"], array, 0)).astype(np.uint8)
    found = find(classes.with_array(spine), certainty=certainty, lowest_vertebra=lowest_vertebra)
    labels = found.labels.array.astype(np.uint16)
    vertebra = (labels > 0) & (labels < 100) & np.isin(labels, [n for n in LEVEL_NAMES if n != 26])
    labels[vertebra & body] += BODY
    labels[vertebra & arch] += ARCH
    right = _right(array)
    for name, (left_number, right_number) in _SIDES.items():
        muscle = array == NUMBER[name]
        labels[muscle & ~right] = left_number
        labels[muscle & right] = right_number
    return replace(found, labels=classes.with_array(labels))


def _right(array: Array) -> Array:
    """Whether each voxel lies right of the middle of canal and bodies at its height, shape (I, 1, K)."""
    across = np.isin(array, (NUMBER["canal"], NUMBER["body"], NUMBER["disc"])).sum(axis=1)  # (I, K)
    heights = np.flatnonzero(across.any(axis=0))
    x, k = np.arange(array.shape[0])[:, None], np.arange(array.shape[2])
    if not len(heights):
        return np.broadcast_to((x > array.shape[0] / 2)[:, :, None], (array.shape[0], 1, array.shape[2]))
    middle = (x * across).sum(axis=0)[heights] / across.sum(axis=0)[heights]
    return np.asarray(x > np.interp(k, heights, middle))[:, None, :]
