"""Spine age from films: what is read, what is refused, and what stands beside the age."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spineclock.core.errors import InputError, UsageError
from spineclock.core.people import hashed
from spineclock.core.recipe import Options
from spineclock.core.records import Scan
from spineclock.core.volume import Volume
from spineclock.nets.age_head import AgeHead
from spineclock.nets.networks import network
from spineclock.nets.recalibration import Recalibrated, write_recalibrated
from spineclock.nets.run_folder import SCHEMA, read_network
from spineclock.nets.weights import save
from spineclock.prep.film import FilmPreparation, prepare_film
from spineclock.recipes import mri_age, xray_age

HOW = FilmPreparation((64, 32))
HEAD = AgeHead("mean_variance", 60.0, 10.0, 40, 99)


def run_of(folder: Path, preparation: dict[str, object], *, net: str = "film_small") -> Path:
    """A run's folder with a network that learned nothing."""
    torch.manual_seed(3)
    folder.mkdir()
    shape = preparation["shape"]
    assert isinstance(shape, list)
    made = network(net, outputs=HEAD.outputs if net == "film_small" else 1, shape=tuple(shape))  # type: ignore[arg-type]
    save(made, folder / "weights.safetensors")
    validation = [[60 + 0.5 * k + (-1) ** k, 50.0 + k, 2.0 + k % 3] for k in range(40)]
    about = {
        "schema": SCHEMA, "name": "xray-age-test", "statement": "Research model.", "network": net, "pool": "max",
        "simulated": True, "head": HEAD.as_dict() if net == "film_small" else replace(HEAD, loss="mse").as_dict(),
        "preparation": preparation, "ages_years": [41.0, 88.0],
        "validation": validation if net == "film_small" else [row[:2] for row in validation],
    }  # fmt: skip
    (folder / "network.json").write_text(json.dumps(about), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_of(tmp_path_factory.mktemp("runs") / "run", HOW.as_dict())


@pytest.fixture
def film() -> Scan:
    grey = np.random.default_rng(0).integers(0, 4000, (1, 90, 160)).astype(np.uint16)
    volume = Volume(grey, np.diag([1.0, 0.8, 0.8, 1.0]))
    return Scan("film", volume, Path("film.png"), "DX", age_years=66.0, sex="F", film="radiograph")


def test_a_film_gets_the_age_the_network_says_of_the_prepared_film(run: Path, film: Scan) -> None:
    reading = xray_age.load(str(run), Options()).read(film)
    net = read_network(run)
    said = net.answer(prepare_film(film.volume, HOW, vfa=False).array)
    assert reading.prediction is not None
    assert reading.prediction.predicted_age_years == pytest.approx(said.age_years)
    assert reading.prediction.predicted_sd_years == pytest.approx(said.sd_years)
    assert said.sd_years is not None
    assert 0 < said.sd_years < 30
    slope, intercept = np.polyfit(*np.array(net.about["validation"])[:, [1, 0]].T, 1)  # predicted on chronological
    assert reading.prediction.corrected_age_years == pytest.approx((said.age_years - intercept) / slope)
    assert reading.quality.verdict == "check"
    assert "simulated" in " ".join(reading.quality.reasons)
    assert reading.heat is not None
    assert reading.heat.shape == film.volume.shape
    assert float(reading.heat.array.max()) > 0


def test_attention_lies_where_the_film_does_and_nowhere_beside_the_canvas(run: Path, film: Scan) -> None:
    heat = xray_age.load(str(run), Options()).read(film).heat
    assert heat is not None
    assert np.isfinite(heat.array).all()
    np.testing.assert_allclose(heat.affine, film.volume.affine)


def test_vfa_is_marked_until_recalibrated_and_then_corrected_by_its_own_people(
    run: Path, film: Scan, tmp_path: Path
) -> None:
    other = tmp_path / "run"
    other.mkdir()
    for name in ("network.json", "weights.safetensors"):
        (other / name).write_bytes((run / name).read_bytes())
    vfa = replace(film, film="vfa")
    before = xray_age.load(str(other), Options()).read(vfa)
    assert any("have not been corrected" in reason for reason in before.quality.reasons)
    pairs = tuple((70.0 + 0.25 * k, 65.0 + 0.5 * k + 2 * (-1) ** k, 3.0) for k in range(40))
    write_recalibrated(other, read_network(other).sha256, {"vfa": Recalibrated(pairs, hashed(["a"]), {})})
    reader = xray_age.load(str(other), Options())
    after = reader.read(vfa)
    assert not any("have not been corrected" in reason for reason in after.quality.reasons)
    assert before.prediction is not None
    assert after.prediction is not None
    assert after.prediction.predicted_age_years == before.prediction.predicted_age_years
    assert after.prediction.corrected_age_years != before.prediction.corrected_age_years
    assert set(after.model.weights_sha256) == {"network", "recalibration"}  # another answer, another name for it
    untold = replace(film, film="")
    write_recalibrated(
        other,
        read_network(other).sha256,
        {"radiograph": Recalibrated(tuple((p, a + 9, sd) for p, a, sd in pairs), hashed(["b"]), {})},
    )
    again = xray_age.load(str(other), Options())
    assert again.read(untold).prediction == again.read(film).prediction  # counts as a radiograph
    radiograph, first = reader.read(film).prediction, xray_age.load(str(run), Options()).read(film).prediction
    assert radiograph == first


def test_a_stack_of_slices_is_refused_and_a_person_beyond_the_training_ages_marked(run: Path, film: Scan) -> None:
    reader = xray_age.load(str(run), Options())
    stack = replace(film, volume=Volume(np.repeat(film.volume.array, 7, axis=0), film.volume.affine))
    refused = reader.read(stack)
    assert refused.quality.verdict == "refused"
    assert refused.prediction is None
    young = reader.read(replace(film, age_years=25.0))
    assert any("outside the training ages, 41 to 88" in reason for reason in young.quality.reasons)


def test_a_lowest_vertebra_and_a_network_of_scans_are_refused(run: Path, film: Scan, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not outlined"):
        xray_age.load(str(run), Options()).read(film, lowest_vertebra="L4")
    with pytest.raises(InputError, match="reads films, not scans"):
        mri_age.load(str(run), Options())
    scans = run_of(tmp_path / "scans", {"shape": [16, 64, 32], "spacing_mm": [8, 5, 4]}, net="table2")
    with pytest.raises(InputError, match="reads scans, not films"):
        xray_age.load(str(scans), Options())


def test_a_stored_film_is_what_prediction_prepares(film: Scan) -> None:
    held = xray_age.prepared(film, HOW)
    np.testing.assert_array_equal(held.input(), prepare_film(film.volume, HOW, vfa=False).array)
    vfa = xray_age.prepared(replace(film, film="vfa"), HOW)
    assert float(np.abs(vfa.input() - held.input()).max()) > 0.01  # whose border is not cut off
