"""What a study of everybody would find: large-sample fits to which studies of made-up people are compared.

A hazard ratio of the gap adjusted for this and not for that, or a linear effect of a finding on a gap that causes the
finding, is no coefficient of the phantom. It is where the statistic's own estimator tends to, and that is computed here
on a million people: by least squares from sums, by Cox regression, by counting, each with a Monte Carlo standard error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spineclock.core.errors import UsageError

Floats = npt.NDArray[np.float64]
_ENOUGH = 1e-9
_STEPS = 30


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums of products that a linear model needs of some rows; sums of parts add up."""

    gram: Floats
    """(terms + 1, terms + 1): products of an intercept and the terms."""
    products: Floats
    """(terms + 1,): with the outcome."""
    rows: int

    @classmethod
    def of(cls, terms: Floats, outcome: Floats) -> Sums:
        """The sums of (n, terms) and (n,)."""
        design = np.column_stack([np.ones(len(outcome)), terms])
        return cls(design.T @ design, design.T @ outcome, len(outcome))

    def __add__(self, other: Sums) -> Sums:
        return Sums(self.gram + other.gram, self.products + other.products, self.rows + other.rows)

    def __sub__(self, other: Sums) -> Sums:
        return Sums(self.gram - other.gram, self.products - other.products, self.rows - other.rows)

    def effects(self) -> Floats:
        """The terms' coefficients, NaN for those of which no row has any."""
        held = np.diag(self.gram) > 0
        found = np.full(len(self.products), np.nan)
        found[held] = np.linalg.solve(self.gram[np.ix_(held, held)], self.products[held])
        return found[1:]


@dataclass(frozen=True, eq=False)
class Projected:
    """Large-sample estimates with their Monte Carlo standard errors, (terms,) each."""

    estimate: Floats
    standard_error: Floats


@dataclass(frozen=True, eq=False)
class CoxFit:
    """A Cox regression."""

    log_hazard_ratio: Floats
    """(terms,) a unit of each."""
    standard_error: Floats
    """From the information: right if hazards are proportional."""
    robust_error: Floats
    """Lin and Wei's sandwich (JASA 84:1074, 1989): right for the estimator's limit even if they are not."""
    events: int
    rows: int


def linear(parts: Sequence[Sums]) -> Projected:
    """The linear effects on all rows, with a standard error from leaving out one part at a time.

    Parameters
    ----------
    parts : sequence of Sums
        Of people drawn apart, about equally many in each; at least two.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x = rng.standard_normal((20, 500, 1))
    >>> found = linear([Sums.of(one, 2 * one[:, 0] + rng.standard_normal(500)) for one in x])
    >>> bool(abs(found.estimate[0] - 2) < 4 * found.standard_error[0]), bool(0.005 < found.standard_error[0] < 0.02)
    (True, True)

    Raises
    ------
    UsageError
        If there are fewer than two parts.
    """
    if len(parts) < 2:
        raise UsageError(f"{len(parts)} parts of people", wanted="two or more", remedy="draw more people")
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    left_out = np.array([(total - part).effects() for part in parts])
    spread = ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0)
    return Projected(total.effects(), np.sqrt(spread * (len(parts) - 1) / len(parts)))


def log_odds_ratio(counts: npt.ArrayLike) -> tuple[float, float]:
    """The logarithm of an odds ratio and its standard error, NaN where a cell is empty.

    Parameters
    ----------
    counts : array, (2, 2)
        With and without, above and below: ``[[a, b], [c, d]]`` gives ad / bc.

    >>> log, error = log_odds_ratio([[20, 80], [10, 90]])
    >>> round(float(np.exp(log)), 3), round(error, 4)
    (2.25, 0.4167)
    """
    cells = np.asarray(counts, dtype=float)
    if (cells == 0).any():
        return float("nan"), float("nan")
    return float(np.log(cells[0, 0] * cells[1, 1] / cells[0, 1] / cells[1, 0])), float(np.sqrt((1 / cells).sum()))


def cox(terms: Floats, years: Floats, event: npt.NDArray[np.bool_]) -> CoxFit:
    """Cox regression by Newton's steps, halved where they overshoot; ties as Breslow has them; quick on a million rows.

    The risk sets' sums change at event times only, and the products' sum over risk sets is one product of matrices,
    Σₖ dₖ S2ₖ/S0ₖ = Xᵀ diag(w Λ(t)) X, Λ being Breslow's cumulative hazard.

    Parameters
    ----------
    terms : array, (n, terms)
    years : array, (n,)
    event : bool array, (n,)

    Raises
    ------
    UsageError
        If there are no events, a term does not vary, or the steps do not settle.
    """
    sets = _risk_sets(terms, years, event)
    beta = np.zeros(terms.shape[1])
    for _ in range(_STEPS):
        score, information, _ = _derivatives(sets, beta)
        step = np.linalg.solve(information, score)
        begun = _log_likelihood(sets, beta)
        while _log_likelihood(sets, beta + step) < begun - _ENOUGH * abs(begun):
            step = step / 2
        beta = beta + step
        if np.abs(step).max() < _ENOUGH:
            break
    else:
        raise UsageError("a Cox regression that does not settle", remedy="leave out a term with hardly any events")
    _, information, residuals = _derivatives(sets, beta, residuals=True)
    bread = np.linalg.inv(information)
    robust = bread @ (residuals.T @ residuals) @ bread
    return CoxFit(
        log_hazard_ratio=beta / sets.scale,
        standard_error=np.sqrt(np.diag(bread)) / sets.scale,
        robust_error=np.sqrt(np.diag(robust)) / sets.scale,
        events=int(event.sum()),
        rows=len(years),
    )


@dataclass(frozen=True, eq=False)
class _RiskSets:
    """Rows by time, and where among them each event time's risk set begins."""

    x: Floats
    """Centred, in standard deviations."""
    scale: Floats
    event: npt.NDArray[np.bool_]
    start: npt.NDArray[np.int64]
    """(event times,) first row at risk."""
    deaths: Floats
    """(event times,) how many events."""
    passed: npt.NDArray[np.int64]
    """(n,) event times up to and with the row's own."""


def _risk_sets(terms: Floats, years: Floats, event: npt.NDArray[np.bool_]) -> _RiskSets:
    if not event.any():
        raise UsageError("a Cox regression without events", wanted="at least one")
    scale = terms.std(axis=0)
    if (scale == 0).any():
        raise UsageError(
            f"the term {int(np.flatnonzero(scale == 0)[0])} is the same in all rows", remedy="leave it out"
        )
    order = np.argsort(years, kind="stable")
    t, e = years[order], event[order]
    x = (terms[order] - terms.mean(axis=0)) / scale
    times, deaths = np.unique(t[e], return_counts=True)
    return _RiskSets(
        x, scale, e, np.searchsorted(t, times, "left"), deaths.astype(float), np.searchsorted(times, t, "right")
    )


def _log_likelihood(sets: _RiskSets, beta: Floats) -> float:
    """Breslow's log partial likelihood; −∞ where it is beyond what numbers can hold."""
    risk = sets.x @ beta
    top = float(risk.max())  # taken out, so that no exponential overflows
    at_risk = np.add.reduceat(np.exp(risk - top), sets.start)[::-1].cumsum()[::-1]
    if not (at_risk > 0).all():
        return -np.inf
    return float(risk[sets.event].sum() - sets.deaths @ (np.log(at_risk) + top))


def _derivatives(sets: _RiskSets, beta: Floats, *, residuals: bool = False) -> tuple[Floats, Floats, Floats]:
    """Score, information, and each row's score residual where asked for."""
    w = np.exp(sets.x @ beta)
    weighted = w[:, None] * sets.x
    s0 = np.add.reduceat(w, sets.start)[::-1].cumsum()[::-1]
    s1 = np.add.reduceat(weighted, sets.start, axis=0)[::-1].cumsum(axis=0)[::-1]
    mean = s1 / s0[:, None]
    hazard = np.r_[0.0, np.cumsum(sets.deaths / s0)][sets.passed]
    score = sets.x[sets.event].sum(axis=0) - sets.deaths @ mean
    information = sets.x.T @ (hazard[:, None] * weighted) - (mean * sets.deaths[:, None]).T @ mean
    if not residuals:
        return score, information, np.empty((0, 0))
    gone = np.vstack([np.zeros(len(beta)), np.cumsum((sets.deaths / s0)[:, None] * mean, axis=0)])[sets.passed]
    each = -w[:, None] * (sets.x * hazard[:, None] - gone)
    each[sets.event] += sets.x[sets.event] - mean[sets.passed[sets.event] - 1]
    return score, information, each
