"""What becomes of people with low, middling and high gaps: cumulative incidences, and whether rates differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from spineclock.core.errors import SpineclockError, TableError
from spineclock.report.study_page import Picture, Section
from spineclock.report.study_risk import incidence_curves
from spineclock.report.tables import Table, records
from spineclock.run.study.data import StudyData
from spineclock.run.study.events import EVENTS, followed
from spineclock.stats.result import number, p_text
from spineclock.stats.survival import CumulativeIncidence, TimeTo, log_rank
from spineclock.stats.survival.follow_up import follow_up

THIRDS = ("lowest", "middle", "highest")
TITLE = "Outcomes by third of the gap"
HORIZONS = (10.0, 5.0, 3.0, 2.0, 1.0)
"""Years; the longest after which a tenth of each third is still followed."""


def thirds(data: StudyData) -> Section | None:
    """Aalen–Johansen incidences with death competing (of death itself, Kaplan–Meier); None without outcomes."""
    scans = data.first_scans
    events = followed(scans)
    if not events:
        return None
    try:
        scans = with_thirds(scans, list(events))
    except TableError as reason:
        return Section("thirds", TITLE, (), (str(reason),))
    panels, frames, tests, refused = {}, [], [], []
    for event, asked in events.items():
        shares = CumulativeIncidence(asked, by="third")
        try:
            tests.append(_test(scans, asked) | {"event": event})
            curves = shares.curves(scans)
            horizon = _horizon(scans, asked)
            found = CumulativeIncidence(asked, [horizon], by="third")(scans)
        except SpineclockError as reason:
            refused.append(f"{EVENTS[event]}: {reason}")
            continue
        panels[_panel(event, asked)] = curves
        frames.append(found.assign(event=event))
    if not frames:
        return Section("thirds", TITLE, (), tuple(refused))
    every, compared = pd.concat(frames, ignore_index=True), pd.DataFrame(tests)
    return _section(scans, every, compared, panels, refused)


def with_thirds(scans: pd.DataFrame, events: list[str]) -> pd.DataFrame:
    """The people followed for some event, with ``third``: that of their gap among these people.

    >>> table = pd.DataFrame({"gap_years": [-3.0, 5, 0], "death_years": [1.0, 2, 3]})
    >>> with_thirds(table, ["death"])["third"].to_list()
    ['lowest', 'highest', 'middle']

    Raises
    ------
    TableError
        With fewer than three such people.
    """
    known = scans[[f"{event}_years" for event in events]].notna().any(axis=1) & scans["gap_years"].notna()
    kept = scans[known]
    if len(kept) < len(THIRDS):
        raise TableError(
            f"{len(kept)} people with a gap and a follow-up ({', '.join(EVENTS[event] for event in events)})",
            wanted=f"at least {len(THIRDS)}",
        )
    third = pd.qcut(kept["gap_years"].rank(method="first"), 3, labels=list(THIRDS))
    return kept.assign(third=third.astype(str))


def _test(scans: pd.DataFrame, asked: TimeTo) -> dict[str, Any]:
    """Log-rank tests of the rate (death as censoring), of all alike and within sex and ten-year bracket of age."""
    strata = [c for c in ("sex", "bracket") if c in scans]
    kept = follow_up(scans, asked, names=["third", *strata], at_least=2)
    for third in THIRDS:
        if not (kept.table["third"] == third).any():
            raise TableError(f"nobody in the {third} third of the gap was followed", wanted="people in each third")
    plain = log_rank(kept.time, kept.event, kept.table["third"])
    groups = kept.table[strata].astype(str).agg(" ".join, axis=1) if strata else None
    within = log_rank(kept.time, kept.event, kept.table["third"], strata=groups)
    return {
        "chi2": plain.statistic, "df": plain.df, "p": plain.p, "chi2_within": within.statistic, "p_within": within.p,
        "within": ", ".join(strata), **kept.counts,
    }  # fmt: skip


def _horizon(scans: pd.DataFrame, asked: TimeTo) -> float:
    kept = follow_up(scans, asked, names=["third"])
    reach = min(float(np.quantile(kept.time[kept.table["third"] == third], 0.9)) for third in THIRDS)
    return next((h for h in HORIZONS if h < reach), reach)


def _panel(event: str, asked: TimeTo) -> str:
    return f"{EVENTS[event].capitalize()} ({'Aalen–Johansen' if asked.competing else 'Kaplan–Meier'})"


def _section(
    scans: pd.DataFrame,
    found: pd.DataFrame,
    tests: pd.DataFrame,
    panels: dict[str, pd.DataFrame],
    refused: list[str],
) -> Section:
    gaps, ages = scans.groupby("third")["gap_years"], scans.groupby("third")["age_years"].mean()
    ends = {"from": gaps.min(), "to": gaps.max()}
    spans = {t: f"{number(float(ends['from'][t]), 1)} to {number(float(ends['to'][t]), 1)}" for t in THIRDS}
    body: list[tuple[str, ...]] = []
    for event, rows in found.groupby("event", sort=False):
        test = tests[tests["event"] == event].iloc[0]
        body.append((f"{EVENTS[str(event)]} by {rows['horizon_years'].iloc[0]:g} years",))
        for r in records(rows.set_index("group").loc[list(THIRDS)].reset_index()):
            share = f"{number(100 * r.estimate)} ({number(100 * r.low)} to {number(100 * r.high)})"
            first = r.group == THIRDS[0]
            body.append(
                (
                    f"{r.group}: {spans[r.group]}",
                    f"{r.n:,}",
                    f"{r.events:,}",
                    share,
                    f"{r.at_risk:,}",
                    *((p_text(test["p"]), p_text(test["p_within"])) if first else ("", "")),
                )
            )
    within = f"within {tests['within'].iloc[0].replace('bracket', 'age bracket')}" if tests["within"].iloc[0] else "p"
    return Section(
        "thirds",
        TITLE,
        (
            f"{len(scans):,} people with any follow-up, in thirds of the gap. Mean ages are "
            f"{', '.join(f'{number(ages[t], 1)} ({t})' for t in THIRDS)} years; the curves are not adjusted for "
            "anything. Who died without a fracture counts as never having one (Aalen–Johansen). The log-rank test "
            "compares the rates among those still alive and at risk, as the Cox models do.",
        ),
        tuple(refused),
        (
            Table(
                "Cumulative incidence, %",
                ("third of the gap, years", "people", "events", "incidence (95% CI)", "followed for longer", "log-rank",
                 f"log-rank {within}"),
                tuple(body),
                "Events: in the whole follow-up.",
            ),
        ),
        (
            Picture(
                "thirds",
                incidence_curves(panels, groups={t: f"{t} third of the gap" for t in THIRDS}),
                "Cumulative incidence of each outcome by third of the gap, with pointwise 95% intervals; below, how "
                "many are still followed at that time.",
            ),
        ),
        {"thirds": found, "thirds_tests": tests},
    )  # fmt: skip
