"""Whether what a habit does to the gap changes with age, and at which age it changes sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from spineclock.core.errors import UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.association.fit import LinearFit, sums
from spineclock.stats.association.smooth import Grouped, along, grouped, natural_spline, with_constant
from spineclock.stats.result import interval_text, number, p_text, results

_BATCH = 200
"""Resamples held at once."""
CrossingInterval = Literal["fieller", "delta", "bootstrap"]


class Crossing(NamedTuple):
    """The age at which two straight lines of gap against age cross, with its 95% interval, in years.

    An end is infinite where the data cannot bound it.
    """

    age: float
    low: float
    high: float


class WaldTest(NamedTuple):
    """An F test that several coefficients are 0 together."""

    f: float
    df1: int
    df2: float
    p: float


@dataclass(frozen=True)
class AgeInteraction:
    """How the difference between groups changes with age: its slope, where it is 0, and whether its shape differs.

    Called with a table of one row a scan it returns for each group against the first, from straight lines:
    "change of difference per decade" (the test of group × age) and "crossing age"; from natural splines:
    "difference at …" for some ages, "difference in shape" (Wald F test that the curves run parallel) and "crossing
    age of the curves" (delta interval; NaN where they cross never or more than once between the ages that both have).
    All clustered by person (CR1, Student's t and F). Extra columns: ``group``, ``against``, ``statistic``, ``df1``,
    ``df2``, ``left_out``.

    Fieller's interval of the crossing age is the default as it stays right where the slope is uncertain, and is then
    rightly without end; "bootstrap" draws people (percentiles).

    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"age_years": rng.uniform(30, 80, 400), "heavy": np.arange(400) % 2})
    >>> table["gap_years"] = table["heavy"] * (55 - table["age_years"]) / 5 + rng.normal(0, 0.01, 400)
    >>> found = AgeInteraction("heavy", person=None)(table).set_index("term").estimate
    >>> round(float(found["change of difference per decade"]), 2), round(float(found["crossing age"]), 1)
    (-2.0, 55.0)
    """

    group: str
    value: str | None = None
    """The category to set against all others together, such as heavy of work."""
    gap: str = "gap_years"
    age: str = "age_years"
    person: str | None = "person_id"
    covariates: Sequence[str] = ()
    knots: int = 4
    at: Sequence[float] = (30.0, 50.0, 70.0)
    """Ages at which the difference is told; those not between the ages that both groups have are left out."""
    crossing: CrossingInterval = "fieller"
    resamples: int = 2000

    def __call__(self, table: pd.DataFrame, *, rng: np.random.Generator | None = None) -> pd.DataFrame:
        """The rows; ``rng`` is for ``crossing="bootstrap"`` only.

        Raises
        ------
        UsageError
            If a bootstrap has no ``rng``.
        TableError
            As of :func:`~spineclock.stats.association.smooth.grouped`.
        """
        if self.crossing == "bootstrap" and rng is None:
            raise UsageError("a bootstrap without randomness", wanted="rng=numpy.random.default_rng(seed)")
        data = grouped(
            table,
            group=self.group,
            value=self.value,
            gap=self.gap,
            age=self.age,
            person=self.person,
            covariates=self.covariates,
        )
        rows = []
        for g in range(1, len(data.labels)):
            fixed = {
                "n": int(np.isin(data.group, (0, g)).sum()),
                "group": data.labels[g],
                "against": data.labels[0],
                "left_out": data.left_out,
            }
            for row in (*self._straight(data, g, rng), *self._smooth(data, g)):
                empty = {"low": np.nan, "high": np.nan, "p": np.nan, "statistic": np.nan, "df1": np.nan, "df2": np.nan}
                rows.append({**empty, **row, **fixed})
        return results(rows)

    def _straight(self, data: Grouped, g: int, rng: np.random.Generator | None) -> list[dict[str, Any]]:
        """Rows from lines."""
        centre = float(data.age.mean())
        columns = with_constant((data.age - centre)[:, None])
        fit = data.fit(columns)
        apart = _apart(len(fit.coefficients), g, 2)
        slope, low, high = (10 * float(v[0]) for v in along(fit, apart[1:]))
        test = wald(fit, apart[1:])
        who = f"{data.labels[g]} against {data.labels[0]}"
        found = self._crossing(data, columns, fit, apart, rng)
        crossing = Crossing(*(centre + v for v in found))
        ends = f"{number(crossing.low, 1)} to {number(crossing.high, 1)}"
        bounded = np.isfinite([crossing.low, crossing.high]).all()
        return [
            {
                "term": "change of difference per decade",
                "estimate": slope,
                "low": low,
                "high": high,
                "p": test.p,
                "statistic": test.f,
                "df1": test.df1,
                "df2": test.df2,
                "sentence": f"The difference in spine age gap ({who}) changes by "
                f"{interval_text(slope, low, high, unit='years')} with each ten years of age ({p_text(test.p)}).",
            },
            {
                "term": "crossing age",
                "estimate": crossing.age,
                "low": crossing.low,
                "high": crossing.high,
                "sentence": f"The straight lines ({who}) cross at {number(crossing.age, 1)} years of age "
                + (f"(95% CI {ends}, {self.crossing})." if bounded else "(the data do not bound this age)."),
            },
        ]

    def _crossing(
        self, data: Grouped, columns: Floats, fit: LinearFit, apart: Floats, rng: np.random.Generator | None
    ) -> Crossing:
        """The crossing age from the mean age on."""
        b = apart @ fit.coefficients
        v = apart @ fit.covariance @ apart.T
        if rng is None or self.crossing != "bootstrap":
            return crossing_of_lines(
                b, v, df=float(fit.df[0]), method="delta" if self.crossing == "delta" else "fieller"
            )
        drawn = resampled(data, columns, rng=rng, resamples=self.resamples) @ apart.T
        low, high = np.quantile(-drawn[:, 0] / drawn[:, 1], (0.025, 0.975))
        return Crossing(float(-b[0] / b[1]), float(low), float(high))

    def _smooth(self, data: Grouped, g: int) -> list[dict[str, Any]]:
        """Rows from splines."""
        knots = data.knots(self.knots)
        fit = data.fit(with_constant(natural_spline(data.age, knots)))
        apart = _apart(len(fit.coefficients), g, len(knots))
        who = f"{data.labels[g]} against {data.labels[0]}"
        ages = [data.age[data.group == k] for k in (0, g)]
        first, last = max(a.min() for a in ages), min(a.max() for a in ages)
        rows: list[dict[str, Any]] = []
        for year in (a for a in self.at if first <= a <= last):
            contrast = with_constant(natural_spline([year], knots)) @ apart
            estimate, low, high = (float(v[0]) for v in along(fit, contrast))
            p = wald(fit, contrast).p
            text = f"{interval_text(estimate, low, high, unit='years')} ({p_text(p)})"
            rows.append(
                {
                    "term": f"difference at {year:g} years",
                    "estimate": estimate,
                    "low": low,
                    "high": high,
                    "p": p,
                    "sentence": f"At {year:g} years of age the spine age gap differs ({who}) by {text}.",
                }
            )
        test = wald(fit, apart[1:])
        shape = f"F({test.df1}, {test.df2:.0f}) = {test.f:.2f}, {p_text(test.p)}"
        rows.append(
            {
                "term": "difference in shape",
                "estimate": np.nan,
                "p": test.p,
                "statistic": test.f,
                "df1": test.df1,
                "df2": test.df2,
                "sentence": f"That the curves of gap against age run parallel ({who}): {shape}.",
            }
        )
        return [*rows, _curves_cross(fit, apart, knots, np.linspace(first, last, 2001), who)]


def crossing_of_lines(
    b: Floats, covariance: Floats, *, df: float, method: Literal["fieller", "delta"] = "fieller"
) -> Crossing:
    """Where b₀ + b₁ t is 0, with a 95% interval by Fieller's theorem or the delta method.

    Where the slope is not different from 0 Fieller's set has no end on one side or both: it is given as the whole line.

    >>> found = crossing_of_lines(np.array([1.0, -0.1]), np.diag([0.01, 0.0]), df=1e9, method="delta")
    >>> round(found.age, 2), round(found.low, 2)
    (10.0, 8.04)
    """
    at, q = float(-b[0] / b[1]), float(stats.t.ppf(0.975, df))
    if method == "delta":
        slope = np.array([-1 / b[1], b[0] / b[1] ** 2])
        half = q * float(np.sqrt(slope @ covariance @ slope))
        return Crossing(at, at - half, at + half)
    square = float(b[1] ** 2 - q**2 * covariance[1, 1])
    linear = float(b[0] * b[1] - q**2 * covariance[0, 1])
    rest = float(b[0] ** 2 - q**2 * covariance[0, 0])
    if square <= 0:  # the slope may be 0: no age is excluded on at least one side
        return Crossing(at, -np.inf, np.inf)
    root = float(np.sqrt(linear**2 - square * rest))
    return Crossing(at, (-linear - root) / square, (-linear + root) / square)


def wald(fit: LinearFit, contrast: Floats) -> WaldTest:
    """The F test that linear combinations (m, k) of a fit's coefficients are all 0."""
    b = contrast @ fit.coefficients
    f = float(b @ np.linalg.solve(contrast @ fit.covariance @ contrast.T, b)) / len(b)
    return WaldTest(f, len(b), float(fit.df[0]), float(stats.f.sf(f, len(b), fit.df[0])))


def resampled(data: Grouped, columns: Floats, *, rng: np.random.Generator, resamples: int) -> Floats:
    """Coefficients of :meth:`~spineclock.stats.association.smooth.Grouped.design` refitted to drawn people: (r, k).

    Each person's part of the normal equations is added up once, so that a resample is a weighted sum of them.
    """
    x = data.design(columns)
    order = np.argsort(data.people, kind="stable")
    starts = np.flatnonzero(np.diff(data.people[order], prepend=-1))
    k, count = x.shape[1], len(starts)
    products = sums((x[:, :, None] * x[:, None, :]).reshape(len(x), -1)[order], starts)
    moments = sums((x * data.gap[:, None])[order], starts)
    parts = []
    for size in np.diff(np.append(np.arange(0, resamples, _BATCH), resamples)):
        drawn = [np.bincount(rng.integers(0, count, count), minlength=count) for _ in range(size)]
        weights = np.array(drawn, dtype=np.float64)
        left = (weights @ products).reshape(size, k, k)
        parts.append(np.linalg.solve(left, (weights @ moments)[..., None])[..., 0])
    return np.concatenate(parts)


def _apart(k: int, g: int, each: int) -> Floats:
    """The contrast of group g's coefficients against group 0's, (each, k)."""
    contrast = np.zeros((each, k))
    contrast[:, g * each : (g + 1) * each] = np.eye(each)
    contrast[:, :each] = -np.eye(each)
    return contrast


def _curves_cross(fit: LinearFit, apart: Floats, knots: Sequence[float], years: Floats, who: str) -> dict[str, Any]:
    """The row of where two curves cross between the ages that both groups have."""
    basis = with_constant(natural_spline(years, knots)) @ apart
    difference = basis @ fit.coefficients
    at = np.flatnonzero(np.diff(np.sign(difference)) != 0)
    row: dict[str, Any] = {"term": "crossing age of the curves", "estimate": np.nan}
    between = f"between {years[0]:.0f} and {years[-1]:.0f} years of age"
    if len(at) != 1:
        places = f" (at {', '.join(f'{years[k]:.0f}' for k in at)})" if len(at) else ""
        how = f"{len(at)} times{places}" if len(at) else "never"
        return row | {"sentence": f"The curves ({who}) cross {how} {between}."}
    k = int(at[0])
    slope = (difference[k + 1] - difference[k]) / (years[k + 1] - years[k])
    age = float(years[k] - difference[k] / slope)
    contrast = with_constant(natural_spline([age], knots)) @ apart
    error = float(np.sqrt((contrast @ fit.covariance @ contrast.T)[0, 0])) / abs(slope)
    half = float(stats.t.ppf(0.975, fit.df[0])) * error
    text = f"{number(age, 1)} years (95% CI {number(age - half, 1)} to {number(age + half, 1)}, delta)"
    row |= {"estimate": age, "low": age - half, "high": age + half}
    return row | {"sentence": f"The curves ({who}) cross once {between}, at {text}."}
