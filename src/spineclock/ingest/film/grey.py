"""Grey values of a film: from colours that are none, in the smallest type that keeps them."""

from __future__ import annotations

import numpy as np

from spineclock.core.errors import RefusedError
from spineclock.core.volume import Array
from spineclock.ingest import checks

COLOURED = 0.12
"""Difference between a pixel's brightest and darkest channel, over the white, above which it is a colour."""
COLOURED_SHARE = 0.005
"""Share of such pixels that annotations may have; more make it a colour picture."""


def one_grey(array: Array) -> tuple[Array, tuple[str, ...]]:
    """One grey value a pixel from (rows, columns) or (rows, columns, 2 … 4: grey or colour, with opacity), and notes.

    Pixels that are not opaque are taken on black. Colours that are all but grey become their green channel, which
    compression keeps best.

    Raises
    ------
    RefusedError
        If more than 0.5% of the pixels are coloured.

    Examples
    --------
    >>> one_grey(np.dstack([np.eye(2, dtype=np.uint8) * 9] * 3))[0].tolist()
    [[9, 0], [0, 9]]
    """
    if array.ndim == 2:
        return array, ()
    white = float(np.iinfo(array.dtype).max) if array.dtype.kind in "ui" else max(float(array.max()), 1e-9)
    notes: tuple[str, ...] = ()
    if array.shape[2] in (2, 4):
        opaque = array[..., -1:].astype(np.float64) / white
        array = array[..., :-1]
        if not (opaque == 1).all():
            array = np.rint(array * opaque).astype(array.dtype)
            notes = ("parts of the picture are transparent: taken as black",)
    if array.shape[2] == 1:
        return array[..., 0], notes
    coloured = float(np.mean(np.ptp(array[..., :3].astype(np.int64), axis=2) > COLOURED * white))
    if coloured > COLOURED_SHARE:
        raise RefusedError(
            f"a colour picture ({coloured:.0%} of it is coloured), not a film",
            wanted="the film in grey values",
            remedy="export the film itself, not a photograph or a page of a report",
        )
    if coloured:
        notes += ("the picture bears coloured marks",)
    return array[..., 1], notes


def samples(array: Array) -> Array:
    """The grey values as uint16 where they are whole numbers from 0 to 65535, as float32 otherwise.

    Raises
    ------
    InputError
        If they are not finite, or all the same.

    Examples
    --------
    >>> samples(np.array([[0, 65535]], np.uint16)).dtype, samples(np.array([[0.0, 0.5]])).dtype
    (dtype('uint16'), dtype('float32'))
    """
    small = checks.checked(array)
    wide = array if array.dtype.kind in "iu" else small
    low, high = float(wide.min()), float(wide.max())
    if low >= 0 and high < 2**16 and (wide.dtype.kind in "iu" or bool((np.rint(wide) == wide).all())):
        return wide.astype(np.uint16)
    return small.astype(np.float32)
