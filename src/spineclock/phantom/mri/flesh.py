"""Paints what surrounds the spine: skin, fat, muscles, vessels, chest, belly, neck and head, enough to look alike."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from spineclock.core.anatomy import Structure
from spineclock.phantom.anatomy.forms import Record
from spineclock.phantom.mri.ground import Canvas, Floats, cover, nearest, smooth

FLESH = np.dtype(
    [(name, "f8") for name in ("fat", "muscle", "ligament", "blood", "bowel", "lung", "brain", "csf", "skin", "bone")]
)
"""Signals of soft tissues."""
ROWS = ("x", "y", "front", "body_half_width", "fascia", "skin", "muscle_half_width", "psoas", "psoas_aside",
        "chest", "neck", "pelvis", "head", "deep")  # fmt: skip
"""Fields of the course that painting needs at each height, in this order."""
_X, _Y, _FRONT, _HALF, _FASCIA, _SKIN, _WIDE, _PSOAS, _ASIDE, _CHEST, _NECK, _PELVIS, _HEAD, _DEEP = range(14)
ERECTOR_LEFT, ERECTOR_RIGHT = int(Structure.ERECTOR_LEFT), int(Structure.ERECTOR_RIGHT)
PSOAS_LEFT, PSOAS_RIGHT = int(Structure.PSOAS_LEFT), int(Structure.PSOAS_RIGHT)
SUBCUTANEOUS = int(Structure.SUBCUTANEOUS_FAT)


@njit(cache=True, inline="always")
def _chance(fine: bool, table: Floats, x: float, y: float, z: float) -> float:
    """A table of chance, interpolated where samples are fine enough for it to be seen."""
    return smooth(table, x, y, z) if fine else nearest(table, x, y, z)


@njit(cache=True, inline="always")
def _bump(t: float) -> float:
    """1 at 0, falling like a bell to 0 at ±1."""
    t = 1.0 - t * t
    return t * t * t if t > 0.0 else 0.0


@njit(cache=True)
def paint_flesh(
    canvas: Canvas, rows: npt.NDArray[np.float64], s: Record, streaks: Floats, clouds: Floats,
    muscle_fat: float, head_mm: float,
) -> None:  # fmt: skip
    """Paints every sample of an empty canvas. ``rows`` holds :data:`ROWS` at each height, (14, K)."""
    signal, labels = canvas.signal, canvas.labels
    ox, oy, oz = canvas.origin
    sx, sy, sz = canvas.step
    soft = canvas.soft
    fine = max(sy, sz) < 1.2
    back = rows[_SKIN].min() - soft  # nothing lies behind it
    for i in range(signal.shape[0]):
        x = ox + i * sx
        for j in range(signal.shape[1]):
            y = oy + j * sy
            if y < back:
                continue
            for k in range(signal.shape[2]):
                u = x - rows[_X, k]
                skin = rows[_SKIN, k] + 0.0016 * u * u + 3.0 * _bump(u / 17.0)
                if y < skin - soft:
                    signal[i, j, k] = 0.0
                    labels[i, j, k] = 0
                    continue
                z = oz + k * sz
                fascia = rows[_FASCIA, k] + 0.0022 * u * u
                label = 0
                if y < fascia:
                    value, label = _under_skin(fine, s, streaks, x, y, z, y - skin, fascia - y, soft), SUBCUTANEOUS
                    share = cover(skin - y, soft)
                    value *= share
                    label = label if share > 0.5 else 0
                elif y < rows[_Y, k] + 2.0 + 0.10 * abs(u):
                    value = _behind(fine, s, streaks, x, y, z, u, y - fascia, rows[_Y, k] - y, rows, k, muscle_fat)
                    if abs(u) < rows[_WIDE, k] * (1.05 - 0.1 * (y - fascia) / 30.0) and rows[_HEAD, k] < 0.5:
                        label = ERECTOR_LEFT if u < 0 else ERECTOR_RIGHT
                        if abs(u) < 4.0:
                            label = 0
                    else:
                        value = s.fat * (0.9 - 0.12 * _chance(fine, clouds, x / 7.0, y / 7.0, z / 9.0))
                else:
                    value = _before(fine, s, streaks, clouds, x, y, z, u, rows, k, sz)
                    if rows[_PSOAS, k] > 2.0:
                        r = rows[_PSOAS, k]
                        p = (abs(u) - rows[_ASIDE, k] - 0.75 * r) / (0.92 * r)
                        q = (y - rows[_FRONT, k] + 15.0) / (1.15 * r)
                        out = (math.sqrt(p * p + q * q) - 1.0) * r
                        share = cover(out, soft + 0.5)
                        if share > 0.0:
                            line = _chance(fine, streaks, x / 3.0, y / 3.0, z / 14.0)
                            meat = s.muscle * (1.0 + 0.12 * line) + s.fat * 0.35 * max(
                                0.0, line - 1.9 + 2.0 * muscle_fat
                            )
                            value = value * (1 - share) + meat * share
                            if share > 0.5:
                                label = PSOAS_LEFT if u < 0 else PSOAS_RIGHT
                if rows[_HEAD, k] > 0.0:
                    inside = _head(fine, s, clouds, x, y, z, u, y - rows[_Y, k], z - head_mm)
                    if inside >= 0.0:
                        value += (inside - value) * rows[_HEAD, k]
                        label = 0
                signal[i, j, k] = value
                labels[i, j, k] = label


@njit(cache=True)
def _under_skin(
    fine: bool, s: Record, streaks: Floats, x: float, y: float, z: float, deep: float, left: float, soft: float
) -> float:
    """Skin, fat with its septa, and the fascia's dark line."""
    if deep < 1.6:
        return s.skin
    line = _chance(fine, streaks, x / 5.0 + 3.0, y / 4.0, z / 9.0)
    value = s.fat * (1.04 - 0.45 * max(0.0, 1.0 - abs(line) / 0.07))
    return value + (s.ligament - value) * max(0.0, 1.0 - left / (0.9 + 0.4 * soft))


@njit(cache=True)
def _behind(
    fine: bool, s: Record, streaks: Floats, x: float, y: float, z: float, u: float, below: float, above: float,
    rows: npt.NDArray[np.float64], k: int, muscle_fat: float,
) -> float:  # fmt: skip
    """Back muscles with the fat in and between them; ligaments in the midline."""
    side = abs(u)
    line = 0.8 * _chance(fine, streaks, x / 1.4, (y + 0.22 * z) / 0.75, z / 5.5) + 0.6 * _chance(
        fine, streaks, x / 6.0, y / 4.0, z / 19.0
    )
    if side < 5.0 and rows[_HEAD, k] < 0.5:  # interspinous ligaments, fatter with age
        middle = s.ligament + (s.fat - s.ligament) * min(1.0, max(0.0, 0.55 * (line - 0.15 + 1.6 * muscle_fat)))
        if below < 2.5:
            middle = s.ligament
        if side < 2.5:
            return middle
    else:
        middle = 0.0
    gap = 21.0 + 0.10 * below
    plane = _bump((side - gap) / 2.9) * 0.85 + _bump((above - 26.0 + 0.3 * side) / 3.4) * 0.5
    if rows[_NECK, k] > 0.2:
        plane += 0.6 * rows[_NECK, k] * max(0.0, math.cos(0.55 * (below + 0.25 * side)) - 0.75) * 4.0
    near = max(0.0, 1.0 - side / 24.0) * max(0.0, min(1.0, below / 14.0)) * max(0.0, 1.0 - above / 60.0)
    share = 0.5 + 2.2 * (1.5 * muscle_fat - 0.44 + 0.36 * line + 0.22 * near + 0.4 * plane)
    share = min(1.0, max(0.0, share))
    value = s.muscle + (s.fat * 0.92 - s.muscle) * share
    if side < 5.0:
        value = middle + (value - middle) * (side - 2.5) / 2.5
    return value


@njit(cache=True)
def _before(
    fine: bool, s: Record, streaks: Floats, clouds: Floats, x: float, y: float, z: float, u: float,
    rows: npt.NDArray[np.float64], k: int, step: float,
) -> float:  # fmt: skip
    """What lies beside and in front of the column."""
    ahead = y - rows[_FRONT, k]
    half = rows[_HALF, k]
    dome = int(24.0 * (_bump((ahead - 45.0) / 76.0) - 0.4) / step)  # the diaphragm's
    chest, neck, pelvis = rows[_CHEST, min(max(k - dome, 0), rows.shape[1] - 1)], rows[_NECK, k], rows[_PELVIS, k]
    deep = rows[_DEEP, k] - 0.004 * u * u
    if ahead > deep:
        return 0.0
    cloud = _chance(fine, clouds, x / 9.0, y / 9.0, z / 11.0)
    if ahead > deep - 16.0 + 10.0 * neck:
        return s.fat * (1.0 - 0.05 * cloud)
    strand = _chance(fine, streaks, x / 6.0, y / 4.0, z / 8.0)
    if ahead < 0.0 and abs(u) < 0.9 * half:
        return 0.7 * s.fat
    fat = s.fat * (0.88 - 0.10 * strand)
    close = min(1.0, max(0.0, (ahead - 3.0) / 4.0)) * min(1.0, max(0.0, (20.0 - ahead) / 8.0)) * (1.0 - pelvis)
    mixed = s.muscle + (fat - s.muscle) * min(1.0, max(0.0, 0.35 + 0.45 * strand + 0.25 * cloud))  # crura, veins, nodes
    fat += (mixed - fat) * close
    # belly: fat with gut and organs in it
    grain = _chance(fine, clouds, x / 3.0, y / 3.0, z / 3.5)
    gut = s.bowel * (1.0 + 0.3 * strand + 0.3 * grain)
    share = min(1.0, max(0.0, 0.55 + 0.9 * (cloud + 0.7 * grain + 0.35 * strand))) * min(
        1.0, max(0.0, (ahead - 10.0) / 12.0)
    )
    value = fat + (gut - fat) * share
    if chest > 0.0:
        lung = s.lung * (1.0 + 0.3 * strand)
        side = min(1.0, max(0.0, (abs(u) - half - 4.0 - 14.0 * min(1.0, max(0.0, ahead / 40.0))) / 3.0))
        heart = s.blood + (s.muscle * 1.1 - s.blood) * min(1.0, max(0.0, 0.5 + 1.6 * (cloud + 0.3 * strand)))
        inner = fat + (heart - fat) * min(1.0, max(0.0, (ahead - 9.0 + 3.0 * strand) / 5.0))
        value += ((inner + (lung - inner) * side) - value) * chest
    if neck > 0.0:
        tissue = s.muscle + (fat - s.muscle) * min(1.0, max(0.0, 0.5 + 2.5 * (cloud - 0.1)))
        if ahead < 6.5 + strand and abs(u) < 15.0:
            tissue = s.muscle * 1.05
        elif abs(u) < 9.5 and 11.0 < ahead < 27.0 + 2.0 * strand:
            tissue = s.lung * 0.2
        elif abs(u) < 12.0 and ahead <= 11.0:
            tissue = s.muscle * 1.6
        value += (tissue - value) * neck
    if pelvis > 0.0:
        inner = fat
        p, q = (ahead - 24.0) / 13.0, (z + 75.0) / 34.0  # the rectum
        if p * p + q * q + (u / 18.0) ** 2 < 1.0:
            inner = s.bowel * (0.9 + 0.4 * strand)
        p, q = (ahead - 66.0) / 26.0, (z + 78.0) / 26.0  # the bladder
        if p * p + q * q + (u / 40.0) ** 2 < 1.0:
            inner = s.csf * 0.95
        value += (inner - value) * pelvis
    # great vessels, dark by flow, from L4 up into the chest
    if z > 15.0 and neck < 0.5:
        aside = 12.0 + 0.55 * max(0.0, 45.0 - z)
        r = math.sqrt((u + aside) ** 2 + (ahead - 12.5) ** 2)
        if r < 9.0:
            value += (s.blood - value) * min(1.0, 0.5 * (9.0 - r))
        if chest < 0.6:
            r = math.sqrt(((u - 9.0 - aside * 0.6) / 1.25) ** 2 + (ahead - 9.5) ** 2)
            if r < 8.0:
                value += (s.blood * 1.5 - value) * min(1.0, 0.5 * (8.0 - r))
    elif 3.0 < ahead < 12.0 and 10.0 < abs(u) < 20.0 and pelvis > 0.3:
        value += (s.blood - value) * 0.8
    if ahead < 3.0:  # the ligament along the front of the bodies
        value += (s.ligament - value) * cover(max(abs(ahead - 0.6) - 0.6, abs(u) - 0.45 * half), max(1.0, step))
    return value


@njit(cache=True)
def _head(
    fine: bool, s: Record, clouds: Floats, x: float, y: float, z: float, u: float, ahead: float, above: float
) -> float:
    """Skull base and what is in it; below 0 where this is no part of it. ``above`` counts from the top of the atlas."""
    if above < -4.0:
        return -1.0
    p, q, r = (ahead + 22.0) / 44.0, (above - 38.0) / 41.0, u / 62.0  # the posterior fossa
    far = math.sqrt(p * p + q * q + r * r)
    open_below = abs(ahead - 1.0) < 16.0 and abs(u) < 15.0 and above < 14.0  # the foramen magnum
    if far < 1.0:
        stem = (ahead - 6.0 - 0.12 * above) / (7.0 + 0.10 * above)
        if abs(stem) < 1.0 and abs(u) < 9.0 + 0.12 * above:
            return s.brain * 0.92
        if abs(stem) < 1.6 and abs(u) < 16.0:
            return s.csf * 0.9
        fold = _chance(fine, clouds, x / 2.5, y / 2.0, z / 1.6)
        return s.brain * (1.05 + 0.10 * fold) if far < 0.93 else s.csf * 0.85
    if far < 1.14 and not open_below:
        return s.bone * (0.5 if far < 1.04 or far > 1.10 else 2.0)
    if 12.0 < ahead < 34.0 and above > 6.0 and far < 1.6:
        return s.fat * 0.6  # the clivus' marrow
    return -1.0
