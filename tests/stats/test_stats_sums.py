"""The bootstrap of sums beside SciPy's bootstrap of the same statistic, and its coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.sums import bootstrap_sums


def mean(sums: np.ndarray) -> np.ndarray:
    return sums[..., :1] / sums[..., 1:]


@pytest.mark.parametrize("method", ["BCa", "percentile"])
def test_ends_are_scipys(method):
    x = np.random.default_rng(0).lognormal(0, 1, 60)  # skewed, so that BCa differs from percentiles
    ours = bootstrap_sums(
        mean, np.c_[x, np.ones(60)], rng=np.random.default_rng(1), method=method.lower(), resamples=40_000
    )  # fmt: skip
    theirs = stats.bootstrap((x,), np.mean, n_resamples=40_000, method=method, rng=np.random.default_rng(2))
    low, high = theirs.confidence_interval
    assert ours.low[0] == pytest.approx(low, abs=0.01 * (high - low) + 0.01)
    assert ours.high[0] == pytest.approx(high, abs=0.03 * (high - low))


def test_bca_moves_the_interval_of_a_skewed_statistic_to_the_long_side():
    x = np.random.default_rng(0).lognormal(0, 1, 60)
    ends = {
        method: bootstrap_sums(mean, np.c_[x, np.ones(60)], rng=np.random.default_rng(1), method=method).high[0]
        for method in ("bca", "percentile")
    }
    assert ends["bca"] > ends["percentile"] * 1.01


@pytest.mark.slow
def test_people_with_several_scans_are_covered_as_often_as_promised():
    rng = np.random.default_rng(5)
    hit = []
    for _ in range(400):
        who = np.repeat(np.arange(80), rng.integers(1, 4, 80))
        x = rng.normal(0, 1, 80)[who] + rng.normal(0, 0.3, len(who))
        found = bootstrap_sums(mean, np.c_[x, np.ones_like(x)], people=who, rng=rng, resamples=400)
        hit.append(found.low[0] <= 0 <= found.high[0])
    assert 0.91 <= np.mean(hit) <= 0.975


def test_several_statistics_share_their_resamples():
    x = np.random.default_rng(0).normal(0, 1, 50)
    found = bootstrap_sums(
        lambda s: np.concatenate([mean(s), mean(s) + 3], axis=-1), np.c_[x, np.ones(50)], rng=np.random.default_rng(0)
    )
    assert found.low[1] - found.low[0] == pytest.approx(3)
    assert (found.people, found.resamples) == (50, 2000)


def test_no_resamples_no_interval():
    found = bootstrap_sums(mean, np.c_[[1.0, 2, 6], np.ones(3)], rng=np.random.default_rng(0), resamples=0)
    assert found.values.tolist() == [3.0]
    assert np.isnan([found.low[0], found.high[0]]).all()


def test_too_few_people_and_unequal_lengths_are_refused():
    terms = np.c_[[1.0, 2, 6], np.ones(3)]
    with pytest.raises(TableError, match="2 people to resample; wanted: at least 3"):
        bootstrap_sums(mean, terms, people=[1, 1, 2], rng=np.random.default_rng(0))
    with pytest.raises(UsageError, match="2 persons for 3 scans"):
        bootstrap_sums(mean, terms, people=[1, 2], rng=np.random.default_rng(0))
