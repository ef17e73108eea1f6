"""Spine age learned from simulated people at the paper's counts: ``python -m spineclock.run.ablation.phantom --help``.

People → who is typical, from their reports → scans of those that the trainings need, on a training grid → store → the
ablations → three worlds the network has not seen → two pages. Each stage is resumed where it stopped and kept where it
is done; what finished trainings said of the test people is kept beside the page as text, so that another machine goes
on with the table and trains what is lacking.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spineclock.core.errors import SpineclockError
from spineclock.ingest.cohort import read_cohort
from spineclock.learn.split import Split
from spineclock.nets.weights import sha256
from spineclock.run.ablation.command import ablate, proposed_scans, trained_row
from spineclock.run.ablation.kept import SAID, TOLD, read, write
from spineclock.run.ablation.page import page as table_page
from spineclock.run.ablation.rows import ABLATIONS, PROPOSED, Ablation, chosen, settings_of
from spineclock.run.ablation.studied import section, studied
from spineclock.run.ablation.table import Row, tabled, true_ages
from spineclock.run.outputs import write_text
from spineclock.run.phantom_people import STATEMENT
from spineclock.run.phantom_settings import PhantomMriSettings
from spineclock.run.settings import NormalsSettings, PrepareSettings
from spineclock.run.stages import plainly
from spineclock.run.tables import markdown
from spineclock.run.training import folder
from spineclock.run.training.evaluation import evaluate
from spineclock.run.training.sets import people_of, sets
from spineclock.run.training.settings import EvaluateSettings, TrainSettings
from spineclock.stats import metrics

GRID, SLAB_MM = "6x320x128", 48.0
"""Scans are drawn as 6 slices of 8 mm with pixels of 2 mm: what ages a simulated spine most is finer than the 5 mm of a
grid of the same cost over the whole width, and lies in the bodies."""
PREPARED = {"spacing_mm": "8,2,2", "shape": "6,320,80", "centre": "spine"}
PEOPLE, SEED = 24_200, 20
"""So many that 8,491 typical scans of training people are there, as in the paper; reports decide who is typical."""
WORLDS = {"default": 21, "shifted": 22, "ageing_off": 23}
"""Worlds to evaluate the trained network on, each with a seed of its own: other people than it has seen."""
WORLD_PEOPLE = 1500
PAPERS_COUNTS = (8491, 1051)
EPOCHS, EPOCHS_OF_FEW = 8, 40
"""For trainings on all scans, and for those on a tenth or a hundredth of them."""
SCHEDULE: dict[str, Any] = {"batch_size": 8, "learning_rate": 1e-3, "rate_falls": "linear", "band": 48}
"""8 at a time learn faster than the paper's 2, at the same price a scan (tried out on 850). The rate falls linearly, so
that all rows of as many scans learn for as long, and none is cut short by the luck of its validation loss. The band
holds all bodies, discs and canals, and halves the time."""


@dataclass(frozen=True)
class Places:
    """Where each stage leaves what it makes."""

    out: Path

    @property
    def cohort(self) -> Path:
        """The simulated people and their scans."""
        return self.out / "mri"

    @property
    def split(self) -> Path:
        """Each person's split."""
        return self.out / "people.csv"

    @property
    def wanted(self) -> Path:
        """The scans that trainings need; its paths begin at the cohort's folder."""
        return self.cohort / "wanted.csv"

    @property
    def normals(self) -> Path:
        """Who is age-typical."""
        return self.out / "normals" / "normals.csv"

    @property
    def store(self) -> Path:
        """The prepared scans."""
        return self.out / "store"

    def evaluation(self, world: str) -> Path:
        """What the proposed network, as it is now, says of a world's people."""
        return self.out / f"{world}-evaluation-{self._network}"

    @property
    def study(self) -> Path:
        """The study of the people of the default world by it."""
        return self.out / f"default-study-{self._network}"

    @property
    def _network(self) -> str:
        return sha256(self.runs / PROPOSED / "weights.safetensors")[:8]

    @property
    def runs(self) -> Path:
        """The trainings."""
        return self.out / "ablations"


def made(places: Places, todo: Sequence[Ablation], *, people: int, workers: int) -> None:
    """Tables, split, typical people, and scans and store of those whom the trainings need, as far as not there."""
    _scans(places.cohort, people, seed=SEED, world="default", workers=workers, only=())
    if not places.split.is_file():
        table = read_cohort(places.cohort).table
        table["split"] = Split()(table, rng=np.random.default_rng(0))
        table[["person_id", "scan_id", "age_years", "sex", "split"]].to_csv(places.split, index=False)
    if not places.normals.is_file():
        from spineclock.run.normals import normals

        normals(places.cohort / "findings.csv", NormalsSettings(workers=workers), cohort=places.split,
                out=places.normals.parent)  # fmt: skip
    needed = wanted(places, todo)
    _scans(places.cohort, people, seed=SEED, world="default", workers=workers, only=needed)
    paths = pd.read_csv(places.cohort / "participants.tsv", sep="\t", usecols=["scan_id", "path"], dtype=str)
    paths[paths["scan_id"].isin(needed)].to_csv(places.wanted, index=False)
    _store(places.wanted, places.store, workers=workers)


def wanted(places: Places, todo: Sequence[Ablation]) -> frozenset[str]:
    """The scans that these trainings learn from, are judged by and tested on."""
    people = people_of(places.cohort, normals=places.normals, split=places.split)
    needed: set[str] = set()
    (proposed,) = chosen(PROPOSED)
    count = proposed_scans(people, asked(places, proposed))
    counted = (proposed,) if any(row.as_many for row in todo) else ()  # whose number is asked of the store
    for row in (*todo, *counted):
        found = sets(people, settings_of(row, asked(places, row), proposed_scans=count)).table
        needed.update(found.loc[found["set"] != "unused", "scan_id"])
    return frozenset(needed)


def asked(places: Places, row: Ablation) -> TrainSettings:
    """The settings of a training, before the row's own changes."""
    train, validation = PAPERS_COUNTS
    epochs = EPOCHS_OF_FEW if "train_scans" in row.changes else EPOCHS
    return TrainSettings(store=places.store, normals=places.normals, split=places.split, train_scans=train,
                         validation_scans=validation, max_epochs=epochs, **SCHEDULE)  # fmt: skip


def _scans(out: Path, people: int, *, seed: int, world: str, workers: int, only: Collection[str] | None = None) -> None:
    """Makes the scans of a cohort, or these alone."""
    from spineclock.run.phantom_mri import make_scans

    there = _told(out / "phantom.json")
    if there.get("finished") or (only is not None and not only and "oracle" in there):  # it is told once tables are
        return
    settings = PhantomMriSettings(
        seed=seed,
        world=world,
        grid=GRID,
        slab_mm=SLAB_MM,
        workers=workers,
        resume=(out / "phantom.json").exists(),
    )
    if make_scans(people, settings, out=out, only=only):
        raise SpineclockError(f"some scans in {out} could not be made", remedy="see failures.csv, and call again")


def _store(cohort: Path, out: Path, *, workers: int) -> None:
    from spineclock.run.prepare import prepare_cohort

    settings = PrepareSettings(**PREPARED, workers=workers, resume=True)
    if prepare_cohort(cohort, settings, out=out):
        raise SpineclockError(
            f"some scans of {cohort} could not be prepared", remedy="see failures.csv, and call again"
        )


def _told(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return told


def worlds(places: Places, *, people: int, workers: int) -> pd.DataFrame:
    """The proposed network on people of other worlds: error, R², and correlation of predicted with true gap."""
    found = []
    for world, seed in WORLDS.items():
        cohort, store, out = places.out / f"{world}-mri", places.out / f"{world}-store", places.evaluation(world)
        _scans(cohort, people, seed=seed, world=world, workers=workers)
        _store(cohort, store, workers=workers)
        if not (out / "evaluation.md").is_file():
            evaluate(places.runs / PROPOSED, cohort, EvaluateSettings(store=store), out=out)
        _, said = _evaluated(places, world)
        found.append(_world(world, said, _spine_ages(cohort, said)))
    studied(places.out / "default-mri", places.evaluation("default") / "predictions.csv", places.study, workers=workers)
    return pd.DataFrame(found)


def _evaluated(places: Places, world: str) -> tuple[Path, pd.DataFrame]:
    """A world's people, and what the proposed network says of each of their scans."""
    said = pd.read_csv(places.evaluation(world) / "predictions.csv", dtype={"scan_id": str})
    return places.out / f"{world}-mri", said


def _spine_ages(cohort: Path, said: pd.DataFrame) -> pd.Series:
    truth = true_ages(cohort)
    assert truth is not None, "simulated people's spine ages are known"
    return said["scan_id"].map(truth)


def _world(name: str, said: pd.DataFrame, spine_age: pd.Series) -> dict[str, Any]:
    age, predicted, corrected = (said[f"{c}age_years"] for c in ("", "predicted_", "corrected_"))
    covered = (said["interval_low_years"] <= age) & (age <= said["interval_high_years"])
    return {
        "world": name, "scans": len(said), "MAE": metrics.mae(predicted, age), "R²": metrics.r2(predicted, age),
        "oracle's R²": metrics.r2(spine_age, age), "corrected MAE": metrics.mae(corrected, age),
        "r with age": metrics.pearson_r(predicted, age),
        "r of corrected with true gap": metrics.pearson_r(corrected - age, spine_age - age),
        "90% interval covers": float(covered.mean()),
    }  # fmt: skip


def page(rows: Mapping[str, Row], truth: pd.Series, *, command: str, kept: str) -> str:
    """The page of these trainings, with what they learned from and how."""
    lacking = [f"`{row.name}`" for row in ABLATIONS if row.name not in rows]
    about = {name: row.about for name, row in rows.items()}
    text = table_page(tabled(rows, truth=truth), about, STATEMENT)
    opening, _, rest = text.partition("\n## ")
    made_by = (
        f"- Command: `{command}`\n"
        f"- Data: simulated people, seed {SEED}, scans of {PREPARED['shape'].replace(',', ' × ')} samples "
        f"({PREPARED['spacing_mm'].replace(',', ' × ')} mm) round the spine's middle; typical people found from their "
        f"reports. {max(len(row.said) for row in rows.values()):,} scans of test people.\n"
        f"- Trainings: batch {SCHEDULE['batch_size']}, a rate that falls in a straight line from "
        f"{SCHEDULE['learning_rate']:g} to 0 over {EPOCHS} epochs, of few scans {EPOCHS_OF_FEW}; a band of "
        f"{SCHEDULE['band']} columns that follows the spine; bfloat16 where the processor has it.\n"
        f"- What each said of every test scan: `{kept}`, from which the table is made.\n"
        + (f"- Not yet trained: {', '.join(lacking)}.\n" if lacking else "")
        + "- The paper's scans are real and ours are not: its rows stand beside ours to compare patterns, not sizes.\n"
    )
    return f"{opening.rstrip()}\n\n{made_by}\n## {rest}"


def worlds_page(places: Places, others: pd.DataFrame, *, command: str) -> str:
    """The page of the proposed network on people of other seeds and worlds, and of a study by it."""
    cohort, said = _evaluated(places, "default")
    return (
        f"# The proposed model on people of other seeds and worlds\n\n**{STATEMENT}**\n\n- Command: `{command}`\n\n"
        f"{markdown(others, digits=3)}\n\nIn `ageing_off` pictures do not depend on age: whatever R² above 0 a network "
        f"had there, it would owe to a leak.\n\n{section(places.study, said, _spine_ages(cohort, said))}"
    )


def main() -> int:
    """Makes what is not there, trains what is not trained, and writes the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m spineclock.run.ablation.phantom --out build/ages --only proposed,scans_85",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("build/ages"), help="where everything goes: about 12 GB")
    parser.add_argument("--page", type=Path, default=Path("docs/results/ablations.md"),
                        help="beside it, …_worlds.md and a folder of what trainings said")  # fmt: skip
    parser.add_argument("--only", help="some of the ablations, with commas; all where not given")
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--world-people", type=int, default=WORLD_PEOPLE)
    parser.add_argument("--workers", type=int, default=2)
    told = parser.parse_args()
    return plainly(lambda: _all(told))


def _all(told: argparse.Namespace) -> None:
    places, command = Places(told.out), "python -m spineclock.run.ablation.phantom"
    beside = told.page.with_suffix("")
    kept = _as_asked(places, read(beside)[0])
    todo = [row for row in chosen(told.only) if told.only or row.name not in kept]
    if todo:
        made(places, todo, people=told.people, workers=told.workers)
    for row in todo:
        ablate(places.cohort, asked(places, row), out=places.runs, only=row.name)
        truth = true_ages(places.cohort)
        assert truth is not None, "simulated people's spine ages are known"
        write(beside, _as_asked(places, read(beside)[0]) | {row.name: trained_row(places.runs / row.name)}, truth)
        _write_page(told.page, beside, command)
    if kept and not todo:
        _write_page(told.page, beside, command)
    if (places.runs / PROPOSED / folder.DONE).is_file():
        others = worlds(places, people=told.world_people, workers=told.workers)
        write_text(told.page.with_name(f"{beside.name}_worlds.md"), worlds_page(places, others, command=command))


def _as_asked(places: Places, kept: dict[str, Row]) -> dict[str, Row]:
    """Those of the kept trainings that were trained as they would be now; the others are named, and left out."""
    found, before = {}, TrainSettings().model_dump(mode="json")
    for row in ABLATIONS:
        if row.name not in kept:
            continue
        now = settings_of(row, asked(places, row), proposed_scans=PAPERS_COUNTS).model_dump(mode="json")
        was = before | kept[row.name].about["settings"]
        if other := [name for name in TOLD if was[name] != now[name]]:
            print(f"{row.name} is kept from a training with another {', '.join(other)}: left out, to be trained anew")
        else:
            found[row.name] = kept[row.name]
    return found


def _write_page(at: Path, beside: Path, command: str) -> None:
    rows, truth = read(beside)
    assert truth is not None, "something is kept"
    write_text(at, page(rows, truth, command=command, kept=f"{beside.name}/{SAID}"))


if __name__ == "__main__":
    sys.exit(main())
