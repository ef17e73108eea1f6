"""Signal of a structure and how uneven it is, as ratios to the cerebrospinal fluid's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from spineclock.core.volume import Array
from spineclock.measure.frame import Piece, Pieces
from spineclock.measure.reference import Levels, Reference

FINE_MM, COARSE_MM = 1.0, 4.0
"""Gaussian scales between which unevenness is looked for: below lies noise and resolution, above the coil's shading."""


@dataclass(frozen=True)
class Signal:
    """A structure's signal, as ratios to CSF's (background subtracted from both).

    ``variation`` = sd ÷ mean, which needs no CSF. ``texture`` = SD of the signal between the Gaussian scales 1 and 4 mm
    within the slices ÷ mean signal. ``above_background`` is the mean in the scan's own units, for ratios between
    neighbours.
    """

    mean: float
    median: float
    sd: float
    p10: float
    p90: float
    variation: float
    texture: float
    above_background: float


@dataclass(frozen=True)
class Signals:
    """Signals of discs and vertebral bodies, by vertebra number."""

    discs: dict[int, Signal]
    bodies: dict[int, Signal]


DISC_MARGIN_MM, BODY_MARGIN_MM = 0.5, 2.0
"""How far within its edge a signal is taken. A disc: what shares a voxel with endplate or fluid is left out, and a thin
disc still counts. A body: its cortex and endplates are left out."""


def signals(found: Pieces, reference: Reference) -> Signals:
    """The signals of all discs and bodies."""
    return Signals(
        {n: signal(piece, reference.near(piece), margin_mm=DISC_MARGIN_MM) for n, piece in found.discs.items()},
        {n: signal(piece, reference.near(piece), margin_mm=BODY_MARGIN_MM) for n, piece in found.bodies.items()},
    )


def signal(piece: Piece, levels: Levels, *, margin_mm: float) -> Signal:
    """The signal of a structure's voxels at least ``margin_mm`` from its edge, in the mid-sagittal layer."""
    core = piece.core(margin_mm)
    raw = np.asarray(piece.samples[core], dtype=np.float64) - levels.background
    ratios = levels.ratio(piece.samples[core])
    mean = float(raw.mean())
    p10, median, p90 = (float(x) for x in np.percentile(ratios, (10, 50, 90)))
    uneven = float(raw.std() / mean) if mean > 0 else float("nan")
    texture = float(_between_scales(piece, core).std() / mean) if mean > 0 else float("nan")
    return Signal(float(ratios.mean()), median, float(ratios.std()), p10, p90, uneven, texture, mean)


def _between_scales(piece: Piece, core: Array) -> Array:
    """The signal at the fine scale less that at the coarse one, at the core's voxels; nothing outside it counts."""
    slices = np.flatnonzero(core.any(axis=(1, 2)))
    core = core[slices]
    rows, columns = (np.flatnonzero(core.any(axis=axes)) for axes in ((0, 2), (0, 1)))
    box = (slice(None), slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    inside = core[box].astype(np.float32)
    samples = piece.samples[slices][box]
    level = float(samples[inside > 0].mean())  # taken off first, so that float32 keeps what is left
    values = (samples.astype(np.float32) - np.float32(level)) * inside
    smooth = [
        _within_slices(values, mm, piece) / np.maximum(_within_slices(inside, mm, piece), 1e-6)
        for mm in (FINE_MM, COARSE_MM)
    ]
    return np.asarray((smooth[0] - smooth[1])[inside > 0], dtype=np.float64)


def _within_slices(array: Array, sigma_mm: float, piece: Piece) -> Array:
    _, dy, dz = piece.spacing_mm
    sigmas = (0.0, sigma_mm / dy, sigma_mm / dz)
    return np.asarray(ndimage.gaussian_filter(array, sigmas, mode="constant", truncate=2.5))
