"""Orientation and resampling against hand-computed values."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from spineclock.core.errors import GeometryError
from spineclock.core.geometry import canonical, require_same_grid, resample, resample_like
from spineclock.core.volume import Mask, Volume


def ramp(shape=(8, 10, 12), spacing=(1.0, 1.0, 1.0)):
    """A volume whose samples are the millimetres along the last axis."""
    k = np.arange(shape[2]) * spacing[2]
    return Volume(np.broadcast_to(k, shape).astype(np.float32), np.diag([*spacing, 1.0]))


def test_all_48_storage_orders_of_an_oblique_scan_become_one():
    rng = np.random.default_rng(0)
    a, b = np.deg2rad([20, -12])
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]) @ np.array(
        [[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]]
    )
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = turn @ np.diag([4.0, 0.5, 0.7]), (-30, 12, 7)
    wanted = Volume(rng.normal(size=(3, 4, 5)), affine)
    for order, flips in product(permutations(range(3)), product((False, True), repeat=3)):
        array, stored = wanted.array.transpose(order), affine.copy()
        stored[:3, :3] = affine[:3, list(order)]
        for axis in np.flatnonzero(flips):
            array = np.flip(array, axis)
            stored[:3, 3] += stored[:3, axis] * (array.shape[axis] - 1)
            stored[:3, axis] *= -1
        found = canonical(Volume(array, stored))
        np.testing.assert_array_equal(found.array, wanted.array)
        np.testing.assert_allclose(found.affine, wanted.affine, atol=1e-12)


@pytest.mark.parametrize("new_mm", [0.5, 0.8, 1.6, 3.0])
def test_a_ramp_stays_a_ramp_in_millimetres(new_mm):
    found = resample(ramp(shape=(8, 10, 60)), (1.0, 1.0, new_mm))
    k = np.arange(found.shape[2])
    wanted = found.affine[2, 2] * k + found.affine[2, 3]
    inner = slice(6, -6) if new_mm < 1 else slice(3, -3)
    np.testing.assert_allclose(found.array[0, 0][inner], wanted[inner], atol=0.05)


def test_the_box_of_the_patient_is_kept():
    found = resample(ramp(shape=(16, 1024, 384), spacing=(4.0, 0.5, 0.5)), (4.0, 1.0, 1.0))
    assert found.shape == (16, 512, 192)
    first_edge = found.affine[:3, 3] - 0.5 * np.diag(found.affine)[:3]
    np.testing.assert_allclose(first_edge, [-2, -0.25, -0.25], atol=1e-9)


def test_shrinking_does_not_alias():
    """A pattern finer than the new grid averages out instead of turning into a coarse one."""
    stripes = np.broadcast_to(np.arange(240) % 2 * 2.0 - 1, (8, 8, 240)).astype(np.float32)
    found = resample(Volume(stripes, np.eye(4)), (1.0, 1.0, 3.2))
    assert np.abs(found.array[:, :, 4:-4]).max() < 0.1


def test_a_label_map_keeps_its_labels():
    labels = np.zeros((4, 20, 20), np.uint8)
    labels[:, 5:15, 5:15] = 24
    labels[:, 8:12, 8:12] = 124
    found = resample(Mask(labels, np.eye(4)), (1.0, 0.37, 0.37))
    assert isinstance(found, Mask)
    assert set(np.unique(found.array)) == {0, 24, 124}
    assert found.voxel_mm3 * np.sum(found.array > 0) == pytest.approx(np.sum(labels > 0), rel=0.1)


@pytest.mark.parametrize("kind", [Volume, Mask])
def test_outside_the_box_is_zero_and_its_rim_is_not(kind):
    source = kind(np.full((4, 4, 4), 7, np.int16), np.eye(4))
    target = np.eye(4)
    target[:3, 3] = -3
    found = resample_like(source, (10, 10, 10), target).array
    assert found[3:7, 3:7, 3:7].min() == 7
    assert found[:3].max() == found[7:].max() == 0
    half = resample(source, (0.5, 0.5, 0.5)).array  # its outermost samples lie a quarter voxel outside the source's
    assert half.min() == 7


def test_grids_that_differ_are_told_apart_with_the_distance():
    a = ramp()
    moved = a.affine.copy()
    moved[0, 3] += 2
    with pytest.raises(GeometryError, match=r"scan and mask: the grids lie up to 2\.0 mm apart"):
        require_same_grid(a, Volume(a.array, moved), what="scan and mask")
    with pytest.raises(GeometryError, match=r"shapes \(8, 10, 12\) and \(8, 10, 11\)"):
        require_same_grid(a, Volume(a.array[:, :, :-1], a.affine), what="scan and mask")


def test_what_is_no_volume_is_refused():
    with pytest.raises(GeometryError, match="4 axes"):
        Volume(np.zeros((2, 2, 2, 2)), np.eye(4))
    with pytest.raises(GeometryError, match="singular affine"):
        Volume(np.zeros((2, 2, 2)), np.diag([1.0, 0.0, 1.0, 1.0]))
    with pytest.raises(GeometryError, match="label map of type float64"):
        Mask(np.zeros((2, 2, 2)), np.eye(4))


def test_samples_cannot_be_changed_behind_a_volumes_back():
    volume = ramp()
    with pytest.raises(ValueError, match="read-only"):
        volume.array[0, 0, 0] = 1


def test_beyond_the_box_is_nothing_or_what_lies_nearest():
    volume = Volume(np.arange(1.0, 9.0).reshape(2, 2, 2), np.eye(4))
    affine = np.eye(4)
    affine[0, 3] = -2.0
    blank, held = (resample_like(volume, (6, 2, 2), affine, blank=b).array for b in (True, False))
    assert np.array_equal(blank[2:4], volume.array)
    assert not blank[[0, 1, 4, 5]].any()
    assert np.array_equal(held, volume.array[[0, 0, 0, 1, 1, 1]])
