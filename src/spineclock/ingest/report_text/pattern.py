"""One way a condition is written, and the pieces that several patterns share.

Patterns are for sentences as :func:`spineclock.ingest.report_text.spelling.plain` gives them: small letters, American
spelling.
"""

from __future__ import annotations

from dataclasses import dataclass

OTHER = ""
"""The condition of what is none of the 19, but takes degrees and levels for itself (facet joints, foramina)."""
DEGREE = (
    r"(?:mild|moderate|severe|marked|slight|minimal|significant|minor|advanced|gross|borderline|critical|high[- ]grade|"
    r"low[- ]grade|relative|tight|definite|substantial|considerable|notable|focal|diffuse|some|"
    r"further|early|trace)(?:ly)?"
)
LINK = (
    rf"(?:\s*(?:,|/|-|:|&|\band\b|\bor\b|\bthe\b|\bto\b|\bis\b|\bare\b|\bappears?\b|\bremains?\b|\bshows?\b|\bbe\b|"
    rf"\bas well as\b|\bof\b|\bbilateral(?:ly)?\b|\bleft\b|\bright\b|\bneural\b|\bforamin\w*\b|\bforamen\b|\blateral\b|"
    rf"\brecess(?:es)?\b|\bsub-?articular\b|\bzones?\b|\bap\b|\bdiameter\b|\bcaliber\b|\barea\b|"
    rf"\bagain\b|\bdegenerative\b|"
    rf"\bacquired\b|\bcanal\b|\bmultifactorial\b|\bosseous\b|\bbony\b|\bspinal\b|\bcentral\b|"
    rf"\bcause[sd]?\b|\b{DEGREE}\b))*\s*"
)
BESIDE = LINK.replace(r"|\bcanal\b", "").replace(r"|\bspinal\b|\bcentral\b", "")
"""Links of what is not the canal: "foraminal and moderate canal stenosis" names the canal."""
NARROW = r"(?:stenos[ie]s|stenosed|stenotic|narrow(?:ing|ed|ings)?|compromised?|constrict(?:ed|ion))\b"
CANAL = (
    r"(?:central (?:spinal )?canal|spinal canal|vertebral canal|(?:cervical|lumbar|thoracic) (?:spinal )?canal|canal|"
    r"spinal|central(?! disc)|thecal sac|dural sac|thecal)\b"
)
BONE = (
    r"(?:osseous|bon[ey]|bone marrow|marrow|vertebral(?: body)?|skeletal|(?:osteo)?lytic|sclerotic|"
    r"(?:osteo)?blastic|intraosseous)"
)


@dataclass(frozen=True)
class Pattern:
    """One way a condition is written."""

    condition: str
    stems: str
    """Parts of words of which at least one is in every match, so that most sentences need no search."""
    regex: str
    generic: bool = False
    """Whether it gives way to an extrusion told of the same disc: "herniation" names the kind or does not."""
    severity: int = 0
    """The degree the words themselves hold; 0 where they hold none."""
