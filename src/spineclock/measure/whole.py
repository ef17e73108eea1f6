"""All measurements of a scan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spineclock.core.anatomy import LEVEL_NAMES, LEVEL_NUMBERS, disc_name
from spineclock.core.geometry import require_same_grid
from spineclock.core.volume import Mask, Volume
from spineclock.measure.canal import canal
from spineclock.measure.discs import disc
from spineclock.measure.frame import Piece, Pieces, from_top, pieces
from spineclock.measure.measurements import Measurement, Measurements, gathered
from spineclock.measure.reference import Reference, reference
from spineclock.measure.section import Section
from spineclock.measure.sections import Sections, cut_off, sections
from spineclock.measure.signals import signals
from spineclock.measure.vertebrae import vertebra

NAN = float("nan")


def spine(volume: Volume, labels: Mask, bodies: Mask) -> Measurements:
    """Heights, widths, signals, areas and angles of every disc and vertebra, of the canal and of the whole spine.

    Each measurement is defined in ``docs/measurements.md``. What cannot be measured is NaN; nothing of one odd disc
    keeps the others from being measured.

    Parameters
    ----------
    volume : Volume
        The scan; canonical (axes right, anterior, superior), samples on any linear scale.
    labels : Mask
        Spineclock numbering on the same grid: vertebra = its level's number (body and arch), disc = 100 + the vertebra
        above, canal 61.
    bodies : Mask
        Not 0 where a vertebra is body rather than arch.

    Raises
    ------
    GeometryError
        If the three lie on different grids.

    Examples
    --------
    >>> v = Volume(np.zeros((8, 40, 40)), np.eye(4))
    >>> empty = Mask(np.zeros(v.shape, int), v.affine)
    >>> spine(v, empty, empty).table["structure"].unique().tolist()
    ['spine']
    """
    require_same_grid(volume, labels, what="the scan and its label map")
    require_same_grid(volume, bodies, what="the scan and its map of bodies")
    found = pieces(volume, labels, bodies)
    level = reference(volume.array, found.canal)
    seen = sections(found)
    cut = cut_off(found, seen)
    signal = signals(found, level)
    discs = [
        disc(n, found, seen, signal, level, cut=("disc", disc_name(LEVEL_NAMES[n])) in cut)
        for n in from_top(set(found.discs))
    ]
    vertebrae = [
        vertebra(n, found, seen, signal, cut=("vertebra", LEVEL_NAMES[n]) in cut) for n in from_top(set(found.bodies))
    ]
    canals = _canals(found, seen, volume.shape)
    rows = gathered([*discs, *vertebrae, *canals, _whole(seen, cut, level)])
    return Measurements(rows, cut)


def _canals(found: Pieces, seen: Sections, shape: tuple[int, int, int]) -> list[list[Measurement]]:
    """The canal's measurements behind every body and disc, each in that structure's own mid-sagittal layer."""
    at: list[tuple[str, Section | None, Piece]] = []
    for n in from_top(set(found.bodies) | set(found.discs)):
        if n in seen.bodies:
            at.append((LEVEL_NAMES[n], seen.bodies[n], found.bodies[n]))
        if n in seen.discs:
            at.append((disc_name(LEVEL_NAMES[n]), seen.discs[n], found.discs[n]))
    whole = found.canal
    here = [(name, beside, replace(whole, middle_mm=piece.middle_mm) if whole else None) for name, beside, piece in at]
    return [canal(name, beside, own, shape) for name, beside, own in here]


def _whole(seen: Sections, cut: frozenset[tuple[str, str]], level: Reference) -> list[Measurement]:
    """Lordosis, and the fluid's spread in the canal."""
    first, last = seen.bodies.get(LEVEL_NUMBERS["L1"]), seen.bodies.get(LEVEL_NUMBERS["L5"])
    sacral = seen.discs.get(LEVEL_NUMBERS["L5"])
    top = first.upper_angle_rad if first else NAN
    to_l5 = top - last.lower_angle_rad if last else NAN
    to_s1 = top - sacral.lower_angle_rad if sacral else NAN
    ends = ("vertebra", "L1") not in cut
    return [
        Measurement(
            "spine", "", "lordosis_l1_l5_deg", float(np.degrees(to_l5)), "deg", ends and ("vertebra", "L5") not in cut
        ),
        Measurement(
            "spine", "", "lordosis_l1_s1_deg", float(np.degrees(to_s1)), "deg", ends and ("disc", "L5/S1") not in cut
        ),
        Measurement("spine", "", "csf_spread", level.spread, "ratio"),
        Measurement("spine", "", "csf_clipped_share", level.clipped_share, "ratio"),
    ]
