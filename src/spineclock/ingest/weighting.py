"""Which weighting an MR series has, from the words and times in its header."""

from __future__ import annotations

import re
from dataclasses import dataclass

_WORDS: tuple[tuple[str, str], ...] = (
    ("Dixon", r"dixon|ideal|lava flex|\bflex\b|\b(in|opp|out)[ _-]?(of[ _-]?)?phase"),
    ("DWI", r"\b(dwi|adc|ep2d diff|diff|diffusion|dti|trace|tracew|fa map)\b"),
    ("STIR", r"\b(stir|tirm|tir)\b|^stir|stir$"),
    ("FLAIR", r"\bt2 ?(w )?(dark fluid )?flair|dark fluid|^flair"),
    ("T2star", r"t2 ?\*|t2 ?star|\b(medic|merge|swi|m?ffe|gre)\b"),
    ("T1w", r"\b(s|3d)?t1 ?w?(i|tse|fse|se|spc|space|tra|sag|ax|cor|fl2d|fl3d|flair|vibe)?\b"),
    ("T2w", r"\b(s|3d)?t2 ?w?(i|tse|fse|frfse|se|spc|space|tra|sag|ax|cor|drive)?\b"),
    ("PDw", r"\bpd ?w?(tse|fse)?\b|\bproton density\b"),
)
_FAT = re.compile(r"\b(fs|fatsat|fat sat|spair|spir|chess|fat suppressed|fat suppression|wfs|proset|we)\b")
_DIXON_PARTS = frozenset(
    ("W", "WATER", "F", "FAT", "FF", "IP", "OP", "IN_PHASE", "OPP_PHASE", "OUT_PHASE", "FAT_FRACTION", "DIXON")
)


@dataclass(frozen=True)
class Weighting:
    """A weighting, empty where it cannot be told, and what in the header contradicts itself."""

    sequence: str
    notes: tuple[str, ...] = ()


def weighting(
    text: str,
    *,
    echo_ms: float | None,
    repetition_ms: float | None,
    inversion_ms: float | None = None,
    image_type: tuple[str, ...] = (),
    fat_suppressed: bool = False,
) -> Weighting:
    """The weighting of a series: first what only words or image type tell, then TE and TR, then the words T1, T2, PD.

    T2w: TE ≥ 60 ms and TR ≥ 1500 ms. T1w: TE < 30 ms and TR < 1200 ms. PDw: TE < 45 ms and TR ≥ 1500 ms. An inversion
    time of 80 to 300 ms is STIR, one above 1500 ms FLAIR. Where words and times contradict each other the times are
    believed, with a note. ``-fs`` is added where words, or the scan options, tell of suppressed fat.

    Examples
    --------
    >>> weighting("t2_tse_sag_lws", echo_ms=98, repetition_ms=3500).sequence
    'T2w'
    >>> weighting("SAG STIR L-SPINE", echo_ms=60, repetition_ms=4000, inversion_ms=160).sequence
    'STIR'
    >>> weighting("", echo_ms=11, repetition_ms=600).sequence
    'T1w'
    >>> weighting("Sag T2 FS", echo_ms=90, repetition_ms=3000).sequence
    'T2w-fs'
    >>> weighting("t2_tse_sag", echo_ms=12, repetition_ms=550).notes
    ('described as T2w, but TE 12 ms and TR 550 ms are those of T1w: taken as T1w',)
    """
    words = " " + re.sub(r"[_\-./,;:()\[\]]+", " ", text.lower()).strip() + " "
    told = next((name for name, pattern in _WORDS if re.search(pattern, words.strip())), "")
    if told == "Dixon" or _DIXON_PARTS & {part.upper() for part in image_type[2:]}:
        return Weighting("Dixon")
    if told in ("DWI", "STIR", "T2star", "FLAIR"):
        return Weighting(told)
    timed = _timed(echo_ms, repetition_ms, inversion_ms)
    if timed in ("STIR", "FLAIR") and told != "T1w":
        return Weighting(timed)
    if told == "T1w" and inversion_ms and timed in ("STIR", "FLAIR"):
        timed = ""
    suffix = "-fs" if fat_suppressed or _FAT.search(words) else ""
    if told and timed and told != timed and not _agreeable(told, timed, inversion_ms):
        times = f"TE {echo_ms:g} ms and TR {repetition_ms:g} ms"
        note = f"described as {told}, but {times} are those of {timed}: taken as {timed}"
        return Weighting(timed + suffix, (note,))
    sequence = told or timed
    return Weighting(sequence + suffix if sequence else "")


def _timed(echo_ms: float | None, repetition_ms: float | None, inversion_ms: float | None) -> str:
    if inversion_ms is not None and 80 <= inversion_ms <= 300:
        return "STIR"
    if inversion_ms is not None and inversion_ms > 1500:
        return "FLAIR"
    if echo_ms is None or repetition_ms is None:
        return ""
    if repetition_ms >= 1500:
        return "T2w" if echo_ms >= 60 else "PDw" if echo_ms < 45 else ""
    return "T1w" if echo_ms < 30 and repetition_ms < 1200 else ""


def _agreeable(told: str, timed: str, inversion_ms: float | None) -> bool:
    """T1-FLAIR has a long TR and a short TE, as a proton-density series has."""
    return told == "T1w" and timed == "PDw" and inversion_ms is not None
