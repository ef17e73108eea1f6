"""The networks of recipe four that ship: a finished ``make fractures`` into ``spineclock/weights``, with a card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd

from spineclock.core.errors import TableError, UsageError
from spineclock.recipes.ct_fracture import FRACTURE, INPUTS, PACKAGED
from spineclock.run.fractures.compared import called
from spineclock.run.fractures.people import LEARNED, LEAST_AGE, MATTERS, TESTED, Places, Variant
from spineclock.run.outputs import write_text
from spineclock.run.study.words import interval
from spineclock.run.tables import markdown
from spineclock.run.training.diagnosis_card import shown
from spineclock.run.training.errors import groups
from spineclock.run.training.filled_card import filled
from spineclock.run.training.risk_card import risk_column
from spineclock.stats.survival.c_index import CIndex
from spineclock.stats.survival.follow_up import TimeTo
from spineclock.stats.survival.predicted_risk import RiskCalibration

FILES = ("network.json", "weights.safetensors")
CARD, TEMPLATE = "MODEL_CARD_ct_fracture.md", "packaged_fracture_card.md.jinja"
OUTCOME = TimeTo(FRACTURE.event, FRACTURE.years, FRACTURE.competing)


def package(places: Places, weights: Path, *, command: str) -> None:
    """Copies what prediction needs of both networks of both tasks among the packaged weights, and writes the card."""
    variants = {inputs: Variant(MATTERS, inputs, "both") for inputs in INPUTS}
    for inputs, variant in variants.items():
        (weights / PACKAGED / inputs).mkdir(parents=True, exist_ok=True)
        for name in FILES:
            shutil.copyfile(places.run(variant) / name, weights / PACKAGED / inputs / name)
    runs = {called(v): json.loads((places.run(v) / "run.json").read_text(encoding="utf-8")) for v in variants.values()}
    about = json.loads((places.run(variants["bone"]) / "network.json").read_text(encoding="utf-8"))
    (learned,) = (people for people in LEARNED if people.world == MATTERS)
    tested = [(people, [(called(v), *_errors(places.evaluation(people, v))) for v in variants.values()])
              for people in TESTED if people.learned == MATTERS]  # fmt: skip
    write_text(weights / CARD, filled(
        TEMPLATE, runs=runs, ages=about["ages_years"], least=LEAST_AGE, learned=learned, command=command, tested=tested,
    ))  # fmt: skip


def _errors(evaluation: Path) -> tuple[str, str]:
    """Tables by age and sex: of fractures that are there, and of those to come."""
    people = pd.read_csv(evaluation / "predictions.csv")
    return shown(pd.read_csv(evaluation / "detection.csv")), markdown(risk_by_group(people), digits=3)


def risk_by_group(people: pd.DataFrame) -> pd.DataFrame:
    """How good a risk is: a row a group (everyone, ten years, a sex, both), without figures where there are too few.

    ``people``: as an evaluation's predictions.csv.
    """
    last = risk_column(FRACTURE.horizon_years)
    rows = []
    for name, part in groups(people):
        if "site " in name:
            continue
        had = (part[FRACTURE.event] == True) & (part[FRACTURE.years] <= FRACTURE.horizon_years)  # noqa: E712
        rows.append({"people": name, "scans": len(part), "fractures within 5 years": int(had.sum()),
                     "c": _told(CIndex(OUTCOME, [last], ["harrell"]), part), "mean risk": float(part[last].mean()),
                     "observed": _told(RiskCalibration(OUTCOME, {"network": {FRACTURE.horizon_years: last}}, groups=1),
                                       part)})  # fmt: skip
    return pd.DataFrame(rows)


def _told(figure: CIndex | RiskCalibration, part: pd.DataFrame) -> str:
    try:
        return interval(next(figure(part).tail(1).itertuples()), digits=2)
    except (TableError, UsageError):  # too few people or events
        return "—"
