"""The simulated people of recipe two, and where each stage leaves what it makes of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from spineclock.run.training import folder

RECIPE, CANVAS, PIXEL_MM = "xray-age", "256,128", 1.3
"""Pixels are a little finer than the canvas, so that every film is shrunk onto it, as one of full size would be."""
LEAST_AGE, LEAST_AGE_VFA = 40.0, 65.0
"""Of VERTE-X-Aging's derivation people, and of those with VFA images."""


@dataclass(frozen=True)
class People:
    """Some simulated people and what is taken of them; every set has a seed of its own, so that nobody is in two."""

    name: str
    count: int
    seed: int
    modality: str = "radiograph"
    world: str = "default"
    least_age: float = LEAST_AGE


LEARNED = People("learned", 5000, 40)
CALIBRATION = People("vfa_calibration", 3000, 41, modality="vfa", least_age=LEAST_AGE_VFA)
TESTED = (
    People("radiographs", 4000, 42),
    People("vfa", 9000, 43, modality="vfa", least_age=LEAST_AGE_VFA),
    People("radiographs_shifted", 800, 44, world="shifted"),
    People("vfa_shifted", 3000, 45, modality="vfa", world="shifted", least_age=LEAST_AGE_VFA),
    People("radiographs_ageing_off", 500, 46, world="ageing_off"),
)


@dataclass(frozen=True)
class Places:
    """Where each stage leaves what it makes."""

    out: Path

    def cohort(self, people: People) -> Path:
        """The simulated people and their films."""
        return self.out / people.name

    def store(self, people: People) -> Path:
        """Their prepared films."""
        return self.out / f"{people.name}-store"

    def evaluation(self, people: People, *, before: bool = False) -> Path:
        """What the network says of them, before it was recalibrated or after; another network has another folder."""
        return self.out / f"{people.name}-{'before' if before else 'evaluation'}-{self.network}"

    @property
    def run(self) -> Path:
        """The training."""
        return self.out / "run"

    @property
    def network(self) -> str:
        """The first digits of its weights' hash."""
        return str(json.loads((self.run / folder.DONE).read_text(encoding="utf-8"))["weights_sha256"])[:8]
