"""Repeated scans out of a long table: which two are taken, and what is said of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import TableError
from spineclock.stats.agreement import icc
from spineclock.stats.repeat_scans import RepeatScans, repeat_pairs


def long(people: int = 200, *, apart: float = 1.6, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), 2)
    age = rng.uniform(25, 83, people)[who] + np.tile([0, apart], people)
    gap = rng.normal(0, 4, people)[who] + rng.normal(0, 2.5, 2 * people)
    table = pd.DataFrame({
        "person_id": who, "scan_id": [f"s{i}" for i in range(2 * people)], "age_years": age, "gap_years": gap,
        "predicted_age_years": age + gap, "sex": np.where(who % 2, "F", "M"),
    })  # fmt: skip
    return table.sample(frac=1, random_state=1)


def test_pairs_are_in_order_of_age_whatever_the_order_of_rows():
    table = long()
    pairs = repeat_pairs(table, values=["gap_years"], also=["sex"])
    assert len(pairs) == 200
    assert pairs["years_apart"].to_numpy() == pytest.approx(1.6)
    one = table[table["person_id"] == 7].sort_values("age_years")["gap_years"].tolist()
    row = pairs[pairs["person_id"] == 7].iloc[0]
    assert [row["first_gap_years"], row["second_gap_years"]] == one
    assert row["sex"] == "F"


def test_third_scans_and_single_scans_are_not_used():
    table = pd.DataFrame({
        "person_id": list("aaabcc"), "scan_id": list("123456"), "age_years": [52, 50, 51, 60, 40, 41.0],
        "gap_years": [3, 1, 2, 9, 5, np.nan],
    })  # fmt: skip
    pairs = repeat_pairs(table, values=["gap_years"])
    assert pairs[["person_id", "scans", "first_gap_years", "second_gap_years"]].values.tolist() == [["a", 3, 1.0, 2.0]]


def test_pairs_by_date():
    table = pd.DataFrame({
        "person_id": ["a", "a"], "scan_id": ["x", "y"], "gap_years": [1.0, 2],
        "date": pd.to_datetime(["2021-07-02", "2020-01-01"])
    })  # fmt: skip
    row = repeat_pairs(table, values=["gap_years"], order="date").iloc[0]
    assert (row["first_gap_years"], row["second_gap_years"]) == (2.0, 1.0)
    assert row["years_apart"] == pytest.approx(1.5, abs=0.003)


def test_a_scan_in_two_rows_is_refused_as_it_would_agree_with_itself():
    table = long()
    with pytest.raises(TableError, match=r"scan s\d+ in more than one row \(400 such\)"):
        RepeatScans()(pd.concat([table, table]))


def test_rows_by_value_and_sex():
    table = long()
    found = RepeatScans()(table).set_index(["value", "group", "measure"])
    assert len(found) == 2 * 3 * 8
    pairs = repeat_pairs(table, values=["gap_years"], also=["sex"])
    for group, part in (("all", pairs), ("F", pairs[pairs["sex"] == "F"])):
        told = icc(part[["first_gap_years", "second_gap_years"]]).agreement
        row = found.loc[("gap_years", group, "ICC(A,1)")]
        assert row[["estimate", "low", "high", "p"]].tolist() == pytest.approx(
            [told.value, told.low, told.high, told.p]
        )
        assert row["n"] == len(part)
    assert found.loc[("gap_years", "F", "ICC(1)"), "term"] == "ICC(1), gap, women"
    assert "in 100 women scanned twice" in found.loc[("gap_years", "F", "ICC(1)"), "sentence"]


def test_the_raw_predicted_age_looks_far_more_reliable_than_the_gap():
    found = RepeatScans()(long()).set_index(["value", "group", "measure"])["estimate"]
    assert found["predicted_age_years", "all", "ICC(A,1)"] > 0.95  # 0.73 would be implausibly low
    assert found["gap_years", "all", "ICC(A,1)"] < 0.8
    assert found["predicted_age_years", "all", "bias"] == pytest.approx(found["gap_years", "all", "bias"] + 1.6)


def test_scans_years_apart_are_called_an_upper_bound_and_set_beside_the_band():
    told = RepeatScans()(long()).set_index(["value", "group", "measure"])["sentence"]
    text = told["gap_years", "all", "repeatability coefficient"]
    assert "1.6 years apart on average: it holds true change too and is an upper bound" in text
    assert "more than the ±5-year band" in text
    assert "band" not in told["predicted_age_years", "all", "repeatability coefficient"]
    same_day = RepeatScans()(long(apart=0.0)).set_index(["value", "group", "measure"])["sentence"]
    assert "upper bound" not in same_day["gap_years", "all", "repeatability coefficient"]


def test_too_few_of_one_sex_is_said_not_left_out():
    table = long()
    table.loc[table["person_id"] != 0, "sex"] = "F"
    found = RepeatScans(values=("gap_years",))(table)
    row = found[found["group"] == "M"].iloc[0]
    assert np.isnan(row["estimate"])
    assert row["sentence"] == "Too few for any figure of the gap in 1 men scanned twice."


def test_people_scanned_once_are_no_agreement():
    with pytest.raises(TableError, match="0 people with two scans; wanted: at least 3; remedy: give all scans"):
        RepeatScans()(long().drop_duplicates("person_id"))
    with pytest.raises(TableError, match="no column gap_years"):
        RepeatScans()(long().drop(columns="gap_years"))
