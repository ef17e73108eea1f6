"""``spineclock study``: predicted ages and people in, the paper's tables and figures out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from spineclock.core.errors import UsageError
from spineclock.ingest.cohort import read_table
from spineclock.ingest.study_table import StudyTable, read_study
from spineclock.report.html import RunInfo
from spineclock.report.study_page import Section, page, write_folder
from spineclock.run.outputs import command, plain, require_room, versions, write_json, write_text
from spineclock.run.settings import StudySettings
from spineclock.run.study.data import StudyData, study_data
from spineclock.run.study.sets import Cohort, cohort_sets
from spineclock.run.study.truth import Truth, truth_of

DEMONSTRATION = (
    "For research; not a medical device. The figures are this study's; the paper's, beside them, "
    "are of its own cohort and model."
)


def study(predictions: Path, settings: StudySettings | None = None, *, cohort: Path, out: Path) -> int:
    """Reads, clusters and splits where that was not done, corrects, estimates, and writes ``out``.

    Leaves study.html, tables/*.csv, figures/*.svg and .png, scans.csv (each scan with its set, corrected age and gap)
    and run.json. Returns the exit status.

    Raises
    ------
    UsageError
        If ``out`` holds an earlier study and is not to be overwritten, or the predictions are of a disease.
    TableError
        If what is given cannot make a study.
    """
    settings, begun = settings or StudySettings(), datetime.now(UTC)
    require_room(out, mark="study.html", what="an earlier study", overwrite=settings.overwrite)
    _require_ages(predictions)
    given = read_study(predictions, cohort=cohort, findings=settings.findings)
    people = cohort_sets(given, settings)
    data = study_data(given, people.table, model=settings.model)
    sections = _sections(data, given, people, settings, truth=truth_of(cohort, data.scans))
    out.mkdir(parents=True, exist_ok=True)
    write_folder(out, sections)
    data.scans.to_csv(out / "scans.csv", index=False, float_format="%.6g")
    run = RunInfo(versions()["spineclock"], command(), f"{begun:%Y-%m-%d %H:%M} UTC", versions())
    write_text(
        out / "study.html",
        page(sections, run=run, title="Spine age study", statements=[given.simulated, DEMONSTRATION]),
    )
    told = {
        "schema": "spineclock.study/1",
        "command": command(),
        "begun": begun.isoformat(timespec="seconds"),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "settings": settings.model_dump(mode="json"),
        "simulated": bool(given.simulated),
        "scans": len(data.scans),
        "full_test": len(data.full_test),
        "left_out": len(given.left_out),
        "correction": {"slope": data.correction.slope, "intercept": data.correction.intercept},
    }
    write_json(out / "run.json", plain(told))
    return 0


def _require_ages(predictions: Path) -> None:
    """Refuses a run that learned a disease: no part of the study is of such predictions yet."""
    table = predictions / "predictions.csv" if predictions.is_dir() else predictions
    if not table.is_file():
        return  # what is missing is said as it is read
    columns = set(map(str, read_table(table)))
    if "probability" in columns and not any(name.startswith("predicted_age") for name in columns):
        raise UsageError(f"{predictions} holds probabilities of a disease, and no ages", wanted="predicted ages",
                         remedy="its figures are in diagnosis.csv and MODEL_CARD.md of its run; `spineclock evaluate` "
                         "makes those of another cohort")  # fmt: skip


def _sections(
    data: StudyData, given: StudyTable, people: Cohort, settings: StudySettings, *, truth: Truth
) -> list[Section]:
    """Every section, in the page's order, with a progress bar."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from spineclock.run.study import accuracy, diagnosis, gap, outcomes, thirds
    from spineclock.run.study import people as who

    drawn = {"resamples": settings.resamples, "seed": settings.seed}
    steps: list[tuple[str, Callable[[], Section | list[Section] | None]]] = [
        ("people", lambda: who.table_1(data, given)),
        ("normal cohort", lambda: people.section),
        ("network", who.table_2),
        ("bias correction", lambda: accuracy.correction(data, **drawn)),
        ("table 3", lambda: accuracy.table_3(data, **drawn)),
        ("figure 4", lambda: accuracy.figure_4(data, **drawn)),
        ("repeat scans", lambda: accuracy.table_4(data)),
        ("table 5", lambda: gap.effects(data, truth)),
        ("figure 6", lambda: gap.figure_6(data, truth)),
        ("figure 7", lambda: gap.figure_7(data)),
        ("large gaps", lambda: gap.large_gaps(data, settings.review)),
        ("scanners", lambda: accuracy.scanners(data)),
        ("diagnosis", lambda: diagnosis.diagnosis(data, seed=settings.seed)),
        ("outcomes", lambda: outcomes.outcomes(data, truth)),
        ("thirds", lambda: thirds.thirds(data)),
    ]
    sections: list[Section] = []
    columns = (TextColumn("{task.description:<16}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=len(steps))
        for name, make in steps:
            progress.update(task, description=name)
            made = make()
            sections += made if isinstance(made, list) else [] if made is None else [made]
            progress.advance(task)
    return sections
