"""c, AUROC and Brier score by a horizon: against pair-by-pair sums, their own derivatives and resampled people."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.resample import person_percentiles
from spineclock.stats.survival import BrierScore, CIndex, RiskCalibration, TimedAuroc, TimeTo, concordance
from spineclock.stats.survival.censoring import Censoring
from spineclock.stats.survival.counting import sums_below
from spineclock.stats.survival.incidence import incidence
from spineclock.stats.survival.timed import Weights, brier, observed_over_expected, scaled_brier, timed_auroc

Columns = tuple[np.ndarray, np.ndarray, np.ndarray]


def tied(n: int = 60, *, seed: int = 3, causes: int = 3) -> Columns:
    """Scores, times and endings, all with many ties."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 20, n) / 20, rng.integers(1, 12, n).astype(float), rng.integers(0, causes, n)


def cohort(n: int = 600, *, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    log_rate = rng.normal(0, 0.8, n)
    fracture, death, lost = rng.exponential(8 / np.exp(log_rate)), rng.exponential(25, n), rng.uniform(1, 9, n)
    end = np.minimum(np.minimum(fracture, death), lost)
    t = pd.DataFrame(
        {"person_id": np.arange(n), "fracture_years": end, "fracture": fracture == end, "death": death == end}
    )
    t["good"], t["poor"] = log_rate, log_rate + rng.normal(0, 1.5, n)
    for h in (2, 3, 5):
        rate = np.exp(log_rate) / 8
        t[f"risk_{h}"] = rate / (rate + 1 / 25) * -np.expm1(-h * (rate + 1 / 25))  # of fracture before death
    return t


OUTCOME = TimeTo("fracture", competing="death")
RISKS = {2: "risk_2", 3: "risk_3", 5: "risk_5"}


def derivative(figure: Callable[..., float], columns: Columns, row: int, copies: int = 80) -> float:
    """What a little more weight on a row does, by many copies of all rows and one more of that row."""
    many = np.repeat(np.arange(len(columns[0])), copies)
    more = np.append(many, row)
    return (figure(*(c[more] for c in columns)) - figure(*(c[many] for c in columns))) * copies


def test_sums_below_are_what_they_say():
    rng = np.random.default_rng(0)
    ranks, weights = rng.integers(0, 37, 200), rng.random(200)
    start, stop = np.sort(rng.integers(0, 201, (2, 300)), axis=0)
    below = rng.integers(0, 45, 300)
    slow = [weights[a:b][ranks[a:b] < r].sum() for a, b, r in zip(start, stop, below, strict=True)]
    assert sums_below(ranks, weights, start, stop, below) == pytest.approx(slow)


def slow_c(x: np.ndarray, t: np.ndarray, how: np.ndarray, *, uno: bool) -> float:
    g = Censoring.fit(t, how).before(t) if uno else np.ones(len(t))
    right = every = 0.0
    for i in np.flatnonzero(how == 1):
        for j in range(len(t)):
            if t[j] > t[i] or (t[j] == t[i] and how[j] != 1):
                w = 1 / g[i] ** 2
            elif how[j] == 2:  # dead before: will never have it
                w = 1 / (g[i] * g[j])
            else:
                continue
            right, every = right + w * ((x[i] > x[j]) + 0.5 * (x[i] == x[j])), every + w
    return right / every


@pytest.mark.parametrize("kind", ["harrell", "uno"])
@pytest.mark.parametrize("causes", [2, 3])
def test_c_is_the_share_of_pairs_and_its_influence_its_derivative(kind, causes):
    columns = tied(causes=causes)
    found = concordance(*columns, weights=kind)
    assert found.value == pytest.approx(slow_c(*columns, uno=kind == "uno"), rel=1e-12)
    assert found.influence.sum() == pytest.approx(0, abs=1e-12)
    for row in (0, 13, 30, 41):
        moved = derivative(lambda *c: concordance(*c, weights=kind).value, columns, row)
        assert moved == pytest.approx(found.influence[row], rel=0.01, abs=2e-6)


def test_censoring_survival_lets_events_come_first():
    g = Censoring.fit([1, 2, 2, 3, 3, 4], [0, 1, 0, 0, 2, 1])
    # at 1 one of six; at 2 one of the four left of five; at 3 one of two left of three
    assert g.survival.tolist() == pytest.approx([5 / 6, 5 / 6 * 3 / 4, 5 / 6 * 3 / 4 / 2])
    assert g.before([1, 2, 3, 9]).tolist() == pytest.approx([1, 5 / 6, 5 / 8, 5 / 16])
    assert g.after([1, 2]).tolist() == pytest.approx([5 / 6, 5 / 8])


def test_weights_add_up_to_the_rows_and_to_the_incidence():
    _, t, how = tied(200)
    for horizon in (2.0, 4.5, 9.0):
        w = Weights.at(t, how, horizon)
        assert (w.case + w.free + w.ruled_out).sum() == pytest.approx(200)
        assert w.case.sum() / 200 == pytest.approx(incidence(t, how).at([horizon])[0])


@pytest.mark.parametrize("ruled_out", ["controls", "left out"])
def test_the_timed_area_is_the_weighted_share_of_pairs(ruled_out):
    x, t, how = tied(120)
    w = Weights.at(t, how, 5.0)
    v = w.free + (w.ruled_out if ruled_out == "controls" else 0)
    order = (x[:, None] > x) + 0.5 * (x[:, None] == x)
    slow = w.case @ order @ v / (w.case.sum() * v.sum())
    assert timed_auroc(x, w, ruled_out=ruled_out).value == pytest.approx(slow)


@pytest.mark.parametrize(
    "figure",
    [
        lambda x, t, how: timed_auroc(x, Weights.at(t, how, 5.0)),
        lambda x, t, how: timed_auroc(x, Weights.at(t, how, 5.0), ruled_out="left out"),
        lambda x, t, how: brier(x, Weights.at(t, how, 5.0)),
        lambda x, t, how: scaled_brier(x, t, how, 5.0),
        lambda x, t, how: observed_over_expected(x, t, how, 5.0),
    ],
    ids=["auroc", "auroc, dead left out", "brier", "scaled brier", "observed over expected"],
)
def test_influences_are_derivatives(figure):
    columns = tied(80, seed=7)
    found = figure(*columns)
    assert found.influence.sum() == pytest.approx(0, abs=1e-10)
    for row in (0, 9, 22, 37, 61):
        moved = derivative(lambda *c: figure(*c).value, columns, row)
        assert moved == pytest.approx(found.influence[row], rel=0.02, abs=3e-6)


@pytest.mark.slow
def test_bootstrap_and_influence_agree():
    t = cohort(400)
    plain = TimedAuroc(OUTCOME, ["good", "poor"], [3.0])(t)
    drawn = TimedAuroc(OUTCOME, ["good", "poor"], [3.0], resamples=400)(t)
    assert drawn["method"].unique().tolist() == ["400 resamples of people"]
    assert drawn["estimate"].tolist() == plain["estimate"].tolist()
    width = (plain["high"] - plain["low"]).to_numpy()
    assert (drawn["high"] - drawn["low"]).to_numpy() == pytest.approx(width, rel=0.2)
    c, c_drawn = (CIndex(OUTCOME, ["good", "poor"], horizon=6, resamples=r)(t) for r in (0, 150))
    assert (c_drawn["high"] - c_drawn["low"]).to_numpy() == pytest.approx((c["high"] - c["low"]).to_numpy(), rel=0.3)
    assert (c.loc[c["against"] == "poor", "low"] > 0).all()


def test_a_row_counted_twice_is_no_new_evidence():
    t = cohort(200)
    twice = pd.concat([t, t], ignore_index=True)
    for statistic in (TimedAuroc(OUTCOME, ["good"], [2.0]), BrierScore(OUTCOME, {"m": {2: "risk_2"}})):
        once, again = statistic(t), statistic(twice)
        for column in ("estimate", "low", "high"):
            assert again[column].to_numpy() == pytest.approx(once[column].to_numpy(), rel=1e-9)
        assert again.loc[0, "people"] == 200
    drawn = [
        TimedAuroc(OUTCOME, ["good"], [2.0], resamples=60)(d).loc[0, ["low", "high"]].to_list() for d in (t, twice)
    ]
    assert drawn[0] == pytest.approx(drawn[1])


def test_early_losses_move_harrells_c_and_not_unos():
    rng = np.random.default_rng(8)
    n = 12000
    x = rng.normal(size=n)
    early = rng.exponential(2, n)
    years = np.where(early < 1, early, 1 + rng.exponential(3 / np.exp(1.5 * x)))  # foretold after the first year only
    lost = rng.uniform(0.2, 4, n)
    whole = concordance(x, years, np.ones(n), horizon=3.5).value
    seen = (x, np.minimum(years, lost), (years <= lost).astype(int))
    assert concordance(*seen, weights="uno", horizon=3.5).value == pytest.approx(whole, abs=0.01)
    assert concordance(*seen, horizon=3.5).value < whole - 0.02


def test_horizons_outside_follow_up_are_refused_with_the_allowed_range():
    t = cohort()
    first, last = t.loc[t["fracture"], "fracture_years"].min(), t["fracture_years"].max()
    allowed = f"wanted: {first:.4g} to {last:.4g} years .from the first event on, with somebody followed for longer"
    for statistic in (TimedAuroc(OUTCOME, ["good"], [2, 30]), BrierScore(OUTCOME, {"m": {30: "risk_2"}})):
        with pytest.raises(UsageError, match=f"a horizon of 30 years; {allowed}"):
            statistic(t)
    with pytest.raises(UsageError, match="a horizon of 0 years"):
        TimedAuroc(OUTCOME, ["good"], [0.0])(t)
    with pytest.raises(UsageError, match=f"a horizon of 30 years; wanted: {first:.4g} to {last:.4g} years"):
        CIndex(OUTCOME, ["good"], horizon=30)(t)
    with pytest.raises(UsageError, match=f"a horizon of 30 years; wanted: 0 to {last:.4g} years .follow-up ends there"):
        RiskCalibration(OUTCOME, {"m": {30: "risk_2"}})(t)


def test_scores_that_tell_nothing_are_refused_and_missing_ones_counted():
    t = cohort()
    for statistic in (CIndex(OUTCOME, ["good", "flat"]), TimedAuroc(OUTCOME, ["good", "flat"])):
        with pytest.raises(TableError, match="flat is the same in all 600 rows"):
            statistic(t.assign(flat=1.0))
    t.loc[:29, "poor"] = np.nan
    assert (TimedAuroc(OUTCOME, ["good", "poor"])(t)["left_out"] == 30).all()
    with pytest.raises(TableError, match="2 events in 4 rows, no pair of whom one had the event first"):
        concordance([1, 2, 3, 4], [3, 3, 1, 2], [1, 1, 0, 0])
    with pytest.raises(TableError, match="1.2 in the column risk_2 .600 such.; wanted: probabilities"):
        BrierScore(OUTCOME, {"m": {2: "risk_2"}})(t.assign(risk_2=1.2))
    with pytest.raises(UsageError, match="all with the same horizons"):
        BrierScore(OUTCOME, {"a": {2: "risk_2"}, "b": {3: "risk_3"}})(t)


def test_the_scaled_brier_score_of_the_incidence_is_0_and_of_the_truth_above():
    t = cohort(1500)
    by = incidence(t["fracture_years"], np.where(t["fracture"], 1, 2 * t["death"])).at([3.0])[0]
    found = BrierScore(OUTCOME, {"true": {3: "risk_3"}, "all alike": {3: "flat"}})(t.assign(flat=by))
    at = found.set_index(["measure", "model"])["estimate"]
    assert at["scaled Brier score", "all alike"] == pytest.approx(0, abs=1e-12)
    assert at["Brier score", "all alike"] == pytest.approx(by * (1 - by))
    assert found.loc[found["measure"] == "difference", "high"].iloc[0] < 0
    both = found[(found["measure"] == "scaled Brier score") & (found["model"] == "true")].iloc[0]
    assert both["low"] > 0


def test_right_risks_are_called_calibrated_and_halved_ones_not():
    t = cohort(3000).assign(half=lambda d: d["risk_5"] / 2)
    right = RiskCalibration(OUTCOME, {"true": RISKS}, groups=4)(t)
    overall = right[right["group"] == 0]
    assert ((overall["low"] < 1) & (overall["high"] > 1)).all()
    groups = right[right["group"] > 0]
    assert ((groups["low"] < groups["expected"]) & (groups["expected"] < groups["high"])).mean() > 0.8
    half = RiskCalibration(OUTCOME, {"half": {5: "half"}})(t).iloc[0]
    assert half["estimate"] == pytest.approx(2 * overall["estimate"].iloc[2])
    assert half["low"] > 1.7
    ignored = RiskCalibration(TimeTo("fracture"), {"true": {5: "risk_5"}})(t).iloc[0]
    assert ignored["observed"] > half["observed"] + 0.02  # the dead taken as lost


def test_resamples_without_a_figure_are_left_out():
    def often_unknown(rows: np.ndarray) -> np.ndarray:
        return np.array([rows.mean(), np.nan if 0 in rows else 1.0])

    found = person_percentiles(often_unknown, np.arange(30), rng=np.random.default_rng(0), resamples=200)
    assert found.resamples[0] == 200
    assert 20 < found.resamples[1] < 150
    assert found.low[1] == found.high[1] == 1
    with pytest.raises(TableError, match="2 people to resample"):
        person_percentiles(often_unknown, np.array([0, 0, 1]), rng=np.random.default_rng(0))


def test_ten_thousand_rows_are_quick():
    t = cohort(10_000)
    x, years, how = t["good"].to_numpy(), t["fracture_years"].to_numpy(), np.where(t["fracture"], 1, 2 * t["death"])
    start = time.process_time()
    timed_auroc(x, Weights.at(years, how, 5.0))
    middle = time.process_time()
    concordance(x, years, how, weights="uno")
    assert middle - start < 0.1
    assert time.process_time() - middle < 1
