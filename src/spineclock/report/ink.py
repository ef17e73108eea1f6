"""What every picture shares: colours, an empty figure, plain axes, and the figure as a file."""

from __future__ import annotations

import io
from typing import Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

INK, QUIET, GRID = "#1b2733", "#5b6875", "#d9dfe5"
OLDER, YOUNGER, NEUTRAL, ACCENT = "#c8501e", "#0b6fb0", "#7c8894", "#123b5d"
"""Orange against blue: told apart with any of the common colour blindnesses, and in grey by their lightness."""
DOTS_AN_INCH = 125


def png(figure: Figure, *, limit_bytes: int | None = None) -> bytes:
    """The figure as a PNG, or as a JPEG of at most ``limit_bytes`` where the PNG is larger than that."""
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=DOTS_AN_INCH, facecolor=figure.get_facecolor(), metadata={"Software": None})
    return out.getvalue() if limit_bytes is None else compact(out.getvalue(), limit_bytes=limit_bytes)


def compact(picture: bytes, *, limit_bytes: int) -> bytes:
    """The picture itself if it is small enough, else a JPEG of at most ``limit_bytes``, smaller if need be.

    A limit below what a thumbnail needs (about 4 kB) gives the thumbnail.
    """
    if len(picture) <= limit_bytes:
        return picture
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    smallest = picture
    for width in (image.width, 800, 560, 400, 280, 200):
        if width > image.width:
            continue
        scaled = image.resize((width, max(1, round(image.height * width / image.width))), Image.Resampling.LANCZOS)
        for quality in (85, 70, 55):
            out = io.BytesIO()
            scaled.save(out, format="JPEG", quality=quality, optimize=True)
            smallest = out.getvalue()
            if len(smallest) <= limit_bytes:
                return smallest
    return smallest


def svg(figure: Figure) -> bytes:
    """The figure as vectors, the same bytes each time; letters are drawn, so that no font is needed to show it."""
    out = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "spineclock", "svg.fonttype": "path"}):
        figure.savefig(out, format="svg", facecolor=figure.get_facecolor(), metadata={"Date": None, "Creator": None})
    return out.getvalue()


def blank(width: float, height: float) -> Figure:
    """An empty white figure; width and height in inches."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def plain_axes(axes: Axes, *, grid: Literal["x", "y", "both", ""]) -> None:
    """Takes away what carries no data and draws quiet grid lines."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRID)
    axes.tick_params(colors=INK, labelsize=9, color=GRID)
    axes.xaxis.label.set_color(QUIET)
    axes.yaxis.label.set_color(QUIET)
    axes.set_axisbelow(True)
    if grid == "both" or grid == "x":
        axes.xaxis.grid(True, color=GRID, lw=0.7)
    if grid == "both" or grid == "y":
        axes.yaxis.grid(True, color=GRID, lw=0.7)
