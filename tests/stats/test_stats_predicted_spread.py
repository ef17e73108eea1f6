"""Predicted SDs brought to scale: the factor against a search, coverage by simulation, in groups too."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.intervals import SplitConformal
from spineclock.stats.predicted_spread import NormalisedConformal, SpreadScale, spread_by_group


def people(n: int, seed: int, *, noise: str = "normal") -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Predicted age, predicted SD (half the true one), age, and whether the person is hard to read."""
    rng = np.random.default_rng(seed)
    age, hard = rng.uniform(40, 90, n), rng.random(n) < 0.3
    true_sd = np.where(hard, 8.0, 2.5) * rng.uniform(0.8, 1.2, n)
    draw = rng.normal(size=n) if noise == "normal" else rng.standard_t(3, n) / np.sqrt(3)
    return age + true_sd * draw, true_sd / 2, age, hard


def test_the_factor_is_the_most_likely_one():
    predicted, sd, age, _ = people(3000, 0)
    found = SpreadScale.fit(predicted, sd, age)
    cost = minimize_scalar(lambda f: -norm.logpdf(predicted - age, scale=f * sd).sum(), bounds=(0.1, 10))
    assert found.factor == pytest.approx(cost.x, abs=1e-3)
    assert found.factor == pytest.approx(2, abs=0.08)
    assert found.people == 3000
    assert found.sd_years(sd) == pytest.approx(found.factor * sd)


def test_normal_intervals_cover_where_errors_are_normal():
    scale = SpreadScale.fit(*people(2000, 1)[:3])
    predicted, sd, age, hard = people(20000, 2)
    for coverage in (0.5, 0.9, 0.95):
        covered = scale.around(predicted, sd, coverage=coverage).covers(age)
        for who in (hard, ~hard):
            assert covered[who].mean() == pytest.approx(coverage, abs=0.02)


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
    fitted = SpreadScale.fit([51, 59, 61], [0, 0.1, 0.2], [50, 60, 60])
    assert fitted.factor == pytest.approx(2)
    assert fitted.sd_years([0.0, 1.0]).tolist() == [1.0, 2.0]
    with pytest.raises(TableError, match="a predicted SD of 0; wanted: a least SD above 0; remedy: raise floor_years"):
        SpreadScale.fit([51, 59, 61], [0, 1, 1], [50, 60, 60], floor_years=0)


def test_groups_of_sure_and_unsure_show_the_scale():
    predicted, sd, age, _ = people(20000, 7)
    found = spread_by_group(predicted, sd, age, groups=4)
    assert found.error_years / found.sd_years == pytest.approx(2, abs=0.1)
    assert found.people.tolist() == [5000] * 4
    scaled = spread_by_group(predicted, SpreadScale.fit(predicted, sd, age).sd_years(sd), age)
    assert scaled.error_years == pytest.approx(scaled.sd_years, rel=0.06)


def test_what_cannot_be_is_refused():
    with pytest.raises(TableError, match="2 scan"):
        SpreadScale.fit([50, 60], [1, 1], [50, 61])
    with pytest.raises(TableError, match="1 of 3 predicted SDs missing or negative; wanted: years, 0 and up"):
        SpreadScale.fit([50, 60, 70], [1, -1, 1], [50, 61, 70])
    with pytest.raises(TableError, match="3 predictions without any error"):
        SpreadScale.fit([50, 60, 70], [1, 1, 1], [50, 60, 70])
    with pytest.raises(UsageError, match=r"SDs of shape \(2,\) for \(3,\) predicted ages"):
        NormalisedConformal.fit([50, 60, 70], [1, 1], [50, 61, 70])
    with pytest.raises(TableError, match=r"3 residual\(s\), too few for an interval of 90%; wanted: at least 9"):
        NormalisedConformal.fit([50, 60, 70], [1, 1, 1], [50, 61, 72])
    with pytest.raises(UsageError, match="a coverage of 90"):
        SpreadScale(1.0, 9).around([50], [3], coverage=90)
    with pytest.raises(UsageError, match="a least SD of -1"):
        SpreadScale.fit([50, 60, 70], [1, 1, 1], [50, 61, 72], floor_years=-1)
