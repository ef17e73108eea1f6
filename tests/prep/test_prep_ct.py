"""CT regions: where things lie in them, what is blanked, and that maps find their way back to the scan."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from spineclock.core.anatomy import LEVEL_NUMBERS
from spineclock.core.bone import BodyFrame
from spineclock.core.errors import GeometryError, RefusedError, UsageError
from spineclock.core.geometry import resample_like
from spineclock.core.volume import Mask, Volume
from spineclock.ingest.ct import SPINE_CT
from spineclock.ingest.nifti import read_mask
from spineclock.ingest.series import read_scans
from spineclock.measure.body_frames import body_frames
from spineclock.prep.ct import regions
from spineclock.prep.ct_cropping import CtCropping
from spineclock.prep.ct_rows import ct_variants
from spineclock.segment.totalsegmentator import merged

LEVELS = ("T12", "L1", "L2", "L3", "L4")
SPACING = (1.0, 1.0, 2.0)
EXTENT = (150, 130, 190)
STEP_MM, HIGH, DEEP = 36.0, 26.0, 34.0


def middles(pitch_deg):
    """Middles of the bodies and their up and front directions."""
    t = np.radians(pitch_deg)
    up, front = np.array([0, -np.sin(t), np.cos(t)]), np.array([0, np.cos(t), np.sin(t)])
    return [np.array([75.0, 90.0, 167.0]) - n * STEP_MM * np.array([0, 0, 1.0]) for n in range(5)], up, front


@pytest.fixture(scope="module")
def found(drawn):
    return regions(*drawn)


def spine(pitch_deg=0.0):
    """Bodies of 100 HU with a bright end plate half, arches behind, and muscles of 50 (left) and 60 (right) HU."""
    shape = tuple(round(e / s) for e, s in zip(EXTENT, SPACING, strict=True))
    points = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1) * SPACING
    labels, hu = np.zeros(shape, np.uint16), np.full(shape, -150, np.int16)
    at, up, front = middles(pitch_deg)
    frames = {}
    for level, middle in zip(LEVELS, at, strict=True):
        away = points - middle
        x, u, v = away[..., 0], away @ front, away @ up
        body = (np.abs(x) < 22) & (np.abs(u) < DEEP / 2) & (np.abs(v) < HIGH / 2)
        arch = (np.abs(x) < 4) & (u < -DEEP / 2) & (u > -DEEP / 2 - 30) & (np.abs(v) < 10)
        number = LEVEL_NUMBERS[level]
        labels[body], hu[body] = 200 + number, 100
        hu[body & (v > HIGH / 6)] = 400
        labels[arch], hu[arch] = 300 + number, 300
        frames[level] = BodyFrame(level, tuple(middle), tuple(front), tuple(up), DEEP, HIGH)
    for number, side, value in ((73, -1, 50), (74, 1, 60)):
        inside = (np.hypot(points[..., 0] - 75 - side * 35, points[..., 1] - 45) < 20) & (labels == 0)
        labels[inside], hu[inside] = number, value
    affine = np.diag([*SPACING, 1.0])
    return Volume(hu, affine), Mask(labels, affine), frames


@pytest.fixture(scope="module")
def drawn():
    return spine()


def scaled(hu, window=(-200, 1000)):
    return (hu - window[0]) / (window[1] - window[0])


def test_axes_middle_and_window_are_those_of_axial_slices(found):
    assert found.levels == LEVELS
    region = found["L2"]
    assert region.array.shape == (24, 128, 224)
    at, up, front = middles(0.0)
    middle = np.linalg.solve(region.affine, [*at[2], 1])[:3]
    np.testing.assert_allclose(middle, [12, 63.5 - 28, 111.5], atol=1e-9)
    for step, direction, mm in ((0, -up, 3), (1, -front, 1), (2, np.array([-1.0, 0, 0]), 1)):
        np.testing.assert_allclose(region.affine[:3, step], direction * mm, atol=1e-9)
    row, right, left = 126 - 28 - 12, 111 - 35, 112 + 35  # the muscles lie 45 mm behind the bodies' middle
    assert region.array[12, row - 6, right] == pytest.approx(scaled(60), abs=1e-3)
    assert region.array[12, row - 6, left] == pytest.approx(scaled(50), abs=1e-3)
    assert region.array[12, 35, 112] == pytest.approx(scaled(100), abs=0.02)
    assert region.array[10, 35, 112] > scaled(300)  # the upper half comes first
    assert region.array[14, 35, 112] == pytest.approx(scaled(100), abs=0.02)


def test_what_is_outside_holds_the_fixed_value(drawn):
    volume, labels, frames = drawn
    areas = []
    for parts in ("bone", "bone+muscle"):
        region = regions(volume, labels, frames, CtCropping(parts, ("L2",), outside=-1.0, margin_mm=0, consecutive=1))[
            "L2"
        ]
        assert (region.array[~region.mask] == -1.0).all()
        assert region.array[region.mask].min() > scaled(-150)
        # in mm³ from 36 mm above to 36 mm below the middle: a body, and the nearer half of both its neighbours
        assert region.mask[:, :52].sum() * 3 == pytest.approx(44 * 34 * (26 + 2 * 13), rel=0.05)
        areas.append(region.mask[12].sum())
    assert areas[1] == pytest.approx(areas[0] + 2 * np.pi * 20**2, rel=0.05)


def test_margins_widen_the_outlines(drawn):
    volume, labels, frames = drawn
    areas = [
        regions(volume, labels, frames, CtCropping("bone", ("L2",), margin_mm=mm, consecutive=1))["L2"]
        .mask[12, :50]
        .sum()
        for mm in (0, 2)
    ]
    assert areas[1] - areas[0] == pytest.approx(2 * (44 + 2 * 34), rel=0.15)  # 2 mm round the front and both sides


@pytest.mark.parametrize("mm", [2.0, 3.5, 7.0])
def test_stacks_are_slices_of_the_region_and_margins_reach_over_slices(mm):
    volume, labels, frames = spine(12.0)
    how = CtCropping.small(levels=("L2",), consecutive=1, margin_mm=mm)
    region, bare = (regions(volume, labels, frames, h)["L2"] for h in (how, replace(how, margin_mm=0)))
    for stack, where in zip(region.stacks, region.slices, strict=True):
        np.testing.assert_allclose(stack.array, region.array[where], atol=1e-6)
        assert np.array_equal(stack.mask, region.mask[where])
        assert np.array_equal(stack.bone, region.bone[where])
    for wide, narrow in ((region.mask, bare.mask), (region.bone, bare.bone)):
        assert np.array_equal(wide, distance_transform_edt(~narrow, sampling=how.spacing_mm) <= mm)


def test_other_windows(drawn):
    volume, labels, frames = drawn
    region = regions(volume, labels, frames, CtCropping("bone", ("L2",), window_hu=(0, 1000), consecutive=1))["L2"]
    assert region.array[14, 35, 112] == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("pitch", [-20.0, 15.0])
def test_slices_follow_the_body_or_the_scan(pitch):
    volume, labels, frames = spine(pitch)
    square = regions(volume, labels, frames, CtCropping("bone", ("L2",), consecutive=1))["L2"].array
    # Along the body the edge between marrow and bright plate runs at one slice from back to front.
    upper = [int(np.argmin(np.abs(square[9:13, row, 112] - scaled(250)))) for row in (25, 35, 45)]
    assert max(upper) - min(upper) <= 1
    level = regions(volume, labels, frames, CtCropping("bone", ("L2",), consecutive=1, along="scan"))["L2"].array
    upper = [int(np.argmin(np.abs(level[2:18, row, 112] - scaled(250)))) for row in (23, 35, 47)]
    assert abs(upper[0] - upper[2]) == pytest.approx(24 * abs(np.tan(np.radians(pitch))) / 3, abs=1.1)


def test_storage_order_changes_nothing(drawn):
    volume, labels, frames = drawn
    affine = np.array(volume.affine)[:, [1, 2, 0, 3]] * [-1, 1, 1, 1]
    affine[:3, 3] = volume.affine[:3, :3] @ [0, volume.shape[1] - 1, 0]
    turned = [kind(m.array.transpose(1, 2, 0)[::-1], affine) for kind, m in ((Volume, volume), (Mask, labels))]
    one, other = (regions(*maps, frames, CtCropping.small()).images() for maps in (turned, (volume, labels)))
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_nine_images_of_three_channels(found):
    how = CtCropping()
    assert found.runs == (("T12", "L1", "L2"), ("L1", "L2", "L3"), ("L2", "L3", "L4"))
    images = found.images()
    assert images.shape == how.images_shape == (9, 3, 128, 224)
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images[3], found["L2"].stacks[0].array)
    np.testing.assert_array_equal(images[3], found["L2"].array[8:11])  # at 0.8 of 26 mm: 7.8 mm above the middle
    assert found["L2"].slices == (slice(8, 11), slice(11, 14), slice(14, 17))
    # the upper third is bright, the lower is not
    assert images[3][:, 35, 112].mean() > images[5][:, 35, 112].mean() + 0.1
    np.testing.assert_array_equal(found.images(("L2", "L3", "L4"))[0], found["L2"].stacks[0].array)


def test_a_low_body_has_its_stacks_closer_together(drawn):
    volume, labels, frames = drawn
    low = dict(frames)
    low["L2"] = BodyFrame("L2", frames["L2"].middle_mm, (0, 1, 0), (0, 0, 1), DEEP, 14.0)
    assert regions(volume, labels, low, CtCropping.small(parts="bone"))["L2"].slices == (
        slice(10, 13),
        slice(11, 14),
        slice(12, 15),
    )


def test_the_small_variant_sees_the_same_field(drawn, found):
    large, small = found, regions(*drawn, CtCropping.small())
    assert small.images().shape == (9, 3, 64, 112)
    halved = large["L2"].array.reshape(24, 64, 2, 112, 2).mean(axis=(2, 4))
    inside = large["L2"].mask.reshape(24, 64, 2, 112, 2).all(axis=(2, 4)) & small["L2"].mask
    assert np.abs(halved - small["L2"].array)[inside].mean() < 0.02
    assert large["L2"].mask.mean() == pytest.approx(small["L2"].mask.mean(), rel=0.05)


def test_maps_go_back_to_where_they_were_made(drawn, found):
    volume, labels, _ = drawn
    region = found["L2"]
    maps = np.zeros((3, 128, 224), np.float32)
    maps[1, 34:37, 110:114] = 1  # the middle of the body
    back = resample_like(region.map_in_space(maps), volume.shape, volume.affine)
    there = np.argwhere(back.array > 0.5) * SPACING
    np.testing.assert_allclose(there.mean(axis=0), middles(0.0)[0][2], atol=1.5)
    assert (labels.array[back.array > 0.5] == 200 + LEVEL_NUMBERS["L2"]).all()


def test_slices_that_stacks_share_hold_the_mean(drawn):
    region = regions(*drawn, CtCropping(levels=("L2",), heights=(0.45, 0.55), consecutive=1))["L2"]
    assert region.slices[0].stop > region.slices[1].start
    maps = np.stack([np.full((128, 224), v, np.float32) for v in (1, 3)])
    found = set(np.unique(region.map_in_space(maps).array))
    assert found <= {0.0, 1.0, 2.0, 3.0}
    assert 2.0 in found


def test_missing_vertebrae_are_told_with_the_reason(drawn):
    volume, labels, frames = drawn
    cut = BodyFrame("T12", frames["T12"].middle_mm, (0, 1, 0), (0, 0, 1), DEEP, HIGH, cut=True)
    flat = BodyFrame("L4", frames["L4"].middle_mm, (0, 1, 0), (0, 0, 1), DEEP, 5.0)
    found = regions(volume, labels, {**frames, "T12": cut, "L4": flat}, CtCropping.small())
    assert found.levels == ("L1", "L2", "L3")
    assert found.missing["T12"] == "its body meets the border of the scan"
    assert "5 mm high where the others are 26" in found.missing["L4"]
    assert found.runs == (("L1", "L2", "L3"),)
    with pytest.raises(RefusedError, match="no region of T12: its body meets the border"):
        found["T12"]
    few = regions(volume, labels, {"L1": frames["L1"], "L3": frames["L3"]}, CtCropping.small())
    with pytest.raises(RefusedError, match="no 3 vertebrae in a row"):
        few.images()
    with pytest.raises(RefusedError, match="no vertebra to look at"):
        regions(volume, labels, {})
    with pytest.raises(GeometryError):
        regions(volume, Mask(labels.array[1:], labels.affine), frames)


def test_muscle_that_is_asked_for_must_be_marked(drawn):
    volume, labels, frames = drawn
    bare = labels.with_array(np.where(labels.array < 200, 0, labels.array))
    with pytest.raises(RefusedError, match="no muscle is marked beside it"):
        regions(volume, bare, frames)
    assert regions(volume, bare, frames, CtCropping.small(parts="bone")).levels == LEVELS


def test_settings_survive_json():
    how = CtCropping.small(parts="bone", window_hu=(0.0, 1000.0), levels=("L1", "L2", "L3"), along="scan")
    assert CtCropping.told(json.loads(json.dumps(how.as_dict()))) == how
    assert (how.as_dict()["shape"], how.as_dict()["region"]) == ([27, 64, 112], [24, 64, 112])


def test_a_row_of_a_store_holds_the_images_with_and_without_muscle(drawn):
    found = regions(*drawn, CtCropping.small())
    row = ct_variants(found)
    alone = regions(*drawn, CtCropping.small(parts="bone"))
    assert row.levels == found.middle_run == ("L1", "L2", "L3")
    assert np.array_equal(row.input().reshape(9, 3, 64, 112), found.images())
    assert np.array_equal(row.input("bone").reshape(9, 3, 64, 112), alone.images(row.levels))
    assert not np.array_equal(row.input("bone"), row.input())


@pytest.mark.parametrize(
    "settings",
    [
        {"levels": ()}, {"levels": ("L2", "L1")}, {"levels": ("L1", "X1")}, {"parts": "fat"}, {"region": (4, 128, 224)},
        {"window_hu": (1000.0, 0.0)}, {"heights": (1.5,)}, {"adjacent": 25}, {"consecutive": 6}, {"margin_mm": -1.0},
    ],
)  # fmt: skip
def test_settings_that_cannot_be_meant_are_refused(settings):
    with pytest.raises(UsageError):
        CtCropping(**settings)


def test_a_real_ct_gives_nine_images(real_data):
    folder = real_data / "ct" / "totalsegmentator"
    report = folder / "spine_report" / "example_ct_report"
    scan = read_scans(folder / "example_ct.nii.gz", accepts=SPINE_CT).scans[0]
    labels = merged(*(read_mask(report / f"{name}.nii.gz") for name in ("totalseg", "totalseg_vertebrae_body")))
    found = regions(scan.volume, labels, body_frames(labels), CtCropping(parts="bone"))
    assert found.levels == ("L1", "L2", "L3", "L4")
    assert found.missing == {"T12": "its body meets the border of the scan"}
    images = found.images()
    assert images.shape == (9, 3, 128, 224)
    marrow = images[:, 1, 30:40, 105:119]  # the body's middle
    assert 50 < np.median(marrow) * 1200 - 200 < 200
