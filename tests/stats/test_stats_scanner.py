"""The scanner's share of the gap: closed form, coverage, and what a null world gives (lme4 and anova: crosscheck)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.scanner import ScannerShare, variance_share


def test_equal_groups_by_hand():
    groups = np.array([[1.0, 2, 3], [5, 6, 7], [3, 4, 5]])
    found = variance_share(groups.ravel(), np.repeat([0, 1, 2], 3))
    f = 12.0  # 3 · 4 over 1
    assert found.f == pytest.approx(f)
    assert found.share == pytest.approx((f - 1) / (f - 1 + 3))
    low, high = ((f / stats.f.ppf(q, 2, 6) - 1) for q in (0.975, 0.025))
    assert [found.low, found.high] == pytest.approx([low / (low + 3), high / (high + 3)])
    assert found.p == pytest.approx(stats.f_oneway(*groups).pvalue)
    assert found.within_sd == pytest.approx(1.0)
    assert found.between_sd == pytest.approx(np.sqrt(11 / 3))


def test_no_more_between_groups_than_chance_is_no_share():
    found = variance_share([1, 2, 3, 1, 2, 4], [0, 0, 0, 1, 1, 1])
    assert (found.share, found.low, found.between_sd) == (0.0, 0.0, 0.0)
    assert found.high > 0.3
    assert found.p > 0.5
    alike = variance_share([1, 2, 3, 1, 2, 3], [0, 0, 0, 1, 1, 1])
    assert (alike.share, alike.low, alike.high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("truth", [0.02, 0.3])
@pytest.mark.slow
def test_the_interval_covers_unequal_groups_with_covariates(truth):
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(8), [3, 5, 8, 12, 20, 40, 60, 90])
    x = rng.normal(0, 1, (len(group), 2)) + 0.1 * group[:, None]
    hit = []
    for _ in range(600):
        y = rng.normal(0, np.sqrt(truth), 8)[group] + rng.normal(0, np.sqrt(1 - truth), len(group)) + x @ [2.0, -1]
        found = variance_share(y, group, covariates=x)
        hit.append(found.low <= truth <= found.high)
    assert np.mean(hit) == pytest.approx(0.95, abs=0.027)


def test_the_estimate_is_the_top_of_the_restricted_likelihood():
    rng = np.random.default_rng(2)
    group = np.repeat(np.arange(6), [4, 9, 15, 20, 30, 5])
    y = rng.normal(0, 1.5, 6)[group] + rng.normal(0, 2, len(group))
    found = variance_share(y, group)

    def restricted(between: float, within: float) -> float:
        """By the textbook, with whole matrices."""
        v = between**2 * (group[:, None] == group) + within**2 * np.eye(len(y))
        inverse, ones = np.linalg.inv(v), np.ones(len(y))
        mean = ones @ inverse @ y / (ones @ inverse @ ones)
        rest = y - mean
        return -0.5 * (np.linalg.slogdet(v)[1] + np.log(ones @ inverse @ ones) + rest @ inverse @ rest)

    best = restricted(found.between_sd, found.within_sd)
    for factor in (0.98, 1.02):
        assert restricted(found.between_sd * factor, found.within_sd) < best
        assert restricted(found.between_sd, found.within_sd * factor) < best


def people(*, between: float, n: int = 1200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    scanner = rng.integers(0, 19, n)
    age = rng.uniform(25, 85, n)
    gap = rng.normal(0, between, 19)[scanner] + rng.normal(0, 4, n) + 0.05 * (age - 55)
    return pd.DataFrame({
        "person_id": np.arange(n), "scanner": [f"S{s}" for s in scanner], "age_years": age,
        "sex": rng.choice(["F", "M"], n), "gap_years": gap,
    })  # fmt: skip


def test_a_scanner_effect_is_found_and_said_in_percent():
    found = ScannerShare()(people(between=2.0, seed=1))
    row = found.iloc[0]
    assert row["low"] < 4 / 20 < row["high"]
    assert row["p"] < 1e-6
    assert row["sentence"].startswith(f"{100 * row['estimate']:.1f}% (95% CI ")
    assert "between the 19 scanners" in row["sentence"]
    assert len(found) == 20


def test_without_one_the_share_is_near_nothing():
    row = ScannerShare()(people(between=0.0)).iloc[0]
    assert row["estimate"] < 0.01
    assert row["low"] == 0
    assert row["p"] > 0.05


def test_older_people_on_one_scanner_are_not_its_fault():
    table = people(between=0.0)
    table["scanner"] = np.where(table["age_years"] > 55, "old", "new")
    assert ScannerShare(adjust=())(table).iloc[0]["p"] < 1e-6
    found = ScannerShare()(table)
    assert found.iloc[0]["p"] > 0.05
    means = found.iloc[1:].set_index("scanner")
    assert (means["low"] < 0).all()
    assert (means["high"] > 0).all()


def test_a_person_counts_once():
    table = people(between=1.0)
    twice = pd.concat([table.assign(age_years=table["age_years"] + 2, gap_years=99.0), table])
    pd.testing.assert_frame_equal(ScannerShare()(twice), ScannerShare()(table))


def test_scanners_with_few_people_are_named():
    table = people(between=1.0)
    table.loc[:4, "scanner"] = "rare"
    found = ScannerShare()(table)
    assert found.loc[0, "few_people"] == "rare"
    assert "Fewer than 20 people on rare" in found.loc[0, "sentence"]
    assert found.set_index("scanner").loc["rare", "sentence"].endswith("(5 people): too few to trust.")


def test_what_holds_no_answer_is_refused():
    with pytest.raises(TableError, match=r"1 group\(s\) in 3 rows"):
        variance_share([1, 2, 3], [0, 0, 0])
    with pytest.raises(TableError, match=r"3 group\(s\) in 3 rows, not to be told from the covariates or from single"):
        variance_share([1, 2, 3], [0, 1, 2])
    with pytest.raises(TableError, match="values that do not vary within groups"):
        variance_share([1, 1, 2, 2], [0, 0, 1, 1])
    with pytest.raises(UsageError, match="3 values, 2 groups"):
        variance_share([1, 2, 3], [0, 1])
    with pytest.raises(TableError, match="no column scanner"):
        ScannerShare()(people(between=0.0).drop(columns="scanner"))
