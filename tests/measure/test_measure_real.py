"""Measurements of real scans: within what anatomy allows, and following the radiologists' grades."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from spineclock.core.volume import Mask
from spineclock.ingest.datasets import spider
from spineclock.measure import spine
from spineclock.segment.instances import bodies, find

DISCS = ("L5/S1", "L4/L5", "L3/L4", "L2/L3", "L1/L2")


@pytest.fixture(scope="module")
def people(real_data):
    return {p.person_id: p for p in spider.read(real_data / "spider")}


@pytest.mark.slow
def test_a_young_womans_lumbar_spine_lies_within_anatomy(people):
    """Person 41, 32 years. Normal values in the literature: discs 5–14 mm, bodies 20–32 mm, thecal sac 8–20 mm."""
    person = people["41"]
    found = find(person.mask)
    wide = spine(person.volume, found.labels, bodies(found)).wide()
    heights = [wide[f"disc.{level}.height_mm"] for level in DISCS]
    assert min(heights) > 5
    assert max(heights) < 14
    for level in ("L1", "L2", "L3", "L4", "L5"):
        assert 18 < wide[f"vertebra.{level}.height_mm"] < 30
        assert 25 < wide[f"vertebra.{level}.width_mm"] < 38
        assert 0.8 < wide[f"vertebra.{level}.front_to_back"] < 1.35
    assert 8 < wide["canal.min.depth_mm"] < wide["canal.max.depth_mm"] < 22
    assert 20 < wide["spine.lordosis_l1_s1_deg"] < 75
    assert 0 < wide["disc.min.signal"] < wide["disc.max.signal"] < 1


@pytest.mark.slow
def test_neither_order_of_storage_nor_scale_matters(people):
    person = people["41"]
    found = find(person.mask)
    front = bodies(found)
    one = spine(person.volume, found.labels, front).table["value"]
    stored = person.volume.with_array(np.asfortranarray(person.volume.array.astype(np.float32) * 3.5 + 20))
    other = spine(stored, Mask(np.asfortranarray(found.labels.array), found.labels.affine), front).table["value"]
    np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_signal_falls_with_pfirrmanns_grade_and_height_with_narrowing(people, real_data):
    """Six people's lumbar discs against the radiologists' grades (disc 1 = L5/S1 upwards)."""
    grades = pd.read_csv(real_data / "spider" / "radiological_gradings.csv").set_index(["Patient", "IVD label"])
    rows = []
    for person in list(people.values())[4:28:4]:
        found = find(person.mask)
        wide = spine(person.volume, found.labels, bodies(found)).wide()
        for n, level in enumerate(DISCS, start=1):
            if (int(person.person_id), n) in grades.index:
                grade = grades.loc[(int(person.person_id), n)]
                rows.append((grade["Pfirrman grade"], grade["Disc narrowing"], wide[f"disc.{level}.signal"],
                             wide[f"disc.{level}.height_mm"]))  # fmt: skip
    pfirrmann, narrowing, signal, height = np.array(rows, dtype=float).T
    assert len(rows) >= 25
    assert spearmanr(pfirrmann, signal).statistic < -0.5
    assert spearmanr(narrowing, height).statistic < -0.3
