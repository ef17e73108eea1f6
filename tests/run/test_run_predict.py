"""``spineclock predict`` over one scan and over a mixed batch: what is done, refused, resumed, and never lost."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch

import spineclock
from spineclock.core.errors import GeometryError, InputError, RefusedError, TableError, UsageError
from spineclock.core.records import ModelInfo
from spineclock.core.volume import Volume
from spineclock.ingest.series import list_series, load
from spineclock.nets.dcnn import AgeNet
from spineclock.nets.run_folder import SCHEMA
from spineclock.nets.weights import save
from spineclock.run.predict import predict_all, predict_one
from spineclock.run.settings import PredictSettings
from spineclock.segment.legible import header_quality


def document(out: Path, scan: str) -> dict:
    return json.loads((out / scan / "prediction.json").read_text(encoding="utf-8"))


def failures(out: Path) -> dict[str, str]:
    table = pd.read_csv(out / "failures.csv")
    return {Path(row.input).name: f"{row.stage}: {row.reason}" for row in table.itertuples()}


def raising(error: BaseException) -> Callable:
    def read(scan):
        raise error

    return read


@pytest.fixture
def three(tmp_path, phantom_file) -> list[Path]:
    """Three scans of the same person under different names."""
    (tmp_path / "scans").mkdir()
    return [Path(shutil.copy(phantom_file, tmp_path / "scans" / f"{n}_T2w.nii.gz")) for n in ("a", "b", "c")]


# --- a mixed batch --------------------------------------------------------------------------------------------------


@pytest.fixture
def mixed(tmp_path, phantom, phantom_file, save_volume) -> list[Path]:
    """What a folder collects over the years, each named by the user."""
    rng, here = np.random.default_rng(5), tmp_path / "mixed"
    here.mkdir()
    good = Path(shutil.copy(phantom_file, here / "good_T2w.nii.gz"))
    (here / "letter.nii.gz").write_text("Dear colleague, please find enclosed ...", encoding="utf-8")
    (here / "cut.nii.gz").write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    grid = np.diag([3.5, 1.0, 1.0, 1.0])
    noise = rng.integers(0, 400, (7, 200, 200)).astype(np.int16)
    return [
        good,
        here / "letter.nii.gz",
        here / "cut.nii.gz",
        save_volume(Volume((noise - 1000).astype(np.int16), grid), here / "body_ct.nii.gz"),
        save_volume(Volume(noise[:1], grid), here / "single_T2w.nii.gz"),
        save_volume(Volume(noise, grid), here / "noise_T2w.nii.gz"),
        save_volume(Volume(noise.transpose(1, 2, 0), np.diag([1.0, 1.0, 3.5, 1.0])), here / "axial_T2w.nii.gz"),
    ]


def test_a_mixed_batch_ages_the_good_scan_and_says_what_ails_the_others(canned, reader, mixed, tmp_path, capsys):
    canned.otherwise["noise_T2w"] = reader.read  # the real network looks for a spine in it
    out = tmp_path / "out"
    assert predict_all(mixed, PredictSettings(), out=out) == 1
    assert document(out, "good_T2w")["quality"]["verdict"] != "refused"
    reasons = failures(out)
    assert set(reasons) == {p.name for p in mixed[1:]}
    assert "does not begin as NIfTI" in reasons["letter.nii.gz"]
    assert "wanted: a NIfTI header" in reasons["letter.nii.gz"]
    assert "ends before its image does" in reasons["cut.nii.gz"]
    assert "remedy: copy or download it again" in reasons["cut.nii.gz"]
    assert "it is CT; wanted: MR" in reasons["body_ct.nii.gz"]
    assert "it has 1 slice; wanted: at least 5" in reasons["single_T2w.nii.gz"]
    assert "its slices are axial; wanted: sagittal" in reasons["axial_T2w.nii.gz"]
    assert reasons["noise_T2w.nii.gz"] == "predict: no spine was found"
    refused = document(out, "noise_T2w")
    assert refused["quality"] == {"verdict": "refused", "reasons": ["no spine was found"]}
    assert "predicted_age_years" not in refused
    page = (out / "report.html").read_text(encoding="utf-8")
    assert all(p.name in page for p in mixed)
    said = capsys.readouterr().out
    assert all(p.name in said or p.name.removesuffix(".nii.gz") in said for p in mixed)


def test_a_file_with_hounsfield_units_and_no_modality_is_to_be_checked(phantom, tmp_path, save_volume):
    """As is a CT that the network nevertheless finds a spine in: the note reaches the verdict."""
    like_ct = phantom.volume.with_array(np.where(phantom.volume.array < 40, -1000, phantom.volume.array))
    path = save_volume(like_ct, tmp_path / "scan.nii.gz")
    scan = load(list_series(path).refs[0])
    quality = header_quality(scan)
    assert quality.verdict == "check"
    assert any("Hounsfield units: this may be CT" in r for r in quality.reasons)


def test_what_lies_beside_the_scan_in_a_folder_is_no_failure_but_is_told(canned, mixed, tmp_path, capsys):
    folder = mixed[0].parent
    for name in ("letter.nii.gz", "cut.nii.gz", "noise_T2w.nii.gz"):
        (folder / name).unlink()
    out = tmp_path / "out"
    assert predict_all([folder], PredictSettings(), out=out) == 0
    told = json.loads((out / "run.json").read_text(encoding="utf-8"))["not_taken"]
    assert {row["series"]: row["reason"].split(";")[0] for row in told} == {
        "body_ct.nii.gz": "it is CT",
        "single_T2w.nii.gz": "it has 1 slice",
        "axial_T2w.nii.gz": "its slices are axial",
    }
    assert "3 other series were not taken" in capsys.readouterr().out


@pytest.mark.parametrize("error", [GeometryError("two grids", wanted="one"), TableError("no numbers")])
def test_an_error_about_one_scan_does_not_end_the_batch(canned, three, tmp_path, capsys, error):
    canned.otherwise["b_T2w"] = raising(error)
    out = tmp_path / "out"
    assert predict_all(three, PredictSettings(), out=out) == 1
    assert failures(out) == {"b_T2w.nii.gz": f"predict: {error}"}
    assert canned.asked == ["a_T2w", "b_T2w", "c_T2w"]
    assert not (out / "b_T2w" / "prediction.json").exists()
    assert "b_T2w.nii.gz" in (out / "report.html").read_text(encoding="utf-8")
    assert f"b_T2w.nii.gz: {error}" in capsys.readouterr().out


def test_a_scan_refused_by_an_error_has_its_prediction_json(canned, three, tmp_path):
    canned.otherwise["b_T2w"] = raising(RefusedError("the spine has one grey value throughout (7)"))
    assert predict_all(three, PredictSettings(), out=tmp_path / "out") == 1
    quality = document(tmp_path / "out", "b_T2w")["quality"]
    assert quality == {"verdict": "refused", "reasons": ["the spine has one grey value throughout (7)."]}


@pytest.mark.parametrize("error", [ZeroDivisionError("a fault of ours"), UsageError("a wrong call")])
def test_faults_of_the_program_and_of_the_call_come_to_light(canned, three, tmp_path, error):
    canned.otherwise["b_T2w"] = raising(error)
    with pytest.raises(type(error), match=str(error)[:9]):
        predict_all(three, PredictSettings(), out=tmp_path / "out")


def test_a_model_that_cannot_be_loaded_ends_the_run_at_once(three, tmp_path):
    with pytest.raises(InputError, match="nowhere is no run of an age network"):
        predict_all(three, PredictSettings(model=str(tmp_path / "nowhere")), out=tmp_path / "out")


def test_more_coverage_than_the_people_allow_ends_the_run_at_once(three, tmp_path):
    with pytest.raises(TableError, match="too few for an interval of 99%"):
        predict_all(three, PredictSettings(interval_coverage=0.99), out=tmp_path / "out")


# --- wrong calls ----------------------------------------------------------------------------------------------------


def test_wrong_calls_say_so(canned, three, tmp_path):
    with pytest.raises(UsageError, match="does not exist; wanted: a scan, a folder or a .zip"):
        predict_all([tmp_path / "none.nii.gz"], PredictSettings(), out=tmp_path / "out")
    with pytest.raises(UsageError, match="is a file; wanted: a folder for the results"):
        predict_all(three, PredictSettings(), out=three[0])
    with pytest.raises(UsageError, match=r"results cannot be written to .*--out"):
        predict_all(three, PredictSettings(), out=three[0] / "below a file")
    with pytest.raises(UsageError, match=r"people.csv does not exist"):
        predict_all(three, PredictSettings(cohort=tmp_path / "people.csv"), out=tmp_path / "out")
    with pytest.raises(UsageError, match="one mask for 3 scans; wanted: one scan"):
        predict_all(three, PredictSettings(mask=three[0], mask_scheme="spider"), out=tmp_path / "out")
    with pytest.raises(UsageError, match="one age_years and sex for 3 scans.*--cohort"):
        predict_all(three, PredictSettings(age_years=60, sex="F"), out=tmp_path / "out")
    assert canned.asked == []


def test_folders_with_nothing_in_them_are_a_wrong_call(canned, tmp_path):
    (tmp_path / "leer Ü").mkdir()
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("Dear colleague", encoding="utf-8")
    with pytest.raises(UsageError, match=r"leer Ü: an empty folder; wanted: DICOM, .*letters: a folder with no scan"):
        predict_all([tmp_path / "leer Ü", tmp_path / "letters"], PredictSettings(), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_beside_scans_an_empty_folder_is_a_failure(canned, three, tmp_path):
    (tmp_path / "leer Ü").mkdir()
    assert predict_all([*three, tmp_path / "leer Ü"], PredictSettings(), out=tmp_path / "out") == 1
    assert "an empty folder" in failures(tmp_path / "out")["leer Ü"]


# --- again, and after a stop ----------------------------------------------------------------------------------------


def test_a_second_run_is_refused_and_nothing_is_lost(canned, three, tmp_path):
    out = tmp_path / "out"
    predict_all(three, PredictSettings(), out=out)
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    with pytest.raises(UsageError, match=r"holds results of an earlier run.*--resume keeps them.*--overwrite replaces"):
        predict_all(three, PredictSettings(), out=out)
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
    assert predict_all(three, PredictSettings(overwrite=True), out=out) == 0
    assert len(canned.asked) == 6


def test_resume_keeps_what_is_finished(canned, three, tmp_path):
    out = tmp_path / "out"
    predict_all(three[:2], PredictSettings(interval_coverage=0.8), out=out)
    kept = (out / "a_T2w" / "prediction.json").stat().st_mtime_ns
    assert predict_all(three, PredictSettings(interval_coverage=0.8, resume=True), out=out) == 0
    assert canned.asked == ["a_T2w", "b_T2w", "c_T2w"]
    assert (out / "a_T2w" / "prediction.json").stat().st_mtime_ns == kept
    assert pd.read_csv(out / "predictions.csv")["scan_id"].tolist() == ["a_T2w", "b_T2w", "c_T2w"]


def test_a_kept_refusal_still_counts_as_a_failure(canned, three, tmp_path):
    canned.otherwise["b_T2w"] = raising(RefusedError("no spine"))
    out = tmp_path / "out"
    assert predict_all(three, PredictSettings(), out=out) == 1
    assert predict_all(three, PredictSettings(resume=True), out=out) == 1
    assert len(canned.asked) == 3
    assert failures(out) == {"b_T2w.nii.gz": "predict: no spine."}


@pytest.mark.parametrize(
    "changed",
    [{"age_years": 61.0}, {"sex": "M"}, {"model": "elsewhere"}, {"lowest_vertebra": "L4"}, {"interval_coverage": 0.8}],
)
def test_resume_does_again_what_another_setting_changes(canned, three, tmp_path, changed):
    out = tmp_path / "out"
    predict_all(three[:1], PredictSettings(age_years=60), out=out)
    predict_all(three[:1], PredictSettings(**{"age_years": 60.0, **changed, "resume": True}), out=out)
    assert canned.asked == ["a_T2w"] * 2


@pytest.mark.parametrize("changed", [{"threads": 1}, {"engine": "torch"}])
def test_resume_minds_no_setting_that_leaves_the_result_alone(canned, three, tmp_path, changed):
    out = tmp_path / "out"
    predict_all(three[:1], PredictSettings(), out=out)
    predict_all(three[:1], PredictSettings(**changed, resume=True), out=out)
    assert canned.asked == ["a_T2w"]


def test_resume_does_again_what_other_weights_answered(canned, three, tmp_path):
    out = tmp_path / "out"
    predict_all(three[:1], PredictSettings(), out=out)
    canned.model = ModelInfo("mri-age-lumbar-1", {"segmenter.safetensors": "other"}, "statement")
    predict_all(three[:1], PredictSettings(resume=True), out=out)
    assert canned.asked == ["a_T2w"] * 2
    assert document(out, "a_T2w")["model"]["weights_sha256"] == {"segmenter.safetensors": "other"}


def test_resume_does_not_take_a_namesake_for_the_scan(canned, three, phantom_file, tmp_path):
    """Another person's a_T2w.nii.gz must not be given the first one's age."""
    out, other = tmp_path / "out", tmp_path / "other" / "a_T2w.nii.gz"
    other.parent.mkdir()
    shutil.copy(phantom_file, other)
    predict_all(three[:1], PredictSettings(), out=out)
    predict_all([other], PredictSettings(resume=True), out=out)
    assert canned.asked == ["a_T2w"] * 2


def test_a_stop_in_the_middle_keeps_what_is_finished_and_resume_completes(canned, three, tmp_path):
    out = tmp_path / "out"
    canned.otherwise["c_T2w"] = raising(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        predict_all(three, PredictSettings(), out=out)
    assert document(out, "a_T2w")["predicted_age_years"] == document(out, "b_T2w")["predicted_age_years"]
    assert not (out / "c_T2w" / "prediction.json").exists()
    canned.otherwise.clear()
    assert predict_all(three, PredictSettings(resume=True), out=out) == 0
    assert canned.asked == ["a_T2w", "b_T2w", "c_T2w", "c_T2w"]
    assert len(pd.read_csv(out / "predictions.csv")) == 3


def test_a_scan_that_fails_the_second_time_does_not_keep_its_first_answer(canned, three, tmp_path):
    out = tmp_path / "out"
    predict_all(three, PredictSettings(), out=out)
    three[0].write_bytes(b"damaged since")
    canned.otherwise["b_T2w"] = raising(GeometryError("two grids"))
    assert predict_all(three, PredictSettings(overwrite=True), out=out) == 1
    assert not (out / "b_T2w" / "prediction.json").exists()
    assert pd.read_csv(out / "predictions.csv")["scan_id"].tolist() == ["c_T2w"]


# --- who they are ---------------------------------------------------------------------------------------------------


def test_ages_of_the_table_flow_into_the_gap(canned, three, tmp_path):
    table = tmp_path / "people.csv"
    table.write_text("scan_id,age_years,sex\na_T2w,50,F\nb_T2w,70.5,M\n", encoding="utf-8")
    out = tmp_path / "out"
    assert predict_all(three, PredictSettings(cohort=table), out=out) == 0
    rows = pd.read_csv(out / "predictions.csv").set_index("scan_id")
    assert rows["age_years"].tolist()[:2] == [50.0, 70.5]
    assert rows["sex"].tolist()[:2] == ["F", "M"]
    assert (rows["corrected_age_years"] - rows["gap_years"]).tolist()[:2] == pytest.approx([50.0, 70.5], abs=1e-3)
    assert np.isnan(rows["gap_years"]["c_T2w"])


def test_contradictory_rows_are_a_failure_of_that_scan(canned, three, tmp_path):
    table = tmp_path / "people.csv"
    table.write_text("scan_id,age_years\na_T2w,50\na_T2w,51\nb_T2w,60\n", encoding="utf-8")
    assert predict_all(three, PredictSettings(cohort=table), out=tmp_path / "out") == 1
    assert "2 different rows for scan_id 'a_T2w'" in failures(tmp_path / "out")["a_T2w.nii.gz"]


# --- with the network of a training run -----------------------------------------------------------------------------


def test_the_network_of_a_run_answers_beside_the_measurements(phantom, phantom_file, save_volume, tmp_path):
    torch.manual_seed(1)
    digest = save(AgeNet(), tmp_path / "run" / "weights.safetensors")
    about = {
        "schema": SCHEMA, "name": "dcnn-untrained", "statement": "Untrained; shows only that it runs.", "pool": "max",
        "network": "table2", "simulated": True, "ages_years": [20, 80],
        "head": {"loss": "mse", "mean_years": 50.0, "sd_years": 10.0, "youngest": 15, "oldest": 85},
        "validation": [[0.5 * a + 20, a] for a in range(20, 80, 3)],
        "preparation": {"shape": [16, 128, 64], "spacing_mm": [4.0, 2.4, 2.4]},
    }  # fmt: skip
    (tmp_path / "run" / "network.json").write_text(json.dumps(about), encoding="utf-8")
    mask = save_volume(phantom.labels, tmp_path / "labels.nii.gz")  # spares the network that outlines
    settings = PredictSettings(
        model=str(tmp_path / "run"), mask=mask, mask_scheme="spineclock", sex="F", age_years=47, threads=1
    )
    out = tmp_path / "out"
    assert predict_all([phantom_file], settings, out=out) == 0
    d = document(out, "phantom_T2w")
    assert set(d["components"]) == {"network", "measurements"}
    assert d["predicted_age_years"] == d["components"]["network"]
    assert d["corrected_age_years"] == pytest.approx((d["predicted_age_years"] - 20) / 0.5, abs=1e-4)
    assert d["model"]["name"] == "dcnn-untrained"
    assert d["model"]["weights_sha256"]["network"] == digest
    assert (out / "phantom_T2w" / "attention.png").read_bytes().startswith(b"\x89PNG")
    assert "Untrained; shows only that it runs." in (out / "report.html").read_text(encoding="utf-8")


# --- one scan from Python -------------------------------------------------------------------------------------------


def test_from_python_one_scan_comes_back_as_a_reading(canned, phantom_file, finished):
    reading = spineclock.predict(phantom_file, age_years=57, sex="F")
    assert reading.predicted_age_years == finished.reading.predicted_age_years
    assert reading.prediction.gap_years == pytest.approx(reading.prediction.corrected_age_years - 57)


def test_from_python_errors_name_the_way_out(canned, three, tmp_path):
    with pytest.raises(InputError, match=r"3 scans in .*a_T2w.nii.gz, b_T2w.nii.gz, c_T2w.*remedy: name the file"):
        predict_one(three[0].parent)
    with pytest.raises(InputError, match="none.nii.gz: a path where nothing lies; .*remedy: check the spelling"):
        predict_one(tmp_path / "none.nii.gz")
    with pytest.raises(UsageError, match="no setting is called 'age'.*did you mean 'age_years'"):
        predict_one(three[0], age=57)


# --- the answer does not depend on how the volume is stored ----------------------------------------------------------


def stored_ways(volume: Volume, folder: Path) -> list[Path]:
    """The 48 orders and directions of axes."""
    made = []
    image = nib.Nifti1Image(np.asarray(volume.array), volume.affine)
    for order in itertools.permutations(range(3)):
        for flips in itertools.product((1, -1), repeat=3):
            path = folder / f"{''.join(map(str, order))}{''.join('+-'[f < 0] for f in flips)}_T2w.nii.gz"
            nib.save(image.as_reoriented(np.stack([order, flips], axis=1)), path)
            made.append(path)
    return made


def types(volume: Volume, folder: Path) -> list[Path]:
    """The same samples as float32, as float64, as unsigned 16 bits, and as scaled bytes and integers."""
    array, made = np.asarray(volume.array), []
    for dtype in ("float32", "float64", "uint16", "int32"):
        made.append(folder / f"{dtype}_T2w.nii.gz")
        nib.save(nib.Nifti1Image(array.astype(dtype), volume.affine), made[-1])
    scaled = nib.Nifti1Image((2 * array - 200).astype(np.int16), volume.affine)
    scaled.header.set_slope_inter(0.5, 100.0)
    made.append(folder / "scaled_T2w.nii.gz")
    nib.save(scaled, made[-1])
    return made


def test_all_48_axis_orders_and_all_types_load_as_the_same_samples(phantom, tmp_path):
    small = Volume(phantom.volume.array[:, 100:160, 100:180], phantom.volume.affine)
    paths = [*stored_ways(small, tmp_path), *types(small, tmp_path)]
    assert len({nib.load(p).affine.tobytes() for p in paths}) == 48
    for path in paths:
        volume = load(list_series(path).refs[0]).volume
        assert (volume.array == small.array).all(), path.name
        assert volume.array.flags.c_contiguous
        assert np.allclose(volume.affine, small.affine, atol=1e-4)


SOME = ("102-+-", "021+--", "210--+")
"""Three of the 48, which swap and turn every axis."""


@pytest.mark.slow
def test_the_age_does_not_depend_on_storage(finished, reader, phantom, tmp_path):
    wanted = finished.reading.predicted_age_years
    chosen = [p for p in stored_ways(phantom.volume, tmp_path) if p.name.startswith(SOME)]
    scaled = [p for p in types(phantom.volume, tmp_path) if p.name.startswith(("float32", "scaled"))]
    assert len(chosen) == 3
    for path in [*chosen, *scaled]:
        age = reader.read(replace(load(list_series(path).refs[0]), sex="F")).predicted_age_years
        assert age == pytest.approx(wanted, abs=0.01), path.name


@pytest.mark.slow
def test_dicom_and_nifti_of_the_same_scan_give_the_same_age(finished, reader, phantom, write_dicom):
    scan = load(list_series(write_dicom(phantom.volume)).refs[0])
    assert (scan.volume.array == phantom.volume.array).all()
    assert scan.sex == "F"
    age = reader.read(scan).predicted_age_years
    assert age == pytest.approx(finished.reading.predicted_age_years, abs=0.01)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_age_of_a_real_scan_does_not_depend_on_storage(real_data, reader, tmp_path):
    source = sorted((real_data / "spider" / "space").glob("*_T2w.nii.gz"))[0]
    first = load(list_series(source).refs[0])
    wanted = reader.read(first).predicted_age_years
    image = nib.load(source)
    for order, flips in (((2, 0, 1), (-1, 1, -1)), ((1, 0, 2), (1, -1, -1))):
        path = tmp_path / "turned_T2w.nii.gz"
        nib.save(image.as_reoriented(np.stack([order, flips], axis=1)), path)
        scan = load(list_series(path).refs[0])
        assert (scan.volume.array == first.volume.array).all()
        assert reader.read(scan).predicted_age_years == pytest.approx(wanted, abs=0.01)
