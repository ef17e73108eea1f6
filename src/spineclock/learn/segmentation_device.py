"""Batches for the segmentation network's training made on an accelerator: all examples lie in its memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from spineclock.learn.segmentation_crops import (
    Batch,
    SegmentationTraining,
    neighbours,
    standardised,
    tissue_shifts,
    turned,
    wandering,
)
from spineclock.learn.segmentation_examples import FULL_SCALE, UNKNOWN, LabelledSlices, Source
from spineclock.nets.segmenter import Segmenter
from spineclock.segment.instances import SACRUM_CLASS
from spineclock.segment.slices import MULTIPLE, PIXEL_MM

POINTS = 300
"""Points of the spine that are kept of each slice, for crops to lie round."""


@dataclass(frozen=True)
class _Kept:
    """An example in the device's memory, and points of the spine in each of its slices."""

    example: LabelledSlices
    points: tuple[npt.NDArray[np.int64], ...]


class DeviceBatches:
    """Draws batches as the training on the CPU does, with the same changes to pictures, whole batches at once."""

    def __init__(self, sources: Sequence[Source], config: SegmentationTraining, device: str) -> None:
        rng = np.random.default_rng(config.seed)
        self.device, self.config = torch.device(device), config
        self.kept = [[_kept(e, self.device, rng) for e in s.examples] for s in sources]
        shares = np.array([s.share for s in sources], float)
        self.shares = shares / shares.sum()
        h, w = config.crop
        r, c = torch.meshgrid(torch.arange(h) - h / 2, torch.arange(w) - w / 2, indexing="ij")
        self.base = torch.stack([r, c]).to(self.device)

    def __call__(self, strength: float, rng: np.random.Generator) -> Batch:
        """A batch whose pictures are changed this strongly."""
        pictures, labels, sacrum = [], [], []
        for _ in range(self.config.batch):
            source = self.kept[int(rng.choice(len(self.kept), p=self.shares))]
            kept = source[int(rng.integers(len(source)))]
            x, y = self._crop(kept, strength, rng)
            pictures.append(x)
            labels.append(y)
            sacrum.append(kept.example.sacrum)
        x, y = torch.stack(pictures), torch.stack(labels).long()
        noise = torch.Generator(self.device).manual_seed(int(rng.integers(2**62)))
        x = standardised(restyled(x, y, strength, rng, noise))
        return Batch(x, y, torch.tensor(sacrum, device=self.device))

    def _crop(self, kept: _Kept, strength: float, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """A rotated, scaled, sheared, bent window of three slices, (3, h, w), and the middle one's labels, (h, w)."""
        example, crop = kept.example, self.config.crop
        n, rows, columns = example.labels.shape
        k = int(rng.integers(n))
        index = neighbours(n, k, example.slice_mm, rng)
        points = kept.points[k]
        if len(points) and rng.random() < 0.85:
            centre = points[rng.integers(len(points))] + wandering(example.pixel_mm, rng)
        else:
            centre = rng.random(2) * (rows, columns)
        turn = turned(strength, example.pixel_mm, rng)
        where = torch.tensor(np.column_stack([turn, centre]), dtype=torch.float32, device=self.device)
        at = torch.einsum("ab,bhw->ahw", where[:, :2], self.base) + where[:, 2, None, None]
        if rng.random() < 0.3 * strength:  # gentle elastic bend
            bend = self._field(rng.normal(0, 6, (1, 2, 4, 3)))
            scale = torch.tensor(example.pixel_mm, device=self.device)[:, None, None]
            at = at + F.interpolate(bend, crop, mode="bicubic", align_corners=True)[0] * (PIXEL_MM / scale)
        grid = torch.stack([at[1] * 2 / (columns - 1) - 1, at[0] * 2 / (rows - 1) - 1], -1)[None]
        slices = torch.stack([example.pictures[i] for i in index]).float()
        if not example.pictures.is_floating_point():
            slices = slices / FULL_SCALE
        x = F.grid_sample(slices[None], grid, mode="bilinear", align_corners=True)[0]
        y = F.grid_sample(example.labels[k][None, None].float(), grid, mode="nearest", align_corners=True)[0, 0]
        return x, y

    def _field(self, values: npt.NDArray[Any]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(self.device)


def restyled(x: Tensor, y: Tensor, strength: float, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
    """Pictures (N, 3, H, W) as other scanners or sequences might have shown them, each changed in its own way."""
    n, h, w = y.shape
    device = x.device

    def each(values: npt.NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(device).view(n, 1, 1, 1)

    def where(share: float, values: npt.NDArray[Any], otherwise: float) -> Tensor:
        return each(np.where(rng.random(n) < share, values, otherwise))

    shifts = np.stack([tissue_shifts(rng) for _ in range(n)]) * (rng.random((n, 1)) < 0.4 * strength)
    table = torch.from_numpy(shifts.astype(np.float32)).to(device)  # brighter and darker tissues, as between T1 and T2
    shift = table.gather(1, y.view(n, -1)).view(n, 1, h, w)
    x = x + F.avg_pool2d(shift, 5, 1, 2)
    inverted = where(0.15 * strength, np.ones(n), 0.0)
    x = (inverted + x * (1 - 2 * inverted)).clamp(0, 1.3)
    x = x.clamp_min(1e-3) ** where(0.8, np.exp(strength * rng.normal(0, 0.4, n)), 1.0)
    field = torch.from_numpy(rng.normal(0, 0.35, (n, 1, 4, 3)).astype(np.float32)).to(device)  # coil sensitivity
    field = field * where(0.5 * strength, np.ones(n), 0.0)
    x = x * F.interpolate(field, (h, w), mode="bicubic", align_corners=True).exp()
    for i in np.flatnonzero(rng.random(n) < 0.35 * strength):  # thicker pixels
        small = [max(8, int(m / rng.uniform(1.2, 2.8))) for m in (h, w)]
        coarse = F.interpolate(x[i : i + 1], small, mode="bilinear", antialias=True)
        x[i] = F.interpolate(coarse, (h, w), mode="bilinear" if rng.random() < 0.7 else "nearest")[0]
    grain = torch.randn(x.shape, generator=noise, device=device)
    return x + grain * where(0.5 * strength, rng.uniform(0, 0.08, n), 0.0)


def _kept(example: LabelledSlices, device: torch.device, rng: np.random.Generator) -> _Kept:
    points = []
    for labels in example.labels.numpy():
        found = np.flatnonzero(labels)
        drawn = found[rng.integers(len(found), size=POINTS)] if len(found) else found
        points.append(np.column_stack(np.unravel_index(drawn, labels.shape)))
    moved = LabelledSlices(
        example.pictures.to(device),
        example.labels.to(device),
        example.pixel_mm,
        example.slice_mm,
        sacrum=example.sacrum,
    )
    return _Kept(moved, tuple(points))


def overlaps(net: Segmenter, examples: Sequence[LabelledSlices], device: str, *, batch: int = 16) -> list[list[float]]:
    """Each example's Dice of every class but background, on its own pixels; NaN where nothing of a class is labelled.

    A quick look, one view a slice and on the examples' own pixels: what counts is measured on scans by
    :mod:`spineclock.segment.network`.
    """
    net = net.to(device).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs
    found = []
    for example in examples:
        hits, sizes, truths = (torch.zeros(SACRUM_CLASS + 1, device=device) for _ in range(3))
        pictures = _on_grid(example.pictures.to(device).float(), example, "bilinear")
        pictures = (pictures - pictures.mean()) / (pictures.std() + 1e-6)
        labels = _on_grid(example.labels.to(device).float(), example, "nearest").long()
        n, (rows, columns) = len(pictures), pictures.shape[1:]
        pictures = F.pad(pictures, (0, -columns % MULTIPLE, 0, -rows % MULTIPLE), value=float(pictures.min()))
        away = max(1, round(1.0 / example.slice_mm))
        index = torch.arange(n, device=device)
        stacks = [pictures[(index + d).clamp(0, n - 1)] for d in (-away, 0, away)]
        for k in range(0, n, batch):
            with torch.inference_mode():
                scores = net(torch.stack([s[k : k + batch] for s in stacks], 1))
            best, truth = scores.argmax(1)[:, :rows, :columns], labels[k : k + batch]
            best = best.where(truth != UNKNOWN, truth)
            for c in range(1, SACRUM_CLASS + 1):
                a, b = best == c, truth == c
                hits[c] += (a & b).sum()
                sizes[c] += a.sum()
                truths[c] += b.sum()
        dice = torch.where(truths > 0, 2 * hits / (sizes + truths).clamp_min(1), torch.nan)
        found.append([float(d) for d in dice[1:].cpu()])
    net.cpu()
    return found


def _on_grid(pictures: Tensor, example: LabelledSlices, how: str) -> Tensor:
    """Pictures on the network's pixels."""
    size = [max(1, round(n * mm / PIXEL_MM)) for n, mm in zip(pictures.shape[1:], example.pixel_mm, strict=True)]
    return pictures if list(pictures.shape[1:]) == size else F.interpolate(pictures[None], size, mode=how)[0]
