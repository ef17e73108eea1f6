"""From a scan and its label map to what the spine-age network reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from spineclock.core.errors import RefusedError
from spineclock.core.geometry import require_same_grid
from spineclock.core.volume import Array, Mask, Volume
from spineclock.prep.grid import on_grid
from spineclock.prep.intensity import Scale, standardised
from spineclock.prep.masking import PARTS, Part, bit, dilated, middle_of, nothing_of, parts_of

Middle = npt.NDArray[np.float64] | None


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
    centre: Literal["scan", "spine"] = "scan"
    """What is in the middle: the scan's own middle, or that of the box round the spine in view."""

    @classmethod
    def told(cls, told: Mapping[str, Any]) -> Preparation:
        """From the same values as JSON holds them; TypeError where a name is none of these.

        >>> Preparation.told({"shape": [16, 128, 64]}).shape
        (16, 128, 64)
        """
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in told.items()}
        return cls(**values)


@dataclass(frozen=True, eq=False)
class PreparedInput:
    """A network's input and where it lies in the patient.

    Attributes
    ----------
    volume : Volume, float32
        What the network reads, 0 outside; axes left → right, superior → inferior, anterior → posterior.
    inside : Mask
        1 where there is something to read, on the same grid.
    kept_share : float
        Of what there was to read, how much fits on the grid.
    """

    volume: Volume
    inside: Mask
    kept_share: float

    @property
    def array(self) -> Array:
        """The input, shape ``how.shape``."""
        return self.volume.array

    @property
    def affine(self) -> Array:
        """Index of the input to patient millimetres (RAS+), so that maps can go back to the scan."""
        return self.volume.affine


@dataclass(frozen=True, eq=False)
class Prepared(PreparedInput):
    """A scan as a network reads it: grey values in standard deviations, ``inside`` the margin round the spine.

    ``kept_share`` is the volume of the dilated spine that fits on the grid, of all of it; 1 where nothing was cut off.
    ``how``: the parameters it was made with.
    """

    how: Preparation


@dataclass(frozen=True, eq=False)
class Variants:
    """A scan from which the network's input of every part follows; all on the fixed grid.

    Attributes
    ----------
    image : Volume, float32
        Grey values in the whole spine's standard deviations from its mean, *not* clipped; 0 outside its margin.
    labels : Mask
        The label map with all it holds, spine or not.
    margins : Mask, uint8
        A bit for each part whose margin a voxel lies in (:func:`spineclock.prep.masking.bit`).
    scales : mapping of part to Scale
        How the part's input follows from ``image``, for the parts that are in view.
    kept_share : mapping of part to float
        As in :class:`Prepared`, for the same parts.
    missing : mapping of part to str
        Why the other parts have no input; of crops also why a level has none, by its name.
    levels : tuple of str
        Of images of CT the vertebrae they are of, from the top down.
    """

    image: Volume
    labels: Mask
    margins: Mask
    scales: Mapping[Part, Scale]
    kept_share: Mapping[Part, float]
    missing: Mapping[str, str]
    levels: tuple[str, ...] = ()

    def input(self, part: Part = "whole") -> Array:
        """What :func:`prepare` gives for the part, float32.

        Raises
        ------
        RefusedError
            If the part is not in view.
        """
        if part not in self.scales:
            raise RefusedError(self.missing[part])
        inside = self.margins.array & bit(part) != 0
        out = np.zeros(inside.shape, dtype=np.float32)
        out[inside] = self.scales[part].standard(self.image.array[inside])
        return out


def prepare(volume: Volume, mask: Mask, how: Preparation | None = None) -> Prepared:
    """The scan as the age network reads it.

    Union of the labels → dilated → both resampled → cut or filled to a fixed size round ``how.centre`` → zero
    outside → clipped and standardised inside the dilated mask. The answer does not depend on the axis order the scan
    is stored in, nor on a factor on its grey values.

    The paper sets to zero first and resamples then, which blends voxels at the margin's edge with zeros; their
    grey values would be neither the patient's nor nothing. Here they are the patient's, and the inputs of all parts can
    be had from one image on the grid (:func:`variants`).

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
    middle, margins, on_scan = _margins(volume, mask, how)
    if not (on_scan.array & bit(how.part)).any():
        raise nothing_of(how.part, mask)
    inside = margins.with_array((margins.array & bit(how.part) != 0).astype(np.uint8))
    image = _image(volume, how, middle)
    array = standardised(image.array, inside.array != 0, percentiles=how.percentiles)
    return Prepared(image.with_array(array), inside, _kept_share(margins, on_scan, how.part), how)


def variants(volume: Volume, mask: Mask, how: Preparation | None = None) -> Variants:
    """The scan prepared for every part at once; ``how.part`` is of no account.

    A part that the label map holds nothing of, or that has no contrast, is left out with the reason.

    Raises
    ------
    GeometryError
        If scan and label map do not share a grid.
    RefusedError
        If the whole spine cannot be prepared.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> scan = Volume(rng.normal(100, 10, (8, 60, 80)), np.diag([4.0, 1.0, 1.0, 1.0]))
    >>> labels = np.zeros((8, 60, 80), dtype=np.int16)
    >>> labels[3:5, 20:40, 30:50] = 22  # L3
    >>> v = variants(scan, Mask(labels, scan.affine), Preparation(shape=(16, 128, 64)))
    >>> sorted(v.scales), sorted(v.missing)
    (['lumbar', 'whole'], ['cervical', 'thoracic'])
    """
    how = how or Preparation()
    middle, margins, on_scan = _margins(volume, mask, how)
    image = _image(volume, how, middle)
    scales: dict[Part, Scale] = {}
    missing: dict[str, str] = {}
    for part in PARTS:
        try:
            if not (on_scan.array & bit(part)).any():
                raise nothing_of(part, mask)
            scales[part] = Scale.of(image.array[margins.array & bit(part) != 0], how.percentiles)
        except RefusedError as error:
            if part == "whole":
                raise
            missing[part] = str(error).rstrip(".")
    whole = scales["whole"]
    standard = np.zeros(image.shape, dtype=np.float32)
    inside = margins.array & bit("whole") != 0
    standard[inside] = (image.array[inside].astype(np.float64) - whole.mean) / whole.sd
    return Variants(
        image.with_array(standard),
        on_grid(mask, spacing_mm=how.spacing_mm, shape=how.shape, middle_mm=middle),
        margins,
        {part: scale.seen_from(whole) for part, scale in scales.items()},
        {part: _kept_share(margins, on_scan, part) for part in scales},
        missing,
    )


def _margins(volume: Volume, mask: Mask, how: Preparation) -> tuple[Middle, Mask, Mask]:
    """The point that the grid lies round, and the margins of all parts, a bit for each, on it and on the scan's."""
    require_same_grid(volume, mask, what="the scan and its label map")
    on_scan = dilated(parts_of(mask), how.margin_mm)
    middle = middle_of(on_scan) if how.centre == "spine" else None
    return middle, on_grid(on_scan, spacing_mm=how.spacing_mm, shape=how.shape, middle_mm=middle), on_scan


def _image(volume: Volume, how: Preparation, middle: Middle) -> Volume:
    """The scan on the fixed grid, float32."""
    exact = volume.with_array(volume.array.astype(np.float32, copy=False))  # whole numbers would stay whole
    return on_grid(exact, spacing_mm=how.spacing_mm, shape=how.shape, middle_mm=middle)


def _kept_share(on_grid_: Mask, on_scan: Mask, part: Part) -> float:
    """Volume of a part's margin on the grid, of its whole volume."""
    mm3 = [np.count_nonzero(m.array & bit(part)) * m.voxel_mm3 for m in (on_grid_, on_scan)]
    return min(1.0, float(mm3[0] / mm3[1]))
