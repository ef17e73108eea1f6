"""The sacrum and coccyx of a made-up spine, below the S1 end plate whose back rim is the origin."""

from __future__ import annotations

import math

import numpy as np

from spineclock.core.anatomy import LEVEL_NUMBERS
from spineclock.phantom.anatomy.dimensions import LEVELS, dimensions
from spineclock.phantom.anatomy.forms import BLOCK, BODY, DISC, Records
from spineclock.phantom.anatomy.posture import Build, frame
from spineclock.phantom.anatomy.traits import Traits

SACRUM = LEVEL_NUMBERS["S1"]
NAMES = ("S1", "S2", "S3", "S4", "S5", "Co")


def sacral_bodies(traits: Traits, build: Build, *, fat: float, unevenness: float, rng: np.random.Generator) -> Records:
    """S1 … S5 and the coccyx from the top down; between them what is left of their discs."""
    told = dimensions().others["sacrum"]
    long = build.scale * (told["women_length"] if traits.sex == "F" else 1.0)
    s1 = LEVELS.index("S1")
    broad = build.sizes["endplate_depth_upper_mm"][s1] / dimensions().endplate_depth_upper_mm[s1]
    curve = 1 + told["curvature_sd_deg"] / 50 * float(np.clip(rng.standard_normal(), -1.5, 1.5))
    gaps = [rng.uniform(0.4, 1.3) * gap for gap in told["rudiment_disc_mm"]]
    lumbarised, wide = rng.random() < 0.5, rng.uniform(4.5, 7.0)
    gaps[0] = wide if "transitional_vertebra" in traits.whole and lumbarised else gaps[0]
    heights = [*told["heights_mm"], told["coccyx_length_mm"] * 0.5]
    depths = [*told["depths_mm"], told["depth_end_mm"]]
    widths = [*told["widths_mm"], 14.0]
    turns = [0.0, *told["turns_deg"], 25.0]
    out = np.zeros(len(NAMES), BODY)
    at, tilt = np.zeros(3), -math.radians(build.slope_deg)
    lateral = build.sideways[0][0] * 0.005
    for k in range(len(NAMES)):
        b = out[k]
        tilt += math.radians(turns[k] * curve)
        height = heights[k] * long
        upper, lower = depths[k] / 2 * broad, (depths[k + 1] if k + 1 < len(depths) else 5.0) / 2 * broad
        wedge = math.radians(-2.0)
        axes = frame(tilt - wedge / 2, lateral, 0.0)
        b["centre"] = at - axes[2] * height / 2 + axes[1] * (upper + lower) / 2
        b["axes"], b["height"], b["lean"] = axes, height, 0.0
        b["depth_upper"], b["depth_lower"] = upper, lower
        b["width_upper"], b["width_lower"] = widths[k] / 2 * broad, (widths[k + 1] if k < 5 else 8.0) / 2 * broad
        b["hollow_upper"], b["hollow_lower"] = (0.6 if k == 0 else 0.2), 0.2
        b["fat"], b["unevenness"] = min(0.9, fat + 0.08), unevenness
        b["label"] = SACRUM
        at = at - axes[2] * (height + (gaps[k] if k < len(gaps) else 2.0))
    return out


def sacral_discs(bodies: Records, *, first: int, water: float) -> Records:
    """What is left of the discs S1/2 to S3/4, part of the sacrum in the label map; ``first`` is S1's place."""
    out = np.zeros(3, DISC)
    for k in range(3):
        d, upper, lower = out[k], bodies[k], bodies[k + 1]
        top = upper["centre"] - upper["axes"][2] * float(upper["height"]) / 2
        base = lower["centre"] + lower["axes"][2] * float(lower["height"]) / 2
        d["centre"], d["axes"] = (top + base) / 2, upper["axes"]
        d["height"] = max(0.5, float(np.linalg.norm(top - base)))
        d["depth"], d["width"] = float(upper["depth_lower"]) - 0.5, float(upper["width_lower"]) - 1.0
        d["water"], d["upper"], d["lower"], d["label"] = water, first + k, first + k + 1, SACRUM
    return out


def sacral_blocks(bodies: Records, build: Build, *, first: int, group: int) -> Records:
    """The sacrum's sides, which join its bodies, and its median crest; ``first`` is S1's place."""
    span = build.sizes["transverse_process_span_mm"][LEVELS.index("S1")]
    out = np.zeros(9, BLOCK)
    for k in range(3):
        b = bodies[k]
        half_width = float(b["width_upper"])
        reach = (span / 2 - half_width) * (1.0, 0.75, 0.5)[k]
        for side in (-1, 1):
            p = out[2 * k + (side > 0)]
            p["centre"] = b["centre"] + b["axes"][0] * side * (half_width + reach / 2 - 3) - b["axes"][1] * (3 + 2 * k)
            p["half"] = reach / 2 + 4, (13.0, 11.0, 9.0)[k], float(b["height"]) / 2 + 1
            p["round"] = 5.0
    for k in range(3):
        b, p = bodies[k], out[6 + k]
        back = float(b["depth_upper"] + b["depth_lower"]) / 2
        p["centre"] = b["centre"] - b["axes"][1] * (back + (19.0, 15.0, 12.0)[k]) - b["axes"][2] * 2
        p["half"] = 3.5, (7.0, 5.0, 4.0)[k], float(b["height"]) / 2 - 1.5
        p["round"] = 2.5
    for k in range(9):
        out[k]["axes"] = bodies[k // 2 if k < 6 else k - 6]["axes"]
    out["joins"] = [*(first + k // 2 for k in range(6)), -1, -1, -1]
    out["label"], out["group"], out["cortex"] = SACRUM, group, 0.9
    out["fat"], out["corner"] = bodies[0]["fat"], 0.7
    return out
