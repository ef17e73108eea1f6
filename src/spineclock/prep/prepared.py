"""From a scan and its label map to what the spine-age network reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spineclock.core.geometry import require_same_grid
from spineclock.core.volume import Array, Mask, Volume
from spineclock.prep.grid import on_grid
from spineclock.prep.intensity import standardised
from spineclock.prep.masking import Part, dilated, union


@dataclass(frozen=True)
class Preparation:
    """How a scan is prepared: the paper's steps, with numbers it does not state and that are our choice."""

    part: Part = "whole"
    """Which vertebrae are kept: the whole spine with all that belongs to it, or those of one region."""
    margin_mm: float = 10.0
    """How far round the label map the image is kept."""
    spacing_mm: tuple[float, float, float] = (4.0, 1.0, 1.0)
    """Left–right, superior–inferior, anterior–posterior."""
    shape: tuple[int, int, int] = (32, 640, 256)
    """Left–right, superior–inferior, anterior–posterior."""
    percentiles: tuple[float, float] = (0.5, 99.5)
    """Limits to which grey values inside the margin are clipped."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A network's input and where it lies in the patient.

    Attributes
    ----------
    volume : Volume, float32
        Grey values in standard deviations, 0 outside the margin; axes left → right, superior → inferior,
        anterior → posterior.
    inside : Mask
        1 within the margin, on the same grid.
    kept_share : float
        Volume of the dilated spine that fits on the grid, of all of it; 1 where nothing was cut off.
    how : Preparation
        The parameters it was made with.
    """

    volume: Volume
    inside: Mask
    kept_share: float
    how: Preparation

    @property
    def array(self) -> Array:
        """The input, shape ``how.shape``."""
        return self.volume.array

    @property
    def affine(self) -> Array:
        """Index of the input to patient millimetres (RAS+), so that maps can go back to the scan."""
        return self.volume.affine


def prepare(volume: Volume, mask: Mask, how: Preparation | None = None) -> Prepared:
    """The scan as the age network reads it.

    Union of the labels → dilated → zero outside → resampled → cut or filled to a fixed size round the centre of the
    scan → clipped and standardised inside the dilated mask. The answer does not depend on the axis order the scan is
    stored in, nor on a factor on its grey values.

    Parameters
    ----------
    volume : Volume
        The scan.
    mask : Mask
        Its label map in the spineclock numbering, on the same grid.
    how : Preparation, optional
        Parameters; the default is the whole spine.

    Raises
    ------
    GeometryError
        If scan and label map do not share a grid.
    RefusedError
        If the label map holds none of the part, or the image has no contrast there.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> scan = Volume(rng.normal(100, 10, (8, 60, 80)), np.diag([4.0, 1.0, 1.0, 1.0]))
    >>> labels = np.zeros((8, 60, 80), dtype=np.int16)
    >>> labels[3:5, 20:40, 30:50] = 22  # L3
    >>> p = prepare(scan, Mask(labels, scan.affine), Preparation(part="lumbar", shape=(16, 128, 64)))
    >>> p.array.shape, p.volume.spacing_mm, bool((p.array[p.inside.array == 0] == 0).all())
    ((16, 128, 64), (4.0, 1.0, 1.0), True)
    """
    how = how or Preparation()
    require_same_grid(volume, mask, what="the scan and its label map")
    margin = dilated(union(mask, how.part), how.margin_mm)
    kept = volume.with_array(np.where(margin.array != 0, volume.array, 0).astype(np.float32))
    inside = on_grid(margin, spacing_mm=how.spacing_mm, shape=how.shape)
    image = on_grid(kept, spacing_mm=how.spacing_mm, shape=how.shape)
    array = standardised(image.array, inside.array != 0, percentiles=how.percentiles)
    volumes_mm3 = [np.count_nonzero(m.array) * m.voxel_mm3 for m in (inside, margin)]
    return Prepared(image.with_array(array), inside, min(1.0, volumes_mm3[0] / volumes_mm3[1]), how)
