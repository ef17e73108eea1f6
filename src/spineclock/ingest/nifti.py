"""NIfTI files: their header as a reference, their samples, label maps."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import cast

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.imageglobals import LoggingOutputSuppressor
from nibabel.openers import Opener
from nibabel.spatialimages import HeaderDataError

from spineclock.core.errors import InputError
from spineclock.core.geometry import canonical, plane
from spineclock.core.volume import Array, Mask, Volume
from spineclock.ingest import checks, ct
from spineclock.ingest.find import Input
from spineclock.ingest.names import label_map_beside, stem
from spineclock.ingest.refs import SeriesRef
from spineclock.ingest.sidecar import facts, sidecar

_BROKEN = (ImageFileError, HeaderDataError, OSError, EOFError, zlib.error, ValueError, OverflowError)
_NOT_SCANS = {
    1002: "labels", 1004: "matrices", 1005: "matrices", 1006: "displacements", 1007: "vectors", 1008: "points",
    1009: "triangles", 1010: "quaternions", 2002: "node numbers", 2003: "colours", 2004: "colours", 2005: "shapes",
}  # fmt: skip


def reference(found: Input) -> SeriesRef:
    """What a NIfTI file's header, name and JSON sidecar tell; no sample is read.

    Raises
    ------
    InputError, GeometryError
        If the header is damaged, or declares something that is not one scan of real numbers in a patient's space.
    """
    image = _opened(found.path)
    shape = _shape(image)
    notes = _orientation_notes(image, stored_mm=_stored_pixdim(found.path, image))
    checks.require_real(image.get_data_dtype())
    volume = canonical(Volume(np.broadcast_to(np.int16(0), shape), image.affine))
    checks.require_spacing(volume.spacing_mm)
    _require_length(found.path, image)
    beside = sidecar(found.path)
    return SeriesRef(
        stem(found.shown.name), "nifti", ((found.path, 0),), found.shown, volume.shape, volume.affine,
        volume.spacing_mm, plane(volume), ct.told(facts(found.path.name, beside), beside), named=found.named,
        notes=tuple(notes),
    )  # fmt: skip


def volume(path: Path, *, max_bytes: int) -> Volume:
    """The samples in RAS+, scaled as the header says, in the file's own axes.

    Raises
    ------
    InputError
        If the file is truncated or larger than allowed.
    """
    image = _opened(path)
    shape = _shape(image)
    checks.require_room(shape, max_bytes=max_bytes)
    checks.require_real(image.get_data_dtype())
    try:
        array = np.asarray(image.dataobj)
    except _BROKEN as error:
        raise _truncated(str(error)) from error
    return Volume(array.reshape(shape), cast(Array, image.affine))


def read_mask(path: Path, *, max_bytes: int = 16 * 10**9) -> Mask:
    """A label map made elsewhere, canonical, its numbers as they stand in the file.

    Raises
    ------
    InputError
        If the file cannot be read or its samples are not whole numbers of 32 bits.
    """
    stored = volume(path, max_bytes=max_bytes)
    whole = stored.array if stored.array.dtype.kind in "iu" else np.rint(stored.array)
    low, high = float(whole.min()), float(whole.max())  # NaN where any sample is
    if not (low >= -(2**31) and high < 2**31 and (whole == stored.array).all()):
        raise InputError(
            "a label map whose samples are not whole numbers",
            wanted="one number a structure",
            remedy="resample label maps by nearest neighbour, and give the map, not probabilities",
        )
    dtype = np.uint8 if low >= 0 and high < 256 else np.int16 if low >= -(2**15) and high < 2**15 else np.int32
    return canonical(Mask(np.ascontiguousarray(whole.astype(dtype)), stored.affine))


def _opened(path: Path) -> nib.Nifti1Image:
    try:
        with LoggingOutputSuppressor():  # what nibabel mends is judged here, in our words
            image = nib.load(path, mmap=False)
    except _BROKEN as error:
        if isinstance(error, PermissionError):
            raise
        raise InputError(
            f"a file that does not begin as NIfTI ({error})",
            wanted="a NIfTI header of 348 or 540 bytes",
            remedy="copy or export the file again",
        ) from error
    if not isinstance(image, nib.Nifti1Image):  # CIFTI's surfaces also end in .nii
        raise InputError(
            f"a {type(image).__name__}, not a volume",
            wanted="a NIfTI volume",
            remedy="give the volume the surface was made from",
        )
    intent = int(image.header["intent_code"])
    if intent in _NOT_SCANS:
        raise InputError(
            f"a NIfTI file that says it holds {_NOT_SCANS[intent]}",
            wanted="a scan",
            remedy="give the scan it was made from; a label map goes with --mask",
        )
    return image


def _shape(image: nib.Nifti1Image) -> tuple[int, int, int]:
    declared = tuple(int(n) for n in image.header["dim"][1 : 1 + max(0, min(7, int(image.header["dim"][0])))])
    return checks.one_volume(declared)


def _stored_pixdim(path: Path, image: nib.Nifti1Image) -> Array:
    """The voxel sizes as they stand in the file: nibabel mends bad ones without a word in the header it returns."""
    with Opener(path) as file:
        header = type(image.header).from_fileobj(file, check=False)
    return np.asarray(header["pixdim"][1 : 1 + min(3, int(image.header["dim"][0]))], dtype=float)


def _orientation_notes(image: nib.Nifti1Image, *, stored_mm: Array) -> list[str]:
    header = image.header
    sform, qform = int(header["sform_code"]), int(header["qform_code"])
    notes = []
    if not (np.isfinite(stored_mm).all() and (stored_mm > 0).all()):
        if sform == 0:
            raise InputError(
                f"voxel sizes (pixdim) of {stored_mm.round(4).tolist()}",
                wanted="positive millimetres",
                remedy="repair the header, or convert the scan from DICOM again",
            )
        notes.append(f"voxel sizes (pixdim) of {stored_mm.round(4).tolist()} were passed over in favour of the sform")
    if sform == 0 and qform == 0:
        notes.append("no orientation in the header (sform and qform are 0): taken as right, anterior, superior")
    elif sform > 0 and qform > 0 and not notes:
        apart = np.abs(np.asarray(image.get_sform()) - np.asarray(image.get_qform())).max()
        if apart > 1.0:
            notes.append(f"sform and qform differ by up to {apart:.1f}: the sform was taken")
    return notes


def _require_length(path: Path, image: nib.Nifti1Image) -> None:
    if path.name.lower().endswith(".gz"):
        return  # only unpacking tells; done when the samples are read
    size = int(np.prod([int(n) for n in image.shape], dtype=object)) * int(image.get_data_dtype().itemsize)
    want, have = int(image.dataobj.offset) + size, path.stat().st_size
    if have < want:
        raise _truncated(f"{have} bytes of {want}")


def _truncated(detail: str) -> InputError:
    return InputError(
        f"a file that ends before its image does ({detail})",
        wanted="the whole file",
        remedy="copy or download it again",
    )


def with_label_map(path: Path, *, max_bytes: int) -> tuple[Volume, Mask]:
    """A scan and the label map beside it (``…_dseg.nii.gz``).

    Raises
    ------
    InputError
        If either is not there or cannot be read.
    """
    labels = label_map_beside(path)
    if labels is None:
        raise InputError(f"no label map beside {path}", wanted=f"{stem(path.name)}_dseg.nii.gz")
    return volume(path, max_bytes=max_bytes), read_mask(labels, max_bytes=max_bytes)
