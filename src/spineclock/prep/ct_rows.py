"""The images of a CT as one prepared volume, slice after slice, in the form that a store keeps scans in."""

from __future__ import annotations

import numpy as np

from spineclock.core.anatomy import LEVEL_NUMBERS
from spineclock.core.volume import Mask, Volume
from spineclock.prep.ct import CtRegions
from spineclock.prep.intensity import Scale
from spineclock.prep.masking import PARTS, Part, bit
from spineclock.prep.prepared import Variants


def ct_variants(found: CtRegions, run: tuple[str, ...] | None = None) -> Variants:
    """The images of a run of vertebrae, shape (vertebrae × stacks × slices, H, W), the highest slice first.

    The part ``bone`` is the same without muscle, where the regions hold it; ``levels`` names the vertebrae, ``missing``
    tells why each other one has no region. Its label map holds each vertebra's number where its bone is, its affine, of
    which there is but one, is the uppermost region's.

    Parameters
    ----------
    run : tuple of str, optional
        Which; by default the middle one of all.

    Raises
    ------
    RefusedError
        If there are no such vertebrae in a row.

    Examples
    --------
    >>> from spineclock.core.bone import BodyFrame
    >>> from spineclock.prep.ct import regions
    >>> from spineclock.prep.ct_cropping import CtCropping
    >>> array = np.zeros((60, 60, 30), np.uint8)
    >>> array[15:45, 20:50, 3:28] = 222  # the body of L3
    >>> scan = Volume(np.where(array > 0, 160, 40).astype(np.int16), np.eye(4))
    >>> box = BodyFrame("L3", (29.5, 34.5, 15.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), 30.0, 25.0)
    >>> how = CtCropping.small(parts="bone", consecutive=1)
    >>> row = ct_variants(regions(scan, Mask(array, np.eye(4)), {"L3": box}, how))
    >>> row.image.shape, row.levels, round(float(row.input("bone").max()), 2)
    ((9, 64, 112), ('L3',), 0.3)
    """
    how = found.how
    run = found.middle_run if run is None else run
    image = found.images(run).reshape(how.shape)
    stacks = [stack for level in run for stack in found[level].stacks]
    bone = np.concatenate([stack.bone for stack in stacks])
    labels = np.repeat([LEVEL_NUMBERS[stack.level] for stack in stacks], how.adjacent)[:, None, None] * bone
    parts: dict[Part, np.ndarray] = {"whole": np.concatenate([stack.mask for stack in stacks]), "bone": bone}
    margins = sum((np.uint8(bit(part)) * inside for part, inside in parts.items()), np.zeros(how.shape, np.uint8))
    affine = found[run[0]].affine
    lacking: dict[str, str] = {part: "regions of CT have no such part" for part in PARTS if part != "whole"}
    as_it_is = Scale(min(0.0, how.outside), max(1.0, how.outside), 0.0, 1.0)
    return Variants(
        Volume(image, affine),
        Mask(labels.astype(np.uint16), affine),
        Mask(margins, affine),
        dict.fromkeys(parts, as_it_is),
        dict.fromkeys(parts, 1.0),
        {**lacking, **found.missing},
        run,
    )
