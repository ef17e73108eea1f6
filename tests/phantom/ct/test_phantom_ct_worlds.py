"""The two worlds of CT: in one muscle has its own effect on vertebral fracture, in the other it tells of nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter
from lifelines.utils import concordance_index

from spineclock.phantom.parameters import DEFAULT, load
from spineclock.phantom.people import people
from spineclock.phantom.truths import fingerprint, stored_truths

MUSCLE = ["psoas_index_cm2_m2", "erector_fat_percent"]
BONE = ["age_years", "male", "lumbar_spine_t_score", "femoral_neck_t_score", "prevalent", "prior_fracture",
        "glucocorticoids", "current_smoker", "true_gap_years"]  # fmt: skip
N = 12_000


def followed(world: str) -> pd.DataFrame:
    some = people(N, seed=4, parameters=load(world))
    table = some.table.assign(
        male=some.table["sex"] == "M",
        prevalent=some.table["prevalent_vertebral_fractures"] > 0,
        true_gap_years=some.truth["true_gap_years"],
        event=some.table["vertebral_fracture"].astype(bool),
        years=some.table["vertebral_fracture_years"],
    )
    return table[[*BONE, *MUSCLE, "years", "event", "sex"]].astype({name: float for name in (*BONE, *MUSCLE)})


def gain(table: pd.DataFrame) -> tuple[float, pd.DataFrame]:
    """By how much muscle raises the c-index on people who did not fit the models, and what the larger model says."""
    train, test = table.iloc[: N // 2], table.iloc[N // 2 :]
    index = []
    for names in (BONE, [*BONE, *MUSCLE]):
        fit = CoxPHFitter().fit(train[[*names, "years", "event"]], "years", "event")
        risk = fit.predict_partial_hazard(test[names])
        index.append(concordance_index(test["years"], -risk, test["event"]))
    return index[1] - index[0], fit.summary


def test_where_muscle_matters_it_adds_to_bone():
    table = followed("muscle_matters")
    more, told = gain(table)
    assert more > 0.01
    for name, beta in (("psoas_index_cm2_m2", -0.40), ("erector_fat_percent", 0.055)):
        assert told.loc[name, "coef"] == pytest.approx(beta, abs=3 * told.loc[name, "se(coef)"])


def test_where_muscle_is_idle_it_adds_nothing_and_goes_with_nothing():
    table = followed("muscle_idle")
    more, told = gain(table)
    assert abs(more) < 0.003
    assert (told.loc[MUSCLE, "z"].abs() < 3).all()
    others = table[BONE].corrwith(table[MUSCLE[0]]), table[BONE].corrwith(table[MUSCLE[1]])
    assert max(other.abs().max() for other in others) < 0.04


@pytest.mark.parametrize("world", ["muscle_matters", "muscle_idle"])
def test_people_are_those_of_an_abdominal_ct_clinic(world):
    table = followed(world)
    assert table["age_years"].mean() == pytest.approx(72, abs=1.5)
    assert table["age_years"].min() >= 45
    assert (table["sex"] == "F").mean() == pytest.approx(0.667, abs=0.02)
    assert 0.05 < (table["event"] & (table["years"] <= 5)).mean() < 0.12


def test_the_default_world_is_what_it_was():
    assert stored_truths(DEFAULT).parameters_sha256 == fingerprint(DEFAULT)
    assert np.isclose(load().others["outcomes"]["effects"]["vertebral_fracture"]["erector_fat_percent"], 0.015)
