"""Discs drawn with known heights, tilts and signals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spineclock.measure import spine

SPACINGS = [(1.0, 0.5, 0.5), (4.0, 0.6, 0.6), (3.3, 0.9, 0.9), (1.0, 0.45, 0.6), (4.0, 1.0, 0.6), (0.8, 0.8, 1.5)]
CSF = 210.0


def _table(drawn):
    return spine(drawn.volume, drawn.labels, drawn.bodies).table


def _of(table: pd.DataFrame, name: str, level: str = "L4/L5", structure: str = "disc") -> float:
    found = table[(table["name"] == name) & (table["level"] == level) & (table["structure"] == structure)]
    assert len(found) == 1, found
    return float(found["value"].iloc[0])


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("degrees", [-35.0, -10.0, 0.0, 17.0])
def test_a_tilted_box_has_its_height_and_width(draw, part, spacing, degrees):
    drawn = draw(
        [part(61, (20.0, 100.0), 14.0, 190.0, signal=CSF), part(123, (60.0, 100.0), 36.0, 9.0, degrees)], spacing
    )
    table = _table(drawn)
    assert _of(table, "height_mm") == pytest.approx(9.0, abs=0.3)
    assert _of(table, "width_mm") == pytest.approx(36.0, rel=0.03)
    assert _of(table, "height_to_width") == pytest.approx(0.25, rel=0.04)
    assert _of(table, "wedge_deg") == pytest.approx(0.0, abs=1.0)


@pytest.mark.parametrize("shift", [0.1, 0.25, 0.5, 0.8])
def test_an_ellipse_has_the_mean_height_of_its_middle(draw, part, shift):
    """Mean of h·√(1 − t²) over |t| ≤ a; the width is that over the middle half of the height, which changes a."""
    height, width = 12.0, 38.0
    drawn = draw([part(123, (60.0, 100.0), width, height, 8.0, shape="ellipse")], (4.0, 0.6, 0.6), shift=shift)
    table = _table(drawn)

    def mean_chord(a: float) -> float:
        return (a * np.sqrt(1 - a**2) + np.arcsin(a)) / (2 * a)

    # The width's band is a quarter of the mean height over the middle third of √12 σ = √3/2 of the width, each way.
    band = mean_chord(np.sqrt(3) / 6) * height / 4
    expected_width = width * mean_chord(2 * band / height)
    expected_height = height * mean_chord(0.8 * expected_width / width)
    assert _of(table, "width_mm") == pytest.approx(expected_width, rel=0.02)
    assert _of(table, "height_mm") == pytest.approx(expected_height, rel=0.02)


def test_a_wedge_has_its_angle(draw, part):
    drawn = draw([part(124, (60.0, 100.0), 36.0, 10.0, -30.0, taper=6.0)])
    expected = np.degrees(2 * np.arctan(3.0 / 36.0))
    assert _of(_table(drawn), "wedge_deg", "L5/S1") == pytest.approx(expected, abs=0.5)


def test_signals_are_ratios_to_fluid_above_background(draw, part):
    """Nucleus 90, the rest 50, fluid 210, background 10: 0.4 and 0.2 of fluid."""
    drawn = draw(
        [
            part(61, (20.0, 100.0), 14.0, 190.0, signal=CSF),
            part(123, (60.0, 100.0), 36.0, 12.0, signal=50.0),
            part(123, (60.0, 100.0), 18.0, 12.0, signal=90.0),
        ]
    )
    table = _table(drawn)
    assert _of(table, "nucleus_signal") == pytest.approx(0.4)
    assert _of(table, "nucleus_contrast") == pytest.approx(0.2)
    assert _of(table, "signal_p90") == pytest.approx(0.4)
    assert _of(table, "signal_p10") == pytest.approx(0.2)
    share = 18.0 / 35.0  # half a millimetre of margin at each end leaves 35 mm of width
    assert _of(table, "signal") == pytest.approx(0.2 + 0.2 * share, abs=0.005)
    assert _of(table, "signal_sd") == pytest.approx(0.2 * np.sqrt(share * (1 - share)), abs=0.003)


def test_signals_do_not_depend_on_the_scale_of_samples(draw, lumbar):
    drawn = draw(lumbar([10.0, 5.0, 0.0, -10.0, -20.0, -35.0]))
    noise = np.random.default_rng(3).normal(0, 8, drawn.volume.shape)
    noisy = drawn.volume.with_array(drawn.volume.array + noise)
    scaled = noisy.with_array(7.3 * noisy.array - 1234.5)
    one = spine(noisy, drawn.labels, drawn.bodies).table
    other = spine(scaled, drawn.labels, drawn.bodies).table
    np.testing.assert_allclose(one["value"], other["value"], rtol=1e-3, atol=1e-4, equal_nan=True)


def test_shading_along_the_spine_cancels_against_the_fluid_beside_it(draw, lumbar):
    drawn = draw(lumbar([0.0] * 6))
    height = np.linspace(0.5, 1.0, drawn.volume.shape[2])
    shaded_volume = drawn.volume.with_array(10.0 + (drawn.volume.array - 10.0) * height)
    plain = spine(drawn.volume, drawn.labels, drawn.bodies).wide()
    shaded = spine(shaded_volume, drawn.labels, drawn.bodies).wide()
    assert plain["disc.L3/L4.signal"] == pytest.approx(40 / 200)
    # The 75th percentile of the fluid within 40 mm lies 20 mm higher up: a quarter of a per cent per mm of 200 mm.
    at = (next(p for p in lumbar([0.0] * 6) if p.label == 122).centre[1] - 0.0) / 200
    expected = 0.2 * (0.5 + 0.5 * at) / (0.5 + 0.5 * (at + 0.1))
    assert shaded["disc.L3/L4.signal"] == pytest.approx(expected, rel=0.01)
    assert shaded["disc.L3/L4.signal_to_bodies"] == pytest.approx(plain["disc.L3/L4.signal_to_bodies"], rel=0.01)


def test_volume_is_flagged_where_the_slab_cuts_but_the_section_area_is_not(draw, part):
    wide = _table(draw([part(123, (60.0, 100.0), 36.0, 9.0)], (2.0, 0.5, 0.5))).set_index("name")
    narrow = _table(draw([part(123, (60.0, 100.0), 36.0, 9.0, sideways=12.0)], (2.0, 0.5, 0.5))).set_index("name")
    assert not wide.at["volume_mm3", "complete"]
    assert narrow.at["volume_mm3", "complete"]
    assert narrow.at["volume_mm3", "value"] == pytest.approx(36 * 9 * 12, rel=0.01)
    assert wide.at["section_area_mm2", "value"] == pytest.approx(36 * 9, rel=0.01)
    assert wide.at["section_area_mm2", "complete"]


@pytest.mark.parametrize("degrees", [0.0, 20.0])
def test_bulge_is_how_far_a_disc_stands_back_behind_its_neighbours(draw, part, degrees):
    """A disc 36 wide, 2.5 mm further back than two bodies 34 wide: its back edge lies 3.5 mm behind theirs."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))

    def at(u: float, v: float) -> tuple[float, float]:
        return 60 + u * cos - v * sin, 100 + u * sin + v * cos

    drawn = draw(
        [
            part(23, at(0, 19.0), 34.0, 28.0, degrees),
            part(24, at(1.5, -19.0), 34.0, 28.0, degrees),
            part(123, at(-2.5, 0), 36.0, 10.0, degrees),
        ],
        (4.0, 0.6, 0.6),
    )
    table = _table(drawn)
    assert _of(table, "bulge_mm") == pytest.approx(3.5 + 0.75, abs=0.3)
    assert _of(table, "slip_mm") == pytest.approx(-1.5, abs=0.3)
    assert _of(table, "tip_mm") == pytest.approx(0.0, abs=0.3)


def test_a_tongue_of_disc_makes_a_tip(draw, part):
    """A tongue 3 mm long and 3 mm high behind a disc 8 mm high, whose middle half it fills to three quarters."""
    drawn = draw([part(123, (60.0, 100.0), 36.0, 8.0), part(123, (41.0, 100.0), 4.0, 3.0)])
    assert _of(_table(drawn), "tip_mm") == pytest.approx(3.0 * 0.25, abs=0.3)


def test_height_index_is_over_the_neighbouring_bodies(draw, lumbar):
    wide = spine(*_parts(draw(lumbar([0.0] * 6, body=25.0)))).wide()
    assert wide["disc.L2/L3.height_index"] == pytest.approx(6.0 / 25.0, rel=0.02)
    assert wide["disc.L2/L3.signal_to_bodies"] == pytest.approx(40 / 90, rel=1e-6)
    assert wide["vertebra.L3.signal_to_discs"] == pytest.approx(90 / 40, rel=1e-6)


def _parts(drawn):
    return drawn.volume, drawn.labels, drawn.bodies
