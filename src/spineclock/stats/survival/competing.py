"""The risk of an event while another can come first, by a Cox model of either: cumulative incidence from both hazards.

Two cause-specific models, and not Fine and Gray's of the subdistribution, because what comes out can be checked against
Aalen and Johansen's incidence, whose version with covariates it is; because the risks of both causes and of neither
always sum to 1, which two Fine–Gray models do not hold to; and because each hazard is one of people still at risk.
Sources: Prentice et al., Biometrics 1978; Benichou and Gail, Biometrics 1990; Austin, Steyerberg and Putter, Statistics
in Medicine 2021 (Fine–Gray risks that sum to more than 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spineclock.core.errors import UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.survival.cox import CoxFit, Ties, cox

_CELLS = 4_000_000


@dataclass(frozen=True, eq=False)
class CauseSpecificFit:
    """Cox models of the same columns, of the event and of the one that rules it out."""

    event: CoxFit
    other: CoxFit | None
    """None where nothing rules the event out."""

    def risks(self, design: npt.ArrayLike, horizons: Sequence[float], *, cause: int = 1) -> Floats:
        """(m, horizons) the probability of having had the event (cause 2: the other one) by each horizon.

        At each time those free of both have one of them with probability 1 − exp(−both hazards' steps), shared out by
        the steps: the exponential of the matrix of transitions.

        Raises
        ------
        UsageError
            If a horizon lies beyond follow-up, or there is no such cause.
        """
        fits = [self.event, *([self.other] if self.other is not None else [])]
        last = float(self.event.sets.time.max())
        wrong = [h for h in horizons if not 0 <= h <= last]
        if wrong or not 1 <= cause <= len(fits):
            raise UsageError(
                f"the risk of cause {cause} by {wrong[0] if wrong else horizons[0]:g} years",
                wanted=f"cause 1 to {len(fits)}, 0 to {last:.4g} years (follow-up ends there)",
            )
        x = np.atleast_2d(np.asarray(design, dtype=np.float64))
        steps = [_steps(fit) for fit in fits]
        times = np.unique(np.concatenate([t for t, _ in steps]))
        jumps = np.zeros((len(fits), len(times)))
        for own, (t, jump) in zip(jumps, steps, strict=True):
            own[np.searchsorted(times, t)] = jump
        ratio = np.exp(np.column_stack([fit.score(x) for fit in fits]))
        size = max(1, _CELLS // len(times))
        at = np.searchsorted(times, np.asarray(horizons, dtype=np.float64), side="right")
        return np.concatenate(
            [_incidence(ratio[i : i + size], jumps, cause - 1)[:, at] for i in range(0, len(x), size)]
        )


def cause_specific(
    design: npt.ArrayLike,
    time: npt.ArrayLike,
    cause: npt.ArrayLike,
    *,
    people: npt.ArrayLike | None = None,
    ties: Ties = "efron",
) -> CauseSpecificFit:
    """The fit of both models, each taking people as lost where the other event comes first.

    Parameters
    ----------
    design : array-like, shape (n, k)
        Columns, without a constant.
    time, cause : array-like, shape (n,)
        Causes: 0 censored, 1 the event, 2 the other one. Where nobody has the other, it has no model.
    people : array-like, shape (n,), optional
        Who each row is of.
    ties : "efron" or "breslow"

    Raises
    ------
    TableError, UsageError
        As :func:`~spineclock.stats.survival.cox.cox`.

    Examples
    --------
    >>> fit = cause_specific([[0.0], [1], [0], [1], [0], [1]], [1, 2, 3, 4, 5, 6], [1, 2, 1, 1, 2, 0])
    >>> fit.risks([[0.0], [1.0]], [3, 6]).round(3).tolist()
    [[0.403, 0.591], [0.189, 0.318]]
    """
    how = np.asarray(cause)
    event = cox(design, time, how == 1, people=people, ties=ties)
    other = cox(design, time, how == 2, people=people, ties=ties) if (how == 2).any() else None
    return CauseSpecificFit(event, other)


def _steps(fit: CoxFit) -> tuple[Floats, Floats]:
    """Event times, and by how much the baseline hazard rises at each."""
    times, hazard = fit.sets.baseline(fit.coefficients)
    return times, np.diff(hazard, prepend=0.0)


def _incidence(ratio: Floats, jumps: Floats, cause: int) -> Floats:
    """(m, times + 1) of a cause, from hazard ratios (m, causes) and baseline steps (causes, times); 0 first."""
    every = ratio @ jumps
    free = np.exp(every - np.cumsum(every, axis=1))  # just before each time
    own = ratio[:, cause, None] * jumps[cause]
    share = -np.expm1(-every) * own / np.where(every > 0, every, 1)
    return np.concatenate([np.zeros((len(ratio), 1)), np.cumsum(free * share, axis=1)], axis=1)
