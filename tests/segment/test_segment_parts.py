"""Bodies told from arches: against drawn vertebrae, and against maps that other programs and people made."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest

from spineclock.core.errors import GeometryError, UsageError
from spineclock.core.geometry import canonical
from spineclock.core.volume import Mask
from spineclock.ingest.nifti import read_mask
from spineclock.segment.parts import foramina, together, with_parts
from spineclock.segment.schemes import to_spineclock
from spineclock.segment.totalsegmentator import CLASSES, WANTED, command, merged, of_classes


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def ring(turn_deg=0.0, spacing=1.0, gap=0.0):
    """L1 to L3 as prisms: body, canal and arch drawn round (0, 0), turned about the long axis; labels and true body."""
    axis = np.arange(-45, 45.1, spacing)
    x, y, z = np.meshgrid(axis, axis, np.arange(0, 120, spacing), indexing="ij")
    t = np.radians(turn_deg)
    u, v = x * np.cos(t) + y * np.sin(t), -x * np.sin(t) + y * np.cos(t)
    level = (z // 40).astype(int)
    within = z % 40
    body = ((u / 22) ** 2 + ((v - 20) / 16) ** 2 < 1) & (v > 8) & (within < 28)
    pedicle = (np.abs(np.abs(u) - 13) < 4) & (v > -12) & (v < 9) & (within > 12) & (within < 26)
    lamina = (np.abs(v + 12) < 3) & (np.abs(u) < 17) & (within < 26) & (np.abs(u - 3) >= gap)
    process = (np.abs(u) < 3) & (v > -36) & (v < -12) & (within < 20)
    bone = body | pedicle | lamina | process
    labels = np.where(bone, 22 - level, 0).astype(np.uint8)
    affine = np.diag([spacing] * 3 + [1.0])
    return Mask(labels, affine), body


@pytest.mark.parametrize("turn", [-15.0, 0.0, 15.0])
@pytest.mark.parametrize("spacing", [1.0, 2.5])
def test_drawn_bodies_are_found_turned_and_coarse(turn, spacing):
    labels, body = ring(turn, spacing)
    parts = with_parts(labels).array
    for n in (20, 21, 22):
        assert dice(parts == 200 + n, body & (labels.array == n)) > 0.94
        assert ((parts == 200 + n) | (parts == 300 + n))[labels.array == n].all()


def test_a_ring_with_a_gap_still_encloses_the_canal():
    labels, body = ring(gap=2.0)
    parts = with_parts(labels).array
    assert dice(parts // 100 == 2, body) > 0.94
    holes = foramina(labels.array > 0, labels.spacing_mm)
    i, j, _ = np.argwhere(holes).mean(axis=0) - 45
    assert abs(i) < 1
    assert -9 < j < 9


def test_storage_order_changes_nothing():
    labels, _ = ring(10.0, 2.5)
    turned = Mask(labels.array[::-1].transpose(2, 0, 1), labels.affine[:, [2, 0, 1, 3]] * [1, -1, 1, 1])
    turned.affine.flags.writeable = True
    turned.affine[:3, 3] = labels.affine[:3, :3] @ [labels.shape[0] - 1, 0, 0]
    np.testing.assert_array_equal(with_parts(turned).array, with_parts(labels).array)


def test_bodies_that_are_given_are_believed():
    labels, body = ring(0.0, 2.5)
    given = labels.with_array((body & (labels.array != 21)).astype(np.uint8))
    parts = with_parts(labels, given).array
    np.testing.assert_array_equal(parts == 222, body & (labels.array == 22))
    assert (parts[labels.array == 21] == 321).all()


def test_bodies_alone_cannot_be_parted():
    labels, body = ring()
    with pytest.raises(GeometryError, match="none of whose rings is closed"):
        with_parts(labels.with_array(np.where(body, labels.array, 0).astype(np.uint8)))


def test_what_has_no_parts_stays():
    labels = Mask(np.array([[[0, 1, 26, 71, 223, 323]]], np.uint16), np.eye(4))
    assert with_parts(labels).array.tolist() == [[[0, 1, 26, 71, 223, 323]]]


def test_maps_on_other_grids_are_not_put_together():
    one = Mask(np.ones((2, 2, 2), np.uint8), np.eye(4))
    with pytest.raises(GeometryError, match="label maps of one scan"):
        together([one, Mask(one.array, np.diag([2.0, 1.0, 1.0, 1.0]))])
    with pytest.raises(UsageError):
        together([])


def test_classes_go_by_their_file_names():
    one = Mask(np.array([[[1, 0, 0]]], np.uint8), np.eye(4))
    other = Mask(np.array([[[0, 1, 0]]], np.uint8), np.eye(4))
    found = of_classes({"vertebrae_T12": one, "autochthon_left": other, "spleen": one})
    assert to_spineclock(found, "totalsegmentator").array.tolist() == [[[19, 73, 0]]]
    with pytest.raises(UsageError, match="spleen"):
        of_classes({"spleen": one})
    assert CLASSES["vertebrae_C1"] == 50
    assert {"vertebrae_L5", "vertebrae_T6", "iliopsoas_right"} <= set(WANTED)
    assert "vertebrae_T5" not in WANTED


def test_the_fast_mode_is_one_of_the_total_task_alone(tmp_path):
    assert "--fast" in command(tmp_path / "a.nii.gz", tmp_path / "b.nii.gz", fast=True)
    assert "--fast" not in command(tmp_path / "a.nii.gz", tmp_path / "b.nii.gz", "vertebrae_body", fast=True)


def test_a_map_of_another_task_is_no_map_of_bodies():
    total = Mask(np.array([[[27, 28]]], np.uint8), np.eye(4))
    with pytest.raises(UsageError, match="vertebrae_body"):
        merged(total, Mask(np.array([[[27, 28]]], np.uint8), np.eye(4)))


def test_geometry_agrees_with_totalsegmentators_bodies(real_data):
    folder = real_data / "ct" / "totalsegmentator" / "spine_report" / "example_ct_report"
    total, body = (read_mask(folder / f"{name}.nii.gz") for name in ("totalseg", "totalseg_vertebrae_body"))
    whole = to_spineclock(total, "totalsegmentator").array
    parts = with_parts(to_spineclock(total, "totalsegmentator")).array
    for n in range(19, 25):
        assert dice(parts == 200 + n, (whole == n) & (body.array == 1)) > 0.93
    both = merged(total, body).array
    assert set(np.unique(both)) >= {26, *range(219, 225), *range(119, 125), *range(319, 325)}
    for n in range(119, 124):  # each disc lies between its two bodies
        low, mid, high = (np.argwhere(both == m)[:, 2].mean() for m in (n + 101, n, n + 100))
        assert low < mid < high


def test_geometry_agrees_with_the_bodies_people_outlined(real_data):
    folder = real_data / "tptbox"
    whole, sub = (read_mask(folder / f"sub-ct_seg-{part}_label-22_msk.nii.gz") for part in ("vert", "subreg"))
    parts = with_parts(to_spineclock(whole, "verse")).array
    assert dice(parts == 222, (whole.array == 22) & np.isin(sub.array, (49, 50))) > 0.97


def test_bodies_of_a_verse_scan_lie_at_their_told_middles(real_data):
    folder = real_data / "ct" / "verse014"
    file = folder / "sub-verse014_seg-vert_msk.nii.gz"
    parts = with_parts(to_spineclock(canonical(read_mask(file)), "verse"))
    told = json.loads((folder / "sub-verse014_seg-vb_ctd.json").read_text())[1:]
    assert [point["label"] for point in told] == [20, 21, 22, 23, 24]
    for point in told:
        middle = np.argwhere(parts.array == 200 + point["label"]).mean(axis=0)
        here = (parts.affine @ [*middle, 1])[:3]
        there = (nib.load(file).affine @ [point["X"], point["Y"], point["Z"], 1])[:3]
        assert np.linalg.norm(here - there) < 2.5
