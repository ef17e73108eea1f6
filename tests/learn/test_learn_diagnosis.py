"""The one training loop learns a disease from crops too, and goes on from a stop as if there had been none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric

from spineclock.learn.feed import Augmentation, Examples, Feed
from spineclock.learn.fit import Epoch, Fitted, Schedule, StoppedError, Training, judged
from spineclock.nets.diagnosis_head import DiagnosisHead
from spineclock.nets.networks import network

LEVELS = ("L1", "L2", "L3", "L4")


class Held:
    """Made-up crops: in people with the disease a stripe is missing; one level in eight is not there."""

    def __init__(self, labels: np.ndarray, rng: np.random.Generator) -> None:
        self.x = rng.normal(size=(len(labels), 1, 4, 32, 32)).astype(np.float32)
        self.x[labels < 0.5, :, :, 12:18, 6:26] += 1.0
        gone = rng.random((len(labels), 4)) < 0.125
        gone[:, 0] = False
        self.x[:, 0][gone] = 0

    def inputs(self, indices: Any, part: str = "whole") -> np.ndarray:
        return self.x[list(indices)].copy()


def people(n: int, *, seed: int) -> Examples:
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.3).astype(float)
    labels[:2] = (0, 1)
    return Examples(Held(labels, rng), range(n), labels)


def training(state: Path | None = None, *, epochs: int = 2, **changes: Any) -> Training:
    learned = people(48, seed=1)
    head = DiagnosisHead.of(torch.tensor(learned.targets), "osteoporosis", LEVELS)
    torch.manual_seed(0)
    moved = Augmentation(shift_voxels=2, mirror=False, noise=0.05, along_slices=False)
    told: dict[str, Any] = {
        "net": network("crop_small", outputs=4, shape=(4, 32, 32)),
        "head": head,
        "feed": Feed(learned, 8, seed=0, augmentation=moved),
        "validation": people(24, seed=2),
        "schedule": Schedule(max_epochs=epochs, learning_rate=2e-3),
        "fabric": Fabric(accelerator="cpu", devices=1, precision="32-true"),
        "state": state,
    }
    return Training(**{**told, **changes})


def weights(fitted: Fitted) -> torch.Tensor:
    return torch.cat([t.flatten().double() for t in fitted.net.state_dict().values()])


def test_it_learns_what_the_crops_tell() -> None:
    told = training(epochs=8)
    fitted = told.run()
    test = people(80, seed=3)
    said, loss = judged(fitted.net, told.head, test)
    assert said.shape == (80, 4)
    assert np.isnan(said).sum() == (test.scans.x == 0).all(axis=(1, 3, 4)).sum()  # type: ignore[attr-defined]
    assert told.head.figure(said, test.targets) > 0.9
    assert np.isfinite(loss)


@pytest.mark.parametrize("steps", [1, 6, 8])
def test_stopped_anywhere_and_resumed_it_ends_with_the_same_weights(tmp_path: Path, steps: int) -> None:
    unbroken, left = training().run(), [steps]

    def stop() -> bool:
        left[0] -= 1
        return left[0] < 0

    with pytest.raises(StoppedError):
        training(tmp_path / "state.ckpt", stop=stop).run()
    resumed = training(tmp_path / "state.ckpt").run()
    assert torch.equal(weights(unbroken), weights(resumed))
    assert [e.figure for e in unbroken.epochs] == [e.figure for e in resumed.epochs]


def test_curves_name_the_figure_they_hold_and_are_read_again() -> None:
    told = training(epochs=1)
    (epoch,) = told.run().epochs
    assert list(epoch.row()) == ["epoch", "train_loss", "validation_loss", "validation_auroc", "learning_rate",
                                 "seconds", "idle_share", "minutes"]  # fmt: skip
    assert Epoch.of(epoch.row(), told.head.measure) == epoch


def test_levels_stay_in_their_places_when_crops_are_moved() -> None:
    x = np.arange(1, 5, dtype=np.float32)[None, None, :, None, None] * np.ones((6, 1, 4, 8, 8), np.float32)
    moved = Augmentation(shift_voxels=3, mirror=False, along_slices=False)(x, np.random.default_rng(0))
    for level in range(4):
        assert set(np.unique(moved[:, 0, level])) <= {0.0, level + 1.0}
        assert (moved[:, 0, level] > 0).any(axis=(1, 2)).all()
