"""What of a label map counts as spine, and the margin round it that an age network may look at."""

from __future__ import annotations

from collections import defaultdict
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from spineclock.core.anatomy import ARCH, BODY, DISC, LEVEL_NUMBERS, RIB, Structure, region
from spineclock.core.errors import RefusedError, UsageError
from spineclock.core.geometry import shifted
from spineclock.core.volume import Array, Mask

SpinePart = Literal["whole", "cervical", "thoracic", "lumbar"]
Part = SpinePart | Literal["bone"]
PARTS: tuple[SpinePart, ...] = get_args(SpinePart)
"""Every part of the spine, in the order of its bit in a map of parts."""
STORED: tuple[Part, ...] = (*PARTS, "bone")
"""The same with what is bone alone in regions of CT that show muscle too."""
ROUNDING_MM = 1e-6
"""By how much a distance may exceed the margin: a sum of squares is not exact."""


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


def bit(part: Part) -> int:
    """The part's bit in a map of parts.

    >>> [bit(part) for part in PARTS]
    [1, 2, 4, 8]

    Raises
    ------
    UsageError
        If the part has no such name.
    """
    if part not in STORED:
        raise UsageError(f"no part of the spine is called {part!r}", wanted="whole, cervical, thoracic or lumbar")
    return 1 << STORED.index(part)


def parts_of(mask: Mask) -> Mask:
    """A bit for each part that a voxel's label belongs to, on the map's own grid; uint8.

    >>> parts_of(Mask(np.array([0, 5, 22, 122, 73]).reshape(5, 1, 1), np.eye(4))).array.ravel().tolist()
    [0, 3, 9, 1, 0]
    """
    return mask.with_array(_bits_of_labels().take(mask.array, mode="clip"))


def _bits_of_labels() -> Array:
    """The bits of each label; its first and its last element, to which any other number is clipped, have none."""
    table = np.zeros(max(spine_labels()) + 2, dtype=np.uint8)
    for part in PARTS:
        table[list(spine_labels(part))] |= np.uint8(bit(part))
    return table


def union(mask: Mask, part: Part = "whole") -> Mask:
    """1 where the label map holds any label of the part, 0 elsewhere; the map's own grid.

    Raises
    ------
    RefusedError
        If it holds none.
    """
    inside = parts_of(mask).array & bit(part) != 0
    if not inside.any():
        raise nothing_of(part, mask)
    return mask.with_array(inside.astype(np.uint8))


def nothing_of(part: Part, mask: Mask) -> RefusedError:
    """What is said of a label map that holds nothing of a part."""
    what = "spine" if part == "whole" else f"{part} vertebra"
    return RefusedError(
        f"the label map holds no {what}, its labels are {np.unique(mask.array)[:12].tolist()}",
        wanted="labels in the spineclock numbering",
        remedy="name the numbering of a label map made elsewhere, or choose a part that is in view",
    )


def dilated(inside: Mask, margin_mm: float) -> Mask:
    """1 at every voxel whose centre lies within ``margin_mm`` of the centre of a voxel that is 1; the same grid, uint8.

    The distance is the patient's, not the grid's: 10 mm are two slices of 4 mm and ten rows of 1 mm. In a map of
    parts each bit is dilated by itself.

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
    array = inside.array.astype(np.uint8, copy=False)
    grown = np.zeros(inside.shape, dtype=np.uint8)
    if not array.any():
        return inside.with_array(grown)
    # nothing outside the bounding box and its margin can be reached; a slab of spine is a tenth of a whole scan
    reach = [int((margin_mm + ROUNDING_MM) / mm) for mm in inside.spacing_mm]
    box = tuple(
        slice(max(0, held[0] - most), held[-1] + 1 + most)
        for held, most in zip(map(np.flatnonzero, _any_along(array)), reach, strict=True)
    )
    grown[box] = _rolled_over(array[box], margin_mm + ROUNDING_MM, inside.spacing_mm)
    return inside.with_array(grown)


def middle_of(mask: Mask) -> npt.NDArray[np.float64] | None:
    """The middle of the box round what a map holds, in the patient's millimetres; None where it holds nothing.

    >>> middle_of(Mask(np.array([0, 0, 1, 1, 1, 0]).reshape(6, 1, 1), np.diag([2.0, 1, 1, 1]))).tolist()
    [6.0, 0.0, 0.0]
    """
    if not mask.array.any():
        return None
    ends = [np.flatnonzero(held)[[0, -1]] for held in _any_along(mask.array)]
    return np.asarray((mask.affine @ [*(end.mean() for end in ends), 1.0])[:3], dtype=np.float64)


def _any_along(array: Array) -> list[Array]:
    """Along each axis, whether anything is held there."""
    held = array != 0
    return [np.asarray(held.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]


def _rolled_over(array: Array, radius_mm: float, spacing_mm: tuple[float, float, float]) -> Array:
    """Each bit at every voxel within the radius of one that has it.

    A ball is a bundle of rods along the last axis, and rods of one length are laid at once: a few hundred passes of
    bytes, where a distance transform takes ten times as long, and once more for each part.
    """
    i_mm, j_mm, k_mm = spacing_mm
    rods: dict[int, list[tuple[int, int]]] = defaultdict(list)  # half a length → where such rods lie
    for i in range(-int(radius_mm / i_mm), int(radius_mm / i_mm) + 1):
        for j in range(-int(radius_mm / j_mm), int(radius_mm / j_mm) + 1):
            rest = radius_mm**2 - (i * i_mm) ** 2 - (j * j_mm) ** 2
            if rest >= 0:
                rods[int(rest**0.5 / k_mm)].append((i, j))
    grown, rod = np.zeros_like(array), array.copy()
    for half in range(max(rods) + 1):
        if half:
            _or_shifted(rod, array, (0, 0, half))
            _or_shifted(rod, array, (0, 0, -half))
        for i, j in rods.get(half, ()):
            _or_shifted(grown, rod, (i, j, 0))
    return grown


def _or_shifted(into: Array, array: Array, shift: tuple[int, int, int]) -> None:
    """Adds an array's bits, moved by some voxels, to those of another; what leaves the array is lost."""
    to, source = shifted(array.shape, shift)
    into[to] |= array[source]
