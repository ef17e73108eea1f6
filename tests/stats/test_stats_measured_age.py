"""The interpretable age against scikit-learn, and its promise that nobody judges himself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneOut, cross_val_score

from spineclock.core.errors import InputError, TableError
from spineclock.stats import measured_age as ma
from spineclock.stats.readout import fitted

NAMES = ("disc.mean.height_mm", "vertebra.mean.signal", "canal.mean.depth_mm", "sex.male")


def people(n=40, seed=0):
    """Made-up people whose age drives two of four measurements."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(25, 84, n)
    x = np.stack([9 - age / 30 + rng.normal(0, 0.5, n), age / 50 + rng.normal(0, 0.3, n),
                  rng.normal(12, 1, n), rng.integers(0, 2, n)], axis=1)  # fmt: skip
    return x, age


def centred(x, age):
    return x - x.mean(0), age - age.mean()


def test_ridge_is_scikit_learns_at_the_penalty_with_the_least_leave_one_out_error():
    x, y = centred(*people())
    penalties = np.logspace(-1, 4, 26)
    errors = [
        -cross_val_score(Ridge(a), x, y, cv=LeaveOneOut(), scoring="neg_mean_squared_error").mean() for a in penalties
    ]
    wanted = Ridge(penalties[int(np.argmin(errors))]).fit(x, y).coef_
    np.testing.assert_allclose(ma.ridge(x, y), wanted, rtol=1e-6)


@pytest.mark.parametrize("components", [1, 2, 3])
def test_partial_least_squares_is_scikit_learns(components):
    x, y = centred(*people())
    wanted = PLSRegression(components, scale=False).fit(x, y).coef_.ravel()
    np.testing.assert_allclose(ma.partial_least_squares(x, y, components=components)[-1], wanted, rtol=1e-6)


def test_contributions_add_up_to_the_prediction():
    x, age = people()
    model = ma.fit(x, age, features=NAMES)
    predicted, contributions = model.raw(dict(zip(NAMES, x[3], strict=True)))
    assert predicted == pytest.approx(model.mean_age_years + sum(c.years for c in contributions))
    assert max(contributions, key=lambda c: abs(c.years)).name in NAMES[:2]


def test_a_person_has_no_part_in_the_own_prediction():
    """Changing a person's age to an absurd one changes everyone's out-of-fold prediction but that person's."""
    x, age = people(12)
    before = ma.leave_one_out(x, age, features=NAMES)
    age[4] = 500.0
    after = ma.leave_one_out(x, age, features=NAMES)
    assert after[4] == before[4]
    assert (np.delete(after, 4) != np.delete(before, 4)).all()


def test_without_two_people_is_without_one_among_the_others():
    x, age = people(9)
    found = ma.leave_two_out(x, age, features=NAMES)
    np.testing.assert_allclose(np.diagonal(found), ma.leave_one_out(x, age, features=NAMES))
    for i in range(len(age)):
        others = ma.leave_one_out(np.delete(x, i, axis=0), np.delete(age, i), features=NAMES)
        np.testing.assert_allclose(np.delete(found[i], i), others)


def test_the_age_is_recovered_and_shuffled_ages_are_not():
    x, age = people(60)
    error = np.abs(ma.leave_one_out(x, age, features=NAMES) - age).mean()
    guess = np.abs(age - np.median(age)).mean()
    assert error < 0.6 * guess
    shuffled = np.random.default_rng(1).permutation(age)
    assert np.abs(ma.leave_one_out(x, shuffled, features=NAMES) - shuffled).mean() > 0.9 * guess


def test_a_missing_measurement_counts_as_average_and_is_named():
    x, age = people()
    model = ma.fit(x, age, features=NAMES)
    known = dict(zip(NAMES, x[0], strict=True))
    without = {**known, NAMES[0]: float("nan")}
    assert model.missing(without) == (NAMES[0],)
    lost = next(c.years for c in model.raw(known)[1] if c.name == NAMES[0])
    assert model.raw(without)[0] == pytest.approx(model.raw(known)[0] - lost)
    assert model.missing({k: v for k, v in known.items() if k != "sex.male"}) == ()


def test_what_lies_far_outside_the_training_people_is_named():
    x, age = people()
    model = ma.fit(x, age, features=NAMES)
    known = dict(zip(NAMES, x[0], strict=True))
    assert model.outside(known) == ()
    assert model.outside({**known, NAMES[2]: 60.0}) == (NAMES[2],)


def test_interval_and_correction_come_from_out_of_fold_predictions():
    x, age = people()
    model = fitted(pd.DataFrame(x, columns=NAMES).assign(age_years=age), (NAMES,), about={"people": 40})
    p = model.predict(dict(zip(NAMES, x[0], strict=True)), age_years=50, coverage=0.9)
    residuals = np.sort(np.abs(np.subtract(*np.array(model.out_of_fold).T)))
    assert p.interval.high_years - p.predicted_age_years == pytest.approx(residuals[36])  # ⌈41 · 0.9⌉ = the 37th
    assert p.gap_years == pytest.approx(p.corrected_age_years - 50)
    slope, start = np.polyfit(*np.array(model.out_of_fold).T[::-1], 1)
    assert p.corrected_age_years == pytest.approx((p.predicted_age_years - start) / slope)


def test_a_model_survives_the_file_it_is_written_to():
    x, age = people()
    model = fitted(pd.DataFrame(x, columns=NAMES).assign(age_years=age), (NAMES,), about={"people": 40})
    assert ma.MeasuredAge.from_dict(model.as_dict()) == model
    with pytest.raises(InputError, match="schema 'other'"):
        ma.MeasuredAge.from_dict({"schema": "other"})


def test_too_few_people_or_a_missing_age_are_refused():
    x, age = people()
    with pytest.raises(TableError, match="at least 5 people"):
        ma.fit(x[:3], age[:3], features=NAMES)
    age[0] = np.nan
    with pytest.raises(TableError, match="every age known"):
        ma.fit(x, age, features=NAMES)


def test_averaged_models_must_be_of_the_same_people_and_share_no_feature():
    x, age = people()
    one, two = (ma.fit(x[:, k], age, features=[NAMES[i] for i in k]) for k in ([0, 1], [2, 3]))
    both = ma.averaged([one, two])
    known = dict(zip(NAMES, x[0], strict=True))
    assert both.raw(known)[0] == pytest.approx((one.raw(known)[0] + two.raw(known)[0]) / 2)
    assert both.features == NAMES
    with pytest.raises(TableError, match="no feature twice"):
        ma.averaged([one, one])
    with pytest.raises(TableError, match="of the same people"):
        ma.averaged([one, ma.fit(x[:20, 2:], age[:20] + 1, features=NAMES[2:])])
