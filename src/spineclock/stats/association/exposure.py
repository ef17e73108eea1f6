"""What the gap does as an exposure, freed of its own measurement error: regression calibration.

A gap measured with error makes hazard, odds and linear coefficients too small (as an outcome it only makes them
less certain). With the reliability λ = variance of the true gap / variance of the measured one, the coefficient of
the true gap is about the raw one over λ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.association.design import require
from spineclock.stats.result import number, p_text, results


@dataclass(frozen=True)
class Reliability:
    """The share of a measured gap's variance that is of the true gap, which coefficients are divided by.

    From true gaps it is the slope of the true gap on the measured one. With classical error the two are the same; where
    predictions shrink the gap the slope may be above 1.
    """

    value: float
    standard_error: float
    error_variance: float
    """Of one measurement, in years²."""
    variance: float
    """Of the measured gap where it is the exposure, in years²."""
    pairs: int
    of: Literal["repeat scans", "true gaps"] = "repeat scans"
    """What it is known from; a share, as repeat scans tell it, is at most 1."""

    def __post_init__(self) -> None:
        share = self.of == "repeat scans"
        if not 0 < self.value < np.inf or (share and self.value > 1) or self.standard_error < 0:
            raise UsageError(
                f"a reliability of {self.value:.3f} with standard error {self.standard_error:.3f}",
                wanted=f"above 0{' and up to 1' if share else ''}, as coefficients are divided by it",
                remedy="repeat scans that agree no better than strangers' tell nothing of the gap as an exposure"
                if share
                else "measured gaps that do not rise with the true ones tell nothing of them as an exposure",
            )


def reliability(
    first: npt.ArrayLike, second: npt.ArrayLike, *, exposure: npt.ArrayLike | None = None, further: int = 0
) -> Reliability:
    """The reliability of the gap from people scanned twice.

    λ = 1 − σ²/V, σ² = half the mean squared difference of the two scans, V the variance of the measured gap. Its
    standard error is by the delta method, taking both as of normal values. As scans lie apart in time, σ² holds true
    change too, so λ is a lower bound and what is corrected with it an upper one.

    Parameters
    ----------
    first, second : array-like, shape (n,)
        Gaps of the two scans of each person, in years.
    exposure : array-like, shape (N,), optional
        The gap in the study in which it is the exposure. V is taken there, so that the error and not the share is
        what is carried over. Where the model has covariates, give the residuals of the gap on them. Without it V is
        that of the repeat scans (λ is then the one-way ICC).
    further : int
        How many coefficients those residuals cost.

    Examples
    --------
    >>> found = reliability([1.0, -2, 4, -3], [2.0, -3, 3, -2])
    >>> round(found.value, 3), found.error_variance
    (0.946, 0.5)

    Raises
    ------
    TableError
        If there are fewer than 3 pairs, or a value is missing.
    UsageError
        If λ is not above 0.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1 or len(a) < 3:
        raise TableError(f"first scans of shape {a.shape} and second of {b.shape}", wanted="at least 3 pairs")
    if not np.isfinite([a, b]).all():
        raise TableError("a repeat scan without a gap", wanted="a number in each", remedy="drop those pairs")
    n = len(a)
    error = float(np.square(a - b).mean() / 2)
    if exposure is None:
        between = float(2 * np.var((a + b) / 2, ddof=1))
        value = (between - error) / (between + error)
        # F = between/error has independent chi-squares with n − 1 and n degrees of freedom (Fisher 1925)
        relative = np.sqrt(2 / (n - 1) + 2 / n)
        slope = 2 * (between / error) / (between / error + 1) ** 2 if error > 0 else 0.0
        return Reliability(value, float(slope * relative), error, (between + error) / 2, n)
    x = np.asarray(exposure, dtype=np.float64)
    df = len(x) - 1 - further
    if df < 2 or not np.isfinite(x).all():
        raise TableError(f"{len(x)} gaps as exposure, some perhaps missing", wanted="a number in each")
    variance = float(np.square(x - x.mean()).sum() / df)
    value = 1 - error / variance
    return Reliability(value, float((1 - value) * np.sqrt(2 / n + 2 / df)), error, variance, n)


@dataclass(frozen=True)
class Calibrated:
    """A coefficient per year of measured gap, and of true gap."""

    raw: float
    raw_standard_error: float
    corrected: float
    standard_error: float
    """With the uncertainty of the reliability in it."""

    def interval(self, coverage: float = 0.95) -> tuple[float, float]:
        """Ends of the corrected coefficient's interval."""
        half = float(stats.norm.ppf(0.5 + coverage / 2)) * self.standard_error
        return self.corrected - half, self.corrected + half


def calibrated(coefficient: float, standard_error: float, found: Reliability) -> Calibrated:
    """A coefficient of the gap (linear, log odds, log hazard) corrected for the gap's measurement error.

    β/λ, with variance se²/λ² + β² se(λ)²/λ⁴ (delta method; Rosner, Willett and Spiegelman 1989). Exact for a linear
    model with errors independent of all else; for odds and hazards near where effects are small or events rare.

    >>> c = calibrated(0.05, 0.01, Reliability(0.8, 0.0, 4.0, 20.0, 300))
    >>> round(c.corrected, 4), round(c.standard_error, 4)
    (0.0625, 0.0125)
    """
    error = np.sqrt(standard_error**2 / found.value**2 + coefficient**2 * found.standard_error**2 / found.value**4)
    return Calibrated(coefficient, standard_error, coefficient / found.value, float(error))


@dataclass(frozen=True)
class RegressionCalibration:
    """Results of models with the gap as exposure, and beside each raw figure the one of the true gap.

    Called with a frame of results (a Cox model's hazard ratios, say) it returns the same
    rows twice: ``correction`` "none", then "regression calibration". Extra columns: ``correction``, ``reliability``,
    ``reliability_se``; those of the frame stay. The p of no effect is the raw one in both: error in the gap weakens
    the test but does not make it wrong. Standard errors are read from ``se`` (of the coefficient, or of its logarithm
    where ``scale`` is a ratio), else from the 95% interval.

    >>> raw = results([{"term": "gap", "estimate": 1.50, "low": 1.20, "high": 1.875, "p": 0.0004, "n": 900}])
    >>> both = RegressionCalibration(Reliability(0.73, 0.03, 8.0, 30.0, 303), scale="hazard ratio")(raw)
    >>> both["estimate"].round(2).tolist()
    [1.5, 1.74]
    """

    found: Reliability
    scale: Literal["linear", "odds ratio", "hazard ratio"] = "linear"
    per: Literal["year", "measured SD"] = "year"
    """What the raw figures are per: a year of gap (or any number of years), corrected by λ, or one SD of the measured
    gap, corrected to one SD of the true gap, which is smaller, by √λ."""

    def __post_init__(self) -> None:
        if self.per == "measured SD" and self.found.value > 1:
            raise UsageError(
                f"a reliability of {self.found.value:.3f} for figures per SD of the measured gap",
                wanted="up to 1, as √λ is the true gap's SD over the measured one's with classical error alone",
                remedy="correct figures per year",
            )

    def __call__(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows, raw and corrected; a TableError where a ratio is not above 0 or has no interval."""
        require(frame, ["term", "estimate", "low", "high", "p", "n"])
        rows: list[dict[str, Any]] = []
        for _, series in frame.iterrows():
            raw = {str(name): value for name, value in series.items()}
            told = {"reliability": self.found.value, "reliability_se": self.found.standard_error}
            sentence = raw.get("sentence")
            rows.append(raw | {"correction": "none", "sentence": sentence if isinstance(sentence, str) else ""} | told)
            rows.append(self._corrected(raw) | told)
        return results(rows)

    def _corrected(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        ratio = self.scale != "linear"
        values = np.array([raw["estimate"], raw["low"], raw["high"]], dtype=np.float64)
        if not np.isfinite(values).all() or (ratio and (values <= 0).any()):
            raise TableError(
                f"{raw['term']}: estimate {values[0]:g}, interval {values[1]:g} to {values[2]:g}",
                wanted=f"numbers{' above 0' if ratio else ''} in results of the scale {self.scale}",
            )
        own = np.log(values) if ratio else values
        error = raw.get("se", np.nan)
        if not np.isfinite(error):
            error = (own[2] - own[1]) / (2 * stats.norm.ppf(0.975))
        lam = self.found
        if self.per == "measured SD":  # β √V λ^(1/2) / λ: the exponent of λ is −1/2, and its variance with it
            root = float(np.sqrt(lam.value))
            lam = Reliability(root, lam.standard_error / (2 * root), lam.error_variance, lam.variance, lam.pairs)
        both = calibrated(float(own[0]), float(error), lam)
        ends = np.array([both.corrected, *both.interval()])
        estimate, low, high = (float(v) for v in (np.exp(ends) if ratio else ends))
        words = "effect" if not ratio else self.scale
        sentence = (
            f"{raw['term']}: freed of the gap's measurement error (reliability {number(self.found.value)}) the {words} "
            f"is {number(estimate)} (95% CI {number(low)} to {number(high)}) in place of {number(values[0])}; "
            f"{p_text(float(raw['p']))}."
        )
        return dict(raw) | {
            "estimate": estimate,
            "low": low,
            "high": high,
            "se": both.standard_error,
            "correction": "regression calibration",
            "sentence": sentence,
        }
