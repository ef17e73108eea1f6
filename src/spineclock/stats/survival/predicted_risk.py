"""Whether predicted risks by a horizon are right: Brier scores, and calibration against the observed incidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from spineclock.core.errors import UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.diagnosis.calibration import equal_bins
from spineclock.stats.diagnosis.labels import probabilities
from spineclock.stats.result import interval_text, number, p_text, results
from spineclock.stats.survival.concordance import Compared, of_influence
from spineclock.stats.survival.follow_up import FollowUp, TimeTo, follow_up, within
from spineclock.stats.survival.incidence import clustered, incidence, influence, log_log_interval
from spineclock.stats.survival.timed import (
    HORIZONS_WHY,
    Figure,
    Weights,
    brier,
    horizons_known,
    observed_over_expected,
    over_horizons,
    scaled_brier,
)

Models = Mapping[str, Mapping[float, str]]
"""By a model's name the column of its predicted risk by each horizon: ``{"network": {2: "risk_2", 5: "risk_5"}}``."""


@dataclass(frozen=True)
class BrierScore:
    """Brier score of predicted risks by each horizon, scaled and integrated, and the first model's minus each other's.

    Weighted for people lost before the horizon; a competing event counts as not having the event. Rows by ``measure``:
    "Brier score" (0 is perfect), "scaled Brier score" (1 − it over that of giving everyone the incidence),
    "integrated Brier score" (mean between the first and last horizon; from two horizons on), "difference" (of Brier
    scores; below 0 the first is better). Intervals by influence, clustered by person. Extra columns: ``measure``,
    ``model``, ``against``, ``horizon_years``, ``events``, ``competing``, ``people``, ``left_out``, ``se``, ``warning``.

    Examples
    --------
    >>> table = pd.DataFrame({"person_id": range(4), "fracture_years": [1, 2, 3, 4], "fracture": [1, 1, 0, 0],
    ...                       "risk": [0.9, 0.6, 0.2, 0.1]})
    >>> found = BrierScore(TimeTo("fracture"), {"network": {2.5: "risk"}})(table)
    >>> found[["measure", "estimate"]].round(4).to_numpy().tolist()
    [['Brier score', 0.055], ['scaled Brier score', 0.78]]
    """

    outcome: TimeTo
    models: Models
    person: str | None = "person_id"
    split: str = "split"
    rows: str | None = None

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows; p is of no difference.

        Raises
        ------
        TableError
            If a column is missing or wrong, a risk is not between 0 and 1, or a time is negative.
        UsageError
            If a horizon lies outside follow-up, naming the allowed range, or models have different horizons.
        """
        kept, horizons = _checked(self.models, self.outcome, table, (self.person, self.split, self.rows))
        within(horizons, horizons_known(kept.time, kept.event), why=HORIZONS_WHY)
        weights = {h: Weights.at(kept.time, kept.cause, float(h)) for h in horizons}
        found = {
            name: [brier(kept.table[columns[h]].to_numpy(dtype=np.float64), weights[h]) for h in horizons]
            for name, columns in self.models.items()
        }
        rows = []
        for name, columns in self.models.items():
            for h, figure in zip(horizons, found[name], strict=True):
                scaled = scaled_brier(
                    kept.table[columns[h]].to_numpy(dtype=np.float64), kept.time, kept.cause, float(h)
                )
                rows += [
                    self._row(kept, figure, "Brier score", name, horizon=float(h)),
                    self._row(kept, scaled, "scaled Brier score", name, horizon=float(h)),
                ]
            if len(horizons) > 1:
                whole = over_horizons(np.array(horizons), found[name])
                rows.append(self._row(kept, whole, "integrated Brier score", name))
        first, *others = self.models
        for other in others:
            for i, h in enumerate(horizons):
                a, b = found[first][i], found[other][i]
                gain = Figure(a.value - b.value, a.influence - b.influence)
                rows.append(self._row(kept, gain, "difference", first, horizon=float(h), other=other))
        return results(rows)

    def _row(
        self, kept: FollowUp, figure: Figure, measure: str, name: str, *, horizon: float = np.nan, other: str = ""
    ) -> dict[str, Any]:
        told = of_influence(figure.value, figure.influence, kept.people, null=0.0, limits=(-np.inf, 1.0))
        p = told.p if other else np.nan
        when = f" by {horizon:g} years" if np.isfinite(horizon) else ""
        what = f"difference of Brier scores of {name} and {other}" if other else f"{measure} of {name}"
        sentence = f"The {what} for {self.outcome.words}{when} is {interval_text(*_ends(figure, told), digits=4)}"
        return {
            "term": f"{measure}, {name}" + (f" − {other}" if other else "") + when,
            "estimate": figure.value,
            "low": told.low,
            "high": told.high,
            "p": p,
            **kept.counts,
            "measure": measure,
            "model": name,
            "against": other,
            "horizon_years": horizon,
            "se": told.standard_error,
            "warning": kept.warning,
            "sentence": sentence + (f"; {p_text(p)}." if other else "."),
        }


@dataclass(frozen=True)
class RiskCalibration:
    """Observed incidence beside predicted risk by each horizon: over all rows, and in groups of rising risk.

    The observed one is Aalen–Johansen's where the outcome has a competing event, else Kaplan–Meier's. The row of all
    (``group`` 0) holds observed over expected; the others (from 1) the observed incidence, with log(−log) intervals
    clustered by person. Extra columns: ``model``, ``horizon_years``, ``group``, ``expected`` (mean predicted risk),
    ``observed``, ``lowest`` and ``highest`` predicted, ``events``, ``competing``, ``people``, ``left_out``,
    ``warning``.

    Examples
    --------
    >>> table = pd.DataFrame({"person_id": range(4), "fracture_years": [1, 2, 3, 4], "fracture": [1, 1, 0, 0],
    ...                       "risk": [0.9, 0.6, 0.2, 0.3]})
    >>> found = RiskCalibration(TimeTo("fracture"), {"network": {2.5: "risk"}}, groups=2)(table)
    >>> found[["group", "expected", "observed", "estimate"]].round(4).to_numpy().tolist()
    [[0.0, 0.5, 0.5, 1.0], [1.0, 0.25, 0.0, 0.0], [2.0, 0.75, 1.0, 1.0]]
    """

    outcome: TimeTo
    models: Models
    groups: int = 10
    person: str | None = "person_id"
    split: str = "split"
    rows: str | None = None

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows; p is of observed and expected being the same.

        Raises
        ------
        TableError
            If a column is missing or wrong, a risk is not between 0 and 1, or a time is negative.
        UsageError
            If a horizon lies outside follow-up, or that of a group, naming the allowed range.
        """
        kept, horizons = _checked(self.models, self.outcome, table, (self.person, self.split, self.rows))
        within(horizons, kept.spoken_for)
        rows = []
        for name, columns in self.models.items():
            for horizon in map(float, horizons):
                risk = kept.table[columns[horizon]].to_numpy(dtype=np.float64)
                rows.append(self._overall(kept, risk, name, horizon))
                grouped = equal_bins(risk, self.groups)
                for group in range(grouped.groups):
                    own = grouped.of == group
                    rows.append(self._group(kept.of(own), risk[own], (name, horizon), (group + 1, grouped.groups)))
        return results(rows)

    def _overall(self, kept: FollowUp, risk: Floats, name: str, horizon: float) -> dict[str, Any]:
        found = observed_over_expected(risk, kept.time, kept.cause, horizon)
        told = of_influence(found.value, found.influence, kept.people, null=0.0, limits=(-np.inf, np.inf))
        ratio, low, high = (float(np.exp(v)) for v in (found.value, told.low, told.high))
        observed = float(incidence(kept.time, kept.cause).at([horizon])[0])
        return {
            "term": f"observed over expected, {name}, by {horizon:g} years",
            "estimate": ratio,
            "low": low,
            "high": high,
            "p": told.p,
            **kept.counts,
            **_group_columns(name, horizon, 0, risk, observed),
            "warning": kept.warning,
            "sentence": f"By {horizon:g} years {observed:.1%} have had {self.outcome.words} where {name} says "
            f"{risk.mean():.1%} on average: {number(ratio)} times as many (95% CI {number(low)} to {number(high)}; "
            f"{p_text(told.p)}).",
        }

    def _group(self, part: FollowUp, risk: Floats, model: tuple[str, float], place: tuple[int, int]) -> dict[str, Any]:
        (name, horizon), (group, count) = model, place
        within([horizon], part.spoken_for, of=f" in group {group} of {count} by risk")
        observed = incidence(part.time, part.cause).at([horizon])
        error = clustered(influence(part.time, part.cause, horizon), part.people).standard_error
        low, high = (float(end[0]) for end in log_log_interval(observed, np.array([error])))
        value = float(observed[0])
        told = f" (95% CI {low:.1%} to {high:.1%})" if np.isfinite(low) else ""
        return {
            "term": f"{name}, group {group} of {count}, by {horizon:g} years",
            "estimate": value,
            "low": low,
            "high": high,
            **part.counts,
            **_group_columns(name, horizon, group, risk, value),
            "warning": part.warning,
            "sentence": f"Where {name} says {risk.mean():.1%} on average, {value:.1%} have had {self.outcome.words} by "
            f"{horizon:g} years{told}; {part.counts['n']:,} rows.",
        }


def _group_columns(name: str, horizon: float, group: int, risk: Floats, observed: float) -> dict[str, Any]:
    return {
        "model": name,
        "horizon_years": horizon,
        "group": group,
        "expected": float(risk.mean()),
        "observed": observed,
        "lowest": float(risk.min()),
        "highest": float(risk.max()),
    }


def _checked(
    models: Models, outcome: TimeTo, table: pd.DataFrame, at: tuple[str | None, str, str | None]
) -> tuple[FollowUp, list[float]]:
    """The rows with every model's risk, and the horizons all models have."""
    each = [sorted(float(h) for h in columns) for columns in models.values()]
    if not each or not each[0] or any(h != each[0] for h in each):
        raise UsageError(f"models with the horizons {each}", wanted="at least one model, all with the same horizons")
    names = [column for columns in models.values() for column in columns.values()]
    person, split, rows = at
    kept = follow_up(table, outcome, numbers=names, person=person, split=split, rows=rows, at_least=1)
    probabilities(np.asarray(kept.table[names].to_numpy(dtype=np.float64).T), names)
    return kept, each[0]


def _ends(figure: Figure, told: Compared) -> tuple[float, float, float]:
    return figure.value, told.low, told.high
