"""``spineclock evaluate`` of a network that learned a disease: its calls among people of another cohort."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from spineclock.core.errors import TableError
from spineclock.ingest.study_table import simulated
from spineclock.nets.diagnosis_folder import read_diagnosis
from spineclock.prep.kinds import preparation_told
from spineclock.prep.store import PreparedStore
from spineclock.run.outputs import command, plain, versions, write_json, write_text
from spineclock.run.training import device
from spineclock.run.training.diagnoses import Called, called
from spineclock.run.training.diagnosis_card import diagnosis_card, sentence, shown
from spineclock.run.training.evaluation import (
    MEMORY_GB,
    PAGE,
    asked_of,
    learned_from,
    require_same_preparation,
)
from spineclock.run.training.held import examples, in_view, prepared_store, with_sequence
from spineclock.run.training.labels import labels_of
from spineclock.run.training.sets import people_of
from spineclock.run.training.settings import EvaluateSettings, TrainSettings
from spineclock.stats.diagnosis.from_levels import FromLevels


def evaluate_diagnosis(
    run: Path, cohort: Path, settings: EvaluateSettings, *, out: Path, begun: datetime
) -> int:  # fmt: skip
    """Probabilities and calls for every scan of a cohort of the network's weighting, and how good they are.

    Leaves predictions.csv, vertebrae.csv, diagnosis.csv (by age, sex and site), evaluation.md, diagnosis.png and
    run.json. Recalibration and threshold are the run's own, labels by the rule it was trained with. People the network
    was trained or validated on are left out, by their person_id.

    Raises
    ------
    UsageError, InputError
        As ``spineclock evaluate`` of ages.
    TableError
        If no scan is left.
    """
    from spineclock.learn.fit import judged
    from spineclock.report import ink
    from spineclock.report.diagnosis_figures import roc_and_calibration

    trained, asked = read_diagnosis(run, device=device.resolved(settings.device)), asked_of(run)
    how = preparation_told(trained.about["preparation"])
    store = PreparedStore.open(
        prepared_store(cohort, settings.store, recipe=asked["recipe"], out=out, how=how, workers=settings.workers,
                       sequence=trained.sequence)
    )  # fmt: skip
    require_same_preparation(store, how)
    labelled = labels_of(asked["recipe"], rule_of(asked["settings"]))
    people = people_of(cohort, normals=settings.normals, labelled=labelled)
    kept = in_view(people, store, "whole") & ~people["person_id"].isin(learned_from(run))
    table = people[kept].reset_index(drop=True)
    if table.empty:
        raise TableError(f"no scan of {cohort} is left to evaluate",
                         wanted="prepared scans of people with a label, whom the network has not seen")  # fmt: skip
    table = with_sequence(table, store, trained.sequence).assign(set="test")
    device.set_threads(settings.threads)
    (held,) = examples(table, store=store, memory_gb=MEMORY_GB)
    calibration = FromLevels.from_dict(trained.about["calibration"])
    said = called(table, judged(trained.net, trained.head, held).said, trained.head.levels, calibration,
                  model=trained.about["name"])  # fmt: skip
    card = diagnosis_card(said.people)
    for name, rows in {"predictions": said.people, "vertebrae": said.vertebrae, "diagnosis": card}.items():
        rows.to_csv(out / f"{name}.csv", index=False, float_format="%.4f")
    picture = roc_and_calibration({"evaluated": said.people}, disease=trained.head.name)
    (out / "diagnosis.png").write_bytes(ink.png(picture))
    left_out = len(people) - len(table)
    statement = " ".join(s for s in (trained.about["statement"], simulated(cohort)) if s)
    write_json(out / "run.json", plain({
        "schema": "spineclock.evaluation/1", "command": command(), "statement": statement,
        "begun": begun.isoformat(timespec="seconds"), "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(), "settings": settings.model_dump(mode="json"), "model": trained.about["name"],
        "weights_sha256": trained.sha256, "cohort": cohort.name, "scans": len(table), "left_out": left_out,
        "sequence": trained.sequence, "calibration": calibration.as_dict(), "caution": calibration.caution,
    }))  # fmt: skip
    write_text(out / PAGE, _page(said, shown(card), calibration, statement=statement, cohort=cohort, left_out=left_out))
    print(f"{sentence(card.iloc[0])}; {left_out:,} left out\n{statement}")
    print(f"See {out / PAGE}")
    return 0


def rule_of(asked: dict[str, object]) -> TrainSettings:
    """The settings a run was trained with, as far as there are such still: labels follow from them."""
    return TrainSettings(**{k: v for k, v in asked.items() if k in TrainSettings.model_fields})


def _page(
    said: Called, figures: str, calibration: FromLevels, *, statement: str, cohort: Path, left_out: int
) -> str:  # fmt: skip
    people = said.people
    lines = [f"# {people['model'].iloc[0]} on {cohort.name}", "", f"**{statement}**", "",
             f"{len(people):,} scans of {people['person_id'].nunique():,} people; {left_out:,} scans of the cohort are "
             "left out (not prepared, of another weighting, or of people the network has seen).", ""]  # fmt: skip
    if calibration.caution:
        lines += [f"**Caution**: {calibration.caution}.", ""]
    lines += [figures, "",
              f"Called above {calibration.threshold:.3f} ({calibration.rule}, chosen on the run's validation people). "
              f"Probabilities hold where {calibration.person.prevalence:.0%} have the disease; here it is "
              f"{people['label'].mean():.0%}. AUROC with DeLong's 95% interval by people, shares with exact ones.", "",
              "![ROC curve and calibration](diagnosis.png)", ""]  # fmt: skip
    return "\n".join(lines)
