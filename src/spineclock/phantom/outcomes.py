"""What befalls made-up people after their first scan: vertebral and other fractures, death, the end of follow-up.

One conditional model, stated whole. For each of vertebral fracture, non-vertebral fracture and death

    h(t | x) = rate(sex) · exp(growth(sex) · (age + t − 65)) · exp(f(t) · Σ β (x − centre)) · exp(φ · w)

with age at the first scan, covariates x (bone, muscle, prevalent fracture, clinical risk factors, true gap), f(t) = 1
and φ = 0 except in misspecified worlds: where effects fade, f falls in steps; where censoring is informative, a frailty
w ~ N(0, 1) that nobody sees raises the hazards and the rate of dropping out. Given x and w the three times are
independent; death ends what can be seen of the others. Times are drawn by inverting the cumulative hazard, whose pieces
are Gompertz. Any fracture is the first of the two kinds. Numbers and sources: ``[outcomes]`` of ``parameters.toml``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.errors import TableError, UsageError
from spineclock.phantom.bone import Floats, described
from spineclock.phantom.risk import Rate

KINDS = ("vertebral_fracture", "non_vertebral_fracture", "death")
"""The three events that are drawn."""
EVENTS = ("vertebral_fracture", "any_fracture", "non_vertebral_fracture", "death")
"""The four that a table tells of: a column of times in years by that name and ``_years``, one of yes or no."""
FOLLOW_UP = "follow_up_years"


@dataclass(frozen=True, eq=False)
class Effects:
    """Log hazard ratios a unit of each covariate."""

    vertebral_fracture: dict[str, float]
    non_vertebral_fracture: dict[str, float]
    death: dict[str, float]


@dataclass(frozen=True, eq=False)
class Rates:
    """Hazards at 65 of people whose covariates are at their centres, with how they grow."""

    vertebral_fracture: Rate
    non_vertebral_fracture: Rate
    death: Rate


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Section ``[outcomes]`` of the parameter file."""

    rates: Rates
    effects: Effects
    centres: dict[str, float]
    effect: float
    """Multiplies every effect; 0 in the null world."""
    administrative_years: tuple[float, float]
    """The study ends so many years after the first scan, evenly spread."""
    drop_out_per_year: float
    fade_until_years: tuple[float, ...]
    """Where f(t) steps; none where hazards are proportional."""
    fade_factors: tuple[float, ...]
    """f(t) before, between and after these."""
    hazard_frailty: float
    """φ."""
    drop_out_frailty: float
    """By how much the logarithm of the rate of dropping out rises with the frailty."""

    def __post_init__(self) -> None:
        if len(self.fade_factors) != len(self.fade_until_years) + 1:
            raise UsageError(
                f"{len(self.fade_factors)} fade factors for {len(self.fade_until_years)} steps", wanted="one more"
            )
        named = set(self.effects.vertebral_fracture) | set(self.effects.non_vertebral_fracture)
        if missing := (named | set(self.effects.death)) - set(self.centres):
            raise UsageError(f"no outcomes.centres for {', '.join(sorted(missing))}", wanted="one for each covariate")


@dataclass(frozen=True, eq=False)
class Hazard:
    """The conditional hazard of one event for some people: exp(start + growth·t + f(t)·effect)."""

    start: Floats
    growth: Floats
    effect: Floats
    until_years: tuple[float, ...] = ()
    factors: tuple[float, ...] = (1.0,)

    def cumulative(self, years: Floats) -> Floats:
        """The cumulative hazard of each person at their time.

        >>> h = Hazard(np.log([0.1]), np.array([1e-9]), np.log([2.0]), (5.0,), (1.0, 0.0))
        >>> float(h.cumulative(np.array([6.0]))[0].round(6))
        1.1
        """
        total = np.zeros(len(self.start))
        for since, until, factor in self._pieces():
            total += self._within(since, np.clip(years, since, until), factor)
        return total

    def inverse(self, total: Floats) -> Floats:
        """The time at which each person's cumulative hazard reaches a value.

        >>> h = Hazard(np.log([0.1]), np.array([1e-9]), np.log([2.0]), (5.0,), (1.0, 0.0))
        >>> float(h.inverse(np.array([1.1]))[0].round(6))
        6.0
        """
        left, years = total.astype(float), np.full(len(self.start), np.inf)
        for since, until, factor in self._pieces():
            rate = np.exp(self.start + self.growth * since + factor * self.effect)
            reached = since + np.log1p(self.growth * left / rate) / self.growth
            here = np.isinf(years) & (reached <= until)
            years[here] = reached[here]
            if np.isfinite(until):
                left = np.maximum(left - self._within(since, np.full(len(left), until), factor), 0.0)
        return years

    def _pieces(self) -> list[tuple[float, float, float]]:
        edges = (0.0, *self.until_years, np.inf)
        return list(zip(edges[:-1], edges[1:], self.factors, strict=True))

    def _within(self, since: float, years: Floats, factor: float) -> Floats:
        """What the cumulative hazard gains from ``since`` to ``years``, in one piece."""
        rate = np.exp(self.start + self.growth * since + factor * self.effect)
        return rate * np.expm1(self.growth * (years - since)) / self.growth


@dataclass(frozen=True, eq=False)
class Followed:
    """What happens to some people, and how much of it is seen."""

    columns: pd.DataFrame
    """follow_up_years, and for each of :data:`EVENTS` its time in years and whether it was seen."""
    truth: pd.DataFrame
    """``true_…_years`` of each of :data:`KINDS`, whether seen or not, and the frailty."""


def hazards(
    table: pd.DataFrame, covariates: pd.DataFrame, *, parameters: Outcomes, frailty: Floats | None = None
) -> dict[str, Hazard]:
    """The conditional hazards of each of :data:`KINDS`; arguments and errors as in :func:`outcomes`."""
    age, men, _, _ = described(table)
    unseen = parameters.hazard_frailty * (np.zeros(len(age)) if frailty is None else frailty)
    made = {}
    for kind in KINDS:
        rate: Rate = getattr(parameters.rates, kind)
        effect = parameters.effect * risk(covariates, getattr(parameters.effects, kind), parameters.centres)
        made[kind] = Hazard(
            rate.log_at(age, men) + unseen,
            rate.growth(men),
            effect,
            parameters.fade_until_years,
            parameters.fade_factors,
        )
    return made


def risk(covariates: pd.DataFrame, effects: Mapping[str, float], centres: Mapping[str, float]) -> Floats:
    """Σ β (x − centre) of each row; a TableError where a covariate is not there.

    >>> risk(pd.DataFrame({"x": [1.0, 3.0]}), {"x": 0.5}, {"x": 1.0}).tolist()
    [0.0, 1.0]
    """
    if missing := [name for name in effects if name not in covariates.columns]:
        raise TableError(f"no column {missing[0]} among the covariates", wanted=", ".join(effects))
    total = np.zeros(len(covariates))
    for name, beta in effects.items():
        total += beta * (covariates[name].to_numpy(dtype=float) - centres[name])
    return total


def outcomes(
    table: pd.DataFrame,
    covariates: pd.DataFrame,
    *,
    parameters: Outcomes,
    rng: np.random.Generator,
    seen_again_years: Floats | None = None,
) -> Followed:
    """What befalls people from their first scan on.

    Parameters
    ----------
    table : DataFrame
        One row a person, at the first scan: person_id, age_years, sex, bmi.
    covariates : DataFrame
        The same rows, with every covariate that has an effect.
    seen_again_years : array, (people,), optional
        When a person was scanned again, 0 if never. Whoever was is alive and followed until then: these times are drawn
        given that, which leaves hazard ratios as they are, since who is scanned again depends on nothing else.

    Raises
    ------
    TableError
        If a column is missing.
    """
    n = len(table)
    again = np.zeros(n) if seen_again_years is None else seen_again_years
    drawn, frailty = rng.standard_exponential((4, n)), rng.standard_normal(n)
    model = hazards(table, covariates, parameters=parameters, frailty=frailty)
    drawn[2] += model["death"].cumulative(again)
    times = {kind: model[kind].inverse(drawn[k]) for k, kind in enumerate(KINDS)}
    shortest, longest = parameters.administrative_years
    ends = np.maximum(shortest, again) + (longest - shortest) * rng.random(n)
    leaving = parameters.drop_out_per_year * np.exp(parameters.drop_out_frailty * frailty)
    observed = np.minimum(ends, again + drawn[3] / leaving)
    times["any_fracture"] = np.minimum(times["vertebral_fracture"], times["non_vertebral_fracture"])
    last = np.minimum(observed, times["death"])
    columns: dict[str, npt.NDArray[np.generic]] = {FOLLOW_UP: _years(last)}
    for name in EVENTS:
        seen = times[name] <= (observed if name == "death" else last)
        columns[f"{name}_years"] = _years(np.minimum(times[name], last))
        columns[name] = seen
    truth = {f"true_{kind}_years": times[kind] for kind in KINDS}
    return Followed(
        pd.DataFrame(columns, index=table.index), pd.DataFrame({**truth, "frailty": frailty}, index=table.index)
    )


def _years(time: Floats) -> Floats:
    """Times to a thousandth of a year (a third of a day), never 0."""
    return np.maximum(np.round(time, 3), 0.001)
