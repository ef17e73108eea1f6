"""From optical depth to a film's samples: scatter, quanta, blur, a maker's processing, collimation and markers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spineclock.phantom.radiograph.beam import Floats
from spineclock.phantom.radiograph.style import Detector, Ranges

FULL_SCALE = 4095
"""The brightest sample."""
_COARSE_MM = 8.0
"""Pixels on which broad blurs are computed."""
_SCATTER_MM, _EQUALISED_MM = 32.0, 22.0
"""Standard deviations of the spread of scatter and of what a maker's processing counts as broad."""
_GLYPHS = {
    "L": ("10000", "10000", "10000", "10000", "10000", "10000", "11111"),
    "R": ("11110", "10001", "10001", "11110", "10100", "10010", "10001"),
}


@dataclass(frozen=True)
class Layout:
    """What is drawn on one film, as it is looked at."""

    marker: str = ""
    """L or R where a lead letter lies on the film."""
    corner: tuple[float, float] = (0.0, 0.0)
    """The letter's middle as shares of width and height, from the left and the top."""
    letter_mm: float = 14.0
    edges_mm: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    """How much the collimator cuts off at the left, right, top and bottom."""
    tilt: float = 0.0
    """Of the collimator, a tangent."""


def drawn_layout(told: Ranges, size_mm: tuple[float, float], side: str, rng: np.random.Generator) -> Layout:
    """Collimation and marker of a film of so many mm (width, height), by chance alone."""
    collimated, marked = rng.random(2) < (told.collimated_share, told.marker_share)
    edges = rng.uniform(0.0, 0.055, 4) * np.array([size_mm[0], size_mm[0], size_mm[1], size_mm[1]])
    at, tilt, letter = rng.random(2), float(rng.normal(0, 0.012)), float(rng.uniform(10, 18))
    inset = (edges.max() + 0.9 * letter) / np.array(size_mm)
    corner = np.where(at < 0.5, inset + 0.15 * at, 1 - inset - 0.15 * (at - 0.5))
    return Layout(
        marker=side if marked else "",
        corner=(float(corner[0]), float(corner[1])),
        letter_mm=letter,
        edges_mm=tuple(float(e) if collimated else 0.0 for e in edges),  # type: ignore[arg-type]
        tilt=tilt if collimated else 0.0,
    )


def transmitted(depth: Floats, thickness: Floats, scatter: float, pixel_mm: float) -> Floats:
    """The radiation that reaches the detector over that without a person: exp(−depth), and scatter on top.

    Scatter comes from where the beam passes through the person and spreads; ``scatter`` is its share behind the trunk.

    >>> round(float(transmitted(np.full((4, 4), 2.0), np.zeros((4, 4)), 0.0, 1.0)[0, 0]), 4)
    0.1353
    """
    primary = np.exp(-depth)
    if scatter <= 0:
        return primary
    inside = thickness > 60
    if not inside.any():
        return primary
    source = np.minimum(primary, 6 * float(np.median(primary[inside]))) * np.clip(thickness / 180, 0, 1)
    return np.asarray(primary + scatter / (1 - scatter) * _broad(source, _SCATTER_MM, pixel_mm), np.float32)


def developed(
    depth: Floats, thickness: Floats, spine: npt.NDArray[np.bool_], pixel_mm: float, machine: Detector,
    rng: np.random.Generator,
) -> Floats:  # fmt: skip
    """The film between 0 and 1, dense bright, before it is collimated and marked.

    ``spine`` is where the exposure is metered and the look-up curve centred.
    """
    light = transmitted(depth, thickness, machine.scatter, pixel_mm)
    light = ndimage.gaussian_filter(light, machine.blur_mm / pixel_mm) if machine.blur_mm > 0.2 * pixel_mm else light
    metered = float(np.median(light[spine])) if spine.any() else float(np.median(light))
    counts = machine.quanta_mm2 * pixel_mm**2 * light / metered
    noise = rng.standard_normal(light.shape, dtype=np.float32)
    light = light * (1 + np.clip(noise / np.sqrt(np.maximum(counts, 1e-3)), -0.9, 3.0))
    dark = -np.log(np.maximum(light / metered, 2e-3)).astype(np.float32)
    dark = np.maximum(dark, -4.0)  # where the beam meets nobody the detector is at its end
    broad = _broad(dark, _EQUALISED_MM, pixel_mm)
    level = float(np.median(dark[spine])) if spine.any() else 0.0
    dark -= machine.equalise * (np.clip(broad, -2.2, 2.2) - level)
    if machine.sharpen > 0:
        dark += machine.sharpen * (dark - ndimage.gaussian_filter(dark, max(0.5, 1.6 / pixel_mm)))
    inside = dark[thickness > 60] if (thickness > 60).any() else dark
    low, high = np.percentile(inside, (6, 97.5))
    middle = 0.5 * (0.55 * low + 0.45 * high) + 0.5 * float(np.median(inside))
    return np.asarray(1 / (1 + np.exp(-machine.slope * (dark - middle) / max(0.3, high - low))), np.float32)


def stored(
    shown: Floats, layout: Layout, machine: Detector, pixel_mm: float, *, flipped: bool
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.bool_]]:
    """Samples of a film (columns towards the front, rows upwards), its border and letter drawn; what is not cut off.

    ``flipped`` says that it is looked at with the front at the left; letters are to be read then.
    """
    film = shown[:: -1 if flipped else 1, ::-1].T  # as it is looked at: rows downwards
    film = np.array(film)
    seen = np.ones(film.shape, bool)
    if layout.marker:
        film = np.maximum(film, 0.97 * _letter(layout, film.shape, pixel_mm))
    if any(layout.edges_mm):
        open_ = _open(layout, film.shape, pixel_mm)
        seen = open_ > 0.5
        film = film * open_ + (0.0 if machine.mask else 0.93) * (1 - open_)
    steps = 2**machine.bits - 1
    film = np.floor(np.clip(film, 0, 1) * steps + 0.5) / steps * FULL_SCALE
    back, upright = (np.ascontiguousarray(a.T[:: -1 if flipped else 1, ::-1]) for a in (film, seen))
    return back.astype(np.int16), upright


def _broad(values: Floats, sigma_mm: float, pixel_mm: float) -> Floats:
    """A broad blur, computed on coarse pixels."""
    n = max(1, round(_COARSE_MM / pixel_mm))
    shape = values.shape
    padded = np.pad(values, [(0, -s % n) for s in shape], mode="edge")
    coarse = padded.reshape(padded.shape[0] // n, n, padded.shape[1] // n, n).mean(axis=(1, 3))
    coarse = ndimage.gaussian_filter(coarse, sigma_mm / (n * pixel_mm), mode="nearest")
    return _enlarged(coarse, n)[: shape[0], : shape[1]]


def _enlarged(coarse: Floats, n: int) -> Floats:
    """Coarse samples interpolated between their middles."""
    for axis in (0, 1):
        at = np.clip((np.arange(coarse.shape[axis] * n) + 0.5) / n - 0.5, 0, coarse.shape[axis] - 1)
        low = np.minimum(at.astype(int), max(coarse.shape[axis] - 2, 0))
        share = (at - low).astype(np.float32)
        share = share[:, None] if axis == 0 else share[None, :]
        high = np.minimum(low + 1, coarse.shape[axis] - 1)
        coarse = np.take(coarse, low, axis) * (1 - share) + np.take(coarse, high, axis) * share
    return np.asarray(coarse, np.float32)


def _letter(layout: Layout, shape: tuple[int, ...], pixel_mm: float) -> Floats:
    """A lead letter, 1 where it is."""
    glyph = np.array([[int(c) for c in row] for row in _GLYPHS[layout.marker]], np.float32)
    cell = layout.letter_mm / 7
    rows, columns = (np.arange(n) * pixel_mm for n in shape[:2])
    top = layout.corner[1] * shape[0] * pixel_mm - layout.letter_mm / 2
    left = layout.corner[0] * shape[1] * pixel_mm - 2.5 * cell
    i, j = (rows - top) / cell - 0.5, (columns - left) / cell - 0.5
    smooth = ndimage.map_coordinates(glyph, np.meshgrid(i, j, indexing="ij"), order=1, mode="constant")
    return np.asarray(np.clip(3 * smooth - 1, 0, 1), np.float32)


def _open(layout: Layout, shape: tuple[int, ...], pixel_mm: float) -> Floats:
    """Where the collimator lets the beam through, 1, with a penumbra of about a millimetre."""
    y, x = ((np.arange(n, dtype=np.float32) + 0.5) * pixel_mm for n in shape[:2])
    tall, wide = shape[0] * pixel_mm, shape[1] * pixel_mm
    a = x[None, :] + layout.tilt * (y[:, None] - tall / 2)
    b = y[:, None] - layout.tilt * (x[None, :] - wide / 2)
    left, right, top, bottom = layout.edges_mm
    inner = np.minimum(np.minimum(a - left, wide - right - a), np.minimum(b - top, tall - bottom - b))
    return np.asarray(np.clip(inner / max(1.2, pixel_mm) + 0.5, 0, 1), np.float32)
