"""``spineclock phantom mri``: a cohort folder that the other commands read, resumable, the same for the same seed."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import boxscanner
import nibabel as nib
import numpy as np
import pandas as pd
import pydicom
import pytest

from spineclock import cli
from spineclock.core.errors import SpineclockError, UsageError
from spineclock.core.volume import Mask
from spineclock.ingest.cohort import read_cohort
from spineclock.ingest.nifti import read_mask
from spineclock.ingest.series import list_series, load
from spineclock.phantom.anatomy.traits import traits_of
from spineclock.phantom.mri import scanner
from spineclock.phantom.people import people
from spineclock.run import phantom_mri
from spineclock.run.phantom_people import TABLES, make_people
from spineclock.run.phantom_scans import Job, finished_bytes, render, series_path
from spineclock.run.phantom_settings import PhantomMriSettings
from spineclock.run.side_by_side import side_by_side

HERE = Path(__file__).parent
CHANGING = {"phantom.json", "run.json"}
"""Files that say when and by which command they were made."""
N = 8


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(phantom_mri, "_scanner", lambda: boxscanner)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def same(a: Path, b: Path) -> bool:
    one, other = ({k: v for k, v in contents(f).items() if k not in CHANGING} for f in (a, b))
    assert one.keys() == other.keys()
    return one == other


def make(out: Path, *, n: int = N, **told) -> int:
    return phantom_mri.make_scans(n, PhantomMriSettings(**{"seed": 3, "workers": 1, **told}), out=out)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """An unbroken run by one worker."""
    out = tmp_path_factory.mktemp("mri") / "cohort"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phantom_mri, "_scanner", lambda: boxscanner)
        assert make(out) == 0
    return out


@pytest.fixture
def run_cli(monkeypatch, capsys):
    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["spineclock", *words])
        monkeypatch.setattr(sys, "excepthook", sys.excepthook)
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        return end.value.code, out, err

    return call


def test_the_folder_holds_tables_of_people_and_a_scan_with_its_label_map_of_each(whole):
    ids = people(N, seed=3).table["scan_id"].to_list()
    tops = {*TABLES, "phantom.json", "run.json", "README.txt", "failures.csv", "dseg.tsv", "dataset_description.json"}
    scans = {
        f"{i.split('_')[0]}/ses-1/{name}"
        for i in ids
        for name in (f"anat/{i}_T2w.nii.gz", f"anat/{i}_T2w.json", f"anat/{i}_T2w_dseg.nii.gz", f"{i}_scan.json")
    }
    assert set(contents(whole)) == tops | {".bidsignore"} | scans
    told = json.loads((whole / "phantom.json").read_text(encoding="utf-8"))
    wanted = {"people": N, "scans": N, "seed": 3, "world": "default", "format": "nifti", "finished": True}
    assert told.items() >= wanted.items()
    assert pd.read_csv(whole / "failures.csv").empty


def test_its_tables_are_those_of_phantom_people_and_a_path(whole, tmp_path):
    make_people(N, seed=3, out=tmp_path)
    for name in TABLES:
        if name != "participants.tsv":
            assert (whole / name).read_bytes() == (tmp_path / name).read_bytes(), name
    mine, theirs = (pd.read_csv(folder / "participants.tsv", sep="\t") for folder in (whole, tmp_path))
    pd.testing.assert_frame_equal(mine.drop(columns="path"), theirs)
    assert [(whole / path).is_file() for path in mine["path"]] == [True] * N


def test_files_hold_what_the_scanner_gave_and_no_time(whole):
    person = traits_of(people(N, seed=3))[2]
    (series,) = boxscanner.acquire(person, boxscanner.Request("whole", ("T2w",), "thick", None), seed=3)
    path = whole / series_path(person.scan_id, station="", weighting="T2w", form="nifti")
    image = nib.load(path)
    assert image.get_data_dtype() == np.int16
    assert (np.asarray(image.dataobj) == series.volume.array).all()
    assert np.abs(image.affine - series.volume.affine).max() < 1e-5
    assert (image.header["sform_code"], image.header["qform_code"]) == (1, 1)
    assert path.read_bytes()[4:8] == bytes(4)  # gzip's time
    assert b"simulated" in gzip.decompress(path.read_bytes())[:348]
    mask = read_mask(path.with_name(path.name.replace("_T2w", "_T2w_dseg")))
    assert isinstance(mask, Mask)
    assert (mask.array == series.labels.array).all()
    sidecar = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text(encoding="utf-8"))
    assert sidecar.items() >= series.facts.items()
    assert sidecar["Statement"] == "Simulated: no real person is shown."
    names = pd.read_csv(whole / "dseg.tsv", sep="\t").set_index("index")["name"]
    assert {names[n] for n in np.unique(mask.array)} == {
        "background", "spinal cord", "cerebrospinal fluid", "L4/L5 disc", "L4 vertebral body", "L5 vertebral body",
        "L4 vertebral arch",
    }  # fmt: skip


def test_ingest_finds_each_scan_with_its_age_from_the_table(whole):
    listing = list_series(whole)
    assert not listing.failures
    assert {r.facts.sequence for r in listing.refs} == {"T2w"}
    table = people(N, seed=3).table.set_index("scan_id")
    cohort = read_cohort(whole / "participants.tsv")
    for ref in listing.refs:
        scan = cohort.complete(load(ref))
        row = table.loc[ref.scan_id.removesuffix("_T2w")]
        assert (scan.age_years, scan.sex) == (row["age_years"], row["sex"])
        assert "no row" not in " ".join(scan.notes)


@pytest.mark.slow
def test_two_workers_give_the_same_files_as_one(whole, tmp_path):
    assert make(tmp_path / "two", workers=2) == 0
    assert same(whole, tmp_path / "two")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["nifti", "dicom"])
def test_stations_and_weightings_are_series_of_their_own(tmp_path, form):
    assert make(tmp_path / "out", n=2, coverage="stations", weighting="T2w,T1w", format=form) == 0
    some = list_series(tmp_path / "out").refs
    fit = [r for r in some if not r.facts.unfit]
    assert len(fit) == 2 * 3 * 2
    assert {r.facts.sequence for r in fit} == {"T2w", "T1w"}
    paths = pd.read_csv(tmp_path / "out" / "participants.tsv", sep="\t")["path"]
    assert all((tmp_path / "out" / p).exists() for p in paths)
    ends = {"nifti": "_acq-lumbar_T2w.nii.gz", "dicom": "_ses-1"}
    assert all(p.endswith(ends[form]) for p in paths)
    if form == "dicom":
        assert len({r.study for r in fit}) == 2
        assert len([r for r in some if r.facts.modality == "SEG"]) == 2 * 3 * 2


def test_a_training_grid_is_written_as_it_is(tmp_path):
    assert make(tmp_path / "out", n=1, grid="16x64x32") == 0
    (ref,) = list_series(tmp_path / "out").refs
    assert ref.shape == (16, 32, 64)  # right, anterior, superior


@pytest.mark.slow
def test_a_scan_that_fails_is_told_and_the_others_are_made(whole, tmp_path, monkeypatch, capsys):
    ids = people(N, seed=3).table["scan_id"].to_list()
    monkeypatch.setenv("BOX_FAILS", ids[4])
    out = tmp_path / "out"
    assert make(out) == 1
    failures = pd.read_csv(out / "failures.csv").to_dict("records")
    assert failures == [{"input": ids[4], "stage": "scan", "reason": "ValueError: no spine in the coil"}]
    assert "1 could not be made (failures.csv), such as" in capsys.readouterr().err
    assert [finished_bytes(out, i, "nifti") is not None for i in ids] == [i != ids[4] for i in ids]
    assert json.loads((out / "phantom.json").read_text(encoding="utf-8"))["finished"] is False
    monkeypatch.delenv("BOX_FAILS")
    assert make(out, resume=True) == 0
    assert same(whole, out)


def started(out: Path, *words: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        HERE / "boxphantom.py",
        "phantom",
        "mri",
        "--n",
        str(N),
        "--seed",
        "3",
        "--out",
        out,
    ]
    environment = {**os.environ, "BOX_SECONDS": "1.5"}
    return subprocess.Popen(
        [*command, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    )


def children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


@pytest.mark.slow
@pytest.mark.parametrize(("how", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_run_that_is_stopped_is_taken_up_and_ends_as_an_unbroken_one(whole, tmp_path, how, status):
    out = tmp_path / "out"
    process = started(out, "--workers", "2")
    deadline = time.monotonic() + 60
    while len(list(out.glob("sub-*/ses-*/*_scan.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    workers = children(process.pid)
    if how == signal.SIGINT:
        os.killpg(process.pid, how)  # as a terminal does: to the workers too
    else:
        process.kill()
    _, err = process.communicate(timeout=30)
    assert process.returncode == status
    if how == signal.SIGINT:
        assert err == "stopped; what is finished is kept, and `--resume` takes up from here\n"
    done = {p.name: p.stat().st_mtime_ns for p in out.glob("sub-*/ses-*/*_scan.json")}
    assert 3 <= len(done) < N
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert make(out, resume=True) == 0
    assert same(whole, out)
    again = {p.name: p.stat().st_mtime_ns for p in out.glob("sub-*/ses-*/*_scan.json")}
    assert again.items() >= done.items()
    run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert (run["kept"], run["scans"]) == (len(done), N - len(done))


@pytest.mark.slow
def test_a_scan_that_is_not_whole_is_made_again(whole, tmp_path):
    out = tmp_path / "out"
    make(out)
    (first, second, third, *_) = sorted(out.glob("sub-*/ses-1/anat/*_T2w.nii.gz"))
    first.unlink()
    second.write_bytes(second.read_bytes()[:-5])
    next(third.parent.parent.glob("*_scan.json")).write_text("{", encoding="utf-8")
    assert make(out, resume=True) == 0
    assert same(whole, out)
    assert json.loads((out / "run.json").read_text(encoding="utf-8"))["scans"] == 3


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"seed": 4}, "were made with seed 3, and now it is seed 4; wanted: the same settings"),
        ({"n": 9}, "were made with people 8, and now it is people 9"),
        (
            {"slices": "space", "grid": "8x8x8"},
            "slices thick, grid not set, and now it is slices space, grid 8x8x8",
        ),
        ({"world": "null"}, "were made with world default, and now it is world null"),
    ],
)
def test_other_settings_are_not_taken_up(whole, told, message):
    before = contents(whole)
    with pytest.raises(UsageError, match=re.escape(message)):
        make(whole, resume=True, **told)
    assert contents(whole) == before


def test_a_folder_of_people_alone_is_not_taken_up_and_an_earlier_phantom_is_kept(whole, tmp_path):
    make_people(3, seed=3, out=tmp_path)
    with pytest.raises(UsageError, match="holds a phantom without scans, which cannot be resumed"):
        make(tmp_path, resume=True)
    with pytest.raises(UsageError, match=r"holds phantom.json already; .*--resume what was begun, or --overwrite"):
        make(whole)


def test_resuming_where_nothing_is_begins(whole, tmp_path):
    assert make(tmp_path / "new", resume=True) == 0
    assert same(whole, tmp_path / "new")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["nifti", "dicom"])
def test_overwriting_takes_away_ours_alone(whole, tmp_path, form):
    out = tmp_path / "out"
    make(out, n=3, seed=5, format=form)
    mine = next(out.glob("sub-*/*ses-1")) / "notes.txt"
    mine.write_text("mine", encoding="utf-8")
    (out / ".sub-5p0000009_ses-1.partial").mkdir()
    make(out, overwrite=True)
    assert mine.read_text(encoding="utf-8") == "mine"
    mine.unlink()
    mine.parent.rmdir()
    mine.parent.parent.rmdir()
    assert same(whole, out)


def test_people_drawn_before_are_those_of_the_scans(whole, tmp_path, run_cli):
    make_people(N, seed=3, out=tmp_path / "people")
    words = ("phantom", "mri", "--people", str(tmp_path / "people"), "--out", str(tmp_path / "out"), "--workers", "1")
    status, out, err = run_cli(*words)
    assert (status, err) == (0, "")
    assert "8 simulated people, 8 scans in" in out
    assert re.search(r"8 made in \d+ s, \d\S* s a scan with 1 at a time; \d+\.\d kB on disk", out)
    assert same(whole, tmp_path / "out")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--n 2 --out x --weighting T3w", "weighting is 'T3w' (flag); wanted: "),
        ("--n 2 --out x --weighting T2w,T2w", "wanted: each weighting once"),
        ("--n 2 --out x --grid 16x128", "grid is '16x128' (flag)"),
        (
            "--n 2 --out x --grid 16x128x64 --coverage stations",
            "both a grid and coverage stations are set; wanted: one of the two",
        ),
        ("--n 2 --out x --resume --overwrite", "both resume and overwrite are set"),
        ("--n 2 --out x --format png", "format is 'png' (flag); wanted: 'nifti' or 'dicom'"),
        ("--n 2 --out x --world mirror", "no phantom world is called 'mirror'"),
        ("--out x", "neither a number of people nor a folder of them is given"),
        ("--n 2 --people y --out x", "both --n and --people"),
        ("--people y --seed 1 --out x", "--people and a seed or world of its own"),
        ("--people y --out x", "y holds no phantom.json of people"),
    ],
)
def test_a_wrong_call_is_status_2_in_words(run_cli, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    status, _, err = run_cli("phantom", "mri", *words.split())
    assert status == 2
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_people_of_another_version_cannot_be_drawn_again(tmp_path, run_cli):
    make_people(2, seed=3, out=tmp_path / "people")
    told = json.loads((tmp_path / "people" / "phantom.json").read_text(encoding="utf-8"))
    (tmp_path / "people" / "phantom.json").write_text(json.dumps(told | {"version": "0.0.1"}), encoding="utf-8")
    status, _, err = run_cli("phantom", "mri", "--people", str(tmp_path / "people"), "--out", str(tmp_path / "x"))
    assert status == 2
    assert "were made by spineclock 0.0.1 or by other parameters" in err


def test_settings_may_stand_in_a_file(tmp_path, run_cli):
    status, out, _ = run_cli("phantom", "mri", "--out", "x", "--weighting", "T1w", "--print-config")
    assert status == 0
    assert 'weighting = "T1w"  # flag' in out.splitlines()
    (tmp_path / "mri.toml").write_text(out, encoding="utf-8")
    assert run_cli("phantom", "mri", "--out", "x", "--config", str(tmp_path / "mri.toml"), "--print-config")[0] == 0


def test_no_room_is_not_a_scan_s_fault(tmp_path):
    person = traits_of(people(1, seed=3))[0]
    (tmp_path / person.person_id).write_text("in the way", encoding="utf-8")
    request = boxscanner.Request("whole", ("T2w",), "thick", None)
    with pytest.raises(OSError):
        render(Job(person, "F", request, 3, tmp_path, "nifti", boxscanner.acquire))


def test_where_bodies_are_swapped_the_header_tells_the_sex_of_the_table(tmp_path):
    out = tmp_path / "out"
    assert make(out, n=6, seed=1, world="ageing_off", format="dicom") == 0
    some = people(6, seed=1)
    told = pd.read_csv(out / "participants.tsv", sep="\t")
    assert told["sex"].to_list() == some.table["sex"].to_list()
    assert [t.sex for t in traits_of(some, world="ageing_off")] != told["sex"].to_list()
    headers = [pydicom.dcmread(out / path / "0001.dcm") for path in told["path"]]
    assert [h.PatientSex for h in headers] == told["sex"].to_list()
    assert [h.PatientID for h in headers] == told["person_id"].to_list()


drawn: list[int] = []


def counted(n: int):
    for k in range(n):
        drawn.append(k)
        yield np.full(250_000, float(k))  # 2 MB


def test_jobs_are_drawn_no_faster_than_they_are_done():
    """Memory does not grow with the number of scans: of all jobs no more exist than the workers' two each."""
    ahead, ended = [], 0
    drawn.clear()
    tracemalloc.start()
    try:
        for _ in side_by_side(np.sum, counted(200), workers=2):
            ended += 1
            ahead.append(len(drawn) - ended)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert ended == 200
    assert max(ahead) <= 4
    assert peak < 40e6  # of 400 MB: four jobs, and their copies on the way


def gone(_: int) -> None:
    os._exit(3)


def test_a_worker_that_dies_ends_the_run_in_words():
    with pytest.raises(SpineclockError, match="a worker process ended before its scan was done; .*fewer --workers"):
        list(side_by_side(gone, [1, 2, 3], workers=1))


def threads(_: int) -> tuple[str | None, bool]:
    return os.environ.get("NUMBA_NUM_THREADS"), signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_workers_have_one_thread_and_leave_ctrl_c_to_the_parent(monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "7")
    assert list(side_by_side(threads, [1], workers=1)) == [("1", True)]
    assert os.environ["NUMBA_NUM_THREADS"] == "7"
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


@pytest.mark.slow
@pytest.mark.parametrize("words", ["--grid 16x128x64", "--format dicom --coverage lumbar"])
def test_the_simulated_scanner_s_own_series_are_read_as_sagittal_t2(tmp_path, words):
    out = tmp_path / "out"
    executable = Path(sys.executable).with_name("spineclock")
    command = [executable, "phantom", "mri", "--n", "1", "--seed", "1", "--workers", "1", "--out", out, *words.split()]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")
    fit = [ref for ref in list_series(out).refs if not ref.facts.unfit]
    assert [(r.plane, r.facts.sequence, r.facts.modality) for r in fit] == [("sagittal", "T2w", "MR")]
    person = traits_of(people(1, seed=1))[0]
    grid = (16, 128, 64) if "grid" in words else None
    coverage = "whole" if grid else "lumbar"
    (series,) = scanner.acquire(person, scanner.Request(coverage=coverage, grid_shape=grid), seed=1)
    scan = load(fit[0])
    assert (scan.volume.array == series.volume.array).all()
    assert np.abs(scan.volume.affine - series.volume.affine).max() < 1e-3
