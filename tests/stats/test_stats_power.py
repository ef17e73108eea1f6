"""Power by simulation, by the rule of 1/reliability, and as told for a new study (R and statsmodels: crosscheck)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.agreement import icc
from spineclock.stats.power import StudyPower, group_power, people_needed, regression_power


@pytest.mark.slow
def test_simulated_studies_of_two_groups_show_a_difference_as_often():
    rng = np.random.default_rng(0)
    n, effect, reliability, share, studies = 90, 0.7, 0.73, 1 / 3, 20_000
    first = np.arange(n) < round(n * share)
    true = rng.normal(0, 1, (studies, n)) + effect * first
    seen = true + rng.normal(0, np.sqrt(1 / reliability - 1), (studies, n))
    p = stats.ttest_ind(seen[:, first], seen[:, ~first], axis=1).pvalue
    told = group_power(n, effect_sd=effect, reliability=reliability, share=share)
    assert (p < 0.05).mean() == pytest.approx(told, abs=0.01)
    assert told < group_power(n, effect_sd=effect, share=share) - 0.1


@pytest.mark.slow
def test_simulated_regressions_on_a_noisy_gap_show_an_effect_as_often():
    rng = np.random.default_rng(1)
    n, r, reliability, studies = 60, 0.4, 0.73, 10_000
    age = rng.normal(size=(studies, n))
    true = rng.normal(size=(studies, n))
    outcome = r * true + np.sqrt(1 - r**2) * rng.normal(size=(studies, n)) + age
    seen = np.sqrt(reliability) * true + np.sqrt(1 - reliability) * rng.normal(size=(studies, n)) + 0.5 * age
    x = np.stack([np.ones((studies, n)), seen, age], axis=-1)
    inverse = np.linalg.inv(x.transpose(0, 2, 1) @ x)
    fitted = inverse @ (x.transpose(0, 2, 1) @ outcome[..., None])
    variance = np.square(outcome - (x @ fitted)[..., 0]).sum(axis=1) / (n - 3)
    t = fitted[:, 1, 0] / np.sqrt(variance * inverse[:, 1, 1])
    told = regression_power(n, correlation=r, reliability=reliability, covariates=1)
    assert (np.abs(t) > stats.t.ppf(0.975, n - 3)).mean() == pytest.approx(told, abs=0.015)


def test_people_needed_grow_as_one_over_reliability():
    perfect, real = (
        people_needed(0.9, lambda n, rho=rho: group_power(n, effect_sd=0.2, reliability=rho)) for rho in (1.0, 0.5)
    )
    assert real / perfect == pytest.approx(2.0, rel=0.01)
    assert group_power(perfect, effect_sd=0.2) >= 0.9 > group_power(perfect - 2, effect_sd=0.2)


def test_cohens_tables():
    """Cohen 1988: n a group for a power of 0.80 (table 2.4.1), n for a correlation (table 3.4.1)."""
    for effect, each in ((0.2, 393), (0.5, 64), (0.8, 26)):
        assert people_needed(0.8, lambda n, d=effect: group_power(n, effect_sd=d)) / 2 == pytest.approx(each, abs=0.6)
    for r, n in ((0.1, 783), (0.3, 85), (0.5, 28)):
        assert people_needed(0.8, lambda k, r=r: regression_power(k, correlation=r)) == pytest.approx(n, abs=1.1)


def test_no_effect_is_shown_as_often_as_the_level():
    assert group_power(50, effect_sd=0.0) == pytest.approx(0.05)
    assert regression_power(50, correlation=0.0, alpha=0.01) == pytest.approx(0.01)


def test_groups_of_unlike_size_need_more():
    assert group_power(200, effect_sd=0.4, share=0.1) < group_power(200, effect_sd=0.4) - 0.2


def repeated(people: int = 300, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), 2)
    gap = rng.normal(0, 4, people)[who] + rng.normal(0, 2.4, 2 * people)
    age = rng.uniform(25, 83, people)[who] + np.tile([0, 1.6], people)
    return pd.DataFrame({"person_id": who, "scan_id": np.arange(2 * people), "age_years": age, "gap_years": gap})


def test_a_study_at_this_models_reliability():
    table = repeated()
    found = StudyPower()(table).set_index("term")
    told = icc(table["gap_years"].to_numpy().reshape(-1, 2)).one
    row = found.loc["correlation of 0.20"]
    assert row["reliability"] == pytest.approx(told.value)
    for end, reliability in (("estimate", told.value), ("low", told.high), ("high", told.low)):
        n = int(row[end])
        power, less = (regression_power(k, correlation=0.2, reliability=reliability, covariates=2) for k in (n, n - 1))
        assert power >= 0.8 > less
    assert row["with_a_perfect_model"] / row["estimate"] == pytest.approx(told.value, abs=0.02)
    sd = table.drop_duplicates("person_id")["gap_years"].std()
    years = found.loc["difference of 2.00 years"]
    assert group_power(int(years["estimate"]), effect_sd=2 / sd) >= 0.8
    assert group_power(int(years["estimate"]) - 2, effect_sd=2 / sd) < 0.8
    assert years["low"] < years["estimate"] < years["high"]
    assert found.loc["difference of 1.00 years", "estimate"] == pytest.approx(4 * years["estimate"], rel=0.02)
    assert "for a power of 80%, as the gap has an SD of 4." in years["sentence"]


def test_a_given_reliability_needs_no_second_scans():
    table = repeated().drop_duplicates("person_id")
    found = StudyPower(reliability=0.5, correlations=(0.3,), differences_years=())(table)
    assert np.isnan(found.loc[0, "low"])
    assert found.loc[0, "with_a_perfect_model"] < found.loc[0, "estimate"]
    with pytest.raises(TableError, match="0 people with repeated readings"):
        StudyPower()(table)


def test_a_gap_that_does_not_repeat_is_refused():
    table = repeated()
    table["gap_years"] = np.tile([5.0, -5.0], 300) + np.random.default_rng(0).normal(0, 1, 600)
    with pytest.raises(TableError, match=r"an ICC of −\d\.\d+ of gap_years in 300 people scanned twice"):
        StudyPower()(table)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(UsageError, match="reliability 1.2; wanted: above 0 and up to 1"):
        group_power(50, effect_sd=0.5, reliability=1.2)
    with pytest.raises(UsageError, match="share 1; wanted: above 0 and below 1"):
        group_power(50, effect_sd=0.5, share=1.0)
    with pytest.raises(UsageError, match="2 people in two groups"):
        group_power(2, effect_sd=0.5)
    with pytest.raises(UsageError, match="a correlation of 1 in 50 people with 0 covariates"):
        regression_power(50, correlation=1.0)
    with pytest.raises(UsageError, match="a power of 80; wanted: between 0 and 1"):
        people_needed(80, lambda n: 1.0)
    with pytest.raises(UsageError, match="10,000,000 people do not show"):
        people_needed(0.8, lambda n: 0.05)
