"""The first block by matrix products: what PyTorch's layers make of it, forward and back, and the same learning."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spineclock.nets import first_block
from spineclock.nets.dcnn import AgeNet, Block
from spineclock.nets.networks import channels_last


def masked(*shape: int, seed: int = 0) -> Tensor:
    """Grey values that are 0 in places, and alike in others: windows with several largest features."""
    made = torch.Generator().manual_seed(seed)
    x = torch.randn(*shape, generator=made)
    x[torch.rand(shape, generator=made) < 0.3] = 0
    x[..., : shape[-1] // 3] = 0
    x[..., shape[-2] // 2 :, -4:] = 1.5
    return x


def block(channels: int = 32) -> Block:
    torch.manual_seed(1)
    made = Block(1, channels)
    nn.init.normal_(made.norm.weight)  # of either sign
    nn.init.normal_(made.norm.bias)
    return made.train()


def plain(made: Block, x: Tensor) -> Tensor:
    """The block by PyTorch's own layers, in float64."""
    return F.relu(F.max_pool3d(made.norm(made.conv(x)), 2))


@pytest.mark.parametrize("shape", [(3, 1, 6, 32, 24), (1, 1, 2, 8, 2), (2, 1, 4, 90, 62)])
def test_it_is_what_the_layers_make_of_it_forward_and_back(shape: tuple[int, ...]) -> None:
    x, ours = masked(*shape), block()
    exact = copy.deepcopy(ours).double()
    assert first_block.applies(ours.conv, ours.norm, x)
    y, expected = ours(x), plain(exact, x.double())
    assert torch.allclose(y.double(), expected, rtol=1e-5, atol=1e-5)
    along = torch.randn(y.shape)
    (y * along).sum().backward()
    (expected * along).sum().backward()
    for name in ("conv.weight", "norm.weight", "norm.bias"):
        found, told = ours.get_parameter(name).grad, exact.get_parameter(name).grad
        assert found is not None
        assert told is not None
        assert (found - told).abs().max() < 2e-5 * told.abs().max(), name
    for name, told in exact.named_buffers():
        assert torch.allclose(ours.get_buffer(name).double(), told.double(), rtol=1e-5, atol=1e-6), name


def test_the_whole_networks_gradient_is_as_near_to_exact_arithmetic_with_it_as_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gradients(kind: torch.dtype) -> dict[str, Tensor]:
        torch.manual_seed(0)
        net = channels_last(AgeNet()).train().to(kind)
        x = masked(4, 1, 4, 64, 32).to(kind)
        ((net(x)[:, 0] - x.mean(dim=(1, 2, 3, 4)) * 20) ** 2).mean().backward()
        return {name: p.grad.double() for name, p in net.named_parameters() if p.grad is not None}

    ours = gradients(torch.float32)
    assert not ours["blocks.0.conv.bias"].any()  # no gradient reaches it through batch norm
    monkeypatch.setattr(first_block, "applies", lambda conv, norm, x: False)
    layers, exact = gradients(torch.float32), gradients(torch.float64)

    def off(found: dict[str, Tensor]) -> float:
        return float(sum(((found[name] - exact[name]) ** 2).sum() for name in ours)) ** 0.5

    assert 0 < off(ours) < 1.5 * off(layers)


def test_it_stands_aside_where_it_would_be_another_function() -> None:
    def applies(made: Block, x: Tensor) -> bool:
        return first_block.applies(made.conv, made.norm, x)

    made, x = block(), masked(1, 1, 4, 16, 16)
    assert applies(made, x)
    assert not applies(made, masked(1, 1, 5, 16, 16))  # the pool leaves a row that batch norm counts
    assert not applies(made, x.clone().requires_grad_())  # whose gradient it does not give
    assert not applies(Block(2, 4).train(), masked(1, 2, 4, 16, 16))
    made.norm.eval()  # which then goes by what it has kept
    assert not applies(made, x)
    with torch.autocast("cpu", torch.bfloat16):
        assert not applies(made.train(), x)


def test_of_equal_features_the_gradient_goes_to_one() -> None:
    made, x = block(), torch.full((1, 1, 8, 8, 8), 0.75)
    y = made(x)
    exact = copy.deepcopy(made).double()
    y.sum().backward()
    exact.zero_grad()
    plain(exact, x.double()).sum().backward()
    weight, told = made.conv.weight.grad, exact.conv.weight.grad
    assert weight is not None
    assert told is not None
    # inside, all 27 values are alike: whichever voxel is taken, the gradient is the same
    assert torch.allclose(weight.double(), told, atol=2e-3 * float(told.abs().max()))
