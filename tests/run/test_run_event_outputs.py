"""What a prediction of an event leaves: read back it is what was written, and what is not known stays empty."""

from __future__ import annotations

import json

import pytest

from spineclock.core.outcomes import EventPrediction, GradedVertebra
from spineclock.core.recipe import Words
from spineclock.core.records import ModelInfo, Quality
from spineclock.recipes.ct_fracture import FRACTURE, RECIPE
from spineclock.report.html import ReportEntry, RunInfo, html
from spineclock.run.event_outputs import event_of, fields, line, row
from spineclock.run.outputs import plain

MEASURED = EventPrediction(
    "vertebral fracture", "prevalent fracture",
    (GradedVertebra("T12", 0, "", 0.02, 130.0), GradedVertebra("L1", 2, "wedge", 0.31, 95.5, 0.8),
     GradedVertebra("L2", None, trabecular_hu=101.0)),
    lacking="no network", measures={"l1_hu": float("nan"), "psoas_hu": 44.0},
)  # fmt: skip
FORETOLD = EventPrediction(
    "vertebral fracture", "prevalent fracture", MEASURED.vertebrae, ("T12", "L1", "L2"), 0.7, 0.4, "youden",
    ((1.0, 0.02), (2.0, 0.05), (3.0, 0.08), (5.0, 0.125)), (2.0, 3.0, 5.0), (0.08, 0.18), 0.9, 0.13, "death",
    measures={"l1_hu": 95.5},
)  # fmt: skip


def document(told):
    head = {"input": {"scan_id": "a"}, "quality": {"verdict": "check", "reasons": []}}
    return json.loads(json.dumps(plain({**head, **fields(told)})))


@pytest.mark.parametrize("told", [MEASURED, FORETOLD])
def test_what_is_read_back_is_what_was_written(told):
    assert str(event_of(document(told))) == str(told)  # NaN is no NaN's equal


def test_fields_say_what_a_user_looks_for():
    found = document(FORETOLD)
    assert [f["level"] for f in found["fractures"]] == ["L1"]
    assert found["fractures"][0]["grade"] == 2
    assert found["risk"]["by_years"] == {"2": 0.05, "3": 0.08, "5": 0.125}
    assert (found["risk"]["interval"], found["risk"]["competing"]) == ([0.08, 0.18], "death")
    assert found["detection"] == {"probability": 0.7, "called": True, "threshold": 0.4, "threshold_rule": "youden"}
    bare = document(MEASURED)
    assert (bare["risk"], bare["detection"], bare["risk_lacking"]) == (None, None, "no network")
    assert bare["measures"] == {"l1_hu": None, "psoas_hu": 44.0}


def test_rows_have_the_same_columns_whatever_is_known():
    full, bare, none = (row(d, FRACTURE) for d in (document(FORETOLD), document(MEASURED), {}))
    assert list(full) == list(bare) == list(none)
    assert full["fractures"] == "L1:2-wedge"
    assert (full["worst_genant_grade"], full["risk_5_years"], full["interval_high"]) == (2, 0.125, 0.18)
    assert bare["risk_5_years"] is None
    assert line(document(FORETOLD), FORETOLD).startswith("a: fractures measured: L1 grade 2 wedge; probability of")
    assert "5-year risk 12.5% (8.0% to 18.0%)" in line(document(FORETOLD), FORETOLD)


def test_the_page_says_it_too_and_where_no_risk_is_given():
    run, model = RunInfo("0", "spineclock predict", "today"), ModelInfo("m", {}, "Not a medical device.")
    entries = [
        ReportEntry(name, f"{name}.nii.gz", Quality("check"), model, event=told)
        for name, told in (("one", FORETOLD), ("two", MEASURED))
    ]
    page = html(entries, run=run, words=RECIPE.words, title="t", outcome=FRACTURE)
    assert "90% interval 8.0%–18.0%, beside death" in page
    assert "<strong>No risk is given:</strong> no network" in page
    assert "31.0%" in page
    assert page.count("Not a medical device.") >= 2
    assert html(entries, run=run, words=Words(), outcome=FRACTURE)
