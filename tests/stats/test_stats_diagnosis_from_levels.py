"""Vertebrae to people: recalibrated as an independent logistic regression does, pooled, called, told and read again."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_curve

from spineclock.core.errors import InputError, TableError
from spineclock.stats.diagnosis.from_levels import FromLevels
from spineclock.stats.diagnosis.fusion import LateFusion


def vertebrae(n: int = 400, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds too extreme by far and shifted, as class weights leave them, a tenth of the levels not there."""
    rng = np.random.default_rng(seed)
    ill = rng.random(n) < 0.25
    z = 1.5 + 3 * (1.2 * ill[:, None] - 0.6 + rng.normal(0, 0.8, (n, 1)) + rng.normal(0, 0.6, (n, 4)))
    z[:, 1:][rng.random((n, 3)) < 0.1] = np.nan
    return z, ill


def fitted_line(x: np.ndarray, ill: np.ndarray) -> tuple[float, float]:
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x[:, None], ill)
    return float(model.intercept_[0]), float(model.coef_[0, 0])


def test_both_lines_are_those_of_an_independent_fit() -> None:
    z, ill = vertebrae()
    found = FromLevels.fit(z, ill, range(len(z)))
    row, level = np.nonzero(np.isfinite(z))
    a, b = fitted_line(z[row, level], ill[row])
    assert (found.vertebra.intercept, found.vertebra.slope) == pytest.approx((a, b), abs=1e-4)
    pooled = np.nanmean(a + b * z, axis=1)
    c, d = fitted_line(pooled, ill)
    assert (found.person.intercept, found.person.slope) == pytest.approx((c, d), abs=1e-3)
    p = 1 / (1 + np.exp(-(c + d * pooled)))
    assert np.allclose(found.probability(z), p, atol=1e-4)
    assert p.mean() == pytest.approx(ill.mean(), abs=1e-3)  # which the log-odds themselves were far from


def test_thresholds_are_the_best_sum_and_the_highest_that_keeps_a_sensitivity() -> None:
    z, ill = vertebrae()
    found = FromLevels.fit(z, ill, range(len(z)), sensitivity=0.85)
    p = found.probability(z)
    false, true, _ = roc_curve(ill, p)
    called = p > found.thresholds["youden"]
    assert called[ill].mean() - called[~ill].mean() == pytest.approx((true - false).max())
    assert (p[ill] > found.thresholds["sensitivity_0.85"]).mean() >= 0.85
    assert (p[ill] > found.thresholds["sensitivity_0.85"] + 0.02).mean() < 0.85
    assert found.threshold == found.thresholds["youden"]


@pytest.mark.parametrize("pooling", ["mean", "max", "noisy-or"])
def test_a_level_that_is_not_there_is_as_if_never_asked_for(pooling: str) -> None:
    z, ill = vertebrae()
    found = FromLevels.fit(z, ill, range(len(z)), pooling=pooling)  # type: ignore[arg-type]
    wider = np.column_stack([z, np.full(len(z), np.nan)])
    assert np.allclose(found.probability(z), found.probability(wider))


def test_what_cannot_be_trusted_is_said() -> None:
    z, ill = vertebrae(14)
    assert "recalibrated by few" in FromLevels.fit(z, ill, range(14)).caution
    z, ill = vertebrae()
    assert FromLevels.fit(z, ill, range(400)).caution == ""
    assert "do not rise with the disease" in FromLevels.fit(-z, ill, range(400)).caution
    with pytest.raises(TableError, match="a scan without any vertebra"):
        FromLevels.fit(np.array([[np.nan], [1.0]]), [0, 1], range(2))
    with pytest.raises(TableError, match="0 rows with"):
        FromLevels.fit(z, np.zeros(400), range(400))


def test_it_is_told_and_read_again() -> None:
    z, ill = vertebrae(60)
    found = FromLevels.fit(z, ill, range(60))
    assert FromLevels.from_dict(json.loads(json.dumps(found.as_dict()))) == found
    with pytest.raises(InputError, match="a calibration that cannot be used"):
        FromLevels.from_dict({"vertebra": 3})
    with pytest.raises(InputError, match="pooling 'median'"):
        FromLevels.from_dict({**found.as_dict(), "pooling": "median"})


def test_two_models_are_joined_as_an_independent_fit_joins_them() -> None:
    rng = np.random.default_rng(3)
    ill = rng.random(500) < 0.3
    x = (ill * 1.5 - 1)[:, None] + rng.normal(0, 1.3, (500, 2))
    p = 1 / (1 + np.exp(-x))
    fused = LateFusion.fit(p[:, 0], p[:, 1], ill, people=range(500))
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x, ill)
    assert (fused.intercept, fused.first, fused.second) == pytest.approx((*model.intercept_, *model.coef_[0]), abs=1e-4)
    assert fused([0.3], [np.nan])[0] == pytest.approx(0.3)
    assert fused([np.nan], [0.6])[0] == pytest.approx(0.6)


def test_a_network_that_tells_nobody_apart_calls_nobody() -> None:
    z, ill = vertebrae()
    found = FromLevels.fit(-z, ill, range(400))  # the wrong way round
    assert np.allclose(found.probability(z), ill.mean())
    assert not (found.probability(z) > found.threshold).any()
    assert (found.probability(z) > found.thresholds["sensitivity_0.9"]).all()  # which is what it takes to keep it
    assert found.caution.count("do not rise with the disease") == 1


def test_joining_never_counts_a_higher_probability_as_health() -> None:
    rng = np.random.default_rng(5)
    ill = rng.random(300) < 0.4
    x = 1.5 * ill - 1 + rng.normal(0, 1, 300)
    p, wrong = 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(1.5 * ill - 1 + rng.normal(0, 1, 300)))
    found = LateFusion.fit(p, wrong, ill, people=range(300))
    assert found.second == 0
    assert (found.intercept, found.first) == pytest.approx(fitted_line(x, ill), abs=1e-4)
    assert LateFusion.fit(wrong, p, ill, people=range(300)).first == 0


def test_runs_that_say_nothing_or_everything_can_be_joined() -> None:
    ill = np.arange(12) % 3 == 0
    same = np.full(12, 1 / 3)
    nothing = LateFusion.fit(same, same, ill, people=range(12))
    assert (nothing.first, nothing.second, nothing.prevalence) == (0, 0, pytest.approx(1 / 3))
    assert nothing(0.9, 0.9) == pytest.approx(1 / 3)
    assert "nobody is called" in nothing.caution
    sure = np.where(ill, 0.7, 0.2) + np.linspace(0, 0.05, 12)
    one = LateFusion.fit(same, sure, ill, people=range(12))
    assert (one.first, one.method) == (0, "Platt's targets")
    assert one([0.3], [0.75])[0] < 0.99  # a handful of people are no proof
    with pytest.raises(TableError, match="0 rows with and 8 without the disease have both"):
        LateFusion.fit(same, np.where(ill, np.nan, sure)[:12], ill & (np.arange(12) > 12), people=range(12))
    assert LateFusion.from_dict(json.loads(json.dumps(one.as_dict()))) == one
    with pytest.raises(InputError, match="a joint model that cannot be used"):
        LateFusion.from_dict({"intercept": 1})
    with pytest.raises(InputError, match="weights of 0 or more"):
        LateFusion.from_dict({**one.as_dict(), "second": -1.0})
