"""How processes that share a training come to stop after the same step."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from lightning.fabric import Fabric

ASKED_EVERY_S = 5.0
"""A cluster waits half a minute, by default, between asking a program to end and killing it."""
MOST_STEPS = 50
"""Between two askings, however short the steps: what asking costs is little beside so many."""


@dataclass
class SharedStop:
    """Whether any of the processes was asked to stop; after each step the same answer in all of them.

    Each calls it once a step. They ask one another after the first step, and then after as many as took the slowest of
    them about ``every_s`` seconds: these steps are agreed upon in the asking itself, so that none is waited for in
    between. Once it is yes it stays yes. A process alone asks nobody, and at each step.

    Parameters
    ----------
    fabric : lightning.fabric.Fabric
        Launched.
    stop : function
        Whether this process was asked to stop.
    every_s : float
        Seconds between askings.
    clock : function
        The time in seconds.
    """

    fabric: Fabric
    stop: Callable[[], bool]
    every_s: float = ASKED_EVERY_S
    clock: Callable[[], float] = time.monotonic
    _steps: int = field(default=1, init=False)
    _done: int = field(default=0, init=False)
    _agreed: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._asked_s = self.clock()

    def __call__(self) -> bool:
        """Whether to stop now."""
        if self.fabric.world_size == 1:
            return self.stop()
        self._done += 1
        if self._agreed or self._done < self._steps:
            return self._agreed
        step_s = (self.clock() - self._asked_s) / self._done
        steps = min(MOST_STEPS, max(1, int(self.every_s / step_s))) if step_s > 0 else MOST_STEPS
        told = self.fabric.all_reduce(torch.tensor([float(self.stop()), -float(steps)]), reduce_op="max")
        assert isinstance(told, torch.Tensor)
        self._agreed, self._steps = bool(told[0] > 0), -int(told[1])
        self._done, self._asked_s = 0, self.clock()
        return self._agreed
