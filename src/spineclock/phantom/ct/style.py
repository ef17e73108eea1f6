"""How CT scanners, their kernels and protocols differ between scans; nothing here knows anyone's age."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from spineclock.core.errors import UsageError
from spineclock.phantom.anatomy.template import images
from spineclock.phantom.parameters import between, section
from spineclock.phantom.radiograph.tissue import Bone

Kernel = Literal["soft", "bone"]
Phase = Literal["native", "portal_venous"]
Coverage = Literal["abdomen", "thoracolumbar"]
KERNELS: tuple[Kernel, ...] = ("soft", "bone")
PHASES: tuple[Phase, ...] = ("native", "portal_venous")
UPPERMOST: dict[Coverage, str] = {"abdomen": "T10", "thoracolumbar": "T4"}
"""The highest vertebra that each coverage shows whole; the lowest is S1."""
MODELS = {"Siemens": "SOMATOM Definition AS", "Philips": "Brilliance iCT", "GE": "Revolution EVO",
          "Canon": "Aquilion ONE"}  # fmt: skip
KERNEL_NAMES = {
    "Siemens": ("Br38f", "Br64f"), "Philips": ("B", "YB"), "GE": ("STANDARD", "BONEPLUS"), "Canon": ("FC08", "FC30"),
}  # fmt: skip
"""What makers call a soft and a bone kernel."""
GRID_WIDE_MM = 224.0
"""Width of a training grid: the spine with psoas and erector spinae (METHODS D). Its pixels are square."""


@dataclass(frozen=True)
class Request:
    """What is to be scanned.

    Parameters
    ----------
    coverage : {"abdomen", "thoracolumbar"}
        T10 to S1 with the whole trunk, or T4 to S1 in a field of view of the spine alone.
    slice_mm : float, optional
        Thickness and distance of slices; by the scanner where not given.
    pixel_mm : float, optional
        In the slice; where not given the field of view is cut into 512.
    kernel, phase : optional
        Drawn for each scan where not given.
    tilt_deg : float
        Of the gantry: slices lean by so much, their upper edge to the front, and are shifted along the table.
    grid_shape : tuple of int, optional
        Slices, rows and columns of a training grid: T10 (T4) to S1, 224 mm wide, pixels square, round the spine. With
        64 rows of 112 columns (128 mm) it cuts into one person in five, most of them muscular ones; with 84 into none.
    beam_hardening : bool
        Whether dark bands lie between dense bones.
    below_mm : float
        How much further down than S1 the scan goes, 0 to 200.
    world : str
        A world of images (``images.toml``).

    Raises
    ------
    UsageError
        If a value is none of these.
    """

    coverage: Coverage = "abdomen"
    slice_mm: float | None = None
    pixel_mm: float | None = None
    kernel: Kernel | None = None
    phase: Phase | None = None
    tilt_deg: float = 0.0
    grid_shape: tuple[int, int, int] | None = None
    beam_hardening: bool = False
    below_mm: float = 0.0
    world: str = "default"

    def __post_init__(self) -> None:
        for name, value, known in (
            ("coverage", self.coverage, tuple(UPPERMOST)),
            ("kernel", self.kernel, (None, *KERNELS)),
            ("phase", self.phase, (None, *PHASES)),
        ):
            if value not in known:
                raise UsageError(f"the {name} {value!r}", wanted=f"one of {', '.join(k for k in known if k)}")
        for what, size, low, high in (("slices", self.slice_mm, 0.5, 5.0), ("pixels", self.pixel_mm, 0.3, 4.0)):
            if size is not None and not low <= size <= high:
                raise UsageError(f"{what} of {size:g} mm", wanted=f"{low:g} to {high:g} mm")
        if not abs(self.tilt_deg) <= 30:
            raise UsageError(f"a gantry tilt of {self.tilt_deg:g}°", wanted="-30° to 30°")
        if not 0 <= self.below_mm <= 200:
            raise UsageError(f"{self.below_mm:g} mm below S1", wanted="0 to 200 mm")
        if self.grid_shape is not None:
            if len(self.grid_shape) != 3 or min(self.grid_shape) < 8:
                raise UsageError(f"a grid of {self.grid_shape}", wanted="three whole numbers from 8 on: 112x84x112")
            if self.slice_mm is not None or self.pixel_mm is not None:
                raise UsageError("both a grid and a slice or pixel size", wanted="one of the two")
        images(self.world)


@dataclass(frozen=True)
class Ranges:
    """Section ``[ct]`` of ``images.toml``: between what scanners and protocols differ, and how often."""

    kilovolts: tuple[float, ...]
    noise_hu: tuple[float, ...]
    sharpness: tuple[float, ...]
    offset_hu: tuple[float, ...]
    slice_mm: tuple[float, ...]
    bone_kernel_share: float
    venous_share: float
    beam_hardening_hu: tuple[float, ...]
    bone: Bone


@dataclass(frozen=True)
class Machine:
    """One scanner with its settings, the same for everyone it scans."""

    maker: str
    kilovolts: float
    noise_hu: float
    """SD in the middle of a trunk of 300 mm, in 3 mm slices of the soft kernel."""
    sharpness: float
    """Factor on the frequencies that its kernels pass."""
    offset_hu: float
    slice_mm: float
    beam_hardening_hu: float

    @property
    def dense(self) -> float:
        """Factor on the HU of mineral and iodine against 120 kV: higher at a lower tube voltage (ours, after XCOM)."""
        return float((120 / self.kilovolts) ** 0.6)


@cache
def ranges(world: str) -> Ranges:
    """Between what a world's scanners differ."""
    return section(Ranges, images(world)["ct"], where="ct")


@cache
def machine_of(name: str, maker: str, world: str) -> Machine:
    """The CT scanner that stands where the MRI scanner of that name does.

    >>> machine_of("site-01-philips-1", "Philips", "default") == machine_of("site-01-philips-1", "Philips", "default")
    True
    """
    told = ranges(world)
    rng = np.random.default_rng([zlib.crc32(name.encode()), zlib.crc32(b"ct")])
    return Machine(
        maker=maker,
        kilovolts=float(rng.choice(told.kilovolts)),
        noise_hu=between(rng, told.noise_hu),
        sharpness=between(rng, told.sharpness),
        offset_hu=between(rng, told.offset_hu),
        slice_mm=float(rng.choice(told.slice_mm)),
        beam_hardening_hu=between(rng, told.beam_hardening_hu),
    )


@dataclass(frozen=True)
class Response:
    """What a kernel does, by frequency in cycles a millimetre: passes contrast, and shapes and multiplies noise.

    MTF(f) = (1 + boost·(f/cut)²)·2^(−(f/cut)²), and the noise's power goes as f·MTF(f)², the ramp of filtered
    backprojection (Riederer, Pelc and Chesler, Phys Med Biol 23:446, 1978).
    """

    cut_mm: float
    boost: float
    noise: float
    """SD over that of the soft kernel."""

    def mtf(self, frequency_mm: np.ndarray) -> np.ndarray:
        """The share of contrast that is left.

        >>> soft = Response(0.38, 0.0, 1.0)
        >>> soft.mtf(np.array([0.0, 0.38])).tolist()
        [1.0, 0.5]
        """
        square = (np.asarray(frequency_mm) / self.cut_mm) ** 2
        return np.asarray((1 + self.boost * square) * np.exp2(-square))

    def power(self, frequency_mm: np.ndarray) -> np.ndarray:
        """Noise power, scaled so that it adds up to 1 over the plane of frequencies."""
        f = np.asarray(frequency_mm)
        return np.asarray(f * self.mtf(f) ** 2 / self._whole)

    @property
    def _whole(self) -> float:
        f = np.linspace(0, 8 * self.cut_mm, 4001)
        return float(np.trapezoid(2 * math.pi * f * f * self.mtf(f) ** 2, f))


def response(kernel: Kernel, machine: Machine) -> Response:
    """A kernel as a scanner has it: 50% of contrast is left at about 0.4 (soft) or 0.8 (bone) cycles a millimetre."""
    told = {"soft": Response(0.38, 0.0, 1.0), "bone": Response(0.45, 1.2, 3.2)}[kernel]
    return Response(told.cut_mm * machine.sharpness, told.boost, told.noise)
