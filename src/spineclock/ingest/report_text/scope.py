"""What a sentence only denies, suspects, asks about or remembers: which of its parts are not told of the person now."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["negated", "hedged", "asked", "historical", "resolved"]

_STUDY = (
    r"(?:mri?|mris|study|studies|exam\w*|scans?|imaging|images?|reports?|ct|radiographs?|films?|comparison|x-?rays?)"
)
NO_CUE = re.compile(
    rf"\bno (?:\w+ )?(?:\w+ )?(?:interval |significant |appreciable |substantial |major |real |"
    rf"further )*(?:change|progression|worsening|increase|improvement|difference)s?\b(?: (?:in|of|from|"
    rf"since|to|compared))?"
    r"|\bnot (?:significantly |appreciably |substantially )?(?:changed|progressed|worsened|improved|"
    r"resolved|only|just|merely)\b|\bwithout (?:\w+ )?(?:interval )?(?:change|progression)\b"
    r"|\b(?:no|not) (?:more|worse|greater) than\b|\bnot to mention\b|\bno doubt\b|\bno other than\b"
    rf"|\b(?:prior|previous|last|earlier|old|outside|past) (?:\w+ ){{0,3}}?{_STUDY}\b|\b(?:than|to|"
    rf"since|with|from|as) (?:the |her |his )?(?:prior|previous|before|"
    rf"previously)\b(?! (?:\w+ )?(?:fractur|hernia|protrus|extrus|fusion|surg))"
    r"|\bnot (?:\w+ )?(?:seen|present|noted|identified|visible|evident|there) (?:previously|before|"
    r"on (?:the )?(?:prior|previous|earlier))\b"
    r"|\bmay (?:19|20)\d\d\b|\b(?:\d{1,2}|in|of|since) may\b"
)
"""What looks like a cue and is none: what follows is there as before."""
_ONGOING = re.compile(
    r"\b(?:unchanged|stable|again|persist\w*|remain\w*|still|redemonstrat\w*|similar\w*|increas\w+|"
    r"progress\w*|wors\w+|larger|"
    r"smaller|decreas\w+|improv\w+|now|partial\w*|regress\w*|reduced in size|ongoing|residual|"
    r"recurrent|no (?:\w+ )?(?:interval )?change|re-?identified)\b"
)
_FORWARD: tuple[tuple[Kind, str, str], ...] = (
    (
        "resolved",
        "no longer,resol,resorp,disappear",
        r"\bno longer\b|\b(?:interval |complete |spontaneous |near[- ]complete )*resolution of|"
        r"\bresolved\b(?= (?!at\b|since\b|completely\b)\w)|\bresorption of|\bdisappearance of",
    ),
    (
        "asked",
        "rule,r/o, for,quer,?,exclud,please,look",
        r"\brule[ds]? out\b|\br/o\b|\b(?:evaluat\w+|assess\w*|look(?:ing)?|check(?:ing)?|exam\w*|"
        r"investigat\w+|screen\w*) for\b|\bquer(?:y|ied)\b|\?\s?(?=[a-z])|\bto exclude\b|\bexclude\b|"
        r"\bto look for\b|\bplease\b",
    ),
    (
        "hedged",
        "possib,perhaps,question,equivocal,may,might,could,potential,different,borderline,less "
        "likely,exclud,rule out,certain,versus,vs,if,doubt,unclear,indeterm,risk,predispos,mimic",
        r"\bpossib\w+|\bperhaps\b|\bquestionabl[ey]\b|\bquestion of\b|\bquestion(?:ed)?\b|\bequivocal\w*|"
        r"\bmay\b|\bmight\b|\bcould\b|\bpotential(?:ly)?\b|\bdifferential\b|\bborderline\b|"
        r"\bless likely\b|\bcannot (?:\w+ )*?(?:exclude|rule out|be certain)"
        r"|\b(?:difficult|hard|impossible|unable|not possible) to (?:\w+ )?(?:exclude|rule out)|\b(?:do|"
        r"does|would) not (?:\w+ )?(?:exclude|rule out)|\b(?:versus|vs)\b|\bif\b|\bdoubtful\b|"
        r"\buncertain\b|\bunclear\b|\bindeterminate\b(?! (?:\w+ ){0,2}?(?:lesion|focus))|\bat risk\b|"
        r"\brisk of\b|\bpredispos\w+ to\b|\bmimic\w*|\bnot (?:entirely |definitely |"
        r"definitively )?exclude",
    ),
    (
        "historical",
        "hist,hx,h/o,prior,previous,past,former,status,s/p,operati,operated,treated,in 19,in "
        "20,decompress,ectomy,fusion,surgery,repair,plasty,had ",
        r"\b(?:history|hx) of\b|\bh/o\b|\b(?:prior|previous(?:ly)?|past|former(?:ly)?)\b|"
        r"\bstatus[- ]post\b|\bs/p\b|\bpost-?operative(?:ly)?\b|\bpreoperative\b|\btreated(?: for)?\b|"
        r"\bfamily history\b|\bin (?:19|20)\d\d\b"
        r"|\b(?:decompression|laminectomy|fusion|discectomy|microdiscectomy|surgery|repair|operation|"
        r"operated|kyphoplasty|vertebroplasty)(?: \w+){0,2}? (?:for|of)\b|\bhad (?:a |an )\b",
    ),
    (
        "negated",
        "no,without,never,negative,free,absen,lack,nil,denies,rather,instead,exclud,fail,unlikely,nei"
        "ther,within normal",
        r"\bno\b(?! longer\b)|\bnot\b|\bwithout\b|\bnor\b|\bneither\b|\bnever\b|\bnegative for\b|"
        r"\bfree (?:of|from)\b|\babsence of\b|\babsent\b(?= [a-z])|\black(?:s|"
        r"ing)?(?: of)?\b(?! (?:of )?(?:normal|the normal|lordo))|\bnil\b(?= [a-z])|\bdenies\b|"
        r"\brather than\b|\binstead of\b|\bexclud(?:es|ed|ing)\b|\bfails? to\b|\bunlikely to\b|"
        r"\bunlikely\b(?= [a-z])|\bwithin normal limits\b(?= for)|\bnon(?= )",
    ),
)
"""Kind, parts of words of which one is in every match, and the words; what follows them is not told."""
_BACKWARD: tuple[tuple[Kind, str, str], ...] = (
    (
        "resolved",
        "resol,disappear,resorb,cleared,longer,any more,anymore,removed",
        r"\b(?:ha[sve]+|had|is|are|now|since|completely|fully|largely|entirely|"
        r"interval)(?: \w+){0,2}? (?:resolved|disappeared|resorbed|cleared)\b|\b(?:no longer|"
        r"not any ?more)\b|\b(?:ha[sve]+|was|were|been) (?:\w+ )?removed\b|\bresolved\b(?=\s*[.,;)]|\s*$)",
    ),
    (
        "negated",
        "not,never,nor,absent,exclud,ruled,lacking,unlikely,nil,negative,no,: n,- n,= n,is n,are n,:n,-n,=n",
        r"\b(?:not|never|nor)(?: \w+){0,2}? (?:seen|identified|present|demonstrated|visuali[sz]ed|evident|"
        r"appreciated|noted|detected|observed|apparent|shown|found|confirmed|depicted|recognized|visible|"
        r"encountered|suspected|well seen|there)\b"
        r"|\b(?:is|are|was|were|been|be) (?:\w+ )?(?:absent|excluded|ruled out|lacking|unlikely)\b|"
        r"\bunlikely\b(?=\s*[.,;)]|\s*$)|(?::|\s-|=|\bis\b|\bare\b)\s*(?:none|nil|absent|negative|no|"
        r"not present|not seen|n)(?: (?:seen|identified|present|noted|detected|evident|"
        r"significant))?(?=\s*(?:[.,;)]|$))|\babsent\b(?=\s*[.,;)]|\s*$)|\bhas been excluded\b",
    ),
    (
        "hedged",
        "exclu,possib,question,equivocal,certain,doubt,consider,?,ruled,difficult,hard,impossible,assess",
        r"\bcannot be (?:\w+ )?(?:excluded|ruled out)|\bnot (?:\w+ )?(?:excluded|ruled out)|\b(?:is|are|"
        r"was|were|remains?) (?:\w+ )?(?:possible|questionable|equivocal|questioned|uncertain|doubtful|"
        r"a possibility|considered)\b|(?<=\w)\s?\?|\bto be excluded\b|\bshould be (?:excluded|considered)|"
        r"\b(?:difficult|hard|impossible) to (?:\w+ )?(?:exclude|assess)|\bcould be considered\b",
    ),
    ("historical", "previously,formerly", r"\b(?:previously|formerly) (?:treated|repaired|operated)\b"),
)
_NEW = (
    r"(?:mild|moderate|severe|small|large|minimal|slight|tiny|marked|advanced|minor|subtle|trace|"
    r"early|a|an|there|multilevel|multi-level|diffuse|"
    r"broad|focal|shallow|near|complete|the|at|normal|otherwise|some|degenerative|chronic|old|grade|preserved|\x01)"
)
_END = re.compile(
    r"[.;!]|:(?!\s*\d)|\bbut\b|\bhowever\b|\b(?:al)?though\b|\bexcept(?:ing)?(?: for)?\b|"
    r"\bapart from\b|\bother than\b|\baside from\b|\bsave for\b|\byet\b|\bnevertheless\b|"
    r"\bwhereas\b|\bwhile\b|\bthere (?:is|are)\b|\bwhich\b|\bwhere\b|\bremains?\b|"
    rf"\s+-\s+|,?\s*\b(?:and|with|plus)\s+{_NEW}\b|,\s*{_NEW}(?=\W|$)|(?<=\x01),"
)
_HARD = re.compile(
    r"[.;!:]|\bbut\b|\bhowever\b|\b(?:al)?though\b|\bwhereas\b|\bwhile\b|\bexcept\b|\bthere (?:is|are)\b|,"
)
_CUES = tuple((kind, tuple(stems.split(",")), re.compile(words)) for kind, stems, words in _FORWARD)
_AFTER = tuple((kind, tuple(stems.split(",")), re.compile(words)) for kind, stems, words in _BACKWARD)
_OR = re.compile(r"\b(?:or|nor)\b")
_GENERAL = re.compile(
    r"\b(?:prevalence|asymptomatic (?:people|individuals|persons|adults|population|subjects|patients)|"
    r"people without|general population|"
    r"without (?:back )?(?:pain|symptoms)|common in (?:people|patients|adults|asymptomatic)|incidence|"
    r"by definition|is defined as|are defined as|nomenclature|commonly seen)\b|"
    r"\([<>~]?\d{1,3}\s?%\)"
)
_GENERAL_STEMS = ("preval", "asymptom", "without", "general", "common", "incid", "defin", "nomencl", "%")


@dataclass(frozen=True)
class Scope:
    """A part of a sentence that is not told of the person now."""

    kind: Kind
    start: int
    end: int


def scopes(text: str) -> list[Scope]:
    """The parts of a sentence that are denied, asked and so on; ``text`` plain, its levels replaced by \\x01.

    >>> [(s.kind, "no bulge or stenosis, but mild fissure"[s.start:s.end])
    ...     for s in scopes("no bulge or stenosis, but mild fissure")]
    [('negated', 'no bulge or stenosis, ')]
    """
    if about_others(text):
        return [Scope("historical", 0, len(text))]
    forward = [(kind, cue) for kind, stems, cue in _CUES if any(stem in text for stem in stems) and cue.search(text)]
    backward = [cue for cue in _AFTER if any(stem in text for stem in cue[1])]
    if not forward and not backward:
        return []
    text = NO_CUE.sub(lambda match: "_" * len(match[0]), text)
    found = []
    for kind, cue in forward:
        for match in cue.finditer(text):
            if kind == "historical" and _ONGOING.search(text):
                continue
            found.append(Scope(kind, match.start(), _end(text, match, kind)))
    for kind, _, cue in backward:
        found += [Scope(kind, _begin(text, match.start()), match.end()) for match in cue.finditer(text)]
    return sorted(found, key=lambda scope: scope.kind != "hedged")  # "cannot be excluded" is no denial


def about_others(text: str) -> bool:
    """Whether a sentence is about people in general: the rates and definitions some reports end with."""
    return any(stem in text for stem in _GENERAL_STEMS) and bool(_GENERAL.search(text))


def _end(text: str, cue: re.Match[str], kind: Kind) -> int:
    """Where what a cue says ends: at what turns the sentence, or at a comma that begins something else."""
    at = cue.end()
    while stop := _END.search(text, at):
        listed = stop[0].lstrip().startswith((",", "and", "with", "plus")) or (
            stop.start() and text[stop.start() - 1] == "\x01"
        )
        rest = re.split(r"[.;!]|\bbut\b|\bhowever\b", text[stop.end() :], maxsplit=1)[0]
        if listed and _OR.search(rest) and "there" not in stop[0]:  # "no bulge, severe stenosis, or fracture"
            at = stop.end()
            continue
        return min(stop.start(), _comma(text, cue, kind))
    return _comma(text, cue, kind)


def _comma(text: str, cue: re.Match[str], kind: Kind) -> int:
    """The comma that ends it: lists go on after "no bulge, stenosis", not after "possible bulge, stenosis"."""
    if kind in ("negated", "resolved") and cue[0] != "without":
        return len(text)
    if kind == "historical" and (follows := re.compile(r"\b(?:with|showing|now)\b").search(text, cue.end())):
        return follows.start()
    comma = text.find(",", cue.end())
    return comma if comma >= 0 and not _OR.search(text, comma) else len(text)


def _begin(text: str, at: int) -> int:
    """Where what a later cue denies begins: after the last turn or comma, unless a list goes over it."""
    begin = 0
    for stop in _HARD.finditer(text, 0, at):
        if stop[0] != "," or not (_OR.search(text, stop.end(), at) or re.search(r"\band\b", text[stop.end() : at])):
            begin = stop.end()
        if stop[0] == ":":  # "disc bulge: none"
            begin = max(text.rfind(sign, 0, stop.start()) for sign in ".;,") + 1
    return begin


def kind_at(found: list[Scope], at: int) -> Kind | None:
    """What holds of a place in the sentence; None where it is told."""
    return next((scope.kind for scope in found if scope.start <= at < scope.end), None)
