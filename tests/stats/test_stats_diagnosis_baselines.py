"""Baselines of a network: against scikit-learn's and the truth, rows that lack a measurement, what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.diagnosis import Auroc, AurocDifference, Baselines, CrossFitted, FittedOn


def people(n: int = 900, *, seed: int = 0) -> pd.DataFrame:
    """Marrow tells of bone, age and mass a little; the network reads the marrow better than the score does."""
    rng = np.random.default_rng(seed)
    sex, age, bmi = rng.choice(["F", "M"], n), rng.uniform(50, 85, n), rng.normal(26, 4, n)
    bone = 0.05 * (age - 65) + 0.6 * (sex == "F") - 0.05 * (bmi - 26) + rng.normal(0, 1, n)
    t = pd.DataFrame({"person_id": np.arange(n), "age_years": age, "sex": sex, "bmi": bmi})
    t["osteoporosis"] = rng.random(n) < 1 / (1 + np.exp(-(2 * bone - 1.5)))
    t["vbq"] = 3 + 0.4 * bone + rng.normal(0, 0.6, n)
    t["to_csf"], t["to_fat"], t["to_muscle"] = (2 + 0.3 * bone + rng.normal(0, s, n) for s in (0.5, 0.8, 0.8))
    t["network"] = bone + rng.normal(0, 0.5, n)
    t["split"] = rng.choice(["train", "validation", "test"], n, p=[0.5, 0.2, 0.3])
    return t


def test_what_is_fitted_on_some_splits_is_scikit_learns_and_told_to_others():
    t = people()
    p = FittedOn("osteoporosis", ["age_years", "sex", "bmi"], ["train"])(t)
    x, train = np.column_stack([t["age_years"], t["sex"] == "M", t["bmi"]]), t["split"] == "train"
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=5000).fit(x[train], t["osteoporosis"][train])
    np.testing.assert_allclose(p, model.predict_proba(x)[:, 1], rtol=1e-4)
    labels_of_test = t.assign(osteoporosis=t["osteoporosis"].mask(~train, ~t["osteoporosis"]))
    again = FittedOn("osteoporosis", ["age_years", "sex", "bmi"], ["train"])(labels_of_test)
    pd.testing.assert_series_equal(p, again)  # test labels are not looked at


def test_the_table_is_aurocs_and_paired_differences_on_the_test_people():
    t = people()
    models = Baselines("osteoporosis", "network")
    found = models(t, rng=np.random.default_rng(0))
    assert found["baseline"].tolist() == ["VBQ", "signal ratios", "age, sex and BMI"]
    told = t.assign(**models.probabilities(t, rng=np.random.default_rng(0)))
    for row in found.to_dict("records"):
        apart = AurocDifference("osteoporosis", "network", [row["baseline"]], rows="test")(told).iloc[0]
        assert [row[k] for k in ("estimate", "low", "high", "p")] == apart[["estimate", "low", "high", "p"]].tolist()
    own = Auroc("osteoporosis", ["vbq"], rows="test")(t).loc[0, "estimate"]
    assert found.loc[0, "auroc_other"] == pytest.approx(own)  # a rising logistic curve keeps the ranks
    assert found.loc[0, "low"] > 0
    assert found["n"].nunique() == 1
    assert found.loc[2, "columns"] == "age_years, sex, bmi"
    assert found.loc[0, "fitted"] == "fitted on train, validation"


def test_cross_fitted_they_are_cross_fitteds_and_only_of_the_rows_asked_for():
    t = people(400)
    models = Baselines("osteoporosis", "network", {"age": ["age_years"]}, fit_on=(), folds=5)
    p = models.probabilities(t, rng=np.random.default_rng(3))["age"]
    own = t["split"] == "test"
    theirs = CrossFitted("osteoporosis", ["age_years"], folds=5)(t[own], rng=np.random.default_rng(3))
    pd.testing.assert_series_equal(p[own], theirs, check_names=False)
    assert p[~own].isna().all()
    doubled = t.set_axis([0] * len(t))
    assert models.probabilities(doubled, rng=np.random.default_rng(3))["age"].to_numpy() == pytest.approx(
        p.to_numpy(), nan_ok=True
    )
    everyone = Baselines("osteoporosis", "network", {"age": ["age_years"]}, fit_on=(), rows=None)
    assert everyone(t, rng=np.random.default_rng(3)).loc[0, "n"] == 400


def test_a_baseline_of_noise_is_worth_nothing():
    t = people(600).assign(noise=np.random.default_rng(9).normal(size=600))
    for fit_on in (("train", "validation"), ()):
        found = Baselines("osteoporosis", "network", {"noise": ["noise"]}, fit_on=fit_on)(
            t, rng=np.random.default_rng(1)
        )
        assert found.loc[0, "auroc_other"] == pytest.approx(0.5, abs=0.1)


def test_scans_without_a_measurement_are_left_out_of_that_comparison_alone():
    t = people()
    t.loc[t.index % 2 == 0, "vbq"] = np.nan  # no T1-weighted scan
    found = Baselines("osteoporosis", "network")(t, rng=np.random.default_rng(0)).set_index("baseline")
    test = t[t["split"] == "test"]
    assert found.loc["VBQ", "n"] == test["vbq"].notna().sum()
    assert found.loc["VBQ", "left_out"] == test["vbq"].isna().sum()
    assert found.loc["signal ratios", "n"] == len(test)
    network = Auroc("osteoporosis", ["network"], rows="test")(t[t["vbq"].notna()]).loc[0, "estimate"]
    assert found.loc["VBQ", "auroc"] == pytest.approx(network)


def test_one_that_cannot_be_fitted_says_why_and_the_others_go_on():
    t = people().assign(vbq=np.nan).drop(columns="to_fat")
    t["perfect"] = t["osteoporosis"] * 1.0
    models = {"VBQ": ["vbq"], "ratios": ["to_csf", "to_fat"], "the answer": ["perfect"], "age": ["age_years"]}
    found = Baselines("osteoporosis", "network", models)(t, rng=np.random.default_rng(0)).set_index("baseline")
    assert found["estimate"].isna().tolist() == [True, True, True, False]
    assert "no row of train, validation with vbq, osteoporosis" in found.loc["VBQ", "warning"]
    assert "no column to_fat" in found.loc["ratios", "warning"]
    assert "separates" in found.loc["the answer", "warning"]
    assert "is not compared with VBQ" in found.loc["VBQ", "sentence"]
    crossed = Baselines("osteoporosis", "network", {"VBQ": ["vbq"]}, fit_on=())(t, rng=np.random.default_rng(0))
    assert "no row with vbq, osteoporosis" in crossed.loc[0, "warning"]


def test_what_would_leak_is_refused():
    t = people()
    with pytest.raises(UsageError, match="fitted on test and judged on test; .*leave fit_on empty"):
        Baselines("osteoporosis", "network", fit_on=["test"])
    with pytest.raises(UsageError, match="judged on all rows"):
        Baselines("osteoporosis", "network", rows=None)
    with pytest.raises(UsageError, match="the baselines none"):
        Baselines("osteoporosis", "network", {})
    with pytest.raises(UsageError, match="splits"):
        FittedOn("osteoporosis", ["vbq"], [])(t)
    crossed = t.assign(person_id=t["person_id"] // 2)
    with pytest.raises(TableError, match=r"people in validation and in another split, such as \d+; wanted: each"):
        FittedOn("osteoporosis", ["vbq"])(crossed)
    with pytest.raises(TableError, match="no column network"):
        Baselines("osteoporosis", "network")(t.drop(columns="network"), rng=np.random.default_rng(0))
