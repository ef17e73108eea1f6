"""Grey values against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from spineclock.core.errors import RefusedError
from spineclock.prep.intensity import Scale, standardised


def test_a_thousand_values_lose_five_at_each_end():
    values = np.random.default_rng(0).permutation(np.arange(1000.0))
    out = standardised(values, np.ones(1000, bool))
    # the 5th smallest of 1,000 (value 4) is the 0.5 percentile, the 995th (value 994) the 99.5
    clipped = values.clip(4, 994)
    assert out == pytest.approx((clipped - clipped.mean()) / clipped.std(), abs=1e-5)
    assert np.count_nonzero(out == out.min()) == 5
    assert np.count_nonzero(out == out.max()) == 6


def test_outside_counts_for_nothing_and_stays_nought():
    rng = np.random.default_rng(1)
    array, inside = rng.gamma(2, 100, (5, 6, 7)), rng.random((5, 6, 7)) < 0.4
    out = standardised(array, inside)
    assert (out[~inside] == 0).all()
    assert out[inside].mean() == pytest.approx(0, abs=1e-6)
    assert out[inside].std() == pytest.approx(1, abs=1e-6)
    array[~inside] = 1e9
    assert (standardised(array, inside) == out).all()


@pytest.mark.parametrize(("factor", "offset"), [(1000.0, 0.0), (1e-3, 0.0), (3.0, -500.0)])
def test_scale_and_offset_of_the_scanner_do_not_matter(factor, offset):
    array = np.random.default_rng(2).gamma(2, 100, 2000)
    inside = np.arange(2000) % 3 > 0
    assert standardised(array * factor + offset, inside) == pytest.approx(standardised(array, inside), abs=1e-5)


def test_twice_is_once():
    array, inside = np.random.default_rng(3).gamma(1, 100, 3001), np.ones(3001, bool)
    once = standardised(array, inside)
    assert standardised(once, inside) == pytest.approx(once, abs=1e-6)


def test_a_flat_or_empty_spine_is_refused():
    with pytest.raises(RefusedError, match="one grey value throughout \\(7\\)"):
        standardised(np.full(50, 7.0), np.ones(50, bool))
    with pytest.raises(RefusedError, match="none of the spine lies in the prepared volume"):
        standardised(np.arange(50.0), np.zeros(50, bool))


def test_a_scale_seen_from_another_gives_the_same_values():
    rng = np.random.default_rng(5)
    wide, narrow = rng.gamma(2, 100, 5000), rng.gamma(2, 130, 800)
    one, other = Scale.of(wide), Scale.of(narrow)
    unclipped = (narrow - one.mean) / one.sd
    assert other.seen_from(one).standard(unclipped) == pytest.approx(other.standard(narrow), abs=1e-12)
    assert (one.seen_from(one).mean, one.seen_from(one).sd) == (0, 1)
