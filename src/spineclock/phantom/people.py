"""Made-up people with everything known of them: age, true spine age, what images hold and what reports say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import pandas as pd

from spineclock.core.errors import UsageError
from spineclock.core.findings import Findings
from spineclock.phantom.dxa import densitometry, worn
from spineclock.phantom.findings import Attributes, Held, held
from spineclock.phantom.gap import lifestyle_gap_years, true_gap_years
from spineclock.phantom.health import health, health_parameters, into_findings
from spineclock.phantom.lifestyle import EXERCISE, WORK, Lives, lives
from spineclock.phantom.parameters import DEFAULT, Parameters
from spineclock.phantom.reading import read
from spineclock.phantom.who import Scanned, scanned, scanners

BLOCK = 5_000
"""People drawn at a time: memory does not grow with their number, and nobody depends on how many others there are."""


class Stage(IntEnum):
    """Each stage has a stream of chance of its own, so that changing one leaves the others as they are."""

    WHO = 0
    LIVES = 1
    GAP = 2
    IMAGING = 3
    READING = 4
    PROSE = 5
    PREDICTIONS = 6
    BONE = 7
    OUTCOMES = 8
    DXA = 9


@dataclass(frozen=True, eq=False)
class People:
    """Simulated people; every table has one row a scan, in the same order."""

    table: pd.DataFrame
    """person_id, scan_id, session, age_years, sex, site, maker, scanner, how they live, and their health, by the usual
    names; see :class:`spineclock.phantom.health.Health`."""
    truth: pd.DataFrame
    """scan_id, true_gap_years, spine_age_years, lifestyle_gap_years (the part of the gap that lifestyle makes)."""
    imaging: Findings
    """What the images hold."""
    reported: Findings
    """What the reports say."""
    attributes: Attributes
    """What the images hold beside the conditions."""
    fractures: pd.DataFrame
    """One row a fractured vertebra (the exception to the rule above): scan_id, level, genant_grade, shape."""


def stream(seed: int, block: int, stage: Stage) -> np.random.Generator:
    """The stream of chance of a stage in a block of people."""
    return np.random.default_rng([seed, block, int(stage)])


def people(n: int, *, seed: int, parameters: Parameters = DEFAULT) -> People:
    """``n`` simulated people and all their scans.

    A pure function of seed and parameters; person ``k`` is the same whatever ``n``.

    Examples
    --------
    >>> some = people(100, seed=1)
    >>> some.table["person_id"].nunique(), len(some.table) == len(some.truth) == len(some.reported)
    (100, True)

    Raises
    ------
    UsageError
        If ``n`` is not positive or the seed is negative.
    """
    return joined(list(blocks(n, seed=seed, parameters=parameters)))


def blocks(n: int, *, seed: int, parameters: Parameters = DEFAULT) -> Iterator[People]:
    """The same people as :func:`people`, :data:`BLOCK` at a time."""
    if n < 1 or seed < 0:
        raise UsageError(f"{n} people of seed {seed}", wanted="at least one person, and a seed from 0 on")
    return (block(k, min(BLOCK, n - k * BLOCK), seed=seed, parameters=parameters) for k in range(-(-n // BLOCK)))


def block(number: int, count: int = BLOCK, *, seed: int, parameters: Parameters = DEFAULT) -> People:
    """The first ``count`` people of one block; always drawn whole, so that they are the same whatever ``count``."""
    offset = float(np.random.default_rng(seed).random())
    who = scanned(BLOCK, number * BLOCK, who=parameters.who, repeat_offset=offset,
                  rng=stream(seed, number, Stage.WHO))  # fmt: skip
    first = who.age_years[who.session == 1]
    living = lives(first, who.men, lifestyle=parameters.lifestyle, who=parameters.who,
                   rng=stream(seed, number, Stage.LIVES))  # fmt: skip
    from_life = lifestyle_gap_years(
        first, living, gap=parameters.gap, lifestyle=parameters.lifestyle, who=parameters.who
    )
    gap = true_gap_years(who, from_life, gap=parameters.gap, rng=stream(seed, number, Stage.GAP))
    true = held(who, gap, parameters=parameters, rng=stream(seed, number, Stage.IMAGING))
    table = _table(who, living, seed=seed, first=number * BLOCK, parameters=parameters)
    well = health(table, gap, parameters=health_parameters(parameters), bone_rng=stream(seed, number, Stage.BONE),
                  outcome_rng=stream(seed, number, Stage.OUTCOMES))  # fmt: skip
    into_findings(true.codes, well.fractured)
    seen = densitometry(well.columns, worn(true.codes, true.facet), health_parameters(parameters).bone.dxa,
                        rng=stream(seed, number, Stage.DXA))  # fmt: skip
    codes = read(true.codes, who.age_years, true.exists, reading=parameters.reading,
                 rng=stream(seed, number, Stage.READING))  # fmt: skip
    kept = who.person < count
    ids = pd.Index(table.loc[kept, "scan_id"])
    broken = well.fractured.long(pd.Index(table["scan_id"]))
    truth = pd.DataFrame(
        {
            "scan_id": table["scan_id"],
            "true_gap_years": gap,
            "spine_age_years": who.age_years + gap,
            "lifestyle_gap_years": from_life[who.person],
        }
    )
    return People(
        table=pd.concat([table, seen.columns], axis=1)[kept].reset_index(drop=True),
        truth=pd.concat([truth, well.truth, seen.truth], axis=1)[kept].reset_index(drop=True),
        imaging=Findings(ids, true.codes[kept]),
        reported=Findings(ids, codes[kept]),
        attributes=_attributes(ids, true, kept),
        fractures=broken[broken["scan_id"].isin(ids)].reset_index(drop=True),
    )


def joined(parts: list[People]) -> People:
    """Blocks of people put together, in their order."""
    if len(parts) == 1:
        return parts[0]
    ids = pd.Index(np.concatenate([part.table["scan_id"].to_numpy() for part in parts]), name="scan_id")
    attributes = {
        name: np.concatenate([getattr(part.attributes, name) for part in parts])
        for name in ("exists", "pfirrmann", "height_loss", "facet")
    }
    return People(
        table=pd.concat([part.table for part in parts], ignore_index=True),
        truth=pd.concat([part.truth for part in parts], ignore_index=True),
        imaging=Findings(ids, np.concatenate([part.imaging.codes for part in parts])),
        reported=Findings(ids, np.concatenate([part.reported.codes for part in parts])),
        attributes=Attributes(ids, **attributes),
        fractures=pd.concat([part.fractures for part in parts], ignore_index=True),
    )


def _table(who: Scanned, living: Lives, *, seed: int, first: int, parameters: Parameters) -> pd.DataFrame:
    names = np.array([f"sub-{seed}p{first + k + 1:07d}" for k in range(len(who.men))], dtype=object)
    person = names[who.person]
    places = scanners(parameters.who)
    at = who.person
    return pd.DataFrame(
        {
            "person_id": person,
            "scan_id": person + np.array(["", "_ses-1", "_ses-2"], dtype=object)[who.session],
            "session": who.session,
            "age_years": np.floor(who.age_years * 100) / 100,  # down: nobody reaches a bracket early
            "sex": np.where(who.men, "M", "F")[at],
            **{name: places[name].to_numpy()[who.scanner] for name in ("site", "maker", "scanner")},
            "bmi": living.bmi[at],
            "packs_per_day": living.packs_per_day[at],
            "alcohol_days_per_week": living.alcohol_days_per_week[at],
            "sedentary_hours": living.sedentary_hours[at],
            "work": np.array(WORK, dtype=object)[living.work][at],
            "exercise": np.array(EXERCISE, dtype=object)[living.exercise][at],
        }
    )


def _attributes(ids: pd.Index, true: Held, kept: np.ndarray) -> Attributes:
    return Attributes(
        ids,
        exists=true.exists[kept],
        pfirrmann=true.pfirrmann[kept],
        height_loss=true.height_loss[kept],
        facet=true.facet[kept],
    )
