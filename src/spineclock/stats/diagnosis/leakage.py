"""By how much a study flatters itself that deals out vertebrae, not people, to training and test.

The vertebrae of a person resemble each other in much that has nothing to do with the disease: coil, field, build. A
learner that has seen one of them knows the person, and with the person the label, which all of them share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.errors import UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.diagnosis.cross_fit import folds_of
from spineclock.stats.diagnosis.labels import Bools
from spineclock.stats.diagnosis.roc import Area, delong
from spineclock.stats.result import interval_text, results

Learner = Callable[[npt.NDArray[Any], Bools, npt.NDArray[Any]], Floats]
"""Training features (n, …), their diagnoses (n,) and test features (m, …) to scores (m,)."""


class Vertebrae(NamedTuple):
    """Rows of made-up vertebrae."""

    features: Floats
    """(n, features)."""
    positive: Bools
    """(n,), the same in all vertebrae of a person."""
    people: npt.NDArray[np.int64]
    """(n,)."""


@dataclass(frozen=True)
class MadeUpVertebrae:
    """People with a disease at random, and vertebrae that look like their person.

    A vertebra's features are the person's own, drawn without regard to the disease (normal, SD ``person_sd``), plus the
    vertebra's (SD 1), plus ``signal`` in the first feature of those with the disease. At a signal of 0 nothing can be
    learnt of another person.
    """

    people: int = 200
    vertebrae: int = 4
    features: int = 12
    person_sd: float = 2.0
    signal: float = 0.0
    prevalence: float = 0.4

    def __call__(self, *, rng: np.random.Generator) -> Vertebrae:
        """The rows, a person's together; round(people × prevalence) people have the disease.

        >>> made = MadeUpVertebrae(people=50, vertebrae=3)(rng=np.random.default_rng(0))
        >>> made.features.shape, int(made.positive.sum())
        ((150, 12), 60)
        """
        if min(self.people, self.vertebrae, self.features) < 1 or not 0 < self.prevalence < 1:
            raise UsageError(f"{self}", wanted="1 or more of each, a prevalence between 0 and 1")
        ill = rng.permutation(self.people) < round(self.people * self.prevalence)
        own = rng.normal(0, self.person_sd, (self.people, self.features))
        own[:, 0] += self.signal * ill
        who = np.repeat(np.arange(self.people), self.vertebrae)
        return Vertebrae(own[who] + rng.standard_normal((len(who), self.features)), ill[who], who)


def nearest_neighbours(k: int = 5) -> Learner:
    """A learner that scores by the share of ill among the k nearest training rows, the nearer counting more.

    It is the simplest thing that memorises, as a large network does.

    >>> train, ill = np.array([[0.0], [0.1], [5.0], [5.1]]), np.array([False, False, True, True])
    >>> nearest_neighbours(2)(train, ill, np.array([[0.05], [5.05]])).tolist()
    [0.0, 1.0]
    """

    def learnt(features: npt.NDArray[Any], positive: Bools, asked: npt.NDArray[Any]) -> Floats:
        from sklearn.neighbors import KNeighborsClassifier

        model = KNeighborsClassifier(n_neighbors=min(k, len(positive)), weights="distance")
        model.fit(features.reshape(len(features), -1), positive)
        share = model.predict_proba(asked.reshape(len(asked), -1))
        return np.asarray(share[:, list(model.classes_).index(True)], dtype=np.float64)

    return learnt


def flattery(
    features: npt.NDArray[Any],
    positive: Bools,
    people: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    learner: Learner | None = None,
    folds: int = 5,
) -> pd.DataFrame:
    """AUROC per vertebra when vertebrae are dealt out to the folds, when people are, and by how much the first is more.

    Everything else is the same: rows, learner, number of folds, share of ill in each. Scores of all folds are judged
    together. Intervals are DeLong's, clustered by person, and paired for the difference; that folds share the people
    they learn from is not in them (of 150 studies of 200 people with nothing to learn, 87 in 100 held an AUROC of 0.5).

    Parameters
    ----------
    features : array, shape (n, …)
        Of each vertebra: numbers, or image crops.
    positive : array of bool, shape (n,)
    people : array-like, shape (n,)
        Who each vertebra is of.
    learner : callable, optional
        As of :data:`Learner`; the five nearest neighbours where not given.
    folds : int
        Each is tested by a learner of the others.

    Raises
    ------
    TableError
        If fewer people than folds have, or have not, the disease.
    UsageError
        If lengths differ, or there are fewer than two folds.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = flattery(*MadeUpVertebrae()(rng=rng), rng=rng).set_index("term")  # nothing can be learnt
    >>> bool(found.loc["split by vertebra", "low"] > 0.9), bool(found.loc["split by person", "low"] < 0.5)
    (True, True)
    """
    y, who = np.asarray(positive, dtype=bool), np.unique(np.asarray(people), return_inverse=True)[1].ravel()
    if not len(features) == len(y) == len(who) or folds < 2:
        raise UsageError(
            f"{len(features)} rows of features, {len(y)} diagnoses, {len(who)} people, {folds} folds",
            wanted="one of each a vertebra, and 2 folds or more",
        )
    told = nearest_neighbours() if learner is None else learner
    parts = {
        "split by vertebra": folds_of(np.arange(len(y)), y, folds=folds, rng=rng),
        "split by person": folds_of(who, y, folds=folds, rng=rng),
    }
    scores = np.stack([_out_of_fold(features, y, part, told) for part in parts.values()])
    areas = delong(scores, y, people=who)
    counts = {"n": len(y), "positives": int(y.sum()), "negatives": int((~y).sum()), "people": int(who.max()) + 1}
    rows = [
        _row(term, areas.area(i), counts, f"Tested on vertebrae {words}, the AUROC is")
        for i, (term, words) in enumerate(
            zip(parts, ("of people it was trained on", "of people it has not seen"), strict=True)
        )
    ]
    return results([*rows, _row("flattery", areas.difference(0, 1), counts, "The first is the larger by")])


def _out_of_fold(features: npt.NDArray[Any], y: Bools, part: npt.NDArray[np.int64], learner: Learner) -> Floats:
    scores = np.empty(len(y))
    for fold in np.unique(part):
        out = part == fold
        scores[out] = learner(features[~out], y[~out], features[out])
    return scores


def _row(term: str, found: Area, counts: dict[str, int], words: str) -> dict[str, Any]:
    return {
        "term": term,
        "estimate": found.value,
        "low": found.low,
        "high": found.high,
        "p": found.p,
        **counts,
        "sentence": f"{words} {interval_text(found.value, found.low, found.high)}.",
    }
