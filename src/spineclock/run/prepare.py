"""``spineclock prepare``: a cohort's scans into a store of prepared volumes that training reads."""

from __future__ import annotations

import csv
import logging
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from spineclock import recipes
from spineclock.core.errors import UsageError
from spineclock.core.recipe import Learning
from spineclock.ingest.names import of_weighting
from spineclock.prep.store_format import ABOUT, About, Entry
from spineclock.prep.store_write import Writer, remove_store, writing
from spineclock.run.outputs import command, plain, versions, write_json
from spineclock.run.prepare_scan import Ended, Job, Labels, labels_of, prepared, source_of
from spineclock.run.progress import size, with_bar
from spineclock.run.settings import MaskScheme, PrepareSettings
from spineclock.run.side_by_side import side_by_side

if TYPE_CHECKING:
    from spineclock.ingest.cohort import ScanFile

log = logging.getLogger(__name__)
DONE, SOME_FAILED = 0, 1
CUT_OFF = 0.99
"""A scan with less of its spine's margin on the grid than this is counted as cut off."""


@dataclass(frozen=True)
class Plan:
    """What is to be done with a cohort's scans: those to prepare, those kept, those without a file."""

    jobs: tuple[Job, ...]
    kept: tuple[str, ...]
    failures: tuple[Ended, ...]


@dataclass(frozen=True)
class Tally:
    """What a run put into the store and what it could not."""

    entries: tuple[Entry, ...]
    failures: tuple[Ended, ...]
    seconds: float


def prepare_cohort(cohort: Path, settings: PrepareSettings, *, out: Path, recipe: str = "mri-age") -> int:
    """Prepares each scan of a cohort table into the store ``out``; 0 if all are in it, 1 if some failed.

    Parameters
    ----------
    cohort : Path
        A table with ``scan_id`` and ``path`` (:func:`spineclock.ingest.cohort.scan_files`), or a folder with a
        participants.tsv.
    settings : PrepareSettings
    out : Path
        The store's folder. With ``resume`` its scans are kept where their files have not changed; scans that the table
        does not name stay as well.
    recipe : str
        For whose network.

    Raises
    ------
    UsageError
        If there is no such cohort or none of its rows is a scan, ``out`` holds a store and neither resume nor
        overwrite is set, holds something else, or was prepared in another way.
    TableError
        If the table cannot be used.
    """
    begun = datetime.now(UTC)
    scans = _scans(cohort)
    learning = recipes.get(recipe).learning
    about = About(learning.preparation(settings), settings.dtype, version("spineclock"))
    _require_room(out, settings)
    if settings.overwrite:
        remove_store(out)
    with writing(out, about) as store:
        plan = planned(scans, store, settings, recipe=recipe)
        tally = _prepare(plan, store, settings, total=len(scans))
        _end(plan, tally, store, settings, begun=begun)
    return SOME_FAILED if tally.failures else DONE


def _scans(cohort: Path) -> tuple[ScanFile, ...]:
    """The scans of the table, each label map's numbering a known one."""
    from spineclock.ingest.cohort import scan_files  # pandera's import is spared the worker processes

    if not cohort.exists() or (cohort.is_dir() and not (cohort / "participants.tsv").exists()):
        what = "holds no participants.tsv" if cohort.is_dir() else "does not exist"
        raise UsageError(f"{cohort} {what}", wanted="a table with scan_id and path, or a folder with participants.tsv")
    scans = scan_files(cohort)
    if not scans:
        raise UsageError(f"{cohort} has no rows", wanted="a row for each scan")
    for scan in scans:
        if scan.mask_scheme and scan.mask_scheme not in get_args(MaskScheme):
            raise UsageError(f"{cohort.name}: mask_scheme {scan.mask_scheme!r} of scan {scan.scan_id}",
                             wanted=f"one of {', '.join(get_args(MaskScheme))}")  # fmt: skip
    return scans


def _require_room(out: Path, settings: PrepareSettings) -> None:
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file", wanted="a folder for the store")
    if (out / ABOUT).exists() and not (settings.resume or settings.overwrite):
        raise UsageError(
            f"{out} holds a store of prepared scans",
            wanted="an empty folder",
            remedy="--resume keeps its scans and adds the others, --overwrite replaces it",
        )


def planned(scans: Iterable[ScanFile], store: Writer, settings: PrepareSettings, *, recipe: str = "mri-age") -> Plan:
    """What is to be done; scans whose files have changed and damaged ones are taken out of the store.

    A scan that is in the store and whose own file is no longer there is kept: the store does not need it.
    """
    learning = recipes.get(recipe).learning
    outlined = learning.outlined
    network, wanted = _network(learning) if outlined else "", settings.sequence
    todo: list[tuple[ScanFile, Path, Labels | None, dict[str, object]]] = []
    kept, failures = [], []
    for scan in scans:
        if scan.path is None:
            failures.append(Ended(scan.scan_id, scan.scan_id, problem="the cohort table gives no path"))
            continue
        path = of_weighting(scan.path, wanted) if wanted else scan.path
        labels = labels_of(path, scan.mask, scan.mask_scheme) if outlined else None
        source = source_of(path, labels, network=network)
        earlier = store.entries.get(scan.scan_id)
        if earlier is not None:
            same = source is None or source == earlier.source
            if same and store.is_whole(scan.scan_id, thoroughly=settings.verify):
                kept.append(scan.scan_id)
                continue
            store.take_out(scan.scan_id)
        todo.append((scan, path, labels, source or {}))
    jobs = [
        Job(
            recipe, scan.scan_id, path, labels, source, row, store.path, store.about, settings.engine, settings.threads,
            settings.max_bytes, wanted, scan.sequence if path == scan.path else "",
        )
        for (scan, path, labels, source), row in zip(todo, store.free_rows(len(todo)), strict=True)
    ]  # fmt: skip
    return Plan(tuple(jobs), tuple(kept), tuple(failures))


def _network(learning: Learning) -> str:
    """What outlines the scans that come without a label map: the program where it is installed, else which weights."""
    from spineclock.nets.weights import packaged, sha256
    from spineclock.run import totalsegmentator

    if learning.program and totalsegmentator.installed(learning.program):
        return learning.program
    return sha256(packaged(learning.segmenter_weights))


def _prepare(plan: Plan, store: Writer, settings: PrepareSettings, *, total: int) -> Tally:
    """Prepares the scans, puts each into the index when it is whole, and writes failures.csv as they come."""
    begun = time.monotonic()
    entries, failures = [], []
    with (store.path / "failures.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("input", "stage", "reason"))
        with closing(side_by_side(prepared, plan.jobs, workers=settings.workers)) as ended:
            for one in _all(plan.failures, with_bar(ended, total, lambda: len(plan.kept) + len(plan.failures))):
                if one.entry is not None:
                    store.add(one.entry)
                    entries.append(one.entry)
                    continue
                failures.append(one)
                rows.writerow((one.input, one.stage, one.problem))
                file.flush()
                log.warning("%s: %s\n%s", one.scan_id, one.problem, one.trace)
    return Tally(tuple(entries), tuple(failures), time.monotonic() - begun)


def _noted(store: Writer) -> int:
    """Writes notes.csv, what is to be known of header, picture and outlines of every scan; of how many there is any."""
    told = sorted((entry for entry in store.entries.values() if entry.notes), key=lambda entry: entry.row)
    with (store.path / "notes.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("scan_id", "note"))
        rows.writerows((entry.scan_id, note) for entry in told for note in entry.notes)
    return len(told)


def _all(first: Iterable[Ended], then: Iterable[Ended]) -> Iterator[Ended]:
    yield from first
    yield from then


def _end(plan: Plan, tally: Tally, store: Writer, settings: PrepareSettings, *, begun: datetime) -> None:
    """Writes run.json and says what was done."""
    per_scan = tally.seconds / len(tally.entries) if tally.entries else None
    held = sum(sum(entry.sizes.values()) for entry in store.entries.values())
    cut = sum(entry.kept_share["whole"] < CUT_OFF for entry in store.entries.values())
    write_json(store.path / "run.json", plain({
        "schema": "spineclock.run/1", "command": command(), "begun": begun.isoformat(timespec="seconds"),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"), "versions": versions(),
        "settings": settings.model_dump(), "scans": len(tally.entries), "kept": len(plan.kept),
        "failures": len(tally.failures), "in_store": len(store.entries), "cut_off": cut,
        "seconds": tally.seconds, "seconds_per_scan": per_scan, "size_bytes": held,
    }))  # fmt: skip
    pace = f", {per_scan:.2g} s a scan with {settings.workers} at a time" if per_scan is not None else ""
    kept = f"{len(plan.kept):,} kept, " if plan.kept else ""
    print(f"{kept}{len(tally.entries):,} prepared in {tally.seconds:,.0f} s{pace}")
    print(f"{store.path}: {len(store.entries):,} scans of {' × '.join(map(str, store.about.how.shape))}, "
          f"{settings.dtype}; {size(held)} on disk")  # fmt: skip
    if cut:
        print(f"of {cut:,} less than {CUT_OFF:.0%} of the spine fits on the grid")
    if noted := _noted(store):
        print(f"of {noted:,} something is to be known (notes.csv)")
    if tally.failures:
        first = tally.failures[0]
        print(f"{len(tally.failures):,} could not be prepared (failures.csv), such as {first.scan_id}: "
              f"{first.problem.rstrip('.')}; --resume tries them again", file=sys.stderr)  # fmt: skip
