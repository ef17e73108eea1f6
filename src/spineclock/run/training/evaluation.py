"""``spineclock evaluate``: a trained network on people of another cohort."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from spineclock import recipes
from spineclock.core.errors import InputError, TableError, UsageError
from spineclock.core.outcomes import Age, Diagnosis, Outcome, TimeToEvent
from spineclock.core.people import hashed
from spineclock.ingest.study_table import simulated
from spineclock.nets.run_folder import TrainedNetwork, read_network
from spineclock.prep.kinds import AnyPreparation, for_every_part, preparation_told
from spineclock.prep.store import PreparedStore
from spineclock.run.outputs import command, plain, require_room, versions, write_json, write_text
from spineclock.run.tables import markdown
from spineclock.run.training import device, folder, modality
from spineclock.run.training.answers import answers
from spineclock.run.training.errors import error_card, without_sites
from spineclock.run.training.held import examples, in_view, prepared_store, with_films
from spineclock.run.training.sets import answerable, people_of
from spineclock.run.training.settings import EvaluateSettings
from spineclock.stats.accuracy import AgeAccuracy
from spineclock.stats.bias.correction import USES_AGE

if TYPE_CHECKING:
    from spineclock.learn.fit import Judged

Purpose = Literal["evaluate", "recalibrate by"]
PAGE = "evaluation.md"
MEMORY_GB = 8.0
"""Prepared scans are held in memory up to this size, else read ahead."""


def evaluate(run: Path, cohort: Path, settings: EvaluateSettings | None = None, *, out: Path) -> int:
    """Reads every scan of a cohort by a run's network and says how far off it is; the exit status.

    Of ages leaves predictions.csv (for ``spineclock study``), accuracy.csv (with bootstrap intervals by person),
    errors.csv (by age, sex and site), evaluation.md, ages.png and run.json. Correction and interval are the run's own,
    at the coverage it was trained with. Of a diagnosis see
    :func:`spineclock.run.training.diagnosis_evaluation.evaluate_diagnosis`, of follow-up
    :func:`spineclock.run.training.risk_evaluation.evaluate_risk`. People the network was trained or
    validated on are left out, by their person_id.

    Raises
    ------
    UsageError
        If ``out`` holds an evaluation, or the store was prepared otherwise than the network's own scans.
    InputError
        If the run's folder holds no network, or no longer tells how and from whom it learned.
    TableError
        If no scan is left.
    """
    settings, begun = settings or EvaluateSettings(), datetime.now(UTC)
    if (out / folder.BEGUN).exists():
        raise UsageError(f"{out} holds a training run", wanted="another folder for the evaluation")
    require_room(out, mark=PAGE, what="an earlier evaluation", overwrite=settings.overwrite)
    out.mkdir(parents=True, exist_ok=True)
    match outcome_of(run):
        case TimeToEvent() as outcome:
            from spineclock.run.training.risk_evaluation import evaluate_risk

            return evaluate_risk(run, cohort, outcome, settings, out=out, begun=begun)
        case Diagnosis():
            from spineclock.run.training.diagnosis_evaluation import evaluate_diagnosis

            return evaluate_diagnosis(run, cohort, settings, out=out, begun=begun)
        case Age():
            return _evaluate_ages(run, cohort, settings, out=out, begun=begun)


def _evaluate_ages(run: Path, cohort: Path, settings: EvaluateSettings, *, out: Path, begun: datetime) -> int:
    aged = age_cohort(run, cohort, settings, out=out)
    trained, table = aged.trained, aged.table
    said, caution = answers(table.assign(set="test"), aged.said, trained.pairs, coverage=aged.coverage,
                            model=trained.about["name"])  # fmt: skip
    said = modality.applied(trained, said)
    every = (caution, *aged.cautions, USES_AGE if modality.COLUMN in said else "")
    caution = "; ".join(one.rstrip(".") for one in every if one)
    errors, accuracy = error_card(said), _accuracy(said, settings)
    _write(out, said, errors, accuracy)
    statement = " ".join(s for s in (trained.about["statement"], simulated(cohort)) if s)
    write_json(out / "run.json", plain({
        "schema": "spineclock.evaluation/1", "command": command(), "statement": statement,
        "begun": begun.isoformat(timespec="seconds"), "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(), "settings": settings.model_dump(mode="json"), "model": trained.about["name"],
        "weights_sha256": trained.sha256, "cohort": cohort.name, "scans": len(said), "left_out": aged.left_out,
        "interval_coverage": aged.coverage, "caution": caution,
        "recalibrated": {kind: dict(r.about) for kind, r in trained.recalibrated.items()},
    }))  # fmt: skip
    write_text(
        out / PAGE,
        _page(said, errors, accuracy, statement=statement, cohort=cohort, left_out=aged.left_out, caution=caution),
    )
    everyone = errors.iloc[0]
    print(f"{len(said):,} scans, MAE {everyone['mae_years']:.2f} years ({everyone['corrected_mae_years']:.2f} "
          f"corrected), R² {everyone['r2']:.3f}; {aged.left_out:,} left out\n{statement}")  # fmt: skip
    print(f"See {out / PAGE}")
    return 0


@dataclass(frozen=True, eq=False)
class Aged:
    """What a network says of the people of a cohort whom it has not seen.

    Attributes
    ----------
    trained : TrainedNetwork
    table : DataFrame
        A row a scan; of films with ``film``, their kind.
    said : Judged
        What the network says of each row.
    left_out : int
        Scans of the cohort that are not in it.
    coverage : float
        Of the run's intervals.
    cautions : tuple of str
        What is to be said of these answers.
    """

    trained: TrainedNetwork
    table: pd.DataFrame
    said: Judged
    left_out: int
    coverage: float
    cautions: tuple[str, ...]


def age_cohort(
    run: Path, cohort: Path, settings: EvaluateSettings, *, out: Path, purpose: Purpose = "evaluate"
) -> Aged:
    """Ages the scans of a cohort, but for people whom the network was trained or validated on, or cannot answer for.

    To evaluate, those it was recalibrated by are left out too. The scans are prepared in ``out`` where no store is
    given. Errors as in :func:`evaluate`.
    """
    from spineclock.learn.fit import judged

    trained = read_network(run, device=device.resolved(settings.device))
    asked = asked_of(run)
    recipe, coverage = asked["recipe"], float(asked["settings"]["interval_coverage"])
    how, part = preparation_told(trained.about["preparation"]), trained.part
    store = PreparedStore.open(
        prepared_store(cohort, settings.store, recipe=recipe, out=out, how=how, workers=settings.workers)
    )
    require_same_preparation(store, how)
    people = people_of(cohort, normals=settings.normals)
    known = learned_from(run)
    corrected_by = frozenset[str]().union(*(r.people for r in trained.recalibrated.values()))
    if corrected_by and purpose == "evaluate":
        known |= {p for p in people["person_id"].unique() if hashed([p]) <= corrected_by}
    fits = answerable(people["age_years"], trained.head)
    kept = in_view(people, store, part) & ~people["person_id"].isin(known) & fits
    table = people[kept].reset_index(drop=True)
    if table.empty:
        raise TableError(
            f"no scan of {cohort} is left to {purpose}",
            wanted="prepared scans of people with an age that the network can answer, whom it has not seen",
        )
    cautions = [] if fits.all() else [f"{(~fits).sum():,} scans of people beyond the network's ages were left out"]
    table = with_films(table, store)
    if "film" in table:
        cautions += filter(None, map(trained.uncorrected, sorted(set(table["film"]))))
    device.set_threads(settings.threads)
    (held,) = examples(table, store=store, memory_gb=MEMORY_GB)
    said = judged(trained.net, trained.head, held, part=part)
    return Aged(trained, table, said, len(people) - len(table), coverage, tuple(cautions))


def require_same_preparation(store: PreparedStore, how: AnyPreparation) -> None:
    """A network reads scans prepared as those it learned from, and no others."""
    is_ = for_every_part(store.how)
    other = [f"{k} {is_.get(k)}, not {v}" for k, v in for_every_part(how).items() if is_.get(k) != v]
    if other:
        raise UsageError(f"the store was prepared with {'; '.join(other)}", wanted="the network's own preparation",
                         remedy="leave --store out, and the scans are prepared as the network needs them")  # fmt: skip


def learned_from(run: Path) -> set[str]:
    """People the network was trained on or judged by.

    Raises
    ------
    InputError
        If the run no longer tells: its own people could be among those it is evaluated on.
    """
    path = run / "split.csv"
    if not path.is_file():
        raise InputError(f"{run} has no split.csv, so that nobody knows whom its network has seen",
                         wanted="the whole folder that `spineclock train` made")  # fmt: skip
    split = pd.read_csv(path, dtype={"person_id": str, "set": str})
    return set(split.loc[split["set"].isin(["train", "validation"]), "person_id"])


def asked_of(run: Path) -> dict[str, Any]:
    """What a run was asked to be.

    Raises
    ------
    InputError
        If it no longer tells.
    """
    asked = folder.begun(run)
    if asked is None:
        raise InputError(f"{run} has no {folder.BEGUN}, so that nobody knows what it was asked to learn",
                         wanted="the whole folder that `spineclock train` made")  # fmt: skip
    return asked


def outcome_of(run: Path) -> Outcome:
    """What a run's network answers; errors as :func:`asked_of`."""
    return recipes.get(asked_of(run)["recipe"]).outcome


def _accuracy(said: pd.DataFrame, settings: EvaluateSettings) -> pd.DataFrame | None:
    """The figures of merit with intervals; None of fewer than three people."""
    if said["person_id"].nunique() < 3:
        return None
    known = said.dropna(axis="columns", how="all")  # a network that learned nothing has no corrected ages
    return AgeAccuracy(split="set", resamples=settings.resamples, seed=settings.seed)(known)


def _write(out: Path, said: pd.DataFrame, errors: pd.DataFrame, accuracy: pd.DataFrame | None) -> None:
    from spineclock.report import ink
    from spineclock.report.training_figures import predicted

    said.to_csv(out / "predictions.csv", index=False, float_format="%.4f")
    errors.to_csv(out / "errors.csv", index=False, float_format="%.4f")
    (out / "accuracy.csv").unlink(missing_ok=True)
    if accuracy is not None:
        accuracy.to_csv(out / "accuracy.csv", index=False, float_format="%.6g")
    (out / "ages.png").write_bytes(ink.png(predicted({"evaluated": said})))


def _page(
    said: pd.DataFrame, errors: pd.DataFrame, accuracy: pd.DataFrame | None, *, statement: str, cohort: Path,
    left_out: int, caution: str,
) -> str:  # fmt: skip
    lines = [f"# {said['model'].iloc[0]} on {cohort.name}", "", f"**{statement}**", "",
             f"{len(said):,} scans of {said['person_id'].nunique():,} people; {left_out:,} scans of the cohort are "
             "left out (not prepared, or of people the network has seen).", ""]  # fmt: skip
    if caution:
        lines += [f"**Caution**: {caution}.", ""]
    if accuracy is not None:
        lines += [f"* {sentence}" for sentence in accuracy["sentence"]] + [""]
    spread = float(np.std(said["age_years"]))
    lines += [markdown(without_sites(errors)), "", f"Chronological age: SD {spread:.1f} years. R² is 1 − SSE/SST. The "
              "interval covers the chronological age of people typical for their age.", "",
              "![Predicted ages](ages.png)", ""]  # fmt: skip
    return "\n".join(lines)
