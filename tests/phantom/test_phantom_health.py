"""Health joined to people: first and second scans, imaging findings, the worlds, and how long it takes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import TableError
from spineclock.core.findings import column
from spineclock.phantom.fractures import LEVELS
from spineclock.phantom.health import health, health_parameters
from spineclock.phantom.outcomes import EVENTS
from spineclock.phantom.parameters import load
from spineclock.phantom.people import People, people
from spineclock.phantom.risk import FRAX_LIKE


@pytest.fixture(scope="module")
def some() -> People:
    return people(10_000, seed=5)


def test_imaging_holds_the_fractures_and_no_others(some):
    wanted = pd.crosstab(some.fractures["scan_id"], some.fractures["level"])
    for level in LEVELS:
        at = some.imaging.scan_ids[some.imaging.column("fracture", level) > 0]
        assert set(at) == set(wanted.index[wanted[level] > 0])
    elsewhere = [column("fracture", level) for level in ("C2", "C7", "T1", "T3", "L6")]
    assert not some.imaging.codes[:, elsewhere].any()
    assert (some.imaging.column("fracture") > 0).sum() == some.fractures["scan_id"].nunique()
    counted = some.table.set_index("scan_id")["prevalent_vertebral_fractures"]
    assert (some.fractures.groupby("scan_id").size() == counted[counted > 0].sort_index()).all()
    worst = some.table.set_index("scan_id")["worst_genant_grade"]
    assert (some.fractures.groupby("scan_id")["genant_grade"].max() == worst[worst > 0].sort_index()).all()


def test_outcomes_count_from_the_first_scan_and_are_empty_at_a_second(some):
    second = some.table["session"] == 2
    assert second.sum() > 100
    counted = [FRAX_LIKE, "follow_up_years", *EVENTS, *(f"{event}_years" for event in EVENTS)]
    assert some.table.loc[second, counted].isna().all().all()
    assert some.table.loc[~second, counted].notna().all().all()
    assert some.table.drop(columns=counted).notna().all().all()
    assert some.truth.loc[~second].notna().all().all()


def test_second_scans_hold_the_first_ones_fractures_and_those_since():
    # a sicker population than ours, so that some break between two scans
    table = pd.DataFrame(
        {
            "person_id": np.repeat(np.arange(3_000), 2),
            "age_years": np.where(np.arange(6_000) % 2, 84.0, 81.0),
            "sex": "F", "bmi": 21.0, "packs_per_day": 0.5, "alcohol_days_per_week": 7.0,
        }
    )  # fmt: skip
    rngs = {"bone_rng": np.random.default_rng(1), "outcome_rng": np.random.default_rng(2)}
    found = health(table, np.full(6_000, 6.0), parameters=health_parameters(load()), **rngs)
    had, has = found.fractured.grades[::2], found.fractured.grades[1::2]
    assert (has[had > 0] == had[had > 0]).all()
    first = found.truth["true_vertebral_fracture_years"].to_numpy()[::2] <= 3.0
    room = had.min(axis=1) == 0
    assert first.sum() > 100
    assert ((has > 0).sum(axis=1) - (had > 0).sum(axis=1) == (first & room)).all()
    assert (found.truth["true_death_years"].to_numpy()[::2] > 3.0).all()


def test_a_person_is_the_same_whatever_the_number():
    few, more = people(50, seed=5), people(400, seed=5)
    pd.testing.assert_frame_equal(few.table, more.table.iloc[: len(few.table)])
    kept = more.fractures[more.fractures["scan_id"].isin(few.table["scan_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(few.fractures, kept)


@pytest.mark.parametrize("world", ["nonproportional", "informative_censoring"])
def test_misspecified_worlds_change_outcomes_only(world):
    plain, other = people(2_000, seed=6), people(2_000, seed=6, parameters=load(world))
    shared = [name for name in plain.table if "_years" not in name and name not in EVENTS] + ["age_years"]
    first = (plain.table["session"] == 1).to_numpy()  # a second scan shows what broke since
    pd.testing.assert_frame_equal(plain.table.loc[first, shared], other.table.loc[first, shared])
    assert (plain.imaging.codes[first] == other.imaging.codes[first]).all()
    assert not plain.table["any_fracture_years"].equals(other.table["any_fracture_years"])


def test_the_gap_goes_with_fractures_but_not_in_the_null_world():
    for world, low, high in (("default", 0.8, 2.6), ("null", -0.8, 0.8)):
        found = people(10_000, seed=7, parameters=load(world))
        has = (found.table["prevalent_vertebral_fractures"] > 0).to_numpy()
        gap = found.truth["true_gap_years"]
        assert low < gap[has].mean() - gap[~has].mean() < high


def test_scans_out_of_order_are_refused():
    table = pd.DataFrame(
        {"person_id": ["a", "a"], "age_years": [61.0, 60.0], "sex": "F", "bmi": 25.0, "packs_per_day": 0.0,
         "alcohol_days_per_week": 0.0}
    )  # fmt: skip
    rngs = {"bone_rng": np.random.default_rng(1), "outcome_rng": np.random.default_rng(2)}
    with pytest.raises(TableError, match="out of order"):
        health(table, np.zeros(2), parameters=health_parameters(load()), **rngs)
