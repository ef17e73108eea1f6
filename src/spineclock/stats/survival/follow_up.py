"""Who was followed for how long, and how it ended: checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.association.design import people_of
from spineclock.stats.diagnosis.labels import in_words, yes_no
from spineclock.stats.rows import complete, of_split

Causes = npt.NDArray[np.int64]
"""How each follow-up ended: 0 censored, 1 the event, 2 another event that rules it out (a competing one)."""
FEW = 10
"""With fewer events than this a result carries a warning."""


@dataclass(frozen=True)
class TimeTo:
    """The columns that say when an event happened, or until when it had not.

    With ``competing`` (such as "death") people who ended with it, without the event, are told from those lost to
    follow-up. Where ``competing_time`` is known it counts if it is no later than the end of the event's own follow-up;
    without it the column itself says whether the follow-up ended with the competing event.
    """

    event: str
    """A column of true/false; also the event's name in sentences."""
    time: str = ""
    """Years to the event or to the end of follow-up; by default the event's name and ``_years``."""
    competing: str | None = None
    competing_time: str | None = None

    @property
    def time_column(self) -> str:
        """The column of times."""
        return self.time or f"{self.event}_years"

    @property
    def columns(self) -> list[str]:
        """All columns that are read."""
        further = [c for c in (self.competing, self.competing_time) if c]
        return [self.time_column, self.event, *further]

    @property
    def words(self) -> str:
        """The event's name in a sentence."""
        return in_words(self.event)


@dataclass(frozen=True, eq=False)
class FollowUp:
    """The rows with a time, an ending, and the values asked for."""

    time: Floats
    """(n,) years, 0 or more."""
    cause: Causes
    """(n,)."""
    people: npt.NDArray[np.int64]
    """(n,) a number for whom each row is of."""
    table: pd.DataFrame
    left_out: int

    @property
    def event(self) -> npt.NDArray[np.bool_]:
        """(n,) whether the event was seen."""
        return np.asarray(self.cause == 1)

    @property
    def counts(self) -> dict[str, int]:
        """Numbers that go with each result."""
        return {
            "n": self.time.size,
            "events": int(self.event.sum()),
            "competing": int((self.cause == 2).sum()),
            "people": len(np.unique(self.people)),
            "left_out": self.left_out,
        }

    @property
    def warning(self) -> str:
        """That there are few events."""
        events = self.counts["events"]
        return f"only {events} events" if events < FEW else ""

    @property
    def spoken_for(self) -> Range:
        """The horizons by which the incidence can be told: without end where nobody is left without an event."""
        last = self.time.max()
        return Range(0.0, np.inf if (self.cause[self.time == last] > 0).all() else float(last))

    def of(self, rows: npt.NDArray[np.bool_]) -> FollowUp:
        """Some of the rows."""
        return FollowUp(self.time[rows], self.cause[rows], self.people[rows], self.table[rows], self.left_out)


def follow_up(
    table: pd.DataFrame,
    what: TimeTo,
    *,
    numbers: Sequence[str] = (),
    names: Sequence[str] = (),
    person: str | None = "person_id",
    split: str = "split",
    rows: str | None = None,
    at_least: int = 1,
) -> FollowUp:
    """The follow-up of the rows that have a time, an ending and all of ``numbers`` and ``names``.

    >>> table = pd.DataFrame({"person_id": list("abcd"), "fracture_years": [2.0, 3, 1.5, None],
    ...                       "fracture": [True, False, False, False], "death": [False, False, True, True]})
    >>> found = follow_up(table, TimeTo("fracture", competing="death"))
    >>> found.time.tolist(), found.cause.tolist(), found.left_out
    ([2.0, 3.0, 1.5], [1, 0, 2], 1)

    Raises
    ------
    TableError
        If a column is missing or not of numbers, a time is negative or infinite, an ending anything but yes and no, or
        there are fewer than ``at_least`` events.
    """
    if rows is not None:
        table = of_split(table, split, rows)
    kept = complete(table, numbers=[*dict.fromkeys([*what.columns, *numbers])], names=names)
    time = kept.table[what.time_column].to_numpy(dtype=np.float64)
    wrong = time[~((time >= 0) & np.isfinite(time))]
    if len(wrong):
        raise TableError(
            f"{wrong[0]:g} years in the column {what.time_column} ({len(wrong)} such)",
            wanted="times of 0 or more from the scan on",
            remedy="leave out people whose event came before their scan, or count from another date",
        )
    event = yes_no(kept.table[what.event], what.event)
    cause = event.astype(np.int64)
    if what.competing is not None:
        other = yes_no(kept.table[what.competing], what.competing) & ~event
        if what.competing_time is not None:
            at = kept.table[what.competing_time].to_numpy(dtype=np.float64)
            other &= at <= time * (1 + 1e-9) + 1e-9  # the same day, written with other roundings
            time = np.where(other, np.minimum(at, time), time)
            if (time < 0).any():
                raise TableError(f"negative years in the column {what.competing_time}", wanted="times of 0 or more")
        cause[other] = 2
    if event.sum() < at_least:
        raise TableError(
            f"{int(event.sum())} events in the column {what.event} ({len(event)} rows)",
            wanted=f"at least {at_least}",
            remedy="follow more people, or for longer",
        )
    return FollowUp(time, cause, people_of(kept.table, person), kept.table, kept.left_out)


class Range(NamedTuple):
    """The horizons follow-up can speak for, in years, ends included."""

    first: float
    last: float


def within(horizons: Sequence[float], allowed: Range, *, why: str = "follow-up ends there", of: str = "") -> Floats:
    """The horizons as an array, where all lie in the allowed range.

    >>> within([1, 5], Range(0, 4.2))
    Traceback (most recent call last):
    spineclock.core.errors.UsageError: a horizon of 5 years; wanted: 0 to 4.2 years (follow-up ends there); remedy: ask
    for a horizon in that range.

    Raises
    ------
    UsageError
        Naming the first that does not, and the range.
    """
    asked = np.asarray(horizons, dtype=np.float64)
    if asked.ndim != 1 or not asked.size:
        raise UsageError(f"the horizons {horizons}", wanted="one or more, in years")
    wrong = asked[~((asked >= allowed.first) & (asked <= allowed.last))]
    if len(wrong):
        raise UsageError(
            f"a horizon of {wrong[0]:g} years{of}",
            wanted=f"{allowed.first:.4g} to {allowed.last:.4g} years ({why})",
            remedy="ask for a horizon in that range",
        )
    return asked
