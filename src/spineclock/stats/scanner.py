"""How much of a value, such as the spine age gap, is the scanner's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize, stats

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.result import interval_text, number, p_text, results
from spineclock.stats.rows import complete


@dataclass(frozen=True)
class VarianceShare:
    """What share of a variance lies between groups, with its exact interval, and the F test of no difference."""

    share: float
    low: float
    high: float
    between_sd: float
    within_sd: float
    f: float
    df1: int
    df2: int
    p: float


def variance_share(
    values: npt.ArrayLike, group: npt.ArrayLike, *, covariates: npt.ArrayLike | None = None, coverage: float = 0.95
) -> VarianceShare:
    """The share of the variance of values that lies between groups: a mixed model with a random effect of the group.

    The share is σ²ᵍ/(σ²ᵍ + σ²), both by restricted maximum likelihood. The interval is exact for normal values in
    groups of any size and with covariates (Wald 1940; Harville and Fenech, Biometrics 1985); it and the F test, which
    is its value at 0, hold whatever the number of groups. Where groups differ by less than they do in 39 of 40 samples
    of no difference at all, both its ends are 0.

    Parameters
    ----------
    values, group : array-like, shape (n,)
        Independent rows: one a person.
    covariates : array-like, shape (n, c), optional
        Whose effect is taken out, as fixed effects.
    coverage : float
        Of the interval.

    Raises
    ------
    UsageError
        If the shapes differ.
    TableError
        If there are fewer than two groups, no group has two rows, or the groups cannot be told from the covariates.

    Examples
    --------
    >>> found = variance_share([1, 2, 3, 5, 6, 7, 3, 4, 5], [0, 0, 0, 1, 1, 1, 2, 2, 2])
    >>> round(found.share, 3), round(found.f, 9), (found.df1, found.df2)  # balanced: (4 − 1/3)/(4 − 1/3 + 1)
    (0.786, 12.0, (2, 6))
    """
    y = np.asarray(values, dtype=np.float64)
    names, at = np.unique(np.asarray(group), return_inverse=True)
    x = np.ones((len(y), 1))
    if covariates is not None:
        x = np.column_stack([x, np.asarray(covariates, dtype=np.float64)])
    if not len(y) == len(at) == len(x):
        raise UsageError(f"{len(y)} values, {len(at)} groups, {len(x)} rows of covariates", wanted="as many of each")
    squares, sizes, error, df = _canonical(y, at.ravel(), x, groups=len(names))
    tails = ((1 - coverage) / 2, (1 + coverage) / 2)

    def pivot(ratio: float) -> float:
        """F(r, df) at the true ratio of variances; falls as the ratio rises."""
        return float((squares / (1 + ratio * sizes)).mean() / (error / df))

    low, high = (_falls_to(pivot, float(stats.f.ppf(q, len(sizes), df))) for q in tails[::-1])
    ratio = _reml(squares, sizes, error, df)
    within = (float((squares / (1 + ratio * sizes)).sum()) + error) / (len(sizes) + df)
    f = pivot(0.0)
    return VarianceShare(
        ratio / (1 + ratio), low / (1 + low), high / (1 + high), float(np.sqrt(ratio * within)), float(np.sqrt(within)),
        f, len(sizes), df, float(stats.f.sf(f, len(sizes), df)),
    )  # fmt: skip


def _canonical(y: Floats, at: npt.NDArray[np.int64], x: Floats, *, groups: int) -> tuple[Floats, Floats, float, int]:
    """Squares t² with t ~ N(0, σ²(1 + ratio · size)), the sizes, and the residual sum of squares with its df."""
    member = (at[:, None] == np.arange(groups)).astype(float)
    basis = np.linalg.qr(x)[0]
    y, member = y - basis @ (basis.T @ y), member - basis @ (basis.T @ member)
    sizes, turned = np.linalg.eigh(member.T @ member)
    real = sizes > 1e-8 * max(float(sizes.max()), 1.0)
    sizes = sizes[real]
    df = len(y) - x.shape[1] - len(sizes)
    if not len(sizes) or df < 1 or np.linalg.matrix_rank(x) < x.shape[1]:
        raise TableError(
            f"{groups} group(s) in {len(y)} rows, not to be told from the covariates or from single rows",
            wanted="at least two groups with several rows, and covariates that vary within them",
        )
    squares = np.square(turned[:, real].T @ (member.T @ y)) / sizes
    error = float(y @ y - squares.sum())
    if error < 1e-12 * max(float(y @ y), 1e-300):
        raise TableError("values that do not vary within groups", wanted="several different values in a group")
    return squares, sizes, error, df


def _falls_to(pivot: Any, level: float) -> float:
    """Where the falling function reaches the level; 0 where it starts below."""
    if pivot(0.0) <= level:
        return 0.0
    top = 1.0
    while pivot(top) > level:
        top *= 4
    return float(optimize.brentq(lambda ratio: pivot(ratio) - level, 0.0, top, xtol=1e-14, rtol=1e-13))


def _reml(squares: Floats, sizes: Floats, error: float, df: int) -> float:
    """The ratio σ²ᵍ/σ² of restricted maximum likelihood, at least 0."""
    rows = len(sizes) + df

    def loss(log_ratio: float) -> float:
        stretch = 1 + np.exp(log_ratio) * sizes
        return float(np.log(stretch).sum() + rows * np.log((squares / stretch).sum() + error))

    def slope(ratio: float) -> float:
        stretch = 1 + ratio * sizes
        fall = (squares * sizes / stretch**2).sum() / ((squares / stretch).sum() + error)
        return float((sizes / stretch).sum() - rows * fall)

    grid = np.linspace(-25, 20, 181)
    best = int(np.argmin([loss(v) for v in grid]))
    if best == 0 and slope(0.0) >= 0:
        return 0.0
    low, high = (float(np.exp(grid[min(max(best + step, 0), len(grid) - 1)])) for step in (-1, 1))
    if slope(low) < 0 < slope(high):
        return float(optimize.brentq(slope, low, high, xtol=1e-300, rtol=1e-14))
    return float(np.exp(grid[best]))  # at an end of the grid: as good as no, or nothing but, variance between groups


@dataclass(frozen=True)
class ScannerShare:
    """How much of the variance of the gap lies between scanners, and each scanner's mean.

    Age and sex are taken out first, as scanners may have seen other people. One scan a person counts, the first, so
    that rows are independent. A scanner with fewer than ``few`` people is in, and named.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"person_id": np.arange(600), "scanner": np.arange(600) % 6, "sex": "F",
    ...                       "age_years": rng.uniform(25, 85, 600), "gap_years": rng.normal(0, 4, 600)})
    >>> ScannerShare(adjust=("age_years",))(table).loc[0, "term"]
    'share of the scanner in the variance of gap_years'
    """

    value: str = "gap_years"
    scanner: str = "scanner"
    person: str = "person_id"
    order: str = "age_years"
    adjust: tuple[str, ...] = ("age_years", "sex")
    few: int = 20

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """The share, then one row a scanner with its mean less the mean of all, age and sex taken out.

        Further columns: ``scanner``, ``between_sd``, ``within_sd``, ``f``, ``df1``, ``df2``, ``few_people`` (the
        scanners that have few), ``left_out``. A scanner's interval is for itself; among 19 one lies beyond its own by
        chance.

        Raises
        ------
        TableError
            If a column is missing, or there are fewer than two scanners with several people.
        """
        words = [c for c in self.adjust if c in table.columns and not pd.api.types.is_numeric_dtype(table[c])]
        numeric = [c for c in self.adjust if c not in words]
        used, missing = complete(
            table, numbers=[self.value, *numeric], names=[self.person, self.scanner, self.order, *words]
        )
        used = used.sort_values(self.order, kind="stable").drop_duplicates(self.person)
        parts = [used[numeric]] + [pd.get_dummies(used[w], drop_first=True, dtype=float) for w in words]
        covariates = pd.concat(parts, axis=1).to_numpy(float)
        scanner = used[self.scanner].astype(str)
        found = variance_share(used[self.value], scanner, covariates=covariates)
        counts = scanner.value_counts()
        few = sorted(counts.index[counts < self.few])
        row = {
            "term": f"share of the scanner in the variance of {self.value}",
            "estimate": found.share, "low": found.low, "high": found.high, "p": found.p, "n": len(used),
            "sentence": self._sentence(found, len(counts), few),
            "between_sd": found.between_sd, "within_sd": found.within_sd, "f": found.f, "df1": found.df1,
            "df2": found.df2, "few_people": ", ".join(few), "left_out": missing,
        }  # fmt: skip
        return results([row, *self._scanners(used[self.value].to_numpy(float), scanner, covariates)])

    def _sentence(self, found: VarianceShare, scanners: int, few: list[str]) -> str:
        percent = [100 * v for v in (found.share, found.low, found.high)]
        text = (
            f"{number(percent[0], 1)}% (95% CI {number(percent[1], 1)} to {number(percent[2], 1)}) of the variance of "
            f"{self.value} lies between the {scanners} scanners (SD between them {number(found.between_sd)}, within "
            f"{number(found.within_sd)}; F test {p_text(found.p)})."
        )
        if few:
            text += f" Fewer than {self.few} people on {', '.join(few)}: their means are not to be trusted."
        return text

    def _scanners(self, value: Floats, scanner: pd.Series[str], covariates: Floats) -> list[dict[str, Any]]:
        names, at, counts = np.unique(scanner.to_numpy(), return_inverse=True, return_counts=True)
        member = (at[:, None] == np.arange(len(names))).astype(float)
        x = np.column_stack([member, covariates])
        inverse = np.linalg.inv(x.T @ x)
        fitted = inverse @ (x.T @ value)
        df = len(value) - x.shape[1]
        # each scanner less the mean of all people
        contrast = np.eye(len(names), x.shape[1])
        contrast[:, : len(names)] -= counts / counts.sum()
        variance = float(np.square(value - x @ fitted).sum()) / df
        means = contrast @ fitted
        errors = np.sqrt(variance * np.einsum("ij,jk,ik->i", contrast, inverse, contrast))
        t = float(stats.t.ppf(0.975, df))
        rows = []
        for name, n, mean, error in zip(names, counts, means, errors, strict=True):
            low, high = float(mean - t * error), float(mean + t * error)
            rows.append({
                "term": f"scanner {name}", "estimate": float(mean), "low": low, "high": high, "n": int(n),
                "p": float(2 * stats.t.sf(abs(mean) / error, df)),
                "sentence": f"On scanner {name} {self.value} is off the mean of all by "
                f"{interval_text(float(mean), low, high)} "
                f"({n:,} people){': too few to trust' if n < self.few else ''}.",
                "scanner": str(name),
            })  # fmt: skip
        return rows
