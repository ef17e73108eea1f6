"""One made-up person's spine, put together."""

from __future__ import annotations

from functools import partial

import numpy as np

from spineclock.phantom.anatomy import sacrum as sacral
from spineclock.phantom.anatomy.arches import arch_records
from spineclock.phantom.anatomy.bodies import body_records, disc_records, disc_shares
from spineclock.phantom.anatomy.course import course_records
from spineclock.phantom.anatomy.forms import Anatomy
from spineclock.phantom.anatomy.posture import build_of, stand
from spineclock.phantom.anatomy.template import template
from spineclock.phantom.anatomy.traits import Traits


def anatomy_of(traits: Traits, *, seed: int, world: str = "default") -> Anatomy:
    """The spine of a made-up person: a pure function of the person's record, the seed and the world.

    What is the person's own (sizes, curves, whatever chance gave) is the same at all scans of the person, whatever
    findings come or go; findings, grades, fractures and ageing are those of the scan.

    Examples
    --------
    >>> from spineclock.phantom.people import people
    >>> from spineclock.phantom.anatomy.traits import traits_of
    >>> spine = anatomy_of(traits_of(people(1, seed=1))[0], seed=1)
    >>> spine.names[:2], spine.names[-6:], len(spine.discs)
    (('C2', 'C3'), ('S1', 'S2', 'S3', 'S4', 'S5', 'Co'), 26)
    """
    made = template(world)
    chance = partial(traits.stream, seed, of_person=True)
    build = build_of(traits, made, chance)
    column = stand(traits, build, disc_shares(traits, build), made)
    bodies = body_records(traits, build, column, made, chance)
    fat, unevenness = float(bodies["fat"][-1]), float(bodies["unevenness"][-1])
    sacrum = sacral.sacral_bodies(traits, build, fat=fat, unevenness=unevenness, rng=chance("sacrum"))
    discs = disc_records(traits, build, column, chance)
    remnants = sacral.sacral_discs(sacrum, first=len(column), water=float(chance("remnants").uniform(0.1, 0.6)))
    arches = arch_records(traits, build, column, made, fat)
    sides = sacral.sacral_blocks(sacrum, build, first=len(column), group=len(column) + 1)
    tips = np.array([p["centre"][1:] - p["axes"][1, 1:] * p["half"][1] for p in arches if p["spinous"]])
    course, start = course_records(traits, build, column, sacrum, tips, made, chance)
    lumbar = [float(p.centre[2]) for p in column if p.level[0] == "L"]
    return Anatomy(
        names=(*(p.level for p in reversed(column)), *sacral.NAMES),
        bodies=np.concatenate([bodies, sacrum]),
        discs=np.concatenate([discs, remnants]),
        blocks=np.concatenate([arches, sides]),
        course=course,
        course_from_mm=start,
        muscle_fat=float(np.clip(traits.erector_fat_percent / 100, 0.02, 0.7)),
        top_mm=float(column[-1].centre[2]) + column[-1].height / 2 + 24,
        bottom_mm=float(sacrum[1]["centre"][2]) - 14,
        lumbar_mm=float(np.mean(lumbar)),
    )
