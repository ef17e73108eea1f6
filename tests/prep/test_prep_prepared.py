"""The whole preparation on scans whose answer is known."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest

from spineclock.core.errors import GeometryError, RefusedError
from spineclock.core.volume import Mask, Volume
from spineclock.prep.masking import bit
from spineclock.prep.prepared import Preparation, prepare, variants

SMALL = Preparation(shape=(16, 128, 64))


@pytest.fixture(scope="module")
def scan() -> tuple[Volume, Mask]:
    """8 sagittal slices of 5 mm with an L3, an L5 and a T12 in a noisy image."""
    rng = np.random.default_rng(0)
    affine = np.diag([5.0, 0.8, 0.8, 1.0])
    affine[:3, 3] = (-20, 30, -400)
    labels = np.zeros((8, 70, 150), np.int16)
    labels[2:6, 25:45, 20:50], labels[2:6, 25:45, 60:90], labels[2:6, 25:45, 100:130] = 24, 22, 19
    return Volume((rng.gamma(4, 20, labels.shape) + 3 * labels).astype(np.float32), affine), Mask(labels, affine)


def test_defaults_are_the_stated_ones(scan):
    p = prepare(*scan)
    assert p.array.shape == (32, 640, 256)
    assert p.array.dtype == np.float32
    assert p.volume.spacing_mm == pytest.approx((4.0, 1.0, 1.0))
    assert (p.how.margin_mm, p.how.percentiles) == (10.0, (0.5, 99.5))


def test_inside_is_standardised_and_outside_is_nought(scan):
    p = prepare(*scan, SMALL)
    inside = p.inside.array != 0
    assert p.array[inside].mean() == pytest.approx(0, abs=1e-5)
    assert p.array[inside].std() == pytest.approx(1, abs=1e-5)
    assert not p.array[~inside].any()
    assert np.array_equal(p.inside.affine, p.affine)
    assert p.kept_share > 0.98


def test_the_margin_is_ten_millimetres_on_the_prepared_grid(scan):
    volume, mask = scan
    p = prepare(volume, mask, SMALL)
    held = np.argwhere(p.inside.array) @ p.affine[:3, :3].T + p.affine[:3, 3]
    spine = np.argwhere(mask.array) @ mask.affine[:3, :3].T + mask.affine[:3, 3]
    # each end: 10 mm more, to half a voxel of either grid and the slice thickness from left to right
    for axis, slack in ((0, 4.5), (1, 1.0), (2, 1.0)):
        assert held[:, axis].min() == pytest.approx(spine[:, axis].min() - 10, abs=slack)
        assert held[:, axis].max() == pytest.approx(spine[:, axis].max() + 10, abs=slack)


def test_affine_leads_back_to_the_scan(scan):
    volume, mask = scan
    bright = np.array(volume.array)
    bright[4, 35, 75] = 1e4
    p = prepare(volume.with_array(bright), mask, Preparation(shape=(16, 128, 64), percentiles=(0, 100)))
    peak = np.unravel_index(p.array.argmax(), p.array.shape)
    found = p.affine[:3, :3] @ peak + p.affine[:3, 3]
    true = volume.affine[:3, :3] @ (4, 35, 75) + volume.affine[:3, 3]
    assert np.abs(found - true) == pytest.approx(0, abs=2.01)
    assert np.abs(found - true)[1:] == pytest.approx(0, abs=0.51)


def test_grey_values_at_the_margin_s_edge_are_the_patient_s():
    """On a linear image linear interpolation is exact; blended with zeros, as where zeroing comes first, it is not."""
    affine = np.diag([5.0, 0.7, 0.7, 1.0])
    labels = np.zeros((9, 90, 130), np.int16)
    labels[3:6, 30:55, 45:80] = 22
    at = np.stack(np.meshgrid(*(np.arange(n) for n in labels.shape), indexing="ij"), -1) * np.diag(affine)[:3]
    image = (at @ (0.5, 2.0, -1.0) + 300).astype(np.float32)
    p = prepare(Volume(image, affine), Mask(labels, affine), Preparation(shape=(16, 128, 64), percentiles=(0, 100)))
    inside = np.argwhere(p.inside.array)
    true = (inside @ p.affine[:3, :3].T + p.affine[:3, 3]) @ (0.5, 2.0, -1.0) + 300
    wanted = (true - true.mean()) / true.std()
    assert p.array[tuple(inside.T)] == pytest.approx(wanted, abs=1e-4)


def test_whole_numbers_are_interpolated_between(scan):
    volume, mask = scan
    whole = volume.with_array(np.rint(volume.array).astype(np.int16))
    exact = volume.with_array(whole.array.astype(np.float32))
    assert np.array_equal(prepare(whole, mask, SMALL).array, prepare(exact, mask, SMALL).array)


def test_a_region_keeps_its_vertebrae_only(scan):
    volume, mask = scan
    top = {part: prepare(volume, mask, Preparation(part=part, shape=(16, 160, 64))) for part in ("thoracic", "lumbar")}
    rows = {part: np.flatnonzero(p.inside.array.any(axis=(0, 2))) for part, p in top.items()}
    assert rows["thoracic"].max() < rows["lumbar"].max()
    assert len(rows["thoracic"]) == pytest.approx(30 * 0.8 + 20, abs=2)
    assert len(rows["lumbar"]) == pytest.approx(70 * 0.8 + 20, abs=2)  # L3 and L5, their margins touch
    with pytest.raises(RefusedError, match="no cervical vertebra"):
        prepare(volume, mask, Preparation(part="cervical"))


def test_brightness_of_the_scanner_does_not_matter(scan):
    volume, mask = scan
    once, again = prepare(volume, mask, SMALL), prepare(volume.with_array(volume.array * 0.013), mask, SMALL)
    assert np.allclose(again.array, once.array, atol=1e-4)


def test_storage_order_does_not_matter(scan):
    volume, mask = scan
    wanted = prepare(volume, mask, SMALL)
    orders = list(product(permutations(range(3)), product((False, True), repeat=3)))
    assert len(orders) == 48
    for order, flips in orders[11::11]:
        got = prepare(stored(volume, order, flips), stored(mask, order, flips), SMALL)
        assert np.allclose(got.array, wanted.array, atol=1e-4)
        assert got.affine == pytest.approx(wanted.affine, abs=1e-6)


def stored(volume, order, flips):
    """The same volume with its axes in another order and sense."""
    array, affine = volume.array.transpose(order), np.array(volume.affine)
    affine[:3, :3] = affine[:3, list(order)]
    for axis, flip in enumerate(flips):
        if flip:
            array = np.flip(array, axis)
            affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
            affine[:3, axis] *= -1
    return type(volume)(array, affine)


def test_preparing_a_prepared_scan_changes_nothing(scan):
    once = prepare(*scan, SMALL)
    labels = once.inside.with_array(once.inside.array * np.uint8(22))
    twice = prepare(once.volume, labels, Preparation(shape=SMALL.shape, margin_mm=0))
    assert np.allclose(twice.array, once.array, atol=1e-5)
    assert twice.affine == pytest.approx(once.affine)


def test_what_does_not_fit_is_told(scan):
    p = prepare(*scan, Preparation(shape=(16, 64, 64)))  # 64 of about 136 mm: 110 × 0.8 + 20 and more
    assert p.kept_share == pytest.approx(64 / (110 * 0.8 + 20), abs=0.08)


def test_another_grid_for_the_labels_is_an_error(scan):
    volume, mask = scan
    moved = np.array(mask.affine)
    moved[0, 3] += 3
    with pytest.raises(GeometryError, match=r"label map: the grids lie up to 3\.0 mm apart"):
        prepare(volume, Mask(mask.array, moved))


def test_variants_hold_what_each_part_is_prepared_to(scan):
    volume, mask = scan
    made = variants(volume, mask, SMALL)
    assert sorted(made.scales) == ["lumbar", "thoracic", "whole"]
    for part in made.scales:
        wanted = prepare(volume, mask, replace(SMALL, part=part))
        assert made.input(part) == pytest.approx(wanted.array, abs=2e-6)
        assert made.kept_share[part] == wanted.kept_share
        assert np.array_equal(made.margins.array & bit(part) != 0, wanted.inside.array != 0)
    with pytest.raises(RefusedError, match="no cervical vertebra"):
        made.input("cervical")


def test_what_befalls_the_whole_spine_befalls_all_variants(scan):
    volume, mask = scan
    with pytest.raises(RefusedError, match="holds no spine"):
        variants(volume, mask.with_array(np.full(mask.shape, 71)), SMALL)
    with pytest.raises(RefusedError, match="one grey value throughout"):
        variants(volume.with_array(np.full(volume.shape, 7.0)), mask, SMALL)


def test_a_region_without_contrast_is_left_out_with_the_reason(scan):
    volume, mask = scan
    flat = np.array(volume.array)
    flat[:, :, 85:] = 50  # the T12 and its margin
    made = variants(volume.with_array(flat), mask, Preparation(shape=(16, 160, 64)))
    assert sorted(made.scales) == ["lumbar", "whole"]
    assert "one grey value throughout (50)" in made.missing["thoracic"]


def test_round_the_spine_nothing_is_cut_off_wherever_it_lies_in_the_scan(scan):
    volume, mask = scan
    wide = np.zeros((8, 400, 150), np.float32)  # the spine at the front of a scan that is three times as deep
    labels = np.zeros(wide.shape, np.int16)
    wide[:, :70], labels[:, :70] = volume.array, mask.array
    off = Volume(wide, volume.affine), Mask(labels, mask.affine)
    with pytest.raises(RefusedError, match="none of the spine lies"):
        prepare(*off, SMALL)
    p = prepare(*off, replace(SMALL, centre="spine"))
    assert p.kept_share > 0.98
    held = np.argwhere(p.inside.array)
    middle = (held.min(0) + held.max(0)) / 2
    assert np.abs(middle - (np.array(SMALL.shape) - 1) / 2).max() <= 1
    spine = np.argwhere(labels) @ mask.affine[:3, :3].T + mask.affine[:3, 3]
    found = held @ p.affine[:3, :3].T + p.affine[:3, 3]
    assert found.mean(0) == pytest.approx(spine.mean(0), abs=2.5)
    v = variants(*off, replace(SMALL, centre="spine"))
    assert np.array_equal(v.input("whole"), p.array)
    assert np.array_equal(v.labels.affine, p.affine)
    assert set(np.unique(v.labels.array)) == {0, 19, 22, 24}
