"""Processes agree on a stop: after the same step, soon after any is asked to, without asking at each step."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from spineclock.learn.stopping import SharedStop


class Meeting:
    """Stands for the Fabrics of two processes, here threads: whoever reduces waits for the other to."""

    world_size = 2

    def __init__(self) -> None:
        self.met = threading.Barrier(2, timeout=20)
        self.told: list[torch.Tensor] = []
        self.times = 0

    def all_reduce(self, tensor: torch.Tensor, *, reduce_op: str) -> torch.Tensor:
        assert reduce_op == "max"
        self.told.append(tensor)
        self.met.wait()
        both = torch.stack(self.told[-2:]).amax(0)
        if self.met.wait() == 0:
            self.times += 1
        return both


def answers(meeting: Any, steps: int, *, step_s: float, asked_at: int | None) -> list[bool]:
    """What a process is told after each of its steps."""
    now, done = 0.0, 0
    stop = SharedStop(meeting, lambda: asked_at is not None and done >= asked_at, clock=lambda: now)
    found = []
    for _ in range(steps):
        now, done = now + step_s, done + 1
        found.append(stop())
    return found


@pytest.mark.parametrize(
    ("step_s", "stops_after", "times"),
    [
        ((0.001, 0.002), 101, 3),  # quick steps: asked after 1, 51, 101
        ((0.4, 0.3), 73, 7),  # after 1, 13, 25 and so on: 12 of the slower process's steps take 5 s
        ((7.0, 7.0), 63, 63),  # after each
    ],
)
def test_two_processes_stop_after_the_same_step(step_s: tuple[float, float], stops_after: int, times: int) -> None:
    meeting = Meeting()
    with ThreadPoolExecutor(2) as threads:
        jobs = [threads.submit(answers, meeting, 150, step_s=s, asked_at=at)
                for s, at in zip(step_s, (None, 63), strict=True)]  # fmt: skip
        first, second = (job.result(timeout=60) for job in jobs)
    assert first == second == [False] * (stops_after - 1) + [True] * (151 - stops_after)
    assert meeting.times == times


def test_a_process_alone_is_asked_at_each_step() -> None:
    alone = SimpleNamespace(world_size=1)
    assert answers(alone, 9, step_s=0.001, asked_at=7) == [False] * 6 + [True] * 3
