"""CT read as Hounsfield units: values, padding, tilt, and what the header tells of kernel, phase and tube voltage."""

from __future__ import annotations

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from pydicom.dataset import Dataset

from spineclock.core.errors import InputError
from spineclock.core.records import CtFacts, Quality
from spineclock.core.volume import Volume
from spineclock.ingest import ct
from spineclock.ingest.choose import choose
from spineclock.ingest.refs import Facts
from spineclock.ingest.series import list_series, read_scans

CENTRE, RADII = np.array([2.0, -5.0, 40.0]), np.array([30.0, 22.0, 38.0])


def drawn(points):
    """A body of 50 HU that grades off to air over 20 mm, with bone of 400 HU in it; ``points`` (…, 3) in mm."""
    away = np.linalg.norm((points - CENTRE) / RADII, axis=-1)
    bone = np.linalg.norm((points - CENTRE) / 12.0, axis=-1)
    body = np.clip((1.4 - away) / 0.5, 0, 1)
    return np.where(body > 0, -1000 + 1050 * body, -1000) + 350 * np.clip((1.5 - bone) / 0.8, 0, 1)


def on_grid(affine, shape):
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    return Volume(np.rint(drawn(index @ affine[:3, :3].T + affine[:3, 3])).astype(np.int16), affine)


def axial(tilt_deg=0.0, spacing=(1.5, 1.5, 2.0), shape=(60, 56, 70)):
    """Axial slices whose rows lean by an angle while the table moves along the patient."""
    t = np.radians(tilt_deg)
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([(1, 0, 0), (0, np.cos(t), np.sin(t)), (0, 0, 1)]) * spacing
    affine[:3, 3] = CENTRE - affine[:3, :3] @ (np.array(shape) - 1) / 2
    return on_grid(affine, shape)


@pytest.fixture
def body():
    return axial()


def stored(volume, path):
    nib.save(nib.Nifti1Image(volume.array, volume.affine), path)
    return path


def one(path, accepts=ct.SPINE_CT):
    found = read_scans(path, accepts=accepts)
    assert len(found.scans) == 1, found.failures
    return found.scans[0]


@pytest.mark.parametrize("tilt", [-22.0, 8.0, 30.0])
def test_a_tilted_stack_is_resampled_to_where_things_lie(tmp_path, tilt):
    scan = one(stored(axial(tilt), tmp_path / "a_ct.nii.gz"))
    assert any(f"lean by {abs(tilt):.1f}°" in note for note in scan.notes)
    unit = scan.volume.affine[:3, :3] / scan.volume.spacing_mm
    np.testing.assert_allclose(unit, np.eye(3), atol=1e-6)
    assert scan.volume.spacing_mm == pytest.approx((1.5, 1.5, 2.0), abs=1e-6)
    truth = on_grid(scan.volume.affine, scan.volume.shape).array
    near = scan.volume.array > -900  # the tilted stack's corners leave air where the body is not
    assert near.sum() > 20_000
    off = np.abs(scan.volume.array[near].astype(int) - truth[near])
    assert off.max() < 45  # at the kinks; moved by one voxel it would be 140
    assert np.percentile(off, 95) < 8
    assert scan.volume.array.min() == -1024


def test_a_dicom_stack_of_a_tilted_gantry_is_read_too(write_series):
    # the fixture's slices run from side to side: each is moved up a little more than the last
    def edit(ds, i):
        ds.ImagePositionPatient = [float(v) + (0, 0, 0.4 * i)[n] for n, v in enumerate(ds.ImagePositionPatient)]

    folder = write_series(axial(shape=(40, 56, 60)), Modality="CT", edit=edit, SeriesDescription="CT", KVP=120)
    scan = one(folder)
    assert any("lean by 14.9°" in note for note in scan.notes)  # arctan(0.4 / 1.5)


def test_upright_stacks_keep_their_samples(body, tmp_path):
    scan = one(stored(body, tmp_path / "b_ct.nii.gz"))
    np.testing.assert_array_equal(scan.volume.array, body.array)
    assert scan.notes == ("not stated: contrast phase, kernel, tube voltage",)


def test_values_darker_than_air_become_air(body, tmp_path):
    padded = np.array(body.array)
    padded[:8] = -3024
    array = one(stored(body.with_array(padded), tmp_path / "c_ct.nii.gz")).volume.array
    assert (array[:8] == -1024).all()
    np.testing.assert_array_equal(array[8:], body.array[8:])


def test_a_lost_intercept_of_1024_is_put_right(body, tmp_path):
    lost = np.array(body.array + 1024)
    lost[:5] = -2000  # a General Electric border
    scan = one(stored(body.with_array(lost), tmp_path / "d_ct.nii.gz"))
    np.testing.assert_array_equal(scan.volume.array[5:], body.array[5:])
    assert (scan.volume.array[:5] == -1024).all()
    assert any("lost rescale intercept" in note for note in scan.notes)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda a: np.clip((a + 160) / 400 * 255, 0, 255).astype(np.uint8),
        lambda a: np.clip((a + 160) / 400 * 255, 0, 255).astype(np.int16),
        lambda a: ((a + 1000) / 1400).astype(np.float32),
        lambda a: (a - 1024).astype(np.int16),
        lambda a: np.where(a < 200, -1000, a).astype(np.int16),
    ],
    ids=["8 bit", "windowed", "normalised", "intercept twice", "bone alone"],
)
def test_what_is_no_hounsfield_unit_is_refused(body, tmp_path, spoil):
    found = read_scans(stored(body.with_array(spoil(body.array)), tmp_path / "e_ct.nii.gz"), accepts=ct.SPINE_CT)
    assert not found.scans
    assert "no Hounsfield units" in found.failures[0].reason
    assert "rescale slope and intercept" in found.failures[0].reason


def test_a_file_of_no_stated_modality_has_to_stand_the_tests_where_ct_is_wanted(body, tmp_path):
    windowed = np.clip((body.array + 160) / 4, 0, 100).astype(np.int16)
    bad = read_scans(stored(body.with_array(windowed), tmp_path / "scan.nii.gz"), accepts=ct.SPINE_CT)
    assert "no Hounsfield units" in bad.failures[0].reason
    good = one(stored(body, tmp_path / "other.nii.gz"))
    assert good.modality == "CT"
    assert "the modality is not stated" in good.notes


def test_padding_and_rescale_of_each_slice(write_series, body):
    def edit(ds, i):
        ds.RescaleSlope, ds.RescaleIntercept = (1, -1024) if i % 2 else (2, -1000)
        pixels = np.frombuffer(ds.PixelData, "<i2").astype(int).reshape(ds.Rows, ds.Columns)
        raw = (pixels - int(ds.RescaleIntercept)) // int(ds.RescaleSlope)
        raw[:3] = 2300  # as good as any value, were it not for the header
        ds.PixelPaddingValue = 2300
        ds.PixelData = raw.astype("<i2").tobytes()

    scan = one(write_series(body, Modality="CT", edit=edit, SeriesDescription="CT"))
    array, truth = scan.volume.array, body.array.astype(int)
    assert (array[:, :, -3:] == -1024).all()
    np.testing.assert_array_equal(array[1::2, :, :-3], truth[1::2, :, :-3])
    assert np.abs(array[::2, :, :-3] - truth[::2, :, :-3]).max() <= 1


def header(**tags):
    ds = Dataset()
    for key, value in tags.items():
        setattr(ds, key, value)
    return ds


@pytest.mark.parametrize(
    ("kernel", "kind"),
    [
        ("B30f", "soft"), ("B31s", "soft"), ("Br40d\\3", "soft"), ("I31f\\2", "soft"), ("B70f", "sharp"),
        ("Bl57d", "sharp"), ("STANDARD", "soft"), ("LUNG", "sharp"), ("BONEPLUS", "sharp"), ("HD LUNG", ""),
        ("FC13", "soft"), ("FC30", "sharp"), ("FC52", "sharp"), ("B", "soft"), ("YB", "sharp"), ("???", ""),
    ],
)  # fmt: skip
def test_kernels_by_their_makers_names(kernel, kind):
    assert ct.kernel_kind(kernel) == kind


@pytest.mark.parametrize(
    ("agent", "words", "phase"),
    [
        ("", "ABD_nativ_3.0_B30f", "native"), ("", "w/o contrast", "native"), ("NONE", "Thorax art. 1.0", "arterial"),
        ("Omnipaque", "AP portal venous", "venous"), ("Omnipaque", "late phase", "delayed"),
        ("Omnipaque", "CT Body 3.0", "contrast"), ("", "CT Body 3.0", ""), ("", "Abdomen CE", "contrast"),
        ("Omnipaque", "native", ""), ("", "arterial and venous", ""), ("APPLIED", "", "contrast"),
    ],
)  # fmt: skip
def test_phases_by_the_words_of_series_and_agent(agent, words, phase):
    assert ct.contrast_phase(agent, words)[0] == phase


def test_the_series_own_words_come_before_the_protocols():
    assert ct.contrast_phase("", "venous 3.0", "Abdomen nativ")[0] == "venous"
    assert ct.contrast_phase("", "Body 3.0", "Abdomen nativ")[0] == "native"


def test_what_changes_bones_values_is_remarked(write_series, body):
    tags = {"Modality": "CT", "ConvolutionKernel": "B60f", "KVP": 100, "ContrastBolusAgent": "Ultravist"}
    scan = one(write_series(body, SeriesDescription="Abdomen PV", **tags))
    assert scan.ct == CtFacts("B60f", "sharp", "venous", 100.0)
    said = " ".join(scan.notes)
    assert "venous phase: bone and muscle read higher" in said
    assert "100 kV: bone reads higher" in said
    assert "B60f" in ct.quality(scan).reasons[0]


def test_the_soft_kernel_of_a_study_is_read(write_series, body, tmp_path):
    for n, (kernel, uid) in enumerate((("B70f", "1.2.3.4.5.1"), ("B30f", "1.2.3.4.5.2"))):
        write_series(body, f"study/s{n}", Modality="CT", SeriesDescription="Abdomen", SeriesNumber=n + 1,
                     ConvolutionKernel=kernel, SeriesInstanceUID=uid)  # fmt: skip
    choice = choose(list_series(tmp_path / "study").refs, ct.SPINE_CT)
    assert [ref.facts.ct.kernel for ref in choice.chosen] == ["B30f"]
    assert "a kernel for soft tissue" in choice.refused[0].reason


def test_enhanced_headers_hold_them_in_functional_groups():
    groups = header(ConvolutionKernel="BONE"), header(KVP=80)
    told = ct.told(Facts(modality="CT"), header(), *groups)
    assert (told.ct.kernel_kind, told.ct.kvp) == ("sharp", 80.0)


def test_thick_slices_are_read_with_a_warning_up_to_5_mm(body, tmp_path):
    for mm, verdict in ((3.0, "ok"), (4.0, "check"), (5.0, "check")):
        scan = one(stored(axial(spacing=(1.5, 1.5, mm), shape=(60, 56, 30)), tmp_path / f"s{mm:g}_ct.nii.gz"))
        assert ct.quality(scan).verdict == verdict
    thick = stored(axial(spacing=(1.5, 1.5, 6.0), shape=(60, 56, 20)), tmp_path / "t_ct.nii.gz")
    assert "slices lie 6 mm apart" in read_scans(thick, accepts=ct.SPINE_CT).failures[0].reason
    assert ct.quality(replace(scan, volume=axial(spacing=(1, 1, 7), shape=(30, 30, 20)))).verdict == "refused"


def test_irregular_stacks_are_refused_with_the_missing_slices(write_series, body):
    gone = read_scans(write_series(body, Modality="CT", keep=[*range(20), *range(22, 60)]), accepts=ct.SPINE_CT)
    assert "2 slices missing" in gone.failures[0].reason


def test_leaning_beyond_any_gantry_is_refused():
    with pytest.raises(InputError, match="lean by 50°"):
        ct.orthogonal(axial(50.0))


def test_a_real_series_tells_its_kernel_and_voltage(real_data):
    folder = real_data / "ct" / "totalsegmentator" / "example_ct_dicom"
    scan = one(folder)
    assert scan.ct == CtFacts("Br38f 3", "soft", "contrast", 120.0)
    assert scan.volume.shape == (512, 512, 20)
    assert scan.volume.array.min() == -1024
    assert ct.quality(scan) == Quality()
