"""Bias corrections: fits against statsmodels, and the identities that bind them."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.bias import AgeLevel, Beheshti, Cole, DeLange
from spineclock.stats.metrics import pearson_r, r2


@pytest.fixture(scope="module")
def validation() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    age = rng.uniform(25, 85, 800)
    return 0.72 * age + 17 + rng.normal(0, 5, 800), age


def test_fits_are_statsmodels_least_squares(validation):
    predicted, age = validation
    intercept, slope = sm.OLS(predicted, sm.add_constant(age)).fit().params
    cole, de_lange = Cole.fit(predicted, age), DeLange.fit(predicted, age)
    for fitted in (cole, de_lange):
        assert (fitted.slope, fitted.intercept) == pytest.approx((slope, intercept), rel=1e-9)
    intercept, slope = sm.OLS(predicted - age, sm.add_constant(age)).fit().params
    beheshti = Beheshti.fit(predicted, age)
    assert (beheshti.slope, beheshti.intercept) == pytest.approx((slope, intercept), rel=1e-9)


def test_beheshtis_gap_is_alpha_times_coles(validation):
    cole, beheshti = Cole.fit(*validation), Beheshti.fit(*validation)
    rng = np.random.default_rng(1)
    age = rng.uniform(18, 95, 50)
    predicted = rng.uniform(18, 95, 50)  # on any people, not only those of the fit
    assert beheshti.gap(predicted, age) == pytest.approx(cole.slope * cole.gap(predicted, age), abs=1e-9)
    assert beheshti.slope == pytest.approx(cole.slope - 1, abs=1e-12)


def test_de_langes_form_is_beheshtis(validation):
    rng = np.random.default_rng(2)
    predicted, age = rng.uniform(18, 95, (2, 50))
    one, other = Beheshti.fit(*validation), DeLange.fit(*validation)
    assert other.corrected(predicted, age) == pytest.approx(one.corrected(predicted, age), abs=1e-9)
    assert other.gap(predicted, age) == pytest.approx(one.gap(predicted, age), abs=1e-9)


@pytest.mark.parametrize("noise", [2.0, 5.0, 12.0, 25.0])
def test_r2_after_cole_is_two_less_one_over_r_squared_on_the_fitting_set(noise):
    rng = np.random.default_rng(3)
    age = rng.uniform(25, 85, 300)
    predicted = 0.6 * age + 20 + rng.normal(0, noise, 300)
    r = pearson_r(predicted, age)
    assert r2(Cole.fit(predicted, age).corrected(predicted), age) == pytest.approx(2 - 1 / r**2, rel=1e-9)


@pytest.mark.parametrize("correction", [Cole, Beheshti, DeLange])
def test_the_gap_no_longer_depends_on_age_in_the_fitting_set(validation, correction):
    predicted, age = validation
    gap = correction.fit(predicted, age).gap(predicted, age)
    assert gap.mean() == pytest.approx(0, abs=1e-9)
    assert np.corrcoef(gap, age)[0, 1] == pytest.approx(0, abs=1e-9)
    assert np.corrcoef(predicted - age, age)[0, 1] < -0.5


def test_beheshti_makes_a_model_that_knows_nothing_look_good_and_says_so():
    rng = np.random.default_rng(4)
    age = rng.uniform(25, 85, 2000)
    predicted = rng.normal(55, 4, 2000)
    assert r2(predicted, age) < 0.02
    beheshti = Beheshti.fit(predicted, age)
    assert r2(beheshti.corrected(predicted, age), age) > 0.9
    assert beheshti.uses_test_age
    assert "inflated (Butler et al. 2021)" in beheshti.caution
    assert not Cole.uses_test_age
    assert Cole.caution == ""
    with pytest.raises(TableError, match=r"rise by -?0.0.. years a year of age; wanted: at least 0.05"):
        Cole.fit(predicted, age)


def test_ages_are_needed_where_they_are_used(validation):
    for correction, name in ((Beheshti, "Beheshti's"), (DeLange, "de Lange's"), (AgeLevel, "The age-level")):
        with pytest.raises(UsageError, match=f"{name} correction without ages"):
            correction.fit(*validation).corrected([50.0])
    assert Cole.fit([40, 50, 60], [30, 50, 70]).corrected([45.0], None).tolist() == [40.0]


@pytest.mark.parametrize("correction", [Cole, Beheshti, DeLange, AgeLevel])
def test_two_people_or_a_missing_age_are_refused(correction):
    with pytest.raises(TableError, match=r"2 scan\(s\) with an age; wanted: at least 3"):
        correction.fit([50, 60], [51, 62])
    with pytest.raises(TableError, match="1 of 4 scans without a finite age"):
        correction.fit([50, 60, 70, 80], [51, 62, np.nan, 79])


@pytest.mark.parametrize("correction", [Cole, Beheshti, DeLange])
def test_people_of_one_age_are_refused(correction):
    with pytest.raises(TableError, match="3 people all of age 50"):
        correction.fit([50, 60, 55], [50, 50, 50])


def test_age_level_is_the_z_score_of_the_year_by_hand():
    age = np.array([40.0, 40.3, 40.9, 41.2, 41.5, 41.8])
    gap = np.array([1.0, 2, 3, -4, 0, 4])
    fitted = AgeLevel.fit(age + gap, age, min_people=3)
    assert fitted.first_year == 40
    assert fitted.mean_years == pytest.approx([2, 0])
    assert fitted.sd_years == pytest.approx([1, 4])
    assert fitted.people.tolist() == [3, 3]
    assert fitted.gap([45.5, 45.5], [40.5, 41.5]) == pytest.approx([(5 - 2) / 1, (4 - 0) / 4])
    assert fitted.corrected([45.5, 45.5], [40.5, 41.5]) == pytest.approx([43.5, 45.5])
    assert fitted.unit == "SD"
    assert Cole.unit == "years"


def test_age_level_widens_its_window_where_people_are_few():
    age = np.concatenate([np.full(30, 40.5), np.full(2, 41.5), np.full(30, 42.5), [60.5]])
    gap = np.random.default_rng(0).normal(0, 3, len(age))
    fitted = AgeLevel.fit(age + gap, age, min_people=10)
    assert fitted.people[[0, 1, 2]].tolist() == [30, 62, 30]  # 41 takes in 40 and 42
    assert fitted.mean_years[1] == pytest.approx(gap[:62].mean())
    assert fitted.people[20] == 31  # 60 reaches down to 42
    assert fitted.sd_years[0] == pytest.approx(gap[:30].std(ddof=1))


def test_age_level_has_no_answer_outside_the_fitted_ages(validation):
    predicted, age = validation
    fitted = AgeLevel.fit(predicted, age)
    assert np.isnan(fitted.gap([50.0, 50.0], [24.0, 91.0])).all()
    gap = fitted.gap(predicted, age)
    assert gap.std() == pytest.approx(1, abs=0.06)
    assert abs(np.corrcoef(gap, age)[0, 1]) < 0.02
