"""How made-up people live: questionnaire answers at the counts of Table 5, and body mass index."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import ndtr

from spineclock.phantom.parameters import Lifestyle, Share, Who
from spineclock.phantom.who import MIDDLE_YEARS, Floats, mix

WORK = ("light", "moderate", "heavy")
EXERCISE = ("none", "moderate", "vigorous")


@dataclass(frozen=True, eq=False)
class Lives:
    """How each person of a block lives, (people,) each; ``work`` and ``exercise`` are codes of the tuples above."""

    packs_per_day: Floats
    alcohol_days_per_week: Floats
    sedentary_hours: Floats
    work: npt.NDArray[np.int64]
    exercise: npt.NDArray[np.int64]
    bmi: Floats
    bmi_usual: Floats
    """What is usual for age and sex."""


def lives(
    age_years: Floats, men: npt.NDArray[np.bool_], *, lifestyle: Lifestyle, who: Who, rng: np.random.Generator
) -> Lives:
    """Draws how people of given ages and sexes live."""
    n = len(age_years)

    def does(share: Share, wish: Floats) -> npt.NDArray[np.bool_]:
        return wish < limit(share, lifestyle.of, who) + _lean(share, age_years, men)

    shape = (lifestyle.packs_mean / lifestyle.packs_sd) ** 2
    packs = np.maximum(np.round(rng.gamma(shape, lifestyle.packs_mean / shape, n), 2), 0.01)
    days = 1 + np.searchsorted(np.cumsum(lifestyle.days_shares)[:-1], rng.random(n), side="right")
    hours = np.clip(np.round(rng.normal(lifestyle.sedentary_mean, lifestyle.sedentary_sd, n), 1), 0.5, 18.0)
    smoking, drinking, sitting, working, moving = rng.standard_normal((5, n))
    usual = np.where(men, lifestyle.bmi_men, lifestyle.bmi_women)
    usual = usual + lifestyle.bmi_per_decade * (age_years - MIDDLE_YEARS) / 10
    return Lives(
        packs_per_day=np.where(does(lifestyle.smokes, smoking), packs, 0.0),
        alcohol_days_per_week=np.where(does(lifestyle.drinks, drinking), days, 0).astype(float),
        sedentary_hours=np.where(does(lifestyle.sits, sitting), hours, 0.0),
        work=np.where(does(lifestyle.work_heavy, working), 2, does(lifestyle.work_beyond_light, working).astype(int)),
        exercise=np.where(
            does(lifestyle.exercise_vigorous, moving), 2, does(lifestyle.exercise_any, moving).astype(int)
        ),
        bmi=np.round(usual * np.exp(lifestyle.bmi_log_sd * rng.standard_normal(n)), 1),
        bmi_usual=usual * np.exp(lifestyle.bmi_log_sd**2 / 2),
    )


@cache
def limit(share: Share, of: int, who: Who) -> float:
    """The wish below which a person of 50 does it, so that ``count`` of ``of`` people of all ages do."""
    people = mix(who)
    lean = _lean(share, people.age_years, people.men)
    return float(brentq(lambda x: float(ndtr(x + lean) @ people.weight) - share.count / of, -8, 8))


@cache
def mean_age_years(share: Share, of: int, who: Who) -> float:
    """The mean age of those who do it."""
    people = mix(who)
    doing = ndtr(limit(share, of, who) + _lean(share, people.age_years, people.men)) * people.weight
    return float(doing @ people.age_years / doing.sum())


def _lean(share: Share, age_years: Floats, men: npt.ArrayLike) -> Floats:
    return share.per_decade * (age_years - MIDDLE_YEARS) / 10 + share.men * np.asarray(men, dtype=float)
