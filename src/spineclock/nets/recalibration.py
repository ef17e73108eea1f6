"""Whose ages a network's answers are corrected by in place of its validation people's: ``recalibration.json``.

``spineclock recalibrate`` writes it into a run's folder: for each kind of film ("" for scans) predicted and
chronological ages of people of another place, or seen by another machine, with hashes of who they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spineclock.core.errors import InputError

FILE, SCHEMA = "recalibration.json", "spineclock.recalibration/1"


@dataclass(frozen=True)
class Recalibrated:
    """People by whose ages bias correction and interval are set.

    Attributes
    ----------
    pairs : sequence of (predicted, chronological) age in years, or (…, predicted SD)
    people : frozenset of str
        :func:`spineclock.core.people.hashed` names of those who may not be evaluated on.
    about : mapping
        What else is known: cohort, scans, time.
    """

    pairs: Sequence[Sequence[float]]
    people: frozenset[str]
    about: Mapping[str, Any]


def read_recalibrated(folder: Path, weights_sha256: str) -> dict[str, Recalibrated]:
    """By kind of film, what ``spineclock recalibrate`` left in a run's folder; nothing where it was never called.

    Raises
    ------
    InputError
        If the file cannot be used, or was made for other weights.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["schema"] != SCHEMA:
            raise ValueError(f"schema {told['schema']}")
        if told["weights_sha256"] != weights_sha256:
            raise ValueError("made for other weights")
        return {kind: _of(one) for kind, one in told["kinds"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} cannot be used ({error})", wanted="what `spineclock recalibrate` wrote for this run",
                         remedy="remove it, or recalibrate again") from error  # fmt: skip


def _of(told: Mapping[str, Any]) -> Recalibrated:
    pairs = tuple(tuple(map(float, row)) for row in told["pairs"])
    if {len(row) for row in pairs} not in ({2}, {3}):
        raise ValueError("rows of pairs that are no pairs")
    return Recalibrated(pairs, frozenset(told["people"]), told["about"])


def write_recalibrated(folder: Path, weights_sha256: str, kinds: Mapping[str, Recalibrated]) -> None:
    """Writes ``recalibration.json``, whole or not at all."""
    told = {
        kind: {"about": dict(r.about), "pairs": [list(p) for p in r.pairs], "people": sorted(r.people)}
        for kind, r in kinds.items()
    }
    content = {"schema": SCHEMA, "weights_sha256": weights_sha256, "kinds": told}
    partial = folder / f"{FILE}.partial"
    partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(folder / FILE)
