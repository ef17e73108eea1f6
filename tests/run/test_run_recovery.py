from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spineclock.phantom.people import people
from spineclock.run.recovery import coverage, gaps, one_study, page, studies
from spineclock.run.study.truth import Truth, truth_of
from spineclock.stats.metrics import pearson_r


def test_an_interval_holds_the_truth_or_not_and_terms_without_one_are_left_out() -> None:
    found = pd.DataFrame(
        {
            "key": ["a", "a", "b", "c"], "adjusted": [False, True, False, False], "estimate": [1.0, 1.5, 0, 0],
            "low": [0.5, 1.2, -1, np.nan], "high": [1.5, 1.8, 1, np.nan], "n_with": [30, 30, 5, 1], "seed": 1,
        }
    )  # fmt: skip
    truths = pd.DataFrame(
        {
            "statistic": ["linear", "linear", "linear", "linear", "odds"], "of": ["a", "a", "b", "c", "a"],
            "adjusted_for": ["", "age_years, sex, site", "", "", ""], "estimate": [1.1, 1.1, 3.0, 0.0, 9.0],
        }
    )  # fmt: skip
    checked = coverage(found, truths)
    assert checked["held"].to_list() == [True, False, False]
    assert checked["enough"].to_list() == [True, True, False]
    np.testing.assert_allclose(checked["error"], [-0.1, 0.4, -3.0])


def test_the_page_pools_over_studies() -> None:
    powered = pd.DataFrame({"key": "a", "seed": np.repeat(range(100), 4), "held": [True, True, True, False] * 100,
                            "enough": True, "adjusted": False, "error": 0.25})  # fmt: skip
    null = pd.DataFrame({"seed": np.repeat(range(50), 2), "called": [True] + [False] * 99, "enough": True})
    text = page(powered, null, size=10)
    assert "| coverage of 95% intervals, % | 75.00 (75.0 to 75.0; 400 effects)" in text
    assert "| false positives in the null world, % | 1.00 (-0.9 to 2.9; 100 effects)" in text
    assert "| a | 400 | 75.0 | 0.250 |" in text


@pytest.mark.slow
def test_gaps_are_the_true_ones_and_noise_corrected_on_other_people() -> None:
    some = people(2000, seed=3)
    table = gaps(some, world="default", seed=3)
    true = some.truth.set_index("scan_id").loc[table["scan_id"], "true_gap_years"].to_numpy()
    assert 0.6 < pearson_r(table["gap_years"], true) < 0.97
    assert abs(np.polyfit(table["age_years"], table["gap_years"], 1)[0]) < 0.05  # no slope on age is left
    left = set(some.table["person_id"]) - set(table["person_id"])
    assert 0.07 < len(left) / 2000 < 0.13
    pd.testing.assert_frame_equal(table, gaps(some, world="default", seed=3))


@pytest.mark.slow
def test_a_stopped_run_is_taken_up(tmp_path: Path) -> None:
    first = studies(1, tmp_path, world="null", size=400, workers=1)
    kept = (tmp_path / "null-400.csv").read_text()
    both = studies(2, tmp_path, world="null", size=400, workers=1)
    assert (tmp_path / "null-400.csv").read_text().startswith(kept)
    assert both["seed"].nunique() == 2
    pd.testing.assert_frame_equal(both[both["seed"] == first["seed"].iloc[0]].reset_index(drop=True), first)
    alone = one_study(int(first["seed"].iloc[0]), world="null", size=400)
    np.testing.assert_allclose(alone["estimate"], first["estimate"])


def test_real_people_have_no_truth_and_simulated_ones_their_world_s(tmp_path: Path) -> None:
    assert truth_of(tmp_path).effects() == {}
    assert np.isnan(Truth().hazard_ratio("death", "M1"))
    (tmp_path / "phantom.json").write_text('{"world": "null"}')
    assert truth_of(tmp_path).odds() == {}  # only the default world's were projected
    table = pd.DataFrame({"statistic": ["cox", "odds"], "of": ["gap_years", "fracture"], "outcome": ["death", ""],
                          "model": ["M1", ""], "least_age_years": [0.0, np.nan], "hazard_ratio": [1.4, np.nan],
                          "odds_ratio": [np.nan, 3.0]})  # fmt: skip
    assert Truth(table).hazard_ratio("death", "M1") == 1.4
    assert np.isnan(Truth(table).hazard_ratio("death", "M2"))
    assert Truth(table).odds() == {"fracture": 3.0}
