"""An upright box of a scan's sagittal slices, sampled in one step of interpolation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spineclock.core.bone import BodyFrame
from spineclock.core.volume import Array, Volume
from spineclock.prep.cropping import Cropping

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Plane:
    """Where a crop's pixels lie within the slices of a canonical scan.

    ``to_index`` takes (row, column, 1) to the scan's indices (j, k), shape (2, 3); ``slice_index`` is where the box's
    middle lies from left to right.
    """

    to_index: Floats
    size: tuple[int, int]
    pixel_mm: float
    spacing_mm: tuple[float, float]
    slice_index: float

    def indices(self) -> Floats:
        """The scan's (j, k) of every pixel, shape (2, H, W)."""
        rows, columns = np.mgrid[: self.size[0], : self.size[1]].astype(np.float64)
        j, k = (a * rows + b * columns + c for a, b, c in self.to_index)
        return np.stack([j, k])

    def affine(self, volume: Volume, first: int) -> Floats:
        """Slice, row and column of the crop to patient millimetres."""
        to_voxel = np.eye(4)
        to_voxel[0, 3] = first
        to_voxel[1:3, 1:] = self.to_index
        return np.asarray(volume.affine @ to_voxel)


def upright(frame: BodyFrame, volume: Volume, how: Cropping) -> Plane:
    """The pixels that just hold a body's box with its margin, rows along its end plates, in a canonical scan.

    A pixel is as large as the tighter of rows and columns asks; what is left over is shared by both sides.
    """
    inverse = np.linalg.inv(volume.affine)
    middle = inverse[:3, :3] @ np.asarray(frame.middle_mm) + inverse[:3, 3]
    _, dy, dz = volume.spacing_mm
    # Within the slices: what a frame of another sequence has of left and right is left out.
    front = (inverse[:3, :3] @ np.asarray(frame.front))[1:] * (dy, dz)
    cos, sin = front / np.linalg.norm(front)
    stretch = 1 + 2 * how.margin
    pixel = stretch * max(frame.height_mm / how.size[0], frame.depth_mm / how.size[1])
    down, back = np.array([sin / dy, -cos / dz]) * pixel, np.array([-cos / dy, -sin / dz]) * pixel
    corner = middle[1:] - down * (how.size[0] - 1) / 2 - back * (how.size[1] - 1) / 2
    return Plane(np.column_stack([down, back, corner]), how.size, float(pixel), (dy, dz), float(middle[0]))


def sampled(slices: Array, plane: Plane, *, fill: float) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The pixels of a crop in each slice, shape (n, H, W), and which of them lie within the scan.

    Linear within the slice, after a Gaussian that leaves half the amplitude at the new Nyquist frequency along each
    axis that shrinks by more than 5%. Beyond the scan there is ``fill``.
    """
    at = plane.indices()
    shrink = np.array([plane.pixel_mm / mm for mm in plane.spacing_mm])
    sigmas = np.where(shrink > 1.05, np.sqrt(np.maximum(shrink**2 - 1, 0)) / 2.3548, 0.0)
    reach = int(np.ceil(4 * sigmas.max())) + 2
    low = [max(0, int(np.floor(a.min())) - reach) for a in at]
    high = [min(n, int(np.ceil(a.max())) + reach + 1) for a, n in zip(at, slices.shape[1:], strict=True)]
    within = np.all([(a >= -0.5) & (a <= n - 0.5) for a, n in zip(at, slices.shape[1:], strict=True)], axis=0)
    out = np.full((len(slices), *plane.size), fill, np.float64)
    if within.any():
        box = slices[:, low[0] : high[0], low[1] : high[1]].astype(np.float64)
        moved = at - np.array(low)[:, None, None]
        for n, one in enumerate(box):
            smooth = ndimage.gaussian_filter(one, sigmas, mode="nearest") if sigmas.any() else one
            out[n] = np.where(within, ndimage.map_coordinates(smooth, moved, order=1, mode="nearest"), fill)
    return out, np.broadcast_to(within, out.shape)
