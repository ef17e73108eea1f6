"""What the segmentation network of CT is shown while it learns: blocks of simulated scans, moved and restyled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from spineclock.core.anatomy import CT_CLASSES
from spineclock.core.volume import Mask, Volume
from spineclock.learn.segmentation_crops import Batch
from spineclock.learn.segmentation_examples import UNKNOWN
from spineclock.segment.ct_grid import AIR_HU, BONE_HU, NUMBER, SOFT_HU, classes_of

POINTS = 1000
CROP = (64, 64, 96)
"""Voxels of a block: 128 mm across and from back to front, 192 mm along the spine."""


@dataclass(frozen=True)
class LabelledCt:
    """A simulated scan on the network's grid: samples in HU (int16) and classes (uint8), both (I, J, K).

    ``points`` are voxels of what is labelled, (N, 3), for blocks to lie round.
    """

    samples: Tensor
    classes: Tensor
    points: npt.NDArray[np.int64]


def labelled_ct(volume: Volume, labels: Mask) -> LabelledCt:
    """A scan of 2 mm voxels with its true label map as an example.

    The canal below the lowest disc above the sacrum is left open: where it ends there is anybody's guess.
    """
    classes = np.array(classes_of(labels).array)
    discs = np.flatnonzero((classes == NUMBER["disc"]).any(axis=(0, 1)))
    if len(discs):
        below = classes[:, :, : discs[0]]
        below[below == NUMBER["canal"]] = UNKNOWN
    found = np.flatnonzero(classes)
    drawn = np.random.default_rng(0).choice(found, POINTS) if len(found) else found
    points = np.column_stack(np.unravel_index(drawn, classes.shape))
    samples = torch.from_numpy(np.array(volume.array, dtype=np.int16))
    return LabelledCt(samples, torch.from_numpy(np.ascontiguousarray(classes)), points)


@dataclass(frozen=True)
class CtBatches:
    """Draws batches of blocks from examples, each moved, turned, bent and shown as another scanner might show it."""

    examples: Sequence[LabelledCt]
    batch: int = 2
    crop: tuple[int, int, int] = CROP

    def __call__(self, strength: float, rng: np.random.Generator) -> Batch:
        """A batch whose blocks are changed this strongly."""
        blocks, classes = [], []
        for _ in range(self.batch):
            example = self.examples[int(rng.integers(len(self.examples)))]
            x, y = moved(example, self.crop, strength, rng)
            x = cut_off(x, y, strength, rng)
            blocks.append(windowed(restyled(x, y, strength, rng)))
            classes.append(y)
        return Batch(torch.stack(blocks), torch.stack(classes), torch.ones(self.batch, dtype=torch.bool))


def windowed(x: Tensor) -> Tensor:
    """What :func:`spineclock.segment.ct_grid.windows` returns, of tensors."""
    seen = [(x - (low + high) / 2) / ((high - low) / 2) for low, high in (SOFT_HU, BONE_HU)]
    return torch.stack(seen).clamp(-1, 1)


def moved(
    example: LabelledCt, crop: tuple[int, int, int], strength: float, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """A turned, scaled, bent block of the samples and its classes; sides are swapped in every second one."""
    shape = np.array(example.samples.shape)
    points = example.points if rng.random() < 0.9 else example.points[:0]
    centre = points[rng.integers(len(points))] + rng.normal(0, 14, 3) if len(points) else rng.random(3) * shape
    zoom = np.exp(strength * (rng.normal(0, 0.12) + rng.normal(0, 0.05, 3)))
    turn = _rotation(strength * np.deg2rad(rng.normal(0, 8, 3))) @ np.diag(zoom)
    turn[:, 0] *= rng.choice([-1, 1])
    steps = [torch.arange(n, dtype=torch.float32) - (n - 1) / 2 for n in crop]
    base = torch.stack(torch.meshgrid(*steps, indexing="ij"))
    at = torch.einsum("ab,bijk->aijk", torch.tensor(turn, dtype=torch.float32), base)
    if rng.random() < 0.5 * strength:
        bend = torch.from_numpy(rng.normal(0, 2.5, (1, 3, 4, 4, 5)).astype(np.float32))
        at = at + F.interpolate(bend, crop, mode="trilinear", align_corners=True)[0]
    at = at + torch.tensor(centre, dtype=torch.float32).view(3, 1, 1, 1)
    scale = torch.tensor(2 / (shape - 1), dtype=torch.float32).view(3, 1, 1, 1)
    where = (at * scale - 1).flip(0).permute(1, 2, 3, 0)[None]
    samples = (example.samples.float() - AIR_HU)[None, None]
    x = F.grid_sample(samples, where, mode="bilinear", align_corners=True)[0, 0] + AIR_HU
    y = F.grid_sample(example.classes.float()[None, None], where, mode="nearest", align_corners=True)[0, 0]
    return x, y.long()


def cut_off(x: Tensor, y: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    """The block with air beyond a border of the field of view, where it has one; classes there become background."""
    for axis in range(3):
        for end in (0, 1):
            if rng.random() < 0.12 * strength:
                n = x.shape[axis]
                gone = int(n * rng.uniform(0.05, 0.4))
                there = (
                    x.narrow(axis, 0 if end == 0 else n - gone, gone),
                    y.narrow(axis, 0 if end == 0 else n - gone, gone),
                )
                there[0].fill_(AIR_HU)
                there[1].fill_(0)
    return x


def restyled(x: Tensor, y: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    """Samples in HU as another scanner, kernel, dose or person might have shown them."""
    air = x < -900
    if rng.random() < 0.7 * strength:  # each tissue lighter or denser
        shifts = np.zeros(UNKNOWN + 1, np.float32)
        shifts[1 : len(CT_CLASSES)] = rng.normal(0, 12, len(CT_CLASSES) - 1)
        shifts[[NUMBER["body"], NUMBER["arch"], NUMBER["sacrum"]]] += rng.normal(0, 25)
        x = x + _smooth(torch.from_numpy(shifts)[y], 3)
    if rng.random() < 0.6 * strength:  # fat, water, muscle, contrast and bone drawn as other values
        at = np.array([-1100, -300, -110, 0, 60, 130, 250, 600, 3100], np.float32)
        to = np.maximum.accumulate(at + rng.normal(0, (0, 60, 15, 8, 8, 12, 25, 50, 0)))
        x = torch.from_numpy(np.interp(x.numpy(), at, to).astype(np.float32))
    if rng.random() < 0.4 * strength:  # shading
        field = torch.from_numpy(rng.normal(0, 20, (1, 1, 3, 3, 3)).astype(np.float32))
        x = x + F.interpolate(field, x.shape, mode="trilinear", align_corners=True)[0, 0]
    if rng.random() < 0.4 * strength:  # what the phantom lacks: contrast medium, calcium, metal, gas
        x = _with_blobs(x, y, rng)
    if rng.random() < 0.35 * strength:  # thick slices
        along = max(8, round(x.shape[2] / rng.uniform(1.2, 2.5)))
        coarse = F.adaptive_avg_pool3d(x[None, None], (x.shape[0], x.shape[1], along))
        x = F.interpolate(coarse, x.shape, mode="trilinear")[0, 0]
    kind = rng.random()
    if kind < 0.25 * strength:  # a soft kernel
        x = _smooth(x, 3)
    elif kind < 0.5 * strength:  # a sharp one
        x = x + float(rng.uniform(0.2, 0.9)) * (x - _smooth(x, 3))
    if rng.random() < 0.6 * strength:
        grain = torch.from_numpy(rng.standard_normal(x.shape, dtype=np.float32)) * float(np.exp(rng.uniform(1.5, 4.3)))
        x = x + (grain if rng.random() < 0.5 else 2 * _smooth(grain, 3))
    x = x * float(np.exp(strength * rng.normal(0, 0.06))) + float(strength * rng.normal(0, 10))
    return torch.where(air, torch.full_like(x, AIR_HU), x)


def _with_blobs(x: Tensor, y: Tensor, rng: np.random.Generator) -> Tensor:
    """The samples with a few ellipsoids of another density in the background."""
    steps = [torch.arange(n, dtype=torch.float32) for n in x.shape]
    for _ in range(int(rng.integers(1, 5))):
        middle, half = rng.random(3) * x.shape, np.exp(rng.uniform(0.7, 2.7, 3))
        away = [((s - m) / h) ** 2 for s, m, h in zip(steps, middle, half, strict=True)]
        inside = (away[0][:, None, None] + away[1][None, :, None] + away[2][None, None, :] < 1) & (y == 0)
        x = torch.where(inside, torch.full_like(x, float(rng.choice([-800, -100, 150, 300, 600, 1500]))), x)
    return x


def _smooth(x: Tensor, width: int) -> Tensor:
    return F.avg_pool3d(x[None, None], width, 1, width // 2, count_include_pad=False)[0, 0]


def _rotation(angles: np.ndarray) -> np.ndarray:
    """Turns about the three axes, one after the other."""
    out = np.eye(3)
    for axis, angle in enumerate(angles):
        turn = np.eye(3)
        a, b = (axis + 1) % 3, (axis + 2) % 3
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        out = turn @ out
    return out
