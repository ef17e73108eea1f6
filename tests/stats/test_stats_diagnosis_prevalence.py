"""Predictive values at a stated prevalence: Bayes by counting, intervals that hold what they say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from spineclock.core.errors import UsageError
from spineclock.stats.diagnosis import AtPrevalence, OperatingPoint
from spineclock.stats.diagnosis.prevalence import Yield, predictive_values


def test_bayes_by_counting_a_thousand_people():
    # of 1,000 with 100 ill: 85 called of the ill, 189 of the well (the osteoporosis paper's T1 network)
    positive, negative = predictive_values(Yield(0.85, 60), Yield(0.79, 158), prevalence=0.1)
    assert positive.value == pytest.approx(85 / (85 + 189))
    assert negative.value == pytest.approx(711 / (711 + 15))
    assert positive.low < positive.value < positive.high
    half, _ = predictive_values(Yield(0.85, 60), Yield(0.79, 158), prevalence=0.5)
    assert half.value == pytest.approx(0.85 / (0.85 + 0.21))


def test_the_interval_is_the_delta_methods_by_numbers():
    se, sp, m, n, prevalence = 0.8, 0.9, 50, 120, 0.2

    def logit_positive(se: float, sp: float) -> float:
        positive = se * prevalence / (se * prevalence + (1 - sp) * (1 - prevalence))
        return float(np.log(positive / (1 - positive)))

    h = 1e-6
    by_se = (logit_positive(se + h, sp) - logit_positive(se - h, sp)) / (2 * h)
    by_sp = (logit_positive(se, sp + h) - logit_positive(se, sp - h)) / (2 * h)
    error = np.sqrt(by_se**2 * se * (1 - se) / m + by_sp**2 * sp * (1 - sp) / n)
    ends = logit_positive(se, sp) + np.array([-1, 1]) * stats.norm.ppf(0.975) * error
    positive, _ = predictive_values(Yield(se, m), Yield(sp, n), prevalence=prevalence)
    assert [positive.low, positive.high] == pytest.approx((1 / (1 + np.exp(-ends))).tolist(), rel=1e-6)
    assert positive.method == "logit"


@pytest.mark.parametrize("prevalence", [0.05, 0.3])
def test_the_intervals_hold_the_truth_as_often_as_they_say(prevalence):
    se, sp, m, n = 0.85, 0.79, 40, 100
    truth = (
        se * prevalence / (se * prevalence + (1 - sp) * (1 - prevalence)),
        sp * (1 - prevalence) / (sp * (1 - prevalence) + (1 - se) * prevalence),
    )
    held = np.zeros(2)
    hits, passes = np.arange(m + 1), np.arange(n + 1)
    chance = np.outer(stats.binom.pmf(hits, m, se), stats.binom.pmf(passes, n, sp))  # of every possible study
    for i, j in zip(*np.nonzero(chance > 1e-7), strict=True):
        found = predictive_values(Yield(i / m, m), Yield(j / n, n), prevalence=prevalence)
        held += chance[i, j] * np.array([f.low <= t <= f.high for f, t in zip(found, truth, strict=True)])
    assert (held > 0.94).all()
    assert (held < 0.975).all()


def test_where_everyone_is_told_rightly_the_adjusted_interval_stands_in():
    positive, negative = predictive_values(Yield(1.0, 20), Yield(0.8, 50), prevalence=0.1)
    assert negative.value == 1
    assert (positive.method, negative.method) == ("adjusted logit", "adjusted logit")
    assert 0.9 < negative.low < negative.high < 1
    z2 = stats.norm.ppf(0.975) ** 2
    se, sp = (20 + z2 / 2) / (20 + z2), (40 + z2 / 2) / (50 + z2)
    middle = np.log(0.9 / 0.1 * sp / (1 - se))
    half = 1.959964 * np.sqrt((1 - sp) / (sp * (50 + z2)) + se / ((1 - se) * (20 + z2)))
    assert [negative.low, negative.high] == pytest.approx(
        [1 / (1 + np.exp(-middle + half)), 1 / (1 + np.exp(-middle - half))], rel=1e-5
    )
    nobody, _ = predictive_values(Yield(0.0, 20), Yield(1.0, 50), prevalence=0.1)
    assert np.isnan(nobody.value)


def test_the_rows_are_bayes_of_the_operating_points_and_name_their_source():
    rng = np.random.default_rng(4)
    who = np.repeat(np.arange(200), 3)
    ill = (rng.random(200) < 0.35)[who]
    table = pd.DataFrame({"person_id": who, "ill": ill, "risk": ill + rng.normal(0, 1, 600)})
    table["split"] = np.where(who % 2, "test", "validation")
    point = OperatingPoint("ill", "risk")
    own, found = point(table).set_index("term"), AtPrevalence(point, {"national survey": 0.1})(table)
    se, sp = own.loc["sensitivity", "estimate"], own.loc["specificity", "estimate"]
    here = found[found["source"] == "the share in these rows"].set_index("term")
    for term in ("positive predictive value", "negative predictive value"):
        assert here.loc[term, "estimate"] == pytest.approx(own.loc[term, "estimate"])  # Bayes gives the counted ones
    there = found[found["source"] == "national survey"].set_index("term")
    assert there.loc["positive predictive value", "estimate"] == pytest.approx(se * 0.1 / (se * 0.1 + (1 - sp) * 0.9))
    assert "Where 10.0% have ill (national survey), " in there.loc["positive predictive value", "sentence"]
    assert "%) of those called have ill." in there.loc["positive predictive value", "sentence"]
    assert found["threshold"].nunique() == 1
    alone = AtPrevalence(OperatingPoint("ill", "risk", person=None), {"national survey": 0.1})(table)
    width = (found["high"] - found["low"]) / (alone["high"] - alone["low"])
    assert (width > 1).any()  # three rows of a person are not three people
    with pytest.raises(UsageError, match="a prevalence of 10"):
        AtPrevalence(point, {"in percent": 10})(table)
