"""One sentence's findings, and the levels it passes on to the next."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from spineclock.ingest.report_text.levels import Group, groups, hidden
from spineclock.ingest.report_text.lexicon import degrees, mentions
from spineclock.ingest.report_text.parts import Parts, Told, covered
from spineclock.ingest.report_text.pattern import OTHER
from spineclock.ingest.report_text.scope import about_others

_ENDPLATES = re.compile(
    r"\b(?:inferior|lower) (?:endplates? )?(?:(?:of|"
    r"at) )?(?:the )?([ctl]\d{1,2})(?: endplate)? ?(?:and|/|,|&)(?: the)? "
    r"(?:superior|upper) (?:endplates? )?(?:(?:of|at) )?(?:the )?([ctls]\d{1,2})(?: endplates?)?"
)
"""Both sides of a disc, told as two vertebrae's endplates."""
_LABEL = re.compile(r"\s*(?:levels?|discs?)?\s*(?::|-|\.)\s")
_ALONE = re.compile(
    r"(?:and|also|then|it is|this is|these are|they are|more|"
    r"only)?\s*\x02\s*(?:in degree )?(?:changes? )?(?:at|in|on)\s+(?:the\s+)?$"
)


@dataclass(frozen=True)
class Reading:
    """What a sentence tells, and the levels it may pass on to the next."""

    told: tuple[Told, ...]
    leads: Group | None
    """The levels the sentence begins with, or the one it is about."""
    names_levels: bool
    bare: bool
    """Whether it is a label alone: "L4-5:"."""
    labelled: bool = False
    """Whether it begins with a label: "L4-5: ..."."""


@lru_cache(maxsize=100_000)
def read_sentence(text: str) -> Reading:
    """What a sentence in plain spelling tells.

    >>> [(t.condition, t.levels, t.severity) for t in read_sentence("moderate bulge at l4-5 with annular fissure").told]
    [('disc_bulge', ('L4',), 2), ('annular_fissure', ('L4',), 0)]
    """
    text = hidden(_ENDPLATES.sub(r"endplates at \1-\2", text))
    found = groups(text)
    rest = covered(text, [(g.start, g.end) for g in found], " ")
    leads = _leading(text, found)
    labelled = leads is not None and bool(_LABEL.match(text, leads.end))
    bare = bool(found) and not re.sub(r"[\W_]|\b(?:levels?|discs?|at|the|and|interspace)\b", "", rest)
    named = bool(found)
    if about_others(text):
        return Reading(tuple(_alone(text, found)), leads, named, bare, labelled)
    seen = mentions(text)
    if not any(m.condition != OTHER for m in seen):
        return Reading(tuple(_alone(text, found)), leads, named, bare, labelled)
    return Reading(tuple(Parts(text, seen, found).told()), leads, named, bare, labelled)


def _alone(text: str, found: list[Group]) -> Iterator[Told]:
    """A degree and levels without a condition, which the sentence before named: "Moderate at L4-5."."""
    if len(found) == 1 and len(named := degrees(text)) == 1 and named[0].code > 0:
        lead = covered(text, [(named[0].start, named[0].end)], "\x02")[: found[0].start]
        if _ALONE.fullmatch(re.sub("\x02+", "\x02", lead)):
            yield Told(OTHER, found[0], named[0].code)


def _leading(text: str, found: list[Group]) -> Group | None:
    if not found:
        return None
    if len(text[: found[0].start].split()) <= 3 or (len(found) == 1 and len(found[0].spans) == 1):
        return found[0]
    return None
