"""Angles of the whole, what is left out, and what never stops a scan."""

from __future__ import annotations

import numpy as np
import pytest

from spineclock.core.errors import GeometryError
from spineclock.core.volume import Mask, Volume
from spineclock.measure import Measurement, Measurements, spine
from spineclock.measure.perturb import turned


@pytest.mark.parametrize("spacing", [(1.0, 0.5, 0.5), (4.0, 0.6, 0.6), (1.0, 0.45, 0.8)])
@pytest.mark.parametrize("angles", [(0, 0, 0, 0, 0, 0), (18, 12, 5, -5, -16, -28), (8, 8, 4, -2, -10, -20)])
def test_lordosis_and_segment_angles(draw, lumbar, spacing, angles):
    drawn = draw(lumbar([float(a) for a in angles]), spacing)
    wide = spine(drawn.volume, drawn.labels, drawn.bodies).wide()
    assert wide["spine.lordosis_l1_l5_deg"] == pytest.approx(angles[0] - angles[4], abs=1.0)
    for n, disc in enumerate(("L1/L2", "L2/L3", "L3/L4", "L4/L5")):
        assert wide[f"disc.{disc}.segment_angle_deg"] == pytest.approx(angles[n] - angles[n + 1], abs=1.0)
        assert wide[f"disc.{disc}.height_mm"] == pytest.approx(6.0, abs=max(0.3, 0.6 * spacing[2]))
    # The disc below L5 lies half-way between L5 and the sacrum, and its two faces are parallel.
    assert wide["spine.lordosis_l1_s1_deg"] == pytest.approx(angles[0] - (angles[4] + angles[5]) / 2, abs=1.0)


@pytest.fixture(scope="module")
def bowed(draw, lumbar):
    """A lordotic spine on a background of 0, which is also what a turned grid sees outside the scan; as it lies."""
    drawn = draw(lumbar([12.0, 8.0, 2.0, -5.0, -16.0, -28.0]), (2.0, 0.6, 0.6), (30.0, 110.0, 200.0))
    volume = drawn.volume.with_array(drawn.volume.array - 10.0)
    return volume, drawn.labels, drawn.bodies, spine(volume, drawn.labels, drawn.bodies).wide()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_turning_the_patient_changes_little(bowed, axis):
    *scan, one = bowed
    other = spine(*turned(*scan, 5.0, axis=axis)).wide()
    for name in ("disc.L3/L4.height_mm", "vertebra.L3.height_mm", "vertebra.L3.width_mm", "disc.L3/L4.signal"):
        assert other[name] == pytest.approx(one[name], rel=0.03), name
    assert other["spine.lordosis_l1_l5_deg"] == pytest.approx(one["spine.lordosis_l1_l5_deg"], abs=1.0)


def test_the_plain_ridges_measurements_are_among_them(draw, lumbar):
    drawn = draw(lumbar([0.0] * 6))
    wide = spine(drawn.volume, drawn.labels, drawn.bodies).wide()
    for disc in ("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1"):
        for name in ("height_mm", "height_to_width", "signal", "signal_sd", "volume_mm3"):
            assert np.isfinite(wide[f"disc.{disc}.{name}"])
    for name in (
        "disc.mean.height_mm",
        "disc.min.height_mm",
        "disc.mean.height_to_width",
        "disc.min.height_to_width",
        "disc.mean.signal",
        "disc.min.signal",
        "disc.mean.signal_sd",
        "vertebra.mean.signal",
        "vertebra.mean.volume_mm3",
    ):
        assert np.isfinite(wide[name])


def test_slices_a_structure_is_missing_from_do_not_make_it_less_high(draw, lumbar):
    drawn = draw(lumbar([0.0] * 6))
    labels = np.array(drawn.labels.array)
    labels[:4][labels[:4] < 60] = 0
    labels[:4][labels[:4] > 100] = 0
    found = spine(drawn.volume, Mask(labels, drawn.labels.affine), drawn.bodies).wide()
    assert found["disc.L3/L4.height_mm"] == pytest.approx(6.0, abs=0.3)
    assert found["vertebra.L3.height_mm"] == pytest.approx(26.0, abs=0.3)


def test_what_the_field_of_view_cuts_is_flagged_and_left_out(draw, lumbar):
    drawn = draw(lumbar([0.0] * 6))
    top = round((175.0 + 5.0) / 0.5)  # L1 lies from 162 to 188 mm
    cropped = [type(v)(v.array[:, :, :top], v.affine) for v in (drawn.volume, drawn.labels, drawn.bodies)]
    found = spine(*cropped)
    assert found.cut == {("vertebra", "L1")}
    table = found.table
    assert not table[(table["structure"] == "vertebra") & (table["level"] == "L1")]["complete"].any()
    assert np.isfinite(table[(table["level"] == "L1") & (table["name"] == "height_mm")]["value"]).all()
    wide = found.wide()
    assert np.isnan(wide["vertebra.L1.height_mm"])
    assert wide["vertebra.min.height_mm"] == pytest.approx(26.0, abs=0.3)
    lordosis = table[table["name"] == "lordosis_l1_l5_deg"].iloc[0]
    assert not lordosis["complete"]


def test_a_highest_body_cut_short_by_the_segmentation_is_left_out(draw, lumbar, part):
    parts = [p for p in lumbar([0.0] * 6) if p.label != 20]
    drawn = draw([*parts, part(20, (60.0, 167.0), 34.0, 10.0)])
    assert spine(drawn.volume, drawn.labels, drawn.bodies).cut == {("vertebra", "L1")}


def test_a_narrow_lowest_disc_stays(draw, lumbar, part):
    parts = [p for p in lumbar([0.0] * 6) if p.label != 124]
    drawn = draw([*parts, part(124, (60.0, 13.0), 16.0, 4.0)])
    found = spine(drawn.volume, drawn.labels, drawn.bodies)
    assert found.cut == frozenset()
    assert found.wide()["disc.min.height_mm"] == pytest.approx(4.0, abs=0.3)


def test_one_odd_disc_stops_nothing(draw, lumbar):
    drawn = draw(lumbar([0.0] * 6))
    plain = spine(drawn.volume, drawn.labels, drawn.bodies).wide()
    labels = np.array(drawn.labels.array)
    labels[labels == 121] = 0
    labels[0, 3, 3] = 121
    odd = spine(drawn.volume, Mask(labels, drawn.labels.affine), drawn.bodies).wide()
    assert odd["disc.L4/L5.height_mm"] == plain["disc.L4/L5.height_mm"]
    assert "disc.L2/L3.height_mm" in odd


@pytest.mark.parametrize("kept", [(), (61,), (123,), (23,), (61, 123)])
def test_what_is_missing_gives_nan_and_no_exception(draw, lumbar, kept):
    drawn = draw([p for p in lumbar([0.0] * 6) if p.label in kept])
    wide = spine(drawn.volume, drawn.labels, drawn.bodies).wide()
    assert np.isnan(wide["spine.lordosis_l1_l5_deg"])
    assert np.isfinite(wide["spine.csf_spread"]) == (61 in kept)
    if 123 in kept:
        assert wide["disc.L4/L5.height_mm"] == pytest.approx(6.0, abs=0.3)
        assert np.isnan(wide["disc.L4/L5.signal"]) == (61 not in kept)
        assert np.isnan(wide["disc.L4/L5.height_index"])


def test_a_constant_scan_gives_no_ratios(draw, lumbar):
    drawn = draw(lumbar([0.0] * 6))
    wide = spine(drawn.volume.with_array(np.full(drawn.volume.shape, 7)), drawn.labels, drawn.bodies).wide()
    assert np.isnan(wide["disc.mean.signal"])
    assert wide["disc.mean.height_mm"] == pytest.approx(6.0, abs=0.3)


def test_grids_that_differ_are_refused(draw, lumbar):
    drawn = draw(lumbar([0.0] * 6))
    away = np.array(drawn.labels.affine)
    away[2, 3] += 5
    with pytest.raises(GeometryError, match=r"label map: the grids lie up to 5\.0 mm apart"):
        spine(drawn.volume, Mask(drawn.labels.array, away), drawn.bodies)
    with pytest.raises(GeometryError, match="map of bodies: shapes"):
        spine(drawn.volume, drawn.labels, Mask(drawn.bodies.array[1:], drawn.bodies.affine))


def test_aggregates_are_over_the_lowest_five():
    values = {"L5/S1": 5.0, "L4/L5": 9.0, "L3/L4": 8.0, "L2/L3": np.nan, "L1/L2": 6.0, "T12/L1": 1.0}
    rows = tuple(Measurement("disc", level, "height_mm", value, "mm") for level, value in reversed(values.items()))
    wide = Measurements(rows).wide()
    assert wide["disc.mean.height_mm"] == pytest.approx((5 + 9 + 8 + 6) / 4)
    assert (wide["disc.min.height_mm"], wide["disc.max.height_mm"]) == (5.0, 9.0)
    without = Measurements(rows, frozenset({("disc", "L5/S1")})).wide()
    assert without["disc.min.height_mm"] == 1.0


def test_an_oblique_affine_changes_nothing(draw, lumbar):
    drawn = draw(lumbar([12.0, 8.0, 2.0, -5.0, -16.0, -28.0]))
    cos, sin = np.cos(0.4), np.sin(0.4)
    turn = np.array([[cos, -sin, 0, 5], [sin, cos, 0, -80], [0, 0, 1, 3], [0, 0, 0, 1.0]])
    one = spine(drawn.volume, drawn.labels, drawn.bodies).table
    moved = [type(v)(v.array, turn @ v.affine) for v in (drawn.volume, drawn.labels, drawn.bodies)]
    np.testing.assert_allclose(spine(*moved).table["value"], one["value"], rtol=1e-6, equal_nan=True)
    assert isinstance(moved[0], Volume)
