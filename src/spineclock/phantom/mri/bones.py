"""Paints vertebral bodies and blocks of bone: marrow in a shell of cortex, edges by coverage."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from spineclock.phantom.anatomy.forms import Record, Records
from spineclock.phantom.anatomy.shapes import (
    block_distance,
    block_reach,
    body_distance,
    body_half_sizes,
    box_reach,
    joined,
)
from spineclock.phantom.mri.ground import Canvas, Floats, cover, in_frame, nearest, smooth, span

MARROW = np.dtype(
    [(name, "f8") for name in ("marrow", "cortex", "vein", "modic", "lesion", "shell_up", "shell_down", "wall")]
)
"""Signals of one body's parts, and the thickness of its end plates (upper, lower) and walls in mm."""


@njit(cache=True)
def paint_bodies(canvas: Canvas, bodies: Records, signals: Records, fine: Floats, islands: Floats, cell: float) -> None:
    """Paints each body with its marrow's texture and whatever is in it."""
    signal, labels = canvas.signal, canvas.labels
    ox, oy, oz = canvas.origin
    sx, sy, sz = canvas.step
    for n in range(len(bodies)):
        b, s = bodies[n], signals[n]
        cx, cy, cz = b.centre
        axes = b.axes
        wide, deep, tall = body_half_sizes(b)
        reach_x, reach_y, reach_z = box_reach(axes, wide, deep, tall)
        i0, i1 = span(cx, reach_x, ox, sx, signal.shape[0])
        j0, j1 = span(cy, reach_y, oy, sy, signal.shape[1])
        k0, k1 = span(cz, reach_z, oz, sz, signal.shape[2])
        for i in range(i0, i1):
            x = ox + i * sx - cx
            for j in range(j0, j1):
                y = oy + j * sy - cy
                for k in range(k0, k1):
                    z = oz + k * sz - cz
                    u = x * axes[0, 0] + y * axes[0, 1] + z * axes[0, 2]
                    v = x * axes[1, 0] + y * axes[1, 1] + z * axes[1, 2]
                    w = x * axes[2, 0] + y * axes[2, 1] + z * axes[2, 2]
                    if abs(w) > tall or abs(v) > deep or abs(u) > wide:
                        continue
                    out, above, below, side = body_distance(b, u, v, w)
                    share = cover(out, canvas.soft)
                    if share == 0.0:
                        continue
                    depth = max(above + s.shell_up, below + s.shell_down, side + s.wall, out + 0.3)
                    inside = min(share, cover(depth, canvas.soft))
                    value = s.cortex
                    if inside > 0.0:
                        value = _marrow(b, s, u, v, w, above, below)
                        rough = nearest(fine, (x + cx) / cell + 31.0 * n, (y + cy) / cell, (z + cz) / cell)
                        patch = smooth(islands, (x + cx) / 5.0 + 7.0 * n, (y + cy) / 5.0, (z + cz) / 5.0)
                        value *= max(0.15, 1.0 + b.unevenness * (rough + (0.8 + b.coarse) * patch))
                    signal[i, j, k] = signal[i, j, k] * (1 - share) + s.cortex * (share - inside) + value * inside
                    if share > 0.5:
                        labels[i, j, k] = b.label


@njit(cache=True)
def _marrow(b: Record, s: Record, u: float, v: float, w: float, above: float, below: float) -> float:
    """Signal of marrow at a point of a body, before its texture."""
    value = s.marrow
    if b.modic_upper > 0.0 or b.modic_lower > 0.0:
        place = math.exp(-(((v / b.depth_upper - b.modic_front) / 0.75) ** 2))
        most = 0.0
        if b.modic_upper > 0.0:
            most = max(most, min(1.0, max(0.0, 1.3 - (-above) / (b.modic_upper * place + 0.01))))
        if b.modic_lower > 0.0:
            most = max(most, min(1.0, max(0.0, 1.3 - (-below) / (b.modic_lower * place + 0.01))))
        value += (s.modic - value) * most
    if b.vein > 0.0 and v < -0.15 * b.depth_upper and abs(u) < 5.0:
        tall = b.vein * min(1.0, 0.25 - 1.3 * (v / b.depth_upper + 0.15))
        cleft = (1.0 - (w / tall) ** 2) * (1.0 - (u / 5.0) ** 2)
        if cleft > 0.0:
            value += (s.vein - value) * min(1.0, 2.0 * cleft) * min(1.0, -(v / b.depth_upper + 0.15) * 3.0)
    if b.lesion > 0.0:
        away = math.sqrt((u - b.lesion_at[0]) ** 2 + (v - b.lesion_at[1]) ** 2 + (w - b.lesion_at[2]) ** 2) - b.lesion
        value += (s.lesion - value) * cover(away, 2.0)
    return value


@njit(cache=True)
def paint_blocks(
    canvas: Canvas, blocks: Records, bodies: Records, marrow: npt.NDArray[np.float64], cortex: float, fine: Floats,
    cell: float, distance: Floats, which: npt.NDArray[np.int32],
) -> None:  # fmt: skip
    """Paints blocks of bone, those of one group grown together, and with the body they join.

    ``distance`` and ``which`` are scratch of the canvas' size; ``distance`` must be 99 everywhere, and is so again
    afterwards.
    """
    first = 0
    while first < len(blocks):
        last = first
        while last < len(blocks) and blocks[last].group == blocks[first].group:
            last += 1
        for n in range(first, last):
            _fill(canvas, blocks, n, bodies, distance, which)
        for n in range(first, last):
            _coat(canvas, blocks, n, marrow, cortex, fine, cell, distance, which)
        first = last


@njit(cache=True)
def _box(canvas: Canvas, p: Record) -> tuple[int, int, int, int, int, int]:
    rx, ry, rz = block_reach(p)
    i0, i1 = span(p.centre[0], rx, canvas.origin[0], canvas.step[0], canvas.signal.shape[0])
    j0, j1 = span(p.centre[1], ry, canvas.origin[1], canvas.step[1], canvas.signal.shape[1])
    k0, k1 = span(p.centre[2], rz, canvas.origin[2], canvas.step[2], canvas.signal.shape[2])
    return i0, i1, j0, j1, k0, k1


@njit(cache=True)
def _fill(
    canvas: Canvas, blocks: Records, n: int, bodies: Records, distance: Floats, which: npt.NDArray[np.int32]
) -> None:
    """Lowers the distance to the bone of a group where this block is."""
    p = blocks[n]
    axes = p.axes
    i0, i1, j0, j1, k0, k1 = _box(canvas, p)
    b = bodies[max(p.joins, 0)]
    for i in range(i0, i1):
        x = canvas.origin[0] + i * canvas.step[0]
        for j in range(j0, j1):
            y = canvas.origin[1] + j * canvas.step[1]
            for k in range(k0, k1):
                z = canvas.origin[2] + k * canvas.step[2]
                u, v, w = in_frame(axes, p.centre, x, y, z)
                d = block_distance(p, u, v, w)
                if d > 1.5:
                    continue
                if p.joins >= 0:
                    u, v, w = in_frame(b.axes, b.centre, x, y, z)
                    body = body_distance(b, u, v, w)[0]
                    if body < d and d > -0.2:
                        continue
                    d = joined(body, d)
                old = distance[i, j, k]
                if old > 98.0:
                    distance[i, j, k] = d
                    which[i, j, k] = n
                else:
                    if d < old:
                        which[i, j, k] = n
                    distance[i, j, k] = joined(old, d)


@njit(cache=True)
def _coat(
    canvas: Canvas, blocks: Records, n: int, marrow: npt.NDArray[np.float64], cortex: float, fine: Floats, cell: float,
    distance: Floats, which: npt.NDArray[np.int32],
) -> None:  # fmt: skip
    """Paints the bone of a group within this block's box, and clears the scratch."""
    ox, oy, oz = canvas.origin
    sx, sy, sz = canvas.step
    i0, i1, j0, j1, k0, k1 = _box(canvas, blocks[n])
    for i in range(i0, i1):
        for j in range(j0, j1):
            for k in range(k0, k1):
                d = distance[i, j, k]
                if d > 98.0:
                    continue
                distance[i, j, k] = 99.0
                p = blocks[which[i, j, k]]
                share = cover(d, canvas.soft)
                if share == 0.0:
                    continue
                inside = min(share, cover(d + p.cortex, canvas.soft))
                rough = nearest(fine, (ox + i * sx) / cell + 17.0 * p.group, (oy + j * sy) / cell, (oz + k * sz) / cell)
                value = marrow[which[i, j, k]] * max(0.2, 1.0 + 0.12 * rough)
                below = canvas.signal[i, j, k] * (1 - share)
                canvas.signal[i, j, k] = below + cortex * (share - inside) + value * inside
                if share > 0.5 and not (p.joins >= 0 and _is_body(canvas.labels[i, j, k])):
                    canvas.labels[i, j, k] = p.label


@njit(cache=True, inline="always")
def _is_body(label: int) -> bool:
    return 200 < label < 300
