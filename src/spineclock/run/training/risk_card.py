"""How good predicted risks are, in figures and words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from spineclock.core.errors import TableError, UsageError
from spineclock.core.outcomes import TimeToEvent
from spineclock.run.tables import markdown
from spineclock.run.training import diagnosis_card
from spineclock.stats.survival.c_index import CIndex
from spineclock.stats.survival.follow_up import TimeTo
from spineclock.stats.survival.predicted_risk import BrierScore, RiskCalibration
from spineclock.stats.survival.timed_auroc import TimedAuroc

COLUMNS = ("figure", "horizon_years", "group", "estimate", "low", "high", "expected", "n", "events", "competing",
           "warning", "sentence")  # fmt: skip
"""Of risks.csv."""
GROUP = "observed in a group"
"""The figure that is the observed incidence of a group of rising risk."""
MOST_GROUPS, PER_GROUP = 10, 5
"""Groups of rising risk, and events a group has at least."""


def risk_column(horizon_years: float) -> str:
    """The column of risks by a horizon.

    >>> risk_column(5.0)
    'risk_5_years'
    """
    return f"risk_{horizon_years:g}_years"


@dataclass(frozen=True, eq=False)
class Judged:
    """How good what was said is: of what is there (diagnosis_card), of what will come, and what could not be told."""

    detection: pd.DataFrame | None
    risks: pd.DataFrame | None
    caution: str = ""

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """As files."""
        return {n: t for n, t in (("detection", self.detection), ("risks", self.risks)) if t is not None}

    @property
    def lines(self) -> list[str]:
        """In words, the fewest that will do."""
        found = [] if self.detection is None else [f"detection: {diagnosis_card.sentence(self.detection.iloc[0])}"]
        if self.risks is not None:
            found += self.risks.loc[self.risks["figure"] != GROUP, "sentence"].tolist()
        return found


def risk_figures(people: pd.DataFrame, outcome: TimeToEvent) -> tuple[pd.DataFrame, str]:
    """Figures of risks beside the follow-up, :data:`COLUMNS`, with 95% intervals by person, and what could not be told.

    Harrell's c, and Uno's up to the last horizon, of the last risk; AUROC and Brier scores by each horizon; observed
    over expected and the observed incidence in groups of rising risk (Aalen–Johansen's with the competing event) by
    the last.
    """
    known = people[people[outcome.years].notna()].reset_index(drop=True)
    rows, lacking = [], []
    for what, made in _figures(known, outcome):
        try:
            rows.append(made())
        except (TableError, UsageError, np.linalg.LinAlgError) as error:
            lacking.append(f"{what}: {str(error).partition(';')[0]}")
    found = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=list(COLUMNS))
    return found.reindex(columns=list(COLUMNS)), "; ".join(lacking)


def _figures(known: pd.DataFrame, outcome: TimeToEvent) -> Iterator[tuple[str, Callable[[], pd.DataFrame]]]:
    """Each figure's name, and how it comes about."""
    what = TimeTo(outcome.event, outcome.years, outcome.competing)
    last, column = outcome.horizon_years, risk_column(outcome.horizon_years)
    by = {h: risk_column(h) for h in outcome.horizons_years}

    def concordance() -> pd.DataFrame:
        harrell = CIndex(what, [column], ["harrell"])(known)
        uno = CIndex(what, [column], ["uno"], horizon=last)(known)
        return pd.concat([harrell.assign(figure="Harrell's c"), uno.assign(figure="Uno's c")])

    def auroc() -> pd.DataFrame:
        return pd.concat([TimedAuroc(what, [by[h]], [h])(known).assign(figure="AUROC") for h in by])

    def brier() -> pd.DataFrame:
        found = BrierScore(what, {"the network": by})(known)
        return found[found["measure"] != "integrated Brier score"].assign(figure=lambda t: t["measure"])

    def calibration() -> pd.DataFrame:
        events = int(((known[outcome.event] == True) & (known[outcome.years] <= last)).sum())  # noqa: E712
        groups = max(1, min(MOST_GROUPS, events // PER_GROUP))
        found = RiskCalibration(what, {"the network": {last: column}}, groups=groups)(known)
        return found.assign(figure=np.where(found["group"] == 0, "observed over expected", GROUP))

    yield "c", concordance
    yield "AUROC", auroc
    yield "Brier score", brier
    yield "calibration", calibration


def shown(figures: pd.DataFrame) -> str:
    """The figures as a Markdown table, without the groups."""
    rows = [
        {
            "figure": row["figure"],
            "by": "" if np.isnan(row["horizon_years"]) else f"{row['horizon_years']:g} years",
            "value": f"{row['estimate']:.3f} ({row['low']:.3f} to {row['high']:.3f})",
            "people with the event": int(row["events"]), "who died first": int(row["competing"]),
            "scans": int(row["n"]),
        }
        for _, row in figures[figures["figure"] != GROUP].iterrows()
    ]  # fmt: skip
    return markdown(pd.DataFrame(rows)) if rows else "None could be told."
