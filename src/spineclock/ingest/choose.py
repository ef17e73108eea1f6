"""Which series of each study a recipe reads, and why each other one not."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from spineclock.core.errors import InputError, SpineclockError
from spineclock.core.recipe import Accepts
from spineclock.core.records import Failure
from spineclock.ingest import checks, ct, stations
from spineclock.ingest.film import choose as films
from spineclock.ingest.names import short_hash
from spineclock.ingest.refs import SeriesRef

_LOCALISER = re.compile(r"\b(locali[sz]er|loc|scout|survey|topogram|surview|smart ?brain|3[ -]?pl(ane)?)\b")
_DERIVED_WORDS = re.compile(r"\b(mpr|mip|minip|subtraction|sub|screen ?save|myelo(gram)?|adc|reformat)\b")
_DERIVED_TYPES = frozenset(
    ("MPR", "CSA MPR", "PROJECTION IMAGE", "MIP", "MINIP", "SUBTRACTION", "ADC", "REFORMATTED", "SECONDARY")
)
_ONLY_CORRECTED = frozenset(("DIS2D", "DIS3D", "NORM", "FIL", "FM", "COMP_SP", "COMP_DIF", "COMPOSED", "PFP"))
"""Image types that say no more than that an original was evened out, filtered or put together from stations."""


@dataclass(frozen=True)
class Refusal:
    """A series that was not taken, and why, in words."""

    ref: SeriesRef
    reason: str


@dataclass(frozen=True)
class Choice:
    """The series to read, those refused, the inputs that are left with none; and which chosen files look like stations
    of one spine and yet are read each by itself, with the reason."""

    chosen: tuple[SeriesRef, ...]
    refused: tuple[Refusal, ...] = ()
    failures: tuple[Failure, ...] = ()
    apart: tuple[Refusal, ...] = ()


def choose(refs: Sequence[SeriesRef], accepts: Accepts) -> Choice:
    """The one best fitting series of each DICOM study, and every fitting file that is a volume of its own.

    Where a recipe wants them, it is one of each weighting.

    Stations of one spine are put together and count as one (:mod:`spineclock.ingest.stations`).

    Of a study's films one is taken too (:func:`spineclock.ingest.film.choose.rank`), and films are never stitched.

    Among series that fit, the order is: preferred weighting, preferred words, weighting told by the header, an original
    over a corrected one, more slices, finer pixels, lower series number. A study (or a folder of files, or a file named
    by the user) of which nothing fits gives a failure that lists each series' reason.
    """
    chosen: list[SeriesRef] = []
    refused: list[Refusal] = []
    failures: list[Failure] = []
    apart: list[Refusal] = []
    why_not, rank = (films.why_not, films.rank) if accepts.projection else (_why_not, _rank)
    studies: dict[tuple[str, str], list[SeriesRef]] = defaultdict(list)
    for ref in refs:
        alone = str(ref.source if ref.named else ref.source.parent)
        studies[(ref.study, "") if ref.kind == "dicom" else ("", alone)].append(ref)
    for (study, _), members in studies.items():
        reasons = [why_not(ref, accepts) for ref in members]
        fits = [_noted(ref, accepts) for ref, why in zip(members, reasons, strict=True) if not why]
        refused += [Refusal(ref, why) for ref, why in zip(members, reasons, strict=True) if why]
        if study and fits:
            fits.sort(key=lambda ref: rank(ref, accepts))
        if accepts.projection:
            others = [(ref, films.difference(fits[0], ref, accepts)) for ref in fits[1:] if study]
            refused += [Refusal(ref, f"fits too, but {fits[0].label} was preferred: {why}") for ref, why in others]
            fits = fits[:1] if study else fits
        elif study and fits:
            several = [(own, stations.of_study(own)) for own in _alternatives(fits, accepts)]
            refused += [refusal for own, joined in several for refusal in _beside(own, joined, accepts)]
            fits = [ref for _, joined in several for ref in joined.refs]
        elif fits:
            joined = stations.of_folder(fits)
            apart += [Refusal(ref, joined.why_not[ref.scan_id]) for ref in fits if ref.scan_id in joined.why_not]
            fits = list(joined.refs)
        chosen += fits
        if not fits:
            failures.append(_failure(members, reasons, accepts))
    return Choice(_with_own_ids(chosen, refs), tuple(refused), tuple(failures), tuple(apart))


def _alternatives(fits: Sequence[SeriesRef], accepts: Accepts) -> list[list[SeriesRef]]:
    """A study's fitting series, the best first, in groups of which one is read: all, or those of a weighting.

    Series of no told weighting are alternatives to the best.
    """
    if not accepts.each_sequence:
        return [list(fits)]
    groups: dict[str, list[SeriesRef]] = defaultdict(list)
    for ref in fits:
        groups[ref.facts.sequence or fits[0].facts.sequence].append(ref)
    return list(groups.values())


def _beside(fits: Sequence[SeriesRef], joined: stations.Joined, accepts: Accepts) -> list[Refusal]:
    """Why each series of a study that fits, the best first, is not read: neither the best nor one of its stations."""
    (taken,) = joined.refs
    refused = []
    for ref in fits:
        if ref is fits[0] or ref in taken.stations:
            continue
        why = f"fits too, but {fits[0].label} was preferred: {_difference(fits[0], ref, accepts)}"
        refused.append(Refusal(ref, "; ".join(part for part in (why, joined.why_not.get(ref.scan_id, "")) if part)))
    return refused


def _with_own_ids(chosen: Sequence[SeriesRef], refs: Sequence[SeriesRef]) -> tuple[SeriesRef, ...]:
    """The references, stitched ones renamed where a series or another stitched one has their name."""
    names = Counter(ref.scan_id.casefold() for ref in (*refs, *(c for c in chosen if c.stations)))
    return tuple(
        replace(c, scan_id=f"{c.scan_id}-{short_hash(c.source.as_posix())}")
        if c.stations and names[c.scan_id.casefold()] > 1
        else c
        for c in chosen
    )


def _why_not(ref: SeriesRef, accepts: Accepts) -> str:
    """Why a series does not fit, the plainest reason first; empty where it does."""
    told = ref.facts
    words = re.sub(r"[_\-./,;:()]+", " ", f"{told.description}".lower())
    if told.unfit:
        return told.unfit
    if told.modality and told.modality not in accepts.modalities:
        return f"it is {told.modality}; wanted: {' or '.join(sorted(accepts.modalities))}"
    if _LOCALISER.search(words) or "LOCALIZER" in told.image_type:
        return "a localiser"
    if derived := _derived(ref, words):
        return f"not an original image but a derived one ({derived})"
    if accepts.plane != "unknown" and ref.plane not in (accepts.plane, "unknown"):
        return f"its slices are {ref.plane}; wanted: {accepts.plane}"
    if accepts.sequences and told.sequence and told.sequence not in accepts.sequences:
        return f"it is weighted {told.sequence}; wanted: {' or '.join(accepts.sequences)}"
    echo_ms, repetition_ms = told.echo_time_ms, told.repetition_time_ms
    if accepts.sequences and not told.sequence and echo_ms is not None and repetition_ms is not None:
        wanted = " or ".join(accepts.sequences)
        return f"TE {echo_ms:g} ms and TR {repetition_ms:g} ms tell no weighting; wanted: {wanted}"
    if ref.slices < accepts.min_slices:
        return f"it has {ref.slices} slice{'s' * (ref.slices != 1)}; wanted: at least {accepts.min_slices}"
    if ref.problem:
        return ref.problem
    if ref.slice_spacing_mm > accepts.max_slice_spacing_mm * 1.01:
        return f"its slices lie {ref.slice_spacing_mm:.2g} mm apart; wanted: up to {accepts.max_slice_spacing_mm:g} mm"
    try:
        checks.require_room(ref.shape, max_bytes=accepts.max_bytes)
    except SpineclockError as error:
        return str(error)
    return ""


def _derived(ref: SeriesRef, words: str) -> str:
    if ref.kind != "dicom":
        return ""
    types = ref.facts.image_type
    if found := _DERIVED_TYPES & set(types):
        return ", ".join(sorted(found))
    if found_word := _DERIVED_WORDS.search(words):
        return found_word.group(0)
    if types[:1] == ("DERIVED",) and not _ONLY_CORRECTED & set(types):
        return "DERIVED"
    return ""


def _noted(ref: SeriesRef, accepts: Accepts) -> SeriesRef:
    """The reference with what was taken on trust."""
    notes = []
    told = ref.facts
    if not told.modality:
        notes.append("the modality is not stated")
    if not told.sequence and told.modality in ("", "MR") and ref.film is None and accepts.modalities != {"CT"}:
        notes.append("the weighting is not stated")
    if ref.plane == "unknown":
        notes.append("the plane of the slices is not known (equal spacing along every axis)")
    if told.image_type[:1] == ("DERIVED",) and ref.film is None:
        notes.append(f"the scanner marks it as corrected ({', '.join(told.image_type[1:])})")
    if not told.modality and accepts.modalities == {"CT"}:  # what is read as CT has to stand its tests
        told = ct.told(replace(told, modality="CT"), {})
    return replace(ref, facts=told, notes=(*ref.notes, *notes))


_CRITERIA = (
    "a preferred weighting", "preferred words in its description", "its weighting is stated", "an original image",
    "a kernel for soft tissue", "more slices", "finer pixels", "a lower series number",
)  # fmt: skip


def _rank(ref: SeriesRef, accepts: Accepts) -> tuple[float, ...]:
    """Smaller is better, criterion by criterion."""
    told = ref.facts
    words = f"{told.description} {told.body_part}".lower()
    order = accepts.sequences.index(told.sequence) if told.sequence in accepts.sequences else len(accepts.sequences)
    return (
        order,
        -sum(word.lower() in words for word in accepts.prefer_words),
        not told.sequence,
        told.image_type[:1] == ("DERIVED",),
        told.ct is not None and told.ct.kernel_kind == "sharp",
        -ref.slices,
        round(ref.spacing_mm[0] * ref.spacing_mm[1], 3),
        math.inf if told.series_number is None else told.series_number,
    )


def _difference(better: SeriesRef, other: SeriesRef, accepts: Accepts) -> str:
    pairs = zip(_CRITERIA, _rank(better, accepts), _rank(other, accepts), strict=True)
    return next((what for what, a, b in pairs if a < b), "it came first")


def _failure(members: Sequence[SeriesRef], reasons: Sequence[str], accepts: Accepts) -> Failure:
    """Why a study, folder or file is left with nothing: its one reason, or each series' one."""
    first = members[0]
    if len(members) == 1:
        found = f"{first.label}: {reasons[0].rstrip('.')}"
        place = first.source
    else:
        listed = "; ".join(f"{ref.label}: {why.rstrip('.')}" for ref, why in zip(members, reasons, strict=True))
        found = f"none of {len(members)} series fits ({listed})"
        place = first.source if len({m.source for m in members}) == 1 else first.source.parent
    alone = len(members) == 1 and first.film is None and not accepts.projection
    lone = alone and first.kind == "dicom" and first.named and first.slices == 1
    what = "film" if accepts.projection else "series"
    remedy = "give the folder of the series, not one slice" if lone else f"give a {what} that fits, or another recipe"
    error = InputError(found, wanted=accepts.wanted, remedy=remedy)
    return Failure(str(place), "select", str(error))
