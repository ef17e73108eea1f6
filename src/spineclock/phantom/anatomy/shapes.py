"""Distances out of the shapes of a made-up spine: end plates, bodies, blocks of bone and how blocks join."""

from __future__ import annotations

import math
from typing import Any

from numba import njit

from spineclock.phantom.anatomy.forms import Record

EDGE_MM = 1.6
"""Radius of a body's rims."""


@njit(cache=True)
def upper_plate(b: Record, u: float, v: float) -> float:
    """Height of a body's upper end plate, in its own frame, at a point to the right and front."""
    across = (u / b.width_upper) ** 2
    hollow = 1.0 - across - (v / b.depth_upper) ** 2
    w = (
        0.5 * b.height
        + b.lean * v
        + b.wave * math.sin(0.42 * v + b.phase[0]) * math.sin(0.27 * u + 0.11 * v + b.phase[1])
    )
    if hollow > 0.0:
        w -= b.hollow_upper * hollow
    if b.sunk_front > 0.0:
        t = min(max(0.5 * (v / b.depth_upper + 1.0), 0.0), 1.2)
        w -= b.sunk_front * t * math.sqrt(t)
    if b.uncus > 0.0 and across > 0.3:
        w += b.uncus * min(1.0, (across - 0.3) * 1.6)
    if b.dent[0] > 0.0:
        far = ((u - b.dent_at[0, 0]) ** 2 + (v - b.dent_at[0, 1]) ** 2) / 18.0
        w -= b.dent[0] * math.exp(-far)
    return w


@njit(cache=True)
def lower_plate(b: Record, u: float, v: float) -> float:
    """Height of a body's lower end plate, likewise."""
    hollow = 1.0 - (u / b.width_lower) ** 2 - (v / b.depth_lower) ** 2
    w = (
        -0.5 * b.height
        - b.lean * v
        + b.wave * math.sin(0.42 * v + b.phase[2]) * math.sin(0.27 * u + 0.11 * v + b.phase[3])
    )
    if hollow > 0.0:
        w += b.hollow_lower * hollow
    if b.dent[1] > 0.0:
        far = ((u - b.dent_at[1, 0]) ** 2 + (v - b.dent_at[1, 1]) ** 2) / 18.0
        w += b.dent[1] * math.exp(-far)
    return w


@njit(cache=True)
def outline(u: float, v: float, half_width: float, half_depth: float) -> float:
    """About the distance out of an end plate's outline: blunt at the back with a shallow notch, rounder in front."""
    a = abs(u) / half_width
    if v < 0.0:
        c = -v / half_depth
        notch = 0.07 * max(0.0, 1.0 - 4.0 * a * a)
        c = c / (1.0 - notch)
        q = math.sqrt(math.sqrt(a * a * a * a + c * c * c * c))
    else:
        c = v / half_depth
        q = math.sqrt(a * a + c * c)
        q = 0.7 * q + 0.3 * math.sqrt(math.sqrt(a * a * a * a + c * c * c * c))
    return (q - 1.0) * (half_width * a + half_depth * c) / max(a + c, 1e-6)


@njit(cache=True)
def body_half_sizes(b: Record) -> tuple[float, float, float]:
    """How far a body can reach from its middle to the side, the front and the top, in its own frame."""
    wide = max(b.width_upper, b.width_lower) + 3.0
    deep = max(b.depth_upper, b.depth_lower) + 3.0 + max(b.spur_upper, b.spur_lower)
    tall = 0.5 * b.height + abs(b.lean) * deep + b.uncus + 2.0
    return wide, deep, tall


@njit(cache=True)
def box_reach(axes: Any, wide: float, deep: float, tall: float) -> tuple[float, float, float]:
    """Half the size of a box along the patient's axes that holds one of these half sizes along its own, the rows."""
    return (
        wide * abs(axes[0, 0]) + deep * abs(axes[1, 0]) + tall * abs(axes[2, 0]),
        wide * abs(axes[0, 1]) + deep * abs(axes[1, 1]) + tall * abs(axes[2, 1]),
        wide * abs(axes[0, 2]) + deep * abs(axes[1, 2]) + tall * abs(axes[2, 2]),
    )


@njit(cache=True)
def block_reach(p: Record) -> tuple[float, float, float]:
    """Half the size of a box along the patient's axes that holds a block and the fillets of its joints."""
    half = p.half * (1.0 + abs(p.taper)) + 1.5
    return box_reach(p.axes, half[0], half[1], half[2])


@njit(cache=True)
def body_distance(b: Record, u: float, v: float, w: float) -> tuple[float, float, float, float]:
    """About the distance out of a body; and those above its upper plate, below its lower one, and out of its wall."""
    t = min(max(w / b.height + 0.5, 0.0), 1.0)
    half_width = b.width_lower + (b.width_upper - b.width_lower) * t
    half_depth = b.depth_lower + (b.depth_upper - b.depth_lower) * t
    side = outline(u, v, half_width, half_depth)
    belt = 4.0 * t * (1.0 - t)
    if v > 0.0:
        spur = b.spur_upper * math.exp(-(((1.0 - t) * b.height / 2.6) ** 2)) + b.spur_lower * math.exp(
            -((t * b.height / 2.6) ** 2)
        )
        side += b.waist * belt - spur * min(1.0, v / half_depth + 0.35)
    else:
        ends = math.exp(-(((1.0 - t) * b.height / 2.0) ** 2)) + math.exp(-((t * b.height / 2.0) ** 2))
        side += (0.5 * b.waist if abs(u) < 0.6 * half_width else b.waist) * belt - b.spur_back * ends
    side += 1.2 * b.wave * math.sin(0.35 * w + b.phase[0]) * math.sin(0.2 * u + b.phase[3])
    above, below = w - upper_plate(b, u, v), lower_plate(b, u, v) - w
    r = EDGE_MM
    p, q = side + r, max(above, below) + r
    inner = min(max(p, q), 0.0)
    p, q = max(p, 0.0), max(q, 0.0)
    return math.sqrt(p * p + q * q) + inner - r, above, below, side


@njit(cache=True)
def block_distance(p: Record, u: float, v: float, w: float) -> float:
    """Distance out of a rounded block, whose sides are rounded more than its edges."""
    thin = 1.0 + p.taper * v / p.half[1]
    tall = p.half[2] * thin
    corner = p.corner * min(p.half[1], tall)
    b, c = abs(v) - p.half[1] + corner, abs(w) - tall + corner
    inner = min(max(b, c), 0.0)
    b, c = max(b, 0.0), max(c, 0.0)
    r = p.round
    flat = math.sqrt(b * b + c * c) + inner - corner + r
    side = abs(u) - p.half[0] * thin + r
    inner = min(max(flat, side), 0.0)
    flat, side = max(flat, 0.0), max(side, 0.0)
    return math.sqrt(flat * flat + side * side) + inner - r


@njit(cache=True, inline="always")
def joined(a: float, b: float) -> float:
    """The distance to two pieces of bone whose joint is filleted."""
    h = max(1.5 - abs(a - b), 0.0)
    return min(a, b) - h * h / 6.0
