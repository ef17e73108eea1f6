"""Between a volume in the patient and the stack of pictures the segmentation network reads."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spineclock.core.volume import Array, Volume

Floats = npt.NDArray[np.float32]

PIXEL_MM = 0.47
"""The network's pixel: that of the expert masks it learned from."""
MULTIPLE = 32
"""Rows and columns of a picture must be a multiple of this: one unshuffle by two and four poolings."""


def working_grid(volume: Volume) -> Volume:
    """A canonical volume with its sagittal slices as they are and pixels of 0.47 mm within them, as float32.

    Pixels that are within 3% of that are left alone: the network has seen greater differences.
    """
    from spineclock.core.geometry import resample  # here, so that training needs no SimpleITK

    float_volume = volume.with_array(volume.array.astype(np.float32))
    slices_mm, *pixel_mm = volume.spacing_mm
    wanted = [mm if abs(mm / PIXEL_MM - 1) < 0.03 else PIXEL_MM for mm in pixel_mm]
    return resample(float_volume, (slices_mm, wanted[0], wanted[1]))


def windowed(array: Array) -> Floats:
    """Samples scaled so that the 1st and 99th percentile of those above the minimum become 0 and 1, clipped.

    The answer is the same for any positive linear rescaling of the samples.
    """
    above = array[array > array.min()]
    if above.size == 0:
        return np.zeros(array.shape, np.float32)
    low, high = np.percentile(above, (1, 99))
    scaled = (array.astype(np.float32) - np.float32(low)) / np.float32(max(high - low, 1e-6 * max(abs(high), 1e-30)))
    return np.asarray(np.clip(scaled, 0, 1), dtype=np.float32)


def standardised(array: Floats) -> Floats:
    """Samples with mean 0 and standard deviation 1."""
    return np.asarray((array - array.mean()) / (array.std() + 1e-6), dtype=np.float32)


def to_pictures(array: Array) -> Array:
    """Slices as pictures: (right, anterior, superior) → (slice, row downwards, column backwards)."""
    return array[:, ::-1, ::-1].transpose(0, 2, 1)


def from_pictures(pictures: Array) -> Array:
    """The inverse of :func:`to_pictures`."""
    return pictures.transpose(0, 2, 1)[:, ::-1, ::-1]


def with_neighbours(
    pictures: Array, offset: int, *, mirrored: bool = False, of: npt.NDArray[np.intp] | None = None
) -> Array:
    """Each picture between the ones ``offset`` slices to its left and right, shape (N, 3, H, W).

    At the ends the outermost slice stands in for the missing one; ``mirrored`` swaps left and right; ``of`` names the
    pictures wanted, all of them where it is not given.
    """
    n = len(pictures)
    index = np.arange(n) if of is None else of
    before, after = np.clip(index - offset, 0, n - 1), np.clip(index + offset, 0, n - 1)
    if mirrored:
        before, after = after, before
    return np.stack([pictures[before], pictures[index], pictures[after]], axis=1)
