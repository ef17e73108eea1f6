"""The beam of a lateral film: rays from a focus through the person to a detector, and what each shape covers on it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from spineclock.phantom.mri.ground import span

Floats = npt.NDArray[np.float32]
STEP_MM = 2.0
"""Between samples along a ray; edges across it are drawn by coverage, so that none is missed."""


class Rays(NamedTuple):
    """Where the rays run; plain numbers and arrays, so that compiled code takes them.

    The ray to the place (f, g) of the film passes, at x to the right, through y = focus_y + (f − focus_y)·q(x) and the
    same upwards, q being the share of the way from the focus to the film.
    """

    forward: npt.NDArray[np.float64]
    """Places of the film's columns on the detector in mm, towards the front; (J,)."""
    up: npt.NDArray[np.float64]
    """And of its rows, from the bottom up; (K,)."""
    focus: npt.NDArray[np.float64]
    """The focus in mm: right, front, up."""
    distance: float
    """From the focus to the detector in mm."""
    towards: float
    """1 where x grows from detector to focus (a left lateral film), -1 where it falls."""
    fan: bool
    """Rays run apart to front and back alone, side by side upwards, as those of a fan that moves along the body."""
    middle: float
    """x of the plane about which the person is turned."""
    turn: float
    """By how much the person is turned about the long axis, and leans to one side; tangents."""
    lean: float
    step: float
    """Millimetres across the body between the samples of a line integral."""
    soft: float
    """Width over which an edge goes from nothing to all, in mm."""


@dataclass(frozen=True, eq=False)
class Beam:
    """A film's grid and how it is exposed.

    Parameters
    ----------
    shape : tuple of int
        Columns (towards the front) and rows (upwards).
    pixel_mm : float
        At the detector.
    origin_mm : tuple of float
        The first sample's place on the detector: front, up.
    focus_mm : tuple of float
        Right, front, up.
    detector_mm : float
        x of the detector.
    """

    shape: tuple[int, int]
    pixel_mm: float
    origin_mm: tuple[float, float]
    focus_mm: tuple[float, float, float]
    detector_mm: float
    middle_mm: float
    fan: bool = False
    turn: float = 0.0
    lean: float = 0.0

    @property
    def focus_detector_mm(self) -> float:
        """From the focus to the detector."""
        return abs(self.focus_mm[0] - self.detector_mm)

    def magnification(self, x_mm: float) -> float:
        """How much larger what lies at x is on the film: focus–detector over focus–object distance.

        >>> Beam((2, 2), 1.0, (0.0, 0.0), (800.0, 0.0, 0.0), -200.0, 0.0).magnification(0.0)
        1.25
        """
        return self.focus_detector_mm / abs(self.focus_mm[0] - x_mm)

    def rays(self) -> Rays:
        """The rays to the middle of each sample."""
        columns, rows = self.shape
        at_body = self.pixel_mm / self.magnification(self.middle_mm)
        return Rays(
            forward=self.origin_mm[0] + self.pixel_mm * np.arange(columns, dtype=np.float64),
            up=self.origin_mm[1] + self.pixel_mm * np.arange(rows, dtype=np.float64),
            focus=np.array(self.focus_mm, np.float64),
            distance=self.focus_detector_mm,
            towards=float(np.sign(self.focus_mm[0] - self.detector_mm)),
            fan=self.fan,
            middle=self.middle_mm,
            turn=self.turn,
            lean=self.lean,
            step=STEP_MM,
            soft=max(0.3, at_body),
        )


@njit(cache=True, inline="always")
def on_film(rays: Rays, x: float, y: float, z: float) -> tuple[float, float]:
    """Where a point of the body is seen on the detector: front, up."""
    q = rays.towards * (rays.focus[0] - x) / rays.distance
    y -= rays.turn * (x - rays.middle)
    z -= rays.lean * (x - rays.middle)
    f = rays.focus[1] + (y - rays.focus[1]) / q
    return f, (z if rays.fan else rays.focus[2] + (z - rays.focus[2]) / q)


@njit(cache=True, inline="always")
def in_body(rays: Rays, f: float, g: float, x: float) -> tuple[float, float]:
    """Where the ray to a place of the detector passes at x: front, up."""
    q = rays.towards * (rays.focus[0] - x) / rays.distance
    y = rays.focus[1] + (f - rays.focus[1]) * q + rays.turn * (x - rays.middle)
    z = g if rays.fan else rays.focus[2] + (g - rays.focus[2]) * q
    return y, z + rays.lean * (x - rays.middle)


@njit(cache=True, inline="always")
def slant(rays: Rays, f: float, g: float) -> float:
    """The length of a ray for each millimetre that it gets on across the body."""
    a = (f - rays.focus[1]) / rays.distance
    b = 0.0 if rays.fan else (g - rays.focus[2]) / rays.distance
    return math.sqrt(1.0 + a * a + b * b)


@njit(cache=True)
def window(
    rays: Rays, centre: npt.NDArray[np.float64], reach_x: float, reach_y: float, reach_z: float
) -> tuple[int, int, int, int]:
    """The columns and the rows that a box in the body may cover, each from the first to one beyond the last."""
    low_f, high_f, low_g, high_g = 1e9, -1e9, 1e9, -1e9
    for a in (-1.0, 1.0):
        for b in (-1.0, 1.0):
            f, g = on_film(rays, centre[0] + a * reach_x, centre[1] + b * reach_y, centre[2] + b * reach_z)
            low_f, high_f, low_g, high_g = min(low_f, f), max(high_f, f), min(low_g, g), max(high_g, g)
    step = rays.forward[1] - rays.forward[0]
    middle_f, middle_g = 0.5 * (low_f + high_f), 0.5 * (low_g + high_g)
    j0, j1 = span(middle_f, middle_f - low_f + step, rays.forward[0], step, len(rays.forward))
    k0, k1 = span(middle_g, middle_g - low_g + step, rays.up[0], step, len(rays.up))
    return j0, j1, k0, k1
