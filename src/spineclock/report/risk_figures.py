"""Pictures of risks: whether they hold, and how one person's rises with the years."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from spineclock.report.ink import ACCENT, INK, NEUTRAL, OLDER, blank, plain_axes

if TYPE_CHECKING:
    from spineclock.stats.survival.risk_band import RiskBand


def risk_calibration(
    groups: pd.DataFrame, *, horizon_years: float, words: str, band: RiskBand | None = None
) -> Figure:  # fmt: skip
    """Observed incidence against predicted risk in groups of rising risk, with 95% intervals.

    Parameters
    ----------
    groups : DataFrame
        ``expected``, ``estimate``, ``low`` and ``high`` of each.
    band : RiskBand, optional
        What validation people say of each risk, drawn beneath.

    Examples
    --------
    >>> rows = [(0.1, 0.1, 0.05, 0.2), (0.3, 0.25, 0.15, 0.4)]
    >>> groups = pd.DataFrame(rows, columns=["expected", "estimate", "low", "high"])
    >>> len(risk_calibration(groups, horizon_years=5, words="fracture").axes)
    1
    """
    figure = blank(4.6, 4.4)
    axes = figure.subplots()
    tops = [0.1, *groups["expected"], *groups["high"].dropna(), *groups["estimate"]]
    if band is not None:
        axes.fill_between(band.risk, band.low, band.high, color=OLDER, alpha=0.18, lw=0)
        axes.plot(band.risk, band.observed, color=OLDER, lw=1.2, label="by validation people")
        tops.append(min(1.0, max(band.risk)))
    top = min(1.02, 1.06 * max(tops))
    axes.plot([0, top], [0, top], color=NEUTRAL, lw=1, dashes=(4, 3))
    x, y = groups["expected"].to_numpy(dtype=float), groups["estimate"].to_numpy(dtype=float)
    away = np.array([y - groups["low"].to_numpy(dtype=float), groups["high"].to_numpy(dtype=float) - y])
    axes.errorbar(x, y, yerr=np.nan_to_num(np.maximum(away, 0)), fmt="o", color=ACCENT, ms=4, lw=1, label="observed")
    said = f"predicted risk of {words} by {horizon_years:g} years"
    axes.set(xlim=(0, top), ylim=(0, top), aspect="equal", xlabel=said, ylabel="share with it by then")
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="upper left")
    plain_axes(axes, grid="both")
    return figure


class Risen(Protocol):
    """A risk as a recipe tells it: its curve, and the last one's interval."""

    @property
    def words(self) -> str:
        """The event, in words."""

    @property
    def curve(self) -> Sequence[tuple[float, float]]:
        """Years, and the risk by then."""

    @property
    def interval(self) -> tuple[float, float] | None:
        """Of the last risk; None where it is not known."""


def risk_curve(told: Risen) -> Figure:
    """The risk as it rises with the years, with the last one's interval."""
    figure = blank(6.4, 2.6)
    axes = figure.subplots()
    years, risk = np.array([(0.0, 0.0), *told.curve]).T
    axes.plot(years, 100 * risk, color=ACCENT, lw=1.8)
    axes.plot(years[-1], 100 * risk[-1], "o", color=ACCENT, ms=6)
    top = 100 * risk.max()
    if told.interval is not None:
        low, high = (100 * end for end in told.interval)
        axes.plot([years[-1], years[-1]], [low, high], color=OLDER, lw=2.4, solid_capstyle="butt", zorder=1)
        top = max(top, high)
    axes.set(xlim=(0, 1.04 * years[-1]), ylim=(0, max(5.0, 1.15 * top)), xlabel="years from the scan",
             ylabel=f"% with a {told.words}")  # fmt: skip
    plain_axes(axes, grid="both")
    return figure
