"""The band that follows a spine: what it holds, that it can be laid back, and that a network reads it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spineclock.core.errors import UsageError
from spineclock.nets.band import Banded, band, firsts, laid_back
from spineclock.nets.dcnn import AgeNet
from spineclock.nets.networks import network


def slanting(*, rows: int = 160, width: int = 80, thick: int = 30) -> torch.Tensor:
    """Two spines that lie as an S and as its mirror image, chance values in ``thick`` columns of each row."""
    x = torch.zeros(2, 1, 4, rows, width)
    made = torch.Generator().manual_seed(0)
    for row in range(10, rows - 10):
        for scan, way in enumerate((1, -1)):
            begin = round(25 + way * 12 * np.sin(row / rows * 2 * np.pi))
            x[scan, :, :, row, begin : begin + thick] = torch.randn(1, 4, thick, generator=made)
    return x


def test_the_band_holds_the_whole_spine_wherever_it_lies() -> None:
    x = slanting()
    first = firsts(x, 40)
    narrow = band(x, first, 40)
    assert narrow.shape == (2, 1, 4, 160, 40)
    assert torch.equal(laid_back(narrow, first, 80), x)  # nothing was lost, and all goes back where it was
    straight = (narrow != 0).any(dim=2)[:, 0].int().argmax(dim=2)[:, 10:150]
    assert int(straight.max() - straight.min()) <= 6  # its front, which swayed by 24 columns


def test_what_is_wider_than_the_band_is_cut_behind() -> None:
    x = slanting(thick=40)
    first = firsts(x, 16)
    back = laid_back(band(x, first, 16), first, 80)
    assert torch.equal(back[back != 0], x[back != 0])
    front = (x != 0).any(dim=2)[:, 0].int().argmax(dim=2)
    kept = (back != 0).any(dim=2)[:, 0].int().argmax(dim=2)
    assert int((front - kept)[:, 10:150].abs().max()) <= 2


def test_a_volume_of_nothing_and_of_one_row_is_read_too() -> None:
    empty = torch.zeros(1, 1, 2, 40, 48)
    assert torch.equal(band(empty, firsts(empty, 32), 32), torch.zeros(1, 1, 2, 40, 32))
    empty[..., 20, 44:] = 1.0
    assert float(band(empty, firsts(empty, 32), 32).sum()) == 8.0  # begins at 16, the last place that a band has


def test_the_network_reads_the_band_alone() -> None:
    torch.manual_seed(0)
    net = network("table2", outputs=1, shape=(4, 160, 80), band=40)
    assert isinstance(net, Banded)
    net.eval()
    x = slanting()
    first = firsts(x, 40)
    inner = net.net
    assert isinstance(inner, AgeNet)
    assert torch.equal(net(x), inner(band(x, first, 40)))
    moved = torch.zeros_like(x)
    moved[..., 3:] = x[..., :-3]
    assert torch.allclose(net(moved), net(x))  # wherever the scan lies in its box
    with pytest.raises(UsageError, match="a band of 96 columns of scans that have 80"):
        network("table2", outputs=1, shape=(4, 160, 80), band=96)
    with pytest.raises(UsageError, match="a band of 40 columns of 32"):
        net(x[..., :32])
