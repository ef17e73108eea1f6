"""Networks, HU measures, clinical factors, a FRAX-like score and the truth on the same tested people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from spineclock.core.errors import SpineclockError, TableError
from spineclock.run.fractures.oracle import CLINICAL, FRAX, HORIZONS, MUSCLE, OUTCOME, TRUTH, drawn
from spineclock.run.fractures.people import VARIANTS, Inputs, People, Places, Tasks, Variant
from spineclock.stats.diagnosis import Auroc
from spineclock.stats.diagnosis.resampled import FigureDifference
from spineclock.stats.survival.comparators import FittedRisk
from spineclock.stats.survival.compared import RiskComparison, Told
from spineclock.stats.survival.cumulative import CumulativeIncidence
from spineclock.stats.survival.predicted_risk import RiskCalibration

HU_BONE = ("mean_hu", "worst_grade", "largest_loss")
HU_MUSCLE = ("psoas_area_mm2", "psoas_hu", "erector_area_mm2", "erector_hu", "erector_intramuscular_fat_share")
HU, HU_ALONE, BY_CLINIC = "HU of bone and muscle", "HU of bone", "age, sex, BMI, prevalent fracture"
SEEN = "L1 to L3, which networks see"
DETECTED = {"fracture_in_view": SEEN, "prevalent_fracture": "T4 to L5, in view or not"}
"""Which broken vertebrae are to be detected, by the column that tells of them."""
MARGIN = 0.01
WORDS: Mapping[tuple[Inputs, Tasks], str] = {
    ("bone_muscle", "both"): "bone and muscle, both tasks", ("bone", "both"): "bone, both tasks",
    ("bone_muscle", "follow_up"): "bone and muscle, follow-up alone", ("bone", "follow_up"): "bone, follow-up alone",
    ("bone_muscle", "detection"): "bone and muscle, detection alone", ("bone", "detection"): "bone, detection alone",
}  # fmt: skip
"""What a training is called in tables."""
FIRST = WORDS["bone_muscle", "both"]


def called(variant: Variant) -> str:
    """What a training is called in tables, whatever its seed.

    >>> called(Variant("muscle_idle", "bone", "both"))
    'bone, both tasks'
    """
    return WORDS[variant.inputs, variant.tasks]


def risk_columns(variant: Variant) -> dict[float, str]:
    """The columns of the risks by each horizon, means over the trainings that differ in their seeds alone."""
    return {h: f"{variant.inputs}_{variant.tasks}_risk_{h:g}_years" for h in HORIZONS}


def detected_column(variant: Variant) -> str:
    """The column of the probability of a fracture that is there, the mean over such trainings."""
    return f"{variant.inputs}_{variant.tasks}_fracture"


@dataclass(frozen=True, eq=False)
class Tested:
    """Tested people, with what every model says of each.

    Attributes
    ----------
    table : DataFrame
        A row a person.
    risks : mapping of model to its column or columns
    detected : mapping of model to its column
    refused : tuple of str
        Models that could not be fitted to those learned from, and why.
    seeds : tuple of int
        Of the trainings whose mean a network's risks are; what each says alone is in ``seed0_…`` and on.
    """

    table: pd.DataFrame
    risks: Mapping[str, Told]
    detected: Mapping[str, str]
    refused: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)


def tested(places: Places, learned: People, people: People, said: Mapping[Variant, pd.DataFrame]) -> Tested:
    """All models' risks for the people of a set.

    Parameters
    ----------
    said : mapping of training to DataFrame
        scan_id, and what its network says: ``risk_2_years`` and on, ``fracture``.
    """
    sets = {"train": drawn(learned), "test": drawn(people)}
    models: list[tuple[str, str, tuple[str, ...]]] = [("clinical", BY_CLINIC, CLINICAL)]
    refused = []
    if measured := all(places.measures(one).is_file() for one in (learned, people)):
        sets = {name: _with_measures(table, places.measures(one))
                for (name, table), one in zip(sets.items(), (learned, people), strict=True)}  # fmt: skip
        middle = sets["train"][[*HU_BONE, *HU_MUSCLE]].median()
        sets = {name: table.fillna(middle) for name, table in sets.items()}
        models = [("hu", HU, (*HU_BONE, *HU_MUSCLE)), ("hu_bone", HU_ALONE, HU_BONE), *models]
    else:
        refused.append(f"{HU}: these people were not measured in this run")
    both = pd.concat([table.assign(split=name) for name, table in sets.items()], ignore_index=True)
    risks: dict[str, Told] = {}
    for short, name, columns in models:
        model = FittedRisk(OUTCOME, columns, short, horizons=HORIZONS)
        try:
            both, risks[name] = model(both), model.told
        except SpineclockError as error:  # of too few people or events
            refused.append(f"{name}: {error}")
    table = both[both["split"] == "test"].reset_index(drop=True)
    own: dict[str, Told] = {}
    detected, alone = {}, dict[str, list[str]]()
    for variant, rows in said.items():
        means = {f"risk_{h:g}_years": name for h, name in risk_columns(variant).items()}
        means["fracture"] = detected_column(variant)
        renamed = {name: _alone(variant.seed, mean) for name, mean in means.items() if name in rows}
        table = table.merge(rows.rename(columns=renamed), on="scan_id", how="left", validate="one_to_one")
        for name, column in renamed.items():
            alone.setdefault(means[name], []).append(column)
        if variant.tasks != "detection":
            own[called(variant)] = risk_columns(variant)
        if variant.tasks != "follow_up":
            detected[called(variant)] = detected_column(variant)
    table = table.assign(**{mean: table[names].mean(axis=1, skipna=False) for mean, names in alone.items()})
    risks = {**own, **risks, FRAX: "frax_like_10_year_percent",
             TRUTH: {h: f"true_risk_{h:g}_years" for h in HORIZONS}}  # fmt: skip
    if measured:
        detected |= {"largest loss of height": "largest_loss"}
    return Tested(table, risks, detected, tuple(refused), tuple(sorted({variant.seed for variant in said})))


def _alone(seed: int, mean: str) -> str:
    """The column of what one training says, of the column of the mean over all."""
    return f"seed{seed}_{mean}"


def _with_measures(table: pd.DataFrame, measures: Path) -> pd.DataFrame:
    return table.merge(pd.read_csv(measures), on="scan_id", how="inner", validate="one_to_one")


def pairs(models: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Which models are held against each other, of those there are: tasks, inputs, and the network against the others.

    >>> pairs({"bone and muscle, both tasks": 0, "bone, both tasks": 0, "FRAX-like": 0})
    (('bone and muscle, both tasks', 'bone, both tasks'), ('bone and muscle, both tasks', 'FRAX-like'))
    """
    bone = WORDS["bone", "both"]
    wanted = (
        (FIRST, WORDS["bone_muscle", "follow_up"]), (bone, WORDS["bone", "follow_up"]),
        (FIRST, WORDS["bone_muscle", "detection"]), (bone, WORDS["bone", "detection"]),
        (FIRST, bone), (FIRST, HU), (FIRST, BY_CLINIC), (FIRST, FRAX), (HU, HU_ALONE),
    )  # fmt: skip
    return tuple(pair for pair in wanted if {*pair} <= {*models})


def predicted(told: Tested, *, resamples: int) -> pd.DataFrame:
    """c, AUROCs and Brier scores of every model, and the paired differences, by bootstrap of people."""
    compare = RiskComparison(
        OUTCOME, told.risks, ("harrell", "uno", "auroc", "brier", "scaled brier", "observed over expected"), HORIZONS,
        until=HORIZONS[-1], pairs=pairs(told.risks), margin=MARGIN, resamples=resamples,
    )  # fmt: skip
    return compare(told.table)


def by_seed(told: Tested, *, resamples: int) -> pd.DataFrame:
    """c of the networks of both tasks with and without muscle, for each seed that both were trained with, and of means.

    Columns: ``trainings``, c ``with`` and ``without`` muscle, their difference as a row of :class:`RiskComparison`
    tells it (``estimate``, ``low``, ``high``, ``low_90``, ``high_90``), ``correlation`` of the two logs of cumulative
    hazard at the last horizon. Empty where each was trained once.
    """
    last, (first, bone) = HORIZONS[-1], (FIRST, WORDS["bone", "both"])
    if len(told.seeds) < 2 or not {first, bone} <= {*told.risks}:
        return pd.DataFrame()
    means = {name: told.risks[name][last] for name in (first, bone)}  # type: ignore[index]
    sets = {f"seed {k}": {name: _alone(k, mean) for name, mean in means.items()} for k in told.seeds}
    sets = {words: columns for words, columns in sets.items() if {*columns.values()} <= {*told.table}}
    rows = []
    for words, columns in (sets | {f"means of {len(sets)}": means}).items():
        compare = RiskComparison(OUTCOME, {name: {last: column} for name, column in columns.items()}, ("harrell",),
                                 (last,), until=last, margin=MARGIN, resamples=resamples)  # fmt: skip
        with_, without, difference = compare(told.table).itertuples()
        risks = told.table[[*columns.values()]].dropna().clip(1e-6, 1 - 1e-6).to_numpy()
        rows.append({"trainings": words, "with": with_.estimate, "without": without.estimate,
                     **{name: getattr(difference, name) for name in ("estimate", "low", "high", "low_90", "high_90")},
                     "correlation": np.corrcoef(np.log(-np.log1p(-risks)).T)[0, 1]})  # fmt: skip
    return pd.DataFrame(rows)


def detected(told: Tested, *, resamples: int) -> pd.DataFrame:
    """AUROC of every model for fractures that are there (``fractures`` says which), and the paired differences."""
    rows, rng = [], np.random.default_rng(0)
    for event, words in DETECTED.items():
        rows.append(Auroc(event, [*told.detected.values()])(told.table).assign(fractures=words))
        for one, other in pairs(told.detected):
            difference = FigureDifference(event, told.detected[one], [told.detected[other]], resamples=resamples)
            rows.append(difference(told.table, rng=rng).assign(fractures=words))
    names = {column: name for name, column in told.detected.items()}
    found = pd.concat(rows, ignore_index=True)
    return found.assign(term=[_named(term, names) for term in found["term"]])


def _named(term: str, names: Mapping[str, str]) -> str:
    for column in sorted(names, key=len, reverse=True):
        term = term.replace(column, names[column])
    return term


def calibrated(told: Tested, *, groups: int = 5) -> pd.DataFrame:
    """Observed incidence beside predicted risk at five years, of all and by fifths of risk, death competing."""
    last = HORIZONS[-1]
    models = {name: {last: columns[last]} for name, columns in told.risks.items() if not isinstance(columns, str)}
    return RiskCalibration(OUTCOME, models, groups=groups)(told.table)


def thirds(told: Tested, model: str) -> pd.DataFrame:
    """Aalen–Johansen curves of people by thirds of a model's risk by the last horizon, ``group`` low, middle, high."""
    columns = told.risks[model]
    risk = told.table[columns if isinstance(columns, str) else columns[HORIZONS[-1]]]
    kept = told.table[risk.notna()]
    third = pd.qcut(risk[risk.notna()].rank(method="first"), 3, labels=["low", "middle", "high"]).astype(str)
    return CumulativeIncidence(OUTCOME, by="third").curves(kept.assign(third=third))


PROPERTIES = {
    "mineral_mg_cm3": "trabecular mineral", "lumbar_spine_t_score": "T-score (cortex)",
    "spine_age_years": "age of the spine", "male": "man", "fracture_in_view": "fracture of L1 to L3",
    "psoas_index_cm2_m2": "psoas index", "erector_fat_percent": "fat in the erector",
}  # fmt: skip


def explained(told: Tested) -> pd.DataFrame:
    """What each model's risk goes with: log odds at the last horizon regressed on what the pictures are made by.

    A row a property: by how much the log odds rise with an SD of it, the others alike; the last row R².

    Raises
    ------
    TableError
        If there are too few people, or all are alike in a property.
    """
    models = [name for name in (FIRST, WORDS["bone", "both"], HU, TRUTH) if name in told.risks]
    table = told.table.dropna(subset=[told.risks[name][HORIZONS[-1]] for name in models])  # type: ignore[index]
    x = table[list(PROPERTIES)].astype(float)
    if len(x) <= 2 * len(PROPERTIES) or not (x.std() > 0).all():
        raise TableError(f"{len(x)} people", wanted="more, who differ in each of the properties")
    design = np.column_stack([np.ones(len(x)), (x - x.mean()) / x.std()])
    rows = pd.DataFrame({"log odds by an SD of": [*PROPERTIES.values(), "R² of all"]})
    for name in models:
        risk = table[told.risks[name][HORIZONS[-1]]].clip(1e-6, 1 - 1e-6).to_numpy(dtype=float)  # type: ignore[index]
        y = np.log(risk / (1 - risk))
        found = np.linalg.lstsq(design, y, rcond=None)[0]
        rows[name] = [*found[1:], 1 - np.square(y - design @ found).sum() / np.square(y - y.mean()).sum()]
    return rows


def of_world(world: str) -> tuple[Variant, ...]:
    """The trainings of a world."""
    return tuple(variant for variant in VARIANTS if variant.world == world)


__all__ = ["MUSCLE", "Tested", "calibrated", "called", "detected", "of_world", "pairs", "predicted", "tested", "thirds"]
