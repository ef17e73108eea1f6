"""Scans from wherever they lie: list what is there (headers only), then load one series at a time.

``list_series`` → ``choose.choose`` → ``load``; :func:`read_scans` does all three for inputs that fit in memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from spineclock.core.errors import SpineclockError
from spineclock.core.geometry import canonical
from spineclock.core.recipe import LARGEST_BYTES, Accepts
from spineclock.core.records import Failure, Scan
from spineclock.core.volume import Volume
from spineclock.ingest import checks, ct, find, metaimage, nifti, sagittal_picture
from spineclock.ingest.choose import Refusal, choose
from spineclock.ingest.film import reference
from spineclock.ingest.film.load import load_film
from spineclock.ingest.film.seen import with_views
from spineclock.ingest.names import is_mask, unique_ids
from spineclock.ingest.refs import SeriesRef
from spineclock.ingest.stitch import stitch


@dataclass(frozen=True)
class Listing:
    """The series found, and the inputs that could not be read as any."""

    refs: tuple[SeriesRef, ...]
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True)
class ReadResult:
    """Scans read, inputs that gave none, and the series a study had besides."""

    scans: tuple[Scan, ...]
    failures: tuple[Failure, ...] = ()
    refused: tuple[Refusal, ...] = ()


def list_series(
    *paths: Path,
    scratch: Path | None = None,
    keep_patient_id: bool = False,
    films: bool = False,
    pictures: bool = False,
) -> Listing:
    """The series at some paths (files, folders, archives), from their headers alone.

    Radiographs in DICOM, NIfTI and MetaImage are listed as films (:attr:`SeriesRef.film`) always.

    Parameters
    ----------
    scratch : Path, optional
        Folder in which archives are unpacked; the caller removes it after loading. Without it an archive is a failure.
    keep_patient_id : bool
        Keep DICOM's PatientID as ``person_id`` instead of a short hash of it.
    films : bool
        List as films also PNG, JPEG and TIFF pictures, secondary captures, and single slices of no stated modality; and
        look at the pictures of a DICOM study that holds several films where headers do not state the view.
    pictures : bool
        List PNG, JPEG and TIFF pictures as single sagittal slices.
    """
    found = find.several(paths, scratch=scratch, pictures=films or pictures)
    failures = list(found.failures)
    refs: list[SeriesRef] = []
    for item in found.inputs:
        if item.kind != "dicom":
            try:
                ref = _reference(item, films=films)
                labels = ("its name says that it is a label map, not a scan",) if is_mask(item.path.name) else ()
                refs.append(replace(ref, notes=(*ref.notes, *labels)))
            except (SpineclockError, OSError) as error:
                failures.append(Failure(str(item.shown), "ingest", find.reason(error)))
    slices = [item for item in found.inputs if item.kind == "dicom"]
    if slices:
        from spineclock.ingest import dicom  # pydicom's import is spared where there is no DICOM

        more, broken = dicom.references(slices, keep_patient_id=keep_patient_id, films=films)
        refs += with_views(more) if films else more
        failures += broken
    ids = unique_ids([ref.scan_id for ref in refs], [f"{ref.source.as_posix()}#{ref.frames[0][1]}" for ref in refs])
    return Listing(tuple(replace(r, scan_id=i) for r, i in zip(refs, ids, strict=True)), tuple(failures))


def _reference(item: find.Input, *, films: bool) -> SeriesRef:
    """The reference of a file that is a volume or a picture."""
    if item.kind == "picture":
        return reference.of_picture(item) if films else sagittal_picture.reference(item)
    return reference.of_volume((nifti if item.kind == "nifti" else metaimage).reference(item), pictures=films)


def load(ref: SeriesRef, *, max_bytes: int = LARGEST_BYTES) -> Scan:
    """A series as a canonical scan: the same samples and place however it was stored; stations stitched, films upright.

    Stations that turn out not to go together once their samples are read give the preferred one, with a note.

    Raises
    ------
    InputError, GeometryError
        If it is damaged, larger than allowed, not finite, or empty of contrast.
    RefusedError
        If it is to be a film and is no lateral one.
    """
    if ref.film is not None:
        return load_film(ref, max_bytes=max_bytes)
    if ref.kind == "picture":
        return sagittal_picture.load(ref, max_bytes=max_bytes)
    if ref.stations:
        return _stitched(ref, max_bytes)
    checks.require_room(ref.shape, max_bytes=max_bytes)
    stored = _volume(ref, max_bytes)
    checks.require_spacing(stored.spacing_mm)
    volume = stored.with_array(checks.checked(stored.array))
    volume, done = ct.readable(volume) if ref.facts.modality == "CT" else (volume, ())
    volume = canonical(volume)
    volume = volume.with_array(np.ascontiguousarray(volume.array))  # one layout in memory: sums round alike
    told = ref.facts
    return Scan(
        ref.scan_id, volume, ref.source, told.modality, told.sequence, told.description, told.echo_time_ms,
        told.repetition_time_ms, told.scanner, told.person_id, told.age_years, told.sex,
        notes=(*told.notes, *ref.notes, *done, *_looks_like_ct(ref, volume), *_looks_like_labels(volume)), ct=told.ct,
    )  # fmt: skip


def unread(ref: SeriesRef) -> Scan:
    """What is known of a series whose samples were refused: its facts, and a volume of its shape that holds nothing."""
    told = ref.facts
    nothing = Volume(np.broadcast_to(np.uint8(0), ref.shape), np.eye(4))
    return Scan(
        ref.scan_id, nothing, ref.source, told.modality, told.sequence, told.description,
        told.echo_time_ms, told.repetition_time_ms, told.scanner, told.person_id, told.age_years, told.sex,
        notes=told.notes,
    )  # fmt: skip


def _stitched(ref: SeriesRef, max_bytes: int) -> Scan:
    """The stations as one scan; the preferred one alone, with the reason, where another is damaged or does not fit."""
    preferred, *others = ref.stations
    first = load(preferred, max_bytes=max_bytes)
    try:
        checks.require_room(ref.shape, max_bytes=max_bytes)
        scans = [first, *(load(other, max_bytes=max_bytes) for other in others)]
        return stitch(scans, scan_id=ref.scan_id, source=ref.source)
    except (SpineclockError, OSError) as error:
        why = find.reason(error).rstrip(".")
        note = f"{preferred.label} was read alone, not stitched with {len(others)} more: {why}"
        return replace(first, scan_id=ref.scan_id, source=ref.source, notes=(note, *first.notes))


def _volume(ref: SeriesRef, max_bytes: int) -> Volume:
    if ref.kind == "nifti":
        return nifti.volume(ref.frames[0][0], max_bytes=max_bytes)
    if ref.kind == "metaimage":
        return metaimage.volume(ref.frames[0][0], max_bytes=max_bytes)
    from spineclock.ingest import dicom

    return dicom.volume(ref)


def _looks_like_ct(ref: SeriesRef, volume: Volume) -> tuple[str, ...]:
    """A note where a file without modality holds air near -1000, as CT does."""
    if ref.facts.modality or volume.array.dtype == np.uint8:
        return ()
    air = float(np.mean((volume.array <= -900) & (volume.array >= -1100)))
    return ("the values look like Hounsfield units: this may be CT",) if air > 0.02 else ()


def _looks_like_labels(volume: Volume) -> tuple[str, ...]:
    """A note where a large whole-number image holds only a handful of values, as label maps do."""
    if volume.array.dtype.kind == "f" or volume.array.size < 10**5:
        return ()
    values = np.unique(volume.array[:, ::3, ::3]).size
    return (f"only {values} different values: this may be a label map, not a scan",) if values < 40 else ()


def read_scans(path: Path | Sequence[Path], *, accepts: Accepts, keep_patient_id: bool = False) -> ReadResult:
    """The scans at a path that fit a recipe, all in memory; the rest as failures and refusals.

    For large folders use :func:`list_series`, :func:`spineclock.ingest.choose.choose` and :func:`load` in turn.
    """
    paths = [path] if isinstance(path, Path) else list(path)
    scans, failures = [], []
    with tempfile.TemporaryDirectory(prefix="spineclock-") as scratch:
        listing = list_series(
            *paths, scratch=Path(scratch), keep_patient_id=keep_patient_id, films=accepts.projection,
            pictures=accepts.pictures,
        )  # fmt: skip
        choice = choose(listing.refs, accepts)
        for ref in choice.chosen:
            try:
                scans.append(load(ref, max_bytes=accepts.max_bytes))
            except (SpineclockError, OSError) as error:
                failures.append(Failure(str(ref.source), "ingest", find.reason(error)))
    return ReadResult(tuple(scans), (*listing.failures, *choice.failures, *failures), choice.refused)
