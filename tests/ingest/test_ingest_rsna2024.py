"""Severities in the style of RSNA 2024: canal stenosis has a place, foramina and recesses are counted."""

from __future__ import annotations

import pandas as pd
import pytest

from spineclock.core.errors import TableError
from spineclock.ingest.datasets import rsna2024

DISCS = ("l1_l2", "l2_l3", "l3_l4", "l4_l5", "l5_s1")


def test_moderate_and_severe_canal_stenosis_are_at_the_vertebra_above(tmp_path):
    rows = {"study_id": [4003253, 4646740]}
    grades = (
        ("Normal/Mild", "Severe"),
        ("Moderate", "Normal/Mild"),
        ("Severe", ""),
        ("Normal/Mild", "Moderate"),
        ("", ""),
    )
    rows |= {f"spinal_canal_stenosis_{disc}": list(pair) for disc, pair in zip(DISCS, grades, strict=True)}
    rows |= {
        "left_neural_foraminal_narrowing_l4_l5": ["Moderate", "Severe"],
        "right_subarticular_stenosis_l5_s1": ["", "Severe"],
    }
    pd.DataFrame(rows).to_csv(tmp_path / "train.csv", index=False)
    read = rsna2024.read(tmp_path / "train.csv")
    assert read.findings.long().to_numpy().tolist() == [
        ["4003253", "spinal_stenosis", "L2", ""], ["4003253", "spinal_stenosis", "L3", ""],
        ["4646740", "spinal_stenosis", "L1", ""], ["4646740", "spinal_stenosis", "L4", ""],
    ]  # fmt: skip
    assert read.without_place.to_numpy().tolist() == [
        ["left neural foraminal narrowing", 2], ["right subarticular stenosis", 1],
    ]  # fmt: skip
    assert any("Normal/Mild is none" in note for note in read.notes)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {"study_id": [1, 2], "spinal_canal_stenosis_l4_l5": ["Mild", "Bad"]},
            "t.csv, row 2: spinal_canal_stenosis_l4_l5 is 'Bad'",
        ),
        ({"study_id": [1, 1], "spinal_canal_stenosis_l4_l5": ["", ""]}, "row 2: study '1' again"),
        ({"study_id": [None], "spinal_canal_stenosis_l4_l5": [""]}, "row 1: study '' again, or none"),
        (
            {"study_id": [1], "stenosis": ["x"]},
            "t.csv has the columns study_id, stenosis; wanted: study_id and columns",
        ),
        ({"spinal_canal_stenosis_l4_l5": ["Mild"]}, "wanted: study_id"),
    ],
)
def test_errors_name_the_file_and_row(table, message):
    with pytest.raises(TableError, match=message):
        rsna2024.findings_of_severities(pd.DataFrame(table), "t.csv")
