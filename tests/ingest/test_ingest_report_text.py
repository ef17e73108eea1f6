"""Whole reports: some 200 made-up examples, evidence, what is left out, floors on the reports of others, time."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import TableError
from spineclock.core.findings import CONDITIONS
from spineclock.ingest.findings import read_findings
from spineclock.ingest.report_text import findings_from_reports
from spineclock.phantom.people import people
from spineclock.phantom.prose import reports
from spineclock.run.report_text_scores import scores

HERE = Path(__file__).parent
with (HERE / "report_text_examples.tsv").open(encoding="utf-8", newline="") as file:
    EXAMPLES = [(row["report"].replace("\\n", "\n"), row["findings"]) for row in csv.DictReader(file, delimiter="\t")]


def read(*texts: str):
    return findings_from_reports(pd.DataFrame({"scan_id": [f"s{k}" for k in range(len(texts))], "report": texts}))


def told(text: str) -> set[str]:
    rows = read(text).findings.long()
    words = [" ".join(filter(None, row)) for row in rows[["condition", "level", "severity"]].to_numpy()]
    return set(words) - {"none"}


@pytest.mark.parametrize(("report", "findings"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_says_what_it_says(report, findings):
    assert told(report) == set(filter(None, findings.split("; ")))


def test_the_examples_hold_every_condition():
    assert len(EXAMPLES) > 200
    assert {f.split()[0] for _, findings in EXAMPLES for f in findings.split("; ") if f} == set(CONDITIONS)


def test_each_finding_shows_the_sentence_it_was_read_from():
    text = "L4-5: Mild bulge. IMPRESSION: Moderate L4–5 disc bulge, haemangioma at T8."
    table = read(text).evidence
    assert table.to_numpy().tolist() == [
        ["s0", "disc_bulge", "L4", "moderate", "Moderate L4–5 disc bulge, haemangioma at T8."],
        ["s0", "bone_lesion", "T8", "", "Moderate L4–5 disc bulge, haemangioma at T8."],
    ]
    assert read("Normal study.").evidence.empty


def test_every_finding_of_the_others_reports_has_its_evidence():
    texts = {p.stem: p.read_text(encoding="utf-8") for p in sorted((HERE / "reports").glob("*.txt"))}
    some = findings_from_reports(pd.DataFrame({"scan_id": list(texts), "report": list(texts.values())}))
    key = ["scan_id", "condition", "level", "severity"]
    long = some.findings.long()
    shown = some.evidence.sort_values(key)[key].to_numpy().tolist()
    assert shown == long[long["condition"] != "none"].sort_values(key)[key].to_numpy().tolist()
    flat = {name: " ".join(text.split()) for name, text in texts.items()}
    for row in some.evidence.itertuples():
        assert str(row.sentence)[:30] in flat[str(row.scan_id)]


def test_what_has_no_level_is_listed_not_guessed():
    some = read("Multilevel disc bulges. Fracture.")
    assert some.left_out.to_numpy().tolist() == [["s0", "disc_bulge", "Multilevel disc bulges."]]
    assert told("Multilevel disc bulges. Fracture.") == {"fracture"}


def test_several_reports_of_a_scan_are_read_as_one():
    table = pd.DataFrame({"scan_id": ["a", "b", "a"], "report": ["L4-5 mild bulge.", "Normal.", "Severe L4-5 bulge."]})
    some = findings_from_reports(table).findings
    assert some.scan_ids.tolist() == ["a", "b"]
    assert some.column("disc_bulge", "L4").tolist() == [3, 0]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"scan_id": ["a"], "text": ["x"]}, "r.csv has the columns scan_id, text; wanted: report among them"),
        ({"scan_id": ["a", "b"], "report": ["x", None]}, "r.csv, row 2 has no report"),
        ({"scan_id": ["a", " "], "report": ["x", "y"]}, "r.csv, row 2 has no scan_id"),
    ],
)
def test_a_table_that_is_none_of_reports(table, message):
    with pytest.raises(TableError, match=message):
        findings_from_reports(pd.DataFrame(table), name="r.csv")


@pytest.fixture(scope="module")
def others():
    """The reports written without seeing the rules: what is read and what is there, by half."""
    folder = HERE / "reports"
    texts = {p.stem: p.read_text(encoding="utf-8") for p in sorted(folder.glob("*.txt"))}
    found = findings_from_reports(pd.DataFrame({"scan_id": list(texts), "report": list(texts.values())})).findings
    gold = read_findings(folder / "gold.csv", scan_ids=list(texts))
    halves = {half: [i for i in texts if int(i) % 2 == half] for half in (0, 1)}
    return {half: scores(found.take(ids), gold.take(ids)) for half, ids in halves.items()}


def test_reports_the_rules_were_mended_on_stay_read(others):
    assert others[1].by_condition["gold"].iloc[-1] == 365
    assert others[1].precision >= 0.99
    assert others[1].recall >= 0.99
    assert others[1].severity_exact >= 0.98


def test_reports_the_rules_were_not_mended_on_stay_read(others):
    assert others[0].by_condition["gold"].iloc[-1] == 340
    assert others[0].precision >= 0.955
    assert others[0].recall >= 0.945
    assert others[0].level_exact >= 0.925
    assert others[0].severity_exact >= 0.955


def test_made_up_people_s_reports_are_read_back_in_their_time():
    some = people(400, seed=11)
    written = reports(some.reported, rng=np.random.default_rng(11))
    begun = time.process_time()
    found = findings_from_reports(written).findings
    seconds = time.process_time() - begun
    how = scores(found, some.reported)
    assert how.precision >= 0.995
    assert how.recall >= 0.99
    assert how.severity_exact >= 0.995
    assert seconds / len(written) * 18_070 < 60
