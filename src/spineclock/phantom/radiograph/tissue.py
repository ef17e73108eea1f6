"""How much bone and soft tissue weaken an X-ray beam, and how dense a made-up person's bone is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spineclock.core.anatomy import LEVEL_NUMBERS
from spineclock.core.findings import LEVELS as FINDING_LEVELS
from spineclock.phantom.anatomy.forms import Anatomy, Records
from spineclock.phantom.anatomy.traits import Traits

# Linear attenuation a millimetre at about 55 keV, the mean energy of a filtered beam of 85 kV; after NIST's tables of
# mass attenuation (XCOM), rounded.
WATER, FAT, MUSCLE, LUNG = 0.0215, 0.0189, 0.0222, 0.0056
CORTEX_EXCESS = 0.053
"""Of compact bone (1.9 g/cm³) over the soft tissue whose place it takes, a millimetre."""
MINERAL_EXCESS = 4.8e-5
"""Of each mg/cm³ of hydroxyapatite, likewise."""

DENSITY = np.dtype(
    [
        ("marrow", "f8"),  # excess attenuation of trabecular bone, a mm
        ("shell", "f8"),  # thickness of the end plates and of the walls, mm
        ("wall", "f8"),
        ("hard_upper", "f8"),  # what sclerosis below the end plates adds, a mm, and how deep it goes, mm
        ("hard_lower", "f8"),
        ("hard_deep", "f8"),
        ("striped", "f8"),  # how much upright trabeculae stand out, relative
    ]
)
"""What one body is made of."""


@dataclass(frozen=True)
class Bone:
    """Section ``[bone_density]`` of ``images.toml``."""

    trabecular_mg_cm3: float
    """Of lumbar bodies at a T-score of 0 and a spine age of 50."""
    per_t_score: float
    per_decade: float
    sd: float
    """Of what is the person's own."""
    shell_mm: float
    """End plates at a T-score of 0; walls have 0.8 of it."""
    shell_per_t_score: float
    """Relative."""


def trabecular_mg_cm3(person: Traits, told: Bone, *, seed: int) -> float:
    """Mineral of the lumbar bodies' trabecular bone: falls with the lumbar T-score and with the spine's age."""
    own = float(person.stream(seed, "trabecular bone", of_person=True).standard_normal())
    decades = (person.spine_age_years - 50) / 10
    value = told.trabecular_mg_cm3 + told.per_t_score * person.lumbar_t_score + told.per_decade * decades
    return float(np.clip(value + told.sd * own, 35, 330))


def shell_factor(person: Traits, told: Bone) -> float:
    """How thick cortex is over that at a T-score of 0."""
    return float(np.clip(1 + told.shell_per_t_score * person.lumbar_t_score, 0.45, 1.5))


def densities(person: Traits, spine: Anatomy, told: Bone, *, seed: int) -> Records:
    """A record of :data:`DENSITY` a body, the sacrum's included."""
    mineral, thick = trabecular_mg_cm3(person, told, seed=seed), shell_factor(person, told)
    out = np.zeros(len(spine.bodies), DENSITY)
    for k, name in enumerate(spine.names):
        region = {"C": 1.5, "T": 1.12, "L": 1.0}.get(name[0], 0.9)  # thoracic bodies are denser than lumbar ones
        out[k]["marrow"] = MINERAL_EXCESS * mineral * region
        out[k]["shell"], out[k]["wall"] = told.shell_mm * thick, 0.8 * told.shell_mm * thick
        out[k]["striped"] = np.clip(0.05 + 0.0011 * (190 - mineral), 0.03, 0.2)
        body = spine.bodies[k]
        hard = {3: 150.0, 2: 30.0}.get(int(body["modic_type"]), 0.0)
        out[k]["hard_upper"] = hard if body["modic_upper"] > 0 else 0.0
        out[k]["hard_lower"] = hard if body["modic_lower"] > 0 else 0.0
        out[k]["hard_deep"] = 3.5
        if body["sunk_front"] > 0 or body["oedema"] > 0:
            out[k]["hard_upper"] += 70.0  # trabeculae pressed into each other
    for d in spine.discs:
        worn = max(0.0, 0.45 - float(d["water"])) * 500  # end plates harden beside discs of Pfirrmann 4 and 5
        out[d["upper"]]["hard_lower"] += worn
        out[d["lower"]]["hard_upper"] += worn
    out["hard_upper"] *= MINERAL_EXCESS
    out["hard_lower"] *= MINERAL_EXCESS
    return out


def arch_densities(person: Traits, spine: Anatomy, told: Bone, *, seed: int) -> np.ndarray:
    """Excess attenuation a millimetre inside each block: arches are denser where facet joints are worn."""
    base = MINERAL_EXCESS * 1.7 * trabecular_mg_cm3(person, told, seed=seed)
    out = np.full(len(spine.blocks), base)
    for n, block in enumerate(spine.blocks):
        group = int(block["group"])
        if block["label"] == LEVEL_NUMBERS["S1"] and block["joins"] >= 0:
            out[n] *= 0.4  # the sacrum's wings hold little but fat
        if group < len(spine.names) and (level := spine.names[group]) in FINDING_LEVELS:
            out[n] *= 1 + 0.22 * int(person.facet[FINDING_LEVELS.index(level)])
    return out
