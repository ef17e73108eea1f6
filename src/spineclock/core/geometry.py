"""Orienting, resampling and comparing grids; every layer above uses these and no others.

Inside the program every volume is *canonical*: axis 0 runs to the patient's right, axis 1
to the front (anterior), axis 2 up (superior), as nearly as flips and swaps of whole axes allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Literal, TypeVar

import numpy as np
import SimpleITK as sitk

from spineclock.core.errors import GeometryError, RefusedError
from spineclock.core.volume import Array, Mask, Volume

V = TypeVar("V", bound=Volume)
Plane = Literal["sagittal", "coronal", "axial", "unknown"]


def canonical(volume: V) -> V:
    """The volume with its axes nearest to right, anterior, superior; no sample is changed.

    Shape (I, J, K) → a permutation of it. The assignment maximises the product of direction cosines,
    so that an oblique slab gets three different axes and the answer does not depend on storage order.

    Examples
    --------
    >>> v = Volume(np.arange(24).reshape(2, 3, 4), np.diag([-1.0, 1.0, 1.0, 1.0]))
    >>> c = canonical(v)
    >>> bool((c.array == v.array[::-1]).all()), c.affine[0].tolist()
    (True, [1.0, 0.0, 0.0, -1.0])
    """
    cosines = volume.affine[:3, :3] / np.asarray(volume.spacing_mm)
    order = max(
        permutations(range(3)),
        key=lambda p: (
            round(float(np.prod([abs(cosines[w, p[w]]) for w in range(3)])), 5),
            # An axis at 45° fits two names equally well: decide by what no flip or swap of storage can change.
            tuple(round(float(cosines[w, p[w]] * cosines[(w + 1) % 3, p[w]]), 5) for w in range(3)),
        ),
    )
    array = volume.array.transpose(order)
    affine = np.array(volume.affine)
    affine[:3, :3] = affine[:3, list(order)]
    for axis in range(3):
        if affine[axis, axis] < 0:
            array = np.flip(array, axis)
            affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
            affine[:3, axis] *= -1
    return type(volume)(array, affine)


def plane(volume: Volume) -> Plane:
    """The plane a volume was cut in: across its coarsest axis, or its shortest where all are equally fine.

    An axis is coarse when its spacing is 15% above the next one's, and short when it has less than three quarters
    of the next one's samples; a single slice has its own plane. An isotropic cube, or one with two coarse axes,
    is ``"unknown"``.

    Examples
    --------
    >>> plane(Volume(np.zeros((20, 320, 320)), np.diag([4.0, 0.6, 0.6, 1.0])))
    'sagittal'
    >>> plane(Volume(np.zeros((64, 256, 256)), np.diag([1.0, 1.0, 1.0, 1.0])))
    'sagittal'
    >>> plane(Volume(np.zeros((256, 256, 250)), np.diag([1.0, 1.0, 1.0, 1.0])))
    'unknown'
    """
    volume = canonical(volume)
    names: tuple[Plane, ...] = ("sagittal", "coronal", "axial")
    single = [axis for axis in range(3) if volume.shape[axis] == 1]
    if len(single) == 1:
        return names[single[0]]
    fine, middle, coarse = np.argsort(volume.spacing_mm)
    if volume.spacing_mm[coarse] > 1.15 * volume.spacing_mm[middle]:
        return names[int(coarse)]
    short, next_short, _ = np.argsort(volume.shape)
    isotropic = volume.spacing_mm[coarse] <= 1.15 * volume.spacing_mm[fine]
    if isotropic and volume.shape[short] < 0.75 * volume.shape[next_short]:
        return names[int(short)]
    return "unknown"


def resampled_shape(shape: tuple[int, ...], old_mm: tuple[float, ...], new_mm: tuple[float, ...]) -> tuple[int, ...]:
    """Samples along each axis after resampling: the extent divided by the new spacing, rounded half up.

    >>> resampled_shape((16, 1024, 384), (4.0, 0.5, 0.5), (4.0, 1.0, 1.0))
    (16, 512, 192)
    """
    return tuple(max(1, int(np.floor(n * o / m + 0.5))) for n, o, m in zip(shape, old_mm, new_mm, strict=True))


def resample(volume: V, spacing_mm: tuple[float, float, float]) -> V:
    """The volume on a grid of the given spacing, covering the same box of the patient.

    A :class:`Mask` is resampled by nearest neighbour and a :class:`Volume` linearly, after a Gaussian
    against aliasing along each axis that shrinks. An axis whose spacing changes by less than 0.1% is
    left alone. Both grids share their centre.
    """
    new_mm = tuple(
        old if abs(old - new) < 1e-3 * new else new for old, new in zip(volume.spacing_mm, spacing_mm, strict=True)
    )
    if new_mm == volume.spacing_mm:
        return volume
    shape = resampled_shape(volume.shape, volume.spacing_mm, new_mm)
    scale = np.asarray(new_mm) / np.asarray(volume.spacing_mm)
    affine = np.array(volume.affine)
    affine[:3, :3] = affine[:3, :3] * scale
    middle = volume.affine[:3, :3] @ ((np.asarray(volume.shape) - 1) / 2) + volume.affine[:3, 3]
    affine[:3, 3] = middle - affine[:3, :3] @ ((np.asarray(shape) - 1) / 2)
    return resample_like(volume, shape, affine)


def resample_like(volume: V, shape: tuple[int, ...], affine: Array, *, blank: bool = True) -> V:
    """The volume sampled on another grid; outside its box it holds 0, or, not ``blank``, what lies nearest.

    Interpolation follows the type as in :func:`resample`.
    """
    if not isinstance(volume, Mask):
        volume = _antialiased(volume, affine)
    return type(volume)(_sample(volume, shape, affine, nearest=isinstance(volume, Mask), blank=blank), affine)


def _antialiased(volume: V, affine: Array) -> V:
    shrink = np.linalg.norm(affine[:3, :3], axis=0) / np.asarray(volume.spacing_mm)
    if same_orientation(volume.affine, affine) and (shrink > 1.05).any():
        image = _image(volume)
        for axis, factor in enumerate(shrink):
            if factor > 1.05:  # sigma that leaves half the amplitude at the new Nyquist frequency
                sigma = float(np.sqrt(factor**2 - 1) / 2.3548) * volume.spacing_mm[axis]
                image = (
                    sitk.RecursiveGaussian(image, sigma, False, sitk.RecursiveGaussianImageFilter.ZeroOrder, axis)
                    if volume.shape[axis] >= 4
                    else image
                )
        return volume.with_array(sitk.GetArrayFromImage(image).transpose(2, 1, 0))
    return volume


def _sample(volume: Volume, shape: tuple[int, ...], affine: Array, *, nearest: bool, blank: bool) -> Array:
    """Samples of ``volume`` at the voxel centres of the target grid, in voxel coordinates of the source."""
    target_to_source = np.linalg.inv(volume.affine) @ affine
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(target_to_source[:3, :3].ravel().tolist())
    transform.SetTranslation(target_to_source[:3, 3].tolist())

    def sampled(array: Array, how: int, *, edges: bool) -> Array:
        """``edges``: half a voxel round the outermost samples, and beyond, takes the value of the nearest one."""
        source = sitk.GetImageFromArray(_sitk_array(array))
        frame = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
        out = sitk.Resample(source, [int(n) for n in shape], transform, how, *frame, 0.0, source.GetPixelID(), edges)
        return sitk.GetArrayFromImage(out).transpose(2, 1, 0)

    found = sampled(volume.array, sitk.sitkNearestNeighbor if nearest else sitk.sitkLinear, edges=True)
    if not blank or _within(volume.shape, shape, target_to_source):
        return found
    inside = sampled(np.ones(volume.shape, np.uint8), sitk.sitkNearestNeighbor, edges=False)
    return np.where(inside != 0, found, np.zeros((), found.dtype))


def _within(source: tuple[int, ...], target: tuple[int, ...], target_to_source: Array) -> bool:
    """Whether all the target's voxel centres lie in the source's box, which ends half a voxel beyond its samples."""
    ends = np.array([[0, n - 1] for n in target], dtype=float)
    corners = np.stack(np.meshgrid(*ends, indexing="ij")).reshape(3, -1)
    at = target_to_source[:3, :3] @ corners + target_to_source[:3, 3:]
    return bool((at >= -0.5 - 1e-6).all() and (at <= np.array(source)[:, None] - 0.5 + 1e-6).all())


def _sitk_array(array: Array) -> Array:
    array = array.transpose(2, 1, 0)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    elif array.dtype.kind == "f" or array.dtype.itemsize == 8:
        array = array.astype(np.float32 if array.dtype.kind == "f" else np.int32)
    return np.ascontiguousarray(array)


def _image(volume: Volume) -> sitk.Image:
    image = sitk.GetImageFromArray(_sitk_array(volume.array.astype(np.float32)))
    image.SetSpacing(volume.spacing_mm)
    return image


def shifted(shape: Sequence[int], by: Sequence[int]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where the samples of an array lie once moved by some along each axis, and which of them are still within it.

    >>> a, moved = np.arange(4), np.zeros(4, int)
    >>> to, source = shifted(a.shape, (1,))
    >>> moved[to] = a[source]
    >>> moved.tolist()
    [0, 0, 1, 2]
    """
    to = tuple(slice(max(0, b), max(0, n + min(0, b))) for b, n in zip(by, shape, strict=True))
    source = tuple(slice(max(0, -b), max(0, n - max(0, b))) for b, n in zip(by, shape, strict=True))
    return to, source


def same_orientation(a: Array, b: Array, *, tolerance: float = 1e-3) -> bool:
    """Whether two affines have parallel axes in the same order and sense."""
    unit = [m[:3, :3] / np.linalg.norm(m[:3, :3], axis=0) for m in (a, b)]
    return bool(np.abs(unit[0] - unit[1]).max() < tolerance)


def require_same_grid(a: Volume, b: Volume, *, what: str, tolerance_mm: float = 0.1) -> None:
    """Raise :class:`GeometryError` unless both volumes sample the same points of the patient."""
    if a.shape != b.shape:
        raise GeometryError(
            f"{what}: shapes {a.shape} and {b.shape}",
            wanted="one grid for both",
            remedy="resample the mask onto the scan's grid",
        )
    corners = np.array(
        [[i, j, k, 1] for i in (0, a.shape[0] - 1) for j in (0, a.shape[1] - 1) for k in (0, a.shape[2] - 1)],
        dtype=float,
    ).T
    away = float(np.abs((a.affine - b.affine) @ corners).max())
    if away > tolerance_mm:
        raise GeometryError(
            f"{what}: the grids lie up to {away:.1f} mm apart",
            wanted="one grid for both",
            remedy="resample the mask onto the scan's grid",
        )


def picture_volume(picture: Array, spacing_mm: tuple[float, float], *, slice_mm: float = 4.0) -> Volume:
    """A sagittal picture as a scan of one slice, shape (1, columns, rows), that can be outlined and cropped as any.

    The segmentation network reads each slice with its neighbours; with none, the slice stands in for them, and
    repeating it gives the same outlines.

    Parameters
    ----------
    picture : ndarray, shape (H, W)
        Head up, front at the left.
    spacing_mm : tuple of float
        Distance of rows and of columns.
    slice_mm : float
        Thickness it is taken to have; of no account for the crops.

    Raises
    ------
    RefusedError
        If it has colours or is no picture, or its spacing is not that of one.

    Examples
    --------
    >>> v = picture_volume(np.arange(6).reshape(3, 2), (0.5, 0.6))
    >>> v.shape, v.spacing_mm, int(v.array[0, 1, 2])  # the front of the top row
    ((1, 2, 3), (4.0, 0.6, 0.5), 0)
    """
    if picture.ndim != 2 or min(picture.shape) < 2:
        raise RefusedError(
            f"a picture of shape {picture.shape}", wanted="rows and columns of grey values", remedy="convert it to grey"
        )
    if not all(0 < mm < 10 for mm in spacing_mm):
        raise RefusedError(f"a spacing of {spacing_mm} mm", wanted="that of rows and columns, above 0 and below 10 mm")
    return Volume(picture.T[None, ::-1, ::-1], np.diag([slice_mm, spacing_mm[1], spacing_mm[0], 1.0]))
