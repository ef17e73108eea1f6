"""References to films among files: pictures, and volumes of depth 1."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from spineclock.core.errors import InputError
from spineclock.ingest import checks
from spineclock.ingest.facts import text
from spineclock.ingest.film import picture
from spineclock.ingest.film.facts import film_facts
from spineclock.ingest.film.words import XRAY_MODALITIES
from spineclock.ingest.find import Input
from spineclock.ingest.names import stem
from spineclock.ingest.refs import Facts, FilmFacts, Kind, SeriesRef
from spineclock.ingest.sidecar import facts, sidecar

_NO_ORIENTATION = "no orientation in the header"
"""How the notes of volumes begin that state none."""


def film_reference(
    scan_id: str, kind: Kind, path: Path, source: Path, *, rows: int, columns: int, told: Facts, film: FilmFacts
) -> SeriesRef:
    """A film's reference; its grid is that of the upright picture as far as the header tells."""
    lying = film.across in ("H", "F")
    size, mm = (columns, rows), (film.across_mm, film.down_mm)
    if lying:
        size, mm = size[::-1], mm[::-1]
    return SeriesRef(
        scan_id, kind, ((path, 0),), source, (1, *size), np.diag([1.0, *mm, 1.0]), (1.0, *mm),
        "coronal" if film.view == "frontal" else "sagittal", told, film=film,
    )  # fmt: skip


def of_picture(found: Input) -> SeriesRef:
    """What a picture's header, name and sidecar tell; no sample is read.

    Raises
    ------
    InputError
        If it is damaged or holds several pictures.
    """
    rows, columns = picture.size(found.path)
    checks.require_room((rows, columns), max_bytes=2**62)
    beside = sidecar(found.path)
    told = _with_marks(facts(found.path.name, beside), burned=text(beside, "BurnedInAnnotation"))
    film = film_facts(beside, rows=rows, columns=columns, name=stem(found.path.name), modality=told.modality)
    ref = film_reference(
        stem(found.shown.name), "picture", found.path, found.shown, rows=rows, columns=columns, told=told, film=film
    )
    return replace(ref, named=found.named)


def of_volume(ref: SeriesRef, *, pictures: bool) -> SeriesRef:
    """A NIfTI or MetaImage as a film where it is one slice and of an X-ray modality (or, with ``pictures``, of any that
    films have or none); any other reference as it is.

    The affine tells view and facing where the file states an orientation; pixel spacing is the sidecar's, else the
    affine's.

    Raises
    ------
    InputError
        If a single slice is neither sagittal nor coronal, so that up is not known.
    """
    modality = ref.facts.modality
    flat = [axis for axis in range(3) if ref.shape[axis] == 1]
    if len(flat) != 1 or not (modality in XRAY_MODALITIES or (pictures and modality in ("", "OT", "SC", "BMD"))):
        return ref
    if flat[0] == 2:
        raise InputError(
            "a film stored as an axial slice, so that up and front are not known",
            wanted="a NIfTI of depth 1 from left to right, or the picture as PNG or DICOM",
            remedy="convert the original picture again",
        )
    oriented = not any(note.startswith(_NO_ORIENTATION) for note in ref.notes)
    width, height = ref.shape[1 - flat[0]], ref.shape[2]
    affine_mm = (ref.spacing_mm[1 - flat[0]], ref.spacing_mm[2])
    path = ref.frames[0][0]
    beside = {k: v for k, v in sidecar(path).items() if k not in ("PatientOrientation", "ImageOrientationPatient")}
    if oriented:
        beside["PatientOrientation"] = [("A", "R")[flat[0]], "F"]  # as the canonical picture is shown, upside up
    film = film_facts(beside, rows=height, columns=width, name=stem(path.name), modality=modality)
    if film.spacing == "unknown":
        notes = tuple(note for note in film.notes if not note.startswith("the pixel spacing"))
        film = replace(film, across_mm=affine_mm[0], down_mm=affine_mm[1], spacing="unstated", notes=notes)
    told = _with_marks(ref.facts, burned=text(beside, "BurnedInAnnotation"))
    made = film_reference(ref.scan_id, ref.kind, path, ref.source, rows=height, columns=width, told=told, film=film)
    return replace(made, named=ref.named, notes=ref.notes)


def _with_marks(told: Facts, *, burned: str) -> Facts:
    note = ("text is burned into the image",) if burned.upper() in ("YES", "TRUE") else ()
    return replace(told, notes=(*told.notes, *note))
