"""Line integrals through what lies over the spine on a lateral film: ribs, iliac wings, a calcified aorta."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from spineclock.phantom.anatomy.forms import Anatomy
from spineclock.phantom.anatomy.traits import Traits
from spineclock.phantom.mri.ground import cover
from spineclock.phantom.radiograph.beam import Floats, Rays, in_body, on_film, window
from spineclock.phantom.radiograph.flesh import _DEEP, _FRONT, _WIDE, _Y
from spineclock.phantom.radiograph.tissue import CORTEX_EXCESS

Curve = npt.NDArray[np.float64]
"""(points, 3): right, front, up in mm."""
RIB_MM = (5.8, 3.4)
"""Half height and half thickness of a rib."""
_DROP_MM = (26, 34, 46, 58, 70, 80, 88, 94, 96, 90, 66, 38)
"""How much lower the front end of each rib lies than its head; the last two end at the side."""
_END_DEG = (58, 58, 58, 58, 58, 56, 54, 50, 44, 36, -2, -34)


def ribs(spine: Anatomy, rows: Curve) -> list[Curve]:
    """The middle lines of all ribs, the right before the left of each pair."""
    out = []
    for k, name in enumerate(spine.names):
        if name[0] != "T":
            continue
        number = min(int(name[1:]), 12) - 1
        b = spine.bodies[k]
        r = int(np.clip(round(float(b["centre"][2]) - spine.course_from_mm), 0, rows.shape[1] - 1))
        back, front = rows[_Y, r] - 31.0, rows[_FRONT, r] + rows[_DEEP, r] - 16.0
        wide = rows[_WIDE, r] - 24.0 - (3 - number) * 16.0 * (number < 3)
        angle = np.radians(np.linspace(-72, _END_DEG[number], 26))
        along = (angle - angle[0]) / math.radians(130)
        head = b["centre"] - b["axes"][1] * float(b["depth_upper"]) * 0.8 + b["axes"][2] * float(b["height"]) * 0.35
        for side in (1.0, -1.0):
            x = float(b["centre"][0]) + side * wide * np.cos(angle)
            y = (back + front) / 2 + (front - back) / 2 * np.sin(angle)
            z = head[2] + 3 - _DROP_MM[number] * along**1.15
            curve = np.stack([x, y, z], axis=1)
            start = head + np.array([side * float(b["width_upper"]) * 0.9, 0, 0])
            neck = start + (curve[0] - start) * np.array([[0.35], [0.7]]) + np.array([0, -2.5, 0])
            out.append(np.concatenate([start[None], neck, curve]))
    return out


def aortic_plaques(person: Traits, spine: Anatomy, seed: int) -> list[Curve]:
    """Calcified stretches of the abdominal aorta's two walls from L1 to L4, more with the spine's age.

    Each wall beside each vertebra has an age at which it begins to calcify, normal about 70 with a standard deviation
    of 13 years (ours; Kauppila's score counts the same segments), and grows for 20 years.
    """
    out = []
    middle = float(np.median(spine.course["x"])) - 6.0
    for name in ("L1", "L2", "L3", "L4"):
        b = spine.bodies[spine.names.index(name)]
        for wall in ("back", "front"):
            rng = person.stream(seed, f"aorta {name} {wall}", of_person=True)
            years = person.spine_age_years - (70 + 13 * float(rng.standard_normal()))
            pieces = rng.random((4, 2))
            if years <= 0:
                continue
            ahead = float(b["depth_upper"]) + (5.0 if wall == "back" else 21.0)
            tall = float(b["height"]) + 8.0
            for at, long in pieces[: 1 + min(3, int(years / 5))]:
                length = tall * (0.15 + 0.3 * long) * min(1.0, 0.4 + years / 20)
                w = tall * (at - 0.5) + np.linspace(-length / 2, length / 2, 6)
                line = b["centre"] + np.outer(w, b["axes"][2]) + b["axes"][1] * (ahead + 1.5 * np.sin(w / 4))[:, None]
                line[:, 0] = middle
                out.append(line)
    return out


@njit(cache=True)
def project_curve(
    rays: Rays, curve: Curve, half: float, thick: float, shell: float, marrow: float, most: float, depth: Floats
) -> None:
    """Adds a rod along a curve: an ellipse of bone (half height, half thickness) in a shell of cortex.

    A ray that runs along the rod passes at most ``most`` times its thickness.
    """
    columns, rows = len(rays.forward), len(rays.up)
    count = len(curve)
    at = np.empty((count, 2))
    larger = np.empty(count)
    for i in range(count):
        at[i] = on_film(rays, curve[i, 0], curve[i, 1], curve[i, 2])
        larger[i] = rays.distance / (rays.towards * (rays.focus[0] - curve[i, 0]))
    step = rays.forward[1] - rays.forward[0]
    reach = (half + 1.0) * larger.max()
    j0 = max(0, int((at[:, 0].min() - reach - rays.forward[0]) / step))
    j1 = min(columns, int((at[:, 0].max() + reach - rays.forward[0]) / step) + 2)
    k0 = max(0, int((at[:, 1].min() - reach - rays.up[0]) / step))
    k1 = min(rows, int((at[:, 1].max() + reach - rays.up[0]) / step) + 2)
    if j0 >= j1 or k0 >= k1:
        return
    far = np.full((j1 - j0, k1 - k0), np.float32(99.0), np.float32)
    path = np.ones((j1 - j0, k1 - k0), np.float32)
    for i in range(count - 1):
        whole = min(1.0, (count - 1 - i) / 4.0) if most > 1.0 else 1.0  # bone goes over into cartilage
        _segment(rays, curve, at, larger, i, half, most, whole, far, path, j0, k0)
    core = max(0.05, 1.0 - shell / half)
    soft = max(rays.soft, 0.3)
    for j in range(j1 - j0):
        for k in range(k1 - k0):
            d = far[j, k]
            if d > half + soft:
                continue
            edge = cover(d - half, soft)
            whole = math.sqrt(max(0.02, 1.0 - (d / half) ** 2)) * edge
            q = d / (half * core)
            inner = math.sqrt(1.0 - q * q) * core if q < 1.0 else 0.0
            bone = CORTEX_EXCESS * (whole - min(inner, whole)) + marrow * min(inner, whole)
            depth[j0 + j, k0 + k] += 2.0 * thick * path[j, k] * bone


@njit(cache=True)
def _segment(
    rays: Rays, curve: Curve, at: Curve, larger: npt.NDArray[np.float64], i: int, half: float, most: float,
    whole: float, far: Floats, path: Floats, first_j: int, first_k: int,
) -> None:  # fmt: skip
    """Lowers the distance to a curve near one of its segments, and notes how long the path through it is there."""
    p, q = at[i], at[i + 1]
    a, b = q[0] - p[0], q[1] - p[1]
    square = a * a + b * b + 1e-9
    x, y, z = curve[i + 1, 0] - curve[i, 0], curve[i + 1, 1] - curve[i, 1], curve[i + 1, 2] - curve[i, 2]
    across = math.sqrt((y * y + z * z) / (x * x + y * y + z * z + 1e-9))
    longer = whole * min(most, 1.0 / max(across, 1e-3))
    step = rays.forward[1] - rays.forward[0]
    reach = (half + 1.0) * larger[i] + step
    j0 = max(0, int((min(p[0], q[0]) - reach - rays.forward[0]) / step) - first_j)
    j1 = min(far.shape[0], int((max(p[0], q[0]) + reach - rays.forward[0]) / step) + 2 - first_j)
    k0 = max(0, int((min(p[1], q[1]) - reach - rays.up[0]) / step) - first_k)
    k1 = min(far.shape[1], int((max(p[1], q[1]) + reach - rays.up[0]) / step) + 2 - first_k)
    for j in range(j0, j1):
        for k in range(k0, k1):
            f, g = rays.forward[first_j + j] - p[0], rays.up[first_k + k] - p[1]
            t = min(1.0, max(0.0, (f * a + g * b) / square))
            d = math.sqrt((f - t * a) ** 2 + (g - t * b) ** 2) / larger[i]
            if d < far[j, k]:
                far[j, k] = d
                path[j, k] = longer


@njit(cache=True)
def project_iliac_wing(
    rays: Rays, x: float, y0: float, z0: float, long: float, tall: float, mineral: float, depth: Floats
) -> None:
    """Adds a wing of the ilium: a plate below an arched crest, which is thicker."""
    j0, j1, k0, k1 = window(rays, np.array([x, y0, z0]), 0.0, 1.1 * long, 1.4 * tall)
    for j in range(j0, j1):
        for k in range(k0, k1):
            y, z = in_body(rays, rays.forward[j], rays.up[k], x)
            a, b = (y - y0) / long, (z - z0 + 0.22 * (y - y0)) / tall  # lower in front
            far = (abs(a) ** 2.3 + abs(b) ** 2.3) ** (1.0 / 2.3)
            if far > 1.05 or b < -0.6:
                continue
            inside = (1.0 - far) * min(long, tall)  # mm below the crest
            share = cover(-inside, max(rays.soft, 1.0))
            crest = math.exp(-(((inside - 4.0) / 5.0) ** 2))
            deeper = math.exp(-max(0.0, inside - 6.0) / 30.0)
            shell = 0.6 + 1.2 * deeper + 1.6 * crest + 1.6 * math.exp(-((inside / 1.6) ** 2))
            lower = min(1.0, max(0.0, (b + 0.6) / 0.35))
            depth[j, k] += share * lower * (CORTEX_EXCESS * shell + mineral * (1.5 + 3.0 * deeper + 8.0 * crest))
