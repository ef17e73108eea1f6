"""What one simulated scan leaves in a cohort folder: its images, true label maps and sidecars, whole or not at all."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from spineclock.core.errors import SpineclockError
from spineclock.core.volume import Array, Mask, Volume
from spineclock.phantom.anatomy.traits import Traits
from spineclock.phantom.series import Series, Station, Weighting
from spineclock.report.dicom import STATEMENT, Examination

SCHEMA = "spineclock.phantom-scan/1"
COMPRESSION = 2
"""Of gzip: noise packs no better at higher levels, which take up to seven times as long."""
Format = Literal["nifti", "png", "dicom"]
_OURS = re.compile(
    r"sub-\d+p\d{7}_ses-\d+(_acq-(cervical|thoracic|lumbar))?_((T1w|T2w|xray|ct)(_dseg)?(\.nii\.gz|\.png|\.json|\.dcm)?|scan\.json(\.partial)?)"
)
ENDINGS = {"nifti": ".nii.gz", "png": ".png"}
COMPUTED = ("Canon",)
"""Makers whose DICOM radiographs are of computed radiography (CR); those of the others are digital X-ray (DX)."""
PNG_SCALE = 16
"""What a film's samples, 0 to 4095, are multiplied by in 16-bit pictures."""
_SLICE = re.compile(r"\d{4}\.dcm")


@dataclass(frozen=True)
class Job:
    """One scan to be made: whose, how, by which scanner, and into which folder.

    ``sex`` is the table's, which the body's need not be (world ``ageing_off``). ``acquire`` maps (person, request,
    seed) to the scan's series, as ``phantom.mri.scanner.acquire`` does; it must be a function that a worker process can
    import by its name.
    """

    person: Traits
    sex: str
    request: Any
    seed: int
    out: Path
    form: Format
    acquire: Callable[..., Sequence[Series]]


@dataclass(frozen=True)
class Rendered:
    """How one scan ended: its size on disk, or why there is none; ``trace`` is for the log."""

    scan_id: str
    size_bytes: int = 0
    problem: str = ""
    trace: str = ""


def render(job: Job) -> Rendered:
    """Makes one scan and writes it; whatever goes wrong in the making is that scan's failure alone.

    Raises
    ------
    OSError
        If the folder cannot be written, which would befall every other scan too.
    """
    try:
        told = job.person
        made = job.acquire(told, job.request, seed=job.seed)
        visit = Examination(told.person_id, told.scan_id, told.age_years, job.sex, job.seed)
        return Rendered(told.scan_id, write_scan(made, visit, out=job.out, form=job.form))
    except OSError:
        raise
    except SpineclockError as error:
        return Rendered(job.person.scan_id, problem=str(error))
    except Exception as error:  # one scan never stops a batch
        return Rendered(job.person.scan_id, problem=f"{type(error).__name__}: {error}", trace=traceback.format_exc())


def session_folder(scan_id: str, form: Format) -> Path:
    """Where a scan lies in its cohort folder: as BIDS has it, or, for DICOM, under a name that no other scan has.

    >>> session_folder("sub-1p0000007_ses-2", "nifti").as_posix(), session_folder("sub-1p0000007_ses-2", "dicom").name
    ('sub-1p0000007/ses-2', 'sub-1p0000007_ses-2')
    """
    person, _, session = scan_id.partition("_")
    return Path(person, scan_id if form == "dicom" else session)


def series_path(scan_id: str, *, station: Station, weighting: Weighting, form: Format) -> Path:
    """A series' file (NIfTI, PNG) or folder of slices (DICOM), relative to the cohort folder.

    >>> series_path("sub-1p0000007_ses-1", station="lumbar", weighting="T2w", form="nifti").as_posix()
    'sub-1p0000007/ses-1/anat/sub-1p0000007_ses-1_acq-lumbar_T2w.nii.gz'
    >>> series_path("sub-1p0000007_ses-1", station="", weighting="T1w", form="dicom").as_posix()
    'sub-1p0000007/sub-1p0000007_ses-1/sub-1p0000007_ses-1_T1w'
    """
    name = f"{scan_id}_acq-{station}_{weighting}" if station else f"{scan_id}_{weighting}"
    folder = session_folder(scan_id, form)
    return folder / name if form == "dicom" else folder / "anat" / f"{name}{ENDINGS[form]}"


def write_scan(made: Sequence[Series], visit: Examination, *, out: Path, form: Format) -> int:
    """Writes a scan's series under other names, moves them to their places, and marks the scan as done; its bytes."""
    partial = out / f".{visit.scan_id}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    remove_scan(out, visit.scan_id, form)
    if form == "dicom":
        _write_dicom(made, partial, visit)
    else:
        for series in made:
            _write_files(series, partial, visit.scan_id, form)
    sizes = {}
    for path in sorted(p for p in partial.rglob("*") if p.is_file()):
        inside = path.relative_to(partial)
        sizes[inside.as_posix()] = path.stat().st_size
        (out / inside).parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, out / inside)
    shutil.rmtree(partial)
    _put(mark_path(out, visit.scan_id, form), {"schema": SCHEMA, "scan_id": visit.scan_id, "files": sizes})
    return sum(sizes.values())


def mark_path(out: Path, scan_id: str, form: Format) -> Path:
    """The sidecar that is written last and lists the scan's files with their sizes."""
    return out / session_folder(scan_id, form) / f"{scan_id}_scan.json"


def finished_bytes(out: Path, scan_id: str, form: Format) -> int | None:
    """The size of a scan that is all there; None where it is not."""
    try:
        told = json.loads(mark_path(out, scan_id, form).read_text(encoding="utf-8"))
        sizes: dict[str, int] = told["files"]
        there = all((out / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return sum(sizes.values()) if there and sizes else None


def remove_scan(out: Path, scan_id: str, form: Format) -> None:
    """Takes away what an earlier run left of a scan, its mark first; files that are not ours stay."""
    mark_path(out, scan_id, form).unlink(missing_ok=True)
    _remove_ours(out / session_folder(scan_id, form))


def remove_scans(out: Path) -> None:
    """Takes every simulated scan out of a cohort folder; files that are not ours stay, and the folders they lie in."""
    for partial in out.glob(".sub-*.partial"):
        shutil.rmtree(partial)
    for person in out.glob("sub-*p*"):
        for session in [*person.glob("ses-*"), *person.glob(f"{person.name}_ses-*")]:
            _remove_ours(session)
        _drop_if_empty(person)


def _remove_ours(session: Path) -> None:
    if not session.is_dir():
        return
    for folder in (session, session / "anat"):
        for path in folder.iterdir() if folder.is_dir() else ():
            if _OURS.fullmatch(path.name) is None:
                continue
            if path.is_dir():
                for image in path.iterdir():
                    if _SLICE.fullmatch(image.name):
                        image.unlink()
                _drop_if_empty(path)
            else:
                path.unlink()
    for folder in (session / "anat", session):
        _drop_if_empty(folder)


def _drop_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _write_files(series: Series, out: Path, scan_id: str, form: Format) -> None:
    where = out / series_path(scan_id, station=series.station, weighting=series.weighting, form=form)
    where.parent.mkdir(parents=True, exist_ok=True)
    ending = ENDINGS[form]
    stem = where.name.removesuffix(ending)
    image, labels = where, where.with_name(f"{stem}_dseg{ending}")
    if form == "nifti":
        image.write_bytes(nifti_bytes(series.volume))
        labels.write_bytes(nifti_bytes(series.labels))
    else:
        front = series.facts["PatientOrientation"][0]
        image.write_bytes(png_bytes(as_displayed(series.volume.array, front) * PNG_SCALE))
        labels.write_bytes(png_bytes(as_displayed(series.labels.array, front)))
    write_sidecar(where.with_name(f"{stem}.json"), series)


def write_sidecar(path: Path, series: Series) -> None:
    """Writes how a series was acquired, by BIDS's names, and that it is simulated; MR where its facts do not say."""
    _put(path, {"Modality": "MR", **series.facts, "Statement": STATEMENT})


def nifti_bytes(volume: Volume) -> bytes:
    """A volume as a gzipped NIfTI file that holds no time and no name: equal volumes give equal bytes."""
    import nibabel as nib

    kind = np.uint16 if isinstance(volume, Mask) else np.int16
    image = nib.Nifti1Image(np.asarray(volume.array).astype(kind, copy=False), volume.affine)
    image.set_sform(volume.affine, code="scanner")
    if _square(volume):  # a qform has no room for the lean of a tilted gantry's slices
        image.set_qform(volume.affine, code="scanner")
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = b"simulated: no real person is shown"
    return gzip.compress(image.to_bytes(), compresslevel=COMPRESSION, mtime=0)


def _square(volume: Volume) -> bool:
    """Whether a volume's axes are at right angles."""
    units = volume.affine[:3, :3] / np.asarray(volume.spacing_mm)
    return bool(np.abs(units.T @ units - np.eye(3)).max() < 1e-6)


def as_displayed(array: Array, across: str) -> Array:
    """A film of shape (1, towards the front, upwards) as it is looked at: rows downwards.

    ``across`` is where columns run to: A towards the front, P towards the back.

    >>> as_displayed(np.array([[[1, 2], [3, 4]]]), "P").tolist()
    [[4, 2], [3, 1]]
    """
    return np.asarray(array[0, :: -1 if across == "P" else 1, ::-1].T)


def png_bytes(samples: Array) -> bytes:
    """A 16-bit grey PNG picture."""
    from io import BytesIO

    from PIL import Image

    held = BytesIO()
    Image.fromarray(np.ascontiguousarray(samples, np.uint16)).save(held, "PNG")
    return held.getvalue()


def _write_dicom(made: Sequence[Series], out: Path, visit: Examination) -> None:
    """Each series as a folder of slices, its label map as a segmentation beside it, its facts as a sidecar."""
    from spineclock.report import dicom, dicom_ct
    from spineclock.report.dicom_seg import segmentation

    for k, series in enumerate(made, start=1):
        where = out / series_path(visit.scan_id, station=series.station, weighting=series.weighting, form="dicom")
        where.mkdir(parents=True, exist_ok=True)
        if series.weighting == "xray":
            _write_dicom_film(series, where, visit)
            continue
        name = where.name.removeprefix(f"{visit.scan_id}_")
        images, cut = (dicom_ct.images, dicom_ct.axial) if series.weighting == "ct" else (dicom.images, dicom.planes)
        slices = images(series.volume, series.facts, visit, name=name, number=k)
        for n, one in enumerate(slices, start=1):
            one.save_as(where / f"{n:04d}.dcm", enforce_file_format=True)
        map_ = segmentation(series.labels, slices, visit, name=f"{name}_dseg", number=100 + k, cut=cut)
        map_.save_as(where.with_name(f"{where.name}_dseg.dcm"), enforce_file_format=True)
        write_sidecar(where.with_name(f"{where.name}.json"), series)


def _write_dicom_film(series: Series, where: Path, visit: Examination) -> None:
    """A film and its facts; its label map as a picture on the same pixels, as a segmentation needs a place in space."""
    from spineclock.phantom.radiograph.film import FULL_SCALE
    from spineclock.report.dicom_film import film

    front = series.facts["PatientOrientation"][0]
    shown = as_displayed(series.volume.array, front)
    computed = str(series.facts["Manufacturer"]) in COMPUTED
    one = film(shown, series.facts, visit, name="xray", full_scale=FULL_SCALE, computed=computed)
    one.save_as(where / "0001.dcm", enforce_file_format=True)
    where.with_name(f"{where.name}_dseg.png").write_bytes(png_bytes(as_displayed(series.labels.array, front)))
    _put(where.with_name(f"{where.name}.json"), {**series.facts, "Modality": one.Modality, "Statement": STATEMENT})


def _put(path: Path, content: dict[str, Any]) -> None:
    """Writes a JSON file whole or not at all."""
    text = json.dumps(content, indent=2, ensure_ascii=False, default=_plain) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays as Python's."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"a sidecar cannot hold a {type(value).__name__}")
