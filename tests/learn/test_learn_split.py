from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spineclock.core.brackets import bracket
from spineclock.core.errors import TableError, UsageError
from spineclock.learn.split import Split


def scans(n: int, *, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    person = rng.integers(0, n * 2 // 3, n)  # many have two scans, some four
    age, sex = rng.uniform(25, 85, n), rng.choice(["F", "M"], n * 2 // 3)
    return pd.DataFrame({"person_id": [f"p{k}" for k in person], "age_years": age, "sex": sex[person]})


def test_few_with_a_disease_have_their_share_in_each_split() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"person_id": np.arange(60), "age_years": rng.uniform(50, 85, 60), "sex": "F",
                          "label": np.arange(60) < 15})  # fmt: skip
    for seed in range(20):
        split = Split(0.6, 0.2, by=("label",))(table, rng=np.random.default_rng(seed))
        ill = split[table["label"]].value_counts()
        assert abs(ill["train"] - 9) <= 2
        assert 2 <= ill["validation"] <= 4
        assert 2 <= ill["test"] <= 4


@pytest.mark.parametrize("seed", range(5))
def test_no_person_is_in_two_splits(seed: int) -> None:
    table = scans(3000, seed=seed)
    split = Split()(table, rng=np.random.default_rng(seed))
    assert split.notna().all()
    assert split.groupby(table["person_id"]).nunique().max() == 1


def test_not_even_where_ages_sexes_and_rows_of_a_person_are_far_apart() -> None:
    table = pd.DataFrame({"person_id": ["a", "b"] * 500 + [f"c{k}" for k in range(200)],
                          "age_years": np.r_[np.linspace(25, 84, 1000), np.full(200, 50.0)],
                          "sex": ["F", "M", "M", "F"] * 300})  # fmt: skip
    split = Split()(table.sample(frac=1, random_state=0), rng=np.random.default_rng(0)).sort_index()
    assert split[table["person_id"] == "a"].nunique() == 1
    assert split[table["person_id"] == "b"].nunique() == 1


def test_ages_and_sexes_are_the_same_in_each() -> None:
    table = scans(20_000)
    people = table.drop_duplicates("person_id")
    split = Split()(people, rng=np.random.default_rng(1))
    shares = split.value_counts(normalize=True)
    assert shares["train"] == pytest.approx(0.8, abs=0.002)
    assert shares["validation"] == pytest.approx(0.1, abs=0.002)
    strata = bracket(people["age_years"]).astype(str) + people["sex"].to_numpy(dtype=object)
    by_stratum = split.eq("train").groupby(strata).mean()
    assert by_stratum.between(0.78, 0.82).all()


def test_the_seed_decides_and_nothing_else() -> None:
    table = scans(500)
    first = Split()(table, rng=np.random.default_rng(5))
    assert first.equals(Split()(table, rng=np.random.default_rng(5)))
    assert not first.equals(Split()(table, rng=np.random.default_rng(6)))
    assert (first.index == table.index).all()


def test_sex_may_be_unknown_and_shares_may_be_others() -> None:
    table = scans(900).drop(columns="sex")
    split = Split(train=0, validation=0.5)(table, rng=np.random.default_rng(0))
    assert set(split) == {"validation", "test"}


def test_what_cannot_be_split_is_refused() -> None:
    with pytest.raises(UsageError, match="shares of 0.9 and 0.1"):
        Split(0.9, 0.1)
    with pytest.raises(TableError, match="without age_years, person_id"):
        Split()(pd.DataFrame({"a": [1]}), rng=np.random.default_rng(0))
    with pytest.raises(TableError, match="1 scans of nobody"):
        Split()(pd.DataFrame({"person_id": [None], "age_years": [50]}), rng=np.random.default_rng(0))
