"""Training of segmentation networks, with the augmentation that makes them hold on other scanners."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from spineclock.learn.segmentation_crops import Batch, SegmentationTraining, batch_of
from spineclock.learn.segmentation_examples import LabelledSlices, Source
from spineclock.learn.segmentation_loss import segmentation_loss
from spineclock.nets.segmenter import Segmenter

N = TypeVar("N", bound=nn.Module)
Report = Callable[[str, float, float], None]
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
    report: Report = lambda where, loss, left_s: None,
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
    return cycled(net, draw, config, first=0 if first_cycle is None else 1, checkpoint=checkpoint, report=report)


def cycled(
    net: N,
    draw: Draw,
    config: SegmentationTraining,
    *,
    first: int = 0,
    checkpoint: Path | None = None,
    report: Report = lambda where, loss, left_s: None,
) -> N:
    """The network after the cycles from ``first`` on, in evaluation mode; see :func:`train_segmenter`.

    A batch is drawn by another thread while the network learns from the one before, if ``draw`` is :class:`Ahead`.
    """
    for number in range(first, len(config.cycles)):
        of_cycle = (
            None if checkpoint is None else checkpoint.with_name(f"{checkpoint.stem}-{number}{checkpoint.suffix}")
        )
        net = _cycle(net, draw, config, number, of_cycle, report)
    return net.cpu().eval()


def _cycle(
    net: N,
    draw: Draw,
    config: SegmentationTraining,
    number: int,
    checkpoint: Path | None,
    report: Report,
) -> N:
    """The averaged network after one cycle, whose checkpoint stays, so that a finished cycle is not run again."""
    cycle = config.cycles[number]
    net = net.train().to(memory_format=_layout(net))  # type: ignore[call-overload]  # torch's stubs lack it
    mean = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(config.average_decay), use_buffers=True)
    optimiser = torch.optim.AdamW(net.parameters(), cycle.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, cycle.learning_rate, cycle.steps + 1, pct_start=cycle.warm_up, div_factor=cycle.rise
    )
    parts = {"net": net, "mean": mean, "optimiser": optimiser, "schedule": schedule}
    first = _restore(checkpoint, parts)
    begun = time.monotonic()
    for step, batch in _batches(draw, config, number, first):
        loss = _loss(net, batch, cycle.weights, bfloat16=config.bfloat16)
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
    assert isinstance(trained, type(net))
    return trained


@dataclass(frozen=True)
class Ahead:
    """A way to draw batches of which the next is drawn while the network learns: the same batches, sooner."""

    draw: Draw

    def __call__(self, strength: float, rng: np.random.Generator) -> Batch:
        """A batch whose pictures are changed this strongly."""
        return self.draw(strength, rng)


def _batches(draw: Draw, config: SegmentationTraining, number: int, first: int) -> Iterator[tuple[int, Batch]]:
    """The steps of a cycle from ``first`` on, each with its batch, which depends on seed, cycle and step alone."""
    cycle = config.cycles[number]

    def drawn(step: int) -> Batch:
        rng = np.random.default_rng((config.seed, number, step) if number else (config.seed, step))
        return draw(cycle.strength_at(step), rng)

    if not isinstance(draw, Ahead):
        for step in range(first, cycle.steps):
            yield step, drawn(step)
        return
    with ThreadPoolExecutor(1) as beside:
        waiting = beside.submit(drawn, first)
        for step in range(first, cycle.steps):
            batch = waiting.result()
            if step + 1 < cycle.steps:
                waiting = beside.submit(drawn, step + 1)
            yield step, batch


def _layout(net: nn.Module) -> torch.memory_format:
    """Channels last, in as many dimensions as the network's first layer has."""
    first = next(net.parameters())
    return torch.channels_last_3d if first.ndim == 5 else torch.channels_last


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


def _loss(net: nn.Module, batch: Batch, weights: tuple[float, ...] = (), *, bfloat16: bool) -> Tensor:
    kind = batch.pictures.device.type
    with torch.autocast(kind, torch.bfloat16, enabled=kind != "cpu" or bfloat16):
        scores = net(batch.pictures.contiguous(memory_format=_layout(net)))
    return segmentation_loss(scores.float(), batch.labels, batch.sacrum, weights=weights)


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
