"""From a lateral radiograph, or a DXA VFA image, to what a network of films reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from spineclock.core.errors import RefusedError, UsageError
from spineclock.core.geometry import canonical
from spineclock.core.volume import Array, Mask, Volume
from spineclock.prep.grid import sagittal_axes
from spineclock.prep.intensity import Scale
from spineclock.prep.masking import PARTS, bit
from spineclock.prep.prepared import PreparedInput, Variants

_AS_IS = Scale(low=0.0, high=1.0, mean=0.0, sd=1.0)
LEVELS = 1 << 16
"""Grey levels that are told apart: all of a 16-bit film's."""


@dataclass(frozen=True)
class FilmPreparation:
    """How a film is prepared: VERTE-X-Aging's steps and sizes.

    Raises
    ------
    UsageError
        If the canvas has no pixels, or the border is not from 0 up to less than the whole film.
    """

    canvas: tuple[int, int] = (1024, 512)
    """Rows (superior–inferior) and columns (anterior–posterior)."""
    border_share: float = 0.05
    """Of the film's area, cut off round its border; nothing is cut off VFA images."""
    equalise: bool = True
    """Whether grey values are replaced by their rank among the film's (histogram equalisation)."""

    def __post_init__(self) -> None:
        if len(self.canvas) != 2 or min(self.canvas) < 1 or not 0 <= self.border_share < 1:
            raise UsageError(
                f"a canvas of {self.canvas} with {self.border_share:g} of the film cut off",
                wanted="two numbers of pixels, such as (1024, 512), and a share from 0 to below 1",
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the network's input: one slice of the canvas."""
        return (1, *self.canvas)

    @classmethod
    def told(cls, told: Mapping[str, Any]) -> FilmPreparation:
        """From what :meth:`as_dict` gives, or JSON made of it; TypeError where a name is none of these.

        >>> FilmPreparation.told({"canvas": [256, 128], "shape": [1, 256, 128]}).canvas
        (256, 128)
        """
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in told.items() if k != "shape"}
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """As plain data, with the ``shape`` of the input that every description of a preparation has.

        >>> FilmPreparation().as_dict()
        {'shape': [1, 1024, 512], 'canvas': [1024, 512], 'border_share': 0.05, 'equalise': True}
        """
        return {"shape": list(self.shape), **asdict(self), "canvas": list(self.canvas)}


@dataclass(frozen=True, eq=False)
class PreparedFilm(PreparedInput):
    """A film as a network reads it: grey values from 0 to 1 in one slice, ``inside`` the film, 0 beside it.

    ``kept_share`` is what is on the canvas of the film's area: 1 less the border. ``how``: the parameters it was made
    with; ``vfa``: whether it was prepared as a VFA image, border and all.
    """

    how: FilmPreparation
    vfa: bool


def prepare_film(volume: Volume, how: FilmPreparation | None = None, *, vfa: bool) -> PreparedFilm:
    """The film as a network reads it.

    Histogram equalisation → min–max → border cut off (not of VFA) → width of the canvas with the height in proportion
    where it is wider than high, otherwise fitted into the canvas → filled with 0 to the canvas, the film in its
    centre. A film smaller than the canvas keeps its pixels. Because grey values become ranks, any strictly rising
    function of them gives the same answer; the axis order that the film is stored in is of no account either.

    Unlike METHODS in this: the proportion that is kept is that of millimetres, which is the pixels' where they are
    square (a VFA image of oblong pixels is brought to square ones of the longer side). Of the border each side loses
    the same share, 1.3% at 5% of the area. Grey values that are no whole numbers, or span more than 65,536, are
    rounded to 65,536 equal steps before they are ranked. Where a picture shrinks, each pixel is a weighted
    mean (a triangle filter as wide as two new pixels), against aliasing.

    Parameters
    ----------
    volume : Volume, depth 1
        A lateral film, dense parts bright.
    how : FilmPreparation, optional
        Parameters; the default is VERTE-X-Aging's canvas of 1024 × 512.
    vfa : bool
        Whether it is a DXA VFA image, which has no border to cut off.

    Raises
    ------
    RefusedError
        If it is no lateral film, or has one grey value throughout, or one that is no number.

    Examples
    --------
    >>> film = Volume(np.arange(600.0).reshape(1, 20, 30), np.diag([1.0, 0.5, 0.5, 1.0]))
    >>> p = prepare_film(film, FilmPreparation(canvas=(16, 8)), vfa=True)
    >>> p.array.shape, int(p.inside.array.sum()), [round(mm, 3) for mm in p.volume.spacing_mm]
    ((1, 16, 8), 96, [1.0, 1.25, 1.25])

    Source: VERTE-X-Aging, "Image Processing".
    """
    how = how or FilmPreparation()
    if canonical(volume).shape[0] != 1:
        raise RefusedError(
            f"an image of {' × '.join(map(str, canonical(volume).shape))} samples (right, anterior, superior)",
            wanted="one lateral film, a single sample from left to right",
            remedy="give the lateral view; a frontal one shows another side of the spine",
        )
    film = sagittal_axes(volume)
    picture = film.array[0]
    turned = abs(picture.strides[0]) < abs(picture.strides[1])  # read in the order in which it lies in memory
    share = 0.0 if vfa else how.border_share
    kept = [_middle(n, share) for n in picture.shape]
    window = tuple(slice(first, first + count) for first, count in kept)
    counts = (kept[0][1], kept[1][1])
    rows, columns = _fitted(counts, film.spacing_mm[1:], how.canvas)
    grey = _grey(picture.T if turned else picture, window[::-1] if turned else window, equalise=how.equalise)
    small = _resized(grey, (columns, rows) if turned else (rows, columns))
    start = [(have - want) // 2 for have, want in zip(how.canvas, (rows, columns), strict=True)]
    array, inside = np.zeros(how.shape, np.float32), np.zeros(how.shape, np.uint8)
    into = (0, slice(start[0], start[0] + rows), slice(start[1], start[1] + columns))
    array[into], inside[into] = small.T if turned else small, 1
    affine = _affine(film.affine, [first for first, _ in kept], (counts[0] / rows, counts[1] / columns), start)
    kept_share = counts[0] * counts[1] / picture.size
    return PreparedFilm(Volume(array, affine), Mask(inside, affine), kept_share, how, vfa)


def film_variants(volume: Volume, how: FilmPreparation | None = None, *, vfa: bool) -> Variants:
    """The film prepared, in the form that a store keeps scans in: its whole is its only part.

    Errors as in :func:`prepare_film`.

    Examples
    --------
    >>> film = Volume(np.arange(600.0).reshape(1, 20, 30), np.diag([1.0, 0.5, 0.5, 1.0]))
    >>> how = FilmPreparation(canvas=(16, 8))
    >>> bool((film_variants(film, how, vfa=True).input() == prepare_film(film, how, vfa=True).array).all())
    True
    """
    made = prepare_film(volume, how, vfa=vfa)
    missing: dict[str, str] = {part: "a film has no parts" for part in PARTS if part != "whole"}
    labels = made.inside.with_array(np.zeros(made.inside.shape, np.uint16))
    margins = made.inside.with_array(made.inside.array * np.uint8(bit("whole")))
    return Variants(made.volume, labels, margins, {"whole": _AS_IS}, {"whole": 1.0}, missing)


def _middle(n: int, share: float) -> tuple[int, int]:
    """First and number of the samples of an axis that are left where both axes lose this share of the area."""
    count = max(1, int(np.floor(n * np.sqrt(1 - share) + 0.5)))
    return (n - count) // 2, count


def _fitted(counts: tuple[int, int], spacing_mm: tuple[float, ...], canvas: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of square pixels, as small as the film's longer side of a pixel or as the canvas asks.

    On a canvas that is higher than wide this is the rule of two cases that METHODS states.
    """
    extent = [n * mm for n, mm in zip(counts, spacing_mm, strict=True)]
    pixel = max(*spacing_mm, *(mm / n for mm, n in zip(extent, canvas, strict=True)))
    rows, columns = (
        min(n, whole, max(1, int(np.floor(mm / pixel + 0.5))))
        for mm, n, whole in zip(extent, counts, canvas, strict=True)
    )
    return rows, columns


def _grey(picture: Array, window: tuple[slice, ...], *, equalise: bool) -> npt.NDArray[np.float32]:
    """Ranks, or grey values, of the window brought to 0 … 1 by those of the whole film; by a look-up table."""
    low, high = picture.min(), picture.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise RefusedError("a film with grey values that are no numbers", wanted="a number in each pixel",
                           remedy="export the film again")  # fmt: skip
    if low == high:
        raise RefusedError(f"the film has one grey value throughout ({float(low):g})", wanted="a film with contrast")
    level = _levels(picture, float(low), float(high))
    if not equalise:
        table = np.arange(int(level.max()) + 1, dtype=np.float64)
    else:
        table = np.bincount(level.ravel()).cumsum().astype(np.float64)
    table = (table - table[0]) / (table[-1] - table[0])  # level 0 and the last one each hold a pixel
    found: npt.NDArray[np.float32] = table.astype(np.float32)[level[window]]
    return found


def _levels(picture: Array, low: float, high: float) -> npt.NDArray[np.uint16]:
    """Each pixel's level from 0 on: whole numbers as they are, others in 65,536 equal steps."""
    whole = high - low < LEVELS and (picture.dtype.kind in "iub" or bool((np.rint(picture) == picture).all()))
    if whole and picture.dtype.kind == "u":
        return np.asarray(picture - picture.dtype.type(low), dtype=np.uint16)
    single = picture.dtype.itemsize <= 2 or picture.dtype == np.float32
    steps: Array = picture.astype(np.float32 if single else np.float64)
    steps -= low
    if not whole:
        steps *= (LEVELS - 1) / (high - low)
    return np.asarray(np.rint(steps, out=steps), dtype=np.uint16)


def _resized(grey: npt.NDArray[np.float32], shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """The picture in fewer pixels over the same extent, each a weighted mean."""
    if shape == grey.shape:
        return grey
    image = Image.fromarray(np.ascontiguousarray(grey))
    return np.asarray(image.resize(shape[::-1], Image.Resampling.BILINEAR), dtype=np.float32).clip(0, 1)


def _affine(film: Array, first: list[int], factor: tuple[float, float], start: list[int]) -> Array:
    """Canvas index to millimetres: its pixel ``start`` begins where the film's ``first`` does, ``factor`` as long."""
    affine = np.array(film)
    for axis, (begin, step, offset) in enumerate(zip(first, factor, start, strict=True), start=1):
        affine[:3, 3] += film[:3, axis] * (begin - 0.5 + step * (0.5 - offset))
        affine[:3, axis] *= step
    return affine
