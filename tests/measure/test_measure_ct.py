"""CT measures of drawn bodies and muscles, whose heights, densities and fat are known; and of real scans."""

from __future__ import annotations

import numpy as np
import pytest

from spineclock.core.anatomy import LEVEL_NUMBERS
from spineclock.core.errors import GeometryError
from spineclock.core.volume import Mask, Volume
from spineclock.ingest.ct import SPINE_CT
from spineclock.ingest.nifti import read_mask
from spineclock.ingest.series import read_scans
from spineclock.measure.body_frames import body_frames
from spineclock.measure.ct_bodies import ct_bodies
from spineclock.measure.ct_muscles import muscles
from spineclock.measure.ct_whole import measure_ct
from spineclock.segment.parts import with_parts
from spineclock.segment.schemes import to_spineclock
from spineclock.segment.totalsegmentator import merged

LEVELS = ("T12", "L1", "L2", "L3", "L4")
DEPTH, WIDTH, BACK = 34.0, 46.0, 26.0
FRONT = {"T12": 25.0, "L1": 17.0, "L2": 26.0, "L3": 26.0, "L4": 27.0}


def turn(pitch_deg, roll_deg):
    """Axes (right, front, up) of a body that points up in front by pitch and rises to the right by roll."""
    p, r = np.radians([pitch_deg, roll_deg])
    pitch = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    roll = np.array([[np.cos(r), 0, -np.sin(r)], [0, 1, 0], [np.sin(r), 0, np.cos(r)]])
    return (roll @ pitch).T


def spine(spacing=(1.0, 1.0, 0.9), pitch=8.0, roll=0.0, marrow=120.0, noise=15.0):
    """Five bodies with a cortex of 1.5 mm, a bright vein behind, arches, muscles with fat; and the label map."""
    extent = np.array([160.0, 110.0, 196.0])
    shape = tuple(np.ceil(extent / spacing).astype(int))
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    points = (index + 0.31) * spacing - extent / 2
    labels = np.zeros(shape, np.uint16)
    hu = np.full(shape, -60.0)
    for n, level in enumerate(LEVELS):
        middle = np.array([0.0, 12.0, 76.0 - 38.0 * n])
        right, front, up = np.moveaxis((points - middle) @ turn(pitch, roll).T, -1, 0)
        high = BACK + (FRONT[level] - BACK) * (front / DEPTH + 0.5)

        def box(off, right=right, front=front, up=up, high=high):
            return (np.abs(right) < WIDTH / 2 - off) & (np.abs(front) < DEPTH / 2 - off) & (np.abs(up) < high / 2 - off)

        number = LEVEL_NUMBERS[level]
        labels[box(0)] = 200 + number
        hu[box(0)] = 700
        hu[box(1.5)] = marrow + 10 * n
        hu[box(1.5) & (front < -DEPTH / 4) & (np.abs(up) < 3)] = 400
        arch = (np.abs(right) < 20) & (front < -DEPTH / 2 - 12) & (front > -DEPTH / 2 - 22) & (np.abs(up) < 12)
        labels[arch], hu[arch] = 300 + number, 500
    for number, x, y, size in ((71, -45, 8, 15), (72, 45, 8, 15), (73, -42, -32, 20), (74, 42, -32, 20)):
        inside = (points[..., 0] - x) ** 2 + (points[..., 1] - y) ** 2 < size**2
        inside &= labels == 0
        labels[inside], hu[inside] = number, 55
        hu[inside & (points[..., 0] > x + 0.5 * size)] = -100  # a side of each is fat
    hu += np.random.default_rng(0).normal(0, noise, shape)
    affine = np.diag([*spacing, 1.0])
    return Volume(np.rint(hu).astype(np.int16), affine), Mask(labels, affine)


@pytest.fixture(scope="module")
def drawn():
    return spine()


@pytest.fixture(scope="module")
def bodies(drawn):
    return ct_bodies(*drawn)


def expected(level, share):
    """Height of the wedge at a share of the depth from the back."""
    return BACK + (FRONT[level] - BACK) * share


def test_heights_depth_and_wedge_are_those_drawn(bodies):
    for level, body in bodies.items():
        h = body.heights
        assert h.anterior_mm == pytest.approx(expected(level, 0.825), abs=0.8)
        assert h.middle_mm == pytest.approx(expected(level, 0.5), abs=0.8)
        assert h.posterior_mm == pytest.approx(expected(level, 0.175), abs=0.8)
        assert body.depth_mm == pytest.approx(DEPTH, abs=1.0)
        assert body.wedge_deg == pytest.approx(2 * np.degrees(np.arctan((FRONT[level] - BACK) / DEPTH / 2)), abs=2.0)
        assert not body.cut


@pytest.mark.parametrize("roll", [-15.0, 12.0])
def test_bodies_that_lean_sideways_keep_their_heights(roll):
    found = ct_bodies(*spine((1.2, 1.2, 1.5), pitch=0.0, roll=roll))
    for level in ("L2", "L3"):
        assert found[level].tilt_deg == pytest.approx(roll, abs=1.5)
        assert found[level].heights.middle_mm == pytest.approx(expected(level, 0.5), abs=0.6)
        assert found[level].trabecular.mean_hu == pytest.approx(120 + 10 * LEVELS.index(level), abs=3)


def test_slices_of_3_mm_may_cost_2_mm_of_height_and_it_is_said(bodies):
    assert "mild losses are uncertain" in " ".join(measure_ct(*spine((1.0, 1.0, 3.0))).notes)
    fine, coarse = bodies, ct_bodies(*spine((1.0, 1.0, 3.0)))
    for level in LEVELS:
        for name in ("anterior_mm", "middle_mm", "posterior_mm"):
            assert getattr(coarse[level].heights, name) == pytest.approx(getattr(fine[level].heights, name), abs=2.4)


def test_trabecular_density_is_free_of_cortex_and_vein(bodies):
    for n, level in enumerate(LEVELS):
        bone = bodies[level].trabecular
        assert bone.mean_hu == pytest.approx(120 + 10 * n, abs=1.5)
        assert bone.median_hu == pytest.approx(120 + 10 * n, abs=1.5)
        assert bone.sd_hu == pytest.approx(15.0, abs=1.5)
        assert bone.voxels > 1000


def test_storage_order_changes_nothing(drawn):
    volume, labels = drawn
    affine = np.array(volume.affine)[:, [2, 0, 1, 3]] * [-1, 1, -1, 1]
    affine[:3, 3] = volume.affine[:3, :3] @ [0, volume.shape[1] - 1, volume.shape[2] - 1]
    flip = [m.array.transpose(2, 0, 1)[::-1, :, ::-1] for m in (volume, labels)]
    turned = measure_ct(Volume(flip[0], affine), Mask(flip[1], affine))
    same = measure_ct(volume, labels)
    assert turned.wide() == pytest.approx(same.wide(), nan_ok=True)


def test_the_wedge_is_graded_and_left_out_of_the_density(drawn):
    found = measure_ct(*drawn)
    assert list(found.fractures) == ["L1"]
    assert (found.fractures["L1"].grade, found.fractures["L1"].form) == (2, "wedge")
    wide = found.wide()
    assert np.isnan(wide["l1_hu"])
    assert wide["mean_hu"] == pytest.approx(np.mean([120, 140, 150, 160]), abs=1.5)
    assert wide["worst_grade"] == 2
    table = found.measurements.table
    row = table[(table.level == "L1") & (table.name == "genant_grade")]
    assert row.value.tolist() == [2.0]
    assert found.coverage.whole == LEVELS
    assert found.notes == ()


def test_muscles_have_the_area_density_and_fat_they_were_given(drawn):
    volume, labels = drawn
    found = {(m.name, m.side): m for m in muscles(volume, labels, body_frames(labels))}
    assert len(found) == 4
    fat = 0.1955  # share of a circle beyond half its radius
    for key, size in ((("psoas", "left"), 15), (("erector", "right"), 20)):
        muscle = found[key]
        assert muscle.area_mm2 == pytest.approx(np.pi * size**2, rel=0.03)
        assert muscle.fat_share == pytest.approx(fat, abs=0.015)
        assert muscle.mean_hu == pytest.approx(55 - 155 * fat, abs=2)
        assert muscle.lean_mean_hu == pytest.approx(55, abs=1)
        assert muscle.intramuscular_fat_share == pytest.approx(fat, abs=0.02)
        assert not muscle.cut
    wide = measure_ct(volume, labels).wide()
    assert wide["psoas_area_mm2"] == pytest.approx(2 * np.pi * 15**2, rel=0.03)


def test_fat_between_bundles_counts_where_the_outline_leaves_it_out(drawn):
    volume, labels = drawn
    array, hu = np.array(labels.array), np.array(volume.array)
    gap = (array == 73) & (np.arange(array.shape[1]) % 10 < 3)[None, :, None]
    array[gap], hu[gap] = 0, -100
    before, after = (
        next(m for m in muscles(v, mask, body_frames(mask)) if (m.name, m.side) == ("erector", "left"))
        for v, mask in ((volume, labels), (volume.with_array(hu), labels.with_array(array)))
    )
    assert after.fat_share == pytest.approx(before.fat_share, abs=0.03)
    assert after.intramuscular_fat_share > before.fat_share + 0.15


def test_a_muscle_at_the_border_is_told(drawn):
    volume, labels = drawn
    cropped = Volume(volume.array[:118], volume.affine), Mask(labels.array[:118], labels.affine)
    found = {(m.name, m.side): m.cut for m in muscles(*cropped, body_frames(cropped[1]))}
    assert found == {
        ("psoas", "left"): False, ("psoas", "right"): True, ("erector", "left"): False, ("erector", "right"): True,
    }  # fmt: skip
    assert np.isnan(measure_ct(*cropped).wide()["psoas_area_mm2"])


def test_what_is_cut_or_not_there_is_said(drawn):
    volume, labels = drawn
    low = slice(66, 176)  # from within L3 to within T12
    found = measure_ct(Volume(volume.array[:, :, low], volume.affine), Mask(labels.array[:, :, low], labels.affine))
    assert found.coverage.cut
    assert "cut off" in found.notes[0]
    with pytest.raises(GeometryError):
        ct_bodies(volume, Mask(labels.array[1:], labels.affine))


@pytest.fixture(scope="module")
def lumbar(real_data):
    folder = real_data / "ct" / "totalsegmentator"
    report = folder / "spine_report" / "example_ct_report"
    scan = read_scans(folder / "example_ct.nii.gz", accepts=SPINE_CT).scans[0]
    maps = [read_mask(report / f"{name}.nii.gz") for name in ("totalseg", "totalseg_vertebrae_body")]
    return scan.volume, maps


def test_a_real_lumbar_ct_lies_within_anatomy(lumbar):
    """A man of 55: TotalSegmentator's own report gives heights of 21 to 28.5 mm, medians of whole bodies 110–129 HU."""
    volume, (total, body) = lumbar
    found = measure_ct(volume, merged(total, body))
    assert found.coverage.whole == ("L1", "L2", "L3", "L4")
    assert found.coverage.cut == ("T12",)
    assert not found.fractures
    for level in ("L1", "L2", "L3", "L4", "L5"):
        one = found.bodies[level]
        assert 22 < one.heights.anterior_mm < 33
        assert 22 < one.heights.posterior_mm < 32
        assert 95 < one.trabecular.median_hu < 112
    report = {"L1": (21, 24, 27), "L2": (28.5, 24, 25.5), "L3": (28.5, 22.5, 24), "L4": (28.5, 22.5, 22.5)}
    for level, (front, middle, back) in report.items():  # by another way, in steps of 1.5 mm
        h = found.bodies[level].heights
        assert (h.anterior_mm, h.middle_mm, h.posterior_mm) == pytest.approx((front, middle, back), abs=4.0)


def test_bodies_by_geometry_measure_like_bodies_by_network(lumbar):
    volume, (total, body) = lumbar
    both = [measure_ct(volume, labels).bodies for labels in (merged(total, body), merged(total))]
    for level in ("L1", "L2", "L3", "L4"):
        one, other = (b[level] for b in both)
        assert one.heights.middle_mm == pytest.approx(other.heights.middle_mm, abs=1.5)
        assert one.trabecular.median_hu == pytest.approx(other.trabecular.median_hu, abs=4)


def test_muscles_of_a_real_ct(real_data):
    """At L1, where TotalSegmentator's example shows them; the deep back muscles of a man are 15–30 cm² a side."""
    folder = real_data / "ct" / "totalsegmentator"
    scan = read_scans(folder / "example_ct_sm.nii.gz", accepts=SPINE_CT).scans[0]
    labels = merged(read_mask(folder / "example_seg.nii.gz"))
    assert "no muscle is labelled at L3" in measure_ct(scan.volume, labels).notes
    found = {(m.name, m.side): m for m in measure_ct(scan.volume, labels, muscle_level="L1").muscles}
    left, right = found["erector", "left"], found["erector", "right"]
    assert 1500 < left.area_mm2 < 3000
    assert left.area_mm2 == pytest.approx(right.area_mm2, rel=0.15)
    assert 10 < left.mean_hu < 60
    assert left.fat_share < 0.1


def test_a_real_verse_scan_lies_within_anatomy(real_data):
    folder = real_data / "ct" / "verse014"
    scan = read_scans(folder / "sub-verse014_ct.nii.gz", accepts=SPINE_CT).scans[0]
    labels = with_parts(to_spineclock(read_mask(folder / "sub-verse014_seg-vert_msk.nii.gz"), "verse"))
    found = measure_ct(scan.volume, labels)
    assert found.coverage.whole == ("L1", "L2", "L3", "L4")
    assert found.coverage.absent == ("T12",)
    assert not found.fractures
    for level in ("L1", "L2", "L3", "L4", "L5"):
        assert 22 < found.bodies[level].heights.middle_mm < 29
        assert 30 < found.bodies[level].depth_mm < 36
    assert 70 < found.bodies["L3"].trabecular.median_hu < 100
