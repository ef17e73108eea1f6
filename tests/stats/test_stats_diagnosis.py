"""Diagnosis: areas, thresholds, calibration and net benefit against published, hand-worked and simulated figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.diagnosis import (
    Auroc,
    AurocDifference,
    CalibrationCurve,
    NetBenefit,
    OperatingPoint,
    ProbabilityCalibration,
    Threshold,
    delong,
    roc_curve,
)
from spineclock.stats.diagnosis.calibration import clustered_mean, equal_bins, recalibration
from spineclock.stats.diagnosis.operating import proportion
from spineclock.stats.diagnosis.roc import Areas


def people(n: int = 300, *, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    own = rng.normal(size=n)
    ill = rng.random(n) < 1 / (1 + np.exp(1 - 1.5 * own))
    return pd.DataFrame(
        {
            "person_id": np.arange(n),
            "ill": ill,
            "score": own,
            "other": own + rng.normal(0, 1.5, n),
            "risk": 1 / (1 + np.exp(1 - 1.5 * own)),
            "split": np.where(np.arange(n) % 2, "test", "validation"),
        }
    )


def test_the_area_and_its_spread_worked_by_hand():
    # positives 3, 5, 6 above negatives 1, 2, 4: all but (3, 4), and placements ⅔, 1, 1 and 1, 1, ⅔
    found = delong([1, 2, 3, 4, 5, 6], [0, 0, 1, 0, 1, 1])
    assert found.values[0] == pytest.approx(8 / 9)
    assert found.covariance[0, 0] == pytest.approx(2 * (2 / 54) / 3)
    assert delong([1, 1, 1, 1], [0, 0, 1, 1]).values[0] == 0.5


def test_the_area_is_the_share_of_pairs_in_order_and_mann_whitneys():
    t = people()
    x, y = t["score"].to_numpy().round(1), t["ill"].to_numpy()
    u = stats.mannwhitneyu(x[y], x[~y]).statistic
    assert delong(x, y).values[0] == pytest.approx(u / (y.sum() * (~y).sum()), rel=1e-12)


def test_rows_counted_twice_are_no_new_evidence():
    t = people(80)
    once = delong(t[["score", "other"]].to_numpy().T, t["ill"])
    twice = pd.concat([t, t])
    again = delong(twice[["score", "other"]].to_numpy().T, twice["ill"], people=twice["person_id"])
    assert again.values == pytest.approx(once.values)
    assert again.covariance == pytest.approx(once.covariance)
    naive = delong(twice["score"], twice["ill"])
    assert naive.covariance[0, 0] == pytest.approx(once.covariance[0, 0] / 2, rel=0.05)


def test_clustered_intervals_hold_the_truth_where_plain_ones_do_not():
    rng = np.random.default_rng(5)
    truth, held, plain = stats.norm.cdf(1 / np.sqrt(2)), 0, 0
    for _ in range(300):
        ill = np.repeat(rng.random(120) < 0.5, 5)
        score = ill + np.repeat(rng.normal(0, 0.95, 120), 5) + rng.normal(0, np.sqrt(1 - 0.95**2), 600)
        own = delong(score, ill, people=np.repeat(np.arange(120), 5)).area()
        naive = delong(score, ill).area()
        held += own.low <= truth <= own.high
        plain += naive.low <= truth <= naive.high
    assert 0.91 <= held / 300 <= 0.98
    assert plain / 300 < 0.75


def test_an_area_of_one_has_no_interval():
    t = pd.DataFrame({"person_id": range(24), "ill": [0] * 12 + [1] * 12, "score": range(24)})
    row = Auroc("ill", ["score"])(t).iloc[0]
    assert row["estimate"] == 1
    assert np.isnan(row["low"])
    assert "separates the two groups completely" in row["warning"]


def test_a_falling_score_is_turned_round_and_logit_intervals_stay_inside():
    t = people().assign(t_score=lambda d: -d["score"])
    both = Auroc("ill", ["score", "t_score"], falling=["t_score"])(t)
    assert both.loc[0, "estimate"] == pytest.approx(both.loc[1, "estimate"])
    assert "scores lower than" in both.loc[1, "sentence"]
    near_one = Areas(np.array([0.97]), np.array([[0.0009]]))
    assert near_one.area().high == 1
    assert near_one.area(interval="logit").high == pytest.approx(0.9960, abs=5e-4)  # logit 3.476 ± 1.96 · 1.031
    assert Auroc("ill", ["other"], interval="logit")(t).loc[0, "low"] > Auroc("ill", ["other"])(t).loc[0, "low"] - 0.01
    with pytest.raises(UsageError, match="falling: age; wanted: some of score"):
        Auroc("ill", ["score"], falling=["age"])(t)


def test_missing_values_are_counted_and_both_scores_judged_on_the_same_rows():
    t = people()
    t.loc[:9, "other"] = np.nan
    t["ill"] = t["ill"].astype(object)
    t.loc[20:24, "ill"] = None
    found = AurocDifference("ill", "score", ["other"])(t).iloc[0]
    assert (found["n"], found["left_out"]) == (285, 15)
    kept = t.dropna()
    areas = delong(kept[["score", "other"]].to_numpy(dtype=float).T, kept["ill"].astype(bool))
    assert found["estimate"] == pytest.approx(areas.values[0] - areas.values[1])
    assert found["p"] < 0.01
    assert AurocDifference("ill", "score", ["again"])(kept.assign(again=kept["score"])).loc[0, "estimate"] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": 1.0}, "score is 1 in all 300 rows"),
        ({"ill": 2}, "2 in the column ill .300 such.; wanted: true or false"),
        ({"ill": True}, "0 of 300 rows without ill; wanted: at least 2 with and 2 without"),
        ({"score": "high"}, "'high' in column score"),
        ({"score": np.inf}, "an infinite value in the column score"),
    ],
)
def test_tables_that_tell_nothing_are_refused(change, message):
    with pytest.raises(TableError, match=message):
        Auroc("ill", ["score"])(people().assign(**change))


def test_few_ill_people_are_warned_of():
    t = people(60)
    t["ill"] = t["score"].rank() > 55
    assert "only 5 rows with the disease" in Auroc("ill", ["other"])(t).loc[0, "warning"]


def test_thresholds_on_a_curve_worked_by_hand():
    score, ill = [1, 2, 3, 4, 5, 6], [0, 0, 1, 0, 1, 1]
    curve = roc_curve(score, ill)
    assert curve.sensitivity.tolist() == pytest.approx([1, 1, 1, 2 / 3, 2 / 3, 1 / 3, 0])
    assert curve.specificity.tolist() == pytest.approx([0, 1 / 3, 2 / 3, 2 / 3, 1, 1, 1])
    best = Threshold.youden(score, ill)  # at 2.5 and at 4.5 the index is ⅔
    assert best.value in (2.5, 4.5)
    assert best.sensitivity + best.specificity - 1 == pytest.approx(2 / 3)
    assert Threshold.at_sensitivity(score, ill, least=0.6).value == 4.5
    assert Threshold.at_specificity(score, ill, least=1).value == 4.5
    with pytest.raises(UsageError, match="a share of 1.2"):
        Threshold.at_specificity(score, ill, least=1.2)


def test_a_threshold_is_chosen_on_one_set_and_applied_to_the_other():
    t = people(400)
    validation, test = (t[t["split"] == s] for s in ("validation", "test"))
    chosen = Threshold.youden(validation["score"], validation["ill"])
    found = OperatingPoint("ill", "score")(t).set_index("term")
    assert found["threshold"].unique().tolist() == [chosen.value]
    called = test["score"] > chosen.value
    assert found.loc["sensitivity", "estimate"] == pytest.approx(called[test["ill"]].mean())
    assert found.loc["positive predictive value", "estimate"] == pytest.approx(test["ill"][called].mean())
    se, sp = found.loc["sensitivity", "estimate"], found.loc["specificity", "estimate"]
    assert found.loc["LR+", "estimate"] == pytest.approx(se / (1 - sp))
    assert found.loc["LR+", "low"] < found.loc["LR+", "estimate"] < found.loc["LR+", "high"]
    assert not found["warning"].any()
    same = OperatingPoint("ill", "score", rows="validation")(t)
    assert "chosen on these very rows" in same.loc[0, "warning"]
    given = OperatingPoint("ill", "score", threshold=0.3, rows=None)(t)
    assert given.loc[0, "rule"] == "given"
    assert "very rows" not in given.loc[0, "warning"]
    at_least = OperatingPoint("ill", "score", rule="sensitivity", least=0.95)(t)
    assert at_least.loc[0, "rule"] == "sensitivity ≥ 0.95"
    assert at_least.loc[0, "threshold"] < chosen.value


def test_intervals_of_shares_are_newcombes_published_ones():
    # Newcombe, Statistics in Medicine 1998, table I: 81 of 263
    hits = np.repeat([True, False], [81, 182])
    assert proportion(hits, method="wilson")[1:3] == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert proportion(hits)[1:3] == pytest.approx((0.2527, 0.3676), abs=5e-5)
    none = np.zeros(20, dtype=bool)
    assert proportion(none, method="wilson")[1:3] == pytest.approx((0, 0.1611), abs=5e-5)
    assert proportion(none)[1:3] == pytest.approx((0, 0.1684), abs=5e-5)
    assert np.isnan(proportion([]).value)


def test_rows_of_one_person_are_worth_one():
    hits = np.repeat([True, False], [81, 182])
    four = proportion(np.repeat(hits, 4), people=np.repeat(np.arange(263), 4))
    assert four.effective_n == pytest.approx(263, rel=0.01)
    assert four[1:3] == pytest.approx(proportion(hits)[1:3], abs=2e-3)
    all_hit = proportion(np.ones(40, dtype=bool), people=np.repeat(np.arange(10), 4))
    assert all_hit.effective_n == 10
    assert all_hit.low == pytest.approx(0.025 ** (1 / 10))


def test_calibration_finds_the_distortion_that_was_put_in():
    rng = np.random.default_rng(3)
    logit = rng.normal(-0.5, 1.2, 20000)
    ill = rng.random(20000) < 1 / (1 + np.exp(-logit))
    told = 1 / (1 + np.exp(-(2 * logit + 0.8)))  # so that the right recalibration is ½ · logit − 0.4
    fit = recalibration(told, ill)
    assert fit.slope.coefficients == pytest.approx([-0.4, 0.5], abs=0.05)
    t = pd.DataFrame({"person_id": range(20000), "ill": ill, "told": told, "right": 1 / (1 + np.exp(-logit))})
    wrong, right = (ProbabilityCalibration("ill", c)(t).set_index("term") for c in ("told", "right"))
    assert wrong.loc["slope", "p"] < 0.001
    assert "too extreme" in wrong.loc["slope", "sentence"]
    for name, value in (("slope", 1), ("intercept", 0), ("calibration in the large", 0), ("observed − expected", 0)):
        assert right.loc[name, "low"] < value < right.loc[name, "high"]
    assert (
        right.loc["expected calibration error", "estimate"]
        < 0.015
        < wrong.loc["expected calibration error", "estimate"]
    )
    assert right.loc["scaled Brier score", "low"] > wrong.loc["scaled Brier score", "high"]


def test_the_error_of_the_scaled_brier_score_is_the_jackknifes():
    t = people(150)
    found = ProbabilityCalibration("ill", "risk")(t).set_index("term")

    def scaled(d: pd.DataFrame) -> float:
        share = d["ill"].mean()
        return float(1 - np.square(d["ill"] - d["risk"]).mean() / (share * (1 - share)))

    left_out = np.array([scaled(t.drop(i)) for i in range(150)])
    jackknife = np.sqrt(149 / 150 * np.square(left_out - left_out.mean()).sum())
    assert found.loc["scaled Brier score", "estimate"] == pytest.approx(scaled(t))
    assert found.loc["scaled Brier score", "se"] == pytest.approx(jackknife, rel=0.02)


def test_probabilities_that_are_none_are_refused():
    t = people()
    with pytest.raises(TableError, match="-?[0-9.]+ in the column score .* such.; wanted: probabilities from 0 to 1"):
        ProbabilityCalibration("ill", "score")(t)
    with pytest.raises(TableError, match="separates those with the disease"):
        ProbabilityCalibration("ill", "risk")(t.assign(risk=np.where(t["ill"], 0.9, 0.1)))
    certain = t.assign(risk=t["risk"].where(t.index != 7, float(t.loc[7, "ill"])))
    assert "1 probabilities of 0 or 1" in ProbabilityCalibration("ill", "risk")(certain).loc[0, "warning"]


def test_the_curve_has_groups_of_equal_size_and_keeps_equal_probabilities_together():
    t = people(400)
    curve = CalibrationCurve("ill", "risk", bins=8)(t)
    assert curve["n"].tolist() == [50] * 8
    assert curve["expected"].is_monotonic_increasing
    assert (curve["estimate"] * curve["n"]).sum() == pytest.approx(t["ill"].sum())
    assert equal_bins(np.full(9, 0.2), 3).groups == 1
    with pytest.raises(UsageError, match="0 groups"):
        CalibrationCurve("ill", "risk", bins=0)(t)


def test_net_benefit_worked_by_hand():
    # of 10, four ill; called: three ill and two healthy; at t = ¼ a needless call costs ⅓
    t = pd.DataFrame({"person_id": range(10), "ill": [1] * 4 + [0] * 6, "p": [0.5] * 3 + [0.1] + [0.5] * 2 + [0.1] * 4})
    found = NetBenefit("ill", ["p"], thresholds=[0.25])(t)
    assert found["estimate"].tolist() == pytest.approx([0.3 - 0.2 / 3, 0.4 - 0.6 / 3, 0.3 - 0.2 / 3 - 0.2])
    parts = np.array([1, 1, 1, 0, -1 / 3, -1 / 3, 0, 0, 0, 0])
    assert found.loc[0, "high"] - found.loc[0, "estimate"] == pytest.approx(1.959964 * parts.std(ddof=1) / np.sqrt(10))
    assert found.loc[0, "per_1000"] == pytest.approx(1000 * found.loc[0, "estimate"])


def test_two_probabilities_are_compared_and_thresholds_checked():
    t = people(600).assign(flat=0.3)
    found = NetBenefit("ill", ["risk", "flat"], thresholds=[0.2, 0.5])(t).set_index("term")
    own = found.loc["risk against flat at 0.2"]
    assert own["estimate"] == pytest.approx(
        found.loc["risk against nobody at 0.2", "estimate"] - found.loc["flat against nobody at 0.2", "estimate"]
    )
    assert found.loc["flat against everyone at 0.2", "estimate"] == 0
    assert own["low"] > 0
    with pytest.raises(UsageError, match="thresholds .0.2, 1."):
        NetBenefit("ill", ["risk"], thresholds=[0.2, 1])(t)


def test_a_mean_of_clusters_is_the_mean_of_their_means():
    values = np.random.default_rng(1).normal(size=40)
    once = clustered_mean(values)
    assert once.standard_error == pytest.approx(values.std(ddof=1) / np.sqrt(40))
    assert clustered_mean(np.repeat(values, 3), np.repeat(np.arange(40), 3)) == pytest.approx(once)


def test_ten_thousand_rows_take_no_time():
    import time

    t = people(10_000)
    start = time.process_time()
    AurocDifference("ill", "score", ["other"])(t)
    assert time.process_time() - start < 0.3
