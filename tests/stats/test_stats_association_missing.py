"""Imputing questionnaires and pooling what comes of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.association.linear import LinearEffects
from spineclock.stats.association.missing import Imputation, PooledEffects
from spineclock.stats.association.pooling import pool


def world(rng: np.random.Generator, n: int = 500) -> pd.DataFrame:
    """Gap = 2·packs + 1.5·(heavy work) + noise; of older people with a large gap most do not tell of their smoking."""
    t = pd.DataFrame({"person_id": np.arange(n), "age_years": rng.uniform(25, 85, n)})
    t["packs_per_day"] = np.where(rng.random(n) < 0.6, rng.uniform(0, 2, n), 0)
    t["work"] = rng.choice(["light", "moderate", "heavy"], n, p=[0.5, 0.25, 0.25])
    t["gap_years"] = 2 * t["packs_per_day"] + 1.5 * (t["work"] == "heavy") + rng.normal(0, 2, n)
    silent = rng.random(n) < 0.7 * (t["gap_years"] > 2)
    t.loc[silent, "packs_per_day"] = np.nan
    t.loc[rng.random(n) < 0.15, "work"] = None
    return t


MODEL = LinearEffects(("packs_per_day", "work"), covariates=("age_years",), standard_errors="CR1")


def test_rubins_rules_by_hand():
    # mean 2, within 1, between 1: total 1 + 4/3; λ = (4/3)/(7/3) = 4/7; ν_old = 2·49/16; ν_obs = 101/103·100·3/7
    found = pool([1.0, 2.0, 3.0], [0.5, 1.0, 1.5], complete_df=100)
    old, observed = 2 * 49 / 16, 101 / 103 * 100 * 3 / 7
    df = old * observed / (old + observed)
    assert (found.estimate, found.between_share) == pytest.approx((2, 4 / 7))
    assert found.standard_error**2 == pytest.approx(7 / 3)
    assert found.df == pytest.approx(df)
    assert found.missing_information == pytest.approx((4 / 3 + 2 / (df + 3)) / (7 / 3))
    assert pool([1.0, 2.0, 3.0], [0.5, 1.0, 1.5]).df == pytest.approx(old)


def test_equal_tables_lose_nothing():
    found = pool([2.0, 2.0], [4.0, 4.0], complete_df=30)
    assert (found.standard_error, found.df, found.missing_information) == (2, 30, 0)
    assert found.high == pytest.approx(2 + 2 * 2.042272)


def test_gaps_are_filled_with_values_somebody_gave_and_the_rest_stays():
    t = world(np.random.default_rng(0))
    before = t.copy()
    filled = Imputation(tables=3)(t, columns=["gap_years", "packs_per_day", "work"], rng=np.random.default_rng(1))
    pd.testing.assert_frame_equal(t, before)
    for one in filled:
        assert not one[["packs_per_day", "work"]].isna().any().any()
        assert set(one["work"]) == {"light", "moderate", "heavy"}
        assert set(one["packs_per_day"]) <= set(t["packs_per_day"].dropna())
        told = t["packs_per_day"].notna()
        assert (one.loc[told, "packs_per_day"] == t.loc[told, "packs_per_day"]).all()
    assert (filled[0]["packs_per_day"] != filled[1]["packs_per_day"]).any()
    again = Imputation(tables=3)(t, columns=["gap_years", "packs_per_day", "work"], rng=np.random.default_rng(1))
    pd.testing.assert_frame_equal(filled[2], again[2])


def test_types_of_columns_are_kept():
    t = world(np.random.default_rng(0))
    t["smokes"] = (t["packs_per_day"] > 0).where(t["packs_per_day"].notna()).astype("boolean")
    t["work"] = pd.Categorical(t["work"], ["light", "moderate", "heavy"])
    one = Imputation(tables=2, rounds=2)(t, columns=["gap_years", "smokes", "work"], rng=np.random.default_rng(0))[0]
    assert (one["smokes"].dtype, one["work"].dtype) == (t["smokes"].dtype, t["work"].dtype)
    assert not one[["smokes", "work"]].isna().any().any()


def test_what_depends_on_seen_columns_is_imputed_by_them():
    """Smokers all work heavily: an imputed answer has to follow the work, not the mean."""
    rng = np.random.default_rng(2)
    t = pd.DataFrame({"work": rng.choice(["light", "heavy"], 400), "gap_years": rng.normal(size=400)})
    t["packs_per_day"] = np.where(t["work"] == "heavy", rng.uniform(1, 2, 400), 0)
    truth = t["packs_per_day"].copy()
    t.loc[:99, "packs_per_day"] = np.nan
    one = Imputation(tables=2)(t, columns=["gap_years", "packs_per_day", "work"], rng=rng)[0]
    assert ((one["packs_per_day"] > 0) == (truth > 0)).all()
    backwards = t.assign(packs_per_day=truth, work=t["work"].where(np.arange(400) >= 100))
    one = Imputation(tables=2)(backwards, columns=["gap_years", "packs_per_day", "work"], rng=rng)[0]
    assert (one["work"] == t["work"]).all()


@pytest.mark.slow
def test_the_effect_is_recovered_where_complete_cases_are_biased():
    rng = np.random.default_rng(3)
    found = []
    for _ in range(30):
        pooled = PooledEffects(MODEL, Imputation(tables=5, rounds=4))(world(rng, 350), rng=rng)
        found.append(pooled[pooled["adjusted_for"] != ""].set_index("key").loc[["packs_per_day", "work=heavy"]])
    table = pd.concat(found)
    truth = np.tile([2.0, 1.5], 30)
    assert table["estimate"].groupby(level=0).mean().to_list() == pytest.approx([2, 1.5], abs=0.2)
    assert table.loc["packs_per_day", "complete_estimate"].mean() < 1.85  # the reason to impute
    assert ((table["low"] < truth) & (truth < table["high"])).mean() == pytest.approx(0.95, abs=0.06)


def test_pooled_rows_say_what_was_missing():
    t = world(np.random.default_rng(4), 300)
    t.loc[:4, "gap_years"] = np.nan
    found = PooledEffects(MODEL, Imputation(tables=5, rounds=3))(t, rng=np.random.default_rng(0))
    row = found[found["adjusted_for"] == "age_years"].iloc[0]
    gaps = t.loc[5:, "packs_per_day"].isna().sum()
    assert (row["key"], row["imputed"], row["left_out"], row["n"]) == ("packs_per_day", gaps, 5, 295)
    assert 0.05 < row["missing_information"] < 0.95
    assert f"{gaps} missing answers were imputed 5 times; " in row["sentence"]
    complete = MODEL(t).iloc[3]
    assert (row["complete_estimate"], row["complete_low"]) == (complete["estimate"], complete["low"])
    assert found.columns[:7].to_list() == ["term", "estimate", "low", "high", "p", "n", "sentence"]
    assert row["q"] >= row["p"]


def test_without_gaps_it_is_the_model_itself():
    t = world(np.random.default_rng(5), 200).dropna()
    pooled = PooledEffects(MODEL, Imputation(tables=2))(t, rng=np.random.default_rng(0))
    plain = MODEL(t)
    for name in ("estimate", "low", "high", "p", "q", "se", "df"):
        assert pooled[name].to_numpy() == pytest.approx(plain[name].to_numpy(), rel=1e-9)
    assert (pooled["missing_information"] == 0).all()


def test_what_cannot_be_imputed_is_refused():
    t = world(np.random.default_rng(6), 100)
    t.loc[5:, "packs_per_day"] = np.nan
    with pytest.raises(TableError, match=r"value\(s\) in the column packs_per_day; wanted: at least 10"):
        Imputation()(t, columns=["gap_years", "packs_per_day"], rng=np.random.default_rng(0))
    with pytest.raises(TableError, match=r"without the column\(s\) diet"):
        Imputation()(t, columns=["diet"], rng=np.random.default_rng(0))
    with pytest.raises(UsageError, match="tables=1.*wanted: two tables or more"):
        Imputation(tables=1)(t, columns=["gap_years"], rng=np.random.default_rng(0))
    with pytest.raises(UsageError, match=r"estimates of shape \(1,\)"):
        pool([1.0], [1.0])
