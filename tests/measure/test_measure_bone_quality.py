"""The bone quality score of drawn spines whose every signal is known."""

from __future__ import annotations

import numpy as np
import pytest

from spineclock.core.bone import ReferenceSignal
from spineclock.core.errors import UsageError
from spineclock.core.volume import Mask, Volume
from spineclock.measure.body_frames import body_frames, body_pieces
from spineclock.measure.bone_quality import bone_quality, marrow_region

MARROW = {220: 300.0, 221: 320.0, 222: 260.0, 223: 380.0}
CSF, FAT, MUSCLE, EDGE, VEIN = 125.0, 620.0, 160.0, 30.0, 900.0


def spine(csf_label=62, muscle=True):
    """Upright bodies of 34 × 26 mm with 2 mm of dark cortex and a bright vein, CSF, fat and muscle behind."""
    spacing = (2.0, 0.5, 0.5)
    y, z = np.arange(280)[:, None] * 0.5, np.arange(340)[None] * 0.5
    labels, grey = np.zeros((9, 280, 340), np.uint8), np.full((9, 280, 340), 5.0)
    for n, (number, signal) in enumerate(MARROW.items()):
        u, v = y - 100, z - (145 - 38 * n)
        inside = (np.abs(u) < 17) & (np.abs(v) < 13)
        core = (np.abs(u) < 15) & (np.abs(v) < 11)
        labels[:, inside] = number
        grey[:, inside], grey[:, core] = EDGE, signal
        grey[:, core & (u < -4) & (np.abs(v) < 2.5)] = VEIN
    for label, (low, high), signal in ((csf_label, (66, 80), CSF), (75, (5, 30), FAT), (73, (35, 60), MUSCLE)):
        if label != 73 or muscle:
            here = np.broadcast_to((y >= low) & (y < high), grey.shape[1:])
            labels[:, here], grey[:, here] = label, signal
    affine = np.diag([*spacing, 1.0])
    return Volume(grey, affine), Mask(labels, affine)


def test_scores_are_the_ratios_of_what_was_drawn():
    volume, labels = spine()
    found = bone_quality(volume, labels, weighting="T1w")
    assert {m.level: m.signal for m in found.levels} == {"L1": 300.0, "L2": 320.0, "L3": 260.0, "L4": 380.0}
    assert found.vbq == pytest.approx(310 / CSF)
    assert (found.to_csf, found.to_fat, found.to_muscle) == pytest.approx((310 / CSF, 310 / FAT, 310 / MUSCLE))
    assert found.marrow_variation == 0
    assert found.reasons == {}
    assert found.wide()["L4.to_csf"] == pytest.approx(380 / CSF)


def test_cortex_and_vein_stay_out():
    volume, labels = spine()
    frame = body_frames(labels)["L2"]
    piece = body_pieces(volume, labels).bodies[21]
    region = marrow_region(piece, frame, labels.affine)
    area_mm2 = region[4].sum() * 0.25
    depth, height = 33.5, 25.5  # samples on the edges are outside
    vein_mm2 = (0.45 * depth - 3) * 0.34 * height
    assert area_mm2 == pytest.approx((depth - 6) * (height - 6) - vein_mm2, rel=0.03)
    assert set(np.unique(piece.samples[region])) == {320.0}


def test_marrow_that_is_uneven_by_a_known_sd():
    volume, labels = spine()
    noisy = volume.with_array(volume.array + np.random.default_rng(0).normal(0, 30, volume.shape))
    found = bone_quality(noisy, labels, weighting="T1w")
    assert found.marrow_variation == pytest.approx(30 / 310, rel=0.05)
    assert found.levels[0].sd == pytest.approx(30, rel=0.05)


def test_no_factor_and_no_order_of_storage_matters():
    volume, labels = spine()
    one = bone_quality(volume, labels, weighting="T1w").wide()
    flipped = np.diag([1.0, -1, 1, 1]) @ volume.affine
    flipped[1, 3] = volume.affine[1, 1] * (volume.shape[1] - 1)
    flipped = flipped[:, [2, 0, 1, 3]]
    array, marks = (a.array[:, ::-1].transpose(2, 0, 1) for a in (volume, labels))
    other = bone_quality(Volume(7.5 * array, flipped), Mask(marks, flipped), weighting="T1w").wide()
    assert other == pytest.approx(one)


def test_a_canal_marked_as_a_whole_counts_by_its_percentile():
    volume, labels = spine(csf_label=61)
    grey = np.array(volume.array)
    canal = np.argwhere(labels.array == 61)
    odd = canal[(canal[:, 2] % 5 < 2)]  # two fifths of the canal are roots
    for weighting, roots in (("T1w", 220.0), ("T2w", 60.0)):
        grey[tuple(odd.T)] = roots
        found = bone_quality(volume.with_array(grey), labels, weighting=weighting)
        assert found.references["csf"].signal == CSF
        assert found.to_csf == pytest.approx(310 / CSF)


def test_what_is_not_there_is_nan_with_its_reason():
    volume, labels = spine(muscle=False)
    array = np.array(labels.array)
    array[array == 220] = 0
    found = bone_quality(volume, labels.with_array(array), weighting="T1w")
    assert np.isnan([found.vbq, found.to_muscle]).all()
    assert found.to_csf == pytest.approx(320 / CSF)
    assert found.reasons == {"vbq": "L1 not whole in view", "to_muscle": "the label map marks no muscle"}
    on_t2 = bone_quality(volume, labels, weighting="T2w")
    assert on_t2.reasons["vbq"].startswith("the score is defined on T1-weighted images")
    array[array == 222] = 0
    assert (
        "L3, at whose height CSF is taken"
        in bone_quality(volume, labels.with_array(array), weighting="T1w").reasons["to_csf"]
    )
    nothing = bone_quality(volume, labels.with_array(np.zeros_like(array)), weighting="T1w")
    assert set(nothing.reasons.values()) == {"none of L1–L4 is whole in view"}
    assert np.isnan(list(nothing.wide().values())).all()


def test_tissues_may_be_marked_by_another_map():
    volume, labels = spine()
    bare = labels.with_array(np.where(labels.array == 75, 0, labels.array))
    assert np.isnan(bone_quality(volume, bare, weighting="T1w").to_fat)
    found = bone_quality(volume, bare, weighting="T1w", tissues=labels)
    assert found.to_fat == pytest.approx(310 / FAT)


def test_another_weighting_is_refused():
    volume, labels = spine()
    with pytest.raises(UsageError, match="weighted 'PD'; wanted: T1w or T2w"):
        bone_quality(volume, labels, weighting="PD")


def test_a_reference_without_signal_is_not_known():
    assert not ReferenceSignal("csf").known
    assert ReferenceSignal("csf", 100.0, 50).known
