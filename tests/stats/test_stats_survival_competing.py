"""Risks with death in the way from two Cox models, and risks learned from a few columns of training people."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from lifelines import CoxPHFitter

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.survival import (
    FittedRisk,
    RiskCalibration,
    RiskComparison,
    TimeTo,
    cause_specific,
    cox,
    incidence,
)
from spineclock.stats.survival.comparators import weighted_logistic
from spineclock.stats.survival.timed import Weights

OUTCOME = TimeTo("fracture", competing="death")


def cohort(n: int = 2000, *, seed: int = 0) -> pd.DataFrame:
    """Fractures and deaths with known hazards: 0.04·exp(0.5a + 0.8b) and 0.05·exp(0.7a) a year."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=n), rng.integers(0, 2, n)
    fracture, death = rng.exponential(25 * np.exp(-0.5 * a - 0.8 * b)), rng.exponential(20 * np.exp(-0.7 * a))
    lost = rng.uniform(2, 9, n)
    years = np.minimum(np.minimum(fracture, death), lost)
    t = pd.DataFrame({"person_id": range(n), "a": a, "b": b, "fracture_years": years})
    t["fracture"], t["death"] = fracture == years, death == years
    t["site"], t["split"] = rng.choice(["A", "B", "C"], n), np.where(np.arange(n) % 2, "train", "test")
    return t


def causes(t: pd.DataFrame) -> np.ndarray:
    return np.where(t["fracture"], 1, np.where(t["death"], 2, 0))


def test_without_columns_that_matter_it_is_aalen_and_johansens_incidence() -> None:
    t = cohort()
    noise = np.random.default_rng(1).normal(size=(len(t), 1))
    fit = cause_specific(noise, t["fracture_years"], causes(t))
    found = fit.risks(noise, [2, 5]).mean(axis=0)
    assert found == pytest.approx(incidence(t["fracture_years"], causes(t)).at([2, 5]), abs=1e-3)


def test_all_that_can_happen_sums_to_one_and_one_cause_alone_is_coxs_risk() -> None:
    t = cohort(500)
    x = t[["a", "b"]].to_numpy(dtype=float)
    fit = cause_specific(x, t["fracture_years"], causes(t))
    assert fit.other is not None
    both = fit.risks(x, [1.0, 4.0, 8.0]) + fit.risks(x, [1.0, 4.0, 8.0], cause=2)
    neither = [
        (1 - fit.event.risk(x, h)) * (1 - fit.other.risk(x, h)) for h in (1.0, 4.0, 8.0)
    ]  # the product of both survivals: exp(−both cumulative hazards)
    assert 1 - both == pytest.approx(np.column_stack(neither))
    alone = cause_specific(x, t["fracture_years"], t["fracture"])
    assert alone.risks(x, [4.0])[:, 0] == pytest.approx(cox(x, t["fracture_years"], t["fracture"]).risk(x, 4.0))
    assert (fit.risks(x, [4.0])[:, 0] < alone.risks(x, [4.0])[:, 0]).all()


def test_risks_are_those_of_lifelines_hazards_summed_step_by_step() -> None:
    t = cohort(300)
    fit = cause_specific(t[["a", "b"]], t["fracture_years"], causes(t))
    new = pd.DataFrame({"a": [-1.0, 1.5], "b": [0, 1]})
    steps, options = [], {"precision": 1e-10}
    for which in ("fracture", "death"):
        theirs = CoxPHFitter().fit(t[["a", "b", "fracture_years", which]], "fracture_years", which, fit_options=options)
        hazard = theirs.predict_cumulative_hazard(new)  # at all times of the cohort
        steps.append(np.diff(hazard.to_numpy(), axis=0, prepend=0)[hazard.index.to_numpy() <= 5])
    free, risk = np.ones(2), np.zeros(2)
    for own, other in zip(*steps, strict=True):
        either = own + other
        risk += free * (1 - np.exp(-either)) * np.divide(own, either, out=np.zeros(2), where=either > 0)
        free *= np.exp(-either)
    assert fit.risks(new, [5.0])[:, 0] == pytest.approx(risk, rel=1e-5)


def test_horizons_beyond_follow_up_and_unknown_causes_are_refused() -> None:
    t = cohort(200)
    fit = cause_specific(t[["a"]], t["fracture_years"], t["fracture"])
    with pytest.raises(UsageError, match="by 50 years; wanted: cause 1 to 1, 0 to"):
        fit.risks([[0.0]], [2, 50])
    with pytest.raises(UsageError, match="the risk of cause 2"):
        fit.risks([[0.0]], [2], cause=2)


@pytest.mark.parametrize("kind", ["cox", "logistic"])
def test_risks_of_people_not_learned_from_are_right(kind: str) -> None:
    t = cohort(6000)
    model = FittedRisk(OUTCOME, ["a", "b"], "clinical", kind=kind)  # type: ignore[arg-type]
    found = model(t)
    test = found[found["split"] == "test"]
    calibrated = RiskCalibration(OUTCOME, {"clinical": model.told}, groups=4)(test)
    overall = calibrated[calibrated["group"] == 0]
    assert ((overall["low"] < 1) & (overall["high"] > 1)).all()
    grouped = calibrated[calibrated["group"] > 0]
    assert (grouped["observed"] - grouped["expected"]).abs().max() < 0.04
    rate = 0.04 * np.exp(0.5 * test["a"] + 0.8 * test["b"])
    either = rate + 0.05 * np.exp(0.7 * test["a"])
    truth = rate / either * (1 - np.exp(-5 * either))
    near = np.abs(test[model.told[5.0]] - truth)
    assert near.mean() < (0.01 if kind == "cox" else 0.02)


def test_only_training_people_are_learned_from_and_test_people_need_no_follow_up() -> None:
    t = cohort(600)
    model = FittedRisk(OUTCOME, ["a", "b", "site"])
    columns = [*model.told.values()]
    own = model(t)[columns]
    test = t["split"] == "test"
    other = t.assign(
        fracture=t["fracture"].where(~test, np.nan),
        fracture_years=t["fracture_years"].where(~test, np.nan),
    )
    other.loc[other.index[0], "a"] = np.nan
    found = model(other)[columns]
    assert found.iloc[0].isna().all()
    pd.testing.assert_frame_equal(found.iloc[1:], own.iloc[1:])


def test_weighted_logistic_regression_is_statsmodels() -> None:
    t = cohort(400)
    w = Weights.at(t["fracture_years"], causes(t), 4.0)
    x = sm.add_constant(t[["a", "b"]].to_numpy(dtype=float))
    weights = w.case + w.free + w.ruled_out
    theirs = sm.GLM(w.case > 0, x, family=sm.families.Binomial(), freq_weights=weights).fit(tol=1e-12)
    assert weighted_logistic(x, w.case > 0, weights) == pytest.approx(theirs.params, rel=1e-6)


def test_the_papers_table_image_against_clinical_against_frax() -> None:
    t = cohort(5000)
    t["frax"] = t["a"] + np.random.default_rng(2).normal(0, 2, len(t))
    image, clinical = FittedRisk(OUTCOME, ["a", "b"], "image"), FittedRisk(OUTCOME, ["b"], "clinical")
    both = clinical(image(t))
    models = {"image": image.told, "clinical": clinical.told, "FRAX": "frax"}
    found = RiskComparison(OUTCOME, models, ["auroc"], rows="test", resamples=200)(both)
    ahead = found[found["against"] == "clinical"]
    assert ahead["horizon_years"].tolist() == [2, 3, 5]
    assert (ahead["low"] > 0).all()
    assert (found["people"] == 2500).all()


def test_what_cannot_be_learned_is_named() -> None:
    t = cohort(200)
    with pytest.raises(TableError, match="site=D is the same in all 100 rows of the train people"):
        FittedRisk(OUTCOME, ["site"])(t.assign(site=np.where(t.index == 0, "D", t["site"])))
    with pytest.raises(TableError, match="one is the same .*, as everywhere"):
        FittedRisk(OUTCOME, ["one"])(t.assign(one=1.0))
    with pytest.raises(UsageError, match="0 columns"):
        FittedRisk(OUTCOME, [])(t)
    with pytest.raises(UsageError, match="a horizon of 40 years"):
        FittedRisk(OUTCOME, ["a"], kind="logistic", horizons=[40])(t)
    with pytest.raises(TableError, match="separate those with the event"):
        weighted_logistic(np.column_stack([np.ones(4), [0, 1, 2, 3]]), np.array([0, 0, 1, 1]), np.ones(4))
