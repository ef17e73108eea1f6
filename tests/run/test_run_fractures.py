"""Recipe four on simulated people: what can be known, comparisons of what is told of them, and the page."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad

from spineclock.core.anatomy import ARCH, BODY
from spineclock.core.errors import RefusedError, UsageError
from spineclock.core.records import Scan
from spineclock.core.volume import Mask, Volume
from spineclock.phantom.anatomy.traits import traits_of
from spineclock.phantom.ct.scanner import Request, acquire
from spineclock.phantom.health import health_parameters
from spineclock.phantom.outcomes import hazards
from spineclock.phantom.parameters import load
from spineclock.phantom.people import people
from spineclock.prep.ct_sampling import MUSCLES
from spineclock.run.fractures import compared, outlined, package, page, results, scans, trained
from spineclock.run.fractures import people as people_module
from spineclock.run.fractures.compared import FIRST, HU, HU_BONE, HU_MUSCLE, MARGIN, called, of_world, pairs
from spineclock.run.fractures.oracle import (
    ALONE,
    BOTH,
    HORIZONS,
    OUTCOME,
    TRUTH,
    Oracle,
    agreeing,
    drawn,
    equal_networks,
    judged,
)
from spineclock.run.fractures.people import (
    GRID_SHAPE,
    IDLE,
    LEARNED,
    LEAST_AGE,
    MATTERS,
    TESTED,
    VARIANTS,
    People,
    Places,
    Variant,
)
from spineclock.run.fractures.scans import made, measured
from spineclock.run.training.diagnosis_card import diagnosis_card
from spineclock.stats.survival.cumulative import CumulativeIncidence

pytestmark = pytest.mark.usefixtures("in_this_process")
SOME = People("some", 3000, 901, MATTERS, MATTERS)
OUTCOMES = ("vertebral_fracture_years", "vertebral_fracture", "death")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return drawn(SOME)


def test_nobody_is_in_two_sets_and_each_world_is_learned_and_tested() -> None:
    every = (*LEARNED, *TESTED)
    assert len({people.seed for people in every}) == len({people.name for people in every}) == len(every)
    some = [set(drawn(people.scaled(0.01))["person_id"]) for people in every]
    assert sum(map(len, some)) == len(set.union(*some))
    assert {people.learned for people in TESTED} == {people.world for people in LEARNED} == {MATTERS, IDLE}
    assert len({variant.name for variant in VARIANTS}) == len(VARIANTS) == 12
    assert [called(v) for v in of_world(IDLE)] == 3 * ["bone, both tasks", "bone and muscle, both tasks"]
    assert len({Places(Path(), 1, IDLE).evaluation(TESTED[1], variant) for variant in of_world(IDLE)}) == 6


def test_people_are_as_old_as_the_publications(table: pd.DataFrame) -> None:
    assert table["age_years"].min() >= LEAST_AGE
    assert table["age_years"].mean() == pytest.approx(76.2, abs=0.6)
    assert table["male"].mean() == pytest.approx(0.333, abs=0.03)


def test_true_risks_are_the_integral_of_the_hazards(table: pd.DataFrame) -> None:
    parameters = health_parameters(load(MATTERS)).outcomes
    few = table.iloc[:3].reset_index(drop=True)
    told = hazards(few, few, parameters=parameters)

    def rate(kind: str, years: float, k: int) -> float:
        h = told[kind]
        return float(np.exp(h.start[k] + h.growth[k] * years + h.effect[k]))

    def either(years: float, k: int) -> float:
        return rate("vertebral_fracture", years, k) + rate("death", years, k)

    def gone(years: float, k: int) -> float:
        return float(quad(either, 0, years, args=(k,))[0])

    for k in range(3):
        for h in HORIZONS:
            exact = quad(lambda t, k=k: rate("vertebral_fracture", t, k) * np.exp(-gone(t, k)), 0, h)[0]
            assert few.loc[k, f"true_risk_{h:g}_years"] == pytest.approx(exact, abs=2e-5)


def test_true_risks_are_what_befalls_people(table: pd.DataFrame) -> None:
    found = CumulativeIncidence(OUTCOME, HORIZONS)(table)
    for row in found.itertuples():
        expected = table[f"true_risk_{row.horizon_years:g}_years"].mean()
        assert abs(row.estimate - expected) < 3 * row.se


@pytest.mark.slow
def test_muscle_adds_where_it_matters_and_nothing_where_it_is_idle() -> None:
    gains = {}
    for world, seed in ((MATTERS, 902), (IDLE, 904)):
        learned, test = People("l", 3000, seed, world, world), People("t", 3000, seed + 1, world, world)
        found = Oracle(draws=2, resamples=30)(learned, test)
        c = found[(found["figure"] == "harrell") & (found["against"] == "")].set_index("model")["estimate"]
        assert c[TRUTH] > c[BOTH] > 0.7
        row = found[(found["figure"] == "harrell") & (found["against"] == ALONE)].iloc[0]
        assert row["estimate"] == pytest.approx(c[BOTH] - c[ALONE], abs=1e-9)
        gains[world] = row
    assert gains[MATTERS]["estimate"] > 3 * gains[MATTERS]["sd"]
    assert abs(gains[IDLE]["estimate"]) < MARGIN / 2
    assert gains[IDLE]["equivalent"] == 1


def test_the_likelier_two_networks_are_the_fewer_events_are_needed(table: pd.DataFrame) -> None:
    tested, told = judged(drawn(People("l", 2500, 906, MATTERS, MATTERS)), table)
    found = agreeing(tested, told, correlations=(0.9, 0.99), resamples=60)
    assert found["events_needed"].is_monotonic_decreasing
    row = found.iloc[0]
    assert row["events_needed"] == pytest.approx(row["events"] * (row["sd"] / (MARGIN / 2.927)) ** 2, rel=1e-2)


def test_only_models_that_are_there_are_held_against_each_other() -> None:
    assert pairs({FIRST: 0, HU: 0}) == ((FIRST, HU),)
    assert pairs({HU: 0}) == ()


def pretended(places: Places, *, networks: bool) -> None:
    """What the stages before the comparison leave, with measures and risks made from the truth with noise."""
    rng = np.random.default_rng(3)
    for some in (*places.learned, *places.tested):
        table = drawn(some)
        n = len(table)
        measures = pd.DataFrame({"scan_id": table["scan_id"], "seconds": 0.1})
        for name in (*HU_BONE, *HU_MUSCLE):
            measures[name] = rng.normal(size=n)
        measures["mean_hu"] = table["mineral_mg_cm3"] + rng.normal(0, 10, n)
        measures["erector_hu"] = -table["erector_fat_percent"] + rng.normal(0, 2, n)
        measures.to_csv(places.measures(some), index=False)
    for variant in VARIANTS if networks else ():
        places.run(variant).mkdir()
        (places.run(variant) / "run.json").write_text(json.dumps(
            {"scans": {"train": 12, "validation": 4}, "epochs": 3, "training_minutes": 1.0, "ended": "2026-01-01T01:00",
             "weights_sha256": f"of {variant.name}"}
        ))  # fmt: skip
        (places.run(variant) / "network.json").write_text(json.dumps({"ages_years": [67, 85], "of": variant.name}))
        (places.run(variant) / "weights.safetensors").write_bytes(variant.name.encode())
        for some in places.tested:
            if some.learned == variant.world:
                table, folder = drawn(some), places.evaluation(some, variant)
                folder.mkdir()
                (folder / "evaluation.md").write_text("")
                noise = np.exp(rng.normal(0, 0.2 if variant.inputs == "bone_muscle" else 0.8, len(table)))
                said = table[["scan_id", "person_id", "age_years", "sex", *OUTCOMES]]
                detection = said.assign(label=table["prevalent_fracture"], probability=0.5, called=True)
                diagnosis_card(detection).to_csv(folder / "detection.csv", index=False)
                if variant.tasks != "detection":
                    said = said.assign(**{f"risk_{h:g}_years": (table[f"true_risk_{h:g}_years"] * noise).clip(upper=1)
                                          for h in HORIZONS})  # fmt: skip
                if variant.tasks != "follow_up":
                    said = said.assign(probability=table["prevalent_fracture"] * 0.3 + rng.random(len(table)))
                said.to_csv(folder / "predictions.csv", index=False)
    if networks:
        some = drawn(outlined.PEOPLE.scaled(places.scale))
        true = some["true_risk_5_years"]
        own = (1 - true).where(some.index > 0)  # the first is refused
        pd.DataFrame({
            "scan_id": some["scan_id"], "outlined_risk": own, "outlined_fracture": rng.random(len(some)),
            "outlined_shown": "L1 L2 L3", "outlined_refused": "", "true_risk": true,
            "true_fracture": some["fracture_in_view"] * 0.9, "true_shown": "L1 L2 L3", "true_refused": "",
        }).to_csv(outlined.answers(places), index=False)  # fmt: skip


def page_of(places: Places, out: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The page, page.md in ``out``, of what was pretended."""
    monkeypatch.setattr(results, "inputs_png", lambda: b"")
    monkeypatch.setattr(page, "ENOUGH_EVENTS", 20)
    asked = results.Asked(draws=2, resamples=100, plan=0.05)
    results.written(places, asked, page_at=out / "page.md", pictures=out, command="make fractures")
    return (out / "page.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("networks", [True, False])
def test_the_page_says_what_was_found(networks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = Places(tmp_path / "out", 0.12)
    places.out.mkdir()
    pretended(places, networks=networks)
    text = page_of(places, tmp_path, monkeypatch)
    assert "A run at 0.12 of its full size" in text
    assert ("Not trained in this run" in text) != networks
    assert ("12 scans to learn from, 3 epochs" in text) == networks
    assert "](../images/page_thirds.png)" in text
    assert (tmp_path / "page_thirds.png").read_bytes().startswith(b"\x89PNG")
    found = pd.read_csv(places.out / "matters_test-predicted.csv")
    c = found[(found["figure"] == "harrell") & found["against"].isna()].set_index("model")["estimate"]
    assert c[TRUTH] == c.max()
    assert ("## Without label maps" in text) == networks
    if networks:
        (c_row,) = [line for line in text.splitlines() if line.startswith("| c | ")]
        own, true, apart = (float(cell.split()[0].replace("−", "-")) for cell in c_row.split("|")[2:5])
        assert own < 0.5 < true
        assert apart == pytest.approx(own - true, abs=2e-3)
        gain = found[(found["model"] == FIRST) & (found["against"] == "bone, both tasks")].iloc[0]
        assert gain["estimate"] == pytest.approx(c[FIRST] - c["bone, both tasks"], abs=1e-5)
        assert ("95% interval lies above 0: **recovered**" in text) == (gain["low"] > 0)
        told = pd.read_csv(places.out / "matters_test-explained.csv").set_index("log odds by an SD of")
        assert told.loc["psoas index", TRUTH] < -0.2  # strong muscles protect where they matter
        # less noise was put on the risk of bone and muscle than on that of bone
        assert told.loc["R² of all", TRUTH] > told.loc["R² of all", FIRST] > told.loc["R² of all", "bone, both tasks"]
        detected = pd.read_csv(places.out / "matters_test-detected.csv")
        every = detected[detected["fractures"].str.startswith("T4")].set_index("term")["estimate"]
        assert every[FIRST] > 0.65
    else:
        assert FIRST not in c
        assert "recovered" not in text.split("## Muscle matters")[1]


@pytest.mark.slow
def test_a_world_alone_has_a_page_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = Places(tmp_path / "out", 0.12, IDLE)
    places.out.mkdir()
    pretended(places, networks=True)
    places.measures(places.tested[0]).unlink()
    text = page_of(places, tmp_path, monkeypatch)
    assert "## Muscle is idle" in text
    assert "the 90% interval lies within ±0.01: **" in text
    assert "events_needed" in text  # of two equal networks, which is this world's question
    assert "6 trainings of 25 epochs" in text
    assert "muscle_idle, bone, both tasks, seed 2: 12 scans to learn from" in text
    assert "- Not told: HU of bone and muscle: these people were not measured in this run" in text
    for elsewhere in ("| HU of bone", "largest loss", "matters_", "## Beside the publication", "## Without label maps"):
        assert elsewhere not in text
    rows = pd.read_csv(places.out / "idle_test-by_seed.csv").set_index("trainings")
    means = rows.loc["means of 3"]
    assert f"| means of 3 | {means['with']:.3f} | {means['without']:.3f} |" in text
    singles = rows.drop(index="means of 3")
    assert list(singles.index) == ["seed 0", "seed 1", "seed 2"]
    assert singles["without"].nunique() == 3
    # the noise that was put on each training's risks is averaged out
    assert means["without"] > singles["without"].max()
    assert means["correlation"] > singles["correlation"].max()
    predicted = pd.read_csv(places.out / "idle_test-predicted.csv")
    c = predicted[(predicted["figure"] == "harrell") & predicted["against"].isna()].set_index("model")["estimate"]
    assert [c[FIRST], c["bone, both tasks"]] == pytest.approx([means["with"], means["without"]], abs=1e-5)
    frames = [pd.read_csv(places.evaluation(places.tested[0], v) / "predictions.csv", index_col="scan_id")
              for v in of_world(IDLE) if v.inputs == "bone"]  # fmt: skip
    told = compared.tested(places, places.learned[0], places.tested[0], trained.said(places, places.tested[0])).table
    mean = sum(frame["risk_5_years"] for frame in frames) / 3
    assert mean.loc[told["scan_id"]].to_numpy() == pytest.approx(told["bone_both_risk_5_years"].to_numpy())


def test_nothing_is_said_of_equal_networks_where_muscle_matters_alone() -> None:
    one = Places(Path(), 0.05, MATTERS)
    assert equal_networks(one.learned, one.tested).empty


@pytest.mark.slow
def test_scans_are_made_and_measured_once(tmp_path: Path) -> None:
    places, few = Places(tmp_path), People("few", 4, 907, MATTERS, MATTERS)
    made(places, few, workers=1)
    found = measured(places, few, workers=1)
    table = drawn(few)
    assert sorted(found["scan_id"]) == sorted(table["scan_id"])
    assert set(HU_BONE) | set(HU_MUSCLE) <= set(found)
    assert found["psoas_area_mm2"].between(500, 4000).all()
    before = places.measures(few).stat().st_mtime_ns, (places.cohort(few) / "phantom.json").stat().st_mtime_ns
    made(places, few, workers=1)
    measured(places, few, workers=1)
    after = places.measures(few).stat().st_mtime_ns, (places.cohort(few) / "phantom.json").stat().st_mtime_ns
    assert before == after


@pytest.mark.slow
def test_the_grid_holds_the_spine_and_muscles_of_the_most_muscular() -> None:
    some = [one for one in traits_of(people(400, seed=5, parameters=load(MATTERS))) if one.age_years >= LEAST_AGE]
    for person in sorted(some, key=lambda one: one.psoas_index_cm2_m2)[-6:]:
        (scan,) = acquire(person, Request(grid_shape=GRID_SHAPE, world=MATTERS), seed=5)
        rows = scan.labels.array
        for border in (rows[:, 0], rows[:, -1]):
            assert not np.isin(border, MUSCLES).any()
            assert not ((border > BODY) & (border < ARCH)).any()


@pytest.mark.slow
@pytest.mark.timeout(600)  # seconds where nobody else is at work
def test_from_people_to_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All stages in small: coarse scans of few people, one training of one epoch, one tested set."""
    learned, tested = (People(f"matters_{name}", n, seed, MATTERS, MATTERS)
                       for name, n, seed in (("learned", 56, 942), ("test", 56, 954)))  # fmt: skip
    one = Variant(MATTERS, "bone_muscle", "follow_up")
    monkeypatch.setattr(people_module, "LEARNED", (learned,))
    monkeypatch.setattr(people_module, "TESTED", (tested,))
    monkeypatch.setattr(scans, "GRID", "60x42x56")
    for module in (compared, results, trained, page):
        monkeypatch.setattr(module, "of_world", lambda world: (one,), raising=False)
    monkeypatch.setattr(trained, "SHARES", {"train_share": 0.55, "validation_share": 0.4})
    for module in (outlined, results):
        monkeypatch.setattr(module, "NETWORK", one)
    monkeypatch.setattr(outlined, "PEOPLE", People("matters_outlined", 3, 86, MATTERS, MATTERS))
    monkeypatch.setattr(results, "inputs_png", lambda: b"")
    places, asked = Places(tmp_path), results.Asked(epochs=1, batch_size=8, workers=1, draws=2, resamples=20, plan=10)
    results.scanned(places, asked)
    results.learned(places, asked)
    results.written(places, asked, page_at=tmp_path / "page.md", pictures=tmp_path, command="make fractures")
    said = trained.said(places, tested)[one]
    assert said[[f"risk_{h:g}_years" for h in HORIZONS]].apply(lambda column: column.between(0, 1)).all(axis=None)
    assert set(said["scan_id"]) <= set(drawn(tested)["scan_id"])
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "1 epochs" in text
    assert "nothing is concluded" in text
    assert "recovered" not in text
    assert "Not told" in text.split("## Without label maps")[1]
    again = pd.read_csv(outlined.answers(places))
    assert set(again["scan_id"]) == set(drawn(outlined.PEOPLE.scaled(1))["scan_id"])
    assert again[["true_risk", "true_refused"]].notna().sum(axis=1).eq(1).all()
    before = outlined.answers(places).stat().st_mtime_ns
    outlined.outlined(places, workers=1)
    assert outlined.answers(places).stat().st_mtime_ns == before
    (places.run(one) / "weights.safetensors").write_bytes(b"another network")
    assert not outlined.answers(places).exists()


def test_a_card_tells_the_risk_by_age_and_sex(table: pd.DataFrame) -> None:
    said = table.assign(sex=np.where(table["male"], "M", "F"), risk_5_years=table["true_risk_5_years"])
    found = package.risk_by_group(said).set_index("people")
    assert {"everyone", "men", "women", "65 to 74 years", "75 to 84 years, women"} <= set(found.index)
    assert found.loc["men", "scans"] + found.loc["women", "scans"] == len(table) == found.loc["everyone", "scans"]
    for name in ("everyone", "men", "women"):
        assert 0.7 < float(found.loc[name, "c"].split()[0]) < 0.95
        low, high = (float(end) for end in found.loc[name, "observed"].split("(")[1].rstrip(")").split(" to "))
        assert low <= found.loc[name, "mean risk"] <= high
    nobody = said.assign(vertebral_fracture=False)
    assert package.risk_by_group(nobody)["c"].eq("—").all()


def test_a_scan_is_read_by_either_outlines_and_what_is_refused_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(scan: Scan) -> SimpleNamespace:
        if scan.mask is None:
            raise RefusedError("no spine")
        told = SimpleNamespace(risk=0.2, probability=0.7, shown=("L1", "L2"))
        return SimpleNamespace(event=told)

    image = Volume(np.zeros((3, 3, 3), np.int16), np.eye(4))
    monkeypatch.setattr(outlined, "with_label_map", lambda path, max_bytes: (image, Mask(image.array, image.affine)))
    monkeypatch.setattr(outlined, "reader", lambda recipe, model: SimpleNamespace(read=read))
    row = outlined.tell(outlined.Task("a", tmp_path / "a.nii", tmp_path))
    assert row == {"scan_id": "a", "outlined_refused": "no spine.", "true_risk": 0.2, "true_fracture": 0.7,
                   "true_shown": "L1 L2"}  # fmt: skip


def test_networks_ship_with_a_card_or_not_at_all(tmp_path: Path) -> None:
    places, weights = Places(tmp_path / "out", 0.12, MATTERS), tmp_path / "weights"
    places.out.mkdir()
    with pytest.raises(UsageError, match="not done"):
        package.package(places, weights, command="make fractures")
    assert not weights.exists()
    pretended(Places(places.out, places.scale), networks=True)
    package.package(places, weights, command="make fractures")
    for inputs in ("bone_muscle", "bone"):
        assert (weights / "ct_fracture" / inputs / "weights.safetensors").read_text() == f"muscle_matters-{inputs}-both"
    card = (weights / package.CARD).read_text(encoding="utf-8")
    for words in ("of muscle_matters-bone_muscle-both", "ages 67 to 85", "`make fractures`", "seed 80",
                  "### matters shifted (world `shifted+muscle_matters`, seed 85)", "images of `shifted`"):  # fmt: skip
        assert words in card
    scans = len(drawn(TESTED[0].scaled(0.12)))
    (there, later), *_ = [[line for line in part.splitlines() if line.startswith("| everyone")]
                          for part in card.split("### ")[1].split("bone, both tasks, a fracture that")[:1]]  # fmt: skip
    assert there.startswith(f"| everyone | {scans} |")
    assert later.startswith(f"| everyone | {scans} |")
