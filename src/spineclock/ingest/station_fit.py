"""Whether two scans are neighbouring stations of one spine, or the reason why not."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np

from spineclock.core.errors import GeometryError, InputError, SpineclockError
from spineclock.core.volume import Array, Volume

LARGEST_GAP_MM = 2.0
"""Stations further apart than this along the spine leave out anatomy: they are not stitched."""
LARGEST_ANGLE_DEG = 10.0
"""Slices turned by more than this against each other would be stitched of too many different ones."""
PIXEL_RATIO, SLICE_RATIO, ECHO_RATIO = 2.0, 1.5, 1.5
"""How many times as large pixels, slice distances and echo times may be in one station as in the other."""
SAME_PART = 0.6
"""Series that share more of the shorter one's height than this show one part of the spine, not two stations."""
SHARED_SIDEWAYS, SHARED_FRONT = 0.6, 0.4
"""Least share of the narrower station's width (and depth) that both cover where they meet."""


class Told(Protocol):
    """What is told of a scan or series, that stations must agree on."""

    @property
    def modality(self) -> str: ...  # noqa: D102
    @property
    def sequence(self) -> str: ...  # noqa: D102
    @property
    def echo_time_ms(self) -> float | None: ...  # noqa: D102
    @property
    def person_id(self) -> str: ...  # noqa: D102
    @property
    def age_years(self) -> float | None: ...  # noqa: D102
    @property
    def sex(self) -> Literal["F", "M", ""]: ...  # noqa: D102


def centre_mm(volume: Volume) -> Array:
    """The middle of a volume in the patient: right, anterior, superior, shape (3,)."""
    middle: Array = volume.affine[:3, :3] @ ((np.asarray(volume.shape) - 1) / 2) + volume.affine[:3, 3]
    return middle


def height_mm(volume: Volume) -> float:
    """Extent of a canonical volume along the spine, from the outer edge of the lowest voxels to that of the highest."""
    return volume.shape[2] * volume.spacing_mm[2]


def overlap_mm(lower: Volume, upper: Volume) -> float:
    """Millimetres along the spine that both canonical volumes cover; a gap is negative.

    Measured between the middles of the two end faces, along the mean of the two long axes.

    >>> a = Volume(np.zeros((5, 20, 100)), np.diag([4.0, 1.0, 1.0, 1.0]))
    >>> b = Volume(a.array, a.affine + np.array([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 70], [0, 0, 0, 0]]))
    >>> overlap_mm(a, b)
    30.0
    """
    along = sum(v.affine[:3, 2] / v.spacing_mm[2] for v in (lower, upper))
    apart = _face_mm(lower, top=True) - _face_mm(upper, top=False)
    return float(apart @ along / np.linalg.norm(along))


def _face_mm(volume: Volume, *, top: bool) -> Array:
    i, j, k = volume.shape
    index = np.array([(i - 1) / 2, (j - 1) / 2, k - 0.5 if top else -0.5, 1.0])
    return np.asarray(volume.affine @ index)[:3]


def same_part(a: Volume, b: Volume) -> bool:
    """Whether two series show, for the most part, the same stretch of the spine."""
    lower, upper = sorted((a, b), key=lambda v: float(centre_mm(v)[2]))
    return overlap_mm(lower, upper) > SAME_PART * min(height_mm(a), height_mm(b))


def angle_deg(a: Volume, b: Volume) -> float:
    """The angle in degrees by which one canonical grid is turned against the other."""
    one, other = (v.affine[:3, :3] / np.asarray(v.spacing_mm) for v in (a, b))
    return float(np.degrees(np.arccos(np.clip((np.trace(one.T @ other) - 1) / 2, -1, 1))))


def unlike(a: Told, b: Told, *, names: str) -> SpineclockError | None:
    """Why two series cannot be stations of one examination by what is told of them, or None."""
    people = a.person_id and b.person_id and a.person_id != b.person_id
    ages = a.age_years is not None and b.age_years is not None and abs(a.age_years - b.age_years) > 1
    if people or ages or (a.sex and b.sex and a.sex != b.sex):
        return InputError(
            f"{names} are of different people, or of one at different ages",
            wanted="stations of one examination",
            remedy="give each person's series by themselves",
        )
    other = sorted({m for m in (a.modality, b.modality) if m not in ("", "MR")})
    if other:
        return InputError(f"{names}: {' and '.join(other)}", wanted="stations of MRI", remedy="read each by itself")
    contrast = ""
    if a.sequence != b.sequence:
        contrast = f"weighted {a.sequence or 'unknown'} and {b.sequence or 'unknown'}"
    elif a.echo_time_ms and b.echo_time_ms and _ratio(a.echo_time_ms, b.echo_time_ms) > ECHO_RATIO:
        contrast = f"echo times of {a.echo_time_ms:g} and {b.echo_time_ms:g} ms"
    if contrast:
        return InputError(
            f"{names} are of different contrast ({contrast})",
            wanted="one weighting throughout",
            remedy="choose stations of one protocol, or read each by itself",
        )
    return None


def misfit(a: Volume, b: Volume, *, names: str) -> GeometryError | None:
    """Why the grids of two canonical volumes are too different to be stitched, wherever they lie; or None."""
    pixels = max(_ratio(a.spacing_mm[d], b.spacing_mm[d]) for d in (1, 2))
    if pixels > PIXEL_RATIO or _ratio(a.spacing_mm[0], b.spacing_mm[0]) > SLICE_RATIO:
        one, other = (" × ".join(f"{s:.2g}" for s in v.spacing_mm) for v in (a, b))
        return GeometryError(
            f"{names} have voxels of {one} and {other} mm",
            wanted=f"pixels within a factor of {PIXEL_RATIO:g}, slice distances within {SLICE_RATIO:g}",
            remedy="choose stations of one protocol, or read each by itself",
        )
    turned = angle_deg(a, b)
    if turned > LARGEST_ANGLE_DEG:
        return GeometryError(
            f"{names} are turned by {turned:.0f}° against each other",
            wanted=f"at most {LARGEST_ANGLE_DEG:g}°",
            remedy="choose stations of one angle, or read each by itself",
        )
    return None


def broken(lower: Volume, upper: Volume, *, names: str) -> GeometryError | None:
    """Why two canonical volumes, the lower one first, do not continue each other; or None."""
    shared = overlap_mm(lower, upper)
    if shared < -LARGEST_GAP_MM:
        return GeometryError(
            f"a gap of {-shared:.0f} mm along the spine between {names}",
            wanted=f"stations that overlap, or lie at most {LARGEST_GAP_MM:g} mm apart",
            remedy="give the station between them too, or read each by itself",
        )
    if same_part(lower, upper):
        return GeometryError(
            f"{names} share {shared:.0f} mm: they show the same part of the spine",
            wanted="stations that follow each other",
            remedy="give one series a station",
        )
    for axis, least, way in ((0, SHARED_SIDEWAYS, "from left to right"), (1, SHARED_FRONT, "from front to back")):
        share = _shared(lower, upper, axis)
        if share < least:
            return GeometryError(
                f"{names} lie beside each other: where they meet they share {max(share, 0):.0%} of the narrower one "
                f"{way}",
                wanted=f"at least {least:.0%}",
                remedy="choose stations that cover the same slab, or read each by itself",
            )
    return None


def _shared(lower: Volume, upper: Volume, axis: int) -> float:
    """Share of the narrower volume's extent along an axis that both cover at the height where they meet."""
    meeting = (_face_mm(lower, top=True) + _face_mm(upper, top=False)) / 2
    lows, highs = [], []
    for v in (lower, upper):
        index = np.linalg.solve(v.affine, np.append(meeting, 1.0))[axis]
        lows.append((-0.5 - index) * v.spacing_mm[axis])
        highs.append((v.shape[axis] - 0.5 - index) * v.spacing_mm[axis])
    narrower = min(high - low for low, high in zip(lows, highs, strict=True))
    return float((min(highs) - max(lows)) / narrower)


def _ratio(a: float, b: float) -> float:
    return max(a, b) / min(a, b)
