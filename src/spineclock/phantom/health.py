"""Health of made-up people: bone, muscles, fractures, risk factors, outcomes, as each follows from the ones before."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.errors import TableError
from spineclock.core.findings import column, columns_of
from spineclock.phantom.bone import Bone, bone
from spineclock.phantom.fractures import LEVELS, Codes, Fractured, Fractures, incident, prevalent
from spineclock.phantom.outcomes import EVENTS, Outcomes, outcomes
from spineclock.phantom.parameters import Parameters, section
from spineclock.phantom.risk import FACTORS, RiskFactors, risk_factors


@dataclass(frozen=True, eq=False)
class HealthParameters:
    """The sections of the parameter file that this is made by."""

    bone: Bone
    fractures: Fractures
    risk_factors: RiskFactors
    outcomes: Outcomes


@dataclass(frozen=True, eq=False)
class Health:
    """What is known of the health of some people; one row a scan, on the index of the table they came as."""

    columns: pd.DataFrame
    """For the table: bone, muscles, prevalent fractures, risk factors; FRAX-like probability and outcomes, which count
    from the first scan and are empty at a second."""
    truth: pd.DataFrame
    """What nobody sees: uncensored times and frailty; empty at a second scan."""
    fractured: Fractured


@cache
def health_parameters(parameters: Parameters) -> HealthParameters:
    """The sections of one world; a UsageError if a key is unknown or missing."""
    others = parameters.others
    return HealthParameters(
        bone=section(Bone, others["bone"], where="bone"),
        fractures=section(Fractures, others["fractures"], where="fractures"),
        risk_factors=section(RiskFactors, others["risk_factors"], where="risk_factors"),
        outcomes=section(Outcomes, others["outcomes"], where="outcomes"),
    )


def health(
    table: pd.DataFrame,
    true_gap_years: npt.ArrayLike,
    *,
    parameters: HealthParameters,
    bone_rng: np.random.Generator,
    outcome_rng: np.random.Generator,
) -> Health:
    """Health at each scan, and what follows the first.

    Parameters
    ----------
    table : DataFrame
        One row a scan, a person's together and the earlier first: person_id, age_years, sex, bmi, packs_per_day,
        alcohol_days_per_week.
    true_gap_years : array, (scans,)

    Raises
    ------
    TableError
        If a column is missing, or a person's scans do not stand as said.
    """
    gap = np.asarray(true_gap_years, dtype=float)
    made = bone(table, gap, parameters=parameters.bone, rng=bone_rng)
    first = ~table["person_id"].duplicated().to_numpy()
    person = np.cumsum(first) - 1
    since = table["age_years"].to_numpy() - table["age_years"].to_numpy()[first][person]
    names = table["person_id"].to_numpy()
    if (names != names[first][person]).any() or (since < 0).any():
        raise TableError("scans of a person out of order", wanted="each person's scans together, the earlier first")
    people, of_first, gap_first = table[first], made[first], gap[first]
    had = prevalent(people, gap_first, of_first, parameters=parameters.fractures, rng=bone_rng)
    asked = risk_factors(people, gap_first, of_first, parameters=parameters.risk_factors, rng=bone_rng)
    again = np.zeros(len(people))
    again[person[~first]] = since[~first]
    followed = outcomes(
        people,
        covariates(of_first, had, asked, gap_first),
        parameters=parameters.outcomes,
        rng=outcome_rng,
        seen_again_years=again,
    )
    new = followed.truth["true_vertebral_fracture_years"].to_numpy()[person] <= since
    fractured = Fractured(had.grades[person], had.shapes[person])
    later = incident(_at(fractured, ~first), new[~first], parameters=parameters.fractures, rng=outcome_rng)
    fractured.grades[~first], fractured.shapes[~first] = later.grades, later.shapes
    factors = asked[list(FACTORS)].iloc[person].set_axis(table.index)
    only_first = asked.drop(columns=list(FACTORS)).join(followed.columns).astype(dict.fromkeys(EVENTS, "boolean"))
    return Health(
        columns=pd.concat([made, fractured.columns(table.index), factors, only_first.reindex(table.index)], axis=1),
        truth=followed.truth.reindex(table.index),
        fractured=fractured,
    )


def covariates(
    t_scores: pd.DataFrame, fractured: Fractured, asked: pd.DataFrame, true_gap_years: npt.ArrayLike
) -> pd.DataFrame:
    """What the hazards of :mod:`spineclock.phantom.outcomes` know of each person."""
    return pd.concat([t_scores, asked], axis=1).assign(
        prevalent_fracture=fractured.count > 0, true_gap_years=np.asarray(true_gap_years, dtype=float)
    )


def into_findings(codes: Codes, fractured: Fractured) -> None:
    """Writes, in place, the fractures into the codes of imaging findings, which have no grade of them."""
    codes[:, columns_of("fracture")] = 0
    codes[:, [column("fracture", level) for level in LEVELS]] = fractured.grades > 0
    codes[:, column("fracture")] = fractured.count > 0


def _at(fractured: Fractured, rows: npt.NDArray[np.bool_]) -> Fractured:
    return Fractured(fractured.grades[rows], fractured.shapes[rows])
