"""``spineclock predict``: list → choose → load → read → write, one scan after another."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from spineclock import recipes
from spineclock.core.errors import UsageError
from spineclock.core.outcomes import Diagnosis
from spineclock.core.recipe import Options, Reader, Recipe
from spineclock.core.records import Failure, Reading
from spineclock.ingest.refs import SeriesRef
from spineclock.ingest.series import load
from spineclock.nets.weights import model_folder
from spineclock.run import event_outputs, outputs
from spineclock.run.batch import Batch, Result
from spineclock.run.config import configure
from spineclock.run.listing import Listed, listed, the_one
from spineclock.run.people import People
from spineclock.run.progress import bar_of_scans
from spineclock.run.settings import PredictSettings
from spineclock.run.together import BESIDE, Joint, with_joined

DONE, SOME_FAILED = 0, 1


def predict_one(source: str | Path, *, age_years: float | None = None, sex: Literal["F", "M"] | None = None,
                **settings: Any) -> Reading:  # fmt: skip
    """The reading of one scan: what the recipe answers, verdict, measurements and outlines; nothing is written.

    Parameters
    ----------
    source : str or Path
        A NIfTI or MetaImage file, a DICOM file or folder, or a .zip, with one scan that fits the recipe.
    age_years, sex
        Of the person, where the header does not tell.
    **settings
        Any other setting of ``spineclock predict``, by name (docs/configuration.md).

    Raises
    ------
    InputError
        If there is no such scan, more than one, or it cannot be read.
    UsageError
        If a setting is unknown or wrong.
    """
    chosen = configure(PredictSettings, flags={"age_years": age_years, "sex": sex, **settings}).settings
    recipe = recipes.get(chosen.recipe)
    with tempfile.TemporaryDirectory(prefix="spineclock-") as scratch:
        accepts = replace(recipe.accepts_with(chosen.model), each_sequence=False)
        ref = the_one(Path(source), accepts, scratch=Path(scratch))
        scan = People.of(chosen).known(load(ref, max_bytes=chosen.max_bytes))
    return _reader(recipe, chosen).read(scan, lowest_vertebra=chosen.lowest_vertebra)


def predict_all(inputs: Sequence[Path], settings: PredictSettings, *, out: Path, progress: bool = True) -> int:
    """Reads every scan of the inputs into ``out/<scan_id>/``, and writes report, table and failures for all.

    Returns 0 if every scan got an answer, 1 if some failed or were refused.

    Raises
    ------
    UsageError
        If no input is there or none holds anything like a scan, or ``out`` holds results and neither resume nor
        overwrite is set.
    """
    begun, recipe = datetime.now(UTC), recipes.get(settings.recipe)
    _require_inputs(inputs, settings, out)
    with tempfile.TemporaryDirectory(prefix="spineclock-") as scratch:
        found = listed(inputs, recipe.accepts_with(settings.model), scratch=Path(scratch))
        _require_scans(inputs, found)
        _require_one_person(settings, len(found.refs))
        people = People.of(settings)
        _make(out)
        joint = _joint(recipe, settings)
        batch = Batch(recipe.name, settings, out, load_models=lambda: _reader(recipe, settings))
        results = [batch.result(ref, people) for ref in _shown(found.refs, progress=progress)]
    done = _Done(tuple(results), found, _documents(found.refs, results, joint, out))
    _finish(done, settings=settings, out=out, begun=begun)
    _say(done, out)
    return DONE if not done.failures else SOME_FAILED


@dataclass(frozen=True, eq=False)
class _Done:
    """What came of all inputs."""

    results: tuple[Result, ...]
    listed: Listed
    documents: list[dict[str, Any]]
    """Of scans, and of examinations whose scans were answered together."""

    @property
    def unread(self) -> list[Failure]:
        """Failures of what has no prediction.json."""
        return [*self.listed.failures, *(f for r in self.results if r.document is None for f in r.failures)]

    @property
    def failures(self) -> list[Failure]:
        return [*self.listed.failures, *(f for r in self.results for f in r.failures)]


def _joint(recipe: Recipe, settings: PredictSettings) -> Joint | None:
    """How the scans of an examination are answered together, where the model tells it."""
    match recipe.outcome:
        case Diagnosis():
            return Joint.of(model_folder(settings.model, recipe.packaged))
        case _:
            return None


def _documents(
    refs: Sequence[SeriesRef], results: Sequence[Result], joint: Joint | None, out: Path
) -> list[dict[str, Any]]:
    """All prediction.json in order; those of whole examinations are written here, in place of an earlier run's."""
    found = []
    own = {ref.scan_id for ref in refs}
    for folder in out.glob(f"*{BESIDE}*"):
        if folder.name.partition(BESIDE)[0] in own:
            outputs.withdraw(folder)
    for document, together in with_joined(zip(refs, (r.document for r in results), strict=True), joint):
        if together:
            folder = out / document["input"]["scan_id"]
            folder.mkdir(exist_ok=True)
            outputs.write_json(folder / "prediction.json", document)
        found.append(document)
    return found


def _reader(recipe: Recipe, settings: PredictSettings) -> Reader:
    program = None
    if recipe.learning.program:
        from spineclock.run import totalsegmentator

        if totalsegmentator.installed(recipe.learning.program):
            device = "gpu" if settings.device.startswith("cuda") else "cpu"
            program = partial(totalsegmentator.outline, device=device, program=recipe.learning.program)
    return recipe.load(
        settings.model,
        Options(settings.engine, settings.threads, settings.device, settings.interval_coverage, program),
    )


def _require_inputs(inputs: Sequence[Path], settings: PredictSettings, out: Path) -> None:
    for path in inputs:
        if not path.exists():
            raise UsageError(f"{path} does not exist", wanted="a scan, a folder or a .zip")
    for table in (settings.cohort, settings.mask):
        if table is not None and not table.exists():
            raise UsageError(f"{table} does not exist", wanted="a file", remedy="check the spelling")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file", wanted="a folder for the results")
    held = out.is_dir() and any(out.glob("*/prediction.json"))
    if held and not (settings.resume or settings.overwrite):
        raise UsageError(f"{out} holds results of an earlier run", wanted="an empty folder",
                         remedy="--resume keeps them and does the rest, --overwrite replaces them")  # fmt: skip


def _require_one_person(settings: PredictSettings, scans: int) -> None:
    """What is told of one person or scan must not be taken for many."""
    told = [name for name in ("age_years", "sex", "mask") if getattr(settings, name) is not None]
    if told and scans > 1:
        raise UsageError(
            f"one {' and '.join(told)} for {scans} scans",
            wanted="one scan",
            remedy="name one file, or give ages and sexes in a table with --cohort",
        )


def _require_scans(inputs: Sequence[Path], found: Listed) -> None:
    """Refuses a call whose folders hold nothing that looks like a scan: most likely the path is wrong."""
    nothing = [f for f in found.failures if f.stage == "ingest" and Path(f.input) in inputs and Path(f.input).is_dir()]
    if not found.refs and len(nothing) == len(found.failures):
        raise UsageError("; ".join(f"{f.input}: {f.reason.rstrip('.')}" for f in nothing) or "no scan was found")


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / ".spineclock").touch()  # a folder may exist and yet take no file
        (out / ".spineclock").unlink()
    except OSError as error:
        raise UsageError(
            f"results cannot be written to {out} ({error.strerror})",
            wanted="a folder that can be written to",
            remedy="name another with --out",
        ) from error


def _shown(refs: Sequence[SeriesRef], *, progress: bool) -> Iterable[SeriesRef]:
    """The series in turn, a progress bar on standard error while there are several."""
    if not progress or len(refs) < 2:
        return refs
    return _with_bar(refs)


def _with_bar(refs: Sequence[SeriesRef]) -> Iterator[SeriesRef]:
    with bar_of_scans() as bar:
        task = bar.add_task("scans", total=len(refs))
        for ref in refs:
            bar.update(task, description=ref.scan_id[:40])
            yield ref
            bar.advance(task)


def _finish(done: _Done, *, settings: PredictSettings, out: Path, begun: datetime) -> None:
    from spineclock.report.html import RunInfo, write_html
    from spineclock.run.entries import entry

    told, recipe = settings.model_dump(mode="json", exclude_none=True), recipes.get(settings.recipe)
    outputs.write_run(
        out,
        failures=done.failures,
        documents=done.documents,
        not_taken=[(str(r.ref.source), r.ref.label, r.reason) for r in done.listed.not_taken],
        settings=told,
        begun=begun,
        outcome=recipe.outcome,
    )
    versions = outputs.versions()
    run = RunInfo(versions["spineclock"], outputs.command(), begun.strftime("%Y-%m-%d %H:%M UTC"), versions)
    write_html(out / "report.html", [entry(d, out) for d in done.documents], done.unread, run=run,
               words=recipe.words, title=recipe.words.title, outcome=recipe.outcome)  # fmt: skip


def _say(done: _Done, out: Path) -> None:
    """What a person at the terminal wants to know."""
    documents, unread, beside = done.documents, done.unread, len(done.listed.not_taken)
    for document in documents[:20]:
        print(_line(document))
    if len(documents) > 20:
        print(f"… and {len(documents) - 20} more in {out / 'predictions.csv'}")
    for failure in unread[:20]:
        print(f"{failure.input}: {failure.reason}")
    if len(unread) > 20:
        print(f"… and {len(unread) - 20} more in {out / 'failures.csv'}")
    if beside:
        print(f"{beside} other series {'was' if beside == 1 else 'were'} not taken: {out / 'run.json'} says why")
    if documents:
        print(documents[0]["statement"])
    print(f"Report: {out / 'report.html'}")


def _line(document: dict[str, Any]) -> str:
    name, verdict = document["input"]["scan_id"], document["quality"]["verdict"]
    if (told := outputs.diagnosis_of(document)) is not None:
        call = "yes" if told.called else "no"
        return (f"{name}: {told.name}: {call}, probability {told.probability:.2f} (called above {told.threshold:.2f}, "
                f"{told.rule}) [{verdict}]")  # fmt: skip
    event = event_outputs.event_of(document)
    if event is not None and verdict != "refused":
        return event_outputs.line(document, event)
    if "predicted_age_years" not in document:
        return f"{name}: refused: {'; '.join(document['quality']['reasons'])}"
    low, high = document["interval_years"]
    gap = document["gap_years"]
    return (
        f"{name}: spine age {document['predicted_age_years']:.1f} years "
        f"({document['interval_coverage']:.0%} interval {low:.0f} to {high:.0f}), corrected "
        f"{document['corrected_age_years']:.1f}" + (f", gap {gap:+.1f}" if gap is not None else "") + f" [{verdict}]"
    )
