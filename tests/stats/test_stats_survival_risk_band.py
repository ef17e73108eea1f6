"""The band of a risk: its line beside statsmodels', its cover of what is true, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import expit, logit

from spineclock.core.errors import InputError, TableError
from spineclock.stats.survival.risk_band import POINTS, RiskBand


def drawn(n, rng, *, wrong=1.0, censored=True):
    """Risks as they are told, and follow-up by which the true odds by five years are ``wrong`` times the told ones."""
    risk = rng.uniform(0.03, 0.5, n)
    time = rng.exponential(5 / -np.log1p(-expit(logit(risk) + np.log(wrong))))
    end = rng.uniform(2, 12, n) if censored else np.full(n, 8.0)
    return risk, np.minimum(time, end), (time < end).astype(int)


def band(risk, time, cause, rng, **settings):
    return RiskBand.fit(risk, time, cause, np.arange(len(risk)), horizon=5.0, rng=rng, **{"resamples": 60, **settings})


def test_without_anybody_lost_the_line_is_statsmodels_logistic_regression():
    rng = np.random.default_rng(1)
    risk, time, cause = drawn(500, rng, censored=False)
    found = band(risk, time, cause, rng)
    x = logit(risk)
    fit = sm.GLM(((cause == 1) & (time <= 5)).astype(float), sm.add_constant(x), family=sm.families.Binomial()).fit()
    at = np.array(found.risk)
    expected = fit.predict(sm.add_constant(logit(at)))
    assert found.observed == pytest.approx(expected, abs=1e-5)
    assert (len(found.risk), found.people, found.events) == (POINTS, 500, int((time <= 5).sum()))


@pytest.mark.parametrize("wrong", [1.0, 0.5])
def test_it_covers_what_is_true_as_often_as_it_says(wrong):
    hits, at = [], np.array([0.1, 0.2, 0.4])
    true = expit(logit(at) + np.log(wrong))
    for seed in range(80):
        rng = np.random.default_rng(seed)
        low, _, high = band(*drawn(400, rng, wrong=wrong), rng, coverage=0.9, resamples=150)(at)
        hits.append((low <= true) & (true <= high))
    assert np.mean(hits) == pytest.approx(0.9, abs=0.06)


def test_people_lost_early_do_not_pull_it_down():
    rng = np.random.default_rng(3)
    risk, time, cause = drawn(20_000, rng)
    _, observed, _ = band(risk, time, cause, rng, resamples=20)([0.1, 0.3])
    assert observed == pytest.approx([0.1, 0.3], abs=0.02)


def test_those_who_die_first_never_have_the_event():
    rng = np.random.default_rng(4)
    risk, time, _ = drawn(5_000, rng, censored=False)
    death = rng.exponential(6, 5_000)
    cause = np.where((time <= death) & (time < 8), 1, np.where(death < 8, 2, 0))
    _, observed, _ = band(risk, np.minimum.reduce([time, death, np.full(5_000, 8.0)]), cause, rng, resamples=20)([0.4])
    rate, other = -np.log1p(-0.4) / 5, 1 / 6
    expected = rate / (rate + other) * (1 - np.exp(-5 * (rate + other)))
    assert observed[0] == pytest.approx(expected, abs=0.02)


def test_beyond_what_was_seen_nothing_is_told():
    rng = np.random.default_rng(5)
    found = band(*drawn(300, rng), rng)
    assert np.isnan(found([0.01, 0.9])).all()
    assert found([0.2]).shape == (3, 1)


def test_it_survives_json():
    rng = np.random.default_rng(6)
    found = band(*drawn(300, rng), rng)
    assert RiskBand.from_dict(json.loads(json.dumps(found.as_dict()))) == found
    with pytest.raises(InputError, match="cannot be used"):
        RiskBand.from_dict({"risk": [1.0]})


def test_too_few_events_and_risks_that_are_alike_are_refused():
    rng = np.random.default_rng(7)
    risk, time, cause = drawn(300, rng)
    with pytest.raises(TableError, match="0 events"):
        band(risk, time, np.zeros(300, int), rng)
    with pytest.raises(TableError, match="risks that differ"):
        band(np.full(300, 0.2), time, cause, rng)
