"""Boxes of bodies whose tilt and size are known."""

from __future__ import annotations

import numpy as np
import pytest

from spineclock.core.errors import GeometryError
from spineclock.core.volume import Mask
from spineclock.measure.body_frames import body_frames

ANGLES = (14.0, 6.0, -4.0, -12.0, -20.0, -30.0)


def two_hundred(bodies):
    return bodies.with_array(np.where(bodies.array > 0, bodies.array + 200, 0).astype(np.uint8))


def test_tilts_and_extents_are_those_that_were_drawn(draw, lumbar):
    spine = draw(lumbar(ANGLES), extent=(20.0, 110.0, 210.0))
    frames = body_frames(spine.labels, two_hundred(spine.bodies))
    assert list(frames)[:5] == ["L1", "L2", "L3", "L4", "L5"]
    for level, degrees in zip(("L1", "L2", "L3", "L4", "L5"), ANGLES, strict=False):
        frame = frames[level]
        assert np.degrees(np.arctan2(frame.front[2], frame.front[1])) == pytest.approx(degrees, abs=0.6)
        assert np.dot(frame.front, frame.up) == pytest.approx(0, abs=1e-12)
        assert frame.depth_mm == pytest.approx(34.0, abs=0.6)
        assert frame.height_mm == pytest.approx(26.0, abs=0.6)
        assert not frame.cut


def test_the_middle_is_the_boxs_and_from_side_to_side_the_canals(draw, part):
    spine = draw([part(22, (66.0, 90.0), 34.0, 26.0, 10.0), part(61, (30.0, 100.0), 14.0, 190.0)])
    middle = body_frames(spine.labels, two_hundred(spine.bodies))["L3"].middle_mm
    assert middle == pytest.approx((9.0, 66.0 - 0.065, 90.0 - 0.065), abs=0.15)


def test_the_thin_tip_of_an_osteophyte_is_no_edge(draw, part):
    body, tip = part(22, (66.0, 90.0), 34.0, 26.0), part(22, (86.0, 102.0), 12.0, 2.0)
    frames = [body_frames(s.labels, two_hundred(s.bodies)) for s in (draw([body]), draw([body, tip]))]
    assert frames[1]["L3"].depth_mm == pytest.approx(frames[0]["L3"].depth_mm, abs=0.5)


def test_a_map_that_tells_bodies_and_arches_apart_needs_no_other(draw, lumbar):
    spine = draw(lumbar(ANGLES))
    marked = two_hundred(spine.bodies)
    whole = spine.labels.with_array(np.where(marked.array > 0, marked.array, spine.labels.array).astype(np.uint8))
    assert body_frames(whole) == body_frames(spine.labels, marked)


def test_a_body_at_the_border_is_marked_as_cut(draw, part):
    spine = draw([part(22, (60.0, 8.0), 34.0, 26.0), part(21, (60.0, 60.0), 34.0, 26.0)])
    frames = body_frames(spine.labels, two_hundred(spine.bodies))
    assert (frames["L3"].cut, frames["L2"].cut) == (True, False)


def test_two_grids_are_refused(draw, part):
    spine = draw([part(22, (60.0, 60.0), 34.0, 26.0)])
    with pytest.raises(GeometryError, match="the scan and its map of bodies"):
        body_frames(spine.labels, Mask(spine.bodies.array[1:], spine.bodies.affine))
