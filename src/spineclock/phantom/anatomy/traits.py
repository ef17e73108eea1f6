"""What is known of a made-up person that shows in a body: one record a scan, from the tables of made-up people."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.findings import COLUMNS, CONDITIONS, LEVELS, Findings
from spineclock.phantom.dxa import TRUE_SPINE
from spineclock.phantom.fractures import SHAPES
from spineclock.phantom.parameters import parts
from spineclock.phantom.people import People, people

Codes = npt.NDArray[np.int8]
Chance = Callable[[str], np.random.Generator]
"""A person's stream of chance for a purpose."""


@dataclass(frozen=True, eq=False)
class Traits:
    """One scan's person. Arrays have one entry for each of ``core.findings.LEVELS``, C2 … L7.

    Parameters
    ----------
    spine_age_years : float
        Age plus true gap: what ageing of marrow, muscle and ligaments follows.
    exists : ndarray of bool, shape (26,)
        Which levels the person has.
    pfirrmann, height_loss, facet : ndarray of int8, shape (26,)
        Grades of the disc below and the facet joints, as in ``phantom.findings.Attributes``.
    findings : mapping of str to ndarray of int8, shape (26,)
        Severity of each condition by level; 0 where it is not.
    whole : frozenset of str
        Conditions that are told of the person, not of a level.
    fracture_grade, fracture_shape : ndarray of int8, shape (26,)
        Genant grade, and 1 + the place in ``phantom.fractures.SHAPES``; 0 where there is none.
    """

    scan_id: str
    person_id: str
    session: int
    age_years: float
    spine_age_years: float
    sex: str
    site: str
    maker: str
    scanner: str
    bmi: float
    lumbar_t_score: float
    psoas_index_cm2_m2: float
    erector_fat_percent: float
    exists: npt.NDArray[np.bool_]
    pfirrmann: Codes
    height_loss: Codes
    facet: Codes
    findings: Mapping[str, Codes]
    whole: frozenset[str]
    fracture_grade: Codes
    fracture_shape: Codes

    def stream(self, seed: int, purpose: str, *, of_person: bool = False) -> np.random.Generator:
        """A stream of chance of this scan, or, the same at all scans, of its person.

        Each purpose has its own, so that a finding that comes or goes changes nothing but itself.
        """
        who = self.person_id if of_person else self.scan_id
        return np.random.default_rng([seed, zlib.crc32(who.encode()), zlib.crc32(purpose.encode())])


def traits_of(some: People, *, world: str = "default") -> list[Traits]:
    """The record of each scan, in the order of the tables; in the world ``ageing_off`` that of :func:`without_ageing`.

    Examples
    --------
    >>> drawn = traits_of(people(3, seed=1))
    >>> drawn[0].scan_id, bool((drawn[0].pfirrmann[drawn[0].exists] >= 1).all())
    ('sub-1p0000001_ses-1', True)
    """
    by_level = {name: _by_level(some.imaging, name) for name in CONDITIONS}
    whole = {name: some.imaging.column(name) for name, told in CONDITIONS.items() if not told.levelled}
    whole |= {name: some.imaging.column(name) for name in ("congenital_canal_narrowing", "cord_abnormality")}
    grade, shape = _fractures(some)
    rows = pd.concat([some.table, some.truth[["spine_age_years"]]], axis=1)
    if TRUE_SPINE in some.truth:  # where densitometry errs, the body is what is true
        rows["lumbar_spine_t_score"] = some.truth[TRUE_SPINE]
    drawn = [
        Traits(
            scan_id=row["scan_id"],
            person_id=row["person_id"],
            session=int(row["session"]),
            age_years=float(row["age_years"]),
            spine_age_years=float(row["spine_age_years"]),
            sex=row["sex"],
            site=row["site"],
            maker=row["maker"],
            scanner=row["scanner"],
            bmi=float(row["bmi"]),
            lumbar_t_score=float(row["lumbar_spine_t_score"]),
            psoas_index_cm2_m2=float(row["psoas_index_cm2_m2"]),
            erector_fat_percent=float(row["erector_fat_percent"]),
            exists=some.attributes.exists[k],
            pfirrmann=some.attributes.pfirrmann[k],
            height_loss=some.attributes.height_loss[k],
            facet=some.attributes.facet[k],
            findings={name: codes[k] for name, codes in by_level.items() if codes[k].any()},
            whole=frozenset(name for name, codes in whole.items() if codes[k]),
            fracture_grade=grade[k],
            fracture_shape=shape[k],
        )
        for k, row in enumerate(rows.to_dict("records"))
    ]
    return without_ageing(drawn) if "ageing_off" in parts(world) else drawn


def without_ageing(traits: list[Traits]) -> list[Traits]:
    """The same scans with bodies swapped between neighbouring people, so that no image knows its person's age.

    Who, where and when stay; everything that shows in the body, sex included, is the other's, the same at all scans of
    a person. An odd one out at the end gets the first one's, one alone a stranger's.
    """
    body = {t.person_id: t for t in reversed(traits)}
    persons = list(dict.fromkeys(t.person_id for t in traits))
    if len(persons) == 1:
        body["stranger"] = traits_of(people(1, seed=zlib.crc32(persons[0].encode())))[0]
        persons.append("stranger")
    other = {p: persons[k ^ 1] if k ^ 1 < len(persons) else persons[0] for k, p in enumerate(persons)}
    kept = ("scan_id", "person_id", "session", "age_years", "site", "maker", "scanner")
    return [replace(body[other[t.person_id]], **{name: getattr(t, name) for name in kept}) for t in traits]


def _by_level(findings: Findings, name: str) -> Codes:
    """Severity of a condition, (scans, 26)."""
    columns = [
        findings.column(name, level) if _has(name, level) else np.zeros(len(findings), np.int8) for level in LEVELS
    ]
    return np.stack(columns, axis=1)


def _has(name: str, level: str) -> bool:
    told = CONDITIONS[name]
    return told.levelled and (name, level) in COLUMNS


def _fractures(people: People) -> tuple[Codes, Codes]:
    shape = (len(people.table), len(LEVELS))
    grades, shapes = np.zeros(shape, np.int8), np.zeros(shape, np.int8)
    row = people.table.reset_index().set_index("scan_id")["index"]
    for scan, level, grade, form in people.fractures[["scan_id", "level", "genant_grade", "shape"]].itertuples(
        index=False
    ):
        at = int(row[scan]), LEVELS.index(level)
        grades[at], shapes[at] = grade, 1 + SHAPES.index(form)
    return grades, shapes
