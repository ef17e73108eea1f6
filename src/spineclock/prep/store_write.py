"""A store of prepared scans being written: each scan whole or not at all, by as many processes as there are.

Chunks are files of their own, so that processes write theirs without knowing of each other. One process keeps the index
(:class:`Writer`): a scan is in the store once its line is there, and its line is written when its chunks are.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from spineclock.core.errors import InputError, UsageError
from spineclock.core.volume import Array
from spineclock.prep.masking import bit
from spineclock.prep.prepared import Variants
from spineclock.prep.store_format import (
    ABOUT,
    ARRAYS,
    INDEX,
    LEVEL,
    About,
    Entry,
    chunk_path,
    coded,
    packed,
    read_about,
    read_entries,
)

_ZARR = "zarr.json"
AXES = ("scan", "left_right", "superior_inferior", "anterior_posterior")
"""Names of the arrays' axes, each from the first word to the last."""


class Writer:
    """A store open for writing: which scans are in it, and what is done to its index."""

    def __init__(self, path: Path, about: About, index: int) -> None:
        self.path, self.about, self._index = path, about, index
        self.entries = read_entries(path)

    def add(self, entry: Entry) -> None:
        """Puts a scan in whose chunks are written; it is there as soon as this returns."""
        self._append(entry.line())
        self.entries[entry.scan_id] = entry

    def take_out(self, scan_id: str) -> None:
        """Takes a scan out, so that its row may be written over."""
        self._append(json.dumps({"scan_id": scan_id, "row": None}, ensure_ascii=False) + "\n")
        del self.entries[scan_id]

    def is_whole(self, scan_id: str, *, thoroughly: bool = False) -> bool:
        """Whether a scan's chunks are there in full length or, thoroughly, what was written."""
        entry = self.entries[scan_id]
        for array in ARRAYS:
            path = chunk_path(self.path, array, entry.row)
            try:
                if path.stat().st_size != entry.sizes[array]:
                    return False
                if thoroughly and hashlib.sha256(path.read_bytes()).hexdigest() != entry.sha256[array]:
                    return False
            except FileNotFoundError:
                return False
        return True

    def free_rows(self, count: int) -> list[int]:
        """The first rows that hold no scan, for as many more; the arrays are made to reach as far."""
        taken = {entry.row for entry in self.entries.values()}
        rows = list(itertools.islice((row for row in itertools.count() if row not in taken), count))
        if count:
            _reach(self.path, self.about, max([*taken, *rows]) + 1)
        return rows

    def _append(self, line: str) -> None:
        told = line.encode("utf-8")
        if os.write(self._index, told) < len(told):  # in one piece, whatever becomes of this process
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path / INDEX))


@contextmanager
def writing(path: Path, about: About) -> Iterator[Writer]:
    """The store in a folder, made where there is none, for this process alone to add to.

    Raises
    ------
    UsageError
        If scans in it were prepared in another way, the folder holds something else, or another process writes to it.
    """
    path.mkdir(parents=True, exist_ok=True)
    if (path / ABOUT).exists():
        _require_alike(path, about)
    else:
        _require_no_zarr(path)
        put(path / ABOUT, about.as_json())
    index = os.open(path / INDEX, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        _lock(index, path)
        _drop_torn_end(index)
        yield Writer(path, about, index)
        os.fsync(index)
    finally:
        os.close(index)


def write_scan(
    path: Path,
    row: int,
    made: Variants,
    about: About,
    *,
    scan_id: str,
    source: Mapping[str, Any],
    film: str = "",
    sequence: str = "",
    notes: tuple[str, ...] = (),
) -> Entry:
    """Writes a scan's chunks into its row; what the index is to say of it."""
    limits = (min(scale.low for scale in made.scales.values()), max(scale.high for scale in made.scales.values()))
    arrays: dict[str, Array] = {
        "image": coded(made.image.array, made.margins.array & bit("whole") != 0, limits, about.dtype),
        "labels": _labels(made),
        "margins": made.margins.array,
    }
    sha256, sizes = {}, {}
    for name, dtype in about.dtypes().items():
        chunk = packed(arrays[name].astype(dtype, copy=False))
        sha256[name], sizes[name] = hashlib.sha256(chunk).hexdigest(), len(chunk)
        _put_bytes(chunk_path(path, name, row), chunk)
    affine = tuple(tuple(row) for row in made.image.affine.tolist())
    return Entry(scan_id, row, source, affine, limits, made.scales, made.kept_share, made.missing, sha256,
                 sizes, film, sequence, made.levels, notes)  # fmt: skip


def _labels(made: Variants) -> Array:
    """The label map as 16 bits without sign can hold it."""
    array = made.labels.array
    low, high = int(array.min()), int(array.max())
    if low < 0 or high > np.iinfo(np.uint16).max:
        raise InputError(
            f"a label map with numbers from {low} to {high}",
            wanted="labels in the spineclock numbering, none below 0",
            remedy="name the numbering of a label map made elsewhere",
        )
    return array


def remove_store(path: Path) -> None:
    """Takes a store out of a folder, what makes it one first; files that are not ours stay.

    Raises
    ------
    UsageError
        If another process writes to it.
    InputError
        If the folder is another program's.
    """
    if not (path / ABOUT).exists():
        return
    read_about(path)  # another program's store.json is not ours to remove
    index = os.open(path / INDEX, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _lock(index, path)
        (path / ABOUT).unlink()
        for name in (INDEX, _ZARR):
            (path / name).unlink(missing_ok=True)
        for name in ARRAYS:
            shutil.rmtree(path / name, ignore_errors=True)
    finally:
        os.close(index)


def put(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a JSON file whole or not at all."""
    _put_bytes(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode("utf-8"))


def _put_bytes(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    os.replace(partial, path)


def _require_alike(path: Path, about: About) -> None:
    try:
        was = read_about(path)
    except InputError as error:
        raise UsageError(error.found, wanted=error.wanted, remedy="name another folder, or --overwrite") from error
    told, asked = ({**one.as_json()["preparation"], "dtype": one.dtype} for one in (was, about))
    other = [name for name in dict.fromkeys((*asked, *told)) if told.get(name) != asked.get(name)]
    if other:
        is_, before = (
            ", ".join(f"{name} {_shown(one[name])}" for name in other if name in one) for one in (asked, told)
        )
        raise UsageError(
            f"the scans in {path} were prepared with {before}, and now it is {is_}",
            wanted="the same settings",
            remedy="call it as before, name another folder, or --overwrite",
        )


def _shown(value: object) -> str:
    return ",".join(f"{v:g}" for v in value) if isinstance(value, tuple) else str(value)


def _require_no_zarr(path: Path) -> None:
    for name in (INDEX, _ZARR, *ARRAYS):
        if (path / name).exists():
            raise UsageError(
                f"{path} holds {name}, and no {ABOUT}: it is no store of prepared scans",
                wanted="an empty folder",
                remedy="name another",
            )


def _lock(index: int, path: Path) -> None:
    """Keeps other processes off until the file is closed, which a killed process does too."""
    try:
        fcntl.flock(index, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UsageError(
            f"another process writes to {path}", wanted="one at a time", remedy="wait for it to end"
        ) from error
    except OSError:  # a share without locks
        pass


def _drop_torn_end(index: int) -> None:
    """Cuts off a last line that a killed process left unfinished."""
    held = os.pread(index, os.fstat(index).st_size, 0)
    os.ftruncate(index, held.rfind(b"\n") + 1)


def _reach(path: Path, about: About, rows: int) -> None:
    """Makes the Zarr arrays, or makes them longer where they have fewer rows."""
    import zarr
    from zarr.codecs import ZstdCodec

    group = zarr.open_group(path, mode="a", zarr_format=3)
    for name, dtype in about.dtypes().items():
        if (path / name / _ZARR).exists():
            array = group[name]
            assert isinstance(array, zarr.Array)
            if array.shape[0] < rows:
                array.resize((rows, *about.how.shape))
            continue
        group.create_array(
            name,
            shape=(rows, *about.how.shape),
            chunks=(1, *about.how.shape),
            dtype=dtype,
            fill_value=0,
            compressors=ZstdCodec(level=LEVEL, checksum=True),
            chunk_key_encoding={"name": "default", "separator": "."},
            dimension_names=AXES,
        )
