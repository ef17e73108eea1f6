"""Levels counted from the sacrum and from C2, on whole spines drawn by formula."""

from __future__ import annotations

import numpy as np
import pytest
from whole_spine import USUAL, drawn_spine

from spineclock.core.anatomy import LEVEL_NUMBERS
from spineclock.segment.instances import find
from spineclock.segment.levels import counted


def names(found) -> tuple[str, ...]:
    return tuple(v.level for v in found.vertebrae)


def agreement(found, truth, number: int) -> float:
    a, b = found.labels.array == number, truth.array == number
    return float(2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b)))


@pytest.mark.parametrize(
    "shape",
    [{}, {"slice_mm": 5.0}, {"bend": 45.0}, {"lean": 0.5}, {"bend": 0.0}],
    ids=["usual", "thick", "bent", "leans", "straight"],
)
def test_a_whole_spine_is_named_from_the_sacrum_to_c2(shape) -> None:
    classes, truth = drawn_spine(**shape)
    found = find(classes)
    assert names(found) == tuple(reversed(USUAL))
    assert len(found.discs) == 23
    assert found.sacrum
    assert (found.presacral, found.supernumerary) == (24, False)
    assert found.notes == ()
    for number in (3, 7, 12, 18, 24):
        assert agreement(found, truth, number + 100) > 0.98
        assert agreement(found, truth, number) > 0.9
    assert ((found.labels.array == 26) == (truth.array == 26)).mean() > 0.9999


@pytest.mark.parametrize(("extra", "lowest", "presacral"), [(("L6",), "L6", 25), ((), "L4", 23)])
def test_one_more_or_less_is_counted_from_c2_and_said(extra, lowest, presacral) -> None:
    levels = (*USUAL, *extra) if extra else USUAL[:-1]
    classes, _ = drawn_spine(levels)
    found = find(classes)
    assert names(found)[0] == lowest
    assert names(found)[-1] == "C2"
    assert (found.presacral, found.supernumerary) == (presacral, True)
    assert f"{presacral} above the sacrum where 24 are usual" in found.notes[0]
    assert found.confidence == pytest.approx(0.7 * find(drawn_spine()[0]).confidence, rel=0.1)


def test_without_a_sacrum_names_run_down_from_c2() -> None:
    classes, _ = drawn_spine(USUAL[:12], sacrum=False)
    found = find(classes)
    assert names(found) == tuple(reversed(USUAL[:12]))
    assert not found.sacrum
    assert found.presacral == 0


def test_a_lumbar_spine_is_named_from_the_sacrum() -> None:
    classes, _ = drawn_spine(USUAL[-7:])
    assert names(find(classes)) == ("L5", "L4", "L3", "L2", "L1", "T12", "T11")
    assert names(find(classes, lowest_vertebra="L6"))[:2] == ("L6", "L5")


def test_discs_within_the_sacrum_are_none_and_a_fused_lowest_one_is_noticed() -> None:
    classes, truth = drawn_spine(USUAL[-7:])
    array = classes.array.copy()
    heights = np.argwhere(array == 4)[:, 2]
    remnant = (array == 4) & (np.abs(np.arange(array.shape[2]) - heights.mean()) < 3)
    array[remnant] = 1
    found = find(classes.with_array(array))
    assert names(found)[0] == "L5"
    assert len(found.discs) == 7
    fused = classes.array.copy()
    fused[truth.array == 124] = 0
    found = find(classes.with_array(fused))
    assert names(found) == ("L5", "L4", "L3", "L2", "L1", "T12", "T11")
    assert found.discs[0].level == "L4/L5"
    assert any("no disc is seen between the lowest vertebra and the sacrum" in n for n in found.notes)


@pytest.mark.parametrize("level", ["C2", "C5", "T6", "L3", "L5"])
def test_one_disc_that_is_not_marked_shifts_no_name(level) -> None:
    classes, truth = drawn_spine()
    found = find(classes.with_array(np.where(truth.array == 100 + LEVEL_NUMBERS[level], 2, classes.array)))
    assert names(found) == tuple(reversed(USUAL))
    assert len(found.discs) == 22
    assert not found.supernumerary


@pytest.mark.parametrize("level", ["C4", "T3", "T10", "L4"])
def test_discs_grown_together_in_front_are_parted(level) -> None:
    classes, truth = drawn_spine()
    array = classes.array.copy()
    number = LEVEL_NUMBERS[level]
    middle = array.shape[0] // 2
    body = np.argwhere(truth.array[middle] == number)
    body = body[body[:, 0] > body[:, 0].max() - 25]
    for k in np.unique(body[:, 1]):
        front = body[body[:, 1] == k][:, 0].max()
        array[middle, front - 1 : front + 1, k] = 1
    found = find(classes.with_array(array))
    assert names(found) == tuple(reversed(USUAL))
    assert len(found.discs) == 23


def test_counts_by_hand() -> None:
    assert counted(23, sacrum=True, c2=True).presacral == 24
    assert counted(23, sacrum=True).presacral == 0
    assert counted(24, sacrum=True).names[0] == "L6"  # C2 would be C1 else, which has no disc below it
    assert counted(20, sacrum=True, c2=True).doubts != ()
    assert counted(24, c2=True, below=True).names[0] == "S1"
    assert counted(22, sacrum=True).names[0] == "L5"
    assert counted(5, lowest_vertebra="T8", sacrum=True, c2=True).names[0] == "T8"
