"""Every disc and every vertebral body of a scan in its own mid-sagittal frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spineclock.core.anatomy import LEVEL_NAMES, LEVEL_NUMBERS, disc_name
from spineclock.measure.frame import Pieces, from_top
from spineclock.measure.section import Section, section

STUNTED = 0.7
"""The highest of a chain counts as cut off where it has less than this share of its neighbour's size."""
SACRUM = LEVEL_NUMBERS["S1"]


@dataclass(frozen=True, eq=False)
class Sections:
    """Discs and bodies in their own frames, by vertebra number; None where the layer holds nothing to measure."""

    discs: dict[int, Section | None]
    bodies: dict[int, Section | None]


def sections(found: Pieces) -> Sections:
    """The frames of all discs and bodies.

    A disc starts from its principal axis. A body, nearly as high as wide, starts from the mean tilt of the discs beside
    it, or of the nearest disc, and turns from there.
    """
    discs = {}
    for number, piece in found.discs.items():
        picture = piece.picture()
        discs[number] = section(picture) if picture else None
    tilts = {number: disc.angle_rad for number, disc in discs.items() if disc}
    bodies = {}
    order = from_top(set(found.bodies) | set(found.discs))
    for number, piece in found.bodies.items():
        picture = piece.picture()
        at = order.index(number)
        beside = [tilts[n] for n in (number, order[at - 1] if at else number) if n in tilts]
        nearest = min(tilts, key=lambda n: abs(order.index(n) - at), default=None)
        start = float(np.mean(beside)) if beside else tilts[nearest] if nearest is not None else 0.0
        bodies[number] = section(picture, start_angle_rad=start) if picture else None
    return Sections(discs, bodies)


def cut_off(found: Pieces, seen: Sections) -> frozenset[tuple[str, str]]:
    """The discs and vertebrae that are not whole, as (structure, level).

    Those that meet the field of view's upper, lower, front or back border; the sacrum; and the highest disc or body
    where it has less than 70% of the next one's width (a body: or height), for there a segmentation runs out. The
    lowest disc is left alone: L5/S1 may be narrow in itself.
    """
    cut = {("disc", disc_name(LEVEL_NAMES[n])) for n, piece in found.discs.items() if piece.cut_in_plane}
    cut |= {("vertebra", LEVEL_NAMES[n]) for n, piece in found.bodies.items() if piece.cut_in_plane or n == SACRUM}
    highest, next_one = _top_two(seen.discs)
    if highest and _stunted(seen.discs[highest], seen.discs[next_one], heights=False):
        cut.add(("disc", disc_name(LEVEL_NAMES[highest])))
    highest, next_one = _top_two(seen.bodies)
    if highest and _stunted(seen.bodies[highest], seen.bodies[next_one], heights=True):
        cut.add(("vertebra", LEVEL_NAMES[highest]))
    return frozenset(cut)


def _top_two(chain: dict[int, Section | None]) -> tuple[int, int]:
    """The two highest of a chain of at least three; zeros where it is shorter."""
    order = from_top(set(chain))
    return (order[0], order[1]) if len(order) >= 3 else (0, 0)


def _stunted(one: Section | None, other: Section | None, *, heights: bool) -> bool:
    if one is None or other is None:
        return False
    low = heights and one.height_mm < STUNTED * other.height_mm
    return low or one.width_mm < STUNTED * other.width_mm
