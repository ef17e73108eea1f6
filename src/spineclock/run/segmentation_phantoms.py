"""Simulated scans for the segmentation network to learn from, made side by side by several processes."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from spineclock.core.volume import Array
from spineclock.learn.segmentation_examples import LabelledSlices, phantom_slices
from spineclock.phantom.anatomy.traits import Traits, traits_of
from spineclock.phantom.mri.style import Coverage, Slices
from spineclock.phantom.people import people
from spineclock.phantom.series import Weighting


class Kind(NamedTuple):
    """A way of scanning, and the share of the people scanned so."""

    coverage: Coverage
    slices: Slices
    weightings: tuple[Weighting, ...]
    share: float


KINDS = (
    Kind("whole", "thick", ("T2w",), 0.35),
    Kind("whole", "thick", ("T1w",), 0.05),
    Kind("lumbar", "thick", ("T2w",), 0.15),
    Kind("lumbar", "thick", ("T1w",), 0.05),
    Kind("lumbar", "space", ("T2w",), 0.25),
    Kind("stations", "thick", ("T2w",), 0.15),
)


@dataclass(frozen=True)
class Job:
    """One person to be scanned."""

    person: Traits
    kind: Kind
    seed: int


@dataclass(frozen=True)
class Scans:
    """What came of it: examples, how many scans failed with the first reason, and the seconds it took."""

    examples: tuple[LabelledSlices, ...]
    failed: int
    reason: str
    seconds: float


def jobs(n: int, *, seed: int, kinds: tuple[Kind, ...] = KINDS) -> Iterator[Job]:
    """One scan for each of ``n`` made-up people, by the kinds' shares."""
    shares = np.array([k.share for k in kinds])
    rng = np.random.default_rng([seed, 7])
    seen: set[str] = set()
    for person in traits_of(people(n, seed=seed)):
        if person.person_id not in seen:
            seen.add(person.person_id)
            yield Job(person, kinds[int(rng.choice(len(kinds), p=shares / shares.sum()))], seed)


def scans(n: int, *, seed: int, workers: int, minutes: float, kinds: tuple[Kind, ...] = KINDS) -> Scans:
    """Scans of ``n`` made-up people, or of as many as are done in time."""
    begun = time.monotonic()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before the processes start: each has one thread
    examples: list[LabelledSlices] = []
    failed, reason = 0, ""
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for made in pool.imap_unordered(_made, jobs(n, seed=seed, kinds=kinds)):
            if isinstance(made, str):
                failed, reason = failed + 1, reason or made
            else:
                examples += [_example(m) for m in made]
            if time.monotonic() - begun > 60 * minutes:
                break
    return Scans(tuple(examples), failed, reason, time.monotonic() - begun)


def scanned(job: Job) -> list[LabelledSlices]:
    """The examples that one person's scan gives, one a series."""
    from spineclock.phantom.mri import scanner

    request = scanner.Request(coverage=job.kind.coverage, weightings=job.kind.weightings, slices=job.kind.slices)
    return [phantom_slices(s.volume, s.labels) for s in scanner.acquire(job.person, request, seed=job.seed)]


_Plain = tuple[Array, Array, tuple[float, float], float]


def _made(job: Job) -> list[_Plain] | str:
    """The scan as arrays, which travel between processes better than tensors, or why there is none."""
    torch.set_num_threads(1)
    try:
        return [(e.pictures.numpy(), e.labels.numpy(), e.pixel_mm, e.slice_mm) for e in scanned(job)]
    except Exception as error:  # one scan never stops a batch
        return f"{job.person.scan_id}: {type(error).__name__}: {error}"


def _example(made: Any) -> LabelledSlices:
    pictures, labels, pixel_mm, slice_mm = made
    return LabelledSlices(torch.from_numpy(pictures), torch.from_numpy(labels), pixel_mm, slice_mm, sacrum=True)
