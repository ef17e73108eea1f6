"""Perturbed scans, and statistics against published and hand-computed values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import TableError
from spineclock.measure.perturb import turned, with_wandering_edges
from spineclock.measure.repeatability import icc_agreement, repeatability

SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)


def test_icc_of_shrout_and_fleiss():
    assert icc_agreement(SHROUT_FLEISS) == pytest.approx(0.2898, abs=5e-5)  # their table 4, ICC(2,1)
    assert icc_agreement(np.array([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]])) == pytest.approx(1.0)
    assert np.isnan(icc_agreement(np.ones((1, 4))))


def _frame(values, level="L4/L5"):
    return pd.DataFrame(
        [
            {
                "person_id": str(p),
                "repeat": str(r),
                "structure": "disc",
                "level": level,
                "name": "height_mm",
                "value": float(v),
                "unit": "mm",
            }
            for p, row in enumerate(values)
            for r, v in enumerate(row)
        ]
    )


def test_within_person_sd_and_variation_by_hand():
    values = [[9, 11], [10, 10], [8, 12], [10, 10], [7, 13]]  # SDs √2, 0, √8, 0, √18
    row = repeatability(_frame(values)).iloc[0]
    assert row["within_sd"] == pytest.approx(np.sqrt((2 + 8 + 18) / 5))
    assert row["mean"] == pytest.approx(10.0)
    assert row["cv_percent"] == pytest.approx(10 * np.sqrt(28 / 5))


def test_people_with_a_gap_and_rare_levels_do_not_count():
    frame = pd.concat(
        [
            _frame(SHROUT_FLEISS),
            _frame([[1, 100, 1, 100]] * 3, "T9/T10"),
            _frame([[5, np.nan, 5, 5]], "L4/L5").assign(person_id="gap"),
        ]
    )
    row = repeatability(frame).iloc[0]
    assert row["icc"] == pytest.approx(0.2898, abs=5e-5)
    assert row["levels"] == 1


def test_a_table_without_repeats_is_refused():
    with pytest.raises(TableError, match=r"no column repeat; wanted: the columns person_id"):
        repeatability(_frame(SHROUT_FLEISS).drop(columns="repeat"))


def test_edges_wander_by_one_voxel_and_no_further(draw, lumbar):
    drawn = draw(lumbar([0.0] * 6))
    labels, bodies = with_wandering_edges(drawn.labels, drawn.bodies, np.random.default_rng(1))
    before, after = drawn.labels.array == 121, labels.array == 121
    lost, won = before & ~after, after & ~before
    assert lost.sum() > 50
    assert won.sum() > 50
    deep = before.copy()
    wide = before.copy()
    for axis in (1, 2):
        for step in (-1, 1):
            deep &= np.roll(before, step, axis)
            wide |= np.roll(before, step, axis)
    assert after[deep].all()
    assert not after[~wide].any()
    np.testing.assert_array_equal(bodies.array > 0, (labels.array > 0) & (labels.array < 60))


def test_edges_wander_the_same_way_for_the_same_seed_only(draw, lumbar):
    drawn = draw(lumbar([0.0] * 6))
    one, other, third = (
        with_wandering_edges(drawn.labels, drawn.bodies, np.random.default_rng(seed))[0].array for seed in (1, 1, 2)
    )
    assert (one == other).all()
    assert (one != third).any()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_turned_scan_keeps_its_middle_and_its_volume(draw, part, axis):
    drawn = draw([part(123, (55.0, 100.0), 30.0, 20.0, sideways=10.0)], (1.0, 0.5, 0.8), (40.0, 110.0, 200.0))
    volume, labels, _ = turned(drawn.volume, drawn.labels, drawn.bodies, 5.0, axis=axis)
    middles = [v.affine @ np.append((np.asarray(v.shape) - 1) / 2, 1) for v in (volume, drawn.volume)]
    np.testing.assert_allclose(*middles, atol=1e-9)
    corners = np.array([[i, j, k, 1] for i in (0, 39) for j in (0, 219) for k in (0, 249)]).T
    inside = np.linalg.inv(volume.affine) @ drawn.volume.affine @ corners
    assert (inside[:3] >= -1e-6).all()
    assert (inside[:3].max(axis=1) <= np.asarray(volume.shape) - 1 + 1e-6).all()
    assert volume.spacing_mm == pytest.approx(drawn.volume.spacing_mm)
    assert (labels.array == 123).sum() == pytest.approx((drawn.labels.array == 123).sum(), rel=0.02)
    cosines = volume.affine[:3, :3] / np.asarray(volume.spacing_mm)
    expected = [np.cos(np.radians(5))] * 3
    expected[axis] = 1.0
    np.testing.assert_allclose(np.diag(cosines), expected, atol=1e-6)


def test_edges_at_the_scans_border_do_not_wander_to_the_other_side(draw, part):
    drawn = draw([part(20, (60.0, 190.0), 34.0, 30.0), part(24, (60.0, 20.0), 34.0, 10.0)])
    labels, _ = with_wandering_edges(drawn.labels, drawn.bodies, np.random.default_rng(1))
    assert (labels.array == 20)[:, :, -1].any()
    assert not (labels.array == 20)[:, :, :200].any()
