"""Tables of figures of merit beside metrics, quantiles and the slower bootstrap."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import TableError
from spineclock.stats import metrics
from spineclock.stats.accuracy import MEASURES, AgeAccuracy, ErrorByGroup, figures, terms
from spineclock.stats.bootstrap import bootstrap


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    n = 500
    age = rng.uniform(22, 88, n)  # some outside the brackets
    predicted = 0.8 * age + 11 + rng.normal(0, 4, n)
    return pd.DataFrame({
        "person_id": np.r_[np.arange(400), np.arange(100)], "age_years": age, "predicted_age_years": predicted,
        "corrected_age_years": (predicted - 11) / 0.8, "sex": rng.choice(["F", "M"], n), "split": "test",
        "model": np.repeat(["whole", "lumbar"], 250),
    })  # fmt: skip


def test_figures_of_sums_are_those_of_metrics(table):
    p, y = table["predicted_age_years"].to_numpy(), table["age_years"].to_numpy()
    found = dict(zip(MEASURES, figures(terms(p, y).sum(axis=0)), strict=True))
    told = {
        "MAE": metrics.mae(p, y), "WMAE": metrics.wmae(p, y), "R²": metrics.r2(p, y), "RMSE": metrics.rmse(p, y),
        "r": metrics.pearson_r(p, y), "mean gap": (p - y).mean(), "slope of gap on age": np.polyfit(y, p - y, 1)[0],
    }  # fmt: skip
    assert found == pytest.approx(told, rel=1e-10)


def test_sums_keep_their_digits_for_ages_that_hardly_differ():
    y = 60 + np.linspace(0, 1e-4, 50)
    p = y + np.tile([1e-5, -1e-5], 25)
    found = dict(zip(MEASURES, figures(terms(p, y).sum(axis=0)), strict=True))
    assert found["R²"] == pytest.approx(metrics.r2(p, y), rel=1e-6)


def test_rows_of_table_three_with_and_without_correction(table):
    found = AgeAccuracy(resamples=300)(table).set_index(["measure", "ages"])
    assert len(found) == 14
    for ages, column in (("as predicted", "predicted_age_years"), ("corrected", "corrected_age_years")):
        told = metrics.accuracy(table[column], table["age_years"])
        assert found.loc[("MAE", ages), "estimate"] == pytest.approx(told.mae_years)
        assert found.loc[("WMAE", ages), "estimate"] == pytest.approx(told.wmae_years)
        assert found.loc[("R²", ages), "estimate"] == pytest.approx(told.r2)
    row = found.loc[("MAE", "corrected")]
    assert row["low"] < row["estimate"] < row["high"]
    assert (row["n"], row["people"], row["unit"]) == (500, 400, "years")
    assert row["sentence"].startswith("Corrected, the mean absolute error is ")
    assert row["sentence"].endswith("(500 scans of 400 people).")


def test_intervals_are_those_of_the_bootstrap_that_draws_people_one_by_one(table):
    fast = AgeAccuracy(resamples=6000)(table).set_index(["measure", "ages"]).loc[("MAE", "as predicted")]
    slow = bootstrap(
        metrics.mae, table["predicted_age_years"], table["age_years"], people=table["person_id"],
        rng=np.random.default_rng(3), resamples=2000,
    )  # fmt: skip
    width = slow.high - slow.low
    assert fast["low"] == pytest.approx(slow.low, abs=0.08 * width)
    assert fast["high"] == pytest.approx(slow.high, abs=0.08 * width)


def test_a_second_scan_that_says_the_same_does_not_narrow_the_interval(table):
    once = table.drop_duplicates("person_id")
    twice = pd.concat([once, once])
    one, two = (AgeAccuracy(resamples=1500)(t).iloc[0] for t in (once, twice))
    as_if_others = AgeAccuracy(resamples=1500)(twice.assign(person_id=np.arange(len(twice)))).iloc[0]
    assert two["high"] - two["low"] == pytest.approx(one["high"] - one["low"], rel=0.08)
    assert as_if_others["high"] - as_if_others["low"] < 0.78 * (one["high"] - one["low"])


def test_by_model(table):
    found = AgeAccuracy(by="model", resamples=0)(table).set_index(["group", "measure", "ages"])
    part = table[table["model"] == "lumbar"]
    expected = metrics.mae(part["predicted_age_years"], part["age_years"])
    assert found.loc[("lumbar", "MAE", "as predicted"), "estimate"] == pytest.approx(expected)
    assert found.loc[("lumbar", "MAE", "as predicted"), "term"] == "MAE, as predicted (lumbar)"


def test_scans_without_a_prediction_are_counted(table):
    holes = table.drop(columns="corrected_age_years")
    holes.loc[:9, "predicted_age_years"] = np.nan
    found = AgeAccuracy(resamples=0)(holes)
    assert set(found["left_out"]) == {10}
    assert set(found["n"]) == {490}
    assert set(found["ages"]) == {"as predicted"}


def test_the_same_seed_gives_the_same_interval(table):
    one, other = (AgeAccuracy(resamples=100, seed=4)(table) for _ in range(2))
    pd.testing.assert_frame_equal(one, other)


def test_the_split_asked_for_must_be_there(table):
    with pytest.raises(TableError, match="no row with split test, only train"):
        AgeAccuracy()(table.assign(split="train"))
    assert len(AgeAccuracy(rows=None, resamples=0)(table.assign(split="train"))) == 14


def test_error_by_bracket_and_sex(table):
    found = ErrorByGroup(resamples=200)(table).set_index(["bracket", "sex"])
    assert list(found.index) == [(b, s) for b in metrics.BRACKETS for s in "FM"]
    inside = table[(table["age_years"] >= 55) & (table["age_years"] < 65) & (table["sex"] == "M")]
    error = (inside["corrected_age_years"] - inside["age_years"]).abs()
    row = found.loc[(60, "M")]
    assert row["n"] == len(inside)
    assert row["estimate"] == pytest.approx(error.mean())
    quartiles = error.quantile([0.25, 0.5, 0.75])
    assert row[["quartile_1", "median", "quartile_3"]].tolist() == pytest.approx(quartiles.tolist())
    assert row["low"] < row["estimate"] < row["high"]
    assert row["sentence"].startswith(f"In the {len(inside)} scans of men of 55–64 years the mean absolute error is ")


def test_a_group_of_two_has_no_interval(table):
    two = pd.DataFrame({
        "person_id": [1, 2], "sex": "F", "age_years": [50.0, 51], "corrected_age_years": [52.0, 55], "split": "test"
    })  # fmt: skip
    row = ErrorByGroup()(two).iloc[0]
    assert row["estimate"] == 3
    assert np.isnan(row["low"])
    assert "the mean absolute error is 3.00 years" in row["sentence"]
