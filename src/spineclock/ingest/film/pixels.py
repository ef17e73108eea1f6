"""Grey values of a DICOM film as the header asks to have them shown, bright where the patient is dense."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut

from spineclock.core.errors import InputError
from spineclock.core.volume import Array
from spineclock.ingest import dicom
from spineclock.ingest.facts import number, numbers, text
from spineclock.ingest.film.grey import one_grey


def grey(path: Path) -> tuple[Array, tuple[str, ...]]:
    """Grey values (rows, columns) after modality and VOI LUT, MONOCHROME1 turned round, and notes.

    The order is DICOM's (PS3.4 N.2.1): modality LUT or rescaling, VOI LUT sequence or the first window (linear, linear
    exact, sigmoid), then what MONOCHROME1 says. Pixels that only pad the picture become as dark as it gets.

    Raises
    ------
    InputError
        If there is no pixel data, or it cannot be decoded.
    RefusedError
        If it is a colour picture.
    """
    data = dicom.read(path, pixels=True)
    stored = dicom.decoded(path, data)
    photometric = text(data, "PhotometricInterpretation").upper()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if photometric == "PALETTE COLOR":
            try:
                stored = apply_color_lut(stored, data)
            except dicom.BROKEN as error:
                raise dicom.damaged(path, f"its palette: {error}") from error
        if stored.ndim == 3 and stored.shape[-1] in (3, 4):
            return one_grey(stored)
        if stored.ndim != 2:
            raise InputError(
                f"{path.name} holds samples of shape {stored.shape}", wanted="one film of rows and columns"
            )
        return _presented(path, stored, data)


def _presented(path: Path, stored: Array, data: Dataset) -> tuple[Array, tuple[str, ...]]:
    notes: list[str] = []
    try:
        values, (low, high) = np.asarray(apply_modality_lut(stored, data)), _ends(data)
    except dicom.BROKEN as error:
        raise dicom.damaged(path, f"its modality LUT: {error}") from error
    if "VOILUTSequence" in data or "WindowWidth" in data:
        try:
            windowed = np.asarray(apply_voi_lut(values, data))
            if windowed.shape != values.shape or not np.isfinite(windowed).all() or windowed.min() == windowed.max():
                raise ValueError("it leaves no picture")
            values, (low, high) = windowed, _voi_ends(data, (low, high))
        except dicom.BROKEN as error:
            notes.append(f"the window or VOI LUT could not be applied ({str(error).rstrip('.')})")
    if text(data, "PhotometricInterpretation").upper() == "MONOCHROME1":
        values = low + high - values.astype(np.int64 if values.dtype.kind in "iu" else np.float64)
    padding = number(data, "PixelPaddingValue")
    if padding is not None and (padded := stored == padding).any() and not padded.all():
        values = np.where(padded, values[~padded].min(), values)
    return values, tuple(notes)


def _ends(data: Dataset) -> tuple[float, float]:
    """The least and the greatest value that stored samples can have after the modality LUT, as pydicom has them."""
    if data.get("ModalityLUTSequence"):
        return 0, 2 ** int(data.ModalityLUTSequence[0].LUTDescriptor[2]) - 1
    bits, signed = int(number(data, "BitsStored") or 16), bool(number(data, "PixelRepresentation"))
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    slope, intercept = number(data, "RescaleSlope"), number(data, "RescaleIntercept")
    if slope is None or intercept is None:
        return low, high
    ends = [low * slope + intercept, high * slope + intercept]
    whole = [int(e) if float(e).is_integer() else e for e in ends]
    return whole[0], whole[1]


def _voi_ends(data: Dataset, ends: tuple[float, float]) -> tuple[float, float]:
    """The same after the VOI LUT: the LUT's own, or what a window stretches over."""
    sequence = data.get("VOILUTSequence")
    if sequence and numbers(sequence[0], "LUTDescriptor"):
        return 0, 2 ** int(sequence[0].LUTDescriptor[2]) - 1
    return ends
