"""The folder of a training run: all that a later person needs to use the network, to judge it, and to go on with it."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from spineclock.core.errors import InputError, UsageError
from spineclock.ingest.study_table import simulated
from spineclock.nets.run_folder import SCHEMA
from spineclock.nets.weights import load_into, save
from spineclock.prep.film import FilmPreparation
from spineclock.prep.store import PreparedStore
from spineclock.run.outputs import command, plain, versions, write_json, write_text
from spineclock.run.training.answers import Answers, answers, corrected_by
from spineclock.run.training.card import Facts, model_card
from spineclock.run.training.errors import TYPICAL, error_card
from spineclock.run.training.held import examples
from spineclock.run.training.sets import Sets
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
        "recalibration.json", START)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Run:
    """What a run was, beside its network."""

    recipe: str
    cohort: Path
    settings: TrainSettings
    sets: Sets
    store: PreparedStore
    begun: datetime
    device: str
    asked: dict[str, Any]

    @property
    def name(self) -> str:
        """Of the model, such as ``mri-age-table2-whole-85``."""
        learned = len(self.sets.of("train"))
        return f"{self.recipe}-{self.settings.network}-{self.settings.part}-{learned}"

    @property
    def statement(self) -> str:
        """What must be said beside each of its answers."""
        learned = self.sets.of("train")
        youngest, oldest = learned["age_years"].min(), learned["age_years"].max()
        whose = "simulated scans, of no real person" if simulated(self.cohort) else "scans"
        people = learned["person_id"].nunique()
        return (f"Research model: trained on {len(learned):,} {whose} ({people:,} people, ages {youngest:.0f} to "
                f"{oldest:.0f}). Not a medical device; not for decisions about a patient.")  # fmt: skip


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
    validation, (said, caution) = _answers(run, fitted)
    write_json(out / "network.json", _about(run, fitted, validation))
    said.to_csv(out / "predictions.csv", index=False, float_format="%.4f")
    who = "test" if (said["set"] == "test").any() else "validation"
    errors = error_card(said[said["set"] == who])
    errors.to_csv(out / "errors.csv", index=False, float_format="%.4f")
    facts = Facts(
        name=run.name,
        statement=run.statement,
        recipe=run.recipe,
        cohort=run.cohort.name,
        simulated=bool(simulated(run.cohort)),
        settings=run.settings.model_dump(mode="json"),
        preparation=plain(asdict(run.store.how)),
        table=run.sets.table,
        errors=errors,
        who=who,
        sha256=digest,
        caution=caution,
        start=started(out),
        epochs=len(fitted.epochs),
        best_epoch=fitted.best_epoch + 1,
    )
    write_text(out / "MODEL_CARD.md", model_card(facts))
    _draw(out, curves, said)
    (out / "config.toml").write_text(_toml(run.settings), encoding="utf-8")
    write_json(out / DONE, plain({
        "schema": "spineclock.training-run/1", "command": command(), "statement": run.statement,
        "begun": run.begun.isoformat(timespec="seconds"), "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "training_minutes": fitted.epochs[-1].minutes, "versions": versions(), "device": run.device,
        **run.asked, "store": {"scans": len(run.store), "dtype": run.store.dtype, **asdict(run.store.how)},
        "scans": run.sets.table["set"].value_counts().to_dict(), "weights_sha256": digest, "caution": caution,
        "start": started(out), "best_epoch": fitted.best_epoch, "epochs": len(fitted.epochs),
    }))  # fmt: skip
    (out / STATE).unlink(missing_ok=True)
    _say(out, errors, who, caution)


def _answers(run: Run, fitted: Fitted) -> tuple[list[list[float]], Answers]:
    """What the network says of everyone it did not learn from; and, of validation people, predicted and true ages."""
    from spineclock.learn.fit import judged

    table = run.sets.table[run.sets.table["set"].isin(["validation", "test"])].reset_index(drop=True)
    (held,) = examples(table, store=run.store, memory_gb=run.settings.memory_gb)
    said = judged(fitted.net.to(run.device), fitted.head, held, part=run.settings.part)
    every = corrected_by(said, table["age_years"])
    validation = [row for row, of in zip(every, table["set"], strict=True) if of == "validation"]
    found = answers(table, said, lambda kind: validation, coverage=run.settings.interval_coverage, model=run.name)
    return validation, found


def _about(run: Run, fitted: Fitted, validation: list[list[float]]) -> dict[str, Any]:
    """network.json: what a reader of the weights needs to know."""
    learned = run.sets.of("train")["age_years"]
    return {
        "schema": SCHEMA, "name": run.name, "statement": run.statement, "network": run.settings.network,
        "pool": run.settings.pool, "simulated": bool(simulated(run.cohort)), "head": fitted.head.as_dict(),
        "preparation": _preparation(run),
        "ages_years": [float(learned.min()), float(learned.max())], "validation": validation,
        **({"films": sorted(set(run.sets.of("train")["film"]))} if "film" in run.sets.table else {}),
    }  # fmt: skip


def _preparation(run: Run) -> dict[str, Any]:
    """How the network's input is prepared; of scans, for its part of the spine."""
    how = run.store.how
    return how.as_dict() if isinstance(how, FilmPreparation) else {**asdict(how), "part": run.settings.part}


def _draw(out: Path, curves: pd.DataFrame, said: pd.DataFrame) -> None:
    from spineclock.report import ink
    from spineclock.report.training_figures import learning, predicted

    (out / "curves.png").write_bytes(ink.png(learning(curves)))
    shown = {name: said[said["set"] == name] for name in ("validation", "test") if (said["set"] == name).any()}
    (out / "ages.png").write_bytes(ink.png(predicted(shown)))


def _toml(settings: TrainSettings) -> str:
    from spineclock.run.config import Configuration

    told = settings.model_copy(update={"resume": False, "overwrite": False})  # to be handed to another run
    return Configuration(told, dict.fromkeys(type(settings).model_fields, "this run")).as_toml()


def _say(out: Path, errors: pd.DataFrame, who: str, caution: str) -> None:
    for _, row in errors[errors["group"].isin(["everyone", TYPICAL])].iterrows():
        print(f"{who}, {row['group']}: {row['scans']:,} scans, MAE {row['mae_years']:.2f} years "
              f"({row['corrected_mae_years']:.2f} corrected), R² {row['r2']:.3f}")  # fmt: skip
    if caution:
        print(f"caution: no correction and no interval: {caution}")
    print(f"Model card: {out / 'MODEL_CARD.md'}")
