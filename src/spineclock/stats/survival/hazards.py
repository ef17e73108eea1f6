"""Hazard ratios of an event by spine age gap and other terms, in several models of the same people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.association.design import REFERENCES, Column, expand, require
from spineclock.stats.association.fit import aliased
from spineclock.stats.diagnosis.labels import in_words
from spineclock.stats.result import number, p_text, results
from spineclock.stats.survival.cox import CoxFit, Ties, cox
from spineclock.stats.survival.follow_up import FollowUp, TimeTo, follow_up
from spineclock.stats.survival.proportional import proportional_hazards

_PER_COEFFICIENT = 10
"""Events a coefficient below which a model carries a warning (Peduzzi 1995)."""


@dataclass(frozen=True)
class HazardRatios:
    """Hazard ratios from Cox models, the terms in each of several models, all fitted to the same rows.

    Each of the ``models`` holds all terms and its own covariates. Rows are those with a follow-up and a value in every
    column of every model, so that models differ in what they adjust for and nothing else. Ties are Efron's, standard
    errors robust and clustered by person. With a competing event the ratios are of the cause-specific hazard: people
    are followed until it. A term that nobody with an event has, or everybody, is not estimated (NaN). Extra columns:
    ``key``, ``kind``, ``against``, ``model``, ``adjusted_for``, ``per`` ("SD", "unit" or "yes against no"), ``sd``
    (of the column in these rows), ``se`` (of the logarithm), ``ph_p`` (test of proportional hazards of the term),
    ``ph_p_all`` (of the model), ``events``, ``events_with``, ``n_with``, ``competing``, ``people``, ``left_out``,
    ``warning``.

    Parameters
    ----------
    outcome
        Columns of the event's time and kind.
    terms
        Columns: yes/no, numbers, or categories (words).
    models
        Covariates by the model's name, for example M1 to M3 of a paper.
    per_sd
        Terms whose ratio is per standard deviation.
    strata
        A column with a baseline hazard for each value, such as the site.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> gap, age = rng.normal(0, 4, 500), rng.uniform(50, 85, 500)
    >>> years = rng.exponential(10 * np.exp(-0.1 * gap))
    >>> table = pd.DataFrame({"person_id": range(500), "gap_years": gap, "age_years": age,
    ...                       "fracture_years": years.clip(max=5), "fracture": years < 5})
    >>> found = HazardRatios(TimeTo("fracture"), models={"age": ["age_years"]}, per_sd=["gap_years"])(table).iloc[0]
    >>> bool(found["low"] < np.exp(0.1 * gap.std()) < found["high"])
    True
    """

    outcome: TimeTo
    terms: Sequence[str] = ("gap_years",)
    models: Mapping[str, Sequence[str]] = field(
        default_factory=lambda: {"unadjusted": (), "age and sex": ("age_years", "sex")}
    )
    per_sd: Sequence[str] = ()
    strata: str | None = None
    person: str | None = "person_id"
    split: str = "split"
    rows: str | None = None
    reference: Mapping[str, str] = field(default_factory=lambda: REFERENCES)
    ties: Ties = "efron"

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """One row a model and term; p is of a ratio of 1.

        Raises
        ------
        TableError
            If a column is missing or wrong, a time is negative, or there are no more events than coefficients.
        """
        if not self.terms or not self.models:
            raise UsageError("no term or no model", wanted="at least one of each")
        names = dict.fromkeys([*self.terms, *(c for each in self.models.values() for c in each)])
        require(table, [*names, *([self.strata] if self.strata else [])])
        further = [*names, *([self.strata] if self.strata else [])]
        kept = follow_up(
            table, self.outcome, names=further, person=self.person, split=self.split, rows=self.rows, at_least=2
        )
        return results(
            row for name, covariates in self.models.items() for row in self._model(kept, name, list(covariates))
        )

    def _model(self, kept: FollowUp, name: str, covariates: list[str]) -> list[dict[str, Any]]:
        twice = [c for c in covariates if c in self.terms]
        if twice:
            raise UsageError(f"{', '.join(twice)} as term and covariate of {name}", wanted="one of the two")
        columns = [
            c for names in (covariates, self.terms) for c in expand(kept.table, names, reference=self.reference).columns
        ]
        fitted = _fit(kept, columns, self.per_sd, self._strata(kept), self.ties)
        needed = _PER_COEFFICIENT * len(fitted.kept)
        few = f"{kept.counts['events']} events for {len(fitted.kept)} coefficients"
        shared = [few] if kept.counts["events"] < needed else []
        adjusted = [c for c in covariates if any(columns[j].source == c for j in fitted.kept)]
        own = [j for j, c in enumerate(columns) if c.source in self.terms]
        return [self._row(kept, fitted, columns[j], j, (name, adjusted, shared)) for j in own]

    def _strata(self, kept: FollowUp) -> npt.NDArray[Any] | None:
        return None if self.strata is None else kept.table[self.strata].astype(str).to_numpy(dtype=str)

    def _row(
        self, kept: FollowUp, fitted: _Fitted, column: Column, j: int, model: tuple[str, list[str], list[str]]
    ) -> dict[str, Any]:
        name, adjusted, shared = model
        warnings = [*([fitted.lost[j]] if j in fitted.lost else []), *shared]
        row: dict[str, Any] = {
            "term": column.key,
            **fitted.estimate(j),
            **kept.counts,
            "key": column.key,
            "kind": column.kind,
            "against": f"{column.source}={column.reference}" if column.kind == "category" else "",
            "model": name,
            "adjusted_for": ", ".join(adjusted),
            "per": "yes against no" if column.kind != "number" else "SD" if column.source in self.per_sd else "unit",
            "sd": float(column.values.std(ddof=1)),
            "events_with": int((kept.event & (column.values > 0)).sum()),
            "n_with": int((column.values > 0).sum()),
        }
        if row["ph_p"] < 0.05:
            warnings.append(f"its ratio changes over the years ({p_text(row['ph_p'])})")
        row["warning"] = "; ".join(warnings)
        return row | {"sentence": self._sentence(row, column)}

    def _sentence(self, row: Mapping[str, Any], column: Column) -> str:
        name, what = in_words(row["term"]), self.outcome.words
        if np.isnan(row["estimate"]):
            return f"{name.capitalize()}: no hazard ratio of {what} could be estimated ({row['warning']})."
        if row["per"] == "SD":
            who = f"With each standard deviation ({number(row['sd'])}) more of {name}"
        elif row["per"] == "unit":
            who = f"With each further unit of {name}"
        else:
            who = f"With {name}" + (f" in place of {column.reference}" if column.kind == "category" else "")
        alike = f", {in_words(row['adjusted_for'])} alike" if row["adjusted_for"] else ""
        return (
            f"{who} the rate of {what} is multiplied by {number(row['estimate'])} (95% CI {number(row['low'])} to "
            f"{number(row['high'])}; {p_text(row['p'])}){alike}; {row['events']:,} events in {row['n']:,} rows."
            + (f" Caution: {row['warning']}." if row["warning"] else "")
        )


class _Fitted(NamedTuple):
    """A fit, the columns it could estimate, and why not the others."""

    fit: CoxFit | None
    kept: list[int]
    lost: dict[int, str]
    ph: dict[str, float]

    def estimate(self, j: int) -> dict[str, float]:
        """One column's numbers, NaN where it was not estimated."""
        if self.fit is None or j not in self.kept:
            return dict.fromkeys(("estimate", "low", "high", "p", "se", "ph_p", "ph_p_all"), np.nan)
        at = self.kept.index(j)
        low, high = self.fit.interval()
        return {
            "estimate": float(np.exp(self.fit.coefficients[at])),
            "low": float(np.exp(low[at])),
            "high": float(np.exp(high[at])),
            "p": float(self.fit.p()[at]),
            "se": float(self.fit.standard_errors[at]),
            "ph_p": self.ph.get(str(at), np.nan),
            "ph_p_all": self.ph.get("all", np.nan),
        }


def _fit(
    kept: FollowUp, columns: list[Column], per_sd: Sequence[str], strata: npt.NDArray[Any] | None, ties: Ties
) -> _Fitted:
    """The fit of what can be estimated of the columns."""
    n = kept.time.size
    values = [c.values / c.values.std(ddof=1) if c.source in per_sd and np.ptp(c.values) else c.values for c in columns]
    lost = {}
    for j, column in enumerate(columns):
        if np.ptp(column.values) == 0:
            lost[j] = "the same in all rows"
        elif column.kind != "number" and not (kept.event & (column.values > 0)).any():
            lost[j] = "nobody with an event has it"
        elif column.kind != "number" and not (kept.event & (column.values == 0)).any():
            lost[j] = "everybody with an event has it"
    left = [j for j in range(len(columns)) if j not in lost]
    design: Floats = np.column_stack([np.ones(n), *(values[j] for j in left)])
    for i, made_of in aliased(design).items():
        told = " and ".join(columns[left[k - 1]].key if k else "a constant" for k in made_of)
        lost[left[i - 1]] = f"a combination of {told}"
    used = [j for j in left if j not in lost]
    if not used:
        return _Fitted(None, [], lost, {})
    fit = cox(
        np.column_stack([values[j] for j in used]), kept.time, kept.event, strata=strata, people=kept.people, ties=ties
    )
    try:
        ph = {name: test.p for name, test in proportional_hazards(fit).items()}
    except (TableError, np.linalg.LinAlgError):  # all events at one time: nothing to tell from
        ph = {}
    return _Fitted(fit, used, lost, ph)
