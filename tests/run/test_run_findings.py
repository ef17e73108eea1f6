"""``spineclock findings``: what a user types, what is written, what is said, and what is wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from spineclock.core.errors import TableError, UsageError
from spineclock.run.findings import findings_to_file
from spineclock.run.report_text_results import main

EXECUTABLE = Path(sys.executable).with_name("spineclock")
REPORTS = 'study_id,Report text\n007,"L4-5: mild bulge. No stenosis."\n008,"Multilevel bulges."\n'


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "reports.csv"
    path.write_text(REPORTS, encoding="utf-8")
    return path


def test_reports_become_findings_with_their_sentences(source, tmp_path, capsys):
    assert findings_to_file(source, tmp_path / "f.csv", evidence=tmp_path / "e.csv") == 0
    assert (tmp_path / "f.csv").read_text() == "scan_id,condition,level,severity\n007,disc_bulge,L4,mild\n008,none,,\n"
    evidence = pd.read_csv(tmp_path / "e.csv", dtype=str, keep_default_na=False)
    assert evidence.to_numpy().tolist() == [
        ["007", "disc_bulge", "L4", "mild", "L4-5: mild bulge.", ""],
        ["008", "disc_bulge", "", "", "Multilevel bulges.", "not used: told without a level"],
    ]
    out = capsys.readouterr().out
    assert out.startswith("2 scans, 1 findings, 1 of the 19 conditions")
    assert "not used: 1 told without a level" in out


def test_a_folder_of_texts_and_its_own_output_are_read(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("Scoliosis.", encoding="utf-8")
    findings_to_file(tmp_path / "in", tmp_path / "one.csv")
    findings_to_file(tmp_path / "one.csv", tmp_path / "two.csv")
    assert (tmp_path / "one.csv").read_text() == (tmp_path / "two.csv").read_text()
    assert "a,scoliosis,," in (tmp_path / "two.csv").read_text()


@pytest.mark.parametrize(
    ("header", "row", "kind", "finding"),
    [
        ("study_id,spinal_canal_stenosis_l4_l5", "1,Severe", "rsna2024", "1,spinal_stenosis,L4,"),
        ("Patient,IVD label,Modic,UP endplate,LOW endplate,Spondylolisthesis,Disc herniation,Disc "
        "narrowing,Disc bulging,"
         "Pfirrman grade", "1,1,0,0,0,0,1,1,0,2", "spider", "1,protrusion,L5,mild"),
        ("scan_id,disc_bulge:L4", "1,2", "wide", "1,disc_bulge,L4,moderate"),
        ("scan_id,condition,level", "1,fracture,T8", "long", "1,fracture,T8,"),
        ("scan_id,report", "1,Fracture of T8.", "reports", "1,fracture,T8,"),
    ],
)  # fmt: skip
def test_a_table_is_told_by_its_columns(tmp_path, header, row, kind, finding):
    (tmp_path / "t.csv").write_text(f"{header}\n{row}\n", encoding="utf-8")
    for name in ("auto", kind):
        findings_to_file(tmp_path / "t.csv", tmp_path / f"{name}.out.csv", kind=name)
        assert (tmp_path / f"{name}.out.csv").read_text().splitlines()[1] == finding


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        ("csv", UsageError, "--format csv; wanted: one of auto, reports, long, wide, spider, rsna2024"),
        ("wide", TableError, "reports.csv is no wide table of findings"),
        ("spider", TableError, "reports.csv lacks"),
        ("rsna2024", TableError, "reports.csv has the columns"),
    ],
)
def test_another_format_than_the_table_is_refused(source, tmp_path, kind, error, message):
    with pytest.raises(error, match=message):
        findings_to_file(source, tmp_path / "f.csv", kind=kind)
    assert not (tmp_path / "f.csv").exists()


def test_what_cannot_be_read_is_said(tmp_path):
    with pytest.raises(UsageError, match=r"none.csv does not exist; wanted: a table, or a folder of .txt files"):
        findings_to_file(tmp_path / "none.csv", tmp_path / "f.csv")
    with pytest.raises(TableError, match=r"holds no .txt file"):
        findings_to_file(tmp_path, tmp_path / "f.csv")
    (tmp_path / "t.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(TableError, match="t.csv has the columns a, b; wanted: scan_id and report; .*--format"):
        findings_to_file(tmp_path / "t.csv", tmp_path / "f.csv")
    (tmp_path / "l.csv").write_text("scan_id,condition\n1,scoliosis\n", encoding="utf-8")
    with pytest.raises(UsageError, match="--evidence of l.csv, which holds no reports"):
        findings_to_file(tmp_path / "l.csv", tmp_path / "f.csv", evidence=tmp_path / "e.csv")


def test_the_command_and_what_it_does_not_know(source, tmp_path):
    out = tmp_path / "f.csv"
    done = subprocess.run([EXECUTABLE, "findings", source, "--out", out], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "007,disc_bulge,L4,mild" in out.read_text()
    wrong = subprocess.run(
        [EXECUTABLE, "findings", source, "--out", out, "--format", "x"], capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 2
    assert "error: --format x; wanted: one of auto" in wrong.stderr


@pytest.mark.slow
def test_the_results_page_holds_the_recorded_and_the_present_figures(tmp_path):
    root = Path(__file__).resolve().parents[2]
    words = ["--out", tmp_path / "p.md", "--reports", root / "tests/ingest/reports", "--people", "60"]
    assert main([*map(str, words), "--blind", str(root / "docs/results/report_text_blind.csv")]) == 0
    page = (tmp_path / "p.md").read_text(encoding="utf-8")
    assert "| all | 705 | 688 | 674 | 0.980 | 0.956 |" in page
    assert "| even 32, blind | 340 | 0.961 | 0.941 |" in page
    assert "| even 32, now (not read) | 340 |" in page
