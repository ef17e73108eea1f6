"""SPIDER's gradings as findings: the mapping by hand, what has no place, and the real file's counts."""

from __future__ import annotations

import pandas as pd
import pytest

from spineclock.core.errors import TableError
from spineclock.ingest.datasets import spider_gradings

HEAD = ["Patient", "IVD label", "Modic", "UP endplate", "LOW endplate", "Spondylolisthesis", "Disc herniation",
        "Disc narrowing", "Disc bulging", "Pfirrman grade"]  # fmt: skip


def table(*rows: tuple[int, ...]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=HEAD)


def test_discs_count_upwards_from_l5_s1():
    rows = [(7, disc, 0, 0, 0, 0, 0, 0, 1, 1) for disc in range(1, 10)]
    found = spider_gradings.findings_of_gradings(table(*rows)).findings.long()
    assert set(found["level"]) == {"L5", "L4", "L3", "L2", "L1", "T12", "T11", "T10", "T9"}
    one = spider_gradings.findings_of_gradings(table(rows[5])).findings.long()
    assert one[["condition", "level", "severity"]].to_numpy().tolist() == [["disc_bulge", "T12", "mild"]]


@pytest.mark.parametrize(("grade", "severity"), [(1, None), (2, None), (3, "mild"), (4, "moderate"), (5, "severe")])
def test_pfirrmann_is_desiccation(grade, severity):
    found = spider_gradings.findings_of_gradings(table((1, 1, 0, 0, 0, 0, 0, 0, 0, grade))).findings.long()
    assert found.loc[found["condition"] == "desiccation", "severity"].tolist() == ([severity] if severity else [])


@pytest.mark.parametrize("at", [2, 3, 4])
def test_modic_and_either_endplate_are_endplate_change(at):
    row = [1, 2, 0, 0, 0, 0, 0, 0, 0, 1]
    row[at] = 1
    found = spider_gradings.findings_of_gradings(table(tuple(row))).findings.long()
    assert found.iloc[0].tolist() == ["1", "endplate_change", "L4", "mild"]


def test_slip_herniation_and_what_has_no_place():
    read = spider_gradings.findings_of_gradings(
        table((1, 2, 0, 0, 0, 1, 1, 1, 0, 1), (1, 0, 0, 0, 0, 0, 0, 1, 1, 5), (2, 1, 0, 0, 0, 0, 0, 0, 0, 1))
    )
    assert read.findings.long().to_numpy().tolist() == [
        ["1", "protrusion", "L4", "mild"], ["1", "spondylolisthesis", "L4", ""], ["2", "none", "", ""],
    ]  # fmt: skip
    assert read.without_place.to_numpy().tolist() == [["disc narrowing", 2], ["discs below L5/S1 (label 0)", 1]]
    assert any("our choice" in note for note in read.notes)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((1, 1, 0, 0, 0, 0, 0, 0, 0, 6), "g.csv, row 2: pfirrmann .*6.*; wanted: a whole number from 1 to 5"),
        ((1, 1, 4, 0, 0, 0, 0, 0, 0, 1), "row 2: modic .*4.*; wanted: a whole number from 0 to 3"),
        ((1, 30, 0, 0, 0, 0, 0, 0, 0, 1), "row 2: disc .*30"),
        ((1, 2, 0, 0, 0, 0, 0, 0, 0, 1), "row 2: disc 2 of 1 again; wanted: each disc once"),
        ((None, 1, 0, 0, 0, 0, 0, 0, 0, 1), "row 2 names no patient"),
    ],
)
def test_a_grade_that_cannot_be_is_named_by_row(row, message):
    with pytest.raises(TableError, match=message):
        spider_gradings.findings_of_gradings(table((1, 2, 0, 0, 0, 0, 0, 0, 0, 1), row), "g.csv")


def test_a_missing_column_is_named():
    with pytest.raises(TableError, match="radiological_gradings.csv lacks pfirrmann"):
        spider_gradings.findings_of_gradings(table((1,) * 10).drop(columns="Pfirrman grade"))
    assert not spider_gradings.fits(pd.DataFrame({"scan_id": []}))


def test_the_real_gradings(real_data):
    path = real_data / "spider" / spider_gradings.FILE
    read = spider_gradings.read(real_data / "spider")
    raw = pd.read_csv(path)
    counted = read.findings.long()["condition"].value_counts()
    kept = raw[raw["IVD label"] > 0]
    assert len(read.findings) == raw["Patient"].nunique() == 176
    assert counted["disc_bulge"] == kept["Disc bulging"].sum() == 593
    assert counted["protrusion"] == kept["Disc herniation"].sum() == 65
    assert counted["spondylolisthesis"] == kept["Spondylolisthesis"].sum() == 34
    assert counted["desiccation"] == (kept["Pfirrman grade"] >= 3).sum() == 720
    assert counted["endplate_change"] == (kept[["Modic", "UP endplate", "LOW endplate"]] > 0).any(axis=1).sum()
    assert dict(read.without_place.to_numpy()) == {"disc narrowing": 440, "discs below L5/S1 (label 0)": 2}
    by_age = read.findings.counts("lumbar")["desiccation"].sum(axis=1)
    assert by_age.max() == 5
