"""Paints the trunk round the spine on axial slices: skin and fat, body wall, muscles, lungs, and room for viscera."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from spineclock.core.anatomy import Structure
from spineclock.phantom.anatomy.forms import Record
from spineclock.phantom.mri.ground import SIDE, Canvas, Floats, along, column, cover, nearest

ROWS = ("x", "y", "front", "body_half_width", "fascia", "skin", "muscle_half_width", "psoas", "psoas_aside", "chest",
        "pelvis", "deep")  # fmt: skip
"""Fields of the course that painting needs at each height, in this order; the trunk's half width comes last."""
_X, _Y, _FRONT, _HALF, _FASCIA, _SKIN, _MUSCLE, _PSOAS, _ASIDE, _CHEST, _PELVIS, _DEEP, _WIDE = range(13)
FLESH = np.dtype([(name, "f8") for name in ("skin", "fat", "lean", "wall", "lung", "bowel", "vein", "artery")])
"""HU of soft tissues."""
FORM = np.dtype(
    [
        ("subcutaneous", "f8"),  # fat at the sides over that at the back
        ("visceral", "f8"),  # share of the room for viscera that is fat, about
        ("erector", "f8"),  # width of the erector spinae over the usual
        ("crest_mm", "f8"),  # height of the iliac crests
        ("dome_mm", "f8", (2,)),  # of the diaphragm behind, right and left, and how far it rises
        ("rise_mm", "f8", (2,)),
        ("table_mm", "f8"),  # y of the table's top
    ]
)
"""What one trunk is like."""
_POWER = 2.4
"""Of the cross-section of a trunk, between an ellipse (2) and a box."""
_BEYOND = 9.0
"""More than what a place near the trunk has in the equation of its outline."""
ERECTORS = int(Structure.ERECTOR_LEFT), int(Structure.ERECTOR_RIGHT)
PSOAS = int(Structure.PSOAS_LEFT), int(Structure.PSOAS_RIGHT)
SUBCUTANEOUS = int(Structure.SUBCUTANEOUS_FAT)
ROOM, LUNG = 65000, 65001
"""Labels, while painting, of what viscera are painted into and of lungs."""


_STRAND, _BACK, _BACKS, _LOIN, _LOINS, _CLOUD, _GRAIN = range(7)
"""Textures: strands of fat, fine and coarse bundles of the back's muscles and of the psoas, bowel and its contents."""
_CELL_MM = np.array([(9.0, 9.0, 16.0), (2.4, 2.4, 16.0), (6.0, 5.0, 30.0), (3.0, 3.0, 18.0), (7.0, 7.0, 30.0),
                     (11.0, 11.0, 13.0), (4.5, 4.5, 5.0)])  # fmt: skip
"""Of each texture's cells, to the right, front and top; the first five come from streaks, the others from clouds."""
Columns = npt.NDArray[np.float64]
"""The textures, cell by cell upwards, of one place on the slices, shape (7, 64)."""


@njit(cache=True)
def paint_trunk(
    canvas: Canvas, rows: npt.NDArray[np.float64], s: Record, form: Record, streaks: Floats, clouds: Floats,
) -> None:  # fmt: skip
    """Paints every sample of an empty canvas (air). ``rows`` holds :data:`ROWS` and the half width at each height.

    Samples of psoas and erector spinae hold a standard score of fattiness, for :func:`fill_muscles`.
    """
    nx, ny, nz = canvas.signal.shape
    front = rows[_FRONT] + rows[_DEEP]
    middle, tall = 0.5 * (rows[_SKIN] + front), 0.5 * (front - rows[_SKIN])
    ahead = np.empty((ny, nz))
    for j in range(ny):
        for k in range(nz):
            ahead[j, k] = _superellipse(canvas.origin[1] + j * canvas.step[1] - middle[k], tall[k])
    aside, columns = np.empty(nz), np.empty((7, SIDE))
    for i in range(nx):
        x = canvas.origin[0] + i * canvas.step[0]
        for k in range(nz):
            aside[k] = _superellipse(x - rows[_X, k], rows[_WIDE, k])
        for j in range(ny):
            y = canvas.origin[1] + j * canvas.step[1]
            for t in range(len(columns)):
                column(streaks if t < _CLOUD else clouds, x / _CELL_MM[t, 0], y / _CELL_MM[t, 1], columns, t)
            for k in range(nz):
                far = aside[k] + ahead[j, k]
                if far >= _BEYOND:
                    continue
                far = far ** (1.0 / _POWER)
                u = x - rows[_X, k]
                ray = math.sqrt(u * u + (y - middle[k]) ** 2)
                deep = ray / max(far, 1e-6) - ray if far > 1e-6 else tall[k]  # below the skin
                if y < middle[k] and deep < 30.0:
                    deep -= 5.0 * math.exp(-((u / 13.0) ** 2)) * (1.0 - deep / 30.0)  # the groove of the back
                share = cover(-deep, canvas.soft)
                if share == 0.0:
                    continue
                z = canvas.origin[2] + k * canvas.step[2]
                way = min(1.0, max(0.0, (y - middle[k]) / tall[k] + 1.0))  # 0 behind, 1 from the sides on
                value, label = _inside(rows, k, s, form, columns, clouds, x, y, z, deep, way)
                if label in (71, 72, 73, 74):
                    canvas.signal[i, j, k] = value
                else:
                    canvas.signal[i, j, k] = value * share - 1000.0 * (1.0 - share)
                canvas.labels[i, j, k] = label if share > 0.5 else 0


@njit(cache=True, inline="always")
def _superellipse(away: float, half: float) -> float:
    """What a distance from the middle adds to the outline's equation."""
    a = abs(away) / half
    return a**_POWER if a <= 1.05 else _BEYOND


@njit(cache=True, inline="always")
def _at(columns: Columns, texture: int, z: float) -> float:
    return along(columns, texture, z / _CELL_MM[texture, 2])


@njit(cache=True, inline="always")
def _inside(
    rows: npt.NDArray[np.float64], k: int, s: Record, form: Record, columns: Columns, clouds: Floats,
    x: float, y: float, z: float, deep: float, way: float,
) -> tuple[float, int]:  # fmt: skip
    """HU and label of a place so far below the skin."""
    if deep < 1.7:
        return s.skin, 0
    u = x - rows[_X, k]
    behind = rows[_FASCIA, k] - rows[_SKIN, k]
    under = behind * (1.0 + (form.subcutaneous - 1.0) * way)
    strand = _at(columns, _STRAND, z)
    if deep < under:
        return s.fat + 7.0 * strand + 45.0 * max(0.0, 1.0 - abs(strand) / 0.035), SUBCUTANEOUS
    plane = rows[_Y, k] + 3.0 + 0.06 * abs(u)  # of the transverse processes
    muscle = _back(rows, k, form, columns, u, y, z, plane)
    if muscle > -90.0:
        return muscle, 73 if u < 0 else 74
    if abs(u) < 5.0 and y < plane:
        return 0.5 * (s.lean + s.fat) + 30.0 * strand, 0
    psoas = _psoas(rows, k, columns, u, y, z)
    if psoas > -90.0:
        return psoas, 71 if u < 0 else 72
    pelvis = rows[_PELVIS, k]
    if pelvis > 0.2:
        beside, above = iliac_wing(y - rows[_FRONT, k], abs(u), z - form.crest_mm)
        if above < 4.0 and -22.0 < beside < 0.0 and y > rows[_FRONT, k] - 38.0:
            return s.lean - 5.0 + 12.0 * strand, 0  # iliacus
        if above < 6.0 and 0.0 < beside < 75.0:
            return (s.lean - 8.0 + 14.0 * strand if strand > -1.3 else s.fat), 0  # gluteal muscles
    chest = rows[_CHEST, k]
    wide = (9.0 if abs(u) < 62.0 and way >= 1.0 else 21.0) - 4.0 * chest
    inner = deep - under
    if y < plane + 12.0:  # the wall begins beside the back muscles, before which the cavity lies
        reach = abs(u) - rows[_MUSCLE, k] * form.erector * (1.0 - 0.18 * chest)
        wide *= min(1.0, max(0.0, reach / 24.0)) if y < plane else 1.0
        if reach < 10.0 and y < plane + 5.0 * chest:
            return s.fat + 7.0 * strand, 0
    if inner < wide and wide > 0.5 and not (way >= 1.0 and abs(u) < 4.0):
        thin = abs(inner / wide * 3.0 - math.floor(inner / wide * 3.0 + 0.5))  # fat between three layers
        fatty = 0.55 if thin < 0.09 and wide > 12.0 else 0.0
        return s.wall + (s.fat - s.wall) * fatty + 8.0 * strand, 0
    side = (abs(u) - rows[_HALF, k] - 34.0) / 16.0
    lumbar = (y - plane - 9.0) / 11.0
    if side * side + lumbar * lumbar < 1.0 and chest < 0.3 and pelvis < 0.5:
        return s.lean - 6.0 + 8.0 * strand, 0  # quadratus lumborum
    return _cavity(rows, k, s, form, columns, clouds, x, y, z, inner - wide)


@njit(cache=True, inline="always")
def _back(
    rows: npt.NDArray[np.float64], k: int, form: Record, columns: Columns, u: float, y: float, z: float, plane: float
) -> float:  # fmt: skip
    """How fatty the erector spinae is here, a standard score; −99 outside it."""
    u = abs(u)
    if u < 4.0 or y > plane + 2.0:
        return -99.0
    width = rows[_MUSCLE, k] * form.erector * (1.0 - 0.18 * rows[_CHEST, k]) - 4.0
    depth = max(10.0, plane - rows[_FASCIA, k])
    p, q = (u - 4.0) / width, (plane - y) / depth
    belly = 0.42  # the deepest part's place from side to side
    p = max(0.0, p - belly) / (1.0 - belly)
    if p > 1.0 or p**1.5 + abs(2.0 * q - 1.0) ** 2.6 * (0.25 + 0.75 * p) > 1.0:
        return -99.0
    line = 0.8 * _at(columns, _BACK, z) + 0.6 * _at(columns, _BACKS, z)
    apart = math.exp(-(((u - 25.0 - 0.1 * (plane - y)) / 2.0) ** 2))  # between multifidus and longissimus
    near = max(0.0, 1.0 - u / 26.0) * (1.0 - rows[_CHEST, k])
    return line + 0.9 * apart + 0.5 * near


@njit(cache=True, inline="always")
def _psoas(
    rows: npt.NDArray[np.float64], k: int, columns: Columns, u: float, y: float, z: float
) -> float:  # fmt: skip
    """The same of the psoas; its section has the area π·r² that the person's index says."""
    r = rows[_PSOAS, k]
    if r < 2.0:
        return -99.0
    gap = 1.5 + 0.5 * max(0.0, rows[_ASIDE, k] - rows[_HALF, k] - 8.0)
    p = (abs(u) - rows[_HALF, k] - gap - 0.9 * r) / (0.9 * r)
    q = (y - rows[_FRONT, k] + 15.0) / (r / 0.9)
    if p * p + q * q > 1.0:
        return -99.0
    return 0.8 * _at(columns, _LOIN, z) + 0.6 * _at(columns, _LOINS, z)


@njit(cache=True, inline="always")
def iliac_wing(ahead: float, side: float, above_crest: float) -> tuple[float, float]:
    """How far outside the middle of an iliac wing a place lies, and how far above its crest there, mm.

    ``ahead`` counts from the column's front, ``side`` from the midline. The wing runs from behind the sacrum's side
    outwards to the front, its crest highest at half the way.
    """
    t = (ahead + 74.0) / 112.0
    inner = min(1.0, max(0.0, t))
    line = 50.0 + 16.0 * inner + 50.0 * inner * inner
    ends = 60.0 * max(0.0, -t, t - 1.0)
    return (side - line) * 0.8, above_crest + 42.0 * ((t - 0.55) / 0.55) ** 2 + ends


@njit(cache=True, inline="always")
def _cavity(
    rows: npt.NDArray[np.float64], k: int, s: Record, form: Record, columns: Columns, clouds: Floats,
    x: float, y: float, z: float, deep: float,
) -> tuple[float, int]:  # fmt: skip
    """Lung above the diaphragm; below it fat and loops of bowel."""
    u = x - rows[_X, k]
    ahead = y - rows[_FRONT, k]
    right = 0 if u > 0 else 1
    rise, before = min(1.0, max(0.0, deep) / 48.0), min(1.0, max(0.0, (ahead - 20.0) / 60.0))
    low = form.dome_mm[right] + 30.0 * before
    if z > low and z > low + form.rise_mm[right] * math.sin(0.5 * math.pi * rise):
        mediastinum = abs(u) < rows[_HALF, k] + 6.0 + 0.25 * max(0.0, ahead) or (
            ahead > 20.0 and ((u + 18.0) / 62.0) ** 2 + ((ahead - 62.0) / 46.0) ** 2 < 1.0
        )
        if not mediastinum and deep > 0.0:
            spot = nearest(clouds, x / 2.2, y / 2.2, z / 2.2)
            return s.lung + (70.0 + 650.0 * max(0.0, spot - 2.3) if spot > 0.0 else 40.0 * spot), LUNG
        if ahead > 24.0:
            return s.vein, LUNG
        return s.fat + 20.0, LUNG
    cloud, grain = _at(columns, _CLOUD, z), _at(columns, _GRAIN, z)
    gut = min(1.0, max(0.0, 0.5 + 2.6 * (cloud + 0.35 * grain + 0.85 - 1.7 * form.visceral)))
    gut *= min(1.0, max(0.0, (ahead - 30.0 + 16.0 * cloud) / 12.0))
    value = s.fat + 9.0 * grain
    if abs(u) < 32.0 and 0.0 < ahead < 30.0 and grain > 1.5:  # nodes and vessels before the column
        value = s.vein - 20.0
    return value + (s.bowel - value) * gut, ROOM


@njit(cache=True)
def fill_muscles(canvas: Canvas, numbers: tuple[int, int], cut: float, steep: float, lean: float, fat: float) -> None:
    """Turns scores of fattiness into HU: the share of fat rises about the cut, from none to all."""
    signal, labels = canvas.signal, canvas.labels
    for i in range(signal.shape[0]):
        for j in range(signal.shape[1]):
            for k in range(signal.shape[2]):
                if labels[i, j, k] == numbers[0] or labels[i, j, k] == numbers[1]:
                    share = min(1.0, max(0.0, 0.5 + steep * (signal[i, j, k] - cut)))
                    signal[i, j, k] = lean + (fat - lean) * share


def cut_for(scores: npt.NDArray[np.float32], fraction: float, steep: float) -> float:
    """Where the share of fat has to begin so that the mean of all shares is a fraction.

    >>> scores = np.linspace(-3, 3, 6001).astype(np.float32)
    >>> round(cut_for(scores, 0.25, 2.0), 2)
    1.5
    """
    low, high = -12.0, 12.0
    for _ in range(40):
        cut = (low + high) / 2
        if np.clip(0.5 + steep * (scores - cut), 0, 1).mean() > fraction:
            low = cut
        else:
            high = cut
    return (low + high) / 2
