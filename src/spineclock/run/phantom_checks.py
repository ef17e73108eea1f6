"""The results page of the phantom's people, beside what they are held to.

``python -m spineclock.run.phantom_checks --out docs/results/phantom_people.md``
"""

from __future__ import annotations

import argparse
import resource
import time
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
from spineclock.stats.bias.linear import Cole

USUAL_IN_PAPER = {30: "27 · 32", 40: "15 · –"}
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
    age, true = some.table["age_years"].to_numpy(), some.truth["spine_age_years"].to_numpy()
    usual = ~atypical(some.reported, age)
    fitted = np.flatnonzero(usual) % 2 == 0  # one half stands for the validation set, the other is told of
    model, test = np.flatnonzero(usual)[fitted], np.flatnonzero(usual)[~fitted]
    corrected = Cole.fit(said[model], age[model]).corrected(said)
    rows = [
        ("noise model", *_errors(age[test], said[test]), 3.47, 0.87),
        ("noise model, corrected (Cole)", *_errors(age[test], corrected[test]), 3.67, 0.85),
        (
            "oracle: the true spine age",
            *_errors(age[test], true[test]),
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
    begun, worked = time.monotonic(), time.process_time()
    scans = sum(len(some.table) for some in blocks(n, seed=seed))
    taken, work = time.monotonic() - begun, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    return (
        f"{n:,} people ({scans:,} scans) with all but prose and files, in blocks of {BLOCK:,}: {work:.0f} s of one "
        f"core ({taken:.0f} s on a machine that others used too), {peak:.1f} GB at most."
    )


def page(n: int, *, seed: int, timed: int) -> str:
    """The page as Markdown; the speed is that of drawing ``timed`` people, none for 0."""
    pace = speed(timed, seed=seed) if timed else ""
    parameters = load()
    some = people(n, seed=seed, parameters=parameters)
    errors = accuracy(some, parameters, seed=seed)
    gap = some.truth["true_gap_years"]
    told = f"--n {n} --seed {seed}"
    sections = (
        "# The phantom's people\n",
        f"Simulated people beside what they are held to: {n:,} people, {len(some.table):,} scans, seed {seed}. All of "
        "them are made up.\n",
        f"- Command: `python -m spineclock.run.phantom_checks {told} --out docs/results/phantom_people.md`",
        f"- True gap: SD {gap.std():.2f} years (wanted: 4). Repeat scans' ICC of the corrected "
        f"gap: {errors.attrs['icc']:.2f} (paper: 0.73).",
        _ages(some, parameters),
        f"- {ceiling(some.table['age_years'], some.truth['spine_age_years']).sentence}",
        *([f"- {pace}"] if pace else []),
        _images(some, parameters),
        _reports(some),
        _terms(some, seed=seed),
        "\n## The noise model of predictions\n",
        markdown(errors),
    )
    return "\n".join(sections) + "\n"


def _ages(some: People, parameters: Parameters) -> str:
    ages = ages_and_sexes(some, parameters)
    square = float(((ages["found"] - ages["wanted"]) ** 2 / ages["wanted"]).sum())
    freedom = len(ages) - 1
    return (
        f"- Ages and sexes against Table 1: χ² = {square:.1f} with {freedom} degrees of freedom, "
        f"p = {chi2.sf(square, freedom):.2f}."
    )


def _images(some: People, parameters: Parameters) -> str:
    held = prevalences(some, parameters)
    away = (held["found"] - held["wanted"]).abs().max()
    cells = [f"{found:.0f} ({wanted:.0f})" for found, wanted in zip(held["found"], held["wanted"], strict=True)]
    wide = held.assign(cell=cells).pivot(index="finding", columns="bracket", values="cell")
    return (
        "\n## What the images hold\n\n"
        "Per cent of people with each finding at any lumbar level, by age bracket; in brackets Brinjikji et al., AJNR "
        f"36:811, 2015. Largest difference: {away:.1f} points (wanted: at most 5).\n\n"
        + markdown(wide.loc[list(BRINJIKJI)].reset_index())
    )


def _reports(some: People) -> str:
    shares = structure(some)
    shares["paper: none · bulges"] = shares["bracket"].map(USUAL_IN_PAPER).fillna("")
    shares["paper: abnormal"] = shares["bracket"].map(ABNORMAL_IN_PAPER)
    names = {"none": "no finding", "bulges": "1–3 mild lumbar bulges alone", "any_bulge": "mild lumbar bulges"}
    return (
        "\n## What the reports say\n\n"
        "Per cent of reports, by age bracket. Atypical are those that say anything beyond what stands for the paper's "
        "clusters: mild bulges of loins and neck, mild cervical osteophyte complexes, from 75 on mild uncovertebral "
        "osteophytes. The published prevalence of bulges (above) is lower than the paper's reports ask for; so readers "
        "call a mild bulge in a quarter of scans that have none, and still fewer reports than the paper's hold bulges "
        "alone.\n\n" + markdown(shares.rename(columns=names), digits=0)
    )


def _terms(some: People, *, seed: int) -> str:
    full = full_test_like(some, rng=np.random.default_rng([seed, 1]))
    counts = reported_counts(some, full)
    off = ((counts["found"] - counts["paper"]) / np.sqrt(counts["paper"])).abs().max()
    return (
        f"\nTable 5 and the Appendix, as numbers among {FULL_TEST:,} scans of a set like the paper's full test set: "
        f"atypical ones and a tenth of the others ({full.mean():.1%} of all scans; the paper's: 47.2%). Largest "
        f"difference: {off:.1f} times the square root of the paper's number. The effects are linear ones on the *true* "
        "gap in that set, not adjusted for age or sex.\n\n" + markdown(_told(counts))
    )


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
