"""A film as a scan: one sagittal picture, upright, the patient's front ahead, bright where dense."""

from __future__ import annotations

import numpy as np

from spineclock.core.errors import InputError
from spineclock.core.geometry import canonical
from spineclock.core.recipe import LATERAL_FILM
from spineclock.core.records import Scan
from spineclock.core.volume import Array, Volume
from spineclock.ingest import checks, metaimage, nifti
from spineclock.ingest.film import picture
from spineclock.ingest.film.grey import samples
from spineclock.ingest.film.view import examined
from spineclock.ingest.refs import FilmFacts, SeriesRef


def load_film(ref: SeriesRef, *, max_bytes: int) -> Scan:
    """The film as a scan of shape (1, from back to front, upwards), uint16 or float32, with notes on what was guessed.

    Raises
    ------
    InputError
        If it is damaged, larger than allowed, not finite, or without contrast.
    RefusedError
        If it is no lateral film: a frontal one, a colour picture, a photograph, a screenshot, an all but empty picture.
    """
    film = ref.film
    assert film is not None, "a film's reference says so"
    max_bytes = min(max_bytes, LATERAL_FILM.max_bytes)
    checks.require_room(ref.shape, max_bytes=max_bytes)
    values, notes = shown(ref, max_bytes=max_bytes)
    values = samples(values)
    upright, mm = stood_up(values, film)
    front, seen = examined(upright, film, modality=ref.facts.modality)
    ahead = (upright[:, ::-1] if front == "left" else upright)[::-1].T
    if (1, *ahead.shape) != ref.shape:
        raise InputError(
            f"{ref.source.name} holds {values.shape[1]} × {values.shape[0]} pixels where its header says otherwise",
            wanted="a sound file", remedy="export it again",
        )  # fmt: skip
    told = ref.facts
    return Scan(
        ref.scan_id, Volume(np.ascontiguousarray(ahead)[None], np.diag([1.0, *mm, 1.0])), ref.source, told.modality,
        "", told.description, None, None, told.scanner, told.person_id, told.age_years, told.sex,
        notes=(*told.notes, *ref.notes, *film.notes, *notes, *seen), film=film.film,
    )  # fmt: skip


def shown(ref: SeriesRef, *, max_bytes: int = LATERAL_FILM.max_bytes) -> tuple[Array, tuple[str, ...]]:
    """Grey values (rows, columns) as the picture is stored, bright where dense, and notes."""
    path = ref.frames[0][0]
    if ref.kind == "picture":
        return picture.grey(path, max_bytes=max_bytes)
    if ref.kind == "dicom":
        from spineclock.ingest.film import pixels  # pydicom's import is spared where there is no DICOM

        return pixels.grey(path)
    read = nifti if ref.kind == "nifti" else metaimage
    volume = canonical(read.volume(path, max_bytes=max_bytes))
    flat = volume.shape.index(1)
    return np.moveaxis(volume.array, flat, 0)[0].T[::-1], ()


def stood_up(values: Array, film: FilmFacts) -> tuple[Array, tuple[float, float]]:
    """The picture with rows downwards as far as the header tells, and the spacing of its columns and rows in mm."""
    lying = film.across in ("H", "F")
    mm = (film.across_mm, film.down_mm)
    if lying:
        values, mm = values.T, mm[::-1]
    down = film.across if lying else film.down
    return (values[::-1] if down == "H" else values), mm
