"""Views judged from the pictures, for films of one study whose headers do not tell which of them is lateral."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from spineclock.core.errors import SpineclockError
from spineclock.core.recipe import LATERAL_FILM
from spineclock.ingest import checks
from spineclock.ingest.film.load import shown, stood_up
from spineclock.ingest.film.view import seen_view
from spineclock.ingest.refs import SeriesRef

MOST = 12
"""Films of one study whose pictures are looked at."""


def with_views(refs: Sequence[SeriesRef]) -> list[SeriesRef]:
    """The references, films of unknown view with that of their picture where their study holds more than one film.

    A film alone is not read for this: its view is judged when it is loaded.
    """
    films = Counter(ref.study for ref in refs if ref.study and ref.film is not None and not ref.film.unfit)
    looked: Counter[str] = Counter()
    out = []
    for ref in refs:
        film = ref.film
        asked = film is not None and not film.view and not film.unfit and not ref.problem and films[ref.study] > 1
        if asked and looked[ref.study] < MOST:
            looked[ref.study] += 1
            ref = _with_view(ref)
        out.append(ref)
    return out


def _with_view(ref: SeriesRef) -> SeriesRef:
    film = ref.film
    assert film is not None, "asked of films only"
    try:
        checks.require_room(ref.shape, max_bytes=LATERAL_FILM.max_bytes)
        view = seen_view(stood_up(shown(ref)[0], film)[0])
    except (SpineclockError, OSError):
        return ref  # said when it is loaded
    note = f"the header does not state the view: {view}, as the picture tells"
    return replace(ref, film=replace(film, view=view, notes=(*film.notes, note))) if view else ref
