"""MR images of simulated people as classic DICOM series (PS3.3 A.4), every one marked as made artificially."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from importlib.metadata import version
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage
from pydicom.valuerep import DSfloat

from spineclock.core.errors import GeometryError
from spineclock.core.geometry import canonical
from spineclock.core.volume import Array, Volume

STATEMENT = "Simulated: no real person is shown."
BORN = date(1920, 1, 1)
"""Birthday of every simulated person, so that the study's date tells the age to the day."""
YEAR_DAYS = 365.2425
IMPLEMENTATION = UID("2.25.216203937128640203171520711013064217163")
"""Stands for this program in the files' meta information."""
Planes = tuple[list[Array], list[Array], Array, Array]
"""Slices, the place of each one's first pixel, and the directions of columns and rows in DICOM's axes."""
_MILLI = 1000.0
_FACTS: tuple[tuple[str, str, float], ...] = (
    ("RepetitionTime", "RepetitionTime", _MILLI), ("EchoTime", "EchoTime", _MILLI),
    ("InversionTime", "InversionTime", _MILLI), ("EchoTrainLength", "EchoTrainLength", 1),
    ("FlipAngle", "FlipAngle", 1), ("MagneticFieldStrength", "MagneticFieldStrength", 1),
    ("ImagingFrequency", "ImagingFrequency", 1), ("PixelBandwidth", "PixelBandwidth", 1),
    ("NumberOfAverages", "NumberOfAverages", 1), ("SpacingBetweenSlices", "SpacingBetweenSlices", 1),
    ("SliceThickness", "SliceThickness", 1),
)  # fmt: skip
"""Numbers: BIDS's name, DICOM's keyword, and BIDS's unit in DICOM's (seconds in milliseconds)."""
_WORDS: dict[str, tuple[str, int]] = {
    "Manufacturer": ("Manufacturer", 64), "ManufacturersModelName": ("ManufacturerModelName", 64),
    "InstitutionName": ("InstitutionName", 64), "StationName": ("DeviceSerialNumber", 64),
    "SeriesDescription": ("SeriesDescription", 64), "ProtocolName": ("ProtocolName", 64),
    "BodyPartExamined": ("BodyPartExamined", 16), "MRAcquisitionType": ("MRAcquisitionType", 16),
    "ScanningSequence": ("ScanningSequence", 16), "SequenceVariant": ("SequenceVariant", 16),
    "ScanOptions": ("ScanOptions", 16), "SequenceName": ("SequenceName", 16),
    "ReceiveCoilName": ("ReceiveCoilName", 16),
}  # fmt: skip
"""Words: BIDS's name to DICOM's keyword and the characters that it may have."""


@dataclass(frozen=True)
class Examination:
    """One visit of a simulated person to a scanner: a DICOM study with one frame of reference."""

    person_id: str
    scan_id: str
    age_years: float
    sex: str
    seed: int

    @property
    def day(self) -> date:
        """The study's date: so long after the birthday that all simulated people share as the person is old."""
        return BORN + timedelta(days=int(np.ceil(self.age_years * YEAR_DAYS)))

    def uid(self, *what: object) -> UID:
        """The identifier of something in this study, the same whenever it is made (PS3.5 B.2: a UUID after 2.25)."""
        return made_uid(self.seed, self.scan_id, *what)


def made_uid(*what: object) -> UID:
    """A UID that is a function of its arguments.

    >>> made_uid(1, "sub-1_ses-1") == made_uid(1, "sub-1_ses-1"), made_uid(1)[:5]
    (True, '2.25.')
    """
    digest = hashlib.sha256("\n".join(map(str, ("spineclock", *what))).encode()).digest()
    return UID(f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}")


def images(
    volume: Volume, facts: Mapping[str, Any], examination: Examination, *, name: str, number: int
) -> list[FileDataset]:
    """The sagittal slices of a volume, left to right, as the data sets of one series.

    Parameters
    ----------
    volume : Volume
        Whole numbers of 16 bits; axes in any order, at right angles.
    facts : mapping
        How it was acquired, by BIDS's names and units.
    name : str
        What tells the series from the study's others, such as ``acq-lumbar_T2w``; its identifiers follow from it.
    number : int
        SeriesNumber, from 1 on.

    Raises
    ------
    GeometryError
        If the axes are not at right angles, which DICOM's image plane cannot say.
    """
    spacing = canonical(volume).spacing_mm
    shared = common(examination)
    shared.update(_acquired(facts, slice_mm=spacing[0]))
    shared.update(_pixels(volume.array))
    return series_of(shared, planes(volume), (spacing[2], spacing[1]), examination, name=name, number=number)


def series_of(
    shared: Dataset, cut: Planes, pixel_mm: tuple[float, float], examination: Examination, *, name: str, number: int
) -> list[FileDataset]:
    """One data set a slice with what they share, and what tells series and slices apart; ``pixel_mm`` down, across."""
    slices, positions, across, down = cut
    shared.SeriesInstanceUID = examination.uid("series", name)
    shared.SeriesNumber = number
    begun = (datetime.combine(examination.day, time(8)) + timedelta(minutes=5 * number)).time()
    for keyword in ("Series", "Acquisition", "Content"):
        setattr(shared, f"{keyword}Date", shared.StudyDate)
        setattr(shared, f"{keyword}Time", begun.strftime("%H%M%S"))
    shared.ImageOrientationPatient = [decimal(v) for v in (*across, *down)]
    shared.PixelSpacing = [decimal(pixel_mm[0]), decimal(pixel_mm[1])]
    found = []
    for k, (pixels, position) in enumerate(zip(slices, positions, strict=True)):
        one = FileDataset("", Dataset(), preamble=b"\0" * 128)
        one.update(shared)
        one.SOPInstanceUID, one.InstanceNumber = examination.uid("image", name, k + 1), k + 1
        one.ImagePositionPatient = [decimal(v) for v in position]
        one.SliceLocation = decimal(float(np.dot(position, np.cross(across, down))))
        one.Rows, one.Columns = pixels.shape
        one.PixelData = np.ascontiguousarray(pixels.astype("<u2" if one.PixelRepresentation == 0 else "<i2")).tobytes()
        one["PixelData"].VR = "OW"
        one.file_meta = meta(one, ExplicitVRLittleEndian)
        found.append(one)
    return found


def planes(volume: Volume) -> Planes:
    """Sagittal slices (rows downwards, columns backwards), the place of each one's first pixel, and the two directions.

    Places and directions are DICOM's: left, posterior, superior positive.
    """
    volume = canonical(volume)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine
    across, down = -affine[:3, 1], -affine[:3, 2]
    units = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    skew = np.abs(units.T @ units - np.eye(3)).max()
    if skew > 1e-4:
        raise GeometryError(
            f"axes {np.degrees(np.arcsin(min(1.0, skew))):.2f}° off right angles", wanted="a grid at right angles"
        )
    count, width, height = volume.shape
    positions = [(affine @ np.array([k, width - 1, height - 1, 1.0]))[:3] for k in range(count)]
    slices = [volume.array[k, ::-1, ::-1].T for k in range(count)]
    return slices, positions, across / np.linalg.norm(across), down / np.linalg.norm(down)


def meta(one: Dataset, syntax: UID) -> FileMetaDataset:
    """The meta information a file begins with."""
    found = FileMetaDataset()
    found.FileMetaInformationVersion = b"\0\1"
    found.MediaStorageSOPClassUID, found.MediaStorageSOPInstanceUID = one.SOPClassUID, one.SOPInstanceUID
    found.TransferSyntaxUID = syntax
    found.ImplementationClassUID, found.ImplementationVersionName = IMPLEMENTATION, "SPINECLOCK"
    return found


def common(examination: Examination) -> Dataset:
    """Modules patient, study, frame of reference, equipment, and what is the same of every image."""
    one = Dataset()
    one.SpecificCharacterSet = "ISO_IR 192"
    # ORIGINAL: not computed from another image. That no person is behind it is said by name, comments and "quality
    # control or phantom image"; the newer SyntheticData (0008,001C) is an error to validators of before 2023.
    one.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    one.SOPClassUID, one.Modality = MRImageStorage, "MR"
    one.StudyDate, one.StudyTime = examination.day.strftime("%Y%m%d"), "080000"
    one.StudyDescription, one.ReferringPhysicianName = "SIMULATED spine MRI", ""
    one.StudyInstanceUID, one.StudyID, one.AccessionNumber = examination.uid("study"), "1", ""
    one.PatientName, one.PatientID, one.IssuerOfPatientID = "PHANTOM^SIMULATED", examination.person_id, "spineclock"
    one.PatientBirthDate, one.PatientSex = BORN.strftime("%Y%m%d"), examination.sex
    one.PatientAge, one.QualityControlSubject = f"{int(examination.age_years):03d}Y", "YES"
    one.PatientComments, one.ImageComments, one.QualityControlImage = STATEMENT, STATEMENT, "YES"
    one.FrameOfReferenceUID, one.PositionReferenceIndicator = examination.uid("frame of reference"), ""
    one.SoftwareVersions = f"spineclock {version('spineclock')}"
    one.PatientPosition, one.BurnedInAnnotation = "HFS", "NO"
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    return one


def _acquired(facts: Mapping[str, Any], *, slice_mm: float) -> Dataset:
    """Modules equipment and MR image: what the scanner did, from BIDS's names."""
    one = Dataset()
    one.Manufacturer, one.SeriesDescription = "spineclock", "simulated"
    one.ScanningSequence, one.SequenceVariant, one.ScanOptions = "SE", "SK", ""
    one.MRAcquisitionType, one.BodyPartExamined, one.EchoTrainLength = "2D", "SPINE", None
    one.RepetitionTime, one.EchoTime, one.ImagedNucleus = None, None, "1H"
    one.SliceThickness = one.SpacingBetweenSlices = decimal(slice_mm)
    for name, (keyword, longest) in _WORDS.items():
        if facts.get(name):
            value = facts[name]
            several = [str(v)[:longest] for v in value] if isinstance(value, list | tuple) else str(value)
            setattr(one, keyword, several[:longest] if isinstance(several, str) else several)
    if facts.get("StationName"):
        one.StationName = str(facts["StationName"])[-16:].lstrip("-")  # what tells scanners of a site apart comes last
    for name, keyword, factor in _FACTS:
        value = facts.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value):
            setattr(one, keyword, round(value) if keyword == "EchoTrainLength" else decimal(value * factor))
    return one


def _pixels(array: Array) -> Dataset:
    """Module image pixel without the pixels, and a window from the first to the last but a few of all values."""
    one = Dataset()
    one.BitsAllocated, one.BitsStored, one.HighBit = 16, 16, 15
    one.PixelRepresentation = 0 if array.min() >= 0 else 1
    low, high = np.percentile(array[:, ::2, ::2], (1.0, 99.7))
    one.WindowCenter, one.WindowWidth = decimal(round((low + high) / 2)), decimal(max(1, round(high - low)))
    return one


def decimal(value: float) -> DSfloat:
    """A number in the sixteen characters that DICOM's decimal strings may have."""
    return DSfloat(float(value) + 0.0, auto_format=True)
