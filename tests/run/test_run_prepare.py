"""``spineclock prepare``: a cohort's scans in a store, the same however often it was stopped and taken up."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import boxscanner
import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from spineclock import recipes
from spineclock.core.errors import TableError, UsageError
from spineclock.core.records import Quality
from spineclock.core.volume import Mask, Volume
from spineclock.nets.weights import packaged, sha256
from spineclock.phantom.anatomy.traits import traits_of
from spineclock.phantom.people import people
from spineclock.prep import prepared as prep_prepared
from spineclock.prep.prepared import prepare as prepared_array
from spineclock.prep.store import PreparedStore
from spineclock.prep.store_format import chunk_path, read_entries
from spineclock.run import prepare, prepare_scan, totalsegmentator
from spineclock.run.config import configure
from spineclock.run.phantom_scans import nifti_bytes
from spineclock.run.prepare import prepare_cohort
from spineclock.run.prepare_scan import Labels, labels_of, source_of
from spineclock.run.settings import PrepareSettings

HERE = Path(__file__).parent
N = 8
SMALL = {"shape": "16,48,32", "workers": 1}
"""A grid that holds the boxes."""


def one_by_one(work, jobs, *, workers):
    """In this process: what is tested is what becomes of the scans."""
    yield from map(work, jobs)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(prepare, "side_by_side", one_by_one)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Path:
    """Images of boxes with their label maps beside them, and a table."""
    folder = tmp_path_factory.mktemp("cohort")
    rows = []
    for k, person in enumerate(traits_of(people(N, seed=3))):
        (series,) = boxscanner.acquire(person, boxscanner.Request("whole", ("T2w",), "thick", None), seed=k)
        name = f"p{k}/scan{k}_T2w"
        (folder / f"p{k}").mkdir()
        (folder / f"{name}.nii.gz").write_bytes(nifti_bytes(series.volume))
        (folder / f"{name}_dseg.nii.gz").write_bytes(nifti_bytes(series.labels))
        rows.append({"person_id": f"p{k}", "scan_id": f"scan{k}", "path": f"{name}.nii.gz", "age_years": 50 + k})
    pd.DataFrame(rows).to_csv(folder / "participants.tsv", sep="\t", index=False)
    return folder


@pytest.fixture
def own(cohort, tmp_path) -> Path:
    """A cohort of its own, to be changed; times of files go along."""
    return shutil.copytree(cohort, tmp_path / "own")


@pytest.fixture(scope="module")
def whole(cohort, tmp_path_factory) -> Path:
    """An unbroken run, by one worker process."""
    out = tmp_path_factory.mktemp("store") / "whole"
    assert make(cohort, out) == 0
    return out


def make(cohort: Path, out: Path, **told) -> int:
    return prepare_cohort(cohort, PrepareSettings(**{**SMALL, **told}), out=out)


def contents(store: Path) -> dict[str, bytes]:
    """All that a store holds but when it was made; the index in the order of names."""
    found = {
        p.relative_to(store).as_posix(): p.read_bytes()
        for p in store.rglob("*")
        if p.is_file() and p.name != "run.json"
    }
    found["scans.jsonl"] = b"\n".join(sorted(found["scans.jsonl"].split(b"\n")))
    return found


def run_of(store: Path) -> dict:
    return json.loads((store / "run.json").read_text(encoding="utf-8"))


def table_of(cohort: Path, count: int, name: str = "some.csv") -> Path:
    pd.read_csv(cohort / "participants.tsv", sep="\t")[:count].to_csv(cohort / name, index=False)
    return cohort / name


def boxes(cohort: Path, k: int) -> tuple[Volume, Mask]:
    image, labels = (nib.load(cohort / f"p{k}" / f"scan{k}_T2w{end}.nii.gz") for end in ("", "_dseg"))
    return Volume(np.asarray(image.dataobj), image.affine), Mask(np.asarray(labels.dataobj), labels.affine)


def test_a_store_holds_each_scan_as_prepare_gives_it(cohort, whole):
    store = PreparedStore.open(whole)
    assert store.scan_ids == tuple(f"scan{k}" for k in range(N))
    assert store.how.shape == (16, 48, 32)
    for k in range(N):
        for part in ("whole", "lumbar"):
            wanted = prepared_array(*boxes(cohort, k), replace(store.how, part=part)).array
            assert store.input(k, part) == pytest.approx(wanted, abs=0.005)
        assert store.parts(k) == ("whole", "lumbar")
    assert (whole / "failures.csv").read_text(encoding="utf-8") == "input,stage,reason\n"
    run = run_of(whole)
    assert (run["scans"], run["kept"], run["failures"], run["in_store"]) == (N, 0, 0, N)
    assert run["size_bytes"] == sum(p.stat().st_size for p in whole.rglob("c.*"))
    assert run["settings"]["shape"] == "16,48,32"


@pytest.mark.slow
def test_two_workers_give_the_same_as_one(cohort, whole, tmp_path):
    assert make(cohort, tmp_path / "two", workers=2) == 0
    assert contents(tmp_path / "two") == contents(whole)


@pytest.mark.slow
@pytest.mark.parametrize(("how", "workers"), [(signal.SIGKILL, 2), (signal.SIGINT, 2)])
def test_a_run_that_is_stopped_is_taken_up_and_ends_as_an_unbroken_one(cohort, whole, tmp_path, how, workers):
    out = tmp_path / "out"
    command = [sys.executable, HERE / "slowprepare.py", cohort, out, str(workers)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(chunks(out, "margins")) < 3:
        time.sleep(0.01)
    if how == signal.SIGINT:
        os.killpg(process.pid, how)  # as a terminal does: to the workers too
    else:
        process.kill()
    process.communicate(timeout=30)
    there = read_entries(out)
    assert 1 <= len(there) < N
    store = PreparedStore.open(out)
    for i in range(len(store)):
        store.verify(i)
    before = {scan_id: chunk_path(out, "image", entry.row).stat().st_mtime_ns for scan_id, entry in there.items()}
    time.sleep(1.0)  # workers whose parent was killed end by themselves
    assert make(cohort, out, resume=True) == 0
    assert contents(out) == contents(whole)
    after = {s: chunk_path(out, "image", e.row).stat().st_mtime_ns for s, e in read_entries(out).items()}
    assert after.items() >= before.items()
    assert (run_of(out)["kept"], run_of(out)["scans"]) == (len(there), N - len(there))


def chunks(store: Path, array: str) -> list[Path]:
    return [p for p in (store / array).glob("c.*") if p.suffix != ".partial"]


@pytest.mark.usefixtures("quick")
def test_a_longer_table_adds_the_new_scans_alone(own, whole, tmp_path, capsys):
    out = tmp_path / "out"
    assert make(table_of(own, 3), out) == 0
    first = {p: p.stat().st_mtime_ns for p in out.glob("*/c.*")}
    with pytest.raises(UsageError, match=r"out holds a store of prepared scans; .*--resume keeps its scans and adds"):
        make(own, out)
    assert make(own, out, resume=True) == 0
    assert contents(out) == contents(whole)
    assert first.items() <= {p: p.stat().st_mtime_ns for p in out.glob("*/c.*")}.items()
    assert "3 kept, 5 prepared in" in capsys.readouterr().out
    assert make(table_of(own, 2), out, resume=True) == 0  # scans the table does not name stay
    assert len(PreparedStore.open(out)) == N


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("what", ["scan1_T2w.nii.gz", "scan1_T2w_dseg.nii.gz"])
def test_a_scan_whose_file_or_label_map_changed_is_prepared_again(own, whole, tmp_path, what):
    out = shutil.copytree(whole, tmp_path / "out")
    assert make(own, out, resume=True) == 0
    assert (run_of(out)["kept"], run_of(out)["scans"]) == (N, 0)
    shutil.copy(own / "p5" / what.replace("1", "5", 1), own / "p1" / what)
    assert make(own, out, resume=True) == 0
    assert (run_of(out)["kept"], run_of(out)["scans"]) == (N - 1, 1)
    assert make(own, tmp_path / "fresh") == 0
    again, fresh = PreparedStore.open(out), PreparedStore.open(tmp_path / "fresh")
    assert again.scan_ids == fresh.scan_ids
    for i in range(N):
        assert np.array_equal(again.input(i), fresh.input(i))
        assert np.array_equal(again.labels(i), fresh.labels(i))
    (own / "p1" / what).write_bytes(b"broken")  # what it was must not stand for what it is
    assert make(own, out, resume=True) == 1
    assert "scan1" not in PreparedStore.open(out).scan_ids


@pytest.mark.usefixtures("quick")
def test_scans_that_are_in_the_store_need_their_files_no_more(own, whole, tmp_path):
    out = shutil.copytree(whole, tmp_path / "out")
    shutil.rmtree(own / "p2")
    assert make(own, out, resume=True) == 0
    assert run_of(out)["kept"] == N
    assert contents(out) == contents(whole)


@pytest.mark.usefixtures("quick")
def test_a_damaged_scan_is_prepared_again(cohort, whole, tmp_path):
    out = shutil.copytree(whole, tmp_path / "out")
    flipped, shortened, lost = chunk_path(out, "labels", 1), chunk_path(out, "image", 3), chunk_path(out, "margins", 6)
    content = bytearray(flipped.read_bytes())
    content[-9] ^= 4
    flipped.write_bytes(content)
    shortened.write_bytes(shortened.read_bytes()[:-1])
    lost.unlink()
    assert make(cohort, out, resume=True) == 0
    assert run_of(out)["scans"] == 2  # a length tells of two
    assert make(cohort, out, resume=True, verify=True) == 0
    assert run_of(out)["scans"] == 1
    store = PreparedStore.open(out)
    for i in range(N):
        store.verify(i)
        assert np.array_equal(store.input(i), PreparedStore.open(whole).input(i))


@pytest.mark.usefixtures("quick")
def test_what_cannot_be_prepared_is_a_row_of_failures_and_the_rest_is_done(own, tmp_path, capsys):
    volume, mask = boxes(own, 0)
    rows = pd.read_csv(own / "participants.tsv", sep="\t")[["scan_id", "path"]]
    here = own / "odd"
    here.mkdir()
    (here / "words.nii.gz").write_text("no scan", encoding="utf-8")
    (here / "flat.nii.gz").write_bytes(nifti_bytes(volume.with_array(np.full(volume.shape, 7))))
    moved = np.array(mask.affine)
    moved[2, 3] += 3
    odd_maps = {
        "moved_T2w": Mask(mask.array, moved),
        "muscle_T2w": mask.with_array(np.full(mask.shape, 71)),
        "foreign_T2w": mask.with_array(np.where(mask.array != 0, 999, 0)),
        "weighted_T1w": mask,
    }
    for name, labels in odd_maps.items():
        (here / f"{name}.nii.gz").write_bytes(nifti_bytes(volume))
        (here / f"{name}_dseg.nii.gz").write_bytes(nifti_bytes(labels))
    paths = ["gone.nii.gz", *(f"{n}.nii.gz" for n in ("words", "flat", *odd_maps)), ""]
    odd = pd.DataFrame({"scan_id": [f"odd{k}" for k in range(8)], "path": [p and f"odd/{p}" for p in paths]})
    pd.concat([odd, rows]).to_csv(own / "all.csv", index=False)
    assert make(own / "all.csv", tmp_path / "out") == 1
    failures = pd.read_csv(tmp_path / "out" / "failures.csv")
    told = {Path(f.input).name: (f.stage, f.reason) for f in failures.itertuples()}
    assert {name: stage for name, (stage, _) in told.items()} == {
        "odd7": "ingest", "gone.nii.gz": "ingest", "words.nii.gz": "ingest", "flat.nii.gz": "ingest",
        "moved_T2w.nii.gz": "segment", "muscle_T2w.nii.gz": "prepare", "foreign_T2w.nii.gz": "segment",
        "weighted_T1w.nii.gz": "ingest",
    }  # fmt: skip
    wanted = {
        "odd7": "the cohort table gives no path",
        "gone.nii.gz": "nothing lies; wanted: a file or folder",
        "words.nii.gz": "does not begin as NIfTI",
        "moved_T2w.nii.gz": "grids lie up to 3.0 mm apart",
        "muscle_T2w.nii.gz": "holds no spine, its labels are [71]",
        "foreign_T2w.nii.gz": "numbers 999 in a mask said to be spineclock",
        "weighted_T1w.nii.gz": "weighted T1w; wanted: T2w",
    }
    assert {name: words for name, words in wanted.items() if words not in told[name][1]} == {}
    store = PreparedStore.open(tmp_path / "out")
    assert store.scan_ids == tuple(f"scan{k}" for k in range(N))
    assert "8 could not be prepared (failures.csv), such as odd7: the cohort table gives" in capsys.readouterr().err
    shutil.copy(own / "p4" / "scan4_T2w.nii.gz", here / "words.nii.gz")  # mended
    shutil.copy(own / "p4" / "scan4_T2w_dseg.nii.gz", here / "words_dseg.nii.gz")
    (own / "odd" / "words.json").write_text('{"Modality": "MR"}', encoding="utf-8")
    assert make(own / "all.csv", tmp_path / "out", resume=True) == 1
    assert len(pd.read_csv(tmp_path / "out" / "failures.csv")) == 7
    again = PreparedStore.open(tmp_path / "out")
    assert np.array_equal(again.input(again.positions["odd1"]), again.input(again.positions["scan4"]))


@pytest.mark.usefixtures("quick")
def test_a_bug_in_one_scan_is_its_failure_and_a_full_disk_is_not(cohort, tmp_path, monkeypatch):
    def odd(volume, mask, how):
        raise ZeroDivisionError("an odd one")

    with monkeypatch.context() as patch:
        patch.setattr(prep_prepared, "variants", odd)
        assert make(table_of_one(cohort, tmp_path), tmp_path / "out") == 1
    failures = pd.read_csv(tmp_path / "out" / "failures.csv").to_dict("records")
    assert [(f["stage"], f["reason"]) for f in failures] == [("prepare", "ZeroDivisionError: an odd one")]

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(prepare_scan, "write_scan", full)
    with pytest.raises(OSError, match="No space left"):
        make(table_of_one(cohort, tmp_path), tmp_path / "out", resume=True)
    assert len(PreparedStore.open(tmp_path / "out")) == 0


def table_of_one(cohort: Path, folder: Path) -> Path:
    (folder / "one.csv").write_text(f"scan_id,path\none,{cohort}/p0/scan0_T2w.nii.gz\n", encoding="utf-8")
    return folder / "one.csv"


@pytest.mark.usefixtures("quick")
def test_label_maps_made_elsewhere_are_read_in_their_numbering(own, tmp_path):
    _, mask = boxes(own, 0)
    spider = np.select(
        [mask.array == 224, mask.array == 223, mask.array == 123], [1, 2, 202], 0
    )  # L5, L4 and their disc
    (own / "elsewhere.nii.gz").write_bytes(nifti_bytes(mask.with_array(spider)))
    row = "one,p0/scan0_T2w.nii.gz,elsewhere.nii.gz"
    (own / "t.csv").write_text(f"scan_id,path,mask,mask_scheme\n{row},spider\n", encoding="utf-8")
    assert make(own / "t.csv", tmp_path / "out") == 0
    store = PreparedStore.open(tmp_path / "out")
    assert set(np.unique(store.labels(0))) == {0, 24, 23, 123}
    (own / "t.csv").write_text(f"scan_id,path,mask,mask_scheme\n{row},spyder\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"t.csv: mask_scheme 'spyder' of scan one; wanted: one of spineclock, spider"):
        make(own / "t.csv", tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.usefixtures("quick")
def test_a_dicom_folder_is_prepared_as_the_same_scan_in_nifti(phantom, save_volume, write_dicom, tmp_path):
    whole_numbers = phantom.volume.with_array(np.asarray(phantom.volume.array).astype(np.int16))
    write_dicom(whole_numbers)
    save_volume(whole_numbers, tmp_path / "scan_T2w.nii.gz")
    for name in ("scan_T2w", "dicom"):
        save_volume(phantom.labels, tmp_path / f"{name}_dseg.nii.gz", dtype=np.uint16)
    (tmp_path / "t.csv").write_text("scan_id,path\nn,scan_T2w.nii.gz\nd,dicom\n", encoding="utf-8")
    assert make(tmp_path / "t.csv", tmp_path / "out", shape="16,256,128", spacing_mm="4,1.5,1.5") == 0
    store = PreparedStore.open(tmp_path / "out")
    assert store.input(1) == pytest.approx(store.input(0), abs=0.01)
    assert np.abs(store.affine(1) - store.affine(0)).max() < 0.01
    assert store.parts(0) == store.parts(1)


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_scan_without_a_label_map_is_outlined_by_the_network(phantom_file, finished, tmp_path):
    (tmp_path / "t.csv").write_text(f"scan_id,path\np,{phantom_file}\n", encoding="utf-8")
    assert make(tmp_path / "t.csv", tmp_path / "out", shape="16,320,160") == 0
    store = PreparedStore.open(tmp_path / "out")
    scan = finished.reading.scan
    assert store.input(0) == pytest.approx(prepared_array(scan.volume, scan.mask, store.how).array, abs=0.005)
    told = store.entries[0].source["labels"]
    assert told == {"network": finished.document["model"]["weights_sha256"]["segmenter.safetensors"]}
    assert pd.read_csv(tmp_path / "out" / "notes.csv").empty


@pytest.mark.usefixtures("quick")
def test_what_is_to_be_known_of_scans_stays_with_the_store(own, tmp_path, monkeypatch, capsys):
    outlined = prepare_scan._outlined

    def doubtful(scan, job, outline):
        return outlined(scan, job, outline).noted(["doubtful"] if job.row == 1 else [])

    own_quality, get = Quality("check", ("thick slices",)), recipes.get
    thick = replace(get("mri-age"), learning=replace(get("mri-age").learning, quality=lambda scan: own_quality))
    monkeypatch.setattr(prepare_scan, "_outlined", doubtful)
    monkeypatch.setattr(recipes, "get", lambda name: thick)
    make(own, tmp_path / "out")
    entries = read_entries(tmp_path / "out")
    by_row = {entry.row: entry for entry in entries.values()}
    assert by_row[1].notes[-2:] == ("thick slices", "doubtful")
    assert by_row[0].notes[-1] == "thick slices"
    noted = pd.read_csv(tmp_path / "out" / "notes.csv")
    told = {name: part["note"].tolist() for name, part in noted.groupby("scan_id")}
    assert told == {entry.scan_id: list(entry.notes) for entry in entries.values() if entry.notes}
    assert f"of {len(told)} something is to be known (notes.csv)" in capsys.readouterr().out


def test_the_outlines_of_ct_are_told_by_what_made_them(monkeypatch):
    monkeypatch.setattr(totalsegmentator, "installed", lambda program: program == "here")
    ct, mri = (recipes.get(name).learning for name in ("ct-fracture", "mri-osteoporosis"))
    assert prepare._network(replace(ct, program="here")) == "here"
    assert prepare._network(ct) == sha256(packaged("ct_segmenter.safetensors"))
    assert prepare._network(mri) == sha256(packaged("segmenter.safetensors"))


def test_where_a_label_map_comes_from(tmp_path):
    scan = tmp_path / "a_T2w.nii.gz"
    assert labels_of(scan, None, "") == Labels(None)
    (tmp_path / "a_T2w_dseg.nii.gz").touch()
    assert labels_of(scan, None, "") == Labels(tmp_path / "a_T2w_dseg.nii.gz")
    assert labels_of(scan, tmp_path / "m.nii", "spider") == Labels(tmp_path / "m.nii", "spider")


def test_a_folder_s_source_is_that_of_all_its_files(tmp_path):
    (tmp_path / "s" / "deep").mkdir(parents=True)
    assert source_of(tmp_path / "s", Labels(None), network="n") is None
    (tmp_path / "s" / "1.dcm").write_bytes(b"abc")
    (tmp_path / "s" / "deep" / "2.dcm").write_bytes(b"de")
    os.utime(tmp_path / "s" / "1.dcm", ns=(1, 5))
    os.utime(tmp_path / "s" / "deep" / "2.dcm", ns=(1, 9))
    told = source_of(tmp_path / "s", Labels(None), network="n")
    assert told == {"file": "s", "files": 2, "bytes": 5, "modified_ns": 9, "labels": {"network": "n"}}
    assert source_of(tmp_path / "nowhere", Labels(None), network="n") is None


@pytest.mark.usefixtures("quick")
def test_overwriting_begins_anew_and_other_settings_are_refused(cohort, whole, tmp_path):
    out = shutil.copytree(whole, tmp_path / "out")
    (out / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="were prepared with dtype float16, and now it is dtype uint8"):
        make(cohort, out, resume=True, dtype="uint8")
    assert make(cohort, out, overwrite=True, dtype="uint8") == 0
    store = PreparedStore.open(out)
    assert (store.dtype, len(store)) == ("uint8", N)
    assert store.input(4) == pytest.approx(PreparedStore.open(whole).input(4), abs=0.02)
    assert (out / "notes.txt").read_text(encoding="utf-8") == "mine"


@pytest.mark.usefixtures("quick")
def test_wrong_calls_touch_nothing(cohort, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "empty.csv").write_text("scan_id,path\n", encoding="utf-8")
    (tmp_path / "no.csv").write_text("scan_id,age\na,5\n", encoding="utf-8")
    (tmp_path / "file").touch()
    for table, where, error, message in (
        (tmp_path / "nowhere", out, UsageError, "nowhere does not exist; wanted: a table with scan_id and path"),
        (tmp_path, out, UsageError, "holds no participants.tsv"),
        (tmp_path / "empty.csv", out, UsageError, "empty.csv has no rows"),
        (tmp_path / "no.csv", out, TableError, "wanted: scan_id and path; remedy: add path"),
        (cohort, tmp_path / "file", UsageError, "file is a file; wanted: a folder for the store"),
    ):
        with pytest.raises(error, match=message):
            make(table, where)
    assert not out.exists()


@pytest.mark.usefixtures("quick")
def test_what_does_not_fit_on_the_grid_is_told(cohort, tmp_path, capsys):
    assert make(cohort, tmp_path / "out", shape="16,16,16") == 0
    assert f"of {N} less than 99% of the spine fits on the grid" in capsys.readouterr().out
    assert PreparedStore.open(tmp_path / "out").kept_share(0) < 0.9


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("spacing_mm=4,1", "spacing_mm is '4,1' (--set); wanted: three numbers of millimetres"),
        ("spacing_mm=4,1,0", "spacing_mm is '4,1,0'"),
        ("spacing_mm=a,b,c", "spacing_mm is 'a,b,c'"),
        ("shape=16,128,nan", "shape is '16,128,nan' (--set); wanted: three whole numbers"),
        ("shape=16,128,inf", "shape is '16,128,inf'"),
        ("shape=3,128,64", "shape is '3,128,64'"),
        ("shape=16,8,64", "shape is '16,8,64'"),
        ("percentiles=99,1", "percentiles is '99,1' (--set); wanted: two rising numbers"),
        ("dtype=float32", "dtype is 'float32' (--set); wanted: 'float16' or 'uint8'"),
        ("margin_mm=-1", "margin_mm is '-1'"),
        ("workers=0", "workers is '0'"),
        ("margins=5", "no setting is called 'margins' (--set); wanted: one of"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_words(given, message):
    with pytest.raises(UsageError) as caught:
        configure(PrepareSettings, assignments=[given])
    assert message in str(caught.value)


def test_settings_may_be_numbers_or_text():
    told = [
        PrepareSettings(shape="16x128x64", spacing_mm=" 8, 5 ,4 "),
        PrepareSettings(shape=(16, 128, 64), spacing_mm=[8, 5, 4]),
        configure(PrepareSettings, assignments=["shape=16,128,64", "spacing_mm=8,5,4"]).settings,
    ]
    assert {(t.grid_shape, t.spacing) for t in told} == {((16, 128, 64), (8.0, 5.0, 4.0))}
    with pytest.raises(UsageError, match="both resume and overwrite are set"):
        PrepareSettings(resume=True, overwrite=True)


@pytest.mark.slow
def test_the_phantom_s_own_scans_are_prepared_in_every_part(tmp_path):
    executable = Path(sys.executable).with_name("spineclock")
    command = [
        executable,
        "phantom",
        "mri",
        "--n",
        "2",
        "--grid",
        "16x128x64",
        "--workers",
        "1",
        "--out",
        tmp_path / "c",
    ]
    subprocess.run(command, check=True, capture_output=True)
    assert make(tmp_path / "c", tmp_path / "s", spacing_mm="8,5,4", shape="16,128,64", dtype="uint8") == 0
    store = PreparedStore.open(tmp_path / "s")
    for i in range(len(store)):
        assert store.parts(i) == ("whole", "cervical", "thoracic", "lumbar")
        assert store.kept_share(i) == 1
        rows = [np.flatnonzero(store.margin(i, part).any(axis=(0, 2))).mean() for part in store.parts(i)[1:]]
        assert rows == sorted(rows)  # from the head down
