"""Making the packaged weights again: folds by person, Dice, and stages that take up where they were stopped."""

from __future__ import annotations

import json
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest

from spineclock.core.volume import Mask
from spineclock.recipes.mri_age import AGE_MODEL, FEATURES
from spineclock.run import segmentation_results, weights
from spineclock.stats.measured_age import MeasuredAge


def person(number: int, mask: Mask | None = None, **facts: object) -> SimpleNamespace:
    return SimpleNamespace(person_id=str(number), mask=mask, **facts)


def test_everyone_is_held_out_once_and_folds_are_even():
    people = [person(n) for n in range(28)]
    fold = weights.fold_of(people)
    assert set(fold) == {p.person_id for p in people}
    sizes = np.bincount(list(fold.values()), minlength=weights.FOLDS)
    assert len(sizes) == 5
    assert sizes.max() - sizes.min() <= 1
    assert fold == weights.fold_of(people)


def test_dice_by_hand():
    a, b = np.zeros((1, 4, 4), np.uint8), np.zeros((1, 4, 4), np.uint8)
    a[0, 0, :4] = 1
    b[0, 0, 2:4] = 1
    a[0, 1, :2], b[0, 2, :2] = 2, 2
    scores = weights.dice(Mask(a, np.eye(4)), Mask(b, np.eye(4)))
    assert scores == pytest.approx({"disc": 2 * 2 / 6, "vertebra": 0.0, "canal": 1.0})  # canal: empty in both


def test_a_fold_trains_without_its_people_and_a_finished_one_not_again(tmp_path, monkeypatch):
    people, seen = [person(n, volume=n) for n in range(10)], []
    monkeypatch.setattr(weights, "labelled_slices", lambda volume, mask: volume)
    monkeypatch.setattr(weights, "train_segmenter", lambda examples, *a, **k: seen.append(sorted(examples)) or "net")
    monkeypatch.setattr(weights, "save", lambda net, path, about: path.write_text(json.dumps(about)))
    config = SimpleNamespace(seed=4, steps=1)
    for stage in ("0", "3", "all", "3"):
        weights.train_fold(people, stage, tmp_path, config)
    fold = weights.fold_of(people)
    wanted = [[n for n in range(10) if str(fold[str(n)]) != stage] for stage in ("0", "3", "all")]
    assert seen == wanted
    about = json.loads((tmp_path / "segmenter-3.safetensors").read_text())
    assert about["people"] == "8"
    assert about["seed"] == "4"


def test_the_age_model_is_fitted_on_out_of_fold_outlines(tmp_path, monkeypatch, phantom):
    """Measurements that are the age itself must come back as the age; those without an age take no part."""
    import pandas as pd

    ages = [20.0, 30.0, 41.0, 52.0, 60.0, 68.0, 77.0, float("nan")]
    people = [person(n, volume=phantom.volume, age_years=age) for n, age in enumerate(ages)]
    taken = []

    def measured(people, masks, features):
        assert features is None
        taken.extend(masks)
        return pd.DataFrame(
            [
                {"person_id": p.person_id, "age_years": p.age_years, **dict.fromkeys(FEATURES, p.age_years)}
                for p in people
            ]
        )

    for p in people:
        nib.save(nib.Nifti1Image(np.full((1, 1, 1), int(p.person_id), np.uint8), np.eye(4)),
                 tmp_path / f"{p.person_id}_oof.nii.gz")  # fmt: skip
    monkeypatch.setattr(weights, "measured_people", measured)
    weights.fit_age(people, tmp_path, {"seed": 0}, network=False)
    assert [int(m.array.item()) for m in taken] == list(range(7))
    model = MeasuredAge.from_dict(json.loads((tmp_path / AGE_MODEL).read_text(encoding="utf-8")))
    assert model.ages_years == (20.0, 77.0)
    assert len(model.out_of_fold) == 7
    assert model.raw(dict.fromkeys(FEATURES, 52.0))[0] == pytest.approx(52.0, abs=5)


def test_a_stage_that_is_none_is_a_wrong_call(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.argv", ["weights", "--data", str(tmp_path), "--work", str(tmp_path), "--stages", "0,oops"])
    with pytest.raises(SystemExit) as end:
        weights.main()
    assert end.value.code == 2
    assert "no stage is called oops; wanted: 0, 1, 2, 3, 4, all" in capsys.readouterr().err


def test_the_segmentation_page_counts_against_the_table(tmp_path, phantom):
    import pandas as pd

    from spineclock.segment.instances import find, semantic

    found = find(semantic(phantom.labels))
    classes = semantic(phantom.labels)
    nib.save(nib.Nifti1Image(np.asarray(classes.array), classes.affine), tmp_path / "9_oof.nii.gz")
    series = tmp_path / "series.csv"
    series.write_text(f"series,num_vertebrae,num_discs\n9_t2_SPACE,{len(found.vertebrae)},{len(found.discs) + 1}\n")
    scores = pd.DataFrame({"person_id": ["9"], "fold": [0], "disc": [0.9], "vertebra": [0.84], "canal": [0.95]})
    page = segmentation_results.page(scores, masks={"9": tmp_path / "9_oof.nii.gz"}, series=series)
    assert "discs in 0 of 1 people, vertebrae (partial ones included) in 1." in page
    assert "| vertebra | 0.840 |  | 0.840 | 0.840 | 1 | 0.945 | 0.937 |" in page
