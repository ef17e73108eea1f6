"""Label maps in the numbering of other systems, to the spineclock numbering and back.

Where the numbers come from:

* ``spider``: the data set's record (zenodo.org/records/10159290) and van der Graaf et al., Sci Data 11:264 (2024).
* ``totalspineseg``: ``resources/labels_maps/tss_map.json`` of neuropoly/totalspineseg (its step 2 output). Releases of
  2024 and before numbered otherwise (L5 18, cord 200) and are not accepted.
* ``spineps``: the vertebra mask (``seg-vert``) by the label table in Hendrik-code/spineps' README and
  ``TPTBox/core/vert_constants.py``; ``spineps-subregions`` is its other mask (``seg-spine``), which knows no levels.
* ``verse``: Sekuboyina et al., Med Image Anal 73:102166 (2021), and the data set's README: vertebrae alone, C1 1 … L5
  24, L6 25, sacrum 26, coccyx 27, T13 28.
* ``totalsegmentator``: task ``total`` of version 2, and ``totalsegmentator-mr``: task ``total_mr``, by the class
  tables in wasserth/TotalSegmentator's README; the latter has one number for all vertebrae.
* ``classes``: the embedded network's own, 1 disc, 2 vertebra, 3 canal, 4 sacrum.

Masks without levels (``classes``, ``spineps-subregions``, ``totalsegmentator-mr``) are numbered by
:func:`spineclock.segment.instances.find`, from the sacrum up, or with the lowest disc taken for L5/S1.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from spineclock.core.anatomy import ARCH, BODY, DISC, LEVEL_NAMES, LEVEL_NUMBERS, RIB, Structure
from spineclock.core.errors import UsageError
from spineclock.core.volume import Array, Mask
from spineclock.segment.instances import CANAL_CLASS, DISC_CLASS, SACRUM_CLASS, VERTEBRA_CLASS, find, semantic

Table = dict[int, int]
"""Number there → number here; 0 for what a scheme has and we leave out."""

_PRESACRAL = [n for name, n in LEVEL_NUMBERS.items() if name != "S1"]
_USUAL_UPWARDS = [LEVEL_NUMBERS[f"{r}{n}"] for r, top in (("L", 5), ("T", 12), ("C", 7)) for n in range(top, 0, -1)]
_SACRUM = LEVEL_NUMBERS["S1"]


def _spineclock() -> Table:
    parts = [n + offset for n in LEVEL_NUMBERS.values() for offset in (0, DISC, BODY, ARCH, RIB)]
    return {n: n for n in (*parts, *map(int, Structure))}


def _spider() -> Table:
    table = {100: int(Structure.CANAL)}
    for n, level in enumerate(_USUAL_UPWARDS, start=1):
        table |= {n: level, 100 + n: level, 200 + n: level + DISC}
    table |= {25: 0, 125: 0, 225: 0}  # a 25th vertebra up would lie above C1
    return table


def _totalspineseg() -> Table:
    table = {1: int(Structure.CORD), 2: int(Structure.CANAL), 50: _SACRUM}
    for start, region, last in ((10, "C", 7), (20, "T", 12), (40, "L", 7)):
        table |= {start + n: LEVEL_NUMBERS[f"{region}{n}"] for n in range(1, last + 1)}
    discs = [(61 + n, f"C{n}") for n in range(2, 7)] + [(71, "C7")] + [(71 + n, f"T{n}") for n in range(1, 12)]
    discs += [(91, "T12")] + [(91 + n, f"L{n}") for n in range(1, 5)] + [(100, "L5")]
    return table | {number: LEVEL_NUMBERS[level] + DISC for number, level in discs}


def _spineps() -> Table:
    vertebrae = [*range(1, 27), 28]
    table = {n: n for n in vertebrae} | {100 + n: DISC + n for n in vertebrae} | {200 + n: n for n in vertebrae}
    table |= {n + 32: RIB + n for n in range(7, 20)} | {53: RIB + 28}
    return table | {60: int(Structure.CORD), 61: int(Structure.CANAL)} | dict.fromkeys((27, *range(29, 34)), 0)


def _verse() -> Table:
    return {n: n for n in (*range(1, 27), 28)} | {27: 0}


def _totalsegmentator() -> Table:
    table: Table = dict.fromkeys(range(1, 118), 0)
    table |= {26 + n: level for n, level in enumerate(_USUAL_UPWARDS, start=1)}
    table |= {25: _SACRUM, 26: _SACRUM, 79: int(Structure.CORD)}
    table |= {first + n: RIB + LEVEL_NUMBERS[f"T{n}"] for first in (91, 103) for n in range(1, 13)}
    table |= {86: int(Structure.ERECTOR_LEFT), 87: int(Structure.ERECTOR_RIGHT)}
    return table | {88: int(Structure.PSOAS_LEFT), 89: int(Structure.PSOAS_RIGHT)}


_LEVELS: dict[str, Table] = {
    "spineclock": _spineclock(),
    "spider": _spider(),
    "totalspineseg": _totalspineseg(),
    "spineps": _spineps(),
    "verse": _verse(),
    "totalsegmentator": _totalsegmentator(),
}
_CLASSES: dict[str, Table] = {
    "classes": {1: DISC_CLASS, 2: VERTEBRA_CLASS, 3: CANAL_CLASS, 4: SACRUM_CLASS},
    "spineps-subregions": dict.fromkeys([*range(41, 51), 62], VERTEBRA_CLASS)
    | {60: CANAL_CLASS, 61: CANAL_CLASS, 100: DISC_CLASS, 26: SACRUM_CLASS},
    "totalsegmentator-mr": dict.fromkeys(range(1, 57), 0)
    | {18: SACRUM_CLASS, 19: VERTEBRA_CLASS, 20: DISC_CLASS, 21: CANAL_CLASS},
}
SCHEMES = (*_LEVELS, *_CLASSES)
"""Names of the numberings a mask can be read in."""
WRITABLE = (*_LEVELS, "classes")
"""Names of the numberings a mask can be written in."""


def to_spineclock(mask: Mask, scheme: str) -> Mask:
    """The label map in the spineclock numbering.

    What the scheme numbers and the spine has no use for (other organs, coccyx) becomes background; SPINEPS's endplates
    join their vertebra, SPIDER's partial vertebrae keep their level. TotalSpineSeg's disc above the sacrum is that
    below the lowest lumbar vertebra present.

    Parameters
    ----------
    mask : Mask
        Canonical where the scheme knows no levels.
    scheme : str
        One of :data:`SCHEMES`.

    Raises
    ------
    UsageError
        If there is no such scheme, or the mask holds numbers it does not have.

    Examples
    --------
    >>> mask = Mask(np.array([[[0, 1, 2, 201, 100]]]), np.eye(4))
    >>> to_spineclock(mask, "spider").array.tolist()
    [[[0, 24, 23, 124, 61]]]
    """
    _known(scheme, SCHEMES)
    table = {**_LEVELS, **_CLASSES}[scheme]
    present = _present(mask)
    foreign = [n for n in present if n not in table]
    if foreign:
        raise UsageError(
            f"numbers {_listed(foreign)} in a mask said to be {scheme}",
            wanted=f"numbers of that scheme, {_listed(sorted(table))}",
            remedy=f"name the scheme the mask was made in ({', '.join(SCHEMES)})",
        )
    if scheme == "totalspineseg":
        table = table | {100: DISC + _lowest_lumbar(table[n] for n in present)}
    out = _mapped(mask, table)
    return find(out).labels if scheme in _CLASSES else out


def from_spineclock(mask: Mask, scheme: str) -> Mask:
    """The label map in another numbering; what has no number there becomes background (see :func:`left_out`).

    ``spider`` counts vertebrae and discs from the lowest in the mask up, whatever its level, and has no mark for
    partial ones here. Bodies and arches are written as their vertebra, cord and CSF as the canal, where a scheme
    has no numbers for parts.

    Raises
    ------
    UsageError
        If the scheme cannot be written, or the mask holds numbers that are none of ours.

    Examples
    --------
    >>> mask = Mask(np.array([[[0, 24, 23, 124, 61]]]), np.eye(4))
    >>> from_spineclock(mask, "totalspineseg").array.tolist()
    [[[0, 45, 44, 100, 2]]]
    """
    present = _ours(mask, scheme)
    if scheme == "classes":
        return semantic(mask)
    return _mapped(mask, _reverse(scheme, present))


def left_out(mask: Mask, scheme: str) -> tuple[int, ...]:
    """Numbers of a spineclock mask that :func:`from_spineclock` leaves out because the scheme has none for them.

    >>> left_out(Mask(np.array([[[0, 24, 124, 61]]]), np.eye(4)), "totalsegmentator")
    (61, 124)
    """
    present = _ours(mask, scheme)
    if scheme == "classes":
        ours = np.array(present, int).reshape(1, 1, -1)
        classes = semantic(Mask(ours, np.eye(4))).array.ravel() if present else ours.ravel()
        return tuple(n for n, c in zip(present, classes, strict=True) if c == 0)
    table = _reverse(scheme, present)
    return tuple(n for n in present if not table.get(n))


def _reverse(scheme: str, present: list[int]) -> Table:
    """Number here → number there, for the numbers present."""
    if scheme == "spineclock":
        return {n: n for n in present}
    if scheme == "spider":
        table = _spider_numbers(present)
    else:
        table = {}
        for there, here in sorted(_LEVELS[scheme].items()):
            if here and here < RIB:
                table.setdefault(here, there)
        if scheme == "spineps":
            table |= {here: there for there, here in _spineps().items() if here > RIB}
        if scheme == "totalspineseg":
            lowest = _lowest_lumbar(present)
            table.pop(LEVEL_NUMBERS["L5"] + DISC)
            table[lowest + DISC] = 100
    if canal := table.get(int(Structure.CANAL)):  # what lies in it counts as canal where it has no number of its own
        table = {int(Structure.CORD): canal, int(Structure.CSF): canal} | table
    parts = {n: table.get(n % 100, 0) for n in present if BODY < n < RIB}
    return table | {n: v for n, v in parts.items() if v and n % 100 != _SACRUM}


def _spider_numbers(present: list[int]) -> Table:
    """Vertebrae 1, 2, … and discs 201, 202, … from the lowest level present up."""
    levels = {n % 100 for n in present if n < RIB and n % 100 in _PRESACRAL}
    table = {int(Structure.CANAL): 100}
    order = sorted(levels, key=_upwards_key)
    for n, level in enumerate(order[:24], start=1):
        table |= {level: n, level + DISC: 200 + n}
    return table


def _upwards_key(level: int) -> int:
    """Place of a level counted from the lowest possible one."""
    return -list(LEVEL_NUMBERS.values()).index(level)


def _lowest_lumbar(present: Iterable[int]) -> int:
    """L5, or L6 or L7 where such a vertebra is present."""
    names = {LEVEL_NAMES.get(n) for n in present}
    return LEVEL_NUMBERS[next((name for name in ("L7", "L6") if name in names), "L5")]


def _ours(mask: Mask, scheme: str) -> list[int]:
    """Numbers in a spineclock mask, after checking them and the scheme."""
    _known(scheme, WRITABLE)
    present = _present(mask)
    foreign = [n for n in present if n not in _LEVELS["spineclock"]]
    if foreign:
        raise UsageError(f"numbers {_listed(foreign)} in a spineclock mask",
                         wanted="vertebrae 1–29, discs 101–129, canal 61, … (see spineclock.core.anatomy)")  # fmt: skip
    return present


def _known(scheme: str, known: tuple[str, ...]) -> None:
    if scheme not in known:
        raise UsageError(f"no mask scheme is called {scheme!r}", wanted=", ".join(known))


def _present(mask: Mask) -> list[int]:
    array = mask.array
    if array.size and array.min() >= 0 and array.max() < 65536:
        return [int(n) for n in np.flatnonzero(np.bincount(array.ravel().astype(np.uint16))) if n]
    return [int(n) for n in np.unique(array) if n]


def _mapped(mask: Mask, table: Table) -> Mask:
    lookup: Array = np.zeros(max([int(mask.array.max(initial=0)), *table]) + 1, np.uint16)
    for source, target in table.items():
        lookup[source] = target
    out = lookup[mask.array]
    return mask.with_array(out.astype(np.uint8) if out.max(initial=0) < 256 else out)


def _listed(numbers: list[int], most: int = 40) -> str:
    """Numbers as text, runs shortened.

    >>> _listed([1, 2, 3, 7])
    '1–3, 7'
    """
    runs: list[list[int]] = []
    for n in numbers:
        if runs and n == runs[-1][1] + 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    text = [str(a) if a == b else f"{a}–{b}" for a, b in runs]
    return ", ".join(text[:most]) + (", …" if len(text) > most else "")
