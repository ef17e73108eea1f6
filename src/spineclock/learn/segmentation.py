"""Training of the slice segmentation network, with the augmentation that makes it hold on other scanners."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from spineclock.learn.segmentation_crops import Batch, SegmentationTraining, batch_of
from spineclock.learn.segmentation_examples import LabelledSlices, Source
from spineclock.learn.segmentation_loss import segmentation_loss
from spineclock.nets.segmenter import Segmenter

Draw = Callable[[float, np.random.Generator], Batch]
"""Draws a batch whose pictures are changed this strongly."""


def train_segmenter(
    examples: Sequence[LabelledSlices] | Sequence[Source],
    config: SegmentationTraining,
    *,
    first_cycle: Segmenter | None = None,
    start: Segmenter | None = None,
    device: str = "cpu",
    checkpoint: Path | None = None,
    report: Callable[[str, float, float], None] = lambda where, loss, left_s: None,
) -> Segmenter:
    """A trained network: AdamW on one-cycle schedules, cross-entropy + soft Dice, averaged weights.

    ``examples`` are of one kind, or sources of several with the share of each. The first cycle goes on from ``start``
    where it is given. On another device than the CPU the examples lie in its memory, pictures are changed there and
    the arithmetic is in bfloat16; such a run is not the same to the last digit when repeated.

    With ``first_cycle``, a network that an earlier training left after the first cycle, it goes on with the second.
    With ``checkpoint`` the training takes up where an earlier one was stopped; the random stream of each step
    depends on the seed, the cycle and the step alone, so that a resumed run is the same as an unbroken one.
    ``report`` is called with the place, the loss and the seconds left in the cycle.
    """
    torch.manual_seed(config.seed)
    net = (first_cycle or start or Segmenter()).to(device)
    draw = drawing(examples, config, device)
    for number in range(0 if first_cycle is None else 1, len(config.cycles)):
        of_cycle = (
            None if checkpoint is None else checkpoint.with_name(f"{checkpoint.stem}-{number}{checkpoint.suffix}")
        )
        net = _cycle(net, draw, config, number, of_cycle, report)
    return net.cpu().eval()


def _cycle(
    net: Segmenter,
    draw: Draw,
    config: SegmentationTraining,
    number: int,
    checkpoint: Path | None,
    report: Callable[[str, float, float], None],
) -> Segmenter:
    """The averaged network after one cycle, whose checkpoint stays, so that a finished cycle is not run again."""
    cycle = config.cycles[number]
    net = net.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    mean = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(config.average_decay), use_buffers=True)
    optimiser = torch.optim.AdamW(net.parameters(), cycle.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, cycle.learning_rate, cycle.steps + 1, pct_start=cycle.warm_up, div_factor=cycle.rise
    )
    parts = {"net": net, "mean": mean, "optimiser": optimiser, "schedule": schedule}
    first = _restore(checkpoint, parts)
    begun = time.monotonic()
    for step in range(first, cycle.steps):
        rng = np.random.default_rng((config.seed, number, step) if number else (config.seed, step))
        loss = _loss(net, draw(cycle.strength_at(step), rng), bfloat16=config.bfloat16)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        mean.update_parameters(net)
        done = step + 1
        if done % 25 == 0:
            left_s = (time.monotonic() - begun) / (done - first) * (cycle.steps - done)
            report(f"cycle {number + 1}, step {done} of {cycle.steps}", loss.item(), left_s)
        if checkpoint is not None and (done % config.checkpoint_every == 0 or done == cycle.steps):
            _save(checkpoint, parts, done)
    trained = mean.module
    assert isinstance(trained, Segmenter)
    return trained


def drawing(
    examples: Sequence[LabelledSlices] | Sequence[Source], config: SegmentationTraining, device: str = "cpu"
) -> Draw:
    """How the batches of a training are drawn on a device."""
    sources = [e if isinstance(e, Source) else Source([e], share=1.0) for e in examples]
    if all(isinstance(e, LabelledSlices) for e in examples):
        sources = [Source([e for s in sources for e in s.examples])]
    sources = [s for s in sources if s.examples and s.share > 0]
    if device != "cpu":
        from spineclock.learn.segmentation_device import DeviceBatches

        return DeviceBatches(sources, config, device)
    return lambda strength, rng: batch_of(sources, config, strength, rng)


def _loss(net: Segmenter, batch: Batch, *, bfloat16: bool) -> Tensor:
    kind = batch.pictures.device.type
    with torch.autocast(kind, torch.bfloat16, enabled=kind != "cpu" or bfloat16):
        scores = net(batch.pictures.contiguous(memory_format=torch.channels_last))
    return segmentation_loss(scores.float(), batch.labels, batch.sacrum)


def _restore(checkpoint: Path | None, parts: dict[str, object]) -> int:
    if checkpoint is None or not checkpoint.is_file():
        return 0
    state = torch.load(checkpoint, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(state[name])  # type: ignore[attr-defined]
    return int(state["step"])


def _save(checkpoint: Path, parts: dict[str, object], step: int) -> None:
    state = {name: part.state_dict() for name, part in parts.items()}  # type: ignore[attr-defined]
    partial = checkpoint.with_suffix(".partial")
    torch.save({**state, "step": step}, partial)
    partial.replace(checkpoint)
