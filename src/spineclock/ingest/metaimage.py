"""MetaImage files (.mha, .mhd with its raw file): their header as a reference, and their samples."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np
import SimpleITK as sitk

from spineclock.core.errors import InputError
from spineclock.core.geometry import canonical, plane
from spineclock.core.volume import Array, Volume
from spineclock.ingest import checks, ct
from spineclock.ingest.find import Input
from spineclock.ingest.names import bids_person, stem, weighting_from_name
from spineclock.ingest.refs import Facts, SeriesRef

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_BYTES = {"CHAR": 1, "UCHAR": 1, "SHORT": 2, "USHORT": 2, "INT": 4, "UINT": 4, "LONG": 4, "ULONG": 4,
          "LONG_LONG": 8, "ULONG_LONG": 8, "FLOAT": 4, "DOUBLE": 8}  # fmt: skip


def reference(found: Input) -> SeriesRef:
    """What a MetaImage file's header and name tell; no sample is read.

    Raises
    ------
    InputError, GeometryError
        If the header is damaged, points to a file elsewhere, or declares something that is not one grey volume.
    """
    header = _header(found.path)
    _require_data(found.path, header)
    reader = _reader(found.path)
    shape, affine = _shape(reader), _affine(reader)
    volume = canonical(Volume(np.broadcast_to(np.int16(0), shape), affine))
    checks.require_spacing(volume.spacing_mm)
    modality, sequence = weighting_from_name(found.path.name)
    oriented = {"TRANSFORMMATRIX", "ROTATION", "ORIENTATION"} & header.keys()
    notes = () if oriented else ("no orientation in the header: taken as left, posterior, superior",)
    return SeriesRef(
        stem(found.shown.name), "metaimage", ((found.path, 0),), found.shown, volume.shape, volume.affine,
        volume.spacing_mm, plane(volume),
        ct.told(Facts(modality, sequence, person_id=bids_person(found.path.name)), {}),
        named=found.named, notes=notes,
    )  # fmt: skip


def volume(path: Path, *, max_bytes: int) -> Volume:
    """The samples in RAS+, in the file's own axes.

    Raises
    ------
    InputError
        If the file or its raw part is truncated or larger than allowed.
    """
    _require_data(path, _header(path))
    reader = _reader(path)
    shape = _shape(reader)
    checks.require_room(shape, max_bytes=max_bytes)
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise _damaged(error) from error
    array = np.ascontiguousarray(sitk.GetArrayFromImage(image)).reshape(shape[::-1])
    return Volume(array.transpose(2, 1, 0), _affine(reader))


def _reader(path: Path) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    reader.SetGlobalWarningDisplay(False)  # what ITK would print is raised, or said in our words
    reader.SetImageIO("MetaImageIO")
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise _damaged(error) from error
    return reader


def _shape(reader: sitk.ImageFileReader) -> tuple[int, int, int]:
    declared = tuple(int(n) for n in reader.GetSize())
    if reader.GetNumberOfComponents() != 1 or "complex" in sitk.GetPixelIDValueAsString(reader.GetPixelIDValue()):
        raise InputError(
            f"samples of {reader.GetNumberOfComponents()} numbers each",
            wanted="one real number a voxel",
            remedy="export the magnitude image, in grey values",
        )
    return checks.one_volume(declared)


def _affine(reader: sitk.ImageFileReader) -> Array:
    n = len(reader.GetSize())
    direction = np.asarray(reader.GetDirection(), dtype=float).reshape(n, n)
    affine = np.eye(4)
    m = min(n, 3)
    affine[:m, :m] = direction[:m, :m] * np.asarray(reader.GetSpacing(), dtype=float)[:m]
    affine[:m, 3] = np.asarray(reader.GetOrigin(), dtype=float)[:m]
    return _LPS_TO_RAS @ affine


def _header(path: Path) -> dict[str, str]:
    """The ``Key = value`` lines before the samples, keys in capitals; ``DATA AT`` is where those lines end."""
    with path.open("rb") as file:
        head = file.read(1 << 16)
    fields: dict[str, str] = {}
    at = 0
    for line in head.split(b"\n"):
        at += len(line) + 1
        key, equals, value = line.partition(b"=")
        if not equals:
            break
        fields[key.strip().decode("ascii", "replace").upper()] = value.strip().decode("utf-8", "replace")
        if key.strip().lower() == b"elementdatafile":
            fields["DATA AT"] = str(at)
            return fields
    raise InputError(
        "a file that does not begin as MetaImage (no ElementDataFile)",
        wanted="a MetaImage header",
        remedy="copy or export the file again",
    )


def _require_data(path: Path, header: dict[str, str]) -> None:
    """Raise :class:`InputError` unless the samples lie in this file or beside it, as long as declared."""
    name = header["ELEMENTDATAFILE"]
    local = name.upper() == "LOCAL"
    beside = PurePosixPath(name.replace("\\", "/")).name == name and name != ".."
    if not local and (name.upper().startswith("LIST") or "%" in name or not beside):
        raise InputError(
            f"a MetaImage header whose samples lie in {name!r}",
            wanted="one raw file in the same folder",
            remedy="save it as a single .mha",
        )
    data = path if local else path.with_name(name)
    if not data.is_file():
        raise InputError(
            f"a MetaImage header without its raw file {name!r}",
            wanted="both files in one folder",
            remedy="copy the raw file beside the header",
        )
    if header.get("COMPRESSEDDATA", "False").lower() == "true":
        return  # only unpacking tells
    size = _BYTES.get(header.get("ELEMENTTYPE", "").upper().removeprefix("MET_"))
    digits = header.get("DIMSIZE", "").split()
    if size is None or not all(d.isdigit() for d in digits):
        return  # ITK judges the header next
    want = (int(header["DATA AT"]) if local else 0) + size * int(np.prod([int(d) for d in digits], dtype=object))
    if data.stat().st_size < want:
        raise InputError(
            f"a file that ends before its image does ({data.stat().st_size} bytes of {want})",
            wanted="the whole file",
            remedy="copy or download it again",
        )


def _damaged(error: RuntimeError) -> InputError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return InputError(
        f"a MetaImage that cannot be read ({lines[-1][:200] if lines else 'unknown reason'})",
        wanted="a sound .mha or .mhd with its raw file",
        remedy="copy or export it again",
    )
