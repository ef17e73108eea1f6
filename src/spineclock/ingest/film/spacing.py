"""Where a film's pixel spacing holds: in the patient, at the detector, on the scanned sheet, or nowhere known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spineclock.ingest.facts import Header, number, numbers, text
from spineclock.ingest.film.words import XRAY_MODALITIES

SpacingKind = Literal["patient", "detector", "sheet", "unstated", "unknown"]
FINEST_MM, COARSEST_MM, TALLEST_MM = 0.02, 5.0, 2500.0
"""Spacings outside these, or pictures taller, are no film in millimetres: the number is a place-holder."""
MOST_MAGNIFIED = 3.0


@dataclass(frozen=True)
class Spacing:
    """Millimetres between rows (``down_mm``) and columns (``across_mm``), where they hold, and what to beware of."""

    down_mm: float
    across_mm: float
    kind: SpacingKind
    note: str


def spacing(header: Header, *, rows: int, columns: int, modality: str = "") -> Spacing:
    """The pixel spacing a header gives and where it holds (DICOM PS3.3 10.7.1).

    In this order:

    1. PixelSpacing with a PixelSpacingCalibrationType, or differing from ImagerPixelSpacing: in the patient.
    2. ImagerPixelSpacing: at the detector; divided by EstimatedRadiographicMagnificationFactor, where there is one from
       1 to 3: in the patient.
    3. NominalScannedPixelSpacing of a digitised film, magnification unknown: on the sheet.
    4. PixelSpacing alone: in the patient for densitometers' pictures, which state it so; for radiographs the standard
       leaves open which, and that is said.
    5. Nothing: nominal 1 mm, in the ratio of PixelAspectRatio.

    Numbers outside 0.02 to 5 mm, or that make the film taller than 2.5 m, are passed over with a note.

    Examples
    --------
    >>> header = {"ImagerPixelSpacing": [0.15, 0.15], "EstimatedRadiographicMagnificationFactor": 1.2}
    >>> spacing(header, rows=900, columns=400)
    Spacing(down_mm=0.125, across_mm=0.125, kind='patient', note='')
    >>> spacing({"ImagerPixelSpacing": [0.15, 0.15]}, rows=900, columns=400).note
    'pixel spacing at the detector: the spine is shown larger than it is'
    """
    passed: list[str] = []
    plain, imager, scanned = (
        _pair(header, key, rows, columns, passed)
        for key in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
    )
    found = _stated(header, plain, imager, scanned, modality)
    if found is None:
        ratio = numbers(header, "PixelAspectRatio")
        down = ratio[0] / ratio[1] if len(ratio) == 2 and min(ratio) > 0 and 0.2 <= ratio[0] / ratio[1] <= 5 else 1.0
        found = Spacing(down, 1.0, "unknown", "the pixel spacing is not known: taken as 1 mm, lengths mean nothing")
    return Spacing(found.down_mm, found.across_mm, found.kind, "; ".join(n for n in (found.note, *passed) if n))


_Pair = tuple[float, float] | None


def _stated(header: Header, plain: _Pair, imager: _Pair, scanned: _Pair, modality: str) -> Spacing | None:
    calibration = text(header, "PixelSpacingCalibrationType").upper()
    if plain and (calibration or (imager and not _same(plain, imager))):
        return Spacing(*plain, "patient", "")
    if imager:
        factor = number(header, "EstimatedRadiographicMagnificationFactor")
        if factor is not None and 1 <= factor <= MOST_MAGNIFIED:
            return Spacing(imager[0] / factor, imager[1] / factor, "patient", "")
        return Spacing(*imager, "detector", "pixel spacing at the detector: the spine is shown larger than it is")
    if scanned:
        return Spacing(*scanned, "sheet", "pixel spacing on the digitised sheet: the spine is shown larger than it is")
    if plain and modality in XRAY_MODALITIES:
        return Spacing(*plain, "unstated", "the header does not say whether its pixel spacing holds in the patient")
    return Spacing(*plain, "patient", "") if plain else None


def _pair(header: Header, key: str, rows: int, columns: int, passed: list[str]) -> _Pair:
    """(between rows, between columns), or None where there is none or it cannot be true."""
    values = numbers(header, key)
    if len(values) != 2:
        return None
    down, across = values
    sound = all(FINEST_MM <= v <= COARSEST_MM for v in values)
    if not sound or max(down * rows, across * columns) > TALLEST_MM or max(values) > 5 * min(values):
        passed.append(f"{key} of {down:g} × {across:g} mm cannot be true and was passed over")
        return None
    return down, across


def _same(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return all(abs(x - y) <= 1e-3 * y for x, y in zip(a, b, strict=True))
