"""Predicted risks side by side: each draw's figures are those of the rows repeated; differences, equivalence, speed."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from sksurv.metrics import concordance_index_censored
from sksurv.util import Surv

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.survival import (
    BrierScore,
    CIndex,
    RiskCalibration,
    RiskComparison,
    TimedAuroc,
    TimeTo,
    concordance,
    incidence,
)
from spineclock.stats.survival.drawn import Drawn, Rows, person_draws
from spineclock.stats.survival.timed import Weights, brier, scaled_brier, timed_auroc

OUTCOME = TimeTo("fracture", competing="death")
HORIZONS = (2.0, 3.0, 5.0)
RISKS = {name: {h: f"{name}_{h:g}" for h in HORIZONS} for name in ("good", "poor")}


def cohort(n: int = 500, *, seed: int = 0, poorer: float = 1.5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    fracture, death, lost = rng.exponential(12 * np.exp(-z)), rng.exponential(20, n), rng.uniform(1, 9, n)
    years = np.minimum(np.minimum(fracture, death), lost)
    t = pd.DataFrame({"person_id": range(n), "fracture_years": years, "fracture": fracture == years})
    t["death"], t["frax"] = death == years, z + rng.normal(0, 2, n)
    for name, noise in (("good", 0.4), ("poor", poorer)):
        x = 0.7 * (z + rng.normal(0, noise, n))
        for h in HORIZONS:
            t[f"{name}_{h:g}"] = 1 - np.exp(-h / 12 * np.exp(x))
    return t


def tied(n: int = 70) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two scores, times and endings, all with many ties."""
    rng = np.random.default_rng(3)
    return rng.integers(0, 20, (2, n)) / 20, rng.integers(1, 12, n).astype(float), rng.integers(0, 3, n)


@pytest.mark.parametrize("causes", [2, 3])
def test_figures_of_a_draw_are_those_of_the_rows_repeated(causes: int) -> None:
    scores, t, how = tied()
    how = np.where(how < causes, how, 0)
    often = np.random.default_rng(0).multinomial(t.size, np.full(t.size, 1 / t.size), size=4).astype(float)
    drawn = Drawn(Rows(t, how), often)
    for horizon in (None, 8.0):
        found = drawn.concordances(scores, horizon=horizon)
        for b in range(4):
            rows = np.repeat(np.arange(t.size), often[b].astype(int))
            for i, kind in enumerate(("harrell", "uno")):
                for j, x in enumerate(scores):
                    slow = concordance(x[rows], t[rows], how[rows], weights=kind, horizon=horizon).value
                    assert found[b, i, j] == pytest.approx(slow, rel=1e-6)
    weights, x = drawn.at(5.0), scores[0]
    for b in range(4):
        rows = np.repeat(np.arange(t.size), often[b].astype(int))
        w = Weights.at(t[rows], how[rows], 5.0)
        assert weights.incidence[b] == pytest.approx(incidence(t[rows], how[rows]).at([5.0])[0])
        assert weights.auroc(x)[b] == pytest.approx(timed_auroc(x[rows], w).value)
        left_out = timed_auroc(x[rows], w, ruled_out="left out").value
        assert weights.auroc(x, ruled_out="left out")[b] == pytest.approx(left_out)
        assert weights.brier(x)[b] == pytest.approx(brier(x[rows], w).value)
        assert weights.scaled_brier(x)[b] == pytest.approx(scaled_brier(x[rows], t[rows], how[rows], 5.0).value)


def test_estimates_are_those_of_each_statistic_and_of_scikit_survival() -> None:
    t = cohort(300)
    every = ("harrell", "uno", "auroc", "brier", "scaled brier", "observed over expected")
    found = RiskComparison(OUTCOME, RISKS, every, until=6, resamples=3)(t)
    own = {figure: rows for figure, rows in found.groupby("figure")}
    last = [RISKS["good"][5.0], RISKS["poor"][5.0]]
    c = CIndex(OUTCOME, last, horizon=6)(t)
    for kind in ("harrell", "uno"):
        assert own[kind]["estimate"].tolist() == pytest.approx(c.loc[c["kind"] == kind, "estimate"].tolist())
    at_three = TimedAuroc(OUTCOME, ["good_3", "poor_3"], [3.0])(t)["estimate"]
    assert own["auroc"].query("horizon_years == 3")["estimate"].tolist() == pytest.approx(at_three.tolist())
    of = BrierScore(OUTCOME, RISKS)(t)
    for measure, figure in (("Brier score", "brier"), ("scaled Brier score", "scaled brier")):
        alone = own[figure].loc[own[figure]["against"] == "", "estimate"]
        assert alone.tolist() == pytest.approx(of.loc[of["measure"] == measure, "estimate"].tolist())
    ratio = RiskCalibration(OUTCOME, RISKS)(t).query("group == 0")["estimate"]
    assert own["observed over expected"]["estimate"].tolist() == pytest.approx(ratio.tolist())
    frax = RiskComparison(TimeTo("fracture"), {"frax": "frax"}, ["harrell"], resamples=3)(t)
    y = Surv.from_arrays(t["fracture"], t["fracture_years"])
    theirs = concordance_index_censored(y["event"], y["time"], t["frax"])[0]
    assert frax.loc[0, "estimate"] == pytest.approx(theirs)


def test_intervals_are_near_those_by_influence_and_paired() -> None:
    t = cohort(600)
    found = RiskComparison(OUTCOME, RISKS, ("uno", "auroc", "brier"), until=6)(t)
    by_influence = pd.concat(
        [CIndex(OUTCOME, ["good_5", "poor_5"], ["uno"], horizon=6)(t).iloc[[2]],
         TimedAuroc(OUTCOME, ["good_5", "poor_5"], [5.0])(t).iloc[[2]],
         BrierScore(OUTCOME, RISKS)(t).query("measure == 'difference' and horizon_years == 5")]
    )  # fmt: skip
    own = found[(found["against"] == "poor") & found["horizon_years"].isin([5.0, np.nan])]
    assert own["se"].to_numpy() == pytest.approx(by_influence["se"].to_numpy(), rel=0.12)
    assert (own["high"] - own["low"]).to_numpy() == pytest.approx(3.92 * by_influence["se"].to_numpy(), rel=0.15)
    unpaired = found.query("figure == 'uno' and against == ''")["se"]
    assert own["se"].iloc[0] < 0.9 * np.hypot(*unpaired)
    assert own["p"].iloc[0] == pytest.approx(2 / 1001)
    assert not own["equivalent"].iloc[0]


def test_differences_that_do_not_matter_are_shown_to_be_equivalent() -> None:
    t = cohort(1500, seed=1)
    t["same"] = t["good_5"] + np.random.default_rng(2).normal(0, 1e-4, len(t))
    t["again"] = t["good_5"]
    models = {"bone": "good_5", "bone and muscle": "same", "bone again": "again", "poor": "poor_5"}
    found = RiskComparison(OUTCOME, models, ("harrell", "auroc"), horizons=[5], resamples=400)(t)
    rows = {(row["figure"], row["against"]): row for row in found.to_dict("records")}
    near = rows["auroc", "bone and muscle"]
    assert near["equivalent"]
    assert near["p_equivalence"] < 0.05
    assert -0.01 < near["low_90"] < near["high_90"] < 0.01
    assert "; equivalent within ±0.01 (90% interval" in near["sentence"]
    assert [rows["harrell", "bone again"][k] for k in ("estimate", "se", "p")] == [0, 0, 1]
    assert not rows["harrell", "poor"]["equivalent"]
    wide = RiskComparison(OUTCOME, {"a": "good_5", "b": "poor_5"}, ["harrell"], margin=0.2, resamples=100)(t)
    assert wide.loc[2, "equivalent"]


def test_people_are_drawn_with_all_their_rows() -> None:
    t = cohort(150)
    once = RiskComparison(OUTCOME, RISKS, ["harrell"], resamples=400)(t)
    twice = RiskComparison(OUTCOME, RISKS, ["harrell"], resamples=400)(pd.concat([t, t], ignore_index=True))
    assert twice["se"].tolist() == pytest.approx(once["se"].tolist(), rel=1e-3)
    assert (twice["people"] == 150).all()
    weights = np.concatenate([*person_draws(np.array([4, 7, 4, 9]), rng=np.random.default_rng(0), resamples=300)])
    assert (weights[:, 0] == weights[:, 2]).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(4), abs=0.15)


def test_scores_have_no_figure_of_probabilities_and_pairs_can_be_chosen() -> None:
    t = cohort(200)
    models = {**RISKS, "FRAX": "frax"}
    found = RiskComparison(OUTCOME, models, ("auroc", "brier"), horizons=[3], pairs=[("poor", "FRAX")], resamples=20)(t)
    assert found["term"].tolist() == [
        "AUROC, good by 3 years", "AUROC, poor by 3 years", "AUROC, FRAX by 3 years",
        "Brier score, good by 3 years", "Brier score, poor by 3 years", "AUROC, poor − FRAX by 3 years",
    ]  # fmt: skip


def test_draws_without_an_event_are_left_out_and_counted() -> None:
    t = cohort(40)
    t.loc[t.index[3:], "fracture"] = False
    t.loc[t.index[:3], ["fracture", "death"]] = True, False
    found = RiskComparison(OUTCOME, RISKS, ["harrell"], resamples=500)(t)
    assert 450 < found.loc[0, "resamples"] < 490  # (37/40)^40 = 4.4% hold none of the three
    assert found.loc[0, "warning"] == "only 3 events"
    assert np.isfinite(found["low"]).all()


@pytest.mark.slow
def test_a_thousand_draws_of_three_thousand_people_take_seconds() -> None:
    t = cohort(3000)
    begun = time.process_time()
    found = RiskComparison(OUTCOME, {**RISKS, "FRAX": "frax"}, until=5)(t)
    assert time.process_time() - begun < 30  # 2 s where nothing else runs
    assert len(found) == 6 + 9 + 6 * 2 + 4 + 6 + 3 * 2
    assert (found["resamples"] == 1000).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"figures": ["c"]}, "the figures c of 2 models"),
        ({"pairs": [("good", "best")]}, "good against best; wanted: two of good, poor"),
        ({"models": {"good": {2.0: "good_2"}}}, "no risk by 3 years of good"),
        ({"margin": 0.0}, "a margin of 0.0"),
        ({"horizons": [2.0, 30.0], "models": {"frax": "frax"}}, "a horizon of 30 years"),
        ({"until": 0.0}, "a horizon of 0 years"),
    ],
)
def test_calls_that_cannot_be_answered_are_named(change: dict, message: str) -> None:
    told = {"models": RISKS, "resamples": 3} | change
    with pytest.raises(UsageError, match=message):
        RiskComparison(OUTCOME, **told)(cohort(60))


def test_risks_must_be_probabilities_that_differ() -> None:
    with pytest.raises(TableError, match="probabilities from 0 to 1"):
        RiskComparison(OUTCOME, {"frax": {2.0: "frax"}}, horizons=[2])(cohort(60))
    with pytest.raises(TableError, match="one is the same in all 60 rows"):
        RiskComparison(OUTCOME, {"one": "one"}, ["harrell"])(cohort(60).assign(one=1.0))
