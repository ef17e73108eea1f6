"""AUROC of each score, and of one score against another on the same people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from spineclock.core.errors import UsageError
from spineclock.stats.diagnosis.labels import Labelled, in_words, labelled
from spineclock.stats.diagnosis.roc import Areas, delong
from spineclock.stats.result import interval_text, p_text, results


@dataclass(frozen=True)
class Auroc:
    """The area under the ROC curve of each score, with DeLong's 95% interval, clustered by person.

    All scores are judged on the same rows: those with the diagnosis and every score. Extra columns: ``positives``,
    ``negatives``, ``people``, ``left_out``, ``se``, ``warning``.

    Parameters
    ----------
    event, scores
        The diagnosis (true/false), and the columns whose higher values speak for it.
    falling
        Those of the scores whose *lower* values speak for it, such as a T-score.
    rows
        The split to use, such as "test"; None for all rows.
    interval
        "plain", as most papers have it, or "logit".

    Examples
    --------
    >>> table = pd.DataFrame({"person_id": list("abcdef"), "osteoporosis": [0, 0, 1, 0, 1, 1],
    ...                       "predicted_age_years": [41, 52, 63, 64, 75, 76]})
    >>> Auroc("osteoporosis", ["predicted_age_years"])(table)[["estimate", "low", "high"]].round(3).to_numpy().tolist()
    [[0.889, 0.581, 1.0]]
    """

    event: str
    scores: Sequence[str] = ("predicted_age_years",)
    falling: Sequence[str] = ()
    person: str | None = "person_id"
    split: str = "split"
    rows: str | None = None
    interval: Literal["plain", "logit"] = "plain"

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """One row a score; p is of an AUROC of 0.5.

        Raises
        ------
        TableError
            If a column is missing or constant, or fewer than two rows have, or have not, the disease.
        """
        kept = labelled(table, self.event, self.scores, person=self.person, split=self.split, rows=self.rows)
        areas = _areas(kept, self.scores, self.falling)
        return results(self._row(kept, areas, i) for i in range(len(self.scores)))

    def _row(self, kept: Labelled, areas: Areas, i: int) -> dict[str, Any]:
        name, found, counts = self.scores[i], areas.area(i, interval=self.interval), kept.counts
        warnings = [kept.warning] if kept.warning else []
        if np.isnan(found.low):
            warnings.append("the score separates the two groups completely, so that its spread is not known")
        warning = "; ".join(warnings)
        sentence = (
            f"{in_words(name).capitalize()} tells rows with {in_words(self.event)} from those without with an AUROC of "
            f"{interval_text(found.value, found.low, found.high)}: that is how often a random one with it scores "
            f"{'lower' if name in self.falling else 'higher'} than a random one without "
            f"({counts['positives']:,} with, {counts['negatives']:,} without; {p_text(found.p)} against chance)."
        )
        return {
            "term": name,
            **_estimate(found),
            **counts,
            "se": float(np.sqrt(areas.covariance[i, i])),
            "warning": warning,
            "sentence": sentence + _caution(warning),
        }


@dataclass(frozen=True)
class AurocDifference:
    """How much larger a score's AUROC is than each other's on the same rows, paired (DeLong), clustered by person.

    Extra columns as :class:`Auroc`'s, with ``auroc`` and ``auroc_other``.

    Examples
    --------
    >>> table = pd.DataFrame({"person_id": range(8), "ill": [0, 0, 0, 0, 1, 1, 1, 1],
    ...                       "new": [1, 2, 3, 5, 4, 6, 7, 8], "old": [1, 5, 6, 2, 3, 8, 4, 7]})
    >>> float(AurocDifference("ill", "new", ["old"])(table).loc[0, "estimate"])
    0.1875
    """

    event: str
    score: str = "predicted_age_years"
    others: Sequence[str] = ("age_years",)
    falling: Sequence[str] = ()
    person: str | None = "person_id"
    split: str = "split"
    rows: str | None = None

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """One row for each of the others; p is of no difference.

        Raises
        ------
        TableError
            As :class:`Auroc`.
        """
        names = [self.score, *self.others]
        if len(set(names)) < max(2, len(names)):
            raise UsageError(f"{self.score} against {', '.join(self.others) or 'nothing'}", wanted="different scores")
        kept = labelled(table, self.event, names, person=self.person, split=self.split, rows=self.rows)
        areas = _areas(kept, names, self.falling)
        return results(self._row(kept, areas, i, name) for i, name in enumerate(names[1:], start=1))

    def _row(self, kept: Labelled, areas: Areas, i: int, other: str) -> dict[str, Any]:
        found = areas.difference(0, i)
        warning = kept.warning
        if np.isnan(found.low):
            warning = "; ".join([*([warning] if warning else []), "the spread of the difference is not known"])
        sentence = (
            f"For {in_words(self.event)} the AUROC of {in_words(self.score)} ({areas.values[0]:.2f}) minus that of "
            f"{in_words(other)} ({areas.values[i]:.2f}) is "
            f"{interval_text(found.value, found.low, found.high, digits=3)}; {p_text(found.p)}."
        )
        return {
            "term": f"{self.score} − {other}",
            **_estimate(found),
            **kept.counts,
            "auroc": float(areas.values[0]),
            "auroc_other": float(areas.values[i]),
            "warning": warning,
            "sentence": sentence + _caution(warning),
        }


def _areas(kept: Labelled, names: Sequence[str], falling: Sequence[str]) -> Areas:
    unknown = set(falling) - set(names)
    if unknown:
        raise UsageError(f"falling: {', '.join(sorted(unknown))}", wanted=f"some of {', '.join(names)}")
    signs = np.array([-1.0 if name in falling else 1.0 for name in names])
    return delong(kept.scores * signs[:, None], kept.positive, people=kept.people)


def _estimate(found: Any) -> dict[str, float]:
    return {"estimate": found.value, "low": found.low, "high": found.high, "p": found.p}


def _caution(warning: str) -> str:
    return f" Caution: {warning}." if warning else ""
