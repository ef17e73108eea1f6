"""From a CT and its label map to regions round vertebrae, bone alone or with muscle, and the images a network reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from spineclock.core.bone import BodyFrame
from spineclock.core.errors import RefusedError
from spineclock.core.geometry import canonical, require_same_grid
from spineclock.core.volume import Array, Mask, Volume
from spineclock.prep.crops import DEPTHS, HEIGHTS, LEAST_MM
from spineclock.prep.ct_cropping import CtCropping
from spineclock.prep.ct_sampling import MUSCLES, Bools, Floats, Sampled, box, sampled, within

LEAST_MUSCLE_MM3 = 5000.0
"""Less muscle in a region than a cube of 17 mm is none."""


@dataclass(frozen=True, eq=False)
class Stack:
    """Adjacent slices of a region, one image with as many channels, and where the parts and the vertebrae are."""

    level: str
    array: Floats
    mask: Bools
    bone: Bools


@dataclass(frozen=True, eq=False)
class CtRegion:
    """One vertebra with what lies round it, all but the chosen parts blanked; sampled as it is looked at.

    Attributes
    ----------
    level : str
        Such as L3.
    affine : ndarray, shape (4, 4)
        Slice, row and column to patient millimetres (RAS+), so that maps can go back to the scan.
    slices : tuple of slice
        Where each stack lies, the highest first.
    """

    level: str
    affine: Array
    slices: tuple[slice, ...]
    _scan: Volume = field(repr=False)
    _labels: Mask = field(repr=False)
    _how: CtCropping

    @property
    def array(self) -> Floats:
        """The window as 0 … 1, float32, shape (D, H, W): slices from the head down, rows from the front back, columns
        from the patient's right to the left, as axial slices are looked at."""
        return self._whole.array

    @property
    def mask(self) -> Bools:
        """Where the parts are, with their margin, shape (D, H, W)."""
        return self._whole.mask

    @property
    def bone(self) -> Bools:
        """Where of them the vertebrae are, with their margin, shape (D, H, W)."""
        return self._whole.bone

    @property
    def in_view(self) -> float:
        """Share of the region that lies within the scan."""
        return float(within(self._scan, self.affine, self._how.region).mean())

    @cached_property
    def stacks(self) -> tuple[Stack, ...]:
        """The images of this vertebra, the highest first."""
        first = min(s.start for s in self.slices)
        shown = self._sampled(first, max(s.stop for s in self.slices))
        return tuple(Stack(self.level, *shown.part(s.start - first, s.stop - first)) for s in self.slices)

    @cached_property
    def _whole(self) -> Sampled:
        return self._sampled(0, self._how.region[0])

    def _sampled(self, first: int, stop: int) -> Sampled:
        """Some slices, sampled with the neighbours from which the margin reaches into them."""
        more = int(self._how.margin_mm / self._how.spacing_mm[0])
        low, high = max(0, first - more), min(self._how.region[0], stop + more)
        affine = np.array(self.affine)
        affine[:3, 3] += affine[:3, 0] * low
        made = sampled(self._scan, self._labels, affine, (high - low, *self._how.region[1:]), self._how)
        return made.part(first - low, stop - low)

    def map_in_space(self, maps: Array) -> Volume:
        """A map over each stack's image, shape (stacks, H, W), where it lies in the patient; 0 between the stacks.

        :func:`spineclock.core.geometry.resample_like` brings it onto the scan's grid. Slices that two stacks share hold
        the mean.
        """
        total = np.zeros(self._how.region, np.float32)
        count = np.zeros(len(total), np.float32)
        for one, where in zip(maps, self.slices, strict=True):
            total[where] += one
            count[where] += 1
        return Volume(total / np.maximum(count, 1)[:, None, None], self.affine)


@dataclass(frozen=True, eq=False)
class CtRegions:
    """The regions of a scan, from the top down, and why there is none of the other levels."""

    regions: tuple[CtRegion, ...]
    missing: Mapping[str, str]
    how: CtCropping = field(default_factory=CtCropping)

    @property
    def levels(self) -> tuple[str, ...]:
        """Those there is a region of."""
        return tuple(region.level for region in self.regions)

    @property
    def runs(self) -> tuple[tuple[str, ...], ...]:
        """All runs of consecutive vertebrae that make an example, the highest first."""
        n, wanted = self.how.consecutive, self.how.levels
        every = (wanted[i : i + n] for i in range(len(wanted) - n + 1))
        return tuple(run for run in every if set(run) <= set(self.levels))

    @property
    def middle_run(self) -> tuple[str, ...]:
        """The run in the middle.

        Raises
        ------
        RefusedError
            If there is none.
        """
        if not self.runs:
            raise RefusedError(
                f"no {self.how.consecutive} vertebrae in a row ({_told_why(self.missing)})",
                wanted=f"that many of {', '.join(self.how.levels)} whole in view",
                remedy="give a scan that shows more of the spine, or ask for fewer vertebrae or other levels",
            )
        return self.runs[len(self.runs) // 2]

    def __getitem__(self, level: str) -> CtRegion:
        for region in self.regions:
            if region.level == level:
                return region
        why = self.missing.get(level, f"{level} was not asked for")
        raise RefusedError(f"no region of {level}: {why}", wanted=f"one of {', '.join(self.levels)}")

    def images(self, run: tuple[str, ...] | None = None) -> Floats:
        """The images of a run of vertebrae, shape (vertebrae × stacks, channels, H, W); of the middle run by default.

        Raises
        ------
        RefusedError
            If one of its vertebrae has no region, or the scan has no run.
        """
        run = self.middle_run if run is None else run
        return np.stack([stack.array for level in run for stack in self[level].stacks])


def regions(volume: Volume, labels: Mask, frames: Mapping[str, BodyFrame], how: CtCropping | None = None) -> CtRegions:
    """The regions round a scan's vertebrae.

    Each lies square to its body's end plates (or to the scan), its middle slice at the body's mid-height; every sample
    is interpolated once, linearly, after a Gaussian against aliasing along each axis of the scan that gets coarser by
    more than 5%. A vertebra that is cut off, not in view, of no body's size, or beside which no muscle is marked where
    muscles are asked for, is left out with the reason.

    Parameters
    ----------
    volume : Volume
        In Hounsfield units, any orientation.
    labels : Mask
        Spineclock numbering on the same grid; vertebrae whole or in parts, muscles 71 to 74.
    frames : mapping of str to BodyFrame
        The bodies' own boxes by level (:func:`spineclock.measure.body_frames.body_frames`).
    how : CtCropping, optional
        The default is bone and muscle at 3 × 1 × 1 mm, 24 × 128 × 224.

    Raises
    ------
    GeometryError
        If scan and map lie on different grids.
    RefusedError
        If there is no region of any level.

    Examples
    --------
    >>> array = np.zeros((60, 60, 30), np.uint8)
    >>> array[15:45, 20:50, 3:28] = 222  # the body of L3
    >>> scan = Volume(np.where(array > 0, 160, 40).astype(np.int16), np.eye(4))
    >>> box = BodyFrame("L3", (29.5, 34.5, 15.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), 30.0, 25.0)
    >>> found = regions(scan, Mask(array, np.eye(4)), {"L3": box}, CtCropping(parts="bone"))
    >>> found.levels, found["L3"].array.shape, round(float(found["L3"].array.max()), 2), found.missing["L1"]
    (('L3',), (24, 128, 224), 0.3, 'it was not found in the scan')
    """
    how = how or CtCropping()
    require_same_grid(volume, labels, what="the scan and its label map")
    volume, labels = canonical(volume), canonical(labels)
    made: list[CtRegion] = []
    missing: dict[str, str] = {}
    for level in how.levels:
        try:
            made.append(_region(volume, labels, _frame(level, frames), how))
        except RefusedError as error:
            missing[level] = error.found
    if not made:
        raise RefusedError(f"no vertebra to look at ({_told_why(missing)})",
                           wanted=f"a scan and label map that show {', '.join(how.levels)}",
                           remedy="look at the outlines, or ask for other levels")  # fmt: skip
    return CtRegions(tuple(made), missing, how)


def _told_why(missing: Mapping[str, str]) -> str:
    return "; ".join(f"{level}: {why}" for level, why in missing.items())


def _frame(level: str, frames: Mapping[str, BodyFrame]) -> BodyFrame:
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
        if not max(least * usual, LEAST_MM if what == "deep" else 0.0) <= own <= most * usual:
            raise RefusedError(f"what was found of it is {own:.0f} mm {what} where the others are {usual:.0f}: no body")
    return frame


def _region(volume: Volume, labels: Mask, frame: BodyFrame, how: CtCropping) -> CtRegion:
    """The region of a body, beside which muscle must be marked where muscle is asked for."""
    affine = _affine(volume, frame, how)
    if how.parts != "bone":
        muscle = np.isin(labels.array[box(volume, affine, how.region, how)], MUSCLES)
        if np.count_nonzero(muscle) * volume.voxel_mm3 < LEAST_MUSCLE_MM3:
            raise RefusedError("no muscle is marked beside it")
    return CtRegion(frame.level, affine, _slices(frame, how), volume, labels, how)


def _affine(volume: Volume, frame: BodyFrame, how: CtCropping) -> Array:
    """Slice, row and column to patient millimetres."""
    if how.along == "body":
        up, front = np.asarray(frame.up), np.asarray(frame.front)
    else:
        unit = volume.affine[:3, :3] / np.asarray(volume.spacing_mm)
        up, front = unit[:, 2], unit[:, 1]
    right = np.cross(front, up)
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([-up, -front, -right]) * how.spacing_mm
    middle = np.asarray(frame.middle_mm) - how.behind_mm * front
    d, h, w = how.region
    affine[:3, 3] = middle - affine[:3, :3] @ np.array([d // 2, (h - 1) / 2, (w - 1) / 2])
    return affine


def _slices(frame: BodyFrame, how: CtCropping) -> tuple[slice, ...]:
    """Where the stacks lie in a region, the highest first."""
    out = []
    for share in sorted(how.heights, reverse=True):
        middle = how.region[0] // 2 - (share - 0.5) * frame.height_mm / how.spacing_mm[0]
        first = int(np.clip(round(middle - (how.adjacent - 1) / 2), 0, how.region[0] - how.adjacent))
        out.append(slice(first, first + how.adjacent))
    return tuple(out)
