"""Recalibration that is stored: against scikit-learn's, what class weights destroy, another prevalence, edge cases."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from spineclock.core.errors import InputError, TableError, UsageError
from spineclock.stats.diagnosis import LogisticRecalibration, ProbabilityCalibration
from spineclock.stats.diagnosis.resampled import auroc


def people(n: int, *, seed: int, prevalence: float = 0.15) -> tuple[np.ndarray, np.ndarray]:
    """Three measurements of each, and who is ill: they score alike whatever the prevalence."""
    rng = np.random.default_rng(seed)
    ill = rng.random(n) < prevalence
    return rng.normal(0, 1, (n, 3)) + ill[:, None] * [1.0, 0.6, 0.0], ill


def calibration(p: np.ndarray, ill: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame({"person_id": range(len(p)), "ill": ill, "p": p})
    return ProbabilityCalibration("ill", "p")(table).set_index("term")


@pytest.mark.parametrize("scale", ["probability", "score"])
def test_the_line_is_scikit_learns(scale):
    x, ill = people(600, seed=1)
    score = x.sum(axis=1) if scale == "score" else expit(x.sum(axis=1) - 1)
    fit = LogisticRecalibration.fit(score, ill, scale=scale)
    line = score if scale == "score" else logit(score)
    theirs = LogisticRegression(C=np.inf, tol=1e-12, max_iter=5000).fit(line[:, None], ill)
    assert (fit.intercept, fit.slope) == pytest.approx((theirs.intercept_[0], theirs.coef_[0, 0]), rel=1e-5)
    assert fit(score).mean() == pytest.approx(ill.mean(), rel=1e-9)
    assert fit.prevalence == pytest.approx(ill.mean())
    assert (fit.positives, fit.negatives, fit.people) == (ill.sum(), (~ill).sum(), 600)


def test_class_weights_destroy_calibration_and_recalibration_restores_it():
    # so many validation people that what is left is the error of the test people, which the intervals hold
    train, validation, test = (people(n, seed=s) for n, s in ((4000, 2), (80_000, 3), (8000, 4)))
    model = LogisticRegression(C=np.inf, class_weight="balanced").fit(*train)
    told = model.predict_proba(test[0])[:, 1]
    weighted = calibration(told, test[1])
    # balanced weights multiply the odds by (1 − π)/π
    shift = -logit(train[1].mean())
    assert weighted.loc["calibration in the large", "estimate"] == pytest.approx(-shift, abs=0.1)
    assert weighted.loc["calibration in the large", "p"] < 1e-10
    assert told.mean() > 2 * test[1].mean()
    fit = LogisticRecalibration.fit(model.predict_proba(validation[0])[:, 1], validation[1])
    restored = calibration(fit(told), test[1])
    for name, right in (("calibration in the large", 0), ("intercept", 0), ("slope", 1), ("observed − expected", 0)):
        assert restored.loc[name, "low"] < right < restored.loc[name, "high"]
    ece = "expected calibration error"
    assert restored.loc[ece, "estimate"] < 0.02 < 0.2 < weighted.loc[ece, "estimate"]
    assert restored.loc["scaled Brier score", "estimate"] > 0.1 > 0 > weighted.loc["scaled Brier score", "estimate"]
    assert auroc(fit(told), test[1]) == pytest.approx(auroc(told, test[1]), rel=1e-12)


def test_another_prevalence_is_met_by_moving_the_intercept():
    x, ill = people(80_000, seed=5, prevalence=0.5)
    fit = LogisticRecalibration.fit(x.sum(axis=1), ill, scale="score")
    there, ill_there = people(12000, seed=6, prevalence=0.08)
    as_it_was = calibration(fit(there.sum(axis=1)), ill_there)
    moved = calibration(fit.at_prevalence(0.08)(there.sum(axis=1)), ill_there)
    assert as_it_was.loc["calibration in the large", "estimate"] == pytest.approx(logit(0.08), abs=0.2)
    for name, right in (("calibration in the large", 0), ("slope", 1)):
        assert moved.loc[name, "low"] < right < moved.loc[name, "high"]
    back = fit.at_prevalence(0.08).at_prevalence(fit.prevalence)
    assert back.intercept == pytest.approx(fit.intercept)
    with pytest.raises(UsageError, match="a prevalence of 0; wanted: a share"):
        fit.at_prevalence(0)


def test_it_is_the_same_after_a_file():
    fit = LogisticRecalibration.fit([0.1, 0.4, 0.4, 0.7, 0.9], [0, 1, 0, 0, 1], people=list("aabbc"))
    again = LogisticRecalibration.from_dict(json.loads(json.dumps(fit.as_dict())))
    assert again == fit
    assert fit.people == 3
    assert np.isnan(again([0.2, np.nan])).tolist() == [False, True]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "spineclock.recalibration/9"}, "a recalibration of schema 'spineclock.recalibration/9'"),
        ({"slope": -1.0}, "slope -1.0"),
        ({"intercept": float("nan")}, "intercept nan"),
        ({"prevalence": 1.0}, "prevalence 1.0"),
        ({"scale": "odds"}, "scale 'odds'"),
        ({"colour": "red"}, "a recalibration with .*colour; wanted: intercept, slope"),
    ],
)
def test_files_that_hold_no_line_are_refused(change, message):
    data = LogisticRecalibration(0.1, 1.0, "probability", 0.3, 10, 3, 7).as_dict() | change
    with pytest.raises(InputError, match=message):
        LogisticRecalibration.from_dict(data)


def test_few_people_whom_the_score_separates_get_platts_targets():
    score, ill = [0.1, 0.2, 0.3, 0.8, 0.9], [0, 0, 0, 1, 1]
    fit = LogisticRecalibration.fit(score, ill)
    assert fit.method == "Platt's targets"
    assert 0 < fit.slope < 50
    p = fit(score)
    # at the maximum, targets and probabilities have one mean: 3 of 1/5 and 2 of 3/4
    assert p.mean() == pytest.approx((3 / 5 + 2 * 3 / 4) / 5)
    assert (np.diff(p) > 0).all()


def test_a_score_that_says_nothing_gives_everyone_the_prevalence():
    falling = LogisticRecalibration.fit([0.9, 0.8, 0.7, 0.2, 0.3, 0.75], [0, 0, 0, 1, 1, 1])
    constant = LogisticRecalibration.fit([0.5] * 4, [0, 0, 0, 1])
    assert falling.method == constant.method == "everyone the prevalence"
    assert falling([0.1, 0.9]).tolist() == pytest.approx([0.5, 0.5])
    assert constant([0.1, 0.9]).tolist() == pytest.approx([0.25, 0.25])


def test_large_scores_and_sure_probabilities_are_taken():
    rng = np.random.default_rng(8)
    ill = rng.random(500) < 0.4
    score = 1e6 + 1e3 * (ill + rng.normal(0, 1, 500))
    fit = LogisticRecalibration.fit(score, ill, scale="score")
    assert fit.slope == pytest.approx(1e-3, rel=0.3)
    assert fit(score).mean() == pytest.approx(ill.mean(), rel=1e-6)
    sure = LogisticRecalibration.fit([0.0, 1.0, 0.5, 0.5, 0.0, 1.0], [0, 1, 1, 0, 1, 0])
    assert np.isfinite(sure([0.0, 1.0])).all()


@pytest.mark.parametrize(
    ("score", "ill", "error", "message"),
    [
        ([0.1, 0.2], [0, 0], TableError, "0 rows with and 2 without the disease"),
        ([0.1, np.nan], [0, 1], TableError, "1 of 2 scores not finite"),
        ([0.1, 3.0], [0, 1], TableError, "3 in the column probability"),
        ([0.1, 0.2, 0.3], [0, 1], UsageError, "scores of shape .3,., diagnoses of .2,."),
    ],
)
def test_rows_that_cannot_be_fitted_are_refused(score, ill, error, message):
    with pytest.raises(error, match=message):
        LogisticRecalibration.fit(score, ill)
    with pytest.raises(UsageError, match="the scale 'odds'"):
        LogisticRecalibration.fit([0.1, 0.2], [0, 1], scale="odds")
