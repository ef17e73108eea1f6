"""The trainings of the ablation study: the paper's, and those its authors wish for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from spineclock.core.errors import UsageError
from spineclock.run.training.settings import TrainSettings

PROPOSED = "proposed"


@dataclass(frozen=True)
class Ablation:
    """One training, as what differs from the proposed one."""

    name: str
    words: str
    changes: dict[str, Any] = field(default_factory=dict)
    paper: str = ""
    """The paper's row it repeats; empty where it has none."""
    as_many: bool = False
    """Whether it learns from as many scans as the proposed one, where more are there."""
    against: str = PROPOSED
    """The training its errors are held against."""


ABLATIONS = (
    Ablation(PROPOSED, "the proposed model", {}, "proposed"),
    Ablation("scans_85", "85 scans to train on, 10 to validate on", {"train_scans": 85, "validation_scans": 10},
             "85 series"),
    Ablation("scans_850", "850 scans to train on, 100 to validate on", {"train_scans": 850, "validation_scans": 100},
             "850 series"),
    Ablation("smooth_l1", "smooth-L1 loss", {"loss": "smooth_l1"}, "smooth-L1 loss"),
    Ablation("soft_label", "soft labels, Kullback–Leibler divergence", {"loss": "soft_label"}),
    Ablation("mean_variance", "mean–variance loss", {"loss": "mean_variance"}),
    Ablation("cervical", "cervical vertebrae only", {"part": "cervical"}, "cervical only"),
    Ablation("thoracic", "thoracic vertebrae only", {"part": "thoracic"}, "thoracic only"),
    Ablation("lumbar", "lumbar vertebrae only", {"part": "lumbar"}, "lumbar only"),
    Ablation("average_pool", "average instead of max pooling at the end", {"pool": "average"}),
    Ablation("all_scans", "as many scans of everyone, age-typical or not", {"train_on": "all"}, as_many=True),
    Ablation("resnet_850", "3-D ResNet-18, 850 + 100 scans",
             {"network": "resnet", "train_scans": 850, "validation_scans": 100}, against="scans_850"),
    Ablation("transformer_850", "vision transformer, 850 + 100 scans",
             {"network": "transformer", "train_scans": 850, "validation_scans": 100}, against="scans_850"),
)  # fmt: skip


def chosen(only: str | None) -> tuple[Ablation, ...]:
    """All of them, or those named with commas between.

    >>> [a.name for a in chosen("lumbar,scans_85")]
    ['scans_85', 'lumbar']

    Raises
    ------
    UsageError
        If none has such a name.
    """
    if only is None:
        return ABLATIONS
    names = [n.strip() for n in only.split(",")]
    if unknown := sorted(set(names) - {a.name for a in ABLATIONS}):
        raise UsageError(
            f"no ablation is called {unknown[0]!r}", wanted=f"some of {', '.join(a.name for a in ABLATIONS)}"
        )
    return tuple(a for a in ABLATIONS if a.name in names)


def settings_of(ablation: Ablation, base: TrainSettings, *, proposed_scans: tuple[int, int]) -> TrainSettings:
    """The training's settings: the base ones with the row's changes.

    ``proposed_scans``: how many the proposed model trains and validates on.
    """
    changes = dict(ablation.changes)
    if ablation.as_many:
        changes |= dict(zip(("train_scans", "validation_scans"), proposed_scans, strict=True))
    return base.model_copy(update=changes)
