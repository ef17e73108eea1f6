"""CT measures against what simulated people were given: fractures by level, and density."""

from __future__ import annotations

import numpy as np
import pytest

from spineclock.measure.ct_whole import measure_ct
from spineclock.phantom.anatomy.traits import traits_of
from spineclock.phantom.ct.scanner import Request, acquire
from spineclock.phantom.people import people

SEED = 23


@pytest.mark.slow
def test_fractures_and_densities_of_simulated_people_are_found():
    made = people(500, seed=SEED)
    told = made.fractures[made.fractures.level.isin(["T12", "L1", "L2", "L3"]) & (made.fractures.genant_grade >= 2)]
    traits = {person.scan_id: person for person in traits_of(made)}
    chosen = list(dict.fromkeys(told.scan_id))[:2]
    assert len(chosen) == 2
    request = Request(slice_mm=1.5, pixel_mm=1.2, kernel="soft", phase="native")
    for scan_id in chosen:
        (series,) = acquire(traits[scan_id], request, seed=SEED)
        found = measure_ct(series.volume, series.labels)
        own = made.fractures[made.fractures.scan_id == scan_id].set_index("level").genant_grade
        truth = {level: int(own.get(level, 0)) for level in found.deformities}
        for level, grade in truth.items():
            assert abs(found.deformities[level].grade - grade) <= (1 if grade else 0), (scan_id, level)
        density = series.facts["SimulatedTrabecularHU"]
        off = [b.trabecular.mean_hu - density[v] for v, b in found.bodies.items() if not b.cut and not truth.get(v)]
        assert np.mean(np.abs(off)) < 12
