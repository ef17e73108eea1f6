"""The page of a simulated people's network read out on real people, from tables whose answer is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from spineclock.ingest.datasets.spider import SpiderPerson
from spineclock.nets.dcnn import AgeNet
from spineclock.nets.run_folder import SCHEMA, read_network
from spineclock.nets.weights import save
from spineclock.phantom.lumbar import lumbar_scan
from spineclock.prep.prepared import Preparation, prepare
from spineclock.recipes.mri_age import FEATURES, NETWORK_AGE, NETWORK_FEATURES, NetworkFeatures
from spineclock.run import readout
from spineclock.segment.instances import find, semantic
from spineclock.stats.readout import read_out


def people(n: int = 16) -> pd.DataFrame:
    """The network's features know the age, the measurements nothing."""
    rng = np.random.default_rng(0)
    age = rng.uniform(20, 80, n)
    told = {
        "person_id": [str(k) for k in range(n)],
        "age_years": age,
        NETWORK_AGE: 0.5 * age + 60 + rng.normal(0, 2, n),
    }
    told |= {name: rng.normal(size=n) for name in FEATURES}
    told |= {name: age * rng.normal() + rng.normal(0, 5, n) for name in NETWORK_FEATURES}
    return pd.DataFrame(told)


def test_what_knows_the_age_is_chosen_and_the_page_says_so() -> None:
    table = people()
    found = read_out(table, readout.candidates())
    assert found.winner in ("network's age", "network's features")
    page = readout.page(table, found, about=["Command: none"])
    assert f"**{found.winner}** should be what `predict` stands for" in page
    table["age_years"] = np.random.default_rng(1).permutation(table["age_years"])  # nothing knows it any more
    lost = read_out(table, readout.candidates())
    errors = [(p - table["age_years"]).abs().mean() for p in (lost.chosen, lost.by_candidate[readout.MEASURED])]
    assert errors[0] > errors[1]
    assert "**measurements** should be what" in readout.page(table, lost, about=[])
    table = people()
    off = (table[NETWORK_AGE] - table["age_years"]).abs().mean()
    assert f"| network's age as it is | {off:.1f} (" in page
    assert "- Command: none" in page
    assert "nan" not in page


def test_a_person_s_features_are_those_of_the_scan_prepared_as_the_network_needs_it(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save(AgeNet(), tmp_path / "weights.safetensors")
    about = {
        "schema": SCHEMA, "name": "untrained", "statement": "Untrained.", "pool": "max", "network": "table2",
        "simulated": True, "ages_years": [20, 80], "validation": [[50, 40], [52, 60], [55, 70]],
        "head": {"loss": "mse", "mean_years": 50.0, "sd_years": 10.0, "youngest": 15, "oldest": 85},
        "preparation": {"shape": [16, 128, 64], "spacing_mm": [8.0, 5.0, 4.0]},
    }  # fmt: skip
    (tmp_path / "network.json").write_text(json.dumps(about), encoding="utf-8")
    network = read_network(tmp_path)
    files = (tmp_path / "network.json", tmp_path / "weights.safetensors")
    phantom = lumbar_scan(age_years=50, sex="F", seed=3)
    classes = semantic(phantom.labels)
    person = SpiderPerson("7", phantom.volume, classes, 50.0, "F")
    row = readout.network_table([person], [classes], NetworkFeatures.of(*files)).iloc[0]
    wanted = prepare(phantom.volume, find(classes).labels, Preparation(shape=(16, 128, 64), spacing_mm=(8, 5, 4)))
    with torch.inference_mode():
        x = torch.from_numpy(np.array(wanted.array, np.float32))[None, None]
        features = network.net.pooled(network.net.blocks(x))[0].numpy()
    assert row[NETWORK_AGE] == pytest.approx(network.age_years(wanted.array), abs=1e-3)
    assert row[list(NETWORK_FEATURES)].to_numpy(dtype=float) == pytest.approx(features, abs=5e-5)
    assert (row["person_id"], row["age_years"]) == ("7", 50.0)


def test_what_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setattr("sys.argv", ["readout", "--data", "x", "--work", str(tmp_path), "--model", "y"])
    assert readout.main() == 1
    assert "measured.csv" in capsys.readouterr().err
