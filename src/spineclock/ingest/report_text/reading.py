"""One sentence's findings: which condition is told of which levels, and how severe.

A condition takes the levels it is directly followed by ("bulge at L4-5"); failing that, in a sentence that begins with
levels ("L4-5: bulge and fissure"), those before it; otherwise those of the conditions it is listed with; what is introduced
by "with" or "causing" has the levels of what it goes with. A degree belongs to what it precedes or, after "is" or in
brackets, follows. Levels that have a degree of their own ("mild at L3-4, moderate at L4-5") repeat the condition.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from spineclock.core.findings import CONDITIONS
from spineclock.ingest.report_text.levels import Group, groups, hidden
from spineclock.ingest.report_text.lexicon import OTHER, Degree, Mention, degrees, mentions
from spineclock.ingest.report_text.scope import ABOUT_OTHERS, kind_at, scopes

VERTEBRAL = ("fracture", "bone_lesion")
"""Conditions of vertebrae: "T11-12" names both."""
ALONG = ("cord_abnormality", "soft_tissue_oedema", "endplate_change", "congenital_canal_narrowing")
"""Conditions told of discs or of vertebrae: "T11-12" is one level, "T9-10 to T11-12" three discs, "T9 to T12" four."""
_QUICK = re.compile(
    r"bulg|herni|hnp|prolaps|protru|extru|sequest|fragment|migrat|desic|dehyd|degen|ddd|pivd|hydrat|signal|dark|black|disc|fissur|tear|torn|hiz|"
    r"intensity|annul|endplate|modic|schmorl|scoli|curv|convex|lordo|kypho|straight|flat|gibb|transition|sacraliz|lumbariz|lstv|bertol|castel|lumbar|"
    r"tarlov|cyst|diverti|stenos|stenot|narrow|canal|pedicle|cord|myel|syrin|demyel|hemangio|metasta|lesion|bone|enost|plasma|osteo|chordoma|marrow|paget|"
    r"fractur|wedg|compress|vcf|burst|height|collaps|deform|edema|swelling|strain|listh|slip|displac|doc|uncov|uncin|uncal|luschka|neurocentral|uvj|spur|bar|ridge|pfirr"
)
_BREAK = re.compile(
    r";|\bbut\b|\bwhereas\b|\bwhile\b|\bhowever\b|\balthough\b|\bthere (?:is|are)\b|\bexcept\w*|\bapart from\b|\bother than\b|"
    r"\baside from\b|\.(?=\s)"
)
_GOES_WITH = re.compile(
    r"\b(?:with|without|caus\w+|produc\w+|result\w+|contribut\w+|leading|creat\w+|plus|associated|superimposed|accompan\w+|"
    r"narrowing|compress\w+|no|contain\w+|indent\w+)\b[^;]*$"
)
_PLACE = re.compile(
    r"(?:\b(?:at|of|in|within|involving|involves|affecting|affects|from|on|between|across|throughout|spanning|below|above|"
    r"about|around|along|including|for|to)\s+(?:(?:the|each|both|all|discs?|levels?|left|right|posterior|anterior|superior|"
    r"inferior|upper|lower|mid|middle|level of|aspects? of|parts? of|endplates?(?: of| at)?|adjacent|vertebra\w*|body|bodies|"
    r"of|and|interspaces?|levels of)\s+(?:the\s+)?)*|^\s*[:(,-]*\s*)\(?$"
)
_ADJECTIVE = (
    r"(?:left|right|central(?:ly)?|para-?central|foraminal|extra-?foraminal|sub-?articular|far|lateral|posterolateral|postero-?|"
    r"broad|based|broad-based|diffuse(?:ly)?|focal|posterior(?:ly)?|anterior|circumferential|generalized|concentric|"
    r"symmetric(?:al)?|asymmetric(?:al)?|eccentric|annular|midline|median|para-?median|bilateral|sided|superimposed|"
    r"residual|recurrent|new|stable|unchanged|degenerative|acute|chronic|old|sub-?acute|partial|type|grade|global|further|"
    r"additional|associated|superior|inferior|endplate|vertebral|body|compression|wedge|wedging|disc|discs|level|levels|"
    r"intervertebral|the|a|an|mm|\d+|i|ii|iii|1|2|3|4|t2|signal|zone|multilevel|contained|subligamentous|soft|hard|loss|of)"
)
_ADJECTIVES = re.compile(
    rf"[\s,/()\-\x02]*(?:{_ADJECTIVE}\b[\s,/()\-\x02]*|(?:and|to|or)\s+(?=\x02|{_ADJECTIVE}\b)(?!discs?\b|a\b|the\b)\x02*\s*)*"
)
_BLOCKED = re.compile(
    r"[;:.()]|\b(?:with|without|at|in|from|is|are|was|were|causing|but|no|not|has|have|which|there|on|shows?|plus|for|"
    r"by|involving|contributing|resulting|producing|abutting|contacting|due)\b"
)
_PREDICATE = re.compile(
    r"\s*(?:discs?|changes?|complex(?:es)?|disease|components?|levels?)?\s*(?:\(|:|=|--?|,)?\s*(?:(?:is|are|was|were|appears?|"
    r"remains?|which|that|graded?|rated|now|considered|at|most|being|larger|smaller|and|slightly|also|of|as|judged|the|to|be|again|only|overall|degree|severity|"
    r"both|in|than|more|it)\s*)*$"
)
_AFTER_LEVELS = re.compile(
    r"\s*(?:levels?|discs?|bilateral(?:ly)?|left|right|both)?\s*(?:\(|:|=|-|,|/)?\s*(?:(?:is|are|was|were|appears?|remains?|graded|rated|which|only)\s*)*$"
)
_AT = re.compile(
    r"\s*(?:[a-z]+ ){0,2}(?:at|in|for|on|from|involving|affecting)\s+(?:the\s+|both\s+|levels?\s+)*$|\s*\(\s*$"
)
_LESSER = re.compile(r"\b(?:lesser|less|milder)\b[^,;]*$")
_REPEAT = re.compile(
    r"(?:^|\b(?:and|also|at|or|including|particularly|especially|predominantly|mainly|worst|greatest|maximal(?:ly)?|extent|degree|"
    r"most \w+|more \w+|similarly|likewise|followed by|well as|then|notably|chiefly|primarily|both|from|so|marked|are|is)\b|[,:(\-+&])"
    r"\s*(?:(?:at|in|from|the|for|on|level|levels|of)\s+)*$"
)
_EXCEPT = re.compile(
    r"\b(?:except(?:ing)?|apart from|other than|aside from|save)\b(?:\s+(?:for|at|that|in|mildly|the|of))*\s*$"
)
_ENDPLATES = re.compile(
    r"\b(?:inferior|lower) (?:endplates? )?(?:(?:of|at) )?(?:the )?([ctl]\d{1,2})(?: endplate)? ?(?:and|/|,|&)(?: the)? "
    r"(?:superior|upper) (?:endplates? )?(?:(?:of|at) )?(?:the )?([ctls]\d{1,2})(?: endplates?)?"
)
"""Both sides of a disc, told as two vertebrae's endplates."""
_ALONE = re.compile(
    r"(?:and|also|then|it is|this is|these are|they are|more|only)?\s*\x02\s*(?:in degree )?(?:changes? )?(?:at|in|on)\s+(?:the\s+)?$"
)
_LISTED = re.compile(rf"\s*(?:,\s*and\b|,|/|&|\band\b|\+|\bor\b)\s*(?:{_ADJECTIVE}\b[\s,/\-]*)*")


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


@dataclass(frozen=True)
class Reading:
    """What a sentence tells, and the levels it may pass on to the next."""

    told: tuple[Told, ...]
    leads: Group | None
    """The levels the sentence begins with, or the one it is about."""
    names_levels: bool
    bare: bool
    """Whether it is a label alone: "L4-5:"."""


def levels_for(condition: str, group: Group) -> tuple[str, ...]:
    """The levels of a group as a condition has them; see :data:`VERTEBRAL`, :data:`ALONG`."""
    if not CONDITIONS[condition].levelled:
        return ()
    return group.levels(of="vertebrae" if condition in VERTEBRAL else "either" if condition in ALONG else "discs")


@lru_cache(maxsize=100_000)
def read_sentence(text: str) -> Reading:
    """What a sentence in plain spelling tells.

    >>> [(t.condition, t.levels, t.severity) for t in read_sentence("moderate bulge at l4-5 with annular fissure").told]
    [('disc_bulge', ('L4',), 2), ('annular_fissure', ('L4',), 0)]
    """
    text = hidden(_ENDPLATES.sub(r"endplates at \1-\2", text))
    found = groups(text)
    rest = _covered(text, [(g.start, g.end) for g in found], " ")
    bare = bool(found) and not re.sub(r"[\W_]|\b(?:levels?|discs?|at|the|and|interspace)\b", "", rest)
    leads, named = _leading(text, found), bool(found)
    if not _QUICK.search(text) or ABOUT_OTHERS.search(text):
        return Reading(tuple(_alone(text, found)), leads, named, bare)
    seen = mentions(text)
    if not any(m.condition != OTHER for m in seen):
        return Reading(tuple(_alone(text, found)), leads, named, bare)
    return Reading(tuple(_Parts(text, seen, found).told()), leads, named, bare)


def _alone(text: str, found: list[Group]) -> Iterator[Told]:
    """A degree and levels without a condition, which the sentence before named: "Moderate at L4-5."."""
    if len(found) == 1 and len(named := degrees(text)) == 1 and named[0].code > 0:
        lead = _covered(text, [(named[0].start, named[0].end)], "\x02")[: found[0].start]
        if _ALONE.fullmatch(re.sub("\x02+", "\x02", lead)):
            yield Told(OTHER, found[0], named[0].code)


def _leading(text: str, found: list[Group]) -> Group | None:
    if not found:
        return None
    if len(text[: found[0].start].split()) <= 3 or (len(found) == 1 and len(found[0].spans) == 1):
        return found[0]
    return None


def _covered(text: str, spans: Iterable[tuple[int, int]], sign: str) -> str:
    for start, end in spans:
        text = text[:start] + sign * (end - start) + text[end:]
    return text


class _Parts:
    """The mentions, groups of levels and degrees of one sentence, and how they belong together."""

    def __init__(self, text: str, seen: list[Mention], found: list[Group]) -> None:
        self.text, self.seen, self.found = text, seen, found
        self.marked = _covered(text, [(g.start, g.end) for g in found], "\x01")
        self.scopes = scopes(self.marked)
        self.degrees = [d for d in degrees(text) if not any(m.start < d.end and d.start < m.end for m in seen)]
        self.bare = _covered(text, [(d.start, d.end) for d in self.degrees], "\x02")
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
        return self.own.get(mention.start, 0) or (self.of_group.get(group.start, 0) if group else 0)

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
            and bool(_PREDICATE.fullmatch(link))
            and not link.lstrip().startswith("and")
            and last.condition != OTHER
        )
        if predicate and link.strip(" ,"):  # "bulge is moderate", "bulge (moderate)", "bulge: moderate"
            bound = isinstance(following, Mention) and link.strip() in (":", "-", "--") and self._premodifies(gap)
            if not bound:
                assert isinstance(last, Mention)
                self.own.setdefault(last.start, degree.code)
                if isinstance(following, Group) and _AT.fullmatch(gap):
                    self.of_group[following.start] = degree.code
                return
        if isinstance(following, Group):
            if _AT.fullmatch(gap):
                self.of_group[following.start] = degree.code
                return
            nearest = after[1] if len(after) > 1 else None
            if not gap.strip() and isinstance(nearest, Mention) and self._adjacent(following, nearest):
                self._give(nearest, degree)
                return
            if not gap.strip() and not (isinstance(last, Group) and _AFTER_LEVELS.fullmatch(link)):
                self.of_group[following.start] = degree.code
                return
        listed = predicate and link.strip() == "," and gap.lstrip().startswith((",", ")"))  # "bulge, mild, protrusion"
        if isinstance(following, Mention) and not listed and self._premodifies(gap):
            self._give(following, degree)
        elif predicate:
            assert isinstance(last, Mention)
            self.own.setdefault(last.start, degree.code)
        elif isinstance(last, Group) and _AFTER_LEVELS.fullmatch(link):
            self.of_group.setdefault(last.start, degree.code)

    def _give(self, mention: Mention, degree: Degree) -> None:
        self.own[mention.start] = max(degree.code, self.own.get(mention.start, 0))
        self.before.add(mention.start)

    def _premodifies(self, gap: str) -> bool:
        """Whether what lies between a degree and a mention lets the one belong to the other."""
        if _ADJECTIVES.fullmatch(gap):
            return True
        return not _BLOCKED.search(gap) and not re.search(r"\b(?:and|or)\b|,", gap) and len(gap.split()) <= 5

    def _adjacent(self, group: Group, mention: Mention) -> bool:
        return bool(_ADJECTIVES.fullmatch(self.bare[group.end : mention.start]))

    def _share(self) -> None:
        """Lists share a degree: "mild desiccation and bulging", "desiccation and bulging are mild"."""
        real = [m for m in self.seen if m.condition != OTHER]
        for one, two in zip(real, real[1:], strict=False):
            if not _LISTED.fullmatch(self.text[one.end : two.start]):
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
        clause = max((b.end() for b in _BREAK.finditer(self.text, 0, mention.start)), default=0)
        led = bool(before) and before[-1].start >= clause
        first = next((x for x in self.things if x.start >= clause), None)
        levels_first = led and isinstance(first, Group)
        if after and (strong := self._follows(mention, after[0], led=led, before=before)):
            return strong
        if levels_first:
            return self._last_of(before[-1], mention)
        ahead = after[0] if after and not _BREAK.search(self.text[mention.end : after[0].start]) else None
        if mention.condition == "congenital_canal_narrowing":
            return None  # of the whole canal, unless it is told of a level itself
        if before and led and (ahead is None or _GOES_WITH.search(self.text[before[-1].end : mention.start])):
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
        if _BREAK.search(gap) or not (place := _PLACE.search(gap)):
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
        return isinstance(last, Mention) and bool(_PLACE.search(self.bare[last.end : group.start]))

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
            if "," not in gap and "(" not in gap and _PLACE.search(self.bare[last.end : group.start]):
                return Group(group.spans[-1:], group.spans[-1].start, group.end)
        return group

    def _repeated(self) -> Iterator[Told]:
        """Levels no mention took, for which the sentence repeats a condition without naming it."""
        taken = {g.start for g in self.taken.values()} | {g.end for g in self.taken.values()}
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
                if _EXCEPT.search(lead):
                    yield Told(source.condition, group, 0, source.generic)
            elif earlier and _REPEAT.search(lead):
                severity = 1 if _LESSER.search(lead) else self.own.get(source.start, 0)
                yield Told(source.condition, group, severity, source.generic)
