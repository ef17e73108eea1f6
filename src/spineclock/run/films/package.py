"""The network of films that ships: a finished ``make films`` into ``spineclock/weights``, with its card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd

from spineclock.run.outputs import write_text
from spineclock.run.training.errors import shown as figures
from spineclock.run.training.filled_card import filled

FILES = ("network.json", "weights.safetensors", "recalibration.json")
CARD, TEMPLATE = "MODEL_CARD_xray_age.md", "packaged_film_card.md.jinja"


def package(run: Path, evaluations: tuple[Path, Path], weights: Path, *, seed: int) -> None:
    """Copies what prediction needs of a run into the folder of packaged weights, and writes its card.

    ``evaluations``: the folders of the radiographs' and of the VFA images' evaluation; ``seed``: of the people learned
    from.
    """
    into = weights / "xray_age"
    into.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copyfile(run / name, into / name)
    about, told, vfa = (json.loads((run / name).read_text(encoding="utf-8")) for name in
                        ("network.json", "run.json", "recalibration.json"))  # fmt: skip
    learned = pd.read_csv(run / "split.csv")
    learned = learned[learned["set"] == "train"]
    radiographs, densitometer = (_errors(folder) for folder in evaluations)
    low, high = about["ages_years"]
    write_text(weights / CARD, filled(
        TEMPLATE, name=about["name"], canvas=" × ".join(map(str, about["preparation"]["canvas"])),
        youngest=about["head"]["youngest"], oldest=about["head"]["oldest"], sha256=told["weights_sha256"],
        train=len(learned), people=learned["person_id"].nunique(), low=low, high=high, seed=seed,
        validation=told["scans"]["validation"], vfa=vfa["kinds"]["vfa"]["about"]["people"], ended=told["ended"][:10],
        minutes=told["training_minutes"], epochs=told["epochs"], radiographs=radiographs, vfa_errors=densitometer,
        ends=ends(evaluations[0]),
    ))  # fmt: skip


def ends(evaluation: Path) -> str:
    """Between what ages the network's answers lie, where most of them crowd at either end."""
    said = pd.read_csv(evaluation / "predictions.csv")["predicted_age_years"]
    low, high = said.quantile(0.001), said.quantile(0.999)
    crowd = ((said < low + 1) | (said > high - 1)).mean()
    return (
        f"Its answers lie between {low:.0f} and {high:.0f} years, {crowd:.0%} of them within a year of either: whoever "
        "is younger or older is told too near the middle."
    )


def _errors(evaluation: Path) -> str:
    return figures(pd.read_csv(evaluation / "errors.csv"))
