"""From how common a condition is at each age to the propensity curve that makes it so."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from spineclock.core.anatomy import region
from spineclock.core.errors import UsageError
from spineclock.core.findings import LEVELS
from spineclock.phantom.parameters import Imaging, Parameters, Part

Floats = npt.NDArray[np.float64]
PLACES = ("cervical", "thoracic", "lumbar", "whole")
USUAL = tuple(level for level in LEVELS if level not in ("T13", "L6", "L7"))
_BEYOND_YEARS = 60.0
"""How far beyond the first and last age the curve goes straight on: spine ages lie beyond people's."""
_GAP_NODES, _SHARED_NODES, _STEPS = 7, 15, 100
_CLOSE = 5e-3  # at most 0.2 points of per cent


@dataclass(frozen=True, eq=False)
class Curve:
    """The propensity of a condition in one region, in standard deviations, along the effective age in years."""

    ages_years: Floats
    propensity: Floats
    part: Part
    offsets: Floats
    """(levels of the region, extra ones included) from the part's profile; (1,) for the whole spine."""
    gap_effect: float

    def at(self, age_years: Floats, gap_years: Floats, men: npt.NDArray[np.bool_]) -> Floats:
        """The propensity of each scan before its levels' own, of the shape of the ages."""
        lead = self.part.men_years / 2
        effective = age_years + self.gap_effect * self.part.gap_weight * gap_years + np.where(men, lead, -lead)
        return (
            np.interp(effective, self.ages_years, self.propensity) + self.gap_effect * self.part.gap_slope * gap_years
        )


def levels_of(place: str) -> tuple[str, ...]:
    """The levels of a region, extra ones included; one nameless for ``whole``.

    >>> levels_of("lumbar")
    ('L1', 'L2', 'L3', 'L4', 'L5', 'L6', 'L7')
    """
    return ("",) if place == "whole" else tuple(level for level in LEVELS if region(level) == place)


@cache
def curves(parameters: Parameters) -> dict[tuple[str, str], Curve]:
    """The curve of each (place, condition), in the order of the parameter file.

    Averaged over gaps, sexes and what a person's levels share, the share of people with the condition at one level at
    least is :attr:`Part.any` at each of the ages.
    """
    imaging = parameters.imaging
    return {
        (place, name): _fitted(part, place, name, imaging, parameters.gap.residual_sd_years)
        for place in PLACES
        for name, part in getattr(imaging, place).items()
    }


def _fitted(part: Part, place: str, name: str, imaging: Imaging, gap_sd_years: float) -> Curve:
    ages = np.asarray(imaging.ages_years)
    if len(part.any) != len(ages) or not all(0 < share < 100 for share in part.any):
        raise UsageError(f"imaging.{place}.{name}.any is {part.any}", wanted=f"{len(ages)} per cents inside 0 to 100")
    if place != "whole" and part.profile not in imaging.profiles:
        raise UsageError(
            f"imaging.{place}.{name}.profile is {part.profile!r}", wanted=f"one of {', '.join(imaging.profiles)}"
        )
    profile = imaging.profiles[part.profile] if place != "whole" else {}
    offsets = np.array([profile.get(level, 0.0) for level in levels_of(place)])
    usual = np.array([level in USUAL or not level for level in levels_of(place)])
    shared = 0.0 if place == "whole" else imaging.person_share + imaging.region_share
    wanted = ndtri(np.asarray(part.any) / 100)
    propensity = wanted - 1.0
    for _ in range(_STEPS):
        curve = Curve(*_extended(ages, propensity), part, offsets, imaging.gap_effect)
        miss = wanted - ndtri(_share_with(curve, ages, offsets[usual], shared, gap_sd_years))
        if np.abs(miss).max() < _CLOSE:
            return curve
        propensity = propensity + 0.8 * miss
    raise UsageError(f"imaging.{place}.{name}: no curve gives {part.any} per cent", remedy="make it less steep")


def _extended(ages: Floats, propensity: Floats) -> tuple[Floats, Floats]:
    """The curve with a straight continuation at both ends."""
    first, last = np.diff(propensity[:2]) / np.diff(ages[:2]), np.diff(propensity[-2:]) / np.diff(ages[-2:])
    return (
        np.r_[ages[0] - _BEYOND_YEARS, ages, ages[-1] + _BEYOND_YEARS],
        np.r_[propensity[0] - first * _BEYOND_YEARS, propensity, propensity[-1] + last * _BEYOND_YEARS],
    )


def _share_with(curve: Curve, ages: Floats, offsets: Floats, shared: float, gap_sd_years: float) -> Floats:
    """The share of people with it at one level at least, at each age: over gaps, sexes and shared propensity."""
    gaps, gap_weights = _normal_nodes(_GAP_NODES)
    common, common_weights = _normal_nodes(_SHARED_NODES)
    held = np.zeros(len(ages))
    for men in (False, True):
        for gap, weight in zip(gaps * gap_sd_years, gap_weights, strict=True):
            at = curve.at(ages, np.full(len(ages), gap), np.full(len(ages), men))
            z = at[:, None, None] + offsets + np.sqrt(shared) * common[:, None]
            none = ndtr(-z / np.sqrt(1 - shared)).prod(axis=2)
            held += weight / 2 * ((1 - none) @ common_weights)
    return held


def _normal_nodes(count: int) -> tuple[Floats, Floats]:
    """Points and weights of a mean over a standard normal."""
    points, weights = np.polynomial.hermite_e.hermegauss(count)
    return points, weights / weights.sum()
