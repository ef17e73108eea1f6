"""What of a label map counts as spine, and the margin round it that an age network may look at."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import ndimage

from spineclock.core.anatomy import ARCH, BODY, DISC, LEVEL_NUMBERS, RIB, Structure, region
from spineclock.core.errors import RefusedError, UsageError
from spineclock.core.volume import Mask

Part = Literal["whole", "cervical", "thoracic", "lumbar"]


def spine_labels(part: Part = "whole") -> tuple[int, ...]:
    """The labels kept, in the spineclock numbering, in rising order.

    The whole spine is vertebrae, sacrum, discs, ribs, canal, CSF and cord, no muscle or fat; a region is its
    vertebrae only, in one piece or as bodies and arches, as in the paper's ablations.

    >>> spine_labels("lumbar")[:7]
    (20, 21, 22, 23, 24, 25, 29)
    >>> [label in spine_labels() for label in (26, 124, 61, 71)]  # sacrum, L5/S1, canal, psoas
    [True, True, True, False]

    Raises
    ------
    UsageError
        If the part has no such name.
    """
    if part == "whole":
        levels = list(LEVEL_NUMBERS.values())
        fixed = [int(s) for s in (Structure.CORD, Structure.CANAL, Structure.CSF)]
        return tuple(sorted(fixed + [n + kind for n in levels for kind in (0, DISC, BODY, ARCH, RIB)]))
    if part not in ("cervical", "thoracic", "lumbar"):
        raise UsageError(f"no part of the spine is called {part!r}", wanted="whole, cervical, thoracic or lumbar")
    levels = [number for name, number in LEVEL_NUMBERS.items() if region(name) == part]
    return tuple(sorted(n + kind for n in levels for kind in (0, BODY, ARCH)))


def union(mask: Mask, part: Part = "whole") -> Mask:
    """1 where the label map holds any label of the part, 0 elsewhere; the map's own grid.

    Raises
    ------
    RefusedError
        If it holds none.
    """
    inside = np.isin(mask.array, spine_labels(part))
    if not inside.any():
        what = "spine" if part == "whole" else f"{part} vertebra"
        raise RefusedError(
            f"the label map holds no {what}, its labels are {np.unique(mask.array)[:12].tolist()}",
            wanted="labels in the spineclock numbering",
            remedy="name the numbering of a label map made elsewhere, or choose a part that is in view",
        )
    return mask.with_array(inside.astype(np.uint8))


def dilated(inside: Mask, margin_mm: float) -> Mask:
    """1 at every voxel whose centre lies within ``margin_mm`` of the centre of a non-zero voxel; the same grid.

    The distance is the patient's, not the grid's: 10 mm are two slices of 4 mm and ten rows of 1 mm.

    >>> line = Mask(np.array([0, 0, 0, 1, 0, 0, 0]).reshape(7, 1, 1), np.diag([4.0, 1.0, 1.0, 1.0]))
    >>> dilated(line, 10).array.ravel().tolist()
    [0, 1, 1, 1, 1, 1, 0]

    Raises
    ------
    UsageError
        If the margin is negative.
    """
    if margin_mm < 0:
        raise UsageError(f"a margin of {margin_mm} mm", wanted="0 mm or more")
    found = ndimage.find_objects((inside.array != 0).astype(np.uint8), max_label=1)[0]
    grown = np.zeros(inside.shape, dtype=np.uint8)
    if found is None:
        return inside.with_array(grown)
    # nothing outside the bounding box and its margin can be reached; a slab of spine is a tenth of a whole scan
    box = tuple(
        slice(max(0, s.start - reach), s.stop + reach)
        for s, reach in zip(found, (int(np.ceil(margin_mm / mm)) for mm in inside.spacing_mm), strict=True)
    )
    away_mm = ndimage.distance_transform_edt(inside.array[box] == 0, sampling=inside.spacing_mm)
    grown[box] = away_mm <= margin_mm + 1e-6
    return inside.with_array(grown)
