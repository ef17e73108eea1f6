"""The structures of a label map, each cut out with its own mid-sagittal layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spineclock.core.anatomy import DISC, LEVEL_NAMES, LEVEL_NUMBERS, Structure
from spineclock.core.volume import Array, Mask, Volume
from spineclock.measure.section import Floats, Picture, layer_weights, picture

LAYER_MM = 5.0
"""Half the thickness of the mid-sagittal layer that shapes are measured in."""
SIGNAL_LAYER_MM = 8.0
"""Half the thickness of the layer that signals are measured in; slabs are at least 13 mm wide, as a rule."""
FULL_SHARE = 0.6
"""A slice counts where it shows at least this share of the structure's largest area."""
FEWEST = 20
"""A core of fewer voxels says too little."""


@dataclass(frozen=True, eq=False)
class Piece:
    """One structure cut out of a scan: where it is, its voxels, the scan's samples there, and what edges it meets.

    ``inside`` and ``samples`` have shape (I, J, K) of the box; ``first`` is the box's lowest index. ``middle_mm`` is
    where the mid-sagittal layer lies, in mm along axis 0.
    """

    inside: Array
    samples: Array
    first: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    middle_mm: float
    cut_in_plane: bool
    cut_at_side: bool

    def picture(self, half_mm: float = LAYER_MM) -> Picture | None:
        """The structure averaged over the mid-sagittal layer; over all its slices where the layer holds none of it.

        Slices with less than 60% of the structure's largest area in the layer are left out: there the slab or the
        segmentation runs out, and an average with nothing would make the structure less high.
        """
        at = (self.first[1], self.first[2])
        areas = self.inside.sum(axis=(1, 2))
        for weights in (self.weights(half_mm), np.ones(len(areas))):
            kept = np.where(areas >= FULL_SHARE * areas[weights > 0].max(initial=1), weights, 0.0)
            if (found := picture(self.inside, kept, at, self.spacing_mm[1:])) is not None:
                return found
        return None

    def weights(self, half_mm: float) -> Floats:
        """What share of each slice of the box lies in the mid-sagittal layer."""
        middle = self.middle_mm - self.first[0] * self.spacing_mm[0]
        return layer_weights(len(self.inside), self.spacing_mm[0], middle, half_mm)

    def core(self, margin_mm: float, half_mm: float = SIGNAL_LAYER_MM) -> npt.NDArray[np.bool_]:
        """Voxels in the layer at least ``margin_mm`` inside the structure's edge in their own slice.

        Where that leaves fewer than 20, the margin is dropped; where the layer holds none, all slices count.
        """
        occupied = np.asarray(self.inside.any(axis=(1, 2)))
        layer = (self.weights(half_mm) >= 0.5) & occupied
        if not layer.any():
            layer = occupied
        chosen = self.inside & layer[:, None, None]
        _, dy, dz = self.spacing_mm
        # Axis 0 is made so long that the nearest outside voxel is always sought within the slice.
        padded = np.pad(self.inside[layer], ((0, 0), (1, 1), (1, 1)))
        deep = np.zeros_like(chosen)
        deep[layer] = ndimage.distance_transform_edt(padded, sampling=(1e6, dy, dz))[:, 1:-1, 1:-1] >= (
            margin_mm + (dy + dz) / 4  # an edge lies half a voxel before the first outside voxel's middle
        )
        return np.asarray(deep if deep.sum() >= FEWEST else chosen)

    @property
    def height_index(self) -> float:
        """The structure's centroid along axis 2, as an index of the scan."""
        return self.first[2] + _centroid(self.inside.sum(axis=(0, 1)))

    @property
    def volume_mm3(self) -> float:
        """All voxels of the structure in the scan."""
        return float(self.inside.sum()) * float(np.prod(self.spacing_mm))

    @property
    def section_area_mm2(self) -> float:
        """Mean area of its slices in the mid-sagittal layer: its volume per millimetre of slab."""
        found = self.picture()
        return found.area_mm2 if found is not None else float("nan")


@dataclass(frozen=True, eq=False)
class Pieces:
    """All structures of a scan by vertebra number (a disc: that of the vertebra above), and the canal."""

    discs: dict[int, Piece]
    bodies: dict[int, Piece]
    vertebrae: dict[int, Piece]
    canal: Piece | None

    def above(self, disc: int) -> int | None:
        """The vertebra over a disc, where it is in view."""
        return disc if disc in self.bodies else None

    def below(self, disc: int) -> int | None:
        """The vertebra under a disc, where it is in view."""
        found = under(disc, set(self.bodies))
        return found if found in self.bodies else None

    def discs_beside(self, vertebra: int) -> list[int]:
        """The discs above and below a vertebra that are in view."""
        present = set(self.bodies)
        return [n for n in self.discs if n == vertebra or under(n, present) == vertebra]


def under(vertebra: int, present: set[int]) -> int | None:
    """The number of the next vertebra down; T13, L6 and L7 count only where they are present.

    >>> under(24, set()), under(24, {25}), under(19, set())
    (26, 25, 20)
    """
    extra = {LEVEL_NUMBERS[name] for name in ("T13", "L6", "L7")} - present
    order = [n for n in LEVEL_NUMBERS.values() if n not in extra]
    at = order.index(vertebra) + 1 if vertebra in order else len(order)
    return order[at] if at < len(order) else None


def from_top(numbers: set[int]) -> list[int]:
    """Vertebra numbers in anatomical order, the highest first.

    >>> from_top({20, 28, 19})
    [19, 28, 20]
    """
    return [n for n in LEVEL_NUMBERS.values() if n in numbers]


def pieces(volume: Volume, labels: Mask, bodies: Mask) -> Pieces:
    """The structures of a label map in spineclock numbering; numbers it has no name for are left out.

    A vertebra's body is where ``labels`` holds its number and ``bodies`` is not 0.
    """
    boxes = {n: box for n, box in enumerate(ndimage.find_objects(labels.array), start=1) if box is not None}
    canal = None
    if Structure.CANAL in boxes:
        box = boxes[Structure.CANAL]
        canal = _piece(labels.array[box] == Structure.CANAL, box, volume, None)
    discs: dict[int, Piece] = {}
    vertebrae: dict[int, Piece] = {}
    fronts: dict[int, Piece] = {}
    for number, box in boxes.items():
        inside = labels.array[box] == number
        if number - DISC in LEVEL_NAMES and number != DISC + LEVEL_NUMBERS["S1"]:
            discs[number - DISC] = _piece(inside, box, volume, canal)
        elif number in LEVEL_NAMES:
            vertebrae[number] = _piece(inside, box, volume, canal)
            body = inside & (bodies.array[box] != 0)
            if body.any():
                fronts[number] = _piece(body, box, volume, canal)
    return Pieces(discs, fronts, vertebrae, canal)


def _piece(inside: Array, box: tuple[slice, ...], volume: Volume, canal: Piece | None) -> Piece:
    """A structure within a box of the scan, cut down to the voxels it has."""
    tight = ndimage.find_objects(inside.astype(np.uint8))[0]
    i, j, k = (slice(b.start + t.start, b.start + t.stop) for b, t in zip(box, tight, strict=True))
    return Piece(
        inside=inside[tight],
        samples=volume.array[i, j, k],
        first=(i.start, j.start, k.start),
        spacing_mm=volume.spacing_mm,
        middle_mm=_middle(inside[tight], (i.start, k.start), volume.spacing_mm, canal),
        cut_in_plane=any(s.start == 0 or s.stop == n for s, n in zip((j, k), volume.shape[1:], strict=True)),
        cut_at_side=i.start == 0 or i.stop == volume.shape[0],
    )


def _middle(
    inside: Array, first: tuple[int, int], spacing_mm: tuple[float, float, float], canal: Piece | None
) -> float:
    """Where the patient's middle lies at the height of a structure, in mm along axis 0.

    The canal's middle within 15 mm of the structure's own; the structure's middle where no canal is seen there.
    """
    at, low = first
    if canal is not None:
        reach = round(15.0 / spacing_mm[2])
        middle = round(low + _centroid(inside.sum(axis=(0, 1)))) - canal.first[2]
        part = canal.inside[:, :, max(0, middle - reach) : max(0, middle + reach + 1)]
        if part.any():
            inside, at = part, canal.first[0]
    return (at + _centroid(inside.sum(axis=(1, 2)))) * spacing_mm[0]


def _centroid(counts: Array) -> float:
    return float((counts * np.arange(len(counts))).sum() / counts.sum())
