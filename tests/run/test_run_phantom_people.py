"""``spineclock phantom people``: a folder that the other commands read, the same for the same seed."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spineclock import cli
from spineclock.core.findings_tables import findings_from_long
from spineclock.ingest.cohort import read_cohort
from spineclock.phantom.people import people
from spineclock.run.phantom_checks import page
from spineclock.run.phantom_compare import atypical, full_test_like, reported_counts
from spineclock.run.phantom_fit import stepped
from spineclock.run.phantom_people import STATEMENT, TABLES, make_people


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("people") / "phantom"
    assert make_people(300, seed=3, out=out) == 0
    return out


def test_the_folder_holds_what_it_says_and_says_it_is_simulated(folder):
    assert {path.name for path in folder.iterdir()} == {*TABLES, "phantom.json", "README.txt"}
    told = json.loads((folder / "phantom.json").read_text(encoding="utf-8"))
    assert (told["schema"], told["people"], told["seed"], told["world"]) == ("spineclock.phantom/1", 300, 3, "default")
    assert told["statement"] == STATEMENT
    assert told["parameters"]["who"]["people"] == 17_394
    readme = (folder / "README.txt").read_text(encoding="utf-8")
    assert readme.startswith(STATEMENT)
    assert all(name in readme for name in TABLES)


def test_the_tables_are_of_the_same_scans_and_give_the_people_back(folder):
    some = people(300, seed=3)
    cohort = read_cohort(folder).table
    assert cohort["scan_id"].to_list() == some.table["scan_id"].to_list()
    assert cohort["age_years"].to_numpy() == pytest.approx(some.table["age_years"])
    for name, findings in (("findings", some.reported), ("imaging_findings", some.imaging)):
        read = findings_from_long(pd.read_csv(folder / f"{name}.csv", keep_default_na=False))
        assert (read.take(findings.scan_ids).codes == findings.codes).all()
    for name in ("reports", "truth", "predictions"):
        assert pd.read_csv(folder / f"{name}.csv")["scan_id"].to_list() == some.table["scan_id"].to_list()
    true = pd.read_csv(folder / "truth.csv")["true_gap_years"].to_numpy()
    error = pd.read_csv(folder / "predictions.csv")["predicted_age_years"].to_numpy() - cohort["age_years"].to_numpy()
    assert np.corrcoef(true, error)[0, 1] > 0.7


def test_fewer_people_are_the_first_of_more(folder, tmp_path):
    make_people(40, seed=3, out=tmp_path)
    for name in TABLES:
        few, more = ((place / name).read_text(encoding="utf-8") for place in (tmp_path, folder))
        assert more.startswith(few), name


def test_an_earlier_phantom_is_kept_unless_told(folder, run_cli):
    status, _, err = run_cli("phantom", "people", "--n", "10", "--out", str(folder))
    assert status == 2
    assert "holds phantom.json already; wanted: an empty folder; remedy: name another, or --overwrite" in err


def test_overwriting_leaves_nothing_of_the_earlier_one(tmp_path, run_cli):
    make_people(30, seed=1, out=tmp_path, truths=True)
    assert (tmp_path / "truths.csv").exists()
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    status, out, _ = run_cli("phantom", "people", "--n", "12", "--seed", "2", "--out", str(tmp_path), "--overwrite")
    assert status == 0
    assert "12 simulated people" in out
    assert "An oracle that knew each true spine age" in out
    assert not (tmp_path / "truths.csv").exists()
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert len(pd.read_csv(tmp_path / "predictions.csv")) == len(read_cohort(tmp_path).table)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--n 10 --world mirror --out x", "no phantom world is called 'mirror'"),
        ("--n 0 --out x", "Invalid value for '--n'"),
        ("--n 10", "Missing option '--out'"),
        ("--n 10 --out x --world null --truths", "stored truths of other parameters"),
    ],
)
def test_a_wrong_call_is_status_2_in_words(run_cli, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    status, _, err = run_cli("phantom", "people", *words.split())
    assert status == 2
    assert message in err
    assert list(tmp_path.iterdir()) == []


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


@pytest.fixture(scope="module")
def many():
    return people(40_000, seed=50)


def test_counts_of_a_full_test_like_set_are_near_table_5_and_the_appendix(many):
    full = full_test_like(many, rng=np.random.default_rng(1))
    assert full.mean() == pytest.approx(8528 / 18_070, abs=0.02)
    counts = reported_counts(many, full).set_index("key")
    # of 8,528 scans drawn from as many as here, in standard errors of both
    off = (counts["found"] - counts["paper"]) / np.sqrt(counts["paper"] * (1 + 8528 / full.sum()))
    assert off.abs().max() < 4
    assert (off**2).mean() < 2


def test_normals_are_as_many_as_in_the_paper_in_every_bracket(many):
    age = many.table["age_years"].to_numpy()
    found = pd.Series(atypical(many.reported, age)).groupby(np.floor((age + 5) / 10) * 10).mean()
    assert found.between(0.32, 0.54).all()  # paper, section 4.1
    nothing = pd.Series((many.reported.dense() == 0).all(axis=1)).groupby(np.floor((age + 5) / 10) * 10).mean()
    assert nothing.loc[30] == pytest.approx(0.27, abs=0.05)
    assert nothing.loc[40] == pytest.approx(0.15, abs=0.07)
    assert (nothing.loc[50:] < 0.15).all()


def test_a_step_of_the_fit_stays_where_it_is_and_comes_back_from_elsewhere():
    from spineclock.phantom.parameters import document, made

    raw = document()
    raw.pop("worlds")
    wanted = raw["reading"]["whole"]["scoliosis"]["told"][0]
    raw["reading"]["whole"]["scoliosis"]["told"] = [0.3]
    nearer, worst = stepped(raw, made(raw, world="default"), n=6000, seed=5)
    assert worst > 10
    assert 0.38 < nearer["reading"]["whole"]["scoliosis"]["told"][0] < wanted
    assert nearer["reading"]["lumbar"]["disc_bulge"]["told"][0] == raw["reading"]["lumbar"]["disc_bulge"]["told"][0]


@pytest.mark.slow
def test_the_results_page_is_made_by_its_command():
    text = page(6000, seed=1, timed=1000)
    assert re.search(r"\| disc_bulge \| [34]\d \(40\) \|", text)
    assert "Ages and sexes against Table 1: χ² =" in text
    assert "| noise model | 3." in text
