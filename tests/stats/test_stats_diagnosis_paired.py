"""McNemar's tests and paired differences against published examples, statsmodels, enumeration and simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar as theirs

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.diagnosis import AurocDifference, FigureDifference, OperatingDifference, OperatingPoint, mcnemar
from spineclock.stats.diagnosis import resampled as figures
from spineclock.stats.diagnosis.paired import paired_shares


def people(n: int = 400, *, seed: int = 0, rows: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(n), rows)
    ill = (rng.random(n) < 0.4)[who]
    shared = rng.normal(0, 0.8, n)[who]
    t = pd.DataFrame({"person_id": who, "ill": ill, "split": np.where(who % 2, "test", "validation")})
    t["t1"] = 1.6 * ill + shared + rng.normal(0, 0.6, len(t))
    t["t2"] = 0.8 * ill + shared + rng.normal(0, 0.6, len(t))
    return t


@pytest.mark.parametrize(("b", "c"), [(1, 7), (0, 5), (6, 6), (30, 12), (1, 0), (101, 59)])
def test_the_exact_test_is_statsmodels_and_mid_p_by_enumeration(b, c):
    found = mcnemar(b, c)
    assert found.exact == pytest.approx(theirs([[5, b], [c, 9]], exact=True).pvalue, rel=1e-12)
    n = b + c
    pmf = stats.binom.pmf(np.arange(n + 1), n, 0.5)
    away = np.abs(np.arange(n + 1) - n / 2)
    mid = pmf[away > abs(b - n / 2)].sum() + 0.5 * pmf[away == abs(b - n / 2)].sum()
    assert found.mid_p == pytest.approx(mid, rel=1e-9)
    assert mcnemar(c, b) == found


def test_the_published_examples():
    # Fagerland, Lydersen and Laake 2013: airway hyper-responsiveness, complete response
    assert mcnemar(1, 7).exact == pytest.approx(0.070, abs=5e-4)
    assert mcnemar(1, 7).mid_p == pytest.approx(0.039, abs=5e-4)
    assert mcnemar(0, 0) == (1, 1)
    with pytest.raises(UsageError, match="-1 and 3 rows"):
        mcnemar(-1, 3)


def test_mid_p_keeps_its_level_where_the_exact_test_wastes_it():
    # the chance of p ≤ 0.05 with no difference and 30 people, each discordant with probability 0.4
    wrong = {"exact": 0.0, "mid_p": 0.0}
    for discordant in range(31):
        for b in range(discordant + 1):
            chance = stats.binom.pmf(discordant, 30, 0.4) * stats.binom.pmf(b, discordant, 0.5)
            for name, p in mcnemar(b, discordant - b)._asdict().items():
                wrong[name] += chance * (p <= 0.05)
    assert wrong["exact"] < 0.035
    assert wrong["exact"] < wrong["mid_p"] < 0.055


def test_the_interval_holds_the_truth():
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(1000):
        kind = rng.choice(4, 40, p=[0.5, 0.25, 0.1, 0.15])
        found = paired_shares((kind == 0) | (kind == 1), (kind == 0) | (kind == 2))
        held += found.low <= 0.15 <= found.high
    assert 0.93 <= held / 1000 <= 0.98


def test_clustered_rows_keep_the_level_that_mcnemar_loses():
    rng = np.random.default_rng(3)
    wrong, naive = 0, 0
    who = np.repeat(np.arange(60), 4)
    for _ in range(400):
        kind = np.where(rng.random(240) < 0.8, rng.choice(3, 60, p=[0.6, 0.2, 0.2])[who], 0)
        first, second = kind != 1, kind != 2
        wrong += paired_shares(first, second, people=who).p < 0.05
        naive += paired_shares(first, second).p < 0.05
    assert wrong / 400 < 0.09
    assert naive / 400 > 0.15


def test_the_difference_is_of_two_fitted_points_on_the_same_rows():
    t = people()
    found = OperatingDifference("ill", "t1", ["t2"])(t).set_index("measure")
    first, second = (OperatingPoint("ill", s)(t).set_index("term") for s in ("t1", "t2"))
    for measure in ("sensitivity", "specificity"):
        row = found.loc[measure]
        assert (row["share"], row["share_other"]) == (
            pytest.approx(first.loc[measure, "estimate"]),
            pytest.approx(second.loc[measure, "estimate"]),
        )
        assert row["estimate"] == pytest.approx(row["share"] - row["share_other"])
        test = t[(t["split"] == "test") & (t["ill"] == (measure == "sensitivity"))]
        a, b = ((test[s] > p["threshold"].iloc[0]) == test["ill"] for s, p in (("t1", first), ("t2", second)))
        assert (row["only_first"], row["only_second"]) == ((a & ~b).sum(), (b & ~a).sum())
        assert row["p"] == mcnemar(row["only_first"], row["only_second"]).mid_p
        assert row["exact_p"] == theirs(pd.crosstab(a, b), exact=True).pvalue
        assert row["low"] < row["estimate"] < row["high"]
    at_least = OperatingDifference("ill", "t1", ["t2"], rule="sensitivity", least=0.95)(t).set_index("measure")
    assert at_least.loc["specificity", "estimate"] > 0.1  # at equal sensitivity the better score gains specificity


def test_several_rows_of_a_person_are_clustered_and_missing_scores_leave_both():
    t = people(120, rows=4)
    t.loc[::9, "t2"] = np.nan
    found = OperatingDifference("ill", "t1", ["t2"])(t)
    assert found["method"].unique().tolist() == ["clustered by person"]
    assert found["exact_p"].isna().all()
    assert found["left_out"].unique().tolist() == [int(t.loc[t["split"] == "test", "t2"].isna().sum())]
    with pytest.raises(UsageError, match="t1 against t1"):
        OperatingDifference("ill", "t1", ["t1"])(t)
    with pytest.raises(TableError, match="no row with split validation"):
        OperatingDifference("ill", "t1", ["t2"])(t[t["split"] == "test"])


def test_figures_are_scikit_learns():
    t = people(300)
    y = t["ill"].to_numpy()
    for x in (t["t1"].round(1).to_numpy(), t["t2"].to_numpy()):
        p = 1 / (1 + np.exp(-x))
        assert figures.auroc(x, y) == pytest.approx(roc_auc_score(y, x), rel=1e-12)
        assert figures.average_precision(x, y) == pytest.approx(average_precision_score(y, x), rel=1e-12)
        assert figures.brier(p, y) == pytest.approx(brier_score_loss(y, p), rel=1e-12)
        assert figures.log_loss(p, y) == pytest.approx(log_loss(y, p), rel=1e-12)
    nobody = np.zeros(300, dtype=bool)
    assert np.isnan(figures.auroc(x, nobody))
    assert np.isnan(figures.average_precision(x, nobody))


@pytest.mark.parametrize("rows", [1, 4])
def test_the_resampled_interval_is_delongs(rows):
    t = people(250, rows=rows)
    delong = AurocDifference("ill", "t1", ["t2"])(t).iloc[0]
    found = FigureDifference("ill", "t1", ["t2"], resamples=1500)(t, rng=np.random.default_rng(1)).iloc[0]
    assert found["estimate"] == pytest.approx(delong["estimate"], rel=1e-12)
    assert found["high"] - found["low"] == pytest.approx(delong["high"] - delong["low"], rel=0.1)
    assert (found["people"], found["resamples"], found["figure"]) == (250, 1500, "AUROC")


def test_any_figure_may_be_compared():
    t = people(200).assign(p1=lambda d: 1 / (1 + np.exp(-d["t1"])), p2=0.4)

    def youden(score: np.ndarray, ill: np.ndarray) -> float:
        return float((score[ill] > 0.5).mean() - (score[~ill] > 0.5).mean())

    found = FigureDifference("ill", "p1", ["p2", "t2"], figure=youden, resamples=200)(t, rng=np.random.default_rng(0))
    called = t["p1"] > 0.5
    assert found.loc[0, "value"] == pytest.approx(called[t["ill"]].mean() - called[~t["ill"]].mean())
    assert found.loc[0, "figure"] == "youden"
    assert len(found) == 2
    brier = FigureDifference("ill", "p1", ["p2"], figure="Brier score", resamples=200)
    assert brier(t, rng=np.random.default_rng(0)).loc[0, "value_other"] == pytest.approx(((t["ill"] - 0.4) ** 2).mean())
    with pytest.raises(TableError, match="wanted: probabilities from 0 to 1"):
        FigureDifference("ill", "t1", ["p2"], figure="log loss")(t, rng=np.random.default_rng(0))
    with pytest.raises(UsageError, match="the figure 'F2'; wanted: AUROC, average precision"):
        FigureDifference("ill", "t1", ["p2"], figure="F2")(t, rng=np.random.default_rng(0))
