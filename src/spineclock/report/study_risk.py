"""Figures of risk: what acting on a probability is worth, and how many have an event by when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spineclock.report.ink import INK, NEUTRAL, OLDER, QUIET, YOUNGER, blank, plain_axes

COLOURS = (OLDER, YOUNGER, QUIET)
AT_RISK_POINTS = 11
"""Height of a line of numbers at risk."""


def decision_curves(panels: Mapping[str, pd.DataFrame], *, strategies: Sequence[str], everyone: str) -> Figure:
    """Net benefit against the threshold probability, a panel a disease, with acting on everyone and on nobody.

    Parameters
    ----------
    panels : mapping of title to DataFrame
        ``threshold``, ``strategy``, ``per_1000`` (net true positives in 1,000 people against acting on nobody).
    strategies : sequence of str
        Up to three, in the order of drawing.
    everyone : str
        What acting on everyone is called among the strategies.
    """
    figure = blank(4.4 * len(panels) + 0.4, 3.6)
    for axes, (title, found) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        treat_all = found[found["strategy"] == everyone]
        axes.plot(100 * treat_all["threshold"], treat_all["per_1000"], color=INK, lw=1, ls="--", label="treat all")
        axes.axhline(0, color=NEUTRAL, lw=1, ls=":", label="treat none")
        drawn = []
        for name, colour, style in zip(strategies, COLOURS, ("-", "-", (0, (5, 1.5))), strict=False):
            curve = found[found["strategy"] == name]
            axes.plot(100 * curve["threshold"], curve["per_1000"], color=colour, lw=1.8, ls=style, label=name)
            drawn.append(curve["per_1000"].max())
        top = max([*drawn, 1e-6])
        axes.set_ylim(-0.25 * top, 1.25 * top)
        axes.set_title(title, loc="left", fontsize=10, color=INK)
        axes.set_xlabel("threshold probability, %")
        axes.legend(frameon=False, fontsize=8)
        plain_axes(axes, grid="y")
    figure.axes[0].set_ylabel("net true positives in 1,000 people")
    return figure


def incidence_curves(panels: Mapping[str, pd.DataFrame], *, groups: Mapping[str, str]) -> Figure:
    """Cumulative incidence by group with 95% bands, a panel an outcome, and below each the numbers at risk.

    Parameters
    ----------
    panels : mapping of title to DataFrame
        ``group``, ``time_years`` rising from 0, ``estimate``, ``low``, ``high``, ``at_risk`` (just before that time).
    groups : mapping
        Words for up to three groups, in the order of drawing.
    """
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = blank(4.6 * columns, 3.7 * rows)
    every = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (title, curves) in zip(every, panels.items(), strict=False):
        for key, colour in zip(groups, (YOUNGER, QUIET, OLDER), strict=False):
            curve = curves[curves["group"] == key]
            axes.step(curve["time_years"], 100 * curve["estimate"], where="post", color=colour, lw=1.7,
                      label=groups[key])  # fmt: skip
            axes.fill_between(curve["time_years"], 100 * curve["low"], 100 * curve["high"], step="post", color=colour,
                              alpha=0.14, lw=0)  # fmt: skip
        last = float(curves.loc[curves["at_risk"] >= 10, "time_years"].max())
        axes.set_xlim(0, max(last, 0.1))
        shown = curves[curves["time_years"] <= last]
        axes.set_ylim(0, max(1.15 * 100 * float(shown["high"].max()), 0.1))
        axes.set_title(title, loc="left", fontsize=10, color=INK)
        axes.set_ylabel("cumulative incidence, %")
        axes.legend(frameon=False, fontsize=8, loc="upper left")
        plain_axes(axes, grid="y")
        _at_risk(axes, curves, groups, last)
    for axes in every[len(panels) :]:
        axes.set_visible(False)
    return figure


def _at_risk(axes: Axes, curves: pd.DataFrame, groups: Mapping[str, str], last: float) -> None:
    """How many of each group are still followed at the start of each second year, below the axis."""
    years = np.arange(0, last + 1e-9, 2 if last >= 5 else 1)
    axes.set_xticks(years)
    axes.annotate("years since the scan; below, people still followed", (0.5, 0), (0, -18), xycoords="axes fraction",
                  textcoords="offset points", ha="center", va="top", fontsize=9, color=QUIET)  # fmt: skip
    for k, (key, colour) in enumerate(zip(groups, (YOUNGER, QUIET, OLDER), strict=False)):
        curve = curves[curves["group"] == key]
        for year in years:
            later = curve[curve["time_years"] >= year]
            count = int(later["at_risk"].iloc[0]) if len(later) else 0
            axes.annotate(f"{count:,}", (year, 0), (0, -32 - AT_RISK_POINTS * k), xycoords=("data", "axes fraction"),
                          textcoords="offset points", ha="center", va="top", fontsize=8, color=colour)  # fmt: skip
