"""The phantom beside real people: who is matched with whom, numbers by hand, the page's words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import InputError
from spineclock.core.volume import Mask, Volume
from spineclock.phantom.mri.scanner import Request, acquire
from spineclock.run import phantom_realism_page as page
from spineclock.run.phantom_findings import at, healthy
from spineclock.run.phantom_realism import (
    Likeness,
    grades_of,
    likeness,
    matched,
    pfirrmann,
    scoring_people,
    tuning_people,
)


def found(*, cut_off: bool = False, height: float = 0.3) -> Likeness:
    discs = pd.DataFrame(
        {
            "level": ["L3/L4", "L4/L5", "L5/S1"], "pfirrmann": [2.0, 4.0, 4.0], "height_mm": [9.0, 8.0, 6.0],
            "height_to_body": [height, 0.3, 0.2], "signal_to_csf": [0.4, 0.1, 0.2], "nucleus_to_csf": [0.5, 0.1, 0.3],
            "signal_to_marrow": [1.0, 0.4, np.nan],
        }
    )  # fmt: skip
    canal = pd.DataFrame({"level": ["L4", "L4/L5"], "at": ["body", "disc"], "depth_mm": [13.0, 11.0]})
    tissues = pd.DataFrame(
        {"tissue": ["marrow", "muscle", "fat"], "to_csf": [0.4, 0.05, np.nan], "to_marrow": [1.0, 0.125, np.nan]}
    )
    return Likeness(discs, canal, tissues, cut_off)


def told(half: str, kind: str, numbers: list[float], row: str = "L4/L5") -> pd.DataFrame:
    return pd.DataFrame(
        {"topic": "height", "row": row, "value": numbers, "half": half, "kind": kind,
         "scan": [f"{kind}{k}" for k in range(len(numbers))], "cut_off": False}
    )  # fmt: skip


def test_halves_take_turns_and_share_nobody():
    ids = [str(n) for n in (9, 2, 30, 4, 100)]
    assert tuning_people(ids) == ("2", "9", "100")
    assert scoring_people(ids) == ("4", "30")
    assert page.halves_of(ids)["30"] == "scoring"


def test_matches_are_of_the_same_sex_nearest_in_age_and_nobody_twice():
    made = [healthy(1, age_years=40.0), healthy(2, age_years=50.0), healthy(3, age_years=44.0, sex="F")]
    again = healthy(4, age_years=45.0, session=2)
    names = [m.person_id for m in matched([(44.9, "M"), (44.0, "M"), (70.0, "F")], [*made, again])]
    assert names == ["sub-1", "sub-2", "sub-3"]
    with pytest.raises(InputError, match="too few made-up people of sex F; wanted: at least 2"):
        matched([(44.0, "F"), (44.0, "F")], made)


def test_grades_are_named_by_disc(tmp_path: Path):
    grades = grades_of(healthy(pfirrmann=at(1, L5=4)))
    assert grades["L5/S1"] == 4
    assert grades["T12/L1"] == 1
    assert "T13/L1" not in grades
    table = tmp_path / "gradings.csv"
    table.write_text("Patient,IVD label,Pfirrman grade\n7,1,4\n7,2,3\n")
    assert pfirrmann(table) == {"7": {"L5/S1": 4, "L4/L5": 3}}
    table.write_text("Patient,grade\n7,1\n")
    with pytest.raises(InputError, match="lacks ivd label, pfirrman grade"):
        pfirrmann(table)


def test_values_of_a_scan_are_a_persons_means():
    rows = page.values(found()).set_index(["topic", "row"])["value"]
    assert rows["height", "L4/L5"] == 0.3
    assert rows["csf", "whole disc, grade 4"] == pytest.approx(0.15)
    assert rows["csf", "nucleus, grade 4"] == pytest.approx(0.2)
    assert rows["marrow", "whole disc, grade 4"] == pytest.approx(0.4)  # of the one that could be measured
    assert rows["canal", "behind L4/L5"] == 11.0
    assert rows["tissues", "muscle to marrow"] == 0.125
    assert ("csf", "whole disc, grade 1") not in rows
    cut = page.values(found(cut_off=True))
    assert not (cut["topic"] == "csf").any()
    assert set(cut.loc[cut["topic"] == "tissues", "row"]) == {"muscle to marrow"}


def test_comparison_by_hand():
    rows = pd.concat([told("tuning", "real", [0.1, 0.2, 0.3, 0.4]), told("tuning", "phantom", [0.3, 0.6]),
                      told("scoring", "real", [0.1, 0.2, 0.3]), told("scoring", "phantom", [0.9])])  # fmt: skip
    table = page.compared(rows).set_index("half")
    tuned = table.loc["tuning"]
    assert (tuned["low"], tuned["high"], tuned["n"]) == (0.1, 0.4, 4)
    assert tuned["mean"] == pytest.approx(0.25)
    assert tuned["sd"] == pytest.approx(np.sqrt(0.05 / 3))
    assert tuned["phantom_mean"] == pytest.approx(0.45)
    assert tuned["apart"] == pytest.approx(0.2 / np.sqrt(0.05 / 3))
    assert tuned["inside"] is False
    assert tuned["share"] == 0.5
    assert table.loc["scoring", "inside"] is None  # three people are too few to judge by


def test_page_names_what_lies_outside():
    rows = pd.concat(
        [
            told("tuning", "real", [0.1, 0.2, 0.3, 0.4]),
            told("tuning", "phantom", [0.25, 0.3]),
            told("scoring", "real", [0.1, 0.2, 0.3, 0.4]),
            told("scoring", "phantom", [0.9, 0.95]),
        ]
    )
    text = page.page(rows, about="- Command: `x`")
    assert "- **Tuning half**: the phantom's mean lies in the real people's range in 1 of 1 rows. SDs of" in text
    assert "**outside: height of L4/L5 (+5.2 SD, 2 made-up)**" in text
    assert "| L4/L5 | 0.25 ± 0.13 (0.10–0.40), n = 4 | 0.28 ± 0.04, n = 2 | +0.2 | yes, 100% |" in text


def test_segmentation_is_told_by_half_and_by_what_it_was_trained_on(tmp_path: Path):
    dice = pd.DataFrame({"person_id": [7, 11, 18, 34], "disc": 0.8, "canal": 0.9, "vertebra": [0.9, 0.6, 0.8, 0.7]})
    halves = page.halves_of(["7", "11", "18", "34"])
    text = page.segmentation_section(dice, halves, None)
    assert "| scoring | vertebra | 2 | 0.650 | 0.071 | 0.600 | ≥ 0.70 |" in text
    assert "| tuning | vertebra | 2 | 0.850 | 0.071 | 0.800 |  |" in text
    assert "is **missed** by 0.050 (0.650)" in text
    assert "not on record here" in text
    with pytest.raises(InputError, match="a table of Dice without canal"):
        page.segmentation_section(dice.drop(columns="canal"), halves, None)
    stage = {"stage": "phantom", "people": 0, "phantoms": 570, "steps": 2200, "batch": 24, "seed": 0, "device": "cpu"}
    (tmp_path / "segmentation_training.json").write_text(json.dumps({"stages": [stage]}))
    assert page.training_of(tmp_path / "segmenter-phantom.safetensors") == stage
    assert page.training_of(tmp_path / "segmenter-0.safetensors") is None
    assert "on phantoms alone: 570 simulated series, 2,200 steps" in page.segmentation_section(dice, halves, stage)
    assert "no test of the phantom" in page.segmentation_section(dice, halves, {**stage, "people": 5})


@pytest.mark.slow
def test_a_simulated_scan_is_measured():
    person = healthy()
    (series,) = acquire(person, Request("lumbar"), seed=1)
    got = likeness(series.volume, series.labels, grades_of(person))
    discs = got.discs.set_index("level")
    assert discs.loc["L4/L5", "pfirrmann"] == 1
    assert 0.2 < discs.loc["L4/L5", "height_to_body"] < 0.6
    assert got.canal["depth_mm"].between(8, 22).all()
    assert not got.cut_off


@pytest.mark.slow
def test_a_real_person_and_the_match_give_the_same_rows(real_data: Path):
    from spineclock.ingest.datasets import spider

    everyone = spider.read(real_data / "spider")
    person = next(p for p in everyone if p.person_id == "118")
    grades = pfirrmann(real_data / "spider" / "radiological_gradings.csv")
    real, made = page.pair(person, grades["118"], healthy(age_years=44.0), half="tuning", seed=1)
    assert isinstance(person.volume, Volume)
    assert isinstance(person.mask, Mask)
    for rows in (real, made):
        assert {"L1/L2", "L4/L5", "behind L3", "muscle to marrow"} <= set(rows["row"])
    both = real.merge(made, on=["topic", "row"])
    assert both.loc[both["topic"] == "canal", "value_x"].between(5, 25).all()
    assert len(everyone) == 28
