"""Recipe mri-age on an artificial spine whose label map is given, so that only the judging and ageing are tested."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spineclock import recipes
from spineclock.core.errors import InputError, RefusedError, TableError
from spineclock.core.recipe import Options
from spineclock.core.records import Scan
from spineclock.nets import weights
from spineclock.nets.band import Banded
from spineclock.nets.dcnn import AgeNet
from spineclock.nets.run_folder import SCHEMA, read_network
from spineclock.nets.weights import save, sha256
from spineclock.phantom.lumbar import lumbar_scan
from spineclock.phantom.mri.scanner import Request
from spineclock.prep.prepared import Preparation, prepare
from spineclock.recipes import mri_age
from spineclock.stats.measured_age import normal_scores

VALIDATION = [[0.5 * a + 20, a] for a in range(20, 80, 3)]
"""Predicted and chronological ages with slope ½ and intercept 20."""
CANAL = (60, 61, 62)
"""The canal with cord and CSF in it."""


@pytest.fixture(scope="module")
def clock() -> mri_age.MriAge:
    """The packaged models; the network that outlines is not asked, as each scan brings its label map."""
    reader = recipes.get("mri-age").load("default", Options(threads=1))
    assert isinstance(reader, mri_age.MriAge)
    return reader


@pytest.fixture(scope="module")
def scan() -> Scan:
    """The seven middle slices, 3.5 mm apart."""
    phantom = lumbar_scan(age_years=60, sex="F", seed=1, request=Request("lumbar"))
    first = phantom.volume.shape[0] // 2 - 3
    affine = phantom.volume.affine + np.outer(phantom.volume.affine[:, 0], [0, 0, 0, first])
    volume, mask = (
        replace(v, array=v.array[first : first + 7], affine=affine) for v in (phantom.volume, phantom.labels)
    )
    return Scan("x", volume, Path("x.nii.gz"), modality="MR", sequence="T2w", sex="F", mask=mask)


@pytest.fixture(scope="module")
def read(clock, scan):
    return clock.read(scan)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run's folder with an untrained network."""
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(1)
    save(AgeNet(), folder / "weights.safetensors")
    about = {
        "schema": SCHEMA, "name": "dcnn-untrained", "statement": "Untrained.", "pool": "max", "network": "table2",
        "simulated": True,
        "head": {"loss": "mse", "mean_years": 50.0, "sd_years": 10.0, "youngest": 15, "oldest": 85},
        "ages_years": [20, 80], "validation": VALIDATION,
        "preparation": {"shape": [16, 128, 64], "spacing_mm": [4.0, 2.4, 2.4]},
    }  # fmt: skip
    (folder / "network.json").write_text(json.dumps(about), encoding="utf-8")
    return folder


def rewritten(run: Path, tmp_path: Path, **changes: object) -> str:
    (tmp_path / "weights.safetensors").write_bytes((run / "weights.safetensors").read_bytes())
    about = json.loads((run / "network.json").read_text(encoding="utf-8"))
    (tmp_path / "network.json").write_text(json.dumps({**about, **changes}), encoding="utf-8")
    return str(tmp_path)


def test_a_readable_spine_gets_an_age_from_all_measurements(read, clock):
    assert read.quality.verdict in ("ok", "check")
    assert read.prediction.predicted_age_years == pytest.approx(
        clock.clock.mean_age_years + sum(c.years for c in read.prediction.contributions)
    )
    assert [c.name for c in read.prediction.contributions] == list(mri_age.FEATURES)
    assert all(np.isfinite(c.value) for c in read.prediction.contributions)
    assert read.heat is None


def test_what_was_found_is_described(read):
    assert read.found["vertebrae"][:5] == ["L5", "L4", "L3", "L2", "L1"]
    assert read.found["discs"][:2] == ["L5/S1", "L4/L5"]
    assert 0.9 < read.found["confidence"] <= 1
    json.dumps(read.found)


def test_the_age_does_not_depend_on_the_chronological_one(clock, scan, read):
    told = clock.read(replace(scan, age_years=33.0))
    assert told.prediction.predicted_age_years == read.prediction.predicted_age_years
    assert told.prediction.gap_years == pytest.approx(told.prediction.corrected_age_years - 33)
    assert read.prediction.gap_years is None


@pytest.mark.parametrize("age", [10.0, 95.0])
def test_ages_beyond_the_training_ages_are_to_be_checked(clock, scan, age):
    low, high = clock.ages_years
    quality = clock.read(replace(scan, age_years=age)).quality
    assert f"the person's age, {age:g}, lies outside the training ages, {low:g} to {high:g}" in quality.reasons
    assert quality.verdict == "check"


@pytest.mark.parametrize(("trained", "outside"), [((20, 80), False), ((79, 80), True)])
def test_a_corrected_age_beyond_the_training_ages_is_to_be_checked(run, scan, tmp_path, trained, outside):
    told = rewritten(run, tmp_path, ages_years=trained)
    read = recipes.get("mri-age").load(told, Options(threads=1)).read(scan)
    corrected = read.prediction.corrected_age_years
    assert 20 < corrected < 79
    reason = f"the corrected age, {round(corrected, 1):g}, lies outside the training ages, 79 to 80"
    assert (reason in read.quality.reasons) == outside
    assert any("corrected" in reason for reason in read.quality.reasons) == outside


def test_an_unknown_sex_counts_as_average_and_is_no_missing_measurement(clock, scan, read):
    unknown = clock.read(replace(scan, sex=""))
    shares = {c.name: c.years for c in unknown.prediction.contributions}
    assert shares["sex.male"] == 0.0
    own = [{r for r in one.quality.reasons if "corrected age" not in r} for one in (unknown, read)]
    assert own[0] == own[1]
    woman = next(c.years for c in read.prediction.contributions if c.name == "sex.male")
    assert read.predicted_age_years - unknown.predicted_age_years == pytest.approx(woman)


def test_an_unknown_weighting_is_to_be_checked(clock, scan):
    quality = clock.read(replace(scan, sequence="")).quality
    assert "the header does not tell the weighting; taken for T2" in quality.reasons


def test_missing_measurements_are_named_and_too_many_are_refused(clock, read, scan):
    known = {c.name: c.value for c in read.prediction.contributions}
    two = {**known, "disc.mean.bulge_mm": np.nan, "canal.min.depth_mm": np.nan}
    quality = clock._judged(two, replace(read.quality, verdict="ok", reasons=()))
    assert "not measured, taken as average: disc.mean.bulge_mm, canal.min.depth_mm" in quality.reasons
    few = {name: known[name] for name in list(known)[:5]}
    quality = clock._judged(few, replace(read.quality, verdict="ok", reasons=()))
    assert quality.verdict == "refused"
    assert quality.reasons == ("11 of the measurements could not be taken",)


def test_measurements_far_outside_the_training_range_are_named(clock, read, scan):
    known = {c.name: c.value for c in read.prediction.contributions}
    quality = clock._judged({**known, "vertebra.mean.width_mm": 90.0}, read.quality)
    assert any("far outside the training people's range: " in r and "vertebra.mean.width_mm" in r
               for r in quality.reasons)  # fmt: skip


def test_a_t1_like_image_is_refused_without_an_age(clock, scan):
    grey = scan.volume.array.copy()
    grey[np.isin(scan.mask.array, CANAL)] = 1
    refused = clock.read(replace(scan, volume=scan.volume.with_array(grey)))
    assert refused.prediction is None
    assert "the canal is darker than bone, as in T1-weighted images; wanted T2" in refused.quality.reasons
    assert refused.scan.mask is not None  # so that the picture shows what was found


def test_a_ct_is_refused_before_anything_is_outlined(clock, scan):
    refused = clock.read(replace(scan, modality="CT"))
    assert refused.prediction is None
    assert refused.quality.verdict == "refused"
    assert refused.found == {}


def test_the_reader_may_name_the_lowest_vertebra(clock, scan):
    assert clock.read(scan, lowest_vertebra="L4").found["vertebrae"][:3] == ["L4", "L3", "L2"]


# --- with the network of a run's folder --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def by_network(run, scan):
    return recipes.get("mri-age").load(str(run), Options(threads=1)).read(replace(scan, age_years=47.0))


def test_the_networks_age_is_the_one_that_counts(by_network, read, run):
    p = by_network.prediction
    assert p.components == {"network": p.predicted_age_years, "measurements": read.predicted_age_years}
    assert p.corrected_age_years == pytest.approx((p.predicted_age_years - 20) / 0.5)
    assert p.gap_years == pytest.approx(p.corrected_age_years - 47)
    residuals = sorted(abs(predicted - age) for predicted, age in VALIDATION)
    half = residuals[int(np.ceil(0.9 * (len(VALIDATION) + 1))) - 1]
    assert p.interval.high_years - p.predicted_age_years == pytest.approx(half)
    assert by_network.model.name == "dcnn-untrained"
    assert by_network.model.statement == "Untrained."
    assert by_network.model.weights_sha256["network"] == sha256(run / "weights.safetensors")
    assert set(by_network.model.weights_sha256) == {"segmenter.safetensors", "mri_age.json", "network"}


def test_its_attention_lies_on_the_scan(by_network, scan):
    heat = by_network.heat
    assert heat.shape == scan.volume.shape
    assert np.allclose(heat.affine, scan.volume.affine)
    assert np.isfinite(heat.array).all()


def test_of_a_network_that_reads_a_band_too(run, scan, tmp_path):
    told = rewritten(run, tmp_path, band=48)
    torch.manual_seed(1)
    net = AgeNet()
    torch.nn.init.ones_(net.linear.weight)  # so that all it sees makes older
    save(Banded(net, 48), tmp_path / "weights.safetensors")
    heat = recipes.get("mri-age").load(told, Options(threads=1)).read(scan).heat
    assert heat.shape == scan.volume.shape
    assert heat.array.max() > 0
    assert np.isfinite(heat.array).all()


@pytest.mark.parametrize(
    ("preparation", "said"),
    [
        ({"shape": [16, 128, 64], "colour": "red"}, "unexpected keyword argument 'colour'"),
        ({"shape": [16, 128]}, "does not tell the shape of the input"),
        ({"shape": [3, 128, 64]}, "three axes of at least 4 voxels"),
        ({"shape": [16, 128, 64], "spacing_mm": [0, 1, 1]}, r"spacing \(0, 1, 1\)"),
    ],
)
def test_a_preparation_that_cannot_be_used_is_refused_before_any_scan(run, tmp_path, preparation, said):
    with pytest.raises(InputError, match=said):
        recipes.get("mri-age").load(rewritten(run, tmp_path, preparation=preparation), Options())


def test_a_network_without_enough_validation_is_refused_before_any_scan(run, tmp_path):
    with pytest.raises(TableError, match="too few for an interval of 90%"):
        recipes.get("mri-age").load(rewritten(run, tmp_path, validation=VALIDATION[:5]), Options())


def test_a_model_that_is_no_folder_is_refused():
    with pytest.raises(InputError, match="best is no run of an age network .*or 'default'"):
        recipes.get("mri-age").load("best", Options())


# --- a clock that reads a packaged network beside the measurements ---------------------------------------------------


@pytest.fixture
def with_network(run, tmp_path, monkeypatch) -> mri_age.MriAge:
    """The packaged clock with the features of an untrained network, each worth a year a score."""
    real = weights.packaged
    about = json.loads(real(mri_age.AGE_MODEL).read_text(encoding="utf-8"))
    about["features"] += mri_age.NETWORK_FEATURES
    about["scale"] += [[0.0, 0.1, 0.2]] * 64
    about["years_per_score"] += [1.0] * 64
    (tmp_path / mri_age.AGE_MODEL).write_text(json.dumps(about), encoding="utf-8")
    there = {f"{mri_age.NETWORK}/{name}": run / name for name in ("network.json", "weights.safetensors")}
    there[mri_age.AGE_MODEL] = tmp_path / mri_age.AGE_MODEL
    monkeypatch.setattr(weights, "packaged", lambda name: there.get(name) or real(name))
    reader = recipes.get("mri-age").load("default", Options(threads=1))
    assert isinstance(reader, mri_age.MriAge)
    return reader


def test_the_network_s_features_count_as_one_contribution_beside_its_own_age(with_network, clock, scan, run):
    found, plain = with_network.read(scan), clock.read(scan)
    by_name = {c.name: c for c in found.prediction.contributions}
    assert set(by_name) == {c.name for c in plain.prediction.contributions} | {mri_age.NETWORK_AGE}
    network = read_network(run)
    prepared = prepare(scan.volume, found.scan.mask, Preparation.told(network.about["preparation"]))
    assert by_name[mri_age.NETWORK_AGE].value == pytest.approx(network.age_years(prepared.array), abs=1e-3)
    with torch.inference_mode():
        features = network.net.pooled(network.net.blocks(torch.from_numpy(np.array(prepared.array))[None, None]))[0]
    wanted = sum(float(normal_scores(v, [0.0, 0.1, 0.2])) for v in features.tolist())
    assert by_name[mri_age.NETWORK_AGE].years == pytest.approx(wanted, abs=0.01)
    more = found.prediction.predicted_age_years - plain.prediction.predicted_age_years
    assert more == pytest.approx(wanted, abs=0.01)
    assert found.model.name != plain.model.name
    assert found.model.weights_sha256[mri_age.NETWORK] == network.sha256


def test_a_spine_the_network_cannot_read_counts_as_average_and_is_said(with_network, scan, monkeypatch):
    def refused(*told: object) -> None:
        raise RefusedError("does not fit")

    monkeypatch.setattr("spineclock.prep.prepared.prepare", refused)
    found = with_network.read(scan)
    (network,) = [c for c in found.prediction.contributions if c.name == mri_age.NETWORK_AGE]
    assert (network.years, np.isnan(network.value)) == (0.0, True)
    assert found.quality.verdict == "check"
    assert any("the network's features" in reason for reason in found.quality.reasons)
