"""How risk is read from a network's last number by Cox's model: a log hazard ratio, and a baseline learned after it.

Sources: Cox 1972 and 1975; Efron, JASA 1977 (ties); Breslow 1974 (baseline); Faraggi and Simon, Statistics in Medicine
1995, and Katzman et al., DeepSurv, BMC Medical Research Methodology 2018 (the partial likelihood of a network).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from spineclock.core.errors import TableError, UsageError
from spineclock.core.volume import Array
from spineclock.nets.follow_up import CONCORDANCE, FollowUp, concordance, exact, require_columns
from spineclock.nets.heads import Measure

Ties = Literal["efron", "breslow"]
KIND = "cox"


@dataclass(frozen=True)
class Baseline:
    """A cumulative hazard in steps: that of people of whom the network answers 0."""

    years: tuple[float, ...]
    hazard: tuple[float, ...]

    @property
    def jumps(self) -> Tensor:
        """(steps,) by how much the hazard rises at each."""
        return torch.tensor((0.0, *self.hazard), dtype=torch.float64).diff()


@dataclass(frozen=True)
class CoxHead:
    """A network's answer as the logarithm of a hazard ratio, one number a cause.

    The partial likelihood compares those with the event with those still at risk in the same batch, so that batches
    should be large: one without an event, or of one person, teaches nothing. It says who is at higher risk, not how
    high that is: after training :meth:`with_baseline` learns the rest from the training people.

    Parameters
    ----------
    causes : 1 or 2
        1: the event alone; risks are those of a life without a competing one. 2: a ratio for either, and risks in the
        presence of both.
    ties : "efron" or "breslow"
    baselines : tuple of Baseline
        One a cause, once they are known.

    Examples
    --------
    >>> head, raw = CoxHead(), torch.zeros(3, 1)
    >>> people = torch.tensor([[1.0, 1], [2, 1], [3, 0]])
    >>> round(head.cost(raw, people).item(), 4)  # (log 3 + log 2)/2
    0.8959
    >>> round(head.with_baseline(raw, people).risk(raw, 2.0)[0].item(), 4)  # 1 − exp(−1/3 − 1/2)
    0.5654
    """

    causes: int = 1
    ties: Ties = "efron"
    baselines: tuple[Baseline, ...] = ()

    def __post_init__(self) -> None:
        if self.causes not in (1, 2) or self.ties not in get_args(Ties):
            raise UsageError(f"{self.causes} causes, ties {self.ties!r}",
                             wanted=f"1 or 2 causes, ties {' or '.join(get_args(Ties))}")  # fmt: skip
        if self.baselines and len(self.baselines) != self.causes:
            raise UsageError(f"{len(self.baselines)} baselines for {self.causes} causes", wanted="one each, or none")

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> CoxHead:
        """The head that :meth:`as_dict` described; TypeError or UsageError where it describes none."""
        values = {key: v for key, v in told.items() if key != "kind"}
        steps = tuple(Baseline(tuple(b["years"]), tuple(b["hazard"])) for b in values.get("baselines", ()))
        return cls(**{**values, "baselines": steps})

    def as_dict(self) -> dict[str, Any]:
        """As plain data, for ``network.json``."""
        steps = [{"years": list(b.years), "hazard": list(b.hazard)} for b in self.baselines]
        return {"kind": KIND, "causes": self.causes, "ties": self.ties, "baselines": steps}

    @property
    def outputs(self) -> int:
        """How many numbers a network must answer with: one a cause."""
        return self.causes

    @property
    def start(self) -> Tensor:
        """(outputs,) ratios of 1."""
        return torch.zeros(self.outputs)

    def begin(self, last: nn.Linear) -> None:
        """Has a network begin without an offset, which the partial likelihood could not tell."""
        nn.init.zeros_(last.bias)

    def cost(self, raw: Tensor, targets: Tensor) -> Tensor:
        """What training makes small: the negative partial log-likelihood over the events of the batch; 0 without any.

        ``raw`` has shape (N, outputs), ``targets`` (N, 2), see :class:`~spineclock.nets.follow_up.FollowUp`. Of two
        causes each is lost where the other comes first; their likelihoods are added.
        """
        require_columns(raw, self.outputs)
        seen = FollowUp.of(targets)
        raw, years = exact(raw)[seen.known], seen.years[seen.known]
        likelihood, events = raw.sum() * 0, 0
        for k in range(self.causes):
            had = seen.ended_with(k + 1)[seen.known]
            likelihood = likelihood + _partial(raw[:, k], years, had, efron=self.ties == "efron")
            events += int(had.sum())
        return -likelihood / max(1, events)

    def with_baseline(self, raw: Tensor, targets: Tensor) -> CoxHead:
        """The head that knows Breslow's baseline hazard, from the training people's answers (N, outputs) and follow-up.

        Raises
        ------
        TableError
            If nobody among them has the event, or one of each cause.
        """
        require_columns(raw, self.outputs)
        seen = FollowUp.of(targets, dtype=torch.float64)
        score, years = raw.detach().double()[seen.known].cpu(), seen.years[seen.known].cpu()
        found = []
        for k in range(self.causes):
            had = seen.ended_with(k + 1)[seen.known].cpu()
            if not had.any():
                raise TableError(f"nobody of {len(years)} people ended with cause {k + 1}", wanted="some of each")
            found.append(_breslow(score[:, k], years, had))
        return replace(self, baselines=tuple(found))

    def risks(self, raw: Tensor, horizons_years: Sequence[float], *, cause: int = 1) -> Tensor:
        """(N, horizons) the probability of the event by each horizon, from answers (N, outputs).

        With two causes it is the cumulative incidence: at each step those without an event so far have one with
        1 − exp(−both hazards), shared out by the hazards.

        Raises
        ------
        UsageError
            If there is no baseline yet, no such cause, or a horizon is negative.
        """
        require_columns(raw, self.outputs)
        if not self.baselines or not 1 <= cause <= self.causes:
            raise UsageError(f"the risk of cause {cause}, {len(self.baselines)} baselines known",
                             wanted=f"cause 1 to {self.causes}, after with_baseline")  # fmt: skip
        if min(horizons_years) < 0:
            raise UsageError(f"a horizon of {min(horizons_years):g} years", wanted="0 or more")
        ratio = raw.double().exp().cpu()  # N causes
        years = torch.cat([torch.tensor(b.years, dtype=torch.float64) for b in self.baselines])
        of = torch.repeat_interleave(torch.arange(self.causes), torch.tensor([len(b.years) for b in self.baselines]))
        order = torch.argsort(years, stable=True)
        years, of = years[order], of[order]
        step = torch.cat([b.jumps for b in self.baselines])[order] * ratio[:, of]  # N steps
        # the steps of one time, one a cause, count as one: each has its share of those who have either
        times, at = torch.unique(years, return_inverse=True)
        every = torch.zeros(len(ratio), len(times), dtype=step.dtype).index_add(1, at, step)
        own = torch.zeros_like(every).index_add(1, at, step * (of == cause - 1))
        free = torch.exp(every - every.cumsum(1))  # just before each time
        came = (free * -torch.expm1(-every) * own / every.clamp_min(1e-300)).cumsum(1)  # N times
        came = torch.cat([torch.zeros(len(came), 1, dtype=came.dtype), came], 1)
        places = torch.bucketize(torch.tensor([*map(float, horizons_years)], dtype=torch.float64), times, right=True)
        return came[:, places].to(exact(raw))

    def risk(self, raw: Tensor, horizon_years: float, *, cause: int = 1) -> Tensor:
        """(N,) the probability of the event by one horizon; see :meth:`risks`."""
        return self.risks(raw, [horizon_years], cause=cause)[:, 0]

    def said(self, raw: Tensor) -> Tensor:
        """(N, outputs) the logarithms of the hazard ratios."""
        return exact(raw)

    def figure(self, said: Array, targets: Array) -> float:
        """Harrell's c of the event's hazard ratio."""
        return concordance(said[:, 0], targets)

    @property
    def measure(self) -> Measure:
        """What validation people are judged by, beside the cost: Harrell's c."""
        return CONCORDANCE


def _partial(score: Tensor, years: Tensor, had: Tensor, *, efron: bool) -> Tensor:
    """Cox's partial log-likelihood; shapes (n,). 0 without events.

    Of d events at a time the l-th (from 0) has l/d of those events taken out of its risk set (Efron), or nothing.
    """
    if not had.any():
        return score.sum() * 0
    order = torch.argsort(years)
    s, t, e = score[order], years[order], had[order]
    top = s.detach().max()
    weight = torch.exp(s - top)
    _, of, counts = torch.unique_consecutive(t, return_inverse=True, return_counts=True)
    first = (counts.cumsum(0) - counts)[of]  # of each row's time
    at_risk = weight.flip(0).cumsum(0).flip(0)[first]
    if efron:
        tied = torch.zeros(len(counts), dtype=s.dtype, device=s.device).index_add(0, of, weight * e)[of]
        so_far = e.cumsum(0)
        place = so_far - 1 - (so_far - e.long())[first]  # among the events of its time
        share = place / torch.zeros_like(counts).index_add(0, of, e.long())[of].clamp_min(1)
        at_risk = at_risk - share * tied
    return (s[e] - top - torch.log(at_risk[e])).sum()


def _breslow(score: Tensor, years: Tensor, had: Tensor) -> Baseline:
    """The cumulative hazard of those of score 0, in steps at the times of events."""
    order = torch.argsort(years)
    s, t, e = score[order], years[order], had[order]
    top = float(s.max())
    times, of, counts = torch.unique_consecutive(t, return_inverse=True, return_counts=True)
    at_risk = torch.exp(s - top).flip(0).cumsum(0).flip(0)[counts.cumsum(0) - counts]
    events = torch.zeros(len(times), dtype=torch.float64).index_add(0, of, e.double())
    hazard = (events / at_risk).cumsum(0) * math.exp(-top)
    stepped = events > 0
    return Baseline(tuple(times[stepped].tolist()), tuple(hazard[stepped].tolist()))
