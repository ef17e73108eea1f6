"""Any figure of a score less another's on the same people, with an interval from resampled people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from spineclock.core.errors import UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.diagnosis.labels import Bools, Labelled, in_words, labelled, probabilities
from spineclock.stats.resample import person_percentiles
from spineclock.stats.result import interval_text, results

Figure = Callable[[Floats, Bools], float]
"""Scores and diagnoses, (n,) each, to one number; NaN where it has none, as in a draw without anyone ill."""


def auroc(score: Floats, positive: Bools) -> float:
    """The area under the ROC curve.

    >>> auroc(np.array([1.0, 2, 2, 4]), np.array([False, False, True, True]))
    0.875
    """
    ill, well = int(positive.sum()), int((~positive).sum())
    if not ill or not well:
        return np.nan
    return float((stats.rankdata(score)[positive].sum() - ill * (ill + 1) / 2) / (ill * well))


def average_precision(score: Floats, positive: Bools) -> float:
    """The mean precision at each gain in sensitivity; equal scores are called together. The prevalence by chance.

    >>> round(average_precision(np.array([1.0, 2, 3, 4]), np.array([False, True, False, True])), 4)
    0.8333
    """
    if not positive.any():
        return np.nan
    of = np.unique(-score, return_inverse=True)[1].ravel()
    hits, called = np.bincount(of, weights=positive), np.bincount(of)
    return float((hits * np.cumsum(hits) / np.cumsum(called)).sum() / hits.sum())


def brier(score: Floats, positive: Bools) -> float:
    """The mean squared error of a probability."""
    return float(np.square(score - positive).mean())


def log_loss(score: Floats, positive: Bools) -> float:
    """The mean of −log of the probability that was given to what is so."""
    return float(-np.log(np.clip(np.where(positive, score, 1 - score), 1e-9, 1)).mean())


FIGURES: Mapping[str, Figure] = {
    "AUROC": auroc,
    "average precision": average_precision,
    "Brier score": brier,
    "log loss": log_loss,
}
_OF_PROBABILITIES = ("Brier score", "log loss")


@dataclass(frozen=True)
class FigureDifference:
    """A figure of a score minus that of each other on the same rows, people being drawn with all their rows.

    Percentile intervals of the same draws; there is no p. Extra columns: ``figure``, ``value``, ``value_other``,
    ``resamples`` (draws that had the figure), and the counts of :class:`Auroc`. Of the AUROC alone DeLong's
    (:class:`AurocDifference`) does the same without chance.

    Parameters
    ----------
    figure
        A name of :data:`FIGURES`, or a function of one's own.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> own = rng.normal(size=300)
    >>> table = pd.DataFrame({"person_id": np.arange(300) // 3, "ill": own > 0.3})
    >>> table["near"], table["far"] = own + rng.normal(0, 1, 300), own + rng.normal(0, 4, 300)
    >>> found = FigureDifference("ill", "near", ["far"], resamples=200)(table, rng=rng)
    >>> bool(found.loc[0, "low"] > 0), int(found.loc[0, "people"])
    (True, 100)
    """

    event: str
    score: str
    others: Sequence[str]
    figure: str | Figure = "AUROC"
    resamples: int = 2000
    person: str | None = "person_id"
    split: str = "split"
    rows: str | None = None

    def __call__(self, table: pd.DataFrame, *, rng: np.random.Generator) -> pd.DataFrame:
        """One row for each of the others.

        Raises
        ------
        TableError
            As :class:`Auroc`, or if a probability is none where the figure is of probabilities.
        UsageError
            If there is no such figure, or a score is compared with itself.
        """
        names = [self.score, *self.others]
        if len(set(names)) < max(2, len(names)):
            raise UsageError(f"{self.score} against {', '.join(self.others) or 'nothing'}", wanted="different scores")
        called, figure = self._figure()
        kept = labelled(table, self.event, names, person=self.person, split=self.split, rows=self.rows, varied=False)
        if called in _OF_PROBABILITIES:
            probabilities(kept.scores, names)

        def values(rows: npt.NDArray[np.int64]) -> Floats:
            return np.array([figure(score[rows], kept.positive[rows]) for score in kept.scores])

        def differences(rows: npt.NDArray[np.int64]) -> Floats:
            found = values(rows)
            return np.asarray(found[0] - found[1:])

        own = values(np.arange(kept.positive.size))
        ends = person_percentiles(differences, kept.people, rng=rng, resamples=self.resamples)
        return results(
            self._row(kept, called, own, i, (float(ends.low[i]), float(ends.high[i]), int(ends.resamples[i])))
            for i in range(len(self.others))
        )

    def _figure(self) -> tuple[str, Figure]:
        if not isinstance(self.figure, str):
            return getattr(self.figure, "__name__", "figure").replace("_", " "), self.figure
        if self.figure not in FIGURES:
            raise UsageError(f"the figure {self.figure!r}", wanted=f"{', '.join(FIGURES)}, or a function")
        return self.figure, FIGURES[self.figure]

    def _row(
        self, kept: Labelled, called: str, own: Floats, i: int, ends: tuple[float, float, int]
    ) -> dict[str, object]:
        other, (low, high, drawn) = self.others[i], ends
        value = float(own[0] - own[i + 1])
        sentence = (
            f"For {in_words(self.event)} the {called} of {in_words(self.score)} ({own[0]:.3f}) minus that of "
            f"{in_words(other)} ({own[i + 1]:.3f}) is {interval_text(value, low, high, digits=3)}, from {drawn:,} "
            f"draws of {kept.counts['people']:,} people."
        )
        return {
            "term": f"{self.score} − {other}",
            "estimate": value,
            "low": low,
            "high": high,
            "p": np.nan,
            **kept.counts,
            "figure": called,
            "value": float(own[0]),
            "value_other": float(own[i + 1]),
            "resamples": drawn,
            "warning": kept.warning,
            "sentence": sentence,
        }
