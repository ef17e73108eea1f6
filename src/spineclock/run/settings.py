"""What each command can be told: one flat model a command, the only list of names, defaults and bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from spineclock.core.anatomy import LEVEL_NUMBERS
from spineclock.core.errors import UsageError
from spineclock.core.recipe import LARGEST_BYTES, Engine
from spineclock.run.config import Settings, one_of_resume_and_overwrite

MaskScheme = Literal["spineclock", "spider", "totalspineseg", "spineps", "totalsegmentator"]


class PredictSettings(Settings):
    """What ``spineclock predict`` can be told; ages in years.

    Raises
    ------
    UsageError
        If two settings contradict each other.

    Examples
    --------
    >>> PredictSettings(age_years=57).interval_coverage
    0.9
    """

    recipe: str = Field("mri-age", min_length=1, description="which question is asked of the scan")
    model: str = Field("default", min_length=1, description="name of packaged weights, or the folder of a run")
    age_years: float | None = Field(None, gt=0, le=120, description="the person's age at the scan")
    sex: Literal["F", "M"] | None = Field(None, description="the person's sex")
    cohort: Path | None = Field(None, description="table that holds age and sex of each scan")
    mask: Path | None = Field(None, description="label map made elsewhere, used instead of segmenting")
    mask_scheme: MaskScheme | None = Field(None, description="whose numbering the label map follows")
    lowest_vertebra: str | None = Field(None, description="name of the lowest whole vertebra in view")
    device: str = Field(
        "cpu", pattern=r"^(cpu|cuda(:\d+)?)$", description="where the networks run: cpu, cuda or cuda:0"
    )
    engine: Engine = Field("auto", description="what runs the networks; auto takes the quicker of equal answers")
    threads: int | None = Field(None, ge=1, description="processor threads; all where not set")
    interval_coverage: float = Field(0.9, ge=0.5, le=0.99, description="probability that the interval covers")
    max_bytes: int = Field(LARGEST_BYTES, ge=10**6, description="a scan that would need more memory is refused")
    resume: bool = Field(False, description="leave scans alone that already have a result")
    overwrite: bool = Field(False, description="write over results of an earlier run")

    @field_validator("sex", mode="before")
    @classmethod
    def _upper_sex(cls, value: object) -> object:
        return {"f": "F", "m": "M"}.get(value, value) if isinstance(value, str) else value

    @field_validator("age_years", "threads", "interval_coverage", "max_bytes", mode="before")
    @classmethod
    def _no_truth_value(cls, value: object) -> object:
        if isinstance(value, bool):  # which pydantic would read as 1 or 0
            raise ValueError("wanted a number")
        return value

    @field_validator("lowest_vertebra")
    @classmethod
    def _known_level(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if value.upper() not in LEVEL_NUMBERS:
            raise ValueError("wanted a level from C1 to L7, or S1")
        return value.upper()

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        if self.mask is not None and self.mask_scheme is None:
            raise UsageError(
                f"the label map {self.mask} came without its numbering",
                wanted=f"mask_scheme: one of {', '.join(get_args(MaskScheme))}",
            )
        if self.mask_scheme is not None and self.mask is None:
            raise UsageError(
                f"mask_scheme is {self.mask_scheme!r}, but no mask is given",
                remedy="give the label map with --mask, or leave mask_scheme out",
            )
        if self.cohort is not None and (self.age_years is not None or self.sex is not None):
            raise UsageError(
                "both a cohort table and an age or sex are given",
                wanted="one of the two",
                remedy="write age and sex in the table's row",
            )
        one_of_resume_and_overwrite(
            self.resume, self.overwrite, remedy="resume keeps earlier results; overwrite replaces them"
        )
        return self


class NormalsSettings(Settings):
    """What ``spineclock normals`` can be told."""

    min_cluster_share: float = Field(0.05, gt=0, le=0.15, description="smallest cluster, as a share of the bracket")
    seed: int = Field(0, ge=0, description="of UMAP; further seeds count on from it")
    seeds: int = Field(1, ge=1, le=200, description="under how many seeds the cohort is found, to show its stability")
    fit_on: Literal["auto", "all"] = Field(
        "auto", description="auto: on training scans where the table has any, the rest being labelled; all: on everyone"
    )
    direct: bool = Field(False, description="also cluster the distances themselves, for comparison")
    fitted: Path | None = Field(None, description="normals.json of an earlier run, to label these people by")
    workers: int = Field(2, ge=1, description="brackets laid out side by side")
    overwrite: bool = Field(False, description="write over earlier results")


class StudySettings(Settings):
    """What ``spineclock study`` can be told."""

    findings: Path | None = Field(None, description="table of report findings; the cohort folder's own where not set")
    normals: Path | None = Field(None, description="normals.csv of an earlier `spineclock normals`")
    model: str | None = Field(None, description="whose predictions the sections after Table 3 are of")
    review: Path | None = Field(None, description="a filled-in review.csv, to be counted")
    train_share: float = Field(0.8, ge=0, lt=1, description="of normal people, where the cohort has no column split")
    validation_share: float = Field(0.1, gt=0, lt=1, description="of normal people, where there is no column split")
    resamples: int = Field(2000, ge=0, description="bootstrap resamples of people; 0 for no such intervals")
    seed: int = Field(0, ge=0, description="of whatever is drawn")
    overwrite: bool = Field(False, description="write over an earlier study")


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
        WHOLE_SLAB_MM, ge=8, le=WHOLE_SLAB_MM, description="from left to right, of a whole-spine training grid"
    )
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
        if self.grid is None:
            return None
        i, j, k = map(int, self.grid.split("x"))
        return i, j, k

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


class PrepareSettings(Settings):
    """What ``spineclock prepare`` can be told; three numbers are left–right, superior–inferior, anterior–posterior.

    Raises
    ------
    UsageError
        If two settings contradict each other.

    Examples
    --------
    >>> told = PrepareSettings(spacing_mm="8,5,4", shape=(16, 128, 64))
    >>> told.spacing, told.grid_shape, told.limits
    ((8.0, 5.0, 4.0), (16, 128, 64), (0.5, 99.5))
    """

    spacing_mm: str = Field("4,1,1", description="millimetres between samples along each axis, such as 4,1,1")
    shape: str = Field("32,640,256", description="samples along each axis, such as 32,640,256")
    centre: Literal["scan", "spine"] = Field("scan", description="what is in the middle: scan, or the spine in view")
    margin_mm: float = Field(10.0, ge=0, le=200, description="how far round the label map the image is kept")
    percentiles: str = Field("0.5,99.5", description="limits to which grey values are clipped, such as 0.5,99.5")
    canvas: str = Field("1024,512", description="of films: rows and columns they are fitted into, such as 1024,512")
    border_share: float = Field(0.05, ge=0, lt=0.5, description="of radiographs: how much of the area is cut off round")
    equalise: bool = Field(True, description="of films: whether grey values become ranks (histogram equalisation)")
    dtype: Literal["float16", "uint8"] = Field("float16", description="how grey values are held")
    workers: int = Field(2, ge=1, le=512, description="processes that prepare scans side by side")
    threads: int = Field(1, ge=1, description="processor threads of the segmentation network in each of them")
    engine: Engine = Field("auto", description="what runs it; auto takes the quicker of equal answers")
    max_bytes: int = Field(LARGEST_BYTES, ge=10**6, description="a scan that would need more memory is refused")
    verify: bool = Field(False, description="compare each kept scan's checksum, and prepare damaged ones again")
    resume: bool = Field(False, description="keep the scans that are in the store, and add the others")
    overwrite: bool = Field(False, description="replace an earlier store")

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres between samples along each axis."""
        i, j, k = map(float, self.spacing_mm.split(","))
        return i, j, k

    @property
    def grid_shape(self) -> tuple[int, int, int]:
        """Samples along each axis."""
        i, j, k = map(int, self.shape.split(","))
        return i, j, k

    @property
    def canvas_shape(self) -> tuple[int, int]:
        """Rows and columns of a prepared film."""
        rows, columns = map(int, self.canvas.split(","))
        return rows, columns

    @property
    def limits(self) -> tuple[float, float]:
        """Percentiles to which grey values are clipped."""
        low, high = map(float, self.percentiles.split(","))
        return low, high

    @field_validator("margin_mm", "workers", "threads", "max_bytes", mode="before")
    @classmethod
    def _no_truth_value(cls, value: object) -> object:
        if isinstance(value, bool):  # which pydantic would read as 1 or 0
            raise ValueError("wanted a number")
        return value

    @field_validator("spacing_mm", "shape", "percentiles", "canvas", mode="before")
    @classmethod
    def _one_text(cls, value: object) -> object:
        if isinstance(value, list | tuple):
            value = ",".join(str(v) for v in value)
        return "".join(value.split()) if isinstance(value, str) else value

    @field_validator("spacing_mm")
    @classmethod
    def _three_spacings(cls, value: str) -> str:
        found = _numbers(value)
        if len(found) != 3 or not all(0.05 <= mm <= 100 for mm in found):
            raise ValueError("wanted three numbers of millimetres, 0.05 to 100, with commas between them")
        return value

    @field_validator("shape")
    @classmethod
    def _three_counts(cls, value: str) -> str:
        value = value.replace("x", ",")
        found = _numbers(value)
        if len(found) != 3 or not all(n % 1 == 0 and 4 <= n <= 4096 for n in found) or min(found[1:]) < 16:
            raise ValueError("wanted three whole numbers with commas between them: 4 to 4096, then twice 16 to 4096")
        return ",".join(f"{n:.0f}" for n in found)

    @field_validator("canvas")
    @classmethod
    def _two_counts(cls, value: str) -> str:
        value = value.replace("x", ",")
        found = _numbers(value)
        if len(found) != 2 or not all(n % 1 == 0 and 32 <= n <= 8192 for n in found):
            raise ValueError("wanted two whole numbers, 32 to 8192, with a comma between them")
        return ",".join(f"{n:.0f}" for n in found)

    @field_validator("percentiles")
    @classmethod
    def _two_percentiles(cls, value: str) -> str:
        found = _numbers(value)
        if len(found) != 2 or not 0 <= found[0] < found[1] <= 100:
            raise ValueError("wanted two rising numbers, 0 to 100, with a comma between them")
        return value

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        one_of_resume_and_overwrite(
            self.resume, self.overwrite, remedy="resume keeps the store and adds to it; overwrite replaces it"
        )
        return self


def _numbers(text: str) -> list[float]:
    """The numbers of a text with commas between them; none where one of them is no number."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        return []
