"""Conformal intervals: coverage by simulation, and agreement with brute force and with MAPIE."""

from __future__ import annotations

import numpy as np
import pytest
from mapie.regression import CrossConformalRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold

from spineclock.core.errors import TableError, UsageError
from spineclock.core.records import Interval
from spineclock.stats.intervals import CrossConformal, SplitConformal


@pytest.mark.parametrize(("n", "worlds"), [(28, 6000), (500, 3000)])
def test_split_intervals_cover_exactly_what_the_theory_says(n, worlds):
    # continuous exchangeable residuals of any shape: coverage is exactly ⌈(n + 1) · 0.9⌉ / (n + 1)
    rng = np.random.default_rng(n)
    residuals = rng.standard_t(3, (worlds, n + 1)) * 6 + 2
    hits = np.mean([SplitConformal.fit(r[:-1]).around(50 + r[-1:]).covers([50])[0] for r in residuals])
    exact = np.ceil((n + 1) * 0.9) / (n + 1)
    assert hits == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / worlds))
    assert exact >= 0.9


def straight(x, y, kept):
    """Least-squares lines of y on x over the people kept: intercepts and slopes, one a world and fold."""
    n = kept.sum(-1)
    mx, my = (x[:, None] * kept).sum(-1) / n, (y[:, None] * kept).sum(-1) / n
    dx, dy = (x[:, None] - mx[..., None]) * kept, (y[:, None] - my[..., None]) * kept
    slope = (dx * dy).sum(-1) / (dx * dx).sum(-1)
    return my - slope * mx, slope


@pytest.mark.parametrize(("n", "folds", "worlds"), [(28, 28, 1500), (28, 7, 1500), (500, 10, 400)])
def test_cross_conformal_intervals_cover_typical_people(n, folds, worlds):
    rng = np.random.default_rng(7)
    x = rng.normal(0, 1, (worlds, n + 1))
    y = 55 + 10 * x + rng.standard_t(4, x.shape) * 5
    fold = np.arange(n) % folds
    kept = fold != np.arange(folds)[:, None]  # folds × people
    intercept, slope = straight(x[:, :-1], y[:, :-1], kept)
    out_of_fold = intercept[:, fold] + slope[:, fold] * x[:, :-1]
    new = intercept + slope * x[:, -1:]
    hits = np.mean(
        [
            CrossConformal.fit(o - t[:-1], fold).around([p]).covers(t[-1:])[0]
            for o, t, p in zip(out_of_fold, y, new, strict=True)
        ]
    )
    assert hits > 0.8  # what is guaranteed
    usual = np.ceil((n + 1) * 0.9) / (n + 1)
    assert hits == pytest.approx(usual, abs=4 * np.sqrt(usual * (1 - usual) / worlds))


def test_cross_conformal_is_brute_force_and_mapie():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    y = x @ [3.0, -2.0, 1.0] + 50 + rng.normal(0, 4, 60)
    new = rng.normal(size=(25, 3))
    folds = list(KFold(5).split(x))
    fold, out_of_fold, by_fold = np.empty(60, int), np.empty(60), np.empty((25, 5))
    for k, (train, test) in enumerate(folds):
        model = LinearRegression().fit(x[train], y[train])
        fold[test], out_of_fold[test], by_fold[:, k] = k, model.predict(x[test]), model.predict(new)
    ours = CrossConformal.fit(out_of_fold - y, fold).around(by_fold)

    rank = int(np.ceil(61 * 0.9))
    for j in range(25):
        lows = sorted(by_fold[j, fold[i]] - abs(y[i] - out_of_fold[i]) for i in range(60))
        highs = sorted(by_fold[j, fold[i]] + abs(y[i] - out_of_fold[i]) for i in range(60))
        # Barber et al. (2021): ⌊α(n + 1)⌋-th smallest and ⌈(1 − α)(n + 1)⌉-th smallest
        assert ours[j] == Interval(
            pytest.approx(lows[int(np.floor(0.1 * 61 + 1e-9)) - 1]), pytest.approx(highs[rank - 1]), 0.9
        )

    mapie = CrossConformalRegressor(LinearRegression(), confidence_level=0.9, method="plus", cv=KFold(5))
    _, ends = mapie.fit_conformalize(x, y).predict_interval(new)
    assert ours.low_years == pytest.approx(ends[:, 0, 0])
    assert ours.high_years == pytest.approx(ends[:, 1, 0])


def test_the_finite_sample_quantile_by_hand():
    residuals = [-8, 7, -6, 5, -4, 3, -2, 1, 9]
    assert SplitConformal.fit(residuals, coverage=0.9).half_width_years == 9  # ⌈10 · 0.9⌉ = 9th
    assert SplitConformal.fit(residuals, coverage=0.5).half_width_years == 5  # ⌈10 · 0.5⌉ = 5th
    assert SplitConformal.fit(residuals, coverage=0.51).half_width_years == 6  # ⌈5.1⌉ = 6th
    around = SplitConformal.fit(residuals).around([50, 60])
    assert around[0] == Interval(41.0, 59.0, 0.9)
    assert around.covers([41, 70]).tolist() == [True, False]


@pytest.mark.parametrize("fit", [SplitConformal.fit, CrossConformal.fit])
def test_too_few_residuals_are_refused_with_the_number_needed(fit):
    with pytest.raises(TableError, match=r"8 residual\(s\), too few for an interval of 90%; wanted: at least 9"):
        fit(np.ones(8))
    with pytest.raises(TableError, match="too few for an interval of 99%; wanted: at least 99"):
        fit(np.ones(98), coverage=0.99)
    assert fit(np.arange(9.0)) is not None
    with pytest.raises(TableError, match="1 not finite"):
        fit([1.0, np.nan] * 1 + [2.0] * 20)
    with pytest.raises(UsageError, match="a coverage of 90; wanted: a number between 0 and 1"):
        fit(np.ones(30), coverage=90)


def test_folds_and_predictions_must_fit():
    with pytest.raises(UsageError, match=r"folds of shape \(3,\)"):
        CrossConformal.fit(np.ones(20), np.array([0, 1, 2]))
    fitted = CrossConformal.fit(np.ones(20), np.arange(20) % 4)
    with pytest.raises(UsageError, match=r"predictions of shape \(2, 20\); wanted: \(scans, 4\)"):
        fitted.around(np.zeros((2, 20)))
