"""The age network against its published table."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spineclock.nets.dcnn import CHANNELS, AgeNet, Block

# kernel voxels × channels in × channels out + biases, and scale + shift of the batch norm, written out from the table
LAYERS = {
    "blocks.0.conv": 27 * 1 * 32 + 32,
    "blocks.0.norm": 2 * 32,
    "blocks.1.conv": 27 * 32 * 64 + 64,
    "blocks.1.norm": 2 * 64,
    "blocks.2.conv": 27 * 64 * 128 + 128,
    "blocks.2.norm": 2 * 128,
    "blocks.3.conv": 27 * 128 * 256 + 256,
    "blocks.3.norm": 2 * 256,
    "blocks.4.conv": 27 * 256 * 256 + 256,
    "blocks.4.norm": 2 * 256,
    "top": 256 * 64 + 64,
    "top_norm": 2 * 64,
    "linear": 64 + 1,
}


@pytest.fixture(scope="module")
def net() -> AgeNet:
    torch.manual_seed(3)
    net = AgeNet().eval()
    for module in net.modules():  # as after training: statistics that are not 0 and 1
        if isinstance(module, nn.BatchNorm3d):
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.weight, 0.3, 1)
            nn.init.normal_(module.bias, 0, 0.3)
    return net


def test_every_layer_has_the_parameters_of_the_table_and_there_are_no_others():
    counted: dict[str, int] = {}
    for name, parameter in AgeNet().named_parameters():
        layer = name.rpartition(".")[0]
        counted[layer] = counted.get(layer, 0) + parameter.numel()
    assert counted == LAYERS
    assert sum(counted.values()) == 2_950_401


def plain(net: AgeNet, x: torch.Tensor) -> torch.Tensor:
    """The table in its own order, ReLU before pool, written again from the weights."""
    for block in net.blocks:
        x = nn.functional.relu(block.norm(block.conv(x)))
        for axis in (2, 3, 4):
            if x.shape[axis] > 1:
                pairs = x.narrow(axis, 0, x.shape[axis] // 2 * 2).unflatten(axis, (-1, 2))
                x = pairs.amax(axis + 1)
    x = nn.functional.relu(net.top_norm(net.top(x)))
    x = x.flatten(2).amax(2) if isinstance(net.pool, nn.AdaptiveMaxPool3d) else x.flatten(2).mean(2)
    return x @ net.linear.weight.T + net.linear.bias


@pytest.mark.parametrize("shape", [(16, 128, 64), (17, 33, 19), (16, 16, 16), (31, 47, 65)])
def test_any_size_from_sixteen_up_gives_what_the_table_written_plainly_gives(net, shape):
    x = torch.randn(2, 1, *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(net(x), plain(net, x), atol=1e-5)
        assert net(x).shape == (2, 1)


def test_pool_before_relu_is_the_same_function_to_the_bit(net):
    x = torch.randn(1, 32, 9, 7, 5, generator=torch.Generator().manual_seed(1))
    block = net.blocks[1]
    with torch.no_grad():
        late = nn.functional.max_pool3d(nn.functional.relu(block.norm(block.conv(x))), 2)
        assert torch.equal(block(x), late)
        assert (late == 0).any()
        assert (late > 0).any()


def test_a_pool_never_reduces_an_axis_of_one(net):
    assert Block(1, 2)(torch.zeros(1, 1, 1, 5, 2)).shape == (1, 2, 1, 2, 1)
    with torch.no_grad():
        assert net.blocks(torch.zeros(1, 1, 16, 96, 40)).shape == (1, CHANNELS[-1], 1, 3, 1)


def test_average_pool_averages_and_has_no_parameters_of_its_own(net):
    average = AgeNet(pool="average").eval()
    average.load_state_dict(net.state_dict())
    x = torch.randn(1, 1, 16, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        assert torch.allclose(average(x), plain(average, x), atol=1e-5)
        assert abs(float(average(x) - net(x))) > 1e-3


def test_scans_of_a_batch_do_not_touch_each_other(net):
    x = torch.randn(3, 1, 16, 32, 32, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        assert torch.allclose(net(x)[1], net(x[1:2])[0], atol=1e-5)


def test_gradients_reach_every_parameter():
    net = AgeNet().train()
    net(torch.randn(2, 1, 16, 64, 32, generator=torch.Generator().manual_seed(5))).square().sum().backward()
    # a bias in front of a batch norm has no gradient beyond rounding; every weight must have one
    silent = [n for n, p in net.named_parameters() if p.grad is None or (n.endswith("weight") and not p.grad.any())]
    assert silent == []
