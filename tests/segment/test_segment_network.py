"""Class probabilities of whole scans from a slice network, with hand-made networks in place of the trained one."""

from __future__ import annotations

import numpy as np

from spineclock.core.volume import Volume
from spineclock.segment import network
from spineclock.segment.slices import from_pictures, to_pictures, windowed, with_neighbours, working_grid


def bright_is_disc(pictures):
    """Probabilities of a network that takes what is bright in the middle slice for disc."""
    bright = pictures[:, 1] > 4.0  # half way up to the box
    probabilities = np.zeros((len(pictures), 4, *pictures.shape[2:]), np.float32)
    probabilities[:, 0], probabilities[:, 1] = ~bright, bright
    return probabilities


def scan_with_box(spacing=(4.0, 0.8, 0.8), shape=(7, 150, 180)):
    array = np.random.default_rng(0).uniform(0, 10, shape).astype(np.float32)
    array[2:5, 60 : 60 + shape[1] // 5, 70 : 70 + shape[2] // 6] = 200  # 1.4% of the voxels
    return Volume(array, np.diag([*spacing, 1.0]))


def test_the_label_map_lies_where_the_structure_does():
    scan = scan_with_box()
    mask, certainty = network.certain_label_map(*network.class_probabilities(scan, bright_is_disc), scan)
    truth = scan.array == 200
    overlap = 2 * np.sum((mask.array == 1) & truth) / (np.sum(mask.array == 1) + truth.sum())
    assert overlap > 0.97
    assert certainty[truth].mean() > 0.95
    np.testing.assert_array_equal(mask.affine, scan.affine)


def test_looking_only_round_the_spine_changes_nothing(monkeypatch):
    scan = scan_with_box(shape=(7, 400, 400))
    seen = []

    def counting(pictures):
        seen.append(pictures.shape[2:])
        return bright_is_disc(pictures)

    windowed_answer, _ = network.class_probabilities(scan, counting)
    assert max(h * w for h, w in seen[1:]) < 0.3 * max(h * w for h, w in seen[:1])
    monkeypatch.setattr(network, "_spine_window", lambda pictures, scorer: (4, (slice(None), slice(None))))
    whole_answer, _ = network.class_probabilities(scan, bright_is_disc)
    np.testing.assert_allclose(windowed_answer, whole_answer, atol=1e-4)


def test_a_scan_without_a_spine_is_background_everywhere():
    scan = scan_with_box()
    probabilities, _ = network.class_probabilities(scan, lambda p: bright_is_disc(np.zeros_like(p)))
    assert (probabilities[0] == 1).all()
    assert (probabilities[1:] == 0).all()


def test_probabilities_add_up_to_one_on_odd_shapes():
    probabilities, grid = network.class_probabilities(scan_with_box(shape=(5, 97, 101)), bright_is_disc)
    assert probabilities.shape == (4, *grid.shape)
    np.testing.assert_allclose(probabilities.sum(0), 1, atol=1e-5)


def test_windowing_does_not_depend_on_scale_or_offset_of_the_samples():
    array = np.random.default_rng(1).gamma(2, 50, (6, 40, 50))
    np.testing.assert_allclose(windowed(3.5 * array + 200), windowed(array), atol=1e-5)
    assert windowed(np.full((3, 4, 5), 7.0)).max() == 0


def test_pictures_show_superior_at_the_top_and_anterior_at_the_left():
    array = np.zeros((2, 3, 4))
    array[0, 2, 3] = 1  # most anterior, most superior
    pictures = to_pictures(array)
    assert pictures.shape == (2, 4, 3)
    assert pictures[0, 0, 0] == 1
    np.testing.assert_array_equal(from_pictures(pictures), array)


def test_neighbours_stop_at_the_ends_and_swap_when_mirrored():
    pictures = np.arange(5, dtype=np.float32)[:, None, None] * np.ones((1, 2, 2), np.float32)
    stacks = with_neighbours(pictures, 2)[:, :, 0, 0]
    assert stacks.tolist() == [[0, 0, 2], [0, 1, 3], [0, 2, 4], [1, 3, 4], [2, 4, 4]]
    assert with_neighbours(pictures, 2, mirrored=True)[2, :, 0, 0].tolist() == [4, 2, 0]


def test_only_pixels_far_from_the_networks_own_are_resampled():
    near = Volume(np.zeros((5, 100, 100), np.int16), np.diag([1.0, 0.4688, 0.4688, 1.0]))
    assert working_grid(near).spacing_mm[1] == 0.4688
    far = Volume(np.zeros((5, 100, 100), np.int16), np.diag([4.0, 0.7, 0.7, 1.0]))
    assert working_grid(far).shape == (5, 149, 149)
