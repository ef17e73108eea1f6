"""Finds how often readers tell each finding, so that counts come near the spine-age paper's.

``python -m spineclock.run.phantom_fit`` prints the lines of ``[reading]`` to be put into the parameter file. A count of
the paper's Table 5 or Appendix moves the share told of that condition, region and severity, on the probit scale, until
people drawn anew agree with it.
"""

from __future__ import annotations

import argparse
import copy
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from spineclock.core.findings import SEVERITIES
from spineclock.phantom.curves import PLACES
from spineclock.phantom.parameters import Parameters, document, load, made
from spineclock.phantom.people import people
from spineclock.run.phantom_compare import FULL_TEST, full_test_like, reported_counts
from spineclock.stats.association.paper_terms import PAPER_BLOCKS

HELD = (("lumbar", "disc_bulge", 0),)
"""(place, condition, severity) that is not moved: nearly all lumbar bulges are told, as the paper's clusters ask."""
LEAST, MOST, STEP = 0.002, 0.97, 0.7


def targets() -> dict[str, tuple[str, str, int]]:
    """By term of the paper: the place, condition and severity whose share told it moves."""
    found: dict[str, tuple[str, str, int]] = {}
    for block in PAPER_BLOCKS:
        for term in block.terms:
            if term.category is not None:
                severity = SEVERITIES.index(term.category.severity) if term.category.severity else 0
                found[term.key] = (term.category.region, term.category.condition, severity)
            elif block.name.startswith("Spinal"):
                found[term.key] = ("", term.key, 0)
    return found


def stepped(raw: dict[str, Any], parameters: Parameters, *, n: int, seed: int) -> tuple[dict[str, Any], float]:
    """The file's data with every share told a step nearer, and the largest miss in standard errors of the count."""
    some = people(n, seed=seed, parameters=parameters)
    counts = reported_counts(some, full_test_like(some, rng=np.random.default_rng(seed))).set_index("key")
    new, worst, moves = copy.deepcopy(raw), 0.0, targets()
    for key, (place, condition, severity) in moves.items():
        if (place, condition, severity) in HELD:
            continue
        wanted, found = (float(counts[of].to_dict()[key]) for of in ("paper", "found"))
        found = max(found, 0.5)
        worst = max(worst, abs(found - wanted) / np.sqrt(wanted))
        move = STEP * (ndtri(wanted / FULL_TEST) - ndtri(found / FULL_TEST))
        last = max(s for (p, c, s) in moves.values() if (p, c) == (place, condition))
        for where in [place] if place else [p for p in PLACES if condition in new["reading"][p]]:
            told = new["reading"][where][condition]["told"]
            # severities that the paper does not count go with the last that it does
            for at in range(severity, len(told)) if severity == last else [severity]:
                told[at] = round(float(np.clip(ndtr(ndtri(told[at]) + move), LEAST, MOST)), 4)
    return new, worst


def main() -> None:
    """Fits and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=40_000, help="people in each step")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--seed", type=int, default=100)
    told = parser.parse_args()
    raw, parameters = document(), load()
    raw.pop("worlds")
    for k in range(told.steps):
        raw, worst = stepped(raw, parameters, n=told.n, seed=told.seed + k)
        parameters = made(raw, world="default")
        print(f"# step {k + 1}: largest miss {worst:.1f} standard errors", flush=True)
    for place in PLACES:
        print(f"\n[reading.{place}]")
        for name, habits in raw["reading"][place].items():
            slope = f", per_decade = {habits['per_decade']}" if "per_decade" in habits else ""
            print(f"{name} = {{ told = [{', '.join(f'{x:.4g}' for x in habits['told'])}]{slope} }}")


if __name__ == "__main__":
    main()
