"""Checks that the statistics give back what was put in: ``python -m spineclock.run.recovery --help``.

Thousands of studies of simulated people, tables only: how often the 95% intervals of Table 5's effects hold the truth,
and how often an effect is called where there is none. This verifies code; it says nothing of real spines.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

from spineclock.phantom.parameters import load
from spineclock.phantom.people import People, people
from spineclock.phantom.predictions import predicted_ages
from spineclock.phantom.truths import stored_truths
from spineclock.run.outputs import write_text
from spineclock.stats.association.paper import PaperEffects, paper_columns
from spineclock.stats.bias import Cole
from spineclock.stats.result import number

FIRST_SEED = 1_000_000
"""Of the studies; the truths were projected from other seeds."""
VALIDATION = 0.1
"""Share of the people that the bias correction is fitted on; they take no further part."""
FEW = 20
"""Terms that fewer scans of a study have carry a warning in it, and are counted apart."""


def gaps(some: People, *, world: str, seed: int) -> pd.DataFrame:
    """The scans of simulated people with measured gap and the paper's columns, Cole's line fitted on other people."""
    parameters = load(world)
    noise = np.random.default_rng([seed, 7]), np.random.default_rng([seed, 8])
    told = predicted_ages(
        some.table, some.truth["spine_age_years"], parameters=parameters, rng=noise[0], scanner_rng=noise[1]
    )
    first = some.table["person_id"].astype("category").cat.codes.to_numpy()
    fitted_on = np.random.default_rng([seed, 9]).random(first.max() + 1)[first] < VALIDATION
    table = some.table.assign(predicted_age_years=told["predicted_age_years"].to_numpy())
    line = Cole.fit(table.loc[fitted_on, "predicted_age_years"], table.loc[fitted_on, "age_years"])
    table["gap_years"] = line.gap(table["predicted_age_years"], table["age_years"])
    return table.join(paper_columns(some.reported), on="scan_id")[~fitted_on]


def one_study(seed: int, *, world: str, size: int) -> pd.DataFrame:
    """Every effect of one study: key, adjusted, estimate, low, high, p, n_with."""
    found = PaperEffects()(gaps(people(size, seed=seed, parameters=load(world)), world=world, seed=seed))
    kept = found[["key", "estimate", "low", "high", "p", "n_with"]].assign(adjusted=found["adjusted_for"] != "")
    return kept.assign(seed=seed)


def studies(count: int, work: Path, *, world: str, size: int, workers: int) -> pd.DataFrame:
    """The effects of each study; those of a stopped run, kept in ``work``, are not made again."""
    kept = work / f"{world}-{size}.csv"
    done = pd.read_csv(kept) if kept.is_file() else pd.DataFrame({"seed": []})
    wanted = [s for s in range(FIRST_SEED, FIRST_SEED + count) if s not in set(done["seed"])]
    work.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for k, found in enumerate(pool.map(partial(one_study, world=world, size=size), wanted, chunksize=4)):
            found.to_csv(kept, mode="a", index=False, header=not kept.is_file())
            if k % 100 == 99:
                print(f"{world}: {k + 1} of {len(wanted)} studies", flush=True)
    found = pd.read_csv(kept)
    return found[found["seed"] < FIRST_SEED + count]


def coverage(found: pd.DataFrame, truths: pd.DataFrame) -> pd.DataFrame:
    """Of each term, how often its interval held the truth, and the mean error in years."""
    of = truths[truths["statistic"] == "linear"].assign(adjusted=lambda t: t["adjusted_for"] != "")
    joined = found.merge(of[["of", "adjusted", "estimate"]], left_on=["key", "adjusted"], right_on=["of", "adjusted"],
                         suffixes=("", "_true"))  # fmt: skip
    joined = joined[joined["low"].notna()]
    joined["held"] = (joined["low"] <= joined["estimate_true"]) & (joined["estimate_true"] <= joined["high"])
    joined["error"] = joined["estimate"] - joined["estimate_true"]
    joined["enough"] = joined["n_with"] >= FEW
    return joined


def page(powered: pd.DataFrame, null: pd.DataFrame, *, size: int) -> str:
    """The results page."""
    counts = powered["seed"].nunique(), null["seed"].nunique()
    command = f"python -m spineclock.run.recovery --studies {max(counts)} --size {size} --out docs/results/recovery.md"
    lines = [
        "# Recovery: do the statistics give back what was put in?",
        "",
        "Verification of the code on simulated people; it says nothing of real spines.",
        "",
        f"- Command: `{command}`, 0.8 s a study and core",
        f"- Data: {counts[0]:,} studies of the default and {counts[1]:,} of the null world, {size:,} people each, "
        f"seeds from {FIRST_SEED:,}; nine tenths of the people are studied, on one tenth Cole's line is fitted; models "
        "of Table 5 and the Appendix, with and without age, sex and site",
        "- Truth: the same models on a million other simulated people (`phantom/truths.json`)",
        "",
        "| pooled over effects | terms that 20 scans or more have | rarer terms | wanted |",
        "|---|---|---|---|",
        _line("coverage of 95% intervals, %", powered, "held", "94–96"),
        _line("false positives in the null world, %", null, "called", "5 ± 0.7"),
        "",
        "The interval of each figure is by study, as the effects of one are not independent.",
        "",
        "## By term, without covariates, terms that 20 scans or more have",
        "",
        "| term | studies | coverage, % | mean error, years |",
        "|---|---|---|---|",
    ]
    for key, rows in powered[powered["enough"] & ~powered["adjusted"]].groupby("key", sort=False):
        lines.append(f"| {key} | {len(rows):,} | {100 * rows['held'].mean():.1f} | {number(rows['error'].mean(), 3)} |")
    return "\n".join(lines) + "\n"


def _line(name: str, found: pd.DataFrame, column: str, wanted: str) -> str:
    cells = []
    for enough in (True, False):
        own = found[found["enough"] == enough]
        each = own.groupby("seed")[column].agg(["sum", "size"])
        share = each["sum"].sum() / max(each["size"].sum(), 1)
        # a ratio of sums over studies
        error = float(np.sqrt(np.square(each["sum"] - share * each["size"]).sum()) / max(each["size"].sum(), 1))
        ends = f"{100 * (share - 1.96 * error):.1f} to {100 * (share + 1.96 * error):.1f}"
        cells.append(f"{100 * share:.2f} ({ends}; {len(own):,} effects)")
    return f"| {name} | {cells[0]} | {cells[1]} | {wanted} |"


def main() -> None:
    """Runs the studies of both worlds and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--size", type=int, default=2500, help="people a study")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path("build/recovery"), help="where a stopped run is taken up")
    parser.add_argument("--out", type=Path, required=True)
    told = parser.parse_args()
    how = {"size": told.size, "workers": told.workers}
    null = studies(told.studies, told.work, world="null", **how)
    powered = coverage(studies(told.studies, told.work, world="default", **how), stored_truths().table)
    null = null[null["p"].notna()].assign(called=lambda t: t["p"] < 0.05, enough=lambda t: t["n_with"] >= FEW)
    write_text(told.out, page(powered, null, size=told.size))


if __name__ == "__main__":
    main()
