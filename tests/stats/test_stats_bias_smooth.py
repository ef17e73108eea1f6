"""Bias that bends with age: LOWESS and age with its square, beside what was put in and what straight lines leave."""

from __future__ import annotations

import numpy as np
import pytest

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.bias import AgeCovariate, Beheshti, Cole, Lowess


@pytest.fixture(scope="module")
def bent() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    age = rng.uniform(25, 85, 900)
    return age + (age - 55) ** 2 / 150 - 3 + rng.normal(0, 3, 900), age


def test_a_bend_is_taken_out_where_a_straight_line_leaves_it(bent):
    ends = np.abs(bent[1] - 55) > 24
    for correction, left in (
        (Cole.fit(*bent), 1.0), (Beheshti.fit(*bent), 1.0), (Lowess.fit(*bent, share=0.3), 0.0),
        (AgeCovariate.fit(*bent), 0.0),
    ):  # fmt: skip
        at_the_ends = correction.gap(*bent)[ends].mean()
        assert at_the_ends > 2 if left else abs(at_the_ends) < 0.35


def test_age_as_a_covariate_of_degree_one_is_beheshtis(bent):
    rng = np.random.default_rng(6)
    predicted, age = rng.uniform(18, 95, (2, 40))
    straight = AgeCovariate.fit(*bent, degree=1)
    assert straight.gap(predicted, age) == pytest.approx(Beheshti.fit(*bent).gap(predicted, age), abs=1e-9)


def test_age_as_a_covariate_leaves_residuals_unrelated_to_age_and_its_square(bent):
    gap = AgeCovariate.fit(*bent).gap(*bent)
    assert gap.mean() == pytest.approx(0, abs=1e-9)
    assert np.corrcoef(gap, bent[1])[0, 1] == pytest.approx(0, abs=1e-9)
    assert np.corrcoef(gap, bent[1] ** 2)[0, 1] == pytest.approx(0, abs=1e-9)


def test_residualising_the_gap_alone_is_not_age_in_the_later_model():
    rng = np.random.default_rng(7)
    age = rng.uniform(25, 85, 2000)
    smoking = 0.05 * age + rng.normal(0, 1, 2000)
    predicted = 0.8 * age + 11 + smoking + rng.normal(0, 3, 2000)
    gap = AgeCovariate.fit(predicted, age, degree=1).gap(predicted, age)
    alone = np.polyfit(smoking, gap, 1)[0]
    with_age = np.linalg.lstsq(np.c_[smoking, age, np.ones(2000)], predicted - age, rcond=None)[0][0]
    share = 1 - np.corrcoef(smoking, age)[0, 1] ** 2
    assert alone == pytest.approx(with_age * share, rel=1e-9)  # Frisch and Waugh
    assert share < 0.7


def test_lowess_turns_from_outlying_people(bent):
    predicted, age = bent[0].copy(), bent[1]
    spoiled = np.flatnonzero(np.abs(age - 55) < 3)[::4]
    predicted[spoiled] += 40
    clean, robust = Lowess.fit(*bent), Lowess.fit(predicted, age)
    naive = Lowess.fit(predicted, age, rounds=0)
    at = clean.age_years.searchsorted(55)
    assert abs(robust.bias_years[at] - clean.bias_years[at]) < 0.3
    assert naive.bias_years[at] - clean.bias_years[at] > 0.9


def test_lowess_knows_nothing_outside_its_ages(bent):
    fitted = Lowess.fit(*bent)
    assert np.isnan(fitted.corrected([50.0, 50.0], [20.0, 90.0])).all()
    assert np.isfinite(fitted.corrected([50.0, 50.0], [fitted.age_years[0], fitted.age_years[-1]])).all()


def test_ages_are_needed(bent):
    with pytest.raises(UsageError, match="The LOWESS correction without ages"):
        Lowess.fit(*bent).corrected([50.0])
    with pytest.raises(UsageError, match="The age-covariate correction without ages"):
        AgeCovariate.fit(*bent).corrected([50.0])
    assert Lowess.uses_test_age
    assert AgeCovariate.uses_test_age


def test_what_cannot_be_fitted_is_refused(bent):
    with pytest.raises(UsageError, match="a share of 0 of the people; wanted: above 0 and up to 1"):
        Lowess.fit(*bent, share=0)
    with pytest.raises(TableError, match="4 people of 2 ages, too few for a curve"):
        Lowess.fit([50, 51, 60, 61], [50, 50, 60, 60])
    with pytest.raises(UsageError, match="age to the power of 4; wanted: degree 1, 2 or 3"):
        AgeCovariate.fit(*bent, degree=4)
    with pytest.raises(TableError, match=r"4 people of 2 ages; wanted: at least 3 to fit age\^2"):
        AgeCovariate.fit([50, 51, 60, 61], [50, 50, 60, 60])
