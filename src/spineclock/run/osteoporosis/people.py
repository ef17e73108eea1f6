"""The simulated people of recipe three, and where each stage leaves what it makes of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

RECIPE = "mri-osteoporosis"
GRID, SLAB_MM = "5x384x320", 20.0
"""Five slices of 4 mm about the midline, pixels of 0.75 mm: crops of 64 × 64 have pixels of about 0.65 mm."""
LEAST_AGE = 50.0
"""Of the publication's patients."""
SEQUENCES = ("T1w", "T2w")
DISEASE = "osteoporosis"


@dataclass(frozen=True)
class People:
    """Some simulated people; every set has a seed of its own, so that nobody is in two."""

    name: str
    count: int
    seed: int
    world: str = "osteoporosis"


LEARNED = People("learned", 2400, 70)
TESTED = (People("tested", 900, 71), People("tested_shifted", 700, 72, world="shifted+osteoporosis"))


def everyone(share: float) -> tuple[People, ...]:
    """Those learned from, then those tested, this share of each.

    >>> [people.count for people in everyone(0.1)]
    [240, 90, 70]
    """
    return tuple(replace(people, count=round(share * people.count)) for people in (LEARNED, *TESTED))


@dataclass(frozen=True)
class Places:
    """Where each stage leaves what it makes."""

    out: Path

    def cohort(self, people: People) -> Path:
        """The simulated people and their scans."""
        return self.out / people.name

    def store(self, people: People, sequence: str) -> Path:
        """Their prepared crops of one weighting."""
        return self.out / f"{people.name}-store-{sequence}"

    def known(self, people: People) -> Path:
        """What their bodies hold, and what is measured of their scans."""
        return self.out / f"{people.name}-known.csv"

    def run(self, sequence: str) -> Path:
        """A training; that of each weighting by its name, as a model of both wants it."""
        return self.out / "run" / sequence

    def evaluation(self, people: People, sequence: str) -> Path:
        """What the network of a weighting says of them."""
        return self.out / f"{people.name}-evaluation-{sequence}"

    def backbone(self, network: str) -> Path:
        """A short training of one of several networks."""
        return self.out / "backbones" / network
