"""Line integrals through vertebral bodies and blocks of bone, and the outlines that make the label map."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from spineclock.core.anatomy import RIB
from spineclock.phantom.anatomy.forms import Record, Records
from spineclock.phantom.anatomy.shapes import (
    block_distance,
    block_reach,
    body_distance,
    body_half_sizes,
    box_reach,
    joined,
    lower_plate,
    outline,
    upper_plate,
)
from spineclock.phantom.mri.ground import cover, in_frame, smooth
from spineclock.phantom.radiograph.beam import Floats, Rays, in_body, slant, window
from spineclock.phantom.radiograph.tissue import CORTEX_EXCESS

Labels = npt.NDArray[np.uint16]
_FAR = 99.0


@njit(cache=True)
def project_bodies(
    rays: Rays, bodies: Records, density: Records, grain: Floats, depth: Floats, near: Floats, labels: Labels
) -> None:
    """Adds each body to the optical depth and labels the outline of its middle section as it is projected.

    That is what morphometry draws: between the two contours that a tilted body has, end plates at their deepest. Where
    outlines overlap, the body in which a place lies deepest has the label; ``near`` keeps the distances.
    """
    for n in range(len(bodies)):
        b, s = bodies[n], density[n]
        axes = b.axes
        wide, deep, tall = body_half_sizes(b)
        reach_x, reach_y, reach_z = box_reach(axes, wide, deep, tall)
        j0, j1, k0, k1 = window(rays, b.centre, reach_x, reach_y, reach_z)
        steps = int(2 * reach_x / rays.step) + 1
        start = b.centre[0] - 0.5 * (steps - 1) * rays.step
        for j in range(j0, j1):
            for k in range(k0, k1):
                f, g = rays.forward[j], rays.up[k]
                bone = _through_body(rays, b, s, grain, n, f, g, start, steps, wide, deep, tall)
                depth[j, k] += bone * rays.step * slant(rays, f, g)
                y, z = in_body(rays, f, g, b.centre[0])
                _, v, w = in_frame(axes, b.centre, b.centre[0], y, z)
                if abs(w) > tall or abs(v) > deep:
                    continue
                out = body_distance(b, 0.0, v, w)[0]
                if out < 0.0 and out < near[j, k]:
                    near[j, k] = out
                    labels[j, k] = b.label


@njit(cache=True)
def _through_body(
    rays: Rays, b: Record, s: Record, grain: Floats, n: int, f: float, g: float, start: float, steps: int,
    wide: float, deep: float, tall: float,
) -> float:  # fmt: skip
    """The sum of a body's excess attenuation at the samples of a ray."""
    total, trabecular = 0.0, 0.0
    at_v, at_w = 0.0, 0.0
    last_out, last_deep = _FAR, _FAR
    for i in range(steps):
        x = start + i * rays.step
        y, z = in_body(rays, f, g, x)
        u, v, w = in_frame(b.axes, b.centre, x, y, z)
        if abs(w) > tall or abs(v) > deep or abs(u) > wide:
            continue
        out, above, below, side = body_distance(b, u, v, w)
        within = max(above + s.shell, below + s.shell, side + s.wall, out + 0.6 * s.wall)
        share = cover(out, max(rays.soft, min(rays.step, abs(out - last_out))))
        inside = min(share, cover(within, max(rays.soft, min(rays.step, abs(within - last_deep)))))
        last_out, last_deep = out, within
        if share == 0.0:
            continue
        total += CORTEX_EXCESS * (share - inside)
        trabecular += inside
        total += inside * s.hard_upper * max(0.0, 1.0 + above / s.hard_deep)
        total += inside * s.hard_lower * max(0.0, 1.0 + below / s.hard_deep)
        at_v, at_w = v, w
    if trabecular > 0.0:
        stripes = smooth(grain, at_v / 0.7 + 9.0 * n, at_w / 4.5, 3.5 + 5.0 * n)
        specks = smooth(grain, at_v / 0.6, at_w / 0.6 + 7.0 * n, 40.5)
        total += trabecular * s.marrow * max(0.3, 1.0 + s.striped * stripes + 0.05 * specks)
    return total


@njit(cache=True)
def label_discs(rays: Rays, discs: Records, bodies: Records, labels: Labels) -> None:
    """Labels what each disc covers in the plane of its middle, between the bodies' outlines."""
    for n in range(len(discs)):
        d = discs[n]
        up, low = bodies[d.upper], bodies[d.lower]
        deep, tall = d.depth + d.bulge + 3.0, 0.5 * d.height + 0.4 * d.depth + 3.0
        j0, j1, k0, k1 = window(rays, d.centre, 1.0, deep + tall, deep + tall)
        x = d.centre[0]
        for j in range(j0, j1):
            for k in range(k0, k1):
                if labels[j, k] != 0:
                    continue
                y, z = in_body(rays, rays.forward[j], rays.up[k], x)
                u, v, w = in_frame(d.axes, d.centre, x, y, z)
                if abs(v) > deep or abs(w) > tall or outline(u, v, d.width, d.depth) > d.bulge:
                    continue
                uu, uv, uw = in_frame(up.axes, up.centre, x, y, z)
                lu, lv, lw = in_frame(low.axes, low.centre, x, y, z)
                if uw < lower_plate(up, uu, uv) and lw > upper_plate(low, lu, lv):
                    labels[j, k] = d.label


@njit(cache=True)
def project_blocks(
    rays: Rays, blocks: Records, bodies: Records, marrow: npt.NDArray[np.float64], thick: float, depth: Floats,
    labels: Labels, silhouette: int,
) -> None:  # fmt: skip
    """Adds blocks of bone, those of one group grown together and without what lies in the body they join.

    ``thick`` is a factor on cortex; blocks of the label ``silhouette`` (the sacrum's) are labelled where nothing is;
    ribs are left out.
    """
    first = 0
    while first < len(blocks):
        last = first
        while last < len(blocks) and blocks[last].group == blocks[first].group:
            last += 1
        _project_group(rays, blocks, first, last, bodies, marrow, thick, depth, labels, silhouette)
        first = last


@njit(cache=True)
def _project_group(
    rays: Rays, blocks: Records, first: int, last: int, bodies: Records, marrow: npt.NDArray[np.float64],
    thick: float, depth: Floats, labels: Labels, silhouette: int,
) -> None:  # fmt: skip
    j0, j1, k0, k1, x0, x1 = 10**6, 0, 10**6, 0, 1e9, -1e9
    for n in range(first, last):
        if blocks[n].label > RIB:
            continue
        rx, ry, rz = block_reach(blocks[n])
        a0, a1, b0, b1 = window(rays, blocks[n].centre, rx, ry, rz)
        if a0 >= a1 or b0 >= b1:
            continue
        j0, j1, k0, k1 = min(j0, a0), max(j1, a1), min(k0, b0), max(k1, b1)
        x0, x1 = min(x0, blocks[n].centre[0] - rx), max(x1, blocks[n].centre[0] + rx)
    if j0 >= j1 or k0 >= k1:
        return
    steps = int((x1 - x0) / rays.step) + 2
    distance = np.full((j1 - j0, k1 - k0, steps), np.float32(_FAR), np.float32)
    which = np.zeros((j1 - j0, k1 - k0, steps), np.int32)
    for n in range(first, last):
        if blocks[n].label <= RIB:
            _fill(rays, blocks, n, bodies, distance, which, j0, k0, x0)
    for j in range(j1 - j0):
        for k in range(k1 - k0):
            total, least, at, previous = 0.0, _FAR, 0, _FAR
            for i in range(steps):
                d = distance[j, k, i]
                soft = max(rays.soft, min(rays.step, abs(d - previous)))
                previous = d
                if d > 0.5 * soft:
                    continue
                n = which[j, k, i]
                share = cover(d, soft)
                inside = min(share, cover(d + blocks[n].cortex * thick, soft))
                total += CORTEX_EXCESS * (share - inside) + marrow[n] * inside
                if d < least:
                    least, at = d, n
            if total > 0.0:
                depth[j0 + j, k0 + k] += total * rays.step * slant(rays, rays.forward[j0 + j], rays.up[k0 + k])
            if least < 0.0 and blocks[at].label == silhouette and labels[j0 + j, k0 + k] == 0:
                labels[j0 + j, k0 + k] = silhouette


@njit(cache=True, inline="always")
def _fade(p: Record) -> float:
    """How much thinner a long process gets towards its ends: seen end on, flat sides would be drawn as a frame."""
    if p.joins >= 0 and p.half[0] > 0.8 * p.half[1]:
        return 0.8
    return 0.6 if p.half[0] > 1.8 * p.half[1] else 0.0


@njit(cache=True)
def _fill(
    rays: Rays, blocks: Records, n: int, bodies: Records, distance: Floats, which: npt.NDArray[np.int32],
    first_j: int, first_k: int, x0: float,
) -> None:  # fmt: skip
    """Lowers the distance to the bone of a group where this block is."""
    p = blocks[n]
    b = bodies[max(p.joins, 0)]
    rx, ry, rz = block_reach(p)
    j0, j1, k0, k1 = window(rays, p.centre, rx, ry, rz)
    i0 = max(0, int((p.centre[0] - rx - x0) / rays.step))
    i1 = min(distance.shape[2], int((p.centre[0] + rx - x0) / rays.step) + 2)
    for j in range(j0, j1):
        for k in range(k0, k1):
            f, g = rays.forward[j], rays.up[k]
            for i in range(i0, i1):
                x = x0 + i * rays.step
                y, z = in_body(rays, f, g, x)
                u, v, w = in_frame(p.axes, p.centre, x, y, z)
                thin = 1.0 + _fade(p) * abs(u) / p.half[0]
                d = block_distance(p, u, v * thin, w * thin)
                if d > 1.5:
                    continue
                if p.joins >= 0:
                    u, v, w = in_frame(b.axes, b.centre, x, y, z)
                    if body_distance(b, u, v, w)[0] < 0.0:  # counted with the body
                        continue
                old = distance[j - first_j, k - first_k, i]
                if d < old:
                    which[j - first_j, k - first_k, i] = n
                distance[j - first_j, k - first_k, i] = d if old > 98.0 else joined(old, d)
