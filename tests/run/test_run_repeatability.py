"""The driver's looks at a person, its table and its page."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spineclock.core.volume import Mask, Volume
from spineclock.ingest.datasets.spider import SpiderPerson
from spineclock.run import repeatability as run


def _person() -> SpiderPerson:
    """Two square bodies with a disc between and below, and a canal: enough to be numbered and measured."""
    mask = np.zeros((10, 90, 100), np.uint8)
    mask[:, 20:34, 2:98] = 3
    for bottom in (20, 60):
        mask[:, 40:74, bottom : bottom + 28] = 2
    for bottom in (11, 50):
        mask[:, 40:74, bottom : bottom + 8] = 1
    signal = np.choose(mask, [0, 60, 100, 210]).astype(np.uint8)
    affine = np.diag([1.5, 1.0, 1.0, 1.0])
    return SpiderPerson("1", Volume(signal, affine), Mask(mask, affine), 50.0, "F")


def _frame(repeats: list[str], spread: float) -> pd.DataFrame:
    return pd.DataFrame([
        {"structure": "disc", "level": "L4/L5", "name": "height_mm", "value": 8.0 + p + (spread if n else 0.0),
         "unit": "mm", "person_id": str(p), "repeat": repeat}
        for p in range(6) for n, repeat in enumerate(repeats)
    ])  # fmt: skip


def test_each_look_measures_the_same_disc():
    repeats = pd.concat(run.looks(_person(), np.random.default_rng(2)))
    heights = repeats[(repeats["name"] == "height_mm") & (repeats["level"] == "L4/L5")].set_index("repeat")["value"]
    assert list(heights.index) == ["as it is", *run.EDGES, *run.TURNS]
    assert heights["as it is"] == pytest.approx(8.0, abs=0.1)
    assert heights[list(run.TURNS)].to_numpy() == pytest.approx(8.0, abs=0.4)
    assert heights[list(run.EDGES)].nunique() == 3
    assert set(repeats["structure"]) >= {"disc", "vertebra", "canal", "disc mean", "vertebra min"}


def test_wandering_edges_and_turns_are_told_apart():
    """Every wandering repeat is 2 mm off, every turned one 0: the SD of (0, 2, 2, 2) is 1."""
    looks = ["as it is", *run.EDGES]
    both = pd.concat([_frame(looks, 2.0), _frame(["as it is", *run.TURNS], 0.0).query("repeat != 'as it is'")])
    row = run.table(both).iloc[0]
    assert row["within_sd_edges"] == pytest.approx(1.0)
    assert row["within_sd_turned"] == pytest.approx(0.0)
    assert row["icc_turned"] == pytest.approx(1.0)


def test_a_page_names_its_data_seed_and_command():
    page = run.page([_person()], seed=4, command="python -m it --seed 4")
    assert "1 people of SPIDER" in page
    assert "Seed 4." in page
    assert "`python -m it --seed 4`" in page


def test_a_frame_as_a_table_of_a_page():
    text = run.markdown(pd.DataFrame({"name": ["height_mm"], "within_sd": [0.12345], "icc": [np.nan]}))
    assert text.splitlines() == ["| name | within sd | icc |", "| --- | --- | --- |", "| height_mm | 0.123 | – |"]
