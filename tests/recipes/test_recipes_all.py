"""Every recipe, as its user would: made-up people, a little training, a scan read by the result, a report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from spineclock import recipes
from spineclock.cli import app
from spineclock.core.outcomes import Age, Diagnosis, TimeToEvent

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.usefixtures("in_this_process")]


def spineclock(*words: str | Path) -> str:
    done = CliRunner().invoke(app, [*map(str, words)])
    assert done.exit_code == 0, f"{done.output}{done.exception!r}"
    return done.output


def mri_age(folder: Path) -> Path:
    """Trained on some of 32 simulated people for two epochs; where another one was read to."""
    spineclock("phantom", "mri", "--n", "32", "--seed", "8", "--grid", "16x128x64", "--out", folder / "people")
    spineclock("prepare", folder / "people", "--out", folder / "store",
               "--set", "spacing_mm=8,10,4", "--set", "shape=16,64,64")  # fmt: skip
    spineclock("train", "mri-age", folder / "people", "--out", folder / "run", "--set", f"store={folder / 'store'}",
               "--set", "max_epochs=2", "--set", "learning_rate=1e-3", "--set", "precision=float32",
               "--set", "train_share=0.5", "--set", "validation_share=0.25")  # fmt: skip
    spineclock("phantom", "mri", "--n", "1", "--seed", "9", "--grid", "20x320x160", "--out", folder / "another")
    (scan,) = (folder / "another").rglob("*_T2w.nii.gz")
    spineclock("predict", scan, "--model", folder / "run", "--out", folder / "predicted", "--set", "threads=1",
               "--mask", str(scan).replace("_T2w", "_T2w_dseg"), "--mask-scheme", "spineclock")  # fmt: skip
    return folder / "predicted"


def xray_age(folder: Path) -> Path:
    """Trained on some of 60 simulated radiographs; where another one, a PNG picture, was read to."""
    spineclock("phantom", "radiograph", "--n", "60", "--seed", "8", "--grid", "64x32", "--out", folder / "people")
    spineclock("prepare", folder / "people", "--recipe", "xray-age", "--out", folder / "store", "--set", "canvas=64,32")
    told = {"max_epochs": 40, "train_share": 0.4, "validation_share": 0.4, "batch_size": 8, "loss": "smooth_l1",
            "weight_decay": 0, "shift_voxels": 1, "rotate_deg": 0, "zoom": 0, "plateau_patience": 40,
            "stop_patience": 40}  # fmt: skip
    spineclock("train", "xray-age", folder / "people", "--out", folder / "run", "--store", folder / "store",
               *(word for name, value in told.items() for word in ("--set", f"{name}={value}")))  # fmt: skip
    spineclock("phantom", "radiograph", "--n", "1", "--seed", "9", "--format", "png", "--out", folder / "another")
    (film,) = (folder / "another").rglob("*_xray.png")
    spineclock("predict", film, "--recipe", "xray-age", "--model", folder / "run", "--out", folder / "predicted")
    return folder / "predicted"


def mri_osteoporosis(folder: Path) -> Path:
    """Trained on some of 48 simulated lumbar people, a third of whom count as ill; where another one was read to."""
    people, another = folder / "people", folder / "another"
    spineclock("phantom", "mri", "--n", "48", "--seed", "6", "--coverage", "lumbar", "--grid", "9x128x64",
               "--out", people)  # fmt: skip
    spineclock("prepare", people, "--recipe", "mri-osteoporosis", "--out", folder / "store", "--set", "size=32,32")
    table = pd.read_csv(people / "participants.tsv", sep="\t")[["scan_id", "person_id", "age_years", "sex",
                                                                "lumbar_spine_t_score"]]  # fmt: skip
    first = table.groupby("person_id")["lumbar_spine_t_score"].transform("first")
    table["osteoporosis"] = first < first.quantile(1 / 3)  # who has it is too few of so few people
    table["split"] = [("train", "validation", "test")[k % 3] for k in table.groupby("person_id", sort=False).ngroup()]
    table.drop(columns="lumbar_spine_t_score").to_csv(people / "lowest_third.csv", index=False)
    told = {"max_epochs": 3, "batch_size": 8, "precision": "float32"}
    spineclock("train", "mri-osteoporosis", people / "lowest_third.csv", "--out", folder / "run", "--store",
               folder / "store", *(word for k, v in told.items() for word in ("--set", f"{k}={v}")))  # fmt: skip
    spineclock("phantom", "mri", "--n", "1", "--seed", "9", "--coverage", "lumbar", "--out", another)
    (scan,) = another.rglob("*_T2w.nii.gz")
    spineclock("predict", scan, "--recipe", "mri-osteoporosis", "--model", folder / "run", "--out",
               folder / "predicted", "--mask", str(scan).replace("_T2w", "_T2w_dseg"),
               "--mask-scheme", "spineclock")  # fmt: skip
    return folder / "predicted"


def ct_fracture(folder: Path) -> Path:
    """Trained on some of 18 simulated people whose outcomes bone density tells; where another one was read to."""
    people, another = folder / "people", folder / "another"
    spineclock("phantom", "ct", "--n", "18", "--seed", "4", "--grid", "112x64x112", "--out", people)
    table = pd.read_csv(people / "participants.tsv", sep="\t").drop_duplicates("person_id")
    order = table["lumbar_spine_t_score"].rank(method="first")
    thin = order / len(table)  # who breaks is too few of so few people
    table = table.assign(prevalent_fracture=thin < 0.5, vertebral_fracture=thin < 0.5,
                         vertebral_fracture_years=0.5 + 6 * thin, death=False, death_years=6.5,
                         split=[("train", "validation")[int(k) % 2] for k in order])  # fmt: skip
    table.to_csv(people / "thin.csv", index=False)
    told = {"max_epochs": 2, "batch_size": 2, "precision": "float32"}
    spineclock("train", "ct-fracture", people / "thin.csv", "--out", folder / "run",
               *(word for k, v in told.items() for word in ("--set", f"{k}={v}")))  # fmt: skip
    spineclock("phantom", "ct", "--n", "1", "--seed", "1", "--grid", "112x64x112", "--out", another)
    (scan,) = another.rglob("*_ct.nii.gz")
    spineclock("predict", scan, "--recipe", "ct-fracture", "--model", folder / "run", "--out", folder / "predicted",
               "--mask", str(scan).replace("_ct.nii", "_ct_dseg.nii"), "--mask-scheme", "spineclock")  # fmt: skip
    return folder / "predicted"


THROUGH: dict[str, Callable[[Path], Path]] = {
    "mri-age": mri_age,
    "xray-age": xray_age,
    "mri-osteoporosis": mri_osteoporosis,
    "ct-fracture": ct_fracture,
}


def test_each_recipe_is_taken_through() -> None:
    assert set(THROUGH) == set(recipes.names())


@pytest.mark.parametrize("name", sorted(THROUGH))
def test_from_made_up_people_to_a_report(name: str, tmp_path: Path) -> None:
    out = THROUGH[name](tmp_path)
    (told,) = out.rglob("prediction.json")
    document = json.loads(told.read_text(encoding="utf-8"))
    assert document["recipe"] == name
    assert document["quality"]["verdict"] == "check"  # never ok of a network that has seen simulated people only
    match recipes.get(name).outcome:
        case Age():
            low, high = document["interval_years"]
            assert low <= document["predicted_age_years"] <= high
        case Diagnosis():
            assert 0 <= document["probability"] <= 1
            assert document["called"] == (document["probability"] > document["threshold"])
            assert [v["level"] for v in document["vertebrae"]] == ["L1", "L2", "L3", "L4"]
            assert (told.parent / "crops.png").read_bytes().startswith(b"\x89PNG")
        case TimeToEvent(horizons_years=horizons):
            by = [document["risk"]["by_years"][f"{h:g}"] for h in horizons]
            assert 0 < by[0] <= by[1] <= by[2] < 1
            assert document["risk"]["curve"][-1] == [horizons[-1], by[-1]]
            assert 0 <= document["detection"]["probability"] <= 1
            assert document["vertebrae_shown"] == ["L1", "L2", "L3"]
            assert {v["level"] for v in document["vertebrae"]} >= {"T12", "L1", "L2", "L3", "L4"}
            assert document["measures"]["psoas_hu"] > 0
            assert (told.parent / "crops.png").read_bytes().startswith(b"\x89PNG")
            assert (told.parent / "risk.png").read_bytes().startswith(b"\x89PNG")
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "simulated" in page
    assert "Not a medical device" in page
