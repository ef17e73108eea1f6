"""What came of a training that learned a disease: predictions by person and by vertebra, figures, card and picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from spineclock.core.errors import TableError
from spineclock.core.volume import Array
from spineclock.ingest.study_table import simulated
from spineclock.nets.diagnosis_folder import SCHEMA
from spineclock.nets.diagnosis_head import DiagnosisHead
from spineclock.run.training.diagnosis_card import diagnosis_card, sentence
from spineclock.run.training.diagnosis_card import shown as figures
from spineclock.run.training.filled_card import filled, told_of
from spineclock.run.training.held import examples
from spineclock.run.training.run import Made, Results, Run
from spineclock.run.training.sets import LABEL
from spineclock.stats.diagnosis.from_levels import FromLevels

if TYPE_CHECKING:
    from spineclock.learn.fit import Fitted

COLUMNS = ("scan_id", "person_id", "age_years", "sex", "site", "scanner", "sequence", "split", "set", LABEL,
           "probability", "called", "threshold", "vertebrae", "model")  # fmt: skip
"""Of predictions.csv, as far as the cohort tells them."""
FEWEST = 2
"""Scans with, and without, the disease among validation people."""


class Called(NamedTuple):
    """A row a scan, and a row a vertebra."""

    people: pd.DataFrame
    vertebrae: pd.DataFrame


def called(
    table: pd.DataFrame, log_odds: Array, levels: tuple[str, ...], calibration: FromLevels, *, model: str
) -> Called:
    """The table's scans with probability and call, and what was said of each of their vertebrae.

    Parameters
    ----------
    table : DataFrame
        A row a scan, with ``set`` and ``label``.
    log_odds : array, shape (scans, levels)
        NaN where a level is not there.
    """
    p, there = calibration.probability(log_odds), np.isfinite(log_odds)
    table = table.assign(**{LABEL: table[LABEL].astype(int)})
    found = table.assign(probability=p, called=p > calibration.threshold, threshold=calibration.threshold,
                         vertebrae=there.sum(axis=1), model=model)  # fmt: skip
    each = calibration.vertebrae(log_odds)
    scan, level = np.nonzero(there)
    kept = [c for c in ("scan_id", "person_id", "set", LABEL) if c in table]
    vertebrae = table[kept].iloc[scan].reset_index(drop=True)
    vertebrae.insert(2, "level", [levels[k] for k in level])
    vertebrae = vertebrae.assign(log_odds=log_odds[scan, level], probability=each[scan, level])
    return Called(found[[c for c in COLUMNS if c in found]], vertebrae)


def results(run: Run, fitted: Fitted, made: Made) -> Results:
    """Probabilities of everyone not learned from, recalibrated and called by validation people alone, and how good.

    Raises
    ------
    TableError
        If fewer than two validation scans are of people with, or without, the disease.
    """
    from spineclock.learn.fit import judged
    from spineclock.report import ink
    from spineclock.report.diagnosis_figures import roc_and_calibration

    head = fitted.head
    assert isinstance(head, DiagnosisHead), "a disease was learned"
    table = run.sets.table[run.sets.table["set"].isin(["validation", "test"])].reset_index(drop=True)
    (held,) = examples(table, store=run.store, memory_gb=run.settings.memory_gb)
    log_odds = judged(fitted.net.to(run.device), head, held).said
    calibration = _calibrated(table, log_odds, run)
    people, vertebrae = called(table, log_odds, head.levels, calibration, model=run.name)
    who = "test" if (people["set"] == "test").any() else "validation"
    card = diagnosis_card(people[people["set"] == who])
    shown = {name: people[people["set"] == name] for name in ("validation", "test") if (people["set"] == name).any()}
    lines = [f"{who}: {sentence(card.iloc[0])}"]
    return Results(
        about=_about(run, head, calibration, people[people["set"] == "validation"]),
        tables={"predictions": people, "vertebrae": vertebrae, "diagnosis": card},
        pictures={"diagnosis": ink.png(roc_and_calibration(shown, disease=head.name))},
        card=filled(
            "diagnosis_card.md.jinja",
            **told_of(run, fitted, made, lambda part: {"with it": int((part[LABEL] > 0.5).sum())}),
            disease=head.name,
            sequence=run.sets.sequence,
            calibration=calibration.as_dict(),
            figures=figures(card),
            who=who,
            caution=calibration.caution,
        ),
        caution=calibration.caution,
        lines=(*lines, *([f"caution: {calibration.caution}"] if calibration.caution else [])),
    )


def require_both(table: pd.DataFrame, disease: str) -> None:
    """Refuses sets of which training or validation people have no two scans with and without the disease.

    Raises
    ------
    TableError
        If so.
    """
    for name in ("train", "validation"):
        ill = table.loc[table["set"] == name, LABEL] > 0.5
        if min(int(ill.sum()), int((~ill).sum())) < FEWEST:
            raise TableError(
                f"{int(ill.sum())} scans with and {int((~ill).sum())} without {disease} for {name}",
                wanted=f"at least {FEWEST} of each",
                remedy="more people with and without it, or another train_share and validation_share",
            )


def _calibrated(table: pd.DataFrame, log_odds: Array, run: Run) -> FromLevels:
    own = (table["set"] == "validation").to_numpy()
    return FromLevels.fit(
        log_odds[own],
        table.loc[own, LABEL] > 0.5,
        table.loc[own, "person_id"],
        pooling=run.settings.pooling,
        sensitivity=run.settings.sensitivity,
    )


def _about(run: Run, head: DiagnosisHead, calibration: FromLevels, validation: pd.DataFrame) -> dict[str, Any]:
    """network.json: what a reader of the weights needs to know."""
    ages = run.sets.of("train")["age_years"].dropna()
    return {
        "schema": SCHEMA, "name": run.name, "statement": run.statement, "network": run.settings.network,
        "simulated": bool(simulated(run.cohort)), "head": head.as_dict(), "preparation": run.preparation,
        "sequence": run.sets.sequence, "ages_years": [float(ages.min()), float(ages.max())] if len(ages) else [],
        "calibration": calibration.as_dict(),
        "validation": validation[["probability", LABEL]].astype(float).round(6).to_numpy().tolist(),
    }  # fmt: skip
