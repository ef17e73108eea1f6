"""One network for what is there now and what will come: a detection head and a head of follow-up, learned together.

Sources: seed 004 (detection, then detection and time to fracture together); Kendall, Gal and Cipolla, CVPR 2018,
equation 10 (costs weighted by each task's uncertainty, which is learned).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from spineclock.core.errors import UsageError
from spineclock.core.volume import Array
from spineclock.nets import cox_head, hazard_head
from spineclock.nets.cox_head import CoxHead
from spineclock.nets.detection_head import DetectionHead
from spineclock.nets.follow_up import exact, require_columns
from spineclock.nets.hazard_head import HazardHead
from spineclock.nets.heads import Measure

Weighting = Literal["fixed", "uncertainty"]
KIND = "multitask"
_SURVIVAL: Mapping[str, type[HazardHead] | type[CoxHead]] = {hazard_head.KIND: HazardHead, cox_head.KIND: CoxHead}


class Costs(NamedTuple):
    """What each task costs, unweighted; None where it is not learned."""

    detection: Tensor | None
    survival: Tensor | None


class TaskWeights(nn.Module):
    """Adds each task's log-variance to a network's answers, the same for everybody: its last layer, after all heads.

    So they are parameters of the network that is trained: optimiser, checkpoint and :meth:`MultitaskHead.cost` find
    them where everything else is.

    Examples
    --------
    >>> TaskWeights(2)(torch.ones(3, 5)).shape
    torch.Size([3, 7])
    """

    def __init__(self, tasks: int = 2) -> None:
        super().__init__()
        self.log_variances = nn.Parameter(torch.zeros(tasks))

    def forward(self, answers: Tensor) -> Tensor:
        """(N, k) → (N, k + tasks)."""
        return torch.cat([answers, self.log_variances.to(answers.dtype).expand(len(answers), -1)], 1)


@dataclass(frozen=True)
class MultitaskHead:
    """What the answer of a network of both tasks means, and the total that training makes small.

    Answers and targets lie side by side: those of detection, then those of follow-up, then (answers alone) the two
    log-variances of :class:`TaskWeights`. Targets always end with the two columns of follow-up, so that one table of
    targets feeds all variants.

    Parameters
    ----------
    detection, survival : heads
        None for a network of the other task alone.
    weighting : "fixed" or "uncertainty"
        detection + λ · survival; or the sum of exp(−s) · cost + s/2 over both, the log-variance s of each being
        learned. Then a task that is hard to tell counts less, and s = log(2 · cost) at rest.
    survival_weight : float
        λ of the fixed weighting; with 0 follow-up is answered but nothing is learned from it.

    Examples
    --------
    >>> head = MultitaskHead(DetectionHead(), HazardHead((0.0, 5.0)))
    >>> head.outputs
    2
    >>> raw, targets = torch.zeros(1, 2), torch.tensor([[1.0, 5.0, 0.0]])  # a fracture now, none in five years
    >>> [round(c.item(), 4) for c in head.costs(raw, targets)], round(head.cost(raw, targets).item(), 4)
    ([0.6931, 0.6931], 1.3863)
    """

    detection: DetectionHead | None
    survival: HazardHead | CoxHead | None
    weighting: Weighting = "fixed"
    survival_weight: float = 1.0

    def __post_init__(self) -> None:
        tasks = [task for task in (self.detection, self.survival) if task is not None]
        if not tasks or self.weighting not in get_args(Weighting):
            raise UsageError(f"{len(tasks)} tasks, weighting {self.weighting!r}",
                             wanted=f"one task or both, weighting {' or '.join(get_args(Weighting))}")  # fmt: skip
        if self.weighting == "uncertainty" and len(tasks) < 2:
            raise UsageError("one task weighted against nothing", wanted="both tasks, or fixed weights")
        if not math.isfinite(self.survival_weight) or self.survival_weight < 0:
            raise UsageError(f"follow-up weighted by {self.survival_weight}", wanted="0 or more")

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> MultitaskHead:
        """The head that :meth:`as_dict` described; TypeError, KeyError or UsageError where it describes none."""
        values = {key: v for key, v in told.items() if key not in ("kind", "detection", "survival")}
        detection, survival = told["detection"], told["survival"]
        return cls(
            None if detection is None else DetectionHead.from_dict(detection),
            None if survival is None else _SURVIVAL[survival["kind"]].from_dict(survival),
            **values,
        )

    def as_dict(self) -> dict[str, Any]:
        """As plain data, for ``network.json``."""
        return {
            "kind": KIND,
            "detection": None if self.detection is None else self.detection.as_dict(),
            "survival": None if self.survival is None else self.survival.as_dict(),
            "weighting": self.weighting,
            "survival_weight": self.survival_weight,
        }

    @property
    def task_weights(self) -> int:
        """How many log-variances :class:`TaskWeights` must add to the network's answers."""
        return 2 if self.weighting == "uncertainty" else 0

    @property
    def answers(self) -> int:
        """How many numbers the tasks read."""
        return sum(task.outputs for task in (self.detection, self.survival) if task is not None)

    @property
    def outputs(self) -> int:
        """How many numbers a network must answer with, log-variances included."""
        return self.answers + self.task_weights

    @property
    def start(self) -> Tensor:
        """(answers,) what is known of everybody before anything is learned: prevalence and rates."""
        return torch.cat([task.start for task in (self.detection, self.survival) if task is not None])

    def begin(self, last: nn.Linear) -> None:
        """Has a network begin with what is known of everybody, by the bias of the layer that makes all answers.

        A network whose answers come from several layers begins by its own :meth:`begin
        <spineclock.nets.ct.CtNet.begin>`, with :attr:`start`.

        Raises
        ------
        UsageError
            If the layer makes some of the answers only.
        """
        if last.out_features != self.answers:
            raise UsageError(f"a layer that makes {last.out_features} of {self.answers} answers", wanted="all of them",
                             remedy="net.begin(head.start)")  # fmt: skip
        with torch.no_grad():
            last.bias.copy_(self.start)

    def probability(self, raw: Tensor) -> Tensor:
        """(N, places) that the finding is there."""
        return _told(self.detection, "detection").probability(self._split(raw)[0])

    def risks(self, raw: Tensor, horizons_years: Sequence[float], *, cause: int = 1) -> Tensor:
        """(N, horizons) the probability of the event by each horizon."""
        return _told(self.survival, "follow-up").risks(self._split(raw)[1], horizons_years, cause=cause)

    def with_baseline(self, raw: Tensor, targets: Tensor) -> MultitaskHead:
        """The head with the baseline hazard of the training people, where it reads follow-up by Cox's model."""
        if not isinstance(self.survival, CoxHead):
            return self
        return replace(self, survival=self.survival.with_baseline(self._split(raw)[1], targets[:, -2:]))

    def costs(self, raw: Tensor, targets: Tensor) -> Costs:
        """Each task's cost, a mean over those it knows; ``targets`` (N, places + 2): labels, then years and ending."""
        detected, followed, _ = self._split(raw)
        return Costs(
            None if self.detection is None else self.detection.cost(detected, targets[:, :-2]),
            None if self.survival is None else self.survival.cost(followed, targets[:, -2:]),
        )

    def cost(self, raw: Tensor, targets: Tensor) -> Tensor:
        """What training makes small: both tasks' costs, weighted."""
        detection, survival = self.costs(raw, targets)
        if detection is None or survival is None:
            alone = survival if detection is None else detection
            assert alone is not None
            return alone
        if self.weighting == "fixed":
            return detection + self.survival_weight * survival
        s = self._split(raw)[2].mean(0)  # the same in each row
        both = torch.stack([detection, survival])
        return (torch.exp(-s) * both + s / 2).sum()

    def said(self, raw: Tensor) -> Tensor:
        """What each task says, side by side: probabilities, then risks by interval or log hazard ratios."""
        detected, followed, _ = self._split(raw)
        return torch.cat([task.said(part) for task, part in
                          ((self.detection, detected), (self.survival, followed)) if task is not None], 1)  # fmt: skip

    def figure(self, said: Array, targets: Array) -> float:
        """Harrell's c of follow-up; the AUROC where only detection is learned."""
        if self.survival is None or (self.detection is not None and self.survival_weight == 0):
            assert self.detection is not None
            return self.detection.figure(said[:, : self.detection.places], targets[:, :-2])
        places = 0 if self.detection is None else self.detection.places
        return self.survival.figure(said[:, places:], targets[:, -2:])

    @property
    def measure(self) -> Measure:
        """What validation people are judged by, beside the cost."""
        if self.survival is None or (self.detection is not None and self.survival_weight == 0):
            assert self.detection is not None
            return self.detection.measure
        return self.survival.measure

    def _split(self, raw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Answers of detection, of follow-up, and log-variances."""
        require_columns(raw, self.outputs)
        own = 0 if self.detection is None else self.detection.outputs
        detected, followed, weights = exact(raw).tensor_split((own, self.answers), dim=1)
        return detected, followed, weights


def _told(task: Any, what: str) -> Any:
    if task is None:
        raise UsageError(f"a network without {what}", wanted="one that was trained for it")
    return task
