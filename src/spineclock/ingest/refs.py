"""What is known of a series before its samples are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spineclock.core.geometry import Plane
from spineclock.core.records import CtFacts, Film
from spineclock.core.volume import Array

Sex = Literal["F", "M", ""]
Kind = Literal["nifti", "metaimage", "dicom", "picture"]
View = Literal["lateral", "frontal", "oblique", ""]
"""From which side a projection looks at the patient, empty where not known."""


@dataclass(frozen=True)
class Facts:
    """What a header (or a file's name) tells of a series; unknown facts are None or empty.

    ``sequence`` is the weighting: T1w, T2w, PDw, STIR, FLAIR, T2star, DWI, Dixon, with ``-fs`` where fat is suppressed.
    """

    modality: str = ""
    sequence: str = ""
    description: str = ""
    body_part: str = ""
    series_number: int | None = None
    image_type: tuple[str, ...] = ()
    echo_time_ms: float | None = None
    repetition_time_ms: float | None = None
    inversion_time_ms: float | None = None
    scanner: str = ""
    person_id: str = ""
    age_years: float | None = None
    sex: Sex = ""
    unfit: str = ""
    """Why this is no scan of a patient at all (a report, a screen save, colours), or empty."""
    notes: tuple[str, ...] = ()
    frame_of_reference: str = ""
    """What series must share for their positions to be comparable; files do not tell it."""
    ct: CtFacts | None = None


@dataclass(frozen=True)
class FilmFacts:
    """What a header tells of a projection film.

    Parameters
    ----------
    film : Film
        Radiograph or densitometer's film, empty where not known.
    view : View
        From the header, or judged from the picture where several films of a study state none.
    across, down : str
        Where columns and rows of the picture run to in the patient (A, P, L, R, H, F), both empty where not known.
    down_mm, across_mm : float
        Millimetres between rows and between columns, 1 where not known.
    spacing : str
        Where these hold: ``patient``, ``detector``, ``sheet`` (digitised), ``unstated``, or ``unknown``.
    number : int, optional
        DICOM's InstanceNumber.
    bent : bool
        Whether it was taken in flexion, extension or traction.
    unfit : str
        Why it is no film of the spine, or empty.
    """

    film: Film = ""
    view: View = ""
    across: str = ""
    down: str = ""
    down_mm: float = 1.0
    across_mm: float = 1.0
    spacing: str = "unknown"
    number: int | None = None
    bent: bool = False
    unfit: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class SeriesRef:
    """A series that can be read: where it lies, its grid and its facts, but no samples yet.

    Parameters
    ----------
    scan_id : str
        Unique within a listing, safe as a folder name, free of patient names.
    kind : Kind
        How the samples are stored. Stations put together count as ``"dicom"``, whatever they are stored in: no one file
        has the axes of the whole.
    frames : tuple of (Path, int)
        Files and the frame in each, in order along the slice normal; one pair with frame 0 for a file that is a volume.
    source : Path
        File or folder as the user knows it (inside an archive: the archive's path followed by the member's).
    shape, affine
        The grid in the file's own axes, RAS+ millimetres; ``affine`` is None where the header does not give one.
    plane : Plane
        Plane of the slices.
    study : str
        What series must share to be alternatives of one examination; empty for files that stand alone.
    named : bool
        Whether the user named this very file.
    problem : str
        Why it cannot be loaded, as far as headers tell, or empty.
    stations : tuple of SeriesRef
        The series that are stitched into this one, the preferred one first; its grid is then canonical.
    film : FilmFacts, optional
        What is known of a projection film; its shape is then (1, from back to front, upwards) as far as known.
    """

    scan_id: str
    kind: Kind
    frames: tuple[tuple[Path, int], ...]
    source: Path
    shape: tuple[int, int, int]
    affine: Array | None
    spacing_mm: tuple[float, float, float]
    plane: Plane
    facts: Facts
    study: str = ""
    named: bool = False
    problem: str = ""
    notes: tuple[str, ...] = ()
    stations: tuple[SeriesRef, ...] = ()
    film: FilmFacts | None = None

    @property
    def slice_spacing_mm(self) -> float:
        """Distance between slices: DICOM's third axis, the coarsest axis of a file without slice order."""
        if self.stations or self.film:
            return self.spacing_mm[0]
        return self.spacing_mm[2] if self.kind == "dicom" else max(self.spacing_mm)

    @property
    def slices(self) -> int:
        """Number of slices: along DICOM's third axis, along the coarsest (then shortest) axis of other files."""
        if self.stations or self.film:
            return self.shape[0]
        if self.kind == "dicom":
            return self.shape[2]
        return min(zip((-s for s in self.spacing_mm), self.shape, strict=True))[1]

    @property
    def bytes_needed(self) -> int:
        """Memory of the samples at four bytes each."""
        i, j, k = self.shape
        return 4 * i * j * k

    @property
    def label(self) -> str:
        """How a person would name the series: its number and description, or its file."""
        if self.stations:
            return f"{len(self.stations)} stations ({', '.join(sorted(s.label for s in self.stations))})"
        if self.kind != "dicom":
            return self.source.name
        number = "without a number" if self.facts.series_number is None else str(self.facts.series_number)
        if self.film is not None and self.film.number is not None:
            number += f", image {self.film.number}"
        return f"series {number}" + (f" ({self.facts.description})" if self.facts.description else "")
