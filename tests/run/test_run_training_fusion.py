"""Two runs joined late: by whom the joint model is fitted, and what becomes of people with one scan alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import InputError, TableError, UsageError
from spineclock.nets.diagnosis_folder import KEYS, SCHEMA
from spineclock.run.together import Joint
from spineclock.run.training.fusion import fuse, fused
from spineclock.stats.diagnosis.fusion import LateFusion


def runs(n: int = 300) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    ill = rng.random(n) < 0.3
    table = pd.DataFrame({"scan_id": [f"sub-{k}_T1w" for k in range(n)], "person_id": [f"sub-{k}" for k in range(n)],
                          "age_years": 60.0, "sex": "F", "label": ill.astype(int),
                          "set": np.where(np.arange(n) % 2, "validation", "test"), "called": False})  # fmt: skip
    p, q = (1 / (1 + np.exp(-(1.5 * ill - 1 + rng.normal(0, 1.3, n)))) for _ in range(2))
    second = table.assign(scan_id=table["scan_id"].str.replace("T1w", "T2w"), probability=q)
    return table.assign(probability=p), second


def test_it_is_fitted_on_validation_people_alone() -> None:
    first, second = runs()
    found = fused(first, second)
    own = (first["set"] == "validation").to_numpy()
    by_hand = LateFusion.fit(first["probability"][own], second["probability"][own], first["label"][own],
                             people=first["person_id"][own])  # fmt: skip
    same = pytest.approx(list(by_hand.as_dict().values())[:3])
    assert [found.model.intercept, found.model.first, found.model.second] == same
    told = found.table.set_index("person_id").loc[first["person_id"]]
    assert np.allclose(told["probability"], by_hand(first["probability"], second["probability"]))
    # another world for the test people changes nothing
    turned = first.assign(label=np.where(own, first["label"], 1 - first["label"]))
    assert fused(turned, second.assign(label=turned["label"])).model == found.model


def test_who_has_one_scan_alone_keeps_its_probability() -> None:
    first, second = runs()
    table = fused(first.iloc[10:], second).table.set_index("person_id")
    assert table.loc["sub-0", "probability"] == pytest.approx(second["probability"][0])
    assert table.loc["sub-0", "set"] == "test"


def test_people_on_two_sides_are_refused() -> None:
    first, second = runs()
    moved = second.assign(set=np.where(second.index == 4, "validation", second["set"]))
    with pytest.raises(TableError, match="1 scans with another set in each run, such as sub-4"):
        fused(first, moved)
    with pytest.raises(TableError, match="0 scans with and 0 without the disease validated both"):
        fused(first[first["set"] == "test"], second)


def test_scans_belong_together_by_session_or_where_a_person_has_one_of_each() -> None:
    first, second = runs(40)
    numbered = second.assign(scan_id=[f"series-{k}" for k in range(40)])
    assert len(fused(first, numbered).table) == 40
    twice = pd.concat(
        [t.assign(scan_id=t["scan_id"].str.replace("_T", f"_ses-{k}_T")) for t in (first,) for k in (1, 2)]
    )
    again = pd.concat([second.assign(scan_id=second["scan_id"].str.replace("_T2w", f"_ses-{k}_t2")) for k in (2, 1)])
    found = fused(twice, again).table
    assert len(found) == 80
    assert found["probability_second"].notna().all()
    with pytest.raises(TableError, match="two scans of sub-0_ses-1"):
        fused(pd.concat([twice, twice]), again)


def test_a_scan_alone_keeps_its_runs_call() -> None:
    first, second = runs()
    table = fused(first.iloc[10:], second.assign(called=True)).table.set_index("person_id")
    assert table.loc["sub-0", "called"]


def run_folders(folder: Path, *, diseases: tuple[str, str] = ("osteoporosis", "osteoporosis")) -> Path:
    """Two runs as far as joining them needs."""
    for name, table, disease in zip(("T1w", "T2w"), runs(), diseases, strict=True):
        (folder / name).mkdir(parents=True)
        table.to_csv(folder / name / "predictions.csv", index=False)
        told = {"name": f"made-up-{name}", "sequence": name, "preparation": {"shape": [4, 64, 64]}}
        about = dict.fromkeys(KEYS, "") | told | {"schema": SCHEMA, "head": {"name": disease}}
        (folder / name / "network.json").write_text(json.dumps(about))
        (folder / name / "weights.safetensors").write_bytes(name.encode())
    return folder


def test_two_folders_come_to_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = run_folders(tmp_path / "both")
    assert fuse(both / "T1w", both / "T2w", out=both) == 0
    assert "test, both scans: 150 scans" in capsys.readouterr().out
    assert {p.name for p in both.iterdir()} == {"T1w", "T2w", "fusion.json", "predictions.csv", "diagnosis.csv"}
    joint = Joint.of(both)
    assert joint is not None
    assert joint.networks == tuple((n, hashlib.sha256(n.encode()).hexdigest()) for n in ("T1w", "T2w"))
    by_hand = fused(*runs())
    assert joint.model(0.3, 0.6) == pytest.approx(by_hand.model(0.3, 0.6), abs=1e-3)
    assert joint.threshold == pytest.approx(by_hand.threshold, abs=1e-3)
    with pytest.raises(UsageError, match="holds two joined runs"):
        fuse(both / "T1w", both / "T2w", out=both)


def test_what_cannot_be_joined_is_refused(tmp_path: Path) -> None:
    both = run_folders(tmp_path / "both")
    with pytest.raises(UsageError, match="two of one disease, of different weightings"):
        fuse(both / "T1w", both / "T1w", out=tmp_path / "out")
    other = run_folders(tmp_path / "other", diseases=("osteoporosis", "gout"))
    with pytest.raises(UsageError, match=r"made-up-T2w \(T2w, gout\)"):
        fuse(other / "T1w", other / "T2w", out=tmp_path / "out")
    with pytest.raises(UsageError, match="is a run itself"):
        fuse(both / "T1w", both / "T2w", out=both / "T1w")
    with pytest.raises(InputError, match="is no run of a diagnosis network"):
        fuse(both, both / "T2w", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
