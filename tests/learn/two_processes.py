"""Simulated scans, and trainings that two processes share; called with a folder, each process writes ``RANK.pt``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from spineclock.learn.feed import Augmentation, Examples, Feed
from spineclock.learn.fit import Progress, Schedule, StoppedError, Training
from spineclock.nets.age_head import AgeHead

SHAPE = (16, 16, 16)
EPOCHS, SLOW_S, ASKED_AFTER = 2, 0.8, 2
"""Seconds a step, and after how many of them the second process alone is asked to stop."""


class Held:
    """Prepared scans in an array, and which of them were read."""

    def __init__(self, scans: np.ndarray) -> None:
        self.scans = scans
        self.read: list[int] = []

    def inputs(self, indices: Any, part: str = "whole") -> np.ndarray:
        assert part == "whole"
        self.read += [int(i) for i in indices]
        return self.scans[list(indices)][:, None]


def people(n: int, *, seed: int) -> Examples:
    """Scans whose brightness in the middle tells the age."""
    rng = np.random.default_rng(seed)
    ages = rng.uniform(30, 80, n)
    scans = rng.normal(0, 0.3, (n, *SHAPE)).astype(np.float32)
    scans[:, 4:12, 4:12, 4:12] += ((ages - 55) / 15)[:, None, None, None]
    return Examples(Held(scans), range(n), ages)


def plain_training(fabric: Any, *, batch: int, **changes: Any) -> Training:
    """Of a small network without batch norm or dropout, on 24 people who are shown as they are."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv3d(1, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, 1)
    )
    learned = people(24, seed=1)
    share = {"rank": fabric.global_rank, "world": fabric.world_size}
    told: dict[str, Any] = {
        "net": net,
        "head": AgeHead.of(torch.tensor(learned.targets), "mse"),
        "feed": Feed(learned, batch, seed=0, augmentation=Augmentation(0, mirror=False), **share),
        "validation": people(8, seed=2),
        "schedule": Schedule(max_epochs=EPOCHS, learning_rate=1e-2),
        "fabric": fabric,
    }
    return Training(**{**told, **changes})


def learned_by(fabric: Any, *, batch: int) -> dict[str, Any]:
    """What a process saw in each epoch, the gradients of its steps, the losses, and the weights at the end."""
    gradients: list[torch.Tensor] = []

    def note(progress: Progress, batches: int) -> None:
        gradients.append(torch.cat([p.grad.flatten().clone() for p in training.net.parameters()]))

    training = plain_training(fabric, batch=batch, on_step=note)
    fitted = training.run()
    read, steps = training.feed.examples.scans.read, training.feed.batches * batch
    return {
        "read": [read[k * steps : (k + 1) * steps] for k in range(EPOCHS)],
        "gradients": torch.stack(gradients),
        "weights": torch.cat([t.flatten() for t in fitted.net.state_dict().values()]),
        "losses": [e.train_loss for e in fitted.epochs],
    }


def stopped(fabric: Any, state: Path) -> dict[str, Any]:
    """After how many steps and seconds a training of slow steps stops, whose second process alone is asked to."""
    steps, asked = 0, 0.0

    def slow(progress: Progress, batches: int) -> None:
        nonlocal steps, asked
        time.sleep(SLOW_S)
        steps += 1
        asked = time.monotonic() if steps == ASKED_AFTER else asked

    def stop() -> bool:
        return fabric.global_rank == 1 and steps >= ASKED_AFTER

    try:
        plain_training(fabric, batch=1, on_step=slow, stop=stop, state=state).run()
    except StoppedError:
        return {"steps": steps, "after_s": time.monotonic() - asked}
    return {}


def main(out: Path) -> None:
    from lightning.fabric import Fabric

    fabric = Fabric(accelerator="cpu", devices=2, strategy="ddp", precision="32-true")
    fabric.launch()
    torch.set_num_threads(1)
    told = {"learned": learned_by(fabric, batch=1), "stopped": stopped(fabric, out / "state.ckpt")}
    torch.save(told, out / f"{fabric.global_rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
