"""How far two readings of the same people agree: intraclass correlations, repeatability, limits of agreement.

Sources: McGraw and Wong, Psychol Methods 1996 (ICC and their intervals); Bland and Altman, Lancet 1986 and Stat Methods
Med Res 1999 (limits, repeatability); Carkeet, Optom Vis Sci 2015 (exact intervals of the limits).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats


@dataclass(frozen=True)
class Icc:
    """An intraclass correlation with its interval and the F test against 0."""

    value: float
    low: float
    high: float
    f: float
    df1: float
    df2: float
    p: float


@dataclass(frozen=True)
class Iccs:
    """The three single-reading ICCs of McGraw and Wong."""

    one: Icc
    """ICC(1): readings of a person are interchangeable."""
    agreement: Icc
    """ICC(A,1): a shift between first and second readings counts as disagreement."""
    consistency: Icc
    """ICC(C,1): such a shift does not count."""
    people: int
    readings: int


@dataclass(frozen=True)
class Repeatability:
    """Spread within a person, and the smallest change of one person beyond that spread; in the readings' unit.

    Attributes
    ----------
    within_sd, low, high : float
        Within-person standard deviation with its χ² interval.
    coefficient, coefficient_low, coefficient_high : float
        √2 · 1.96 · within-person SD: the repeatability coefficient, or smallest detectable change.
    """

    within_sd: float
    low: float
    high: float
    coefficient: float
    coefficient_low: float
    coefficient_high: float
    people: int


class Between(NamedTuple):
    """A value and the ends of its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Limits:
    """Bland and Altman's bias and 95% limits of agreement, each with an interval, and the points of the plot."""

    bias: Between
    lower: Between
    upper: Between
    p: float
    """Of no bias, by the paired t-test."""
    sd: float
    """Of the differences."""
    differences: Floats
    """Second minus first."""
    means: Floats
    """Of each pair."""


class _Squares(NamedTuple):
    """Mean squares of a people × readings table (McGraw and Wong's MSR, MSC, MSE, MSW)."""

    people: float
    readings: float
    error: float
    within: float
    n: int
    k: int


def icc(readings: npt.ArrayLike, *, coverage: float = 0.95) -> Iccs:
    """ICC(1), ICC(A,1) and ICC(C,1) of a people × readings table.

    Parameters
    ----------
    readings : array-like, shape (n, k)
        One row a person, at least three; k ≥ 2 readings, in the same order for all.
    coverage : float
        Of the F-based intervals (McGraw and Wong 1996, Table 7).

    Raises
    ------
    UsageError
        If it is no table of at least two readings.
    TableError
        If a reading is missing, there are fewer than three people, or no two people differ.

    Examples
    --------
    Shrout and Fleiss's six targets and four judges, 1979:

    >>> judged = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    >>> found = icc(judged)
    >>> [round(x.value, 2) for x in (found.one, found.agreement, found.consistency)]
    [0.17, 0.29, 0.71]
    """
    m, tail = _mean_squares(readings), (1 + coverage) / 2
    n, k = m.n, m.k
    if m.people == 0:
        raise TableError(f"{n} people who all read alike", wanted="people who differ")
    df_error = (n - 1) * (k - 1)
    # perfect agreement has no error: F is infinite, and every ICC 1
    f_one, f_two = (m.people / x if x > 0 else np.inf for x in (m.within, m.error))
    one = _from_f(f_one, k, n - 1, n * (k - 1), tail)
    consistency = _from_f(f_two, k, n - 1, df_error, tail)
    return Iccs(one, _agreement(m, tail, f_two, consistency.p), consistency, n, k)


def _mean_squares(readings: npt.ArrayLike) -> _Squares:
    x = np.asarray(readings, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] < 2:
        raise UsageError(
            f"readings of shape {x.shape}", wanted="a table with one row a person and at least two readings"
        )
    n, k = x.shape
    if n < 3:
        raise TableError(f"{n} people with repeated readings", wanted="at least 3")
    if not np.isfinite(x).all():
        raise TableError(
            f"{int((~np.isfinite(x)).sum())} missing readings", wanted="every reading of each person",
            remedy="leave those people out, and say how many",
        )  # fmt: skip
    x = x - x.mean()
    rows, columns = x.mean(axis=1), x.mean(axis=0)
    between, shift = k * float(rows @ rows), n * float(columns @ columns)
    error = float(np.square(x - rows[:, None] - columns).sum())
    within = shift + error
    return _Squares(between / (n - 1), shift / (k - 1), error / ((n - 1) * (k - 1)), within / (n * (k - 1)), n, k)


def _from_f(f: float, k: int, df1: int, df2: int, tail: float) -> Icc:
    """ICC(1) or ICC(C,1), (F − 1)/(F + k − 1), its ends from F over and times F quantiles."""
    ends = (f, f / stats.f.ppf(tail, df1, df2), f * stats.f.ppf(tail, df2, df1))
    value, low, high = (1.0 if np.isinf(x) else float((x - 1) / (x + k - 1)) for x in ends)
    return Icc(value, low, high, f, df1, df2, float(stats.f.sf(f, df1, df2)))


def _agreement(m: _Squares, tail: float, f: float, p: float) -> Icc:
    """ICC(A,1), its ends by McGraw and Wong's Satterthwaite degrees of freedom; the F test is that of consistency."""
    n, k, df_error = m.n, m.k, (m.n - 1) * (m.k - 1)
    value = (m.people - m.error) / (m.people + (k - 1) * m.error + k * (m.readings - m.error) / n)
    if m.within == 0 or value == 1:  # to the last digit
        return Icc(1.0, 1.0, 1.0, f, n - 1, df_error, p)
    a = k * value / (n * (1 - value))
    b = 1 + k * value * (n - 1) / (n * (1 - value))
    mixed = a * m.readings + b * m.error
    df = mixed**2 / ((a * m.readings) ** 2 / (k - 1) + (b * m.error) ** 2 / df_error)
    over, under = stats.f.ppf(tail, n - 1, df), stats.f.ppf(tail, df, n - 1)
    noise = k * m.readings + (k * n - k - n) * m.error
    low = n * (m.people - over * m.error) / (over * noise + n * m.people)
    high = n * (under * m.people - m.error) / (noise + n * under * m.people)
    return Icc(value, float(low), float(high), f, n - 1, df_error, p)


def repeatability(readings: npt.ArrayLike, *, coverage: float = 0.95) -> Repeatability:
    """Within-person SD and repeatability coefficient of a people × readings table.

    The within-person SD is that of ICC(1): a shift between the readings counts. Two readings of one person differ by
    less than the coefficient in 95 of 100 cases; a smaller change of a single person cannot be told from none.
    Errors as in :func:`icc`, but that people may be all alike.

    >>> found = repeatability([[50, 52], [60, 58], [70, 72], [40, 40]])
    >>> round(found.within_sd, 3), round(found.coefficient, 2)  # √(Σd²/2n), 2.77 times that
    (1.225, 3.39)
    """
    m = _mean_squares(readings)
    df, sd = m.n * (m.k - 1), float(np.sqrt(m.within))
    low, high = (sd * float(np.sqrt(df / stats.chi2.ppf(q, df))) for q in ((1 + coverage) / 2, (1 - coverage) / 2))
    factor = float(np.sqrt(2) * stats.norm.ppf(0.975))
    return Repeatability(sd, low, high, factor * sd, factor * low, factor * high, m.n)


def limits_of_agreement(first: npt.ArrayLike, second: npt.ArrayLike, *, coverage: float = 0.95) -> Limits:
    """Bias (second − first) and 95% limits of agreement, with exact intervals of all three.

    The limits are bias ± 1.96 SD; √n · (true limit − bias)/SD follows a non-central t (Carkeet 2015), of which Bland
    and Altman's 1999 standard error SD · √(1/n + 1.96²/(2(n − 1))) is the approximation for many people. The intervals
    are those of each limit by itself, and rest on normal differences.

    >>> found = limits_of_agreement([50, 60, 70, 40, 55], [52, 58, 73, 41, 55])
    >>> round(found.bias.value, 2), round(found.upper.value, 2), [round(x, 1) for x in found.upper[1:]]
    (0.8, 4.57, [2.6, 12.3])

    Raises
    ------
    UsageError
        If the readings differ in number.
    TableError
        If a reading is missing, or there are fewer than three people.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise UsageError(f"first readings of shape {a.shape}, second of shape {b.shape}", wanted="one pair a person")
    d, n = b - a, len(a)
    if n < 3 or not np.isfinite(d).all():
        raise TableError(f"{int(np.isfinite(d).sum())} complete pairs of {n}", wanted="at least 3 pairs, all complete")
    bias, sd, z = float(d.mean()), float(d.std(ddof=1)), float(stats.norm.ppf(0.975))
    tails = ((1 - coverage) / 2, (1 + coverage) / 2)
    error = sd / float(np.sqrt(n))
    near, far = (error * float(stats.nct.ppf(q, n - 1, z * np.sqrt(n))) for q in tails)
    t = error * float(stats.t.ppf(tails[1], n - 1))
    p = float(2 * stats.t.sf(abs(bias) / error, n - 1)) if sd > 0 else np.nan
    return Limits(
        bias=Between(bias, bias - t, bias + t),
        lower=Between(bias - z * sd, bias - far, bias - near),
        upper=Between(bias + z * sd, bias + near, bias + far),
        p=p, sd=sd, differences=d, means=(a + b) / 2,
    )  # fmt: skip
