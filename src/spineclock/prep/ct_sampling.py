"""A CT and its label map sampled on the grid of a region: the window of grey values, parts and vertebrae."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spineclock.core.anatomy import ARCH, BODY, LEVEL_NUMBERS, Structure
from spineclock.core.geometry import resample_like
from spineclock.core.volume import Array, Mask, Volume
from spineclock.prep.ct_cropping import CtCropping

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Shape = tuple[int, int, int]

MUSCLES = (Structure.PSOAS_LEFT, Structure.PSOAS_RIGHT, Structure.ERECTOR_LEFT, Structure.ERECTOR_RIGHT)
VERTEBRAE = tuple(n + part for name, n in LEVEL_NUMBERS.items() if name != "S1" for part in (0, BODY, ARCH))


class Sampled(NamedTuple):
    """The window as 0 … 1 with all but the parts blanked, where the parts are, and where of them the vertebrae."""

    array: Floats
    mask: Bools
    bone: Bools

    def part(self, first: int, stop: int) -> Sampled:
        """Some of the slices."""
        return Sampled(self.array[first:stop], self.mask[first:stop], self.bone[first:stop])


def sampled(volume: Volume, labels: Mask, affine: Array, shape: Shape, how: CtCropping) -> Sampled:
    """What the label map's parts hold on a grid; ``affine`` maps its slices, rows and columns to the patient.

    Grey values are interpolated once, after a Gaussian against aliasing along each axis of the scan that gets coarser.
    """
    found = Sampled(np.full(shape, how.outside, np.float32), np.zeros(shape, bool), np.zeros(shape, bool))
    where = _holding(labels, affine, shape, how)
    moved = np.array(affine)
    moved[:3, 3] += moved[:3, :3] @ [side.start for side in where]
    size = tuple(side.stop - side.start for side in where)
    for whole, own in zip(found, _sampled(volume, labels, moved, size, how), strict=True):
        whole[where] = own
    return found


def _holding(labels: Mask, affine: Array, shape: Shape, how: CtCropping) -> tuple[slice, ...]:
    """All slices of a grid, and the rows and columns beyond which there is nothing of the parts."""
    part = box(labels, affine, shape, how)
    marked = np.isin(labels.array[part], VERTEBRAE if how.parts == "bone" else (*VERTEBRAE, *MUSCLES))
    found = ndimage.find_objects(marked.astype(np.uint8))
    ends = [(s.start + f.start - 1, s.start + f.stop) for s, f in zip(part, found[0] if found else part, strict=True)]
    corners = np.stack(np.meshgrid(*ends, [1])).reshape(4, -1)
    at = (np.linalg.inv(affine) @ labels.affine @ corners)[1:3]
    more = how.margin_mm / np.array(how.spacing_mm[1:]) + 1
    n = np.array(shape[1:])
    first = np.clip(np.floor(at.min(axis=1) - more), 0, n - 1).astype(int)
    stop = np.clip(np.ceil(at.max(axis=1) + more) + 1, first + 1, n).astype(int)
    return slice(0, shape[0]), slice(first[0], stop[0]), slice(first[1], stop[1])


def _sampled(volume: Volume, labels: Mask, affine: Array, shape: Shape, how: CtCropping) -> Sampled:
    part = box(volume, affine, shape, how)
    here = np.array(volume.affine)
    here[:3, 3] += here[:3, :3] @ [side.start for side in part]
    seen = within(volume, affine, shape)

    def widened(inside: Bools) -> Bools:
        share = resample_like(Volume(inside.astype(np.float32), here), shape, affine, blank=False).array
        mask = (share >= 0.5) & seen
        return ndimage.binary_dilation(mask, _ball(how)) & seen if how.margin_mm > 0 else mask

    smooth = ndimage.gaussian_filter(volume.array[part].astype(np.float32), _sigmas(volume, how), mode="nearest")
    hu = resample_like(Volume(smooth, here), shape, affine, blank=False).array
    bottom, top = how.window_hu
    inside = np.isin(labels.array[part], VERTEBRAE)
    bone = widened(inside)
    mask = bone if how.parts == "bone" else widened(inside | np.isin(labels.array[part], MUSCLES))
    array = np.where(mask, np.clip((hu - bottom) / (top - bottom), 0, 1), how.outside).astype(np.float32)
    return Sampled(array, mask, bone)


def _ball(how: CtCropping) -> Bools:
    """Which neighbours lie within the margin."""
    spacing = np.array(how.spacing_mm)[:, None, None, None]
    reach = (how.margin_mm / np.array(how.spacing_mm)).astype(int)
    steps = np.mgrid[tuple(slice(-n, n + 1) for n in reach)]
    return np.asarray(np.sqrt(((steps * spacing) ** 2).sum(axis=0)) <= how.margin_mm)


def box(volume: Volume, affine: Array, shape: Shape, how: CtCropping) -> tuple[slice, ...]:
    """The part of the scan that samples on a grid are taken from."""
    ends = _indices(volume, affine, [np.array([0, n - 1]) for n in shape])
    margin = 4 * _sigmas(volume, how) + 2
    return tuple(
        slice(max(0, int(at.min() - more)), max(1, min(n, int(at.max() + more) + 1)))
        for at, n, more in zip(ends, volume.shape, margin, strict=True)
    )


def within(volume: Volume, affine: Array, shape: Shape) -> Bools:
    """Which samples of a grid lie within the scan."""
    at = _indices(volume, affine, [np.arange(n) for n in shape])
    inside = [(a >= -0.5) & (a <= n - 0.5) for a, n in zip(at, volume.shape, strict=True)]
    return np.asarray(inside[0] & inside[1] & inside[2])


def _indices(volume: Volume, affine: Array, grid: list[npt.NDArray[np.int_]]) -> list[Array]:
    """Where samples of a grid lie along each axis of the scan."""
    d, h, w = np.ix_(*grid)
    return [start + a * d + b * h + c * w for a, b, c, start in (np.linalg.inv(volume.affine) @ affine)[:3]]


def _sigmas(volume: Volume, how: CtCropping) -> npt.NDArray[np.float64]:
    """Of the Gaussian along each axis of the scan that leaves half the amplitude at the new Nyquist frequency."""
    slices, rows, columns = how.spacing_mm
    shrink = np.array([columns, rows, slices]) / np.asarray(volume.spacing_mm)
    return np.where(shrink > 1.05, np.sqrt(np.maximum(shrink**2 - 1, 0)) / 2.3548, 0.0)
