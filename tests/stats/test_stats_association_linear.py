"""Effects of terms on the gap: what is estimated, counted, warned of and said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.association.design import expand
from spineclock.stats.association.linear import LinearEffects, false_discovery


@pytest.fixture
def table() -> pd.DataFrame:
    """A gap that is exactly 1 + 2·fracture + 0.5·packs + 3·(heavy work) + 0.1·age, but for small noise."""
    rng = np.random.default_rng(0)
    n = 600
    t = pd.DataFrame({"person_id": np.arange(n), "age_years": rng.uniform(25, 85, n), "sex": rng.choice(["F", "M"], n)})
    t["site"] = rng.choice(["A", "B", "C"], n)
    t["fracture"] = rng.random(n) < 0.1
    t["packs_per_day"] = rng.gamma(1, 1, n) * (rng.random(n) < 0.4)
    t["work"] = rng.choice(["light", "moderate", "heavy"], n)
    effect = 2.0 * t["fracture"] + 0.5 * t["packs_per_day"] + 3.0 * (t["work"] == "heavy") + 0.1 * t["age_years"]
    t["gap_years"] = 1 + effect + rng.normal(0, 0.1, n)
    return t


TERMS = ("fracture", "packs_per_day", "work")


def test_the_truth_is_recovered_with_counts(table):
    found = LinearEffects(TERMS, block="some")(table)
    adjusted = found[found["adjusted_for"] == "age_years, sex, site"].set_index("key")
    assert list(adjusted.index) == ["fracture", "packs_per_day", "work=heavy", "work=moderate"]
    assert adjusted["estimate"].to_numpy() == pytest.approx([2, 0.5, 3, 0], abs=0.05)
    assert adjusted["n_with"].to_list() == [
        table["fracture"].sum(),
        (table["packs_per_day"] > 0).sum(),
        (table["work"] == "heavy").sum(),
        (table["work"] == "moderate").sum(),
    ]
    plain = found[found["adjusted_for"] == ""]
    assert (plain["se"].to_numpy() > 5 * adjusted["se"].to_numpy()).all()  # age is most of the noise there
    assert set(found["block"]) == {"some"}
    assert set(found["n"]) == {600}


def test_a_difference_of_two_means_is_welchs(table):
    """One yes/no term alone: CR2 without repeats is the unequal-variance t test, degrees of freedom nearly too."""
    row = LinearEffects(("fracture",), covariates=())(table).iloc[0]
    ill, well = (table.loc[table["fracture"] == v, "gap_years"] for v in (True, False))
    theirs = stats.ttest_ind(ill, well, equal_var=False)
    assert row["estimate"] == pytest.approx(ill.mean() - well.mean(), rel=1e-10)
    assert row["se"] == pytest.approx(np.sqrt(ill.var() / len(ill) + well.var() / len(well)), rel=1e-10)
    assert row["estimate"] / row["se"] == pytest.approx(theirs.statistic, rel=1e-10)


def test_rows_with_gaps_are_left_out_and_counted(table):
    table.loc[:9, "packs_per_day"] = np.nan
    table.loc[5:19, "gap_years"] = np.nan
    table.loc[30, "work"] = None
    table.loc[31, "site"] = None
    found = LinearEffects(TERMS)(table)
    assert set(found["n"]) == {600 - 22}
    assert set(found["left_out"]) == {22}
    assert found.set_index(["key", "adjusted_for"])["missing"].to_list() == [0, 10, 1, 1] * 2


def test_few_nobody_and_everybody_are_warned_of(table):
    table["rare"] = np.arange(600) < 3
    table["never"] = 0
    table["common"] = np.arange(600) > 4
    found = LinearEffects(("rare", "never", "common", "fracture"), covariates=())(table).set_index("key")
    assert found["warning"].to_list() == ["fewer than 20 with it", "nobody has it", "fewer than 20 without it", ""]
    assert np.isnan(found.loc["never", "estimate"])
    assert np.isnan(found.loc["never", "q"])
    assert found.loc["never", "sentence"] == "never: no effect could be estimated (nobody has it)."
    assert np.isfinite(found.drop("never")["estimate"]).all()


def test_an_aliased_term_is_refused_by_name_and_a_near_one_warned_of(table):
    table["wet"] = ~table["fracture"]
    table["close"] = table["packs_per_day"] + np.random.default_rng(1).normal(0, 0.05, 600)
    found = LinearEffects((*TERMS, "wet", "close"), covariates=())(table).set_index("key")
    assert found.loc["wet", "warning"] == "not estimated: it is a combination of the constant and fracture"
    assert np.isnan(found.loc["wet", "estimate"])
    x = np.column_stack([table["fracture"], table["work"] == "moderate", table["work"] == "heavy", table["close"]])
    x = np.column_stack([np.ones(600), x]).astype(float)
    left = table["packs_per_day"] - x @ np.linalg.lstsq(x, table["packs_per_day"], rcond=None)[0]
    by_hand = ((table["packs_per_day"] - table["packs_per_day"].mean()) ** 2).sum() / (left**2).sum()
    assert found.loc["packs_per_day", "vif"] == pytest.approx(by_hand, rel=1e-8)
    assert found.loc["packs_per_day", "warning"] == (
        f"hard to tell from the other terms (variance inflation {by_hand:.1f})"
    )


def test_one_site_is_no_covariate(table):
    table["site"] = "A"
    assert set(LinearEffects(TERMS)(table)["adjusted_for"]) == {"", "age_years, sex"}


def test_two_scans_of_a_person_count_once_in_the_error(table):
    doubled = pd.concat([table, table])
    once = LinearEffects(TERMS, standard_errors="CR1")(table)
    twice = LinearEffects(TERMS, standard_errors="CR1")(doubled)
    assert twice["se"].to_numpy() == pytest.approx(once["se"].to_numpy(), rel=0.02)
    assert set(twice["people"]) == {600}
    alone = LinearEffects(TERMS, standard_errors="CR1", person=None)(doubled)
    assert alone["se"].to_numpy() == pytest.approx(once["se"].to_numpy() / np.sqrt(2), rel=0.02)


def test_sentences(table):
    found = LinearEffects(TERMS, names={"fracture": "a 100% fracture"})(table).set_index(["key", "adjusted_for"])
    row = found.loc[("fracture", "age_years, sex, site")]
    assert row["sentence"] == (
        f"The mean spine age gap of people with a 100% fracture is {row['estimate']:.2f} years higher than of people "
        f"without (95% CI {row['low']:.2f} higher to {row['high']:.2f} higher; p < 0.001), the other terms of the "
        f"model alike, and age, sex, site too; {table['fracture'].sum()} of 600 scans."
    )
    assert "is 0.50 years higher" in found.loc[("packs_per_day", "age_years, sex, site"), "sentence"]
    assert " scans above 0." in found.loc[("packs_per_day", ""), "sentence"]
    assert "years higher than of those with work=light" in found.loc[("work=heavy", ""), "sentence"]


def test_false_discovery_against_scipy_within_each_model(table):
    found = LinearEffects(TERMS)(table)
    for _, own in found.groupby("adjusted_for"):
        assert own["q"].to_numpy() == pytest.approx(stats.false_discovery_control(own["p"]), rel=1e-12)
    # by hand: 0.01·4/1, 0.02·4/2 → 0.04; 0.03·4/3 → 0.04; 0.9
    assert false_discovery([0.03, 0.9, 0.01, 0.02]) == pytest.approx([0.04, 0.9, 0.04, 0.04])
    assert np.isnan(false_discovery([np.nan])).all()


def test_in_a_world_without_effects_one_in_twenty_is_called():
    rng = np.random.default_rng(5)
    n = 300
    t = pd.DataFrame({f"t{k}": rng.random(n) < 0.2 for k in range(10)})
    t["person_id"] = np.r_[np.arange(250), np.arange(50)]
    called = []
    for _ in range(60):
        own = rng.normal(0, 4, 250)
        t["gap_years"] = own[t["person_id"]] + rng.normal(0, 2, n)
        called.append(LinearEffects([f"t{k}" for k in range(10)], covariates=())(t)["p"] < 0.05)
    assert np.mean(called) == pytest.approx(0.05, abs=0.03)  # 600 tests: standard error 0.009


def test_columns_of_any_type_are_read():
    t = pd.DataFrame(
        {
            "b": pd.array([True, False, None], dtype="boolean"),
            "i": pd.array([3, None, 5], dtype="Int64"),
            "o": [True, None, False],
            "c": pd.Categorical(["x", "z", "x"], categories=["z", "y", "x"]),
            "w": ["p", "p", "q"],
        }
    )
    found = {c.key: (c.kind, c.values.tolist()) for c in expand(t, ["b", "i", "o", "c", "w"]).columns}
    assert found["b"][0] == found["o"][0] == "yes/no"
    assert found["i"][0] == "number"
    assert np.array_equal(found["b"][1], [1, 0, np.nan], equal_nan=True)
    assert np.array_equal(found["o"][1], [1, np.nan, 0], equal_nan=True)
    assert np.array_equal(found["i"][1], [3, np.nan, 5], equal_nan=True)
    assert found["c=x"] == ("category", [1, 0, 1])  # z, its first, is the reference; nobody has y
    assert found["w=q"] == ("category", [0, 0, 1])
    assert len(found) == 5


def test_wrong_tables_are_named(table):
    with pytest.raises(TableError, match=r"without the column\(s\) nothing \(it has person_id"):
        LinearEffects(("nothing",))(table)
    with pytest.raises(UsageError, match="a model without terms"):
        LinearEffects(())(table)
    with pytest.raises(TableError, match="2 row.s. without a person_id"):
        LinearEffects(TERMS)(table.assign(person_id=[None, None, *range(598)]))
    with pytest.raises(TableError, match="the column work with the values .* wanted: sitting among them"):
        LinearEffects(TERMS, reference={"work": "sitting"})(table)
    with pytest.raises(TableError, match="no scan of 600 with all of gap_years"):
        LinearEffects(TERMS)(table.assign(fracture=np.nan))
    with pytest.raises(TableError, match="an infinite value in the column packs_per_day"):
        LinearEffects(TERMS)(table.assign(packs_per_day=np.inf))
    with pytest.raises(TableError, match="one value only in work"):
        LinearEffects(("work",))(table.assign(work="light"))


def test_a_term_that_one_person_has_gets_no_interval_and_says_why() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"gap_years": rng.normal(0, 4, 60), "person_id": np.arange(60), "rare": np.arange(60) == 7,
                          "common": np.arange(60) % 2 == 0})  # fmt: skip
    found = LinearEffects(("rare", "common"), covariates=())(table).set_index("key")
    assert np.isfinite(found.loc["rare", "estimate"])
    assert found.loc["rare", ["low", "high", "p", "q"]].isna().all()
    assert "only one person has it" in found.loc["rare", "warning"]
    assert np.isfinite(found.loc["common", ["low", "high", "p", "q"]].astype(float)).all()
