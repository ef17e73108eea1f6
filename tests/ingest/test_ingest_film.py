"""Radiographs and DXA films at the door: DICOM of all their kinds, and which film of a study is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from filmmaker import CR, SC, film_dataset, ramp, save_film
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_voi_lut
from pydicom.uid import RLELossless

from spineclock.core.errors import SpineclockError
from spineclock.core.recipe import LATERAL_FILM
from spineclock.core.records import Scan
from spineclock.ingest.series import list_series, load, read_scans


def read(path: Path) -> Scan:
    result = read_scans(path, accepts=LATERAL_FILM)
    assert result.failures == ()
    (scan,) = result.scans
    return scan


def why(path: Path) -> str:
    result = read_scans(path, accepts=LATERAL_FILM)
    assert result.scans == ()
    (failure,) = result.failures
    return failure.reason


def shown(scan: Scan) -> np.ndarray:
    """The film as rows and columns, head up, front at the left."""
    return scan.volume.array[0].T[::-1, ::-1]


def words(values: np.ndarray) -> bytes:
    return values.astype("<u2").tobytes()


def test_a_radiograph_becomes_a_sagittal_scan_of_depth_one(tmp_path):
    scan = read(save_film(tmp_path / "a", ramp()))
    assert scan.volume.shape == (1, 40, 60)
    assert scan.volume.array.dtype == np.uint16
    np.testing.assert_array_equal(shown(scan), ramp())
    assert scan.volume.spacing_mm == (1, 0.15, 0.15)
    assert (scan.modality, scan.film, scan.sex, scan.age_years) == ("DX", "radiograph", "F", 67)
    assert scan.notes == ("pixel spacing at the detector: the spine is shown larger than it is",)
    assert "secret" not in scan.person_id


@pytest.mark.parametrize(("across", "down"), [("A", "F"), ("P", "F"), ("A", "H"), ("P", "H"), ("F", "A"), ("F", "P"),
                                              ("H", "A"), ("H", "P"), ("AL", "FR")])  # fmt: skip
def test_whatever_way_it_is_stored_the_front_is_ahead_and_the_head_up(tmp_path, across, down):
    upright = ramp()  # rows down, front at the left
    stored = upright
    if across[0] in "FH":
        stored = stored.T
        stored = stored[::-1] if down == "A" else stored
        stored = stored[:, ::-1] if across == "H" else stored
    else:
        stored = stored[:, ::-1] if across[0] == "A" else stored
        stored = stored[::-1] if down[0] == "H" else stored
    path = save_film(tmp_path / "a", stored, PatientOrientation=[across, down], ImagerPixelSpacing=[0.1, 0.2])
    scan = read(path)
    np.testing.assert_array_equal(shown(scan), upright)
    assert scan.volume.spacing_mm == pytest.approx((1, 0.1, 0.2) if across[0] in "FH" else (1, 0.2, 0.1))


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_monochrome1_is_monochrome2_turned_round(tmp_path, bits):
    top = 2**bits - 1
    bright = ramp(top=top).astype(np.uint8 if bits == 8 else np.uint16)
    tags = {"BitsStored": bits, "HighBit": bits - 1}
    a = read(save_film(tmp_path / "a", bright, **tags))
    b = read(save_film(tmp_path / "b", top - bright, PhotometricInterpretation="MONOCHROME1", **tags))
    np.testing.assert_array_equal(a.volume.array, b.volume.array)


def test_monochrome1_of_signed_and_rescaled_samples(tmp_path):
    signed = ramp().astype(np.int32) - 2048
    tags = {"PixelRepresentation": 1, "RescaleSlope": "2", "RescaleIntercept": "-10"}
    a = read(save_film(tmp_path / "a", signed.astype("<i2"), **tags))
    b = read(save_film(tmp_path / "b", (-1 - signed).astype("<i2"), PhotometricInterpretation="MONOCHROME1", **tags))
    np.testing.assert_array_equal(a.volume.array, b.volume.array)
    np.testing.assert_array_equal(shown(a), signed * 2 - 10)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("LINEAR", lambda x, c, w: np.clip((x - (c - 0.5)) / (w - 1) + 0.5, 0, 1) * 4095),
        ("LINEAR_EXACT", lambda x, c, w: np.clip((x - c) / w + 0.5, 0, 1) * 4095),
        ("SIGMOID", lambda x, c, w: 4095 / (1 + np.exp(-4 * (x - c) / w))),
    ],
)
@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
def test_windows_are_those_of_the_standard(tmp_path, function, expected, photometric):
    centre, width = 1800.0, 900.0
    path = save_film(tmp_path / "a", ramp(), WindowCenter=[centre, 5], WindowWidth=[width, 7],
                     VOILUTFunction=function, PhotometricInterpretation=photometric)  # fmt: skip
    want = expected(ramp().astype(float), centre, width)
    want = 4095 - want if photometric == "MONOCHROME1" else want
    np.testing.assert_allclose(shown(read(path)), want, atol=0.01)


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
def test_a_voi_lut_sequence_is_applied_before_a_window(tmp_path, photometric):
    table = Dataset()
    table.LUTDescriptor, table.LUTData = [4096, 0, 10], words((np.arange(4096) / 4095) ** 2 * 1023)
    tags = {"VOILUTSequence": [table], "WindowCenter": 100, "WindowWidth": 50, "PhotometricInterpretation": photometric}
    scan = read(save_film(tmp_path / "a", ramp(), **tags))
    want = apply_voi_lut(ramp(), film_dataset(ramp(), VOILUTSequence=[table])).astype(int)
    assert want.max() == 1023
    np.testing.assert_array_equal(shown(scan), 1023 - want if photometric == "MONOCHROME1" else want)


def test_a_modality_lut(tmp_path):
    table = Dataset()
    table.LUTDescriptor, table.LUTData, table.ModalityLUTType = [4096, 0, 16], words(16 * np.arange(4096)), "US"
    a = read(save_film(tmp_path / "a", ramp(), ModalityLUTSequence=[table]))
    np.testing.assert_array_equal(shown(a), ramp().astype(int) * 16)


@pytest.mark.parametrize(("centre", "width"), [(2000, 0), (2000, -5), (99999, 10)])
def test_a_window_that_leaves_nothing_is_passed_over(tmp_path, centre, width):
    scan = read(save_film(tmp_path / "a", ramp(), WindowCenter=centre, WindowWidth=width))
    np.testing.assert_array_equal(shown(scan), ramp())
    assert "the window or VOI LUT could not be applied" in scan.notes[-1]


def test_padding_of_a_white_film_is_dark(tmp_path):
    stored = ramp()
    stored[:, :5] = 0
    scan = read(save_film(tmp_path / "a", stored, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=0))
    assert shown(scan)[:, :5].max() <= shown(scan)[:, 5:].min()


SPACINGS = [
    ({"ImagerPixelSpacing": [0.2, 0.1]}, (0.1, 0.2), "at the detector"),
    ({"ImagerPixelSpacing": [0.2, 0.1], "EstimatedRadiographicMagnificationFactor": 1.25}, (0.08, 0.16), ""),
    ({"ImagerPixelSpacing": [0.2, 0.1], "PixelSpacing": [0.2, 0.1]}, (0.1, 0.2), "at the detector"),
    ({"ImagerPixelSpacing": [0.2, 0.1], "PixelSpacing": [0.18, 0.09]}, (0.09, 0.18), ""),
    ({"ImagerPixelSpacing": [0.2, 0.1], "PixelSpacing": [0.2, 0.1], "PixelSpacingCalibrationType": "FIDUCIAL"},
     (0.1, 0.2), ""),
    ({"ImagerPixelSpacing": None, "NominalScannedPixelSpacing": [0.17, 0.17]}, (0.17, 0.17), "on the digitised sheet"),
    ({"ImagerPixelSpacing": None, "PixelSpacing": [0.3, 0.3]}, (0.3, 0.3), "does not say whether"),
    ({"ImagerPixelSpacing": None, "PixelSpacing": [0.3, 0.3], "Modality": "BMD"}, (0.3, 0.3), ""),
    ({"ImagerPixelSpacing": None}, (1, 1), "is not known: taken as 1 mm"),
    ({"ImagerPixelSpacing": None, "PixelAspectRatio": [2, 1]}, (1, 2), "is not known: taken as 1 mm"),
    ({"ImagerPixelSpacing": [0.0, 0.0]}, (1, 1), "ImagerPixelSpacing of 0 × 0 mm cannot be true"),
    ({"ImagerPixelSpacing": [55, 55]}, (1, 1), "cannot be true"),
    ({"ImagerPixelSpacing": [0.2, 0.1], "EstimatedRadiographicMagnificationFactor": 0}, (0.1, 0.2), "at the detector"),
]  # fmt: skip


@pytest.mark.parametrize(("tags", "mm", "note"), SPACINGS, ids=range(len(SPACINGS)))
def test_every_kind_of_pixel_spacing(tmp_path, tags, mm, note):
    scan = read(save_film(tmp_path / "a", ramp(), **tags))
    assert scan.volume.spacing_mm == pytest.approx((1, *mm))
    about = [n for n in scan.notes if "spacing" in n.lower()]
    assert note in about[0] if note else about == []


@pytest.mark.parametrize(
    ("tags", "film"),
    [
        ({}, "radiograph"),
        ({"Modality": "CR", "SOPClassUID": CR}, "radiograph"),
        ({"SeriesDescription": "VFA lateral"}, "vfa"),
        ({"SeriesDescription": "IVA"}, "vfa"),
        ({"Manufacturer": "HOLOGIC", "Modality": "OT"}, "vfa"),
        ({"Manufacturer": "HOLOGIC", "Modality": "DX"}, "radiograph"),
        ({"Manufacturer": "HOLOGIC", "ManufacturerModelName": "Horizon A"}, "vfa"),
        ({"Manufacturer": "GE Healthcare", "ManufacturerModelName": "Lunar iDXA", "Modality": "CR"}, "vfa"),
        ({"Manufacturer": "GE Healthcare", "ManufacturerModelName": "Discovery XR656"}, "radiograph"),
        ({"StudyDescription": "DXA spine", "Modality": "OT"}, "vfa"),
        ({"SeriesDescription": "DXA lateral spine"}, "vfa"),
        ({"ProtocolName": "DXA lateral spine", "StudyDescription": "XR LSPINE"}, "vfa"),
        ({"Modality": "OT", "SOPClassUID": SC}, ""),
    ],
)
def test_radiograph_or_densitometer(tmp_path, tags, film):
    (ref,) = list_series(save_film(tmp_path / "a", ramp(), **tags), films=True).refs
    assert ref.film is not None
    assert ref.film.film == film
    assert any("taken as a radiograph" in note for note in ref.film.notes) == (film == "")
    assert not any("densitometry" in note for note in ref.film.notes)


@pytest.mark.parametrize("modality", ["DX", "CR", "DR", "RG"])
@pytest.mark.parametrize("study", ["XR LSPINE AND DEXA", "Spine X-ray, VFA", "BMD + L-spine"])
def test_a_study_that_holds_densitometry_too_makes_no_vfa_of_its_radiograph(tmp_path, modality, study):
    tags = {"Modality": modality, "StudyDescription": study, "SeriesDescription": "L-spine lateral"}
    scan = read(save_film(tmp_path / "a", ramp(), **tags))
    assert scan.film == "radiograph"
    (note,) = (n for n in scan.notes if "densitometry" in n)
    assert note == (
        f"the study's description speaks of densitometry, the {modality} film itself does not: a radiograph"
    )


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"ViewPosition": "AP", "PatientOrientation": ["L", "F"]}, "a frontal film; wanted: lateral"),
        ({"ViewPosition": "PA", "PatientOrientation": None}, "a frontal film"),
        ({"ViewPosition": None, "PatientOrientation": ["R", "F"]}, "a frontal film"),
        ({"ViewPosition": None, "PatientOrientation": None, "SeriesDescription": "L-Spine A.P."}, "a frontal film"),
        ({"ViewPosition": "RLO", "PatientOrientation": None}, "an oblique film"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "the detector's raw values (FOR PROCESSING)"),
        ({"BodyPartExamined": "KNEE"}, "it shows the knee; wanted: the spine"),
        ({"BodyPartExamined": "", "SeriesDescription": "Dual Hip", "Modality": "OT"}, "it shows the hip"),
        ({"NumberOfFrames": 12}, "a run of 12 frames (fluoroscopy), not one film"),
        ({"Modality": "MG"}, "it is MG; wanted: BMD or CR or DR or DX"),
        ({"Rows": 60000, "Columns": 60000}, "a file without pixel data (a: "),
        ({"PixelData": b""}, "a file without pixel data"),
    ],
)
def test_what_is_no_lateral_film_of_the_spine_says_so(tmp_path, tags, reason):
    assert reason in why(save_film(tmp_path / "a", ramp(), **tags))


def test_a_packed_film_that_declares_too_much_is_refused_before_unpacking(tmp_path):
    ds = film_dataset(ramp())
    ds.compress(RLELossless)
    ds.Rows, ds.Columns = 60000, 60000
    ds.save_as(tmp_path / "a", enforce_file_format=True)
    assert "60000 × 60000 samples, 14 GB; wanted: at most 400 MB" in why(tmp_path / "a")


def test_view_and_orientation_that_contradict_are_noted(tmp_path):
    scan = read(save_film(tmp_path / "a", ramp(), ViewPosition="LL", PatientOrientation=["L", "F"]))
    assert any("neither was believed" in note for note in scan.notes)


def test_a_study_of_films_and_mri_gives_its_lateral_film(tmp_path, write_series, slab):
    folder = write_series(slab, "study/mr", StudyInstanceUID="1.2.3").parent
    save_film(folder / "ap", ramp(), SeriesInstanceUID="1.7", SeriesNumber=1, ViewPosition="AP",
              PatientOrientation=["L", "F"])  # fmt: skip
    save_film(folder / "both/ap", ramp(), SeriesNumber=2, ViewPosition="PA", PatientOrientation=["R", "F"])
    save_film(folder / "both/lat", ramp(), SeriesNumber=2, InstanceNumber=2)
    save_film(folder / "flexion", ramp(), SeriesInstanceUID="1.8", SeriesDescription="L-spine lat flexion")
    result = read_scans(folder, accepts=LATERAL_FILM)
    assert result.failures == ()
    assert [scan.source.name for scan in result.scans] == ["lat"]
    reasons = {r.ref.label: r.reason for r in result.refused}
    assert reasons == {
        "series 5 (t2_tse_sag)": "it is MR; wanted: BMD or CR or DR or DX or OT or RG or SC",
        "series 1, image 1": "a frontal film; wanted: lateral",
        "series 2, image 1": "a frontal film; wanted: lateral",
        "series 1, image 1 (L-spine lat flexion)":
            "fits too, but series 2, image 2 was preferred: not bent forwards or backwards",
    }  # fmt: skip


def test_the_taller_film_and_the_preferred_words(tmp_path):
    save_film(tmp_path / "s/skew", ramp(), SeriesNumber=1, InstanceNumber=1)
    save_film(tmp_path / "s/tall", ramp(90), SeriesNumber=1, InstanceNumber=2)
    assert read(tmp_path / "s").volume.shape == (1, 40, 90)
    save_film(
        tmp_path / "s/lumbar", ramp(70), SeriesNumber=1, InstanceNumber=3, SeriesDescription="thoracic lumbar lat"
    )
    assert read(tmp_path / "s").volume.shape == (1, 40, 70)


def test_mri_recipes_keep_refusing_films(tmp_path, t2):
    path = save_film(tmp_path / "s/a", ramp())
    result = read_scans(path, accepts=t2)
    assert result.scans == ()
    assert "it is DX; wanted: MR" in result.failures[0].reason
    capture = save_film(tmp_path / "t/b", ramp(), SOPClassUID=SC, Modality="OT")
    assert "a secondary capture, not the scan itself" in read_scans(capture, accepts=t2).failures[0].reason


def test_grey_captures_in_colour_are_read_and_coloured_ones_refused(tmp_path):
    grey = ramp(top=255).astype(np.uint8)
    tags = {"SOPClassUID": SC, "Modality": "OT", "Manufacturer": "Hologic"}
    scan = read(save_film(tmp_path / "a", np.dstack([grey] * 3), **tags))
    np.testing.assert_array_equal(shown(scan), grey)
    assert scan.film == "vfa"
    coloured = np.dstack([grey, grey // 2, grey])
    assert "a colour picture" in why(save_film(tmp_path / "b", coloured, **tags))


def test_burned_in_text_is_noted(tmp_path):
    scan = read(save_film(tmp_path / "a", ramp(), BurnedInAnnotation="YES"))
    assert "text is burned into the image" in scan.notes


def test_a_truncated_film(tmp_path):
    path = save_film(tmp_path / "a", ramp(300, 200))
    path.write_bytes(path.read_bytes()[:-60000])
    assert "truncated" in why(path)
    listing = list_series(path)
    with pytest.raises(SpineclockError):
        load(listing.refs[0])


def test_damaged_headers_never_give_another_exception(tmp_path):
    whole = save_film(tmp_path / "whole", ramp(), WindowCenter=2000, WindowWidth=900).read_bytes()
    rng = np.random.default_rng(0)
    for n in range(90):
        raw = bytearray(whole[: int(rng.integers(200, len(whole)))] if n % 3 == 0 else whole)
        for at in rng.integers(132, min(len(raw), 1600), 4):
            raw[at] = int(rng.integers(256))
        path = tmp_path / f"f{n}.dcm"
        path.write_bytes(bytes(raw))
        result = read_scans(path, accepts=LATERAL_FILM)
        assert len(result.scans) + len(result.failures) >= 1
        assert all("Traceback" not in f.reason for f in result.failures)
