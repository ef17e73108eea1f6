"""Crops of real scans, and of simulated people; the page of results."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spineclock.core.bone import BodyFrame
from spineclock.core.volume import Mask, Volume
from spineclock.ingest.datasets import spider
from spineclock.nets.weights import packaged
from spineclock.prep.cropping import Cropping
from spineclock.prep.crops import Crops, crops
from spineclock.run.crops_checks import phantom_rows, picture_rows, sampled_pictures, slab_rows, true_here
from spineclock.run.crops_results import Tables, page
from spineclock.segment.engine import scorer


def test_a_crops_pixels_are_looked_up_in_the_true_map():
    array = np.zeros((5, 60, 60), np.int16)
    array[:, 10:44, 20:46] = 222
    truth = Mask(array, np.diag([3.0, 1.0, 1.0, 1.0]))
    scan = Volume(np.random.default_rng(0).normal(100, 10, array.shape), truth.affine)
    box = BodyFrame("L3", (6.0, 26.5, 32.5), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), 34.0, 26.0)
    crop = crops(scan, truth, {"L3": box})["L3"]
    here = true_here(crop, truth) == 222
    assert (here == crop.mask).mean() > 0.97
    beyond = true_here(crop, Mask(array[:, :20], truth.affine)) == 222
    assert 0 < beyond.sum() < here.sum()


@pytest.mark.slow
def test_simulated_people_have_the_same_levels_in_both_sequences():
    sheets = {}
    table = pd.DataFrame(phantom_rows(1, seed=71, sheets=sheets))
    assert table["same_levels"].all()
    assert (table["levels"] == 4).all()
    assert table["apart_mm"].max() < 1e-6
    assert (table["T1w vbq"] > 1).all()
    assert table["T2w vbq"].isna().all()
    assert len(sheets) == 2


@pytest.mark.slow
def test_crops_of_real_slabs_hold_their_bodies(real_data, tmp_path):
    (tmp_path / "space").mkdir()
    for name in ("participants.csv", "space/41_T2w.nii.gz", "space/41_mask.nii.gz"):
        (tmp_path / name).symlink_to((real_data / "spider" / name).resolve())
    table = pd.DataFrame(slab_rows(spider.read(tmp_path), Cropping(slices=3), None))
    assert table["level"].tolist() == ["L1", "L2", "L3", "L4"]
    assert table["held"].min() > 0.95
    assert table["shown"].min() > 0.95


@pytest.mark.slow
def test_bodies_are_cropped_from_single_pictures(real_data):
    folder = real_data / "spider"
    assert sampled_pictures(folder, 30, seed=0) == sampled_pictures(folder, 30, seed=0)
    sheets: dict[str, Crops] = {}
    table = pd.DataFrame(picture_rows(folder, ["115"], Cropping(), scorer(packaged("segmenter.safetensors")), sheets))
    assert table["missing"].tolist() == [""] * 8
    assert list(sheets) == ["115_t1", "115_t2"]
    for one in sheets.values():
        assert all(0.45 < crop.mask.mean() < 0.75 for crop in one.crops)


def test_the_page_counts_what_failed_and_what_was_left_out():
    slabs = pd.DataFrame({"person_id": ["1", "2", "3"], "age_years": [30.0, 50.0, 60.0], "seconds": [2.0, 4.0, 3.0],
                          "to_csf": [0.2, 0.3, 0.4], "level": "L1", "held": [0.99, 0.3, np.nan],
                          "shown": [1.0, 0.4, np.nan], "missing": [None, None, "cut"]})  # fmt: skip
    pictures = pd.DataFrame(
        {"series": ["5_t1", "5_t2"], "weighting": ["t1", "t2"], "level": "L1", "missing": ["", "gone"], "scale": 1.0,
         "part": "fresh", "seconds": 1.0}
    )  # fmt: skip
    rng = np.random.default_rng(0)
    names = ["marrow_fat", "spine_age_years", "lumbar_t_score", "apart_mm", "seconds", "T1w vbq", "T1w to_fat",
             "T1w to_muscle", "T2w to_csf", "T2w to_fat", "T1w marrow_variation"]  # fmt: skip
    phantoms = pd.DataFrame(rng.normal(size=(9, len(names))), columns=names).assign(
        levels=4, same_levels=True, field_tesla=1.5
    )
    seen = pd.DataFrame({"what": ["no body"], "series": ["5_t1"], "level": ["L1"], "seen": ["a disc"]})
    text = page(Tables(slabs, slabs, pictures, phantoms, seen), command="c", minutes=1, day="d", seed=0)
    assert "| expert masks | 3 | 3 | 2 | 1 | 0.645 | 0.300 | 0.700 | 0.400 | 3.000 |" in text
    assert "Left out: person 3 L1 (cut)." in text
    assert "| fresh | T1 | 1 | 1 | 1 | 0 | 1 (100.0%) | 100.0% |" in text
    assert "| fresh | T2 | 1 | 1 | 0 | 1 | 0 (0.0%) | 100.0% |" in text
    assert "| VBQ, each field strength's means taken off | 9 |" in text
