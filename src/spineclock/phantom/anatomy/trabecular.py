"""How dense the trabecular bone of each made-up body is, and how its marrow shows it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from spineclock.phantom.anatomy.template import Template
from spineclock.phantom.anatomy.traits import Chance, Traits

SCANNED = ("L1", "L2", "L3", "L4")
"""The levels whose mean a densitometer tells."""


def trabecular_scores(traits: Traits, levels: Sequence[str], template: Template, chance: Chance) -> Mapping[str, float]:
    """The density of each level's trabecular bone, as a T-score.

    It is the true lumbar T-score, which cortex and arches are part of, with what is the person's own, the same that
    simulated films show, and each level's, which cancels out over L1-L4.

    Examples
    --------
    >>> from spineclock.phantom.lumbar import made_up_person
    >>> person = made_up_person(age_years=60, sex="F", seed=1)
    >>> found = trabecular_scores(person, ("L1", "L2"), Template(), lambda name: np.random.default_rng(1))
    >>> set(found.values()) == {person.lumbar_t_score}
    True
    """
    own = template.trabecular_sd * float(chance("trabecular bone").standard_normal())
    by_level = {level: float(chance(f"trabecular bone {level}").standard_normal()) for level in (*levels, *SCANNED)}
    middle = float(np.mean([by_level[level] for level in SCANNED]))
    spread = template.trabecular_level_sd
    return {level: traits.lumbar_t_score + own + spread * (by_level[level] - middle) for level in levels}


def own_hollows(template: Template, chance: Chance, level: str) -> tuple[float, float]:
    """How much deeper than others' a person's end plates of a level are, upper and lower, in mm."""
    person = float(chance("hollow").standard_normal())
    upper, lower = chance(f"hollow {level}").standard_normal(2)
    half = template.hollow_sd / math.sqrt(2)
    return half * (person + float(upper)), half * (person + float(lower))


def set_marrow(b: np.void, fat: float, template: Template, *, even: float, score: float) -> None:
    """Sets a body's marrow: how fat, how even, in how large patches and how much of it.

    ``even`` is its unevenness as of the spine's age and the person's own, ``score`` its trabecular bone's.
    """
    lost = max(0.0, -score)
    b["fat"] = np.clip(fat, 0.08, 0.85)
    b["unevenness"] = max(0.04, even + template.unevenness_per_t_score * lost)
    b["coarse"] = template.coarse_per_t_score * lost
    b["space"] = np.clip(-template.space_per_t_score * score, -0.12, 0.12)
