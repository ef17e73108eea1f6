"""One answer from several imputed tables: Rubin's rules."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from spineclock.core.errors import UsageError


class Pooled(NamedTuple):
    """An estimate pooled over imputed tables."""

    estimate: float
    standard_error: float
    df: float
    """Barnard and Rubin's degrees of freedom of its t reference."""
    low: float
    high: float
    p: float
    missing_information: float
    """Share of the information about the estimate that the missing values took (fmi of mice)."""
    between_share: float
    """Share of the variance that is between the tables (lambda of mice)."""


def pool(
    estimates: npt.ArrayLike, variances: npt.ArrayLike, *, complete_df: float = np.inf, coverage: float = 0.95
) -> Pooled:
    """The estimate over imputed tables by Rubin's rules.

    Parameters
    ----------
    estimates, variances : array-like, shape (m,)
        Of the same quantity in each imputed table.
    complete_df : float
        Degrees of freedom had nothing been missing.

    Sources: Rubin, Multiple Imputation for Nonresponse in Surveys, 1987, section 3.3; Barnard and Rubin, Biometrika
    1999 (degrees of freedom). The numbers are those of R's ``mice::pool``.

    Examples
    --------
    >>> found = pool([1.0, 2.0, 3.0], [1.0, 1.0, 1.0], complete_df=100)
    >>> found.estimate, round(found.standard_error**2, 4), round(found.df, 3)
    (2.0, 2.3333, 5.346)

    Raises
    ------
    UsageError
        If there are fewer than two tables, or the two do not match.
    """
    q, u = np.asarray(estimates, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    if q.shape != u.shape or q.ndim != 1 or len(q) < 2:
        raise UsageError(
            f"estimates of shape {q.shape} with variances of {u.shape}", wanted="one of each from two tables or more"
        )
    m, within, between = len(q), float(u.mean()), float(q.var(ddof=1))
    total = within + (1 + 1 / m) * between
    share = (1 + 1 / m) * between / total
    if share == 0:
        df, missing = complete_df, 0.0
    else:
        df_old = (m - 1) / share**2
        df = df_old
        if np.isfinite(complete_df):
            observed = (complete_df + 1) / (complete_df + 3) * complete_df * (1 - share)
            df = df_old * observed / (df_old + observed)
        more = share / (1 - share)  # relative increase of variance
        missing = (more + 2 / (df + 3)) / (1 + more)
    middle, error = float(q.mean()), float(np.sqrt(total))
    half = float(stats.t.ppf(0.5 + coverage / 2, df)) * error
    p = float(2 * stats.t.sf(abs(middle) / error, df)) if error > 0 else float("nan")
    return Pooled(middle, error, df, middle - half, middle + half, p, missing, share)
