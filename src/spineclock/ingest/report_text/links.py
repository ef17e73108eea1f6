"""What stands between conditions, levels and degrees in a sentence, and says which belong together."""

from __future__ import annotations

import re

BREAK = re.compile(
    r";|\bbut\b|\bwhereas\b|\bwhile\b|\bhowever\b|\balthough\b|\bthere (?:is|are)\b|\bexcept\w*|"
    r"\bapart from\b|\bother than\b|"
    r"\baside from\b|\.(?=\s)"
)
GOES_WITH = re.compile(
    r"\b(?:with|without|caus\w+|produc\w+|result\w+|contribut\w+|leading|creat\w+|plus|associated|"
    r"superimposed|accompan\w+|"
    r"narrowing|compress\w+|no|contain\w+|indent\w+)\b[^;]*$"
)
PLACE = re.compile(
    r"(?:\b(?:at|of|in|within|involving|involves|affecting|affects|from|on|between|across|throughout|"
    r"spanning|below|above|"
    r"about|around|along|including|for|to)\s+(?:(?:the|each|both|all|discs?|levels?|left|right|"
    r"posterior|anterior|superior|"
    r"inferior|upper|lower|mid|middle|level of|aspects? of|parts? of|endplates?(?: of| at)?|adjacent|"
    r"vertebra\w*|body|bodies|"
    r"of|and|interspaces?|levels of)\s+(?:the\s+)?)*|^\s*[:(,-]*\s*)\(?$"
)
ADJECTIVE = (
    r"(?:left|right|central(?:ly)?|para-?central|foraminal|extra-?foraminal|sub-?articular|far|"
    r"lateral|posterolateral|postero-?|"
    r"broad|based|broad-based|diffuse(?:ly)?|focal|posterior(?:ly)?|anterior|circumferential|generalized|concentric|"
    r"symmetric(?:al)?|asymmetric(?:al)?|eccentric|annular|midline|median|para-?median|bilateral|sided|superimposed|"
    r"residual|recurrent|new|stable|unchanged|degenerative|acute|chronic|old|sub-?acute|partial|type|"
    r"grade|global|further|"
    r"additional|associated|superior|inferior|endplate|vertebral|body|compression|wedge|wedging|disc|"
    r"discs|level|levels|"
    r"intervertebral|the|a|an|mm|\d+|i|ii|iii|1|2|3|4|t2|signal|zone|multilevel|contained|"
    r"subligamentous|soft|hard|loss|of)"
)
ADJECTIVES = re.compile(
    rf"[\s,/()\-\x02]*(?:{ADJECTIVE}\b[\s,/()\-\x02]*|(?:and|to|or)\s+(?=\x02|"
    rf"{ADJECTIVE}\b)(?!discs?\b|a\b|the\b)\x02*\s*)*"
)
BLOCKED = re.compile(
    r"[;:.()]|\b(?:with|without|at|in|from|is|are|was|were|causing|but|no|not|has|have|which|there|on|shows?|plus|for|"
    r"by|involving|contributing|resulting|producing|abutting|contacting|due)\b"
)
PREDICATE = re.compile(
    r"\s*(?:discs?|changes?|complex(?:es)?|disease|components?|levels?)?\s*(?:\(|:|=|--?|"
    r",)?\s*(?:(?:is|are|was|were|appears?|"
    r"remains?|which|that|graded?|rated|now|considered|at|most|being|larger|smaller|and|slightly|also|"
    r"of|as|judged|the|to|be|again|only|overall|degree|severity|"
    r"both|in|than|more|it)\s*)*$"
)
AFTER_LEVELS = re.compile(
    r"\s*(?:levels?|discs?|bilateral(?:ly)?|left|right|both)?\s*(?:\(|:|=|-|,|/)?\s*(?:(?:is|are|was|"
    r"were|appears?|remains?|graded|rated|which|only)\s*)*$"
)
AT = re.compile(
    r"\s*(?:[a-z]+ ){0,2}(?:at|in|for|on|from|involving|affecting)\s+(?:the\s+|both\s+|levels?\s+)*$|\s*\(\s*$"
)
LESSER = re.compile(r"\b(?:lesser|less|milder)\b[^,;]*$")
REPEAT = re.compile(
    r"(?:^|\b(?:and|also|at|or|including|particularly|especially|predominantly|mainly|worst|greatest|"
    r"maximal(?:ly)?|extent|degree|"
    r"most \w+|more \w+|similarly|likewise|followed by|well as|then|notably|chiefly|primarily|both|"
    r"from|so|marked|are|is)\b|[,:(\-+&])"
    r"\s*(?:(?:at|in|from|the|for|on|level|levels|of)\s+)*$"
)
EXCEPT = re.compile(
    r"\b(?:except(?:ing)?|apart from|other than|aside from|save)\b(?:\s+(?:for|at|that|in|mildly|the|of))*\s*$"
)
LISTED = re.compile(rf"\s*(?:,\s*and\b|,|/|&|\band\b|\+|\bor\b)\s*(?:{ADJECTIVE}\b[\s,/\-]*)*")
