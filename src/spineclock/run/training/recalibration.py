"""``spineclock recalibrate``: bias correction and interval of a trained network set anew by other people."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from spineclock.core.errors import TableError
from spineclock.nets.recalibration import Recalibrated, hashed, write_recalibrated
from spineclock.run.training.evaluation import age_cohort
from spineclock.run.training.sets import is_typical
from spineclock.run.training.settings import EvaluateSettings
from spineclock.stats import metrics
from spineclock.stats.calibration import Calibration

FEWEST = 30
"""People of a kind, fewer than which set no correction: its slope would be chance."""


def recalibrate(run: Path, cohort: Path, settings: EvaluateSettings | None = None) -> int:
    """Has a run's network age a cohort, and keeps predicted and true ages in its folder to correct by from now on.

    For each kind of film by itself (radiographs, DXA VFA), or for scans. Age-typical people alone where the cohort
    tells who they are. Who is learned from here is known again and left out by ``spineclock evaluate``; the weights
    stay as they are. Returns the exit status.

    Raises
    ------
    TableError
        If a kind has fewer than :data:`FEWEST` people, or the network's answers do not rise with age.
    UsageError, InputError
        As ``spineclock evaluate``.
    """
    settings = settings or EvaluateSettings()
    scratch = Path(tempfile.mkdtemp(prefix="spineclock-"))
    try:
        aged = age_cohort(run, cohort, settings, out=scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    table = aged.table.assign(predicted_age_years=aged.predicted)
    if "normal" in table:
        table = table[is_typical(table)]
    kinds = table["film"] if "film" in table else pd.Series("", index=table.index)
    found = dict(aged.trained.recalibrated)
    for kind, rows in table.groupby(kinds):
        found[str(kind)] = _recalibrated(rows, str(kind), cohort, coverage=aged.coverage)
    write_recalibrated(run, aged.trained.sha256, found)
    for kind, rows in table.groupby(kinds):
        _say(rows, str(kind), coverage=aged.coverage)
    return 0


def _recalibrated(rows: pd.DataFrame, kind: str, cohort: Path, *, coverage: float) -> Recalibrated:
    people = rows["person_id"].nunique()
    if people < FEWEST:
        raise TableError(f"{people} people with {kind or 'scans'} to recalibrate by", wanted=f"at least {FEWEST}")
    pairs = rows[["predicted_age_years", "age_years"]].round(4)
    found = Recalibrated(
        tuple(map(tuple, pairs.to_numpy().tolist())),
        hashed(rows["person_id"]),
        {"cohort": cohort.name, "scans": len(rows), "people": people,
         "made": datetime.now(UTC).isoformat(timespec="seconds")},
    )  # fmt: skip
    Calibration.fit(found.pairs, coverage=coverage)  # refuses what cannot be corrected by
    return found


def _say(rows: pd.DataFrame, kind: str, *, coverage: float) -> None:
    said, age = rows["predicted_age_years"].to_numpy(), rows["age_years"].to_numpy()
    pairs = rows[["predicted_age_years", "age_years"]].to_numpy().tolist()
    calibration = Calibration.fit(pairs, coverage=coverage)
    line, half = calibration.cole, calibration.conformal.half_width_years
    print(f"{kind or 'scans'}: {len(rows):,} of {rows['person_id'].nunique():,} people, "
          f"MAE {metrics.mae(said, age):.2f} years, mean error {(said - age).mean():+.2f}; predicted = "
          f"{line.slope:.3f} · age {line.intercept:+.2f}; {coverage:.0%} interval ± {half:.1f} years")  # fmt: skip
