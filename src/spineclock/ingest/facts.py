"""What a DICOM header tells of a series and of the person, without names."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from spineclock.ingest.names import short_hash
from spineclock.ingest.refs import Facts, Sex
from spineclock.ingest.weighting import weighting

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Header: TypeAlias = "Dataset | Mapping[str, Any]"
"""A DICOM data set, or a sidecar with DICOM's keywords."""
_UNREADABLE = (ValueError, TypeError, OverflowError, AttributeError, KeyError, LookupError)


def text(header: Header, keyword: str) -> str:
    """An element as text on one line, values joined by a backslash; empty where absent or unreadable."""
    try:
        value = header.get(keyword)
        joined = value if isinstance(value, str) else "\\".join(str(v) for v in _several(value))
    except _UNREADABLE:
        return ""
    return " ".join(str(joined).replace("\x00", " ").split())


def numbers(header: Header, keyword: str) -> tuple[float, ...]:
    """An element as finite numbers; empty where absent, or where one of them is no number."""
    try:
        values = tuple(float(v) for v in _several(header.get(keyword)))
    except _UNREADABLE:
        return ()
    return values if all(math.isfinite(v) for v in values) else ()


def number(header: Header, keyword: str) -> float | None:
    """The first number of an element, or None."""
    values = numbers(header, keyword)
    return values[0] if values else None


def _several(value: Any) -> tuple[Any, ...]:
    if value is None or value == "":
        return ()
    if isinstance(value, str | bytes | int | float) or not hasattr(value, "__iter__"):
        return (value,)
    return tuple(value)


def image_type(header: Header, keyword: str = "ImageType") -> tuple[str, ...]:
    """The image type in capitals, value by value."""
    return tuple(part.strip().upper() for part in text(header, keyword).split("\\")) if header.get(keyword) else ()


def facts(header: Dataset, *, keep_patient_id: bool = False) -> Facts:
    """What a data set's top level tells: weighting, times, scanner, age, sex, and why it may be no scan at all.

    ``person_id`` is a short hash of PatientID unless ``keep_patient_id``; no name, date or number
    of the patient is kept.
    """
    age, age_notes = age_years(header)
    letter = text(header, "PatientSex")[:1].upper()
    sex: Sex = "F" if letter == "F" else "M" if letter == "M" else ""
    burned = text(header, "BurnedInAnnotation").upper() == "YES"
    patient = text(header, "PatientID")
    series = number(header, "SeriesNumber")
    maker = (text(header, "Manufacturer"), text(header, "ManufacturerModelName"))
    tesla = number(header, "MagneticFieldStrength")
    bare = Facts(
        modality=text(header, "Modality").upper(),
        description=text(header, "SeriesDescription") or text(header, "ProtocolName"),
        body_part=text(header, "BodyPartExamined"),
        series_number=None if series is None else int(series),
        image_type=image_type(header),
        echo_time_ms=number(header, "EchoTime"),
        repetition_time_ms=number(header, "RepetitionTime"),
        inversion_time_ms=number(header, "InversionTime"),
        scanner=" ".join(p for p in (*maker, f"{tesla:g} T" if tesla and tesla < 30 else "") if p),
        person_id=patient if keep_patient_id or not patient else short_hash(patient, 12),
        age_years=age,
        sex=sex,
        unfit=_unfit(header),
        notes=(*age_notes, *(("text is burned into the image",) if burned else ())),
        frame_of_reference=text(header, "FrameOfReferenceUID"),
    )
    return weighted(bare, header)


def weighted(bare: Facts, header: Dataset) -> Facts:
    """The facts with the weighting that their own times and image type, and the header's words, tell."""
    if bare.modality != "MR":
        return bare
    words = [text(header, k) for k in ("SeriesDescription", "ProtocolName", "AcquisitionContrast")]
    found = weighting(
        # The protocol may name a whole group of series: it speaks only where the series says nothing itself.
        next((w for w in words if w and weighting(w, echo_ms=None, repetition_ms=None).sequence), ""),
        echo_ms=bare.echo_time_ms, repetition_ms=bare.repetition_time_ms, inversion_ms=bare.inversion_time_ms,
        image_type=bare.image_type, fat_suppressed="FS" in text(header, "ScanOptions").upper().split("\\"),
    )  # fmt: skip
    return replace(bare, sequence=found.sequence, notes=(*bare.notes, *found.notes))


def _unfit(header: Dataset) -> str:
    """Why a data set holds no scan, or empty."""
    modality, sop = text(header, "Modality").upper(), text(header, "SOPClassUID")
    samples = number(header, "SamplesPerPixel") or 1
    photometric = text(header, "PhotometricInterpretation").upper()
    if modality in ("SEG", "SR", "KO", "PR", "RTSTRUCT", "RTPLAN", "RTDOSE", "DOC", "ECG"):
        return f"no scan but a {modality} object"
    if not number(header, "Rows") or not number(header, "Columns"):
        return "no pixel data: the header gives no rows and columns"
    if sop.startswith("1.2.840.10008.5.1.4.1.1.7"):
        return "a secondary capture, not the scan itself"
    if samples > 1 or photometric in ("RGB", "PALETTE COLOR") or photometric.startswith("YBR"):
        return f"a colour picture ({photometric or f'{samples:g} samples a pixel'}), not grey values"
    return ""


def age_years(header: Dataset) -> tuple[float | None, tuple[str, ...]]:
    """The age at the study from PatientAge, or from the dates of birth and study; and a note where these disagree.

    Dates that agree with PatientAge are believed for the part of a year; others are often blurred on purpose.
    """
    stated = _stated_age(text(header, "PatientAge"))
    born, studied = (_date(header, k) for k in ("PatientBirthDate", "StudyDate"))
    studied = studied or _date(header, "AcquisitionDate") or _date(header, "SeriesDate")
    by_dates = (studied - born).days / 365.2425 if born and studied else None
    if by_dates is not None and not 0 <= by_dates <= 120:
        by_dates = None
    if stated is None or by_dates is None:
        return (by_dates if stated is None else stated), ()
    if abs(by_dates - stated - 0.5) <= 0.6:
        return by_dates, ()
    if abs(by_dates - stated) <= 1.6:
        return stated, ()
    return stated, (f"the stated age of {stated:g} years was taken although the dates give {by_dates:.1f}",)


def _stated_age(value: str) -> float | None:
    found = re.fullmatch(r"(\d{1,3})([DWMY]?)", value.strip().upper())
    if not found:
        return None
    per_year = {"D": 365.2425, "W": 365.2425 / 7, "M": 12.0, "Y": 1.0, "": 1.0}[found.group(2)]
    years = int(found.group(1)) / per_year
    return years if years <= 120 else None


def _date(header: Dataset, keyword: str) -> date | None:
    try:
        return datetime.strptime(text(header, keyword)[:8], "%Y%m%d").date()
    except ValueError:
        return None
