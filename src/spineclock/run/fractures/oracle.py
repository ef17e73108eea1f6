"""What can be known of who will break a vertebra: risks from the truth and from what images show of it, without images.

A network cannot do better than the truth, nor, from an image, than a model of what the image is made by. How sure a
test of so many people is of a difference between two such models says whether that many are enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.phantom.anatomy.template import people_world
from spineclock.phantom.anatomy.traits import traits_of
from spineclock.phantom.ct.style import ranges
from spineclock.phantom.health import health_parameters
from spineclock.phantom.outcomes import Outcomes, hazards
from spineclock.phantom.parameters import load
from spineclock.phantom.people import people
from spineclock.phantom.radiograph.tissue import trabecular_mg_cm3
from spineclock.phantom.risk import FRAX_LIKE
from spineclock.run.fractures.people import IDLE, LEAST_AGE, People
from spineclock.stats.result import results
from spineclock.stats.survival.comparators import FittedRisk
from spineclock.stats.survival.compared import RiskComparison, Told
from spineclock.stats.survival.follow_up import TimeTo

Floats = npt.NDArray[np.float64]

OUTCOME = TimeTo("vertebral_fracture", competing="death", competing_time="death_years")
HORIZONS = (2.0, 3.0, 5.0)
SEEN_LEVELS = ("L1", "L2", "L3")
"""The three vertebrae that a network is shown of a scan that shows all."""
BONE = ("mineral_mg_cm3", "lumbar_spine_t_score", "spine_age_years", "male", "fracture_in_view")
"""What bone in a CT is made by: trabecular mineral, the thickness of cortex, the marrow's and spurs' age, size."""
MUSCLE = ("psoas_index_cm2_m2", "erector_fat_percent")
CLINICAL = ("age_years", "male", "bmi", "prevalent_fracture")
TRUTH, BOTH, ALONE, BY_CLINIC, FRAX = (
    "truth", "bone and muscle as shown", "bone as shown", "age, sex, BMI, prevalent fracture", "FRAX-like",
)  # fmt: skip


def drawn(some: People) -> pd.DataFrame:
    """The people of a set who are old enough, with what follows, the true risks, and what images show of them."""
    parameters = load(people_world(some.world))
    everybody = people(some.count, seed=some.seed, parameters=parameters)
    broken = everybody.fractures[everybody.fractures["level"].isin(SEEN_LEVELS)]
    table = everybody.table.assign(
        true_gap_years=everybody.truth["true_gap_years"], spine_age_years=everybody.truth["spine_age_years"],
        prevalent_fracture=everybody.table["prevalent_vertebral_fractures"] > 0,
        male=everybody.table["sex"] == "M", fracture_in_view=everybody.table["scan_id"].isin(broken["scan_id"]),
    )  # fmt: skip
    bone = ranges(some.images or some.world).bone
    table["mineral_mg_cm3"] = [trabecular_mg_cm3(one, bone, seed=some.seed) for one in traits_of(everybody)]
    table = table[table["age_years"] >= LEAST_AGE].reset_index(drop=True)
    risk = true_risks(table, health_parameters(parameters).outcomes)
    return table.assign(**{f"true_risk_{h:g}_years": risk[:, k] for k, h in enumerate(HORIZONS)})


def true_risks(table: pd.DataFrame, parameters: Outcomes, horizons: Sequence[float] = HORIZONS) -> Floats:
    """(people, horizons) the probability of a vertebral fracture by each horizon, death competing, by the true hazards.

    By the midpoint rule in steps of a tenth of a year, which leaves an error below 1e-5.
    """
    told = hazards(table, table, parameters=parameters)
    fracture, death = told["vertebral_fracture"], told["death"]
    edges = np.linspace(0.0, max(horizons), round(max(horizons) / 0.1) + 1)
    n = len(table)
    total, had = np.zeros(n), np.zeros((len(edges), n))
    for k in range(1, len(edges)):
        middle = np.full(n, (edges[k - 1] + edges[k]) / 2)
        free = np.exp(-fracture.cumulative(middle) - death.cumulative(middle))
        total = total + free * (
            fracture.cumulative(np.full(n, edges[k])) - fracture.cumulative(np.full(n, edges[k - 1]))
        )
        had[k] = total
    at = np.searchsorted(edges, np.asarray(horizons) - 1e-9)
    return np.asarray(had[at].T)


def counted(some: Sequence[People]) -> pd.DataFrame:
    """Who is in each set: people scanned, ages, sexes, fractures there are and fractures to come."""
    rows = []
    for one in some:
        table = drawn(one)
        by = table["vertebral_fracture_years"] <= HORIZONS[-1]
        rows.append({
            "set": one.name, "seed": one.seed, "world": one.world, "images": one.images or one.world,
            "drawn": one.count, "scanned": len(table), "mean age": float(table["age_years"].mean()),
            "SD": float(table["age_years"].std()), "women": float((~table["male"]).mean()),
            "fractured": float(table["prevalent_fracture"].mean()),
            "within L1 to L3": float(table["fracture_in_view"].mean()),
            "events within 5 years": int((table["vertebral_fracture"].astype(bool) & by).sum()),
            "deaths within 5 years": int((table["death"].astype(bool) & (table["death_years"] <= HORIZONS[-1])).sum()),
        })  # fmt: skip
    return pd.DataFrame(rows)


def judged(learned: pd.DataFrame, tested: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Told]]:
    """The tested people with the risk of every model, fitted on those learned from, and each model's columns."""
    both = pd.concat([learned.assign(split="train"), tested.assign(split="test")], ignore_index=True)
    told: dict[str, Told] = {TRUTH: {h: f"true_risk_{h:g}_years" for h in HORIZONS}}
    for short, name, columns in (
        ("shown", BOTH, (*BONE, *MUSCLE)), ("bone", ALONE, BONE), ("clinical", BY_CLINIC, CLINICAL)
    ):  # fmt: skip
        model = FittedRisk(OUTCOME, columns, short, horizons=HORIZONS)
        both, told[name] = model(both), model.told
    told[FRAX] = FRAX_LIKE
    return both[both["split"] == "test"].reset_index(drop=True), told


@dataclass(frozen=True)
class Oracle:
    """What models of the truth reach in tests as large as one set of people, and how sure such a test is.

    Each draw is as many other people as the set has. Rows by figure and horizon: of each model its mean over the draws;
    of the differences bone and muscle − bone, and bone and muscle − clinical, ``expected`` (the mean over draws),
    ``sd`` (the mean bootstrap SD of one such test), ``between_sd`` (SD between draws), ``seen`` (the share of draws
    whose 95% interval lies above 0), ``equivalent`` (whose 90% interval lies within ±0.01). Columns beside: ``people``,
    ``events`` (within five years), ``draws``.
    """

    draws: int = 6
    resamples: int = 200

    def __call__(self, learned: People, tested: People) -> pd.DataFrame:
        """The rows, for people learned from and tested."""
        train = drawn(learned)
        found, sizes = [], []
        for k in range(self.draws):
            own, told = judged(train, drawn(_others(tested, k)))
            compare = RiskComparison(
                OUTCOME, told, ("harrell", "auroc"), HORIZONS, until=HORIZONS[-1],
                pairs=((BOTH, ALONE), (BOTH, BY_CLINIC)), resamples=self.resamples, seed=k,
            )  # fmt: skip
            found.append(compare(own).assign(draw=k))
            within = own["vertebral_fracture"].astype(bool) & (own["vertebral_fracture_years"] <= HORIZONS[-1])
            sizes.append((len(own), int(within.sum())))
        every, size = pd.concat(found, ignore_index=True), np.mean(sizes, axis=0)
        about = {"set": tested.name, "world": tested.learned, "people": round(size[0]), "events": round(size[1]),
                 "draws": self.draws}  # fmt: skip
        order = every.drop_duplicates("term")["term"]
        return results({**about, **_summed(every[every["term"] == term])} for term in order)


def _others(tested: People, k: int) -> People:
    """As many other people, whose seeds no set has."""
    return People(tested.name, tested.count, 10_000 + 100 * tested.seed + k, tested.world, tested.learned,
                  tested.images)  # fmt: skip


def _summed(rows: pd.DataFrame) -> dict[str, object]:
    first, values = rows.iloc[0], rows["estimate"].to_numpy(dtype=float)
    spread = 1.96 * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    told: dict[str, object] = {
        "term": first["term"], "estimate": float(values.mean()), "low": values.mean() - spread,
        "high": values.mean() + spread, "n": len(values), "p": np.nan, "sentence": "",
        **{name: first[name] for name in ("figure", "model", "against", "horizon_years")},
        "sd": float(rows["se"].mean()), "between_sd": float(values.std(ddof=1)) if len(values) > 1 else np.nan,
        "seen": np.nan, "equivalent": np.nan,
    }  # fmt: skip
    if first["against"]:
        told |= {"seen": float((rows["low"] > 0).mean()), "equivalent": float(rows["equivalent"].astype(bool).mean())}
    return told


def agreeing(
    table: pd.DataFrame, told: Mapping[str, Told], *, correlations: Sequence[float] = (0.9, 0.95, 0.98, 0.99),
    margin: float = 0.01, resamples: int = 200,
) -> pd.DataFrame:  # fmt: skip
    """How sure a test is that two networks are equally good, by how alike they are: of ``table``'s people.

    Two trainings that see the same differ in noise of their own, unlike two models of the truth. Here both tell the
    risk of bone as shown on the scale of log(−log(1 − risk)), with noise of half its variance, of which they share as
    much as leaves them so correlated. Rows: ``correlation``, ``c`` (of the first), ``sd`` of the difference in c (the
    mean of five pairs), ``events`` (within five years), ``events_needed`` for the 90% interval to lie within the margin
    four times in five where there is no difference (SD of margin / (1.645 + 1.282)).
    """
    columns = told[ALONE]
    assert not isinstance(columns, str)
    risk = table[columns[HORIZONS[-1]]].to_numpy(dtype=float).clip(1e-9, 1 - 1e-9)
    signal = np.log(-np.log1p(-risk))
    had = table["vertebral_fracture"].astype(bool) & (table["vertebral_fracture_years"] <= HORIZONS[-1])
    rows = []
    for correlation in correlations:
        found = []
        for seed in range(5):
            rng = np.random.default_rng([seed, 77])
            own = rng.standard_normal((3, len(table))) * signal.std() * np.sqrt(0.5)
            share = (1.5 * correlation - 1) / 0.5
            noisy = signal + np.sqrt(share) * own[0] + np.sqrt(1 - share) * own[1:]
            both = table.assign(one=noisy[0], other=noisy[1])
            compare = RiskComparison(OUTCOME, {"one": "one", "other": "other"}, ("harrell",), until=HORIZONS[-1],
                                     margin=margin, resamples=resamples)  # fmt: skip
            told_of = compare(both)
            found.append((told_of["estimate"].to_numpy()[0], told_of["se"].to_numpy()[2]))  # the difference comes last
        c, sd = np.mean(found, axis=0)
        events = int(had.sum())
        rows.append({"correlation": correlation, "c": c, "sd": sd, "events": events,
                     "events_needed": round(events * (sd * (1.645 + 1.282) / margin) ** 2)})  # fmt: skip
    return pd.DataFrame(rows)


def equal_networks(learned: Sequence[People], tested: Sequence[People]) -> pd.DataFrame:
    """The same for the tested people of the world in which muscle is idle; without rows where it is not among them."""
    idle = [[one for one in some if one.world == IDLE] for some in (learned, tested)]
    if not all(idle):
        return pd.DataFrame(columns=["correlation", "c", "sd", "events", "events_needed"])
    return agreeing(*judged(*(drawn(some[0]) for some in idle)))


def oracles(
    learned: Sequence[People], tested: Sequence[People], *, draws: int = 6, resamples: int = 200
) -> pd.DataFrame:
    """The rows of every tested set, one below the other."""
    by_world, oracle = {one.world: one for one in learned}, Oracle(draws, resamples)
    return pd.concat([oracle(by_world[one.learned], one) for one in tested], ignore_index=True)


def verdict(found: pd.DataFrame) -> str:
    """Whether differences such as are expected will be seen with so many people, a sentence for each tested set."""
    lines = []
    for name, rows in found[(found["figure"] == "harrell") & (found["against"] == ALONE)].groupby("set", sort=False):
        row = rows.iloc[0]
        what = (
            f"in {row['equivalent']:.0%} of {row['draws']:.0f} draws its 90% interval lay within ±0.01"
            if row["world"] == IDLE
            else f"in {row['seen']:.0%} of {row['draws']:.0f} draws its 95% interval lay above 0"
        )
        lines.append(f"- `{name}`: {row['people']:,.0f} people, {row['events']:,.0f} events within five years. c with "
                     f"muscle − without is expected to be {row['estimate']:+.4f}, one test's SD {row['sd']:.4f}; "
                     f"{what}.")  # fmt: skip
    return "\n".join(lines)


def kept(path: Path, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """A table as it was written, or made and written now."""
    if not path.is_file():
        make().to_csv(path, index=False, float_format="%.6g")
    found = pd.read_csv(path)
    return found.assign(against=found["against"].fillna("")) if "against" in found else found
