"""How a disease is read from a network's answers for single vertebrae, and what its training makes small."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import rankdata
from torch import Tensor, nn
from torch.nn import functional as F

from spineclock.core.errors import UsageError
from spineclock.core.volume import Array
from spineclock.nets.heads import Measure

KIND = "diagnosis"


@dataclass(frozen=True)
class DiagnosisHead:
    """What the answer of a network of vertebrae means: log-odds of a disease, one number a level.

    Parameters
    ----------
    name : str
        The disease.
    levels : tuple of str
        The vertebra of each number; a number of −∞ says that the vertebra was not there.
    with_weight, without_weight : float
        What a person with, and one without the disease counts in training. They let the rarer be learned and take the
        answers off the scale of probabilities, to which they are brought back by people not learned from.

    Examples
    --------
    >>> head = DiagnosisHead.of(torch.tensor([1.0, 0.0, 0.0, 0.0]), "osteoporosis", ("L1", "L2"))
    >>> head.with_weight, round(head.without_weight, 4), head.outputs
    (2.0, 0.6667, 2)
    >>> round(float(head.cost(torch.zeros(1, 2), torch.ones(1))), 4)  # twice log 2
    1.3863
    """

    name: str
    levels: tuple[str, ...]
    with_weight: float = 1.0
    without_weight: float = 1.0

    def __post_init__(self) -> None:
        weights = (self.with_weight, self.without_weight)
        if not self.name or not self.levels or not all(math.isfinite(w) and w > 0 for w in weights):
            raise UsageError(
                f"a diagnosis {self.name!r} of {len(self.levels)} levels, weights {weights[0]} and {weights[1]}",
                wanted="a name, levels and weights above 0",
            )

    @classmethod
    def of(cls, labels: Tensor, name: str, levels: tuple[str, ...], *, weighted: bool = True) -> DiagnosisHead:
        """The head for a training set: both groups weigh as much together, a person 1 on average.

        Parameters
        ----------
        labels : tensor of 0 and 1, shape (N,)
            Of the scans trained on.
        weighted : bool
            False where each counts 1.

        Raises
        ------
        UsageError
            If all have the disease, or none.
        """
        n, ill = len(labels), int((labels > 0.5).sum())
        if not 0 < ill < n:
            raise UsageError(f"{ill} of {n} scans to train on are of people with {name}", wanted="some with, some not")
        if not weighted:
            return cls(name, levels)
        return cls(name, levels, n / (2 * ill), n / (2 * (n - ill)))

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> DiagnosisHead:
        """The head that :meth:`as_dict` described; TypeError or UsageError where it describes none."""
        values = {k: v for k, v in told.items() if k != "kind"}
        return cls(**{**values, "levels": tuple(values.get("levels", ()))})

    def as_dict(self) -> dict[str, Any]:
        """As plain data, for ``network.json``."""
        return {"kind": KIND, **asdict(self), "levels": list(self.levels)}

    @property
    def outputs(self) -> int:
        """How many numbers a network must answer with."""
        return len(self.levels)

    @property
    def measure(self) -> Measure:
        """What validation people are judged by, beside the cost."""
        return Measure("auroc", "AUROC", digits=3, rising=True)

    @property
    def log_weights(self) -> float:
        """By how much the weights raise the log-odds that training aims at."""
        return math.log(self.with_weight / self.without_weight)

    def begin(self, last: nn.Linear) -> None:
        """Has a network begin with even odds, which is what weighted people have."""
        nn.init.zeros_(last.bias)

    def cost(self, raw: Tensor, targets: Tensor) -> Tensor:
        """What training makes small, a mean over the batch: each person's mean over the levels there are, weighted.

        ``raw`` has shape (N, levels), ``targets`` of 0 and 1 shape (N,). So a person of two levels counts as much as
        one of four, and a level that is not there changes nothing.
        """
        raw = _exact(raw)
        there = ~raw.isneginf()
        each = F.binary_cross_entropy_with_logits(
            raw.masked_fill(~there, 0.0), targets[:, None].expand_as(raw), reduction="none"
        )
        mean = (each * there).sum(1) / there.sum(1).clamp(min=1)
        weight = torch.where(targets > 0.5, self.with_weight, self.without_weight)
        return (weight * mean).mean()

    def said(self, raw: Tensor) -> Tensor:
        """The log-odds of each level, shape (N, levels); NaN where it was not there."""
        raw = _exact(raw)
        return raw.masked_fill(raw.isneginf(), float("nan"))

    def figure(self, said: Array, targets: Array) -> float:
        """The area under the ROC curve of people's mean log-odds; NaN where all have the disease, or none.

        >>> head = DiagnosisHead("osteoporosis", ("L1", "L2"))
        >>> head.figure(np.array([[0.0, 1.0], [2.0, np.nan], [0.0, 0.0]]), np.array([0.0, 1.0, 0.0]))
        1.0
        """
        return area(np.nanmean(said, axis=1), targets > 0.5)


def _exact(raw: Tensor) -> Tensor:
    """In float32 at least."""
    return raw.float() if raw.dtype in (torch.bfloat16, torch.float16) else raw


def area(score: npt.ArrayLike, positive: npt.NDArray[np.bool_]) -> float:
    """The area under the ROC curve, equal scores counting half; NaN where one group is empty.

    >>> area([1.0, 2.0, 2.0, 4.0], np.array([False, False, True, True]))
    0.875
    """
    ill, well = int(positive.sum()), int((~positive).sum())
    if not ill or not well:
        return float("nan")
    ranks = rankdata(np.asarray(score, dtype=np.float64))
    return float((ranks[positive].sum() - ill * (ill + 1) / 2) / (ill * well))
