"""Figure 3: the clusters of each bracket in UMAP's plane; what the minimum cluster size does; what seeds do."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spineclock.report.ink import ACCENT, GRID, INK, QUIET, blank, plain_axes
from spineclock.report.tables import records

NORMAL_COLOURS = ("#0b6fb0", "#c8501e", "#1d7a4b", "#7b4ea3", "#b87a00", "#0d8a8a")
YEARS = {30: "25–34", 40: "35–44", 50: "45–54", 60: "55–64", 70: "65–74", 80: "75–84"}


def planes(labels: pd.DataFrame, clusters: pd.DataFrame) -> Figure:
    """A scatter plot a bracket: normal clusters in colour with name and share, the others in grey, outliers light.

    Parameters
    ----------
    labels : DataFrame
        One row a scan: bracket, cluster, normal, x, y.
    clusters : DataFrame
        One row a cluster: bracket, cluster, name, share, normal.
    """
    brackets = sorted(clusters["bracket"].unique())
    columns = min(3, len(brackets))
    rows = -(-len(brackets) // columns)
    figure = blank(3.9 * columns, 4.5 * rows)
    every = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, name in zip(every, brackets, strict=False):
        _plane(axes, labels[labels["bracket"] == name], clusters[clusters["bracket"] == name], int(name))
    for axes in every[len(brackets) :]:
        axes.set_visible(False)
    return figure


def _plane(axes: Axes, scans: pd.DataFrame, clusters: pd.DataFrame, name: int) -> None:
    size = float(np.clip(2500 / max(len(scans), 1), 0.6, 6))
    axes.scatter(scans["x"], scans["y"], s=size, color=GRID, lw=0, rasterized=True)
    grey = scans[(scans["cluster"] >= 0) & ~scans["normal"].astype(bool)]
    axes.scatter(grey["x"], grey["y"], s=size, color=QUIET, alpha=0.6, lw=0, rasterized=True)
    normal = clusters[clusters["normal"]].sort_values("share", ascending=False)
    for row, colour in zip(records(normal), NORMAL_COLOURS, strict=False):
        own = scans[scans["cluster"] == row.cluster]
        words = "\n".join(textwrap.wrap(f"{row.name} ({100 * row.share:.0f}%)", 46))
        axes.scatter(own["x"], own["y"], s=size, color=colour, lw=0, rasterized=True, label=words)
    abnormal = 100 * (1 - normal["share"].sum())
    axes.scatter([], [], s=size, color=QUIET, label=f"abnormal ({abnormal:.0f}%)")
    axes.set_title(f"{name} ({YEARS.get(name, '')} years), {len(scans):,} scans", loc="left", fontsize=10, color=INK)
    axes.legend(
        frameon=False,
        fontsize=7,
        markerscale=4 / size**0.5,
        loc="upper left",
        bbox_to_anchor=(0, -0.02),
        handletextpad=0.2,
    )
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(GRID)


def sweep(table: pd.DataFrame, *, chosen: float) -> Figure:
    """The share of abnormal scans by the minimum cluster size, a line a bracket, beside the paper's range."""
    figure = blank(6.6, 3.6)
    axes = figure.subplots()
    axes.axhspan(32, 54, color=GRID, alpha=0.5, lw=0)
    axes.annotate("the paper: 32–54%", (0.99, 53), xycoords=("axes fraction", "data"), ha="right", va="top", fontsize=8,
                  color=QUIET)  # fmt: skip
    for (name, rows), colour in zip(table.groupby("bracket"), NORMAL_COLOURS, strict=False):
        axes.plot(100 * rows["min_cluster_share"], 100 * rows["abnormal"], "o-", ms=3.5, color=colour, lw=1.4,
                  label=f"{name}")  # fmt: skip
    axes.axvline(100 * chosen, color=ACCENT, lw=0.9, ls="--")
    axes.set_xlabel("minimum cluster size, % of the bracket")
    axes.set_ylabel("abnormal scans, %")
    axes.set_ylim(0, 102)
    axes.legend(frameon=False, fontsize=8, ncols=6, loc="upper center", bbox_to_anchor=(0.5, 1.14), title=None)
    plain_axes(axes, grid="y")
    return figure


def seeds(probability: pd.Series, of: pd.Series) -> Figure:
    """How often each scan is normal under other seeds, a histogram a bracket."""
    brackets = sorted(b for b in of.unique() if b > 0)
    figure = blank(7.4, 2.3)
    for axes, name in zip(figure.subplots(1, len(brackets), sharey=True, squeeze=False)[0], brackets, strict=True):
        own = probability[of == name].dropna()
        axes.hist(own, bins=np.linspace(0, 1, 11), weights=np.full(len(own), 100 / max(len(own), 1)), color=ACCENT)
        axes.set_title(f"{name}", loc="left", fontsize=9, color=INK)
        axes.set_xticks([0, 1])
        plain_axes(axes, grid="y")
    figure.axes[0].set_ylabel("scans, %")
    figure.supxlabel("share of seeds under which a scan is normal", fontsize=9, color=QUIET)
    return figure
