"""Hazard ratios freed of the gap's error: against simulated truth, statsmodels, and sums done by hand."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from statsmodels.duration.hazard_regression import PHReg

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.association.exposure import Reliability, reliability
from spineclock.stats.survival import CalibratedHazardRatios, TimeTo
from spineclock.stats.survival.calibrated import per_true_sd, reliability_of_true, residuals

SD, LAMBDA, TRUE = 4.0, 0.6, float(np.log(1.5))
ERROR = SD * float(np.sqrt(1 / LAMBDA - 1))
"""Years; with it the true gap is 0.6 of the measured one's variance."""


class Cohort(NamedTuple):
    table: pd.DataFrame
    repeats: np.ndarray


def cohort(rng: np.random.Generator, *, n: int = 1500, pairs: int = 300, along: float = 0.0) -> Cohort:
    """A hazard ratio of 1.5 per SD of true gap, some 10% with the event; ``along`` is the gap's r with a covariate."""
    true = rng.normal(0, SD, n)
    z = along * true / SD + np.sqrt(1 - along**2) * rng.normal(size=n)
    years, end = rng.exponential(1 / (0.02 * np.exp(TRUE * true / SD + 0.3 * z))), rng.uniform(3, 8, n)
    twice = rng.normal(0, SD, (pairs, 1)) + rng.normal(0, ERROR, (pairs, 2))
    table = pd.DataFrame(
        {
            "person_id": np.arange(n), "gap_years": true + rng.normal(0, ERROR, n), "true_gap_years": true, "z": z,
            "fracture_years": np.minimum(years, end), "fracture": years <= end,
        }
    )  # fmt: skip
    return Cohort(table, twice)


def rows(found: pd.DataFrame) -> pd.DataFrame:
    return found.set_index(["gap", "per"])


def test_measured_ratios_are_statsmodels_and_the_calibrated_ones_theirs_over_lambda() -> None:
    table, repeats = cohort(np.random.default_rng(3), along=0.5)
    found = rows(CalibratedHazardRatios(TimeTo("fracture"), models={"z": ["z"]})(table, repeats=repeats))
    fit = PHReg(table["fracture_years"], table[["gap_years", "z"]], status=table["fracture"].astype(int), ties="efron")
    beta = fit.fit().params[0]
    sd = table["gap_years"].std()
    assert found.loc[("measured", "year"), "log_ratio"] == pytest.approx(beta, rel=1e-6)
    assert found.loc[("measured", "SD"), "log_ratio"] == pytest.approx(beta * sd, rel=1e-6)
    slope = np.polyfit(table["z"], table["gap_years"], 1)
    rest = table["gap_years"] - np.polyval(slope, table["z"])
    error = np.square(repeats[:, 0] - repeats[:, 1]).mean() / 2
    lam = 1 - error / (rest @ rest / (len(rest) - 2))
    assert found.loc[("true", "year"), "reliability"] == pytest.approx(lam)
    assert found.loc[("true", "year"), "log_ratio"] == pytest.approx(beta / lam, rel=1e-6)
    true_sd = np.sqrt(sd**2 - error)
    assert found.loc[("true", "SD"), "unit_years"] == pytest.approx(true_sd)
    assert found.loc[("true", "SD"), "log_ratio"] == pytest.approx(beta / lam * true_sd, rel=1e-6)
    assert found["estimate"].to_numpy() == pytest.approx(np.exp(found["log_ratio"].to_numpy()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("along", "source"), [(0.0, "repeats"), (0.6, "repeats"), (0.6, "true")], ids=["alone", "covariate", "true gaps"]
)
def test_calibrated_intervals_hold_the_truth_95_times_in_100_and_raw_ones_do_not(along: float, source: str) -> None:
    """Over 200 cohorts. With a covariate that goes with the gap, λ given it is below the marginal 0.6: dividing by
    that would leave ratios too small."""
    rng = np.random.default_rng(1)
    ratios = CalibratedHazardRatios(TimeTo("fracture"), models={"z": ["z"]})
    kept = []
    for _ in range(200):
        table, repeats = cohort(rng, along=along)
        given = {"repeats": repeats} if source == "repeats" else {"true": "true_gap_years"}
        raw, _, freed, year = ratios(table, **given).to_dict("records")
        kept.append(
            {
                "raw": raw["log_ratio"], "raw held": raw["low"] < 1.5 < raw["high"], "freed": freed["log_ratio"],
                "held": freed["low"] < 1.5 < freed["high"], "lambda": freed["reliability"], "se": freed["se"],
                "year held": year["low"] < 1.5 ** (1 / SD) < year["high"],
            }
        )  # fmt: skip
    every = pd.DataFrame(kept).mean()
    expected = (1 - along**2) / (1 - along**2 + 1 / LAMBDA - 1)
    assert every["lambda"] == pytest.approx(expected, abs=0.01)
    assert every["raw"] == pytest.approx(TRUE * expected / np.sqrt(LAMBDA), rel=0.07)  # the measured SD is 4/√0.6
    assert every["freed"] == pytest.approx(TRUE, rel=0.07)
    assert every["se"] == pytest.approx(np.std([row["freed"] for row in kept]), rel=0.12)
    assert every["raw held"] < 0.85
    for name in ("held", "year held"):  # 200 cohorts: a Monte Carlo error of 1.5%
        assert 0.91 <= every[name] <= 0.985, name


def test_reliability_from_true_gaps_is_the_slope_of_a_regression() -> None:
    table, _ = cohort(np.random.default_rng(5), n=400, along=0.5)
    rest, spent = residuals(table["gap_years"].to_numpy(), table, ["z"])
    found = reliability_of_true(table["true_gap_years"].to_numpy(), rest, table, ["z"])
    design = np.column_stack([np.ones(400), table["gap_years"], table["z"]])
    slope = np.linalg.lstsq(design, table["true_gap_years"].to_numpy(), rcond=None)[0][1]
    assert spent == 1
    assert found.value == pytest.approx(slope)
    assert 0.01 < found.standard_error < 0.04


def test_a_gap_that_is_shrunk_has_a_slope_above_1_which_true_gaps_tell() -> None:
    rng = np.random.default_rng(9)
    table, _ = cohort(rng, n=3000)
    true = table["true_gap_years"]
    table["gap_years"] = 0.5 * true + rng.normal(0, 1.5, 3000)
    ratios = CalibratedHazardRatios(TimeTo("fracture"), models={"": []})
    found = rows(ratios(table, true="true_gap_years"))
    year = found.loc[("true", "year")]
    slope = np.polyfit(table["gap_years"], true, 1)[0]
    assert slope > 1.2
    assert year["reliability"] == pytest.approx(slope)
    assert year["reliability_low"] < slope < year["reliability_high"]
    assert year["log_ratio"] == pytest.approx(found.loc[("measured", "year"), "log_ratio"] / slope)
    assert year["low"] < 1.5 ** (1 / SD) < year["high"]
    with pytest.raises(UsageError, match=r"a reliability of -.* wanted: above 0, as"):
        ratios(table.assign(true_gap_years=-true), true="true_gap_years")


def test_the_interval_holds_what_is_not_known_of_lambda() -> None:
    rng = np.random.default_rng(7)
    table, repeats = cohort(rng, pairs=4000)
    ratios = CalibratedHazardRatios(TimeTo("fracture"), models={"": []})
    sure, unsure = (rows(ratios(table, repeats=some)).loc[("true", "year")] for some in (repeats, repeats[:60]))
    assert unsure["se"] / unsure["log_ratio"] > 1.02 * sure["se"] / sure["log_ratio"]
    raw = rows(ratios(table)).loc[("measured", "year")]
    assert sure["p"] == raw["p"]  # error weakens the test of no effect and leaves it right


def test_the_delta_method_of_the_true_sd_is_what_drawing_the_error_variance_gives() -> None:
    rng = np.random.default_rng(2)
    found = Reliability(0.7, 0.0, 6.0, 20.0, 250)
    drawn = 6.0 * rng.chisquare(250, 200_000) / 250
    factors = np.sqrt(22 - drawn) / (1 - drawn / 20)
    scale = per_true_sd(found, float(np.sqrt(22)))
    assert np.sqrt(scale.variance) == pytest.approx(factors.std(), rel=0.02)
    assert scale.factor == pytest.approx(np.sqrt(16) / 0.7)
    with pytest.raises(UsageError, match=r"an error variance of 6.00 beside a gap's of 4.00"):
        per_true_sd(found, 2.0)


def test_without_repeats_only_the_measured_gap_is_told_and_too_few_are_refused() -> None:
    table, repeats = cohort(np.random.default_rng(0), n=600)
    ratios = CalibratedHazardRatios(TimeTo("fracture"), models={"M1": [], "M2": ["z"]})
    table.loc[:9, "z"] = np.nan
    found = ratios(table)
    assert found["gap"].unique().tolist() == ["measured"]
    assert (found["n"] == 590).all()  # M1 is fitted to the rows M2 can use
    assert (found["left_out"] == 10).all()
    with pytest.raises(TableError, match=r"repeat scans of shape \(29, 2\); wanted: at least 30 pairs"):
        ratios(table, repeats=repeats[:29])
    with pytest.raises(UsageError, match="both repeat scans and true gaps"):
        ratios(table, repeats=repeats, true="true_gap_years")
    with pytest.raises(UsageError, match="a reliability of"):
        ratios(table, repeats=30 * np.random.default_rng(1).normal(size=(40, 2)))


def test_sentences_say_whose_gap_and_what_is_alike() -> None:
    table, repeats = cohort(np.random.default_rng(4))
    found = rows(CalibratedHazardRatios(TimeTo("fracture"), models={"M": ["z"]})(table, repeats=repeats))
    row = found.loc[("true", "SD")]
    assert row["sentence"].startswith(f"With each SD ({row['unit_years']:.2f} years) of true gap the rate of fracture")
    assert ", z alike; " in row["sentence"]
    error = reliability(*repeats.T).error_variance
    assert row["unit_years"] ** 2 == pytest.approx(table["gap_years"].var() - error)
