"""Blocks of simulated CT: samples and classes move together; batches drawn ahead are the same batches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from spineclock.core.volume import Mask, Volume
from spineclock.learn.segmentation import Ahead, cycled
from spineclock.learn.segmentation_crops import Cycle, SegmentationTraining
from spineclock.learn.segmentation_ct import CtBatches, LabelledCt, cut_off, labelled_ct, moved, restyled, windowed
from spineclock.learn.segmentation_examples import UNKNOWN
from spineclock.learn.segmentation_loss import segmentation_loss
from spineclock.nets.ct_segmenter import CtSegmenter
from spineclock.segment.ct_grid import AIR_HU, NUMBER, windows

CROP = (32, 32, 32)


def example(seed: int = 0) -> LabelledCt:
    """A body, a disc and a canal of plain density, 2 mm voxels."""
    labels = np.zeros((40, 48, 56), np.uint16)
    labels[12:28, 20:34, 20:36] = 222
    labels[12:28, 20:34, 16:20] = 122
    labels[16:24, 10:18, :] = 61
    hu = np.select([labels == 222, labels == 122, labels == 61], [300, 90, 20], -100)
    hu = hu + np.random.default_rng(seed).integers(-2, 3, hu.shape)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    return labelled_ct(Volume(hu.astype(np.int16), affine), Mask(labels, affine))


def test_the_canal_below_the_lowest_disc_is_left_open():
    classes = example().classes
    assert (classes[16:24, 10:18, :16] == UNKNOWN).all()
    assert (classes[16:24, 10:18, 16:] == NUMBER["canal"]).all()


@pytest.mark.parametrize("seed", [0, 1, 3, 4])
def test_samples_and_classes_move_together(seed):
    x, y = moved(example(), (64, 64, 64), 1.0, np.random.default_rng(seed))
    assert x.shape == y.shape == (64, 64, 64)
    assert (y == NUMBER["body"]).sum() > 200
    inner = -F.max_pool3d(-(y == NUMBER["body"]).float()[None, None], 3, 1)[0, 0] > 0  # a voxel within its border
    within = x[1:-1, 1:-1, 1:-1][inner]
    assert len(within) > 50
    assert within.min() > 200
    assert within.max() < 303


def test_beyond_the_scan_is_air():
    x, y = moved(example(), (96, 96, 96), 0.0, np.random.default_rng(0))
    assert x[0, 0, 0] == AIR_HU
    assert y[0, 0, 0] == 0


def test_what_is_cut_off_is_air_and_background():
    cut = 0
    for seed in range(20):
        x, y = torch.full(CROP, 50.0), torch.full(CROP, 2)
        cut_off(x, y, 1.0, np.random.default_rng(seed))
        assert ((x == AIR_HU) == (y == 0)).all()
        cut += bool((y == 0).any())
    assert 5 <= cut <= 19  # 1 − 0.88⁶ = 54% are expected


def test_windows_are_those_of_inference():
    hu = torch.linspace(-1024, 3071, 500).view(5, 10, 10)
    np.testing.assert_allclose(windowed(hu).numpy(), windows(hu.numpy()), atol=1e-6)


def test_air_stays_air_and_bone_stays_denser_than_canal():
    data = example()
    x, y = data.samples.float(), data.classes.long()
    for seed in range(6):
        changed = restyled(x.clone(), y, 1.0, np.random.default_rng(seed))
        assert torch.isfinite(changed).all()
        assert changed[y == NUMBER["body"]].mean() > changed[y == NUMBER["canal"]].mean() + 50


def test_the_loss_counts_three_dimensions_as_it_counts_two():
    torch.manual_seed(0)
    scores, labels = torch.randn(2, 8, 6, 10), torch.randint(0, 8, (2, 6, 10))
    flat = segmentation_loss(scores, labels)
    deep = segmentation_loss(scores.view(2, 8, 3, 2, 10), labels.view(2, 3, 2, 10))
    torch.testing.assert_close(flat, deep)
    p, one = scores.softmax(1), F.one_hot(labels, 8).movedim(-1, 1).float()  # by the definition
    dice = (2 * (p * one).sum((0, 2, 3)) + 1) / (p.sum((0, 2, 3)) + one.sum((0, 2, 3)) + 1)
    torch.testing.assert_close(flat, F.cross_entropy(scores, labels) + 1 - dice[1:].mean())


def test_batches_drawn_ahead_teach_the_same_and_a_stopped_training_goes_on(tmp_path):
    config = SegmentationTraining((Cycle(4, 1e-3, 0.5, 10, 1.0, 0.8),), batch=1, checkpoint_every=2)
    draw = CtBatches([example(), example(1)], batch=1, crop=(16, 16, 16))

    def trained(how, settings, path=None):
        torch.manual_seed(0)
        return cycled(CtSegmenter((4, 6)), how, settings, checkpoint=path).state_dict()

    wanted, found = trained(draw, config), trained(Ahead(draw), config)
    assert all(torch.equal(wanted[n], found[n]) for n in wanted)

    class Stopped(Exception):
        pass

    def stopping(strength, rng, left=[3]):  # noqa: B006 - counts over calls
        left[0] -= 1
        if left[0] < 0:
            raise Stopped
        return draw(strength, rng)

    with pytest.raises(Stopped):
        trained(stopping, config, tmp_path / "net.ckpt")
    resumed = trained(Ahead(draw), replace(config), tmp_path / "net.ckpt")
    assert all(torch.equal(wanted[n], resumed[n]) for n in wanted)


def test_a_rare_class_counts_as_told():
    torch.manual_seed(0)
    scores, labels = torch.randn(1, 8, 4, 4, 4), torch.randint(0, 8, (1, 4, 4, 4))
    weights = (1.0, 5.0, 1.5, 4.0, 4.0, 2.0, 2.0, 1.0)
    wanted = F.cross_entropy(scores, labels, torch.tensor(weights)) - F.cross_entropy(scores, labels)
    found = segmentation_loss(scores, labels, weights=weights) - segmentation_loss(scores, labels)
    torch.testing.assert_close(found, wanted)
