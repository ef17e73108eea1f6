"""Findings: the columns, the raw vector of 215, the dense one of 67, and the ways there and back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import TableError, UsageError
from spineclock.core.findings import (
    COLUMNS,
    CONDITIONS,
    DEGENERATIVE,
    LEVELS,
    RAW,
    REGIONS,
    SEVERITIES,
    STRUCTURAL,
    Findings,
    column,
    columns_of,
    dense_names,
    empty_codes,
    wide_name,
)
from spineclock.core.findings_tables import findings_from_long, findings_from_wide


def random_findings(n: int, *, seed: int, share: float = 0.05) -> Findings:
    """Findings that can be: each condition where it may be, with degrees it has."""
    rng = np.random.default_rng(seed)
    codes = empty_codes(n)
    for name, about in CONDITIONS.items():
        for where in REGIONS if about.levelled else (None,):
            if where is not None and where not in about.regions:
                continue
            at = columns_of(name, where)
            codes[:, at] = rng.integers(1, max(about.grades, 1) + 1, (n, len(at))) * (rng.random((n, len(at))) < share)
    for name in STRUCTURAL:
        own = columns_of(name)
        codes[:, own[0]] |= (codes[:, own[1:]] > 0).any(axis=1)
    return Findings(pd.Index([f"scan-{k}" for k in range(n)], name="scan_id"), codes)


def test_the_raw_vector_has_8_times_26_plus_7_entries():
    assert (len(DEGENERATIVE), len(LEVELS), len(STRUCTURAL)) == (8, 26, 7)
    assert RAW == 8 * 26 + 7 == 215
    assert len(CONDITIONS) == 19
    assert [COLUMNS[k] for k in (0, 25, 26, 207)] == [
        ("disc_bulge", "C2"), ("disc_bulge", "L7"), ("disc_osteophyte_complex", "C2"), ("annular_fissure", "L7"),
    ]  # fmt: skip
    assert COLUMNS[208:215] == tuple((name, "") for name in STRUCTURAL)
    assert len(set(COLUMNS)) == len(COLUMNS) == 215 + 4 + 7 * 26


def test_the_levels_run_from_c2_to_l7_with_t13():
    assert [lv[0] for lv in LEVELS].count("C") == 6
    assert [lv[0] for lv in LEVELS].count("T") == 13
    assert [lv[0] for lv in LEVELS].count("L") == 7


def test_the_dense_vector_has_19_a_region_3_for_the_neck_and_7():
    names = dense_names()
    assert len(names) == 3 * 19 + 3 + 7 == 67
    by_region = {where: [n for n in names if n[0] == where] for where in (*REGIONS, "")}
    assert {where: len(of) for where, of in by_region.items()} == {"cervical": 22, "thoracic": 19, "lumbar": 19, "": 7}
    lumbar = [(name, severity) for _, name, severity in by_region["lumbar"]]
    assert lumbar == [
        ("disc_bulge", "mild"), ("disc_bulge", "moderate"), ("disc_bulge", "severe"),
        ("disc_osteophyte_complex", "mild"), ("disc_osteophyte_complex", "moderate"),
        ("disc_osteophyte_complex", "severe"),
        ("protrusion", "mild"), ("protrusion", "moderate"), ("protrusion", "severe"),
        ("extrusion", "mild"), ("extrusion", "moderate"), ("extrusion", "severe"),
        ("desiccation", "mild"), ("desiccation", "moderate"), ("desiccation", "severe"),
        ("desiccation", "near complete"),
        ("endplate_change", "mild"), ("endplate_change", "moderate"), ("annular_fissure", ""),
    ]  # fmt: skip
    assert [where for where, _, _ in names] == ["cervical"] * 22 + ["thoracic"] * 19 + ["lumbar"] * 19 + [""] * 7
    assert [name for where, name, _ in names if name == "uncovertebral_osteophyte"] == ["uncovertebral_osteophyte"] * 3


def test_the_dense_vector_counts_levels():
    codes = empty_codes(2)
    for level, code in (("L3", 1), ("L4", 1), ("L5", 2), ("C5", 1)):
        codes[0, column("disc_bulge", level)] = code
    codes[0, column("desiccation", "L5")] = 4
    codes[1, column("fracture")] = 1
    codes[1, column("annular_fissure", "T7")] = 1
    dense = dict(zip(dense_names(), Findings(pd.Index(["a", "b"]), codes).dense().T, strict=True))
    assert dense["lumbar", "disc_bulge", "mild"].tolist() == [2, 0]
    assert dense["lumbar", "disc_bulge", "moderate"].tolist() == [1, 0]
    assert dense["cervical", "disc_bulge", "mild"].tolist() == [1, 0]
    assert dense["lumbar", "desiccation", "near complete"].tolist() == [1, 0]
    assert dense["thoracic", "annular_fissure", ""].tolist() == [0, 1]
    assert dense["", "fracture", ""].tolist() == [0, 1]
    assert sum(v.sum() for v in dense.values()) == 7


def test_long_wide_and_codes_are_ways_to_say_the_same():
    known = random_findings(200, seed=1)
    for again in (
        findings_from_long(known.long()),
        findings_from_wide(known.wide()),
        findings_from_long(known.long().sample(frac=1, random_state=0), scan_ids=known.scan_ids),
        findings_from_wide(known.wide().astype({c: "string" for c in known.wide() if c != "scan_id"})),
    ):
        assert again.scan_ids.tolist() == known.scan_ids.tolist()
        np.testing.assert_array_equal(again.codes, known.codes)
    assert (known.codes > 0).any(axis=0).sum() > 300


def test_a_scan_without_findings_stays_one():
    long = Findings(pd.Index(["a", "b"]), empty_codes(2)).long()
    assert long.to_numpy().tolist() == [["a", "none", "", ""], ["b", "none", "", ""]]
    assert findings_from_long(long).codes.sum() == 0


def test_structural_conditions_are_there_where_a_level_is():
    table = pd.DataFrame({"scan_id": ["a", "b"], "condition": ["fracture"] * 2, "level": ["T8", ""]})
    known = findings_from_long(table)
    assert known.present("fracture").tolist() == [True, True]
    assert known.column("fracture", "T8").tolist() == [1, 0]
    assert known.long()["level"].tolist() == ["T8", ""]
    assert known.raw()[:, 208 + STRUCTURAL.index("fracture")].tolist() == [1, 1]


def test_take_gives_rows_in_the_order_asked_for():
    known = random_findings(5, seed=2, share=0.3)
    some = known.take(["scan-3", "scan-0"])
    np.testing.assert_array_equal(some.codes, known.codes[[3, 0]])
    with pytest.raises(TableError, match="1 scan\\(s\\) without findings, such as scan-9; wanted: a row for each scan"):
        known.take(["scan-3", "scan-9"])


def test_what_cannot_be_a_findings_object_is_refused():
    with pytest.raises(UsageError, match=r"codes of shape \(1, 3\)"):
        Findings(pd.Index(["a"]), np.zeros((1, 3), dtype=np.int8))
    with pytest.raises(TableError, match="the scan a twice"):
        Findings(pd.Index(["a", "a"]), empty_codes(2))
    with pytest.raises(UsageError, match="'uncovertebral_osteophyte' at level 'S1'"):
        column("uncovertebral_osteophyte", "S1")
    with pytest.raises(UsageError, match="no condition is called 'slip'"):
        columns_of("slip")
    known = Findings(pd.Index(["a"]), empty_codes(1))
    with pytest.raises(ValueError, match="read-only"):
        known.codes[0, 0] = 1


def test_severities_and_names():
    assert SEVERITIES == ("mild", "moderate", "severe", "near complete")
    assert {wide_name(*c) for c in COLUMNS} >= {"disc_bulge:T13", "scoliosis", "fracture", "fracture:L7"}
    assert len({wide_name(*c) for c in COLUMNS}) == len(COLUMNS)
