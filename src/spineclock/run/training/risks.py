"""What came of a training that learned follow-up: who has it, who will, how sure that is, and how good."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from spineclock.core.errors import TableError
from spineclock.core.outcomes import TimeToEvent
from spineclock.core.volume import Array
from spineclock.ingest.study_table import simulated
from spineclock.nets.multitask import MultitaskHead
from spineclock.nets.risk_folder import SCHEMA, log_odds, risks
from spineclock.run.training import diagnosis_card, risk_card
from spineclock.run.training.filled_card import filled, told_of
from spineclock.run.training.held import examples
from spineclock.run.training.risk_targets import SHOWN, places_of
from spineclock.run.training.run import Made, Results, Run
from spineclock.run.training.sets import ENDING, LABEL, YEARS
from spineclock.stats.diagnosis.from_levels import FromLevels
from spineclock.stats.survival.risk_band import RiskBand

if TYPE_CHECKING:
    from torch import Tensor

    from spineclock.learn.fit import Fitted

FIRST = ("scan_id", "person_id", "age_years", "sex", "site", "scanner", SHOWN, "split", "set")
"""Of predictions.csv, as far as the cohort tells them; then what is known of the person, and what is said."""


class Said(NamedTuple):
    """A row a scan, and a row a vertebra where each is judged by itself."""

    people: pd.DataFrame
    vertebrae: pd.DataFrame | None


class Fits(NamedTuple):
    """What is fitted on validation people alone, None where it is not learned or could not be, and why."""

    detection: FromLevels | None
    band: RiskBand | None
    caution: str


def results(run: Run, fitted: Fitted, made: Made) -> Results:
    """Probabilities and risks of everyone not learned from, recalibrated by validation people alone, and how good.

    Raises
    ------
    TableError
        If nobody among the training people has the event, where Cox's baseline is asked for.
    """
    outcome, fitted = _outcome(run), replace(fitted, head=_with_baseline(run, fitted))
    table = run.sets.table[run.sets.table["set"].isin(["validation", "test"])].reset_index(drop=True)
    raw = _raw(run, fitted, table)
    fits = fits_of(table, raw, _head(fitted), outcome, run)
    said = said_of(table, raw, _head(fitted), fits, outcome, model=run.name)
    who = "test" if (said.people["set"] == "test").any() else "validation"
    judged = figures_of(said.people[said.people["set"] == who], outcome)
    caution = "; ".join(one for one in (fits.caution, judged.caution) if one)
    shown = {n: said.people[said.people["set"] == n] for n in ("validation", "test") if (said.people["set"] == n).any()}
    return Results(
        about=_about(run, fitted, outcome, fits),
        tables={"predictions": said.people, **judged.tables,
                **({} if said.vertebrae is None else {"vertebrae": said.vertebrae})},
        pictures=pictures_of(shown, judged, outcome, fits.band),
        card=filled(
            "risk_card.md.jinja", **told_of(run, fitted, made, _events), outcome=outcome, head=fitted.head.as_dict(),
            detection=fits.detection, band=fits.band, who=who, caution=caution,
            detected=None if judged.detection is None else diagnosis_card.shown(judged.detection),
            followed=None if judged.risks is None else risk_card.shown(judged.risks),
        ),
        caution=caution,
        lines=(*(f"{who}: {line}" for line in judged.lines), *([f"caution: {caution}"] if caution else [])),
    )  # fmt: skip


def _events(part: pd.DataFrame) -> dict[str, object]:
    """How many have it at the scan, later, and die before."""
    return {"with it now": int((part[LABEL] > 0.5).sum()), "with it later": int((part[ENDING] == 1).sum()),
            "died first": int((part[ENDING] == 2).sum())}  # fmt: skip


def _outcome(run: Run) -> TimeToEvent:
    assert isinstance(run.outcome, TimeToEvent), "follow-up was learned"
    return run.outcome


def _head(fitted: Fitted) -> MultitaskHead:
    assert isinstance(fitted.head, MultitaskHead), "follow-up was learned"
    return fitted.head


def _raw(run: Run, fitted: Fitted, table: pd.DataFrame) -> Tensor:
    from spineclock.learn.fit import answered

    (held,) = examples(table, store=run.store, memory_gb=run.settings.memory_gb)
    return answered(fitted.net.to(run.device), held, part=run.part).cpu()


def _with_baseline(run: Run, fitted: Fitted) -> MultitaskHead:
    """The head, by Cox's model with the baseline hazard of the training people."""
    from spineclock.nets.cox_head import CoxHead

    head = _head(fitted)
    if not isinstance(head.survival, CoxHead):
        return head
    import torch

    learned = run.sets.of("train").reset_index(drop=True)
    ended = torch.tensor(learned[[YEARS, ENDING]].to_numpy(dtype=np.float64))
    return head.with_baseline(_raw(run, fitted, learned), ended)


def fits_of(table: pd.DataFrame, raw: Tensor, head: MultitaskHead, outcome: TimeToEvent, run: Run) -> Fits:
    """Recalibration of what is there, and the band of the last risk, by validation people."""
    own = (table["set"] == "validation").to_numpy()
    cautions, detection, band = [], None, None
    if head.detection is not None:
        known = own & table[LABEL].notna().to_numpy()
        z, labels = log_odds(head, raw), table[places_of(table)].to_numpy(dtype=np.float64)
        several = labels.shape[1] > 1
        detection = FromLevels.fit(
            z[known], table.loc[known, LABEL] > 0.5, table.loc[known, "person_id"],
            pooling="noisy-or" if several else "mean", sensitivity=run.settings.sensitivity,
            each=labels[known] if several else None,
        )  # fmt: skip
        cautions.append(detection.caution)
    if head.survival is not None:
        known = own & table[YEARS].notna().to_numpy()
        try:
            band = RiskBand.fit(
                risks(head, raw[known], outcome.horizons_years)[:, -1], table.loc[known, YEARS],
                table.loc[known, ENDING], table.loc[known, "person_id"].to_numpy(), horizon=outcome.horizon_years,
                rng=np.random.default_rng(run.settings.seed), coverage=run.settings.interval_coverage,
            )  # fmt: skip
        except TableError as error:
            cautions.append(f"no interval of the risk: {error}".rstrip("."))
    return Fits(detection, band, "; ".join(one for one in cautions if one))


def said_of(
    table: pd.DataFrame, raw: Tensor, head: MultitaskHead, fits: Fits, outcome: TimeToEvent, *, model: str
) -> Said:
    """The table's scans with what is known of their people, and what the network says of them."""
    found = table[[c for c in FIRST if c in table]].assign(**_known(table, outcome))
    vertebrae = None
    if head.detection is not None and fits.detection is not None:
        z = log_odds(head, raw)
        p, threshold = fits.detection.probability(z), fits.detection.threshold
        found = found.assign(probability=p, called=p > threshold, threshold=threshold)
        if z.shape[1] > 1:
            vertebrae = _vertebrae(table, z, fits.detection)
    if head.survival is not None:
        by = risks(head, raw, outcome.horizons_years)
        found = found.assign(**{risk_card.risk_column(h): by[:, k] for k, h in enumerate(outcome.horizons_years)})
        band = np.full((3, len(by)), np.nan) if fits.band is None else fits.band(by[:, -1])
        found = found.assign(interval_low=band[0], observed=band[1], interval_high=band[2])
    return Said(found.assign(model=model), vertebrae)


def _known(table: pd.DataFrame, outcome: TimeToEvent) -> dict[str, Any]:
    """Columns of the truth by the cohort's own names, so that what judges tables can judge this one."""
    ending = table[ENDING].where(table[YEARS].notna())
    return {
        LABEL: table[LABEL].astype("Int64"),
        outcome.years: table[YEARS],
        outcome.event: (ending == 1).astype("boolean").mask(ending.isna()),
        outcome.competing: (ending == 2).astype("boolean").mask(ending.isna()),
    }


def _vertebrae(table: pd.DataFrame, z: Array, detection: FromLevels) -> pd.DataFrame:
    """What is said of each vertebra shown, and whether it is fractured."""
    each, levels = detection.vertebrae(z), [told.split() for told in table[SHOWN]]
    labels = table[places_of(table)].to_numpy(dtype=np.float64)
    rows = [
        (scan, person, of, levels[i][k], labels[i, k], z[i, k], each[i, k])
        for i, (scan, person, of) in enumerate(zip(table["scan_id"], table["person_id"], table["set"], strict=True))
        for k in range(z.shape[1])
        if np.isfinite(z[i, k])
    ]
    return pd.DataFrame(rows, columns=["scan_id", "person_id", "set", "level", LABEL, "log_odds", "probability"])


def figures_of(people: pd.DataFrame, outcome: TimeToEvent) -> risk_card.Judged:
    """How good what was said of some people is, as far as it can be told."""
    detection = None
    if "probability" in people and people[LABEL].notna().any():
        known = people[people[LABEL].notna()]
        detection = diagnosis_card.diagnosis_card(known.assign(**{LABEL: known[LABEL].astype(int)}))
    followed, caution = None, ""
    if risk_card.risk_column(outcome.horizon_years) in people:
        followed, caution = risk_card.risk_figures(people, outcome)
    return risk_card.Judged(detection, followed, caution)


def pictures_of(
    shown: dict[str, pd.DataFrame], judged: risk_card.Judged, outcome: TimeToEvent, band: RiskBand | None
) -> dict[str, bytes]:
    """ROC curve and calibration of what is there; calibration of what will come."""
    from spineclock.report import ink
    from spineclock.report.diagnosis_figures import roc_and_calibration
    from spineclock.report.risk_figures import risk_calibration

    found = {}
    if judged.detection is not None:
        known = {name: part[part[LABEL].notna()] for name, part in shown.items() if part[LABEL].notna().any()}
        words = outcome.finding.replace("_", " ")
        found["detection"] = ink.png(roc_and_calibration(known, disease=words))
    if judged.risks is not None:
        groups = judged.risks[judged.risks["figure"] == risk_card.GROUP]
        found["risks"] = ink.png(risk_calibration(groups, horizon_years=outcome.horizon_years, words=outcome.words,
                                                  band=band))  # fmt: skip
    return found


def _about(run: Run, fitted: Fitted, outcome: TimeToEvent, fits: Fits) -> dict[str, Any]:
    """network.json: what a reader of the weights needs to know."""
    ages = run.sets.of("train")["age_years"].dropna()
    return {
        "schema": SCHEMA, "name": run.name, "statement": run.statement, "network": run.settings.network,
        "simulated": bool(simulated(run.cohort)), "head": fitted.head.as_dict(), "preparation": run.preparation,
        "ages_years": [float(ages.min()), float(ages.max())] if len(ages) else [], "event": outcome.event,
        "finding": outcome.finding, "horizons_years": list(outcome.horizons_years), "detect": run.settings.detect,
        "detection": None if fits.detection is None else fits.detection.as_dict(),
        "band": None if fits.band is None else fits.band.as_dict(),
    }  # fmt: skip
