"""A made-up spine on a grid: signal without coil or noise, and the true label map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

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
CELL_MM = 0.9
"""Of the tables of chance that bone's texture comes from."""


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
    flesh = canvas_of(grid, (1, parts[1], 1), soft=max(soft, 0.5))
    at_rows = course_on(spine, flow.left, flesh)
    rows = np.stack([at_rows[name] for name in ROWS])
    paint_flesh(flesh, rows, signals.flesh, streaks, clouds, spine.muscle_fat, spine.top_mm)
    signal, labels = np.empty(grid.shape, np.float32), np.empty(grid.shape, np.uint16)
    gather(flesh.signal, flesh.labels, signal, labels, (0, 0), (1, parts[1], 1))
    x0, x1 = _slab(spine, grid)
    if x1 <= x0:
        return signal, labels
    split = split_canvas(flesh, (x0, x1), (0, flesh.signal.shape[1]), (parts[0], parts[2]), soft)
    course = course_on(spine, flow.left, split)
    paint_spine(split, spine, signals, course, Grain(fine, islands, streaks), cord_lesion_mm, flow.streaks)
    gather(split.signal, split.labels, signal, labels, (x0, 0), parts)
    return signal, labels


class Grain(NamedTuple):
    """Tables of chance that the spine's textures come from."""

    fine: Floats
    islands: Floats
    streaks: Floats


def paint_spine(
    canvas: Canvas, spine: Anatomy, signals: Signals, course: Records, grain: Grain, cord_lesion_mm: float = 1e9,
    streaks: float = 0.0,
) -> None:  # fmt: skip
    """Paints canal, discs, bodies and blocks of bone over what surrounds them; ``course`` is that of the canvas."""
    paint_canal(canvas, course, signals.canal, grain.streaks, cord_lesion_mm, streaks)
    paint_discs(canvas, spine.discs, spine.bodies, signals.discs, grain.fine, grain.islands, CELL_MM)
    paint_bodies(canvas, spine.bodies, signals.bodies, grain.fine, grain.islands, CELL_MM)
    distance = np.full(canvas.signal.shape, 99.0, np.float32)
    which = np.empty(canvas.signal.shape, np.int32)
    paint_blocks(canvas, spine.blocks, spine.bodies, signals.blocks, signals.cortex, grain.fine, CELL_MM, distance,
                 which)  # fmt: skip


def canvas_of(grid: Grid, parts: tuple[int, int, int], *, soft: float) -> Canvas:
    """An empty canvas of a grid whose samples are split into so many parts along each axis."""
    step = np.array(grid.step_mm, np.float64) / parts
    shape = tuple(n * p for n, p in zip(grid.shape, parts, strict=True))
    origin = np.array(grid.origin_mm, np.float64) - np.array(grid.step_mm) / 2 + step / 2
    return Canvas(np.zeros(shape, np.float32), np.zeros(shape, np.uint16), origin, step, soft)


def course_on(spine: Anatomy, left: Floats, canvas: Canvas) -> Records:
    """The course at each height of a canvas; ``left`` is the share of CSF's signal at each record of the spine's."""
    z = canvas.origin[2] + canvas.step[2] * np.arange(canvas.signal.shape[2])
    at = spine.course_from_mm + np.arange(len(spine.course))
    out = np.zeros(len(z), COURSE)
    for name in COURSE.names or ():
        out[name] = np.interp(z, at, left if name == "left" else spine.course[name])
    return out


def _slab(spine: Anatomy, grid: Grid) -> tuple[int, int]:
    """The slices that hold the column."""
    x = grid.origin_mm[0] + grid.step_mm[0] * np.arange(grid.shape[0])
    low, high = float(spine.course["x"].min()) - SPINE_HALF_MM, float(spine.course["x"].max()) + SPINE_HALF_MM
    inside = np.flatnonzero((x >= low) & (x <= high))
    return (0, 0) if inside.size == 0 else (int(inside[0]), int(inside[-1]) + 1)


def split_canvas(flesh: Canvas, x: tuple[int, int], y: tuple[int, int], parts: tuple[int, int], soft: float) -> Canvas:
    """The part of a canvas from one place to another, each sample cut into so many across and upwards."""
    step = flesh.step / np.array([parts[0], 1, parts[1]])
    origin = flesh.origin + np.array([x[0] * flesh.step[0], 0, 0]) - flesh.step / 2 + step / 2
    origin[1] = flesh.origin[1] + y[0] * flesh.step[1]
    here = slice(*x), slice(*y)
    signal, labels = np.repeat(flesh.signal[here], parts[0], axis=0), np.repeat(flesh.labels[here], parts[0], axis=0)
    if parts[1] > 1:
        signal, labels = np.repeat(signal, parts[1], axis=2), np.repeat(labels, parts[1], axis=2)
    return Canvas(signal, labels, origin, step, soft)


@njit(cache=True)
def gather(
    fine: Floats,
    fine_labels: npt.NDArray[np.uint16],
    signal: Floats,
    labels: npt.NDArray[np.uint16],
    at: tuple[int, int],
    parts: tuple[int, int, int],
) -> None:
    """The mean of each sample's parts, and the label of its middle one; ``at`` is where the fine samples begin."""
    a, b, c = parts
    scale = np.float32(1.0 / (a * b * c))
    for i in range(fine.shape[0] // a):
        for j in range(fine.shape[1] // b):
            for k in range(signal.shape[2]):
                total = np.float32(0.0)
                for p in range(a):
                    for q in range(b):
                        for r in range(c):
                            total += fine[i * a + p, j * b + q, k * c + r]
                signal[at[0] + i, at[1] + j, k] = total * scale
                labels[at[0] + i, at[1] + j, k] = fine_labels[i * a + a // 2, j * b + b // 2, k * c + c // 2]
