"""What a recipe says of itself as plain data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from spineclock.core.geometry import Plane
from spineclock.core.outcomes import Outcome
from spineclock.core.records import ModelInfo, Quality, Reading, Scan
from spineclock.core.volume import Mask, Volume

if TYPE_CHECKING:
    import pandas as pd

    from spineclock.prep.kinds import AnyPreparation
    from spineclock.prep.prepared import Variants

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
    pictures : bool
        Whether PNG, JPEG and TIFF pictures of one sagittal slice are read too, head up, front at the left.
    each_sequence : bool
        Whether of a study the best series of every weighting is read, and not the best one of all.

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
    pictures: bool = False
    each_sequence: bool = False

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
        told = ", ".join(part for part in parts if part)
        return f"{told}; or a PNG, JPEG or TIFF of a mid-sagittal slice" if self.pictures else told


LATERAL_FILM = Accepts(
    frozenset({"CR", "DX", "DR", "RG", "BMD", "OT", "SC"}), "sagittal", (), max_slice_spacing_mm=math.inf, min_slices=1,
    max_bytes=4 * 10**8, prefer_words=("lumbar", "lspine", "l spine", "lws", "thoracic", "tspine", "t spine", "bws"),
    projection=True,
)  # fmt: skip
"""Lateral radiographs and densitometers' lateral films of the spine, of at most 100 million pixels."""


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


class Outlined(Protocol):
    """A label map in the spineclock numbering, and what to know of it."""

    @property
    def labels(self) -> Mask:
        """On the scan's grid."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Where it is from, and what may mislead."""
        ...


@dataclass(frozen=True)
class Options:
    """How a recipe's models are to run: engine, threads, device, and the coverage of intervals.

    ``program`` outlines a CT that comes without a label map, where such a program is installed.
    """

    engine: Engine = "auto"
    threads: int | None = None
    device: str = "cpu"
    coverage: float = 0.9
    program: Callable[[Volume], Outlined] | None = None


@dataclass(frozen=True)
class Words:
    """How a report speaks of a recipe's scans.

    Parameters
    ----------
    series : str
        What a scan should be, with its article.
    picture : str
        What the picture of a scan shows, for those who cannot see it.
    caption : str
        What stands below it.
    answer : str
        What a scan is answered with, in one word.
    title : str
        Of the page.
    """

    series: str = "a scan that the recipe reads"
    picture: str = "The scan as it was read"
    caption: str = ""
    answer: str = "age"
    title: str = "Spine age report"

    @property
    def advice(self) -> str:
        """What to do where a scan was refused."""
        return (
            f"No {self.answer} was computed for this scan. Check that the file is {self.series}, complete and not a "
            "screenshot; export that series again if it is not, and run the program on it. If the scan is right and is "
            "still refused, look at the picture of what was found, where there is one."
        )


@dataclass(frozen=True)
class Learning:
    """How a recipe's network learns: what becomes of a scan, and which settings' defaults are the recipe's own.

    Parameters
    ----------
    outline : function, optional
        (scan, segmentation network) → the scan with its label map, and with notes of what makes the outlines doubtful,
        or refused; None where scans need none. A label map made elsewhere takes its place.
    quality : function
        Scan → what its header and picture say against it before anything else is done; a refused one is not prepared.
    preparation : function
        Settings of ``spineclock prepare`` → how scans are prepared.
    variants : function
        (scan, how) → the network's input of every part.
    prepare, train : mapping of setting to value
        Defaults of ``spineclock prepare`` and ``train`` that differ from those in docs/configuration.md.
    labels : function, optional
        (cohort's table, settings of ``spineclock train``) → the table with the diagnosis' column, and sentences on how
        it came about; None where the table tells it as it is.
    segmenter : function, optional
        (engine, threads) → the packaged network that ``outline`` outlines with; with ``outline``.
    segmenter_weights : str
        The file in ``spineclock/weights`` that holds it.
    program : str
        What outlines scans that come without a label map, where it is installed; else the packaged network.
    """

    outline: Callable[[Scan, Any], Scan] | None
    quality: Callable[[Scan], Quality]
    preparation: Callable[[Any], AnyPreparation]
    variants: Callable[[Scan, AnyPreparation], Variants]
    prepare: Mapping[str, Any]
    train: Mapping[str, Any]
    labels: Callable[[pd.DataFrame, Any], tuple[pd.DataFrame, tuple[str, ...]]] | None = None
    segmenter: Callable[[Engine, int | None], Any] | None = None
    segmenter_weights: str = ""
    program: str = ""

    @property
    def outlined(self) -> bool:
        """Whether a scan needs its label map, made elsewhere or by the packaged network, before it can be prepared."""
        return self.outline is not None


@dataclass(frozen=True)
class Recipe:
    """One question asked of one kind of scan, as plain data.

    Parameters
    ----------
    name, title : str
        For the command line, and for people.
    accepts : Accepts
        Which series it can read.
    outcome : Age, Diagnosis or TimeToEvent
        What it answers; networks, statistics and reports go by it, never by the recipe's name.
    load : function
        (name of packaged weights or a run's folder, options) → :class:`Reader`.
    learning : Learning
        How its network is trained.
    words : Words
        How a report speaks of its scans.
    packaged : str
        The folder in ``spineclock/weights`` that the model ``default`` of a diagnosis stands for, where there is one.
    narrowed : function, optional
        (accepts, model) → those of the series it accepts that this model can read; None where each reads all.
    """

    name: str
    title: str
    accepts: Accepts
    outcome: Outcome
    load: Callable[[str, Options], Reader]
    learning: Learning
    words: Words
    packaged: str = ""
    narrowed: Callable[[Accepts, str], Accepts] | None = None

    def accepts_with(self, model: str) -> Accepts:
        """Which series it can read by a model."""
        return self.accepts if self.narrowed is None else self.narrowed(self.accepts, model)
