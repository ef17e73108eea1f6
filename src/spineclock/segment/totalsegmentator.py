"""TotalSegmentator's label maps of CT: how its program is called, and what it leaves as one map.

The program and its weights are not part of this package (Wasserthal et al., Radiol Artif Intell 5:e230024, 2023;
Apache-2.0; the weights of ``vertebrae_body`` ask for a licence of their own). Nothing of it is imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from scipy import ndimage

from spineclock.core.anatomy import BODY, DISC, LEVEL_NUMBERS
from spineclock.core.errors import GeometryError, UsageError
from spineclock.core.geometry import canonical, require_same_grid
from spineclock.core.volume import Array, Mask
from spineclock.segment.parts import WHOLE, together, with_parts
from spineclock.segment.schemes import to_spineclock

PROGRAM = "TotalSegmentator"
Task = Literal["total", "vertebrae_body"]
BODY_CLASS, DISC_CLASS = 1, 2
"""Numbers in the map of task ``vertebrae_body``: all bodies, all discs."""
REACH_MM = 4.0
"""How far beyond its vertebra in the map of task ``total`` a body of the other map may reach."""

_UPWARDS = [f"{r}{n}" for r, top in (("L", 5), ("T", 12), ("C", 7)) for n in range(top, 0, -1)]
CLASSES: dict[str, int] = {
    "sacrum": 25, "vertebrae_S1": 26, **{f"vertebrae_{level}": 27 + n for n, level in enumerate(_UPWARDS)},
    "spinal_cord": 79, "autochthon_left": 86, "autochthon_right": 87, "iliopsoas_left": 88, "iliopsoas_right": 89,
}  # fmt: skip
"""Numbers of what is used of task ``total``, by the names its files have where every class gets its own."""
WANTED = tuple(
    name for name in CLASSES if name.split("_")[-1] in (*_UPWARDS[:12], "S1") or not name.startswith("vertebrae")
)
"""What is asked for: T6 to the sacrum, cord and muscles; fewer classes take less time."""


def command(
    scan: Path, out: Path, task: Task = "total", *, device: str = "cpu", fast: bool = False, program: str = PROGRAM
) -> list[str]:
    """The call that writes one label map of a task for a NIfTI scan.

    >>> command(Path("ct.nii.gz"), Path("out.nii.gz"), "vertebrae_body")[-4:]
    ['--task', 'vertebrae_body', '--device', 'cpu']
    """
    call = [program, "-i", str(scan), "-o", str(out), "--ml", "--quiet", "--task", task, "--device", device]
    if task == "total":
        call += (["--fast"] if fast else []) + ["--roi_subset", *WANTED]
    return call


def of_classes(maps: Mapping[str, Mask]) -> Mask:
    """One map in the numbering of task ``total`` from the maps of single classes, by their names; others are left out.

    >>> one = Mask(np.array([[[0, 1]]], np.uint8), np.eye(4))
    >>> of_classes({"vertebrae_L5": one, "liver": one}).array.tolist()
    [[[0, 27]]]

    Raises
    ------
    UsageError
        If none of the names is one that is used.
    """
    known = {name: mask for name, mask in maps.items() if name in CLASSES}
    if not known:
        raise UsageError(f"label maps called {', '.join(sorted(maps)) or 'nothing'}",
                         wanted="names such as vertebrae_L1, autochthon_left, iliopsoas_left")  # fmt: skip
    parts = [m.with_array(np.where(m.array != 0, CLASSES[n], 0).astype(np.uint8)) for n, m in known.items()]
    return together(parts)


def merged(total: Mask | Sequence[Mask], body: Mask | None = None) -> Mask:
    """One label map in the spineclock numbering with bodies (200 +), arches (300 +), discs, cord, sacrum and muscles.

    With the map of task ``vertebrae_body`` bodies and discs are its own: a body's voxels outside every vertebra go to
    the nearest within 4 mm, a disc to the vertebra above it. Without it bodies are told from arches by geometry
    (:func:`spineclock.segment.parts.with_parts`), and there are no discs.

    Parameters
    ----------
    total : Mask or sequence of Mask
        Task ``total``, in one map or several on one grid, the earlier believed.
    body : Mask, optional
        Task ``vertebrae_body`` on the same grid.

    Raises
    ------
    UsageError
        If a map holds numbers that its task does not have.
    GeometryError
        If the grids differ, or bodies can be told from arches by nothing.

    Examples
    --------
    >>> total = Mask(np.array([[[27, 27, 27, 0, 28, 28]]], np.uint8), np.eye(4))
    >>> body = Mask(np.array([[[0, 1, 1, 2, 1, 1]]], np.uint8), np.eye(4))
    >>> merged(total, body).array.tolist()
    [[[324, 224, 224, 123, 223, 223]]]
    """
    maps = [total] if isinstance(total, Mask) else list(total)
    labels = to_spineclock(together(maps), "totalsegmentator")
    if body is None:
        return with_parts(labels)
    require_same_grid(labels, canonical(body), what="the maps of total and vertebrae_body")
    body = canonical(body)
    if int(body.array.max(initial=0)) > DISC_CLASS:
        raise UsageError(f"numbers up to {int(body.array.max())} in a map said to be of vertebrae_body",
                         wanted="1 bodies, 2 discs", remedy="give the map of that task")  # fmt: skip
    if not (body.array == BODY_CLASS).any():
        raise GeometryError("a map of vertebrae_body without a body", wanted="at least one")
    return _with_discs(
        with_parts(_grown(labels, body), body.with_array((body.array == BODY_CLASS).astype(np.uint8))), body
    )


def _grown(labels: Mask, body: Mask) -> Mask:
    """The map whose vertebrae take in the body voxels beyond them, and leave the discs out."""
    array = labels.array.astype(np.uint16)
    vertebra = np.isin(array, WHOLE)
    loose = (body.array == BODY_CLASS) & ~vertebra
    if loose.any() and vertebra.any():
        away, at = ndimage.distance_transform_edt(~vertebra, sampling=labels.spacing_mm, return_indices=True)
        taken = loose & (away <= REACH_MM)
        array[taken] = array[tuple(at)][taken]
    array[(body.array == DISC_CLASS) & np.isin(array, WHOLE)] = 0
    return labels.with_array(array)


def _with_discs(parts: Mask, body: Mask) -> Mask:
    """The map with each voxel of disc numbered by the vertebra above it: between whose body and the next it lies."""
    voxels = np.argwhere((body.array == DISC_CLASS) & (parts.array == 0))
    levels = [n for n in WHOLE if (parts.array == BODY + n).any()]
    if not len(voxels) or len(levels) < 2:
        return parts
    spacing = np.asarray(parts.spacing_mm)
    middles = np.array([np.argwhere(parts.array == BODY + n).mean(axis=0) for n in levels]) * spacing
    middles = np.vstack([middles, 2 * middles[-1] - middles[-2]])  # what follows the lowest
    place = np.stack([_between(voxels * spacing, a, b) for a, b in pairwise(middles)])
    best = np.abs(place - 0.5).argmin(axis=0)
    inside = np.abs(place[best, np.arange(len(voxels))] - 0.5) < 0.5
    numbers = np.array([n for n in LEVEL_NUMBERS.values() if n in levels])
    out = np.array(parts.array)
    out[tuple(voxels[inside].T)] = DISC + numbers[best[inside]]
    return parts.with_array(out)


def _between(points: Array, above: Array, below: Array) -> Array:
    """How far along the way from one middle to the next each point lies, 0 … 1 between them."""
    way = below - above
    return np.asarray((points - above) @ way / (way @ way))
