"""Recipe three on a few simulated people, from scans to the page."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spineclock.core.errors import SpineclockError
from spineclock.learn import fit
from spineclock.learn.feed import Examples
from spineclock.learn.fit import Judged
from spineclock.phantom.parameters import load
from spineclock.phantom.people import people
from spineclock.run.osteoporosis import compared, known, results, scans, trained
from spineclock.run.osteoporosis.people import LEARNED, SEQUENCES, TESTED, Places, everyone

pytestmark = pytest.mark.timeout(900)  # all stages are made in one fixture: minutes on a slow machine
SHARE = 0.04
CALLS = count()


def test_nobody_is_in_two_sets_and_every_world_is_there():
    sets = everyone(1.0)
    assert sets == (LEARNED, *TESTED)
    assert len({p.seed for p in sets}) == len(sets)
    names = [set(people(3, seed=p.seed, parameters=load(p.world)).table["person_id"]) for p in sets]
    assert len(set.union(*names)) == sum(map(len, names))


def knowing(net: object, head: object, held: Examples, *, part: str = "whole") -> Judged:
    """What a network would say that had learned more than one can learn here."""
    rng = np.random.default_rng(next(CALLS))
    ill = np.asarray(held.targets, dtype=float).reshape(len(held.targets), -1)[:, :1]
    return Judged(
        0.8 * (ill - 0.5) + rng.standard_normal((len(ill), 1)) + 0.5 * rng.standard_normal((len(ill), 4)), 1.0
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, in_this_process: None) -> Path:
    """All stages on a coarse grid, one network, an epoch each."""
    folder = tmp_path_factory.mktemp("osteoporosis")
    words = f"--out {folder / 'all'} --page {folder / 'page.md'} --picture {folder / 'page.png'} --share {SHARE} "
    words += "--epochs 1 --backbone-scans 32 --backbone-epochs 1 --outlined 4 --workers 1 --threads 1"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scans, "GRID", "3x192x160")
        patch.setattr(trained, "BACKBONES", ("crop_small",))
        patch.setattr(fit, "judged", knowing)
        assert results.main(words.split()) == 0
        with pytest.raises(SpineclockError, match="made with another people"):
            scans.made(Places(folder / "all"), everyone(1.0)[0], workers=1)
    return folder


@pytest.mark.slow
def test_the_page_shows_oracle_networks_and_baselines_of_the_same_people(made: Path) -> None:
    places, (learned, tested, _) = Places(made / "all"), everyone(SHARE)
    page = (made / "page.md").read_text(encoding="utf-8")
    for words in ("oracle", "network, T1w + T2w", "VBQ", "age, sex and BMI", "split by vertebra", "crop_small", "0.82",
                  "Outlined by the packaged network"):  # fmt: skip
        assert words in page
    assert "nan" not in page.lower()
    assert (made / "page.png").stat().st_size > 10_000
    found = compared.areas(compared.scored(places, learned, tested)).set_index("term")
    assert set(found.index) == {*SEQUENCES, compared.BOTH, *compared.FITTED, compared.TRUE}
    assert found["n"].nunique() == 1  # the same rows
    assert found.loc[compared.TRUE, "estimate"] > 0.8
    split = pd.read_csv(places.run("T1w") / "split.csv").set_index("person_id")["set"]
    other = pd.read_csv(places.run("T2w") / "split.csv").set_index("person_id")["set"]
    assert split.equals(other[split.index])
    assert not set(split.index) & set(compared.cohort(places, tested)["person_id"])


@pytest.mark.slow
def test_what_is_known_of_people_agrees_with_their_tables(made: Path) -> None:
    places, (learned, *_) = Places(made / "all"), everyone(SHARE)
    table = compared.cohort(places, learned)
    assert set(known.LATENTS) <= set(table)
    assert table["age_years"].min() >= 50
    assert table["space"].corr(table["lumbar_spine_t_score_true"]) < -0.6  # the trabecular score itself
    broken = pd.read_csv(places.cohort(learned) / "fractures.csv")
    count = broken[broken["level"].isin(["L1", "L2", "L3", "L4"])].groupby("scan_id").size()
    assert (table["fractured"] == table["scan_id"].map(count).fillna(0)).all()
    assert np.isfinite(table["T1w vbq"]).mean() > 0.9
    told = compared.spurs(places, everyone(SHARE)[1]).set_index("people")["n"]
    assert told.drop("of these, spine worn").sum() == len(compared.cohort(places, everyone(SHARE)[1]))


@pytest.mark.slow
def test_what_a_split_by_vertebra_flatters_is_said_of_the_same_vertebrae(made: Path) -> None:
    both = compared.leakage(Places(made / "all"), everyone(SHARE)[0])
    assert list(both["grey values"].unique()) == ["as scanned", "of each crop"]
    found = both[both["grey values"] == "as scanned"].set_index("term")
    apart = found.loc["split by vertebra", "estimate"] - found.loc["split by person", "estimate"]
    assert found.loc["flattery", "estimate"] == pytest.approx(apart)
    assert found.loc["split by vertebra", "n"] > 3 * found.loc["split by vertebra", "people"]
