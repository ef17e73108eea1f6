"""What a recipe answers: an age, a disease, or an event to come. What follows from it is decided by it alone."""

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


@dataclass(frozen=True)
class TimeToEvent:
    """The outcome is what is there at the time of the scan, and an event in the years after it.

    Parameters
    ----------
    event : str
        Column of the cohort, true where it was seen; ``{event}_years`` tells when, or until when it was not.
    finding : str
        Column, true where the person has such a thing already; or ``count``, how many.
    competing : str
        Column of another event that rules it out, and ``{competing}_years``.
    horizons_years : tuple of float
        By when risks are told; the last one is the one that stands for them.

    Examples
    --------
    >>> told = TimeToEvent("vertebral_fracture", "prevalent_fracture")
    >>> told.years, told.words, told.horizon_years
    ('vertebral_fracture_years', 'vertebral fracture', 5.0)
    """

    event: str
    finding: str
    count: str = ""
    competing: str = "death"
    horizons_years: tuple[float, ...] = (2.0, 3.0, 5.0)

    @property
    def years(self) -> str:
        """Column of the time."""
        return f"{self.event}_years"

    @property
    def words(self) -> str:
        """The event, in words."""
        return self.event.replace("_", " ")

    @property
    def horizon_years(self) -> float:
        """The last horizon."""
        return self.horizons_years[-1]


Outcome = Age | Diagnosis | TimeToEvent


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
    components : mapping of str to float
        The probabilities that it was joined from, by weighting; empty where one network answers.

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
    components: Mapping[str, float] = field(default_factory=dict)

    @property
    def called(self) -> bool:
        """Whether the probability lies above the threshold."""
        return self.probability > self.threshold


@dataclass(frozen=True)
class GradedVertebra:
    """A vertebra as it is measured: Genant's grade (0 none, to 3 severe) and form of its loss of height, and density.

    ``loss`` is the largest share of height lost, NaN with no sound neighbour or where it is cut off; ``probability`` of
    a fracture by the network, NaN where it does not judge vertebrae by themselves.
    """

    level: str
    grade: int | None
    form: str = ""
    loss: float = float("nan")
    trabecular_hu: float = float("nan")
    probability: float = float("nan")


@dataclass(frozen=True)
class EventPrediction:
    """What is there, measured and by a network, and the risk of what will come.

    Attributes
    ----------
    words, finding : str
        The event and what is looked for now, in words.
    vertebrae : tuple of GradedVertebra
        All that are whole in view, from the top down.
    shown : tuple of str
        Those that the network has seen.
    probability, threshold, rule
        Of the finding's being there, and above which it is called, and how that was chosen; NaN where not judged.
    curve : tuple of (years, risk)
        Of the event by then, the last one standing for all; empty where no risk is given, and ``lacking`` says why.
    horizons_years : tuple of float
        Those of the curve's years that are told by number.
    interval : (low, high), optional
        Of the last risk, with probability ``coverage``; ``observed`` is what validation people with that risk had.
    competing : str
        The event beside which the risk stands; empty where it is of a life without one.
    measures : mapping of str to float
        Bone and muscle in one number each, NaN where not in view.

    Examples
    --------
    >>> told = EventPrediction("fracture", "fracture", (GradedVertebra("L1", 2, "wedge", 0.3),), curve=((5.0, 0.12),))
    >>> [v.level for v in told.fractures], told.risk, told.risk_by(5.0)
    (['L1'], 0.12, 0.12)
    """

    words: str
    finding: str
    vertebrae: tuple[GradedVertebra, ...]
    shown: tuple[str, ...] = ()
    probability: float = float("nan")
    threshold: float = float("nan")
    rule: str = ""
    curve: tuple[tuple[float, float], ...] = ()
    horizons_years: tuple[float, ...] = ()
    interval: tuple[float, float] | None = None
    coverage: float = float("nan")
    observed: float = float("nan")
    competing: str = ""
    lacking: str = ""
    measures: Mapping[str, float] = field(default_factory=dict)

    @property
    def fractures(self) -> tuple[GradedVertebra, ...]:
        """The vertebrae of grade 1 and more."""
        return tuple(v for v in self.vertebrae if v.grade)

    @property
    def called(self) -> bool | None:
        """Whether the probability lies above the threshold; None where there is none."""
        return self.probability > self.threshold if self.probability == self.probability else None

    @property
    def risk(self) -> float | None:
        """By the last of the years; None where none is given."""
        return self.curve[-1][1] if self.curve else None

    def risk_by(self, years: float) -> float:
        """By these years, which the curve holds; NaN where it does not."""
        return dict(self.curve).get(years, float("nan"))
