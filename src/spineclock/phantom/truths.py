"""The projected truths that came with the program, ``truths.json``: ``python -m spineclock.run.phantom_truths``."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files

import pandas as pd

from spineclock.core.errors import UsageError
from spineclock.phantom.parameters import DEFAULT, Parameters

COMMAND = "python -m spineclock.run.phantom_truths --n 1000000 --out src/spineclock/phantom/truths.json"


@dataclass(frozen=True, eq=False)
class Truths:
    """What studies of the made-up people of one world should find."""

    table: pd.DataFrame
    """One row a truth: ``statistic`` (linear, cox, odds, summary), ``of`` what, ``estimate`` (years; log hazard ratio
    per SD; log odds ratio), ``standard_error`` (Monte Carlo), ``n``; then what is told of some only."""
    people: int
    seed: int
    date: str
    parameters_sha256: str


def fingerprint(parameters: Parameters) -> str:
    """The SHA-256 of a world's parameters: another number in the file, another fingerprint.

    >>> from spineclock.phantom.parameters import load
    >>> fingerprint(load("null")) == fingerprint(DEFAULT), len(fingerprint(DEFAULT))
    (False, 64)
    """
    plain = json.dumps(dict(parameters.document), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(plain.encode()).hexdigest()


def stored_truths(parameters: Parameters = DEFAULT) -> Truths:
    """The truths that came with the program.

    Examples
    --------
    >>> truths = stored_truths().table
    >>> bool((truths["standard_error"].dropna() > 0).all())
    True

    Raises
    ------
    UsageError
        If they are not of these parameters.
    """
    held = json.loads((files("spineclock.phantom") / "truths.json").read_text(encoding="utf-8"))
    if held["parameters_sha256"] != fingerprint(parameters):
        raise UsageError(
            f"stored truths of other parameters than those of the world {parameters.world!r}",
            wanted="truths projected from the same",
            remedy=COMMAND,
        )
    return Truths(pd.DataFrame(held["truths"]), held["people"], held["seed"], held["date"], held["parameters_sha256"])
