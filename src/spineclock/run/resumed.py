"""Work on many scans, a row a scan, that goes on where it was stopped; and reading them with a model on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pandas as pd

from spineclock import recipes
from spineclock.core.recipe import Options, Reader
from spineclock.nets.weights import sha256
from spineclock.run.outputs import write_text
from spineclock.run.progress import with_bar
from spineclock.run.side_by_side import side_by_side


class OfScan(Protocol):
    """What is to be done with a scan."""

    @property
    def scan_id(self) -> str:
        """Whose row it gives."""


T = TypeVar("T", bound=OfScan)


@dataclass(frozen=True)
class Task:
    """A scan and the folder of the model that reads it."""

    scan_id: str
    path: Path
    model: Path


@cache
def reader(recipe: str, model: Path) -> Reader:
    """The recipe with the model in a process's memory, on one thread."""
    return recipes.get(recipe).load(str(model), Options(threads=1))


def resumed(
    work: Callable[[T], dict[str, Any]], tasks: Sequence[T], partial: Path, *, workers: int
) -> dict[str, dict[str, Any]]:
    """The row of each task by ``scan_id``, which ``work`` gives it; kept in ``partial`` as they come, none made twice.

    Whoever has put the rows where they belong removes ``partial``. What ``work`` raises ends it; the rows before stay.
    """
    there = _rows_kept(partial)
    todo, kept = [task for task in tasks if task.scan_id not in there], len(there)
    with partial.open("a", encoding="utf-8") as file:
        for row in with_bar(side_by_side(work, todo, workers=workers), kept + len(todo), lambda: kept):
            there[str(row["scan_id"])] = row
            file.write(json.dumps(row) + "\n")
            file.flush()
    return there


def table_of(
    path: Path, work: Callable[[T], dict[str, Any]], tasks: Iterable[T], *, workers: int,
    columns: list[str] | None = None, float_format: str | None = None,
) -> None:  # fmt: skip
    """Writes the rows of all tasks, in their order, as a CSV table, unless it is there; stopped, it goes on."""
    if path.is_file():
        return
    every, partial = [*tasks], path.with_suffix(".partial")
    rows = resumed(work, every, partial, workers=workers)
    table = pd.DataFrame([rows[task.scan_id] for task in every], columns=columns)
    write_text(path, table.to_csv(index=False, float_format=float_format))
    partial.unlink()


def by_weights(name: str, *weights: Path) -> str:
    """The name of a table of what networks said, which another network's table does not bear."""
    return f"{name}-{'-'.join(sha256(one)[:8] for one in weights)}.csv"


def _rows_kept(partial: Path) -> dict[str, dict[str, Any]]:
    """What an earlier run found before it was stopped, by scan; a line cut short is left out."""
    found = {}
    for line in partial.read_text(encoding="utf-8").splitlines() if partial.is_file() else ():
        with suppress(ValueError):
            row = json.loads(line)
            found[str(row["scan_id"])] = row
    return found
