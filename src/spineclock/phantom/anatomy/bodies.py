"""Bodies and discs of a made-up column as records, changed by age and by what the images hold."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr

from spineclock.core.anatomy import BODY as BODY_OFFSET
from spineclock.core.anatomy import DISC as DISC_OFFSET
from spineclock.core.anatomy import LEVEL_NUMBERS
from spineclock.core.findings import LEVELS as FINDING_LEVELS
from spineclock.phantom.anatomy.dimensions import LEVELS
from spineclock.phantom.anatomy.forms import BODY, DISC, Records
from spineclock.phantom.anatomy.posture import Build, Placed
from spineclock.phantom.anatomy.template import Template
from spineclock.phantom.anatomy.trabecular import own_hollows, set_marrow, trabecular_scores
from spineclock.phantom.anatomy.traits import Chance, Traits

_HEIGHT_LEFT = (1.0, 0.86, 0.70, 0.50)
"""Of a disc, by its height loss: none, mild, moderate, severe."""
_WATER = (1.0, 1.0, 0.60, 0.41, 0.31, 0.30)
"""Of a nucleus, by Pfirrmann grade 0 (none) … 5."""


def of_level(traits: Traits, name: str, level: str) -> int:
    """The severity of a finding at a level, 0 where it is not."""
    codes = traits.findings.get(name)
    return 0 if codes is None or level not in FINDING_LEVELS else int(codes[FINDING_LEVELS.index(level)])


def disc_shares(traits: Traits, build: Build) -> dict[str, float]:
    """What is left of the height of the disc below each level."""
    out = {}
    for i, level in enumerate(FINDING_LEVELS):
        grade, noise = int(traits.pfirrmann[i]), build.noise[LEVELS.index(level)]
        dry = 0.03 * max(grade - 2, 0)
        out[level] = float(np.clip(_HEIGHT_LEFT[traits.height_loss[i]] * (1 + 0.11 * noise["disc"]) - dry, 0.28, 1.25))
    return out


def body_records(traits: Traits, build: Build, column: list[Placed], template: Template,
                 chance: Chance) -> Records:  # fmt: skip
    """A record a body, from the top down."""
    decades = (traits.spine_age_years - 30) / 10
    fat = template.fat_at_25 + template.fat_per_decade * (traits.spine_age_years - 25) / 10
    fat += template.fat_per_t_score * traits.lumbar_t_score + template.fat_sd * float(
        chance("marrow").standard_normal()
    )
    scores = trabecular_scores(traits, [placed.level for placed in column], template, chance)
    even = template.unevenness_at_25 + template.unevenness_per_decade * decades
    even += template.unevenness_sd * float(chance("unevenness").standard_normal())
    out = np.zeros(len(column), BODY)
    for k, placed in enumerate(reversed(column)):
        b, level = out[k], placed.level
        noise, score = build.noise[LEVELS.index(level)], scores[level]
        thin = max(0.0, -score) * template.hollow_per_t_score
        b["centre"], b["axes"] = placed.centre, placed.axes
        b["height"], b["lean"] = placed.height, placed.lean
        for end, own in zip(("upper", "lower"), own_hollows(template, chance, level), strict=True):
            b[f"depth_{end}"] = build.of(f"endplate_depth_{end}_mm", level) / 2
            b[f"width_{end}"] = build.of(f"endplate_width_{end}_mm", level) / 2
            deeper = max(0.0, template.hollow_per_decade * decades + thin + own)
            b[f"hollow_{end}"] = build.of(f"concavity_{end}_mm", level) + deeper * (1.0 if level[0] == "L" else 0.6)
        b["waist"] = 2.1 if level[0] == "L" else 1.6 if level[0] == "T" else 0.8
        b["uncus"] = (3.4 if level != "C3" else 2.8) if level[0] == "C" and level != "C2" else 0.0
        _spurs(b, traits, level, template, decades, noise)
        _fracture(b, traits, level, chance(f"fracture {level}"))
        _end_plates(b, traits, build, level, chance(f"end plates {level}"),
                    more_nodes=template.nodes_per_t_score * max(0.0, -score))  # fmt: skip
        rng = chance(f"body {level}")
        b["wave"], b["phase"] = rng.uniform(0.2, 0.5) + 0.06 * max(0.0, decades), rng.uniform(0, 6.3, 4)
        b["vein"] = rng.uniform(0.5, 1.9) if level[0] != "C" else 0.5
        region_fat = {"C": -0.06, "T": -0.05, "L": 0.0}[level[0]]
        own_fat = fat + region_fat + 0.012 * noise["fat"] + template.fat_per_t_score * (score - traits.lumbar_t_score)
        set_marrow(b, float(own_fat), template, even=even, score=score)
        if of_level(traits, "bone_lesion", level):
            rng = chance(f"lesion {level}")
            r = min(rng.uniform(3.0, 8.0), 0.36 * placed.height)
            b["lesion"], b["lesion_type"] = r, 1 if rng.random() < 0.8 else 2
            b["lesion_at"] = [rng.uniform(-5, 5), rng.uniform(-0.35, 0.45) * placed.half_depth,
                              rng.uniform(-0.2, 0.2) * placed.height]  # fmt: skip
        b["label"] = BODY_OFFSET + LEVEL_NUMBERS[level]
    return out


def _spurs(b: np.void, traits: Traits, level: str, template: Template, decades: float, noise: np.void) -> None:
    """Osteophytes: of ageing, more where the discs beside are worn or the finding is told."""
    below = of_level(traits, "disc_osteophyte_complex", level)
    at = FINDING_LEVELS.index(level)
    above_level = next((v for v in reversed(FINDING_LEVELS[:at]) if traits.exists[FINDING_LEVELS.index(v)]), "")
    above = of_level(traits, "disc_osteophyte_complex", above_level)
    wear = max(0.0, template.spur_per_decade * decades) * (1 + 0.4 * noise["spurs"])
    scale = {"C": 0.7, "T": 0.9, "L": 1.0}[level[0]]
    b["spur_lower"] = scale * max(0.0, wear * 0.55 + 1.7 * below)
    b["spur_upper"] = scale * max(0.0, wear * 0.5 + 1.5 * above)
    b["spur_back"] = scale * (
        0.9 * max(below, above) + (0.8 if of_level(traits, "uncovertebral_osteophyte", level) else 0)
    )
    if uncinate := of_level(traits, "uncovertebral_osteophyte", level):
        b["uncus"] += 0.6 * uncinate


def _fracture(b: np.void, traits: Traits, level: str, rng: np.random.Generator) -> None:
    at = FINDING_LEVELS.index(level)
    grade, shape = int(traits.fracture_grade[at]), int(traits.fracture_shape[at])
    if grade == 0:
        return
    back = float(b["height"] - 2 * b["lean"] * b["depth_upper"])
    lost = back * (0.0, rng.uniform(0.20, 0.25), rng.uniform(0.26, 0.39), rng.uniform(0.41, 0.52))[grade]
    fresh = rng.uniform(0.4, 0.9) if rng.random() < 0.25 else 0.0
    if shape == 1:
        b["sunk_front"] = max(
            0.0, lost - 4 * float(b["depth_upper"]) * math.tan(math.radians((0, 5, 9, 15)[grade]) / 2)
        )
    elif shape == 2:
        b["hollow_upper"] += 0.6 * lost
        b["hollow_lower"] += 0.4 * lost
    else:
        b["hollow_upper"] += 0.15 * lost
    b["oedema"] = fresh
    b["depth_upper"] *= 1 + 0.03 * grade


def _end_plates(
    b: np.void, traits: Traits, build: Build, level: str, rng: np.random.Generator, *, more_nodes: float
) -> None:
    """Modic changes beside the discs that have them, and nodes."""
    at = FINDING_LEVELS.index(level)
    above_level = next((v for v in reversed(FINDING_LEVELS[:at]) if traits.exists[FINDING_LEVELS.index(v)]), "")
    below, above = (of_level(traits, "endplate_change", v) for v in (level, above_level))
    for side, code in ((0, above), (1, below)):
        wish, deep = rng.random(), rng.uniform(1.5, 4.5)
        right, front = rng.uniform(-7, 7), rng.uniform(-0.4, 0.5)
        if wish < (0.10 if level[0] != "C" else 0.01) + 0.15 * (code > 0) + more_nodes:
            b["dent"][side] = min(deep, 0.2 * float(b["height"]))
            b["dent_at"][side] = right, front * float(b["depth_upper"])
    front, lower, upper = rng.uniform(-0.7, 0.8), rng.uniform(2.5, 4.5), rng.uniform(2.5, 4.5)
    if below or above:
        b["modic_type"] = _modic_type(build, level if below >= above else above_level)
        b["modic_front"] = front
        b["modic_lower"] = below and lower * (1 + 0.7 * (below - 1))
        b["modic_upper"] = above and upper * (1 + 0.7 * (above - 1))


def _modic_type(build: Build, level: str) -> int:
    """Modic type at the disc below a level: 1 in 30%, 2 in 60%, 3 in 10%; a body has that of its worse disc."""
    place = float(ndtr(build.noise["modic"][LEVELS.index(level)]))
    return 1 if place < 0.3 else 2 if place < 0.9 else 3


def disc_records(traits: Traits, build: Build, column: list[Placed], chance: Chance) -> Records:
    """A record a disc, from C2/C3 down to the lowest, which lies on S1 (place ``len(column)`` of the bodies)."""
    out = np.zeros(len(column), DISC)
    for k, placed in enumerate(reversed(column)):
        d, level = out[k], placed.level
        at = FINDING_LEVELS.index(level)
        grade = int(traits.pfirrmann[at])
        d["centre"], d["axes"], d["height"] = placed.disc_centre, placed.disc_axes, placed.disc_height
        d["depth"] = build.of("endplate_depth_lower_mm", level) / 2
        d["width"] = build.of("endplate_width_lower_mm", level) / 2
        d["upper"], d["lower"], d["label"] = k, k + 1, DISC_OFFSET + LEVEL_NUMBERS[level]
        scale = {"C": 0.55, "T": 0.65, "L": 1.0}[level[0]]
        worn = 0.2 * max(grade - 2, 0)
        d["bulge"] = scale * (0.3 + worn + (0.0, 1.5, 2.8, 4.0)[of_level(traits, "disc_bulge", level)])
        rng = chance(f"disc {level}")
        water, cleft, fissure = rng.standard_normal(), rng.uniform(0.15, 0.55), rng.uniform(1.2, 2.6)
        d["water"] = np.clip(_WATER[grade] + 0.05 * water - 0.003 * (traits.spine_age_years - 50), 0, 1)
        d["cleft"] = cleft if 0 < grade <= 2 and level[0] != "C" else 0.0
        d["fissure"] = fissure * scale if of_level(traits, "annular_fissure", level) else 0.0
        _lump(d, traits, level, scale, chance(f"lump {level}"))
    return out


def _lump(d: np.void, traits: Traits, level: str, scale: float, rng: np.random.Generator) -> None:
    """A protrusion, broad and at the disc's height, or an extrusion, which reaches beyond it."""
    protrusion, extrusion = (of_level(traits, name, level) for name in ("protrusion", "extrusion"))
    if not protrusion and not extrusion:
        return
    aside = rng.normal(0, 0.18) * float(d["width"])
    if extrusion:
        d["lump"] = scale * (rng.uniform(3.5, 5.5) + 1.3 * (extrusion - 1))
        d["lump_tall"] = 0.5 * float(d["height"]) + scale * rng.uniform(1.0, 4.0)
        d["lump_rise"] = scale * rng.uniform(-4.0, 3.0)
        d["lump_half"] = scale * rng.uniform(4.5, 7.0)
    else:
        d["lump"] = scale * (1.8 + 1.3 * protrusion)
        d["lump_tall"] = 0.45 * float(d["height"])
        d["lump_half"] = scale * rng.uniform(5.0, 9.0)
    d["lump_right"] = aside
