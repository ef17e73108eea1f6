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
from spineclock.run.training import folder
from spineclock.run.training.diagnosis_card import shown
from spineclock.run.training.errors import groups
from spineclock.run.training.evaluation import PAGE
from spineclock.run.training.filled_card import filled
from spineclock.run.training.risk_card import risk_column
from spineclock.stats.survival.c_index import CIndex
from spineclock.stats.survival.follow_up import TimeTo
from spineclock.stats.survival.predicted_risk import RiskCalibration

FILES = ("network.json", "weights.safetensors")
CARD, TEMPLATE = "MODEL_CARD_ct_fracture.md", "packaged_fracture_card.md.jinja"
OUTCOME = TimeTo(FRACTURE.event, FRACTURE.years, FRACTURE.competing)


def package(places: Places, weights: Path, *, command: str) -> None:
    """Copies what prediction needs of both networks of both tasks among the packaged weights, and writes the card.

    Raises
    ------
    UsageError
        If a network is not trained, or not evaluated.
    """
    variants = {inputs: Variant(MATTERS, inputs, "both") for inputs in INPUTS}
    some = [people for people in TESTED if people.learned == MATTERS]
    wanted = [places.run(v) / folder.DONE for v in variants.values()]
    wanted += [places.evaluation(people, v) / PAGE for people in some for v in variants.values()]
    if lacking := [path for path in wanted if not path.is_file()]:
        raise UsageError(f"{lacking[0].parent.name} is not done", remedy="call again without --package first")
    runs = {called(v): json.loads((places.run(v) / folder.DONE).read_text(encoding="utf-8")) for v in variants.values()}
    about = json.loads((places.run(variants["bone"]) / "network.json").read_text(encoding="utf-8"))
    (learned,) = (people for people in LEARNED if people.world == MATTERS)
    tested = [(people, [(called(v), *_errors(places.evaluation(people, v))) for v in variants.values()])
              for people in some]  # fmt: skip
    card = filled(TEMPLATE, runs=runs, ages=about["ages_years"], least=LEAST_AGE, learned=learned, command=command,
                  tested=tested)  # fmt: skip
    for inputs, variant in variants.items():
        (weights / PACKAGED / inputs).mkdir(parents=True, exist_ok=True)
        for name in FILES:
            shutil.copyfile(places.run(variant) / name, weights / PACKAGED / inputs / name)
    write_text(weights / CARD, card)


def _errors(evaluation: Path) -> tuple[str, str]:
    """Tables by age and sex: of fractures that are there, and of those to come."""
    people = pd.read_csv(evaluation / "predictions.csv")
    return shown(pd.read_csv(evaluation / "detection.csv")), markdown(risk_by_group(people), digits=3)


def risk_by_group(people: pd.DataFrame) -> pd.DataFrame:
    """How good a risk is: a row a group (everyone, ten years, a sex, both), without figures where there are too few.

    ``people``: as an evaluation's predictions.csv.
    """
    horizon, last = FRACTURE.horizon_years, risk_column(FRACTURE.horizon_years)
    c = CIndex(OUTCOME, [last], ["harrell"], horizon=horizon)
    incidence = RiskCalibration(OUTCOME, {"network": {horizon: last}}, groups=1)
    rows = []
    for name, part in groups(people):
        if "site " in name:
            continue
        had = (part[FRACTURE.event] == True) & (part[FRACTURE.years] <= horizon)  # noqa: E712
        rows.append({"people": name, "scans": len(part), "fractures within 5 years": int(had.sum()),
                     "c": _told(c, part), "mean risk": float(part[last].mean()), "observed": _told(incidence, part),
        })  # fmt: skip
    return pd.DataFrame(rows)


def _told(figure: CIndex | RiskCalibration, part: pd.DataFrame) -> str:
    try:
        row = next(figure(part).tail(1).itertuples())
    except (TableError, UsageError):  # too few people or events
        return "—"
    return "—" if row.warning else interval(row, digits=2)
