"""Films from simulated people to a corrected age, as one would do it: prepare, train, recalibrate, evaluate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from spineclock.core.errors import InputError, TableError, UsageError
from spineclock.learn import fit
from spineclock.learn.feed import Examples
from spineclock.learn.fit import Judged
from spineclock.nets.recalibration import write_recalibrated
from spineclock.nets.run_folder import read_network
from spineclock.prep.store import PreparedStore
from spineclock.run.config import configure
from spineclock.run.defaults import prepare_defaults, train_defaults
from spineclock.run.phantom_radiograph import make_films
from spineclock.run.phantom_settings import PhantomRadiographSettings
from spineclock.run.predict import predict_all
from spineclock.run.prepare import prepare_cohort
from spineclock.run.settings import PredictSettings, PrepareSettings
from spineclock.run.training.command import train
from spineclock.run.training.evaluation import evaluate
from spineclock.run.training.recalibration import recalibrate
from spineclock.run.training.settings import EvaluateSettings, TrainSettings
from spineclock.stats.bias import Beheshti
from spineclock.stats.calibration import Calibration

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("in_this_process")]
RECIPE = "xray-age"


def films(folder: Path, n: int, *, seed: int, modality: str = "radiograph") -> Path:
    """A cohort of simulated films and, beside it, its store."""
    settings = PhantomRadiographSettings(seed=seed, modality=modality, grid="64x32", workers=1, from_years=40)
    assert make_films(n, settings, out=folder) == 0
    told = configure(PrepareSettings, defaults=prepare_defaults(RECIPE), flags={"canvas": "64,32", "workers": 1})
    assert prepare_cohort(folder, told.settings, out=store_of(folder), recipe=RECIPE) == 0
    return folder


def store_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-store")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network trained for two epochs."""
    folder = tmp_path_factory.mktemp("films")
    cohort = films(folder / "people", 90, seed=60)
    told = configure(TrainSettings, defaults=train_defaults(RECIPE), flags={
        "store": store_of(cohort), "max_epochs": 2, "train_share": 0.4, "validation_share": 0.4, "batch_size": 8,
    }).settings  # fmt: skip
    assert told.loss == "mean_variance"
    assert train(RECIPE, cohort, told, out=folder / "run", quiet=True) == 0
    return folder / "run"


@pytest.fixture(scope="module")
def vfa(run: Path) -> Path:
    return films(run.parent / "vfa", 50, seed=61, modality="vfa")


def test_nobody_beyond_the_classes_is_learned_from_and_intervals_go_with_the_networks_sd(run: Path) -> None:
    split = pd.read_csv(run / "split.csv")
    learned = split[split["set"].isin(["train", "validation"])]
    assert learned["age_years"].round().between(40, 99).all()
    assert split.loc[split["set"] == "test", "age_years"].round().between(40, 99).all()
    assert set(split["film"]) == {"radiograph"}
    assert read_network(run).corrects("radiograph")
    assert not read_network(run).corrects("vfa")
    net = read_network(run)
    assert (net.head.youngest, net.head.oldest) == (40, 99)
    said = pd.read_csv(run / "predictions.csv")
    pairs = np.array(net.about["validation"])
    assert pairs.shape == ((split["set"] == "validation").sum(), 3)
    np.testing.assert_allclose(
        said.loc[said["set"] == "validation", ["predicted_age_years", "age_years", "predicted_sd_years"]],
        pairs,
        atol=1e-3,
    )
    halves = (said["interval_high_years"] - said["interval_low_years"]) / 2
    ratio = halves / said["predicted_sd_years"].clip(lower=0.5)
    np.testing.assert_allclose(ratio, ratio.iloc[0], rtol=1e-2)


def test_films_in_a_store_know_their_kind(run: Path, vfa: Path) -> None:
    kinds = {entry.film for entry in PreparedStore.open(store_of(vfa)).entries}
    assert kinds == {"vfa"}
    assert {entry.film for entry in PreparedStore.open(store_of(run.parent / "people")).entries} == {"radiograph"}


def knowing(net: object, head: object, held: Examples, *, part: str) -> Judged:
    """What a network would say that had learned more than one can learn here."""
    age = held.targets
    return Judged(np.column_stack([0.6 * age + 28 + 3 * np.sin(7 * age), 2 + np.cos(3 * age) ** 2]), 1.0)


def test_recalibrated_by_vfa_people_who_are_then_left_out(
    run: Path, vfa: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "judged", knowing)
    settings = EvaluateSettings(store=store_of(vfa), resamples=0)
    assert evaluate(run, vfa, settings, out=tmp_path / "before") == 0
    before = pd.read_csv(tmp_path / "before" / "predictions.csv")
    page = (tmp_path / "before" / "evaluation.md").read_text(encoding="utf-8")
    assert "DXA VFA images have not been corrected for" in page
    weights = (run / "weights.safetensors").read_bytes()
    try:
        assert recalibrate(run, vfa, settings) == 0
        assert (run / "weights.safetensors").read_bytes() == weights
        pairs = read_network(run).pairs("vfa")
        wanted = before[["predicted_age_years", "age_years", "predicted_sd_years"]]
        np.testing.assert_allclose(np.sort(np.array(pairs), axis=0), np.sort(wanted, axis=0), atol=1e-3)
        with pytest.raises(TableError, match="left to evaluate"):  # all of them are known now
            evaluate(run, vfa, settings, out=tmp_path / "same")
        other = films(tmp_path / "other", 8, seed=62, modality="vfa")
        told = EvaluateSettings(store=store_of(other), resamples=0)
        assert evaluate(run, other, told, out=tmp_path / "after") == 0
        after = pd.read_csv(tmp_path / "after" / "predictions.csv")
        cole = Calibration.fit(pairs, coverage=0.9).cole
        np.testing.assert_allclose(
            after["corrected_age_years"], cole.corrected(after["predicted_age_years"]), atol=1e-2
        )
        line = Beheshti.fit(*np.array(pairs)[:, :2].T)
        by_line = line.corrected(after["predicted_age_years"], after["age_years"])
        np.testing.assert_allclose(after["modality_corrected_age_years"], by_line, atol=1e-2)
        assert "vfa" in json.loads((tmp_path / "after" / "run.json").read_text(encoding="utf-8"))["recalibrated"]
        with pytest.raises(TableError, match=r"people with vfa to recalibrate by; wanted: at least 30"):
            recalibrate(run, other, told)
        radiographs = EvaluateSettings(store=store_of(run.parent / "people"), resamples=0)
        assert evaluate(run, run.parent / "people", radiographs, out=tmp_path / "radiographs") == 0
        assert "modality_corrected" not in (tmp_path / "radiographs" / "predictions.csv").read_text(encoding="utf-8")
        page = (tmp_path / "after" / "evaluation.md").read_text(encoding="utf-8")
        assert "have not been corrected" not in page
        assert "uses the" in page  # Beheshti's line looks at the tested person's age
        people = read_network(run).recalibrated["vfa"].people
        assert recalibrate(run, vfa, settings) == 0  # again by the same people
        assert read_network(run).recalibrated["vfa"].people == people
    finally:
        (run / "recalibration.json").unlink(missing_ok=True)


def test_a_store_of_films_and_a_network_of_scans_do_not_go_together(run: Path, tmp_path: Path) -> None:
    cohort = run.parent / "people"
    told = TrainSettings(store=store_of(cohort), max_epochs=1)  # the defaults of scans
    with pytest.raises(UsageError, match="was not prepared for mri-age"):
        train("mri-age", cohort, told, out=tmp_path / "run", quiet=True)
    with pytest.raises(UsageError, match="table2 reads scans of many slices"):
        train(RECIPE, cohort, told, out=tmp_path / "other", quiet=True)
    with pytest.raises(UsageError, match="start imagenet for the network film_small"):
        configure(TrainSettings, defaults=train_defaults(RECIPE), flags={"start": "imagenet"})
    with pytest.raises(InputError, match="has no training.json"):
        evaluate(tmp_path / "nothing", cohort, out=tmp_path / "evaluation")


def test_a_photograph_gets_its_refusal_and_no_age(run: Path, tmp_path: Path) -> None:
    photograph = tmp_path / "films" / "temple.png"
    photograph.parent.mkdir()
    Image.fromarray(load_sample_image("china.jpg")).save(photograph)
    settings = configure(PredictSettings, flags={"recipe": RECIPE, "model": str(run)}).settings
    try:
        write_recalibrated(run, read_network(run).sha256, {})
        with pytest.MonkeyPatch.context() as patch:  # a network that learned nothing has no interval, and is refused
            patch.setattr(Calibration, "fit", classmethod(lambda cls, pairs, coverage: None))
            assert predict_all([photograph], settings, out=tmp_path / "out", progress=False) == 1
    finally:
        (run / "recalibration.json").unlink()
    (document,) = [json.loads(p.read_text(encoding="utf-8")) for p in (tmp_path / "out").rglob("prediction.json")]
    assert document["quality"]["verdict"] == "refused"
    assert "colour" in document["quality"]["reasons"][0]
    assert "predicted_age_years" not in document
    assert document["input"]["shape"] == [1, 640, 427]
    assert "colour" in (tmp_path / "out" / "failures.csv").read_text(encoding="utf-8")
    assert "colour" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_ages_that_the_network_cannot_answer_are_left_out_and_it_is_said(run: Path, tmp_path: Path) -> None:
    cohort = run.parent / "people"
    table = pd.read_csv(cohort / "participants.tsv", sep="\t", dtype=str)
    table["path"] = [str(cohort / p) if isinstance(p, str) else "" for p in table["path"]]
    split = pd.read_csv(run / "split.csv", dtype=str)
    tested = table[table["scan_id"].isin(split.loc[split["set"] == "test", "scan_id"])].reset_index(drop=True)
    tested.loc[0, "age_years"] = "31"  # as if a younger one had been filmed
    tested.to_csv(tmp_path / "people.csv", index=False)
    told = EvaluateSettings(store=store_of(cohort), resamples=0)
    assert evaluate(run, tmp_path / "people.csv", told, out=tmp_path / "evaluation") == 0
    said = pd.read_csv(tmp_path / "evaluation" / "predictions.csv")
    assert len(said) == len(tested) - 1
    caution = json.loads((tmp_path / "evaluation" / "run.json").read_text(encoding="utf-8"))["caution"]
    assert "1 scans of people beyond the network's ages" in caution


def test_the_packaged_network_reads_a_film_and_is_never_sure(tmp_path: Path) -> None:
    settings = PhantomRadiographSettings(seed=63, workers=1, format="png", pixel_mm=1.5)
    assert make_films(1, settings, out=tmp_path / "film") == 0
    told = configure(PredictSettings, flags={"recipe": RECIPE}).settings
    assert predict_all([tmp_path / "film"], told, out=tmp_path / "out", progress=False) == 0
    (document,) = [json.loads(p.read_text(encoding="utf-8")) for p in (tmp_path / "out").rglob("prediction.json")]
    assert document["quality"]["verdict"] == "check"
    assert any("simulated people only" in reason for reason in document["quality"]["reasons"])
    assert 40 <= document["predicted_age_years"] <= 99
    assert document["predicted_sd_years"] > 0
    folder = next((tmp_path / "out").rglob("prediction.json")).parent
    assert {p.name for p in folder.iterdir()} == {"prediction.json", "overlay.png", "interval.png", "attention.png"}
    assert "Research model: trained on" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
