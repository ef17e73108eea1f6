"""What is measured of each vertebral body in CT: heights along its own axes, and the density of its trabecular bone.

The region of interest follows Pickhardt et al., Ann Intern Med 158:588 (2013): trabecular bone of the anterior body at
mid-height, clear of the cortex, the end plates and the vein behind. There it is an oval drawn by hand in one slice;
here all voxels of the anterior two thirds, 3 mm within the body, in the middle 10 mm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spineclock.core.anatomy import ARCH, BODY, DISC, LEVEL_NAMES, LEVEL_NUMBERS, Structure
from spineclock.core.bone import BodyFrame
from spineclock.core.geometry import canonical, require_same_grid
from spineclock.core.volume import Array, Mask, Volume
from spineclock.measure.body_frames import body_pieces, frames_of
from spineclock.measure.frame import FEWEST, Piece, Pieces, from_top
from spineclock.measure.genant import Heights
from spineclock.measure.section import Section
from spineclock.measure.sections import Sections, cut_off, sections
from spineclock.measure.vertebrae import BANDS

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

MARGIN_MM = 3.0
"""How far within the body trabecular bone is taken: cortex and end plates, and what blurs of them, stay out."""
ANTERIOR = 2 / 3
"""Share of the depth, from the front."""
SLAB_MM = 5.0
"""Half the thickness of the layer at mid-height; of a low body a quarter of its height."""
SIDE_SHARE = 0.2
"""A body is cut at the side where the outermost slice shows so much of its largest section."""
NAN = float("nan")


@dataclass(frozen=True)
class Trabecular:
    """Hounsfield units of a body's trabecular bone; NaN where fewer than 20 voxels are left."""

    mean_hu: float
    sd_hu: float
    median_hu: float
    voxels: int


@dataclass(frozen=True)
class CtBody:
    """One vertebral body.

    Attributes
    ----------
    level : str
    frame : BodyFrame
        Its own box in the patient.
    heights : Heights
        Means over bands of the depth, in the layer within 5 mm of the middle, square to the end plates.
    depth_mm, wedge_deg, tilt_deg : float
        Extent from back to front; by how much the end plates converge to the front; by how much the body leans to the
        right or left in the scan.
    trabecular : Trabecular
    cut : bool
        Whether the field of view or the label map cuts it off.
    """

    level: str
    frame: BodyFrame
    heights: Heights
    depth_mm: float
    wedge_deg: float
    tilt_deg: float
    trabecular: Trabecular
    cut: bool


@dataclass(frozen=True)
class Coverage:
    """Which of the levels that are wanted a label map shows whole, which it cuts off, and which it does not show."""

    whole: tuple[str, ...]
    cut: tuple[str, ...]
    absent: tuple[str, ...]

    @property
    def reason(self) -> str:
        """Why some are missing, in words, or empty.

        >>> Coverage(("L1", "L2"), ("T12",), ("L3", "L4")).reason
        'T12 cut off, L3 and L4 not in view'
        """
        parts = [(self.cut, "cut off"), (self.absent, "not in view")]
        return ", ".join(f"{_listed(levels)} {what}" for levels, what in parts if levels)


THORACOLUMBAR = ("T12", "L1", "L2", "L3", "L4")


def coverage(bodies: Mapping[str, CtBody], levels: tuple[str, ...] = THORACOLUMBAR) -> Coverage:
    """Which of the levels are there whole."""
    whole = tuple(level for level in levels if level in bodies and not bodies[level].cut)
    cut = tuple(level for level in levels if level in bodies and bodies[level].cut)
    return Coverage(whole, cut, tuple(level for level in levels if level not in bodies))


def _listed(levels: tuple[str, ...]) -> str:
    return levels[0] if len(levels) == 1 else f"{', '.join(levels[:-1])} and {levels[-1]}"


def ct_bodies(volume: Volume, labels: Mask) -> dict[str, CtBody]:
    """All vertebral bodies of a CT, from the top down, measured on the scan's own grid.

    Parameters
    ----------
    volume : Volume
        In Hounsfield units, any orientation.
    labels : Mask
        Spineclock numbering with bodies (200 +) told from arches, on the same grid.

    Raises
    ------
    GeometryError
        If the grids differ.

    Examples
    --------
    >>> array = np.zeros((40, 50, 40), np.uint8)
    >>> array[5:35, 10:40, 7:33] = 222  # the body of L3, 30 by 30 by 26 mm
    >>> found = ct_bodies(Volume(np.where(array, 150, 40), np.eye(4)), Mask(array, np.eye(4)))["L3"]
    >>> round(found.heights.anterior_mm, 1), found.trabecular.mean_hu, found.cut
    (26.0, 150.0, False)
    """
    require_same_grid(volume, labels, what="the scan and its label map")
    volume, labels = _spine_alone(canonical(volume), canonical(labels))
    found = body_pieces(volume, labels)
    seen, affine = sections(found), volume.affine
    frames = frames_of(found, seen, affine)
    cut = {level for structure, level in cut_off(found, seen) if structure == "vertebra"}
    out = {}
    for number in from_top(set(found.bodies)):
        level = LEVEL_NAMES[number]
        if number == LEVEL_NUMBERS["S1"] or level not in frames:
            continue
        out[level] = _body(number, found, seen, frames[level], affine, cut=level in cut)
    return out


def _spine_alone(volume: Volume, labels: Mask) -> tuple[Volume, Mask]:
    """Scan and map cropped to what is of the spine and a few voxels more, which is quicker and changes nothing."""
    table = np.zeros(max(ARCH + 100, int(labels.array.max(initial=0)) + 1), bool)
    table[[n + part for n in LEVEL_NUMBERS.values() for part in (0, DISC, BODY, ARCH)]] = True
    table[[Structure.CANAL, Structure.CORD, Structure.CSF]] = True
    inside = table[labels.array]
    if not inside.any():
        return volume, labels
    kept = [np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    low = [max(0, int(k[0]) - 3) for k in kept]  # what touches a border of the scan still does, nothing else
    box = tuple(slice(a, int(k[-1]) + 4) for a, k in zip(low, kept, strict=True))
    affine = np.array(volume.affine)
    affine[:3, 3] += affine[:3, :3] @ low
    return Volume(volume.array[box], affine), Mask(labels.array[box], affine)


def _body(number: int, found: Pieces, seen: Sections, frame: BodyFrame, affine: Array, *, cut: bool) -> CtBody:
    piece, shape = found.bodies[number], seen.bodies[number]
    assert shape is not None, "a body with a frame has a section"
    away = _from_middle(piece, frame, affine)
    tilt = _tilt(piece, away, frame)
    return CtBody(
        frame.level,
        frame,
        _heights(shape, float(np.cos(np.radians(tilt)))),
        frame.depth_mm,
        float(np.degrees(shape.upper_angle_rad - shape.lower_angle_rad)),
        tilt,
        _trabecular(piece.samples[trabecular_region(piece, frame, affine)]),
        cut or _cut_at_side(piece),
    )


def _cut_at_side(piece: Piece) -> bool:
    """Whether the border at a side cuts the body itself, not the root of a process."""
    areas = piece.inside.sum(axis=(1, 2))
    return piece.cut_at_side and bool(max(areas[0], areas[-1]) >= SIDE_SHARE * areas.max())


def _heights(shape: Section, upright: float) -> Heights:
    back, middle, front = (shape.height_between(*BANDS[band]) * upright for band in ("back", "middle", "front"))
    return Heights(front, middle, back)


def trabecular_region(piece: Piece, frame: BodyFrame, affine: Array) -> Bools:
    """The voxels of a body that count as its trabecular bone, shape of the piece's box; see the module's words.

    ``affine`` is the canonical scan's.
    """
    right, front, up = _from_middle(piece, frame, affine)
    spacing = piece.spacing_mm
    depth = ndimage.distance_transform_edt(np.pad(piece.inside, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
    # An edge lies half a voxel before the first outside voxel's middle.
    inner = depth >= MARGIN_MM + float(np.mean(spacing)) / 2
    half = min(SLAB_MM, frame.height_mm / 4)
    tilt = np.tan(np.radians(_tilt(piece, (right, front, up), frame)))
    return np.asarray(
        piece.inside & inner & (front >= (0.5 - ANTERIOR) * frame.depth_mm) & (np.abs(up - tilt * right) <= half)
    )


def _from_middle(piece: Piece, frame: BodyFrame, affine: Array) -> tuple[Floats, Floats, Floats]:
    """How far each voxel of the box lies to the right, to the front and up from the middle of its body, in mm."""
    at = np.stack(
        np.meshgrid(*(f + np.arange(n) for f, n in zip(piece.first, piece.inside.shape, strict=True)), indexing="ij")
    )
    away = np.tensordot(affine[:3, :3], at, axes=1) + (affine[:3, 3] - frame.middle_mm)[:, None, None, None]
    front, up = np.asarray(frame.front), np.asarray(frame.up)
    axes = (np.cross(front, up), front, up)
    right, forward, upward = (np.asarray(np.tensordot(axis, away, axes=1)) for axis in axes)
    return right, forward, upward


def _tilt(piece: Piece, away: tuple[Floats, Floats, Floats], frame: BodyFrame) -> float:
    """By how many degrees the body rises to the right: the slope of its middle line over the middle half of it."""
    right, front, up = away
    inside = piece.inside & (np.abs(front) <= frame.depth_mm / 4)
    counts = inside.sum(axis=(1, 2))
    kept = counts > 0.5 * counts.max(initial=1)
    if kept.sum() < 3:
        return 0.0
    x = (right * inside).sum(axis=(1, 2))[kept] / counts[kept]
    z = (up * inside).sum(axis=(1, 2))[kept] / counts[kept]
    reach = np.abs(x - x.mean()) <= 12.0
    if reach.sum() < 3:
        return 0.0
    slope = float(np.polyfit(x[reach], z[reach], 1)[0])
    return float(np.degrees(np.arctan(np.clip(slope, -0.7, 0.7))))


def _trabecular(values: Array) -> Trabecular:
    if len(values) < FEWEST:
        return Trabecular(NAN, NAN, NAN, len(values))
    hu = values.astype(np.float64)
    return Trabecular(float(hu.mean()), float(hu.std()), float(np.median(hu)), len(hu))
