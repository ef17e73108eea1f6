"""Hounsfield units of a made-up person's tissues: bone by its mineral and its marrow's fat, the rest by phase."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spineclock.phantom.anatomy.forms import Anatomy, Records
from spineclock.phantom.anatomy.traits import Traits
from spineclock.phantom.ct.style import Machine, Phase
from spineclock.phantom.mri.bones import MARROW
from spineclock.phantom.mri.canal import CONTENTS
from spineclock.phantom.mri.discs import WATER
from spineclock.phantom.mri.tissue import Signals
from spineclock.phantom.radiograph.tissue import MINERAL_EXCESS, Bone, arch_densities, densities, shell_factor

HU_PER_MG_CM3 = 1.27
"""Of hydroxyapatite at 120 kV: calibration phantoms give 1.2 to 1.4."""
RED_MARROW_HU, FAT_HU, LEAN_HU = 45.0, -105.0, 62.0
"""Marrow without fat, fat, and muscle without fat."""
CORTEX_HU = 1350.0
LEVEL_SD = 0.06
"""How much the mineral of a person's bodies differs from level to level, relative (ours)."""
HELD = {"T11": 1.07, "T12": 1.05, "L1": 1.03, "L2": 1.0, "L3": 0.97, "L4": 0.97, "L5": 1.0}
"""Mineral by level over the lumbar mean: least at L3 and L4 (ours, after the pattern of quantitative CT); above T11
that of ``radiograph.tissue``."""
FLESH_HU: dict[str, tuple[float, float]] = {
    "skin": (25, 30), "fat": (FAT_HU, FAT_HU), "lean": (LEAN_HU, LEAN_HU + 6), "artery": (42, 150),
    "vein": (42, 145), "liver": (58, 112), "spleen": (48, 122), "kidney": (32, 180), "bowel": (38, 72),
    "stool": (15, 18), "water": (6, 8), "lung": (-830, -820), "heart": (42, 130), "wall": (50, 56), "gas": (-985, -985),
    "table": (150, 150), "cartilage": (85, 88),
}  # fmt: skip
"""Native, and in the portal venous phase, at 120 kV: rounded from radiologists' textbooks."""
MARROW_ENHANCEMENT_HU = 26.0
"""What a marrow without fat takes up in the portal venous phase; 10 to 20 HU with usual shares of fat (about 11 at L1:
Pickhardt et al., Osteoporos Int 27:147, 2016, recalled)."""


@dataclass(frozen=True, eq=False)
class Tissues:
    """Everything there is to paint, in HU."""

    spine: Signals
    bodies: Records
    """The spine's bodies as they are painted: sclerosis and texture set for CT."""
    flesh: dict[str, float]
    trabecular_hu: dict[str, float]
    """The mean of each body's trabecular bone before texture, sclerosis and noise, by level, calibration included."""
    rib_hu: float
    shell: float
    """How thick cortex is over that at a T-score of 0."""


def enhanced(name: str, phase: Phase, machine: Machine) -> float:
    """HU of a soft tissue on a scanner in a phase.

    >>> from spineclock.phantom.ct.style import machine_of
    >>> one = machine_of("site-01-philips-1", "Philips", "default")
    >>> enhanced("fat", "native", one), enhanced("artery", "native", one)
    (-105.0, 42.0)
    """
    native, venous = FLESH_HU[name]
    return float(native) if phase == "native" else native + (venous - native) * machine.dense


def trabecular_hu(mineral_mg_cm3: float, fat: float, phase: Phase, machine: Machine) -> float:
    """HU of trabecular bone: what its mineral adds to a marrow of water and fat, and what the marrow takes up.

    >>> from spineclock.phantom.ct.style import Machine
    >>> at_120 = Machine("GE", 120.0, 10.0, 1.0, 0.0, 2.0, 0.0)
    >>> round(trabecular_hu(180.0, 0.25, "native", at_120)), round(trabecular_hu(100.0, 0.55, "native", at_120))
    (236, 89)
    """
    marrow = (1 - fat) * RED_MARROW_HU + fat * FAT_HU
    uptake = MARROW_ENHANCEMENT_HU * (1 - fat) if phase == "portal_venous" else 0.0
    return marrow + machine.dense * (HU_PER_MG_CM3 * mineral_mg_cm3 + uptake)


def tissues(
    person: Traits, spine: Anatomy, bone: Bone, *, phase: Phase, machine: Machine, seed: int
) -> Tissues:  # fmt: skip
    """What the scanner sees of a person's tissues; mineral and marrow are the person's, at all scans."""
    told = densities(person, spine, bone, seed=seed)
    bodies, marrow = spine.bodies.copy(), np.zeros(len(spine.bodies), MARROW)
    found = {}
    for k, name in enumerate(spine.names):
        own = float(person.stream(seed, f"mineral {name}", of_person=True).standard_normal())
        mineral = float(told[k]["marrow"]) / MINERAL_EXCESS * HELD.get(name, 1.0) * (1 + LEVEL_SD * own)
        if name in ("T11", "T12"):
            mineral /= 1.12  # HELD counts from the lumbar mean
        value = trabecular_hu(mineral, float(bodies[k]["fat"]), phase, machine)
        found[name] = value + machine.offset_hu
        s, b = marrow[k], bodies[k]
        hard = max(float(told[k]["hard_upper"]), float(told[k]["hard_lower"])) / MINERAL_EXCESS
        s["marrow"], s["cortex"] = value, CORTEX_HU * machine.dense
        s["vein"] = 0.6 * value + 0.4 * enhanced("vein", phase, machine)
        s["modic"] = value + machine.dense * HU_PER_MG_CM3 * hard
        s["lesion"] = 0.35 * value + 10 if b["lesion_type"] == 1 else 45.0
        s["shell_up"] = s["shell_down"] = float(told[k]["shell"])
        s["wall"] = float(told[k]["wall"])
        for edge, way in (("modic_upper", "hard_upper"), ("modic_lower", "hard_lower")):
            b[edge] = float(told[k]["hard_deep"]) if told[k][way] > 20 * MINERAL_EXCESS else 0.0
        # Trabeculae stand out by some HU, more the fewer are left, whatever the mean is.
        b["unevenness"] = (9.0 + 60.0 * float(told[k]["striped"])) / max(abs(value), 30.0)
    shell = shell_factor(person, bone)
    arches = arch_densities(person, spine, bone, seed=seed) / MINERAL_EXCESS
    blocks = np.array([
        trabecular_hu(float(mg), float(p["fat"]), phase, machine)
        for mg, p in zip(arches, spine.blocks, strict=True)
    ])  # fmt: skip
    flesh = {name: enhanced(name, phase, machine) for name in FLESH_HU}
    signals = Signals(marrow, blocks, _discs(spine), _canal(flesh), np.zeros((), MARROW)[()], CORTEX_HU * machine.dense)
    rib = 0.7 * float(np.median(arches)) / 1.7
    return Tissues(signals, bodies, flesh, found, trabecular_hu(rib, 0.4, phase, machine), shell)


def _discs(spine: Anatomy) -> Records:
    """Discs do not take up contrast; a worn one is a little less dense."""
    out = np.zeros(len(spine.discs), WATER)
    for s, d in zip(out, spine.discs, strict=True):
        s["nucleus"] = 78 + 14 * float(d["water"])
        s["annulus"], s["rim"], s["fissure"] = 98, 108, 70
    return out


def _canal(flesh: dict[str, float]) -> Records:
    out = np.zeros((), CONTENTS)
    told = {"fat": flesh["fat"], "ligament": 70, "csf": 9, "cord": 36, "root": 30, "grey": 36, "lesion": 30}
    for name, value in told.items():
        out[name] = value
    return out[()]
