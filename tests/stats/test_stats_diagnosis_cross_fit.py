"""Cross-fitted probabilities against scikit-learn's, and against what fitting to oneself would claim."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.association.design import people_of
from spineclock.stats.diagnosis import Auroc, CrossFitted
from spineclock.stats.diagnosis.cross_fit import folds_of


def people(n: int = 600, *, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age, sex = rng.uniform(40, 90, n), rng.choice(["F", "M"], n)
    p = 1 / (1 + np.exp(-(-7 + 0.08 * age + 0.5 * (sex == "F"))))
    return pd.DataFrame({"person_id": np.arange(n) // 2, "age_years": age, "sex": sex, "ill": rng.random(n) < p})


def test_each_fold_s_probabilities_are_scikit_learn_s_from_the_others() -> None:
    t = people()
    p = CrossFitted("ill", ["age_years", "sex"], folds=5)(t, rng=np.random.default_rng(3))
    fold = folds_of(people_of(t, "person_id"), t["ill"].to_numpy(), folds=5, rng=np.random.default_rng(3))
    x = np.column_stack([t["age_years"], t["sex"] == "M"])
    for k in range(5):
        model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=2000).fit(x[fold != k], t["ill"][fold != k])
        np.testing.assert_allclose(p[fold == k], model.predict_proba(x[fold == k])[:, 1], rtol=1e-4)


def test_nobody_is_on_both_sides_and_the_ill_are_dealt_evenly() -> None:
    t = people(seed=1)
    fold = folds_of(t["person_id"].to_numpy(), t["ill"].to_numpy(), folds=10, rng=np.random.default_rng(0))
    assert (pd.Series(fold).groupby(t["person_id"]).nunique() == 1).all()
    ill = t["ill"].groupby(t["person_id"]).any().to_numpy()
    counts = np.bincount(fold[::2][ill], minlength=10)
    assert np.ptp(counts) <= 1


def test_noise_does_not_look_like_knowledge() -> None:
    rng = np.random.default_rng(2)
    t = pd.DataFrame(rng.normal(size=(300, 20)), columns=[f"x{i}" for i in range(20)])
    t = t.assign(person_id=range(300), ill=rng.random(300) < 0.2)
    t["p"] = CrossFitted("ill", [f"x{i}" for i in range(20)])(t, rng=rng)
    assert Auroc("ill", ["p"])(t)["estimate"].iloc[0] < 0.6  # fitted to itself it is above 0.7


def test_rows_that_do_not_tell_have_no_probability_and_too_few_people_are_refused() -> None:
    t = people(seed=4)
    t.loc[0, "age_years"] = np.nan
    t["ill"] = t["ill"].astype("boolean")
    t.loc[1, "ill"] = pd.NA
    p = CrossFitted("ill", ["age_years"])(t, rng=np.random.default_rng(0))
    assert p.isna().to_numpy().nonzero()[0].tolist() == [0, 1]
    few = people(60).assign(ill=lambda d: d.index < 4)
    with pytest.raises(TableError, match="2 people with the disease for 10 folds"):
        CrossFitted("ill", ["age_years"])(few, rng=np.random.default_rng(0))
    with pytest.raises(UsageError, match="1 folds"):
        CrossFitted("ill", ["age_years"], folds=1)(t, rng=np.random.default_rng(0))
