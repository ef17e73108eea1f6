"""What is measured of the psoas and erector muscles in CT at the mid-height of a vertebra: area, density, fat.

Fat is −190 to −30 HU and lean muscle −29 to 150 HU, as in body composition on CT (Mitsiopoulos et al., J Appl Physiol
85:115, 1998; Aubrey et al., Acta Physiol 210:489, 2014). What counts as muscle is the label map's: TotalSegmentator's
``autochthon`` is all deep muscles of the back, its ``iliopsoas`` at lumbar levels the psoas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spineclock.core.anatomy import Structure
from spineclock.core.bone import BodyFrame
from spineclock.core.geometry import canonical, require_same_grid
from spineclock.core.volume import Array, Mask, Volume

Bools = npt.NDArray[np.bool_]
Name = Literal["psoas", "erector"]
Side = Literal["left", "right"]

FAT_HU = (-190, -30)
LEAN_HU = (-29, 150)
LAYER_MM = 5.0
"""Half the thickness of the axial layer."""
CLOSE_MM = 6.0
"""Gaps of the outline up to twice this wide are taken for fat between the muscle's bundles."""
FEWEST = 20
_STRUCTURES: dict[tuple[Name, Side], Structure] = {
    ("psoas", "left"): Structure.PSOAS_LEFT,
    ("psoas", "right"): Structure.PSOAS_RIGHT,
    ("erector", "left"): Structure.ERECTOR_LEFT,
    ("erector", "right"): Structure.ERECTOR_RIGHT,
}


@dataclass(frozen=True)
class Muscle:
    """A muscle of one side in an axial layer at the mid-height of a vertebra.

    Attributes
    ----------
    name, side, level : str
    area_mm2 : float
        Mean area of its outline.
    mean_hu, lean_mean_hu : float
        Mean of all its voxels ("muscle density"), and of those that are lean.
    lean_area_mm2 : float
        Area that is lean.
    fat_share : float
        Share of the outline that is fat.
    intramuscular_fat_share : float
        Share of fat in the muscle's compartment: the outline with gaps of up to 12 mm and holes filled, less other
        structures. Outlines drawn closely round lean bundles leave the fat between them out of ``fat_share``.
    cut : bool
        Whether it meets the border of the field of view.
    """

    name: Name
    side: Side
    level: str
    area_mm2: float
    mean_hu: float
    lean_mean_hu: float
    lean_area_mm2: float
    fat_share: float
    intramuscular_fat_share: float
    cut: bool


def muscles(volume: Volume, labels: Mask, frames: dict[str, BodyFrame], level: str = "L3") -> tuple[Muscle, ...]:
    """The psoas and erector muscles of both sides within 5 mm of a vertebral body's mid-height; those in view.

    Axial layers are the scan's, not the body's own: muscles run along the patient.

    Parameters
    ----------
    volume : Volume
        In Hounsfield units, any orientation.
    labels : Mask
        Spineclock numbering with muscles (71 to 74) on the same grid.
    frames : dict of str to BodyFrame
        From :func:`spineclock.measure.body_frames.body_frames`.
    level : str
        The vertebra.

    Raises
    ------
    GeometryError
        If the grids differ.

    Examples
    --------
    >>> array = np.zeros((30, 30, 12), np.uint8)
    >>> array[2:12, 5:15] = 71
    >>> frame = BodyFrame("L3", (15.0, 10.0, 6.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), 34.0, 26.0)
    >>> scan = Volume(np.where(array, 55, -100), np.eye(4))
    >>> (psoas,) = muscles(scan, Mask(array, np.eye(4)), {"L3": frame})
    >>> psoas.area_mm2, psoas.mean_hu, psoas.fat_share
    (100.0, 55.0, 0.0)
    """
    require_same_grid(volume, labels, what="the scan and its label map")
    if level not in frames:
        return ()
    volume, labels = canonical(volume), canonical(labels)
    chosen = _layer(volume, frames[level])
    if not chosen.any():
        return ()
    grey, structures = volume.array[:, :, chosen], labels.array[:, :, chosen]
    x, y, _ = volume.spacing_mm
    found = (
        _muscle(name, side, level, grey, structures, number, (x, y)) for (name, side), number in _STRUCTURES.items()
    )
    return tuple(muscle for muscle in found if muscle is not None)


def _layer(volume: Volume, frame: BodyFrame) -> Bools:
    """Which axial slices lie within 5 mm of the body's middle; at least the nearest, if it is within the scan."""
    middle = float((np.linalg.inv(volume.affine) @ [*frame.middle_mm, 1.0])[2])
    k = np.arange(volume.shape[2])
    away = np.abs(k - middle) * volume.spacing_mm[2]
    return np.asarray((away <= LAYER_MM) | ((away == away.min()) & (away <= volume.spacing_mm[2])))


def _muscle(name: Name, side: Side, level: str, grey: Array, structures: Array, number: int,
            pixel_mm: tuple[float, float]) -> Muscle | None:  # fmt: skip
    inside = structures == number
    if np.count_nonzero(inside) < FEWEST:
        return None
    values = grey[inside].astype(np.float64)
    lean = (values >= LEAN_HU[0]) & (values <= LEAN_HU[1])
    area = float(np.count_nonzero(inside) * pixel_mm[0] * pixel_mm[1] / inside.shape[2])
    compartment = _compartment(inside, structures, pixel_mm)
    border = inside[[0, -1]].any() or inside[:, [0, -1]].any()
    return Muscle(
        name, side, level, area, float(values.mean()), float(values[lean].mean()) if lean.any() else float("nan"),
        area * float(lean.mean()), _fat(values), _fat(grey[compartment]), bool(border),
    )  # fmt: skip


def _fat(values: Array) -> float:
    return float(np.mean((values >= FAT_HU[0]) & (values <= FAT_HU[1])))


def _compartment(inside: Bools, structures: Array, pixel_mm: tuple[float, float]) -> Bools:
    """The outline with its gaps and holes filled slice by slice, less what other structures take."""
    reach = [int(CLOSE_MM / mm) for mm in pixel_mm]
    x, y = np.mgrid[-reach[0] : reach[0] + 1, -reach[1] : reach[1] + 1]
    disk = (x * pixel_mm[0]) ** 2 + (y * pixel_mm[1]) ** 2 <= CLOSE_MM**2
    pad = max(reach) + 1
    out = np.zeros_like(inside)
    i, j = ndimage.find_objects(inside.any(axis=2).astype(np.uint8))[0]
    for k in range(inside.shape[2]):
        closed = ndimage.binary_closing(np.pad(inside[i, j, k], pad), disk)
        out[i, j, k] = ndimage.binary_fill_holes(closed)[pad:-pad, pad:-pad]
    return np.asarray(out & ((structures == 0) | inside))


def both_sides(found: tuple[Muscle, ...], name: Name) -> tuple[Muscle, Muscle] | None:
    """Left and right of a muscle, where both are whole in view."""
    own = {m.side: m for m in found if m.name == name and not m.cut}
    return (own["left"], own["right"]) if len(own) == 2 else None
