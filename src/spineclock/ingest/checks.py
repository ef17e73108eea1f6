"""Samples that may stand in a Volume, or the reason why not."""

from __future__ import annotations

import numpy as np

from spineclock.core.errors import InputError
from spineclock.core.volume import Array

FINEST_MM, COARSEST_MM = 0.02, 60.0
"""Spacings outside these cannot be a patient's scan in millimetres."""


def require_room(shape: tuple[int, ...], *, max_bytes: int) -> None:
    """Raise :class:`InputError` where the declared size is none, or needs more memory than allowed at 4 bytes a sample.

    >>> require_room((4096, 4096, 4096), max_bytes=16 * 10**9)
    Traceback (most recent call last):
    spineclock.core.errors.InputError: a header that declares 4096 × 4096 × 4096 samples, 275 GB; wanted: at most \
16 GB; remedy: check that the header is not damaged, or crop the scan.
    """
    size = " × ".join(str(n) for n in shape)
    if len(shape) < 2 or min(shape) < 1:
        raise InputError(
            f"a header that declares {size or 'no'} samples",
            wanted="an image with samples on every axis",
            remedy="export the scan again",
        )
    need = 4
    for n in shape:
        need *= int(n)
    if need > max_bytes:
        raise InputError(
            f"a header that declares {size} samples, {_bytes(need)}",
            wanted=f"at most {_bytes(max_bytes)}",
            remedy="check that the header is not damaged, or crop the scan",
        )


def _bytes(count: int) -> str:
    return f"{count / 1e9:.0f} GB" if count >= 10**9 else f"{count / 1e6:.0f} MB"


def one_volume(declared: tuple[int, ...]) -> tuple[int, int, int]:
    """The three axes of a declared shape: axes of length 1 are dropped from the end, or one added to a picture.

    >>> one_volume((64, 48, 20, 1)), one_volume((64, 48))
    ((64, 48, 20), (64, 48, 1))

    Raises
    ------
    InputError
        If it is no shape of an image, or of several volumes.
    """
    if any(n < 1 for n in declared) or len(declared) < 2:
        require_room(declared, max_bytes=0)
    while len(declared) > 3 and declared[-1] == 1:
        declared = declared[:-1]
    if len(declared) > 3:
        raise InputError(
            f"an image of {len(declared)} dimensions, {' × '.join(map(str, declared))}",
            wanted="one volume of three dimensions",
            remedy="split it, and give the volume you mean",
        )
    i, j, k = (*declared, 1)[:3]
    return i, j, k


def require_real(dtype: np.dtype[np.generic] | type) -> None:
    """Raise :class:`InputError` unless samples of this type are single real numbers."""
    kind = np.dtype(dtype)
    if kind.names is not None or kind.kind not in "biuf":
        what = "colours" if kind.names is not None else "complex numbers" if kind.kind == "c" else str(kind)
        raise InputError(
            f"samples that are {what}",
            wanted="one real number a voxel",
            remedy="export the magnitude image, in grey values",
        )


def require_spacing(spacing_mm: tuple[float, ...]) -> None:
    """Raise :class:`InputError` unless every spacing could be a patient's scan in millimetres."""
    if not all(np.isfinite(s) and FINEST_MM <= s <= COARSEST_MM for s in spacing_mm):
        found = " × ".join(f"{s:.4g}" for s in spacing_mm)
        raise InputError(
            f"voxels of {found} mm",
            wanted=f"{FINEST_MM:g} to {COARSEST_MM:g} mm",
            remedy="check that the header is in millimetres",
        )


def checked(array: Array) -> Array:
    """The samples in the smallest lossless of uint8, int16 and float32, whatever they were stored in.

    uint8 and int16 stay as they are; other types become int16 where every sample is a whole number that fits, and
    float32 otherwise, so that the same scan stored as float, as scaled or as wider integers gives the same samples.

    Raises
    ------
    InputError
        If samples are not finite numbers (with their count), or are all the same.

    Examples
    --------
    >>> checked(np.array([[[-1024.0, 3071.0]]])).dtype, checked(np.array([[[0.5, 1.0]]])).dtype
    (dtype('int16'), dtype('float32'))
    """
    require_real(array.dtype)
    array = _compact(array)
    low, high = (float(f(array)) for f in (np.min, np.max))
    if low == high:
        raise InputError(
            f"an image whose every sample is {low:g}", wanted="an image with contrast", remedy="export the scan again"
        )
    return array


def _compact(array: Array) -> Array:
    native = array.dtype.newbyteorder("=")
    if native in (np.dtype(np.uint8), np.dtype(np.int16)):
        return array.astype(native, copy=False)
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    low, high = array.min(), array.max()
    fits = bool(low >= -(2**15) and high < 2**15)
    if array.dtype.kind in "iu":
        return array.astype(np.int16 if fits else np.float32)
    with np.errstate(over="ignore"):
        single = array.astype(np.float32, copy=False)
    bad = int(single.size - np.count_nonzero(np.isfinite(single)))
    if bad:
        raise InputError(
            f"{bad} of {single.size} samples are not finite numbers (NaN, infinite, or beyond ±3e38)",
            wanted="numbers only",
            remedy="export the scan again, or fill the gaps knowingly",
        )
    return single.astype(np.int16) if fits and bool((np.rint(single) == single).all()) else single
