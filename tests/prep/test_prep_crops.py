"""Crops of bodies whose tilt, size and place are known."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from scipy import ndimage

from spineclock.core.bone import BodyFrame, ReferenceSignal
from spineclock.core.errors import GeometryError, RefusedError, UsageError
from spineclock.core.geometry import picture_volume
from spineclock.core.volume import Mask, Volume
from spineclock.measure.body_frames import body_frames
from spineclock.prep.cropping import Cropping
from spineclock.prep.crops import crops

DEPTH_MM, HEIGHT_MM = 34.0, 26.0
TILTS = {220: 20.0, 221: 8.0, 222: -5.0, 223: -17.0}
MIDDLES = {220: (60.0, 150.0), 221: (64.0, 112.0), 222: (66.0, 74.0), 223: (62.0, 36.0)}


def drawn(spacing=(4.0, 0.5, 0.5), slices=7, affine=None):
    """L1 … L4 as tilted boxes, brighter from one to the next and towards the front, and their map; 200 + number."""
    shape = (slices, round(110 / spacing[1]), round(190 / spacing[2]))
    y, z = np.arange(shape[1])[:, None] * spacing[1], np.arange(shape[2])[None] * spacing[2]
    labels = np.zeros(shape, np.uint8)
    grey = np.full(shape, 20.0) + np.random.default_rng(3).normal(0, 2, shape)
    for number, (cy, cz) in MIDDLES.items():
        cos, sin = np.cos(np.radians(TILTS[number])), np.sin(np.radians(TILTS[number]))
        u, v = (y - cy) * cos + (z - cz) * sin, (z - cz) * cos - (y - cy) * sin
        inside = (np.abs(u) < DEPTH_MM / 2) & (np.abs(v) < HEIGHT_MM / 2)
        labels[1:-1, inside] = number
        grey[1:-1, inside] += 10.0 * (number - 210) + u[inside]
    affine = np.diag([*spacing, 1.0]) if affine is None else affine
    return Volume(grey.astype(np.float32), affine), Mask(labels, affine)


def stored(volume, order, flips):
    """The same scan with its axes stored in another order and sense."""
    array, affine = volume.array.transpose(order), volume.affine.copy()
    affine[:, :3] = affine[:, list(order)]
    for axis in flips:
        array = np.flip(array, axis)
        affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
        affine[:3, axis] *= -1
    return type(volume)(array, affine)


def tilt_degrees(mask):
    """Slope of the end plates in a crop: straight lines through the middle 80% of the upper and lower edge."""
    columns = np.flatnonzero(mask.any(axis=0))
    columns = columns[len(columns) // 10 : -len(columns) // 10]
    upper = [np.flatnonzero(mask[:, c])[0] for c in columns]
    lower = [np.flatnonzero(mask[:, c])[-1] for c in columns]
    return np.degrees(np.arctan([np.polyfit(columns, edge, 1)[0] for edge in (upper, lower)]))


@pytest.mark.parametrize("spacing", [(4.0, 0.5, 0.5), (3.3, 0.9, 0.9), (1.0, 0.3, 0.35)])
def test_a_tilted_body_is_cut_upright_with_its_margin(spacing):
    volume, bodies = drawn(spacing)
    found = crops(volume, bodies, body_frames(bodies), Cropping(size=(128, 128), intensity="raw"))
    assert found.levels == ("L1", "L2", "L3", "L4")
    for crop in found.crops:
        assert np.abs(tilt_degrees(crop.mask[0])).max() < 1.0
        assert crop.pixel_mm == pytest.approx(1.2 * DEPTH_MM / 128, rel=0.02)  # the depth fills rows but for 10% a side
        rows, columns = (np.flatnonzero(crop.mask[0].sum(axis=a) * crop.pixel_mm > 3) for a in (1, 0))
        for edges, extent in ((columns, DEPTH_MM), (rows, HEIGHT_MM)):
            assert len(edges) * crop.pixel_mm == pytest.approx(extent, abs=spacing[1] + 0.3)
            before, after = edges[0], 127 - edges[-1]
            assert abs(before - after) * crop.pixel_mm < spacing[1] + 0.3  # in the middle
        assert columns[0] / 128 == pytest.approx(0.1 / 1.2, abs=0.015)


def test_front_is_left_and_the_head_is_up():
    volume, bodies = drawn()
    crop = crops(volume, bodies, body_frames(bodies), Cropping(intensity="raw"))["L2"]
    inside = np.where(ndimage.binary_erosion(crop.mask[0], iterations=3), crop.array[0], np.nan)
    assert np.nanmean(inside[:, :20]) > np.nanmean(inside[:, 44:]) + 10
    up, front = -crop.affine[:3, 1], -crop.affine[:3, 2]
    assert up[2] > 0.9 * crop.pixel_mm
    assert front[1] > 0.9 * crop.pixel_mm
    assert np.linalg.norm(up) == pytest.approx(crop.pixel_mm)


def test_the_affine_leads_back_to_the_scan():
    """A linear ramp in the patient is sampled to itself: one interpolation, no pixel off."""
    shape, affine = (7, 220, 380), np.diag([-4.0, 0.5, 0.5, 1.0])
    affine[:3, 3] = (30, -50, 10)
    _, bodies = drawn(affine=affine)
    at = np.tensordot(affine[:3, :3], np.indices(shape), axes=1) + affine[:3, 3][:, None, None, None]
    volume = Volume(2 * at[0] + 3 * at[1] + 5 * at[2], affine)
    how = Cropping(intensity="raw", slices=3, size=(96, 96))
    for crop in crops(volume, bodies, body_frames(bodies), how).crops:
        here = np.tensordot(crop.affine[:3, :3], np.indices(crop.array.shape), axes=1)
        here += crop.affine[:3, 3][:, None, None, None]
        np.testing.assert_allclose(crop.array, 2 * here[0] + 3 * here[1] + 5 * here[2], atol=1e-3)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_order_of_storage_is_of_no_account(order):
    volume, bodies = drawn(spacing=(4.0, 1.0, 1.0))
    one = crops(volume, bodies, body_frames(bodies), Cropping(slices=3))
    for flips in ((), (0, 2), (1,), (0, 1, 2)):
        turned, marked = stored(volume, order, flips), stored(bodies, order, flips)
        other = crops(turned, marked, body_frames(marked), Cropping(slices=3))
        np.testing.assert_allclose(other.array, one.array, atol=1e-4)
        np.testing.assert_allclose([c.affine for c in other.crops], [c.affine for c in one.crops], atol=1e-9)


def test_a_scan_turned_in_the_patient_gives_the_same_crops():
    volume, bodies = drawn(spacing=(4.0, 1.0, 1.0))
    cos, sin = np.cos(0.3), np.sin(0.3)
    turn = np.array([[1, 0, 0, 5], [0, cos, -sin, 9], [0, sin, cos, -40], [0, 0, 0, 1.0]])
    other, marked = (type(v)(v.array, turn @ v.affine) for v in (volume, bodies))
    one, two = (crops(v, b, body_frames(b)) for v, b in ((volume, bodies), (other, marked)))
    np.testing.assert_allclose(two.array, one.array, atol=1e-3)


def test_frames_of_one_sequence_serve_another():
    """A second sequence on finer pixels and other slices: the same box of the patient, to half a slice."""
    fine, fine_bodies = drawn(spacing=(2.0, 0.4, 0.4), slices=14)
    _, coarse_bodies = drawn()
    own = crops(fine, fine_bodies, body_frames(fine_bodies), Cropping(intensity="raw"))
    borrowed = crops(fine, fine_bodies, body_frames(coarse_bodies), Cropping(intensity="raw"))
    assert borrowed.levels == own.levels
    assert np.abs(borrowed.array - own.array).mean() < 0.05 * own.array.std() + 3


def test_grey_values_are_those_asked_for():
    volume, bodies = drawn()
    frames = body_frames(bodies)
    raw = crops(volume, bodies, frames, Cropping(intensity="raw")).array
    scores = crops(volume, bodies, frames).array
    np.testing.assert_allclose(scores.mean(axis=(1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(scores.std(axis=(1, 2, 3)), 1, atol=1e-5)
    stretched = volume.with_array(3.5 * volume.array + 20)
    np.testing.assert_allclose(crops(stretched, bodies, frames).array, scores, atol=1e-4)
    csf = ReferenceSignal("csf", 160.0, 500)
    ratios = crops(volume, bodies, frames, Cropping(intensity="csf"), reference=csf)
    np.testing.assert_allclose(ratios.array, raw / 160.0, rtol=1e-6)
    assert ratios["L1"].reference == csf
    tripled = volume.with_array(3 * volume.array)
    other = crops(tripled, bodies, frames, Cropping(intensity="csf"), reference=replace(csf, signal=480.0))
    np.testing.assert_allclose(other.array, ratios.array, rtol=1e-5)


def test_slices_are_the_largest_or_those_in_the_middle():
    volume, bodies = drawn(slices=9)
    array = np.array(bodies.array)
    array[1:6][array[1:6] == 222] *= np.uint8(0)
    array[5, 120:140][bodies.array[5, 120:140] == 222] = 222
    bodies = bodies.with_array(array)  # L3: whole in 6 and 7, a strip in 5
    frames = {"L3": BodyFrame("L3", (20.0, 66.0, 74.0), (0, 1.0, 0), (0, 0, 1.0), DEPTH_MM, HEIGHT_MM)}
    asked = Cropping(levels=("L3",), slices=2)
    largest = crops(volume, bodies, frames, replace(asked, choose="largest"))["L3"]
    middle = crops(volume, bodies, frames, asked)["L3"]
    assert (largest.affine[0, 3], middle.affine[0, 3]) == (24.0, 20.0)
    with pytest.raises(RefusedError, match="shows in 3 slices where 4 side by side are wanted"):
        crops(volume, bodies, frames, replace(asked, slices=4))


def test_what_is_not_in_view_is_told_and_never_filled_in():
    volume, bodies = drawn()
    array = np.array(bodies.array)
    array[array == 221] = 0
    bodies = bodies.with_array(array)
    frames = body_frames(bodies)
    frames["L4"] = replace(frames["L4"], cut=True)
    found = crops(volume, bodies, frames)
    assert found.levels == ("L1", "L3")
    assert found.missing == {"L2": "it was not found in the scan", "L4": "its body meets the border of the scan"}
    with pytest.raises(RefusedError, match="no crop of L2: it was not found in the scan; wanted: one of L1, L3"):
        found["L2"]
    with pytest.raises(RefusedError, match="no vertebral body can be cropped.*T9: it was not found"):
        crops(volume, bodies, frames, Cropping(levels=("T9",)))


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (None, "ratios to fat, and no reference was given.*remedy: give one, or set intensity to zscore"),
        (ReferenceSignal("csf", 100.0), "ratios to fat, and the reference given is csf"),
        (ReferenceSignal("fat", reason="the label map marks no fat"), "which is not in view: the label map marks no"),
    ],
)
def test_a_reference_that_is_not_there_is_refused(reference, message):
    volume, bodies = drawn()
    with pytest.raises(RefusedError, match=message):
        crops(volume, bodies, body_frames(bodies), Cropping(intensity="fat"), reference=reference)


def test_a_body_near_the_border_is_filled_with_the_lowest_sample():
    volume, bodies = drawn()
    low = 20  # the lower border cuts through L4's margin
    volume = Volume(volume.array[:, :, low * 2 :], volume.affine)
    bodies = Mask(bodies.array[:, :, low * 2 :], bodies.affine)
    frames = body_frames(bodies)
    frames["L4"] = replace(frames["L4"], cut=False)
    crop = crops(volume, bodies, frames, Cropping(intensity="raw"))["L4"]
    assert 0.5 < crop.in_view < 1.0
    assert crop.array[0, -1, 0] == pytest.approx(volume.array.min())


def test_a_crop_of_one_grey_value_is_left_out():
    volume, bodies = drawn()
    flat = volume.with_array(np.full(volume.shape, 7.0))
    with pytest.raises(RefusedError, match="L1: it has one grey value throughout"):
        crops(flat, bodies, body_frames(bodies))
    with pytest.raises(RefusedError, match="L1: it has one grey value throughout"):  # 0 would be no crop to a network
        crops(flat.with_array(np.zeros(flat.shape)), bodies, body_frames(bodies), Cropping(intensity="raw"))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"depth_mm": 12.0}, "what was found of it is 12 mm deep where the others are 34: no body"),
        ({"height_mm": 45.0}, "what was found of it is 45 mm high where the others are 26: no body"),
        ({"depth_mm": 45.0, "height_mm": 40.0}, "what was found of it fills less than 50% of its box: no body"),
    ],
)
def test_what_has_no_bodys_size_or_shape_is_left_out(sizes, message):
    volume, bodies = drawn()
    frames = body_frames(bodies)
    frames["L2"] = replace(frames["L2"], **sizes)
    found = crops(volume, bodies, frames)
    assert found.levels == ("L1", "L3", "L4")
    assert found.missing == {"L2": message}


def test_a_severe_fracture_is_no_reason_to_leave_a_body_out():
    volume, bodies = drawn()
    frames = body_frames(bodies)
    frames["L2"] = replace(frames["L2"], height_mm=0.45 * HEIGHT_MM)
    assert crops(volume, bodies, frames).levels == ("L1", "L2", "L3", "L4")


def test_a_speck_alone_is_no_body():
    volume, bodies = drawn()
    frames = {"L2": replace(body_frames(bodies)["L2"], depth_mm=4.0, height_mm=3.0)}
    with pytest.raises(RefusedError, match="L2: what was found of it is 4 mm deep: no body"):
        crops(volume, bodies, frames, Cropping(levels=("L2",)))


def test_scan_and_bodies_must_share_a_grid():
    volume, bodies = drawn()
    with pytest.raises(GeometryError, match="the scan and its map of bodies: shapes"):
        crops(Volume(volume.array[1:], volume.affine), bodies, body_frames(bodies))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"levels": ("L1", "M2")}, "levels L1, M2; wanted: names such as L1"),
        ({"levels": ()}, "levels none"),
        ({"size": (4, 64)}, "at least 8 rows and columns"),
        ({"margin": -0.1}, "a margin of -0.1"),
        ({"intensity": "gain"}, "intensity 'gain'"),
        ({"choose": "best"}, "chosen by 'best'"),
    ],
)
def test_settings_that_cannot_be_meant(values, message):
    with pytest.raises(UsageError, match=message):
        Cropping(**values)


def test_settings_survive_json():
    how = Cropping(levels=("T12", "L1"), size=(96, 64), slices=3, intensity="muscle", choose="largest", margin=0.2)
    assert Cropping.told(how.as_dict()) == how
    assert how.as_dict()["shape"] == [6, 96, 64]


def test_a_picture_is_a_scan_of_one_slice():
    volume, bodies = drawn()
    picture, marks = (v.array[3, ::-1, ::-1].T for v in (volume, bodies))
    scan, marked = picture_volume(picture, (0.5, 0.5)), picture_volume(marks, (0.5, 0.5))
    found = crops(scan, Mask(marked.array, marked.affine), body_frames(Mask(marked.array, marked.affine)))
    whole = crops(volume, bodies, body_frames(bodies))
    np.testing.assert_allclose(found.array, whole.array, atol=1e-4)
    with pytest.raises(RefusedError, match=r"a picture of shape \(4, 4, 3\).*convert it to grey"):
        picture_volume(np.zeros((4, 4, 3)), (1, 1))
    with pytest.raises(RefusedError, match="a spacing of"):
        picture_volume(np.zeros((4, 4)), (0, 1))
