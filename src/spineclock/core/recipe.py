"""What a recipe says of itself as plain data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from spineclock.core.geometry import Plane
from spineclock.core.records import ModelInfo, Reading, Scan

Engine = Literal["auto", "openvino", "torch"]

LARGEST_BYTES = 16 * 10**9
"""Bytes a scan may need in memory unless a recipe says otherwise: 16 GB."""


@dataclass(frozen=True)
class Accepts:
    """Which series a recipe can read; what a header does not tell is accepted with a note.

    Parameters
    ----------
    modalities : frozenset of str
        DICOM modality codes, such as ``MR``.
    plane : Plane
        The plane of the slices; ``"unknown"`` means any.
    sequences : tuple of str
        Weightings, the preferred first, as in :attr:`spineclock.core.records.Scan.sequence`; empty means any.
    max_slice_spacing_mm : float
        Largest distance between the centres of neighbouring slices.
    min_slices : int
        Fewest slices.
    max_bytes : int
        What a scan may need in memory; a header that asks for more is refused before anything is allocated.
    prefer_words : tuple of str
        Words in the description or body part that decide between series that fit equally well, such as ``lumbar``.
    projection : bool
        Whether lateral films are read, one picture each (radiographs, densitometers' VFA), and not series of slices.
        PNG, JPEG and TIFF pictures and secondary captures are then looked at too; ``plane``, ``sequences``,
        ``max_slice_spacing_mm`` and ``min_slices`` do not count. :data:`LATERAL_FILM` is such a value.

    Examples
    --------
    >>> Accepts(frozenset({"MR"}), "sagittal", ("T2w",), max_slice_spacing_mm=6, min_slices=5).wanted
    'MR, sagittal, T2w, slices up to 6 mm apart, at least 5 of them'
    """

    modalities: frozenset[str]
    plane: Plane
    sequences: tuple[str, ...]
    max_slice_spacing_mm: float
    min_slices: int
    max_bytes: int = LARGEST_BYTES
    prefer_words: tuple[str, ...] = ()
    projection: bool = False

    @property
    def wanted(self) -> str:
        """What is accepted, in words, for messages."""
        if self.projection:
            return f"a lateral film of the spine ({', '.join(sorted(self.modalities))}; PNG, JPEG or TIFF)"
        parts = [
            " or ".join(sorted(self.modalities)),
            "" if self.plane == "unknown" else self.plane,
            " or ".join(self.sequences),
            f"slices up to {self.max_slice_spacing_mm:g} mm apart",
            f"at least {self.min_slices} of them",
        ]
        return ", ".join(part for part in parts if part)


LATERAL_FILM = Accepts(
    frozenset({"CR", "DX", "DR", "RG", "BMD", "OT", "SC"}), "sagittal", (), max_slice_spacing_mm=math.inf, min_slices=1,
    max_bytes=4 * 10**8, prefer_words=("lumbar", "lspine", "l spine", "lws", "thoracic", "tspine", "t spine", "bws"),
    projection=True,
)  # fmt: skip
"""Lateral radiographs and densitometers' lateral films of the spine, of at most 100 million pixels."""


@dataclass(frozen=True)
class Age:
    """The outcome is an age in years."""


class Reader(Protocol):
    """A recipe with its weights in memory, ready for one scan after another."""

    @property
    def model(self) -> ModelInfo:
        """Which weights answer."""
        ...

    @property
    def ages_years(self) -> tuple[float, float]:
        """Youngest and oldest age it learned from."""
        ...

    def read(self, scan: Scan, *, lowest_vertebra: str | None = None) -> Reading:
        """What the recipe makes of one scan; what cannot be read comes back refused, with reasons."""
        ...


@dataclass(frozen=True)
class Options:
    """How a recipe's models are to run: engine, threads, device, and the coverage of intervals."""

    engine: Engine = "auto"
    threads: int | None = None
    device: str = "cpu"
    coverage: float = 0.9


@dataclass(frozen=True)
class Recipe:
    """One question asked of one kind of scan, as plain data.

    Parameters
    ----------
    name, title : str
        For the command line, and for people.
    accepts : Accepts
        Which series it can read.
    outcome : Age
        What it answers.
    load : function
        (name of packaged weights or a run's folder, options) → :class:`Reader`.
    """

    name: str
    title: str
    accepts: Accepts
    outcome: Age
    load: Callable[[str, Options], Reader]
