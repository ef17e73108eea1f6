"""Films as PNG, JPEG, TIFF and NIfTI: bits kept, bombs, rubbish and colours refused, sidecars believed."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from filmmaker import ramp, save_film
from PIL import Image
from test_ingest_film import read, shown, why

from spineclock.core.recipe import LATERAL_FILM
from spineclock.core.records import Scan
from spineclock.ingest.series import list_series, load, read_scans

LATERAL = {"Modality": "DX", "PatientOrientation": ["P", "F"]}


def picture(path: Path, array: np.ndarray, told: dict | None = None, **how) -> Path:
    """The array saved by Pillow, a sidecar beside it that says it is a lateral film, front at the left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **how)
    path.with_suffix(".json").write_text(json.dumps(LATERAL if told is None else told))
    return path


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.tiff", "renamed.jpg"])
def test_sixteen_bits_stay_sixteen_bits(tmp_path, name):
    values = ramp(top=65535)
    scan = read(picture(tmp_path / name, values, format="TIFF" if "tif" in name else "PNG"))
    assert scan.volume.array.dtype == np.uint16
    np.testing.assert_array_equal(shown(scan), values)
    assert scan.volume.spacing_mm == (1, 1, 1)
    assert scan.notes == ("the pixel spacing is not known: taken as 1 mm, lengths mean nothing",)


@pytest.mark.parametrize(
    "how", [{"compression": "tiff_lzw"}, {"compression": "tiff_adobe_deflate"}, {"big_tiff": True}]
)
def test_packed_tiff(tmp_path, how):
    values = ramp(top=65535)
    np.testing.assert_array_equal(shown(read(picture(tmp_path / "a.tif", values, **how))), values)


def test_a_white_first_tiff_of_sixteen_bits_is_turned_round(tmp_path):
    values = ramp(top=65535)
    path = picture(tmp_path / "a.tif", 65535 - values, tiffinfo={262: 0})
    np.testing.assert_array_equal(shown(read(path)), values)


def test_floating_point_tiff(tmp_path):
    values = (ramp() / 4095).astype(np.float32)
    scan = read(picture(tmp_path / "a.tif", values))
    assert scan.volume.array.dtype == np.float32
    np.testing.assert_array_equal(shown(scan), values)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_eight_bits_in_grey_or_grey_colours(tmp_path, channels):
    values = ramp(top=255).astype(np.uint8)
    stored = values if channels == 1 else np.dstack([values] * 3 + [np.full_like(values, 255)] * (channels - 3))
    np.testing.assert_array_equal(shown(read(picture(tmp_path / "a.png", stored))), values)


def test_palettes_and_jpeg(tmp_path):
    values = np.tile(np.arange(0, 240, 4, dtype=np.uint8), (80, 1))
    Image.fromarray(values).convert("P").save(tmp_path / "p.png")
    (tmp_path / "p.json").write_text(json.dumps(LATERAL))
    np.testing.assert_array_equal(shown(read(tmp_path / "p.png")), values)
    for name, stored in (("g.jpg", values), ("c.jpg", np.dstack([values] * 3))):
        scan = read(picture(tmp_path / name, stored, quality=95))
        np.testing.assert_allclose(shown(scan).astype(int), values, atol=4)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_held_sideways_are_turned_as_their_exif_says(tmp_path, orientation):
    upright = ramp(top=255).astype(np.uint8)
    undo = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, 1)
    turns = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
             5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
             8: Image.Transpose.ROTATE_90}  # fmt: skip
    held = Image.fromarray(upright)
    held = held.transpose(turns[undo]) if undo > 1 else held
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = picture(tmp_path / "a.png", np.asarray(held), exif=exif)
    np.testing.assert_array_equal(shown(read(path)), upright)


def test_a_sidecar_speaks_as_a_header_does(tmp_path):
    told = {**LATERAL, "ImagerPixelSpacing": [0.2, 0.2], "EstimatedRadiographicMagnificationFactor": 1.25,
            "FilmKind": "vfa", "BurnedInAnnotation": "YES", "Manufacturer": "ACME", "PatientSex": "M"}  # fmt: skip
    scan = read(picture(tmp_path / "sub-7_xray.png", ramp(), told))
    assert scan.volume.spacing_mm == pytest.approx((1, 0.16, 0.16))
    assert (scan.film, scan.modality, scan.scanner, scan.person_id, scan.sex) == ("vfa", "DX", "ACME", "sub-7", "M")
    assert scan.notes == ("text is burned into the image",)
    frontal = picture(tmp_path / "sub-8_xray.png", ramp(), {**LATERAL, "PatientOrientation": ["L", "F"]})
    assert "a frontal film; wanted: lateral" in why(frontal)


def test_names_speak_too(tmp_path):
    assert read(picture(tmp_path / "sub-1_vfa.png", ramp(), {"PatientOrientation": ["A", "F"]})).film == "vfa"
    assert read(picture(tmp_path / "sub-1_xray.png", ramp(), {"PatientOrientation": ["A", "F"]})).film == "radiograph"
    assert "a frontal film" in why(picture(tmp_path / "sub-1_lspine_AP.png", ramp(), {}))
    assert "it is MR; wanted:" in why(picture(tmp_path / "sub-1_T2w.png", ramp(), {}))


def chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


@pytest.mark.parametrize(("side", "said"), [(12000, "576 MB; wanted: at most 400 MB"), (60000, "far more than a film")])
def test_a_small_file_that_unpacks_to_too_much_is_refused_from_its_header(tmp_path, side, said):
    header = side.to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(10**6)))
        + chunk(b"IEND", b"")
    )
    (tmp_path / "bomb.png").write_bytes(bomb)
    assert said in why(tmp_path / "bomb.png")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "a file named .png that is empty"), (b"hello\n", "that is text"), (b"%PDF-1.7", "a PDF document"),
     (b"GIF89a" + bytes(50), "a GIF picture"), (b"\x89PNG\r\n\x1a\n" + bytes(200), "cannot be read as a picture"),
     (b"\xff\xd8\xff\xe0" + bytes(200), "cannot be read as a picture"), (b"II*\x00" + bytes(200), "cannot be read")],
)  # fmt: skip
def test_rubbish_named_as_a_picture(tmp_path, content, said):
    (tmp_path / "x.png").write_bytes(content)
    assert said in why(tmp_path / "x.png")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_truncated_pictures(tmp_path, name, keep):
    path = picture(tmp_path / name, ramp(200, 150, top=255).astype(np.uint8))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    assert "cannot be read as a picture" in why(path)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_damaged_pictures_never_give_another_exception(tmp_path, name):
    path = picture(tmp_path / name, ramp(60, 50, top=255).astype(np.uint8))
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(40):
        raw = bytearray(whole)
        for at in rng.integers(4, min(len(raw), 400), 3):
            raw[at] = int(rng.integers(256))
        path.write_bytes(bytes(raw))
        result = read_scans(path, accepts=LATERAL_FILM)
        assert len(result.scans) + len(result.failures) == 1


def test_several_pictures_in_one_file(tmp_path):
    pages = [Image.fromarray(ramp(top=255).astype(np.uint8)) for _ in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert "3 pictures in one file" in why(tmp_path / "a.tif")


def test_a_stray_picture_among_mri_is_passed_over_as_before(tmp_path, write_nifti, slab, t2):
    folder = write_nifti(slab, "p/a_T2w.nii.gz").parent
    picture(folder / "screenshot.png", ramp(top=255).astype(np.uint8))
    result = read_scans(folder, accepts=t2)
    assert [scan.source.name for scan in result.scans] == ["a_T2w.nii.gz"]
    assert result.refused == result.failures == ()
    assert "a PNG picture; wanted: DICOM, NIfTI" in read_scans(folder / "screenshot.png", accepts=t2).failures[0].reason


def test_mri_beside_films_is_refused_by_name_of_its_modality(write_nifti, slab):
    assert "it is MR; wanted: BMD or CR" in why(write_nifti(slab, "a_T2w.nii.gz"))
    assert "7 slices, not one film" in why(write_nifti(slab, "scan.nii.gz"))


def nifti(path: Path, told: dict, *, affine: np.ndarray | None = None, shape=(1, 40, 60)) -> Path:
    values = np.random.default_rng(1).permutation(2400).astype(np.uint16).reshape(shape)
    nib.save(nib.Nifti1Image(values, np.diag([1.0, 0.16, 0.16, 1.0]) if affine is None else affine), path)
    path.with_name(path.name.replace(".nii.gz", ".json")).write_text(json.dumps(told))
    return path


def test_the_phantom_s_film(tmp_path):
    told = {"Modality": "DX", "ImagerPixelSpacing": [0.2, 0.2], "EstimatedRadiographicMagnificationFactor": 1.25,
            "FilmKind": "radiograph", "PatientOrientation": ["A", "F"], "BurnedInAnnotation": "NO"}  # fmt: skip
    path = nifti(tmp_path / "sub-1_xray.nii.gz", told)
    scan = read(path)
    np.testing.assert_array_equal(scan.volume.array, np.asarray(nib.load(path).dataobj))
    assert scan.volume.spacing_mm == pytest.approx((1, 0.16, 0.16))
    assert (scan.film, scan.notes) == ("radiograph", ())
    assert load(list_series(path).refs[0]).film == "radiograph"  # a radiograph is a film whoever asks


def test_nifti_films_stored_other_ways_round(tmp_path):
    turned = np.array([[0, 0, 3.0, 0], [0, -0.3, 0, 0], [-0.2, 0, 0, 0], [0, 0, 0, 1]])
    path = nifti(tmp_path / "a_xray.nii.gz", {}, affine=turned, shape=(60, 40, 1))
    scan = read(path)
    np.testing.assert_array_equal(scan.volume.array[0], np.asarray(nib.load(path).dataobj)[::-1, ::-1, 0].T)
    assert scan.volume.spacing_mm == pytest.approx((1, 0.3, 0.2))
    assert "a frontal film" in why(nifti(tmp_path / "b_xray.nii.gz", {}, shape=(40, 1, 60)))
    assert "a film stored as an axial slice" in why(nifti(tmp_path / "c_xray.nii.gz", {}, shape=(40, 60, 1)))


def test_one_film_is_the_same_film_in_every_format(tmp_path):
    def same(scan: Scan) -> np.ndarray:
        assert scan.film == "radiograph"
        return shown(scan)

    values = ramp()
    told = {"Modality": "DX", "PatientOrientation": ["P", "F"]}
    nib.save(nib.Nifti1Image(values[::-1, ::-1].T[None].astype(np.float32), np.eye(4)), tmp_path / "n.nii")
    (tmp_path / "n.json").write_text(json.dumps(told))
    for path in (save_film(tmp_path / "d", values), picture(tmp_path / "p.png", values, told), tmp_path / "n.nii"):
        np.testing.assert_array_equal(same(read(path)), values)
