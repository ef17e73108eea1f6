"""The study's figures: who was in it, how far ages were off, how scans agree, and the gap against age."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from spineclock.report.ink import ACCENT, GRID, INK, NEUTRAL, OLDER, QUIET, YOUNGER, blank, plain_axes

SEX = {"F": ("women", OLDER), "M": ("men", YOUNGER)}
SPLITS = {"train": "Training", "validation": "Validation", "test": "Normal test", "full test": "Full test"}
MANY = 1500
"""More dots than this are drawn as density."""


def ages(sets: Mapping[str, pd.DataFrame]) -> Figure:
    """Ages by sex in each set (Figure 2): training, validation, test; frames with ``age_years`` and ``sex``."""
    figure = blank(2.7 * len(sets) + 0.4, 2.9)
    every = figure.subplots(1, len(sets), squeeze=False, sharex=True)[0]
    edges = np.arange(20, 92.5, 2.5)
    for axes, (name, table) in zip(every, sets.items(), strict=True):
        for sex, (word, colour) in SEX.items():
            of_sex = table.loc[table["sex"] == sex, "age_years"].clip(edges[0], edges[-1] - 0.1)
            axes.hist(of_sex, bins=edges, histtype="stepfilled", alpha=0.25, color=colour)
            axes.hist(of_sex, bins=edges, histtype="step", lw=1.4, color=colour, label=f"{word} ({len(of_sex):,})")
        axes.set_title(f"{SPLITS.get(name, name)} ({len(table):,})", loc="left", fontsize=10, color=INK)
        axes.set_xlabel("age, years")
        axes.legend(frameon=False, fontsize=8, loc="upper right", handlelength=1)
        plain_axes(axes, grid="y")
        axes.set_ylim(0, axes.get_ylim()[1] * 1.25)
    every[0].set_ylabel("scans")
    return figure


def corrections(
    predicted: npt.ArrayLike, corrected: npt.ArrayLike, age: npt.ArrayLike, *, r2: tuple[float, float]
) -> Figure:
    """Predicted against chronological age before and after bias correction, with the line of each."""
    figure = blank(8.4, 4.2)
    y = np.asarray(age, dtype=float)
    for axes, values, title, score in zip(
        figure.subplots(1, 2, sharex=True, sharey=True),
        (np.asarray(predicted, dtype=float), np.asarray(corrected, dtype=float)),
        ("As predicted", "After Cole's correction"),
        r2,
        strict=True,
    ):
        cloud(axes, y, values)
        span = np.array([y.min(), y.max()])
        slope, start = np.polyfit(y, values, 1)
        axes.plot(span, span, color=INK, lw=0.9, ls="--", label="equal")
        axes.plot(span, start + slope * span, color=OLDER, lw=2, label=f"least squares, slope {slope:.2f}")
        axes.set_title(f"{title}: R² {score:.2f}".replace("-", "−"), loc="left", fontsize=10, color=INK)
        axes.set_xlabel("chronological age, years")
        axes.legend(frameon=False, fontsize=8, loc="upper left")
        plain_axes(axes, grid="both")
        low, high = np.quantile(values, [0.001, 0.999])
        axes.set_ylim(min(low, span[0]) - 5, max(high, span[1]) + 9)
    figure.axes[0].set_ylabel("predicted age, years")
    return figure


def errors(table: pd.DataFrame, *, error: str = "error_years") -> Figure:
    """Absolute error by bracket and sex (Figure 4): medians, quartiles, 5th to 95th percentile.

    ``table`` holds ``bracket``, ``sex`` and the signed error, one row a scan.
    """
    figure = blank(7.6, 3.7)
    axes = figure.subplots()
    brackets = sorted(b for b in table["bracket"].unique() if b > 0)
    for sex, side in (("M", -0.2), ("F", 0.2)):
        _, colour = SEX[sex]
        for k, bracket in enumerate(brackets):
            own = table.loc[(table["bracket"] == bracket) & (table["sex"] == sex), error].abs().dropna()
            if own.empty:
                continue
            axes.boxplot([own], positions=[k + side], widths=0.32, whis=(5, 95), showfliers=False, patch_artist=True,
                         boxprops={"facecolor": colour, "alpha": 0.35, "edgecolor": colour},
                         whiskerprops={"color": colour}, capprops={"color": colour},
                         medianprops={"color": colour, "lw": 2})  # fmt: skip
            axes.annotate(f"{len(own):,}", (k + side, 0), (0, -3), textcoords="offset points", ha="center", va="top",
                          fontsize=7, color=QUIET)  # fmt: skip
    names = {30: "25–34", 40: "35–44", 50: "45–54", 60: "55–64", 70: "65–74", 80: "75–84"}
    axes.set_xticks(range(len(brackets)), [f"{b}\n({names[b]})" for b in brackets])
    axes.set_ylabel("absolute error, years")
    axes.set_xlabel("age bracket; below each box its scans")
    axes.set_ylim(-0.08 * axes.get_ylim()[1], 1.12 * axes.get_ylim()[1])
    axes.legend(handles=[Patch(color=SEX[s][1], alpha=0.5, label=SEX[s][0]) for s in ("M", "F")], frameon=False,
                fontsize=8, loc="upper left")  # fmt: skip
    plain_axes(axes, grid="y")
    return figure


def repeats(first: npt.ArrayLike, second: npt.ArrayLike, limits: pd.DataFrame) -> Figure:
    """Bland–Altman plot of two scans of each person; ``limits``: bias, lower and upper limit with intervals."""
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    figure = blank(7.2, 3.8)
    axes = figure.subplots()
    axes.axhline(0, color=NEUTRAL, lw=0.8)
    axes.plot((a + b) / 2, b - a, "o", ms=4, color=YOUNGER, mec="white", mew=0.4, alpha=0.8)
    ends = limits[["estimate", "low", "high"]].to_numpy(dtype=float)
    for name, (at, low, high) in zip(limits["term"], ends, strict=True):
        axes.axhspan(low, high, color=OLDER, alpha=0.12, lw=0)
        axes.axhline(at, color=OLDER, lw=1.3, ls="-" if "bias" in str(name).lower() else "--")
        axes.annotate(f"{name} {at:+.1f}".replace("-", "−"), (1.01, at), xycoords=("axes fraction", "data"),
                      va="center", fontsize=8, color=OLDER, annotation_clip=False)  # fmt: skip
    axes.set_xlabel("mean gap of the two scans, years")
    axes.set_ylabel("second − first gap, years")
    plain_axes(axes, grid="y")
    return figure


def gap_by_age(
    curves: pd.DataFrame, table: pd.DataFrame, *, group: str, gap: str = "gap_years", names: Mapping[str, str]
) -> Figure:
    """Mean gap against age by group (Figure 7): smooth curves with 95% intervals, and the means of ten-year brackets.

    Parameters
    ----------
    curves : DataFrame
        ``group``, ``age_years``, ``estimate``, ``low``, ``high``.
    table : DataFrame
        One row a scan: ``age_years``, ``bracket``, the group's column and the gap.
    names : mapping
        Words for the groups, in the order of drawing.
    """
    figure = blank(7.2, 4.0)
    axes = figure.subplots()
    axes.axhline(0, color=INK, lw=0.8)
    palette = dict(zip(names, _colours(len(names)), strict=True))
    for k, (key, words) in enumerate(names.items()):
        curve, own = curves[curves["group"] == key], table[table[group] == key]
        axes.fill_between(curve["age_years"], curve["low"], curve["high"], color=palette[key], alpha=0.18, lw=0)
        axes.plot(curve["age_years"], curve["estimate"], color=palette[key], lw=2, label=f"{words} ({len(own):,})")
        binned = own[own["bracket"] > 0].groupby("bracket")[gap].agg(["mean", "sem", "size"])
        binned = binned[binned["size"] >= 5]
        axes.errorbar(binned.index + (k - (len(names) - 1) / 2) * 0.8, binned["mean"], yerr=1.96 * binned["sem"], ls="",
                      marker="o", ms=4, color=palette[key], mec="white", mew=0.5, lw=1)  # fmt: skip
    low, high = curves["low"].min(), curves["high"].max()
    axes.set_ylim(max(low - 0.5, -8), min(high + 0.5, 8))
    axes.set_xlabel("chronological age, years")
    axes.set_ylabel("mean spine age gap, years")
    axes.legend(frameon=False, fontsize=9)
    plain_axes(axes, grid="y")
    return figure


def _colours(n: int) -> list[str]:
    return [YOUNGER, OLDER] if n == 2 else [YOUNGER, QUIET, OLDER, ACCENT][:n]


def cloud(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Draws pairs as dots, or as density where there are more than :data:`MANY`."""
    if len(x) > MANY:
        axes.hexbin(x, y, gridsize=48, mincnt=1, cmap="Blues", bins="log", linewidths=0.1, edgecolors=GRID)
    else:
        axes.plot(x, y, "o", ms=3.5, color=YOUNGER, alpha=0.45, mec="none")
