"""Trains the segmentation network of CT on simulated people: ``python -m …ct_segmentation_training --help``.

Makes its own simulated scans of 2 mm voxels, which stay in the work folder, as do the checkpoints: a training that was
stopped is taken up by the same command. ``python -m spineclock.run.ct_segmentation_results`` judges and packages it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spineclock.core.volume import Mask, Volume
from spineclock.learn.segmentation import Ahead, cycled
from spineclock.learn.segmentation_crops import Cycle, SegmentationTraining
from spineclock.learn.segmentation_ct import CtBatches, LabelledCt, labelled_ct
from spineclock.nets.ct_segmenter import CtSegmenter
from spineclock.nets.weights import save
from spineclock.segment.ct_grid import VOXEL_MM

WEIGHTS = "ct_segmenter.safetensors"
LOG = "ct_segmentation_training.json"
TRUNKS = 0.75
"""Share of the simulated people whose whole trunk is shown; of the others the spine from T4 on in a narrow field."""
LOWEST_MM = 120.0
"""How far below S1 a scan may go."""
RARE = (1.0, 5.0, 1.5, 4.0, 4.0, 2.0, 2.0, 1.0)
"""How much a voxel of each of ``CT_CLASSES`` counts in the first cycle: discs, canal and sacrum are few."""
TRAINING = SegmentationTraining(
    cycles=(Cycle(3200, 3e-3, 0.1, 25, 0.4, 0.85, weights=RARE), Cycle(2500, 2e-3, 0.1, 4, 0.9, 0.8)),
    batch=2, checkpoint_every=50,
)  # fmt: skip
"""About an hour on 2 free cores with AVX-512-bf16."""


@dataclass(frozen=True)
class Job:
    """One person to be scanned, and the file that keeps the scan."""

    number: int
    seed: int
    path: Path
    world: str = "default"


def jobs(n: int, *, seed: int, folder: Path, world: str = "default") -> list[Job]:
    """Scans of so many people."""
    return [Job(number, seed, folder / f"{world}-{seed}-{number:04d}.npz", world) for number in range(n)]


def scanned(job: Job) -> tuple[Volume, Mask]:
    """A simulated person's CT on the network's grid, with the true label map."""
    from spineclock.phantom.anatomy.traits import traits_of
    from spineclock.phantom.ct.scanner import acquire
    from spineclock.phantom.ct.style import Request
    from spineclock.phantom.people import people

    rng = np.random.default_rng([job.seed, job.number, 31])
    persons = traits_of(people(job.number + 1, seed=job.seed))
    person = next(p for k, p in enumerate({p.person_id: p for p in persons}.values()) if k == job.number)
    request = Request(
        coverage="abdomen" if rng.random() < TRUNKS else "thoracolumbar", pixel_mm=VOXEL_MM, slice_mm=VOXEL_MM,
        beam_hardening=bool(rng.random() < 0.3), below_mm=float(max(0.0, rng.uniform(-40, LOWEST_MM))), world=job.world,
    )  # fmt: skip
    (series,) = acquire(person, request, seed=job.seed)
    return series.volume, series.labels


def made(job: Job) -> str:
    """Makes a scan and keeps it; "", or why there is none."""
    if job.path.is_file():
        return ""
    try:
        volume, labels = scanned(job)
        partial = job.path.with_suffix(".partial.npz")
        np.savez_compressed(partial, samples=volume.array, labels=labels.array, affine=volume.affine)
        partial.replace(job.path)
    except Exception as error:  # one scan never stops a batch
        return f"{job.path.stem}: {type(error).__name__}: {error}"
    return ""


def make(asked: Sequence[Job], *, workers: int) -> list[str]:
    """Makes the scans that are not there yet, side by side; what failed."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before the processes start: each has one thread
    for folder in {j.path.parent for j in asked}:
        folder.mkdir(parents=True, exist_ok=True)
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        return [said for said in pool.imap_unordered(made, asked) if said]


def kept(job: Job) -> tuple[Volume, Mask]:
    """A scan that was made."""
    with np.load(job.path, allow_pickle=False) as file:
        return Volume(file["samples"], file["affine"]), Mask(file["labels"], file["affine"])


def train(examples: Sequence[LabelledCt], config: SegmentationTraining, work: Path) -> Path:
    """Trains, or goes on training, and returns where the weights are."""
    begun = time.monotonic()
    losses: list[tuple[str, float]] = []

    def report(where: str, loss: float, left_s: float) -> None:
        losses.append((where, round(loss, 4)))
        print(f"{where}, loss {loss:.3f}, {left_s / 60:.1f} min left", flush=True)

    torch.manual_seed(config.seed)
    draw = Ahead(CtBatches(examples, batch=config.batch))
    net = cycled(CtSegmenter(), draw, config, checkpoint=work / "ct.ckpt", report=report)
    about = {
        "people": len(examples),
        "steps": sum(c.steps for c in config.cycles),
        "batch": config.batch,
        "seed": config.seed,
    }
    digest = save(net.cpu().eval(), work / WEIGHTS, {k: str(v) for k, v in about.items()})
    log: dict[str, Any] = {
        **about,
        "sha256": digest,
        "minutes": round((time.monotonic() - begun) / 60, 1),
        "losses": losses,
    }
    (work / LOG).write_text(json.dumps(log, indent=1) + "\n", encoding="utf-8")
    return work / WEIGHTS


def main() -> None:
    """Makes the simulated scans, then trains."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m spineclock.run.ct_segmentation_training --work build/ct_segmenter",
    )  # fmt: skip
    parser.add_argument(
        "--work", type=Path, default=Path("build/ct_segmenter"), help="where scans and weights are kept"
    )
    parser.add_argument("--people", type=int, default=400, help="simulated people to learn from")
    parser.add_argument("--workers", type=int, default=2, help="processes that make them")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the number of steps")
    parser.add_argument("--no-bfloat16", action="store_true", help="for CPUs without AVX-512-bf16")
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    asked = jobs(told.people, seed=told.seed, folder=told.work / "scans")
    failed = make(asked, workers=told.workers)
    print(f"{len(asked) - len(failed)} simulated scans; {len(failed)} failed {failed[0] if failed else ''}", flush=True)
    examples = [labelled_ct(*kept(j)) for j in asked if j.path.is_file()]
    if not examples:
        parser.exit(1, f"error: no simulated scan could be made: {failed[0]}\n")
    cycles = tuple(replace(c, steps=max(2, round(c.steps * told.scale))) for c in TRAINING.cycles)
    config = replace(TRAINING, cycles=cycles, seed=told.seed, bfloat16=not told.no_bfloat16)
    print(train(examples, config, told.work))


if __name__ == "__main__":
    main()
