"""Files that are no scan, or a broken one: each is a reason in words, and none stops the others."""

from __future__ import annotations

import gzip
import os
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from spineclock.core.errors import SpineclockError
from spineclock.core.volume import Volume
from spineclock.ingest import nifti
from spineclock.ingest.series import list_series, load


def why(path: Path) -> str:
    """The reason why a path gives no scan, from listing or from loading."""
    listing = list_series(path)
    if listing.failures:
        assert len(listing.failures) == 1, listing.failures
        assert listing.failures[0].stage == "ingest"
        return listing.failures[0].reason
    with pytest.raises(SpineclockError) as caught:
        load(listing.refs[0])
    return str(caught.value)


def header_changed(path: Path, **fields) -> Path:
    """A written .nii with header fields overwritten in place, unchecked."""
    raw = bytearray(path.read_bytes())
    header = np.frombuffer(bytes(raw[:348]), dtype=nib.nifti1.header_dtype).copy()
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(header.tobytes() + bytes(raw[348:]))
    return path


def identity_volume(array) -> Volume:
    return Volume(array, np.diag([4.0, 1, 1, 1]))


def test_nan_and_infinity_are_counted(write_nifti, slab):
    array = slab.array.astype(np.float32)
    array[0, 0, :3], array[1, 1, 1] = np.nan, np.inf
    assert "4 of 1260 samples are not finite numbers" in why(write_nifti(Volume(array, slab.affine)))


def test_numbers_beyond_single_precision(write_nifti, slab):
    array = slab.array.astype(np.float64)
    array[0, 0, 0] = 1e300
    assert "1 of 1260 samples are not finite numbers" in why(write_nifti(Volume(array, slab.affine)))


@pytest.mark.parametrize("value", [0, 7])
def test_constant_image(write_nifti, slab, value):
    path = write_nifti(Volume(np.full_like(slab.array, value), slab.affine))
    assert f"every sample is {value}; wanted: an image with contrast" in why(path)


def test_four_dimensions(tmp_path, slab):
    nib.save(nib.Nifti1Image(np.stack([slab.array] * 3, -1), slab.affine), tmp_path / "four.nii")
    assert "4 dimensions, 7 × 12 × 15 × 3; wanted: one volume" in why(tmp_path / "four.nii")
    nib.save(nib.Nifti1Image(np.stack([slab.array] * 3, -1)[..., None, :], slab.affine), tmp_path / "five.nii")
    assert "5 dimensions" in why(tmp_path / "five.nii")


def test_colour_and_complex(tmp_path, slab):
    colour = np.zeros(slab.shape, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(colour, slab.affine), tmp_path / "colour.nii")
    assert "samples that are colours; wanted: one real number" in why(tmp_path / "colour.nii")
    nib.save(nib.Nifti1Image(slab.array.astype(np.complex64), slab.affine), tmp_path / "complex.nii")
    assert "samples that are complex numbers" in why(tmp_path / "complex.nii")


@pytest.mark.parametrize("keep", [0.2, 0.6, 0.97])
def test_truncated_gzip(write_nifti, slab, keep):
    path = write_nifti(slab)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    assert re.search("ends before its image does|does not begin as NIfTI", why(path))


def test_truncated_plain_is_told_from_the_header(write_nifti, slab):
    path = write_nifti(slab, "scan.nii")
    path.write_bytes(path.read_bytes()[:-10])
    listing = list_series(path)
    assert "ends before its image does (2862 bytes of 2872)" in listing.failures[0].reason


def test_damaged_gzip(write_nifti, slab):
    path = write_nifti(slab)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    raw[len(raw) // 2 + 1] ^= 0xFF
    path.write_bytes(bytes(raw))
    assert "ends before its image does" in why(path) or "NIfTI" in why(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x00" * 400, b"\x1f\x8b" + b"\x00" * 50, os.urandom(1000)])
@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz", "x.mha", "x.mhd"])
def test_rubbish_by_name_of_a_scan(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert "wanted: " in why(tmp_path / name)


def test_absurd_dimensions_are_refused_before_allocating(write_nifti, slab, tmp_path):
    path = header_changed(write_nifti(slab, "scan.nii"), dim=[3, 32000, 32000, 32000, 1, 1, 1, 1])
    (tmp_path / "scan.nii.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert "ends before its image does" in why(path)  # 65 TB are not there
    assert "32000 × 32000 × 32000 samples, 131072 GB; wanted: at most 16 GB" in why(tmp_path / "scan.nii.gz")


@pytest.mark.parametrize("dim", [[3, 0, 12, 15], [3, -4, 12, 15], [0, 7, 12, 15], [1, 7, 1, 1], [9, 7, 12, 15]])
def test_dimensions_that_are_none(write_nifti, slab, dim):
    path = header_changed(write_nifti(slab, "scan.nii"), dim=[*dim, 1, 1, 1, 1])
    assert re.search("declares|does not begin as NIfTI|ends before", why(path))


def test_singular_affine(write_nifti, slab):
    path = header_changed(write_nifti(slab, "scan.nii"), srow_x=[1, 0, 0, 0], srow_y=[1, 0, 0, 0], srow_z=[0, 0, 1, 0])
    assert "a singular affine" in why(path)
    path = header_changed(write_nifti(slab, "zero.nii"), srow_x=0, srow_y=0, srow_z=0)
    assert "a singular affine" in why(path)
    path = header_changed(write_nifti(slab, "nan.nii"), srow_x=np.nan)
    assert "finite 4 × 4 matrix" in why(path)


@pytest.mark.parametrize("size", [0.0, -0.7, np.nan])
def test_pixel_sizes_that_are_none(write_nifti, slab, size):
    pixdim = [1, 4, size, 0.5, 0, 0, 0, 0]
    path = header_changed(write_nifti(slab, "q.nii"), pixdim=pixdim, sform_code=0, qform_code=1)
    assert "voxel sizes (pixdim) of [4.0," in why(path)
    good = header_changed(write_nifti(slab, "s.nii"), pixdim=pixdim)
    assert "were passed over in favour of the sform" in load(list_series(good).refs[0]).notes[-1]


def test_voxels_of_half_a_metre(write_nifti, slab):
    path = write_nifti(Volume(slab.array, np.diag([500.0, 500, 500, 1])))
    assert "voxels of 500 × 500 × 500 mm" in why(path)


def test_no_orientation_is_noted(write_nifti, slab):
    path = header_changed(write_nifti(slab, "scan.nii"), sform_code=0, qform_code=0)
    ref = list_series(path).refs[0]
    assert "no orientation in the header" in ref.notes[0]
    assert ref.plane == "sagittal"


def test_sform_against_qform_is_noted(write_nifti, slab):
    path = header_changed(write_nifti(slab, "scan.nii"), qform_code=1, qoffset_x=50, quatern_b=0, quatern_c=0)
    assert re.search(
        r"sform and qform differ by up to \d+\.\d: the sform was taken", list_series(path).refs[0].notes[0]
    )


@pytest.mark.parametrize(("intent", "what"), [(1007, "vectors"), (1002, "labels"), (1006, "displacements")])
def test_nifti_that_is_no_scan(write_nifti, slab, intent, what):
    path = header_changed(write_nifti(slab, "scan.nii"), intent_code=intent)
    assert f"says it holds {what}" in why(path)


def test_text_renamed_dcm(tmp_path):
    (tmp_path / "scan.dcm").write_text("Dear colleague,\nplease find attached\n" * 20)
    reason = why(tmp_path / "scan.dcm")
    assert "a file named .dcm that is text; wanted: DICOM; remedy: export the images again" in reason
    assert why(tmp_path) == reason


@pytest.mark.parametrize(
    ("content", "what"),
    [(b"\x89PNG\r\n\x1a\n" + b"0" * 200, "a PNG picture"), (b"", "empty"), (b"\xff\xd8\xff\xe0", "a JPEG picture"),
     (b"PK\x03\x04" + b"0" * 200, "a zip archive"), (b"\x00\x01\x02" * 90, "of no known kind"), (b"%PDF-1.4", "a PDF")],
)  # fmt: skip
def test_other_things(tmp_path, content, what):
    for name in ("scan.dcm", "scan.xyz"):
        (tmp_path / name).write_bytes(content)
        assert f"that is {what}" in why(tmp_path / name)


def test_dicom_header_of_rubbish(tmp_path):
    (tmp_path / "a").write_bytes(b"\0" * 128 + b"DICM" + os.urandom(500))
    assert "wanted: " in why(tmp_path / "a")
    (tmp_path / "b").write_bytes(b"\0" * 128 + b"DICM")
    assert "wanted: " in why(tmp_path / "b")


def test_folders_with_nothing(tmp_path):
    (tmp_path / "empty" / "deeper").mkdir(parents=True)
    assert why(tmp_path / "empty").startswith("an empty folder; wanted: DICOM, NIfTI")
    (tmp_path / "notes").mkdir()
    for n in range(3):
        (tmp_path / "notes" / f"{n}.txt").write_text("x")
    (tmp_path / "notes" / "a_mask.nii.gz").write_bytes(b"")
    assert "a folder with no scan in it (3 × .txt, 1 × mask)" in why(tmp_path / "notes")
    assert "a path where nothing lies" in why(tmp_path / "nowhere")


def test_dicomdir_is_passed_over(tmp_path, write_series, slab):
    folder = write_series(slab)
    (folder / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM" + b"rubbish")
    (folder / ".DS_Store").write_bytes(b"\0")
    (folder / "._IM0001").write_bytes(b"\0")
    (folder / "README").write_text("hello")
    listing = list_series(folder)
    assert listing.failures == ()
    assert len(listing.refs[0].frames) == 7
    assert "a DICOMDIR index" in why(folder / "DICOMDIR")


def test_links(tmp_path, write_nifti, slab):
    path = write_nifti(slab, "real/scan.nii")
    (path.parent / "loop").symlink_to(path.parent, target_is_directory=True)
    (path.parent / "linked.nii").symlink_to(path)
    (path.parent / "gone.nii.gz").symlink_to(tmp_path / "nowhere.nii.gz")
    listing = list_series(path.parent)
    assert len(listing.refs) == 1  # the link leads to the same file
    assert [Path(f.input).name for f in listing.failures] == ["gone.nii.gz"]
    assert "a link to a file that is not there" in listing.failures[0].reason


def test_what_may_not_be_read(tmp_path, write_nifti, write_series, slab, monkeypatch):
    """Permissions do not bind the superuser, so the system's own error is raised for one file."""
    path, good = write_nifti(slab, "d/closed.nii"), write_nifti(slab, "d/open.nii")
    real = Path.open

    def refuse(self, *args, **kwargs):
        if self.name.startswith("closed"):
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(nib, "load", lambda p, **kw: refuse(Path(p)) if "closed" in str(p) else nib.Nifti1Image.load(p))
    listing = list_series(path.parent)
    assert [ref.source for ref in listing.refs] == [good]
    assert "may not be read; wanted: read permission" in listing.failures[0].reason


def write_mha(path: Path, slab: Volume, **kwargs) -> Path:
    sitk.WriteImage(sitk.GetImageFromArray(np.ascontiguousarray(slab.array.T)), str(path), **kwargs)
    return path


def test_truncated_metaimage(tmp_path, slab):
    path = write_mha(tmp_path / "scan.mha", slab)
    path.write_bytes(path.read_bytes()[:-10])
    assert "ends before its image does" in why(path)
    packed = write_mha(tmp_path / "packed.mha", slab, useCompression=True)
    packed.write_bytes(packed.read_bytes()[:-300])
    assert "cannot be read" in why(packed)


def test_metaimage_without_or_with_a_foreign_raw_file(tmp_path, slab):
    path = write_mha(tmp_path / "scan.mhd", slab)
    (tmp_path / "scan.raw").unlink()
    assert "without its raw file 'scan.raw'" in why(path)
    for elsewhere in ("/etc/passwd", "../scan.raw", "LIST", "slice%03d.raw 1 7 1", "..", "a\\b.raw"):
        path.write_text(
            re.sub("ElementDataFile = .*", lambda m, e=elsewhere: f"ElementDataFile = {e}", path.read_text())
        )
        assert f"samples lie in {elsewhere!r}" in why(path)


def test_metaimage_of_vectors_and_absurd_size(tmp_path, slab):
    vectors = np.zeros((*slab.shape, 3), np.float32)
    sitk.WriteImage(sitk.GetImageFromArray(vectors, isVector=True), str(tmp_path / "v.mha"))
    assert "samples of 3 numbers each" in why(tmp_path / "v.mha")
    path = write_mha(tmp_path / "big.mha", slab, useCompression=True)
    path.write_bytes(path.read_bytes().replace(b"DimSize = 7 12 15", b"DimSize = 32000 32000 32000"))
    assert "131072 GB; wanted: at most 16 GB" in why(path)


def test_metaimage_without_orientation_is_noted(tmp_path, slab):
    path = write_mha(tmp_path / "scan.mha", slab)
    raw = path.read_bytes()
    path.write_bytes(re.sub(rb"TransformMatrix = [^\n]*\n", b"", raw))
    assert "no orientation in the header" in list_series(path).refs[0].notes[0]


def test_label_maps_are_read_as_whole_numbers(write_nifti, slab):
    labels = (slab.array % 5).astype(np.float32)
    mask = nifti.read_mask(write_nifti(Volume(labels, slab.affine), "m.nii.gz"))
    np.testing.assert_array_equal(mask.array, slab.array % 5)
    assert mask.array.dtype == np.uint8
    with pytest.raises(SpineclockError, match="a label map whose samples are not whole numbers"):
        nifti.read_mask(write_nifti(Volume(labels + 0.5, slab.affine), "half.nii.gz"))


def test_a_label_map_of_any_name_is_noted(write_nifti, slab):
    labels = np.repeat(np.repeat(slab.array % 9, 10, 1), 10, 2)
    notes = load(list_series(write_nifti(Volume(labels, slab.affine))).refs[0]).notes
    assert notes == ("only 9 different values: this may be a label map, not a scan",)
    fine = np.repeat(np.repeat(slab.array, 10, 1), 10, 2)
    assert load(list_series(write_nifti(Volume(fine, slab.affine))).refs[0]).notes == ()


def test_hounsfield_units_in_an_unnamed_file_are_noted(write_nifti, slab):
    array = np.where(slab.array % 3 == 0, -1000, slab.array).astype(np.int16)
    notes = load(list_series(write_nifti(Volume(array, slab.affine))).refs[0]).notes
    assert "the values look like Hounsfield units: this may be CT" in notes
    assert load(list_series(write_nifti(slab)).refs[0]).notes == ()
