"""Levels as reports write them: "L3-4 to L5-S1", "C3/4 and C5/6", "T7–T10", "the lower three lumbar discs"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from spineclock.core.anatomy import USUAL_LEVELS
from spineclock.core.findings import LEVELS

_EXTENDED = (*USUAL_LEVELS[:-1], "S1")
_ALL = tuple(name for v in _EXTENDED for name in ((v, "T13") if v == "T12" else (v, "L6", "L7") if v == "L5" else (v,)))
_MOST = {"C": 7, "T": 13, "L": 7, "S": 5}
_LETTER = {"c": "C", "t": "T", "d": "T", "th": "T", "l": "L", "s": "S"}
_V = r"(?:th|[ctdls])"
_END = r"(?![\d]|\.\d|\s?(?:mm|cm|%)\b)"
_ATOM = re.compile(
    rf"(?<![\w.])({_V})\s?-?\s?(\d{{1,2}})"
    rf"(?:\s?[-/]\s?({_V})?\s?(\d{{1,2}})(?:\s?[-/]\s?({_V})?\s?(\d{{1,2}}))?|\s?([ctls])(\d{{1,2}}))?{_END}(?!\w)"
)
_BARE = re.compile(rf"(\d{{1,2}})(?:\s?[-/]\s?({_V})?\s?(\d{{1,2}}))?{_END}(?!\w|\s?(?:x|of|discs|levels|vert)\b)")
_TAIL = r"(?:\s?(?:levels?|discs?(?: spaces?| levels?)?|vertebra(?:e|l)?(?: bod(?:y|ies))?|interspaces?))?"
_AND = re.compile(
    rf"{_TAIL}\s*(?:,\s*(?:and|&|or)?|\band\b|&|\bor\b|\bplus\b|\bas well as\b|\bnor\b|\+|>|"
    rf"<)\s*(?:also )?(?:the )?(?=\S)"
)
_TO = re.compile(
    rf"{_TAIL}\s*(?:\bdown to\b|\bup to\b|\bto\b|\bthrough(?: to)?\b|\bthru\b|\buntil\b|-|/(?= ))\s*(?:the )?"
)
_ON = re.compile(
    r"\s*(?:vertebra(?:l body)? )?(?:on|over|upon|relative to|with respect to|in relation to|compared (?:to|with))\s+"
)
_SEQUENCE = re.compile(
    r"\bt[12](?:\s*(?:/|,|and|&|or|-)\s*(?:t[12]|stir|flair|pd))*(?=[\s/-]*(?:weigh|wt?d?\b|w\.?i?\b|"
    r"signal|hyper|hypo|iso|bright|"
    r"dark|sequence|imag|prolong|stir\b|flair|fat|fs\b|relax|intens|tse|fse|se\b|shorten|shine|sagittal|axial|star|\*|"
    r"map|gre|abnormal|high|low|scan|series|dixon|change|edema|contrast|without|with gad|and stir|fluid))"
    r"|(?<=\bon )t[12](?:\s*(?:/|and|&)\s*(?:t[12]|stir))*(?!\s?[-/]\s?(?:t|\d)|\d)"
    r"|(?<=(?:low|igh|ark|sed|ght|tal|ial|nal|and|tir) )t[12](?![\s]?[-/]\s?(?:t|\d)|\d|[\s]+(?:vert|"
    r"lev|disc|body|and t\d))"
)
"""T1 and T2 that are weightings of an image, not vertebrae."""
_NERVE = re.compile(
    rf"(?:\b(?:exiting|traversing|descending|budding|emerging)\s+(?:(?:left|right|bilateral)\s+)?)"
    rf"{_V}\s?\d{{1,2}}(?:\s*(?:and|/|,|or|&)\s*{_V}?\s?\d{{1,2}})*(?!\s?[-/]\s?{_V}?\d)"
    rf"|{_V}\s?\d{{1,2}}(?:\s*(?:and|/|,|or|&|through|to|-)\s*{_V}?\s?\d{{1,2}})*"
    r"(?=\s+(?:(?:spinal|exiting|traversing|left|right|descending|dorsal)\s+)*(?:nerves?|roots?|radic|"
    r"ganglion|dermatom|myotom))"
)
_CONUS = re.compile(
    rf"\bconus\b[^.;]*?{_V}\s?\d{{1,2}}(?:\s?(?:[-/]|and|to|"
    rf"or)\s?{_V}?\s?\d{{1,2}})?(?:\s*(?:inter)?(?:space|level|disc))?"
)
_PHRASES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\blumbo-?sacral (?:junction|disc|level|interspace|segment)\b"), "L5-S1"),
    (re.compile(r"\bcervico-?thoracic junction\b"), "C7-T1"),
    (re.compile(r"\b(?P<side>lower|lowest|bottom|last|distal|caudal|upper|top|highest)\s+(?P<n>two|three|four|"
    r"five|[2-5])\s+"
                r"(?P<where>lumbar|cervical|thoracic)?\s*(?:intervertebral )?(?:spinal )?(?:discs?|"
                r"levels|segments|spaces|interspaces)\b"), ""),
    (re.compile(r"\b(?P<n>two|three|four|five|[2-5])\s+(?P<side>lower|lowest|bottom|last|distal|caudal|upper|"
    r"uppermost)\s+"
                r"(?P<where>lumbar|cervical|thoracic)?\s*(?:intervertebral )?(?:spinal )?(?:discs?|"
                r"levels|segments|spaces|interspaces)\b"), ""),
    (re.compile(r"\b(?:all|each|every one)(?: of)?(?: the)? (?:five |six |seven |lower )?(?P<where>lumbar|"
    r"cervical|thoracic) "
                r"(?:intervertebral )?(?:spinal )?(?:discs?|levels|segments|interspaces)\b|"
                r"\bevery (?P<where2>lumbar|cervical|thoracic) (?:disc|level|segment)\b"), ""),
)  # fmt: skip
_NUMBER = {"two": 2, "three": 3, "four": 4, "five": 5}
_DISCS = {
    "lumbar": ("L1", "L2", "L3", "L4", "L5"),
    "cervical": ("C2", "C3", "C4", "C5", "C6"),
    "thoracic": tuple(f"T{n}" for n in range(1, 12)),
}
"""The discs between a region's own vertebrae; the lumbosacral one with the lumbar."""


@dataclass(frozen=True)
class Span:
    """One vertebra (first = last), or from one to another: a disc is from the vertebra above it to the one below."""

    first: str
    last: str
    start: int
    end: int
    rare: tuple[str, ...] = ()
    """T13, L6 and L7 where they are named: most people have none."""
    named_discs: bool = False
    """Whether it was told by discs (L3-4 to L5-S1), not by vertebrae (L3 to S1)."""

    def discs(self) -> tuple[str, ...]:
        """The levels of the discs within, by the vertebra above each."""
        run = self.vertebrae()
        return run[:-1] if len(run) > 1 else run

    def vertebrae(self) -> tuple[str, ...]:
        """The levels of the vertebrae within."""
        return _run(self.first, self.last, rare=self.rare)


@dataclass(frozen=True)
class Group:
    """Levels named together, and where in the sentence."""

    spans: tuple[Span, ...]
    start: int
    end: int

    def levels(self, *, of: str) -> tuple[str, ...]:
        """Levels of ``discs``, of ``vertebrae``, or of ``either``: as they were told, a neighbouring pair being a disc.

        >>> [group] = groups("from t11 to l1")
        >>> group.levels(of="vertebrae"), group.levels(of="discs")
        (('T11', 'T12', 'L1'), ('T11', 'T12'))
        """
        found: list[str] = []
        for span in self.spans:
            as_discs = of == "discs" or (of == "either" and (span.named_discs or len(span.vertebrae()) == 2))
            found += span.discs() if as_discs else span.vertebrae()
        return tuple(level for level in dict.fromkeys(found) if level in LEVELS)


def hidden(text: str) -> str:
    """The sentence with what only looks like a level blanked: T2 as a weighting, nerve roots, the conus's height.

    >>> hidden("high t2 signal; l5 nerve root")
    'high    signal;    nerve root'
    """
    for pattern in (_SEQUENCE, _NERVE, _CONUS):
        text = pattern.sub(lambda match: " " * len(match[0]), text)
    return text


def groups(text: str) -> list[Group]:
    """The groups of levels in a sentence in small letters, from left to right.

    >>> [g.levels(of="discs") for g in groups("l3-4 to l5-s1 and c3/4, c5-6")]
    [('L3', 'L4', 'L5', 'C3', 'C5')]
    >>> [g.levels(of="discs") for g in groups("l4 on l5; the lower three lumbar discs")]
    [('L4',), ('L3', 'L4', 'L5')]
    """
    found = [*_written(text), *_phrases(text)]
    return sorted(found, key=lambda g: g.start)


def _written(text: str) -> Iterator[Group]:
    at = 0
    while match := _ATOM.search(text, at):
        spans = list(_spans(match))
        if not spans:
            at = match.end(2)
            continue
        between = text[max(0, match.start() - 12) : match.start()].rstrip().endswith("between")
        end = match.end()
        while follower := _next(text, end, spans, between=between and len(spans) == 1):
            spans, end = follower
        yield Group(tuple(spans), match.start(), end)
        at = end


def _next(text: str, end: int, spans: list[Span], *, between: bool) -> tuple[list[Span], int] | None:
    """The group with what follows at ``end``, or None where it ends."""
    for link, joins in ((_ON, True), (_TO, True), (_AND, between)):
        connector = link.match(text, end)
        if not connector:
            continue
        atom = _ATOM.match(text, connector.end())
        more = list(_spans(atom)) if atom else []
        if not more and link is not _ON and (atom := _BARE.match(text, connector.end())):
            more = list(_bare(atom, spans[-1]))
        if not atom or not more:
            continue
        if link is _ON and (len(more) > 1 or not _neighbours(spans[-1].first, more[0].first)):
            continue
        if joins:
            first, last = spans[-1], more[0]
            if _order(last.last) <= _order(first.first):
                if link is _TO and re.search(r"[-/]", connector[0]):
                    continue
                first, last = last, first  # told from below
            rare = tuple(v for span in (first, last) for v in (span.first, span.last) if v in ("T13", "L6", "L7"))
            joined = Span(first.first, last.last, min(first.start, last.start), max(first.end, last.end), rare,
                          len(first.vertebrae()) == 2 or len(last.vertebrae()) == 2)  # fmt: skip
            return [*spans[:-1], joined, *more[1:]], atom.end()
        return [*spans, *more], atom.end()
    return None


def _spans(match: re.Match[str]) -> Iterator[Span]:
    letter, number, letter2, number2, letter3, number3, stuck, stuck_number = match.groups()
    letter2, number2 = letter2 or stuck, number2 or stuck_number
    if number2 is None and len(number) == 2 and (pair := _pair(letter, number)):
        yield Span(*pair, match.start(), match.end())
        return
    names = [_name(letter, number)]
    if number2 is not None:
        names.append(_lower(names[0], letter2, number2))
        if number3 is not None:
            names.append(_lower(names[-1], letter3, number3))
    if "" in names:
        return
    if any(_order(b) <= _order(a) for a, b in pairwise(names)):
        return
    yield Span(names[0], names[-1], match.start(), match.end())


def _bare(match: re.Match[str], before: Span) -> Iterator[Span]:
    """Levels told by number alone after a full one: "L3-4, 4-5 and 5-1", "L2, 3 and 4"."""
    first = _lower("", before.first[0].lower(), match[1])
    if not first or _order(first) <= _order(before.first):
        return
    if match[3] is None:
        if before.first == before.last:
            yield Span(first, first, match.start(), match.end())
        return
    last = _lower(first, match[2], match[3])
    if last and _order(last) > _order(first):
        yield Span(first, last, match.start(), match.end())


def _pair(letter: str, number: str) -> tuple[str, str] | None:
    """The disc that "L45", "C56" and "L51" mean."""
    if int(number) <= _MOST[_LETTER[letter]]:
        return None
    upper = _name(letter, number[0])
    lower = _lower(upper, None, number[1]) if upper else ""
    return (upper, lower) if lower and _neighbours(upper, lower) else None


def _name(letter: str, number: str) -> str:
    """The level, or "" where there is none of that number."""
    region = _LETTER[letter]
    return f"{region}{int(number)}" if 1 <= int(number) <= _MOST[region] else ""


def _lower(upper: str, letter: str | None, number: str) -> str:
    """The lower end of what begins at ``upper``: 5 and 1 are L5 and S1, 12 and 1 T12 and L1."""
    if letter is not None:
        return _name(letter, number)
    if not upper:
        return ""
    region, first = upper[0], int(upper[1:])
    if int(number) > first:
        return _name(region.lower(), number)
    if int(number) == 1 and first in {"C": (7,), "T": (12, 13), "L": (5, 6), "S": ()}[region]:
        return {"C": "T1", "T": "L1", "L": "S1"}[region]
    return ""


def _order(level: str) -> float:
    return _ALL.index(level) if level in _ALL else len(_ALL) + int(level[1:])


def _neighbours(upper: str, lower: str) -> bool:
    return _order(lower) > _order(upper) and len(_run(upper, lower)) == 2


@lru_cache(maxsize=4096)
def _run(first: str, last: str, *, rare: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The levels from one to another; rare ones only where they are named."""
    if first == last:
        return (first,)
    a, b = _order(first), _order(last)
    told = {"T13", "L6", "L7"} & {first, last, *rare}
    told |= {"L6"} if "L7" in told else set()
    run = [name for k, name in enumerate(_ALL) if a <= k <= b and (name not in ("T13", "L6", "L7") or name in told)]
    return tuple(run) if last in run else (*run, last)


def _phrases(text: str) -> Iterator[Group]:
    for pattern, written in _PHRASES:
        for match in pattern.finditer(text):
            if written:
                first, last = written.split("-")
                yield Group((Span(first, last, *match.span()),), *match.span())
                continue
            told = match.groupdict()
            discs = _DISCS[told.get("where") or told.get("where2") or "lumbar"]
            if count := told.get("n"):
                n = _NUMBER.get(count) or int(count)
                discs = discs[:n] if str(told["side"]).startswith(("up", "top", "high")) else discs[-n:]
            below = _ALL[_ALL.index(discs[-1]) + 1] if discs[-1] != "L5" else "S1"
            yield Group((Span(discs[0], below, *match.span()),), *match.span())
