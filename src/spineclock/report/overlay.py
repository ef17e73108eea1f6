"""The mid-sagittal slice, plain and with the label map and level names drawn over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy import ndimage

from spineclock.core.anatomy import DISC, LEVEL_NAMES, Structure
from spineclock.core.errors import GeometryError
from spineclock.core.geometry import canonical, require_same_grid
from spineclock.core.volume import Array, Mask, Volume

COLOURS = {"vertebra": "#56b4e9", "disc": "#f0a30a", "canal": "#ee7fd0"}
"""After Okabe and Ito: told apart with any of the common colour blindnesses."""
MARGIN_MM = 42.0
"""What is shown in front of and behind the labels; the rest of the slice is cut off."""
HALO = [patheffects.withStroke(linewidth=2.4, foreground="#000000c0")]


@dataclass(frozen=True, eq=False)
class SlicePicture:
    """One sagittal slice ready to be shown: rows from superior to inferior, columns from anterior to posterior.

    ``spacing_mm`` is that of (rows, columns); ``index`` the slice, counted from the patient's left, of ``count``.
    """

    samples: Array
    labels: Array
    spacing_mm: tuple[float, float]
    index: int
    count: int
    window: tuple[float, float]

    @property
    def extent_mm(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top of the picture in millimetres, rows counted downwards."""
        rows, columns = self.samples.shape
        return 0.0, columns * self.spacing_mm[1], rows * self.spacing_mm[0], 0.0


def mid_sagittal(labels: Mask) -> int:
    """The slice of a canonical label map through the middle of the spine.

    The one with the most canal and disc in it together, over three neighbouring slices, each weighed by its largest
    area; where nothing of either is labelled, the middle of whatever is; the middle slice of an empty map.
    """
    array = labels.array
    disc = ((array > DISC) & (array < 2 * DISC)).sum(axis=(1, 2))
    score = sum(a / a.max() for a in ((array == Structure.CANAL).sum(axis=(1, 2)), disc) if a.max() > 0)
    if np.ndim(score) == 0:
        held = np.flatnonzero((array > 0).any(axis=(1, 2)))
        return int(held[len(held) // 2]) if len(held) else array.shape[0] // 2
    smooth = ndimage.uniform_filter1d(np.asarray(score, float), 3, mode="nearest")
    best = np.flatnonzero(np.atleast_1d(smooth >= smooth.max() - 1e-9))
    return int(best[len(best) // 2])


def slice_picture(scan_volume: Volume, labels: Mask, *, index: int | None = None) -> SlicePicture:
    """The mid-sagittal slice (or the one asked for) with its labels, cut to the spine and windowed on it.

    Raises
    ------
    GeometryError
        If scan and labels do not share a grid, or the slice is not in the scan.
    """
    require_same_grid(scan_volume, labels, what="scan and labels")
    volume, mask = canonical(scan_volume), canonical(labels)
    chosen = mid_sagittal(mask) if index is None else index
    if not 0 <= chosen < volume.shape[0]:
        raise GeometryError(f"slice {chosen} asked for", wanted=f"0–{volume.shape[0] - 1}")
    samples = volume.array[chosen, ::-1, ::-1].T
    drawn = mask.array[chosen, ::-1, ::-1].T
    columns = np.flatnonzero(np.atleast_1d((mask.array > 0).any(axis=(0, 2)))[::-1])
    if len(columns):
        margin = int(np.ceil(MARGIN_MM / volume.spacing_mm[1]))
        kept = slice(max(0, int(columns[0]) - margin), int(columns[-1]) + 1 + margin)
        samples, drawn = samples[:, kept], drawn[:, kept]
    shown = samples[drawn > 0] if (drawn > 0).any() else samples
    low, high = float(np.percentile(samples, 1)), float(np.percentile(shown, 99.5))
    return SlicePicture(
        samples,
        drawn,
        (volume.spacing_mm[2], volume.spacing_mm[1]),
        chosen,
        volume.shape[0],
        (low, max(high, low + 1e-6)),
    )


def overlay(
    scan_volume: Volume, labels: Mask, *, names: Mapping[int, str] | None = None, index: int | None = None
) -> Figure:
    """The mid-sagittal slice, plain at the left, with outlines and level names at the right; anterior to the left.

    ``names`` gives what is written on each vertebra's label (its level's name by default); an empty one hides it.
    Pixels have their physical shape, superior is up. 1000 pixels wide through :func:`spineclock.report.ink.png`.

    Raises
    ------
    GeometryError
        If scan and labels do not share a grid.
    """
    picture = slice_picture(scan_volume, labels, index=index)
    _, width, height, _ = picture.extent_mm
    each = 3.9
    tall = min(each * height / width, 9.0)
    figure = Figure(figsize=(8.0, tall + 0.42), facecolor="black")
    FigureCanvasAgg(figure)
    share = tall / (tall + 0.42)
    for n, side in enumerate((0.005, 0.505)):
        axes = figure.add_axes((side, 1 - share, 0.49, share), label=("plain", "labelled")[n])
        axes.imshow(
            picture.samples,
            cmap="gray",
            vmin=picture.window[0],
            vmax=picture.window[1],
            extent=picture.extent_mm,
            interpolation="bilinear",
        )
        axes.set_axis_off()
        _letters(axes)
    _scale_bar(figure.axes[0], picture)
    _outlines(figure.axes[1], picture)
    _names(figure.axes[1], picture, LEVEL_NAMES if names is None else names)
    figure.text(0.01, 0.012, f"slice {picture.index + 1} of {picture.count} from the left", color="#c3ccd4", fontsize=9)
    keys = [Line2D([], [], color=colour, lw=2.2, label=kind) for kind, colour in COLOURS.items()]
    figure.legend(
        handles=keys,
        loc="lower right",
        ncols=3,
        frameon=False,
        labelcolor="#e8edf1",
        fontsize=9,
        bbox_to_anchor=(0.995, -0.004),
        handlelength=1.4,
    )
    return figure


def film(volume: Volume) -> Figure:
    """A lateral film as it was read: anterior to the left, superior up, dense bright; no taller than 9 inches."""
    picture = slice_picture(volume, Mask(np.zeros(volume.shape, np.uint8), volume.affine), index=0)
    _, width, height, _ = picture.extent_mm
    tall = min(5.0 * height / width, 9.0)
    figure = Figure(figsize=(tall * width / height, tall), facecolor="black")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    low, high = picture.window
    axes.imshow(picture.samples, cmap="gray", vmin=low, vmax=high, extent=picture.extent_mm, interpolation="bilinear")
    axes.set_axis_off()
    _letters(axes)
    return figure


def body_centres(labels: npt.NDArray[np.integer]) -> dict[int, tuple[float, float]]:
    """Row and column of the middle of each vertebra's foremost part in a slice, crumbs apart: its body, as a rule."""
    centres: dict[int, tuple[float, float]] = {}
    for number in (int(n) for n in np.unique(labels) if int(n) in LEVEL_NAMES):
        parts, _ = ndimage.label(labels == number)
        sizes = np.bincount(parts.ravel())[1:]
        large = 1 + np.flatnonzero(sizes >= 0.15 * sizes.sum())
        if len(large):
            middles = np.asarray(ndimage.center_of_mass(parts > 0, parts, large), dtype=np.float64)
            row, column = middles[middles[:, 1].argmin()].tolist()
            centres[number] = (row, column)
    return centres


def _outlines(axes: Axes, picture: SlicePicture) -> None:
    rows, columns = picture.labels.shape
    x = (np.arange(-1, columns + 1) + 0.5) * picture.spacing_mm[1]
    y = (np.arange(-1, rows + 1) + 0.5) * picture.spacing_mm[0]
    padded = np.pad(picture.labels, 1)  # so that what runs out of the picture is closed at its edge
    for number in (int(n) for n in np.unique(picture.labels) if n):
        if colour := COLOURS.get(_kind(number), ""):
            axes.contour(x, y, (padded == number).astype(np.float32), levels=[0.5], colors=[colour], linewidths=1.3)
    _, right, bottom, _ = picture.extent_mm
    axes.set_xlim(0, right)
    axes.set_ylim(bottom, 0)


def _kind(number: int) -> str:
    if number in LEVEL_NAMES:
        return "vertebra"
    if number - DISC in LEVEL_NAMES:
        return "disc"
    return "canal" if number == Structure.CANAL else ""


def _names(axes: Axes, picture: SlicePicture, names: Mapping[int, str]) -> None:
    for number, (row, column) in body_centres(picture.labels).items():
        if text := names.get(number, ""):
            axes.text(
                (column + 0.5) * picture.spacing_mm[1],
                (row + 0.5) * picture.spacing_mm[0],
                text,
                color="white",
                ha="center",
                va="center",
                fontsize=10.5,
                weight="bold",
                path_effects=HALO,
                clip_on=True,
            )


def _letters(axes: Axes) -> None:
    for x, y, letter in ((0.02, 0.5, "A"), (0.98, 0.5, "P"), (0.5, 0.985, "S"), (0.5, 0.015, "I")):
        axes.text(
            x,
            y,
            letter,
            transform=axes.transAxes,
            color="#ffe08a",
            fontsize=11,
            weight="bold",
            ha="left" if x < 0.1 else "right" if x > 0.9 else "center",
            va="top" if y > 0.9 else "bottom" if y < 0.1 else "center",
            path_effects=HALO,
        )


def _scale_bar(axes: Axes, picture: SlicePicture) -> None:
    _, right, bottom, _ = picture.extent_mm
    length = 50.0 if bottom > 150 else 10.0
    x, y = 0.04 * right, bottom * 0.975
    axes.plot([x, x + length], [y, y], color="white", lw=2.5, solid_capstyle="butt", path_effects=HALO)
    axes.text(x, y - 0.012 * bottom, f"{length / 10:.0f} cm", color="white", fontsize=9, path_effects=HALO)
