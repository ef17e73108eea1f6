"""From HU as they are to slices as a scanner reconstructs them: kernel, noise, beam hardening, gantry tilt."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from spineclock.phantom.ct.style import Machine, Response
from spineclock.phantom.mri.ground import Floats
from spineclock.phantom.mri.paint import Grid

LOWEST_HU, HIGHEST_HU = -1024, 3071
GIRTH_MM = 300.0
PER_GIRTH_MM = 0.004
"""How much the logarithm of noise grows with a trunk's diameter, where the tube current follows it in part (ours)."""
SAMPLES = 2**17
"""How many are transformed together, as many as a processor's cache holds."""
SHADE_MM = 28.0
"""How far beam hardening reaches from dense bone."""


@dataclass(frozen=True)
class Exposure:
    """What a scan's noise and shading follow from."""

    machine: Machine
    response: Response
    slice_mm: float
    girth_mm: float
    """Diameter of a circle with the trunk's area."""
    middle_mm: tuple[float, float]
    """x and y of the trunk's middle, where noise is strongest."""
    beam_hardening: bool = False

    @property
    def noise_hu(self) -> float:
        """SD of noise in the middle of the trunk, all its frequencies together."""
        told = self.machine.noise_hu * self.response.noise * math.sqrt(3.0 / self.slice_mm)
        return told * math.exp(PER_GIRTH_MM * (self.girth_mm - GIRTH_MM))


def reconstructed(hu: Floats, grid: Grid, told: Exposure, rng: np.random.Generator) -> npt.NDArray[np.int16]:
    """Slices as they are stored, int16.

    Contrast passes by the kernel's MTF, noise is white noise shaped by its power spectrum; what lies beyond half the
    pixels' frequency is lost to both, so that coarse pixels are less noisy.
    """
    dx, dy, _ = grid.step_mm
    f = np.hypot(np.fft.fftfreq(grid.shape[0], dx)[:, None], np.fft.rfftfreq(grid.shape[1], dy)[None, :])
    pixel = np.sinc(np.fft.fftfreq(grid.shape[0]))[:, None] * np.sinc(np.fft.rfftfreq(grid.shape[1]))[None, :]
    mtf = told.response.mtf(f).astype(np.float32)
    shape = (np.sqrt(told.response.power(f) / (dx * dy)) * pixel).astype(np.float32)
    shade = np.exp(-2 * (math.pi * SHADE_MM * f) ** 2).astype(np.float32)
    strength = told.noise_hu * _falling_off(grid, told.middle_mm)
    out = np.empty(grid.shape, np.int16)
    plane = grid.shape[:2]

    def filtered(slices: Floats, by: Floats) -> Floats:
        return np.asarray(fft.irfft2(fft.rfft2(slices) * by, plane))

    together = max(1, SAMPLES // math.prod(plane))
    for first in range(0, grid.shape[2], together):
        slices = np.ascontiguousarray(hu[:, :, first : first + together].transpose(2, 0, 1))
        seen = filtered(slices, mtf)
        if told.beam_hardening:
            dense = filtered(np.maximum(slices - 250, 0), shade)
            seen -= told.machine.beam_hardening_hu * dense / 80.0 * (slices < 250)
        seen += strength * filtered(rng.standard_normal(slices.shape, np.float32), shape) + told.machine.offset_hu
        np.clip(np.rint(seen, out=seen), LOWEST_HU, HIGHEST_HU, out=seen)
        out[:, :, first : first + together] = seen.transpose(1, 2, 0)
    return out


def _falling_off(grid: Grid, middle_mm: tuple[float, float]) -> Floats:
    """Noise over that in the trunk's middle, which the fewest quanta reach."""
    x, y = (grid.origin_mm[a] + grid.step_mm[a] * np.arange(grid.shape[a]) - middle_mm[a] for a in (0, 1))
    return (0.62 + 0.38 * np.exp(-(x[:, None] ** 2 + y[None, :] ** 2) / 130.0**2)).astype(np.float32)


def upright(grid: Grid, tilt_deg: float) -> Grid:
    """The grid, in the patient's axes, from which slices of a tilted gantry are cut: thin, with room above and below.

    >>> upright(Grid((2, 3, 2), (1.0, 1.0, 3.0), (0.0, 0.0, 0.0)), 30.0).step_mm
    (1.0, 0.8660254037844387, 1.0)
    """
    dx, dy, dz = grid.step_mm
    tilt = math.radians(tilt_deg)
    n = max(1, math.ceil(dz / 1.0))
    thin, reach = dz / n, dy * math.sin(tilt) * (grid.shape[1] - 1)
    low, high = min(0.0, reach) - dz, max(0.0, reach) + dz * grid.shape[2]
    shape = (grid.shape[0], grid.shape[1], math.ceil((high - low) / thin) + 1)
    return Grid(shape, (dx, dy * math.cos(tilt), thin), (*grid.origin_mm[:2], grid.origin_mm[2] + low))


def tilted(
    hu: Floats, labels: npt.NDArray[np.uint16], source: Grid, grid: Grid, tilt_deg: float
) -> tuple[Floats, npt.NDArray[np.uint16]]:
    """Slices that lean: each row of the slice lies higher than the one behind it; the mean over their thickness."""
    rise = grid.step_mm[1] * math.sin(math.radians(tilt_deg))
    thin, dz = source.step_mm[2], grid.step_mm[2]
    n = max(1, round(dz / thin))
    out, map_ = np.zeros(grid.shape, np.float32), np.zeros(grid.shape, np.uint16)
    middle = grid.origin_mm[2] + dz * np.arange(grid.shape[2]) - source.origin_mm[2]
    for j in range(grid.shape[1]):
        at = (middle + j * rise) / thin
        map_[:, j] = labels[:, j, np.rint(at).astype(int)]
        for part in range(n):
            place = at + part - (n - 1) / 2
            low = np.floor(place).astype(int)
            share = (place - low).astype(np.float32)
            out[:, j] += (hu[:, j, low] * (1 - share) + hu[:, j, low + 1] * share) / n
    return out, map_
