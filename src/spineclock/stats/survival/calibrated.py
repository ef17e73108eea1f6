"""Hazard ratios of the gap as measured, and of the true gap: regression calibration, model by model.

An exposure measured with error gives ratios that are too near to 1. The reliability that a Cox model's coefficient is
divided by is conditional on the model's covariates: λ = var(true gap | covariates) / var(measured gap | covariates)
where the error is classical, and generally the slope of the true gap on the measured one given the covariates, which is
above 1 for ages that shrink the gap. True gaps tell the slope itself, repeat scans the share of variance alone.
Sources: Prentice, Biometrika 1982 (hazards); Rosner, Willett and Spiegelman, Statistics in Medicine 1989, and Rosner,
Spiegelman and Willett, American Journal of Epidemiology 1990 (λ from a validation study; delta method); Carroll,
Ruppert, Stefanski and Crainiceanu, Measurement Error in Nonlinear Models, 2nd edition, chapter 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.association.design import expand
from spineclock.stats.association.exposure import Reliability, reliability
from spineclock.stats.result import number, p_text, results
from spineclock.stats.survival.follow_up import FollowUp, TimeTo, follow_up
from spineclock.stats.survival.hazards import HazardRatios

FEWEST_PAIRS = 30
"""People scanned twice, below whom a reliability is too unsure to divide by."""
_Z = float(stats.norm.ppf(0.975))


class Scale(NamedTuple):
    """What a log hazard ratio per year of measured gap is multiplied by, and that number's variance."""

    per: Literal["SD", "year"]
    factor: float
    variance: float
    unit_years: float


@dataclass(frozen=True)
class CalibratedHazardRatios:
    """Cox hazard ratios per SD and per year of the measured gap and, freed of its error, of the true gap.

    β of the measured gap is divided by the reliability λ given the model's covariates; intervals hold the uncertainty
    of both (delta method). λ is known from ``repeats`` (1 − σ²/V, σ² half the mean squared difference of two scans of
    a person, V the variance of the gap about its regression on the covariates in the study's own rows), or from
    ``true``, a column of true gaps (the slope of the true gap on the measured one and the covariates): where people
    are simulated, or a validation study knows the truth.

    Right where the error is classical (of mean 0 whatever the true gap, the covariates and the outcome), and the event
    rare or the effect small: the error shrinks β a little more where most have the event. Error that both scans of a
    person share (a scanner's, the network's own idea of this spine) is not in σ², and λ then too large; true change
    between the scans is in it, and λ then too small. p is the raw one throughout: error weakens a test but leaves it
    valid.

    Each model gives rows of ``gap`` "measured" and, where λ is known, "true", per "SD" of that gap and per "year".
    Extra columns: ``model``, ``adjusted_for``, ``gap``, ``per``, ``unit_years`` (the SD, or 1), ``log_ratio``, ``se``,
    ``reliability`` with ``reliability_low`` and ``reliability_high``, ``reliability_of`` ("repeat scans", "true gaps",
    or nothing of the measured gap), ``pairs``, then those of :class:`HazardRatios`.

    Parameters
    ----------
    outcome
        Columns of the event's time and kind.
    exposure
        The measured gap, in years.
    models
        Covariates by the model's name; all are fitted to the rows that are complete in the largest.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> true = rng.normal(0, 4, 3000)
    >>> years = rng.exponential(20 * np.exp(-0.1 * true))
    >>> table = pd.DataFrame({"person_id": range(3000), "gap_years": true + rng.normal(0, 3, 3000),
    ...                       "fracture_years": years.clip(max=5), "fracture": years < 5})
    >>> twice = rng.normal(0, 4, (400, 1)) + rng.normal(0, 3, (400, 2))
    >>> found = CalibratedHazardRatios(TimeTo("fracture"), models={"M1": ()})(table, repeats=twice)
    >>> found.loc[found["per"] == "year", ["gap", "estimate"]].round(2).to_numpy().tolist()  # truth: exp(0.1) = 1.11
    [['measured', 1.07], ['true', 1.11]]
    """

    outcome: TimeTo
    exposure: str = "gap_years"
    models: Mapping[str, Sequence[str]] = field(
        default_factory=lambda: {"unadjusted": (), "age and sex": ("age_years", "sex")}
    )
    person: str | None = "person_id"
    split: str = "split"
    rows: str | None = None

    def __call__(
        self, table: pd.DataFrame, *, repeats: npt.ArrayLike | None = None, true: str | None = None
    ) -> pd.DataFrame:
        """The rows of each model; those of the measured gap alone where neither repeats nor a true gap is given.

        Parameters
        ----------
        table : DataFrame
            One row a scan.
        repeats : array-like, shape (pairs, 2), optional
            Measured gaps in years of people scanned twice, not necessarily those of the table.
        true : str, optional
            The column of true gaps, in years.

        Raises
        ------
        TableError
            As :class:`HazardRatios`; and with fewer than 30 pairs, or a true gap missing.
        UsageError
            If both ``repeats`` and ``true`` are given, or no reliability above 0 comes of them.
        """
        if repeats is not None and true is not None:
            raise UsageError("both repeat scans and true gaps", wanted="one of the two")
        names = [*dict.fromkeys([self.exposure, *(c for each in self.models.values() for c in each)])]
        kept = follow_up(
            table, self.outcome, names=[*names, *([true] if true else [])], person=self.person, split=self.split,
            rows=self.rows, at_least=2,
        )  # fmt: skip
        raw = HazardRatios(self.outcome, [self.exposure], self.models, person=self.person)(kept.table)
        rows: list[dict[str, Any]] = []
        for row in raw.to_dict("records"):
            told = {str(name): value for name, value in row.items()} | {"left_out": kept.left_out}
            rows += self._of_model(kept, told, repeats, true)
        return results(rows)

    def _of_model(
        self, kept: FollowUp, row: dict[str, Any], repeats: npt.ArrayLike | None, true: str | None
    ) -> list[dict[str, Any]]:
        gap = kept.table[self.exposure].to_numpy(dtype=np.float64)
        sd = float(gap.std(ddof=1))
        unknown = dict.fromkeys(("reliability", "reliability_low", "reliability_high"), np.nan)
        row = row | unknown | {"reliability_of": "", "pairs": 0}
        rows = [
            self._row(row, Scale("SD", sd, 0.0, sd), "measured"),
            self._row(row, Scale("year", 1.0, 0.0, 1.0), "measured"),
        ]
        if repeats is None and true is None:
            return rows
        rest, spent = residuals(gap, kept.table, self.models[row["model"]])
        if true is not None:
            told = kept.table[true].to_numpy(dtype=np.float64)
            found = reliability_of_true(told, rest, kept.table, self.models[row["model"]])
            true_sd = float(told.std(ddof=1))
            scales = [
                per_year(found),
                Scale("SD", true_sd / found.value, true_sd**2 * per_year(found).variance, true_sd),
            ]
        else:
            pairs = np.asarray(repeats, dtype=np.float64)
            if pairs.ndim != 2 or pairs.shape[1] != 2 or len(pairs) < FEWEST_PAIRS:
                raise TableError(f"repeat scans of shape {pairs.shape}", wanted=f"at least {FEWEST_PAIRS} pairs")
            found = reliability(*pairs.T, exposure=rest, further=spent)
            scales = [per_year(found), per_true_sd(found, sd)]
        most = 1.0 if true is None else np.inf
        low, high = (max(0.0, min(most, found.value + side * _Z * found.standard_error)) for side in (-1, 1))
        about = {
            "reliability": found.value, "reliability_low": low, "reliability_high": high,
            "reliability_of": found.of, "pairs": found.pairs,
        }  # fmt: skip
        return rows + [self._row(row, scale, "true") | about for scale in reversed(scales)]

    def _row(self, row: Mapping[str, Any], scale: Scale, gap: str) -> dict[str, Any]:
        """One ratio; the raw row's coefficient is per year of measured gap."""
        b, error = float(np.log(row["estimate"])), float(row["se"])
        log_ratio = b * scale.factor
        se = float(np.sqrt((error * scale.factor) ** 2 + b**2 * scale.variance))
        estimate, low, high = (float(np.exp(log_ratio + side * _Z * se)) for side in (0, -1, 1))
        unit = "year" if scale.per == "year" else f"SD ({number(scale.unit_years)} years)"
        alike = f", {row['adjusted_for'].replace('_', ' ')} alike" if row["adjusted_for"] else ""
        return {
            **row,
            "estimate": estimate,
            "low": low,
            "high": high,
            "sentence": (
                f"With each {unit} of {gap} gap the rate of {self.outcome.words} is multiplied by {number(estimate)} "
                f"(95% CI {number(low)} to {number(high)}; {p_text(row['p'])}){alike}; {row['events']:,} events in "
                f"{row['n']:,} rows."
            ),
            "gap": gap,
            "per": scale.per,
            "unit_years": scale.unit_years,
            "log_ratio": log_ratio,
            "se": se,
        }


def residuals(values: Floats, table: pd.DataFrame, covariates: Sequence[str]) -> tuple[Floats, int]:
    """(n,) what is left of some values after their regression on covariates, and how many coefficients that cost.

    >>> left, spent = residuals(np.array([1.0, 2, 4]), pd.DataFrame({"age": [1, 2, 3]}), ["age"])
    >>> left.round(3).tolist(), spent
    ([0.167, -0.333, 0.167], 1)
    """
    design = np.column_stack([np.ones(len(values)), expand(table, covariates).matrix])
    away = design - design.mean(axis=0) * (np.arange(design.shape[1]) > 0)
    fitted, _, rank, _ = np.linalg.lstsq(away, values, rcond=None)
    return np.asarray(values - away @ fitted), int(rank) - 1


def reliability_of_true(true: Floats, rest: Floats, table: pd.DataFrame, covariates: Sequence[str]) -> Reliability:
    """λ as the slope of the true gap on the measured one, both given the covariates (the validation study's).

    It may be above 1: a measured gap of 0.5 · true gap + error of a small variance has a slope near 2.

    Parameters
    ----------
    true : array, shape (n,)
        True gaps, years.
    rest : array, shape (n,)
        Residuals of the measured gap on the covariates.

    Raises
    ------
    UsageError
        If it is not above 0.
    """
    own, spent = residuals(true, table, covariates)
    square = float(rest @ rest)
    slope = float(rest @ own) / square
    away = own - slope * rest
    error = float(np.sqrt(np.square(rest * away).sum())) / square  # robust: HC0
    df = len(true) - 2 - spent
    variances = float(np.square(rest - own).sum()) / df, square / (df + 1)
    return Reliability(slope, error, *variances, len(true), "true gaps")


def per_year(found: Reliability) -> Scale:
    """1/λ, which a coefficient per year is multiplied by."""
    return Scale("year", 1 / found.value, found.standard_error**2 / found.value**4, 1.0)


def per_true_sd(found: Reliability, sd_years: float) -> Scale:
    """√(SD² − σ²)/λ: from a year of the measured gap to an SD of the true one.

    σ² is in both, in the SD of the true gap and in λ, which the delta method minds. The number of years that an SD is
    counts as known, as it does for the measured gap.

    >>> found = Reliability(0.64, 0.0, 9.0, 25.0, 300)
    >>> scale = per_true_sd(found, 5.0)
    >>> scale.unit_years, round(scale.factor, 4)
    (4.0, 6.25)

    Raises
    ------
    UsageError
        If the error is as large as the gap's variance.
    """
    left = sd_years**2 - found.error_variance
    if left <= 0:
        raise UsageError(
            f"an error variance of {found.error_variance:.2f} beside a gap's of {sd_years**2:.2f} years²",
            wanted="repeat scans that agree better than strangers'",
        )
    factor = float(np.sqrt(left)) / found.value
    of_error = 1 / (found.variance * found.value) - 1 / (2 * left)  # d log factor / d σ²
    variance = (factor * of_error * found.error_variance) ** 2 * 2 / found.pairs
    return Scale("SD", factor, float(variance), float(np.sqrt(left)))
