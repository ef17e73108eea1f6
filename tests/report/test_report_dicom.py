"""DICOM of simulated scans: modules and values, identifiers, the validator's word, and the way back through ingest."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import warnings
from itertools import pairwise
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage

from spineclock.core.anatomy import ARCH, BODY, DISC, LEVEL_NUMBERS, RIB, Structure
from spineclock.core.errors import GeometryError
from spineclock.core.geometry import canonical
from spineclock.core.volume import Mask, Volume
from spineclock.ingest.series import list_series, load
from spineclock.report.dicom import Examination, images, made_uid
from spineclock.report.dicom_seg import segmentation
from spineclock.report.label_names import label_of, labels

VISIT = Examination("sub-1p0000007", "sub-1p0000007_ses-1", 57.31, "F", 1)
FACTS = {
    "RepetitionTime": 3.5, "EchoTime": 0.098, "MagneticFieldStrength": 1.5, "SliceThickness": 3.6,
    "SpacingBetweenSlices": 4.0, "Manufacturer": "Simulated", "ManufacturersModelName": "One", "StationName": "MR1",
    "SeriesDescription": "t2_tse_sag", "MRAcquisitionType": "2D", "FlipAngle": 150, "EchoTrainLength": 16,
    "BodyPartExamined": "LSPINE", "SimulatedArtefacts": ["ghosts"],
}  # fmt: skip

# PS3.3 2024e: type 1 (a value), type 2 (present), of the modules that A.4.3 makes mandatory
TYPE_1 = {
    "general study": ["StudyInstanceUID"],
    "general series": ["Modality", "SeriesInstanceUID", "PatientPosition"],
    "frame of reference": ["FrameOfReferenceUID"],
    "general image": ["ImageType"],
    "image plane": ["PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient"],
    "image pixel": [
        "SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit",
        "PixelRepresentation", "PixelData",
    ],
    "MR image": ["ScanningSequence", "SequenceVariant"],
    "VOI LUT": ["WindowCenter", "WindowWidth"],
    "SOP common": ["SOPClassUID", "SOPInstanceUID", "SpecificCharacterSet"],
}  # fmt: skip
TYPE_2 = {
    "patient": ["PatientName", "PatientID", "PatientBirthDate", "PatientSex"],
    "general study": ["StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber"],
    "general series": ["SeriesNumber"],
    "frame of reference": ["PositionReferenceIndicator"],
    "general equipment": ["Manufacturer"],
    "general image": ["InstanceNumber", "ContentDate", "ContentTime"],
    "image plane": ["SliceThickness"],
    "MR image": ["ScanOptions", "MRAcquisitionType", "EchoTime", "EchoTrainLength", "RepetitionTime"],
}


def oblique(*, dtype=np.int16, low: int = 0) -> Volume:
    """A sagittal slab of numbers no two alike, turned a little about each axis."""
    a, b = np.radians(7.0), np.radians(-4.0)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]) @ np.array(
        [[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]]
    )
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([4.0, 0.71, 0.5333333333])
    affine[:3, 3] = (-28.123456789, -140.98765, -500.333333)
    shape = (6, 18, 24)
    array = np.random.default_rng(1).permutation(np.prod(shape)).reshape(shape) + low
    return Volume(array.astype(dtype), affine)


def structures(volume: Volume) -> Mask:
    array = np.zeros(volume.shape, np.uint16)
    array[1:5, 2:8, 2:9] = BODY + LEVEL_NUMBERS["L4"]
    array[2:4, 2:8, 10:12] = DISC + LEVEL_NUMBERS["L4"]
    array[2:5, 9:11], array[1:3, 14:17, 3:7] = Structure.CORD, ARCH + LEVEL_NUMBERS["L6"]
    array[5, 1, 1] = RIB + LEVEL_NUMBERS["T12"]
    return Mask(array, volume.affine)


@pytest.fixture(scope="module")
def series() -> list[Dataset]:
    return images(oblique(), FACTS, VISIT, name="T2w", number=1)


@pytest.fixture(scope="module")
def folder(series, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("dicom") / "study"
    (out / "sub-1p0000007_ses-1_T2w").mkdir(parents=True)
    for k, one in enumerate(series):
        one.save_as(out / "sub-1p0000007_ses-1_T2w" / f"{k:04d}.dcm", enforce_file_format=True)
    labelled = segmentation(structures(oblique()), series, VISIT, name="T2w_dseg", number=101)
    labelled.save_as(out / "seg.dcm", enforce_file_format=True)
    return out


def bytes_of(one: Dataset) -> bytes:
    file = io.BytesIO()
    one.save_as(file, enforce_file_format=True)
    return file.getvalue()


def test_every_module_of_the_mr_image_is_filled(folder):
    paths = sorted(folder.glob("*_T2w/*.dcm"))
    assert len(paths) == 6
    for path in paths:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # pydicom warns of values that their type of element cannot hold
            one = pydicom.dcmread(path)
            str(one)
        assert one.SOPClassUID == MRImageStorage
        missing = [k for names in TYPE_1.values() for k in names if k not in one or one[k].is_empty]
        absent = [k for names in TYPE_2.values() for k in names if k not in one]
        assert (missing, absent) == ([], [])
        assert one.file_meta.MediaStorageSOPInstanceUID == one.SOPInstanceUID
        assert len(one.PixelData) == one.Rows * one.Columns * 2
        assert all(len(str(v)) <= 16 for v in (*one.ImagePositionPatient, *one.ImageOrientationPatient))


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian: dicom3tools) is not installed")
def test_the_validator_finds_no_error(folder):
    for path in (*sorted(folder.glob("*_T2w/*.dcm")), folder / "seg.dcm"):
        answer = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, check=False)
        said = (answer.stdout + answer.stderr).splitlines()
        assert [line for line in said if line.startswith("Error")] == []
        assert said[0] == ("Segmentation" if path.name == "seg.dcm" else "MRImage")


def test_times_are_milliseconds_and_what_was_simulated_says_so(series):
    one = series[0]
    assert (one.RepetitionTime, one.EchoTime, one.MagneticFieldStrength, one.FlipAngle) == (3500, 98, 1.5, 150)
    assert (one.SliceThickness, one.SpacingBetweenSlices, one.EchoTrainLength) == (3.6, 4.0, 16)
    assert (one.Manufacturer, one.ManufacturerModelName, one.StationName) == ("Simulated", "One", "MR1")
    assert str(one.PatientName) == "PHANTOM^SIMULATED"
    assert (one.QualityControlImage, one.QualityControlSubject) == ("YES", "YES")
    assert one.ImageComments == one.PatientComments == "Simulated: no real person is shown."
    assert one.StudyDescription.startswith("SIMULATED")
    assert (one.PatientAge, one.PatientSex) == ("057Y", "F")


def test_identifiers_are_functions_of_seed_and_scan(series):
    again = images(oblique(), FACTS, VISIT, name="T2w", number=1)
    assert [bytes_of(one) for one in series] == [bytes_of(one) for one in again]
    other = images(oblique(), FACTS, VISIT, name="acq-lumbar_T2w", number=2)[0]
    assert (other.StudyInstanceUID, other.FrameOfReferenceUID) == (
        series[0].StudyInstanceUID,
        series[0].FrameOfReferenceUID,
    )
    assert other.SeriesInstanceUID != series[0].SeriesInstanceUID
    seeded = images(
        oblique(), FACTS, Examination("sub-1p0000007", "sub-1p0000007_ses-1", 57.31, "F", 2), name="T2w", number=1
    )
    assert seeded[0].StudyInstanceUID != series[0].StudyInstanceUID
    uids = [one.SOPInstanceUID for one in series]
    assert len(set(uids)) == len(uids)
    assert all(re.fullmatch(r"2\.25\.[1-9]\d{30,38}", uid) for uid in uids)
    assert [one.InstanceNumber for one in series] == [1, 2, 3, 4, 5, 6]


def test_a_uid_is_the_uuid_of_its_hash():
    digest = "a1fa07bee4daf3083e72af09b95d2b35"  # printf 'spineclock\n1\na' | sha256sum
    number = int(made_uid(1, "a").removeprefix("2.25."))
    assert number >> 80 == int(digest[:12], 16)  # what precedes the version
    assert ((number >> 76) & 0xF, (number >> 62) & 0x3) == (5, 2)
    assert number & (2**62 - 1) == int(digest[16:32], 16) & (2**62 - 1)


@pytest.mark.parametrize("age", [25.0, 57.31, 84.99, 100.0])
def test_dates_tell_the_age_to_the_day(age):
    from spineclock.ingest.facts import age_years

    visit = Examination("sub-1p0000007", "sub-1p0000007_ses-1", age, "F", 1)
    found, notes = age_years(images(oblique(), FACTS, visit, name="T2w", number=1)[0])
    assert notes == ()
    assert found == pytest.approx(age, abs=0.003)


@pytest.mark.parametrize(("low", "representation"), [(0, 0), (-900, 1)])
def test_what_ingest_reads_back_is_what_was_written(tmp_path, low, representation):
    volume = oblique(low=low)
    for k, one in enumerate(images(volume, FACTS, VISIT, name="T2w", number=1)):
        assert one.PixelRepresentation == representation
        one.save_as(tmp_path / f"{9 - k}", enforce_file_format=True)
    (ref,) = list_series(tmp_path).refs
    assert (ref.plane, ref.facts.sequence, ref.facts.unfit) == ("sagittal", "T2w", "")
    scan = load(ref)
    assert np.abs(scan.volume.affine - volume.affine).max() < 1e-6
    corner = np.array([5, 17, 23, 1.0])
    assert np.abs((scan.volume.affine - volume.affine) @ corner).max() < 1e-3
    assert (scan.volume.array == volume.array).all()
    assert (scan.sex, scan.echo_time_ms, scan.scanner) == ("F", 98.0, "Simulated One 1.5 T")


def test_axes_may_come_in_any_order(series):
    volume = oblique()
    turned = Volume(volume.array.transpose(2, 0, 1)[::-1], volume.affine[:, [2, 0, 1, 3]] @ flip_first(24))
    assert np.abs(canonical(turned).affine - volume.affine).max() < 1e-9
    again = images(turned, FACTS, VISIT, name="T2w", number=1)
    assert [one.PixelData for one in again] == [one.PixelData for one in series]


def flip_first(n: int) -> np.ndarray:
    flip = np.diag([-1.0, 1.0, 1.0, 1.0])
    flip[0, 3] = n - 1
    return flip


def test_a_leaning_grid_is_refused():
    affine = np.diag([4.0, 1.0, 1.0, 1.0])
    affine[1, 0] = 0.1
    with pytest.raises(GeometryError, match=r"axes 1\.43° off right angles; wanted: a grid at right angles"):
        images(Volume(np.ones((3, 4, 5), np.int16), affine), FACTS, VISIT, name="T2w", number=1)


def test_the_segmentation_gives_the_label_map_back(folder, series):
    labelled = hd.seg.segread(folder / "seg.dcm")
    wanted = structures(oblique())
    numbers = {
        labelled.get_segment_description(k).segment_number: int(
            labelled.get_segment_description(k).tracking_id.removeprefix("spineclock ")
        )
        for k in labelled.segment_numbers
    }
    assert list(numbers) == list(range(1, 6))
    volume = labelled.get_volume(combine_segments=True)
    renumber = np.array([0, *(numbers[k] for k in sorted(numbers))])
    ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine
    found = canonical(Mask(renumber[volume.array.astype(int)], ras))
    inside = np.linalg.inv(wanted.affine) @ found.affine  # frames without any structure are left out
    start = np.rint(inside[:3, 3]).astype(int)
    assert np.abs(found.affine[:3, 3] - (wanted.affine @ [*start, 1])[:3]).max() < 1e-3
    assert np.abs(found.affine[:3, :3] - wanted.affine[:3, :3]).max() < 1e-6
    whole = np.zeros(wanted.shape, int)
    whole[tuple(slice(a, a + n) for a, n in zip(start, found.shape, strict=True))] = found.array
    assert (whole == wanted.array).all()
    assert labelled.FrameOfReferenceUID == series[0].FrameOfReferenceUID


def test_segments_have_names_codes_and_the_number_in_the_label_map(folder):
    labelled = pydicom.dcmread(folder / "seg.dcm")
    told = {
        s.SegmentLabel: (s.TrackingID, s.SegmentedPropertyTypeCodeSequence[0].CodeValue)
        for s in labelled.SegmentSequence
    }
    assert told == {
        "spinal cord": ("spineclock 60", "2748008"),
        "L4/L5 disc": ("spineclock 123", "84020006"),
        "L4 vertebral body": ("spineclock 223", "3572006"),
        "L6 vertebral arch": ("spineclock 325", "40265002"),
        "T12 ribs": ("spineclock 419", "113197003"),
    }
    body = next(s for s in labelled.SegmentSequence if s.SegmentLabel == "L4 vertebral body")
    assert body.AnatomicRegionSequence[0].CodeValue == "11994002"
    assert body.SegmentDescription == "number 223 of the spineclock label map"


def test_the_segmentation_is_the_same_whenever_it_is_made(folder, series):
    again = segmentation(structures(oblique()), series, VISIT, name="T2w_dseg", number=101)
    assert bytes_of(again) == (folder / "seg.dcm").read_bytes()


def test_a_label_map_of_another_grid_or_of_nothing_is_refused(series):
    mask = structures(oblique())
    with pytest.raises(GeometryError, match="a label map of 5 slices"):
        segmentation(Mask(mask.array[:5], mask.affine), series, VISIT, name="x", number=1)
    away = mask.affine.copy()
    away[2, 3] += 0.5
    with pytest.raises(GeometryError, match=r"up to 0\.500 mm from its images"):
        segmentation(Mask(mask.array, away), series, VISIT, name="x", number=1)
    with pytest.raises(GeometryError, match="without any structure"):
        segmentation(mask.with_array(np.zeros(mask.shape, np.uint16)), series, VISIT, name="x", number=1)


def test_codes_are_those_of_dicom_s_own_dictionary():
    """pydicom's table is made from the standard's context groups; it lacks the two that are listed."""
    from pydicom.sr._concepts_dict import concepts

    known = {code for meanings in concepts["SCT"].values() for code in meanings}
    used = {code for label in labels().values() for code, _ in filter(None, (label.kind, label.place))}
    assert used - known == {"360499006", "3572006"}


def test_every_number_has_one_name_from_the_top_down():
    found = labels()
    assert len({label.name for label in found.values()}) == len(found)
    lumbar = [label_of(DISC + LEVEL_NUMBERS[level]).name for level in ("L1", "L2", "L3", "L4", "L5", "L6")]
    assert all(a < b for a, b in pairwise(lumbar))
    assert label_of(BODY + 26).name == "S1 vertebral body"
    assert set(map(int, Structure)) <= set(found)
