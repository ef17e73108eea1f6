"""How many years of spine age gap go with each finding or habit: one linear model a block of terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.association.design import REFERENCES, Column, Expanded, expand, people_of, require
from spineclock.stats.association.fit import StandardErrors, aliased, least_squares, variance_inflation
from spineclock.stats.result import number, p_text, results

_WORDS = {"gap_years": ("spine age gap", "years"), "age_years": ("age", "years")}
"""How an outcome or covariate is called, and its unit; others by their column."""


@dataclass(frozen=True)
class LinearEffects:
    """A linear model of the spine age gap on all terms of a block at once, without and with covariates.

    Called with a table of one row a scan it returns two rows a term: first all terms with the block's other terms
    alone held alike, then with the covariates held alike too, both fitted to the same scans (those with all values).
    A term that nobody has, or that is a combination of others, is not estimated (NaN). Extra columns:

    * ``key`` (the table's column), ``kind``, ``against`` (what a category is compared with), ``block``,
      ``adjusted_for`` (the covariates that vary; empty in the first model);
    * ``n_with`` (scans with the term; for a number, those above 0), ``people``, ``left_out`` (scans without some
      value), ``missing`` (scans without this one);
    * ``se``, ``df`` (of the t reference that p and interval come from), ``q`` (Benjamini–Hochberg within the model),
      ``vif``, ``warning``.

    Source: the spine-age paper, section 4.5 and Table 5. Standard errors are clustered by person; see
    :func:`~spineclock.stats.association.fit.least_squares` for why CR2 is the default: with 12 people in a term the
    95% intervals of CR1 hold the truth 91 times in 100.

    Examples
    --------
    >>> table = pd.DataFrame({"gap_years": [1.0, 2, 0, 5, 6, 4], "fracture": [0, 0, 0, 1, 1, 1],
    ...                       "person_id": list("abcdef")})
    >>> effect = LinearEffects(("fracture",), covariates=())(table).iloc[0]
    >>> round(float(effect.estimate), 6), int(effect.n_with), effect.warning
    (4.0, 3, 'fewer than 20 with it')
    """

    terms: Sequence[str]
    """Columns: yes/no (bool or 0/1), numbers, or categories (words)."""
    block: str = ""
    outcome: str = "gap_years"
    covariates: Sequence[str] = ("age_years", "sex", "site")
    person: str | None = "person_id"
    """Who a scan is of; None where each row is another person."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What a term is called in the result, by key."""
    reference: Mapping[str, str] = field(default_factory=lambda: REFERENCES)
    """The value of a category that the others are compared with."""
    standard_errors: StandardErrors = "CR2"
    few: int = 20
    """Terms with fewer scans get a warning."""
    most_vif: float = 5.0
    """Terms with a larger variance inflation factor get a warning."""

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """Each term's effect, in years of gap.

        Raises
        ------
        TableError
            If a column is not there, holds what is no number, or too few scans have all values.
        """
        if not self.terms:
            raise UsageError("a model without terms", wanted="at least one column")
        require(table, [self.outcome, *self.terms, *self.covariates, *([self.person] if self.person else [])])
        terms = expand(table, self.terms, reference=self.reference)
        covariates = expand(table, self.covariates, reference=self.reference)
        outcome = pd.to_numeric(table[self.outcome]).to_numpy(dtype=np.float64, na_value=np.nan)
        if not terms.columns:
            raise TableError(f"one value only in {', '.join(self.terms)}", wanted="terms that differ between scans")
        held = np.isfinite(outcome) & terms.complete & covariates.complete
        if not held.any():
            raise TableError(
                f"no scan of {len(table)} with all of {', '.join([self.outcome, *self.terms, *self.covariates])}",
                wanted="scans with a value in each",
                remedy="leave the emptiest column out, or impute it",
            )
        people = people_of(table, self.person)[held]
        sets = [Expanded((), len(table)), *([covariates] if covariates.columns else [])]
        rows = [r for c in sets for r in self._model(outcome, terms, c, held, people)]
        return results(rows)

    def _model(
        self,
        outcome: Floats,
        terms: Expanded,
        covariates: Expanded,
        held: npt.NDArray[np.bool_],
        people: npt.NDArray[Any],
    ) -> list[dict[str, Any]]:
        """The rows of one model."""
        columns = (*covariates.columns, *terms.columns)
        design = np.column_stack([np.ones(held.sum()), *(c.values[held] for c in columns)])
        lost = aliased(design)
        kept = [j for j in range(design.shape[1]) if j not in lost]
        fit = least_squares(design[:, kept], outcome[held], clusters=people, standard_errors=self.standard_errors)
        ends, p = fit.interval(), fit.p()
        vif = dict(zip(kept[1:], variance_inflation(design[:, kept[1:]]), strict=True))
        adjusted_for = [name for name in self.covariates if any(columns[j - 1].source == name for j in kept[1:])]
        rows = []
        for j, column in enumerate(columns, start=1):
            if j <= len(covariates.columns):
                continue
            at = kept.index(j) if j in vif else None
            made_of = [columns[i - 1].key if i else "the constant" for i in lost.get(j, ())]
            had_by = len(np.unique(people[column.values[held] > 0]))
            row = {
                "term": self.names.get(column.key, column.key),
                **_estimate(fit.coefficients, ends, p, fit.standard_errors, fit.df, at),
                # one person's residual is 0 by the fit itself: it tells nothing of the spread
                **(dict.fromkeys(("low", "high", "p", "se", "df"), np.nan) if had_by == 1 else {}),
                "n": fit.rows,
                "key": column.key,
                "kind": column.kind,
                "against": f"{column.source}={column.reference}" if column.kind == "category" else "",
                "block": self.block,
                "adjusted_for": ", ".join(adjusted_for) if covariates.columns else "",
                "n_with": int((column.values[held] > 0).sum()),
                "people": fit.clusters,
                "left_out": int((~held).sum()),
                "missing": terms.missing[column.source],
                "vif": vif.get(j, np.nan),
            }
            row["warning"] = self._warning(column, row, made_of)
            row["sentence"] = effect_sentence(row, outcome=self.outcome)
            rows.append(row)
        for row, q in zip(rows, false_discovery([row["p"] for row in rows]), strict=True):
            row["q"] = q
        return rows

    def _warning(self, column: Column, row: Mapping[str, Any], made_of: Sequence[str]) -> str:
        found = []
        count, other = row["n_with"], row["n"] - row["n_with"]
        if count == 0:
            found.append("nobody has it")
        elif np.isnan(row["p"]) and not np.isnan(row["estimate"]):
            found.append("only one person has it, which tells nothing of its uncertainty")
        elif count < self.few:
            found.append(f"fewer than {self.few} with it")
        elif other < self.few and column.kind != "number":
            found.append(f"fewer than {self.few} without it")
        if np.isnan(row["estimate"]) and count:
            found.append(f"not estimated: it is a combination of {' and '.join(made_of)}")
        if row["vif"] > self.most_vif:
            found.append(f"hard to tell from the other terms (variance inflation {row['vif']:.1f})")
        return "; ".join(found)


def effect_sentence(row: Mapping[str, Any], *, outcome: str = "gap_years") -> str:
    """What a row of :class:`LinearEffects` says, in plain English."""
    what, unit = _WORDS.get(outcome, (outcome.replace("_", " "), ""))
    name, size = row["term"], row["estimate"]
    if np.isnan(size):
        return f"{name}: no effect could be estimated ({row['warning']})."
    effect = f"{number(abs(size))} {unit} {_side(size)}".replace("  ", " ")
    if row["kind"] == "number":
        text = f"With each further unit of {name} the mean {what} is {effect}"
    else:
        others = f"those with {row['against']}" if row["against"] else "people without"
        text = f"The mean {what} of people with {name} is {effect} than of {others}"
    if not np.isnan(row["p"]):
        ends = " to ".join(f"{number(abs(end))} {_side(end)}" for end in (row["low"], row["high"]))
        text += f" (95% CI {ends}; {p_text(row['p'])})"
    text += ", the other terms of the model alike"
    if row["adjusted_for"]:
        text += f", and {', '.join(_WORDS.get(c, (c,))[0] for c in row['adjusted_for'].split(', '))} too"
    count = f"{row['n_with']:,} of {row['n']:,} scans" + (" above 0" if row["kind"] == "number" else "")
    return f"{text}; {count}." + (f" Caution: {row['warning']}." if row["warning"] else "")


def _side(difference: float) -> str:
    return "higher" if difference >= 0 else "lower"


def _estimate(
    coefficients: Floats, ends: tuple[Floats, Floats], p: Floats, errors: Floats, df: Floats, at: int | None
) -> dict[str, float]:
    """One coefficient's numbers, NaN where it was not estimated."""
    if at is None:
        return dict.fromkeys(("estimate", "low", "high", "p", "se", "df"), np.nan)
    values = (coefficients[at], ends[0][at], ends[1][at], p[at], errors[at], df[at])
    return dict(zip(("estimate", "low", "high", "p", "se", "df"), map(float, values), strict=True))


def false_discovery(p: npt.ArrayLike) -> Floats:
    """Benjamini–Hochberg's adjusted p-values, (k,): the false-discovery rate at which each would be called.

    NaN stay NaN and are not counted.

    >>> false_discovery([0.01, 0.02, float("nan"), 0.5]).round(3).tolist()
    [0.03, 0.03, nan, 0.5]
    """
    values = np.asarray(p, dtype=np.float64)
    q = np.full(values.shape, np.nan)
    told = np.isfinite(values)
    if told.any():
        q[told] = stats.false_discovery_control(values[told])
    return q
