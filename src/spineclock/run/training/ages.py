"""What came of a training that learned ages: predictions, errors, card and picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from spineclock.ingest.study_table import simulated
from spineclock.nets.run_folder import SCHEMA
from spineclock.run.training.answers import Answers, answers, corrected_by
from spineclock.run.training.errors import TYPICAL, error_card
from spineclock.run.training.errors import shown as figures
from spineclock.run.training.filled_card import filled, told_of
from spineclock.run.training.held import examples
from spineclock.run.training.run import Made, Results, Run

if TYPE_CHECKING:
    from spineclock.learn.fit import Fitted


def results(run: Run, fitted: Fitted, made: Made) -> Results:
    """Predictions of everyone not learned from, corrected by validation people alone, and how far off they are."""
    from spineclock.report import ink
    from spineclock.report.training_figures import predicted

    validation, (said, caution) = _answers(run, fitted)
    who = "test" if (said["set"] == "test").any() else "validation"
    errors = error_card(said[said["set"] == who])
    shown = {name: said[said["set"] == name] for name in ("validation", "test") if (said["set"] == name).any()}
    return Results(
        about=_about(run, fitted, validation),
        tables={"predictions": said, "errors": errors},
        pictures={"ages": ink.png(predicted(shown))},
        card=filled(
            "model_card.md.jinja",
            **told_of(run, fitted, made, _spread),
            errors=figures(errors),
            who=who,
            caution=caution,
            sites="site" in run.sets.table and run.sets.table["site"].nunique() > 1,
        ),
        caution=caution,
        lines=_lines(errors, who, caution),
    )


def _spread(part: pd.DataFrame) -> dict[str, object]:
    """The ages of some people."""
    ages = part["age_years"]
    return {"mean age": float(ages.mean()), "SD": float(ages.std()) if len(part) > 1 else float("nan")}


def _answers(run: Run, fitted: Fitted) -> tuple[list[list[float]], Answers]:
    """What the network says of everyone it did not learn from; and, of validation people, predicted and true ages."""
    from spineclock.learn.fit import judged

    table = run.sets.table[run.sets.table["set"].isin(["validation", "test"])].reset_index(drop=True)
    (held,) = examples(table, store=run.store, memory_gb=run.settings.memory_gb)
    said = judged(fitted.net.to(run.device), fitted.head, held, part=run.settings.part)
    every = corrected_by(said, table["age_years"])
    validation = [row for row, of in zip(every, table["set"], strict=True) if of == "validation"]
    found = answers(table, said, lambda kind: validation, coverage=run.settings.interval_coverage, model=run.name)
    return validation, found


def _about(run: Run, fitted: Fitted, validation: list[list[float]]) -> dict[str, Any]:
    """network.json: what a reader of the weights needs to know."""
    learned = run.sets.of("train")["age_years"]
    return {
        "schema": SCHEMA, "name": run.name, "statement": run.statement, "network": run.settings.network,
        "pool": run.settings.pool, "band": run.settings.band, "simulated": bool(simulated(run.cohort)),
        "head": fitted.head.as_dict(), "preparation": run.preparation,
        "ages_years": [float(learned.min()), float(learned.max())], "validation": validation,
        **({"films": sorted(set(run.sets.of("train")["film"]))} if "film" in run.sets.table else {}),
    }  # fmt: skip


def _lines(errors: pd.DataFrame, who: str, caution: str) -> tuple[str, ...]:
    lines = [
        f"{who}, {row['group']}: {row['scans']:,} scans, MAE {row['mae_years']:.2f} years "
        f"({row['corrected_mae_years']:.2f} corrected), R² {row['r2']:.3f}"
        for _, row in errors[errors["group"].isin(["everyone", TYPICAL])].iterrows()
    ]
    return (*lines, *([f"caution: no correction and no interval: {caution}"] if caution else []))
