"""What the images of made-up people hold: conditions by level and severity, driven by age, gap, level and sex.

Each condition at each level has a propensity: a curve along age, which a gap moves along; the level's own offset; and a
normal part of which a share is the person's, the region's, and the level's for all conditions, so that levels and
neighbouring conditions go together. What is above zero is there; how far above says how severe.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.findings import COLUMNS, CONDITIONS, LEVELS, column, empty_codes
from spineclock.phantom.curves import Curve, curves, levels_of
from spineclock.phantom.parameters import Imaging, Parameters
from spineclock.phantom.who import Floats, Scanned

Codes = npt.NDArray[np.int8]
BESIDE = ("degeneration", "height_loss", "facet")
"""What is graded in the images and is none of the conditions reports are read for."""
_REGIONS = ("cervical", "thoracic", "lumbar")


@dataclass(frozen=True, eq=False)
class Attributes:
    """What the images hold beside the 19 conditions; (scans, levels) each, in the order of :data:`LEVELS`."""

    scan_ids: pd.Index
    exists: npt.NDArray[np.bool_]
    """Whether the person has the level: T13, L6 and L7 are rare."""
    pfirrmann: Codes
    """Grade 1 to 5; 0 where there is no such level."""
    height_loss: Codes
    """0 none, 1 mild, 2 moderate, 3 severe."""
    facet: Codes
    """Degeneration of the facet joints, 0 to 3."""

    def long(self) -> pd.DataFrame:
        """One row a scan and level that exists: scan_id, level, pfirrmann, height_loss, facet."""
        scan, level = np.nonzero(self.exists)
        return pd.DataFrame(
            {
                "scan_id": self.scan_ids[scan],
                "level": np.array(LEVELS, dtype=object)[level],
                "pfirrmann": self.pfirrmann[scan, level],
                "height_loss": self.height_loss[scan, level],
                "facet": self.facet[scan, level],
            }
        )


@dataclass(frozen=True, eq=False)
class Held:
    """The imaging truth of a block: codes as in ``core.findings``, and the grades beside them."""

    codes: Codes
    exists: npt.NDArray[np.bool_]
    pfirrmann: Codes
    height_loss: Codes
    facet: Codes


def held(scanned: Scanned, gap_years: Floats, *, parameters: Parameters, rng: np.random.Generator) -> Held:
    """Draws what the images of each scan hold; what is a person's own is the same at both scans."""
    n, scans, imaging = len(scanned.men), len(scanned.person), parameters.imaging
    exists = _levels(n, imaging, rng)
    person = rng.standard_normal(n, dtype=np.float32)
    regional = rng.standard_normal((n, len(_REGIONS)), dtype=np.float32)
    own = rng.standard_normal((n, len(LEVELS)), dtype=np.float32)
    columns = {place: [LEVELS.index(level) for level in levels_of(place)] for place in _REGIONS}
    shared = {
        place: math.sqrt(imaging.person_share) * person[:, None]
        + math.sqrt(imaging.region_share) * regional[:, k, None]
        + math.sqrt(imaging.level_share) * own[:, columns[place]]
        for k, place in enumerate(_REGIONS)
    }
    rest = 1 - imaging.person_share - imaging.region_share - imaging.level_share
    codes = empty_codes(scans)
    beside = {name: np.zeros((scans, len(LEVELS)), dtype=np.int8) for name in BESIDE}
    for (place, name), curve in curves(parameters).items():
        noise = rng.standard_normal((n, len(curve.offsets)), dtype=np.float32)
        if place == "whole":
            codes[:, column(name)] = _grades(_raised(curve, scanned, gap_years, noise), ())[:, 0]
            continue
        at = columns[place]
        mixed = np.where(exists[:, at], shared[place] + math.sqrt(rest) * noise, np.float32(-np.inf))
        propensity = _raised(curve, scanned, gap_years, mixed)
        if name == "degeneration":
            beside[name][:, at] = _pfirrmann(propensity, curve.part.cuts, imaging.healthy_disc_cut)
        elif name in BESIDE:
            beside[name][:, at] = _grades(propensity, curve.part.cuts)
        else:
            where = [column(name, level) for level in levels_of(place)]
            codes[:, where] = _grades(propensity, curve.part.cuts)
    tell_structural(codes)
    return Held(codes, exists[scanned.person], beside["degeneration"], beside["height_loss"], beside["facet"])


def tell_structural(codes: Codes) -> None:
    """Sets, in place, the column that says a structural condition is there where one of its levels does."""
    for name, levels in _STRUCTURAL.items():
        own = column(name)
        codes[:, own] |= (codes[:, levels] > 0).any(axis=1)


_STRUCTURAL = {
    name: [k for k, (other, level) in enumerate(COLUMNS) if other == name and level]
    for name, condition in CONDITIONS.items()
    if condition.kind == "structural"
}


def _raised(
    curve: Curve, scanned: Scanned, gap_years: Floats, mixed: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """The propensity of each scan at each level, (scans, levels)."""
    at = curve.at(scanned.age_years, gap_years, scanned.men[scanned.person])
    return at.astype(np.float32)[:, None] + curve.offsets.astype(np.float32) + mixed[scanned.person]


def _grades(propensity: npt.NDArray[np.float32], cuts: tuple[float, ...]) -> Codes:
    codes = (propensity > 0).astype(np.int8)
    for cut in cuts:
        codes += propensity > cut
    return codes


def _pfirrmann(propensity: npt.NDArray[np.float32], cuts: tuple[float, ...], healthy: float) -> Codes:
    """Grade 3 and more is degenerated; below, grades 1 and 2; 0 where there is no disc."""
    grades = _grades(propensity, cuts)
    return np.where(
        np.isneginf(propensity), 0, np.where(grades > 0, 2 + grades, np.where(propensity > healthy, 2, 1))
    ).astype(np.int8)


def _levels(n: int, imaging: Imaging, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Which levels each person has; whoever has L7 has L6."""
    has = np.ones((n, len(LEVELS)), dtype=bool)
    wish = {name: rng.random(n) for name in ("T13", "L6")}
    has[:, LEVELS.index("T13")] = wish["T13"] < imaging.extra_levels["T13"]
    has[:, LEVELS.index("L6")] = wish["L6"] < imaging.extra_levels["L6"]
    has[:, LEVELS.index("L7")] = wish["L6"] < imaging.extra_levels["L7"]
    return has
