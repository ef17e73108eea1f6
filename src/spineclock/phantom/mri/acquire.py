"""From painted signal to stored samples: coil, saturation band, motion, metal, noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from spineclock.phantom.anatomy.forms import Anatomy
from spineclock.phantom.mri.ground import Floats
from spineclock.phantom.mri.paint import Grid
from spineclock.phantom.mri.style import Ranges, Scanner


@dataclass(frozen=True)
class Artefacts:
    """What goes wrong in one scan."""

    motion: float = 0.0
    """Strength of ghosts along the phase direction, over the picture's own."""
    ghost_mm: float = 40.0
    flow: float = 0.0
    metal_mm: float | None = None
    """Height of the middle of a fixation, where there is one."""

    @property
    def words(self) -> list[str]:
        """Their names, for the record of the scan."""
        told = {"motion": self.motion > 0, "flow": self.flow > 0, "metal": self.metal_mm is not None}
        return [name for name, there in told.items() if there]


def drawn_artefacts(spine: Anatomy, told: Ranges, rng: np.random.Generator) -> Artefacts:
    """Artefacts of a scan, at the rates of the world."""
    motion, flow, metal = rng.random(3) < (told.motion_rate, told.flow_rate, told.metal_rate)
    strength, ghost, streaks, where = rng.random(4)
    lumbar = [k for k, name in enumerate(spine.names) if name[0] == "L"]
    at = float(spine.bodies[lumbar[int(where * (len(lumbar) - 1))]]["centre"][2])
    return Artefacts(
        motion=float(motion) * (0.06 + 0.22 * strength**2),
        ghost_mm=25 + 60 * ghost,
        flow=float(flow) * (0.25 + 0.5 * streaks),
        metal_mm=at if metal else None,
    )


def stored(
    signal: Floats, spine: Anatomy, grid: Grid, machine: Scanner, artefacts: Artefacts, *, gain: float,
    sample_mm3: float, rng: np.random.Generator,
) -> npt.NDArray[np.int16]:  # fmt: skip
    """Samples as a scanner stores them, int16.

    Noise is Rician; its SD goes with one over the square root of the sample's volume, held between half and 1.6 times
    the machine's own.
    """
    y, z = _axis(grid, 1), _axis(grid, 2)
    at = spine.course_from_mm + np.arange(len(spine.course))
    skin, front = np.interp(z, at, spine.course["skin"]), np.interp(z, at, spine.course["front"])
    middle = float(z.mean())
    ends = 1 - 0.22 * np.clip(np.abs(z - middle) / max(1.0, np.ptp(z) / 2), 0, 1) ** 3
    waves = 1 + 0.05 * np.sin(z / rng.uniform(45, 70) + rng.uniform(0, 6.3))
    band = (0.0, 0.0)
    if machine.band:
        band = (0.80 + 0.15 * rng.random(), 9 + 8 * rng.random())
    low_band = float(rng.uniform(-75, -30))  # below the promontory the band leaves the pelvis bright
    if artefacts.motion > 0:
        signal = _ghosted(signal, artefacts, grid)
    if artefacts.metal_mm is not None:
        signal = _with_metal(signal, spine, grid, artefacts.metal_mm)
    noise = machine.noise * float(np.clip(math.sqrt(4.0 / sample_mm3), 0.5, 1.6))
    out = np.empty(signal.shape, np.int16)
    chance = rng.standard_normal((2, *signal.shape), dtype=np.float32)
    along = np.asarray(ends * waves, np.float64)
    _store(signal, y, z, skin, front, along, machine.coil, band[0], band[1], low_band, noise,
           machine.full_scale * gain, chance, out)  # fmt: skip
    return out


def _axis(grid: Grid, axis: int) -> npt.NDArray[np.float64]:
    return grid.origin_mm[axis] + grid.step_mm[axis] * np.arange(grid.shape[axis], dtype=np.float64)


@njit(cache=True)
def _store(
    signal: Floats, y: npt.NDArray[np.float64], z: npt.NDArray[np.float64], skin: npt.NDArray[np.float64],
    front: npt.NDArray[np.float64], along: npt.NDArray[np.float64], coil: float, band: float, band_mm: float,
    low_band: float, noise: float, full_scale: float, chance: Floats, out: npt.NDArray[np.int16],
) -> None:  # fmt: skip
    shape = signal.shape
    field = np.empty((shape[1], shape[2]), np.float32)
    for j in range(shape[1]):
        for k in range(shape[2]):
            f = along[k] * (0.72 + coil * math.exp(-max(0.0, y[j] - skin[k]) / 42.0)) / (0.72 + 0.35 * coil)
            if band > 0.0:
                start = band_mm + 40.0 / (1.0 + math.exp((z[k] - low_band) / 9.0))
                f *= 1.0 - band / (1.0 + math.exp(-(y[j] - front[k] - start - 9.0) / 4.5))
            field[j, k] = f
    for i in range(shape[0]):
        for j in range(shape[1]):
            for k in range(shape[2]):
                real = signal[i, j, k] * field[j, k] + noise * chance[0, i, j, k]
                imaginary = noise * chance[1, i, j, k]
                value = full_scale * math.sqrt(real * real + imaginary * imaginary)
                out[i, j, k] = min(32767, math.floor(value + 0.5))


def _ghosted(signal: Floats, artefacts: Artefacts, grid: Grid) -> Floats:
    """Ghosts of a periodic motion: the picture again, displaced up and down by fractions of the field of view."""
    shift = max(1, round(artefacts.ghost_mm / grid.step_mm[2]))
    out = signal * np.float32(1 - artefacts.motion)
    for way, part in ((shift, 0.5), (-shift, 0.5), (2 * shift, 0.2)):
        out += np.float32(part * artefacts.motion) * np.roll(signal, way, axis=2)
    return np.asarray(out, np.float32)


def _with_metal(signal: Floats, spine: Anatomy, grid: Grid, middle_mm: float) -> Floats:
    """The signal without what metal in two neighbouring lumbar vertebrae voids, a bright rim about each screw."""
    lumbar = [k for k, name in enumerate(spine.names) if name[0] == "L"]
    near = sorted(lumbar, key=lambda k: abs(float(spine.bodies[k]["centre"][2]) - middle_mm))[:2]
    x, y, z = (_axis(grid, axis).astype(np.float32) for axis in range(3))
    for k in near:
        b = spine.bodies[k]
        for side in (-1, 1):
            at = b["centre"] + b["axes"][0] * side * 14 - b["axes"][1] * float(b["depth_upper"]) * 0.9
            far = np.sqrt(
                ((x - at[0]) / 11)[:, None, None] ** 2
                + ((y - at[1]) / 26)[None, :, None] ** 2
                + ((z - at[2]) / 10)[None, None, :] ** 2
            )
            rim = 1 + 0.9 * np.exp(-(((far - 1.08) / 0.07) ** 2))
            signal = signal * np.where(far < 1, np.clip(far**6, 0, 1), rim)
    return np.asarray(signal, np.float32)
