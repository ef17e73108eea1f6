"""What a picture alone tells: whether it may be a film of a spine, from which side, and where the front is.

Simple statistics of a thumbnail with equalised grey values, none of which knows ages. Their limits were set on films of
simulated people (docs/data.md); real ones have not been measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy import ndimage

from spineclock.core.volume import Array

THUMBNAIL = 64
"""Pixels along the longer side."""
_TRIM = 0.06
"""Share of each side left out, where collimators and letters are."""
_SLOPES = np.linspace(-0.16, 0.16, 9)
"""Tangents by which the axis of a frontal film may lean."""
_BANDS, _REACH = 8, 4


@dataclass(frozen=True, eq=False)
class Look:
    """Statistics of one picture, each computed when it is asked for.

    Parameters
    ----------
    picture : ndarray, shape (rows, columns)
        Without bars at its sides, at most some 1,000 pixels long.
    small : ndarray
        Its thumbnail, :data:`THUMBNAIL` long.
    even : ndarray
        The thumbnail's middle with equalised grey values.
    """

    picture: Array
    small: Array
    even: Array

    @cached_property
    def contrast(self) -> float:
        """Range of the thumbnail over that of the picture: 0.7 and more for films, small where there is only noise."""
        whole = float(np.ptp(np.percentile(self.picture, (0.1, 99.9))))
        return float(np.ptp(np.percentile(self.small, (2, 98)))) / whole if whole > 0 else 0.0

    @cached_property
    def flat(self) -> float:
        """Share of the commonest grey value among all that are not black: large in drawings and screenshots."""
        return _flat(self.picture)

    @cached_property
    def upright(self) -> float:
        """How much one structure runs from the top to the bottom, about 0.9 to 1.3 for spines."""
        return _upright(self.even)

    @cached_property
    def mirror(self) -> float:
        """Mirror symmetry of what lies beside the best upright axis, to 1.5: of grey values and of fine structure."""
        return _mirror(self.even)

    @cached_property
    def front(self) -> float:
        """Positive where the front is at the left: there is air behind, edges slant as diaphragm and sacrum do."""
        return _front(self.even)


def look(values: Array) -> Look:
    """The statistics of a picture (rows downwards, columns), dense bright.

    >>> rows, columns = np.mgrid[:120, :80]
    >>> column = np.exp(-(((columns - 40) / 9) ** 2)) * (2 + np.sin(rows / 4))
    >>> found = look(column)
    >>> found.mirror > 1.2, abs(found.front) < 0.5, found.flat < 0.1
    (True, True, True)
    """
    step = max(1, max(values.shape) // 512)
    picture = _without_bars(np.asarray(values[::step, ::step], np.float32))
    side = THUMBNAIL / max(picture.shape)
    small = _averaged(picture, *(max(16, round(n * side)) for n in picture.shape))
    rows, columns = (int(n * _TRIM) for n in small.shape)
    return Look(picture, small, equalised(small[rows : small.shape[0] - rows, columns : small.shape[1] - columns]))


def equalised(values: Array) -> Array:
    """Each value's rank among all, from −0.5 to 0.5: free of what look-up curves do; equal values share one rank.

    >>> equalised(np.array([[0.0, 9.0], [9.0, 100.0]])).round(2).tolist()
    [[-0.5, 0.0], [0.0, 0.5]]
    """
    span = max(float(np.ptp(values)), 1e-30)
    steps = np.rint((values - values.min()) * (1e4 / span))  # what rounding errors tell apart must stay equal
    _, where, count = np.unique(steps, return_inverse=True, return_counts=True)
    rank = np.cumsum(count) - (count + 1) / 2
    return (rank[where.reshape(values.shape)] / max(values.size - 1, 1) - 0.5).astype(np.float64)


def _without_bars(values: Array) -> Array:
    """The picture without bars of one grey value that lie at both of two opposite sides, as far as both do."""
    for axis in (1, 0, 1):  # bars at all four sides hide each other
        low, high = np.percentile(values, (5, 95), axis=1 - axis)
        whole = max(float(values.max() - values.min()), 1e-9)
        drawn = np.flatnonzero(high - low > 0.01 * whole)
        if drawn.size:
            n = values.shape[axis]
            cut = min(int(drawn[0]), n - 1 - int(drawn[-1]), (n - 16) // 2)
            values = np.take(values, np.arange(max(cut, 0), n - max(cut, 0)), axis)
    return values


def _averaged(values: Array, rows: int, columns: int) -> Array:
    """The picture on fewer pixels, each the mean over its area."""
    for axis, n in ((0, rows), (1, columns)):
        total = np.cumsum(values, axis=axis, dtype=np.float64)
        total = np.concatenate([np.zeros_like(np.take(total, [0], axis)), total], axis)
        at = np.linspace(0, values.shape[axis], n + 1)
        whole = np.minimum(at.astype(int), values.shape[axis] - 1)
        share = np.expand_dims(at - whole, 1 - axis)
        reached = np.take(total, whole, axis) + share * np.take(values, whole, axis)
        values = np.diff(reached, axis=axis) * (n / values.shape[axis])
    return values


def _flat(values: Array) -> float:
    black = values.min() + 0.05 * (values.max() - values.min())
    seen = values[values > black]
    return float(np.unique(seen, return_counts=True)[1].max() / seen.size) if seen.size else 0.0


def _upright(even: Array) -> float:
    """How alike the fine column profiles of neighbouring bands are, and how much of fine structure is upright."""
    fine = even - ndimage.gaussian_filter1d(even, 5, axis=1)
    fine = ndimage.gaussian_filter1d(fine, 0.8, axis=1)
    bands = np.stack([band.mean(0) for band in np.array_split(fine, _BANDS)])
    width = bands.shape[1]
    alike = []
    for a, b in pairwise(bands):
        moved = [
            (a[max(0, s) : width + min(0, s)], b[max(0, -s) : width + min(0, -s)]) for s in range(-_REACH, _REACH + 1)
        ]
        alike.append(max(_correlation(p - p.mean(), q - q.mean()) for p, q in moved))
    detail = even - ndimage.gaussian_filter(even, 3)
    along = ndimage.gaussian_filter(detail, (3, 0.7)).std() / max(float(detail.std()), 1e-9)
    return float(np.mean(alike) + 0.5 * along)


def _mirror(even: Array) -> float:
    """Half the correlation of grey values and that of fine structure beside the axis about which both agree most."""
    width = even.shape[1]
    best, found = -3.0, 0.0
    for slope in _SLOPES:
        coarse = _sheared(even, float(slope))
        fine = ndimage.gaussian_filter(coarse, 0.7)
        fine = fine - ndimage.gaussian_filter(fine, 4)
        for ends in range(int(0.6 * width), int(1.4 * width) + 1):  # the sum of two mirrored columns
            left = np.arange(max(0, ends - width + 1), (ends + 1) // 2)
            if len(left) < 0.28 * width:
                continue
            alike = _mirrored(coarse, left, ends) + _mirrored(fine, left, ends)
            if alike > best:  # a trunk's outline is alike from both sides on lateral films too: not the spine
                beside = left[-max(4, int(0.25 * width)) :]
                best, found = alike, 0.5 * _mirrored(coarse, beside, ends) + _mirrored(fine, beside, ends)
    return found


def _mirrored(values: Array, left: Array, ends: int) -> float:
    """The correlation of columns with their mirror images, what each row has on the whole left out."""
    a, b = values[:, left], values[:, ends - left]
    mean = (a.mean(1, keepdims=True) + b.mean(1, keepdims=True)) / 2
    return _correlation(a - mean, b - mean)


def _correlation(a: Array, b: Array) -> float:
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + 1e-12))


def _sheared(values: Array, slope: float) -> Array:
    """Each row moved in proportion to its distance from the middle, edges repeated."""
    rows, columns = values.shape
    at = np.arange(columns) + slope * (np.arange(rows)[:, None] - (rows - 1) / 2)
    low = np.floor(at).astype(int)
    share = at - low
    low, high = np.clip(low, 0, columns - 1), np.clip(low + 1, 0, columns - 1)
    return np.take_along_axis(values, low, 1) * (1 - share) + np.take_along_axis(values, high, 1) * share


def _front(even: Array) -> float:
    half = even.shape[0] // 2
    side = np.linspace(-1, 1, even.shape[1])
    air = float(((even[half:] < -0.3) * side).mean())
    across, down = (ndimage.gaussian_filter(even, 1.5, order=order) for order in ((0, 1), (1, 0)))
    product, energy = across * down, across**2 + down**2
    slant, upper = (float(product[:n].sum() / max(energy[:n].sum(), 1e-9)) for n in (None, half))
    return air / 0.08 - slant / 0.18 - upper / 0.18
