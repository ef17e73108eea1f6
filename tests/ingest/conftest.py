"""Synthetic scans, written as NIfTI and as DICOM by pydicom alone, so that readers are checked against another hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from spineclock.core.recipe import Accepts
from spineclock.core.volume import Volume

MR, ENHANCED_MR = UID("1.2.840.10008.5.1.4.1.1.4"), UID("1.2.840.10008.5.1.4.1.1.4.1")


def rotation(x: float, y: float, z: float) -> np.ndarray:
    """Rotation by angles in degrees about the three axes in turn."""
    a, b, c = np.radians([x, y, z])
    return (
        np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
        @ np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
        @ np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    )


def sagittal(
    *, angles: tuple[float, float, float] = (0, 0, 0), slices: int = 7, size: tuple[int, int] = (12, 15)
) -> Volume:
    """A canonical sagittal slab of whole numbers no two alike, 4 × 0.7 × 0.5 mm, turned by some degrees."""
    shape = (slices, *size)
    array = np.random.default_rng(3).permutation(int(np.prod(shape))).reshape(shape).astype(np.int16)
    affine = np.eye(4)
    affine[:3, :3] = rotation(*angles) @ np.diag([4.0, 0.7, 0.5])
    affine[:3, 3] = (-11.5, 20.25, -133.0)
    return Volume(array, affine)


@pytest.fixture
def slab() -> Volume:
    return sagittal()


@pytest.fixture
def oblique_slab() -> Volume:
    return sagittal(angles=(9, -14, 17))


@pytest.fixture
def t2() -> Accepts:
    return Accepts(frozenset({"MR"}), "sagittal", ("T2w",), max_slice_spacing_mm=6, min_slices=5)


@pytest.fixture
def write_nifti(tmp_path: Path) -> Callable[..., Path]:
    def write(volume: Volume, name: str = "scan.nii.gz", *, dtype: Any = None) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = nib.Nifti1Image(volume.array if dtype is None else volume.array.astype(dtype), volume.affine)
        nib.save(image, path)
        return path

    return write


def lps_slices(volume: Volume) -> tuple[list[tuple[np.ndarray, np.ndarray]], list[float], list[float]]:
    """(pixels, position) of sagittal slices rows down, columns towards the back; orientation; (row, column) spacing."""
    a = volume.affine
    ras_to_lps = np.array([-1.0, -1.0, 1.0])
    i_n, j_n, k_n = volume.shape
    backwards, downwards = -a[:3, 1] * ras_to_lps, -a[:3, 2] * ras_to_lps
    made = []
    for i in range(i_n):
        corner = (a @ np.array([i, j_n - 1, k_n - 1, 1.0]))[
            :3
        ] * ras_to_lps  # front and top: row 0, column 0 is the end
        made.append((volume.array[i, ::-1, ::-1].T, corner))
    dy, dz = np.linalg.norm(backwards), np.linalg.norm(downwards)
    return made, [*(backwards / dy), *(downwards / dz)], [float(dz), float(dy)]


def dataset(rows: int, columns: int, **tags: Any) -> Dataset:
    """A grey MR data set without place or pixels; tags by keyword."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = MR, generate_uid()
    ds.Modality, ds.ImageType = "MR", ["ORIGINAL", "PRIMARY", "M", "NORM"]
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SeriesNumber = "1.2.3.4", "1.2.3.4.5", 5
    ds.PatientID, ds.PatientName, ds.PatientSex, ds.PatientAge = "secret-77", "Doe^Jane", "F", "057Y"
    ds.SeriesDescription, ds.EchoTime, ds.RepetitionTime = "t2_tse_sag", 98.0, 3500.0
    ds.SliceThickness = 99.0  # wrong on purpose: nobody may believe it
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = rows, columns, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    return ds


def save(ds: Dataset, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def write_series(tmp_path: Path) -> Callable[..., Path]:
    """Writes a volume as one classic series, files named in shuffled order; ``edit(ds, i)`` may change each slice."""

    def write(
        volume: Volume,
        folder: str = "study/s5",
        *,
        edit: Callable[[Dataset, int], object] = lambda ds, i: None,
        keep: Sequence[int] | None = None,
        **tags: Any,
    ) -> Path:
        where = tmp_path / folder
        slices, orientation, spacing = lps_slices(volume)
        names = np.random.default_rng(1).permutation(len(slices))
        for i, (pixels, position) in enumerate(slices):
            if keep is not None and i not in keep:
                continue
            ds = dataset(*pixels.shape, **tags)
            ds.ImageOrientationPatient = [f"{v:.10f}" for v in orientation]
            ds.ImagePositionPatient = [f"{v:.8f}" for v in position]
            ds.PixelSpacing, ds.InstanceNumber = [f"{s:.8f}" for s in spacing], int(names[i]) + 1
            ds.PixelData = np.ascontiguousarray(pixels.astype("<i2")).tobytes()
            edit(ds, i)
            save(ds, where / f"IM{names[i]:04d}")
        return where

    return write


@pytest.fixture
def write_enhanced(tmp_path: Path) -> Callable[..., Path]:
    """Writes a volume as one enhanced multi-frame file, frames in shuffled order; ``edit(ds, order)`` may change it."""

    def write(
        volume: Volume,
        name: str = "enhanced/one",
        *,
        edit: Callable[[Dataset, np.ndarray], object] = lambda ds, o: None,
    ) -> Path:
        slices, orientation, spacing = lps_slices(volume)
        order = np.random.default_rng(2).permutation(len(slices))
        ds = dataset(*slices[0][0].shape, SOPClassUID=ENHANCED_MR, SOPInstanceUID="1.2.9", NumberOfFrames=len(order))
        for keyword in ("EchoTime", "RepetitionTime", "SliceThickness"):
            delattr(ds, keyword)
        shared, per_frame = Dataset(), []
        shared.PixelMeasuresSequence = [item(PixelSpacing=spacing, SliceThickness=99.0)]
        shared.PlaneOrientationSequence = [item(ImageOrientationPatient=[f"{v:.10f}" for v in orientation])]
        shared.MREchoSequence = [item(EffectiveEchoTime=98.0)]
        shared.MRTimingAndRelatedParametersSequence = [item(RepetitionTime=3500.0)]
        for place in order:
            own = Dataset()
            own.PlanePositionSequence = [item(ImagePositionPatient=[f"{v:.8f}" for v in slices[place][1]])]
            per_frame.append(own)
        ds.SharedFunctionalGroupsSequence, ds.PerFrameFunctionalGroupsSequence = [shared], per_frame
        ds.PixelData = b"".join(np.ascontiguousarray(slices[p][0].astype("<i2")).tobytes() for p in order)
        edit(ds, order)
        return save(ds, tmp_path / name)

    return write


def item(**tags: Any) -> Dataset:
    """One item of a sequence."""
    ds = Dataset()
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    return ds


@pytest.fixture
def functional_item() -> Callable[..., Dataset]:
    return item


@pytest.fixture
def new_dataset() -> Callable[..., Dataset]:
    return dataset


@pytest.fixture
def save_dataset() -> Callable[[Dataset, Path], Path]:
    return save


@pytest.fixture
def sagittal_slab() -> Callable[..., Volume]:
    return sagittal
