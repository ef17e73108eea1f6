"""Effects with their intervals, a line each, beside those of another study and beside the truth where it is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from spineclock.report.ink import ACCENT, GRID, INK, OLDER, QUIET, blank, plain_axes

LINE_INCHES = 0.3
RATIO_TICKS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64)
FINE_TICKS = (0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 2, 2.5, 3, 4)
"""Of an axis that spans less than a factor of five."""


def forest(
    rows: pd.DataFrame,
    *,
    title: str,
    unit: str,
    neutral: float = 0.0,
    paper: str = "the paper",
    ours: str = "this study",
) -> Figure:
    """A forest plot.

    Parameters
    ----------
    rows : DataFrame
        ``label``, ``estimate``, ``low``, ``high``, ``n``; where there are any, ``paper_estimate``, ``paper_low``,
        ``paper_high`` (drawn below, in grey) and ``truth`` (a black diamond). In the order to be drawn, from the top.
    title, unit : str
        What the effects are, and what they are measured in.
    neutral : float
        No effect: 0, or 1 for ratios, which are drawn on a logarithmic axis.
    """
    figure = blank(7.2, 1.35 + LINE_INCHES * len(rows))
    axes = figure.subplots()
    if neutral == 1:
        axes.set_xscale("log")
    y = np.arange(len(rows), dtype=float)
    both = "paper_estimate" in rows and rows["paper_estimate"].notna().any()
    up = 0.14 if both else 0.0
    if both:
        _whiskers(axes, y + up, rows, "paper_", colour=QUIET, marker="s", label=paper)
    _whiskers(axes, y - up, rows, "", colour=ACCENT, marker="o", label=ours)
    if "truth" in rows and rows["truth"].notna().any():
        axes.plot(rows["truth"], y - up, ls="", marker="D", ms=4.5, mfc="none", mec=OLDER, mew=1.4, zorder=5,
                  label="truth of the simulated people")  # fmt: skip
    axes.axvline(neutral, color=INK, lw=0.8, zorder=1)
    axes.set_yticks(y, [f"{label}  ({n:,})" for label, n in zip(rows["label"], rows["n"], strict=True)])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel(unit)
    plain_axes(axes, grid="x")
    axes.set_xlim(*_limits(rows, neutral))
    _arrows(axes, y - up, rows, "", colour=ACCENT)
    if both:
        _arrows(axes, y + up, rows, "paper_", colour=QUIET)
    if neutral == 1:
        low, high = axes.get_xlim()
        ticks = FINE_TICKS if high < 5 * low else RATIO_TICKS
        axes.xaxis.set_major_locator(FixedLocator([t for t in ticks if low <= t <= high]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.tick_params(axis="y", length=0)
    for edge in np.flatnonzero(np.arange(len(rows)) % 2):
        axes.axhspan(edge - 0.5, edge + 0.5, color=GRID, alpha=0.28, lw=0, zorder=0)
    figure.suptitle(title, x=0.01, ha="left", weight="bold", color=INK, fontsize=11)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, frameon=False, fontsize=8, borderaxespad=0.2)
    return figure


def _whiskers(
    axes: Axes, y: np.ndarray, rows: pd.DataFrame, prefix: str, *, colour: str, marker: str, label: str
) -> None:
    value, low, high = (rows[f"{prefix}{name}"].to_numpy(dtype=float) for name in ("estimate", "low", "high"))
    drawn = np.isfinite(value)  # an odds ratio may be endless; then an arrow alone tells of it
    value, low, high = (np.clip(ends, -1e6, 1e6) for ends in (value, low, high))
    spread = np.nan_to_num(np.abs(np.stack([value - low, high - value])))
    axes.errorbar(value[drawn], y[drawn], xerr=spread[:, drawn], ls="", marker=marker, ms=4, color=colour, lw=1.3,
                  capsize=0, label=label, zorder=3)  # fmt: skip


def _arrows(axes: Axes, y: np.ndarray, rows: pd.DataFrame, prefix: str, *, colour: str) -> None:
    """Marks intervals that go on beyond the axis."""
    low, high = axes.get_xlim()
    for at, beyond, marker in (
        (low, rows[f"{prefix}low"].to_numpy(dtype=float) < low, "<"),
        (high, rows[f"{prefix}high"].to_numpy(dtype=float) > high, ">"),
    ):
        axes.plot(np.full(beyond.sum(), at), y[beyond], ls="", marker=marker, ms=5, color=colour, clip_on=False)


def _limits(rows: pd.DataFrame, neutral: float) -> tuple[float, float]:
    """Wide enough for the estimates and for most of their intervals: one with 9 people does not squeeze all others."""
    values = [
        rows[c].to_numpy(dtype=float) for c in map(str, rows) if c.removeprefix("paper_") in ("estimate", "truth")
    ]
    ends = [rows[c].to_numpy(dtype=float) for c in map(str, rows) if c.removeprefix("paper_") in ("low", "high")]
    inside, outside = np.concatenate(values), np.concatenate(ends)
    if neutral == 1:
        inside, outside = (np.log(v[(v > 0) & np.isfinite(v)]) for v in (inside, outside))
    inside, outside = inside[np.isfinite(inside)], outside[np.isfinite(outside)]
    start = float(np.log(neutral)) if neutral == 1 else neutral
    low = min([start, *inside, *np.quantile(outside, [0.04])]) if len(outside) else start - 1
    high = max([start, *inside, *np.quantile(outside, [0.96])]) if len(outside) else start + 1
    room = 0.06 * (high - low)
    low, high = low - room, high + room
    return (float(np.exp(low)), float(np.exp(high))) if neutral == 1 else (float(low), float(high))
