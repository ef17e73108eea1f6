"""Clinical risk factors for fracture of made-up people, and a FRAX-like ten-year probability made of these only.

FRAX itself is proprietary. What is here is *like* it in what it looks at (age, sex, BMI, prior fracture, parental hip
fracture, smoking, glucocorticoids, rheumatoid arthritis, alcohol; no bone density, no image) and in that death
competes; its numbers are those of ``[risk_factors]`` in ``parameters.toml`` and are not FRAX's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from spineclock.phantom.bone import Floats, at_age, described

FACTORS = (
    "prior_fracture", "parental_hip_fracture", "current_smoker", "glucocorticoids", "rheumatoid_arthritis",
    "alcohol_3_units",
)  # fmt: skip
"""Answers of yes or no."""
FRAX_LIKE = "frax_like_10_year_percent"
_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(6)  # hazards double in eight years: six points give six digits
HORIZON_YEARS = 10.0


@dataclass(frozen=True, eq=False)
class Rate:
    """A hazard that grows exponentially with age (Gompertz), by sex."""

    women_per_1000: float
    """Events in 1,000 person-years at :data:`REFERENCE_AGE_YEARS`."""
    men_per_1000: float
    women_growth: float
    """How much its logarithm grows a year of age."""
    men_growth: float

    def log_at(self, age_years: Floats, men: npt.NDArray[np.bool_]) -> Floats:
        """The logarithm of events a year at each person's age.

        >>> round(float(np.exp(Rate(10, 5, 0.1, 0.1).log_at(np.array([75.0]), np.array([False])))[0]), 4)
        0.0272
        """
        start = np.where(men, np.log(self.men_per_1000 / 1000), np.log(self.women_per_1000 / 1000))
        return start + self.growth(men) * (age_years - REFERENCE_AGE_YEARS)

    def growth(self, men: npt.NDArray[np.bool_]) -> Floats:
        """How much the logarithm grows a year, by sex."""
        return np.where(men, self.men_growth, self.women_growth)


REFERENCE_AGE_YEARS = 65.0


@dataclass(frozen=True, eq=False)
class FraxLike:
    """What the FRAX-like probability is made of."""

    fracture: Rate
    """Of people without risk factors at :attr:`bmi_centre`."""
    death: Rate
    log_risk: dict[str, float]
    """Log hazard ratio of each of :data:`FACTORS`, and of ``bmi`` a unit."""
    bmi_centre: float


@dataclass(frozen=True, eq=False)
class RiskFactors:
    """Section ``[risk_factors]`` of the parameter file."""

    ages_years: tuple[float, ...]
    prior_women: tuple[float, ...]
    """Per cent with a low-trauma fracture since 40 at these ages, for a usual T-score and no gap."""
    prior_men: tuple[float, ...]
    prior_per_t_score: float
    """Log odds a unit of femoral-neck T-score from :attr:`prior_t_score`."""
    prior_t_score: tuple[float, ...]
    """The T-score at each of the ages that counts as usual."""
    prior_gap_per_year: float
    gap_effect: float
    """Multiplies prior_gap_per_year; 0 in the null world."""
    parental_percent: float
    glucocorticoids_percent: float
    arthritis_women_percent: float
    arthritis_men_percent: float
    alcohol_of_daily_drinkers_percent: float
    """Of those who drink on six or seven days a week: three units or more a day."""
    frax_like: FraxLike


def risk_factors(
    table: pd.DataFrame,
    true_gap_years: npt.ArrayLike,
    t_scores: pd.DataFrame,
    *,
    parameters: RiskFactors,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """What each person answers to the questions of a fracture-risk tool, and the FRAX-like probability.

    Parameters
    ----------
    table : DataFrame
        One row a person: person_id, age_years, sex, bmi, packs_per_day, alcohol_days_per_week.
    true_gap_years : array, (people,)
    t_scores : DataFrame
        Of :func:`spineclock.phantom.bone.bone`, the same rows.

    Returns
    -------
    DataFrame
        On the table's index: :data:`FACTORS` and :data:`FRAX_LIKE`.
    """
    age, men, bmi, _ = described(table)
    p, n = parameters, len(table)
    usual = np.interp(age, p.ages_years, p.prior_t_score)
    share = at_age(age, men, p.ages_years, women=p.prior_women, men_curve=p.prior_men) / 100
    prior = (
        np.log(share / (1 - share))
        + p.prior_per_t_score * (t_scores["femoral_neck_t_score"].to_numpy() - usual)
        + p.prior_gap_per_year * p.gap_effect * np.asarray(true_gap_years, dtype=float)
    )
    drawn = rng.random((5, n))
    factors = {
        "prior_fracture": drawn[0] < expit(prior),
        "parental_hip_fracture": drawn[1] < p.parental_percent / 100,
        "current_smoker": table["packs_per_day"].to_numpy() > 0,
        "glucocorticoids": drawn[2] < p.glucocorticoids_percent / 100,
        "rheumatoid_arthritis": drawn[3] < np.where(men, p.arthritis_men_percent, p.arthritis_women_percent) / 100,
        "alcohol_3_units": (table["alcohol_days_per_week"].to_numpy() >= 6)
        & (drawn[4] < p.alcohol_of_daily_drinkers_percent / 100),
    }
    like = p.frax_like
    log_risk = like.log_risk["bmi"] * (bmi - like.bmi_centre)
    log_risk = log_risk + sum(like.log_risk[name] * answer for name, answer in factors.items())
    percent = 100 * probability(age, men, log_risk, fracture=like.fracture, death=like.death)
    return pd.DataFrame({**factors, FRAX_LIKE: np.round(percent, 2)}, index=table.index)


def probability(age: Floats, men: npt.NDArray[np.bool_], log_risk: Floats, *, fracture: Rate, death: Rate) -> Floats:
    """The probability of a fracture within ten years where death competes: ∫ h(t) exp(−H(t) − D(t)) dt.

    >>> flat = Rate(10, 10, 1e-9, 1e-9)
    >>> never = Rate(1e-9, 1e-9, 1e-9, 1e-9)
    >>> float(probability(np.array([60.0]), np.array([True]), np.zeros(1), fracture=flat, death=never)[0].round(6))
    0.095163
    """
    total = np.zeros(len(age))
    start, end = fracture.log_at(age, men) + log_risk, death.log_at(age, men)
    for point, weight in zip((_POINTS + 1) * HORIZON_YEARS / 2, _WEIGHTS * HORIZON_YEARS / 2, strict=True):
        gone = _grown(start, fracture.growth(men), point) + _grown(end, death.growth(men), point)
        total += weight * np.exp(start + fracture.growth(men) * point - gone)
    return total


def _grown(log_rate: Floats, growth: Floats, years: float) -> Floats:
    """The cumulative hazard after some years of a rate that grows exponentially."""
    return np.exp(log_rate) * np.expm1(growth * years) / growth
