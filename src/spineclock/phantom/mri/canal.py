"""Paints the spinal canal: epidural fat, foramina, dura, cerebrospinal fluid, cauda equina and cord."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from spineclock.core.anatomy import Structure
from spineclock.phantom.anatomy.forms import Record, Records
from spineclock.phantom.mri.ground import Canvas, Floats, cover, smooth, span

CORD, CSF = int(Structure.CORD), int(Structure.CSF)
CONTENTS = np.dtype([(name, "f8") for name in ("fat", "ligament", "csf", "cord", "root", "grey", "lesion")])


@njit(cache=True, inline="always")
def _radius(p: float, q: float) -> float:
    """1 on the outline of the canal, whose front, along the bodies, is flatter than its back."""
    if q <= 0.0:
        return math.sqrt(p * p + q * q)
    p, q = p * p, q * q
    return math.sqrt(math.sqrt(p * p + q * q))


@njit(cache=True)
def paint_canal(
    canvas: Canvas,
    course: Records,
    s: Record,
    streaks: Floats,
    lesion_mm: float,
    flow: float,
) -> None:
    """Paints along the whole course, a record of which is given for each height of the canvas.

    ``flow`` adds dark streaks behind the cord; ``lesion_mm`` is the height of a bright cord lesion, far off where there
    is none.
    """
    signal, labels = canvas.signal, canvas.labels
    ox, oy, oz = canvas.origin
    sx, sy, sz = canvas.step
    for k in range(signal.shape[2]):
        a, z = course[k], oz + k * sz
        csf = s.csf * a.left
        wide = max(a.bony_width, a.foramen_width if a.foramen > 0 else 0.0) + 2.0
        deep = (a.bony_depth + abs(a.bony_front) + a.flavum + 2.0 + 7.0 * a.between) / a.cosine + 2.0
        i0, i1 = span(a.x, wide, ox, sx, signal.shape[0])
        j0, j1 = span(a.y, deep, oy, sy, signal.shape[1])
        for i in range(i0, i1):
            u = ox + i * sx - a.x
            for j in range(j0, j1):
                t = (oy + j * sy - a.y) * a.cosine
                p, q = u / a.bony_width, (t - a.bony_front) / (a.bony_depth + (1.5 if t > a.bony_front else 0.0))
                bony = (_radius(p, q) - 1.0) * min(a.bony_width, a.bony_depth)
                share = cover(bony, canvas.soft) * (1.0 - a.head)
                wedge = False
                if a.between > 0.0 and t < a.bony_front:  # fat between the laminae, pointed at the back
                    back = a.bony_front - t - a.bony_depth * math.sqrt(max(0.0, 1.0 - min(1.0, p * p)))
                    point = max(back - 6.5 * a.between, abs(u) - (6.5 - 0.75 * back) * a.between)
                    part = cover(max(point, -back - 1.0), canvas.soft)
                    if part > share:
                        share, wedge = part, True
                if a.foramen > 0.0 and abs(u) > 0.6 * a.bony_width:
                    p, q = u / a.foramen_width, (t - a.bony_front - 2.0) / (a.bony_depth * 0.95 * a.foramen)
                    hole = (math.sqrt(p * p * p * p + q * q) - 1.0) * a.bony_depth * a.foramen
                    share = max(share, cover(hole, canvas.soft) * (1.0 - a.head))
                if share > 0.0:
                    value = s.fat
                    if a.foramen > 0.0 and abs(u) > 0.75 * a.bony_width:
                        p, q = t - a.bony_front - 2.5, a.foramen - 0.75
                        if p * p < 7.0 and abs(q) < 0.25:
                            value = s.root
                    behind = -t - a.sac_depth * math.sqrt(max(0.0, 1.0 - min(1.0, (u / (a.sac_width + 0.1)) ** 2)))
                    if (
                        not wedge
                        and a.flavum > 0.6
                        and abs(u) > 1.2
                        and -t + a.bony_front > a.bony_depth - a.flavum + 0.06 * (8.0 - abs(u)) ** 2 * 0.25
                    ):
                        value = s.ligament
                    elif behind < 0.0 and t > 0.0:
                        value = 0.55 * s.fat
                    signal[i, j, k] = signal[i, j, k] * (1 - share) + value * share
                    if share > 0.5:
                        labels[i, j, k] = 0
                if a.sac_depth < 0.4 or a.sac_width < 0.4:
                    continue
                p, q = u / a.sac_width, t / a.sac_depth
                small = min(a.sac_width, a.sac_depth)
                sac = (_radius(p, q) - 1.0) * small
                dura = cover(sac - 0.35, canvas.soft)
                if dura == 0.0:
                    continue
                inside = cover(sac, canvas.soft)
                value = csf
                if a.roots > 0.0 and a.cord_depth < 3.0:
                    line = smooth(streaks, u / 1.5, t / 1.3 + 0.004 * z, z / 26.0)
                    place = a.roots * 1.15 - 0.15 - 1.1 * (q + 0.35) + 0.45 * abs(p) * a.roots
                    fill = min(1.0, max(0.0, 0.5 + 1.4 * (line + 1.3 * place - 0.55)))
                    value += (s.root - value) * fill * 0.9 * (1.0 - a.cord_depth / 3.0)
                if flow > 0.0 and a.head < 0.5:
                    streak = smooth(streaks, u / 6.0 + 9.0, t / 5.0, z / 22.0)
                    value *= 1.0 - flow * max(0.0, min(1.0, streak - 0.3)) * (1.0 if t < 0 else 0.5)
                label = CSF
                if a.cord_depth > 0.3:
                    ct = t - a.cord_front
                    p, q = u / a.cord_width, ct / a.cord_depth
                    cord = (math.sqrt(p * p + q * q) - 1.0) * min(a.cord_width, a.cord_depth)
                    part = cover(cord, canvas.soft)
                    if part > 0.0:
                        matter = s.cord
                        if abs(ct) < 0.35 * a.cord_depth and abs(u) < 0.55 * a.cord_width:
                            matter = s.grey
                        if abs(z - lesion_mm) < 9.0:
                            matter += (
                                (s.lesion - matter)
                                * max(0.0, 1.0 - p * p * 3.0 - q * q)
                                * (1.0 - abs(z - lesion_mm) / 9.0)
                            )
                        value = value * (1 - part) + matter * part
                        if part > 0.5:
                            label = CORD
                keep = 1.0 - dura
                signal[i, j, k] = signal[i, j, k] * keep + s.ligament * (dura - inside) + value * inside
                if inside > 0.5 and a.head < 0.5:
                    labels[i, j, k] = label
