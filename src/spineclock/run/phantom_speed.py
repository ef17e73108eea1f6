"""The results page of the phantom's speed, seconds a scan and memory: ``python -m spineclock.run.phantom_speed``.

Every scan is another person's. The first of each kind, which compiles or loads compiled code, is told apart.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from spineclock.phantom.anatomy.traits import Traits, traits_of
from spineclock.phantom.mri.scanner import Request, acquire
from spineclock.phantom.people import people
from spineclock.run.outputs import versions, write_text
from spineclock.run.tables import markdown

SEED = 1
COHORT = 18_070
"""Scans of the spine-age paper."""
CORES = 2


@dataclass(frozen=True)
class Kind:
    """What is timed, and how many seconds it should take at most, where that was set beforehand."""

    name: str
    request: Request
    goal_s: float | None = None


WHOLE = Kind("whole spine, 32 × 640 × 256", Request(grid_shape=(32, 640, 256)), 1.0)
KINDS = (
    WHOLE,
    Kind("training grid, 16 × 128 × 64", Request(grid_shape=(16, 128, 64)), 0.1),
    Kind("whole spine as a scanner has it", Request("whole")),
    Kind("three stations", Request("stations")),
    Kind("lumbar, SPACE", Request("lumbar", ("T2w",), "space")),
    Kind("lumbar, turbo spin echo", Request("lumbar")),
)
"""T2-weighted, each with its label map."""


@dataclass(frozen=True)
class Timing:
    """Seconds of scans of one kind, after the first: by the clock and at work; ``peak_gb`` is the process's so far."""

    kind: Kind
    first_s: float
    clock_s: tuple[float, ...]
    work_s: tuple[float, ...]
    peak_gb: float


def timed(kind: Kind, persons: list[Traits], *, seed: int) -> Timing:
    """Scans everyone; the first person's scan is not among the timed ones."""
    clock, work = [], []
    for person in persons:
        begun, worked = time.perf_counter(), time.process_time()
        acquire(person, kind.request, seed=seed)
        clock.append(time.perf_counter() - begun)
        work.append(time.process_time() - worked)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    return Timing(kind, clock[0], tuple(clock[1:]), tuple(work[1:]), peak)


def page(timings: list[Timing], *, command: str, load: tuple[float, float]) -> str:
    """The page as Markdown; ``load`` is the machine's mean load in the minute before and at the end."""
    whole = next(t for t in timings if t.kind == WHOLE)
    n = len(whole.clock_s)
    hours = [COHORT * float(np.median(t)) / CORES / 3600 for t in (whole.clock_s, whole.work_s)]
    busy = max(load) > 1.5
    others = ", so that others held the machine up: the seconds by the clock are too high" if busy else ""
    used = ", ".join(f"{name} {number}" for name, number in versions().items())
    return (
        "# Speed of the phantom's scanner\n\n"
        f"Seconds a scan, T2-weighted, with its label map, from the person's record to the finished arrays; nothing is "
        f"written. One process, which uses one core; median of {n} people, each scanned once. *At work* is the time "
        "the process had a core (`time.process_time`), *by the clock* what passed (`time.perf_counter`).\n\n"
        f"- Command: `{command}`\n"
        f"- Simulated people, seed {SEED}. {os.cpu_count()} cores ({platform.machine()}), load {load[0]:.1f} before "
        f"and {load[1]:.1f} at the end{others}; {used}\n"
        f"- {COHORT:,} whole spines on {CORES} cores, {WHOLE.name.split(', ')[1]}: {hours[1]:.1f} hours by the time at "
        f"work, {hours[0]:.1f} by the clock (the median times {COHORT:,}, over {CORES}; without writing files)\n"
        f"- Most memory held: {max(t.peak_gb for t in timings):.2f} GB\n\n"
        f"{markdown(pd.DataFrame([_row(t) for t in timings]), digits=3)}\n\n"
        "*First* is each kind's first scan: it compiles, or loads what was compiled before. Peak memory is that of the "
        "process up to then, kinds in this order.\n"
    )


def _row(timing: Timing) -> dict[str, str | float]:
    work = float(np.median(timing.work_s))
    goal = timing.kind.goal_s
    return {
        "scan": timing.kind.name,
        "by the clock, s": float(np.median(timing.clock_s)),
        "slowest": max(timing.clock_s),
        "at work, s": work,
        "slowest at work": max(timing.work_s),
        "goal, s": "" if goal is None else f"≤ {goal:g}",
        "reached": "" if goal is None else _reached(timing, goal),
        "first, s": timing.first_s,
        "peak GB so far": timing.peak_gb,
    }


def _reached(timing: Timing, goal_s: float) -> str:
    clock, work = (float(np.median(t)) <= goal_s for t in (timing.clock_s, timing.work_s))
    return "yes" if clock else "at work only" if work else "**no**"


def main() -> None:
    """Measures and writes the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m spineclock.run.phantom_speed --out docs/results/phantom_speed.md",
    )  # fmt: skip
    parser.add_argument("--repeats", type=int, default=20, help="timed scans of each kind")
    parser.add_argument("--out", type=Path, default=Path("docs/results/phantom_speed.md"))
    told = parser.parse_args()
    if told.repeats < 1:
        parser.error("--repeats has to be at least 1")
    before = os.getloadavg()[0]
    persons = traits_of(people(told.repeats + 1, seed=SEED))[: told.repeats + 1]
    timings = [timed(kind, persons, seed=SEED) for kind in KINDS]
    command = f"python -m spineclock.run.phantom_speed --repeats {told.repeats} --out {told.out.as_posix()}"
    told.out.parent.mkdir(parents=True, exist_ok=True)
    write_text(told.out, page(timings, command=command, load=(before, os.getloadavg()[0])))


if __name__ == "__main__":
    main()
