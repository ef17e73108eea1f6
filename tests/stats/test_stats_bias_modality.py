"""Correction by modality: lines against numpy and statsmodels, and whom it refuses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.bias import Beheshti, ModalityCorrection
from spineclock.stats.metrics import r2

TRUTH = {"radiograph": (0.72, 17.0), "vfa": (0.6, 31.0)}


def seen(n: int, seed: int, first: int = 0) -> pd.DataFrame:
    """People seen by both modalities, each with its own bias."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(50, 90, n)
    tables = [
        pd.DataFrame({
            "person_id": [f"sub-{first + i}" for i in range(n)], "modality": name, "age_years": age,
            "predicted_age_years": slope * age + intercept + rng.normal(0, 5, n),
        })
        for name, (slope, intercept) in TRUTH.items()
    ]  # fmt: skip
    return pd.concat(tables, ignore_index=True)


@pytest.fixture(scope="module")
def calibration() -> pd.DataFrame:
    return seen(400, 0)


@pytest.fixture(scope="module")
def correction(calibration) -> ModalityCorrection:
    return ModalityCorrection.fit(calibration)


@pytest.mark.parametrize("name", list(TRUTH))
def test_lines_are_numpys_and_statsmodels(calibration, correction, name):
    part = calibration[calibration["modality"] == name]
    age, predicted = part["age_years"].to_numpy(), part["predicted_age_years"].to_numpy()
    line = correction.lines[name]
    slope, intercept = np.polyfit(age, predicted - age, 1)
    assert (line.beheshti.slope, line.beheshti.intercept) == pytest.approx((slope, intercept), rel=1e-9)
    intercept, slope = sm.OLS(predicted - age, sm.add_constant(age)).fit().params
    assert (line.beheshti.slope, line.beheshti.intercept) == pytest.approx((slope, intercept), rel=1e-9)
    assert line.people == 400
    assert line.ages_years == (age.min(), age.max())
    assert correction.corrected(predicted, age, name) == pytest.approx(
        Beheshti.fit(predicted, age).corrected(predicted, age)
    )


def test_on_other_people_the_modalities_no_longer_differ(correction):
    other = seen(4000, 1, first=1000)
    raw = other.assign(gap=other["predicted_age_years"] - other["age_years"]).groupby("modality")["gap"].mean()
    assert abs(raw["vfa"] - raw["radiograph"]) > 4
    table = correction.applied(other)
    gap = table["modality_corrected_age_years"] - table["age_years"]
    for name in TRUTH:
        mine = table["modality"] == name
        assert gap[mine].mean() == pytest.approx(0, abs=0.6)
        assert np.polyfit(table.loc[mine, "age_years"], gap[mine], 1)[0] == pytest.approx(0, abs=0.05)


def test_r2_after_beheshti_is_inflated_and_it_says_so():
    blind = seen(2000, 3)
    rng = np.random.default_rng(4)
    blind["predicted_age_years"] = rng.normal(65, 4, len(blind))
    correction = ModalityCorrection.fit(blind[:1000])
    rest = blind[1000:2000]
    corrected = correction.applied(rest.assign(modality="radiograph"))["modality_corrected_age_years"]
    assert r2(corrected.to_numpy(), rest["age_years"].to_numpy()) > 0.85
    assert correction.uses_test_age
    assert "inflated (Butler et al. 2021)" in correction.caution


def test_a_reference_modality_stays_as_it_is(calibration):
    correction = ModalityCorrection.fit(calibration, reference="radiograph")
    assert correction.corrected([50.0, 80.0], [60.0, 60.0], "radiograph").tolist() == [50.0, 80.0]
    assert correction.lines["vfa"] == ModalityCorrection.fit(calibration).lines["vfa"]


def test_mixed_scans_each_get_their_own_line(correction):
    names = ["vfa", "radiograph", "vfa"]
    together = correction.corrected([60, 70, 80], [61, 69, 85], names)
    alone = [correction.corrected([p], [y], m)[0] for p, y, m in zip([60, 70, 80], [61, 69, 85], names, strict=True)]
    assert together.tolist() == alone


def test_people_it_was_fitted_on_are_refused(calibration, correction):
    correction.require_unseen(["sub-400", "sub-9999"])
    with pytest.raises(TableError, match=r"1 of 2 people, such as sub-399, are those the correction was fitted on"):
        correction.require_unseen(["sub-400", "sub-399", "sub-399"])
    with pytest.raises(TableError, match=r"400 of 400 people.*wanted: people it has not seen"):
        correction.applied(calibration)
    assert not any("sub-" in name for name in correction.fitted_on)


def test_numbers_as_names_are_the_same_person_in_every_table():
    table = seen(40, 5).assign(person_id=[*range(40)] * 2)
    correction = ModalityCorrection.fit(table)
    for same in (3, 3.0, "3"):
        with pytest.raises(TableError, match="such as 3"):
            correction.require_unseen([same])


def test_an_unknown_modality_is_refused_with_the_known_ones(correction):
    with pytest.raises(
        TableError, match=r"scans of modality ct, eos; wanted: one of those calibrated: radiograph, vfa;"
    ):
        correction.corrected([60, 61, 62], [60, 60, 60], ["vfa", "ct", "eos"])
    with pytest.raises(UsageError, match=r"modalities of shape \(2,\) for 3 scans"):
        correction.corrected([60, 61, 62], [60, 60, 60], ["vfa", "vfa"])


def test_one_scan_a_person_is_drawn_where_asked(calibration):
    doubled = pd.concat([calibration, calibration.assign(predicted_age_years=lambda t: t["predicted_age_years"] + 10)])
    one = ModalityCorrection.fit(doubled, rng=np.random.default_rng(0)).lines["vfa"]
    assert one.people == 400
    assert one.beheshti != ModalityCorrection.fit(doubled).lines["vfa"].beheshti
    assert one.beheshti.intercept + one.beheshti.slope * 70 == pytest.approx(73 - 70 + 5, abs=1.2)


def test_too_few_people_are_refused(calibration):
    few = calibration.groupby("modality").head(19)
    with pytest.raises(TableError, match="19 calibration people of modality radiograph; wanted: at least 20"):
        ModalityCorrection.fit(few)
    with pytest.raises(TableError, match="no column modality"):
        ModalityCorrection.fit(calibration.drop(columns="modality"))
