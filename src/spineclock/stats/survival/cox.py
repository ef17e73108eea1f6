"""Cox's proportional hazards: the fit, its standard errors clustered by person, and the risk it predicts.

Sources: Cox 1972; ties by Efron 1977 (or Breslow 1974); Lin and Wei 1989 for the robust covariance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.association.fit import aliased
from spineclock.stats.survival.incidence import step
from spineclock.stats.survival.risk_sets import RiskSets

Ties = Literal["efron", "breslow"]


@dataclass(frozen=True, eq=False)
class CoxFit:
    """A fit of k logarithms of hazard ratios."""

    coefficients: Floats
    """(k,)."""
    covariance: Floats
    """(k, k), robust and clustered by person."""
    model_covariance: Floats
    """(k, k), the inverse information, right where the model is and each row is another person."""
    log_likelihood: float
    null_log_likelihood: float
    """With all coefficients 0."""
    influence: Floats
    """(n, k) what each row does to the coefficients (dfbeta)."""
    people: int
    sets: RiskSets
    centre: Floats
    """(k,) the columns' means, at which the baseline hazard is."""

    @property
    def standard_errors(self) -> Floats:
        """(k,), robust."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    def interval(self, coverage: float = 0.95) -> tuple[Floats, Floats]:
        """Lower and upper ends of each coefficient's interval, from the normal distribution."""
        half = stats.norm.ppf(0.5 + coverage / 2) * self.standard_errors
        return self.coefficients - half, self.coefficients + half

    def p(self) -> Floats:
        """Two-sided p (Wald) of each coefficient being 0."""
        return np.asarray(2 * stats.norm.sf(np.abs(self.coefficients / self.standard_errors)))

    def score(self, design: npt.ArrayLike) -> Floats:
        """(m,) the logarithm of each row's hazard over that of a row at the means."""
        return np.asarray((np.asarray(design, dtype=np.float64) - self.centre) @ self.coefficients)

    def risk(self, design: npt.ArrayLike, horizon: float) -> Floats:
        """(m,) the probability of the event by a horizon, if nothing else could come first.

        Raises
        ------
        UsageError
            If the horizon is beyond the follow-up, or the fit has strata, each with another baseline.
        """
        if len(np.unique(self.sets.stratum)) > 1:
            raise UsageError("a risk from a stratified fit", wanted="one without strata")
        last = float(self.sets.time.max())
        if not 0 <= horizon <= last:
            raise UsageError(f"a horizon of {horizon:g} years", wanted=f"0 to {last:.4g} years (follow-up ends there)")
        times, hazard = self.sets.baseline(self.coefficients)
        return np.asarray(-np.expm1(-step(times, hazard, [horizon])[0] * np.exp(self.score(design))))


def cox(
    design: npt.ArrayLike,
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    *,
    strata: npt.ArrayLike | None = None,
    people: npt.ArrayLike | None = None,
    ties: Ties = "efron",
) -> CoxFit:
    """The fit of Cox's model by Newton's steps.

    Parameters
    ----------
    design : array-like, shape (n, k)
        Columns, without a constant.
    time, event : array-like, shape (n,)
    strata : array-like, shape (n,), optional
        Groups with a baseline hazard each.
    people : array-like, shape (n,), optional
        Who each row is of; without it each row is another person.
    ties : "efron" or "breslow"

    Raises
    ------
    TableError
        If there are no more events than columns, columns depend on each other, or some combination of them tells who
        has the event first without fail, so that a ratio has no finite estimate.
    UsageError
        If the shapes do not fit.

    Examples
    --------
    >>> fit = cox([[0], [0], [1], [1], [0], [1]], [5, 4, 1, 3, 2, 6], [1, 0, 1, 1, 1, 0])
    >>> fit.coefficients.round(4).tolist(), fit.standard_errors.round(4).tolist()
    ([0.1008], [0.8195])
    """
    x = np.asarray(design, dtype=np.float64)
    sets = RiskSets.of(x, time, event, strata=strata, efron=ties == "efron")
    n, k = x.shape
    if sets.events <= k:
        raise TableError(f"{sets.events} event(s) for {k} coefficient(s)", wanted="more events than coefficients")
    if aliased(np.column_stack([np.ones(n), x])):
        raise TableError(
            "columns that are constant or depend on each other", wanted="independent ones", remedy="leave one out"
        )
    who = np.arange(n) if people is None else np.unique(np.asarray(people), return_inverse=True)[1].ravel()
    b, null, found = _newton(sets)
    inverse = np.asarray(np.linalg.inv(sets.information(b)), dtype=np.float64)
    effect = sets.score_residuals(b) @ inverse
    each = np.column_stack([np.bincount(who, weights=column) for column in effect.T]).astype(np.float64)
    return CoxFit(b, each.T @ each, inverse, found, null, effect, len(np.unique(who)), sets, x.mean(axis=0))


def _newton(sets: RiskSets) -> tuple[Floats, float, float]:
    """Coefficients, and the log-likelihood at 0 and at them."""
    scale = sets.design.std(axis=0)
    b = np.zeros(len(scale))
    likelihood = null = sets.log_likelihood(b)
    for _ in range(60):
        try:
            change = np.linalg.solve(sets.information(b), sets.gradient(b))
        except np.linalg.LinAlgError:
            break
        if float(np.abs(change * scale).max()) < 1e-9 * (1 + float(np.abs(b * scale).max())):
            return b, null, likelihood
        for _ in range(30):  # no step may lose
            new = sets.log_likelihood(b + change)
            if new >= likelihood - 1e-10 * (1 + abs(likelihood)):
                break
            change = change / 2
        b, likelihood = b + change, new
        if float(np.abs(b * scale).max()) > 30:
            break
    raise TableError(
        "columns that tell without fail who has the event first",
        wanted="events among those with and those without each of them",
        remedy="leave out what nobody with an event, or everybody, has",
    )
