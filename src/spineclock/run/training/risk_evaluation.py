"""``spineclock evaluate`` of a network of follow-up: its probabilities and risks among people of another cohort."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from spineclock.core.errors import TableError, UsageError
from spineclock.core.outcomes import TimeToEvent
from spineclock.ingest.study_table import simulated
from spineclock.nets.risk_folder import TrainedRisk, read_risk
from spineclock.prep.ct_cropping import CtCropping
from spineclock.prep.kinds import preparation_told
from spineclock.prep.masking import Part
from spineclock.prep.store import PreparedStore
from spineclock.run.outputs import command, plain, versions, write_json, write_text
from spineclock.run.training import device, diagnosis_card, risk_card
from spineclock.run.training.diagnosis_evaluation import rule_of
from spineclock.run.training.evaluation import MEMORY_GB, PAGE, asked_of, learned_from, require_same_preparation
from spineclock.run.training.held import examples, in_view, prepared_store
from spineclock.run.training.labels import labels_of
from spineclock.run.training.risk_targets import with_vertebrae
from spineclock.run.training.risks import Fits, figures_of, pictures_of, said_of
from spineclock.run.training.sets import people_of
from spineclock.run.training.settings import EvaluateSettings, TrainSettings
from spineclock.stats.diagnosis.from_levels import FromLevels
from spineclock.stats.survival.risk_band import RiskBand


def evaluate_risk(
    run: Path, cohort: Path, outcome: TimeToEvent, settings: EvaluateSettings, *, out: Path, begun: datetime
) -> int:
    """Probabilities and risks for every scan of a cohort, and how good they are beside what became of its people.

    Leaves predictions.csv, detection.csv and risks.csv, as far as each was learned, evaluation.md, pictures and
    run.json. Recalibration, threshold and interval are the run's own. People the network was trained or validated on
    are left out, by their person_id. Intervals are by influence: no resamples are drawn.

    Raises
    ------
    UsageError, InputError
        As ``spineclock evaluate`` of ages.
    TableError
        If no scan is left.
    """
    from spineclock.learn.fit import answered

    trained = read_risk(run, device=device.resolved(settings.device))
    asked = rule_of(asked_of(run)["settings"])
    table, store, part, left_out = _people(run, trained, cohort, asked, settings, out=out)
    device.set_threads(settings.threads)
    (held,) = examples(table, store=store, memory_gb=MEMORY_GB)
    raw = answered(trained.net, held, part=part).cpu()
    fits = _fits(trained)
    said = said_of(table, raw, trained.head, fits, outcome, model=trained.about["name"])
    judged = figures_of(said.people, outcome)
    tables = {"predictions": said.people, **judged.tables}
    if said.vertebrae is not None:
        tables["vertebrae"] = said.vertebrae
    for name, rows in tables.items():
        rows.to_csv(out / f"{name}.csv", index=False, float_format="%.6g")
    for name, picture in pictures_of({"evaluated": said.people}, judged, outcome, fits.band).items():
        (out / f"{name}.png").write_bytes(picture)
    statement = " ".join(s for s in (trained.about["statement"], simulated(cohort)) if s)
    write_json(out / "run.json", plain({
        "schema": "spineclock.evaluation/1", "command": command(), "statement": statement,
        "begun": begun.isoformat(timespec="seconds"), "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(), "settings": settings.model_dump(mode="json"), "model": trained.about["name"],
        "weights_sha256": trained.sha256, "cohort": cohort.name, "scans": len(table), "left_out": left_out,
        "caution": judged.caution,
    }))  # fmt: skip
    write_text(out / PAGE, _page(said.people, judged, outcome, statement=statement, cohort=cohort, left_out=left_out))
    print("\n".join([*judged.lines, f"{len(table):,} scans, {left_out:,} left out", statement, f"See {out / PAGE}"]))
    return 0


def _people(
    run: Path, trained: TrainedRisk, cohort: Path, asked: TrainSettings, settings: EvaluateSettings, *, out: Path
) -> tuple[pd.DataFrame, PreparedStore, Part, int]:
    """Scans of those the network has not seen, their store, what is read of it, and how many scans are left out."""
    how = preparation_told(trained.about["preparation"])
    recipe = asked_of(run)["recipe"]
    store = PreparedStore.open(
        prepared_store(cohort, settings.store, recipe=recipe, out=out, how=how, workers=settings.workers)
    )
    part = _part(store, how)
    labelled = labels_of(recipe, asked.model_copy(update={"fractures": None}), cohort)
    people = people_of(cohort, normals=settings.normals, labelled=labelled)
    kept = in_view(people, store, part) & ~people["person_id"].isin(learned_from(run))
    table = people[kept].reset_index(drop=True)
    if table.empty:
        raise TableError(f"no scan of {cohort} is left to evaluate",
                         wanted="prepared scans of people of known outcome whom it has not seen")  # fmt: skip
    return with_vertebrae(table, store).assign(set="test"), store, part, len(people) - len(table)


def _part(store: PreparedStore, how: object) -> Part:
    """Bone alone may be read of a store that holds muscle too; all else must be prepared as the network's own scans."""
    if not isinstance(how, CtCropping) or not isinstance(store.how, CtCropping):
        raise UsageError(f"the store {store.path} holds no regions of CT", wanted="the network's own preparation")
    require_same_preparation(store, replace(how, parts=store.how.parts) if how.parts == "bone" else how)
    return "bone" if how.parts == "bone" else "whole"


def _fits(trained: TrainedRisk) -> Fits:
    told = trained.about
    detection = None if told["detection"] is None else FromLevels.from_dict(told["detection"])
    return Fits(detection, None if told["band"] is None else RiskBand.from_dict(told["band"]), "")


def _page(
    people: pd.DataFrame, judged: risk_card.Judged, outcome: TimeToEvent, *, statement: str, cohort: Path,
    left_out: int,
) -> str:  # fmt: skip
    lines = [f"# {people['model'].iloc[0]} on {cohort.name}", "", f"**{statement}**", "",
             f"{len(people):,} scans of {people['person_id'].nunique():,} people; {left_out:,} scans of the cohort "
             "are left out (not prepared, of unknown outcome, or of people the network has seen).", ""]  # fmt: skip
    if judged.caution:
        lines += [f"**Caution**: {judged.caution}.", ""]
    if judged.detection is not None:
        lines += [f"## {outcome.finding.replace('_', ' ').capitalize()} at the scan", "",
                  diagnosis_card.shown(judged.detection), "",
                  "AUROC with DeLong's 95% interval by people, shares with exact ones; probabilities and call as "
                  "of the run's validation people.", "", "![ROC curve and calibration](detection.png)", ""]  # fmt: skip
    if judged.risks is not None:
        lines += [f"## {outcome.words.capitalize()} after it", "", risk_card.shown(judged.risks), ""]
        lines += [f"* {line}" for line in judged.risks.loc[judged.risks["figure"] != risk_card.GROUP, "sentence"]]
        lines += ["", "Intervals are 95%, by influence, clustered by person. People lost before a horizon are made up "
                  f"for by those like them in time; {outcome.competing} before it counts as not having the event.", "",
                  "![Calibration of the risk](risks.png)", ""]  # fmt: skip
    return "\n".join(lines)
