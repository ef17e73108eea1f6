"""The results page of the phantom's likeness to real people: ``python -m spineclock.run.phantom_realism_page --help``.

Each adult of SPIDER is set beside a made-up person of the same sex and nearly the same age, scanned as SPIDER's people
were; scan and label map of both are measured by the same rules (:func:`spineclock.run.phantom_realism.likeness`).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spineclock.core.errors import InputError
from spineclock.ingest.cohort import read_table
from spineclock.ingest.datasets import spider
from spineclock.ingest.datasets.spider import SpiderPerson
from spineclock.phantom.anatomy.traits import Traits, traits_of
from spineclock.phantom.mri.scanner import Request, acquire
from spineclock.phantom.people import people
from spineclock.run.outputs import versions, write_text
from spineclock.run.phantom_realism import (
    Likeness,
    grades_of,
    likeness,
    matched,
    pfirrmann,
    scoring_people,
    tuning_people,
)
from spineclock.run.tables import markdown
from spineclock.segment.instances import find

ADULT_YEARS = 18
MADE, SEED = 2000, 11
"""How many made-up people matches are chosen from, and of which seed."""
REQUEST = Request("lumbar", ("T2w",), "space")
HALVES = ("tuning", "scoring")
DISCS = ("T11/T12", "T12/L1", "L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")
BODIES = ("T12", "L1", "L2", "L3", "L4", "L5")
FEWEST = 4
"""Rows with fewer real people are shown and not judged."""
TOPICS = {
    "height": ("Disc height to body height", "Mean height of the disc over that of its two bodies."),
    "csf": (
        "Disc signal to CSF's, by Pfirrmann grade",
        "L1/L2 to L5/S1, the mean of a person's discs of that grade. Scans whose fluid signal was cut off when they "
        "were exported are left out.",
    ),
    "marrow": (
        "Disc signal to marrow's, by Pfirrmann grade",
        "The same discs over the two bodies beside them, scans with cut-off fluid included.",
    ),
    "canal": ("Depth of the thecal sac, mm", "Front to back in the middle, behind discs and bodies."),
    "tissues": (
        "Tissues",
        "Marrow of the lumbar bodies, muscle 9 to 20 mm behind the laminae, fat under the skin of the back. Ratios to "
        "CSF without the scans whose fluid is cut off.",
    ),
}
STRUCTURES = ("disc", "vertebra", "canal")
GOAL = 0.70
"""Wanted of the vertebrae's Dice on the scoring half, for a network that has seen phantoms alone."""


def values(found: Likeness) -> pd.DataFrame:
    """One scan's values: topic, row (what is measured), value; at most one a row, what is not there left out."""
    discs = found.discs.set_index("level")
    rows = [("height", level, discs["height_to_body"].get(level)) for level in DISCS]
    lumbar = discs[discs.index.isin(DISCS[2:])].groupby("pfirrmann").mean()
    for grade in range(1, 6):
        told: Mapping[Any, Any] = lumbar.loc[grade].to_dict() if grade in lumbar.index else {}
        if not found.cut_off:
            rows.append(("csf", f"whole disc, grade {grade}", told.get("signal_to_csf")))
            rows.append(("csf", f"nucleus, grade {grade}", told.get("nucleus_to_csf")))
        rows.append(("marrow", f"whole disc, grade {grade}", told.get("signal_to_marrow")))
    depth = found.canal.set_index("level")["depth_mm"]
    rows += [("canal", f"behind {place}", depth.get(place)) for place in (*DISCS[1:], *BODIES)]
    tissues = found.tissues.set_index("tissue")
    rows += [("tissues", f"{name} to marrow", tissues.loc[name, "to_marrow"]) for name in ("muscle", "fat")]
    if not found.cut_off:
        rows += [("tissues", f"{name} to CSF", tissues.loc[name, "to_csf"]) for name in ("marrow", "muscle", "fat")]
    return pd.DataFrame(rows, columns=["topic", "row", "value"]).astype({"value": float}).dropna()


def pair(
    person: SpiderPerson, grades: Mapping[str, int] | None, made: Traits, *, half: str, seed: int
) -> list[pd.DataFrame]:
    """Values of a real person and of the made-up match: topic, row, value, half, kind, scan, cut_off."""
    own = likeness(person.volume, find(person.mask).labels, grades)
    (series,) = acquire(made, REQUEST, seed=seed)
    other = likeness(series.volume, series.labels, grades_of(made))
    return [
        values(own).assign(half=half, kind="real", scan=person.person_id, cut_off=own.cut_off),
        values(other).assign(half=half, kind="phantom", scan=made.scan_id, cut_off=other.cut_off),
    ]


def halves_of(ids: Iterable[str]) -> dict[str, str]:
    """Which half each of SPIDER's SPACE people belongs to; all of them have to be given, or the split is another.

    >>> halves_of(["11", "7", "18"])
    {'7': 'tuning', '18': 'tuning', '11': 'scoring'}
    """
    told = list(ids)
    return {p: "tuning" for p in tuning_people(told)} | {p: "scoring" for p in scoring_people(told)}


def compared(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a half and quantity: n, mean, sd, low and high of the real, n, mean and sd of the phantom, and the rest.

    ``apart`` is the difference of the means in SDs of the real people, ``inside`` whether the phantom's mean lies in
    their range, ``share`` how many of the phantom's values do. NaN (None) where fewer than four real people are there.
    """
    out = []
    order = {key: k for k, key in enumerate(_order())}
    for key, part in rows.groupby(["half", "topic", "row"]):
        half, topic, row = (str(word) for word in key)
        real = part.loc[part["kind"] == "real", "value"].to_numpy()
        made = part.loc[part["kind"] == "phantom", "value"].to_numpy()
        judged = len(real) >= FEWEST and len(made) > 0
        low, high = (real.min(), real.max()) if len(real) else (np.nan, np.nan)
        mean = float(made.mean()) if len(made) else np.nan
        out.append(
            {
                "half": half, "topic": topic, "row": row, "at": order[topic, row],
                "n": len(real), "mean": real.mean() if len(real) else np.nan, "sd": _sd(real), "low": low,
                "high": high, "phantom_n": len(made), "phantom_mean": mean, "phantom_sd": _sd(made),
                "apart": (mean - real.mean()) / _sd(real) if judged else np.nan,
                "inside": bool(low <= mean <= high) if judged else None,
                "share": float(((made >= low) & (made <= high)).mean()) if judged else np.nan,
            }
        )  # fmt: skip
    return pd.DataFrame(out).sort_values(["half", "at"]).drop(columns="at").reset_index(drop=True)


def _order() -> list[tuple[str, str]]:
    """Every (topic, row) in the order of the page."""
    by_grade = [f"{what}, grade {g}" for what in ("whole disc", "nucleus") for g in range(1, 6)]
    return [
        *(("height", level) for level in DISCS),
        *(("csf", name) for name in by_grade),
        *(("marrow", name) for name in by_grade[:5]),
        *(("canal", f"behind {place}") for place in (*DISCS[1:], *BODIES)),
        *(("tissues", f"{name} to CSF") for name in ("marrow", "muscle", "fat")),
        *(("tissues", f"{name} to marrow") for name in ("muscle", "fat")),
    ]


def _sd(numbers: np.ndarray) -> float:
    return float(numbers.std(ddof=1)) if len(numbers) > 1 else np.nan


def page(rows: pd.DataFrame, *, about: str, segmentation: str = "") -> str:
    """The page as Markdown, from the values of :func:`pair`; ``about`` says how they were got."""
    table = compared(rows)
    parts = [
        "# The phantom beside real people",
        "The same measurements of real scans with their experts' outlines and of simulated scans with their true label "
        "maps. SPIDER's SPACE people are split in two by number: the phantom's proportions and signals were set by the "
        "**tuning** half's figures alone. The **scoring** half's stood beside them when the sac's depth and the discs' "
        "signals were last set: nothing was chosen by them, but they were seen. Each real adult is set "
        f"beside the made-up person of the same sex nearest in age, out of {MADE:,} of seed {SEED}, each used once, "
        "scanned by the phantom's SPACE.",
        about,
        _summary(table),
        "In each table: mean ± SD (lowest–highest) of the real people, a value a person; mean ± SD of their made-up "
        "matches; *apart*, the difference of the means in SDs of the real people; *in range*, whether the phantom's "
        "mean lies between the lowest and the highest real person, and the share of single phantom values that do. "
        f"Rows with fewer than {FEWEST} real people are not judged. A range of a dozen people is wide and grows with "
        "their number: to lie inside it is a weak claim. All of SPIDER's people had back pain; the made-up ones have "
        "findings as often as people without, so matched people differ in how worn their discs are. Rows by grade "
        "allow for that, heights do not.",
    ]
    for topic, (title, words) in TOPICS.items():
        parts += [f"## {title}", words, _side_by_side(table[table["topic"] == topic])]
    return "\n\n".join([*parts, *([segmentation] if segmentation else [])]) + "\n"


def _summary(table: pd.DataFrame) -> str:
    lines = []
    for half in HALVES:
        own = table[(table["half"] == half) & table["inside"].notna()]
        out = own[~own["inside"].astype(bool)]
        spread = float((own["phantom_sd"] / own["sd"]).median())
        far = own[own["inside"].astype(bool) & (own["apart"].abs() > 1)]
        lines.append(
            f"- **{half.capitalize()} half**: the phantom's mean lies in the real people's range in "
            f"{len(own) - len(out)} of {len(own)} rows"
            + (f"; **outside: {_named(out)}**" if len(out) else "")
            + (f"; inside, but more than 1 SD from the real mean: {_named(far)}" if len(far) else "")
            + f". SDs of the phantom's values over real people's: {spread:.2f} in the median."
        )
    return "\n".join(lines)


def _named(rows: pd.DataFrame) -> str:
    words = {"height": "height of {}", "csf": "{} to CSF", "marrow": "{} to marrow", "canal": "sac {}", "tissues": "{}"}
    told = []
    for row in rows.to_dict("records"):
        few = f", {row['phantom_n']} made-up" if row["phantom_n"] < FEWEST else ""
        told.append(f"{words[row['topic']].format(row['row'])} ({_signed(row['apart'])} SD{few})")
    return ", ".join(told)


def _side_by_side(table: pd.DataFrame) -> str:
    out: dict[str, dict[str, str]] = {}
    digits = 1 if (table["topic"] == "canal").any() else 2
    for told in table.to_dict("records"):
        half = told["half"]
        row = out.setdefault(str(told["row"]), {})
        row[f"{half}: real"] = (
            f"{told['mean']:.{digits}f}{_plus(told['sd'], digits)} "
            f"({told['low']:.{digits}f}–{told['high']:.{digits}f}), n = {told['n']}" if told["n"] else "–"
        )  # fmt: skip
        row[f"{half}: phantom"] = (
            f"{told['phantom_mean']:.{digits}f}{_plus(told['phantom_sd'], digits)}, n = {told['phantom_n']}"
            if told["phantom_n"]
            else "–"
        )
        judged = told["inside"] in (True, False)
        row[f"{half}: apart"] = _signed(told["apart"]) if judged else ""
        row[f"{half}: in range"] = f"{'yes' if told['inside'] else '**no**'}, {told['share']:.0%}" if judged else ""
    wide = pd.DataFrame.from_dict(out, orient="index")
    wide = wide.reindex([row for topic, row in _order() if (table["topic"] == topic).any() and row in out])
    columns = [f"{half}: {what}" for half in HALVES for what in ("real", "phantom", "apart", "in range")]
    return markdown(wide.reindex(columns=columns).fillna("").reset_index(names=""))


def _signed(number: float) -> str:
    return f"{number:+.1f}".replace("-0.0", "0.0").replace("+0.0", "0.0").replace("-", "−")


def _plus(sd: float, digits: int) -> str:
    return "" if np.isnan(sd) else f" ± {sd:.{digits}f}"


def segmentation_section(dice: pd.DataFrame, halves: Mapping[str, str], training: Mapping[str, Any] | None) -> str:
    """What a network makes of the real people, from one row of Dice a person (person_id, disc, vertebra, canal).

    ``training`` is the record of the stage that made the weights, as ``segmentation_training.json`` holds it.
    """
    if missing := [c for c in ("person_id", *STRUCTURES) if c not in dice]:
        raise InputError(f"a table of Dice without {', '.join(missing)}",
                         wanted="what python -m spineclock.run.segmentation_evaluation writes")  # fmt: skip
    half = dice["person_id"].astype(str).map(dict(halves))
    rows = [
        (name, structure, len(own), own[structure].mean(), own[structure].std(), own[structure].min(),
         f"≥ {GOAL:.2f}" if (name, structure) == ("scoring", "vertebra") else "")
        for name in HALVES for own in [dice[half == name]] for structure in STRUCTURES
    ]  # fmt: skip
    reached = float(dice.loc[half == "scoring", "vertebra"].mean())
    verdict = "reached" if reached >= GOAL else f"**missed** by {GOAL - reached:.3f}"
    table = pd.DataFrame(rows, columns=["half", "structure", "people", "mean", "SD", "worst", "goal"])
    return "\n\n".join(
        [
            "## Outlining real people",
            f"{_trained(training)} Dice overlap with SPIDER's expert masks on the scans' own grids, the child "
            f"included. The goal for the vertebrae of the scoring half is {verdict} ({reached:.3f}).",
            markdown(table, digits=3),
        ]
    )


def _trained(training: Mapping[str, Any] | None) -> str:
    if training is None:
        return "What the network was trained on is not on record here (`--weights`)."
    if training["people"]:
        return f"The network has learned from {training['people']} real people too, so this is no test of the phantom."
    return (
        f"A segmentation network trained on phantoms alone: {training['phantoms']} simulated series, "
        f"{training['steps']:,} steps of {training['batch']} crops, seed {training['seed']}, on {training['device']}; "
        "it has seen no real picture."
    )


def training_of(weights: Path) -> dict[str, Any] | None:
    """The record of the stage that made a weights file, out of the log beside it; None where there is none."""
    log = weights.parent / "segmentation_training.json"
    if not log.is_file():
        return None
    stages: list[dict[str, Any]] = json.loads(log.read_text(encoding="utf-8"))["stages"]
    return next((s for s in stages if weights.stem == f"segmenter-{s['stage']}"), None)


def _about(rows: pd.DataFrame, told: argparse.Namespace, *, minutes: float, worked: float) -> str:
    """Command, data, seed, time and machine."""
    scans = rows.drop_duplicates(["kind", "scan"])
    real = scans[scans["kind"] == "real"]
    counts = ", ".join(f"{(real['half'] == half).sum()} of the {half} half" for half in HALVES)
    cut = ", ".join(real.loc[real["cut_off"].astype(bool), "scan"])
    more = f" --dice {told.dice.name}" if told.dice else ""
    more += f" --weights {told.weights.name}" if told.weights else ""
    used = ", ".join(f"{name} {number}" for name, number in versions().items())
    return (
        f"- Command: `python -m spineclock.run.phantom_realism_page SPIDER{more} --out {told.out.as_posix()}`\n"
        f"- Data: SPIDER, T2 SPACE, expert masks, the adults: {counts}; the fluid's signal was cut off in "
        f"{f'people {cut}' if cut else 'nobody'}. Person 152, with a severe deformity, was not used for tuning though "
        "of that half; the child, 141, has no match.\n"
        f"- Seed {SEED}, of people and scans. {minutes:.1f} minutes, {worked:.1f} of them at work, on one of "
        f"{os.cpu_count()} cores ({platform.machine()}), load {os.getloadavg()[1]:.1f}; {used}"
    )


def main() -> None:
    """Measures everyone and writes the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m spineclock.run.phantom_realism_page SPIDER --dice build/phantom_alone.csv",
    )  # fmt: skip
    parser.add_argument("spider", type=Path, help="the SPIDER folder with radiological_gradings.csv; see docs/data.md")
    parser.add_argument("--out", type=Path, default=Path("docs/results/phantom_realism.md"))
    parser.add_argument(
        "--dice", type=Path, help="the CSV that python -m spineclock.run.segmentation_evaluation writes"
    )
    parser.add_argument("--weights", type=Path, help="the weights file of that CSV, with its training's log beside it")
    told = parser.parse_args()
    begun, worked = time.perf_counter(), time.process_time()
    everyone = spider.read(told.spider)
    grades = pfirrmann(told.spider / "radiological_gradings.csv")
    half = halves_of([p.person_id for p in everyone])
    adults = [p for p in everyone if p.age_years >= ADULT_YEARS]
    made = matched([(p.age_years, p.sex) for p in adults], traits_of(people(MADE, seed=SEED)))
    rows = pd.concat(
        [part for person, match in zip(adults, made, strict=True)
         for part in pair(person, grades.get(person.person_id), match, half=half[person.person_id], seed=SEED)],
        ignore_index=True,
    )  # fmt: skip
    section = ""
    if told.dice is not None:
        section = segmentation_section(read_table(told.dice), half, training_of(told.weights) if told.weights else None)
    about = _about(rows, told, minutes=(time.perf_counter() - begun) / 60, worked=(time.process_time() - worked) / 60)
    told.out.parent.mkdir(parents=True, exist_ok=True)
    write_text(told.out, page(rows, about=about, segmentation=section))


if __name__ == "__main__":
    main()
