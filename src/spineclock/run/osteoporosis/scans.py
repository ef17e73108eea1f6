"""The scans of recipe three's simulated people and their crops, made as far as they are not there."""

from __future__ import annotations

import json
from pathlib import Path

from spineclock.core.errors import SpineclockError
from spineclock.run.config import configure
from spineclock.run.defaults import prepare_defaults
from spineclock.run.osteoporosis.people import GRID, LEAST_AGE, RECIPE, SEQUENCES, SLAB_MM, People, Places
from spineclock.run.phantom_settings import PhantomMriSettings
from spineclock.run.settings import PrepareSettings


def made(places: Places, people: People, *, workers: int) -> Path:
    """The people's folder with a T1w and a T2w of each.

    Raises
    ------
    SpineclockError
        If the folder is of other people, or a scan could not be made.
    """
    from spineclock.run.phantom_mri import make_scans

    cohort = places.cohort(people)
    if not _finished(cohort, people):
        settings = PhantomMriSettings(
            seed=people.seed, world=people.world, coverage="lumbar", weighting="T2w,T1w", grid=GRID, slab_mm=SLAB_MM,
            from_years=LEAST_AGE, workers=workers, resume=(cohort / "phantom.json").exists(),
        )  # fmt: skip
        _demand(make_scans(people.count, settings, out=cohort), cohort, "made")
    return cohort


def prepared(places: Places, people: People, *, workers: int) -> None:
    """A store of crops of each weighting, cut by the true label maps."""
    from spineclock.run.prepare import prepare_cohort

    for sequence in SEQUENCES:
        store = places.store(people, sequence)
        if (store / "done").exists():
            continue
        told = configure(PrepareSettings, defaults=prepare_defaults(RECIPE),
                         flags={"sequence": sequence, "workers": workers, "resume": True}).settings  # fmt: skip
        _demand(prepare_cohort(places.cohort(people), told, out=store, recipe=RECIPE), store, "prepared")
        (store / "done").touch()


def _finished(cohort: Path, people: People) -> bool:
    """Whether these very people's scans are all there."""
    path = cohort / "phantom.json"
    if not path.is_file():
        return False
    told = json.loads(path.read_text(encoding="utf-8"))
    asked = {"people": people.count, "seed": people.seed, "world": people.world, "grid": GRID, "slab_mm": SLAB_MM,
             "from_years": LEAST_AGE}  # fmt: skip
    if other := [name for name, value in asked.items() if told.get(name) != value]:
        raise SpineclockError(f"{cohort} was made with another {', '.join(other)}", remedy="another --out")
    return bool(told.get("finished"))


def _demand(status: int, what: Path, done: str) -> None:
    if status:
        raise SpineclockError(f"some scans of {what} could not be {done}", remedy="see failures.csv, and call again")
