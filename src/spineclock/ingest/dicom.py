"""DICOM files: headers as frames and series references, samples as volumes."""

from __future__ import annotations

import struct
import warnings
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError

from spineclock.core.errors import InputError, SpineclockError
from spineclock.core.geometry import Plane
from spineclock.core.records import Failure
from spineclock.core.volume import Array, Volume
from spineclock.ingest import ct, enhanced
from spineclock.ingest.facts import facts, number, numbers, text
from spineclock.ingest.film.facts import film_facts, is_film
from spineclock.ingest.film.reference import film_reference
from spineclock.ingest.find import Input, reason
from spineclock.ingest.names import short_hash
from spineclock.ingest.refs import SeriesRef
from spineclock.ingest.stacks import Frame, Stack, stacks

BROKEN = (
    InvalidDicomError, BytesLengthException, EOFError, ValueError, KeyError, AttributeError, NotImplementedError,
    RuntimeError, struct.error, TypeError, IndexError, OverflowError, MemoryError,
)  # fmt: skip
"""What pydicom and its decoders raise on damaged files: they promise no type of their own."""
_DICOMDIR = "1.2.840.10008.1.3.10"
_FLOAT_PIXELS = ("FloatPixelData", "DoubleFloatPixelData")


def references(
    found: Iterable[Input], *, keep_patient_id: bool = False, films: bool = False
) -> tuple[list[SeriesRef], list[Failure]]:
    """The series among DICOM files, headers only, and the files that could not be read.

    Each projection film is a series of its own; with ``films`` also those stored as secondary captures.
    Files belong together by study and series UID wherever they lie; by folder and series number where UIDs are empty.
    """
    shown: dict[Path, Path] = {}
    series: dict[tuple[str, str], list[Frame]] = defaultdict(list)
    failures = []
    named = set()
    for item in found:
        try:
            for frame in frames(item.path, folder=str(item.shown.parent), keep_patient_id=keep_patient_id, films=films):
                series[frame.study, frame.series].append(frame)
        except (SpineclockError, OSError) as error:
            failures.append(Failure(str(item.shown), "ingest", reason(error)))
            continue
        shown[item.path] = item.shown
        named |= {item.path} if item.named else set()
    refs = []
    for all_of_one in series.values():
        frames_of_one = [f for f in all_of_one if f.film is None]
        refs += [_film(f, shown, named) for f in all_of_one if f.film is not None]
        fit = [f for f in frames_of_one if not f.facts.unfit]
        unfit = [f for f in frames_of_one if f.facts.unfit]
        parts = (stacks(fit) if fit else []) + ([Stack(tuple(unfit), None, unfit[0].facts.unfit)] if unfit else [])
        for number_, stack in enumerate(parts, start=1):
            refs.append(_reference(stack, shown, named, part=number_ if len(parts) > 1 else 0))
    return refs, failures


def frames(path: Path, *, folder: str, keep_patient_id: bool = False, films: bool = False) -> list[Frame]:
    """The slices of one file as its header describes them; none for a DICOMDIR index.

    Raises
    ------
    InputError
        If the file is not DICOM or its header is damaged.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of values out of form; they are judged where they are used
        return _frames(path, folder, keep_patient_id, films)


def _frames(path: Path, folder: str, keep_patient_id: bool, films: bool) -> list[Frame]:
    header = read(path, pixels=False)
    if text(header, "MediaStorageSOPClassUID") == _DICOMDIR or "DirectoryRecordSequence" in header:
        return []
    try:
        groups = (enhanced.functional_group(header, 0, name) for name in ct.GROUPS)
        told = ct.told(facts(header, keep_patient_id=keep_patient_id), header, *groups)
        base = Frame(
            path, 0, int(number(header, "Rows") or 0), int(number(header, "Columns") or 0),
            numbers(header, "ImagePositionPatient"), numbers(header, "ImageOrientationPatient"),
            numbers(header, "PixelSpacing"), told,
            study=text(header, "StudyInstanceUID") or folder,
            series=text(header, "SeriesInstanceUID") or f"{folder}#{text(header, 'SeriesNumber')}",
            image=text(header, "SOPInstanceUID"),
            marks=(
                "" if told.echo_time_ms is None else f"{told.echo_time_ms:09.3f}", "\\".join(told.image_type),
                text(header, "TemporalPositionIdentifier") or text(header, "TriggerTime"),
                text(header, "DiffusionBValue"), "", text(header, "AcquisitionNumber"), folder,
            ),
            problem="" if told.unfit else _short(path, header),
        )  # fmt: skip
        if is_film(header, pictures=films) and base.rows and base.columns:
            film = film_facts(header, rows=base.rows, columns=base.columns, modality=told.modality)
            return [replace(base, film=film, problem=_short(path, header))]
        if enhanced.is_enhanced(header) and not told.unfit:
            return enhanced.frames(header, base)
        return _classic(header, base)
    except BROKEN as error:
        raise InputError(
            f"a DICOM header that is damaged ({error})", wanted="a sound file", remedy="send or copy it again"
        ) from error


def _classic(header: Dataset, base: Frame) -> list[Frame]:
    """One frame; where an old-style file holds several without places, one that says so."""
    count = number(header, "NumberOfFrames") or 1
    if count <= 1 or base.facts.unfit:
        return [base]
    problem = InputError(
        f"{count:g} frames in one file without a position each",
        wanted="single slices, or enhanced multi-frame DICOM",
        remedy="export the original series",
    )
    return [replace(base, problem=str(problem))]


def _short(path: Path, header: Dataset) -> str:
    """Why an uncompressed file cannot hold the image it declares, or empty."""
    syntax = header.file_meta.get("TransferSyntaxUID") if hasattr(header, "file_meta") else None
    if syntax is not None and (syntax.is_compressed or syntax.is_deflated):
        return ""
    bits = number(header, "BitsAllocated") or 8
    want = int((number(header, "Rows") or 0) * (number(header, "Columns") or 0) * bits / 8)
    want *= int(number(header, "NumberOfFrames") or 1)
    have = path.stat().st_size
    if have >= want:
        return ""
    what = "a file without pixel data" if have < min(want, 200_000) / 2 else "a truncated file"
    return str(
        InputError(
            f"{what} ({path.name}: {have} bytes, and {want} of image declared)",
            wanted="the whole image",
            remedy="send or copy the series again",
        )
    )


def _reference(stack: Stack, shown: dict[Path, Path], named: set[Path], *, part: int) -> SeriesRef:
    first = stack.frames[0]
    told = first.facts
    files = {f.path for f in stack.frames}
    source = shown[first.path] if len(files) == 1 else shown[first.path].parent
    number_ = "x" if told.series_number is None else str(told.series_number)
    spacing = (0.0, 0.0, 0.0)
    if stack.affine is not None:
        i, j, k = np.linalg.norm(stack.affine[:3, :3], axis=0)
        spacing = (float(i), float(j), float(k))
    return SeriesRef(
        f"{short_hash(first.study)}-s{number_}" + (f"-{part}" if part else ""),
        "dicom", tuple((f.path, f.index) for f in stack.frames), source,
        (first.columns, first.rows, len(stack.frames)), stack.affine, spacing,
        _plane(first.orientation), told, study=first.study, named=files <= named, problem=stack.problem,
        notes=stack.notes,
    )  # fmt: skip


def _film(frame: Frame, shown: dict[Path, Path], named: set[Path]) -> SeriesRef:
    """One film's reference."""
    told, film = frame.facts, frame.film
    assert film is not None, "asked of films only"
    parts = [f"s{'x' if told.series_number is None else told.series_number}"]
    if film.number is not None:
        parts.append(f"i{film.number}")
    ref = film_reference(
        "-".join([short_hash(frame.study), *parts]), "dicom", frame.path, shown[frame.path], rows=frame.rows,
        columns=frame.columns, told=told, film=film,
    )  # fmt: skip
    return replace(ref, study=frame.study, named=frame.path in named, problem=frame.problem)


def _plane(orientation: tuple[float, ...]) -> Plane:
    """The plane nearest to the slices', from the two direction vectors."""
    if len(orientation) != 6:
        return "unknown"
    normal = np.abs(np.cross(orientation[:3], orientation[3:]))
    names: tuple[Plane, ...] = ("sagittal", "coronal", "axial")
    return names[int(normal.argmax())] if normal.max() > 0.5 else "unknown"


def volume(ref: SeriesRef) -> Volume:
    """The samples of a series, rescaled as its headers say, axes column, row, slice, RAS+.

    Raises
    ------
    InputError
        If a file has no pixel data, is truncated, or is packed in a way that no decoder reads.
    """
    if ref.affine is None:
        raise InputError(ref.problem or "a series without a grid", wanted="slices that form one volume")
    slices: list[Array | None] = [None] * len(ref.frames)
    wanted: dict[Path, list[tuple[int, int]]] = defaultdict(list)
    for place, (path, index) in enumerate(ref.frames):
        wanted[path].append((place, index))
    for path, places in wanted.items():
        data = read(path, pixels=True)
        stored = _stored(path, data)
        for place, index in places:
            if index >= len(stored) or stored[index].shape != ref.shape[1::-1]:
                raise damaged(path, f"{stored.shape} samples where {ref.shape} were declared")
            rescaled = _rescaled(stored[index], data, index)
            padded = ref.facts.modality == "CT"
            slices[place] = ct.without_padding(rescaled, stored[index], data) if padded else rescaled
    array = np.stack([s for s in slices if s is not None])
    return Volume(array.transpose(2, 1, 0), ref.affine)


def _stored(path: Path, data: Dataset) -> Array:
    """Stored values, (frames, rows, columns), brighter is more also for MONOCHROME1."""
    stored = decoded(path, data)
    if text(data, "PhotometricInterpretation") == "MONOCHROME1":
        top = 2 ** int(number(data, "BitsStored") or 16) - 1 if not number(data, "PixelRepresentation") else -1
        stored = top - stored.astype(np.int32)
    return stored.reshape((-1, *stored.shape[-2:]))


def decoded(path: Path, data: Dataset) -> Array:
    """The samples as stored, unpacked by whichever decoder reads them.

    Raises
    ------
    InputError
        If there are none, or they cannot be decoded.
    """
    if "PixelData" not in data and not any(k in data for k in _FLOAT_PIXELS):
        raise InputError(
            f"no pixel data in {path.name}",
            wanted="the images, not only their headers",
            remedy="send or copy the series again",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(data.pixel_array)
    except BROKEN as error:
        raise damaged(path, str(error).splitlines()[0][:200] if str(error) else type(error).__name__) from error


def _rescaled(stored: Array, data: Dataset, index: int) -> Array:
    """Values after slope and intercept; whole slopes and intercepts keep whole numbers."""
    slope, intercept = _scale(data, index)
    if slope == 1 and intercept == 0:
        return stored
    whole = slope.is_integer() and intercept.is_integer() and max(abs(slope), abs(intercept)) < 2**14
    if whole and stored.dtype.kind in "iu" and stored.dtype.itemsize <= 2:
        return stored.astype(np.int32) * int(slope) + int(intercept)
    return stored.astype(np.float64) * slope + intercept


def _scale(data: Dataset, index: int) -> tuple[float, float]:
    """Slope and intercept of a frame: the modality's, else the real-world mapping's, else 1 and 0."""
    per_frame = enhanced.functional_group(data, index, "PixelValueTransformationSequence")
    for place in (per_frame, data):
        slope, intercept = number(place, "RescaleSlope"), number(place, "RescaleIntercept")
        if slope is not None and slope != 0:
            return slope, intercept or 0.0
    mapping = enhanced.functional_group(data, index, "RealWorldValueMappingSequence")
    if not mapping and data.get("RealWorldValueMappingSequence"):
        mapping = data.RealWorldValueMappingSequence[0]
    slope, intercept = number(mapping, "RealWorldValueSlope"), number(mapping, "RealWorldValueIntercept")
    return (slope, intercept or 0.0) if slope else (1.0, 0.0)


def read(path: Path, *, pixels: bool) -> Dataset:
    """The data set, without its samples unless asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # values out of form are judged where they are used
        try:
            data = pydicom.dcmread(path, force=True, stop_before_pixels=not pixels)
        except BROKEN as error:
            raise damaged(path, str(error)[:200] or type(error).__name__) from error
    if pixels and "Rows" not in data:
        raise damaged(path, "it ends within its image")
    if not any(k in data for k in ("SOPClassUID", "Modality", "Rows", "DirectoryRecordSequence")):
        raise InputError(
            "a file that is no DICOM image",
            wanted="a DICOM header with SOPClassUID or Modality",
            remedy="export it again",
        )
    return data


def damaged(path: Path, detail: str) -> InputError:
    """The error that says that a file cannot be decoded, and why."""
    return InputError(
        f"{path.name} cannot be decoded ({detail})",
        wanted="a sound file in a transfer syntax that is read",
        remedy="send or copy it again, or export it uncompressed",
    )
