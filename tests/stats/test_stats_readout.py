"""Choosing what an age is read from: the error of the best is told by choosing anew without each person."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import TableError
from spineclock.stats import measured_age, metrics
from spineclock.stats.readout import fitted, read_out


def people(n: int, noise_columns: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.uniform(20, 80, n)
    told = {"age_years": age, "sign": age + rng.normal(0, 6, n)}
    return pd.DataFrame(told | {f"noise_{k}": rng.normal(size=n) for k in range(noise_columns)})


def test_each_candidate_is_left_out_like_the_measurements_and_several_groups_are_averaged():
    table = people(20, 2, seed=1)
    found = read_out(table, {"a": (("sign",),), "b": (("noise_0", "noise_1"),), "both": (("sign",), ("noise_0",))})
    age = table["age_years"].to_numpy()
    a, b = (measured_age.leave_one_out(table[[c]].to_numpy(), age, features=(c,)) for c in ("sign", "noise_0"))
    assert np.array_equal(found.by_candidate["a"], a)
    assert found.by_candidate["both"] == pytest.approx((a + b) / 2)
    assert found.winner == "a"
    assert sum(found.choices.values()) == 20
    assert np.array_equal(found.chosen, found.by_candidate["a"]) == (found.choices["a"] == 20)


def test_the_fitted_model_is_the_mean_of_its_groups_and_brings_predictions_that_never_saw_the_person():
    table = people(18, 2, seed=3)
    groups = (("sign",), ("noise_0", "noise_1"))
    model = fitted(table, groups, about={"data": "made up"})
    kept = read_out(table, {"both": groups}).by_candidate["both"]
    assert model.out_of_fold == tuple(zip(kept.tolist(), table["age_years"].tolist(), strict=True))
    apart = [measured_age.fit(table[list(g)].to_numpy(), table["age_years"].to_numpy(), features=g) for g in groups]
    known = table.iloc[4].to_dict()
    assert model.raw(known)[0] == pytest.approx(np.mean([m.raw(known)[0] for m in apart]))
    assert model.raw(known)[0] != pytest.approx(kept[4], abs=1e-6)


def test_the_best_of_many_chance_candidates_looks_better_than_choosing_it_is():
    best, chosen = [], []
    for seed in range(6):
        table = people(14, 12, seed=seed)
        found = read_out(table, {f"noise_{k}": ((f"noise_{k}",),) for k in range(12)})
        age = table["age_years"].to_numpy()
        best.append(min(metrics.mae(p, age) for p in found.by_candidate.values()))
        chosen.append(metrics.mae(found.chosen, age))
    assert np.mean(chosen) > np.mean(best) + 1


def test_a_person_s_own_age_has_no_part_in_the_person_s_answer():
    table = people(12, 3, seed=4)
    candidates = {"sign": (("sign",),), "noise": (("noise_0", "noise_1"),)}
    before = read_out(table, candidates)
    table.loc[5, "age_years"] = 99.0
    after = read_out(table, candidates)
    assert after.chosen[5] == before.chosen[5]
    assert not np.array_equal(after.chosen, before.chosen)


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(TableError, match="no column other"):
        read_out(people(12, 0, seed=0), {"a": (("other",),)})
    with pytest.raises(TableError, match="6 people"):
        read_out(people(6, 0, seed=0), {"a": (("sign",),)})
