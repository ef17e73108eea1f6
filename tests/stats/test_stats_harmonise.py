"""ComBat: what it takes out and what it must leave (its numbers beside neuroCombat's: crosscheck)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.harmonise import ComBat

FEATURES = ("a", "b", "c", "d")


def table(*, n: int = 900, scale: bool = True, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    scanner = rng.choice(["GE1", "S1", "S2"], n, p=[0.5, 0.3, 0.2])
    at = pd.Series({"GE1": 0, "S1": 1, "S2": 2})[scanner].to_numpy()
    sex = np.where(rng.random(n) < np.array([0.2, 0.5, 0.8])[at], "F", "M")
    age = rng.uniform(25, 65, n) + 10 * at  # older people on some scanners
    shift, spread = np.array([0.0, 1.5, -2.0])[at], np.array([1.0, 1.6, 0.6])[at] if scale else 1.0
    values = 10 + 2 * (sex == "F")[:, None] + 0.05 * age[:, None] + shift[:, None]
    values = values + (spread * rng.normal(0, 1, (4, n))).T
    made = pd.DataFrame(values, columns=list(FEATURES))
    return made.assign(scanner=scanner, sex=sex, age_years=age, split=np.where(np.arange(n) < 600, "train", "test"))


def within(t: pd.DataFrame, feature: str = "a") -> pd.Series:
    """The feature less what sex and age make of it."""
    return t[feature] - 2 * (t["sex"] == "F") - 0.05 * t["age_years"]


def test_test_people_lose_the_scanners_shift_and_spread_and_keep_sex_and_age():
    people = table()
    fitted = ComBat(FEATURES, keep=("sex", "age_years"), age_may_enter=True).fit(people)
    test = people[people["split"] == "test"]
    after = fitted(test)
    before, now = within(test).groupby(test["scanner"]), within(after).groupby(after["scanner"])
    assert np.ptp(before.mean()) > 3
    assert np.ptp(now.mean()) < 0.35
    assert before.std().max() / before.std().min() > 2
    assert now.std().max() / now.std().min() < 1.25
    pick = after[after["scanner"] == "GE1"]
    slopes = np.linalg.lstsq(np.c_[pick["sex"] == "F", pick["age_years"], np.ones(len(pick))], pick["a"], rcond=None)[0]
    assert slopes[:2] == pytest.approx([2.0, 0.05], abs=0.35)


def test_without_the_covariate_its_effect_is_taken_for_the_scanners():
    people = table()
    keep, blind = (ComBat(FEATURES, keep=k).fit(people)(people) for k in (("sex",), ()))
    women = {name: t.groupby("sex")["a"].mean().diff().iloc[-1] for name, t in (("keep", keep), ("blind", blind))}
    assert abs(women["keep"]) > abs(women["blind"]) + 0.3


def test_test_people_are_not_learned_from():
    people = table()
    other = people.copy()
    other.loc[other["split"] == "test", list(FEATURES)] += 100
    one, two = (ComBat(FEATURES, keep=("sex",)).fit(t) for t in (people, other))
    assert one.shift == pytest.approx(two.shift, abs=0)
    assert one.scale == pytest.approx(two.scale, abs=0)


def test_the_age_of_a_test_person_is_refused_as_a_covariate_of_predictions():
    people = table().rename(columns={"a": "predicted_age_years"})
    for more in ({}, {"age_may_enter": True}):
        with pytest.raises(UsageError, match="the age of each test person would enter the harmonised value"):
            ComBat(("predicted_age_years",), keep=("age_years",), shrink=False, **more).fit(people)
    with pytest.raises(UsageError, match=r"age_years as a covariate .* scale of a, b, c, d .* or age_may_enter=True"):
        ComBat(FEATURES, keep=("age_years",)).fit(table())


def test_location_only_protects_by_training_ages_and_no_test_age_enters():
    people = table(scale=False).rename(columns={"a": "predicted_age_years"})
    combat = ComBat(("predicted_age_years",), keep=("sex", "age_years"), scale=False, shrink=False)
    fitted = combat.fit(people)
    test = people[people["split"] == "test"]
    lied = test.assign(age_years=999.0).drop(columns="sex")
    assert fitted(lied)["predicted_age_years"].tolist() == fitted(test)["predicted_age_years"].tolist()
    moved = (test["predicted_age_years"] - fitted(test)["predicted_age_years"]).groupby(test["scanner"]).first()
    assert moved["S1"] - moved["GE1"] == pytest.approx(1.5, abs=0.3)  # not 1.5 + 10 years · 0.05
    assert moved["S2"] - moved["GE1"] == pytest.approx(-2.0, abs=0.3)
    blind = ComBat(("predicted_age_years",), scale=False, shrink=False).fit(people)
    taken = (test["predicted_age_years"] - blind(test)["predicted_age_years"]).groupby(test["scanner"]).first()
    assert taken["S1"] - taken["GE1"] > 1.85  # the older people's age taken for the scanner's shift


def test_shrinking_draws_a_small_scanner_towards_the_others():
    rng = np.random.default_rng(3)
    n = 400
    scanner = np.where(np.arange(n) < 6, "small", np.where(np.arange(n) < 200, "A", "B"))
    features = tuple("abcdefgh")
    people = pd.DataFrame(rng.normal(0, 1, (n, 8)), columns=list(features)).assign(scanner=scanner, split="train")
    raw, drawn = (ComBat(features, shrink=s).fit(people) for s in (False, True))
    assert raw.names[2] == "small"
    assert np.abs(drawn.shift[2]).mean() < 0.8 * np.abs(raw.shift[2]).mean()
    assert drawn.scale[2].std() < 0.5 * raw.scale[2].std()


def test_location_only_shrinking_is_the_posterior_mean_by_hand():
    people = table(n=300)
    raw = ComBat(FEATURES, scale=False, shrink=False).fit(people)
    drawn = ComBat(FEATURES, scale=False).fit(people)
    n, g = raw.rows[1], raw.shift[1]
    prior = g.var(ddof=1)
    assert drawn.shift[1] == pytest.approx((g * n * prior + g.mean()) / (n * prior + 1))
    assert (drawn.scale == 1).all()


def test_scanners_are_described_and_few_rows_warned_of():
    people = table()
    few = people[(people["scanner"] != "S2") | (people.index < 40)]
    told = ComBat(FEATURES, keep=("sex",)).fit(few).scanners().set_index(["scanner", "feature"])
    assert told.loc[("S2", "a"), "few"]
    assert "training rows: do not trust it" in told.loc[("S2", "a"), "sentence"]
    assert not told.loc[("S1", "a"), "few"]
    moved = told.loc[("S1", "a"), "estimate"] - told.loc[("GE1", "a"), "estimate"]
    assert moved == pytest.approx(2.0, abs=0.4)  # 1.5, and 0.5 for the older people's age, which was not kept
    assert told.loc[("S1", "a"), "spread_ratio"] > 1.2


def test_rows_that_lack_something_come_back_empty_and_the_table_is_left_alone():
    people = table()
    fitted = ComBat(FEATURES, keep=("sex",)).fit(people)
    holes = people.copy()
    holes.loc[3, "b"], holes.loc[4, "sex"] = np.nan, None
    after = fitted(holes)
    assert after.loc[[3, 4], list(FEATURES)].isna().all().all()
    assert after.loc[5, "a"] == fitted(people).loc[5, "a"]
    assert holes.loc[4, "a"] == people.loc[4, "a"]


def test_what_cannot_be_harmonised_is_refused():
    people = table()
    fitted = ComBat(FEATURES, keep=("sex",)).fit(people)
    with pytest.raises(TableError, match="scanner S9 not among the training rows' GE1, S1, S2"):
        fitted(people.assign(scanner="S9"))
    with pytest.raises(TableError, match="sex X not among the training rows' F, M"):
        fitted(people.assign(sex="X"))
    with pytest.raises(UsageError, match=r"one feature, a; wanted: several, .*; remedy: give shrink=False"):
        ComBat(("a",)).fit(people)
    with pytest.raises(UsageError, match="no features to harmonise"):
        ComBat(()).fit(people)
    with pytest.raises(TableError, match=r"3 scanner\(s\), the smallest \(S2\) with 1 row"):
        ComBat(FEATURES).fit(pd.concat([people[people["scanner"] != "S2"], people[people["scanner"] == "S2"].head(1)]))
    with pytest.raises(TableError, match="covariates to keep that follow from the scanner"):
        ComBat(FEATURES, keep=("maker",)).fit(people.assign(maker=people["scanner"].str[0]))
    with pytest.raises(TableError, match="feature number 2 without spread"):
        ComBat(FEATURES).fit(people.assign(b=1.0))
    with pytest.raises(TableError, match="no column bmi"):
        ComBat(FEATURES, keep=("bmi",)).fit(people)
