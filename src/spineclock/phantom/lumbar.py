"""A minimal lumbar phantom: one made-up person's sagittal T2 slab with its true label map.

Good enough to try the program end to end without a real scan; a fuller phantom will take its place. Tissue is
painted on a grid twice as fine within the slices and averaged down, which makes the partial volume at edges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spineclock.core.anatomy import Structure
from spineclock.core.volume import Mask, Volume
from spineclock.phantom.lumbar_paint import Pictures, air, canal, discs, enlarged, soft_tissue, vertebrae
from spineclock.phantom.lumbar_shape import Disc, Sex, Spine, lumbar_spine

Floats = npt.NDArray[np.float32]
FINER = 2
"""Painted samples for each pixel along each side."""
FULL_SCALE = 400.0
"""What CSF comes to in the stored samples, before the coil."""


@dataclass(frozen=True)
class Grid:
    """The slab: number and distance of sagittal slices, pixel size, and the field of view in millimetres."""

    slices: int = 20
    slice_mm: float = 1.0
    pixel_mm: float = 0.6
    depth_mm: float = 240.0
    height_mm: float = 300.0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Samples to the right, to the front and upwards."""
        return self.slices, round(self.depth_mm / self.pixel_mm), round(self.height_mm / self.pixel_mm)

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """Index to millimetres, the slab's middle at the origin."""
        affine = np.diag([self.slice_mm, self.pixel_mm, self.pixel_mm, 1.0])
        affine[:3, 3] = -affine.diagonal()[:3] * (np.asarray(self.shape) - 1) / 2
        return affine


@dataclass(frozen=True, eq=False)
class PhantomScan:
    """A made-up scan, its true label map (numbers of :mod:`spineclock.core.anatomy`), and whose it is."""

    volume: Volume
    labels: Mask
    age_years: float
    sex: Sex
    discs: tuple[Disc, ...]
    """Each disc's true middle, tilt, mid height and nucleus signal, from L5/S1 upwards."""


def lumbar_scan(*, age_years: float, sex: Sex, seed: int, grid: Grid | None = None) -> PhantomScan:
    """A T2-weighted sagittal slab of a made-up person; the same arguments give the same samples.

    The volume is canonical (RAS+) int16 of ``grid.shape``. Vertebrae carry their level's number, bodies with arches
    and spinous processes; the disc below a vertebra is 100 more; the canal is 61. The sacrum is in the image and
    not in the labels, as in SPIDER. With age discs lose height and signal, marrow turns brighter and more
    uneven, and fat enters the muscle; the rest of the person depends on ``sex`` and ``seed`` alone.

    Raises
    ------
    UsageError
        If the age is not within 10–100 years.

    Examples
    --------
    >>> scan = lumbar_scan(age_years=50, sex="F", seed=1, grid=Grid(slices=3, pixel_mm=1.2))
    >>> scan.volume.shape, sorted(set(scan.labels.array.ravel().tolist()))[:4]
    ((3, 200, 250), [0, 16, 17, 18])
    """
    grid = grid or Grid()
    person, noise = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
    spine = lumbar_spine(age_years=age_years, sex=sex, rng=person)
    clean, labels = _painted(spine, grid, age_years, person)
    stored = _acquired(clean, labels, spine, grid, age_years=age_years, person=person, noise=noise)
    shown = set(np.unique(labels).tolist())
    return PhantomScan(
        Volume(stored, grid.affine),
        Mask(labels, grid.affine),
        float(age_years),
        sex,
        tuple(d for d in spine.discs if d.number in shown),
    )


def _painted(
    spine: Spine, grid: Grid, age_years: float, person: np.random.Generator
) -> tuple[Floats, npt.NDArray[np.uint8]]:
    """Signal over that of CSF without coil or noise, and labels, both on the scan's grid."""
    n, depth, height = grid.shape
    aside = grid.affine[0, 3] + grid.slice_mm * np.arange(n) - person.uniform(-1.5, 1.5)  # mm from the mid-plane
    fine = Pictures.blank(depth * FINER, height * FINER, pixel_mm=grid.pixel_mm / FINER)
    background = soft_tissue(fine, spine, age_years=age_years, rng=person)
    signal, labels = np.empty(grid.shape, np.float32), np.empty(grid.shape, np.uint8)
    for i, x in enumerate(aside.tolist()):
        picture = background(x)
        vertebrae(picture, spine, x)
        discs(picture, spine, x)
        canal(picture, spine, x)
        air(picture)
        s = picture.signal
        signal[i] = (s[::2, ::2] + s[1::2, ::2] + s[::2, 1::2] + s[1::2, 1::2]) / 4
        labels[i] = _commonest(picture.labels)
    return signal, labels


def _commonest(fine: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The label that most of each pixel's four samples carry; on a draw, one of the two."""
    a, b, c, d = fine[::2, ::2], fine[1::2, 1::2], fine[::2, 1::2], fine[1::2, ::2]
    first = (a == b) | (a == c) | (a == d)
    second = (b == c) | (b == d)
    return np.asarray(np.where(first, a, np.where(second, b, c)), dtype=np.uint8)


def _acquired(
    signal: Floats,
    labels: npt.NDArray[np.uint8],
    spine: Spine,
    grid: Grid,
    *,
    age_years: float,
    person: np.random.Generator,
    noise: np.random.Generator,
) -> npt.NDArray[np.int16]:
    """Stored samples: texture, the surface coil's falling sensitivity, the saturated belly, Rician noise."""
    rough = _texture(grid, 0.7, person)
    islands = _texture(grid, 3.0, person)
    uneven = 0.05 + 0.0012 * (age_years - 20)
    bone = (labels > 0) & (labels < int(Structure.CORD))
    signal = signal * (1 + np.where(bone, np.float32(uneven), np.float32(0.05)) * rough)
    signal += signal * np.where(bone, np.float32(uneven), np.float32(0.04)) * islands
    j = grid.affine[1, 3] + grid.pixel_mm * np.arange(grid.shape[1])
    k = grid.affine[2, 3] + grid.pixel_mm * np.arange(grid.shape[2])
    front = np.interp(
        k, *np.array([(b.z_mm, b.y_mm + b.depth_mm / 2) for b in (*reversed(spine.sacrum[:2]), *spine.bodies)]).T
    )
    ahead = j[:, None] - front[None, :]
    strength, band = person.uniform(0.9, 1.5), 22 + 45 * np.clip((-60 - k) / 40, 0, 1)
    coil = 0.75 + strength * np.exp(-(j[:, None] + 95) / 38) - 0.25 * ((k[None, :] - 10) / 150) ** 2
    coil *= 1 - 0.86 / (1 + np.exp(-(ahead - band[None, :]) / 4))
    clean = FULL_SCALE * signal * coil.astype(np.float32)
    sigma = np.float32(FULL_SCALE * person.uniform(0.025, 0.04))
    real = clean + sigma * noise.standard_normal(clean.shape, dtype=np.float32)
    imaginary = sigma * noise.standard_normal(clean.shape, dtype=np.float32)
    magnitude = np.sqrt(real * real + imaginary * imaginary)
    return np.asarray(np.clip(np.rint(magnitude), 0, 32767), dtype=np.int16)


def _texture(grid: Grid, width_mm: float, rng: np.random.Generator) -> Floats:
    """Smooth noise of mean 0 and standard deviation about 1."""
    sigma = (width_mm / grid.slice_mm, width_mm / grid.pixel_mm, width_mm / grid.pixel_mm)
    coarse = max(1, int(sigma[1] / 1.2))  # made small and enlarged where it is smooth anyway
    shape = (grid.shape[0], -(-grid.shape[1] // coarse), -(-grid.shape[2] // coarse))
    field = rng.standard_normal(shape, dtype=np.float32)
    field = ndimage.gaussian_filter(field, (sigma[0], sigma[1] / coarse, sigma[2] / coarse), truncate=2.5)
    if coarse > 1:
        field = enlarged(field, coarse)[:, : grid.shape[1], : grid.shape[2]]
    return np.asarray(field / field.std(), dtype=np.float32)
