"""Images in space: the frozen types every layer hands to the next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from spineclock.core.errors import GeometryError

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Volume:
    """A scan's samples and where they lie in the patient.

    Parameters
    ----------
    array : ndarray, shape (I, J, K)
        Samples; stored read-only. A radiograph or a single slice has one axis of length 1.
    affine : ndarray, shape (4, 4)
        Voxel index to patient millimetres, axes right, anterior, superior positive (RAS+).

    Raises
    ------
    GeometryError
        If the array is not three-dimensional or the affine cannot be inverted.

    Examples
    --------
    >>> v = Volume(np.zeros((4, 5, 6)), np.diag([2.0, 1.0, 0.5, 1.0]))
    >>> v.spacing_mm
    (2.0, 1.0, 0.5)
    """

    array: Array
    affine: Array

    def __post_init__(self) -> None:
        array = np.asarray(self.array)
        affine = np.asarray(self.affine, dtype=np.float64)
        if array.ndim != 3:
            raise GeometryError(f"an array of {array.ndim} axes, shape {array.shape}", wanted="three axes")
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise GeometryError(
                f"an affine of shape {affine.shape} with values {affine.tolist()}",
                wanted="a finite 4 × 4 matrix",
            )
        lengths = np.linalg.norm(affine[:3, :3], axis=0)
        if (lengths <= 0).any() or abs(np.linalg.det(affine[:3, :3])) < 1e-4 * lengths.prod():
            raise GeometryError(
                f"a singular affine, columns of length {lengths.round(4).tolist()} mm",
                wanted="three independent axes",
                remedy="export the scan again, or repair its orientation header",
            )
        for name, value in (("array", array), ("affine", affine)):
            value = value.view()
            value.flags.writeable = False
            object.__setattr__(self, name, value)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Samples along each axis."""
        i, j, k = self.array.shape
        return i, j, k

    @cached_property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbouring samples along each axis, in millimetres."""
        i, j, k = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(i), float(j), float(k)

    @property
    def voxel_mm3(self) -> float:
        """Volume of one voxel in cubic millimetres."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    def with_array(self, array: Array) -> Self:
        """The same grid holding other samples."""
        return replace(self, array=array)


@dataclass(frozen=True, eq=False)
class Mask(Volume):
    """An integer label map in space (see :mod:`spineclock.core.anatomy` for the numbers).

    Raises
    ------
    GeometryError
        If the labels are not whole numbers.
    """

    def __post_init__(self) -> None:
        if not np.issubdtype(np.asarray(self.array).dtype, np.integer):
            raise GeometryError(f"a label map of type {np.asarray(self.array).dtype}", wanted="whole numbers")
        super().__post_init__()
