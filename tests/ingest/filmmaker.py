"""Films as bytes: DICOM by pydicom, pictures by Pillow, so that readers are checked against another hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

DX, CR, SC = (UID(f"1.2.840.10008.5.1.4.1.1.{n}") for n in ("1.1", "1", "7"))


def ramp(rows: int = 60, columns: int = 40, *, top: int = 4095) -> np.ndarray:
    """Whole numbers from 0 to ``top``, no two rows or columns alike."""
    values = np.random.default_rng(3).permutation(rows * columns).reshape(rows, columns)
    return (values * (top / (rows * columns - 1))).astype(np.uint16)


def film_dataset(pixels: np.ndarray, **tags: Any) -> Dataset:
    """A DX data set of 12 bits (or the samples' 8), lateral, front at the left; tags by keyword, None removes one."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = DX, generate_uid()
    ds.Modality, ds.ImageType = "DX", ["DERIVED", "PRIMARY"]
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SeriesNumber, ds.InstanceNumber = "1.2.3", "1.2.3.4", 1, 1
    ds.PatientID, ds.PatientSex, ds.PatientAge = "secret-77", "F", "067Y"
    ds.PresentationIntentType, ds.BodyPartExamined, ds.ViewPosition = "FOR PRESENTATION", "LSPINE", "LL"
    ds.PatientOrientation, ds.ImagerPixelSpacing = ["P", "F"], [0.15, 0.15]
    ds.Rows, ds.Columns = pixels.shape[:2]
    ds.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    ds.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
    if pixels.ndim == 3:
        ds.PlanarConfiguration = 0
    wide = pixels.dtype.itemsize == 2
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = (16, 12, 11) if wide else (8, 8, 7)
    ds.PixelRepresentation = 0
    ds.add_new("PixelData", "OW", np.ascontiguousarray(pixels).tobytes())
    for keyword, value in tags.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    return ds


def save_film(path: Path, pixels: np.ndarray, **tags: Any) -> Path:
    """The data set as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    film_dataset(pixels, **tags).save_as(path, enforce_file_format=True)
    return path
