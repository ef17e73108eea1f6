"""What the model card of every training run tells, and the filling in of a card's template."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any

import jinja2
import pandas as pd

from spineclock.ingest.study_table import simulated
from spineclock.run.outputs import plain
from spineclock.run.tables import markdown
from spineclock.run.training.run import Made, Run
from spineclock.run.training.settings import TrainSettings

if TYPE_CHECKING:
    from spineclock.learn.fit import Fitted

SETS = ("train", "validation", "test", "unused")


def filled(template: str, **told: object) -> str:
    """A card of ``report/templates`` with what it asks for; one word it asks for and is not told is an error."""
    text = (resources.files("spineclock.report") / "templates" / template).read_text(encoding="utf-8")
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)
    return environment.from_string(text).render(**told)


def told_of(
    run: Run, fitted: Fitted, made: Made, counted: Callable[[pd.DataFrame], Mapping[str, object]]
) -> dict[str, Any]:
    """What each card tells of its run; ``counted`` are more columns of the table of who was learned from and tested."""
    parts = {name: run.sets.table[run.sets.table["set"] == name] for name in SETS}
    counts = pd.DataFrame([{**_people(name, part), **counted(part)} for name, part in parts.items() if len(part)])
    prepared = {k: v for k, v in plain(run.preparation).items() if k != "part"}
    return {
        "name": run.name, "statement": run.statement, "recipe": run.recipe, "cohort": run.cohort.name,
        "simulated": bool(simulated(run.cohort)), "settings": run.settings.model_dump(mode="json"),
        "preparation": ", ".join(f"{k} {' '.join(map(str, v)) if isinstance(v, list) else v}"
                                 for k, v in prepared.items()),
        "counts": markdown(counts), "sha256": made.sha256, "start": made.start, "epochs": len(fitted.epochs),
        "best_epoch": fitted.best_epoch + 1, "schedule": _schedule(run.settings),
    }  # fmt: skip


def _schedule(settings: TrainSettings) -> str:
    """How the learning rate falls and when training ends."""
    if settings.rate_falls == "linear":
        return f"rate falling in a straight line to 0 over {settings.max_epochs} epochs"
    return (f"rate × {settings.plateau_factor} after {settings.plateau_patience} epochs without a better validation "
            f"loss, end after {settings.stop_patience}")  # fmt: skip


def _people(name: str, part: pd.DataFrame) -> dict[str, object]:
    ages = part["age_years"]
    women = (part["sex"] == "F").sum() if "sex" in part else 0
    span = "not known" if ages.isna().all() else f"{ages.min():.0f} to {ages.max():.0f}"
    return {"set": name, "scans": len(part), "persons": part["person_id"].nunique(), "women": int(women), "ages": span}
