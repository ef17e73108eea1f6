"""What each command can be told: one flat model a command, the only list of names, defaults and bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from spineclock.core.anatomy import LEVEL_NUMBERS
from spineclock.core.errors import UsageError
from spineclock.core.recipe import LARGEST_BYTES, Engine
from spineclock.prep.cropping import Intensity
from spineclock.prep.ct_cropping import Parts
from spineclock.run.config import Settings, one_of_resume_and_overwrite

Sequence = Literal["", "T1w", "T2w"]
MaskScheme = Literal["spineclock", "spider", "totalspineseg", "spineps", "verse", "totalsegmentator"]


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
    sequence: Sequence = Field("", description="the scan's weighting, T1w or T2w, where neither header nor name tells")
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
    levels: str = Field("L1,L2,L3,L4", description="of crops: vertebrae by name, such as L1,L2,L3,L4")
    size: str = Field("64,64", description="of crops: rows and columns, such as 64,64")
    margin: float = Field(0.1, ge=0, le=2, description="of crops: what is kept round a body's box, of its size")
    slices: int = Field(1, ge=1, le=99, description="of crops: slices side by side of each body")
    choose: Literal["middle", "largest"] = Field(
        "middle", description="of crops: slices in the middle of the canal, or those with the most of the body"
    )
    intensity: Intensity = Field(
        "zscore", description="of crops: grey values in SDs of the crop (zscore), raw, or ratios to csf, fat or muscle"
    )
    parts: Parts = Field("bone+muscle", description="of CT: what is kept; bone alone can be had of bone+muscle too")
    region: str = Field("24,64,112", description="of CT: slices, rows and columns of the region round each vertebra")
    window_hu: str = Field("-200,1000", description="of CT: Hounsfield units that become 0 and 1")
    along: Literal["body", "scan"] = Field("body", description="of CT: slices along each body, or the scan's")
    sequence: Sequence = Field("", description="of crops: the weighting that is read, T1w or T2w; any where not set")
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
    def crop_levels(self) -> tuple[str, ...]:
        """Vertebrae that are cropped."""
        return tuple(self.levels.split(","))

    @property
    def crop_size(self) -> tuple[int, int]:
        """Rows and columns of a crop."""
        rows, columns = map(int, self.size.split(","))
        return rows, columns

    @property
    def canvas_shape(self) -> tuple[int, int]:
        """Rows and columns of a prepared film."""
        rows, columns = map(int, self.canvas.split(","))
        return rows, columns

    @property
    def ct_region(self) -> tuple[int, int, int]:
        """Slices, rows and columns of a region of CT."""
        i, j, k = map(int, self.region.split(","))
        return i, j, k

    @property
    def window(self) -> tuple[float, float]:
        """Hounsfield units that become 0 and 1."""
        low, high = map(float, self.window_hu.split(","))
        return low, high

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

    @field_validator(
        "spacing_mm", "shape", "percentiles", "canvas", "levels", "size", "region", "window_hu", mode="before"
    )
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

    @field_validator("window_hu")
    @classmethod
    def _a_window(cls, value: str) -> str:
        found = _numbers(value)
        if len(found) != 2 or not -1024 <= found[0] < found[1] <= 4000:
            raise ValueError("wanted two rising numbers of Hounsfield units, with a comma between them")
        return value

    @field_validator("shape", "region")
    @classmethod
    def _three_counts(cls, value: str) -> str:
        value = value.replace("x", ",")
        found = _numbers(value)
        if len(found) != 3 or not all(n % 1 == 0 and 4 <= n <= 4096 for n in found) or min(found[1:]) < 16:
            raise ValueError("wanted three whole numbers with commas between them: 4 to 4096, then twice 16 to 4096")
        return ",".join(f"{n:.0f}" for n in found)

    @field_validator("levels")
    @classmethod
    def _known_levels(cls, value: str) -> str:
        told = value.upper().split(",")
        if not set(told) <= set(LEVEL_NUMBERS) or len(set(told)) < len(told):
            raise ValueError("wanted levels such as L1,L2, with commas between them, each once")
        return ",".join(told)

    @field_validator("canvas", "size")
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
