"""``spineclock phantom ct``: a cohort folder of CT, resumable, the same for the same seed, read back by ingest."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pydicom
import pytest
from scipy import ndimage

from spineclock import cli
from spineclock.core.anatomy import BODY, LEVEL_NUMBERS
from spineclock.core.errors import UsageError
from spineclock.ingest.cohort import read_cohort
from spineclock.ingest.series import list_series, load
from spineclock.phantom.anatomy.body import anatomy_of
from spineclock.phantom.anatomy.traits import traits_of
from spineclock.phantom.ct.scanner import Request, acquire
from spineclock.phantom.people import people
from spineclock.run.phantom_ct import make_ct, make_ct_of
from spineclock.run.phantom_people import TABLES, make_people
from spineclock.run.phantom_settings import PhantomCtSettings

pytestmark = pytest.mark.usefixtures("in_this_process")  # that other processes make the same is tested of MRI scans
CHANGING = {"phantom.json", "run.json"}
"""Files that say when and by which command they were made."""
GRID, N, SEED = (24, 16, 28), 3, 3


def make(out: Path, *, n: int = N, **told) -> int:
    return make_ct(n, PhantomCtSettings(**{"seed": SEED, "workers": 1, "grid": "24x16x28", **told}), out=out)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and p.name not in CHANGING
    }


def scans(**told):
    some = traits_of(people(N, seed=SEED))
    return {t.scan_id: (t, acquire(t, Request(grid_shape=GRID, **told), seed=SEED)[0]) for t in some}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, in_this_process) -> Path:
    out = tmp_path_factory.mktemp("ct") / "cohort"
    assert make(out) == 0
    return out


def test_the_folder_holds_the_tables_of_the_people_and_a_ct_of_each_scan(whole):
    assert read_cohort(whole).table["age_years"].between(18, 100).all()
    table = pd.read_csv(whole / "participants.tsv", sep="\t")
    assert set(TABLES) <= {p.name for p in whole.iterdir()}
    assert {"vertebral_fracture", "vertebral_fracture_years", "death", "death_years", "frax_like_10_year_percent",
            "prevalent_vertebral_fractures", "psoas_index_cm2_m2"} <= set(table)  # fmt: skip
    for scan_id, (_, series) in scans().items():
        path = whole / str(table.set_index("scan_id").loc[scan_id, "path"])
        assert path.name == f"{scan_id}_ct.nii.gz"
        assert (np.asarray(nib.load(path).dataobj) == series.volume.array).all()
        labels = path.with_name(f"{scan_id}_ct_dseg.nii.gz")
        assert (np.asarray(nib.load(labels).dataobj) == series.labels.array).all()
        told = json.loads(path.with_name(f"{scan_id}_ct.json").read_text(encoding="utf-8"))
        assert told["Modality"] == "CT"
        assert told["SimulatedTrabecularHU"] == series.facts["SimulatedTrabecularHU"]
        assert told["Statement"].startswith("Simulated")


def test_people_too_young_get_no_scan(whole, tmp_path):
    everybody = pd.read_csv(whole / "participants.tsv", sep="\t")
    least = float(everybody["age_years"].median())
    assert make(tmp_path / "out", from_years=least) == 0
    listed = pd.read_csv(tmp_path / "out" / "participants.tsv", sep="\t")
    assert set(listed["scan_id"]) == set(everybody.loc[everybody["age_years"] >= least, "scan_id"])
    assert len(list((tmp_path / "out").rglob("*_ct.nii.gz"))) == len(listed) < len(everybody)


def test_ct_made_of_a_folder_of_people_shows_them(whole, tmp_path):
    assert make_people(N, seed=SEED, out=tmp_path / "people") == 0
    told = PhantomCtSettings(workers=1, grid="24x16x28")
    assert make_ct_of(tmp_path / "people", told, out=tmp_path / "out") == 0
    assert contents(tmp_path / "out") == contents(whole)


def test_what_is_resumed_is_byte_for_byte_what_was_never_broken_off(whole, tmp_path):
    out = tmp_path / "broken"
    assert make(out) == 0
    (path, *_) = sorted(out.rglob("*_ct.nii.gz"))
    path.write_bytes(path.read_bytes()[:100])
    assert make(out, resume=True) == 0
    assert json.loads((out / "run.json").read_text(encoding="utf-8"))["kept"] == len(scans()) - 1
    assert contents(out) == contents(whole)
    assert make(out, overwrite=True) == 0
    assert contents(out) == contents(whole)


def test_scans_of_another_phase_are_not_taken_up(whole):
    with pytest.raises(UsageError, match="made with phase not set, and now it is phase native"):
        make(whole, phase="native", resume=True)


def test_other_scanners_may_show_the_same_people(whole, tmp_path):
    assert make(tmp_path / "out", images="shifted") == 0
    there = tmp_path / "out"
    assert (there / "participants.tsv").read_bytes() == (whole / "participants.tsv").read_bytes()
    (one, *_) = sorted(there.rglob("*_ct.nii.gz"))
    assert one.read_bytes() != (whole / one.relative_to(there)).read_bytes()
    told = json.loads((there / "phantom.json").read_text(encoding="utf-8"))
    assert (told["world"], told["images"]) == ("default", "shifted")
    assert told["parameters"]["images"]["ct"]["noise_hu"] == [13.0, 24.0]
    with pytest.raises(UsageError, match="no phantom world is called 'mars'"):
        make(tmp_path / "mars", images="mars")


@pytest.mark.parametrize("form", ["nifti", "dicom"])
def test_ingest_reads_back_what_was_written(tmp_path, form):
    assert make(tmp_path / "out", format=form, phase="portal_venous") == 0
    refs = [r for r in list_series(tmp_path / "out").refs if "dseg" not in r.source.name]
    made = scans(phase="portal_venous")
    assert len(refs) == len(made)
    for ref in refs:
        (scan_id,) = (name for name in made if name in str(ref.source))
        scan, series = load(ref), made[scan_id][1]
        assert (ref.facts.modality, ref.facts.ct.phase, ref.facts.ct.kvp) == ("CT", "venous", series.facts["KVP"])
        assert (np.asarray(scan.volume.array) == series.volume.array).all()
        assert scan.volume.affine == pytest.approx(series.volume.affine, abs=1e-3)


def test_a_tilted_gantry_is_put_upright_by_ingest(tmp_path):
    assert make(tmp_path / "out", format="dicom", tilt_deg=15.0, grid="110x64x112", n=1) == 0
    (someone, *_) = traits_of(people(1, seed=SEED))
    (path,) = {p.parent for p in (tmp_path / "out").rglob("0001.dcm") if someone.scan_id in str(p)}
    head = pydicom.dcmread(path / "0001.dcm", stop_before_pixels=True)
    assert float(head.GantryDetectorTilt) == 15.0
    (ref,) = list_series(path).refs
    volume = load(ref).volume
    units = volume.affine[:3, :3] / np.asarray(volume.spacing_mm)
    assert units.T @ units == pytest.approx(np.eye(3), abs=1e-5)
    spine = anatomy_of(someone, seed=SEED)
    centre = spine.bodies[spine.names.index("L2")]["centre"]
    at = np.rint(np.linalg.inv(volume.affine) @ [*centre, 1])[:3].astype(int)
    near = volume.array[tuple(slice(a - 2, a + 3) for a in at)].mean()
    told = json.loads(path.with_name(f"{path.name}.json").read_text(encoding="utf-8"))["SimulatedTrabecularHU"]["L2"]
    assert near == pytest.approx(told, abs=35)


def test_nifti_of_a_tilted_gantry_leaves_no_upright_form(tmp_path):
    assert make(tmp_path / "out", tilt_deg=10.0, n=1) == 0
    (path, *_) = (tmp_path / "out").rglob("*_ct.nii.gz")
    image = nib.load(path)
    assert image.header["qform_code"] == 0
    assert image.affine[2, 1] > 0.5


@pytest.fixture(scope="module")
def dicom(tmp_path_factory, in_this_process) -> Path:
    out = tmp_path_factory.mktemp("dicom") / "out"
    assert make(out, format="dicom", n=1, phase="portal_venous") == 0
    return out


def test_dicom_holds_hu_and_says_that_it_is_simulated(dicom):
    (path, *_) = sorted(dicom.rglob("0012.dcm"))
    one = pydicom.dcmread(path)
    assert (one.Modality, one.SOPClassUID.name, one.ImageType[2]) == ("CT", "CT Image Storage", "AXIAL")
    assert (one.PatientName, one.QualityControlImage) == ("PHANTOM^SIMULATED", "YES")
    assert (one.ContrastBolusAgent, float(one.RescaleIntercept), one.BitsStored) == ("IODINE", -1024.0, 12)
    labels = pydicom.dcmread(path.parent.with_name(f"{path.parent.name}_dseg.dcm"))
    assert labels.Modality == "SEG"
    ids = {s.TrackingID for s in labels.SegmentSequence}
    assert {f"spineclock {BODY + LEVEL_NUMBERS['L3']}", "spineclock 71", "spineclock 74"} <= ids


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
def test_a_validator_finds_no_error(dicom):
    (image, *_) = sorted(dicom.rglob("0012.dcm"))
    for path in (image, image.parent.with_name(f"{image.parent.name}_dseg.dcm")):
        told = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False).stderr
        assert [line for line in told.splitlines() if line.startswith("Error")] == []


@pytest.fixture
def run_cli(monkeypatch, capsys):
    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["spineclock", *words])
        monkeypatch.setattr(sys, "excepthook", sys.excepthook)
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return call


def test_the_command_makes_a_cohort(run_cli, tmp_path):
    words = "--n 2 --seed 1 --world muscle_matters --grid 24x16x28 --workers 1 --kernel bone --set beam_hardening=true"
    code, out, err = run_cli("phantom", "ct", "--out", str(tmp_path / "out"), *words.split())
    assert (code, err) == (0, "")
    assert "2 simulated people" in out
    (one, *_) = (tmp_path / "out").rglob("*_ct.json")
    told = json.loads(one.read_text(encoding="utf-8"))
    assert (told["SimulatedKernel"], told["SimulatedArtefacts"]) == ("bone", ["beam hardening"])
    table = pd.read_csv(tmp_path / "out" / "participants.tsv", sep="\t")
    assert (table["age_years"] >= 45).all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--out o", "neither a number of people nor a folder of them is given"),
        ("--n 1 --out o --kernel lung", "kernel"),
        ("--n 1 --out o --grid 256x256", "grid"),
        ("--n 1 --out o --grid 4x64x64", "at least 8 slices, rows and columns"),
        ("--n 1 --out o --grid 64x64x64 --set slice_mm=2", "both a grid and a slice or pixel size are set"),
        ("--n 1 --out o --tilt 50", "tilt_deg"),
        ("--n 1 --out o --world mars", "no phantom world is called 'mars'"),
        ("--n 1 --out o --resume --overwrite", "resume"),
    ],
)
def test_a_wrong_call_is_status_2_in_words(run_cli, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    code, _, err = run_cli("phantom", "ct", *words.split())
    assert code == 2
    assert message in err
    assert not (tmp_path / "o").exists()


def test_the_label_map_lies_on_the_bodies(whole):
    for scan_id, (someone, series) in scans().items():
        spine = anatomy_of(someone, seed=SEED)
        place = ndimage.center_of_mass(series.labels.array == BODY + LEVEL_NUMBERS["L2"])
        centre = spine.bodies[spine.names.index("L2")]["centre"]
        assert (series.labels.affine @ [*place, 1])[:3] == pytest.approx(centre, abs=6.0), scan_id
