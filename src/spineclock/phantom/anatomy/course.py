"""The canal's course and what lies round it, a record for each millimetre of height."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from spineclock.core.findings import LEVELS as FINDING_LEVELS
from spineclock.phantom.anatomy.bodies import of_level
from spineclock.phantom.anatomy.dimensions import LEVELS, dimensions
from spineclock.phantom.anatomy.forms import COURSE, Records
from spineclock.phantom.anatomy.posture import Build, Floats, Placed
from spineclock.phantom.anatomy.template import Template
from spineclock.phantom.anatomy.traits import Chance, Traits

BELOW_MM, ABOVE_MM = 130.0, 120.0
"""How far the course goes on below the S1 end plate and above C2."""


def course_records(
    traits: Traits, build: Build, column: list[Placed], sacrum: Records, tips: Floats, template: Template,
    chance: Chance,
) -> tuple[Records, float]:  # fmt: skip
    """The records from the bottom up, and the height of the first.

    ``tips`` are (y, z) of the spinous processes' ends.
    """
    knots = _knots(build, column, sacrum)
    bottom = math.floor(min(-BELOW_MM, float(knots["z"][0]) - 15))
    z = np.arange(bottom, math.ceil(float(knots["z"][-1]) + ABOVE_MM) + 1.0)
    out = np.zeros(len(z), COURSE)

    def along(values: Floats, smooth_mm: float = 4.5) -> Floats:
        return np.asarray(ndimage.gaussian_filter1d(np.interp(z, knots["z"], values), smooth_mm, mode="nearest"))

    top_z, slope = knots["z"][-1], 0.10
    beyond = np.maximum(z - top_z, 0)
    out["x"] = along(knots["x"])
    out["y"] = along(knots["y"]) + slope * beyond + 0.002 * beyond**2
    out["cosine"] = 1 / np.sqrt(1 + np.gradient(out["y"], z) ** 2)
    for name in ("bony_depth", "bony_width", "sac_depth", "sac_width", "front", "body_half_width", "spinous"):
        out[name] = along(knots[name])
    out["bony_front"] = along(knots["bony_front"])
    _narrowings(out, z, traits, column, template)
    _cord(out, z, build, column, sacrum, chance("cord"))
    _foramina(out, z, column)
    _surroundings(out, z, traits, build, column, tips, chance("fat"))
    return out, float(z[0])


def _knots(build: Build, column: list[Placed], sacrum: Records) -> dict[str, Floats]:
    """Places along the spine with the canal's sizes there, from the bottom up."""
    told = dimensions().others["sacrum"]
    rows = []
    for k in (4, 3, 2, 1, 0):
        b = sacrum[k]
        half, back = told["canal_depths_mm"][k] / 2, float(b["depth_upper"] + b["depth_lower"]) / 2
        middle = b["centre"] - b["axes"][1] * (back + 1.0 + half)
        rows.append((middle[2], middle[0], middle[1], half, told["canal_widths_mm"][k] / 2, half * 0.92,
                     told["canal_widths_mm"][k] * 0.33, 0.0, float(b["centre"][1]) + back, float(b["width_upper"]),
                     half + 12))  # fmt: skip
    for k, placed in enumerate(column):
        level = placed.level
        below = rows[-1]
        deep, sac = build.of("canal_depth_mm", level), build.of("dural_sac_depth_mm", level)
        wide, sac_wide = build.of("canal_width_mm", level), build.of("dural_sac_width_mm", level)
        gap = 0.3 + 0.12 * (deep - sac)
        middle = placed.centre - placed.axes[1] * (placed.half_depth + gap + sac / 2)
        long = build.of("spinous_process_length_mm", level)
        steep = math.radians(build.of("spinous_inclination_deg", level))
        front = gap + (sac - deep) / 2
        row = (middle[2], middle[0], middle[1], deep / 2, wide / 2, sac / 2, sac_wide / 2, front,
               float(placed.centre[1] + placed.axes[1][1] * placed.half_depth),
               build.of("endplate_width_upper_mm", level) / 2, sac / 2 + 3 + long * math.cos(steep))  # fmt: skip
        if k > 0:  # the sac lies on the disc too, not on the chord between two bodies
            between = tuple((low + high) / 2 for low, high in zip(below, row, strict=True))
            sac_half = 0.92 * between[5]  # sacs are narrower behind discs than behind bodies
            at = placed.disc_centre - placed.disc_axes[1] * (placed.half_depth + 0.5 + sac_half)
            rows.append((at[2], at[0], at[1], *between[3:5], sac_half, *between[6:]))
        rows.append(row)
    names = ("z", "x", "y", "bony_depth", "bony_width", "sac_depth", "sac_width", "bony_front", "front",
             "body_half_width", "spinous")  # fmt: skip
    table = np.array(rows)
    return {name: table[:, k] for k, name in enumerate(names)}


def _narrowings(out: Records, z: Floats, traits: Traits, column: list[Placed], template: Template) -> None:
    """Yellow ligaments and stenoses narrow sac and canal at the discs."""
    decades = max(0.0, (traits.spine_age_years - 30) / 10)
    out["sac_depth"] *= 1 - template.sac_loss_per_decade * decades
    thick = np.zeros(len(z))
    for placed in column:
        level = placed.level
        facet = int(traits.facet[FINDING_LEVELS.index(level)])
        tight = of_level(traits, "spinal_stenosis", level) > 0
        here = np.exp(-(((z - placed.disc_centre[2] - 1) / 7.0) ** 2))
        region = {"C": 0.55, "T": 0.6, "L": 1.0}[level[0]]
        thick += here * region * (2.2 + template.flavum_per_decade * decades + 0.35 * facet + 1.6 * tight)
        if tight:
            out["sac_depth"] *= 1 - 0.34 * here
            out["sac_width"] *= 1 - 0.22 * here
    out["flavum"] = thick


def _cord(
    out: Records, z: Floats, build: Build, column: list[Placed], sacrum: Records, rng: np.random.Generator
) -> None:
    told = dimensions().others["cord"]
    at = {placed.level: placed for placed in column}
    heights = [float(placed.centre[2]) for placed in column]
    depth = [build.sizes["cord_depth_mm"][LEVELS.index(p.level)] / 2 for p in column]
    width = [build.sizes["cord_width_mm"][LEVELS.index(p.level)] / 2 for p in column]
    first = next(p for p in column if p.level == "L1")
    unit = float(first.centre[2] - at["L2"].centre[2])
    conus = (
        float(first.centre[2])
        + first.height / 2
        - unit * (told["conus_mean"] + told["conus_sd"] * rng.standard_normal())
    )
    taper = np.clip((z - conus) / told["conus_taper_mm"], 0, 1) ** 0.55
    known = np.array(depth) > 0
    out["cord_depth"] = np.interp(z, np.array(heights)[known], np.array(depth)[known]) * taper
    out["cord_width"] = np.interp(z, np.array(heights)[known], np.array(width)[known]) * taper
    out["cord_depth"] = np.minimum(out["cord_depth"], 0.86 * out["sac_depth"])
    out["cord_width"] = np.minimum(out["cord_width"], 0.86 * out["sac_width"])
    tilt = np.gradient(out["y"], z)
    bend = ndimage.gaussian_filter1d(np.gradient(tilt, z), 12)  # the cord takes the inner side of each bend
    room = np.maximum(out["sac_depth"] - out["cord_depth"] - 0.8, 0)
    out["cord_front"] = np.clip(bend * 350, -0.7, 0.7) * room
    end_of = told["dural_end_mean"] + told["dural_end_sd"] * float(np.clip(rng.standard_normal(), -2, 2))
    tip = end_of * float(sacrum[1]["centre"][2] + sacrum[1]["axes"][2, 2] * sacrum[1]["height"] / 2)
    closing = np.clip((z - tip) / 32, 0, 1) ** 0.45
    out["sac_depth"] *= closing
    out["sac_width"] *= closing
    out["roots"] = np.clip((conus + 15 - z) / 40, 0, 1) * np.clip(1 - (conus - z) / 190, 0.15, 1)


def _foramina(out: Records, z: Floats, column: list[Placed]) -> None:
    for placed in column:
        below = 0.5 * placed.height * 0.55 + placed.disc_height * 0.5
        middle = float(placed.disc_centre[2]) + 0.30 * placed.height
        half = {"C": 0.42, "T": 0.5, "L": 0.62}[placed.level[0]] * below + 2.5
        here = np.clip(1.6 - np.abs(z - middle) / half * 1.2, 0, 1)
        out["foramen"] = np.maximum(out["foramen"], here)
        gap = float(placed.disc_centre[2]) - (1.0 if placed.level[0] == "L" else 4.0)
        half = {"C": 3.0, "T": 3.0, "L": 8.0}[placed.level[0]]
        out["between"] = np.maximum(out["between"], np.clip(1.5 - 1.5 * np.abs(z - gap) / half, 0, 1))
    out["foramen_width"] = out["bony_width"] + 13


def _surroundings(out: Records, z: Floats, traits: Traits, build: Build, column: list[Placed], tips: Floats,
                  rng: np.random.Generator) -> None:  # fmt: skip
    """Muscle, fat and skin behind, and what part of the body this is."""
    at = {placed.level: float(placed.centre[2]) for placed in column}
    woman = traits.sex == "F"
    heavy = np.clip((traits.bmi - 26) / 6, -1.2, 2.2)
    waist, loin = at["L2"], 0.5 * (at["L5"] - 20)
    lower = (25.0 if woman else 18.0) * math.exp(0.35 * heavy + 0.25 * rng.standard_normal())
    upper = (10.0 if woman else 9.0) * math.exp(0.40 * heavy + 0.2 * rng.standard_normal())
    places = [-130, -70, loin, waist, at["T8"], at["T2"], at["C7"], at["C4"], at["C2"] + 60]
    fat = np.interp(
        z, places, [lower * 1.1, lower * 1.1, lower, upper, upper * 0.9, upper * 1.3, upper * 1.5, upper * 0.9, 6]
    )
    muscle = np.interp(z, places, [8, 10, 16, 9, 6, 8, 12, 14, 22]) * (1.0 if woman else 1.12)
    order = np.argsort(tips[:, 1])
    ends = np.interp(z, tips[order, 1], tips[order, 0] - out["y"][np.searchsorted(z, tips[order, 1])]) + out["y"]
    ends = np.where(z < tips[order[0], 1], out["y"] - out["spinous"], ends)
    out["fascia"] = ndimage.minimum_filter1d(ends, 25) - 2.5 - 0.2 * muscle
    out["fascia"] = ndimage.gaussian_filter1d(out["fascia"], 14)
    out["skin"] = ndimage.gaussian_filter1d(out["fascia"] - fat, 10)
    above = z - at["C2"] - 24  # behind the skull
    back = out["y"] - 26 - 46 * np.sqrt(np.clip(1 - ((above - 38) / 44) ** 2, 0, 1))
    skull = ndimage.gaussian_filter1d(np.where(np.abs(above - 38) < 44, back, out["fascia"]), 4)
    out["fascia"] = np.where(above > -8, np.minimum(out["fascia"], skull - 4), out["fascia"])
    out["skin"] = np.where(above > -8, np.minimum(out["skin"], out["fascia"] - 6), out["skin"])
    out["muscle_half_width"] = np.interp(z, places, [30, 40, 62, 72, 62, 70, 60, 48, 40])
    tall = (1.63 if woman else 1.77) * build.scale
    area = traits.psoas_index_cm2_m2 * tall**2 * 100 / 2
    radius = math.sqrt(area / math.pi)
    out["psoas"] = radius * np.interp(
        z, [-60, -10, at["L4"], at["L3"], at["L1"], at["T12"] + 8], [0.8, 1.05, 1.1, 1.0, 0.55, 0]
    )
    out["psoas_aside"] = out["body_half_width"] + np.interp(z, [-60, at["L5"], at["L3"], at["L1"]], [24, 15, 8, 3])
    deep = [125, 120, 112, 108, 128, 96, 74, 66, 60]
    out["deep"] = ndimage.gaussian_filter1d(np.interp(z, places, deep), 12) * math.exp(0.16 * heavy)
    out["chest"] = np.clip((z - at["T12"]) / 25, 0, 1) * np.clip((at["T1"] + 14 - z) / 40, 0, 1)
    out["neck"] = np.clip((z - at["T1"] + 25) / 40, 0, 1)
    out["pelvis"] = np.clip((at["L5"] - 5 - z) / 30, 0, 1)
    out["head"] = np.clip((z - at["C2"] - 22) / 10, 0, 1)
