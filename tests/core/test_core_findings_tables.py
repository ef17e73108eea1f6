"""Tables of findings: every way to be wrong, named by its row, and how fast a cohort of the paper's size is read."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import TableError
from spineclock.core.findings import COLUMNS, STRUCTURAL, Findings, columns_of, empty_codes
from spineclock.core.findings_tables import findings_from_long, findings_from_wide


def long(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["scan_id", "condition", "level", "severity"])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("b", "disc_buldge", "L4", ""), "row 2 (b disc_buldge L4): no condition is called 'disc_buldge'"),
        (("b", "disc_bulge", "L8", "mild"), "row 2 (b mild disc_bulge L8): no level is called 'L8'"),
        (("b", "disc_bulge", "C1", "mild"), "no level is called 'C1'"),
        (("b", "disc_bulge", "L4/L6", "mild"), "no level is called 'L4/L6'"),
        (("b", "disc_bulge", "L3-L5", "mild"), "no level is called 'L3-L5'"),
        (("b", "disc_bulge", "", "mild"), "disc bulge without a level"),
        (("b", "disc_bulge", "L4", "awful"), "disc bulge is graded mild, moderate, severe, not 'awful'"),
        (
            ("b", "disc_bulge", "L4", "near complete"),
            "disc bulge is graded mild, moderate, severe, not 'near complete'",
        ),
        (("b", "endplate_change", "L4", "severe"), "endplate change is graded mild, moderate, not 'severe'"),
        (("b", "annular_fissure", "L4", "mild"), "annular fissure is not graded, not 'mild'"),
        (("b", "uncovertebral_osteophyte", "L4", "mild"), "uncovertebral osteophyte cannot be at L4"),
        (("b", "scoliosis", "L4", ""), "scoliosis cannot be at L4"),
        (("b", "none", "L4", ""), "a level or severity of nothing"),
        (("a", "none", "", ""), "none beside findings of the same scan"),
        (("a", "disc_bulge", "L4/5", "severe"), "another severity than an earlier row of the same finding"),
        (("", "disc_bulge", "L4", "mild"), "no scan_id"),
    ],
)
def test_a_wrong_row_is_named_with_what_is_wrong(row, message):
    with pytest.raises(TableError) as error:
        findings_from_long(long(("a", "disc_bulge", "L4", "mild"), row))
    assert message in str(error.value)
    assert "row 2 (" in str(error.value)


def test_five_of_many_wrong_rows_are_named():
    with pytest.raises(TableError, match=r"8 row\(s\) that cannot be: row 1 .*; row 5 \([^;]*; wanted: conditions"):
        findings_from_long(long(*((f"s{k}", "disc_bulge", "X", "") for k in range(8))))


@pytest.mark.parametrize(
    ("written", "level"),
    [("L4", "L4"), ("L4/L5", "L4"), ("l4-5", "L4"), ("L4–L5", "L4"), ("L5/S1", "L5"), ("L5-S1", "L5"), ("C7/T1", "C7"),
     ("T12-L1", "T12"), ("T12/T13", "T12"), ("T13/L1", "T13"), ("L5/L6", "L5"), ("L6/S1", "L6"), ("C2 / C3", "C2")],
)  # fmt: skip
def test_discs_are_read_as_the_vertebra_above(written, level):
    assert findings_from_long(long(("a", "desiccation", written, "severe"))).column("desiccation", level).tolist() == [
        3
    ]


def test_words_are_read_whatever_their_case_and_joints():
    read = findings_from_long(
        long(
            ("a", "Disc bulge", "L4", "Moderate"),
            ("a", "desiccation", "L4", "near-complete"),
            ("a", "SCOLIOSIS", "", ""),
        )
    )
    assert read.long()["condition"].tolist() == ["disc_bulge", "desiccation", "scoliosis"]
    assert read.long()["severity"].tolist() == ["moderate", "near complete", ""]


def test_a_graded_finding_without_a_degree_is_mild_and_the_same_row_twice_is_one():
    read = findings_from_long(long(("a", "disc_bulge", "L4", ""), ("a", "disc_bulge", "L4", "mild")))
    assert read.codes.sum() == 1


def test_none_after_a_scan_whose_last_column_is_used_is_no_contradiction():
    name, level = COLUMNS[-1]
    read = findings_from_long(long(("a", name, level, ""), ("b", "none", "", "")))
    assert read.codes.sum(axis=1).tolist() == [2, 0]


def test_scans_reported_on_without_a_row_and_rows_of_others():
    told = long(("b", "disc_bulge", "L4", "mild"))
    assert findings_from_long(told, scan_ids=["a", "b"]).codes.sum(axis=1).tolist() == [0, 1]
    with pytest.raises(TableError, match="row 1 .*a scan that is not among those reported on"):
        findings_from_long(told, scan_ids=["a"])
    with pytest.raises(TableError, match="the scan a twice; wanted: each scan's findings once"):
        findings_from_long(told, scan_ids=["a", "a", "b"])


def test_a_user_s_column_called_row_is_left_alone():
    table = long(("a", "disc_bulge", "X", "")).assign(row="here")
    with pytest.raises(TableError, match=r"row 1 \(a disc_bulge X\)"):
        findings_from_long(table)


def test_a_long_table_needs_its_columns():
    with pytest.raises(TableError, match="columns scan_id, finding; wanted: condition among them"):
        findings_from_long(pd.DataFrame({"scan_id": ["a"], "finding": ["x"]}))


@pytest.mark.parametrize(
    ("cells", "codes"),
    [
        ([0, 2, None], [0, 2, 0]),
        ([0.0, 3.0, float("nan")], [0, 3, 0]),
        (["", "severe", "0"], [0, 3, 0]),
        (["none", "2.0", "absent"], [0, 2, 0]),
        (np.array([0, 1, 2], dtype=np.int8), [0, 1, 2]),
        (np.array([0, 1, 2], dtype=np.float32), [0, 1, 2]),
        ([np.float32(0), np.int8(1), "Moderate"], [0, 1, 2]),
        ([True, False, True], [1, 0, 1]),
    ],
)
def test_wide_cells_are_codes_or_words(cells, codes):
    table = pd.DataFrame({"scan_id": ["a", "b", "c"], "disc_bulge:L4": cells})
    assert findings_from_wide(table).column("disc_bulge", "L4").tolist() == codes


def test_ungraded_wide_cells_say_yes_or_no():
    table = pd.DataFrame({"scan_id": ["a", "b", "c"], "fracture:T8": [1, 0, 1], "scoliosis": ["present", "", "true"]})
    read = findings_from_wide(table)
    assert read.column("fracture").tolist() == read.column("fracture", "T8").tolist() == [1, 0, 1]
    assert read.column("scoliosis").tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"scan": ["a"]}, "columns scan; wanted: scan_id among them"),
        ({"scan_id": ["a", "a"], "fracture": [0, 1]}, "the scan a in more than one row"),
        ({"scan_id": ["a", None], "fracture": [0, 1]}, "row 2 has no scan_id"),
        ({"scan_id": ["a"], "fracture:X": [1], "age": [3]}, "2 unknown column(s): fracture:X, age"),
        (
            {"scan_id": ["a", "b"], "disc_bulge:L4": [1, 4]},
            "row 2 (b near complete disc_bulge L4): disc bulge is graded",
        ),
        ({"scan_id": ["a"], "disc_bulge:L4": [5]}, "row 1 (a 5 disc_bulge L4): disc bulge is graded"),
        ({"scan_id": ["a"], "disc_bulge:L4": [1.5]}, "not '1.5'"),
        ({"scan_id": ["a", "b"], "fracture": [0, 2]}, "row 2 (b moderate fracture): fracture is not graded"),
        ({"scan_id": ["a"], "uncovertebral_osteophyte:L4": [1]}, "uncovertebral osteophyte cannot be at L4"),
        ({"scan_id": ["a", "b"], "disc_bulge:L4": [-1, 1]}, "row 1 (a -1 disc_bulge L4)"),
    ],
)
def test_a_wrong_wide_table_is_named_by_row_or_column(table, message):
    with pytest.raises(TableError) as error:
        findings_from_wide(pd.DataFrame(table))
    assert message in str(error.value)


def test_wide_rows_are_numbered_whatever_the_index():
    table = pd.DataFrame({"scan_id": ["a", "b"], "disc_bulge:L4": [1, 9]}, index=[7, 7])
    with pytest.raises(TableError, match=r"row 2 \(b 9 disc_bulge L4\)"):
        findings_from_wide(table)


@pytest.mark.slow
def test_a_cohort_of_the_paper_s_size_is_read_in_seconds():
    rng = np.random.default_rng(0)
    n, codes = 18_070, empty_codes(18_070)
    for name in ("disc_bulge", "desiccation", "protrusion", "disc_osteophyte_complex"):
        at = columns_of(name)
        codes[:, at] = rng.integers(1, 4, (n, len(at))) * (rng.random((n, len(at))) < 0.1)
    codes[:, columns_of(STRUCTURAL[3])[0]] = rng.random(n) < 0.2
    known = Findings(pd.Index([f"s{k}" for k in range(n)]), codes)
    begun = time.process_time()
    told = known.long()
    again = findings_from_long(told)
    wide = findings_from_wide(known.wide())
    seconds = time.process_time() - begun
    assert len(told) > 150_000
    np.testing.assert_array_equal(again.codes, known.codes)
    np.testing.assert_array_equal(wide.codes, known.codes)
    assert seconds < 30  # 6 to 8 s on one core that others use as well
