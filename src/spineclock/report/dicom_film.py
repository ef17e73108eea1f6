"""A simulated film as DICOM: digital X-ray or computed radiography for presentation, or a densitometer's capture."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)

from spineclock.core.volume import Array
from spineclock.report.dicom import Examination, common, decimal, meta

_WORDS = {
    "Manufacturer": "Manufacturer", "ManufacturersModelName": "ManufacturerModelName",
    "InstitutionName": "InstitutionName", "SeriesDescription": "SeriesDescription", "StationName": "DeviceSerialNumber",
}  # fmt: skip


def film(
    shown: Array, facts: Mapping[str, Any], examination: Examination, *, name: str, full_scale: int, computed: bool
) -> FileDataset:
    """One film as a data set.

    Parameters
    ----------
    shown : array of whole numbers, (rows, columns)
        As it is looked at, 0 to ``full_scale``, dense bright; stored inverted where ``facts`` say MONOCHROME1.
    facts : mapping
        ``FilmKind`` (radiograph, vfa), DICOM's keywords, ``StoredInDicomAs``.
    name : str
        What tells the series from the study's others; its identifiers follow from it.
    computed : bool
        A radiograph is one of computed radiography (CR) in place of digital X-ray (DX).
    """
    one = FileDataset("", Dataset(), preamble=b"\0" * 128)
    one.update(common(examination))
    del one.FrameOfReferenceUID, one.PositionReferenceIndicator  # a projection has no place in space
    del one.PatientPosition
    vfa = facts["FilmKind"] == "vfa"
    one.StudyDescription = "SIMULATED DXA" if vfa else "SIMULATED spine radiograph"
    one.SOPClassUID, one.Modality = _kind(vfa, computed)
    one.ImageType = ["ORIGINAL", "PRIMARY", ""]
    one.SOPInstanceUID, one.InstanceNumber = examination.uid("image", name, 1), 1
    one.SeriesInstanceUID, one.SeriesNumber = examination.uid("series", name), 1
    begun = datetime.combine(examination.day, time(8, 5))
    for keyword in ("Series", "Acquisition", "Content"):
        setattr(one, f"{keyword}Date", begun.strftime("%Y%m%d"))
        setattr(one, f"{keyword}Time", begun.strftime("%H%M%S"))
    for fact, keyword in _WORDS.items():
        setattr(one, keyword, str(facts[fact])[:64])
    one.update(_view(facts, vfa=vfa, digital=not (vfa or computed)))
    one.update(_pixels(shown, facts, full_scale))
    one.file_meta = meta(one, ExplicitVRLittleEndian)
    return one


def _kind(vfa: bool, computed: bool) -> tuple[UID, str]:
    if vfa:
        return SecondaryCaptureImageStorage, "OT"
    return (ComputedRadiographyImageStorage, "CR") if computed else (DigitalXRayImageStorageForPresentation, "DX")


def _view(facts: Mapping[str, Any], *, vfa: bool, digital: bool) -> Dataset:
    """How the person stood, and what the pixels measure."""
    one = Dataset()
    one.BodyPartExamined, one.PatientOrientation = str(facts["BodyPartExamined"]), list(facts["PatientOrientation"])
    one.BurnedInAnnotation = str(facts["BurnedInAnnotation"])
    if vfa:
        one.ConversionType = "WSD"
        one.PixelSpacing = [decimal(v) for v in facts["ImagerPixelSpacing"]]
        return one
    one.ViewPosition = str(facts["ViewPosition"])
    one.ImagerPixelSpacing = [decimal(v) for v in facts["ImagerPixelSpacing"]]
    one.EstimatedRadiographicMagnificationFactor = decimal(facts["EstimatedRadiographicMagnificationFactor"])
    one.DistanceSourceToDetector = decimal(facts["DistanceSourceToDetector"])
    one.DistanceSourceToPatient = decimal(facts["DistanceSourceToPatient"])
    if digital:
        one.PositionerType = "COLUMN"
        one.ImageLaterality, one.PresentationIntentType = "U", "FOR PRESENTATION"
        one.DetectorType, one.AcquisitionContextSequence = "DIRECT", Sequence()
        one.AnatomicRegionSequence = Sequence([_code("421060004", "SCT", "Vertebral column")])
        left = facts["ViewPosition"] == "LL"
        view = ("399198007", "SCT", "right to left lateral") if left else ("399173006", "SCT", "left to right lateral")
        one.ViewCodeSequence = Sequence([_code(*view)])
        one.ViewCodeSequence[0].ViewModifierCodeSequence = Sequence()
        one.PatientOrientationCodeSequence = Sequence([_code("10904000", "SCT", "erect")])
    return one


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    one = Dataset()
    one.CodeValue, one.CodingSchemeDesignator, one.CodeMeaning = value, scheme, meaning
    return one


def _pixels(shown: Array, facts: Mapping[str, Any], full_scale: int) -> Dataset:
    one = Dataset()
    inverted = facts.get("StoredInDicomAs") == "MONOCHROME1"
    values = full_scale - shown.astype(np.int64) if inverted else shown
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME1" if inverted else "MONOCHROME2"
    one.Rows, one.Columns = shown.shape
    bits = int(full_scale).bit_length()
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, bits, bits - 1, 0
    if facts["FilmKind"] == "radiograph":
        one.PixelIntensityRelationship, one.PixelIntensityRelationshipSign = "LOG", 1 if inverted else -1
    one.PresentationLUTShape = "INVERSE" if inverted else "IDENTITY"
    one.RescaleIntercept, one.RescaleSlope, one.RescaleType = "0", "1", "US"
    one.LossyImageCompression = "00"
    one.WindowCenter, one.WindowWidth = decimal((full_scale + 1) / 2), decimal(full_scale + 1)
    one.PixelData = np.ascontiguousarray(values.astype("<u2")).tobytes()
    one["PixelData"].VR = "OW"
    return one
