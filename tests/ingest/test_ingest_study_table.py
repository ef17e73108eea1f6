from __future__ import annotations

import json
from pathlib import Path

import pytest

from spineclock.core.errors import TableError
from spineclock.ingest.study_table import read_study

PREDICTIONS = "scan_id,predicted_age_years,verdict\n001,50.5,ok\n002,61,check\n003,,refused\n004,44,ok\n005,39,ok\n"
PEOPLE = (
    "scan_id,person_id,age_years,sex,work,normal,packs_per_day\n"
    "001,p1,48,F,Heavy,true,0.5\n002,p2,60,m,,0,\n003,p3,33,F,light,1,0\n004,p4,,M,light,1,0\n006,p1,49,F,light,yes,0\n"
)


def folder(tmp_path: Path, people: str = PEOPLE, predictions: str = PREDICTIONS) -> tuple[Path, Path]:
    (tmp_path / "people.csv").write_text(people)
    (tmp_path / "predictions.csv").write_text(predictions)
    return tmp_path / "predictions.csv", tmp_path / "people.csv"


def test_scans_in_both_tables_are_joined_and_every_other_one_is_left_out_with_its_reason(tmp_path: Path) -> None:
    predictions, people = folder(tmp_path)
    found = read_study(predictions, cohort=people)
    assert found.table["scan_id"].to_list() == ["001", "002"]
    assert found.table["predicted_age_years"].to_list() == [50.5, 61]
    assert dict(found.left_out.itertuples(index=False)) == {
        "003": "the scan was refused",
        "004": "no chronological age",
        "005": "no row in the people's table",
        "006": "no prediction",
    }


def test_words_and_truth_values_are_read_whatever_their_case_and_nothing_stays_nothing(tmp_path: Path) -> None:
    table = read_study(*folder(tmp_path)[:1], cohort=tmp_path / "people.csv").table
    assert table["work"].to_list() == ["heavy", None]
    assert table["sex"].to_list() == ["F", "M"]
    assert table["normal"].to_list() == [True, False]
    assert table["packs_per_day"].isna().to_list() == [False, True]


def test_what_the_people_s_table_does_not_tell_is_taken_from_the_predictions(tmp_path: Path) -> None:
    predictions, people = folder(
        tmp_path,
        "scan_id,age_years\n1,\n2,40\n",
        "scan_id,predicted_age_years,age_years,sex,person_id\n1,50,51,F,a\n2,41,99,M,b\n",
    )
    table = read_study(predictions, cohort=people).table
    assert table["age_years"].to_list() == [51, 40]
    assert table["sex"].to_list() == ["F", "M"]
    assert table["person_id"].to_list() == ["a", "b"]


def test_a_scan_without_a_person_is_a_person_of_its_own(tmp_path: Path) -> None:
    predictions, people = folder(tmp_path, "scan_id,person_id,age_years\n001,,48\n002,p2,60\n")
    assert read_study(predictions, cohort=people).table["person_id"].to_list() == ["001", "p2"]


def test_several_models_of_the_same_scans_keep_a_row_each(tmp_path: Path) -> None:
    predictions, people = folder(
        tmp_path, predictions="scan_id,model,predicted_age_years\n001,a,50\n001,b,52\n002,a,60\n"
    )
    table = read_study(predictions, cohort=people).table
    assert sorted(zip(table["scan_id"], table["model"], strict=True)) == [("001", "a"), ("001", "b"), ("002", "a")]


def test_a_folder_of_predictions_and_a_phantom_s_own_findings_and_statement_are_found(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "participants.tsv").write_text(PEOPLE.replace(",", "\t"))
    (tmp_path / "findings.csv").write_text("scan_id,condition,level,severity\n001,fracture,L1,\n002,none,,\n")
    (tmp_path / "phantom.json").write_text(json.dumps({"statement": "All of it is made up."}))
    found = read_study(tmp_path, cohort=tmp_path)
    assert found.simulated == "All of it is made up."
    assert found.findings is not None
    assert found.findings.take(["001", "002"]).present("fracture").tolist() == [True, False]


@pytest.mark.parametrize(
    ("people", "predictions", "message"),
    [
        (
            PEOPLE.replace("Heavy", "hard"),
            PREDICTIONS,
            "work 'hard' of scan 001; wanted: one of light, moderate, heavy",
        ),
        (PEOPLE.replace("true", "maybe"), PREDICTIONS, "normal is 'maybe'; wanted: true or false"),
        (PEOPLE.replace("0.5", "-1"), PREDICTIONS, "-1.* in column packs_per_day"),
        (PEOPLE.replace("0.5", "some"), PREDICTIONS, "'some' in column packs_per_day"),
        (PEOPLE.replace("scan_id", "scan"), PREDICTIONS, "has no column scan_id; wanted: one row a scan"),
        (PEOPLE + "001,p1,48,F,,,\n", PREDICTIONS, "1 scan.s. in two rows, such as 001"),
        (PEOPLE, PREDICTIONS.replace("61", "old"), "predicted age 'old'; wanted: years"),
        (PEOPLE, PREDICTIONS + "001,50,ok\n", "two predictions of 001 by one model"),
        (PEOPLE, "scan,age\n1,2\n", "predictions.csv has the columns scan, age; wanted: predicted_age_years, scan_id"),
        (PEOPLE, "scan_id,predicted_age_years\nx,50\n", "no scan has both .*compare the names"),
    ],
)
def test_what_cannot_be_is_refused_in_words(people: str, predictions: str, message: str, tmp_path: Path) -> None:
    files = folder(tmp_path, people, predictions)
    with pytest.raises(TableError, match=message):
        read_study(files[0], cohort=files[1])
