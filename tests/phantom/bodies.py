"""People to order: records of made-up people with all that is not asked for in good health."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spineclock.core.findings import LEVELS
from spineclock.phantom.anatomy.traits import Traits

USUAL = np.array([level not in ("T13", "L6", "L7") for level in LEVELS])


def person(number: int = 1, *, age_years: float = 40.0, sex: str = "M", **changes: object) -> Traits:
    """A healthy person, the same for the same number but for what is changed."""
    nothing = np.zeros(len(LEVELS), np.int8)
    healthy = Traits(
        scan_id=f"sub-{number}_ses-1", person_id=f"sub-{number}", session=1, age_years=age_years,
        spine_age_years=age_years, sex=sex, site="site-01", maker="Siemens", scanner="site-01-siemens-2", bmi=26.0,
        lumbar_t_score=0.0, psoas_index_cm2_m2=6.0, erector_fat_percent=15.0, exists=USUAL,
        pfirrmann=np.where(USUAL, 1, 0).astype(np.int8), height_loss=nothing, facet=nothing, findings={},
        whole=frozenset(), fracture_grade=nothing, fracture_shape=nothing,
    )  # fmt: skip
    return replace(healthy, **changes)  # type: ignore[arg-type]


def at(**levels: int) -> np.ndarray:
    """Codes by level."""
    codes = np.zeros(len(LEVELS), np.int8)
    for level, code in levels.items():
        codes[LEVELS.index(level)] = code
    return codes
