"""What simulated bodies hold of bone density, and what is measured of their scans: for the oracle and baselines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spineclock.core.errors import SpineclockError
from spineclock.core.findings import LEVELS
from spineclock.core.recipe import LARGEST_BYTES
from spineclock.ingest.find import reason
from spineclock.ingest.names import of_weighting
from spineclock.ingest.nifti import with_label_map
from spineclock.measure.bone_quality import bone_quality
from spineclock.phantom.anatomy.body import anatomy_of
from spineclock.phantom.anatomy.template import people_world
from spineclock.phantom.anatomy.trabecular import SCANNED
from spineclock.phantom.anatomy.traits import Traits, traits_of
from spineclock.phantom.parameters import load
from spineclock.phantom.people import blocks
from spineclock.run.osteoporosis.people import LEAST_AGE, SEQUENCES, People, Places
from spineclock.run.resumed import table_of

SHOWN = ("fat", "unevenness", "hollow", "node", "flattest", "fractured")
"""Latents that are seen for themselves: means over L1-L4 of marrow fat, its unevenness and the end plates' hollows, the
deepest node, the lowest front height over the back's, and how many of L1-L4 are fractured."""
LATENTS = (*SHOWN, "space", "coarse")
"""And those that give away, without any noise, how dense the trabecular bone is: room for marrow and coarse patches.
Nothing in the images tells of bone density but these, so that they are what an oracle knows."""


@dataclass(frozen=True)
class Task:
    """A person to be told of."""

    person: Traits
    seed: int
    world: str
    path: Path

    @property
    def scan_id(self) -> str:
        """The person's scan."""
        return self.person.scan_id


def known(places: Places, people: People, *, workers: int) -> pd.DataFrame:
    """A row a scan: latents, and for each weighting the marrow's signals such as ``T1w vbq``; stopped, it goes on.

    Raises
    ------
    SpineclockError
        If a scan cannot be read.
    """
    path = places.known(people)
    table_of(path, tell, _tasks(people, places.cohort(people)), workers=workers, float_format="%.6g")
    return pd.read_csv(path, dtype={"scan_id": str})


def _tasks(people: People, cohort: Path) -> Iterator[Task]:
    listed = pd.read_csv(cohort / "participants.tsv", sep="\t", usecols=["scan_id", "path"])
    paths = dict(zip(listed["scan_id"].astype(str), listed["path"].astype(str), strict=True))
    drawn = blocks(people.count, seed=people.seed, parameters=load(people_world(people.world)))
    for some in drawn:
        for person in traits_of(some, world=people.world):
            if person.age_years >= LEAST_AGE:
                yield Task(person, people.seed, people.world, cohort / paths[person.scan_id])


def tell(task: Task) -> dict[str, Any]:
    """What there is to know of one person; a worker's task."""
    row: dict[str, Any] = {"scan_id": task.scan_id, **latents(task.person, seed=task.seed, world=task.world)}
    try:
        for sequence in SEQUENCES:
            path = of_weighting(task.path, sequence)
            found = bone_quality(*with_label_map(path, max_bytes=LARGEST_BYTES), weighting=sequence)  # type: ignore[arg-type]
            row |= {f"{sequence} {name}": value for name, value in found.wide().items() if "." not in name}
    except (SpineclockError, OSError) as error:
        raise SpineclockError(f"{task.scan_id} cannot be measured: {reason(error)}") from error
    return row


def latents(person: Traits, *, seed: int, world: str) -> dict[str, float]:
    """What L1 to L4 of a person hold that goes with bone density: :data:`LATENTS`.

    >>> from spineclock.phantom.people import people
    >>> one = traits_of(people(1, seed=1, parameters=load("osteoporosis")), world="osteoporosis")[0]
    >>> sorted(latents(one, seed=1, world="osteoporosis")) == sorted(LATENTS)
    True
    """
    spine = anatomy_of(person, seed=seed, world=world)
    b = spine.bodies[[k for k, name in enumerate(spine.names) if name in SCANNED]]
    lean = b["lean"] * b["depth_upper"]
    front, back = b["height"] + 2 * lean - b["sunk_front"], b["height"] - 2 * lean
    graded = [int(person.fracture_grade[LEVELS.index(level)]) for level in SCANNED]
    return {
        "fat": float(b["fat"].mean()),
        "unevenness": float(b["unevenness"].mean()),
        "hollow": float((b["hollow_upper"] + b["hollow_lower"]).mean() / 2),
        "node": float(b["dent"].max()),
        "flattest": float((front / back).min()),
        "fractured": float(np.count_nonzero(graded)),
        "space": float(b["space"].mean()),
        "coarse": float(b["coarse"].mean()),
    }
