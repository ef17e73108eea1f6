"""T-scores, osteoporosis and muscles against the studies their numbers are from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import TableError, UsageError
from spineclock.phantom.bone import T_SCORES, Bone, Trait, bone
from spineclock.phantom.health import health_parameters
from spineclock.phantom.parameters import load

PARAMETERS = health_parameters(load()).bone
US_2000 = {50: 17.6, 55: 13.5, 60: 10.8, 65: 9.5, 70: 8.9, 75: 7.4, 80: 4.9}
"""Millions of people by five years of age, the standard that NCHS adjusts prevalences to."""


def folk(n: int, low: float, high: float, *, sex: str | None = None, seed: int = 1) -> pd.DataFrame:
    """People of ages spread evenly between two, with BMI as the phantom's."""
    rng = np.random.default_rng(seed)
    men = rng.random(n) < 0.5 if sex is None else np.full(n, sex == "M")
    age = rng.uniform(low, high, n)
    usual = np.where(men, 27.3, 26.3) + 0.03 * (age - 50)
    return pd.DataFrame(
        {
            "person_id": np.arange(n),
            "age_years": age,
            "sex": np.where(men, "M", "F"),
            "bmi": usual * np.exp(0.17 * rng.standard_normal(n)),
        }
    )


def made(table: pd.DataFrame, *, seed: int = 2, parameters: Bone = PARAMETERS) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return bone(table, 4 * rng.standard_normal(len(table)), parameters=parameters, rng=rng)


@pytest.mark.parametrize(
    ("sex", "low", "high", "percent"),
    [
        ("F", 50, 65, 13.1), ("F", 65, 85, 27.1), ("F", 50, 85, 19.6),
        ("M", 50, 65, 3.3), ("M", 65, 85, 5.7), ("M", 50, 85, 4.4),
    ],
)  # fmt: skip
def test_osteoporosis_is_as_common_as_in_nhanes_2017_2018(sex, low, high, percent):
    # NCHS Data Brief 405: T ≤ −2.5 at the femoral neck or lumbar spine; with the hip a third site adds little
    shares, weights = [], []
    for start, weight in US_2000.items():
        if low <= start < high:
            found = made(folk(10_000, start, start + 5, sex=sex, seed=start))
            two = found[["lumbar_spine_t_score", "femoral_neck_t_score"]].min(axis=1) <= -2.5
            shares.append((two.mean(), found["osteoporosis"].mean()))
            weights.append(weight)
    two, three = 100 * np.average(shares, axis=0, weights=weights)
    assert two == pytest.approx(percent, abs=1.0)
    assert two <= three < two + 1.0


def test_the_spine_loses_density_with_age_in_women_and_not_in_men():
    # Looker et al. 2012
    for sex, least, most in (("F", 0.8, 1.6), ("M", -0.2, 0.3)):
        young, old = (made(folk(20_000, at, at + 5, sex=sex)) for at in (40, 75))
        assert least < young["lumbar_spine_t_score"].mean() - old["lumbar_spine_t_score"].mean() < most
        assert young["femoral_neck_t_score"].mean() - old["femoral_neck_t_score"].mean() > 0.7


def test_muscles_of_kidney_donors_and_of_volunteers():
    # Druckmann 2024: psoas 6.3 (men) and 4.8 cm²/m² at 44.6 years, BMI 25.6
    # Si 2023: erector fat 12.4 and 16.0% at 20 to 69 years
    donors = folk(40_000, 44, 45.2).assign(bmi=25.6)
    found, men = made(donors), donors["sex"] == "M"
    assert found.loc[men, "psoas_index_cm2_m2"].mean() == pytest.approx(6.3, abs=0.25)
    assert found.loc[~men, "psoas_index_cm2_m2"].mean() == pytest.approx(4.8, abs=0.25)
    volunteers = folk(40_000, 20, 69).assign(bmi=24.0)
    found, men = made(volunteers), volunteers["sex"] == "M"
    assert found.loc[men, "erector_fat_percent"].mean() == pytest.approx(12.4, abs=1.0)
    assert found.loc[~men, "erector_fat_percent"].mean() == pytest.approx(16.0, abs=1.0)
    assert (found["erector_fat_percent"] > 0).all()


def test_the_effects_are_those_of_the_parameters():
    table = folk(60_000, 45, 45.001, sex="F")
    gap = 4 * np.random.default_rng(3).standard_normal(len(table))
    found = bone(table, gap, parameters=PARAMETERS, rng=np.random.default_rng(4))
    design = np.column_stack([np.ones(len(table)), table["bmi"] - 27, gap])
    for name, trait in zip(T_SCORES, PARAMETERS.traits, strict=False):
        (level, bmi, years), *_ = np.linalg.lstsq(design, found[name], rcond=None)
        assert level == pytest.approx(trait.women[2], abs=0.02)
        assert bmi == pytest.approx(trait.bmi_per_unit, abs=0.006)
        assert years == pytest.approx(trait.gap_per_year, abs=0.006)
    own = found[list(T_SCORES)].to_numpy() - design @ np.linalg.lstsq(design, found[list(T_SCORES)], rcond=None)[0]
    assert np.corrcoef(own.T) == pytest.approx(np.array(PARAMETERS.correlation)[:3, :3], abs=0.02)


def test_a_second_scan_keeps_what_is_the_persons_own():
    table = pd.DataFrame({"person_id": ["a", "a", "b"], "age_years": [60.0, 60.0, 60.0], "sex": "F", "bmi": 25.0})
    found = bone(table, [1.0, 1.0, 1.0], parameters=PARAMETERS, rng=np.random.default_rng(1))
    assert found.iloc[0].equals(found.iloc[1])
    assert not found.iloc[0].equals(found.iloc[2])


def test_in_the_null_world_bones_know_no_gap():
    table, gap = folk(2_000, 40, 80), np.full(2_000, 10.0)
    null = health_parameters(load("null")).bone
    with_gap = bone(table, gap, parameters=null, rng=np.random.default_rng(1))
    pd.testing.assert_frame_equal(with_gap, bone(table, 0 * gap, parameters=null, rng=np.random.default_rng(1)))


def test_what_cannot_be_is_refused():
    with pytest.raises(TableError, match="without bmi"):
        bone(folk(3, 50, 60).drop(columns="bmi"), np.zeros(3), parameters=PARAMETERS, rng=np.random.default_rng(1))
    with pytest.raises(TableError, match="unknown age, sex or BMI"):
        bone(folk(3, 50, 60).assign(sex="X"), np.zeros(3), parameters=PARAMETERS, rng=np.random.default_rng(1))
    flat = Trait((0.0,), (0.0,), 1.0, 0.0, 0.0)
    with pytest.raises(UsageError, match=r"no table of correlations.*5 × 5"):
        Bone((50.0,), 27.0, 1.0, flat, flat, flat, flat, flat, correlation=((1.0, 2.0), (2.0, 1.0)))
