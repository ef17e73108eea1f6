"""docs/results/osteoporosis.md: what networks of simulated T1 and T2 told of osteoporosis, beside what can be known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from spineclock.run.osteoporosis.compared import BOTH, TRUE
from spineclock.run.osteoporosis.people import GRID, LEAST_AGE, SEQUENCES, SLAB_MM, People
from spineclock.run.study.words import interval
from spineclock.run.tables import markdown
from spineclock.stats.result import p_text

PAPER = pd.DataFrame(
    [("T1w", 0.82, 0.85, 0.79), ("T2w", 0.83, 0.86, 0.80)], columns=["scan", "AUC", "sensitivity", "specificity"]
)
"""EfficientNet-B4 of Ho et al., Diagnostics 16:423, 2026: 218 patients, 738 vertebrae."""


@dataclass(frozen=True, eq=False)
class Found:
    """What came of one tested set: see :mod:`spineclock.run.osteoporosis.compared`."""

    areas: pd.DataFrame
    differences: pd.DataFrame
    calls: pd.DataFrame
    mcnemars: pd.DataFrame
    thresholds: pd.DataFrame
    spurs: pd.DataFrame
    outlined: pd.DataFrame


def page(
    everyone: tuple[People, ...], found: Mapping[str, Found], flattered: pd.DataFrame, networks: pd.DataFrame, *,
    epochs: int, command: str,
) -> str:  # fmt: skip
    """The page as Markdown; ``found`` by the names of the tested sets."""
    who = "; ".join(f"{p.name} {p.count:,} (seed {p.seed}, world {p.world})" for p in everyone)
    lines = [
        "# Osteoporosis from lumbar MRI", "",
        "**All people, scans and densities here are simulated: no real person is described.** Networks of simulated "
        "scans are for research on methods; what they say of a real scan is not known to mean anything.", "",
        f"- Command: `{command}`",
        f"- People drawn: {who}; those from {LEAST_AGE:g} years on are scanned. Nobody is in two sets.",
        f"- Scans: {' and '.join(SEQUENCES)}, {GRID.replace('x', ' × ')} over {SLAB_MM:g} × 288 × 240 mm; crops of "
        f"L1–L4 by true label maps. Networks: crop_small, at most {epochs} epochs.",
        "- Osteoporosis: T ≤ −2.5 at spine, hip or femoral neck *as measured*: osteophytes add to the spine, and every "
        "site has its error ([phantom](../phantom-outcomes.md)).", "",
        "## AUROC by person", "", markdown(_areas(found)), "",
        "95% intervals: DeLong's, of people of whom all of these could be told. Oracle: a logistic model, fitted on "
        "those learned from, of everything in the bodies that goes with bone density, without any noise. Two of these, "
        "the room for marrow and its coarse patches, give the trabecular density itself away. `what is seen for "
        f"itself` leaves these two out. Oracle and baselines were fitted on all those learned from, the "
        f"networks on four in five. {TRUE}: what DXA would be without wear and error, at one site of three.", "",
    ]  # fmt: skip
    lines += ["Paired differences of AUROC (DeLong; not corrected for their number):", "",
              markdown(_differences(found)), ""]  # fmt: skip
    for name, one in found.items():
        lines += [f"## Calls: {name.replace('_', ' ')}", "", markdown(one.calls), "",
                  "Thresholds by Youden's index on validation people. Both weightings' calls of the same people:", "",
                  markdown(one.mcnemars), "", markdown(one.thresholds), "",
                  "Thresholds of validation people; predictive values where 10% or 30% have it, if sensitivity and "
                  "specificity hold there.", "", markdown(one.spurs), ""]  # fmt: skip
    lines += [
        "The publication's, of other people with its own network (EfficientNet-B4), by image:", "", markdown(PAPER), "",
        "![ROC curves and calibration](../images/osteoporosis.png)", "",
        "## Outlined by the packaged network", "",
        "All else here is by true label maps. Some of those tested, half of them with osteoporosis, read without one, "
        "as `spineclock predict` reads a scan:", "",
    ]  # fmt: skip
    for name, one in found.items():
        lines += [f"{name.replace('_', ' ').capitalize()}:", "", markdown(one.outlined), ""]
    flat = flattered.assign(**{"AUROC (95% CI)": [interval(r, digits=3) for r in flattered.itertuples()]})
    lines += [
        "## What a split by vertebra flatters", "",
        markdown(flat[["grey values", "term", "n", "people", "AUROC (95% CI)"]]), "",
        "Nearest neighbours on coarse T1w crops, with grey values as scanned or in standard deviations of each crop. "
        "Where a person's vertebrae look alike, if only in the scanner's scale, whoever has one of them in training is "
        "recognised, and that is no diagnosis. Everything else here is split by person.", "",
        "## Networks at an equal small budget", "", markdown(networks, digits=3), "",
        "T1w, the same scans, as many epochs each, from random weights; minutes by the clock. Tested in the main world."
        " An AUROC near 0.5 is of a network that has not begun to learn in so few steps.", "",
    ]  # fmt: skip
    return "\n".join(lines)


def _differences(found: Mapping[str, Found]) -> pd.DataFrame:
    columns = {}
    for name, one in found.items():
        rows = one.differences.set_index("term")
        told = [f"{interval(r, digits=3)}, {p_text(p)}" for r, p in zip(rows.itertuples(), rows["p"], strict=True)]
        columns[name.replace("_", " ")] = pd.Series(told, index=rows.index)
    return pd.DataFrame(columns).rename_axis("difference").reset_index()


def _areas(found: Mapping[str, Found]) -> pd.DataFrame:
    columns = {}
    for name, one in found.items():
        rows = one.areas.set_index("term")
        title = f"{name.replace('_', ' ')}, n {int(rows['n'].iloc[0]):,} ({int(rows['positives'].iloc[0])} with)"
        columns[title] = pd.Series([interval(r, digits=3) for r in rows.itertuples()], index=rows.index)
    table = pd.DataFrame(columns)
    words = {BOTH: f"network, {BOTH}", **{s: f"network, {s}" for s in SEQUENCES}}
    return table.rename(index=words).rename_axis("by").reset_index()
