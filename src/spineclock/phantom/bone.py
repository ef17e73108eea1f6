"""Bone density and back muscles of made-up people: T-scores at three sites, psoas size, fat in the erector spinae.

Each is a curve of age for either sex, moved by body mass index and by the true gap, with what is the person's own;
the five go together as a table of correlations says. Numbers and their sources: ``[bone]`` of ``parameters.toml``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.errors import TableError, UsageError

Floats = npt.NDArray[np.float64]
T_SCORES = ("lumbar_spine_t_score", "total_hip_t_score", "femoral_neck_t_score")
MUSCLES = ("psoas_index_cm2_m2", "erector_fat_percent")
OSTEOPOROSIS_T_SCORE = -2.5
"""At or below it at any site is osteoporosis (WHO)."""


@dataclass(frozen=True, eq=False)
class Trait:
    """How one measurement comes about; a T-score adds, a muscle's measurement multiplies (effects are of its log)."""

    women: tuple[float, ...]
    """The mean at :attr:`Bone.ages_years` for people of :attr:`Bone.bmi_centre` without a gap."""
    men: tuple[float, ...]
    sd: float
    """Of what is the person's own."""
    bmi_per_unit: float
    gap_per_year: float


@dataclass(frozen=True, eq=False)
class Dxa:
    """How a densitometer errs, in T-scores: not at all by default. See :mod:`spineclock.phantom.dxa`."""

    osteophytes: tuple[float, ...] = ()
    """What a vertebra gains by osteophytes, mild, moderate and severe; likewise the next two, by their grades."""
    end_plates: tuple[float, ...] = ()
    facets: tuple[float, ...] = ()
    usual_women: tuple[float, ...] = ()
    """What people of :attr:`Bone.ages_years` gain by all that: the spine's curves, which are of measured densities,
    hold so much that is not theirs."""
    usual_men: tuple[float, ...] = ()
    error_sd: tuple[float, ...] = (0.0, 0.0, 0.0)
    """Of a measurement that is made again: spine, hip, femoral neck."""

    @property
    def errs(self) -> bool:
        """Whether what is measured differs from what is true."""
        return bool(self.osteophytes or self.end_plates or self.facets or any(self.error_sd))


@dataclass(frozen=True, eq=False)
class Bone:
    """Section ``[bone]`` of the parameter file."""

    ages_years: tuple[float, ...]
    bmi_centre: float
    gap_effect: float
    """Multiplies every gap_per_year; 0 in the null world."""
    lumbar_spine: Trait
    total_hip: Trait
    femoral_neck: Trait
    psoas_index: Trait
    erector_fat: Trait
    correlation: tuple[tuple[float, ...], ...]
    """Of what is the person's own, in the order of the five above."""
    dxa: Dxa = field(default_factory=Dxa)

    def __post_init__(self) -> None:
        table = np.array(self.correlation)
        if table.shape != (5, 5) or not np.allclose(table, table.T) or np.linalg.eigvalsh(table)[0] <= 0:
            raise UsageError("bone.correlation is no table of correlations", wanted="5 × 5, symmetric, positive")

    @property
    def traits(self) -> tuple[Trait, ...]:
        """The five measurements in the order of :attr:`correlation`."""
        return self.lumbar_spine, self.total_hip, self.femoral_neck, self.psoas_index, self.erector_fat


def bone(
    table: pd.DataFrame, true_gap_years: npt.ArrayLike, *, parameters: Bone, rng: np.random.Generator
) -> pd.DataFrame:
    """True T-scores, osteoporosis and muscles of each scan's person at that age.

    A person's second scan has the same own part as the first, so that what differs is age, BMI and gap.

    Parameters
    ----------
    table : DataFrame
        One row a scan: person_id, age_years, sex (F/M), bmi.
    true_gap_years : array, (scans,)

    Returns
    -------
    DataFrame
        On the table's index: :data:`T_SCORES`, ``osteoporosis`` (T ≤ −2.5 at any of them), :data:`MUSCLES`.

    Raises
    ------
    TableError
        If a column is missing or an age, sex or BMI is not known.
    """
    age, men, bmi, person = described(table)
    lower = np.linalg.cholesky(np.array(parameters.correlation))
    own = rng.standard_normal((int(person.max()) + 1 if len(person) else 0, 5)) @ lower.T
    gap = parameters.gap_effect * np.asarray(true_gap_years, dtype=float)
    made: dict[str, npt.NDArray[np.generic]] = {}
    for k, (name, trait) in enumerate(zip((*T_SCORES, *MUSCLES), parameters.traits, strict=True)):
        mean = at_age(age, men, parameters.ages_years, women=trait.women, men_curve=trait.men)
        if k == 0 and parameters.dxa.usual_women:
            usual = parameters.dxa
            mean -= at_age(age, men, parameters.ages_years, women=usual.usual_women, men_curve=usual.usual_men)
        moved = (
            trait.bmi_per_unit * (bmi - parameters.bmi_centre) + trait.gap_per_year * gap + trait.sd * own[person, k]
        )
        if name in T_SCORES:
            made[name] = np.round(mean + moved, 2)
        else:
            made[name] = np.round(mean * np.exp(moved - trait.sd**2 / 2), 2)
        if k == len(T_SCORES) - 1:
            made["osteoporosis"] = np.min([made[site] for site in T_SCORES], axis=0) <= OSTEOPOROSIS_T_SCORE
    return pd.DataFrame(made, index=table.index)


def described(table: pd.DataFrame) -> tuple[Floats, npt.NDArray[np.bool_], Floats, npt.NDArray[np.int64]]:
    """Age, whether a man, BMI and the person's number of each scan, checked; a TableError where one is not known."""
    if missing := [name for name in ("person_id", "age_years", "sex", "bmi") if name not in table.columns]:
        raise TableError(f"a table of people without {', '.join(missing)}", wanted="person_id, age_years, sex and bmi")
    age, bmi = (table[name].to_numpy(dtype=float) for name in ("age_years", "bmi"))
    sex = table["sex"].to_numpy()
    if not (np.isfinite(age).all() and np.isfinite(bmi).all() and np.isin(sex, ("F", "M")).all()):
        raise TableError("a made-up person of unknown age, sex or BMI", wanted="all three, sex F or M")
    person, _ = pd.factorize(table["person_id"])
    return age, sex == "M", bmi, person.astype(np.int64)


def at_age(
    age: Floats,
    men: npt.NDArray[np.bool_],
    ages_years: tuple[float, ...],
    *,
    women: tuple[float, ...],
    men_curve: tuple[float, ...],
) -> Floats:
    """The value of each person's curve at their age: straight lines between ages, level beyond the last.

    >>> at_age(np.array([30.0, 30.0]), np.array([False, True]), (20, 40), women=(0, 2), men_curve=(4, 4)).tolist()
    [1.0, 4.0]
    """
    return np.where(men, np.interp(age, ages_years, men_curve), np.interp(age, ages_years, women))
