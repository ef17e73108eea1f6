"""Which labels are spine, and the margin in millimetres."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from spineclock.core.errors import RefusedError, UsageError
from spineclock.core.volume import Mask
from spineclock.prep.masking import PARTS, bit, dilated, parts_of, spine_labels, union


def test_regions_are_vertebrae_only_and_share_none():
    parts = {part: set(spine_labels(part)) for part in ("cervical", "thoracic", "lumbar")}
    assert parts["cervical"] == {*range(1, 8), *range(201, 208), *range(301, 308)}
    assert parts["thoracic"] == {k + n for k in (0, 200, 300) for n in (*range(8, 20), 28)}  # T13 is 28
    assert parts["lumbar"] == {k + n for k in (0, 200, 300) for n in (*range(20, 26), 29)}  # L7 is 29
    assert all(p <= set(spine_labels()) for p in parts.values())


def test_whole_spine_has_discs_sacrum_ribs_canal_and_no_muscle():
    labels = set(spine_labels())
    assert {26, 124, 126, 408, 60, 61, 62} <= labels
    assert not labels & {0, 71, 72, 73, 74, 75}


def test_union_keeps_only_the_part():
    mask = Mask(np.array([0, 5, 22, 222, 122, 61, 73]).reshape(7, 1, 1), np.eye(4))
    assert union(mask).array.ravel().tolist() == [0, 1, 1, 1, 1, 1, 0]
    assert union(mask, "lumbar").array.ravel().tolist() == [0, 0, 1, 1, 0, 0, 0]
    assert union(mask, "cervical").array.ravel().tolist() == [0, 1, 0, 0, 0, 0, 0]


def test_union_refuses_a_map_without_the_part_and_says_what_it_holds():
    mask = Mask(np.array([0, 5, 22]).reshape(3, 1, 1), np.eye(4))
    with pytest.raises(RefusedError, match=r"no thoracic vertebra, its labels are \[0, 5, 22\]"):
        union(mask, "thoracic")
    with pytest.raises(UsageError, match="no part of the spine is called 'neck'"):
        union(mask, "neck")  # type: ignore[arg-type]


@pytest.mark.parametrize("spacing", [(4.0, 1.0, 1.0), (1.0, 1.0, 1.0), (3.3, 0.9, 0.47)])
def test_a_dilated_voxel_is_the_ball_counted_by_hand(spacing):
    array = np.zeros((15, 31, 59), dtype=np.uint8)
    array[7, 15, 29] = 1
    grown = dilated(Mask(array, np.diag([*spacing, 1.0])), 10.0).array
    i, j, k = np.ogrid[-7:8, -15:16, -29:30]
    ball = (i * spacing[0]) ** 2 + (j * spacing[1]) ** 2 + (k * spacing[2]) ** 2 <= 100
    assert (grown == ball).all()


def test_dilation_reaches_the_edge_of_the_image_and_no_further():
    array = np.zeros((5, 8, 8), dtype=np.uint8)
    array[0, 0, 7] = array[4, 7, 0] = 1
    grown = dilated(Mask(array, np.eye(4)), 2.0).array
    i, j, k = np.ogrid[:5, :8, :8]
    near = (i**2 + j**2 + (k - 7) ** 2 <= 4) | ((i - 4) ** 2 + (j - 7) ** 2 + k**2 <= 4)
    assert (grown == near).all()


def test_dilation_agrees_with_another_library():
    rng = np.random.default_rng(4)
    mask = Mask((rng.random((9, 40, 50)) < 0.002).astype(np.uint8), np.diag([4.4, 0.7, 0.6, 1.0]))
    image = sitk.GetImageFromArray(mask.array)
    image.SetSpacing(mask.spacing_mm[::-1])
    away_mm = sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(image, False, False, True))
    assert (dilated(mask, 7.3).array == (away_mm <= 7.3)).all()


def test_no_margin_changes_nothing_and_a_negative_one_is_an_error():
    rng = np.random.default_rng(0)
    mask = Mask((rng.random((6, 7, 8)) < 0.1).astype(np.uint8), np.diag([4.0, 1, 1, 1]))
    assert (dilated(mask, 0).array == mask.array).all()
    with pytest.raises(UsageError, match="margin of -1 mm"):
        dilated(mask, -1)


def test_each_bit_of_a_map_of_parts_is_dilated_by_itself():
    rng = np.random.default_rng(7)
    labels = np.where(rng.random((6, 30, 40)) < 0.01, rng.choice([5, 13, 22, 122, 61, 71, 408], (6, 30, 40)), 0)
    mask = Mask(labels, np.diag([4.0, 0.9, 1.3, 1.0]))
    margins = dilated(parts_of(mask), 6.0)
    assert margins.array.dtype == np.uint8
    for part in PARTS:
        assert ((margins.array & bit(part) != 0) == (dilated(union(mask, part), 6.0).array == 1)).all()


def test_numbers_that_no_structure_has_belong_to_no_part():
    mask = Mask(np.array([-1, -500, 0, 430, 500, 70000, 429, 7]).reshape(8, 1, 1), np.eye(4))
    assert parts_of(mask).array.ravel().tolist() == [0, 0, 0, 0, 0, 0, 1, 3]  # 429: the ribs of L7


def test_a_margin_wider_than_the_image_fills_it():
    rng = np.random.default_rng(3)
    for shape in ((1, 1, 1), (2, 3, 40), (5, 1, 7)):
        array = np.zeros(shape, np.uint8)
        array[tuple(rng.integers(0, n) for n in shape)] = 1
        assert dilated(Mask(array, np.diag([4.0, 1.0, 1.0, 1.0])), 60.0).array.all()
    assert not dilated(Mask(np.zeros((3, 3, 3), np.uint8), np.eye(4)), 5).array.any()
