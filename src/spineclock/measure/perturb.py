"""A scan as another reader or another day might have given it: masks with wandering edges, a turned head-rest.

For finding out how much of a measurement is chance (see :mod:`spineclock.measure.repeatability`).
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from spineclock.core.geometry import resample_like
from spineclock.core.volume import Array, Mask, Volume

MARK = 1 << 16
"""Added to a label where the map of bodies is not 0, so that both maps can move as one."""


def with_wandering_edges(
    labels: Mask,
    bodies: Mask,
    rng: np.random.Generator,
    *,
    correlation_mm: float = 3.0,
) -> tuple[Mask, Mask]:
    """Label map and map of bodies whose edges move by −1, 0 or +1 voxel within the slices, a third of them each.

    Which way is a smooth random field's choice, so that neighbouring voxels move together; ``correlation_mm`` is the
    Gaussian's sigma that smooths it. An edge between two structures that touch opens, or stays.
    """
    joined = labels.array.astype(np.int32) + MARK * (bodies.array != 0)
    box = _occupied(joined)
    if box is None:
        return labels, bodies
    part = np.pad(joined[box], ((0, 0), (1, 1), (1, 1)))  # so that nothing rolls round to the other side
    field = rng.standard_normal(part.shape).astype(np.float32)
    field = ndimage.gaussian_filter(field, [correlation_mm / mm for mm in labels.spacing_mm], mode="wrap")
    low, high = np.quantile(field, (1 / 3, 2 / 3))
    level = part % MARK
    edge = np.zeros(part.shape, bool)
    largest = np.zeros_like(part)
    for axis in (1, 2):
        for step in (-1, 1):
            beside = np.roll(part, step, axis)
            edge |= beside % MARK != level
            largest = np.maximum(largest, beside)
    moved = np.where(edge & (level > 0) & (field < low), 0, part)
    moved = np.where((level == 0) & (field > high), largest, moved)
    out = joined.copy()
    out[box] = moved[:, 1:-1, 1:-1]
    return (
        labels.with_array((out % MARK).astype(labels.array.dtype)),
        bodies.with_array((out // MARK > 0).astype(np.uint8)),
    )


def turned(volume: Volume, labels: Mask, bodies: Mask, degrees: float, *, axis: int) -> tuple[Volume, Mask, Mask]:
    """The scan and its maps sampled on a grid turned about its middle by ``degrees`` round one of its own axes.

    Axis 0 (to the right) turns within the sagittal plane; axes 1 (forward) and 2 (up) tilt the slices out of it.
    The grid grows so
    that it holds the whole scan; what it sees beside it is 0.
    """
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    rotation = np.eye(3)
    a, b = (n for n in range(3) if n != axis)
    rotation[[a, a, b, b], [a, b, a, b]] = cos, -sin, sin, cos
    scale = np.diag(volume.spacing_mm)
    turn = np.linalg.inv(scale) @ rotation @ scale
    old = np.asarray(volume.shape)
    reach = np.abs(np.linalg.inv(turn)) @ ((old - 1) / 2)
    shape = tuple(int(n) for n in old + 2 * np.ceil(np.round(reach - (old - 1) / 2, 6)))
    to_old = np.eye(4)
    to_old[:3, :3] = turn
    to_old[:3, 3] = (old - 1) / 2 - turn @ ((np.asarray(shape) - 1) / 2)
    affine = volume.affine @ to_old
    floats = volume.with_array(volume.array.astype(np.float32))
    return (
        resample_like(floats, shape, affine),
        resample_like(labels, shape, affine),
        resample_like(bodies, shape, affine),
    )


def _occupied(labels: Array) -> tuple[slice, ...] | None:
    """The box of all labels with two voxels round it, or None where there are none."""
    found = ndimage.find_objects((labels > 0).astype(np.uint8))
    if not found:
        return None
    return tuple(slice(max(0, s.start - 2), s.stop + 2) for s in found[0])
