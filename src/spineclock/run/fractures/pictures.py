"""Pictures of recipe four on simulated people: what networks are shown, and what befell people by thirds of risk."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from spineclock.core.findings import LEVELS
from spineclock.phantom.anatomy.traits import Traits, traits_of
from spineclock.phantom.ct.scanner import Request, acquire
from spineclock.phantom.parameters import load
from spineclock.phantom.people import people
from spineclock.run.fractures.people import GRID_SHAPE, LEAST_AGE, MATTERS

SEED, DRAWN = 79, 600
"""Of the people who are shown: nobody of any set."""
NOTE = (
    "Simulated people: sex, age, lumbar T-score, psoas in cm²/m², fat in the erector muscles.\n"
    "64 × 112 pixels of 2 mm, −200 to 1,000 HU; the middle one of three slices at mid-height."
)


def chosen(some: list[Traits]) -> dict[str, Traits]:
    """A person of dense bone and lean muscle, one of thin bone and fat in muscle, and one with a broken vertebra."""
    old = [one for one in some if one.age_years >= LEAST_AGE]

    def strength(one: Traits) -> float:
        return one.lumbar_t_score + 0.4 * one.psoas_index_cm2_m2 - 0.08 * one.erector_fat_percent

    sound = [one for one in old if not one.fracture_grade.any()]
    broken = [one for one in old if any(_grade(one, level) == 3 for level in ("L1", "L2", "L3"))]
    picked = [max(sound, key=strength), min(sound, key=strength), *sorted(broken, key=strength)[:1]]
    return {_told(one): one for one in picked}


def _grade(one: Traits, level: str) -> int:
    return int(one.fracture_grade[LEVELS.index(level)])


def _told(one: Traits) -> str:
    return (f"{one.sex} {one.age_years:.0f}, T {one.lumbar_t_score:+.1f}\npsoas {one.psoas_index_cm2_m2:.1f}\n"
            f"fat {one.erector_fat_percent:.0f}%")  # fmt: skip


def inputs_sheet() -> Figure:
    """What a network is shown of three simulated people: bone alone, and bone with muscle."""
    from spineclock.measure.ct_whole import measure_ct
    from spineclock.prep.ct import CtRegion, regions
    from spineclock.prep.ct_cropping import CtCropping
    from spineclock.report.contact_sheet import contact_sheet

    rows: dict[str, tuple[CtRegion, ...]] = {}
    missing: dict[tuple[str, str], str] = {}
    captions: dict[tuple[str, str], str] = {}
    parameters = load(MATTERS)
    for told, person in chosen(traits_of(people(DRAWN, seed=SEED, parameters=parameters))).items():
        (scan,) = acquire(person, Request(grid_shape=GRID_SHAPE, world=MATTERS), seed=SEED)
        frames = measure_ct(scan.volume, scan.labels).frames
        for parts, words in (("bone", "bone"), ("bone+muscle", "with muscle")):
            found = regions(scan.volume, scan.labels, frames, CtCropping.small(parts=parts))  # type: ignore[arg-type]
            rows[f"{told}\n{words}"] = found.regions
            missing |= {(f"{told}\n{words}", level): why for level, why in found.missing.items()}
            for level in found.levels:
                if grade := _grade(person, level):
                    captions[f"{told}\n{words}", level] = f"grade {grade}"
    return contact_sheet(rows, missing=missing, captions=captions, note=NOTE)


def inputs_png() -> bytes:
    """The same as a PNG of at most 500 kB."""
    from spineclock.report.contact_sheet import sheet_png

    return sheet_png(inputs_sheet())


def curves_png(panels: dict[str, pd.DataFrame]) -> bytes:
    """Cumulative incidence by thirds of predicted risk, a panel a model, as a PNG."""
    from spineclock.report import ink
    from spineclock.report.study_risk import incidence_curves

    groups = {"low": "lowest third of risk", "middle": "middle", "high": "highest"}
    return ink.png(incidence_curves(panels, groups=groups))
