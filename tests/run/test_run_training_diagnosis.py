"""``spineclock train`` and ``evaluate`` of a disease, on made-up crops: who decides what, and what a run holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import TableError, UsageError
from spineclock.nets.diagnosis_folder import read_diagnosis
from spineclock.nets.weights import read_arrays
from spineclock.prep.crop_rows import crop_variants
from spineclock.prep.cropping import Cropping
from spineclock.prep.crops import Crop, Crops
from spineclock.prep.store import PreparedStore
from spineclock.prep.store_format import About
from spineclock.prep.store_write import write_scan, writing
from spineclock.run.config import configure
from spineclock.run.defaults import train_defaults
from spineclock.run.study.command import study
from spineclock.run.training.command import train
from spineclock.run.training.diagnosis_card import diagnosis_card
from spineclock.run.training.evaluation import evaluate
from spineclock.run.training.recalibration import recalibrate
from spineclock.run.training.settings import EvaluateSettings, TrainSettings
from spineclock.stats.diagnosis.from_levels import FromLevels
from spineclock.stats.diagnosis.operating import Threshold

HOW = Cropping(size=(32, 32))
N = 90
pytestmark = pytest.mark.slow


def crops_of(ill: bool, rng: np.random.Generator) -> Crops:
    """A band is brighter in the ill; one level in eight is not there."""
    made = []
    for level in HOW.levels:
        if level != "L3" and rng.random() < 0.125:
            continue
        array = rng.normal(size=(1, 32, 32)).astype(np.float32)
        array[:, 12:20] += 0.8 * ill
        made.append(Crop(level, array, np.ones((1, 32, 32), bool), np.eye(4), 1.0, 1.0))
    missing = dict.fromkeys(sorted(set(HOW.levels) - {c.level for c in made}), "its body meets the border")
    return Crops(tuple(made), missing, HOW)


def cohort(folder: Path, *, seed: int, name: str = "p", sequences: tuple[str, ...] = ("T1w",)) -> tuple[Path, Path]:
    """A table of people, every tenth scanned twice, and a store with their crops."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    rows, store = [], folder / "store"
    about = About(HOW, "float16", "0")
    with writing(store, about) as writer:
        free = iter(writer.free_rows(2 * N))
        for k in range(N):
            ill, age = bool(rng.random() < 0.35), float(rng.uniform(50, 84))
            for session in range(1 + (k % 10 == 0)):
                scan_id = f"{name}{k}_{session}"
                sequence = sequences[k % len(sequences)]
                entry = write_scan(store, next(free), crop_variants(crops_of(ill, rng)), about, scan_id=scan_id,
                                   source={}, sequence=sequence)  # fmt: skip
                writer.add(entry)
                rows.append({"scan_id": scan_id, "person_id": f"{name}{k}", "age_years": age,
                             "sex": "FM"[k % 2], "osteoporosis": int(ill)})  # fmt: skip
    table = folder / "people.csv"
    pd.DataFrame(rows).to_csv(table, index=False)
    return table, store


def told(store: Path, **changes: Any) -> TrainSettings:
    flags = {"store": store, "max_epochs": 4, "train_share": 0.5, "validation_share": 0.25, "precision": "float32"}
    return configure(TrainSettings, defaults=train_defaults("mri-osteoporosis"), flags={**flags, **changes}).settings


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return cohort(tmp_path_factory.mktemp("cohort"), seed=1)


@pytest.fixture(scope="module")
def run(given: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    assert train("mri-osteoporosis", given[0], told(given[1]), out=out, quiet=True) == 0
    return out


def test_the_folder_holds_all_a_later_person_needs(run: Path) -> None:
    assert {p.name for p in run.iterdir()} == {
        "training.json", "run.json", "config.toml", "curves.csv", "split.csv", "weights.safetensors", "network.json",
        "predictions.csv", "vertebrae.csv", "diagnosis.csv", "MODEL_CARD.md", "curves.png", "diagnosis.png",
        "tensorboard",
    }  # fmt: skip
    assert list(pd.read_csv(run / "curves.csv")) == [
        "epoch", "train_loss", "validation_loss", "validation_auroc", "learning_rate", "seconds", "idle_share",
        "minutes",
    ]  # fmt: skip
    assert json.loads((run / "network.json").read_text())["sequence"] == "T1w"


def test_people_are_split_not_scans_and_each_split_has_its_share_of_the_ill(run: Path) -> None:
    split = pd.read_csv(run / "split.csv")
    assert split.groupby("person_id")["set"].nunique().max() == 1
    share = split.groupby("set")["label"].mean()
    assert (share - split["label"].mean()).abs().max() < 0.15


def test_lines_and_thresholds_follow_from_validation_people_alone(run: Path) -> None:
    about = json.loads((run / "network.json").read_text())
    rows = pd.read_csv(run / "vertebrae.csv")
    people = pd.read_csv(run / "predictions.csv")
    wide = rows.pivot(index="scan_id", columns="level", values="log_odds").reindex(
        index=people["scan_id"], columns=list(HOW.levels)
    )
    own = (people["set"] == "validation").to_numpy()
    fitted = FromLevels.fit(wide[own], people.loc[own, "label"] == 1, people.loc[own, "person_id"])
    stored = FromLevels.from_dict(about["calibration"])
    assert fitted.vertebra.slope == pytest.approx(stored.vertebra.slope, rel=1e-2)
    assert fitted.person.intercept == pytest.approx(stored.person.intercept, abs=2e-2)
    assert np.allclose(people["probability"], stored.probability(wide.to_numpy()), atol=2e-3)
    youden = Threshold.youden(people.loc[own, "probability"], people.loc[own, "label"] == 1).value
    assert stored.threshold == pytest.approx(youden, abs=1e-3)
    assert (people["called"] == (people["probability"] > stored.threshold)).all()
    assert set(people["set"]) == {"validation", "test"}


def test_it_tells_the_ill_from_the_others_and_the_card_says_how_well(run: Path) -> None:
    people = pd.read_csv(run / "predictions.csv")
    card = pd.read_csv(run / "diagnosis.csv")
    test = diagnosis_card(people[people["set"] == "test"])
    assert card.loc[0, "auroc"] == pytest.approx(test.loc[0, "auroc"], abs=1e-3)
    assert card.loc[0, "auroc"] > 0.9
    assert {"men", "women"} <= set(card["group"])
    text = (run / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "The probability that a person has osteoporosis" in text
    assert "Not a medical device" in text


def test_the_network_that_is_read_back_says_what_predictions_hold(run: Path, given: tuple[Path, Path]) -> None:
    trained, store = read_diagnosis(run), PreparedStore.open(given[1])
    calibration = FromLevels.from_dict(trained.about["calibration"])
    people = pd.read_csv(run / "predictions.csv").iloc[:4]
    for scan_id, probability in zip(people["scan_id"], people["probability"], strict=True):
        z = trained.log_odds(store.input(store.positions[scan_id]))
        assert calibration.probability(z[None])[0] == pytest.approx(probability, abs=1e-3)


def test_the_same_settings_give_the_same_weights_and_a_finished_run_is_left_alone(
    run: Path, given: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train("mri-osteoporosis", given[0], told(given[1]), out=tmp_path / "again", quiet=True)
    first, second = (read_arrays(folder / "weights.safetensors") for folder in (run, tmp_path / "again"))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert train("mri-osteoporosis", given[0], told(given[1], resume=True), out=run, quiet=True) == 0
    assert "nothing is left to do" in capsys.readouterr().out


def test_another_cohort_is_called_by_the_runs_own_threshold_and_its_own_people_are_left_out(
    run: Path, given: tuple[Path, Path], tmp_path: Path
) -> None:
    table, store = cohort(tmp_path / "other", seed=2, name="q")
    assert evaluate(run, table, EvaluateSettings(store=store), out=tmp_path / "evaluation") == 0
    people = pd.read_csv(tmp_path / "evaluation" / "predictions.csv")
    assert len(people) == len(pd.read_csv(table))
    threshold = json.loads((run / "network.json").read_text())["calibration"]["thresholds"]["youden"]
    assert (people["called"] == (people["probability"] > threshold)).all()
    assert pd.read_csv(tmp_path / "evaluation" / "diagnosis.csv").loc[0, "auroc"] > 0.9
    assert evaluate(run, given[0], EvaluateSettings(store=given[1]), out=tmp_path / "own") == 0
    split = pd.read_csv(run / "split.csv")
    own = pd.read_csv(tmp_path / "own" / "predictions.csv")
    assert set(own["scan_id"]) == set(split.loc[split["set"] == "test", "scan_id"])


def test_a_run_is_of_one_weighting(tmp_path: Path) -> None:
    table, store = cohort(tmp_path / "mixed", seed=3, sequences=("T1w", "T2w"))
    with pytest.raises(TableError, match="scans weighted T1w and T2w.*--set sequence=T1w, or T2w"):
        train("mri-osteoporosis", table, told(store), out=tmp_path / "run", quiet=True)
    assert (
        train("mri-osteoporosis", table, told(store, sequence="T2w", max_epochs=1), out=tmp_path / "t2", quiet=True)
        == 0
    )
    assert read_diagnosis(tmp_path / "t2").sequence == "T2w"
    assert set(pd.read_csv(tmp_path / "t2" / "split.csv")["sequence"]) == {"T2w"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"network": "table2"}, "the network table2 for crops; wanted: one of crop_small"),
        ({"mirror": True}, "mirror, which would turn the order of levels about"),
    ],
)
def test_what_crops_cannot_have_is_refused(
    given: tuple[Path, Path], tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        train("mri-osteoporosis", given[0], told(given[1], **changes), out=tmp_path / "run", quiet=True)


def test_too_few_who_are_ill_are_refused(given: tuple[Path, Path], tmp_path: Path) -> None:
    table = pd.read_csv(given[0])
    table.assign(osteoporosis=(table["person_id"] == "p3").astype(int)).to_csv(tmp_path / "people.csv", index=False)
    with pytest.raises(TableError, match="scans with and .* without osteoporosis for .*wanted: at least 2 of each"):
        train("mri-osteoporosis", tmp_path / "people.csv", told(given[1]), out=tmp_path / "run", quiet=True)


def test_what_is_of_ages_refuses_it_with_the_reason(run: Path, given: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds probabilities of a disease, and no ages"):
        study(run, cohort=given[0], out=tmp_path / "study")
    with pytest.raises(UsageError, match="cannot be set anew by this command yet"):
        recalibrate(run, given[0], EvaluateSettings(store=given[1]))
