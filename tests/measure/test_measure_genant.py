"""Genant's grades of spines whose losses of height are known."""

from __future__ import annotations

import numpy as np
import pytest

from spineclock.core.errors import UsageError
from spineclock.measure.genant import GRADED, Heights, genant, grade_of, usual

SPINE = GRADED


def person(scale=1.0, noise=0.0, seed=0, **lost):
    """Usual heights times a person's size; ``L1=(0.3, 0.1, 0)`` takes off shares of front, middle and back."""
    rng = np.random.default_rng(seed)
    out = {}
    for level in SPINE:
        own = np.array([usual(level).anterior_mm, usual(level).middle_mm, usual(level).posterior_mm]) * scale
        own *= 1 + rng.normal(0, noise, 3)
        own *= 1 - np.array(lost.get(level, (0, 0, 0)))
        out[level] = Heights(*own)
    return out


def test_thresholds_are_genants():
    assert [grade_of(v) for v in (-0.1, 0.0, 0.199, 0.20, 0.249, 0.25, 0.399, 0.40, 0.9)] == [0, 0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("scale", [0.8, 1.0, 1.25])
@pytest.mark.parametrize(
    ("lost", "grade", "form"),
    [
        ((0.22, 0.10, 0.0), 1, "wedge"),
        ((0.33, 0.15, 0.02), 2, "wedge"),
        ((0.50, 0.30, 0.10), 3, "wedge"),
        ((0.05, 0.22, 0.0), 1, "biconcave"),
        ((0.12, 0.35, 0.05), 2, "biconcave"),
        ((0.25, 0.36, 0.22), 2, "biconcave"),
        ((0.30, 0.30, 0.28), 2, "crush"),
        ((0.55, 0.50, 0.45), 3, "crush"),
        ((0.15, 0.12, 0.10), 0, ""),
    ],
)
@pytest.mark.parametrize("level", ["T4", "T8", "L1", "L5"])
def test_losses_are_found_whatever_the_persons_size(scale, lost, grade, form, level):
    found = genant(person(scale, **{level: lost}))
    assert (found[level].grade, found[level].form) == (grade, form)
    assert found[level].loss == pytest.approx(max(lost), abs=1e-9)
    assert all(found[other].grade == 0 for other in SPINE if other != level)


def test_neighbours_that_are_broken_are_no_reference():
    found = genant(person(T11=(0.45, 0.3, 0.1), T12=(0.3, 0.2, 0.0), L1=(0.42, 0.4, 0.35), L2=(0.22, 0.1, 0.0)))
    assert [found[v].grade for v in ("T10", "T11", "T12", "L1", "L2", "L3")] == [0, 3, 2, 3, 1, 0]
    assert found["T12"].references == ("T9", "T10", "L3", "L4")
    assert found["L1"].form == "crush"


def test_half_of_a_short_spine_broken():
    spine = person(L1=(0.35, 0.2, 0.0), L2=(0.3, 0.15, 0.0), L3=(0.4, 0.2, 0.05))
    found = genant({v: spine[v] for v in ("T12", "L1", "L2", "L3", "L4", "L5")})
    assert [found[v].grade for v in ("T12", "L1", "L2", "L3", "L4", "L5")] == [0, 2, 2, 3, 0, 0]


def test_a_body_alone_is_compared_with_its_own_back():
    found = genant({"L1": person(L1=(0.3, 0.15, 0.0))["L1"]})["L1"]
    assert (found.grade, found.form, found.references) == (2, "wedge", ())
    crushed = genant({"L1": person(L1=(0.3, 0.3, 0.3))["L1"]})["L1"]
    assert crushed.grade == 0  # as the docstring says: hidden


def test_ordinary_variation_gives_few_grades():
    """Heights that vary by 4% between a person's bodies, as in Black et al. 1991, and are measured with it."""
    grades = [d.grade for seed in range(100) for d in genant(person(noise=0.04, seed=seed)).values()]
    assert np.mean(np.array(grades) > 0) < 0.002
    hits = [genant(person(noise=0.04, seed=s, L1=(0.3, 0.15, 0.0)))["L1"].grade for s in range(100)]
    assert np.mean(np.array(hits) >= 1) > 0.95


def test_levels_that_are_not_graded_or_not_measured_are_left_out():
    spine = person() | {"C5": Heights(12, 12, 13), "T9": Heights(float("nan"), 20, 20)}
    assert set(genant(spine)) == set(SPINE) - {"T9"}
    assert genant({}) == {}
    with pytest.raises(UsageError, match="X9"):
        genant({"X9": Heights(1, 1, 1)})
