"""Who is scanned, when and where: ages, sexes, repeat scans, sites and scanners of made-up people."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.interpolate import PchipInterpolator

from spineclock.phantom.parameters import Who

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MIDDLE_YEARS = 50.0
"""The age that slopes by decade are counted from."""


@dataclass(frozen=True, eq=False)
class Scanned:
    """A block of people and their scans; each person's scans stand together, the earlier first."""

    men: npt.NDArray[np.bool_]
    """(people,)."""
    person: Ints
    """(scans,) row of the person in the block."""
    session: Ints
    """(scans,) 1 or 2."""
    age_years: Floats
    """(scans,)."""
    since_first_years: Floats
    """(scans,) 0 for first scans."""
    scanner: Ints
    """(scans,) row of :func:`scanners`."""


@dataclass(frozen=True, eq=False)
class Mix:
    """Ages and sexes as they are in the whole population, for averages without drawing anyone."""

    age_years: Floats
    men: Floats
    """0 or 1."""
    weight: Floats
    """Sums to 1."""


def scanned(n: int, first: int, *, who: Who, repeat_offset: float, rng: np.random.Generator) -> Scanned:
    """Draws a block of people.

    Parameters
    ----------
    n : int
        How many.
    first : int
        The number of the block's first person in the whole population; second scans are spread evenly over it, so that
        17,394 people have just 676.
    repeat_offset : float
        Where in the population the spreading begins, 0 to 1; the same for all blocks.
    """
    of = np.array([sum(who.men), sum(who.women)], dtype=float)
    men = rng.random(n) < of[0] / of.sum()
    quantile = rng.random(n)
    age = np.where(men, _age_at(who, quantile, men=True), _age_at(who, quantile, men=False))
    apart = who.years_between_least + rng.gamma(
        who.years_between_shape, (who.years_between - who.years_between_least) / who.years_between_shape, n
    )
    later = rng.random(n) < 0.5  # whether the other scan is the later one: the mix of ages stays Table 1's
    later = np.where(later, age + apart < who.edges_years[-1], age - apart < who.edges_years[0])
    numbers = np.arange(first, first + n + 1) * (who.second_scans / who.people) + repeat_offset
    twice = np.diff(np.floor(numbers + 1e-9)) > 0
    earliest = np.where(twice & ~later, age - apart, age)
    person = np.repeat(np.arange(n), 1 + twice)
    session = np.where(np.r_[True, person[1:] != person[:-1]], 1, 2) if n else np.zeros(0, dtype=np.int64)
    since = np.where(session == 2, apart[person], 0.0)
    place = _scanner(who, rng, n)
    stays = rng.random(n) < who.same_scanner_share
    other = np.where(stays, place, _scanner(who, rng, n))
    return Scanned(
        men=men,
        person=person,
        session=session,
        age_years=earliest[person] + since,
        since_first_years=since,
        scanner=np.where(session == 2, other[person], place[person]),
    )


@cache
def scanners(who: Who) -> pd.DataFrame:
    """One row a scanner: site, maker, scanner (its name), share of people scanned on it."""
    rows = [
        (site.name, maker, f"{site.name}-{maker.lower()}-{k + 1}", site.share / len(site.makers))
        for site in who.sites
        for k, maker in enumerate(site.makers)
    ]
    return pd.DataFrame(rows, columns=["site", "maker", "scanner", "share"])


@cache
def mix(who: Who, points: int = 200) -> Mix:
    """Ages and sexes in the population, ``points`` ages a sex."""
    middle = (np.arange(points) + 0.5) / points
    total = sum(who.men) + sum(who.women)
    return Mix(
        age_years=np.r_[_age_at(who, middle, men=True), _age_at(who, middle, men=False)],
        men=np.repeat([1.0, 0.0], points),
        weight=np.repeat([sum(who.men) / total / points, sum(who.women) / total / points], points),
    )


def _scanner(who: Who, rng: np.random.Generator, n: int) -> Ints:
    share = scanners(who)["share"].to_numpy()
    return np.searchsorted(np.cumsum(share / share.sum())[:-1], rng.random(n), side="right")


@cache
def _quantiles(who: Who, men: bool) -> tuple[Floats, Floats]:
    """Shares of a sex and the ages they are younger than: the counts of Table 1 between its edges, smooth within."""
    counts = np.cumsum([0, *(who.men if men else who.women)])
    ages = np.linspace(who.edges_years[0], who.edges_years[-1], 1201)
    return PchipInterpolator(who.edges_years, counts / counts[-1])(ages), ages


def _age_at(who: Who, quantile: Floats, *, men: bool) -> Floats:
    return np.interp(quantile, *_quantiles(who, men))
