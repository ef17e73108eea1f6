"""What the commands that simulate scans can be told."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from spineclock.core.errors import UsageError
from spineclock.run.config import Settings, one_of_resume_and_overwrite

WHOLE_SLAB_MM = 128.0
"""From left to right, of the field of view of a whole spine."""


class PhantomMriSettings(Settings):
    """What ``spineclock phantom mri`` can be told.

    Raises
    ------
    UsageError
        If two settings contradict each other.

    Examples
    --------
    >>> told = PhantomMriSettings(weighting="T2w,T1w", grid="16x128x64")
    >>> told.weightings, told.grid_shape
    (('T2w', 'T1w'), (16, 128, 64))
    """

    seed: int = Field(0, ge=0, description="another seed, other people")
    world: str = Field("default", min_length=1, description="which phantom world the people live in")
    format: Literal["nifti", "dicom"] = Field("nifti", description="what the scans are written as")
    coverage: Literal["whole", "stations", "lumbar"] = Field(
        "whole", description="how much of the spine, in how many pieces"
    )
    weighting: str = Field("T2w", pattern=r"^T[12]w(,T[12]w)?$", description="T2w, T1w, or both with a comma")
    slices: Literal["thick", "space"] = Field("thick", description="2-D slices, or a 3-D slab of small voxels")
    grid: str | None = Field(
        None,
        pattern=r"^[1-9]\d{0,3}(x[1-9]\d{0,3}){2}$",
        description="slices, rows and columns of a training grid, such as 16x128x64",
    )
    slab_mm: float = Field(
        WHOLE_SLAB_MM,
        ge=8,
        le=WHOLE_SLAB_MM,
        description="from left to right, of a training grid; 32 at most of the lumbar spine",
    )
    from_years: float = Field(0.0, ge=0, le=120, description="people younger than this get no scan")
    workers: int = Field(2, ge=1, le=512, description="processes that make scans side by side")
    resume: bool = Field(False, description="keep the scans that are there, and make the others")
    overwrite: bool = Field(False, description="replace an earlier phantom")

    @property
    def weightings(self) -> tuple[str, ...]:
        """Each weighting, in the order told."""
        return tuple(self.weighting.split(","))

    @property
    def grid_shape(self) -> tuple[int, int, int] | None:
        """Slices, rows and columns of a training grid; None where scans keep the scanner's."""
        return None if self.grid is None else three_numbers(self.grid)

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        if len(set(self.weightings)) < len(self.weightings):
            raise UsageError(f"weighting is {self.weighting!r}", wanted="each weighting once")
        if self.grid is not None and self.coverage == "stations":
            raise UsageError(
                f"both a grid and coverage {self.coverage} are set",
                wanted="one of the two",
                remedy="a training grid holds the whole or the lumbar spine in one piece",
            )
        one_of_resume_and_overwrite(
            self.resume, self.overwrite, remedy="resume keeps earlier scans; overwrite replaces them"
        )
        return self


class PhantomRadiographSettings(Settings):
    """What ``spineclock phantom radiograph`` can be told.

    Raises
    ------
    UsageError
        If two settings contradict each other.

    Examples
    --------
    >>> told = PhantomRadiographSettings(modality="vfa", grid="256x128")
    >>> told.modality, told.grid_shape
    ('vfa', (256, 128))
    """

    seed: int = Field(0, ge=0, description="another seed, other people")
    world: str = Field("default", min_length=1, description="which phantom world the people live in")
    format: Literal["nifti", "png", "dicom"] = Field("nifti", description="what the films are written as")
    modality: Literal["radiograph", "vfa"] = Field(
        "radiograph", description="radiographs, or a densitometer's films (VFA)"
    )
    grid: str | None = Field(
        None, pattern=r"^[1-9]\d{1,3}x[1-9]\d{1,3}$", description="rows and columns of a training grid, such as 256x128"
    )
    pixel_mm: float | None = Field(None, ge=0.1, le=5, description="pixels at the detector; about 0.6 mm where not set")
    from_years: float = Field(0.0, ge=0, le=120, description="people younger than this get no film")
    workers: int = Field(2, ge=1, le=512, description="processes that make films side by side")
    resume: bool = Field(False, description="keep the films that are there, and make the others")
    overwrite: bool = Field(False, description="replace an earlier phantom")

    @property
    def grid_shape(self) -> tuple[int, int] | None:
        """Rows and columns of a training grid; None where films keep the detector's."""
        if self.grid is None:
            return None
        rows, columns = map(int, self.grid.split("x"))
        return rows, columns

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        if self.grid_shape is not None and min(self.grid_shape) < 16:
            raise UsageError(f"a grid of {self.grid}", wanted="at least 16 rows and columns")
        if self.grid is not None and self.pixel_mm is not None:
            raise UsageError(
                "both a grid and a pixel size are set",
                wanted="one of the two",
                remedy="a film is fitted into its grid, which decides the pixels' size",
            )
        one_of_resume_and_overwrite(
            self.resume, self.overwrite, remedy="resume keeps earlier films; overwrite replaces them"
        )
        return self


class PhantomCtSettings(Settings):
    """What ``spineclock phantom ct`` can be told.

    Raises
    ------
    UsageError
        If two settings contradict each other.

    Examples
    --------
    >>> told = PhantomCtSettings(phase="native", grid="112x64x112")
    >>> told.phase, told.grid_shape
    ('native', (112, 64, 112))
    """

    seed: int = Field(0, ge=0, description="another seed, other people")
    world: str = Field("default", min_length=1, description="which phantom world the people live in")
    images: str | None = Field(None, description="another world's anatomy and scanners, such as shifted")
    format: Literal["nifti", "dicom"] = Field("nifti", description="what the scans are written as")
    coverage: Literal["abdomen", "thoracolumbar"] = Field(
        "abdomen", description="T10 to S1 with the whole trunk, or T4 to S1 round the spine"
    )
    slice_mm: float | None = Field(
        None, ge=0.5, le=5, description="thickness of slices; 1 to 3 mm by scanner if not set"
    )
    pixel_mm: float | None = Field(None, ge=0.3, le=4, description="pixels; the field of view over 512 if not set")
    kernel: Literal["soft", "bone"] | None = Field(None, description="soft or bone; drawn for each scan if not set")
    phase: Literal["native", "portal_venous"] | None = Field(
        None, description="contrast phase; drawn for each scan if not set"
    )
    tilt_deg: float = Field(0.0, ge=-30, le=30, description="tilt of the gantry in degrees")
    beam_hardening: bool = Field(False, description="dark bands between dense bones")
    grid: str | None = Field(
        None,
        pattern=r"^[1-9]\d{0,3}(x[1-9]\d{0,3}){2}$",
        description="slices, rows and columns of a training grid, such as 112x84x112",
    )
    from_years: float = Field(0.0, ge=0, le=120, description="people younger than this get no scan")
    workers: int = Field(2, ge=1, le=512, description="processes that make scans side by side")
    resume: bool = Field(False, description="keep the scans that are there, and make the others")
    overwrite: bool = Field(False, description="replace an earlier phantom")

    @property
    def grid_shape(self) -> tuple[int, int, int] | None:
        """Slices, rows and columns of a training grid; None where scans keep the scanner's."""
        return None if self.grid is None else three_numbers(self.grid)

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        if self.grid_shape is not None and min(self.grid_shape) < 8:
            raise UsageError(f"a grid of {self.grid}", wanted="at least 8 slices, rows and columns")
        if self.grid is not None and (self.slice_mm is not None or self.pixel_mm is not None):
            raise UsageError(
                "both a grid and a slice or pixel size are set",
                wanted="one of the two",
                remedy="a training grid spans the same field whatever its numbers",
            )
        one_of_resume_and_overwrite(
            self.resume, self.overwrite, remedy="resume keeps earlier scans; overwrite replaces them"
        )
        return self


def three_numbers(grid: str) -> tuple[int, int, int]:
    """Slices, rows and columns told with an x between.

    >>> three_numbers("16x128x64")
    (16, 128, 64)
    """
    i, j, k = map(int, grid.split("x"))
    return i, j, k
