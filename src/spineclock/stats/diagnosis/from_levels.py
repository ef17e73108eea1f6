"""From the log-odds that a network gives single vertebrae to a person's probability of disease, and a call.

All that is fitted here is fitted on people the network has not learned from: class weights in training take its answers
off the scale of probabilities, and :mod:`spineclock.stats.diagnosis.recalibrated` brings them back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from spineclock.core.errors import InputError, TableError
from spineclock.core.outcomes import Pooling
from spineclock.stats.ages import Floats
from spineclock.stats.diagnosis.labels import FEW
from spineclock.stats.diagnosis.operating import Threshold
from spineclock.stats.diagnosis.pooling import pooled
from spineclock.stats.diagnosis.recalibrated import EVERYONE, LogisticRecalibration

YOUDEN = "youden"


@dataclass(frozen=True)
class FromLevels:
    """How vertebrae become a person: their probabilities, pooled, recalibrated, and called above a threshold.

    Parameters
    ----------
    vertebra, person : LogisticRecalibration
        Of a vertebra's log-odds, and of the pooled probability.
    pooling : "mean", "max" or "noisy-or"
        As of :func:`spineclock.stats.diagnosis.pooling.pooled`.
    thresholds : mapping of rule to probability
        Above which a person is called ill: ``youden``, and the highest that keeps a sensitivity. Nobody is called by
        ``youden`` where the answers say nothing.
    rule : str
        Which of them calls.
    """

    vertebra: LogisticRecalibration
    person: LogisticRecalibration
    pooling: Pooling
    thresholds: Mapping[str, float]
    rule: str = YOUDEN

    @classmethod
    def fit(
        cls,
        log_odds: npt.ArrayLike,
        positive: npt.ArrayLike,
        people: npt.ArrayLike,
        *,
        pooling: Pooling = "mean",
        sensitivity: float = 0.9,
        each: npt.ArrayLike | None = None,
    ) -> FromLevels:
        """Lines and thresholds by people not learned from.

        Parameters
        ----------
        log_odds : array, shape (scans, levels)
            NaN where a level is not there; each scan has one at least.
        positive : array of bool, shape (scans,)
        people : array, shape (scans,)
            Whom each scan is of.
        sensitivity : float
            That a second threshold is to keep.
        each : array, shape (scans, levels), optional
            Whether each level has it, NaN where not known; by default each has its person's.

        Raises
        ------
        TableError
            If all have the disease, or none, or a scan has no vertebra.

        Examples
        --------
        >>> z = np.array([[-2.0, -1.0], [-1.0, np.nan], [1.0, 0.0], [-1.5, 0.5], [1.5, 2.0], [0.5, -1.0]])
        >>> found = FromLevels.fit(z, [0, 0, 0, 1, 1, 1], range(6))
        >>> found.probability(z).round(2).tolist(), sorted(found.thresholds)
        ([0.19, 0.3, 0.69, 0.42, 0.9, 0.49], ['sensitivity_0.9', 'youden'])
        """
        z, ill, who = np.asarray(log_odds, np.float64), np.asarray(positive, bool), np.asarray(people)
        there = np.isfinite(z)
        if not there.any(axis=1).all():
            raise TableError("a scan without any vertebra", wanted="one at least")
        own = np.broadcast_to(ill[:, None], z.shape) if each is None else np.asarray(each, np.float64)
        told = there & np.isfinite(own)
        row = np.nonzero(told)[0]
        vertebra = LogisticRecalibration.fit(z[told], own[told] > 0, people=who[row], scale="score")
        person = LogisticRecalibration.fit(_pooled(vertebra(z), pooling), ill, people=who)
        p = cls(vertebra, person, pooling, {}).probability(z)
        found = {
            YOUDEN: Threshold.youden(p, ill).value,
            f"sensitivity_{sensitivity:g}": Threshold.at_sensitivity(p, ill, least=sensitivity).value,
        }
        if not person.slope > 0:  # no threshold is better than another, and a call would be a guess
            found[YOUDEN] = 1.0
        return cls(vertebra, person, pooling, {name: float(np.clip(value, 0, 1)) for name, value in found.items()})

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> FromLevels:
        """From what :meth:`as_dict` gives.

        Raises
        ------
        InputError
            If it is not that.
        """
        try:
            lines = {name: LogisticRecalibration.from_dict(told[name]) for name in ("vertebra", "person")}
            thresholds = {str(name): float(value) for name, value in told["thresholds"].items()}
            pooling, rule = told["pooling"], told["rule"]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"a calibration that cannot be used ({error})", remedy="train the network again"
            ) from error
        if pooling not in get_args(Pooling) or rule not in thresholds or not np.isfinite([*thresholds.values()]).all():
            raise InputError(
                f"a calibration with pooling {pooling!r} and thresholds {thresholds}, called by {rule!r}",
                wanted=f"pooling {', '.join(get_args(Pooling))}, and a finite threshold of the rule",
            )
        return cls(lines["vertebra"], lines["person"], pooling, thresholds, rule)

    def as_dict(self) -> dict[str, Any]:
        """As plain data, for ``network.json``."""
        return {
            "vertebra": self.vertebra.as_dict(), "person": self.person.as_dict(), "pooling": self.pooling,
            "thresholds": dict(self.thresholds), "rule": self.rule,
        }  # fmt: skip

    @property
    def threshold(self) -> float:
        """Above which a person is called ill."""
        return self.thresholds[self.rule]

    @property
    def caution(self) -> str:
        """What a reader of its probabilities must know; empty where nothing."""
        said = []
        ill, well = self.person.positives, self.person.negatives
        if min(ill, well) < FEW:
            said.append(f"recalibrated by few: {ill} scans with and {well} without the disease")
        for what, line in (("vertebrae", self.vertebra), ("people", self.person)):
            if line.method not in ("maximum likelihood", EVERYONE):
                said.append(f"answers for {what} separate those recalibrated by, so that {line.method} were used")
        if self.person.method == EVERYONE:
            said.append("answers do not rise with the disease in those recalibrated by: all are told the prevalence, "
                        "and nobody is called")  # fmt: skip
        return "; ".join(said)

    def vertebrae(self, log_odds: npt.ArrayLike) -> Floats:
        """The probability of each vertebra, shape (scans, levels); NaN where it is not there."""
        return self.vertebra(log_odds)

    def probability(self, log_odds: npt.ArrayLike) -> Floats:
        """The probability of each scan's person, shape (scans,)."""
        return self.person(_pooled(self.vertebrae(log_odds), self.pooling))


def _pooled(probability: Floats, pooling: Pooling) -> Floats:
    """(scans,) from (scans, levels)."""
    of = np.repeat(np.arange(len(probability)), probability.shape[1])
    return pooled(probability.ravel(), of, rule=pooling)
