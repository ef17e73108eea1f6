"""Predicted SDs brought to scale: coverage by simulation, in groups too."""

from __future__ import annotations

import numpy as np
import pytest

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.intervals import SplitConformal
from spineclock.stats.predicted_spread import NormalisedConformal


def people(n: int, seed: int, *, noise: str = "normal") -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Predicted age, predicted SD (half the true one), age, and whether the person is hard to read."""
    rng = np.random.default_rng(seed)
    age, hard = rng.uniform(40, 90, n), rng.random(n) < 0.3
    true_sd = np.where(hard, 8.0, 2.5) * rng.uniform(0.8, 1.2, n)
    draw = rng.normal(size=n) if noise == "normal" else rng.standard_t(3, n) / np.sqrt(3)
    return age + true_sd * draw, true_sd / 2, age, hard


@pytest.mark.parametrize("noise", ["normal", "t3"])
def test_conformal_intervals_cover_each_group_where_constant_ones_do_not(noise):
    predicted, sd, age, _ = people(2000, 3, noise=noise)
    ours, constant = NormalisedConformal.fit(predicted, sd, age), SplitConformal.fit(predicted - age)
    predicted, sd, age, hard = people(20000, 4, noise=noise)
    covered, by_constant = ours.around(predicted, sd).covers(age), constant.around(predicted).covers(age)
    assert covered.mean() == pytest.approx(0.9, abs=0.02)
    assert by_constant.mean() == pytest.approx(0.9, abs=0.02)
    for who in (hard, ~hard):
        assert covered[who].mean() == pytest.approx(0.9, abs=0.02)
    assert by_constant[hard].mean() < 0.8
    assert by_constant[~hard].mean() > 0.95


def test_conformal_coverage_is_exactly_what_the_theory_says_however_bad_the_sds():
    rng = np.random.default_rng(5)
    n, worlds, hits = 28, 4000, 0
    for _ in range(worlds):
        age, sd = rng.uniform(40, 90, n + 1), rng.uniform(1, 10, n + 1)  # nothing to do with the errors
        predicted = age + 2 + rng.standard_t(3, n + 1) * 5
        fitted = NormalisedConformal.fit(predicted[:-1], sd[:-1], age[:-1])
        hits += int(fitted.around(predicted[-1:], sd[-1:]).covers(age[-1:])[0])
    exact = np.ceil((n + 1) * 0.9) / (n + 1)
    assert hits / worlds == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / worlds))


def test_a_factor_on_the_sds_is_of_no_account_above_the_floor():
    predicted, sd, age, _ = people(500, 6)
    one = NormalisedConformal.fit(predicted, sd, age).around(predicted, sd)
    other = NormalisedConformal.fit(predicted, 7 * sd, age).around(predicted, 7 * sd)
    assert other.high_years == pytest.approx(one.high_years)
    assert NormalisedConformal.fit(predicted, 0 * sd + 3, age).around([60], [3])[0] == pytest.approx(
        SplitConformal.fit(predicted - age).around([60])[0]
    )


def test_a_network_that_is_quite_sure_counts_as_half_a_year():
    fitted = NormalisedConformal.fit([51, 54, 57, 61], [0, 2, 3, 0.1], [50, 50, 60, 60], coverage=0.8)
    assert fitted.factor == pytest.approx(2)  # 1 year off over half a year, whatever the network says
    assert fitted.around([60, 60], [0.0, 1.0]).high_years.tolist() == [61, 62]
    with pytest.raises(TableError, match="a predicted SD of 0; wanted: a least SD above 0; remedy: raise floor_years"):
        NormalisedConformal.fit([51, 59, 61], [0, 1, 1], [50, 60, 60], floor_years=0)


def test_what_cannot_be_is_refused():
    with pytest.raises(TableError, match="2 scan"):
        NormalisedConformal.fit([50, 60], [1, 1], [50, 61])
    with pytest.raises(TableError, match="1 of 3 predicted SDs missing or negative; wanted: years, 0 and up"):
        NormalisedConformal.fit([50, 60, 70], [1, -1, 1], [50, 61, 70])
    with pytest.raises(UsageError, match=r"SDs of shape \(2,\) for \(3,\) predicted ages"):
        NormalisedConformal.fit([50, 60, 70], [1, 1], [50, 61, 70])
    with pytest.raises(TableError, match=r"3 residual\(s\), too few for an interval of 90%; wanted: at least 9"):
        NormalisedConformal.fit([50, 60, 70], [1, 1, 1], [50, 61, 72])
    with pytest.raises(UsageError, match="a least SD of -1"):
        NormalisedConformal.fit([50, 60, 70], [1, 1, 1], [50, 61, 72], floor_years=-1)
