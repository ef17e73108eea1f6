"""Genant's grades of vertebral fractures from the heights of the bodies, with the neighbours as reference.

Genant et al., J Bone Miner Res 8:1137 (1993): a body is graded by how much of its anterior, middle or posterior height
is lost beside normal ones: 1 (mild) from 20%, 2 (moderate) from 25%, 3 (severe) above 40%. The original is a reader's
eye; here it is arithmetic, as in McCloskey et al., Osteoporos Int 3:138 (1993), who predict each posterior height from
the neighbours'. Loss of height alone tells no fracture from a variant (Scheuermann's disease, short bodies).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from spineclock.core.anatomy import LEVEL_NUMBERS
from spineclock.core.errors import UsageError

Grade = Literal[0, 1, 2, 3]
Form = Literal["wedge", "biconcave", "crush", ""]
NAN = float("nan")

THRESHOLDS = (0.20, 0.25, 0.40)
"""Loss of height from which grade 1, 2 and 3 are given."""
CRUSHED = 0.75
"""Of the largest loss: a body whose back has lost so much is crushed as a whole; our choice."""
NEAREST = 2
"""How many sound neighbours on either side are looked at."""
REACH = 4
"""A neighbour further away, in levels, says nothing."""

_POSTERIOR = {
    "T4": 16.2, "T5": 16.2, "T6": 17.4, "T7": 18.2, "T8": 18.7, "T9": 19.3, "T10": 20.2, "T11": 21.3, "T12": 22.7,
    "L1": 23.8, "L2": 24.3, "L3": 23.8, "L4": 24.1, "L5": 22.9,
}  # fmt: skip
"""Posterior heights by level, mm: Panjabi et al., Spine 16:888 (1991) and 17:299 (1992), from memory. Only how they
change from level to level counts."""
_WEDGE_DEG = {
    "T4": 2.9, "T5": 3.2, "T6": 3.6, "T7": 3.8, "T8": 3.9, "T9": 4.8, "T10": 3.8, "T11": 5.4, "T12": 4.9,
    "L1": 4.1, "L2": 2.6, "L3": 1.3, "L4": -0.7, "L5": -4.6,
}  # fmt: skip
"""By how much end plates converge to the front: Masharawi et al., Eur Spine J 19:768 (2010), men, T9 to L5; above them
our choice."""
_LEVER = 0.8
"""Distance between where anterior and posterior heights are taken (0.65 of the depth), over the posterior height."""
GRADED = tuple(_POSTERIOR)


@dataclass(frozen=True)
class Heights:
    """Anterior, middle and posterior height of a body, in mm."""

    anterior_mm: float
    middle_mm: float
    posterior_mm: float

    @property
    def known(self) -> bool:
        """Whether all three were measured."""
        return all(h > 0 for h in (self.anterior_mm, self.middle_mm, self.posterior_mm))


@dataclass(frozen=True)
class Deformity:
    """How much height a body has lost, and Genant's grade and form of it.

    Attributes
    ----------
    level : str
    grade : int
        0 to 3.
    form : {"wedge", "biconcave", "crush", ""}
        Empty where the grade is 0.
    loss : float
        The largest of the three losses, 0 … 1; negative where the body is higher than its neighbours lead to expect.
    anterior_loss, middle_loss, posterior_loss : float
    references : tuple of str
        The sound neighbours it was compared with; empty where there was none and the body's own posterior height stood
        in, which hides a crush.
    """

    level: str
    grade: Grade
    form: Form
    loss: float
    anterior_loss: float
    middle_loss: float
    posterior_loss: float
    references: tuple[str, ...]


def usual(level: str) -> Heights:
    """Heights of a level in a person of average size: what counts is their pattern from level to level.

    >>> round(usual("L1").anterior_mm / usual("L1").posterior_mm, 3)
    0.943
    """
    back = _POSTERIOR[level]
    front = back * (1 - _LEVER * float(np.tan(np.radians(_WEDGE_DEG[level]))))
    return Heights(front, (front + back) / 2, back)


def grade_of(loss: float) -> Grade:
    """Genant's grade of a share of height lost.

    >>> grade_of(0.19), grade_of(0.2), grade_of(0.3), grade_of(0.41)
    (0, 1, 2, 3)
    """
    grades: tuple[Grade, ...] = (0, 1, 2, 3)
    return grades[sum(loss >= t for t in THRESHOLDS)]


def genant(heights: Mapping[str, Heights]) -> dict[str, Deformity]:
    """Grade and form of each body, T4 to L5, that has its three heights, from the top down.

    Heights are divided by the level's usual ones; what a sound body should have is the mean of up to two sound
    neighbours on either side, within four levels, the nearer counting more. Who is sound is found by turns: at first
    the bodies are compared with the upper quartile of all, then with those without a grade, until nothing changes.

    The form is "crush" where the posterior height has lost 20% too and at least three quarters of what the others have,
    else "wedge" or "biconcave", whichever of anterior and middle height has lost more.

    Raises
    ------
    UsageError
        If a level is no name of a vertebra.

    Examples
    --------
    >>> spine = {level: usual(level) for level in ("T12", "L1", "L2", "L3", "L4")}
    >>> spine["L1"] = Heights(0.7 * usual("L1").anterior_mm, 0.85 * usual("L1").middle_mm, usual("L1").posterior_mm)
    >>> found = genant(spine)
    >>> found["L1"].grade, found["L1"].form, round(found["L1"].loss, 2), found["L2"].grade
    (2, 'wedge', 0.3, 0)
    """
    unknown = [level for level in heights if level not in LEVEL_NUMBERS]
    if unknown:
        raise UsageError(f"no vertebra is called {', '.join(unknown)}", wanted="names such as T12, L1")
    levels = [level for level in LEVEL_NUMBERS if level in GRADED and level in heights and heights[level].known]
    if not levels:
        return {}
    size = np.array([_relative(heights[level], usual(level)) for level in levels])  # (N, 3) anterior, middle, posterior
    first = np.quantile(size, 0.75, axis=0)
    sound = (1 - size / first).max(axis=1) < THRESHOLDS[0]
    losses, used = _losses(size, sound)
    for _ in range(len(levels)):
        now = losses.max(axis=1) < THRESHOLDS[0]
        if (now == sound).all():
            break
        sound = now
        losses, used = _losses(size, sound)
    return {
        level: _deformity(level, loss, tuple(levels[n] for n in names))
        for level, loss, names in zip(levels, losses, used, strict=True)
    }


def _relative(own: Heights, usual_: Heights) -> tuple[float, float, float]:
    return (
        own.anterior_mm / usual_.anterior_mm,
        own.middle_mm / usual_.middle_mm,
        own.posterior_mm / usual_.posterior_mm,
    )


def _losses(size: np.ndarray, sound: np.ndarray) -> tuple[np.ndarray, list[list[int]]]:
    """Share lost of each of the three heights, shape (N, 3), and the neighbours each body was compared with."""
    losses = np.empty_like(size)
    used = []
    for i in range(len(size)):
        above = [n for n in range(i - 1, max(-1, i - 1 - REACH), -1) if sound[n]][:NEAREST]
        below = [n for n in range(i + 1, min(len(size), i + 1 + REACH)) if sound[n]][:NEAREST]
        near = sorted(above + below)
        if near:
            weights = 1 / np.abs(np.array(near) - i)
            expected = np.average(size[near], axis=0, weights=weights)
        else:
            expected = np.full(3, size[i, 2])
        losses[i] = 1 - size[i] / expected
        used.append(near)
    return losses, used


def _deformity(level: str, loss: np.ndarray, references: tuple[str, ...]) -> Deformity:
    anterior, middle, posterior = (float(v) for v in loss)
    grade = grade_of(max(anterior, middle, posterior))
    form: Form = ""
    if grade:
        crush = posterior >= max(THRESHOLDS[0], CRUSHED * max(anterior, middle))
        form = "crush" if crush else "wedge" if anterior >= middle else "biconcave"
    return Deformity(level, grade, form, max(anterior, middle, posterior), anterior, middle, posterior, references)
