"""What is told of a vertebral body between the layers: where it lies, and the tissues its signal is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ReferenceName = Literal["csf", "fat", "muscle"]
REFERENCES: tuple[ReferenceName, ...] = ("csf", "fat", "muscle")
Point = tuple[float, float, float]


@dataclass(frozen=True)
class BodyFrame:
    """A vertebral body's own box in its mid-sagittal plane.

    Parameters
    ----------
    level : str
        Such as L3.
    middle_mm : tuple of float
        The box's middle in the patient (right, anterior, superior); from side to side the middle of the canal.
    front, up : tuple of float
        Unit vectors in the patient. ``front`` bisects the end plates' directions, ``up`` is at right angles to it in
        the plane of the slices.
    depth_mm, height_mm : float
        The box's extent along ``front`` and ``up``: from edge to edge of the body, osteophytes included but for
        their thin tips.
    cut : bool
        Whether the body meets the field of view's upper, lower, front or back border.
    """

    level: str
    middle_mm: Point
    front: Point
    up: Point
    depth_mm: float
    height_mm: float
    cut: bool = False


@dataclass(frozen=True)
class ReferenceSignal:
    """The signal of a tissue that scans share, in the scan's own units; NaN, with the reason, where it is not in view.

    >>> ReferenceSignal("fat", reason="the label map marks no fat").known
    False
    """

    name: ReferenceName
    signal: float = float("nan")
    voxels: int = 0
    reason: str = ""

    @property
    def known(self) -> bool:
        """Whether there is a signal to compare with."""
        return self.signal > 0
