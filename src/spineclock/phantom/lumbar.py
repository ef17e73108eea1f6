"""One made-up person's lumbar scan: who is asked for by age and sex alone, the rest comes from the phantom's people."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from spineclock.core.errors import UsageError
from spineclock.phantom.anatomy.traits import Traits, traits_of
from spineclock.phantom.mri.scanner import Request, acquire
from spineclock.phantom.people import people
from spineclock.phantom.series import Series

Sex = Literal["F", "M"]
SLAB = Request(coverage="lumbar", weightings=("T2w",), slices="space")
"""Sagittal T2-weighted slices of 1 mm, as of the people whom the packaged age model learnt from."""
DRAWN = 1_000
"""Made-up people among whom the one nearest in age is looked for."""


def made_up_person(*, age_years: float, sex: Sex, seed: int) -> Traits:
    """A made-up person of that age and sex whose spine is as old as the person, so that the true gap is 0.

    Of the seed's first people it is the one (or the one at a visit) of that sex whose age and spine age together lie
    nearest to what is asked; both are then set to it, which changes marrow, muscle and ligaments a little. Findings
    stay as they were drawn. They are adults of about 25 to 85 years: beyond that, discs are those of the nearest.

    Raises
    ------
    UsageError
        If the age is not within 10–100 years.

    Examples
    --------
    >>> someone = made_up_person(age_years=50, sex="F", seed=1)
    >>> someone.age_years, someone.spine_age_years, someone.sex
    (50.0, 50.0, 'F')
    """
    if not 10 <= age_years <= 100:
        raise UsageError(f"an age of {age_years} years", wanted="10–100 years")
    some = people(DRAWN, seed=seed)
    away = (some.table["age_years"] - age_years).abs() + (some.truth["spine_age_years"] - age_years).abs()
    nearest = int(np.argmin(away.where(some.table["sex"] == sex, np.inf)))
    return replace(traits_of(some)[nearest], age_years=float(age_years), spine_age_years=float(age_years))


def lumbar_scan(*, age_years: float, sex: Sex, seed: int, request: Request = SLAB) -> Series:
    """A lumbar series of :func:`made_up_person` with its true label map; the same arguments give the same samples.

    Raises
    ------
    UsageError
        If the age is not within 10–100 years.

    Examples
    --------
    >>> scan = lumbar_scan(age_years=50, sex="F", seed=1, request=Request("lumbar"))
    >>> scan.weighting, str(scan.volume.array.dtype), {60, 62, 124, 224, 324} <= set(scan.labels.array.ravel().tolist())
    ('T2w', 'int16', True)
    """
    return acquire(made_up_person(age_years=age_years, sex=sex, seed=seed), request, seed=seed)[0]
