"""Training on packed real and simulated people, at toy size."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from spineclock.core.volume import Mask, Volume
from spineclock.learn.segmentation_crops import Cycle, SegmentationTraining
from spineclock.learn.segmentation_examples import LabelledSlices
from spineclock.nets.segmenter import read_segmenter
from spineclock.run import segmentation_training as training
from spineclock.run.segmentation_phantoms import KINDS, Scans, jobs
from spineclock.run.segmentation_shards import pack, unpack

TOY = SegmentationTraining(cycles=(Cycle(2, 1e-3, 0.5, 4, 1.0, 0.5),), batch=2, crop=(64, 64))


def someone(number: int) -> SimpleNamespace:
    rng = np.random.default_rng(number)
    mask = np.zeros((3, 400, 96), np.uint8)
    mask[:, 190:215, 20:70], mask[:, 190:215, 45:50], mask[:, 180:186] = 2, 1, 3
    grey = (60.0 * mask + rng.normal(0, 3, mask.shape)).clip(0)
    affine = np.diag([1.0, 0.47, 0.47, 1.0])
    return SimpleNamespace(person_id=str(number), volume=Volume(grey, affine), mask=Mask(mask, affine))


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    pack([someone(n) for n in range(6)], tmp_path / "shards")
    return tmp_path / "shards"


def test_people_come_back_from_shards_cropped_with_their_folds(shards: Path) -> None:
    people = unpack(shards)
    assert [p.person_id for p in people] == [str(n) for n in range(6)]
    assert sorted(p.fold for p in people) == [0, 0, 1, 2, 3, 4]
    example = people[2].example
    assert example.labels.shape == example.pictures.shape == (3, 96, 35 + 2 * 140)
    assert not example.sacrum
    whole = someone(2)
    assert (example.labels == 2).sum() == (whole.mask.array == 2).sum()
    grey = example.pictures.float()
    assert grey[example.labels == 3].mean() == pytest.approx(255, abs=8)
    assert grey[example.labels == 0].mean() < 20


def test_stages_train_on_whom_they_should_and_say_so(shards, tmp_path, monkeypatch) -> None:
    phantoms = tuple(replace(p.example, sacrum=True) for p in unpack(shards))
    monkeypatch.setattr(training, "scans", lambda *a, **k: Scans(phantoms, 0, "", 0.1))
    monkeypatch.setattr(training, "PHANTOM", TOY)
    monkeypatch.setattr(training, "MIXED", TOY)
    seen = []
    kept = training.train_segmenter

    def watched(sources, config, **told):
        seen.append((len(sources), sum(len(s.examples) for s in sources[1:]), told["start"] is not None))
        return kept(sources, config, **told)

    monkeypatch.setattr(training, "train_segmenter", watched)
    out = tmp_path / "out"
    arguments = ["--shards", str(shards), "--out", str(out), "--device", "cpu:0", "--stages", "phantom,1,all"]
    monkeypatch.setattr("sys.argv", ["training", *arguments])
    training.main()
    assert seen == [(1, 0, False), (2, 5, True), (2, 6, True)]
    log = json.loads((out / "segmentation_training.json").read_text())
    assert [s["stage"] for s in log["stages"]] == ["phantom", "1", "all"]
    assert [len(s["people_not_seen"]) for s in log["stages"]] == [6, 1, 0]
    net = read_segmenter(out / "segmenter-1.safetensors")
    assert net.head.out_channels == 5 * 4
    assert net(torch.zeros(1, 3, 32, 32)).shape == (1, 5, 32, 32)


def test_everybody_is_scanned_once_by_the_kinds_shares() -> None:
    found = list(jobs(60, seed=1))
    assert len({j.person.person_id for j in found}) == len(found) == 60
    assert {j.kind for j in found} <= set(KINDS)
    whole = np.mean([j.kind.coverage == "whole" for j in found])
    assert whole == pytest.approx(0.4, abs=0.2)
    assert [j.kind for j in jobs(60, seed=1)] == [j.kind for j in found]


def test_steps_are_cut_down_to_the_time_there_is() -> None:
    plenty = training.shortened(training.MIXED, scale=0.5, per_step=0.01, seconds=1e4)
    assert [c.steps for c in plenty.cycles] == [800, 500]
    little = training.shortened(training.MIXED, scale=0.5, per_step=0.1, seconds=65)
    assert [c.steps for c in little.cycles] == [400, 250]


def test_training_needs_neither_the_data_set_nor_readers_of_images() -> None:
    """So that it runs on a machine that has PyTorch and little else."""
    code = (
        "import sys\n"
        "class No:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('SimpleITK', 'nibabel', 'pydicom', 'openvino', 'pandera', 'pydantic',"
        " 'statsmodels', 'sklearn', 'umap', 'hdbscan'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, No())\n"
        "import spineclock.run.segmentation_training\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_an_example_keeps_its_pixels_and_whether_the_sacrum_is_labelled() -> None:
    example = LabelledSlices(torch.zeros(1, 2, 2), torch.zeros(1, 2, 2, dtype=torch.uint8))
    assert example.pixel_mm == (0.47, 0.47)
    assert not example.sacrum
