"""Frontal films of the phantom's people, roughly: what a lateral film must be told from. Not part of the phantom."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy import ndimage

from spineclock.phantom.anatomy.body import anatomy_of
from spineclock.phantom.anatomy.forms import Anatomy
from spineclock.phantom.anatomy.traits import Traits
from spineclock.phantom.mri.paint import Flow, Grid, painted
from spineclock.phantom.mri.style import echo_of, scanner_of
from spineclock.phantom.mri.tissue import signals
from spineclock.phantom.radiograph.beside import ribs
from spineclock.phantom.radiograph.flesh import diaphragm, trunk
from spineclock.phantom.radiograph.tissue import CORTEX_EXCESS, FAT, LUNG, MUSCLE

PIXEL_MM, VOXEL_MM = 1.0, 2.5
FORMS = ("wide", "narrow", "dxa")
_Y, _FRONT, _HALF, _FASCIA, _SKIN, _CHEST, _NECK, _DEEP, _WIDE = range(9)


def frontal_film(person: Traits, *, seed: int, form: str) -> np.ndarray:
    """An AP film as it is looked at, rows downwards, dense bright; ``form`` is how widely it is collimated."""
    rng = person.stream(seed, f"frontal {form}")
    spine = anatomy_of(person, seed=seed)
    wide = rng.uniform(*{"wide": (300, 390), "narrow": (150, 230), "dxa": (110, 150)}[form])
    tall = rng.uniform(160, 230) if form == "dxa" else rng.uniform(330, 430)
    middle_x = float(np.median(spine.course["x"])) + rng.uniform(-15, 15)
    middle_z = spine.lumbar_mm + rng.uniform(-10, 10) + (0 if form == "dxa" else rng.choice([0, 40, 150]))
    x = middle_x + np.arange(-wide / 2, wide / 2, PIXEL_MM)
    z = middle_z + np.arange(-tall / 2, tall / 2, PIXEL_MM)
    depth, thickness = _flesh(person, spine, x, z, rng)
    bones, bodies = _column(person, spine, x, z, seed)
    depth += bones + _ribs(spine, trunk(person, spine), x, z) + _wings(spine, x, z)
    depth[thickness == 0] = 0
    film = _developed(depth, bodies, quanta=150.0 if form == "dxa" else 4000.0, rng=rng).T[::-1]
    return film[:, ::-1] if rng.random() < 0.5 else film


def _developed(depth: np.ndarray, bodies: np.ndarray, *, quanta: float, rng: np.random.Generator) -> np.ndarray:
    """12-bit samples of an optical depth: noise, blur, broad differences evened out, a look-up curve, a border."""
    metered = float(np.median(depth[bodies])) if bodies.any() else float(np.median(depth))
    light = ndimage.gaussian_filter(np.exp(metered - depth), rng.uniform(0.3, 0.9))
    counts = np.clip(quanta * np.exp(rng.normal(0, 0.5)) * light, 0.1, None)
    light = light * (1 + np.clip(rng.standard_normal(light.shape) / np.sqrt(counts), -0.9, 3))
    dark = np.clip(-np.log(np.clip(light, 2e-3, None)), -4, None)
    dark -= rng.uniform(0, 0.6) * ndimage.gaussian_filter(dark, 22)
    low, high = np.percentile(dark, (6, 97.5))
    film = 1 / (1 + np.exp(-rng.uniform(3, 6) * (dark - (low + high) / 2) / (high - low)))
    if rng.random() < 0.6:
        border = (np.array(film.shape) * rng.uniform(0, 0.05, 2)).astype(int) + 1
        closed = np.ones(film.shape, bool)
        closed[border[0] : -border[0], border[1] : -border[1]] = False
        film[closed] = rng.choice([0.0, 0.93])
    return np.floor(film * 4095 + 0.5).astype(np.uint16)


def _flesh(person: Traits, spine: Anatomy, x: np.ndarray, z: np.ndarray, rng: np.random.Generator):
    """Attenuation along y of all but bone, and how much flesh there is; both (x, z)."""
    rows = trunk(person, spine)
    at = np.clip((z - spine.course_from_mm + 0.5).astype(int), 0, rows.shape[1] - 1)
    r = rows[:, at]
    across = np.abs(x - float(np.median(spine.course["x"])))[:, None]
    deep = r[_FRONT] + r[_DEEP] - r[_SKIN]
    whole = deep * np.clip(1 - (across / np.maximum(r[_WIDE], 1)) ** 2.4, 0, None) ** (1 / 2.4)
    depth = MUSCLE * whole - (MUSCLE - FAT) * np.minimum(whole, 50 + 6 * _cloud(whole.shape, 12, rng))
    domes, lung = diaphragm(spine, rng), np.zeros_like(whole)
    side = (x > np.median(spine.course["x"])).astype(int)[:, None]  # the heart lies at the left, x negative
    for ahead in np.linspace(-30, 110, 15):
        y = r[_FRONT] + ahead
        p = np.abs(2 * y - (r[_Y] - 24) - (r[_FRONT] + r[_DEEP] - 20)) / np.maximum(deep - 40, 1)
        outer = (r[_WIDE] - 26) * np.clip(1 - p**2.4, 0, None) ** (1 / 2.4)
        rise = np.clip((ahead + 34) / domes[side, 2], -0.2, 1.75)
        edge = domes[side, 0] + domes[side, 1] * np.sin(0.5 * np.pi * rise)
        heart = 1 - ((ahead - 66) / 46) ** 2 - ((z - edge - 30) / 62) ** 2
        inner = r[_HALF] + 5 + np.where(heart > 0, np.where(side == 0, 55, 30) * np.sqrt(np.clip(heart, 0, None)), 0)
        lung += 10.0 * ((z > edge) & (across > inner) & (across < outer))
    depth -= (MUSCLE - LUNG) * lung * r[_CHEST] * (1 - 0.08 * _cloud(whole.shape, 5, rng))
    for _ in range(int(rng.integers(5, 15))):  # bowel gas
        i, k = rng.uniform(-110, 110), spine.lumbar_mm + rng.uniform(-70, 60)
        far = ((x - i) / rng.uniform(9, 26))[:, None] ** 2 + ((z - k) / rng.uniform(6, 13)) ** 2
        depth -= 0.0215 * rng.uniform(6, 26) * np.sqrt(np.clip(1 - far, 0, 1))
    return np.clip(depth, 0, None), whole


def _column(person: Traits, spine: Anatomy, x: np.ndarray, z: np.ndarray, seed: int):
    """Attenuation along y of the spine beyond flesh's, and where its bodies are; both (x, z)."""
    low, high = float(spine.course["x"].min()) - 58, float(spine.course["x"].max()) + 58
    seen = np.abs(spine.course_from_mm + np.arange(len(spine.course)) - z.mean()) < np.ptp(z) / 2 + 20
    y0, y1 = float(spine.course["y"][seen].min()) - 75, float(spine.course["front"][seen].max()) + 10
    origin = (low, y0, float(z[0]))
    shape = tuple(int(n / VOXEL_MM) + 1 for n in (high - low, y1 - y0, np.ptp(z)))
    machine = scanner_of(person.scanner, "default")
    echo = echo_of("T2w", "thick", machine)
    _, labels = painted(
        spine, signals(spine, echo, shift_mm=0.0), Grid(shape, (VOXEL_MM,) * 3, origin),
        flow=Flow(np.ones(len(spine.course)), 0.0), cord_lesion_mm=0.0, blur=0.5, rng=np.random.default_rng(0),
    )  # fmt: skip
    body, arch = ((labels > 200) & (labels < 300)) | (labels == 26), (labels > 300) & (labels < 400)
    shell = (body & ~ndimage.binary_erosion(body)) | (arch & ~ndimage.binary_erosion(arch))
    bone = 0.0075 * body + 0.014 * arch + 0.35 * CORTEX_EXCESS * shell
    projected = [VOXEL_MM * bone.sum(1), body.any(1).astype(float)]
    place = np.meshgrid((x - origin[0]) / VOXEL_MM, (z - origin[2]) / VOXEL_MM, indexing="ij")
    depth, bodies = (ndimage.map_coordinates(p, place, order=1) for p in projected)
    return depth, bodies > 0.5


def _ribs(spine: Anatomy, rows: np.ndarray, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    total = np.zeros((len(x), len(z)))
    for rib in ribs(spine, rows):
        fine = np.concatenate([a + (b - a) * np.linspace(0, 1, 40)[:, None] for a, b in pairwise(rib)])
        length = np.linalg.norm(np.diff(fine, axis=0), axis=1)
        i = np.round((fine[1:, 0] - x[0]) / PIXEL_MM).astype(int)
        k = np.round((fine[1:, 2] - z[0]) / PIXEL_MM).astype(int)
        inside = (i >= 0) & (i < len(x)) & (k >= 0) & (k < len(z))
        np.add.at(total, (i[inside], k[inside]), length[inside])
    return 1.1 * ndimage.gaussian_filter(total, 3.0)


def _wings(spine: Anatomy, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    centre = spine.bodies[spine.names.index("L5")]["centre"]
    total = np.zeros((len(x), len(z)))
    for side in (-1, 1):
        far = ((x - centre[0] - side * 88) / 56)[:, None] ** 2 + ((z - centre[2] + 66) / 78) ** 2
        inside = np.clip(1 - np.sqrt(far), 0, None)
        total += (inside > 0) * (0.25 + 0.35 * np.exp(-(((inside - 0.06) / 0.06) ** 2)))
    return total


def _cloud(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> np.ndarray:
    noise = ndimage.gaussian_filter(rng.standard_normal(shape), sigma)
    return noise / noise.std()


__all__ = ["FORMS", "frontal_film"]
