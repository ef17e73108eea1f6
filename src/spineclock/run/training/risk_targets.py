"""What a network of follow-up learns of each scan: what is there, for how long its person was followed, and the end.

A cohort tells it in columns (docs/cohort.md); which vertebrae are fractured stands in a table of its own, a row each.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spineclock.core.errors import TableError
from spineclock.core.outcomes import TimeToEvent
from spineclock.ingest.cohort import read_table
from spineclock.ingest.study_table import yes_or_no
from spineclock.prep.ct_cropping import CtCropping
from spineclock.prep.store import PreparedStore
from spineclock.run.training.sets import ENDING, LABEL, YEARS
from spineclock.run.training.settings import TrainSettings
from spineclock.stats.survival.follow_up import TimeTo, follow_up

if TYPE_CHECKING:
    from torch import Tensor

    from spineclock.nets.multitask import MultitaskHead

FRACTURES = "fractures.csv"
SHOWN = "vertebrae"
"""Column of the vertebrae that a scan's images are of."""
AT = f"{LABEL}_at_"
"""Begins the columns of labels by level, which become those of the first, second and third vertebra shown."""
FEWEST = 2
"""People with, and without, what is learned, for training and for validation."""


def told_of(
    table: pd.DataFrame, outcome: TimeToEvent, settings: TrainSettings, cohort: Path | None = None
) -> pd.DataFrame:
    """Columns of what is learned, NaN where a row does not tell it: label, followed_years, ending; labels by level.

    A task that is not learned is not told. ``cohort``: where fractures.csv lies, if the settings name no such table.

    Raises
    ------
    TableError
        If nothing tells what is to be learned, or the table contradicts itself.
    """
    found = pd.DataFrame(index=table.index)
    if settings.tasks != "follow_up":
        found = _present(table, outcome, settings, cohort)
    if settings.tasks != "detection":
        found = found.join(followed(table, outcome, compete=settings.deaths == "compete"))
    for name in (LABEL, YEARS, ENDING):
        if name not in found:
            found[name] = np.nan
    return found


def followed(table: pd.DataFrame, outcome: TimeToEvent, *, compete: bool = True) -> pd.DataFrame:
    """Years and ending of each row's follow-up, NaN where they are not known."""
    competing = outcome.competing if compete and outcome.competing in table else None
    years = f"{outcome.competing}_years"
    what = TimeTo(outcome.event, outcome.years, competing, years if competing and years in table else None)
    seen = follow_up(table.assign(_row=np.arange(len(table))), what, numbers=["_row"], person=None)
    found = pd.DataFrame(np.nan, index=table.index, columns=[YEARS, ENDING])
    rows = seen.table["_row"].to_numpy(dtype=np.int64)
    found.iloc[rows] = np.column_stack([seen.time, seen.cause])
    return found


def _present(table: pd.DataFrame, outcome: TimeToEvent, settings: TrainSettings, cohort: Path | None) -> pd.DataFrame:
    if settings.detect == "vertebrae":
        return _by_level(table, _list_of(settings, cohort))
    if outcome.finding in table:
        label = yes_or_no(table[outcome.finding], "the cohort")
    elif outcome.count in table:
        count = pd.to_numeric(table[outcome.count], errors="coerce")
        label = (count > 0).astype("boolean").mask(count.isna())
    else:
        raise TableError(f"the cohort has neither {outcome.finding} nor {outcome.count or 'a count'}",
                         wanted="1 or true of those who have it", remedy="or --set tasks=follow_up")  # fmt: skip
    return label.astype("Float64").astype(float).to_frame(LABEL)


def _list_of(settings: TrainSettings, cohort: Path | None) -> pd.DataFrame:
    """The table of fractured vertebrae."""
    path = settings.fractures
    if path is None and cohort is not None:
        path = (cohort if cohort.is_dir() else cohort.parent) / FRACTURES
    if path is None or not path.is_file():
        raise TableError(f"no list of fractured vertebrae ({path or FRACTURES})",
                         wanted="a table of scan_id and level, a row each", remedy="--set fractures=FILE")  # fmt: skip
    found = read_table(path)
    if missing := {"scan_id", "level"} - set(found):
        raise TableError(f"{path.name} without {', '.join(sorted(missing))}", wanted="scan_id and level")
    return found


def _by_level(table: pd.DataFrame, fractures: pd.DataFrame) -> pd.DataFrame:
    """Whether each level of each scan is fractured: a scan that the list does not name has no fracture."""
    from spineclock.measure.genant import GRADED

    scans = table["scan_id"].astype(str)
    told = {level: set(part["scan_id"].astype(str)) for level, part in fractures.groupby("level")}
    if unknown := sorted(set(map(str, told)) - set(GRADED)):
        raise TableError(f"a fractured {unknown[0]}", wanted=f"levels {GRADED[0]} to {GRADED[-1]}")
    found = pd.DataFrame({f"{AT}{level}": scans.isin(told.get(level, set())) for level in GRADED}).astype(float)
    found.insert(0, LABEL, (found > 0).any(axis=1).astype(float))
    return found


def with_vertebrae(table: pd.DataFrame, store: PreparedStore) -> pd.DataFrame:
    """The table with the vertebrae that each scan's images are of, where the store holds regions of CT.

    Labels by level become those of the vertebrae shown, and the person's whether one of these is fractured.
    """
    if not isinstance(store.how, CtCropping):
        return table
    shown = [store.entries[store.positions[scan_id]].levels for scan_id in table["scan_id"]]
    found = table.assign(**{SHOWN: [" ".join(levels) for levels in shown]})
    by_level = [c for c in table if str(c).startswith(AT)]
    if not by_level:
        return found
    own = np.array([[row[f"{AT}{level}"] for level in levels] for (_, row), levels in
                    zip(table[by_level].iterrows(), shown, strict=True)], dtype=np.float64)  # fmt: skip
    each: dict[str, Any] = {f"{LABEL}_{k + 1}": own[:, k] for k in range(own.shape[1])}
    return found.drop(columns=by_level).assign(**each, **{LABEL: (own > 0).any(axis=1).astype(float)})


def places_of(table: pd.DataFrame) -> list[str]:
    """The columns of labels: one of the person, or one of each vertebra shown."""
    each = sorted(str(c) for c in table if str(c).startswith(f"{LABEL}_") and not str(c).startswith(AT))
    return each or [LABEL]


def targets_of(table: pd.DataFrame) -> np.ndarray:
    """(N, places + 2) what a head of both tasks is told: labels, years and ending, NaN where not known."""
    return np.asarray(table[[*places_of(table), YEARS, ENDING]].to_numpy(dtype=np.float64))


def require_events(table: pd.DataFrame, outcome: TimeToEvent, settings: TrainSettings) -> None:
    """Refuses sets of which training or validation people have too few with, or without, what is learned.

    Raises
    ------
    TableError
        If so.
    """
    for name in ("train", "validation"):
        own = table[table["set"] == name]
        counts = []
        if settings.tasks != "follow_up":
            counts.append((outcome.finding, int((own[LABEL] > 0.5).sum()), int((own[LABEL] < 0.5).sum())))
        if settings.tasks != "detection":
            ended = own[ENDING].dropna()
            counts.append((outcome.event, int((ended == 1).sum()), int((ended != 1).sum())))
        for what, some, others in counts:
            if min(some, others) < FEWEST:
                raise TableError(f"{some} scans with and {others} without {what.replace('_', ' ')} for {name}",
                                 wanted=f"at least {FEWEST} of each",
                                 remedy="more people, or other shares; --set tasks= leaves one task out")  # fmt: skip


def head_of(targets: Tensor, settings: TrainSettings) -> MultitaskHead:
    """The head that training people's targets ask for.

    Raises
    ------
    UsageError, TableError
        If nobody among them has what is learned, or everybody.
    """
    from spineclock.nets.cox_head import CoxHead
    from spineclock.nets.detection_head import DetectionHead
    from spineclock.nets.hazard_head import YEARLY, HazardHead
    from spineclock.nets.multitask import MultitaskHead

    ended = targets[:, -2:]
    causes = 2 if settings.deaths == "compete" and bool(((ended[:, 1] == 2) & (ended[:, 0] <= YEARLY[-1])).any()) else 1
    survival = detection = None
    if settings.tasks != "detection":
        survival = HazardHead.of(ended, causes=causes) if settings.survival_head == "hazard" else CoxHead(causes)
    if settings.tasks != "follow_up":
        detection = DetectionHead.of(targets[:, :-2].float())
    return MultitaskHead(detection, survival, settings.weighting, settings.survival_weight)
