"""The stored truths: of these parameters, again on other people, and where the radiograph paper puts them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import UsageError
from spineclock.phantom.parameters import load
from spineclock.phantom.truths import fingerprint, stored_truths
from spineclock.run.phantom_truths import document, projected

NAMES = ["statistic", "of", "block", "adjusted_for", "outcome", "model", "least_age_years"]


@pytest.fixture(scope="module")
def stored() -> pd.DataFrame:
    return stored_truths().table


def test_they_are_of_a_million_people_and_of_these_parameters():
    truths = stored_truths()
    assert truths.people == 1_000_000
    assert truths.parameters_sha256 == fingerprint(load())
    with pytest.raises(UsageError, match=r"other parameters than those of the world 'null'.*phantom_truths"):
        stored_truths(load("null"))


@pytest.mark.slow
def test_fifty_thousand_other_people_agree_within_monte_carlo_error(stored):
    again = pd.DataFrame(projected(50_000, seed=7, parameters=load())["truths"])
    both = stored.merge(again, on=NAMES, suffixes=("", "_again"), validate="one_to_one")
    assert len(both) == len(stored) == len(again)
    both = both[both["estimate_again"].notna()]
    assert len(both) > 0.9 * len(stored)
    z = (both["estimate_again"] - both["estimate"]) / np.hypot(both["standard_error"], both["standard_error_again"])
    # errors of ten parts have nine degrees of freedom: now and then a large t
    assert (z.abs() < 3).mean() > 0.96
    assert z.abs().max() < 8
    assert np.median(z.abs()) == pytest.approx(0.67, abs=0.35)


@pytest.mark.parametrize(
    ("outcome", "model", "low", "high"),
    [
        ("any_fracture", "M1", 1.46, 2.07), ("any_fracture", "M2", 1.29, 1.84), ("any_fracture", "M3", 1.35, 2.18),
        ("vertebral_fracture", "M1", 1.31, 2.02), ("vertebral_fracture", "M2", 1.19, 1.86),
        ("vertebral_fracture", "M3", 1.15, 2.08), ("non_vertebral_fracture", "M1", 1.49, 2.47),
        ("non_vertebral_fracture", "M2", 1.24, 2.09), ("non_vertebral_fracture", "M3", 1.31, 2.71),
    ],
)  # fmt: skip
def test_hazard_ratios_lie_in_the_radiograph_papers_intervals(stored, outcome, model, low, high):
    # npj Aging 2025, s41514-025-00271-8, Table 2, derivation test set, ages from 40
    row = stored[
        (stored["outcome"] == outcome) & (stored["model"] == model)
        & (stored["of"] == "gap_years") & (stored["least_age_years"] == 40)
    ]  # fmt: skip
    assert low < row["hazard_ratio"].item() < high
    assert row["standard_error"].item() < 0.01


def test_error_in_the_gap_pulls_hazard_ratios_towards_one(stored):
    of = stored[stored["statistic"] == "cox"].set_index([*NAMES[2:], "of"])["hazard_ratio"].unstack("of")
    assert (of["true_gap_years"] > of["gap_years"]).all()
    assert (of["gap_years"] > 1.1).all()


def test_the_oracles_ceiling_is_near_the_papers(stored):
    summary = stored[stored["statistic"] == "summary"].set_index("of")["estimate"]
    assert summary["SD of the true gap, years"] == pytest.approx(4.0, abs=0.1)
    assert summary["R2 of true spine age (oracle)"] == pytest.approx(0.90, abs=0.01)


def test_one_truth_a_line():
    found = {"schema": 1, "people": 2, "truths": [{"of": "a", "estimate": 1.5}, {"of": "b", "estimate": None}]}
    text = document(found)
    assert json.loads(text) == found
    assert len(text.splitlines()) == 8
