"""Prepared scans read from a store: one after another from disk, or many held in memory."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from spineclock.core.errors import InputError, RefusedError
from spineclock.core.volume import Array
from spineclock.prep.kinds import AnyPreparation
from spineclock.prep.masking import Part, bit
from spineclock.prep.store_format import (
    ARRAYS,
    About,
    Entry,
    StoredType,
    chunk_path,
    input_into,
    parts_in,
    read_about,
    read_entries,
    unpacked,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class PreparedScans:
    """Prepared scans by number, wherever they lie: what stores and scans in memory share."""

    about: About
    entries: tuple[Entry, ...]

    def __len__(self) -> int:
        return len(self.entries)

    @cached_property
    def scan_ids(self) -> tuple[str, ...]:
        """Of each scan, in order."""
        return tuple(entry.scan_id for entry in self.entries)

    @property
    def how(self) -> AnyPreparation:
        """How the scans were prepared; the part is the whole spine, and any other can be asked for."""
        return self.about.how

    @property
    def dtype(self) -> StoredType:
        """How the grey values are held."""
        return self.about.dtype

    def parts(self, i: int) -> tuple[Part, ...]:
        """The parts a scan has an input of: the whole spine, and each region that is in view."""
        return parts_in(self.entries[i])

    def affine(self, i: int) -> Array:
        """Index of the input to patient millimetres (RAS+), shape (4, 4)."""
        return np.array(self.entries[i].affine)

    def kept_share(self, i: int, part: Part = "whole") -> float:
        """Volume of the part's margin that fits on the grid, of all of it."""
        return self._of_part(i, part).kept_share[part]

    def input(self, i: int, part: Part = "whole") -> Array:
        """A scan as the network reads it: what ``prepare`` gives for the part, to the stored type's rounding.

        float32, shape ``how.shape``.

        Raises
        ------
        RefusedError
            If the part is not in view.
        InputError
            If what is stored is damaged.
        """
        out = np.empty(self.how.shape, dtype=np.float32)
        self._read_into(out, i, part)
        return out

    def inputs(self, indices: Sequence[int], part: Part = "whole") -> Array:
        """Several scans as a batch, float32, shape (B, 1, D, H, W); errors as in :meth:`input`."""
        out = np.empty((len(indices), 1, *self.how.shape), dtype=np.float32)
        for k, i in enumerate(indices):
            self._read_into(out[k, 0], i, part)
        return out

    def _of_part(self, i: int, part: Part) -> Entry:
        entry = self.entries[i]
        if part not in entry.scales:
            bit(part)  # refuses a name that no part has
            raise RefusedError(f"{entry.scan_id}: {entry.missing.get(part, f'nothing {part} was prepared')}")
        return entry

    def _read_into(self, out: Array, i: int, part: Part) -> None:
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class HeldScans(PreparedScans):
    """Scans of a store in memory, numbered anew from 0 in the order they were asked for.

    ``images`` (n, D, H, W) as stored, ``margins`` (n, D, H, W) a bit for each part.
    """

    images: Array
    margins: Array

    def margin(self, i: int, part: Part = "whole") -> Array:
        """Whether a voxel lies in the part's margin, bool (D, H, W)."""
        found: Array = self.margins[i] & bit(part) != 0
        return found

    def _read_into(self, out: Array, i: int, part: Part) -> None:
        input_into(out, self.images[i], self.margins[i], self._of_part(i, part), part)


@dataclass(frozen=True, eq=False)
class PreparedStore(PreparedScans):
    """A store of prepared scans as ``spineclock prepare`` writes it, numbered from 0 in the order of their rows.

    Every reading compares checksums: what is damaged is an :class:`InputError` that names the scan.

    Examples
    --------
    >>> PreparedStore.open(Path("nowhere"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    spineclock.core.errors.InputError: nowhere is no store of prepared scans ...
    """

    path: Path

    @classmethod
    def open(cls, path: Path) -> PreparedStore:
        """The store in a folder, with the scans that are whole in it.

        Raises
        ------
        InputError
            If the folder is no store, or its index cannot be read.
        """
        about = read_about(path)
        return cls(about, tuple(read_entries(path).values()), path)

    @cached_property
    def positions(self) -> dict[str, int]:
        """The number of each scan, by scan_id."""
        return {scan_id: i for i, scan_id in enumerate(self.scan_ids)}

    def labels(self, i: int) -> Array:
        """A scan's label map in the spineclock numbering, uint16 (D, H, W)."""
        return self._stored(i, "labels")

    def margin(self, i: int, part: Part = "whole") -> Array:
        """Whether a voxel lies in the part's margin, bool (D, H, W)."""
        found: Array = self._stored(i, "margins") & bit(part) != 0
        return found

    def verify(self, i: int) -> None:
        """Reads all that is stored of a scan.

        Raises
        ------
        InputError
            If it is not what was written.
        """
        for array in ARRAYS:
            self._stored(i, array)

    def bytes_needed(self, rows: Sequence[int]) -> int:
        """How much memory :meth:`in_memory` takes for these scans."""
        types = self.about.dtypes()
        return len(rows) * int(np.prod(self.how.shape)) * (types["image"].itemsize + types["margins"].itemsize)

    def in_memory(self, rows: Sequence[int], *, threads: int | None = None) -> HeldScans:
        """These scans, by number, in memory; read by several threads, all of the machine's where not told.

        Raises
        ------
        InputError
            If one of them is damaged.
        """
        types = self.about.dtypes()
        images, margins = (np.empty((len(rows), *self.how.shape), types[name]) for name in ("image", "margins"))

        def read(k: int) -> None:
            self._stored(rows[k], "image", images[k])
            self._stored(rows[k], "margins", margins[k])

        with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
            for _ in pool.map(read, range(len(rows))):
                pass
        return HeldScans(self.about, tuple(self.entries[i] for i in rows), images, margins)

    def _read_into(self, out: Array, i: int, part: Part) -> None:
        entry = self._of_part(i, part)
        regional = part != "whole"
        margins = self._stored(i, "margins") if regional else np.empty(0, np.uint8)
        input_into(out, self._stored(i, "image"), margins, entry, part)

    def _stored(self, i: int, array: str, out: Array | None = None) -> Array:
        """One scan's chunk of an array, compared with its checksum."""
        entry = self.entries[i]
        try:
            chunk = chunk_path(self.path, array, entry.row).read_bytes()
        except FileNotFoundError as error:
            raise self._damaged(entry, array, "is not there") from error
        if hashlib.sha256(chunk).hexdigest() != entry.sha256[array]:
            raise self._damaged(entry, array, "is not what was written")
        if out is None:
            out = np.empty(self.how.shape, dtype=self.about.dtypes()[array])
        return unpacked(chunk, out)

    def _damaged(self, entry: Entry, array: str, what: str) -> InputError:
        return InputError(
            f"{entry.scan_id}: its {array} in {self.path} (row {entry.row}) {what}",
            wanted="the store as it was made",
            remedy="`spineclock prepare … --resume --set verify=true` prepares damaged scans again",
        )
