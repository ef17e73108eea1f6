"""Corrections side by side: fitted on validation only, judged on test, and on a model that knows nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import TableError
from spineclock.stats.bias import AgeLevel, Beheshti, BiasCorrections, Cole, fit_all
from spineclock.stats.metrics import accuracy

NAMES = ["none", "Cole", "Beheshti", "de Lange", "age-level", "LOWESS", "age covariate"]


def cohort(*, slope: float = 0.75, noise: float = 4.0, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = 900
    age = rng.uniform(25, 85, n)
    split = np.repeat(["train", "validation", "test"], n // 3)
    age[split == "test"] = rng.uniform(28, 82, n // 3)
    return pd.DataFrame({
        "person_id": np.arange(n), "age_years": age, "split": split,
        "predicted_age_years": 55 + slope * (age - 55) + rng.normal(0, noise, n),
    })  # fmt: skip


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    return BiasCorrections(resamples=400)(cohort()).set_index(["correction", "measure"])


def test_every_correction_is_there_with_every_measure(found):
    assert list(dict.fromkeys(c for c, _ in found.index)) == NAMES
    assert len(found) == 7 * 7 + 7
    assert (found["low"] <= found["high"]).all()


def test_figures_are_those_of_the_test_people_alone(found):
    table = cohort()
    by = {name: part for name, part in table.groupby("split")}
    fit = (by["validation"]["predicted_age_years"], by["validation"]["age_years"])
    p, y = by["test"]["predicted_age_years"], by["test"]["age_years"]
    for name, corrected in (
        ("none", p), ("Cole", Cole.fit(*fit).corrected(p)), ("Beheshti", Beheshti.fit(*fit).corrected(p, y)),
    ):  # fmt: skip
        told = accuracy(corrected, y)
        for measure, value in (
            ("MAE", told.mae_years), ("WMAE", told.wmae_years), ("R²", told.r2), ("RMSE", told.rmse_years),
            ("r", told.r), ("mean gap", told.mean_gap_years),
            ("slope of gap on age", np.polyfit(y, corrected - y, 1)[0]),
        ):  # fmt: skip
            assert found.loc[(name, measure), "estimate"] == pytest.approx(value, rel=1e-9), (name, measure)


def test_train_people_play_no_part_and_test_people_none_in_the_fit(found):
    table = cohort()
    table.loc[table["split"] == "train", "predicted_age_years"] = 0.0
    again = BiasCorrections(resamples=0, shuffles=1)(table).set_index(["correction", "measure"])
    assert again.loc[("Cole", "MAE"), "estimate"] == found.loc[("Cole", "MAE"), "estimate"]
    # test predictions 10 years higher: Cole's gap is 10/α higher, as it would not be had they been in the fit
    table.loc[table["split"] == "test", "predicted_age_years"] += 10
    moved = BiasCorrections(resamples=0, shuffles=1)(table).set_index(["correction", "measure"])
    fit = table[table["split"] == "validation"]
    alpha = Cole.fit(fit["predicted_age_years"], fit["age_years"]).slope
    change = moved.loc[("Cole", "mean gap"), "estimate"] - again.loc[("Cole", "mean gap"), "estimate"]
    assert change == pytest.approx(10 / alpha, rel=1e-9)


def test_a_correction_by_test_age_makes_shuffled_predictions_look_good_and_says_so(found):
    table = cohort()
    test = table[table["split"] == "test"]
    expected = test["age_years"].std() / np.hypot(test["age_years"].std(), test["predicted_age_years"].std())
    assert expected > 0.7
    for name in ("Beheshti", "de Lange", "age-level", "LOWESS", "age covariate"):
        row = found.loc[(name, "r of shuffled predictions")]
        assert row["estimate"] == pytest.approx(expected, abs=0.05)
        assert row["expected"] == pytest.approx(expected, rel=0.01)
        assert "which know nothing" in row["sentence"]
        assert "no measure of the model (Butler et al. 2021)" in row["sentence"]
        assert "inflated (Butler et al. 2021)" in found.loc[(name, "R²"), "caution"]
        assert found.loc[(name, "R²"), "uses_test_age"]
    for name in ("none", "Cole"):
        row = found.loc[(name, "r of shuffled predictions")]
        assert abs(row["estimate"]) < 0.05
        assert row["expected"] == 0
        assert "Butler" not in row["sentence"]
        assert not found.loc[(name, "R²"), "uses_test_age"]


def test_a_better_model_gains_less_from_the_same_trick():
    """Spurious r = SD(y)/√(SD(y)² + SD(ŷ)²): the nearer predictions are to one age, the better shuffled ones look."""
    flat = BiasCorrections(resamples=0, shuffles=4)(cohort(slope=0.3, noise=2)).set_index("term")["estimate"]
    steep = BiasCorrections(resamples=0, shuffles=4)(cohort(slope=0.9, noise=2)).set_index("term")["estimate"]
    name = "r of shuffled predictions, Beheshti"
    assert flat[name] > 0.93
    assert steep[name] < 0.78


def test_a_refusal_is_a_row_and_the_others_go_on():
    found = BiasCorrections(resamples=0, shuffles=2)(cohort(slope=0.0)).set_index("term")
    assert "Refused: predictions that rise by" in found.loc["Cole (refused)", "sentence"]
    assert np.isnan(found.loc["Cole (refused)", "estimate"])
    assert found.loc["R², Beheshti", "estimate"] > 0.9  # which is exactly what the warning is about
    assert "R², Cole" not in found.index


def test_scans_outside_the_fitted_ages_are_counted_not_guessed():
    table = cohort()
    table.loc[table.index[-3:], "age_years"] = [20.0, 90.0, 91.0]
    found = BiasCorrections(resamples=0, shuffles=2)(table).set_index(["correction", "measure"])
    assert found.loc[("LOWESS", "MAE"), "outside"] == 3
    assert found.loc[("age-level", "MAE"), "outside"] == 3
    assert found.loc[("LOWESS", "MAE"), "n"] == 297
    assert found.loc[("Cole", "MAE"), "outside"] == 0
    fit = table[table["split"] == "validation"]
    test = table[table["split"] == "test"][:-3]
    level = AgeLevel.fit(fit["predicted_age_years"], fit["age_years"])
    z = level.gap(test["predicted_age_years"], test["age_years"])
    assert found.loc[("age-level", "mean gap"), "estimate"] == pytest.approx(z.mean(), rel=1e-9)
    assert found.loc[("age-level", "mean gap"), "unit"] == "SD"


def test_people_on_both_sides_are_refused():
    table = cohort()
    table.loc[table["person_id"] == 899, "person_id"] = 400
    with pytest.raises(TableError, match="1 people in both validation and test, such as 400"):
        BiasCorrections()(table)


def test_missing_splits_and_columns_are_named():
    with pytest.raises(TableError, match="no row with split validation, only test, train"):
        BiasCorrections()(cohort().query("split != 'validation'"))
    with pytest.raises(TableError, match="no column predicted_age_years"):
        BiasCorrections()(cohort().drop(columns="predicted_age_years"))


def test_fit_all_gives_every_name_in_order():
    table = cohort()
    assert list(fit_all(table["predicted_age_years"], table["age_years"])) == NAMES[1:]
