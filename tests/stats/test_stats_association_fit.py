"""Least squares by person, against matrices written out and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.linalg import sqrtm

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.association.fit import aliased, least_squares, variance_inflation


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """60 rows of 40 people, of whom some have up to four, in no order."""
    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(60), rng.normal(50, 12, 60), rng.random(60) < 0.1]).astype(float)
    return x, rng.normal(size=60), rng.permutation(np.r_[np.arange(40), rng.integers(0, 40, 20)])


def test_cr1_is_statsmodels(data):
    x, y, who = data
    ours = least_squares(x, y, clusters=who, standard_errors="CR1")
    theirs = sm.OLS(y, x).fit(cov_type="cluster", cov_kwds={"groups": who}, use_t=True)
    assert ours.coefficients == pytest.approx(theirs.params, rel=1e-10)
    assert ours.standard_errors == pytest.approx(theirs.bse, rel=1e-10)
    assert ours.p() == pytest.approx(theirs.pvalues, rel=1e-9)
    assert np.column_stack(ours.interval()).ravel() == pytest.approx(theirs.conf_int().ravel(), rel=1e-9)


def test_cr2_and_its_degrees_of_freedom_are_those_of_the_matrices(data):
    x, y, who = data
    ours = least_squares(x, y, clusters=who, standard_errors="CR2")
    inverse = np.linalg.inv(x.T @ x)
    rest = np.eye(60) - x @ inverse @ x.T
    middle, columns = np.zeros((3, 3)), []
    for person in range(40):
        rows = np.flatnonzero(who == person)
        root = np.linalg.inv(np.real(sqrtm(rest[np.ix_(rows, rows)])))
        score = x[rows].T @ root @ (rest @ y)[rows]
        middle += np.outer(score, score)
        columns.append(rest[:, rows] @ root @ x[rows] @ inverse)
    assert ours.covariance == pytest.approx(inverse @ middle @ inverse, rel=1e-9)
    for j in range(3):
        g = np.stack([c[:, j] for c in columns], axis=1)
        p = g.T @ g
        assert ours.df[j] == pytest.approx(np.trace(p) ** 2 / (p**2).sum(), rel=1e-9)


def test_one_row_a_person_is_whites_hc1_and_hc2(data):
    x, y, _ = data
    fit = sm.OLS(y, x).fit()
    assert least_squares(x, y, standard_errors="CR2").standard_errors == pytest.approx(fit.HC2_se, rel=1e-10)
    assert least_squares(x, y, standard_errors="CR1").standard_errors == pytest.approx(fit.HC1_se, rel=1e-10)
    assert least_squares(x, y, standard_errors="classical").standard_errors == pytest.approx(fit.bse, rel=1e-10)


def test_an_only_row_with_a_term_has_no_residual_and_does_not_break_cr2():
    x = np.column_stack([np.ones(30), np.arange(30) == 4]).astype(float)
    fit = least_squares(x, np.arange(30.0) % 7)
    assert fit.coefficients[1] == pytest.approx(4 - np.delete(np.arange(30) % 7, 4).mean())
    assert np.isfinite(fit.covariance).all()


def test_cr2_covers_where_few_have_the_term_and_cr1_does_not():
    """12 of 800 have the term: the reason why CR2 is the default."""
    rng = np.random.default_rng(1)
    x = np.column_stack([np.ones(800), np.arange(800) < 12]).astype(float)
    covered = {"CR1": 0, "CR2": 0}
    for _ in range(600):
        y = rng.normal(0, 5, 800)
        for kind in covered:
            low, high = least_squares(x, y, standard_errors=kind).interval()
            covered[kind] += bool(low[1] <= 0 <= high[1])
    assert covered["CR1"] / 600 < 0.93
    assert 0.93 < covered["CR2"] / 600 < 0.975


def test_scans_of_one_person_are_not_independent():
    """Every person twice with the same values: the error must be that of one row each, not √2 smaller."""
    rng = np.random.default_rng(2)
    x = np.column_stack([np.ones(100), rng.normal(size=100)])
    y = rng.normal(size=100)
    twice = least_squares(np.r_[x, x], np.r_[y, y], clusters=np.r_[:100, :100], standard_errors="CR1")
    once = least_squares(x, y, standard_errors="CR1")
    # the same sandwich but for (n − 1)/(n − k)
    ratio = (199 / 198) / (99 / 98)
    assert twice.covariance == pytest.approx(once.covariance * ratio, rel=1e-9)


def test_aliased_columns_are_named_with_what_they_are_made_of():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 50))
    x = np.column_stack([np.ones(50), a, b, 2 * a - b, np.full(50, 3.0), np.zeros(50)])
    assert aliased(x) == {3: (1, 2), 4: (0,), 5: ()}
    assert aliased(x[:, :3]) == {}
    with pytest.raises(TableError, match="columns that depend on each other"):
        least_squares(x[:, :4], a)


def test_variance_inflation_is_one_over_one_minus_r2():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(80, 3))
    x[:, 2] += x[:, 0]
    theirs = [1 / (1 - sm.OLS(x[:, j], sm.add_constant(np.delete(x, j, 1))).fit().rsquared) for j in range(3)]
    assert variance_inflation(x) == pytest.approx(theirs, rel=1e-10)


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(UsageError, match=r"a design of shape \(3, 1\) and an outcome of shape \(2,\)"):
        least_squares(np.ones((3, 1)), [1, 2])
    with pytest.raises(TableError, match="2 row.s. for 2 coefficients"):
        least_squares(np.eye(2), [1, 2])
    with pytest.raises(TableError, match="rows of 1 person"):
        least_squares(np.ones((3, 1)), [1, 2, 3], clusters=[7, 7, 7])
    with pytest.raises(UsageError, match="standard errors 'HC9'"):
        least_squares(np.ones((3, 1)), [1, 2, 3], standard_errors="HC9")
