"""How well the measurements repeat themselves on SPIDER: ``python -m spineclock.run.repeatability --help``.

Each person's expert mask is measured as it is, with edges that wander by up to a voxel, and with scan and mask turned
by 5° to either side within the sagittal plane and out of it; what differs within a person is set against what differs
between people.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from spineclock import measure
from spineclock.core.anatomy import disc_name
from spineclock.ingest.datasets import spider
from spineclock.measure.perturb import turned, with_wandering_edges
from spineclock.measure.repeatability import repeatability
from spineclock.segment.instances import bodies, find

LUMBAR = ("L1", "L2", "L3", "L4", "L5")
LEVELS = ("", *LUMBAR, *(disc_name(level) for level in LUMBAR))
EDGES = ("edges 1", "edges 2", "edges 3")
TURNS: dict[str, tuple[int, float]] = {
    "in plane +5°": (0, 5.0),
    "in plane −5°": (0, -5.0),
    "to the side +5°": (1, 5.0),
    "round the spine +5°": (2, 5.0),
}
"""Each turn's axis of the grid and its degrees."""


def looks(person: spider.SpiderPerson, rng: np.random.Generator) -> Iterator[pd.DataFrame]:
    """Tables of one person's measurements: as it is, with wandering edges, turned."""
    found = find(person.mask)
    front = bodies(found)
    yield _rows(person, "as it is", measure.spine(person.volume, found.labels, front))
    for name in EDGES:
        yield _rows(person, name, measure.spine(person.volume, *with_wandering_edges(found.labels, front, rng)))
    for name, (axis, degrees) in TURNS.items():
        scan = turned(person.volume, found.labels, front, degrees, axis=axis)
        yield _rows(person, name, measure.spine(*scan))


def table(repeats: pd.DataFrame) -> pd.DataFrame:
    """One row a measurement: its mean, and within-person SD, CV and ICC(A,1) under wandering edges and under turns."""
    both = {}
    for what, names in (("edges", EDGES), ("turned", tuple(TURNS))):
        chosen = repeats[repeats["repeat"].isin(("as it is", *names))]
        both[what] = repeatability(chosen).set_index(["structure", "name", "unit"])
    left, right = both["edges"], both["turned"][["within_sd", "cv_percent", "icc"]]
    joined = left.join(right, lsuffix="_edges", rsuffix="_turned")
    return joined[["mean", *(f"{c}_{w}" for w in both for c in ("within_sd", "cv_percent", "icc"))]].reset_index()


def markdown(frame: pd.DataFrame) -> str:
    """A frame as a table of a page, numbers to three digits."""
    head = [str(column).replace("_", " ") for column in frame.columns]
    lines = [head, ["---"] * len(head)]
    lines += [[_cell(value) for value in row] for row in frame.itertuples(index=False)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def page(people: Sequence[spider.SpiderPerson], *, seed: int, command: str) -> str:
    """The page of results for these people."""
    start = time.perf_counter()
    rng = np.random.default_rng(seed)
    repeats = pd.concat([rows for person in people for rows in looks(person, rng)], ignore_index=True)
    per_level = repeats[repeats["structure"].isin(("disc", "vertebra", "canal", "spine"))]
    aggregates = repeats[~repeats["structure"].isin(("disc", "vertebra", "canal", "spine"))]
    minutes = (time.perf_counter() - start) / 60
    return f"""# Repeatability of the measurements

How much of each measurement is chance: the same person's scan and expert mask, measured as they are and again

* **edges**: three times with the mask's edges moved by −1, 0 or +1 voxel within the slices (a third each, decided by a
  smooth random field of 3 mm);
* **turned**: by +5° and −5° within the sagittal plane, 5° to the side and 5° round the spine's long axis, scan and mask
  resampled on the turned grid.

SD: root mean square over people and levels of the SD within a person. CV: that over the mean, in per cent; nonsense for
what lies round 0 (angles, bulge, slip). ICC: ICC(A,1), absolute agreement of a single measurement between people, the
median over the five lumbar levels. People whose measurement is cut off in any repeat are left out of it.

Data: {len(people)} people of SPIDER, T2 SPACE, expert masks. Seed {seed}. {minutes:.1f} minutes, one thread.
Command: `{command}`

## Each level

{markdown(table(per_level))}

## Means and minima over the lowest five

{markdown(table(aggregates))}
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Writes the page. Exit status 0."""
    parser = argparse.ArgumentParser(description="Repeatability of the measurements on SPIDER's expert masks.")
    parser.add_argument("spider", type=Path, help="the SPIDER folder; see docs/data.md")
    parser.add_argument("--out", type=Path, default=Path("docs/results/repeatability.md"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--people", type=int, default=None, help="only the first so many")
    options = parser.parse_args(argv)
    people = spider.read(options.spider)[: options.people]
    limit = f" --people {options.people}" if options.people else ""
    command = f"python -m spineclock.run.repeatability SPIDER --seed {options.seed}{limit}"
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(page(people, seed=options.seed, command=command), encoding="utf-8")
    return 0


def _rows(person: spider.SpiderPerson, repeat: str, found: measure.Measurements) -> pd.DataFrame:
    """One look's measurements and aggregates; what is cut off is NaN."""
    frame = found.table
    cut = [key in found.cut for key in zip(frame["structure"], frame["level"], strict=True)]
    frame.loc[cut, "value"] = np.nan
    frame = frame[frame["level"].isin(LEVELS)]
    units = dict(zip(frame["structure"] + "." + frame["name"], frame["unit"], strict=True))
    aggregates = [
        {"structure": f"{structure} {how}", "level": "", "name": name, "value": value,
         "unit": units.get(f"{structure}.{name}", "")}
        for key, value in found.wide().items()
        if len(parts := key.split(".")) == 3 and parts[1] in ("mean", "min")
        for structure, how, name in [parts]
    ]  # fmt: skip
    both = pd.concat([frame, pd.DataFrame(aggregates, columns=list(frame.columns)[:-1])], ignore_index=True)
    return both.assign(person_id=person.person_id, repeat=repeat)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if np.isfinite(value) else "–"
    return str(value)


if __name__ == "__main__":
    raise SystemExit(main())
