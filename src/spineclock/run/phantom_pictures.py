"""Slices as pictures, marked where they are simulated; for the phantom's gallery and its findings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import ndimage

from spineclock.core.anatomy import DISC, LEVEL_NUMBERS, RIB, Structure
from spineclock.core.volume import Array, Mask
from spineclock.report.ink import compact, png

NEAR_MM = 12.0
"""The display's window is set by what lies within this distance of the spine."""
CANAL = (Structure.CORD, Structure.CSF, Structure.CANAL)
TOLD, NAMED = "#ffd27f", "#8fd0ff"
"""Of what is written on pictures: that they are simulated, and levels."""
SIMULATED = "Everything marked simulated is made up: no real person is shown."

LIMIT_BYTES = 500_000


@dataclass(frozen=True, eq=False)
class Picture:
    """One plane ready to be shown: rows from superior to inferior; grey samples with a window, or colours."""

    samples: Array
    spacing_mm: tuple[float, float]
    """Of rows and columns."""
    high: float = 1.0
    simulated: bool = True
    note: str = ""
    marks: tuple[tuple[float, float, str], ...] = ()
    """Words on the picture, each with its place: mm to the right and down."""

    @property
    def aspect(self) -> float:
        """Width over height as it is in the body."""
        return self.samples.shape[1] * self.spacing_mm[1] / (self.samples.shape[0] * self.spacing_mm[0])


def canal_slice(labels: Mask) -> int:
    """The sagittal slice that shows most cord and CSF."""
    return int(np.isin(labels.array, CANAL).sum(axis=(1, 2)).argmax())


def plane(array: Array, index: int) -> Array:
    """A sagittal slice as it is looked at: the head at the top, the front at the left."""
    return array[index, ::-1, ::-1].T


def top_of_window(samples: Array, labels: Array, spacing_mm: tuple[float, float]) -> float:
    """The 99.5th percentile of a slice's samples in the spine and within 12 mm of it."""
    spine = np.isin(labels, CANAL) | (labels == LEVEL_NUMBERS["S1"]) | ((labels > DISC) & (labels < RIB))
    spine |= (labels > 0) & (labels < 30)  # bodies and arches in one
    if not spine.any():
        return float(np.percentile(samples, 99.5))
    near = ndimage.distance_transform_edt(~spine, sampling=spacing_mm) <= NEAR_MM
    return max(float(np.percentile(samples[near], 99.5)), 1e-6)


def show(axes: Axes, picture: Picture) -> None:
    """Puts a picture into its axes, marked where it is simulated."""
    rows_, columns = picture.samples.shape[:2]
    extent = (0, columns * picture.spacing_mm[1], rows_ * picture.spacing_mm[0], 0)
    if picture.samples.ndim == 3:
        axes.imshow(picture.samples, extent=extent, interpolation="nearest")
    else:
        axes.imshow(picture.samples, cmap="gray", vmin=0, vmax=picture.high, extent=extent, interpolation="antialiased")
    axes.set(xticks=[], yticks=[], facecolor="black")
    axes.spines[:].set_visible(False)
    if picture.simulated:
        axes.text(0.02, 0.985, "simulated", transform=axes.transAxes, color=TOLD, fontsize=6.5, va="top")
    for right, down, word in picture.marks:
        axes.text(right, down, word, color=NAMED, fontsize=6, ha="center", va="center")
    if picture.note:
        axes.text(0.02, 0.015, picture.note, transform=axes.transAxes, color="#c3ccd4", fontsize=6.5)


def write_picture(figure: Figure, path: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
    """The figure as a JPEG of at most so many bytes, scaled down if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(compact(png(figure), limit_bytes=limit_bytes))
