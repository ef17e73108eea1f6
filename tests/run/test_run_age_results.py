"""The age results page: the plain dozen against hand-computed values, the plain ridge against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from spineclock.core.volume import Mask, Volume
from spineclock.run import age_results

SPACING = (3.0, 1.0, 0.5)


def boxes() -> tuple[Volume, Mask]:
    """Two brick-shaped discs and a crumb, a block of bone and a canal, with grey values that can be reckoned."""
    classes = np.zeros((6, 60, 120), np.uint8)
    grey = np.zeros(classes.shape, np.float32)
    classes[1:5, 10:40, 20:40] = 1  # 4 × 30 × 20 voxels: 3.6 ml
    classes[1:5, 12:40, 80:92] = 1  # 4 × 28 × 12 voxels: 2.0 ml
    classes[1:3, 50:54, 100:104] = 1  # 0.05 ml: no disc
    classes[1:5, 10:40, 45:75] = 2
    classes[:, 2:8, :] = 3
    grey[classes == 3] = 200.0
    grey[classes == 2] = 50.0
    grey[1:5, 10:40, 20:30], grey[1:5, 10:40, 30:40] = 120.0, 80.0
    grey[1:5, 12:40, 80:92] = 60.0
    affine = np.diag([*SPACING, 1.0])
    return Volume(grey, affine), Mask(classes, affine)


def side(count: int, spacing: float, voxels: int) -> float:
    """√12 × the standard deviation of a brick's voxel places along one side."""
    return spacing * math.sqrt((count**2 - 1) * voxels / (voxels - 1))


def test_the_plain_dozen_of_bricks_is_as_reckoned_by_hand():
    m = age_results.plain_measurements(*boxes(), "M")
    first = (side(20, 0.5, 2400), side(30, 1.0, 2400), 100 / 200, 20 / 200)
    second = (side(12, 0.5, 1344), side(28, 1.0, 1344), 60 / 200, 0.0)
    assert m["mean.height_mm"] == pytest.approx((first[0] + second[0]) / 2)
    assert m["min.height_mm"] == pytest.approx(second[0])
    assert m["mean.height_to_width"] == pytest.approx((first[0] / first[1] + second[0] / second[1]) / 2)
    assert m["min.height_to_width"] == pytest.approx(second[0] / second[1])
    assert m["mean.signal"] == pytest.approx(0.4)
    assert m["min.signal"] == pytest.approx(0.3)
    assert m["mean.spread"] == pytest.approx(0.05)
    assert m["min.spread"] == pytest.approx(0.0, abs=1e-6)
    assert m["vertebra.signal"] == pytest.approx(0.25)
    assert m["vertebra.volume_mm3"] == pytest.approx(4 * 30 * 30 * 1.5)
    assert m["sex.male"] == 1.0
    assert len(m) == 11


def test_a_factor_on_the_grey_values_changes_nothing():
    volume, mask = boxes()
    twice = volume.with_array(volume.array * 2)
    assert age_results.plain_measurements(twice, mask, "F") == pytest.approx(
        age_results.plain_measurements(volume, mask, "F")
    )


def test_plain_ridge_is_scikit_learns_in_every_fold():
    rng = np.random.default_rng(11)
    age = rng.uniform(20, 80, 24)
    x = np.stack([age + rng.normal(0, s, 24) for s in (5, 20, 60, 400)], axis=1) * [1, 0.01, 3, 10]
    ours = age_results.plain_ridge(x, age)
    penalties = np.logspace(-1, 4, 26)
    for i in range(len(age)):
        others = np.arange(len(age)) != i
        scaler = StandardScaler().fit(x[others])
        second = RidgeCV(alphas=penalties).fit(scaler.transform(x[others]), age[others])
        assert ours[i] == pytest.approx(second.predict(scaler.transform(x[i : i + 1]))[0], abs=1e-8)


def test_nobody_takes_part_in_his_own_prediction():
    rng = np.random.default_rng(2)
    x, age = rng.normal(size=(12, 3)), rng.uniform(20, 80, 12)
    other = age.copy()
    other[4] += 1000
    assert age_results.plain_ridge(x, other)[4] == pytest.approx(age_results.plain_ridge(x, age)[4])


def test_correction_and_coverage_on_the_page_are_leave_one_out():
    """By hand: predictions ½·age + 25 give slope ½, and corrected ages that are the ages."""
    age = np.linspace(20, 80, 25)
    page = age_results._corrected(0.5 * age + 25, age)
    rows = dict(line.strip("| ").split(" | ") for line in page.splitlines()[2:])
    assert rows["slope and intercept of predicted on chronological age"] == "0.50, 25.0 years"
    assert rows["MAE after Cole's correction"] == "0.0 years"
    assert rows["R² after Cole's correction"] == "1.00"
    residuals = np.abs(0.5 * age + 25 - age)
    covered = 0
    for i in range(25):
        others = np.sort(np.delete(residuals, i))
        covered += bool(residuals[i] <= others[math.ceil(25 * 0.9) - 1])
    assert rows["90% interval: share of people covered"] == f"{covered / 25:.0%} ({covered} of 25)"


def test_scores_name_the_guess_and_the_difference():
    age = np.linspace(20, 80, 20)
    ours, guess = age + np.tile([1.0, -3.0], 10), 50 + np.tile([0.5, -0.5], 10)
    page = age_results.scores({"ours": ours, "median": guess}, age)
    first, second = page.splitlines()[2:]
    assert first.startswith("| ours | 2.0 (1.")
    mae = float(np.abs(guess - age).mean())
    assert second.startswith(f"| median | {mae:.1f} (")
    assert f"| +{mae - 2:.1f} (" in second


def test_each_person_stands_on_the_page_youngest_first():
    measured = pd.DataFrame({"person_id": ["7", "3"]})
    each = age_results._each(measured, np.array([50.0, 40.0]), np.array([60.0, 30.0]))
    assert each.to_dict("records") == [
        {"person": "3", "age": 30.0, "predicted": 40.0, "error": 10.0},
        {"person": "7", "age": 60.0, "predicted": 50.0, "error": -10.0},
    ]
