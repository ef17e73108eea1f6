"""``spineclock findings``: reports or tables of other schemes in, one table of findings out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import pandas as pd

from spineclock.core.errors import TableError, UsageError
from spineclock.core.findings import Findings
from spineclock.ingest.datasets import rsna2024, spider_gradings
from spineclock.ingest.findings import findings_of, kind_of, read_ids_as_text
from spineclock.ingest.report_text import findings_from_reports
from spineclock.run.outputs import write_text

Format = Literal["auto", "reports", "long", "wide", "spider", "rsna2024"]
REPORT_NAMES = ("report", "report_text", "text", "narrative", "radiology_report", "report_body")
"""What the column of a report's text may be called."""


@dataclass(frozen=True, eq=False)
class Read:
    """Findings, and what is to be said of how they were read."""

    findings: Findings
    evidence: pd.DataFrame | None
    """Of reports: scan_id, condition, level, severity, sentence, note; None of tables."""
    lines: tuple[str, ...] = field(default=())


def findings_to_file(source: Path, out: Path, *, evidence: Path | None = None, kind: str = "auto") -> int:
    """Writes the findings of ``source`` as a long table, says what was read, and returns the exit status.

    Parameters
    ----------
    source : path
        A table (CSV, TSV, Parquet), or a folder of .txt files, one report each, whose names are the scans'.
    out : path
        The table to write: scan_id, condition, level, severity.
    evidence : path, optional
        Where to write the sentence each finding was read from; reports only.
    kind : one of :data:`Format`
        What the source is; ``auto`` tells by its columns.

    Raises
    ------
    UsageError
        If ``kind`` is none of these, a file is missing, or evidence is asked of a table.
    TableError
        If the source cannot be read as what it is said to be.
    """
    if kind not in get_args(Format):
        raise UsageError(f"--format {kind}", wanted=f"one of {', '.join(get_args(Format))}")
    if not source.exists():
        raise UsageError(f"{source} does not exist", wanted="a table, or a folder of .txt files")
    read = read_source(source, kind=kind)
    if evidence is not None and read.evidence is None:
        raise UsageError(
            f"--evidence of {source.name}, which holds no reports", wanted="reports, of which sentences can be shown"
        )
    long = read.findings.long()
    write_text(out, long.to_csv(index=False))
    if evidence is not None and read.evidence is not None:
        write_text(evidence, read.evidence.to_csv(index=False))
    told = long[long["condition"] != "none"]
    print(
        f"{len(read.findings):,} scans, {len(told):,} findings, {told['condition'].nunique()} of the "
        f"19 conditions: {out}"
    )
    for line in read.lines:
        print(line)
    return 0


def read_source(source: Path, *, kind: str = "auto") -> Read:
    """The findings of a file or folder, as what it is said or seen to be."""
    table = _reports_in(source) if source.is_dir() else read_ids_as_text(source)
    kind = _kind(table, source.name) if kind == "auto" else kind
    if kind == "reports":
        return _of_reports(table, source.name)
    if kind in ("spider", "rsna2024"):
        of = spider_gradings.findings_of_gradings if kind == "spider" else rsna2024.findings_of_severities
        imported = of(table, source.name)
        lost = tuple(
            f"no place for: {what} ({n:,} entries)" for what, n in imported.without_place.itertuples(index=False)
        )
        return Read(imported.findings, None, (*imported.notes, *lost))
    if (seen := kind_of(table)) != kind:
        raise TableError(
            f"{source.name} is no {kind} table of findings",
            wanted="scan_id and condition" if kind == "long" else "scan_id and columns such as disc_bulge:L4",
            remedy=f"--format {seen}" if seen else "",
        )
    return Read(findings_of(table, source.name), None)


def _kind(table: pd.DataFrame, name: str) -> str:
    """What a table is by its columns."""
    if spider_gradings.fits(table):
        return "spider"
    if rsna2024.fits(table):
        return "rsna2024"
    if kind := kind_of(table):
        return kind
    if _report_column(table):
        return "reports"
    raise TableError(
        f"{name} has the columns {', '.join(map(str, table.columns[:12]))}",
        wanted="scan_id and report; scan_id and condition; scan_id and columns such as disc_bulge:L4; or the columns "
        "of SPIDER's gradings or of RSNA 2024's severities",
        remedy="name the columns so, or say what it is with --format",
    )


def _report_column(table: pd.DataFrame) -> str:
    return next((str(c) for c in table if str(c).strip().lower().replace(" ", "_") in REPORT_NAMES), "")


def _of_reports(table: pd.DataFrame, name: str) -> Read:
    column = _report_column(table)
    read = findings_from_reports(table.rename(columns={column: "report"} if column else {}), name=name)
    without = read.left_out.assign(level="", severity="", note="not used: told without a level")
    evidence = pd.concat([read.evidence.assign(note=""), without[[*read.evidence.columns, "note"]]])
    lines = (
        f"not used: {len(read.left_out):,} told without a level, where the condition needs one",
        "read by rules: check a sample against the reports before you rely on it",
    )
    return Read(read.findings, evidence.sort_values("scan_id", kind="stable"), lines)


def _reports_in(folder: Path) -> pd.DataFrame:
    files = sorted(folder.glob("*.txt"))
    if not files:
        raise TableError(f"{folder} holds no .txt file", wanted="one report a file, named as the scan")
    try:
        texts = [path.read_text(encoding="utf-8-sig") for path in files]
    except UnicodeDecodeError as error:
        raise TableError(f"a report in {folder} is not UTF-8 ({error})", wanted="text in UTF-8") from error
    return pd.DataFrame({"scan_id": [path.stem for path in files], "report": texts})
