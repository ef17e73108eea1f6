"""The files of a store of prepared scans: what it says of itself and of each scan, and how samples are held."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from spineclock.core.errors import InputError
from spineclock.core.volume import Array
from spineclock.prep.intensity import Scale
from spineclock.prep.kinds import AnyPreparation, for_every_part, preparation_told
from spineclock.prep.masking import STORED, Part, bit

SCHEMA = "spineclock.store/1"
ABOUT, INDEX = "store.json", "scans.jsonl"
StoredType = Literal["float16", "uint8"]
ARRAYS = ("image", "labels", "margins")
"""The store's Zarr arrays, each of shape (scans, left–right, superior–inferior, anterior–posterior)."""
LEVEL = 1
"""Of Zstandard: a higher one takes longer and saves nothing, most of a chunk being nothing at all."""
OUTSIDE, FIRST, LAST = 0, 1, 255
"""Codes of a uint8 image: outside the margin, and the lower and upper limit inside."""


@dataclass(frozen=True)
class About:
    """How all scans of a store are prepared, and how their grey values are held."""

    how: AnyPreparation
    dtype: StoredType
    version: str = ""

    def as_json(self) -> dict[str, Any]:
        """As ``store.json`` holds it."""
        return {"schema": SCHEMA, "preparation": for_every_part(self.how), "dtype": self.dtype, "version": self.version}

    def dtypes(self) -> dict[str, np.dtype[Any]]:
        """The type of each array's samples."""
        return {"image": np.dtype(self.dtype), "labels": np.dtype(np.uint16), "margins": np.dtype(np.uint8)}


@dataclass(frozen=True)
class Entry:
    """One scan of a store: where it lies, what it was made from, and how a network's input follows from it.

    Attributes
    ----------
    scan_id : str
    row : int
        Along the first axis of the store's arrays.
    source : mapping
        What was read, in a form that changes when a file does.
    affine : tuple of 4 rows
        Index on the grid to patient millimetres (RAS+).
    limits : (low, high)
        Between which the stored grey values lie, in the whole spine's standard deviations: those of its parts' scales
        that reach furthest.
    scales, kept_share, missing
        By part, as in :class:`spineclock.prep.prepared.Variants`.
    sha256, sizes : mapping of array to checksum and bytes
        Of the files that hold the scan's chunks.
    film : "radiograph", "vfa" or ""
        The kind of a film; "" of other scans.
    sequence : str
        The weighting of an MRI scan where it is told, such as T1w.
    levels : tuple of str
        The vertebrae of a CT that its images are of, from the top down.
    notes : tuple of str
        What header, picture and outlines say against it.
    """

    scan_id: str
    row: int
    source: Mapping[str, Any]
    affine: tuple[tuple[float, ...], ...]
    limits: tuple[float, float]
    scales: Mapping[Part, Scale]
    kept_share: Mapping[Part, float]
    missing: Mapping[str, str]
    sha256: Mapping[str, str]
    sizes: Mapping[str, int]
    film: str = ""
    sequence: str = ""
    levels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def line(self) -> str:
        """As a line of ``scans.jsonl``."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":")) + "\n"

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Entry:
        """From what a line holds."""
        scales = {cast(Part, part): Scale(**scale) for part, scale in told["scales"].items()}
        low, high = told["limits"]
        return cls(**{
            **told, "scales": scales, "limits": (low, high), "affine": tuple(tuple(row) for row in told["affine"]),
            "levels": tuple(told.get("levels", ())), "notes": tuple(told.get("notes", ())),
        })  # fmt: skip

    def codes(self, part: Part) -> Array:
        """The part's input for each of the 256 codes of a uint8 image, float32."""
        low, high = self.limits
        values = low + (high - low) / (LAST - FIRST) * (np.arange(256) - FIRST)
        table = self.scales[part].standard(values).astype(np.float32)
        table[OUTSIDE] = 0
        return table


def input_into(out: Array, image: Array, margins: Array, entry: Entry, part: Part) -> None:
    """Writes a part's input into a float32 array: 0 outside its margin, clipped and standardised inside.

    ``image`` and ``margins`` are as stored. ``out`` must be contiguous and of their shape.
    """
    scale = entry.scales[part]
    if image.dtype == np.uint8:
        np.take(entry.codes(part), image, out=out, mode="clip")
        if part != "whole":
            out *= margins & bit(part) != 0
        return
    np.copyto(out, image)
    np.clip(out, np.float32(scale.low), np.float32(scale.high), out=out)
    if part != "whole":  # the whole spine's mean is 0 and its standard deviation 1, and it is 0 outside already
        out -= np.float32(scale.mean)
        out *= np.float32(1 / scale.sd)
        out *= margins & bit(part) != 0


def coded(image: Array, inside: Array, limits: tuple[float, float], dtype: StoredType) -> Array:
    """Standardised grey values as a store holds them: clipped to the limits, in 16 bits or in 255 steps."""
    low, high = limits
    values = np.where(inside, image.clip(low, high), np.float32(0))
    if dtype == "float16":
        return values.astype(np.float16)
    step = (high - low) / (LAST - FIRST)
    return np.where(inside, np.rint((values - low) / step) + FIRST, OUTSIDE).astype(np.uint8)


def read_about(path: Path) -> About:
    """What a store's ``store.json`` says.

    Raises
    ------
    InputError
        If there is none, or it cannot be used.
    """
    try:
        told = json.loads((path / ABOUT).read_text(encoding="utf-8"))
        if told["schema"] != SCHEMA:
            raise InputError(f"{path} holds {told['schema']!r}", wanted=SCHEMA, remedy="prepare the scans again")
        if told["dtype"] not in ("float16", "uint8"):
            raise ValueError(f"dtype {told['dtype']!r}")
        return About(preparation_told(told["preparation"]), told["dtype"], str(told["version"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is no store of prepared scans ({ABOUT}: {error})",
            wanted="a folder that `spineclock prepare` made",
        ) from error


def read_entries(path: Path) -> dict[str, Entry]:
    """The scans of a store by scan_id, in the order of their rows.

    A later line of a scan stands for the earlier ones; a line without a row says that the scan was taken out. A last
    line that was not written to its end is left out.

    Raises
    ------
    InputError
        If another line cannot be read.
    """
    try:
        lines = (path / INDEX).read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        lines = []
    found: dict[str, Entry] = {}
    for number, line in enumerate(lines, start=1):
        try:
            told = json.loads(line)
            if told["row"] is None:
                found.pop(told["scan_id"], None)
            else:
                found[told["scan_id"]] = Entry.of(told)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"line {number} of {path / INDEX} cannot be read ({error})",
                wanted="the file as `spineclock prepare` wrote it",
                remedy="take that line out; `spineclock prepare … --resume` prepares its scan again",
            ) from error
    return dict(sorted(found.items(), key=lambda item: item[1].row))


def packed(array: Array) -> bytes:
    """An array as a chunk's file holds it; equal arrays give equal bytes."""
    found: bytes = _codec().encode(np.ascontiguousarray(array))
    return found


def unpacked(chunk: bytes, out: Array) -> Array:
    """A chunk's samples, written into an array of their number and type."""
    _codec().decode(chunk, out=out)
    return out


def _codec() -> Any:
    from numcodecs import Zstd  # which Zarr itself packs with

    return Zstd(level=LEVEL, checksum=True)


def chunk_path(path: Path, array: str, row: int) -> Path:
    """The file that holds one scan's chunk of an array, as Zarr names it."""
    return path / array / f"c.{row}.0.0.0"


def parts_in(entry: Entry) -> tuple[Part, ...]:
    """The parts of which a scan has an input."""
    return tuple(part for part in STORED if part in entry.scales)
