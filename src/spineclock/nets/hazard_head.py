"""How the risk of an event within the coming years is read from a network's last numbers: a hazard in each interval.

Sources: Cox 1972, section 6, and Gensheimer and Narasimhan, PeerJ 2019 (a logit of the conditional hazard an interval);
Holford, Biometrics 1976, and Friedman, Annals of Statistics 1982 (the likelihood where the hazard is constant within an
interval); Prentice et al., Biometrics 1978 (causes).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spineclock.core.errors import TableError, UsageError
from spineclock.core.volume import Array
from spineclock.nets.follow_up import CONCORDANCE, FollowUp, concordance, exact, require_columns
from spineclock.nets.heads import Measure

Timing = Literal["exact", "interval"]
KIND = "hazard"
YEARLY = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)
"""Edges of the intervals, in years."""
_SMALL = 1e-6
"""Cumulative hazards below this are taken as their own risk where a ratio of the two is asked for."""


@dataclass(frozen=True)
class HazardHead:
    """A network's answer as conditional hazards: σ(z) is the chance of the event in an interval, free of it so far.

    Intervals are open at the left and closed at the right; the hazard is constant within each. So −log(1 − σ(z)) is
    what the rate adds up to over a whole interval, and those followed for a part of one count for that part: followed
    for a quarter of it without the event, the likelihood is (1 − σ)^¼. Nobody is left out for being lost early, and
    nobody is taken as free of the event for longer than was seen. Follow-up ends with the last interval.

    Parameters
    ----------
    edges_years : tuple of float
        From 0, rising: n + 1 for n intervals.
    causes : 1 or 2
        1: the event alone; those who end with one that rules it out (death) are taken as lost then, and risks are those
        of a life without it. 2: a hazard of either, and risks in the presence of both, as Aalen and Johansen's are.
    timing : "exact" or "interval"
        Whether the time of an event within its interval counts, or only the interval (dates known to the year, yearly
        visits). The first is the full likelihood of dated events. The second counts an event in its interval as
        seen at its end, which is right where people are lost between intervals and not within them; where they are lost
        within them its hazards are too low, by up to their own square.
    rates_per_year : tuple of float
        In the training people, causes × intervals; where training begins (:meth:`begin`).

    Examples
    --------
    >>> head = HazardHead((0.0, 1.0, 3.0))
    >>> raw = torch.logit(torch.tensor([[0.1, 0.19]], dtype=torch.float64))
    >>> head.outputs, head.hazards(raw).round(decimals=4).tolist()
    (2, [[[0.1, 0.19]]])
    >>> head.risks(raw, [1.0, 2.0, 3.0]).round(decimals=4).tolist()  # 0.9 · √0.81 = 0.81 free of it at two years
    [[0.1, 0.19, 0.271]]
    """

    edges_years: tuple[float, ...] = YEARLY
    causes: int = 1
    timing: Timing = "exact"
    rates_per_year: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        edges = self.edges_years
        if len(edges) < 2 or edges[0] != 0 or not all(a < b < math.inf for a, b in pairwise(edges)):
            raise UsageError(f"intervals with the edges {edges} years", wanted="0 first, then rising numbers")
        if self.causes not in (1, 2) or self.timing not in get_args(Timing):
            raise UsageError(f"{self.causes} causes, timing {self.timing!r}",
                             wanted=f"1 or 2 causes, timing {' or '.join(get_args(Timing))}")  # fmt: skip
        if self.rates_per_year and (len(self.rates_per_year) != self.outputs or min(self.rates_per_year) <= 0):
            raise UsageError(f"the rates {self.rates_per_year}", wanted=f"{self.outputs} above 0, or none")

    @classmethod
    def of(cls, targets: Tensor, *, edges_years: Sequence[float] = YEARLY, causes: int = 1,
           timing: Timing = "exact") -> HazardHead:  # fmt: skip
        """The head for training people, (N, 2) of :class:`~spineclock.nets.follow_up.FollowUp`.

        Each interval's rate is that of its events and years, drawn to the whole follow-up's by one person's weight.

        Raises
        ------
        TableError
            If nobody among them has the event, or one of each cause.

        Examples
        --------
        >>> rates = HazardHead.of(torch.tensor([[0.5, 1.0], [2.0, 0.0]]), edges_years=(0, 1, 2)).rates_per_year
        >>> [round(r, 3) for r in rates]  # one event and none in 1.5 years and one; 0.4 a year in all
        [0.56, 0.2]
        """
        head = cls(tuple(map(float, edges_years)), causes, timing)
        seen = FollowUp.of(targets, dtype=torch.float64)
        had, followed = head._had(seen), head._followed(seen) * head._widths(seen.years)
        counts, years = had.sum(0).double(), followed.sum(0)  # causes intervals, intervals
        if (counts.sum(1) == 0).any():
            raise TableError(
                f"{counts.sum(1).int().tolist()} events by cause within {head.edges_years[-1]:g} years, "
                f"{int(seen.known.sum())} people",
                wanted="some of each cause",
                remedy="train on more people, or with longer intervals",
            )
        overall = (counts.sum(1) / years.sum())[:, None]
        rates = (counts + overall) / (years + 1)
        return cls(head.edges_years, causes, timing, tuple(rates.flatten().tolist()))

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> HazardHead:
        """The head that :meth:`as_dict` described; TypeError or UsageError where it describes none."""
        values: dict[str, Any] = {key: v for key, v in told.items() if key != "kind"}
        tuples = {key: tuple(v) for key, v in values.items() if isinstance(v, list)}
        return cls(**{**values, **tuples})

    def as_dict(self) -> dict[str, Any]:
        """As plain data, for ``network.json``."""
        return {"kind": KIND, **{key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}}

    @property
    def intervals(self) -> int:
        """How many."""
        return len(self.edges_years) - 1

    @property
    def outputs(self) -> int:
        """How many numbers a network must answer with: the intervals of the event, then those of the competing one."""
        return self.causes * self.intervals

    @property
    def start(self) -> Tensor:
        """(outputs,) the answer that says the training people's rates of everybody; 0 where there are none.

        >>> head = HazardHead((0.0, 1.0), rates_per_year=(0.02,))
        >>> round(float(head.risk(head.start[None], 1.0)), 4)
        0.0198
        """
        if not self.rates_per_year:
            return torch.zeros(self.outputs)
        rates = torch.tensor(self.rates_per_year, dtype=torch.float64).view(self.causes, -1)
        return torch.log(torch.expm1(rates * self._widths(rates))).flatten().float()

    def begin(self, last: nn.Linear) -> None:
        """Has a network begin with the training people's rates, by the bias of its last layer."""
        with torch.no_grad():
            last.bias.copy_(self.start)

    def hazards(self, raw: Tensor) -> Tensor:
        """(N, causes, intervals) each cause's conditional hazard, as if it were alone, from answers (N, outputs)."""
        return torch.sigmoid(self._logits(raw))

    def risks(self, raw: Tensor, horizons_years: Sequence[float], *, cause: int = 1) -> Tensor:
        """(N, horizons) the probability of the event by each horizon.

        With two causes it is the cumulative incidence: of those who die first nobody has the event.

        Raises
        ------
        UsageError
            If a horizon lies beyond the last interval, or there is no such cause.
        """
        if not 1 <= cause <= self.causes:
            raise UsageError(f"the risk of cause {cause}", wanted=f"1 to {self.causes}")
        each = F.softplus(self._logits(raw))  # N causes intervals
        every = each.sum(1)  # N intervals
        out = []
        for horizon in horizons_years:
            part = self._part(float(horizon), every)  # intervals
            passed = part * every
            free = torch.exp(passed - passed.cumsum(1))  # at each interval's beginning
            # of those with either event in the interval, this cause has its share of the rate
            share = torch.where(every > _SMALL, -torch.expm1(-passed) / every.clamp_min(_SMALL), part)
            out.append((free * share * each[:, cause - 1]).sum(1))
        return torch.stack(out, 1)

    def risk(self, raw: Tensor, horizon_years: float, *, cause: int = 1) -> Tensor:
        """(N,) the probability of the event by one horizon; see :meth:`risks`."""
        return self.risks(raw, [horizon_years], cause=cause)[:, 0]

    def event_free(self, raw: Tensor, horizons_years: Sequence[float]) -> Tensor:
        """(N, horizons) the probability of no event of any cause by each horizon."""
        every = F.softplus(self._logits(raw)).sum(1)
        return torch.stack([torch.exp(-(self._part(float(h), every) * every).sum(1)) for h in horizons_years], 1)

    def said(self, raw: Tensor) -> Tensor:
        """(N, intervals) the risk by the end of each interval."""
        return self.risks(raw, self.edges_years[1:])

    def figure(self, said: Array, targets: Array) -> float:
        """Harrell's c of the risk by the end of the last interval."""
        return concordance(said[:, -1], targets, until_years=self.edges_years[-1])

    @property
    def measure(self) -> Measure:
        """What validation people are judged by, beside the cost: Harrell's c."""
        return CONCORDANCE

    def cost(self, raw: Tensor, targets: Tensor) -> Tensor:
        """What training makes small: the mean negative log-likelihood of those with a follow-up; 0 without any.

        ``targets`` has shape (N, 2), see :class:`~spineclock.nets.follow_up.FollowUp`.
        """
        z = self._logits(raw)  # N causes intervals
        seen = FollowUp.of(targets, dtype=z.dtype)
        had, followed = self._had(seen), self._followed(seen)
        every = F.softplus(z).sum(1)  # N intervals
        told = _log_softplus(z) - torch.log(self._widths(z))
        if self.timing == "interval":  # somewhere in its interval, wherever: (1 − exp(−H))·Hₖ/H
            followed = torch.where(had.any(1), 0, followed)
            told = _log_softplus(z) + _log_share(every)[:, None]
        likelihood = (told * had).sum((1, 2)) - (followed * every).sum(1)
        return -(likelihood * seen.known).sum() / seen.known.sum().clamp_min(1)

    def _logits(self, raw: Tensor) -> Tensor:
        require_columns(raw, self.outputs)
        return exact(raw).view(len(raw), self.causes, self.intervals)

    def _had(self, seen: FollowUp) -> Tensor:
        """(N, causes, intervals) bool: where each event lies; nowhere where it came after the last interval."""
        ends = torch.tensor(self.edges_years[1:], dtype=seen.years.dtype, device=seen.years.device)
        at = torch.bucketize(seen.years, ends)  # interval i: edge i < years ≤ edge i + 1
        where = at[:, None] == torch.arange(self.intervals, device=at.device)  # N intervals
        ended = torch.stack([seen.ended_with(k) for k in range(1, self.causes + 1)], 1)
        return ended[:, :, None] & where[:, None]

    def _followed(self, seen: FollowUp) -> Tensor:
        """(N, intervals) which part of each interval a person was at risk in."""
        starts = torch.tensor(self.edges_years[:-1], dtype=seen.years.dtype, device=seen.years.device)
        part = ((seen.years[:, None] - starts) / self._widths(seen.years)).clamp(0, 1)
        return part * seen.known[:, None]

    def _part(self, horizon: float, like: Tensor) -> Tensor:
        """(intervals,) which part of each interval lies before a horizon."""
        if not 0 <= horizon <= self.edges_years[-1]:
            raise UsageError(f"a horizon of {horizon:g} years",
                             wanted=f"0 to {self.edges_years[-1]:g} years (the intervals end there)")  # fmt: skip
        starts = torch.tensor(self.edges_years[:-1], dtype=like.dtype, device=like.device)
        return ((horizon - starts) / self._widths(like)).clamp(0, 1)

    def _widths(self, like: Tensor) -> Tensor:
        return torch.tensor(self.edges_years, dtype=like.dtype, device=like.device).diff()


def _log_softplus(z: Tensor) -> Tensor:
    """The logarithm of log(1 + eᶻ), which for very low z is z itself."""
    low = z < -15
    return torch.where(low, z, torch.log(F.softplus(torch.where(low, -15, z))))


def _log_share(hazard: Tensor) -> Tensor:
    """log((1 − exp(−H))/H), for small H −H/2."""
    small = hazard < _SMALL
    held = torch.where(small, 1, hazard)
    return torch.where(small, -hazard / 2, torch.log(-torch.expm1(-held) / held))
