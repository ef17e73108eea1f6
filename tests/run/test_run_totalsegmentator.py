"""The TotalSegmentator program, simulated: a stand-in on the search path takes its arguments and leaves its files."""

from __future__ import annotations

import sys

import nibabel as nib
import numpy as np
import pytest

from spineclock.core.errors import InputError, UsageError
from spineclock.core.volume import Volume
from spineclock.run.totalsegmentator import installed, outline, read_folder

STAND_IN = """#!{python}
import argparse, os, sys, time
import nibabel as nib, numpy as np
parser = argparse.ArgumentParser()
parser.add_argument("-i"); parser.add_argument("-o")
parser.add_argument("--task", default="total"); parser.add_argument("--device", default="gpu")
parser.add_argument("--ml", action="store_true"); parser.add_argument("--quiet", action="store_true")
parser.add_argument("--fast", action="store_true"); parser.add_argument("--roi_subset", nargs="+")
told = parser.parse_args()
mood = os.environ.get("MOOD", "")
time.sleep(3 if mood == "slow" else 0)
if mood == "broken" or (mood == "unlicensed" and told.task == "vertebrae_body"):
    sys.exit("no licence for " + told.task)
assert told.ml and told.device == "cpu" and (told.task != "total" or "vertebrae_L1" in told.roi_subset)
scan = nib.load(told.i)
hu = np.asarray(scan.dataobj)
labels = np.where(hu > 150, 27, 0) if told.task == "total" else np.where(hu > 250, 1, 0)
if mood != "silent":
    nib.save(nib.Nifti1Image(labels.astype(np.uint8), scan.affine), told.o)
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    path = tmp_path / "bin" / "TotalSegmentator"
    path.parent.mkdir()
    path.write_text(STAND_IN.format(python=sys.executable))
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(path.parent), prepend=":")
    return path


@pytest.fixture
def scan():
    """L5 alone: its body of 300 HU, its ring of 200 HU round the canal."""
    x, y, _ = np.meshgrid(np.arange(-30, 31), np.arange(-30, 41), np.arange(25), indexing="ij")
    body = (np.abs(x) < 20) & (y > 5) & (y < 35)
    arch = (np.maximum(np.abs(x), np.abs(y + 4)) < 15) & (np.maximum(np.abs(x), np.abs(y + 4)) > 9) & (y <= 5)
    return Volume(np.where(body, 300, np.where(arch, 200, 40)).astype(np.int16), np.diag([1.2, 1.2, 1.5, 1.0]))


def test_both_tasks_give_bodies_and_arches(program, scan):
    assert installed()
    found = outline(scan)
    np.testing.assert_array_equal(found.labels.array == 224, scan.array == 300)
    np.testing.assert_array_equal(found.labels.array == 324, scan.array == 200)
    assert found.notes == ("label map by TotalSegmentator",)


def test_without_the_licensed_task_bodies_are_told_by_geometry(program, scan, monkeypatch):
    monkeypatch.setenv("MOOD", "unlicensed")
    found = outline(scan)
    body = found.labels.array == 224
    truth = scan.array == 300
    assert 2 * np.count_nonzero(body & truth) / (body.sum() + truth.sum()) > 0.97
    assert "no licence for vertebrae_body" in found.notes[1]


@pytest.mark.parametrize(
    ("mood", "words"),
    [("broken", "no licence for total"), ("silent", "left no label map"), ("slow", "more than 1 s")],
)
def test_what_goes_wrong_is_said(program, scan, monkeypatch, mood, words):
    monkeypatch.setenv("MOOD", mood)
    with pytest.raises(InputError, match=words):
        outline(scan, limit_s=1 if mood == "slow" else 60)


def test_a_program_that_is_not_there(scan):
    assert not installed("NoSuchSegmentator")
    with pytest.raises(UsageError, match="pip install TotalSegmentator"):
        outline(scan, program="NoSuchSegmentator")


def test_a_folder_with_a_file_a_class(tmp_path):
    for name, place in (("vertebrae_L1", 0), ("iliopsoas_left", 1), ("liver", 2)):
        array = np.zeros((3, 1, 1), np.uint8)
        array[place] = 1
        nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / f"{name}.nii.gz")
    assert read_folder(tmp_path).array.ravel().tolist() == [31, 88, 0]
    with pytest.raises(InputError, match="0 label maps"):
        read_folder(tmp_path / "none")
