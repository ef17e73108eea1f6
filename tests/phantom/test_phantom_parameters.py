"""The parameter file: typed, with worlds, and nothing unknown in it."""

from __future__ import annotations

import pytest

from spineclock.core.errors import UsageError
from spineclock.phantom.curves import curves
from spineclock.phantom.parameters import DEFAULT, changed, document, load, made, worlds


def raw() -> dict:
    plain = document()
    plain.pop("worlds")
    return plain


def test_values_of_the_file_are_those_of_the_paper():
    assert sum(DEFAULT.who.men) + sum(DEFAULT.who.women) == 18_070
    assert DEFAULT.who.people + DEFAULT.who.second_scans == 18_070
    assert sum(len(site.makers) for site in DEFAULT.who.sites) == 19
    assert sum(site.share for site in DEFAULT.who.sites) == pytest.approx(1)
    assert sum(DEFAULT.lifestyle.days_shares) == pytest.approx(1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gap": {"residul_sd_years": 4.0}}, r"unknown key parameters\.gap\.residul_sd_years"),
        (
            {"imaging": {"lumbar": {"disc_bulge": {"weight": 1}}}},
            r"unknown key parameters\.imaging\.lumbar\.disc_bulge",
        ),
        ({"who": {"people": "many"}}, r"parameters\.who\.people is 'many'; wanted: int"),
        ({"who": {"men": [1, "x"]}}, r"parameters\.who\.men\[1\] is 'x'"),
        ({"nonsense": {"a": 1}}, r"unknown key parameters\.nonsense"),
    ],
)
def test_what_means_nothing_is_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        made(changed(raw(), changes), world="default")


def test_a_missing_value_is_named():
    plain = raw()
    plain["gap"] = {key: value for key, value in plain["gap"].items() if key != "effect"}
    with pytest.raises(UsageError, match=r"no value for parameters\.gap\.effect"):
        made(plain, world="default")


def test_an_unknown_world_is_refused_with_those_there_are():
    with pytest.raises(UsageError, match=r"no phantom world is called 'mirror'; wanted: one of default, null"):
        load("mirror")


@pytest.mark.parametrize("world", worlds())
def test_every_world_loads_and_is_loaded_once(world):
    assert load(world) is load(world)
    assert load(world).world == world


def test_the_null_world_changes_no_prevalence():
    for there, curve in curves(load("null")).items():
        assert curve.part.any == curves(DEFAULT)[there].part.any
        assert curve.gap_effect == 0


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"any": [1, 2, 3]}, "wanted: 7 per cents inside 0 to 100"),
        ({"any": [0, 2, 3, 4, 5, 6, 7]}, "wanted: 7 per cents inside 0 to 100"),
        ({"profile": "tail"}, r"profile is 'tail'; wanted: one of neck"),
    ],
)
def test_curves_that_cannot_be_are_refused(part, message):
    wrong = made(changed(raw(), {"imaging": {"lumbar": {"disc_bulge": part}}}), world="default")
    with pytest.raises(UsageError, match=message):
        curves(wrong)
