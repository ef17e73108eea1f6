"""How detectors, exposures and films differ between scans; nothing here knows anyone's age."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from spineclock.core.errors import UsageError
from spineclock.phantom.anatomy.template import images
from spineclock.phantom.parameters import between, section
from spineclock.phantom.radiograph.tissue import Bone

Modality = Literal["radiograph", "vfa"]
MODALITIES: tuple[Modality, ...] = ("radiograph", "vfa")
MODELS = {"Siemens": "Ysio Max", "Philips": "DigitalDiagnost C90", "GE": "Discovery XR656", "Canon": "CXDI-710C"}
DENSITOMETERS = {"Hologic": "Horizon A", "GE Healthcare": "Lunar iDXA"}
VFA_PIXEL_MM, FILM_PIXEL_MM = (0.5, 1.0), (0.5, 0.7)
"""Between what the pixels of a film lie that is asked for without a pixel size or grid."""


@dataclass(frozen=True)
class Request:
    """What is to be taken.

    Parameters
    ----------
    modality : {"radiograph", "vfa"}
        A lateral radiograph of the thoracolumbar or the lumbar spine, or a densitometer's lateral view of T4 to L4.
    grid_shape : tuple of int, optional
        Rows and columns into which the film is fitted with its proportions kept, zeros beside it.
    pixel_mm : float, optional
        Pixels of the film at the detector; radiographs have 0.14 to 0.2 mm. Where not given, 0.5 to 0.7 mm for a
        radiograph and 0.5 to 1 mm for a densitometer.
    world : str
        A world of images (``images.toml``).

    Raises
    ------
    UsageError
        If a value is none of these.
    """

    modality: Modality = "radiograph"
    grid_shape: tuple[int, int] | None = None
    pixel_mm: float | None = None
    world: str = "default"

    def __post_init__(self) -> None:
        if self.modality not in MODALITIES:
            raise UsageError(f"the modality {self.modality!r}", wanted=f"one of {', '.join(MODALITIES)}")
        if self.grid_shape is not None and (len(self.grid_shape) != 2 or min(self.grid_shape) < 16):
            raise UsageError(f"a grid of {self.grid_shape}", wanted="two whole numbers from 16 on, such as 256x128")
        if self.pixel_mm is not None and not 0.1 <= self.pixel_mm <= 5:
            raise UsageError(f"pixels of {self.pixel_mm} mm", wanted="0.1 to 5 mm")
        if self.pixel_mm is not None and self.grid_shape is not None:
            raise UsageError("both a grid and a pixel size", wanted="one of the two")
        images(self.world)


@dataclass(frozen=True)
class Ranges:
    """Section ``[radiograph]`` or ``[vfa]`` of ``images.toml``: between what detectors differ, and how often."""

    focus_mm: tuple[float, ...]
    """Distances from the focus to the detector."""
    contrast: tuple[float, ...]
    """Factor on the attenuation of bone: higher at a lower tube voltage."""
    scatter: tuple[float, ...]
    """Share of scattered radiation behind the trunk, after the grid."""
    quanta_mm2: tuple[float, ...]
    """Quanta that are counted a mm² of the detector behind the spine."""
    blur_mm: tuple[float, ...]
    """Standard deviation of the detector's and the focus' blur."""
    equalise: tuple[float, ...]
    """How much of the broad differences of brightness the maker's processing takes out."""
    sharpen: tuple[float, ...]
    slope: tuple[float, ...]
    """Of the look-up curve."""
    collimated_share: float
    marker_share: float
    thoracolumbar_share: float
    landscape_share: float
    right_share: float
    """Films taken with the right side at the detector."""


@dataclass(frozen=True)
class Detector:
    """One machine with its settings, the same for everyone."""

    maker: str
    model: str
    focus_mm: float
    contrast: float
    scatter: float
    quanta_mm2: float
    blur_mm: float
    equalise: float
    sharpen: float
    slope: float
    mask: bool
    """Whether what is collimated is blackened; it is left white otherwise."""
    inverted: bool
    """Whether its files hold MONOCHROME1."""
    bits: int


@cache
def ranges(world: str, modality: Modality) -> Ranges:
    """Between what a world's detectors differ."""
    return section(Ranges, images(world)[modality], where=modality)


@cache
def bone(world: str) -> Bone:
    """How a world's bone loses mineral."""
    return section(Bone, images(world)["bone_density"], where="bone_density")


@cache
def detector_of(name: str, maker: str, world: str, modality: Modality) -> Detector:
    """The machine that stands where the scanner of that name does.

    >>> detector_of("site-01-philips-1", "Philips", "default", "radiograph").model
    'DigitalDiagnost C90'
    """
    told = ranges(world, modality)
    rng = np.random.default_rng([zlib.crc32(name.encode()), MODALITIES.index(modality)])
    if modality == "vfa":
        maker = str(rng.choice(sorted(DENSITOMETERS)))
        model = DENSITOMETERS[maker]
    else:
        model = MODELS.get(maker, "simulated")
    return Detector(
        maker=maker,
        model=model,
        focus_mm=float(rng.choice(told.focus_mm)),
        contrast=between(rng, told.contrast),
        scatter=between(rng, told.scatter),
        quanta_mm2=float(np.exp(rng.uniform(*np.log(told.quanta_mm2)))),
        blur_mm=between(rng, told.blur_mm),
        equalise=between(rng, told.equalise),
        sharpen=between(rng, told.sharpen),
        slope=between(rng, told.slope),
        mask=bool(rng.random() < 0.65),
        inverted=bool(rng.random() < 0.3) and modality == "radiograph",
        bits=int(rng.choice([10, 12, 12, 14])),
    )
