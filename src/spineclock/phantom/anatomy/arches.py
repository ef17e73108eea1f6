"""Posterior elements and ribs of a made-up column as rounded blocks of bone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from spineclock.core.anatomy import ARCH, LEVEL_NUMBERS, RIB
from spineclock.core.anatomy import BODY as BODY_OFFSET
from spineclock.core.findings import LEVELS as FINDING_LEVELS
from spineclock.phantom.anatomy.dimensions import LEVELS, dimensions
from spineclock.phantom.anatomy.forms import BLOCK, Records
from spineclock.phantom.anatomy.posture import Build, Placed, frame
from spineclock.phantom.anatomy.template import Template
from spineclock.phantom.anatomy.traits import Traits

CORTEX_MM = 0.65


@dataclass(frozen=True, eq=False)
class _Site:
    """A vertebra to hang blocks on: its frame and what they are sized by, in mm."""

    placed: Placed
    place: int
    size: dict[str, float]
    stout: float
    label: int
    fat: float

    def block(
        self, at: tuple[float, float, float], half: tuple[float, float, float], *, pitch_deg: float = 0.0,
        yaw_deg: float = 0.0, roll_deg: float = 0.0, edge: float = 0.9, taper: float = 0.0, joins: bool = False,
        label: int = 0,
    ) -> Any:  # fmt: skip
        """A block at a place in the vertebra's frame (right, front, up), front end pitched up, turned and rolled."""
        p = np.zeros((), BLOCK)
        turn = frame(math.radians(pitch_deg), math.radians(roll_deg), math.radians(yaw_deg))
        p["centre"] = self.placed.centre + np.asarray(at) @ self.placed.axes
        p["axes"] = turn @ self.placed.axes
        p["half"], p["round"], p["taper"] = half, edge * min(half), taper
        p["corner"] = 0.75
        p["group"], p["joins"] = self.place, self.place if joins else -1
        p["label"], p["fat"], p["cortex"] = label or self.label, self.fat, CORTEX_MM
        return p[()]


def arch_records(traits: Traits, build: Build, column: list[Placed], template: Template, fat: float) -> Records:
    """Blocks of every vertebra from C2 down, C1's last; those of a vertebra stand together."""
    blocks: list[Any] = []
    for place, placed in enumerate(reversed(column)):
        i = LEVELS.index(placed.level)
        size = {name: float(values[i]) for name, values in build.sizes.items()}
        stout = template.arches * (1 + 0.05 * build.noise["stout"][i])
        label = ARCH + LEVEL_NUMBERS[placed.level]
        site = _Site(placed, place, size, stout, label, fat - 0.04)
        facet = int(traits.facet[FINDING_LEVELS.index(placed.level)])
        blocks += {"C": _cervical, "T": _thoracic, "L": _lumbar}[placed.level[0]](site, facet, build.noise[i])
    blocks += _atlas(column[-1], len(column), build, fat)
    return np.array(blocks, BLOCK)


def _lumbar(s: _Site, facet: int, noise: np.void) -> list[Any]:
    h, hd, z = s.placed.height, s.placed.half_depth, s.size
    deep, wide, big = z["canal_depth_mm"], z["canal_width_mm"], 1 + 0.10 * facet
    pw, ph = z["pedicle_width_mm"], z["pedicle_height_mm"]
    back = -hd - deep
    out = []
    for side in (-1, 1):
        out += [
            s.block((side * (wide / 2 + pw / 2), -hd - 0.22 * deep + 1.5, h / 2 - ph / 2 - 2.0),
                    (pw / 2, 0.42 * deep + 4.0, ph / 2), joins=True),
            s.block((side * (wide / 2 + 3.0), back + 0.22 * deep, -0.08 * h), (5.2 * s.stout, 4.6, 0.44 * h),
                    pitch_deg=-6, edge=0.8),
            s.block((side * (wide / 2 + 5.8), back + 0.30 * deep, 0.5 * h + 0.5),
                    (4.0 * big, 4.6 * big, z["facet_height_mm"] / 2 + 1.0), pitch_deg=-8, edge=0.8),
            s.block((side * (wide / 2 - 0.5), back - 0.08 * deep, -0.60 * h),
                    (4.6 * big, 4.0 * big, z["facet_height_mm"] / 2 + 3.0), pitch_deg=-4, edge=0.8),
            s.block((side * wide / 4, back - 4.6, -0.26 * h),
                    (wide / 4 + 3.0, 3.4 * s.stout, z["lamina_height_mm"] / 2), yaw_deg=side * 24,
                    pitch_deg=-18),
        ]  # fmt: skip
        inner = wide / 2 + pw - 1
        reach = z["transverse_process_span_mm"] / 2 - inner
        tall = 7.0 if s.placed.level in ("L5", "L6", "L7") else 5.0
        out.append(s.block((side * (inner + reach / 2), -hd - 0.42 * deep, 0.14 * h), (reach / 2, 3.0, tall),
                           yaw_deg=side * 8))  # fmt: skip
    out.append(_spinous(s, -0.16 * h, thick=3.3, noise=noise, taper=-0.20, edge=0.95))
    return out


def _spinous(s: _Site, start: float, *, thick: float, noise: np.void, taper: float, edge: float = 0.9) -> Any:
    """The process from the lamina back and down; ``start`` is where its middle line leaves the lamina."""
    length = s.size["spinous_process_length_mm"] * (1 + 0.06 * noise["spinous_length"])
    tall = s.size["spinous_process_height_mm"] / 2 * (1 + 0.05 * noise["spinous_height"])
    steep = s.size["spinous_inclination_deg"] + 4.0 * noise["spinous_steep"]
    steep += 11.0 if s.placed.level[0] == "L" else 0.0
    down, out = math.sin(math.radians(steep)), math.cos(math.radians(steep))
    root = -s.placed.half_depth - s.size["canal_depth_mm"] - 1.0
    process = s.block((0.3 * noise["spinous_aside"], root - out * length / 2, start - down * length / 2),
                      (thick * s.stout, length / 2, tall), pitch_deg=steep, taper=taper, edge=edge,
                      yaw_deg=0.8 * noise["spinous_aside"])  # fmt: skip
    process["spinous"] = 1
    return process


def _thoracic(s: _Site, facet: int, noise: np.void) -> list[Any]:
    h, hd, z = s.placed.height, s.placed.half_depth, s.size
    deep, wide, big = z["canal_depth_mm"], z["canal_width_mm"], 1 + 0.08 * facet
    pw, ph = z["pedicle_width_mm"], z["pedicle_height_mm"]
    back, tall = -hd - deep, z["lamina_height_mm"]
    number = LEVEL_NUMBERS[s.placed.level]
    reach = z["transverse_process_span_mm"] / 2
    low = s.placed.level in ("T11", "T12", "T13")
    out = []
    for side in (-1, 1):
        out += [
            s.block((side * (wide / 2 + pw / 2), -hd - 0.25 * deep + 1.5, h / 2 - ph / 2 - 0.5),
                    (pw / 2, 0.45 * deep + 4.0, ph / 2), joins=True),
            s.block((side * (wide / 2 + 1.5), back + 0.16 * deep, 0.10 * h), (4.6 * s.stout, 3.6, 0.62 * h),
                    pitch_deg=-12, edge=0.8),
            s.block((side * (wide / 2 + 1.0), back + 0.30 * deep, 0.72 * h), (4.2 * big, 2.4, z["facet_height_mm"] / 2),
                    pitch_deg=-15, edge=0.8),
            s.block((side * (wide / 2 + 0.5), back - 0.02 * deep, -0.58 * h),
                    (4.4 * big, 2.4, z["facet_height_mm"] / 2 + 1), pitch_deg=-15, edge=0.8),
            s.block((side * wide / 4, back - 1.0, -0.10 * h), (wide / 4 + 2.6, 2.6 * s.stout, tall / 2),
                    yaw_deg=side * 18, pitch_deg=-20),
        ]  # fmt: skip
        inner = wide / 2 + 2
        long = max(4.0, reach - inner)
        out.append(s.block((side * (inner + long / 2), back + (0.25 - 0.02 * long) * deep, 0.16 * h),
                           (long / 2 + 2, 4.0, 4.8 if not low else 3.5), yaw_deg=side * 28))  # fmt: skip
        neck = max(6.0, reach - z["endplate_width_upper_mm"] / 2 + 3)
        rib = RIB + number
        out.append(s.block((side * (z["endplate_width_upper_mm"] / 2 + neck / 2), -hd - 0.15 * deep, 0.34 * h),
                           (neck / 2 + 2, 3.0, 4.6), yaw_deg=side * 30, label=rib))  # fmt: skip
        far = 16.0 if not low else 9.0
        out.append(s.block((side * (reach + far), back + 0.35 * deep, 0.0), (far, 3.2, 6.0), roll_deg=side * 22,
                           yaw_deg=-side * 6, label=rib))  # fmt: skip
    out.append(
        _spinous(s, -0.12 * h if not low else -0.3 * h, thick=2.8, noise=noise, taper=0.15 if not low else -0.05)
    )
    return out


def _cervical(s: _Site, facet: int, noise: np.void) -> list[Any]:
    h, hd, z = s.placed.height, s.placed.half_depth, s.size
    deep, wide, big = z["canal_depth_mm"], z["canal_width_mm"], 1 + 0.09 * facet
    back, second = -hd - deep, s.placed.level == "C2"
    out = []
    for side in (-1, 1):
        out += [
            s.block((side * (wide / 2 + 1.0), -hd - 0.20 * deep, 0.05 * h),
                    (z["pedicle_width_mm"] / 2, 0.45 * deep, z["pedicle_height_mm"] / 2), yaw_deg=-side * 40,
                    joins=True),
            s.block((side * (wide / 2 + 5.0), -hd - 0.50 * deep, 0.0), (5.6 * s.stout * big, 5.4 * big, 0.62 * h + 1.0),
                    pitch_deg=-35, edge=0.7),
            s.block((side * (wide / 2 + 7.0), -hd + 3.0, -0.05 * h), (7.0, 4.0, 3.2), edge=0.8),
            s.block((side * wide / 4, back - 1.2 + (0 if second else 0.6), -0.18 * h),
                    (wide / 4 + 4.0, 2.2 * s.stout * (1.5 if second else 1.0), z["lamina_height_mm"] / 2),
                    yaw_deg=side * 30, pitch_deg=-15),
        ]  # fmt: skip
    out.append(
        _spinous(s, -0.15 * h, thick=4.6 if second else 3.2, noise=noise, taper=-0.12 if s.placed.level != "C7" else 0)
    )
    if second:
        told = dimensions().others["axis"]
        tall = told["dens_height_mm"] * (0.94 if z["endplate_width_lower_mm"] < 17.5 else 1.0)
        out.append(s.block((0.0, 0.5, h / 2 + tall / 2 - 3.0),
                           (told["dens_width_mm"] / 2, told["dens_depth_mm"] / 2, tall / 2 + 3.0), pitch_deg=6,
                           joins=True, label=BODY_OFFSET + LEVEL_NUMBERS["C2"], edge=0.95))  # fmt: skip
    return out


def _atlas(axis: Placed, group: int, build: Build, fat: float) -> list[Any]:
    """C1's ring round the dens of C2."""
    told = dimensions().others["atlas"]
    size = {name: float(values[0]) for name, values in build.sizes.items()}
    s = _Site(axis, group, size, 1.0, ARCH + LEVEL_NUMBERS["C1"], fat - 0.04)
    level = axis.height / 2 + 10.0
    thick, tall = told["anterior_arch_thickness_mm"] / 2, told["anterior_arch_height_mm"] / 2
    front = 0.5 + dimensions().others["axis"]["dens_depth_mm"] / 2 + told["dens_gap_mm"] + thick - 0.8
    back = front - thick - told["inner_depth_mm"] - told["posterior_arch_thickness_mm"] / 2
    wide = told["inner_width_mm"] / 2
    out = [
        s.block((0.0, front, level), (9.0, thick, tall), edge=0.95),
        s.block(
            (0.0, back, level - 3.0),
            (7.0, told["posterior_arch_thickness_mm"] / 2, told["posterior_arch_height_mm"] / 2),
        ),
    ]
    for side in (-1, 1):
        out += [
            s.block((side * (wide + 4.0), front - 13.0, level - 1.0),
                    (7.5, 9.0, told["lateral_mass_height_mm"] / 2), edge=0.7),
            s.block((side * 11.0, front - 3.5, level), (6.0, thick, tall * 0.8), yaw_deg=-side * 35),
            s.block((side * (wide - 1.0), (front - 13.0 + back) / 2 - 2.0, level - 2.0), (3.5, 12.0, 4.0),
                    yaw_deg=side * 30),
            s.block((side * (wide + 16.0), front - 14.0, level - 1.0), (10.0, 4.5, 4.5)),
        ]  # fmt: skip
    return out
