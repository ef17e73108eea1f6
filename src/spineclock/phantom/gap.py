"""How much older or younger than its person a made-up spine is, and why: the true gap that studies try to recover."""

from __future__ import annotations

import numpy as np

from spineclock.phantom.lifestyle import Lives, mean_age_years
from spineclock.phantom.parameters import Gap, Lifestyle, Who
from spineclock.phantom.who import Floats, Scanned


def lifestyle_gap_years(age_years: Floats, lives: Lives, *, gap: Gap, lifestyle: Lifestyle, who: Who) -> Floats:
    """What how a person lives adds to the gap, less what it adds on average, (people,).

    The coefficients are the effects of the spine-age paper's Table 5. Heavy work adds years to young spines and takes
    them from old ones (its Figure 7); the mean over those who do it is Table 5's.
    """
    centre = mean_age_years(lifestyle.work_heavy, lifestyle.of, who)
    heavy = gap.work_heavy + gap.work_heavy_per_decade * (age_years - centre) / 10
    added = (
        gap.packs_per_day * lives.packs_per_day
        + gap.alcohol_days_per_week * lives.alcohol_days_per_week
        + gap.sedentary_hours * lives.sedentary_hours
        + np.select([lives.work == 1, lives.work == 2], [gap.work_moderate, heavy], 0.0)
        + np.array([0.0, gap.exercise_moderate, gap.exercise_vigorous])[lives.exercise]
        + gap.bmi_per_unit * (lives.bmi - lives.bmi_usual)
    )
    return gap.effect * (added - mean_added_years(gap, lifestyle))


def mean_added_years(gap: Gap, lifestyle: Lifestyle) -> float:
    """The mean of what lifestyles add in the whole population, in years."""

    def share(count: int) -> float:
        return count / lifestyle.of

    heavy, vigorous = share(lifestyle.work_heavy.count), share(lifestyle.exercise_vigorous.count)
    days = sum((k + 1) * part for k, part in enumerate(lifestyle.days_shares))
    return (
        gap.packs_per_day * lifestyle.packs_mean * share(lifestyle.smokes.count)
        + gap.alcohol_days_per_week * days * share(lifestyle.drinks.count)
        + gap.sedentary_hours * lifestyle.sedentary_mean * share(lifestyle.sits.count)
        + gap.work_moderate * (share(lifestyle.work_beyond_light.count) - heavy)
        + gap.work_heavy * heavy
        + gap.exercise_moderate * (share(lifestyle.exercise_any.count) - vigorous)
        + gap.exercise_vigorous * vigorous
    )


def true_gap_years(scanned: Scanned, lifestyle_years: Floats, *, gap: Gap, rng: np.random.Generator) -> Floats:
    """The true gap at each scan, (scans,): lifestyle, what is the person's own, and what changed since the first scan.

    Parameters
    ----------
    lifestyle_years : array, (people,)
        As :func:`lifestyle_gap_years` gives it.
    """
    own = gap.residual_sd_years * rng.standard_normal(len(scanned.men)) + lifestyle_years
    change = rng.standard_normal(len(scanned.men))[scanned.person]
    return own[scanned.person] + gap.drift_sd_per_root_year * np.sqrt(scanned.since_first_years) * change
