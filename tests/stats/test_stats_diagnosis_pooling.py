"""Vertebral probabilities pooled by person: rules by hand and by loop, levels that are not there, what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.diagnosis import Auroc, PatientProbability
from spineclock.stats.diagnosis.pooling import pooled


def vertebrae(people: int = 60, *, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), 4)
    ill = (rng.random(people) < 0.4)[who]
    p = 1 / (1 + np.exp(-(1.2 * ill - 0.6 + rng.normal(0, 1.2, len(who)))))
    p[rng.random(len(who)) < 0.3] = np.nan
    return pd.DataFrame({"person_id": who, "level": ["L1", "L2", "L3", "L4"] * people, "t1": p, "ill": ill})


def test_the_rules_worked_by_hand():
    # odds 1/4 and 4 and 1: the mean of the logits is 0; nobody at 1 − 0.8·0.2·0.5
    p, one = [0.2, 0.8, 0.5], [0, 0, 0]
    assert pooled(p, one)[0] == pytest.approx(0.5)
    assert pooled(p, one, rule="max")[0] == 0.8
    assert pooled(p, one, rule="noisy-or")[0] == pytest.approx(1 - 0.8 * 0.2 * 0.5)
    assert pooled([0.1, 0.9, 0.9], one)[0] == pytest.approx(9 ** (1 / 3) / (1 + 9 ** (1 / 3)))


@pytest.mark.parametrize("rule", ["mean", "max", "noisy-or"])
def test_each_person_is_what_a_loop_makes_of_the_levels_that_are_there(rule):
    table = vertebrae().sample(frac=1, random_state=1)
    found = PatientProbability(["t1"], rule=rule, keep=["ill"])(table).set_index("person_id")
    for person, own in table.groupby("person_id"):
        p = own["t1"].dropna().to_numpy()
        expected = np.nan
        if len(p):
            odds = float(np.prod(p / (1 - p))) ** (1 / len(p))
            expected = {"mean": odds / (1 + odds), "max": p.max(), "noisy-or": 1 - np.prod(1 - p)}[rule]
        assert found.loc[person, "t1"] == pytest.approx(expected, nan_ok=True)
        assert found.loc[person, "vertebrae"] == len(p)
        assert found.loc[person, "ill"] == own["ill"].iloc[0]
    assert found.index.tolist() == table["person_id"].drop_duplicates().tolist()


def test_a_sure_vertebra_decides_a_noisy_or_and_no_mean_alone():
    assert pooled([1.0, 0.1], [0, 0], rule="noisy-or")[0] == 1
    assert pooled([0.0, 0.0], [0, 0], rule="noisy-or")[0] == 0
    assert 0 < pooled([1.0, 0.0, 0.01], [0, 0, 0])[0] < 0.5
    tiny = pooled([1e-12] * 4, [0] * 4, rule="noisy-or")[0]
    assert tiny == pytest.approx(4e-12, rel=1e-9)


def test_pooling_gains_what_averaging_gains():
    # four readings of signal d = 1.2 and SD 1.2: AUROC Φ(d/(√2·1.2)) = 0.76 for one, 0.92 for the mean of four
    table = vertebrae(4000).assign(t1=lambda d: d["t1"].fillna(0.5))
    whole = vertebrae(4000)
    own = whole.groupby("person_id")["t1"].transform("count") == 4
    table = whole[own]
    one = Auroc("ill", ["t1"])(table).loc[0, "estimate"]
    four = Auroc("ill", ["t1"])(PatientProbability(["t1"], keep=["ill"])(table)).loc[0, "estimate"]
    assert one == pytest.approx(0.760, abs=0.02)
    assert four == pytest.approx(0.921, abs=0.02)


def test_several_columns_and_scans_and_a_person_without_any():
    table = pd.DataFrame(
        {
            "person_id": list("aaab"),
            "scan_id": ["1", "1", "2", "3"],
            "t1": [0.2, 0.4, 0.6, None],
            "t2": [None, 0.3, None, None],
        },
        index=[7, 7, 7, 7],
    )
    found = PatientProbability(["t1", "t2"], rule="max", by=("person_id", "scan_id"))(table)
    assert found["t1"].tolist()[:2] == [0.4, 0.6]
    assert found["t2"].tolist()[0] == 0.3
    assert found["vertebrae"].tolist() == [2, 1, 0]
    assert found.iloc[2][["t1", "t2"]].isna().all()
    assert pooled([], []).size == 0


@pytest.mark.parametrize(
    ("change", "keep", "message"),
    [
        ({"t1": [0.2, 1.4]}, [], r"1.4 in the column t1 \(1 such\); wanted: probabilities"),
        ({"t1": ["low", 0.4]}, [], "'low' in column t1"),
        ({"person_id": ["a", None]}, [], "1 row.s. without person_id"),
        ({"ill": [True, False]}, ["ill"], "1 with more than one ill, such as a; .*pool by scan too"),
        ({}, ["site"], "no column site"),
    ],
)
def test_tables_that_cannot_be_pooled_are_refused(change, keep, message):
    table = pd.DataFrame({"person_id": ["a", "a"], "t1": [0.2, 0.4], "ill": [True, True]}).assign(**change)
    with pytest.raises(TableError, match=message):
        PatientProbability(["t1"], keep=keep)(table)


def test_calls_that_cannot_be_are_refused():
    with pytest.raises(UsageError, match="the rule 'median'; wanted: mean, max, noisy-or"):
        pooled([0.5], [0], rule="median")
    with pytest.raises(UsageError, match="no probability"):
        PatientProbability([])(vertebrae())
    with pytest.raises(UsageError, match="shape"):
        pooled([0.5], [0, 1])
