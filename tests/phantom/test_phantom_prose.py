"""Reports in prose: what is found is said, once, with its levels; nothing else is."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from spineclock.core.findings import Findings, column, empty_codes
from spineclock.phantom.people import people
from spineclock.phantom.prose import STYLES, reports


def written(*findings: tuple[str, str, int], seeds: int = 60) -> dict[str, list[str]]:
    """Many reports of one scan, by style."""
    codes = empty_codes(1)
    for condition, level, code in findings:
        codes[0, column(condition, level)] = code
    codes = np.repeat(codes, seeds, axis=0)
    found = reports(Findings(pd.Index([str(k) for k in range(seeds)]), codes), rng=np.random.default_rng(6))
    return {str(name): part["report"].to_list() for name, part in found.groupby("style")}


def test_every_style_is_used_and_writes_discs_its_way():
    found = written(("extrusion", "L4", 2), ("extrusion", "L5", 2))
    ways = {"by region": "L4-5 and L5-S1", "narrative": "L4/L5 and L5/S1", "terse": "L4/5 and L5/S1",
            "dashed": "L4-L5 and L5-S1"}  # fmt: skip
    assert set(found) == set(ways) == {style.name for style in STYLES}
    for name, texts in found.items():
        assert all(ways[name] in text and "moderate" in text.lower() for text in texts), name


def test_three_levels_in_a_row_are_a_range_and_others_are_listed():
    found = written(*(("disc_bulge", level, 1) for level in ("L1", "L3", "L4", "L5", "C3", "C5")))
    assert all("L1-2 and L3-4 through L5-S1" in text and "C3-4 and C5-6" in text for text in found["by region"])
    assert all("L1/L2 and L3/L4 to L5/S1" in text for text in found["narrative"])


def test_bones_are_told_by_vertebra_and_what_is_denied_is_not_there():
    found = written(("fracture", "", 1), ("fracture", "T8", 1), ("fracture", "T12", 1), ("scoliosis", "", 1))
    for texts in found.values():
        for text in texts:
            assert re.search(r"(?i)(fracture|fx) at T8 and T12|T8 and T12, there is a .*fracture|T8 and T12: ", text), (
                text
            )
            assert "No fracture" not in text
            assert "coliosis" in text


def test_a_scan_without_findings_has_a_report_that_says_so():
    for texts in written().values():
        assert all(re.search(r"[Nn]ormal|[Uu]nremarkable|No significant|No cervical", text) for text in texts)
        assert not any(re.search(r"\b[CTL]\d", text) for text in texts)


def test_reports_are_a_function_of_findings_and_chance():
    some = people(200, seed=2).reported
    one, two = (reports(some, rng=np.random.default_rng(9)) for _ in range(2))
    pd.testing.assert_frame_equal(one, two)
    assert one["scan_id"].to_list() == some.scan_ids.to_list()
    few = reports(some.take(some.scan_ids[:50]), rng=np.random.default_rng(9))
    assert few["report"].str.len().min() > 20


@pytest.mark.parametrize("severity", ["mild", "moderate", "severe"])
def test_each_severity_is_said_as_often_as_it_is_found(severity):
    some = people(1500, seed=3).reported
    texts = reports(some, rng=np.random.default_rng(1))["report"].str.lower()
    long = some.long()
    has = long[long["severity"] == severity].groupby("scan_id").size()
    said = texts[texts.str.contains(rf"\b{severity}\b")].index
    assert set(some.scan_ids[said]) == set(has.index)
