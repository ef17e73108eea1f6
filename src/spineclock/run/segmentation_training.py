"""Trains the segmentation network on simulated and real people: ``python -m …segmentation_training --help``.

Reads shards (:mod:`spineclock.run.segmentation_shards`), makes its own simulated scans, and needs neither SPIDER nor
the readers of images, so that it can run on a bare machine with an accelerator. Stages: ``phantom`` trains on simulated
people alone; ``0`` to ``4`` go on from it with the real people outside a fold; ``all`` with everyone.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spineclock.core.anatomy import CLASSES
from spineclock.learn.segmentation import drawing, train_segmenter
from spineclock.learn.segmentation_crops import Cycle, SegmentationTraining
from spineclock.learn.segmentation_device import overlaps
from spineclock.learn.segmentation_examples import LabelledSlices, Source
from spineclock.nets.segmenter import Segmenter, read_segmenter
from spineclock.nets.weights import save
from spineclock.run.segmentation_phantoms import scans
from spineclock.run.segmentation_shards import PackedPerson, unpack

STAGES = ("phantom", "all", "0", "1", "2", "3", "4")
PHANTOM = SegmentationTraining(
    cycles=(Cycle(1400, 2e-3, 0.15, 25, 1.0, 0.8), Cycle(800, 1e-3, 0.1, 4, 0.8, 0.8)), batch=24
)
"""On simulated people; pictures stay strongly changed nearly to the end, for real ones to look familiar."""
MIXED = SegmentationTraining(
    cycles=(Cycle(1600, 2e-3, 0.1, 10, 1.0, 0.65), Cycle(1000, 1e-3, 0.1, 4, 0.6, 0.7)), batch=24
)
"""On both kinds, from the network of simulated people."""
FINISH = SegmentationTraining(cycles=(Cycle(1200, 1e-3, 0.1, 4, 0.6, 0.7),), batch=24)
"""From networks of an earlier call (``--start``): larger crops, mostly real people."""
TRIAL_STEPS = 12
"""Steps that are run and thrown away to learn how long one takes."""
HELD_BACK = 0.04
"""Share of the simulated scans that no network learns from, at least three."""


@dataclass(frozen=True)
class Training:
    """What all stages share."""

    people: Sequence[PackedPerson]
    phantoms: Sequence[LabelledSlices]
    out: Path
    device: str
    real_share: float
    seed: int
    scale: float
    batch: int
    crop: tuple[int, int]
    bfloat16: bool
    start: Path | None
    """The folder of an earlier call whose networks are gone on with."""
    ends_at: float
    """When the whole has to be done, on the clock of ``time.monotonic``."""

    @property
    def kept_back(self) -> Sequence[LabelledSlices]:
        """The simulated scans that serve to judge."""
        return self.phantoms[: max(3, round(HELD_BACK * len(self.phantoms)))] if self.phantoms else ()


def stage(name: str, told: Training, *, stages_left: int) -> dict[str, Any]:
    """Trains one stage, writes its weights, and returns what is to be said of it."""
    begun = time.monotonic()
    learned = [p for p in told.people if str(p.fold) != name] if name != "phantom" else []
    judged = [p for p in told.people if name == "phantom" or str(p.fold) == name]
    phantoms = told.phantoms[len(told.kept_back) :]
    sources = [Source(phantoms, 1 - told.real_share if learned else 1.0)]
    sources += [Source([p.example for p in learned], told.real_share)] if learned else []
    kind = FINISH if told.start is not None else PHANTOM if name == "phantom" else MIXED
    config = replace(kind, seed=told.seed, batch=told.batch, crop=told.crop,
                     bfloat16=told.bfloat16)  # fmt: skip
    per_step = step_seconds(sources, config, told.device)
    left_s = max(0.0, told.ends_at - time.monotonic()) / max(1, stages_left) - 10
    config = shortened(config, scale=told.scale, per_step=per_step, seconds=left_s)
    net, losses = _trained(name, sources, config, told)
    about = {
        "people": len(learned),
        "phantoms": len(phantoms),
        "steps": sum(c.steps for c in config.cycles),
        "batch": config.batch,
        "seed": config.seed,
        "device": _device_name(told.device),
    }
    digest = save(net, told.out / f"segmenter-{name}.safetensors", {k: str(v) for k, v in about.items()})
    seen = dict(zip([p.person_id for p in judged], _judged(net, [p.example for p in judged], told), strict=True))
    found = {
        **about,
        "stage": name,
        "sha256": digest,
        "seconds_a_step": round(per_step, 4),
        "minutes": round((time.monotonic() - begun) / 60, 2),
        "mean_of_people_not_seen": _means(list(seen.values())),
        "mean_of_phantoms_not_seen": _means(_judged(net, told.kept_back, told)),
        "people_not_seen": seen,
        "losses": losses,
    }
    print(
        *(f"{name}: {k} {v}" for k, v in found.items() if k not in ("losses", "people_not_seen")), sep="\n", flush=True
    )
    return found


def _trained(
    name: str, sources: Sequence[Source], config: SegmentationTraining, told: Training
) -> tuple[Segmenter, list[tuple[str, float]]]:
    """The stage's network, from an earlier one or that of the simulated people, and its losses on the way."""
    first = told.out / "segmenter-phantom.safetensors"
    if told.start is not None:
        first = told.start / f"segmenter-{name}.safetensors"  # which did not see the people of this fold either
    start = read_segmenter(first) if told.start is not None or (name != "phantom" and first.is_file()) else None
    losses: list[tuple[str, float]] = []

    def report(where: str, loss: float, left_s: float) -> None:
        losses.append((where, round(loss, 4)))
        if len(losses) % 8 == 1:
            print(f"{name}: {where}, loss {loss:.3f}, {left_s:.0f} s left in the cycle", flush=True)

    checkpoint = told.out / f"{name}.ckpt" if told.device == "cpu" else None
    net = train_segmenter(sources, config, start=start, device=told.device, checkpoint=checkpoint, report=report)
    for path in told.out.glob(f"{name}-*.ckpt"):
        path.unlink()
    return net, losses


def step_seconds(sources: Sequence[Source], config: SegmentationTraining, device: str) -> float:
    """How long a step takes, from a few that are thrown away; 0 on a CPU, where nobody counts minutes."""
    if device.startswith("cpu"):
        return 0.0
    net = Segmenter().to(device).train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    draw = drawing([replace(s, examples=s.examples[:8]) for s in sources], config, device)
    rng = np.random.default_rng(0)
    for step in range(TRIAL_STEPS + 4):
        if step == 4:
            torch.cuda.synchronize()
            begun = time.monotonic()
        batch = draw(1.0, rng)
        with torch.autocast(device.split(":")[0], torch.bfloat16):
            scores = net(batch.pictures.contiguous(memory_format=torch.channels_last))
        scores.float().square().mean().backward()
    torch.cuda.synchronize()
    return 1.25 * (time.monotonic() - begun) / TRIAL_STEPS


def shortened(config: SegmentationTraining, *, scale: float, per_step: float, seconds: float) -> SegmentationTraining:
    """The training with its steps scaled, and scaled down to what the seconds allow.

    >>> short = shortened(PHANTOM, scale=1.0, per_step=0.1, seconds=110)
    >>> [c.steps for c in short.cycles]
    [700, 400]
    """
    steps = sum(c.steps for c in config.cycles) * scale
    if per_step > 0:
        scale *= min(1.0, max(seconds, 0.0) / (per_step * steps))
    return replace(config, cycles=tuple(replace(c, steps=max(2, round(c.steps * scale))) for c in config.cycles))


def _judged(net: Segmenter, examples: Sequence[LabelledSlices], told: Training) -> list[dict[str, float | None]]:
    rows = overlaps(net, examples, told.device)
    return [{n: None if np.isnan(v) else round(v, 4) for n, v in zip(CLASSES[1:], r, strict=True)} for r in rows]


def _means(rows: Sequence[dict[str, float | None]]) -> dict[str, float]:
    known = {n: [v for row in rows if (v := row[n]) is not None] for n in CLASSES[1:]}
    return {n: round(float(np.mean(v)), 4) for n, v in known.items() if v}


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


def main() -> None:
    """Makes the simulated scans, then trains stage after stage."""
    begun = time.monotonic()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m spineclock.run.segmentation_training --shards build/shards --out build/weights",
    )  # fmt: skip
    parser.add_argument("--shards", type=Path, default=Path("build/shards"), help="the folder of shards")
    parser.add_argument("--out", type=Path, default=Path("build/weights"), help="where weights and log go")
    parser.add_argument("--stages", default=",".join(STAGES), help="which to run, in order, of %(default)s")
    parser.add_argument("--phantoms", type=int, default=600, help="simulated people")
    parser.add_argument("--workers", type=int, default=16, help="processes that make them")
    parser.add_argument("--render-minutes", type=float, default=3.0, help="time for making them")
    parser.add_argument(
        "--minutes", type=float, default=9.0, help="time for all; trainings are shortened to keep to it"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--real-share", type=float, default=0.6, help="share of real people in a batch")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the number of steps")
    parser.add_argument("--batch", type=int, help="crops a step; 24 on an accelerator, 4 on a CPU unless told")
    parser.add_argument("--crop", type=int, nargs=2, default=PHANTOM.crop, help="rows and columns of a crop")
    parser.add_argument("--bfloat16", action="store_true", help="also on a CPU, where it has AVX-512-bf16")
    parser.add_argument("--start", type=Path, help="go on with the networks of an earlier call's --out, a short cycle")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    stages = args.stages.split(",")
    if unknown := set(stages) - set(STAGES):
        parser.error(f"no stage is called {', '.join(sorted(unknown))}; wanted: {', '.join(STAGES)}")
    args.out.mkdir(parents=True, exist_ok=True)
    made = scans(args.phantoms, seed=args.seed, workers=args.workers, minutes=args.render_minutes)
    print(
        f"{len(made.examples)} simulated series in {made.seconds:.0f} s; {made.failed} failed {made.reason}", flush=True
    )
    if not made.examples:
        parser.exit(1, f"error: no simulated scan could be made: {made.reason}\n")
    people = unpack(args.shards)
    torch.backends.cudnn.benchmark = True
    batch = args.batch or (4 if args.device == "cpu" else PHANTOM.batch)
    told = Training(people, made.examples, args.out, args.device, args.real_share, args.seed, args.scale, batch,
                    (args.crop[0], args.crop[1]), args.bfloat16, args.start,
                    begun + 60 * args.minutes)  # fmt: skip
    log: dict[str, Any] = {
        "torch": torch.__version__, "device": _device_name(args.device), "people": len(people),
        "series": len(made.examples), "failed": made.failed, "reason": made.reason, "render_seconds": made.seconds,
        "stages": [],
    }  # fmt: skip
    for done, name in enumerate(stages):
        log["stages"].append(stage(name, told, stages_left=len(stages) - done))
        log["minutes"] = round((time.monotonic() - begun) / 60, 2)
        (args.out / "segmentation_training.json").write_text(json.dumps(log, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
