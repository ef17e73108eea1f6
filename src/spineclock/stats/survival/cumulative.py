"""Cumulative incidence of an event by horizon and group, and how long follow-up was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from spineclock.core.errors import TableError
from spineclock.stats.result import results
from spineclock.stats.survival.follow_up import FollowUp, TimeTo, follow_up, within
from spineclock.stats.survival.incidence import clustered, incidence, influence, log_log_interval


@dataclass(frozen=True)
class CumulativeIncidence:
    """The share of people with the event by each horizon: Kaplan–Meier, or Aalen–Johansen with a competing event.

    Without ``competing`` people who died are taken as if they could still have the event, which overstates the share;
    with it the figure is the share that has it in this life. Intervals are log(−log), clustered by person. Extra
    columns: ``horizon_years``, ``group``, ``event_free`` (share with neither event), ``at_risk`` (rows followed
    beyond the horizon), ``se``, ``events``, ``competing``, ``people``, ``left_out``, ``method``, ``warning``.

    Parameters
    ----------
    outcome
        Columns of the event's time and kind.
    horizons
        In years.
    by
        A column each of whose values is a group.

    Examples
    --------
    >>> table = pd.DataFrame({"person_id": range(5), "fracture_years": [1, 2, 3, 4, 5], "fracture": [1, 0, 1, 0, 0]})
    >>> CumulativeIncidence(TimeTo("fracture"), [2, 4])(table)["estimate"].round(4).tolist()
    [0.2, 0.4667]
    """

    outcome: TimeTo
    horizons: Sequence[float] = (2.0, 3.0, 5.0)
    by: str | None = None
    person: str | None = "person_id"
    split: str = "split"
    rows: str | None = None

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """One row a group and horizon.

        Raises
        ------
        TableError
            If a column is missing or wrong, or a time is negative.
        UsageError
            If a horizon lies outside the follow-up of a group, naming the allowed range.
        """
        return results(row for name, part in self._groups(self._kept(table)) for row in self._rows(part, name))

    def curves(self, table: pd.DataFrame) -> pd.DataFrame:
        """The whole step function of each group from time 0 on: ``group``, ``time_years``, ``estimate``, ``low``,
        ``high`` (pointwise, log(−log), each row taken as another person) and ``at_risk``; the horizons play no part.

        Raises
        ------
        TableError
            As when called.
        """
        parts = []
        for name, part in self._groups(self._kept(table)):
            found = incidence(part.time, part.cause)
            low, high = found.interval()
            start = {"time_years": 0.0, "estimate": 0.0, "low": 0.0, "high": 0.0, "at_risk": float(part.time.size)}
            steps = {
                "time_years": found.times, "estimate": found.incidence, "at_risk": found.at_risk,
                "low": np.where(found.incidence > 0, low, 0), "high": np.where(found.incidence > 0, high, 0),
            }  # fmt: skip
            parts.append(pd.concat([pd.DataFrame([start]), pd.DataFrame(steps)]).assign(group=name))
        return pd.concat(parts, ignore_index=True)[["group", "time_years", "estimate", "low", "high", "at_risk"]]

    def _kept(self, table: pd.DataFrame) -> FollowUp:
        names = [self.by] if self.by else []
        kept = follow_up(table, self.outcome, names=names, person=self.person, split=self.split, rows=self.rows)
        if not kept.time.size:
            raise TableError("no row with a follow-up", wanted="at least one")
        return kept

    def _groups(self, kept: FollowUp) -> Iterator[tuple[str, FollowUp]]:
        if self.by is None:
            yield "", kept
            return
        values = kept.table[self.by].astype(str).to_numpy(dtype=object)
        for value in pd.unique(values):
            yield str(value), kept.of(np.asarray(values == value))

    def _rows(self, part: FollowUp, group: str) -> Iterator[dict[str, Any]]:
        of = f" in the group {group}" if group else ""
        horizons = within(self.horizons, part.spoken_for, of=of)
        curve = incidence(part.time, part.cause)
        for horizon in horizons:
            value = curve.at([horizon])
            error = clustered(influence(part.time, part.cause, float(horizon)), part.people).standard_error
            low, high = (float(end[0]) for end in log_log_interval(value, np.array([error])))
            yield self._row(part, group, float(horizon), float(value[0]), (error, low, high))

    def _row(
        self, part: FollowUp, group: str, horizon: float, value: float, spread: tuple[float, float, float]
    ) -> dict[str, Any]:
        error, low, high = spread
        seen = part.of(np.asarray(part.time <= horizon))
        beyond = int((part.time > horizon).sum())
        curve = incidence(part.time, part.cause)
        free = curve.event_free[curve.times <= horizon]
        warnings = [f"only {seen.counts['events']} events by then"] if seen.counts["events"] < 5 else []
        if beyond < 10:
            warnings.append(f"only {beyond} rows followed for longer")
        competing = self.outcome.competing is not None
        sentence = (
            f"{f'In {group}, ' if group else ''}{value:.1%} have had {self.outcome.words} by {horizon:g} years"
            + (f" (95% CI {low:.1%} to {high:.1%})" if np.isfinite(low) else " (no interval)")
            + (
                f", {str(self.outcome.competing).replace('_', ' ')} counted as an ending of its own"
                if competing
                else ""
            )
            + f"; {part.counts['n']:,} rows, {beyond:,} followed for longer."
        )
        return {
            "term": f"{self.outcome.event} by {horizon:g} years" + (f", {group}" if group else ""),
            "estimate": value,
            "low": low,
            "high": high,
            **part.counts,
            "horizon_years": horizon,
            "group": group,
            "event_free": float(free[-1]) if len(free) else 1.0,
            "at_risk": beyond,
            "se": error,
            "method": "Aalen–Johansen" if competing else "Kaplan–Meier",
            "warning": "; ".join(warnings),
            "sentence": sentence + (f" Caution: {'; '.join(warnings)}." if warnings else ""),
        }
