"""How what is there already, vertebra by vertebra or in a person, is read from a network's last numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spineclock.core.errors import TableError, UsageError
from spineclock.core.volume import Array
from spineclock.nets.diagnosis_head import area
from spineclock.nets.follow_up import exact, require_columns
from spineclock.nets.heads import Measure

KIND = "detection"


@dataclass(frozen=True)
class DetectionHead:
    """A network's answer as the probability of a finding at each of some places, learned place by place.

    Other than :class:`~spineclock.nets.diagnosis_head.DiagnosisHead`, whose vertebrae all have their person's label,
    each place has a label of its own. NaN where nobody knows, which teaches nothing; an answer of −∞ says that the
    place was not there.

    Parameters
    ----------
    places : int
        Vertebrae of which each has a label; 1 for a label a person.
    classes : int
        2: the finding is there or not, one number a place. More: grades from 0 (none) up, such as Genant's four, a
        number a grade.
    prevalence : float
        Share of known places with the finding in the training people, from where training begins; 0 where unknown.

    Examples
    --------
    >>> head = DetectionHead(places=3)
    >>> head.outputs, DetectionHead(classes=4).outputs
    (3, 4)
    >>> round(head.cost(torch.zeros(1, 3), torch.tensor([[1.0, 0.0, torch.nan]])).item(), 4)  # log 2
    0.6931
    """

    places: int = 1
    classes: int = 2
    prevalence: float = 0.0

    def __post_init__(self) -> None:
        if self.places < 1 or self.classes < 2 or not 0 <= self.prevalence < 1:
            raise UsageError(f"{self.places} places, {self.classes} classes, prevalence {self.prevalence}",
                             wanted="a place or more, two classes or more, a share below 1")  # fmt: skip

    @classmethod
    def of(cls, labels: Tensor, *, classes: int = 2) -> DetectionHead:
        """The head for training people's labels, shape (N, places).

        Raises
        ------
        UsageError
            If all known places have the finding, or none.

        Examples
        --------
        >>> DetectionHead.of(torch.tensor([[0.0, 1.0], [torch.nan, 0.0]])).prevalence
        0.3333333333333333
        """
        known = labels[~torch.isnan(labels)]
        ill = int((known > 0).sum())
        if not 0 < ill < len(known):
            raise UsageError(f"{ill} of {len(known)} known places with the finding", wanted="some with, some without")
        return cls(labels.shape[1], classes, ill / len(known))

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> DetectionHead:
        """The head that :meth:`as_dict` described; TypeError or UsageError where it describes none."""
        return cls(**{key: v for key, v in told.items() if key != "kind"})

    def as_dict(self) -> dict[str, Any]:
        """As plain data, for ``network.json``."""
        return {"kind": KIND, **asdict(self)}

    @property
    def each(self) -> int:
        """Numbers a place."""
        return 1 if self.classes == 2 else self.classes

    @property
    def outputs(self) -> int:
        """How many numbers a network must answer with: those of the first place, then those of the next."""
        return self.places * self.each

    @property
    def start(self) -> Tensor:
        """(outputs,) the answer that gives every place the training people's prevalence; even odds where unknown."""
        if not self.prevalence:
            return torch.zeros(self.outputs)
        odds = math.log(self.prevalence / (1 - self.prevalence))
        one = [odds] if self.each == 1 else [0.0, *[odds - math.log(self.classes - 1)] * (self.classes - 1)]
        return torch.tensor(one * self.places)

    def begin(self, last: nn.Linear) -> None:
        """Has a network begin with the training people's prevalence, by the bias of its last layer."""
        with torch.no_grad():
            last.bias.copy_(self.start)

    def probabilities(self, raw: Tensor) -> Tensor:
        """(N, places, classes) of each grade, from answers (N, outputs); NaN where a place was not there."""
        z = self._answers(raw)
        z = z.masked_fill(z.isneginf(), math.nan)
        if self.each > 1:
            return z.softmax(2)
        p = z.sigmoid()
        return torch.cat([1 - p, p], 2)

    def probability(self, raw: Tensor) -> Tensor:
        """(N, places) that the finding is there, of whatever grade."""
        return self.probabilities(raw)[:, :, 1:].sum(2)

    def cost(self, raw: Tensor, targets: Tensor) -> Tensor:
        """What training makes small: the mean cross-entropy of the places that are there and known; 0 without any.

        ``targets`` has shape (N, places): 0 or 1, or the grade.
        """
        z = self._answers(raw)
        if targets.shape != z.shape[:2]:
            raise UsageError(f"labels of shape {tuple(targets.shape)}", wanted=str(tuple(z.shape[:2])))
        known = ~torch.isnan(targets) & ~z.isneginf().any(2)
        if not known.any():
            return z.masked_fill(z.isneginf(), 0).sum() * 0
        answers, labels = z[known], targets[known]
        if ((labels < 0) | (labels >= self.classes) | (labels != labels.round())).any():
            raise TableError(f"labels from {float(labels.min()):g} to {float(labels.max()):g}",
                             wanted=f"whole numbers from 0 to {self.classes - 1}")  # fmt: skip
        if self.each == 1:
            return F.binary_cross_entropy_with_logits(answers[:, 0], labels.to(z.dtype))
        return F.cross_entropy(answers, labels.long())

    def said(self, raw: Tensor) -> Tensor:
        """(N, places) the probability of the finding; NaN where a place was not there."""
        return self.probability(raw)

    def figure(self, said: Array, targets: Array) -> float:
        """The area under the ROC curve over all places that are there and known."""
        known = np.isfinite(said) & np.isfinite(targets)
        return area(said[known], targets[known] > 0)

    @property
    def measure(self) -> Measure:
        """What validation people are judged by, beside the cost."""
        return Measure("auroc", "AUROC", digits=3, rising=True)

    def _answers(self, raw: Tensor) -> Tensor:
        require_columns(raw, self.outputs)
        return exact(raw).view(len(raw), self.places, self.each)
