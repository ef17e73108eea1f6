"""Whether the rate of an event differs between groups: the log-rank test, within strata where there are any."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats


@dataclass(frozen=True, eq=False)
class LogRank:
    """A χ² with its degrees of freedom and p; a small p speaks for rates that differ."""

    statistic: float
    df: int
    p: float
    groups: npt.NDArray[np.object_]
    """(k,) the groups' names, sorted."""
    observed: Floats
    """(k,) events."""
    expected: Floats
    """(k,) events, were the rates of all groups of a stratum alike."""


def log_rank(
    time: npt.ArrayLike, event: npt.ArrayLike, group: npt.ArrayLike, *, strata: npt.ArrayLike | None = None
) -> LogRank:
    """The log-rank test of two or more groups (Mantel 1966; Peto and Peto 1972), each row another person.

    With a competing event counted as censored it tests the cause-specific hazards, not the incidences: that is what a
    Cox model with the groups as its terms tests. With strata the groups are compared within each and the differences
    added up.

    Parameters
    ----------
    time, event, group : array-like, shape (n,)
        Years; 1 where the event was seen; any names.
    strata : array-like, shape (n,), optional

    Raises
    ------
    UsageError
        If the shapes do not fit, or there are fewer than two groups.
    TableError
        If no stratum with an event holds rows of two groups.

    Examples
    --------
    >>> found = log_rank([1, 2, 3, 4, 5, 6], [1, 1, 1, 0, 1, 0], list("aababb"))
    >>> round(found.statistic, 4), round(found.p, 3), found.expected.round(3).tolist()
    (1.0664, 0.302, [1.15, 2.85])
    """
    t, e = np.asarray(time, dtype=np.float64), np.asarray(event) == 1
    names, g = np.unique(np.asarray(group).astype(str), return_inverse=True)
    s = np.zeros(len(t), dtype=np.int64) if strata is None else np.unique(np.asarray(strata), return_inverse=True)[1]
    if t.ndim != 1 or not t.shape == e.shape == g.shape == s.shape:
        raise UsageError(f"times of shape {t.shape}, events of {e.shape}, groups of {g.shape}", wanted="n of each")
    if len(names) < 2:
        raise UsageError(f"{len(names)} group(s)", wanted="at least two to compare")
    k = len(names)
    expected, covariance = np.zeros(k), np.zeros((k, k))
    for stratum in np.unique(s):
        own = s == stratum
        mean, spread = _of_stratum(t[own], e[own], g[own], k)
        expected += mean
        covariance += spread
    observed = np.bincount(g[e], minlength=k).astype(np.float64)
    away = observed - expected
    rank = int(np.linalg.matrix_rank(covariance)) if covariance.any() else 0
    if not rank:
        raise TableError("no event among rows of two groups", wanted="some", remedy="follow more people, or for longer")
    value = float(away @ np.linalg.pinv(covariance, hermitian=True) @ away)
    return LogRank(value, rank, float(stats.chi2.sf(value, rank)), names.astype(object), observed, expected)


def _of_stratum(t: Floats, e: npt.NDArray[np.bool_], g: npt.NDArray[np.int64], k: int) -> tuple[Floats, Floats]:
    """(k,) expected events and (k, k) their covariance, given those at risk at each event time (hypergeometric)."""
    at, of = np.unique(t[e], return_inverse=True)
    died = np.bincount(of, minlength=len(at)).astype(np.float64)
    risk = np.stack([np.sum(g == j) - np.searchsorted(np.sort(t[g == j]), at) for j in range(k)]).astype(np.float64)
    n = risk.sum(axis=0)
    share = risk / n
    w = died * np.where(n > 1, (n - died) / np.where(n > 1, n - 1, 1), 0.0)
    return (share * died).sum(axis=1), np.diag((share * w).sum(axis=1)) - (share * w) @ share.T
