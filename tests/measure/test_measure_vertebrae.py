"""Vertebral bodies drawn with known heights, wedges and hollows."""

from __future__ import annotations

import numpy as np
import pytest

from spineclock.core.volume import Mask
from spineclock.measure import spine


def _wide(drawn):
    return spine(drawn.volume, drawn.labels, drawn.bodies).wide()


@pytest.mark.parametrize("spacing", [(1.0, 0.5, 0.5), (4.0, 0.6, 0.6), (1.0, 0.45, 0.8)])
@pytest.mark.parametrize("degrees", [-25.0, 0.0, 12.0])
def test_heights_of_a_wedge(draw, part, spacing, degrees):
    """26 mm at the middle, 6 mm lower in front than at the back: the bands' middles lie 0.325 widths out."""
    wide = _wide(
        draw(
            [
                part(22, (60.0, 100.0), 34.0, 26.0, degrees, taper=-6.0),
                part(122, (60.0 + 18 * np.sin(np.radians(degrees)), 80.0), 30.0, 6.0, degrees),
            ],
            spacing,
        )
    )
    front, back = 26.0 - 6 * 0.325, 26.0 + 6 * 0.325
    assert wide["vertebra.L3.front_height_mm"] == pytest.approx(front, abs=0.3)
    assert wide["vertebra.L3.middle_height_mm"] == pytest.approx(26.0, abs=0.3)
    assert wide["vertebra.L3.back_height_mm"] == pytest.approx(back, abs=0.3)
    assert wide["vertebra.L3.front_to_back"] == pytest.approx(front / back, abs=0.015)
    assert wide["vertebra.L3.middle_to_back"] == pytest.approx(26.0 / back, abs=0.015)
    assert wide["vertebra.L3.width_mm"] == pytest.approx(34.0, rel=0.03)
    assert wide["vertebra.L3.wedge_deg"] == pytest.approx(-np.degrees(2 * np.arctan(3 / 34)), abs=1.0)


def test_a_waist_shows_as_lipping_and_a_node_as_irregularity(draw, part):
    smooth = draw([part(22, (60.0, 100.0), 34.0, 26.0)])
    waisted = draw(
        [part(22, (60.0, 100.0), 34.0, 26.0), part(0, (43.0, 100.0), 4.0, 10.0), part(0, (77.0, 100.0), 4.0, 10.0)]
    )
    pitted = draw([part(22, (60.0, 100.0), 34.0, 26.0), part(0, (66.0, 113.0), 6.0, 6.0)])
    assert _wide(smooth)["vertebra.L3.lipping"] == pytest.approx(1.0, abs=0.01)
    assert _wide(waisted)["vertebra.L3.lipping"] == pytest.approx(34 / 30, rel=0.02)
    assert _wide(smooth)["vertebra.L3.irregularity_mm"] < 0.1
    assert _wide(pitted)["vertebra.L3.irregularity_mm"] > 0.5


def test_the_body_is_measured_and_the_arch_counts_for_the_whole_volume_only(draw, part):
    drawn = draw([part(22, (60.0, 100.0), 34.0, 26.0), part(22, (20.0, 95.0), 10.0, 20.0)])
    y = np.arange(drawn.volume.shape[1]) * 0.5
    bodies = Mask(np.where((y > 35)[None, :, None], drawn.labels.array, 0), drawn.labels.affine)
    wide = spine(drawn.volume, drawn.labels, bodies).wide()
    assert wide["vertebra.L3.width_mm"] == pytest.approx(34.0, rel=0.02)
    assert wide["vertebra.L3.body_volume_mm3"] == pytest.approx(34 * 26 * 20, rel=0.02)
    assert wide["vertebra.L3.volume_mm3"] == pytest.approx((34 * 26 + 10 * 20) * 20, rel=0.02)


def test_texture_grows_with_patches_and_not_with_shading(draw, part):
    drawn = draw(
        [part(22, (60.0, 100.0), 34.0, 26.0, signal=100.0), part(61, (20.0, 100.0), 14.0, 190.0, signal=210.0)]
    )
    rows = np.arange(drawn.volume.shape[2]) * 0.5
    shading = 1 + 0.3 * (rows - 100) / 26
    waves = 1 + 0.1 * np.sin(2 * np.pi * rows / 10.0)  # 10 mm long: between the two scales

    def texture(factor):
        return spine(drawn.volume.with_array(drawn.volume.array * factor), drawn.labels, drawn.bodies).wide()

    assert texture(np.ones_like(rows))["vertebra.L3.texture"] < 1e-6
    assert texture(shading)["vertebra.L3.texture"] < 0.035
    # A wave of amplitude a keeps a·(e^−(2πs₁/λ)²/2 − e^−(2πs₂/λ)²/2) between the scales: 0.78 a, its SD 0.78 a/√2.
    assert texture(waves)["vertebra.L3.texture"] == pytest.approx(0.1 * 0.78 / np.sqrt(2), rel=0.25)
    assert texture(waves)["vertebra.L3.variation"] == pytest.approx(0.1 / np.sqrt(2) * 100 / 90, rel=0.1)


def test_without_a_canal_bone_and_disc_can_still_be_compared(draw, lumbar):
    wide = _wide(draw([p for p in lumbar([0.0] * 6) if p.label != 61]))
    assert np.isnan(wide["vertebra.L3.signal"])
    assert wide["vertebra.L3.signal_to_discs"] == pytest.approx(90 / 40)
    assert wide["disc.L3/L4.signal_to_bodies"] == pytest.approx(40 / 90)
