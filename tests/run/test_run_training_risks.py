"""Training of follow-up: what is learned where some is not known, whom it is judged by, and that it goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import TableError, UsageError
from spineclock.core.volume import Mask, Volume
from spineclock.nets.cox_head import CoxHead
from spineclock.nets.risk_folder import log_odds, read_risk, risks
from spineclock.nets.weights import read_arrays
from spineclock.prep.ct_cropping import CtCropping
from spineclock.prep.intensity import Scale
from spineclock.prep.masking import bit
from spineclock.prep.prepared import Variants
from spineclock.prep.store import PreparedStore
from spineclock.prep.store_format import About
from spineclock.prep.store_write import write_scan, writing
from spineclock.recipes.ct_fracture import FRACTURE
from spineclock.run.config import configure
from spineclock.run.defaults import train_defaults
from spineclock.run.training import command
from spineclock.run.training.command import train
from spineclock.run.training.evaluation import evaluate
from spineclock.run.training.held import examples, part_read
from spineclock.run.training.risk_targets import followed, targets_of, told_of, with_vertebrae
from spineclock.run.training.sets import ENDING, LABEL, YEARS, people_of, sets
from spineclock.run.training.settings import EvaluateSettings, TrainSettings
from spineclock.stats.diagnosis.from_levels import FromLevels

PEOPLE = 90
HOW = CtCropping(region=(8, 32, 32))
LEVELS = (("T12", "L1", "L2"), ("L1", "L2", "L3"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cohort of 90 people, ten scanned twice, whose pictures are darker the likelier they break, and their store."""
    out, rng = tmp_path_factory.mktemp("risks"), np.random.default_rng(5)
    ill = rng.normal(size=PEOPLE)
    event, death = rng.exponential(8 * np.exp(-1.2 * ill)), rng.exponential(25, PEOPLE)
    end = rng.uniform(3, 9, PEOPLE)
    years = np.minimum.reduce([event, death, end])
    table = pd.DataFrame({
        "person_id": [f"p{i:02d}" for i in range(PEOPLE)], "scan_id": [f"p{i:02d}_1" for i in range(PEOPLE)],
        "age_years": rng.uniform(65, 85, PEOPLE).round(1), "sex": rng.choice(["F", "M"], PEOPLE),
        "prevalent_vertebral_fractures": (ill + rng.normal(0, 0.5, PEOPLE) > 0.3).astype(int),
        "vertebral_fracture_years": years, "vertebral_fracture": event <= years,
        "death_years": np.minimum(death, end), "death": death <= end,
    })  # fmt: skip
    followed_ = ["vertebral_fracture_years", "vertebral_fracture", "death_years", "death"]
    again = table.iloc[:10].assign(scan_id=lambda t: t["person_id"] + "_2")
    table = pd.concat([table, again], ignore_index=True).astype({c: object for c in followed_})
    table.loc[table.index >= PEOPLE, followed_] = np.nan  # outcomes count from the first scan
    table["prevalent_vertebral_fractures"] = table["prevalent_vertebral_fractures"].astype(object)
    table.loc[[20, 21], "prevalent_vertebral_fractures"] = np.nan
    table.loc[[22, 23], ["prevalent_vertebral_fractures", *followed_]] = np.nan  # nothing known: take no part
    table.to_csv(out / "people.csv", index=False)
    every = [(scan, level) for k, scan in enumerate(table["scan_id"]) for level in LEVELS[k % 2][: k % 3]]
    pd.DataFrame(every, columns=["scan_id", "level"]).to_csv(out / "fractures.csv", index=False)
    stored(out / "store", table, np.append(ill, ill[:10]), rng)
    return out


def stored(path: Path, table: pd.DataFrame, ill: np.ndarray, rng: np.random.Generator, how: CtCropping = HOW) -> None:
    yy, xx = np.mgrid[:32, :32]
    bone = np.broadcast_to(np.hypot(yy - 12, xx - 16) < 8, how.shape)
    every = bone | (yy > 22)
    margins = (bit("whole") * every + bit("bone") * bone).astype(np.uint8)
    scale = Scale(0.0, 1.0, 0.0, 1.0)
    with writing(path, About(how, "float16", "test")) as store:
        for k, (scan, row) in enumerate(zip(table["scan_id"], store.free_rows(len(table)), strict=True)):
            picture = np.where(bone, 0.4 - 0.12 * ill[k], 0.25) + rng.normal(0, 0.03, how.shape)
            made = Variants(
                Volume((np.clip(picture, 0.01, 1) * every).astype(np.float32), np.eye(4)),
                Mask(bone.astype(np.uint16), np.eye(4)), Mask(margins, np.eye(4)), {"whole": scale, "bone": scale},
                {"whole": 1.0, "bone": 1.0}, {}, LEVELS[k % 2],
            )  # fmt: skip
            store.add(write_scan(path, row, made, store.about, scan_id=scan, source={}))


def told(folder: Path, **settings: object) -> TrainSettings:
    flags = {
        "store": folder / "store", "max_epochs": 15, "stop_patience": 50, "batch_size": 16, "precision": "float32",
        "threads": 1, "train_share": 0.4, "validation_share": 0.35, "learning_rate": 1e-2, "rotate_deg": 0.0,
        "zoom": 0.0, **settings,
    }  # fmt: skip
    return configure(TrainSettings, defaults=train_defaults("ct-fracture"), flags=flags).settings


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    assert train("ct-fracture", folder / "people.csv", told(folder), out=folder / "run", quiet=True) == 0
    return folder / "run"


def test_a_run_leaves_all_that_a_later_person_needs(run: Path) -> None:
    held = {"split.csv", "predictions.csv", "detection.csv", "risks.csv", "network.json", "weights.safetensors",
            "MODEL_CARD.md", "curves.png", "detection.png", "risks.png", "run.json"}  # fmt: skip
    assert held <= {path.name for path in run.iterdir()}
    about = json.loads((run / "network.json").read_text(encoding="utf-8"))
    assert about["horizons_years"] == [2, 3, 5]
    assert about["head"]["survival"]["causes"] == 2  # some die first
    assert about["preparation"]["parts"] == "bone+muscle"
    card = (run / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "Not a medical device" in card
    assert "beside death" in card
    said = pd.read_csv(run / "predictions.csv")
    by = said[["risk_2_years", "risk_3_years", "risk_5_years"]].to_numpy()
    assert (np.diff(by, axis=1) >= 0).all()
    assert ((by > 0) & (by < 1)).all()
    figures = pd.read_csv(run / "risks.csv").set_index("figure")
    assert figures.loc["Harrell's c", "estimate"] > 0.6  # darker pictures break


def test_nobody_is_in_two_sets_and_those_of_whom_nothing_is_known_take_no_part(run: Path) -> None:
    split = pd.read_csv(run / "split.csv", dtype={"person_id": str})
    assert split.groupby("person_id")["split"].nunique().max() == 1
    assert split.groupby("person_id")["scan_id"].count().max() == 2
    assert not set(split["person_id"]) & {"p22", "p23"}
    assert {"p20", "p21"} <= set(split["person_id"])  # followed, though not read
    assert (split[YEARS].isna() & split[LABEL].notna()).any()  # second scans teach what is there alone
    assert set(pd.read_csv(run / "predictions.csv")["set"]) == {"validation", "test"}


def test_targets_are_unknown_where_the_cohort_does_not_tell(folder: Path) -> None:
    settings = told(folder)
    people = people_of(folder / "people.csv", labelled=lambda t: told_of(t, FRACTURE, settings, folder / "people.csv"))
    store = PreparedStore.open(folder / "store")
    targets = targets_of(with_vertebrae(people, store))
    assert targets.shape == (len(people), 3)
    own = people.set_index("scan_id")
    rows = dict(zip(people["scan_id"], targets, strict=True))
    assert np.isnan(rows["p20_1"][0])
    assert np.isfinite(rows["p20_1"][1:]).all()
    assert np.isnan(rows["p00_2"][1:]).all()
    assert own.loc["p00_2", LABEL] == rows["p00_2"][0]
    (held,) = examples(people, store=store, memory_gb=1)
    assert np.array_equal(held.targets, targets, equal_nan=True)


def test_endings_are_told_apart() -> None:
    table = pd.DataFrame({
        "vertebral_fracture_years": [1.0, 4.0, 4.0, np.nan], "vertebral_fracture": [True, False, False, np.nan],
        "death_years": [6.0, 4.0, 4.0, 2.0], "death": [True, True, False, True],
    }).astype({"vertebral_fracture": object})  # fmt: skip
    both = followed(table, FRACTURE)
    assert both[ENDING].tolist()[:3] == [1, 2, 0]
    assert np.isnan(both.loc[3]).all()
    assert followed(table, FRACTURE, compete=False)[ENDING].tolist()[:3] == [1, 0, 0]


def test_labels_by_level_are_those_of_the_vertebrae_shown(folder: Path) -> None:
    settings = told(folder, detect="vertebrae")
    table = pd.read_csv(folder / "people.csv")
    people = people_of(folder / "people.csv", labelled=lambda t: told_of(t, FRACTURE, settings, folder / "people.csv"))
    shown = with_vertebrae(people, PreparedStore.open(folder / "store")).set_index("scan_id")
    for k, scan in enumerate(table["scan_id"]):
        broken = set(LEVELS[k % 2][: k % 3])
        assert shown.loc[scan, "vertebrae"] == " ".join(LEVELS[k % 2])
        own = shown.loc[scan, [f"{LABEL}_{n}" for n in (1, 2, 3)]].tolist()
        assert own == [float(v in broken) for v in LEVELS[k % 2]]
        assert shown.loc[scan, LABEL] == float(bool(broken))


def test_the_network_that_is_read_back_says_what_predictions_hold(run: Path, folder: Path) -> None:
    trained, store = read_risk(run), PreparedStore.open(folder / "store")
    said = pd.read_csv(run / "predictions.csv").iloc[:5]
    calibration = FromLevels.from_dict(trained.about["detection"])
    for row in said.itertuples():
        raw = trained.answer(store.input(store.positions[row.scan_id]))
        assert risks(trained.head, raw, (2.0, 3.0, 5.0))[0].tolist() == pytest.approx(
            [row.risk_2_years, row.risk_3_years, row.risk_5_years], abs=6e-5
        )
        assert calibration.probability(log_odds(trained.head, raw))[0] == pytest.approx(row.probability, abs=6e-5)


def test_the_tests_people_have_no_say(run: Path, folder: Path, tmp_path: Path) -> None:
    split = pd.read_csv(run / "split.csv")
    split[["person_id", "split"]].drop_duplicates().to_csv(folder / "told_split.csv", index=False)
    tested = set(split.loc[split["split"] == "test", "person_id"])
    table = pd.read_csv(folder / "people.csv")
    other = table["person_id"].isin(tested) & table["vertebral_fracture"].notna()
    table.loc[other, "vertebral_fracture"] = ~table.loc[other, "vertebral_fracture"].astype(bool)
    table["prevalent_vertebral_fractures"] = table["prevalent_vertebral_fractures"].mask(
        table["person_id"].isin(tested), 1 - table["prevalent_vertebral_fractures"].clip(0, 1)
    )
    table.to_csv(folder / "turned.csv", index=False)
    for name in ("people", "turned"):
        settings = told(folder, split=folder / "told_split.csv", max_epochs=2)
        train("ct-fracture", folder / f"{name}.csv", settings, out=tmp_path / name, quiet=True)
    one, other_ = ((tmp_path / name / "network.json").read_text(encoding="utf-8") for name in ("people", "turned"))
    assert one == other_
    _same_weights(tmp_path / "people", tmp_path / "turned")
    figures = [pd.read_csv(tmp_path / name / "risks.csv")["estimate"].iloc[0] for name in ("people", "turned")]
    assert figures[0] != figures[1]


def test_stopped_and_resumed_it_comes_to_the_same_weights(
    run: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = iter([False] * 7 + [True] * 100)

    @contextmanager
    def soon() -> Iterator[object]:
        yield lambda: next(asked)

    with monkeypatch.context() as patched:
        patched.setattr(command, "_asked_to_stop", soon)
        with pytest.raises(KeyboardInterrupt):
            train("ct-fracture", folder / "people.csv", told(folder), out=tmp_path / "run", quiet=True)
    assert (tmp_path / "run" / "state.ckpt").exists()
    train("ct-fracture", folder / "people.csv", told(folder, resume=True), out=tmp_path / "run", quiet=True)
    _same_weights(run, tmp_path / "run")
    assert (run / "network.json").read_text() == (tmp_path / "run" / "network.json").read_text()


def _same_weights(one: Path, other: Path) -> None:
    first, second = (read_arrays(folder / "weights.safetensors") for folder in (one, other))
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_coxs_baseline_is_that_of_the_training_people(folder: Path, tmp_path: Path) -> None:
    settings = told(folder, survival_head="cox", deaths="censor", tasks="follow_up", max_epochs=2)
    train("ct-fracture", folder / "people.csv", settings, out=tmp_path / "run", quiet=True)
    head = read_risk(tmp_path / "run").head
    assert head.detection is None
    assert isinstance(head.survival, CoxHead)
    split = pd.read_csv(tmp_path / "run" / "split.csv")
    learned = split[(split["set"] == "train") & (split[ENDING] == 1)]
    assert head.survival.baselines[0].years == pytest.approx(sorted(learned[YEARS].unique()), rel=1e-5)
    assert "probability" not in pd.read_csv(tmp_path / "run" / "predictions.csv")


def test_bone_alone_is_read_of_a_store_with_muscle_and_not_the_other_way_round(folder: Path, tmp_path: Path) -> None:
    settings = told(folder, inputs="bone", tasks="detection", max_epochs=1)
    train("ct-fracture", folder / "people.csv", settings, out=tmp_path / "run", quiet=True)
    trained, store = read_risk(tmp_path / "run"), PreparedStore.open(folder / "store")
    assert trained.about["preparation"]["parts"] == "bone"
    said = pd.read_csv(tmp_path / "run" / "predictions.csv").iloc[0]
    raw = trained.answer(store.input(store.positions[said["scan_id"]], "bone"))
    p = FromLevels.from_dict(trained.about["detection"]).probability(log_odds(trained.head, raw))
    assert p[0] == pytest.approx(said["probability"], abs=6e-5)
    table = pd.read_csv(folder / "people.csv").iloc[:3]
    rng = np.random.default_rng(0)
    stored(tmp_path / "bare", table, np.zeros(3), rng, CtCropping(parts="bone", region=(8, 32, 32)))
    bare = PreparedStore.open(tmp_path / "bare")
    assert part_read(bare, told(folder, inputs="bone")) == "bone"
    with pytest.raises(UsageError, match="holds bone alone"):
        part_read(bare, told(folder))


def test_evaluating_leaves_out_people_the_network_has_seen(run: Path, folder: Path, tmp_path: Path) -> None:
    settings = EvaluateSettings(store=folder / "store", threads=1)
    assert evaluate(run, folder / "people.csv", settings, out=tmp_path / "out") == 0
    said = pd.read_csv(tmp_path / "out" / "predictions.csv")
    own = pd.read_csv(run / "predictions.csv")
    own = own[own["set"] == "test"].set_index("scan_id")
    assert set(said["scan_id"]) == set(own.index)
    assert said.set_index("scan_id").loc[own.index, "risk_5_years"].tolist() == pytest.approx(
        own["risk_5_years"].tolist(), abs=6e-5
    )
    page = (tmp_path / "out" / "evaluation.md").read_text(encoding="utf-8")
    assert "Harrell's c" in page
    assert (tmp_path / "out" / "risks.csv").is_file()


def test_what_is_missing_or_contradicts_itself_is_said(folder: Path, tmp_path: Path) -> None:
    people = folder / "people.csv"
    table = pd.read_csv(people).drop(columns="prevalent_vertebral_fractures")
    table.to_csv(tmp_path / "bare.csv", index=False)
    with pytest.raises(TableError, match="neither prevalent_fracture nor prevalent_vertebral_fractures"):
        train("ct-fracture", tmp_path / "bare.csv", told(folder), out=tmp_path / "run", quiet=True)
    with pytest.raises(TableError, match="no list of fractured vertebrae"):
        train("ct-fracture", tmp_path / "bare.csv", told(folder, detect="vertebrae"), out=tmp_path / "run", quiet=True)
    with pytest.raises(UsageError, match="regions of CT"):
        train("ct-fracture", people, told(folder, network="crop_small"), out=tmp_path / "run", quiet=True)
    with pytest.raises(UsageError, match="tasks=both"):
        told(folder, weighting="uncertainty", tasks="detection")
    settled = pd.read_csv(people).assign(vertebral_fracture=False)
    shutil.copy(folder / "fractures.csv", tmp_path)
    settled.to_csv(tmp_path / "nobody.csv", index=False)
    with pytest.raises(TableError, match=r"0 events|without vertebral fracture for train"):
        train("ct-fracture", tmp_path / "nobody.csv", told(folder), out=tmp_path / "run", quiet=True)


def test_strata_hold_what_is_and_what_comes(folder: Path) -> None:
    settings = told(folder)
    people = people_of(folder / "people.csv", labelled=lambda t: told_of(t, FRACTURE, settings, folder / "people.csv"))
    dealt = sets(people, settings).table.drop_duplicates("person_id")
    for column, value in ((ENDING, 1), (LABEL, 1)):
        share = (dealt[column] == value).groupby(dealt["split"]).mean()
        assert share["train"] == pytest.approx(share["validation"], abs=0.12)
