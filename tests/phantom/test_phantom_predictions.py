"""The noise model of predictions: the paper's errors and repeatability, and the oracle's ceiling."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spineclock.core.errors import TableError
from spineclock.phantom.parameters import DEFAULT
from spineclock.phantom.people import people
from spineclock.phantom.predictions import ceiling, predicted_ages


@pytest.fixture(scope="module")
def some():
    return people(30_000, seed=40)


def said(some, parameters=DEFAULT, seed=1):
    return predicted_ages(
        some.table,
        some.truth["spine_age_years"],
        parameters=parameters,
        rng=np.random.default_rng(seed),
        scanner_rng=np.random.default_rng(2),
    )["predicted_age_years"].to_numpy()


def test_errors_and_repeatability_are_the_papers(some):
    age, predicted = some.table["age_years"].to_numpy(), said(some)
    error = predicted - age
    assert np.abs(error).mean() == pytest.approx(3.5, abs=0.1)
    assert 1 - (error**2).sum() / ((age - age.mean()) ** 2).sum() == pytest.approx(0.87, abs=0.015)
    slope, intercept = np.polyfit(age, predicted, 1)
    gap = (predicted - intercept) / slope - age
    second = np.flatnonzero(some.table["session"] == 2)
    one, two = gap[second - 1], gap[second]
    between, within = 2 * np.var((one + two) / 2, ddof=1), np.mean((one - two) ** 2) / 2
    assert (between - within) / (between + within) == pytest.approx(0.73, abs=0.06)  # paper, Table 4: 0.68 to 0.78


def test_predictions_regress_to_the_mean_as_stated(some):
    slope = np.polyfit(some.truth["spine_age_years"], said(some), 1)[0]
    assert slope == pytest.approx(DEFAULT.predictions.shrinkage, abs=0.005)


def test_each_scanner_adds_its_own_and_the_same_to_all_its_scans(some):
    quiet = replace(
        DEFAULT, predictions=replace(DEFAULT.predictions, error_sd_years=0.0, shrinkage=1.0, scanner_sd_years=1.5)
    )
    added = said(some, quiet) - some.truth["spine_age_years"].to_numpy()
    by_scanner = some.table.assign(added=added).groupby("scanner")["added"]
    assert (by_scanner.std() < 0.001).all()
    assert 0.8 < by_scanner.mean().std() < 2.3


def test_a_scanner_of_another_world_is_refused(some):
    wrong = some.table.head(2).assign(scanner="site-99-acme-1")
    with pytest.raises(TableError, match="the scanner site-99-acme-1; wanted: one of site-01-philips-1"):
        predicted_ages(wrong, [50, 60], parameters=DEFAULT, rng=np.random.default_rng(1),
                       scanner_rng=np.random.default_rng(1))  # fmt: skip


def test_no_model_beats_the_oracle_on_average(some):
    age = some.table["age_years"].to_numpy()
    best = ceiling(age, some.truth["spine_age_years"])
    # a normal gap of SD 4 has a mean absolute value of 4 √(2/π) = 3.19, and R² = 1 − 16 / var(age)
    assert best.mae_years == pytest.approx(3.19, abs=0.06)
    assert best.r2 == pytest.approx(1 - 16 / age.var(), abs=0.005)
    assert best.mae_years < np.abs(said(some) - age).mean()
    assert f"{best.r2:.2f} for chronological age" in best.sentence
