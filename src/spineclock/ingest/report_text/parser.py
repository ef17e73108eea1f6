"""Free-text reports as findings, each with the sentence it was read from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pandas as pd

from spineclock.core.errors import TableError
from spineclock.core.findings import CONDITIONS, SEVERITIES, Findings
from spineclock.core.findings_tables import findings_from_long
from spineclock.ingest.report_text.levels import Group
from spineclock.ingest.report_text.parts import VERTEBRAL, Told, levels_for
from spineclock.ingest.report_text.reading import read_sentence
from spineclock.ingest.report_text.sections import REPORTED, sentences
from spineclock.ingest.report_text.spelling import plain

EVIDENCE = ("scan_id", "condition", "level", "severity", "sentence")
_DISCWISE = ("spinal_stenosis", "spondylolisthesis")
"""Structural conditions that, like the degenerative ones, a sentence may tell of the disc the one before named."""
_ELSEWHERE = re.compile(
    r"\b(?:multi-?level|multiple levels|throughout|several levels|(?:other|remaining|all|most|many|"
    r"some) (?:the )?(?:\w+ )?(?:levels?|discs?|vertebra\w*|segments)|"
    r"elsewhere|(?:entire|whole) (?:\w+ )?spine)\b"
)


@dataclass(frozen=True, eq=False)
class ReadReports:
    """What reports say."""

    findings: Findings
    evidence: pd.DataFrame
    """A row a finding: scan_id, condition, level, severity, sentence; where told twice, of the most severe telling."""
    left_out: pd.DataFrame
    """scan_id, condition, sentence: told without a level, of conditions that need one."""


@dataclass(frozen=True)
class _Row:
    condition: str
    level: str
    code: int
    sentence: str
    generic: bool


def findings_from_reports(table: pd.DataFrame, *, name: str = "the table") -> ReadReports:
    """The findings of reports in English.

    Parameters
    ----------
    table : DataFrame
        ``scan_id`` and ``report``, one row a report; several reports of one scan are read as one.
    name : str
        What errors call the table.

    Raises
    ------
    TableError
        If a column is missing, or a row has no scan or no report.

    Examples
    --------
    >>> table = pd.DataFrame({"scan_id": ["a"], "report": ["L4-5: Mild to moderate disc bulge. No stenosis."]})
    >>> findings_from_reports(table).evidence.to_numpy().tolist()
    [['a', 'disc_bulge', 'L4', 'moderate', 'L4-5: Mild to moderate disc bulge.']]
    """
    if missing := {"scan_id", "report"} - set(table):
        raise TableError(
            f"{name} has the columns {', '.join(map(str, table))}", wanted=f"{', '.join(sorted(missing))} among them"
        )
    ids = table["scan_id"].astype("string").fillna("").str.strip()
    texts = table["report"].astype("string").fillna("").str.strip()
    for column, empty in (("scan_id", ids == ""), ("report", texts == "")):
        if empty.any():
            row = int(empty.to_numpy().argmax())
            raise TableError(
                f"{name}, row {row + 1} has no {column} ({int(empty.sum())} such)", wanted="one on each row"
            )
    reports: dict[str, list[str]] = {}
    for scan, text in zip(ids, texts, strict=True):
        reports.setdefault(str(scan), []).append(str(text))
    found: list[tuple[str, str, str, str, str]] = []
    lost: list[tuple[str, str, str]] = []
    for scan, parts in reports.items():
        rows, without = read_report("\n\n".join(parts))
        found += [(scan, r.condition, r.level, _word(r.condition, r.code), r.sentence) for r in rows]
        lost += [(scan, condition, sentence) for condition, sentence in without]
    evidence = pd.DataFrame(found, columns=list(EVIDENCE), dtype=object)
    return ReadReports(
        findings_from_long(evidence.drop(columns="sentence"), scan_ids=reports),
        evidence,
        pd.DataFrame(lost, columns=["scan_id", "condition", "sentence"], dtype=object),
    )


def read_report(report: str) -> tuple[list[_Row], list[tuple[str, str]]]:
    """The findings of one report, and what is told without a level: (condition, sentence)."""
    rows: dict[tuple[str, str], _Row] = {}
    without: list[tuple[str, str]] = []
    for sentence, told, levels in _told(report):
        about = CONDITIONS[told.condition]
        if about.kind == "degenerative" and not levels:
            without.append((told.condition, sentence))
            continue
        code = _code(told.condition, told.severity)
        for level in levels or ("",):
            key = (told.condition, level)
            kept = rows.get(key)
            generic = told.generic and (kept is None or kept.generic)
            if kept is None or code > kept.code:
                rows[key] = _Row(told.condition, level, code, sentence, generic)
            elif kept.generic and not generic:
                rows[key] = _Row(told.condition, level, kept.code, kept.sentence, generic)
    return sorted(_final(rows), key=lambda r: (list(CONDITIONS).index(r.condition), r.level)), without


def _final(rows: dict[tuple[str, str], _Row]) -> Iterator[_Row]:
    """Without herniations that are extrusions, and without "is there" where the levels are told."""
    levelled = {condition for condition, level in rows if level}
    for (condition, level), row in rows.items():
        if condition == "protrusion" and row.generic and ("extrusion", level) in rows:
            continue
        if not level and condition in levelled:
            continue
        herniation = rows.get(("protrusion", level))
        if condition == "extrusion" and herniation and herniation.generic:  # "large herniation, sequestered"
            row = replace(row, code=max(row.code, herniation.code))
        yield row


def _told(report: str) -> Iterator[tuple[str, Told, tuple[str, ...]]]:
    """(sentence as written, what it tells, its levels), those of the sentence before where it has none of its own."""
    about: Group | None = None
    pinned: Group | None = None
    last: str | None = None
    labelled = False
    for sentence in sentences(report):
        if sentence.section not in REPORTED:
            about = pinned = None
            continue
        if sentence.fresh == "paragraph":
            about = pinned = last = None
        elif sentence.fresh == "item":
            about = pinned
        text = plain(sentence.text)
        reading = read_sentence(text)
        for told in reading.told:
            if not told.condition:
                if last is None:
                    continue
                told = replace(told, condition=last)
            last = told.condition
            levels = told.levels
            inherits = CONDITIONS[told.condition].kind == "degenerative" or told.condition in _DISCWISE
            inherits |= told.condition == "cord_abnormality" and labelled  # "C4-5: ... Cord: compressed"
            if told.group is None and about and inherits and not _ELSEWHERE.search(text):
                levels = levels_for(told.condition, about)
            allowed = CONDITIONS[told.condition].regions
            if len(allowed) == 1:
                levels = tuple(level for level in levels if level.startswith(allowed[0][0].upper()))
            yield sentence.text, told, levels
        if reading.bare:
            pinned = reading.leads
        if reading.names_levels:  # a vertebra's lesion says nothing of the disc the next sentence is about
            of_bone = reading.told and all(told.condition in VERTEBRAL for told in reading.told)
            about, labelled = None if of_bone else reading.leads, reading.labelled


def _code(condition: str, severity: int) -> int:
    """A severity code the condition has: "severe" of a condition graded up to moderate is moderate."""
    grades = CONDITIONS[condition].grades
    if grades == 0 or severity == 0 or severity == len(SEVERITIES) != grades:  # "complete" is said of desiccation only
        return 1
    return min(severity, grades)


def _word(condition: str, code: int) -> str:
    return SEVERITIES[code - 1] if CONDITIONS[condition].grades else ""
