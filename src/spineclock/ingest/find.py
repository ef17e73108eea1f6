"""Scans among files: what lies at a path, recognised by content, before any header is read in full."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spineclock.core.errors import InputError, SpineclockError
from spineclock.core.records import Failure
from spineclock.ingest.archive import unpack
from spineclock.ingest.names import PICTURE_ENDINGS, is_mask
from spineclock.ingest.refs import Kind

READABLE = "DICOM, NIfTI (.nii, .nii.gz), MetaImage (.mha, .mhd) or a .zip of these"
_DICOM_ENDINGS = (".dcm", ".ima", ".dicom")
_MAGIC = (
    (b"\x89PNG", "a PNG picture"), (b"\xff\xd8\xff", "a JPEG picture"), (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"), (b"PK\x03\x04", "a zip archive"), (b"\x1f\x8b", "a gzip file"),
    (b"NRRD", "an NRRD image"), (b"II*\x00", "a TIFF picture"), (b"MM\x00*", "a TIFF picture"),
)  # fmt: skip
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_VALUE_TYPES = b"AEASATCSDADSDTFDFLISLOLTOBODOFOLOWPNSHSLSQSSSTTMUCUIULUNURUSUT"


@dataclass(frozen=True)
class Input:
    """One file that looks like a scan or a slice of one.

    ``shown`` is how the user knows it: the path as given, and inside an archive the archive's followed by the member's.
    ``named`` says that the user named this very file rather than a folder around it.
    """

    path: Path
    kind: Kind
    shown: Path
    named: bool = False


@dataclass(frozen=True)
class Found:
    """Files that look like scans, inputs that gave none, and what was left alone in passing (kind of file → count)."""

    inputs: tuple[Input, ...]
    failures: tuple[Failure, ...] = ()
    passed_over: dict[str, int] = field(default_factory=dict)


def inputs(path: Path, *, scratch: Path | None = None, pictures: bool = False) -> Found:
    """What lies at a path: a file, a folder with any depth of sub-folders, or a .zip of either.

    DICOM is recognised by content under any name; DICOMDIR, hidden files and files named as masks are passed over in
    folders. PNG, JPEG and TIFF pictures count with ``pictures`` only. Archives are unpacked below ``scratch``, which
    the caller owns; archives inside archives are reported. A path that holds nothing readable gives a failure, never
    an exception.
    """
    try:
        if path.is_dir():
            return _in_folder(path, shown=path, scratch=scratch, pictures=pictures)
        if not path.exists():
            raise InputError("a path where nothing lies", wanted="a file or folder", remedy="check the spelling")
        if path.suffix.lower() == ".zip":
            return _in_archive(path, shown=path, scratch=scratch, pictures=pictures)
        return Found((Input(path, _require_kind(path, pictures=pictures), path, named=True),))
    except (SpineclockError, OSError) as error:
        return Found((), (Failure(str(path), "ingest", reason(error)),))


def _in_folder(folder: Path, *, shown: Path, scratch: Path | None, pictures: bool, follow_zips: bool = True) -> Found:
    found: list[Input] = []
    failures: list[Failure] = []
    passed: Counter[str] = Counter()
    for path in _files(folder, failures, shown=shown):
        here = shown / path.relative_to(folder)
        if path.name.startswith(".") or path.name == "Thumbs.db":
            continue
        if path.suffix.lower() == ".zip" and follow_zips:
            inner = _safely_in_archive(path, shown=here, scratch=scratch, pictures=pictures)
            found += inner.inputs
            failures += inner.failures
            continue
        try:
            what = kind(path, pictures=pictures)
        except (SpineclockError, OSError) as error:
            failures.append(Failure(str(here), "ingest", reason(error)))
            continue
        if what is None:
            passed[path.suffix.lower() or "no ending"] += 1
        elif what != "dicom" and is_mask(path.name):
            passed["mask"] += 1
        else:
            found.append(Input(path, what, here))
    if not found and not failures:
        failures.append(Failure(str(shown), "ingest", str(_nothing(passed, pictures=pictures))))
    return Found(tuple(found), tuple(failures), dict(passed))


def _nothing(passed: Counter[str], *, pictures: bool) -> InputError:
    others = ", ".join(f"{n} × {name}" for name, n in passed.most_common(6))
    return InputError(
        f"a folder with no scan in it ({others})" if others else "an empty folder",
        wanted=_readable(pictures),
        remedy="check the path, or export the scans as DICOM or NIfTI",
    )


def _safely_in_archive(path: Path, *, shown: Path, scratch: Path | None, pictures: bool) -> Found:
    try:
        return _in_archive(path, shown=shown, scratch=scratch, pictures=pictures)
    except (SpineclockError, OSError) as error:
        return Found((), (Failure(str(shown), "ingest", reason(error)),))


def _in_archive(path: Path, *, shown: Path, scratch: Path | None, pictures: bool) -> Found:
    if scratch is None:
        raise InputError(
            "an archive, and no folder to unpack it in",
            wanted="a scratch folder",
            remedy="unpack it and give the folder",
        )
    unpacked = unpack(path, scratch)
    nested = tuple(
        Failure(str(shown / name), "ingest", str(InputError("an archive inside an archive", wanted="one level",
                remedy="unpack the outer one and give the folder"))) for name in unpacked.nested
    )  # fmt: skip
    if not any(unpacked.folder.iterdir()) and nested:
        return Found((), nested)
    inner = _in_folder(unpacked.folder, shown=shown, scratch=None, pictures=pictures, follow_zips=False)
    return Found(inner.inputs, nested + inner.failures, inner.passed_over)


def _files(folder: Path, failures: list[Failure], *, shown: Path) -> Iterator[Path]:
    """Files below a folder in order of name; links to folders are followed once, closed folders reported."""
    seen: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            status = here.stat()
            entries = sorted(os.scandir(here), key=lambda e: e.name)
        except OSError as error:
            failures.append(Failure(str(shown / here.relative_to(folder)), "ingest", reason(error)))
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        inside = [e for e in entries if e.is_dir() and e.name != "__MACOSX" and not e.name.startswith(".")]
        waiting += [Path(e.path) for e in reversed(inside)]
        yield from (Path(e.path) for e in entries if not e.is_dir())


def kind(path: Path, *, pictures: bool = False) -> Kind | None:
    """What a file is, from its ending (NIfTI, MetaImage) or its first bytes (DICOM, pictures); None for anything else.

    Raises
    ------
    InputError
        If a file with the ending of DICOM or, where they count, of a picture holds something else, or a scan is a link
        to a file that is not there.
    """
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        return _there(path, "nifti")
    if name.endswith((".mha", ".mhd")):
        return _there(path, "metaimage")
    if path.is_symlink() and not path.exists():
        return None
    if not path.is_file() or name == "dicomdir":
        return None
    with path.open("rb") as file:
        head = file.read(132)
    if head[128:] == b"DICM" or _headless_dicom(head):
        return "dicom"
    if pictures and head.startswith(_PICTURES):
        return "picture"
    if pictures and name.endswith(PICTURE_ENDINGS):
        raise InputError(
            f"a file named {path.suffix} that is {_described(head)}",
            wanted="a PNG, JPEG or TIFF picture",
            remedy="export the picture again; renaming a file does not convert it",
        )
    if name.endswith(_DICOM_ENDINGS):
        raise InputError(
            f"a file named {path.suffix} that is {_described(head)}",
            wanted="DICOM",
            remedy="export the images again; renaming a file does not convert it",
        )
    return None


def _there(path: Path, what: Kind) -> Kind:
    if not path.exists():
        raise InputError(
            "a link to a file that is not there",
            wanted="the file itself",
            remedy="fetch it first (for DataLad: datalad get)",
        )
    return what


def _require_kind(path: Path, *, pictures: bool) -> Kind:
    what = kind(path, pictures=pictures)
    if what is None:
        with path.open("rb") as file:
            described = "a DICOMDIR index" if path.name.lower() == "dicomdir" else _described(file.read(132))
        remedy = "give the folder of the images" if "DICOMDIR" in described else "convert the scan first"
        raise InputError(f"a file that is {described}", wanted=_readable(pictures), remedy=remedy)
    return what


def _readable(pictures: bool) -> str:
    return f"PNG, JPEG, TIFF, {READABLE}" if pictures else READABLE


def _headless_dicom(head: bytes) -> bool:
    """Whether bytes begin a DICOM data set written without its 128-byte preamble: group 2 or 8, a plausible length."""
    if len(head) < 16 or head[:2] not in (b"\x02\x00", b"\x08\x00", b"\x00\x08"):
        return False
    if head[4:6].isupper() and head[4:6] in {_VALUE_TYPES[i : i + 2] for i in range(0, len(_VALUE_TYPES), 2)}:
        return True
    return head[:2] == b"\x08\x00" and head[3] == 0 and int.from_bytes(head[4:8], "little") < 256


def _described(head: bytes) -> str:
    if not head:
        return "empty"
    for magic, what in _MAGIC:
        if head.startswith(magic):
            return what
    text = all(b in b"\t\n\r" or 32 <= b < 127 or b >= 128 for b in head)
    return "text" if text else "of no known kind"


def reason(error: SpineclockError | OSError) -> str:
    """An error as a failure's reason, the system's errors in the user's words."""
    if isinstance(error, PermissionError):
        error = InputError(
            "a file or folder that may not be read",
            wanted="read permission",
            remedy="change its permissions, or run as a user who may read it",
        )
    elif isinstance(error, OSError):
        error = InputError(f"a file that cannot be read ({error.strerror or error})", remedy="copy it again")
    return str(error)


def several(paths: Sequence[Path], *, scratch: Path | None = None, pictures: bool = False) -> Found:
    """What lies at several paths, each file once however often it is named."""
    parts = [inputs(path, scratch=scratch, pictures=pictures) for path in paths]
    once: dict[Path, Input] = {}
    for part in parts:
        for item in part.inputs:
            once.setdefault(item.path.resolve(), item)
    passed: Counter[str] = Counter()
    for part in parts:
        passed.update(part.passed_over)
    return Found(tuple(once.values()), tuple(f for part in parts for f in part.failures), dict(passed))
