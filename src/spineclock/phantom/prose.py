"""Free-text English reports of made-up findings, in several readers' styles.

What a report says is what its findings are, no more and no less. The words differ from style to style: a parser that
reads them back is to be judged on the findings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from spineclock.core.anatomy import disc_name
from spineclock.core.findings import COLUMNS, CONDITIONS, LEVELS, SEVERITIES, STRUCTURAL, Findings
from spineclock.phantom.curves import levels_of

REGIONS = ("cervical", "thoracic", "lumbar")
_SPINES = {"cervical": "cervical", "thoracic": "thoracic", "lumbar": "lumbar"}
_UNCOUNTED = ("desiccation", "hypertrophy", "change", "stenosis", "spondylolisthesis", "anterolisthesis")
_BONES = ("fracture", "bone_lesion")
"""Conditions told of a vertebra; the others are told of a disc space."""


@dataclass(frozen=True)
class Style:
    """How one kind of reader writes."""

    name: str
    disc: str
    """How a disc is written, of ``upper`` (L4), ``lower`` (L5) and ``number`` (5)."""
    through: str
    headings: bool
    words: dict[str, tuple[str, ...]]
    """By condition: ways to say it, ``{s}`` being the severity and a space, or nothing."""
    sentence: str
    """Of ``what`` and ``where``."""
    clear: tuple[str, ...]
    """Of ``region``: what is said of a region without findings."""
    denials: tuple[str, ...]
    """Other things that are not there, of which some are said at the end, if they are true."""


@dataclass(frozen=True)
class _Told:
    condition: str
    severity: str
    levels: tuple[str, ...]


_PLAIN = {
    "disc_bulge": ("{s}disc bulge", "{s}diffuse disc bulge", "{s}bulging of the disc"),
    "disc_osteophyte_complex": ("{s}disc osteophyte complex", "{s}disc-osteophyte complex"),
    "uncovertebral_osteophyte": ("{s}uncovertebral osteophytes", "{s}uncovertebral hypertrophy"),
    "protrusion": ("{s}disc protrusion", "{s}central disc protrusion", "{s}left paracentral disc protrusion"),
    "extrusion": ("{s}disc extrusion",),
    "desiccation": ("{s}disc desiccation", "{s}desiccation of the disc"),
    "endplate_change": ("{s}endplate change", "{s}degenerative endplate changes"),
    "annular_fissure": ("annular fissure", "posterior annular fissure"),
    "bone_lesion": ("bone lesion", "osseous lesion"),
    "congenital_canal_narrowing": ("congenital narrowing of the spinal canal", "congenitally narrow spinal canal"),
    "cord_abnormality": ("cord signal abnormality", "abnormal cord signal"),
    "fracture": ("compression fracture", "fracture"),
    "soft_tissue_oedema": ("soft tissue oedema", "paraspinal soft tissue edema"),
    "spinal_stenosis": ("spinal stenosis", "spinal canal stenosis"),
    "spondylolisthesis": ("spondylolisthesis", "anterolisthesis"),
    "scoliosis": ("scoliosis",),
    "kyphosis_or_lordosis": ("abnormal kyphosis", "loss of the normal lordosis", "exaggerated lordosis"),
    "transitional_vertebra": ("transitional vertebra", "transitional lumbosacral vertebra"),
    "tarlov_cyst": ("Tarlov cyst", "perineural (Tarlov) cyst"),
}
_SHORT = _PLAIN | {
    "disc_bulge": ("{s}bulge",),
    "protrusion": ("{s}protrusion",),
    "extrusion": ("{s}extrusion",),
    "desiccation": ("{s}desiccation",),
    "fracture": ("compression fx", "fracture"),
}
_DENIALS = {
    "fracture": "No fracture.",
    "spinal_stenosis": "No spinal stenosis.",
    "cord_abnormality": "The cord is normal in signal.",
    "soft_tissue_oedema": "No soft tissue oedema.",
    "spondylolisthesis": "No spondylolisthesis.",
    "bone_lesion": "No suspicious bone lesion.",
}
STYLES: tuple[Style, ...] = (
    Style(
        "by region", "{upper}-{number}", " through ", True, _PLAIN, "There is {what} at {where}.",
        ("Unremarkable.", "No significant disc disease.", "Normal for age."),
        ("fracture", "cord_abnormality", "spinal_stenosis"),
    ),
    Style(
        "narrative", "{upper}/{lower}", " to ", False, _PLAIN, "At {where}, there is {what}.",
        ("The {region} spine is unremarkable.", "No {region} disc bulge or protrusion is seen."),
        ("fracture", "bone_lesion", "soft_tissue_oedema"),
    ),
    Style(
        "terse", "{upper}/{number}", "-", True, _SHORT, "{where}: {what}.",
        ("Normal.", "No significant findings."), ("fracture", "spondylolisthesis"),
    ),
    Style(
        "dashed", "{upper}-{lower}", " through ", False, _PLAIN, "{what} at {where}.",
        ("No significant abnormality of the {region} spine.",), ("spinal_stenosis", "fracture", "bone_lesion"),
    ),
)  # fmt: skip
"""Readers differ in how they name discs, order and phrase what they see, and in what they say is not there."""
_AT = {condition.name: [k for k, (name, _) in enumerate(COLUMNS) if name == condition.name]
       for condition in CONDITIONS.values()}  # fmt: skip


def reports(findings: Findings, *, rng: np.random.Generator) -> pd.DataFrame:
    """A report of each scan: scan_id, style (the name of one of :data:`STYLES`), report.

    Examples
    --------
    >>> from spineclock.core.findings import column, empty_codes
    >>> codes = empty_codes(1)
    >>> codes[0, [column("disc_bulge", level) for level in ("L3", "L4", "L5")]] = 1
    >>> found = reports(Findings(pd.Index(["a"]), codes), rng=np.random.default_rng(4))
    >>> "ulg" in found["report"][0] and "L3" in found["report"][0]
    True
    """
    for_styles, for_words = rng.spawn(2)  # so that the first reports are the same however many follow
    styles = for_styles.integers(0, len(STYLES), len(findings))
    row, at = np.nonzero(findings.codes)
    ends = np.searchsorted(row, np.arange(1, len(findings) + 1))
    texts, begin = [], 0
    for k, end in enumerate(ends):
        told = _grouped(at[begin:end], findings.codes[k])
        texts.append(_report(told, STYLES[styles[k]], for_words))
        begin = end
    names = np.array([style.name for style in STYLES], dtype=object)
    return pd.DataFrame({"scan_id": findings.scan_ids.to_numpy(), "style": names[styles], "report": texts})


def _grouped(at: np.ndarray, codes: np.ndarray) -> list[_Told]:
    """The findings of a scan: each condition and severity of a region once, with its levels from the top."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for k in at:
        name, level = COLUMNS[k]
        if name in STRUCTURAL and not level and any(codes[j] for j in _AT[name][1:]):
            continue  # its levels are told
        severity = SEVERITIES[codes[k] - 1] if CONDITIONS[name].grades else ""
        place = next((p for p in REGIONS if level in levels_of(p)), "")
        groups.setdefault((place, name, severity), []).append(level)
    return [
        _Told(name, severity, tuple(sorted(filter(None, levels), key=LEVELS.index)))
        for (_, name, severity), levels in groups.items()
    ]


def _report(told: Sequence[_Told], style: Style, rng: np.random.Generator) -> str:
    """The report of one scan."""
    parts = []
    for place in REGIONS:
        here = [one for one in told if one.levels and one.levels[0] in levels_of(place)]
        lines = [_capital(_sentence(one, style, rng)) for one in here]
        text = " ".join(lines) if lines else _pick(style.clear, rng).format(region=_SPINES[place])
        parts.append(f"{place.upper()} SPINE: {text}" if style.headings else text)
    whole = [_capital(_pick(style.words[one.condition], rng).format(s="")) + "." for one in told if not one.levels]
    absent = {one.condition for one in told}
    denied = [_DENIALS[name] for name in style.denials if name not in absent and rng.random() < 0.6]
    rest = " ".join([*whole, *denied])
    if rest:
        parts.append(f"OTHER: {rest}" if style.headings else rest)
    return ("\n" if style.headings else " ").join(parts)


def _sentence(one: _Told, style: Style, rng: np.random.Generator) -> str:
    what = _pick(style.words[one.condition], rng).format(s=f"{one.severity} " if one.severity else "")
    where = _listed(_runs(one, style))
    sentence = style.sentence
    if "here is" in sentence:
        if what.endswith(("osteophytes", "changes")):
            sentence = sentence.replace("here is", "here are")
        elif not what.endswith(_UNCOUNTED) and "bulging of" not in what and "desiccation of" not in what:
            what = f"{_article(what)} {what}"
    return sentence.format(what=what, where=where)


def _runs(one: _Told, style: Style) -> list[str]:
    """The levels, three or more in a row as a range."""
    order = [level for level in LEVELS if level not in ("T13", "L6", "L7") or level in one.levels]
    places = [order.index(level) for level in one.levels]
    runs: list[list[int]] = []
    for place in places:
        same = runs and place == runs[-1][-1] + 1 and order[place][0] == order[runs[-1][-1]][0]
        runs[-1].append(place) if same else runs.append([place])
    words = []
    for run in runs:
        names = [_level(order[place], one.condition, style) for place in run]
        words += [f"{names[0]}{_through(style, one)}{names[-1]}"] if len(run) > 2 else names
    return words


def _through(style: Style, one: _Told) -> str:
    """What stands between the ends of a range; a dash between discs that have dashes themselves would not be read."""
    return style.through if style.through.strip() != "-" or one.condition in _BONES else " to "


def _level(level: str, condition: str, style: Style) -> str:
    if condition in _BONES:
        return level
    lower = disc_name(level).partition("/")[2]
    number = lower[1:] if lower[0] == level[0] else lower
    return style.disc.format(upper=level, lower=lower, number=number)


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _article(what: str) -> str:
    return "an" if what[0].lower() in "aeio" else "a"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _pick(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(0, len(options)))]
