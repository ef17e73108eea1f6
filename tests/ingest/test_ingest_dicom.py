"""DICOM samples and grids: transfer syntaxes, scaling, multi-frame, and series that are no regular stack."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from spineclock.core.errors import InputError, SpineclockError
from spineclock.core.volume import Volume
from spineclock.ingest.series import list_series, load, read_scans


def only(path: Path):
    listing = list_series(path)
    assert listing.failures == ()
    assert len(listing.refs) == 1, [r.label for r in listing.refs]
    return listing.refs[0]


def packaged(name: str) -> Path:
    """A file shipped inside pydicom; nothing is downloaded."""
    path = get_testdata_file(name, download=False)
    assert path is not None
    return Path(path)


def to_jpeg2000(ds) -> None:
    from openjpeg.utils import encode_array

    frames = ds.pixel_array.reshape((-1, ds.Rows, ds.Columns)).astype(np.int16)
    ds.PixelData = encapsulate([encode_array(f, photometric_interpretation=0) for f in frames])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = JPEG2000Lossless


PACK = {
    "RLE": lambda ds: ds.compress(RLELossless, generate_instance_uid=False),
    "JPEG-LS": lambda ds: ds.compress(JPEGLSLossless, generate_instance_uid=False),
    "JPEG 2000": to_jpeg2000,
}


@pytest.mark.parametrize("syntax", PACK)
def test_compressed_series_equal_the_plain_one(write_series, write_enhanced, sagittal_slab, syntax):
    slab = sagittal_slab(angles=(9, -14, 17), size=(40, 48))  # JPEG 2000 packs nothing smaller than 32 × 32

    def unsigned(ds) -> None:
        ds.PixelRepresentation = 0  # the slab holds no negative numbers; JPEG-LS knows none

    def pack(ds, _) -> None:
        unsigned(ds)
        PACK[syntax](ds)

    for path in (write_series(slab, edit=pack), write_enhanced(slab, edit=pack)):
        scan = load(only(path))
        np.testing.assert_array_equal(scan.volume.array, slab.array)
        np.testing.assert_allclose(scan.volume.affine, slab.affine, atol=1e-4)


@pytest.mark.parametrize(
    "name",
    ["MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_implicit.dcm",
     "MR_small_bigendian.dcm", "MR_small_expb.dcm", "MR_small_padded.dcm"],
)  # fmt: skip
def test_real_files_of_other_syntaxes_equal_the_plain_one(name):
    plain, other = (load(only(packaged(n))).volume for n in ("MR_small.dcm", name))
    np.testing.assert_array_equal(other.array, plain.array)
    np.testing.assert_array_equal(other.affine, plain.affine)
    ds = pydicom.dcmread(packaged("MR_small.dcm"))
    # LPS rows run back and down the picture: RAS axis 0 is the reversed column, axis 1 the reversed row
    np.testing.assert_array_equal(plain.array[:, :, 0], ds.pixel_array.T[::-1, ::-1])
    np.testing.assert_allclose(plain.affine[:3, 3], [83.9063 - 63 * 0.3125, 91.2 - 63 * 0.3125, 6.6406], atol=1e-6)


def test_real_lossy_jpeg2000_ct():
    ref = only(packaged("693_J2KI.dcm"))
    ds = pydicom.dcmread(packaged("693_J2KI.dcm"))
    scan = load(ref)
    assert scan.modality == "CT"
    corner = float(ds.pixel_array[0, 0]) * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
    assert corner < -1024  # outside of what was measured
    assert scan.volume.array[-1, -1, 0] == -1024


def test_slope_and_intercept_of_each_slice_are_applied(write_series, slab):
    def edit(ds, i) -> None:
        ds.RescaleSlope, ds.RescaleIntercept = (0.5, 3) if i < 3 else (2, -1024)

    array = load(only(write_series(slab, edit=edit))).volume.array
    np.testing.assert_array_equal(array[:3], slab.array[:3] * 0.5 + 3)
    np.testing.assert_array_equal(array[3:], slab.array[3:] * 2.0 - 1024)


def test_enhanced_scaling_is_each_frames_own(write_enhanced, functional_item, slab):
    def edit(ds, order) -> None:
        for own, place in zip(ds.PerFrameFunctionalGroupsSequence, order, strict=True):
            tags = {"RescaleSlope": int(place) + 1, "RescaleIntercept": -5}
            own.PixelValueTransformationSequence = [functional_item(**tags)]

    array = load(only(write_enhanced(slab, edit=edit))).volume.array
    for i in range(slab.shape[0]):
        np.testing.assert_array_equal(array[i], slab.array[i] * float(i + 1) - 5)


def test_real_world_mapping_serves_where_there_is_no_slope(write_enhanced, functional_item, slab):
    def edit(ds, _) -> None:
        mapping = functional_item(RealWorldValueSlope=0.5, RealWorldValueIntercept=10.0)
        ds.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence = [mapping]

    array = load(only(write_enhanced(slab, edit=edit))).volume.array
    np.testing.assert_array_equal(array, slab.array * 0.5 + 10)


def test_monochrome1_is_turned_so_that_bright_is_more(write_series, slab):
    def edit(ds, _) -> None:
        ds.PhotometricInterpretation, ds.PixelRepresentation, ds.BitsStored, ds.HighBit = "MONOCHROME1", 0, 12, 11

    array = load(only(write_series(slab, edit=edit))).volume.array
    np.testing.assert_array_equal(array, 4095 - slab.array)


def test_missing_slices_are_named_by_place(write_series, slab):
    ref = only(write_series(slab, keep=(0, 1, 2, 4, 6)))
    assert "2 slices missing between 5 others, at" in ref.problem
    missing = sorted(round(float(slab.affine[0, 3] + 4 * i), 1) for i in (3, 5))
    normal_points_left = sorted(-m for m in missing)  # DICOM's own axis
    said = sorted(float(p) for p in ref.problem.split(" at ")[1].split(" mm along")[0].split(", "))
    assert said in (missing, normal_points_left)
    with pytest.raises(InputError, match=r"wanted: a slice every 4\.00 mm; remedy: send or copy"):
        load(ref)


def test_varying_spacing_is_refused_with_its_range(write_series, slab):
    def edit(ds, i) -> None:
        x, y, z = (float(v) for v in ds.ImagePositionPatient)
        ds.ImagePositionPatient = [x + 0.12 * i * i, y, z]

    problem = only(write_series(slab, edit=edit)).problem
    assert "7 slices at distances from 2.68 to 3.88 mm; wanted: one distance" in problem


def test_tilted_stack_is_refused(write_series, slab):
    def edit(ds, i) -> None:
        x, y, z = (float(v) for v in ds.ImagePositionPatient)
        ds.ImagePositionPatient = [x, y, z + i]

    assert "a tilt of 14.0°" in only(write_series(slab, edit=edit)).problem  # arctan(1 / 4)


def test_a_slice_without_position_is_refused(write_series, slab):
    def edit(ds, i) -> None:
        if i == 3:
            del ds.ImagePositionPatient

    assert "1 of 7 images without position" in only(write_series(slab, edit=edit)).problem


def test_echoes_in_one_series_are_split(write_series, slab):
    folder = write_series(slab)
    second = Volume(slab.array + 1000, slab.affine)
    for path in write_series(second, "study/other", EchoTime=20.0).iterdir():
        path.rename(folder / f"e2_{path.name}")
    refs = list_series(folder).refs
    assert sorted(r.facts.echo_time_ms for r in refs) == [20, 98]
    assert len({r.scan_id for r in refs}) == 2
    for ref in refs:
        scan = load(ref)
        np.testing.assert_array_equal(scan.volume.array, slab.array + (1000 if ref.facts.echo_time_ms == 20 else 0))
        assert any("told apart by echo time" in note for note in scan.notes)


def test_repeats_that_nothing_tells_apart_are_refused(write_series, slab):
    folder = write_series(slab)
    for path in list(write_series(slab, "study/other").iterdir()):
        path.rename(folder / f"again_{path.name}")
    ref = only(folder)
    assert "7 of 14 images lie where another one does" in ref.problem
    with pytest.raises(InputError, match="wanted: one image a position; remedy: export each echo"):
        load(ref)


def test_copies_of_a_file_are_read_once(write_series, slab, tmp_path):
    folder = write_series(slab)
    for path in list(folder.iterdir()):
        (folder / f"copy_{path.name}").write_bytes(path.read_bytes())
    scan = load(only(folder))
    np.testing.assert_array_equal(scan.volume.array, slab.array)
    assert "7 images came twice and were read once" in scan.notes


def test_localiser_of_three_orientations_is_split(write_series, sagittal_slab):
    first = write_series(sagittal_slab(slices=3), "study/loc")
    for n, angles in enumerate([(0, 0, 90), (0, 90, 0)]):
        for path in write_series(sagittal_slab(angles=angles, slices=3), f"study/more{n}").iterdir():
            path.rename(first / f"{n}_{path.name}")
    refs = list_series(first).refs
    assert sorted(ref.plane for ref in refs) == ["axial", "coronal", "sagittal"]
    assert all(any("3 stacks of different orientation" in note for note in ref.notes) for ref in refs)


def test_enhanced_time_points_are_split(write_enhanced, functional_item, slab):
    def edit(ds, _) -> None:
        again = list(ds.PerFrameFunctionalGroupsSequence)
        frames = []
        for point in (1, 2):
            for own in again:
                copy = deepcopy(own)
                copy.FrameContentSequence = [functional_item(TemporalPositionIndex=point)]
                frames.append(copy)
        ds.PerFrameFunctionalGroupsSequence = frames
        ds.NumberOfFrames = len(frames)
        ds.PixelData = ds.PixelData + bytes(2) * (len(ds.PixelData) // 2 - 1) + b"\x07\x00"

    refs = list_series(write_enhanced(slab, edit=edit)).refs
    assert [len(ref.frames) for ref in refs] == [7, 7]
    np.testing.assert_array_equal(load(refs[0]).volume.array, slab.array)


def test_absurd_rows_are_refused_before_reading(write_enhanced, slab):
    def edit(ds, _) -> None:
        ds.Rows = ds.Columns = 65535

    ref = only(write_enhanced(slab, edit=edit))
    assert "image declared" in ref.problem
    with pytest.raises(InputError, match=r"65535 × 65535 × 7 samples, 120 GB; wanted: at most 16 GB"):
        load(ref)


def test_truncated_and_empty_slices_are_named(write_series, slab):
    folder = write_series(slab)
    victim = sorted(folder.iterdir())[2]
    whole = victim.read_bytes()
    victim.write_bytes(whole[:-100])
    with pytest.raises(InputError, match=rf"{victim.name} cannot be decoded"):
        load(only(folder))
    ds = pydicom.dcmread(sorted(folder.iterdir())[0])
    del ds.PixelData
    ds.save_as(victim, enforce_file_format=True)
    with pytest.raises(InputError, match="no pixel data in|came twice|slices missing"):
        load(only(folder))


def test_headers_without_images_are_told(write_series, slab):
    def edit(ds, _) -> None:
        del ds.PixelData

    with pytest.raises(InputError, match="no pixel data in IM"):
        load(only(write_series(slab, edit=edit)))


def test_truncated_compressed_file(write_series, slab, tmp_path):
    def pack(ds, _) -> None:
        ds.compress(RLELossless, generate_instance_uid=False)

    folder = write_series(slab, edit=pack)
    victim = sorted(folder.iterdir())[0]
    victim.write_bytes(victim.read_bytes()[:-120])
    listing = list_series(folder)
    with pytest.raises(InputError, match="cannot be decoded"):
        load(listing.refs[0])


def test_real_truncated_file():
    listing = list_series(packaged("MR_truncated.dcm"))
    with pytest.raises(InputError, match=r"cannot be decoded|truncated"):
        load(listing.refs[0])


@pytest.mark.parametrize(
    ("name", "why"),
    [("reportsi.dcm", "an SR object|a SR object"), ("SC_rgb_rle.dcm", "secondary capture|colour"),
     ("liver_1frame.dcm", "SEG object"), ("rtdose.dcm", "RTDOSE object"), ("examples_palette.dcm", "colour picture"),
     ("examples_ybr_color.dcm", "colour picture"), ("waveform_ecg.dcm", "ECG object|no pixel data"),
     ("badVR.dcm", "RTDOSE object")],
)  # fmt: skip
def test_what_is_no_scan_says_so(name, why):
    assert re.search(why, only(packaged(name)).problem)


def test_old_multi_frame_without_places(write_enhanced, slab):
    def edit(ds, _) -> None:
        del ds.SharedFunctionalGroupsSequence, ds.PerFrameFunctionalGroupsSequence
        ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, 0], [0, 1, 0, 0, 0, -1]
        ds.PixelSpacing = [1, 1]

    assert "7 frames in one file without a position each" in only(write_enhanced(slab, edit=edit)).problem


def test_headless_files_are_recognised():
    for name in ("no_meta.dcm", "ExplVR_LitEndNoMeta.dcm", "rtstruct.dcm"):
        listing = list_series(packaged(name))
        assert listing.refs or all("Traceback" not in f.reason for f in listing.failures)
    assert list_series(packaged("rtstruct.dcm")).refs[0].problem == "no scan but a RTSTRUCT object"


@pytest.mark.slow
def test_every_packaged_file_gives_series_or_reasons_never_another_exception():
    listing = list_series(packaged("MR_small.dcm").parent)
    loaded, reasons = 0, [failure.reason for failure in listing.failures]
    for ref in listing.refs:
        try:
            loaded += load(ref).volume.array.size > 0
        except SpineclockError as error:
            reasons.append(str(error))
    assert loaded >= 3
    assert len(reasons) >= 20
    assert all(reason.endswith(".") and "\n" not in reason for reason in reasons)


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ({"EchoTime": 70.0}, "slices of echo times from 70 to 98 ms under one series number"),
        ({"PatientID": "another"}, "slices of 2 people under one series number"),
        ({"SeriesDescription": "stir"}, "slices weighted STIR, T2w under one series number"),
    ],
)
def test_mixed_series_are_refused(write_series, slab, tags, found):
    def edit(ds, i) -> None:
        if i > 3:
            for keyword, value in tags.items():
                setattr(ds, keyword, value)

    assert f"{found}; wanted: one image of one person" in only(write_series(slab, edit=edit)).problem


def test_a_count_of_billions_of_frames_is_not_believed(write_enhanced, slab):
    def edit(ds, _) -> None:
        ds.NumberOfFrames = 2**31 - 1
        del ds.PerFrameFunctionalGroupsSequence

    assert "2147483647 frames declared and 0 described" in only(write_enhanced(slab, edit=edit)).problem


def test_one_slice_named_alone_says_to_give_the_folder(write_series, slab, t2):
    slice_ = sorted(write_series(slab).iterdir())[0]
    failure = read_scans(slice_, accepts=t2).failures[0]
    assert "it has 1 slice; wanted: at least 5" in failure.reason
    assert "remedy: give the folder of the series, not one slice" in failure.reason
