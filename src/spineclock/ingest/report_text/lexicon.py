"""What a sentence names: conditions and degrees, from left to right."""

from __future__ import annotations

import re
from dataclasses import dataclass

from spineclock.ingest.report_text.pattern import Pattern
from spineclock.ingest.report_text.words_beside import FIRST_PATTERNS
from spineclock.ingest.report_text.words_bones import BONES_PATTERNS
from spineclock.ingest.report_text.words_canal import CANAL_AND_CORD_PATTERNS
from spineclock.ingest.report_text.words_discs import DISCS_PATTERNS

PATTERNS: tuple[Pattern, ...] = (*FIRST_PATTERNS, *CANAL_AND_CORD_PATTERNS, *DISCS_PATTERNS, *BONES_PATTERNS)
"""Where two match at one place, the earlier wins."""
SEVERITIES: tuple[tuple[str, int], ...] = (
    (r"(?:near|nearly|almost|virtually|essentially)[ -]?(?:complete(?:ly)?|total(?:ly)?)|"
    r"complete(?:ly)?|total(?:ly)?", 4),
    (r"severe(?:ly)?|marked(?:ly)?|large|advanced|huge|massive(?:ly)?|gross(?:ly)?|extensive(?:ly)?|"
    r"pronounced|high[- ]grade|"
     r"profound(?:ly)?|giant|very large|end[- ]stage|critical(?:ly)?", 3),
    (r"moderate(?:ly)?(?:[- ]sized)?|medium(?:[- ]sized)?|intermediate", 2),
    (r"mild(?:ly)?|minimal(?:ly)?|slight(?:ly)?|small|minor|tiny|subtle|trace|early|low[- ]grade|"
    r"shallow|minute|faint(?:ly)?|"
     r"discrete|little|incipient|gentle", 1),
    (r"none|nil|absent|not present", 0),
)  # fmt: skip
"""Degrees in words and their codes of ``core.findings``; 0 says that there is nothing."""
_ONE = "|".join(f"(?:{words})" for words, _ in SEVERITIES)
_DEGREES = re.compile(
    rf"(?<![\w-])(?<!most )(?<!more )(?<!less )(?<!least )(?:{_ONE})(?:(?:\s*-\s*to\s*-\s*|"
    rf"\s+to\s+(?:at most )?|\s*[-/]\s*|\s+or\s+)(?:{_ONE}))*(?![\w])"
)
_CODES = tuple((re.compile(rf"(?<!\w)(?:{words})(?!\w)"), code) for words, code in SEVERITIES)


@dataclass(frozen=True)
class Mention:
    """A condition, or something that is none of them, named in a sentence."""

    condition: str
    start: int
    end: int
    generic: bool = False
    severity: int = 0


@dataclass(frozen=True)
class Degree:
    """A degree named in a sentence, the more severe of a range; 0 for "none"."""

    code: int
    start: int
    end: int


_COMPILED = tuple((frozenset(p.stems.split()), re.compile(p.regex)) for p in PATTERNS)
_STEMS = tuple({stem for stems, _ in _COMPILED for stem in stems})


def mentions(text: str) -> list[Mention]:
    """What a sentence in plain spelling names; where two patterns match at one place, the earlier in the list wins.

    >>> [m.condition for m in mentions("severe canal and foraminal stenosis with disc-osteophyte complex, bulge")]
    ['spinal_stenosis', 'disc_osteophyte_complex', 'disc_bulge']
    """
    coming: list[tuple[int, int, re.Match[str]]] = []
    there = {stem for stem in _STEMS if stem in text}
    for k, (stems, regex) in enumerate(_COMPILED):
        if not there.isdisjoint(stems) and (match := regex.search(text)):
            coming.append((match.start(), k, match))
    found = []
    while coming:
        start, k, match = min(coming, key=lambda c: c[:2])
        pattern = PATTERNS[k]
        found.append(Mention(pattern.condition, start, match.end(), pattern.generic, pattern.severity))
        kept = [c for c in coming if c[0] >= match.end()]
        for _, again, _ in (c for c in coming if c[0] < match.end()):
            if follower := _COMPILED[again][1].search(text, match.end()):
                kept.append((follower.start(), again, follower))
        coming = kept
    return found


def degrees(text: str) -> list[Degree]:
    """The degrees a sentence names, from left to right.

    >>> [d.code for d in degrees("mild to moderate here, marked there, the most severe below")]
    [2, 3]
    """
    found = []
    for match in _DEGREES.finditer(text):
        codes = [code for words, code in _CODES if words.search(match[0])]
        found.append(Degree(max(codes), *match.span()))
    return found
