"""By how much a split by vertebra flatters: nothing to learn, something to learn, nothing to leak, another learner."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.diagnosis import MadeUpVertebrae, delong, flattery
from spineclock.stats.diagnosis.leakage import nearest_neighbours


def test_made_up_vertebrae_are_as_told():
    made = MadeUpVertebrae(people=4000, vertebrae=3, features=2, person_sd=2, signal=1.5, prevalence=0.25)(
        rng=np.random.default_rng(0)
    )
    each = made.features.reshape(4000, 3, 2)
    ill = made.positive.reshape(4000, 3)
    assert (ill == ill[:, :1]).all()
    assert ill[:, 0].sum() == 1000
    assert each.std(axis=1, ddof=1).mean() == pytest.approx(0.886, abs=0.01)  # of three with SD 1
    means = each.mean(axis=1)
    assert means[:, 1].std() == pytest.approx(np.sqrt(4 + 1 / 3), rel=0.03)
    assert means[ill[:, 0], 0].mean() - means[~ill[:, 0], 0].mean() == pytest.approx(1.5, abs=0.25)


def test_where_nothing_can_be_learnt_a_split_by_vertebra_claims_nearly_everything():
    studies = [
        flattery(*MadeUpVertebrae()(rng=np.random.default_rng(seed)), rng=np.random.default_rng(100 + seed))
        for seed in range(40)
    ]
    claimed, honest, more = np.mean([s["estimate"] for s in studies], axis=0)
    assert claimed == pytest.approx(0.94, abs=0.02)
    assert honest == pytest.approx(0.5, abs=0.03)
    assert more == pytest.approx(claimed - honest)
    held = [s.loc[1, "low"] < 0.5 < s.loc[1, "high"] for s in studies]
    assert 0.78 <= np.mean(held) <= 0.98  # 0.87 in 150 studies: folds share people
    assert all(s.loc[2, "low"] > 0.3 for s in studies)
    assert studies[0].loc[1, ["term", "n", "people"]].tolist() == ["split by person", 800, 200]


def test_it_is_what_scikit_learns_folds_give():
    rng = np.random.default_rng(2)
    x, y, who = MadeUpVertebrae(signal=2.0)(rng=rng)
    ours = flattery(x, y, who, rng=rng).set_index("term")["estimate"]
    model = KNeighborsClassifier(5, weights="distance")
    by_vertebra, by_person = (
        delong(cross_val_predict(model, x, y, groups=groups, cv=cv, method="predict_proba")[:, 1], y).values[0]
        for cv, groups in ((StratifiedKFold(5, shuffle=True, random_state=0), None), (GroupKFold(5), who))
    )
    assert ours["split by vertebra"] == pytest.approx(by_vertebra, abs=0.02)
    assert ours["split by person"] == pytest.approx(by_person, abs=0.05)  # other folds of 200 people


def test_the_honest_split_tells_what_a_new_person_gets():
    rng = np.random.default_rng(3)
    study = MadeUpVertebrae(people=400, signal=3.0)
    found = flattery(*study(rng=rng), rng=rng).set_index("term")
    x, y, _ = study(rng=rng)
    later = MadeUpVertebrae(people=2000, signal=3.0)(rng=rng)
    truth = delong(nearest_neighbours()(x, y, later.features), later.positive, people=later.people).values[0]
    assert found.loc["split by person", "low"] - 0.02 < truth < found.loc["split by person", "high"] + 0.02
    assert found.loc["split by vertebra", "estimate"] > truth + 0.1


def test_without_a_persons_own_look_nothing_leaks():
    rng = np.random.default_rng(4)
    found = flattery(*MadeUpVertebrae(person_sd=0, signal=1.0)(rng=rng), rng=rng).set_index("term")
    assert abs(found.loc["flattery", "estimate"]) < 0.04
    assert found.loc["split by person", "low"] > 0.55


def test_flattery_grows_with_the_persons_share_of_the_look():
    claimed = [
        flattery(*MadeUpVertebrae(person_sd=sd)(rng=np.random.default_rng(5)), rng=np.random.default_rng(6))
        .set_index("term")
        .loc["flattery", "estimate"]
        for sd in (0.0, 1.2, 2.5)
    ]
    assert claimed[0] < 0.05 < claimed[1] < claimed[2]


def test_a_learner_that_cannot_memorise_leaks_little_and_crops_will_do():
    rng = np.random.default_rng(7)
    x, y, who = MadeUpVertebrae(people=300, features=16)(rng=rng)

    def linear(train: np.ndarray, ill: np.ndarray, asked: np.ndarray) -> np.ndarray:
        assert train.shape[1:] == (4, 4)
        b = np.linalg.lstsq(train.reshape(len(train), -1), 2.0 * ill - 1, rcond=None)[0]
        return asked.reshape(len(asked), -1) @ b

    crops = x.reshape(-1, 4, 4)
    little = flattery(crops, y, who, rng=rng, learner=linear).set_index("term").loc["flattery", "estimate"]
    much = flattery(crops, y, who, rng=rng).set_index("term").loc["flattery", "estimate"]
    assert little < 0.25 < 0.4 < much


def test_calls_that_cannot_be_are_refused():
    made = MadeUpVertebrae(people=20)(rng=np.random.default_rng(0))
    with pytest.raises(UsageError, match="80 rows of features, 79 diagnoses"):
        flattery(made.features, made.positive[1:], made.people, rng=np.random.default_rng(0))
    with pytest.raises(UsageError, match="1 folds"):
        flattery(*made, rng=np.random.default_rng(0), folds=1)
    with pytest.raises(TableError, match="8 people with the disease for 9 folds"):
        flattery(*made, rng=np.random.default_rng(0), folds=9)
    with pytest.raises(UsageError, match="prevalence=1"):
        MadeUpVertebrae(prevalence=1)(rng=np.random.default_rng(0))
