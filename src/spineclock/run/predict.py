"""``spineclock predict``: list → choose → load → read → write, one scan after another."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from spineclock import recipes
from spineclock.core.errors import InputError, RefusedError, SpineclockError, UsageError
from spineclock.core.geometry import require_same_grid
from spineclock.core.recipe import Options, Reader, Recipe
from spineclock.core.records import Failure, Reading, Scan
from spineclock.ingest.choose import choose
from spineclock.ingest.find import reason
from spineclock.ingest.nifti import read_mask
from spineclock.ingest.refs import SeriesRef
from spineclock.ingest.series import list_series, load
from spineclock.run import outputs
from spineclock.run.config import PredictSettings, configure

if TYPE_CHECKING:
    from spineclock.ingest.cohort import Cohort

log = logging.getLogger(__name__)

DONE, SOME_FAILED = 0, 1
REMEMBERED = (
    "recipe",
    "model",
    "age_years",
    "sex",
    "cohort",
    "mask",
    "mask_scheme",
    "lowest_vertebra",
    "interval_coverage",
)
"""Settings that change a result: ``--resume`` does a scan again where one of them is another."""


def predict_one(source: str | Path, *, age_years: float | None = None, sex: Literal["F", "M"] | None = None,
                **settings: Any) -> Reading:  # fmt: skip
    """The reading of one scan: its age, interval, verdict, measurements and outlines; nothing is written.

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
        listed = _chosen([Path(source)], recipe, Path(scratch))
        if len(listed.refs) != 1:
            why = "; ".join(f.reason for f in listed.failures) or ", ".join(r.scan_id for r in listed.refs)
            raise InputError(f"{len(listed.refs)} scans in {source} ({why})", wanted=f"one: {recipe.accepts.wanted}",
                             remedy="name the file, or use spineclock predict for many")  # fmt: skip
        people = _People.of(chosen)
        scan = people.known(load(listed.refs[0], max_bytes=chosen.max_bytes))
    return _reader(recipe, chosen).read(scan, lowest_vertebra=chosen.lowest_vertebra)


def predict_all(inputs: Sequence[Path], settings: PredictSettings, *, out: Path, progress: bool = True) -> int:
    """Reads every scan of the inputs into ``out/<scan_id>/``, and writes report, table and failures for all.

    Returns 0 if every scan got an age, 1 if some failed or were refused.

    Raises
    ------
    UsageError
        If there is no input, or ``out`` holds results and neither resume nor overwrite is set.
    """
    begun, recipe = datetime.now(UTC), recipes.get(settings.recipe)
    _require_inputs(inputs, settings, out)
    with tempfile.TemporaryDirectory(prefix="spineclock-") as scratch:
        listed = _chosen(inputs, recipe, Path(scratch))
        if not listed.refs and not listed.failures:
            raise UsageError("no scan was found in the input", wanted=recipe.accepts.wanted)
        if settings.mask is not None and len(listed.refs) > 1:
            raise UsageError(f"one label map for {len(listed.refs)} scans", wanted="one scan with --mask")
        people = _People.of(settings)
        out.mkdir(parents=True, exist_ok=True)
        batch = _Batch(recipe, settings, out)
        results = [batch.result(ref, people) for ref in _shown(listed.refs, progress=progress)]
    failures = [*listed.failures, *(f for r in results for f in r.failures)]
    documents = [r.document for r in results if r.document is not None]
    _finish(results, failures, settings=settings, out=out, begun=begun)
    _say(documents, failures, out)
    return DONE if not failures else SOME_FAILED


@dataclass(frozen=True)
class _Listed:
    refs: tuple[SeriesRef, ...]
    failures: tuple[Failure, ...]


def _chosen(inputs: Sequence[Path], recipe: Recipe, scratch: Path) -> _Listed:
    listing = list_series(*inputs, scratch=scratch)
    choice = choose(listing.refs, recipe.accepts)
    for refusal in choice.refused:
        log.info("%s was not taken: %s", refusal.ref.label, refusal.reason)
    return _Listed(choice.chosen, (*listing.failures, *choice.failures))


@dataclass(frozen=True, eq=False)
class _People:
    """What the user told of the people and their scans."""

    settings: PredictSettings
    cohort: Cohort | None

    @classmethod
    def of(cls, settings: PredictSettings) -> _People:
        if settings.cohort is None:
            return cls(settings, None)
        from spineclock.ingest.cohort import read_cohort  # pandera's import is spared where there is no table

        return cls(settings, read_cohort(settings.cohort))

    def known(self, scan: Scan) -> Scan:
        """The scan with age, sex and label map as told."""
        told = self.settings
        if self.cohort is not None:
            scan = self.cohort.complete(scan)
        scan = replace(
            scan, age_years=scan.age_years if told.age_years is None else told.age_years, sex=told.sex or scan.sex
        )
        if told.mask is None or told.mask_scheme is None:
            return scan
        from spineclock.segment.schemes import to_spineclock

        mask = read_mask(told.mask)
        require_same_grid(scan.volume, mask, what=f"the scan and {told.mask.name}")
        return scan.with_mask(to_spineclock(mask, told.mask_scheme))


@dataclass(frozen=True, eq=False)
class _Result:
    document: dict[str, Any] | None
    failures: tuple[Failure, ...] = ()


class _Batch:
    """One run over many scans; the models are loaded when the first scan needs them."""

    def __init__(self, recipe: Recipe, settings: PredictSettings, out: Path) -> None:
        self.recipe, self.settings, self.out = recipe, settings, out
        self.remembered = {name: outputs.plain(getattr(settings, name)) for name in REMEMBERED}
        self._reader: Reader | None = None

    @property
    def reader(self) -> Reader:
        if self._reader is None:
            self._reader = _reader(self.recipe, self.settings)
        return self._reader

    def result(self, ref: SeriesRef, people: _People) -> _Result:
        """One scan's prediction.json, and the failure it counts as where it got no age."""
        folder = self.out / ref.scan_id
        earlier = outputs.read_document(folder) if self.settings.resume else None
        if earlier is not None and earlier["settings"] == self.remembered:
            return _Result(earlier, _refusals(earlier, str(ref.source)))
        begun = time.monotonic()
        try:
            scan = people.known(load(ref, max_bytes=self.settings.max_bytes))
        except (SpineclockError, OSError) as error:
            return _Result(None, (Failure(str(ref.source), "ingest", reason(error)),))
        try:
            reading = self.reader.read(scan, lowest_vertebra=self.settings.lowest_vertebra)
        except RefusedError as error:
            return _Result(None, (Failure(str(ref.source), "predict", str(error)),))
        document = outputs.prediction_document(reading, recipe=self.recipe.name, seconds=time.monotonic() - begun,
                                               settings=self.remembered)  # fmt: skip
        outputs.write_reading(reading, folder, document=document)
        return _Result(document, _refusals(document, str(ref.source)))


def _refusals(document: dict[str, Any], source: str) -> tuple[Failure, ...]:
    quality = outputs.quality_of(document)
    return (Failure(source, "predict", "; ".join(quality.reasons)),) if quality.verdict == "refused" else ()


def _reader(recipe: Recipe, settings: PredictSettings) -> Reader:
    return recipe.load(
        settings.model, Options(settings.engine, settings.threads, settings.device, settings.interval_coverage)
    )


def _require_inputs(inputs: Sequence[Path], settings: PredictSettings, out: Path) -> None:
    for path in inputs:
        if not path.exists():
            raise UsageError(f"{path} does not exist", wanted="a scan, a folder or a .zip")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file", wanted="a folder for the results")
    held = out.is_dir() and any(out.glob("*/prediction.json"))
    if held and not (settings.resume or settings.overwrite):
        raise UsageError(f"{out} holds results of an earlier run", wanted="an empty folder",
                         remedy="--resume keeps them and does the rest, --overwrite replaces them")  # fmt: skip


def _shown(refs: Sequence[SeriesRef], *, progress: bool) -> Iterable[SeriesRef]:
    """The series in turn, a progress bar on standard error while there are several."""
    if not progress or len(refs) < 2:
        return refs
    return _with_bar(refs)


def _with_bar(refs: Sequence[SeriesRef]) -> Iterator[SeriesRef]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("scans", total=len(refs))
        for ref in refs:
            bar.update(task, description=ref.scan_id[:40])
            yield ref
            bar.advance(task)


def _finish(results: Sequence[_Result], failures: Sequence[Failure], *, settings: PredictSettings, out: Path,
            begun: datetime) -> None:  # fmt: skip
    from spineclock.report.html import RunInfo, write_html
    from spineclock.run.entries import entry

    documents = [r.document for r in results if r.document is not None]
    told = settings.model_dump(mode="json", exclude_none=True)
    outputs.write_run(out, failures=failures, documents=documents, settings=told, begun=begun)
    versions = outputs.versions()
    run = RunInfo(versions["spineclock"], outputs.command(), begun.strftime("%Y-%m-%d %H:%M UTC"), versions)
    unread = [f for f in failures if f.stage != "predict"]
    write_html(out / "report.html", [entry(d, out) for d in documents], unread, run=run)


def _say(documents: Sequence[dict[str, Any]], failures: Sequence[Failure], out: Path) -> None:
    """What a person at the terminal wants to know."""
    for document in documents[:20]:
        print(_line(document))
    if len(documents) > 20:
        print(f"… and {len(documents) - 20} more in {out / 'predictions.csv'}")
    for failure in failures[:20]:
        if failure.stage != "predict":
            print(f"{failure.input}: {failure.reason}")
    if documents:
        print(documents[0]["statement"])
    print(f"Report: {out / 'report.html'}")


def _line(document: dict[str, Any]) -> str:
    name, verdict = document["input"]["scan_id"], document["quality"]["verdict"]
    if "predicted_age_years" not in document:
        return f"{name}: refused: {'; '.join(document['quality']['reasons'])}"
    low, high = document["interval_years"]
    gap = document["gap_years"]
    return (
        f"{name}: spine age {document['predicted_age_years']:.1f} years "
        f"({document['interval_coverage']:.0%} interval {low:.0f} to {high:.0f}), corrected "
        f"{document['corrected_age_years']:.1f}" + (f", gap {gap:+.1f}" if gap is not None else "") + f" [{verdict}]"
    )
