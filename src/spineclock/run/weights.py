"""Makes the packaged weights and their results pages again from SPIDER: ``python -m spineclock.run.weights --help``."""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

from spineclock.core.volume import Mask
from spineclock.ingest.datasets import spider
from spineclock.ingest.datasets.spider import SpiderPerson
from spineclock.learn.folds import folds_by_person
from spineclock.learn.segmentation import train_segmenter
from spineclock.learn.segmentation_crops import SegmentationTraining
from spineclock.learn.segmentation_examples import labelled_slices
from spineclock.nets.segmenter import read_segmenter
from spineclock.nets.weights import save, sha256
from spineclock.recipes.mri_age import AGE_MODEL, SEGMENTER, NetworkFeatures
from spineclock.run import age_results, segmentation_results
from spineclock.run.age_model import age_model, measured_people
from spineclock.run.model_card import fill
from spineclock.run.outputs import write_text
from spineclock.segment.engine import scorer
from spineclock.segment.network import class_probabilities, label_map
from spineclock.stats.measured_age import MeasuredAge

FOLDS = 5
OUTLINED = ("disc", "vertebra", "canal")
"""What the experts outlined: classes 1, 2, 3. The sacrum they left out."""
CARD = "MODEL_CARD_mri_age.md"
STAGES = (*map(str, range(FOLDS)), "all", "outlines", "age", "package")
"""Training without each fold, training on everyone, out-of-fold label maps, the age model, and putting it in place."""


def dice(found: Mask, truth: Mask) -> dict[str, float]:
    """Dice overlap of each structure the experts outlined, on the scan's own grid; 1 where both are empty."""
    scores = {}
    for c, name in enumerate(OUTLINED, start=1):
        a, b = found.array == c, truth.array == c
        total = int(a.sum()) + int(b.sum())
        scores[name] = 2 * int((a & b).sum()) / total if total else 1.0
    return scores


def fold_of(people: Sequence[SpiderPerson]) -> dict[str, int]:
    """The fold in which each person is held out."""
    return folds_by_person([p.person_id for p in people], FOLDS)


def train_fold(
    people: Sequence[SpiderPerson], stage: str, work: Path, config: SegmentationTraining, *, first: Path | None = None
) -> None:
    """Trains on everyone but the fold (on everyone if ``all``); a checkpoint in ``work`` is taken up.

    ``first`` is a folder of the same networks after the first cycle.
    """
    weights = work / f"segmenter-{stage}.safetensors"
    if weights.is_file():
        return
    held_out = {p for p, fold in fold_of(people).items() if str(fold) == stage}
    begun = time.monotonic()
    examples = [labelled_slices(p.volume, p.mask) for p in people if p.person_id not in held_out]

    def report(where: str, loss: float, left_s: float) -> None:
        print(f"segmenter {stage}: {where}, loss {loss:.3f}, {left_s / 60:.0f} min left", flush=True)

    start = None if first is None else read_segmenter(first / weights.name)
    net = train_segmenter(examples, config, first_cycle=start, checkpoint=work / f"{stage}.ckpt", report=report)
    about = {
        "people": str(len(examples)),
        "minutes": f"{(time.monotonic() - begun) / 60:.0f}",
        "seed": str(config.seed),
    }
    save(net, weights, about)
    for checkpoint in work.glob(f"{stage}-*.ckpt"):
        checkpoint.unlink()


def outline_out_of_fold(people: Sequence[SpiderPerson], work: Path) -> pd.DataFrame:
    """Each person's label map from the network that did not train on the person, saved; and its Dice, one row each."""
    rows = []
    fold = fold_of(people)
    for number in range(FOLDS):
        score = scorer(work / f"segmenter-{number}.safetensors")
        for person in (p for p in people if fold[p.person_id] == number):
            found = label_map(*class_probabilities(person.volume, score), person.volume)
            nib.save(nib.Nifti1Image(np.asarray(found.array), found.affine), _outline(work, person))
            rows.append({"person_id": person.person_id, "fold": number, **dice(found, person.mask)})
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    table.to_csv(work / "dice.csv", index=False)
    return table


def fit_age(people: Sequence[SpiderPerson], work: Path, about: dict[str, Any], *, network: bool) -> None:
    """The age model on measurements of the out-of-fold label maps of the people whose age is known."""
    people = [p for p in people if np.isfinite(p.age_years)]
    masks = [Mask(np.asanyarray(nib.load(_outline(work, p)).dataobj), p.volume.affine) for p in people]
    features = NetworkFeatures.packaged() if network else None
    table = measured_people(people, masks, features)
    table.to_csv(work / "measured.csv", index=False)
    model = age_model(table, about=about)
    write_text(work / AGE_MODEL, json.dumps(model.as_dict(), indent=1) + "\n")


def package(people: Sequence[SpiderPerson], work: Path, *, into: Path, results: Path, series: Path) -> None:
    """Puts weights, the selftest's record and the results pages in their places."""
    from spineclock.run.selftest import GOLDEN, outcome, reading

    into.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(work / "segmenter-all.safetensors", into / SEGMENTER)
    shutil.copyfile(work / AGE_MODEL, into / AGE_MODEL)
    write_text(into / GOLDEN, json.dumps(outcome(reading()), indent=1) + "\n")
    results.mkdir(parents=True, exist_ok=True)
    scores = pd.read_csv(work / "dice.csv", dtype={"person_id": str})
    masks = {p.person_id: _outline(work, p) for p in people}
    write_text(
        results / "segmentation.md",
        segmentation_results.page(scores, masks=masks, series=series if series.is_file() else None),
    )
    measured = pd.read_csv(work / "measured.csv", dtype={"person_id": str})
    hashes = {name: sha256(into / name) for name in (SEGMENTER, AGE_MODEL)}
    known = [p for p in people if p.person_id in set(measured["person_id"])]
    write_text(results / "age.md", age_results.page(known, measured, hashes=hashes))
    model = MeasuredAge.from_dict(json.loads((into / AGE_MODEL).read_text(encoding="utf-8")))
    write_text(into / CARD, fill(into / CARD, model, [p.sex for p in known]))


def _outline(work: Path, person: SpiderPerson) -> Path:
    return work / f"{person.person_id}_oof.nii.gz"


def main() -> None:
    """Runs stage after stage; takes up where it was stopped."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: python -m spineclock.run.weights --data spider --work build/weights"
    )
    parser.add_argument("--data", type=Path, required=True, help="the SPIDER folder (docs/data.md)")
    parser.add_argument("--work", type=Path, default=Path("build/weights"), help="where intermediate results are kept")
    parser.add_argument(
        "--first-cycle", type=Path, metavar="FOLDER", help="networks of an earlier training, to go on from"
    )
    parser.add_argument("--network", action="store_true",
                        help="an age of the packaged network's features beside the measurements")  # fmt: skip
    parser.add_argument("--stages", default=",".join(STAGES), help="which to run, of %(default)s")
    parser.add_argument("--into", type=Path, default=Path("src/spineclock/weights"), help="where packaged weights go")
    parser.add_argument("--results", type=Path, default=Path("docs/results"), help="where the results pages go")
    told = parser.parse_args()
    stages = told.stages.split(",")
    if unknown := set(stages) - set(STAGES):
        parser.error(f"no stage is called {', '.join(sorted(unknown))}; wanted: {', '.join(STAGES)}")
    told.work.mkdir(parents=True, exist_ok=True)
    people = spider.read(told.data)
    config = SegmentationTraining()
    for stage in stages:
        if stage == "outlines":
            outline_out_of_fold(people, told.work)
        elif stage == "age":
            fit_age(people, told.work, {"data": "SPIDER, SPACE part", "people": len(people), "seed": config.seed},
                    network=told.network)  # fmt: skip
        elif stage == "package":
            package(people, told.work, into=told.into, results=told.results, series=told.data / "series.csv")
        else:
            train_fold(people, stage, told.work, config, first=told.first_cycle)


if __name__ == "__main__":
    main()
