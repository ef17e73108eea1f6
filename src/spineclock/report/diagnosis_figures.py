"""Pictures of how well a probability tells who has a disease."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from spineclock.report.ink import ACCENT, INK, NEUTRAL, OLDER, blank, plain_axes
from spineclock.stats.diagnosis.calibration import equal_bins
from spineclock.stats.diagnosis.operating import proportion
from spineclock.stats.diagnosis.roc import roc_curve

GROUPS = 8
"""Of about equal size, whose shares are drawn; fewer where there are few people."""
LEAST = 15
"""People a group."""


def roc_and_calibration(sets: Mapping[str, pd.DataFrame], *, disease: str) -> Figure:
    """For each set of scans its ROC curve with the call on it, and below it observed shares against probabilities.

    Parameters
    ----------
    sets : mapping of str to DataFrame
        Each with ``label`` (0, 1), ``probability`` and ``called``.
    disease : str
        In words.

    Examples
    --------
    >>> table = pd.DataFrame({"label": [0, 0, 1, 1], "probability": [0.1, 0.6, 0.5, 0.9], "called": [0, 1, 1, 1]})
    >>> len(roc_and_calibration({"test": table}, disease="osteoporosis").axes)
    2
    """
    figure = blank(3.2 * len(sets) + 0.4, 6.4)
    every = figure.subplots(2, len(sets), squeeze=False)
    for column, (name, table) in enumerate(sets.items()):
        ill, p = table["label"].to_numpy(dtype=float) > 0.5, table["probability"].to_numpy(dtype=float)
        roc, calibration = every[0, column], every[1, column]
        roc.set_title(f"{name} ({int(ill.sum()):,} with, {int((~ill).sum()):,} without)", loc="left", fontsize=10,
                      color=INK)  # fmt: skip
        roc.plot([0, 1], [0, 1], color=NEUTRAL, lw=1, dashes=(4, 3))
        if ill.any() and not ill.all():
            curve, called = roc_curve(p, ill), table["called"].to_numpy(dtype=bool)
            roc.plot(1 - curve.specificity, curve.sensitivity, color=ACCENT, lw=1.6)
            roc.plot(called[~ill].mean(), called[ill].mean(), "o", color=OLDER, ms=6)
        _calibration(calibration, p, ill)
        for axes, x in ((roc, "1 − specificity"), (calibration, "probability")):
            axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=x, aspect="equal")
            plain_axes(axes, grid="both")
    every[0, 0].set_ylabel("sensitivity (the dot: as called)")
    every[1, 0].set_ylabel(f"share with {disease}")
    return figure


def _calibration(axes: object, p: np.ndarray, ill: np.ndarray) -> None:
    """Observed shares of groups of about equal size with 95% intervals, and the line where they are right."""
    axes.plot([0, 1], [0, 1], color=NEUTRAL, lw=1, dashes=(4, 3))  # type: ignore[attr-defined]
    bins = equal_bins(p, max(1, min(GROUPS, len(p) // LEAST)))
    for group in range(bins.groups):
        own = bins.of == group
        share = proportion(ill[own])
        away = [[max(0.0, share.value - share.low)], [max(0.0, share.high - share.value)]]
        axes.errorbar(  # type: ignore[attr-defined]
            p[own].mean(), share.value, yerr=away, fmt="o", color=ACCENT, ms=4, lw=1
        )
