"""``spineclock segment``: the label map lies on the scan's own grid, whatever its axes and the numbering."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from spineclock.core.errors import GeometryError, InputError, RefusedError, UsageError
from spineclock.core.geometry import canonical
from spineclock.core.volume import Mask
from spineclock.ingest.nifti import read_mask
from spineclock.run import segment
from spineclock.run.predict import predict_one
from spineclock.run.settings import PredictSettings
from spineclock.segment.instances import find, semantic
from spineclock.segment.schemes import from_spineclock, to_spineclock


@pytest.fixture
def by_truth(monkeypatch, phantom) -> Callable[..., object]:
    """In place of the network, an outline that knows the answer; what follows it is what is tested."""
    monkeypatch.setattr(segment.mri_age, "segmenter", lambda *args, **kwargs: None)

    def outline(scan, scorer, *, lowest_vertebra=None):
        assert scan.volume.shape == phantom.labels.shape
        return find(semantic(phantom.labels), lowest_vertebra=lowest_vertebra)

    monkeypatch.setattr(segment, "outline", outline)
    return outline


def turned(phantom, path: Path, order: tuple[int, ...], flips: tuple[int, ...]) -> Path:
    image = nib.Nifti1Image(np.asarray(phantom.volume.array), phantom.volume.affine)
    nib.save(image.as_reoriented(np.stack([order, flips], axis=1)), path)
    return path


@pytest.mark.parametrize(
    ("order", "flips"), [((0, 1, 2), (1, 1, 1)), ((2, 0, 1), (-1, 1, -1)), ((1, 2, 0), (1, -1, 1))]
)
def test_the_label_map_has_the_files_own_axes(by_truth, phantom, tmp_path, order, flips):
    source = turned(phantom, tmp_path / "scan_T2w.nii.gz", order, flips)
    segment.segment_file(source, tmp_path / "out" / "mask.nii.gz")
    scan, mask = nib.load(source), nib.load(tmp_path / "out" / "mask.nii.gz")
    assert mask.shape == scan.shape
    assert np.allclose(mask.affine, scan.affine, atol=1e-5)
    assert mask.header.get_xyzt_units()[0] == "mm"
    found = find(semantic(phantom.labels)).labels
    back = canonical(Mask(np.asarray(mask.dataobj).astype(np.uint8), mask.affine))
    assert (back.array == found.array).all()


def test_spiders_numbering_comes_back_as_ours(by_truth, phantom, phantom_file, tmp_path, capsys):
    segment.segment_file(phantom_file, tmp_path / "mask.nii.gz", scheme="spider")
    written = read_mask(tmp_path / "mask.nii.gz")
    discs = sorted(int(n) for n in np.unique(written.array) if n > 200)
    assert discs == list(range(201, 201 + len(discs)))
    assert {1, 100, 201} <= set(np.unique(written.array).tolist())
    found = find(semantic(phantom.labels)).labels.array
    assert (to_spineclock(written, "spider").array == np.where(found == 26, 0, found)).all()  # it has no sacrum
    assert f"vertebrae L5, L4, L3, L2, L1, T12, T11, T10; {len(discs)} discs" in capsys.readouterr().out


def test_the_reader_may_name_the_lowest_vertebra(by_truth, phantom_file, phantom, tmp_path, capsys):
    segment.segment_file(phantom_file, tmp_path / "mask.nii.gz", lowest_vertebra="L4")
    assert "vertebrae L4, L3, L2, L1, T12" in capsys.readouterr().out
    shifted, usual = read_mask(tmp_path / "mask.nii.gz").array, find(semantic(phantom.labels)).labels.array
    for number in (24, 23, 22, 21, 20, 124, 123):
        assert ((usual == number) == (shifted == number - 1)).all()
    assert ((usual == 61) == (shifted == 61)).all()


def test_numbers_a_scheme_lacks_are_told(by_truth, phantom_file, tmp_path, capsys):
    segment.segment_file(phantom_file, tmp_path / "mask.nii.gz", scheme="totalsegmentator")
    assert "note: totalsegmentator has no number for 61" in capsys.readouterr().out


def test_wrong_calls_say_so(by_truth, phantom_file, tmp_path):
    with pytest.raises(UsageError, match="no scheme is called 'letters'; wanted: one of spineclock, spider"):
        segment.segment_file(phantom_file, tmp_path / "m.nii.gz", scheme="letters")
    with pytest.raises(UsageError, match=r"m.png is no name for a label map; wanted: a name ending in .nii.gz"):
        segment.segment_file(phantom_file, tmp_path / "m.png")
    with pytest.raises(UsageError, match=r"none.nii.gz does not exist"):
        segment.segment_file(tmp_path / "none.nii.gz", tmp_path / "m.nii.gz")
    with pytest.raises(UsageError, match="no level is called 'L9'"):
        segment.segment_file(phantom_file, tmp_path / "m.nii.gz", lowest_vertebra="L9")
    with pytest.raises(UsageError, match="the scan itself"):
        segment.segment_file(phantom_file, phantom_file)
    assert not (tmp_path / "m.nii.gz").exists()


def test_what_is_no_one_scan_is_an_error(by_truth, phantom, phantom_file, tmp_path):
    (tmp_path / "letter.nii.gz").write_text("no scan", encoding="utf-8")
    with pytest.raises(InputError, match=r"letter.nii.gz: a file that does not begin as NIfTI.*wanted: a NIfTI header"):
        segment.segment_file(tmp_path / "letter.nii.gz", tmp_path / "m.nii.gz")
    both = tmp_path / "both"
    both.mkdir()
    turned(phantom, both / "a_T2w.nii.gz", (0, 1, 2), (1, 1, 1))
    turned(phantom, both / "b_T2w.nii.gz", (0, 1, 2), (1, 1, 1))
    with pytest.raises(
        InputError, match=r"2 scans in .*both \(a_T2w.nii.gz, b_T2w.nii.gz\); wanted: one: MR.*name the file"
    ):
        segment.segment_file(both, tmp_path / "m.nii.gz")


def test_no_spine_is_refused(monkeypatch, by_truth, phantom_file, tmp_path):
    empty = Mask(np.zeros((7, 240, 300), np.uint8), np.eye(4))
    monkeypatch.setattr(segment, "outline", lambda *args, **kwargs: find(empty))
    with pytest.raises(RefusedError, match="no spine was found"):
        segment.segment_file(phantom_file, tmp_path / "m.nii.gz")


# --- a label map made elsewhere, through predict ---------------------------------------------------------------------


def saved(mask: Mask, path: Path) -> Path:
    nib.save(nib.Nifti1Image(np.asarray(mask.array).astype(np.int16), mask.affine), path)
    return path


def outlined(labels: Mask) -> Mask:
    """The phantom's labels as SPIDER's readers outline: whole vertebrae, discs, the canal with all that is in it."""
    n = labels.array.astype(int)
    n = np.where((n > 200) & (n < 400), n % 100, np.where(np.isin(n, [60, 62]), 61, n))
    return labels.with_array(np.where((n == 26) | ((n > 62) & (n < 100)) | (n > 400), 0, n).astype(np.uint8))


@pytest.mark.parametrize("scheme", ["spineclock", "spider"])
def test_levels_are_those_of_the_given_mask(phantom, phantom_file, tmp_path, scheme):
    given = phantom.labels if scheme == "spineclock" else outlined(phantom.labels)
    mask = saved(from_spineclock(given, scheme), tmp_path / "truth.nii.gz")
    reading = predict_one(phantom_file, sex="F", mask=mask, mask_scheme=scheme)
    assert reading.found["vertebrae"][:5] == ["L5", "L4", "L3", "L2", "L1"]
    assert reading.found["confidence"] > 0.9
    assert reading.predicted_age_years is not None
    labels, truth = reading.scan.mask.array, outlined(phantom.labels).array
    canal = np.where(truth == 61, np.arange(truth.shape[1])[:, None], -1).max(axis=(0, 1))  # its front, by height
    ahead = np.arange(truth.shape[1])[:, None] > canal
    for number in (20, 21, 22, 23, 24, 120, 121, 122, 123, 124):  # bodies and discs; arches are parted anew
        here, there = (labels == number) & ahead, (truth == number) & ahead
        assert 2 * np.sum(here & there) / (here.sum() + there.sum()) > 0.99, number


def test_levels_named_otherwise_in_the_mask_are_kept(phantom, phantom_file, tmp_path):
    """A mask whose lowest vertebra is L4, as its maker knows from the whole spine."""
    array = outlined(phantom.labels).array
    up = np.where((array > 0) & (array != 61), array - 1, array).astype(np.uint8)
    mask = saved(phantom.labels.with_array(up), tmp_path / "up.nii.gz")
    reading = predict_one(phantom_file, sex="F", mask=mask, mask_scheme="spineclock")
    assert reading.found["vertebrae"][:4] == ["L4", "L3", "L2", "L1"]
    assert reading.found["discs"][0] == "L4/L5"


def test_a_mask_on_another_grid_is_refused(phantom, phantom_file, tmp_path):
    moved = np.array(phantom.labels.affine)
    moved[2, 3] += 5
    mask = saved(Mask(phantom.labels.array, moved), tmp_path / "moved.nii.gz")
    with pytest.raises(GeometryError, match=r"the scan and moved.nii.gz"):
        predict_one(phantom_file, mask=mask, mask_scheme="spineclock")


def test_a_mask_of_another_scheme_is_a_wrong_call(phantom, phantom_file, tmp_path):
    mask = saved(from_spineclock(phantom.labels, "spider"), tmp_path / "truth.nii.gz")
    with pytest.raises(UsageError, match="in a mask said to be totalspineseg; .*remedy: name the scheme"):
        predict_one(phantom_file, mask=mask, mask_scheme="totalspineseg")


def test_probabilities_are_no_mask(phantom_file, phantom, tmp_path):
    path = tmp_path / "probabilities.nii.gz"
    nib.save(nib.Nifti1Image(phantom.labels.array.astype(np.float32) / 7, phantom.labels.affine), path)
    with pytest.raises(InputError, match="samples are not whole numbers"):
        predict_one(phantom_file, mask=path, mask_scheme="spineclock")


def test_a_mask_goes_with_its_scheme():
    with pytest.raises(UsageError, match="came without its numbering"):
        PredictSettings(mask=Path("m.nii.gz"))
