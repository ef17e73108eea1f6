"""How bright and how even the marrow of the lumbar vertebrae is, beside fluid, fat and muscle: the vertebral bone
quality score (VBQ) and its relatives.

VBQ (Ehresman et al., Spine J 20:1050, 2020): on T1-weighted images, the median of the signals of L1–L4 over the signal
of CSF at L3; fatty marrow is bright and fluid dark, so it rises as bone is lost. A plain ratio, no background is taken
off. Not comparable between field strengths and protocols without more ado.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from spineclock.core.anatomy import LEVEL_NUMBERS
from spineclock.core.bone import REFERENCES, BodyFrame, ReferenceName, ReferenceSignal
from spineclock.core.errors import UsageError
from spineclock.core.geometry import canonical
from spineclock.core.volume import Array, Mask, Volume
from spineclock.measure.body_frames import body_pieces, frames_of
from spineclock.measure.frame import FEWEST, LAYER_MM, Piece, Pieces
from spineclock.measure.sections import sections
from spineclock.measure.tissue_signals import references

Bools = npt.NDArray[np.bool_]

SCORED = ("L1", "L2", "L3", "L4")
MARGIN_MM = 3.0
"""How far within a body's edge, in its slice, its marrow is taken: cortex, end plates and their chemical shift stay
out."""
VEIN_DEPTH, VEIN_HEIGHT = 0.45, 0.34
"""What is left out for the basivertebral vein: this share of the depth from the back, this share of the height about
the middle."""
NAN = float("nan")


@dataclass(frozen=True)
class MarrowSignal:
    """The marrow of one body, in the scan's own units.

    ``signal`` is the mean of the region, as a workstation's region of interest gives it; ``sd`` its standard deviation,
    noise included, and ``variation`` = sd ÷ signal.
    """

    level: str
    signal: float
    median: float
    sd: float
    voxels: int

    @property
    def variation(self) -> float:
        """SD over mean, which needs no reference."""
        return self.sd / self.signal if self.signal > 0 else NAN


@dataclass(frozen=True)
class BoneQuality:
    """The scores of a scan; each NaN with its reason where something it needs is not in view.

    Attributes
    ----------
    weighting : {"T1w", "T2w"}
    levels : tuple of MarrowSignal
        L1–L4 as far as they are whole in view.
    references : mapping of str to ReferenceSignal
        CSF at L3, fat and muscle.
    vbq : float
        The score; T1-weighted scans that show L1–L4 and CSF at L3 have one.
    to_csf, to_fat, to_muscle : float
        Median over the levels in view of their signal over the tissue's, whatever the weighting.
    marrow_variation : float
        Median over the levels in view of SD ÷ mean.
    reasons : mapping of str to str
        Why a score is NaN.
    """

    weighting: Literal["T1w", "T2w"]
    levels: tuple[MarrowSignal, ...]
    references: Mapping[ReferenceName, ReferenceSignal]
    vbq: float
    to_csf: float
    to_fat: float
    to_muscle: float
    marrow_variation: float
    reasons: Mapping[str, str]

    def wide(self) -> dict[str, float]:
        """All scores by name, and each level's signal over CSF's."""
        names = ("vbq", "to_csf", "to_fat", "to_muscle", "marrow_variation")
        csf = self.references["csf"].signal
        each = {f"{level}.to_csf": NAN for level in SCORED} | {f"{m.level}.to_csf": m.signal / csf for m in self.levels}
        return {name: float(getattr(self, name)) for name in names} | each


def bone_quality(
    volume: Volume,
    labels: Mask,
    bodies: Mask | None = None,
    *,
    weighting: Literal["T1w", "T2w"],
    tissues: Mask | None = None,
) -> BoneQuality:
    """The vertebral bone quality score and the marrow's signals of a scan.

    A body's region is its voxels within 5 mm of the middle of the canal that lie 3 mm within its edge, less the
    basivertebral vein's place: the middle third of the height in the back 45% of the depth. It changes with no factor
    on the grey values. Fluid, fat and muscle: see :func:`spineclock.measure.tissue_signals.references`.

    Parameters
    ----------
    volume : Volume
        The scan, any orientation.
    labels : Mask
        Spineclock numbering on the same grid.
    bodies : Mask, optional
        200 + the vertebra's number in bodies; ``labels`` itself where it tells bodies and arches apart.
    weighting : {"T1w", "T2w"}
        Whether fluid is dark or bright.
    tissues : Mask, optional
        A map on the same grid that marks CSF, fat or muscle, where ``labels`` does not.

    Raises
    ------
    GeometryError
        If the maps lie on different grids.
    UsageError
        If the weighting is another.

    Examples
    --------
    >>> array = np.zeros((5, 90, 200), np.uint8)
    >>> for n in range(4):  # L4 … L1, 34 by 26 mm each
    ...     array[:, 40:74, 10 + 36 * n : 36 + 36 * n] = 223 - n
    >>> array[:, 20:34] = 62
    >>> scan = Volume(np.where(array > 200, 300.0, np.where(array == 62, 120.0, 0.0)), np.eye(4))
    >>> found = bone_quality(scan, Mask(array, np.eye(4)), weighting="T1w")
    >>> found.vbq, found.to_fat, found.reasons["to_fat"]
    (2.5, nan, 'the label map marks no fat')
    """
    if weighting not in ("T1w", "T2w"):
        raise UsageError(f"a bone quality of a scan weighted {weighting!r}", wanted="T1w or T2w")
    found, affine = body_pieces(volume, labels, bodies), canonical(volume).affine
    frames = frames_of(found, sections(found), affine)
    levels = tuple(
        marrow
        for level in SCORED
        if level in frames and not frames[level].cut and (marrow := _marrow(level, found, frames[level], affine))
    )
    tissue = references(volume, labels, found, frames, weighting=weighting, tissues=tissues)
    typical = float(np.median([m.signal for m in levels])) if levels else NAN
    scores: dict[str, float] = {f"to_{name}": typical / tissue[name].signal for name in REFERENCES}
    scores["vbq"] = scores["to_csf"] if weighting == "T1w" and len(levels) == len(SCORED) else NAN
    scores["marrow_variation"] = float(np.median([m.variation for m in levels])) if levels else NAN
    reasons = _reasons(scores, levels, tissue, weighting)
    return BoneQuality(weighting, levels, tissue, reasons=reasons, **scores)


def marrow_region(piece: Piece, frame: BodyFrame, affine: Array) -> Bools:
    """The voxels of a body that count as its marrow, shape of the piece's box; see :func:`bone_quality`.

    ``affine`` is the canonical scan's.
    """
    core = piece.core(MARGIN_MM, LAYER_MM)
    at = np.stack(np.meshgrid(*(f + np.arange(n) for f, n in zip(piece.first, core.shape, strict=True)), indexing="ij"))
    from_middle = np.tensordot(affine[:3, :3], at, axes=1) + (affine[:3, 3] - frame.middle_mm)[:, None, None, None]
    u, v = (np.tensordot(np.asarray(axis), from_middle, axes=1) for axis in (frame.front, frame.up))
    vein = (u < (VEIN_DEPTH - 0.5) * frame.depth_mm) & (np.abs(v) < VEIN_HEIGHT / 2 * frame.height_mm)
    return np.asarray(core & ~vein)


def _marrow(level: str, found: Pieces, frame: BodyFrame, affine: Array) -> MarrowSignal | None:
    piece = found.bodies[LEVEL_NUMBERS[level]]
    values = piece.samples[marrow_region(piece, frame, affine)].astype(np.float64)
    if len(values) < FEWEST:
        return None
    return MarrowSignal(level, float(values.mean()), float(np.median(values)), float(values.std()), len(values))


def _reasons(
    scores: Mapping[str, float], levels: tuple[MarrowSignal, ...], tissue: Mapping[ReferenceName, ReferenceSignal],
    weighting: str,
) -> dict[str, str]:  # fmt: skip
    """Why each score that is NaN is."""
    out = {}
    absent = [level for level in SCORED if level not in {m.level for m in levels}]
    for name, value in scores.items():
        if value == value:
            continue
        if not levels:
            out[name] = "none of L1–L4 is whole in view"
        elif name == "vbq" and weighting != "T1w":
            out[name] = "the score is defined on T1-weighted images; to_csf is its like on T2"
        elif name == "vbq" and absent:
            out[name] = f"{', '.join(absent)} not whole in view"
        else:
            out[name] = next((tissue[r].reason for r in REFERENCES if name == f"to_{r}"), tissue["csf"].reason)
    return out
