"""The results page of the naming of levels: ``python -m spineclock.run.naming_results --help``.

People of the phantom are scanned; the classes of their true label maps, as they are and spoilt in several ways, or
those a network tells, are named (:func:`spineclock.segment.instances.find`) and held to the truth. A person is right
when every vertebra and disc found has its true name; discs wholly in view that were not found are counted apart.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage

from spineclock.core.anatomy import ARCH, BODY, DISC, LEVEL_NAMES, LEVEL_NUMBERS
from spineclock.core.records import Scan
from spineclock.core.volume import Array, Mask
from spineclock.ingest.stitch import stitch
from spineclock.phantom.anatomy.traits import Traits, traits_of
from spineclock.phantom.mri.scanner import acquire
from spineclock.phantom.mri.style import Request
from spineclock.phantom.people import people
from spineclock.phantom.series import Series
from spineclock.run.outputs import write_text
from spineclock.run.tables import markdown
from spineclock.segment.engine import scorer
from spineclock.segment.instances import DISC_CLASS, SACRUM_CLASS, VERTEBRA_CLASS, Instances, find, semantic
from spineclock.segment.network import Scorer, certain_label_map, class_probabilities

PRESACRAL = tuple(n for name, n in LEVEL_NUMBERS.items() if name not in ("C1", "S1"))
WAYS = ("exact", "ragged", "thinned", "bridged", "a disc lost", "islands")
"""How a true label map is spoilt: edges that wander, all structures eaten away, discs grown together, one unmarked."""


@dataclass(frozen=True)
class Verdict:
    """How a person's naming compares with the truth.

    ``missed`` names discs wholly in view that were not found, which by itself makes no name wrong.
    """

    wrong: tuple[str, ...]
    missed: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Whether every vertebra and disc found has its true name."""
        return not self.wrong


def judged(found: Instances, truth: Mask) -> Verdict:
    """The naming beside the truth, a label map in the spineclock numbering on the same grid.

    What a found structure truly is is what most of its voxels are; C1, which has no disc below it, counts as C2.
    """
    wrong, missed = [], []
    labels, true = found.labels.array, truth.array
    for v in found.vertebrae:
        here = true[labels == v.number]
        level = _most(here[(here > BODY) & (here < BODY + 100)] % 100)
        level = level or _most(here[(here > ARCH) & (here < ARCH + 100)] % 100)
        if level not in (v.number, 0) and not (level == 1 and v.number == 2):
            wrong.append(f"{LEVEL_NAMES[level]} called {v.level}")
    for d in found.discs:
        here = true[labels == d.number]
        level = _most(here[(here > DISC) & (here < DISC + 100)] % 100)
        if level != d.number % 100:
            wrong.append(f"the disc below {LEVEL_NAMES.get(level, '?')} called {d.level}")
    named = {d.number - DISC for d in found.discs}
    for level in PRESACRAL:
        where = np.nonzero((true == level + DISC).any(axis=(0, 1)))[0]
        if len(where) and where[0] > 0 and where[-1] < true.shape[2] - 1 and level not in named:
            missed.append(LEVEL_NAMES[level])
    return Verdict(tuple(wrong), tuple(missed))


def perturbed(classes: Mask, way: str, rng: np.random.Generator) -> Mask:
    """The classes as a network of some faults might have told them."""
    array = np.array(classes.array)
    if way == "ragged":
        field = ndimage.gaussian_filter(rng.standard_normal(array.shape), [2.0 / mm for mm in classes.spacing_mm])
        field /= field.std()
        inside = ndimage.distance_transform_edt(array > 0, sampling=(1e3, *classes.spacing_mm[1:]))
        array[(field > 1.2) & (inside < 2.5)] = 0
        nearest = ndimage.distance_transform_edt(
            array == 0, sampling=classes.spacing_mm, return_distances=False, return_indices=True
        )
        grown = (field < -1.5) & ndimage.binary_dilation(array > 0)
        array[grown] = array[tuple(nearest)][grown]
    elif way == "thinned":
        for c in (DISC_CLASS, VERTEBRA_CLASS, SACRUM_CLASS):
            depth = ndimage.distance_transform_edt(array == c, sampling=(1e3, *classes.spacing_mm[1:]))
            array[(depth > 0) & (depth <= 1.01 * max(classes.spacing_mm[1:])) & (rng.random(array.shape) < 0.8)] = 0
    elif way == "bridged":
        array = _bridged(array, classes, rng)
    elif way == "a disc lost":
        labels, n = ndimage.label(array == DISC_CLASS)
        sizes = np.bincount(labels.ravel(), minlength=n + 1)[1:]
        large = np.flatnonzero(sizes * classes.voxel_mm3 > 300) + 1
        if len(large) > 4:
            array[labels == int(rng.choice(large))] = VERTEBRA_CLASS
    elif way == "islands":
        _islands(array, classes, rng)
    return classes.with_array(array)


def _islands(array: Array, classes: Mask, rng: np.random.Generator) -> None:
    """Puts six balls of 5 mm of any class into the background within 25 mm of the spine."""
    away = ndimage.distance_transform_edt(array == 0, sampling=classes.spacing_mm)
    places = np.argwhere((away > 6) & (away < 25))
    for at in places[rng.integers(len(places), size=6)]:
        box = tuple(
            slice(max(0, int(a - 6 // mm)), int(a + 6 // mm + 1)) for a, mm in zip(at, classes.spacing_mm, strict=True)
        )
        grid = np.stack(
            np.meshgrid(
                *(np.arange(b.start, b.start + n) for b, n in zip(box, array[box].shape, strict=True)), indexing="ij"
            ),
            -1,
        )
        ball = (((grid - at) * classes.spacing_mm) ** 2).sum(-1) < 25
        array[box][ball & (array[box] == 0)] = rng.choice([DISC_CLASS, DISC_CLASS, VERTEBRA_CLASS, SACRUM_CLASS])


def _bridged(array: Array, classes: Mask, rng: np.random.Generator) -> Array:
    """Two neighbouring discs joined along the front of the vertebra between them, at two places."""
    array = array.copy()
    labels, n = ndimage.label(array == DISC_CLASS)
    boxes = ndimage.find_objects(labels)
    sizes = np.bincount(labels.ravel(), minlength=n + 1)[1:] * classes.voxel_mm3
    order = sorted((m for m in range(n) if sizes[m] > 300), key=lambda m: boxes[m][2].start)
    for at in rng.permutation(max(0, len(order) - 1))[:2]:
        low, high = (np.argwhere(labels == order[at + d] + 1) for d in (0, 1))
        i = int(np.median(low[:, 0]))
        a, b = low[low[:, 0] == i], high[high[:, 0] == i]
        if len(a) and len(b):
            ends = [p[np.argmax(p[:, 1])] - (0, 1, 0) for p in (a, b)]
            steps = 2 * int(np.abs(ends[1] - ends[0]).max()) + 1
            for t in np.linspace(0, 1, steps):
                j, k = np.rint((1 - t) * ends[0] + t * ends[1]).astype(int)[1:]
                array[i, j - 1 : j + 1, k] = DISC_CLASS
    return array


def _most(values: Array) -> int:
    return int(np.bincount(values).argmax()) if len(values) else 0


@dataclass(frozen=True)
class Job:
    """One person to be scanned, and what is named: a network's label maps or the truth, exact and spoilt one way."""

    person: Traits
    number: int
    seed: int
    weights: Path | None
    ways: tuple[str, ...]


STATIONS_EVERY = 5
"""One in so many people is also scanned in stations."""
REQUESTS = {
    "whole spine": Request(coverage="whole"),
    "lumbar, thick slices": Request(coverage="lumbar"),
    "lumbar, 1 mm slices": Request(coverage="lumbar", slices="space"),
    "stations": Request(coverage="stations"),
}
USUAL = 23
"""Levels from C2 to the lowest lumbar one that most people have."""
_SCORERS: dict[Path, Scorer] = {}


def examined(job: Job) -> list[dict[str, Any]]:
    """One row for each scan of a person and way of spoiling it: the whole spine, one of the lumbar ways, stations."""
    rows: list[dict[str, Any]] = []
    told = {"person_id": job.person.person_id, "levels": int(job.person.exists.sum())}
    left_out = {"lumbar, thick slices" if job.number % 2 else "lumbar, 1 mm slices"}
    left_out |= set() if job.number % STATIONS_EVERY == 0 else {"stations"}
    for view, request in REQUESTS.items():
        if view in left_out:
            continue
        for name, scan in _scans(view, acquire(job.person, request, seed=job.seed)):
            assert scan.mask is not None
            for way in ("network",) if job.weights else ("exact", job.ways[job.number // 2 % len(job.ways)]):
                rng = np.random.default_rng([job.seed, job.number, len(rows)])
                found = _named(scan, job.weights, way, rng)
                verdict = judged(found, scan.mask)
                rows.append(
                    {**told, "view": name, "way": way, "right": verdict.right, "discs missed": len(verdict.missed),
                     "said to be unusual": found.supernumerary, "sacrum found": found.sacrum,
                     "confidence": found.confidence, "wrong": "; ".join(verdict.wrong[:3])}
                )  # fmt: skip
    return rows


def _scans(view: str, series: Sequence[Series]) -> Iterator[tuple[str, Scan]]:
    scans = [
        Scan(f"{view}{s.station}", s.volume, Path("simulated"), modality="MR", sequence="T2w", mask=s.labels)
        for s in series
    ]
    for one, scan in zip(series, scans, strict=True):
        yield f"{one.station} station" if one.station else view, scan
    if len(scans) > 1:
        yield "stations, stitched", stitch(scans)


def _named(scan: Scan, weights: Path | None, way: str, rng: np.random.Generator) -> Instances:
    if weights is None:
        assert scan.mask is not None
        return find(perturbed(semantic(scan.mask), way, rng))
    if weights not in _SCORERS:
        _SCORERS[weights] = scorer(weights, threads=1)
    mask, certainty = certain_label_map(*class_probabilities(scan.volume, _SCORERS[weights]), scan.volume)
    return find(mask, certainty=certainty)


def examine(n: int, *, seed: int, workers: int, weights: Path | None = None) -> pd.DataFrame:
    """The rows of ``n`` people."""
    first = {t.person_id: t for t in reversed(traits_of(people(n, seed=seed)))}
    spoilt = tuple(w for w in WAYS if w != "exact")
    jobs = [Job(t, k, seed, weights, spoilt) for k, t in enumerate(reversed(first.values()))]
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    rows: list[dict[str, Any]] = []
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for done, some in enumerate(pool.imap_unordered(examined, jobs), start=1):
            rows += some
            if done % 10 == 0:
                print(f"{done} of {len(jobs)} people", flush=True)
    return pd.DataFrame(rows).sort_values(["person_id", "view", "way"], ignore_index=True)


def page(table: pd.DataFrame, *, command: str, date: str, seconds: float) -> str:
    """The page as Markdown; ``date`` is the day of the measurement."""
    usual, other = table[table["levels"] == USUAL], table[table["levels"] != USUAL]
    return f"""# Naming of levels

Simulated people, T2-weighted, {table["person_id"].nunique()} of them. A person is right when every vertebra and every
disc found has its true name; C1, which no disc bounds, counts as C2. The label maps are {_of(table)}.

- Command: `{command}`, {date}
- Time: {seconds / 60:.0f} minutes

## People with 24 vertebrae above the sacrum

{markdown(_summary(usual), digits=3)}

In a thoracic station neither the sacrum nor C2 is in view: its lowest disc is taken for L5/S1, which is wrong.

## People with one or two more

Named from C2 down where it is in view, so that the unusual one is called L6; from the sacrum up where it is not, so
that every name is off.

{markdown(_summary(other), digits=3)}
"""


def _of(table: pd.DataFrame) -> str:
    if set(table["way"]) == {"network"}:
        return "those of the network"
    return "the true ones, exact and spoilt: " + ", ".join(w for w in WAYS if w != "exact")


def _summary(table: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (view, way), some in table.groupby(["view", "way"], sort=True):
        rows.append(
            {
                "view": view,
                "label map": way,
                "people": len(some),
                "all right, %": 100 * some["right"].mean(),
                "discs missed a person": some["discs missed"].mean(),
                "said to be unusual": int(some["said to be unusual"].sum()),
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    """Examines people and writes the page and, beside it on request, the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--weights", type=Path, default=None, help="a network's label maps in place of the true ones")
    parser.add_argument("--out", type=Path, default=Path("docs/results/naming.md"))
    parser.add_argument("--table", type=Path, default=None, help="a CSV of every row")
    told = parser.parse_args()
    begun = time.monotonic()
    table = examine(told.people, seed=told.seed, workers=told.workers, weights=told.weights)
    command = f"python -m spineclock.run.naming_results --people {told.people} --seed {told.seed}"
    command += f" --weights {told.weights.name}" if told.weights else ""
    told.out.parent.mkdir(parents=True, exist_ok=True)
    date = f"{datetime.now(UTC):%Y-%m-%d}"
    write_text(told.out, page(table, command=command, date=date, seconds=time.monotonic() - begun))
    if told.table is not None:
        table.to_csv(told.table, index=False)


if __name__ == "__main__":
    main()
