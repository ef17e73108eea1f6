"""From a scan and its vertebral bodies to upright crops of one size, a body each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from spineclock.core.anatomy import BODY, LEVEL_NUMBERS
from spineclock.core.bone import BodyFrame, ReferenceSignal
from spineclock.core.errors import RefusedError
from spineclock.core.geometry import canonical, require_same_grid
from spineclock.core.volume import Array, Mask, Volume
from spineclock.prep.crop_sampling import Plane, sampled, upright
from spineclock.prep.cropping import Cropping

Floats = npt.NDArray[np.float32]

DEPTHS, HEIGHTS = (0.6, 1.5), (0.4, 1.6)
"""Of the median of the person's bodies in view: beyond these a depth or height is that of no body. Fractures take off
height, and Genant's severe ones start at a loss of 40%."""
LEAST_MM = 15.0
"""No adult's lumbar body is less deep."""
FULL = 0.5
"""A body fills at least this share of its own box, a wedge just that; what was mistaken for one often does not."""


@dataclass(frozen=True, eq=False)
class Crop:
    """One vertebral body, end plates horizontal, front at the left, head up.

    Attributes
    ----------
    level : str
        Such as L3.
    array : ndarray, float32, shape (n, H, W)
        Grey values as the setting ``intensity`` has them; slices from the patient's left to right.
    mask : ndarray of bool, shape (n, H, W)
        Where the body is.
    affine : ndarray, shape (4, 4)
        Slice, row and column to patient millimetres (RAS+), so that maps can go back to the scan.
    pixel_mm : float
        The same along rows and columns.
    in_view : float
        Share of the crop that lies within the scan; the rest holds the scan's lowest sample.
    reference : ReferenceSignal, optional
        What grey values are ratios to; None where they are to nothing.
    """

    level: str
    array: Floats
    mask: npt.NDArray[np.bool_]
    affine: Array
    pixel_mm: float
    in_view: float
    reference: ReferenceSignal | None = None


@dataclass(frozen=True, eq=False)
class Crops:
    """The crops of a scan, in the order of the levels asked for, and why there is none of the others."""

    crops: tuple[Crop, ...]
    missing: Mapping[str, str]
    how: Cropping = field(default_factory=Cropping)

    @property
    def levels(self) -> tuple[str, ...]:
        """Those there is a crop of."""
        return tuple(crop.level for crop in self.crops)

    @property
    def array(self) -> Floats:
        """All of them, shape (levels, n, H, W)."""
        return np.stack([crop.array for crop in self.crops])

    def __getitem__(self, level: str) -> Crop:
        for crop in self.crops:
            if crop.level == level:
                return crop
        why = self.missing.get(level, f"{level} was not asked for")
        raise RefusedError(f"no crop of {level}: {why}", wanted=f"one of {', '.join(self.levels)}")


def crops(
    volume: Volume,
    bodies: Mask,
    frames: Mapping[str, BodyFrame],
    how: Cropping | None = None,
    *,
    reference: ReferenceSignal | None = None,
) -> Crops:
    """The crops of a scan's vertebral bodies.

    Each is a square-pixelled picture that just holds the body's own box with the margin, turned until the box is
    upright, in the scan's sagittal slices; every sample is interpolated once, linearly within its slice, after a
    Gaussian against aliasing where pixels grow by more than 5%. The answer does not depend on the order in which the
    scan's axes are stored, and the frames may come from another sequence of the same examination. A body that is cut
    off, that the scan does not show, or whose size or shape is no body's is left out, with the reason.

    Parameters
    ----------
    volume : Volume
        The scan, any orientation.
    bodies : Mask
        200 + the vertebra's number in its body, on the same grid; other numbers are of no account.
    frames : mapping of str to BodyFrame
        The bodies' own boxes by level (:func:`spineclock.measure.body_frames.body_frames`).
    how : Cropping, optional
        Levels, size, margin, slices and grey values; the default is L1–L4, 64 × 64, 10%, the mid-sagittal slice,
        z-scores.
    reference : ReferenceSignal, optional
        The tissue that ``how.intensity`` names.

    Raises
    ------
    GeometryError
        If scan and bodies lie on different grids.
    RefusedError
        If no crop can be cut of any level, or the reference that grey values are to be ratios to is not in view.

    Examples
    --------
    >>> array = np.zeros((5, 60, 60), np.int16)
    >>> array[:, 10:44, 20:46] = 222  # the body of L3, 34 by 26 mm
    >>> scan = Volume(np.random.default_rng(0).normal(100, 10, array.shape), np.eye(4))
    >>> box = BodyFrame("L3", (2.0, 26.5, 32.5), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), 34.0, 26.0)
    >>> found = crops(scan, Mask(array, np.eye(4)), {"L3": box})
    >>> found.levels, found["L3"].array.shape, round(found["L3"].pixel_mm, 4), found.missing["L1"]
    (('L3',), (1, 64, 64), 0.6375, 'it was not found in the scan')
    """
    how = how or Cropping()
    require_same_grid(volume, bodies, what="the scan and its map of bodies")
    used = _reference(how, reference)
    volume, bodies = canonical(volume), canonical(bodies)
    made: list[Crop] = []
    missing: dict[str, str] = {}
    for level in how.levels:
        inside = bodies.array == BODY + LEVEL_NUMBERS[level]
        try:
            made.append(_crop(volume, inside, _told(level, frames), how, used))
        except RefusedError as error:
            missing[level] = error.found
    if not made:
        raise RefusedError(
            f"no vertebral body can be cropped ({'; '.join(f'{k}: {v}' for k, v in missing.items())})",
            wanted=f"a scan that shows {', '.join(how.levels)}",
            remedy="look at the outlines, name the lowest vertebra, or ask for other levels",
        )
    return Crops(tuple(made), missing, how)


def _reference(how: Cropping, reference: ReferenceSignal | None) -> ReferenceSignal | None:
    """The reference that is used; refused where it is wanted and not there."""
    if how.intensity in ("raw", "zscore"):
        return None
    if reference is not None and reference.name == how.intensity and reference.known:
        return reference
    if reference is None:
        found = f"grey values are to be ratios to {how.intensity}, and no reference was given"
    elif reference.name != how.intensity:
        found = f"grey values are to be ratios to {how.intensity}, and the reference given is {reference.name}"
    else:
        found = f"grey values are to be ratios to {how.intensity}, which is not in view: {reference.reason}"
    raise RefusedError(
        found,
        wanted=f"a label map and field of view with {how.intensity}",
        remedy="give one, or set intensity to zscore",
    )


def _told(level: str, frames: Mapping[str, BodyFrame]) -> BodyFrame:
    """The frame of a level, which must be whole and of a size that a vertebral body beside the others can have."""
    if level not in frames:
        raise RefusedError("it was not found in the scan")
    frame = frames[level]
    if frame.cut:
        raise RefusedError("its body meets the border of the scan")
    whole = [f for name, f in frames.items() if name != "S1" and not f.cut]
    for what, own, others, (least, most) in (
        ("deep", frame.depth_mm, [f.depth_mm for f in whole], DEPTHS),
        ("high", frame.height_mm, [f.height_mm for f in whole], HEIGHTS),
    ):
        usual = float(np.median(others))
        if not least * usual <= own <= most * usual:
            raise RefusedError(f"what was found of it is {own:.0f} mm {what} where the others are {usual:.0f}: no body")
    if frame.depth_mm < LEAST_MM:
        raise RefusedError(f"what was found of it is {frame.depth_mm:.0f} mm deep: no body")
    return frame


def _crop(
    volume: Volume, inside: Array, frame: BodyFrame, how: Cropping, reference: ReferenceSignal | None
) -> Crop:  # fmt: skip
    plane = upright(frame, volume, how)
    first = _first_slice(inside, plane, how)
    chosen = slice(first, first + how.slices)
    grey, in_view = sampled(volume.array[chosen], plane, fill=float(volume.array.min()))
    share, _ = sampled(inside[chosen], plane, fill=0.0)
    mask = share >= 0.5
    if not mask.any(axis=(1, 2)).all():
        raise RefusedError("its box in the scan does not hold it")
    box_pixels = frame.depth_mm * frame.height_mm / plane.pixel_mm**2
    if float(np.median(mask.sum(axis=(1, 2)))) < FULL * box_pixels:
        raise RefusedError(f"what was found of it fills less than {FULL:.0%} of its box: no body")
    array = _scaled(grey, in_view, how, reference)
    seen = float(in_view.mean())
    return Crop(frame.level, array, mask, plane.affine(volume, first), plane.pixel_mm, seen, reference)


def _first_slice(inside: Array, plane: Plane, how: Cropping) -> int:
    """The lowest index of the slices that are cropped."""
    areas = inside.sum(axis=(1, 2)).astype(np.int64)
    shown = int(np.count_nonzero(areas))
    starts = np.arange(len(areas) - how.slices + 1)
    whole = np.array([bool(areas[s : s + how.slices].all()) for s in starts], bool)
    if not whole.any():
        raise RefusedError(f"its body shows in {shown} slices where {how.slices} side by side are wanted")
    starts = starts[whole]
    away = np.abs(starts + (how.slices - 1) / 2 - plane.slice_index)
    if how.choose == "middle":
        return int(starts[away.argmin()])
    sums = np.array([areas[s : s + how.slices].sum() for s in starts])
    return int(starts[np.lexsort((away, -sums))[0]])


def _scaled(grey: Array, in_view: Array, how: Cropping, reference: ReferenceSignal | None) -> Floats:
    """Grey values as the setting has them."""
    values = grey[in_view]
    spread = float(values.std())
    if not spread > 1e-6 * float(np.abs(values).max(initial=0.0)):  # which a store could not tell from no crop at all
        raise RefusedError("it has one grey value throughout")
    if how.intensity == "zscore":
        grey = (grey - float(values.mean())) / spread
    elif reference is not None:
        grey = grey / reference.signal
    return np.asarray(grey, dtype=np.float32)
