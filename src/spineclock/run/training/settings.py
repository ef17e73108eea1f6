"""What ``spineclock train`` and ``spineclock evaluate`` can be told."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from spineclock.core.errors import UsageError
from spineclock.core.outcomes import Pooling
from spineclock.nets.names import AgeLoss, NetworkName, Pool, RateFalls, require_band
from spineclock.prep.masking import SpinePart
from spineclock.run.config import Settings, one_of_resume_and_overwrite
from spineclock.run.settings import Sequence

Device = Field("auto", pattern=r"^(auto|cpu|cuda)$", description="where networks run; auto takes a GPU if there is one")


class TrainSettings(Settings):
    """What ``spineclock train`` can be told; the defaults are the paper's where it states them (docs/training.md).

    Examples
    --------
    >>> TrainSettings(train_scans=85, validation_scans=10).batch_size
    2
    """

    store: Path | None = Field(None, description="prepared scans; made in the run's folder where not given")
    normals: Path | None = Field(None, description="normals.csv of `spineclock normals`")
    split: Path | None = Field(None, description="split.csv of another run, or any table of person_id and split")
    train_on: Literal["auto", "normal", "all"] = Field(
        "auto", description="normal: age-typical scans only; auto: these where the cohort tells which they are"
    )
    train_share: float = Field(0.8, gt=0, lt=1, description="of people, where the cohort has no column split")
    validation_share: float = Field(0.1, gt=0, lt=1, description="of people, where there is no column split")
    split_seed: int = Field(0, ge=0, description="who trains, validates and tests, where there is no column split")
    train_scans: int | None = Field(None, ge=2, description="no more scans than these to train on, drawn at random")
    validation_scans: int | None = Field(None, ge=3, description="no more scans than these to validate on")
    part: SpinePart = Field("whole", description="whole, or only the cervical, thoracic or lumbar vertebrae")
    sequence: Sequence = Field("", description="of crops: T1w or T2w; that of all scans in the store where not set")

    network: NetworkName = Field(
        "table2",
        description="table2: the paper's; resnet, transformer: rivals; of films: film_small, efficientnet_b4; "
        "of crops: crop_small, crop_efficientnet_b4, crop_resnet50, crop_inception_resnet_v2 (needs timm); "
        "of CT: ct_small, ct_convnext_tiny (needs timm)",
    )
    start: Literal["random", "imagenet"] = Field(
        "random", description="weights efficientnet_b4 and ct_convnext_tiny begin from; imagenet where they can be had"
    )
    pool: Pool = Field("max", description="how table2 ends: max or average")
    band: int = Field(
        0, ge=0, description="of scans: the columns read of each row, beginning where the spine does; 0: all columns"
    )
    loss: AgeLoss = Field("mse", description="mse, smooth_l1, soft_label or mean_variance")
    youngest: int | None = Field(
        None,
        ge=0,
        le=119,
        description="first whole year of soft_label's and mean_variance's classes; nobody younger is learned from; "
        "five years below the youngest person where not given",
    )
    oldest: int | None = Field(None, ge=1, le=120, description="last of these whole years, likewise")

    weighted: bool = Field(True, description="of a diagnosis: those with and without it weigh as much together")
    pooling: Pooling = Field("mean", description="of a diagnosis: vertebrae to the person: mean, max or noisy-or")
    sensitivity: float = Field(0.9, ge=0.5, lt=1, description="of a diagnosis: that the second threshold is to keep")
    dxa_sites: str = Field(
        "lumbar_spine,total_hip,femoral_neck", description="whose T-scores tell of osteoporosis, with commas between"
    )
    dxa_measured: Literal["any", "all"] = Field("any", description="all: nobody is without it unless each site is told")
    dxa_within_days: float | None = Field(365.0, ge=0, description="densitometry further from the scan tells nothing")
    dxa_undated: Literal["kept", "refused"] = Field(
        "kept", description="labels whose distance from the scan is not told"
    )

    inputs: Literal["bone", "bone_muscle"] = Field(
        "bone_muscle", description="of CT: vertebrae alone, or with the muscles round them"
    )
    tasks: Literal["both", "detection", "follow_up"] = Field(
        "both", description="of CT: fractures that are there, those that will come, or both"
    )
    detect: Literal["person", "vertebrae"] = Field(
        "person", description="of CT: whether the person has a fracture, or each vertebra that is shown"
    )
    fractures: Path | None = Field(
        None, description="table of fractured vertebrae (scan_id, level), to detect them; the cohort's fractures.csv"
    )
    survival_head: Literal["hazard", "cox"] = Field(
        "hazard", description="of CT: a hazard for each year, or Cox's partial likelihood (wants large batches)"
    )
    deaths: Literal["compete", "censor"] = Field(
        "compete", description="of CT: risks beside death, or of a life without it (people are then lost as they die)"
    )
    weighting: Literal["fixed", "uncertainty"] = Field(
        "fixed", description="of CT: how the two tasks are weighed: as told, or by what each is found to leave open"
    )
    survival_weight: float = Field(1.0, ge=0, description="of CT: of follow-up beside detection, if fixed")

    batch_size: int = Field(2, ge=1, description="scans a step, on each device")
    max_epochs: int = Field(100, ge=1, description="the most epochs")
    learning_rate: float = Field(1e-4, gt=0, description="of Adam, at the start")
    weight_decay: float = Field(0.0, ge=0, description="of Adam")
    rate_falls: RateFalls = Field(
        "plateau",
        description="plateau: as the next three say; linear: in a straight line to 0 over max_epochs, all done",
    )
    plateau_patience: int = Field(5, ge=0, description="epochs without a better validation loss before the rate falls")
    plateau_factor: float = Field(0.1, gt=0, lt=1, description="what the rate is multiplied by then")
    stop_patience: int = Field(15, ge=1, description="epochs without a better validation loss before training ends")
    shift_voxels: int = Field(2, ge=0, le=15, description="the most a scan is moved along each axis")
    mirror: bool = Field(True, description="whether left and right change places in half of the scans")
    blur_voxels: float = Field(0.0, ge=0, le=8, description="the most a scan is blurred, as a Gaussian's SD")
    noise: float = Field(0.0, ge=0, le=3, description="the most noise added, in SDs of the spine's grey values")
    contrast: float = Field(0.0, ge=0, lt=1, description="the most grey values are stretched or lifted, in SDs")
    rotate_deg: float = Field(0.0, ge=0, le=45, description="the most a scan is turned in its plane, either way")
    zoom: float = Field(0.0, ge=0, le=0.5, description="the most a scan is enlarged or made smaller, as a share")
    seed: int = Field(0, ge=0, description="of the first weights, the order of scans and their changes")

    device: str = Device
    devices: int = Field(1, ge=1, description="GPUs, or processes on a CPU, that share the work")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto: bfloat16 where the processor computes in it, with float32 weights"
    )
    threads: int | None = Field(None, ge=1, description="processor threads; all where not set")
    memory_gb: float = Field(
        8.0, ge=0, description="prepared scans are held in memory up to this size, else read ahead"
    )
    save_minutes: float = Field(2.0, ge=0, description="between writings of the state within an epoch")
    interval_coverage: float = Field(0.9, ge=0.5, le=0.99, description="probability that the interval covers")
    resume: bool = Field(False, description="go on with a training that was stopped")
    overwrite: bool = Field(False, description="replace an earlier run")

    @property
    def dxa_site_names(self) -> tuple[str, ...]:
        """Sites of densitometry that count."""
        return tuple(self.dxa_sites.split(","))

    @field_validator("dxa_sites", mode="before")
    @classmethod
    def _one_text(cls, value: object) -> object:
        value = ",".join(map(str, value)) if isinstance(value, list | tuple) else value
        return "".join(value.split()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        if self.train_share + self.validation_share >= 1:
            raise UsageError(f"train_share {self.train_share} and validation_share {self.validation_share}",
                             wanted="shares that leave some people for the test")  # fmt: skip
        if self.start == "imagenet" and self.network not in ("efficientnet_b4", "ct_convnext_tiny"):
            raise UsageError(f"start imagenet for the network {self.network}",
                             wanted="efficientnet_b4 or ct_convnext_tiny")  # fmt: skip
        require_band(self.network, self.band)
        if self.weighting == "uncertainty" and self.tasks != "both":
            raise UsageError(f"weighting uncertainty with the task {self.tasks} alone", wanted="tasks=both")
        if (self.youngest is None) != (self.oldest is None):
            raise UsageError("one of youngest and oldest is set", wanted="both or none")
        if self.youngest is not None and self.oldest is not None and self.youngest >= self.oldest:
            raise UsageError(f"youngest {self.youngest} and oldest {self.oldest}", wanted="the younger one first")
        one_of_resume_and_overwrite(
            self.resume, self.overwrite, remedy="resume goes on with the run; overwrite replaces it"
        )
        return self


def classes_of(settings: TrainSettings) -> tuple[int, int] | None:
    """The first and last whole year of an age's classes, where they are set."""
    if settings.youngest is None or settings.oldest is None:
        return None
    return settings.youngest, settings.oldest


MAY_DIFFER = ("resume", "overwrite", "threads", "memory_gb", "store", "device", "save_minutes")
"""Settings that a resumed training need not share with the one it goes on from."""


class EvaluateSettings(Settings):
    """What ``spineclock evaluate`` can be told."""

    store: Path | None = Field(None, description="prepared scans; made in the output folder where not given")
    normals: Path | None = Field(None, description="normals.csv of `spineclock normals`")
    device: str = Device
    threads: int | None = Field(None, ge=1, description="processor threads; all where not set")
    workers: int = Field(2, ge=1, description="processes that prepare scans side by side")
    resamples: int = Field(2000, ge=0, description="bootstrap resamples of people; 0 for no intervals")
    seed: int = Field(0, ge=0, description="of the resamples")
    overwrite: bool = Field(False, description="replace an earlier evaluation")
