"""Viscera, great vessels and bones beside the spine on CT: where a person's lie, and how they are painted."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numba import njit

from spineclock.core.anatomy import LEVEL_NUMBERS, RIB
from spineclock.phantom.anatomy.forms import Anatomy, Records
from spineclock.phantom.anatomy.traits import Traits
from spineclock.phantom.ct.flesh import LUNG, ROOM, iliac_wing
from spineclock.phantom.mri.ground import Canvas, Floats, cover, smooth, span

ORGAN = np.dtype(
    [
        ("centre", "f8", (3,)),
        ("half", "f8", (3,)),
        ("hu", "f8"),
        ("core", "f8"),  # HU of what it holds, and how far in it begins, a share
        ("hollow", "f8"),
        ("gas_above", "f8"),  # share of its depth, from the front, that is gas
        ("rough", "f8"),  # of its outline
        ("grain", "f8"),  # of its contents, HU
    ]
)
"""An organ as an uneven ellipsoid; what comes later covers what came before."""
Curve = npt.NDArray[np.float64]
"""(points, 3) in mm."""


def organs(person: Traits, spine: Anatomy, flesh: dict[str, float], *, visit: np.random.Generator,
           seed: int) -> Records:  # fmt: skip
    """A person's viscera: sizes and places are the person's, what bowel holds is the visit's."""
    at = {name: body["centre"] for name, body in zip(spine.names, spine.bodies, strict=True)}
    own = person.stream(seed, "viscera", of_person=True)
    big = 1 + 0.08 * float(np.clip(own.standard_normal(), -2, 2))
    out: list[tuple[object, ...]] = []

    def place(level: str, right: float, ahead: float, up: float) -> npt.NDArray[np.float64]:
        jitter = np.clip(own.standard_normal(3), -2, 2) * (4.0, 4.0, 7.0)
        front = at[level] + np.array([0.0, 17.0, 0.0])
        return np.asarray(front + np.array([right, ahead, up]) + jitter)

    def add(centre: object, half: object, hu: float, core: float = 0.0, hollow: float = 0.0, gas: float = 0.0,
            rough: float = 0.06, grain: float = 0.0) -> None:  # fmt: skip
        out.append((centre, np.asarray(half) * big, hu, core, hollow, gas, rough, grain))

    f = flesh
    add(place("T11", 78, 42, 8), (80, 78, 88), f["liver"], rough=0.05)
    add(place("T11", 5, 72, -8), (66, 34, 46), f["liver"], rough=0.06)
    add(place("T11", -98, -2, -4), (33, 46, 52), f["spleen"])
    add(place("T11", -58, 52, -12), (50, 36, 42), f["bowel"], f["water"], 0.88, float(visit.uniform(0.1, 0.45)))
    add(place("L1", -10, 30, 4), (62, 13, 15), f["bowel"] + 10, rough=0.16)  # the pancreas
    for side, down in ((1, -12.0), (-1, 4.0)):
        add(place("L1", side * 60, -6, down - 6), (27, 25, 54), f["kidney"], f["fat"] + 10, 0.34, rough=0.05)
    add(place("L1", 62, 62, -20), (18, 20, 32), 12.0, rough=0.03)  # the gall bladder
    for level, right, ahead, half in (
        ("L2", 104, 22, (26, 28, 60)), ("L5", 92, 40, (27, 30, 36)), ("L2", -112, 6, (19, 22, 62)),
        ("L4", -104, 14, (18, 20, 50)), ("L3", 30, 76, (72, 18, 20)), ("L2", -62, 74, (48, 17, 22)),
        ("S1", -38, 52, (34, 20, 26)),
    ):  # fmt: skip
        gas, stool = float(visit.uniform(0.0, 0.75)), float(visit.uniform(-25, 25))
        add(place(level, right, ahead, 0), half, f["bowel"], f["stool"] + stool, 0.86, gas, 0.1, 90.0)
    add(place("S1", 0, 74, -62), (44, 32, 34), 38.0, f["water"], 0.9, rough=0.02)  # the bladder
    return np.array(out, ORGAN)


@njit(cache=True)
def paint_organs(canvas: Canvas, organs: Records, gas: float, clouds: Floats) -> None:
    """Paints each organ where there is room for viscera."""
    for n in range(len(organs)):
        o = organs[n]
        reach = 1.0 + 2.5 * o.rough
        i0, i1 = span(o.centre[0], o.half[0] * reach, canvas.origin[0], canvas.step[0], canvas.signal.shape[0])
        j0, j1 = span(o.centre[1], o.half[1] * reach, canvas.origin[1], canvas.step[1], canvas.signal.shape[1])
        k0, k1 = span(o.centre[2], o.half[2] * reach, canvas.origin[2], canvas.step[2], canvas.signal.shape[2])
        small = min(o.half[0], o.half[1], o.half[2])
        for i in range(i0, i1):
            x = canvas.origin[0] + i * canvas.step[0]
            for j in range(j0, j1):
                y = canvas.origin[1] + j * canvas.step[1]
                for k in range(k0, k1):
                    if canvas.labels[i, j, k] != ROOM:
                        continue
                    z = canvas.origin[2] + k * canvas.step[2]
                    a, b = (x - o.centre[0]) / o.half[0], (y - o.centre[1]) / o.half[1]
                    c = (z - o.centre[2]) / o.half[2]
                    far = math.sqrt(a * a + b * b + c * c)
                    if far > reach:
                        continue
                    far += o.rough * smooth(clouds, x / 14.0 + 9.0 * n, y / 14.0, z / 14.0)
                    share = cover((far - 1.0) * small, canvas.soft)
                    if share == 0.0:
                        continue
                    value = o.hu
                    if far < o.hollow:
                        value = o.core
                        if o.grain > 0.0:
                            value -= o.grain * max(0.0, smooth(clouds, x / 3.0, y / 3.0, z / 3.0) - 0.4) * 3.0
                        if b > 1.0 - 2.0 * o.gas_above:  # gas rises to the front of who lies on the back
                            value = gas
                    canvas.signal[i, j, k] += share * (max(value, -1000.0) - canvas.signal[i, j, k])


def vessels(spine: Anatomy) -> tuple[Curve, ...]:
    """Middle lines of aorta, inferior vena cava, and the four common iliac vessels (arteries first)."""
    at = {name: (b["centre"], float(b["depth_upper"])) for name, b in zip(spine.names, spine.bodies, strict=True)}
    levels = [v for v in ("T4", "T6", "T8", "T10", "T11", "T12", "L1", "L2", "L3", "L4") if v in at]

    def along(aside: float, ahead: float) -> list[npt.NDArray[np.float64]]:
        return [at[v][0] + np.array([aside, at[v][1] + ahead, 0.0]) for v in levels]

    out = []
    for aside, ahead in ((-7.0, 13.0), (17.0, 12.0)):
        line = along(aside, ahead)
        out.append(np.array(line))
        fork = line[-1] + np.array([0.0, 0.0, -6.0])
        for side in (1, -1):
            ends = [fork]
            for level, apart in (("L5", 21.0), ("S1", 38.0)):
                ends.append(at[level][0] + np.array([side * apart + aside * 0.3, at[level][1] + ahead - 2, -6.0]))
            out.append(np.array(ends))
    return (out[0], out[3], out[1], out[2], out[4], out[5])


@njit(cache=True)
def paint_rod(
    canvas: Canvas, curve: Curve, half: tuple[float, float], shell: float, inside: float, outside: float, label: int
) -> None:
    """Paints a rod along a curve, an ellipse of ``half`` (across, along z) mm: a shell round something.

    A label of -1 leaves labels as they are.
    """
    wide, tall = half
    for n in range(len(curve) - 1):
        p, q = curve[n], curve[n + 1]
        d = q - p
        square = d[0] * d[0] + d[1] * d[1] + d[2] * d[2] + 1e-9
        most = max(wide, tall) + 1.0
        i0, i1 = span(0.5 * (p[0] + q[0]), 0.5 * abs(d[0]) + most, canvas.origin[0], canvas.step[0],
                      canvas.signal.shape[0])  # fmt: skip
        j0, j1 = span(0.5 * (p[1] + q[1]), 0.5 * abs(d[1]) + most, canvas.origin[1], canvas.step[1],
                      canvas.signal.shape[1])  # fmt: skip
        k0, k1 = span(0.5 * (p[2] + q[2]), 0.5 * abs(d[2]) + most, canvas.origin[2], canvas.step[2],
                      canvas.signal.shape[2])  # fmt: skip
        for i in range(i0, i1):
            x = canvas.origin[0] + i * canvas.step[0] - p[0]
            for j in range(j0, j1):
                y = canvas.origin[1] + j * canvas.step[1] - p[1]
                for k in range(k0, k1):
                    z = canvas.origin[2] + k * canvas.step[2] - p[2]
                    t = (x * d[0] + y * d[1] + z * d[2]) / square
                    if t < -0.02 or t > 1.02:
                        continue
                    a, b, c = x - t * d[0], y - t * d[1], z - t * d[2]
                    r = math.sqrt((a * a + b * b) / (wide * wide) + c * c / (tall * tall))
                    out = (r - 1.0) * min(wide, tall)
                    share = cover(out, canvas.soft)
                    if share == 0.0:
                        continue
                    core = min(share, cover(out + shell, canvas.soft))
                    value = canvas.signal[i, j, k]
                    new = value * (1.0 - share) + outside * (share - core) + inside * core
                    canvas.signal[i, j, k] = max(value, new) if inside > 100.0 else new
                    if share > 0.5 and label >= 0:
                        canvas.labels[i, j, k] = label


def rib_labels(spine: Anatomy) -> list[int]:
    """The number of each curve of ``radiograph.beside.ribs``, two a thoracic vertebra."""
    return [RIB + LEVEL_NUMBERS[name] for name in spine.names if name[0] == "T" for _ in range(2)]


@njit(cache=True)
def paint_iliac_wings(
    canvas: Canvas, rows: npt.NDArray[np.float64], crest_mm: float, marrow: float, cortex: float, shell: float
) -> None:
    """Paints the wings of the ilium below their crests: plates that run from the sacrum to the side and the front."""
    for k in range(canvas.signal.shape[2]):
        z = canvas.origin[2] + canvas.step[2] * k
        if z > crest_mm + 3.0:
            continue
        for j in range(canvas.signal.shape[1]):
            ahead = canvas.origin[1] + j * canvas.step[1] - rows[2, k]
            if ahead < -84.0 or ahead > 48.0:
                continue
            for i in range(canvas.signal.shape[0]):
                side = abs(canvas.origin[0] + i * canvas.step[0] - rows[0, k])
                beside, above = iliac_wing(ahead, side, z - crest_mm)
                thick = 3.2 + 3.5 * math.exp(above / 9.0) + 4.0 * math.exp(-(((ahead + 60.0) / 16.0) ** 2))
                thick *= min(1.0, max(0.2, (ahead + 80.0) / 14.0))
                out = max(abs(beside) - thick, above)
                share = cover(out, canvas.soft)
                if share == 0.0:
                    continue
                core = min(share, cover(out + shell, canvas.soft))
                old = canvas.signal[i, j, k]
                canvas.signal[i, j, k] = old * (1 - share) + cortex * (share - core) + marrow * core
                if share > 0.5:
                    canvas.labels[i, j, k] = 0


@njit(cache=True)
def paint_pockets(canvas: Canvas, pockets: Records, x: float, gas: float) -> None:
    """Paints pockets of gas in discs: ellipsoids about the sagittal plane at x."""
    for n in range(len(pockets)):
        p = pockets[n]
        c, s = math.cos(p.turn), math.sin(p.turn)
        i0, i1 = span(x, p.path, canvas.origin[0], canvas.step[0], canvas.signal.shape[0])
        j0, j1 = span(p.y, p.long + 2.0, canvas.origin[1], canvas.step[1], canvas.signal.shape[1])
        k0, k1 = span(p.z, p.long + 2.0, canvas.origin[2], canvas.step[2], canvas.signal.shape[2])
        for i in range(i0, i1):
            a = (canvas.origin[0] + i * canvas.step[0] - x) / p.path
            for j in range(j0, j1):
                for k in range(k0, k1):
                    y = canvas.origin[1] + j * canvas.step[1] - p.y
                    z = canvas.origin[2] + k * canvas.step[2] - p.z
                    u, v = (y * c + z * s) / p.long, (z * c - y * s) / p.short
                    share = cover((math.sqrt(a * a + u * u + v * v) - 1.0) * p.short, canvas.soft)
                    canvas.signal[i, j, k] += share * (gas - canvas.signal[i, j, k])


@njit(cache=True)
def paint_table(canvas: Canvas, top_mm: float, middle_mm: float, hu: float) -> None:
    """Paints the table below who lies on it: two thin curved shells, wherever there is air."""
    for i in range(canvas.signal.shape[0]):
        u = canvas.origin[0] + i * canvas.step[0] - middle_mm
        if abs(u) > 205.0:
            continue
        for j in range(canvas.signal.shape[1]):
            y = canvas.origin[1] + j * canvas.step[1]
            for way, drop in ((0.0011, 0.0), (0.0009, 62.0)):
                share = cover(abs(y - top_mm + drop - way * u * u) - 1.5, canvas.soft)
                if share > 0.0:
                    for k in range(canvas.signal.shape[2]):
                        old = canvas.signal[i, j, k]
                        if old < -900.0 and canvas.labels[i, j, k] == 0:
                            canvas.signal[i, j, k] = old + share * (hu - old)


@njit(cache=True)
def clear_marks(labels: npt.NDArray[np.uint16]) -> None:
    """Takes the labels away that only painting needs."""
    for i in range(labels.shape[0]):
        for j in range(labels.shape[1]):
            for k in range(labels.shape[2]):
                if labels[i, j, k] == ROOM or labels[i, j, k] == LUNG:
                    labels[i, j, k] = 0


def calcified(curves: Sequence[Curve], aorta: Curve) -> list[Curve]:
    """Calcified stretches moved from before the spine's middle into the wall of the aorta that is painted."""
    out = []
    for curve in curves:
        moved = curve.copy()
        moved[:, 0] = np.interp(curve[:, 2], aorta[::-1, 2], aorta[::-1, 0])
        out.append(moved)
    return out
