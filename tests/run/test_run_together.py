"""T1 and T2 of an examination answered together: which scans belong together, what is said, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from spineclock.core.errors import InputError
from spineclock.core.outcomes import Diagnosis
from spineclock.ingest.refs import Facts, SeriesRef
from spineclock.run import outputs
from spineclock.run.together import Joint, examination_of, with_joined
from spineclock.stats.diagnosis.fusion import LateFusion

MODEL = LateFusion(-0.5, 0.8, 0.6, 30, 70)
JOINT = Joint(MODEL, 0.4, "youden", (("T1w", "one"), ("T2w", "two")))


def ref(name: str, *, study: str = "", folder: str = "a") -> SeriesRef:
    path = Path(folder) / name
    return SeriesRef(name.partition(".")[0], "nifti", ((path, 0),), path, (1, 1, 1), np.eye(4), (1, 1, 1), "sagittal",
                     Facts(), study)  # fmt: skip


def document(scan_id: str, probability: float | None, *reasons: str, **of: Any) -> dict[str, Any]:
    """A prediction.json as far as joining goes."""
    sequence = "T1w" if scan_id.lower().rstrip("w").endswith("t1") else "T2w"
    told: dict[str, Any] = {
        "schema": outputs.SCHEMA, "statement": "Made up.", "recipe": "mri-osteoporosis", "settings": {},
        "input": {"scan_id": scan_id, "source": f"{scan_id}.nii.gz", "person_id": "sub-1", "modality": "MR",
                  "sequence": sequence, "age_years": None, "sex": None, **of},
        "quality": {"verdict": "check" if reasons else "ok", "reasons": list(reasons)},
        "model": {"name": "both", "weights_sha256": {"network T1w": "one", "network T2w": "two"}},
    }  # fmt: skip
    if probability is None:
        return told | {"quality": {"verdict": "refused", "reasons": list(reasons)}}
    return told | {"disease": "osteoporosis", "probability": probability, "probability_meaning": "of it",
                   "prevalence": 0.3, "threshold": 0.3, "threshold_rule": "youden", "thresholds": {"youden": 0.3},
                   "called": probability > 0.3, "pooling": "mean", "vertebrae": [], "vertebrae_missing": {},
                   "bone_quality": {}}  # fmt: skip


@pytest.mark.parametrize(("first", "second", "same"), [
    (ref("sub-1_ses-1_T1w.nii.gz"), ref("sub-1_ses-1_acq-sag_T2w.nii.gz"), True),
    (ref("sub-1_ses-1_T1w.nii.gz"), ref("sub-1_ses-2_T2w.nii.gz"), False),
    (ref("10_t1.png"), ref("10_t2.png"), True),
    (ref("10_t1.png"), ref("10_t2.png", folder="b"), False),
    (ref("10_t1.png"), ref("100_t2.png"), False),
    (ref("x", study="1.2"), ref("y", study="1.2"), True),
    (ref("x", study="1.2"), ref("y", study="1.3"), False),
    (ref("scan.nii.gz"), ref("other.nii.gz"), False),
])  # fmt: skip
def test_which_scans_are_of_one_examination(first: SeriesRef, second: SeriesRef, same: bool) -> None:
    assert (examination_of(first) == examination_of(second)) is same


def test_the_joint_answer_is_the_models_and_stands_behind_its_scans() -> None:
    scans = [document("sub-1_ses-1_T1w", 0.6, "simulated", "not read: L3"), document("sub-2_ses-1_T1w", 0.2),
             document("sub-1_ses-1_T2w", 0.5, "simulated", age_years=70.0)]  # fmt: skip
    found = list(with_joined([(ref(f"{d['input']['scan_id']}.nii.gz"), d) for d in scans], JOINT))
    assert [d["input"]["scan_id"] for d, _ in found] == [
        "sub-1_ses-1_T1w", "sub-2_ses-1_T1w", "sub-1_ses-1_T2w", "sub-1_ses-1_T1w+T2w"]  # fmt: skip
    assert [together for _, together in found] == [False, False, False, True]
    told = found[-1][0]
    by_hand = 1 / (1 + np.exp(0.5 - 0.8 * np.log(0.6 / 0.4)))  # the second's log-odds are 0
    assert told["probability"] == pytest.approx(by_hand, abs=1e-6)
    assert told["called"]
    assert told["components"] == {"T1w": 0.6, "T2w": 0.5}
    assert told["prevalence"] == 0.3
    assert told["input"]["scan_ids"] == ["sub-1_ses-1_T1w", "sub-1_ses-1_T2w"]
    assert told["input"]["age_years"] == 70.0
    assert told["quality"] == {"verdict": "check", "reasons": ["simulated", "T1w: not read: L3"]}


def test_without_one_answer_of_each_there_is_no_joint_one() -> None:
    one, other = ref("10_t1.png"), ref("10_t2.png")
    for pair in (
        [(one, document("10_t1", 0.6)), (other, document("10_t2", None, "no contrast"))],
        [(one, document("10_t1", 0.6)), (other, None)],
        [(one, document("10_t1", 0.6)), (ref("10_T1w.png"), document("10_T1w", 0.5)), (other, document("10_t2", 0.5))],
    ):
        assert not any(together for _, together in with_joined(pair, JOINT))
    both = [(one, document("10_t1", 0.6)), (other, document("10_t2", 0.5))]
    assert not any(together for _, together in with_joined(both, None))


def test_a_joint_model_of_other_networks_is_refused(tmp_path: Path) -> None:
    wrong = Joint(MODEL, 0.4, "youden", (("T1w", "one"), ("T2w", "three")))
    with pytest.raises(InputError, match="fitted to another network of T2w; wanted: .* `spineclock fuse` them again"):
        wrong.require_its_own({"network T1w": "one", "network T2w": "two"})
    assert Joint.of(tmp_path) is None
    (tmp_path / "fusion.json").write_text(json.dumps({"schema": "spineclock.fusion/0"}))
    with pytest.raises(InputError, match="does not tell how two networks are joined"):
        Joint.of(tmp_path)


def test_it_has_a_row_and_a_section(tmp_path: Path) -> None:
    from spineclock.report.html import RunInfo, html
    from spineclock.run.entries import entry

    pair = [document("10_t1", 0.6), document("10_t2", 0.5)]
    joined = JOINT.joined(pair)
    assert joined is not None
    outputs.write_run(tmp_path, failures=[], documents=[*pair, joined], not_taken=[], settings={},
                      begun=pd.Timestamp("2026-01-01", tz="UTC").to_pydatetime(),
                      outcome=Diagnosis("osteoporosis", "osteoporosis"))  # fmt: skip
    rows = pd.read_csv(tmp_path / "predictions.csv").set_index("scan_id")
    assert rows.loc["10_t1+T2w", "sequence"] == "T1w+T2w"
    assert rows.loc["10_t1+T2w", "probability"] == pytest.approx(joined["probability"], abs=1e-4)
    assert json.loads((tmp_path / "run.json").read_text())["scans"] == 2
    page = html([entry(d, tmp_path) for d in (*pair, joined)], run=RunInfo("1", "spineclock", "today"),
                outcome=Diagnosis("osteoporosis", "osteoporosis"))  # fmt: skip
    assert "T1w and T2w together" in page
    assert "Probability by itself" in page


def test_predict_leaves_the_joint_answer_beside_each_scans_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    from spineclock.core.outcomes import DiagnosisPrediction
    from spineclock.core.records import ModelInfo, Quality, Reading, Scan
    from spineclock.recipes import mri_osteoporosis as recipe
    from spineclock.run.predict import predict_all
    from spineclock.run.settings import PredictSettings

    class Canned:
        model = ModelInfo("both", {"network T1w": "one", "network T2w": "two"}, "Made up.")

        def read(self, scan: Scan, *, lowest_vertebra: str | None = None) -> Reading:
            p = 0.6 if scan.sequence == "T1w" else 0.5
            return Reading(
                scan, Quality(), self.model, diagnosis=DiagnosisPrediction("osteoporosis", p, 0.3, "youden", ())
            )

    told = {"schema": "spineclock.fusion/1", **MODEL.as_dict(), "threshold": 0.4, "threshold_rule": "youden",
            "networks": [{"sequence": s, "weights_sha256": h} for s, h in JOINT.networks]}  # fmt: skip
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "fusion.json").write_text(json.dumps(told))
    monkeypatch.setattr("spineclock.run.predict._reader", lambda *_: Canned())
    monkeypatch.setattr("spineclock.run.predict.recipes.get", lambda _: replace(recipe.RECIPE, narrowed=None))
    for folder in ("a", "b"):  # namesakes
        (tmp_path / folder).mkdir()
        for name in ("10_t1.png", "10_t2.png"):
            grey = np.random.default_rng(0).integers(0, 255, (80, 80)).astype(np.uint8)
            Image.fromarray(grey).save(tmp_path / folder / name)
    settings = PredictSettings(recipe="mri-osteoporosis", model=str(tmp_path / "model"))
    out = tmp_path / "out"
    assert predict_all([tmp_path / "a", tmp_path / "b"], settings, out=out, progress=False) == 0
    rows = pd.read_csv(out / "predictions.csv")
    joint = rows[rows["sequence"] == "T1w+T2w"]
    assert len(rows) == 6
    assert joint["scan_id"].nunique() == 2
    assert np.allclose(joint["probability"], MODEL(0.6, 0.5), atol=1e-4)
    documents = [json.loads((out / name / "prediction.json").read_text()) for name in joint["scan_id"]]
    assert [d["components"] for d in documents] == [{"T1w": 0.6, "T2w": 0.5}] * 2
    assert "T1w and T2w together" in (out / "report.html").read_text(encoding="utf-8")
    # without the joint model an earlier joint answer does not stay
    (tmp_path / "model" / "fusion.json").unlink()
    again = settings.model_copy(update={"overwrite": True})
    assert predict_all([tmp_path / "a", tmp_path / "b"], again, out=out, progress=False) == 0
    assert not any((out / name / "prediction.json").exists() for name in joint["scan_id"])
    assert len(pd.read_csv(out / "predictions.csv")) == 4
