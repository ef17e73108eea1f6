"""``spineclock selftest`` holds where the answers are those recorded, and fails, saying which, where they are not."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import numpy as np
import pytest

from spineclock.core.errors import InputError
from spineclock.core.records import Quality
from spineclock.run import selftest


@pytest.fixture
def coarse(monkeypatch, finished, phantom):
    """The one reading of the coarse phantom in place of the full one."""
    monkeypatch.setattr(selftest, "reading", lambda: finished.reading)
    monkeypatch.setattr(selftest, "lumbar_scan", lambda **person: phantom)
    return selftest.outcome(finished.reading)


@pytest.fixture
def recorded(monkeypatch, tmp_path):
    """Puts a record in the place of the packaged one."""

    def put(record):
        path = tmp_path / "selftest.json"
        path.write_text(json.dumps(record), encoding="utf-8")
        monkeypatch.setattr(selftest, "packaged", lambda name: path)

    return put


def test_the_answers_recorded_hold(coarse, recorded, capsys):
    recorded(coarse)
    assert selftest.selftest() == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert all(line.startswith("ok ") for line in lines)


def test_small_differences_between_machines_hold(coarse, recorded):
    near = copy.deepcopy(coarse)
    near["predicted_age_years"] += 0.49
    near["disc_heights_mm"] = {level: mm + 0.09 for level, mm in near["disc_heights_mm"].items()}
    near["dice"] = {name: d - 0.0049 for name, d in near["dice"].items()}
    recorded(near)
    assert selftest.selftest() == 0


@pytest.mark.parametrize(
    ("change", "failing"),
    [
        (lambda g: g.update(predicted_age_years=g["predicted_age_years"] + 0.52), "age "),
        (lambda g: g["weights_sha256"].update({"mri_age.json": "0" * 64}), "weights are those recorded"),
        (lambda g: g["vertebrae"].pop(), "vertebrae L5, L4"),
        (lambda g: g["dice"].update(disc=g["dice"]["disc"] - 0.006), "outlines agree"),
        (lambda g: g["disc_heights_mm"].update({"L3/L4": g["disc_heights_mm"]["L3/L4"] + 0.11}), "disc heights"),
        (lambda g: g["disc_heights_mm"].pop("L3/L4"), "disc heights"),
    ],
)
def test_each_difference_fails_by_name_and_alone(coarse, recorded, capsys, change, failing):
    other = copy.deepcopy(coarse)
    change(other)
    recorded(other)
    assert selftest.selftest() == 1
    failed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("FAILED")]
    assert len(failed) == 1
    assert failed[0].startswith(f"FAILED {failing}")


def test_a_refused_phantom_fails_with_the_reasons(monkeypatch, coarse, recorded, finished, capsys):
    recorded(coarse)
    refused = replace(finished.reading, prediction=None, quality=Quality("refused", ("no spine was found",)))
    monkeypatch.setattr(selftest, "reading", lambda: refused)
    assert selftest.selftest() == 1
    assert capsys.readouterr().out == "FAILED the artificial scan was refused: no spine was found\n"


def test_an_installation_without_the_record_says_so(monkeypatch, coarse):
    def missing(name):
        raise InputError(f"the packaged file weights/{name} is missing", remedy="install the package again")

    monkeypatch.setattr(selftest, "packaged", missing)
    with pytest.raises(InputError, match=r"weights/selftest.json is missing"):
        selftest.selftest()


def test_the_overlap_is_dice(coarse, finished, phantom):
    """Against an overlap counted anew, voxel by voxel, for the canal."""
    found = finished.reading.scan.mask.array == 61
    truth = np.isin(phantom.labels.array, [60, 61, 62])  # cord, the rest, CSF
    assert coarse["dice"]["canal"] == pytest.approx(2 * np.sum(found & truth) / (found.sum() + truth.sum()), abs=1e-4)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_this_installation_passes(capsys):
    assert selftest.selftest() == 0, capsys.readouterr().out
