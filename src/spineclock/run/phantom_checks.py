"""The results page of the phantom's people, beside what they are held to.

``python -m spineclock.run.phantom_checks --out docs/results/phantom_people.md``
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import chi2

from spineclock.phantom.parameters import Parameters, load
from spineclock.phantom.people import BLOCK, People, Stage, blocks, people, stream
from spineclock.phantom.predictions import ceiling, predicted_ages
from spineclock.run.outputs import write_text
from spineclock.run.phantom_compare import (
    BRINJIKJI,
    FULL_TEST,
    ages_and_sexes,
    atypical,
    full_test_like,
    prevalences,
    reported_counts,
    structure,
)
from spineclock.run.tables import markdown
from spineclock.stats.bias.linear import cole

NORMAL_IN_PAPER = {30: "27 · 32", 40: "15 · –"}
"""Per cent of reports without findings, and in the cluster of one to three mild lumbar bulges: section 4.1."""
ABNORMAL_IN_PAPER = {30: 43.0, 40: 49.6, 50: 37.6, 60: 34.1, 70: 38.2, 80: 55.2}
"""From Table 1."""


def accuracy(some: People, parameters: Parameters, *, seed: int) -> pd.DataFrame:
    """Errors of the noise model on usual scans, beside the paper's network and an oracle: model, mae, r2."""
    said = predicted_ages(
        some.table,
        some.truth["spine_age_years"],
        parameters=parameters,
        rng=stream(seed, 0, Stage.PREDICTIONS),
        scanner_rng=np.random.default_rng([seed, int(Stage.PREDICTIONS)]),
    )["predicted_age_years"].to_numpy()
    age = some.table["age_years"].to_numpy()
    usual = ~atypical(some.reported, age)
    fitted = np.flatnonzero(usual) % 2 == 0  # one half stands for the validation set, the other is told of
    model, test = np.flatnonzero(usual)[fitted], np.flatnonzero(usual)[~fitted]
    corrected = cole(age[model], said[model]).apply(said)
    rows = [
        ("noise model", *_errors(age[test], said[test]), 3.47, 0.87),
        ("noise model, corrected (Cole)", *_errors(age[test], corrected[test]), 3.67, 0.85),
        (
            "oracle: the true spine age",
            *_errors(age[test], some.truth["spine_age_years"].to_numpy()[test]),
            *[np.nan] * 2,
        ),
    ]
    again = _repeat_icc(some, corrected - age)
    table = pd.DataFrame(rows, columns=["usual scans", "MAE, years", "R²", "paper: MAE", "paper: R²"])
    table.attrs["icc"] = again
    return table


def _errors(age: np.ndarray, said: np.ndarray) -> tuple[float, float]:
    found = ceiling(age, said)
    return found.mae_years, found.r2


def _repeat_icc(some: People, gap: np.ndarray) -> float:
    """ICC(1) of the corrected gap of people with two scans."""
    second = np.flatnonzero(some.table["session"] == 2)
    one, two = gap[second - 1], gap[second]
    between, within = 2 * np.var((one + two) / 2, ddof=1), np.mean((one - two) ** 2) / 2
    return float((between - within) / (between + within))


def speed(n: int, *, seed: int) -> str:
    """Seconds and memory of drawing ``n`` people block by block, said in a sentence."""
    begun = time.monotonic()
    scans = sum(len(some.table) for some in blocks(n, seed=seed))
    taken = time.monotonic() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    return (
        f"{n:,} people ({scans:,} scans) with everything but prose in blocks of {BLOCK:,}: {taken:.0f} s on one core, "
        f"{peak:.1f} GB at most for the whole page."
    )


def page(n: int, *, seed: int, timed: int) -> str:
    """The page as Markdown."""
    pace = speed(timed, seed=seed) if timed else ""
    parameters = load()
    some = people(n, seed=seed, parameters=parameters)
    full = full_test_like(some, rng=np.random.default_rng([seed, 1]))
    held, ages = prevalences(some, parameters), ages_and_sexes(some, parameters)
    counts, shares, errors = reported_counts(some, full), structure(some), accuracy(some, parameters, seed=seed)
    away = (held["found"] - held["wanted"]).abs()
    square = float(((ages["found"] - ages["wanted"]) ** 2 / ages["wanted"]).sum())
    gap = some.truth["true_gap_years"]
    grid = held.assign(cell=[f"{f:.0f} ({w:.0f})" for f, w in zip(held["found"], held["wanted"], strict=True)])
    wide = grid.pivot(index="finding", columns="bracket", values="cell").loc[list(BRINJIKJI)].reset_index()
    shares["in the paper: none · bulges"] = shares["bracket"].map(NORMAL_IN_PAPER).fillna("")
    shares["in the paper: abnormal"] = shares["bracket"].map(ABNORMAL_IN_PAPER)
    off = (counts["found"] - counts["paper"]) / np.sqrt(counts["paper"])
    parts: Sequence[str] = (
        "# The phantom's people\n",
        f"Simulated people beside what they are held to: {some.table['person_id'].nunique():,} people, {len(some.table):,} "
        f"scans, seed {seed}. All of them are made up.\n",
        f"- Command: `python -m spineclock.run.phantom_checks --n {n} --seed {seed} --out docs/results/phantom_people.md`",
        f"- True gap: SD {gap.std():.2f} years (wanted 4). Repeat scans' ICC of the corrected gap: {errors.attrs['icc']:.2f} "
        "(paper: 0.73).",
        f"- Ages and sexes against Table 1: χ² = {square:.1f} with 11 degrees of freedom, "
        f"p = {chi2.sf(square, 11):.2f}.",
        f"- {ceiling(some.table['age_years'], some.truth['spine_age_years']).sentence}",
        *([f"- {pace}"] if pace else []),
        "\n## What the images hold\n",
        "Per cent of people with each finding at any lumbar level, by age bracket; in brackets Brinjikji et al., AJNR "
        f"36:811, 2015. Largest difference: {away.max():.1f} points (wanted: at most 5).\n",
        markdown(wide),
        "\n## What the reports say\n",
        "Per cent of reports, by age bracket. Usual findings stand for the paper's clusters: mild bulges of loins and "
        "neck, mild cervical osteophyte complexes, from 75 on mild uncovertebral osteophytes. Atypical reports say "
        "anything else. The published prevalence of bulges (above) is lower than the paper's reports ask, so readers "
        "call a mild bulge in a quarter of scans without one, and fewer reports than the paper's hold bulges alone.\n",
        markdown(
            shares.rename(
                columns={
                    "none": "no finding",
                    "bulges": "1–3 mild lumbar bulges alone",
                    "any_bulge": "mild lumbar bulges",
                }
            ),
            digits=0,
        ),  # fmt: skip
        f"\nTable 5 and the Appendix, as numbers among {FULL_TEST:,} scans of a set like the paper's full test set "
        f"({full.mean():.1%} of all scans: atypical ones and a tenth of the others; the paper's: 47.2%). Largest "
        f"difference: {off.abs().max():.1f} times the square root of the paper's number. The effects are linear ones "
        "on the *true* gap in that set, with nothing adjusted for.\n",
        markdown(_told(counts)),
        "\n## The noise model of predictions\n",
        markdown(errors),
    )
    return "\n".join(parts) + "\n"


def _told(counts: pd.DataFrame) -> pd.DataFrame:
    table = counts.assign(found=counts["found"].round().astype(int)).drop(columns="key")
    return table.rename(
        columns={"block": "model", "name": "term", "paper": "paper: n", "found": "phantom: n",
                 "paper_years": "paper: years", "found_years": "phantom: years"}
    )  # fmt: skip


def main() -> None:
    """Measures and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=100_000, help="people")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--timed", type=int, default=1_000_000, help="people drawn to tell the speed; 0 for none")
    parser.add_argument("--out", type=Path, default=Path("docs/results/phantom_people.md"))
    told = parser.parse_args()
    write_text(told.out, page(told.n, seed=told.seed, timed=told.timed))


if __name__ == "__main__":
    main()
