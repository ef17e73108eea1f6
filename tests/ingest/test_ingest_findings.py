"""Findings from files: long or wide, other names of the columns, and errors that name file and row."""

from __future__ import annotations

import pandas as pd
import pytest

from spineclock.core.errors import TableError
from spineclock.ingest.findings import read_findings

LONG = "scan_id,condition,level,severity\n001,disc_bulge,L4/L5,moderate\n001,fracture,T8,\n002,none,,\n"
WIDE = "scan_id,disc_bulge:L4,fracture:T8\n001,2,1\n002,,0\n"


def saved(tmp_path, text, name="findings.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        LONG,
        WIDE,
        LONG.replace("scan_id", "Accession Number", 1),
        LONG.replace("scan_id", "study_id", 1),
        LONG.replace("condition,level,severity", "Finding,Level,Grade", 1),
        WIDE.replace("scan_id", "scan", 1),
        WIDE.replace("scan_id,", "scan_id,person_id,", 1).replace("001,", "001,p1,").replace("002,", "002,p2,"),
    ],
)
def test_long_and_wide_say_the_same_under_many_names(tmp_path, text):
    read = read_findings(saved(tmp_path, text))
    assert read.scan_ids.tolist() == ["001", "002"]
    assert read.long().iloc[:2].to_numpy().tolist() == [
        ["001", "disc_bulge", "L4", "moderate"],
        ["001", "fracture", "T8", ""],
    ]
    assert read.codes[1].sum() == 0


def test_tsv_parquet_and_a_folder(tmp_path):
    tsv = saved(tmp_path, LONG.replace(",", "\t"), "f.tsv")
    known = read_findings(tsv)
    assert known.column("disc_bulge", "L4").tolist() == [2, 0]
    pytest.importorskip("pyarrow")
    pd.DataFrame({"study_id": [7.0], "scoliosis": [1]}).to_parquet(tmp_path / "f.parquet")
    assert read_findings(tmp_path / "f.parquet").scan_ids.tolist() == ["7"]


def test_a_folder_stands_for_its_findings_csv(tmp_path):
    saved(tmp_path, LONG)
    assert len(read_findings(tmp_path)) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            LONG + "003,disc_bulge,L9,mild\n",
            r"findings.csv: 1 row\(s\) that cannot be: row 4 \(003 mild disc_bulge L9\): no level",
        ),
        (LONG + ",disc_bulge,L4,mild\n", r"findings.csv: .*row 4 \(mild disc_bulge L4\): no scan_id"),
        (LONG + "001,disc_bulge,L4,mild\n", r"row 4 .*another severity than an earlier row"),
        (WIDE + "003,9,0\n", r"findings.csv: .*row 3 \(003 9 disc_bulge L4\)"),
        (WIDE + "001,1,0\n", r"findings.csv: the scan 001 in more than one row"),
        (WIDE.replace("fracture:T8", "fracture:T14"), r"1 unknown column\(s\): fracture:T14"),
        ("a,b\n1,2\n", "findings.csv has the columns a, b; wanted: scan_id and condition"),
        ("scan_id;condition\n1;none\n", "remedy: save it with commas between the columns"),
        ("", "findings.csv cannot be read as a table"),
    ],
)
def test_errors_name_the_file_and_the_row(tmp_path, text, message):
    with pytest.raises(TableError, match=message):
        read_findings(saved(tmp_path, text))


def test_scans_reported_on_are_told_apart_from_scans_missing(tmp_path):
    assert len(read_findings(saved(tmp_path, LONG), scan_ids=["001", "002", "003"])) == 3
    wide = saved(tmp_path, WIDE, "wide.csv")
    assert read_findings(wide, scan_ids=["002"]).scan_ids.tolist() == ["002"]
    with pytest.raises(TableError, match=r"wide.csv: 1 scan\(s\) without findings, such as 003"):
        read_findings(wide, scan_ids=["001", "003"])
    with pytest.raises(TableError, match="findings.csv: .*not among those reported on"):
        read_findings(saved(tmp_path, LONG), scan_ids=["001"])
