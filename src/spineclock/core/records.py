"""What the layers hand to each other about one scan: facts, verdicts, results."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from spineclock.core.outcomes import DiagnosisPrediction, EventPrediction
from spineclock.core.volume import Array, Mask, Volume

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["ok", "check", "refused"]
Film = Literal["radiograph", "vfa", ""]
"""A radiograph, a densitometer's lateral film (vertebral fracture assessment), or neither known."""
ContrastPhase = Literal["native", "arterial", "venous", "delayed", "contrast", ""]
"""Of contrast medium in a CT; "contrast": given, when is not known."""
KernelKind = Literal["soft", "sharp", ""]


@dataclass(frozen=True)
class CtFacts:
    """How a CT's values came about, as far as its header tells: kernel as written and its kind, phase, tube voltage."""

    kernel: str = ""
    kernel_kind: KernelKind = ""
    phase: ContrastPhase = ""
    kvp: float | None = None


@dataclass(frozen=True, eq=False)
class Scan:
    """One series as read at the door: the image, canonical (RAS+), and what its header tells.

    Unknown facts are None or an empty string. ``scan_id`` is unique within a run and safe as a folder name.
    ``sequence`` is the weighting where the header tells it ("T1w", "T2w", "STIR", …).
    """

    scan_id: str
    volume: Volume
    source: Path
    modality: str = ""
    sequence: str = ""
    description: str = ""
    echo_time_ms: float | None = None
    repetition_time_ms: float | None = None
    scanner: str = ""
    person_id: str = ""
    age_years: float | None = None
    sex: Literal["F", "M", ""] = ""
    mask: Mask | None = None
    notes: tuple[str, ...] = ()
    """What a reader should know, such as headers that contradict each other or burned-in text."""
    film: Film = ""
    """Which kind a projection film is; empty for other scans, and for films not told, which count as radiographs."""
    ct: CtFacts | None = None

    def with_mask(self, mask: Mask) -> Self:
        """The same scan with a label map on its grid."""
        return replace(self, mask=mask)

    def noted(self, notes: Iterable[str]) -> Self:
        """The same scan with more that is to be known of it."""
        return replace(self, notes=(*self.notes, *notes))


FILM_KINDS = ("radiograph", "vfa")


def film_kind(film: str) -> str:
    """The kind of film a network's answer is corrected by: one of no told kind counts as a radiograph.

    >>> film_kind(""), film_kind("vfa")
    ('radiograph', 'vfa')
    """
    return film or "radiograph"


@dataclass(frozen=True)
class Failure:
    """An input that gave no result: which, at what stage, and why."""

    input: str
    stage: Literal["ingest", "select", "segment", "measure", "predict", "report"]
    reason: str


@dataclass(frozen=True)
class Quality:
    """Whether a scan could be read, and what may mislead.

    ``ok``: nothing found against it. ``check``: an answer is given, but look at the reasons.
    ``refused``: no answer is given, for the reasons stated.
    """

    verdict: Verdict = "ok"
    reasons: tuple[str, ...] = ()

    def with_reason(self, verdict: Verdict, reason: str) -> Quality:
        """This quality, no better than ``verdict``, with one more reason; that of a refusal comes first.

        >>> Quality().with_reason("check", "cropped").with_reason("ok", "note").verdict
        'check'
        """
        order: tuple[Verdict, ...] = ("ok", "check", "refused")
        worse = max(self.verdict, verdict, key=order.index)
        return Quality(worse, (reason, *self.reasons) if verdict == "refused" else (*self.reasons, reason))

    def with_age(self, whose: str, years: float | None, trained: tuple[float, float]) -> Quality:
        """This quality, ``check`` where an age that is known lies outside those the model was trained on.

        >>> Quality().with_age("the person's age", 92, (20, 85)).reasons
        ("the person's age, 92, lies outside the training ages, 20 to 85",)
        """
        low, high = trained
        if years is None or low <= years <= high:
            return self
        return self.with_reason(
            "check", f"{whose}, {round(years, 1):g}, lies outside the training ages, {low:g} to {high:g}"
        )


@dataclass(frozen=True)
class Interval:
    """A range in years that covers the chronological age of typical people with the stated probability."""

    low_years: float
    high_years: float
    coverage: float


@dataclass(frozen=True)
class Contribution:
    """What one measurement adds to a predicted age, against the training people's mean."""

    name: str
    value: float
    years: float


@dataclass(frozen=True)
class AgePrediction:
    """A spine age with all that is needed to judge it; ages in years.

    ``predicted_age_years`` is the one the model card stands for; ``components`` the ages it is made of
    ("measurements", "network"). ``gap_years`` = corrected − chronological age, where that is known.
    """

    predicted_age_years: float
    corrected_age_years: float
    interval: Interval
    gap_years: float | None
    components: dict[str, float]
    contributions: tuple[Contribution, ...] = ()
    note: str = ""
    predicted_sd_years: float | None = None
    """Of the distribution over whole years that the network answered with, where it did."""


@dataclass(frozen=True)
class ModelInfo:
    """Which weights answered: name, a sha256 per file, and what must be said beside each result."""

    name: str
    weights_sha256: dict[str, str] = field(default_factory=dict)
    statement: str = ""


@dataclass(frozen=True, eq=False)
class SeenCrop:
    """A vertebra as a network saw it: grey values and its body, shape (n, H, W), and where was looked, shape (H, W).

    ``stack`` names which of several pictures of one vertebra it is.
    """

    level: str
    array: Array
    mask: Array
    heat: Array
    stack: str = ""


@dataclass(frozen=True, eq=False)
class Reading:
    """What a recipe makes of one scan.

    ``scan.mask`` is the label map in the spineclock numbering, where one was found. ``measurements`` has one row a
    measurement (``spineclock.measure``). ``found`` says in plain data what was outlined (levels, confidence, notes).
    ``heat`` is the network's attention on the scan's grid, ``crops`` what it saw where that were vertebrae each by
    itself. ``prediction`` is an age, ``diagnosis`` a disease's probability, ``event`` what is there and will come, by
    what the recipe answers; a refused scan has none but what could be measured of it.
    """

    scan: Scan
    quality: Quality
    model: ModelInfo
    prediction: AgePrediction | None = None
    measurements: pd.DataFrame | None = None
    found: dict[str, Any] = field(default_factory=dict)
    heat: Volume | None = None
    diagnosis: DiagnosisPrediction | None = None
    crops: tuple[SeenCrop, ...] = ()
    event: EventPrediction | None = None

    @property
    def predicted_age_years(self) -> float | None:
        """The predicted age, or None where the scan was refused."""
        return self.prediction.predicted_age_years if self.prediction else None
