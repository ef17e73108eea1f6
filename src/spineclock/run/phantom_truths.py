"""Projects what studies of made-up people should find: ``python -m spineclock.run.phantom_truths --help``.

A million people are drawn block by block. Kept are sums of products for the linear models of Table 5 and the Appendix,
counts for Figure 6, and what Cox models need of each person. The gap is the Cole-corrected one of the stated noise
model, true gap + error / shrinkage; a linear effect *on* it is that on the true gap, the error being independent.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.findings import Findings, empty_codes
from spineclock.phantom.outcomes import EVENTS
from spineclock.phantom.parameters import Parameters, load, worlds
from spineclock.phantom.people import BLOCK, People, block
from spineclock.phantom.projection import Sums, cox, linear, log_odds_ratio
from spineclock.phantom.risk import FACTORS
from spineclock.phantom.truths import fingerprint
from spineclock.phantom.who import scanners
from spineclock.run.outputs import write_text
from spineclock.stats.association.design import expand
from spineclock.stats.association.paper import paper_columns
from spineclock.stats.association.paper_terms import PAPER_BLOCKS

Floats = npt.NDArray[np.float64]
PARTS = 20
"""People are dealt into so many parts; what parts differ by gives Monte Carlo errors."""
ADJUSTED = ((), ("age_years", "sex", "site"))
M1 = ("age_years", "male")
M2 = (*M1, "prevalent_fracture", "bmi", *FACTORS)
M3 = (*M2, "osteoporosis")
MODELS = {"M1": M1, "M2": M2, "M3": M3}
"""Of the radiograph paper's Table 2: age and sex; prevalent fracture and clinical factors; osteoporosis."""
EXPOSURES = ("true_gap_years", "gap_years")
LEAST_AGES = (0.0, 40.0)
"""Everybody, and the ages of that paper's radiographs."""
BAND_YEARS = 5.0


@dataclass(eq=False)
class Tally:
    """What is kept of the people drawn so far."""

    sums: dict[tuple[str, tuple[str, ...]], list[Sums | None]] = field(default_factory=dict)
    keys: dict[tuple[str, tuple[str, ...]], list[str]] = field(default_factory=dict)
    odds: defaultdict[str, npt.NDArray[np.int64]] = field(
        default_factory=lambda: defaultdict(lambda: np.zeros((2, 2), dtype=np.int64))
    )
    followed: list[pd.DataFrame] = field(default_factory=list)
    scans: int = 0

    def add(self, table: pd.DataFrame, findings: list[str], part: int) -> None:
        """One block's scans, with the columns of :func:`scans_of`."""
        self.scans += len(table)
        for paper in PAPER_BLOCKS:
            for covariates in ADJUSTED:
                design = expand(table, (*paper.columns, *covariates))
                here = (paper.name, covariates)
                self.keys.setdefault(here, [column.key for column in design.columns])
                held = self.sums.setdefault(here, [None] * PARTS)
                new, old = Sums.of(design.matrix, table["true_gap_years"].to_numpy()), held[part]
                held[part] = new if old is None else old + new
        first = table[table["session"] == 1]
        above, below = first["gap_years"] > BAND_YEARS, first["gap_years"] < -BAND_YEARS
        for name in findings:
            has = first[name] == 1
            self.odds[name] += np.array(
                [[(above & has).sum(), (above & ~has).sum()], [(below & has).sum(), (below & ~has).sum()]]
            )
        names = [*M3, *EXPOSURES, *EVENTS, *(f"{event}_years" for event in EVENTS), "part"]
        kept = first.assign(part=part)[names]
        self.followed.append(kept.astype({name: np.float32 for name in names}))


def scans_of(some: People, offsets: Floats, parameters: Parameters, rng: np.random.Generator) -> pd.DataFrame:
    """The scans of a block with reported findings as the paper's columns, true and corrected gap, and covariates."""
    places = scanners(parameters.who)
    noise = parameters.predictions
    scanner = pd.Index(places["scanner"]).get_indexer(pd.Index(some.table["scanner"]))
    error = noise.error_sd_years * rng.standard_normal(len(some.table)) + offsets[scanner]
    true = some.truth["true_gap_years"].to_numpy()
    columns = paper_columns(some.reported).reset_index(drop=True)
    return pd.concat([some.table, columns], axis=1).assign(
        true_gap_years=true,
        gap_years=true + error / noise.shrinkage,
        male=some.table["sex"] == "M",
        prevalent_fracture=some.table["prevalent_vertebral_fractures"] > 0,
        site=pd.Categorical(some.table["site"], categories=pd.unique(places["site"])),
    )


def tallied(people: int, *, seed: int, parameters: Parameters) -> Tally:
    """Draws people and keeps what is needed of them."""
    tally = Tally()
    places = scanners(parameters.who)
    offsets = parameters.predictions.scanner_sd_years * np.random.default_rng([seed, 0, 91]).standard_normal(
        len(places)
    )
    findings = [str(name) for name in paper_columns(Findings(pd.Index([]), empty_codes(0)))]
    blocks = -(-people // BLOCK)
    for k in range(blocks):
        some = block(k, min(BLOCK, people - k * BLOCK), seed=seed, parameters=parameters)
        table = scans_of(some, offsets, parameters, np.random.default_rng([seed, k, 92]))
        tally.add(table, findings, k * PARTS // blocks if blocks >= PARTS else k)
    return tally


def linear_truths(tally: Tally) -> Iterator[dict[str, Any]]:
    """The effects of Table 5 and the Appendix, in years of gap."""
    for (name, covariates), parts in tally.sums.items():
        held = [part for part in parts if part is not None]
        found, keys = linear(held), tally.keys[name, covariates]
        own = next(paper for paper in PAPER_BLOCKS if paper.name == name)
        for at, key in enumerate(keys):
            if key.partition("=")[0] in own.columns:
                yield {
                    "statistic": "linear",
                    "of": key,
                    "block": name,
                    "adjusted_for": ", ".join(covariates),
                    "estimate": found.estimate[at],
                    "standard_error": found.standard_error[at],
                    "n": sum(part.rows for part in held),
                }


def odds_truths(tally: Tally) -> Iterator[dict[str, Any]]:
    """Odds of each reported finding where the gap is above 5 years against below −5, as Figure 6."""
    for name, counts in tally.odds.items():
        estimate, error = log_odds_ratio(counts)
        yield {
            "statistic": "odds", "of": name, "estimate": estimate, "standard_error": error, "n": int(counts.sum()),
            "odds_ratio": math.exp(estimate),
        }  # fmt: skip


def cox_truths(followed: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Hazard ratios per SD of the gap, by outcome, model, exposure and ages."""
    for least in LEAST_AGES:
        rows = followed[followed["age_years"] >= least]
        for outcome in EVENTS:
            years, event = rows[f"{outcome}_years"].to_numpy(dtype=float), rows[outcome].to_numpy() > 0
            for exposure in EXPOSURES:
                sd = float(rows[exposure].std())
                for model, names in MODELS.items():
                    fit = cox(rows[[exposure, *names]].to_numpy(dtype=float), years, event)
                    estimate = fit.log_hazard_ratio[0] * sd
                    yield {
                        "statistic": "cox", "of": exposure, "outcome": outcome, "model": model,
                        "adjusted_for": ", ".join(names), "least_age_years": least, "estimate": estimate,
                        "standard_error": fit.robust_error[0] * sd, "n": fit.rows, "events": fit.events,
                        "sd_years": sd, "hazard_ratio": math.exp(estimate),
                    }  # fmt: skip


def summary_truths(followed: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """What everybody together is like: gap, oracle's ceiling, prevalences; first scans."""
    old = followed["age_years"] >= 50
    men, women = followed["male"] > 0, followed["male"] == 0

    def each(part: pd.DataFrame) -> dict[str, float]:
        gap, age = part["true_gap_years"].astype(float), part["age_years"].astype(float)
        of_50 = part[part["age_years"] >= 50]
        return {
            "SD of the true gap, years": gap.std(),
            "SD of the corrected gap, years": part["gap_years"].astype(float).std(),
            "mean absolute error of true spine age (oracle), years": gap.abs().mean(),
            "R2 of true spine age (oracle)": 1 - (gap**2).mean() / age.var(),
            "osteoporosis, women of 50 on": of_50.loc[women, "osteoporosis"].mean(),
            "osteoporosis, men of 50 on": of_50.loc[men, "osteoporosis"].mean(),
            "vertebral fracture at first scan, 50 on": of_50["prevalent_fracture"].mean(),
            **{f"{event} seen, 50 on": of_50[event].mean() for event in EVENTS},
        }

    parts = pd.DataFrame([each(part) for _, part in followed.groupby("part")])
    errors = parts.std() / np.sqrt(len(parts))
    for name, value in each(followed).items():
        n = int(old.sum()) if "50 on" in name else len(followed)
        yield {"statistic": "summary", "of": name, "estimate": value, "standard_error": errors[name], "n": n}


def projected(people: int, *, seed: int, parameters: Parameters) -> dict[str, Any]:
    """Everything that is written, as plain data."""
    tally = tallied(people, seed=seed, parameters=parameters)
    followed = pd.concat(tally.followed, ignore_index=True)
    tally.followed.clear()
    rows = [*summary_truths(followed), *linear_truths(tally), *odds_truths(tally), *cox_truths(followed)]
    return {
        "schema": 1,
        "world": parameters.world,
        "parameters_sha256": fingerprint(parameters),
        "people": people,
        "scans": tally.scans,
        "seed": seed,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "truths": [{name: _plain(value) for name, value in row.items()} for row in rows],
    }


def document(found: dict[str, Any]) -> str:
    """The file: one truth a line, so that differences can be read."""
    head = json.dumps({name: value for name, value in found.items() if name != "truths"}, indent=2)
    rows = ",\n".join("    " + json.dumps(row, ensure_ascii=False) for row in found["truths"])
    return f'{head[:-2]},\n  "truths": [\n{rows}\n  ]\n}}\n'


def _plain(value: Any) -> Any:
    """Numbers to seven digits, what is not known as null."""
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.7g}") if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value


def main() -> None:
    """Projects and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1_000_000, help="people")
    parser.add_argument("--seed", type=int, default=20_250_101)
    parser.add_argument("--world", choices=worlds(), default="default")
    parser.add_argument("--out", type=Path, required=True)
    told = parser.parse_args()
    begun = time.monotonic()
    found = projected(told.n, seed=told.seed, parameters=load(told.world))
    write_text(told.out, document(found))
    print(f"{len(found['truths'])} truths of {told.n:,} people in {time.monotonic() - begun:.0f} s: {told.out}")


if __name__ == "__main__":
    main()
