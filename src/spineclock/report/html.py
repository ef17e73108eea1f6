"""One self-contained page for all scans of a run: works offline, without JavaScript, on paper and on a telephone."""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Literal

import jinja2
import pandas as pd

from spineclock.core.outcomes import Age, Diagnosis, DiagnosisPrediction, EventPrediction, Outcome, TimeToEvent
from spineclock.core.recipe import Words
from spineclock.core.records import AgePrediction, Failure, ModelInfo, Quality
from spineclock.report.ink import compact
from spineclock.report.tables import Table, tables
from spineclock.report.waterfall import Step, waterfall

PICTURE_LIMIT_BYTES = 150_000
"""The most one picture takes of the page."""
PICTURES_LIMIT_BYTES = 30_000_000
"""The most all pictures take; beyond it, each is made smaller."""
SMALLEST_PICTURE_BYTES = 15_000
"""Below this a picture tells nothing: then only the overlays are kept, and beyond that none."""
AGE = Age()
WORDS = Words()
"""Of scans of no recipe in particular."""
OPEN_UP_TO = 12
"""Runs of more scans than this show each section folded."""


@dataclass(frozen=True, eq=False)
class ReportEntry:
    """All that the page says of one scan. Pictures are PNG or JPEG bytes; what is None is left out.

    ``description`` is the series'. ``folder`` is where the scan's own results lie, relative to the page; empty where
    they are not kept.
    """

    scan_id: str
    source_name: str
    quality: Quality
    model: ModelInfo
    prediction: AgePrediction | None = None
    measurements: pd.DataFrame | None = None
    overlay: bytes | None = None
    contributions: bytes | None = None
    interval: bytes | None = None
    age_years: float | None = None
    sex: Literal["F", "M", ""] = ""
    description: str = ""
    folder: str = ""
    attention: bytes | None = None
    diagnosis: DiagnosisPrediction | None = None
    crops: bytes | None = None
    event: EventPrediction | None = None
    risk: bytes | None = None


@dataclass(frozen=True)
class RunInfo:
    """Which program made the page, how it was called, when, and with which versions of what it stands on."""

    version: str
    command: str
    date: str
    versions: Mapping[str, str] = field(default_factory=dict)


def html(
    entries: Sequence[ReportEntry],
    failures: Sequence[Failure] = (),
    *,
    run: RunInfo,
    words: Words = WORDS,
    title: str = "Spine age report",
    outcome: Outcome = AGE,
) -> str:
    """The page as text, pictures within it; nothing it shows is fetched from anywhere.

    Scans keep their order. A picture takes at most 150 kB and all of them 30 MB: in large runs they are made smaller,
    the full ones staying in the scans' folders. Everything that comes from files is escaped.
    """
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(years=_years, signed=_signed, share=_share, percent=_percent, whole=_whole)
    budget = picture_budget(entries)
    models = {e.model.name: e.model for e in entries}
    return environment.get_template("report.html.jinja").render(
        title=title,
        disease=outcome.name if isinstance(outcome, Diagnosis) else "",
        event=outcome if isinstance(outcome, TimeToEvent) else None,
        run=run,
        failures=failures,
        models=list(models.values()),
        words=words,
        statements=list(dict.fromkeys(e.model.statement for e in entries if e.model.statement)),
        sections=[_section(e, n, budget, words) for n, e in enumerate(entries, start=1)],
        counts=_counts(entries, failures),
        fold=len(entries) > OPEN_UP_TO,
        reduced=budget < PICTURE_LIMIT_BYTES,
    )


def write_html(
    path: Path,
    entries: Sequence[ReportEntry],
    failures: Sequence[Failure] = (),
    *,
    run: RunInfo,
    words: Words = WORDS,
    title: str = "Spine age report",
    outcome: Outcome = AGE,
) -> Path:
    """Writes the page, whole or not at all, and returns where it is."""
    partial = path.with_suffix(".partial")
    partial.write_text(html(entries, failures, run=run, words=words, title=title, outcome=outcome), encoding="utf-8")
    return partial.replace(path)


def picture_budget(entries: Sequence[ReportEntry]) -> int:
    """Bytes each picture may take, so that a page of any number of scans opens quickly; at most 150 000."""
    pictures = sum(
        p is not None for e in entries for p in (e.overlay, e.attention, e.crops, e.contributions, e.interval, e.risk)
    )
    return min(PICTURE_LIMIT_BYTES, PICTURES_LIMIT_BYTES // max(pictures, 1))


@dataclass(frozen=True, eq=False)
class _Picture:
    source: str
    alt: str


@dataclass(frozen=True, eq=False)
class _Section:
    anchor: str
    entry: ReportEntry
    overlay: _Picture | None
    attention: _Picture | None
    crops: _Picture | None
    contributions: _Picture | None
    interval: _Picture | None
    risk: _Picture | None
    steps: tuple[Step, ...]
    tables: tuple[Table, ...]


def _section(entry: ReportEntry, number: int, budget: int, words: Words) -> _Section:
    steps = waterfall(entry.prediction) if entry.prediction else ()
    bars = ""
    if entry.prediction and steps:
        largest = ", ".join(f"{s.label} {_signed(s.years)} years" for s in steps[:3])
        bars = (
            f"Bars from the training mean of {steps[0].start_years:.1f} to the predicted "
            f"{entry.prediction.predicted_age_years:.1f} years; largest: {largest}"
        )
    axis = ""
    if entry.prediction:
        i = entry.prediction.interval
        axis = (
            f"Age axis: predicted {entry.prediction.predicted_age_years:.1f}, {i.coverage:.0%} interval "
            f"{i.low_years:.0f} to {i.high_years:.0f}, corrected {entry.prediction.corrected_age_years:.1f} years"
        )
    charts = budget if budget >= SMALLEST_PICTURE_BYTES else 0
    overlay = budget if charts else min(PICTURE_LIMIT_BYTES, 3 * budget)
    return _Section(
        f"scan-{number}",
        entry,
        _picture(entry.overlay, f"{words.picture}: {entry.scan_id}", overlay),
        _picture(entry.attention, f"Where the network looked in {entry.scan_id}", charts),
        _picture(entry.crops, f"Vertebrae of {entry.scan_id} as the network saw them, and where it looked", charts),
        _picture(entry.contributions, bars, charts),
        _picture(entry.interval, axis, charts),
        _picture(entry.risk, _risen(entry.event), charts),
        steps,
        tables(entry.measurements),
    )


def _risen(told: EventPrediction | None) -> str:
    """The curve of a risk in words."""
    if told is None:
        return ""
    return f"Risk of {told.words} by year: " + ", ".join(f"{p:.1%} by {years:g}" for years, p in told.curve)


def _picture(data: bytes | None, alt: str, limit: int) -> _Picture | None:
    if data is None or limit < SMALLEST_PICTURE_BYTES:
        return None
    small = compact(data, limit_bytes=limit)
    kind = "png" if small.startswith(b"\x89PNG") else "jpeg"
    return _Picture(f"data:image/{kind};base64,{base64.b64encode(small).decode('ascii')}", alt)


def _counts(entries: Sequence[ReportEntry], failures: Sequence[Failure]) -> list[tuple[int, str]]:
    found = Counter(e.quality.verdict for e in entries)
    counts = [(found[v], v) for v in ("ok", "check", "refused") if found[v]]
    return counts + ([(len(failures), "failed")] if failures else [])


def _years(value: float | None) -> str:
    return "—" if value is None or not math.isfinite(value) else f"{value:.1f}".replace("-", "−")


def _share(value: float | None) -> str:
    return "—" if value is None or not math.isfinite(value) else f"{value:.2f}"


def _signed(value: float | None) -> str:
    return "—" if value is None or not math.isfinite(value) else f"{value:+.1f}".replace("-", "−")


def _percent(value: float | None) -> str:
    return "—" if value is None or not math.isfinite(value) else f"{100 * value:.1f}%".replace("-", "−")


def _whole(value: float | None) -> str:
    return "—" if value is None or not math.isfinite(value) else f"{value:.0f}".replace("-", "−")


def _template(name: str) -> str:
    return (files("spineclock.report") / "templates" / name).read_text(encoding="utf-8")
