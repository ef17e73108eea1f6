"""``spineclock ablate``: which trainings, and that their table's numbers are what the predictions give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from spineclock.core.errors import UsageError
from spineclock.run.ablation import command, kept, phantom
from spineclock.run.ablation.command import ablate, tabulate
from spineclock.run.ablation.page import page
from spineclock.run.ablation.rows import ABLATIONS, PROPOSED, chosen, settings_of
from spineclock.run.ablation.studied import section
from spineclock.run.ablation.table import Drawn, Row, rows, tabled
from spineclock.run.phantom_mri import make_scans
from spineclock.run.phantom_settings import PhantomMriSettings
from spineclock.run.prepare import prepare_cohort
from spineclock.run.settings import PrepareSettings
from spineclock.run.training import folder
from spineclock.run.training.settings import TrainSettings

pytestmark = pytest.mark.usefixtures("in_this_process")
AGAINST = {row.name: row.against for row in ABLATIONS}


def predictions(noise: float, *, seed: int = 0, n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = np.random.default_rng(99).uniform(25, 84, n)
    predicted = age + rng.normal(0, noise, n)
    return pd.DataFrame({
        "scan_id": [f"s{k}" for k in range(n)], "person_id": [f"p{k // 2}" for k in range(n)], "age_years": age,
        "predicted_age_years": predicted, "corrected_age_years": (predicted - 5) / 0.9,
        "normal": np.arange(n) % 3 > 0,
    })  # fmt: skip


def test_the_tables_numbers_are_those_of_the_predictions() -> None:
    runs = {PROPOSED: predictions(3), "smooth_l1": predictions(5, seed=1)}
    truth = runs[PROPOSED].set_index("scan_id")["age_years"] + 4 * np.sin(np.arange(300))
    found = rows(runs, against=AGAINST, truth=truth, drawn=Drawn(400)).set_index(["name", "group"])
    for name, said in runs.items():
        for group, part in (("everyone", said), ("normal", said[said["normal"]])):
            row, off = found.loc[name, group], part["predicted_age_years"] - part["age_years"]
            assert row["scans"] == len(part)
            assert row["mae"] == pytest.approx(off.abs().mean())
            assert row["r2"] == pytest.approx(
                1 - (off**2).sum() / ((part["age_years"] - part["age_years"].mean()) ** 2).sum()
            )
            assert row["mae_low"] < row["mae"] < row["mae_high"]
            gap = part["corrected_age_years"] - part["age_years"]
            true = part["scan_id"].map(truth) - part["age_years"]
            assert row["gap_r"] == pytest.approx(np.corrcoef(gap, true)[0, 1])
            assert row["oracle_mae"] == pytest.approx(true.abs().mean())
    more = found.loc["smooth_l1", "everyone"]
    off, base = ((runs[n]["predicted_age_years"] - runs[n]["age_years"]).abs() for n in ("smooth_l1", PROPOSED))
    assert more["mae_difference"] == pytest.approx((off - base).mean())
    by_person = (off - base).groupby(runs[PROPOSED]["person_id"]).mean()
    assert more["p"] == pytest.approx(stats.wilcoxon(by_person).pvalue)
    assert more["mae_difference_low"] > 0
    assert np.isnan(found.loc[PROPOSED, "everyone"]["mae_difference"])


def test_p_is_adjusted_within_each_group_for_the_rows_that_have_one() -> None:
    runs = {PROPOSED: predictions(3), "smooth_l1": predictions(3.3, seed=1), "lumbar": predictions(3.2, seed=2),
            "scans_85": predictions(5, seed=3)}  # fmt: skip
    found = rows(runs, against=AGAINST, truth=None, drawn=Drawn(0))
    for _, part in found.groupby("group"):
        p = part.set_index("name")["p"].drop(PROPOSED).sort_values()
        by_hand = (p * [3, 2, 1]).cummax().clip(upper=1)
        holm = part.set_index("name")["p_holm"]
        assert np.isnan(holm[PROPOSED])
        assert holm[p.index].to_numpy() == pytest.approx(by_hand.to_numpy())
        assert (holm[p.index] > p).any()
    about = {n: {"command": "c", "settings": {"seed": 0}, "ended": "2026-01-01T00:00"} for n in runs}
    text = page(found.assign(train_scans=9, epochs=1, minutes=1.0), about, "")
    row = found[(found["name"] == "lumbar") & (found["group"] == "everyone")].iloc[0]
    assert f"| {row['p']:.2g} | {row['p_holm']:.2g} |" in text
    assert "one training with one seed" in text
    assert "p_holm" not in rows({PROPOSED: predictions(3)}, against=AGAINST, truth=None, drawn=Drawn(0))


def test_rivals_of_few_scans_are_held_against_as_few() -> None:
    runs = {PROPOSED: predictions(3), "scans_850": predictions(4, seed=1), "resnet_850": predictions(5, seed=2)}
    found = rows(runs, against=AGAINST, truth=None, drawn=Drawn(0))
    row = found[(found["name"] == "resnet_850") & (found["group"] == "everyone")].iloc[0]
    off = {name: (said["predicted_age_years"] - said["age_years"]).abs().mean() for name, said in runs.items()}
    assert row["mae_difference"] == pytest.approx(off["resnet_850"] - off["scans_850"])
    assert row["p_holm"] == row["p"]  # the only one held against that one
    alone = rows({"resnet_850": runs["resnet_850"]}, against=AGAINST, truth=None, drawn=Drawn(0))
    assert "mae_difference" not in alone
    about = {n: {"command": "c", "settings": {"seed": 0}, "ended": "2026-01-01T00:00"} for n in runs}
    assert " to `scans_850` |" in page(found.assign(train_scans=9, epochs=1, minutes=1.0), about, "")


def test_what_is_kept_as_text_gives_the_same_table_elsewhere(tmp_path: Path) -> None:
    about = {"settings": {"seed": 3, "store": "/somewhere"}, "scans": {"train": 9}, "epochs": 2, "ended": "2026-01-01",
             "training_minutes": 1.5, "command": "a command of one machine"}  # fmt: skip
    part = predictions(6, seed=1).iloc[20:].reset_index(drop=True)  # not in everybody's view
    found = {"lumbar": Row(part, about), PROPOSED: Row(predictions(3), about)}
    truth = predictions(3).set_index("scan_id")["age_years"] + 4 * np.sin(np.arange(300))
    kept.write(tmp_path, {PROPOSED: found[PROPOSED]}, truth)
    kept.write(tmp_path, kept.read(tmp_path)[0] | {"lumbar": found["lumbar"]}, truth)  # on another machine
    again, ages = kept.read(tmp_path)
    assert list(again) == [PROPOSED, "lumbar"]
    assert ages is not None
    then, now = (tabled(r, truth=t, drawn=Drawn(50)) for r, t in ((found, truth), (again, ages)))
    then = then.set_index(["name", "group"]).loc[list(now.set_index(["name", "group"]).index)]
    for column in ("scans", "people", "train_scans", "epochs", "minutes"):
        assert (then[column].to_numpy() == now[column].to_numpy()).all()
    for column in ("mae", "r2", "corrected_mae", "mae_difference", "gap_r", "oracle_mae"):
        assert then[column].to_numpy() == pytest.approx(now[column].to_numpy(), abs=0.01, nan_ok=True)
    assert "somewhere" not in (tmp_path / kept.ABOUT).read_text(encoding="utf-8")
    before = (tmp_path / kept.SAID).read_bytes()
    kept.write(tmp_path, again, ages)
    assert (tmp_path / kept.SAID).read_bytes() == before
    told_otherwise = Row(predictions(3).assign(normal=False), about)
    kept.write(tmp_path, again | {"smooth_l1": told_otherwise}, truth)
    assert kept.read(tmp_path)[0]["smooth_l1"].said["normal"].equals(again[PROPOSED].said["normal"])
    others = Row(predictions(3).assign(age_years=50.0), about)
    with pytest.raises(UsageError, match="are of other people"):
        kept.write(tmp_path, {**again, "smooth_l1": others}, truth)


def test_a_network_that_learned_nothing_has_a_row_without_correction() -> None:
    said = predictions(3).assign(corrected_age_years=np.nan)
    found = rows({PROPOSED: said}, against=AGAINST, truth=None, drawn=Drawn(0))
    assert "corrected_mae" not in found
    assert found["mae"].notna().all()


def test_each_row_changes_what_it_says_and_nothing_else() -> None:
    base = TrainSettings(max_epochs=7, seed=3)
    for row in ABLATIONS:
        settings = settings_of(row, base, proposed_scans=(700, 80))
        differing = {k for k in TrainSettings.model_fields if getattr(settings, k) != getattr(base, k)}
        assert differing == set(row.changes) | ({"train_scans", "validation_scans"} if row.as_many else set())
        TrainSettings(**settings.model_dump())  # every value is allowed
    everyone = settings_of(next(a for a in ABLATIONS if a.name == "all_scans"), base, proposed_scans=(700, 80))
    assert (everyone.train_scans, everyone.validation_scans, everyone.train_on) == (700, 80, "all")
    with pytest.raises(UsageError, match="no ablation is called 'vgg'"):
        chosen("vgg,lumbar")


def finished(out: Path, split: pd.Series, *, shape: tuple[int, ...] = (16, 128, 64), **settings: Any) -> None:
    """A run's folder as far as the table reads it; ``split`` of each scan of :func:`predictions`."""
    out.mkdir(parents=True, exist_ok=True)
    asked = {"recipe": "mri-age", "settings": {"seed": 0, **settings}, "preparation": {"shape": list(shape)}}
    (out / "training.json").write_text(json.dumps(asked), encoding="utf-8")
    done = {"command": "c", "ended": "2026-01-01T00:00", "scans": {"train": 9}, "training_minutes": 1, "epochs": 2}
    (out / "run.json").write_text(json.dumps({**asked, **done}), encoding="utf-8")
    said = predictions(3).drop(columns="normal").assign(split=split, set=split).dropna(subset=["split"])
    said.to_csv(out / "split.csv", index=False)
    said.to_csv(out / "predictions.csv", index=False)


def test_trainings_of_other_people_or_another_preparation_are_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = np.arange(300) // 2  # a person's two scans together
    split = pd.Series(np.where(place < 50, "train", np.where(place < 70, "validation", "test")))
    finished(tmp_path / "proposed", split)
    finished(
        tmp_path / "lumbar", split.where(place % 3 > 0), part="lumbar", loss="smooth_l1"
    )  # not in everybody's view
    finished(tmp_path / "scans_85", split[::-1].reset_index(drop=True))
    finished(tmp_path / "smooth_l1", split, shape=(32, 640, 256))
    found = tabulate(tmp_path, tmp_path / "cohort", drawn=Drawn(0))
    assert set(found["name"]) == {"proposed", "lumbar"}
    lines = ["Left out, as not comparable with `proposed`: `scans_85`, another split of the people.",
             "Left out, as not comparable with `proposed`: `smooth_l1`, another preparation."]  # fmt: skip
    assert capsys.readouterr().out.splitlines() == lines
    text = (tmp_path / "ablations.md").read_text(encoding="utf-8")
    assert all(line in text for line in lines)


class Trainings:
    """Stands for ``spineclock train``: what it was asked to train, and where it is to be stopped."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.stop_at = ""

    def __call__(self, recipe: str, cohort: Path, settings: TrainSettings, *, out: Path) -> int:
        if settings.resume and (out / "run.json").is_file():
            return 0
        self.done.append(out.name)
        if out.name == self.stop_at:
            raise KeyboardInterrupt
        finished(out, pd.Series(np.where(np.arange(300) < 150, "train", "test")))
        return 0


@pytest.fixture
def trainings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trainings:
    stand_in = Trainings()
    monkeypatch.setattr(command, "train", stand_in)
    monkeypatch.setattr(command, "prepared_store", lambda *told, **more: tmp_path / "store")
    monkeypatch.setattr(command, "_proposed_scans", lambda *told: (9, 3))
    return stand_in


def test_a_stopped_overwrite_is_gone_on_with_by_leaving_it_out(
    tmp_path: Path, trainings: Trainings, capsys: pytest.CaptureFixture[str]
) -> None:
    out, cohort = tmp_path / "out", tmp_path / "cohort"

    def call(only: str = "proposed,scans_85,lumbar", *, overwrite: bool = False) -> list[str]:
        trainings.done = []
        ablate(cohort, TrainSettings(overwrite=overwrite), out=out, only=only, drawn=Drawn(0))
        return trainings.done

    assert call() == ["proposed", "scans_85", "lumbar"]
    assert call() == []
    trainings.stop_at = "scans_85"
    with pytest.raises(KeyboardInterrupt):
        call(overwrite=True)
    assert trainings.done == ["proposed", "scans_85"]
    line = "Removed, to be trained anew: proposed, scans_85, lumbar. To go on if stopped, call without --overwrite"
    assert line in capsys.readouterr().out.splitlines()
    assert set(pd.read_csv(out / "ablations.csv")["name"]) == {"proposed"}  # nothing of what was removed
    trainings.stop_at = ""
    assert call() == ["scans_85", "lumbar"]
    assert call("lumbar", overwrite=True) == ["lumbar"]
    assert set(pd.read_csv(out / "ablations.csv")["name"]) == {"proposed", "scans_85", "lumbar"}


def test_overwriting_removes_nothing_if_a_folder_is_no_training(tmp_path: Path, trainings: Trainings) -> None:
    ablate(tmp_path / "cohort", TrainSettings(), out=tmp_path, only="proposed", drawn=Drawn(0))
    (tmp_path / "lumbar").mkdir()
    (tmp_path / "lumbar" / "predictions.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="holds predictions.csv of something else"):
        ablate(tmp_path / "cohort", TrainSettings(overwrite=True), out=tmp_path, only="proposed,lumbar")
    assert (tmp_path / "proposed" / "run.json").is_file()
    assert (tmp_path / "ablations.md").is_file()


def test_a_run_whose_removal_was_stopped_is_not_done_and_can_be_removed(tmp_path: Path) -> None:
    finished(tmp_path, pd.Series(["test"] * 300))
    in_the_way = tmp_path / "weights.safetensors" / "file"
    in_the_way.parent.mkdir()
    with pytest.raises(OSError):
        folder.clear(tmp_path)
    assert not (tmp_path / "run.json").exists()
    folder.require_room(tmp_path, resume=False, overwrite=True)
    in_the_way.parent.rmdir()
    folder.clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_two_trainings_give_a_page_beside_the_papers_and_are_kept(tmp_path: Path) -> None:
    cohort, store = tmp_path / "cohort", tmp_path / "store"
    make_scans(36, PhantomMriSettings(seed=8, grid="16x128x64"), out=cohort)
    prepare_cohort(cohort, PrepareSettings(spacing_mm="8,5,4", shape="16,128,64"), out=store)
    settings = TrainSettings(store=store, max_epochs=1, train_share=0.5, validation_share=0.3)
    out = tmp_path / "ablations"
    assert ablate(cohort, settings, out=out, only="proposed,lumbar", drawn=Drawn(100)) == 0
    text = (out / "ablations.md").read_text(encoding="utf-8")
    assert "lumbar vertebrae only" in text
    assert "simulated" in text
    table = pd.read_csv(out / "ablations.csv")
    assert list(table["name"]) == ["proposed", "lumbar"]
    stamp = (out / "lumbar" / "weights.safetensors").stat().st_mtime_ns
    ablate(cohort, settings, out=out, drawn=Drawn(100), only="lumbar")
    assert (out / "lumbar" / "weights.safetensors").stat().st_mtime_ns == stamp
    about = {n: {"command": "c", "settings": {"seed": 0}, "ended": "2026-01-01T00:00"} for n in table["name"]}
    normal = page(table.assign(group="normal"), about, "")
    assert "3.89 / 0.83" in normal  # the paper's lumbar row


@pytest.mark.slow
@pytest.mark.timeout(600)  # half a minute where nobody else is at work
def test_another_machine_goes_on_with_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phantom, "PAPERS_COUNTS", (10, 4))
    monkeypatch.setattr(phantom, "EPOCHS", 1)
    monkeypatch.setattr(phantom, "worlds", lambda *told, **more: pd.DataFrame())
    monkeypatch.setattr(phantom, "worlds_page", lambda *told, **more: "worlds")
    page_at, made = tmp_path / "page.md", {}
    for only in ("proposed", "lumbar"):
        places = phantom.Places(tmp_path / only)
        phantom._scans(places.cohort, 50, seed=phantom.SEED, world="default", workers=1, only=())
        people = pd.read_csv(places.cohort / "participants.tsv", sep="\t", dtype={"scan_id": str, "person_id": str})
        places.normals.parent.mkdir(parents=True)
        typical = np.arange(len(people)) % 4 > 0
        number = people["person_id"].str[-7:].astype(int)
        split = np.select([number % 5 < 2, number % 5 == 4], ["test", "validation"], "train")
        people[["person_id", "scan_id", "age_years", "sex"]].assign(split=split).to_csv(places.split, index=False)
        people[["scan_id"]].assign(normal=typical).to_csv(places.normals, index=False)
        told = ["--out", str(places.out), "--page", str(page_at), "--people", "50", "--workers", "1", "--only", only]
        monkeypatch.setattr("sys.argv", ["phantom.py", *told])
        assert phantom.main() == 0
        made[only] = {path.name for path in places.cohort.rglob("*_scan.json")}
        split = pd.read_csv(places.runs / only / "split.csv", dtype=str)
        assert len(made[only]) == (split["set"] != "unused").sum() < len(people)  # no more than is needed
        assert (split["set"] == "train").sum() == 10
    assert made["proposed"] == made["lumbar"]
    text = page_at.read_text(encoding="utf-8")
    assert "the proposed model" in text
    assert "lumbar vertebrae only" in text
    assert "Not yet trained: `scans_85`" in text
    assert {"proposed", "lumbar"} <= set(pd.read_csv(tmp_path / "page" / kept.SAID))
    assert (tmp_path / "page_worlds.md").read_text(encoding="utf-8") == "worlds"
    rows, _ = kept.read(tmp_path / "page")
    assert phantom._as_asked(places, rows).keys() == rows.keys()
    monkeypatch.setattr(phantom, "EPOCHS", 2)  # what one epoch gave does not stand beside what two give
    assert phantom._as_asked(places, rows) == {}


def test_a_study_by_a_network_is_held_against_the_truth(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    people = np.repeat([f"p{k}" for k in range(200)], 2)
    age = np.repeat(rng.uniform(30, 80, 200), 2) + np.tile([0.0, 1.5], 200)
    said = pd.DataFrame({"person_id": people, "scan_id": [f"s{k}" for k in range(400)], "age_years": age, "sex": "F"})
    gap = np.repeat(rng.normal(0, 4, 200), 2)
    said["predicted_age_years"] = said["corrected_age_years"] = age + gap + rng.normal(0, 3, 400)
    (tmp_path / "tables").mkdir()
    truth = np.array([1.0, -2.0, 0.5, 3.0, 1.0])
    effects = pd.DataFrame({"truth": truth, "estimate": 2 * truth, "se": [0.5, 1, 0.7, 0.1, 9], "adjusted_for": np.nan,
                            "n_with": [20, 90, 30, 40, 19]})  # fmt: skip
    effects = effects.assign(low=effects["estimate"] - 1.96 * effects["se"],
                             high=effects["estimate"] + 1.96 * effects["se"])  # fmt: skip
    effects.to_csv(tmp_path / "tables" / "table5.csv", index=False)
    (tmp_path / "run.json").write_text('{"scans": 400, "full_test": 380}', encoding="utf-8")
    effects.assign(estimate=truth, adjusted_for="age_years", low=truth - 1, high=truth + 1).to_csv(
        tmp_path / "tables" / "appendix.csv", index=False
    )
    ratios = pd.DataFrame({
        "event": "death", "model": "M1", "per": "SD", "events": 40, "gap": ["measured", "true", "true"],
        "reliability_of": [np.nan, "true gaps", "repeat scans"], "estimate": [1.5, 2.25, 9], "low": [1.1, 1.2, 8],
        "high": [2, 4, 10], "truth": [np.nan, 2.0, 1.0],
    })  # fmt: skip
    ratios.to_csv(tmp_path / "tables" / "outcomes.csv", index=False)
    text = section(tmp_path, said, pd.Series(age + gap))
    own, true = (next(line for line in text.splitlines() if line.startswith(f"| {w}")) for w in ("the net", "true |"))
    assert float(own.split("|")[4].split()[0]) == pytest.approx(16 / 25, abs=0.08)
    assert float(own.split("|")[5].split()[0]) == pytest.approx(3, abs=0.4)
    assert float(true.split("|")[4].split()[0]) == 1
    # twice the truth lies within 1.96 standard errors of the third alone; the term of 19 scans is not counted
    assert "Of 400 scans 380 are tested" in text
    assert "| none | 4 | 1 | 2.00 ± " in text
    assert "| age, sex, site | 4 | 4 | 1.00 ± " in text
    assert "| death | 40 | 1.50 (1.10 to 2.00) | 2.25 (1.20 to 4.00) | 2.00 |" in text
