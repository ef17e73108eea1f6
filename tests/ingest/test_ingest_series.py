"""One scan, however it is stored: axis orders, sample types, NIfTI, MetaImage, DICOM, archives."""

from __future__ import annotations

import zipfile
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from spineclock.core.volume import Volume
from spineclock.ingest.series import list_series, load, read_scans


def one(path: Path):
    listing = list_series(path)
    assert listing.failures == ()
    assert len(listing.refs) == 1
    return load(listing.refs[0])


def reordered(volume: Volume, order, flips) -> nib.Nifti1Image:
    """The same scan with its axes stored in another order and sense."""
    array, affine = volume.array.transpose(order), np.array(volume.affine)
    affine[:3, :3] = affine[:3, list(order)]
    for axis, flip in enumerate(flips):
        if flip:
            array = np.flip(array, axis)
            affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
            affine[:3, axis] *= -1
    return nib.Nifti1Image(np.ascontiguousarray(array), affine)


@pytest.mark.parametrize("angles", [(0, 0, 0), (9, -14, 17), (0, 0, 45), (45, 0, 0), (40, 30, 20)])
def test_all_48_storage_orders_give_one_array(tmp_path, sagittal_slab, angles):
    volume = sagittal_slab(angles=angles)
    read = []
    for order, flips in product(permutations(range(3)), product((False, True), repeat=3)):
        path = tmp_path / "scan.nii"
        nib.save(reordered(volume, order, flips), path)
        read.append(one(path).volume)
    assert len(read) == 48
    for other in read:
        np.testing.assert_array_equal(other.array, read[0].array)
        np.testing.assert_allclose(other.affine, read[0].affine, atol=1e-4)
        assert other.array.flags.c_contiguous
    if max(angles) < 45:
        np.testing.assert_array_equal(read[0].array, volume.array)
        np.testing.assert_allclose(read[0].affine, volume.affine, atol=1e-4)


def test_sample_types_scaling_and_packing_give_equal_samples(tmp_path, slab):
    plain = slab.array
    stored = {"i2.nii": plain, "u2.nii.gz": plain.astype(np.uint16), "f4.nii.gz": plain.astype(np.float32),
              "f8.nii": plain.astype(np.float64), "i4.nii": plain.astype(np.int32)}  # fmt: skip
    for name, array in stored.items():
        nib.save(nib.Nifti1Image(array, slab.affine), tmp_path / name)
    scaled = nib.Nifti1Image(((plain - 100) / 0.25).astype(np.int16), slab.affine)
    scaled.header.set_slope_inter(0.25, 100)
    scaled.header.set_data_dtype(np.int16)
    raw = nib.Nifti1Image(np.zeros(plain.shape, np.int16), slab.affine, scaled.header)
    raw.header.set_slope_inter(0.25, 100)
    nib.save(raw, tmp_path / "scaled.nii")
    with (tmp_path / "scaled.nii").open("r+b") as file:
        file.seek(352)
        file.write(((plain.astype(int) - 100) * 4).astype("<i2").tobytes(order="F"))
    for path in sorted(tmp_path.iterdir()):
        scan = one(path)
        np.testing.assert_array_equal(scan.volume.array, plain, err_msg=path.name)
        assert scan.volume.array.dtype == np.int16, path.name


def test_fractions_are_float32_and_bytes_stay_bytes(write_nifti, slab):
    half = one(write_nifti(Volume(slab.array / 2.0, slab.affine), "half.nii")).volume.array
    assert half.dtype == np.float32
    np.testing.assert_array_equal(half, slab.array / 2.0)
    small = one(write_nifti(Volume((slab.array % 250).astype(np.uint8), slab.affine), "small.nii.gz")).volume.array
    assert small.dtype == np.uint8


def test_a_fourth_axis_of_one_volume_is_dropped(tmp_path, slab):
    nib.save(nib.Nifti1Image(slab.array[..., None], slab.affine), tmp_path / "four.nii.gz")
    np.testing.assert_array_equal(one(tmp_path / "four.nii.gz").volume.array, slab.array)


@pytest.mark.parametrize("name", ["scan.mha", "scan.mhd"])
@pytest.mark.parametrize("packed", [False, True])
def test_metaimage_equals_nifti(tmp_path, oblique_slab, name, packed):
    image = sitk.GetImageFromArray(np.ascontiguousarray(oblique_slab.array.transpose(2, 1, 0)))
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ oblique_slab.affine
    image.SetSpacing(oblique_slab.spacing_mm)
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / np.asarray(oblique_slab.spacing_mm)).ravel().tolist())
    sitk.WriteImage(image, str(tmp_path / name), packed)
    scan = one(tmp_path / name)
    np.testing.assert_array_equal(scan.volume.array, oblique_slab.array)
    np.testing.assert_allclose(scan.volume.affine, oblique_slab.affine, atol=1e-4)


@pytest.mark.parametrize("angles", [(0, 0, 0), (9, -14, 17)])
def test_dicom_equals_nifti(write_series, write_enhanced, write_nifti, sagittal_slab, angles):
    volume = sagittal_slab(angles=angles)
    from_nifti = one(write_nifti(volume)).volume
    for scan in (one(write_series(volume)), one(write_enhanced(volume))):
        np.testing.assert_array_equal(scan.volume.array, from_nifti.array)
        assert scan.volume.array.dtype == from_nifti.array.dtype
        np.testing.assert_allclose(scan.volume.affine, from_nifti.affine, atol=1e-4)
        assert (scan.modality, scan.sequence, scan.echo_time_ms, scan.repetition_time_ms) == ("MR", "T2w", 98, 3500)


def test_an_archive_reads_as_its_folder_and_nothing_stays_behind(tmp_path, write_series, slab, t2, monkeypatch):
    folder = write_series(slab)
    archive = tmp_path / "study.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in folder.iterdir():
            packed.write(path, f"a/b/{path.name}")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    result = read_scans(archive, accepts=t2)
    assert result.failures == ()
    np.testing.assert_array_equal(result.scans[0].volume.array, slab.array)
    assert result.scans[0].source == archive / "a" / "b"
    assert list(scratch.iterdir()) == []


def test_many_studies_give_one_scan_each_and_bad_items_do_not_stop_them(tmp_path, write_series, write_nifti, slab, t2):
    for n in range(3):
        uids = {"StudyInstanceUID": f"1.2.{n}", "SeriesInstanceUID": f"1.2.{n}.1", "PatientID": str(n)}
        write_series(slab, f"all/p{n}/t2", **uids)
    write_nifti(slab, "all/p8/scan_T2w.nii.gz")
    (tmp_path / "all" / "p9").mkdir()
    (tmp_path / "all" / "p9" / "broken.nii.gz").write_bytes(b"not gzip at all")
    (tmp_path / "all" / "p9" / "words.dcm").write_text("patient was here\n")
    result = read_scans(tmp_path / "all", accepts=t2)
    assert len(result.scans) == 4
    assert len({scan.scan_id for scan in result.scans}) == 4
    assert sorted(Path(f.input).name for f in result.failures) == ["broken.nii.gz", "words.dcm"]
    assert all(f.stage == "ingest" and "wanted:" in f.reason for f in result.failures)


def test_ids_hold_no_patient_and_are_unique_under_equal_names(write_series, write_nifti, slab):
    dicom = one(write_series(slab))
    assert dicom.scan_id.endswith("-s5")
    told = f"{dicom.scan_id} {dicom.person_id} {dicom.description}"
    assert "secret" not in told
    assert "Doe" not in told
    assert len(dicom.person_id) == 12
    kept = list_series(write_series(slab), keep_patient_id=True).refs[0].facts.person_id
    assert kept == "secret-77"
    a, b = write_nifti(slab, "a/scan.nii"), write_nifti(slab, "b/scan.nii")
    ids = [ref.scan_id for ref in list_series(a, b).refs]
    assert ids[0] != ids[1]
    assert all(i.startswith("scan-") for i in ids)
    assert [ref.scan_id for ref in list_series(b, a).refs] == ids[::-1]
    assert len(list_series(a, a, a.parent).refs) == 1


@pytest.mark.slow
def test_real_ct_series_lies_where_its_segmentation_says(real_data):
    folder = real_data / "ct" / "totalsegmentator"
    scan = one(folder / "example_ct_dicom")
    assert scan.modality == "CT"
    mask = nib.as_closest_canonical(nib.load(folder / "example_seg_dicom.nii.gz"))
    assert scan.volume.shape == mask.shape == (512, 512, 20)
    np.testing.assert_allclose(scan.volume.affine, mask.affine, atol=1e-3)
    labels = np.asanyarray(mask.dataobj)
    assert scan.volume.array.min() >= -1024
    inside, outside = scan.volume.array[labels > 0].mean(), scan.volume.array[labels == 0].mean()
    assert inside > -200 > -500 > outside  # organs in the mask, mostly air outside: no flip is left


def test_real_nifti(real_data):
    scan = one(real_data / "mr" / "sct_t2_lumbar.nii.gz")
    assert (scan.modality, scan.sequence) == ("MR", "T2w")
    assert list_series(real_data / "mr" / "sct_t2_lumbar.nii.gz").refs[0].plane == "sagittal"
    image = nib.load(real_data / "mr" / "sct_t2_lumbar.nii.gz")
    np.testing.assert_array_equal(scan.volume.array, np.asanyarray(image.dataobj))


def test_real_spider_folder_gives_28_sagittal_scans_and_no_mask(real_data, t2):
    from spineclock.ingest.choose import choose

    listing = list_series(real_data / "spider" / "space")
    assert listing.failures == ()
    choice = choose(listing.refs, t2)
    assert len(choice.chosen) == 28
    assert {ref.plane for ref in choice.chosen} == {"sagittal"}
    assert {ref.facts.sequence for ref in choice.chosen} == {"T2w"}
    ref = next(ref for ref in choice.chosen if ref.scan_id == "18_T2w")
    image = nib.as_closest_canonical(nib.load(real_data / "spider" / "space" / "18_T2w.nii.gz"))
    scan = load(ref)
    np.testing.assert_array_equal(scan.volume.array, np.asanyarray(image.dataobj))
    np.testing.assert_allclose(scan.volume.affine, image.affine, atol=1e-4)
