"""Tells how well weights outline SPIDER's people: ``python -m spineclock.run.segmentation_evaluation --help``.

With one weights file every person is outlined by it, which is honest for weights that saw none of them, such as those
of simulated people alone. With a folder of the folds' weights each is outlined by the one that did not see the person.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from spineclock.core.volume import Mask
from spineclock.ingest.datasets import spider
from spineclock.ingest.datasets.spider import SpiderPerson
from spineclock.run.outputs import write_text
from spineclock.run.tables import markdown
from spineclock.run.weights import OUTLINED, dice, fold_of
from spineclock.segment.engine import scorer
from spineclock.segment.instances import SACRUM_CLASS, find
from spineclock.segment.network import Scorer, certain_label_map, class_probabilities


def overlaps(people: Sequence[SpiderPerson], weights: Path, *, threads: int | None = None) -> pd.DataFrame:
    """One row a person: Dice of each structure the experts outlined, and how many discs and vertebrae were counted."""
    fold = fold_of(people)
    scorers: dict[Path, Scorer] = {}
    rows = []
    for person in people:
        path = weights / f"segmenter-{fold[person.person_id]}.safetensors" if weights.is_dir() else weights
        if path not in scorers:
            scorers[path] = scorer(path, threads=threads)
        rows.append({"person_id": person.person_id, "fold": fold[person.person_id], **_row(person, scorers[path])})
        print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def page(table: pd.DataFrame, *, weights: str) -> str:
    """The table as Markdown, its means first."""
    names = list(OUTLINED)
    summary = pd.DataFrame(
        {
            "structure": names,
            "mean": [table[n].mean() for n in names],
            "SD": [table[n].std() for n in names],
            "median": [table[n].median() for n in names],
            "worst": [table[n].min() for n in names],
        }
    )
    same = {n: int((table[f"{n} found"] == table[f"{n} of the experts"]).sum()) for n in ("discs", "vertebrae")}
    return (
        f"# Segmentation of {len(table)} people by {weights}\n\nDice overlap with the expert masks on the scan's own "
        f"grid. Discs counted as on the expert masks in {same['discs']} people, vertebrae in {same['vertebrae']}; a "
        f"sacrum found in {int((table['sacrum_ml'] > 5).sum())}.\n\n"
        f"{markdown(summary, digits=3)}\n\n{markdown(table, digits=3)}\n"
    )


def _row(person: SpiderPerson, score: Scorer) -> dict[str, float]:
    mask, certainty = certain_label_map(*class_probabilities(person.volume, score), person.volume)
    found, truth = find(mask, certainty=certainty), find(person.mask)
    # the experts left out the sacrum: what is called so counts as background, as in their masks
    outlined = Mask(mask.array * (mask.array != SACRUM_CLASS).astype(mask.array.dtype), mask.affine)
    return {
        **dice(outlined, person.mask),
        "discs found": len(found.discs),
        "discs of the experts": len(truth.discs),
        "vertebrae found": len(found.vertebrae),
        "vertebrae of the experts": len(truth.vertebrae),
        "sacrum_ml": float((mask.array == SACRUM_CLASS).sum()) * mask.voxel_mm3 / 1000,
        "confidence": found.confidence,
    }


def main() -> None:
    """Outlines the people and writes the table, as CSV and as a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="a weights file, or a folder of segmenter-0 … -4.safetensors")
    parser.add_argument("--data", type=Path, required=True, help="the SPIDER folder (docs/data.md)")
    parser.add_argument("--out", type=Path, required=True, help="the page; its table goes beside it as .csv")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--people", type=int, default=None, help="only the first so many, for a first look")
    told = parser.parse_args()
    table = overlaps(spider.read(told.data)[: told.people], told.weights, threads=told.threads)
    told.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(told.out.with_suffix(".csv"), index=False)
    write_text(told.out, page(table, weights=told.weights.name))


if __name__ == "__main__":
    main()
