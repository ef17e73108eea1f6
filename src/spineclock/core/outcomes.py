"""What a recipe answers: an age, or whether a disease is there. What follows from it is decided by it alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Pooling = Literal["mean", "max", "noisy-or"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)
"""How the probabilities of a person's vertebrae become the person's."""


@dataclass(frozen=True)
class Age:
    """The outcome is an age in years."""


@dataclass(frozen=True)
class Diagnosis:
    """The outcome is a disease that a person has or has not at the time of the scan.

    Parameters
    ----------
    name : str
        In words, such as ``osteoporosis``.
    column : str
        Of the cohort, 1 or true where the person has it.
    """

    name: str
    column: str


Outcome = Age | Diagnosis


@dataclass(frozen=True)
class LevelProbability:
    """What was said of one vertebra; ``probability`` is recalibrated as the person's is, by vertebrae."""

    level: str
    probability: float


@dataclass(frozen=True)
class DiagnosisPrediction:
    """A probability of disease with what is needed to judge it.

    Attributes
    ----------
    name : str
        The disease.
    probability : float
        Of the person's having it, recalibrated on people the network was validated by.
    threshold, rule
        Above which a person is called ill, and how it was chosen.
    levels : tuple of LevelProbability
        The vertebrae it was pooled from.
    missing : mapping of str to str
        Vertebrae that were asked for and could not be read, with the reason.
    pooling, sequence : str
        How vertebrae became a person, and the weighting that the network reads.
    thresholds : mapping of rule to threshold
        All that the network comes with.
    prevalence : float
        The share of people with the disease that the probability holds for.
    scores : mapping of str to float
        Simple measures that the probability can be held to, such as the vertebral bone quality score; NaN where not
        known.

    Examples
    --------
    >>> DiagnosisPrediction("osteoporosis", 0.4, 0.3, "youden", (LevelProbability("L3", 0.5),)).called
    True
    """

    name: str
    probability: float
    threshold: float
    rule: str
    levels: tuple[LevelProbability, ...]
    missing: Mapping[str, str] = field(default_factory=dict)
    pooling: Pooling = "mean"
    sequence: str = ""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    prevalence: float = float("nan")
    scores: Mapping[str, float] = field(default_factory=dict)

    @property
    def called(self) -> bool:
        """Whether the probability lies above the threshold."""
        return self.probability > self.threshold
