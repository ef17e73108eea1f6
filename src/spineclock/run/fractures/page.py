"""docs/results/fractures.md: what can be known, what was learned from how many, and what the networks said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from spineclock.run.fractures.compared import FIRST, MARGIN, SEEN, WORDS, called, of_world
from spineclock.run.fractures.oracle import ALONE, BOTH, FRAX, HORIZONS, verdict
from spineclock.run.fractures.people import EPOCHS, IDLE, LEARNED, LEAST_AGE, TRAINED_SHARE, Places, Variant
from spineclock.run.study.words import interval
from spineclock.run.tables import markdown
from spineclock.run.training import folder

ENOUGH_EVENTS = 400
"""With fewer nothing is concluded: differences stay in the folder's tables, and the publication stands alone."""
PAPER = (
    ("detection, AUROC", "0.82", "0.80"), ("c, bone and muscle", "0.68", ""), ("c, FRAX", "0.66", ""),
    ("AUROC 2 y, bone and muscle", "", "0.79"), ("AUROC 3 y, bone and muscle", "", "0.71"),
    ("AUROC 5 y, bone and muscle", "", "0.71"), ("AUROC 2 y, bone", "", "0.75"), ("AUROC 3 y, bone", "", "0.68"),
    ("AUROC 5 y, bone", "", "0.68"),
)  # fmt: skip
"""What the publication reports of its development and its external patients (seed 004)."""
OURS = {
    "matters_test": "ours, same sites",
    "matters_other_sites": "ours, other sites",
    "matters_shifted": "ours, shifted",
}
TITLES = {
    "matters_test": "Muscle matters", "idle_test": "Muscle is idle",
    "matters_other_sites": "Muscle matters, other sites", "matters_shifted": "Muscle matters, the shifted world",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Plan:
    """What is known before any scan is made, of the full size."""

    counts: pd.DataFrame
    oracle: pd.DataFrame
    equal: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Found:
    """What came of one tested set."""

    predicted: pd.DataFrame
    detected: pd.DataFrame
    calibrated: pd.DataFrame
    explained: pd.DataFrame
    by_seed: pd.DataFrame
    refused: tuple[str, ...] = ()
    """What could not be told, and why."""

    @property
    def events(self) -> int:
        """Of a vertebral fracture, among those tested."""
        return int(self.predicted["events"].iloc[0]) if len(self.predicted) else 0


def page(
    places: Places, plan: Plan, seconds: pd.DataFrame, found: Mapping[str, Found],
    outlined: pd.DataFrame | str | None, *, command: str, name: str = "fractures",
) -> str:  # fmt: skip
    """The page as Markdown; ``outlined``: what is said of scans without label maps, beside what is with true ones.

    ``name``: of the page, and the beginning of its pictures' names.
    """
    lines = [
        "# Vertebral fracture from CT", "",
        "**All people, scans, fractures and outcomes here are simulated: no real person is described.** Networks of "
        "simulated scans are for research on methods; what they say of a real scan is not known to mean anything.", "",
        f"- Command: `{command}`", *_size(places, found), "",
        "## Who they are", "",
        f"People from {LEAST_AGE:g} years on: the publication says 50 to 80 years and a mean of 76.2, 66.7% women. "
        "Every set has a seed of its own; nobody is in two.", "",
        markdown(plan.counts), "",
        "`other_sites`: people of the same world before other scanners, and another template of anatomy. `shifted`: "
        "other bones, ages of spines and readers too. Fractured: any vertebra from T4 to L5; networks see L1 to L3 of "
        "a scan that shows all.", "",
        "## What can be known", "",
        "Harrell's c to five years and AUROC with death competing, of the true risk, of Cox models on what images show "
        "(trabecular mineral, cortex by the T-score, the spine's age, sex, fractures of L1 to L3; and the muscles), "
        "and of what a clinic knows; means over draws of other people, as many as are tested.", "",
        _oracle(plan.oracle), "", verdict(plan.oracle), "",
        _differences(plan.oracle), "",
        "SD: of the difference in one test (bootstrap) and between draws; seen: draws whose 95% interval lies above 0; "
        f"equivalent: whose 90% interval lies within ±{MARGIN:g}.", "",
        *_equal(plan.equal),
        "![What the networks are shown](../images/fractures_inputs.png)", "",
    ]  # fmt: skip
    for one, told in found.items():
        lines += _tested(one, told)
    if found:
        lines += [f"![Vertebral fractures by thirds of predicted risk](../images/{name}_thirds.png)", ""]
    if outlined is not None:
        lines += ["## Without label maps", "",
                  f"The network of {FIRST} on other people where muscle matters, once by the outlines of the packaged "
                  "network, once by the true label maps, as it learned. Figures are of those whom both answer.", "",
                  f"Not told: {outlined}" if isinstance(outlined, str) else markdown(outlined), ""]  # fmt: skip
    if places.only != IDLE:
        lines += ["## Beside the publication", "", markdown(beside(found), digits=3), "",
                  "The publication's are of other people, with its own network and FRAX itself: 2,553 and 1,506 "
                  "patients of two hospitals.", ""]  # fmt: skip
    lines += ["## Time", "", markdown(_summed(seconds)), "", _full_time(places, plan, seconds), ""]  # fmt: skip
    return "\n".join(lines)


def _equal(equal: pd.DataFrame) -> list[str]:
    """How many events it takes to call two equal networks equivalent, where the world is among them that asks it."""
    if equal.empty:
        return []
    return ["Two networks differ by what each learned wrongly, unlike two models of the truth. So much noise (half the "
            "signal's variance) and as much alike, two equal networks are called equivalent four times in five with "
            "this many events:", "", markdown(equal, digits=4), ""]  # fmt: skip


def beside(found: Mapping[str, Found]) -> pd.DataFrame:
    """The publication's figures beside those of the networks of both tasks where muscle matters, empty where untold."""
    rows = []
    for figure, development, external in PAPER:
        own = {words: _own(figure, found[name]) for name, words in OURS.items()
               if name in found and found[name].events >= ENOUGH_EVENTS}  # fmt: skip
        rows.append({"figure": figure, "publication": development, "external": external, **own})
    return pd.DataFrame(rows)


def _own(figure: str, one: Found) -> float:
    what, _, whose = figure.partition(", ")
    if what == "detection":
        rows = one.detected
        rows = rows[(rows["term"] == FIRST) & (rows["fractures"] == SEEN)] if len(rows) else rows
    else:
        model = {"bone and muscle": FIRST, "bone": WORDS["bone", "both"], "FRAX": FRAX}[whose]
        rows = one.predicted
        if len(rows):
            rows = rows[(rows["model"] == model) & (rows["against"] == "")]
            rows = rows[[_figure(row) == what for row in rows.itertuples()]]
    return float(rows["estimate"].iloc[0]) if len(rows) else float("nan")


def _full_time(places: Places, plan: Plan, seconds: pd.DataFrame) -> str:
    """How long the full size takes at this run's pace."""
    if seconds.empty:
        return ""
    scans = int(plan.counts["scanned"].sum())
    hours = scans * float(_summed(seconds)["seconds a scan"].sum()) / 3600
    said = f"The full size is {scans:,} scans: {hours:.1f} hours at this pace, one process at a time (by the clock, "
    said += "whatever else the machine had to do; measuring by the processor's time)"
    trainings, paces = _trainings(places), []
    for variant in trainings:
        if (path := places.run(variant) / folder.DONE).is_file():
            told = json.loads(path.read_text(encoding="utf-8"))
            paces.append(60 * told["training_minutes"] / (told["epochs"] * told["scans"]["train"]))
    if paces:
        scanned = dict(zip(plan.counts["set"], plan.counts["scanned"], strict=True))
        learned = {people.world: TRAINED_SHARE * scanned.get(people.name, 0) for people in LEARNED}
        hours = EPOCHS * sum(learned[variant.world] for variant in trainings) * min(paces) / 3600
        spread = dict.fromkeys(f"{1000 * pace:.0f}" for pace in (min(paces), max(paces)))
        said += f"; a training takes {' to '.join(spread)} ms a scan and epoch, so that "
        said += f"{len(trainings)} trainings of {EPOCHS} epochs take {hours:.1f} hours or more"
    return f"{said}."


def _trainings(places: Places) -> list[Variant]:
    return [variant for people in places.learned for variant in of_world(people.world)]


def _size(places: Places, found: Mapping[str, Found]) -> list[str]:
    """How large this run was, and what that forbids to conclude."""
    trainings = _trainings(places)
    done = {v: json.loads(path.read_text(encoding="utf-8")) for v in trainings
            if (path := places.run(v) / folder.DONE).is_file()}  # fmt: skip
    lines = []
    if places.scale != 1:
        lines.append(f"- **A run at {places.scale:g} of its full size: it shows that every stage works. Its figures of "
                     "networks are of too few events to mean anything.**")  # fmt: skip
    if places.only:
        lines.append(f"- Of the world {places.only} alone: networks of the other one are not made in this run.")
    few = [f"{name} {one.events}" for name, one in found.items() if one.events < ENOUGH_EVENTS]
    if few:
        lines.append(f"- Events of a vertebral fracture among those tested, where fewer than {ENOUGH_EVENTS}: "
                     f"{', '.join(few)}.")  # fmt: skip
    for variant, told in done.items():
        scans = told["scans"]
        lines.append(f"- {variant.world}, {called(variant)}, seed {variant.seed}: {scans['train']:,} scans to learn "
                     f"from, {told['epochs']} epochs, {told['training_minutes']:.0f} minutes.")  # fmt: skip
    if missing := [v.name for v in trainings if v not in done]:
        lines.append(f"- Not trained in this run: {', '.join(missing)}.")
    return lines


def _oracle(found: pd.DataFrame) -> str:
    alone = found[found["against"] == ""].copy()
    alone["what"] = [_figure(row) for row in alone.itertuples()]
    wide = alone.pivot(index=["set", "model"], columns="what", values="estimate")
    order = alone.drop_duplicates(["set", "model"]).set_index(["set", "model"]).index
    return markdown(wide.loc[order, list(dict.fromkeys(alone["what"]))].reset_index(), digits=3)


def _differences(found: pd.DataFrame) -> str:
    rows = found[(found["against"] == ALONE) & (found["model"] == BOTH)]
    return markdown(pd.DataFrame({
        "set": rows["set"], "with muscle − without": [_figure(row) for row in rows.itertuples()],
        "expected": rows["estimate"], "SD": rows["sd"], "between draws": rows["between_sd"],
        "seen": rows["seen"].map("{:.0%}".format), "equivalent": rows["equivalent"].map("{:.0%}".format),
    }), digits=4)  # fmt: skip


def _figure(row: object) -> str:
    name = {"harrell": "c", "uno": "Uno's c", "auroc": "AUROC", "brier": "Brier", "scaled brier": "scaled Brier",
            "observed over expected": "O/E"}[row.figure]  # type: ignore[attr-defined]  # fmt: skip
    horizon = row.horizon_years  # type: ignore[attr-defined]
    return name if horizon != horizon else f"{name} {horizon:g} y"


def _tested(name: str, one: Found) -> list[str]:
    lines = [f"## {TITLES.get(name, name)}", "", *(f"- Not told: {why}" for why in one.refused), ""]
    return [*lines, *_risks(name, one), *_calibration(one), *_explained(one), *_detection(one)]


def _risks(name: str, one: Found) -> list[str]:
    rows = one.predicted
    if rows.empty:
        return []
    alone = rows[rows["against"] == ""].copy()
    alone["what"] = [_figure(row) for row in alone.itertuples()]
    alone["told"] = [interval(row, digits=3) for row in alone.itertuples()]
    last = f"{HORIZONS[-1]:g} y"
    columns = [w for w in dict.fromkeys(alone["what"]) if w in ("c", "Uno's c") or w.startswith("AUROC")]
    wide = alone.pivot(index="model", columns="what", values="told").loc[list(dict.fromkeys(alone["model"]))]
    errors = wide[[c for c in (f"Brier {last}", f"scaled Brier {last}", f"O/E {last}") if c in wide]].dropna()
    differences = rows[rows["against"] != ""]
    shown = differences[differences["figure"].isin(["harrell", "auroc"])]
    lines = [f"`{name}`: {rows['n'].iloc[0]:,} people, {one.events:,} with a vertebral fracture, "
             f"{rows['competing'].iloc[0]:,} who died before one. Percentile intervals by people.", "",
             markdown(wide[columns].reset_index()), "", markdown(errors.reset_index()), ""]  # fmt: skip
    if one.events < ENOUGH_EVENTS:
        lines += [f"With fewer than {ENOUGH_EVENTS} events no models are compared, and nothing is concluded.", ""]
    elif len(shown):
        lines += [markdown(pd.DataFrame({
            "first": shown["model"], "against": shown["against"],
            "figure": [_figure(row) for row in shown.itertuples()],
            "difference (95% CI)": [interval(row, digits=3) for row in shown.itertuples()], "p": shown["p"],
            "90% interval": [f"{r.low_90:.3f} to {r.high_90:.3f}" for r in shown.itertuples()],
            f"within ±{MARGIN:g}": ["yes" if e is True or e == 1 else "no" for e in shown["equivalent"]],
        }), digits=3), "", *_concluded(name, differences), *_by_seed(one.by_seed)]  # fmt: skip
    return lines


def _by_seed(rows: pd.DataFrame) -> list[str]:
    if rows.empty:
        return []
    return ["A network's risk is the mean over trainings that differ in their seeds alone. c to five years of each:",
            "", markdown(pd.DataFrame({
                "trainings": rows["trainings"], "with muscle": rows["with"], "without": rows["without"],
                "difference (95% CI)": [interval(row, digits=3) for row in rows.itertuples()],
                "90% interval": [f"{r.low_90:.3f} to {r.high_90:.3f}" for r in rows.itertuples()],
                "correlation of log cumulative hazards": rows["correlation"],
            }), digits=3), ""]  # fmt: skip


def _calibration(one: Found) -> list[str]:
    if one.calibrated.empty:
        return []
    groups, last = one.calibrated[one.calibrated["group"] > 0], f"{HORIZONS[-1]:g} years"
    return [f"Observed incidence (Aalen–Johansen, death competing) by fifths of predicted risk at {last}:", "",
              markdown(pd.DataFrame({
                  "model": groups["model"], "fifth": groups["group"].astype(int), "predicted": groups["expected"],
                  "observed (95% CI)": [interval(row, digits=3) for row in groups.itertuples()],
              }), digits=3), ""]  # fmt: skip


def _explained(one: Found) -> list[str]:
    if one.explained.empty:
        return []
    return ["What the risks go with: log odds at 5 years regressed on what the simulated pictures are made by:", "",
            markdown(one.explained, digits=2), ""]  # fmt: skip


def _detection(one: Found) -> list[str]:
    if one.detected.empty:
        return []
    return ["AUROC for a vertebra that is broken at the scan:", "", markdown(pd.DataFrame({
            "broken": one.detected["fractures"], "of": one.detected["term"],
            "AUROC (95% CI)": [interval(row, digits=3) for row in one.detected.itertuples()],
        })), ""]  # fmt: skip


def _concluded(name: str, differences: pd.DataFrame) -> list[str]:
    """Whether the truth of the world was recovered, by the rule laid down before: superior, or equivalent."""
    bone = WORDS["bone", "both"]
    at = differences[(differences["model"] == FIRST) & (differences["against"] == bone)
                     & (differences["figure"] == "harrell")]  # fmt: skip
    if at.empty:
        return []
    row = at.iloc[0]
    if name.startswith(IDLE.split("_")[1]):
        held, rule = bool(row["equivalent"]), f"the 90% interval lies within ±{MARGIN:g}"
    else:
        held, rule = bool(row["low"] > 0), "the 95% interval lies above 0"
    answer = "recovered" if held else "not recovered"
    return [f"c with muscle − without is {row['estimate']:+.3f}; the truth of this world counts as recovered where "
            f"{rule}: **{answer}**.", ""]  # fmt: skip


def _summed(seconds: pd.DataFrame) -> pd.DataFrame:
    """Scans and their seconds by stage."""
    if seconds.empty:
        return pd.DataFrame({"stage": [], "scans": [], "refused": [], "seconds a scan": []})
    weighted = seconds.assign(total=seconds["scans"] * seconds["seconds a scan"])
    summed = weighted.groupby("stage", sort=False)[["scans", "refused", "total"]].sum().reset_index()
    return pd.DataFrame({"stage": summed["stage"], "scans": summed["scans"], "refused": summed["refused"],
                         "seconds a scan": summed["total"] / summed["scans"]})  # fmt: skip
