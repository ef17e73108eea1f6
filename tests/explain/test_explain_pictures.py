"""Grad-CAM of nine pictures: each by its own gradients, and nothing between two of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spineclock.core.errors import UsageError
from spineclock.explain.pictures import picture_attention


class Known(nn.Module):
    """Two features of nine pictures of 4 × 4, and a known answer: 3 × the first of picture 2 − the second of 5."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.ones(()))

    def blocks(self, x: Tensor) -> Tensor:
        pictures = x.reshape(len(x), 9, 3, *x.shape[-2:])
        cells = pictures[:, :, 1].unfold(2, 2, 2).unfold(3, 2, 2).mean(dim=(-2, -1))
        return torch.stack([cells, cells + 1], 1) * self.one

    def head(self, features: Tensor) -> Tensor:
        each = features.mean(dim=(3, 4))
        return (3 * each[:, 0, 2] - each[:, 1, 5])[:, None]


def test_a_picture_that_speaks_for_it_is_seen_and_no_other():
    x = np.abs(np.random.default_rng(0).normal(size=(27, 8, 8))).astype(np.float32)
    found = picture_attention(Known().eval(), x)
    assert found.shape == (9, 8, 8)
    assert (found[[k for k in range(9) if k != 2]] == 0).all()  # picture 5 speaks against it
    cells = x[3 * 2 + 1].reshape(4, 2, 4, 2).mean(axis=(1, 3)) * 3 / 16
    fine = torch.nn.functional.interpolate(torch.tensor(cells)[None, None], size=(8, 8), mode="bilinear")
    assert found[2] == pytest.approx(fine[0, 0].numpy(), rel=1e-5)


def test_what_is_explained_can_be_told():
    x = np.ones((27, 8, 8), np.float32)
    found = picture_attention(Known().eval(), x, told=lambda raw: -raw.sum())
    assert [bool(f.any()) for f in found] == [k == 5 for k in range(9)]


def test_a_network_in_training_is_refused():
    with pytest.raises(UsageError, match="training mode"):
        picture_attention(Known().train(), np.ones((27, 8, 8), np.float32))
