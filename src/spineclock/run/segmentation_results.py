"""The results page of the segmentation network: overlap with expert masks, and how many structures are counted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from spineclock.core.volume import Mask
from spineclock.run.tables import markdown
from spineclock.segment.instances import find

GOALS = {"disc": 0.90, "vertebra": 0.945, "canal": 0.945}
BEFORE = {"disc": 0.892, "vertebra": 0.937, "canal": 0.937}
"""What a first network reached on 13 people it had not seen."""
LEAST = 0.85


def page(scores: pd.DataFrame, *, masks: Mapping[str, Path], series: Path | None) -> str:
    """The page as Markdown, from one row of Dice a person (person_id, fold, disc, vertebra, canal).

    ``series`` is SPIDER's table of series, which holds how many vertebrae and discs each shows.
    """
    names = list(GOALS)
    summary = pd.DataFrame(
        {
            "structure": names,
            "mean": [scores[n].mean() for n in names],
            "SD": [scores[n].std() for n in names],
            "median": [scores[n].median() for n in names],
            "worst": [scores[n].min() for n in names],
            "people under 0.85": [int((scores[n] < LEAST).sum()) for n in names],
            "goal": [GOALS[n] for n in names],
            "first network, 13 people": [BEFORE[n] for n in names],
        }
    )
    counts = None if series is None else _counts(masks, series)
    rows = (scores if counts is None else scores.merge(counts, on="person_id")).drop(columns="fold")
    return (
        "# Segmentation\n\n"
        f"Five folds by person, seed 0, {len(scores)} people: each label map comes from a network that did not train "
        "on the person. Dice overlap with the expert masks on the scan's own grid, bodies and arches together.\n\n"
        "- Command: `make weights DATA=spider` (stages `0` to `4`, `outlines`)\n"
        "- Data: SPIDER, the 28 SPACE slabs with age (640 × 512 × 13–30)\n\n"
        f"{markdown(summary, digits=3)}\n\n"
        f"{_agreement(counts)}## Each person\n\n{markdown(rows, digits=3)}\n"
    )


def _agreement(counts: pd.DataFrame | None) -> str:
    if counts is None:
        return ""
    same = {n: int((counts[f"{n} found"] == counts[f"{n} in series.csv"]).sum()) for n in ("discs", "vertebrae")}
    return (
        f"Counted as in `series.csv`: discs in {same['discs']} of {len(counts)} people, vertebrae (partial ones "
        f"included) in {same['vertebrae']}.\n\n"
    )


def _counts(masks: Mapping[str, Path], series: Path) -> pd.DataFrame:
    known = pd.read_csv(series).set_index("series")
    rows = []
    for person, path in masks.items():
        image = nib.load(path)
        found = find(Mask(np.asanyarray(image.dataobj), image.affine))
        told = known.loc[f"{person}_t2_SPACE"]
        rows.append(
            {
                "person_id": person,
                "discs found": len(found.discs),
                "discs in series.csv": int(str(told["num_discs"])),
                "vertebrae found": len(found.vertebrae),
                "vertebrae in series.csv": int(str(told["num_vertebrae"])),
                "confidence": found.confidence,
            }
        )
    return pd.DataFrame(rows)
