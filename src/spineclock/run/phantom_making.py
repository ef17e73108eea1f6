"""What every sort of simulated scans is made by: tables of all people first, then scan by scan, resumable."""

from __future__ import annotations

import csv
import logging
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from spineclock.phantom.anatomy.template import people_world
from spineclock.phantom.anatomy.traits import traits_of
from spineclock.phantom.parameters import load
from spineclock.phantom.people import People, blocks
from spineclock.run.outputs import command, plain, versions, write_json
from spineclock.run.phantom_cohort import Choices, Sort, made_by, ready, tables
from spineclock.run.phantom_scans import Job, Rendered, finished_bytes, render
from spineclock.run.progress import size, with_bar
from spineclock.run.side_by_side import side_by_side

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tally:
    """What a run made, kept and could not make."""

    made: int
    kept: int
    size_bytes: int
    failures: tuple[Rendered, ...]
    seconds: float


def make(n: int, settings: Choices, sort: Sort, *, out: Path, only: Collection[str] | None = None) -> int:
    """Writes the folder: tables of all people first, then scan by scan; the exit status.

    Some people are scanned twice. Memory does not grow with ``n``. With ``only`` the scans of these scan_id alone are
    made, and the folder does not say that it is finished.

    Raises
    ------
    UsageError
        If there is no such world, ``out`` holds something else, or what is to be resumed was made otherwise.
    """
    begun = datetime.now(UTC)
    parameters = load(people_world(settings.world))
    drawn = blocks(n, seed=settings.seed, parameters=parameters)  # refuses a wrong n before anything is touched
    asked = made_by(n, settings, sort, parameters)
    earlier = ready(out, asked, settings, sort)
    told = {"made": begun.strftime("%Y-%m-%dT%H:%M:%SZ"), "command": command()} | earlier | asked
    if "oracle" not in told:
        _say(out, told, finished=False)
        told |= tables(drawn, out, settings, sort, parameters)
    _say(out, told, finished=False)
    again = blocks(n, seed=settings.seed, parameters=parameters)
    tally = _scans(again, settings, sort, out=out, total=told["scans"] if only is None else len(only), only=only)
    _say(out, told, finished=only is None and not tally.failures)
    _end(out, tally, settings, told, begun=begun)
    return 1 if tally.failures else 0


def _jobs(
    drawn: Iterable[People], settings: Choices, sort: Sort, out: Path, kept: Callable[[int], None],
    only: Collection[str] | None,
) -> Iterator[Job]:  # fmt: skip
    """The scans still to be made, a block of people at a time; ``kept`` is told of each other one's bytes."""
    request, acquire = sort.scanner()
    for some in drawn:
        for person, sex in zip(traits_of(some, world=settings.world), some.table["sex"], strict=True):
            if person.age_years < sort.from_years or (only is not None and person.scan_id not in only):
                continue
            there = finished_bytes(out, person.scan_id, settings.format) if settings.resume else None
            if there is None:
                yield Job(person, sex, request, settings.seed, out, settings.format, acquire)
            else:
                kept(there)


def _say(out: Path, told: dict[str, Any], *, finished: bool) -> None:
    """Writes phantom.json: what this is, whether all is there, and at the end the parameters, which are long."""
    rest = {name: value for name, value in told.items() if name != "parameters"}
    write_json(out / "phantom.json", {**rest, "finished": finished, "parameters": told["parameters"]})


def _scans(
    drawn: Iterable[People], settings: Choices, sort: Sort, *, out: Path, total: int, only: Collection[str] | None
) -> Tally:
    """Makes the scans, and writes failures.csv as they come."""
    begun = time.monotonic()
    sizes: list[int] = [0, 0]  # bytes made and kept
    counts: list[int] = [0, 0]

    def kept(size: int) -> None:
        sizes[1] += size
        counts[1] += 1

    failures = []
    with (out / "failures.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("input", "stage", "reason"))
        jobs = _jobs(drawn, settings, sort, out, kept, only)
        with closing(side_by_side(render, jobs, workers=settings.workers)) as ended:
            for one in with_bar(ended, total, lambda: counts[1]):
                if one.problem:
                    failures.append(replace(one, trace=""))
                    rows.writerow((one.scan_id, "scan", one.problem))
                    file.flush()
                    log.warning("%s: %s\n%s", one.scan_id, one.problem, one.trace)
                else:
                    sizes[0] += one.size_bytes
                    counts[0] += 1
    return Tally(counts[0], counts[1], sum(sizes), tuple(failures), time.monotonic() - begun)


def _end(out: Path, tally: Tally, settings: Choices, told: dict[str, Any], *, begun: datetime) -> None:
    """Writes run.json and says what was done."""
    per_scan = tally.seconds / tally.made if tally.made else None
    write_json(out / "run.json", plain({
        "schema": "spineclock.run/1", "command": command(), "begun": begun.isoformat(timespec="seconds"),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"), "versions": versions(),
        "settings": settings.model_dump(), "scans": tally.made, "kept": tally.kept, "failures": len(tally.failures),
        "seconds": tally.seconds, "seconds_per_scan": per_scan, "size_bytes": tally.size_bytes,
    }))  # fmt: skip
    print(f"{told['people']:,} simulated people, {told['scans']:,} scans in {out} (world {settings.world}, "
          f"seed {settings.seed})")  # fmt: skip
    pace = f", {per_scan:.2g} s a scan with {settings.workers} at a time" if per_scan is not None else ""
    kept = f"{tally.kept:,} kept, " if tally.kept else ""
    print(f"{kept}{tally.made:,} made in {tally.seconds:,.0f} s{pace}; {size(tally.size_bytes)} on disk")
    if tally.failures:
        first = tally.failures[0]
        print(f"{len(tally.failures):,} could not be made (failures.csv), such as {first.scan_id}: {first.problem}; "
              "--resume tries them again", file=sys.stderr)  # fmt: skip
