"""``spineclock phantom radiograph``: a cohort folder of films, resumable, the same for the same seed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image

from spineclock import cli
from spineclock.core.errors import UsageError
from spineclock.ingest.cohort import read_cohort
from spineclock.ingest.series import list_series, load
from spineclock.phantom.anatomy.traits import traits_of
from spineclock.phantom.people import people
from spineclock.phantom.radiograph.scanner import Request, acquire
from spineclock.run.config import configure
from spineclock.run.defaults import prepare_defaults
from spineclock.run.phantom_people import TABLES
from spineclock.run.phantom_radiograph import make_films
from spineclock.run.phantom_settings import PhantomRadiographSettings
from spineclock.run.prepare import prepare_cohort
from spineclock.run.settings import PrepareSettings

pytestmark = pytest.mark.usefixtures("in_this_process")  # that other processes make the same is tested of MRI scans
CHANGING = {"phantom.json", "run.json"}
"""Files that say when and by which command they were made."""
GRID, N, SEED = (64, 32), 4, 3


def make(out: Path, *, n: int = N, **told) -> int:
    return make_films(n, PhantomRadiographSettings(**{"seed": SEED, "workers": 1, "grid": "64x32", **told}), out=out)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and p.name not in CHANGING
    }


def films(modality: str = "radiograph", grid: tuple[int, int] = GRID) -> dict[str, object]:
    some = traits_of(people(N, seed=SEED))
    return {t.scan_id: acquire(t, Request(modality, grid), seed=SEED)[0] for t in some}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, in_this_process) -> Path:
    out = tmp_path_factory.mktemp("films") / "cohort"
    assert make(out) == 0
    return out


def test_the_folder_holds_the_tables_of_the_people_and_a_film_of_each_scan(whole):
    assert read_cohort(whole).table["age_years"].between(18, 100).all()
    table = pd.read_csv(whole / "participants.tsv", sep="\t")
    assert set(TABLES) <= {p.name for p in whole.iterdir()}
    for scan_id, series in films().items():
        path = whole / str(table.set_index("scan_id").loc[scan_id, "path"])
        assert path.name == f"{scan_id}_xray.nii.gz"
        assert (np.asarray(nib.load(path).dataobj) == series.volume.array).all()
        labels = path.with_name(f"{scan_id}_xray_dseg.nii.gz")
        assert (np.asarray(nib.load(labels).dataobj) == series.labels.array).all()
        told = json.loads(path.with_name(f"{scan_id}_xray.json").read_text(encoding="utf-8"))
        assert (told["Modality"], told["FilmKind"]) == ("DX", "radiograph")
        assert told["EstimatedRadiographicMagnificationFactor"] > 1.05
        assert told["Statement"].startswith("Simulated")


def test_people_too_young_for_a_film_are_in_the_other_tables_alone(whole, tmp_path):
    everybody = pd.read_csv(whole / "participants.tsv", sep="\t")
    least = float(everybody["age_years"].median())
    out = tmp_path / "out"
    assert make(out, from_years=least) == 0
    listed = pd.read_csv(out / "participants.tsv", sep="\t")
    old = everybody[everybody["age_years"] >= least].reset_index(drop=True)
    assert 0 < len(old) < len(everybody)
    pd.testing.assert_frame_equal(listed, old)
    assert all((out / path).is_file() for path in listed["path"])
    assert len(list(out.rglob("*_xray.nii.gz"))) == len(old)
    assert json.loads((out / "phantom.json").read_text(encoding="utf-8"))["scans"] == len(old)
    for name in set(TABLES) - {"participants.tsv"}:
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    store = tmp_path / "store"
    told = configure(PrepareSettings, defaults=prepare_defaults("xray-age"), flags={"canvas": "64,32", "workers": 1})
    assert prepare_cohort(out, told.settings, out=store, recipe="xray-age") == 0


def test_densitometer_films_are_of_the_same_people(whole, tmp_path):
    assert make(tmp_path / "vfa", modality="vfa") == 0
    there, here = (pd.read_csv(f / "participants.tsv", sep="\t") for f in (tmp_path / "vfa", whole))
    pd.testing.assert_frame_equal(there, here)
    for name in ("truth.csv", "fractures.csv", "imaging_findings.csv"):
        assert (tmp_path / "vfa" / name).read_bytes() == (whole / name).read_bytes()
    (one, *_) = (tmp_path / "vfa").rglob("*_xray.json")
    told = json.loads(one.read_text(encoding="utf-8"))
    assert (told["Modality"], told["SeriesDescription"], told["FilmKind"]) == ("OT", "DXA VFA lateral", "vfa")


def test_what_is_resumed_is_byte_for_byte_what_was_never_broken_off(whole, tmp_path):
    out = tmp_path / "broken"
    assert make(out) == 0
    for path in sorted(out.rglob("*_xray.nii.gz"))[1:3]:
        path.write_bytes(path.read_bytes()[:100])
    assert make(out, resume=True) == 0
    assert json.loads((out / "run.json").read_text(encoding="utf-8"))["kept"] == N - 2
    assert contents(out) == contents(whole)


def test_films_of_another_modality_are_not_taken_up(whole):
    with pytest.raises(UsageError, match="made with modality radiograph, and now it is modality vfa"):
        make(whole, modality="vfa", resume=True)


def test_a_folder_of_mri_scans_is_not_taken_up(tmp_path):
    told = {"schema": "spineclock.phantom/1", "format": "nifti", "coverage": "whole", "grid": None}
    from spineclock.run import phantom_people

    (tmp_path / "phantom.json").write_text(json.dumps({**told, "schema": phantom_people.SCHEMA}), encoding="utf-8")
    with pytest.raises(UsageError, match="are not such as `spineclock phantom radiograph` makes"):
        make(tmp_path, resume=True)


def test_pictures_are_the_films_as_they_are_looked_at(tmp_path):
    assert make(tmp_path / "out", format="png") == 0
    table = pd.read_csv(tmp_path / "out" / "participants.tsv", sep="\t").set_index("scan_id")
    for scan_id, series in films().items():
        path = tmp_path / "out" / table.loc[scan_id, "path"]
        shown = np.asarray(Image.open(path)).astype(int)
        upright = series.volume.array[0].T[::-1]
        if series.facts["PatientOrientation"][0] == "P":
            upright = upright[:, ::-1]
        assert (shown == upright.astype(int) * 16).all()
        labels = np.asarray(Image.open(path.with_name(f"{scan_id}_xray_dseg.png")))
        assert set(np.unique(labels)) == set(np.unique(series.labels.array))


@pytest.mark.parametrize("form", ["nifti", "png", "dicom"])
def test_ingest_reads_back_what_was_written(tmp_path, form):
    assert make(tmp_path / "out", format=form, grid="128x64") == 0
    listed = list_series(tmp_path / "out", films=True)
    refs = [r for r in listed.refs if r.film is not None and "dseg" not in r.source.name]
    made = films(grid=(128, 64))
    assert len(refs) == len(made)
    for ref in refs:
        (scan_id,) = (name for name in made if name in str(ref.source))
        scan, series = load(ref), made[scan_id]
        assert ref.film.view == "lateral"
        assert (scan.volume.array // (16 if form == "png" else 1) == series.volume.array).all()
        spacing = series.facts["ImagerPixelSpacing"][0] / series.facts["EstimatedRadiographicMagnificationFactor"]
        assert scan.volume.spacing_mm[1:] == pytest.approx((spacing, spacing), rel=1e-3)


def test_dicom_radiographs_are_stored_as_their_makers_do(tmp_path):
    assert make(tmp_path / "out", format="dicom", n=12) == 0
    kinds = set()
    for path in (tmp_path / "out").rglob("*.dcm"):
        one = pydicom.dcmread(path)
        kinds.add((one.Modality, one.SOPClassUID.name, one.PhotometricInterpretation))
        assert one.PatientName == "PHANTOM^SIMULATED"
        assert one.QualityControlImage == "YES"
        inverted = one.PhotometricInterpretation == "MONOCHROME1"
        assert one.PresentationLUTShape == ("INVERSE" if inverted else "IDENTITY")
        assert one.pixel_array.shape == (one.Rows, one.Columns)
    assert {k[2] for k in kinds} == {"MONOCHROME1", "MONOCHROME2"}
    assert {k[0] for k in kinds} <= {"DX", "CR"}


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
    words = "--n 2 --seed 1 --modality vfa --grid 64x32 --workers 1 --world shifted"
    code, out, err = run_cli("phantom", "radiograph", "--out", str(tmp_path / "out"), *words.split())
    assert (code, err) == (0, "")
    assert "2 simulated people" in out
    assert len(list((tmp_path / "out").rglob("*_xray.nii.gz"))) >= 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--out o", "neither a number of people nor a folder of them is given"),
        ("--n 1 --out o --modality ct", "modality"),
        ("--n 1 --out o --grid 256", "grid"),
        ("--n 1 --out o --grid 10x64", "at least 16 rows and columns"),
        ("--n 1 --out o --grid 64x64 --pixel 0.5", "both a grid and a pixel size are set"),
        ("--n 1 --out o --world mars", "no phantom world is called 'mars'"),
        ("--n 1 --out o --resume --overwrite", "resume"),
    ],
)
def test_a_wrong_call_is_status_2_in_words(run_cli, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    code, _, err = run_cli("phantom", "radiograph", *words.split())
    assert code == 2
    assert message in err
    assert not (tmp_path / "o").exists()
