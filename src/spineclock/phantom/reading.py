"""What readers report of what images hold: which findings they tell, leave out, and get wrong.

With an error rate and overcalls of 0, a report holds nothing that the images do not, and no other severity.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from spineclock.core.findings import COLUMNS, CONDITIONS, column, columns_of, empty_codes
from spineclock.phantom.curves import PLACES, levels_of
from spineclock.phantom.findings import Codes, tell_structural
from spineclock.phantom.parameters import Reading
from spineclock.phantom.who import MIDDLE_YEARS, Floats


def read(
    held: Codes,
    age_years: Floats,
    exists: npt.NDArray[np.bool_],
    *,
    reading: Reading,
    rng: np.random.Generator,
) -> Codes:
    """The codes of each scan's report, of the shape of ``held``.

    Parameters
    ----------
    held : int8 array, (scans, columns of ``core.findings``)
        The imaging truth.
    age_years : array, (scans,)
    exists : bool array, (scans, levels)
        Which levels each person has: errors do not put a finding where no level is.
    """
    scans = len(held)
    told = empty_codes(scans)
    habit = math.sqrt(reading.habit_share) * rng.standard_normal(scans, dtype=np.float32)
    decades = ((age_years - MIDDLE_YEARS) / 10).astype(np.float32)
    own_share, rest = math.sqrt(reading.condition_share), 1 - reading.habit_share - reading.condition_share
    for place in PLACES:
        for name, habits in getattr(reading, place).items():
            at = np.array([column(name, level) for level in levels_of(place)])
            own = habit + own_share * rng.standard_normal(scans, dtype=np.float32)
            there = held[:, at]
            scan, level = np.nonzero(there)  # few: chance is drawn for what is there alone
            wish = own[scan] + math.sqrt(rest) * rng.standard_normal(len(scan), dtype=np.float32)
            limits = np.r_[0.0, ndtri(np.asarray(habits.told))].astype(np.float32)
            code = there[scan, level]
            says = wish < limits[code] + np.float32(habits.per_decade) * decades[scan]
            told[scan[says], at[level[says]]] = code[says]
    _leave_out_lone(told, reading, rng)
    _overcall(told, held, reading, rng)
    _hush(told, reading, rng)
    if reading.error_rate > 0:
        _err(told, exists, reading, rng)
    tell_structural(told)
    return told


def _leave_out_lone(told: Codes, reading: Reading, rng: np.random.Generator) -> None:
    """Leaves out, in place, most mild findings that stand alone in their region."""
    for place in ("cervical", "thoracic", "lumbar"):
        for name in reading.lone.get(place, ()):
            own = columns_of(name, place)
            alone = told[:, own].sum(axis=1) == 1
            out = np.flatnonzero(alone & (rng.random(len(told)) < reading.lone_left_out))
            told[np.ix_(out, own)] = 0


def _overcall(told: Codes, held: Codes, reading: Reading, rng: np.random.Generator) -> None:
    """Calls, in place, a disc mildly bulging in some scans whose images hold no lumbar bulge."""
    none = ~(held[:, columns_of("disc_bulge", "lumbar")] > 0).any(axis=1)
    where = np.flatnonzero(none & (rng.random(len(told)) < reading.overcalled))
    low = np.array([column("disc_bulge", "L4"), column("disc_bulge", "L5")])
    told[where, low[rng.integers(0, 2, len(where))]] = 1


def _hush(told: Codes, reading: Reading, rng: np.random.Generator) -> None:
    """Leaves out, in place, the less pertinent findings of regions where something more pertinent is told."""
    for place in ("cervical", "thoracic", "lumbar"):
        pertinent = np.zeros(len(told), dtype=bool)
        for name in reading.pertinent:
            pertinent |= (told[:, columns_of(name, place)] > 0).any(axis=1)
        for name in reading.hushed:
            out = np.flatnonzero(pertinent & (rng.random(len(told)) < reading.hush))
            told[np.ix_(out, columns_of(name, place))] = 0


def _err(told: Codes, exists: npt.NDArray[np.bool_], reading: Reading, rng: np.random.Generator) -> None:
    """Puts errors into reports, in place.

    A told finding of a level is with the error rate left out, told of the level above or below, or graded a step
    off, a third each; a region of a scan has with the error rate a false call, mild, at a random disc.
    """
    scan, at = np.nonzero(told[:, _AT_LEVELS] > 0)
    at = _AT_LEVELS[at]
    wrong = rng.random(len(scan)) < reading.error_rate
    scan, at = scan[wrong], at[wrong]
    kind, up = rng.integers(0, 3, len(scan)), rng.integers(0, 2, len(scan)) == 1
    code = told[scan, at]
    told[scan[kind != 2], at[kind != 2]] = 0
    beside = np.where(up, _ABOVE[at], _BELOW[at])
    moved = (kind == 1) & (beside >= 0)
    moved &= exists[scan, _LEVEL_OF[np.maximum(beside, 0)]]
    told[scan[moved], beside[moved]] = np.maximum(told[scan[moved], beside[moved]], code[moved])
    regraded = kind == 2
    grades = _GRADES[at[regraded]]
    step = np.where(up[regraded], 1, -1)
    told[scan[regraded], at[regraded]] = np.clip(code[regraded] + step, 1, np.maximum(grades, 1))
    _call_falsely(told, exists, reading, rng)


def _call_falsely(told: Codes, exists: npt.NDArray[np.bool_], reading: Reading, rng: np.random.Generator) -> None:
    names, shares = list(reading.false_calls), np.cumsum(list(reading.false_calls.values()))
    for place in ("cervical", "thoracic", "lumbar"):
        scan = np.flatnonzero(rng.random(len(told)) < reading.error_rate)
        which = np.searchsorted(shares[:-1] / shares[-1], rng.random(len(scan)), side="right")
        options = np.array([columns_of(name, place) for name in names])  # type: ignore[arg-type]
        at = options[which, rng.integers(0, options.shape[1], len(scan))]
        fits = exists[scan, _LEVEL_OF[at]] & (told[scan, at] == 0)
        told[scan[fits], at[fits]] = 1


def _neighbour(step: int) -> npt.NDArray[np.int64]:
    """By column: the column of the same condition a level below (1) or above (-1) in the same region, or -1."""
    found = np.full(len(COLUMNS), -1)
    for place in ("cervical", "thoracic", "lumbar"):
        levels = levels_of(place)
        for name in dict.fromkeys(name for name, level in COLUMNS if level):
            if place not in CONDITIONS[name].regions:
                continue
            for level, other in pairwise(levels):
                one, two = column(name, level), column(name, other)
                found[one if step > 0 else two] = two if step > 0 else one
    return found


_AT_LEVELS = np.array([k for k, (_, level) in enumerate(COLUMNS) if level])
_ABOVE, _BELOW = _neighbour(-1), _neighbour(1)
_GRADES = np.array([CONDITIONS[name].grades for name, _ in COLUMNS])
_ALL_LEVELS = [*levels_of("cervical"), *levels_of("thoracic"), *levels_of("lumbar")]
_LEVEL_OF = np.array([_ALL_LEVELS.index(level) if level else 0 for _, level in COLUMNS])
