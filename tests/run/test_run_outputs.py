"""What lies in the results folder: prediction.json's fields, the tables, the pictures, the page."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spineclock.core.records import Quality, Reading
from spineclock.nets.weights import packaged, sha256
from spineclock.run import outputs


def test_the_run_went_well(finished):
    assert finished.status == 0
    assert finished.document["quality"]["verdict"] in ("ok", "check")


def test_prediction_json_holds_the_documented_fields_and_no_other(finished):
    page = (Path(__file__).resolve().parents[2] / "docs" / "prediction.md").read_text(encoding="utf-8")
    for field in finished.document:
        assert f"`{field}" in page, f"docs/prediction.md does not tell of {field}"
    for part in ("input", "quality", "model", "segmentation"):
        for field in finished.document[part]:
            assert f"`{field}`" in page or f".{field}`" in page, f"docs/prediction.md does not tell of {part}.{field}"


def test_ages_interval_and_gap_agree_with_each_other(finished):
    d = finished.document
    low, high = d["interval_years"]
    assert low < d["predicted_age_years"] < high
    assert (low + high) / 2 == pytest.approx(d["predicted_age_years"], abs=1e-5)
    assert d["gap_years"] == pytest.approx(d["corrected_age_years"] - 60.0, abs=1e-5)
    assert d["input"]["age_years"] == 60.0
    assert d["components"] == {"measurements": d["predicted_age_years"]}
    assert d["interval_coverage"] == 0.9


def test_contributions_add_up_to_the_prediction_and_the_model_on_disk_gives_the_corrected_age(finished):
    d, model = finished.document, json.loads(packaged("mri_age.json").read_text(encoding="utf-8"))
    years = sum(c["years"] for c in d["contributions"])
    assert model["mean_age_years"] + years == pytest.approx(d["predicted_age_years"], abs=1e-4)
    assert [c["name"] for c in d["contributions"]] == model["features"]
    past, ages = np.array(model["out_of_fold"]).T
    slope, intercept = np.polyfit(ages, past, 1)  # a second opinion on Cole's correction
    assert (d["predicted_age_years"] - intercept) / slope == pytest.approx(d["corrected_age_years"], abs=1e-4)
    rank = int(np.ceil(0.9 * (len(ages) + 1)))  # and on the conformal half width
    assert np.sort(np.abs(past - ages))[rank - 1] == pytest.approx(
        d["interval_years"][1] - d["predicted_age_years"], abs=1e-4
    )


def test_hashes_and_versions_are_those_of_what_ran(finished):
    model = finished.document["model"]
    assert model["weights_sha256"] == {n: sha256(packaged(n)) for n in ("segmenter.safetensors", "mri_age.json")}
    assert {name: model["versions"][name] for name in ("spineclock", "numpy", "openvino")} == {
        name: version(name) for name in ("spineclock", "numpy", "openvino")
    }


def test_the_grid_is_told_towards_right_front_and_top(finished, phantom):
    assert finished.document["input"]["shape"] == list(phantom.volume.shape)
    assert finished.document["input"]["spacing_mm"] == [3.5, 0.875, 0.875]


def test_the_scan_folder_holds_pictures_and_measurements(finished):
    folder = finished.out / "phantom_T2w"
    assert {p.name for p in folder.iterdir()} == {
        "prediction.json", "measurements.csv", "overlay.png", "contributions.png", "interval.png",
    }  # fmt: skip
    for picture in folder.glob("*.png"):
        head = picture.read_bytes()[:24]
        assert head.startswith(b"\x89PNG")
        assert min(struct.unpack(">II", head[16:24])) > 100  # pixels
    table = pd.read_csv(folder / "measurements.csv")
    named = {c["name"]: c["value"] for c in finished.document["contributions"]}
    heights = table.query("structure == 'disc' and name == 'height_mm' and complete")["value"]
    low, high = heights.min() - 1e-5, heights.max() + 1e-5  # the table is rounded
    assert low <= named["disc.min.height_mm"] <= named["disc.mean.height_mm"] <= high


def test_the_page_shows_the_scan_and_says_what_it_is_not(finished):
    page = (finished.out / "report.html").read_text(encoding="utf-8")
    assert "phantom_T2w" in page
    assert finished.document["statement"] in page
    assert "Not a medical device" in page
    assert f"{finished.document['predicted_age_years']:.1f}" in page
    assert page.count("data:image/") >= 3


def test_tables_of_the_run(finished):
    rows = pd.read_csv(finished.out / "predictions.csv")
    assert rows["scan_id"].tolist() == ["phantom_T2w"]
    assert rows["predicted_age_years"][0] == pytest.approx(finished.document["predicted_age_years"], abs=1e-3)
    assert rows["gap_years"][0] == pytest.approx(finished.document["gap_years"], abs=1e-3)
    assert rows["sex"][0] == "F"
    assert pd.read_csv(finished.out / "failures.csv").empty
    run = json.loads((finished.out / "run.json").read_text(encoding="utf-8"))
    assert (run["scans"], run["failures"], run["not_taken"]) == (1, 0, [])
    assert run["weights_sha256"] == finished.document["model"]["weights_sha256"]
    assert run["settings"]["age_years"] == 60.0
    assert run["begun"] <= run["ended"]


def test_a_refused_reading_has_its_reasons_and_no_age(finished):
    scan = replace(finished.reading.scan, mask=None)
    refused = Reading(scan, Quality("refused", ("no spine was found",)), finished.reading.model)
    document = outputs.prediction_document(refused, recipe="mri-age", seconds=1.0, settings={})
    assert document["quality"] == {"verdict": "refused", "reasons": ["no spine was found"]}
    assert not {k for k in document if k.endswith("years") or k.startswith("interval")}


def test_namesakes_in_two_folders_have_two_source_ids():
    assert outputs.source_id(Path("a/scan.nii.gz")) != outputs.source_id(Path("b/scan.nii.gz"))
    assert outputs.source_id(Path("a/../b/scan.nii.gz")) == outputs.source_id(Path("b/scan.nii.gz"))


def test_only_our_own_files_are_cleared_away(finished, tmp_path):
    """Results beside the scans (--out .) may land in the very folder that holds a scan."""
    own = tmp_path / "scan"
    own.mkdir()
    (own / "scan.nii.gz").write_bytes(b"the only copy")
    (own / "attention.png").write_bytes(b"of an earlier run")
    document = outputs.prediction_document(finished.reading, recipe="mri-age", seconds=1.0, settings={})
    outputs.write_reading(finished.reading, own, document=document)
    assert (own / "scan.nii.gz").read_bytes() == b"the only copy"
    assert not (own / "attention.png").exists()


def test_what_is_not_finite_is_null():
    assert outputs.plain({"a": float("nan"), "b": (1.23456789, float("inf")), "c": Path("x")}) == {
        "a": None, "b": [1.234568, None], "c": "x",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "spineclock.prediction/0"}'])
def test_a_document_that_cannot_be_taken_up_is_none(tmp_path, text):
    (tmp_path / "prediction.json").write_text(text, encoding="utf-8")
    assert outputs.read_document(tmp_path) is None


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "prediction.json"
    outputs.write_text(path, "earlier")
    with pytest.raises(UnicodeEncodeError):
        outputs.write_text(path, "later \ud800")
    assert path.read_text(encoding="utf-8") == "earlier"
