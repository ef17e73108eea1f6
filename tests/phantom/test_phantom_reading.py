"""What readers make of the images: nothing of their own without errors, the paper's counts with their habits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spineclock.core.findings import LEVELS, STRUCTURAL, column, columns_of, empty_codes
from spineclock.phantom.parameters import DEFAULT, Told
from spineclock.phantom.people import people
from spineclock.phantom.reading import read

PERFECT = replace(DEFAULT.reading, error_rate=0.0, overcalled=0.0)
EVERY_LEVEL = np.ones((1, len(LEVELS)), dtype=bool)


@pytest.fixture(scope="module")
def some():
    return people(8000, seed=30)


def report(some, reading, seed=1):
    return read(
        some.imaging.codes,
        some.table["age_years"].to_numpy(),
        some.attributes.exists,
        reading=reading,
        rng=np.random.default_rng(seed),
    )


def test_without_errors_a_report_holds_nothing_that_the_images_do_not(some):
    told = report(some, PERFECT)
    assert (told[told > 0] == some.imaging.codes[told > 0]).all()
    assert 0.05 < (told > 0).sum() / (some.imaging.codes > 0).sum() < 0.5


def test_errors_rise_with_their_rate_and_are_about_as_many(some):
    held = some.imaging.codes

    def wrong(rate):
        told = report(some, replace(PERFECT, error_rate=rate))
        return int(((told > 0) & (told != held)).sum())

    few, many = wrong(0.02), wrong(0.10)
    # three false calls a scan and rate, and of each told finding of a level a third moved, a third graded anew
    told = report(some, PERFECT)
    levelled = int((told[:, : column("bone_lesion")] > 0).sum())
    upper = 0.10 * (3 * len(held) + levelled * 2 / 3)
    assert 0.4 * upper < many < 1.1 * upper
    assert many / few == pytest.approx(5, rel=0.25)


def test_overcalled_bulges_are_mild_low_and_where_there_are_none(some):
    told = report(some, replace(PERFECT, overcalled=0.25))
    lumbar = columns_of("disc_bulge", "lumbar")
    none = ~(some.imaging.codes[:, lumbar] > 0).any(axis=1)
    called = (told[:, lumbar] > 0).any(axis=1) & none
    assert called.sum() / none.sum() == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / none.sum()))
    low = [column("disc_bulge", level) for level in ("L4", "L5")]
    assert (told[np.ix_(called, low)].sum(axis=1) == 1).all()


def test_what_is_told_is_told_as_often_as_its_share_says():
    codes = np.repeat(empty_codes(1), 20_000, axis=0)
    codes[:, [column("endplate_change", "L3"), column("extrusion", "L4")]] = 1
    lumbar = {"endplate_change": Told((0.3, 0.5)), "extrusion": Told((0.1, 0.9, 0.9), per_decade=-0.4)}
    reading = replace(PERFECT, lumbar=lumbar, cervical={}, thoracic={}, whole={}, hush=0.0)
    exists = np.repeat(EVERY_LEVEL, len(codes), axis=0)
    rng = np.random.default_rng(2)
    told = read(codes, np.full(len(codes), 70.0), exists, reading=reading, rng=rng)
    assert (told[:, column("endplate_change", "L3")] > 0).mean() == pytest.approx(0.3, abs=0.013)
    # Φ(Φ⁻¹(0.1) − 0.4 × 2) = Φ(−2.0816) = 0.0187
    assert (told[:, column("extrusion", "L4")] > 0).mean() == pytest.approx(0.0187, abs=0.004)


def test_less_pertinent_findings_are_hushed_and_lone_mild_ones_left_out():
    codes = np.repeat(empty_codes(1), 4000, axis=0)
    codes[:, [column("disc_bulge", "L4"), column("desiccation", "L4"), column("desiccation", "C5")]] = 2
    codes[:, column("protrusion", "L5")] = 1
    always = {name: Told((1.0, 1.0, 1.0)) for name in ("disc_bulge", "desiccation", "protrusion")}
    reading = replace(PERFECT, lumbar=always, cervical=always, thoracic={}, whole={}, hush=0.5, lone_left_out=0.8)
    exists = np.repeat(EVERY_LEVEL, len(codes), axis=0)
    told = read(codes, np.full(len(codes), 50.0), exists, reading=reading, rng=np.random.default_rng(3))
    assert (told[:, column("desiccation", "L4")] > 0).mean() == pytest.approx(0.5, abs=0.035)
    assert (told[:, column("desiccation", "C5")] > 0).all()
    assert (told[:, column("protrusion", "L5")] > 0).mean() == pytest.approx(0.2, abs=0.03)
    assert (told[:, column("disc_bulge", "L4")] == 2).all()


def test_structural_conditions_are_there_where_one_of_their_levels_is(some):
    for codes in (some.imaging.codes, some.reported.codes):
        for name in STRUCTURAL:
            own = columns_of(name)
            assert (codes[:, own[0]] >= (codes[:, own[1:]] > 0).any(axis=1)).all()
