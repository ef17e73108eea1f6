"""Spine age learned from simulated people at the paper's counts: ``python -m spineclock.run.ablation.phantom --help``.

People → who is typical, from their reports → scans on a training grid → store → the ablations → two worlds the network
has not seen → a page. Each stage is resumed where it stopped and kept where it is done.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spineclock.core.errors import SpineclockError
from spineclock.ingest.cohort import read_cohort
from spineclock.learn.split import Split
from spineclock.run.ablation.command import ablate
from spineclock.run.ablation.rows import ABLATIONS, PROPOSED, chosen
from spineclock.run.ablation.studied import section, studied
from spineclock.run.ablation.table import true_ages
from spineclock.run.outputs import write_text
from spineclock.run.phantom_settings import PhantomMriSettings
from spineclock.run.settings import NormalsSettings, PrepareSettings
from spineclock.run.stages import plainly
from spineclock.run.tables import markdown
from spineclock.run.training import folder
from spineclock.run.training.evaluation import evaluate
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
EPOCHS, EPOCHS_OF_FEW = 14, 60
"""The most, for trainings on all scans and for those on a tenth or a hundredth of them."""
SCHEDULE: dict[str, Any] = {
    "batch_size": 8,
    "learning_rate": 5e-4,
    "plateau_patience": 1,
    "plateau_factor": 0.4,
    "stop_patience": 6,
}
"""Tried out on 850 scans for a few epochs: 8 at a time learn faster than the paper's 2, at the same price a scan."""
OF_FEW: dict[str, Any] = {"plateau_patience": 5, "stop_patience": 15}
"""What differs on a tenth or a hundredth of the scans: an epoch is short and its validation loss wanders, so that a
patience of 1 brought the rate down to nothing within 15 epochs. 5 is the paper's."""


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
    def normals(self) -> Path:
        """Who is age-typical."""
        return self.out / "normals" / "normals.csv"

    @property
    def store(self) -> Path:
        """The prepared scans."""
        return self.out / "store"

    @property
    def study(self) -> Path:
        """The study of the people of the default world."""
        return self.out / "default-study"

    @property
    def runs(self) -> Path:
        """The trainings."""
        return self.out / "ablations"


def made(places: Places, *, people: int, workers: int) -> None:
    """Scans, split, typical people and store, as far as they are not there."""
    _scans(places.cohort, people, seed=SEED, world="default", workers=workers)
    if not places.split.is_file():
        table = read_cohort(places.cohort).table
        table["split"] = Split()(table, rng=np.random.default_rng(0))
        table[["person_id", "scan_id", "age_years", "sex", "split"]].to_csv(places.split, index=False)
    if not places.normals.is_file():
        from spineclock.run.normals import normals

        normals(places.cohort / "findings.csv", NormalsSettings(workers=workers), cohort=places.split,
                out=places.normals.parent)  # fmt: skip
    _store(places.cohort, places.store, workers=workers)


def _scans(out: Path, people: int, *, seed: int, world: str, workers: int) -> None:
    from spineclock.run.phantom_mri import make_scans

    if _told(out / "phantom.json").get("finished"):
        return
    settings = PhantomMriSettings(
        seed=seed,
        world=world,
        grid=GRID,
        slab_mm=SLAB_MM,
        workers=workers,
        resume=(out / "phantom.json").exists(),
    )
    if make_scans(people, settings, out=out):
        raise SpineclockError(f"some scans in {out} could not be made", remedy="see failures.csv, and call again")


def _store(cohort: Path, out: Path, *, workers: int) -> None:
    from spineclock.run.prepare import prepare_cohort

    done = out / "done"
    if done.exists():
        return
    settings = PrepareSettings(**PREPARED, workers=workers, resume=True)
    if prepare_cohort(cohort, settings, out=out):
        raise SpineclockError(
            f"some scans of {cohort} could not be prepared", remedy="see failures.csv, and call again"
        )
    done.touch()


def _told(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return told


def worlds(places: Places, *, people: int, workers: int) -> pd.DataFrame:
    """The proposed network on people of other worlds: error, R², and correlation of predicted with true gap."""
    found = []
    for world, seed in WORLDS.items():
        cohort, store, out = (places.out / f"{world}-{kind}" for kind in ("mri", "store", "evaluation"))
        _scans(cohort, people, seed=seed, world=world, workers=workers)
        _store(cohort, store, workers=workers)
        if not (out / "evaluation.md").is_file():
            evaluate(places.runs / PROPOSED, cohort, EvaluateSettings(store=store), out=out)
        _, said = _evaluated(places, world)
        found.append(_world(world, said, _spine_ages(cohort, said)))
    cohort, out = (places.out / f"default-{kind}" for kind in ("mri", "evaluation"))
    studied(cohort, out / "predictions.csv", places.study, workers=workers)
    return pd.DataFrame(found)


def _evaluated(places: Places, world: str) -> tuple[Path, pd.DataFrame]:
    """A world's people, and what the proposed network says of each of their scans."""
    said = pd.read_csv(places.out / f"{world}-evaluation" / "predictions.csv", dtype={"scan_id": str})
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


def page(places: Places, others: pd.DataFrame, *, command: str) -> str:
    """The ablations' page with the other worlds after it."""
    text = (places.runs / "ablations.md").read_text(encoding="utf-8")
    opening, _, rest = text.partition("\n## ")
    done = [row.name for row in ABLATIONS if (places.runs / row.name / folder.DONE).is_file()]
    split = pd.read_csv(places.runs / done[0] / "split.csv")
    rest = re.sub(r"`phantom\.py [^`]*`", "`make ablations`", rest)  # the folders of one machine tell others nothing
    lacking = [f"`{row.name}`" for row in ABLATIONS if row.name not in done]
    made_by = (
        f"- Command: `{command}`\n"
        f"- Data: simulated people, seed {SEED}, scans of {PREPARED['shape'].replace(',', ' × ')} samples "
        f"({PREPARED['spacing_mm'].replace(',', ' × ')} mm) round the spine's middle; typical "
        f"people found from their reports. {(split['set'] == 'test').sum():,} scans of test people.\n"
        f"- Trainings: batch {SCHEDULE['batch_size']}, rate {SCHEDULE['learning_rate']:g}, times "
        f"{SCHEDULE['plateau_factor']:g} after more than {SCHEDULE['plateau_patience']} epoch without a better "
        f"validation loss, end after {SCHEDULE['stop_patience']}, at most {EPOCHS}; of few scans after "
        f"{OF_FEW['plateau_patience']}, {OF_FEW['stop_patience']} and {EPOCHS_OF_FEW}; bfloat16.\n"
        + (f"- Not yet trained: {', '.join(lacking)}.\n" if lacking else "")
        + "- The paper's scans are real and ours are not: its rows stand beside ours to compare patterns, not sizes.\n"
    )
    more = ""
    if len(others):
        more = (
            "\n## The proposed model on people of other seeds and worlds\n\n"
            f"{markdown(others, digits=3)}\n\nIn `ageing_off` pictures do not depend on age: whatever R² above 0 a "
            "network had there, it would owe to a leak.\n\n"
        )
        cohort, said = _evaluated(places, "default")
        more += section(places.study, said, _spine_ages(cohort, said))
    return f"{opening.rstrip()}\n\n{made_by}\n## {rest}{more}"


def main() -> int:
    """Makes what is not there, trains what is not trained, and writes the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m spineclock.run.ablation.phantom --out build/ages --only proposed,scans_85",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("build/ages"), help="where everything goes: about 12 GB")
    parser.add_argument("--page", type=Path, default=Path("docs/results/ablations.md"))
    parser.add_argument("--only", help="some of the ablations, with commas; all where not given")
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--world-people", type=int, default=WORLD_PEOPLE)
    parser.add_argument("--workers", type=int, default=2)
    told = parser.parse_args()
    return plainly(lambda: _all(told))


def _all(told: argparse.Namespace) -> None:
    places = Places(told.out)
    made(places, people=told.people, workers=told.workers)
    train, validation = PAPERS_COUNTS
    for few in (False, True):
        todo = [row.name for row in chosen(told.only) if ("train_scans" in row.changes) == few]
        settings = TrainSettings(store=places.store, normals=places.normals, split=places.split, train_scans=train,
                                 validation_scans=validation, max_epochs=EPOCHS_OF_FEW if few else EPOCHS,
                                 **{**SCHEDULE, **(OF_FEW if few else {})})  # fmt: skip
        if todo:
            ablate(places.cohort, settings, out=places.runs, only=",".join(todo))
    there = (places.runs / PROPOSED / folder.DONE).is_file()
    others = worlds(places, people=told.world_people, workers=told.workers) if there else pd.DataFrame()
    told.page.parent.mkdir(parents=True, exist_ok=True)
    write_text(told.page, page(places, others, command="python -m spineclock.run.ablation.phantom"))


if __name__ == "__main__":
    sys.exit(main())
