"""Shapes and signals of one made-up lumbar spine, in millimetres, before any image is made of it.

Everything lies in the sagittal plane: y to the front, z upwards; the third dimension is added when it is drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from spineclock.core.anatomy import LEVEL_NUMBERS
from spineclock.core.errors import UsageError

Sex = Literal["F", "M"]
Points = npt.NDArray[np.float64]

LEVELS = ("L5", "L4", "L3", "L2", "L1", "T12", "T11", "T10", "T9")
"""Upwards, more than a 300 mm field of view shows."""

BODY_DEPTH_MM = (34.7, 35.5, 35.2, 34.6, 34.1, 32.8, 31.9, 31.0, 30.0)
"""Upper endplate depths: Panjabi et al., Spine 17:299 (1992), lumbar; rounded from Spine 16:888 (1991), thoracic."""
BODY_HEIGHT_MM = (24.4, 25.2, 25.4, 25.6, 25.0, 24.0, 22.6, 21.6, 20.8)
"""Mid heights: posterior heights of Panjabi et al. plus about a millimetre, as anterior and posterior ones differ."""
BODY_WEDGE_DEG = (7.0, 2.0, 0.0, -1.0, -3.0, -3.5, -3.5, -4.0, -4.0)
"""How much taller in front; L1–S1 bodies and discs together make a supine lordosis of about 45°."""
DISC_HEIGHT_MM = (11.1, 12.0, 10.7, 9.3, 7.9, 6.8, 5.6, 5.0, 4.8)
"""Mid heights of the disc below each level: means on MRI rise from 7.9 mm (L1/2) to 12.0 (L4/5), 11.1 at L5/S1
(morphometry of 106 lumbar MRIs, Nepal); between and above them rounded."""
DISC_WEDGE_DEG = (12.0, 10.0, 8.0, 6.0, 4.0, 1.0, 0.0, 0.0, 0.0)

GRADE_SIGNAL = ((1.0, 2.0, 3.0, 4.0, 5.0), (0.62, 0.50, 0.30, 0.17, 0.11))
"""Nucleus signal over that of CSF by Pfirrmann grade (Pfirrmann et al., Spine 26:1873, 2001, gives the order; the
values are ours)."""
GRADE_HEIGHT = ((1.0, 2.0, 3.0, 4.0, 5.0), (1.04, 1.0, 0.94, 0.83, 0.68))

DISC_S_MM = 1.8
"""What is left of the discs within the sacrum."""


@dataclass(frozen=True)
class Block:
    """A vertebral body: its middle, tilt (front end up, radians), size and shape in millimetres, marrow over CSF."""

    name: str
    y_mm: float
    z_mm: float
    tilt: float
    depth_mm: float
    height_mm: float
    wedge: float
    concavity_mm: float
    marrow: float

    @property
    def number(self) -> int:
        """The level's number in the label map."""
        return LEVEL_NUMBERS[self.name]

    def at(self, u: float, w: float) -> tuple[float, float]:
        """Where (y, z) the point lies that is ``u`` in front of the middle and ``w`` above it."""
        c, s = math.cos(self.tilt), math.sin(self.tilt)
        return self.y_mm + u * c - w * s, self.z_mm + u * s + w * c


@dataclass(frozen=True)
class Disc:
    """A disc by the level above it: middle, tilt, depth and mid height, degeneration grade, nucleus over CSF."""

    name: str
    y_mm: float
    z_mm: float
    tilt: float
    depth_mm: float
    height_mm: float
    grade: float
    nucleus: float

    @property
    def number(self) -> int:
        """The disc's number in the label map."""
        return 100 + LEVEL_NUMBERS[self.name]


@dataclass(frozen=True)
class Spine:
    """Bodies and discs from L5 upwards, and the sacrum's segments from S1 downwards."""

    bodies: tuple[Block, ...]
    discs: tuple[Disc, ...]
    sacrum: tuple[Block, ...]


def lumbar_spine(*, age_years: float, sex: Sex, rng: np.random.Generator) -> Spine:
    """The spine of a made-up person; the same generator state gives the same person at any age.

    Raises
    ------
    UsageError
        If the age is not within 10–100 years.
    """
    if not 10 <= age_years <= 100:
        raise UsageError(f"an age of {age_years} years", wanted="10–100 years for the lumbar phantom")
    size = (1.12 if sex == "M" else 1.04) * float(np.clip(1 + 0.035 * rng.standard_normal(), 0.93, 1.07))
    slope = -math.radians(37 + 4 * rng.uniform(-1, 1))
    pace, grade_noise = rng.uniform(0.8, 1.2), rng.uniform(-0.5, 0.5, len(LEVELS))
    wedge_factor, marrow = rng.uniform(0.85, 1.15), rng.uniform(0.42, 0.50) + 0.0016 * (age_years - 20)
    concavity = 1.1 + 0.012 * (age_years - 20)

    bodies: list[Block] = []
    discs: list[Disc] = []
    y, z, tilt = -2.0, -74.0, float(slope)
    first = (y, z, tilt)
    for i, name in enumerate(LEVELS):
        grade = _grade(age_years, pace=pace, noise=float(grade_noise[i]), level=i)
        height = DISC_HEIGHT_MM[i] * size * float(np.interp(grade, *GRADE_HEIGHT))
        wedge = math.radians(DISC_WEDGE_DEG[i]) * wedge_factor * height / (DISC_HEIGHT_MM[i] * size)
        depth = BODY_DEPTH_MM[i] * size
        middle = tilt + wedge / 2
        disc = Disc(
            name,
            y - math.sin(middle) * (height / 2 - concavity),
            z + math.cos(middle) * (height / 2 - concavity),
            middle,
            depth * 1.02,
            height,
            grade,
            float(np.interp(grade, *GRADE_SIGNAL)),
        )
        rim = height - 2 * concavity  # the endplates hollow the bodies on both sides of the disc
        y, z, tilt = y - math.sin(middle) * rim, z + math.cos(middle) * rim, tilt + wedge
        discs.append(disc)
        tall = BODY_HEIGHT_MM[i] * size * (1 - 0.0005 * max(age_years - 30, 0))
        body_wedge = math.radians(BODY_WEDGE_DEG[i])
        middle = tilt + body_wedge / 2
        step_y, step_z = -math.sin(middle) * tall, math.cos(middle) * tall
        bodies.append(Block(name, y + step_y / 2, z + step_z / 2, middle, depth, tall, body_wedge, concavity, marrow))
        y, z, tilt = y + step_y, z + step_z, tilt + body_wedge
    return Spine(
        tuple(bodies),
        tuple(discs),
        _sacrum(first, depth_mm=BODY_DEPTH_MM[0] * size * 0.95, marrow=marrow, concavity=concavity),
    )


def _grade(age_years: float, *, pace: float, noise: float, level: int) -> float:
    """Degeneration, 1–5, rising with age; the lower discs go first."""
    early = (0.6, 0.6, 0.3, 0.15, 0.0, -0.1, -0.1, -0.2, -0.2)[level]
    return float(np.clip(1.0 + 0.042 * pace * (age_years - 15) + early + noise, 1.0, 5.0))


def _sacrum(top: tuple[float, float, float], *, depth_mm: float, marrow: float, concavity: float) -> tuple[Block, ...]:
    """S1–S4 downwards from the middle of the S1 endplate, each smaller; the front is hollow."""
    y, z, tilt = top
    blocks = []
    for i, (height, share) in enumerate(((28.0, 0.82), (23.0, 0.60), (20.0, 0.46), (17.0, 0.36))):
        wedge = math.radians((6, -2, -6, -8)[i])  # S1 tilts further back than its endplate; from S2 on the sacrum curls
        middle = tilt - wedge / 2
        down_y, down_z = math.sin(middle), -math.cos(middle)
        blocks.append(
            Block(
                f"S{i + 1}",
                y + down_y * height / 2,
                z + down_z * height / 2,
                middle,
                depth_mm * share,
                height,
                wedge,
                concavity if i == 0 else 0.5,
                marrow,
            )
        )
        y, z = y + down_y * (height + DISC_S_MM), z + down_z * (height + DISC_S_MM)
        tilt = middle - wedge / 2
    return tuple(blocks)
