"""Numberings of other systems: spot checks against their published tables, round trips and real masks."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from whole_spine import USUAL, drawn_spine

from spineclock.core.errors import UsageError
from spineclock.core.geometry import canonical
from spineclock.core.volume import Mask
from spineclock.segment.instances import find
from spineclock.segment.schemes import SCHEMES, from_spineclock, left_out, to_spineclock


def row(*numbers):
    return Mask(np.array(numbers, np.int32).reshape(1, 1, -1), np.eye(4))


def listed(mask):
    return mask.array.ravel().tolist()


@pytest.mark.parametrize(
    ("scheme", "there", "here"),
    [
        # L5, L1, T12, T1, C7, C1
        ("spider", (1, 5, 6, 17, 18, 24), (24, 20, 19, 8, 7, 1)),
        ("totalspineseg", (45, 41, 32, 21, 17, 11), (24, 20, 19, 8, 7, 1)),
        ("spineps", (24, 20, 19, 8, 7, 1), (24, 20, 19, 8, 7, 1)),
        ("totalsegmentator", (27, 31, 32, 43, 44, 50), (24, 20, 19, 8, 7, 1)),
        # and L6, sacrum, T13
        ("verse", (24, 20, 19, 8, 7, 1, 25, 26, 28), (24, 20, 19, 8, 7, 1, 25, 26, 28)),
        # discs L5/S1, L4/L5, T12/L1, C7/T1, C2/C3; canal
        ("totalspineseg", (100, 95, 91, 71, 63, 2), (124, 123, 119, 107, 102, 61)),
        ("spider", (201, 202, 206, 218, 223, 100), (124, 123, 119, 107, 102, 61)),
        ("spineps", (124, 123, 119, 107, 102, 61), (124, 123, 119, 107, 102, 61)),
    ],
)
def test_numbers_of_each_scheme_both_ways(scheme, there, here):
    assert listed(to_spineclock(row(*there), scheme)) == list(here)
    if scheme != "spider":
        assert listed(from_spineclock(row(*here), scheme)) == list(there)


def test_spider_counts_from_the_lowest_vertebra_present():
    assert listed(from_spineclock(row(23, 123, 22, 122, 121, 61), "spider")) == [1, 201, 2, 202, 203, 100]
    assert listed(to_spineclock(row(1, 2, 103), "spider")) == [24, 23, 22]  # 103: the third, partly in view


def test_totalspineseg_calls_the_last_disc_100_whatever_lies_above():
    assert listed(to_spineclock(row(46, 45, 100), "totalspineseg")) == [25, 24, 125]
    assert listed(from_spineclock(row(25, 24, 125), "totalspineseg")) == [46, 45, 100]
    assert left_out(row(25, 24, 124, 125), "totalspineseg") == (124,)


def test_totalsegmentator_keeps_muscles_and_joins_both_ribs():
    assert listed(to_spineclock(row(86, 87, 88, 89, 103, 115, 79, 52), "totalsegmentator")) == [
        73, 74, 71, 72, 419, 419, 60, 0,
    ]  # fmt: skip
    assert listed(from_spineclock(row(73, 74, 71, 72, 60), "totalsegmentator")) == [86, 87, 88, 89, 79]
    assert left_out(row(24, 124, 61, 419), "totalsegmentator") == (61, 124, 419)


def test_endplates_join_their_vertebra_and_sacral_segments_are_not_lumbar():
    assert listed(to_spineclock(row(22, 222, 122, 29, 26), "spineps")) == [22, 22, 122, 0, 26]


def test_bodies_and_arches_are_written_as_their_vertebra():
    assert listed(from_spineclock(row(224, 323), "totalsegmentator")) == [27, 28]
    assert listed(from_spineclock(row(224, 24, 124, 61), "classes")) == [2, 2, 1, 3]


def test_wrong_names_and_foreign_numbers_are_refused():
    with pytest.raises(UsageError, match="no mask scheme is called 'nora'; wanted: spineclock, spider"):
        to_spineclock(row(1), "nora")
    with pytest.raises(UsageError, match="no mask scheme is called 'totalsegmentator-mr'"):
        from_spineclock(row(24), "totalsegmentator-mr")
    with pytest.raises(UsageError, match="numbers 18, 200–202 in a mask said to be totalspineseg"):
        to_spineclock(row(18, 200, 201, 202, 45), "totalspineseg")
    with pytest.raises(UsageError, match="numbers -1 in a mask"):
        to_spineclock(row(-1, 24), "spineclock")
    with pytest.raises(UsageError, match="numbers 50 in a spineclock mask"):
        from_spineclock(row(50), "spider")


def test_a_mask_of_classes_is_numbered_by_the_lowest_disc(spine):
    assert (to_spineclock(spine.classes, "classes").array == find(spine.classes).labels.array).all()
    as_mr = spine.classes.with_array(np.array([0, 20, 19, 21], np.uint8)[spine.classes.array])
    assert (to_spineclock(as_mr, "totalsegmentator-mr").array == find(spine.classes).labels.array).all()
    as_subregions = spine.classes.with_array(np.array([0, 100, 49, 61], np.uint8)[spine.classes.array])
    assert (to_spineclock(as_subregions, "spineps-subregions").array == find(spine.classes).labels.array).all()


@pytest.mark.parametrize("scheme", [s for s in SCHEMES if s in ("spider", "totalspineseg", "spineps", "spineclock")])
def test_found_instances_survive_a_round_trip(spine, scheme):
    labels = find(spine.classes).labels
    assert left_out(labels, scheme) == ()
    back = to_spineclock(from_spineclock(labels, scheme), scheme)
    assert (back.array == labels.array).all()
    assert (back.affine == labels.affine).all()


def load(path):
    image = nib.load(path)
    return canonical(Mask(np.asanyarray(image.dataobj).astype(np.int32), image.affine))


def test_a_totalsegmentator_map_has_its_vertebrae_in_order(real_data):
    mask = load(real_data / "ct/totalsegmentator/spine_report/example_ct_report/totalseg.nii.gz")
    ours = to_spineclock(mask, "totalsegmentator").array
    heights = {n: np.argwhere(ours == n)[:, 2].mean() for n in (26, 24, 23, 22, 21, 20, 19, 18)}
    assert list(heights.values()) == sorted(heights.values())
    assert set(np.unique(ours)) == {0, *heights}


def test_muscles_of_a_totalsegmentator_map_are_on_their_sides(real_data):
    ours = to_spineclock(load(real_data / "ct/totalsegmentator/example_seg.nii.gz"), "totalsegmentator").array
    across = {n: np.argwhere(ours == n)[:, 0].mean() for n in (71, 72, 73, 74)}  # axis 0 runs to the right
    assert across[71] < across[72]
    assert across[73] < across[74]


def test_verse_and_tptbox_vertebrae_keep_their_numbers(real_data):
    verse = load(real_data / "ct/verse014/sub-verse014_seg-vert_msk.nii.gz")
    assert (to_spineclock(verse, "spineps").array == verse.array).all()
    neck = load(real_data / "tptbox/sub-mri_seg-vert_label-6_msk.nii.gz")
    assert set(np.unique(to_spineclock(neck, "spineps").array)) == {0, 5, 6, 7, 105, 106}


def test_a_tptbox_subregion_mask_gives_levels_from_the_lowest_disc(real_data):
    parts = load(real_data / "tptbox/sub-mri_seg-subreg_label-6_msk.nii.gz")
    ours = to_spineclock(parts, "spineps-subregions").array
    truth = load(real_data / "tptbox/sub-mri_seg-vert_label-6_msk.nii.gz").array
    # the crop shows C5–C7 with the discs C5/C6 and C6/C7: taken for L4, L5 and S1
    for level, cervical in ((124, 106), (123, 105)):
        assert set(np.unique(truth[ours == level])) == {cervical}


def test_the_sacrum_has_a_class_of_its_own_and_is_where_counting_begins():
    classes, truth = drawn_spine(USUAL[-4:], bend=8.0)
    found = to_spineclock(classes, "classes")
    assert ((found.array == 26) == (truth.array == 26)).all()
    assert (from_spineclock(found, "classes").array == classes.array).mean() > 0.999
    for scheme, disc, bone, canal, sacrum in (
        ("spineps-subregions", 100, 49, 61, 26),
        ("totalsegmentator-mr", 20, 19, 21, 18),
    ):
        there = np.array([0, disc, bone, canal, sacrum])[classes.array]
        assert (to_spineclock(classes.with_array(there), scheme).array == found.array).all()


def test_cord_and_fluid_are_canal_where_a_scheme_has_no_numbers_for_them():
    mask = Mask(np.array([[[0, 60, 61, 62]]]), np.eye(4))
    schemes = ("spider", "totalspineseg", "spineps")
    written = {scheme: from_spineclock(mask, scheme).array.ravel().tolist() for scheme in schemes}
    assert written == {"spider": [0, 100, 100, 100], "totalspineseg": [0, 1, 2, 2], "spineps": [0, 60, 61, 61]}
    assert left_out(mask, "spider") == ()
