"""How scanners, protocols and chance differ between scans; nothing here knows anyone's age."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from spineclock.core.errors import UsageError
from spineclock.phantom.anatomy.template import images
from spineclock.phantom.mri.tissue import SpinEcho
from spineclock.phantom.parameters import between, section
from spineclock.phantom.series import Station, Weighting

FIELD_MM = (128.0, 256.0, 640.0)
"""Right–left, front–back and height of a whole-spine field of view."""
Coverage = Literal["whole", "stations", "lumbar"]
Slices = Literal["thick", "space"]
STATIONS: tuple[Station, ...] = ("cervical", "thoracic", "lumbar")
MODELS = {
    ("Siemens", 1.5): "MAGNETOM Aera", ("Siemens", 3.0): "MAGNETOM Skyra", ("Philips", 1.5): "Achieva",
    ("Philips", 3.0): "Ingenia", ("GE", 1.5): "SIGNA Explorer", ("GE", 3.0): "SIGNA Architect",
    ("Canon", 1.5): "Vantage Orian", ("Canon", 3.0): "Vantage Galan",
}  # fmt: skip


@dataclass(frozen=True)
class Ranges:
    """Section ``[scanner]`` of ``images.toml``: between what scanners differ, and how often artefacts are."""

    field_tesla: tuple[float, ...]
    field_shares: tuple[float, ...]
    noise: tuple[float, ...]
    blur: tuple[float, ...]
    coil: tuple[float, ...]
    band_share: float
    motion_rate: float
    flow_rate: float
    metal_rate: float


@dataclass(frozen=True)
class Scanner:
    """One machine with its settings, the same for everyone it scans."""

    field_tesla: float
    noise: float
    """SD of either channel over the signal of CSF (T1w: of fat), for 4 mm slices of 1 mm pixels."""
    blur: float
    coil: float
    band: bool
    """Whether the belly is saturated."""
    shift_mm: float
    """Chemical shift of fat."""
    timing: float
    """Factor on the protocol's times."""
    full_scale: float
    """Stored value of CSF (T1w: of fat)."""


@dataclass(frozen=True)
class Request:
    """What is to be scanned.

    Parameters
    ----------
    coverage : {"whole", "stations", "lumbar"}
        The whole spine at once, in three overlapping stations, or from about T11 to the sacrum.
    weightings : tuple of {"T2w", "T1w"}
    slices : {"thick", "space"}
        Turbo spin echoes of 3 to 5 mm, or SPACE-like slices of 1 mm.
    grid_shape : tuple of int, optional
        Slices, rows and columns of a grid that 128 × 640 × 256 mm of the whole spine, or 32 × 288 × 240 mm of the
        lumbar spine, are drawn on directly; of the latter as many slices as the slab is thick.
    slab_mm : float
        How thick, from left to right, the slab of a training grid is: 128 mm (32 mm of the lumbar spine), or less to
        spend a network's voxels on the vertebral bodies.
    world : str
        A world of images (``images.toml``).

    Raises
    ------
    UsageError
        If a value is none of these.
    """

    coverage: Coverage = "whole"
    weightings: tuple[Weighting, ...] = ("T2w",)
    slices: Slices = "thick"
    grid_shape: tuple[int, int, int] | None = None
    slab_mm: float = FIELD_MM[0]
    world: str = "default"

    def __post_init__(self) -> None:
        for name, value, known in (
            ("coverage", self.coverage, ("whole", "stations", "lumbar")),
            ("slices", self.slices, ("thick", "space")),
            *(("weighting", w, ("T2w", "T1w")) for w in self.weightings),
        ):
            if value not in known:
                raise UsageError(f"the {name} {value!r}", wanted=f"one of {', '.join(known)}")
        if self.grid_shape is not None and (len(self.grid_shape) != 3 or min(self.grid_shape) < 1):
            raise UsageError(f"a grid of {self.grid_shape}", wanted="three whole numbers, such as 16x128x64")
        if not 8 <= self.slab_mm <= FIELD_MM[0]:
            raise UsageError(f"a slab of {self.slab_mm:g} mm", wanted=f"8 to {FIELD_MM[0]:g} mm")
        if self.grid_shape is not None and self.coverage == "stations":
            raise UsageError(f"a grid for the coverage {self.coverage}", wanted="the coverage whole or lumbar")
        images(self.world)


@cache
def ranges(world: str) -> Ranges:
    """Between what a world's scanners differ."""
    return section(Ranges, images(world)["scanner"], where="scanner")


@cache
def scanner_of(name: str, world: str) -> Scanner:
    """The machine of that name.

    >>> scanner_of("site-01-philips-1", "default") == scanner_of("site-01-philips-1", "default")
    True
    """
    told = ranges(world)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    field = told.field_tesla[int(rng.choice(len(told.field_tesla), p=told.field_shares))]
    return Scanner(
        field_tesla=field,
        noise=between(rng, told.noise) * (0.75 if field > 2 else 1.0),
        blur=between(rng, told.blur),
        coil=between(rng, told.coil),
        band=bool(rng.random() < told.band_share),
        shift_mm=float(rng.uniform(0.0, 0.35)) * float(rng.choice([-1, 1])),
        timing=float(math.exp(0.10 * rng.standard_normal())),
        full_scale=float(rng.choice([320, 600, 1100])) * float(rng.uniform(0.8, 1.2)),
    )


def echo_of(weighting: Weighting, slices: Slices, machine: Scanner) -> SpinEcho:
    """The sequence as a machine runs it."""
    if weighting == "T1w":
        return SpinEcho(570 * machine.timing, 10, machine.field_tesla)
    if slices == "space":
        return SpinEcho(1500 * machine.timing, 150 * machine.timing**0.5, machine.field_tesla, restored=True)
    return SpinEcho(3500 * machine.timing, 100 * machine.timing, machine.field_tesla, restored=True)
