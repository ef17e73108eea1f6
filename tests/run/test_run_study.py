"""The study on simulated people, through the doors its user comes in by."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from spineclock.cli import app
from spineclock.core.errors import TableError, UsageError
from spineclock.core.findings import Findings
from spineclock.ingest.study_table import StudyTable, read_study
from spineclock.phantom.parameters import load
from spineclock.phantom.people import people
from spineclock.phantom.truths import stored_truths
from spineclock.run.settings import NormalsSettings, StudySettings
from spineclock.run.study import sets as study_sets
from spineclock.run.study.command import study
from spineclock.run.study.data import study_data
from spineclock.run.study.sets import cohort_sets
from spineclock.stats.bias import Cole

pytestmark = pytest.mark.slow
QUICK = StudySettings(resamples=0)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3,000 simulated people with predictions of a plain noise model; those with few findings count as normal."""
    folder = tmp_path_factory.mktemp("cohort")
    some = people(3000, seed=11)
    burden = some.reported.dense().sum(axis=1)
    some.table.assign(normal=burden <= np.median(burden)).to_csv(folder / "participants.tsv", sep="\t", index=False)
    some.reported.long().to_csv(folder / "findings.csv", index=False)
    noise = np.random.default_rng(1).normal(0, 2.5, len(some.table))
    told = pd.DataFrame({"scan_id": some.table["scan_id"]})
    told["predicted_age_years"] = 50 + 0.9 * (some.truth["spine_age_years"] - 50) + noise
    told.to_csv(folder / "predictions.csv", index=False)
    (folder / "phantom.json").write_text(json.dumps({"world": "default", "statement": "These people are made up."}))
    return folder


@pytest.fixture(scope="module")
def done(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("study") / "out"
    assert study(cohort / "predictions.csv", QUICK, cohort=cohort, out=out) == 0
    return out


def test_every_table_and_figure_is_there(done: Path) -> None:
    text = (done / "study.html").read_text(encoding="utf-8")
    for title in ("Table 1", "Table 2", "Bias correction", "Table 3", "Figure 4", "Table 4", "Table 5", "Appendix",
                  "Figure 6", "Figure 7", "Gaps beyond 15 years", "Scanners", "Diagnosis", "Outcomes",
                  "Outcomes by third"):  # fmt: skip
        assert re.search(rf"<h2 id=[^>]*>[^<]*{title}", text), title
    assert "These people are made up." in text
    tables = {p.stem for p in (done / "tables").glob("*.csv")}
    assert {"table1", "table2", "table3", "table4", "table5", "appendix", "figure4", "figure6", "review", "left_out",
            "bias_corrections", "figure7_curves", "figure7_tests", "scanners", "outcomes", "diagnosis", "net_benefit",
            "thirds", "thirds_tests"} <= tables  # fmt: skip
    for name in ("figure2", "figure4", "figure6", "figure7", "table5_lumbar", "correction", "repeats", "outcomes",
                 "thirds", "decision_curves"):  # fmt: skip
        assert (done / "figures" / f"{name}.svg").stat().st_size > 1000


def test_numbers_on_the_page_are_those_of_the_scans(done: Path) -> None:
    scans = pd.read_csv(done / "scans.csv")
    test = scans[scans["set"] == "test"]
    table3 = pd.read_csv(done / "tables" / "table3.csv").set_index(["ages", "measure"])["estimate"]
    error = (test["predicted_age_years"] - test["age_years"]).abs().mean()
    assert table3["as predicted", "MAE"] == pytest.approx(error, abs=1e-4)
    full = scans[scans["set"].isin(["test", "abnormal"])]
    table5 = pd.read_csv(done / "tables" / "table5.csv")
    fracture = table5[(table5["key"] == "fracture") & table5["adjusted_for"].isna()].iloc[0]
    assert fracture["n"] == len(full)
    assert fracture["n_with"] == full["fracture"].sum()
    table1 = pd.read_csv(done / "tables" / "table1.csv")
    assert table1[["normal", "abnormal"]].to_numpy().sum() == (scans["bracket"] > 0).sum()


def test_effects_stand_beside_the_truth_of_their_own_model(done: Path) -> None:
    told = stored_truths(load("default")).table
    told = told[told["statistic"] == "linear"]
    found = pd.read_csv(done / "tables" / "table5.csv", keep_default_na=False, na_values={"truth": ""})
    assert set(found["adjusted_for"]) == {"", "age_years, sex, site"}
    for covariates, rows in found.groupby("adjusted_for"):
        own = told[told["adjusted_for"] == covariates].set_index("of")["estimate"]
        known = rows[rows["key"].isin(own.index)]
        assert len(known) > 10
        assert known["truth"].to_numpy() == pytest.approx(own[known["key"]].to_numpy(), rel=1e-4)


def test_the_correction_is_fitted_on_validation_scans_alone(cohort: Path) -> None:
    given = read_study(cohort / "predictions.csv", cohort=cohort)
    sets = cohort_sets(given, QUICK).table
    first = study_data(given, sets)
    held = sets["set"] == "validation"
    expected = Cole.fit(sets.loc[held, "predicted_age_years"], sets.loc[held, "age_years"])
    assert (first.correction.slope, first.correction.intercept) == (expected.slope, expected.intercept)
    changed = sets.assign(predicted_age_years=sets["predicted_age_years"].where(held, 20.0))  # every other scan
    assert study_data(given, changed).correction == first.correction


def test_no_person_is_in_two_sets_and_withheld_scans_are_nowhere_evaluated(cohort: Path) -> None:
    given = read_study(cohort / "predictions.csv", cohort=cohort)
    data = study_data(given, cohort_sets(given, QUICK).table)
    learnt = set(data.scans.loc[data.scans["set"].isin(["train", "validation"]), "person_id"])
    assert not learnt & set(data.full_test["person_id"])
    assert data.of("train")["person_id"].nunique() > 5 * data.of("test")["person_id"].nunique()
    assert len(data.of("withheld")) > 0
    named = data.models.assign(set=data.models["set"].mask(data.models["set"] == "abnormal", "test"))
    crossing = named.copy()
    crossing.loc[crossing.index[crossing["set"] == "train"][0], "person_id"] = named.loc[
        named["set"] == "test", "person_id"
    ].iloc[0]
    with pytest.raises(TableError, match="1 people in more than one of training, validation and test"):
        study_data(StudyTable(crossing, None, given.left_out, ""), crossing)


def test_a_given_split_is_kept(cohort: Path, tmp_path: Path) -> None:
    table = pd.read_csv(cohort / "participants.tsv", sep="\t")
    person = table["person_id"].astype("category").cat.codes
    table.assign(split=np.where(person % 10 == 0, "validation", "test")).to_csv(tmp_path / "people.csv", index=False)
    given = read_study(cohort / "predictions.csv", cohort=tmp_path / "people.csv")
    sets = cohort_sets(given, QUICK).table
    normal = sets["normal"].to_numpy(dtype=bool)
    assert (sets.loc[normal, "set"] == sets.loc[normal, "split"]).all()
    learnt = set(sets.loc[normal & (sets["split"] == "validation"), "person_id"])
    withheld = sets["person_id"].isin(learnt) & ~normal
    assert (sets["set"].isin(["withheld"]) == withheld).all()
    assert (sets["set"].isin(["abnormal"]) == (~normal & ~withheld)).all()


def test_a_study_without_findings_says_what_it_leaves_out(cohort: Path, tmp_path: Path) -> None:
    table = pd.read_csv(cohort / "participants.tsv", sep="\t").drop(columns=["normal", "work"])
    table[["scan_id", "person_id", "age_years", "sex"]].to_csv(tmp_path / "people.csv", index=False)
    assert study(cohort / "predictions.csv", QUICK, cohort=tmp_path / "people.csv", out=tmp_path / "out") == 0
    text = (tmp_path / "out" / "study.html").read_text(encoding="utf-8")
    assert "No findings are given: every scan counts as typical" in text
    assert "Figure 7" not in text
    assert "made up" not in text


def test_several_models_have_a_row_each_and_the_named_one_the_rest(cohort: Path, tmp_path: Path) -> None:
    told = pd.read_csv(cohort / "predictions.csv")
    worse = told.assign(predicted_age_years=55 + 0.3 * (told["predicted_age_years"] - 55), model="lumbar only")
    pd.concat([told.assign(model="whole spine"), worse]).to_csv(tmp_path / "predictions.csv", index=False)
    chosen = StudySettings(resamples=0, model="lumbar only")
    assert study(tmp_path / "predictions.csv", chosen, cohort=cohort, out=tmp_path / "out") == 0
    found = pd.read_csv(tmp_path / "out" / "tables" / "table3.csv")
    mae = found[(found["measure"] == "MAE") & (found["ages"] == "as predicted")].set_index("group")["estimate"]
    assert mae["lumbar only"] > 2 * mae["whole spine"]
    scans = pd.read_csv(tmp_path / "out" / "scans.csv")
    assert set(scans["model"]) == {"lumbar only"}


def test_a_filled_in_review_is_counted(cohort: Path, done: Path, tmp_path: Path) -> None:
    sheet = pd.read_csv(done / "tables" / "review.csv", dtype={"scan_id": str})
    assert (sheet["gap_years"].abs() > 15).all()
    if sheet.empty:
        pytest.skip("no gap beyond 15 years among these people")
    sheet.assign(verdict="as expected").to_csv(tmp_path / "review.csv", index=False)
    reviewed = StudySettings(resamples=0, review=tmp_path / "review.csv")
    study(cohort / "predictions.csv", reviewed, cohort=cohort, out=tmp_path / "out")
    counts = pd.read_csv(tmp_path / "out" / "tables" / "review_counts.csv").set_index("term")
    assert counts.loc["as expected", "estimate"] == 1


def test_an_earlier_study_is_not_written_over_unasked(cohort: Path, done: Path) -> None:
    with pytest.raises(UsageError, match="holds an earlier study.*--overwrite"):
        study(cohort / "predictions.csv", QUICK, cohort=cohort, out=done)


def test_a_small_cohort_whose_brackets_cannot_all_be_clustered_is_studied_as_far_as_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_sets, "NormalsSettings", partial(NormalsSettings, workers=1))  # UMAP is compiled once
    call = ["phantom", "people", "--n", "400", "--seed", "1", "--out", str(tmp_path / "few")]
    assert CliRunner().invoke(app, call).exit_code == 0
    few = tmp_path / "few"
    assert study(few / "predictions.csv", QUICK, cohort=few, out=tmp_path / "out") == 0
    scans = pd.read_csv(tmp_path / "out" / "scans.csv")
    unlabelled = scans["normal"].isna()
    assert unlabelled.any()
    assert (scans.loc[unlabelled, "set"] == "unused").all()


def test_a_file_in_place_of_the_folder_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file; wanted: a folder"):
        study(tmp_path / "none.csv", QUICK, cohort=tmp_path, out=tmp_path / "file")


def test_from_the_command_line_what_is_wrong_is_one_line_and_a_status(cohort: Path, tmp_path: Path) -> None:
    run = CliRunner()
    wrong = run.invoke(
        app, ["study", str(tmp_path / "none.csv"), "--cohort", str(cohort), "--out", str(tmp_path / "o")]
    )
    assert wrong.exit_code == 1
    assert "none.csv cannot be read as a table" in wrong.output
    setting = run.invoke(app, ["study", "x", "--cohort", "y", "--out", "z", "--set", "resample=0"])
    assert setting.exit_code == 2
    assert "did you mean 'resamples'" in setting.output
    shown = run.invoke(app, ["study", "x", "--cohort", "y", "--out", "z", "--set", "seed=3", "--print-config"])
    assert "seed = 3  # --set" in shown.output


def test_normals_from_the_command_line_and_into_the_study(cohort: Path, tmp_path: Path) -> None:
    run, out = CliRunner(), tmp_path / "normals"
    call = [
        "normals",
        str(cohort / "findings.csv"),
        "--cohort",
        str(cohort),
        "--out",
        str(out),
        "--seeds",
        "2",
        "--set",
        "workers=1",
    ]
    told = run.invoke(app, call)
    assert told.exit_code == 0, told.output
    table = pd.read_csv(out / "normals.csv", dtype={"scan_id": str})
    assert set(table["normal"].dropna()) == {True, False}
    assert table["normal_probability"].between(0, 1).all()
    assert (pd.read_csv(out / "clusters.csv").groupby("bracket")["share"].sum() - 1).abs().max() < 1e-4
    again = run.invoke(app, call)
    assert again.exit_code == 2
    label = run.invoke(app, [*call[:5], str(tmp_path / "labelled"), "--fitted", str(out / "normals.json")])
    assert label.exit_code == 0, label.output
    labelled = pd.read_csv(tmp_path / "labelled" / "normals.csv", dtype={"scan_id": str})
    assert (labelled["normal"] == table["normal"]).mean() > 0.97
    given = read_study(cohort / "predictions.csv", cohort=cohort)
    sets = cohort_sets(given, StudySettings(normals=out / "normals.csv")).table
    normal = dict(zip(table["scan_id"], table["normal"], strict=True))
    assert (sets["normal"] == sets["scan_id"].map(normal)).all()


def test_people_without_findings_or_age_are_left_out_with_the_reason(cohort: Path) -> None:
    from spineclock.ingest.findings import read_findings
    from spineclock.run.normals import aged

    findings = read_findings(cohort / "findings.csv")
    ids = list(findings.scan_ids[:4])
    table = pd.DataFrame({"scan_id": [*ids[:3], "other"], "age_years": [50, np.nan, 90, 50]})
    kept, left_out = aged(table, Findings(findings.scan_ids[:4], findings.codes[:4]))
    assert kept["scan_id"].to_list() == ids[:1]
    assert dict(left_out.itertuples(index=False)) == {
        ids[1]: "no age", ids[2]: "age outside 25–84 years", "other": "no findings on record",
        ids[3]: "no row in the people's table",
    }  # fmt: skip
