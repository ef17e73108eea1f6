"""DXA of made-up people beside the truth, and the world in which bone density shows in MRI."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import UsageError
from spineclock.core.findings import LEVELS, column, empty_codes
from spineclock.phantom.anatomy.body import anatomy_of
from spineclock.phantom.anatomy.template import images, people_world
from spineclock.phantom.anatomy.traits import traits_of
from spineclock.phantom.bone import OSTEOPOROSIS_T_SCORE, T_SCORES, Dxa
from spineclock.phantom.dxa import TRUE, added_t_score, densitometry, worn
from spineclock.phantom.health import health_parameters
from spineclock.phantom.parameters import document, load, made
from spineclock.phantom.people import People, people

SD_G_CM2 = 0.12
"""Of young women's lumbar density: what one T-score is."""


@pytest.fixture(scope="module")
def clinic() -> People:
    return people(5000, seed=3, parameters=load("osteoporosis"))


def wear(osteophytes: int, *, level: str = "L2") -> tuple[np.ndarray, np.ndarray]:
    codes = empty_codes(1)
    codes[0, column("disc_osteophyte_complex", level)] = osteophytes
    return codes, np.zeros((1, len(LEVELS)), np.int8)


def test_a_disc_with_osteophytes_adds_to_the_two_vertebrae_beside_it_what_rand_measured():
    dxa = health_parameters(load("osteoporosis")).bone.dxa
    for severity, least, most in ((1, 4, 7), (2, 13, 23)):  # per cent of a density at T = −1, which is 0.93 g/cm²
        (gain,) = 2 * added_t_score(worn(*wear(severity)), dxa)  # two of four vertebrae
        assert least <= 100 * gain * SD_G_CM2 / 0.93 <= most
    (lowest,) = added_t_score(worn(*wear(1, level="L5")), dxa)  # L5/S1 is not scanned
    assert lowest == 0
    (top,) = added_t_score(worn(*wear(1, level="T12")), dxa)
    assert top == pytest.approx(dxa.osteophytes[0] / 4)


def test_wear_raises_the_spine_alone_and_the_error_is_that_of_the_parameters(clinic):
    truth, table = clinic.truth, clinic.table
    off = {name: table[name] - truth[name + TRUE] for name in T_SCORES}
    assert np.corrcoef(off[T_SCORES[0]], truth["dxa_added_t_score"])[0, 1] > 0.7
    rest = off[T_SCORES[0]] - truth["dxa_added_t_score"]
    for got, sd in zip((rest, off[T_SCORES[1]], off[T_SCORES[2]]), (0.12, 0.10, 0.15), strict=True):
        assert got.mean() == pytest.approx(0, abs=0.01)
        assert got.std() == pytest.approx(sd, rel=0.05)
        assert abs(np.corrcoef(got, truth["dxa_added_t_score"])[0, 1]) < 0.05
    severe = truth["dxa_added_t_score"] > truth["dxa_added_t_score"].quantile(0.99)
    assert 0.5 < truth.loc[severe, "dxa_added_t_score"].mean() < 1.2
    low = table[list(T_SCORES)].min(axis=1) <= OSTEOPOROSIS_T_SCORE
    assert (table["osteoporosis"] == low).all()
    spine_alone = truth["lumbar_spine_t_score" + TRUE] <= OSTEOPOROSIS_T_SCORE
    missed = spine_alone & (table["lumbar_spine_t_score"] > OSTEOPOROSIS_T_SCORE)
    worn_out = truth["dxa_added_t_score"] > 0.4
    assert missed[worn_out & spine_alone].mean() > 2 * missed[~worn_out & spine_alone].mean()


def test_measured_densities_have_the_means_that_the_curves_are_fitted_to():
    plain = document()
    plain.pop("worlds")
    who = load("osteoporosis").document["who"]
    without = made({**plain, "who": who}, world="without")
    a, b = (people(5000, seed=4, parameters=p).table for p in (without, load("osteoporosis")))
    assert (a["age_years"] == b["age_years"]).all()  # the same people
    assert b["lumbar_spine_t_score"].mean() == pytest.approx(a["lumbar_spine_t_score"].mean(), abs=0.03)
    # only what the gap and the own part add at the hip, and the error, differ
    pd.testing.assert_series_equal(a["total_hip_t_score"], b["total_hip_t_score"], atol=0.6, check_names=False)


def test_elsewhere_densitometers_tell_the_truth():
    some = people(50, seed=1)
    assert not [name for name in some.truth if name.endswith(TRUE)]
    seen = densitometry(some.table, worn(*wear(3)), Dxa(), rng=np.random.default_rng(1))
    assert seen.columns is some.table


def test_bodies_follow_the_true_density_not_the_measured_one(clinic):
    drawn = traits_of(clinic)[:200]
    told = [t.lumbar_t_score for t in drawn]
    assert told == clinic.truth["lumbar_spine_t_score" + TRUE].tolist()[:200]


def test_worlds_are_put_together():
    both = load("shifted+osteoporosis")
    assert both.document["bone"]["femoral_neck"]["women"] == load("shifted").document["bone"]["femoral_neck"]["women"]
    assert both.document["bone"]["dxa"] == load("osteoporosis").document["bone"]["dxa"]
    shown = images("shifted+osteoporosis")
    assert shown["scanner"] == images("shifted")["scanner"]
    assert shown["body"]["hollow_sd"] == images("osteoporosis")["body"]["hollow_sd"]
    assert shown["body"]["disc_height"] == images("shifted")["body"]["disc_height"]
    assert people_world("ageing_off") == "default"
    for call in (load, images):
        with pytest.raises(UsageError, match="no phantom world is called 'sifted'"):
            call("sifted+osteoporosis")


def marrow_of(some: People, world: str, count: int) -> pd.DataFrame:
    rows = []
    for t in traits_of(some)[:count]:
        spine = anatomy_of(t, seed=3, world=world)
        b = spine.bodies[[spine.names.index(f"L{k}") for k in range(1, 5)]]
        hollow = (b["hollow_upper"] + b["hollow_lower"]).mean() / 2
        rows.append((t.lumbar_t_score, b["fat"].mean(), b["unevenness"].mean(), hollow, b["space"].mean()))
    return pd.DataFrame(rows, columns=["t_score", "fat", "unevenness", "hollow", "space"])


def test_marrow_and_end_plates_go_with_density_as_published(clinic):
    found = marrow_of(clinic, "osteoporosis", 300)
    r = found.corr()["t_score"]
    assert -0.68 < r["fat"] < -0.45  # −0.3 to −0.6: Schwartz 2013, Li 2017; ±0.07 by chance
    assert -0.55 < r["unevenness"] < -0.25
    assert -0.68 < r["hollow"] < -0.45
    per_t = np.polyfit(found["t_score"], found["space"], 1)[0]
    assert per_t == pytest.approx(-0.025, abs=0.01)  # 20 mg/cm³ a T-score of 1,100 mg/cm³ of bone is 1.8%
    # the default world's bodies have none of it
    plain = marrow_of(clinic, "default", 40)
    assert (plain["space"] == 0).all()
    assert plain["unevenness"].corr(plain["t_score"]) > -0.4
