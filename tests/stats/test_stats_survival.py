"""Incidence, Cox's model and hazard ratios against published, hand-worked and simulated figures."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.survival import CumulativeIncidence, HazardRatios, TimeTo, cox, incidence, proportional_hazards
from spineclock.stats.survival.follow_up import follow_up
from spineclock.stats.survival.incidence import clustered, influence

# Freireich et al. 1963: weeks of remission in leukaemia, the data of many textbooks
TREATED = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
RELAPSED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]


def remission() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "person_id": range(42),
            "relapse_years": TREATED + PLACEBO,
            "relapse": RELAPSED + [1] * 21,
            "placebo": [0] * 21 + [1] * 21,
            "arm": ["treated"] * 21 + ["placebo"] * 21,
        }
    )


def cohort(n: int = 800, *, seed: int = 0, effect: float = 0.1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    gap, age = rng.normal(0, 4, n), rng.uniform(50, 85, n)
    years = rng.exponential(8 * np.exp(-effect * gap - 0.03 * (age - 65)))
    end = rng.uniform(1, 8, n)
    return pd.DataFrame(
        {
            "person_id": np.arange(n),
            "gap_years": gap,
            "age_years": age,
            "sex": rng.choice(["F", "M"], n),
            "site": rng.choice(["A", "B"], n),
            "fracture_years": np.minimum(years, end),
            "fracture": years <= end,
        }
    )


def test_kaplan_meier_is_the_textbooks():
    curve = incidence(TREATED, RELAPSED)
    at = np.searchsorted(curve.times, [6, 7, 10, 13, 16, 22, 23])
    assert (1 - curve.incidence[at]) == pytest.approx([0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], abs=5e-4)
    assert curve.standard_error[at] == pytest.approx([0.0764, 0.0869, 0.0963, 0.1068, 0.1141, 0.1282, 0.1346], abs=5e-5)
    assert curve.at_risk[at].tolist() == [21, 17, 15, 12, 11, 7, 6]


def test_aalen_johansen_worked_by_hand():
    # five people: event at 1, death at 2, lost at 3, event at 4, lost at 5
    curve = incidence([1, 2, 3, 4, 5], [1, 2, 0, 1, 0])
    assert curve.incidence == pytest.approx([0.2, 0.2, 0.2, 0.2 + 0.6 / 2, 0.5])
    assert curve.event_free == pytest.approx([0.8, 0.6, 0.6, 0.3, 0.3])
    assert curve.at([0.5, 4, 4.9]).tolist() == pytest.approx([0, 0.5, 0.5])


def test_taking_the_dead_as_lost_overstates_the_incidence():
    rng = np.random.default_rng(1)
    fracture, death = rng.exponential(20, 4000), rng.exponential(10, 4000)
    cause = np.where(np.minimum(fracture, death) > 8, 0, np.where(fracture < death, 1, 2))
    years = np.minimum(np.minimum(fracture, death), 8)
    true = 1 / 20 / (1 / 20 + 1 / 10) * (1 - np.exp(-8 * 0.15))
    assert incidence(years, cause).at([8])[0] == pytest.approx(true, abs=0.02)
    assert incidence(years, cause == 1).at([8])[0] == pytest.approx(1 - np.exp(-8 / 20), abs=0.02)


def test_early_losses_do_not_bias_the_five_year_incidence():
    # 2% a year and censoring uniform over five years: "event by five years" among those whose state is known says more
    rng = np.random.default_rng(2)
    fracture, lost = rng.exponential(1 / 0.02, 40000), rng.uniform(0, 7, 40000)
    t = pd.DataFrame(
        {"person_id": range(40000), "fracture_years": np.minimum(fracture, lost), "fracture": fracture < lost}
    )
    row = CumulativeIncidence(TimeTo("fracture"), [5])(t).iloc[0]
    assert row["low"] < 1 - np.exp(-0.1) < row["high"]
    known = t["fracture"] & (t["fracture_years"] <= 5) | (t["fracture_years"] > 5)
    assert (t["fracture"] & (t["fracture_years"] <= 5))[known].mean() > row["high"] + 0.02


def test_what_each_row_does_adds_up_to_the_closed_form_and_to_the_jackknife():
    rng = np.random.default_rng(3)
    t, cause = rng.integers(1, 15, 120).astype(float), rng.integers(0, 3, 120)
    curve = incidence(t, cause)
    for horizon in (2.5, 7.0, 14.0):
        effect = influence(t, cause, horizon)
        at = np.searchsorted(curve.times, horizon, side="right") - 1
        assert effect.sum() == pytest.approx(0, abs=1e-12)
        assert np.sqrt(np.square(effect).sum()) == pytest.approx(curve.standard_error[at], rel=1e-9)
        many = np.append(np.tile(np.arange(120), 100), 17)
        moved = (incidence(t[many], cause[many]).at([horizon])[0] - curve.incidence[at]) * 100
        assert moved == pytest.approx(effect[17], rel=0.02, abs=1e-6)


def test_a_follow_up_counted_twice_is_no_new_evidence():
    t = cohort(200)
    once = CumulativeIncidence(TimeTo("fracture"), [2, 4])(t)
    twice = CumulativeIncidence(TimeTo("fracture"), [2, 4])(pd.concat([t, t], ignore_index=True))
    for column in ("estimate", "low", "high", "se"):
        assert twice[column].to_numpy() == pytest.approx(once[column].to_numpy(), rel=1e-9)
    assert (twice.loc[0, "n"], twice.loc[0, "people"]) == (400, 200)
    assert clustered(np.array([1.0, -1, 3]), np.array([0, 0, 1])).standard_error == 3


def test_horizons_beyond_follow_up_are_refused_with_the_allowed_range():
    t = remission()
    with pytest.raises(UsageError, match="a horizon of 36 years; wanted: 0 to 35 years .follow-up ends there"):
        CumulativeIncidence(TimeTo("relapse"), [12, 36])(t[t["arm"] == "treated"])
    with pytest.raises(UsageError, match="a horizon of 36 years in the group treated"):
        CumulativeIncidence(TimeTo("relapse"), [36], by="arm")(t)
    with pytest.raises(UsageError, match="a horizon of -1 years"):
        CumulativeIncidence(TimeTo("relapse"), [-1])(t)
    # all 21 on placebo relapsed by week 23: of 30 weeks the answer is known
    placebo = CumulativeIncidence(TimeTo("relapse"), [30])(t[t["arm"] == "placebo"])
    assert placebo.loc[0, "estimate"] == 1


def test_groups_are_told_apart_and_thin_ones_warned_of():
    found = CumulativeIncidence(TimeTo("relapse"), [5, 20], by="arm")(remission()).set_index(["group", "horizon_years"])
    assert found.loc[("treated", 20), "estimate"] == pytest.approx(1 - 0.6275, abs=1e-4)
    assert found.loc[("placebo", 20), "estimate"] == pytest.approx(19 / 21)
    assert found.loc[("treated", 5), "warning"] == "only 0 events by then"
    assert np.isnan(found.loc[("treated", 5), "high"])
    assert "only 2 rows followed for longer" in found.loc[("placebo", 20), "warning"]


def test_a_death_counts_if_it_ended_the_follow_up():
    t = pd.DataFrame(
        {
            "person_id": list("abcde"),
            "fracture_years": [2.0, 3.0, 4.0, 5.0, 3.0000000001],
            "fracture": [True, False, False, False, False],
            "death": [True, True, True, False, True],
            "death_years": [6.0, 3.0, 4.5, 9.0, 3.0],
        }
    )
    known = follow_up(t, TimeTo("fracture", competing="death", competing_time="death_years"))
    assert known.cause.tolist() == [1, 2, 0, 0, 2]  # after a fracture, or after being lost, a death competes no more
    assert known.time.tolist() == [2, 3, 4, 5, 3]
    assert follow_up(t, TimeTo("fracture", competing="death")).cause.tolist() == [1, 2, 2, 0, 2]
    assert follow_up(t, TimeTo("fracture")).cause.tolist() == [1, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fracture_years": -1.0}, "-1 years in the column fracture_years .800 such.; wanted: times of 0 or more"),
        ({"fracture_years": np.inf}, "inf years in the column fracture_years"),
        ({"fracture": 3}, "3 in the column fracture"),
        ({"fracture": False}, "0 events in the column fracture .800 rows.; wanted: at least 2"),
        ({"gap_years": 0.0}, "more events|no hazard ratio"),
    ],
)
def test_follow_up_that_cannot_be_used_is_refused(change, message):
    t = cohort().assign(**change)
    if "gap_years" in change:
        sentence = HazardRatios(TimeTo("fracture"))(t).loc[0, "sentence"]
        assert "no hazard ratio of fracture could be estimated (the same in all rows)" in sentence
        return
    with pytest.raises(TableError, match=message):
        HazardRatios(TimeTo("fracture"))(t)


def test_cox_is_the_textbooks():
    # Kalbfleisch and Prentice; Therneau and Grambsch: log hazard ratio 1.57 by Efron, 1.51 by Breslow
    t = remission()
    efron = cox(t[["placebo"]], t["relapse_years"], t["relapse"])
    assert efron.coefficients[0] == pytest.approx(1.572, abs=5e-4)
    assert np.sqrt(efron.model_covariance[0, 0]) == pytest.approx(0.412, abs=5e-4)
    breslow = cox(t[["placebo"]], t["relapse_years"], t["relapse"], ties="breslow")
    assert breslow.coefficients[0] == pytest.approx(1.509, abs=5e-4)
    assert proportional_hazards(efron)["0"].p > 0.5


def test_cox_knows_neither_the_rows_order_nor_the_columns_units():
    t = cohort(300)
    x = t[["gap_years", "age_years"]].to_numpy()
    one = cox(x, t["fracture_years"], t["fracture"])
    mixed = np.random.default_rng(4).permutation(300)
    again = cox(x[mixed] * [1000, 1] + [5e6, 0], t["fracture_years"].to_numpy()[mixed], t["fracture"].to_numpy()[mixed])
    assert again.coefficients * [1000, 1] == pytest.approx(one.coefficients, rel=1e-6)
    assert again.influence * [1000, 1] == pytest.approx(one.influence[mixed], rel=1e-4, abs=1e-8)


def test_the_influence_is_what_leaving_a_row_out_does():
    t = cohort(200)
    x = t[["gap_years", "age_years"]].to_numpy()
    years, event = t["fracture_years"].to_numpy(), t["fracture"].to_numpy()
    fit = cox(x, years, event)
    for i in (3, 50, 120):
        rest = np.arange(200) != i
        moved = fit.coefficients - cox(x[rest], years[rest], event[rest]).coefficients
        assert moved == pytest.approx(fit.influence[i], rel=0.15, abs=2e-4)
    assert fit.influence.sum(axis=0) == pytest.approx([0, 0], abs=1e-9)


def test_robust_errors_count_a_person_once():
    t = cohort(250)
    x = t[["gap_years"]].to_numpy()
    once = cox(x, t["fracture_years"], t["fracture"], ties="breslow")
    twice = cox(
        np.tile(x, (2, 1)),
        np.tile(t["fracture_years"], 2),
        np.tile(t["fracture"], 2),
        people=np.tile(np.arange(250), 2),
        ties="breslow",
    )
    assert twice.coefficients == pytest.approx(once.coefficients)
    assert twice.standard_errors == pytest.approx(once.standard_errors)
    assert twice.model_covariance[0, 0] == pytest.approx(once.model_covariance[0, 0] / 2)
    assert twice.people == 250


def test_predicted_risk_is_the_true_one():
    t = cohort(20000)
    fit = cox(t[["gap_years", "age_years"]], t["fracture_years"], t["fracture"])
    rate = np.exp(0.1 * 5 + 0.03 * 10) / 8
    assert fit.risk([[5, 75]], 4)[0] == pytest.approx(1 - np.exp(-4 * rate), abs=0.02)
    with pytest.raises(UsageError, match="a horizon of 20 years; wanted: 0 to 7.99"):
        fit.risk([[5, 75]], 20)
    strata = cox(t[["gap_years"]][:500], t["fracture_years"][:500], t["fracture"][:500], strata=t["site"][:500])
    with pytest.raises(UsageError, match="a risk from a stratified fit"):
        strata.risk([[5]], 2)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (lambda t: np.column_stack([t["gap_years"], 2 * t["gap_years"]]), "constant or depend on each other"),
        (lambda t: -t[["fracture_years"]].to_numpy(), "tell without fail who has the event first"),
    ],
)
def test_designs_without_a_finite_fit_are_refused(columns, message):
    t = cohort(60)
    with pytest.raises(TableError, match=message):
        cox(columns(t), t["fracture_years"], t["fracture"])
    with pytest.raises(TableError, match="1 event.s. for 1 coefficient"):
        cox(t[["gap_years"]], t["fracture_years"], np.arange(60) == 5)


def test_a_ratio_that_changes_over_the_years_is_found_and_a_steady_one_is_not():
    rng = np.random.default_rng(6)
    x = rng.normal(size=3000)
    early = rng.exponential(2 / np.exp(x))
    years = np.where(early < 1, early, 1 + rng.exponential(2, 3000))  # no effect after the first year
    end = np.full(3000, 3.0)
    fit = cox(x[:, None], np.minimum(years, end), years <= end)
    assert all(proportional_hazards(fit, scale=s)["0"].p < 1e-4 for s in ("km", "identity", "rank", "log"))
    t = cohort(3000)
    steady = cox(t[["gap_years", "age_years"]], t["fracture_years"], t["fracture"])
    tests = proportional_hazards(steady, terms={"both": [0, 1], "gap": [0]})
    assert tests["both"] == tests["all"]
    assert tests["gap"].p > 0.01
    with pytest.raises(UsageError, match="the scale 'years'"):
        proportional_hazards(steady, scale="years")


def test_hazard_ratios_recover_the_truth_in_models_of_the_same_rows():
    t = cohort(6000)
    t.loc[:99, "age_years"] = np.nan
    found = HazardRatios(
        TimeTo("fracture"), models={"alone": (), "age": ("age_years",), "all": ("age_years", "sex", "site")}
    )(t)
    assert found["n"].tolist() == [5900] * 3
    assert found["left_out"].tolist() == [100] * 3
    assert found["adjusted_for"].tolist() == ["", "age_years", "age_years, sex, site"]
    row = found.iloc[2]
    assert row["low"] < np.exp(0.1) < row["high"]
    sd = t.loc[100:, "gap_years"].std()
    scaled = HazardRatios(TimeTo("fracture"), models={"age": ("age_years",)}, per_sd=["gap_years"])(t).iloc[0]
    assert np.log(scaled["estimate"]) == pytest.approx(sd * np.log(found.loc[1, "estimate"]))
    assert scaled["sd"] == pytest.approx(sd)
    assert scaled["sentence"].startswith("With each standard deviation (")
    assert scaled["p"] == pytest.approx(found.loc[1, "p"])


def test_strata_and_competing_deaths_in_hazard_ratios():
    t = cohort(1500)
    own = HazardRatios(TimeTo("fracture"), models={"age": ("age_years",)}, strata="site")(t).iloc[0]
    fit = cox(t[["age_years", "gap_years"]], t["fracture_years"], t["fracture"], strata=t["site"])
    assert np.log(own["estimate"]) == pytest.approx(fit.coefficients[1])
    dead = t.assign(death=~t["fracture"] & (t.index % 3 == 0))
    told = HazardRatios(TimeTo("fracture", competing="death"), models={"age": ("age_years",)})(dead).iloc[0]
    plain = HazardRatios(TimeTo("fracture"), models={"age": ("age_years",)})(t).iloc[0]
    assert told["estimate"] == plain["estimate"]  # of the cause-specific hazard
    assert told["competing"] == dead["death"].sum()


def test_terms_that_cannot_be_estimated_are_named_and_the_others_are():
    t = cohort(500).assign(rare=False, double=lambda d: 2 * d["gap_years"])
    t.loc[t.index[~t["fracture"]][:9], "rare"] = True
    found = HazardRatios(TimeTo("fracture"), ("gap_years", "rare", "double"), {"M1": ("age_years",)})(t).set_index(
        "key"
    )
    assert np.isnan(found.loc["rare", "estimate"])
    assert "nobody with an event has it" in found.loc["rare", "warning"]
    assert "a combination of gap_years" in found.loc["double", "warning"]
    alone = HazardRatios(TimeTo("fracture"), models={"M1": ("age_years",)})(t).iloc[0]
    assert found.loc["gap_years", "estimate"] == pytest.approx(alone["estimate"])
    few = HazardRatios(TimeTo("fracture"), models={"M1": ("age_years", "sex")})(t.iloc[:30]).iloc[0]
    assert "events for 3 coefficients" in few["warning"]
    with pytest.raises(UsageError, match="gap_years as term and covariate of M1"):
        HazardRatios(TimeTo("fracture"), models={"M1": ("gap_years",)})(t)


def test_categories_are_compared_with_their_reference():
    t = cohort(900).assign(work=lambda d: np.where(d["gap_years"] > 2, "heavy", "light"))
    row = HazardRatios(TimeTo("fracture"), ("work",), {"alone": ()})(t).iloc[0]
    assert (row["key"], row["against"], row["per"]) == ("work=heavy", "work=light", "yes against no")
    assert row["low"] > 1
    assert row["events_with"] == (t["fracture"] & (t["work"] == "heavy")).sum()


def test_ten_thousand_rows_take_less_than_a_second():
    t = cohort(10_000)
    x = np.column_stack([t["gap_years"], t["age_years"], np.random.default_rng(0).normal(size=(10_000, 8))])
    start = time.process_time()
    cox(x, t["fracture_years"].round(2), t["fracture"], people=t["person_id"] // 2)
    assert time.process_time() - start < 1
