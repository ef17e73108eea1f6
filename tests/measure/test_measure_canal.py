"""Canals drawn with a known depth and area."""

from __future__ import annotations

import pytest

from spineclock.measure import spine


@pytest.mark.parametrize("spacing", [(1.0, 0.5, 0.5), (4.0, 0.6, 0.6)])
@pytest.mark.parametrize("degrees", [0.0, 15.0])
def test_depth_and_area_across_the_canals_own_direction(draw, part, spacing, degrees):
    drawn = draw(
        [
            part(61, (25.0, 100.0), 15.0, 150.0, degrees, sideways=16.0),
            part(123, (60.0, 100.0), 36.0, 9.0, degrees),
        ],
        spacing,
        extent=(24.0, 110.0, 200.0),
    )
    rows = spine(drawn.volume, drawn.labels, drawn.bodies).table
    rows = rows[rows["structure"] == "canal"].set_index("name")
    assert rows.at["depth_mm", "value"] == pytest.approx(15.0, abs=0.3)
    assert rows.at["area_mm2", "value"] == pytest.approx(15.0 * 16.0, rel=0.03)
    assert rows["complete"].all()


def test_an_area_cut_by_the_slab_is_flagged_and_the_depth_is_not(draw, part):
    drawn = draw([part(61, (25.0, 100.0), 15.0, 150.0), part(123, (60.0, 100.0), 36.0, 9.0)])
    rows = spine(drawn.volume, drawn.labels, drawn.bodies).table
    rows = rows[rows["structure"] == "canal"].set_index("name")
    assert not rows.at["area_mm2", "complete"]
    assert rows.at["depth_mm", "complete"]


def test_a_narrow_place_is_found_at_its_own_level(draw, part, lumbar):
    parts = lumbar([0.0] * 6)
    l34 = next(p for p in parts if p.label == 122)
    drawn = draw([*parts, part(0, (27.0, l34.centre[1]), 8.0, 12.0)])
    wide = spine(drawn.volume, drawn.labels, drawn.bodies).wide()
    assert wide["canal.L3/L4.depth_mm"] == pytest.approx(10.0, abs=0.3)
    assert wide["canal.L2/L3.depth_mm"] == pytest.approx(14.0, abs=0.3)
    assert wide["canal.min.depth_mm"] == wide["canal.L3/L4.depth_mm"]


def test_no_canal_at_a_level_gives_no_depth(draw, part):
    drawn = draw([part(61, (25.0, 30.0), 15.0, 40.0), part(123, (60.0, 150.0), 36.0, 9.0)])
    rows = spine(drawn.volume, drawn.labels, drawn.bodies).table
    assert rows[rows["structure"] == "canal"]["value"].isna().all()


def test_where_the_canal_ends_the_fluid_is_taken_from_what_is_nearest(draw, part):
    """The canal's lowest 2 mm are dark and lie 38 mm from the disc; 2 cm³ of it reach 7 mm further, into the fluid."""
    drawn = draw(
        [
            part(61, (20.0, 150.0), 14.0, 40.0, signal=210.0),
            part(61, (20.0, 131.0), 14.0, 2.0, signal=20.0),
            part(123, (60.0, 92.5), 36.0, 9.0, signal=60.0),
        ]
    )
    wide = spine(drawn.volume, drawn.labels, drawn.bodies).wide()
    assert wide["disc.L4/L5.signal"] == pytest.approx(50 / 200)
