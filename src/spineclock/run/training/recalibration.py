"""``spineclock recalibrate``: bias correction and interval of a trained network set anew by other people."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from spineclock.core.errors import TableError, UsageError
from spineclock.core.outcomes import Age
from spineclock.core.people import hashed
from spineclock.nets.recalibration import Recalibrated, write_recalibrated
from spineclock.run.training.answers import corrected_by
from spineclock.run.training.evaluation import age_cohort, outcome_of
from spineclock.run.training.sets import is_typical
from spineclock.run.training.settings import EvaluateSettings
from spineclock.stats import metrics
from spineclock.stats.calibration import Calibration

FEWEST = 30
"""People of a kind, fewer than which set no correction: its slope would be chance."""


def recalibrate(run: Path, cohort: Path, settings: EvaluateSettings | None = None) -> int:
    """Has a run's network age a cohort, and keeps predicted and true ages in its folder to correct by from now on.

    For each kind of film by itself (radiographs, DXA VFA), or for scans. Age-typical people alone where the cohort
    tells who they are. Who is learned from here, now or before, is known again and left out by ``spineclock evaluate``;
    the weights stay as they are. Returns the exit status.

    Raises
    ------
    TableError
        If a kind has fewer than :data:`FEWEST` people, or the network's answers do not rise with age.
    UsageError, InputError
        As ``spineclock evaluate``.
    """
    settings = settings or EvaluateSettings()
    if not isinstance(outcome_of(run), Age):
        raise UsageError(f"the network of {run} tells of a disease: its probabilities are set by its own validation "
                         "people, and cannot be set anew by this command yet", wanted="a run that learned ages",
                         remedy="`spineclock evaluate` says whether they hold for other people")  # fmt: skip
    scratch = Path(tempfile.mkdtemp(prefix="spineclock-"))
    try:
        aged = age_cohort(run, cohort, settings, out=scratch, purpose="recalibrate by")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    table = aged.table.assign(
        predicted_age_years=aged.said.ages_years,
        row=pd.Series(corrected_by(aged.said, aged.table["age_years"]), dtype=object),
    )
    if "normal" in table:
        table = table[is_typical(table)]
    kinds = table["film"] if "film" in table else pd.Series("", index=table.index)
    earlier = aged.trained.recalibrated
    found = {}
    for name, rows in table.groupby(kinds):
        kind = str(name)
        known = earlier[kind].people if kind in earlier else frozenset[str]()
        found[kind] = _recalibrated(rows, kind, cohort, known, coverage=aged.coverage)
    write_recalibrated(run, aged.trained.sha256, {**earlier, **found})
    for kind, one in found.items():
        _say(one, kind, coverage=aged.coverage)
    return 0


def _recalibrated(
    rows: pd.DataFrame, kind: str, cohort: Path, known: frozenset[str], *, coverage: float
) -> Recalibrated:
    people = rows["person_id"].nunique()
    if people < FEWEST:
        raise TableError(f"{people} people with {kind or 'scans'} to recalibrate by", wanted=f"at least {FEWEST}")
    found = Recalibrated(
        tuple(map(tuple, rows["row"])),
        known | hashed(rows["person_id"]),
        {"cohort": cohort.name, "scans": len(rows), "people": people,
         "made": datetime.now(UTC).isoformat(timespec="seconds")},
    )  # fmt: skip
    Calibration.fit(found.pairs, coverage=coverage)  # refuses what cannot be corrected by
    return found


def _say(found: Recalibrated, kind: str, *, coverage: float) -> None:
    said, age = np.array(found.pairs)[:, :2].T
    calibration = Calibration.fit(found.pairs, coverage=coverage)
    line, spread = calibration.cole, np.array(found.pairs)[:, 2:].T
    interval = calibration.around(said, spread[0] if len(spread) else None)
    half = float(np.median(interval.high_years - interval.low_years)) / 2
    print(f"{kind or 'scans'}: {found.about['scans']:,} of {found.about['people']:,} people, "
          f"MAE {metrics.mae(said, age):.2f} years, mean error {(said - age).mean():+.2f}; predicted = "
          f"{line.slope:.3f} · age {line.intercept:+.2f}; {coverage:.0%} interval ± {half:.1f} years")  # fmt: skip
