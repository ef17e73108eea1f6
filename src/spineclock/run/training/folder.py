"""The folder of a training run: all that a later person needs to use the network, to judge it, and to go on with it."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from spineclock.core.errors import InputError, UsageError
from spineclock.core.outcomes import Age, Diagnosis, TimeToEvent
from spineclock.nets.weights import load_into, save
from spineclock.run.outputs import command, plain, versions, write_json, write_text
from spineclock.run.training.run import Made, Results, Run
from spineclock.run.training.settings import TrainSettings

if TYPE_CHECKING:
    from spineclock.learn.fit import Epoch, Fitted

BEGUN = "training.json"
"""Written first: what the run was asked to be."""
STATE, DONE = "state.ckpt", "run.json"
"""The training's state, while it is not done; and what is written last."""
START = "start.txt"
"""What weights the training began from, where it was asked to begin from others than random ones."""
OURS = (BEGUN, DONE, "config.toml", STATE, f"{STATE}.partial", "curves.csv", "split.csv", "weights.safetensors",
        "network.json", "predictions.csv", "errors.csv", "MODEL_CARD.md", "curves.png", "ages.png",
        "vertebrae.csv", "diagnosis.csv", "diagnosis.png", "recalibration.json", "risks.csv",
        "detection.csv", "detection.png", "risks.png", START)  # fmt: skip


def begun(out: Path) -> dict[str, Any] | None:
    """What the run in a folder was asked to be; None where there is none.

    Raises
    ------
    InputError
        If it cannot be read: nothing is then taken for absent and removed.
    """
    try:
        told: dict[str, Any] = json.loads((out / BEGUN).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{out / BEGUN} cannot be read ({error})", wanted="what the training wrote") from error
    return told


def require_room(out: Path, *, resume: bool, overwrite: bool) -> None:
    """Refuses a folder that is a file, holds results of something else, or a run that is neither resumed nor replaced.

    Raises
    ------
    UsageError
        If so.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file", wanted="a folder for the run")
    if begun(out) is None:
        if other := [name for name in OURS if (out / name).exists()]:
            raise UsageError(f"{out} holds {other[0]} of something else", wanted="an empty folder")
    elif not (resume or overwrite):
        raise UsageError(f"{out} holds a run", wanted="an empty folder",
                         remedy="--resume goes on with it, --overwrite replaces it")  # fmt: skip


def begin(out: Path, asked: dict[str, Any], *, resume: bool) -> None:
    """Says what the run is to be, or makes sure that what is gone on with was asked to be the same."""
    there = begun(out)
    if there is not None and resume:
        require_same(out, there, asked)
        return
    if there is not None:
        clear(out)
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / BEGUN, {**asked, "command": command()})


def say_start(out: Path, sentence: str) -> None:
    """Says, and keeps in the folder, what weights the training begins from."""
    print(sentence)
    write_text(out / START, f"{sentence}\n")


def started(out: Path) -> str:
    """What weights the training began from, in a sentence."""
    path = out / START
    return path.read_text(encoding="utf-8").strip() if path.is_file() else "The network began from random weights."


def finished(out: Path, asked: dict[str, Any]) -> bool:
    """Whether the folder holds this very run, done."""
    there = begun(out)
    if there is None or not (out / DONE).is_file():
        return False
    require_same(out, there, asked)
    return True


def require_same(out: Path, there: dict[str, Any], asked: dict[str, Any]) -> None:
    """Refuses to go on with a run that was asked to be another.

    Raises
    ------
    UsageError
        If so.
    """
    wanted = json.loads(json.dumps(asked))
    first = {name: field.default for name, field in TrainSettings.model_fields.items()}
    was = {**first, **there.get("settings", {})}  # a setting that came later was what it now is by default
    other = [k for k, v in wanted["settings"].items() if was[k] != v]
    other += [k for k in ("recipe", "preparation") if there.get(k) != wanted[k]]
    if other:
        raise UsageError(
            f"the run in {out} was trained with another {', '.join(other)}",
            wanted="the same settings",
            remedy="call it as before, or name another folder",
        )
    if there.get("sets_sha256") != wanted["sets_sha256"]:
        raise UsageError(
            f"since the run in {out} began, other scans have come into the cohort, the store or the normal ones, and "
            "people would change sides between training and test",
            wanted="the same scans",
            remedy="give them back, or begin another run (--set split=FILE keeps who is in which split)",
        )


def clear(out: Path) -> None:
    """Removes what an earlier run left; what else lies there stays, prepared scans too.

    Stopped halfway, it leaves a run that is not done and can be removed.
    """
    shutil.rmtree(out / "tensorboard", ignore_errors=True)
    for name in (DONE, *(n for n in OURS if n not in (DONE, BEGUN)), BEGUN):
        (out / name).unlink(missing_ok=True)


@contextmanager
def logs(out: Path) -> Iterator[Callable[[Epoch], None]]:
    """Writes each epoch to TensorBoard as it ends; ``curves.csv`` is written with all of them."""
    from torch.utils.tensorboard.writer import SummaryWriter

    with SummaryWriter(out / "tensorboard") as writer:

        def log(row: Epoch) -> None:
            for name, value in row.row().items():
                if name != "epoch":
                    writer.add_scalar(name, value, row.epoch)
            _append(out / "curves.csv", row)

        yield log


@contextmanager
def no_logs() -> Iterator[Callable[[Epoch], None]]:
    """For processes that only help: nothing is written."""
    yield lambda row: None


def _append(path: Path, row: Epoch) -> None:
    new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        if new:
            rows.writerow(row.row())
        rows.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in row.row().values()])


def write(out: Path, run: Run, fitted: Fitted) -> None:
    """Writes the finished run: weights first, then what they say of everybody, then cards and pictures."""
    curves = pd.DataFrame([e.row() for e in fitted.epochs])
    curves.to_csv(out / "curves.csv", index=False, float_format="%.6g")
    run.sets.table.to_csv(out / "split.csv", index=False, float_format="%.6g")
    digest = save(fitted.net, out / "weights.safetensors", {"name": run.name, "statement": run.statement})
    load_into(fitted.net, out / "weights.safetensors")  # in half precision, as prediction will read them
    found = _results(run, fitted, Made(digest, started(out)))
    write_json(out / "network.json", found.about)
    for name, table in found.tables.items():
        table.to_csv(out / f"{name}.csv", index=False, float_format="%.4f")
    write_text(out / "MODEL_CARD.md", found.card)
    for name, picture in {"curves": _curves(curves, fitted), **found.pictures}.items():
        (out / f"{name}.png").write_bytes(picture)
    (out / "config.toml").write_text(_toml(run.settings), encoding="utf-8")
    write_json(out / DONE, plain({
        "schema": "spineclock.training-run/1", "command": command(), "statement": run.statement,
        "begun": run.begun.isoformat(timespec="seconds"), "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "training_minutes": fitted.epochs[-1].minutes, "versions": versions(), "device": run.device,
        **run.asked, "store": {"scans": len(run.store), "dtype": run.store.dtype, **asdict(run.store.how)},
        "scans": run.sets.table["set"].value_counts().to_dict(), "weights_sha256": digest, "caution": found.caution,
        "start": started(out), "best_epoch": fitted.best_epoch, "epochs": len(fitted.epochs),
    }))  # fmt: skip
    (out / STATE).unlink(missing_ok=True)
    for line in found.lines:
        print(line)
    print(f"Model card: {out / 'MODEL_CARD.md'}")


def _curves(curves: pd.DataFrame, fitted: Fitted) -> bytes:
    from spineclock.report import ink
    from spineclock.report.training_figures import learning

    measure = fitted.head.measure
    return ink.png(learning(curves, figure=measure.column, title=f"validation {measure.title}", unit=measure.unit,
                            rising=measure.rising))  # fmt: skip


def _results(run: Run, fitted: Fitted, made: Made) -> Results:
    """What the network says of everyone it did not learn from, and how good it is, by what it answers."""
    match run.outcome:
        case TimeToEvent():
            from spineclock.run.training.risks import results

            return results(run, fitted, made)
        case Diagnosis():
            from spineclock.run.training.diagnoses import results

            return results(run, fitted, made)
        case Age():
            from spineclock.run.training.ages import results

            return results(run, fitted, made)


def _toml(settings: TrainSettings) -> str:
    from spineclock.run.config import Configuration

    told = settings.model_copy(update={"resume": False, "overwrite": False})  # to be handed to another run
    return Configuration(told, dict.fromkeys(type(settings).model_fields, "this run")).as_toml()
