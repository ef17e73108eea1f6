"""What is refused and what is to be checked, each by a drawn spine with one thing wrong with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spineclock.core.records import Quality, Scan
from spineclock.core.volume import Mask, Volume
from spineclock.segment.instances import Instance, Instances
from spineclock.segment.legible import header_quality, spine_quality

DISC, BONE, CSF, AIR = 150, 100, 300, 5
LEVELS = ("L5", "L4", "L3", "L2", "L1", "T12")
NUMBERS = (24, 23, 22, 21, 20, 19)


def column(levels: int = 6, *, pitch_mm: float = 36.0, confidence: float = 0.95) -> Instances:
    """Blocks one above the other, a canal behind them; discs below each vertebra; 1 mm voxels, 4 mm slices."""
    labels = np.zeros((7, 60, 300), np.uint8)
    labels[2:5, 10:20, 5:295] = 61
    vertebrae, discs = [], []
    for n in range(levels):
        z = 66 + 36 * n
        labels[1:6, 24:54, z : z + 8] = 100 + NUMBERS[n]
        labels[1:6, 24:54, z + 8 : z + 36] = NUMBERS[n]
        height = 70 + pitch_mm * n
        below = "S1" if n == 0 else LEVELS[n - 1]
        vertebrae.append(Instance(LEVELS[n], NUMBERS[n], True, (12.0, 39.0, height + 18), 5 * 30 * 28, 0.9))
        discs.append(Instance(f"{LEVELS[n]}/{below}", 100 + NUMBERS[n], True, (12.0, 39.0, height), 5 * 30 * 8, 0.9))
    return Instances(Mask(labels, np.diag([4.0, 1, 1, 1])), tuple(vertebrae), tuple(discs), confidence)


def pictured(found: Instances, *, bone: float = BONE, csf: float = CSF) -> Scan:
    labels = found.labels.array
    array = np.full(labels.shape, AIR, np.int16)
    array[(labels > 0) & (labels < 60)] = bone
    array[labels > 100] = DISC
    array[labels == 61] = csf
    return Scan("x", Volume(array, found.labels.affine), Path("x.nii.gz"), modality="MR", sequence="T2w")


def judged(found: Instances, **grey: float) -> Quality:
    return spine_quality(found, pictured(found, **grey), Quality())


def grid(shape: tuple[int, int, int], spacing: tuple[float, float, float], **facts: object) -> Scan:
    return Scan("x", Volume(np.zeros(shape, np.int16), np.diag([*spacing, 1.0])), Path("x.nii.gz"), **facts)


def only(quality: Quality) -> tuple[str, str]:
    assert len(quality.reasons) == 1, quality.reasons
    return quality.verdict, quality.reasons[0]


# --- what header and grid tell ---------------------------------------------------------------------------------------


def test_a_sagittal_mr_slab_passes():
    assert header_quality(grid((7, 200, 300), (4, 1, 1), modality="MR")) == Quality()
    assert header_quality(grid((7, 200, 300), (4, 1, 1))) == Quality()


def test_ct_is_refused_by_its_header():
    verdict, reason = only(header_quality(grid((7, 200, 300), (4, 1, 1), modality="CT")))
    assert verdict == "refused"
    assert reason.startswith("this is CT, not MRI; export the sagittal T2")


@pytest.mark.parametrize(("slices", "said"), [(1, "1 sagittal slice:"), (4, "4 sagittal slices:")])
def test_a_picture_or_a_projection_is_refused(slices, said):
    verdict, reason = only(header_quality(grid((slices, 200, 300), (4, 1, 1))))
    assert verdict == "refused"
    assert reason.startswith(said)
    assert "wanted at least 5" in reason


@pytest.mark.parametrize(
    ("shape", "spacing", "plane"), [((200, 300, 9), (1, 1, 4), "axial"), ((200, 9, 300), (1, 4, 1), "coronal")]
)
def test_slices_in_another_plane_are_refused(shape, spacing, plane):
    assert only(header_quality(grid(shape, spacing))) == (
        "refused",
        f"the slices are {plane}; wanted a sagittal series",
    )


def test_notes_of_reading_become_reasons_to_check():
    quality = header_quality(grid((7, 200, 300), (4, 1, 1), notes=("the weighting is not stated", "burned-in text")))
    assert quality == Quality("check", ("the weighting is not stated", "burned-in text"))


# --- what the outlined spine tells ----------------------------------------------------------------------------------


def test_a_whole_lumbar_spine_in_t2_passes():
    assert judged(column()) == Quality()


def test_reasons_of_before_are_kept():
    found = column()
    before = Quality("check", ("burned-in text",))
    assert spine_quality(found, pictured(found), before) == before


def test_the_reason_of_a_refusal_comes_first():
    before = Quality("check", ("the weighting is not stated",))
    quality = spine_quality(column(2), pictured(column(2)), before)
    assert quality.reasons[0].startswith("too few levels")
    assert quality.reasons[1:] == before.reasons


def test_no_spine_is_refused():
    found = replace(column(), vertebrae=(), discs=(), confidence=0.0)
    assert only(judged(found)) == ("refused", "no spine was found")


def test_too_few_levels_are_refused():
    verdict, reason = only(judged(column(2)))
    assert verdict == "refused"
    assert "2 complete discs and 2 vertebrae were found; wanted at least 3" in reason


def test_discs_that_are_cut_do_not_count():
    found = column(3)
    found = replace(found, discs=(replace(found.discs[0], complete=False), *found.discs[1:]))
    assert "2 complete discs and 3 vertebrae" in only(judged(found))[1]


@pytest.mark.parametrize("pitch_mm", [16.0, 56.0])
def test_discs_no_human_spine_has_are_refused(pitch_mm):
    verdict, reason = only(judged(column(pitch_mm=pitch_mm)))
    assert verdict == "refused"
    assert f"lies {pitch_mm:.0f} mm apart" in reason
    assert "check the header's pixel spacing" in reason


@pytest.mark.parametrize("pitch_mm", [18.0, 54.0])
def test_distances_at_the_ends_of_what_spines_have_pass(pitch_mm):
    assert judged(column(pitch_mm=pitch_mm)).verdict == "ok"


def test_t1_like_contrast_is_refused():
    verdict, reason = only(judged(column(), bone=200, csf=60))
    assert verdict == "refused"
    assert reason == "the canal is darker than bone, as in T1-weighted images; wanted T2"


def test_a_spine_without_canal_is_refused():
    found = column()
    labels = found.labels.with_array(np.where(found.labels.array == 61, 0, found.labels.array))
    assert only(judged(replace(found, labels=labels)))[1].startswith("no spinal canal was found")


@pytest.mark.parametrize(
    ("confidence", "verdict", "said"),
    [
        (0.39, "refused", "the segmentation is not to be trusted (confidence 0.39)"),
        (0.41, "check", "low confidence of the segmentation (0.41): look at the outlines"),
        (0.74, "check", "low confidence of the segmentation (0.74): look at the outlines"),
    ],
)
def test_low_confidence_is_to_be_checked_and_lower_is_refused(confidence, verdict, said):
    assert only(judged(column(confidence=confidence))) == (verdict, said)


def test_confidence_above_the_limit_passes():
    assert judged(column(confidence=0.76)).verdict == "ok"


def test_metal_is_to_be_checked():
    found = column()
    scan = pictured(found)
    array = scan.volume.array.copy()
    array[(found.labels.array == 22) | (found.labels.array == 23)] = 2  # two of six vertebrae black
    quality = spine_quality(found, replace(scan, volume=scan.volume.with_array(array)), Quality())
    assert only(quality) == ("check", "dark voids within the vertebrae: metal, or a damaged image")


def test_doubts_about_the_count_are_to_be_checked():
    found = replace(column(), notes=("L2 and L3 are fused",))
    assert only(judged(found)) == ("check", "L2 and L3 are fused")


def test_a_cut_lowest_vertebra_is_to_be_checked():
    found = column()
    found = replace(found, vertebrae=(replace(found.vertebrae[0], complete=False), *found.vertebrae[1:]))
    verdict, reason = only(judged(found))
    assert verdict == "check"
    assert reason.startswith("the lowest vertebra, taken for L5, is cut: levels may be misnamed")


def test_a_cropped_lumbar_spine_is_to_be_checked():
    assert only(judged(column(4))) == ("check", "4 of the 5 lumbar discs are complete in view")


def test_a_lowest_disc_near_the_border_leaves_no_room_for_the_sacrum():
    found = column()
    lowered = replace(found.discs[0], centroid_mm=(12.0, 39.0, 20.0))
    verdict, reason = only(judged(replace(found, discs=(lowered, *found.discs[1:]))))
    assert verdict == "check"
    assert "taken for L5/S1, lies 20 mm above the picture's lower border" in reason


def test_a_lowest_vertebra_without_a_disc_below_is_to_be_checked_unless_it_was_named():
    found = column()
    headless = replace(found, discs=found.discs[1:])
    quality = judged(headless)
    assert quality.verdict == "check"
    assert any("no disc is seen below the lowest vertebra, taken for L5" in r for r in quality.reasons)
    named = spine_quality(headless, pictured(headless), Quality(), named=True)
    assert not any("below the lowest vertebra" in r for r in named.reasons)


def test_a_label_map_is_no_scan_and_a_noisy_saturated_image_is():
    labels = np.repeat(np.repeat(np.random.default_rng(0).integers(0, 60, (7, 10, 50)), 6, axis=1), 6, axis=2)
    drawn = Scan("x", Volume(labels.astype(np.uint8), np.diag([4.0, 1, 1, 1])), Path("x.nii.gz"), modality="MR")
    assert only(header_quality(drawn)) == (
        "refused",
        "neighbouring samples are all alike: a label map or a drawing, not a scan",
    )
    noisy = np.random.default_rng(0).normal(180, 60, (7, 60, 300)).clip(0, 255).astype(np.uint8)
    scan = Scan("x", Volume(noisy, np.diag([4.0, 1, 1, 1])), Path("x.nii.gz"), modality="MR")
    assert header_quality(scan).verdict == "ok"
