"""One spelling for matching: small letters, American endings, plain dashes, and likely typing errors put right."""

from __future__ import annotations

import re
from functools import lru_cache

_SIGNS = str.maketrans(
    {
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("’‘`´", "'"),
        **dict.fromkeys("“”", '"'),
        "\u00a0": " ", "|": ",", "∕": "/", "⁄": "/", "*": " ", "_": " ", "•": " ", "ﬁ": "fi", "ﬂ": "fl", "→": " to ",
    }
)  # fmt: skip
SPELLINGS: tuple[tuple[str, str, str], ...] = (
    ("dis", r"\bdis[ck]o?(s?)\b", r"disc\1"),
    ("oedema", r"oedema", "edema"),
    ("haem", r"haem", "hem"),
    ("is", r"\b(lumbar|sacral|normal|local|general|visual|minim|stabil|character)is(?=[aei])", r"\1iz"),
    ("calibre", r"\bcalibre\b", "caliber"),
    ("ll", r"\b(signal|level|channel)l(?=ed|ing)", r"\1"),
    ("grey", r"\bgrey\b", "gray"),
    ("mould", r"\bmould", "mold"),
    ("centre", r"\bcentre", "center"),
    ("anul", r"\banul(?=ar|us)", "annul"),
    ("plate", r"\bend[ -]plate", "endplate"),
    ("vertebral", r"\binter[ -]vertebral", "intervertebral"),
    ("listhesis", r"\bspondylo[ -]listhesis", "spondylolisthesis"),
    ("listhesis", r"\b(antero|retro|latero)[ -]listhesis", r"\1listhesis"),
    ("vertebral", r"\bunc[ou]?o?[- ]?vertebral", "uncovertebral"),
    ("schmorl", r"\bschmorls?\b(?:'s?)?", "schmorl"),
    ("b/l", r"\bb/l\b", "bilateral"),
    ("w/", r"\bw/o\b", "without"),
    ("w/", r"\bw/", "with "),
    ("e/o", r"\bno e/o\b", "no evidence of"),
    ("mod", r"\bmod\b\.?", "moderate"),
    ("sev", r"\bsev\b\.?", "severe"),
    ("incl", r"\bincl\b\.?", "including"),
    (".", r"\b(approx|ant|post|lat|bilat|assoc|max|resp)\.(?= )", r"\1"),
    ("min", r"\bmin\b\.?(?= [a-z])", "minimal"),
    ("gd", r"\bgd\b", "grade"),
    ("fx frx #", r"\b(?:fx|frx)(?:e?s)?\b|#(?= (?:of|at|[ctl]))|(?<=\d )#", "fracture"),
    ("can", r"\bcan ?not\b|\bcan't\b", "cannot"),
    ("n't", r"\bcouldn't\b", "could not"),
    ("n't", r"\b(is|are|was|were|do|does|did|has|have)n't\b", r"\1 not"),
    ("ls", r"\bls[ -/]s1\b", "l5-s1"),
    ("lumbar", r"\blumbar (?=[1-5](?: ?[-/] ?[1-5s]|\b))", "l"),
    (" ", r"\s+", " "),
)
"""What is written in more than one way: what must be there, the pattern, and how it is matched; in order."""
_SPELLINGS = tuple((tuple(part.split()) or (" ",), re.compile(pattern), to) for part, pattern, to in SPELLINGS)
_ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth"),
    *("seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"),
)
_ORDINAL = re.compile(
    rf"\b(?:({'|'.join(_ORDINALS)})|(\d{{1,2}})(?:st|nd|rd|th)) (cervical|thoracic|dorsal|"
    rf"lumbar)(?= (?:vertebra|disc|body|inter))"
)

KEYWORDS = (
    "protrusion protrusions protruding protrudes extrusion extrusions extruded herniation herniations herniated "
    "desiccation desiccated degeneration degenerative degenerated bulging bulges bulge osteophyte osteophytes "
    "osteophytic uncovertebral endplate endplates annular annulus fissure fissures fissuring hemangioma hemangiomas "
    "metastasis metastases metastatic congenital congenitally stenosis stenotic narrowing spondylolisthesis "
    "anterolisthesis retrolisthesis listhesis scoliosis dextroscoliosis levoscoliosis kyphosis lordosis straightening "
    "transitional sacralization lumbarization perineural tarlov sequestration sequestered fracture fractures "
    "compression deformity deformities myelomalacia syringomyelia hyperintensity edema paraspinal prevertebral "
    "interspinous foraminal moderate moderately severe severely minimal minimally dehydration dehydrated prolapse "
    "multilevel schmorl cervical thoracic lumbar irregularity sequestrated evidence without significant unremarkable "
    "intermittent intrusion projection production reduction regeneration deviation desolation retention tension "
    "formation extension fixation congenial minimum medium evident evidently hyperintense hypointense signal annually "
    "narrowed narrow stenting sequence sequences marginal several lordotic kyphotic scoliotic osteophytosis foramina "
    "osteolytic osteoblastic osteoporotic osteoporosis fracturing hematoma lesions foramen "
    "transition translation compressed compressive deformed fissured annulotomy fractional fractured "
    "bulged "
    "metastasize congenitals endplates' degenerating protrude extrude herniate desiccating traction translational"
)
"""Words that are right as they are; those before "intermittent" are what a typing error is put right to."""
_RIGHT = frozenset(KEYWORDS.split())
_TARGETS = tuple(KEYWORDS.split()[: KEYWORDS.split().index("intermittent")])
_WORD = re.compile(r"[a-z]{6,}")


@lru_cache(maxsize=50_000)
def plain(sentence: str) -> str:
    """A sentence as the rules read it.

    >>> plain("Mild disk protusion & oedema, L4–5; haemangioma w/o fracutre")
    'mild disc protrusion & edema, l4-5; hemangioma without fracture'
    """
    text = sentence.translate(_SIGNS).lower()
    for parts, pattern, to in _SPELLINGS:
        if any(part in text for part in parts):
            text = pattern.sub(to, text)
    if "cal " in text or "cic " in text or "bar " in text or "sal " in text:
        text = _ORDINAL.sub(_by_number, text)
    return _WORD.sub(_mended_match, text).strip()


def _by_number(told: re.Match[str]) -> str:
    """ "Fourth lumbar" as "l4"."""
    number = _ORDINALS.index(told[1]) + 1 if told[1] else int(told[2])
    return f"{'t' if told[3] == 'dorsal' else told[3][0]}{number}"


def _mended_match(word: re.Match[str]) -> str:
    return _mended(word[0])


@lru_cache(maxsize=50_000)
def _mended(word: str) -> str:
    """The keyword a word is a likely typing error of, or the word itself.

    One letter added, left out, changed or two swapped; two such where the word is long. The first letter is right.
    """
    if word in _RIGHT:
        return word
    allowed = 2 if len(word) >= 10 else 1
    near = [(d, target) for target in _TARGETS if target[0] == word[0] and abs(len(target) - len(word)) <= allowed
            and (d := _distance(word, target)) <= allowed]  # fmt: skip
    return min(near)[1] if near else word


def _distance(a: str, b: str) -> int:
    """Edits between two words, a swap of neighbours counting one (optimal string alignment)."""
    rows = [list(range(len(b) + 1))]
    for i in range(1, len(a) + 1):
        row = [i]
        for j in range(1, len(b) + 1):
            best = min(rows[-1][j] + 1, row[j - 1] + 1, rows[-1][j - 1] + (a[i - 1] != b[j - 1]))
            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]
