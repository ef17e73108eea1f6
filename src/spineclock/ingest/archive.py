"""Unpacking a .zip that may be hostile."""

from __future__ import annotations

import re
import shutil
import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from spineclock.core.errors import InputError

BLOCK = 1 << 20


@dataclass(frozen=True)
class Limits:
    """How much an archive may hold: bytes unpacked, files, and bytes unpacked for each byte packed.

    The ratio counts only from ``ratio_from_bytes`` on: a small mask may well shrink a thousandfold.
    """

    max_bytes: int = 64 * 10**9
    max_files: int = 500_000
    max_ratio: float = 200.0
    ratio_from_bytes: int = 256 * 2**20


@dataclass(frozen=True)
class Unpacked:
    """A folder with an archive's files, and the archives inside it that were left packed."""

    folder: Path
    nested: tuple[str, ...] = ()


def unpack(archive: Path, into: Path, *, limits: Limits | None = None) -> Unpacked:
    """The archive's files in a folder of their own below ``into``, which the caller owns and removes.

    Everything declared is checked before the first byte is written, and what is written is counted again.

    Raises
    ------
    InputError
        If the archive is damaged, encrypted, packed in a way not known, too large in what it declares or gives,
        packed far denser than scans are, or holds links or paths that lead out of its folder.
    """
    limits = limits or Limits()
    folder = into / f"{len(list(into.iterdir())) if into.is_dir() else 0:04d}"
    try:
        with zipfile.ZipFile(archive) as packed:
            members = [m for m in packed.infolist() if not m.is_dir() and "__MACOSX" not in m.filename]
            _require_harmless(members, limits, packed_bytes=archive.stat().st_size)
            _require_disk(into, sum(m.file_size for m in members))
            folder.mkdir(parents=True)
            wanted = [m for m in members if not m.filename.lower().endswith(".zip")]
            _write(packed, wanted, folder, limits)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(
            f"an archive that cannot be unpacked ({error})",
            wanted="a sound .zip without a password",
            remedy="pack or send it again, or unpack it yourself and give the folder",
        ) from error
    return Unpacked(folder, tuple(m.filename for m in members if m not in wanted))


def _require_harmless(members: list[zipfile.ZipInfo], limits: Limits, *, packed_bytes: int) -> None:
    total = sum(m.file_size for m in members)
    if len(members) > limits.max_files or total > limits.max_bytes:
        raise InputError(
            f"an archive that declares {len(members)} files, {total / 1e9:.1f} GB",
            wanted=f"at most {limits.max_files} files and {limits.max_bytes / 1e9:.1f} GB",
            remedy="unpack it yourself and give the folder",
        )
    if total > limits.ratio_from_bytes and total > limits.max_ratio * packed_bytes:
        raise InputError(
            f"an archive of {packed_bytes} bytes that declares {total}: a zip bomb",
            wanted=f"at most {limits.max_ratio:g} bytes for each packed byte",
            remedy="do not open it; ask the sender for the scans",
        )
    for member in members:
        _require_inside(member)


def _require_inside(member: zipfile.ZipInfo) -> None:
    name = member.filename.replace("\\", "/")
    if PurePosixPath(name).is_absolute() or re.match(r"[A-Za-z]:", name) or ".." in PurePosixPath(name).parts:
        raise InputError(
            f"an archive whose member {member.filename!r} would be written outside its folder",
            wanted="paths below the archive's own folder",
            remedy="do not open it; ask the sender",
        )
    if stat.S_ISLNK(member.external_attr >> 16):
        raise InputError(
            f"an archive whose member {member.filename!r} is a link",
            wanted="plain files",
            remedy="pack the files themselves",
        )
    if member.flag_bits & 1:
        raise InputError(
            f"an archive whose member {member.filename!r} needs a password",
            wanted="no password",
            remedy="unpack it yourself and give the folder",
        )


def _require_disk(into: Path, total: int) -> None:
    into.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(into).free
    if total > free:
        raise InputError(
            f"an archive of {total / 1e9:.1f} GB with {free / 1e9:.1f} GB of disk left",
            wanted="room to unpack it",
            remedy="set TMPDIR to a larger disk",
        )


def _write(packed: zipfile.ZipFile, members: list[zipfile.ZipInfo], folder: Path, limits: Limits) -> None:
    written = 0
    for member in members:
        target = folder / PurePosixPath(member.filename.replace("\\", "/"))
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with packed.open(member) as source, target.open("xb") as sink:
                while block := source.read(BLOCK):
                    written += len(block)
                    if written > limits.max_bytes:
                        raise InputError(
                            f"an archive that gives more than {limits.max_bytes / 1e9:.1f} GB",
                            wanted="no more than it declares",
                            remedy="do not open it; ask the sender",
                        )
                    sink.write(block)
        except FileExistsError as error:
            raise InputError(
                f"an archive that holds {member.filename!r} twice", wanted="each path once", remedy="pack it again"
            ) from error
