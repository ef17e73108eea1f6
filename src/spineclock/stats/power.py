"""How many people a new study of the spine age gap needs, with a model that reads the gap only so reliably.

Reliability is the share of the gap's variance that is a person's own, such as ICC(1) of repeated scans. A true
standardised effect comes out √reliability times as large, so that the people needed grow by about 1/reliability
(Spearman 1904; Fuller 1987). A difference in *years* between groups is not shrunk, but seen against a wider spread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.agreement import Between, icc
from spineclock.stats.repeat_scans import repeat_pairs
from spineclock.stats.result import number, results
from spineclock.stats.rows import complete

_MOST = 10_000_000


def group_power(
    people: int, *, effect_sd: float, reliability: float = 1.0, share: float = 0.5, alpha: float = 0.05
) -> float:
    """Power of a two-sided t-test of the gap between two groups.

    Parameters
    ----------
    people : int
        In both groups together.
    effect_sd : float
        True difference, in standard deviations of the *true* gap within a group.
    reliability : float
        Of the measured gap, above 0 and up to 1.
    share : float
        Of the people that are in the first group.
    alpha : float
        Significance level.

    Raises
    ------
    UsageError
        If a number is outside its range, or a group would have nobody.

    Examples
    --------
    >>> round(group_power(128, effect_sd=0.5), 3)  # 64 a group, Cohen 1988, table 2.4.1
    0.801
    """
    _sane(reliability=reliability, share=share, alpha=alpha)
    first = max(round(people * share), 1)
    if people - first < 1 or people < 3:
        raise UsageError(f"{people} people in two groups", wanted="at least 3, and one in each group")
    size = first * (people - first) / people
    return float(_t_power(np.array(abs(effect_sd) * np.sqrt(reliability * size)), people - 2, alpha))


def regression_power(
    people: int, *, correlation: float, reliability: float = 1.0, covariates: int = 0, alpha: float = 0.05
) -> float:
    """Power of the test of the gap as an exposure of some outcome, in a linear regression; both normal.

    Parameters
    ----------
    people : int
        In the regression.
    correlation : float
        Between true gap and outcome, the covariates taken out: the outcome's change, in its own SD, per SD of the gap.
    reliability : float
        Of the measured gap, the covariates taken out.
    covariates : int
        How many others are in the model, such as age and sex.
    alpha : float
        Significance level.

    Raises
    ------
    UsageError
        If a number is outside its range, or the people do not suffice for the model.

    Examples
    --------
    >>> round(regression_power(85, correlation=0.3), 3)  # Cohen's tables: 0.80 at 84 or 85
    0.805
    >>> round(regression_power(85, correlation=0.3, reliability=0.73), 3)
    0.666
    """
    _sane(reliability=reliability, alpha=alpha)
    df = people - 2 - covariates
    if not abs(correlation) < 1 or df < 1:
        raise UsageError(
            f"a correlation of {correlation:g} in {people} people with {covariates} covariates",
            wanted=f"a correlation between −1 and 1, and more than {covariates + 2} people",
        )
    seen = abs(correlation) * np.sqrt(reliability)
    # the gap is not dealt out by the study but drawn, and how far it spreads decides the shift of t: averaged over
    at, weight = np.polynomial.legendre.leggauss(64)
    low, high = np.sqrt(stats.chi2.ppf(1e-13, df + 1)), np.sqrt(stats.chi2.isf(1e-13, df + 1))
    spread = low + (high - low) * (at + 1) / 2
    weight = weight * (high - low) / 2 * stats.chi.pdf(spread, df + 1)
    return float(weight @ _t_power(seen / np.sqrt(1 - seen**2) * spread, df, alpha))


def people_needed(power: float, power_of: Callable[[int], float], *, least: int = 4) -> int:
    """The smallest number of people whose power, ``power_of(people)``, is at least that.

    >>> people_needed(0.8, lambda n: group_power(n, effect_sd=0.5))
    128

    Raises
    ------
    UsageError
        If the power is not between 0 and 1, or ten million people do not suffice.
    """
    if not 0 < power < 1:
        raise UsageError(f"a power of {power:g}", wanted="between 0 and 1, such as 0.8")
    high = least
    while power_of(high) < power:
        high *= 2
        if high > _MOST:
            raise UsageError(f"an effect that {_MOST:,} people do not show", wanted="a larger effect")
    low = max(high // 2, least)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if power_of(middle) >= power else (middle + 1, high)
    return low


def _t_power(shift: Floats, df: int, alpha: float) -> Floats:
    """Of a two-sided t-test whose t is shifted by so much (non-central t)."""
    beyond = float(stats.t.ppf(1 - alpha / 2, df))
    return np.asarray(stats.nct.sf(beyond, df, shift) + stats.nct.cdf(-beyond, df, shift), dtype=np.float64)


def _sane(**numbers: float) -> None:
    for name, value in numbers.items():
        top = 1.0 if name == "reliability" else np.nextafter(1, 0)
        if not 0 < value <= top:
            raise UsageError(f"{name} {value:g}", wanted=f"above 0 and {'up to' if top == 1 else 'below'} 1")


@dataclass(frozen=True)
class StudyPower:
    """People a new study of the gap needs, at the spread and the reliability it has with this model.

    For a difference between two groups in years, what counts is the spread of the gap as read, model error and all; the
    ends are those at the χ² interval of that spread. For the gap as an exposure it is the reliability: ICC(1) of
    the first two scans of a person, and the ends are those at its interval. Scans that lie years apart hold true
    change, so that it is rather too low and the people rather too many.

    Parameters
    ----------
    differences_years : tuple of float
        Of the gap between two groups.
    correlations : tuple of float
        Between true gap and an outcome, the covariates taken out.
    covariates : int
        In the model of the outcome, such as age and sex.
    power, alpha, share
        What is asked of the study; ``share`` is that of the first group.
    reliability : float, optional
        Used instead of that of repeated scans, and then without an interval.

    Examples
    --------
    >>> gaps = pd.DataFrame({"person_id": range(200), "gap_years": np.random.default_rng(0).normal(0, 5, 200)})
    >>> told = StudyPower(differences_years=(2.0,), correlations=(0.2,), reliability=0.73)(gaps)
    >>> told[["term", "estimate", "with_a_perfect_model"]]
                           term  estimate  with_a_perfect_model
    0  difference of 2.00 years     185.0                   135
    1       correlation of 0.20     268.0                   195
    """

    value: str = "gap_years"
    person: str = "person_id"
    scan: str = "scan_id"
    order: str = "age_years"
    differences_years: tuple[float, ...] = (1.0, 2.0, 3.0)
    correlations: tuple[float, ...] = (0.1, 0.2, 0.3)
    covariates: int = 2
    share: float = 0.5
    power: float = 0.8
    alpha: float = 0.05
    reliability: float | None = None

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """One row a difference and a correlation; the estimate is the number of people in the whole study.

        Further columns: ``effect``, ``with_a_perfect_model`` (people needed), ``reliability``, ``reliability_low``,
        ``reliability_high``, ``sd_years``.

        Raises
        ------
        TableError
            If a column is missing, fewer than three people have two scans, or their gaps do not repeat at all.
        """
        used = complete(table, numbers=[self.value], names=[self.person], at_least=3).table
        one_each = used.drop_duplicates(self.person)[self.value]
        spread, reliable = _spread(one_each.to_numpy(float)), self._reliability(table)
        rows = [self._difference(years, spread, reliable) for years in self.differences_years]
        rows += [self._correlation(r, reliable) for r in self.correlations]
        more = {
            "n": len(one_each), "reliability": reliable.value, "reliability_low": reliable.low,
            "reliability_high": reliable.high, "sd_years": spread.value,
        }  # fmt: skip
        return results([{"p": np.nan, **row, **more} for row in rows])

    def _reliability(self, table: pd.DataFrame) -> Between:
        if self.reliability is not None:
            return Between(self.reliability, np.nan, np.nan)
        pairs = repeat_pairs(table, values=[self.value], person=self.person, scan=self.scan, order=self.order)
        found = icc(pairs[[f"first_{self.value}", f"second_{self.value}"]].to_numpy(float)).one
        if found.value <= 0:
            raise TableError(
                f"an ICC of {number(found.value)} of {self.value} in {len(pairs)} people scanned twice",
                wanted="a gap that repeats itself",
                remedy="give the reliability from elsewhere",
            )
        return Between(found.value, found.low, found.high)

    def _difference(self, years: float, spread: Between, reliable: Between) -> dict[str, Any]:
        def people(sd: float) -> int:
            return people_needed(
                self.power, lambda n: group_power(n, effect_sd=years / sd, share=self.share, alpha=self.alpha)
            )

        perfect = people(spread.value * float(np.sqrt(reliable.value)))
        need, low, high = (people(sd) for sd in spread)
        return {
            "term": f"difference of {number(years)} years", "estimate": need, "low": low, "high": high,
            "sentence": f"To show a difference of {number(years)} years of the gap between two groups, {need:,} people "
            f"are needed ({low:,} to {high:,}) for a power of {self.power:.0%}, as the gap has an SD of "
            f"{number(spread.value)} years; with a model without error {perfect:,}.",
            "effect": years, "with_a_perfect_model": perfect,
        }  # fmt: skip

    def _correlation(self, r: float, reliable: Between) -> dict[str, Any]:
        def people(reliability: float) -> float:
            if not reliability > 0:
                return np.nan if np.isnan(reliability) else np.inf
            return people_needed(
                self.power,
                lambda n: regression_power(
                    n, correlation=r, reliability=reliability, covariates=self.covariates, alpha=self.alpha
                ),
                least=self.covariates + 4,
            )

        perfect, need, low, high = (people(x) for x in (1.0, reliable.value, reliable.high, reliable.low))
        between = "" if np.isnan(low) else f" ({number(low, 0)} to {number(high, 0)})"
        return {
            "term": f"correlation of {number(r)}", "estimate": need, "low": low, "high": high,
            "sentence": f"To show that an outcome goes with the true gap at a correlation of {number(r)}, "
            f"{need:,} people are needed{between} for a power of {self.power:.0%}, as the gap is read with a "
            f"reliability of {number(reliable.value)}; with a model without error {perfect:,}.",
            "effect": r, "with_a_perfect_model": perfect,
        }  # fmt: skip


def _spread(gaps: Floats) -> Between:
    """SD with its χ² interval."""
    df, sd = len(gaps) - 1, float(gaps.std(ddof=1))
    low, high = (sd * float(np.sqrt(df / stats.chi2.ppf(q, df))) for q in (0.975, 0.025))
    return Between(sd, low, high)
