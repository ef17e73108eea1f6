"""Agreement beside the published example, hand-computed values, and simulated coverage (R and pingouin: crosscheck)."""

from __future__ import annotations

import numpy as np
import pytest

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.agreement import icc, limits_of_agreement, repeatability

JUDGES = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
"""Shrout and Fleiss, Psychol Bull 1979, Table 2."""


def test_shrout_and_fleiss():
    found = icc(JUDGES)
    assert [found.one.value, found.agreement.value, found.consistency.value] == pytest.approx(
        [0.1657, 0.2898, 0.7148], abs=5e-5
    )
    # the intervals as psych's manual prints them for this table
    assert [found.one.low, found.one.high] == pytest.approx([-0.133, 0.723], abs=1e-3)
    assert [found.agreement.low, found.agreement.high] == pytest.approx([0.019, 0.761], abs=1e-3)
    assert [found.consistency.low, found.consistency.high] == pytest.approx([0.342, 0.946], abs=1e-3)
    assert (found.people, found.readings) == (6, 4)


def test_two_readings_by_hand():
    found = icc([[0, 2], [4, 6], [8, 10]])  # people 16 apart in mean square, shift 2 and nothing else
    assert found.consistency.value == 1
    assert found.one.value == pytest.approx((32 - 2) / (32 + 2))
    assert found.agreement.value == pytest.approx(32 / (32 + 2 * 6 / 3))
    assert found.consistency.low == found.consistency.high == 1


def test_a_shift_of_the_second_reading_lowers_agreement_but_not_consistency():
    rng = np.random.default_rng(0)
    person = rng.normal(0, 4, 300)
    a, b = person + rng.normal(0, 2, 300), person + rng.normal(0, 2, 300)
    before, after = icc(np.c_[a, b]), icc(np.c_[a, b + 5])
    assert after.consistency.value == pytest.approx(before.consistency.value, rel=1e-12)
    assert after.agreement.value < before.agreement.value - 0.2
    assert after.one.value < after.agreement.value


@pytest.mark.slow
def test_each_icc_is_covered_as_often_as_promised():
    rng = np.random.default_rng(1)
    truth = 16 / (16 + 1 + 4)
    hit = {"one": [], "agreement": [], "consistency": []}
    for _ in range(800):
        person = rng.normal(0, 4, (60, 1))
        one = icc(person + rng.normal(0, np.sqrt(5), (60, 3)))
        hit["one"].append(one.one.low <= truth <= one.one.high)
        two = icc(person + rng.normal(0, 1, (1, 3)) + rng.normal(0, 2, (60, 3)))
        hit["agreement"].append(two.agreement.low <= truth <= two.agreement.high)
        hit["consistency"].append(two.consistency.low <= 0.8 <= two.consistency.high)
    assert np.mean(hit["one"]) == pytest.approx(0.95, abs=0.025)
    assert np.mean(hit["consistency"]) == pytest.approx(0.95, abs=0.025)
    assert 0.91 <= np.mean(hit["agreement"]) <= 0.99  # an approximation, with three readings to know their spread from


def test_repeatability_is_bland_and_altmans_by_hand():
    readings = np.array([[50.0, 52], [60, 58], [70, 72], [40, 40]])
    found = repeatability(readings)
    sd = np.sqrt(np.square(readings[:, 0] - readings[:, 1]).sum() / (2 * 4))
    assert found.within_sd == pytest.approx(sd)
    assert found.coefficient == pytest.approx(1.959964 * np.sqrt(2) * sd, rel=1e-6)
    assert (found.low / sd) ** 2 == pytest.approx(4 / 11.143287, rel=1e-6)  # χ² of 4 degrees at 0.975


def test_the_papers_icc_means_changes_below_seven_years_cannot_be_told():
    """At ICC 0.73 and a gap SD near 5 the smallest detectable change is about 7 years."""
    rng = np.random.default_rng(2)
    person = rng.normal(0, 4.9 * np.sqrt(0.73), (20_000, 1))
    found = repeatability(person + rng.normal(0, 4.9 * np.sqrt(0.27), (20_000, 2)))
    assert found.coefficient == pytest.approx(7.06, abs=0.1)


def test_limits_by_hand():
    found = limits_of_agreement([50, 60, 70, 40], [52, 58, 73, 41])
    assert found.differences.tolist() == [2, -2, 3, 1]
    assert found.means.tolist() == [51, 59, 71.5, 40.5]
    assert found.bias.value == 1
    assert found.sd == pytest.approx(np.sqrt(14 / 3))
    assert found.upper.value == pytest.approx(1 + 1.959964 * np.sqrt(14 / 3), rel=1e-6)
    assert found.lower.value - found.lower.low == pytest.approx(found.upper.high - found.upper.value)


@pytest.mark.slow
@pytest.mark.parametrize("n", [8, 40])
def test_limits_are_covered_as_often_as_promised_even_with_few_people(n):
    rng = np.random.default_rng(3)
    truth = 0.5 + 1.959964 * 2
    hit = []
    for _ in range(2000):
        found = limits_of_agreement(np.zeros(n), rng.normal(0.5, 2, n))
        hit.append((found.upper.low <= truth <= found.upper.high, found.lower.low <= 1 - truth <= found.lower.high))
    assert np.mean(hit, axis=0) == pytest.approx([0.95, 0.95], abs=0.016)


def test_with_many_people_the_exact_ends_are_bland_and_altmans():
    d = np.random.default_rng(4).normal(0, 3, 5000)
    found = limits_of_agreement(np.zeros(5000), d)
    error = found.sd * np.sqrt(1 / 5000 + 1.959964**2 / (2 * 4999))
    assert found.upper.high - found.upper.value == pytest.approx(1.96 * error, rel=0.02)


def test_perfect_agreement_is_one():
    found = icc(np.repeat([[1.0], [2], [3]], 2, axis=1))
    assert [x.value for x in (found.one, found.agreement, found.consistency)] == [1, 1, 1]
    assert found.agreement.low == 1
    nearly = np.repeat([[1.0], [2], [3]], 2, axis=1)
    nearly[0, 0] += 1e-15
    assert icc(nearly).agreement.value == icc(nearly).agreement.low == 1


def test_what_is_no_table_of_repeated_readings_is_refused():
    with pytest.raises(UsageError, match=r"readings of shape \(3,\)"):
        icc([1, 2, 3])
    with pytest.raises(TableError, match="2 people with repeated readings; wanted: at least 3"):
        icc([[1, 2], [3, 4]])
    with pytest.raises(TableError, match="1 missing readings"):
        icc([[1, 2], [3, np.nan], [5, 6]])
    with pytest.raises(TableError, match="3 people who all read alike"):
        icc([[1, 3], [3, 1], [2, 2]])
    with pytest.raises(UsageError, match=r"first readings of shape \(3,\), second of shape \(2,\)"):
        limits_of_agreement([1, 2, 3], [1, 2])
    with pytest.raises(TableError, match="2 complete pairs of 3"):
        limits_of_agreement([1, 2, 3], [1, 2, np.nan])
