"""How a made-up column stands: each body's size, tilt and place, from the sacrum up, and the discs between."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from spineclock.core.findings import LEVELS as FINDING_LEVELS
from spineclock.phantom.anatomy.dimensions import LEVELS, Dimensions, dimensions
from spineclock.phantom.anatomy.forms import Records
from spineclock.phantom.anatomy.template import Template
from spineclock.phantom.anatomy.traits import Chance, Traits

Floats = npt.NDArray[np.float64]
MIDDLE_YEARS = 50.0


@dataclass(frozen=True, eq=False)
class Build:
    """What is a person's own: sizes and curves, the latter at the age and with the findings of the scan."""

    sizes: dict[str, Floats]
    """Every field of :class:`Dimensions` scaled for the person, (28,)."""
    slope_deg: float
    """The sacral slope."""
    tilt_deg: tuple[float, float, float]
    """How far the upper end plates of L1, T1 and C2 are tilted, front up; fractures come on top."""
    sideways: tuple[tuple[float, float, float], ...]
    """Waves of the coronal curve: largest tilt in degrees, length and phase as shares of the column."""
    noise: Records
    """Standard normal numbers, a record a level, of what differs from level to level."""
    scale: float

    def of(self, name: str, level: str) -> float:
        """A size of the person at a level."""
        return float(self.sizes[name][LEVELS.index(level)])


def build_of(traits: Traits, template: Template, chance: Chance) -> Build:
    """The person's own sizes and curves."""
    table, woman = dimensions(), traits.sex == "F"
    rng = chance("sizes")
    stature = 1 + 0.035 * float(np.clip(rng.standard_normal(), -2.2, 2.2))
    girth = 1 + 0.045 * float(np.clip(rng.standard_normal(), -2.2, 2.2))
    noise = np.zeros(len(LEVELS), NOISE)
    for name in NOISE.names or ():
        noise[name] = np.clip(chance(f"noise {name}").standard_normal(len(LEVELS)), -2.5, 2.5)
    sizes = {}
    for name in _FIELDS:
        values = table.of(name, woman=woman)
        if name.endswith("_mm"):
            long = any(word in name for word in ("height", "length"))
            values = values * template.sizes.get(name, 1.0) * (stature if long else math.sqrt(stature) * girth)
            values = values * (1 + 0.02 * noise["size"])
        sizes[name] = np.array(values)
    sizes["disc_height_mm"] *= 1 + 0.13 * float(np.clip(rng.standard_normal(), -2, 2))
    narrow = "congenital_canal_narrowing" in traits.whole
    for name, spread in (("canal_depth_mm", 0.05), ("dural_sac_depth_mm", 0.08), ("dural_sac_width_mm", 0.05)):
        sizes[name] = sizes[name] * (1 + spread * float(np.clip(rng.standard_normal(), -2, 2))) * (0.8 if narrow else 1)
    sizes["dural_sac_depth_mm"] = np.minimum(sizes["dural_sac_depth_mm"], sizes["canal_depth_mm"] - 1.5)
    posture = _posture(traits, template, woman, chance("posture"))
    waves = _waves("scoliosis" in traits.whole, chance("waves"))
    return Build(
        sizes=sizes,
        slope_deg=posture[0],
        tilt_deg=posture[1:],
        sideways=waves,
        noise=noise,
        scale=stature,
    )  # fmt: skip


def _posture(
    traits: Traits, template: Template, woman: bool, rng: np.random.Generator
) -> tuple[float, float, float, float]:
    """Sacral slope and the tilts of L1, T1 and C2 in degrees, lying: lordosis goes with the slope, neck with chest."""
    told = dimensions().others["alignment"]
    decades = (traits.spine_age_years - MIDDLE_YEARS) / 10
    lumbar, level, chest, neck = np.clip(rng.standard_normal(4), -1.9, 1.9)
    odd = 1.6 if "kyphosis_or_lordosis" in traits.whole else 1.0
    lordosis = told["lumbar_lordosis_l1_s1"]
    kyphosis = told["thoracic_kyphosis_t1_t12"]
    wanted = (
        lordosis["mean"] + lordosis["per_decade"] * decades + lordosis["sd"] * lumbar * odd + (2.0 if woman else -1.0)
    )
    wanted += template.lordosis_deg
    top = 8.0 + 3.5 * level
    bent = kyphosis["mean"] + kyphosis["per_decade"] * decades + 6.5 * chest * odd + template.kyphosis_deg
    slope = float(np.clip(wanted - top, 15, 58))
    back = top - float(np.clip(bent, 12, 62))
    return slope, top, back, float(np.clip(-9 + 4.5 * neck + 0.25 * (back + 28), -22, 8))


def _waves(scoliotic: bool, rng: np.random.Generator) -> tuple[tuple[float, float, float], ...]:
    small = (1.6 * float(rng.standard_normal()), float(rng.uniform(0.5, 1.0)), float(rng.random()))
    if not scoliotic:
        return (small,)
    half_cobb = (4.0 + float(np.minimum(rng.exponential(2.5), 10.0))) * float(rng.choice([-1, 1]))
    return small, (half_cobb, float(rng.uniform(0.38, 0.65)), float(rng.random()))


NOISE = np.dtype(
    [(name, "f8") for name in ("size", "wedge", "tilt", "disc", "fat", "spurs", "modic", "slip", "slip_back", "stout",
                               "spinous_length", "spinous_steep", "spinous_aside", "spinous_height")]
)  # fmt: skip
_FIELDS = tuple(name for name in Dimensions.__dataclass_fields__ if name not in ("women_ratio", "others"))


@dataclass(frozen=True, eq=False)
class Placed:
    """One body's frame and size, and the disc below it."""

    level: str
    centre: Floats
    axes: Floats
    height: float
    """Between the rims, in the middle."""
    lean: float
    half_depth: float
    tilt: float
    """Radians; above 0 with the front end up."""
    sideways: float
    disc_height: float = 0.0
    disc_centre: Floats = field(default_factory=lambda: np.zeros(3))
    disc_axes: Floats = field(default_factory=lambda: np.eye(3))


def levels_of(traits: Traits) -> tuple[str, ...]:
    """The person's levels from C2 to the lowest lumbar one, from the top down."""
    return tuple(level for level, there in zip(FINDING_LEVELS, traits.exists, strict=True) if there)


def frame(tilt: float, sideways: float, turn: float) -> Floats:
    """Unit vectors to the right, front and top of something tilted (front up), leaning and turned, as rows."""
    a, b, c = math.cos(tilt), math.cos(sideways), math.cos(turn)
    d, e, f = math.sin(tilt), math.sin(sideways), math.sin(turn)
    return np.array(  # turned about its own axis first, then tilted, then leant
        [
            [b * c + e * d * f, a * f, b * d * f - e * c],
            [e * d * c - b * f, a * c, b * d * c + e * f],
            [e * a, -d, a * b],
        ]
    )


def stand(traits: Traits, build: Build, disc_share: dict[str, float], template: Template) -> list[Placed]:
    """The column from the lowest presacral body up to C2, the S1 end plate's back rim at the origin.

    Bodies are chained along their posterior walls, which so run on smoothly from body to disc to body.

    Parameters
    ----------
    disc_share : mapping of str to float
        What is left of each disc's height, by the level above it.
    """
    upwards = levels_of(traits)[::-1]
    at = np.zeros(3)
    tilt = -math.radians(build.slope_deg)
    wedges = _wedges(traits, build, upwards, disc_share)
    slip = traits.findings.get("spondylolisthesis")
    total = len(upwards)
    placed = []
    for k, level in enumerate(upwards):
        share = 0.15 + 0.85 * k / total  # place along the column, for the coronal curve
        lean_side = sum(
            math.radians(size_) * math.sin(2 * math.pi * (share / length + phase)) * min(1.0, k / 2.5)
            for size_, length, phase in build.sideways
        )
        turn = 0.35 * lean_side
        body_wedge, disc_wedge = wedges[level]
        depth = (build.of("endplate_depth_upper_mm", level) + build.of("endplate_depth_lower_mm", level)) / 2
        middle_disc = build.of("disc_height_mm", level) * disc_share[level] * template.disc_height
        hollow = build.of("concavity_lower_mm", level)
        back_rim = max(0.8, middle_disc - hollow - 0.6 - math.tan(disc_wedge) * depth / 2)
        middle = tilt + disc_wedge / 2
        axes = frame(middle, lean_side, turn)
        disc_centre = at + axes[2] * back_rim / 2 + axes[1] * depth / 2
        at = at + axes[2] * back_rim
        if slip is not None and slip[FINDING_LEVELS.index(level)]:
            at = at + axes[1] * _slip_mm(level, depth, build.noise[LEVELS.index(level)])
        tilt += disc_wedge
        back = build.of("body_height_posterior_mm", level) * (1 - 0.0004 * max(traits.spine_age_years - 35, 0))
        back *= _crush(traits, level)
        middle = tilt + body_wedge / 2
        axes = frame(middle, lean_side, turn)
        lean = math.tan(body_wedge / 2)
        height = back + lean * depth
        centre = at + axes[2] * back / 2 + axes[1] * depth / 2
        placed.append(
            Placed(level, centre, axes, height, lean, depth / 2, middle, lean_side, middle_disc, disc_centre,
                   frame(tilt - disc_wedge / 2, lean_side, turn))
        )  # fmt: skip
        at = at + axes[2] * back
        tilt += body_wedge
    return placed


def _wedges(
    traits: Traits, build: Build, upwards: tuple[str, ...], disc_share: dict[str, float]
) -> dict[str, tuple[float, float]]:
    """Angles (radians, lordotic positive) of each body and of the disc below it, adding up to the person's curves."""
    table = dimensions()
    index = {level: LEVELS.index(level) for level in upwards}
    depth = (table.endplate_depth_upper_mm + table.endplate_depth_lower_mm) / 2
    body = {
        level: math.degrees(
            math.atan((table.body_height_anterior_mm[i] - table.body_height_posterior_mm[i]) / depth[i])
        )
        for level, i in index.items()
    }
    body["C2"] = 0.0  # taller in front by its lip alone
    disc = {level: float(table.disc_wedge_deg[i]) * (0.4 + 0.6 * disc_share[level]) for level, i in index.items()}
    extra = [level for level in upwards if level in ("L6", "L7")]
    for level in ("L5", "L6", "L7")[: len(extra)]:  # above a sixth lumbar vertebra the fifth is shaped like a fourth
        body[level], disc[level] = body["L4"], disc["L4"]
    out = {}
    below = -build.slope_deg
    for region, top in zip("LTC", build.tilt_deg, strict=True):
        own = [level for level in upwards if level[0] == region]
        collapsed = {level: _collapse_deg(traits, level) for level in own}
        lost = sum(collapsed.values())
        weight = {level: 1.0 + 0.3 * build.noise["wedge"][LEVELS.index(level)] for level in own}
        more = {level: 0.5 * build.noise["tilt"][LEVELS.index(level)] for level in own}
        wanted = top - below + 0.7 * lost  # the rest of the region makes up for most of what fractures bend
        rest = (wanted - sum(body[v] + disc[v] + more[v] for v in own)) / sum(weight.values())
        for level in own:
            each = rest * weight[level] + more[level]
            out[level] = (
                math.radians(body[level] + 0.35 * each - collapsed[level]), math.radians(disc[level] + 0.65 * each)
            )  # fmt: skip
        below = top
    return out


def _collapse_deg(traits: Traits, level: str) -> float:
    """What a wedge fracture's angle does to the column above, in degrees."""
    at = FINDING_LEVELS.index(level)
    return 0.0 if traits.fracture_shape[at] != 1 else (0.0, 5.0, 9.0, 15.0)[traits.fracture_grade[at]]


def _crush(traits: Traits, level: str) -> float:
    """What is left of the posterior height after a crush fracture."""
    at = FINDING_LEVELS.index(level)
    return 1.0 if traits.fracture_shape[at] != 3 else (1.0, 0.80, 0.70, 0.55)[traits.fracture_grade[at]]


def _slip_mm(level: str, depth: float, noise: np.void) -> float:
    """How far a body has slipped on the one below; backwards from L1 to L3 as often as not."""
    share = 0.10 + 0.05 * abs(noise["slip"])
    back = level in ("L1", "L2", "L3") and noise["slip_back"] > 0
    return -0.7 * share * depth if back else share * depth * (1.25 if level in ("L4", "L5") else 0.8)
