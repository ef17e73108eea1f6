"""Diagnosis and outcomes of a study: of simulated people, and of tables that tell less."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter
from sklearn.metrics import roc_auc_score

from spineclock.core.errors import TableError
from spineclock.ingest.study_table import StudyTable
from spineclock.run.settings import StudySettings
from spineclock.run.study.data import StudyData
from spineclock.run.study.diagnosis import diagnosis
from spineclock.run.study.outcomes import outcomes
from spineclock.run.study.sets import cohort_sets
from spineclock.run.study.thirds import thirds
from spineclock.run.study.truth import Truth, truth_of
from spineclock.stats.bias import Cole

N, TWICE, SD, ERROR, TRUE = 4000, 400, 4.0, 3.0, float(np.log(1.6))


def cohort(seed: int = 0, *, n: int = N) -> pd.DataFrame:
    """First scans of people, some of whom come again a year later; a hazard ratio of 1.6 per SD of true gap."""
    rng = np.random.default_rng(seed)
    age, sex, true = rng.uniform(45, 84, n), rng.choice(["F", "M"], n), rng.normal(0, SD, n)
    fracture, death = (rng.exponential(1 / (rate * np.exp(beta * true / SD + 0.04 * (age - 65))))
                       for rate, beta in ((0.02, TRUE), (0.02, 0.2)))  # fmt: skip
    end = rng.uniform(3, 8, n)
    last = np.minimum(death, end)
    ill = rng.random(n) < 1 / (1 + np.exp(3 - 0.25 * true - 0.05 * (age - 65)))
    table = pd.DataFrame(
        {
            "person_id": np.arange(n).astype(str), "scan_id": [f"{i}a" for i in range(n)], "age_years": age, "sex": sex,
            "gap_years": true + rng.normal(0, ERROR, n), "true": true, "bmi": rng.normal(25, 3, n),
            "osteoporosis": ill, "any_fracture": fracture <= last, "any_fracture_years": np.minimum(fracture, last),
            "death": death <= end, "death_years": last, "prevalent_vertebral_fractures": rng.poisson(0.1 * np.exp(
                true / 8)), "set": "test", "model": "", "bracket": (age // 10 * 10).astype(int),
        }
    )  # fmt: skip
    again = table.head(TWICE).assign(
        scan_id=[f"{i}b" for i in range(TWICE)], age_years=lambda t: t["age_years"] + 1,
        gap_years=lambda t: t["true"] + rng.normal(0, ERROR, TWICE),
    )  # fmt: skip
    later = [c for c in again if str(c).startswith(("any_fracture", "death"))]
    again = again.astype(dict.fromkeys(later, object))
    again[later] = None
    both = pd.concat([table.astype(dict.fromkeys(later, object)), again], ignore_index=True)
    return both.assign(corrected_age_years=both["age_years"] + both["gap_years"])


def data(table: pd.DataFrame) -> StudyData:
    return StudyData(table, "", Cole(1.0, 0.0), None)


def truth(table: pd.DataFrame) -> Truth:
    rows = [
        {"statistic": "cox", "of": gap, "outcome": "any_fracture", "model": model, "least_age_years": 0.0,
         "estimate": TRUE * share, "sd_years": SD / share, "hazard_ratio": np.exp(TRUE * share)}
        for gap, share in (("true_gap_years", 1.0), ("gap_years", 0.8)) for model in ("M1", "M2", "M3")
    ]  # fmt: skip
    return Truth(pd.DataFrame(rows), table.set_index("scan_id")["true"])


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return cohort()


@pytest.fixture(scope="module")
def ratios(table: pd.DataFrame) -> pd.DataFrame:
    section = outcomes(data(table), truth(table))
    assert section is not None
    return section.frames["outcomes"]


def of(found: pd.DataFrame, gap: str, *, source: str = "", event: str = "any_fracture") -> pd.DataFrame:
    rows = found[(found["gap"] == gap) & (found["event"] == event)]
    return rows[rows["reliability_of"] == source] if source else rows


def test_measured_ratios_are_lifelines_on_first_scans_in_the_rows_of_the_largest_model(table: pd.DataFrame) -> None:
    some = table.copy()
    some.loc[:299, "bmi"] = np.nan
    section = outcomes(data(some), Truth())
    assert section is not None
    assert "3,700 people, 300 left out" in section.text[0]
    rows = of(section.frames["outcomes"], "measured")
    assert set(rows["n"]) == {N - 300}
    first = some[some["scan_id"].str.endswith("a") & some["bmi"].notna()]
    frame = first[["gap_years", "age_years", "any_fracture_years", "any_fracture"]].astype(float)
    fit = CoxPHFitter().fit(frame.assign(male=first["sex"] == "M"), "any_fracture_years", "any_fracture", robust=True)
    year = rows[(rows["per"] == "year") & (rows["model"] == "M1")].iloc[0]
    assert year["log_ratio"] == pytest.approx(fit.params_["gap_years"], abs=1e-4)
    assert year["se"] == pytest.approx(fit.standard_errors_["gap_years"], rel=0.02)
    sd = rows[(rows["per"] == "SD") & (rows["model"] == "M1")].iloc[0]
    assert sd["estimate"] == pytest.approx(year["estimate"] ** first["gap_years"].std(), rel=1e-6)


def test_calibrated_ratios_recover_the_true_gap_s_and_the_oracle_agrees(ratios: pd.DataFrame) -> None:
    raw, freed = of(ratios, "measured"), of(ratios, "true", source="repeat scans")
    oracle = of(ratios, "true", source="true gaps")
    lam = SD**2 / (SD**2 + ERROR**2)
    for rows in (freed, oracle):
        assert rows["reliability"].to_numpy() == pytest.approx(lam, abs=0.05)
        own = rows[rows["per"] == "SD"]
        assert own["unit_years"].to_numpy() == pytest.approx(SD, rel=0.06)
        assert (own["low"] < np.exp(TRUE)).all()
        assert (own["high"] > np.exp(TRUE)).all()
        assert own["truth"].to_numpy() == pytest.approx(np.exp(TRUE * own["unit_years"] / SD))
    wide = [rows[rows["per"] == "SD"].set_index("model") for rows in (raw, freed)]
    assert (wide[1]["estimate"] > wide[0]["estimate"]).all()
    assert (wide[1]["high"] / wide[1]["low"] > wide[0]["high"] / wide[0]["low"]).all()
    measured = raw[raw["per"] == "SD"]
    assert measured["truth"].to_numpy() == pytest.approx(np.exp(TRUE * 0.8 / (SD / 0.8) * measured["unit_years"]))


def test_the_page_says_what_is_adjusted_for_how_the_truth_fared_and_whose_the_published_figures_are(
    table: pd.DataFrame,
) -> None:
    section = outcomes(data(table), truth(table))
    assert section is not None
    text = " ".join(section.text)
    assert "M1, age, sex; M2, those of M1 and prevalent fracture, bmi; M3, those of M2 and osteoporosis" in text
    assert f"{TWICE} people scanned twice within 2 years (on average 1.0)" in text
    assert "3 of 3 as measured (against the truth of the measured gap)" in text
    assert [t.title.split(",")[0] for t in section.tables] == [
        "Hazard ratios of the measured gap (SD 5.00 years)",
        "Hazard ratios of the true gap",
        "For comparison only",
    ]
    assert "not a target" in section.tables[2].note
    assert any("1.74 (1.46 to 2.07)" in row for row in section.tables[2].rows)
    assert all(len(row) in (1, len(t.head)) for t in section.tables for row in t.rows)


def test_real_people_without_repeat_scans_get_measured_ratios_and_the_reason(table: pd.DataFrame) -> None:
    section = outcomes(data(table[table["scan_id"].str.endswith("a")]), Truth())
    assert section is not None
    assert set(section.frames["outcomes"]["gap"]) == {"measured"}
    assert "too few people scanned twice" in " ".join(section.caution)
    assert "truth" not in " ".join([*section.text, *(h for t in section.tables for h in t.head)]).lower()
    assert outcomes(data(table.drop(columns=["death", "any_fracture"])), Truth()) is None


def test_of_a_network_s_ages_only_the_true_gap_has_a_truth(table: pd.DataFrame) -> None:
    once = table[table["scan_id"].str.endswith("a")]  # nobody twice: λ is then known from the true gaps alone
    section = outcomes(data(once), replace(truth(table), as_projected=False))
    assert section is not None
    found = section.frames["outcomes"]
    assert found.loc[found["gap"] == "measured", "truth"].isna().all()
    assert of(found, "true")["truth"].notna().all()
    assert set(of(found, "true")["reliability_of"]) == {"true gaps"}
    assert "as measured" not in " ".join(section.text)
    assert "truth, per SD" not in section.tables[0].head
    assert section.tables[1].head == ("model", "λ (95% CI)", "hazard ratio per SD (95% CI)", "per year (95% CI)",
                                      "truth, per SD")  # fmt: skip


def shrunk(table: pd.DataFrame) -> pd.DataFrame:
    """The ages of a network that halves the true gap: the slope of the true gap on the measured one is 1.28."""
    rng = np.random.default_rng(5)
    gap = 0.5 * table["true"] + rng.normal(0, 1.5, len(table))
    return table.assign(gap_years=gap, corrected_age_years=table["age_years"] + gap)


def test_the_truth_of_a_network_s_calibrated_ratios_is_per_sd_of_the_true_gaps_of_the_same_people(
    table: pd.DataFrame,
) -> None:
    some = shrunk(table)
    some.loc[:299, "bmi"] = np.nan  # these people are in no model
    section = outcomes(data(some), replace(truth(table), as_projected=False))
    assert section is not None
    rows = of(section.frames["outcomes"], "true", source="repeat scans").set_index("per")
    first = some[some["scan_id"].str.endswith("a") & some["bmi"].notna()]
    sd = first["true"].std()
    assert rows.loc["SD", "unit_years"].to_numpy() == pytest.approx(SD / 2, rel=0.06)  # in years of the network
    assert rows.loc["SD", "truth"].to_numpy() == pytest.approx(np.exp(TRUE * sd / SD))
    assert rows.loc["SD", "truth_unit_years"].to_numpy() == pytest.approx(sd)
    assert rows.loc["year", "truth"].isna().all()
    assert "3 of 3 calibrated by repeat scans" in " ".join(section.text)
    assert f"for an SD of the true gaps of these people ({sd:.2f} years)" in section.tables[1].note


def test_where_a_true_gap_is_not_known_a_network_s_ratios_have_no_truth(table: pd.DataFrame) -> None:
    known = truth(table)
    section = outcomes(data(shrunk(table)), Truth(known.table, known.gaps.iloc[1:], as_projected=False))
    assert section is not None
    found = section.frames["outcomes"]
    assert found.loc[found["reliability_of"] == "repeat scans", "truth"].isna().all()
    none = outcomes(data(shrunk(table)), Truth(known.table, as_projected=False))
    assert none is not None
    assert none.frames["outcomes"]["truth"].isna().all()


def test_true_gaps_calibrate_a_network_that_shrinks_the_gap(table: pd.DataFrame) -> None:
    section = outcomes(data(shrunk(table)), replace(truth(table), as_projected=False))
    assert section is not None
    rows = of(section.frames["outcomes"], "true", source="true gaps").set_index("per")
    assert rows["reliability"].to_numpy() == pytest.approx(8 / 6.25, rel=0.04)
    assert (rows["reliability_high"] > rows["reliability"]).all()
    assert (rows["low"] < rows["truth"]).all()
    assert (rows["truth"] < rows["high"]).all()
    assert rows.loc["year", "truth"].to_numpy() == pytest.approx(np.exp(TRUE / SD))
    assert not any("calibration by" in c for c in section.caution)


def test_a_source_of_the_reliability_that_is_refused_is_named_with_the_reason(table: pd.DataFrame) -> None:
    again, rng = table["scan_id"].str.endswith("b"), np.random.default_rng(6)
    some = table.assign(gap_years=table["gap_years"].mask(again, pd.Series(rng.normal(0, 40, len(table)))))
    section = outcomes(data(some), truth(table))
    assert section is not None
    assert set(of(section.frames["outcomes"], "true")["reliability_of"]) == {"true gaps"}
    assert "whose repeat scans agree too badly to tell λ" in " ".join(section.text)
    assert any(c.startswith("any fracture, calibration by repeat scans: a reliability of -") for c in section.caution)
    known = truth(table)
    section = outcomes(data(table), Truth(known.table, -known.gaps))
    assert section is not None
    assert any(c.startswith("any fracture, calibration by true gaps: a reliability of -") for c in section.caution)


@pytest.mark.parametrize("left", [0, 1, 2])
def test_outcome_columns_that_tell_of_hardly_anybody_leave_a_remark(table: pd.DataFrame, left: int) -> None:
    some = table.head(200).reset_index(drop=True)
    some.loc[left:, ["any_fracture", "any_fracture_years", "death", "death_years"]] = None
    by_third, ratios = thirds(data(some)), outcomes(data(some), Truth())
    assert by_third is not None
    assert by_third.caution == (
        f"{left} people with a gap and a follow-up (any fracture, death); wanted: at least 3.",
    )  # fmt: skip
    assert ratios is not None
    assert len(ratios.caution) == 2
    for section in (by_third, ratios):
        assert not section.tables
        assert not section.frames


def test_an_event_that_nobody_of_a_third_was_followed_for_is_left_out_with_the_reason(table: pd.DataFrame) -> None:
    some = table[table["scan_id"].str.endswith("a")].copy()
    high = some["gap_years"] > some["gap_years"].median()
    some.loc[high, ["any_fracture", "any_fracture_years"]] = None
    section = thirds(data(some))
    assert section is not None
    assert any("any fracture: nobody in the highest third of the gap was followed" in c for c in section.caution)
    assert set(section.frames["thirds"]["event"]) == {"death"}


def test_the_phantom_s_own_ages_are_told_from_a_network_s(tmp_path: Path) -> None:
    (tmp_path / "phantom.json").write_text('{"world": "default"}')
    scans = pd.DataFrame({"scan_id": ["a", "b"], "predicted_age_years": [50.0, 60.123]})
    assert not truth_of(tmp_path, scans).as_projected  # no file to compare with
    pd.concat([scans, scans.assign(scan_id=["c", "d"])]).to_csv(tmp_path / "predictions.csv", index=False)
    pd.DataFrame({"scan_id": ["a"], "true_gap_years": [2.5]}).to_csv(tmp_path / "truth.csv", index=False)
    own = truth_of(tmp_path, scans)
    assert own.as_projected
    assert own.gaps["a"] == 2.5
    assert 1.6 < own.hazard_ratio("any_fracture", "M1") < 1.8
    assert own.odds()
    other = truth_of(tmp_path, scans.assign(predicted_age_years=[50.0, 61]))
    assert np.isnan(other.hazard_ratio("any_fracture", "M1"))
    assert other.hazard_ratio("any_fracture", "M1", gap="true_gap_years", per_years=4) > 1.8
    assert not other.odds()


def test_thirds_are_even_and_their_incidences_rise_with_the_gap(table: pd.DataFrame) -> None:
    section = thirds(data(table))
    assert section is not None
    found = section.frames["thirds"].set_index(["event", "group"])
    assert np.ptp(found.loc["any_fracture", "n"].to_numpy()) <= 1
    shares = found.loc["any_fracture"].loc[["lowest", "middle", "highest"], "estimate"]
    assert shares.is_monotonic_increasing
    assert set(found.loc["any_fracture", "method"]) == {"Aalen–Johansen"}
    assert set(found.loc["death", "method"]) == {"Kaplan–Meier"}
    tests = section.frames["thirds_tests"].set_index("event")
    assert (tests.loc["any_fracture", ["p", "p_within"]] < 0.001).all()
    assert all(len(row) in (1, len(section.tables[0].head)) for row in section.tables[0].rows)
    assert thirds(data(table.drop(columns=["death", "any_fracture"]))) is None


def test_aurocs_are_scikit_learn_s_on_first_scans(table: pd.DataFrame) -> None:
    section = diagnosis(data(table), seed=0)
    assert section is not None
    found = section.frames["diagnosis"].set_index(["disease", "group", "term"])["estimate"]
    found = found.sort_index()
    first = table[table["scan_id"].str.endswith("a")]
    women = first[first["sex"] == "F"]
    for group, part in (("everyone", first), ("women", women)):
        spine, age = (roc_auc_score(part["osteoporosis"], part[c]) for c in ("corrected_age_years", "age_years"))
        own = found["osteoporosis", group]
        assert own["corrected_age_years"] == pytest.approx(spine)
        assert own["corrected_age_years − age_years"] == pytest.approx(spine - age)
    fractured = first["prevalent_vertebral_fractures"] > 0
    own = found["prevalent_fracture", "everyone", "age_years"]
    assert own == pytest.approx(roc_auc_score(fractured, first["age_years"]))
    assert {"everyone", "women", "men", "50 years and older"} == set(section.frames["diagnosis"]["group"])
    benefit = section.frames["net_benefit"]
    nobody = benefit[(benefit["against"] == "nobody") & (benefit["disease"] == "osteoporosis")]
    at = nobody[nobody["strategy"] == "everyone"].iloc[3]
    share = first["osteoporosis"].mean()
    assert at["estimate"] == pytest.approx(share - (1 - share) * at["threshold"] / (1 - at["threshold"]))


def test_a_disease_nobody_or_hardly_anybody_has_is_left_out_with_the_reason(table: pd.DataFrame) -> None:
    assert diagnosis(data(table.drop(columns=["osteoporosis", "prevalent_vertebral_fractures"])), seed=0) is None
    rare = table.drop(columns="prevalent_vertebral_fractures").assign(osteoporosis=False)
    rare.loc[[1, 2, 3], "osteoporosis"] = True
    section = diagnosis(data(rare), seed=0)
    assert section is not None
    assert any("only 3 rows with the disease" in c for c in section.caution)
    assert any("3 people with the disease for 10 folds" in c for c in section.caution)


def test_normals_are_read_by_the_one_reader_of_yes_and_no(tmp_path: Path) -> None:
    n = 40
    table = pd.DataFrame({"scan_id": [str(i) for i in range(n)], "person_id": [str(i) for i in range(n)],
                          "age_years": np.linspace(30, 80, n), "predicted_age_years": np.linspace(31, 79, n),
                          "sex": "F", "model": ""})  # fmt: skip
    given = StudyTable(table, None, pd.DataFrame({"scan_id": [], "reason": []}), "")
    told = tmp_path / "normals.csv"
    words = ["yes", "No", "1", "FALSE", ""] * (n // 5)
    pd.DataFrame({"scan_id": table["scan_id"], "normal": words}).to_csv(told, index=False)
    found = cohort_sets(given, StudySettings(normals=told)).table
    assert found["normal"].head(4).to_list() == [True, False, True, False]
    assert found["normal"].isna().sum() == n // 5
    pd.DataFrame({"scan_id": table["scan_id"], "normal": "perhaps"}).to_csv(told, index=False)
    with pytest.raises(TableError, match="normals.csv: normal is 'perhaps'; wanted: true or false"):
        cohort_sets(given, StudySettings(normals=told))


def test_fractures_that_were_not_counted_are_not_none(table: pd.DataFrame) -> None:
    some = table.copy()
    some["prevalent_vertebral_fractures"] = some["prevalent_vertebral_fractures"].astype(float)
    some.loc[5, "prevalent_vertebral_fractures"] = np.nan
    first = data(some).first_scans.set_index("scan_id")["prevalent_fracture"]
    assert first["5a"] is pd.NA
    assert first.notna().sum() == N - 1
