"""Which film of a study is read, and why each other one not."""

from __future__ import annotations

import math

from spineclock.core.errors import SpineclockError
from spineclock.core.recipe import Accepts
from spineclock.ingest import checks
from spineclock.ingest.film.words import XRAY_MODALITIES
from spineclock.ingest.refs import SeriesRef


def why_not(ref: SeriesRef, accepts: Accepts) -> str:
    """Why a series is not read as a lateral film, the plainest reason first; empty where it is."""
    told, film = ref.facts, ref.film
    if told.modality and told.modality not in accepts.modalities:
        return f"it is {told.modality}; wanted: {' or '.join(sorted(accepts.modalities))}"
    if film is None:
        n = ref.slices
        return told.unfit or f"{n} slice{'s' * (n != 1)}, not one film"
    if film.unfit:
        return film.unfit
    if film.view in ("frontal", "oblique"):
        return f"{'a frontal' if film.view == 'frontal' else 'an oblique'} film; wanted: lateral"
    if ref.problem:
        return ref.problem
    try:
        checks.require_room(ref.shape, max_bytes=accepts.max_bytes)
    except SpineclockError as error:
        return str(error)
    return ""


_CRITERIA = (
    "its view is stated or seen", "an X-ray modality", "not bent forwards or backwards",
    "preferred words in its description", "a taller film", "finer pixels", "a lower series number",
    "a lower image number",
)  # fmt: skip


def rank(ref: SeriesRef, accepts: Accepts) -> tuple[float, ...]:
    """How well a film that fits does so, criterion by criterion, smaller is better.

    The order: lateral by header or picture, a modality that is X-ray for sure, upright posture, preferred words, height
    in millimetres (0 where not known), pixel size, series number, image number.
    """
    told, film = ref.facts, ref.film
    assert film is not None, "a film that fits is one"
    words = f"{told.description} {told.body_part}".lower()
    height_mm = ref.shape[2] * ref.spacing_mm[2] if film.spacing != "unknown" else 0.0
    return (
        film.view != "lateral",
        told.modality not in XRAY_MODALITIES,
        film.bent,
        -sum(word.lower() in words for word in accepts.prefer_words),
        -round(height_mm),
        round(ref.spacing_mm[1] * ref.spacing_mm[2], 4),
        math.inf if told.series_number is None else told.series_number,
        math.inf if film.number is None else film.number,
    )


def difference(better: SeriesRef, other: SeriesRef, accepts: Accepts) -> str:
    """The first criterion by which one film is better than another, in words."""
    pairs = zip(_CRITERIA, rank(better, accepts), rank(other, accepts), strict=True)
    return next((what for what, a, b in pairs if a < b), "it came first")
