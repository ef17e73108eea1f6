"""A made-up spine on a grid: signal without coil or noise, and the true label map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from spineclock.phantom.anatomy.forms import COURSE, Anatomy, Records
from spineclock.phantom.mri.bones import paint_blocks, paint_bodies
from spineclock.phantom.mri.canal import paint_canal
from spineclock.phantom.mri.discs import paint_discs
from spineclock.phantom.mri.flesh import ROWS, paint_flesh
from spineclock.phantom.mri.ground import Canvas, Floats, chance
from spineclock.phantom.mri.tissue import Signals

FINEST_MM = 2.7
"""Samples are split until no part is larger: slices of 3 to 8 mm into three, a training grid's pixels likewise."""
SPINE_HALF_MM = 62.0


@dataclass(frozen=True, eq=False)
class Grid:
    """Samples to the right, front and top of a corner, all in the scanner's own axes, millimetres."""

    shape: tuple[int, int, int]
    step_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]
    """The first sample's middle."""

    def parts(self) -> tuple[int, int, int]:
        """Into how many samples each is split along each axis; odd, so that one lies in the middle."""
        wanted = [int(np.ceil(step / FINEST_MM)) for step in self.step_mm]
        return tuple(n + (n + 1) % 2 for n in wanted)  # type: ignore[return-value]


@dataclass(frozen=True, eq=False)
class Flow:
    """What moving fluid does: share of CSF's signal left at each record of the course; dark streaks behind the cord."""

    left: Floats
    streaks: float


def painted(
    spine: Anatomy,
    signals: Signals,
    grid: Grid,
    *,
    flow: Flow,
    cord_lesion_mm: float,
    blur: float,
    rng: np.random.Generator,
) -> tuple[Floats, npt.NDArray[np.uint16]]:
    """Signal over CSF's (float32) and labels (uint16), both of ``grid.shape``.

    The spine is painted on samples split as :meth:`Grid.parts` says, what surrounds it, which changes less from one
    height to the next, on samples split from front to back alone; all are averaged, which with edges drawn by
    coverage makes the partial volume. The label is that of the middle part.
    """
    fine, islands, streaks, clouds = (chance(rng, smooth) for smooth in (0.55, 1.3, 0.85, 1.4))
    parts = grid.parts()
    soft = blur * max(grid.step_mm[1] / parts[1], grid.step_mm[2] / parts[2])
    flesh = _canvas(grid, (1, parts[1], 1), soft=max(soft, 0.5))
    at_rows = _course(spine, flow, flesh)
    rows = np.stack([at_rows[name] for name in ROWS])
    paint_flesh(flesh, rows, signals.flesh, streaks, clouds, spine.muscle_fat, spine.top_mm)
    signal, labels = np.empty(grid.shape, np.float32), np.empty(grid.shape, np.uint16)
    _gather(flesh.signal, flesh.labels, signal, labels, 0, 1, parts[1], 1)
    x0, x1 = _slab(spine, grid)
    if x1 <= x0:
        return signal, labels
    split = _split(flesh, x0, x1, parts[0], parts[2], soft)
    course = _course(spine, flow, split)
    cell = 0.9
    paint_canal(split, course, signals.canal, streaks, cord_lesion_mm, flow.streaks)
    paint_discs(split, spine.discs, spine.bodies, signals.discs, fine, islands, cell)
    paint_bodies(split, spine.bodies, signals.bodies, fine, islands, cell)
    distance = np.full(split.signal.shape, 99.0, np.float32)
    which = np.empty(split.signal.shape, np.int32)
    paint_blocks(split, spine.blocks, spine.bodies, signals.blocks, signals.cortex, fine, cell, distance, which)
    _gather(split.signal, split.labels, signal, labels, x0, *parts)
    return signal, labels


def _canvas(grid: Grid, parts: tuple[int, int, int], *, soft: float) -> Canvas:
    step = np.array(grid.step_mm, np.float64) / parts
    shape = tuple(n * p for n, p in zip(grid.shape, parts, strict=True))
    origin = np.array(grid.origin_mm, np.float64) - np.array(grid.step_mm) / 2 + step / 2
    return Canvas(np.zeros(shape, np.float32), np.zeros(shape, np.uint16), origin, step, soft)


def _course(spine: Anatomy, flow: Flow, canvas: Canvas) -> Records:
    """The course at each height of a canvas."""
    z = canvas.origin[2] + canvas.step[2] * np.arange(canvas.signal.shape[2])
    at = spine.course_from_mm + np.arange(len(spine.course))
    out = np.zeros(len(z), COURSE)
    for name in COURSE.names or ():
        out[name] = np.interp(z, at, flow.left if name == "left" else spine.course[name])
    return out


def _slab(spine: Anatomy, grid: Grid) -> tuple[int, int]:
    """The slices that hold the column."""
    x = grid.origin_mm[0] + grid.step_mm[0] * np.arange(grid.shape[0])
    low, high = float(spine.course["x"].min()) - SPINE_HALF_MM, float(spine.course["x"].max()) + SPINE_HALF_MM
    inside = np.flatnonzero((x >= low) & (x <= high))
    return (0, 0) if inside.size == 0 else (int(inside[0]), int(inside[-1]) + 1)


def _split(flesh: Canvas, x0: int, x1: int, across: int, up: int, soft: float) -> Canvas:
    """Slices ``x0`` to ``x1`` of a canvas, each cut into so many across and upwards, which hold what it holds."""
    step = flesh.step / np.array([across, 1, up])
    origin = flesh.origin + np.array([x0 * flesh.step[0], 0, 0]) - flesh.step / 2 + step / 2
    origin[1] = flesh.origin[1]
    signal, labels = np.repeat(flesh.signal[x0:x1], across, axis=0), np.repeat(flesh.labels[x0:x1], across, axis=0)
    if up > 1:
        signal, labels = np.repeat(signal, up, axis=2), np.repeat(labels, up, axis=2)
    return Canvas(signal, labels, origin, step, soft)


@njit(cache=True)
def _gather(
    fine: Floats,
    fine_labels: npt.NDArray[np.uint16],
    signal: Floats,
    labels: npt.NDArray[np.uint16],
    x0: int,
    a: int,
    b: int,
    c: int,
) -> None:
    """The mean of each sample's parts, and the label of its middle one."""
    scale = np.float32(1.0 / (a * b * c))
    for i in range(fine.shape[0] // a):
        for j in range(signal.shape[1]):
            for k in range(signal.shape[2]):
                total = np.float32(0.0)
                for p in range(a):
                    for q in range(b):
                        for r in range(c):
                            total += fine[i * a + p, j * b + q, k * c + r]
                signal[x0 + i, j, k] = total * scale
                labels[x0 + i, j, k] = fine_labels[i * a + a // 2, j * b + b // 2, k * c + c // 2]
