"""Paints discs between the end plates of their neighbours: nucleus, annulus, cleft, fissure, bulges and lumps."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from spineclock.phantom.anatomy.forms import Record, Records
from spineclock.phantom.anatomy.shapes import lower_plate, outline, upper_plate
from spineclock.phantom.mri.ground import Canvas, Floats, cover, in_frame, nearest, smooth, span

WATER = np.dtype([(name, "f8") for name in ("nucleus", "annulus", "rim", "fissure")])
"""Signals of one disc's parts."""


@njit(cache=True)
def paint_discs(
    canvas: Canvas, discs: Records, bodies: Records, signals: Records, fine: Floats, islands: Floats, cell: float
) -> None:
    """Paints each disc, a little into the end plates: bodies are painted over it, so that no seam is left between."""
    signal, labels = canvas.signal, canvas.labels
    ox, oy, oz = canvas.origin
    sx, sy, sz = canvas.step
    for n in range(len(discs)):
        d, s = discs[n], signals[n]
        up, low = bodies[d.upper], bodies[d.lower]
        axes = d.axes
        deep = d.depth + d.bulge + d.lump + 3.0
        wide = d.width + d.bulge + 2.0
        tall = 0.5 * d.height + 0.4 * d.depth + max(0.0, d.lump_tall + abs(d.lump_rise)) + 3.0
        i0, i1 = span(d.centre[0], wide + 0.3 * deep, ox, sx, signal.shape[0])
        j0, j1 = span(d.centre[1], deep * abs(axes[1, 1]) + tall * abs(axes[2, 1]) + 2.0, oy, sy, signal.shape[1])
        k0, k1 = span(d.centre[2], deep * abs(axes[1, 2]) + tall * abs(axes[2, 2]) + 2.0, oz, sz, signal.shape[2])
        for i in range(i0, i1):
            x = ox + i * sx
            for j in range(j0, j1):
                y = oy + j * sy
                for k in range(k0, k1):
                    z = oz + k * sz
                    u, v, w = in_frame(axes, d.centre, x, y, z)
                    if abs(v) > deep or abs(w) > tall:
                        continue
                    uu, uv, uw = in_frame(up.axes, up.centre, x, y, z)
                    lu, lv, lw = in_frame(low.axes, low.centre, x, y, z)
                    top = uw - lower_plate(up, uu, uv)  # above 0 inside the upper body
                    base = upper_plate(low, lu, lv) - lw
                    gap = -(top + base)
                    side = outline(u, v, d.width, d.depth)
                    away = side - d.bulge
                    out = away if gap > 0.0 and max(top, base) < canvas.soft else 9.0
                    if d.lump > 0.0:
                        out = min(out, _lump(d, u, v, w))
                    share = cover(out, canvas.soft)
                    if share == 0.0:
                        continue
                    value = _inside(d, s, u, v, w, side, top / min(-0.5, -gap) if gap > 0 else 0.5)
                    rough = nearest(fine, x / cell + 5.0 * n, y / cell, z / cell)
                    patch = smooth(islands, x / 4.0 + 3.0 * n, y / 6.0, z / 2.0)
                    value *= max(0.2, 1.0 + 0.10 * rough + 0.13 * patch)
                    signal[i, j, k] = signal[i, j, k] * (1 - share) + value * share
                    if share > 0.5:
                        labels[i, j, k] = d.label


@njit(cache=True)
def _lump(d: Record, u: float, v: float, w: float) -> float:
    """Distance out of a protrusion or extrusion: an ellipsoid set into the back of the disc."""
    deep = d.lump + d.bulge + 3.0
    a = (u - d.lump_right) / d.lump_half
    b = (v + d.depth * 0.93 - 3.0) / deep
    c = (w - d.lump_rise) / max(d.lump_tall, 1.0)
    r = math.sqrt(a * a + b * b + c * c)
    return (r - 1.0) * min(d.lump_half, deep, max(d.lump_tall, 1.0))


@njit(cache=True)
def _inside(d: Record, s: Record, u: float, v: float, w: float, side: float, t: float) -> float:
    """Signal at a point of a disc; ``t`` runs from the upper end plate (0) to the lower one (1)."""
    inner = -side / min(d.width, d.depth)  # 0 at the rim, 1 in the middle
    core = min(1.0, max(0.0, (inner - 0.10) / 0.42))
    core = core * core * (3.0 - 2.0 * core)
    m = 2.0 * t - 1.0
    core *= max(0.0, 1.0 - 0.75 * m * m * m * m)
    value = s.annulus + (s.nucleus - s.annulus) * core
    if d.cleft > 0.0:
        value *= 1.0 - d.cleft * core * math.exp(-((m * 0.5 * d.height / 0.9) ** 2))
    if inner < 0.16:
        value += (s.rim - value) * (1.0 - inner / 0.16)
    if d.fissure > 0.0:
        p, q, r = u - 0.1 * d.width * (1 if d.lump_right >= 0 else -1), v + 0.86 * d.depth, w
        far = (p / 4.0) ** 2 + (q / 1.3) ** 2 + (r / d.fissure) ** 2
        if far < 1.0:
            value += (s.fissure - value) * (1.0 - far)
    return value
