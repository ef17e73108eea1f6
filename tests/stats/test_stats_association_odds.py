"""Odds of conditions by band of the gap."""

from __future__ import annotations

from math import comb

import numpy as np
import pandas as pd
import pytest
from scipy.stats.contingency import odds_ratio

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.association.odds import OddsByGapBand, clustered_odds_ratio
from spineclock.stats.association.two_by_two import Fourfold, exact_odds_ratio, wald_odds_ratio


def cohort(a: int, b: int, c: int, d: int) -> pd.DataFrame:
    """With and without a fracture above +5, with and without below −5, and as many again between."""
    n = a + b + c + d
    gap = np.repeat([8.0, 8, -7, -7], [a, b, c, d])
    t = pd.DataFrame({"gap_years": np.r_[gap, np.linspace(-5, 5, n)], "person_id": np.arange(2 * n)})
    t["fracture"] = np.r_[np.repeat([1, 0, 1, 0], [a, b, c, d]), np.ones(n)].astype(int)
    return t.assign(age_years=50.0)


def test_counts_between_the_bands_and_at_their_edges_do_not_count():
    row = OddsByGapBand(("fracture",))(cohort(30, 70, 10, 90)).iloc[0]
    counted = row[["with_above", "without_above", "with_below", "without_below", "n"]].to_list()
    assert counted == [30, 70, 10, 90, 200]
    ratio, error = (30 * 90) / (70 * 10), np.sqrt(1 / 30 + 1 / 70 + 1 / 10 + 1 / 90)
    assert row["estimate"] == pytest.approx(ratio)
    assert row["low"] == pytest.approx(ratio * np.exp(-1.959964 * error), rel=1e-6)
    assert row["method"] == "logarithm (Wald)"
    assert row["sentence"] == (
        "30 of 100 scans with a gap above 5 years have fracture, 10 of 100 with one below −5: odds 3.86 times as high "
        "(95% CI 1.77 to 8.42; p < 0.001; logarithm (Wald))."
    )


@pytest.mark.parametrize("cells", [(12, 988, 3, 997), (4, 96, 20, 80), (7, 0, 5, 9), (0, 40, 6, 60)])
def test_small_counts_are_exact(cells):
    row = OddsByGapBand(("fracture",))(cohort(*cells)).iloc[0]
    theirs = odds_ratio(np.reshape(cells, (2, 2)), kind="conditional")
    ends = theirs.confidence_interval(0.95)
    assert row["method"] == "exact (Fisher)"
    assert row["estimate"] == pytest.approx(theirs.statistic, rel=1e-9)
    assert row["low"] == pytest.approx(ends.low, rel=1e-9)
    assert row["high"] == pytest.approx(ends.high, rel=1e-9)


@pytest.mark.slow
def test_the_mid_p_interval_lies_within_the_exact_one_and_holds_its_coverage():
    exact, middle = (exact_odds_ratio(Fourfold(4, 16, 9, 21), interval=kind) for kind in ("exact", "mid-p"))
    assert exact.low < middle.low < middle.ratio == exact.ratio < middle.high < exact.high
    # one true odds ratio of 3, every table that can come of 10 and 10 people weighed by its chance
    p, q = 0.5, 0.25
    chance = {"exact": 0.0, "mid-p": 0.0}
    for a in range(11):
        for c in range(11):
            weight = _binomial(a, 10, p) * _binomial(c, 10, q)
            for kind in chance:
                found = exact_odds_ratio(Fourfold(a, 10 - a, c, 10 - c), interval=kind)
                chance[kind] += weight * (found.low <= 3 <= found.high)
    assert chance["exact"] > 0.97
    assert 0.94 < chance["mid-p"] < chance["exact"]


def _binomial(k: int, n: int, p: float) -> float:
    return comb(n, k) * p**k * (1 - p) ** (n - k)


def test_nobody_with_a_condition_tells_nothing():
    row = OddsByGapBand(("fracture",))(cohort(0, 50, 0, 50)).iloc[0]
    assert np.isnan(row["estimate"])
    assert (row["low"], row["high"], row["p"], row["method"]) == (0, np.inf, 1, "no information")
    assert row["sentence"].endswith("the odds cannot be compared.")


def test_a_person_counts_once_by_the_first_scan():
    t = cohort(30, 70, 10, 90)
    later = t[:100].assign(age_years=51.6, fracture=1, gap_years=9.0)
    both = pd.concat([later, t], ignore_index=True)  # the order of rows is not that of scans
    own = OddsByGapBand(("fracture",))
    pd.testing.assert_frame_equal(own(both), own(t))
    every = OddsByGapBand(("fracture",), repeats="cluster")(both).iloc[0]
    assert every[["with_above", "without_above"]].to_list() == [130, 70]
    # a person whose first scan lies between the bands counts in neither
    earlier = t[:30].assign(age_years=49.0, gap_years=0.0)
    assert own(pd.concat([t, earlier])).iloc[0]["with_above"] == 0


def test_twins_of_every_scan_do_not_narrow_the_clustered_interval():
    t = cohort(30, 70, 10, 90)
    has, high = t["fracture"][:200].to_numpy(), t["gap_years"][:200].to_numpy() > 5
    once = clustered_odds_ratio(has, high, np.arange(200))
    twice = clustered_odds_ratio(np.r_[has, has], np.r_[high, high], np.r_[:200, :200])
    assert (twice.ratio, twice.low, twice.high) == pytest.approx((once.ratio, once.low, once.high), rel=1e-9)
    plain = wald_odds_ratio(Fourfold(30, 70, 10, 90))
    assert np.log(once.high / once.low) == pytest.approx(np.log(plain.high / plain.low) * np.sqrt(200 / 199), rel=1e-9)


def test_missing_findings_are_counted_and_q_is_over_the_conditions():
    t = cohort(30, 70, 10, 90)
    t["other"] = np.where(np.arange(400) < 5, np.nan, np.arange(400) % 3 == 0)
    found = OddsByGapBand(("fracture", "other"))(t)
    assert found["missing"].to_list() == [0, 5]
    assert found["n"].to_list() == [200, 195]
    assert found["q"].to_list() == pytest.approx([2 * found["p"][0], max(2 * found["p"][0], found["p"][1])])


def test_what_cannot_be_compared_is_refused():
    t = cohort(30, 70, 10, 90)
    with pytest.raises(TableError, match="no scan with a gap above 50 years"):
        OddsByGapBand(("fracture",), above=50)(t)
    with pytest.raises(TableError, match="the column age_years with other values than 0 and 1"):
        OddsByGapBand(("age_years",))(t)
    with pytest.raises(UsageError, match="above -6 and below -5 years"):
        OddsByGapBand(("fracture",), above=-6)(t)
    with pytest.raises(UsageError, match="the counts .3, 0, 1, 2.; wanted: none of 0"):
        wald_odds_ratio(Fourfold(3, 0, 1, 2))
    with pytest.raises(UsageError, match="the counts .-1, 0, 1, 2."):
        Fourfold(-1, 0, 1, 2)
    with pytest.raises(TableError, match="a group of which all or none have the condition"):
        clustered_odds_ratio([1, 1, 0, 1], [1, 1, 0, 0], range(4))
