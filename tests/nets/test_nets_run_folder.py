"""The age network of a run's folder: read as written, and refused in words where it is not one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spineclock.core.errors import InputError, UsageError
from spineclock.nets.band import Banded
from spineclock.nets.dcnn import AgeNet
from spineclock.nets.run_folder import SCHEMA, read_network
from spineclock.nets.weights import save, sha256

ABOUT: dict[str, Any] = {
    "schema": SCHEMA, "name": "dcnn-test", "statement": "untrained", "network": "table2", "simulated": True,
    "pool": "average", "head": {"loss": "mse", "mean_years": 50.0, "sd_years": 12.0, "youngest": 15, "oldest": 85},
    "preparation": {"shape": [16, 128, 64]}, "ages_years": [20, 80],
    "validation": [[40.0, 30.0], [60.0, 70.0]],
}  # fmt: skip


@pytest.fixture(scope="module")
def net() -> AgeNet:
    torch.manual_seed(3)
    return AgeNet(pool="average").eval()


@pytest.fixture
def folder(net, tmp_path) -> Path:
    save(net, tmp_path / "weights.safetensors")
    (tmp_path / "network.json").write_text(json.dumps(ABOUT), encoding="utf-8")
    return tmp_path


def rewrite(folder: Path, **changes: Any) -> None:
    (folder / "network.json").write_text(json.dumps({**ABOUT, **changes}), encoding="utf-8")


def test_the_age_is_the_standardised_answer_in_years(folder, net):
    trained = read_network(folder)
    x = np.random.default_rng(0).normal(size=(16, 32, 16)).astype(np.float32)
    with torch.inference_mode():
        halved = AgeNet(pool="average").eval()
        halved.load_state_dict(
            {n: t.half().float() if t.is_floating_point() else t for n, t in net.state_dict().items()}
        )
        standardised = float(halved(torch.from_numpy(x)[None, None]))
    assert trained.age_years(x) == pytest.approx(50 + 12 * standardised, abs=1e-4)
    assert not trained.net.training
    assert trained.sha256 == sha256(folder / "weights.safetensors")
    assert trained.about == ABOUT


def test_a_network_that_reads_a_band_is_read_back_as_one(net, tmp_path):
    banded = Banded(net, 24).eval()
    save(banded, tmp_path / "weights.safetensors")
    (tmp_path / "network.json").write_text(json.dumps({**ABOUT, "band": 24}), encoding="utf-8")
    trained = read_network(tmp_path)
    assert isinstance(trained.net, Banded)
    x = np.zeros((16, 64, 48), np.float32)
    x[:, 8:56, 15:35] = np.random.default_rng(0).normal(size=(16, 48, 20))
    moved = np.roll(x, 7, axis=2)
    with torch.inference_mode():
        said = trained.head.age_years(banded(torch.from_numpy(x)[None, None]))
    assert trained.age_years(x) == pytest.approx(float(said[0]), abs=0.05)  # weights are kept in half precision
    assert trained.age_years(moved) == pytest.approx(trained.age_years(x), abs=1e-4)


def test_the_hash_is_that_of_the_file(folder):
    import hashlib

    assert read_network(folder).sha256 == hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()


def test_no_folder_and_an_empty_one_are_refused(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(InputError, match=r"is no run of an age network .*remedy: give the folder that training"):
            read_network(path)


@pytest.mark.parametrize(("text", "said"), [("{", "is no run of an age network"), ("[]", "lacks ages_years")])
def test_a_description_that_is_none_is_refused(folder, text, said):
    (folder / "network.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        read_network(folder)


@pytest.mark.parametrize("key", sorted(ABOUT))
def test_each_key_is_needed(folder, key):
    (folder / "network.json").write_text(json.dumps({k: v for k, v in ABOUT.items() if k != key}), encoding="utf-8")
    with pytest.raises(InputError, match=f"network.json lacks {key}"):
        read_network(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema": "spineclock.age-network/9"}, "lacks the right schema; wanted: spineclock.age-network/2"),
        ({"pool": "min"}, "pool is 'min', wanted max or average"),
        ({"head": {**ABOUT["head"], "sd_years": "twelve"}}, "head does not tell what the answer means"),
        ({"band": 24.5}, "band is 24.5, wanted a number of columns"),
        ({"band": -1}, "band is -1, wanted a number of columns"),
        ({"network": "vgg"}, "network is 'vgg', wanted one of table2, resnet, transformer"),
        ({"head": {"loss": "mse"}}, "head does not tell what the answer means"),
        ({"head": {**ABOUT["head"], "loss": "l3"}}, "no loss is called 'l3'"),
        ({"preparation": {}}, "preparation does not tell the shape of the input"),
        ({"ages_years": [20]}, "ages_years does not hold ages in years"),
        ({"validation": [40, 30]}, "validation does not hold pairs of ages in years"),
        ({"validation": [[40, 30], [60]]}, "validation does not hold pairs of ages"),
        ({"preparation": [16, 128, 64]}, "preparation does not tell the shape of the input"),
    ],
)
def test_values_that_cannot_be_are_refused(folder, changes, said):
    rewrite(folder, **changes)
    with pytest.raises(InputError, match=said):
        read_network(folder)


def test_weights_that_are_none_or_of_another_network_are_refused(folder):
    (folder / "weights.safetensors").write_bytes(b"PK\x03\x04 a pickle in a zip")
    with pytest.raises(InputError, match=r"weights.safetensors cannot be read as weights.*wanted: a safetensors file"):
        read_network(folder)
    (folder / "weights.safetensors").unlink()
    with pytest.raises(InputError, match="cannot be read as weights"):
        read_network(folder)
    save(torch.nn.Linear(3, 1), folder / "weights.safetensors")
    with pytest.raises(InputError, match=r"does not fit the network.*wanted: the \d+ tensors of AgeNet"):
        read_network(folder)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_device_that_is_not_there_is_a_wrong_call(folder):
    with pytest.raises(UsageError, match="device is cuda, and PyTorch sees none here; wanted: cpu"):
        read_network(folder, device="cuda")
