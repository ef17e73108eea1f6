"""Vertebral fractures against the population studies their numbers are from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from spineclock.core.errors import TableError
from spineclock.phantom.bone import bone
from spineclock.phantom.fractures import LEVELS, Fractured, incident, prevalent
from spineclock.phantom.health import health_parameters
from spineclock.phantom.parameters import load

SECTIONS = health_parameters(load())
US_2000 = {40: 22.4, 45: 20.1, 50: 17.6, 55: 13.5, 60: 10.8, 65: 9.5, 70: 8.9, 75: 7.4, 80: 4.9}


def drawn(n, low, high, *, seed=1):
    rng = np.random.default_rng(seed)
    age, men = rng.uniform(low, high, n), rng.random(n) < 0.5
    bmi = (np.where(men, 27.3, 26.3) + 0.03 * (age - 50)) * np.exp(0.17 * rng.standard_normal(n))
    table = pd.DataFrame({"person_id": np.arange(n), "age_years": age, "sex": np.where(men, "M", "F"), "bmi": bmi})
    gap = 4 * rng.standard_normal(n)
    scores = bone(table, gap, parameters=SECTIONS.bone, rng=rng)
    return table, gap, scores, prevalent(table, gap, scores, parameters=SECTIONS.fractures, rng=rng)


@pytest.mark.parametrize(
    ("low", "high", "percent", "within"), [(40, 50, 2.0, 2.0), (50, 60, 4.0, 1.0), (70, 80, 11, 1.5), (80, 85, 18, 3)]
)
def test_people_with_fractures_by_age_as_in_nhanes_2013_2014(low, high, percent, within):
    # Cosman et al. 2017: under 5% below 60, 11% at 70–79, 18% from 80 on (the phantom's people end at 85)
    *_, had = drawn(20_000, low, high)
    assert 100 * (had.count > 0).mean() == pytest.approx(percent, abs=within)


def test_both_sexes_together_from_40_on_as_in_nhanes_2013_2014():
    # Cosman et al. 2017: 5.4%, much the same in men and women; 26% of those with a fracture have osteoporosis
    shares, osteoporotic, broken = [], 0.0, 0.0
    for start, weight in US_2000.items():
        table, _, scores, had = drawn(10_000, start, start + 5, seed=start)
        some = had.count > 0
        shares.append([some.mean(), some[table["sex"] == "F"].mean(), some[table["sex"] == "M"].mean()])
        osteoporotic += weight * scores["osteoporosis"][some].sum()
        broken += weight * some.sum()
    both, women, men = 100 * np.average(shares, axis=0, weights=list(US_2000.values()))
    assert both == pytest.approx(5.4, abs=0.6)
    assert women == pytest.approx(men, abs=1.0)
    assert osteoporotic / broken == pytest.approx(0.26, abs=0.06)


def test_the_gradient_with_age_is_steeper_in_women_as_in_evos():
    young, old = drawn(40_000, 50, 55), drawn(40_000, 75, 80)
    rise = {
        sex: np.log(
            (old[3].count > 0)[old[0]["sex"] == sex].mean() / (young[3].count > 0)[young[0]["sex"] == sex].mean()
        )
        for sex in "FM"
    }
    assert rise["F"] > rise["M"] > 0.5


def test_two_peaks_and_shapes():
    *_, had = drawn(60_000, 60, 85)
    number = dict(zip(LEVELS, (had.grades > 0).sum(axis=0), strict=True))
    # one peak at T7–T8, the greater at T12–L1, a trough between and falling off to both ends
    assert min(number["T7"], number["T8"]) > 1.2 * max(number["T6"], number["T9"], number["T10"])
    assert min(number["T12"], number["L1"]) > 1.2 * max(number["T7"], number["T8"], number["T11"], number["L2"])
    assert number["T4"] < number["T5"] < number["T6"]
    assert number["L5"] < number["L4"] < number["L3"] < number["L2"]
    assert 0.2 < (had.count > 1).sum() / (had.count > 0).sum() < 0.4  # Tromsø: about 30%
    shapes, grades = had.shapes[had.grades > 0], had.grades[had.grades > 0]
    wedge, biconcave, crush = (np.mean(shapes == k) for k in (1, 2, 3))
    assert wedge > 0.5 > biconcave + crush  # wedges are most common (Tromsø)
    assert np.mean(shapes[grades == 3] == 3) > 1.5 * np.mean(shapes[grades == 1] == 3)
    assert np.mean(grades == 1) > np.mean(grades == 2) > np.mean(grades == 3) > 0.05
    assert ((had.shapes > 0) == (had.grades > 0)).all()


def test_the_chance_at_a_level_is_the_stated_logit():
    # without frailty, for one kind of person, each level by itself
    import dataclasses

    plain = dataclasses.replace(SECTIONS.fractures, frailty_sd=0.0)
    n = 200_000
    table = pd.DataFrame({"person_id": np.arange(n), "age_years": 75.0, "sex": "F", "bmi": 26.0})
    scores = pd.DataFrame({"lumbar_spine_t_score": np.full(n, -2.0), "femoral_neck_t_score": np.full(n, -3.0)})
    had = prevalent(table, np.full(n, 5.0), scores, parameters=plain, rng=np.random.default_rng(5))
    at = plain.ages_years.index(75.0)
    own = plain.women[at] + plain.per_t_score * -2.5 + plain.gap_per_year * 5.0
    wanted = expit(own + np.array([plain.profile[level] for level in LEVELS]))
    errors = np.sqrt(wanted * (1 - wanted) / n)
    assert (np.abs((had.grades > 0).mean(axis=0) - wanted) < 4 * errors).all()
    for cut, grade in zip(plain.grade_cuts, (2, 3), strict=True):
        beyond = expit(own - cut + np.array([plain.profile[level] for level in LEVELS]))
        assert (had.grades >= grade).sum() == pytest.approx(n * beyond.sum(), abs=4 * np.sqrt(n * beyond.sum()))


def test_a_new_fracture_is_at_an_unbroken_level_and_old_ones_stay():
    *_, had = drawn(5_000, 75, 85)
    new = np.random.default_rng(2).random(5_000) < 0.5
    later = incident(had, new, parameters=SECTIONS.fractures, rng=np.random.default_rng(3))
    assert (later.count == np.minimum(had.count + new, len(LEVELS))).all()
    old = had.grades > 0
    assert (later.grades[old] == had.grades[old]).all()
    assert (later.shapes[old] == had.shapes[old]).all()


def test_long_table():
    grades, shapes = np.zeros((2, 14), np.int8), np.zeros((2, 14), np.int8)
    grades[1, LEVELS.index("T12")], shapes[1, LEVELS.index("T12")] = 2, 3
    found = Fractured(grades, shapes)
    assert found.long(pd.Index(["a", "b"])).to_dict("records") == [
        {"scan_id": "b", "level": "T12", "genant_grade": 2, "shape": "crush"}
    ]
    assert found.columns(pd.Index([0, 1])).to_numpy().tolist() == [[0, 0], [1, 2]]


def test_prevalent_fractures_are_of_first_scans():
    table = pd.DataFrame({"person_id": ["a", "a"], "age_years": [60.0, 61.0], "sex": "F", "bmi": 25.0})
    scores = pd.DataFrame({"lumbar_spine_t_score": [0.0, 0.0], "femoral_neck_t_score": [0.0, 0.0]})
    with pytest.raises(TableError, match=r"several scans.*first scan"):
        prevalent(table, np.zeros(2), scores, parameters=SECTIONS.fractures, rng=np.random.default_rng(1))
