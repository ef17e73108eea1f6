"""The model card of a training run, laid out along TRIPOD+AI and filled in as far as the run knows."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import Any

import jinja2
import pandas as pd

from spineclock.run.tables import markdown
from spineclock.run.training.errors import without_sites

WORDS = {
    "group": "people", "scans": "scans", "people": "persons", "mae_years": "MAE", "mean_error_years": "mean error",
    "corrected_mae_years": "corrected MAE", "r2": "R²", "interval_covers": "interval covers",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Facts:
    """What a card is filled in with."""

    name: str
    statement: str
    recipe: str
    cohort: str
    simulated: bool
    settings: dict[str, Any]
    preparation: dict[str, Any]
    table: pd.DataFrame
    errors: pd.DataFrame
    who: str
    """Whose errors they are: test or validation people."""
    sha256: str
    caution: str
    start: str
    epochs: int
    best_epoch: int


def model_card(facts: Facts) -> str:
    """The card as Markdown; its error table leaves out groups by site, which ``errors.csv`` holds."""
    parts = {name: facts.table[facts.table["set"] == name] for name in ("train", "validation", "test", "unused")}
    counts = pd.DataFrame([_count(name, part) for name, part in parts.items() if len(part)])
    shown = without_sites(facts.errors).rename(columns=WORDS)[list(WORDS.values())]
    how = ", ".join(f"{k} {v}" for k, v in facts.preparation.items() if k != "part")
    text = (resources.files("spineclock.report") / "templates" / "model_card.md.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)
    told = {k: v for k, v in vars(facts).items() if k not in ("table", "errors", "preparation")}
    return environment.from_string(text).render(
        **told,
        counts=markdown(counts),
        errors=markdown(shown),
        preparation=how,
        sites="site" in facts.table and facts.table["site"].nunique() > 1,
    )


def _count(name: str, part: pd.DataFrame) -> dict[str, object]:
    ages = part["age_years"]
    women = (part["sex"] == "F").sum() if "sex" in part else 0
    return {"set": name, "scans": len(part), "persons": part["person_id"].nunique(), "women": int(women),
            "ages": f"{ages.min():.0f} to {ages.max():.0f}", "mean age": float(ages.mean()),
            "SD": float(ages.std()) if len(part) > 1 else float("nan")}  # fmt: skip
