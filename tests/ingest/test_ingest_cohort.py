"""Cohort tables: read as written, tied to scans by the plainest name, refused with the row that is wrong."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import TableError
from spineclock.core.records import Scan
from spineclock.core.volume import Volume
from spineclock.ingest.cohort import ScanFile, read_cohort, scan_files

TABLE = "scan_id,age_years,sex\na,57.5,F\nb,61,m\nc,,\nd,n/a,n/a\n"


def scan(name: str, *, source: str = "", person: str = "", **facts: object) -> Scan:
    volume = Volume(np.zeros((1, 1, 1)), np.eye(4))
    return Scan(name, volume, Path(source or f"{name}.nii.gz"), person_id=person, **facts)


@pytest.fixture
def table(tmp_path):
    def write(text: str, name: str = "people.csv", *, encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding=encoding)
        return path

    return write


def who(cohort, *args, **kwargs):
    completed = cohort.complete(scan(*args, **kwargs))
    return completed.age_years, completed.sex


def test_age_and_sex_come_from_the_scans_row(table):
    cohort = read_cohort(table(TABLE))
    assert who(cohort, "a") == (57.5, "F")
    assert who(cohort, "b") == (61.0, "M")
    assert cohort.complete(scan("a")).notes == ()


def test_what_the_row_leaves_empty_the_header_fills(table):
    cohort = read_cohort(table(TABLE))
    for name in ("c", "d"):
        assert who(cohort, name) == (None, "")
        assert who(cohort, name, age_years=40.0, sex="M") == (40.0, "M")


def test_the_row_goes_before_the_header(table):
    assert who(read_cohort(table(TABLE)), "a", age_years=40.0, sex="M") == (57.5, "F")


def test_a_scan_without_a_row_is_left_as_it_is_with_a_note(table):
    left = read_cohort(table(TABLE)).complete(scan("zz", age_years=40.0))
    assert left.age_years == 40.0
    assert left.notes == ("the cohort table has no row for this scan",)


def test_the_same_table_as_tsv_and_as_excel_writes_it(table):
    assert who(read_cohort(table(TABLE.replace(",", "\t"), "people.tsv")), "a") == (57.5, "F")
    assert who(read_cohort(table(TABLE, "bom.csv", encoding="utf-8-sig")), "a") == (57.5, "F")


def test_names_that_look_like_numbers_stay_names(table):
    assert who(read_cohort(table("scan_id,age_years\n007,57\n1e3,61\n")), "007") == (57.0, "")
    assert who(read_cohort(table("scan_id,age_years\n007,57\n1e3,61\n")), "1e3") == (61.0, "")


def test_bids_participants(tmp_path):
    (tmp_path / "participants.tsv").write_text(
        "participant_id\tage\tsex\thandedness\nsub-01\t57\tF\tright\nsub-02\tn/a\tM\tn/a\n", encoding="utf-8"
    )
    cohort = read_cohort(tmp_path)
    assert who(cohort, "sub-01_T2w", person="sub-01") == (57.0, "F")
    assert who(cohort, "sub-02_T2w", person="sub-02") == (None, "M")


@pytest.mark.parametrize("written", ["data/x/scan_7.nii.gz", "scan_7", "C:\\Users\\Ölaf\\scan_7.nii.gz", "/a b/scan_7"])
def test_paths_are_compared_by_their_last_part(table, written):
    cohort = read_cohort(table(f"path,age_years\n{written},57\n"))
    assert who(cohort, "x", source="elsewhere/scan_7.nii.gz") == (57.0, "")


def test_the_most_exact_name_decides(table):
    cohort = read_cohort(table("scan_id,path,person_id,age_years\na,,p1,50\n,b.nii.gz,p1,51\n,,p2,52\n"))
    assert who(cohort, "a", person="p2") == (50.0, "")
    assert who(cohort, "zz", source="b.nii.gz", person="p2") == (51.0, "")
    assert who(cohort, "zz", person="p2") == (52.0, "")
    assert math.isnan(cohort.table["age_years"].to_numpy()[0]) is False


def test_rows_that_agree_are_one_and_rows_that_do_not_are_refused(table):
    assert who(read_cohort(table("scan_id,age_years\na,57\na,57\n")), "a") == (57.0, "")
    with pytest.raises(TableError, match="2 different rows for scan_id 'a'; wanted: one age and sex; remedy: tie"):
        read_cohort(table("scan_id,age_years\na,57\na,58\n")).complete(scan("a"))


def test_one_of_age_and_sex_is_enough(table):
    assert who(read_cohort(table("scan_id,sex\na,F\n")), "a") == (None, "F")
    assert who(read_cohort(table("scan_id,age\na,57\n")), "a") == (57.0, "")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("a,57,F\nb,130,F\n", r"130 in column age_years, data row 2 \(1 such\); wanted: ages from 0 to 120"),
        ("a,-1,F\nb,60,F\n", r"-1 in column age_years, data row 1"),
        ("a,57,F\nb,60,F\nc,57Y,F\n", r"'57Y' in column age_years, data row 3"),
        ("a,57,F\nb,89+,F\n", r"'89\+' in column age_years, data row 2"),
        ("a,57,female\nb,60,male\n", r"'FEMALE' in column sex, data row 1 \(2 such\); .*sex F or M"),
        ("a,57,F\nb,60,2\n", r"'2' in column sex, data row 2"),
        ("a,inf,F\n", r"inf in column age_years, data row 1"),
    ],
)
def test_values_that_cannot_be_are_refused_with_their_row(table, rows, said):
    with pytest.raises(TableError, match=said):
        read_cohort(table(f"scan_id,age_years,sex\n{rows}"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,years\na,57\n", "people.csv has the columns name, years; wanted: one of scan_id, path, person_id"),
        ("scan_id,diagnosis\na,none\n", "has the columns scan_id, diagnosis"),
        ("age_years,sex\n57,F\n", "has the columns age_years, sex"),
        ("scan_id;age_years;sex\na;57;F\n", "sex; wanted: .*; remedy: save it with commas between the columns"),
        ("", "cannot be read as a table"),
        ('scan_id,age_years\n"a,57\n', "cannot be read as a table"),
    ],
)
def test_what_is_no_such_table_is_refused(table, text, said):
    with pytest.raises(TableError, match=said):
        read_cohort(table(text))


def test_a_table_that_is_not_there_or_not_text_is_refused(tmp_path, table):
    with pytest.raises(TableError, match="none.csv cannot be read as a table"):
        read_cohort(tmp_path / "none.csv")
    with pytest.raises(TableError, match="participants.tsv cannot be read as a table"):
        read_cohort(tmp_path)
    with pytest.raises(TableError, match="people.csv cannot be read as a table"):
        read_cohort(table("scan_id,age_years\nMüller,57\n", encoding="latin-1"))


def test_parquet_goes_through_the_same_checks(tmp_path, monkeypatch):
    frame = pd.DataFrame({"scan_id": ["a", "b"], "age_years": [57, 130]})
    monkeypatch.setattr(pd, "read_parquet", lambda path: frame.iloc[:1].copy())
    assert who(read_cohort(tmp_path / "p.parquet"), "a") == (57.0, "")
    monkeypatch.setattr(pd, "read_parquet", lambda path: frame.copy())
    with pytest.raises(TableError, match="p.pq: 130 in column age_years, data row 2"):
        read_cohort(tmp_path / "p.pq")


def test_parquet_without_pyarrow_says_what_to_do(tmp_path, monkeypatch):
    for name in ("pyarrow", "fastparquet"):
        monkeypatch.setitem(sys.modules, name, None)
    (tmp_path / "p.parquet").write_bytes(b"PAR1")
    with pytest.raises(TableError, match=r"cannot read; wanted: CSV or TSV, or the package pyarrow; remedy: pip"):
        read_cohort(tmp_path / "p.parquet")


def test_a_sessions_row_is_that_of_all_its_files(table):
    cohort = read_cohort(table("scan_id,person_id,age_years,sex\nsub-1_ses-1,sub-1,50,F\nsub-1_ses-2,sub-1,53,F\n"))
    assert who(cohort, "sub-1_ses-2_T2w", person="sub-1") == (53, "F")
    assert who(cohort, "sub-1_ses-1_acq-lumbar_T2w", person="sub-1") == (50, "F")
    with pytest.raises(TableError, match="2 different rows for person_id 'sub-1'"):
        cohort.complete(scan("other", person="sub-1"))


def test_a_table_says_where_its_scans_lie(table, tmp_path):
    text = "scan_id,path,age_years,mask,mask_scheme\n01,x/1_T2w.nii.gz,57,m/1.nii.gz,spider\n"
    text += "b,x\\2.nii,61,,spider\n b ,x/2.nii,61,,\nc,/abs/3,60,,\nd,n/a,60,,\n"
    wanted = (
        ScanFile("01", tmp_path / "x/1_T2w.nii.gz", tmp_path / "m/1.nii.gz", "spider"),
        ScanFile("b", tmp_path / "x/2.nii"),
        ScanFile("c", Path("/abs/3")),
        ScanFile("d", None),
    )
    path = table(text)
    assert scan_files(path) == wanted
    table(text.replace(",", "\t"), "participants.tsv")
    assert scan_files(tmp_path) == wanted
    assert read_cohort(path).table["path"].tolist() == ["1_T2w", "2", "2", "3", ""]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scan_id,age\na,5\n", "people.csv has the columns scan_id, age; wanted: scan_id and path; remedy: add path"),
        ("person_id\na\n", "remedy: add scan_id and path"),
        ("scan_id,path\na,1.nii\n,2.nii\n", "people.csv: no scan_id in data row 2"),
        ("scan_id,path\na,1.nii\na,2.nii\n", "scan a has rows with different files"),
        (
            "scan_id,path,mask\na,1.nii,m.nii\n",
            "label map m.nii of scan a came without its numbering; wanted: a column",
        ),
    ],
)
def test_a_table_that_does_not_tell_where_scans_lie_is_refused(table, text, message):
    with pytest.raises(TableError, match=message):
        scan_files(table(text))
