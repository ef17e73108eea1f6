"""Follow-up as training is told it: a row a person, how long they were followed and how it ended.

Rows of follow-up are tensors of shape (N, 2): years from the scan, and the ending (0 lost to follow-up, 1 the event,
2 another that rules it out, such as death), as in :mod:`spineclock.stats.survival`. The years are NaN where nobody
knows: such a row teaches nothing.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from spineclock.core.errors import TableError, UsageError
from spineclock.core.volume import Array
from spineclock.nets.heads import Measure

CONCORDANCE = Measure("c", "c", digits=3, rising=True)
"""What heads of follow-up are judged by in training: :func:`concordance`."""


class FollowUp(NamedTuple):
    """Who was followed for how long, and how it ended."""

    years: Tensor
    """(N,) 0 where unknown."""
    cause: Tensor
    """(N,) int64: 0 lost to follow-up, 1 the event, 2 one that rules it out."""
    known: Tensor
    """(N,) bool."""

    @classmethod
    def of(cls, targets: Tensor, *, dtype: torch.dtype | None = None) -> FollowUp:
        """From rows of (years, ending), shape (N, 2).

        Raises
        ------
        UsageError
            If the shape is another.
        TableError
            If years are negative or infinite, or an ending is none of 0, 1 and 2.

        Examples
        --------
        >>> FollowUp.of(torch.tensor([[2.5, 1.0], [float("nan"), float("nan")]])).known.tolist()
        [True, False]
        """
        if targets.dim() != 2 or targets.shape[1] != 2:
            raise UsageError(f"follow-up of shape {tuple(targets.shape)}", wanted="(people, 2): years and ending")
        years, cause = targets.to(dtype or targets.dtype).unbind(1)
        known = ~torch.isnan(years)
        wrong = known & ~((years >= 0) & torch.isfinite(years))
        if wrong.any():
            raise TableError(f"a follow-up of {float(years[wrong][0]):g} years", wanted="0 or more from the scan on")
        strange = known & ~((cause == 0) | (cause == 1) | (cause == 2))
        if strange.any():
            raise TableError(f"a follow-up that ended with {float(cause[strange][0]):g}",
                             wanted="0 (lost), 1 (the event) or 2 (one that rules it out)")  # fmt: skip
        return cls(torch.where(known, years, 0), torch.where(known, cause, 0).long(), known)

    def ended_with(self, cause: int) -> Tensor:
        """(N,) bool: who had this event."""
        return self.known & (self.cause == cause)


def exact(raw: Tensor) -> Tensor:
    """In float32 at least: probabilities of a few in a hundred, and sums over a batch, are not for bfloat16.

    >>> exact(torch.zeros(1, dtype=torch.bfloat16)).dtype
    torch.float32
    """
    return raw.float() if raw.dtype in (torch.bfloat16, torch.float16) else raw


def require_columns(raw: Tensor, outputs: int) -> None:
    """A UsageError where a network answered with another number of columns than its head reads."""
    if raw.dim() != 2 or raw.shape[1] != outputs:
        raise UsageError(f"answers of shape {tuple(raw.shape)}", wanted=f"(people, {outputs})",
                         remedy="build the network with the head's outputs")  # fmt: skip


def concordance(score: npt.ArrayLike, targets: Array, *, until_years: float = math.inf) -> float:
    """Harrell's c, to watch a training by; :mod:`spineclock.stats.survival` has the one to report, with its interval.

    Of pairs of whom one had the event (by ``until_years``) before the other's follow-up ended, the share in which that
    one has the higher score, equal ones counting half. Those whom another event ruled out never have it. NaN where
    there is no pair.

    >>> concordance([3, 2, 2, 1], np.array([[1.0, 1], [2, 1], [3, 0], [0.5, 2]]))  # 3 and 1.5 of 5
    0.9
    """
    x, (t, how) = np.asarray(score, dtype=np.float64), np.asarray(targets, dtype=np.float64).T
    known = ~np.isnan(t)
    x, t, how = x[known], t[known], how[known]
    right = pairs = 0.0
    for i in np.flatnonzero((how == 1) & (t <= until_years)):
        others = x[(t > t[i]) | ((t == t[i]) & (how == 0)) | (how == 2)]
        right += float((x[i] > others).sum() + (x[i] == others).sum() / 2)
        pairs += len(others)
    return right / pairs if pairs else math.nan
