"""The OpenVINO graph answers as the PyTorch network it is built from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spineclock.core.errors import InputError
from spineclock.nets.segmenter import Segmenter, torch_scorer
from spineclock.nets.segmenter_openvino import compile_segmenter
from spineclock.nets.weights import load_into, read_arrays, save, sha256


def lively_segmenter() -> Segmenter:
    """A network with random weights whose batch norms have seen data, so that folding them is put to the test."""
    torch.manual_seed(1)
    net = Segmenter()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.2)
    with torch.no_grad():
        for _ in range(3):
            net(torch.randn(2, 3, 64, 64))
    return net.eval()


def test_openvino_gives_the_probabilities_of_pytorch(tmp_path):
    net = lively_segmenter()
    save(net, tmp_path / "net.safetensors")
    load_into(net, tmp_path / "net.safetensors")
    pictures = np.random.default_rng(0).normal(size=(2, 3, 96, 64)).astype(np.float32)
    wanted = torch_scorer(net)(pictures)
    found = compile_segmenter(read_arrays(tmp_path / "net.safetensors"), threads=1)(pictures)
    assert found.shape == wanted.shape == (2, 5, 96, 64)
    assert wanted.std() > 0.02
    np.testing.assert_allclose(found, wanted, atol=5e-5)


def test_weights_are_half_precision_and_named_by_their_hash(tmp_path):
    digest = save(Segmenter((4, 6)), tmp_path / "small.safetensors", {"people": "3"})
    (tmp_path / "any").touch()
    assert (tmp_path / "small.safetensors").stat().st_mode == (tmp_path / "any").stat().st_mode  # for colleagues too
    assert digest == sha256(tmp_path / "small.safetensors")
    parameters = sum(t.numel() for t in Segmenter((4, 6)).state_dict().values())
    assert (tmp_path / "small.safetensors").stat().st_size < 2 * parameters + 6000


def test_weights_of_another_network_are_refused_by_name(tmp_path):
    save(Segmenter((4, 6)), tmp_path / "small.safetensors")
    with pytest.raises(InputError, match="does not fit the network"):
        load_into(Segmenter(), tmp_path / "small.safetensors")


def test_a_pickle_is_not_read_as_weights(tmp_path):
    torch.save({"head.weight": torch.zeros(1)}, tmp_path / "evil.safetensors")
    with pytest.raises(InputError, match="cannot be read as weights"):
        read_arrays(tmp_path / "evil.safetensors")
