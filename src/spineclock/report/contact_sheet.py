"""Vertebral-body crops of one person or many on one sheet, with level names, captions and maps of where was looked."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from spineclock.core.anatomy import LEVEL_NUMBERS
from spineclock.core.errors import UsageError
from spineclock.core.volume import Array
from spineclock.report.ink import INK, QUIET, compact, png
from spineclock.report.overlay import COLOURS, HALO

TILE_INCHES, GAP_INCHES, CAPTION_INCHES, NAMES_INCHES = 1.05, 0.04, 0.2, 0.95
"""A crop, what lies between two, the same with captions, and the room for people's names."""
LIMIT_BYTES = 500_000
MOST_ROWS = 40
"""More would make a sheet that no screen shows."""


class Shown(Protocol):
    """A crop as :class:`spineclock.prep.crops.Crop` is one: its grey values, its body and its level."""

    @property
    def level(self) -> str:
        """Such as L3."""

    @property
    def array(self) -> npt.NDArray[np.float32]:
        """Grey values, shape (n, H, W)."""

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """Where the body is, the same shape."""


def contact_sheet(
    people: Mapping[str, Sequence[Shown]],
    *,
    heat: Mapping[tuple[str, str], Array] | None = None,
    captions: Mapping[tuple[str, str], str] | None = None,
    missing: Mapping[tuple[str, str], str] | None = None,
    outlines: bool = False,
    title: str = "",
    note: str = "",
) -> Figure:
    """Crops, a row for each person and a column for each level, each with its middle slice.

    All crops of a person share a window, from the 1st to the 99.5th percentile of them together, so that levels can be
    compared; people's need not be comparable.

    Parameters
    ----------
    people : mapping of str to crops
        What is written at each row, and the crops in it.
    heat : mapping of (person, level) to ndarray, shape (H, W), optional
        A map over a crop, from none (clear) to the largest of its own (yellow); negative values count as none.
    captions : mapping of (person, level) to str, optional
        What is written below a crop.
    missing : mapping of (person, level) to str, optional
        What is written where there is no crop; "none" otherwise.
    outlines : bool
        Whether the body is outlined.
    title, note : str
        Above and below all.

    Raises
    ------
    UsageError
        If there is nobody to show, there are more than 40 rows, or a map has another size than its crop.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> one = SimpleNamespace(level="L3", array=np.eye(8, dtype=np.float32)[None], mask=np.eye(8)[None] > 0)
    >>> len(contact_sheet({"a": [one]}, captions={("a", "L3"): "T −2.6"}).axes)
    1
    """
    if not 0 < len(people) <= MOST_ROWS or not any(people.values()):
        raise UsageError(f"{len(people)} people with {sum(map(len, people.values()))} crops on a sheet",
                         wanted=f"1 to {MOST_ROWS} people and a crop", remedy="make several sheets")  # fmt: skip
    levels = _levels(people, missing or {})
    share = max(crop.array.shape[1] / crop.array.shape[2] for crops in people.values() for crop in crops)
    grid = _grid(len(people), len(levels), captions=bool(captions), head=bool(title), foot=bool(note), share=share)
    figure = grid[0, 0].figure
    for row, (person, crops) in enumerate(people.items()):
        window = _window(crops)
        by_level = {crop.level: crop for crop in crops}
        for axes, level in zip(grid[row], levels, strict=True):
            _bare(axes)
            if level in by_level:
                _tile(axes, by_level[level], window, (heat or {}).get((person, level)), outlines=outlines)
            else:
                _absent(axes, (missing or {}).get((person, level), "none"))
            if text := (captions or {}).get((person, level)):
                axes.set_xlabel(text, fontsize=6.5, color=INK, labelpad=1.5)
        grid[row][0].set_ylabel(person, fontsize=8, color=INK, rotation=0, ha="right", va="center", labelpad=4)
    if title:
        figure.suptitle(title, x=0.01, y=0.995, ha="left", va="top", fontsize=10, weight="bold", color=INK)
    if note:
        figure.supxlabel(note, x=0.01, y=0.005, ha="left", va="bottom", fontsize=7, color=QUIET)
    return figure


def sheet_png(figure: Figure, *, limit_bytes: int = LIMIT_BYTES) -> bytes:
    """The sheet as a PNG of at most 500 kB: with as many grey levels less, then as many pixels less, as that takes.

    >>> sheet_png(Figure((2, 2)))[:4]
    b'\\x89PNG'
    """
    whole = png(figure)
    if len(whole) <= limit_bytes:
        return whole
    image = Image.open(io.BytesIO(whole)).convert("RGB")
    for share in (1.0, 0.8, 0.65, 0.5, 0.4, 0.3, 0.2):
        small = image.resize((round(image.width * share), round(image.height * share)), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        small.quantize(128).save(out, format="PNG", optimize=True)
        if len(out.getvalue()) <= limit_bytes:
            return out.getvalue()
    return compact(whole, limit_bytes=limit_bytes)


def _grid(rows: int, columns: int, *, captions: bool, head: bool, foot: bool, share: float = 1.0) -> Any:
    """Axes of one size at fixed places, which a sheet of many needs to be drawn in time; ``share``: height by width."""
    tile = TILE_INCHES * max(1.0, 1 / share)  # wide crops are drawn as high as square ones, and wider
    gap = CAPTION_INCHES if captions else GAP_INCHES
    top, bottom = 0.3 if head else GAP_INCHES, (0.22 if foot else 0.0) + gap
    wide, high = NAMES_INCHES + columns * (tile + GAP_INCHES), tile * share
    tall = top + rows * high + (rows - 1) * gap + bottom
    figure = Figure(figsize=(wide, tall), facecolor="white")
    FigureCanvasAgg(figure)
    figure.subplots_adjust(
        left=NAMES_INCHES / wide,
        right=1 - GAP_INCHES / wide,
        top=1 - top / tall,
        bottom=bottom / tall,
        wspace=GAP_INCHES / tile,
        hspace=gap / high,
    )
    return figure.subplots(rows, columns, squeeze=False)


def _levels(people: Mapping[str, Sequence[Shown]], missing: Mapping[tuple[str, str], str]) -> list[str]:
    """All levels that somebody has or misses, from the top down."""
    there = {crop.level for crops in people.values() for crop in crops}
    there |= {level for person, level in missing if person in people}
    return [level for level in LEVEL_NUMBERS if level in there]


def _window(crops: Sequence[Shown]) -> tuple[float, float]:
    if not crops:
        return 0.0, 1.0
    values = np.concatenate([np.ravel(crop.array) for crop in crops])
    low, high = (float(v) for v in np.percentile(values, (1, 99.5)))
    return low, max(high, low + 1e-6)


def _bare(axes: Axes) -> None:
    axes.set(xticks=[], yticks=[], facecolor="#eef1f4")
    axes.spines[:].set_visible(False)


def _tile(axes: Axes, crop: Shown, window: tuple[float, float], heat: Array | None, *, outlines: bool) -> None:
    middle = len(crop.array) // 2
    grey: Any = crop.array[middle]
    axes.imshow(grey, cmap="gray", vmin=window[0], vmax=window[1], interpolation="antialiased")
    if heat is not None:
        if np.shape(heat) != grey.shape:
            raise UsageError(f"a map of shape {np.shape(heat)} over a crop of {grey.shape}", wanted="the same shape")
        top = float(np.max(heat))
        share = np.clip(heat / top, 0, 1) if top > 0 else np.zeros(grey.shape)
        axes.imshow(share, cmap="inferno", vmin=0, vmax=1, alpha=0.6 * share, interpolation="bilinear")
    if outlines and crop.mask[middle].any():
        axes.contour(crop.mask[middle], levels=[0.5], colors=[COLOURS["vertebra"]], linewidths=0.8)
    axes.text(
        0.04, 0.96, crop.level, transform=axes.transAxes, color="white", fontsize=7.5, weight="bold", va="top",
        path_effects=HALO,
    )  # fmt: skip


def _absent(axes: Axes, why: str) -> None:
    axes.set_box_aspect(1)
    text = "\n".join(textwrap.wrap(why, 18)[:5])
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=6, color=QUIET)
