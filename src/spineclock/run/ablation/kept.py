"""What trainings said of the test people, kept as text: a later run, on another machine, goes on with their table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from spineclock.core.errors import UsageError
from spineclock.ingest.cohort import read_table
from spineclock.run.ablation.rows import ABLATIONS
from spineclock.run.ablation.table import Row
from spineclock.run.outputs import plain, write_json, write_text

SAID, ABOUT = "said.csv", "trainings.json"
PEOPLE = ("scan_id", "person_id", "age_years", "normal", "true_spine_age_years")
TOLD = ("seed", "network", "loss", "pool", "band", "part", "train_on", "batch_size", "learning_rate", "rate_falls",
        "plateau_patience", "plateau_factor", "stop_patience", "max_epochs", "precision")  # fmt: skip
"""Settings that are kept; the others are paths, or the recipe's own."""


def read(folder: Path) -> tuple[dict[str, Row], pd.Series | None]:
    """The trainings kept in a folder, in the ablations' order, and the true spine ages by scan_id; none where none are.

    Each training's scans are those it said something of.
    """
    if not (folder / ABOUT).is_file():
        return {}, None
    about: dict[str, Any] = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    table = read_table(folder / SAID)
    people = table[list(PEOPLE[:-1])].assign(normal=table["normal"].astype("boolean"))
    kept = {}
    for name in _ordered(about):
        own = people.assign(predicted_age_years=table[name], corrected_age_years=table[f"{name}_corrected"])
        kept[name] = Row(own[own["predicted_age_years"].notna()].reset_index(drop=True), about[name])
    return kept, table.set_index("scan_id")[PEOPLE[-1]].astype(float)


def write(folder: Path, rows: Mapping[str, Row], truth: pd.Series) -> None:
    """Keeps these trainings in a folder, in place of what was kept there.

    Whether a scan is typical is kept as the first of them tells it: found anew, by another processor's arithmetic, a
    few are told otherwise.

    Raises
    ------
    UsageError
        If two of them tell another age of a scan, or another person: they are of other people.
    """
    names = _ordered(rows)
    every = pd.concat([row.said[list(PEOPLE[:-1])] for row in rows.values()], ignore_index=True)
    every["age_years"] = every["age_years"].round(2)  # as they are written
    every = every.astype({"normal": "boolean"}).drop_duplicates(["scan_id", "person_id", "age_years"])
    if twice := every["scan_id"][every["scan_id"].duplicated()].to_list():
        raise UsageError(f"trainings that {folder} keeps are of other people: {len(twice)} scans, such as {twice[0]}",
                         wanted="trainings of one cohort and its normals", remedy="another folder")  # fmt: skip
    table = every.sort_values("scan_id").set_index("scan_id")
    table[PEOPLE[-1]] = truth.reindex(table.index)
    for name in names:
        said = rows[name].said.set_index("scan_id")
        table[name], table[f"{name}_corrected"] = said["predicted_age_years"], said["corrected_age_years"]
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / SAID, table.reset_index().to_csv(index=False, float_format="%.2f", lineterminator="\n"))
    write_json(folder / ABOUT, plain({name: _about(rows[name].about) for name in names}))


def _ordered(rows: Mapping[str, Any]) -> list[str]:
    return [row.name for row in ABLATIONS if row.name in rows]


def _about(about: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a run.json: how it was trained, without the folders of one machine."""
    kept = ("scans", "epochs", "best_epoch", "training_minutes", "ended", "device", "versions", "preparation")
    settings = {name: about["settings"][name] for name in TOLD if name in about["settings"]}
    return {"command": "make ablations", "settings": settings, **{name: about[name] for name in kept if name in about}}
