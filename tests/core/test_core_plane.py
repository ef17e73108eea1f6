"""The plane of a volume, and canonical axes that no storage order can change."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from spineclock.core.geometry import canonical, plane
from spineclock.core.recipe import Accepts
from spineclock.core.volume import Volume

STRAIGHT = np.eye(3)


def volume(shape, spacing, turn=STRAIGHT):
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(spacing)
    return Volume(np.broadcast_to(np.int8(0), shape), affine)


@pytest.mark.parametrize(
    ("shape", "spacing", "expected"),
    [
        ((15, 320, 320), (4.4, 0.6, 0.6), "sagittal"),
        ((320, 15, 320), (0.6, 4.4, 0.6), "coronal"),
        ((320, 320, 30), (0.6, 0.6, 4.4), "axial"),
        ((60, 320, 320), (1.0, 0.47, 0.47), "sagittal"),
        ((400, 320, 320), (1.0, 0.5, 0.5), "sagittal"),  # spacing decides before the number of samples
        ((38, 257, 201), (1.0, 1.0, 1.0), "sagittal"),
        ((201, 257, 38), (1.0, 1.0, 1.0), "axial"),
        ((200, 257, 201), (1.0, 1.0, 1.0), "unknown"),
        ((60, 320, 320), (0.5, 4.0, 4.0), "unknown"),  # two coarse axes
        ((1, 320, 320), (0.3, 0.5, 0.5), "sagittal"),
        ((320, 1, 320), (0.5, 0.3, 0.5), "coronal"),
    ],
)
def test_plane(shape, spacing, expected):
    assert plane(volume(shape, spacing)) == expected


def test_plane_does_not_depend_on_storage():
    slab = volume((15, 320, 300), (4.4, 0.6, 0.7))
    for order in permutations(range(3)):
        affine = np.eye(4)
        affine[:3, :3] = -slab.affine[:3, list(order)]
        assert plane(Volume(slab.array.transpose(order), affine)) == "sagittal"


def test_canonical_at_45_degrees_is_one_answer():
    c = np.sqrt(0.5)
    tilted = volume((3, 4, 5), (4.0, 1.0, 1.0), np.array([[1, 0, 0], [0, c, -c], [0, c, c]]))
    tilted = tilted.with_array(np.arange(60).reshape(3, 4, 5))
    one = canonical(tilted)
    for order in permutations(range(3)):
        affine = np.array(tilted.affine)
        affine[:3, :3] = affine[:3, list(order)]
        other = canonical(Volume(tilted.array.transpose(order), affine))
        np.testing.assert_array_equal(other.array, one.array)
        np.testing.assert_allclose(other.affine, one.affine, atol=1e-12)


def test_what_a_recipe_accepts_in_words():
    accepts = Accepts(frozenset({"CT", "MR"}), "unknown", (), max_slice_spacing_mm=2.5, min_slices=3)
    assert accepts.wanted == "CT or MR, slices up to 2.5 mm apart, at least 3 of them"
    assert accepts.max_bytes == 16_000_000_000
