"""Pictures of a training: how it went, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spineclock.report.ink import ACCENT, INK, NEUTRAL, OLDER, YOUNGER, blank, plain_axes
from spineclock.report.study_figures import cloud


def learning(
    curves: pd.DataFrame,
    *,
    figure: str = "validation_mae_years",
    title: str = "validation MAE",
    unit: str = " years",
    rising: bool = False,
) -> Figure:
    """Losses, and the figure that validation people are judged by, epoch by epoch; the epoch kept is marked.

    Parameters
    ----------
    curves : DataFrame
        ``curves.csv`` of a run.
    figure, title, unit : str
        The figure's column, name and unit.
    rising : bool
        Whether it lies between 0 and 1, and more is better.
    """
    page = blank(8.6, 3.2)
    losses, errors = page.subplots(1, 2)
    epoch = curves["epoch"] + 1
    kept = int(curves["validation_loss"].to_numpy().argmin())
    for name, colour in (("train_loss", NEUTRAL), ("validation_loss", ACCENT)):
        losses.plot(
            epoch, curves[name], color=colour, lw=1.6, label=name.replace("_loss", "").replace("train", "training")
        )
    losses.set_ylabel("loss")
    losses.set_ylim(0, None)
    losses.legend(frameon=False, fontsize=8)
    errors.plot(epoch, curves[figure], color=ACCENT, lw=1.6)
    errors.plot(epoch[kept], curves[figure][kept], "o", color=OLDER, ms=6)
    errors.set_title(f"kept: {curves[figure][kept]:.2f}{unit}", loc="right", fontsize=9, color=INK)
    errors.set_ylabel(title + (f",{unit}" if unit else ""))
    errors.set_ylim(0, 1 if rising else None)
    falls = np.flatnonzero(np.diff(curves["learning_rate"]) < 0) + 1
    if len(falls) == len(curves) - 1 > 1:  # it falls all the time
        falls = falls[:0]
    for axes in (losses, errors):
        for fall in falls:
            axes.axvline(epoch[fall] - 0.5, color=YOUNGER, lw=0.8, dashes=(2, 3))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("epoch" + (" (dashed: the learning rate falls)" if len(falls) else ""))
        plain_axes(axes, grid="y")
    return page


def predicted(sets: Mapping[str, pd.DataFrame]) -> Figure:
    """Predicted against chronological age in each set, with the line of identity."""
    figure = blank(3.4 * len(sets) + 0.3, 3.5)
    every = figure.subplots(1, len(sets), squeeze=False, sharex=True, sharey=True)[0]
    for axes, (name, table) in zip(every, sets.items(), strict=True):
        age, told = (table[f"{c}_years"].to_numpy(dtype=float) for c in ("age", "predicted_age"))
        ends = [np.floor(min(age.min(), told.min()) / 10) * 10, np.ceil(max(age.max(), told.max()) / 10) * 10]
        cloud(axes, age, told)
        axes.plot(ends, ends, color=NEUTRAL, lw=1, dashes=(4, 3))
        axes.set_title(f"{name} ({len(table):,} scans)", loc="left", fontsize=10, color=INK)
        axes.set_xlabel("chronological age, years")
        plain_axes(axes, grid="both")
    every[0].set_ylabel("predicted age, years")
    return figure
