"""The simulated people of recipe four, the trainings on them, and where each stage leaves what it makes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Literal

Inputs = Literal["bone", "bone_muscle"]
Tasks = Literal["both", "detection", "follow_up"]

RECIPE = "ct-fracture"
GRID, GRID_SHAPE = "112x84x112", (112, 84, 112)
"""Of the scans: about 2.2 × 2 × 2 mm, slices first, deep enough for every spine with its muscles; regions of 64 × 112
at 3 × 2 × 2 mm are cut from them."""
LEAST_AGE = 67.0
"""With it the worlds' people have a mean age of 76, as the publication's (76.2), and two in three are women."""
MATTERS, IDLE = "muscle_matters", "muscle_idle"
EPOCHS = 25
TRAINED_SHARE, VALIDATION_SHARE = 0.84, 0.15
"""Those learned from are tested elsewhere; a run asks that somebody be left for its own test."""


@dataclass(frozen=True)
class People:
    """Some simulated people; every set has a seed of its own, so that nobody is in two.

    Attributes
    ----------
    count : int
        People drawn, of whom about seven in ten are old enough to be scanned.
    learned : str
        The world whose networks they are for.
    images : str, optional
        Another world's anatomy and scanners.
    """

    name: str
    count: int
    seed: int
    world: str
    learned: str
    images: str | None = None

    def scaled(self, scale: float) -> People:
        """Fewer or more of them, at least 20 or, where they are fewer, all."""
        return replace(self, count=max(min(20, self.count), round(scale * self.count)))


LEARNED = (
    People("matters_learned", 11_400, 80, MATTERS, MATTERS),
    People("idle_learned", 11_400, 81, IDLE, IDLE),
)
TESTED = (
    People("matters_test", 5_400, 82, MATTERS, MATTERS),
    People("idle_test", 14_000, 83, IDLE, IDLE),
    People("matters_other_sites", 5_400, 84, MATTERS, MATTERS, images="shifted"),
    People("matters_shifted", 4_400, 85, f"shifted+{MATTERS}", MATTERS),
)
"""In each at least 400 are expected to have a vertebral fracture within five years, and in ``idle_test`` the 700 that
it takes to call two networks equally good that agree by 0.95 (docs/results/fractures_idle.md)."""


@dataclass(frozen=True)
class Variant:
    """One training: what it sees, what it learns, and the seed of its first weights and its order of scans."""

    world: str
    inputs: Inputs
    tasks: Tasks
    seed: int = 0

    @property
    def told(self) -> str:
        """Such as ``bone_muscle-both``, or ``bone-both-seed1``."""
        return f"{self.inputs}-{self.tasks}" + (f"-seed{self.seed}" if self.seed else "")

    @property
    def name(self) -> str:
        """Such as ``muscle_matters-bone_muscle-both``."""
        return f"{self.world}-{self.told}"


VARIANTS = (
    *(Variant(MATTERS, i, t) for i, t in product(("bone", "bone_muscle"), ("both", "detection", "follow_up"))),  # type: ignore[arg-type]
    *(Variant(IDLE, i, "both", seed) for seed, i in product(range(3), ("bone", "bone_muscle"))),  # type: ignore[arg-type]
)
"""Two single networks of the idle world agree in their risks by 0.90, too little to be called equally good with the
fractures there are; means over three trainings agree more (docs/results/fractures_idle.md)."""


@dataclass(frozen=True)
class Places:
    """Where each stage leaves what it makes."""

    out: Path
    scale: float = 1.0
    only: str = ""
    """The one world whose networks are made, such as ``muscle_matters``; both where not told."""

    @property
    def learned(self) -> tuple[People, ...]:
        """Those learned from."""
        return self._of(LEARNED)

    @property
    def tested(self) -> tuple[People, ...]:
        """Those tested."""
        return self._of(TESTED)

    def _of(self, some: tuple[People, ...]) -> tuple[People, ...]:
        return tuple(people.scaled(self.scale) for people in some if self.only in ("", people.learned))

    def cohort(self, people: People) -> Path:
        """The simulated people and their scans."""
        return self.out / people.name

    def store(self, people: People) -> Path:
        """Their prepared scans."""
        return self.out / f"{people.name}-store"

    def measures(self, people: People) -> Path:
        """What is measured of their scans."""
        return self.out / f"{people.name}-measures.csv"

    def run(self, variant: Variant) -> Path:
        """A training."""
        return self.out / f"run-{variant.name}"

    def evaluation(self, people: People, variant: Variant) -> Path:
        """What its network says of some people."""
        return self.out / f"{people.name}-{variant.told}-evaluation"
