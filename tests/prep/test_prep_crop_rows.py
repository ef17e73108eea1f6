"""Crops in a store: levels in their places, missing ones marked as such, and what a network is shown of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spineclock.core.errors import InputError, RefusedError
from spineclock.prep.crop_rows import crop_variants
from spineclock.prep.cropping import Cropping
from spineclock.prep.crops import Crop, Crops
from spineclock.prep.film import FilmPreparation
from spineclock.prep.kinds import for_every_part, preparation_of, preparation_told
from spineclock.prep.store import PreparedStore
from spineclock.prep.store_format import About
from spineclock.prep.store_write import write_scan, writing

HOW = Cropping(levels=("L1", "L2", "L3"), size=(32, 40), slices=2)


def crop(level: str, seed: int) -> Crop:
    array = np.random.default_rng(seed).normal(size=(2, 32, 40)).astype(np.float32)
    affine = np.diag([4.0, 0.6, 0.6, 1.0])
    return Crop(level, array, array > 0, affine, 0.6, 1.0)


FOUND = Crops((crop("L1", 1), crop("L3", 3)), {"L2": "its body meets the border of the scan"}, HOW)


def test_each_level_has_its_place_and_a_missing_one_is_nothing() -> None:
    made = crop_variants(FOUND)
    assert made.input().shape == HOW.shape == (6, 32, 40)
    assert np.array_equal(made.input()[:2], FOUND["L1"].array)
    assert not made.input()[2:4].any()
    assert np.array_equal(made.input()[4:], FOUND["L3"].array)
    assert made.margins.array.any(axis=(1, 2)).tolist() == [True, True, False, False, True, True]
    assert set(np.unique(made.labels.array)) == {0, 220, 222}
    assert made.missing["L2"] == "its body meets the border of the scan"


@pytest.mark.parametrize(("dtype", "off"), [("float16", 2e-3), ("uint8", 0.02)])
def test_a_store_gives_back_what_it_was_given(tmp_path: Path, dtype: str, off: float) -> None:
    about = About(HOW, dtype, "0")  # type: ignore[arg-type]
    made = crop_variants(FOUND)
    with writing(tmp_path, about) as store:
        (row,) = store.free_rows(1)
        store.add(write_scan(tmp_path, row, made, about, scan_id="a", source={}, sequence="T1w"))
    read = PreparedStore.open(tmp_path)
    assert read.how == HOW
    assert read.entries[0].sequence == "T1w"
    assert read.entries[0].missing["L2"] == "its body meets the border of the scan"
    assert np.allclose(read.input(0), made.input(), atol=off)
    assert not read.input(0)[2:4].any()
    assert np.allclose(read.in_memory([0]).inputs([0])[0, 0], made.input(), atol=off)


def test_lines_of_stores_that_told_no_weighting_are_still_read(tmp_path: Path) -> None:
    about = About(HOW, "float16", "0")
    with writing(tmp_path, about) as store:
        (row,) = store.free_rows(1)
        store.add(write_scan(tmp_path, row, crop_variants(FOUND), about, scan_id="a", source={}))
    index = tmp_path / "scans.jsonl"
    told = json.loads(index.read_text())
    del told["sequence"]
    index.write_text(json.dumps(told) + "\n")
    assert PreparedStore.open(tmp_path).entries[0].sequence == ""


def test_grey_values_that_no_store_can_hold_are_refused() -> None:
    large = Crops((replace(crop("L1", 1), array=np.full((2, 32, 40), 7e4, np.float32)),), {}, HOW)
    with pytest.raises(RefusedError, match="grey values up to 70000; wanted: below 60000; remedy: set intensity"):
        crop_variants(large)


def test_a_preparation_of_crops_is_one_of_the_kinds() -> None:
    told = json.loads(json.dumps(for_every_part(HOW)))
    assert preparation_told(told) == HOW
    assert preparation_of(HOW.as_dict(), Cropping, recipe="mri-osteoporosis") == HOW
    with pytest.raises(InputError, match="reads films, not crops of vertebrae; wanted: a run of mri-osteoporosis"):
        preparation_of(FilmPreparation().as_dict(), Cropping, recipe="mri-osteoporosis")
