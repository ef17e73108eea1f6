"""Osteoporosis by T-scores: the WHO rule and its strict form, what is too far from the scan, and what is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import TableError, UsageError
from spineclock.ingest.dxa import SITES, DxaRule, SiteCounts, dxa_labels
from spineclock.phantom.people import people
from spineclock.stats.diagnosis import Auroc

SPINE, HIP, NECK = (f"{site}_t_score" for site in SITES)


WHO = DxaRule()


def labels(rows: list[tuple[float | None, ...]], rule: DxaRule = WHO, **columns: object) -> list[bool | None]:
    table = pd.DataFrame(rows, columns=[SPINE, HIP, NECK]).assign(**columns)
    return [None if pd.isna(v) else bool(v) for v in dxa_labels(table, rule).table["osteoporosis"]]


def test_the_rule_for_each_pattern_of_low_high_and_lacking_sites():
    patterns = list(itertools.product([-2.5, -2.49, None], repeat=3))  # at the threshold is osteoporosis
    told_any, told_all = [], []
    for sites in patterns:
        low = any(t == -2.5 for t in sites)
        lacking = sites.count(None)
        told_any.append(True if low else None if lacking == 3 else False)
        told_all.append(True if low else None if lacking else False)
    assert labels(patterns) == told_any
    assert labels(patterns, DxaRule(measured="all")) == told_all


def test_only_the_sites_of_the_rule_count():
    # osteophytes: the spine reads high where the hip tells of osteoporosis
    rows = [(-1.0, -2.8, -2.7), (-2.9, -1.0, None)]
    assert labels(rows, DxaRule(sites=("lumbar_spine",))) == [False, True]
    assert labels(rows, DxaRule(sites=("total_hip", "femoral_neck"))) == [True, False]
    assert labels(rows, DxaRule(sites=("total_hip", "femoral_neck"), measured="all")) == [True, None]


def test_the_phantoms_own_label_is_the_rules():
    made = people(800, seed=3).table
    found = dxa_labels(made.drop(columns="osteoporosis"))
    assert (found.table["osteoporosis"].astype(bool) == made["osteoporosis"].astype(bool)).all()
    again = dxa_labels(made)
    assert again.counts.told == again.counts.rows == len(made)
    assert found.counts.sites["femoral_neck"] == SiteCounts(len(made), int((made[NECK] <= -2.5).sum()))
    assert found.counts.younger == int((made["age_years"] < 50).sum())


def test_densitometry_too_far_from_the_scan_tells_nothing_on_either_side():
    rows = [(-3.0, None, None)] * 5
    days = [365, -365, 366, -366, None]
    assert labels(rows, dxa_days_from_scan=days) == [True, True, None, None, True]
    assert labels(rows, DxaRule(undated="refused"), dxa_days_from_scan=days) == [True, True, None, None, None]
    assert labels(rows, DxaRule(within_days=None, undated="refused"), dxa_days_from_scan=days) == [True] * 5
    assert labels(rows, DxaRule(within_days=100), dxa_days_from_scan=days) == [None] * 4 + [True]


def test_dates_are_read_and_days_go_first_where_they_agree():
    rows = [(-3.0, None, None)] * 4
    dates = {"dxa_date": ["2024-01-01", "2022-12-31", "", "20240102"], "scan_date": ["2024-12-31"] * 4}
    assert labels(rows, **dates) == [True, None, True, True]  # 365, 731 and 364 days
    assert labels(rows, **dates, dxa_days_from_scan=[None, None, -400, -365]) == [True, None, None, True]
    with pytest.raises(TableError, match=r"dxa_days_from_scan is 365.* in data row 1; wanted: the days from scan_date"):
        labels(rows[:1], dxa_date=["2024-01-01"], scan_date=["2024-12-31"], dxa_days_from_scan=[365])
    with pytest.raises(TableError, match=r"dxa_date is '31.12.24' in data row 2; wanted: dates such as 2024-05-31"):
        labels(rows[:2], dxa_date=["2024-12-31", "31.12.24"], scan_date=["2024-12-31"] * 2)


def test_counts_add_up_and_are_said():
    table = pd.DataFrame(
        [
            (-3.0, -1.0, -1.0, 0, 70, "F", ""),  # has it
            (-1.0, -1.0, -1.0, 0, 45, "M", ""),  # has not; too young for the rule
            (-1.0, None, -1.0, 0, 70, "F", "yes"),  # a site lacking
            (None, None, None, 0, 70, "M", ""),  # not measured
            (-3.0, -1.0, -1.0, -900, 70, "F", ""),  # too far
            (-1.0, -1.0, -1.0, None, 52, "F", "no"),  # undated; before menopause
        ],
        columns=[SPINE, HIP, NECK, "dxa_days_from_scan", "age_years", "sex", "postmenopausal"],
    )
    found = dxa_labels(table, DxaRule(measured="all"))
    c = found.counts
    assert (c.rows, c.osteoporosis, c.without, c.unknown) == (6, 1, 2, 3)
    assert (c.site_lacking, c.not_measured, c.too_far, c.undated, c.told, c.younger) == (1, 1, 1, 1, 0, 2)
    assert c.as_dict()["sites"]["lumbar_spine"] == {"measured": 5, "at_or_below": 2}
    text = " ".join(found.notes)
    assert "Of 6 rows 1 have it, 2 have not, 3 are unknown" in text
    assert "1 left unknown: densitometry over 365 days from the scan" in text
    assert "2 labels are of people under 50 years or before menopause" in text
    assert "came with the table" not in text
    assert list(table.columns) == [c for c in found.table.columns if c != "osteoporosis"]


def test_a_told_label_is_kept_where_no_t_score_gainsays_it():
    rows = [(-1.0, None, None), (None, None, None), (-1.0, -1.0, -1.0), (-3.0, None, None)]
    told = ["true", "FALSE", "", "1"]
    assert labels(rows, osteoporosis=told) == [True, False, False, True]  # the hip may have told the first
    assert labels(rows, DxaRule(measured="all"), osteoporosis=[0, 1, 0, 1]) == [False, True, False, True]
    assert labels(rows[1:2], osteoporosis=[True], dxa_days_from_scan=[400]) == [None]


def test_a_told_label_that_t_scores_gainsay_names_its_rows():
    rows = [(-1.0, -1.0, -1.0), (-2.6, None, None), (-1.0, -1.0, -1.0)]
    with pytest.raises(TableError, match=r"does not go with the T-scores in data rows 1 \(a\), 2 \(b\); wanted"):
        labels(rows, osteoporosis=[True, False, False], scan_id=list("abc"))
    many = pd.DataFrame({SPINE: [-3.0] * 9, "osteoporosis": False})
    with pytest.raises(TableError, match="data rows 1, 2, 3, 4, 5 and 4 more"):
        dxa_labels(many)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([-1, -250], r"lumbar_spine_t_score is -250 in data row 2 \(b\); wanted: T-scores from −10 to 10"),
        ([np.inf, -1], r"lumbar_spine_t_score is inf in data row 1 \(a\)"),
        (["-1", "−2,5"], r"lumbar_spine_t_score is '−2,5' in data row 2 \(b\); wanted: numbers, or nothing"),
    ],
)
def test_t_scores_that_cannot_be_are_refused_with_the_row(cells, message):
    with pytest.raises(TableError, match=message):
        dxa_labels(pd.DataFrame({SPINE: cells, "person_id": ["a", "b"]}))


def test_columns_that_the_rule_asks_for_must_be_there():
    one = pd.DataFrame({SPINE: ["-2.7", " ", "-1"]})
    assert dxa_labels(one).table["osteoporosis"].tolist() == [True, pd.NA, False]
    with pytest.raises(TableError, match="no column total_hip_t_score, femoral_neck_t_score in a table of"):
        dxa_labels(one, DxaRule(measured="all"))
    with pytest.raises(TableError, match="or osteoporosis"):
        dxa_labels(pd.DataFrame({"age_years": [50]}))
    with pytest.raises(TableError, match="osteoporosis is 'maybe' in data row 1"):
        dxa_labels(pd.DataFrame({"osteoporosis": ["maybe"]}))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sites": ()}, "the sites none"),
        ({"sites": ("forearm",)}, "the sites forearm; wanted: some of lumbar_spine, total_hip, femoral_neck"),
        ({"measured": "most"}, "measured: 'most'"),
        ({"undated": "guessed"}, "undated: 'guessed'"),
        ({"within_days": -1}, "within -1 days"),
        ({"within_days": float("nan")}, "within nan days"),
    ],
)
def test_rules_that_cannot_be_are_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        DxaRule(**settings)


def test_the_labels_are_what_the_statistics_take():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({SPINE: rng.normal(-2.3, 1, 200), "person_id": range(200)})
    table.loc[:9, SPINE] = np.nan
    found = Auroc("osteoporosis", ["lumbar_spine_t_score"], falling=["lumbar_spine_t_score"])(dxa_labels(table).table)
    assert (found.loc[0, "estimate"], found.loc[0, "left_out"]) == (1, 10)
