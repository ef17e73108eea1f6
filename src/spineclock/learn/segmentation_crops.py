"""What one step of the segmentation network's training is shown: crops, moved and restyled, and how it is set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from spineclock.learn.segmentation_examples import FULL_SCALE, UNKNOWN, LabelledSlices, Source
from spineclock.segment.slices import PIXEL_MM


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
    weights: tuple[float, ...] = ()
    """How much a voxel of each class counts in the cross-entropy, for rare ones to be learned at all; alike if ()."""

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
    bfloat16: bool = False
    """Whether a CPU computes in bfloat16 too; it gains where the CPU has AVX-512-bf16, and loses elsewhere."""


class Batch(NamedTuple):
    """What one step learns from: pictures (N, 3, H, W), labels (N, H, W), and whose sacrum is labelled (N,)."""

    pictures: Tensor
    labels: Tensor
    sacrum: Tensor


def drawn_example(sources: Sequence[Source], rng: np.random.Generator) -> LabelledSlices:
    """An example of a source drawn by the sources' shares."""
    source = sources[0]
    if len(sources) > 1:
        shares = np.array([s.share for s in sources], float)
        source = sources[int(rng.choice(len(sources), p=shares / shares.sum()))]
    return source.examples[int(rng.integers(len(source.examples)))]


def batch_of(
    sources: Sequence[Source], config: SegmentationTraining, strength: float, rng: np.random.Generator
) -> Batch:
    """Crops of examples drawn by the sources' shares, changed this strongly, on the CPU."""
    drawn, sacrum = [], []
    for _ in range(config.batch):
        example = drawn_example(sources, rng)
        drawn.append(_crop(example, config.crop, strength, rng))
        sacrum.append(example.sacrum)
    labels = torch.stack([y for _, y in drawn])
    pictures = torch.stack([_restyled(x, y, strength, rng) for x, y in drawn])
    return Batch(standardised(pictures), labels.long(), torch.tensor(sacrum))


def standardised(pictures: Tensor) -> Tensor:
    """Each example of a batch with mean 0 and standard deviation 1."""
    spread = pictures.std((1, 2, 3), keepdim=True) + 1e-3
    return (pictures - pictures.mean((1, 2, 3), keepdim=True)) / spread


def neighbours(n: int, k: int, slice_mm: float, rng: np.random.Generator) -> list[int]:
    """A slice between two that lie 0 to 4 mm aside, the nearest ones where slices are thicker; either way round."""
    away_mm = int(rng.choice([0, 1, 1, 1, 2, 3, 4]))
    offset = max(1, round(away_mm / slice_mm)) if away_mm else 0
    offset *= int(rng.choice([-1, 1]))
    return [min(max(k - offset, 0), n - 1), k, min(max(k + offset, 0), n - 1)]


def turned(strength: float, pixel_mm: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """The 2 × 2 matrix from a crop's pixels to an example's, rotated, scaled and sheared at random."""
    angle, shear = strength * np.deg2rad(rng.normal(0, 9)), strength * rng.normal(0, 0.06)
    zoom = np.exp(strength * (rng.normal(0, 0.13) + rng.normal(0, 0.05, 2)))
    turn = (
        np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        @ [[1, shear], [0, 1]]
        @ np.diag(zoom)
    )
    return np.asarray(PIXEL_MM / np.array(pixel_mm)[:, None] * turn)


def _crop(
    example: LabelledSlices, crop: tuple[int, int], strength: float, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """A rotated, scaled, sheared window of three slices, (3, h, w), and the middle one's labels, (h, w)."""
    n, rows, columns = example.labels.shape
    k = int(rng.integers(n))
    index = neighbours(n, k, example.slice_mm, rng)
    slices, labels = example.pictures[index].float(), example.labels[k]
    if not example.pictures.is_floating_point():
        slices = slices / FULL_SCALE
    spine = torch.nonzero(labels)
    if len(spine) and rng.random() < 0.85:
        centre = spine[rng.integers(len(spine))].numpy() + wandering(example.pixel_mm, rng)
    else:
        centre = rng.random(2) * (rows, columns)
    turn = turned(strength, example.pixel_mm, rng)
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


def wandering(pixel_mm: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """How far, in an example's pixels, a crop's middle lies from a point of the spine."""
    return np.asarray(rng.normal(0, 25, 2) * PIXEL_MM / np.array(pixel_mm))


def tissue_shifts(rng: np.random.Generator) -> np.ndarray:
    """How much brighter each class is drawn, the sacrum as the vertebrae are; what is unknown as background."""
    shift = np.zeros(UNKNOWN + 1, np.float32)
    shift[1:4] = rng.normal(0, 0.22, 3)
    shift[4] = shift[2]
    return shift


def _restyled(x: Tensor, y: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    """The pictures as another scanner or sequence might have shown them."""
    h, w = y.shape
    if rng.random() < 0.4 * strength:  # each tissue brighter or darker, as between T1 and T2
        shift = torch.from_numpy(tissue_shifts(rng))[y.long()]
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
