"""What the gap foretells: hazard ratios of fractures and death, as measured and freed of the gap's error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.errors import SpineclockError, TableError
from spineclock.report.forest import forest
from spineclock.report.paper import published
from spineclock.report.study_page import Picture, Section
from spineclock.report.tables import Table, records
from spineclock.run.study.data import StudyData
from spineclock.run.study.events import EVENTS, adjustments, followed
from spineclock.run.study.truth import Truth
from spineclock.run.study.words import interval
from spineclock.stats.repeat_scans import repeat_pairs
from spineclock.stats.result import number, p_text
from spineclock.stats.survival import CalibratedHazardRatios, TimeTo
from spineclock.stats.survival.calibrated import FEWEST_PAIRS

MOST_YEARS_APART = 2.0
"""Scans of a person that lie further apart hold too much true change to tell the error of one scan."""
TITLE = "Outcomes: what the gap foretells"


def outcomes(data: StudyData, truth: Truth) -> Section | None:
    """Cox models M1 (age, sex), M2 (and clinical factors), M3 (and osteoporosis); None where no outcome is known."""
    scans = data.first_scans
    events = followed(scans)
    if not events:
        return None
    models, close = adjustments(scans), _close_repeats(data)
    if len(truth.gaps):
        scans = scans.assign(_true_gap_years=scans["scan_id"].map(truth.gaps))
    found, refused = [], []
    for event, asked in events.items():
        try:
            found.append(_ratios(scans, asked, models, close).assign(event=event))
        except TableError as reason:
            refused.append(f"{EVENTS[event]}: {reason}")
    if not found:
        return Section("outcomes", TITLE, (), tuple(refused))
    every = pd.concat(found, ignore_index=True)
    every["truth"] = [
        truth.hazard_ratio(r.event, r.model, gap=GAPS[r.gap], per_years=r.unit_years) for r in records(every)
    ]
    return _section(every, models, refused, close)


GAPS = {"measured": "gap_years", "true": "true_gap_years"}


def _close_repeats(data: StudyData) -> pd.DataFrame:
    """The first two gaps of people of the full test set who were scanned twice within a few years."""
    pairs = repeat_pairs(data.full_test, values=("gap_years",))
    return pairs[pairs["years_apart"] <= MOST_YEARS_APART]


def _ratios(
    scans: pd.DataFrame, asked: TimeTo, models: Mapping[str, tuple[str, ...]], close: pd.DataFrame
) -> pd.DataFrame:
    """Ratios as measured, calibrated by repeat scans, and by true gaps, as far as there are any."""
    ratios = CalibratedHazardRatios(asked, models=models)
    repeats: npt.NDArray[np.float64] = close[["first_gap_years", "second_gap_years"]].to_numpy(dtype=float)
    sources: list[tuple[npt.NDArray[np.float64] | None, str | None]] = []
    if len(repeats) >= FEWEST_PAIRS:
        sources.append((repeats, None))
    if "_true_gap_years" in scans:
        sources.append((None, "_true_gap_years"))
    parts = [ratios(scans)]
    for pairs, true in sources:
        try:
            more = ratios(scans, repeats=pairs, true=true)
        except SpineclockError:  # no reliability above 0 came of it: the measured ratios stand alone, and it is said so
            continue
        parts.append(more[more["gap"] == "true"])
    return pd.concat(parts, ignore_index=True)


def _section(
    found: pd.DataFrame, models: Mapping[str, tuple[str, ...]], refused: list[str], close: pd.DataFrame
) -> Section:
    measured = found[(found["gap"] == "measured") & (found["per"] == "SD")]
    freed = found[(found["gap"] == "true") & (found["reliability_of"] == "repeat scans")]
    said = [
        "Cox models on the first scan of each person in the full test set. Who dies is followed until then: ratios of "
        "fractures are of the cause-specific hazard. All models of an event are fitted to the same people, those with "
        f"every column of the largest: {_people(measured)}. Standard errors are robust. Adjusted for: "
        f"{_adjusted(models)}."
    ]
    if len(freed):
        said.append(_told_of_calibration(close))
    said += _coverage(found)
    return Section(
        "outcomes",
        TITLE,
        tuple(said),
        (*refused, _caution(freed), *_warnings(measured)),
        (_measured_table(found), *([_freed_table(found)] if len(freed) else []), _published_table()),
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


def _told_of_calibration(close: pd.DataFrame) -> str:
    return (
        "A gap measured with error gives ratios that are too near to 1. Regression calibration divides their logarithm "
        "by the reliability λ, the true gap's share of the measured gap's variance among people alike in the "
        f"covariates. Its error variance is that of {len(close):,} people scanned twice within "
        f"{MOST_YEARS_APART:g} years (on average {number(float(close['years_apart'].mean()), 1)}); intervals hold the "
        "uncertainty of λ (delta method). It takes the error to be classical (as large whatever the true gap, the "
        "covariates and the outcome) and the event to be rare or the effect small. Error that both scans share is "
        "not seen, which leaves λ too large; true change between them is taken for error, which makes it too small."
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


def _cells(found: pd.DataFrame, gap: str, source: str = "") -> Iterable[tuple[str, pd.DataFrame]]:
    """The rows of each event, one a model, SD and year side by side (``…_sd``, ``…_year``)."""
    own = found[found["gap"] == gap]
    if source:
        own = own[own["reliability_of"] == source]
    sides = {per: own[own["per"] == per].set_index(["event", "model"]) for per in ("SD", "year")}
    wide = sides["SD"].join(sides["year"][["estimate", "low", "high"]].add_prefix("year_")).reset_index()
    yield from ((str(event), rows) for event, rows in wide.groupby("event", sort=False))


def _measured_table(found: pd.DataFrame) -> Table:
    body: list[tuple[str, ...]] = []
    true = found["truth"].notna().any()
    for event, rows in _cells(found, "measured"):
        body.append((EVENTS[event],))
        body += [
            (
                r.model,
                f"{r.events:,}",
                interval(r),
                interval(r, "year_", digits=3),
                p_text(r.p),
                p_text(r.ph_p),
                *([_known(r.truth)] if true else []),
            )
            for r in records(rows)
        ]
    sd = float(found.loc[(found["gap"] == "measured") & (found["per"] == "SD"), "unit_years"].iloc[0])
    head = ("model", "events", "hazard ratio per SD (95% CI)", "per year (95% CI)", "p", "proportional hazards")
    return Table(
        f"Hazard ratios of the measured gap (SD {number(sd)} years)",
        (*head, *(["truth, per SD"] if true else [])),
        tuple(body),
        "Truth: the same model on a million simulated people, measured alike, for this study's SD." if true else "",
    )


def _freed_table(found: pd.DataFrame) -> Table:
    body: list[tuple[str, ...]] = []
    oracle = {(event, r.model): r for event, rows in _cells(found, "true", "true gaps") for r in records(rows)}
    true = found["truth"].notna().any()
    for event, rows in _cells(found, "true", "repeat scans"):
        body.append((EVENTS[event],))
        for r in records(rows):
            cells = [
                r.model,
                f"{number(r.reliability)} ({number(r.reliability_low)} to {number(r.reliability_high)})",
                interval(r),
                interval(r, "year_", digits=3),
            ]
            if true:
                cells.append(_known(r.truth))
            if oracle:
                known = oracle.get((event, r.model))
                cells += ["", ""] if known is None else [number(known.reliability), interval(known)]
            body.append(tuple(cells))
    first = found[(found["gap"] == "true") & (found["reliability_of"] == "repeat scans") & (found["per"] == "SD")]
    head = ["model", "λ (95% CI)", "hazard ratio per SD (95% CI)", "per year (95% CI)"]
    head += ["truth, per SD"] if true else []
    head += ["λ from true gaps", "ratio per SD with it"] if oracle else []
    note = (
        "Truth: the same model on a million simulated people whose true gap is known, for the SD in the title. λ from "
        "true gaps: the slope of the true gap on the measured one and the covariates in these people, as a validation "
        "study would tell it; a check that real people do not offer."
    )
    return Table(
        f"Hazard ratios of the true gap, by regression calibration (SD {number(float(first['unit_years'].iloc[0]))} "
        "years)",
        tuple(head),
        tuple(body),
        note if true or oracle else "",
    )


def _published_table() -> Table:
    """The radiograph paper's ratios, which are of other people and other images."""
    body: list[tuple[str, ...]] = []
    for (images, people), rows in published("radiograph_hazards").groupby(["images", "people"], sort=False):
        body.append((f"{images}, {people:,} people",))
        for event, own in rows.groupby("event", sort=False):
            by_model = own.set_index("model")
            cells = [by_model.loc[m, ["hazard_ratio", "low", "high"]].to_numpy(dtype=float) for m in ("M1", "M2", "M3")]
            body.append((EVENTS[str(event)], *(f"{v:.2f} ({low:.2f} to {high:.2f})" for v, low, high in cells)))
    return Table(
        "For comparison only, published: hazard ratio per SD of the predicted age difference, as measured",
        ("outcome", "M1: age, sex", "M2: and prevalent fracture, clinical factors", "M3: and osteoporosis"),
        tuple(body),
        "Of other people and other images than this study's (lateral radiographs from 40 years, DXA vertebral fracture "
        "assessment from 65 years), by another network, per SD of its own difference: not a target for the figures "
        "above. Source: npj Aging 2025, s41514-025-00271-8, Table 2.",
    )


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


def _known(value: float) -> str:
    return number(value) if value == value else ""
