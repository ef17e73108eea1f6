"""Least squares with standard errors that know which rows are of one person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats

StandardErrors = Literal["CR1", "CR2", "classical"]
"""CR1 is the usual cluster-robust covariance with G/(G − 1) · (n − 1)/(n − k) (Stata, statsmodels, sandwich's HC1);
CR2 scales each person's residuals by what the fit took from them (Bell and McCaffrey 2002), which matters for terms
few people have; classical takes all rows as independent and equally spread."""
_ALIASED = 1e-8
"""Share of a column's length that must be its own for the column to count as one."""


@dataclass(frozen=True)
class LinearFit:
    """A least-squares fit of k coefficients."""

    coefficients: Floats
    """(k,)."""
    covariance: Floats
    """(k, k)."""
    df: Floats
    """(k,) degrees of freedom of each coefficient's t reference."""
    rows: int
    clusters: int

    @property
    def standard_errors(self) -> Floats:
        """(k,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    def interval(self, coverage: float = 0.95) -> tuple[Floats, Floats]:
        """Lower and upper ends of each coefficient's confidence interval, from Student's t."""
        half = stats.t.ppf(0.5 + coverage / 2, self.df) * self.standard_errors
        return self.coefficients - half, self.coefficients + half

    def p(self) -> Floats:
        """Two-sided p of each coefficient being 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(2 * stats.t.sf(np.abs(self.coefficients / self.standard_errors), self.df))


def least_squares(
    design: npt.ArrayLike,
    outcome: npt.ArrayLike,
    *,
    clusters: npt.ArrayLike | None = None,
    standard_errors: StandardErrors = "CR2",
) -> LinearFit:
    """The least-squares fit of an outcome on the columns of a design.

    Parameters
    ----------
    design : array-like, shape (n, k)
        Its columns, the constant among them; independent of each other (see :func:`aliased`).
    outcome : array-like, shape (n,)
    clusters : array-like, shape (n,), optional
        Who each row is of. Without it each row is another person.
    standard_errors : "CR1", "CR2" or "classical"
        The t reference has, for CR1, the smaller of people − 1 and n − k degrees of freedom; for CR2 Bell and
        McCaffrey's for each coefficient; for the classical ones n − k.

    Raises
    ------
    TableError
        If there are no more rows than columns, fewer than two people, or columns that depend on each other.

    Examples
    --------
    >>> fit = least_squares([[1, 0], [1, 0], [1, 1], [1, 1]], [1, 3, 5, 7], standard_errors="classical")
    >>> fit.coefficients.round(6).tolist(), fit.standard_errors.round(6).tolist()
    ([2.0, 4.0], [1.0, 1.414214])
    """
    x, y = np.asarray(design, dtype=np.float64), np.asarray(outcome, dtype=np.float64)
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise UsageError(f"a design of shape {x.shape} and an outcome of shape {y.shape}", wanted="(n, k) and (n,)")
    n, k = x.shape
    if n <= k:
        raise TableError(f"{n} row(s) for {k} coefficients", wanted="more rows than coefficients")
    q, r = np.linalg.qr(x)
    if (np.abs(np.diag(r)) < _ALIASED * np.linalg.norm(x, axis=0)).any():
        raise TableError("columns that depend on each other", wanted="independent ones", remedy="leave one out")
    own = q.T @ y
    back = np.linalg.inv(r)
    residual = y - q @ own
    if standard_errors == "classical":
        spread = float(residual @ residual) / (n - k)
        return LinearFit(back @ own, spread * (back @ back.T), np.full(k, float(n - k)), n, n)
    who = np.arange(n) if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1].ravel()
    order = np.argsort(who, kind="stable")
    q, residual = q[order], residual[order]
    starts = np.flatnonzero(np.diff(who[order], prepend=-1))
    count = len(starts)
    if count < 2:
        raise TableError(f"rows of {count} person", wanted="at least 2 for clustered standard errors")
    if standard_errors == "CR1":
        score = sums(q * residual[:, None], starts)
        scale = count / (count - 1) * (n - 1) / (n - k)
        covariance = scale * back @ (score.T @ score) @ back.T
        return LinearFit(back @ own, covariance, np.full(k, float(min(count - 1, n - k))), n, count)
    if standard_errors != "CR2":
        raise UsageError(f"standard errors {standard_errors!r}", wanted="CR1, CR2 or classical")
    moved = _levered(np.column_stack([q, residual]), q, starts)
    score = sums(q * moved[:, -1:], starts)
    df = np.array([_satterthwaite(q, moved[:, :-1] @ back[j], starts) for j in range(k)])
    return LinearFit(back @ own, back @ (score.T @ score) @ back.T, df, n, count)


def _levered(columns: Floats, q: Floats, starts: npt.NDArray[np.int64]) -> Floats:
    """(I − H)^(−1/2) of each person's own rows, times those rows of some columns (n, c).

    Rows lie person by person, each from its start on.
    """
    out = np.empty_like(columns)
    held = np.diff(starts, append=len(q))
    for size in np.unique(held):
        rows = starts[held == size][:, None] + np.arange(size)  # (people, size)
        if size == 1:  # the hat matrix is a number
            rows = rows[:, 0]
            out[rows] = columns[rows] * _inverse_root(1 - np.square(q[rows]).sum(axis=1))[:, None]
            continue
        u, d, _ = np.linalg.svd(q[rows], full_matrices=False)
        scale = (_inverse_root(1 - d**2) - 1)[..., None]
        out[rows] = columns[rows] + u @ (scale * (u.swapaxes(-1, -2) @ columns[rows]))
    return out


def sums(values: Floats, starts: npt.NDArray[np.int64]) -> Floats:
    """Each person's sum of rows that lie person by person, each from its start on: (people, …).

    >>> sums(np.array([[1.0], [2], [4]]), np.array([0, 1])).tolist()
    [[1.0], [6.0]]
    """
    out = values[starts]
    further = np.ones(len(values), dtype=bool)
    further[starts] = False
    if further.any():  # few people have a second scan: much quicker than reduceat
        rows = np.flatnonzero(further)
        np.add.at(out, np.searchsorted(starts, rows, side="right") - 1, values[rows])
    return out


def _inverse_root(left: Floats) -> Floats:
    """1/√x, and 0 where a row is reproduced exactly by the fit, which then has no residual to scale up."""
    some = left > 1e-10
    return np.where(some, 1 / np.sqrt(np.where(some, left, 1)), 0)


def _satterthwaite(q: Floats, a: Floats, starts: npt.NDArray[np.int64]) -> float:
    """Bell and McCaffrey's degrees of freedom, (tr P)²/tr P², for P of people × people without ever holding it.

    Under equal spread P = δ s − w wᵀ, with s the squared length of a person's part of ``a`` and w = Qᵀa of it.
    """
    s = sums(a**2, starts)
    w = sums(q * a[:, None], starts)
    own = np.square(w).sum(axis=1)
    trace = float((s - own).sum())
    squared = float(np.square(w.T @ w).sum() - 2 * (s * own).sum() + (s**2).sum())
    return trace**2 / squared


def aliased(design: npt.ArrayLike) -> dict[int, tuple[int, ...]]:
    """The columns that are combinations of earlier ones, each with the earlier ones it is made of.

    >>> aliased([[1, 0, 1, 1], [1, 1, 0, 5], [1, 0, 1, 2], [1, 1, 0, 3]])
    {2: (0, 1)}
    """
    x = np.asarray(design, dtype=np.float64)
    found: dict[int, tuple[int, ...]] = {}
    kept: list[int] = []
    basis = np.empty((len(x), 0))
    for j, column in enumerate(x.T):
        left = column - basis @ (basis.T @ column)
        left = left - basis @ (basis.T @ left)  # twice is enough
        length = float(np.linalg.norm(left))
        if length > _ALIASED * max(float(np.linalg.norm(column)), 1e-300):
            kept.append(j)
            basis = np.column_stack([basis, left / length])
        else:
            share = np.linalg.lstsq(x[:, kept], column, rcond=None)[0] if kept else np.empty(0)
            found[j] = tuple(np.array(kept, dtype=int)[np.abs(share) > 1e-6].tolist())
    return found


def variance_inflation(design: npt.ArrayLike) -> Floats:
    """How many times each column's variance the others make it, 1/(1 − R²): (k,), without the constant.

    >>> variance_inflation([[0, 1], [1, 0], [2, 1], [3, 0]]).round(3).tolist()
    [1.25, 1.25]
    """
    x = np.asarray(design, dtype=np.float64)
    if x.shape[1] < 2:
        return np.ones(x.shape[1])
    return np.asarray(np.diag(np.linalg.inv(np.corrcoef(x, rowvar=False))))
