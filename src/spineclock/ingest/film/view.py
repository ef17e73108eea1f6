"""Whether a picture is a lateral film, and at which side its front is: from the header, else from the picture.

A header that states the view or the facing is believed. The limits for pictures were set on films of simulated people.
"""

from __future__ import annotations

from typing import Literal

from spineclock.core.errors import InputError, RefusedError
from spineclock.core.volume import Array
from spineclock.ingest.film.look import Look, look
from spineclock.ingest.film.words import XRAY_MODALITIES
from spineclock.ingest.refs import FilmFacts, View

Side = Literal["left", "right"]

EMPTY, DRAWN = 0.2, 0.5
"""Contrast below which a picture is all but empty, and the share of one grey from which it is drawn."""
NO_SPINE, HARDLY = 0.82, 0.92
"""Of :attr:`Look.upright`: below the first there is no upright structure as a spine's, below the second hardly one."""
FRONTAL, UNSURE, ALIKE = 0.0, -0.4, 0.3
"""Of :func:`frontality`: above the first a film is frontal, between the two not surely lateral. Of :attr:`Look.mirror`:
below the third nothing is alike from both sides, and a film is not called frontal."""
WEAK = 1.0
"""Of :attr:`Look.front`, either way: below it the facing is a mere guess."""


def frontality(seen: Look) -> float:
    """How much a picture is a frontal film: its mirror symmetry less half of what tells front from back."""
    return seen.mirror - 0.5 * abs(seen.front)


def seen_view(upright: Array) -> View:
    """The view a picture (rows downwards, columns) shows, empty where it does not tell for sure."""
    return _view(look(upright))


def _view(found: Look) -> View:
    at = frontality(found)
    if at < UNSURE:
        return "lateral"
    return "frontal" if at > FRONTAL and found.mirror > ALIKE else ""


def examined(upright: Array, film: FilmFacts, *, modality: str = "") -> tuple[Side, tuple[str, ...]]:
    """The side of an upright picture at which the patient's front is, and notes on what was guessed.

    Parameters
    ----------
    upright : ndarray, shape (rows, columns)
        Rows downwards, dense bright.
    film : FilmFacts
        What the header tells; its view and facing are believed.
    modality : str
        DICOM's code; under CR, DX, DR and RG a picture is suspected neither of being a screenshot nor a photograph, a
        densitometer's film not of the latter.

    Raises
    ------
    InputError
        If there is next to nothing on the picture.
    RefusedError
        If it is no lateral film of a spine.
    """
    if film.view in ("frontal", "oblique"):
        raise _refused(f"{'a frontal' if film.view == 'frontal' else 'an oblique'} film, as its header says")
    found = look(upright)
    notes = _content(found, film, xray=modality in XRAY_MODALITIES)
    view = film.view or _view(found)
    if view == "frontal":
        raise _refused(f"a frontal film, as its picture tells (mirror symmetry {found.mirror:.1f})")
    if not view:
        notes += ("the header does not state the view, nor does the picture for sure: taken as lateral",)
    told = film.down if film.across in ("H", "F") else film.across
    if told in ("A", "P"):
        return ("right" if told == "A" else "left"), notes
    side: Side = "left" if found.front >= 0 else "right"
    how = "the picture hardly does" if abs(found.front) < WEAK else f"it was judged by the picture to be at its {side}"
    note = f"the header does not say where the front is, and {how}: see that it is not the wrong way round"
    return side, (*notes, note)


def _content(found: Look, film: FilmFacts, *, xray: bool) -> tuple[str, ...]:
    """Notes on whether the picture may be a film of a spine; ``xray`` says that the header leaves no doubt."""
    if found.contrast < EMPTY:
        raise InputError(
            "an all but empty picture (noise alone)", wanted="a film of the spine", remedy="export the film again"
        )
    if xray:
        return ()
    if found.flat > DRAWN:
        raise _refused(f"a drawing, a screenshot or a page of text ({found.flat:.0%} of what is not black is one grey)")
    if film.film == "vfa" or found.upright >= HARDLY:
        return ()
    if found.upright < NO_SPINE:
        raise _refused("a picture in which nothing runs from top to bottom as a spine does (a photograph?)")
    return ("the picture shows hardly anything that runs from top to bottom as a spine does",)


def _refused(found: str) -> RefusedError:
    return RefusedError(found, wanted="a lateral film of the spine", remedy="give the lateral film, upright")
