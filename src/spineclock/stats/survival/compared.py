"""Predicted risks side by side: figures of merit of each, and their paired differences, on the same drawn people.

Sources: Efron and Tibshirani 1993 (bootstrap, percentile interval); Schuirmann 1987 (two one-sided tests: equivalent at
5% where the 90% interval lies within the margin).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.diagnosis.labels import in_words, probabilities
from spineclock.stats.resample import Spread, one_sided, spread_of, two_sided
from spineclock.stats.result import interval_text, number, p_text, results
from spineclock.stats.survival.drawn import Drawn, Rows, person_draws
from spineclock.stats.survival.follow_up import FollowUp, Range, TimeTo, follow_up, within
from spineclock.stats.survival.timed import HORIZONS_WHY, RuledOut, horizons_known

FigureName = Literal["harrell", "uno", "auroc", "brier", "scaled brier", "observed over expected"]
Told = str | Mapping[float, str]
"""A model's column: a score, or of a risk by each horizon ``{2: "risk_2", 5: "risk_5"}``."""
_NAMES: Mapping[FigureName, str] = {
    "harrell": "Harrell's c", "uno": "Uno's c", "auroc": "AUROC", "brier": "Brier score",
    "scaled brier": "scaled Brier score", "observed over expected": "observed over expected",
}  # fmt: skip
_OF_RISKS = ("brier", "scaled brier", "observed over expected")
_C = ("harrell", "uno")


class Cell(NamedTuple):
    """One figure of one model."""

    figure: FigureName
    model: str
    horizon: float | None
    """None of a c."""


@dataclass(frozen=True)
class RiskComparison:
    """Figures of several predicted risks and the differences between them, all on the same resampled people.

    A model of one column is a score, such as FRAX: it has a c and AUROCs, and no figure that asks for probabilities. Of
    a model with a risk by each horizon, c ranks by the last one's. Rows: each figure of each model; then for each pair
    of models the first's minus the second's (none of observed over expected, whose best value lies in the middle). For
    the Brier score below 0 is better, for the others above. Extra columns: ``figure``, ``model``, ``against`` (empty,
    or the model it is compared with), ``horizon_years``, ``value`` and ``value_other`` (of a difference), ``se``,
    ``low_90``, ``high_90``, ``margin``, ``equivalent`` (of a difference of c or AUROC: the 90% interval lies within ±
    the margin), ``p_equivalence`` (the larger of two one-sided p), ``resamples`` (those in which the figure exists),
    ``events``, ``competing``, ``people``, ``left_out``, ``warning``.

    Parameters
    ----------
    outcome
        Columns of the event's time and kind.
    models
        By name; see :data:`Told`.
    figures
        Some of "harrell", "uno", "auroc", "brier", "scaled brier", "observed over expected".
    horizons
        In years, of all figures but c.
    until
        Only events before it count in c; by default all. Uno's c with heavy censoring needs one.
    pairs
        Which models are compared; by default the first with each other one.
    margin
        Within which a difference of c or AUROC does not matter.
    resamples, seed
        Of the bootstrap by person.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> ill = rng.normal(size=300)
    >>> years = rng.exponential(6 * np.exp(-ill))
    >>> table = pd.DataFrame({"person_id": range(300), "fracture_years": years.clip(max=6), "fracture": years < 6,
    ...                       "image": ill + rng.normal(0, 0.3, 300), "frax": ill + rng.normal(0, 3, 300)})
    >>> compared = RiskComparison(TimeTo("fracture"), {"image": "image", "FRAX": "frax"}, ["harrell"], resamples=200)
    >>> found = compared(table)
    >>> found["term"].tolist(), bool(found.loc[2, "low"] > 0)
    (["Harrell's c, image", "Harrell's c, FRAX", "Harrell's c, image − FRAX"], True)
    """

    outcome: TimeTo
    models: Mapping[str, Told]
    figures: Sequence[FigureName] = ("harrell", "uno", "auroc", "brier", "scaled brier")
    horizons: Sequence[float] = (2.0, 3.0, 5.0)
    until: float | None = None
    pairs: Sequence[tuple[str, str]] = ()
    margin: float = 0.01
    ruled_out: RuledOut = "controls"
    resamples: int = 1000
    seed: int = 0
    person: str | None = "person_id"
    split: str = "split"
    rows: str | None = None

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows; p is of no difference.

        Raises
        ------
        TableError
            If a column is missing, wrong or constant, a risk is not between 0 and 1, or a time is negative.
        UsageError
            If a horizon lies outside follow-up, a model lacks its risk, or a pair names no model.
        """
        self._require_sense()
        names = [*dict.fromkeys(c for told in self.models.values() for c in _columns(told))]
        kept = follow_up(
            table, self.outcome, numbers=names, person=self.person, split=self.split, rows=self.rows, at_least=2
        )
        self._require_columns(kept, names)
        cells = self._cells()
        rows = Rows(kept.time, kept.cause)
        values = self._figures(kept, Drawn(rows, np.ones((1, kept.time.size))), cells)[0]
        if np.isnan(values).any():
            missing = cells[int(np.flatnonzero(np.isnan(values))[0])]
            raise TableError(f"no {_NAMES[missing.figure]} of {missing.model}", wanted="events, and people without")
        rng = np.random.default_rng(self.seed)
        drawn = np.concatenate(
            [self._figures(kept, Drawn(rows, often), cells)
             for often in person_draws(kept.people, rng=rng, resamples=self.resamples)]
        )  # fmt: skip
        place = {cell: i for i, cell in enumerate(cells)}
        out = [self._alone(kept, cell, values[i], drawn[:, i]) for i, cell in enumerate(cells)]
        for one, other in self.pairs or [(next(iter(self.models)), m) for m in [*self.models][1:]]:
            for cell in cells:
                against = cell._replace(model=other)
                if cell.model != one or cell.figure == "observed over expected" or against not in place:
                    continue
                both = place[cell], place[against]
                out.append(self._difference(kept, cell, other, values[[*both]], drawn[:, both]))
        return results(out)

    def _require_sense(self) -> None:
        unknown = [f for f in self.figures if f not in get_args(FigureName)]
        if unknown or not self.figures or not self.models:
            raise UsageError(f"the figures {', '.join(unknown) or 'none'} of {len(self.models)} models",
                             wanted=f"some of {', '.join(get_args(FigureName))}, and a model")  # fmt: skip
        wrong = [pair for pair in self.pairs if not {*pair} <= {*self.models} or pair[0] == pair[1]]
        if wrong:
            raise UsageError(f"{wrong[0][0]} against {wrong[0][1]}", wanted=f"two of {', '.join(self.models)}")
        if self.margin <= 0 or self.resamples < 1:
            raise UsageError(f"a margin of {self.margin}, {self.resamples} resamples", wanted="both above 0")
        for name, told in self.models.items():
            lacking = [] if isinstance(told, str) else [h for h in self.horizons if h not in told]
            if lacking and {*self.figures} - {*_C}:
                raise UsageError(f"no risk by {lacking[0]:g} years of {name}", wanted="one by each horizon, or a score")

    def _require_columns(self, kept: FollowUp, names: Sequence[str]) -> None:
        values = np.asarray(kept.table[[*names]].to_numpy(dtype=np.float64).T)
        for name, value in zip(names, values, strict=True):
            if not np.ptp(value) > 0:
                raise TableError(f"{name} is the same in all {value.size} rows", wanted="a score that differs")
        risks = [c for told in self.models.values() if not isinstance(told, str) for c in told.values()]
        probabilities(np.asarray(kept.table[risks].to_numpy(dtype=np.float64).T), risks)
        if {*self.figures} - {*_C}:
            within(self.horizons, horizons_known(kept.time, kept.event), why=HORIZONS_WHY)
        if self.until is not None and {*self.figures} & {*_C}:
            first = float(kept.time[kept.event].min())
            within([self.until], Range(first, float(kept.time.max())), why="from the first event to the last follow-up")

    def _cells(self) -> list[Cell]:
        """Every figure there is, in the order of the rows."""
        cells = []
        for figure in self.figures:
            for name, told in self.models.items():
                if figure in _C:
                    cells.append(Cell(figure, name, None))
                elif figure not in _OF_RISKS or not isinstance(told, str):
                    cells += [Cell(figure, name, float(h)) for h in self.horizons]
        return cells

    def _figures(self, kept: FollowUp, drawn: Drawn, cells: Sequence[Cell]) -> Floats:
        """(b, cells) each figure of each draw."""
        out = np.full((len(drawn.often), len(cells)), np.nan)
        kinds = tuple(k for k in _C if k in self.figures)
        if kinds:
            ranked = np.array([_values(kept, told, None) for told in self.models.values()])
            found = drawn.concordances(ranked, kinds=kinds, horizon=self.until)
        at = {h: drawn.at(h) for h in {cell.horizon for cell in cells} if h is not None}
        for i, (figure, model, horizon) in enumerate(cells):
            if horizon is None:
                out[:, i] = found[:, kinds.index(figure), [*self.models].index(model)]
                continue
            x, weights = _values(kept, self.models[model], horizon), at[horizon]
            match figure:
                case "auroc":
                    out[:, i] = weights.auroc(x, ruled_out=self.ruled_out)
                case "brier":
                    out[:, i] = weights.brier(x)
                case "scaled brier":
                    out[:, i] = weights.scaled_brier(x)
                case _:
                    out[:, i] = weights.observed_over_expected(x)
        return out

    def _alone(self, kept: FollowUp, cell: Cell, value: float, drawn: Floats) -> dict[str, Any]:
        spread = spread_of(drawn)
        what = f"{_NAMES[cell.figure]} of {cell.model} for {self.outcome.words}{_by(cell.horizon)}"
        return {
            "term": f"{_NAMES[cell.figure]}, {cell.model}{_by(cell.horizon)}",
            "estimate": value,
            "low": spread.low,
            "high": spread.high,
            "p": np.nan,
            **self._shared(kept, cell, "", spread),
            "sentence": f"The {what} is {interval_text(value, spread.low, spread.high, digits=3)}.",
        }

    def _difference(self, kept: FollowUp, cell: Cell, other: str, values: Floats, drawn: Floats) -> dict[str, Any]:
        gains = drawn[:, 0] - drawn[:, 1]
        value, spread, p = float(values[0] - values[1]), spread_of(gains), two_sided(gains)
        name = _NAMES[cell.figure]
        first, second = (f"{in_words(m)} ({number(v, 3)})" for m, v in zip((cell.model, other), values, strict=True))
        sentence = (
            f"For {self.outcome.words}{_by(cell.horizon)} the {name} of {first} minus that of {second} is "
            f"{interval_text(value, spread.low, spread.high, digits=3)}; {p_text(p)}"
        )
        equivalence: dict[str, Any] = {"margin": np.nan, "equivalent": np.nan, "p_equivalence": np.nan}
        if cell.figure not in _OF_RISKS:
            equivalent = -self.margin < spread.low_90 and spread.high_90 < self.margin
            equivalence = {
                "margin": self.margin, "equivalent": equivalent, "p_equivalence": one_sided(gains, self.margin)
            }  # fmt: skip
            sentence += (
                f"; {'equivalent' if equivalent else 'not shown to be equivalent'} within ±{self.margin:g} "
                f"(90% interval {number(spread.low_90, 3)} to {number(spread.high_90, 3)})"
            )
        return {
            "term": f"{name}, {cell.model} − {other}{_by(cell.horizon)}",
            "estimate": value,
            "low": spread.low,
            "high": spread.high,
            "p": p,
            **self._shared(kept, cell, other, spread),
            "value": float(values[0]),
            "value_other": float(values[1]),
            **equivalence,
            "sentence": f"{sentence}.",
        }

    def _shared(self, kept: FollowUp, cell: Cell, other: str, spread: Spread) -> dict[str, Any]:
        return {
            **kept.counts,
            "figure": cell.figure,
            "model": cell.model,
            "against": other,
            "horizon_years": np.nan if cell.horizon is None else cell.horizon,
            "se": spread.error,
            "low_90": spread.low_90,
            "high_90": spread.high_90,
            "resamples": spread.draws,
            "warning": kept.warning,
        }


def _columns(told: Told) -> list[str]:
    return [told] if isinstance(told, str) else [*told.values()]


def _values(kept: FollowUp, told: Told, horizon: float | None) -> Floats:
    """(n,) a model's score, or its risk by a horizon; by the last one where none is told."""
    column = told if isinstance(told, str) else told[max(told) if horizon is None else horizon]
    return np.asarray(kept.table[column].to_numpy(dtype=np.float64))


def _by(horizon: float | None) -> str:
    return "" if horizon is None else f" by {horizon:g} years"
