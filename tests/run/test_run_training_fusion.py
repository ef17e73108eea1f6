"""Two runs joined late: by whom the joint model is fitted, and what becomes of people with one scan alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import TableError
from spineclock.run.training.fusion import fused, main
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


def test_two_folders_come_to_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, table in zip(("t1", "t2"), runs(), strict=True):
        (tmp_path / name).mkdir()
        table.to_csv(tmp_path / name / "predictions.csv", index=False)
    assert main([str(tmp_path / "t1"), str(tmp_path / "t2"), "--out", str(tmp_path / "both")]) == 0
    assert "test, both scans: 150 scans" in capsys.readouterr().out
    assert {p.name for p in (tmp_path / "both").iterdir()} == {"fusion.json", "predictions.csv", "diagnosis.csv"}
