"""Large-sample fits against lifelines, statsmodels and arithmetic by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from lifelines import CoxPHFitter

from spineclock.core.errors import UsageError
from spineclock.phantom.projection import Sums, cox, linear, log_odds_ratio


def survival(n, *, seed=1, rate=1.0):
    """Times of some people with three covariates, one of them rare, and random censoring."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 3)) * [1.0, 5.0, 1.0]
    x[:, 2] = x[:, 2] > 1.5
    time, end = rng.exponential(size=n) / (rate * np.exp(x @ [0.5, -0.06, 0.8])), rng.uniform(0.2, 2, n)
    return x, np.minimum(time, end), time <= end


def test_cox_agrees_with_lifelines():
    x, years, event = survival(4_000)
    ours = cox(x, years, event)
    table = pd.DataFrame(x).assign(years=years, event=event)
    theirs = CoxPHFitter(penalizer=0.0).fit(table, "years", "event", fit_options={"precision": 1e-12})
    assert ours.log_hazard_ratio == pytest.approx(theirs.params_.to_numpy(), rel=1e-7)
    assert ours.standard_error == pytest.approx(theirs.standard_errors_.to_numpy(), rel=1e-6)
    robust = CoxPHFitter().fit(table, "years", "event", robust=True, fit_options={"precision": 1e-12})
    assert ours.robust_error == pytest.approx(robust.standard_errors_.to_numpy(), rel=1e-4)
    assert (ours.events, ours.rows) == (event.sum(), 4_000)


@pytest.mark.slow
def test_cox_agrees_with_lifelines_on_50_000():
    x, years, event = survival(50_000, seed=2, rate=0.02)
    theirs = CoxPHFitter().fit(pd.DataFrame(x).assign(years=years, event=event), "years", "event")
    assert cox(x, years, event).log_hazard_ratio == pytest.approx(theirs.params_.to_numpy(), abs=1e-5)


def test_cox_settles_where_plain_newton_overshoots():
    # a long-tailed covariate: the first full step is far too long
    rng = np.random.default_rng(3)
    x = np.exp(1.5 * rng.standard_normal((3_000, 1)))
    time = rng.exponential(size=3_000) / np.exp(0.4 * x[:, 0])
    assert cox(x, time, np.ones(3_000, bool)).log_hazard_ratio[0] == pytest.approx(0.4, abs=0.02)


def test_cox_by_hand():
    # x = 1 goes from {1, 0}, then x = 0 from {0, 0, 1}: l = b − log(2e^b + 2) − log(e^b + 2), so that
    # 1 = e/(e+1) + e/(e+2) with e = exp(b): e² = 2, b = log 2 / 2; information e/(e+1)² + 2e/(e+2)²
    x, years = np.array([[1.0], [0.0], [0.0], [1.0]]), np.array([1.0, 2.0, 3.0, 4.0])
    found, e = cox(x, years, np.array([True, True, False, False])), np.sqrt(2)
    assert found.log_hazard_ratio[0] == pytest.approx(np.log(2) / 2, rel=1e-9)
    assert found.standard_error[0] == pytest.approx((e / (e + 1) ** 2 + 2 * e / (e + 2) ** 2) ** -0.5, rel=1e-9)


def test_cox_says_when_it_does_not_settle():
    # whoever breaks has x = 1: the larger the coefficient, the likelier
    x, years = np.array([[1.0], [0.0], [1.0], [0.0], [1.0], [0.0]]), np.array([1.0, 2, 3, 4, 5, 6])
    event = np.array([True, False, True, False, False, False])
    with pytest.raises(UsageError, match=r"does not settle.*hardly any events"):
        cox(x, years, event)


def test_cox_refuses_what_has_no_answer():
    x, years, event = survival(50)
    with pytest.raises(UsageError, match="without events"):
        cox(x, years, np.zeros(50, bool))
    with pytest.raises(UsageError, match="term 1 is the same in all rows"):
        cox(np.column_stack([x[:, 0], np.ones(50)]), years, event)


def test_linear_effects_and_their_errors_are_those_of_all_rows():
    rng = np.random.default_rng(4)
    x = rng.standard_normal((20_000, 2))
    y = 1.0 + x @ [0.7, -0.2] + rng.standard_normal(20_000) * (1 + np.abs(x[:, 0]))
    found = linear([Sums.of(x[k::20], y[k::20]) for k in range(20)])
    theirs = sm.OLS(y, sm.add_constant(x)).fit(cov_type="HC1")
    assert found.estimate == pytest.approx(theirs.params[1:], rel=1e-10)
    assert found.standard_error == pytest.approx(theirs.bse[1:], rel=0.5)  # of 20 parts: 16% off typically


def test_a_term_nobody_has_has_no_effect():
    x = np.column_stack([np.arange(10.0), np.zeros(10)])
    found = linear([Sums.of(x, 3 * np.arange(10.0)), Sums.of(x + np.array([1, 0]), 3 * np.arange(10.0) + 3)])
    assert found.estimate[0] == pytest.approx(3)
    assert np.isnan(found.estimate[1])
    with pytest.raises(UsageError, match=r"1 parts.*draw more people"):
        linear([Sums.of(x, x[:, 0])])


def test_log_odds_ratio_by_hand():
    log, error = log_odds_ratio([[8, 2], [3, 9]])
    assert log == pytest.approx(np.log(8 * 9 / (2 * 3)))
    assert error == pytest.approx(np.sqrt(1 / 8 + 1 / 2 + 1 / 3 + 1 / 9))
    assert np.isnan(log_odds_ratio([[0, 2], [3, 9]])).all()
