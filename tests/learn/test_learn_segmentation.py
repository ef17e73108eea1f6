from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from spineclock.learn.segmentation import train_segmenter
from spineclock.learn.segmentation_crops import Cycle, SegmentationTraining
from spineclock.learn.segmentation_examples import LabelledSlices
from spineclock.learn.segmentation_loss import segmentation_loss
from spineclock.nets.segmenter import Segmenter

CYCLES = (Cycle(3, 2e-3, 0.4, 25, 1.0, 0.6), Cycle(2, 1e-3, 0.5, 4, 0.6, 0.5))
CONFIG = SegmentationTraining(cycles=CYCLES, batch=2, crop=(64, 64), checkpoint_every=1)


@pytest.fixture(scope="module")
def examples() -> list[LabelledSlices]:
    rng = np.random.default_rng(0)
    labels = torch.from_numpy(rng.integers(0, 4, (3, 80, 72), dtype=np.uint8))
    return [LabelledSlices((labels / 4).half(), labels)]


def weights(net: Segmenter) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in net.parameters()])


class Stopped(Exception):
    pass


def test_a_training_stopped_in_either_cycle_ends_as_an_unbroken_one(
    examples: list[LabelledSlices], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unbroken = train_segmenter(examples, CONFIG)
    calls = []

    def stop_at_times(scores: torch.Tensor, labels: torch.Tensor, sacrum: torch.Tensor, **more: object) -> torch.Tensor:
        calls.append(1)
        if len(calls) in (3, 6):  # in the first cycle, and after it was taken up, in the second
            raise Stopped
        return segmentation_loss(scores, labels, sacrum)

    monkeypatch.setattr("spineclock.learn.segmentation.segmentation_loss", stop_at_times)
    for _ in range(2):
        with pytest.raises(Stopped):
            train_segmenter(examples, CONFIG, checkpoint=tmp_path / "all.ckpt")
    resumed = train_segmenter(examples, CONFIG, checkpoint=tmp_path / "all.ckpt")
    assert len(calls) == 7  # five steps, two of them tried twice
    torch.testing.assert_close(weights(resumed), weights(unbroken), rtol=0, atol=1e-6)


def test_a_given_first_cycle_is_gone_on_from(examples: list[LabelledSlices]) -> None:
    first = train_segmenter(examples, SegmentationTraining(cycles=CYCLES[:1], batch=2, crop=(64, 64)))
    whole = train_segmenter(examples, CONFIG)
    gone_on = train_segmenter(examples, CONFIG, first_cycle=first)
    torch.testing.assert_close(weights(gone_on), weights(whole), rtol=0, atol=1e-6)


def test_augmentation_becomes_gentle() -> None:
    assert [CYCLES[0].strength_at(step) for step in range(3)] == [1.0, 1.0, 0.35]
