"""Figures of merit against hand-computed values and other libraries."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics

from spineclock.core.brackets import bracket
from spineclock.core.errors import TableError, UsageError
from spineclock.stats.metrics import accuracy, mae, pearson_r, r2, rmse, wmae


@pytest.fixture(scope="module")
def people() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    age = rng.uniform(20, 90, 500)
    return 0.7 * age + 17 + rng.normal(0, 6, 500), age


def test_against_scikit_learn_and_scipy(people):
    predicted, age = people
    assert mae(predicted, age) == pytest.approx(sklearn_metrics.mean_absolute_error(age, predicted), rel=1e-12)
    assert r2(predicted, age) == pytest.approx(sklearn_metrics.r2_score(age, predicted), rel=1e-12)
    assert rmse(predicted, age) == pytest.approx(sklearn_metrics.root_mean_squared_error(age, predicted), rel=1e-12)
    assert pearson_r(predicted, age) == pytest.approx(stats.pearsonr(predicted, age).statistic, rel=1e-12)


def test_r2_is_not_the_squared_correlation_and_can_be_negative():
    age = np.array([30.0, 50, 70])
    assert pearson_r(age + 40, age) == pytest.approx(1)
    # all 40 years off: SSE 3 · 1600 = 4800, SST 20² · 2 = 800
    assert r2(age + 40, age) == pytest.approx(1 - 4800 / 800)
    assert np.isnan(r2([50, 60], [55, 55]))
    assert np.isnan(pearson_r([50, 50], [55, 65]))


def test_brackets_have_the_papers_names_and_edges():
    assert bracket([25, 34, 34.999, 35, 44.9, 45, 64.9, 65, 74.9, 75, 84, 84.99]).tolist() == [
        30,
        30,
        30,
        40,
        40,
        50,
        60,
        70,
        70,
        80,
        80,
        80,
    ]
    assert bracket([14, 24.99, 85, 101]).tolist() == [0, 0, 0, 0]


def test_wmae_weighs_brackets_not_people():
    # 97 people of 50 read exactly, one person of 30 read 10 years old too many, one of 80 read 20 too few
    age = np.array([50.0] * 97 + [30, 80, 90])
    predicted = np.array([50.0] * 97 + [40, 60, 10])
    assert wmae(predicted, age) == pytest.approx((0 + 10 + 20) / 3)
    assert mae(predicted, age) == pytest.approx((10 + 20 + 80) / 100)
    assert np.isnan(wmae([90.0], [90.0]))


def test_wmae_is_the_mean_of_six_brackets_where_all_are_there(people):
    predicted, age = people
    means = [np.abs(predicted - age)[(age >= low) & (age < low + 10)].mean() for low in range(25, 85, 10)]
    assert wmae(predicted, age) == pytest.approx(np.mean(means), rel=1e-12)
    a = accuracy(predicted, age)
    assert [b.mae_years for b in a.brackets] == pytest.approx(means)
    assert sum(b.n for b in a.brackets) == ((age >= 25) & (age < 85)).sum() < a.n == 500
    assert (a.mae_years, a.wmae_years, a.r2) == (mae(predicted, age), wmae(predicted, age), r2(predicted, age))
    assert a.mean_gap_years == pytest.approx(np.mean(predicted) - np.mean(age))


@pytest.mark.parametrize("metric", [mae, rmse, r2, pearson_r, wmae])
def test_many_resamples_at_once_give_what_one_at_a_time_gives(people, metric):
    predicted, age = people
    drawn = np.random.default_rng(1).integers(0, 500, (4, 60))
    together = metric(predicted[drawn], age[drawn])
    assert together == pytest.approx([float(metric(predicted[d], age[d])) for d in drawn], rel=1e-12)


def test_what_cannot_be_scored_is_an_error():
    with pytest.raises(UsageError, match=r"shape \(2,\) and ages of shape \(3,\)"):
        mae([1, 2], [1, 2, 3])
    with pytest.raises(TableError, match="1 of 2 scans without a finite age or prediction"):
        mae([50, np.nan], [50, 60])
    with pytest.raises(TableError, match=r"0 scan\(s\) with an age; wanted: at least 1"):
        mae([], [])
