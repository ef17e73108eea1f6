"""Pictures of numbers computed elsewhere: each function takes results and gives a matplotlib figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spineclock.core.records import AgePrediction
from spineclock.report.ink import ACCENT, INK, NEUTRAL, OLDER, QUIET, YOUNGER, blank, plain_axes
from spineclock.report.waterfall import Step, waterfall


def contributions(prediction: AgePrediction, *, names: Mapping[str, str] | None = None, most: int = 12) -> Figure:
    """How the measurements lead from the training people's mean age to the predicted age, largest first.

    ``names`` gives readable names of measurements, units included, where the automatic ones will not do.
    """
    steps = waterfall(prediction, names=names, most=most)
    figure = blank(7.0, 1.15 + 0.31 * (len(steps) + 2))
    axes = figure.subplots()
    rows = len(steps) + 2
    start = steps[0].start_years if steps else prediction.predicted_age_years
    end = steps[-1].end_years if steps else prediction.predicted_age_years
    for row, step in enumerate(steps, start=1):
        _step(axes, row, step)
    for row, at in ((0, start), (rows - 1, end)):
        axes.plot([at, at], [row - 0.42, row + 0.42], color=ACCENT, lw=3, solid_capstyle="butt")
        axes.annotate(
            f"{at:.1f} y",
            (at, row),
            (6, 0),
            textcoords="offset points",
            va="center",
            weight="bold",
            color=ACCENT,
            annotation_clip=False,
        )
    axes.set_yticks(range(rows), ["Mean age in training", *(s.label for s in steps), "Predicted spine age"])
    axes.set_ylim(rows - 0.4, -0.6)
    ends = [v for s in steps for v in (s.start_years, s.end_years)] or [start]
    room = max(2.0, 0.16 * (max(ends) - min(ends)))
    axes.set_xlim(min(ends) - room, max(ends) + room)
    axes.set_xlabel("years")
    plain_axes(axes, grid="x")
    axes.tick_params(axis="y", length=0)
    axes.set_title("What the age is made of", loc="left", weight="bold", color=INK, fontsize=11)
    return figure


def _step(axes: Axes, row: int, step: Step) -> None:
    colour = NEUTRAL if step.years == 0 else OLDER if step.years > 0 else YOUNGER
    axes.barh(row, step.years, left=step.start_years, height=0.62, color=colour, zorder=2)
    axes.plot([step.end_years, step.end_years], [row, row + 1], color=QUIET, lw=0.7, zorder=1)
    at = max(step.start_years, step.end_years) if step.years >= 0 else min(step.start_years, step.end_years)
    side = 1 if step.years >= 0 else -1
    axes.annotate(
        f"{step.years:+.1f}".replace("-", "−"),
        (at, row),
        (4 * side, 0),
        textcoords="offset points",
        va="center",
        ha="left" if side > 0 else "right",
        color=INK,
        fontsize=9,
        annotation_clip=False,
    )


def interval(
    prediction: AgePrediction, *, age_years: float | None = None, training_ages_years: tuple[float, float] | None = None
) -> Figure:
    """Predicted and corrected age with the interval, on an axis of age; the chronological age where it is known."""
    figure = blank(7.2, 1.75)
    axes = figure.subplots()
    low, high = prediction.interval.low_years, prediction.interval.high_years
    ages = [low, high, prediction.predicted_age_years, prediction.corrected_age_years]
    ages += [age_years] if age_years is not None else []
    if training_ages_years is not None:
        axes.axvspan(*training_ages_years, color="#eef2f5", zorder=0)
        axes.annotate(
            "training ages",
            (training_ages_years[0], 0.95),
            (4, 0),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            va="top",
            fontsize=8,
            color=QUIET,
        )
        ages += list(training_ages_years)
    axes.plot(
        [low, high],
        [0, 0],
        color="#9db8cd",
        lw=9,
        solid_capstyle="butt",
        label=f"{prediction.interval.coverage:.0%} interval {low:.0f}–{high:.0f}",
    )
    axes.plot(
        prediction.predicted_age_years,
        0,
        "o",
        ms=11,
        color=ACCENT,
        label=f"predicted {prediction.predicted_age_years:.1f}",
    )
    axes.plot(
        prediction.corrected_age_years,
        0,
        "D",
        ms=8,
        mfc="white",
        mec=ACCENT,
        mew=1.8,
        label=f"corrected {prediction.corrected_age_years:.1f}",
    )
    if age_years is not None:
        axes.plot([age_years, age_years], [-0.55, 0.55], color=OLDER, lw=2.5, label=f"chronological {age_years:.1f}")
    axes.set_xlim(math.floor((min(ages) - 5) / 10) * 10, math.ceil((max(ages) + 5) / 10) * 10)
    axes.set_ylim(-1, 1)
    axes.set_yticks([])
    axes.set_xlabel("age, years")
    plain_axes(axes, grid="x")
    axes.spines["left"].set_visible(False)
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.02),
        ncols=4,
        frameon=False,
        fontsize=9,
        borderaxespad=0,
        handletextpad=0.6,
        columnspacing=1.6,
        handlelength=1.4,
    )
    return figure


def heat(picture: npt.ArrayLike, weights: npt.ArrayLike, *, spacing_mm: tuple[float, float], title: str = "") -> Figure:
    """A slice with a map of weights over it (Grad-CAM), weights from none (clear) to the largest (yellow).

    Both have rows from superior to inferior and columns from anterior to posterior, as
    :class:`spineclock.report.overlay.SlicePicture` has them; ``spacing_mm`` is that of (rows, columns).
    """
    back, over = np.asarray(picture, float), np.asarray(weights, float)
    tall, wide = back.shape[0] * spacing_mm[0], back.shape[1] * spacing_mm[1]
    width = min(5.0, 9.0 * wide / tall + 0.8)
    figure = blank(width, (width - 0.8) * tall / wide + 0.4)
    axes = figure.subplots()
    low, high = np.percentile(back, (1, 99.5))
    extent = (0.0, wide, tall, 0.0)
    axes.imshow(back, cmap="gray", vmin=low, vmax=max(high, low + 1e-9), extent=extent)
    top = float(over.max())
    share = np.clip(over / top, 0, 1) if top > 0 else np.zeros_like(over)
    shown = axes.imshow(
        share, cmap="inferno", vmin=0, vmax=1, alpha=0.65 * share, extent=extent, interpolation="bilinear"
    )
    axes.set_axis_off()
    axes.set_title(title, loc="left", fontsize=10, color=INK)
    bar = figure.colorbar(shown, ax=axes, fraction=0.04, pad=0.02)
    bar.set_label("weight, share of the largest", color=QUIET, fontsize=8)
    return figure


def scatter(age_years: Sequence[float], predicted_years: Sequence[float], *, title: str = "", note: str = "") -> Figure:
    """Predicted against chronological age with the line of identity; ``note`` is written into the corner."""
    age, predicted = np.asarray(age_years, float), np.asarray(predicted_years, float)
    figure = blank(5.2, 5.2)
    axes = figure.subplots()
    low = math.floor((min(age.min(), predicted.min()) - 2) / 10) * 10
    high = math.ceil((max(age.max(), predicted.max()) + 2) / 10) * 10
    axes.plot([low, high], [low, high], color=NEUTRAL, lw=1, dashes=(4, 3), label="identity")
    axes.plot(age, predicted, "o", ms=6, color=YOUNGER, mec="white", mew=0.7)
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_aspect("equal")
    axes.set_xlabel("chronological age, years")
    axes.set_ylabel("predicted age, years")
    axes.set_title(title, loc="left", fontsize=10, color=INK)
    axes.annotate(note, (0.03, 0.97), xycoords="axes fraction", va="top", fontsize=9, color=INK)
    plain_axes(axes, grid="both")
    return figure


def bland_altman(
    first: Sequence[float],
    second: Sequence[float],
    *,
    bias: float,
    limits: tuple[float, float],
    of: str = "predicted − chronological age, years",
    title: str = "",
) -> Figure:
    """Differences (first − second) against means, with the bias and limits of agreement given."""
    a, b = np.asarray(first, float), np.asarray(second, float)
    figure = blank(6.4, 4.2)
    axes = figure.subplots()
    axes.axhline(0, color=NEUTRAL, lw=0.8)
    axes.plot((a + b) / 2, a - b, "o", ms=6, color=YOUNGER, mec="white", mew=0.7)
    for y, name, style in ((bias, "bias", "-"), (limits[0], "lower limit", "--"), (limits[1], "upper limit", "--")):
        axes.axhline(y, color=OLDER, lw=1.3, ls=style)
        axes.annotate(
            f"{name} {y:+.1f}".replace("-", "−"),
            (1.01, y),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=8,
            color=OLDER,
            annotation_clip=False,
        )
    axes.set_xlabel("mean of the two, years")
    axes.set_ylabel(of)
    axes.set_title(title, loc="left", fontsize=10, color=INK)
    plain_axes(axes, grid="y")
    return figure
