"""The folder of a network of follow-up: what is read back, and what is said of one that cannot be."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from spineclock.core.errors import InputError, UsageError
from spineclock.nets.detection_head import DetectionHead
from spineclock.nets.hazard_head import HazardHead
from spineclock.nets.multitask import MultitaskHead
from spineclock.nets.networks import begin, network
from spineclock.nets.risk_folder import SCHEMA, log_odds, read_risk, risks
from spineclock.nets.weights import save

SHAPE = (27, 32, 48)
HEAD = MultitaskHead(DetectionHead(3, prevalence=0.2), HazardHead(causes=2, rates_per_year=(0.02,) * 10))
ABOUT = {
    "schema": SCHEMA, "name": "n", "statement": "s", "network": "ct_small", "simulated": True, "head": HEAD.as_dict(),
    "preparation": {"shape": list(SHAPE)}, "ages_years": [60.0, 80.0], "event": "e", "finding": "f",
    "horizons_years": [2.0, 5.0], "detect": "vertebrae", "detection": {}, "band": None,
}  # fmt: skip


def write(folder, **others):
    torch.manual_seed(0)
    net = network("ct_small", outputs=HEAD.outputs, shape=SHAPE, head=HEAD)
    begin(net, HEAD)
    save(net, folder / "weights.safetensors", {})
    (folder / "network.json").write_text(json.dumps({**ABOUT, **others}), encoding="utf-8")
    return net.eval()


def test_what_is_read_back_answers_as_it_did(tmp_path):
    net = write(tmp_path)
    trained = read_risk(tmp_path)
    assert trained.head == HEAD
    x = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    x[9:18] = 0  # the middle vertebra is not there
    raw = trained.answer(x)
    with torch.inference_mode():
        assert raw[raw.isfinite()].numpy() == pytest.approx(
            net(torch.from_numpy(x)[None, None])[raw.isfinite()].numpy(), abs=2e-2
        )  # half precision
    z = log_odds(trained.head, raw)
    assert np.isnan(z).tolist() == [[False, True, False]]
    by = risks(trained.head, raw, (1.0, 2.0, 5.0))
    assert (np.diff(by) > 0).all()


def test_a_network_begins_with_what_is_known_of_everybody(tmp_path):
    write(tmp_path)
    trained = read_risk(tmp_path)
    z = log_odds(trained.head, trained.answer(np.zeros(SHAPE, np.float32)))
    assert np.isnan(z).all()
    with torch.no_grad():
        trained.net.head.vertebra.weight.zero_()
        trained.net.head.linear.weight.zero_()
    raw = trained.answer(np.ones(SHAPE, np.float32))
    assert torch.sigmoid(torch.tensor(log_odds(trained.head, raw))).numpy() == pytest.approx(0.2, abs=1e-3)
    both = 0.04  # a year, of either cause
    assert risks(trained.head, raw, (5.0,))[0, 0] == pytest.approx((1 - np.exp(-5 * both)) / 2, abs=1e-3)


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"schema": "spineclock.age-network/2"}, "of the kind spineclock.age-network"),
        ({"network": "table2"}, "network is 'table2'"),
        ({"head": {"kind": "age"}}, "head does not tell"),
        ({"detection": None}, "detection does not tell"),
        ({"preparation": {}}, "shape of the input"),
        ({"horizons_years": []}, "no years"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, others, message):
    write(tmp_path, **others)
    with pytest.raises(InputError, match=message):
        read_risk(tmp_path)


def test_networks_of_ct_are_built_round_a_head_and_read_27_slices():
    with pytest.raises(UsageError, match="without a head"):
        network("ct_small", outputs=1, shape=SHAPE)
    with pytest.raises(UsageError, match="27 slices"):
        network("ct_small", outputs=HEAD.outputs, shape=(9, 32, 48), head=HEAD)
