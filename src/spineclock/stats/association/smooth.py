"""The mean gap as a smooth curve of age, a curve a group: Figure 7 of the spine-age paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.association.design import expand, people_of, require
from spineclock.stats.association.fit import LinearFit, least_squares
from spineclock.stats.result import interval_text, results

_QUANTILES = {3: (0.10, 0.5, 0.90), 4: (0.05, 0.35, 0.65, 0.95), 5: (0.05, 0.275, 0.5, 0.725, 0.95)}
"""Where Harrell (Regression Modeling Strategies, 2015, section 2.4.6) places so many knots."""


def natural_spline(x: npt.ArrayLike, knots: Sequence[float]) -> Floats:
    """The columns of a natural cubic spline, straight beyond the outer knots: (n, len(knots) − 1), no constant.

    With a constant they span what R's ``splines::ns`` does with the same knots.

    >>> natural_spline([0, 1, 4], [1, 2, 3]).round(3).tolist()
    [[0.0, 0.0], [1.0, 0.0], [4.0, 3.0]]
    """
    values, t = np.asarray(x, dtype=np.float64), np.asarray(knots, dtype=np.float64)
    if len(t) < 3 or (np.diff(t) <= 0).any():
        raise UsageError(f"the knots {t.tolist()}", wanted="at least three, rising")
    cubes = np.clip(values[..., None] - t, 0, None) ** 3 / (t[-1] - t[0]) ** 2
    last, before = cubes[..., -1:], cubes[..., -2:-1]
    inner = cubes[..., :-2]
    to_last, to_before = t[-1] - t[:-2], t[-2] - t[:-2]
    bent = inner - before * to_last / (t[-1] - t[-2]) + last * to_before / (t[-1] - t[-2])
    return np.concatenate([values[..., None], bent], axis=-1)


@dataclass(frozen=True, eq=False)
class Grouped:
    """The complete rows of a table by group, ready for a curve of age."""

    gap: Floats
    age: Floats
    group: npt.NDArray[np.int64]
    """(n,) index into :attr:`labels`; 0 is the group the others are compared with."""
    labels: tuple[str, ...]
    people: npt.NDArray[np.int64]
    covariates: Floats
    """(n, c), each about its mean."""
    left_out: int

    def design(self, columns: Floats) -> Floats:
        """Each group's own copy of some columns (n, m), then the covariates: (n, groups · m + c)."""
        own = [columns * (self.group == g)[:, None] for g in range(len(self.labels))]
        return np.concatenate([*own, self.covariates], axis=1)

    def knots(self, count: int) -> tuple[float, ...]:
        """Harrell's, at quantiles of age."""
        if count not in _QUANTILES:
            raise UsageError(f"{count} knots", wanted="3, 4 or 5")
        return tuple(float(v) for v in np.quantile(self.age, _QUANTILES[count]))

    def fit(self, columns: Floats) -> LinearFit:
        """The least-squares fit of the gap on :meth:`design`, clustered by person (CR1)."""
        return least_squares(self.design(columns), self.gap, clusters=self.people, standard_errors="CR1")


def grouped(
    table: pd.DataFrame,
    *,
    group: str,
    value: str | None = None,
    gap: str = "gap_years",
    age: str = "age_years",
    person: str | None = "person_id",
    covariates: Sequence[str] = (),
) -> Grouped:
    """The rows of a table that have a gap, an age, a group and the covariates.

    Parameters
    ----------
    table : DataFrame
    group : str
        A column of yes/no or of categories.
    value : str, optional
        The category to set against all others together.
    gap, age, person : str
        Columns; ``person`` None where each row is another person.
    covariates : sequence of str
        Held at their means.

    Raises
    ------
    TableError
        If a column is not there, the group has one value, or a group has fewer than 10 scans.
    """
    require(table, [gap, age, group, *covariates])
    if value is not None:
        cells = table[group].map(lambda v: v if pd.isna(v) else str(v) == value)
        label = f"{group}={value}"
        table, group = table.assign(**{label: cells.astype("boolean")}), label
    found = expand(table, [group])
    if not found.columns or found.columns[0].kind == "number":
        raise TableError(f"the column {group} as groups", wanted="yes/no, or two or more categories")
    further = expand(table, covariates)
    numbers = [pd.to_numeric(table[name]).to_numpy(dtype=np.float64, na_value=np.nan) for name in (gap, age)]
    held = found.complete & further.complete & np.isfinite(numbers).all(axis=0)
    index = (found.matrix[held] @ np.arange(1, len(found.columns) + 1)).astype(np.int64)
    first = found.columns[0]
    rest = f"{first.source}={first.reference}" if first.reference else f"no {first.source}"
    labels = (rest, *(c.key for c in found.columns))
    sizes = np.bincount(index, minlength=len(labels))
    if (sizes < 10).any():
        few = int(np.argmin(sizes))
        raise TableError(f"{sizes[few]} scan(s) with {labels[few]}", wanted="at least 10 in each group")
    c = further.matrix[held]
    c = c[:, np.ptp(c, axis=0) > 0]
    return Grouped(
        numbers[0][held],
        numbers[1][held],
        index,
        labels,
        people_of(table, person)[held],
        c - c.mean(axis=0),
        int((~held).sum()),
    )


@dataclass(frozen=True)
class GapByAge:
    """The mean gap at each age by group, as natural cubic splines with 95% confidence bands.

    Called with a table of one row a scan it returns a row for each group and whole year of age that the group has.
    The bands are pointwise, from a covariance clustered by person (CR1, Student's t). Extra columns: ``group``,
    ``age_years``, ``left_out`` (scans without some value). No p: that the mean gap is 0 is no question here; see
    :class:`~spineclock.stats.association.interaction.AgeInteraction` for tests between groups.

    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"age_years": rng.uniform(30, 80, 400), "heavy": np.arange(400) % 2})
    >>> table["gap_years"] = table["heavy"] * (55 - table["age_years"]) / 5
    >>> curve = GapByAge("heavy", person=None)(table)
    >>> curve.query("group == 'heavy' and age_years == 40").estimate.round(3).tolist()
    [3.0]
    """

    group: str
    """A column of yes/no or of categories."""
    value: str | None = None
    """The category to set against all others together, such as heavy of work."""
    gap: str = "gap_years"
    age: str = "age_years"
    person: str | None = "person_id"
    covariates: Sequence[str] = ()
    """Held at their means."""
    knots: int = 4

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """The curves; a TableError as of :func:`grouped`."""
        data = grouped(
            table,
            group=self.group,
            value=self.value,
            gap=self.gap,
            age=self.age,
            person=self.person,
            covariates=self.covariates,
        )
        knots = data.knots(self.knots)
        fit = data.fit(with_constant(natural_spline(data.age, knots)))
        rows: list[dict[str, Any]] = []
        for g, label in enumerate(data.labels):
            own = data.age[data.group == g]
            years = np.arange(np.ceil(own.min()), np.floor(own.max()) + 1)
            basis = with_constant(natural_spline(years, knots))
            contrast = np.zeros((len(years), len(fit.coefficients)))
            contrast[:, g * basis.shape[1] : (g + 1) * basis.shape[1]] = basis
            mean, low, high = along(fit, contrast)
            for k, year in enumerate(years):
                text = interval_text(mean[k], low[k], high[k], unit="years")
                rows.append(
                    {
                        "term": f"{label} at {year:g} years",
                        "estimate": mean[k],
                        "low": low[k],
                        "high": high[k],
                        "p": np.nan,
                        "n": len(own),
                        "sentence": f"At {year:g} years of age the mean spine age gap with {label} is {text}.",
                        "group": label,
                        "age_years": year,
                        "left_out": data.left_out,
                    }
                )
        return results(rows)


def with_constant(columns: Floats) -> Floats:
    """The columns after one of ones."""
    return np.concatenate([np.ones((len(columns), 1)), columns], axis=1)


def along(fit: LinearFit, contrast: Floats, *, coverage: float = 0.95) -> tuple[Floats, Floats, Floats]:
    """Estimate, low and high of linear combinations (m, k) of a fit's coefficients."""
    middle = contrast @ fit.coefficients
    error = np.sqrt(np.einsum("mk,kl,ml->m", contrast, fit.covariance, contrast))
    half = stats.t.ppf(0.5 + coverage / 2, fit.df[0]) * error
    return middle, middle - half, middle + half
