"""CT of simulated people as classic DICOM series (PS3.3 A.3), every slice marked as made artificially."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import CTImageStorage

from spineclock.core.geometry import canonical
from spineclock.core.volume import Volume
from spineclock.report.dicom import Examination, Planes, common, decimal, series_of

LOWEST_HU = -1024
"""What a stored 0 stands for (RescaleIntercept); 4095 is 3071 HU."""
_WORDS = {
    "Manufacturer": ("Manufacturer", 64), "ManufacturersModelName": ("ManufacturerModelName", 64),
    "InstitutionName": ("InstitutionName", 64), "StationName": ("DeviceSerialNumber", 64),
    "SeriesDescription": ("SeriesDescription", 64), "BodyPartExamined": ("BodyPartExamined", 16),
    "ConvolutionKernel": ("ConvolutionKernel", 16),
}  # fmt: skip
_NUMBERS = ("KVP", "SliceThickness", "SpacingBetweenSlices", "ReconstructionDiameter", "GantryDetectorTilt")


def images(
    volume: Volume, facts: Mapping[str, Any], examination: Examination, *, name: str, number: int
) -> list[FileDataset]:
    """The axial slices of a volume in HU, from the feet up, as the data sets of one series.

    Parameters
    ----------
    volume : Volume
        Whole numbers from -1024 to 3071; slices may lean, as those of a tilted gantry do.
    facts : mapping
        How it was acquired, by DICOM's keywords, as ``phantom.ct.scanner.acquire`` gives them.
    name, number
        As in :func:`spineclock.report.dicom.images`.
    """
    upright = canonical(volume)
    shared = common(examination)
    shared.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    shared.SOPClassUID, shared.Modality = CTImageStorage, "CT"
    shared.StudyDescription = "SIMULATED CT"
    shared.update(_acquired(facts))
    raised = upright.with_array(np.clip(upright.array.astype(np.int32) - LOWEST_HU, 0, 4095))
    _, down, across = upright.spacing_mm[2], upright.spacing_mm[1], upright.spacing_mm[0]
    return series_of(shared, axial(raised), (down, across), examination, name=name, number=number)


def axial(volume: Volume) -> Planes:
    """Axial slices from the feet up (rows backwards, columns to the left), their places and directions in DICOM's axes.

    Slices that lean keep their places along the table: a stack whose axes are not at right angles.
    """
    volume = canonical(volume)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine
    wide, deep, count = volume.shape
    positions = [(affine @ np.array([wide - 1, deep - 1, k, 1.0]))[:3] for k in range(count)]
    slices = [volume.array[::-1, ::-1, k].T for k in range(count)]
    across, down = (-affine[:3, axis] / np.linalg.norm(affine[:3, axis]) for axis in (0, 1))
    return slices, positions, across, down


def _acquired(facts: Mapping[str, Any]) -> Dataset:
    """Modules equipment, CT image, contrast and image pixel."""
    one = Dataset()
    one.Manufacturer, one.SeriesDescription, one.BodyPartExamined = "spineclock", "simulated", "SPINE"
    one.KVP, one.AcquisitionNumber, one.ScanOptions = None, 1, "HELICAL MODE"
    for name, (keyword, longest) in _WORDS.items():
        if facts.get(name):
            setattr(one, keyword, str(facts[name])[:longest])
    if facts.get("StationName"):
        one.StationName = str(facts["StationName"])[-16:].lstrip("-")
    for keyword in _NUMBERS:
        if facts.get(keyword) is not None:
            setattr(one, keyword, decimal(float(facts[keyword])))
    if facts.get("XRayTubeCurrent") is not None:
        one.XRayTubeCurrent = round(facts["XRayTubeCurrent"])
    if facts.get("ContrastBolusAgent"):
        one.ContrastBolusAgent, one.ContrastBolusRoute = str(facts["ContrastBolusAgent"]).upper(), "IV"
    if facts.get("ContrastPhase"):
        one.ProtocolName = f"simulated, {str(facts['ContrastPhase']).replace('_', ' ')}"
    one.RescaleIntercept, one.RescaleSlope, one.RescaleType = decimal(LOWEST_HU), decimal(1), "HU"
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 12, 11, 0
    one.WindowCenter, one.WindowWidth = decimal(400), decimal(1200)
    return one
