"""The segmentation loss against values worked out by hand, and what partial labels leave open."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from spineclock.learn.segmentation_examples import UNKNOWN
from spineclock.learn.segmentation_loss import segmentation_loss


def scored(*probabilities: tuple[float, ...]) -> torch.Tensor:
    """Scores of single pixels, (1, C, 1, N)."""
    return torch.tensor(probabilities).log().T[None, :, None, :]


def test_four_classes_give_cross_entropy_and_dice_as_before() -> None:
    torch.manual_seed(0)
    scores, labels = torch.randn(2, 4, 6, 5), torch.randint(0, 4, (2, 6, 5))
    p, truth = scores.softmax(1), F.one_hot(labels, 4).permute(0, 3, 1, 2)
    dice = (2 * (p * truth).sum((0, 2, 3)) + 1) / (p.sum((0, 2, 3)) + truth.sum((0, 2, 3)) + 1)
    wanted = F.cross_entropy(scores, labels) + 1 - dice[1:].mean()
    assert segmentation_loss(scores, labels).item() == pytest.approx(wanted.item(), abs=1e-6)
    unlabelled = torch.tensor([False, False])
    assert segmentation_loss(scores, labels, unlabelled).item() == pytest.approx(wanted.item(), abs=1e-6)


def test_background_may_be_sacrum_where_the_sacrum_is_not_labelled() -> None:
    scores, labels = scored((0.3, 0.1, 0.1, 0.1, 0.4)), torch.zeros(1, 1, 1, dtype=torch.long)
    dice = 1 - (3 * 1 / 1.1 + 1) / 4  # three structures with p 0.1 and no truth, and the sacrum, which takes no part
    found = segmentation_loss(scores, labels, torch.tensor([False])).item()
    assert found == pytest.approx(-math.log(0.7) + dice, abs=1e-6)
    labelled = segmentation_loss(scores, labels, torch.tensor([True])).item()
    assert labelled == pytest.approx(-math.log(0.3) + 1 - (3 / 1.1 + 1 / 1.4) / 4, abs=1e-6)


def test_a_sacrum_that_is_not_labelled_gets_no_push_either_way() -> None:
    scores = scored((0.5, 0.1, 0.1, 0.1, 0.2)).requires_grad_()
    labels = torch.zeros(1, 1, 1, dtype=torch.long)
    segmentation_loss(scores, labels, torch.tensor([False])).backward()
    assert scores.grad is not None
    background, sacrum = scores.grad[0, 0, 0, 0].item(), scores.grad[0, 4, 0, 0].item()
    assert background / sacrum == pytest.approx(0.5 / 0.2, rel=1e-4)  # both pulled in proportion to what they are


def test_unknown_pixels_teach_nothing() -> None:
    pixels = scored((0.6, 0.1, 0.1, 0.1, 0.1), (0.1, 0.1, 0.1, 0.6, 0.1))
    alone = segmentation_loss(pixels[..., :1], torch.tensor([[[0]]]))
    both = segmentation_loss(pixels, torch.tensor([[[0, UNKNOWN]]]))
    assert both.item() == pytest.approx(alone.item(), abs=1e-6)
