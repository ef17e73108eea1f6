"""The OpenVINO graph of the network of CT answers as the PyTorch network it is built from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spineclock.core.errors import InputError
from spineclock.nets.ct_segmenter import CtSegmenter, ct_torch_scorer, read_ct_segmenter
from spineclock.nets.segmenter_openvino import compile_segmenter
from spineclock.nets.weights import load_into, read_arrays, save


def lively() -> CtSegmenter:
    """A network with random weights whose batch norms have seen data, so that folding them is put to the test."""
    torch.manual_seed(1)
    net = CtSegmenter((6, 8, 10))
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.2)
    with torch.no_grad():
        for _ in range(3):
            net(torch.randn(2, 2, 16, 16, 24))
    return net.eval()


def test_openvino_gives_the_probabilities_of_pytorch(tmp_path):
    net = lively()
    save(net, tmp_path / "net.safetensors")
    load_into(net, tmp_path / "net.safetensors")
    blocks = np.random.default_rng(0).normal(size=(1, 2, 16, 32, 24)).astype(np.float32)
    wanted = ct_torch_scorer(net)(blocks)
    found = compile_segmenter(read_arrays(tmp_path / "net.safetensors"), threads=1)(blocks)
    assert found.shape == wanted.shape == (1, 8, 16, 32, 24)
    assert wanted.std() > 0.02
    np.testing.assert_allclose(found, wanted, atol=5e-5)


def test_weights_of_another_network_are_refused(tmp_path):
    save(CtSegmenter((4, 6)), tmp_path / "small.safetensors")
    with pytest.raises(InputError, match="does not fit the network"):
        read_ct_segmenter(tmp_path / "small.safetensors")
