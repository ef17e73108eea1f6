"""``spineclock ablate``: one training after another, each resumable, and a table of all."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from spineclock.ingest.study_table import simulated
from spineclock.prep.store import PreparedStore
from spineclock.run.ablation.page import page
from spineclock.run.ablation.rows import ABLATIONS, PROPOSED, Ablation, chosen, settings_of
from spineclock.run.ablation.table import Drawn, Row, tabled, true_ages
from spineclock.run.outputs import command, plain, versions, write_json, write_text
from spineclock.run.training import device, folder
from spineclock.run.training.command import train
from spineclock.run.training.held import in_view, prepared_store
from spineclock.run.training.sets import people_of, sets, split_of
from spineclock.run.training.settings import TrainSettings

RECIPE = "mri-age"
TABLE = ("ablations.csv", "ablations.md", "run.json")
"""What is written of all trainings together."""


def ablate(
    cohort: Path,
    settings: TrainSettings | None = None,
    *,
    out: Path,
    only: str | None = None,
    drawn: Drawn | None = None,
) -> int:
    """Trains each chosen row of :data:`ABLATIONS` into ``out/NAME`` and writes the table of all that are done.

    All are resumed where they were stopped, and finished ones are kept: called again it goes on. ``overwrite`` removes
    the chosen rows' earlier trainings once, before the first of them is trained anew: called again *without* it, it
    goes on; called again with it, it begins anew. Leaves ablations.csv, ablations.md and run.json. Returns the exit
    status.

    Raises
    ------
    UsageError
        If no ablation has such a name, or a folder holds a run with other settings.
    KeyboardInterrupt
        If it was stopped; the table then holds what is done.
    """
    settings, begun = settings or TrainSettings(), datetime.now(UTC)
    todo = chosen(only)
    out.mkdir(parents=True, exist_ok=True)
    store = prepared_store(cohort, settings.store, recipe=RECIPE, out=out)  # one for all of them
    base = settings.model_copy(update={"resume": True, "overwrite": False, "store": store})
    count = _proposed_scans(cohort, base)
    if settings.overwrite and device.is_first_process():
        _remove(out, todo)
    try:
        for k, row in enumerate(todo, start=1):
            print(f"{k} of {len(todo)}: {row.name}, {row.words}", flush=True)
            train(RECIPE, cohort, settings_of(row, base, proposed_scans=count), out=out / row.name)
    finally:
        if device.is_first_process():
            tabulate(out, cohort, drawn=drawn, begun=begun)
    return 0


def _remove(out: Path, chosen: tuple[Ablation, ...]) -> None:
    """Removes the earlier trainings of these rows, and the table that shows them; nothing if one is no training.

    Raises
    ------
    UsageError
        If a row's folder holds results of something else.
    """
    for row in chosen:
        folder.require_room(out / row.name, resume=False, overwrite=True)
    removed = [row.name for row in chosen if folder.begun(out / row.name) is not None]
    for name in TABLE if removed else ():
        (out / name).unlink(missing_ok=True)
    for name in removed:
        folder.clear(out / name)
    print(
        f"Removed, to be trained anew: {', '.join(removed) or 'nothing'}. To go on if stopped, call without --overwrite"
    )


def tabulate(out: Path, cohort: Path, *, drawn: Drawn | None = None, begun: datetime | None = None) -> pd.DataFrame:
    """The table of all finished trainings in a folder, which it writes; empty where none is done.

    Trainings with other people, another split or another preparation than the proposed model are left out and named.
    """
    begun = begun or datetime.now(UTC)
    done = [row.name for row in ABLATIONS if (out / row.name / folder.DONE).is_file()]
    others = {name: why for name in done if PROPOSED in done and (why := unlike(out / name, out / PROPOSED))}
    left_out = [f"Left out, as not comparable with `{PROPOSED}`: `{name}`, {why}." for name, why in others.items()]
    for line in left_out:
        print(line)
    runs = {name: trained_row(out / name) for name in done if name not in others}
    if not runs:
        return pd.DataFrame()
    found = tabled(runs, truth=true_ages(cohort), drawn=drawn)
    about = {name: row.about for name, row in runs.items()}
    found.to_csv(out / "ablations.csv", index=False, float_format="%.5g")
    write_text(out / "ablations.md", page(found, about, simulated(cohort), left_out=left_out))
    write_json(out / "run.json", plain({
        "schema": "spineclock.ablations/1", "command": command(), "begun": begun.isoformat(timespec="seconds"),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"), "versions": versions(), "done": list(runs),
        "left_out": others,
    }))  # fmt: skip
    return found


def unlike(run: Path, proposed: Path) -> str:
    """What keeps a finished run out of one table with another: the scans' preparation or the split; empty if nothing.

    The split is compared over the people both have: a part of the spine is not in view in everybody.
    """
    told, other = (folder.begun(path) or {} for path in (run, proposed))
    differing = [f"another {name}" for name in ("recipe", "preparation") if told.get(name) != other.get(name)]
    split, other_split = (_split(path) for path in (run, proposed))
    both = split.index.intersection(other_split.index)
    if both.empty:
        differing.append("other people")
    elif not split[both].equals(other_split[both]):
        differing.append("another split of the people")
    return ", ".join(differing)


def _split(run: Path) -> pd.Series:
    table = pd.read_csv(run / "split.csv", dtype=str).drop_duplicates("person_id")
    return table.set_index("person_id")["split"]


def trained_row(run: Path) -> Row:
    """What a finished training's folder says of the test people, and of itself."""
    said = pd.read_csv(run / "predictions.csv", dtype={"person_id": str, "scan_id": str})
    about = json.loads((run / folder.DONE).read_text(encoding="utf-8"))
    return Row(said[said["set"] == "test"].reset_index(drop=True), about)


def _proposed_scans(cohort: Path, base: TrainSettings) -> tuple[int, int]:
    """How many scans the proposed model trains and validates on."""
    assert base.store is not None
    people = people_of(cohort, normals=base.normals, split=base.split)
    people = people.assign(split=split_of(people, base))
    shown = people[in_view(people, PreparedStore.open(base.store), base.part)].reset_index(drop=True)
    return proposed_scans(shown, base)


def proposed_scans(people: pd.DataFrame, base: TrainSettings) -> tuple[int, int]:
    """The same, of these people's scans, who are split."""
    (proposed,) = chosen(PROPOSED)
    found = sets(people, settings_of(proposed, base, proposed_scans=(0, 0)))
    return len(found.of("train")), len(found.of("validation"))
