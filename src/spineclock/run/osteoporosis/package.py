"""The networks of recipe three that ship: a finished ``make osteoporosis`` into ``spineclock/weights``, with a card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd

from spineclock.recipes.mri_osteoporosis import JOINED, PACKAGED
from spineclock.run.osteoporosis.people import LEARNED, SEQUENCES, People, Places
from spineclock.run.osteoporosis.trained import said, together
from spineclock.run.outputs import write_json, write_text
from spineclock.run.tables import markdown
from spineclock.run.training.diagnosis_card import diagnosis_card
from spineclock.run.training.errors import without_sites
from spineclock.run.training.filled_card import filled
from spineclock.run.training.fusion import fuse

FILES = ("network.json", "weights.safetensors")
CARD, TEMPLATE = "MODEL_CARD_mri_osteoporosis.md", "packaged_osteoporosis_card.md.jinja"
WORDS = {
    "group": "people", "people": "n", "with": "with", "auroc": "AUROC", "auroc_low": "low", "auroc_high": "high",
    "sensitivity": "sensitivity", "specificity": "specificity", "brier": "Brier score", "mean_probability": "mean told",
}  # fmt: skip


def package(places: Places, tested: tuple[People, ...], weights: Path, *, command: str) -> None:
    """Copies what prediction needs of both runs among the packaged weights, joins them, and writes the card."""
    into = weights / PACKAGED
    joined = places.out / "joined"
    fuse(*(places.run(sequence) for sequence in SEQUENCES), out=joined, overwrite=True)
    for sequence in SEQUENCES:
        (into / sequence).mkdir(parents=True, exist_ok=True)
        for name in FILES:
            shutil.copyfile(places.run(sequence) / name, into / sequence / name)
    told = json.loads((joined / JOINED).read_text(encoding="utf-8"))
    write_json(into / JOINED, {**told, "command": command})  # the folders of one machine tell others nothing
    runs = {s: json.loads((places.run(s) / "run.json").read_text(encoding="utf-8")) for s in SEQUENCES}
    about = json.loads((into / SEQUENCES[0] / "network.json").read_text(encoding="utf-8"))
    low, high = about["ages_years"]
    write_text(weights / CARD, filled(
        TEMPLATE, runs=runs, low=low, high=high, seed=LEARNED.seed, world=LEARNED.world, command=command,
        tested=[(people, _errors(places, people)) for people in tested],
    ))  # fmt: skip


def _errors(places: Places, people: People) -> list[tuple[str, str]]:
    """A table by age and sex for each weighting, and for both together."""
    found = {s: said(places, places.run(s), people, s, places.evaluation(people, s)) for s in SEQUENCES}
    tables = {**found, " and ".join(SEQUENCES): together(places, people)}
    return [(name, _table(diagnosis_card(table))) for name, table in tables.items()]


def _table(card: pd.DataFrame) -> str:
    return markdown(without_sites(card).rename(columns=WORDS)[list(WORDS.values())], digits=2)
