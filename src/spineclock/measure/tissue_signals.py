"""The signals of fluid, fat and muscle near the lumbar vertebrae, to which the marrow's is compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spineclock.core.anatomy import Structure
from spineclock.core.bone import BodyFrame, ReferenceName, ReferenceSignal
from spineclock.core.geometry import canonical, require_same_grid
from spineclock.core.volume import Array, Mask, Volume
from spineclock.measure.frame import Pieces

Bools = npt.NDArray[np.bool_]

MUSCLES = (Structure.PSOAS_LEFT, Structure.PSOAS_RIGHT, Structure.ERECTOR_LEFT, Structure.ERECTOR_RIGHT)
MARGIN_MM = 1.0
"""How far within its edge a tissue is taken, within the slice."""
CANAL_MARGIN_MM = 2.0
"""The same of a canal that is marked as a whole: epidural fat and ligaments line it."""
CANAL_PERCENTILE = {"T1w": 25.0, "T2w": 75.0}
"""What of a canal marked as a whole counts as fluid: roots and cord are brighter on T1 and darker on T2."""
FEWEST = 30
"""A signal of fewer voxels says too little."""


def references(
    volume: Volume, labels: Mask, found: Pieces, frames: Mapping[str, BodyFrame], *, weighting: Literal["T1w", "T2w"],
    tissues: Mask | None = None,
) -> dict[ReferenceName, ReferenceSignal]:  # fmt: skip
    """The signals of CSF at L3, and of fat and muscle at the heights of the bodies L1–L4, in the scan's own units.

    CSF: the median of what is marked so at the height of L3's body, 1 mm within its edge; where the map marks only the
    canal, the 25th percentile (T2w: the 75th) of the canal there, 2 mm within its edge. Fat: the median of what is
    marked subcutaneous; muscle: that of psoas and erector spinae. Both 1 mm within their edges.

    Parameters
    ----------
    volume, labels : Volume, Mask
        The scan and its map, one grid, any orientation.
    found, frames : Pieces, mapping of str to BodyFrame
        What :func:`~spineclock.measure.body_frames.body_pieces` and ``body_frames`` give of them.
    tissues : Mask, optional
        Another map on the grid, which is asked where ``labels`` marks none.

    Raises
    ------
    GeometryError
        If ``tissues`` lies on another grid.
    """
    maps = [labels] if tissues is None else [labels, tissues]
    for one in maps:
        require_same_grid(volume, one, what="the scan and its map of tissues")
    grid, arrays = canonical(volume), [canonical(one).array for one in maps]
    lumbar = [frames[level] for level in ("L1", "L2", "L3", "L4") if level in frames]

    def marked(numbers: tuple[int, ...]) -> Bools:
        each = [np.isin(array, numbers) for array in arrays]
        return next((m for m in each if m.any()), each[0])

    return {
        "csf": _csf(grid, marked((Structure.CSF,)), found, frames.get("L3"), weighting),
        "fat": _tissue(grid, "fat", marked((Structure.SUBCUTANEOUS_FAT,)), lumbar),
        "muscle": _tissue(grid, "muscle", marked(MUSCLES), lumbar),
    }


def _csf(
    grid: Volume, marked: Bools, found: Pieces, frame: BodyFrame | None, weighting: str
) -> ReferenceSignal:  # fmt: skip
    if frame is None:
        return ReferenceSignal("csf", reason="L3, at whose height CSF is taken, was not found")
    whole = marked.any()
    if not whole and found.canal is not None:
        piece = found.canal
        box = tuple(slice(f, f + n) for f, n in zip(piece.first, piece.inside.shape, strict=True))
        marked = np.zeros(grid.shape, bool)
        marked[box] = piece.inside
    rows = _rows(grid, [frame])
    if not marked[:, :, rows].any():
        return ReferenceSignal("csf", reason="neither CSF nor canal is marked at the height of L3")
    percentile = 50.0 if whole else CANAL_PERCENTILE[weighting]
    return _level(grid, "csf", marked, rows, MARGIN_MM if whole else CANAL_MARGIN_MM, percentile)


def _tissue(grid: Volume, name: ReferenceName, marked: Bools, frames: list[BodyFrame]) -> ReferenceSignal:
    if not marked.any():
        return ReferenceSignal(name, reason=f"the label map marks no {name}")
    if not frames:
        return ReferenceSignal(name, reason="none of L1–L4 was found")
    return _level(grid, name, marked, _rows(grid, frames), MARGIN_MM, 50.0)


def _rows(grid: Volume, frames: list[BodyFrame]) -> slice:
    """The rows of a canonical grid between the lowest and the highest end plate of some bodies."""
    inverse = np.linalg.inv(grid.affine)
    k = [float(inverse[2, :3] @ np.asarray(f.middle_mm) + inverse[2, 3]) for f in frames]
    half = [f.height_mm / 2 / grid.spacing_mm[2] for f in frames]
    low = min(a - b for a, b in zip(k, half, strict=True))
    high = max(a + b for a, b in zip(k, half, strict=True))
    return slice(max(0, int(np.ceil(low))), max(0, int(np.floor(high)) + 1))


def _level(
    grid: Volume, name: ReferenceName, marked: Array, rows: slice, margin_mm: float, percentile: float
) -> ReferenceSignal:  # fmt: skip
    """A percentile of a tissue within its edge, over some rows."""
    _, dy, dz = grid.spacing_mm
    wide = int(np.ceil(margin_mm / dz)) + 1
    around = slice(max(0, rows.start - wide), rows.stop + wide)  # so that the rows' ends are no edges
    part = marked[:, :, around]
    depth = ndimage.distance_transform_edt(np.pad(part, ((0, 0), (1, 1), (0, 0))), sampling=(1e6, dy, dz))[:, 1:-1]
    core = depth >= margin_mm + (dy + dz) / 4
    inner = slice(rows.start - around.start, rows.stop - around.start)
    values = grid.array[:, :, rows][core[:, :, inner]]
    if len(values) < FEWEST:
        return ReferenceSignal(name, voxels=len(values), reason=f"only {len(values)} voxels of {name} are in view")
    signal = float(np.percentile(values, percentile))
    reason = "" if signal > 0 else f"the signal of {name} is {signal:g}"
    return ReferenceSignal(name, signal if signal > 0 else float("nan"), len(values), reason)
