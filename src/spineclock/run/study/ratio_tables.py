"""Hazard ratios as tables to be read: of the measured gap, of the true gap, and published ones beside them."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from spineclock.report.paper import published
from spineclock.report.tables import Table, records
from spineclock.run.study.events import EVENTS
from spineclock.run.study.words import interval
from spineclock.stats.result import number, p_text


def _cells(found: pd.DataFrame, gap: str, source: str = "") -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of each event, one a model, SD and year side by side (``…_sd``, ``…_year``)."""
    own = found[found["gap"] == gap]
    if source:
        own = own[own["reliability_of"] == source]
    sides = {per: own[own["per"] == per].set_index(["event", "model"]) for per in ("SD", "year")}
    wide = sides["SD"].join(sides["year"][["estimate", "low", "high"]].add_prefix("year_")).reset_index()
    yield from ((str(event), rows) for event, rows in wide.groupby("event", sort=False))


def measured_table(found: pd.DataFrame) -> Table:
    """Ratios per SD and per year of the measured gap, with the truth where it is known."""
    body: list[tuple[str, ...]] = []
    true = found.loc[found["gap"] == "measured", "truth"].notna().any()
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


def freed_table(found: pd.DataFrame, source: str) -> Table:
    """Ratios of the true gap by the reliability of one source, beside those by the true gaps where that is another."""
    body: list[tuple[str, ...]] = []
    oracle = {(event, r.model): r for event, rows in _cells(found, "true", "true gaps") for r in records(rows)}
    oracle = {} if source == "true gaps" else oracle
    true = found.loc[found["gap"] == "true", "truth"].notna().any()
    for event, rows in _cells(found, "true", source):
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
    first = found[(found["reliability_of"] == source) & (found["per"] == "SD")]
    head = ["model", "λ (95% CI)", "hazard ratio per SD (95% CI)", "per year (95% CI)"]
    head += ["truth, per SD"] if true else []
    head += ["λ from true gaps", "ratio per SD with it"] if oracle else []
    known = first.loc[first["truth"].notna(), ["unit_years", "truth_unit_years"]]
    note = "Truth: the same model on a million simulated people whose true gap is known, "
    if len(known) and (known["truth_unit_years"] != known["unit_years"]).any():
        note += (
            f"for an SD of the true gaps of these people ({number(float(known['truth_unit_years'].iloc[0]))} years); "
            "the SD in the title is in years of the network, which may shrink the gap or stretch it."
        )
    else:
        note += "for the SD in the title."
    if oracle:
        sd = next(iter(oracle.values())).unit_years
        note += (
            " λ from true gaps: the slope of the true gap on the measured one and the covariates in these people, as a "
            f"validation study would tell it, with ratios per SD of the true gaps themselves ({number(sd)} years); a "
            "check that real people do not offer."
        )
    return Table(
        f"Hazard ratios of the true gap, by regression calibration (SD {number(float(first['unit_years'].iloc[0]))} "
        "years)",
        tuple(head),
        tuple(body),
        note if true or oracle else "",
    )


def published_table() -> Table:
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


def _known(value: float) -> str:
    return number(value) if value == value else ""
