"""Spines drawn from formulae, whose every length and angle is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest

from spineclock.core.volume import Mask, Volume

BACKGROUND, CSF = 10.0, 210.0


@dataclass(frozen=True)
class Part:
    """A prism from side to side whose outline in the sagittal plane is a box, an ellipse or a wedge.

    ``centre`` (front, up), ``width`` along itself, ``height`` at its middle, ``taper``: by how much the front is higher
    than the back; ``degrees``: by how much its front points up.
    """

    label: int
    centre: tuple[float, float]
    width: float
    height: float
    degrees: float = 0.0
    signal: float = 60.0
    shape: Literal["box", "ellipse"] = "box"
    taper: float = 0.0
    sideways: float = 400.0


@dataclass(frozen=True, eq=False)
class Drawn:
    volume: Volume
    labels: Mask
    bodies: Mask


Draw = Callable[..., Drawn]


@pytest.fixture(scope="session")
def draw() -> Draw:
    def drawn(
        parts: Sequence[Part],
        spacing: tuple[float, float, float] = (2.0, 0.5, 0.5),
        extent: tuple[float, float, float] = (20.0, 110.0, 200.0),
        shift: float = 0.13,
    ) -> Drawn:
        """The parts on a grid; the middle of the slab is 0 from side to side.

        ``shift`` is the grid's, in voxels, so that no edge lies on a voxel's middle.
        """
        shape = tuple(round(e / s) for e, s in zip(extent, spacing, strict=True))
        x, y, z = ((np.arange(n) + shift) * s for n, s in zip(shape, spacing, strict=True))
        x = x - x.mean()
        labels, signal = np.zeros(shape, np.uint8), np.full(shape, BACKGROUND)
        for part in parts:
            cos, sin = np.cos(np.radians(part.degrees)), np.sin(np.radians(part.degrees))
            dy, dz = (y - part.centre[0])[:, None], (z - part.centre[1])[None, :]
            u, v = dy * cos + dz * sin, dz * cos - dy * sin
            if part.shape == "ellipse":
                inside = (2 * u / part.width) ** 2 + (2 * v / part.height) ** 2 < 1
            else:
                height = part.height + part.taper * u / part.width
                inside = (np.abs(u) < part.width / 2) & (np.abs(v) < height / 2)
            whole = inside[None] & (np.abs(x) < part.sideways / 2)[:, None, None]
            labels[whole], signal[whole] = part.label, part.signal
        affine = np.diag([*spacing, 1.0])
        bodies = np.where((labels > 0) & (labels < 60), labels, 0).astype(np.uint8)
        return Drawn(Volume(signal, affine), Mask(labels, affine), Mask(bodies, affine))

    return drawn


def stack(angles: Sequence[float], *, disc: float = 10.0, body: float = 26.0, width: float = 34.0) -> list[Part]:
    """L1 … L5 with the discs below them: body ``n`` tilted by ``angles[n]``, each disc half-way between its neighbours.

    A canal runs up behind them; a disc is 4 mm less high than its gap, so that none
    overlap. The angles are those of the bodies from the top down (5), and of the sacrum (1).
    """
    parts = [Part(61, (20.0, 100.0), 14.0, 190.0, signal=CSF)]
    place = np.array([60.0, 175.0])
    for n in range(5):
        number = 20 + n
        parts.append(Part(number, (place[0], place[1]), width, body, angles[n], 100.0))
        between = (angles[n] + angles[n + 1]) / 2
        down = [np.array([np.sin(np.radians(a)), -np.cos(np.radians(a))]) for a in (angles[n], between, angles[n + 1])]
        middle = place + down[0] * body / 2 + down[1] * disc / 2
        parts.append(Part(100 + number, (middle[0], middle[1]), width * 0.9, disc - 4, between, 50.0))
        place = middle + down[1] * disc / 2 + down[2] * body / 2
    return parts


@pytest.fixture(scope="session")
def lumbar() -> Callable[..., list[Part]]:
    return stack


@pytest.fixture(scope="session")
def part() -> type[Part]:
    return Part
