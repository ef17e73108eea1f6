"""The gap as an exposure, freed of its measurement error."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.association.exposure import RegressionCalibration, Reliability, calibrated, reliability
from spineclock.stats.result import results


def study(rng: np.random.Generator, *, n: int = 1000, pairs: int = 150) -> tuple[np.ndarray, ...]:
    """True gaps of SD 4, measured with an error of SD 2.5 (λ = 0.719): main study, then repeat scans."""
    true = rng.normal(0, 4, n)
    main = true + rng.normal(0, 2.5, n)
    twice = rng.normal(0, 4, pairs)[:, None] + rng.normal(0, 2.5, (pairs, 2))
    return true, main, twice[:, 0], twice[:, 1]


LAMBDA = 16 / (16 + 6.25)


def test_reliability_and_its_standard_error_are_right_over_many_studies():
    rng = np.random.default_rng(0)
    found = {"alone": [], "exposure": []}
    for _ in range(1500):
        _, main, a, b = study(rng)
        found["alone"].append(reliability(a, b))
        found["exposure"].append(reliability(a, b, exposure=main))
    for own in found.values():
        values = np.array([f.value for f in own])
        assert values.mean() == pytest.approx(LAMBDA, abs=0.005)
        assert np.mean([f.standard_error for f in own]) == pytest.approx(values.std(), rel=0.08)
    assert np.mean([f.error_variance for f in found["alone"]]) == pytest.approx(6.25, rel=0.02)


def test_reliability_by_hand():
    # differences 1, −1, 1, 1: σ² = 0.5; exposure 0 … 4: V = 2.5
    found = reliability([1, 2, 3, 4], [0, 3, 2, 3], exposure=[0, 1, 2, 3, 4])
    assert (found.error_variance, found.variance, found.value) == pytest.approx((0.5, 2.5, 0.8))
    assert found.standard_error == pytest.approx(0.2 * np.sqrt(2 / 4 + 2 / 4))


@pytest.mark.parametrize("kind", ["linear", "odds ratio"])
def test_corrected_coefficients_cover_the_truth_and_raw_ones_do_not(kind):
    rng = np.random.default_rng(1)
    beta, inside, raw_inside, corrected = 0.08, [], [], []
    for _ in range(250):
        true, main, a, b = study(rng)
        design = sm.add_constant(main)
        if kind == "linear":
            fit = sm.OLS(beta * true + rng.normal(0, 1, 1000), design).fit()
        else:
            fit = sm.Logit(rng.random(1000) < 1 / (1 + np.exp(2 - beta * true)), design).fit(disp=False)
        c = calibrated(fit.params[1], fit.bse[1], reliability(a, b, exposure=main))
        low, high = c.interval()
        inside.append(low <= beta <= high)
        raw_inside.append(abs(c.raw - beta) <= 1.96 * c.raw_standard_error)
        corrected.append(c.corrected)
    assert np.mean(corrected) == pytest.approx(beta, rel=0.05)
    assert np.mean(inside) == pytest.approx(0.95, abs=0.035)
    assert np.mean(raw_inside) < np.mean(inside) - 0.03


def test_the_uncertainty_of_the_reliability_widens_the_interval():
    sure, unsure = (calibrated(0.5, 0.05, Reliability(0.7, se, 6.0, 20.0, 100)) for se in (0.0, 0.05))
    assert sure.standard_error == pytest.approx(0.05 / 0.7)
    assert unsure.standard_error == pytest.approx(np.sqrt((0.05 / 0.7) ** 2 + (0.5 * 0.05 / 0.49) ** 2))


def test_frames_get_a_corrected_row_beside_each_raw_one():
    hazard = results([{"term": "gap", "estimate": 1.05, "low": 1.02, "high": 1.05**2 / 1.02, "p": 0.001, "n": 9}])
    found = RegressionCalibration(Reliability(0.73, 0.03, 8.0, 30.0, 303), scale="hazard ratio")(hazard)
    assert found["correction"].to_list() == ["none", "regression calibration"]
    assert found["estimate"].to_list() == pytest.approx([1.05, 1.05 ** (1 / 0.73)])
    se = np.log(1.05 / 1.02) / 1.959964
    expected = np.sqrt(se**2 / 0.73**2 + np.log(1.05) ** 2 * 0.03**2 / 0.73**4)
    assert np.log(found["high"][1] / found["estimate"][1]) == pytest.approx(1.959964 * expected, rel=1e-6)
    assert found["p"].to_list() == [0.001, 0.001]
    assert found["sentence"][1] == (
        "gap: freed of the gap's measurement error (reliability 0.73) the hazard ratio is 1.07 "
        f"(95% CI {found['low'][1]:.2f} to {found['high'][1]:.2f}) in place of 1.05; p = 0.001."
    )
    linear = hazard.assign(se=0.1)
    own = RegressionCalibration(Reliability(0.5, 0.0, 8.0, 16.0, 303))(linear).iloc[1]
    assert (own["estimate"], own["se"]) == pytest.approx((2.1, 0.2))


def test_a_figure_per_sd_is_corrected_by_the_root():
    """β per year is β·SD per measured SD; the true SD is √λ of it: (β/λ)·√λ·SD = β·SD/√λ."""
    frame = results([{"term": "gap", "estimate": 0.4, "low": 0.2, "high": 0.6, "p": 0.001, "n": 9}])
    found = RegressionCalibration(Reliability(0.64, 0.0, 8.0, 22.0, 303), per="measured SD")(frame)
    assert found["estimate"][1] == pytest.approx(0.4 / 0.8)
    assert found["low"][1] == pytest.approx(0.2 / 0.8)


def test_a_reliability_above_1_is_of_true_gaps_alone_and_corrects_figures_per_year():
    with pytest.raises(UsageError, match=r"a reliability of 1.290 .*wanted: above 0 and up to 1"):
        Reliability(1.29, 0.02, 2.0, 6.0, 300)
    found = Reliability(1.29, 0.02, 2.0, 6.0, 300, "true gaps")
    assert calibrated(0.129, 0.01, found).corrected == pytest.approx(0.1)
    with pytest.raises(UsageError, match=r"a reliability of 1.290 for figures per SD of the measured gap"):
        RegressionCalibration(found, per="measured SD")
    with pytest.raises(UsageError, match=r"a reliability of -0.100"):
        Reliability(-0.1, 0.02, 2.0, 6.0, 300, "true gaps")


def test_useless_repeats_and_wrong_figures_are_refused():
    rng = np.random.default_rng(2)
    with pytest.raises(UsageError, match="a reliability of -3.222"):
        reliability(*rng.normal(size=(2, 20)), exposure=rng.normal(0, 0.5, 50))
    with pytest.raises(TableError, match=r"first scans of shape \(2,\)"):
        reliability([1, 2], [1, 2])
    with pytest.raises(TableError, match="a repeat scan without a gap"):
        reliability([1, 2, np.nan], [1, 2, 3])
    frame = results([{"term": "gap", "estimate": -0.4, "low": -0.6, "high": -0.2, "p": 0.001, "n": 9}])
    with pytest.raises(TableError, match="gap: estimate -0.4, .*numbers above 0 in results of the scale odds ratio"):
        RegressionCalibration(Reliability(0.7, 0.0, 8.0, 22.0, 303), scale="odds ratio")(frame)
