"""Effects where questionnaires have gaps: multiple imputation by chained equations, pooled by Rubin's rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import KDTree

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.association.design import expand, require
from spineclock.stats.association.linear import LinearEffects, effect_sentence, false_discovery
from spineclock.stats.association.pooling import pool
from spineclock.stats.result import COLUMNS, results


@dataclass(frozen=True)
class Imputation:
    """How missing values are filled in, several times over, by predictive mean matching.

    Chained equations: each column with gaps is regressed in turn on all others, a regression is drawn from its
    posterior, and each missing value is that of a person whose predicted value is near (one of ``donors``). So only
    values occur that somebody gave, and categories are matched by the chances of their values. All columns that the
    later model uses have to take part, its outcome too: without the gap as a predictor the effects would be drawn
    towards 0 (Moons et al. 2006). Right where values are missing at random given the columns that take part.

    Source: van Buuren, Flexible Imputation of Missing Data, 2018, sections 3.4 and 4.5 (type-1 matching).
    """

    tables: int = 20
    rounds: int = 5
    donors: int = 5

    def __call__(
        self, table: pd.DataFrame, *, columns: Sequence[str], rng: np.random.Generator
    ) -> tuple[pd.DataFrame, ...]:
        """Copies of a table in which the given columns have no gaps.

        Parameters
        ----------
        table : DataFrame
        columns : sequence of str
            Those that take part: with gaps or not, the outcome among them.
        rng : numpy.random.Generator

        Raises
        ------
        TableError
            If a column is not there, or has fewer values than twice the donors.

        Examples
        --------
        >>> table = pd.DataFrame({"packs_per_day": [0.0, 1, np.nan, 2] * 5, "gap_years": [0.0, 1, 2, 2] * 5})
        >>> filled = Imputation(tables=2)(table, columns=["packs_per_day", "gap_years"],
        ...                               rng=np.random.default_rng(0))
        >>> len(filled), int(filled[0]["packs_per_day"].isna().sum())
        (2, 0)
        """
        if self.tables < 2 or self.rounds < 1 or self.donors < 1:
            raise UsageError(f"{self}", wanted="two tables or more, a round and a donor")
        require(table, columns)
        gaps = {name: table[name].isna().to_numpy() for name in columns if table[name].isna().any()}
        for name, empty in gaps.items():
            if (~empty).sum() < 2 * self.donors:
                raise TableError(
                    f"{int((~empty).sum())} value(s) in the column {name}", wanted=f"at least {2 * self.donors}"
                )
        return tuple(self._filled(table, columns, gaps, rng) for _ in range(self.tables))

    def _filled(
        self,
        table: pd.DataFrame,
        columns: Sequence[str],
        gaps: Mapping[str, npt.NDArray[np.bool_]],
        rng: np.random.Generator,
    ) -> pd.DataFrame:
        """One imputed table."""
        parts = {name: expand(table, [name], reference={}).matrix for name in columns}
        source = {name: np.arange(len(table)) for name in gaps}
        for name, empty in gaps.items():  # to begin with, any value
            source[name][empty] = rng.choice(np.flatnonzero(~empty), int(empty.sum()))
            parts[name] = parts[name][source[name]]
        for _ in range(self.rounds if len(gaps) > 1 else 1):
            for name, empty in gaps.items():
                others = np.column_stack([np.ones(len(table)), *(parts[n] for n in columns if n != name)])
                given, donor = np.flatnonzero(~empty), np.flatnonzero(empty)
                source[name][donor] = given[_matched(parts[name], others, empty, donors=self.donors, rng=rng)]
                parts[name] = parts[name][source[name]]
        filled = table.copy()
        for name in gaps:
            filled[name] = table[name].array[source[name]]
        return filled


def _matched(
    values: Floats, others: Floats, empty: npt.NDArray[np.bool_], *, donors: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """For each row with a gap, which of the rows without one gives its value (as an index among these)."""
    given, y = others[~empty], values[~empty]
    size = np.sqrt(np.square(given).mean(axis=0))
    x = others / np.where(size > 0, size, 1)
    given = x[~empty]
    w, v = np.linalg.eigh(given.T @ given)
    held = w > 1e-9 * w[-1]  # columns that others make up carry nothing of their own
    back = v[:, held] / np.sqrt(w[held])
    own = back.T @ (given.T @ y)
    residual = y - given @ (back @ own)
    df = max(len(given) - int(held.sum()), 1)
    covariance = residual.T @ residual / df
    spread = np.sqrt(df / rng.chisquare(df))
    root = np.linalg.cholesky(covariance + 1e-12 * np.eye(len(covariance)) * max(float(np.trace(covariance)), 1e-12))
    drawn = back @ (own + spread * rng.standard_normal(own.shape) @ root.T)
    near, far = given @ (back @ own), x[empty] @ drawn
    scale = near.std(axis=0) + 1e-12
    jitter = 1e-6 * rng.standard_normal(near.shape)  # people predicted alike are drawn from alike
    at = KDTree(near / scale + jitter).query(far / scale, k=donors)[1].reshape(len(far), donors)
    return np.asarray(at[np.arange(len(far)), rng.integers(0, donors, len(far))])


@dataclass(frozen=True)
class PooledEffects:
    """The effects of a :class:`~spineclock.stats.association.linear.LinearEffects` with gaps in its columns imputed.

    Called with a table and ``rng`` it returns the columns of LinearEffects, estimates, intervals, p and q pooled by
    Rubin's rules with Barnard and Rubin's degrees of freedom, and ``missing_information``, ``imputed`` (gaps of this
    term that were filled), ``complete_estimate``, ``complete_low``, ``complete_high`` (of the scans with all values).
    Scans without a gap or age are left out, not imputed. ``n_with`` is the mean over the tables.
    """

    model: LinearEffects
    imputation: Imputation = Imputation()
    auxiliary: Sequence[str] = ()
    """Further columns that take part in imputing, for what they know of missing values."""

    def __call__(self, table: pd.DataFrame, *, rng: np.random.Generator) -> pd.DataFrame:
        """The pooled effects; errors as of LinearEffects and Imputation."""
        model = self.model
        names = list(dict.fromkeys([model.outcome, *model.terms, *model.covariates, *self.auxiliary]))
        require(table, [*names, *([model.person] if model.person else [])])
        never = [c for c in (model.outcome, "age_years") if c in names]
        kept = table[table[never].notna().all(axis=1)].reset_index(drop=True)
        gaps = {name: int(kept[name].isna().sum()) for name in names}
        filled = self.imputation(kept, columns=names, rng=rng)
        frames = [model(one) for one in filled]
        complete = _complete_cases(model, kept)
        rows = [
            self._row(k, frames, gaps=gaps, left_out=len(table) - len(kept), complete=complete)
            for k in range(len(frames[0]))
        ]
        found = results(rows)
        for _, own in found.groupby("adjusted_for", sort=False):
            found.loc[own.index, "q"] = false_discovery(own["p"])
        return found

    def _row(
        self,
        k: int,
        frames: Sequence[pd.DataFrame],
        *,
        gaps: Mapping[str, int],
        left_out: int,
        complete: pd.DataFrame | None,
    ) -> dict[str, Any]:
        rows = [frame.iloc[k] for frame in frames]
        first = {str(name): value for name, value in rows[0].items()}
        if any((r["key"], r["adjusted_for"]) != (first["key"], first["adjusted_for"]) for r in rows):
            raise TableError(
                f"imputed tables of which some have no {first['key']}", wanted="each value in each", remedy="drop it"
            )
        estimates = np.array([r["estimate"] for r in rows], dtype=np.float64)
        row = first | {"left_out": left_out, "n_with": round(float(np.mean([r["n_with"] for r in rows])))}
        row |= {"missing_information": np.nan, "imputed": gaps[str(first["key"]).partition("=")[0]]}
        if np.isfinite(estimates).all():
            found = pool(estimates, [r["se"] ** 2 for r in rows], complete_df=float(np.mean([r["df"] for r in rows])))
            row |= {"estimate": found.estimate, "low": found.low, "high": found.high, "p": found.p}
            row |= {"se": found.standard_error, "df": found.df, "missing_information": found.missing_information}
        else:
            row |= dict.fromkeys(("estimate", "low", "high", "p", "se", "df"), np.nan)
            row["warning"] = next(r["warning"] for r in rows if np.isnan(r["estimate"]))
        same = None
        if complete is not None:
            same = complete[(complete["key"] == row["key"]) & (complete["adjusted_for"] == row["adjusted_for"])]
        for name in ("estimate", "low", "high"):
            row[f"complete_{name}"] = float(same[name].iloc[0]) if same is not None and len(same) else np.nan
        row["sentence"] = effect_sentence(row, outcome=self.model.outcome)
        if row["imputed"]:
            row["sentence"] += (
                f" {row['imputed']:,} missing answers were imputed {len(rows)} times; "
                f"{100 * row['missing_information']:.0f}% of the information was missing."
            )
        return {name: row[name] for name in (*COLUMNS, *(n for n in row if n not in COLUMNS))}


def _complete_cases(model: LinearEffects, table: pd.DataFrame) -> pd.DataFrame | None:
    """The effects among the scans with all values; None where too few are left for the model."""
    try:
        return model(table)
    except TableError:
        return None
