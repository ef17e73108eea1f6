"""The log-rank test against lifelines, statsmodels and the data of the textbooks; curves by group."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lifelines import AalenJohansenFitter, KaplanMeierFitter
from lifelines.statistics import multivariate_logrank_test
from statsmodels.duration.survfunc import survdiff

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.survival import CumulativeIncidence, TimeTo, log_rank

# Freireich et al. 1963: weeks of remission in leukaemia, the data of many textbooks
TREATED = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
RELAPSED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]


def people(seed: int, n: int = 500) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    third, site = rng.integers(3, size=n), rng.integers(4, size=n)
    time = np.round(rng.exponential(5 * np.exp(0.2 * third - 0.3 * site)), 1) + 0.1  # with many ties
    how = rng.choice([0, 1, 2], n, p=[0.3, 0.5, 0.2])
    return pd.DataFrame({"person_id": np.arange(n), "third": third.astype(str), "site": site, "f_years": time,
                         "f": how == 1, "death": how == 2})  # fmt: skip


def test_the_textbooks() -> None:
    found = log_rank([*TREATED, *PLACEBO], RELAPSED + [1] * 21, ["treated"] * 21 + ["placebo"] * 21)
    assert found.statistic == pytest.approx(16.79, abs=0.005)  # Kleinbaum and Klein, Survival Analysis, chapter 2
    assert found.observed.tolist() == [21, 9]
    assert found.expected.tolist() == pytest.approx([10.75, 19.25], abs=0.005)


@pytest.mark.parametrize("seed", range(3))
def test_lifelines_and_within_strata_statsmodels(seed: int) -> None:
    t = people(seed)
    own = log_rank(t["f_years"], t["f"], t["third"])
    theirs = multivariate_logrank_test(t["f_years"], t["third"], t["f"])
    assert (own.statistic, own.p, own.df) == pytest.approx((theirs.test_statistic, theirs.p_value, 2), rel=1e-8)
    within = log_rank(t["f_years"], t["f"], t["third"], strata=t["site"])
    statistic, p = survdiff(t["f_years"], t["f"], t["third"].astype(int), strata=t["site"])
    assert (within.statistic, within.p) == pytest.approx((statistic, p), rel=1e-8)


def test_it_is_wrong_five_times_in_a_hundred_where_nothing_differs() -> None:
    rng = np.random.default_rng(0)
    p = [log_rank(rng.exponential(1, 120), rng.random(120) < 0.7, rng.integers(3, size=120)).p for _ in range(800)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.02)


def test_a_stratum_of_one_group_tells_nothing_and_does_no_harm() -> None:
    t = people(1)
    lone = t.assign(site=9, third="0").head(40)
    both = pd.concat([t, lone])
    own = log_rank(both["f_years"], both["f"], both["third"], strata=both["site"])
    alone = log_rank(t["f_years"], t["f"], t["third"], strata=t["site"])
    assert own.statistic == pytest.approx(alone.statistic)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(UsageError, match=r"1 group\(s\)"):
        log_rank([1, 2], [1, 1], ["a", "a"])
    with pytest.raises(TableError, match="no event among rows of two groups"):
        log_rank([1, 2, 3], [0, 0, 1], ["a", "b", "b"])
    with pytest.raises(UsageError, match="n of each"):
        log_rank([1, 2, 3], [0, 1], ["a", "b", "b"])


def test_curves_are_lifelines_by_group() -> None:
    t = people(2)
    t["f_years"] += np.random.default_rng(0).uniform(0, 1e-4, len(t))  # lifelines jitters ties by itself
    found = CumulativeIncidence(TimeTo("f", competing="death"), by="third").curves(t)
    for third, own in t.groupby("third"):
        curve = found[found["group"] == third]
        theirs = AalenJohansenFitter(calculate_variance=False).fit(
            own["f_years"], own["f"] + 2 * own["death"], event_of_interest=1
        )
        expected = theirs.cumulative_density_.iloc[:, 0]
        np.testing.assert_allclose(np.interp(expected.index, curve["time_years"], curve["estimate"]), expected)
        assert curve["at_risk"].iloc[0] == len(own)
        assert (curve["low"] <= curve["estimate"] + 1e-12).all()
    alone = CumulativeIncidence(TimeTo("f"), by="third").curves(t)
    one = t[t["third"] == "1"]
    survival = KaplanMeierFitter().fit(one["f_years"], one["f"]).survival_function_.iloc[:, 0]
    curve = alone[alone["group"] == "1"]
    np.testing.assert_allclose(1 - np.interp(survival.index, curve["time_years"], curve["estimate"]), survival)
