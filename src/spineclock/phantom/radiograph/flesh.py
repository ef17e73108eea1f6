"""Line integrals through what is not bone: skin and fat, muscle and viscera, lungs under their diaphragm, gas."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from spineclock.phantom.anatomy.forms import Anatomy
from spineclock.phantom.anatomy.traits import Traits
from spineclock.phantom.mri.ground import smooth
from spineclock.phantom.radiograph.beam import Floats, Rays, in_body, window
from spineclock.phantom.radiograph.tissue import FAT, LUNG, MUSCLE, WATER

GAS = np.dtype([(name, "f8") for name in ("y", "z", "long", "short", "turn", "path", "rough")])
"""A pocket of gas: its middle, half axes and the turn of the long one in the sagittal plane, the longest path in mm."""
ROWS = ("y", "front", "body_half_width", "fascia", "skin", "chest", "neck", "deep")
"""Fields of the course that are needed at each height, in this order; the body's half width comes last."""
_Y, _FRONT, _HALF, _FASCIA, _SKIN, _CHEST, _NECK, _DEEP, _WIDE = range(9)
_POWER = 2.4
"""Of the cross-section of a trunk, between an ellipse (2) and a box."""
DIAPHRAGM = ("height", "peak", "steep")


def trunk(person: Traits, spine: Anatomy) -> npt.NDArray[np.float64]:
    """The course's :data:`ROWS` and the trunk's half width, (9, heights)."""
    at = {name: float(body["centre"][2]) for name, body in zip(spine.names, spine.bodies, strict=True)}
    z = spine.course_from_mm + np.arange(len(spine.course))
    heavy = float(np.clip((person.bmi - 26) / 6, -1.2, 2.2))
    places = [-130, -60, at["L4"], at["L2"], at["T10"], at["T4"], at["T2"], at["C7"], at["C4"]]
    women, men = (172, 168, 150, 143, 150, 148, 165, 95, 62), (165, 160, 150, 150, 160, 162, 185, 105, 66)
    wide = women if person.sex == "F" else men
    half = np.interp(z, places, wide) * math.exp(0.11 * heavy)
    return np.stack([*(spine.course[name] for name in ROWS), half]).astype(np.float64)


def on_rows(rays: Rays, rows: npt.NDArray[np.float64], from_mm: float) -> npt.NDArray[np.float64]:
    """The trunk at the height at which each row of the film passes the plane of the spine."""
    z = np.array([in_body(rays, rays.forward[0], up, rays.middle)[1] for up in rays.up])
    at = from_mm + np.arange(rows.shape[1])
    return np.stack([np.interp(z, at, row) for row in rows])


def gas_pockets(spine: Anatomy, rng: np.random.Generator) -> npt.NDArray[np.void]:
    """Bowel gas before the lumbar spine and a bubble in the stomach: of chance alone."""
    at = {name: float(body["centre"][2]) for name, body in zip(spine.names, spine.bodies, strict=True)}
    count = int(rng.integers(5, 15))
    out = np.zeros(count + 1, GAS)
    z = rng.uniform(at["L5"] - 25, at["L1"] + 10, count)
    front = np.interp(z, spine.course_from_mm + np.arange(len(spine.course)), spine.course["front"])
    out["z"][:-1], out["y"][:-1] = z, front + rng.uniform(6, 95, count)
    out["long"][:-1], out["short"][:-1] = rng.uniform(9, 26, count), rng.uniform(6, 13, count)
    out["turn"][:-1], out["path"][:-1] = rng.uniform(0, 3.14, count), rng.uniform(4, 20, count)
    out[-1] = (float(front.mean()) + rng.uniform(40, 75), at["T12"] + rng.uniform(-5, 22), rng.uniform(18, 36),
               rng.uniform(10, 20), rng.uniform(-0.3, 0.5), rng.uniform(10, 50), 0.0)  # fmt: skip
    out["rough"] = 0.5
    return out


def vacuum_pockets(person: Traits, spine: Anatomy, seed: int) -> npt.NDArray[np.void]:
    """Gas in some of the most worn lumbar discs: a thin dark line (the vacuum phenomenon)."""
    found = []
    for d in spine.discs:
        if d["upper"] >= len(spine.names) or spine.names[int(d["upper"])][0] != "L" or d["water"] > 0.38:
            continue
        rng = person.stream(seed, f"vacuum {int(d['label'])}", of_person=True)
        there, along, size, path = rng.random(4)
        if there < 0.35:
            lean = math.atan2(float(d["axes"][1, 2]), float(d["axes"][1, 1]))
            at = d["centre"] + d["axes"][1] * (along - 0.35) * d["depth"]
            found.append((at[1], at[2], 5 + 6 * size, 0.7 + 0.5 * path, lean, 8 + 14 * path, 0.0))
    return np.array(found, GAS)


def diaphragm(spine: Anatomy, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """How the two domes stand, (right and left, :data:`DIAPHRAGM`): of chance alone."""
    low = float(spine.bodies[spine.names.index("T12")]["centre"][2])
    both = low + rng.normal(0, 8) - 14
    heights = np.array([both + rng.uniform(4, 14), both - rng.uniform(0, 8)])
    return np.stack([heights, 66 + rng.normal(0, 9, 2), rng.uniform(70, 90, 2)], axis=1)


@njit(cache=True)
def project_flesh(
    rays: Rays, rows: npt.NDArray[np.float64], domes: npt.NDArray[np.float64], shoulder_mm: float,
    clouds: Floats, depth: Floats, thickness: Floats,
) -> None:  # fmt: skip
    """Adds soft tissue to the optical depth; ``thickness`` is how many mm of it each ray passes.

    ``rows`` are the trunk's at each row of the film.
    """
    for j in range(len(rays.forward)):
        for k in range(len(rays.up)):
            y, z = in_body(rays, rays.forward[j], rays.up[k], rays.middle)
            r = k
            whole = _chord(y, rows[_SKIN, r], rows[_FRONT, r] + rows[_DEEP, r], rows[_WIDE, r])
            if whole <= 0.0:
                continue
            side_fat = 0.7 * (rows[_FASCIA, r] - rows[_SKIN, r])
            before = rows[_FRONT, r] + rows[_DEEP, r] - 15.0
            lean = _chord(y, rows[_FASCIA, r], before, rows[_WIDE, r] - side_fat)
            arms = 55.0 * math.exp(-(((z - shoulder_mm) / 42.0) ** 2))
            ahead = y - rows[_FRONT, r]
            cloud = smooth(clouds, y / 11.0, z / 9.0, 7.5) + 0.5 * smooth(clouds, y / 4.0 + 3.0, z / 4.0, 30.5)
            value = FAT * (whole - lean) + MUSCLE * (lean + arms)
            fatty = 34.0 + 7.0 * cloud  # between muscles, round viscera
            value -= (MUSCLE - FAT) * min(lean, fatty)
            belly = min(1.0, max(0.0, (ahead - 4.0) / 12.0)) * (1.0 - rows[_CHEST, r])
            value += (0.03 + 0.07 * belly) * cloud
            if rows[_CHEST, r] > 0.0:
                air = _lungs(rows, r, y, z, ahead, domes, clouds)
                value -= (MUSCLE - LUNG) * min(air, 0.9 * lean) * rows[_CHEST, r]
            if ahead > 10.0 and z > shoulder_mm - 95.0:  # the trachea
                far = ahead - 22.0 - 0.05 * (z - shoulder_mm)
                if abs(far) < 8.0:
                    forks = min(1.0, (z - shoulder_mm + 95.0) / 35.0)
                    value -= WATER * 2.0 * forks * math.sqrt(64.0 - far * far)
            depth[j, k] += max(value, 0.0)
            thickness[j, k] = whole


@njit(cache=True)
def _chord(y: float, back: float, front: float, half_width: float) -> float:
    """The path across a trunk's cross-section at a depth."""
    p = abs(2.0 * y - back - front) / max(front - back, 1.0)
    if p >= 1.0 or half_width <= 0.0:
        return 0.0
    return 2.0 * half_width * (1.0 - p**_POWER) ** (1.0 / _POWER)


@njit(cache=True)
def _lungs(
    rows: npt.NDArray[np.float64], r: int, y: float, z: float, ahead: float, domes: npt.NDArray[np.float64],
    clouds: Floats,
) -> float:  # fmt: skip
    """Millimetres of lung on a ray, both sides together."""
    back, front = rows[_Y, r] - 24.0, rows[_FRONT, r] + rows[_DEEP, r] - 20.0
    side = 0.5 * _chord(y, back, front, rows[_WIDE, r] - 0.7 * (rows[_FASCIA, r] - rows[_SKIN, r]) - 22.0)
    if side <= 0.0:
        return 0.0
    total = 0.0
    rise = ahead + 34.0
    for s in range(2):
        t = min(max(rise / domes[s, 2], -0.2), 1.75)
        edge = domes[s, 0] + domes[s, 1] * math.sin(0.5 * math.pi * t)
        above = min(1.0, max(0.0, 0.5 + (z - edge) / (3.0 + 12.0 * min(1.0, max(0.0, -ahead / 35.0)))))
        if above == 0.0:
            continue
        inner = rows[_HALF, r] + 5.0
        if ahead > 0.0:
            inner += min(14.0, 0.5 * ahead)
            p, q = (ahead - 66.0) / 46.0, (z - edge - 30.0) / 62.0  # the heart lies on the diaphragm
            heart = 1.0 - p * p - q * q
            if heart > 0.0:
                inner = max(inner, 26.0 + (48.0 if s == 1 else 26.0) * math.sqrt(heart))
        lung = max(0.0, side - inner)
        if s == 1 and abs(ahead + 1.0) < 12.0:  # the descending aorta
            lung = max(0.0, lung - 2.0 * math.sqrt(144.0 - (ahead + 1.0) ** 2))
        vessels = smooth(clouds, (y + 40.0 * s) / 5.0, z / 6.5, 11.5) + 0.7 * smooth(
            clouds, y / 1.9, z / 2.2, 50.5 + 9.0 * s
        )
        total += above * lung * max(0.5, 1.0 - 0.06 * max(-1.0, vessels))
    return total


@njit(cache=True)
def project_gas(rays: Rays, pockets: npt.NDArray[np.void], clouds: Floats, depth: Floats) -> None:
    """Takes pockets of gas out of the optical depth."""
    for n in range(len(pockets)):
        p = pockets[n]
        c, s = math.cos(p.turn), math.sin(p.turn)
        reach = 1.8 * max(p.long, p.short)
        j0, j1, k0, k1 = window(rays, np.array([rays.middle, p.y, p.z]), 0.0, reach, reach)
        for j in range(j0, j1):
            for k in range(k0, k1):
                y, z = in_body(rays, rays.forward[j], rays.up[k], rays.middle)
                a, b = y - p.y, z - p.z
                u, v = (a * c + b * s) / p.long, (b * c - a * s) / p.short
                far = u * u + v * v
                if p.rough > 0.0:
                    far += p.rough * smooth(clouds, y / 5.0 + 11.0 * n, z / 5.0, 20.5)
                    far += 0.5 * p.rough * smooth(clouds, y / 2.0 + 11.0 * n, z / 2.0, 44.5)
                if far < 1.0:
                    depth[j, k] = max(0.0, depth[j, k] - WATER * p.path * math.sqrt(min(1.0, 1.6 * (1.0 - far))))
