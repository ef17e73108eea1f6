"""A structure seen in its own mid-sagittal plane: the frame all lengths and angles are measured in.

Nothing here counts voxels along an axis. A structure is first averaged over a layer of sagittal slices (its share
of each point, 0…1), then that picture is sampled in a frame that lies along the structure, u to the front and v to
the head, and every length is an area divided by a length. So the answers change smoothly with position, tilt and
spacing, and a single voxel more or less at an edge changes little.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from spineclock.core.volume import Array

Floats = npt.NDArray[np.float64]

STEP_MM = 0.4
"""Sampling of a structure's own frame; lengths are areas, so this is not their resolution."""
MIDDLE = 0.8
"""Share of a structure's width over which heights and endplates are taken; the rest is rounded corners."""


@dataclass(frozen=True, eq=False)
class Picture:
    """What share of each point of a sagittal layer a structure fills.

    ``share`` has shape (J, K), values 0…1; ``origin_mm`` is where sample [0, 0] lies (front, up) in the grid's own
    millimetres (index × spacing).
    """

    share: Floats
    origin_mm: tuple[float, float]
    spacing_mm: tuple[float, float]

    @property
    def area_mm2(self) -> float:
        """Mean area of the structure's slices in the layer."""
        return float(self.share.sum()) * self.spacing_mm[0] * self.spacing_mm[1]

    @cached_property
    def _bordered(self) -> Floats:
        """The share with a border of zeros: one before, two after, so that each point within it has four neighbours."""
        return np.pad(self.share, (1, 2))

    def along(self, start_mm: tuple[float, float], angle_rad: float, step_mm: float, shape: tuple[int, int]) -> Floats:
        """The share on a turned grid of shape (U, V), linearly interpolated, 0 outside.

        Its first sample lies at ``start_mm``, its first axis rises by ``angle_rad``, its samples are ``step_mm`` apart.
        A section samples its picture up to nine times: this takes half the time of SciPy's interpolation.
        """
        cos, sin = np.cos(angle_rad) * step_mm, np.sin(angle_rad) * step_mm
        columns = self._bordered.shape[1]
        flat = self._bordered.ravel()
        u, v = np.arange(shape[0])[:, None], np.arange(shape[1])
        (dj, dk), (j0, k0) = self.spacing_mm, (np.array(start_mm) - self.origin_mm) / self.spacing_mm + 1
        y = np.clip((j0 + cos / dj * u) - sin / dj * v, 0, self.share.shape[0] + 1)
        z = np.clip((k0 + sin / dk * u) + cos / dk * v, 0, self.share.shape[1] + 1)
        j, k = y.astype(np.intp), z.astype(np.intp)
        y -= j
        z -= k
        corner = j * columns + k
        near, far = ((1 - z) * flat.take(corner + row) + z * flat.take(corner + row + 1) for row in (0, columns))
        return np.asarray((1 - y) * near + y * far)


def layer_weights(count: int, spacing_mm: float, middle_mm: float, half_mm: float) -> Floats:
    """What share of each slice lies within ``half_mm`` of ``middle_mm``; the slices' centres lie at index × spacing.

    >>> layer_weights(4, 4.0, 6.0, 5.0).tolist()
    [0.25, 1.0, 1.0, 0.25]
    """
    low = (np.arange(count) - 0.5) * spacing_mm
    overlap = np.minimum(low + spacing_mm, middle_mm + half_mm) - np.maximum(low, middle_mm - half_mm)
    return np.asarray(np.clip(overlap / spacing_mm, 0.0, 1.0), dtype=np.float64)


def band_weights(x: Floats, low: float, high: float, step: float = STEP_MM) -> Floats:
    """What share of each cell x ± step/2 lies between ``low`` and ``high``."""
    overlap = np.minimum(x + step / 2, high) - np.maximum(x - step / 2, low)
    return np.asarray(np.clip(overlap / step, 0.0, 1.0), dtype=np.float64)


def band_mean(profile: Floats, x: Floats, low: float, high: float) -> float:
    """Mean of a profile between two positions; NaN where the band holds no sample that is finite."""
    finite = np.isfinite(profile)
    weights = band_weights(x, low, high) * finite
    total = float(weights.sum())
    return float((weights * np.where(finite, profile, 0.0)).sum() / total) if total > 0 else float("nan")


@dataclass(frozen=True, eq=False)
class Section:
    """A structure's picture sampled along itself.

    ``share`` has shape (U, V); ``u_mm`` runs to the front and ``v_mm`` up, both 0 at ``centre_mm`` (front, up in grid
    millimetres); ``angle_rad`` is by how much u points upwards.
    """

    share: Floats
    u_mm: Floats
    v_mm: Floats
    centre_mm: tuple[float, float]
    angle_rad: float

    @cached_property
    def thickness(self) -> Floats:
        """Extent along v at each u, in mm."""
        return np.asarray(self.share.sum(axis=1) * STEP_MM)

    @cached_property
    def _middle_line(self) -> Floats:
        return _centroids(self.share, self.v_mm)

    @property
    def upper(self) -> Floats:
        """Where the upper surface lies at each u, in mm along v; NaN where there is nothing."""
        return self._middle_line + self.thickness / 2

    @property
    def lower(self) -> Floats:
        """Where the lower surface lies at each u, in mm along v; NaN where there is nothing."""
        return self._middle_line - self.thickness / 2

    @cached_property
    def widths(self) -> Floats:
        """Extent along u at each v, in mm."""
        return np.asarray(self.share.sum(axis=0) * STEP_MM)

    @property
    def front(self) -> Floats:
        """Where the front edge lies at each v, in mm along u; NaN where there is nothing."""
        return _centroids(self.share.T, self.u_mm) + self.widths / 2

    @property
    def back(self) -> Floats:
        """Where the back edge lies at each v, in mm along u; NaN where there is nothing."""
        return _centroids(self.share.T, self.u_mm) - self.widths / 2

    @cached_property
    def height_mm(self) -> float:
        """Mean thickness over the middle 80% of the width."""
        return self.height_between(0.5 - MIDDLE / 2, 0.5 + MIDDLE / 2)

    @cached_property
    def width_mm(self) -> float:
        """Mean extent from back to front over the middle half of the height."""
        return band_mean(self.widths, self.v_mm, -self._core_height / 4, self._core_height / 4)

    @cached_property
    def _core_height(self) -> float:
        """Mean thickness over the middle third of what a box of equal spread would span: needs no width yet."""
        total = float(self.share.sum())
        along = self.share.sum(axis=1)
        centre = float((along * self.u_mm).sum() / total)
        spread = float(np.sqrt(max(12 * (along * (self.u_mm - centre) ** 2).sum() / total, STEP_MM**2)))
        return band_mean(self.thickness, self.u_mm, centre - spread / 6, centre + spread / 6)

    def height_between(self, back_share: float, front_share: float) -> float:
        """Mean thickness between two shares of the width, 0 at the back edge and 1 at the front edge."""
        low, high = ((share - 0.5) * self.width_mm for share in (back_share, front_share))
        return band_mean(self.thickness, self.u_mm, low, high)

    @cached_property
    def slopes(self) -> tuple[float, float]:
        """Slopes of the straight lines through the upper and the lower surface over the middle 80% of the width."""
        weights = band_weights(self.u_mm, -MIDDLE / 2 * self.width_mm, MIDDLE / 2 * self.width_mm)
        return _slope(self.u_mm, self.upper, weights), _slope(self.u_mm, self.lower, weights)

    @cached_property
    def upper_angle_rad(self) -> float:
        """By how much the upper surface rises towards the front."""
        return self.angle_rad + float(np.arctan(self.slopes[0]))

    @cached_property
    def lower_angle_rad(self) -> float:
        """By how much the lower surface rises towards the front."""
        return self.angle_rad + float(np.arctan(self.slopes[1]))

    def points(self) -> tuple[Floats, Floats]:
        """Grid millimetres (front, up) of every sample, each of shape (U, V)."""
        return _points(self.centre_mm, self.angle_rad, self.u_mm, self.v_mm)


def section(picture: Picture, *, start_angle_rad: float | None = None, turns: int = 8) -> Section | None:
    """The structure in its own frame, or None where the layer holds nothing that has a height and a width.

    Starts from the picture's principal axis nearest to the front (or from ``start_angle_rad``), and turns until u
    bisects the straight lines through the upper and the lower surface; the centre lies half-way between the edges.
    """
    moments = _moments(picture)
    if moments is None:
        return None
    centre, principal = moments
    angle = principal if start_angle_rad is None else start_angle_rad
    reach = 0.5 * float(np.hypot(*(n * s for n, s in zip(picture.share.shape, picture.spacing_mm, strict=True)))) + 2.0
    axis = np.arange(-np.ceil(reach / STEP_MM), np.ceil(reach / STEP_MM) + 1) * STEP_MM
    found = sample(picture, centre, angle, axis, axis)
    for _ in range(turns):
        if not (found.width_mm > 0 and found.height_mm > 0):
            return None
        half = found._core_height / 4
        u = 0.5 * (band_mean(found.back, axis, -half, half) + band_mean(found.front, axis, -half, half))
        reach80 = MIDDLE / 2 * found.width_mm
        v = band_mean(found._middle_line, axis, -reach80, reach80)
        turn = float(np.arctan(np.mean(found.slopes)))
        if not np.isfinite([u, v, turn]).all():
            return None
        cos, sin = np.cos(angle), np.sin(angle)
        centre = (centre[0] + u * cos - v * sin, centre[1] + u * sin + v * cos)
        angle += turn
        found = sample(picture, centre, angle, axis, axis)
        if abs(turn) < 1e-3 and np.hypot(u, v) < 0.02:
            break
    return found if abs(angle) < np.pi / 2 and found.width_mm > 0 and found.height_mm > 0 else None


def sample(picture: Picture, centre_mm: tuple[float, float], angle_rad: float, u_mm: Floats, v_mm: Floats) -> Section:
    """A picture sampled in a frame that is given, its positions rising and evenly spaced, on both axes alike."""
    share = np.zeros((len(u_mm), len(v_mm)))
    u, v = _reach(picture, centre_mm, angle_rad, u_mm, v_mm)
    if share[u, v].size:
        first = _points(centre_mm, angle_rad, u_mm[u][:1], v_mm[v][:1])
        step = float(u_mm[1] - u_mm[0])
        share[u, v] = picture.along((first[0].item(), first[1].item()), angle_rad, step, share[u, v].shape)
    return Section(share, u_mm, v_mm, centre_mm, angle_rad)


def _reach(picture: Picture, centre: tuple[float, float], angle: float, u: Floats, v: Floats) -> tuple[slice, slice]:
    """Where a frame meets the picture: nothing lies further out than one sample beyond its corners."""
    y, z = (
        np.array([-1, n]) * s + o - c
        for n, s, o, c in zip(picture.share.shape, picture.spacing_mm, picture.origin_mm, centre, strict=True)
    )
    cos, sin = np.cos(angle), np.sin(angle)
    corners = np.add.outer(y * cos, z * sin), np.add.outer(-y * sin, z * cos)
    return tuple(  # type: ignore[return-value]
        slice(*np.searchsorted(axis, (at.min() - 1e-6, at.max() + 1e-6)))
        for axis, at in zip((u, v), corners, strict=True)
    )


def picture(inside: Array, weights: Floats, first: tuple[int, int], spacing_mm: tuple[float, float]) -> Picture | None:
    """A structure averaged over a layer: ``inside`` (I, J, K) boolean, ``weights`` (I,), ``first`` its corner (j, k).

    None where the layer holds nothing of it.
    """
    total = float(weights.sum())
    if total <= 0:
        return None
    share = np.tensordot(weights / total, inside.astype(np.float64), axes=1)
    if share.sum() <= 0:
        return None
    origin = (first[0] * spacing_mm[0], first[1] * spacing_mm[1])
    return Picture(np.asarray(share), origin, spacing_mm)


def _points(centre: tuple[float, float], angle: float, u: Floats, v: Floats) -> tuple[Floats, Floats]:
    cos, sin = np.cos(angle), np.sin(angle)
    y = centre[0] + u[:, None] * cos - v[None, :] * sin
    z = centre[1] + u[:, None] * sin + v[None, :] * cos
    return y, z


def _centroids(share: Floats, v: Floats) -> Floats:
    total = share.sum(axis=1)
    return np.asarray(np.where(total > 1e-9, share @ v / np.maximum(total, 1e-9), np.nan))


def _slope(u: Floats, surface: Floats, weights: Floats) -> float:
    finite = np.isfinite(surface)
    weights = weights * finite
    total = weights.sum()
    if total <= 0:
        return float("nan")
    surface = np.where(finite, surface, 0.0)
    du = u - (weights * u).sum() / total
    spread = float((weights * du**2).sum())
    return float((weights * du * surface).sum() / spread) if spread > 0 else float("nan")


def _moments(picture: Picture) -> tuple[tuple[float, float], float] | None:
    """Centroid in mm and the angle of the principal axis, or None for an empty picture."""
    total = picture.share.sum()
    if total <= 0:
        return None
    (y0, z0), (dy, dz) = picture.origin_mm, picture.spacing_mm
    y = (y0 + dy * np.arange(picture.share.shape[0]))[:, None]
    z = (z0 + dz * np.arange(picture.share.shape[1]))[None, :]
    cy, cz = float((picture.share * y).sum() / total), float((picture.share * z).sum() / total)
    # A voxel is a box, not a point: its own spread along each axis belongs to the structure's.
    yy = float((picture.share * (y - cy) ** 2).sum() / total) + dy**2 / 12
    zz = float((picture.share * (z - cz) ** 2).sum() / total) + dz**2 / 12
    yz = float((picture.share * (y - cy) * (z - cz)).sum() / total)
    return (cy, cz), float(0.5 * np.arctan2(2 * yz, yy - zz))
