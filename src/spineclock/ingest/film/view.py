"""Whether a picture is a lateral film, and at which side its front is: from the header, else from the picture."""

from __future__ import annotations

from spineclock.core.errors import RefusedError
from spineclock.core.volume import Array
from spineclock.ingest.refs import FilmFacts


def examined(values: Array, film: FilmFacts, *, modality: str = "") -> tuple[str, tuple[str, ...]]:
    """The side of the upright picture at which the patient's front is, "left" or "right", and notes on guesses.

    Raises
    ------
    RefusedError
        If it is no lateral film.
    """
    if film.view in ("frontal", "oblique"):
        raise RefusedError(
            f"{'a frontal' if film.view == 'frontal' else 'an oblique'} film, as its header says",
            wanted="a lateral film of the spine", remedy="give the lateral film",
        )  # fmt: skip
    told = film.down if film.across in ("H", "F") else film.across
    if told in ("A", "P"):
        return ("right" if told == "A" else "left"), ()
    return "left", ("the header does not say where the front is: taken as at the left of the picture",)
