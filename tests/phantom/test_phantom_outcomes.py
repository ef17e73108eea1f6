"""Times of events: drawn as the stated conditional hazard says, and as common as the studies they are fitted to."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from lifelines import AalenJohansenFitter, CoxPHFitter
from scipy import integrate, stats

from spineclock.core.errors import TableError, UsageError
from spineclock.phantom.bone import bone
from spineclock.phantom.fractures import prevalent
from spineclock.phantom.health import covariates, health_parameters
from spineclock.phantom.outcomes import EVENTS, KINDS, Hazard, hazards, outcomes
from spineclock.phantom.parameters import load
from spineclock.phantom.projection import cox
from spineclock.phantom.risk import FACTORS, FRAX_LIKE, Rate, probability, risk_factors

SECTIONS = health_parameters(load())
WORLDS = ("default", "nonproportional", "informative_censoring", "null")


def folk(n, low, high, *, seed=1, sex=None):
    rng = np.random.default_rng(seed)
    age = rng.uniform(low, high, n)
    men = rng.random(n) < 0.5 if sex is None else np.full(n, sex == "M")
    return pd.DataFrame(
        {
            "person_id": np.arange(n),
            "age_years": age,
            "sex": np.where(men, "M", "F"),
            "bmi": (np.where(men, 27.3, 26.3) + 0.03 * (age - 50)) * np.exp(0.17 * rng.standard_normal(n)),
            "packs_per_day": np.where(rng.random(n) < 0.27, 0.6, 0.0),
            "alcohol_days_per_week": rng.choice(8, n, p=[0.28, 0.23, 0.16, 0.115, 0.08, 0.058, 0.022, 0.055]),
        }
    )


def known(table, *, seed=1):
    """The covariates of people drawn by the default world, the clinical factors among them."""
    rng = np.random.default_rng(seed)
    gap = 4 * rng.standard_normal(len(table))
    scores = bone(table, gap, parameters=SECTIONS.bone, rng=rng)
    had = prevalent(table, gap, scores, parameters=SECTIONS.fractures, rng=rng)
    asked = risk_factors(table, gap, scores, parameters=SECTIONS.risk_factors, rng=rng)
    return covariates(scores, had, asked, gap)


def followed(table, known_of, *, world="default", seed=2, **others):
    parameters = health_parameters(load(world)).outcomes
    return outcomes(table, known_of, parameters=parameters, rng=np.random.default_rng(seed), **others)


def test_the_cumulative_hazard_is_the_integral_of_the_hazard_and_its_inverse_undoes_it():
    fading = Hazard(np.log([0.02]), np.array([0.09]), np.array([0.8]), (2.0, 4.0), (1.0, 0.5, 0.0))

    def rate(t):
        factor = 1.0 if t < 2 else 0.5 if t < 4 else 0.0
        return 0.02 * np.exp(0.09 * t + factor * 0.8)

    for years in (0.5, 2.0, 3.3, 11.0):
        wanted = integrate.quad(rate, 0, years, points=[2, 4])[0]
        total = fading.cumulative(np.array([years]))
        assert total[0] == pytest.approx(wanted, rel=1e-9)
        assert fading.inverse(total)[0] == pytest.approx(years, rel=1e-9)


@pytest.mark.parametrize("world", WORLDS)
def test_probability_integral_transform_is_exponential(world):
    # H(T | x, frailty) of the drawn times is a unit exponential whatever x, in each world; Kolmogorov–Smirnov
    table = folk(20_000, 40, 84)
    x = known(table)
    drawn = followed(table, x, world=world)
    model = hazards(
        table, x, parameters=health_parameters(load(world)).outcomes, frailty=drawn.truth["frailty"].to_numpy()
    )
    totals = {kind: model[kind].cumulative(drawn.truth[f"true_{kind}_years"].to_numpy()) for kind in KINDS}
    for kind in KINDS:
        assert stats.kstest(totals[kind], "expon").pvalue > 0.001
        old = (table["age_years"] > 65).to_numpy()
        assert stats.kstest(totals[kind][old], "expon").pvalue > 0.001
    assert np.abs(np.corrcoef(np.exp(-np.array(list(totals.values()))))[np.triu_indices(3, 1)]).max() < 0.025


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_lifelines_recovers_the_conditional_hazard_given_all_covariates(kind):
    # 50,000 people; age's coefficient is Gompertz's growth, for attained age is age + t
    table = folk(50_000, 50, 84, seed=3)
    x = known(table, seed=3)
    seen = followed(table, x, seed=4).columns
    effects = dict(getattr(SECTIONS.outcomes.effects, kind))
    rate: Rate = getattr(SECTIONS.outcomes.rates, kind)
    men = (table["sex"] == "M").astype(float)
    design = x[list(effects)].astype(float).assign(
        male=men, age_women=(table["age_years"] - 65) * (1 - men), age_men=(table["age_years"] - 65) * men
    )  # fmt: skip
    fit = CoxPHFitter().fit(design.join(seen[[f"{kind}_years", kind]]), f"{kind}_years", kind)
    wanted = pd.Series(
        {
            **effects,
            "male": np.log(rate.men_per_1000 / rate.women_per_1000),
            "age_women": rate.women_growth,
            "age_men": rate.men_growth,
        }
    )
    z = (fit.params_ - wanted) / fit.standard_errors_
    assert z.abs().max() < 3.7
    assert stats.chi2.sf((z**2).sum(), len(z)) > 1e-4


def test_no_covariate_matters_in_the_null_world():
    table = folk(50_000, 50, 84, seed=5)
    x = known(table, seed=5)
    seen = followed(table, x, world="null", seed=6).columns
    design = np.column_stack([x["true_gap_years"], x["femoral_neck_t_score"], x["prevalent_fracture"],
                              table["age_years"], table["sex"] == "M"]).astype(float)  # fmt: skip
    for event in EVENTS:
        fit = cox(design, seen[f"{event}_years"].to_numpy(), seen[event].to_numpy())
        assert (np.abs(fit.log_hazard_ratio / fit.robust_error)[:3] < 3.7).all()
        assert np.exp(fit.log_hazard_ratio[0] * 4) == pytest.approx(1.0, abs=0.12)
        assert fit.log_hazard_ratio[3] > 0.03  # age does


def test_effects_fade_where_hazards_are_not_proportional():
    table = folk(60_000, 55, 84, seed=7)
    x = known(table, seed=7)
    seen = followed(table, x, world="nonproportional", seed=8).columns
    design = np.column_stack([x["true_gap_years"], table["age_years"], table["sex"] == "M"]).astype(float)
    years, event = seen["any_fracture_years"].to_numpy(), seen["any_fracture"].to_numpy()
    early = cox(design, np.minimum(years, 2.0), event & (years <= 2))
    still = years > 4
    late = cox(design[still], years[still], event[still])
    assert np.exp(4 * early.log_hazard_ratio[0]) > 1.5
    assert np.exp(4 * late.log_hazard_ratio[0]) == pytest.approx(1.0, abs=4 * 4 * late.robust_error[0])


def test_people_at_risk_drop_out_where_censoring_is_informative():
    table = folk(30_000, 60, 80, seed=9)
    x = known(table, seed=9)
    plain, informative = (followed(table, x, world=world, seed=10) for world in ("default", "informative_censoring"))
    for drawn, low, high in ((plain, -0.02, 0.02), (informative, -0.6, -0.15)):
        last = drawn.columns["follow_up_years"].to_numpy()
        alive = ~drawn.columns["death"].to_numpy()
        assert low < np.corrcoef(drawn.truth["frailty"][alive], last[alive])[0, 1] < high
    # who leaves early would have broken more: what is seen understates
    frail = informative.truth["frailty"] > 1
    assert informative.truth.loc[frail, "true_vertebral_fracture_years"].median() < (
        0.6 * informative.truth.loc[~frail, "true_vertebral_fracture_years"].median()
    )


def test_follow_up_and_events_fit_together():
    table = folk(20_000, 50, 84, seed=11)
    drawn = followed(table, known(table, seed=11), seed=12)
    c, t = drawn.columns, drawn.truth
    last = c["follow_up_years"]
    assert last.between(0.001, 9.0).all()
    assert 3 < last.median() < 7
    for event in EVENTS:
        assert (c[f"{event}_years"] <= last).all()
        assert (c.loc[~c[event], f"{event}_years"] == last[~c[event]]).all()
    assert (c["death_years"] == last).all()  # nothing is seen after death
    assert (c["any_fracture"] == (c["vertebral_fracture"] | c["non_vertebral_fracture"])).all()
    both = c[["vertebral_fracture_years", "non_vertebral_fracture_years"]].min(axis=1)
    assert (c["any_fracture_years"] == both).all()
    seen = c["vertebral_fracture"]
    assert np.allclose(c.loc[seen, "vertebral_fracture_years"], t.loc[seen, "true_vertebral_fracture_years"], atol=1e-3)
    assert (t.loc[seen, "true_vertebral_fracture_years"] <= t.loc[seen, "true_death_years"]).all()


@pytest.mark.parametrize(("sex", "vertebral", "other"), [("F", 10.7, 14.3), ("M", 5.7, 6.6)])
def test_incidence_at_50_to_79_as_in_epos_and_in_british_primary_care(sex, vertebral, other):
    # EPOS 2002: morphometric 10.7 and 5.7 per 1,000 a year. Curtis 2016: 15.5 and 7.2 of all kinds, less 1.2 and 0.6
    # clinical vertebral ones. Each person's rate at the first scan's age would be a little lower.
    found = {"vertebral_fracture": 0.0, "non_vertebral_fracture": 0.0}
    weights = {50: 17.6, 55: 13.5, 60: 10.8, 65: 9.5, 70: 8.9, 75: 7.4}
    for start, weight in weights.items():
        table = folk(20_000, start, start + 5, seed=start, sex=sex)
        seen = followed(table, known(table, seed=start), seed=start + 1).columns
        for event in found:
            found[event] += 1000 * weight * seen[event].sum() / seen[f"{event}_years"].sum() / sum(weights.values())
    assert found["vertebral_fracture"] == pytest.approx(vertebral, rel=0.12)
    assert found["non_vertebral_fracture"] == pytest.approx(other, rel=0.12)


def test_death_rates_are_those_of_a_life_table():
    # United States 2019: yearly risk of dying at 75, about 2.5% (women) and 3.7% (men)
    for sex, percent in (("F", 2.5), ("M", 3.7)):
        table = folk(20_000, 72.2, 72.8, seed=13, sex=sex)  # 75 in the middle of follow-up
        seen = followed(table, known(table, seed=13), seed=14).columns
        assert 100 * seen["death"].sum() / seen["death_years"].sum() == pytest.approx(percent, rel=0.15)


def test_cumulative_incidence_leaves_room_for_death():
    # Aalen–Johansen of what is seen against the share of people whose true fracture comes before death
    table = folk(20_000, 70, 84, seed=15)
    drawn = followed(table, known(table, seed=15), seed=16)
    c, t = drawn.columns, drawn.truth
    code = np.where(c["vertebral_fracture"], 1, np.where(c["death"], 2, 0))
    apart = c["vertebral_fracture_years"] + 1e-7 * np.arange(len(c))  # the estimator wants no ties
    fit = AalenJohansenFitter(calculate_variance=False).fit(apart, code, 1)
    naive = 1 - np.exp(-5 * c["vertebral_fracture"].sum() / c["vertebral_fracture_years"].sum())
    at_five = float(fit.cumulative_density_.loc[:5.0].iloc[-1, 0])
    time, death = t["true_vertebral_fracture_years"], t["true_death_years"]
    truth = ((time <= 5) & (time <= death)).mean()
    assert at_five == pytest.approx(truth, abs=0.01)
    assert at_five < naive  # censoring deaths overstates


def test_whoever_is_scanned_again_is_alive_and_followed_until_then():
    table = folk(4_000, 75, 84, seed=17)
    again = np.where(np.arange(4_000) % 2, 2.5, 0.0)
    drawn = followed(table, known(table, seed=17), seed=18, seen_again_years=again)
    assert (drawn.columns["follow_up_years"] >= again).all()
    assert (drawn.truth["true_death_years"][again > 0] > 2.5).all()
    assert (drawn.columns["follow_up_years"][again == 0] < 2.5).any()


def test_frax_like_probability_is_calibrated_and_knows_no_bone_density():
    table = folk(60_000, 50, 80, seed=19)
    x = known(table, seed=19)
    drawn = followed(table, x, seed=20).truth
    first = drawn[["true_vertebral_fracture_years", "true_non_vertebral_fracture_years"]].min(axis=1)
    happened = (first <= 10) & (first <= drawn["true_death_years"])
    tenth = pd.qcut(x[FRAX_LIKE], 5)
    said, came = x[FRAX_LIKE].groupby(tenth, observed=True).mean(), 100 * happened.groupby(tenth, observed=True).mean()
    assert (said / came).between(0.75, 1.3).all()
    rng = np.random.default_rng
    scores = pd.DataFrame({"femoral_neck_t_score": np.full(len(table), 0.0)})
    low, high = (
        risk_factors(table, np.zeros(len(table)), scores + t, parameters=SECTIONS.risk_factors, rng=rng(1))
        for t in (-4.0, 4.0)
    )
    alike = (low["prior_fracture"] == high["prior_fracture"]).to_numpy()
    assert (low.loc[alike, FRAX_LIKE] == high.loc[alike, FRAX_LIKE]).all()
    assert low["prior_fracture"].mean() > high["prior_fracture"].mean() + 0.1


def test_ten_year_probability_by_numerical_integration():
    fracture, death = Rate(12, 6, 0.06, 0.055), Rate(10, 16, 0.09, 0.08)
    h = lambda t: 0.006 * np.exp(0.055 * (10 + t)) * np.exp(0.7)  # noqa: E731
    d = lambda t: 0.016 * np.exp(0.08 * (10 + t))  # noqa: E731

    def both(t):
        return h(t) * np.exp(-integrate.quad(h, 0, t)[0] - integrate.quad(d, 0, t)[0])

    found = probability(np.array([75.0]), np.array([True]), np.array([0.7]), fracture=fracture, death=death)
    assert found[0] == pytest.approx(integrate.quad(both, 0, 10)[0], rel=1e-6)


def test_risk_factors_are_as_common_as_stated():
    table = folk(40_000, 50, 80, seed=21)
    x = known(table, seed=21)
    p = SECTIONS.risk_factors
    assert 100 * x["parental_hip_fracture"].mean() == pytest.approx(p.parental_percent, abs=0.6)
    assert 100 * x["glucocorticoids"].mean() == pytest.approx(p.glucocorticoids_percent, abs=0.4)
    assert (x["current_smoker"] == (table["packs_per_day"] > 0)).all()
    assert not x.loc[table["alcohol_days_per_week"] < 6, "alcohol_3_units"].any()
    assert set(FACTORS) <= set(x.columns)


def test_what_cannot_be_is_refused():
    table = folk(10, 50, 60)
    with pytest.raises(TableError, match="no column lumbar_spine_t_score"):
        followed(table, known(table).drop(columns="lumbar_spine_t_score"))
    with pytest.raises(UsageError, match=r"1 fade factors for 1 steps.*one more"):
        dataclasses.replace(SECTIONS.outcomes, fade_until_years=(2.0,))
    centres = {k: v for k, v in SECTIONS.outcomes.centres.items() if k != "true_gap_years"}
    with pytest.raises(UsageError, match=r"no outcomes.centres for true_gap_years"):
        dataclasses.replace(SECTIONS.outcomes, centres=centres)
