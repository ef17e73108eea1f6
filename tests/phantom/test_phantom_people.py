"""The phantom's people: the same for a seed, and what the published tables ask."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency, chisquare

from spineclock.core.errors import UsageError
from spineclock.core.findings import LEVELS, columns_of
from spineclock.phantom.parameters import DEFAULT, load
from spineclock.phantom.people import BLOCK, People, block, blocks, people


@pytest.fixture(scope="module")
def some() -> People:
    return people(40_000, seed=20)


@pytest.fixture(scope="module")
def null() -> People:
    return people(20_000, seed=20, parameters=load("null"))


def decade(ages) -> np.ndarray:
    return (np.floor((np.asarray(ages) - 25) / 10) * 10 + 30).astype(int)


def same(one: People, two: People) -> None:
    for name in ("table", "truth", "fractures"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(two, name))
    for name in ("imaging", "reported"):
        assert getattr(one, name).scan_ids.equals(getattr(two, name).scan_ids)
        assert (getattr(one, name).codes == getattr(two, name).codes).all()
    for name in ("pfirrmann", "height_loss", "facet", "exists"):
        assert (getattr(one.attributes, name) == getattr(two.attributes, name)).all()


def test_people_are_a_function_of_seed_and_parameters():
    same(people(300, seed=4), people(300, seed=4))
    other = people(300, seed=5)
    assert not np.array_equal(other.truth["true_gap_years"], people(300, seed=4).truth["true_gap_years"])
    assert set(other.table["person_id"]).isdisjoint(people(300, seed=4).table["person_id"])


def test_a_person_is_the_same_whatever_the_number():
    few, more = people(50, seed=4), people(BLOCK + 70, seed=4)
    scans = len(few.table)
    pd.testing.assert_frame_equal(few.table, more.table.head(scans))
    pd.testing.assert_frame_equal(few.truth, more.truth.head(scans))
    assert (few.reported.codes == more.reported.codes[:scans]).all()
    assert (few.attributes.pfirrmann == more.attributes.pfirrmann[:scans]).all()
    second = block(1, 70, seed=4)
    assert second.table["scan_id"].tolist() == more.table["scan_id"].tolist()[-len(second.table) :]


def test_blocks_are_the_people_and_hold_no_more_than_a_block():
    parts = list(blocks(BLOCK + 3, seed=1))
    assert [part.table["person_id"].nunique() for part in parts] == [BLOCK, 3]


@pytest.mark.parametrize(("n", "seed"), [(0, 1), (10, -1)])
def test_no_people_and_negative_seeds_are_refused(n, seed):
    with pytest.raises(UsageError, match=r"people of seed .*wanted: at least one person"):
        people(n, seed=seed)


def test_17394_people_have_676_second_scans_a_year_and_a_half_later():
    every = people(17_394, seed=8).table
    assert (every["person_id"].nunique(), len(every)) == (17_394, 18_070)
    second = np.flatnonzero(every["session"] == 2)
    assert (every["person_id"].to_numpy()[second] == every["person_id"].to_numpy()[second - 1]).all()
    apart = every["age_years"].to_numpy()[second] - every["age_years"].to_numpy()[second - 1]
    assert apart.mean() == pytest.approx(1.59, abs=4 * 0.77 / np.sqrt(676))  # gamma of shape 2 and mean 1.09: SD 0.77
    assert apart.min() > 0.48
    assert every.loc[every["session"] == 2, "sex"].tolist() == every["sex"].to_numpy()[second - 1].tolist()


def test_ages_and_sexes_are_those_of_table_1(some):
    table1 = {  # paper, Table 1: normal + abnormal
        "M": [561 + 404, 1306 + 1249, 1617 + 857, 1264 + 645, 598 + 377, 122 + 132],
        "F": [521 + 411, 1238 + 1252, 1379 + 949, 1299 + 683, 622 + 378, 84 + 122],
    }
    once = some.table.drop_duplicates("person_id")
    found = once.groupby(["sex", decade(once["age_years"])]).size()
    wanted = np.array([*table1["F"], *table1["M"]], dtype=float)
    assert chisquare(found.to_numpy(), wanted / wanted.sum() * len(once)).pvalue > 0.001
    assert once["age_years"].between(25, 85, inclusive="left").all()


def test_site_and_scanner_say_nothing_of_age_sex_or_gap(some):
    once = some.table.drop_duplicates("person_id")
    assert once["site"].nunique() == 10
    assert once["scanner"].nunique() == 19
    assert set(once["maker"]) == {"Philips", "Siemens"}
    cells = pd.crosstab(once["scanner"], [decade(once["age_years"]), once["sex"]])
    assert chi2_contingency(cells).pvalue > 0.001
    gap = some.truth["true_gap_years"].to_numpy()[once.index]
    codes = once["scanner"].astype("category").cat.codes.to_numpy()
    means = np.array([gap[codes == k].mean() * np.sqrt((codes == k).sum()) / gap.std() for k in range(19)])
    assert np.abs(means).max() < 4


@pytest.mark.parametrize(
    ("column", "value", "count"),
    [
        ("packs_per_day", None, 2302), ("alcohol_days_per_week", None, 6136), ("sedentary_hours", None, 8332),
        ("work", "moderate", 1001), ("work", "heavy", 488), ("exercise", "moderate", 2146),
        ("exercise", "vigorous", 4285),
    ],
)  # fmt: skip
def test_lifestyles_are_as_common_as_in_table_5(some, column, value, count):
    once = some.table.drop_duplicates("person_id")
    share = ((once[column] > 0) if value is None else (once[column] == value)).mean()
    wanted = count / 8528
    assert share == pytest.approx(wanted, abs=4 * np.sqrt(wanted * (1 - wanted) / len(once)))


def lifestyle_effects(some: People) -> dict[str, float]:
    table = some.table
    columns = {
        "packs": table["packs_per_day"], "alcohol": table["alcohol_days_per_week"], "sitting": table["sedentary_hours"],
        "moderate work": table["work"] == "moderate", "heavy work": table["work"] == "heavy",
        "moderate exercise": table["exercise"] == "moderate", "vigorous exercise": table["exercise"] == "vigorous",
    }  # fmt: skip
    design = np.column_stack([np.ones(len(table)), *(column.to_numpy(dtype=float) for column in columns.values())])
    found = np.linalg.lstsq(design, some.truth["true_gap_years"].to_numpy(), rcond=None)[0][1:]
    return dict(zip(columns, found, strict=True))


TABLE_5 = {"packs": 0.93, "alcohol": 0.08, "sitting": -0.01, "moderate work": 0.29, "heavy work": 0.67,
           "moderate exercise": -0.40, "vigorous exercise": -0.79}  # fmt: skip
CLOSE = {"packs": 0.25, "alcohol": 0.05, "sitting": 0.04, "moderate work": 0.3, "heavy work": 0.4,
         "moderate exercise": 0.25, "vigorous exercise": 0.22}  # fmt: skip
"""About four standard errors with an SD of 4 years and 40,000 scans."""


def test_lifestyle_moves_the_gap_as_in_table_5_and_its_sd_is_4(some):
    for name, effect in lifestyle_effects(some).items():
        assert effect == pytest.approx(TABLE_5[name], abs=CLOSE[name]), name
    gap = some.truth["true_gap_years"]
    assert gap.std() == pytest.approx(4.0, abs=0.07)
    assert gap.mean() == pytest.approx(0.0, abs=0.1)
    assert np.corrcoef(gap, some.table["age_years"])[0, 1] == pytest.approx(0, abs=0.025)
    assert some.truth["spine_age_years"].to_numpy() == pytest.approx(some.table["age_years"] + gap, abs=0.011)


def test_heavy_work_ages_young_spines_and_old_ones_the_other_way(some):
    work = some.table["work"].to_numpy()
    gap, age = some.truth["true_gap_years"].to_numpy(), some.table["age_years"].to_numpy()
    young, old = age < 42, age > 62
    early = gap[young & (work == "heavy")].mean() - gap[young & (work == "light")].mean()
    late = gap[old & (work == "heavy")].mean() - gap[old & (work == "light")].mean()
    # at 37 and 68, with heavy workers of 48 on average and a year less each decade: 0.67 + 1.1 and 0.67 - 2.0
    assert early == pytest.approx(1.8, abs=0.9)
    assert late == pytest.approx(-1.2, abs=1.1)
    assert early > 0 > late


def test_second_scans_keep_the_person(some):
    second = np.flatnonzero(some.table["session"] == 2)
    gap = some.truth["true_gap_years"].to_numpy()
    change = gap[second] - gap[second - 1]
    assert change.std() == pytest.approx(DEFAULT.gap.drift_sd_per_root_year * np.sqrt(1.59), rel=0.1)
    grade = some.attributes.pfirrmann[:, LEVELS.index("L4")].astype(int)
    assert (np.abs(grade[second] - grade[second - 1]) <= 1).mean() > 0.98


BRINJIKJI = {  # AJNR 36:811, Table 2: ages 30 to 80
    "degeneration": (52, 68, 80, 88, 93, 96), "desiccation": (33, 54, 73, 86, 94, 97),
    "height_loss": (34, 45, 56, 67, 76, 84), "disc_bulge": (40, 50, 60, 69, 77, 84),
    "protrusion": (31, 33, 36, 38, 40, 43), "annular_fissure": (21, 23, 25, 27, 29, 29),
    "facet": (9, 18, 32, 50, 69, 83), "spondylolisthesis": (5, 8, 14, 23, 35, 50),
}  # fmt: skip


@pytest.mark.parametrize("name", BRINJIKJI)
def test_images_hold_what_is_published_within_five_points(some, name):
    lumbar = [k for k, level in enumerate(LEVELS) if level.startswith("L")]
    if name == "degeneration":
        held = (some.attributes.pfirrmann[:, lumbar] >= 3).any(axis=1)
    elif name in ("height_loss", "facet"):
        held = (getattr(some.attributes, name)[:, lumbar] > 0).any(axis=1)
    else:
        held = (some.imaging.codes[:, columns_of(name, "lumbar")] > 0).any(axis=1)
    found = 100 * pd.Series(held).groupby(decade(some.table["age_years"])).mean()
    n = pd.Series(held).groupby(decade(some.table["age_years"])).size()
    noise = 3 * 100 * np.sqrt(0.25 / n.loc[80])  # the eighties are few here
    assert found.loc[30:70].to_numpy() == pytest.approx(BRINJIKJI[name][:5], abs=5)
    assert found.loc[80] == pytest.approx(BRINJIKJI[name][5], abs=5 + noise)


def test_levels_and_neighbouring_conditions_go_together(some):
    def there(condition, level):
        return some.imaging.column(condition, level) > 0

    young = (some.table["age_years"] < 45).to_numpy()

    def odds(one, two):
        cells = pd.crosstab(one[young], two[young]).to_numpy(dtype=float)
        return cells[0, 0] * cells[1, 1] / cells[0, 1] / cells[1, 0]

    same_level = odds(there("disc_bulge", "L4"), there("desiccation", "L4"))
    next_level = odds(there("disc_bulge", "L4"), there("disc_bulge", "L5"))
    far = odds(there("disc_bulge", "L4"), there("disc_bulge", "C5"))
    assert same_level > next_level > far > 1.05


def test_levels_that_a_person_has_not_hold_nothing(some):
    for level in ("T13", "L6", "L7"):
        missing = ~some.attributes.exists[:, LEVELS.index(level)]
        assert 0.9 < missing.mean() < 1
        at = [k for k in columns_of("disc_bulge") if (some.imaging.codes[missing, k] > 0).any()]
        assert not any(k in at for k in columns_of("disc_bulge")[[LEVELS.index(level)]])
        assert (some.attributes.pfirrmann[missing, LEVELS.index(level)] == 0).all()
        assert (some.reported.column("disc_bulge", level)[missing] == 0).all()


def test_nothing_has_an_effect_in_the_null_world(some, null):
    n = len(null.table)
    for name, effect in lifestyle_effects(null).items():
        assert effect == pytest.approx(0, abs=1.5 * CLOSE[name]), name
    gap = null.truth["true_gap_years"].to_numpy()
    assert gap.std() == pytest.approx(4.0, abs=0.1)
    for name in ("disc_bulge", "disc_osteophyte_complex", "desiccation", "spondylolisthesis", "kyphosis_or_lordosis"):
        for layer in ("imaging", "reported"):
            has = getattr(null, layer).present(name)
            z = (gap[has].mean() - gap[~has].mean()) / (gap.std() * np.sqrt(1 / has.sum() + 1 / (n - has.sum())))
            assert abs(z) < 4, (name, layer)
    bulges = some.imaging.present("disc_osteophyte_complex")
    true = some.truth["true_gap_years"]
    assert true[bulges].mean() - true[~bulges].mean() > 0.5  # as it has by default


def test_the_shifted_world_has_other_people_places_and_spines(some):
    shifted = people(6000, seed=20, parameters=load("shifted"))
    assert set(shifted.table["site"]).isdisjoint(some.table["site"])
    assert shifted.table["age_years"].mean() > some.table["age_years"].mean() + 3
    assert shifted.truth["true_gap_years"].std() > 4.6
