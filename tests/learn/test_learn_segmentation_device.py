"""Batches made on a device, run here on the CPU by another name, beside those the CPU's own way makes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spineclock.core.volume import Mask, Volume
from spineclock.learn.segmentation import drawing, train_segmenter
from spineclock.learn.segmentation_crops import Cycle, SegmentationTraining, neighbours
from spineclock.learn.segmentation_device import overlaps, restyled
from spineclock.learn.segmentation_examples import UNKNOWN, LabelledSlices, Source, phantom_slices
from spineclock.nets.segmenter import Segmenter

CONFIG = SegmentationTraining(cycles=(Cycle(2, 1e-3, 0.5, 4, 1.0, 0.5),), batch=8, crop=(96, 64))


def block(*, pixel_mm: float = 0.47, sacrum: bool = True) -> LabelledSlices:
    """A bright square of 28.2 mm, labelled vertebra, in the middle of each of five slices."""
    n = round(94 / pixel_mm)
    labels = torch.zeros(5, n, n, dtype=torch.uint8)
    labels[:, round(0.35 * n) : round(0.65 * n), round(0.35 * n) : round(0.65 * n)] = 2
    return LabelledSlices((labels > 0).to(torch.uint8) * 200, labels, (pixel_mm, pixel_mm), 4.0, sacrum=sacrum)


@pytest.mark.parametrize("device", ["cpu", "cpu:0"])
@pytest.mark.parametrize("pixel_mm", [0.47, 0.94])
def test_labels_lie_where_pictures_show_it_and_sizes_are_millimetres(device: str, pixel_mm: float) -> None:
    batch = drawing([block(pixel_mm=pixel_mm)], CONFIG, device)(0.0, np.random.default_rng(3))
    assert batch.pictures.shape == (8, 3, 96, 64)
    assert batch.labels.shape == (8, 96, 64)
    inside = batch.labels == 2
    shown = batch.pictures[:, 1]
    middle = (shown.amax((1, 2), keepdim=True) + shown.amin((1, 2), keepdim=True)) / 2
    seen = inside.float().mean((1, 2)) > 0.05
    assert ((shown > middle) == inside)[seen].float().mean() > 0.97
    rows = inside.any(2).sum(1).max().item()
    assert rows == pytest.approx(28.2 / 0.47, abs=3)


def test_kinds_are_drawn_by_their_shares() -> None:
    sources = [Source([block(sacrum=True)], 0.75), Source([block(sacrum=False)], 0.25)]
    for device in ("cpu", "cpu:0"):
        draw = drawing(sources, CONFIG, device)
        rng = np.random.default_rng(0)
        share = np.mean([draw(0.0, rng).sacrum.float().mean().item() for _ in range(40)])
        assert share == pytest.approx(0.75, abs=0.08)


def test_neighbours_are_the_nearest_where_slices_are_thick() -> None:
    rng = np.random.default_rng(0)
    thick = {abs(neighbours(20, 10, 4.5, rng)[0] - 10) for _ in range(200)}
    thin = {abs(neighbours(20, 10, 1.0, rng)[0] - 10) for _ in range(200)}
    assert thick == {0, 1}
    assert thin == {0, 1, 2, 3, 4}


def test_pictures_are_changed_each_in_its_own_way_and_not_at_all_without_strength() -> None:
    x, y = torch.rand(6, 3, 64, 48), torch.zeros(6, 64, 48, dtype=torch.long)
    x[1:] = x[0]
    y[:, 20:30] = 2
    y[:, 40:50] = UNKNOWN
    changed = restyled(x.clone(), y, 1.0, np.random.default_rng(1), torch.Generator().manual_seed(1))
    assert torch.isfinite(changed).all()
    assert (changed - changed[0]).abs().amax((1, 2, 3))[1:].min() > 0.02
    calm = restyled(x.clone(), y, 0.0, np.random.default_rng(1), torch.Generator().manual_seed(1))
    torch.testing.assert_close(calm, x.clamp_min(1e-3))


def test_a_training_on_a_device_goes_on_from_what_it_is_given() -> None:
    start = Segmenter((4, 6))
    before = torch.cat([p.detach().flatten() for p in start.parameters()])
    net = train_segmenter([Source([block()], 1.0)], CONFIG, start=start, device="cpu:0")
    after = torch.cat([p.detach().flatten() for p in net.parameters()])
    assert not net.training
    assert 0 < (after - before).abs().max() < 0.1


def test_overlap_of_a_network_that_takes_bright_for_vertebra() -> None:
    class Bright(Segmenter):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            bright = (x[:, 1] > 0).float()
            zero = torch.zeros_like(bright)
            return torch.stack([1 - bright, zero, bright, zero, zero], 1)

    for pixel_mm in (0.47, 0.94):
        (dice,) = overlaps(Bright((4, 6)), [block(pixel_mm=pixel_mm)], "cpu:0")
        assert dice[1] == pytest.approx(1.0, abs=0.05)
        assert np.isnan(dice[0])
        assert np.isnan(dice[3])


def test_a_simulated_scan_s_canal_within_the_sacrum_is_left_open() -> None:
    labels = np.zeros((2, 4, 10), np.uint16)
    labels[:, 0] = 61
    labels[:, 0, 3] = 60
    labels[:, 2:, 0:4], labels[:, 2:, 4:6], labels[:, 2:, 6:] = 226, 124, 224
    affine = np.diag([4.0, 0.9, 1.1, 1.0])
    example = phantom_slices(Volume(np.arange(80).reshape(2, 4, 10), affine), Mask(labels, affine))
    assert example.labels.shape == (2, 10, 4)
    assert example.pixel_mm == (1.1, 0.9)
    assert example.slice_mm == 4.0
    assert example.sacrum
    assert example.labels[0, :, 0].tolist() == [2] * 4 + [1] * 2 + [4] * 4  # downwards, in front
    assert example.labels[0, :, 3].tolist() == [3] * 6 + [UNKNOWN] * 4
    assert example.pictures.dtype == torch.uint8
    assert example.pictures.max() == 255
