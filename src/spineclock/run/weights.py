"""Makes the packaged weights again from the SPIDER folder: ``python -m spineclock.run.weights --help``."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from spineclock.core.anatomy import CLASSES
from spineclock.core.volume import Mask
from spineclock.ingest.datasets import spider
from spineclock.learn.folds import folds_by_person
from spineclock.learn.segmentation import SegmentationTraining, labelled_slices, train_segmenter
from spineclock.nets.segmenter import Segmenter, torch_scorer
from spineclock.nets.weights import load_into, save
from spineclock.segment.network import class_probabilities, label_map


def dice(found: Mask, truth: Mask) -> dict[str, float]:
    """Dice overlap of each structure on the scan's own grid; 1 where both are empty."""
    scores = {}
    for c, name in enumerate(CLASSES[1:], start=1):
        a, b = found.array == c, truth.array == c
        total = int(a.sum()) + int(b.sum())
        scores[name] = 2 * int((a & b).sum()) / total if total else 1.0
    return scores


def segmenter_fold(
    people: Sequence[spider.SpiderPerson], fold: int | None, work: Path, config: SegmentationTraining
) -> None:
    """Trains on everyone but the fold (on everyone if None), and segments the people held out.

    Weights, out-of-fold masks and ``dice-fold*.json`` are left in ``work``; what exists is not made again.
    """
    held_out = {p for p, f in folds_by_person([p.person_id for p in people], 5).items() if f == fold}
    name = "all" if fold is None else f"fold{fold}"
    weights, table = work / f"segmenter-{name}.safetensors", work / f"dice-{name}.json"
    if not weights.is_file():
        begun = time.monotonic()
        examples = [labelled_slices(p.volume, p.mask) for p in people if p.person_id not in held_out]
        print(f"{name}: {len(examples)} people, {config}", flush=True)
        net = train_segmenter(
            examples,
            config,
            checkpoint=work / f"{name}.ckpt",
            report=lambda step, loss, left: print(f"{name} step {step} loss {loss:.3f} left {left:.0f} s", flush=True),
        )
        save(net, weights, {"minutes": f"{(time.monotonic() - begun) / 60:.1f}", "people": str(len(examples))})
        (work / f"{name}.ckpt").unlink(missing_ok=True)
    net = Segmenter()
    load_into(net, weights)
    scorer = torch_scorer(net)
    rows = json.loads(table.read_text()) if table.is_file() else {}
    for person in people:
        if person.person_id in held_out and person.person_id not in rows:
            found = label_map(*class_probabilities(person.volume, scorer), person.volume)
            nib.save(nib.Nifti1Image(np.asarray(found.array), found.affine), work / f"{person.person_id}_oof.nii.gz")
            rows[person.person_id] = dice(found, person.mask)
            print(name, person.person_id, {k: round(v, 3) for k, v in rows[person.person_id].items()}, flush=True)
            table.write_text(json.dumps(rows, indent=1))


def main() -> None:
    """Trains fold after fold, then on everyone; takes up where it was stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the SPIDER folder (docs/data.md)")
    parser.add_argument("--work", type=Path, default=Path("build/weights"), help="where intermediate results are kept")
    parser.add_argument("--folds", default="0,1,2,3,4,all", help="which trainings to run")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    people = spider.read(arguments.data)
    for word in arguments.folds.split(","):
        segmenter_fold(people, None if word == "all" else int(word), arguments.work, SegmentationTraining())


if __name__ == "__main__":
    main()
