"""``spineclock train`` and ``evaluate``: who is in which set, what a run holds, and that it goes on after a kill."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import InputError, TableError, UsageError
from spineclock.ingest.study_table import simulated
from spineclock.nets.band import Banded
from spineclock.nets.run_folder import read_network
from spineclock.nets.weights import read_arrays
from spineclock.prep.store import PreparedStore
from spineclock.run.config import configure
from spineclock.run.phantom_mri import make_scans
from spineclock.run.phantom_settings import PhantomMriSettings
from spineclock.run.predict import predict_all
from spineclock.run.prepare import prepare_cohort
from spineclock.run.settings import PredictSettings, PrepareSettings
from spineclock.run.training.command import train
from spineclock.run.training.errors import error_card
from spineclock.run.training.evaluation import evaluate
from spineclock.run.training.held import examples, prepared_store
from spineclock.run.training.sets import people_of, sets, split_of
from spineclock.run.training.settings import EvaluateSettings, TrainSettings

pytestmark = pytest.mark.slow
SHARES = {"train_share": 0.5, "validation_share": 0.25}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cohort")
    assert make_scans(48, PhantomMriSettings(seed=5, grid="16x128x64", overwrite=True), out=out) == 0
    return out


@pytest.fixture(scope="module")
def store(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("store") / "store"
    assert prepare_cohort(cohort, PrepareSettings(spacing_mm="8,5,4", shape="16,128,64"), out=out) == 0
    return out


@pytest.fixture(scope="module")
def run(cohort: Path, store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    settings = TrainSettings(store=store, max_epochs=2, precision="float32", learning_rate=3e-3, seed=3, **SHARES)
    assert train("mri-age", cohort, settings, out=out, quiet=True) == 0
    return out


def test_the_folder_holds_all_a_later_person_needs(run: Path) -> None:
    names = {p.name for p in run.iterdir()}
    assert names == {
        "training.json", "run.json", "config.toml", "curves.csv", "split.csv", "weights.safetensors", "network.json",
        "predictions.csv", "errors.csv", "MODEL_CARD.md", "curves.png", "ages.png", "tensorboard",
    }  # fmt: skip
    assert len(pd.read_csv(run / "curves.csv")) == 2
    assert list((run / "tensorboard").glob("events.out.tfevents.*"))
    again = configure(TrainSettings, file=run / "config.toml").settings
    assert again.max_epochs == 2
    assert again.precision == "float32"


def test_nobody_is_in_two_sets_and_the_tests_people_had_no_say(run: Path) -> None:
    split = pd.read_csv(run / "split.csv")
    assert split.groupby("person_id")["set"].nunique().max() == 1
    assert {"train", "validation", "test"} == set(split["set"])
    said = pd.read_csv(run / "predictions.csv")
    assert set(said["scan_id"]) == set(split.loc[split["set"] != "train", "scan_id"])
    about = json.loads((run / "network.json").read_text())
    validation = said[said["set"] == "validation"]
    assert np.allclose(sorted(about["validation"]), sorted(zip(validation["predicted_age_years"],
                       validation["age_years"], strict=True)), atol=1e-3)  # fmt: skip
    # the correction follows from validation people alone, the interval too
    alpha, beta = np.polyfit(validation["age_years"], validation["predicted_age_years"], 1)
    test = said[said["set"] == "test"]
    assert np.allclose(test["corrected_age_years"], (test["predicted_age_years"] - beta) / alpha, rtol=1e-2)
    assert np.allclose(test["gap_years"], test["corrected_age_years"] - test["age_years"], atol=1e-3)
    residual = np.sort(np.abs(validation["predicted_age_years"] - validation["age_years"]))
    half = residual[int(np.ceil(0.9 * (len(residual) + 1))) - 1]
    assert np.allclose((test["interval_high_years"] - test["interval_low_years"]) / 2, half, atol=1e-3)


def test_the_network_that_is_read_back_says_what_predictions_hold(run: Path, store: Path) -> None:
    trained, scans = read_network(run), PreparedStore.open(store)
    said = pd.read_csv(run / "predictions.csv").iloc[:3]
    for scan_id, predicted in zip(said["scan_id"], said["predicted_age_years"], strict=True):
        assert trained.age_years(scans.input(scans.positions[scan_id])) == pytest.approx(predicted, abs=2e-3)
    assert trained.about["simulated"] is True


def test_the_card_says_what_it_learned_from_and_how_far_off_it_is(run: Path) -> None:
    card = (run / "MODEL_CARD.md").read_text(encoding="utf-8")
    errors = pd.read_csv(run / "errors.csv")
    said = pd.read_csv(run / "predictions.csv")
    test = said[said["set"] == "test"]
    mae = (test["predicted_age_years"] - test["age_years"]).abs().mean()
    assert errors.loc[0, "mae_years"] == pytest.approx(mae, abs=1e-3)
    assert f"| everyone | {len(test)} |" in card
    assert "simulated scans, of no real person" in card
    assert "Not a medical device" in card
    assert "* Shifts up to 2 voxels and left–right mirroring.\n" in card
    assert "women" in set(errors["group"])
    told = json.loads((run / "run.json").read_text())
    assert f"sha256 `{told['weights_sha256']}`" in card


def test_a_band_and_a_rate_that_falls_linearly_are_trained_and_told_of(
    cohort: Path, store: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    settings = TrainSettings(store=store, max_epochs=2, band=32, rate_falls="linear", **SHARES)
    assert train("mri-age", cohort, settings, out=out, quiet=True) == 0
    trained, scans = read_network(out), PreparedStore.open(store)
    assert isinstance(trained.net, Banded)
    said = pd.read_csv(out / "predictions.csv").iloc[0]
    again = trained.age_years(scans.input(scans.positions[said["scan_id"]]))
    assert again == pytest.approx(said["predicted_age_years"], abs=2e-3)
    rates = pd.read_csv(out / "curves.csv")["learning_rate"]
    assert rates.iloc[0] == pytest.approx(settings.learning_rate / 2, rel=0.1)
    assert rates.iloc[1] < 0.1 * settings.learning_rate
    card = (out / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "a band of 32 columns that follows the spine" in card
    assert "rate falling in a straight line to 0 over 2 epochs; 2 epochs" in card
    for network, band, said in (("film_small", 32, "a band of 32 columns for film_small"),
                                ("table2", 8, "a band of 8 columns")):  # fmt: skip
        with pytest.raises(UsageError, match=said):
            TrainSettings(network=network, band=band)


KILLED = """
import sys
from pathlib import Path
from spineclock.run.training.command import train
from spineclock.run.training.settings import TrainSettings
if __name__ == "__main__":
    cohort, store, out = map(Path, sys.argv[1:4])
    train("mri-age", cohort, TrainSettings(store=store, max_epochs=2, precision="float32", learning_rate=3e-3, seed=3,
          train_share=0.5, validation_share=0.25, resume=True, save_minutes=0, threads=int(sys.argv[4])), out=out)
"""


@pytest.mark.timeout(300)
def test_killed_and_resumed_it_comes_to_the_same_weights(cohort: Path, store: Path, run: Path, tmp_path: Path) -> None:
    import torch

    script = tmp_path / "killed.py"
    script.write_text(KILLED, encoding="utf-8")
    out = tmp_path / "run"
    call = [sys.executable, str(script), str(cohort), str(store), str(out), str(torch.get_num_threads())]
    killed = 0
    for signal_sent in (signal.SIGKILL, signal.SIGTERM, None):
        with subprocess.Popen(call, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
            if signal_sent is not None:
                before = _stamp(out)
                deadline = time.monotonic() + 60
                while _stamp(out) == before and process.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.01)
                time.sleep(0.2)
                killed += process.poll() is None
                process.send_signal(signal_sent)
            _, told = process.communicate(timeout=120)
        if signal_sent is None:
            assert process.returncode == 0, told
    assert killed == 2
    first, second = (read_arrays(folder / "weights.safetensors") for folder in (run, out))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not (out / "state.ckpt").exists()


TWO = """
import sys
from pathlib import Path
from spineclock.run.training.command import train
from spineclock.run.training.settings import TrainSettings
if __name__ == "__main__":
    cohort, store, out = map(Path, sys.argv[1:4])
    train("mri-age", cohort, TrainSettings(store=store, max_epochs=1, precision="float32", device="cpu", devices=2,
          train_share=0.5, validation_share=0.25, threads=1), out=out)
"""


@pytest.mark.timeout(300)
def test_two_processes_share_each_batch_and_one_of_them_writes(cohort: Path, store: Path, tmp_path: Path) -> None:
    script, out = tmp_path / "two.py", tmp_path / "run"
    script.write_text(TWO, encoding="utf-8")
    call = [sys.executable, str(script), str(cohort), str(store), str(out)]
    done = subprocess.run(call, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    assert len(pd.read_csv(out / "curves.csv")) == 1
    assert np.isfinite(pd.read_csv(out / "predictions.csv")["predicted_age_years"]).all()


def _stamp(out: Path) -> int:
    state = out / "state.ckpt"
    return os.stat(state).st_mtime_ns if state.exists() else 0


def test_a_run_is_not_replaced_unasked_nor_taken_up_with_other_settings(cohort: Path, store: Path, run: Path) -> None:
    told = {"store": store, "max_epochs": 2, "precision": "float32", "learning_rate": 3e-3, "seed": 3, **SHARES}
    with pytest.raises(UsageError, match="holds a run"):
        train("mri-age", cohort, TrainSettings(**told), out=run)
    with pytest.raises(UsageError, match="was trained with another loss"):
        train("mri-age", cohort, TrainSettings(**{**told, "loss": "smooth_l1", "resume": True}), out=run)
    before = (run / "run.json").read_bytes()
    assert train("mri-age", cohort, TrainSettings(**{**told, "resume": True}), out=run) == 0
    assert (run / "run.json").read_bytes() == before


def test_people_who_would_change_sides_end_the_run_in_words(
    cohort: Path, store: Path, run: Path, tmp_path: Path
) -> None:
    people = pd.read_csv(cohort / "participants.tsv", sep="\t")
    fewer = tmp_path / "people.csv"
    people.iloc[:-3].to_csv(fewer, index=False)
    told = {"store": store, "max_epochs": 2, "precision": "float32", "learning_rate": 3e-3, "seed": 3, **SHARES}
    with pytest.raises(UsageError, match="other scans have come into the cohort"):
        train("mri-age", fewer, TrainSettings(**told, resume=True), out=run)


def test_what_else_lies_in_a_folder_is_never_removed(cohort: Path, store: Path, run: Path, tmp_path: Path) -> None:
    (tmp_path / "predictions.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="holds predictions.csv of something else"):
        train("mri-age", cohort, TrainSettings(store=store, overwrite=True), out=tmp_path)
    with pytest.raises(UsageError, match="holds a training run"):
        evaluate(run, cohort, EvaluateSettings(store=store), out=run)


def test_a_phantom_is_known_by_its_table_too(cohort: Path) -> None:
    assert simulated(cohort / "participants.tsv") == simulated(cohort) != ""


def test_evaluating_leaves_out_people_the_network_has_seen(
    run: Path, cohort: Path, store: Path, tmp_path: Path
) -> None:
    assert evaluate(run, cohort, EvaluateSettings(store=store, resamples=200), out=tmp_path / "same") == 0
    said = pd.read_csv(tmp_path / "same" / "predictions.csv")
    there = pd.read_csv(run / "predictions.csv").query("set == 'test'")
    assert list(said["scan_id"]) == list(there["scan_id"])
    assert np.allclose(said["corrected_age_years"], there["corrected_age_years"], atol=1e-3)
    page = (tmp_path / "same" / "evaluation.md").read_text(encoding="utf-8")
    assert "simulated" in page
    assert "R²" in page


def test_intervals_cover_what_the_run_was_trained_to(run: Path, cohort: Path, store: Path, tmp_path: Path) -> None:
    narrower = shutil.copytree(run, tmp_path / "narrower")
    asked = json.loads((run / "training.json").read_text(encoding="utf-8"))
    asked["settings"]["interval_coverage"] = 0.6
    (narrower / "training.json").write_text(json.dumps(asked), encoding="utf-8")
    evaluate(narrower, cohort, EvaluateSettings(store=store, resamples=0), out=tmp_path / "out")
    said = pd.read_csv(tmp_path / "out" / "predictions.csv")
    pairs = np.array(json.loads((run / "network.json").read_text(encoding="utf-8"))["validation"])
    residual = np.sort(np.abs(pairs[:, 0] - pairs[:, 1]))
    half = residual[int(np.ceil(0.6 * (len(residual) + 1))) - 1]
    assert np.allclose((said["interval_high_years"] - said["interval_low_years"]) / 2, half, atol=1e-3)
    assert json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))["interval_coverage"] == 0.6
    (narrower / "training.json").unlink()
    with pytest.raises(InputError, match="has no training.json"):
        evaluate(narrower, cohort, EvaluateSettings(store=store), out=tmp_path / "none")


def test_another_cohort_is_prepared_as_the_network_needs_it(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    make_scans(4, PhantomMriSettings(seed=6, grid="16x128x64"), out=other)
    assert evaluate(run, other, EvaluateSettings(resamples=0), out=tmp_path / "out") == 0
    assert PreparedStore.open(tmp_path / "out" / "prepared").how.shape == (16, 128, 64)
    assert set(pd.read_csv(tmp_path / "out" / "predictions.csv")["person_id"].str[:5]) == {"sub-6"}


def test_scans_that_cannot_be_prepared_on_the_way_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people = tmp_path / "people.csv"
    table(3, path=["", "none.nii.gz", ""]).to_csv(people, index=False)
    assert prepared_store(people, None, recipe="mri-age", out=tmp_path / "run") == tmp_path / "run" / "prepared"
    where = tmp_path / "run" / "prepared" / "failures.csv"
    line = f"3 scans of {people} could not be prepared and take no part: see {where}"
    assert line in capsys.readouterr().out.splitlines()
    assert len(where.read_text(encoding="utf-8").splitlines()) == 1 + 3


def test_both_sets_together_stay_within_the_memory_that_is_given(run: Path, store: Path) -> None:
    scans, split = PreparedStore.open(store), pd.read_csv(run / "split.csv")
    learned, held_out = (split[split["set"] == name] for name in ("train", "validation"))
    needed = scans.bytes_needed(range(len(learned) + len(held_out))) / 1e9
    for share, in_memory in ((1.0, [True, True]), (0.99, [True, False]), (0.5, [False, True]), (0, [False, False])):
        found = examples(learned, held_out, store=scans, memory_gb=share * needed)
        assert [e.scans is not scans for e in found] == in_memory
        for held, table in zip(found, (learned, held_out), strict=True):
            assert list(held.targets) == list(table["age_years"])
            first = scans.inputs([scans.positions[table["scan_id"].iloc[0]]])
            assert np.array_equal(held.scans.inputs(held.rows[:1]), first)


def test_a_store_prepared_otherwise_is_refused(run: Path, cohort: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    prepare_cohort(cohort, PrepareSettings(spacing_mm="8,10,8", shape="16,64,32"), out=small)
    with pytest.raises(UsageError, match=r"prepared with spacing_mm .*not .*shape \(16, 64, 32\), not"):
        evaluate(run, cohort, EvaluateSettings(store=small), out=tmp_path / "out")


def test_a_scan_is_aged_by_the_run_with_a_heat_map_and_never_as_ok(run: Path, tmp_path: Path) -> None:
    make_scans(1, PhantomMriSettings(seed=77), out=tmp_path / "whole")
    (image,) = (tmp_path / "whole").glob("*/*/anat/*_T2w.nii.gz")
    stem, scan_id = str(image).removesuffix(".nii.gz"), image.name.removesuffix("_T2w.nii.gz")
    told = PredictSettings(model=str(run), mask=Path(f"{stem}_dseg.nii.gz"), mask_scheme="spineclock", threads=1)
    out = tmp_path / "out"
    assert predict_all([image], told, out=out) == 0
    document = json.loads((out / f"{scan_id}_T2w" / "prediction.json").read_text(encoding="utf-8"))
    assert document["quality"]["verdict"] == "check"
    assert "the network has seen simulated people only" in document["quality"]["reasons"]
    assert document["predicted_age_years"] == document["components"]["network"]
    assert "simulated scans, of no real person" in document["statement"]
    assert (out / f"{scan_id}_T2w" / "attention.png").is_file()
    assert "Not a medical device" in (out / "report.html").read_text(encoding="utf-8")


# --- who is in which set --------------------------------------------------------------------------------------------


def table(n: int = 200, **more: object) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"scan_id": [f"s{k}" for k in range(n)], "person_id": [f"p{k // 2}" for k in range(n)],
                         "age_years": rng.uniform(25, 85, n), "sex": rng.choice(["F", "M"], n), **more})  # fmt: skip


def test_only_typical_scans_are_learned_from_and_every_scan_of_test_people_is_tested() -> None:
    normal = pd.array(np.arange(200) % 3 == 0, dtype="boolean")
    found = sets(table(normal=normal), TrainSettings()).table
    assert found[found["set"].isin(["train", "validation"])]["normal"].all()
    assert (found["set"] == "test").equals(found["split"] == "test")
    everyone = sets(table(normal=normal), TrainSettings(train_on="all")).table
    assert (everyone["split"] == found["split"]).all()
    assert (everyone["set"] == everyone["split"]).all()


def test_fewer_scans_are_a_random_part_of_the_same_training_people() -> None:
    small = sets(table(), TrainSettings(train_scans=20, validation_scans=10))
    whole = sets(table(), TrainSettings())
    assert len(small.of("train")) == 20
    assert len(small.of("validation")) == 10
    assert set(small.of("train")["scan_id"]) < set(whole.of("train")["scan_id"])
    assert set(small.of("test")["scan_id"]) == set(whole.of("test")["scan_id"])


def test_fewer_scans_are_the_first_of_more_and_the_same_whoever_else_is_there() -> None:
    told = table(split=np.where(np.arange(200) < 140, "train", "validation"))
    few, more = (sets(told, TrainSettings(train_scans=n, validation_scans=10)) for n in (20, 60))
    assert set(few.of("train")["scan_id"]) < set(more.of("train")["scan_id"])
    there = told[told["scan_id"].isin(few.table.loc[few.table["set"] != "unused", "scan_id"])].reset_index(drop=True)
    again = sets(there, TrainSettings(train_scans=20, validation_scans=10))
    assert set(again.of("train")["scan_id"]) == set(few.of("train")["scan_id"])
    assert again.sha256 == few.sha256  # what is not used does not count
    other = sets(told, TrainSettings(train_scans=20, validation_scans=10, split_seed=1))
    assert set(other.of("train")["scan_id"]) != set(few.of("train")["scan_id"])


def test_a_split_that_is_told_is_kept_and_one_that_leaks_is_refused() -> None:
    told = table(split=np.where(np.arange(200) < 100, "train", np.where(np.arange(200) < 150, "validation", "test")))
    assert (sets(told, TrainSettings()).table["split"] == told["split"]).all()
    told.loc[0, "split"] = "test"
    with pytest.raises(TableError, match="1 people in two splits, such as p0"):
        sets(told, TrainSettings())
    with pytest.raises(TableError, match="'exam' in column split"):
        sets(told.assign(split="exam"), TrainSettings())
    few = np.where(np.arange(200) < 198, "train", "validation")
    with pytest.raises(TableError, match="2 scans for validation; wanted: at least 3"):
        sets(table(split=few), TrainSettings())


def test_another_runs_split_is_taken_over_and_one_that_leaks_is_refused(tmp_path: Path) -> None:
    people, split = tmp_path / "people.csv", tmp_path / "split.csv"
    table().to_csv(people, index=False)
    first = sets(people_of(people), TrainSettings(split_seed=7)).table
    first.to_csv(split, index=False)
    second = sets(people_of(people, split=split), TrainSettings(split_seed=0)).table
    assert (first["split"] == second["split"]).all()
    first.loc[0, "split"] = "test" if first.loc[0, "split"] != "test" else "train"
    first.to_csv(split, index=False)
    with pytest.raises(TableError, match="says two things of 1 person_id"):
        people_of(people, split=split)


def test_normals_of_other_scans_are_refused(tmp_path: Path) -> None:
    people, normals = tmp_path / "people.csv", tmp_path / "normals.csv"
    table().to_csv(people, index=False)
    told = pd.DataFrame({"scan_id": [f"other{k}" for k in range(200)], "normal": True})
    told.to_csv(normals, index=False)
    with pytest.raises(TableError, match="no scan of .* is in normals.csv"):
        people_of(people, normals=normals)
    told.assign(scan_id="s1").to_csv(normals, index=False)
    with pytest.raises(TableError, match="says two things of"):
        people_of(people, normals=normals)


def test_scans_of_nobody_in_particular_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "people.csv"
    table().to_csv(path, index=False)
    people_of(path)
    assert capsys.readouterr().out == ""
    some = table(age_years=[*[50.0] * 199, np.nan])
    for told, count in ((some.drop(columns="person_id"), 199), (some.assign(person_id=["", "p1"] * 100), 100)):
        told.to_csv(path, index=False)
        found = people_of(path)
        line = f"{count} of 199 scans of {path} have no person_id: each counts as a person of its own\n"
        assert capsys.readouterr().out == line
        assert found["person_id"].isin(found["scan_id"]).sum() == count


def test_the_same_people_are_tested_whichever_part_is_in_view() -> None:
    everybody = table()
    split = split_of(everybody, TrainSettings())
    some = everybody.assign(split=split).iloc[5:].reset_index(drop=True)
    found = sets(some, TrainSettings()).table
    assert set(found.query("set == 'test'")["scan_id"]) == set(some["scan_id"][(split.iloc[5:] == "test").to_numpy()])


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="nothing tells which scans are age-typical"):
        sets(table(), TrainSettings(train_on="normal"))
    path = tmp_path / "people.csv"
    table(normal="maybe").to_csv(path, index=False)
    with pytest.raises(TableError, match="normal is 'maybe'"):
        people_of(path)
    table(normal=["true", ""] * 100).to_csv(path, index=False)
    assert people_of(path)["normal"].isna().sum() == 100
    for words in (["yes", "No"], [1, 0], [1.0, np.nan], [True, False]):  # as `spineclock study` reads them
        table(normal=words * 100).to_csv(path, index=False)
        assert people_of(path)["normal"].fillna(False).tolist() == [True, False] * 100
    with pytest.raises(UsageError, match="does not exist"):
        train("mri-age", tmp_path / "none.csv", TrainSettings(), out=tmp_path / "out")
    with pytest.raises(InputError, match="has no training.json"):
        evaluate(tmp_path, path, EvaluateSettings(), out=tmp_path / "out")


def test_the_error_card_has_a_row_for_each_site_where_there_are_several() -> None:
    n = 60
    told = table(n, site=["a", "b"] * 30)
    told = told.assign(predicted_age_years=told["age_years"] + np.where(told["site"] == "a", 2, -4),
                       corrected_age_years=told["age_years"], interval_low_years=told["age_years"] - 3,
                       interval_high_years=told["age_years"] + 3)  # fmt: skip
    card = error_card(told).set_index("group")
    assert card.loc["site a", "mae_years"] == pytest.approx(2)
    assert card.loc["site b", "mean_error_years"] == pytest.approx(-4)
    assert card.loc["everyone", "mae_years"] == pytest.approx(3)
    assert (card["interval_covers"] == 1).all()
    assert card.loc[[g for g in card.index if g.count(",") == 2], "scans"].sum() == n
