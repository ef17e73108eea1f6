"""Recipe four on real scans: what is measured through either kind of label map, and what is refused in words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import spineclock
from spineclock.core.errors import InputError, RefusedError, UsageError
from spineclock.core.recipe import Options
from spineclock.core.records import Scan
from spineclock.core.volume import Mask, Volume
from spineclock.phantom.anatomy.traits import traits_of
from spineclock.phantom.ct.scanner import Request, acquire
from spineclock.phantom.parameters import load
from spineclock.phantom.people import people
from spineclock.prep.ct_sampling import MUSCLES
from spineclock.recipes import ct_fracture
from spineclock.recipes.ct_fracture import RECIPE, Judge
from spineclock.run.predict import predict_all, predict_one
from spineclock.run.settings import PredictSettings
from spineclock.segment import ct_outline
from spineclock.segment.ct_outline import SIMULATED, CtOutlined


def verse(real_data: Path) -> dict[str, object]:
    folder = real_data / "ct" / "verse014"
    return {"source": folder / "sub-verse014_ct.nii.gz", "mask": folder / "sub-verse014_seg-vert_msk.nii.gz",
            "mask_scheme": "verse"}  # fmt: skip


def totalsegmentator(real_data: Path) -> dict[str, object]:
    folder = real_data / "ct" / "totalsegmentator"
    return {"source": folder / "example_ct.nii.gz", "mask_scheme": "totalsegmentator",
            "mask": folder / "spine_report" / "test_result" / "totalseg.nii.gz"}  # fmt: skip


@pytest.mark.parametrize("of", [verse, totalsegmentator])
def test_real_scans_are_measured_and_judged_by_the_packaged_network_of_bone(real_data, of):
    reading = predict_one(recipe="ct-fracture", **of(real_data))
    told = reading.event
    assert reading.quality.verdict == "check"
    assert any("the network of bone alone answers" in reason for reason in reading.quality.reasons)
    assert "the network has seen simulated people only" in reading.quality.reasons
    assert 0 < told.risk_by(2.0) < told.risk_by(3.0) < told.risk < 0.5
    assert 0 <= told.probability <= 1
    assert len(told.shown) == 3
    assert [v.level for v in told.vertebrae] == ["L1", "L2", "L3", "L4", "L5"]
    # none of the two people has a fracture of these levels that a reader would call moderate
    assert all((v.grade or 0) <= 1 for v in told.vertebrae)
    assert all(60 < v.trabecular_hu < 300 for v in told.vertebrae)
    assert "Not a medical device" in reading.model.statement
    assert set(reading.model.weights_sha256) == {
        "ct_segmenter.safetensors", "network of bone", "network of bone+muscle"
    }  # fmt: skip


def test_a_folder_holds_grades_measures_and_pictures(real_data, tmp_path):
    told = verse(real_data)
    settings = PredictSettings(recipe="ct-fracture", mask=told["mask"], mask_scheme="verse")
    assert predict_all([told["source"]], settings, out=tmp_path, progress=False) == 0
    (path,) = tmp_path.rglob("prediction.json")
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["risk"]["by_years"]["5"] == document["risk"]["curve"][-1][1]
    assert {v["level"]: v["grade"] for v in document["vertebrae"]}["L3"] == 0
    assert (path.parent / "overlay.png").is_file()
    assert (path.parent / "crops.png").is_file()
    assert "simulated" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_of_two_networks_that_of_muscle_answers_where_muscles_are_marked(tmp_path):
    """And of a run's folder its own, whatever the map marks."""
    (person,) = traits_of(people(1, seed=3, parameters=load("muscle_matters")))
    (made,) = acquire(person, Request(grid_shape=(112, 84, 112), world="muscle_matters"), seed=3)
    scan = Scan("a", made.volume, Path("a.nii"), "CT", mask=made.labels)
    array = np.where(np.isin(made.labels.array, MUSCLES), 0, made.labels.array)
    without_muscle = replace(scan, mask=made.labels.with_array(array))
    both = RECIPE.load("default", Options())
    with_muscle, without = both.read(scan), both.read(without_muscle)
    note = "the label map marks no muscles: the network of bone alone answers"
    assert note in without.quality.reasons
    assert note not in with_muscle.quality.reasons
    folder = Path(spineclock.__file__).parent / "weights" / ct_fracture.PACKAGED
    bone, muscle = (RECIPE.load(str(folder / name), Options()) for name in ("bone", "bone_muscle"))
    assert bone.read(scan).event.risk == bone.read(without_muscle).event.risk == without.event.risk
    assert muscle.read(scan).event.risk == with_muscle.event.risk != without.event.risk
    refused = muscle.read(without_muscle)
    assert refused.quality.verdict == "refused"
    assert "marks no muscles" in refused.event.lacking
    assert refused.event.curve == ()
    assert [v.level for v in refused.event.vertebrae] == [v.level for v in with_muscle.event.vertebrae]


def test_a_real_scan_without_a_label_map_is_outlined_by_the_packaged_network(real_data):
    told = totalsegmentator(real_data)
    bare, given = predict_one(told["source"], recipe="ct-fracture"), predict_one(recipe="ct-fracture", **told)
    assert bare.quality.verdict == "check"
    assert SIMULATED in bare.quality.reasons
    ours, theirs = ({v.level: v for v in reading.event.vertebrae} for reading in (bare, given))
    levels = ["L1", "L2", "L3", "L4", "L5"]
    assert all(abs(ours[name].trabecular_hu - theirs[name].trabecular_hu) < 10 for name in levels)
    assert all((ours[name].grade or 0) <= 1 for name in levels)


def test_the_card_is_of_the_networks_that_ship():
    told = RECIPE.load("default", Options()).model.weights_sha256
    card = (Path(spineclock.__file__).parent / "weights" / "MODEL_CARD_ct_fracture.md").read_text(encoding="utf-8")
    assert all(f"`{told[f'network of {parts}']}`" in card for parts in ("bone", "bone+muscle"))


def simple(labels: np.ndarray) -> Scan:
    affine = np.eye(4)
    scan = Scan("a", Volume(np.where(labels > 0, 200, -50).astype(np.int16), affine), Path("a.nii"), "CT")
    return replace(scan, mask=Mask(labels, affine)) if labels.any() else scan


def test_what_cannot_be_read_is_refused_in_words():
    reader = RECIPE.load("default", Options())
    with pytest.raises(RefusedError, match="0 vertebrae were found"):
        reader.read(simple(np.zeros((40, 50, 40), np.uint8)))
    cut = np.zeros((40, 50, 40), np.uint8)
    cut[5:35, 10:40, 20:40] = 222
    with pytest.raises(RefusedError, match="L3 cut off"):
        reader.read(simple(cut))
    with pytest.raises(UsageError, match="lowest vertebra"):
        reader.read(simple(cut), lowest_vertebra="L5")
    thick = replace(simple(cut), volume=Volume(np.zeros((40, 50, 40), np.int16), np.diag([1.0, 1.0, 6.0, 1.0])))
    assert reader.read(thick).quality.verdict == "refused"


def test_a_folder_of_another_recipe_is_refused(tmp_path):
    (tmp_path / "network.json").write_text('{"schema": "spineclock.age-network/2"}', encoding="utf-8")
    with pytest.raises(InputError, match="age-network"):
        RECIPE.load(str(tmp_path), Options())


def test_the_program_outlines_where_no_label_map_comes_and_says_so():
    array = np.zeros((40, 50, 40), np.uint8)
    array[5:35, 10:40, 7:33] = 222
    calls = []

    class Made:
        labels, notes = Mask(array, np.eye(4)), ("label map by a program",)

    def program(volume: Volume) -> Made:
        calls.append(volume.shape)
        return Made()

    scan = replace(simple(array), mask=None)
    reading = RECIPE.load("default", Options(program=program)).read(scan)
    assert calls == [(40, 50, 40)]
    assert "label map by a program" in reading.quality.reasons
    assert [v.level for v in reading.event.vertebrae] == ["L3"]
    assert reading.event.vertebrae[0].trabecular_hu == 200


def test_without_map_or_program_the_packaged_network_outlines(monkeypatch):
    array = np.zeros((40, 50, 40), np.uint8)
    array[5:35, 10:40, 7:33] = 222
    asked = []

    def outline(scan, *, program=None, scorer=None, lowest_vertebra=None):
        asked.append((program, scorer, lowest_vertebra))
        return CtOutlined(Mask(array, np.eye(4)), "network", ("by the network",))

    monkeypatch.setattr(ct_fracture, "segmenter", lambda engine, threads: f"network by {engine}")
    monkeypatch.setattr(ct_outline, "outline_ct", outline)
    scan = replace(simple(array), mask=None)
    reading = RECIPE.load("default", Options(engine="torch")).read(scan, lowest_vertebra="L5")
    assert asked == [(None, "network by torch", "L5")]
    assert "by the network" in reading.quality.reasons


def test_what_makes_outlines_doubtful_goes_with_the_scan_into_a_store(monkeypatch):
    labels = Mask(np.full((4, 5, 4), 222, np.uint8), np.eye(4))
    monkeypatch.setattr(ct_outline, "outline_ct", lambda scan, scorer: CtOutlined(labels, "network", ("doubtful",)))
    scan = ct_fracture.outlined(replace(simple(np.zeros((4, 5, 4), np.uint8)), notes=("no phase",)), None)
    assert scan.notes == ("no phase", "doubtful")
    assert scan.mask is labels


def test_pictures_explain_the_risk_and_not_what_is_there_or_death():
    torch = pytest.importorskip("torch")
    from types import SimpleNamespace

    from spineclock.nets.detection_head import DetectionHead
    from spineclock.nets.hazard_head import HazardHead
    from spineclock.nets.multitask import MultitaskHead

    raw = torch.arange(13.0)[None]  # 3 vertebrae, 5 hazards of the event, 5 of death
    head = MultitaskHead(DetectionHead(3), HazardHead(causes=2))
    judge = Judge(SimpleNamespace(head=head), None, None, None)
    assert float(judge.shown(raw)) == sum(range(3, 8))
    alone = Judge(SimpleNamespace(head=MultitaskHead(DetectionHead(3), None)), None, None, None)
    assert float(alone.shown(torch.tensor([[1.0, float("-inf"), 2.0]]))) == 3.0
