"""The fixed grid an age network reads: axes as in a sagittal picture, spacing and size the same for everyone."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from spineclock.core.geometry import canonical, resample
from spineclock.core.volume import Volume

V = TypeVar("V", bound=Volume)


def sagittal_axes(volume: V) -> V:
    """The volume with axes left → right, superior → inferior, anterior → posterior; no sample is changed.

    So ``array[i]`` is a sagittal picture as it hangs on the wall, head up and face to the left. The affine goes along.

    >>> v = Volume(np.arange(24).reshape(2, 3, 4), np.eye(4))  # right, anterior, superior
    >>> s = sagittal_axes(v)
    >>> s.shape, bool(s.array[1, 0, 0] == v.array[1, 2, 3]), s.affine[:3, 3].tolist()
    ((2, 4, 3), True, [0.0, 2.0, 3.0])
    """
    volume = canonical(volume)
    array = volume.array.transpose(0, 2, 1)[:, ::-1, ::-1]
    affine = np.array(volume.affine)
    affine[:3, 3] += affine[:3, 1] * (volume.shape[1] - 1) + affine[:3, 2] * (volume.shape[2] - 1)
    affine[:3, :3] = affine[:3, [0, 2, 1]] * [1.0, -1.0, -1.0]
    return type(volume)(array, affine)


def crop_or_pad(volume: V, shape: tuple[int, int, int], *, middle_mm: npt.ArrayLike | None = None) -> V:
    """The volume cut or filled with 0 round its centre to the given shape; samples stay where they were in the patient.

    Where an odd number of samples goes, the spare one goes at the end of the axis. ``middle_mm``: a point of the
    patient to be in the middle instead, to the nearest sample.

    >>> v = Volume(np.arange(1, 6).reshape(5, 1, 1), np.eye(4))
    >>> crop_or_pad(v, (2, 1, 1)).array.ravel().tolist(), crop_or_pad(v, (8, 1, 1)).array.ravel().tolist()
    ([2, 3], [0, 1, 2, 3, 4, 5, 0, 0])
    """
    start = np.array(
        [
            (have - want) // 2 if have >= want else -((want - have) // 2)
            for have, want in zip(volume.shape, shape, strict=True)
        ]
    )
    if middle_mm is not None:
        at = np.linalg.solve(volume.affine, np.append(np.asarray(middle_mm, dtype=np.float64), 1.0))[:3]
        start = np.round(at - (np.array(shape) - 1) / 2).astype(np.int64)
    array = np.zeros(shape, dtype=volume.array.dtype)
    into = tuple(
        slice(max(0, -a), max(0, -a) + max(0, min(n - max(0, a), w - max(0, -a))))
        for a, n, w in zip(start.tolist(), volume.shape, shape, strict=True)
    )
    source = tuple(slice(s.start + a, s.stop + a) for s, a in zip(into, start.tolist(), strict=True))
    array[into] = volume.array[source]
    affine = np.array(volume.affine)
    affine[:3, 3] += affine[:3, :3] @ start
    return type(volume)(array, affine)


def on_grid(
    volume: V,
    *,
    spacing_mm: tuple[float, float, float],
    shape: tuple[int, int, int],
    middle_mm: npt.ArrayLike | None = None,
) -> V:
    """The volume, or label map, on the fixed grid: sagittal axes, resampled about its centre, then cut or filled.

    A scan that already has the spacing is only cut or filled, so a prepared volume comes back as it is. Round the
    volume's centre, or ``middle_mm``, a point of the patient.
    """
    return crop_or_pad(resample(sagittal_axes(volume), spacing_mm), shape, middle_mm=middle_mm)
