"""The gap against age by group, and whether the difference changes with age."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from patsy import dmatrix

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.association.interaction import AgeInteraction, crossing_of_lines
from spineclock.stats.association.smooth import GapByAge, natural_spline


def people(rng: np.random.Generator, n: int = 1500, *, slope: float = -0.1, noise: float = 4.0) -> pd.DataFrame:
    """Heavy work: older by slope · (age − 50) years."""
    t = pd.DataFrame({"person_id": np.arange(n), "age_years": rng.uniform(25, 85, n)})
    t["work"] = rng.choice(["light", "moderate", "heavy"], n)
    t["gap_years"] = (t["work"] == "heavy") * slope * (t["age_years"] - 50) + rng.normal(0, noise, n)
    return t


def test_the_spline_spans_what_patsys_natural_spline_spans():
    x = np.random.default_rng(0).uniform(25, 85, 200)
    knots = [30.0, 45, 60, 80]
    ours = np.column_stack([np.ones(200), natural_spline(x, knots)])
    theirs = np.asarray(
        dmatrix("cr(x, knots=inner, lower_bound=30, upper_bound=80)", {"x": x.clip(30, 80), "inner": knots[1:3]})
    )
    inside = (x >= 30) & (x <= 80)
    left = ours[inside] - theirs[inside] @ np.linalg.lstsq(theirs[inside], ours[inside], rcond=None)[0]
    assert np.abs(left).max() < 1e-8
    # straight beyond the outer knots, and smooth at the inner ones
    outside = natural_spline([10.0, 15, 20, 90, 95, 100], knots)
    assert np.diff(outside[:3], 2, axis=0) == pytest.approx(0, abs=1e-9)
    assert np.diff(outside[3:], 2, axis=0) == pytest.approx(0, abs=1e-9)


def test_the_curves_recover_the_truth_and_say_how_surely():
    t = people(np.random.default_rng(1))
    found = GapByAge("work", value="heavy")(t)
    heavy = found[found["group"] == "work=heavy"]
    assert (heavy["age_years"].min(), heavy["age_years"].max()) == (26, 84)
    truth = -0.1 * (heavy["age_years"] - 50)
    assert ((heavy["low"] < truth) & (truth < heavy["high"])).mean() > 0.9
    rest = found[found["group"] == "no work=heavy"]
    assert (rest["estimate"].abs() < 1).all()
    assert set(rest["n"]) == {(t["work"] != "heavy").sum()}
    first = heavy.iloc[0]
    assert first["term"] == "work=heavy at 26 years"
    assert first["sentence"].startswith(
        f"At 26 years of age the mean spine age gap with work=heavy is {first.estimate:.2f} y"
    )


@pytest.mark.slow
def test_bands_cover_pointwise():
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(100):
        t = people(rng, 400)
        heavy = GapByAge("work", value="heavy")(t).query("group == 'work=heavy'").set_index("age_years")
        at = heavy.loc[[40.0, 50.0, 60.0, 70.0]]
        truth = -0.1 * (at.index.to_numpy() - 50)
        covered.append((at["low"] < truth) & (truth < at["high"]))
    assert np.mean(covered) == pytest.approx(0.95, abs=0.025)


def test_each_category_is_a_curve_and_covariates_stand_at_their_means():
    t = people(np.random.default_rng(3), noise=0.01)
    t["sex"] = np.where(np.arange(len(t)) % 4 == 0, "M", "F")
    t["gap_years"] += 8.0 * (t["sex"] == "M")
    found = GapByAge("work", covariates=("sex",))(t)
    assert found["group"].unique().tolist() == ["work=light", "work=heavy", "work=moderate"]
    light = found[found["group"] == "work=light"]
    assert light["estimate"].to_numpy() == pytest.approx(2.0, abs=0.02)  # a quarter are men


def test_the_interaction_is_statsmodels():
    t = people(np.random.default_rng(4))
    found = AgeInteraction("work", value="heavy")(t).set_index("term")
    heavy = (t["work"] == "heavy").to_numpy(float)
    x = np.column_stack([np.ones(len(t)), heavy, t["age_years"], heavy * t["age_years"]])
    theirs = sm.OLS(t["gap_years"], x).fit(cov_type="HC1", use_t=True)
    row = found.loc["change of difference per decade"]
    assert row["estimate"] == pytest.approx(10 * theirs.params.iloc[3], rel=1e-9)
    assert row["p"] == pytest.approx(theirs.pvalues.iloc[3], rel=1e-6)
    assert found.loc["crossing age", "estimate"] == pytest.approx(-theirs.params.iloc[1] / theirs.params.iloc[3])
    assert found.loc["difference at 30 years", "estimate"] == pytest.approx(2, abs=1.5)


def test_crossing_intervals_agree_where_the_slope_is_sure():
    t = people(np.random.default_rng(5), slope=-0.3)
    ends = {}
    for kind in ("fieller", "delta", "bootstrap"):
        found = AgeInteraction("work", value="heavy", crossing=kind)(t, rng=np.random.default_rng(0))
        ends[kind] = found.set_index("term").loc["crossing age", ["low", "high"]].to_numpy(float)
        assert ends[kind][0] < 50 < ends[kind][1]
    assert ends["delta"] == pytest.approx(ends["fieller"], abs=0.3)
    assert ends["bootstrap"] == pytest.approx(ends["fieller"], abs=0.4)
    curves = AgeInteraction("work", value="heavy")(t).set_index("term").loc["crossing age of the curves"]
    assert curves["low"] < 50 < curves["high"]


def test_fiellers_interval_covers_and_has_no_end_where_the_slope_may_be_0():
    rng = np.random.default_rng(6)
    truth, v = np.array([2.0, -0.2]), np.diag([0.3, 0.0011])  # crosses at 10, the slope 6 errors from 0
    found = [crossing_of_lines(b, v, df=1e9) for b in rng.multivariate_normal(truth, v, 4000)]
    assert np.mean([c.low <= 10 <= c.high for c in found]) == pytest.approx(0.95, abs=0.01)
    unsure = crossing_of_lines(np.array([1.0, -0.01]), np.diag([0.1, 0.01]), df=1e9)
    assert (unsure.low, unsure.high) == (-np.inf, np.inf)


@pytest.mark.slow
def test_parallel_groups_are_called_so_in_one_of_twenty():
    rng = np.random.default_rng(7)
    p = []
    for _ in range(200):
        found = AgeInteraction("work", value="heavy", at=())(people(rng, 300, slope=0)).set_index("term")["p"]
        p.append(found[["change of difference per decade", "difference in shape"]].to_numpy(float) < 0.05)
    assert np.mean(p, axis=0) == pytest.approx([0.05, 0.05], abs=0.04)


def test_what_is_no_group_is_refused():
    t = people(np.random.default_rng(8), 200)
    with pytest.raises(TableError, match="the column age_years as groups"):
        GapByAge("age_years")(t)
    with pytest.raises(TableError, match=r"0 scan\(s\) with work=sitting"):
        GapByAge("work", value="sitting")(t)
    with pytest.raises(UsageError, match="7 knots; wanted: 3, 4 or 5"):
        GapByAge("work", knots=7)(t)
    with pytest.raises(UsageError, match="a bootstrap without randomness"):
        AgeInteraction("work", crossing="bootstrap")(t)
    with pytest.raises(UsageError, match="the knots .*; wanted: at least three, rising"):
        natural_spline([1.0], [2, 1, 3])
