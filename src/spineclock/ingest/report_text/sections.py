"""A report in parts: what is history, technique or comparison and what is reported, sentence by sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Fresh = Literal["", "item", "paragraph"]
REPORTED = ("findings", "impression")
"""The sections that hold findings. What stands before any heading counts as findings."""
HEADINGS: dict[str, str] = {
    "history": r"(?:relevant |pertinent |brief )?clinical (?:history|information|info|indications?|details?|data|"
    r"question|background|context|notes?|features|presentation|problem|statement)|(?:past |medical |"
    r"surgical |patient )*"
    r"history(?: of present illness)?|clinicals?|indications?(?: for (?:exam\w*|study|scan))?|"
    r"reason for (?:the )?(?:exam\w*|study|scan|referral|request|visit|mri)|referral(?: reason| details)?|hx|pmh|"
    r"presenting complaints?|symptoms|request(?: details)?|question(?: asked)?|background|complaints?",
    "technique": r"(?:mri?|imaging|scan|scanning|exam\w*|study|mr) (?:technique|protocol|parameters|sequences|details)|"
    r"technique|technical(?: factors| notes?| quality| comments?| details)?|protocol|"
    r"sequences?(?: acquired| obtained)?|"
    r"procedure|methods?|contrast|exam|examination(?: performed| type)?|study(?: performed| type| date)?|modality|"
    r"acquisition|date(?: of (?:exam\w*|study|scan|birth))?|patient(?: name| id)?|name|dob|mrn|age|sex|"
    r"referring (?:physician|doctor|clinician)|(?:image )?quality|limitations?|scanner|title|accession(?: number)?",
    "comparison": r"comparisons?(?: made with| studies| study| exams?)?|(?:prior|previous) (?:imaging|studies|study|"
    r"exams?|"
    r"examinations?|mri|scans?|reports?)|compared? (?:with|to)|relevant (?:prior|previous) (?:imaging|studies)",
    "findings": r"(?:mri?|imaging|radiological|radiology|detailed|spine|mr|key|positive|pertinent)? ?findings|report|"
    r"descriptions?|observations?|body(?: of report)?|results?|detailed report|"
    r"level[- ]by[- ]level(?: findings| analysis)?|"
    r"segmental (?:findings|analysis|assessment)|narrative",
    "impression": r"(?:final |overall |radiological |radiologist'?s? |diagnostic )?(?:impressions?|conclusions?|"
    r"opinion|"
    r"summary|interpretation|diagnos[ie]s|assessment)|comments?|conclusions? and recommendations?|"
    r"impressions? and recommendations?|(?:in )?summary|imp|concl|bottom line|take[- ]home",
    "recommendation": r"recommendations?|advice|advised|plan|suggestions?|follow[- ]?up|disclaimer|nomenclature|"
    r"footnotes?|references?|(?:electronically )?signed(?: by)?|dictated(?: by)?|reported by|radiologist|addressee|"
    r"end of report|reader|transcribed by|legend|key|abbreviations?",
}
_MARK = r"[\s#*_>=\-\[]*(?:\d{1,2}[.)]\s*)?"
_NAMED = "|".join(f"(?P<{kind}>{names})" for kind, names in HEADINGS.items())
_LINE = re.compile(
    rf"{_MARK}(?:{_NAMED})\s*(?:\([^)]*\)|[-–—/] ?[\w ]{{1,30}}(?=:)|of (?:the )?[\w ]{{1,30}}(?=:))?"
    r"\s*[*_\]=]*\s*(?:[:：]|[-–—](?=\s)|(?=$))[*_=]*\s*",
    re.IGNORECASE,
)
_INLINE = re.compile(
    r"(?<=[.?!)])\s+(?=(?:clinical (?:history|information|indication|details)|history|indications?|"
    r"technique|comparisons?|"
    r"findings|impressions?|conclusions?|opinion|summary|recommendations?|report)\s*:)",
    re.IGNORECASE,
)
_BULLET = re.compile(r"\s*(?:[-*•·–—>►▪]+|\(?\d{1,2}[.)]|\(?[a-z][.)])\s+")
_LABEL = re.compile(
    r"\s*(?:At |AT |The |Level |LEVEL )*(?:[CTLSDctlsd]|[Tt]h)\s?-?\s?\d{1,2}\s?(?:[-–—/]|to|and|"
    r"through|[Ss]|$|:|[A-Z]|[a-z ]*:)"
)
_SUB = re.compile(r"\s*[A-Za-z][A-Za-z/&,\- ]{1,45}:")
_OPEN_END = re.compile(
    r"(?:,|/|\b(?:and|or|at|of|the|to|from|in|on|with|without|a|an|is|are|no|by|for|through|as|well|"
    r"into|upon|disc|disk|"
    r"level|levels|mild|moderate|severe|left|right|both|than|there|which|involving|between|near))\s*$",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\(?\d{1,2}[.)]")
_STOP = re.compile(r"[.!?]+(?=\s|$)")
_SHORT = re.compile(
    r"(?:\b(?:e\.g|i\.e|approx|dr|mr|mrs|ms|vs|cf|fig|st|prof|pt|incl|max|min|resp|mod|sev|bilat|lt|"
    r"rt|ant|post|sup|inf|"
    r"sl|assoc|dia|no|lat|gr)|\b[a-hj-z])$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Sentence:
    """A sentence as it was written, with where it stood."""

    text: str
    section: str
    fresh: Fresh
    """Whether it begins an item of a list, or a paragraph, heading or subheading; "" where it goes on."""


def sentences(report: str) -> list[Sentence]:
    """The sentences of a report, in order.

    >>> [(s.section, s.text) for s in sentences("Indication: ?fracture\\n\\nFindings: Bulge\\nat L4-5. Scoliosis.")]
    [('history', '?fracture'), ('findings', 'Bulge at L4-5.'), ('findings', 'Scoliosis.')]
    """
    out: list[Sentence] = []
    for section, fresh, text in _pieces(report):
        for part in _split(text):
            if _NUMBER.fullmatch(part):  # of a list that runs on in one line
                fresh = fresh or "item"
                continue
            out.append(Sentence(part, section, fresh))
            fresh = ""
    return out


def _pieces(report: str) -> Iterator[tuple[str, Fresh, str]]:
    """(section, whether it is something new, text) of runs of lines that belong together."""
    lines = _INLINE.sub("\n", report.replace("\r", "\n").replace("\t", " ")).split("\n")
    width = max((len(line.rstrip()) for line in lines), default=0)
    section, held = "findings", ""
    fresh: Fresh = "paragraph"
    told = False  # whether the section has had text: a blank line under a heading alone does not end it
    previous = ""
    for line in lines:
        if not line.strip(" \t-=_*|"):
            if held:
                yield section, fresh, held
            held, fresh, previous = "", "paragraph", ""
            if told and section not in REPORTED:
                section = "findings"
            continue
        heading = _LINE.match(line)
        if heading and (heading.end() == len(line) or not _in_prose(heading)):
            if held:
                yield section, fresh, held
            section = str(heading.lastgroup)
            held, fresh = line[heading.end() :].strip(), "paragraph"
            told, previous = bool(held), line
            continue
        told = True
        bullet = _BULLET.match(line)
        if held and previous and not bullet and _goes_on(previous, line, width):
            held = f"{held} {line.strip()}"
        else:
            if held:
                yield section, fresh, held
                fresh = ""
            fresh = fresh or ("paragraph" if _SUB.match(line) else "item" if bullet else "")
            held = line[bullet.end() :].strip() if bullet else line.strip()
        previous = line
    if held:
        yield section, fresh, held


def _in_prose(heading: re.Match[str]) -> bool:
    """Whether what looks like a heading is the beginning of a sentence: "Study - ..." is, "Study: ..." is not."""
    return ":" not in heading[0] and "：" not in heading[0] and heading.lastgroup in ("technique", "recommendation")


def _goes_on(previous: str, line: str, width: int) -> bool:
    """Whether a line continues the one before: the text was wrapped, as its first word would not have fitted above."""
    if re.search(r"[.!?;:]\s*$", previous):
        return False
    if _OPEN_END.search(previous):
        return True
    if _LABEL.match(line):
        return False
    if re.match(r"\s*[a-z(]", line) and not re.match(r"\s*(?:no|mild|moderate|severe|small|minimal)\b", line):
        return True
    return len(previous.rstrip()) + 1 + len(line.split()[0]) > width >= 50


def _split(text: str) -> Iterator[str]:
    start = 0
    for stop in _STOP.finditer(text):
        if stop[0] == "." and _SHORT.search(text, start, stop.start()):
            continue
        if part := text[start : stop.end()].strip():
            yield part
        start = stop.end()
    if part := text[start:].strip():
        yield part
