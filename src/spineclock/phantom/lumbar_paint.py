"""Paints one sagittal picture of a made-up spine: signal over that of CSF, and labels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spineclock.core.anatomy import Structure
from spineclock.phantom.lumbar_shape import Block, Disc, Spine

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

CORTEX, LIGAMENT, FAT, MUSCLE, CSF, CORD, AIR = 0.05, 0.06, 0.78, 0.13, 1.0, 0.50, 0.0
SAC_DEPTH_MM = 14.5
SAC_HALF_WIDTH_MM = 10.5
CORTEX_MM = 0.7


@dataclass(frozen=True, eq=False)
class Pictures:
    """A picture being painted: (front, up) signal and labels, and the millimetres of its rows and columns."""

    signal: Floats
    labels: npt.NDArray[np.uint8]
    y_mm: Floats
    z_mm: Floats
    outside: Bools

    @classmethod
    def blank(cls, rows: int, columns: int, *, pixel_mm: float) -> Pictures:
        """An empty picture whose middle is the origin."""
        y, z = (np.asarray(pixel_mm * (np.arange(n) - (n - 1) / 2), np.float32) for n in (rows, columns))
        shape = (rows, columns)
        return cls(np.zeros(shape, np.float32), np.zeros(shape, np.uint8), y, z, np.zeros(shape, np.bool_))

    def window(self, y: float, z: float, half_y: float, half_z: float) -> tuple[Pictures, Floats, Floats]:
        """The part around a point, painted through to this picture, and each sample's offset from the point."""
        rows = slice(*np.searchsorted(self.y_mm, (y - half_y, y + half_y)).tolist())
        columns = slice(*np.searchsorted(self.z_mm, (z - half_z, z + half_z)).tolist())
        part = Pictures(
            self.signal[rows, columns],
            self.labels[rows, columns],
            self.y_mm[rows],
            self.z_mm[columns],
            self.outside[rows, columns],
        )
        return part, (part.y_mm - np.float32(y))[:, None], (part.z_mm - np.float32(z))[None, :]


def soft_tissue(
    fine: Pictures, spine: Spine, *, age_years: float, rng: np.random.Generator
) -> Callable[[float], Pictures]:
    """What paints everything but the spine at a distance (mm) from the mid-plane, on a fresh picture."""
    y, z = fine.y_mm[:, None], fine.z_mm[None, :]
    back, front = _sac_back(spine, fine.z_mm)[None, :], _front(spine, fine.z_mm)[None, :]
    fat_mm = rng.uniform(8, 30)
    skin = back - 46 - fat_mm - 8 * np.exp(-(((z + 70) / 60) ** 2)) * (fat_mm / 20)
    fascia = np.maximum(back - 42 - 3 * np.sin(z / 60), skin + 4)
    streaks, others = _streaks(fine, rng), _streaks(fine, rng)
    bowel = _streaks(fine, rng, width=(9.0, 9.0)) + 0.6 * _streaks(fine, rng, width=(3.0, 3.0))
    vessel_mm, fatty = rng.uniform(14, 20), 0.45 + 0.008 * (age_years - 20)

    base = np.where(bowel > 0.35, np.float32(0.12), np.float32(0.55)).astype(np.float32)
    base[(y - front) < 6 + 1.5 * streaks] = 0.5
    base[(y < fascia + 0) & (y > skin)] = FAT * 1.1
    septa = np.abs(_streaks(fine, rng, width=(1.5, 7.0))) < 0.03
    base[septa & (y < fascia - 3) & (y > skin + 3)] = FAT * 0.75
    base[np.abs(y - fascia) < 1.0] = LIGAMENT
    base[np.abs(y - skin - 1.0) < 1.0] = 0.25
    outside = np.broadcast_to(y < skin, base.shape)
    muscle = (y < back) & (y > fascia + 1)
    vessel = (z > spine.bodies[1].z_mm) & (np.abs(y - front - 6 - vessel_mm / 2) < vessel_mm / 2)
    wall = (y - front < 1.6) & (y > back)

    def picture(x: float) -> Pictures:
        shifted = streaks * math.cos(0.35 * x) + others * math.sin(0.35 * x)  # strands change from slice to slice
        side = float(np.clip((abs(x) - 2.5) / 5, 0, 1))
        fat_share = fatty * (1 - 0.35 * side) - 0.35
        lean = np.float32(MUSCLE * (0.6 + 0.6 * side))
        between = lean + (np.float32(0.62) - lean) * np.clip(0.5 + 3 * (np.float32(fat_share) - shifted), 0, 1)
        signal = base.copy()
        np.copyto(signal, between, where=muscle)
        if x < 4:
            signal[vessel] = 0.07
        signal[wall] = LIGAMENT
        return replace(fine, signal=np.maximum(signal, 0), labels=np.zeros(signal.shape, np.uint8), outside=outside)

    return picture


def vertebrae(picture: Pictures, spine: Spine, x: float) -> None:
    """Paints arches and bodies, sacrum included, ``x`` mm from the mid-plane."""
    for block in spine.bodies:
        _arch(picture, block, x)
    for block in spine.sacrum:
        _body(picture, block, x, labelled=False)
    for block in spine.bodies:
        _body(picture, block, x, labelled=True)


def discs(picture: Pictures, spine: Spine, x: float) -> None:
    """Paints each disc between its endplates."""
    below: tuple[Block, ...] = (spine.sacrum[0], *spine.bodies[:-1])
    for disc, upper, lower in zip(spine.discs, spine.bodies, below, strict=True):
        _disc(picture, disc, upper, lower, x)


def canal(picture: Pictures, spine: Spine, x: float) -> None:
    """Paints the sac with CSF, cord and nerve roots; the label ends at S1, as it does in SPIDER."""
    centre, slant = _sac_centre(spine, picture.z_mm)
    reach = (float(centre.min() + centre.max()) / 2, float(np.ptp(centre)) / 2 + SAC_DEPTH_MM + 4)
    picture, _, z = picture.window(reach[0], 0.0, reach[1], 1e4)
    y = picture.y_mm[:, None]
    taper = np.clip((picture.z_mm - (spine.sacrum[1].z_mm - 12)) / 45, 0, 1) ** 0.7
    round_off = np.sqrt(max(0.0, 1 - (abs(x) / (SAC_HALF_WIDTH_MM + 2)) ** 2))
    half = (SAC_DEPTH_MM / 2 * taper * round_off)[None, :]
    narrow = sum(np.exp(-(((picture.z_mm - d.z_mm + 2) / 5) ** 2)) * 0.05 * (d.grade - 1) for d in spine.discs)
    half = np.asarray(half * (1 - np.asarray(narrow))[None, :], np.float32)
    t = (y - centre[None, :]) * slant[None, :]  # across the sac, to the front
    inside = np.abs(t) < half
    near = (np.abs(t) < half + 1.2) & (half > 1)
    picture.signal[near] = LIGAMENT
    conus = spine.bodies[4].z_mm
    roots = np.sin(0.9 * t + 0.05 * z + 0.7 * x) * np.sin(2.3 * t - 0.03 * z + 1.9 * x)
    tail = np.clip((conus - z) / 120, 0, 1)
    inner = np.where((t < half * (0.35 - 0.9 * tail)) & (roots > 0.05), np.float32(0.55), np.float32(CSF))
    cord_half = np.clip((z - conus + 12) / 18, 0, 1) * (4.0 * max(0.0, 1 - (x / 5.5) ** 2) ** 0.5)
    inner = np.where(np.abs(t + 0.8) < cord_half, np.float32(CORD), inner)
    np.copyto(picture.signal, inner.astype(np.float32), where=inside)
    end = spine.sacrum[0].z_mm - 4
    picture.labels[inside & (z > end) & (half > 1)] = int(Structure.CANAL)


def air(picture: Pictures) -> None:
    """Clears whatever lies behind the skin."""
    picture.signal[picture.outside] = AIR
    picture.labels[picture.outside] = 0


def _body(picture: Pictures, block: Block, x: float, *, labelled: bool) -> None:
    part, dy, dz = picture.window(block.y_mm, block.z_mm, 32, 30)
    distance = _body_distance(block, *_turned(dy, dz, block.tilt), x)
    _bone(part, distance, block, number=block.number if labelled else 0)
    if labelled:  # the basivertebral vein enters the back of the body at its mid-height
        u, w = _turned(dy, dz, block.tilt)
        vein = (np.abs(w) < 1.4) & (u < -block.depth_mm * 0.27) & (distance < -0.8)
        if abs(x) < 4:
            part.signal[vein] = block.marrow * 1.35


def _bone(part: Pictures, distance: Floats, block: Block, *, number: int) -> None:
    part.signal[distance < CORTEX_MM] = CORTEX
    inside = distance < 0
    np.copyto(part.signal, np.float32(block.marrow), where=distance < -CORTEX_MM / 2)
    part.labels[inside] = number


def _body_distance(block: Block, u: Floats, w: Floats, x: float) -> Floats:
    """About the distance (mm) out of the body: below 0 inside."""
    lateral = np.float32(max(0.05, 1 - (abs(x) / (block.depth_mm * 0.66)) ** 2.6) ** (1 / 2.6))
    half, tall = np.float32(block.depth_mm / 2), np.float32(block.height_mm / 2)
    front = half * (2 * lateral - 1)  # the side wall curves away at the front
    hollow = np.maximum(0, 1 - _squared(u / half))
    edge = tall - np.float32(block.concavity_mm) * hollow
    lean = np.float32(np.tan(block.wedge / 2)) * u
    waist = np.float32(1.5) * np.maximum(0, 1 - _squared(w / tall))
    du = np.maximum(u - front, -half - u) + waist
    dw = np.maximum(w - edge - lean, -edge - lean - w)
    r = np.float32(1.5)
    return np.asarray(
        np.hypot(np.maximum(du + r, 0), np.maximum(dw + r, 0)) - r + np.minimum(np.maximum(du, dw) + r, 0),
        dtype=np.float32,
    )


def _disc(picture: Pictures, disc: Disc, upper: Block, lower: Block, x: float) -> None:
    reach, rise = disc.depth_mm / 2 + 3, math.sin(abs(disc.tilt))
    part, dy, dz = picture.window(disc.y_mm, disc.z_mm, reach + 6 * rise, reach * rise + disc.height_mm / 2 + 6)
    u, w = _turned(dy, dz, disc.tilt)
    lateral = max(0.05, 1 - (abs(x) / (disc.depth_mm * 0.66)) ** 2.6) ** (1 / 2.6)
    half = disc.depth_mm / 2 + 0.3 * (disc.grade - 1)
    across, along = _squared(w * (2 / disc.height_mm)), _squared((u + 1) / (0.36 * disc.depth_mm))
    profile = 1 - np.minimum(across, 1) * 0.08
    inside = (u > -half * profile) & (u < half * (2 * lateral - 1) * profile)
    for block, sign in ((upper, -1), (lower, 1)):
        bu, bw = _turned(
            part.y_mm[:, None] - np.float32(block.y_mm), part.z_mm[None, :] - np.float32(block.z_mm), block.tilt
        )
        hollow = np.maximum(0, 1 - _squared(bu * (2 / block.depth_mm)))
        edge = np.float32(block.height_mm / 2) - np.float32(block.concavity_mm) * hollow
        lean = np.float32(np.tan(block.wedge / 2)) * bu
        inside &= sign * bw > edge + lean
    inside &= part.labels == 0
    core = np.exp(-_squared(along) - 1.2 * _squared(across))
    cleft = 1 - 0.35 * (disc.grade < 3.2) * np.exp(-_squared(w / 0.8))  # the dark line in the middle of a healthy disc
    np.copyto(part.signal, (0.10 + (disc.nucleus - 0.10) * core * cleft).astype(np.float32), where=inside)
    rim = inside & (ndimage.binary_dilation(part.labels > 0, iterations=2))
    part.signal[rim] *= np.float32(0.6)
    part.labels[inside] = disc.number


def _arch(picture: Pictures, block: Block, x: float) -> None:
    """The spinous process near the mid-plane; farther out the lamina; epidural fat before it."""
    behind = block.depth_mm / 2 + SAC_DEPTH_MM + 4
    thoracic = block.number < 20
    if abs(x) < 4.2:
        length, tall, drop, lean = (30.0, 19.0, -11.0, 0.12) if not thoracic else (28.0, 13.0, -13.0, 0.5)
        if block.name == "L5":
            length, tall, drop = 22.0, 14.0, -8.0
        u0 = -(behind + length / 2 - 1)
    else:
        length, tall, drop, lean = 8.0, 21.0, -9.0, -0.25
        u0 = -(behind + 3 - 0.12 * (abs(x) - 4.2))
    shrink = 1 - 0.25 * (abs(x) / 4.2) ** 2 if abs(x) < 4.2 else 1.0
    y, z = block.at(u0, drop)
    part, dy, dz = picture.window(y, z, 26, 26)
    u, w = _turned(dy, dz, block.tilt + lean)
    if abs(x) < 5:
        fat = ((u - length / 2 - 0.5) / 4) ** 2 + ((w - 12) / 8) ** 2 < 1
        part.signal[fat] = FAT
    taper = np.float32(tall / 2) * (1 - np.float32(0.25) * np.clip(2 * u / length, -1, 1))
    du, dw = np.abs(u) - np.float32(length / 2 * shrink), np.abs(w) - taper * np.float32(shrink)
    r = np.float32(min(length, tall) * 0.3)
    distance = np.hypot(np.maximum(du + r, 0), np.maximum(dw + r, 0)) - r + np.minimum(np.maximum(du, dw) + r, 0)
    _bone(part, np.asarray(distance, dtype=np.float32), block, number=block.number)


def _squared(a: Floats) -> Floats:
    return a * a  # numpy's power is many times slower


def _turned(dy: Floats, dz: Floats, tilt: float) -> tuple[Floats, Floats]:
    c, s = np.float32(np.cos(tilt)), np.float32(np.sin(tilt))
    return np.asarray(dy * c + dz * s), np.asarray(dz * c - dy * s)


def _sac_centre(spine: Spine, z_mm: Floats) -> tuple[Floats, Floats]:
    """The sac's centre line y(z) behind the bodies, and the cosine of its slant."""
    blocks = (*reversed(spine.sacrum), *spine.bodies)
    gap = [3.5 if b.name.startswith("S") else 1.2 for b in blocks]
    points = np.array([b.at(-b.depth_mm / 2 - SAC_DEPTH_MM / 2 - g, 0) for b, g in zip(blocks, gap, strict=True)])
    y = np.interp(z_mm, points[:, 1], points[:, 0])
    width = 7.0 / float(z_mm[1] - z_mm[0])
    y = ndimage.gaussian_filter1d(y, width, mode="nearest")
    slope = np.gradient(y, z_mm)
    return y.astype(np.float32), np.asarray(1 / np.sqrt(1 + slope**2), dtype=np.float32)


def _sac_back(spine: Spine, z_mm: Floats) -> Floats:
    y, slant = _sac_centre(spine, z_mm)
    return np.asarray(y - SAC_DEPTH_MM / 2 / slant, dtype=np.float32)


def _front(spine: Spine, z_mm: Floats) -> Floats:
    points = [b.at(b.depth_mm / 2, 0) for b in (*reversed(spine.sacrum), *spine.bodies)]
    z, y = [p[1] for p in points], [p[0] for p in points]
    return np.asarray(np.interp(z_mm, z, y), dtype=np.float32)


def _streaks(fine: Pictures, rng: np.random.Generator, width: tuple[float, float] = (1.6, 9.0)) -> Floats:
    """Smooth noise of unit spread with the given correlation lengths (mm) along the front and upwards."""
    step = 4
    shape = tuple(-(-n // step) for n in fine.signal.shape)
    pixel = float(fine.y_mm[1] - fine.y_mm[0]) * step
    field = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), [w / pixel for w in width])
    field = enlarged(np.asarray(field / field.std(), np.float32), step)
    return field[: fine.signal.shape[0], : fine.signal.shape[1]]


def enlarged(field: Floats, factor: int) -> Floats:
    """A field repeated ``factor`` times along its last two axes, the steps smoothed away."""
    for axis in (-2, -1):
        field = ndimage.uniform_filter1d(np.repeat(field, factor, axis=axis), factor, axis=axis, mode="nearest")
    return field
