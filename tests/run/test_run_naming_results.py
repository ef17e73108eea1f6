"""How naming is judged, on label maps a few voxels large, and the page on a few simulated people."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spineclock.core.volume import Mask
from spineclock.phantom.anatomy.traits import traits_of
from spineclock.phantom.people import people
from spineclock.run.naming_results import WAYS, Job, Verdict, examined, judged, page, perturbed
from spineclock.segment.instances import Instance, Instances


def column(*numbers: int) -> Mask:
    """One voxel a number, upwards, in two slices."""
    return Mask(np.array(numbers, np.uint16).reshape(1, 1, -1).repeat(2, 0), np.eye(4))


def named(labels: Mask, **levels: int) -> Instances:
    made = [Instance(name.replace("_", "/"), n, True, (0, 0, 0), 1, 1.0) for name, n in levels.items()]
    return Instances(labels, tuple(i for i in made if i.number < 100), tuple(i for i in made if i.number > 100), 1.0)


def test_names_are_held_to_what_most_voxels_truly_are() -> None:
    truth = column(0, 226, 124, 224, 224, 323, 0)
    right = judged(named(column(0, 26, 124, 24, 24, 24, 0), L5=24, L5_S1=124), truth)
    assert right == Verdict((), ())
    wrong = judged(named(column(0, 26, 123, 23, 23, 23, 0), L4=23, L4_L5=123), truth)
    assert wrong.wrong == ("L5 called L4", "the disc below L5 called L4/L5")
    assert not wrong.right


def test_discs_wholly_in_view_that_are_not_found_are_named_apart() -> None:
    truth = column(123, 224, 124, 226, 122, 0)
    assert judged(named(column(0, 24, 0, 26, 0, 0), L5=24), truth) == Verdict((), ("L3", "L5"))


def test_c1_counts_as_c2() -> None:
    assert judged(named(column(2, 2, 2, 2), C2=2), column(301, 301, 301, 202)).right
    assert not judged(named(column(3, 3, 3), C3=3), column(301, 301, 301)).right


@pytest.mark.parametrize("way", WAYS)
def test_spoiling_changes_what_it_says(way: str) -> None:
    array = np.zeros((5, 40, 90), np.uint8)
    for k in range(5):
        array[1:4, 10:30, 16 * k : 16 * k + 6] = 1
        array[1:4, 10:30, 16 * k + 6 : 16 * k + 16] = 2
    classes = Mask(array, np.diag([4.0, 1, 1, 1]))
    spoilt = perturbed(classes, way, np.random.default_rng(0)).array
    changed = (spoilt != array).mean()
    assert (changed == 0) == (way == "exact")
    assert changed < 0.2
    assert (perturbed(classes, way, np.random.default_rng(0)).array == spoilt).all()


def test_the_page_tells_usual_and_unusual_people_apart() -> None:
    row = {"person_id": "a", "levels": 23, "view": "whole spine", "way": "exact", "right": True, "discs missed": 0,
           "said to be unusual": False, "sacrum found": True, "confidence": 1.0, "wrong": ""}  # fmt: skip
    rows = [row, {**row, "person_id": "b", "right": False}, {**row, "person_id": "c", "levels": 24}]
    text = page(pd.DataFrame(rows), command="x --seed 1", date="2026-01-31", seconds=60)
    assert "- Command: `x --seed 1`, 2026-01-31\n- Time: 1 minutes\n" in text
    usual, unusual = text.split("## People with one or two more")
    assert "| whole spine | exact | 2 | 50.000 | 0.000 | 0 |" in usual
    assert "| whole spine | exact | 1 | 100.000 | 0.000 | 0 |" in unusual


@pytest.mark.slow
def test_simulated_people_are_named_right() -> None:
    usual = next(t for t in traits_of(people(5, seed=5)) if t.exists.sum() == 23)
    table = pd.DataFrame(examined(Job(usual, 1, 5, None, ("bridged",))))
    assert table["view"].tolist() == ["whole spine", "whole spine", "lumbar, 1 mm slices", "lumbar, 1 mm slices"]
    assert table["right"].all()
    assert table["sacrum found"].all()
