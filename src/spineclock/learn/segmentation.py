"""Training of the slice segmentation network, with the augmentation that makes it hold on other scanners."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from spineclock.core.anatomy import CLASSES
from spineclock.core.geometry import resample
from spineclock.core.volume import Mask, Volume
from spineclock.nets.segmenter import Segmenter
from spineclock.segment.slices import PIXEL_MM, to_pictures, windowed, working_grid


@dataclass(frozen=True)
class Cycle:
    """One rise and fall of the learning rate."""

    steps: int
    learning_rate: float
    warm_up: float
    """Share of the steps over which the rate rises."""
    rise: float
    """How much it rises by."""
    strength: float
    """How strongly pictures are changed before ``calm_from``, against the most there is."""
    calm_from: float
    """Share of the steps after which augmentation is gentle, so that the network settles on real contrast."""

    def strength_at(self, step: int) -> float:
        """How strongly the pictures of a step are changed."""
        return self.strength if step < self.calm_from * self.steps else min(self.strength, 0.35)


@dataclass(frozen=True)
class SegmentationTraining:
    """How the network is trained; every number is our choice."""

    cycles: tuple[Cycle, ...] = (Cycle(1600, 2e-3, 0.15, 25, 1.0, 0.65), Cycle(1200, 1e-3, 0.1, 4, 0.6, 0.7))
    """The second starts from the first one's averaged weights; it gained 0.004 to 0.007 in Dice on people held out."""
    batch: int = 4
    crop: tuple[int, int] = (384, 256)
    weight_decay: float = 1e-3
    average_decay: float = 0.995
    checkpoint_every: int = 250
    seed: int = 0


@dataclass(frozen=True)
class LabelledSlices:
    """A person's slices as pictures in 0..1 and their labels, both (N, H, W)."""

    pictures: Tensor
    labels: Tensor


def labelled_slices(volume: Volume, mask: Mask) -> LabelledSlices:
    """The pictures and labels the network learns from, on its own grid."""
    pictures = windowed(to_pictures(working_grid(volume).array))
    labels = to_pictures(resample(mask, (mask.spacing_mm[0], PIXEL_MM, PIXEL_MM)).array)
    return LabelledSlices(torch.from_numpy(pictures.copy()).half(), torch.from_numpy(labels.astype(np.uint8)))


def train_segmenter(
    examples: Sequence[LabelledSlices],
    config: SegmentationTraining,
    *,
    first_cycle: Segmenter | None = None,
    checkpoint: Path | None = None,
    report: Callable[[str, float, float], None] = lambda where, loss, left_s: None,
) -> Segmenter:
    """A trained network: AdamW on one-cycle schedules, cross-entropy + soft Dice, averaged weights.

    With ``first_cycle``, a network that an earlier training left after the first cycle, it goes on with the second.
    With ``checkpoint`` the training takes up where an earlier one was stopped; the random stream of each step
    depends on the seed, the cycle and the step alone, so that a resumed run is the same as an unbroken one.
    ``report`` is called with the place, the loss and the seconds left in the cycle.
    """
    torch.manual_seed(config.seed)
    net = first_cycle or Segmenter()
    for number in range(0 if first_cycle is None else 1, len(config.cycles)):
        of_cycle = (
            None if checkpoint is None else checkpoint.with_name(f"{checkpoint.stem}-{number}{checkpoint.suffix}")
        )
        net = _cycle(net, examples, config, number, of_cycle, report)
    return net.eval()


def _cycle(
    net: Segmenter,
    examples: Sequence[LabelledSlices],
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
        pictures, labels = _batch(examples, config, cycle.strength_at(step), rng)
        loss = segmentation_loss(net(pictures.contiguous(memory_format=torch.channels_last)), labels)
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


def segmentation_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy plus one minus the mean soft Dice of the three structures over the batch."""
    p = scores.softmax(1)
    truth = F.one_hot(labels, len(CLASSES)).permute(0, 3, 1, 2).to(p.dtype)
    overlap = 2 * (p * truth).sum((0, 2, 3)) + 1
    dice = overlap / (p.sum((0, 2, 3)) + truth.sum((0, 2, 3)) + 1)
    return F.cross_entropy(scores, labels) + 1 - dice[1:].mean()


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


def _batch(
    examples: Sequence[LabelledSlices], config: SegmentationTraining, strength: float, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    drawn = [_crop(examples[int(rng.integers(len(examples)))], config.crop, strength, rng) for _ in range(config.batch)]
    labels = torch.stack([y for _, y in drawn])
    pictures = torch.stack([_restyled(x, y, strength, rng) for x, y in drawn])
    spread = pictures.std((1, 2, 3), keepdim=True) + 1e-3
    pictures = (pictures - pictures.mean((1, 2, 3), keepdim=True)) / spread
    return pictures, labels.long()


def _crop(
    example: LabelledSlices, crop: tuple[int, int], strength: float, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """A rotated, scaled, sheared window of three slices, (3, h, w), and the middle one's labels, (h, w)."""
    n, rows, columns = example.labels.shape
    k = int(rng.integers(n))
    offset = int(rng.choice([0, 1, 1, 1, 2, 3, 4])) * int(rng.choice([-1, 1]))
    index = [min(max(k - offset, 0), n - 1), k, min(max(k + offset, 0), n - 1)]
    slices, labels = example.pictures[index].float(), example.labels[k]
    spine = torch.nonzero(labels)
    if len(spine) and rng.random() < 0.85:
        centre = spine[rng.integers(len(spine))].numpy() + rng.normal(0, 25, 2)
    else:
        centre = rng.random(2) * (rows, columns)
    angle, shear = strength * np.deg2rad(rng.normal(0, 9)), strength * rng.normal(0, 0.06)
    zoom = np.exp(strength * (rng.normal(0, 0.13) + rng.normal(0, 0.05, 2)))
    turn = (
        np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        @ [[1, shear], [0, 1]]
        @ np.diag(zoom)
    )
    r, c = np.meshgrid(np.arange(crop[0]) - crop[0] / 2, np.arange(crop[1]) - crop[1] / 2, indexing="ij")
    at = np.einsum("ab,bhw->ahw", turn, np.stack([r, c])) + centre[:, None, None]
    if rng.random() < 0.3 * strength:  # gentle elastic bend
        bend = torch.from_numpy(rng.normal(0, 6, (1, 2, 4, 3)).astype(np.float32))
        at = at + F.interpolate(bend, crop, mode="bicubic", align_corners=True)[0].numpy()
    where = torch.from_numpy(
        np.stack([at[1] * 2 / (columns - 1) - 1, at[0] * 2 / (rows - 1) - 1], -1).astype(np.float32)
    )[None]
    x = F.grid_sample(slices[None], where, mode="bilinear", align_corners=True)[0]
    y = F.grid_sample(labels[None, None].float(), where, mode="nearest", align_corners=True)[0, 0]
    return x, y.to(torch.uint8)


def _restyled(x: Tensor, y: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    """The pictures as another scanner or sequence might have shown them."""
    h, w = y.shape
    if rng.random() < 0.4 * strength:  # each tissue brighter or darker, as between T1 and T2
        shift = torch.from_numpy(np.r_[0.0, rng.normal(0, 0.22, 3)].astype(np.float32))[y.long()]
        x = x + F.avg_pool2d(shift[None], 5, 1, 2)
    if rng.random() < 0.15 * strength:
        x = 1 - x
    x = x.clamp(0, 1.3)
    if rng.random() < 0.8:
        x = x.clamp_min(1e-3) ** float(np.exp(strength * rng.normal(0, 0.4)))
    if rng.random() < 0.5 * strength:  # coil sensitivity
        field = torch.from_numpy(rng.normal(0, 0.35, (1, 1, 4, 3)).astype(np.float32))
        x = x * F.interpolate(field, (h, w), mode="bicubic", align_corners=True)[0].exp()
    if rng.random() < 0.35 * strength:  # thicker pixels
        small = [max(8, int(n / rng.uniform(1.2, 2.8))) for n in (h, w)]
        x = F.interpolate(x[None], small, mode="bilinear", antialias=True)
        x = F.interpolate(x, (h, w), mode="bilinear" if rng.random() < 0.7 else "nearest")[0]
    if rng.random() < 0.5 * strength:
        noise = torch.from_numpy(rng.standard_normal((3, h, w), dtype=np.float32))
        x = x + noise * float(rng.uniform(0, 0.08))
    return x
