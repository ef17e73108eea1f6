"""Vertebral fractures that made-up people have when first scanned, and those they have got by a second scan.

Each level from T4 to L5 is fractured with a logit of age and sex, bone density, true gap, a frailty of the person and
the level's own; given these, levels are independent. Grades are Genant's (1 mild, 2 moderate, 3 severe): the further
beyond breaking, the higher. Numbers and sources: ``[fractures]`` of ``parameters.toml``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit

from spineclock.core.errors import TableError, UsageError
from spineclock.phantom.bone import Floats, at_age, described

LEVELS = (*(f"T{k}" for k in range(4, 13)), *(f"L{k}" for k in range(1, 6)))
"""T4 … L5, the 14 levels that radiographs of the spine are read at."""
SHAPES = ("wedge", "biconcave", "crush")
"""By their codes 1 … 3; 0 is no fracture."""
Codes = npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Fractures:
    """Section ``[fractures]`` of the parameter file."""

    ages_years: tuple[float, ...]
    women: tuple[float, ...]
    """Log odds at a level of profile 0 for T-scores of 0, no gap, no frailty."""
    men: tuple[float, ...]
    per_t_score: float
    """Log odds per unit of the mean of the lumbar and femoral-neck T-scores."""
    gap_per_year: float
    gap_effect: float
    """Multiplies gap_per_year; 0 in the null world."""
    frailty_sd: float
    profile: dict[str, float]
    """Log odds of each of :data:`LEVELS`."""
    grade_cuts: tuple[float, float]
    """How far beyond breaking (logits) grades 2 and 3 begin."""
    shapes: dict[str, tuple[float, ...]]
    """Shares of :data:`SHAPES` among mild fractures: of thoracic (T4–T10), junction (T11–L1), lumbar (L2–L5) levels."""
    crush_per_grade: float
    """How many times likelier a crush is with each grade."""

    def __post_init__(self) -> None:
        if unknown := set(self.profile) ^ set(LEVELS):
            raise UsageError(f"fractures.profile differs in {', '.join(sorted(unknown))}", wanted=", ".join(LEVELS))


@dataclass(frozen=True, eq=False)
class Fractured:
    """Vertebral fractures of some scans."""

    grades: Codes
    """(scans, 14) Genant grade at each of :data:`LEVELS`, 0 where there is none."""
    shapes: Codes
    """(scans, 14) codes of :data:`SHAPES`."""

    @property
    def count(self) -> npt.NDArray[np.int64]:
        """How many vertebrae are fractured, (scans,)."""
        return np.asarray((self.grades > 0).sum(axis=1), dtype=np.int64)

    @property
    def worst(self) -> Codes:
        """The highest grade of each scan, (scans,)."""
        return np.asarray(self.grades.max(axis=1))

    def columns(self, index: pd.Index) -> pd.DataFrame:
        """What a table of scans holds of them: ``prevalent_vertebral_fractures`` and ``worst_genant_grade``."""
        return pd.DataFrame(
            {"prevalent_vertebral_fractures": self.count.astype(np.int8), "worst_genant_grade": self.worst}, index=index
        )

    def long(self, scan_ids: pd.Index) -> pd.DataFrame:
        """One row a fractured vertebra: scan_id, level, genant_grade, shape."""
        row, at = np.nonzero(self.grades)
        return pd.DataFrame(
            {
                "scan_id": scan_ids[row],
                "level": np.array(LEVELS, dtype=object)[at],
                "genant_grade": self.grades[row, at],
                "shape": np.array(("", *SHAPES), dtype=object)[self.shapes[row, at]],
            }
        )


def prevalent(
    table: pd.DataFrame,
    true_gap_years: npt.ArrayLike,
    t_scores: pd.DataFrame,
    *,
    parameters: Fractures,
    rng: np.random.Generator,
) -> Fractured:
    """The vertebral fractures that people have when first scanned.

    Parameters
    ----------
    table : DataFrame
        One row a person: person_id, age_years, sex, bmi.
    true_gap_years : array, (people,)
    t_scores : DataFrame
        Of :func:`spineclock.phantom.bone.bone`, the same rows.

    Raises
    ------
    TableError
        If a person stands twice, or a column is missing.
    """
    age, men, _, person = described(table)
    if len(person) and person.max() + 1 < len(person):
        raise TableError("a person with several scans", wanted="each person's first scan", remedy="see incident()")
    p = parameters
    density = (t_scores["lumbar_spine_t_score"].to_numpy() + t_scores["femoral_neck_t_score"].to_numpy()) / 2
    own = (
        at_age(age, men, p.ages_years, women=p.women, men_curve=p.men)
        + p.per_t_score * density
        + p.gap_per_year * p.gap_effect * np.asarray(true_gap_years, dtype=float)
        + p.frailty_sd * rng.standard_normal(len(age))
    )
    odds = own[:, None] + np.array([p.profile[level] for level in LEVELS])
    drawn = rng.random(odds.shape)
    row, at = np.nonzero(drawn < expit(odds))
    beyond = odds[row, at] - logit(np.maximum(drawn[row, at], 1e-300))  # > 0: how far past breaking
    grades, shapes = np.zeros(odds.shape, np.int8), np.zeros(odds.shape, np.int8)
    grades[row, at] = 1 + (beyond > p.grade_cuts[0]) + (beyond > p.grade_cuts[1])
    shapes[row, at] = _shapes(at, grades[row, at], p, rng)
    return Fractured(grades, shapes)


def incident(
    first: Fractured, new: npt.NDArray[np.bool_], *, parameters: Fractures, rng: np.random.Generator
) -> Fractured:
    """The fractures at a second scan: those of the first, and one at an unbroken level in who had one meanwhile.

    Parameters
    ----------
    first : Fractured
        Of the first scans of the people scanned again.
    new : bool array, (people,)
        Who had a vertebral fracture between the two scans.
    """
    grades, shapes = first.grades.copy(), first.shapes.copy()
    weight = np.exp([parameters.profile[level] for level in LEVELS])
    odds = np.where(grades > 0, 0.0, weight).cumsum(axis=1)
    at = (rng.random((len(grades), 1)) * odds[:, -1:] >= odds).sum(axis=1)
    row = np.flatnonzero(new & (odds[:, -1] > 0))
    beyond = rng.exponential(size=len(row))  # of rare events what is beyond breaking falls off as exp(−x)
    grades[row, at[row]] = 1 + (beyond > parameters.grade_cuts[0]) + (beyond > parameters.grade_cuts[1])
    shapes[row, at[row]] = _shapes(at[row], grades[row, at[row]], parameters, rng)
    return Fractured(grades, shapes)


def _shapes(at: npt.NDArray[np.int64], grade: Codes, parameters: Fractures, rng: np.random.Generator) -> Codes:
    """A shape for each fracture, by where it is and how severe."""
    part = np.digitize(at, [LEVELS.index("T11"), LEVELS.index("L2")])
    share: Floats = np.array([parameters.shapes[name] for name in ("thoracic", "junction", "lumbar")])[part]
    share[:, 2] *= parameters.crush_per_grade ** (grade - 1.0)
    upto = np.cumsum(share, axis=1)
    drawn = rng.random(len(at)) * upto[:, -1]
    return (1 + (drawn[:, None] >= upto[:, :2]).sum(axis=1)).astype(np.int8)
