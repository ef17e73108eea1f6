"""The scans of simulated people, what is measured of them, and their stores: each kept once it is made."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from spineclock.core.errors import SpineclockError
from spineclock.core.recipe import LARGEST_BYTES
from spineclock.ingest.find import reason
from spineclock.ingest.nifti import with_label_map
from spineclock.measure.ct_whole import measure_ct
from spineclock.run.fractures.people import GRID, LEAST_AGE, RECIPE, People, Places
from spineclock.run.phantom_settings import PhantomCtSettings
from spineclock.run.resumed import table_of

MOST_LACKING = 0.1
"""Share of the scans that may lack three vertebrae in a row: a curved spine leaves a training grid at its sides."""


def made(places: Places, people: People, *, workers: int) -> Path:
    """The people's folder with all their scans, made as far as they are not there.

    Raises
    ------
    SpineclockError
        If the folder is of other people, or a scan could not be made.
    """
    from spineclock.run.phantom_ct import make_ct

    cohort = places.cohort(people)
    if not _finished(cohort, people):
        settings = PhantomCtSettings(
            seed=people.seed, world=people.world, images=people.images, grid=GRID, from_years=LEAST_AGE,
            workers=workers, resume=(cohort / "phantom.json").exists(),
        )  # fmt: skip
        demand(make_ct(people.count, settings, out=cohort), cohort, "made")
    return cohort


def _finished(cohort: Path, people: People) -> bool:
    """Whether these very people's scans are all there."""
    path = cohort / "phantom.json"
    if not path.is_file():
        return False
    told = json.loads(path.read_text(encoding="utf-8"))
    asked = {"people": people.count, "seed": people.seed, "world": people.world, "images": people.images,
             "from_years": LEAST_AGE, "grid": GRID}  # fmt: skip
    if other := [name for name, value in asked.items() if told.get(name) != value]:
        raise SpineclockError(f"{cohort} was made with another {', '.join(other)}", remedy="another --out")
    return bool(told.get("finished"))


def demand(status: int, what: Path, done: str) -> None:
    """A SpineclockError where a command did not do all it was to do."""
    if status:
        raise SpineclockError(f"some scans of {what} could not be {done}", remedy="see failures.csv, and call again")


class ScanFile(NamedTuple):
    """A scan and where it lies."""

    scan_id: str
    path: Path


def measure(scan: ScanFile) -> dict[str, Any]:
    """Measures a scan by its true label map; a worker's task."""
    begun = time.process_time()
    try:
        found = measure_ct(*with_label_map(scan.path, max_bytes=LARGEST_BYTES))
    except (SpineclockError, OSError) as error:
        raise SpineclockError(f"{scan.scan_id} cannot be measured: {reason(error)}") from error
    return {"scan_id": scan.scan_id, **found.wide(), "seconds": time.process_time() - begun}


def measured(places: Places, people: People, *, workers: int) -> pd.DataFrame:
    """HU measures of each scan, a row a scan; stored, and made where they are not there; stopped, it goes on.

    Raises
    ------
    SpineclockError
        If a scan could not be measured.
    """
    path = places.measures(people)
    table_of(path, measure, paths(places.cohort(people)), workers=workers, float_format="%.6g")
    return pd.read_csv(path)


def paths(cohort: Path) -> Iterator[ScanFile]:
    """Each scan of a cohort and its file."""
    table = pd.read_csv(cohort / "participants.tsv", sep="\t", usecols=["scan_id", "path"])
    for scan_id, path in zip(table["scan_id"], table["path"], strict=True):
        yield ScanFile(str(scan_id), cohort / str(path))


def prepared(places: Places, people: People, *, workers: int) -> Path:
    """The store of what networks see of these people, with and without muscle, made as far as it is not there.

    Raises
    ------
    SpineclockError
        If more than a tenth of the scans do not show what a network is to see.
    """
    from spineclock.run.config import configure
    from spineclock.run.defaults import prepare_defaults
    from spineclock.run.prepare import prepare_cohort
    from spineclock.run.settings import PrepareSettings

    store = places.store(people)
    if not (store / "done").exists():
        told = configure(PrepareSettings, defaults=prepare_defaults(RECIPE),
                         flags={"workers": workers, "resume": True}).settings  # fmt: skip
        if prepare_cohort(places.cohort(people), told, out=store, recipe=RECIPE):
            _require_few(store)
        (store / "done").touch()
    return store


def _require_few(store: Path) -> None:
    """Refuses a store that lacks more scans than are expected to show too little of the spine, or to be cut off."""
    told = json.loads((store / "run.json").read_text(encoding="utf-8"))
    lacking, there = told["failures"], told["in_store"]
    if lacking > MOST_LACKING * (lacking + there):
        raise SpineclockError(f"{lacking:,} of {lacking + there:,} scans could not be prepared into {store}",
                              wanted=f"at most {MOST_LACKING:.0%}", remedy="see its failures.csv")  # fmt: skip


def dropped(places: Places, people: People) -> None:
    """Removes the scans, a megabyte each, once they are measured and prepared; the tables stay."""
    from spineclock.run.phantom_scans import remove_scans

    if places.measures(people).is_file() and (places.store(people) / "done").exists():
        remove_scans(places.cohort(people))


def seconds(places: Places) -> pd.DataFrame:
    """Seconds a scan took each stage, as the stages themselves tell, and the number of scans."""
    rows = []
    for people in (*places.learned, *places.tested):
        for what, folder in (("made", places.cohort(people)), ("prepared", places.store(people))):
            told = folder / "run.json"
            if told.is_file() and (found := json.loads(told.read_text(encoding="utf-8")))["scans"]:
                rows.append({"set": people.name, "stage": what, "scans": found["scans"],
                             "refused": found["failures"], "seconds a scan": found["seconds_per_scan"]})  # fmt: skip
        if places.measures(people).is_file():
            spent = pd.read_csv(places.measures(people), usecols=["seconds"])["seconds"]
            rows.append({"set": people.name, "stage": "measured", "scans": len(spent), "refused": 0,
                         "seconds a scan": float(spent.mean())})  # fmt: skip
    return pd.DataFrame(rows)
