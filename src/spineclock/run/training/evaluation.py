"""``spineclock evaluate``: a trained network on people of another cohort."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from spineclock.core.errors import InputError, TableError, UsageError
from spineclock.ingest.study_table import simulated
from spineclock.nets.run_folder import read_network
from spineclock.prep.prepared import Preparation
from spineclock.prep.store import PreparedStore
from spineclock.run.outputs import command, plain, require_room, versions, write_json, write_text
from spineclock.run.tables import markdown
from spineclock.run.training import device, folder
from spineclock.run.training.answers import answers
from spineclock.run.training.errors import error_card, without_sites
from spineclock.run.training.held import examples, in_view, prepared_store
from spineclock.run.training.sets import people_of
from spineclock.run.training.settings import EvaluateSettings
from spineclock.stats.accuracy import AgeAccuracy

MEMORY_GB = 8.0
"""Prepared scans are held in memory up to this size, else read ahead."""


def evaluate(run: Path, cohort: Path, settings: EvaluateSettings | None = None, *, out: Path) -> int:
    """Ages every scan of a cohort by a run's network and says how far off it is; the exit status.

    Leaves predictions.csv (for ``spineclock study``), accuracy.csv (with bootstrap intervals by person), errors.csv (by
    age, sex and site), evaluation.md, ages.png and run.json. Correction and interval are the run's own, at the coverage
    it was trained with. People the network was trained or validated on are left out, by their person_id.

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
    require_room(out, mark="evaluation.md", what="an earlier evaluation", overwrite=settings.overwrite)
    trained = read_network(run, device=device.resolved(settings.device))
    how = Preparation.told(trained.about["preparation"])
    out.mkdir(parents=True, exist_ok=True)
    store = PreparedStore.open(prepared_store(cohort, settings.store, out=out, how=how, workers=settings.workers))
    _require_same(store, how)
    people = people_of(cohort, normals=settings.normals)
    known, coverage = _learned_from(run), _coverage(run)
    table = people[in_view(people, store, how.part) & ~people["person_id"].isin(known)].reset_index(drop=True)
    if table.empty:
        raise TableError(
            f"no scan of {cohort} is left to evaluate",
            wanted="prepared scans of people with an age, whom the network has not seen",
        )
    from spineclock.learn.fit import judged

    device.set_threads(settings.threads)
    (held,) = examples(table, store=store, memory_gb=MEMORY_GB)
    predicted, _ = judged(trained.net, trained.head, held, part=how.part)
    said, caution = answers(table.assign(set="test"), predicted, trained.about["validation"], coverage=coverage,
                            model=trained.about["name"])  # fmt: skip
    errors, accuracy = error_card(said), _accuracy(said, settings)
    _write(out, said, errors, accuracy)
    statement = " ".join(s for s in (trained.about["statement"], simulated(cohort)) if s)
    left = len(people) - len(table)
    write_json(out / "run.json", plain({
        "schema": "spineclock.evaluation/1", "command": command(), "statement": statement,
        "begun": begun.isoformat(timespec="seconds"), "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(), "settings": settings.model_dump(mode="json"), "model": trained.about["name"],
        "weights_sha256": trained.sha256, "cohort": cohort.name, "scans": len(said), "left_out": left,
        "interval_coverage": coverage, "caution": caution,
    }))  # fmt: skip
    write_text(out / "evaluation.md", _page(said, errors, accuracy, statement=statement, cohort=cohort, left_out=left))
    everyone = errors.iloc[0]
    print(f"{len(said):,} scans, MAE {everyone['mae_years']:.2f} years ({everyone['corrected_mae_years']:.2f} "
          f"corrected), R² {everyone['r2']:.3f}; {left:,} left out\n{statement}")  # fmt: skip
    print(f"See {out / 'evaluation.md'}")
    return 0


def _require_same(store: PreparedStore, how: Preparation) -> None:
    """A network reads scans prepared as those it learned from, and no others."""
    is_ = vars(store.how)
    other = [f"{k} {is_[k]}, not {v}" for k, v in vars(how).items() if k != "part" and is_[k] != v]
    if other:
        raise UsageError(f"the store was prepared with {'; '.join(other)}", wanted="the network's own preparation",
                         remedy="leave --store out, and the scans are prepared as the network needs them")  # fmt: skip


def _learned_from(run: Path) -> set[str]:
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


def _coverage(run: Path) -> float:
    """The probability with which the run's own intervals cover.

    Raises
    ------
    InputError
        If the run no longer tells.
    """
    asked = folder.begun(run)
    if asked is None:
        raise InputError(f"{run} has no {folder.BEGUN}, so that nobody knows what its intervals cover",
                         wanted="the whole folder that `spineclock train` made")  # fmt: skip
    return float(asked["settings"]["interval_coverage"])


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
    left_out: int,
) -> str:  # fmt: skip
    lines = [f"# {said['model'].iloc[0]} on {cohort.name}", "", f"**{statement}**", "",
             f"{len(said):,} scans of {said['person_id'].nunique():,} people; {left_out:,} scans of the cohort are "
             "left out (not prepared, or of people the network has seen).", ""]  # fmt: skip
    if accuracy is not None:
        lines += [f"* {sentence}" for sentence in accuracy["sentence"]] + [""]
    spread = float(np.std(said["age_years"]))
    lines += [markdown(without_sites(errors)), "", f"Chronological age: SD {spread:.1f} years. R² is 1 − SSE/SST. The "
              "interval covers the chronological age of people typical for their age.", "",
              "![Predicted ages](ages.png)", ""]  # fmt: skip
    return "\n".join(lines)
