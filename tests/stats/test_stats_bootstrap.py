"""Bootstrap intervals against SciPy's own, formulas, and the effect of several scans a person."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.bootstrap import bootstrap, paired_difference
from spineclock.stats.metrics import mae, r2


@pytest.fixture(scope="module")
def people() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    age = rng.uniform(25, 85, 120)
    return age + rng.normal(1, 6, 120), age


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_one_scan_each_is_scipys_paired_bootstrap(people, method):
    predicted, age = people
    ours = bootstrap(r2, predicted, age, rng=np.random.default_rng(5), method=method, resamples=1000)
    theirs = stats.bootstrap(
        (predicted, age),
        lambda p, y, axis: r2(p, y),
        paired=True,
        vectorized=True,
        method="BCa" if method == "bca" else method,
        n_resamples=1000,
        rng=np.random.default_rng(5),
    )
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval), rel=1e-9)
    assert ours.value == pytest.approx(float(r2(predicted, age)))
    assert (ours.people, ours.resamples, ours.method, ours.coverage) == (120, 1000, method, 0.95)


def test_the_interval_of_a_mean_is_near_the_normal_one():
    x = np.random.default_rng(1).normal(10, 2, 400)
    e = bootstrap(lambda x: x.mean(axis=-1), x, rng=np.random.default_rng(2), resamples=4000, method="percentile")
    half = 1.96 * x.std(ddof=1) / 20
    assert (e.low, e.high) == pytest.approx((x.mean() - half, x.mean() + half), abs=0.08 * half)


def test_bca_of_a_skewed_mean_leans_to_the_long_tail():
    x = np.random.default_rng(3).lognormal(0, 1.2, 60)
    e = bootstrap(lambda x: x.mean(axis=-1), x, rng=np.random.default_rng(4))
    assert e.high - e.value > 1.2 * (e.value - e.low)


def test_a_scan_counted_twice_is_no_new_evidence(people):
    predicted, age = people
    once = bootstrap(mae, predicted, age, rng=np.random.default_rng(6), resamples=400)
    ids = np.array([f"p{i:03d}" for i in range(120)])
    shuffled = np.random.default_rng(7).permutation(240)
    columns = (np.tile(c, 2)[shuffled] for c in (predicted, age))
    twice = bootstrap(mae, *columns, rng=np.random.default_rng(6), people=np.tile(ids, 2)[shuffled], resamples=400)
    assert (twice.value, twice.low, twice.high) == pytest.approx((once.value, once.low, once.high), rel=1e-9)
    assert twice.people == 120


def test_people_with_unequal_numbers_of_scans_have_the_standard_error_of_a_ratio():
    rng = np.random.default_rng(8)
    scans = rng.integers(1, 6, 150)
    who = np.repeat(np.arange(150), scans)
    x = rng.normal(0, 3, 150)[who] + rng.normal(0, 1, len(who))
    e = bootstrap(np.mean, x, rng=rng, people=who, method="percentile", resamples=1500)
    # linearised variance of Σ sums / Σ counts over people
    sums = np.bincount(who, weights=x)
    spread = np.sqrt(np.square(sums - x.mean() * scans).sum()) / scans.sum()
    assert e.high - e.low == pytest.approx(2 * 1.96 * spread, rel=0.1)
    naive = 2 * 1.96 * x.std() / np.sqrt(len(x))
    assert e.high - e.low > 1.3 * naive


def test_a_difference_is_paired(people):
    _, age = people
    rng = np.random.default_rng(9)
    shared = rng.normal(0, 8, 120)  # hard people are hard for both
    a, b = age + shared + rng.normal(0, 0.5, 120), age + 1.05 * shared + rng.normal(0, 0.5, 120)
    e = paired_difference(a, b, age, rng=np.random.default_rng(10))
    each = np.abs(a - age) - np.abs(b - age)
    assert e.value == pytest.approx(each.mean())
    low, high = stats.t.interval(0.95, 119, each.mean(), stats.sem(each))
    assert (e.low, e.high) == pytest.approx((low, high), abs=0.06 * (high - low))
    apart = bootstrap(mae, a, age, rng=rng)
    assert (e.high - e.low) < 0.3 * (apart.high - apart.low)


def test_a_predictor_is_not_better_than_itself(people):
    predicted, age = people
    e = paired_difference(predicted, predicted, age, rng=np.random.default_rng(0), method="percentile", resamples=50)
    assert (e.value, e.low, e.high) == (0, 0, 0)


def test_the_same_generator_gives_the_same_interval(people):
    first, second, other = (bootstrap(mae, *people, rng=np.random.default_rng(s), resamples=200) for s in (1, 1, 2))
    assert first == second
    assert first != other


def test_too_few_people_and_uneven_columns_are_errors():
    rng = np.random.default_rng(0)
    with pytest.raises(TableError, match="2 people to resample; wanted: at least 3"):
        bootstrap(np.mean, np.arange(6.0), rng=rng, people=[1, 1, 1, 2, 2, 2])
    with pytest.raises(UsageError, match=r"columns of shapes \[\(6,\), \(5,\)\] for 6 rows"):
        bootstrap(mae, np.arange(6.0), np.arange(5.0), rng=rng)
