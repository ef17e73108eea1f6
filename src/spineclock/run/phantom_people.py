"""``spineclock phantom people``: a folder of simulated people, with everything about them known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spineclock.core.errors import UsageError
from spineclock.phantom.parameters import Parameters, load
from spineclock.phantom.people import BLOCK, People, Stage, blocks, stream
from spineclock.phantom.predictions import Ceiling, ceiling, predicted_ages
from spineclock.phantom.prose import reports
from spineclock.phantom.truths import stored_truths
from spineclock.run.outputs import command, write_json, write_text

SCHEMA = "spineclock.phantom/1"
STATEMENT = "All people, scans, findings, reports and outcomes here are simulated: no real person is described."
TABLES = {
    "participants.tsv": "one row a scan: who, when, where, how they live, health, and what followed",
    "findings.csv": "what the reports say, a row a finding",
    "imaging_findings.csv": "what the images hold, a row a finding",
    "imaging_attributes.csv": "Pfirrmann grade, height loss and facet degeneration of each level in the images",
    "fractures.csv": "a row a fractured vertebra, with Genant grade and shape",
    "reports.csv": "the reports in prose",
    "truth.csv": "true gap and spine age, and what nobody sees of the outcomes",
    "predictions.csv": "what a spine-age model with the stated noise would say",
}
TRUTHS = "truths.csv"


def make_people(
    n: int, *, seed: int, out: Path, world: str = "default", truths: bool = False, overwrite: bool = False
) -> int:
    """Writes the folder, block by block, and says what lies there; the exit status.

    Raises
    ------
    UsageError
        If there is no such world, ``out`` holds a phantom already, or truths are asked for that are not on record.
    """
    parameters = load(world)
    known = stored_truths(parameters).table if truths else None
    drawn = blocks(n, seed=seed, parameters=parameters)
    _clear(out, overwrite=overwrite)
    ages, spines, persons = [], [], 0
    for k, some in enumerate(_with_bar(drawn, n)):
        write_block(some, out, parameters=parameters, seed=seed, number=k)
        ages.append(some.table["age_years"].to_numpy())
        spines.append(some.truth["spine_age_years"].to_numpy())
        persons += some.table["person_id"].nunique()
    best = ceiling(np.concatenate(ages), np.concatenate(spines))
    if known is not None:
        known.to_csv(out / TRUTHS, index=False)
    write_text(out / "README.txt", _readme(persons, best, parameters, truths=truths))
    told = document(persons, best, parameters, seed=seed)
    write_json(out / "phantom.json", told)  # last: all is there
    print(f"{persons:,} simulated people, {best.n:,} scans in {out} (world {world}, seed {seed})")
    print(best.sentence)
    return 0


def write_block(
    some: People, out: Path, *, parameters: Parameters, seed: int, number: int, listed: pd.Series[bool] | None = None
) -> None:
    """Appends one block of people to the tables of a folder; participants.tsv gets the scans ``listed``, else all."""
    predicted = predicted_ages(
        some.table,
        some.truth["spine_age_years"],
        parameters=parameters,
        rng=stream(seed, number, Stage.PREDICTIONS),
        scanner_rng=np.random.default_rng([seed, int(Stage.PREDICTIONS)]),
    )
    frames = {
        "participants.tsv": some.table if listed is None else some.table[listed],
        "findings.csv": some.reported.long(),
        "imaging_findings.csv": some.imaging.long(),
        "imaging_attributes.csv": some.attributes.long(),
        "fractures.csv": some.fractures,
        "reports.csv": reports(some.reported, rng=stream(seed, number, Stage.PROSE)),
        "truth.csv": some.truth.round(4),
        "predictions.csv": predicted,
    }
    for name, frame in frames.items():
        tabs = name.endswith(".tsv")
        frame.to_csv(out / name, sep="\t" if tabs else ",", na_rep="n/a" if tabs else "", index=False,
                     mode="w" if number == 0 else "a", header=number == 0)  # fmt: skip


def _clear(out: Path, *, overwrite: bool) -> None:
    """Makes the folder ready; an earlier phantom in it is taken away if that is asked for."""
    ours = [out / name for name in ("phantom.json", "README.txt", TRUTHS, *TABLES)]
    there = [path for path in ours if path.exists()]
    if there and not overwrite:
        raise UsageError(
            f"{out} holds {there[0].name} already", wanted="an empty folder", remedy="name another, or --overwrite"
        )
    for path in there:
        path.unlink()
    out.mkdir(parents=True, exist_ok=True)


def document(persons: int, best: Ceiling, parameters: Parameters, *, seed: int) -> dict[str, Any]:
    """phantom.json of a folder of people as plain data."""
    return {
        "schema": SCHEMA,
        "statement": STATEMENT,
        "people": persons,
        "scans": best.n,
        "seed": seed,
        "world": parameters.world,
        "version": version("spineclock"),
        "command": command(),
        "made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "oracle": {"mae_years": round(best.mae_years, 4), "r2": round(best.r2, 4), "sentence": best.sentence},
        "parameters": dict(parameters.document),
    }


def _readme(persons: int, best: Ceiling, parameters: Parameters, *, truths: bool) -> str:
    rows = "\n".join(f"{name:24}{what}" for name, what in TABLES.items())
    more = f"\n{TRUTHS:24}what studies of a million such people find" if truths else ""
    return (
        f"{STATEMENT}\n\n{persons:,} people, {best.n:,} scans, world {parameters.world}; phantom.json says by which "
        f"parameters.\n{best.sentence}\n\n{rows}{more}\n"
    )


def _with_bar(drawn: Iterable[People], n: int) -> Iterator[People]:
    """The blocks in turn, a progress bar on standard error while there are several."""
    if n <= BLOCK:
        yield from drawn
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("people"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("people", total=n)
        for some in drawn:
            yield some
            bar.advance(task, pd.unique(some.table["person_id"]).size)
