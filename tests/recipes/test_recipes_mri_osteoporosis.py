"""Osteoporosis from lumbar MRI: which scans are read by which network, what is refused, and what a reading holds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from spineclock import recipes
from spineclock.core.errors import InputError, RefusedError, TableError
from spineclock.core.geometry import picture_volume
from spineclock.core.recipe import Options
from spineclock.core.records import Scan
from spineclock.core.volume import Mask, Volume
from spineclock.nets.crops import crop_network
from spineclock.nets.diagnosis_folder import SCHEMA
from spineclock.nets.diagnosis_head import DiagnosisHead
from spineclock.nets.weights import model_folder, save
from spineclock.prep.cropping import Cropping
from spineclock.recipes import mri_osteoporosis as recipe
from spineclock.run.together import Joint
from spineclock.run.training.settings import TrainSettings
from spineclock.stats.diagnosis.from_levels import FromLevels

HOW = Cropping(size=(32, 32))


def run_folder(folder: Path, sequence: str = "T1w", **changes: Any) -> Path:
    """A run's folder with a network that was never trained."""
    rng = np.random.default_rng(0)
    ill = np.arange(60) % 3 == 0
    z = rng.normal(ill[:, None] * 1.0, 1.0, (60, 4))
    torch.manual_seed(0)
    save(crop_network("crop_small", levels=4, slices=1), folder / "weights.safetensors")
    about = {
        "schema": SCHEMA, "name": f"made-up-{sequence}", "statement": f"Made up for {sequence}.",
        "network": "crop_small", "simulated": True, "head": DiagnosisHead("osteoporosis", HOW.levels).as_dict(),
        "preparation": HOW.as_dict(), "sequence": sequence, "ages_years": [50.0, 80.0],
        "calibration": FromLevels.fit(z, ill, range(60)).as_dict(), "validation": [[0.5, 1.0]],
    }  # fmt: skip
    (folder / "network.json").write_text(json.dumps({**about, **changes}))
    return folder


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("both")
    for sequence in recipe.SEQUENCES:
        run_folder(folder / sequence, sequence)
    return folder


def scan(sequence: str = "T1w", *, cut: tuple[str, ...] = ()) -> Scan:
    """Five bodies in a row with a canal behind them, as their label map tells them."""
    array = np.zeros((5, 90, 240), np.int16)
    for n, level in enumerate(("L5", "L4", "L3", "L2", "L1")):
        if level not in cut:
            array[:, 40:74, 10 + 36 * n : 36 + 36 * n] = 224 - n
    array[:, 20:34] = 62
    grey = np.where(array > 200, 300.0, np.where(array == 62, 120.0, 0.0))
    grey = grey + np.random.default_rng(1).normal(0, 20, grey.shape)
    return Scan("a", Volume(grey, np.eye(4)), Path("a.nii.gz"), "MR", sequence, mask=Mask(array, np.eye(4)))


def test_the_network_is_that_of_the_scans_weighting(both: Path) -> None:
    reader = recipe.load(str(both), Options(threads=1))
    for sequence in recipe.SEQUENCES:
        told = reader.read(scan(sequence)).diagnosis
        assert told is not None
        assert told.sequence == sequence
    assert set(reader.model.weights_sha256) == {"segmenter.safetensors", "network T1w", "network T2w"}
    alone = recipe.load(str(both / "T1w"), Options(threads=1))
    refused = alone.read(scan("T2w")).quality
    assert refused.verdict == "refused"
    assert refused.reasons == ("no network for T2w scans; there is one for T1w",)
    assert recipe.narrowed(recipe.RECIPE.accepts, str(both / "T2w")).sequences == ("T2w",)
    assert recipe.RECIPE.accepts_with(str(both)).sequences == ("T1w", "T2w")


def test_a_reading_holds_what_the_network_says_of_each_vertebra(both: Path) -> None:
    reading = recipe.load(str(both), Options(threads=1)).read(replace(scan(), age_years=70.0))
    told = reading.diagnosis
    assert told is not None
    assert [v.level for v in told.levels] == ["L1", "L2", "L3", "L4"]
    assert reading.quality.verdict == "check"
    assert "the network has seen simulated people only" in reading.quality.reasons
    assert told.scores["vbq"] == pytest.approx(2.5, abs=0.1)  # 300 over 120, as it was drawn
    judge = recipe.load(str(both), Options(threads=1)).networks["T1w"]  # type: ignore[attr-defined]
    row = recipe.prepared(scan(), HOW).input()
    log_odds = judge.network.log_odds(row)[None]
    assert told.probability == pytest.approx(float(judge.calibration.probability(log_odds)[0]))
    assert [v.probability for v in told.levels] == pytest.approx(judge.calibration.vertebrae(log_odds)[0].tolist())
    assert told.called == (told.probability > told.threshold)
    assert {c.level for c in reading.crops} == {"L1", "L2", "L3", "L4"}
    assert all(c.heat.shape == (32, 32) and (c.heat >= 0).all() for c in reading.crops)
    assert reading.scan.mask is not None
    assert set(np.unique(reading.scan.mask.array)) == {0, 20, 21, 22, 23, 24, 62}  # as outlines are drawn


def test_a_vertebra_that_is_not_there_is_named_and_the_others_answer(both: Path) -> None:
    reading = recipe.load(str(both), Options(threads=1)).read(scan(cut=("L2",)))
    told = reading.diagnosis
    assert told is not None
    assert [v.level for v in told.levels] == ["L1", "L3", "L4"]
    assert "L2" in told.missing
    assert "not read: L2" in reading.quality.reasons


def test_most_vertebrae_missing_is_no_answer(both: Path) -> None:
    reader = recipe.load(str(both), Options(threads=1))
    assert reader.read(scan(cut=("L1", "L2"))).diagnosis is not None
    refused = reader.read(scan(cut=("L1", "L2", "L3")))
    assert refused.quality.verdict == "refused"
    assert refused.quality.reasons[0].startswith("only L4 of L1, L2, L3, L4 could be cropped (L1: it was not found")
    assert refused.diagnosis is None


def test_of_a_study_both_weightings_are_read_where_they_are_joined(tmp_path: Path) -> None:
    for sequence in recipe.SEQUENCES:
        run_folder(tmp_path / sequence, sequence)
    accepts = recipe.RECIPE.accepts
    assert not recipe.narrowed(accepts, str(tmp_path)).each_sequence
    (tmp_path / "fusion.json").write_text("{}")
    assert recipe.narrowed(accepts, str(tmp_path)).each_sequence


def test_no_weighting_no_answer(both: Path) -> None:
    reader = recipe.load(str(both), Options(threads=1))
    assert "nothing tells its weighting; wanted T1w or T2w" in reader.read(scan("")).quality.reasons[0]
    assert "it is weighted STIR" in reader.read(scan("STIR")).quality.reasons[0]


def test_rubbish_pictures_are_refused_with_reasons(both: Path) -> None:
    reader = recipe.load(str(both), Options(threads=1))
    noise = np.random.default_rng(0).integers(0, 255, (300, 200)).astype(np.uint8)
    picture = Scan("noise", picture_volume(noise, (1.0, 1.0)), Path("noise_t1.png"), "MR", "T1w")
    with pytest.raises(RefusedError, match="vertebra.* found|not to be trusted"):
        reader.read(picture)


def test_a_real_picture_is_outlined_and_read(both: Path, real_data: Path) -> None:
    folder = real_data / "spider" / "midsagittal"
    image = np.asarray(Image.open(folder / "115_t2.png").convert("L"))
    picture = Scan("115_t2", picture_volume(image, (290 / len(image),) * 2), Path("115_t2.png"), "MR", "T2w")
    told = recipe.load(str(both), Options(threads=1)).read(picture).diagnosis
    assert told is not None
    assert [v.level for v in told.levels] == ["L1", "L2", "L3", "L4"]


def test_the_packaged_networks_read_a_real_picture_of_either_weighting_and_answer_together(real_data: Path) -> None:
    accepts = recipe.RECIPE.accepts_with("default")
    assert (accepts.sequences, accepts.each_sequence) == (("T1w", "T2w"), True)
    reader = recipe.load("default", Options(threads=1))
    Joint.of(model_folder("default", recipe.PACKAGED)).require_its_own(reader.model.weights_sha256)
    folder = real_data / "spider" / "midsagittal"
    for sequence in ("T1w", "T2w"):
        image = np.asarray(Image.open(folder / f"115_{sequence[:2].lower()}.png").convert("L"))
        picture = Scan("115", picture_volume(image, (290 / len(image),) * 2), Path("115.png"), "MR", sequence)
        reading = reader.read(picture)
        assert 0 < reading.diagnosis.probability < 1
        assert "the network has seen simulated people only" in reading.quality.reasons


def test_weights_that_are_not_there_or_of_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no run of a diagnosis network"):
        recipe.load(str(tmp_path), Options(threads=1))
    other = DiagnosisHead("gout", HOW.levels).as_dict()
    with pytest.raises(InputError, match="tells of gout; wanted: osteoporosis"):
        recipe.load(str(run_folder(tmp_path / "gout", head=other)), Options(threads=1))
    wrong = run_folder(tmp_path / "wrong", head=DiagnosisHead("osteoporosis", ("L1",)).as_dict())
    with pytest.raises(InputError, match="the levels of head and preparation are not the same"):
        recipe.load(str(wrong), Options(threads=1))
    with pytest.raises(
        InputError, match="age-network/2; wanted: spineclock.diagnosis-network/1; remedy: name the recipe"
    ):
        recipe.load(str(run_folder(tmp_path / "age", schema="spineclock.age-network/2")), Options(threads=1))
    with pytest.raises(InputError, match="of the kind spineclock.diagnosis-network/1"):
        recipes.get("xray-age").load(str(run_folder(tmp_path / "films")), Options(threads=1))


def test_labels_follow_from_t_scores_by_the_settings_rule() -> None:
    table = pd.DataFrame({"scan_id": list("abc"), "lumbar_spine_t_score": [-2.6, -1.0, -2.0],
                          "total_hip_t_score": [-1.0, -2.7, None], "age_years": 60.0, "sex": "F"})  # fmt: skip
    both = TrainSettings(dxa_sites="lumbar_spine,total_hip", dxa_measured="all")
    assert recipe.labels(table, both)[0]["osteoporosis"].tolist() == [True, True, pd.NA]
    spine, notes = recipe.labels(table, TrainSettings(dxa_sites="lumbar_spine"))
    assert spine["osteoporosis"].tolist() == [True, False, False]
    assert "Of 3 rows 1 have it" in notes[0]
    with pytest.raises(TableError, match="no column"):
        recipe.labels(table, TrainSettings(dxa_sites="femoral_neck"))
