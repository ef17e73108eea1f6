"""What acting on a probability is worth: net benefit (Vickers and Elkin, Medical Decision Making 2006)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from spineclock.core.errors import UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.diagnosis.calibration import clustered_mean
from spineclock.stats.diagnosis.labels import Bools, Labelled, in_words, labelled, probabilities
from spineclock.stats.result import number, p_text, results

EVERYONE, NOBODY = "everyone", "nobody"


def benefit(called: Bools, positive: Bools, threshold: float) -> Floats:
    """(n,) each row's part of the net benefit: 1 where an ill one is called, −t/(1 − t) where a healthy one is.

    >>> float(benefit(np.array([True, True, False]), np.array([True, False, True]), 0.2).mean())  # (1 − ¼)/3
    0.25
    """
    return np.where(called, np.where(positive, 1.0, -threshold / (1 - threshold)), 0.0)


@dataclass(frozen=True)
class NetBenefit:
    """A decision curve: net benefit of acting on a probability above each threshold, beside acting on everyone.

    At threshold t it is the share of true positives minus that of false positives times t/(1 − t): t says how many
    needless actions one needed is worth. As a mean over rows it has a closed-form standard error, clustered by
    person. For each threshold there are rows for each probability and for acting on everyone against nobody, for each
    probability against everyone, and for the first probability against each other. Extra columns: ``threshold``,
    ``strategy``, ``against``, ``per_1000`` (net true positives in 1,000 rows), ``positives``, ``negatives``,
    ``people``, ``left_out``, ``warning``.

    Examples
    --------
    >>> table = pd.DataFrame({"person_id": range(6), "ill": [0, 0, 0, 0, 1, 1], "p": [0.1, 0.1, 0.3, 0.1, 0.6, 0.1]})
    >>> found = NetBenefit("ill", ["p"], thresholds=[0.2])(table)
    >>> found[["strategy", "against", "estimate"]].round(4).to_numpy().tolist()
    [['p', 'nobody', 0.125], ['everyone', 'nobody', 0.1667], ['p', 'everyone', -0.0417]]
    """

    event: str
    probabilities: Sequence[str]
    thresholds: Sequence[float] = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
    person: str | None = "person_id"
    split: str = "split"
    rows: str | None = None

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows; p is of no difference.

        Raises
        ------
        TableError
            If a column is missing, a probability is none, or too few rows have, or have not, the disease.
        UsageError
            If a threshold is not between 0 and 1.
        """
        wrong = [t for t in self.thresholds if not 0 < t < 1]
        if wrong or not self.thresholds:
            raise UsageError(f"thresholds {list(self.thresholds)}", wanted="numbers between 0 and 1")
        kept = labelled(
            table, self.event, self.probabilities, person=self.person, split=self.split, rows=self.rows, varied=False
        )
        probabilities(kept.scores, self.probabilities)
        return results(row for t in self.thresholds for row in self._at(kept, t))

    def _at(self, kept: Labelled, threshold: float) -> list[dict[str, Any]]:
        own = {EVERYONE: benefit(np.ones_like(kept.positive), kept.positive, threshold)}
        own |= {
            name: benefit(p >= threshold, kept.positive, threshold)
            for name, p in zip(self.probabilities, kept.scores, strict=True)
        }
        own[NOBODY] = np.zeros(kept.positive.size)
        first, *others = self.probabilities
        pairs = [(name, NOBODY) for name in (*self.probabilities, EVERYONE)]
        pairs += [(name, EVERYONE) for name in self.probabilities] + [(first, other) for other in others]
        return [self._row(kept, threshold, one, than, own[one] - own[than]) for one, than in pairs]

    def _row(self, kept: Labelled, threshold: float, one: str, than: str, gain: Floats) -> dict[str, Any]:
        found = clustered_mean(gain, kept.people)
        low, high = found.interval
        p = float(2 * stats.norm.sf(abs(found.value) / found.standard_error)) if found.standard_error > 0 else np.nan
        action = "on everyone" if one == EVERYONE else f"on {in_words(one)} of {threshold:.0%} or more"
        other = {EVERYONE: "acting on everyone", NOBODY: "acting on nobody"}.get(than, f"acting on {in_words(than)}")
        sentence = (
            f"With one needed action worth {number((1 - threshold) / threshold, 1)} needless ones, acting {action} "
            f"nets {number(1000 * found.value, 1)} true positives in 1,000 rows more than {other} (95% CI "
            f"{number(1000 * low, 1)} to {number(1000 * high, 1)}; {p_text(p)})."
        )
        return {
            "term": f"{one} against {than} at {threshold:g}",
            "estimate": found.value,
            "low": low,
            "high": high,
            "p": p,
            **kept.counts,
            "threshold": threshold,
            "strategy": one,
            "against": than,
            "per_1000": 1000 * found.value,
            "warning": kept.warning,
            "sentence": sentence,
        }
