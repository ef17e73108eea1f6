"""The OpenVINO graph answers as the PyTorch network it is built from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spineclock.nets.band import Banded
from spineclock.nets.band_numpy import narrowed
from spineclock.nets.dcnn import AgeNet
from spineclock.nets.dcnn_openvino import compile_age_net
from spineclock.nets.names import Pool
from spineclock.nets.weights import load_into, read_arrays, save


def test_behind_a_band_too(tmp_path) -> None:
    torch.manual_seed(1)
    net = Banded(AgeNet(), 32).eval()
    save(net, tmp_path / "net.safetensors")
    load_into(net, tmp_path / "net.safetensors")
    volume = np.zeros((16, 96, 64), np.float32)
    for row in range(7, 90):
        at = 5 + row // 4
        volume[:, row, at : at + 25] = np.random.default_rng(row).normal(size=(16, 25))
    x = torch.from_numpy(volume)[None, None]
    assert np.array_equal(narrowed(volume, 32), net.narrowed(x)[0][0, 0].numpy())
    with torch.inference_mode():
        wanted = net(x)[0].numpy()
    answer = compile_age_net(
        read_arrays(tmp_path / "net.safetensors"), shape=(16, 96, 64), pool="max", band=32, threads=1
    )
    np.testing.assert_allclose(answer(volume)[0], wanted, atol=5e-5)


@pytest.mark.parametrize(("pool", "outputs", "shape"), [("max", 1, (16, 64, 32)), ("average", 7, (20, 33, 35))])
def test_openvino_gives_the_answer_and_the_features_of_pytorch(
    pool: Pool, outputs: int, shape: tuple[int, int, int], tmp_path
) -> None:
    torch.manual_seed(1)
    net = AgeNet(pool, outputs=outputs)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.2)
    with torch.no_grad():
        for _ in range(3):  # so that batch norms have seen data, and folding them is put to the test
            net(torch.randn(2, 1, *shape))
    save(net, tmp_path / "net.safetensors")
    load_into(net, tmp_path / "net.safetensors")
    volume = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    with torch.inference_mode():
        pooled = net.pooled(net.blocks(torch.from_numpy(volume)[None, None]))
        wanted = net.linear(pooled)[0].numpy()
    answer = compile_age_net(read_arrays(tmp_path / "net.safetensors"), shape=shape, pool=pool, threads=1)
    age, features = answer(volume)
    assert pooled.std() > 0.02
    np.testing.assert_allclose(features, pooled[0].numpy(), atol=5e-5)
    np.testing.assert_allclose(age, wanted, atol=5e-5)
