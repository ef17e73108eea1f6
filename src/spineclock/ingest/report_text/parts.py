"""Which condition is told of which levels, and how severe.

A condition takes the levels it is directly followed by ("bulge at L4-5"); failing that, in a sentence that begins with
levels ("L4-5: bulge and fissure"), those before it; otherwise those of the conditions it is listed with; what is
introduced by "with" or "causing" has the levels of what it goes with. A degree belongs to what it precedes or, after
"is" or in brackets, follows. Levels that have a degree of their own ("mild at L3-4, moderate at L4-5") repeat the
condition.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from spineclock.core.findings import CONDITIONS
from spineclock.ingest.report_text.levels import Group
from spineclock.ingest.report_text.lexicon import Degree, Mention, degrees
from spineclock.ingest.report_text.links import (
    ADJECTIVES,
    AFTER_LEVELS,
    AT,
    BLOCKED,
    BREAK,
    EXCEPT,
    GOES_WITH,
    LESSER,
    LISTED,
    PLACE,
    PREDICATE,
    REPEAT,
)
from spineclock.ingest.report_text.pattern import OTHER
from spineclock.ingest.report_text.scope import kind_at, scopes

VERTEBRAL = ("fracture", "bone_lesion")
"""Conditions of vertebrae: "T11-12" names both."""
ALONG = ("cord_abnormality", "soft_tissue_oedema", "endplate_change", "congenital_canal_narrowing")
"""Conditions told of discs or of vertebrae: "T11-12" is one level, "T9-10 to T11-12" three discs, "T9 to T12" four."""


@dataclass(frozen=True)
class Told:
    """A condition a sentence tells, with its levels."""

    condition: str
    """"" where it is that of the sentence before."""
    group: Group | None
    """None where the sentence has no levels for it."""
    severity: int
    """Code 1 … 4; 0 where the sentence does not say."""
    generic: bool = False

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels, by what the condition is of."""
        return () if self.group is None else levels_for(self.condition, self.group)


def levels_for(condition: str, group: Group) -> tuple[str, ...]:
    """The levels of a group as a condition has them; see :data:`VERTEBRAL`, :data:`ALONG`."""
    if not CONDITIONS[condition].levelled:
        return ()
    return group.levels(of="vertebrae" if condition in VERTEBRAL else "either" if condition in ALONG else "discs")


def covered(text: str, spans: Iterable[tuple[int, int]], sign: str) -> str:
    """The text with some parts replaced by a sign, its length kept."""
    for start, end in spans:
        text = text[:start] + sign * (end - start) + text[end:]
    return text


class Parts:
    """The mentions, groups of levels and degrees of one sentence, and how they belong together."""

    def __init__(self, text: str, seen: list[Mention], found: list[Group]) -> None:
        self.text, self.seen, self.found = text, seen, found
        self.marked = covered(text, [(g.start, g.end) for g in found], "\x01")
        self.scopes = scopes(self.marked)
        self.degrees = [d for d in degrees(text) if not any(m.start < d.end and d.start < m.end for m in seen)]
        self.bare = covered(text, [(d.start, d.end) for d in self.degrees], "\x02")
        self.things: list[Mention | Group] = sorted([*seen, *found], key=lambda x: (x.start, x.end))
        self.own: dict[int, int] = {}  # by the mention's start: its degree
        self.before: set[int] = set()  # mentions whose degree stands before them
        self.of_group: dict[int, int] = {}
        self._bind()
        self._share()
        self.taken: dict[int, Group] = {}
        for mention in seen:
            if group := self._levels(mention):
                self.taken[mention.start] = group

    def told(self) -> Iterator[Told]:
        """What the sentence tells, without what it denies, suspects or remembers."""
        for mention in self.seen:
            if mention.condition == OTHER or kind_at(self.scopes, mention.start) is not None:
                continue
            yield from self._told(mention)
        yield from self._repeated()

    def _told(self, mention: Mention) -> Iterator[Told]:
        group = self.taken.get(mention.start)
        severity = self._severity(mention, group)
        codes = [d.code for d in self.degrees if d.code > 0]
        if group and "respectively" in self.text and len(group.spans) == len(codes) > 1:
            for span, code in zip(group.spans, codes, strict=True):
                yield Told(mention.condition, Group((span,), span.start, span.end), code, mention.generic)
            return
        if group and self.of_group.get(group.start) == 0:
            return  # "at L4-5: none"
        yield Told(mention.condition, group, severity, mention.generic)

    def _severity(self, mention: Mention, group: Group | None) -> int:
        own = self.own.get(mention.start, 0)
        if own or group is None or (mention.start > group.start and any(m.end <= group.start for m in self.seen)):
            return own  # "bulge at L4-5 (severe) with fissure": severe is the bulge
        return self.of_group.get(group.start, 0)

    def _bind(self) -> None:
        """Gives each degree to a mention or to a group of levels."""
        for mention in self.seen:
            inside = [d.code for d in degrees(self.text[mention.start : mention.end])]
            if mention.severity or inside:
                self.own[mention.start] = mention.severity or max(inside)
        for degree in self.degrees:
            before = [x for x in self.things if x.end <= degree.start]
            after = [x for x in self.things if x.start >= degree.end]
            self._bind_one(degree, before[-1] if before else None, after)

    def _bind_one(self, degree: Degree, last: Mention | Group | None, after: list[Mention | Group]) -> None:
        following = after[0] if after else None
        link = self.bare[last.end : degree.start] if last else ""
        gap = self.bare[degree.end : following.start] if following else ""
        predicate = (
            isinstance(last, Mention)
            and bool(PREDICATE.fullmatch(link))
            and not link.lstrip().startswith("and")
            and last.condition != OTHER
        )
        if predicate and link.strip(" ,"):  # "bulge is moderate", "bulge (moderate)", "bulge: moderate"
            bound = isinstance(following, Mention) and link.strip() in (":", "-", "--") and self._premodifies(gap)
            if not bound:
                assert isinstance(last, Mention)
                self.own.setdefault(last.start, degree.code)
                if isinstance(following, Group) and AT.fullmatch(gap):
                    self.of_group[following.start] = degree.code
                return
        if isinstance(following, Group):
            if AT.fullmatch(gap):
                self.of_group[following.start] = degree.code
                return
            nearest = after[1] if len(after) > 1 else None
            if not gap.strip() and isinstance(nearest, Mention) and self._adjacent(following, nearest):
                self._give(nearest, degree)
                return
            if not gap.strip() and not (isinstance(last, Group) and not link.strip(" \x02")):
                self.of_group[following.start] = degree.code
                return
        listed = predicate and link.strip() == "," and gap.lstrip().startswith((",", ")"))  # "bulge, mild, protrusion"
        if isinstance(following, Mention) and not listed and self._premodifies(gap):
            self._give(following, degree)
        elif predicate:
            assert isinstance(last, Mention)
            self.own.setdefault(last.start, degree.code)
        elif isinstance(last, Group) and AFTER_LEVELS.fullmatch(link):
            self.of_group.setdefault(last.start, degree.code)

    def _give(self, mention: Mention, degree: Degree) -> None:
        self.own[mention.start] = max(degree.code, self.own.get(mention.start, 0))
        self.before.add(mention.start)

    def _premodifies(self, gap: str) -> bool:
        """Whether what lies between a degree and a mention lets the one belong to the other."""
        if ADJECTIVES.fullmatch(gap):
            return True
        return not BLOCKED.search(gap) and not re.search(r"\b(?:and|or)\b|,", gap) and len(gap.split()) <= 5

    def _adjacent(self, group: Group, mention: Mention) -> bool:
        return bool(ADJECTIVES.fullmatch(self.bare[group.end : mention.start]))

    def _share(self) -> None:
        """Lists share a degree: "mild desiccation and bulging", "desiccation and bulging are mild"."""
        real = [m for m in self.seen if m.condition != OTHER]
        for one, two in pairwise(real):
            if not LISTED.fullmatch(self.text[one.end : two.start]):
                continue
            if one.start in self.before and two.start not in self.own:
                self.own[two.start] = self.own[one.start]
                self.before.add(two.start)
            elif (
                two.start in self.own
                and two.start not in self.before
                and one.start not in self.own
                and not two.severity
            ):
                self.own[one.start] = self.own[two.start]

    def _levels(self, mention: Mention) -> Group | None:
        for group in self.found:
            if group.start < mention.end and mention.start < group.end:
                return group
        after = [g for g in self.found if g.start >= mention.end]
        before = [g for g in self.found if g.end <= mention.start]
        clause = max((b.end() for b in BREAK.finditer(self.text, 0, mention.start)), default=0)
        led = bool(before) and before[-1].start >= clause
        first = next((x for x in self.things if x.start >= clause), None)
        levels_first = led and isinstance(first, Group)
        if after and (strong := self._follows(mention, after[0], led=led, before=before)):
            return strong
        if levels_first:
            return self._last_of(before[-1], mention)
        ahead = after[0] if after and not BREAK.search(self.text[mention.end : after[0].start]) else None
        if mention.condition == "congenital_canal_narrowing":
            return None  # of the whole canal, unless it is told of a level itself
        if before and led and (ahead is None or GOES_WITH.search(self.text[before[-1].end : mention.start])):
            return self._last_of(before[-1], mention)
        if ahead and not (led and self._owned(ahead)):
            return self._first_of(ahead, mention)
        return self._last_of(before[-1], mention) if before else None

    def _owned(self, group: Group) -> bool:
        """Whether a group is the beginning of another mention: ", L5-S1 protrusion"."""
        follower = next((x for x in self.things if x.start >= group.end), None)
        lead = self.bare[: group.start].rstrip()
        return isinstance(follower, Mention) and self._adjacent(group, follower) and lead.endswith((",", "and", "\x02"))

    def _follows(self, mention: Mention, group: Group, *, led: bool, before: list[Group]) -> Group | None:
        """The group where it directly follows the mention."""
        gap = self.bare[mention.end : group.start]
        if any(isinstance(x, Mention) and mention.end <= x.start < group.start for x in self.things):
            return None
        if BREAK.search(gap) or not (place := PLACE.search(gap)):
            return None
        if led and self._adjacent(before[-1], mention) and not self._owned_by_other(before[-1], mention):
            return None
        plain = not re.search(r"[,:]|\b(?:and|with|without)\b", gap.replace("\x02", ""))
        if not place[0].strip(" \x02") and (led or self._owned(group)):
            return None  # "L3-4 bulge L4-5 protrusion"
        if plain or not led:
            return self._first_of(group, mention)
        return None

    def _owned_by_other(self, group: Group, mention: Mention) -> bool:
        """Whether a mention before the group took it: "bulge at L3-4, moderate protrusion at L4-5"."""
        last = next((x for x in reversed(self.things) if x.end <= group.start), None)
        return isinstance(last, Mention) and bool(PLACE.search(self.bare[last.end : group.start]))

    def _first_of(self, group: Group, mention: Mention) -> Group:
        """The group without its last levels where these begin another mention: "bulge at L3-4 and L4-5 protrusion"."""
        follower = next((x for x in self.things if x.start >= group.end), None)
        if len(group.spans) > 1 and isinstance(follower, Mention) and self._adjacent(group, follower):
            gap = self.bare[group.end : follower.start]
            if "," not in gap and "(" not in gap:
                return Group(group.spans[:-1], group.start, group.end)
        return group

    def _last_of(self, group: Group, mention: Mention) -> Group:
        last = next((x for x in reversed(self.things) if x.end <= group.start), None)
        if len(group.spans) > 1 and isinstance(last, Mention) and self._adjacent(group, mention):
            gap = self.bare[group.end : mention.start]
            if "," not in gap and "(" not in gap and PLACE.search(self.bare[last.end : group.start]):
                return Group(group.spans[-1:], group.spans[-1].start, group.end)
        return group

    def _repeated(self) -> Iterator[Told]:
        """Levels no mention took, for which the sentence repeats a condition without naming it."""
        taken = set()
        for start, group in self.taken.items():
            if group.start > start or group.start not in self.of_group:
                taken |= {group.start, group.end}
        for group in self.found:
            if group.start in taken or group.end in taken:
                continue
            earlier = [m for m in self.seen if m.end <= group.start]
            source = earlier[-1] if earlier else next((m for m in self.seen if m.start >= group.end), None)
            if source is None or source.condition == OTHER:
                continue
            ends = [x.end for x in self.things if x.end <= group.start]
            lead = self.bare[max(ends, default=0) : group.start]
            denied = kind_at(self.scopes, source.start) is not None
            degree = self.of_group.get(group.start)
            if kind_at(self.scopes, group.start) is not None:
                continue
            if degree is not None:
                if degree > 0:
                    yield Told(source.condition, group, degree, source.generic)
            elif denied:
                if EXCEPT.search(lead):
                    yield Told(source.condition, group, 0, source.generic)
            elif earlier and REPEAT.search(lead):
                severity = 1 if LESSER.search(lead) else self.own.get(source.start, 0)
                yield Told(source.condition, group, severity, source.generic)
