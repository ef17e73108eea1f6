"""Names and numbers of what a spine is made of: levels, regions, structures.

The *spineclock* numbering of label maps: vertebra = its level's number (VerSe's: C1–C7 1–7, T1–T12 8–19,
L1–L6 20–25, sacrum 26, T13 28; L7 29 is ours), disc = 100 + the vertebra above it, vertebral body = 200 +,
arch = 300 +, rib = 400 + the vertebra; canal, cord, CSF and muscles as in :class:`Structure`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Literal

from spineclock.core.errors import UsageError

Region = Literal["cervical", "thoracic", "lumbar", "sacral"]

LEVEL_NUMBERS: dict[str, int] = {
    **{f"C{n}": n for n in range(1, 8)},
    **{f"T{n}": n + 7 for n in range(1, 13)},
    "T13": 28,
    **{f"L{n}": n + 19 for n in range(1, 7)},
    "L7": 29,
    "S1": 26,
}
"""Number of each level's vertebra, from the top down."""

LEVEL_NAMES = {number: name for name, number in LEVEL_NUMBERS.items()}
USUAL_LEVELS = tuple(name for name in LEVEL_NUMBERS if name not in ("T13", "L6", "L7"))
"""C1 … L5, S1: the levels most people have, from the top down."""

DISC, BODY, ARCH, RIB = 100, 200, 300, 400
"""What is added to a vertebra's number for the disc below it, its body, its arch and its ribs."""


CLASSES = ("background", "disc", "vertebra", "canal", "sacrum")
"""What the segmentation network tells apart, by the number in its label maps; older weights lack the last."""
CT_CLASSES = ("background", "disc", "body", "canal", "sacrum", "arch", "psoas", "erector")
"""What the segmentation network of CT tells apart; the first five lie where those of :data:`CLASSES` do."""


class Structure(IntEnum):
    """Structures that have one number whatever the level."""

    CORD = 60
    CANAL = 61
    CSF = 62
    PSOAS_LEFT = 71
    PSOAS_RIGHT = 72
    ERECTOR_LEFT = 73
    ERECTOR_RIGHT = 74
    SUBCUTANEOUS_FAT = 75


def region(level: str) -> Region:
    """The region of a level.

    >>> region("T13")
    'thoracic'
    """
    names: dict[str, Region] = {"C": "cervical", "T": "thoracic", "L": "lumbar", "S": "sacral"}
    return names[_checked(level)[0]]


def disc_name(level_above: str) -> str:
    """The disc below a vertebra, as radiologists write it.

    >>> disc_name("L5"), disc_name("T12"), disc_name("L3")
    ('L5/S1', 'T12/L1', 'L3/L4')
    """
    _checked(level_above)
    if level_above in USUAL_LEVELS[:-1]:
        below = USUAL_LEVELS[USUAL_LEVELS.index(level_above) + 1]
    else:
        below = {"T13": "L1", "L6": "S1", "L7": "S1", "S1": "S2"}[level_above]
    return f"{level_above}/{below}"


def levels_upwards(lowest: str, count: int) -> tuple[str, ...]:
    """``count`` usual levels from ``lowest`` towards the head; fewer where the neck ends.

    >>> levels_upwards("L2", 4)
    ('L2', 'L1', 'T12', 'T11')

    Raises
    ------
    UsageError
        If the level is not a name such as L5.
    """
    _checked(lowest)
    vertebrae: Sequence[str] = USUAL_LEVELS[:-1]
    if lowest in ("L6", "L7"):
        extra = ("L7", "L6") if lowest == "L7" else ("L6",)
        return (*extra, *reversed(vertebrae))[:count]
    if lowest == "T13":
        return ("T13", *reversed(vertebrae[: vertebrae.index("T12") + 1]))[:count]
    if lowest == "S1":
        return ("S1", *reversed(vertebrae))[:count]
    return tuple(reversed(vertebrae[: vertebrae.index(lowest) + 1]))[:count]


def _checked(level: str) -> str:
    if level not in LEVEL_NUMBERS:
        raise UsageError(f"no level is called {level!r}", wanted="C1–C7, T1–T13, L1–L7 or S1")
    return level
