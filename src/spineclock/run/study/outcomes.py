"""What the gap foretells: hazard ratios of fractures and death, as measured and freed of the gap's error."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.errors import SpineclockError, TableError
from spineclock.report.forest import forest
from spineclock.report.study_page import Picture, Section
from spineclock.report.tables import records
from spineclock.run.study.data import StudyData
from spineclock.run.study.events import EVENTS, adjustments, followed
from spineclock.run.study.ratio_tables import freed_table, measured_table, published_table
from spineclock.run.study.truth import Truth
from spineclock.stats.repeat_scans import repeat_pairs
from spineclock.stats.result import number
from spineclock.stats.survival import CalibratedHazardRatios, TimeTo
from spineclock.stats.survival.calibrated import FEWEST_PAIRS
from spineclock.stats.survival.follow_up import follow_up

MOST_YEARS_APART = 2.0
"""Scans of a person that lie further apart hold too much true change to tell the error of one scan."""
TRUE_GAP = "_true_gap_years"
"""The column of true gaps, where people are simulated."""
TITLE = "Outcomes: what the gap foretells"


def outcomes(data: StudyData, truth: Truth) -> Section | None:
    """Cox models M1 (age, sex), M2 (and clinical factors), M3 (and osteoporosis); None where no outcome is known."""
    scans = data.first_scans
    events = followed(scans)
    if not events:
        return None
    models, close = adjustments(scans), _close_repeats(data)
    if len(truth.gaps):
        scans = scans.assign(**{TRUE_GAP: scans["scan_id"].map(truth.gaps)})
    found, refused = [], []
    for event, asked in events.items():
        try:
            ratios = _ratios(scans, asked, models, close)
        except TableError as reason:
            refused.append(f"{EVENTS[event]}: {reason}")
            continue
        refused += [f"{EVENTS[event]}, calibration by {source}: {why}" for source, why in ratios.refused.items()]
        found.append(_beside_truth(ratios.found.assign(event=event), truth, _true_sd(scans, asked, models)))
    if not found:
        return Section("outcomes", TITLE, (), tuple(refused))
    return _section(pd.concat(found, ignore_index=True), models, refused, close)


GAPS = {"measured": "gap_years", "true": "true_gap_years"}
SOURCES = ("repeat scans", "true gaps")
"""What the reliability is known from, the first that there is being the study's own."""


def _close_repeats(data: StudyData) -> pd.DataFrame:
    """The first two gaps of people of the full test set who were scanned twice within a few years."""
    pairs = repeat_pairs(data.full_test, values=("gap_years",))
    return pairs[pairs["years_apart"] <= MOST_YEARS_APART]


class _Ratios(NamedTuple):
    """Ratios of one event; and why a source of the reliability gave none, by source."""

    found: pd.DataFrame
    refused: dict[str, str]


def _ratios(scans: pd.DataFrame, asked: TimeTo, models: Mapping[str, tuple[str, ...]], close: pd.DataFrame) -> _Ratios:
    """Ratios as measured, calibrated by repeat scans, and by true gaps, as far as there are any."""
    ratios = CalibratedHazardRatios(asked, models=models)
    repeats: npt.NDArray[np.float64] = close[["first_gap_years", "second_gap_years"]].to_numpy(dtype=float)
    sources: dict[str, tuple[npt.NDArray[np.float64] | None, str | None]] = {}
    if len(repeats) >= FEWEST_PAIRS:
        sources["repeat scans"] = (repeats, None)
    if TRUE_GAP in scans:
        sources["true gaps"] = (None, TRUE_GAP)
    parts: list[pd.DataFrame] = []
    refused: dict[str, str] = {}
    for source, (pairs, true) in sources.items():
        try:
            more = ratios(scans, repeats=pairs, true=true)
        except SpineclockError as reason:  # such as no reliability above 0
            refused[source] = str(reason)
            continue
        parts.append(more[more["gap"] == "true"] if parts else more)
    return _Ratios(pd.concat(parts or [ratios(scans)], ignore_index=True), refused)


def _true_sd(scans: pd.DataFrame, asked: TimeTo, models: Mapping[str, tuple[str, ...]]) -> float:
    """SD in years of the true gaps of the people an event's models are fitted to; NaN unless all are known."""
    if TRUE_GAP not in scans:
        return math.nan
    columns = dict.fromkeys(["gap_years", *(c for each in models.values() for c in each)])
    return float(follow_up(scans, asked, names=[*columns]).table[TRUE_GAP].std(skipna=False))


def _beside_truth(found: pd.DataFrame, truth: Truth, true_sd: float) -> pd.DataFrame:
    """The ratios with ``truth`` and ``truth_unit_years``, the years of gap that the truth is per.

    Repeat scans tell the error of a network's gap but not how it shrinks the true one: the SD they leave is in years of
    the network. The truth beside it is per SD of these people's true gaps; a year of the network has none.
    """
    years = found["unit_years"].astype(float)
    if not truth.as_projected:
        own = found["reliability_of"] == "repeat scans"
        years = years.mask(own & (found["per"] == "SD"), true_sd).mask(own & (found["per"] == "year"), math.nan)
    found = found.assign(truth_unit_years=years)
    known = [
        truth.hazard_ratio(r.event, r.model, gap=GAPS[r.gap], per_years=r.truth_unit_years) for r in records(found)
    ]
    found = found.assign(truth=known)
    return found.assign(truth_unit_years=found["truth_unit_years"].where(found["truth"].notna()))


def _section(
    found: pd.DataFrame, models: Mapping[str, tuple[str, ...]], refused: list[str], close: pd.DataFrame
) -> Section:
    measured = found[(found["gap"] == "measured") & (found["per"] == "SD")]
    sources = [s for s in SOURCES if (found["reliability_of"] == s).any()]
    freed = found[found["reliability_of"] == sources[0]] if sources else found.head(0)
    said = [
        "Cox models on the first scan of each person in the full test set. Who dies is followed until then: ratios of "
        "fractures are of the cause-specific hazard. All models of an event are fitted to the same people, those with "
        f"every column of the largest: {_people(measured)}. Standard errors are robust. Adjusted for: "
        f"{_adjusted(models)}."
    ]
    if len(freed):
        said.append(_told_of_calibration(sources[0], close))
    said += _coverage(found)
    return Section(
        "outcomes",
        TITLE,
        tuple(said),
        (*refused, _caution(freed), *_warnings(measured)),
        (measured_table(found), *([freed_table(found, sources[0])] if sources else []), published_table()),
        (_picture(measured, freed[freed["per"] == "SD"]),),
        {"outcomes": found},
    )


def _adjusted(models: Mapping[str, tuple[str, ...]]) -> str:
    """What each model adjusts for, beyond the one before it.

    >>> _adjusted({"M1": ("age_years", "sex"), "M3": ("age_years", "sex", "osteoporosis")})
    'M1, age, sex; M3, those of M1 and osteoporosis'
    """
    said, before, last = [], set[str](), ""
    for name, columns in models.items():
        new = [c.removesuffix("_years").replace("_", " ") for c in columns if c not in before]
        said.append(f"{name}, {f'those of {last} and ' if last else ''}{', '.join(new) or 'nothing'}")
        before, last = {*before, *columns}, name
    return "; ".join(said)


def _people(measured: pd.DataFrame) -> str:
    each = measured.drop_duplicates("event")
    alike = each.drop_duplicates(["n", "left_out"])
    if len(alike) == 1:
        return f"{alike['n'].iloc[0]:,} people, {alike['left_out'].iloc[0]:,} left out"
    return "; ".join(f"{EVENTS[r.event]} {r.n:,} people, {r.left_out:,} left out" for r in records(each))


def _told_of_calibration(source: str, close: pd.DataFrame) -> str:
    why = (
        "too few of whom were scanned twice"
        if len(close) < FEWEST_PAIRS
        else "whose repeat scans agree too badly to tell λ"
    )
    known = (
        f"Its error variance is that of {len(close):,} people scanned twice within {MOST_YEARS_APART:g} years (on "
        f"average {number(float(close['years_apart'].mean()), 1)})"
        if source == "repeat scans"
        else f"It is the slope of the true gap on the measured one in these simulated people, {why}; it is above 1 "
        "where the ages shrink the gap, and real people do not offer it"
    )
    unseen = (
        " Error that both scans share is not seen, which leaves λ too large; true change between them is taken for "
        "error, which makes it too small."
        if source == "repeat scans"
        else ""
    )
    return (
        "A gap measured with error gives ratios that are too near to 1. Regression calibration divides their logarithm "
        "by the reliability λ, the true gap's share of the measured gap's variance among people alike in the "
        f"covariates. {known}; intervals hold the uncertainty of λ (delta method). It takes the error to be classical "
        "(as large whatever the true gap, the covariates and the outcome) and the event to be rare or the effect "
        f"small.{unseen}"
    )


def _coverage(found: pd.DataFrame) -> list[str]:
    """How many intervals hold the truth, where people are simulated."""
    known = found[found["truth"].notna() & (found["per"] == "SD")]
    if known.empty:
        return []
    held = (known["low"] <= known["truth"]) & (known["truth"] <= known["high"])
    words = {
        "": "as measured (against the truth of the measured gap)",
        "repeat scans": "calibrated by repeat scans (against that of the true gap)",
        "true gaps": "calibrated by the true gaps of these people",
    }
    source = known["reliability_of"]
    parts = [f"{held[source == s].sum()} of {(source == s).sum()} {w}" for s, w in words.items() if (source == s).any()]
    return [
        f"The truth is recovered by these 95% intervals per SD: {'; '.join(parts)}. They are of the same people, "
        "and not independent of each other."
    ]


def _caution(freed: pd.DataFrame) -> str:
    if len(freed):
        return (
            "Calibrated ratios per year are right only if a year of gap is a year of spine age; those per SD also if "
            "the network shrinks or stretches it."
        )
    return (
        "The gap is measured with error, so that these ratios are nearer to 1 than those of the true gap; there are "
        f"too few people scanned twice within {MOST_YEARS_APART:g} years, or they agree too badly, to say by how much."
    )


def _warnings(measured: pd.DataFrame) -> list[str]:
    return [f"{EVENTS[r.event]}, {r.model}: {r.warning}." for r in records(measured) if r.warning]


def _picture(measured: pd.DataFrame, freed: pd.DataFrame) -> Picture:
    drawn = measured.assign(label=[f"{EVENTS[r.event]}, {r.model}" for r in records(measured)], n=measured["events"])
    title, unit = "Hazard ratios per SD of the gap", "hazard ratio per SD"
    caption = (
        "Hazard ratio of each outcome per standard deviation of the gap, with 95% intervals; in brackets the events."
    )
    if freed.empty:
        return Picture("outcomes", forest(drawn, title=title, unit=unit, neutral=1), caption)
    ends = ["estimate", "low", "high"]
    raw = drawn.set_index(["event", "model"])[["label", "n", *ends]].rename(columns={c: f"paper_{c}" for c in ends})
    both = raw.join(freed.set_index(["event", "model"])[[*ends, "truth"]])
    figure = forest(both, title=title, unit=unit, neutral=1, paper="measured gap", ours="true gap, by calibration")
    return Picture("outcomes", figure, f"{caption} Each is per SD of its own gap, the true one's being smaller.")
