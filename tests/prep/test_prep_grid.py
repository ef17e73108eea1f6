"""The fixed grid: where each sample ends up in the patient."""

from __future__ import annotations

import numpy as np
import pytest

from spineclock.core.volume import Mask, Volume
from spineclock.prep.grid import crop_or_pad, on_grid, sagittal_axes


def patient_mm(volume: Volume) -> np.ndarray:
    """Right, anterior and superior millimetres of every voxel, shape (I, J, K, 3)."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in volume.shape), indexing="ij"), -1)
    return index @ volume.affine[:3, :3].T + volume.affine[:3, 3]


def ramp(shape, affine, weights=(0.5, 2.0, -1.0)) -> Volume:
    """A volume whose grey value is a linear function of the place in the patient."""
    volume = Volume(np.zeros(shape, np.float32), affine)
    return volume.with_array((patient_mm(volume) @ weights + 300).astype(np.float32))


def test_pictures_hang_head_up_face_left():
    affine = np.diag([3.0, 1.0, 1.0, 1.0])
    marked = np.zeros((3, 4, 5), np.int16)
    marked[2, 3, 4] = 1  # rightmost, most anterior, top
    s = sagittal_axes(Volume(marked, affine))
    assert s.shape == (3, 5, 4)
    assert s.array[2, 0, 0] == 1
    assert np.allclose(s.affine @ [2, 0, 0, 1], affine @ [2, 3, 4, 1])


@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, -1), (-1, -1, -1)])
def test_every_sample_stays_at_its_millimetre(flips):
    volume = ramp((4, 5, 6), np.diag([*flips, 1]) @ np.diag([4.0, 1.5, 0.8, 1.0]))
    s = sagittal_axes(volume)
    assert np.allclose(s.array, patient_mm(s) @ (0.5, 2.0, -1.0) + 300, atol=1e-3)
    c = crop_or_pad(s, (3, 9, 2))
    held = c.array != 0
    assert held.sum() == 3 * 6 * 2  # rows were filled up: the six the scan has remain
    assert np.allclose(c.array[held], (patient_mm(c) @ (0.5, 2.0, -1.0) + 300)[held], atol=1e-3)


@pytest.mark.parametrize(("have", "want"), [(5, 5), (5, 2), (4, 1), (5, 8), (4, 9), (1, 4)])
def test_cut_and_filled_axes_stay_centred_to_half_a_voxel(have, want):
    out = crop_or_pad(Volume(np.ones((have, 1, 1)), np.eye(4)), (want, 1, 1))
    assert out.array.sum() == min(have, want)
    assert abs((out.affine[0, 3] + (want - 1) / 2) - (have - 1) / 2) <= 0.5


def test_a_linear_image_keeps_its_values_on_the_new_grid():
    tilt = np.deg2rad(12)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]]
    volume = ramp((9, 60, 90), turn @ np.diag([5.0, 1.2, 1.2, 1.0]))
    out = on_grid(volume, spacing_mm=(4.0, 1.0, 1.0), shape=(12, 128, 64))
    assert np.allclose(out.spacing_mm, (4, 1, 1))
    # away from the borders, where there is nothing to interpolate with, linear interpolation is exact on a linear image
    inner = (slice(2, -2), slice(16, -16), slice(4, -4))
    assert np.allclose(out.array[inner], (patient_mm(out) @ (0.5, 2.0, -1.0) + 300)[inner], atol=0.01)


def test_a_box_keeps_its_millimetres_when_it_is_resampled():
    labels = np.zeros((10, 100, 100), np.uint8)
    labels[3:7, 40:60, 10:70] = 1  # 20 × 10 × 30 mm at 5 × 0.5 × 0.5 mm
    mask = Mask(labels, np.diag([5.0, 0.5, 0.5, 1.0]))
    out = on_grid(mask, spacing_mm=(4.0, 1.0, 1.0), shape=(16, 64, 64))
    assert set(np.unique(out.array)) == {0, 1}
    held = patient_mm(out)[out.array == 1]
    assert np.ptp(held, axis=0) + np.array([4, 1, 1]) == pytest.approx((20, 10, 30))
    assert held.mean(axis=0) == pytest.approx(patient_mm(mask)[labels == 1].mean(axis=0), abs=0.51)


def test_a_volume_on_the_grid_is_returned_to_the_bit():
    volume = Volume(np.random.default_rng(0).normal(size=(7, 40, 33)).astype(np.float32), np.diag([3.0, 0.7, 0.7, 1]))
    once = on_grid(volume, spacing_mm=(4.0, 1.0, 1.0), shape=(8, 32, 32))
    twice = on_grid(once, spacing_mm=(4.0, 1.0, 1.0), shape=(8, 32, 32))
    assert (once.array == twice.array).all()
    assert np.allclose(once.affine, twice.affine)
