"""Weight gradients in bfloat16 on few slices against float32, with memory full of what is no number."""

from __future__ import annotations

from typing import get_args
from unittest.mock import Mock

import pytest
import torch
from torch import nn

from spineclock.nets.convolution import Conv3d, trusted
from spineclock.nets.dcnn import AgeNet
from spineclock.nets.names import CROP_NETWORKS, CT_NETWORKS, FILM_NETWORKS, NetworkName
from spineclock.nets.networks import network


def _soil_memory() -> None:
    """Fills blocks of many sizes with NaN and frees them, so that whoever reads without having written shows."""
    blocks = [torch.full((1 << k,), float("nan")) for k in range(8, 24) for _ in range(2)]
    del blocks


@pytest.mark.parametrize(("kernel", "slices"), [(3, 1), (3, 2), (3, 3), (3, 4), (5, 2), (5, 3), (5, 4), (5, 5), (7, 3)])
def test_weight_gradient_in_bfloat16_is_that_of_float32_however_few_slices(kernel: int, slices: int) -> None:
    torch.manual_seed(0)
    conv = Conv3d(16, 32, kernel, padding=kernel // 2).to(memory_format=torch.channels_last_3d)
    x = torch.randn(2, 16, slices, 12, 8).contiguous(memory_format=torch.channels_last_3d).requires_grad_()
    y = nn.functional.conv3d(x, conv.weight, conv.bias, padding=kernel // 2)
    up = torch.randn_like(y)
    y.backward(up)
    assert conv.weight.grad is not None
    assert x.grad is not None
    wanted, wanted_x = conv.weight.grad.clone(), x.grad.clone()
    for _ in range(4):
        conv.weight.grad = x.grad = None
        _soil_memory()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = conv(x)
        _soil_memory()
        y.backward(up.to(y.dtype))
        for found, expected in ((conv.weight.grad, wanted), (x.grad, wanted_x)):
            assert found is not None
            largest = expected.abs().max()  # without bfloat16 in the processor, sums are rounded to it: 0.03 then
            torch.testing.assert_close(found / largest, expected / largest, atol=0.04, rtol=0)


def test_padding_first_changes_no_function_and_no_name() -> None:
    torch.manual_seed(1)
    plain = nn.Conv3d(3, 5, (3, 3, 1), padding=(1, 1, 0), stride=(1, 2, 1))
    x = torch.randn(2, 3, 2, 9, 7)
    wanted, names = plain(x), list(plain.state_dict())
    ours = trusted(plain)
    assert isinstance(ours, Conv3d)
    assert list(ours.state_dict()) == names
    assert torch.equal(ours.eval()(x), wanted)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(ours.train()(x).float(), wanted, atol=0.02, rtol=0.01)


@pytest.mark.parametrize(("asked", "padded"), [(torch.float32, False), (torch.bfloat16, True)])
def test_padding_first_is_for_bfloat16_alone(asked: torch.dtype, padded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pad = Mock(wraps=nn.functional.pad)
    monkeypatch.setattr(nn.functional, "pad", pad)
    conv, x = Conv3d(1, 2, 3, padding=1).train(), torch.randn(1, 1, 2, 4, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=asked == torch.bfloat16):
        conv(x)
    conv.to(asked)(x.to(asked))
    assert pad.call_count == 2 * padded
    conv.eval()(x.to(asked))
    assert pad.call_count == 2 * padded


@pytest.mark.parametrize("name", sorted({*get_args(NetworkName)} - {*FILM_NETWORKS, *CROP_NETWORKS, *CT_NETWORKS}))
def test_every_convolution_of_a_network_that_learns_is_a_trusted_one(name: NetworkName) -> None:
    net = network(name, outputs=1, shape=(16, 32, 16))
    found = [layer for layer in net.modules() if isinstance(layer, nn.Conv3d)]
    assert found
    assert all(type(layer) is Conv3d for layer in found)


def test_the_papers_network_with_trusted_convolutions_is_to_the_bit_the_one_without() -> None:
    torch.manual_seed(2)
    plain = AgeNet().eval()
    torch.manual_seed(2)
    ours = network("table2", outputs=1, shape=(16, 32, 16)).eval()
    weights, ours_weights = plain.state_dict(), ours.state_dict()
    assert list(ours_weights) == list(weights)
    assert all(torch.equal(ours_weights[name], weights[name]) for name in weights)
    x = torch.randn(2, 1, 16, 32, 16)
    assert torch.equal(ours(x), plain(x))
