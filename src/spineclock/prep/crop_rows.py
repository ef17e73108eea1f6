"""The crops of a scan as one prepared volume, a level after the other, in the form that a store keeps scans in."""

from __future__ import annotations

import numpy as np

from spineclock.core.anatomy import BODY, LEVEL_NUMBERS
from spineclock.core.errors import RefusedError
from spineclock.core.volume import Mask, Volume
from spineclock.prep.crops import Crops
from spineclock.prep.intensity import Scale
from spineclock.prep.masking import PARTS, bit
from spineclock.prep.prepared import Variants

LARGEST = 6.0e4
"""What 16 bits hold."""


def crop_variants(found: Crops) -> Variants:
    """The crops, shape (levels × slices, H, W), levels in the order asked for; 0 where a level could not be cropped.

    Its margin marks the levels that are there, its label map the bodies in them; its affine, of which there is but one,
    is the uppermost crop's. ``missing`` tells why each other level is not there, by name.

    Raises
    ------
    RefusedError
        If a grey value is too large to be kept.

    Examples
    --------
    >>> from spineclock.core.bone import BodyFrame
    >>> from spineclock.prep.crops import crops
    >>> array = np.zeros((5, 60, 60), np.int16)
    >>> array[:, 10:44, 20:46] = 222  # the body of L3
    >>> scan = Volume(np.random.default_rng(0).normal(100, 10, array.shape), np.eye(4))
    >>> box = BodyFrame("L3", (2.0, 26.5, 32.5), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), 34.0, 26.0)
    >>> row = crop_variants(crops(scan, Mask(array, np.eye(4)), {"L3": box}))
    >>> row.image.shape, row.input().any(axis=(1, 2)).tolist(), row.missing["L1"]
    ((4, 64, 64), [False, False, True, False], 'it was not found in the scan')
    """
    how = found.how
    image = np.zeros(how.shape, np.float32)
    labels, margins = np.zeros(how.shape, np.uint16), np.zeros(how.shape, np.uint8)
    for crop in found.crops:
        first = how.levels.index(crop.level) * how.slices
        at = slice(first, first + how.slices)
        image[at] = crop.array
        labels[at] = np.where(crop.mask, BODY + LEVEL_NUMBERS[crop.level], 0)
        margins[at] = bit("whole")
    inside = image[margins != 0]
    low, high = float(inside.min()), float(inside.max())
    if not max(-low, high) < LARGEST:
        raise RefusedError(
            f"grey values up to {max(-low, high):g}", wanted=f"below {LARGEST:g}", remedy="set intensity to zscore"
        )
    affine = found.crops[0].affine
    parts: dict[str, str] = {part: "crops have no parts" for part in PARTS if part != "whole"}
    return Variants(
        Volume(image, affine),
        Mask(labels, affine),
        Mask(margins, affine),
        {"whole": Scale(low, high, 0.0, 1.0)},
        {"whole": 1.0},
        {**parts, **found.missing},
    )
